"""NAS-Bench-101: a cell of up to seven vertices and nine edges, with an operation on each inner vertex.

    nb101-conv1x1.0-conv3x3.0-conv3x3.0-conv3x3.3-maxpool3x3.0-output.1245

Vertex 0 is the input. Each part is a vertex: what it computes, and the vertices that it reads. The string is
ours, its authors have a matrix and a list: `arch_of_cell` and `cell_of` translate. All vertices are on a path
from the input to the output, as the authors prune others.

423,624 cells are not isomorphic, and were trained. `graph_hash` is how the authors name them. Of isomorphic
cells the table has one. Another order of vertices can give other channels (`vertex_channels`).

`arch_id` is the position in the order of the strings. Source: Ying et al., ICML 2019, arXiv:1902.09635.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, SupportsInt

from nbzero.errors import UsageError, quoted
from nbzero.spaces.choices import CIFAR10, Choice, Imported

CELL_OPERATIONS = ("conv3x3", "conv1x1", "maxpool3x3")  # in the order of the labels that the authors hash
OFFICIAL_NAMES = {"conv3x3-bn-relu": "conv3x3", "conv1x1-bn-relu": "conv1x1"}
MAX_VERTICES, MAX_EDGES = 7, 9
STEM = 128  # channels
STACKS = 3  # each but the first halves the resolution and doubles the channels
CELLS = 3  # of a stack
PAIRS = tuple(combinations(range(MAX_VERTICES), 2))  # of vertices; the last is the output
_INNER = MAX_VERTICES - 2  # vertices at most
_SIZES = {"conv3x3": 9, "conv1x1": 1, "maxpool3x3": 0}  # numbers of a kernel that are trained
_TITLE = "an arch of nb101 (NAS-Bench-101)"


class Cell(NamedTuple):
    """A cell.

    Attributes:
        matrix: [start][end] is 1 where an edge leads from one vertex to another, else 0; upper triangular.
        operations: of the inner vertices, of `CELL_OPERATIONS`.
    """

    matrix: tuple[tuple[int, ...], ...]
    operations: tuple[str, ...]

    @property
    def num_vertices(self) -> int:
        return len(self.matrix)

    def inputs_of(self, vertex: int) -> list[int]:
        """The vertices that one reads, in order."""
        return [start for start in range(vertex) if self.matrix[start][vertex]]

    def readers_of(self, vertex: int) -> list[int]:
        """The vertices that read one, in order."""
        return [end for end, present in enumerate(self.matrix[vertex]) if present]


def cell_of(arch: str) -> Cell:
    """The cell that an arch string names; UsageError for any other string.

    >>> cell_of("nb101-conv3x3.0-output.01")
    Cell(matrix=((0, 1, 1), (0, 0, 1), (0, 0, 0)), operations=('conv3x3',))
    """
    return cell_of_values(NB101.parse(arch))


def arch_of_cell(matrix: Sequence[Sequence[SupportsInt]], operations: Sequence[str]) -> str:
    """The arch string of a cell as NAS-Bench-101 gives it, without vertices that are on no path.

    Args:
        matrix: (V, V) 0 or 1, upper triangular; [start][end] says whether there is an edge.
        operations: V names. The first is "input", the last "output", others as the authors have them
            ("conv3x3-bn-relu") or as in `CELL_OPERATIONS`.

    Raises:
        UsageError: no such matrix or names, no path from input to output, or after pruning more than 7
            vertices or 9 edges.

    >>> arch_of_cell([[0, 1, 1], [0, 0, 0], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
    'nb101-output.0'
    """
    whole = _checked_cell(matrix, operations)
    cell = _pruned(whole)
    edges = sum(map(sum, cell.matrix))
    if cell.num_vertices > MAX_VERTICES or edges > MAX_EDGES:
        given = f"{cell.num_vertices} vertices and {edges} edges on paths"
        raise UsageError(f"a cell with {given}; allowed: at most {MAX_VERTICES} and {MAX_EDGES}")
    return _text_of(cell)


def graph_hash(cell: Cell) -> str:
    """The hash by which NAS-Bench-101 names a cell. Isomorphic cells have the same, others never.

        h_0(v)     = md5((out-degree, in-degree, label))    labels: input -1, output -2, others from 0
        h_n(v)     = md5(in | out | h_(n-1)(v))             in, out: the sorted hashes of neighbours
        graph_hash = md5(the sorted h_V)                    V vertices

    >>> graph_hash(cell_of(NB101.example))
    '28cfc7874f6d200472e1a9dcd8650aa0'
    """
    vertices = range(cell.num_vertices)
    labels = [-1, *map(CELL_OPERATIONS.index, cell.operations), -2]
    hashes = []
    for vertex, label in enumerate(labels):
        degrees = len(cell.readers_of(vertex)), len(cell.inputs_of(vertex))
        hashes.append(_md5(str((*degrees, label))))
    for _ in vertices:
        following = []
        for vertex in vertices:
            before = "".join(sorted(hashes[start] for start in cell.inputs_of(vertex)))
            after = "".join(sorted(hashes[end] for end in cell.readers_of(vertex)))
            following.append(_md5(f"{before}|{after}|{hashes[vertex]}"))
        hashes = following
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def vertex_channels(cell: Cell, width: int, out: int) -> list[int]:
    """The channels of each vertex of a cell from `width` to `out` channels.

    Inner vertices that the output reads share its channels evenly, the first of them get one more where there
    is a remainder. Every other inner vertex has as many as the widest that reads it.

    >>> vertex_channels(cell_of("nb101-conv3x3.0-conv1x1.0-conv3x3.1-output.123"), 128, 128)
    [128, 43, 43, 42, 128]
    """
    output = cell.num_vertices - 1
    channels = [width, *[0] * (output - 1), out]
    joined = [vertex for vertex in cell.inputs_of(output) if vertex]
    for place, vertex in enumerate(joined):
        channels[vertex] = out // len(joined) + (place < out % len(joined))
    for vertex in range(output - 1, 0, -1):
        if vertex not in joined:
            channels[vertex] = max(channels[end] for end in cell.readers_of(vertex))
    return channels


def cell_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a network for one 3x32x32 image and 10 classes.

    params are those published: all that is trained, batch norms too.

    >>> cell_costs(NB101.parse(NB101.example))
    {'macs': 402002944, 'params': 2694282}
    """
    operations = [value for value in values[:_INNER] if value]
    macs, params = fixed_costs()
    for options, operation in zip(vertex_costs(cell_of_values(values)), (*operations, 0), strict=True):
        macs += options[operation][0]
        params += options[operation][1]
    return {"macs": macs, "params": params}


def fixed_costs() -> tuple[int, int]:
    """macs and params of what every network has: the first convolution, and the classifier."""
    last = STEM * 2 ** (STACKS - 1)
    return 27 * STEM * 32 * 32 + 10 * last, 27 * STEM + 2 * STEM + 10 * last + 10


def vertex_costs(cell: Cell) -> list[list[tuple[int, int]]]:
    """macs and params that each vertex adds to a network, whatever the others compute.

    Entry [v - 1][n] is that of vertex v where it computes operation n of `CELL_OPERATIONS`, counted from 1,
    and [v - 1][0] where it computes none, as the output. Of the cell only the edges count.
    """
    projected = [[0, 0] for _ in range(1, cell.num_vertices)]
    own = [[0, 0, 0] for _ in projected]  # macs and params of a 1x1 convolution, params of its batch norm
    width, area = STEM, 32 * 32
    for stack in range(STACKS):
        out = width
        if stack:
            out, area = 2 * width, area // 4
        widths = width + (CELLS - 1) * out  # of the inputs of all cells
        channels = vertex_channels(cell, width, out)
        for vertex, there in enumerate(channels[1:], start=1):
            norms = 2 * CELLS * there
            if cell.matrix[0][vertex]:  # a 1x1 convolution of the input
                projected[vertex - 1][0] += area * widths * there
                projected[vertex - 1][1] += widths * there + norms
            own[vertex - 1][0] += area * CELLS * there * there
            own[vertex - 1][1] += CELLS * there * there
            own[vertex - 1][2] += norms
        width = out
    found = []
    for (macs, params), (own_macs, own_params, norms) in zip(projected, own, strict=True):
        options = [(macs, params)]
        for size in map(_SIZES.__getitem__, CELL_OPERATIONS):
            norm = norms if size else 0
            options.append((macs + size * own_macs, params + size * own_params + norm))
        found.append(options)
    return found


# Checks and pruning


def _checked_cell(matrix: Sequence[Sequence[SupportsInt]], operations: Sequence[str]) -> Cell:
    size = len(operations)
    if isinstance(operations, str) or size < 2 or (operations[0], operations[-1]) != ("input", "output"):
        raise UsageError(f"operations are {quoted(operations)}; they begin with 'input', end with 'output'")
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise UsageError(f"the matrix of {size} operations has {size} rows of {size} numbers")
    rows = []
    for start, row in enumerate(matrix):
        numbers = [int(entry) for entry in row]
        if numbers != list(row) or not set(numbers) <= {0, 1} or any(numbers[: start + 1]):
            raise UsageError(
                f"row {start} of the matrix is {quoted(list(row))}; "
                "allowed: 1 for an edge to a later vertex, else 0"
            )
        rows.append(tuple(numbers))
    inner = []
    for name in operations[1:-1]:
        known = OFFICIAL_NAMES.get(name, name)
        if known not in CELL_OPERATIONS:
            allowed = ", ".join([*OFFICIAL_NAMES, *CELL_OPERATIONS])
            raise UsageError(f"an operation is {quoted(name)}; allowed: {allowed}")
        inner.append(known)
    return Cell(tuple(rows), tuple(inner))


def _on_paths(cell: Cell) -> list[int]:
    """The vertices on a path from the input to the output, in order."""
    output = cell.num_vertices - 1
    reached = {0}
    for vertex in range(1, output + 1):
        if reached.intersection(cell.inputs_of(vertex)):
            reached.add(vertex)
    needed = {output}
    for vertex in range(output, 0, -1):
        if vertex in needed:
            needed.update(cell.inputs_of(vertex))
    return sorted(reached & needed)


def _pruned(cell: Cell) -> Cell:
    kept = _on_paths(cell)
    if not kept:
        raise UsageError("no path leads from the input to the output of the cell; it needs one")
    rows = []
    for start in kept:
        rows.append(tuple(cell.matrix[start][end] for end in kept))
    return Cell(tuple(rows), tuple(cell.operations[vertex - 1] for vertex in kept[1:-1]))


# The string, and the numbers of the choices


def _text_of(cell: Cell) -> str:
    text = "nb101"
    for vertex, name in enumerate((*cell.operations, "output"), start=1):
        inputs = "".join(map(str, cell.inputs_of(vertex)))
        text += f"-{name}.{inputs}"
    return text


def cell_of_values(values: Sequence[int]) -> Cell:
    """The cell of the numbers that `NB101.parse` gives."""
    operations = [CELL_OPERATIONS[value - 1] for value in values[:_INNER] if value]
    present = dict(zip(PAIRS, values[_INNER:], strict=True))
    vertices = [*range(len(operations) + 1), MAX_VERTICES - 1]
    rows = []
    for start in vertices:
        rows.append(tuple(present.get((start, end), 0) for end in vertices))
    return Cell(tuple(rows), tuple(operations))


def _text(values: Sequence[int]) -> str:
    """The string of numbers, where an edge of a vertex that is not there is an error."""
    for (start, end), present in zip(PAIRS, values[_INNER:], strict=True):
        for vertex in (start, end):
            if present and 0 < vertex <= _INNER and not values[vertex - 1]:
                raise UsageError(
                    f"edge_{start}{end} is 1, and there is no vertex {vertex} (op_{vertex} is 0)"
                )
    return _text_of(cell_of_values(values))


def _pieces(text: str) -> list[int]:
    parts = [part.split(".") for part in text.split("-")[1:]]
    said = f"{quoted(text, 1000)}: {_TITLE}"
    edges = set()
    for vertex, (_, inputs) in enumerate(parts, start=1):
        starts = [int(digit) for digit in inputs]
        if starts != sorted(set(starts)) or starts[-1] >= vertex:
            raise UsageError(f"{said} has of each vertex the vertices before it that it reads, in order")
        for start in starts:
            edges.add((start, MAX_VERTICES - 1 if vertex == len(parts) else vertex))
    if len(edges) > MAX_EDGES:
        raise UsageError(f"{said} has at most {MAX_EDGES} edges, not {len(edges)}")
    read = {start for start, _ in edges}
    for vertex in range(1, len(parts)):
        if vertex not in read:
            raise UsageError(f"{said} has no vertex that is not read, as vertex {vertex} is; leave it out")
    operations = [1 + CELL_OPERATIONS.index(name) for name, _ in parts[:-1]]
    operations += [0] * (_INNER - len(operations))
    return operations + [int(pair in edges) for pair in PAIRS]


def _choices() -> tuple[Choice, ...]:
    choices = []
    for vertex in range(1, _INNER + 1):
        choices.append(Choice(f"op_{vertex}", ("no vertex", *CELL_OPERATIONS)))
    for start, end in PAIRS:
        choices.append(Choice(f"edge_{start}{end}", ("absent", "present")))
    return tuple(choices)


_OPERATIONS = "|".join(map(re.escape, CELL_OPERATIONS))

NB101 = Imported(
    name="nb101",
    title="NAS-Bench-101",
    choices=_choices(),
    pattern=rf"nb101(-({_OPERATIONS})\.[0-4]{{1,5}}){{0,{_INNER}}}-output\.[0-5]{{1,6}}",
    looks_like=r"nb101-.*",
    example="nb101-conv1x1.0-conv3x3.0-conv3x3.0-conv3x3.3-maxpool3x3.0-output.1245",
    num_members=423_624,
    pieces=_pieces,
    text=_text,
    costs=cell_costs,
    costs_of=CIFAR10,
    protocol="suite-zero",
)
