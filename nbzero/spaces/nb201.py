"""NAS-Bench-201, which is NATS-Bench's topology space: a cell with an operation on each of six edges.

    |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|

`arch_id` is the official index. Source: Dong and Yang, ICLR 2020, arXiv:2001.00326.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbzero.spaces.choices import CIFAR10, Choice, Imported, every_combination

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # of a cell, by the node they enter
CELL_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
STEM = 16  # channels
CELLS = 5  # of a stage
_OPERATION = f"({'|'.join(CELL_OPERATIONS)})"


def cell_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a network for one 3x32x32 image and 10 classes.

    Three stages of five cells have 16, 32 and 64 channels. Between them a residual block halves the
    resolution. The params are those published for all 15,625 archs. Published FLOPs are macs + 10: they count
    the classifier's biases (D-X-Y/NATS-Bench#24, #36).

    >>> cell_costs((3, 3, 3, 1, 3, 2))
    {'macs': 153272960, 'params': 1073466}
    """
    ones = values.count(CELL_OPERATIONS.index("nor_conv_1x1"))
    threes = values.count(CELL_OPERATIONS.index("nor_conv_3x3"))
    width, area = STEM, 32 * 32
    macs = 27 * width * area
    params = 27 * width + 2 * width
    for stage in range(3):
        if stage:
            narrow, width, area = width, 2 * width, area // 4
            weights = 9 * narrow * width + 9 * width * width + narrow * width
            macs += weights * area
            params += weights + 2 * 2 * width
        weights = (ones + 9 * threes) * width * width
        macs += CELLS * weights * area
        params += CELLS * (weights + 2 * (ones + threes) * width)
    return {"macs": macs + 10 * width, "params": params + 2 * width + 10 * width + 10}


def edge_choices(operations: tuple[str, ...]) -> tuple[Choice, ...]:
    """The choices of a cell of four nodes: an operation on each edge."""
    return tuple(Choice(f"edge_{start}{end}", operations) for start, end in EDGES)


def operations_of(cell: str) -> list[str]:
    """The operations of an arch string, edge by edge."""
    return re.findall(_OPERATION, cell)


def cell_class(values: Sequence[int]) -> str:
    """What a cell computes, as the authors write it: archs with the same string are one network.

    A node is the sorted sum of its edges. "#" is an edge of none, and any that leaves a lone "#".

    >>> cell_class((1, 0, 0, 0, 0, 3))
    '#+#+(#+#)@nor_conv_3x3'
    """
    nodes = ["0"]
    for end in (1, 2, 3):
        terms = []
        for value, (start, last) in zip(values, EDGES, strict=True):
            if last != end:
                continue
            operation = CELL_OPERATIONS[value]
            if operation == "none" or nodes[start] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[start])
            else:
                terms.append(f"({nodes[start]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def _cell_text(values: Sequence[int]) -> str:
    edges = [f"{CELL_OPERATIONS[value]}~{start}" for value, (start, _) in zip(values, EDGES, strict=True)]
    return "|{}|+|{}|{}|+|{}|{}|{}|".format(*edges)


def _cell_pattern() -> str:
    nodes = []
    for end in (1, 2, 3):
        edges = "".join(rf"{_OPERATION}~{start}\|" for start in range(end))
        nodes.append(r"\|" + edges)
    return r"\+".join(nodes)


NB201 = Imported(
    name="nb201",
    title="NAS-Bench-201",
    choices=edge_choices(CELL_OPERATIONS),
    pattern=_cell_pattern(),
    looks_like=r"\|.*",
    example="|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|",
    num_members=15_625,
    pieces=lambda text: list(map(CELL_OPERATIONS.index, operations_of(text))),
    text=_cell_text,
    costs=cell_costs,
    costs_of=CIFAR10,
    protocol="freerea-naslib",
    class_of=cell_class,
    every=every_combination,
)
