"""What is derived from the runs of a release: surrogates and predictions, where there are any, and why not.

Nothing here imports numpy. The tables are made by `builders.fit_surrogate`, read by `Record.predicted` and
`nbzero.surrogate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbzero.errors import count_of
from nbzero.release.opened import Opened, OpenedSpace
from nbzero.release.schema import TableKey
from nbzero.spaces.macro import CHOICES

if TYPE_CHECKING:
    import pyarrow as pa

MIN_ARCHS = 20  # networks with a run that a surrogate is fitted on at least
FIT = "python -m builders.fit_surrogate --release DIR --out DIR"


def finished(opened: OpenedSpace, dataset: str, recipe: str) -> tuple[int, int]:
    """How many runs of a recipe finished, and of how many networks."""
    table = f"runs/{dataset}"
    accuracies = opened.numbers(table, "val_acc")
    num_runs = 0
    archs: set[int] = set()
    for (name, _), group in opened.groups(table).items():
        if name != recipe:
            continue
        for arch_id, accuracy in zip(group.ids, accuracies[group.start : group.stop], strict=True):
            if accuracy == accuracy:  # no NaN
                num_runs += 1
                archs.add(arch_id)
    return num_runs, len(archs)


def why_no_surrogate(release: Opened, opened: OpenedSpace, dataset: str, recipe: str | None) -> str | None:
    """Why a release has no surrogate of a space, data set and recipe, and what to do; None where it has one.

    Args:
        recipe: None is the only one that has runs; of several in r1 to mb-mini it is cpu-16px-4.

    Raises:
        UnknownNameError: a dataset or recipe that does not exist.
        UsageError: no recipe where one has to be named.
    """
    space = opened.name
    if space not in CHOICES:
        return f"{space} is a published benchmark; surrogates are of {', '.join(CHOICES)}"
    named = release.named("runs", opened, dataset, recipe)
    if named in opened.named("surrogates", dataset):
        return None
    num_runs = num_archs = 0
    if named in opened.named("runs", dataset):
        num_runs, num_archs = finished(opened, dataset, str(named))
    of = f"{space} on {dataset} with {named or 'any recipe'}"
    has = f"{of} has {count_of(num_runs, 'run')} of {count_of(num_archs, 'network')}"
    if num_archs >= MIN_ARCHS:
        return f"{has}, but this release has no surrogate of them: {FIT}"
    train = f"python -m builders.train_shard --space {space} --dataset {dataset} --recipe {named or 'NAME'}"
    more = f"train more ({train} --archs {MIN_ARCHS} --out SHARDS), merge them (builders.merge_shards)"
    return f"{has}, and a surrogate needs runs of {MIN_ARCHS}: {more}, then {FIT}"


def stale(tables: Mapping[TableKey, pa.Table]) -> list[str]:
    """In words, of which runs there are no predictions, or only of some.

    Args:
        tables: of a whole release.
    """
    said = []
    for (kind, space, dataset), table in tables.items():
        if kind != "runs" or space not in CHOICES:
            continue
        fitted = tables.get(("surrogates", space, dataset))
        known = {} if fitted is None else _fitted_on(fitted)
        for recipe, (num_runs, num_archs) in sorted(_finished_in(table).items()):
            of = f"{space} on {dataset} with {recipe}"
            now = f"{count_of(num_runs, 'run')} of {count_of(num_archs, 'network')}"
            if recipe in known and known[recipe][0] != num_runs:
                there, version = known[recipe]
                on = f"{count_of(there, 'run')} of data {version}"
                said.append(f"predictions of {of} are of {on}, there are {now} now; fit them again: {FIT}")
            elif recipe not in known and num_archs >= MIN_ARCHS:
                said.append(f"{of} has {now} and no predictions yet: {FIT}")
    return said


def _fitted_on(table: pa.Table) -> dict[str, tuple[int, str]]:
    """By recipe the number of runs that its surrogate was fitted on, and their data version."""
    columns: list[list[Any]] = [table.column(name).to_pylist() for name in ("recipe", "num_runs", "version")]
    return {recipe: (num_runs, version) for recipe, num_runs, version in zip(*columns, strict=True)}


def _finished_in(table: pa.Table) -> dict[str, tuple[int, int]]:
    """By recipe the number of runs that finished, and of their networks."""
    archs: dict[str, list[int]] = {}
    columns: list[list[Any]] = [table.column(name).to_pylist() for name in ("recipe", "arch_id", "val_acc")]
    for recipe, arch_id, accuracy in zip(*columns, strict=True):
        if accuracy is not None:
            archs.setdefault(recipe, []).append(arch_id)
    return {recipe: (len(ids), len(set(ids))) for recipe, ids in archs.items()}
