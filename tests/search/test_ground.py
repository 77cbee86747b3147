"""The ground of a search: its moves stay inside, reach what is near, and keep to a budget."""

import itertools
from functools import cache

import numpy as np
import pytest

from nbzero import Arch, Bench
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.search import Ground, ground as grounds
from nbzero.search.codes import codes_of
from nbzero.spaces import CHOICES, IMPORTED
from nbzero.spaces.macro import MAX_MACS, MAX_PARAMS
from nbzero.spaces.mobilenetv2 import RE_SJW, published_costs
from tests.importers.made import some

EMBEDDED = Bench()
MEASURED = EMBEDDED.objective("r1-mini", "accuracy", "cifar10").archs
GROUNDS = {
    "r1-mini, grid": lambda: Ground("r1-mini"),
    "mb, grid within a budget": lambda: Ground("mb", budget={"macs": 3e7, "depth": 10}),
    "r1-mini, members": lambda: Ground(EMBEDDED.space("r1-mini")),
    "r1-mini, measured": lambda: Ground("r1-mini", MEASURED),
    "nb201": lambda: Ground("nb201"),
    "nbmacro within a budget": lambda: Ground("nbmacro", budget={"params": 2e6}),
    "transnas-macro": lambda: Ground("transnas-macro"),
    "darts, a table": lambda: Ground("darts", some("darts")),
    "darts, grid": lambda: Ground("darts"),
    "mobilenetv2": lambda: Ground("mobilenetv2", budget={"macs": 600e6}),
}
each_ground = pytest.mark.parametrize("name", GROUNDS)


@cache
def ground_of(name: str) -> Ground:
    return GROUNDS[name]()


@each_ground
def test_every_move_stays_on_the_ground_and_within_the_budget(name):
    ground, rng = ground_of(name), np.random.default_rng(0)
    seen = set()
    for _ in range(15):
        a, b = ground.random_arch(rng), ground.random_arch(rng)
        child, mixed = ground.mutate(a, rng), ground.crossover(a, b, rng)
        assert child != a
        seen |= {a, b, child, mixed}
    for arch in seen:
        assert arch in ground
        assert all(ground.costs(arch)[cost] <= limit for cost, limit in ground.budget.items())
        if ground.archs is not None:
            assert arch in ground.archs
    assert len(seen) > 15


@each_ground
def test_the_same_generator_makes_the_same_moves(name):
    ground = ground_of(name)
    made = []
    for _ in range(2):
        rng = np.random.default_rng(1)
        a, b = ground.random_arch(rng), ground.random_arch(rng)
        made.append((a, b, ground.mutate(a, rng), ground.crossover(a, b, rng)))
    assert made[0] == made[1]


@pytest.mark.parametrize("name", [*CHOICES, "nb201", "nbmacro", "darts", "transnas-micro", "nats-sss"])
def test_numbers_come_back_and_costs_are_those_of_the_tables(name):
    codes, rng = codes_of(name), np.random.default_rng(0)
    for _ in range(30):
        arch = None
        while arch is None:
            arch = codes.arch([int(rng.integers(size)) for size in codes.sizes])
        assert codes.arch(codes.numbers(arch)) == arch
        if name in CHOICES:
            parsed = Arch.parse(arch)
            assert codes.costs(arch) == {"macs": parsed.macs, "params": parsed.params, "depth": parsed.depth}
            assert parsed.macs <= MAX_MACS and parsed.params <= MAX_PARAMS
        else:
            assert codes.costs(arch) == IMPORTED[name].costs(IMPORTED[name].parse(arch))


def test_members_come_back_by_their_numbers():
    for name in CHOICES:
        codes = codes_of(name)
        for arch in EMBEDDED.space(name).members[:40]:
            assert codes.arch(codes.numbers(arch)) == arch


def differing(codes, one, other):
    return sum(a != b for a, b in zip(codes.numbers(one), codes.numbers(other), strict=True))


@pytest.mark.parametrize("name", ["nb201", "nbmacro", "transnas-macro"])
def test_a_mutation_of_a_dense_table_changes_one_decision_and_reaches_all_such_archs(name):
    ground = ground_of(name) if name in GROUNDS else Ground(name)
    codes, rng = codes_of(name), np.random.default_rng(0)
    arch = ground.random_arch(rng)
    near = {other for other in ground.archs if differing(codes, arch, other) == 1}
    assert {ground.mutate(arch, rng) for _ in range(600)} == near


def test_a_mutation_of_a_sparse_table_is_one_of_the_eight_nearest():
    ground, rng = ground_of("r1-mini, members"), np.random.default_rng(0)
    codes, arch = codes_of("r1-mini"), ground.archs[7]
    kept = codes.names.index("kept_stage")

    def distance(other):
        pairs = list(zip(codes.numbers(arch), codes.numbers(other), strict=True))
        return sum(int(a != b) if place == kept else abs(a - b) for place, (a, b) in enumerate(pairs))

    others = [other for other in ground.archs if other != arch]
    assert {ground.mutate(arch, rng) for _ in range(300)} == set(sorted(others, key=distance)[:8])


def test_a_mutation_of_our_grid_changes_one_stage_decision_at_most():
    """One depth, one width (which may then stand elsewhere), the stem, or which stage keeps its size."""
    ground, rng = ground_of("r1-mini, grid"), np.random.default_rng(0)
    for _ in range(100):
        arch = ground.random_arch(rng)
        one, other = Arch.parse(arch), Arch.parse(ground.mutate(arch, rng))
        if len(one.stages) != len(other.stages):
            continue
        changes = [one.stem != other.stem]
        changes.append([s.depth for s in one.stages] != [s.depth for s in other.stages])
        changes.append([s.width for s in one.stages] != [s.width for s in other.stages])
        changes.append([s.stride for s in one.stages] != [s.stride for s in other.stages])
        assert sum(changes) == 1, (arch, str(other))


def test_a_crossover_takes_every_decision_of_a_grid_from_a_parent():
    ground, codes, rng = ground_of("darts, grid"), codes_of("darts"), np.random.default_rng(3)
    for _ in range(30):
        a, b = ground.random_arch(rng), ground.random_arch(rng)
        mixed = codes.numbers(ground.crossover(a, b, rng))
        assert all(m in pair for m, *pair in zip(mixed, codes.numbers(a), codes.numbers(b), strict=True))


def test_random_archs_are_drawn_evenly_from_a_table():
    ground, rng = Ground("r1-mini", MEASURED[:4]), np.random.default_rng(0)
    drawn = [ground.random_arch(rng) for _ in range(400)]
    assert all(70 < drawn.count(arch) < 130 for arch in ground.archs)


def test_strides_of_mobilenetv2_move_and_stay_four():
    ground, rng = ground_of("mobilenetv2"), np.random.default_rng(0)
    assert RE_SJW in ground and published_costs(RE_SJW)["flops"] < 600e6
    strides = set()
    arch = RE_SJW
    for _ in range(60):
        arch = ground.mutate(arch, rng)
        strides.add(tuple(part.split("s")[1][0] for part in arch.split("-")[3:10]))
    assert len(strides) > 2 and all(found.count("2") == 4 for found in strides)


def test_a_table_within_a_budget_has_exactly_the_archs_that_meet_it():
    ground = Ground("r1-mini", MEASURED, {"macs": 5e6, "params": 1e5})
    by_hand = [arch for arch in MEASURED if Arch.parse(arch).macs <= 5e6 and Arch.parse(arch).params <= 1e5]
    assert list(ground.archs) == by_hand and 0 < len(ground) < len(MEASURED)
    assert ground.words == f"r1-mini, {len(by_hand)} archs, macs <= 5000000 and params <= 100000"


def test_every_arch_of_a_published_space_is_there():
    assert len(Ground("transnas-macro")) == IMPORTED["transnas-macro"].num_members
    every = list(itertools.islice(ground_of("nb201").archs, 5))
    assert len(ground_of("nb201")) == 15_625 and all(arch in ground_of("nb201") for arch in every)


def test_what_is_no_arch_of_the_ground():
    grid = ground_of("mb, grid within a budget")
    for arch in ("r1-mini", 7, "mb-s32-d6w192s2-d6w192s2-d6w192s2", MEASURED[0]):
        assert arch not in grid
    assert "mb-s16-d1w192s2-d1w8s2-d1w8s2" not in grid  # widths that decrease


def test_a_budget_below_every_arch_says_the_least_there_is():
    with pytest.raises(
        NothingFoundError, match=r"none of \d+ archs of r1-mini is within macs <= 10; .*macs \d+"
    ):
        Ground("r1-mini", MEASURED, {"macs": 10})


@pytest.mark.parametrize(
    ("space", "budget", "said"),
    [
        ("r1-mini", {"macs": 213_135}, "none of 1,036,800 archs of r1-mini .*: macs 213,136$"),
        ("mb-mini", {"macs": 1e6, "params": 10}, "none of .* <= 10; the least there is: macs .*, params "),
        ("r2", {"macs": 10}, "none of 3,170,834 archs of r2 is within macs <= 10; the least there is: macs "),
        ("nb101", {"params": 1e5}, "none of 1,293,208 archs of nb101 .*: params 227,274$"),
        ("mobilenetv2", {"macs": 1e7}, "no arch of mobilenetv2 is .*: macs 13,666,624$"),
        (
            "flexibert",
            {"depth": 1},
            "no arch of flexibert is within depth <= 1; the least there is: depth 2$",
        ),
    ],
)
def test_a_budget_below_every_arch_of_a_grid_says_the_least_there_is(space, budget, said):
    with pytest.raises(NothingFoundError, match=said):
        Ground(space, budget=budget)


# Tight budgets of a grid


TIGHT = {
    "r1-mini, a table": lambda: Ground("r1-mini", budget={"macs": 250_000}),
    "r1-mini": lambda: Ground("r1-mini", budget={"macs": 300_000}),
    "mb, a table": lambda: Ground("mb", budget={"macs": 2.7e6}),
    "nb101, a table": lambda: Ground("nb101", budget={"params": 3e5}),
    "nb101": lambda: Ground("nb101", budget={"macs": 3e9}),
    "mobilenetv2": lambda: Ground("mobilenetv2", budget={"macs": 2e7}),
    "flexibert": lambda: Ground("flexibert", budget={"depth": 3}),
}


@cache
def tight(name: str) -> Ground:
    return TIGHT[name]()


@pytest.mark.parametrize("name", TIGHT)
def test_a_tight_budget_is_kept_and_has_moves(name, monkeypatch):
    monkeypatch.setattr(grounds, "TRIES", 1_000)  # as if more draws had made none
    ground, rng = tight(name), np.random.default_rng(0)
    for _ in range(3):
        a, b = ground.random_arch(rng), ground.random_arch(rng)
        child = ground.mutate(a, rng)
        assert child != a
        for arch in (a, b, child, ground.crossover(a, b, rng), ground.drawn(largest(ground), rng)):
            assert arch in ground
            assert all(ground.costs(arch)[cost] <= limit for cost, limit in ground.budget.items())
    assert (ground.archs is not None) == name.endswith("a table")


def test_a_tight_budget_leaves_a_table_of_all_archs_within_it():
    """Of any arch of the table every edit within the budget is there too, and the smallest arch is."""
    ground = tight("r1-mini, a table")
    assert "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2" in ground and len(set(ground.archs)) == len(ground.archs)
    for arch in ground.archs:
        parsed = Arch.parse(arch)
        assert parsed.macs <= 250_000
        assert all(str(edit) in ground for edit in parsed.edits() if edit.macs <= 250_000)


def test_one_arch_that_a_budget_leaves_has_no_moves():
    ground, rng = Ground("r1-mini", budget={"macs": 213_136}), np.random.default_rng(0)
    arch = ground.random_arch(rng)
    with pytest.raises(NothingFoundError, match=f"no move from {arch} leads to another arch of .* 1 arch"):
        ground.mutate(arch, rng)


@pytest.mark.parametrize("name", ["r1-mini", "mb, budget", "nb101", "mobilenetv2"])
def test_options_are_drawn_as_one_after_the_other(name):
    """Until they make an arch of the ground, with the same arch and the same generator after it."""
    space, *_ = name.split(",")
    ground = Ground(space, budget={"macs": 8e6} if "budget" in name else None)
    codes = codes_of(space)
    plain, rng = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(6):
        expected = None
        while expected is None or expected not in ground:
            expected = codes.arch([int(plain.integers(size)) for size in codes.sizes])
        assert ground.random_arch(rng) == expected
    assert rng.bit_generator.state == plain.bit_generator.state


def test_a_walk_comes_to_every_option_as_often(monkeypatch):
    """Of FlexiBERT two layers alone are within the budget; each of their decisions is even."""
    monkeypatch.setattr(grounds, "STEPS", 200)
    ground, rng = tight("flexibert"), np.random.default_rng(0)
    numbers_ND = np.array([ground.numbers(ground._walked(rng)) for _ in range(120)])
    assert not numbers_ND[:, 9:].any()
    for column_N, size in zip(numbers_ND.T[:9], ground.sizes, strict=False):
        shares = np.bincount(column_N, minlength=size) / 120
        np.testing.assert_allclose(shares, 1 / size, atol=0.16)


def largest(ground):
    """Draws that always take the last option of every decision."""
    return lambda number: np.tile(np.array(ground.sizes) - 1, (number, 1))


def test_numbers_that_make_no_arch_are_mended_by_decisions_of_a_random_one(monkeypatch):
    monkeypatch.setattr(grounds, "TRIES", 100)
    ground, rng = Ground("r1-mini", budget={"macs": 1e6}), np.random.default_rng(0)
    mended = [ground.numbers(ground.drawn(largest(ground), rng)) for _ in range(20)]
    (most,) = largest(ground)(1).tolist()
    kept = [sum(a == b for a, b in zip(numbers, most, strict=True)) for numbers in mended]
    assert len(set(map(tuple, mended))) > 10 and max(kept) >= 2


def test_a_cell_without_a_change_of_one_decision_moves_to_a_random_one():
    ground, rng = tight("nb101"), np.random.default_rng(0)
    alone = "nb101-output.0"
    assert alone in ground
    assert len({ground.mutate(alone, rng) for _ in range(4)} - {alone}) == 4


@pytest.mark.parametrize("space", ["r1-mini", "nb101", "flexibert", "mobilenetv2"])
def test_all_changes_are_those_that_may_be_drawn(space):
    codes, rng = codes_of(space), np.random.default_rng(0)
    numbers = codes.numbers(Ground(space).random_arch(rng))
    every = list(map(tuple, codes.changes(numbers)))
    drawn = {tuple(codes.changed(numbers, rng)) for _ in range(8_000)} - {tuple(numbers)}
    assert len(set(every)) == len(every) and drawn <= set(every)
    assert len(drawn) == len(every) or (space == "mobilenetv2" and len(drawn) > len(every) / 2)


def test_archs_that_were_measured_are_the_ground_of_a_limit_on_it():
    latencies = {arch: float(place) for place, arch in enumerate(MEASURED[:20])}
    ground = Ground("r1-mini", budget={"latency": 6}, measured={"latency": latencies})
    assert ground.archs == tuple(MEASURED[:7])


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"space": "r9"}, UnknownNameError, "no space named 'r9'"),
        ({"space": 7}, UsageError, "space is 7; it is a name, or a Space"),
        ({"space": "r1", "budget": {"latency": 1}}, UnknownNameError, "no cost of r1 .* 'latency'"),
        ({"space": "darts", "budget": {"macs": 1e6}}, UnknownNameError, "no cost of darts"),
        ({"space": "r1", "budget": 1e6}, UsageError, "budget 1000000.0; it is a limit on each cost"),
        (
            {"space": "r1", "budget": {"macs": -1}},
            UsageError,
            "macs -1; it is a positive, finite number",
        ),
        ({"space": "r1", "budget": {"macs": float("nan")}}, UsageError, "budget macs nan"),
        ({"space": "r1", "archs": []}, UsageError, "archs of r1 without any"),
        ({"space": "r1-mini", "archs": MEASURED[:1] * 2}, UsageError, "with one of them twice"),
        ({"space": "r1", "archs": MEASURED[:2]}, UsageError, "is an arch of r1-mini, not of r1"),
    ],
)
def test_bad_grounds(given, error, said):
    with pytest.raises(error, match=said):
        Ground(**given)


def test_a_grid_has_no_length():
    with pytest.raises(UsageError, match="the grid of r1 is not enumerated"):
        len(Ground("r1"))
