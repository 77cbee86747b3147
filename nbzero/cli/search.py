"""The command that searches a space: search."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbzero.cli.frame import Answer, Call, Listing, only
from nbzero.cli.options import command, dataset_of, joint_of, words
from nbzero.cli.write import PICTURES
from nbzero.errors import UsageError
from nbzero.files import write_whole
from nbzero.release.opened import Seed, Split

if TYPE_CHECKING:
    from nbzero.search.history import History

STRATEGIES = ("random", "evolution", "reinforcement", "swap_nas", "swap_nas_sized")
TOP_K = "top_k"
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
        typer.Option("--budget", "-b", metavar="COST=A", help="The most it may have: macs=5e6,params=1e5."),
    ] = None,
    search_seed: Annotated[
        int, typer.Option("--search-seed", min=0, metavar="N", help="Of what the strategy draws.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.json", help="The history; the same command goes on from it."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="The best score so far: .png, .pdf or .svg."),
    ] = None,
) -> Answer:
    """Search a space for the arch with the highest score.

    nbzero search r1-mini --objective naswot --budget macs=5e6. The table has the archs that were better than
    all before; --json and --csv have every evaluation.
    """
    from nbzero.search.run import run
    from nbzero.search.sampling import top_k

    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise UsageError(f"--plot {picture}; it ends in .png, .pdf or .svg")
    if (guide is not None) != (strategy == TOP_K):
        raise UsageError(f"--guide belongs to --strategy {TOP_K}, and is needed there; give both or neither")
    limits = _limits_of(budget)
    bench = call.bench
    kind: Any = "runs" if objective in ("accuracy", "predicted") else "scores"
    on = dataset_of(bench, space, dataset, kind, preferred="cifar10")
    which: Any = {"protocol": protocol, "seed": seed, "score_seed": score_seed, "split": split}
    sought = bench.objective(space, _named(objective), on, recipe, **which)
    chosen: Any = strategy
    if guide is not None:
        chosen = top_k(bench.objective(space, _named(guide), on, recipe, **which))
    found = run(
        space, sought, chosen, evaluations, limits, search_seed, out=out, show_progress=out is not None
    )
    if picture is not None:
        _draw(found, picture)
    return Answer(found.table(), [_in_short(found)])


def _named(given: str) -> Any:
    """The name of an objective, or the list of those that are added."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{given!r} names no objective; give one, like naswot, or several with commas")
    return names[0] if len(names) == 1 else names


def _limits_of(given: str | None) -> dict[str, float] | None:
    if given is None:
        return None
    limits = joint_of(given)
    if not isinstance(limits, dict):
        raise UsageError(f"--budget {given}; it is a limit on each cost: macs=5e6,params=1e5")
    return limits


def _draw(found: "History", path: Path) -> None:
    from nbzero.plots.searches import search_curves

    drawn = io.BytesIO()
    search_curves(found).savefig(drawn, dpi=150, format=path.suffix[1:].lower())
    write_whole(path, drawn.getvalue(), "draw the figure again")


def _in_short(found: "History") -> Listing:
    """The archs that were better than all before."""
    better = found.improvements()
    shown = [name for name in SHOWN if name != "clock_s" or found.has_clock]
    return only(better.with_notes("Rows are the archs that were better than all before."), *shown)
