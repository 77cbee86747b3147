"""Spaces whose archs are a few nominal choices, as those of published benchmarks are. Read-only.

The arch string is the one of the benchmark's authors. Each choice is a column of the archs table and an entry
of `ImportedSpace.encode`. Its numbers have no order, so distance is the number of choices that differ.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import NotAMemberError, UsageError, quoted
from nbzero.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CIFAR10 = "one 3x32x32 image, 10 classes"  # the setting of a cost


class Choice(NamedTuple):
    """One nominal choice.

    Attributes:
        column: of the archs table.
        options: what its numbers mean, by position.
        low: the smallest number allowed.
    """

    column: str
    options: tuple[str, ...]
    low: int = 0

    @property
    def may_be_absent(self) -> bool:
        """Whether 0 says that there is nothing to choose: no such module, no such layer."""
        return self.low == 0 and self.options[0].startswith("no ")


@dataclass(frozen=True, slots=True)
class Imported:
    """The definition of an imported space.

    Attributes:
        name, title: of the space, and of its benchmark.
        choices: one per entry of an encoded arch.
        pattern: a regular expression that matches exactly its arch strings.
        looks_like: one that also matches what is meant for an arch string of it and is malformed.
        example: an arch string.
        num_members: archs of the published table; 0 where there is none.
        pieces: the numbers of an arch string that matches, before what is missing at the end is filled up
            with 0.
        text: the string of numbers.
        costs: what the definition fixes of macs, params and depth.
        costs_of: the setting of macs and params, for the columns' meanings.
        protocol: under which its scores are imported; "" where there are none.
        class_of: what is the same for archs that are one network, which the archs table says by `iso_class`;
            None where that is not known.
        scores_said: proxy -> (unit, meaning) of its column, where that is not the registry's.
        doubts: proxy -> why its values are not to be trusted; they are imported all the same.
        every: the numbers of every arch, where the definition says which there are.
    """

    name: str
    title: str
    choices: tuple[Choice, ...]
    pattern: str
    looks_like: str
    example: str
    num_members: int
    pieces: Callable[[str], Sequence[int]]
    text: Callable[[Sequence[int]], str]
    costs: Callable[[Sequence[int]], dict[str, int]]
    costs_of: str = ""
    protocol: str = ""
    class_of: Callable[[Sequence[int]], str] | None = None
    scores_said: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)
    every: Callable[[Sequence[Choice]], Iterable[Sequence[int]]] | None = None

    def parse(self, text: str) -> tuple[int, ...]:
        """The choices that `text` names, padded with 0; UsageError for any other string."""
        if not isinstance(text, str) or not re.fullmatch(self.pattern, text):
            raise UsageError(
                f"{quoted(text, 1000)}: an arch of {self.name} ({self.title}) is like {self.example!r}"
            )
        values = tuple(self.pieces(text))
        return values + (0,) * (len(self.choices) - len(values))


def import_command(space: str) -> str:
    """What makes a release with the published table of a space."""
    return f"python -m builders.import_bench {space} --source FILE --out DIR"


def every_combination(choices: Sequence[Choice]) -> Iterator[tuple[int, ...]]:
    """All numbers of all choices: the archs of a space without further rules.

    >>> len(list(every_combination([Choice("a", ("x", "y")), Choice("b", ("x", "y", "z"))])))
    6
    """
    return itertools.product(*(range(choice.low, len(choice.options)) for choice in choices))


def no_costs(values: Sequence[int]) -> dict[str, int]:
    """Of a space whose definition fixes neither macs, params nor depth."""
    return {}


class ImportedSpace(Space):
    """An imported space: its members in the release's order, moves among them, and vectors.

    Archs are strings.

    Args:
        definition: what its archs are.
        members: its archs, from a release.
    """

    def __init__(self, definition: Imported, members: Sequence[str]) -> None:
        super().__init__(definition.name, members)
        self.definition = definition
        self.choices = definition.choices

    def arch_id(self, arch: str) -> int:
        found = self._ids.get(str(arch))
        if found is not None:
            return found
        nearest = tuple(self._nearest(self.encode(arch), 3))
        said = f"{arch} is written like an arch of {self.name}, but its table has none"
        num_all = self.definition.num_members
        if len(self) < num_all:
            has = f"this release has {len(self):,} of the {num_all:,} archs of {self.name}"
            said = f"{has}, and {arch} is none of them ({import_command(self.name)} makes one that has all)"
        raise NotAMemberError(f"{said}; nearest are {', '.join(nearest)}", nearest)

    def encode(self, arch: str) -> npt.NDArray[np.int16]:
        """The choices of an arch as numbers, by position in `choices`; 0 where there is no such module."""
        import numpy as np

        return np.array(self.definition.parse(str(arch)), dtype=np.int16)

    def decode(self, vector: npt.ArrayLike) -> str:
        """The arch string that `encode` gives `vector` for, member or not; UsageError for another vector."""
        import numpy as np

        values = np.asarray(vector)
        if values.shape != (len(self.choices),) or not np.issubdtype(values.dtype, np.integer):
            wanted = f"{len(self.choices)} integers"
            raise UsageError(
                f"a vector of {self.name} is {wanted}, not {values.dtype} of shape {values.shape}"
            )
        numbers: list[int] = values.tolist()
        for number, choice in zip(numbers, self.choices, strict=True):
            if not choice.low <= number < len(choice.options):
                raise UsageError(f"{choice.column} is {number}; allowed: {said_options(choice)}")
        text = self.definition.text(numbers)
        if tuple(numbers) != self.definition.parse(text):
            raise UsageError(
                f"{numbers} leaves out a module before the last; modules that are missing are the last ones"
            )
        return text

    def neighbours(self, arch: str, k: int | None = None) -> list[str]:
        """The members that differ in the fewest choices; ties by `arch_id`.

        Args:
            k: how many; None: all that differ in one choice.
        """
        import numpy as np

        if k is None:
            near = np.flatnonzero(self._distances(self.encode(arch)) == 1)
            return [self.members[i] for i in near]
        if not 1 <= k < len(self):
            raise UsageError(
                f"k is {k}; allowed: 1 to {len(self) - 1}, or None for all that differ in one choice"
            )
        return self._nearest(self.encode(arch), k, leave_out=str(arch))

    def mutate(self, arch: str, rng: np.random.Generator, k: int | None = None) -> str:
        near = self.neighbours(arch, k)
        if not near:
            raise UsageError(f"no member of {self.name} differs from {arch} in one choice; give k")
        return near[int(rng.integers(len(near)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        import numpy as np

        first = self.encode(a)
        mixed = np.where(rng.integers(2, size=first.size), first, self.encode(b))
        return self._nearest(mixed, 1)[0]

    def _distances(self, vector: npt.NDArray[Any]) -> npt.NDArray[Any]:
        distances: npt.NDArray[Any] = (self.vectors != vector).sum(axis=1)
        return distances


def said_options(choice: Choice) -> str:
    """What the numbers of a choice mean, in words.

    >>> said_options(Choice("layer_1", ("identity", "MB3_K3", "MB6_K5")))
    '0 identity, 1 MB3_K3, 2 MB6_K5'
    """
    options = list(enumerate(choice.options))[choice.low :]
    return ", ".join(f"{number} {name}" for number, name in options)
