"""Try what `make dist` built: python -m builders.check_dist dist [--python python3.12 python3.13]

sdist           has every file of the checkout that git knows, but for hidden ones.
wheel           in a fresh environment of each Python it answers as the checkout does, without network.
CITATION.cff    is what cffconvert, in an environment of its own, calls valid.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from builders.work.command import parser_of, say_errors
from nbzero import Bench, __version__
from nbzero.errors import ReleaseError, UsageError

ROOT = Path(__file__).resolve().parents[1]
ARCH = "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2"
ASK = f"""
import json, socket, sys

def refuse(*_):
    raise OSError("no network here")

socket.socket = socket.create_connection = refuse
from nbzero import Bench, __version__
record = Bench().query("{ARCH}")
score = record.score("synflow", "cifar10")
print(json.dumps([__version__, Bench().version, record.macs, record.accuracy("cifar10"), score]))
"""


def the_only(folder: Path, pattern: str) -> Path:
    """The file in `folder` that a pattern names; UsageError for none or several."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise UsageError(f"{folder} has {there} of {pattern}, one is needed; run make dist")
    return found[0]


def left_out(sdist: Path, listed: Sequence[str]) -> list[str]:
    """The files of a list that an sdist lacks; those whose path has a hidden part may be left out."""
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    return [name for name in listed if name not in there and not any(p[0] == "." for p in name.split("/"))]


def answers(python: str, wheel: Path, folder: Path) -> list[object]:
    """What the wheel says in a fresh environment of one Python; ReleaseError with what went wrong."""
    made = environment(python, folder, str(wheel))
    return list(json.loads(_run([str(made), "-I", "-c", ASK], folder)))


def environment(python: str, folder: Path, package: str) -> Path:
    """The Python of a new environment that has a package installed."""
    _run([python, "-m", "venv", str(folder / "venv")], folder)
    made = folder / "venv/bin/python"
    _run([str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package], folder)
    return made


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("folder", type=Path, help="where the sdist and the wheel are")
    parser.add_argument(
        "--python", nargs="+", default=[sys.executable], help="the Pythons to try; default: this"
    )
    given = parser.parse_args(argv)
    sdist, wheel = (the_only(given.folder, pattern).resolve() for pattern in ("*.tar.gz", "*.whl"))
    missing = left_out(sdist, _run(["git", "ls-files"], ROOT).splitlines())
    if missing:
        raise ReleaseError(f"{sdist.name} lacks {', '.join(missing)}; name them in MANIFEST.in")
    record = Bench(ROOT / "data").query(ARCH)
    accuracy, score = record.accuracy("cifar10"), record.score("synflow", "cifar10")
    wanted = [__version__, Bench(ROOT / "data").version, record.macs, accuracy, score]
    for python in given.python:
        with tempfile.TemporaryDirectory() as folder:
            said = answers(python, wheel, Path(folder))
        if said != wanted:
            raise ReleaseError(
                f"{wheel.name} under {python} says {said}, the checkout {wanted}; build it anew"
            )
        print(f"{wheel.name}: installed by {python}, it answers as the checkout does")
    with tempfile.TemporaryDirectory() as folder:
        made = environment(sys.executable, Path(folder), "cffconvert==2.0.0")
        print(_run([str(made.with_name("cffconvert")), "--validate", "-i", str(ROOT / "CITATION.cff")], ROOT))


if __name__ == "__main__":
    sys.exit(main())
