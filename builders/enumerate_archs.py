"""Write the archs tables of one or all spaces: python -m builders.enumerate_archs --out DIR [--space r1]

DIR becomes a release of archs tables alone, with an index and a manifest. `merge_shards` adds runs and scores
to it. Every member, its place in the build order, macs and params follow from the definitions in
`nbzero.spaces`.
"""

import sys
from collections.abc import Sequence
from typing import Any

from builders.work.command import parser_of, say_errors
from builders.work.commit import commit_release
from nbzero.release.schema import DATA_VERSION, TableKey, archs_row, arrow_schema
from nbzero.spaces.macro import CHOICES, enumerate_members


def archs_table(space: str) -> Any:
    """The archs table of a space as a pyarrow.Table, in build order."""
    import pyarrow as pa

    rows = [archs_row(arch_id, text) for arch_id, text in enumerate(enumerate_members(space))]
    return pa.Table.from_pylist(rows, arrow_schema("archs"))


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--out", required=True, help="folder of the release to make")
    parser.add_argument(
        "--space", action="append", choices=list(CHOICES), help="may be repeated; default: all"
    )
    parser.add_argument("--version", default=DATA_VERSION, help="data version of the release")
    given = parser.parse_args(argv)
    tables: dict[TableKey, Any] = {}
    for space in given.space or CHOICES:
        tables["archs", space, None] = archs_table(space)
    commit_release(given.out, tables, given.version)
    for (_, space, _), table in tables.items():
        print(f"{space}: {table.num_rows} archs")


if __name__ == "__main__":
    sys.exit(main())
