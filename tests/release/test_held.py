"""What a release holds of each space, counted again by pandas over its Parquet files."""

from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from nbzero import Bench
from nbzero.release.held import Held, held, summary
from nbzero.release.opened import Group, OpenedSpace


def num_archs(bench: Bench, kind: Any, space: str, dataset: str, recipe: str | None = None) -> int:
    table = bench.arrow(kind, space, dataset).to_pandas()
    if recipe is not None:
        table = table[table["recipe"] == recipe]
    return int(table["arch_id"].nunique())


def test_networks_are_counted_once_for_each_space_data_set_and_recipe(bench: Bench) -> None:
    rows = held(bench.release)
    keys = [(row.space, row.dataset, row.recipe) for row in rows]
    assert keys == [
        ("r1-mini", "cifar10", "cpu-16px-12"),
        ("r1-mini", "cifar10", "cpu-16px-4"),
        ("r1-mini", "digits", "cpu-16px-4"),
        ("r2-mini", None, None),
        ("mb-mini", "cifar10", "cpu-16px-4"),
    ]
    for row in rows:
        assert row.networks == 1000 and row.predicted is None
        if row.dataset is not None:
            assert row.trained == num_archs(bench, "runs", row.space, row.dataset, row.recipe)
    assert [row.trained for row in rows] == [4, 60, 30, 0, 10]
    assert [row.scored for row in rows] == [1000, 1000, 0, 0, 0]
    # 999 was trained with the other recipe alone; the seeds of a network do not add up.
    assert summary(bench.release) == "71 of 3,000 networks trained, 1,000 scored, 0 predicted."


def test_a_data_set_with_scores_alone_is_a_row(made: SimpleNamespace, tmp_path: Any) -> None:
    from builders.work.commit import commit_release

    rows: Any = {("scores", "r2-mini", "digits"): [made.score_row(0), made.score_row(0, seed=1)]}
    commit_release(tmp_path / "scored", made.as_tables(rows, ["r2-mini"]), "0.1.0")
    release = Bench(tmp_path / "scored").release
    assert held(release) == [Held("r2-mini", 1000, "digits", None, 0, 1, None)]
    assert summary(release) == "0 of 1,000 networks trained, 1 scored, 0 predicted."


def test_predictions_are_counted_by_recipe_and_are_no_trainings(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that has predictions of all members for one recipe, and of three for one without runs."""
    groups = {("cpu-16px-4", 0): Group(ids(range(1000)), 0, 1000), ("gpu-12", 0): Group(ids(range(3)), 0, 3)}
    there = OpenedSpace.groups

    def with_predictions(space: OpenedSpace, table: str) -> dict[tuple[str, int], Group]:
        if (space.name, table) == ("mb-mini", "predictions/cifar10"):
            return groups
        return there(space, table)

    monkeypatch.setattr(OpenedSpace, "groups", with_predictions)
    rows = [row for row in held(bench.release) if row.space == "mb-mini"]
    assert rows == [
        Held("mb-mini", 1000, "cifar10", "cpu-16px-4", 10, 0, 1000),
        Held("mb-mini", 1000, "cifar10", "gpu-12", 0, 0, 3),
    ]
    assert summary(bench.release) == "71 of 3,000 networks trained, 1,000 scored, 1,000 predicted."


def ids(numbers: range) -> memoryview:
    return memoryview(array("i", numbers))
