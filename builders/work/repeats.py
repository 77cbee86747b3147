"""Two rows of one key: whether they contradict each other, what rounding explains, what the second fills in.

Times, device, software and commit are not compared. A score that one row lacks without a reason is no
contradiction: it was asked for later.

Processors add in different orders, so that another one gives a score that differs in its last digits: by up
to SCORE_RTOL of it. A training drifts apart, as trainings with different seeds do. So a run's numbers may
differ by NUM_SD standard deviations between seeds. These are measured on the runs of the base (`SeedNoise`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from builders.work.rows import Row
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import LATER, TABLES, WHERE, Table

SCORE_RTOL = 1e-3
NUM_SD = 3
LEAST_ARCHS = 10  # with several seeds, for a standard deviation that can be trusted
_SINGLE = ("val_acc", "test_acc", "train_loss")


class SeedNoise:
    """The standard deviation between seeds of a run's numbers, of each recipe in one runs table.

        sd^2 = sum_a sum_s (x_as - mean_s x_as)^2 / sum_a (S_a - 1)

    over the archs a that have S_a >= 2 seeds s, none of them diverged. x is each number on its own: val_acc,
    test_acc, train_loss, the accuracy of every epoch of the curve.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._runs: dict[str, dict[int, list[Row]]] = {}
        self._measured: dict[str, tuple[int, npt.NDArray[np.float64] | None]] = {}
        for row in rows:
            of_recipe = self._runs.setdefault(row["recipe"], {})
            of_recipe.setdefault(row["arch_id"], []).append(row)

    def measured(self, recipe: str) -> tuple[int, npt.NDArray[np.float64] | None]:
        """How many archs have several seeds, and the sd of val_acc, test_acc, train_loss and each epoch.

        It is None where these archs are fewer than LEAST_ARCHS.
        """
        if recipe not in self._measured:
            self._measured[recipe] = _spread(self._runs.get(recipe, {}).values())
        return self._measured[recipe]


def _spread(runs_of_archs: Collection[Sequence[Row]]) -> tuple[int, npt.NDArray[np.float64] | None]:
    epochs = max((len(run["curve"]) for runs in runs_of_archs for run in runs), default=0)
    squares = np.zeros(len(_SINGLE) + epochs)
    num_archs = freedom = 0
    for runs in runs_of_archs:
        whole = all(run["status"] == "ok" and len(run["curve"]) == epochs for run in runs)
        if len(runs) < 2 or not whole:
            continue
        numbers = np.array([_numbers(run) for run in runs])
        squares += ((numbers - numbers.mean(axis=0)) ** 2).sum(axis=0)
        freedom += len(runs) - 1
        num_archs += 1
    if num_archs < LEAST_ARCHS:
        return num_archs, None
    return num_archs, np.sqrt(squares / freedom)


def _numbers(run: Row) -> list[float]:
    return [*(run[name] for name in _SINGLE), *run["curve"]]


def beyond_rounding(
    table: Table, base: Row, other: Row, columns: Iterable[str], noise: SeedNoise
) -> list[str]:
    """Those of the columns in which two rows of one key differ by more than rounding.

    Args:
        columns: in which they differ.
        noise: of the base's table, where it is one of runs.
    """
    if table == "scores":
        return [name for name in columns if not _is_close(base.get(name), other.get(name))]
    if table == "latencies":
        return list(columns)
    _, sd = noise.measured(base["recipe"])
    finished = base["status"] == other["status"] == "ok"
    if sd is None or not finished or not len(sd) == len(_numbers(base)) == len(_numbers(other)):
        return list(columns)
    apart = np.abs(np.subtract(_numbers(base), _numbers(other))) > NUM_SD * sd
    far = {name for name, is_far in zip(_SINGLE, apart, strict=False) if is_far}
    if apart[len(_SINGLE) :].any():
        far.add("curve")
    return [name for name in columns if name in far]


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None or not math.isfinite(one) or not math.isfinite(other):
        return False
    return abs(one - other) <= SCORE_RTOL * max(abs(one), abs(other))


def said_allowed(table: Table, base: Row, column: str, noise: SeedNoise) -> str:
    """In words by how much a column may differ from the base's."""
    if table == "latencies":
        return "a setup is of one machine and its settings"
    if table == "scores":
        return f"another processor's rounding is at most {SCORE_RTOL:g} of a score"
    num_archs, sd = noise.measured(base["recipe"])
    if sd is None:
        return (
            f"nothing is taken for rounding: the base has {num_archs} archs with several seeds of "
            f"{base['recipe']}, and it takes {LEAST_ARCHS} to know the sd between seeds"
        )
    if column in _SINGLE:
        allowed = f"{NUM_SD * sd[_SINGLE.index(column)]:.4g}"
    elif column == "curve":
        allowed = f"{NUM_SD * sd[len(_SINGLE) :].max():.4g} in its noisiest epoch"
    else:
        return f"{column} does not differ by rounding"
    return (
        f"another processor's rounding is at most {NUM_SD} sd between seeds, {allowed}, "
        f"as {num_archs} archs of the base have it"
    )


# What is compared, and what is filled in


def differing(table: Table, first: Row, second: Row) -> list[str]:
    """The columns that make two rows of one key contradict each other.

    Times, device, software and commit are left out. A score that one row lacks without a reason is no
    contradiction: it was asked for later.
    """
    found = []
    elsewhere = {*LATER[table], *WHERE, "failures"}
    for column in TABLES[table]:
        compared = column.same and column.name not in elsewhere
        if compared and first[column.name] != second[column.name]:
            found.append(column.name)
    for column in sorted(TABLES[table], key=lambda column: column.name):
        if column.same and column.name in LATER[table] and _contradict(column.name, first, second):
            found.append(column.name)
    return found


def _contradict(proxy: str, first: Row, second: Row) -> bool:
    """Whether two rows have different scores, or one a score and the other a reason why there is none."""
    one, other = first.get(proxy), second.get(proxy)
    if one == other:
        return False
    if one is not None and other is not None:
        return True
    lacking = second if other is None else first
    return proxy in _failures(lacking)


def filled(table: Table, first: Row, second: Row) -> Row | None:
    """The first row with the scores, seconds and reasons that only the second has.

    It is None where the second has nothing more. Device, software and commit are those of the row with more
    scores.
    """
    more = {}
    for name in LATER[table]:
        if first.get(name) is None and second.get(name) is not None:
            more[name] = second[name]
    reasons = _failures(second) | _failures(first)
    if not more.keys() & PROXIES.keys() and reasons == _failures(first):
        return None
    larger = max(second, first, key=_num_scores)
    made = {}
    for column in TABLES[table]:
        if not column.same and column.name not in LATER[table]:
            made[column.name] = larger[column.name]
    failures = json.dumps(reasons, sort_keys=True) if reasons else None
    return first | more | made | {"failures": failures}


def lacking(row: Row) -> list[str]:
    """The proxies of which a row of scores has neither a score nor a reason why there is none."""
    reasons = _failures(row)
    return [name for name in PROXIES if row.get(name) is None and name not in reasons]


def _num_scores(row: Row) -> int:
    return sum(row.get(name) is not None for name in PROXIES)


def _failures(row: Row) -> dict[str, str]:
    failures: dict[str, str] = json.loads(row.get("failures") or "{}")
    return failures
