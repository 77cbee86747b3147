"""Archs as the numbers of their decisions: what the moves of a search change.

An arch is a number for each decision of its space (`nbzero.spaces.decisions`): the place of the option that
it takes. Numbers make an arch of the grid or none, as where a published space allows an absent module only at
the end. Reading and writing them takes microseconds, because a search does little else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nbzero.errors import UsageError, check_known
from nbzero.search.counted import (
    COSTS,
    Counted,
    are_cells,
    counted_cells,
    counted_macro,
    is_within,
    macro_costs,
)
from nbzero.spaces import mobilenetv2
from nbzero.spaces.choices import Imported
from nbzero.spaces.decisions import KEPT, THREE_STAGES, decisions_of
from nbzero.spaces.flexibert import BERT_LAYERS, FLEXIBERT, LAYER
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
from nbzero.spaces.nb101 import NB101
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

Numbers = Sequence[int]


class Codes(Protocol):
    """How the archs of one space are coded. N archs, D decisions.

    Attributes:
        space: its name.
        names: of the decisions.
        sizes: how many options each has.
        ordered: whether its options are numbers in ascending order.
        fixed: the costs that the definition of the space fixes.
        smallest: numbers of an arch than which no other has less of any cost, where its grid is not counted.
    """

    space: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    ordered: tuple[bool, ...]
    fixed: tuple[str, ...]
    smallest: Numbers | None

    def numbers(self, arch: str) -> list[int]:
        """The numbers of an arch; UsageError for a string that is no arch of the space."""

    def arch(self, numbers: Numbers) -> str | None:
        """The arch of some numbers; None where they make none."""

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        """The numbers with one decision changed, which and to what drawn evenly. They may make no arch."""

    def changes(self, numbers: Numbers) -> Iterator[list[int]]:
        """All that `changed` may give."""

    def costs(self, arch: str) -> dict[str, int]:
        """The `fixed` costs of an arch, of macs, params and depth."""

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        """(N,) False where numbers surely make no arch within a budget of `fixed` costs."""

    def counted(self, budget: Mapping[str, float]) -> Counted | None:
        """What a budget of `fixed` costs leaves of the grid; None where it is too large to be looked at."""


def codes_of(space: str) -> Codes:
    """How the archs of a space are coded, ours or a published one; UnknownNameError for any other."""
    check_known("space", [space], [*CHOICES, *IMPORTED])
    if space in CHOICES:
        return MacroCodes(space)
    if space in CODES:
        return CODES[space]()
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


def all_changed(numbers: Numbers, sizes: Sequence[int]) -> Iterator[list[int]]:
    """All that `one_changed` may give, but the numbers themselves."""
    for place, size in enumerate(sizes):
        for option in range(size):
            if option != numbers[place]:
                yield [*numbers[:place], option, *numbers[place + 1 :]]


class MacroCodes:
    """Of one of our macro spaces. Widths are put in ascending order, so that most numbers make an arch.

    An arch of three stages has the numbers of its third stage also for the fourth, which then do not count.
    Archs beyond the limits of the space's members (700 M macs, 14 M params) are none.
    """

    smallest: Numbers | None = None

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

    def changes(self, numbers: Numbers) -> Iterator[list[int]]:
        return all_changed(numbers, self.sizes)

    def costs(self, arch: str) -> dict[str, int]:
        stem, *rest = map(int, re.findall(r"\d+", arch[len(self.space) :]))
        stages = tuple(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
        macs, params = network_costs(self._choices.family, stem, stages, RESOLUTION, NUM_CLASSES)
        return {"macs": macs, "params": params, "depth": sum(rest[::3])}

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        costs, are_archs_N = macro_costs(self.space, numbers_ND)
        return are_archs_N & is_within(costs, budget)

    def counted(self, budget: Mapping[str, float]) -> Counted:
        return counted_macro(self.space, budget)


class PublishedCodes:
    """Of a published space."""

    smallest: Numbers | None = None

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

    def changes(self, numbers: Numbers) -> Iterator[list[int]]:
        return all_changed(numbers, self.sizes)

    def costs(self, arch: str) -> dict[str, int]:
        return self._definition.costs(self._definition.parse(arch))

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        return np.ones(len(numbers_ND), bool)

    def counted(self, budget: Mapping[str, float]) -> Counted | None:
        return None


class CellCodes(PublishedCodes):
    """Of NAS-Bench-101, where one in 1,700 draws of the decisions makes a cell."""

    def __init__(self) -> None:
        super().__init__(NB101)

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        return are_cells(numbers_ND)

    def counted(self, budget: Mapping[str, float]) -> Counted:
        return counted_cells(budget)


class EncoderCodes(PublishedCodes):
    """Of FlexiBERT, whose third and fourth layer are both there or both absent."""

    def __init__(self) -> None:
        super().__init__(FLEXIBERT)
        self.smallest = [0] * len(self.sizes)

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        short, long = BERT_LAYERS
        last_ND = numbers_ND[:, (short - long) * len(LAYER) :]  # 0 where there is no layer
        is_long_N = (last_ND > 0).all(axis=1)
        is_short_N = (last_ND == 0).all(axis=1)
        costs = {"depth": np.where(is_long_N, long, short)}
        may_N: Bools = (is_long_N | is_short_N) & is_within(costs, budget)
        return may_N


class MobileNetCodes(PublishedCodes):
    """Of WRCor's MobileNetV2 space, where strides change in pairs: four stages have stride 2."""

    def __init__(self) -> None:
        super().__init__(MOBILENETV2)
        self.smallest = mobilenetv2.smallest()

    def arch(self, numbers: Numbers) -> str | None:
        halving = sum(numbers[place] for place in mobilenetv2.STRIDES_AT)
        return self._definition.text(numbers) if halving == mobilenetv2.NUM_HALVINGS else None

    def changed(self, numbers: Numbers, rng: np.random.Generator) -> list[int]:
        return mobilenetv2.changed(numbers, rng)

    def changes(self, numbers: Numbers) -> Iterator[list[int]]:
        return mobilenetv2.changes(numbers)

    def may_make(self, numbers_ND: Ints, budget: Mapping[str, float]) -> Bools:
        halving_N = numbers_ND[:, mobilenetv2.STRIDES_AT].sum(axis=1)
        is_arch_N: Bools = halving_N == mobilenetv2.NUM_HALVINGS
        return is_arch_N


CODES: dict[str, type[MobileNetCodes | CellCodes | EncoderCodes]] = {
    MOBILENETV2.name: MobileNetCodes,
    NB101.name: CellCodes,
    FLEXIBERT.name: EncoderCodes,
}
