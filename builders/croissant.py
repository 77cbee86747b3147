"""Describe the release for catalogues of data sets: python -m builders.croissant [--check]

It writes data/croissant.json: Croissant 1.1 (JSON-LD) with the responsible-AI fields. Every Parquet file has
its size, SHA-256 and licence, every table its columns with type and meaning. --check writes nothing and exits
with 2 where the file is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from builders.work.citation import published
from builders.work.command import parser_of, say_errors
from builders.work.croissant_words import CONTEXT, DESCRIPTION, RESPONSIBLE
from builders.work.groups import OURS, Group, groups
from builders.work.hub import ROWS
from nbzero.cite import benchmark
from nbzero.errors import ReleaseError
from nbzero.files import write_whole
from nbzero.release.manifest import Release

ROOT = Path(__file__).resolve().parents[1]
NAME = "croissant.json"
VERSIONS = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
FIRST = "0.1.0"  # the data version that began it
PARQUET = "application/x-parquet"
LICENCES = {OURS: "https://creativecommons.org/licenses/by/4.0/"}
TYPES = {
    pa.string(): "sc:Text",
    pa.int16(): "cr:Int16",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float64(): "cr:Float64",
}
Json = dict[str, Any]


def described(folder: Path, changelog: str) -> Json:
    """The description of the release in a folder.

    Raises:
        ReleaseError: it is no release, or the changelog does not date it.
    """
    release = Release.open(folder)
    version = release.manifest.data_version
    date = published(changelog, version)
    found = groups(folder)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "nbzero",
        "description": DESCRIPTION,
        "conformsTo": list(VERSIONS),
        "version": version,
        "datePublished": date,
        "license": [licence_url(licence) for licence in dict.fromkeys(group.licence for group in found)],
        "citeAs": benchmark(version, release.sha256).bibtex,
        "creator": {"@type": "sc:Organization", "name": "The nbzero maintainers"},
        "keywords": ["neural architecture search", "zero-cost proxies", "benchmark", "CIFAR-10"],
        "inLanguage": "en",
        "isLiveDataset": False,
        **RESPONSIBLE,
        "rai:dataCollectionTimeFrame": [published(changelog, FIRST), date],
        "distribution": [part for group in found for part in _distribution(group)],
        "recordSet": [_record_set(group) for group in found],
    }


def licence_url(licence: str) -> str:
    """The address of a licence that has one here; of others what is said of them."""
    return LICENCES.get(licence, licence)


def _distribution(group: Group) -> list[Json]:
    """The files of a group one by one, then all as the set that its records are read from."""
    files: list[Json] = []
    for file in group.files:
        files.append(
            {
                "@type": "cr:FileObject",
                "@id": file.path,
                "name": file.path,
                "contentUrl": file.path,
                "contentSize": f"{file.bytes} B",
                "encodingFormat": PARQUET,
                "sha256": file.sha256,
                "license": licence_url(group.licence),
            }
        )
    together = {
        "@type": "cr:FileSet",
        "@id": f"{group.name}-files",
        "name": f"{group.name}-files",
        "description": f"The {len(files)} files of {group.name}, {group.rows:,} rows in all.",
        "encodingFormat": PARQUET,
        "includes": [file.path for file in group.files],
        "license": licence_url(group.licence),
    }
    return [*files, together]


def _record_set(group: Group) -> Json:
    found: Json = {
        "@type": "cr:RecordSet",
        "@id": group.name,
        "name": group.name,
        "description": f"One record is {ROWS[group.table]}.",
        "field": [_field(group, field) for field in group.schema],
    }
    key = _key(group)
    if key:
        found["key"] = [{"@id": f"{group.name}/{name}"} for name in key]
    return found


def _key(group: Group) -> list[str]:
    """The columns that tell a row from all others of the group, which has files of several spaces.

    A file's own key has arch_id, which counts from 0 in every space.
    """
    said = (group.schema.metadata or {}).get(b"key", b"").decode().split()
    own = ["arch" if name == "arch_id" else name for name in said]
    where = [name for name in ("space", "dataset") if name in group.schema.names]
    return where + own if own else []


def _field(group: Group, field: pa.Field) -> Json:
    metadata = field.metadata or {}
    meaning = metadata.get(b"meaning", field.name.encode()).decode()
    unit = metadata.get(b"unit", b"").decode()
    is_list = pa.types.is_list(field.type)
    found: Json = {
        "@type": "cr:Field",
        "@id": f"{group.name}/{field.name}",
        "name": field.name,
        "description": f"{meaning} ({unit})" if unit else meaning,
        "dataType": TYPES[field.type.value_type if is_list else field.type],
        "source": {"fileSet": {"@id": f"{group.name}-files"}, "extract": {"column": field.name}},
    }
    if is_list:
        found |= {"isArray": True, "arrayShape": "-1"}
    return found


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; an error where it is not current"
    )
    given = parser.parse_args(argv)
    folder = ROOT / "data"
    changelog = (ROOT / "CHANGELOG.md").read_text()
    new = json.dumps(described(folder, changelog), indent=1) + "\n"
    path = folder / NAME
    if not given.check:
        write_whole(path, new.encode())
    elif not path.is_file() or path.read_text() != new:
        raise ReleaseError(f"data/{NAME} is out of date; run python -m builders.croissant")


if __name__ == "__main__":
    sys.exit(main())
