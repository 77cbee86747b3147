"""Scores of ours of a benchmark's networks, from a release, to stand beside what its authors publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbzero.release.manifest import Release
from nbzero.release.sampled import LICENCE
from nbzero.release.schema import PROTOCOLS, WHERE, check_rows, parse_path

Row = dict[str, Any]


@dataclass(frozen=True)
class OwnScores:
    """Rows of a scores table of ours, each with its arch, since releases number archs differently.

    Attributes:
        rows: without arch_id, space, dataset and arch.
        version: data version of the release.
        path: of the table there.
        licence: of the rows.
    """

    dataset: str
    rows: tuple[tuple[str, Row], ...]
    version: str
    path: str
    licence: str = LICENCE

    @property
    def holds(self) -> str:
        """What is taken, in words."""
        protocols = sorted({row["protocol"] for _, row in self.rows})
        return f"scores with protocol {', '.join(protocols)}"


def own_scores(release: Release, space: str) -> list[OwnScores]:
    """The scores under protocols of ours that a release has of a space, by data set; [] where it has none.

    Raises:
        ReleaseError: a file that is not what the manifest or the schema promises.
    """
    paths = [path for path in release.manifest.files if path.startswith(f"scores/{space}/")]
    if not paths:
        return []
    archs = release.table(f"archs/{space}.parquet").column("arch").to_pylist()
    found = []
    for path in sorted(paths):
        rows = release.table(path).to_pylist()
        check_rows("scores", rows, path, space)
        ours = [(archs[row.pop("arch_id")], _bare(row)) for row in rows if row["protocol"] in PROTOCOLS]
        if ours:
            dataset = str(parse_path(path)[2])
            found.append(OwnScores(dataset, tuple(ours), release.manifest.data_version, path))
    return found


def _bare(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in WHERE}
