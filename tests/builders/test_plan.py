"""What hours are good for: the networks that are next, how long they take and what they cost."""

import pytest
import torch

from builders import plan
from builders.plan import fitting, measure
from builders.work import rates
from builders.work.base import members_of_space
from builders.work.origin import device_name
from builders.work.rates import Key, Rate, keep, measured, training_cost
from nbzero.release.manifest import Release
from nbzero.spaces.macro import macs
from train.recipe import recipe

GIVEN = ["--space", "r1-mini", "--recipe", "cpu-16px-4"]
COST = training_cost("r1-mini", "cifar10", recipe("cpu-16px-4"))
CARD = "NVIDIA Made 100"


@pytest.fixture(autouse=True)
def nothing_known(own_cache, monkeypatch, tmp_path):
    """No rate but those of a test."""
    monkeypatch.setattr(rates, "SHIPPED", tmp_path / "shipped.json")
    rates.SHIPPED.write_text('{"rates": []}')


def said(capsys, *more, status=0):
    capsys.readouterr()
    assert plan.main([*GIVEN, *more]) == status
    found = capsys.readouterr()
    return found.out.splitlines() if status == 0 else found.err


def seconds_of(arch_id, rate):
    return COST.passes * rate * macs(members_of_space("r1-mini")[arch_id], 16, 10)


def test_what_fits_is_the_longest_prefix_that_ends_in_time():
    rate = Rate(0.0, 1e-11, 10, 0.9, 1.1, 1.0, 1e5, 1e8, "made")
    units = [(arch_id, members_of_space("r1-mini")[arch_id], 0) for arch_id in range(20)]
    times = [seconds_of(arch_id, 1e-11) for arch_id in range(20)]
    found = fitting(units, COST, rate, sum(times[:7]) * 1.0001)
    assert found.units == units[:7] and found.seconds == pytest.approx(sum(times[:7]))
    assert fitting(units, COST, rate, times[0] / 2).units == []
    assert fitting(units, COST, rate, 1e9).units == units
    twice = Rate(0.0, 1e-11, 10, 0.9, 3.1, 2.0, 1e5, 1e8, "made")  # the mean network counts
    assert fitting(units, COST, twice, sum(times[:7]) * 1.0001).seconds <= sum(times[:7])


def test_a_plan_says_which_how_long_how_much_and_the_command(capsys):
    """Without a base, from the first network on."""
    times = [seconds_of(arch_id, 1e-11) for arch_id in range(1000)]
    hours = sum(times[:9]) * 1.001 / 3600
    lines = said(
        capsys,
        *("--base", "none", "--rate", "1e-11", "--device", "cuda", "--hours", str(hours)),
    )
    assert lines[0] == "r1-mini on cifar10, cpu-16px-4: 1,000 of 1,000 runs are to do (without a base)"
    assert lines[1] == "cuda: a network takes 109,840 passes x (0 s + 1e-11 s x macs), as given"
    assert lines[2].startswith(f"{hours:g} h of 1 worker: 9 runs; archs 0:9, in ")
    assert lines[3].startswith(
        f"energy: {sum(times[:9]) / 3600 * 0.7:.3g} kWh at 700 W a worker (not measured"
    )
    assert lines[4].startswith(
        "python -m builders.train_shard --space r1-mini --dataset cifar10 --recipe cpu-16px-4"
    )
    assert lines[4].endswith(f"--archs 0:9 --seeds 0 --time-limit {hours:g}h --base none --out SHARDS")
    given = said(
        capsys, "--base", "none", "--rate", "1e-11", "--hours", "1", "--watts", "350", "--workers", "2"
    )
    assert given[3].endswith("at 350 W a worker (as given)") and "1 h of 2 workers: " in given[2]


def test_what_the_base_has_is_not_planned_again(release, capsys):
    """It has seed 0 of the first 60 networks, and seed 1 of the first 20."""
    lines = said(capsys, "--base", str(release), "--rate", "1e-11", "--hours", "9999", "--seeds", "0", "1")
    others = "the others are in the base, data version 0.2.0"
    assert lines[0] == f"r1-mini on cifar10, cpu-16px-4: 1,920 of 2,000 runs are to do ({others})"
    assert "1,920 runs, which is all that is left; archs 20:1000, in " in lines[2]
    assert f"--base {release}" in lines[4]


def test_where_the_base_has_all_that_is_said(small, made, capsys):
    base = small("all", [made.run_row(arch_id) for arch_id in range(1000)])
    lines = said(capsys, "--base", str(base), "--rate", "1e-11")
    assert len(lines) == 1
    assert (
        "cpu-16px-4: 0 of 1,000 runs are to do (the others are in the base, data version 0.1.0)" in lines[0]
    )


def test_hours_that_end_no_network_are_told(capsys):
    lines = said(capsys, "--base", "none", "--rate", "1e-3")
    assert lines[-1] == "1 h of 1 worker end no network" or "workers end no network" in lines[-1]


def test_what_was_measured_of_a_device_elsewhere_is_planned_with(capsys):
    keep({Key(CARD, "r1-mini", "train 16px"): [(1e6, 1e-5)] * 6 + [(4e6, 4e-5)] * 6})
    lines = said(capsys, "--base", "none", "--device", CARD, "--hours", "0.5")
    assert lines[1] == (
        f"{CARD}: the median network takes 109,840 passes x (0 s + 1e-11 s x macs), the mean one 1 times that"
        ", one of ten less than 1 times that, one of ten more than 1 times (12 measured here)"
    )
    assert "M macs are planned, 1.0 to 4.0 M were measured: beyond, this is a guess" in lines[2]
    assert "at 700 W a worker" in lines[4]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--space", "r1-min"], "no space named 'r1-min'"),
        (["--recipe", "gpu12"], "no recipe named 'gpu12'; did you mean 'gpu-12'"),
        (["--dataset", "cifar"], "no dataset named 'cifar'"),
        (["--hours", "0"], "--hours is 0.0; a number above 0"),
        (["--hours", "nan"], "--hours is nan; a number above 0"),
        (["--rate", "-1"], "--rate is -1.0; a number above 0"),
        (["--watts", "0"], "--watts is 0.0; a number above 0"),
        (["--seeds", "-1"], "seed -1; it is a whole number from 0"),
        (["--rate", "1", "--measure"], "--measure and --rate are two answers to one question"),
        (["--device", "cuda"], "device 'cuda'; this machine has cpu; of devices elsewhere "),
        (["--device", "cpu"], "nothing was measured of train 16px in r1-mini on "),
        (["--device", CARD, "--measure"], f"--measure needs the device at hand, and '{CARD}' is elsewhere"),
    ],
)
def test_bad_input_says_what_is_allowed(more, error, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    if CARD in more:
        keep({Key(CARD, "r2", "train 32px"): [(1e6, 1e-5)]})
    assert f"error: {error}" in said(capsys, *more, status=2)


def test_measuring_takes_networks_from_small_to_large_until_its_time_is_over(monkeypatch, capsys):
    """On the loop itself, with three steps a network."""
    monkeypatch.setattr(plan, "MEASURED", (0, 1))
    monkeypatch.setattr(plan, "MOST_STEPS", 2)
    monkeypatch.setattr(plan, "tune_process", lambda: None)  # it is of the whole process
    points = measure("r1-mini", "digits", recipe("cpu-16px-4"), "cpu", COST)
    sizes = [macs(arch, 16, 10) for arch in members_of_space("r1-mini")]
    assert [size for size, _ in points] == [min(sizes), max(sizes)]
    assert all(seconds > 0 for _, seconds in points)
    monkeypatch.setattr(plan, "MEASURE_S", -1.0)
    assert measure("r1-mini", "digits", recipe("cpu-16px-4"), "cpu", COST) == []


def test_what_is_measured_is_kept_and_planned_with(monkeypatch, capsys):
    monkeypatch.setattr(plan, "measure", lambda *_: [(1e6, 1e-5)])
    lines = said(capsys, "--base", "none", "--device", "cpu", "--measure", "--workers", "1")
    assert "(1 measured here)" in lines[1]
    key = Key(device_name("cpu"), "r1-mini", "train 16px")
    assert measured() == {key: [(1e6, 1e-5)]}
    assert "(1 measured here)" in said(capsys, "--base", "none", "--device", "cpu")[1]


def test_the_shipped_release_has_a_plan(capsys, monkeypatch):
    monkeypatch.undo()
    lines = said(capsys, "--device", "AMD EPYC, 1 thread", "--hours", "2")
    assert f"data version {Release.open().manifest.data_version}" in lines[0]
    assert "rows of release 0." in lines[1]
