"""How fast the surrogate answers, on one core: python -m tests.bench.surrogate"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core, before numpy is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import itertools
import time
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from nbzero import Arch, Bench
from nbzero.spaces.points import points_of

NUM = 100_000


def grid_archs(arch: str, num: int) -> list[Arch]:
    """So many different grid archs: one, then its edits, then their edits, and so on."""
    found: dict[Arch, None] = {Arch.parse(arch): None}
    for one in found.copy():
        found |= dict.fromkeys(one.edits())
    while len(found) < num:
        for one in list(found):
            found |= dict.fromkeys(one.edits())
            if len(found) >= num:
                break
    return list(itertools.islice(found, num))


def rate(work: Callable[[], Any], num: int) -> float:
    """Archs a second of processor time, which others on the machine hardly change; the best of five."""
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        work()
        best = max(best, num / (time.process_time() - start))
    return best


def main() -> None:
    bench = Bench()
    start = time.perf_counter()
    surrogate = bench.surrogate("r1-mini", "cifar10")
    print(f"b.surrogate, the first time           {(time.perf_counter() - start) * 1e3:.1f} ms: {surrogate}")
    space = bench.space("r1-mini")
    archs = grid_archs(space[0], NUM)
    texts = list(map(str, archs))
    vectors = np.array([space.encode(arch) for arch in archs])
    for name, given in (("strings", texts), ("Arch", archs), ("encoded", vectors)):
        read = rate(lambda given=given: points_of("r1-mini", given), NUM)
        whole = rate(lambda given=given: surrogate.predict(given), NUM)
        print(
            f"predict {NUM:,} grid archs, {name:8}   {whole:,.0f} a second (target 100,000), {read:,.0f} read"
        )
    num, draws = len(space), 1000
    seconds = num / rate(lambda: surrogate.draws(space.members, draws, seed=0), num)
    print(f"{draws} joint draws of {num} archs         {seconds:.2f} s")
    record = bench.query(("r1-mini", 5))
    best = min(timeit.repeat(lambda: record.predicted("cifar10"), number=20_000, repeat=7)) / 20_000
    print(f"record.predicted(dataset)             {best * 1e6:.2f} us")


if __name__ == "__main__":
    main()
