"""NAS-Bench-Suite-Zero: a JSON file a benchmark, with scores of up to 13 proxies and a val accuracy an arch.

    {dataset: {"(4, 0, 3, 1, 4, 3)": {proxy: {"score": number, "time": seconds}, .., "val_accuracy": number}}}

The key of an arch is NASLib's tuple of numbers as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nbzero.errors import ReleaseError, UsageError, count_of, quoted
from nbzero.importers.official import Apart, Official
from nbzero.importers.source import (
    Floats,
    Row,
    Rows,
    archs_rows,
    checked_archs,
    decimals,
    fractions,
    runs_rows,
    scores_rows,
)
from nbzero.importers.table_file import json_once
from nbzero.release.reading import open_regular, pieces

PROTOCOL = RECIPE = "suite-zero"
MAX_BYTES = 256 << 20  # of a file: several times as many as the largest has
MAX_ARCHS = 1 << 18  # of a data set
MAX_KEY = 400  # characters of the text that names an arch
# Their proxies, and ours. Their flops and params are costs, which are counted here.
PROXIES = {
    "epe_nas": "epe_nas",
    "fisher": "fisher",
    "grad_norm": "grad_norm",
    "grasp": "grasp",
    "jacov": "jacob_cov",
    "l2_norm": "pnorm",
    "nwot": "naswot",
    "plain": "plain",
    "snip": "snip",
    "synflow": "synflow",
    "zen": "zen",
}
BECOMES = (
    f"scores with protocol {PROTOCOL} (l2_norm is our pnorm, nwot naswot, jacov jacob_cov; sign and scale "
    f"are the file's) and val accuracies with recipe {RECIPE}; flops and params, which are counted here, the "
    "seconds of single proxies and other data sets are left out"
)
AVERAGED = "the source does not say"


@dataclass(frozen=True, slots=True)
class Suite:
    """What a file holds of one space.

    Attributes:
        file: what the authors call it.
        datasets: their data sets -> ours, the metric of val, and whether it is in percent.
        named: the arch string of the numbers of a key; UsageError where they are no arch.
        is_part: the file has some of the archs; else all.
        same: names the network of an arch, where other strings can mean it too.
    """

    space: str
    file: str
    datasets: Mapping[str, tuple[str, str, bool]]
    named: Callable[[Sequence[int]], str]
    is_part: bool = False
    same: Callable[[str], str] | None = None


class Scored(NamedTuple):
    """A data set of a file: the key of every arch, and its numbers by their names, NaN where it has none."""

    keys: list[str]
    numbers: dict[str, Floats]


def suite_zero(suite: Suite, gives_archs: bool) -> Official:
    """The kind of file that a suite is."""
    return Official(
        form="json",
        name=suite.file,
        version="NAS-Bench-Suite-Zero",
        repository="automl/NASLib",
        place="scripts/bash_scripts/download_nbs_zero.sh in branch zerocost of github.com/automl/NASLib",
        licence="Apache-2.0",
        citation="Krishnakumar et al., NAS-Bench-Suite-Zero, NeurIPS 2022, arXiv:2210.03230",
        becomes=BECOMES,
        read=partial(read_suite, suite),
        gives_archs=gives_archs,
    )


# The file


def parsed_json(suite: Suite, data: bytes, name: str) -> dict[str, Scored]:
    """The data sets of a file, by their names.

    Raises:
        ReleaseError: no JSON of the form above; it names the file and what is wrong.
    """
    try:
        held = json_once(data)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(
            f"{name} is no JSON that can be read ({str(error)[:200]}); {_advice(suite)}"
        ) from error
    absent = [dataset for dataset in suite.datasets if dataset not in held]
    if absent:
        there = ", ".join(held)[:300]
        raise ReleaseError(
            f"{name} has the data sets {there}, and lacks {', '.join(absent)}; it is no {suite.file}"
        )
    found = {}
    for dataset in suite.datasets:
        found[dataset] = _scored(held[dataset], f"{name}: {dataset}", suite)
    return found


def _advice(suite: Suite) -> str:
    return f"fetch {suite.file} anew"


def _scored(held: Any, where: str, suite: Suite) -> Scored:
    if not isinstance(held, dict) or not held or len(held) > MAX_ARCHS:
        raise ReleaseError(f"{where} is no object of archs; {_advice(suite)}")
    numbers: dict[str, Floats] = {}
    for name in ("val_accuracy", *PROXIES):
        values = np.full(len(held), np.nan)
        for row, (key, of_arch) in enumerate(held.items()):
            if not isinstance(of_arch, dict):
                raise ReleaseError(f"{where}: {quoted(key)} has no object of scores; {_advice(suite)}")
            values[row] = _number(of_arch.get(name), f"{where}: {quoted(key)}: {name}", suite)
        numbers[name] = values
    return Scored(list(held), numbers)


def _number(held: Any, where: str, suite: Suite) -> float:
    """The score of an object, or the number itself; NaN for none."""
    if isinstance(held, dict):
        held = held.get("score")
    if held is None:
        return np.nan
    if type(held) is float or (type(held) is int and abs(held) < 2**63):
        return float(held)
    raise ReleaseError(f"{where} is {type(held).__name__}, not a number; {_advice(suite)}")


# Rows


def read_suite(suite: Suite, path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of a file.

    Raises:
        ReleaseError: an arch that is missing, twice or of another benchmark, or whatever is not of the form.
    """
    parse = apart(partial(parsed_json, suite))
    found = parse(_whole(path, suite), str(path))
    space = suite.space
    rows: Rows = {}
    for theirs, (dataset, metric, in_percent) in suite.datasets.items():
        where = f"{path}: {theirs}"
        scored = found[theirs]
        named = [_named(suite, key, where) for key in scored.keys]
        if archs is None:
            checked_archs(named, space, where)
            archs = sorted(named)
            rows["archs", space, None] = archs_rows(space, archs)
        order, ids = _places(suite, named, archs, where)
        val = scored.numbers["val_accuracy"][order]
        rows["runs", space, dataset] = _runs(val, ids, metric, in_percent, where)
        rows["scores", space, dataset] = _scores(space, scored, order, ids, where)
    return rows


def _whole(path: Path, suite: Suite) -> bytes:
    with open_regular(path, _advice(suite)) as file:
        data = b"".join(pieces(file, MAX_BYTES))
    if len(data) > MAX_BYTES:
        raise ReleaseError(f"{path} has more than {MAX_BYTES:,} bytes; it is no {suite.file}")
    return data


def _named(suite: Suite, key: str, where: str) -> str:
    try:
        if len(key) > MAX_KEY or not re.fullmatch(r"\(\d+(, *\d+)*,?\)", key):
            raise UsageError("a key is a tuple of numbers")
        return suite.named([int(part) for part in re.findall(r"\d+", key)])
    except (ValueError, IndexError) as error:
        raise ReleaseError(
            f"{where}: {quoted(key)} is no arch of {suite.space}: {str(error)[:300]}; {_advice(suite)}"
        ) from error


def _places(
    suite: Suite, named: Sequence[str], archs: Sequence[str], where: str
) -> tuple[list[int], list[int]]:
    """The rows of a data set in the order of the archs, and the `arch_id` of each."""
    arch_ids = {arch: arch_id for arch_id, arch in enumerate(archs)}
    if suite.same and not arch_ids.keys() >= set(named):
        arch_ids = {suite.same(arch): arch_id for arch, arch_id in arch_ids.items()}
        named = [suite.same(arch) for arch in named]
    rows: dict[int, int] = {}
    for row, arch in enumerate(named):
        if arch not in arch_ids:
            raise ReleaseError(f"{where}: {quoted(arch)} is no arch of the table of {suite.space}")
        if arch_ids[arch] in rows:
            raise ReleaseError(f"{where} has {arch} more than once; a table has each arch once")
        rows[arch_ids[arch]] = row
    if len(rows) < len(archs) and not suite.is_part:
        raise ReleaseError(
            f"{where} has {count_of(len(rows), 'arch')} of {suite.space}, the whole table has {len(archs)}"
        )
    ids = sorted(rows)
    return [rows[arch_id] for arch_id in ids], ids


def _runs(val: Floats, ids: Sequence[int], metric: str, in_percent: bool, where: str) -> list[Row]:
    if np.isnan(val).any():
        raise ReleaseError(f"{where}: val_accuracy is absent for {int(np.isnan(val).sum())} archs")
    if in_percent:
        if val.max() <= 1:
            raise ReleaseError(f"{where}: val_accuracy is at most {val.max():g}; it is in percent")
        val = fractions(val, f"{where}: val_accuracy")
    else:
        val = decimals(val)
    return runs_rows(RECIPE, val, None, ids=np.array(ids), metric=metric, averaged=AVERAGED)


def _scores(space: str, scored: Scored, order: Sequence[int], ids: Sequence[int], where: str) -> list[Row]:
    scores = {}
    for theirs, ours in PROXIES.items():
        values = scored.numbers[theirs][order]
        if not np.isnan(values).all():
            scores[ours] = values
    if not scores:
        raise ReleaseError(f"{where} has none of the proxies {', '.join(PROXIES)}")
    return scores_rows(space, scores, PROTOCOL, ids)
