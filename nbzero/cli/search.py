"""The command that searches a space: search."""

import contextlib
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nbzero.bench import Bench
from nbzero.cli.frame import Answer, Call, Listing, only
from nbzero.cli.options import command, dataset_of, joint_of, words
from nbzero.cli.write import check_picture, write_picture
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError, check_known
from nbzero.networks.published import NETWORKS
from nbzero.release.opened import Seed, Split

if TYPE_CHECKING:
    from nbzero.search.history import History

STRATEGIES = ("random", "evolution", "reinforcement", "swap_nas", "swap_nas_sized")
IN_PAIRS = ("swap_nas", "swap_nas_sized")  # a cycle asks for two archs
TOP_K = "top_k"
DATASET = "cifar10"
SHOWN = ("evaluation", "arch", "score", "clock_s")


@command("space", "dataset", "recipe", "protocol", "seed", "score_seed", "split")
def search(
    call: Call,
    space: str,
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    seed: Seed,
    score_seed: Seed,
    split: Split,
    objective: Annotated[
        str,
        typer.Option(
            "--objective",
            "-o",
            metavar="NAME|A,B",
            help="A proxy, a vote (sjw, spw, zerocost, az_nas), names whose ranks are added, accuracy, "
            "predicted, or a cost.",
        ),
    ],
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help=f"{', '.join(STRATEGIES)}, or {TOP_K}.",
            autocompletion=words(*STRATEGIES, TOP_K),
        ),
    ] = "evolution",
    guide: Annotated[
        str | None,
        typer.Option("--guide", metavar="NAME|A,B", help=f"An objective, whose best archs {TOP_K} asks for."),
    ] = None,
    evaluations: Annotated[
        int, typer.Option("--evaluations", "-n", min=1, metavar="N", help="How many archs it may ask for.")
    ] = 1000,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            metavar="COST=A",
            help="The most it may have: macs=5e6,params=1e5; latency=2.5 in ms, where networks were timed.",
        ),
    ] = None,
    search_seed: Annotated[
        int, typer.Option("--search-seed", min=0, metavar="N", help="Of what the strategy draws.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.json", help="The history; the same command goes on from it."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Score the whole grid's networks with a proxy when they are asked for."),
    ] = False,
    images: Annotated[
        str | None,
        typer.Option(
            "--images", metavar="PATH|noise", help="Of --live: folder or file. Default: $NBZERO_IMAGES."
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="FILE.csv", help="Of --live: scores as they come; the same command goes on."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="Of --live: processes. Default: one per core."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            min=1,
            metavar="N",
            help="Of --live: archs asked for at once (swap_nas: pairs). Default: work for all workers.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="The best score so far: .png, .pdf or .svg."),
    ] = None,
    by: Annotated[
        Literal["evaluations", "clock"] | None,
        typer.Option("--by", help="What --plot draws it against. Default: evaluations."),
    ] = None,
) -> Answer:
    """Search a space for the arch with the highest score.

    nbzero search r1-mini --objective naswot --budget macs=5e6. The table has the archs that were better than
    all before; --json and --csv have every evaluation. --live searches the whole grid, and scores each
    network when it is asked for.
    """
    if picture is not None:
        check_picture("--plot", picture)
    elif by is not None:
        raise UsageError(f"--by {by} belongs to --plot; give both or neither")
    check_known("strategy", [strategy], (*STRATEGIES, TOP_K))
    how: Any = {"evaluations": evaluations, "budget": _limits_of(budget), "seed": search_seed, "out": out}
    if live:
        if strategy == TOP_K:
            raise UsageError(
                f"--strategy {TOP_K} orders archs by what tables have, and --live asks none; give one of "
                f"{', '.join(STRATEGIES)}, or leave --live out"
            )
        _refuse(
            "is of tables, and --live asks none; leave it out",
            {
                "--recipe": recipe,
                "--seed": seed,
                "--guide": guide,
                "--split": None if split == "val" else split,
            },
        )
        proxy: Any = {"protocol": protocol, "score_seed": score_seed or 0, "images": images, "out": scores}
        found = _live(space, objective, dataset or DATASET, strategy, batch, workers, proxy, how)
    else:
        of_live = {"--images": images, "--scores": scores, "--workers": workers, "--batch": batch}
        _refuse("belongs to --live; give both or neither", of_live)
        if (guide is not None) != (strategy == TOP_K):
            raise UsageError(
                f"--guide belongs to --strategy {TOP_K}, and is needed there; give both or neither"
            )
        _check_there(call.bench, space)
        which: Any = {"protocol": protocol, "seed": seed, "score_seed": score_seed, "split": split}
        found = _stored(call.bench, space, objective, dataset, recipe, strategy, guide, which, how, by)
    if picture is not None:
        _draw(found, picture, by)
    if found.best is None:
        raise NothingFoundError(f"no arch has a score: {found.title}")
    return Answer(found.table(), [_in_short(found)])


def _refuse(why: str, given: Mapping[str, Any]) -> None:
    """UsageError for an option that is given where it does not count."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} {why}")


def _check_there(bench: Bench, space: str) -> None:
    """UnknownNameError where a release lacks a space whose networks --live can score."""
    if space in bench.spaces or space not in NETWORKS:
        return
    try:
        bench.space(space)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error}; --live needs no table: it scores the networks with a proxy when they are asked for"
        ) from error


def _stored(
    bench: Bench,
    space: str,
    objective: str,
    dataset: str | None,
    recipe: str | None,
    strategy: str,
    guide: str | None,
    which: Mapping[str, Any],
    how: Mapping[str, Any],
    by: str | None,
) -> "History":
    """A search of what the release has."""
    from nbzero.search.run import run
    from nbzero.search.sampling import top_k

    kind: Any = "runs" if objective in ("accuracy", "predicted") else "scores"
    on = dataset_of(bench, space, dataset, kind, preferred=DATASET)
    sought = bench.objective(space, _named(objective), on, recipe, **which)
    if by == "clock" and sought.charge is None:
        raise UsageError(f"--by clock: no clock knows the seconds of {sought.name} in {space}; leave it out")
    chosen: Any = strategy
    if guide is not None:
        chosen = top_k(bench.objective(space, _named(guide), on, recipe, **which))
    return run(space, sought, chosen, **how, show_progress=how["out"] is not None)


def _live(
    space: str,
    objective: str,
    dataset: str,
    strategy: str,
    batch: int | None,
    workers: int | None,
    proxy: Mapping[str, Any],
    how: Mapping[str, Any],
) -> "History":
    """A search that scores networks."""
    from nbzero.proxies.workers import num_cores
    from nbzero.search.live import live
    from nbzero.search.run import STRATEGIES, run

    if batch is None:
        batch = workers or num_cores()
        if strategy in IN_PAIRS:
            batch = math.ceil(batch / 2)
    asking: Any = STRATEGIES[strategy]
    chosen = functools.partial(asking, batch=batch)
    with live(space, objective, dataset, workers=workers, **proxy) as sought:
        return run(space, sought, chosen, **how, show_progress=True)


def _named(given: str) -> Any:
    """The name of an objective, or the list of those that are added."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{given!r} names no objective; give one, like naswot, or several with commas")
    return names[0] if len(names) == 1 else names


def _limits_of(given: str | None) -> dict[str, float] | None:
    if given is None:
        return None
    with contextlib.suppress(UsageError):  # which names what other commands take
        limits = joint_of(given)
        if isinstance(limits, dict):
            return limits
    raise UsageError(f"--budget {given}; it is a limit on each cost: macs=5e6,params=1e5")


def _draw(found: "History", path: Path, by: Any) -> None:
    from nbzero.plots.searches import search_curves

    write_picture(search_curves(found, by=by or "evaluations"), path)


def _in_short(found: "History") -> Listing:
    """The archs that were better than all before."""
    better = found.improvements()
    shown = [name for name in SHOWN if name != "clock_s" or found.has_clock]
    return only(better.with_notes("Rows are the archs that were better than all before."), *shown)
