"""From the tables of a published benchmark to those of a release: what all benchmarks share.

Percentages become fractions. Nothing that the source does not give is filled in: it is null, and device and
software say so. A number that is out of its range, an arch that is missing or a cost that is not what the
definition gives is an error.

A file may be anything. What is read of it is first made of the types that are expected, or refused with the
file's name. Parquet is read here, which runs nothing of what is in it. Files as a benchmark's authors publish
them are known by their content (`nbzero.importers.official`). Their rows join those of the Parquet files.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nbzero.errors import ReleaseError, count_of, quoted
from nbzero.importers.official import Apart, Form, Official, form_of, here, official_of
from nbzero.importers.own_scores import OwnScores
from nbzero.proxies.facts import PROXIES
from nbzero.release.index import sort_keys
from nbzero.release.places import placed
from nbzero.release.reading import open_regular
from nbzero.release.schema import KEYS, Table, TableKey, arrow_schema, check_rows, imported_row, path_of
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Rows = dict[TableKey, list[Row]]
NOT_GIVEN = "not given by the source"
MAX_ROWS = 1 << 18  # of a source's table: five times as many as the largest has
MAX_BYTES = 1 << 30  # of a source's table, once it is read: a hundred times as many
# What a column holds: texts, whole numbers, numbers, a list of numbers a row, or a list of anything a row.
Kind = Literal["text", "whole", "number", "numbers", "list"]
GIVE = "give the benchmark's Parquet files, or their folder, or an official file that --help names"
STAND_IN = -1e8  # NASLib's number for a score that was NaN or infinite


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers of a benchmark were found: repository, commit, path, licence, and what was taken."""

    repository: str
    commit: str
    path: str
    licence: str
    holds: str

    @property
    def place(self) -> str:
        """Where it is to be had, without the commit.

        >>> Source("owner/name", "0428083b", "a.csv", "MIT", "numbers").place
        'a.csv in github.com/owner/name'
        """
        repository = f"github.com/{self.repository}"
        return f"{self.path} in {repository}" if self.path else repository


@dataclass(frozen=True, slots=True)
class Importer:
    """How a published benchmark becomes a release.

    Attributes:
        space: its name among the spaces.
        sources: where the numbers of each table were found.
        files: the columns that are read and what they hold, by file.
        rows: makes the rows of all tables from the files; raises as `tables_of`.
        runs: its recipes and their seeds, in words.
        optional: the files without which it is imported too.
        left_out: why a column is not imported, by its name or by what stands before its first underscore.
        official: the files of its authors that can be read.
    """

    space: str
    sources: Mapping[Table, tuple[Source, ...]]
    files: Mapping[str, Mapping[str, Kind]]
    rows: Callable[[Mapping[str, pa.Table]], Rows]
    runs: str
    optional: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    official: tuple[Official, ...] = ()

    @property
    def packed(self) -> tuple[Source, ...]:
        """Of which the numbers of its Parquet files are, each once; none where it has no such files."""
        if not self.files:
            return ()
        listed = [source for sources in self.sources.values() for source in sources]
        return tuple(dict.fromkeys(listed))


def official_sources(tables: str, official: Official) -> dict[Table, tuple[Source, ...]]:
    """The sources of a benchmark that is imported from an official file alone.

    Args:
        tables: the tables that it gives, by their names with spaces between.
    """
    kinds: tuple[Table, ...] = ("archs", "runs", "scores")
    return {kind: (source_of(official),) for kind in kinds if kind in tables.split()}


def source_of(official: Official) -> Source:
    return Source(official.repository, official.version, official.name, official.licence, official.becomes)


def no_tables(files: Mapping[str, pa.Table]) -> Rows:
    """The rows of Parquet files of a benchmark that has none."""
    return {}


# Reading the files


class Sources(dict[str, "pa.Table"]):
    """A benchmark's tables by the name of their file.

    Attributes:
        paths: the files that they were read from, in the same order.
        official: the official files beside them, each with its kind.
    """

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        paths: Iterable[Path],
        official: Iterable[tuple[Path, Official]] = (),
    ) -> None:
        super().__init__(tables)
        self.paths = tuple(paths)
        self.official = tuple(official)


def read_sources(importer: Importer, paths: Iterable[str]) -> Sources:
    """The benchmark's tables, from files or folders. Official files are recognised, and read by `tables_of`.

    Raises:
        ReleaseError: a path that is not there, a file that is neither Parquet nor official, lacks columns or
            has other types in them, the same table twice, or a table missing.
    """
    found: dict[str, tuple[Path, pa.Table]] = {}
    given = [Path(path) for path in paths]
    forms = {path: form_of(path) for path in given}
    official = _official(importer, forms)
    for path in given:
        if forms[path]:
            continue
        if not importer.files:
            raise _not_official(importer, path)
        for file in _files_at(path, importer):
            table = _read(file)
            role = _role_of(table, file, importer)
            if role in found:
                raise ReleaseError(
                    f"{found[role][0]} and {file} are both a {role} table of {importer.space}; name one"
                )
            found[role] = (file, of_kinds(table, importer.files[role], file))
    gives_archs = any(kind.gives_archs for _, kind in official)
    for role in importer.files:
        if role not in found and role not in importer.optional and not gives_archs:
            raise ReleaseError(
                f"--source has no {role} table of {importer.space} ({role}.parquet), only "
                f"{', '.join(map(str, given))}; name its file or folder"
            )
    if not found and not gives_archs:
        raise _not_official(importer, given[0])
    tables = {role: table for role, (_, table) in found.items()}
    return Sources(tables, [file for file, _ in found.values()], official)


def _not_official(importer: Importer, path: Path) -> ReleaseError:
    names = "; ".join(kind.name for kind in importer.official if kind.gives_archs)
    if os.path.lexists(path):
        return ReleaseError(f"{path} is no official file of {importer.space} with its archs; give {names}")
    return ReleaseError(f"{path}: there is no such file or folder; give {names}")


def _official(importer: Importer, forms: Mapping[Path, Form | None]) -> list[tuple[Path, Official]]:
    """The official files among those given, those with the archs first."""
    found = []
    for path, form in forms.items():
        if form:
            found.append((path, official_of(path, form, importer.official, importer.space)))
    return sorted(found, key=lambda one: not one[1].gives_archs)


def _files_at(path: Path, importer: Importer) -> list[Path]:
    """The file itself, or those of the benchmark that a folder has."""
    if not os.path.isdir(path):
        return [path]
    names = [f"{role}.parquet" for role in importer.files]
    files = [path / name for name in names if os.path.lexists(path / name)]
    if not files:
        raise ReleaseError(f"{path} has no {' or '.join(names)}; name the file itself, or another folder")
    return files


def _read(path: Path) -> pa.Table:
    """The table of a file, whole in itself: every text is UTF-8, every list within its values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_regular(path, GIVE) as opened:
            file = pq.ParquetFile(opened)
            _check_size(file.metadata, path)
            table = file.read()
        table.validate(full=True)
        _check_names(table.column_names, path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said: object = error
        if not os.path.lexists(path):
            said = "there is no such file or folder"
        raise ReleaseError(
            f"{path} is no Parquet file that can be read ({str(said)[:500]}); {GIVE}"
        ) from error
    return table


def _check_size(metadata: Any, path: Path) -> None:
    """ReleaseError before anything is read of a table that is far larger than that of any benchmark."""
    nbytes = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > MAX_ROWS or nbytes > MAX_BYTES:
        raise ReleaseError(
            f"{path} says that it has {metadata.num_rows:,} rows and {nbytes:,} bytes, no benchmark's table "
            f"has more than {MAX_ROWS:,} and {MAX_BYTES:,}; {GIVE}"
        )


def _check_names(names: Sequence[str], path: Path) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ReleaseError(f"{path} has {count} columns named {quoted(name)}; a table has each once")


def _role_of(table: pa.Table, file: Path, importer: Importer) -> str:
    """Which of the benchmark's tables a table is, by its columns and not by the file's name."""
    lacking = {}
    for role, columns in importer.files.items():
        lacking[role] = [column for column in columns if column not in table.column_names]
    role = min(lacking, key=lambda role: len(lacking[role]))
    if lacking[role]:
        raise ReleaseError(
            f"{file} lacks the columns {', '.join(lacking[role])}; it is no {role} table of {importer.space}"
        )
    return role


def of_kinds(table: pa.Table, kinds: Mapping[str, Kind], file: Path) -> pa.Table:
    """The table with each column that is read as what it should hold.

    Raises:
        ReleaseError: a column of another type, or a value that does not fit.
    """
    import pyarrow as pa

    wanted = {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "numbers": pa.list_(pa.float64()),
    }
    for name, kind in kinds.items():
        at = table.column_names.index(name)
        column = table.column(at)
        if not _is_kind(column.type, kind):
            raise ReleaseError(f"{file}: {name} is of type {quoted(str(column.type))}; it holds {SAID[kind]}")
        if kind == "list":
            continue
        try:
            table = table.set_column(at, name, column.cast(wanted[kind]))
        except pa.ArrowException as error:
            said = str(error)[:500]
            raise ReleaseError(f"{file}: {name} is no column of {SAID[kind]}: {said}") from error
    return table


SAID = {
    "text": "texts",
    "whole": "whole numbers",
    "number": "numbers",
    "numbers": "a list of numbers a row",
    "list": "a list a row",
}


def _is_kind(given: pa.DataType, kind: Kind) -> bool:
    """Whether a column of an Arrow type may hold what is expected; one without any value may."""
    import pyarrow.types as types

    is_list = types.is_list(given) or types.is_large_list(given)
    if kind == "list":
        return bool(is_list)
    if kind == "numbers":
        return is_list and _is_kind(given.value_type, "number")
    if types.is_null(given):
        return True
    if kind == "text":
        if types.is_dictionary(given):
            given = given.value_type
        return bool(types.is_string(given) or types.is_large_string(given))
    return bool(types.is_integer(given) or types.is_floating(given) or types.is_decimal(given))


# Reading and checking columns


def numbers(table: pa.Table, name: str) -> Floats:
    """A column of numbers, NaN where it is null."""
    return np.asarray(table.column(name).to_numpy(), np.float64)


def column(table: pa.Table, name: str, where: str) -> Floats:
    """A column of numbers; ReleaseError, which names the table by `where`, for a null, NaN or infinity."""
    values = numbers(table, name)
    absent = np.isnan(values)
    if absent.any():
        raise ReleaseError(
            f"{where}: {name} is null or NaN in row {int(absent.argmax())}, where the table has a number"
        )
    infinite = np.isinf(values)
    if infinite.any():
        raise ReleaseError(
            f"{where}: {name} is infinite in row {int(infinite.argmax())}, where the table has a number"
        )
    return values


def in_order(table: pa.Table, name: str, where: str, num_rows: int | None = None) -> pa.Table:
    """The table sorted by a column that numbers its rows from 0.

    Args:
        num_rows: how many there must be; None: as many as there are.

    Raises:
        ReleaseError: a number that is there twice or not at all.
    """
    if num_rows is None:
        num_rows = table.num_rows
    index = column(table, name, where)
    if sorted(index.tolist()) != list(range(num_rows)):
        raise ReleaseError(f"{where}: {name} is not each of 0 to {num_rows - 1} once")
    return table.take(np.argsort(index))


def decimals(values: npt.ArrayLike) -> Floats:
    """float32 numbers as the shortest decimals that they stand for: 85.42 for 85.41999816894531."""
    with np.errstate(over="ignore"):  # what is beyond float32 is beyond every range that is checked
        singles = np.asarray(values, np.float32)
    return np.array([float(str(value)) for value in singles], np.float64)


def fractions(percentages: npt.ArrayLike, where: str) -> Floats:
    """Percentages as fractions; ReleaseError for any outside [0, 100]."""
    values = np.asarray(percentages, np.float64)
    outside = ~((values >= 0) & (values <= 100))
    if outside.any():
        raise ReleaseError(
            f"{where}: {int(outside.sum())} of {len(values)} values outside [0, 100] percent, "
            f"first {values[outside.argmax()]:g}"
        )
    return np.round(decimals(values) / 100, 10)


def fractions_of(table: pa.Table, name: str, where: str) -> Floats:
    """A column of percentages as fractions; ReleaseError as `column` and `fractions`."""
    return fractions(column(table, name, where), f"{where}: {name}")


def checked_archs(archs: Sequence[str], space: str, where: str) -> list[tuple[int, ...]]:
    """The choices of every arch.

    Raises:
        ReleaseError: a wrong number of archs, one that is malformed, or one that is there twice.
    """
    definition = IMPORTED[space]
    choices = []
    for row, arch in enumerate(archs):
        try:
            choices.append(definition.parse(arch))
        except ValueError as error:
            raise ReleaseError(f"{where}: row {row}: {error}") from error
    for arch, count in Counter(archs).items():
        if count > 1:
            raise ReleaseError(f"{where} has {arch} more than once; a table has each arch once")
    if len(archs) != definition.num_members:
        raise ReleaseError(
            f"{where} has {count_of(len(archs), 'arch')} of {space}, "
            f"the whole table has {definition.num_members}"
        )
    return choices


def check_costs(archs: Sequence[str], space: str, published: Mapping[str, Floats], where: str) -> None:
    """ReleaseError where a published cost is not what the definition of the space gives."""
    definition = IMPORTED[space]
    for row, arch in enumerate(archs):
        counted = definition.costs(definition.parse(arch))
        for cost, values in published.items():
            if round(float(values[row])) != counted[cost]:
                raise ReleaseError(
                    f"{where}: row {row} ({arch}) has {values[row]:.15g} {cost}, "
                    f"its definition gives {counted[cost]}"
                )


# The rows of the release


def archs_rows(space: str, archs: Sequence[str], classes: Sequence[int] | None = None) -> list[Row]:
    """The rows of an archs table, with `iso_class` where there are classes."""
    rows = [imported_row(space, arch_id, arch) for arch_id, arch in enumerate(archs)]
    if classes:
        for row, number in zip(rows, classes, strict=True):
            row["iso_class"] = number
    return rows


def runs_rows(
    recipe: str,
    val: Floats | None,
    test: Floats | None,
    seed: int = 0,
    ids: npt.NDArray[Any] | None = None,
    metric: str = "accuracy",
    averaged: str = "no",
) -> list[Row]:
    """One row per arch with the two numbers that the source gives.

    Args:
        val, test: a number per arch; None: the source gives none of that split.
        ids: the `arch_id` of each; None: all, in order.
        metric: what the numbers are.
        averaged: over which runs they are means.
    """
    given = val if val is not None else test
    assert given is not None
    absent = [None] * len(given)
    vals = absent if val is None else val.tolist()
    tests = absent if test is None else test.tolist()
    arch_ids = range(len(given)) if ids is None else ids.tolist()
    same = {
        "recipe": recipe,
        "seed": seed,
        "status": "ok",
        "train_loss": None,
        "curve": [],
        "train_time_s": None,
        "metric": metric,
        "averaged": averaged,
        "device": NOT_GIVEN,
        "engine": NOT_GIVEN,
        "software": NOT_GIVEN,
        "builder_commit": NOT_GIVEN,
    }
    rows = []
    for arch_id, val_acc, test_acc in zip(arch_ids, vals, tests, strict=True):
        rows.append({"arch_id": arch_id, "val_acc": val_acc, "test_acc": test_acc, **same})
    return rows


def scores_rows(
    space: str, scores: Mapping[str, Floats], protocol: str = "", ids: Sequence[int] | None = None
) -> list[Row]:
    """One row per arch, of its scores by proxy.

    NaN and NASLib's stand-in become null with a reason. Minus infinity stays.

    Args:
        protocol: "" is the one with which the space comes.
        ids: the `arch_id` of each; None: all, in order.
    """
    same = {
        "protocol": protocol or IMPORTED[space].protocol,
        "seed": 0,
        "device": NOT_GIVEN,
        "software": NOT_GIVEN,
        "builder_commit": NOT_GIVEN,
    }
    rows = []
    by_arch = list(zip(*scores.values(), strict=True))
    for arch_id, values in zip(range(len(by_arch)) if ids is None else ids, by_arch, strict=True):
        row: Row = {"arch_id": arch_id, "failures": None, **same}
        reasons = {}
        for proxy, value in zip(scores, values, strict=True):
            row[proxy] = float(value)
            reason = _why_null(row[proxy])
            if reason:
                row[proxy] = None
                reasons[proxy] = reason
        if reasons:
            row["failures"] = json.dumps(reasons, sort_keys=True)
        rows.append(row)
    return rows


def _why_null(score: float) -> str:
    """Why a number of the source is stored as null; "" where it is a score."""
    if score == STAND_IN:
        return "it was not finite (the source has -1e8 in its place)"
    if np.isnan(score):
        return NOT_GIVEN
    return ""


# The tables of the release


def tables_of(
    importer: Importer, files: Sources, apart: Apart = here, ours: Iterable[OwnScores] = ()
) -> dict[TableKey, pa.Table]:
    """The tables of an imported space, in release order, from what `read_sources` found.

    Args:
        apart: how functions are called that read what a stranger made.
        ours: scores of ours to join. Those of archs that the benchmark's table lacks are left out.

    Raises:
        ReleaseError: archs that are missing, malformed or there twice, a null or a number out of its range, a
            cost that is not what the definition of the space gives, the same runs or scores in two files. It
            names the table, the row and what is wrong, and the files.
    """
    try:
        rows = importer.rows(files) if files else {}
        _check_values(rows)
    except ReleaseError as error:
        raise ReleaseError(f"{error} (in {', '.join(map(str, files.paths))})") from error
    given = {key: list(importer.sources[key[0]]) for key in rows}
    for path, kind in files.official:
        _join(rows, given, importer.space, path, kind, apart)
    for scores in ours:
        _join_own(rows, given, importer.space, scores)
    archs = [row["arch"] for row in rows["archs", importer.space, None]]
    tables = {}
    for key, of_table in rows.items():
        table = table_of(importer, key[0], of_table, given[key])
        tables[key] = placed(key, table, archs, path_of(*key))
    return tables


def _join(
    rows: Rows,
    given: dict[TableKey, list[Source]],
    space: str,
    path: Path,
    kind: Official,
    apart: Apart,
) -> None:
    """Add the rows of an official file to those of others, and its source to theirs."""
    of_archs: TableKey = ("archs", space, None)
    known = None
    if of_archs in rows:
        known = [row["arch"] for row in rows[of_archs]]
    read = kind.read(path, apart, known)
    _check_values(read, f"{path}: ")
    if of_archs in read and known and [row["arch"] for row in read[of_archs]] != known:
        raise ReleaseError(f"{path} has other archs, or in another order, than the other files of --source")
    for key, more in read.items():
        given.setdefault(key, []).append(source_of(kind))
        if key == of_archs and known:
            continue
        there = rows.setdefault(key, [])
        _check_not_twice(key[0], there, more, path)
        there += more
        if key[0] == "scores":
            _even(there)


def _check_values(rows: Rows, of_file: str = "") -> None:
    """ReleaseError for a value of archs or runs that their columns may not hold. Scores may be any number.

    Args:
        of_file: what the message begins with.
    """
    for (kind, space, dataset), of_table in rows.items():
        if kind == "scores":
            continue
        on = f" on {dataset}" if dataset else ""
        check_rows(kind, of_table, f"{of_file}{kind} of {space}{on}", space)


def _join_own(rows: Rows, given: dict[TableKey, list[Source]], space: str, scores: OwnScores) -> None:
    """Add scores of ours to those of the source, numbered as its archs are."""
    ids = {row["arch"]: row["arch_id"] for row in rows["archs", space, None]}
    more = [{"arch_id": ids[arch], **row} for arch, row in scores.rows if arch in ids]
    if not more:
        return
    key: TableKey = ("scores", space, scores.dataset)
    source = Source("nbzero", scores.version, scores.path, scores.licence, scores.holds)
    given.setdefault(key, []).append(source)
    there = rows.setdefault(key, [])
    there += more
    _even(there)


def _check_not_twice(kind: Table, there: Sequence[Row], more: Sequence[Row], path: Path) -> None:
    """ReleaseError where both have runs of a recipe, or scores of a protocol, with the same seed."""
    if kind == "archs":
        return
    name = KEYS[kind][1]
    twice = {(row[name], row["seed"]) for row in there} & {(row[name], row["seed"]) for row in more}
    for value, seed in sorted(twice):
        raise ReleaseError(
            f"{path} has {kind} of {name} {value} with seed {seed}, and so has another file of --source; "
            "give one of them"
        )


def _even(rows: Sequence[Row]) -> None:
    """Scores of several protocols get the same columns.

    What a source has none of is null, and of a proxy there is the reason.
    """
    everywhere = dict.fromkeys(name for row in rows for name in row)
    for row in rows:
        absent = [name for name in everywhere if name not in row]
        if not absent:
            continue
        reasons = json.loads(row["failures"] or "{}")
        for name in absent:
            row[name] = None
            if name in PROXIES:
                reasons[name] = NOT_GIVEN
        row["failures"] = json.dumps(reasons, sort_keys=True)


def table_of(
    importer: Importer, kind: Table, rows: Sequence[Row], sources: Sequence[Source] | None = None
) -> pa.Table:
    """An Arrow table of rows, in release order, with its source in the metadata.

    A scores table has the columns of the proxies that the source gives. `placed` adds where rows belong.

    Args:
        sources: where the rows are from; None: from the importer's.
    """
    import pyarrow as pa

    space = importer.space
    whole = arrow_schema(kind, space)
    schema = pa.schema([one for one in whole if one.name in rows[0]])
    if sources is None:
        sources = importer.sources[kind]
    metadata = {**whole.metadata, **_said_of_source(importer, kind, rows[0], sources)}
    table = pa.Table.from_pylist(rows, schema.with_metadata(metadata))
    return table.sort_by([(name, "ascending") for name in sort_keys(kind)])


def _said_of_source(
    importer: Importer, kind: Table, columns: Iterable[str], sources: Sequence[Source]
) -> dict[str, str]:
    """The metadata of a table: where its numbers are from, and which of them are doubted."""
    definition = IMPORTED[importer.space]
    said = {
        "nbzero.source": "; ".join(map(_place, sources)),
        "nbzero.source_commit": "; ".join(source.commit for source in sources),
        "nbzero.licence": "; ".join(f"{source.repository}: {source.licence}" for source in sources),
        "nbzero.benchmark": definition.title,
    }
    if kind == "scores":
        doubts = [f"{proxy}: {doubt}" for proxy, doubt in definition.doubts.items() if proxy in columns]
        if doubts:
            said["nbzero.doubtful"] = "; ".join(doubts)
    return said


def _place(source: Source) -> str:
    place = f"{source.repository}@{source.commit}"
    if source.path:
        place += f":{source.path}"
    return f"{place} ({source.holds})"


def said_left_out(importer: Importer, files: Mapping[str, pa.Table]) -> list[str]:
    """A line per column of the files that is not imported, with the reason."""
    reasons = importer.left_out
    lines = []
    for role, table in files.items():
        for name in table.column_names:
            if name not in importer.files[role] or name in reasons:
                reason = reasons.get(name) or reasons.get(name.split("_")[0], "not known to nbzero")
                lines.append(f"left out {role}.{name}: {reason}")
    return lines
