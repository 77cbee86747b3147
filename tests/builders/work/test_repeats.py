"""Two rows of one key: what rounding explains, by noise that is measured on the base's own runs."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from builders.work.repeats import LEAST_ARCHS, SeedNoise, beyond_rounding, differing, filled, said_allowed

Row = dict[str, Any]
NUMBERS = ("val_acc", "test_acc", "train_loss")


def two_seeds(made: SimpleNamespace, num_archs: int) -> list[Row]:
    """Runs of archs with the seeds 0 and 1."""
    return [made.run_row(arch_id, seed=seed) for arch_id in range(num_archs) for seed in (0, 1)]


def test_the_noise_is_the_pooled_sd_between_seeds(made: SimpleNamespace) -> None:
    rows = two_seeds(made, LEAST_ARCHS)
    num_archs, sd = SeedNoise(rows).measured(made.short)
    first, second = (
        np.array([[*(row[name] for name in NUMBERS), *row["curve"]] for row in rows if row["seed"] == seed])
        for seed in (0, 1)
    )
    assert num_archs == LEAST_ARCHS
    np.testing.assert_allclose(sd, np.sqrt(((first - second) ** 2).mean(axis=0) / 2), rtol=1e-12)


def test_a_third_seed_weighs_as_one_degree_of_freedom_more(made: SimpleNamespace) -> None:
    rows = [*two_seeds(made, LEAST_ARCHS), made.run_row(0, seed=2)]
    _, sd = SeedNoise(rows).measured(made.short)
    by_arch = [
        [row["val_acc"] for row in rows if row["arch_id"] == arch_id] for arch_id in range(LEAST_ARCHS)
    ]
    squares = sum(np.var(values) * len(values) for values in by_arch)
    assert sd is not None and sd[0] == pytest.approx(math.sqrt(squares / (LEAST_ARCHS + 1)))


def test_what_tells_nothing_of_the_noise(made: SimpleNamespace) -> None:
    rows = two_seeds(made, LEAST_ARCHS)
    others = [made.run_row(50), made.run_row(60, seed=3)]
    others += [made.diverged_row(70), made.run_row(70, seed=1), made.run_row(80), made.run_row(80, seed=1)]
    others[-1]["curve"] = others[-1]["curve"][:2]
    same, sd = SeedNoise(rows).measured(made.short)[1], SeedNoise(rows + others).measured(made.short)[1]
    assert same is not None and sd is not None and same.tolist() == sd.tolist()
    assert SeedNoise(rows[2:]).measured(made.short) == (LEAST_ARCHS - 1, None)
    assert SeedNoise(rows).measured(made.long) == (0, None)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_run_may_differ_by_three_sd(made: SimpleNamespace, name: str) -> None:
    noise = SeedNoise(two_seeds(made, LEAST_ARCHS))
    _, sd = noise.measured(made.short)
    assert sd is not None
    row = made.run_row(0)
    for factor, beyond in ((2.99, []), (-2.99, []), (3.01, [name]), (-3.01, [name])):
        other = row | {name: row[name] + factor * sd[NUMBERS.index(name)]}
        assert beyond_rounding("runs", row, other, [name], noise) == beyond
    allowed = f"at most 3 sd between seeds, {3 * sd[NUMBERS.index(name)]:.4g}, as {LEAST_ARCHS} archs"
    assert allowed in said_allowed("runs", row, name, noise)


def test_each_epoch_has_its_own_noise(made: SimpleNamespace) -> None:
    noise = SeedNoise(two_seeds(made, LEAST_ARCHS))
    _, sd = noise.measured(made.short)
    assert sd is not None
    row = made.run_row(0)
    for epoch in range(4):
        for factor, beyond in ((2.99, []), (3.01, ["curve"])):
            curve = list(row["curve"])
            curve[epoch] -= factor * sd[3 + epoch]
            assert beyond_rounding("runs", row, row | {"curve": curve}, ["curve"], noise) == beyond
    assert "in its noisiest epoch" in said_allowed("runs", row, "curve", noise)


def test_what_of_a_run_rounding_never_explains(made: SimpleNamespace) -> None:
    noise = SeedNoise(two_seeds(made, LEAST_ARCHS))
    row = made.run_row(0)
    diverged = made.diverged_row(0)
    columns = ["status", "val_acc"]
    assert beyond_rounding("runs", row, diverged, columns, noise) == columns
    assert beyond_rounding("runs", row, row | {"curve": row["curve"][:3]}, ["curve"], noise) == ["curve"]
    assert "status does not differ by rounding" in said_allowed("runs", row, "status", noise)
    few = SeedNoise(two_seeds(made, LEAST_ARCHS - 1))
    assert beyond_rounding("runs", row, row | {"val_acc": row["val_acc"] + 1e-9}, ["val_acc"], few) == [
        "val_acc"
    ]
    said = said_allowed("runs", row, "val_acc", few)
    assert f"the base has {LEAST_ARCHS - 1} archs with several seeds of {made.short}" in said


@pytest.mark.parametrize(
    ("base", "other", "is_close"),
    [
        (100.0, 100.09, True),
        (100.0, 100.11, False),
        (-100.0, -99.91, True),
        (1e64, 1.0009e64, True),
        (1e-9, -1e-9, False),
        (0.0, 1e-300, False),
        (-math.inf, 5.0, False),
        (5.0, -math.inf, False),
        (-math.inf, math.inf, False),
        (None, 5.0, False),
    ],
)
def test_a_score_may_differ_by_a_thousandth(base: Any, other: Any, is_close: bool) -> None:
    beyond = beyond_rounding("scores", {"zen": base}, {"zen": other}, ["zen"], SeedNoise(()))
    assert beyond == ([] if is_close else ["zen"])
    assert "at most 0.001 of a score" in said_allowed("scores", {}, "zen", SeedNoise(()))


def test_what_is_compared_and_what_is_filled_in(made: SimpleNamespace) -> None:
    row = made.score_row(0)
    other = row | {"zen": row["zen"] + 1, "trace_s": 9.0, "device": "another"}
    assert differing("scores", row, other) == ["zen"]
    assert filled("scores", row, other) is None
    assert differing("scores", row | {"zen": None}, row) == []
    more = filled("scores", row | {"zen": None, "synflow": 5.0}, row)
    assert more is not None and (more["zen"], more["synflow"]) == (row["zen"], 5.0)
