"""The command lines of the jobs: what those that work through archs have in common, and how a job ends."""

from __future__ import annotations

import argparse
import contextlib
import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from builders.work import local, on_ray
from builders.work.base import NO_BASE, members_of_space
from builders.work.job import Compute, Engine, Job
from builders.work.limit import Deadline, Ended, Pace, parse_seconds
from builders.work.origin import builder_commit, device_name
from builders.work.rates import Cost, known
from builders.work.rows import default_format
from builders.work.units import parse_range, parse_shard, planned_units
from nbzero.errors import NBZeroError, UsageError, check_known, count_of, whole
from nbzero.images.sources import find_source
from nbzero.networks.published import OF_TOKENS
from nbzero.proxies.workers import ASKING
from nbzero.release.schema import TABLES, Table, column, value_fault
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED, in_sample_order, sample_order
from nbzero.text import printable

ENGINES: dict[str, Engine] = {"local": local.engine, "ray": on_ray.engine}


def say_errors(main: Callable[[Sequence[str] | None], int | None]) -> Callable[..., int]:
    """A job's `main` that returns an exit status.

    0     done, or ended early as it was told to (`builders.work.limit`); or another that `main` returned
    2     an error, which it prints: what was given, what to do
    130   Ctrl-C; 143, 129 and 138 for SIGTERM, SIGHUP and SIGUSR1 where they end it as Ctrl-C does
    """

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            with _ended_by_signals():
                status = main(argv)
        except NBZeroError as error:
            print(f"error: {printable(str(error))}", file=sys.stderr)
            return 2
        except KeyboardInterrupt as error:
            print("interrupted; run the same command again to go on from here", file=sys.stderr)
            return 128 + (error.number if isinstance(error, Ended) else signal.SIGINT)
        return status or 0

    return wrapped


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """These signals raise `Ended`; without it they would end the job and not its workers."""

    def end(number: int, frame: object) -> None:
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    before = {}
    for number in ASKING:
        # One that is ignored stays so: that is what nohup is for.
        if signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help begins with a job's docstring, line by line."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def shared_arguments(parser: argparse.ArgumentParser) -> None:
    """What all jobs that work through archs have in common."""
    parser.add_argument("--space", required=True, help="for instance r1-mini")
    parser.add_argument("--out", required=True, help="folder or fsspec URL that the shard files go to")
    parser.add_argument(
        "--archs", default=None, help="how many of the build order, or FIRST:LAST; default: the whole space"
    )
    parser.add_argument(
        "--base",
        default=None,
        help="release whose rows are left out: folder or URL; default: the one that ships with nbzero; "
        f"{NO_BASE}: compute all",
    )
    parser.add_argument(
        "--format", choices=("parquet", "h5"), default=default_format(), help="of the finished shard"
    )
    parser.add_argument(
        "--time-limit",
        default=None,
        help="like 9m, 90s or 1h30m: nothing is begun that is not expected to end in time",
    )
    parser.add_argument(
        "--unfinished-status",
        type=int,
        choices=range(126),
        metavar="STATUS",
        default=0,
        help="exit status where a time limit or a signal left units to do; default: 0",
    )


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """What the jobs have in common that train or score networks on images."""
    parser = parser_of(doc)
    shared_arguments(parser)
    parser.add_argument("--dataset", required=True, help="cifar10, cifar100, imagenet16-120 or digits")
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
        "--engine",
        choices=tuple(ENGINES),
        default="local",
        help="local: the processors and cards of this machine; ray: those of a Ray cluster",
    )
    parser.add_argument(
        "--address",
        default=None,
        help="of a Ray cluster: HOST:PORT of its head, auto or local; default: RAY_ADDRESS, else local",
    )
    parser.add_argument(
        "--gpus-per-worker", type=float, default=None, help="part of a card, like 0.25, with --engine ray"
    )
    return parser


def deadline_of(given: argparse.Namespace) -> Deadline:
    """The time limit of the arguments, from now on."""
    return Deadline(None if given.time_limit is None else parse_seconds(given.time_limit))


def pace_of(given: argparse.Namespace, cost: Cost, together: int = 1) -> Pace:
    """How long units of a job take, by what is known of its device.

    Args:
        together: units that a worker computes at a time.

    Raises:
        UsageError: a device that this machine does not have.
    """
    if given.engine != "local":  # it may compute elsewhere
        return Pace(cost, together=together)
    first = local.all_devices(given.workers, given.device)[0]
    return Pace(cost, known(cost.key(device_name(first))), together)


def end(given: argparse.Namespace, job: Job, deadline: Deadline, finished: str, what: str) -> int:
    """Print the last line of a job: how far it came and, where a deadline ended it, how to go on.

    Args:
        finished: the name of its file; "" where there is none.
        what: a unit, in words.

    Returns:
        The job's exit status.
    """
    place = f"{said_where(given.out, finished)}: " if finished else ""
    total = len(set(job.units))
    if not deadline.not_begun:
        print(f"{place}{count_of(total, what)} of {job.space}")
        return 0
    there = total - deadline.not_begun
    came = f"{place}{there:,} of {count_of(total, what)} of {job.space}"
    go_on = "run the same command again to go on"
    if deadline.has_begun:
        print(f"{came}; no more was begun ({deadline.why}); {go_on}")
    else:
        print(f"{came}; nothing was begun ({deadline.why}); {go_on}, with more time")
    return int(given.unfinished_status)


def job_of(
    given: argparse.Namespace,
    table: Table,
    key: str,
    start: Callable[..., Compute],
    stands_for: Mapping[str, object] | None = None,
    **settings: object,
) -> Job:
    """The Job that the arguments describe; every name is checked before anything is computed.

    Args:
        given: what `arguments` parsed, with seeds.
        table: the table of its rows.
        key: the column that all its rows share, and the argument that says its value: "recipe" or "protocol".
        start, stands_for, settings: as in `Job`; the settings get the data set, its images, and the commit.
    """
    check_out(given.out)
    _check_cluster(given)
    members = members_of(given.space, getattr(given, "members", None))
    if given.space in OF_TOKENS:
        check_known("dataset", [given.dataset], OF_TOKENS[given.space])
        source = None
    else:
        source = find_source(given.dataset, given.images)  # raises for no data set
    seeds = sorted(set(given.seeds))
    for seed in seeds:
        whole("seed", seed, most=int(column(table, "seed").bounds[1]))
    shard, num_shards = parse_shard(given.shard)
    archs = parse_range(given.archs) if given.archs else range(len(members))
    same_key = {key: getattr(given, key)}
    common = {
        "dataset": given.dataset,
        "images": str(source.absolute()) if source else None,  # a worker may run in another folder
        "builder_commit": builder_commit(),
    }
    check_values(table, {"space": given.space, **same_key, **common, **settings})
    return Job(
        table=table,
        name=f"{table}-{given.space}-{given.dataset}-{same_key[key]}",
        space=given.space,
        dataset=given.dataset,
        units=planned_units(members, archs, seeds, shard, num_shards, ids_of(given.space, members)),
        shard=shard,
        num_shards=num_shards,
        start=start,
        settings={**same_key, **common, **settings},
        same_key=same_key,
        device=given.device,
        workers=given.workers,
        stands_for=stands_for or {},
        address=given.address,
        gpus_per_worker=given.gpus_per_worker,
    )


def check_out(out: str) -> None:
    """UsageError for an output that is neither a folder nor a plain URL."""
    if "::" in out or ("://" in out and "?" in out):
        what = "a folder, or a URL like s3://bucket/folder, without '::' and '?'"
        raise UsageError(f"--out {out}; it is {what}")


def members_of(name: str, file: str | None) -> Sequence[str]:
    """The archs that a job can be of, in order: the build order, of a published space that of its sample.

    Args:
        file: with an arch of a published space in every line, for those that no definition enumerates.

    Raises:
        UnknownNameError: no such space.
        UsageError: a space of ours with a file, one that needs a file and has none, or a line that is no
            arch of it.
    """
    check_known("space", [name], (*CHOICES, *IMPORTED))
    if file is None:
        return members_of_space(name) if name in CHOICES else sample_order(name)
    if name in CHOICES:
        raise UsageError(
            f"--members {file} with --space {name}, whose members are fixed; leave --members out"
        )
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--members {file}: {error}; it is a text file, an arch of {name} a line") from error
    archs = [line.strip() for line in lines if line.strip()]
    for arch in archs:
        IMPORTED[name].parse(arch)
    if not archs:
        raise UsageError(f"--members {file} has no line; it is a text file, an arch of {name} a line")
    return in_sample_order(name, archs)


def ids_of(name: str, members: Sequence[str]) -> Sequence[int]:
    """arch_id of what `members_of` gave: its place among all archs that a definition enumerates."""
    if name in CHOICES or IMPORTED[name].every is None:
        return range(len(members))
    places = {arch: place for place, arch in enumerate(sample_order(name))}
    return [places[arch] for arch in members]


def _check_cluster(given: argparse.Namespace) -> None:
    """UsageError for options of a cluster where another engine was chosen."""
    options = {"--address": given.address, "--gpus-per-worker": given.gpus_per_worker}
    for option, value in options.items():
        if value is not None and given.engine != "ray":
            raise UsageError(
                f"{option} {value} is given with --engine {given.engine}; it goes with --engine ray"
            )


def check_values(table: Table, values: Mapping[str, object]) -> None:
    """UsageError where the table of a job's rows cannot hold what they all are to say."""
    for held in TABLES[table]:
        fault = value_fault(held, values[held.name]) if held.name in values else None
        if fault:
            raise UsageError(f"{held.name}: {fault}")


def said_where(out: str, name: str) -> str:
    """A file of the output folder, as the user would name it."""
    return f"{out.rstrip('/')}/{name}"
