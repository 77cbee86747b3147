"""DARTS: the 1,000 cells that SWAP's authors trained. Their normal and reduction cell are the same.

    Genotype(normal=[('none', 0), ('sep_conv_3x3', 1), ..

`arch_id` is the position in the order of the strings. Source: Liu, Simonyan and Yang, ICLR 2019,
arXiv:1806.09055.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbzero.spaces.choices import Choice, Imported, no_costs

DARTS_OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
DARTS_INPUTS = ("the cell before the last", "the last cell", "node 2", "node 3", "node 4")
NODES = range(2, 6)  # of a cell, each with two inputs


def _choices() -> tuple[Choice, ...]:
    choices = []
    for node in NODES:
        for one in "ab":
            choices.append(Choice(f"node_{node}{one}_op", DARTS_OPERATIONS))
            choices.append(Choice(f"node_{node}{one}_in", DARTS_INPUTS[:node]))
    return tuple(choices)


def _text(values: Sequence[int]) -> str:
    pairs = []
    for operation, start in zip(values[::2], values[1::2], strict=True):
        pairs.append(f"({DARTS_OPERATIONS[operation]!r}, {start})")
    cell = ", ".join(pairs)
    normal = f"normal=[{cell}], normal_concat=[2, 3, 4, 5]"
    return f"Genotype({normal}, reduce=[{cell}], reduce_concat=[2, 3, 4, 5])"


def _pieces(text: str) -> list[int]:
    numbers = []
    for operation, start in re.findall(r"\('(\w+)', (\d)\)", text)[: 2 * len(NODES)]:
        numbers += [DARTS_OPERATIONS.index(operation), int(start)]
    return numbers


def _pattern() -> str:
    operation = f"'({'|'.join(DARTS_OPERATIONS)})'"
    edges = []
    for node in NODES:
        edges += 2 * [rf"\({operation}, [0-{node - 1}]\)"]
    normal = rf"normal=\[(?P<cell>{', '.join(edges)})\], normal_concat=\[2, 3, 4, 5\]"
    return rf"Genotype\({normal}, reduce=\[(?P=cell)\], reduce_concat=\[2, 3, 4, 5\]\)"


DARTS = Imported(
    name="darts",
    title="DARTS",
    choices=_choices(),
    pattern=_pattern(),
    looks_like=r"Genotype\(.*",
    example=_text((4, 0, 7, 1, 3, 0, 1, 2, 5, 1, 0, 3, 6, 4, 2, 0)),
    num_members=1_000,
    pieces=_pieces,
    text=_text,
    costs=no_costs,
)
