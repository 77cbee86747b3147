"""The command `nbzero`: what the API answers, as tables, JSON or CSV. Needs typer and rich: pip install 'nbzero[cli]'.

Every command makes one table (rows under columns, a title that says recipe, protocol, seed, split and N, and notes) and prints it in one of three
ways. On a terminal rich draws it; into a pipe it is plain aligned text of at most 100 characters a line, or $COLUMNS. Both leave out what a reader
rarely needs and say what, and fit what is still too wide by `text.layout`. --json is {"title", "notes", "rows"} as of `Frame.to_json`, of hybrid
also {"searched", "not_searched"}; --csv is the rows alone, with the title and the notes on stderr; both have every column. What is slow to import
is imported by the commands that need it: `info`, `query` and `cite` import neither numpy nor pyarrow (`cite` of imported tables does: their sources
are in the Parquet files).
"""

import inspect
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

from nbzero import __version__, text
from nbzero.bench import (
    COSTS,
    RUN_NUMBERS,
    Bench,
    Kind,
    Record,
    Seed,
    Split,
    _split_column,
    none_there,
    one_seed,
)
from nbzero.errors import (
    NBZeroError,
    NoSuchArchIdError,
    NotAMemberError,
    NothingFoundError,
    ReleaseError,
    UsageError,
    count_of,
    unknown_name,
)
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import columns_of
from nbzero.spaces.choices import said_options
from nbzero.spaces.macro import CHOICES, MAX_MACS, MAX_PARAMS, grid_size
from nbzero.spaces.published import IMPORTED, doubts_of, standard_protocol

if TYPE_CHECKING:
    from nbzero.frame import Frame
    from nbzero.pool import Pool

OK, NOTHING, USAGE, BROKEN_PIPE = (
    0,
    1,
    2,
    141,
)  # 141: what a shell says of a program that the end of a pipe stopped
EPILOG = (
    "Exit status: 0; 1 where a check failed or nothing was found (verify, an arch that no table has, a condition that no arch meets, runs or scores "
    "that the release does not have); 2 for wrong usage, a name that does not exist, a release or file that cannot be read, or a package that is not "
    "installed."
)
MANY = 40  # completions shown of a space
WIDTH = 100  # characters of a line in a pipe, unless COLUMNS says another number


class Source(Protocol):
    """What can be printed: a Frame, or a Listing."""

    title: str

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    def __iter__(self) -> Any: ...


class Listing:
    """Rows as a Frame has them, without numpy."""

    def __init__(
        self, columns: Sequence[str], listed: Iterable[text.Row], title: str, notes: Sequence[str] = ()
    ) -> None:
        self.columns, self.listed, self.title, self.notes = columns, list(listed), title, notes

    def __iter__(self) -> Any:
        return iter(self.listed)


@dataclass(frozen=True)
class Call:
    """What the global options of one call say."""

    release: str | None
    form: str

    @cached_property
    def bench(self) -> Bench:
        return Bench(self.release)

    def show(
        self,
        source: "Source | Frame",
        keys: int = 1,
        parts: Iterable["Source"] = (),
        more: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Print one table.

        Args:
            keys: columns that are repeated in every block where the table is wider than the terminal.
            parts: what a reader sees instead, where that is more than one table.
            more: fields of the JSON beside title, notes and rows; the notes say the same.
        """
        if self.form == "json":
            print(text.json_text(source.title, source.notes, source, more))
        elif self.form == "csv":
            print(text.csv_text(source.columns, source), end="")
            sys.stdout.flush()  # a closed pipe is noticed before anything is said
            print("\n".join([source.title, *source.notes]), file=sys.stderr)
        else:
            for number, part in enumerate([*parts] or [source]):
                print(end="\n" if number else "")
                _print_table(part, keys)
        sys.stdout.flush()


def _print_table(source: "Source | Frame", keys: int) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    listed, columns = list(source), [*source.columns]
    if not console.is_terminal:
        wanted = os.environ.get("COLUMNS", "")
        print(
            text.aligned_text(
                columns,
                listed,
                source.title,
                source.notes,
                (int(wanted) if wanted.isdecimal() else 0) or WIDTH,
                keys,
            )
        )
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if source.title:
        console.print(Text(source.title, "bold"))
    cells = {name: [text.short(row[name]) for row in listed] for name in columns}
    fitted = text.layout(cells, console.width, keys)
    numeric = {
        name
        for name in columns
        if all(isinstance(row[name], (int, float)) for row in listed if row[name] is not None)
    }
    for number, block in enumerate(fitted.blocks):
        console.print(end="\n" if number else "")
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False
        )  # two spaces between columns
        for name in block:
            justify: Literal["left", "right"] = "right" if name in numeric else "left"
            table.add_column(
                Text("\n".join(fitted.heads[name])),
                justify=justify,
                overflow="fold",
                width=fitted.widths[name],
            )
        for row in zip(*(cells[name] for name in block), strict=True):
            table.add_row(*map(Text, row))
        console.print(table)
    for note in [*text.same_text(fitted.same), *source.notes]:
        console.print(Text(note, "dim"))


def _only(source: Listing, *shown: str) -> Listing:
    """What a reader sees of a table with many columns: those of `shown` that it has, and a note on the others."""
    columns = [name for name in shown if name in source.columns]
    left = [name for name in source.columns if name not in columns]
    notes = [f"Only in --csv and --json, which have all columns: {', '.join(left)}."] if left else []
    return Listing(
        columns,
        [{name: row[name] for name in columns} for row in source],
        source.title,
        [*source.notes, *notes],
    )


# The commands' frame: global options before or after the command, and errors as one line


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
        help="Release to read. Default: $NBZERO_RELEASE, else the one inside nbzero.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: title, notes, rows.")]
CsvOption = Annotated[
    bool, typer.Option("--csv", help="Print the rows as CSV; title and notes go to stderr.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"nbzero {__version__}")
        raise typer.Exit(OK)


@app.callback()
def options(
    ctx: typer.Context,
    release: ReleaseOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version of the code and exit."
        ),
    ] = False,
) -> None:
    ctx.obj = {"release": release, "as_json": as_json, "as_csv": as_csv}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command: its first argument is the Call, and it has the global options too."""
    own = list(inspect.signature(function).parameters.values())[1:]
    shared = [
        parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(options).parameters.items()
        if name in GLOBALS
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    def wrapped(ctx: typer.Context, **given: Any) -> None:
        said = {name: given.pop(name) or ctx.obj[name] for name in GLOBALS}
        if said["as_json"] and said["as_csv"]:
            raise _fail("--json and --csv exclude each other; give one", USAGE)
        call = Call(
            said["release"] or os.environ.get("NBZERO_RELEASE") or None,
            "json" if said["as_json"] else "csv" if said["as_csv"] else "table",
        )
        try:
            function(call, **given)
        except BrokenPipeError:
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # or Python complains when it flushes on exit
            raise typer.Exit(BROKEN_PIPE) from None
        except (NotAMemberError, NothingFoundError) as error:
            raise _fail(error, NOTHING) from None
        except NBZeroError as error:
            raise _fail(_with_advice(error, call, given), USAGE) from None

    parameters = [context, *(parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own), *shared]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    app.command(name=function.__name__.rstrip("_"), epilog=EPILOG)(wrapped)
    return function


def _with_advice(error: Exception, call: Call, given: Mapping[str, Any]) -> str:
    if (
        isinstance(error, ValueError)
        and isinstance(given.get("where"), str)
        and repr(given["where"]) in str(error)
    ):  # what nbzero.release.conditions says
        listed = (
            [column.name for column in columns_of("archs", given["space"])]
            if given["space"] in call.bench.spaces
            else []
        )
        return f"{error}. Columns: {', '.join([*listed, 'status', *RUN_NUMBERS])} and the proxies, as in nbzero query"
    return str(error)


def _fail(said: object, status: int) -> typer.Exit:
    print(f"nbzero: {said}", file=sys.stderr)
    return typer.Exit(status)


def run() -> int:
    """The whole command; ends the process with the exit status."""
    app(prog_name="nbzero")
    return OK


# Completion: names from the release that the line names


def _completing(ctx: typer.Context) -> Bench | None:
    """The release of the line being completed; None where it cannot be read, because a shell has no place for an error while it completes."""
    release = (
        ctx.params.get("release")
        or ctx.find_root().params.get("release")
        or os.environ.get("NBZERO_RELEASE")
        or None
    )
    try:
        return Bench(release)
    except NBZeroError:
        return None


def _of_release(
    listed: Callable[[Bench, typer.Context], Iterable[str]],
) -> Callable[[typer.Context, str], list[str]]:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        bench = _completing(ctx)
        try:
            return [name for name in listed(bench, ctx) if name.startswith(incomplete)] if bench else []
        except NBZeroError:  # another space than there is, or a file that is damaged: nothing to complete
            return []

    return complete


def _settings(bench: Bench, ctx: typer.Context, kind: str) -> list[str]:
    spaces = [ctx.params["space"]] if ctx.params.get("space") else bench.spaces
    named = bench.recipes if kind == "runs" else bench.protocols
    return list(
        dict.fromkeys(
            name for space in spaces for dataset in bench.datasets(space) for name in named(space, dataset)
        )
    )


def _datasets_there(bench: Bench, ctx: typer.Context) -> list[str]:
    spaces = [ctx.params["space"]] if ctx.params.get("space") else bench.spaces
    return list(dict.fromkeys(dataset for space in spaces for dataset in bench.datasets(space)))


def _archs_there(ctx: typer.Context, incomplete: str) -> list[str]:
    bench = _completing(ctx)
    spaces = (
        [
            name
            for name in bench.spaces
            if incomplete.startswith(name) or name.startswith(incomplete) or name in IMPORTED
        ]
        if bench
        else []
    )
    found = []
    for name in spaces:
        assert bench is not None
        listed = [arch for arch in bench.space(name) if arch.startswith(incomplete)]
        found += listed[:MANY]
    return found


def _words(*names: str) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def _figures(incomplete: str) -> list[str]:
    from nbzero.plots import FIGURES

    return _words("list", *FIGURES)(incomplete)


def _hybrids(incomplete: str) -> list[str]:
    from nbzero.judge.hybrids import HYBRIDS

    return _words(*HYBRIDS)(incomplete)


def _in_list(names: Iterable[str]) -> Callable[[str], list[str]]:
    """The last name of a list with commas."""
    known = tuple(names)

    def complete(incomplete: str) -> list[str]:
        head, comma, last = incomplete.rpartition(",")
        return [head + comma + name for name in known if name.startswith(last)]

    return complete


def _seed(text: str) -> Any:
    if text == "mean":
        return text
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r}; it is a whole number from 0, or mean")
    return int(text)


SpaceArgument = Annotated[
    str,
    typer.Argument(
        help="Search space: see nbzero info.", autocompletion=_of_release(lambda bench, _: bench.spaces)
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="NAME",
        help="Data set; may be left out where there is one.",
        autocompletion=_of_release(_datasets_there),
    ),
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Training recipe; may be left out where there is one.",
        autocompletion=_of_release(lambda bench, ctx: _settings(bench, ctx, "runs")),
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="Scoring protocol. Default: the space's standard one.",
        autocompletion=_of_release(lambda bench, ctx: _settings(bench, ctx, "scores")),
    ),
]
SeedOption = Annotated[
    Any,
    typer.Option(
        "--seed", metavar="N|mean", parser=_seed, help="Of runs and scores: a number, or mean. Default: 0."
    ),
]
SplitOption = Annotated[Split, typer.Option("--split", help="val, or test for the final judgement only.")]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="CONDITION", help='Only archs for which it holds: "macs < 1e8 and s1_depth >= 2".'
    ),
]
ProxiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--proxies",
        "-p",
        metavar="A,B",
        help="Only these proxies; may be repeated.",
        autocompletion=_in_list(PROXIES),
    ),
]
CostsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cost",
        "-c",
        metavar="A,B",
        help="macs, params, depth or a stage feature; may be repeated. Default: the first three.",
        autocompletion=_in_list(COSTS),
    ),
]
BudgetsOption = Annotated[
    str,
    typer.Option(
        "--budgets",
        "-b",
        metavar="N|A,B",
        help="How many limits a cost has, or the limits of one cost: 1e7,2e7.",
    ),
]
JointOption = Annotated[
    str,
    typer.Option(
        "--budgets",
        "-b",
        metavar="N|A,B|COST=A",
        help="How many limits a cost has, the limits: 1e7,2e7, or one on several: macs=1e8,params=1e6.",
    ),
]
SpacingOption = Annotated[
    Literal["even", "quantile"], typer.Option("--spacing", help="Of a number of limits.")
]
ResamplesOption = Annotated[
    int,
    typer.Option("--resamples", min=0, metavar="N", help="Bootstrap resamples for intervals; 0 makes none."),
]
BootstrapSeedOption = Annotated[
    int | None, typer.Option("--bootstrap-seed", min=0, metavar="N", help="Of the resamples. Default: 0.")
]
LevelOption = Annotated[
    float | None,
    typer.Option("--level", metavar="SHARE", help="Of the resamples inside an interval. Default: 0.95."),
]
ScoreSeedOption = Annotated[
    Any,
    typer.Option(
        "--score-seed",
        metavar="N|mean",
        parser=_seed,
        help="Of the scores. Default: that of the runs, else 0.",
    ),
]
RawOption = Annotated[
    bool, typer.Option("--raw-signs", help="Leave scores as computed, without the registry's directions.")
]


def _names(given: list[str] | None) -> list[str] | None:
    """The names of a list option, which may be repeated and hold commas; None where it was not given."""
    if not given:
        return None
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(
            f"{', '.join(map(repr, given))} names nothing; give names with commas between them, or leave the option out"
        )
    return names


def _budgets(text: str, joint: bool = False) -> Any:
    """A number of budgets, limits, or, where that is allowed, limits by cost."""
    allowed = "a number of limits (5) or limits (1e7,2e7)" + (
        ", or one limit on several costs (macs=1e8,params=1e6)" if joint else ""
    )
    try:
        if "=" in text and joint:
            parts = [part.partition("=") for part in text.split(",")]
            limits = {name.strip(): float(limit) for name, _, limit in parts}
            if len(limits) < len(parts):
                raise UsageError(f"two limits on one cost in {text!r}")
            return limits
        return int(text) if text.isdecimal() else [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"budgets {text!r}; it is {allowed}") from None


def _dataset(bench: Bench, space: str, given: str | None, kind: Kind = "runs", by: str = "--dataset") -> str:
    """The data set meant: the one given, else the only one of which there are runs (or scores)."""
    if given is not None:
        return given
    named = bench.recipes if kind == "runs" else bench.protocols
    there = [dataset for dataset in bench.datasets(space) if named(space, dataset)]
    if not there:
        raise NothingFoundError(none_there(bench, space, kind))
    if len(there) > 1:
        raise UsageError(f"{space} has {kind} on several data sets; name one with {by}: {', '.join(there)}")
    return there[0]


def _noted(bench: Bench, source: "Source | Frame", space: str, protocol: str | None, *notes: str) -> Listing:
    """The same rows with notes that say which scores and which release they are from."""
    scores = protocol or standard_protocol(space)
    said = f"Scores of protocol {scores}; release {bench.version}." if scores else f"Release {bench.version}."
    return Listing(source.columns, source, source.title, [*notes, *source.notes, said])


# Looking up


@command
def info(call: Call) -> None:
    """What the release holds: its version, checksum and tables."""
    bench = call.bench
    listed: list[dict[str, Any]] = []
    for space in bench.spaces:
        opened = bench._space(space)
        head = {"space": space, "archs": len(opened.archs)}
        before = len(listed)
        for dataset in bench.datasets(space):
            for kind, named in (("runs", bench.recipes), ("scores", bench.protocols)):
                for name in named(space, dataset):
                    groups = {
                        seed: group
                        for (other, seed), group in opened.groups(f"{kind}/{dataset}").items()
                        if other == name
                    }
                    ids = {arch_id for group in groups.values() for arch_id in group.ids}
                    listed.append({
                        **head, "dataset": dataset, "kind": kind, "recipe_or_protocol": name, "seeds": ", ".join(map(str, sorted(groups))),
                        "archs_with": len(ids), "rows": sum(group.num_rows for group in groups.values()),
                    })  # fmt: skip
        if len(listed) == before:
            listed.append(
                {
                    **head,
                    "dataset": None,
                    "kind": None,
                    "recipe_or_protocol": None,
                    "seeds": None,
                    "archs_with": 0,
                    "rows": 0,
                }
            )
    title = f"Release {bench.version}, manifest SHA-256 {bench.sha256}, read by nbzero {__version__}"
    counts = {kind: sum(row["rows"] for row in listed if row["kind"] == kind) for kind in ("runs", "scores")}
    notes = [
        f"{sum(len(bench._space(space).archs) for space in bench.spaces):,} archs in {count_of(len(bench.spaces), 'space')}, "
        f"{count_of(counts['runs'], 'run')}, {count_of(counts['scores'], 'scored initialisation')}, {len(PROXIES)} proxies known. "
        f"At {bench._release.url}"
    ]
    call.show(
        Listing(
            ["space", "archs", "dataset", "kind", "recipe_or_protocol", "seeds", "archs_with", "rows"],
            listed,
            title,
            notes,
        )
    )


@command
def query(
    call: Call,
    arch: Annotated[
        str, typer.Argument(help="Arch string, or SPACE:ARCH_ID like r1-mini:0.", autocompletion=_archs_there)
    ],
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
) -> None:
    """Everything of one arch, a null with its reason.

    Its costs and choices, its runs of every recipe and its scores under every protocol, unless --recipe or --protocol names one.
    """
    _split_column(split)
    bench = call.bench
    record = _record(bench, arch)
    listed = [
        {"part": "arch", "name": name, "value": value} for name, value in _arch_facts(bench, record).items()
    ]
    datasets = bench.datasets(record.space) if dataset is None else [dataset]
    notes = [] if datasets else [f"The release has no runs and no scores of {record.space}."]
    for one in datasets:
        for named in _or_all(recipe, bench.recipes(record.space, one)):
            listed += [
                {"part": "run", "dataset": one, "setting": named, **row}
                for row in _run_rows(record, one, named, split, seed)
            ]
        for named in _or_all(protocol, bench.protocols(record.space, one)):
            listed += [
                {**row, "dataset": one, "setting": named}
                for row in _score_rows(bench, record, one, named, seed)
            ]
    empty = dict.fromkeys(("dataset", "setting", "seed", "value", "reason"))
    said = 0 if seed is None else seed
    listed = [{**empty, **row, "seed": None if row["part"] == "arch" else said} for row in listed]
    columns = ["part", "dataset", "setting", "seed", "name", "value", "reason"]
    title = f"{record.arch}: {record.space}, arch_id {record.arch_id}; split {split}, seed {said}; release {bench.version}"
    call.show(
        Listing(columns, [{name: row[name] for name in columns} for row in listed], title, notes),
        parts=_query_parts(listed, title, notes),
    )


def _or_all(given: str | None, there: Sequence[str]) -> Sequence[str | None]:
    """The recipe or protocol given, else all there are; one None where there is none, of which a record says why."""
    return [given] if given is not None else there or [None]


def _record(bench: Bench, arch: str) -> Record:
    space, colon, number = arch.partition(":")
    if not colon:
        return bench.query(arch)
    if not number.isdecimal():
        raise UsageError(f"{arch!r}; it is an arch string, or SPACE:ARCH_ID like r1-mini:0")
    try:
        return bench.query((space, int(number)))
    except NoSuchArchIdError as error:
        raise NotAMemberError(str(error)) from None


def _arch_facts(bench: Bench, record: Record) -> dict[str, Any]:
    """The columns of the archs table that an arch has, and flops."""
    opened = bench._space(record.space)
    facts: dict[str, Any] = {"space": record.space}
    for column in columns_of("archs", record.space):
        if column.name == "arch":
            facts["arch"] = record.arch
        elif opened.has("archs", column.name):
            value = opened.numbers("archs", column.name)[record.arch_id]
            facts[column.name] = None if value != value else int(value)
        if column.name == "macs" and "macs" in facts:
            facts["flops"] = 2 * facts["macs"]
    return {name: value for name, value in facts.items() if value is not None}


def _run_rows(
    record: Record, dataset: str, recipe: str | None, split: Split, seed: Seed
) -> Iterable[dict[str, Any]]:
    accuracy = record.accuracy(dataset, recipe, split, seed)
    reason = record.accuracy_reason(dataset, recipe, split, seed)
    yield {"name": _split_column(split), "value": accuracy, "reason": reason}
    if seed == "mean" or recipe is None:
        return
    run = record.run(dataset, recipe, one_seed(seed))
    left = ("arch", "dataset", "recipe", "seed", "val_acc", "test_acc")
    for name in (
        []
        if run is None
        else [
            name
            for cls in reversed(type(run).__mro__)
            for name in getattr(cls, "__slots__", ())
            if name not in left
        ]
    ):
        value = getattr(run, name)
        yield {"name": name, "value": list(value) if isinstance(value, tuple) else value}


def _score_rows(
    bench: Bench, record: Record, dataset: str, protocol: str | None, seed: Any
) -> Iterable[dict[str, Any]]:
    opened, table = bench._space(record.space), f"scores/{dataset}"
    if protocol is None or table not in opened.index.tables:
        yield {
            "part": "score",
            "name": "scores",
            "reason": record.score_reason("params", dataset, protocol, seed),
        }
        return
    stored = None if seed == "mean" else record.scores(dataset, protocol, one_seed(seed))
    if seed != "mean" and stored is None:
        yield {
            "part": "score",
            "name": "scores",
            "reason": record.score_reason("params", dataset, protocol, seed),
        }
        return
    for name in PROXIES:
        if opened.has(table, name):
            value, reason = (
                record.score(name, dataset, protocol, seed),
                record.score_reason(name, dataset, protocol, seed),
            )
            yield {"part": "score", "name": name, "value": value, "reason": reason}
    if stored is not None:
        yield from (
            {"part": "seconds", "name": name, "value": value}
            for name, value in stored.seconds.items()
            if value is not None
        )
        yield from (
            {"part": "scored by", "name": name, "value": getattr(stored, name)}
            for name in ("device", "software", "builder_commit")
        )


def _query_parts(listed: list[dict[str, Any]], title: str, notes: list[str]) -> Iterable[Listing]:
    """The rows of `query` as one table for each run, each scored initialisation, and the arch itself."""
    keys = list(dict.fromkeys((row["part"], row["dataset"], row["setting"], row["seed"]) for row in listed))
    for key in keys:
        part = [row for row in listed if (row["part"], row["dataset"], row["setting"], row["seed"]) == key]
        columns = ["name", "value", *(["reason"] if any(row["reason"] for row in part) else [])]
        said = (
            title
            if key[0] == "arch"
            else ", ".join([f"{key[0]}: {key[1]}", *([str(key[2])] if key[2] else []), f"seed {key[3]}"])
        )
        yield Listing(
            columns,
            [{name: row[name] for name in columns} for row in part],
            said,
            notes if key == keys[-1] else [],
        )


@command
def top(
    call: Call,
    space: SpaceArgument,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="NAME",
            help="accuracy, a proxy, a cost, or another column of numbers.",
            autocompletion=_words("accuracy", *COSTS, *PROXIES),
        ),
    ] = "accuracy",
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many archs.")] = 10,
    lowest: Annotated[
        bool | None,
        typer.Option(
            "--lowest/--highest",
            help="Lowest or highest values first. Default: the better first, by a proxy's direction.",
        ),
    ] = None,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
) -> None:
    """The archs with the best accuracy, score or cost."""
    import numpy as np

    bench, accuracy = call.bench, f"runs.{_split_column(split)}"
    of_archs = {column.name for column in columns_of("archs", bench.space(space).name)}
    column = (
        accuracy
        if by == "accuracy"
        else f"scores.{by}"
        if by in PROXIES and by not in of_archs | {*COSTS}
        else by
    )
    kind: Kind | None = (
        None
        if column.removeprefix("archs.") in of_archs
        else "scores"
        if column.startswith("scores.")
        else "runs"
    )
    if dataset is None and kind is not None:
        dataset = _dataset(bench, space, None, kind)
    shown = [column]
    if (
        dataset is not None
        and (recipe is not None or len(bench.recipes(space, dataset)) == 1)
        and accuracy not in shown
    ):
        shown.append(accuracy)
    shown += [name for name in COSTS if name in of_archs and name not in shown]
    view = bench.table(space, ["arch_id", "arch", *shown], dataset, recipe, protocol, seed, where)
    if view[column].dtype.kind not in "fiu":
        raise UsageError(f"{by} is a column of text; name one of numbers")
    values = np.asarray(view[column], np.float64)
    of_proxy = PROXIES.get(column.removeprefix("scores.")) if column.startswith("scores.") else None
    direction = of_proxy.direction if of_proxy else 1
    ascending = direction < 0 if lowest is None else lowest
    keyed = values if ascending else -values
    order = np.argsort(keyed, kind="stable")
    there = int((~np.isnan(values)).sum())
    order = order[: min(number, there)]
    metric = bench._space(space).metric(dataset) if dataset is not None and accuracy in shown else "accuracy"
    measured = split if metric == "accuracy" else f"{split} {metric}"
    if not there:
        before = (
            view
            if where is None
            else bench.table(space, ["arch_id", column], dataset, recipe, protocol, seed)
        )
        ids = before.arch_ids[~np.isnan(np.asarray(before[column], np.float64))]
        value = f"{f'{split} ' if by == 'accuracy' else ''}{by}" + (f" on {dataset}" if dataset else "")
        if where is not None and len(ids):
            from nbzero.table import none_meets

            counted = f"archs of {space} with a value of {value} (seed {0 if seed is None else seed})"
            raise none_meets(bench, space, where, ids, counted, dataset, recipe, protocol, seed)
        why = (
            None
            if of_proxy is None
            else bench.query((space, 0)).score_reason(of_proxy.name, str(dataset), protocol, seed)
        )
        seeds = _seeds_there(
            bench, space, kind, dataset, view.recipe if kind == "runs" else view.protocol, seed
        )
        raise NothingFoundError(
            f"no arch of {space} has a value of {value}"
            + (seeds or (f"; the first arch: {why}" if why else ""))
        )
    listed = []
    for row in order.tolist():
        line: dict[str, Any] = {
            "place": int((keyed < keyed[row]).sum()) + 1,
            "arch": str(view["arch"][row]),
            "arch_id": int(view["arch_id"][row]),
        }
        for name in shown:
            value = view[name][row].item()
            line["accuracy" if name == accuracy else name.removeprefix("scores.")] = (
                None if value != value else value
            )
        listed.append(line)
    used = {"dataset": view.dataset, "recipe": view.recipe, "protocol": view.protocol}
    said = [space, *(f"{value}" for value in used.values() if value)]
    said += [
        *([measured] if accuracy in shown else []),
        *([f"seed {view.seed}"] if view.dataset else []),
        *([f"where {where}"] if where else []),
    ]
    notes = [
        f"{'Lowest' if ascending else 'Highest'} {by} first"
        + (
            f"; the registry says that {'lower' if direction < 0 else 'higher'} is better."
            if of_proxy
            else "."
        )
    ]
    if there < len(values):
        notes.append(f"Without {by}, and left out: {len(values) - there} of {count_of(len(values), 'arch')}.")
    beyond = int((keyed == keyed[order[-1]]).sum()) - int((keyed[order] == keyed[order[-1]]).sum())
    if beyond:
        notes.append(
            f"{count_of(beyond, 'more arch has', 'more archs have')} the last value shown; equal ones are in build order."
        )
    call.show(
        Listing(
            list(listed[0]), listed, f"Top {len(order)} by {by}: {', '.join(said)}, N = {there:,}", notes
        ),
        keys=2,
    )


def _seeds_there(
    bench: Bench, space: str, kind: Kind | None, dataset: str | None, name: str | None, seed: Seed
) -> str:
    """What to add to "nothing found" where nothing can be found with that seed: the seeds that exist."""
    seeds = bench._space(space).seeds(kind, dataset, name) if kind and dataset and name else []
    if seed == "mean" or not seeds or one_seed(seed) in seeds:
        return ""
    return f" with seed {one_seed(seed)}; the {kind} of {name} have {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}, or mean"


@command
def space(
    call: Call,
    space: SpaceArgument,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="Draw N members without repeats.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of --sample. Default: 0.")] = None,
    neighbours: Annotated[
        str | None,
        typer.Option(
            "--neighbours",
            metavar="ARCH",
            help="The members nearest to an arch of the grid.",
            autocompletion=_archs_there,
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("-k", "--number", min=1, help="How many neighbours. Default: 8.")
    ] = None,
) -> None:
    """What a search space is; its members, drawn or near an arch."""
    if sample is not None and neighbours is not None:
        raise UsageError("--sample and --neighbours exclude each other; give one")
    for name, value, of, given in (
        ("--seed", seed, "--sample", sample),
        ("-k", number, "--neighbours", neighbours),
    ):
        if value is not None and given is None:
            raise UsageError(f"{name} goes with {of}; give both, or neither")
    bench = call.bench
    chosen = bench.space(space)
    if sample is None and neighbours is None:
        call.show(_definition(bench, space))
        return
    archs = (
        chosen.sample(sample, seed or 0)
        if sample is not None
        else chosen.neighbours(str(neighbours), number or 8)
    )
    opened = bench._space(space)
    listed = [
        {
            "arch": arch,
            "arch_id": opened.ids[arch],
            **{name: values[opened.ids[arch]] for name, values in opened.costs.items()},
        }
        for arch in archs
    ]
    said = (
        f"a sample of {len(archs)} of {len(chosen)} members, seed {seed or 0}"
        if sample is not None
        else f"{len(archs)} of {len(chosen)} members nearest to {neighbours}"
    )
    call.show(Listing(["arch", "arch_id", *opened.costs], listed, f"{space}: {said}"))


def _definition(bench: Bench, name: str) -> Listing:
    space = bench.space(name)
    if name in IMPORTED:
        definition = IMPORTED[name]
        facts = [
            ("benchmark", definition.title),
            ("members", f"{len(space)}"),
            ("example", definition.example),
        ]
        facts += [(choice.column, said_options(choice)) for choice in definition.choices]
    else:
        choices = CHOICES[name]
        listed = {
            "stem widths": choices.stems,
            "stage widths": choices.widths,
            "stage depths": choices.depths,
        }
        facts = [
            ("blocks", choices.family),
            *((word, " ".join(map(str, values))) for word, values in listed.items()),
        ]
        facts += [
            ("stages", "3 or 4, of which exactly three halve the resolution; widths do not decrease"),
            ("grid", f"{grid_size(name)}"),
        ]
        facts += [
            (
                "members",
                f"{len(space)}, a fixed sample of the grid within {MAX_MACS} macs and {MAX_PARAMS} params",
            ),
            ("example", space[0]),
        ]
    facts += [(f"doubtful: {proxy}", doubt) for proxy, doubt in doubts_of(name).items()]
    facts.append(("costs", ", ".join(bench._space(name).costs) or "none"))
    facts.append(("data sets", ", ".join(bench.datasets(name)) or "none in this release"))
    return Listing(
        ["what", "value"],
        [{"what": what, "value": value} for what, value in facts],
        f"Search space {name}, release {bench.version}",
    )


# Judging proxies


@command
def mbr(
    call: Call,
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    cost: CostsOption = None,
    budgets: JointOption = "5",
    spacing: SpacingOption = "even",
    proxies: ProxiesOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
    resamples: ResamplesOption = 0,
    bootstrap_seed: BootstrapSeedOption = None,
    level: LevelOption = None,
    score_seed: ScoreSeedOption = None,
    raw: RawOption = False,
) -> None:
    """Mean best ranking (mBR) of every proxy.

    Under limits of each cost, and over the union of them: 0 is the oracle; the smallest first.
    """
    bench = call.bench
    found = bench.mbr_table(
        space, _dataset(bench, space, dataset), recipe, _names(cost), _budgets(budgets, joint=True), spacing, split,
        _names(proxies), protocol, seed, not raw, where, *_bootstrap(resamples, bootstrap_seed, level), score_seed,
    )  # fmt: skip
    noted = _noted(bench, found.sorted("mbr_union"), space, protocol)
    per_cost = [
        name
        for name in noted.columns
        if name.startswith("mbr_") and not name.endswith(("_pool", "_low", "_high", "_union"))
    ]
    intervals = ("mbr_union_low", "mbr_union_high")
    call.show(
        noted, parts=[_only(noted, "proxy", *per_cost, "mbr_union", *intervals, "mbr_union_pool", "missing")]
    )


@command
def corr(
    call: Call,
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    k: Annotated[int | None, typer.Option("-k", min=1, help="Of best_rank_at_k. Default: 10.")] = None,
    fraction: Annotated[float, typer.Option("--fraction", help="Of precision_at_top_k.")] = 0.05,
    proxies: ProxiesOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
    resamples: ResamplesOption = 0,
    bootstrap_seed: BootstrapSeedOption = None,
    level: LevelOption = None,
    score_seed: ScoreSeedOption = None,
    raw: RawOption = False,
) -> None:
    """How well every proxy orders the measured archs.

    Kendall, Spearman, Pearson, BR@K and P@topK; the highest Kendall first.
    """
    bench = call.bench
    found = bench.correlations(
        space, _dataset(bench, space, dataset), recipe, k, fraction, split, _names(proxies), protocol, seed, not raw, where,
        *_bootstrap(resamples, bootstrap_seed, level), score_seed,
    )  # fmt: skip
    call.show(_noted(bench, found.sorted("kendall", descending=True), space, protocol))


@command
def constrained(
    call: Call,
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    cost: CostsOption = None,
    budgets: JointOption = "5",
    spacing: SpacingOption = "even",
    proxies: ProxiesOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
    resamples: ResamplesOption = 0,
    bootstrap_seed: BootstrapSeedOption = None,
    level: LevelOption = None,
    score_seed: ScoreSeedOption = None,
    raw: RawOption = False,
) -> None:
    """What every proxy picks within each limit.

    With the accuracy and the true rank of the pick; 0 is best.
    """
    bench = call.bench
    found = bench.constrained(
        space, _dataset(bench, space, dataset), recipe, _names(cost), _budgets(budgets, joint=True), spacing, split,
        _names(proxies), protocol, seed, not raw, where, *_bootstrap(resamples, bootstrap_seed, level), score_seed,
    )  # fmt: skip
    noted = _noted(bench, found, space, protocol)
    call.show(noted, parts=_pick_parts(noted))


def _bootstrap(resamples: int, seed: int | None, level: float | None) -> tuple[int, int, float]:
    """Resamples, their seed and the level of intervals; UsageError where there are no resamples to which one of them belongs."""
    if not resamples and (seed is not None or level is not None):
        raise UsageError("--bootstrap-seed and --level are of intervals, which need --resamples N")
    return resamples, seed or 0, 0.95 if level is None else level


def _pick_parts(source: Listing) -> Iterable[Listing]:
    """Picks as one table for each limit, the last with the notes."""
    heads = [name for name in ("spacing", "constraint") if name in source.columns]
    limits: dict[tuple[str, ...], list[text.Row]] = {}
    for row in source:
        limits.setdefault(tuple(row[name] for name in heads), []).append(row)
    wanted = (
        "proxy",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "true_rank",
        "true_rank_low",
        "true_rank_high",
        "num_tied",
        "arch",
    )
    shown = [name for name in wanted if name in source.columns]
    left = [name for name in source.columns if name not in (*shown, *heads, "pool_size")]
    notes = [*source.notes, f"Only in --csv and --json, which have all columns: {', '.join(left)}."]
    for number, (key, picked) in enumerate(limits.items(), 1):
        said = f"{': '.join(key)}: {count_of(picked[0]['pool_size'], 'arch')}"
        title = f"{source.title}\n\n{said}" if number == 1 else said
        yield Listing(
            shown,
            [{name: row[name] for name in shown} for row in picked],
            title,
            notes if number == len(limits) else [],
        )


@command
def hybrid(
    call: Call,
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="A published hybrid (sjw, az_nas, zen_macs, ..), instead of a search.",
            autocompletion=_hybrids,
        ),
    ] = None,
    proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--proxies",
            "-p",
            metavar="A,B",
            help="Proxies and costs to combine, at most 24. Default: all stored, macs and params; where those are more, the paper's nine with them.",
            autocompletion=_in_list([*PROXIES, *COSTS]),
        ),
    ] = None,
    rule: Annotated[
        Literal["rank_sum", "log_rank", "majority"] | None,
        typer.Option("--rule", help="How ranks are combined. Default: rank_sum."),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            metavar="POOL",
            help="Judge what was chosen on another pool: test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]; may be repeated.",
            autocompletion=_of_release(lambda bench, _: ["test", *bench.spaces]),
        ),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost", "-c", metavar="A,B", help="Costs of mBR. Default: macs.", autocompletion=_in_list(COSTS)
        ),
    ] = None,
    budgets: BudgetsOption = "5",
    spacing: SpacingOption = "quantile",
    normalise: Annotated[
        Literal["total", "pool"],
        typer.Option("--normalise", help="Divide ranks by all N, or by the archs within the limit."),
    ] = "total",
    best: Annotated[
        int | None,
        typer.Option(
            "--top", min=1, metavar="N", help="How many of each size to list, without --judge. Default: 3."
        ),
    ] = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    where: WhereOption = None,
    score_seed: ScoreSeedOption = None,
    split: SplitOption = "val",
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            min=0,
            metavar="N",
            help="Of accuracies dealt out at random, for the column chance. Default: 20.",
        ),
    ] = None,
    draw_seed: Annotated[
        int | None, typer.Option("--draw-seed", min=0, metavar="N", help="Of --draws. Default: 0.")
    ] = None,
    engine: Annotated[
        Literal["auto", "numpy", "numba"] | None,
        typer.Option("--engine", help="Same results. Default: auto."),
    ] = None,
) -> None:
    """The best combinations of proxies of every size.

    Chosen by mBR on --split; --judge says what they are worth elsewhere.
    """
    from nbzero.judge.hybrid_search import best_hybrids
    from nbzero.judge.hybrids import hybrid as published
    from nbzero.pool import pool_of

    bench = call.bench
    for option, value in (
        ("--proxies", proxies), ("--rule", rule), ("--top", best), ("--draws", draws), ("--draw-seed", draw_seed), ("--engine", engine),
    ):  # fmt: skip
        if value not in (None, []) and name is not None:
            raise UsageError(f"{option} goes with a search, --name reports a published hybrid; leave one out")
    if draws == 0 and draw_seed is not None:
        raise UsageError("--draw-seed is of --draws, of which there are none; leave one out")
    if best is not None and judge:
        raise UsageError("--top lists combinations, --judge judges the best of each size; leave one out")
    given, costs, limits = (
        published(name) if name is not None else None,
        _names(cost) or ["macs"],
        _budgets(budgets),
    )
    dataset = _dataset(bench, space, dataset)
    own = pool_of(bench, space, dataset, recipe, protocol, seed, split, where=where, score_seed=score_seed)
    others = [_pool_named(bench, text, own, protocol, seed, where, score_seed) for text in judge or ()]
    if given is not None:
        report = given.report([own, *others], costs, limits, spacing, normalise=normalise)
        call.show(_noted(bench, report, space, protocol))
        return
    search = best_hybrids(
        own,
        _names(proxies),
        rule or "rank_sum",
        costs,
        limits,
        spacing,
        normalise=normalise,
        draws=20 if draws is None else draws,
        draw_seed=draw_seed or 0,
        engine=engine or "auto",
    )
    found = search.judge(others) if others else search.table(best or 3)
    call.show(
        _noted(bench, found, space, protocol),
        keys=2,
        more={"searched": search.members, "not_searched": search.not_searched},
    )


def _pool_named(
    bench: Bench,
    text: str,
    own: "Pool",
    protocol: str | None,
    seed: Seed,
    where: str | None,
    score_seed: Seed,
) -> "Pool":
    """The pool that is named like test (of the same runs as `own`), or SPACE[:DATASET[:SPLIT[:RECIPE]]]."""
    from nbzero.pool import pool_of

    if text == "test":
        return pool_of(
            bench,
            own.space,
            own.dataset,
            own.recipe,
            own.protocol or None,
            seed,
            "test",
            where=where,
            score_seed=score_seed,
        )
    parts = text.split(":")
    if len(parts) > 4 or not all(parts):
        raise UsageError(f"pool {text!r}; it is test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]")
    space, dataset, split, recipe = (parts + [""] * 3)[:4]
    if split not in ("", "val", "test"):
        raise UsageError(f"pool {text!r} has split {split!r}; it is val or test")
    on = _dataset(bench, space, dataset or None, by=f"{space}:DATASET")
    there = bench.recipes(space, on)
    if not recipe and len(there) > 1:
        named = " or ".join(f"{space}:{on}:{split or 'val'}:{one}" for one in there)
        raise UsageError(
            f"pool {text!r}: {space} has runs of several recipes on {on}, which are never mixed; name one: {named}"
        )
    return pool_of(
        bench,
        space,
        on,
        recipe or None,
        protocol,
        seed,
        "test" if split == "test" else "val",
        where=where,
        score_seed=score_seed,
    )


@command
def factors(
    call: Call,
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            "-t",
            metavar="A,B",
            help="Proxies, accuracy, costs; may be repeated. Default: all there are.",
            autocompletion=_in_list(["accuracy", *COSTS, *PROXIES]),
        ),
    ] = None,
    transform: Annotated[
        Literal["rank", "raw"] | None,
        typer.Option("--transform", help="What the models predict. Default: rank."),
    ] = None,
    bias: Annotated[
        bool,
        typer.Option(
            "--bias", help="Instead: widths, depths and costs of the archs that each target likes best."
        ),
    ] = False,
    share: Annotated[
        float | None, typer.Option("--top", metavar="SHARE", help="Of the archs, with --bias. Default: 0.05.")
    ] = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
    score_seed: ScoreSeedOption = None,
) -> None:
    """Which stage features drive each proxy and accuracy.

    Importances of XGBoost models, beside how well they fit; or, with --bias, what the archs look like that each target likes best.
    """
    if share is not None and not bias:
        raise UsageError("--top goes with --bias; give both, or neither")
    if transform is not None and bias:
        raise UsageError("--transform is of the models, which --bias does not make; leave one out")
    bench = call.bench
    where_from = (
        space,
        _dataset(bench, space, dataset),
        _names(targets),
        recipe,
        protocol,
        seed,
        split,
        where,
    )
    more = {"score_seed": score_seed}
    found = (
        bench.bias(*where_from, 0.05 if share is None else share, **more)
        if bias
        else bench.factors(*where_from, transform or "rank", **more)
    )
    noted = _noted(bench, found, space, protocol)
    of_models = (
        "factor",
        "same_as",
        "gain",
        "permutation",
        "permutation_se",
        "r2",
        "fits",
        "num_archs",
        "reason",
    )
    of_liked = (
        "property",
        "mean",
        "pool_mean",
        "difference",
        "difference_se",
        "best_mean",
        "best_difference",
        "reason",
    )
    call.show(noted, keys=2, parts=[_only(noted, "target", *(of_liked if bias else of_models))])


@command
def evaluate(
    call: Call,
    file: Annotated[
        str, typer.Argument(help="Scores by arch: CSV, JSON or Parquet; - reads CSV or JSON from stdin.")
    ],
    space: SpaceArgument,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            metavar="NAME",
            help="Of the scores. Default: score, else the only column beside arch.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What to call the proxy.")] = "yours",
    better: Annotated[
        Literal["higher", "lower"], typer.Option("--direction", help="Which scores are better.")
    ] = "higher",
    part: Annotated[
        Literal["metrics", "picks", "intervals"], typer.Option("--part", help="Which table of the report.")
    ] = "metrics",
    k: Annotated[int | None, typer.Option("-k", min=1, help="Of best_rank_at_k. Default: 10.")] = None,
    fraction: Annotated[float, typer.Option("--fraction", help="Of precision_at_top_k.")] = 0.05,
    budgets: Annotated[int, typer.Option("--budgets", "-b", min=1, help="How many limits a cost has.")] = 5,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    split: SplitOption = "val",
    where: WhereOption = None,
    resamples: Annotated[
        int | None,
        typer.Option(
            "--resamples",
            min=1,
            metavar="N",
            help="Bootstrap resamples, with --part intervals. Default: 1000.",
        ),
    ] = None,
    bootstrap_seed: BootstrapSeedOption = None,
    level: LevelOption = None,
    score_seed: ScoreSeedOption = None,
) -> None:
    """Your own proxy beside all stored ones.

    From a file with a score for each arch. Archs without a score are counted; an arch that the space does not have is an error.
    """
    if part != "intervals" and not (resamples is bootstrap_seed is level is None):
        raise UsageError("--resamples, --bootstrap-seed and --level go with --part intervals")
    bench = call.bench
    scores = _read_scores(file, column)
    report = bench.evaluate(
        scores, space, _dataset(bench, space, dataset), recipe, name, 1 if better == "higher" else -1, k, fraction, budgets, split,
        protocol, seed, where, *_bootstrap((resamples or 1000) if part == "intervals" else 0, bootstrap_seed, level), score_seed,
    )  # fmt: skip
    if part == "picks":
        noted = _noted(bench, report.picks, space, protocol)
        call.show(noted, parts=_pick_parts(noted))
        return
    if part == "intervals":
        assert report.intervals is not None
        call.show(_noted(bench, report.intervals, space, protocol), keys=2)
        return
    key = "mbr_union" if "mbr_union" in report.metrics else "kendall"
    ordered = report.metrics.sorted(key, descending=key == "kendall")
    given = sum(value is not None and value == value for value in scores.values())
    notes = [
        f"With a score: {given} of {count_of(len(scores), 'arch')} in {'stdin' if file == '-' else file}."
    ]
    if not math.isnan(float(report.metrics[key][0])):
        notes.append(
            "{} is number {} of {} by {}, {} scores are better.".format(name, *report.place(key), key, better)
        )
    noted = _noted(bench, ordered, space, protocol, *notes)
    judged = (
        "kendall",
        "spearman",
        "pearson",
        "best_rank_at_k",
        "precision_at_top_k",
        "mbr_union",
        "mbr_union_pool",
        "quantile_mbr_union",
    )
    call.show(noted, parts=[_only(noted, "proxy", *judged)])


ABSENT = ("", "nan", "null", "none", "na", "n/a")


def _read_scores(file: str, column: str | None) -> dict[str, float | None]:
    """arch -> score of a file; UsageError naming what is wrong and where."""
    where = "stdin" if file == "-" else file
    if Path(file).suffix.lower() in (".parquet", ".pq"):
        table = _parquet(file)
        names, listed = table.column_names, table.to_pylist()
    else:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise _no_scores(file, error) from None
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{where} is no text in UTF-8 ({error.reason}); give CSV, JSON, or Parquet in a file that ends in .parquet"
            ) from None
        if not text.strip():
            raise UsageError(f"{where} is empty; it has a score for each arch")
        names, listed = _from_json(text, where) if text.lstrip()[0] in "[{" else _from_csv(text, where)
    if "arch" not in names:
        raise UsageError(
            f"{where} has no column arch, only {', '.join(map(str, names)) or 'none'}; give arch and score"
        )
    others = [name for name in names if name != "arch"]
    if column is None and "score" not in others and len(others) != 1:
        raise UsageError(
            f"{where} has the columns {', '.join(map(str, others)) or 'arch alone'}; say which holds the scores: --column NAME"
        )
    wanted = column or ("score" if "score" in others else others[0])
    if wanted not in others:
        raise unknown_name("column", wanted, others)
    scores: dict[str, float | None] = {}
    for number, row in enumerate(listed, 1):
        arch = row.get("arch")
        if not isinstance(arch, str) or not arch:
            raise UsageError(f"{where}: row {number} has arch {arch!r}; it is an arch string")
        if arch in scores:
            raise UsageError(f"{where}: row {number} has {arch} again; give each arch one score")
        scores[arch] = _score(row.get(wanted), f"{where}: row {number}: {wanted}")
    return scores


def _no_scores(file: str, error: OSError) -> UsageError:
    """A file of scores that cannot be opened: which, why, and what it has to be."""
    return UsageError(
        f"{file!r} cannot be read ({error.strerror or error}); it is a file of scores: CSV with a line of the columns arch and score, JSON like "
        '{"ARCH": SCORE, ..}, Parquet with the same columns, or - for stdin'
    )


def _parquet(file: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(file, "rb") as opened:
            return pq.read_table(opened)
    except OSError as error:
        raise _no_scores(file, error) from None
    except pa.ArrowException as error:
        raise UsageError(f"{file} is no Parquet file that can be read ({error})") from None


def _from_csv(text: str, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    import csv

    lines = list(csv.reader(text.splitlines()))
    names = [name.strip() for name in lines[0]]
    for mark in (";", "\t") if len(names) == 1 else ():
        if mark in names[0]:
            raise UsageError(
                f"{where}: its first line, {names[0]!r}, has {mark!r} between its columns; they are parted by commas, as in arch,score"
            )
    wrong = [number for number, line in enumerate(lines[1:], 1) if line and len(line) != len(names)]
    if wrong:
        found = count_of(len(lines[wrong[0]]), "value")
        raise UsageError(
            f"{where}: row {wrong[0]} has {found} for the {count_of(len(names), 'column')} {', '.join(names)}"
        )
    return names, [
        dict(zip(names, (value.strip() for value in line), strict=True)) for line in lines[1:] if line
    ]


def _from_json(text: str, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is no JSON ({error})") from None
    if isinstance(content, dict) and isinstance(content.get("rows"), list):
        content = content["rows"]
    if isinstance(content, dict):
        content = [{"arch": arch, "score": score} for arch, score in content.items()]
    if not all(isinstance(row, dict) for row in content):
        raise UsageError(f'{where} is neither {{"ARCH": SCORE, ..}} nor [{{"arch": .., "score": ..}}, ..]')
    return list(dict.fromkeys(name for row in content for name in row)), content


def _score(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, str) and value.lower() in ABSENT):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where} is {value!r}; it is a number, or empty where there is none") from None


# Files


@command
def plot(
    call: Call,
    figure: Annotated[
        str,
        typer.Argument(
            help="Which figure: mbr, scatter, macs, factors, ..; list shows all.", autocompletion=_figures
        ),
    ],
    space: Annotated[
        str | None,
        typer.Argument(help="Search space.", autocompletion=_of_release(lambda bench, _: bench.spaces)),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Ends in .png, .pdf or .svg. Default: FIGURE-SPACE.png here."
        ),
    ] = None,
    dpi: Annotated[int, typer.Option("--dpi", min=20, max=1200, help="Dots per inch of a .png.")] = 150,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    split: SplitOption = "val",
    proxies: ProxiesOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    where: WhereOption = None,
    score_seed: ScoreSeedOption = None,
) -> None:
    """Draw one of the paper's figures into a file.

    nbzero plot mbr r1-mini; nbzero plot list shows what there is. Needs matplotlib.
    """
    from nbzero.files import write_whole
    from nbzero.plots import FIGURES, drawing

    if figure == "list":
        listed = [
            {"figure": one.name, "number": one.number, "shows": one.meaning} for one in FIGURES.values()
        ]
        call.show(Listing(["figure", "number", "shows"], listed, "Figures, by their number in the paper"))
        return
    chosen = drawing(figure)
    if space is None:
        raise UsageError(f"plot {figure} needs a space: nbzero plot {figure} SPACE")
    path = out or Path(f"{figure}-{space}.png")
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"--out {path}; it ends in .png, .pdf or .svg")
    bench = call.bench
    on = _dataset(bench, space, dataset)
    made = chosen.make(bench, space, on, recipe, split, _names(proxies), protocol, seed, where, score_seed)
    drawn = io.BytesIO()
    made.savefig(drawn, dpi=dpi, format=path.suffix[1:].lower())
    write_whole(path, drawn.getvalue(), "draw the figure again")
    used = recipe or ", ".join(bench.recipes(space, on))
    title = f"Figure {chosen.number}: {chosen.meaning}: {space}, {on}, {used}, {split}, seed {0 if seed is None else seed}"
    title += f", where {where}" if where else ""
    call.show(
        _noted(
            bench,
            Listing(["figure", "file"], [{"figure": figure, "file": str(path)}], title),
            space,
            protocol,
        )
    )


@command
def report(
    call: Call,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write it into.")],
    spaces: Annotated[
        list[str] | None,
        typer.Option(
            "--spaces",
            metavar="A,B",
            help="Only these; may be repeated. Default: all that have runs.",
            autocompletion=_in_list([*CHOICES, *IMPORTED]),
        ),
    ] = None,
    split: SplitOption = "val",
    resamples: Annotated[
        int,
        typer.Option(
            "--resamples",
            min=0,
            metavar="N",
            help="Of the intervals, which take seconds a data set; 0 makes none.",
        ),
    ] = 200,
) -> None:
    """Write one HTML page with every table and chart.

    It needs no network to read.
    """
    from nbzero.report import write_report

    path = write_report(call.bench, out, _names(spaces), split, resamples=resamples)
    call.show(Listing(["file"], [{"file": str(path)}], f"Report of release {call.bench.version}"))


@command
def export(
    call: Call,
    space: SpaceArgument,
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
            help="May be repeated. Default: all of archs; with --dataset also its runs and scores.",
        ),
    ] = None,
    dataset: DatasetOption = None,
    recipe: RecipeOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = None,
    where: WhereOption = None,
) -> None:
    """The table of a space as CSV, JSON or Parquet.

    What Bench.table gives: one row an arch, in build order.
    """
    asked = None if call.form == "table" else call.form
    if form is not None and asked is not None and form != asked:
        raise UsageError(f"--{asked} and --format {form} say different things; leave one out")
    kind = (
        form
        or asked
        or (Path(out).suffix.lower().removeprefix(".") if out != "-" and Path(out).suffix else "csv")
    )
    if kind not in ("csv", "parquet", "json"):
        raise unknown_name("format", kind, ("csv", "parquet", "json"))
    if kind == "parquet" and out == "-" and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal; give --out FILE, or a pipe")
    bench = call.bench
    view = bench.table(space, _names(columns), dataset, recipe, protocol, seed, where)
    archs = bench.table(space)
    if where is not None and not len(view):
        from nbzero.table import none_meets

        raise none_meets(
            bench, space, where, archs.arch_ids, f"archs of {space}", dataset, recipe, protocol, seed
        )
    measured = [name for name in view.columns if name not in archs.columns]
    if (
        measured
        and seed not in (None, "mean")
        and all(value is None or value != value for name in measured for value in view[name].tolist())
    ):
        raise NothingFoundError(
            f"no arch of {space} has runs or scores with seed {seed} on {dataset}; nothing was written: nbzero info lists the seeds"
        )
    selected = [
        value
        for value in (
            view.dataset,
            view.recipe,
            view.protocol,
            None if view.dataset is None else f"seed {view.seed}",
        )
        if value
    ]
    title = ", ".join(
        [
            space,
            *selected,
            *([f"where {where}"] if where else []),
            f"N = {len(view):,}, release {bench.version}",
        ]
    )
    table = view.to_arrow()
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        said = {
            "nbzero.selected": title,
            "nbzero.data_version": bench.version,
            "nbzero.manifest_sha256": bench.sha256,
        }
        pq.write_table(
            table.replace_schema_metadata({**(table.schema.metadata or {}), **said}), sink, compression="zstd"
        )
        data: bytes = sink.getvalue().to_pybytes()
    else:
        listed = table.to_pylist()
        data = (
            text.csv_text(table.column_names, listed)
            if kind == "csv"
            else text.json_text(title, [], listed) + "\n"
        ).encode()
    if out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        from nbzero.files import write_whole

        write_whole(Path(out), data, "run the same command again")
    print(title + ("" if out == "-" else f", written to {out}"), file=sys.stderr)


# The release itself


@command
def verify(
    call: Call,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]", help="Folder or URL. Default: --release, else the one inside nbzero."
        ),
    ] = None,
) -> None:
    """Check every file of a release.

    Against its manifest, the schema, the spaces' definitions and each other.
    """
    from nbzero.release.manifest import Release
    from nbzero.release.verify import verify as check

    where = path or call.release
    Release.open(where)  # what is no release at all is wrong usage, not a check that failed
    try:
        lines = check(where)
    except ReleaseError as error:
        raise _fail(f"verify: {error}", NOTHING) from None
    bench = Bench(where)
    listed = [dict(zip(("file", "holds"), line.split(": ", 1), strict=True)) for line in lines]
    title = f"{bench._release.url}: data version {bench.version}, all {count_of(len(lines), 'file')} hold"
    call.show(Listing(["file", "holds"], listed, title, [f"Manifest SHA-256 {bench.sha256}"]))


@command
def cite(
    call: Call,
    proxies: ProxiesOption = None,
) -> None:
    """BibTeX of this release and of what it rests on.

    Of the benchmarks that it has imported, with repository, commit and licence, and of the papers of the proxies that it has scores of.
    """
    from nbzero.cite import ORIGIN, benchmark, imported, papers

    bench = call.bench
    spaces = [name for name in bench.spaces if name in IMPORTED]
    own = benchmark(
        bench.version,
        bench.sha256,
        [IMPORTED[name].title for name in spaces] if len(spaces) == len(bench.spaces) else (),
    )
    chosen = {
        own: (),
        **dict.fromkeys(imported(bench, spaces), ()),
        ORIGIN: (),
        **papers(_names(proxies) or _proxies_there(bench)),
    }
    if call.form == "table":
        print(
            "\n\n".join(
                (f"% {', '.join(names)}\n" if names else "") + paper.bibtex for paper, names in chosen.items()
            )
        )
        sys.stdout.flush()
        return
    listed = [
        {"key": paper.key, "proxies": ", ".join(names), "title": paper.title, "bibtex": paper.bibtex}
        for paper, names in chosen.items()
    ]
    call.show(
        Listing(["key", "proxies", "title", "bibtex"], listed, f"What to cite with release {bench.version}")
    )


def _proxies_there(bench: Bench) -> list[str]:
    """The proxies that the release has scores of, in the registry's order."""
    opened = [
        (bench._space(space), f"scores/{dataset}")
        for space in bench.spaces
        for dataset in bench._space(space).datasets("scores")
    ]
    return [name for name in PROXIES if any(space.has(table, name) for space, table in opened)]
