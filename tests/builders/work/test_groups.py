"""Files of a release grouped by their columns: names, order, licences, hashes."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.work.groups import OURS, groups
from builders.work.hub import configurations, header

OWN = {"arch_id": pa.array([0, 1], pa.int32()), "macs": pa.array([1, 2], pa.int64())}
FOREIGN = {"arch_id": pa.array([0], pa.int32()), "cell": pa.array(["x"])}


@pytest.fixture
def folder(tmp_path):
    """Two spaces of ours, an imported one with other columns, scores of all three, numbers of papers."""
    tables = {
        "archs/mb.parquet": pa.table(OWN),
        "archs/darts.parquet": pa.table(FOREIGN).replace_schema_metadata({"nbzero.licence": "A: MIT"}),
        "archs/r1.parquet": pa.table(OWN),
        "scores/darts/cifar10.parquet": pa.table(OWN),
        "scores/r1/cifar10.parquet": pa.table(OWN),
        "reproductions/results.parquet": pa.table(FOREIGN),
    }
    for name, table in tables.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / name)
    return tmp_path


def test_every_file_is_in_one_group_with_files_of_its_columns(folder):
    found = groups(folder)
    listed = [file.path for group in found for file in group.files]
    assert sorted(listed) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet"))
    for group in found:
        for file in group.files:
            assert pq.read_schema(folder / file.path).equals(group.schema)
            assert file.sha256 == hashlib.sha256((folder / file.path).read_bytes()).hexdigest()


def test_our_spaces_have_the_plain_name_and_others_their_own(folder):
    found = {group.name: [file.path for file in group.files] for group in groups(folder)}
    assert found == {
        "archs": ["archs/mb.parquet", "archs/r1.parquet"],
        "archs-darts": ["archs/darts.parquet"],
        "scores": ["scores/r1/cifar10.parquet", "scores/darts/cifar10.parquet"],
        "reproductions": ["reproductions/results.parquet"],
    }


def test_an_imported_table_keeps_its_licence(folder):
    assert {g.name: g.licence for g in groups(folder)} == {
        "archs": OURS,
        "archs-darts": "A: MIT",
        "scores": OURS,
        "reproductions": OURS,
    }
    assert "| `archs-darts` | an architecture, with its costs | 1 | 1 | A: MIT |" in configurations(
        groups(folder)
    )


def test_the_first_configuration_is_the_default_one(folder):
    lines = header(groups(folder)).splitlines()
    assert lines[lines.index("  - config_name: archs") + 1] == "    default: true"
    assert sum("default: true" in line for line in lines) == 1
