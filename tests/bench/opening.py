"""How fast a release of millions of archs opens: python -m tests.bench.opening [MILLIONS ..]

Makes a release of one space with so many archs of its grid (and made names where the grid has no more), and
asks it in fresh processes: import, open, first query by name. The first process on a machine reads the whole
index for its checksum, and later ones do not. Beside it what a list and a dict of the names take.
"""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from builders.work.commit import commit_release
from nbzero import Bench
from nbzero.release.schema import arrow_schema
from nbzero.spaces.macro import CHOICES

SPACE = "r1"
ASKED = "r1-s64-d6w16s1-d6w32s2-d6w64s2-d6w128s2"
COLD = """
import sys, time
start = time.perf_counter()
import nbzero
bench = nbzero.Bench(sys.argv[1])
arch_id = bench.query(sys.argv[2]).arch_id
took = time.perf_counter() - start
start = time.perf_counter()
for _ in range(1000):
    bench.query(sys.argv[2])
import resource
print(took, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, arch_id)
"""
PLAIN = """
import sys, time
start = time.perf_counter()
import pyarrow.parquet as pq
names = pq.read_table(sys.argv[1], columns=["arch"]).column("arch").to_pylist()
place = {name: row for row, name in enumerate(names)}[sys.argv[2]]
import resource
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def grid() -> Iterator[str]:
    """Archs of four stages of the space's grid, the asked one first."""
    choices = CHOICES[SPACE]
    yield ASKED
    for stem, widths, depths, kept in itertools.product(
        choices.stems,
        itertools.combinations_with_replacement(choices.widths, 4),
        itertools.product(choices.depths, repeat=4),
        range(4),
    ):
        arch = f"{SPACE}-s{stem}"
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            arch += f"-d{depth}w{width}s{1 if stage == kept else 2}"
        if arch != ASKED:
            yield arch


def made_release(folder: Path, num: int) -> None:
    """A release whose archs table has so many rows, with the shipped one's numbers over and over."""
    shipped = Bench().arrow("archs", SPACE)
    rows = shipped.take(np.arange(num) % shipped.num_rows)
    fillers = (f"{SPACE}-filler-{number}" for number in itertools.count())
    names = pa.array(itertools.islice(itertools.chain(grid(), fillers), num), pa.string())
    columns = {name: rows.column(name) for name in rows.column_names}
    columns |= {"arch": names, "arch_id": pa.array(np.arange(num, dtype=np.int32))}
    table = pa.table(columns).cast(arrow_schema("archs", SPACE))
    commit_release(folder, {("archs", SPACE, None): table}, "0.1.0")


def said(code: str, cache: Path, *arguments: str) -> list[float]:
    """The printed numbers of a fresh process."""
    command = [sys.executable, "-c", code, *arguments]
    environment = os.environ | {"NBZERO_CACHE": str(cache)}
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return [float(word) for word in ran.stdout.split()]


def main() -> None:
    for millions in [float(word) for word in sys.argv[1:]] or [1.0]:
        num = int(millions * 1_000_000)
        with tempfile.TemporaryDirectory() as folder:
            release, cache = Path(folder) / "release", Path(folder) / "cache"
            subprocess.run(
                [sys.executable, "-m", "tests.bench.opening", "--make", str(release), str(num)], check=True
            )
            first = said(COLD, cache, str(release), ASKED)
            later = min(said(COLD, cache, str(release), ASKED) for _ in range(3))
            plain = said(PLAIN, cache, str(release / f"archs/{SPACE}.parquet"), ASKED)
            assert first[3] == later[3] == 0
            print(
                f"{num:,} archs: first time on a machine {first[0]:.2f} s, then {later[0]:.3f} s, "
                f"{later[2]:.0f} MB, a further query {later[1] * 1000:.2f} us; "
                f"a dict of the names {plain[0]:.2f} s, {plain[1]:,.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        made_release(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
