"""Scores of the reader's, as an array in a pool's order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of, whole
from nbzero.judge.pool import Floats, Pool
from nbzero.proxies.scored import OwnRow, OwnScores, check_once

EXACT = 1 << 53  # whole numbers beyond it can be equal as float64


class Given(NamedTuple):
    """Scores of archs in some order.

    Attributes:
        values: (N,) NaN where there is none.
        named: (N,) whether the scores name the arch. What they do not name was not scored.
    """

    values: Floats
    named: npt.NDArray[np.bool_]


def aligned(pool: Pool, scores: Any) -> Given:
    """Scores in the order of a pool.

    Args:
        scores: a mapping from arch (string or Arch) to a number, None or NaN; a pandas Series indexed by
            arch; a table (of pandas, polars, or a Frame) with columns arch and score, and seed where an arch
            has several rows; an array with an entry for each arch of the pool, or for every member of the
            space in build order.

    Raises:
        UsageError: an arch that is no member of the space, named; an arch twice; a score that is no number;
            whole numbers that differ, but not as float64; an array of another length.
    """
    if isinstance(scores, Mapping):
        return _by_arch(pool, list(scores), list(scores.values()))
    if hasattr(scores, "columns"):
        return aligned(pool, _of_table(scores))
    if hasattr(scores, "index") and hasattr(scores, "to_numpy"):
        return _by_arch(pool, list(scores.index), list(scores.to_numpy(object, na_value=None)))
    values = _array(pool, scores)
    return Given(values, np.ones(len(values), bool))


def _of_table(table: Any) -> Mapping[Any, Any]:
    """Scores by arch of a table; the mean over seeds where it has a column of them."""
    columns = [str(name) for name in table.columns]
    if "arch" not in columns or "score" not in columns:
        listed = ", ".join(columns) or "none"
        allowed = "a table of scores has the columns arch and score; a Series is indexed by arch"
        raise UsageError(f"scores of shape {np.shape(table)} with columns {listed}; {allowed}")
    archs, scores = list(table["arch"]), list(table["score"])
    seeds = list(table["seed"]) if "seed" in columns else [0] * len(archs)
    rows = []
    for arch, seed, score in zip(archs, seeds, scores, strict=True):
        value = number(str(arch), score)
        rows.append(OwnRow(str(arch), whole("seed", seed), None if math.isnan(value) else value))
    check_once(rows, "the table of scores")
    return OwnScores(rows)


def _array(pool: Pool, scores: Any) -> Floats:
    array = np.asarray(scores)
    if array.dtype == object and array.ndim == 1:
        array = np.array([number(f"row {row}", value) for row, value in enumerate(array.tolist())])
    is_whole = array.shape == (pool.num_members,)
    if not (is_whole or array.shape == (len(pool),)) or array.dtype.kind not in "fiu":
        given = f"scores of shape {array.shape} and type {array.dtype}"
        members = f"each of the {pool.num_members} members of {pool.space} in build order"
        allowed = f"an array holds one number for {members}, or for each of the {len(pool)} archs of the pool"
        raise UsageError(f"{given}; {allowed}; scores of some archs go in a dict or Series by arch")
    if array.dtype.kind in "iu":
        check_still_differ(array.tolist())
    values = array.astype(np.float64)
    return values[pool.arch_ids] if is_whole else values


def _none_named(pool: Pool) -> str:
    archs = count_of(len(pool), "arch")
    return f"none of the {archs} of {pool.name} is named by the scores; give scores of measured archs"


def _by_arch(pool: Pool, keys: Sequence[Any], given: Sequence[Any]) -> Given:
    if not keys:
        raise UsageError(_none_named(pool))
    texts = [str(key) for key in keys]
    _check_archs(pool, texts)
    places = {arch: place for place, arch in enumerate(pool.archs)}
    values = np.full(len(pool), np.nan)
    named = np.zeros(len(pool), bool)
    for text, value in zip(texts, given, strict=True):
        score = number(text, value)
        place = places.get(text)
        if place is not None:
            values[place] = score
            named[place] = True
    check_still_differ(given)
    return Given(values, named)


def _check_archs(pool: Pool, texts: Sequence[str]) -> None:
    """UsageError for archs that are no members of the space, or there twice."""
    known = set(pool.members or pool.archs)
    strangers = [text for text in texts if text not in known]
    if strangers:
        many = f"{len(strangers)} of {count_of(len(texts), 'score is', 'scores are')}"
        like = (pool.members or pool.archs)[0]
        foreign = f"for archs that are no members of {pool.space}: {_some(strangers)}"
        raise UsageError(f"{many} {foreign}; members are like {like!r}")
    twice = [text for text, count in Counter(texts).items() if count > 1]
    if twice:
        many = count_of(len(twice), "arch has", "archs have")
        raise UsageError(f"{many} more than one score: {_some(twice)}; give one each")


def _some(texts: Sequence[str]) -> str:
    listed = ", ".join(map(repr, texts[:3]))
    return f"{listed}, .." if len(texts) > 3 else listed


def number(arch: str, value: Any) -> float:
    """A score as a float, NaN for None; UsageError for what is no number."""
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes, bool, np.bool_)) or not hasattr(value, "__float__"):
        raise UsageError(
            f"the score of {arch} is {value!r}; it is a number, or None or NaN where there is none"
        )
    try:
        return float(value)
    except OverflowError:
        beyond = f"the score of {arch} is beyond what a float holds"
        raise UsageError(f"{beyond}; give its logarithm, which ranks alike") from None


def check_still_differ(given: Iterable[Any]) -> None:
    """UsageError where whole numbers that differ are one float64.

    It would tie archs that the scores tell apart.
    """
    large = set()
    for value in given:
        if isinstance(value, (int, np.integer)) and abs(int(value)) > EXACT:
            large.add(int(value))
    lost = len(large) - len({float(value) for value in large})
    if lost:
        tie = "are no longer different as float64, so they would tie"
        raise UsageError(
            f"{lost} of {len(large)} whole numbers beyond 2^53, like {max(large)}, {tie}; "
            "subtract what they share, or give their ranks"
        )


def narrowed(pool: Pool, *given: Given) -> tuple[Pool, list[Floats], list[str]]:
    """The pool of the archs that all scores name, the scores of these, and a note where it is smaller.

    Archs that a reader's scores do not name were not scored. So the pool is narrowed to those named, for all
    proxies alike: judged against the whole, a proxy of some archs looks better than it is.

    Raises:
        NothingFoundError: they name no arch of the pool.
    """
    named = np.ones(len(pool), bool)
    for one in given:
        named &= one.named
    values = [one.values[named] for one in given]
    if named.all():
        return pool, values, []
    if not named.any():
        raise NothingFoundError(_none_named(pool))
    part = pool.only(named)
    note = (
        f"Narrowed to the {len(part):,} of {len(pool):,} archs that the scores name, for all proxies alike."
    )
    return part, values, [note]


def scores_of(pool: Pool, given: str | Any) -> Given:
    """Scores of a proxy or cost by name, or `aligned` ones of the reader's.

    Raises:
        UnknownNameError: a name that the pool does not have.
        NothingFoundError: no arch has a score.
        UsageError: as `aligned`.
    """
    if isinstance(given, str):
        pool.check_scored([given])
        return Given(pool.score(given), np.ones(len(pool), bool))
    found = aligned(pool, given)
    if np.isnan(found.values).all():
        lacking = f"no arch of {pool.name} has a score of yours, so it picks nothing"
        raise NothingFoundError(f"{lacking}; give scores of archs of the pool")
    return found
