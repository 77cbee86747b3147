"""The options that commands share, by the name of their parameter, and the decorators that make commands.

    @command("space", "dataset")
    def name(call, space, dataset, own: Annotated[..] = ..) -> Answer

    @judging("cost", "joint", "spacing")
    def mbr(call, pool, intervals, cost, joint, spacing) -> Answer

`command` gives a function the options named, then its own. `judging` does so for what judges a pool: it adds
the options that choose the pool and the intervals, and hands both over made.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from nbzero.bench import Bench
from nbzero.cli.frame import Answer, Call, add_command
from nbzero.errors import NBZeroError, UsageError
from nbzero.proxies.facts import PROXIES
from nbzero.release.latencies import LATENCY
from nbzero.release.opened import COSTS, Accuracy, Kind, Split
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    from nbzero.judge.pool import Pool

MANY = 40  # completions shown of a space
Complete = Callable[..., list[str]]


# Completion: names from the release that the line names


def _completing(ctx: typer.Context) -> Bench | None:
    """The release of the line being completed.

    None where it cannot be read, because a shell has no place for an error while it completes.
    """
    given = ctx.params.get("release") or ctx.find_root().params.get("release")
    try:
        return Bench(given or os.environ.get("NBZERO_RELEASE") or None)
    except NBZeroError:
        return None


def of_release(listed: Callable[[Bench, typer.Context], Iterable[str]]) -> Complete:
    """Completes names that a release has."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        bench = _completing(ctx)
        if bench is None:
            return []
        try:
            return [name for name in listed(bench, ctx) if name.startswith(incomplete)]
        except NBZeroError:  # another space than there is, or a file that is damaged: nothing to complete
            return []

    return complete


def spaces_there(bench: Bench, ctx: typer.Context) -> Sequence[str]:
    return bench.spaces


def _spaces_meant(bench: Bench, ctx: typer.Context) -> Sequence[str]:
    """The space or spaces that the line names, else all."""
    named = ctx.params.get("space")
    if not named:
        return bench.spaces
    return [named] if isinstance(named, str) else list(named)


def _datasets(bench: Bench, ctx: typer.Context) -> list[str]:
    found: dict[str, None] = {}
    for space in _spaces_meant(bench, ctx):
        found |= dict.fromkeys(bench.datasets(space))
    return list(found)


def _settings(kind: Kind) -> Callable[[Bench, typer.Context], list[str]]:
    """Lists recipes or protocols."""

    def listed(bench: Bench, ctx: typer.Context) -> list[str]:
        found: dict[str, None] = {}
        for space in _spaces_meant(bench, ctx):
            opened = bench.release.space(space)
            for dataset in opened.datasets():
                found |= dict.fromkeys(opened.named(kind, dataset))
        return list(found)

    return listed


def archs_there(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes arch strings."""
    bench = _completing(ctx)
    if bench is None:
        return []
    found: list[str] = []
    for name in bench.spaces:
        could_be = incomplete.startswith(name) or name.startswith(incomplete) or name in IMPORTED
        if could_be:
            found += [arch for arch in bench.space(name) if arch.startswith(incomplete)][:MANY]
    return found


def words(*names: str) -> Complete:
    """Completes fixed names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def in_list(names: Iterable[str]) -> Complete:
    """Completes the last name of a list with commas."""
    known = tuple(names)

    def complete(incomplete: str) -> list[str]:
        head, comma, last = incomplete.rpartition(",")
        return [head + comma + name for name in known if name.startswith(last)]

    return complete


# What the text of an option means


def seed_of(given: str) -> Any:
    """A seed's text as a number or "mean"."""
    if given == "mean":
        return given
    if not given.isdecimal():
        raise typer.BadParameter(f"{given!r}; it is a whole number from 0, or mean")
    return int(given)


def seed_or_all(given: str) -> Any:
    """A seed's text as a number, "mean" or "all"."""
    return given if given == "all" else seed_of(given)


def names_of(given: list[str] | None) -> list[str] | None:
    """The names of a list option, which may be repeated and hold commas; None where it was not given."""
    if not given:
        return None
    names = []
    for part in given:
        names += [name.strip() for name in part.split(",") if name.strip()]
    if not names:
        listed = ", ".join(map(repr, given))
        raise UsageError(
            f"{listed} names nothing; give names with commas between them, or leave the option out"
        )
    return names


def budgets_of(given: str) -> Any:
    """A number of budgets, or limits."""
    try:
        return int(given) if given.isdecimal() else [float(part) for part in given.split(",")]
    except ValueError:
        allowed = "a number of limits (5) or limits (1e7,2e7)"
        raise UsageError(f"budgets {given!r}; it is {allowed}") from None


def joint_of(given: str) -> Any:
    """The same, or limits by cost."""
    if "=" not in given:
        try:
            return budgets_of(given)
        except UsageError as error:
            raise UsageError(f"{error}, or one limit on several costs (macs=1e8,params=1e6)") from None
    limits: dict[str, float] = {}
    for part in given.split(","):
        name, _, limit = part.partition("=")
        try:
            number = float(limit)
        except ValueError:
            number = float("nan")
        if name.strip() in limits or number != number:
            joint = "one limit on several costs (macs=1e8,params=1e6)"
            allowed = f"a number of limits (5) or limits (1e7,2e7), or {joint}"
            raise UsageError(f"budgets {given!r}; it is {allowed}")
        limits[name.strip()] = number
    return limits


# The options, by parameter name


class Option(NamedTuple):
    """One option: its annotation as typer reads it, its default, and what its text means."""

    annotation: Any
    default: Any = inspect.Parameter.empty
    read: Callable[[Any], Any] | None = None


def _list_option(*names: str, help: str, complete: Complete) -> Option:
    option = typer.Option(*names, metavar="A,B", help=help, autocompletion=complete)
    return Option(Annotated[list[str] | None, option], None, names_of)


def _named_option(name: str, *short: str, help: str, complete: Complete) -> Option:
    option = typer.Option(name, *short, metavar="NAME", help=help, autocompletion=complete)
    return Option(Annotated[str | None, option], None)


def _budgets_option(metavar: str, help: str, read: Callable[[str], Any]) -> Option:
    option = typer.Option("--budgets", "-b", metavar=metavar, help=help)
    return Option(Annotated[str, option], "5", read)


def _seed_option(name: str, help: str) -> Option:
    return Option(Annotated[Any, typer.Option(name, metavar="N|mean", parser=seed_of, help=help)], None)


OPTIONS: dict[str, Option] = {
    "space": Option(
        Annotated[
            str,
            typer.Argument(help="Search space: see nbzero info.", autocompletion=of_release(spaces_there)),
        ]
    ),
    "dataset": _named_option(
        "--dataset",
        "-d",
        help="Data set. Default: the only one; in r1 to mb-mini cifar10.",
        complete=of_release(_datasets),
    ),
    "recipe": _named_option(
        "--recipe",
        help="Training recipe. Default: the only one; in r1 to mb-mini cpu-16px-4.",
        complete=of_release(_settings("runs")),
    ),
    "protocol": _named_option(
        "--protocol",
        help="Scoring protocol. Default: the space's standard one.",
        complete=of_release(_settings("scores")),
    ),
    "seed": _seed_option("--seed", "Of runs and scores: a number, or mean. Default: 0."),
    "score_seed": _seed_option("--score-seed", "Of the scores. Default: that of the runs, else 0."),
    "split": Option(
        Annotated[Split, typer.Option("--split", help="val, or test for the final judgement only.")], "val"
    ),
    "accuracy": Option(
        Annotated[
            Accuracy,
            typer.Option(
                "--accuracy", help="measured; or predicted by the surrogate, for all archs that have scores."
            ),
        ],
        "measured",
    ),
    "where": Option(
        Annotated[
            str | None,
            typer.Option(
                "--where",
                metavar="CONDITION",
                help='Only archs for which it holds: "macs < 1e8 and s1_depth >= 2".',
            ),
        ],
        None,
    ),
    "spaces": _list_option(
        "--spaces",
        help="Only these; may be repeated. Default: all that have what it takes.",
        complete=in_list([*CHOICES, *IMPORTED]),
    ),
    "folder": Option(
        Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write it into.")]
    ),
    "proxies": _list_option(
        "--proxies", "-p", help="Only these proxies; may be repeated.", complete=in_list(PROXIES)
    ),
    "cost": _list_option(
        "--cost",
        "-c",
        help="macs, params, depth, latency, latency:SETUP or a stage feature; may be repeated. Default: the "
        "first three.",
        complete=in_list([*COSTS, LATENCY]),
    ),
    "budgets": _budgets_option(
        "N|A,B", "How many limits a cost has, or the limits of one cost: 1e7,2e7.", budgets_of
    ),
    "joint": _budgets_option(
        "N|A,B|COST=A",
        "How many limits a cost has, the limits: 1e7,2e7, or one on several: macs=1e8,params=1e6.",
        joint_of,
    ),
    "spacing": Option(
        Annotated[
            Literal["quantile", "even"],
            typer.Option(
                "--spacing",
                help="Of a number of limits: equal shares of the archs, or the paper's equal steps.",
            ),
        ],
        "quantile",
    ),
    "raw": Option(
        Annotated[
            bool,
            typer.Option("--raw-signs", help="Leave scores as computed, without the registry's directions."),
        ],
        False,
    ),
    "resamples": Option(
        Annotated[
            int,
            typer.Option(
                "--resamples", min=0, metavar="N", help="Bootstrap resamples for intervals; 0 makes none."
            ),
        ],
        0,
    ),
    "bootstrap_seed": Option(
        Annotated[
            int | None,
            typer.Option("--bootstrap-seed", min=0, metavar="N", help="Of the resamples. Default: 0."),
        ],
        None,
    ),
    "level": Option(
        Annotated[
            float | None,
            typer.Option(
                "--level", metavar="SHARE", help="Of the resamples inside an interval. Default: 0.95."
            ),
        ],
        None,
    ),
    "k": Option(
        Annotated[int | None, typer.Option("-k", min=1, help="Of best_rank_at_k. Default: 10.")], None
    ),
    "fraction": Option(Annotated[float, typer.Option("--fraction", help="Of precision_at_top_k.")], 0.05),
    "undefined": Option(
        Annotated[
            Literal["last", "omit"],
            typer.Option("--undefined", help="Archs without a score: rank them last, or leave them out."),
        ],
        "last",
    ),
}
WHICH = ("protocol", "seed", "split", "where", "score_seed", "accuracy")
INTERVALS = ("resamples", "bootstrap_seed", "level")


def command(*shared: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a command, of its own name.

    Args:
        shared: names of OPTIONS. The function is called with the Call and every option by name.
    """

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(call: Call, **given: Any) -> Answer | None:
            answer: Answer | None = function(call, **_read(shared, given))
            return answer

        run.__module__ = function.__module__
        add_command(function.__name__, function.__doc__, _parameters(function, shared), run)
        return function

    return make


def judging(*shared: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function that judges a pool a command.

    Args:
        shared: names of OPTIONS beside those that choose the pool and the intervals. The function is called
            with the Call, the pool, the bootstrap's arguments, and every option of these by name.
    """
    whole = ("space", "dataset", "recipe", *shared, "proxies", *WHICH, *INTERVALS, "raw")

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(call: Call, **given: Any) -> Answer | None:
            read = _read(whole, given)
            rest = {name: value for name, value in read.items() if name not in whole or name in shared}
            intervals = intervals_of(read["resamples"], read["bootstrap_seed"], read["level"])
            answer: Answer | None = function(call, _pool(call.bench, read), intervals, **rest)
            return answer

        run.__module__ = function.__module__
        add_command(function.__name__, function.__doc__, _parameters(function, whole), run)
        return function

    return make


def _pool(bench: Bench, read: dict[str, Any]) -> Pool:
    which = {name: read[name] for name in WHICH}
    dataset = dataset_of(bench, read["space"], read["dataset"])
    return bench.pool(
        read["space"], dataset, read["recipe"], proxies=read["proxies"], orient=not read["raw"], **which
    )


def _parameters(function: Callable[..., Any], shared: Sequence[str]) -> list[inspect.Parameter]:
    """The shared options, then those that the function annotates itself; arguments of the line come first."""
    own = inspect.signature(function).parameters.values()
    named = [one for one in own if one.name not in shared and _is_option(one)]
    listed = []
    for name in shared:
        option = OPTIONS[name]
        kind = inspect.Parameter.KEYWORD_ONLY
        listed.append(inspect.Parameter(name, kind, default=option.default, annotation=option.annotation))
    in_front = [one for one in named if one.default is inspect.Parameter.empty]
    return [*in_front, *listed, *(one for one in named if one not in in_front)]


def _is_option(parameter: inspect.Parameter) -> bool:
    return hasattr(parameter.annotation, "__metadata__")


def _read(shared: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the meaning of their texts."""
    read = dict(given)
    for name in shared:
        meaning = OPTIONS[name].read
        if meaning is not None:
            read[name] = meaning(given[name])
    return read


def intervals_of(resamples: int, seed: int | None, level: float | None) -> dict[str, Any]:
    """The bootstrap's arguments; UsageError where there are no resamples to which one of them belongs."""
    if not resamples and (seed is not None or level is not None):
        raise UsageError("--bootstrap-seed and --level are of intervals, which need --resamples N")
    return {"resamples": resamples, "bootstrap_seed": seed or 0, "level": 0.95 if level is None else level}


def dataset_of(
    bench: Bench,
    space: str,
    given: str | None,
    kind: Kind = "runs",
    by: str = "--dataset",
    preferred: str = "",
) -> str:
    """The data set meant: the one given, else what `only_dataset` finds."""
    return bench.release.only_dataset(space, kind, by, preferred) if given is None else given
