"""nbzero.spaces.nb101: published hashes and params, pruning, isomorphic cells, what is no cell."""

import itertools
import re

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.nb101 import NB101, Cell, arch_of_cell, cell_of, graph_hash, vertex_channels
from tests.spaces.cells import OFFICIAL, random_cell

CONV3, CONV1, POOL = OFFICIAL
INCEPTION = (
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"],
)
FIRST = (
    [
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV3, POOL, CONV3, CONV3, CONV1, "output"],
)


@pytest.mark.parametrize(
    ("given", "arch", "published_hash", "published_params"),
    [
        (INCEPTION, NB101.example, "28cfc7874f6d200472e1a9dcd8650aa0", 2_694_282),
        (
            FIRST,
            "nb101-conv3x3.0-maxpool3x3.1-conv3x3.2-conv3x3.0-conv1x1.034-output.25",
            "00005c142e6f48ac74fdcf73e3439874",
            8_555_530,
        ),
    ],
)
def test_published_cells(given, arch, published_hash, published_params):
    assert arch_of_cell(*given) == arch
    cell = cell_of(arch)
    assert [list(row) for row in cell.matrix] == given[0]
    assert graph_hash(cell) == published_hash
    assert NB101.costs(NB101.parse(arch))["params"] == published_params


def relabelled(matrix, operations, order):
    """The same graph with its vertices in another order; None where an edge would lead back."""
    moved = [[matrix[start][end] for end in order] for start in order]
    if np.tril(moved).any():
        return None
    return moved, [operations[vertex] for vertex in order]


def test_isomorphic_cells_have_one_hash_and_others_another():
    """Of all cells of up to four vertices, by trying every order of the inner ones."""
    hash_of = {}
    for inner in range(3):
        size = inner + 2
        pairs = list(itertools.combinations(range(size), 2))
        for bits in itertools.product((0, 1), repeat=len(pairs)):
            matrix = np.zeros((size, size), int)
            for pair, bit in zip(pairs, bits, strict=True):
                matrix[pair] = bit
            if not (matrix[:-1].any(1).all() and matrix[:, 1:].any(0).all()):
                continue
            for names in itertools.product(OFFICIAL, repeat=inner):
                operations = ["input", *names, "output"]
                same = set()
                for order in itertools.permutations(range(1, size - 1)):
                    moved = relabelled(matrix, operations, [0, *order, size - 1])
                    if moved:
                        same.add(arch_of_cell(*moved))
                arch = arch_of_cell(matrix, operations)
                hash_of[arch] = (graph_hash(cell_of(arch)), min(same))
    assert len(hash_of) > 50
    assert len({graph for graph, _ in hash_of.values()}) == len({least for _, least in hash_of.values()})
    assert len(set(hash_of.values())) == len({least for _, least in hash_of.values()})


def test_vertices_on_no_path_are_left_out():
    whole = [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    names = ["input", "conv3x3", "maxpool3x3", "conv1x1", "output"]  # 2 is not read, 3 reads nothing
    assert arch_of_cell(whole, names) == "nb101-conv3x3.0-output.1"


def test_many_edges_on_no_path_do_not_count():
    whole = np.triu(np.ones((7, 7), int), 1)
    whole[:-1, -1] = 0
    whole[0, -1] = 1
    assert arch_of_cell(whole, ["input", *[POOL] * 5, "output"]) == "nb101-output.0"


@pytest.mark.parametrize("seed", range(200))
def test_random_cells_and_their_strings(seed):
    matrix, operations = random_cell(np.random.default_rng(seed))
    arch = arch_of_cell(matrix, operations)
    cell = cell_of(arch)
    again = arch_of_cell(cell.matrix, ["input", *cell.operations, "output"])
    assert again == arch == NB101.text(NB101.parse(arch))
    channels = vertex_channels(cell, 128, 256)
    output = cell.num_vertices - 1
    joined = [channels[vertex] for vertex in cell.inputs_of(output) if vertex]
    assert (
        sum(joined) in ((0,) if not joined else (256,))
        and max(joined, default=0) - min(joined, default=0) < 2
    )
    for start, end in itertools.combinations(range(1, output), 2):
        assert not cell.matrix[start][end] or channels[start] >= channels[end]


def test_channels_follow_the_order_of_the_vertices():
    """Isomorphic cells of which one has more params, so the table's own matrix says which was trained."""
    first = cell_of("nb101-conv3x3.0-conv1x1.0-conv1x1.0-output.123")
    last = cell_of("nb101-conv1x1.0-conv1x1.0-conv3x3.0-output.123")
    assert graph_hash(first) == graph_hash(last)
    assert vertex_channels(first, 128, 128)[1:-1] == [43, 43, 42] == vertex_channels(last, 128, 128)[1:-1]
    params = [NB101.costs(NB101.parse(arch_of(cell)))["params"] for cell in (first, last)]
    assert params[0] > params[1]


def arch_of(cell: Cell):
    return arch_of_cell(cell.matrix, ["input", *cell.operations, "output"])


EDGE = [[0, 1], [0, 0]]
ENDS = ["input", "output"]


@pytest.mark.parametrize(
    ("matrix", "operations", "said"),
    [
        (EDGE, ["input", "conv3x3"], "they begin with 'input', end with 'output'"),
        (EDGE, "input", "they begin with 'input', end with 'output'"),
        (EDGE, ["input"], "they begin with 'input', end with 'output'"),
        (EDGE, ["input", CONV3, "output"], "the matrix of 3 operations has 3 rows of 3 numbers"),
        ([[0, 1], [0]], ENDS, "the matrix of 2 operations has 2 rows of 2 numbers"),
        ([[0, 2], [0, 0]], ENDS, "row 0 of the matrix is [0, 2]; allowed: 1 for an edge to a later vertex"),
        ([[0, 1], [1, 0]], ENDS, "row 1 of the matrix is [1, 0]; allowed"),
        ([[0, 0.5], [0, 0]], ENDS, "row 0 of the matrix is [0, 0.5]; allowed"),
        ([[0, 0], [0, 0]], ENDS, "no path leads from the input to the output"),
        (
            [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
            ["input", "conv5x5-bn-relu", "output"],
            "an operation is 'conv5x5-bn-relu'; allowed: conv3x3-bn-relu, conv1x1-bn-relu, conv3x3",
        ),
        (
            np.triu(np.ones((5, 5), int), 1),
            ["input", CONV3, CONV3, CONV3, "output"],
            "a cell with 5 vertices and 10 edges on paths; allowed: at most 7 and 9",
        ),
        (
            np.eye(8, k=1, dtype=int),
            ["input", *[CONV3] * 6, "output"],
            "a cell with 8 vertices and 7 edges on paths; allowed: at most 7 and 9",
        ),
    ],
)
def test_what_is_no_cell(matrix, operations, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        arch_of_cell(matrix, operations)


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ("nb101-", "is like 'nb101-conv1x1.0-"),
        ("nb101-conv3x3.0", "is like 'nb101-conv1x1.0-"),
        ("nb101-conv3x3.1-output.1", "has of each vertex the vertices before it"),
        ("nb101-conv3x3.00-output.1", "has of each vertex the vertices before it"),
        ("nb101-conv3x3.0-conv1x1.10-output.2", "has of each vertex the vertices before it"),
        ("nb101-conv3x3.0-output.2", "has of each vertex the vertices before it"),
        ("nb101-conv3x3.0-output.0", "has no vertex that is not read, as vertex 1 is; leave it out"),
        ("nb101-conv3x3.0-conv3x3.01-conv3x3.012-output.0123", "has at most 9 edges, not 10"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "is like 'nb101-conv1x1.0-"),
    ],
)
def test_strings_of_no_cell(arch, said):
    with pytest.raises(UsageError, match=re.escape(f"{arch!r}: an arch of nb101 (NAS-Bench-101) {said}")):
        cell_of(arch)


def test_an_edge_of_an_absent_vertex():
    values = list(NB101.parse("nb101-conv3x3.0-output.1"))
    place = [choice.column for choice in NB101.choices].index("edge_03")
    values[place] = 1
    with pytest.raises(UsageError, match=r"edge_03 is 1, and there is no vertex 3 \(op_3 is 0\)"):
        ImportedSpace(NB101, (NB101.example,)).decode(values)
