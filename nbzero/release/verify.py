"""Check a release: its files against the manifest, the schema, the spaces, and each other.

It reads, and writes nothing.

    The manifest    names a parent where its version is that of a derived release.
    Every file      against the manifest.
    Every table     against the schema: columns, types, ranges, keys unique and sorted.
    Every arch      against the closed forms and the build order; in a published space against its definition.
    Imported tables name their source.
    Runs, scores    against the archs, and their space, dataset and arch against the path and the archs.
    Latencies       the same; and all of one setup are of one machine and its settings.
    Predictions     against the arrays that the surrogates table has, by predicting every member anew.
    Surrogates      against the runs that they were fitted on, where no others were added since.
    Every index     against the Parquet files that it is made of, value by value.
    Reproductions   against their columns, where the release has some.
    Every folder    of tables and indexes: it holds nothing that the manifest does not name. What else the
                    release's folder holds is listed by `stranger_notes`.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbzero.errors import ReleaseError, count_of
from nbzero.release.compared import first_difference
from nbzero.release.derived import stale
from nbzero.release.index import Index, index_path, sort_keys
from nbzero.release.latencies import check_setups
from nbzero.release.manifest import MANIFEST, Release
from nbzero.release.places import check_places
from nbzero.release.reproductions import RESULTS, checked_results
from nbzero.release.sampled import is_sampled, sampled_rows
from nbzero.release.schema import (
    LATER,
    TABLES,
    Table,
    TableKey,
    archs_row,
    arrow_schema,
    check_rows,
    imported_row,
    path_of,
)
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED
from nbzero.surrogate import Kernel, process_of

if TYPE_CHECKING:
    import pyarrow as pa

Rows = list[dict[str, Any]]
AGAIN = "run builders.merge_shards again"
FIT_AGAIN = "run builders.fit_surrogate again"
TOLERANCE = 1e-6  # of predictions made anew, of accuracies: fractions
MOST_LISTED = 100  # files, by name
_FOLDERS = (*TABLES, "index")
SOURCE = (b"nbzero.source", b"nbzero.source_commit", b"nbzero.licence")  # what an imported table says of it


def verify(path_or_url: str | os.PathLike[str] | None = None) -> list[str]:
    """A line per file of a release in which everything holds.

    Raises:
        ReleaseError: naming the file and what is wrong with it.
    """
    release = Release.open(path_or_url, anew=True)
    if release.folder is not None:
        _check_no_strangers(release)
    tables = release.tables()
    archs: dict[str, list[str]] = {}
    for (kind, space, _), table in tables.items():
        if kind == "archs":
            archs[space] = table.column("arch").to_pylist()
    lines = [_check_table(key, table, archs) for key, table in tables.items()]
    for kind in ("surrogates", "predictions"):  # what is wrong with the first makes the second wrong
        for key in tables:
            if key[0] == kind:
                _check_derived(key, tables)
    for space in archs:
        lines += _check_index(release, space, tables)
    _check_all_are_known(release, archs)
    return lines + [_check_other(release, path) for path in release.manifest.others]


def _check_all_are_known(release: Release, spaces: Iterable[str]) -> None:
    """No file of the manifest is neither a table nor the index of a space that has archs."""
    indexes = {index_path(space) for space in spaces}
    for path in release.manifest.files:
        if not path.endswith(".parquet") and path not in indexes:
            raise ReleaseError(f"{path} is neither a table nor the index of a space there; {AGAIN}")


def strangers(release: Release) -> list[str]:
    """Every file in the folder of a release that its manifest does not name, sorted.

    Hidden ones (.git) are left out. Of a release at a URL nothing is listed, since nothing is there to list.
    """
    if release.folder is None:
        return []
    known = {*release.manifest.files, *release.manifest.others, MANIFEST}
    found = []
    for at, folders, files in os.walk(release.folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]  # os.walk stops there
        for name in [*files, *links]:
            path = os.path.relpath(os.path.join(at, name), release.folder).replace(os.sep, "/")
            if path not in known and not name.startswith("."):
                found.append(path)
    return sorted(found)


def stranger_notes(path_or_url: str | os.PathLike[str] | None = None) -> list[str]:
    """In words, which files beside the tables of a release are none of it: no fault, but not checked."""
    release = Release.open(path_or_url)
    found = [name for name in strangers(release) if name.partition("/")[0] not in _FOLDERS]
    if not found:
        return []
    return [f"not in the manifest, so no part of the release and not checked: {_listed(found)}"]


def _listed(names: Sequence[str]) -> str:
    """Names in words, the first MOST_LISTED of many."""
    more = len(names) - MOST_LISTED
    if more > 0:
        return f"{', '.join(names[:MOST_LISTED])} and {more:,} more"
    return ", ".join(names)


def stale_notes(path_or_url: str | os.PathLike[str] | None = None) -> list[str]:
    """In words, of which runs of a release there are no predictions, or only of some: no fault, but to do."""
    return stale(Release.open(path_or_url).tables())


def _check_table(key: TableKey, table: pa.Table, archs: Mapping[str, Sequence[str]]) -> str:
    kind, space, dataset = key
    path = path_of(kind, space, dataset)
    _check_schema(table, kind, path, space)
    rows: Rows = table.to_pylist()
    check_rows(kind, rows, path, space)
    _check_keys(rows, kind, path)
    if kind == "latencies":
        check_setups(rows, path)
    if space in IMPORTED:
        _check_source(table, path)
    if kind != "archs":
        _check_arch_ids(rows, space, path, archs)
        check_places(key, table, archs[space], path)
    elif space in IMPORTED:
        _check_imported_archs(rows, space, path)
    else:
        _check_archs(rows, space, path)
    return f"{path}: {count_of(table.num_rows, 'row')}"


def _check_index(release: Release, space: str, tables: Mapping[TableKey, pa.Table]) -> list[str]:
    """The line of a space's index; none where the release has no index of it."""
    path = index_path(space)
    if path not in release.manifest.files:
        return []
    named: dict[str, pa.Table] = {}
    sources: dict[str, str] = {}
    for (kind, of, dataset), table in tables.items():
        if of == space:
            named[f"{kind}/{dataset}" if dataset else kind] = table
            source = path_of(kind, of, dataset)
            sources[source] = release.manifest.files[source].sha256
    difference = first_difference(Index(path, release.file(path)), named, sources)
    if difference is not None:
        raise ReleaseError(f"{path} differs from the Parquet files it is derived from: {difference}; {AGAIN}")
    return [f"{path}: equals its {count_of(len(named), 'table')}"]


def _check_other(release: Release, path: str) -> str:
    """The line of a file beside the tables, which the results of reproductions are the only one of."""
    if path != RESULTS:
        raise ReleaseError(f"{path} is no file that a release has beside its tables; {AGAIN}")
    with release.file(path) as file:
        table = checked_results(file.read(), path)
    rows = count_of(table.num_rows, "row")
    promised = release.manifest.others[path].rows
    if table.num_rows != promised:
        raise ReleaseError(f"{path} has {rows}, its manifest says {promised}; {AGAIN}")
    return f"{path}: {rows}"


def _check_derived(key: TableKey, tables: Mapping[TableKey, pa.Table]) -> None:
    """ReleaseError where predictions are not what the surrogate gives, or a surrogate not of the runs."""
    kind, space, dataset = key
    path = path_of(kind, space, dataset)
    if space not in CHOICES:
        raise ReleaseError(f"{path}: {space} is none of {', '.join(CHOICES)}; {FIT_AGAIN}")
    fitted = tables.get(("surrogates", space, dataset))
    predicted = tables.get(("predictions", space, dataset))
    if fitted is None or predicted is None:
        raise ReleaseError(f"{path}: predictions and surrogates go together, one of them lacks; {FIT_AGAIN}")
    archs = tables["archs", space, None].column("arch").to_pylist()
    if kind == "surrogates":
        _check_fitted(path, fitted, tables["runs", space, dataset])
    else:
        _check_predictions(path, archs, predicted, fitted)


def _by_recipe(table: pa.Table, *names: str) -> dict[str, dict[str, Any]]:
    """Some columns of each recipe's rows as arrays; all where none is named."""
    import numpy as np

    recipes = np.array(table.column("recipe").to_pylist(), object)
    found: dict[str, dict[str, Any]] = {}
    for recipe in dict.fromkeys(recipes.tolist()):
        rows = recipes == recipe
        columns = {}
        for name in names or table.column_names:
            columns[name] = np.array(table.column(name).to_pylist())[rows]
        found[recipe] = columns
    return found


def _check_fitted(path: str, fitted: pa.Table, runs: pa.Table) -> None:
    """A surrogate says how many runs it is of, and has the means of these runs."""
    import numpy as np

    measured = _by_recipe(runs, "arch_id", "val_acc")
    for recipe, columns in _by_recipe(fitted).items():
        at = f"{path}: {recipe}"
        same = ("num_archs", "num_runs", "version", *Kernel._fields)
        several = [name for name in same if len(set(columns[name].tolist())) > 1]
        if several:
            raise ReleaseError(f"{at}: several values of {', '.join(several)}; {FIT_AGAIN}")
        counted = (len(columns["arch_id"]), int(columns["num_seeds"].sum()))
        said = (int(columns["num_archs"][0]), int(columns["num_runs"][0]))
        if counted != said:
            raise ReleaseError(f"{at} says {said} networks and runs, its rows have {counted}; {FIT_AGAIN}")
        accuracies = np.asarray(measured[recipe]["val_acc"], np.float64)
        if int((~np.isnan(accuracies)).sum()) != said[1]:
            continue  # runs were added since
        for arch_id, mean in zip(columns["arch_id"].tolist(), columns["val_acc"].tolist(), strict=True):
            now = float(np.nanmean(accuracies[measured[recipe]["arch_id"] == arch_id]))
            if abs(now - mean) > TOLERANCE:
                was = f"val_acc of arch_id {arch_id} is {mean}, its runs have a mean of {now}"
                raise ReleaseError(f"{at}: {was}; {FIT_AGAIN}")


def _check_predictions(path: str, archs: list[str], predicted: pa.Table, fitted: pa.Table) -> None:
    """Every member is predicted, as the surrogate of the recipe predicts it."""
    import numpy as np

    surrogates = _by_recipe(fitted)
    for recipe, columns in _by_recipe(predicted).items():
        at = f"{path}: {recipe}"
        if recipe not in surrogates or len(columns["arch_id"]) != len(archs):
            rows = count_of(len(columns["arch_id"]), "row")
            raise ReleaseError(f"{at}: {rows} for {count_of(len(archs), 'member')}; {FIT_AGAIN}")
        rows_of = surrogates[recipe]
        for name in ("num_archs", "num_runs", "version"):
            if set(columns[name].tolist()) != {rows_of[name].tolist()[0]}:
                raise ReleaseError(f"{at}: {name} is not that of its surrogate; {FIT_AGAIN}")
        anew = process_of(str(rows_of["space"][0]), rows_of["arch"].tolist(), rows_of).predict(archs)
        for name in ("mean", "sd_mean", "sd_run"):
            apart = np.abs(getattr(anew, name) - columns[name])
            if apart.max() > TOLERANCE:
                worst = archs[int(apart.argmax())]
                raise ReleaseError(f"{at}: {name} of {worst} is {apart.max():.3g} off; {FIT_AGAIN}")


def _check_no_strangers(release: Release) -> None:
    """No file lies where tables and indexes of a release lie that its manifest does not name.

    Other tools read whole folders, and would read it.
    """
    assert release.folder is not None
    found = [name for name in strangers(release) if name.partition("/")[0] in _FOLDERS]
    if not found:
        return
    listed = _listed([str(release.folder / name) for name in found])
    if len(found) == 1:
        raise ReleaseError(f"{listed} is not in the manifest; remove it, or {AGAIN} if it was cut off")
    raise ReleaseError(f"{listed} are not in the manifest; remove them, or {AGAIN} if it was cut off")


def _check_schema(table: pa.Table, kind: Table, path: str, space: str) -> None:
    import pyarrow as pa

    lacking = LATER[kind] - set(table.schema.names)  # a release may be older than a proxy
    wanted = pa.schema([field for field in arrow_schema(kind, space) if field.name not in lacking])
    if not table.schema.equals(wanted, check_metadata=False):
        types = [str(kind_of) for kind_of in table.schema.types]
        given = f"columns {table.schema.names} with types {types}"
        raise ReleaseError(f"{path}: {given} are not those of {kind}")


def _check_keys(rows: Rows, kind: Table, path: str) -> None:
    names = sort_keys(kind)
    keys = [tuple(row[name] for name in names) for row in rows]
    if not _ascends(keys):
        raise ReleaseError(f"{path}: its keys ({', '.join(names)}) are not sorted or not unique")


def _ascends(keys: Iterable[Any]) -> bool:
    return all(one < after for one, after in itertools.pairwise(keys))


def _check_arch_ids(rows: Rows, space: str, path: str, archs: Mapping[str, Sequence[str]]) -> None:
    there = len(archs.get(space, ()))
    if any(row["arch_id"] >= there for row in rows) or space not in archs:
        raise ReleaseError(f"{path}: has an arch_id that archs/{space}.parquet lacks")


def _check_archs(rows: Rows, space: str, path: str) -> None:
    hashes = [hashlib.sha256(f"build:{row['arch']}".encode()).digest() for row in rows]
    if not _ascends(hashes):
        raise ReleaseError(f"{path}: its archs are not in the build order")
    if space in CHOICES and len(rows) != CHOICES[space].num_members:
        has = count_of(len(rows), "arch")
        raise ReleaseError(f"{path} has {has}, the space has {CHOICES[space].num_members}")
    for number, row in enumerate(rows):
        if row != archs_row(number, row["arch"]):
            raise _not_what_it_says(path, number, row)


def _check_imported_archs(rows: Rows, space: str, path: str) -> None:
    if is_sampled(space, [row["arch"] for row in rows]):
        _check_sampled_archs(rows, space, path)
        return
    definition = IMPORTED[space]
    num_different = len({row["arch"] for row in rows})
    if len(rows) != definition.num_members or num_different != len(rows):
        different = count_of(num_different, "different arch")
        has = f"{different} in {count_of(len(rows), 'row')}"
        raise ReleaseError(f"{path} has {has}, not {definition.num_members}")
    for number, row in enumerate(rows):
        try:
            said = imported_row(space, number, row["arch"])
        except ValueError as error:
            raise ReleaseError(f"{path}: row {number}: {error}") from error
        if row != row | said:
            raise _not_what_it_says(path, number, row)


def _check_sampled_archs(rows: Rows, space: str, path: str) -> None:
    for number, wanted in enumerate(sampled_rows(space, len(rows))):
        if rows[number] != wanted:
            raise _not_what_it_says(path, number, rows[number])


def _not_what_it_says(path: str, number: int, row: Mapping[str, Any]) -> ReleaseError:
    return ReleaseError(f"{path}: row {number} ({row['arch']}) is not what its arch string says: {row}")


def _check_source(table: pa.Table, path: str) -> None:
    said = table.schema.metadata or {}
    lacking = [key.decode() for key in SOURCE if not said.get(key)]
    if lacking:
        needed = f"its metadata lacks {', '.join(lacking)}"
        raise ReleaseError(f"{path}: an imported table says where it is from, but {needed}; import it anew")
