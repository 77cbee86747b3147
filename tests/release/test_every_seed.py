"""Tables with a row per arch and seed, against the rows that their release was made from."""

import csv
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbzero import Bench
from nbzero.errors import UnknownNameError, UsageError
from nbzero.release.every_seed import EverySeed


def rows_of(
    made: SimpleNamespace, kind: str, dataset: str, key: str, name: str
) -> dict[tuple[int, int], Any]:
    """(arch_id, seed) -> the row of one recipe or protocol of r1-mini."""
    listed = made.rows[kind, "r1-mini", dataset]
    return {(row["arch_id"], row["seed"]): row for row in listed if row[key] == name}


@pytest.fixture(scope="module")
def runs(made: SimpleNamespace) -> dict[tuple[int, int], Any]:
    return rows_of(made, "runs", "cifar10", "recipe", made.short)


@pytest.fixture(scope="module")
def scores(made: SimpleNamespace) -> dict[tuple[int, int], Any]:
    return rows_of(made, "scores", "cifar10", "protocol", "std-16")


def test_runs_alone_have_a_row_for_each_run_and_a_note_on_the_rest(
    bench: Bench, made: SimpleNamespace, runs: dict[tuple[int, int], Any]
) -> None:
    table = bench.table("r1-mini", ["arch", "status", "val_acc"], "cifar10", made.short, seed="all")
    assert table.columns == ("seed", "arch", "status", "val_acc") and len(table) == len(runs) == 80
    found = zip(table.arch_ids.tolist(), table, strict=True)
    for key, (arch_id, row) in zip(sorted(runs), found, strict=True):
        assert (arch_id, row["seed"]) == key
        assert row["arch"] == bench.space("r1-mini")[arch_id]
        assert (row["status"], row["val_acc"]) == (runs[key]["status"], runs[key]["val_acc"])
    assert table.notes == ("No row: 940 of 1,000 archs, which have no runs here.",)
    assert table.title == "r1-mini, cifar10, cpu-16px-4, all seeds" and table.selected["seed"] == "all"
    assert table["seed"].dtype == np.int32 and not table["seed"].flags.writeable


def test_runs_and_scores_join_by_arch_and_seed_and_lack_what_one_of_them_has_not(
    bench: Bench, made: SimpleNamespace, runs: dict[tuple[int, int], Any], scores: dict[tuple[int, int], Any]
) -> None:
    """Runs have the seeds 0 and 1, scores 0 to 2, of other archs: a full outer join, by pandas."""
    table = bench.table("r1-mini", ["arch_id", "seed", "val_acc", "zen"], "cifar10", made.short, seed="all")
    key = ["arch_id", "seed"]
    left = pd.DataFrame(list(runs.values()))[[*key, "val_acc"]]
    right = pd.DataFrame(list(scores.values()))[[*key, "zen"]]
    truth = left.merge(right, how="outer", on=key).sort_values(key, ignore_index=True)
    assert table.columns == ("arch_id", "seed", "val_acc", "zen") and table.notes == ()
    pd.testing.assert_frame_equal(table.to_pandas(), truth, check_dtype=False)
    assert len(table) == len(set(runs) | set(scores)) == 1100


def test_every_column_of_a_seed_is_that_of_the_table_of_this_seed(
    bench: Bench, made: SimpleNamespace
) -> None:
    every = bench.table("r1-mini", None, "cifar10", made.short, seed="all")
    for seed in (0, 1, 2):
        one = bench.table("r1-mini", None, "cifar10", made.short, seed=seed)
        part = every.only(every["seed"] == seed)
        assert part.columns == ("seed", *one.columns)
        for row, arch_id in zip(part, part.arch_ids.tolist(), strict=True):
            assert row.pop("seed") == seed and row == one_row(one, arch_id)


def one_row(table: Any, arch_id: int) -> dict[str, Any]:
    return next(iter(table.only(np.array([arch_id]))))


def test_a_condition_reads_the_seed_and_columns_that_are_not_shown(
    bench: Bench, made: SimpleNamespace, runs: dict[tuple[int, int], Any], scores: dict[tuple[int, int], Any]
) -> None:
    where = "seed == 1 and zen is not None"
    table = bench.table("r1-mini", ["val_acc"], "cifar10", made.short, seed="all", where=where)
    kept = [key for key in sorted(set(runs) | set(scores)) if key[1] == 1 and key in scores]
    assert table.arch_ids.tolist() == [arch_id for arch_id, _ in kept] and set(table["seed"]) == {1}
    none = bench.table("r1-mini", ["val_acc"], "cifar10", made.short, seed="all", where="seed > 7")
    assert len(none) == 0 and none.columns == ("seed", "val_acc") and none.to_arrow().num_rows == 0


def test_curves_are_lists_in_every_form(
    bench: Bench, made: SimpleNamespace, runs: dict[tuple[int, int], Any]
) -> None:
    """Those of diverged runs are shorter; where there is no run there is none."""
    table = bench.table("r1-mini", ["curve", "zen"], "cifar10", made.short, seed="all")
    keys = list(zip(table.arch_ids.tolist(), table["seed"].tolist(), strict=True))
    truth = [runs[key]["curve"] if key in runs else None for key in keys]
    assert {len(curve) for curve in truth if curve} == {1, 4} and None in truth
    for held, curve in zip(table["curve"], truth, strict=True):
        assert (held is None) == (curve is None)
        if curve is not None:
            assert held.dtype == np.float64 and held.tolist() == curve and not held.flags.writeable
    assert [row["curve"] for row in table] == truth
    arrow = table.to_arrow()
    assert str(arrow.schema.field("curve").type).startswith("list<")
    assert arrow.schema.field("curve").metadata[b"unit"] == b"fraction"
    assert arrow.column("curve").to_pylist() == truth == table.to_polars()["curve"].to_list()
    cells = [None if cell is None else cell.tolist() for cell in table.to_pandas()["curve"]]
    assert cells == truth
    assert [row["curve"] for row in json.loads(table.to_json())["rows"]] == truth
    texts = [row["curve"] for row in csv.DictReader(table.to_csv().splitlines())]
    assert [json.loads(text) if text else None for text in texts] == truth
    assert " ".join(f"{value:.4g}" for value in truth[0]) in repr(table)


def test_a_curve_of_one_seed_and_of_a_record_are_the_same(bench: Bench, made: SimpleNamespace) -> None:
    table = bench.table("r1-mini", ["curve"], "cifar10", made.short, seed=1)
    for arch_id, curve in enumerate(table["curve"][:30]):
        run = bench.query(("r1-mini", arch_id)).run("cifar10", made.short, 1)
        assert (curve is None) == (run is None)
        if run is not None:
            assert tuple(curve) == run.curve
    assert "curve" not in bench.table("r1-mini", None, "cifar10", made.short)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"columns": ["arch"], "dataset": "cifar10"}, UsageError, "no column is of them; name one, with its"),
        ({}, UsageError, r"no column is of them; name one, with its dataset=\['cifar10', 'digits'\]"),
        ({"columns": ["val_acc"]}, UsageError, "column 'val_acc' is of the runs tables: say which"),
        ({"columns": ["zen"], "dataset": "cifar10", "seed": "every"}, UsageError, "or 'all' of a table"),
        ({"columns": ["curve"], "dataset": "digits", "seed": "mean"}, UsageError, "curve has no mean; name"),
        ({"columns": ["seed"], "seed": 0}, UnknownNameError, "seed='all' gives a row per arch and seed"),
        (
            {"columns": ["zen"], "dataset": "digits", "where": "curve > 0.5"},
            UsageError,
            "'curve > 0.5' is a list of numbers in each row; conditions compare single ones: val_acc",
        ),
    ],
)
def test_what_has_no_seeds_no_mean_or_no_single_number(
    bench: Bench, asked: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        bench.table("r1-mini", **{"seed": "all", **asked})


def test_a_space_without_rows_has_none_and_says_so(bench: Bench) -> None:
    table = bench.table("r2-mini", ["arch", "zen", "curve"], "cifar10", seed="all")
    assert len(table) == 0 and table.to_arrow().num_rows == 0 and len(table.to_polars()) == 0
    assert table.notes == ("No row: 1,000 of 1,000 archs, which have no runs and no scores here.",)


def test_the_seeds_of_a_table_that_no_column_is_of_make_no_rows(bench: Bench) -> None:
    rows = EverySeed(bench.release.space("r1-mini"), "cifar10", {"runs": "cpu-16px-12"})
    assert rows.ids.tolist() == [2, 5, 11, 999] and rows.seeds.tolist() == [0] * 4
    assert rows.of_archs("arch").tolist() == [bench.space("r1-mini")[i] for i in (2, 5, 11, 999)]
    runs = bench.table(["r1-mini", "r2-mini"], ["val_acc"], "cifar10", "cpu-16px-12", seed="all")
    assert runs.arch_ids.tolist() == [2, 5, 11, 999]  # r2-mini has neither runs nor a row
