"""Train one shard of a space.

    python -m builders.train_shard --space r1 --dataset cifar10 --recipe gpu-12 --shard 3/40 --out DIR

Trains `--archs` of the build order (a count, or FIRST:LAST) with every one of `--seeds`, shard by shard, one
process per core or card. On a card several networks train side by side. Runs that the release in --base has
are left out. It is the one that ships with nbzero unless another is named; `--base none` trains all.

The job may be stopped at any moment, also by kill -9: the same command goes on where it was. With
--time-limit it ends in time by itself. On SIGTERM, SIGHUP or SIGUSR1 it finishes what runs, writes its file
and ends. A rerun with more archs or seeds adds to what is there. `python -m builders.merge_shards` makes a
release of the output. `builders/slurm_array.sh` is the job as a Slurm array.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Any

from builders.work.base import opened_base, without_runs_there
from builders.work.command import (
    ENGINES,
    arguments,
    deadline_of,
    end,
    job_of,
    pace_of,
    say_errors,
)
from builders.work.job import Compute, run_job
from builders.work.limit import Deadline
from builders.work.local import all_devices
from builders.work.origin import device_name, said_together, software
from builders.work.rates import training_cost
from builders.work.rows import Row
from builders.work.units import Unit
from nbzero.errors import UsageError, whole
from nbzero.images.tensors import load
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED
from train import bfloat16, loop
from train.engine import MOST_TOGETHER, Engine
from train.recipe import RECIPES, recipe

ON_A_CARD = 8  # networks together, unless told
CONNECTIONS = "CUDA_DEVICE_MAX_CONNECTIONS"  # queues of work for a card; CUDA's own 8 are fewer than streams


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Load the images once; the function returned trains one unit and gives its row but for the key."""
    os.environ.setdefault(CONNECTIONS, "32")
    chosen = recipe(settings["recipe"])
    data = load(settings["dataset"], settings["images"], chosen.resolution, chosen.train_images)
    data = data.to(device)
    together = settings["together"]
    side_by_side = None
    if together > 1:
        side_by_side = Engine(data, chosen, device, together)
    made_by = {
        "device": device_name(device),
        "software": software(),
        "builder_commit": settings["builder_commit"],
    }

    def train(unit: Unit, there: Row | None) -> Row:
        _, arch, seed = unit
        if side_by_side is None:
            result = loop.train(arch, data, chosen, seed, device)
        else:
            result = side_by_side.train(arch, seed)
        measured = {
            "status": result.status,
            "val_acc": result.val_acc,
            "test_acc": result.test_acc,
            "train_loss": result.train_loss,
            "train_time_s": result.train_time_s,
            "curve": list(result.curve),
            "engine": _said(settings["engine"], side_by_side),
        }
        return measured | made_by

    return train


def _said(engine: str, side_by_side: Engine | None) -> str:
    """What a row's `engine` says."""
    if side_by_side is None:
        return engine
    return said_together(engine, side_by_side.places.most, side_by_side.graphs)


def _together(given: argparse.Namespace) -> int:
    """How many networks a worker trains at a time.

    Raises:
        UsageError: a number that is not 1 to MOST_TOGETHER, or one for another engine.
    """
    if given.together is not None and given.engine != "local":
        what = "it goes with --engine local; a card is shared out by --gpus-per-worker"
        raise UsageError(f"--together {given.together} is given with --engine {given.engine}; {what}")
    if given.together is not None:
        return whole("together", given.together, 1, MOST_TOGETHER)
    if given.engine != "local" or all_devices(None, given.device)[0] == "cpu":
        return 1
    return ON_A_CARD


@say_errors
def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--recipe", required=True, help=", ".join(RECIPES))
    parser.add_argument(
        "--together",
        type=int,
        default=None,
        help=f"networks that a worker trains side by side; default: {ON_A_CARD} on a card, 1 on a CPU",
    )
    given = parser.parse_args(argv)
    given.seeds = given.seeds or [0]
    deadline = deadline_of(given)
    with deadline.heeding_signals():
        return _train(given, deadline)


def _train(given: argparse.Namespace, deadline: Deadline) -> int:
    if given.space in IMPORTED:
        raise UsageError(
            f"{given.space} is a published benchmark, whose accuracies are imported (builders.import_bench) "
            f"and not trained; spaces that are trained: {', '.join(CHOICES)}"
        )
    chosen = recipe(given.recipe)
    together = _together(given)
    stands_for = dataclasses.asdict(chosen)
    job = job_of(given, "runs", "recipe", start, stands_for, engine=given.engine, together=together)
    job = dataclasses.replace(job, together=together)
    job = without_runs_there(job, opened_base(given.base))
    if not job.units:
        return 0
    if given.engine == "local":
        bfloat16.say(job.space, chosen, all_devices(job.workers, job.device)[0])
    deadline.pace = pace_of(given, training_cost(job.space, job.dataset, chosen), together)
    finished = run_job(job, given.out, ENGINES[given.engine], given.format, deadline=deadline)
    deadline.pace.keep()
    return end(given, job, deadline, finished, "run")


if __name__ == "__main__":
    sys.exit(main())
