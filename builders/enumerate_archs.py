"""Write the archs tables of one or all spaces: python -m builders.enumerate_archs --out DIR [--space r1]

DIR becomes a release of archs tables alone (with an index and a manifest), to which `merge_shards` adds runs and scores. Every member, its place
in the build order, macs and params follow from the definitions in `nbzero.spaces`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from builders.releases import commit_release
from builders.shards import say_errors
from nbzero.schema import DATA_VERSION, MAX_STAGES, arrow_schema
from nbzero.spaces import CHOICES, Arch, enumerate_members


def archs_table(space: str) -> Any:
    """The archs table of a space as a pyarrow.Table, in build order."""
    import pyarrow as pa

    rows = [row_of(arch_id, text) for arch_id, text in enumerate(enumerate_members(space))]
    return pa.Table.from_pylist(rows, arrow_schema("archs"))


def row_of(arch_id: int, text: str) -> dict[str, Any]:
    """One row of an archs table.

    >>> row_of(0, "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2")["s2_in"]
    12
    """
    arch = Arch.parse(text)
    row: dict[str, Any] = {"arch_id": arch_id, "arch": text, "stem": arch.stem}
    width = arch.stem
    for s in range(MAX_STAGES):
        stage = arch.stages[s] if s < len(arch.stages) else None
        values = (width, stage.width, stage.depth, stage.stride) if stage else (None,) * 4
        row |= {f"s{s + 1}_{name}": value for name, value in zip(("in", "out", "depth", "stride"), values, strict=True)}
        width = stage.width if stage else width
    return row | {"macs": arch.macs, "params": arch.params, "depth": arch.depth}


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder of the release to make")
    parser.add_argument("--space", action="append", choices=list(CHOICES), help="may be repeated; default: all")
    parser.add_argument("--version", default=DATA_VERSION, help="data version of the release")
    given = parser.parse_args(argv)
    tables = {("archs", space, None): archs_table(space) for space in given.space or CHOICES}
    commit_release(given.out, tables, given.version)
    for (_, space, _), table in tables.items():
        print(f"{space}: {table.num_rows} archs")


if __name__ == "__main__":
    sys.exit(main())
