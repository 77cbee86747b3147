"""The report: one HTML page that needs nothing but a browser. Choose space, recipe and proxy, move a budget, see the pick and its true rank.

The page carries the accuracies, costs and scores of its pools as exact float64, the tables of `nbzero.constrained`, and Vega-Lite as
vl-convert-python bundles it; `report.html` and `report.js` beside this module are its layout and its code. Its content security policy lets it
fetch nothing and run no other script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import nbzero
from nbzero.constrained import (
    CEILING,
    CORRELATIONS,
    ORACLE,
    RANDOM,
    correlations,
    mbr_table,
    seed_accuracies,
    with_tau_intervals,
)
from nbzero.errors import NothingFoundError, ReleaseError, UsageError, needs, unknown_name
from nbzero.files import write_whole
from nbzero.frame import Frame
from nbzero.metrics import check_bootstrap
from nbzero.plots import RESAMPLES, UNITS, metric_unit
from nbzero.pool import Pool, pool_of
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.published import IMPORTED
from nbzero.transfer import runs_with

if TYPE_CHECKING:
    from nbzero.bench import Bench, Split

NAME = "report.html"
_MARK = '<meta name="generator" content="nbzero report">'
_MBR_COLUMNS = (
    "mBR: the mean over the limits of the true rank of the pick, over all N archs, the letter of the paper; in the columns with _pool each rank over "
    "the number of archs within its own limit. 0 is best, {} is what a random pick gets on average. union: over the limits of all costs."
)
_LICENCE = """Charts: Vega {vega} with Vega-Lite and Vega-Embed {embed}, unchanged, as bundled by vl-convert-python {convert} (BSD 3-Clause).

Vega, Vega-Lite, Vega-Embed and Vega-Tooltip: Copyright (c) 2015-2026, University of Washington Interactive Data Lab and contributors.
All rights reserved. BSD 3-Clause:
Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met:
1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer in the
documentation and/or other materials provided with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products derived from this software
without specific prior written permission.
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE
LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE
GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT
LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.

Within the bundle: D3 modules, Copyright Mike Bostock; TopoJSON, Copyright Michael Bostock; semver, Copyright Isaac Z. Schlueter and others (ISC:
permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the copyright
notice and this permission notice appear in all copies; the software is provided "as is" and the author disclaims all warranties with regard to it).
fast-json-patch, Copyright Joachim Wester; json-stringify-pretty-compact, Copyright Simon Lydell (MIT: permission is granted, free of charge, to deal
in the software without restriction, subject to including the copyright notice and this permission notice in all copies; provided "as is").

The page itself: nbzero {nbzero}, Apache-2.0. Tables of nbzero's own release: CC BY 4.0."""


def write_report(
    bench: Bench,
    out_dir: str | os.PathLike[str],
    spaces: Iterable[str] | None = None,
    split: Split = "val",
    budgets: int = 5,
    resamples: int = RESAMPLES,
) -> Path:
    """Write OUT_DIR/report.html, self-contained, and return its path; needs vl-convert-python.

    Every recipe of every data set of the spaces is a pool to choose (seed 0). The page has about 0.9 MB of chart library and 11 bytes for each number
    it holds, archs times proxies of a pool; equal columns are in it once. Every table opens sorted by merit: by mBR (union), Kendall's tau, or the
    true rank of the picks.

    Args:
        out_dir: a folder, made where there is none. A report.html that this function wrote is replaced, whole or not at all.
        spaces: names; None is every space that has an accuracy of the split.
        split: "val", or "test" for the final judgement.
        budgets: limits per cost in the mBR tables; the slider has 100 whatever it is.
        resamples: of the 95 % bootstrap intervals of mBR (union) and Kendall's tau, which take seconds a pool; 0 makes none.

    Raises:
        UnknownNameError: a space that the release does not have.
        NothingFoundError: no accuracy of that split in the spaces, or neither scores nor costs to pick by.
        UsageError: no space named, another split, a number of budgets below 1, of resamples below 0.
        ReleaseError: `out_dir` is a file, or holds a report.html that is none of ours, or cannot be written; a damaged release.
        ImportError: vl-convert-python is not there.
    """
    path = _target(Path(os.fspath(out_dir)))
    if isinstance(spaces, str):
        spaces = [spaces]
    asked = list(bench.spaces if spaces is None else dict.fromkeys(spaces))
    for space in asked:
        if space not in bench.spaces:
            raise unknown_name("space", space, bench.spaces)
    if not asked:
        raise UsageError(
            f"no space was named; the release has {', '.join(bench.spaces)}, and spaces=None is all that have accuracies"
        )
    if not hasattr(budgets, "__index__") or isinstance(budgets, bool) or budgets < 1:
        raise UsageError(f"budgets {budgets!r}; it is a number of limits from 1")
    check_bootstrap(resamples, 0.95, 0, least=0)
    _bundler()  # before seconds of work
    page = _page(_content(bench, asked, split, budgets, resamples, strict=spaces is not None))
    write_whole(path, page.encode(), "write the report again")
    return path


def _target(folder: Path) -> Path:
    """The file to write, checked before anything is computed."""
    if folder.exists() and not folder.is_dir():
        raise ReleaseError(f"{folder} is a file; name a folder, in which {NAME} is written")
    path = folder / NAME
    if path.is_dir():
        raise ReleaseError(f"{path} is a folder; name another folder, in which {NAME} is written")
    if path.exists():
        with open(path, "rb") as file:
            if _MARK.encode() not in file.read(2000):
                raise ReleaseError(
                    f"{path} is there and no report of nbzero, so it is not replaced; move it, or name another folder"
                )
    return path


class _Columns:
    """The strings that the page's pools refer to by number; equal ones are kept once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def numbers(self, values: npt.ArrayLike) -> int:
        return self._of(base64.b64encode(np.asarray(values, "<f8").tobytes()).decode())

    def lines(self, texts: Iterable[str]) -> int:
        return self._of("\n".join(texts))

    def _of(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))

    def all(self) -> list[str]:
        return list(self._places)


def _content(
    bench: Bench, spaces: Sequence[str], split: Split, budgets: int, resamples: int, strict: bool
) -> dict[str, Any]:
    """Everything that the page shows."""
    columns, pools, without, bare = _Columns(), [], [], []
    for space in spaces:
        there = [pool_of(bench, *key, split=split) for key in runs_with(bench, [space], split)]
        judged = [pool for pool in there if pool.scores_and_costs]
        pools += [_pool_content(bench, pool, columns, budgets, resamples) for pool in judged]
        if not there:
            without.append(space)
        elif not judged:
            bare.append(space)
    if bare and (strict or not (pools or without)):
        raise NothingFoundError(
            f"{', '.join(bare)} has neither scores nor costs in this release, so there is nothing to pick by; leave it out"
        )
    if not pools or (strict and without):
        other: Split = "test" if split == "val" else "val"
        advice = f", or ask for split={other!r}" if runs_with(bench, without, other) else ""
        raise NothingFoundError(
            f"no arch of {', '.join(without)} has a {split} accuracy in this release; leave it out{advice}"
        )
    for pool in pools:
        pool["notes"] += [
            *(
                [f"Not on this page, for want of a {split} accuracy: {', '.join(without)}."]
                if without
                else []
            ),
            *(
                [f"Not on this page, because there are neither scores nor costs: {', '.join(bare)}."]
                if bare
                else []
            ),
            f"Data version {bench.version}; SHA-256 of its manifest, which fixes every byte of it: {bench.sha256}.",
        ]
    names = dict.fromkeys(name for pool in pools for name in pool["scores"])
    return {
        "about": f"A report of nbzero {nbzero.__version__} on data version {bench.version} (manifest {bench.sha256[:12]}), {split} split. "
        "Higher scores are better throughout. This page is one file and fetches nothing.",
        "pools": pools,
        "columns": columns.all(),
        "proxies": {name: _proxy_in_words(name) for name in names},
        "units": UNITS,
        "oracle": ORACLE,
        "random": RANDOM,
    }


def _proxy_in_words(name: str) -> str:
    if name not in PROXIES:
        return f"{name}: a cost of the arch, as a proxy by which larger networks are better."
    row = PROXIES[name]
    turned = "" if row.direction > 0 else " Lower raw scores are better: the sign is turned here."
    return f"{name} ({row.family}): {row.meaning}. Source: {row.source}.{turned}"


def _pool_content(
    bench: Bench, pool: Pool, columns: _Columns, budgets: int, resamples: int
) -> dict[str, Any]:
    costs = {name: values for name, values in pool.costs.items() if not np.isnan(values).all()}
    accuracies = seed_accuracies(bench, pool)
    ordered = correlations(pool, accuracies=accuracies)
    if resamples:
        ordered = with_tau_intervals(pool, ordered, resamples)
    tables, mbr = [], {}
    for spacing in ("even", "quantile") if costs else ():
        mbr[spacing] = made = _shown(mbr_table(pool, list(costs), budgets, spacing, accuracies, resamples))
        where = (
            "equal steps of the cost from its lowest to its highest"
            if spacing == "even"
            else "limits that admit equal shares of the archs"
        )
        chance = float(made["mbr_union"][made["proxy"].tolist().index(RANDOM)])
        said = [f"{budgets} limits per cost: {where}.", _MBR_COLUMNS.format(f"{chance:.4f} (union)")]
        tables.append(_table(f"mbr-{spacing}", made, said, "mbr_union", False))
    tables.append(
        _table(
            "correlations",
            ordered,
            ["Of the whole pool, without limits: 1 is a perfect order, 0 none."],
            "kendall",
            True,
        )
    )
    scores = pool.scores_and_costs
    return {
        "space": pool.space,
        "dataset": pool.dataset,
        "recipe": pool.recipe,
        "metric": pool.metric,
        "metric_unit": metric_unit(pool.metric),
        "size": len(pool),
        "archs": columns.lines(pool.archs),
        "accuracy": columns.numbers(pool.accuracy),
        "costs": {name: columns.numbers(values) for name, values in costs.items()},
        "scores": {name: columns.numbers(values) for name, values in scores.items()},
        "opens": _opens(pool, mbr.get("even")),
        "flipped": [name for name in scores if name in PROXIES and PROXIES[name].direction < 0],
        "tables": tables,
        "notes": _notes(bench, pool, accuracies, mbr.get("even"), ordered),
    }


def _opens(pool: Pool, mbr: Frame | None) -> str | None:
    """The proxy that the page shows first: the stored one of the lowest mBR under even limits on macs, or on the first cost that the pool has."""
    if mbr is None:
        return next(iter(pool.scores), None)
    column = (
        "mbr_macs" if "mbr_macs" in mbr else next(name for name in mbr.columns if name.startswith("mbr_"))
    )
    values = dict(zip(mbr["proxy"].tolist(), mbr[column].tolist(), strict=True))
    return min((name for name in pool.scores if name not in pool.costs), key=values.__getitem__, default=None)


def _shown(mbr: Frame) -> Frame:
    """A Frame of `mbr_table` with mbr_union, by which the page sorts it, and its interval (if any) in front; of the others no intervals."""
    first = [name for name in ("proxy", "mbr_union", "mbr_union_low", "mbr_union_high") if name in mbr]
    rest = [name for name in mbr.columns if name not in first and not name.endswith(("_low", "_high"))]
    return Frame({name: mbr[name] for name in (*first, *rest)}, mbr.title, mbr.notes)


def _table(name: str, frame: Frame, notes: Sequence[str], by: str, descending: bool) -> dict[str, Any]:
    """A Frame as the page reads it, and the column by which it is sorted at first; infinities are the strings that `Frame.to_json` makes of them."""
    said = json.loads(frame.to_json())
    return {
        "id": name,
        "title": frame.title,
        "notes": [*notes, *frame.notes],
        "columns": list(frame.columns),
        "numeric": [frame[column].dtype.kind in "fiub" for column in frame.columns],
        "rows": [list(row.values()) for row in said["rows"]],
        "sort": {"column": by, "descending": descending},
    }


def _notes(
    bench: Bench, pool: Pool, accuracies: npt.NDArray[np.float64] | None, mbr: Frame | None, ordered: Frame
) -> list[str]:
    """What a number of this page rests on, in plain words."""
    test = pool.split == "test"
    notes = [
        f"N = {len(pool):,}: the archs of {pool.space} that have a {pool.split} {pool.metric} on {pool.dataset} with recipe {pool.recipe}, seed 0; "
        f"the space has {pool.num_members:,} archs. The fewer the archs, the more of any difference between proxies is chance.",
        f"The {pool.metric} is of the {pool.split} split"
        + (
            ", which was asked for: for a final judgement, not for choosing. "
            if test
            else "; the test split is nowhere on this page. "
        )
        + f"Recipe {pool.recipe} is a frozen set of training settings; recipes are never mixed, and a cheap one may order archs otherwise than a "
        "long one.",
        (f"Scores: protocol {pool.protocol}, " if pool.protocol else "Scores: as published, ")
        + "seed 0. Those of proxies by which lower is better have their sign turned. "
        "An arch without a score ranks below every other one; minus infinity is a number.",
        "True rank of an arch: how many of the archs within the limit are strictly more accurate, so 0 is best. Where several archs tie for the "
        "highest score, accuracy and rank are means over them.",
        _noise_in_words(pool, accuracies, mbr, ordered),
    ]
    if pool.space in IMPORTED:
        for kind in ("runs", "scores"):
            if kind == "runs" or bench.protocols(pool.space, pool.dataset):
                said = {
                    key.decode(): value.decode()
                    for key, value in (
                        bench.arrow(kind, pool.space, pool.dataset).schema.metadata or {}
                    ).items()
                }
                notes.append(f"Imported {kind}: {said['nbzero.source']}. Licence: {said['nbzero.licence']}.")
    return notes


def _noise_in_words(
    pool: Pool, accuracies: npt.NDArray[np.float64] | None, mbr: Frame | None, ordered: Frame
) -> str:
    if accuracies is None:
        return "Seed noise: unknown, no arch of the pool was trained with two seeds, so nothing says which differences between proxies are chance."
    shared = (~np.isnan(accuracies)).sum(axis=0) > 1
    spread = float(np.sqrt(np.mean(np.nanvar(accuracies[:, shared], axis=0, ddof=1))))
    row = ordered["proxy"].tolist().index(CEILING)
    said = [f"{name} {ordered[name][row]:.2f}" for name in CORRELATIONS if not np.isnan(ordered[name][row])]
    if mbr is not None:
        said.append(f"mBR (union) {mbr['mbr_union'][mbr['proxy'].tolist().index(CEILING)]:.4f}")
    return (
        f"Seed noise: {int(shared.sum()):,} of the {len(pool):,} archs were trained with more than one seed; the standard deviation between seeds is "
        f"{spread:.4f}, between archs {float(np.std(pool.accuracy, ddof=1)):.4f}. "
        + (
            f"One seed's {pool.metric} as a proxy for another's gets {', '.join(said)} (row '{CEILING}'): "
            if said
            else ""
        )
        + "above that no proxy can be told from perfect, and smaller differences than the noise mean nothing."
    )


@cache
def _charts() -> str:
    """The chart library as one script that defines vegaEmbed; bundling takes seconds."""
    bundle: str = _bundler().javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def _bundler() -> Any:
    """The module vl_convert; ImportError saying what to install where it is not there."""
    return needs("the report's charts", "vl_convert")


def _page(content: dict[str, Any]) -> str:
    vl_convert = _bundler()
    here = Path(__file__).resolve().parent
    charts = _charts()
    script = (here / "report.js").read_text("utf-8")
    said = {
        "vega": vl_convert.get_vega_version(),
        "embed": vl_convert.get_vega_embed_version(),
        "convert": version("vl-convert-python"),
    }
    content = {**content, "licence": _LICENCE.format(**said, nbzero=nbzero.__version__)}
    parts = {
        "hashes": " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in (charts, script)
        ),
        "data": json.dumps(content, allow_nan=False, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),  # "</script>" in a string would end the data
        "charts": charts,
        "page": script,
    }
    return re.sub("@@([a-z]+)@@", lambda found: parts[found[1]], (here / "report.html").read_text("utf-8"))
