"""Check a release: python -m builders.verify DIR_OR_URL

`nbzero.release.verify` says what is checked. Prints a line per file, then which
files there are none of the release. At the first thing that does not hold it
exits with 2 and the reason.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from builders.work.command import parser_of, say_errors
from nbzero.errors import count_of
from nbzero.release.manifest import Release
from nbzero.release.verify import stale_notes, stranger_notes, verify


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "release", nargs="?", default=None, help="folder or URL; default: the release that ships with nbzero"
    )
    given = parser.parse_args(argv)
    lines = verify(given.release)
    release = Release.open(given.release)
    for line in [*lines, *stale_notes(given.release), *stranger_notes(given.release)]:
        print(line)
    where = Path(release.url) if release.folder else release.url
    manifest = release.manifest
    derived = f", derived from {manifest.parent}" if manifest.parent else ""
    print(f"{where}: data version {manifest.data_version}{derived}, all {count_of(len(lines), 'file')} hold")


if __name__ == "__main__":
    sys.exit(main())
