"""The ground of a search: the archs that it may reach, within a budget, and its moves among them.

    grid     every arch of a space's definition, where a search is not bound to a table
    table    some archs, such as those that were scored or trained

A move changes decisions (`nbzero.search.codes`). On a dense table, which has at least a tenth of all
combinations (NAS-Bench-201 has all), a change that leads out of it is drawn again. On a sparse one a move
goes to the nearest archs. Every draw comes from the generator that is handed in.

A tight budget, which fewer than 5 of 50,000 draws of one seed meet, makes a grid a table of the archs within
it, where these are at most 20,000. So it is with our grids and with NAS-Bench-101. Those of MobileNetV2 and
FlexiBERT are too large to be looked at whole, and `Ground.random_arch` walks there.

N draws, D decisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nbzero.errors import NothingFoundError, UsageError, check_known, count_of, is_number, quoted
from nbzero.search.codes import Numbers, codes_of
from nbzero.spaces.macro import NEAR
from nbzero.spaces.published import IMPORTED
from nbzero.spaces.space import Space

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

TRIES = 10_000  # draws, before archs within a budget are sought in another way
BLOCK = 1_000  # draws that are looked at together
LOOKED, MET = 50_000, 5  # draws, and how many of them meet a budget that is not tight
FEW = 20_000  # archs of a grid that are a table
STEPS = 1_000  # changes of a walk, over 20 of each decision
NEARBY = 100  # changes of one arch that are tried, before there is taken to be none
DENSE = 0.1  # share of all combinations from which a table is dense


class Ground:
    """The archs that a search may reach.

    Args:
        space: a name, ours or a published benchmark's: its grid, or every arch of a published space that can
            be enumerated. Or a `Space`, like `bench.space(name)`: its members.
        archs: only these of it; None: all.
        budget: cost -> the most that an arch may have, like {"macs": 5e6}. Costs are macs, params and depth,
            where the definition of the space fixes them; of our spaces for 32x32 pixels and 100 classes.
        measured: other costs that a budget may limit, by arch, like {"latency": {arch: 1.5}}. An arch that
            has none of a limited one is not within the budget, so that a grid is a table of those that have.

    Attributes:
        space: the name.
        archs: those of a table, in their order; None on a grid of which the budget leaves many.
        budget: as given.
        decisions: names of what is decided.
        sizes: (D,) how many options each decision has.
        fixed: the costs of every arch that a budget may limit.

    Raises:
        UnknownNameError: no such space, or no such cost of it.
        UsageError: a limit that is no positive number, an arch of another space, an arch twice.
        NothingFoundError: no archs, or none within the budget.
    """

    def __init__(
        self,
        space: str | Space,
        archs: Iterable[str] | None = None,
        budget: Mapping[str, float] | None = None,
        measured: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.space = space if isinstance(space, str) else space_name(space)
        self._codes = codes_of(self.space)
        self.decisions, self.sizes = self._codes.names, self._codes.sizes
        self.fixed = self._codes.fixed
        self._measured = dict(measured or {})
        self._costs: dict[str, dict[str, float]] = {}
        self._known: dict[str, list[int]] = {}
        self._neighbours: dict[str, list[str]] = {}
        self.budget = self._checked(budget)
        self.archs: tuple[str, ...] | None = None
        self._is_sparse = self._is_walked = False
        listed = self._listed(space, archs)
        if listed is not None:
            self._take(listed)
        elif self.budget:
            self._look_at_grid()

    def _listed(self, space: str | Space, archs: Iterable[str] | None) -> list[str] | None:
        if archs is not None:
            given = list(archs)
            for arch in given:
                self._codes.numbers(arch)  # raises for what is no arch of the space
            return given
        if not isinstance(space, str):
            return list(space)
        measured = [by_arch for name, by_arch in self._measured.items() if name in self.budget]
        if measured:
            there = [arch for arch in measured[0] if all(arch in by_arch for by_arch in measured)]
            return self._listed(space, there)
        definition = IMPORTED.get(self.space)
        if definition is None or definition.every is None:
            return None
        return list(map(definition.text, definition.every(definition.choices)))

    def _take(self, listed: Sequence[str]) -> None:
        """Move among these, within the budget."""
        there = dict.fromkeys(listed)
        if not listed or len(there) < len(listed):
            twice = "with one of them twice" if listed else "without any"
            raise UsageError(f"archs of {self.space} {twice}; name at least one, each once")
        within = [arch for arch in there if self._is_within(arch)]
        if not within:
            raise self._nothing(f"none of {count_of(len(there), 'arch')}", self._least(there))
        self.archs = tuple(within)
        self._places = {arch: place for place, arch in enumerate(within)}
        self._is_sparse = len(within) < DENSE * math.prod(self.sizes)

    def _look_at_grid(self) -> None:
        """Find out what a budget leaves of a grid, where it is tight."""
        if self._codes.smallest is not None:
            smallest = str(self._codes.arch(self._codes.smallest))
            if not self._is_within(smallest):
                raise self._nothing("no arch", self.costs(smallest))
        if self._is_often_met():
            return
        counted = self._codes.counted(self.budget)
        if counted is None:
            self._is_walked = True
            return
        if not len(counted.numbers_ND):
            raise self._nothing(f"none of {count_of(counted.num_archs, 'arch')}", counted.least)
        if len(counted.numbers_ND) <= FEW:
            self._take([str(self._codes.arch(numbers)) for numbers in counted.numbers_ND.tolist()])

    def _is_often_met(self) -> bool:
        """Whether 5 of 50,000 draws, of one seed, are within the budget."""
        rng, met = np.random.default_rng(0), 0
        for _ in range(0, LOOKED, BLOCK):
            numbers_ND = rng.integers(self.sizes, size=(BLOCK, len(self.sizes)))
            there_N = self._codes.may_make(numbers_ND, self.budget)
            for numbers in numbers_ND[there_N].tolist():
                met += self._arch_there(numbers) is not None
                if met == MET:
                    return True
        self._costs.clear()  # of archs that are not asked for
        return False

    def _nothing(self, none: str, least: Mapping[str, float]) -> NothingFoundError:
        """The error of a budget that no arch meets, by the least there is of each cost."""
        said = []
        for name in self.budget:
            said.append(f"{name} {least[name]:,}" if name in least else f"no {name} at all")
        return NothingFoundError(
            f"{none} of {self.space} is within {self.said_budget}; the least there is: {', '.join(said)}"
        )

    def _least(self, archs: Iterable[str]) -> dict[str, float]:
        """The least that some archs have of each cost."""
        least: dict[str, float] = {}
        for costs in map(self.costs, archs):
            for name, amount in costs.items():
                least[name] = min(amount, least.get(name, amount))
        return least

    @cached_property
    def _table_DN(self) -> npt.NDArray[np.int16]:
        """The numbers of the archs of a table."""
        assert self.archs is not None
        return np.array([self._codes.numbers(arch) for arch in self.archs], np.int16).T.copy()

    def only(self, archs: Iterable[str]) -> Ground:
        """The ground of some of its archs, within the same budget."""
        return Ground(self.space, archs, self.budget, self._measured)

    # What is there

    def __len__(self) -> int:
        """Archs of a table; UsageError on a grid, which is not enumerated."""
        if self.archs is None:
            raise UsageError(f"the grid of {self.space} is not enumerated; a table of archs has a length")
        return len(self.archs)

    def __contains__(self, arch: object) -> bool:
        if self.archs is not None:
            return arch in self._places
        if not isinstance(arch, str):
            return False
        if arch in self._costs:
            return self._is_within(arch)
        try:
            made = self._codes.arch(self._codes.numbers(arch))
        except UsageError:
            return False
        return made == arch and self._is_within(arch)

    def costs(self, arch: str) -> dict[str, float]:
        """macs, params and depth of an arch, those that its space fixes, and what was measured of it."""
        if arch not in self._costs:
            there = {name: by_arch[arch] for name, by_arch in self._measured.items() if arch in by_arch}
            self._costs[arch] = {**self._codes.costs(arch), **there}
        return self._costs[arch]

    @property
    def said_budget(self) -> str:
        """The budget in words; "" without one."""
        return " and ".join(f"{name} <= {limit:.10g}" for name, limit in self.budget.items())

    @property
    def words(self) -> str:
        """The ground in words, like "r1-mini, 212 archs, macs <= 5e+06"."""
        archs = "grid" if self.archs is None else count_of(len(self.archs), "arch")
        return ", ".join(part for part in (self.space, archs, self.said_budget) if part)

    # Moves

    def random_arch(self, rng: np.random.Generator) -> str:
        """One arch. On a table each is as likely.

        On a grid each option of each decision is as likely, of what makes an arch of the ground. So an arch
        that several ways to decide make comes more often: of ours those with different widths, which are put
        in order. On a grid that is too large to be looked at whole, where the budget is tight or 10,000 draws
        made none, the arch is the end of a walk of 1,000 changes from the smallest one. That comes close to
        an even draw, and is none exactly.
        """
        if self.archs is not None:
            return self.archs[int(rng.integers(len(self.archs)))]
        found = self._walked(rng) if self._is_walked else self._drawn_evenly(rng)
        while found is None:
            found = self._walked(rng) or self._drawn_evenly(rng)
        return found

    def _drawn_evenly(self, rng: np.random.Generator) -> str | None:
        """The first arch of the ground that evenly drawn options make; None where 10,000 draws make none."""
        return self._first(lambda number: rng.integers(self.sizes, size=(number, len(self.sizes))), rng)

    def _first(self, draw: Callable[[int], Ints], rng: np.random.Generator) -> str | None:
        """The first arch of the ground that numbers make which are drawn; None where 10,000 draws make none.

        They are drawn many at a time. Then the generator is put back, and draws those up to the first again.
        """
        left, number = TRIES, 1
        while left:
            number = min(number, left)
            before = rng.bit_generator.state
            numbers_ND = draw(number)
            places = [0]
            if number > 1:
                places = np.flatnonzero(self._codes.may_make(numbers_ND, self.budget)).tolist()
            for place in places:
                found = self._arch_there(numbers_ND[place].tolist())
                if found is not None:
                    if number > 1:
                        rng.bit_generator.state = before
                        draw(place + 1)
                    return found
            left -= number
            number = min(2 * number, BLOCK)
        return None

    def _walked(self, rng: np.random.Generator) -> str | None:
        """The end of a walk from the smallest arch; None on a grid without.

        A change that leads out of the ground is not made. Each is as likely as the one back, so that in the
        long run every arch comes as often (Metropolis et al., J. Chem. Phys. 21, 1953).
        """
        numbers = self._codes.smallest
        if numbers is None:
            return None
        for _ in range(STEPS):
            changed = self._codes.changed(numbers, rng)
            arch = self._codes.arch(changed)
            if arch is not None and self._meets(self._codes.costs(arch)):
                numbers = changed
        return self._codes.arch(numbers)

    def drawn(self, draw: Callable[[int], Ints], rng: np.random.Generator) -> str:
        """The first arch of the ground that numbers make which are drawn again and again.

        On a sparse table it is the nearest to the first numbers. Where 10,000 draws make none, the next one
        takes the decisions of a random arch, one after the other in random order, until it makes one.

        Args:
            draw: gives an (N, D) array, the numbers of so many draws, by what `rng` draws next. The last row
                of its last call is the draw that the arch was made of.
            rng: of the draws.
        """
        if not self._is_sparse:
            found = self._first(draw, rng)
            if found is not None:
                return found
        numbers = draw(1)[0].tolist()
        return self._nearest(numbers, 1)[0] if self._is_sparse else self._mended(numbers, rng)

    def _mended(self, numbers: Numbers, rng: np.random.Generator) -> str:
        """The first arch of the ground on the way from numbers to a random one."""
        end = self.random_arch(rng)
        mixed, wanted = list(numbers), self.numbers(end)
        for place in rng.permutation(len(mixed)).tolist():
            mixed[place] = wanted[place]
            found = self._arch_there(mixed)
            if found is not None:
                return found
        return end

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """An arch near another one: one decision changed, or on a sparse table one of the 8 nearest.

        Where no change of one decision leads to an arch of a grid, it is a random one.

        Raises:
            NothingFoundError: no arch is there beside it.
        """
        if not self._is_sparse:
            found = self._changed(arch, rng)
            if found is not None:
                return found
        near = self._near(arch, rng)
        if not near:
            raise NothingFoundError(f"no move from {arch} leads to another arch of {self.words}")
        return near[int(rng.integers(len(near)))]

    def _near(self, arch: str, rng: np.random.Generator) -> list[str]:
        """The 8 nearest archs of a table; on a grid those with one decision changed, or a random one."""
        if arch in self._neighbours:
            return self._neighbours[arch]
        if self.archs is not None:
            near = self._nearest(self.numbers(arch), NEAR, leave_out=arch)
        else:
            changed = map(self._arch_there, self._codes.changes(self.numbers(arch)))
            near = [found for found in dict.fromkeys(changed) if found is not None and found != arch]
            if not near:
                return [found for found in [self.random_arch(rng)] if found != arch]
        self._neighbours[arch] = near
        return near

    def _changed(self, arch: str, rng: np.random.Generator) -> str | None:
        """Another arch of the ground with one decision changed; None where 100 changes led to none."""
        numbers = self.numbers(arch)
        for _ in range(NEARBY):
            found = self._arch_there(self._codes.changed(numbers, rng))
            if found is not None and found != arch:
                return found
        return None

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """A mix of two archs: each decision from one of them, drawn evenly.

        On a sparse table it is the arch nearest to the mix; where 100 mixes make no arch, one of the two.
        """
        one, other = self.numbers(a), self.numbers(b)
        for _ in range(NEARBY):
            drawn = rng.integers(2, size=len(self.sizes)).tolist()
            mixed = [pair[choice] for pair, choice in zip(zip(one, other, strict=True), drawn, strict=True)]
            if self._is_sparse:
                return self._nearest(mixed, 1)[0]
            found = self._arch_there(mixed)
            if found is not None:
                return found
        return (a, b)[int(rng.integers(2))]

    def numbers(self, arch: str) -> list[int]:
        """(D,) the number of each decision; UsageError for what is no arch of the space."""
        if arch not in self._known:
            self._known[arch] = self._codes.numbers(arch)
        return self._known[arch]

    # How

    def _arch_there(self, numbers: Numbers) -> str | None:
        """The arch that numbers make; None where they make none of the ground."""
        arch = self._codes.arch(numbers)
        if arch is None:
            return None
        is_there = self._is_within(arch) if self.archs is None else arch in self._places
        return arch if is_there else None

    def _is_within(self, arch: str) -> bool:
        return not self.budget or self._meets(self.costs(arch))

    def _meets(self, costs: Mapping[str, float]) -> bool:
        return all(costs.get(name, math.inf) <= limit for name, limit in self.budget.items())

    def _nearest(self, numbers: Numbers, number: int, leave_out: str | None = None) -> list[str]:
        """Archs of the table that differ least, ties in its order.

        Decisions with an order count their steps, others whether they differ.
        """
        assert self.archs is not None
        distances = np.zeros(len(self.archs), np.int64)
        for column_N, wanted, has_order in zip(self._table_DN, numbers, self._codes.ordered, strict=True):
            distances += np.abs(column_N - wanted) if has_order else column_N != wanted
        keys = distances * len(distances) + np.arange(len(distances))  # no two are the same
        most = min(number + 1, len(keys))
        close = np.argpartition(keys, most - 1)[:most]
        close = close[np.argsort(keys[close])]
        found = [self.archs[place] for place in close.tolist()]
        return [arch for arch in found if arch != leave_out][:number]

    def _checked(self, budget: Mapping[str, float] | None) -> dict[str, float]:
        if budget is None:
            return {}
        if not isinstance(budget, Mapping):
            raise UsageError(f"budget {quoted(budget)}; it is a limit on each cost: {{'macs': 5e6}}")
        known = (*self._codes.fixed, *self._measured)
        check_known(f"cost of {self.space} that a budget may limit", budget, known)
        for name, limit in budget.items():
            if not (is_number(limit) and 0 < limit < math.inf):
                raise UsageError(f"budget {name} {quoted(limit)}; it is a positive, finite number")
        return {name: float(limit) for name, limit in budget.items()}


def space_name(space: object) -> str:
    """The name of a `Space`; UsageError for anything else."""
    if not isinstance(space, Space):
        raise UsageError(
            f"space is {quoted(space)}; it is a name, or a Space such as Bench().space('r1-mini')"
        )
    return space.name
