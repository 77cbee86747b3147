"""An arch as named decisions, each with its options: what an optimiser chooses from.

    nb201      edge_01 .. edge_23                an operation each
    r1-mini    stem, s1_out, s1_depth, .. s4_depth    channels and blocks, as numbers
               kept_stage    which of four stages keeps the resolution; 0 where there are three

The names are those of the archs tables' columns, `kept_stage` aside, which stands for the strides. What an
imported space chooses are names. The numbers of ours have an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import UsageError, check_known, quoted
from nbzero.spaces.macro import (
    CHOICES,
    MAX_STAGES,
    NUM_HALVINGS,
    Arch,
    MacroSpace,
    Stage,
    arch_of as macro_arch_of,
)
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KEPT = "kept_stage"
THREE_STAGES = 0  # of kept_stage: there is no fourth, and every stage halves the resolution
LAST_STAGE = (f"s{MAX_STAGES}_out", f"s{MAX_STAGES}_depth")


class Decision(NamedTuple):
    """One decision.

    Attributes:
        options: numbers in ascending order, or names.
        has_order: whether they are numbers that can be compared.
    """

    name: str
    options: tuple[Any, ...]
    has_order: bool


def decisions_of(space: str) -> tuple[Decision, ...]:
    """The decisions that make an arch of a space, ours or a published one.

    Raises:
        UnknownNameError: no such space.

    >>> [decision.name for decision in decisions_of("nb201")]
    ['edge_01', 'edge_02', 'edge_12', 'edge_03', 'edge_13', 'edge_23']
    >>> decisions_of("r1-mini")[0]
    Decision(name='stem', options=(4, 8, 16), has_order=True)
    """
    if space in IMPORTED:
        found = []
        for choice in IMPORTED[space].choices:
            found.append(Decision(choice.column, choice.options[choice.low :], has_order=False))
        return tuple(found)
    check_known("space", [space], [*CHOICES, *IMPORTED])
    choices = CHOICES[space]
    found = [
        Decision("stem", choices.stems, has_order=True),
        Decision(KEPT, tuple(range(MAX_STAGES + 1)), has_order=False),
    ]
    for number in range(1, MAX_STAGES + 1):
        found.append(Decision(f"s{number}_out", choices.widths, has_order=True))
        found.append(Decision(f"s{number}_depth", choices.depths, has_order=True))
    return tuple(found)


def arch_of(space: str, values: Mapping[str, Any]) -> str:
    """The arch that some decisions make.

    Widths of ours are put in ascending order, so that any decisions make an arch of the grid. With kept_stage
    0 those of the fourth stage may be missing, and do not count.

    Raises:
        UnknownNameError: no such space, or a decision that it does not have.
        UsageError: a decision that is missing or is none of its options, or decisions that make no arch of a
            published space.

    >>> widths = {"s1_out": 32, "s2_out": 16, "s3_out": 48}
    >>> depths = {"s1_depth": 2, "s2_depth": 1, "s3_depth": 3}
    >>> arch_of("r1-mini", {"stem": 4, "kept_stage": 0, **widths, **depths})
    'r1-mini-s4-d2w16s2-d1w32s2-d3w48s2'
    """
    chosen = _chosen(space, values)
    if space in CHOICES:
        return str(_macro(space, chosen))
    definition, numbers = IMPORTED[space], _numbers(space, chosen)
    text = definition.text(numbers)
    if numbers != definition.parse(text):
        raise UsageError(f"{chosen} make no arch of {space}: what is absent is not the last, or not whole")
    return text


def vector_of(space: str, values: Mapping[str, Any]) -> npt.NDArray[np.int16]:
    """What `Space.encode` gives for the arch of some decisions.

    It also tells where decisions lie that make no arch of a published space. Errors else as `arch_of`.
    """
    import numpy as np

    chosen = _chosen(space, values)
    if space in CHOICES:
        return MacroSpace(space, ()).encode(_macro(space, chosen))
    return np.array(_numbers(space, chosen), np.int16)


def _chosen(space: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The decisions that count, as the space has them."""
    decisions = decisions_of(space)
    check_known(f"decision of {space}", values, [decision.name for decision in decisions])
    is_short = space in CHOICES and values.get(KEPT) == THREE_STAGES
    chosen = {}
    for decision in decisions:
        if not (is_short and decision.name in LAST_STAGE):
            chosen[decision.name] = _option(space, decision, values)
    return chosen


def _option(space: str, decision: Decision, values: Mapping[str, Any]) -> Any:
    allowed = ", ".join(map(str, decision.options))
    if decision.name not in values:
        raise UsageError(f"{decision.name} of {space} is not decided; its options are {allowed}")
    given = values[decision.name]
    if isinstance(given, bool) or given not in decision.options:
        raise UsageError(f"{decision.name} is {quoted(given)}; its options in {space} are {allowed}")
    return decision.options[decision.options.index(given)]  # the int of a numpy integer


def _numbers(space: str, chosen: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of a published space's options."""
    choices = IMPORTED[space].choices
    return tuple(choice.options.index(chosen[choice.column]) for choice in choices)


def _macro(space: str, chosen: Mapping[str, Any]) -> Arch:
    kept = chosen[KEPT]
    num_stages = NUM_HALVINGS if kept == THREE_STAGES else MAX_STAGES
    numbers = range(1, num_stages + 1)
    widths = sorted(chosen[f"s{number}_out"] for number in numbers)
    stages = []
    for number, width in zip(numbers, widths, strict=True):
        stride = 1 if number == kept else 2
        stages.append(Stage(chosen[f"s{number}_depth"], width, stride))
    return Arch(space, chosen["stem"], tuple(stages))


def values_of(space: str, arch: str | Arch) -> dict[str, Any]:
    """The decisions that make an arch; without those of a fourth stage, where it has three.

    Raises:
        UnknownNameError: no such space.
        UsageError: no arch of this space.

    >>> values_of("nbmacro", "02012100")["layer_2"]
    'MB6_K5'
    """
    check_known("space", [space], [*CHOICES, *IMPORTED])
    if space in IMPORTED:
        definition = IMPORTED[space]
        options = zip(definition.choices, definition.parse(str(arch)), strict=True)
        return {choice.column: choice.options[number] for choice, number in options}
    parsed = macro_arch_of(space, arch)
    strides = [stage.stride for stage in parsed.stages]
    kept = THREE_STAGES
    if 1 in strides:
        kept = strides.index(1) + 1
    values: dict[str, Any] = {"stem": parsed.stem, KEPT: kept}
    for number, stage in enumerate(parsed.stages, 1):
        values[f"s{number}_out"] = stage.width
        values[f"s{number}_depth"] = stage.depth
    return values
