"""syne-tune: the blackbox's numbers, and tuners that run on its simulator backend."""

import logging
import sys
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("syne_tune", reason="needs pip install --no-deps syne-tune")

from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
from syne_tune.blackbox_repository import UserBlackboxBackend
from syne_tune.optimizer.baselines import ASHA, RandomSearch

from nbzero import Bench
from nbzero.adapters import blackbox
from nbzero.errors import MissingPackageError, NothingFoundError, UnknownNameError, UsageError
from nbzero.spaces import decisions_of, values_of
from tests.conftest import DIVERGED

R1 = ("r1-mini", "cifar10", "cpu-16px-4")


@pytest.fixture(scope="module")
def trained(bench):
    return blackbox(bench, *R1, unmeasured="refuse")


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("SYNETUNE_FOLDER", str(tmp_path))
    monkeypatch.setattr(logging.getLogger("syne_tune"), "disabled", True)


def tuned(told, scheduler, seconds):
    """The results that a tuner on the simulator stored: a dict an epoch of a trial."""
    stored = SimulatorCallback()
    tuner = Tuner(
        trial_backend=UserBlackboxBackend(told, elapsed_time_attr="elapsed_time", seed=0),
        scheduler=scheduler,
        stop_criterion=StoppingCriterion(max_wallclock_time=seconds),
        n_workers=4,
        sleep_time=0,
        callbacks=[stored],
        save_tuner=False,
        print_update_interval=1e9,
    )
    tuner.run()
    return stored.results


def test_every_epoch_of_the_curve_and_its_time(bench, trained):
    assert trained.fidelity_values.tolist() == [1, 2, 3, 4] and trained.fidelity_name() == "epoch"
    for arch in trained.trainings.simulation.archs[:10]:
        values = values_of("r1-mini", arch)
        seconds = trained.trainings.seconds_of(arch)
        for seed in (None, 0, 1):
            run = bench.query(arch).run(*R1[1:], seed=seed or 0)
            table = trained.objective_function(values, seed=seed)
            assert table[:, 0].tolist() == list(run.curve)
            assert table[:, 1] == pytest.approx(seconds * np.arange(1, 5) / 4)
        third = trained.objective_function(values, fidelity={"epoch": 3}, seed=1)
        assert third == {"val_acc": run.curve[2], "elapsed_time": pytest.approx(seconds * 3 / 4)}
        assert trained.objective_function(values, fidelity=3, seed=1) == third


def test_the_configuration_space_has_the_options(trained):
    found = trained.configuration_space
    assert list(found) == [one.name for one in decisions_of("r1-mini")]
    for one in decisions_of("r1-mini"):
        assert tuple(found[one.name].categories) == one.options


def test_a_tuner_stops_trainings_early_on_the_simulator(trained):
    scheduler = ASHA(
        trained.configuration_space,
        metric="val_acc",
        do_minimize=False,
        time_attr="epoch",
        max_t=4,
        grace_period=1,
        reduction_factor=2,
        random_seed=0,
    )
    results = tuned(trained, scheduler, seconds=1500)
    epochs = Counter(result["trial_id"] for result in results)
    assert len(epochs) > 50 and {1, 2, 4} <= set(epochs.values())
    assert Counter(epochs.values())[1] > Counter(epochs.values())[4]
    names = [one.name for one in trained.trainings.decisions]
    for result in results:
        values = {name: result[f"config_{name}"] for name in names}
        wanted = trained.objective_function(values, fidelity=int(result["epoch"]), seed=0)
        assert result["val_acc"] == wanted["val_acc"]
        assert result["elapsed_time"] == pytest.approx(wanted["elapsed_time"])
    assert 1400 < max(result["st_tuner_time"] for result in results) < 1700


def test_a_tuner_on_predictions_and_on_an_imported_space(bench, tables):
    for told in (blackbox(bench, *R1), blackbox(tables, "nb201", "cifar100", "nb201-12", seconds=60)):
        assert told.fidelity_values.tolist() == [1]
        scheduler = RandomSearch(
            told.configuration_space, metrics=["val_acc"], do_minimize=False, random_seed=0
        )
        results = tuned(told, scheduler, seconds=600)
        assert len(results) >= 10 and all(0 < result["val_acc"] < 1 for result in results)


def test_what_has_no_accuracy_is_an_error_unless_a_value_is_given(bench, release):
    values = values_of("r1-mini", bench.space("r1-mini")[0])
    where = {"where": "macs < 1e6"}
    with pytest.raises(
        NothingFoundError, match=r"does not meet where=.*; give absent, the val_acc that counts"
    ):
        blackbox(bench, *R1, **where).objective_function(values)
    told = blackbox(bench, *R1, absent=0.1, **where)
    assert told.objective_function(values, fidelity=1) == {"val_acc": 0.1, "elapsed_time": 0}
    ((arch_id, _),) = [key for key in DIVERGED if key[1] == 0]
    made = Bench(release)
    told = blackbox(made, *R1, unmeasured="refuse", absent=0.0)
    arch = made.space("r1-mini")[arch_id]
    (first,) = made.query(arch).run(*R1[1:]).curve
    assert told.objective_function(values_of("r1-mini", arch))[:, 0].tolist() == [first, 0, 0, 0]


def test_bad_input(bench, tables, trained):
    values = values_of("r1-mini", bench.space("r1-mini")[0])
    for epoch in (0, 5, 1.5):
        with pytest.raises(UsageError, match=f"epoch {epoch}; it is a whole number from 1 to 4"):
            trained.objective_function(values, fidelity={"epoch": epoch})
    with pytest.raises(UsageError, match="s1_depth is 9; its options in r1-mini are 1, 2, 3, 4"):
        trained.objective_function(values | {"s1_depth": 9})
    with pytest.raises(UsageError, match=r"the simulator backend of nb201 .* clock is 'none'.*seconds=60"):
        blackbox(tables, "nb201", "cifar10", "nb201-12")
    with pytest.raises(UnknownNameError, match="no recipe named 'full-v1'"):
        blackbox(bench, "r1-mini", "cifar10", "full-v1")


def test_without_syne_tune(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "syne_tune.blackbox_repository.blackbox", None)
    with pytest.raises(MissingPackageError, match="pip install --no-deps syne-tune, and pip install dill"):
        blackbox(bench, *R1)
