"""The job that measures and fits the modelled clock: on made numbers, and on the loop with made images."""

import json

import numpy as np
import pytest

from builders import fit_clock
from builders.fit_clock import (
    chosen,
    fit,
    fit_of,
    fits,
    main,
    measured,
    scoring_seconds,
    training_seconds,
    turns,
)
from nbzero.images.tensors import load
from nbzero.release.schema import PASSES
from nbzero.search import clock
from nbzero.spaces import CHOICES, Arch, macs
from tests.train.made import small as recipe_with
from train import loop

TRUE = np.array([3e-11, 2e-9, 5e-12, 6e-6, 1e-5])


@pytest.fixture
def own_files(tmp_path, monkeypatch):
    """The job's files in a folder of their own."""
    monkeypatch.setattr(fit_clock, "MEASURED", tmp_path / "clock.csv")
    monkeypatch.setattr(fit_clock, "ORIGIN", tmp_path / "origin.json")
    monkeypatch.setattr(clock, "FITTED", tmp_path / "clock.json")
    clock.fitted.cache_clear()
    yield tmp_path
    clock.fitted.cache_clear()


def test_networks_are_chosen_from_small_to_large():
    archs = chosen("mb-mini", 12)
    costs = [macs(arch) for arch in archs]
    assert len(set(archs)) == 12 and archs == chosen("mb-mini", 12)
    assert costs[0] < costs[-1] / 20 and np.corrcoef(np.arange(12), np.log(costs))[0, 1] > 0.98
    in_turn = list(turns(5))
    assert len(set(in_turn)) == 5 * len(CHOICES) and {space for space, _ in in_turn[:6]} == set(CHOICES)
    assert {arch for space, arch in in_turn if space == "mb-mini"} == set(chosen("mb-mini", 5))


def sizes_of(archs):
    return np.array([clock.sizes(Arch.parse(arch), 16, 10) for arch in archs])


def test_a_fit_finds_the_numbers_that_made_the_seconds():
    sizes = sizes_of(chosen("r2", 20))
    assert fit(sizes, sizes @ TRUE) == pytest.approx(TRUE, rel=1e-6)
    found = fit_of(sizes, sizes @ TRUE)
    assert found["num_archs"] == 20 and found["r2"] == 1 and found["max_error"] == 0
    noise = np.exp(np.random.default_rng(0).normal(0, 0.1, 20))
    rough = fit_of(sizes, sizes @ TRUE * noise)
    assert 0.03 < rough["median_error"] < 0.15 < rough["max_error"] < 0.6 and 0.9 < rough["r2"] < 1
    assert min(rough["coefficients"].values()) >= 0


def test_errors_are_of_networks_that_were_left_out():
    sizes = sizes_of(chosen("r1", 8))
    seconds = sizes @ TRUE
    seconds[3] *= 10  # a fit on all would bend towards it
    found = fit_of(sizes, seconds)
    others = np.arange(8) != 3
    predicted = sizes[3] @ fit(sizes[others], seconds[others])
    assert found["max_error"] >= abs(predicted / seconds[3] - 1) - 1e-4 and predicted < seconds[3] / 5


def made_rows():
    rows = {}
    for space in CHOICES:
        for arch in chosen(space, 4):
            for what in ("train", "eval", *PASSES):
                sizes = clock.sizes(Arch.parse(arch), fit_clock.resolution_of(what, space), 10)
                rows[space, arch, what] = float(np.dot(sizes, TRUE))
    return rows


def test_what_was_measured_is_fitted_and_written(own_files, capsys):
    rows = made_rows()
    lines = [f"{space},{arch},{what},{seconds!r}" for (space, arch, what), seconds in rows.items()]
    (own_files / "clock.csv").write_text("\n".join([",".join(fit_clock.FIELDS), *lines]) + "\n")
    (own_files / "origin.json").write_text('{"device": "made"}')
    assert measured() == rows
    assert main([]) == 0 and "seconds of one core" in capsys.readouterr().out
    made = json.loads((own_files / "clock.json").read_text())
    assert made["made_by"] == {"device": "made"} and made["fits"] == fits(rows)
    for blocks in made["fits"].values():
        for found in blocks.values():
            assert list(found["coefficients"].values()) == pytest.approx(TRUE, rel=1e-4)
    assert clock.quality()["median_error"].max() == 0


def test_without_measurements_it_says_what_to_do(own_files, capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "nothing is measured yet" in said and "run again with --images" in said
    assert not (own_files / "clock.json").exists()


@pytest.mark.long
def test_seconds_are_measured_by_the_projects_own_loop_and_passes(monkeypatch):
    monkeypatch.setattr(fit_clock, "SPENT_S", 0.01)
    monkeypatch.setattr(loop, "EVAL_BATCH", 256)
    digits, of = load("digits", resolution=16), recipe_with("cpu-16px-4", batch=32)
    small, large = "mb-mini-s8-d1w4s2-d1w4s2-d1w4s2", "mb-mini-s16-d2w24s1-d2w32s2-d2w48s2-d2w48s2"
    trained = {arch: training_seconds(arch, digits, of) for arch in (small, large)}
    assert 0 < 3 * trained[small]["train"] < trained[large]["train"]
    assert 0 < 3 * trained[small]["eval"] < trained[large]["eval"] < trained[large]["train"]
    scored = scoring_seconds(small, "std-16-b32", digits)
    assert list(scored) == list(PASSES) and min(scored.values()) > 0


def test_a_measurement_that_was_stopped_goes_on(own_files, monkeypatch):
    asked = []

    def some_seconds(arch, *more):
        asked.append(arch)
        if len(asked) == 9:
            raise KeyboardInterrupt
        return {"train": 0.1, "eval": 0.2} if len(more) == 2 and len(asked) <= 13 else {"trace": 0.3}

    monkeypatch.setattr(fit_clock, "TRAINED", 2)
    monkeypatch.setattr(fit_clock, "SCORED", 2)
    monkeypatch.setattr(fit_clock, "load", lambda *_: None)
    monkeypatch.setattr(fit_clock, "training_seconds", some_seconds)
    monkeypatch.setattr(fit_clock, "scoring_seconds", some_seconds)
    assert main(["--images", "anywhere"]) == 130
    assert len(measured()) == 2 * 8 and not (own_files / "origin.json").exists()
    fit_clock.measure("anywhere")
    assert asked.count(asked[0]) == 2 and len(asked) == 9 + 4 + 12  # once trained, once scored
    assert {what for _, _, what in measured()} == {"train", "eval", "trace"} and len(measured()) == 12 * 3
    origin = json.loads((own_files / "origin.json").read_text())
    assert set(origin) == {"device", "software", "commit", "date", "settings"}
    before = (own_files / "clock.csv").read_bytes()
    fit_clock.measure("anywhere")
    assert (own_files / "clock.csv").read_bytes() == before and len(asked) == 9 + 4 + 12
