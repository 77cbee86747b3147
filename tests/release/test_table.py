"""Tables against the rows that their release was made from: columns, conditions, means, conversions."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nbzero import Bench
from nbzero.errors import UnknownNameError, UsageError
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import TABLES

RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")


# Many archs


def columns_of(
    bench: Bench, made: SimpleNamespace, space: str, dataset: str, recipe: str, protocol: str, seed: int
) -> dict[str, list[Any]]:
    """What a table should hold, by plain Python over the rows the release was made from."""
    archs = bench.arrow("archs", space).to_pylist()
    columns: dict[str, list[Any]] = {name: [row[name] for row in archs] for name in archs[0]}
    for kind, key, name, offered in (
        ("runs", "recipe", recipe, ("status", *RUN_NUMBERS)),
        ("scores", "protocol", protocol, tuple(PROXIES)),
    ):
        rows = {
            row["arch_id"]: row
            for row in made.rows.get((kind, space, dataset), [])
            if row[key] == name and row["seed"] == seed
        }
        for column in offered:
            values = [rows[i][column] if i in rows else None for i in range(len(archs))]
            columns[column if column not in columns else f"{kind}.{column}"] = values
    return columns


def nulled(values: Any) -> list[Any]:
    return [None if value is None or value != value else value for value in values.tolist()]


@pytest.mark.parametrize(
    ("space", "dataset", "recipe", "protocol", "seed"),
    [
        ("r1-mini", "cifar10", "cpu-16px-4", "std-16", 0),
        ("r1-mini", "cifar10", "cpu-16px-4", "std-16", 1),
        ("r1-mini", "cifar10", "cpu-16px-12", "std-32", 0),
        ("r1-mini", "digits", "cpu-16px-4", "std-16", 1),
        ("mb-mini", "cifar10", "cpu-16px-4", "std-16", 0),
        ("r2-mini", "imagenet16-120", "gpu-12", "std-16", 3),
    ],
)
def test_every_column_is_what_the_rows_say(
    bench: Bench, made: SimpleNamespace, space: str, dataset: str, recipe: str, protocol: str, seed: int
) -> None:
    truth = columns_of(bench, made, space, dataset, recipe, protocol, seed)
    view = bench.table(space, list(truth), dataset, recipe, protocol, seed)
    assert view.columns == tuple(truth) and len(view) == 1000
    assert view.arch_ids.tolist() == list(range(1000))
    for name, values in truth.items():
        assert nulled(view[name]) == values, name
        assert view.to_arrow().column(name).to_pylist() == values, name
    plain = bench.table(space, None, dataset, recipe, protocol, seed)
    assert plain.columns == tuple(name for name in truth if "." not in name)
    asked = {"dataset": dataset, "recipe": recipe, "protocol": protocol, "seed": seed}
    assert plain.selected == {"space": space} | asked


def test_a_table_is_in_build_order_with_the_columns_asked_for(bench: Bench) -> None:
    view = bench.table("r1-mini", ["params", "arch", "params", "archs.macs"])
    assert view.columns == tuple(next(iter(view))) == ("params", "arch", "archs.macs")
    assert "arch" in view and "macs" not in view
    assert view["arch"].tolist() == list(bench.space("r1-mini"))
    nothing = dict.fromkeys(("dataset", "recipe", "protocol", "seed"))
    assert view.selected == {"space": "r1-mini", **nothing} and view.title == "r1-mini"
    assert view.arch_ids.tolist() == list(range(1000))
    assert bench.table("r1-mini").columns == tuple(column.name for column in TABLES["archs"])
    with pytest.raises(UsageError, match="columns names nothing; name one or more of arch_id, arch, "):
        bench.table("r1-mini", [])
    assert "The first 20 of 1,000 rows." in repr(view)
    runs = bench.table("mb-mini", ["val_acc"], "cifar10")
    assert runs.title == "mb-mini, cifar10, cpu-16px-4, seed 0"
    assert runs.selected == {
        "space": "mb-mini",
        "dataset": "cifar10",
        "recipe": "cpu-16px-4",
        "protocol": None,
        "seed": 0,
    }
    assert bench.table("mb-mini", ["macs"], where="macs < 1e7").title == "mb-mini, where macs < 1e7"


def test_whole_columns_are_views_of_the_mapped_file(bench: Bench) -> None:
    names = ["macs", "s4_depth", "scores.macs", "zen"]
    one, two = (bench.table("r1-mini", names, "cifar10") for _ in range(2))
    for name in names:
        assert np.shares_memory(one[name], two[name]), name
        root = one[name]
        while isinstance(root.base, np.ndarray):
            root = root.base
        assert type(root.base).__name__ in ("mmap", "memoryview"), name


def test_columns_cannot_be_written(bench: Bench) -> None:
    for where in (None, "macs > 0"):
        view = bench.table("r1-mini", None, "cifar10", "cpu-16px-4", where=where)
        for values in (view.arch_ids, *(view[name] for name in view.columns)):
            with pytest.raises(ValueError, match="read-only"):
                values[0] = values[1]


def test_types_units_and_nulls_of_the_conversions(bench: Bench) -> None:
    view = bench.table(
        "r1-mini",
        ["arch", "s4_out", "macs", "status", "val_acc", "zen", "scores.macs"],
        "cifar10",
        "cpu-16px-4",
    )
    table, frame, polars = view.to_arrow(), view.to_pandas(), view.to_polars()
    assert [str(t) for t in table.schema.types] == [
        "string",
        "int16",
        "int64",
        "string",
        "double",
        "double",
        "double",
    ]
    assert (
        table.schema.field("val_acc").metadata[b"unit"] == b"fraction"
        and table.schema.field("scores.macs").metadata[b"meaning"]
    )
    assert (
        isinstance(frame, pd.DataFrame) and isinstance(polars, pl.DataFrame) and isinstance(table, pa.Table)
    )
    assert list(frame) == polars.columns == table.column_names == list(view.columns)
    assert polars.to_arrow().to_pylist() == table.to_pylist()
    assert [view[name].dtype for name in ("s4_out", "macs", "status", "zen")] == [
        np.float32,
        np.int64,
        object,
        np.float64,
    ]
    assert table.column("val_acc").null_count == 1000 - 59 and table.column("s4_out").null_count > 0
    for name in view.columns:
        assert [None if pd.isna(x) else x for x in frame[name]] == table.column(name).to_pylist()
    frame["macs"] = 0  # a frame is the caller's own
    frame.loc[0, "val_acc"] = 5.0
    assert view["macs"][0] != 0 and view["val_acc"][0] != 5.0


@pytest.mark.parametrize(
    ("where", "keeps"),
    [
        ("macs < 5e6 and s1_depth >= 2", lambda r: r["macs"] < 5e6 and r["s1_depth"] >= 2),
        ("s4_depth is None or s4_depth > 2", lambda r: r["s4_depth"] is None or r["s4_depth"] > 2),
        ("not s4_depth > 2", lambda r: r["s4_depth"] is not None and not r["s4_depth"] > 2),
        (
            "val_acc is not None and status == 'ok'",
            lambda r: r["val_acc"] is not None and r["status"] == "ok",
        ),
        ("status != 'ok'", lambda r: r["status"] == "diverged"),
        (
            "val_acc > 0.5 or zen > 1",
            lambda r: (r["val_acc"] or 0) > 0.5 or (r["zen"] is not None and r["zen"] > 1),
        ),
        (
            "scores.macs > 0 and archs.macs / params > 40",
            lambda r: r["scores.macs"] > 0 and r["macs"] / r["params"] > 40,
        ),
        ("arch == 'r1-mini-s16-d4w12s2-d1w16s2-d1w32s2-d2w48s1'", lambda r: r["arch_id"] == 7),
        ("macs < 0", lambda r: False),
    ],
)
def test_where_keeps_what_plain_python_keeps(
    bench: Bench, made: SimpleNamespace, where: str, keeps: Any
) -> None:
    truth = columns_of(bench, made, "r1-mini", "cifar10", made.short, "std-16", 0)
    rows = [dict(zip(truth, values, strict=True)) for values in zip(*truth.values(), strict=True)]
    kept = [row for row in rows if keeps(row)]
    view = bench.table("r1-mini", ["arch", "zen", "val_acc"], "cifar10", made.short, where=where)
    assert view.arch_ids.tolist() == [row["arch_id"] for row in kept]
    for name in view.columns:
        assert nulled(view[name]) == [row[name] for row in kept]
    assert (
        view.to_arrow().num_rows == len(view.to_pandas()) == len(view.to_polars()) == len(view) == len(kept)
    )


def test_the_mean_of_a_table(bench: Bench, made: SimpleNamespace, small: Any) -> None:
    """Over the same seeds for all.

    Null where one of them is, so that no arch has fewer seeds than another.
    """
    view = bench.table("r1-mini", dataset="digits", seed="mean")
    assert "status" not in view and view.selected["seed"] == "mean"
    for arch_id, mean in enumerate(nulled(view["val_acc"])[:40]):
        assert mean == bench.query(("r1-mini", arch_id)).accuracy("digits", seed="mean")
    rows = [
        (made.diverged_row if (i, s) == (1, 1) else made.run_row)(i, made.short, s)
        for i in range(3)
        for s in (0, 1)
    ]
    b = Bench(small("diverged", rows))
    assert [
        x is None for x in nulled(b.table("r1-mini", ["val_acc"], "cifar10", seed="mean")["val_acc"])[:4]
    ] == [False, True, False, True]
    assert b.query(("r1-mini", 1)).accuracy("cifar10", seed="mean") == rows[2]["val_acc"]


# Several spaces


def test_several_spaces_stand_one_after_the_other_with_their_name_in_front(bench: Bench) -> None:
    columns = ["arch", "macs", "val_acc", "zen"]
    asked: Any = {"dataset": "cifar10", "recipe": "cpu-16px-4"}
    table = bench.table(["mb-mini", "r1-mini", "mb-mini"], columns, **asked)
    assert table.columns == ("space", *columns) and len(table) == 2000
    for at, space in enumerate(("mb-mini", "r1-mini")):
        one = bench.table(space, columns, **asked)
        part = table.only(np.arange(1000 * at, 1000 * (at + 1)))
        assert part["space"].tolist() == [space] * 1000
        assert part.arch_ids.tolist() == list(range(1000))
        assert [row | {"space": space} for row in one] == list(part)
    assert table.selected["space"] == ["mb-mini", "r1-mini"]
    assert table.title == "mb-mini + r1-mini, cifar10, cpu-16px-4, std-16, seed 0"
    assert not table["macs"].flags.writeable and table["macs"].dtype == np.int64
    alone = bench.table(["mb-mini"], ["arch"])
    assert alone.columns == ("space", "arch") and alone.selected["space"] == ["mb-mini"]
    assert bench.table("mb-mini", ["arch", "space"]).columns == ("arch", "space")


def test_what_only_one_space_has_is_null_in_the_other(
    made: SimpleNamespace, tmp_path: Any, few_archs: None
) -> None:
    """Choices of an imported space beside the stages of ours; each with its own protocol."""
    from builders.work.commit import commit_release
    from tests.importers.made import NUM, imported

    ours = made.as_tables({("scores", "mb-mini", "cifar10"): [made.score_row(0)]}, ["mb-mini"])
    published = imported(tmp_path, "nbmacro").release.files.tables()
    commit_release(tmp_path / "both", {**ours, **published}, "0.1.0")
    b = Bench(tmp_path / "both")
    table = b.table(["mb-mini", "nbmacro"], dataset="cifar10")
    assert {"s1_out", "layer_1", "zen", "test_acc"} <= set(table.columns)
    mini, other = (table.only(table["space"] == space) for space in ("mb-mini", "nbmacro"))
    assert (len(mini), len(other)) == (1000, NUM)
    assert np.isnan(mini["layer_1"]).all() and not np.isnan(other["layer_1"]).any()
    assert np.isnan(other["s1_out"]).all() and not np.isnan(mini["s1_out"]).any()
    arrow = table.to_arrow()
    assert str(arrow.schema.field("s1_out").type) == "int16"
    assert arrow.column("layer_1").null_count == 1000 and arrow.column("s1_out").null_count == NUM
    assert table.to_pandas()["layer_1"].isna().sum() == 1000 == table.to_polars()["layer_1"].null_count()
    kept = b.table(["mb-mini", "nbmacro"], ["arch"], where="layer_8 == 1 or s1_out > 40")
    assert {*kept["space"]} == {"mb-mini", "nbmacro"} and len(kept) < len(table)
    with pytest.raises(UnknownNameError, match="no column named 'layer_99'"):
        b.table(["mb-mini", "nbmacro"], ["layer_99"])


def test_all_seeds_of_several_spaces_with_what_each_lacks_noted(bench: Bench, made: SimpleNamespace) -> None:
    table = bench.table(["r1-mini", "mb-mini"], ["val_acc", "curve"], "cifar10", made.short, seed="all")
    assert table.columns == ("space", "seed", "val_acc", "curve") and len(table) == 80 + 10
    assert table.notes == (
        "r1-mini: No row: 940 of 1,000 archs, which have no runs here.",
        "mb-mini: No row: 990 of 1,000 archs, which have no runs here.",
    )
    assert table.to_arrow().num_rows == len(table.to_pandas()) == len(table.to_polars()) == 90
    where = "space == 'mb-mini' and val_acc > 0"
    part = bench.table(["r1-mini", "mb-mini"], ["val_acc"], "cifar10", made.short, where=where)
    assert part["space"].tolist() == ["mb-mini"] * 10


def test_runs_of_several_recipes_are_not_mixed_in_one_table(made: SimpleNamespace, tmp_path: Any) -> None:
    from builders.work.commit import commit_release

    rows: Any = {
        ("runs", "r1-mini", "cifar10"): [made.run_row(0)],
        ("runs", "mb-mini", "cifar10"): [made.run_row(1, "gpu-12")],
    }
    commit_release(tmp_path / "two", made.as_tables(rows, ["r1-mini", "mb-mini"]), "0.1.0")
    b = Bench(tmp_path / "two")
    both = ["r1-mini", "mb-mini"]
    mixed = "never mixed: cpu-16px-4 of r1-mini, gpu-12 of mb-mini; name one with recipe="
    with pytest.raises(UsageError, match=mixed):
        b.table(both, ["val_acc"], "cifar10")
    named = b.table(both, ["val_acc"], "cifar10", "gpu-12", where="val_acc is not None")
    assert named["space"].tolist() == ["mb-mini"] and named.arch_ids.tolist() == [1]


@pytest.mark.parametrize(
    ("space", "error", "said"),
    [
        ([], UsageError, "space is an empty list; name one or more of r1-mini, r2-mini, mb-mini"),
        (["r1-mini", "r9"], UnknownNameError, "no space named 'r9'"),
        (["r1-mini", 3], UsageError, "space is 3; it is one name"),
        (7, UsageError, "space is 7; it is one name"),
    ],
)
def test_other_spaces_are_refused(bench: Bench, space: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        bench.table(space)


def test_a_table_marks_the_doubtful_scores_among_its_columns(made: SimpleNamespace, tmp_path: Any) -> None:
    from builders.work.commit import commit_release

    rows: Any = {("scores", space, "cifar10"): [made.score_row(0)] for space in ("mb-mini", "r1-mini")}
    commit_release(tmp_path / "both", made.as_tables(rows, ["mb-mini", "r1-mini"]), "0.1.0")
    b = Bench(tmp_path / "both")
    for space in ("mb-mini", ["mb-mini", "r1-mini"]):
        table = b.table(space, ["jacob_cov", "zen"], "cifar10")
        assert table.doubtful == {"jacob_cov"}
        assert [note for note in table.notes if note.startswith("* Doubtful in mb-mini: jacob_cov; the")]
        assert "jacob_cov*" in repr(table) and table.to_csv().count("*") == 0
    for space in ("r1-mini", ["r1-mini"]):
        assert b.table(space, None, "cifar10").doubtful == set()
