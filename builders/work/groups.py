"""The Parquet files of a release in groups with the same columns, as catalogues of data sets want them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nbzero.release.schema import TABLES
from nbzero.spaces.published import IMPORTED

OURS = "CC-BY-4.0"  # the SPDX name of the licence of every table that this project made
NUMBERS_OF_PAPERS = "reproductions"  # the folder that holds no table of a space


@dataclass(frozen=True)
class File:
    """One Parquet file: its path in the release, bytes, rows and SHA-256 in hex."""

    path: str
    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Group:
    """Files with the same columns.

    Attributes:
        name: their folder; for files whose columns differ from the first's, also their space.
        licence: SPDX name, or what imported files say of their sources.
        schema: of the first file, with the meaning of every column.
    """

    name: str
    licence: str
    schema: pa.Schema
    files: tuple[File, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def table(self) -> str:
        """The folder of the files: archs, runs, scores and so on."""
        return self.files[0].path.split("/")[0]


def groups(release: Path) -> list[Group]:
    """Every Parquet file in the folder of a release, by table, columns and licence.

    The tables of a release come first, in the order of their use, and the numbers of papers last.
    """
    found: dict[str, list[Group]] = {}
    paths = (path.relative_to(release).as_posix() for path in release.rglob("*.parquet"))
    for name in sorted(paths, key=_ours_first):
        table, space = _table_and_space(name)
        path = release / name
        schema = pq.read_schema(path)
        licence = licence_of(schema)
        file = _file(path, name)
        there = found.setdefault(table, [])
        for number, group in enumerate(there):
            if group.licence == licence and group.schema.equals(schema):  # metadata left aside
                there[number] = Group(group.name, licence, group.schema, (*group.files, file))
                break
        else:
            label = f"{table}-{space}" if there else table
            there.append(Group(label, licence, schema, (file,)))
    return [group for table in sorted(found, key=_place) for group in found[table]]


def licence_of(schema: pa.Schema) -> str:
    """What an imported table says of its sources' licences; else that of this project's data."""
    said = (schema.metadata or {}).get(b"nbzero.licence")
    return said.decode() if said else OURS


def _table_and_space(name: str) -> tuple[str, str]:
    """Of archs/r1.parquet and of runs/r1/cifar10.parquet alike."""
    table, *inside = name.split("/")
    return table, Path(inside[0]).stem


def _ours_first(name: str) -> tuple[bool, str]:
    """So that a table's plain name is that of our spaces."""
    return _table_and_space(name)[1] in IMPORTED, name


def _file(path: Path, name: str) -> File:
    data = path.read_bytes()
    return File(name, len(data), pq.read_metadata(path).num_rows, hashlib.sha256(data).hexdigest())


def _place(table: str) -> tuple[bool, int, str]:
    order = tuple(TABLES)
    return table == NUMBERS_OF_PAPERS, order.index(table) if table in order else len(order), table
