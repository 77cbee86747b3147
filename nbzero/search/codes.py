"""Archs as the numbers of their decisions: what the moves of a search change.

An arch is a number for each decision of its space (`nbzero.spaces.decisions`): the place of the option that
it takes. Numbers make an arch of the grid or none, as where a published space allows an absent module only at
the end. Reading and writing them takes microseconds, because a search does little else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from nbzero.errors import UsageError, check_known
from nbzero.spaces import mobilenetv2
from nbzero.spaces.choices import Imported
from nbzero.spaces.decisions import KEPT, THREE_STAGES, decisions_of
from nbzero.spaces.macro import (
    CHOICES,
    MAX_MACS,
    MAX_PARAMS,
    MAX_STAGES,
    NUM_CLASSES,
    NUM_HALVINGS,
    RESOLUTION,
    arch_of,
    network_costs,
)
from nbzero.spaces.mobilenetv2 import MOBILENETV2
from nbzero.spaces.published import IMPORTED

COSTS: tuple[str, ...] = ("macs", "params", "depth")

if TYPE_CHECKING:
    import numpy as np

Numbers = Sequence[int]


class Codes(Protocol):
    """How the archs of one space are coded.

    Attributes:
        space: its name.
        names: of the decisions.
        sizes: how many options each has.
        ordered: whether its options are numbers in ascending order.
        fixed: the costs that the definition of the space fixes.
    """

    space: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    ordered: tuple[bool, ...]
    fixed: tuple[str, ...]

    def numbers(self, arch: str) -> list[int]:
        """The numbers of an arch; UsageError for a string that is no arch of the space."""

    def arch(self, numbers: Numbers) -> str | None:
        """The arch of some numbers; None where they make none."""

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        """The numbers with one decision changed, which and to what drawn evenly. They may make no arch."""

    def costs(self, arch: str) -> dict[str, int]:
        """The `fixed` costs of an arch, of macs, params and depth."""


def codes_of(space: str) -> Codes:
    """How the archs of a space are coded, ours or a published one; UnknownNameError for any other."""
    check_known("space", [space], [*CHOICES, *IMPORTED])
    if space in CHOICES:
        return MacroCodes(space)
    if space == MOBILENETV2.name:
        return MobileNetCodes(MOBILENETV2)
    return PublishedCodes(IMPORTED[space])


def one_changed(numbers: Numbers, sizes: Sequence[int], rng: np.random.Generator) -> list[int]:
    """The numbers with one of them changed, which and to what drawn evenly.

    A decision of one option stays as it is.
    """
    found = list(numbers)
    place = int(rng.integers(len(found)))
    if sizes[place] > 1:
        step = 1 + int(rng.integers(sizes[place] - 1))
        found[place] = (found[place] + step) % sizes[place]
    return found


class MacroCodes:
    """Of one of our macro spaces. Widths are put in ascending order, so that most numbers make an arch.

    An arch of three stages has the numbers of its third stage also for the fourth, which then do not count.
    Archs beyond the limits of the space's members (700 M macs, 14 M params) are none.
    """

    def __init__(self, space: str) -> None:
        decisions = decisions_of(space)
        self.space = space
        self.names = tuple(decision.name for decision in decisions)
        self.sizes = tuple(len(decision.options) for decision in decisions)
        self.ordered = tuple(decision.has_order for decision in decisions)
        self.fixed = COSTS
        assert self.names[:2] == ("stem", KEPT)
        self._choices = CHOICES[space]

    def numbers(self, arch: str) -> list[int]:
        choices = self._choices
        parsed = arch_of(self.space, arch)
        stages = list(parsed.stages)
        kept = THREE_STAGES
        for number, stage in enumerate(stages, 1):
            if stage.stride == 1:
                kept = number
        stages += [stages[-1]] * (MAX_STAGES - len(stages))
        found = [choices.stems.index(parsed.stem), kept]
        for stage in stages:
            found += [choices.widths.index(stage.width), choices.depths.index(stage.depth)]
        return found

    def arch(self, numbers: Numbers) -> str | None:
        choices, kept = self._choices, numbers[1]
        num_stages = NUM_HALVINGS if kept == THREE_STAGES else MAX_STAGES
        stem = choices.stems[numbers[0]]
        end = 2 + 2 * num_stages
        widths = sorted(numbers[2:end:2])
        stages = []
        for number, (width, depth) in enumerate(zip(widths, numbers[3:end:2], strict=True), 1):
            stride = 1 if number == kept else 2
            stages.append((choices.depths[depth], choices.widths[width], stride))
        macs, params = network_costs(choices.family, stem, tuple(stages), RESOLUTION, NUM_CLASSES)
        if macs > MAX_MACS or params > MAX_PARAMS:
            return None
        said = [f"-d{depth}w{width}s{stride}" for depth, width, stride in stages]
        return f"{self.space}-s{stem}{''.join(said)}"

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        return one_changed(numbers, self.sizes, rng)

    def costs(self, arch: str) -> dict[str, int]:
        stem, *rest = map(int, re.findall(r"\d+", arch[len(self.space) :]))
        stages = tuple(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
        macs, params = network_costs(self._choices.family, stem, stages, RESOLUTION, NUM_CLASSES)
        return {"macs": macs, "params": params, "depth": sum(rest[::3])}


class PublishedCodes:
    """Of a published space."""

    def __init__(self, definition: Imported) -> None:
        self.space = definition.name
        self.names = tuple(choice.column for choice in definition.choices)
        self.sizes = tuple(len(choice.options) - choice.low for choice in definition.choices)
        self.ordered = (False,) * len(definition.choices)
        self.fixed = tuple(definition.costs(definition.parse(definition.example)))
        self._definition = definition
        self._lows = [choice.low for choice in definition.choices]

    def numbers(self, arch: str) -> list[int]:
        values = self._definition.parse(arch)
        return [value - low for value, low in zip(values, self._lows, strict=True)]

    def arch(self, numbers: Numbers) -> str | None:
        values = tuple(number + low for number, low in zip(numbers, self._lows, strict=True))
        try:
            text = self._definition.text(values)
            parsed = self._definition.parse(text)
        except UsageError:  # such as five stages of stride 2
            return None
        return text if parsed == values else None

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        return one_changed(numbers, self.sizes, rng)

    def costs(self, arch: str) -> dict[str, int]:
        return self._definition.costs(self._definition.parse(arch))


class MobileNetCodes(PublishedCodes):
    """Of WRCor's MobileNetV2 space, where strides change in pairs: four stages have stride 2."""

    def arch(self, numbers: Numbers) -> str | None:
        halving = sum(numbers[place] for place in mobilenetv2.STRIDES_AT)
        return self._definition.text(numbers) if halving == mobilenetv2.NUM_HALVINGS else None

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        return mobilenetv2.changed(numbers, rng)
