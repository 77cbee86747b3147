"""builders.reproductions.voting: archs compared in pairs by more than half of the experts."""

import numpy as np
import pytest

from builders.reproductions.voting import Ballot, found_by_vote
from nbzero import Bench
from nbzero.judge.votes import majority
from nbzero.search import STRATEGIES, Ground, run

ARCHS = list(Bench().space("r1-mini"))[:40]
GROUND = Ground("r1-mini", ARCHS)


def scores_of(num_experts, seed, ties=False):
    rng = np.random.default_rng(seed)
    scores = (
        rng.integers(4, size=(num_experts, len(ARCHS))) if ties else rng.random((num_experts, len(ARCHS)))
    )
    return scores.astype(np.float64)


def ballots_of(scores_PN):
    return {arch: Ballot(column) for arch, column in zip(ARCHS, scores_PN.T.tolist(), strict=True)}


@pytest.mark.parametrize("num_experts", [1, 2, 3, 4])
def test_a_ballot_is_above_where_the_majority_says_so(num_experts):
    scores_PN = scores_of(num_experts, 0, ties=True)
    ballots = list(ballots_of(scores_PN).values())
    above_NN = [[one > other for other in ballots] for one in ballots]
    assert np.array_equal(above_NN, majority(scores_PN) > 0)


def test_an_absent_score_is_below_every_number():
    """As in the votes among many; an arch without scores would else never be beaten."""
    absent, high, low = Ballot([None, None, 1.0]), Ballot([0.0, 2.0, 0.0]), Ballot([0.0, -9.0, 2.0])
    assert high > absent and low > absent and not absent > high and not absent > low
    assert not Ballot([None]) > Ballot([None])


@pytest.mark.parametrize("name", ["random", "evolution"])
@pytest.mark.parametrize("seed", range(5))
def test_one_expert_alone_finds_what_its_scores_find(name, seed):
    (scores_N,) = scores_PN = scores_of(1, seed)
    score_of = dict(zip(ARCHS, scores_N.tolist(), strict=True))
    for evaluations in (1, 2, 15, 30):
        history = run(GROUND, score_of.__getitem__, STRATEGIES[name], evaluations, seed=seed)
        found = found_by_vote(GROUND, ballots_of(scores_PN), STRATEGIES[name], evaluations, seed)
        assert found == history.best[0]


def test_the_winner_so_far_is_kept_where_there_is_a_cycle():
    """Three archs of which each beats the next: the answer is by their order."""
    names = ARCHS[:3]
    ballots = dict(zip(names, map(Ballot, [(3, 1, 2), (2, 3, 1), (1, 2, 3)]), strict=True))
    assert ballots[names[0]] > ballots[names[1]] > ballots[names[2]] > ballots[names[0]]

    def asks(order):
        def strategy(ground, rng):
            for arch in order:
                told = yield arch
                assert told is ballots[arch]

        return strategy

    for order, winner in (((0, 1, 2), 2), ((1, 2, 0), 0), ((2, 1, 0), 0), ((0, 2, 1), 1)):
        asked = asks([names[place] for place in order])
        assert found_by_vote(GROUND, ballots, asked, 10, 0) == names[winner]
        assert found_by_vote(GROUND, ballots, asked, 1, 0) == names[order[0]]
