"""NAS-Bench-201 as one file of torch, read without torch.

    {"meta_archs": [arch, ..], "arch2infos": {index: {"less": results, "full": results}}, ..}

"less" is of 12 epochs, "full" of 200; results are as in `nbzero.importers.nats`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nbzero.errors import ReleaseError
from nbzero.importers.nats import BECOMES, Layout, OneArch, arch_of, archs_of, check_archs, rows_of_archs
from nbzero.importers.official import Apart, Official
from nbzero.importers.pickles import load_torch
from nbzero.importers.source import Rows
from nbzero.release.reading import open_regular

MAX_BYTES = 8 << 30  # of a file: nearly twice as many as the largest has


class Whole(NamedTuple):
    """A file: its archs in the order of their index, and the results of each."""

    meta: list[str]
    archs: list[OneArch]


def parsed_torch(layout: Layout, data: bytes, name: str) -> Whole:
    """What a file holds. It is read here, piece by piece: `data` are not used.

    Raises:
        ReleaseError: no file of torch, one with tensors or foreign classes, or of another form.
    """
    with open_regular(Path(name), layout.advice) as file:
        held = load_torch(file, name, layout.advice)
    if not isinstance(held, dict) or not isinstance(held.get("arch2infos"), dict):
        raise ReleaseError(f"{name} has no dict 'arch2infos'; {layout.advice}")
    meta = archs_of(held, name, layout)
    archs = []
    infos = held["arch2infos"]
    for index in list(infos):
        if type(index) is not int or not 0 <= index < 2**31:
            raise ReleaseError(f"{name}: a key of arch2infos is no index of an arch; {layout.advice}")
        one = arch_of(infos.pop(index), layout, f"{name}: arch {index}")
        if one.number != index:
            raise ReleaseError(f"{name}: arch {index} says that it is {one.number}; {layout.advice}")
        archs.append(one)
    return Whole(meta, archs)


def read_torch(layout: Layout, path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of a file; errors as `parsed_torch`, and for archs that are missing or of another benchmark."""
    size = os.path.getsize(path)
    if size > MAX_BYTES:
        raise ReleaseError(f"{path} has {size:,} bytes; {layout.archive} has less than {MAX_BYTES:,}")
    whole = apart(partial(parsed_torch, layout), size)(b"", str(path))
    found = {one.number: one for one in whole.archs}
    return rows_of_archs(layout, check_archs(whole.meta, found, str(path), layout), str(path))


def official_torch(layout: Layout) -> Official:
    """The kind of file that one of torch is."""
    return Official(
        form="torch",
        name=layout.archive,
        version=layout.archive.removesuffix(".pth"),
        repository="D-X-Y/NAS-Bench-201",
        place="the Google Drive file that github.com/D-X-Y/NAS-Bench-201 links (4.7 GB)",
        licence="MIT",
        citation="Dong and Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
        becomes=f"{BECOMES}; it is read at once, which takes about five times its size of memory",
        read=partial(read_torch, layout),
    )
