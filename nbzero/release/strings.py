"""The arch strings of a large table, read from the map one by one and found by a stored hash table.

A list and a dict of a million strings take a second and 200 MB. Here opening takes nothing, and a look-up
reads the few bytes that it compares. The table of slots is open addressing with linear probing:

    slots[k]    an arch_id, or -1; as many slots as a power of 2 that is at least twice the rows
    an arch     lies in the first slot from crc32(its UTF-8) on, by the slots' number, that no other has taken

Tables of up to LARGE rows have neither. There a dict is faster, 0.1 us a look-up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from nbzero.errors import ReleaseError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LARGE = 1 << 16


class Strings(Sequence[str]):
    """Strings joined by newlines.

    Args:
        data: (bytes,) of all of them.
        starts: (N,) where each begins.
    """

    def __init__(self, data: memoryview, starts: memoryview) -> None:
        self.data, self.starts = data, starts

    def __len__(self) -> int:
        return len(self.starts)

    def encoded(self, row: int) -> memoryview:
        """One string in UTF-8; `row` from 0."""
        end = self.starts[row + 1] - 1 if row + 1 < len(self.starts) else len(self.data)
        return self.data[self.starts[row] : end]

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        place = row + len(self) if row < 0 else row
        if not 0 <= place < len(self):
            raise IndexError(row)
        try:
            return str(self.encoded(place), "utf-8")
        except UnicodeDecodeError as error:
            raise ReleaseError(f"arch {place} is no text ({error}); fetch the release anew") from error

    def __iter__(self) -> Iterator[str]:
        yield from str(self.data, "utf-8").split("\n")


class Places:
    """Where each string is: `get` as of a dict.

    Args:
        slots: as `slots_of` makes them.
    """

    def __init__(self, strings: Strings, slots: memoryview) -> None:
        self.strings, self.slots = strings, slots
        self._mask = len(slots) - 1

    def get(self, text: str) -> int | None:
        """The row of a string; None where it is not there."""
        data = text.encode("utf-8", "surrogatepass")
        place = zlib.crc32(data) & self._mask
        for _ in range(len(self.slots)):
            row: int = self.slots[place]
            if row < 0:
                return None
            if row >= len(self.strings):
                raise ReleaseError(f"a slot names arch {row} of {len(self)}; fetch the release anew")
            if self.strings.encoded(row) == data:
                return row
            place = (place + 1) & self._mask
        return None

    def __len__(self) -> int:
        return len(self.strings)

    def __contains__(self, text: str) -> bool:
        return self.get(text) is not None

    def __getitem__(self, text: str) -> int:
        found = self.get(text)
        if found is None:
            raise KeyError(text)
        return found


def starts_of(strings: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """(N,) where each string begins among all, joined by newlines."""
    import numpy as np

    lengths = np.fromiter(map(len, strings), np.int64, len(strings)) + 1
    starts: npt.NDArray[np.int64] = np.cumsum(lengths) - lengths
    return starts


def slots_of(strings: Sequence[bytes]) -> npt.NDArray[np.int32]:
    """The hash table of distinct strings; the same strings give the same table."""
    import numpy as np

    num_slots = 1 << (2 * len(strings) - 1).bit_length()
    slots = np.full(num_slots, -1, np.int32)
    wanted = np.fromiter(map(zlib.crc32, strings), np.int64, len(strings)) & (num_slots - 1)
    left = np.arange(len(strings))
    while len(left):
        # Of those that want one free slot the first takes it; the others go on to the next.
        free = slots[wanted[left]] < 0
        candidates = left[free]
        _, first = np.unique(wanted[candidates], return_index=True)
        taking = candidates[first]
        slots[wanted[taking]] = taking
        left = np.setdiff1d(left, taking, assume_unique=True)
        wanted[left] = (wanted[left] + 1) & (num_slots - 1)
    return slots
