"""pymoo: accuracy and two costs as a problem, the true Pareto front, and the regret of a search.

    objectives = Objectives(Bench(), "r1-mini", "cifar10", unmeasured="refuse")
    result = minimize(objectives.problem(), NSGA2(40, **objectives.operators()), ("n_eval", 400), seed=0)
    objectives.archs_of(result.X), objectives.regret(result.F)

All objectives are minimised: 1 - val accuracy, and the costs of the archs table. For the hypervolume each is
scaled to [0, 1] by its smallest and largest value over all archs that the front is taken from. The reference
point is (1, 1, 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from nbzero.adapters.trainings import How, Training, Trainings
from nbzero.errors import UsageError, names, needs, unknown_name
from nbzero.spaces.macro import as_arch

if TYPE_CHECKING:
    from nbzero.bench import Bench

Floats = npt.NDArray[np.float64]
ASKED_BY = "nbzero.adapters.pymoo"


class Objectives:
    """Accuracy and costs of a space, as pymoo's problems are made of. O objectives, D decisions, N archs.

    Args:
        bench, space, dataset, recipe, how: as `nbzero.adapters.Trainings`. With `unmeasured="refuse"` what is
            searched are the archs that were trained, and the front is of measurements alone.
        costs: one or two of "macs", "params" and "depth", as the space has them.

    Attributes:
        trainings: what answers.
        costs: their names.

    Raises:
        MissingPackageError: pymoo is not installed.
        UsageError, UnknownNameError, NothingFoundError: as `nbzero.adapters.Trainings`; no costs, or one that
            the space does not have.
    """

    def __init__(
        self,
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        costs: Iterable[str] = ("macs", "params"),
        **how: Unpack[How],
    ) -> None:
        needs(ASKED_BY, "pymoo")
        self.trainings = Trainings(bench, space, dataset, recipe, **how)
        self.costs = _checked_costs(bench, space, costs)
        self._opened = bench.release.space(space)
        self._decisions = self.trainings.decisions
        self._evaluated: dict[bytes, tuple[Training, Floats]] = {}

    def problem(self) -> Any:
        """A pymoo Problem: D whole numbers, each the place of an option, and O objectives to minimise.

        An arch without an accuracy violates its one constraint: its run diverged, or it was not measured
        (`unmeasured="none"`) or does not meet `where`. Its first objective is then 1, which pymoo does not
        rank by.
        """
        from_functions = needs(ASKED_BY, "pymoo.problems.functional").FunctionalProblem
        highest = [len(decision.options) - 1 for decision in self._decisions]
        objectives = [partial(self._objective, place) for place in range(1 + len(self.costs))]
        return from_functions(
            len(highest),
            objectives,
            xl=np.zeros(len(highest), np.int64),
            xu=np.array(highest),
            constr_ieq=[self._violation],
            func_pf=lambda **_: self.front(),
        )

    def operators(self) -> dict[str, Any]:
        """The sampling, crossover and mutation that whole numbers need, as pymoo's algorithms take them."""
        rounded = needs(ASKED_BY, "pymoo.operators.repair.rounding").RoundingRepair()
        return {
            "sampling": needs(ASKED_BY, "pymoo.operators.sampling.rnd").IntegerRandomSampling(),
            "crossover": needs(ASKED_BY, "pymoo.operators.crossover.sbx").SBX(repair=rounded, vtype=float),
            "mutation": needs(ASKED_BY, "pymoo.operators.mutation.pm").PM(repair=rounded, vtype=float),
            "eliminate_duplicates": True,
        }

    def arch_of(self, x: npt.ArrayLike) -> str:
        """The arch of D places of options, as pymoo has them.

        Raises:
            UsageError: another number of places, or one that no option has.
        """
        places = np.rint(np.asarray(x, np.float64)).astype(np.int64)
        if places.shape != (len(self._decisions),):
            wanted = f"{self.trainings.space} has {len(self._decisions)}"
            raise UsageError(f"places of options of shape {places.shape}; {wanted}")
        values = {}
        for decision, place in zip(self._decisions, places.tolist(), strict=True):
            last = len(decision.options) - 1
            if not 0 <= place <= last:
                raise UsageError(f"place {place} of {decision.name}; its options have the places 0 to {last}")
            values[decision.name] = decision.options[place]
        return self.trainings.arch_of(values)

    def archs_of(self, x: npt.ArrayLike) -> list[str]:
        """The archs of a result's `X`, each once."""
        return list(dict.fromkeys(self.arch_of(row) for row in np.atleast_2d(np.asarray(x))))

    def _at(self, x: npt.ArrayLike) -> tuple[Training, Floats]:
        """What is known of the arch of some places; each is asked for once."""
        key = np.asarray(x).tobytes()
        if key not in self._evaluated:
            training = self.trainings.train(self.arch_of(x))
            self._evaluated[key] = training, self._row(training)
        return self._evaluated[key]

    def _objective(self, place: int, x: npt.ArrayLike) -> float:
        return float(self._at(x)[1][place])

    def _violation(self, x: npt.ArrayLike) -> float:
        return float(self._at(x)[0].accuracy is None)

    def _row(self, training: Training) -> Floats:
        error = 1.0 if training.accuracy is None else 1 - training.accuracy
        return np.array([error, *self.costs_of(training.arch)])

    def costs_of(self, arch: str) -> list[float]:
        """The costs of an arch, a member or not, as the archs table counts them."""
        arch_id = self._opened.ids.get(arch)
        if arch_id is not None:
            return [float(self._opened.cost(cost, arch_id)) for cost in self.costs]
        parsed = as_arch(arch)
        return [float(getattr(parsed, cost)) for cost in self.costs]

    @cached_property
    def all(self) -> Floats:
        """(N, O) the objectives of all archs with an accuracy that `Simulation.archs` draws from.

        Raises:
            NothingFoundError: there is none.
        """
        rows = []
        self.trainings.simulation.oracle()  # predicts them at once, which is faster than one by one
        for arch in self.trainings.simulation.archs:
            training = self.trainings.train(arch)
            if training.accuracy is not None:
                rows.append(self._row(training))
        return np.array(rows)

    def front(self) -> Floats:
        """(N, O) the true Pareto front: of all archs that are measured, or of all members where predicted.

        Sorted by the first objective. A search in the whole grid, where what was not trained is predicted,
        can pass the front of the members.
        """
        sorting = needs(ASKED_BY, "pymoo.util.nds.non_dominated_sorting").NonDominatedSorting()
        distinct = np.unique(self.all, axis=0)
        found: Floats = distinct[np.sort(sorting.do(distinct, only_non_dominated_front=True))]
        return found

    def hypervolume(self, objectives: npt.ArrayLike) -> float:
        """The share of the scaled box, in [0, 1], that some networks dominate.

        Args:
            objectives: (N, O), like a result's `F`; None or no rows, where nothing was found, dominate 0.

        Raises:
            UsageError: another number of objectives.
        """
        num = 1 + len(self.costs)
        if objectives is None or not np.size(objectives):
            return 0.0
        points = np.atleast_2d(np.asarray(objectives, np.float64))
        if points.ndim != 2 or points.shape[1] != num:
            wanted = f"(N, {num}): 1 - val accuracy, {', '.join(self.costs)}"
            raise UsageError(f"objectives of shape {points.shape}; they are {wanted}")
        low, high = self.all.min(axis=0), self.all.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        indicator = needs(ASKED_BY, "pymoo.indicators.hv").HV(ref_point=np.ones(num))
        return float(indicator((points - low) / span))

    def regret(self, objectives: npt.ArrayLike) -> float:
        """The hypervolume of the true front less that of what was found; 0 is as good as can be.

        It can be below 0 for a search in the whole grid, see `front`.
        """
        return self.hypervolume(self.front()) - self.hypervolume(objectives)

    def test_accuracy(self, arch: str) -> float:
        """The test accuracy of an arch, for the final judgement; as `nbzero.adapters.Trainings`."""
        return self.trainings.test_accuracy(arch)


def _checked_costs(bench: Bench, space: str, costs: Iterable[str]) -> list[str]:
    there = list(bench.release.space(space).costs)
    named = names("costs", costs)
    if not named:
        raise UsageError(f"costs is empty; name one or two of {', '.join(there) or 'none'}")
    for name in named:
        if name not in there:
            raise unknown_name(f"cost of {space}", name, there)
    return named
