"""TransNAS-Bench-101: macro networks of four to six modules, and cells of four nodes.

    64-1234-basic        macro: the modules' kinds
    64-41414-1_02_333    micro: the operations on the edges

`arch_id` is the position in the order of the strings. Source: Duan et al., CVPR 2021, arXiv:2105.11871.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from nbzero.spaces.choices import Choice, Imported, every_combination
from nbzero.spaces.nb201 import EDGES, edge_choices

MODULE_KINDS = (
    "no module",
    "plain",
    "twice the channels",
    "half the resolution",
    "twice the channels and half the resolution",
)
MIN_MODULES, MAX_MODULES = 4, 6
MICRO_KINDS = (4, 1, 4, 1, 4)  # of the modules of every micro arch
STEM = 64  # channels
BLOCKS_OF_MODULE = 2
COSTS_OF = "one 3x256x256 image, 75 classes as of object classification"
_CLASSES = 75
_AREA = 64 * 64  # pixels after the stem, which makes a quarter of each side
LOG_SYNFLOW = {
    "synflow": ("", "natural logarithm of synflow's sum, as NASLib stores it; 0 where the sum is 0")
}
EPE_NAS_DOUBT = (
    "these values do not seem to belong to these archs: on the four tasks that have them the archs' modules "
    "explain (least squares, one-hot) 1 to 8 % of the variance of their ranks, and 75 to 95 % of that of "
    "zen's, synflow's and fisher's; any two tasks' values agree with Spearman -0.01 to 0.10 (of micro, "
    "jigsaw aside, 0.53 to 0.60)"
)


def _macro_choices() -> tuple[Choice, ...]:
    choices = []
    for number in range(1, MAX_MODULES + 1):
        least = int(number <= MIN_MODULES)
        choices.append(Choice(f"module_{number}", MODULE_KINDS, least))
    return tuple(choices)


def every_macro(choices: Sequence[Choice]) -> Iterator[tuple[int, ...]]:
    """The 3,256 archs: one to three modules double the channels, one to four halve the resolution."""
    for num_modules in range(MIN_MODULES, MAX_MODULES + 1):
        absent = (0,) * (MAX_MODULES - num_modules)
        for kinds in itertools.product((1, 2, 3, 4), repeat=num_modules):
            doubled = kinds.count(2) + kinds.count(4)
            halved = kinds.count(3) + kinds.count(4)
            if 1 <= doubled <= 3 and 1 <= halved <= 4:
                yield kinds + absent


def _macro_text(values: Sequence[int]) -> str:
    kinds = "".join(map(str, filter(None, values)))
    return f"64-{kinds}-basic"


def _micro_text(values: Sequence[int]) -> str:
    a, b, c, d, e, f = values
    return f"64-41414-{a}_{b}{c}_{d}{e}{f}"


Convolution = tuple[int, int, int]  # channels before and after, side of the kernel
Costs = dict[str, int]


def macro_costs(values: Sequence[int]) -> Costs:
    """macs, params and depth of the network of a macro arch, by the kinds of its modules.

    Of one 3x256x256 image and a classifier of 75 classes, as of object classification.

    >>> macro_costs((1, 4, 4, 4, 0, 0))  # four modules as those of ResNet-18
    {'macs': 2304284160, 'params': 11224939, 'depth': 8}
    """
    kinds = [kind for kind in values if kind]
    blocks = BLOCKS_OF_MODULE * len(kinds)
    return {**_costs(kinds, _convolutions_of_block), "depth": blocks}


def _convolutions_of_block(width: int, out: int, changes: bool) -> list[Convolution]:
    shortcut = [(width, out, 1)] if changes else []
    return [(width, out, 3), (out, out, 3), *shortcut]


def micro_costs(values: Sequence[int]) -> Costs:
    """macs and params of the network of a micro arch, by the operations on its cells' six edges.

    As `macro_costs`. Operations that no path uses count too.
    """

    def convolutions_of_cell(width: int, out: int, changes: bool) -> list[Convolution]:
        found = []
        for value, (start, _) in zip(values, EDGES, strict=True):
            entering = out if start else width
            if value > 1:
                found.append((entering, out, 2 * value - 3))
            elif value == 1 and changes and not start:
                found.append((entering, out, 1))  # two of half the channels
        return found

    return _costs(MICRO_KINDS, convolutions_of_cell)


def _costs(kinds: Iterable[int], convolutions: Callable[[int, int, bool], Sequence[Convolution]]) -> Costs:
    """macs and params of modules of some kinds.

    Args:
        convolutions: those of a block; a batch norm follows each. Told channels before and after, and whether
            the block changes the shape.
    """
    half = STEM // 2
    params = 9 * (3 * half + half * STEM) + 2 * (half + STEM)
    macs = 9 * (3 * half * 4 * _AREA + half * STEM * _AREA)
    width, area = STEM, _AREA
    for kind in kinds:
        out = 2 * width if kind in (2, 4) else width
        halves = kind in (3, 4)
        area = area // 4 if halves else area
        for changes in (out != width or halves, False):
            for entering, leaving, kernel in convolutions(width, out, changes):
                weights = kernel**2 * entering * leaving
                macs += weights * area
                params += weights + 2 * leaving
            width = out
    return {"macs": macs + width * _CLASSES, "params": params + (width + 1) * _CLASSES}


TRANSNAS_MACRO = Imported(
    name="transnas-macro",
    title="TransNAS-Bench-101 macro",
    choices=_macro_choices(),
    pattern="64-[1-4]{4,6}-basic",
    looks_like=r"\d+-(?!\d+-[^-]*_).*",
    example="64-1234-basic",
    num_members=3_256,
    pieces=lambda text: list(map(int, text[3:-6])),
    text=_macro_text,
    costs=macro_costs,
    costs_of=COSTS_OF,
    protocol="naslib",
    scores_said=LOG_SYNFLOW,
    doubts={"epe_nas": EPE_NAS_DOUBT},
    every=every_macro,
)
TRANSNAS_MICRO = Imported(
    name="transnas-micro",
    title="TransNAS-Bench-101 micro",
    choices=edge_choices(("none", "skip", "conv 1x1", "conv 3x3")),
    pattern="64-41414-[0-3]_[0-3]{2}_[0-3]{3}",
    looks_like=r"\d+-\d+-[^-]*_.*",
    example="64-41414-1_02_333",
    num_members=4_096,
    pieces=lambda text: list(map(int, text[9:].replace("_", ""))),
    text=_micro_text,
    costs=micro_costs,
    costs_of=COSTS_OF,
    protocol="naslib",
    scores_said=LOG_SYNFLOW,
    every=every_combination,
)
