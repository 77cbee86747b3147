"""The whole way in two minutes: python -m builders.demo [--images PATH] [--out demo]

Queries the release that ships with nbzero. Then it trains four r1-mini networks, scores them, merges both to
a release of its own, verifies it and queries it. Each is done by the command that a user would type. The
images are CIFAR-10 where they are found (--images or NBZERO_IMAGES), else the 1,797 handwritten digits that
scikit-learn carries.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from builders.work.command import parser_of, say_errors
from builders.work.local import all_devices
from nbzero import Bench
from nbzero.errors import NBZeroError
from nbzero.images.sources import find_source, read_official
from nbzero.proxies.facts import PROXIES
from train import bfloat16
from train.recipe import recipe

SPACE, RECIPE, NUM_ARCHS = "r1-mini", "cpu-16px-4", 4


def found_images(given: str | None) -> tuple[str, list[str]]:
    """The data set to train on and the arguments that name its place.

    Raises:
        ImagesError: `given` does not hold CIFAR-10.
    """
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


def show_embedded() -> None:
    """What the release that ships with nbzero says of one arch."""
    bench = Bench()
    record = bench.query((SPACE, 0))
    accuracy = record.accuracy("cifar10", recipe=RECIPE)
    print(bench)
    print(record)
    print(f"  {len(bench.space('r1')):,} archs of r1; this one on cifar10:")
    print(f"  val accuracy {accuracy}, synflow {record.score('synflow', 'cifar10')}")


def make_release(out: Path, dataset: str, images: list[str]) -> Path:
    """Train and score the archs and merge both; the folder of the release."""
    shards, release = out / "shards", out / "release"
    for old in (shards, release):
        if old.exists():
            shutil.rmtree(old)
    which = ["--space", SPACE, "--dataset", dataset, "--archs", str(NUM_ARCHS), *images, "--out", str(shards)]
    # Without a base: else there would be nothing to train that the shipped release has.
    run("builders.train_shard", *which, "--recipe", RECIPE, "--base", "none")
    run("builders.score_shard", *which, "--base", "none")
    run("builders.merge_shards", str(shards), "--out", str(release), "--base", "none")
    run("builders.verify", str(release))
    return release


def show_made(release: Path, dataset: str) -> None:
    """What a release says of the archs of which it has results."""
    made = Bench(release)
    print(f"\n{made}")
    for arch_id in range(NUM_ARCHS):
        record = made.query((SPACE, arch_id))
        said = []
        accuracy = record.accuracy(dataset)
        if accuracy is not None:
            said.append(f"val accuracy {accuracy:.4f}")
        scores = {name: record.score(name, dataset) for name in PROXIES}
        said.append(", ".join(f"{name} {score:.4g}" for name, score in scores.items() if score is not None))
        print(f"  {record.arch}: {'; '.join(said)}")


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--images", default=None, help="folder with CIFAR-10")
    parser.add_argument(
        "--out", default="demo", help="folder for shards and release; those of an earlier demo are replaced"
    )
    given = parser.parse_args(argv)

    show_embedded()
    dataset, images = found_images(given.images)
    said = f"\nTraining {NUM_ARCHS} networks of {SPACE} on {dataset}"
    if not images:
        said += " (name CIFAR-10 by --images or NBZERO_IMAGES)"
    print(said)
    bfloat16.say(SPACE, recipe(RECIPE), all_devices(None, "auto")[0])
    release = make_release(Path(given.out), dataset, images)
    show_made(release, dataset)


if __name__ == "__main__":
    sys.exit(main())
