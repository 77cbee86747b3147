"""Strategies: each against its algorithm written plainly, and what all have in common."""

import functools
import itertools
import math

import numpy as np
import pytest

from nbzero import Bench
from nbzero.errors import NothingFoundError, UsageError
from nbzero.judge.votes import swap_regularised
from nbzero.search import (
    STRATEGIES,
    Ground,
    evolution,
    random,
    reinforcement,
    run,
    swap_nas,
    swap_nas_sized,
    top_k,
)
from nbzero.search.controller import _Controller, _rank
from nbzero.search.swap_nas import _Sizes

BENCH = Bench()
NASWOT = BENCH.objective("r1-mini", "naswot", "cifar10")
CELLS = Ground("nb201")


def convolutions(arch):
    """A made score of a cell of NAS-Bench-201."""
    return 3.0 * arch.count("3x3") + arch.count("1x1") - arch.count("none")


def asked(strategy, ground, score, number, seed=0):
    """The archs that a strategy asks for, and their scores."""
    asking = strategy(ground, np.random.default_rng(seed))
    wanted = next(asking)
    found = []
    while len(found) < number:
        archs = (wanted,) if isinstance(wanted, str) else wanted
        found += archs
        scores = tuple(map(score, archs))
        if len(found) < number:
            wanted = asking.send(scores[0] if isinstance(wanted, str) else scores)
    return found[:number]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_seed_fixes_everything_and_another_one_does_not(name):
    draws = [asked(STRATEGIES[name], CELLS, convolutions, 90, seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert all(arch in CELLS for arch in draws[0])


LEARNING = {
    "evolution": evolution,
    "reinforcement": functools.partial(reinforcement, learning_rate=0.05),
    "swap_nas": swap_nas,
}


@pytest.mark.parametrize("name", LEARNING)
def test_strategies_that_learn_find_more_than_random_search(name):
    """Means over five seeds of the mean score of the last 50 of 400 archs."""
    means = []
    for strategy in (random, LEARNING[name]):
        scores = []
        for seed in range(5):
            archs = asked(strategy, CELLS, convolutions, 400, seed)
            scores.append(np.mean([convolutions(arch) for arch in archs[-50:]]))
        means.append(np.mean(scores))
    assert means[1] > means[0] + 3


def test_random_search_asks_for_every_arch_of_a_table_once():
    found = asked(STRATEGIES["random"], Ground("r1-mini", NASWOT.archs), lambda arch: 0.0, 1000)
    assert sorted(found) == sorted(NASWOT.archs)
    together = asked(functools.partial(random, batch=7), Ground("r1-mini", NASWOT.archs), len, 1000)
    assert together == found


def test_evolution_is_as_written_plainly():
    """The moves are recorded: what is mutated is the best of those drawn from the last that live."""
    parents = []

    class Watched(Ground):
        def mutate(self, arch, rng):
            parents.append(arch)
            return super().mutate(arch, rng)

    ground = Watched("nb201")
    found = asked(functools.partial(evolution, population=8, tournament=3), ground, convolutions, 60, 5)
    rng = np.random.default_rng(5)
    plain, alive = [], []
    for number in range(60):
        if number < 8:
            arch = CELLS.random_arch(rng)
        else:
            drawn = [alive[place] for place in rng.integers(8, size=3)]
            best = drawn[0]
            for other in drawn[1:]:
                if convolutions(other) > convolutions(best):
                    best = other
            assert parents[number - 8] == best
            arch = CELLS.mutate(best, rng)
        plain.append(arch)
        alive = [*alive, arch][-8:]
    assert found == plain


@pytest.mark.parametrize("name", ["random", "evolution", "reinforcement"])
def test_a_batch_is_asked_for_at_once(name):
    asking = STRATEGIES[name](CELLS, np.random.default_rng(0), batch=5)
    archs = next(asking)
    for _ in range(20):
        assert isinstance(archs, tuple) and len(archs) == 5
        archs = asking.send(tuple(map(convolutions, archs)))
    with pytest.raises(UsageError, match="batch 0; it is a whole number from 1"):
        next(STRATEGIES[name](CELLS, np.random.default_rng(0), batch=0))


def test_the_children_of_a_batch_have_parents_of_one_population():
    """All five of the first batch after the population are of archs of the population."""
    parents = []

    class Watched(Ground):
        def mutate(self, arch, rng):
            parents.append(arch)
            return super().mutate(arch, rng)

    strategy = functools.partial(evolution, population=10, tournament=2, batch=5)
    found = asked(strategy, Watched("nb201"), convolutions, 20)
    assert set(parents[:5]) <= set(found[:10]) and set(parents[5:10]) <= set(found[5:15])


def test_evolution_forgets_the_oldest_however_good():
    """The first arch alone is good; once it has died, it is no parent."""
    parents = []

    class Watched(Ground):
        def mutate(self, arch, rng):
            parents.append(arch)
            return super().mutate(arch, rng)

    strategy = functools.partial(evolution, population=10, tournament=30)
    asking = strategy(Watched("nb201"), np.random.default_rng(0))
    (first,) = next(asking)
    asking.send((1.0,))
    for _ in range(60):
        asking.send((0.0,))
    assert parents[0] == first and first not in parents[1:]


def test_the_controller_steps_as_adam_written_plainly():
    """Number by number: the gradient of -advantage * log softmax, and Adam's two moments."""
    sizes = (3, 5, 2)
    controller = _Controller(sizes, np.random.default_rng(0), learning_rate=0.05)
    logits = [[0.0] * size for size in sizes]
    moments = [[(0.0, 0.0)] * size for size in sizes]
    for step, advantage in enumerate((0.5, -0.3, 0.0, 0.9, 0.2), 1):
        numbers = controller.draw(1)[0].tolist()
        controller.learn([np.array(numbers)], [advantage])
        for one, moment, number in zip(logits, moments, numbers, strict=True):
            total = sum(map(math.exp, one))
            shares = [math.exp(logit) / total for logit in one]
            for option, share in enumerate(shares):
                gradient = -advantage * ((option == number) - share)
                first, second = moment[option]
                first = 0.9 * first + 0.1 * gradient
                second = 0.999 * second + 0.001 * gradient**2
                moment[option] = (first, second)
                mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
                one[option] -= 0.05 * mean / (math.sqrt(square) + 1e-8)
    for row, one in zip(controller.logits_DO, logits, strict=True):
        np.testing.assert_allclose(row[: len(one)], one, rtol=1e-9, atol=1e-12)
        assert np.isneginf(row[len(one) :]).all()


def test_the_controller_draws_options_as_often_as_it_says():
    controller = _Controller((2, 4), np.random.default_rng(0), 0.1)
    controller.logits_DO[1, :4] = np.log([0.1, 0.2, 0.3, 0.4])
    controller._update_probabilities()
    drawn = controller.draw(4000)
    shares = np.bincount(drawn[:, 1], minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3, 0.4], atol=0.03)
    assert set(drawn[:, 0]) == {0, 1}


def test_the_controller_draws_many_as_one_after_the_other():
    many, single = (_Controller((3, 5, 2), np.random.default_rng(4), 0.1) for _ in range(2))
    drawn = many.draw(50)
    assert drawn.tolist() == [single.draw(1)[0].tolist() for _ in range(50)]
    assert many.drawn_D.tolist() == single.drawn_D.tolist() == drawn[-1].tolist()


def test_rewards_are_the_share_of_lower_scores():
    scores = []
    assert [_rank(scores, score) for score in (5, 7, 1, 5, -math.inf)] == [0.5, 1.0, 0.0, 0.5, 0.0]
    assert scores == [-math.inf, 1, 5, 5, 7]


@pytest.mark.parametrize("scale", [1.0, 1e60])
def test_reinforcement_reads_ranks_alone(scale):
    plain = asked(reinforcement, CELLS, convolutions, 50)
    assert asked(reinforcement, CELLS, lambda arch: scale * convolutions(arch), 50) == plain


def test_sizes_adapt_as_regularised_swap_has_them():
    """Mean and variance of params in thousands; compared as the logarithm of the published score."""
    sizes = _Sizes(CELLS)
    archs = CELLS.archs[:3000:100]
    for arch in archs:
        sizes.add(arch)
    params = np.array([CELLS.costs(arch)["params"] for arch in archs])
    assert sizes.mu == pytest.approx((params / 1000).mean())
    assert sizes.sigma == pytest.approx((params / 1000).var())
    swap = np.arange(1.0, len(archs) + 1)
    expected = swap_regularised(swap, params, log=True)
    found = [sizes.compared(member) for member in zip(swap.tolist(), archs, strict=True)]
    np.testing.assert_allclose(found, expected)
    assert sizes.compared((0.0, archs[0])) == -math.inf


def test_swap_nas_keeps_the_best_and_removes_the_worst():
    """With mutations that are all kept, the worst of the population never comes back as a parent."""
    strategy = functools.partial(swap_nas, population=4, mutations=1)
    archs = asked(strategy, CELLS, convolutions, 300)
    best = np.maximum.accumulate([convolutions(arch) for arch in archs])
    assert best[-1] == 18 and best[3] < 18  # every edge a 3x3 convolution


@pytest.mark.parametrize("batch", [1, 3])
def test_swap_nas_as_written_plainly(batch):
    """Cycle by cycle; those of a batch see one population, and ask for their mixes, then their children."""
    found = asked(
        functools.partial(swap_nas, population=8, mutations=2, batch=batch), CELLS, convolutions, 200
    )
    rng = np.random.default_rng(0)
    plain = [CELLS.random_arch(rng) for _ in range(8)]
    alive = list(plain)
    while len(plain) < 200:
        parents, mixes = [], []
        for _ in range(batch):
            drawn = [alive[place] for place in rng.choice(8, 4, replace=False)]
            drawn.sort(key=convolutions, reverse=True)
            if rng.random() < 0.5:
                first, second = CELLS.crossover(*drawn[:2], rng), CELLS.crossover(*drawn[1::-1], rng)
                mixes += [first, second]
                parents.append(second if convolutions(second) > convolutions(first) else first)
            else:
                parents.append(drawn[0])
        families = [[CELLS.mutate(parent, rng) for _ in range(2)] for parent in parents]
        plain += [*mixes, *itertools.chain(*families)]
        for one, other in families:
            alive.append(other if convolutions(other) > convolutions(one) else one)
            alive.remove(min(alive, key=convolutions))
    assert found == plain[:200]


@pytest.mark.parametrize("name", ["swap_nas", "swap_nas_sized"])
def test_cycles_side_by_side_ask_at_once(name):
    asking = STRATEGIES[name](CELLS, np.random.default_rng(0), population=8, mutations=3, batch=5)
    archs, sizes = next(asking), []
    for _ in range(40):
        archs = asking.send(tuple(map(convolutions, archs)))
        sizes.append(len(archs))
    assert sizes.count(15) >= 20 and max(sizes) == 15  # the children; mixes are fewer, two of a cycle
    assert all(size % 2 == 0 and size <= 10 for size in sizes if size != 15)
    with pytest.raises(UsageError, match="batch 0; it is a whole number from 1"):
        next(STRATEGIES[name](CELLS, np.random.default_rng(0), batch=0))


def test_top_k_asks_for_the_best_of_its_guide_first():
    macs = BENCH.objective("r1-mini", "macs", "cifar10")
    found = asked(top_k(macs), Ground("r1-mini", NASWOT.archs), lambda arch: 0.0, 1000)
    amounts = [macs(arch) for arch in found]
    assert amounts == sorted(amounts, reverse=True)
    assert top_k(macs).__name__ == "top_k(macs)"
    grid = asked(top_k(macs, draws=50), Ground("r1-mini"), lambda arch: 0.0, 40)
    amounts = [macs(arch) for arch in grid]
    assert amounts == sorted(amounts, reverse=True) and len(set(grid)) == 40


def test_top_k_puts_archs_without_a_score_last():
    archs = NASWOT.archs[:4]
    guide = {archs[0]: None, archs[1]: 1.0, archs[2]: math.nan, archs[3]: 2.0}
    found = asked(top_k(guide.get), Ground("r1-mini", archs), lambda arch: 0.0, 4)
    assert found == [archs[3], archs[1], archs[0], archs[2]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ZeroDivisionError("of the reader"), r"failed \(r1-mini-.*\): ZeroDivisionError: of the reader"),
        ("high", r"gave 'high' \(r1-mini-.*\); it gives a number, higher is better, or None"),
        (True, "gave True"),
    ],
)
def test_a_guide_that_raises_or_gives_no_number_is_named(given, said):
    answers = iter([1.0, given, 2.0, 3.0])

    def guide(arch):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(UsageError, match=f"guide guide {said}") as raised:
        run(Ground("r1-mini", NASWOT.archs[:4]), NASWOT, top_k(guide))
    assert raised.value.__cause__ is (given if isinstance(given, Exception) else None)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "random"])
def test_one_arch_has_no_moves(name):
    with pytest.raises(NothingFoundError, match=f"only arch of r1-mini, 1 arch, so {name} has no moves"):
        run(Ground("r1-mini", NASWOT.archs[:1]), NASWOT, name)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (functools.partial(evolution, population=0), "population 0; it is a whole number from 1"),
        (functools.partial(evolution, tournament=0.5), "tournament 0.5"),
        (functools.partial(reinforcement, learning_rate=0), "learning_rate is 0"),
        (
            functools.partial(reinforcement, learning_rate="x"),
            "learning_rate is 'x'; it is a positive, finite",
        ),
        (functools.partial(reinforcement, learning_rate=math.inf), "learning_rate is inf"),
        (functools.partial(reinforcement, learning_rate=True), "learning_rate is True"),
        (functools.partial(reinforcement, momentum=1), "momentum is 1; it is in"),
        (functools.partial(reinforcement, momentum=None), "momentum is None; it is in"),
        (functools.partial(swap_nas, population=3), "population 3; it is a whole number from 4"),
        (functools.partial(swap_nas, mutations=0), "mutations 0"),
    ],
)
def test_bad_numbers(strategy, said):
    with pytest.raises(UsageError, match=said):
        run("r1-mini", NASWOT, strategy)


def test_bad_guides_and_spaces():
    with pytest.raises(UsageError, match="guide is 3; it is a function of an arch"):
        top_k(3)
    with pytest.raises(UsageError, match="prefers a number of params, which darts does not fix"):
        run("darts", len, swap_nas_sized)
