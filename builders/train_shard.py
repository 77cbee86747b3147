"""Train one shard of a space: python -m builders.train_shard --space r1 --dataset cifar10 --recipe gpu-12 --shard 3/40 --out DIR

Trains `--archs` of the build order (a count, or FIRST:LAST) with every one of `--seeds`, shard by shard, one process per core or card. It may
be stopped at any moment, also by kill -9: the same command goes on where it was. A rerun with more archs or seeds adds to what is there.
`python -m builders.merge_shards` makes a release of the output. Submit one command per shard as a Slurm array job.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from builders.shards import (
    Compute,
    Job,
    Row,
    Unit,
    all_devices,
    builder_commit,
    default_format,
    device_name,
    parse_range,
    parse_shard,
    planned_units,
    run_job,
    say_errors,
    software,
)
from nbzero.errors import UsageError, count_of
from nbzero.images.facts import dataset
from nbzero.images.sources import find_source
from nbzero.images.tensors import load
from nbzero.spaces.macro import space
from train import loop
from train.recipe import RECIPES, recipe


def start(device: str, settings: dict[str, str | None]) -> Compute:
    """Load the images once; the function returned trains one unit and gives its row but for the key."""
    chosen = recipe(str(settings["recipe"]))
    data = load(str(settings["dataset"]), settings["images"], chosen.resolution, chosen.train_images)
    data = data.to(device)
    fixed = {
        "device": device_name(device),
        "engine": settings["engine"],
        "software": software(),
        "builder_commit": settings["builder_commit"],
    }

    def train(unit: Unit, there: Row | None) -> Row:
        _, arch, seed = unit
        result = loop.train(arch, data, chosen, seed, device)
        measured = {
            name: getattr(result, name)
            for name in ("status", "val_acc", "test_acc", "train_loss", "train_time_s")
        }
        return measured | {"curve": list(result.curve)} | fixed

    return train


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """What the jobs that work through archs have in common."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", required=True, help="for instance r1-mini")
    parser.add_argument("--dataset", required=True, help="cifar10, cifar100, imagenet16-120 or digits")
    parser.add_argument("--out", required=True, help="folder or fsspec URL that the shard files go to")
    parser.add_argument(
        "--archs", default=None, help="how many of the build order, or FIRST:LAST; default: the whole space"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="whole numbers from 0")
    parser.add_argument("--shard", default="0/1", help="like 3/40: this is number 3, counted from 0, of 40")
    parser.add_argument(
        "--images", default=None, help="folder or file with the images; default: NBZERO_IMAGES"
    )
    parser.add_argument(
        "--device", default="auto", help="auto (every card, else every core), cpu, cuda or cuda:N"
    )
    parser.add_argument("--workers", type=int, default=None, help="processes; default: one per core or card")
    parser.add_argument(
        "--format", choices=("parquet", "h5"), default=default_format(), help="of the finished shard"
    )
    parser.add_argument(
        "--engine",
        choices=("local",),
        default="local",
        help="local: the processors and cards of this machine",
    )
    return parser


def job_of(
    given: argparse.Namespace,
    table: str,
    key: str,
    start_worker: Callable[..., Compute],
    **settings: object,
) -> Job:
    """The Job that the arguments describe; every name is checked before anything is computed."""
    chosen = space(given.space)
    dataset(given.dataset)
    source = find_source(given.dataset, given.images)
    members = chosen.members
    seeds = sorted(set(given.seeds))
    if seeds[0] < 0:
        raise UsageError(f"seed {seeds[0]}; seeds are whole numbers from 0")
    shard, num_shards = parse_shard(given.shard)
    archs = parse_range(given.archs) if given.archs else range(len(members))
    named = getattr(given, key)
    common = {
        key: named,
        "dataset": given.dataset,
        "images": str(source) if source else None,
        "builder_commit": builder_commit(),
    }
    return Job(
        table=table,  # type: ignore[arg-type]
        name=f"{table}-{chosen.name}-{given.dataset}-{named}",
        space=chosen.name,
        dataset=given.dataset,
        units=planned_units(members, archs, seeds, shard, num_shards),
        shard=shard,
        num_shards=num_shards,
        start=start_worker,
        settings=common | settings,
        same_key={key: named},
    )


def said_where(out: str, name: str) -> str:
    """A file of the output folder, as the user would name it."""
    return f"{out.rstrip('/')}/{name}"


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--recipe", required=True, help=", ".join(RECIPES))
    given = parser.parse_args(argv)
    given.seeds = given.seeds or [0]
    recipe(given.recipe)
    job = job_of(given, "runs", "recipe", start, engine=given.engine)
    finished = run_job(job, given.out, all_devices(given.workers, given.device), given.format)
    print(f"{said_where(given.out, finished)}: {count_of(len(job.units), 'run')} of {job.space}")


if __name__ == "__main__":
    sys.exit(main())
