"""What the pages of pools share: which spaces they show, and what is said of accuracies, scores and noise."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, check_known
from nbzero.judge.pool import Pool
from nbzero.pages.page import bundler, target
from nbzero.proxies.facts import PROXIES
from nbzero.release.latencies import LATENCY
from nbzero.spaces.published import doubt_notes, doubtful_in

if TYPE_CHECKING:
    import pyarrow as pa

    from nbzero.bench import Bench
    from nbzero.release.opened import Split


def _spaces_asked(bench: Bench, spaces: Iterable[str] | None) -> list[str]:
    """The spaces that the caller named, each once; of None all of the release.

    Raises:
        UnknownNameError: a space that the release does not have.
        UsageError: no space named.
    """
    if spaces is None:
        return list(bench.spaces)
    named = [spaces] if isinstance(spaces, str) else list(dict.fromkeys(spaces))
    check_known("space", named, bench.spaces)
    if not named:
        listed = ", ".join(bench.spaces)
        has = f"the release has {listed}, and spaces=None is all that have accuracies"
        raise UsageError(f"no space was named; {has}")
    return named


class Found(NamedTuple):
    """What some spaces have.

    Attributes:
        pools: those to choose on the page.
        without: spaces without an accuracy of the split.
        bare: spaces with accuracies, but with neither scores nor costs.
    """

    pools: list[Pool]
    without: list[str]
    bare: list[str]


def asked_pools(
    bench: Bench, out_dir: str | os.PathLike[str], name: str, spaces: Iterable[str] | None, split: Split
) -> tuple[Path, Found]:
    """Where a page of pools is written, and the pools that it shows. All is checked before anything is made.

    Args:
        out_dir, spaces, split: as the page's function has them.
        name: of the page.

    Raises:
        UnknownNameError: a space that the release does not have.
        NothingFoundError: no accuracy of that split in the spaces, or neither scores nor costs to pick by.
        UsageError: no space named, another split.
        OutputError: as `target`.
        ReleaseError: a damaged release.
        MissingPackageError: vl-convert-python is not installed.
    """
    path = target(Path(os.fspath(out_dir)), name)
    asked = _spaces_asked(bench, spaces)
    bundler()
    found = _found_in(bench, asked, split)
    _check_found(bench, found, split, is_strict=spaces is not None)
    return path, found


def _found_in(bench: Bench, spaces: Iterable[str], split: Split) -> Found:
    """The pools of some spaces, every recipe of every data set, seed 0; and the spaces that have none."""
    found = Found([], [], [])
    for space in spaces:
        measured = [bench.pool(*key, split=split) for key in bench.runs_with(split, [space])]
        judged = [pool for pool in measured if pool.scores_and_costs]
        found.pools.extend(judged)
        if not measured:
            found.without.append(space)
        elif not judged:
            found.bare.append(space)
    return found


def _check_found(bench: Bench, found: Found, split: Split, is_strict: bool) -> None:
    """NothingFoundError where there is no pool, and where the caller named a space that has none."""
    pools, without, bare = found
    is_all_bare = not pools and not without
    if bare and (is_strict or is_all_bare):
        nothing = f"{', '.join(bare)} has neither scores nor costs in this release"
        raise NothingFoundError(f"{nothing}, so there is nothing to pick by; leave it out")
    if not pools or (is_strict and without):
        advice = "leave it out"
        other: Split = "test" if split == "val" else "val"
        if bench.runs_with(other, without):
            advice += f", or ask for split={other!r}"
        nothing = f"no arch of {', '.join(without)} has a {split} accuracy in this release"
        raise NothingFoundError(f"{nothing}; {advice}")


def notes_of_all(bench: Bench, found: Found, split: Split) -> list[str]:
    """The notes that every pool has: what is not on the page, and the release."""
    notes = []
    if found.without:
        notes.append(f"Not on this page, for want of a {split} accuracy: {', '.join(found.without)}.")
    if found.bare:
        listed = ", ".join(found.bare)
        notes.append(f"Not on this page, because there are neither scores nor costs: {listed}.")
    fixed = f"SHA-256 of its manifest, which fixes every byte of it: {bench.sha256}"
    return [*notes, f"Data version {bench.version}; {fixed}."]


def proxy_in_words(name: str) -> str:
    """What a proxy or a cost measures, and where it comes from."""
    if name not in PROXIES:
        return f"{name}: a cost of the arch, as a proxy by which larger networks are better."
    row = PROXIES[name]
    return f"{name} ({row.family}): {row.meaning}. Source: {row.source}."


def latency_in_words(name: str) -> str:
    """What a latency is, by its name as a cost."""
    return f"{name}: milliseconds of a pass at the usual speed of the machine. Nothing is judged by it."


def latencies_once(costs: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, npt.NDArray[np.float64]]:
    """Latencies by name, without the setup that `latency` alone stands for, which would be there twice."""
    standard = costs.get(LATENCY)
    if standard is None:
        return dict(costs)
    once = {LATENCY: standard}
    for name, values in costs.items():
        if not np.array_equal(values, standard, equal_nan=True):
            once[name] = values
    return once


def is_lower_better(name: str) -> bool:
    """Whether lower raw scores of a proxy are better; of a cost they are not."""
    return name in PROXIES and PROXIES[name].direction < 0


def doubtful_in_words(pool: Pool, names: Iterable[str]) -> dict[str, str]:
    """Why the scores of some proxies are not to be trusted in a pool: those that are doubtful there."""
    found = {}
    for name in doubtful_in(pool.space, names, pool.dataset):
        found[name] = doubt_notes(pool.space, [name], pool.dataset)[0]
    return found


def split_in_words(pool: Pool) -> str:
    """The end of a sentence that says of which split the accuracies are."""
    if pool.split == "test":
        return ", which was asked for: for a final judgement, not for choosing."
    return "; the test split is nowhere on this page."


def protocol_in_words(pool: Pool) -> str:
    """By what the scores were made."""
    if pool.protocol:
        return f"protocol {pool.protocol}"
    return "as published"


def sources_in_words(bench: Bench, pool: Pool) -> list[str]:
    """Where an imported space's numbers come from, and their licences."""
    notes = [_source_in_words("runs", bench.arrow("runs", pool.space, pool.dataset))]
    if bench.protocols(pool.space, pool.dataset):
        notes.append(_source_in_words("scores", bench.arrow("scores", pool.space, pool.dataset)))
    return notes


def _source_in_words(kind: str, table: pa.Table) -> str:
    said = table.schema.metadata
    source, licence = said[b"nbzero.source"].decode(), said[b"nbzero.licence"].decode()
    return f"Imported {kind}: {source}. Licence: {licence}."


def noise_in_words(pool: Pool) -> str:
    """How far the seeds of one arch lie apart, without a full stop."""
    accuracies = pool.accuracies
    if accuracies is None:
        return "Seed noise: unknown, no arch of the pool was trained with two seeds"
    shared = (~np.isnan(accuracies)).sum(axis=0) > 1
    between_seeds = float(np.sqrt(np.mean(np.nanvar(accuracies[:, shared], axis=0, ddof=1))))
    between_archs = float(np.std(pool.accuracy, ddof=1))
    return (
        f"Seed noise: {int(shared.sum()):,} of the {len(pool):,} archs were trained with more than one seed; "
        f"the standard deviation between seeds is {between_seeds:.4f}, between archs {between_archs:.4f}"
    )
