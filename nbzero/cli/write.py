"""Commands that write files: plot, report, explore, export."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nbzero import text
from nbzero.bench import Bench
from nbzero.cli.frame import Answer, Call, Listing, noted
from nbzero.cli.options import (
    budgets_of,
    command,
    dataset_of,
    in_list,
    names_of,
    of_release,
    seed_or_all,
    spaces_there,
    words,
)
from nbzero.errors import NothingFoundError, UsageError, quoted, unknown_name
from nbzero.files import write_whole
from nbzero.release.latencies import LATENCY
from nbzero.release.opened import COSTS, Accuracy, Seed, Split

if TYPE_CHECKING:
    from nbzero.frame import Frame

PICTURES = (".png", ".pdf", ".svg")
FORMATS = ("csv", "parquet", "json")


def _figures(incomplete: str) -> list[str]:
    from nbzero.plots.paper import FIGURES

    return words("list", *FIGURES)(incomplete)


@command("dataset", "recipe", "split", "proxies", "protocol", "seed", "where", "score_seed", "accuracy")
def plot(
    call: Call,
    figure: Annotated[
        str,
        typer.Argument(
            help="Which figure: mbr, scatter, macs, factors, ..; list shows all.", autocompletion=_figures
        ),
    ],
    dataset: str | None,
    recipe: str | None,
    split: Split,
    proxies: list[str] | None,
    protocol: str | None,
    seed: Seed,
    where: str | None,
    score_seed: Seed,
    accuracy: Accuracy,
    space: Annotated[
        str | None,
        typer.Argument(help="Search space.", autocompletion=of_release(lambda bench, _: bench.spaces)),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Ends in .png, .pdf or .svg. Default: FIGURE-SPACE.png here."
        ),
    ] = None,
    dpi: Annotated[int, typer.Option("--dpi", min=20, max=1200, help="Dots per inch of a .png.")] = 150,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost",
            "-c",
            metavar="A,B",
            help="macs, params, depth, latency, latency:SETUP or a stage feature; of mbr and distributions "
            "several.",
            autocompletion=in_list([*COSTS, LATENCY]),
        ),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option("--budgets", "-b", metavar="N|A,B", help="How many limits, or which: 1e7,2e7."),
    ] = None,
    spacing: Annotated[
        Literal["quantile", "even"] | None,
        typer.Option("--spacing", help="Of a number of limits. Default: quantile, of mbr both."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="W,H", help="In inches. Default: what the content needs."),
    ] = None,
    notes: Annotated[bool, typer.Option("--notes/--no-notes", help="At the foot: how to read it.")] = True,
) -> Answer:
    """Draw one of the paper's figures into a file.

    nbzero plot mbr r1-mini; nbzero plot list shows what there is. Needs matplotlib.
    """
    from nbzero.plots.paper import FIGURES, drawing

    if figure == "list":
        rows = [{"figure": one.name, "number": one.number, "shows": one.meaning} for one in FIGURES.values()]
        return Answer(Listing(["figure", "number", "shows"], rows, "Figures, by their number in the paper"))
    chosen = drawing(figure)
    if space is None:
        raise UsageError(f"plot {figure} needs a space: nbzero plot {figure} SPACE")
    path = out or Path(f"{figure}-{space}.png")
    check_picture("--out", path)
    bench = call.bench
    on = dataset_of(bench, space, dataset)
    which: Any = {
        "protocol": protocol,
        "seed": seed,
        "split": split,
        "where": where,
        "score_seed": score_seed,
        "accuracy": accuracy,
    }
    made = chosen.make(
        bench,
        space,
        on,
        recipe,
        proxies=proxies,
        cost=names_of(cost),
        budgets=None if budgets is None else budgets_of(budgets),
        spacing=spacing,
        size=None if size is None else _size_of(size),
        notes=notes,
        **which,
    )
    write_picture(made, path, dpi)
    used = recipe or bench.release.space(space).standard_recipe(on)
    of = f"{split}, seed {seed or 0}" if accuracy == "measured" else f"{split} predicted accuracy"
    title = f"Figure {chosen.number}: {chosen.meaning}: {space}, {on}, {used}, {of}"
    if where:
        title += f", where {where}"
    listing = Listing(["figure", "file"], [{"figure": figure, "file": str(path)}], title)
    scored_by = bench.release.named("scores", bench.release.space(space), on, protocol)
    return Answer(noted(bench, listing, scored_by))


def check_picture(option: str, path: Path) -> None:
    """UsageError where an option names a file that is no picture by its ending."""
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"{option} {path}; it ends in .png, .pdf or .svg")


def write_picture(figure: Any, path: Path, dpi: int = 150) -> None:
    """Write a figure of matplotlib, whole or not at all."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, format=path.suffix[1:].lower())
    write_whole(path, drawn.getvalue(), "draw the figure again")


def _size_of(given: str) -> Any:
    """Width and height; what they may be is checked where the figure is made."""
    try:
        return tuple(float(part) for part in given.split(","))
    except ValueError:
        raise UsageError(f"--size {quoted(given)}; it is width and height in inches, like 7,4") from None


@command("split", "folder", "spaces")
def report(
    call: Call,
    split: Split,
    folder: Path,
    spaces: list[str] | None,
    resamples: Annotated[
        int,
        typer.Option(
            "--resamples",
            min=0,
            metavar="N",
            help="Of the intervals, which take seconds a data set; 0 makes none.",
        ),
    ] = 200,
) -> Answer:
    """Write one HTML page with every table and chart.

    It needs no network to read.
    """
    from nbzero.pages.report import write_report

    path = write_report(call.bench, folder, spaces, split, resamples=resamples)
    return Answer(Listing(["file"], [{"file": str(path)}], f"Report of release {call.bench.version}"))


@command("split", "folder", "spaces")
def explore(call: Call, split: Split, folder: Path, spaces: list[str] | None) -> Answer:
    """Write one HTML page to look at every arch and judge scores.

    It needs no network to read.
    """
    from nbzero.pages.explorer import write_explorer

    path = write_explorer(call.bench, folder, spaces, split)
    return Answer(Listing(["file"], [{"file": str(path)}], f"Explorer of release {call.bench.version}"))


@command("dataset", "recipe", "protocol", "where")
def export(
    call: Call,
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    where: str | None,
    space: Annotated[
        list[str],
        typer.Argument(
            help="Search spaces: one, or several with a column space in front.",
            autocompletion=of_release(spaces_there),
        ),
    ],
    seed: Annotated[
        Any,
        typer.Option(
            "--seed",
            metavar="N|mean|all",
            parser=seed_or_all,
            help="Of runs and scores: a number, mean, or all, a row for each. Default: 0.",
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="- is stdout.")] = "-",
    form: Annotated[
        Literal["csv", "parquet", "json"] | None,
        typer.Option("--format", "-f", help="Default: what FILE ends in, else csv."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="A,B",
            help="May be repeated. Default: all of archs; with --dataset also runs and scores, but curve.",
        ),
    ] = None,
) -> None:
    """The table of a space, or of several, as CSV, JSON or Parquet.

    What Bench.table gives: one row an arch, in build order, or with --seed all one row an arch and seed. A
    curve is a list in Parquet, an array in JSON, and the text of that array in CSV.
    """
    kind = _format(form, None if call.form == "table" else call.form, out)
    bench = call.bench
    spaces = space[0] if len(space) == 1 else space
    view = bench.table(spaces, names_of(columns), dataset, recipe, protocol, seed, where)
    _check_there(bench, view, space, dataset, where, seed)
    title = ", ".join([_selected(view, where), f"N = {len(view):,}, release {bench.version}"])
    data = _encoded(bench, view, kind, title)
    for note in view.notes:
        print(note, file=sys.stderr)
    if out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        print(title, file=sys.stderr)
        return
    write_whole(Path(out), data, "run the same command again")
    print(f"{title}, written to {out}", file=sys.stderr)


def _format(form: str | None, asked: str | None, out: str) -> str:
    """The format to write: as asked, else what the file ends in, else CSV."""
    if form is not None and asked is not None and form != asked:
        raise UsageError(f"--{asked} and --format {form} say different things; leave one out")
    kind = form or asked
    if kind is None:
        ending = Path(out).suffix.lower().removeprefix(".") if out != "-" else ""
        kind = ending or "csv"
    if kind not in FORMATS:
        raise unknown_name("format", kind, FORMATS)
    if kind == "parquet" and out == "-" and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal; give --out FILE, or a pipe")
    return kind


def _check_there(
    bench: Bench, view: "Frame", spaces: Sequence[str], dataset: str | None, where: str | None, seed: Any
) -> None:
    """NothingFoundError where no row meets the condition, or none has what was asked for with that seed."""
    of = ", ".join(spaces)
    if where is not None and not len(view):
        if len(spaces) > 1 or seed == "all":
            raise NothingFoundError(f"no row of {of} meets {where!r}; widen the condition, or leave it out")
        raise _none_meets(bench, view, spaces[0], dataset, where, seed)
    if seed in (None, "mean"):
        return
    measured = _measured_columns(bench, view, spaces)
    if measured and all(_is_empty(view[name].tolist()) for name in measured):
        none = f"no arch of {of} has runs or scores with seed {seed} on {dataset}"
        raise NothingFoundError(f"{none}; nothing was written: nbzero info lists the seeds")


def _none_meets(
    bench: Bench, view: "Frame", space: str, dataset: str | None, where: str, seed: Seed
) -> NothingFoundError:
    from nbzero.release.table import Wanted, none_meets

    selected = view.selected
    wanted = Wanted(dataset, selected["recipe"], selected["protocol"], seed)
    ids = bench.table(space, ["arch_id"])["arch_id"]
    return none_meets(bench.release, bench.release.space(space), where, ids, f"archs of {space}", wanted)


def _measured_columns(bench: Bench, view: "Frame", spaces: Sequence[str]) -> list[str]:
    known = {"space", "seed"}
    for space in spaces:
        known.update(bench.table(space).columns)
    return [name for name in view.columns if name not in known]


def _is_empty(values: Sequence[Any]) -> bool:
    return all(value is None or (isinstance(value, float) and value != value) for value in values)


def _selected(view: "Frame", where: str | None) -> str:
    """What was selected, in words."""
    from nbzero.release.table import selected_said

    selected = view.selected
    parts = []
    for name in ("space", "dataset", "recipe", "protocol"):
        if selected[name]:
            parts.append(selected_said(selected[name]))
    if selected["dataset"] is not None:
        parts.append(f"seed {selected['seed']}")
    if where:
        parts.append(f"where {where}")
    return ", ".join(parts)


def _encoded(bench: Bench, view: "Frame", kind: str, title: str) -> bytes:
    table = view.to_arrow()
    if kind == "csv":
        return text.csv_text(table.column_names, table.to_pylist()).encode()
    if kind == "json":
        return (text.json_text(title, view.notes, table.to_pylist()) + "\n").encode()
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = {
        "nbzero.selected": title,
        "nbzero.data_version": bench.version,
        "nbzero.manifest_sha256": bench.sha256,
    }
    sink = pa.BufferOutputStream()
    metadata = {**(table.schema.metadata or {}), **said}
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data
