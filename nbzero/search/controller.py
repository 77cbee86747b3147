"""Reinforcement learning: a controller that learns which options make good archs.

D decisions, O options of the decision that has most, N draws.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbzero.errors import UsageError, is_number, quoted, whole
from nbzero.search.evolution import check_moves
from nbzero.search.sampling import Asking

if TYPE_CHECKING:
    import numpy.typing as npt

    from nbzero.search.ground import Ground

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam


def reinforcement(
    ground: Ground,
    rng: np.random.Generator,
    *,
    learning_rate: float = 1e-3,
    momentum: float = 0.9,
    batch: int = 1,
) -> Asking:
    """REINFORCE: options are drawn from a softmax for each decision, and what paid becomes more likely.

        reward     the share of the archs so far that scored lower, ties half: in [0, 1]
        advantage  reward - baseline, where baseline = momentum * baseline + (1 - momentum) * reward
        step       Adam on -advantage * sum over decisions of log probability of the option drawn

    All options are equally likely at first. The reward is our choice: the paper normalises scores and does
    not say how, and synflow's differ by tens of orders of magnitude. On a sparse table options make the
    nearest arch. Options that make no arch of the ground are drawn again; after 10,000 such draws the next
    one takes decisions of a random arch until it makes one (`Ground.drawn`).

    Args:
        ground: whose decisions are learnt.
        rng: of all draws.
        learning_rate: of Adam.
        momentum: of the baseline.
        batch: archs that are asked for at once. There is one step for them, of their mean gradient.

    Raises:
        NothingFoundError: one arch, which has no moves.
        UsageError: a learning rate that is no positive, finite number, a momentum outside [0, 1), a batch
            below 1.

    Source: Williams, Machine Learning 8, 1992; the numbers are those of WRCor, arXiv:2507.08841.
    """
    check_moves(ground, "reinforcement")
    if not (is_number(learning_rate) and 0 < learning_rate < math.inf):
        raise UsageError(f"learning_rate is {quoted(learning_rate)}; it is a positive, finite number")
    if not (is_number(momentum) and 0 <= momentum < 1):
        raise UsageError(f"momentum is {quoted(momentum)}; it is in [0, 1)")
    batch = whole("batch", batch, 1)
    controller = _Controller(ground.sizes, rng, learning_rate)
    earlier: list[float] = []  # scores, ascending
    baseline = None
    while True:
        archs, choices = [], []
        for _ in range(batch):
            archs.append(ground.drawn(controller.draw, rng))
            choices.append(controller.drawn_D)
        scores = yield tuple(archs)
        advantages = []
        for score in scores:
            reward = _rank(earlier, score)
            if baseline is None:
                baseline = reward
            advantages.append(reward - baseline)
            baseline = momentum * baseline + (1 - momentum) * reward
        controller.learn(choices, advantages)


def _rank(scores: list[float], score: float) -> float:
    """The share of the scores that are lower, ties half; 0.5 of none. The score is added to them."""
    lower = bisect.bisect_left(scores, score)
    not_above = bisect.bisect_right(scores, score)
    rank = (lower + not_above) / (2 * len(scores)) if scores else 0.5
    scores.insert(not_above, score)
    return rank


class _Controller:
    """A softmax for each decision, and Adam.

    Args:
        sizes: options of each decision.
        rng: of the draws.
        learning_rate: of Adam.

    Attributes:
        logits_DO: -inf where a decision has no such option.
        drawn_D: the options last drawn.
    """

    def __init__(self, sizes: tuple[int, ...], rng: np.random.Generator, learning_rate: float) -> None:
        exists_DO = np.arange(max(sizes)) < np.array(sizes)[:, None]
        self.logits_DO = np.where(exists_DO, 0.0, -np.inf)
        self._rng, self._learning_rate = rng, learning_rate
        self._mean_DO = np.zeros(exists_DO.shape)
        self._square_DO = np.zeros(exists_DO.shape)
        self._num_steps = 0
        self._rows = np.arange(len(sizes))
        self._last = np.array(sizes) - 1
        self.drawn_D = np.zeros(len(sizes), np.int64)
        self._update_probabilities()

    def _update_probabilities(self) -> None:
        weights_DO = np.exp(self.logits_DO - self.logits_DO.max(axis=1, keepdims=True))
        self.probabilities_DO = weights_DO / weights_DO.sum(axis=1, keepdims=True)
        self._upto_DO = self.probabilities_DO.cumsum(axis=1)

    def draw(self, number: int) -> npt.NDArray[np.int64]:
        """(N, D) the number of an option for each decision, drawn so often; the last is kept as `drawn_D`."""
        uniform_ND1 = self._rng.random((number, len(self._rows), 1))
        above_ND = (self._upto_DO <= uniform_ND1).sum(axis=2)
        drawn_ND: npt.NDArray[np.int64] = np.minimum(above_ND, self._last)  # a sum may round to below 1
        self.drawn_D = drawn_ND[-1]
        return drawn_ND

    def learn(self, choices_BD: Sequence[npt.NDArray[np.int64]], advantages_B: Sequence[float]) -> None:
        """One step of Adam for some drawn options, by the mean of their gradients."""
        gradient_DO = sum(advantages_B) * self.probabilities_DO
        for drawn_D, advantage in zip(choices_BD, advantages_B, strict=True):
            gradient_DO[self._rows, drawn_D] -= advantage
        gradient_DO /= len(advantages_B)
        self._num_steps += 1
        first, second = BETAS
        self._mean_DO += (1 - first) * (gradient_DO - self._mean_DO)
        self._square_DO += (1 - second) * (gradient_DO**2 - self._square_DO)
        step = self._learning_rate / (1 - first**self._num_steps)
        root_DO = np.sqrt(self._square_DO / (1 - second**self._num_steps))
        self.logits_DO -= step * self._mean_DO / (root_DO + EPSILON)
        self._update_probabilities()
