"""Space: the members of a search space, moves among them, and vectors.

What an arch may choose is its kind's to say.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, whole

if TYPE_CHECKING:  # numpy takes longer to import than a query to answer
    import numpy as np
    import numpy.typing as npt


class Space(ABC):
    """A search space: its members in build order, moves among them, and vectors.

    `Bench.space` gives a space whose members come from the release. `arch in space` means member. `space[i]`
    is the arch string with `arch_id` i.

    Attributes:
        name: of the space.
        choices: what an arch may choose.
    """

    name: str
    choices: Any

    def __init__(self, name: str, members: Sequence[str] | None = None) -> None:
        self.name = name
        self._given = None if members is None else tuple(members)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Arch strings in build order; the position is `arch_id`."""
        return self._enumerated() if self._given is None else self._given

    def _enumerated(self) -> tuple[str, ...]:
        """The members of a space that was made without them, where its definition fixes them."""
        raise UsageError(f"the members of {self.name} come from its release: Bench(DIR).space({self.name!r})")

    @abstractmethod
    def arch_id(self, arch: Any) -> int:
        """The position of a member in the build order.

        Raises:
            UsageError: no arch string of this space.
            NotAMemberError: an arch of its grid that is no member; names its nearest members.
        """

    @abstractmethod
    def encode(self, arch: Any) -> npt.NDArray[np.int16]:
        """The choices of an arch as numbers; UsageError for what is no arch of this space."""

    @abstractmethod
    def decode(self, vector: npt.ArrayLike) -> Any:
        """The arch that `encode` gives `vector` for; UsageError for any other vector."""

    @abstractmethod
    def neighbours(self, arch: Any, k: Any = None) -> list[str]:
        """The `k` members nearest to an arch, itself left out; ties by build order."""

    @abstractmethod
    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> str:
        """The member nearest to a mix of two archs. Each choice is drawn from one of them by `rng`.

        Ties by build order.
        """

    @abstractmethod
    def _distances(self, vector: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(N,) how far every member is from a vector."""

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {arch: arch_id for arch_id, arch in enumerate(self.members)}

    @cached_property
    def vectors(self) -> npt.NDArray[np.int16]:
        """`encode` of every member, (N, choices), in build order."""
        import numpy as np

        vectors = np.array([self.encode(arch) for arch in self.members], dtype=np.int16)
        vectors.flags.writeable = False
        return vectors

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __getitem__(self, arch_id: int) -> str:
        return self.members[arch_id]

    def __contains__(self, arch: object) -> bool:
        return isinstance(arch, str) and arch in self._ids

    def sample(self, n: int, seed: int) -> list[str]:
        """`n` distinct members, the same for the same seed on every machine and version.

        They are those with the smallest SHA-256 of "sample:{seed}:{arch}". The first k of a larger sample are
        the sample of k.

        Raises:
            UsageError: n below 0 or above the number of members.
        """
        if not 0 <= n <= len(self):
            raise UsageError(f"n is {n}; {self.name} has {len(self)} members to sample without repeats")
        key = f"sample:{whole('seed', seed)}:".encode()
        return sorted(self.members, key=lambda arch: hashlib.sha256(key + arch.encode()).digest())[:n]

    def mutate(self, arch: Any, rng: np.random.Generator, k: Any = None) -> str:
        """One of `neighbours(arch, k)`, drawn evenly by `rng`."""
        near = self.neighbours(arch, k)
        return near[int(rng.integers(len(near)))]

    def _nearest(self, vector: npt.NDArray[Any], k: int, leave_out: str | None = None) -> list[str]:
        import numpy as np

        order = np.argsort(self._distances(vector), kind="stable")[: k + 1]
        return [self.members[i] for i in order if self.members[i] != leave_out][:k]
