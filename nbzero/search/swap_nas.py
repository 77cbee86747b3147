"""SWAP-NAS: evolution with a tournament of half the population, crossover and several mutations."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, whole
from nbzero.search.evolution import check_moves
from nbzero.search.sampling import Asking

if TYPE_CHECKING:
    import numpy as np

    from nbzero.search.ground import Ground

Member = tuple[float, str]  # score and arch
CROSSED = 0.5  # of the cycles


def swap_nas(
    ground: Ground,
    rng: np.random.Generator,
    *,
    population: int = 64,
    mutations: int = 2,
    batch: int = 1,
) -> Asking:
    """SWAP-NAS.

    The first `population` archs are random. In each cycle half of them are drawn. The parent is the best, or,
    in half of the cycles, the better of two mixes of the best two. It is mutated `mutations` times. The best
    of these children joins, and the worst of the population is removed.

    The paper gives neither the numbers nor how often there is a crossover: those are ours.

    Args:
        ground: where archs are drawn, mixed and mutated.
        rng: of all draws.
        population: archs that live, at least 4.
        mutations: children of a parent.
        batch: cycles that go on side by side. All draw from one population. Their children are asked for at
            once, `batch * mutations` of them; then the best of each parent's joins.

    Raises:
        NothingFoundError: one arch, which has no moves.
        UsageError: a population below 4, mutations or batch below 1.

    Source: Peng et al., ICLR 2024, arXiv:2403.04161.
    """
    check_moves(ground, "swap_nas")
    yield from _cycles(ground, rng, population, mutations, batch, None)


def swap_nas_sized(
    ground: Ground,
    rng: np.random.Generator,
    *,
    population: int = 64,
    mutations: int = 2,
    batch: int = 1,
) -> Asking:
    """SWAP-NAS with its preference for a model size, which adapts to the search.

        compared is   log(score) - (P - mu)^2 / sigma

    P is the parameters in thousands, mu and sigma mean and variance of P over all archs scored so far. It is
    the logarithm of regularised SWAP (`nbzero.judge.votes.swap_regularised`, which says why sigma is a
    variance). A score of 0 or less ranks lowest. What is reported is the score.

    Args and errors as `swap_nas`; UsageError also for a space whose definition fixes no params.
    """
    check_moves(ground, "swap_nas_sized")
    if "params" not in ground.fixed:
        raise UsageError(f"swap_nas_sized prefers a number of params, which {ground.space} does not fix")
    yield from _cycles(ground, rng, population, mutations, batch, _Sizes(ground))


class _Sizes:
    """The sizes of the archs scored so far, and what is compared by them.

    Attributes:
        mu, sigma: mean and variance.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._num, self.mu, self._squares = 0, 0.0, 0.0

    def add(self, arch: str) -> None:
        """Count one more arch; Welford's update of mean and variance."""
        size = self._size(arch)
        self._num += 1
        apart = size - self.mu
        self.mu += apart / self._num
        self._squares += apart * (size - self.mu)

    @property
    def sigma(self) -> float:
        return self._squares / self._num

    def compared(self, member: Member) -> float:
        score, arch = member
        if score <= 0:
            return -math.inf
        if self.sigma == 0:
            return math.log(score)
        return math.log(score) - (self._size(arch) - self.mu) ** 2 / self.sigma

    def _size(self, arch: str) -> float:
        return self._ground.costs(arch)["params"] / 1000


def _cycles(
    ground: Ground,
    rng: np.random.Generator,
    population: int,
    mutations: int,
    batch: int,
    sizes: _Sizes | None,
) -> Asking:
    """The search; with sizes members are compared by them, else by their scores."""
    population, mutations = whole("population", population, 4), whole("mutations", mutations, 1)
    batch = whole("batch", batch, 1)

    def compared(member: Member) -> float:
        return member[0] if sizes is None else sizes.compared(member)

    def scored(archs: list[str]) -> Generator[tuple[str, ...], Any, list[Member]]:
        scores = yield tuple(archs)
        if sizes is not None:
            for arch in archs:
                sizes.add(arch)
        return list(zip(scores, archs, strict=True))

    alive = yield from scored([ground.random_arch(rng) for _ in range(population)])
    while True:
        parents: list[Member | None] = []  # None: the better of two mixes, which are to be scored
        mixes: list[str] = []
        for _ in range(batch):
            half = rng.choice(population, population // 2, replace=False).tolist()
            best, second, *_ = sorted((alive[place] for place in half), key=compared, reverse=True)
            if rng.random() < CROSSED:
                mixes += [ground.crossover(a[1], b[1], rng) for a, b in ((best, second), (second, best))]
                parents.append(None)
            else:
                parents.append(best)
        mixed = iter((yield from scored(mixes)) if mixes else [])
        children = []
        for parent in parents:
            if parent is None:
                parent = max(next(mixed), next(mixed), key=compared)
            children += [ground.mutate(parent[1], rng) for _ in range(mutations)]
        members = yield from scored(children)
        for start in range(0, len(members), mutations):
            alive.append(max(members[start : start + mutations], key=compared))
            alive.remove(min(alive, key=compared))
