"""The commands' frame: what a command prints, the options that all have, and errors as one line.

Every command makes one table (rows under columns, a title that says recipe, protocol, seed, split and N, and
notes) and prints it in one of three ways.

    a table    On a terminal rich draws it. Into a pipe it is plain aligned text of at most 100 characters a
               line, or $COLUMNS. Both leave out what a reader rarely needs and say what, and fit what is
               still too wide by `text.layout`.
    --json     {"title", "notes", "rows"} as of `Frame.to_json`, of hybrid also {"searched", "not_searched"}.
    --csv      The rows alone; the title and the notes go to stderr.

Both of the last have every column. What is slow to import is imported by the commands that need it: `info`,
`query` and `cite` import neither numpy nor pyarrow (`cite` of imported tables does: their sources are in the
Parquet files).
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

import typer

from nbzero import __version__, text
from nbzero.bench import Bench
from nbzero.errors import NBZeroError, NotAMemberError, NothingFoundError

OK, NOTHING, USAGE = 0, 1, 2
BROKEN_PIPE = 141  # what a shell says of a program that the end of a pipe stopped
EPILOG = (
    "Exit status: 0; 1 where a check failed or nothing was found (verify, an arch that no table has, a "
    "condition that no arch meets, runs or scores that the release does not have); 2 for wrong usage, a name "
    "that does not exist, a release or file that cannot be read, or a package that is not installed."
)
WIDTH = 100  # characters of a line in a pipe, unless COLUMNS says another number


class Source(Protocol):
    """What can be printed: a Frame, or a Listing."""

    title: str

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def doubtful(self) -> Collection[str]: ...
    def __iter__(self) -> Iterator[dict[str, Any]]: ...


class Listing:
    """Rows as a Frame has them, without numpy. `doubtful` are the proxies that are marked as tables."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Iterable[text.Row],
        title: str,
        notes: Sequence[str] = (),
        doubtful: Collection[str] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.rows = [{name: row.get(name) for name in columns} for row in rows]
        self.title = title
        self.notes = list(notes)
        self.doubtful = doubtful

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


@dataclass
class Answer:
    """What a command prints.

    Attributes:
        source: the whole table, for --json and --csv.
        parts: what a reader sees instead, where that is another table, or several.
        keys: columns that are repeated in every block where the table is wider than the terminal.
        more: fields of the JSON beside title, notes and rows; the notes say the same.
    """

    source: Source
    parts: Iterable[Source] = ()
    keys: int = 1
    more: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class Call:
    """What the global options of one call say."""

    location: str | None
    form: Literal["table", "json", "csv"]

    @cached_property
    def bench(self) -> Bench:
        return Bench(self.location)

    def show(self, answer: Answer) -> None:
        """Print one table."""
        source = answer.source
        if self.form == "json":
            print(text.json_text(source.title, source.notes, source, answer.more))
        elif self.form == "csv":
            print(text.csv_text(source.columns, source), end="")
            sys.stdout.flush()  # a closed pipe is noticed before anything is said
            print(text.printable("\n".join([source.title, *source.notes])), file=sys.stderr)
        else:
            for number, part in enumerate(list(answer.parts) or [source]):
                if number:
                    print()
                _print_table(part, answer.keys)
        sys.stdout.flush()


def _print_table(source: Source, keys: int) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    columns, rows = text.marked_table(source.columns, source, source.doubtful)
    if console.is_terminal:
        _draw_table(console, Listing(columns, rows, source.title, source.notes), keys)
        return
    wanted = os.environ.get("COLUMNS", "")
    width = int(wanted) if wanted.isdecimal() else 0
    print(text.aligned_text(columns, rows, source.title, source.notes, width or WIDTH, keys))


def _draw_table(console: Any, source: Source, keys: int) -> None:
    """A table on a terminal, in blocks that fit it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if source.title:
        console.print(Text(text.printable(source.title), "bold"))
    rows = list(source)
    cells = {}
    for name in source.columns:
        cells[name] = [text.printable(text.short(row[name])) for row in rows]
    fitted = text.layout(cells, console.width, keys)
    for number, block in enumerate(fitted.blocks):
        if number:
            console.print()
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
        for name in block:
            justify: Literal["left", "right"] = "right" if _is_numeric(rows, name) else "left"
            head = Text("\n".join(fitted.heads[name]))
            table.add_column(head, justify=justify, overflow="fold", width=fitted.widths[name])
        for row in zip(*(cells[name] for name in block), strict=True):
            table.add_row(*map(Text, row))
        console.print(table)
    for note in (*text.same_text(fitted.same), *source.notes):
        console.print(Text(text.printable(note), "dim"))


def _is_numeric(rows: Iterable[text.Row], name: str) -> bool:
    there = [row[name] for row in rows if row[name] is not None]
    return all(isinstance(value, (int, float)) for value in there)


def only(source: Source, *shown: str) -> Listing:
    """Of a table with many columns those of `shown` that it has, and a note on the others."""
    columns = [name for name in shown if name in source.columns]
    left = [name for name in source.columns if name not in columns]
    notes = [*source.notes, *left_out_note(left)]
    return Listing(columns, source, source.title, notes, source.doubtful)


def left_out_note(left: Sequence[str]) -> list[str]:
    if not left:
        return []
    return [f"Only in --csv and --json, which have all columns: {', '.join(left)}."]


def noted(bench: Bench, source: Source, protocol: str | None, *notes: str) -> Listing:
    """The same rows with notes that say which scores and which release they are from."""
    said = f"Release {bench.version}."
    if protocol:
        said = f"Scores of protocol {protocol}; release {bench.version}."
    return Listing(source.columns, source, source.title, [*notes, *source.notes, said], source.doubtful)


app = typer.Typer(
    name="nbzero",
    help="nbzero: look up, compare and export trained networks and training-free proxy scores.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps Python's own traceback
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
GLOBALS = ("release", "as_json", "as_csv")
ReleaseOption = Annotated[
    str | None,
    typer.Option(
        "--release",
        metavar="PATH_OR_URL",
        is_eager=True,  # --version reads it
        help="Release to read. Default: $NBZERO_RELEASE, else the one inside nbzero.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: title, notes, rows.")]
CsvOption = Annotated[
    bool, typer.Option("--csv", help="Print the rows as CSV; title and notes go to stderr.")
]


def _version(ctx: typer.Context, wanted: bool) -> None:
    """The versions of the code and of the data; of a release that cannot be read the former, and why."""
    if not wanted:
        return
    print(f"nbzero {__version__}")
    try:
        bench = Bench(_location(ctx.params.get("release")))
    except NBZeroError as error:
        raise fail(error, USAGE) from None
    print(f"data {bench.version}, manifest {bench.sha256[:12]}")
    raise typer.Exit(OK)


VersionOption = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_version,
        is_eager=True,
        help="Print the versions of the code and of the data (of a --release named before), and exit.",
    ),
]


@app.callback()
def globals_of(
    ctx: typer.Context,
    release: ReleaseOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    version: VersionOption = False,
) -> None:
    ctx.obj = {"release": release, "as_json": as_json, "as_csv": as_csv}


def add_command(
    name: str, doc: str | None, parameters: Sequence[inspect.Parameter], run: Callable[..., Answer | None]
) -> None:
    """Add a command to the app.

    Args:
        parameters: its arguments and options, annotated as typer reads them; it has the global options too.
        run: called with the Call and these arguments by name; what it returns is printed.
    """
    of_all = inspect.signature(globals_of, eval_str=True).parameters
    shared = [of_all[one].replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in GLOBALS]

    def wrapped(ctx: typer.Context, **given: Any) -> None:
        said = {one: given.pop(one) or ctx.obj[one] for one in GLOBALS}
        call = _call_of(said)
        try:
            answer = run(call, **given)
            if answer is not None:
                call.show(answer)
        except BrokenPipeError:
            # Python complains when it flushes on exit, unless there is somewhere to flush to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except (NotAMemberError, NothingFoundError) as error:
            raise fail(error, NOTHING) from None
        except NBZeroError as error:
            raise fail(_with_columns(error, call, given), USAGE) from None

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    whole = [context, *own, *shared]
    wrapped.__signature__ = inspect.Signature(whole)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in whole}
    wrapped.__name__, wrapped.__doc__, wrapped.__module__ = name, doc, run.__module__
    app.command(name=name.replace("_", "-"), epilog=EPILOG)(wrapped)


def _call_of(said: Mapping[str, Any]) -> Call:
    if said["as_json"] and said["as_csv"]:
        raise fail("--json and --csv exclude each other; give one", USAGE)
    form: Literal["table", "json", "csv"] = "table"
    if said["as_json"]:
        form = "json"
    elif said["as_csv"]:
        form = "csv"
    return Call(_location(said["release"]), form)


def _location(given: str | None) -> str | None:
    """The release that is read; None is the one inside nbzero."""
    return given or os.environ.get("NBZERO_RELEASE") or None


def _with_columns(error: NBZeroError, call: Call, given: Mapping[str, Any]) -> str:
    """The error; of a condition that cannot be read, with the columns that it can name."""
    where = given.get("where")
    if not isinstance(where, str) or repr(where) not in str(error):
        return str(error)
    from nbzero.release.opened import RUN_NUMBERS
    from nbzero.release.schema import columns_of

    listed: list[str] = []
    if given["space"] in call.bench.spaces:
        listed = [column.name for column in columns_of("archs", given["space"])]
    columns = ", ".join([*listed, "status", *RUN_NUMBERS])
    return f"{error}. Columns: {columns} and the proxies, as in nbzero query"


def fail(said: object, status: int) -> typer.Exit:
    """Say one line on stderr; the exit to raise."""
    print(f"nbzero: {text.printable(str(said))}", file=sys.stderr)
    return typer.Exit(status)
