"""Trainings: decisions go to the grid or to the nearest trained arch, and each answer says what it is."""

import numpy as np
import pytest

from nbzero import Arch, Bench
from nbzero.adapters import Trainings
from nbzero.errors import NotAMemberError, NothingFoundError, UnknownNameError, UsageError
from nbzero.search import PredictedAccuracy
from nbzero.spaces import decisions_of, values_of
from nbzero.spaces.macro import MAX_MACS
from tests.conftest import DIVERGED

R1 = ("r1-mini", "cifar10", "cpu-16px-4")


@pytest.fixture(scope="module")
def trained(bench):
    return Trainings(bench, *R1, unmeasured="refuse")


@pytest.fixture(scope="module")
def predicted(bench):
    return Trainings(bench, *R1)


def stranger(bench):
    """A grid arch that is no member."""
    members = bench.space("r1-mini")
    return next(str(arch) for arch in Arch.parse(members[0]).edits() if str(arch) not in members)


def test_a_training_is_what_the_record_has(bench, trained):
    for arch in trained.simulation.archs[:20]:
        run = bench.query(arch).run(*R1[1:])
        training = trained.train(arch)
        assert (training.accuracy, training.curve) == (run.val_acc, run.curve)
        assert (training.source, training.reason) == ("measured", None)
        assert training.seconds == trained.simulation.seconds(arch) > 0
        assert trained.test_accuracy(arch) == run.test_acc != run.val_acc
        other = bench.query(arch).run(*R1[1:], seed=1)
        assert trained.train(arch, seed=1).accuracy == other.val_acc
    assert Trainings(bench, *R1, unmeasured="refuse", seed=1).train(arch).accuracy == other.val_acc


def test_decisions_make_the_nearest_trained_arch(bench, trained):
    rng = np.random.default_rng(0)
    archs = trained.simulation.archs
    for arch in archs[:50]:
        assert trained.arch_of(values_of("r1-mini", arch)) == arch
    encode = bench.space("r1-mini").encode
    vectors = np.array([encode(arch) for arch in archs])
    for _ in range(30):
        values = {one.name: one.options[rng.integers(len(one.options))] for one in decisions_of("r1-mini")}
        grid = Trainings(bench, *R1).arch_of(values)
        distances = np.abs(vectors - encode(grid)).sum(axis=1)
        assert trained.arch_of(values) == archs[int(distances.argmin())]


def test_decisions_make_any_grid_arch_where_others_are_predicted(bench, predicted):
    arch = stranger(bench)
    assert predicted.arch_of(values_of("r1-mini", arch)) == arch
    training = predicted.train(arch)
    assert isinstance(training.accuracy, PredictedAccuracy)
    assert (training.source, training.curve, training.reason) == ("predicted", (), None)
    assert training.seconds > 0


def test_decisions_that_make_no_arch_go_to_the_nearest_of_a_published_space(transnas):
    trainings = Trainings(transnas, "transnas-macro", "class_scene")
    values = values_of("transnas-macro", trainings.simulation.archs[0])
    torn = values | {"module_5": "no module", "module_6": "plain"}
    assert trainings.arch_of(torn) in trainings.simulation.archs
    assert trainings.arch_of(values) == trainings.simulation.archs[0]


def test_what_was_not_trained_is_refused_or_none_as_asked(bench, trained):
    arch = stranger(bench)
    with pytest.raises(NothingFoundError, match=r"is no member of r1-mini.*nearest that were measured"):
        trained.train(arch)
    training = Trainings(bench, *R1, unmeasured="none").train(arch)
    assert (training.accuracy, training.source, training.curve) == (None, None, ())
    assert "is no member of r1-mini" in training.reason


def test_an_arch_outside_of_the_condition_has_no_accuracy_and_costs_nothing(bench):
    trainings = Trainings(bench, *R1, where="macs < 5e6")
    big = max(bench.space("r1-mini"), key=lambda arch: bench.query(arch).macs)
    training = trainings.train(big)
    assert (training.accuracy, training.source, training.seconds) == (None, None, 0.0)
    assert training.reason == f"{big} does not meet where='macs < 5e6'"
    among = Trainings(bench, *R1, where="macs < 5e6", unmeasured="refuse")
    assert bench.query(among.arch_of(values_of("r1-mini", big))).macs < 5e6


def test_an_arch_beyond_the_limits_of_its_space_has_no_accuracy(bench):
    biggest = Arch("r1", 64, ((6, 256, 1), (6, 256, 2), (6, 256, 2), (6, 256, 2)))
    assert biggest.macs > MAX_MACS and biggest not in bench.space("r1")
    training = Trainings(bench, "r1", "cifar10", "cpu-16px-4").train(biggest)
    assert training.accuracy is None and training.seconds == 0
    assert (
        training.reason == f"{biggest} has more than 700,000,000 macs and 14,000,000 params, the limits of r1"
    )


def test_epochs_that_every_training_has(bench, trained, predicted, tables, archive):
    assert (trained.num_epochs(), predicted.num_epochs()) == (4, 1)
    assert Trainings(bench, "r1", "cifar10", "gpu-12", unmeasured="refuse").num_epochs() == 12
    assert Trainings(tables, "nb201", "cifar10", "nb201-12").num_epochs() == 1
    assert Trainings(archive, "nb201", "cifar10", "nb201-12").num_epochs() == 3


def test_a_diverged_run_has_its_curve_and_no_accuracy(release):
    bench = Bench(release)
    trainings = Trainings(bench, "r1-mini", "cifar10", "cpu-16px-4", unmeasured="refuse")
    ((arch_id, seed),) = [key for key in DIVERGED if key[1] == 0]
    arch = bench.space("r1-mini")[arch_id]
    training = trainings.train(arch, seed)
    assert training.accuracy is None and len(training.curve) == 1 and training.source == "measured"
    assert "diverged" in training.reason
    with pytest.raises(NothingFoundError, match=f"no test accuracy of {arch}: the run diverged"):
        trainings.test_accuracy(arch)


def test_seconds_take_the_place_of_a_clock(bench, tables):
    assert Trainings(bench, *R1, seconds=60).train(bench.space("r1-mini")[0]).seconds == 60
    without = Trainings(tables, "nb201", "cifar10", "nb201-12")
    assert not without.has_clock and without.train(without.simulation.archs[0]).seconds == 0
    assert Trainings(tables, "nb201", "cifar10", "nb201-12", seconds=60).has_clock
    for wrong in (0, -1, float("nan"), "60", True):
        with pytest.raises(UsageError, match="it is a positive number that every training is charged"):
            Trainings(bench, *R1, seconds=wrong)
    with pytest.raises(UsageError, match="seconds 60 and clock 'recorded'; give one of them"):
        Trainings(bench, *R1, seconds=60, clock="recorded")


def test_what_a_bench_refuses_is_refused(bench, tables):
    with pytest.raises(UnknownNameError, match="no recipe named 'gpu-13'"):
        Trainings(bench, "r1-mini", "cifar10", "gpu-13")
    with pytest.raises(UnknownNameError, match="no space named 'nats-sss'"):
        Trainings(bench, "nats-sss", "cifar10")
    with pytest.raises(NothingFoundError, match=r"no runs of nb201 .*import_bench nb201"):
        Trainings(bench, "nb201", "cifar10")
    with pytest.raises(UsageError, match="unmeasured 'guess'"):
        Trainings(bench, *R1, unmeasured="guess")
    with pytest.raises(NothingFoundError, match=r"no times|has no train_time_s"):
        Trainings(tables, "nb201", "cifar10", "nb201-12", clock="recorded")


def test_what_is_no_arch_of_the_space(bench, predicted):
    with pytest.raises(UsageError, match="is an arch of r1, not of r1-mini"):
        predicted.train("r1-s16-d1w16s2-d1w16s2-d1w16s2")
    with pytest.raises(UsageError, match="an arch begins with its space"):
        predicted.train("resnet18")
    with pytest.raises(NotAMemberError, match="in the grid of r1-mini but is no member"):
        predicted.test_accuracy(stranger(bench))
    with pytest.raises(UsageError, match="seed 'mean'"):
        predicted.train(bench.space("r1-mini")[0], seed="mean")


def test_the_test_split_is_searched_where_it_is_asked_for(bench, nbmacro):
    with pytest.raises(NothingFoundError, match=r"nbmacro with a val accuracy .* try split='test'"):
        Trainings(nbmacro, "nbmacro", "cifar10")
    trainings = Trainings(nbmacro, "nbmacro", "cifar10", split="test", seed=1)
    arch = trainings.simulation.archs[3]
    accuracy = nbmacro.query(arch).accuracy("cifar10", split="test", seed=1)
    assert trainings.train(arch).accuracy == accuracy == trainings.test_accuracy(arch)
    tested = Trainings(bench, *R1, split="test")
    arch = tested.simulation.archs[0]
    training = tested.train(arch)
    assert training.accuracy == bench.query(arch).accuracy(*R1[1:], split="test") and training.curve == ()
    with pytest.raises(UsageError, match="split 'valid'; it is 'val', or 'test'"):
        Trainings(bench, *R1, split="valid")
