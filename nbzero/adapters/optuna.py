"""optuna: a space as distributions, and an objective whose trials can be pruned by their training curves.

objective = Objective(Bench(), "r1-mini", "cifar10", unmeasured="refuse")
study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner())
study.optimize(objective, n_trials=100)
objective.test_accuracy(study.best_trial.user_attrs["arch"])
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from nbzero.adapters.trainings import How, Training, Trainings, check_budget
from nbzero.errors import needs
from nbzero.spaces.decisions import decisions_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

    from nbzero.bench import Bench


def distributions(space: str) -> dict[str, BaseDistribution]:
    """A distribution for each decision of a space, as `study.ask` takes them.

    Numbers one apart, like depths, are an IntDistribution. All else is a CategoricalDistribution of the
    options. `nbzero.spaces.arch_of` makes an arch of what was drawn.

    Raises:
        UnknownNameError: no such space.
        MissingPackageError: optuna is not installed.
    """
    optuna = needs("nbzero.adapters.optuna", "optuna")
    found: dict[str, BaseDistribution] = {}
    for name, options, has_order in decisions_of(space):
        if _counts(options, has_order):
            found[name] = optuna.distributions.IntDistribution(options[0], options[-1])
        else:
            found[name] = optuna.distributions.CategoricalDistribution(options)
    return found


def _counts(options: Sequence[Any], has_order: bool) -> bool:
    """Whether the options are all whole numbers between two."""
    return has_order and list(options) == list(range(options[0], options[-1] + 1))


class Objective:
    """The val accuracy of a trial's arch; a study maximises it.

    Where the release has the curve of a training, each epoch's val accuracy is reported, and a pruner may end
    the trial. It is then charged the epochs that it had. A training without a curve is reported once, at its
    end. A trial without an accuracy is pruned: its run diverged, or the arch was not measured
    (`unmeasured="none"`) or does not meet `where`.

    Each trial's user_attrs have arch, source ("measured", "predicted"), seconds, epochs (of the curve that
    were reported), and reason, where it has no accuracy.

    Args:
        bench, space, dataset, recipe, how: as `nbzero.adapters.Trainings`. By default decisions make any grid
            arch of our spaces, and what was not trained is predicted, without a curve. With
            `unmeasured="refuse"` they make one of the archs that were trained.
        budget_s: the study is stopped after the trial with which the clock reaches it.

    Attributes:
        trainings: what answers.
        clock_s: seconds charged so far.

    Raises:
        MissingPackageError: optuna is not installed.
        UsageError, UnknownNameError, NothingFoundError: as `nbzero.adapters.Trainings`; a budget_s that is no
            positive number, or without a clock.
    """

    def __init__(
        self,
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        budget_s: float | None = None,
        **how: Unpack[How],
    ) -> None:
        self._optuna = needs("nbzero.adapters.optuna", "optuna")
        self.trainings = Trainings(bench, space, dataset, recipe, **how)
        check_budget(budget_s, self.trainings)
        self.budget_s = math.inf if budget_s is None else budget_s
        self.clock_s = 0.0

    def __call__(self, trial: Trial) -> float:
        training = self.trainings.train(self.trainings.arch_of(self._decided(trial)))
        trial.set_user_attr("arch", training.arch)
        trial.set_user_attr("source", training.source)
        epochs = self._reported(trial, training)
        seconds = training.seconds
        if epochs < len(training.curve):
            seconds *= epochs / len(training.curve)
        trial.set_user_attr("epochs", epochs)
        trial.set_user_attr("seconds", seconds)
        self.clock_s += seconds
        if self.clock_s >= self.budget_s:
            trial.study.stop()
        if training.accuracy is None:
            trial.set_user_attr("reason", training.reason)
            raise self._optuna.TrialPruned(training.reason)
        if epochs < len(training.curve):
            raise self._optuna.TrialPruned(f"pruned after {epochs} of {len(training.curve)} epochs")
        return float(training.accuracy)

    def _decided(self, trial: Trial) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        for name, options, has_order in self.trainings.decisions:
            if _counts(options, has_order):
                values[name] = trial.suggest_int(name, options[0], options[-1])
            else:
                values[name] = trial.suggest_categorical(name, options)
        return values

    def _reported(self, trial: Trial, training: Training) -> int:
        """How many epochs of the curve were reported, before the pruner ended it or it was over."""
        for epoch, accuracy in enumerate(training.curve, 1):
            trial.report(accuracy, epoch)
            if trial.should_prune():
                return epoch
        return len(training.curve)

    def test_accuracy(self, arch: str) -> float:
        """The test accuracy of an arch, for the final judgement; as `nbzero.adapters.Trainings`."""
        return self.trainings.test_accuracy(arch)
