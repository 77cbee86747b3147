"""nbzero.release.compared: an index that holds other than its tables is told, however it lies in its file."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nbzero.errors import ReleaseError
from nbzero.release import index as layout, strings
from nbzero.release.compared import first_difference
from nbzero.release.index import Index, build_index, index_path
from nbzero.release.manifest import Release
from nbzero.release.schema import WHERE

NAME = index_path("r1-mini")


@pytest.fixture(scope="module")
def tables(release: Path) -> dict[str, Any]:
    """The tables of r1-mini by the names that an index has for them."""
    opened = Release.open(release)
    found = {}
    for (kind, space, dataset), table in opened.tables().items():
        if space == "r1-mini":
            found[f"{kind}/{dataset}" if dataset else kind] = table
    return found


def opened(data: bytes, folder: Path) -> Index:
    (folder / "index").write_bytes(data)
    return Index(folder / "index")


def difference(data: bytes, folder: Path, tables: dict[str, Any]) -> str | None:
    return first_difference(opened(data, folder), tables, {"x": "y"})


@pytest.mark.parametrize("large", [100, strings.LARGE])
@pytest.mark.parametrize("long", [0, 10, layout.LONG])
def test_every_layout_of_the_same_values_is_the_same(
    tmp_path: Path, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch, large: int, long: int
) -> None:
    monkeypatch.setattr(strings, "LARGE", large)
    monkeypatch.setattr(layout, "LONG", long)
    assert difference(build_index("r1-mini", tables, {"x": "y"}), tmp_path, tables) is None


def test_an_index_of_an_older_version_is_the_same(
    tmp_path: Path, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions up to 0.12.0 had no packed texts, and codes of four bytes."""
    new = build_index("r1-mini", tables, {"x": "y"})
    monkeypatch.setattr(layout, "LONG", 1 << 60)
    monkeypatch.setattr(layout, "_smallest", lambda num_texts: "<i4")
    old = build_index("r1-mini", tables, {"x": "y"})
    assert len(old) > len(new)
    assert difference(old, tmp_path, tables) is None


def test_any_other_value_is_a_difference(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every column of every table: one value changed, and its column is named."""
    folder = tmp_path_factory.mktemp("changed")
    for name, table in tables.items():
        for number, column in enumerate(table.column_names):
            values = table.column(column).to_pylist()
            others = [value for value in values if value not in (None, values[0])]
            if not others or column in {*WHERE, *layout.sort_keys(name.split("/")[0])}:
                continue
            changed = table.set_column(
                number, table.schema.field(number), [array_of(table, column, [others[0], *values[1:]])]
            )
            data = build_index("r1-mini", {**tables, name: changed}, {"x": "y"})
            said = difference(data, folder, tables)
            assert said is not None and said.startswith(f"{name}.{column} has")


def turned(table: Any, column: str) -> Any:
    """A table with one column upside down."""
    number = table.schema.get_field_index(column)
    return table.set_column(number, table.schema.field(number), table.column(column)[::-1])


def array_of(table: Any, column: str, values: list[Any]) -> Any:
    import pyarrow as pa

    return pa.array(values, table.schema.field(column).type)


def test_what_is_more_or_less_is_a_difference(tmp_path: Path, tables: dict[str, Any]) -> None:
    runs = "runs/cifar10"
    fewer = {name: table for name, table in tables.items() if name != runs}
    for held, wanted, said in (
        (fewer, tables, "it has the tables"),
        (tables, fewer, "it has the tables"),
        ({**tables, runs: tables[runs].drop_columns(["test_acc"])}, tables, f"{runs} has the columns"),
        ({**tables, runs: tables[runs].slice(1)}, tables, f"{runs} has the groups"),
        ({**tables, "archs": turned(tables["archs"], "arch")}, tables, "archs.arch has other values"),
        ({**tables, "archs": tables["archs"].slice(0, 999)}, tables, "archs.arch_id has other values"),
    ):
        assert str(difference(build_index("r1-mini", held, {"x": "y"}), tmp_path, wanted)).startswith(said)
    assert first_difference(
        opened(build_index("r1-mini", tables, {"x": "z"}), tmp_path), tables, {"x": "y"}
    ) == ("it was made from other Parquet files than its release has")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.none() | st.text(st.characters(categories=["L", "N", "P"])), min_size=1, max_size=300)
)
def test_texts_come_back_packed_or_not(
    tmp_path_factory: pytest.TempPathFactory,
    tables: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    texts: list[str | None],
) -> None:
    table = tables["scores/cifar10"]
    some = table.slice(0, min(len(texts), table.num_rows))
    at = some.schema.get_field_index("failures")
    some = some.set_column(
        at, some.schema.field(at), [array_of(some, "failures", (texts * 300)[: some.num_rows])]
    )
    folder = tmp_path_factory.getbasetemp()
    for long in (0, 1 << 30):
        monkeypatch.setattr(layout, "LONG", long)
        index = opened(build_index("r1-mini", {**tables, "scores/cifar10": some}, {}), folder)
        assert [index.text("scores/cifar10", "failures", row) for row in range(some.num_rows)] == [
            (texts * 300)[row] for row in range(some.num_rows)
        ]


def packed_as(data: bytes, packed: bytes) -> bytes:
    """An index whose packed failures are these bytes, put at its end."""
    length = int.from_bytes(data[8:16], "little")
    header = json.loads(data[16 : 16 + length])
    place = header["tables"]["scores/cifar10"]["columns"]["failures"]["packed"]
    place.update(offset=len(data), count=len(packed))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(length)
    assert len(text) == length
    return data[:16] + text + data[16 + length :] + packed


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (b"", "break off, or are more than 1000 bytes"),
        (zlib.compress(b'["a"]')[:-3], "break off, or are more than 1000 bytes"),
        (zlib.compress(bytes(1001)), "break off, or are more than 1000 bytes"),
        (b"no zlib", "incorrect header check"),
        (zlib.compress(b"no JSON"), "Expecting value"),
        (zlib.compress(b"\xff"), "can't decode byte"),
        (zlib.compress(b'{"a": 1}'), "texts is {'a': 1}"),
        (zlib.compress(b"[1]"), "a text is 1"),
        (zlib.compress(b'["\\u001b[2J"]'), "characters that cannot be shown"),
        (zlib.compress(b"[" * 1000), "recursion|Expecting value"),
        (zlib.compress(b"[]"), "has no text 0"),
    ],
)
def test_packed_texts_that_are_none_are_refused(
    tmp_path: Path, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch, packed: bytes, said: str
) -> None:
    monkeypatch.setattr(layout, "LONG", 0)
    monkeypatch.setattr(layout, "LONGEST", 1000)
    table = tables["scores/cifar10"]
    at = table.schema.get_field_index("failures")
    failing = table.set_column(
        at, table.schema.field(at), [array_of(table, "failures", ['{"zen": "why"}'] * table.num_rows)]
    )
    data = build_index("r1-mini", {**tables, "scores/cifar10": failing}, {})
    index = opened(packed_as(data, packed), tmp_path)
    with pytest.raises(ReleaseError, match=rf"failures of scores/cifar10.*{said}"):
        index.text("scores/cifar10", "failures", 0)
