"""Moves: they keep to the grid or the table, its limits and the condition, and reach all that is near."""

import numpy as np
import pytest

from nbzero import Arch, Bench
from nbzero.errors import NothingFoundError, UsageError
from nbzero.search.moves import Condition, GridMoves, TableMoves
from nbzero.spaces import CHOICES
from nbzero.spaces.macro import MAX_MACS, MAX_PARAMS

EMBEDDED = Bench()
WHERE = {
    "r1": "macs < 1e8",
    "r2": "s4_depth is None",
    "mb": "params > 1e5 and depth >= 8",
    "r1-mini": "archs.macs <= 6e6",
    "r2-mini": "stem == 8",
    "mb-mini": "macs / depth < 1e6",
}


def moves_of(space, where=None):
    opened = EMBEDDED.release.space(space)
    condition = Condition(opened, where)
    return GridMoves(
        [arch for arch, met in zip(opened.archs, condition.members, strict=True) if met], condition
    )


def holds(arch):
    """The conditions of WHERE by hand."""
    stages = arch.stages
    return {
        "r1": arch.macs < 1e8,
        "r2": len(stages) == 3,
        "mb": arch.params > 1e5 and arch.depth >= 8,
        "r1-mini": arch.macs <= 6e6,
        "r2-mini": arch.stem == 8,
        "mb-mini": arch.macs / arch.depth < 1e6,
    }[arch.space]


@pytest.mark.parametrize("space", sorted(CHOICES))
def test_a_condition_is_met_by_grid_archs_as_by_members(space):
    opened = EMBEDDED.release.space(space)
    condition = Condition(opened, WHERE[space])
    archs = [Arch.parse(text) for text in opened.archs[:200]]
    assert condition.members[:200].tolist() == [holds(arch) for arch in archs]
    assert 0 < condition.members.sum() < len(opened.archs)
    for arch in archs[:5]:
        for edit in arch.edits():
            assert condition.is_met(str(edit)) == holds(edit), edit
    assert Condition(opened, None).members.all() and Condition(opened, None).is_met("whatever")


def test_no_member_has_no_arch_id():
    opened = EMBEDDED.release.space("r1-mini")
    edit = next(str(e) for e in Arch.parse(opened.archs[0]).edits() if str(e) not in opened.ids)
    assert not Condition(opened, "arch_id < 5").is_met(edit) and Condition(opened, "arch_id is None").is_met(
        edit
    )
    assert Condition(opened, f"arch == '{edit}'").is_met(edit)


@pytest.mark.parametrize("space", sorted(CHOICES))
def test_mutations_in_the_grid_are_the_allowed_edits(space):
    moves = moves_of(space, WHERE[space])
    rng = np.random.default_rng(0)
    arch = moves.archs[3]
    allowed = set()
    for edit in Arch.parse(arch).edits():
        if holds(edit) and edit.macs <= MAX_MACS and edit.params <= MAX_PARAMS:
            allowed.add(str(edit))
    drawn = [moves.mutate(arch, rng) for _ in range(20 * len(allowed))]
    assert set(drawn) == allowed
    counts = np.unique(drawn, return_counts=True)[1]
    assert counts.min() > 4 and counts.max() < 45  # 20 of each on average


@pytest.mark.parametrize(("space", "cost", "most"), [("r1", "macs", MAX_MACS), ("r2", "params", MAX_PARAMS)])
def test_moves_in_the_grid_stay_within_the_limits_of_the_space(space, cost, most):
    moves = moves_of(space)
    rng = np.random.default_rng(0)
    largest = sorted(moves.archs, key=lambda arch: getattr(Arch.parse(arch), cost))[-2:]
    beyond = [edit for edit in Arch.parse(largest[1]).edits() if getattr(edit, cost) > most]
    assert len(beyond) > 3
    for _ in range(200):
        assert getattr(Arch.parse(moves.mutate(largest[1], rng)), cost) <= most
        assert getattr(Arch.parse(moves.crossover(*largest, rng)), cost) <= most


@pytest.mark.parametrize("space", sorted(CHOICES))
def test_crossovers_in_the_grid_mix_two_archs(space):
    moves = moves_of(space, WHERE[space])
    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = (moves.archs[int(i)] for i in rng.integers(len(moves.archs), size=2))
        mixed = Arch.parse(moves.crossover(a, b, rng))
        one, other = Arch.parse(a), Arch.parse(b)
        assert holds(mixed) and mixed.stem in (one.stem, other.stem)
        strides = [[stage.stride for stage in arch.stages] for arch in (one, other, mixed)]
        assert strides[2] in strides[:2]
        for s, stage in enumerate(mixed.stages):
            parents = [arch.stages[s] for arch in (one, other) if s < len(arch.stages)]
            assert stage.depth in [parent.depth for parent in parents]
        widths = {stage.width for arch in (one, other) for stage in arch.stages}
        assert {stage.width for stage in mixed.stages} <= widths
    assert moves.crossover(a, a, rng) == a


def test_where_no_mix_is_allowed_a_parent_is_taken():
    opened = EMBEDDED.release.space("r1-mini")
    a, b = opened.archs[:2]
    moves = GridMoves([a, b], Condition(opened, f"arch == '{a}' or arch == '{b}'"))
    rng = np.random.default_rng(0)
    assert {moves.crossover(a, b, rng) for _ in range(30)} == {a, b}
    with pytest.raises(NothingFoundError, match=r"none of the \d+ archs one choice away from .* is within"):
        moves.mutate(a, rng)


def test_moves_among_a_table_stay_in_it():
    archs = EMBEDDED.space("mb-mini").members[:30]
    moves = TableMoves("mb-mini", archs)
    rng = np.random.default_rng(0)
    for arch in (archs[0], EMBEDDED.space("mb-mini")[700]):
        near = {moves.mutate(arch, rng) for _ in range(300)}
        assert near == set(moves.nearest(arch, 8)) and arch not in near and near <= set(archs)
        assert moves.crossover(arch, archs[5], rng) in archs
    assert moves.nearest(archs[0], 100) == moves.nearest(archs[0], 29)
    few = TableMoves("mb-mini", archs[:2])
    assert few.mutate(archs[0], rng) == archs[1] and few.mutate(archs[1], rng) == archs[0]


def test_of_one_arch_there_is_nothing_near():
    arch = EMBEDDED.space("mb-mini")[0]
    moves = TableMoves("mb-mini", [arch])
    rng = np.random.default_rng(0)
    with pytest.raises(NothingFoundError, match=f"{arch} is the only arch to search among"):
        moves.mutate(arch, rng)
    assert moves.crossover(arch, arch, rng) == arch == moves.mutate(EMBEDDED.space("mb-mini")[1], rng)


@pytest.mark.parametrize("rng", [0, None, "a seed", np.random.RandomState(0)])
def test_a_seed_in_place_of_a_generator_is_refused(rng):
    search = Bench().simulate("r1-mini", "cifar10", max_queries=5)
    first, second = search.archs[:2]
    for move in (
        lambda: search.random_arch(rng),
        lambda: search.mutate(first, rng),
        lambda: search.crossover(first, second, rng),
    ):
        with pytest.raises(UsageError, match=r"rng is .*; it is a generator, like np.random.default_rng"):
            move()
