"""Rates: what was measured says how long a network takes, and by how much single ones differ."""

import dataclasses
import json

import numpy as np
import pytest

from builders import fit_rates
from builders.work import rates
from builders.work.rates import (
    FEW,
    KEPT,
    Key,
    fit,
    keep,
    known,
    measured,
    released,
    scoring_cost,
    training_cost,
)
from nbzero import Bench
from nbzero.spaces.macro import macs
from train.recipe import recipe

SIZES = np.geomspace(1e6, 1e8, 40)
KEY = Key("a card", "r1", "train 32px")


@pytest.fixture
def no_release(monkeypatch, tmp_path):
    """Nothing is known from released rows."""
    monkeypatch.setattr(rates, "SHIPPED", tmp_path / "shipped.json")
    rates.SHIPPED.write_text('{"rates": []}')


def ship(**rows):
    """Released rates: a space's name and its rate."""
    content = []
    for space, rate in rows.items():
        content.append({"device": "a card", "space": space, "what": "train 32px", **dataclasses.asdict(rate)})
    rates.SHIPPED.write_text(json.dumps({"rates": content}))


def points(fixed_s, per_mac_s, sizes=SIZES):
    return [(float(size), fixed_s + per_mac_s * float(size)) for size in sizes]


def test_a_fit_finds_what_made_the_times_also_where_some_were_disturbed():
    made = points(0.002, 1e-10)
    found = fit(made, "made")
    assert found.median(3e7) == pytest.approx(0.005, rel=0.01)
    assert (found.num, found.smallest, found.largest, found.origin) == (40, 1e6, 1e8, "made")
    assert found.low == pytest.approx(1, abs=0.01) and found.high == pytest.approx(1, abs=0.01)
    for place in (3, 11, 20, 28, 35, 39):
        made[place] = (made[place][0], 5 * made[place][1])
    slow = fit(made, "made")
    assert slow.median(3e7) == pytest.approx(0.005, rel=0.02)
    assert slow.mean == pytest.approx(1 + 4 * 6 / 40, rel=0.03) and slow.high == pytest.approx(5, rel=0.05)
    assert slow.expected(3e7) == pytest.approx(slow.mean * slow.median(3e7))


@pytest.mark.parametrize("sizes", [SIZES[: FEW - 1], [1e7] * 20, np.geomspace(1e7, 1.9e7, 20)])
def test_of_few_or_equal_sizes_seconds_grow_with_macs(sizes):
    found = fit(points(0.002, 1e-10, sizes), "made")
    assert found.fixed_s == 0 and found.per_mac_s > 1e-10


def test_what_was_measured_is_kept_and_added_to(own_cache, no_release):
    assert known(KEY) is None
    keep({KEY: points(0, 2e-10, SIZES[:10])})
    keep({KEY: points(0, 2e-10, SIZES[10:]), Key("other", "mb", "train 16px"): [(1e6, 0.5)]})
    assert measured()[KEY] == points(0, 2e-10) and measured()[Key("other", "mb", "train 16px")] == [
        (1e6, 0.5)
    ]
    found = known(KEY)
    assert found.expected(1e7) == pytest.approx(0.002, rel=0.01) and found.origin == "40 measured here"
    keep({KEY: [(1e6, 1.0)] * KEPT})
    assert measured()[KEY] == [(1e6, 1.0)] * KEPT, "the newest are kept"


ONE_KEY = '{"measured": [{"device": "a card", "space": "r1", "what": "train 32px", "points": POINTS}]}'
DAMAGED = ["", "nonsense", "[]", '{"measured": 5}', '{"measured": [{"device": "x"}]}', "\x00" * 20]
DAMAGED += [ONE_KEY.replace("POINTS", wrong) for wrong in ("[]", "[[1]]", "[[1, -1]]", "[[1, null]]", '"x"')]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_cache_that_is_damaged_counts_as_none_and_is_written_anew(text, own_cache, no_release):
    own_cache.mkdir()
    (own_cache / "rates.json").write_text(text)
    assert known(KEY) is None
    keep({KEY: [(1e6, 0.5)]})
    assert measured() == {KEY: [(1e6, 0.5)]}


def test_released_rates_stand_in_until_enough_was_measured(own_cache, no_release):
    there = fit(points(0.002, 1e-10), "released rows")
    ship(r1=there)
    assert known(KEY) == there
    keep({KEY: [(1e7, 0.009)]})  # three times as long
    scaled = known(KEY)
    assert scaled.expected(1e8) == pytest.approx(3 * there.expected(1e8), rel=0.01)
    assert scaled.origin == "released rows, scaled by 1 measured here"
    keep({KEY: points(0.1, 0, SIZES[:FEW])})
    assert known(KEY).origin == f"{FEW + 1} measured here"


def test_a_space_of_the_same_blocks_stands_in_and_is_named(own_cache, no_release):
    there = fit(points(0.002, 1e-10), "released rows")
    ship(**{"r1-mini": there, "r2": fit(points(1, 1), "released rows")})
    assert known(KEY) == dataclasses.replace(there, origin="released rows of r1-mini")
    assert known(KEY._replace(what="train 16px")) is None
    assert known(KEY._replace(device="another")) is None
    assert known(KEY._replace(space="mb")) is None


def test_costs_are_of_the_images_a_job_passes():
    cost = training_cost("r1", "cifar10", recipe("cpu-16px-4"))
    assert cost.key("a card") == ("a card", "r1", "train 16px")
    assert cost.passes == pytest.approx(99840 + 30000 / 3)
    arch = "r1-s32-d2w64s2-d1w128s2-d2w256s2"
    assert cost.macs_of(arch) == macs(arch, 16, 10)
    whole = training_cost("r1", "cifar100", recipe("gpu-12"))
    assert whole.what == "train 32px" and whole.macs_of(arch) == macs(arch, 32, 100)
    assert whole.passes == pytest.approx(12 * (45_000 - 45_000 % 256) + (12 * 5000 + 10_000) / 3)
    scored = scoring_cost("r1", "cifar10", "std-16", 16)
    assert scored.what == "score std-16" and scored.passes == 1 and scored.macs_of(arch) == macs(arch, 16, 10)


def test_shipped_rates_are_of_the_released_rows():
    """About: a release that adds rows need not bring new rates."""
    shipped, found = released(), fit_rates.points_of(Bench())
    assert set(shipped) <= set(found) and len(shipped) >= 11
    for key, rate in shipped.items():
        now = fit(found[key], "now")
        for size in (rate.smallest, rate.largest):
            assert rate.median(size) == pytest.approx(now.median(size), rel=0.3)
        assert rate.low < 1 < rate.high and rate.num <= len(found[key])


def test_the_job_writes_what_it_fits(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(rates, "SHIPPED", tmp_path / "rates.json")
    monkeypatch.setattr(fit_rates, "points_of", lambda bench: {KEY: points(0.002, 1e-10)})
    assert fit_rates.main([]) == 0
    assert released() == {KEY: fit(points(0.002, 1e-10), f"rows of release {Bench().version}")}
    said = capsys.readouterr().out
    assert said.startswith("a card, r1, train 32px: 40 rows, of ten, one below x0.99")
