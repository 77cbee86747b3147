"""optuna: studies over trained and predicted archs, pruned by their curves and charged for them."""

import sys

import pytest

optuna = pytest.importorskip("optuna")

from nbzero.adapters import Objective, distributions  # noqa: E402
from nbzero.errors import MissingPackageError, NothingFoundError, UnknownNameError, UsageError  # noqa: E402
from nbzero.spaces import CHOICES, IMPORTED, arch_of, decisions_of, values_of  # noqa: E402  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.WARNING)
R1 = ("r1-mini", "cifar10", "cpu-16px-4")


def study_of(pruner=None, seed=0):
    sampler = optuna.samplers.TPESampler(seed=seed)
    return optuna.create_study(
        direction="maximize", sampler=sampler, pruner=pruner or optuna.pruners.NopPruner()
    )


@pytest.mark.parametrize("name", [*CHOICES, *IMPORTED])
def test_distributions_hold_the_options(name):
    found = distributions(name)
    for decision in decisions_of(name):
        distribution = found[decision.name]
        if isinstance(distribution, optuna.distributions.IntDistribution):
            assert decision.options == tuple(range(distribution.low, distribution.high + 1))
        else:
            assert distribution.choices == decision.options
    if name in CHOICES:
        assert isinstance(found["s1_depth"], optuna.distributions.IntDistribution)


def test_trials_that_are_asked_for_make_archs():
    study = study_of()
    trial = study.ask(distributions("nb201"))
    assert values_of("nb201", arch_of("nb201", trial.params)) == trial.params


def test_a_study_of_trained_archs(bench):
    objective = Objective(bench, *R1, unmeasured="refuse")
    study = study_of()
    study.optimize(objective, n_trials=25)
    total = 0.0
    for trial in study.trials:
        run = bench.query(trial.user_attrs["arch"]).run(*R1[1:])
        assert trial.value == run.val_acc
        assert trial.intermediate_values == dict(enumerate(run.curve, 1))
        assert trial.user_attrs["source"] == "measured" and trial.user_attrs["epochs"] == 4
        total += trial.user_attrs["seconds"]
    assert objective.clock_s == pytest.approx(total)
    best = study.best_trial.user_attrs["arch"]
    assert objective.test_accuracy(best) == bench.query(best).accuracy(*R1[1:], split="test")


def test_pruned_trials_are_charged_the_epochs_that_they_had(bench):
    whole = Objective(bench, *R1, unmeasured="refuse")
    study = study_of(optuna.pruners.MedianPruner(n_startup_trials=3))
    study.optimize(whole, n_trials=40)
    pruned = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert 5 < len(pruned) < 40
    for trial in pruned:
        epochs = trial.user_attrs["epochs"]
        assert 1 <= epochs < 4 and list(trial.intermediate_values) == list(range(1, epochs + 1))
        seconds = whole.trainings.seconds_of(trial.user_attrs["arch"])
        assert trial.user_attrs["seconds"] == pytest.approx(seconds * epochs / 4)
    assert whole.clock_s == pytest.approx(sum(trial.user_attrs["seconds"] for trial in study.trials))


def test_a_study_of_the_grid_is_of_predictions(bench):
    study = study_of()
    study.optimize(Objective(bench, *R1), n_trials=10)
    assert {trial.user_attrs["source"] for trial in study.trials} == {"predicted"}
    assert not any(trial.intermediate_values for trial in study.trials)
    assert {arch_of("r1-mini", trial.params) for trial in study.trials} == {
        trial.user_attrs["arch"] for trial in study.trials
    }


def test_a_known_arch_is_enqueued(bench):
    objective = Objective(bench, *R1, unmeasured="refuse")
    arch = objective.trainings.simulation.archs[7]
    study = study_of()
    study.enqueue_trial(values_of("r1-mini", arch))
    study.optimize(objective, n_trials=1)
    assert study.trials[0].user_attrs["arch"] == arch


def test_a_study_of_an_imported_space(tables):
    study = study_of()
    study.optimize(Objective(tables, "nb201", "cifar100", "nb201-200-mean"), n_trials=15)
    for trial in study.trials:
        value = tables.query(trial.user_attrs["arch"]).accuracy("cifar100", "nb201-200-mean")
        assert trial.value == value


def test_a_budget_ends_the_study(bench):
    objective = Objective(bench, *R1, unmeasured="refuse", budget_s=200)
    study = study_of()
    study.optimize(objective, n_trials=1000)
    last = study.trials[-1].user_attrs["seconds"]
    assert objective.clock_s - last < 200 <= objective.clock_s and len(study.trials) < 100


def test_a_trial_without_an_accuracy_is_pruned_and_says_why(bench):
    objective = Objective(bench, *R1, where="macs < 1e6")
    study = study_of()
    study.optimize(objective, n_trials=20)
    barred = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert barred
    for trial in barred:
        assert "does not meet where='macs < 1e6'" in trial.user_attrs["reason"]
        assert trial.user_attrs["seconds"] == 0


def test_bad_input(bench, tables):
    with pytest.raises(UnknownNameError, match="no space named 'r3'"):
        distributions("r3")
    for budget in (0, "x", float("inf")):
        with pytest.raises(UsageError, match=r"budget_s .*; it is a positive number of seconds"):
            Objective(bench, *R1, budget_s=budget)
    with pytest.raises(UsageError, match=r"budget_s 60 of nb201 .* clock is 'none'.*seconds=60"):
        Objective(tables, "nb201", "cifar10", "nb201-12", budget_s=60)
    with pytest.raises(NothingFoundError, match="no runs of r2 on cifar100"):
        Objective(bench, "r2", "cifar100")


def test_without_optuna(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for asked in (lambda: distributions("nb201"), lambda: Objective(bench, *R1)):
        with pytest.raises(MissingPackageError, match=r"needs optuna, .* pip install optuna$"):
            asked()
