"""The whole way in two minutes: python -m builders.demo [--images PATH] [--out demo]

Queries the release that ships with nbzero; then trains four r1-mini networks, scores them, merges both to a release of its own, verifies it and
queries it, each by the command that a user would type. The images are CIFAR-10 where they are found (--images or NBZERO_IMAGES), else the 1,797
handwritten digits that scikit-learn carries.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from builders.shards import say_errors
from nbzero import Bench
from nbzero.errors import NBZeroError
from nbzero.images.sources import find_source, read_official
from nbzero.proxies.facts import PROXIES

SPACE, RECIPE, NUM_ARCHS = "r1-mini", "cpu-16px-4", 4


def found_images(given: str | None) -> tuple[str, list[str]]:
    """The data set to train on and the arguments that name its place; ImagesError where `given` does not hold CIFAR-10."""
    source = find_source("cifar10", given)
    if source is None:
        return "digits", []
    read_official("cifar10", source)
    return "cifar10", ["--images", str(source)]


def run(*command: str) -> None:
    """Run one of our jobs as its own process, showing the command; NBZeroError where it fails."""
    print(f"\n$ python -m {shlex.join(command)}", flush=True)
    if subprocess.run([sys.executable, "-m", *command], check=False).returncode:
        raise NBZeroError(f"python -m {command[0]} failed; what it says is above")


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", default=None, help="folder with CIFAR-10")
    parser.add_argument(
        "--out", default="demo", help="folder for shards and release; those of an earlier demo are replaced"
    )
    given = parser.parse_args(argv)

    bench = Bench()
    print(bench)
    record = bench.query((SPACE, 0))
    print(f"{record!r}\n  {len(bench.space('r1')):,} archs of r1; this one on cifar10:")
    print(
        f"  val accuracy {record.accuracy('cifar10', recipe=RECIPE)}, synflow {record.score('synflow', 'cifar10')}"
    )

    dataset, images = found_images(given.images)
    print(
        f"\nTraining {NUM_ARCHS} networks of {SPACE} on {dataset}"
        + ("" if images else " (name CIFAR-10 by --images or NBZERO_IMAGES)")
    )
    shards, release = Path(given.out) / "shards", Path(given.out) / "release"
    for old in (shards, release):
        if old.exists():
            shutil.rmtree(old)
    which = ["--space", SPACE, "--dataset", dataset, "--archs", str(NUM_ARCHS), *images, "--out", str(shards)]
    run("builders.train_shard", *which, "--recipe", RECIPE)
    run("builders.score_shard", *which)
    run("builders.merge_shards", str(shards), "--out", str(release))
    run("builders.verify", str(release))

    made = Bench(release)
    print(f"\n{made}")
    for arch_id in range(NUM_ARCHS):
        record = made.query((SPACE, arch_id))
        accuracy = record.accuracy(dataset)
        said = ", ".join(
            f"{name} {record.score(name, dataset):.4g}"
            for name in PROXIES
            if record.score(name, dataset) is not None
        )
        print(
            f"  {record.arch}: val accuracy {accuracy:.4f}; {said}"
            if accuracy is not None
            else f"  {record.arch}: {said}"
        )


if __name__ == "__main__":
    sys.exit(main())
