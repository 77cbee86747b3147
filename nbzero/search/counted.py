"""What a budget leaves of a grid, where all archs can be looked at: our six grids, and NAS-Bench-101's cells.

N archs, D decisions, W widths and L depths of all stages, K ways to join the vertices of a cell, E edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbzero.spaces.macro import (
    CHOICES,
    MAX_MACS,
    MAX_PARAMS,
    MAX_STAGES,
    NUM_CLASSES,
    NUM_HALVINGS,
    RESOLUTION,
    stage_costs,
)
from nbzero.spaces.nb101 import (
    CELL_OPERATIONS,
    MAX_EDGES,
    MAX_VERTICES,
    PAIRS,
    Cell,
    fixed_costs,
    vertex_costs,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.int8]
    Bools = npt.NDArray[np.bool_]

COSTS: tuple[str, ...] = ("macs", "params", "depth")
OUTPUT = MAX_VERTICES - 1


class Counted(NamedTuple):
    """What a budget leaves of a grid.

    Attributes:
        num_archs: of the whole grid.
        least: cost -> the least that an arch of the grid has.
        numbers_ND: the decisions of every arch within the budget, each arch once.
    """

    num_archs: int
    least: dict[str, int]
    numbers_ND: Numbers


class _Counting:
    """Archs that are counted, part after part."""

    def __init__(self, num_decisions: int) -> None:
        self._num_archs = 0
        self._least: dict[str, int] = {}
        self._found = [np.zeros((0, num_decisions), np.int8)]

    def add(self, costs: Mapping[str, Ints], is_arch: Bools) -> None:
        """Count some archs by their costs."""
        self._num_archs += int(is_arch.sum())
        for name, amounts in costs.items():
            least = int(np.broadcast_to(amounts, is_arch.shape)[is_arch].min(initial=np.iinfo(np.int64).max))
            self._least[name] = min(least, self._least.get(name, least))

    def keep(self, numbers_ND: Numbers) -> None:
        """Keep some that are within the budget."""
        self._found.append(numbers_ND)

    def done(self) -> Counted:
        return Counted(self._num_archs, self._least, np.concatenate(self._found))


def is_within(costs: Mapping[str, Ints], budget: Mapping[str, float]) -> Bools:
    """Which archs are within a budget, by those of its costs that are given."""
    within = np.array(True)
    for name in budget:
        if name in costs:
            within = within & (costs[name] <= budget[name])
    return within


# Our grids


def macro_costs(space: str, numbers_ND: Ints) -> tuple[dict[str, Ints], Bools]:
    """(N,) macs, params and depth by the numbers of the decisions, and whether these make an arch."""
    choices = CHOICES[space]
    kept_N = numbers_ND[:, 1]
    is_short_N = kept_N == 0
    widths_NS = np.array(choices.widths)[numbers_ND[:, 2::2]]
    widths_NS[is_short_N, -1] = max(choices.widths)  # stays the last
    widths_NS.sort(axis=1)
    depths_NS = np.array(choices.depths)[numbers_ND[:, 3::2]]
    strides_NS = np.where(kept_N[:, None] == np.arange(1, MAX_STAGES + 1), 1, 2)
    stems_N = np.array(choices.stems)[numbers_ND[:, 0]]
    costs = {name: np.zeros(len(numbers_ND), np.int64) for name in COSTS}
    for rows_N, num_stages in ((is_short_N, NUM_HALVINGS), (~is_short_N, MAX_STAGES)):
        stages = []
        for s in range(num_stages):
            stages.append((depths_NS[rows_N, s], widths_NS[rows_N, s], strides_NS[rows_N, s]))
        found = stage_costs(choices.family, stems_N[rows_N], stages, RESOLUTION, NUM_CLASSES)
        costs["macs"][rows_N], costs["params"][rows_N] = found
        costs["depth"][rows_N] = depths_NS[rows_N, :num_stages].sum(axis=1)
    return costs, (costs["macs"] <= MAX_MACS) & (costs["params"] <= MAX_PARAMS)


def counted_macro(space: str, budget: Mapping[str, float]) -> Counted:
    """What a budget leaves of one of our grids; half a second of a core."""
    choices = CHOICES[space]
    counting = _Counting(2 + 2 * MAX_STAGES)
    for stem, kept in itertools.product(range(len(choices.stems)), range(MAX_STAGES + 1)):
        num_stages = MAX_STAGES if kept else NUM_HALVINGS
        options = range(len(choices.widths))
        widths_WS = np.array(list(itertools.combinations_with_replacement(options, num_stages)))
        depths_LS = np.array(list(itertools.product(range(len(choices.depths)), repeat=num_stages)))
        stages = []
        for s in range(num_stages):
            depth_L = np.array(choices.depths)[depths_LS[:, s]]
            width_W1 = np.array(choices.widths)[widths_WS[:, s, None]]
            stages.append((depth_L, width_W1, 1 if s + 1 == kept else 2))
        found = stage_costs(choices.family, choices.stems[stem], stages, RESOLUTION, NUM_CLASSES)
        depth_L = np.array(choices.depths)[depths_LS].sum(axis=1)
        costs = dict(zip(COSTS, (*found, depth_L), strict=True))
        is_arch_WL = (costs["macs"] <= MAX_MACS) & (costs["params"] <= MAX_PARAMS)
        counting.add(costs, is_arch_WL)
        width_N, depth_N = np.nonzero(is_arch_WL & is_within(costs, budget))
        numbers_ND = np.zeros((len(width_N), 2 + 2 * MAX_STAGES), np.int8)
        numbers_ND[:, :2] = stem, kept
        numbers_ND[:, 2 : 2 + 2 * num_stages : 2] = widths_WS[width_N]
        numbers_ND[:, 3 : 3 + 2 * num_stages : 2] = depths_LS[depth_N]
        counting.keep(numbers_ND)
    return counting.done()


# Cells of NAS-Bench-101


def are_cells(numbers_ND: Ints) -> Bools:
    """(N,) whether numbers of decisions make a cell whose vertices are all on a path."""
    num_inner = MAX_VERTICES - 2
    there_NV = np.ones((len(numbers_ND), MAX_VERTICES), bool)
    there_NV[:, 1:-1] = numbers_ND[:, :num_inner] > 0
    edges_NE = numbers_ND[:, num_inner:] > 0
    good_N: Bools = (edges_NE.sum(axis=1) <= MAX_EDGES) & (there_NV[:, 1:-2] >= there_NV[:, 2:-1]).all(axis=1)
    for vertex in range(MAX_VERTICES):
        enters, leaves = _edges_at(vertex)
        if enters:
            good_N &= edges_NE[:, enters].any(axis=1) == there_NV[:, vertex]
        if leaves:
            good_N &= edges_NE[:, leaves].any(axis=1) == there_NV[:, vertex]
    return good_N


def _edges_at(vertex: int) -> tuple[list[int], list[int]]:
    """The edges that enter a vertex, and those that leave it, by their places in `PAIRS`."""
    enters = [place for place, (_, end) in enumerate(PAIRS) if end == vertex]
    leaves = [place for place, (start, _) in enumerate(PAIRS) if start == vertex]
    return enters, leaves


def counted_cells(budget: Mapping[str, float]) -> Counted:
    """What a budget leaves of the cells of NAS-Bench-101; 1.3 s of a core."""
    counting = _Counting(MAX_VERTICES - 2 + len(PAIRS))
    for num_inner in range(MAX_VERTICES - 1):
        operations = list(itertools.product(range(1, 1 + len(CELL_OPERATIONS)), repeat=num_inner))
        operations_ON = np.array(operations, np.int8).reshape(len(operations), num_inner)
        for edges in _joined(num_inner).tolist():
            costs = _costs_of_joined(edges, num_inner)
            counting.add(costs, np.ones(len(operations), bool))
            within = np.broadcast_to(is_within(costs, budget), len(operations))
            numbers_ND = np.zeros((int(within.sum()), MAX_VERTICES - 2 + len(PAIRS)), np.int8)
            numbers_ND[:, :num_inner] = operations_ON[within]
            numbers_ND[:, MAX_VERTICES - 2 :] = edges
            counting.keep(numbers_ND)
    return counting.done()


def _joined(num_inner: int) -> Ints:
    """(K, E) every way to join so many inner vertices, all on a path: 1 where there is an edge."""
    inner = set(range(1, 1 + num_inner))
    there = {0, *inner, OUTPUT}
    places = [place for place, pair in enumerate(PAIRS) if there.issuperset(pair)]
    codes_K = np.arange(1 << len(places), dtype=np.int32)  # a bit for each edge that may be
    num_edges_K = sum((codes_K >> bit) & 1 for bit in range(len(places)))
    good_K = np.asarray(num_edges_K) <= MAX_EDGES
    for vertex in there:
        for at in _edges_at(vertex):
            mask = sum(1 << bit for bit, place in enumerate(places) if place in at)
            if mask:
                good_K &= (codes_K & mask) > 0
    codes_K = codes_K[good_K]
    edges_KE = np.zeros((len(codes_K), len(PAIRS)), np.int64)
    edges_KE[:, places] = (codes_K[:, None] >> np.arange(len(places))) & 1
    return edges_KE


def _costs_of_joined(edges: Sequence[int], num_inner: int) -> dict[str, Ints]:
    """macs and params of the cells with these edges, one for every choice of the operations, in order."""
    vertices = [*range(1 + num_inner), OUTPUT]
    present = dict(zip(PAIRS, edges, strict=True))
    rows = []
    for start in vertices:
        rows.append(tuple(present.get((start, end), 0) for end in vertices))
    *inner, output = vertex_costs(Cell(tuple(rows), ()))
    found = {}
    for place, (name, fixed) in enumerate(zip(("macs", "params"), fixed_costs(), strict=True)):
        amounts = np.array([fixed + output[0][place]])
        for options in inner:
            added = np.array([option[place] for option in options[1:]])
            amounts = (amounts[:, None] + added).ravel()
        found[name] = amounts
    return found
