"""Columns of a page, packed: equal ones once, all of them compressed together."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class Packed:
    """Columns of numbers and of lines, to which a page refers by places.

    Numbers are little-endian float64, exact. They are joined, then laid out by bytes: the first byte of every
    number, then the second of every one. Neighbouring numbers begin alike, so that they compress well.

    >>> packed = Packed()
    >>> packed.numbers([0.5, 1.0]), packed.numbers([2.0]), packed.numbers([0.5, 1.0])
    ((0, 2), (2, 1), (0, 2))
    >>> packed.lines(["zen", "ntk"]), sorted(packed.all())
    (0, ['lines', 'numbers'])
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, tuple[int, int]] = {}
        self._lines: dict[str, int] = {}
        self._length = 0

    def numbers(self, values: npt.ArrayLike) -> tuple[int, int]:
        """The place of numbers: where they start among all, and how many they are."""
        data = np.asarray(values, "<f8").tobytes()
        if data not in self._numbers:
            number = len(data) // 8
            self._numbers[data] = (self._length, number)
            self._length += number
        return self._numbers[data]

    def lines(self, texts: Iterable[str]) -> int:
        """The place of texts without line breaks."""
        return self._lines.setdefault("\n".join(texts), len(self._lines))

    def all(self) -> dict[str, str]:
        """numbers: as above. lines: a JSON array of texts. Both compressed by gzip, as base64."""
        joined = np.frombuffer(b"".join(self._numbers), np.uint8)
        by_byte = joined.reshape(-1, 8).T.tobytes()
        return {"numbers": compressed(by_byte), "lines": compressed(json.dumps(list(self._lines)).encode())}


def compressed(data: bytes) -> str:
    """Bytes compressed by gzip, as base64."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
