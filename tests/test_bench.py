"""Bench against the rows that its release was made from: every look-up, table, conversion, and every name it must refuse."""

import copy
import dataclasses
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nbzero
from builders.work.commit import commit_release
from nbzero import Arch, Bench, NotAMemberError, ReleaseError, UnknownNameError
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import PASSES, TABLES

GRID_NOT_MEMBER = "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"
RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")


def reopened(bench: Bench) -> Bench:
    return Bench(bench._release.folder)


# One arch


def test_three_ways_to_ask_give_one_record(bench: Bench) -> None:
    for space in bench.spaces:
        archs = bench.arrow("archs", space).column("arch").to_pylist()
        for arch_id, arch in enumerate(archs):
            r = bench.query(arch)
            assert (r.space, r.arch_id, r.arch) == (space, arch_id, arch)
        for arch_id in (0, 1, 500, 999):
            same = [
                bench.query(archs[arch_id]),
                bench.query(Arch.parse(archs[arch_id])),
                bench.query((space, np.int32(arch_id))),
            ]
            assert same[0] == same[1] == same[2] and len(set(same)) == 1
            fresh = reopened(bench)
            assert fresh.query(Arch.parse(archs[arch_id])) == same[0]  # whatever was opened before


def test_a_record_says_what_its_arch_string_says(bench: Bench) -> None:
    for space in bench.spaces:
        for arch in bench.space(space).sample(20, seed=0):
            r, parsed = bench.query(arch), Arch.parse(arch)
            assert (r.macs, r.params, r.depth, r.stem, r.stages) == (
                parsed.macs,
                parsed.params,
                parsed.depth,
                parsed.stem,
                parsed.stages,
            )
            assert r.flops == 2 * r.macs
            assert all(type(number) is int for number in (r.macs, r.params, r.depth, r.flops))
            assert arch in repr(r) and str(r.macs) in repr(r)


def test_every_run_and_no_other(bench: Bench, made: SimpleNamespace) -> None:
    rows = {
        (*key[1:], row["recipe"], row["seed"], row["arch_id"]): row
        for key, listed in made.rows.items()
        if key[0] == "runs"
        for row in listed
    }
    asked = 0
    for space, dataset in (
        ("r1-mini", "cifar10"),
        ("r1-mini", "digits"),
        ("mb-mini", "cifar10"),
        ("r2-mini", "cifar10"),
        ("r1-mini", "cifar100"),
    ):
        for recipe, seed in ((made.short, 0), (made.short, 1), (made.long, 0), (made.short, 5)):
            for arch_id in (*range(70), 500, 998, 999):
                r, row = bench.query((space, arch_id)), rows.get((space, dataset, recipe, seed, arch_id))
                run = r.run(dataset, recipe, seed)
                assert (run is None) == (row is None)
                for split in ("val", "test"):
                    found = r.accuracy(dataset, recipe=recipe, split=split, seed=seed)
                    assert found == (row[f"{split}_acc"] if row else None)
                    assert (r.accuracy_reason(dataset, recipe, split, seed) is None) == (found is not None)
                if run is not None:
                    said = dataclasses.asdict(run) | {"curve": list(run.curve)}
                    assert said == {k: v for k, v in row.items() if k != "arch_id"} | {
                        "arch": r.arch,
                        "dataset": dataset,
                    }
                    asked += 1
    assert asked == sum(row["arch_id"] < 70 or row["arch_id"] == 999 for row in rows.values()) == len(rows)


def test_every_score_and_no_other(bench: Bench, made: SimpleNamespace) -> None:
    rows = {
        (row["protocol"], row["seed"], row["arch_id"]): row
        for row in made.rows["scores", "r1-mini", "cifar10"]
    }
    asked = 0
    for protocol, seed in (("std-16", 0), ("std-16", 1), ("std-16", 2), ("std-32", 0), ("std-32", 1)):
        for arch_id in range(1000) if seed == 0 else range(60):
            r, row = bench.query(("r1-mini", arch_id)), rows.get((protocol, seed, arch_id))
            assert [r.score(name, "cifar10", protocol, seed) for name in PROXIES] == [
                row and row[name] for name in PROXIES
            ]
            scores = r.scores("cifar10", protocol, seed)
            assert (scores is None) == (row is None)
            if scores is not None:
                assert (scores.arch, scores.dataset, scores.protocol, scores.seed) == (
                    r.arch,
                    "cifar10",
                    protocol,
                    seed,
                )
                assert scores.values == {name: row[name] for name in PROXIES}
                assert scores.seconds == {name: row[f"{name}_s"] for name in PASSES}
                assert scores.failures == json.loads(row["failures"] or "{}")
                assert (scores.device, scores.software, scores.builder_commit) == (
                    row["device"],
                    row["software"],
                    row["builder_commit"],
                )
                asked += 1
    assert asked == len(rows)


def test_what_the_caller_need_not_say(bench: Bench) -> None:
    """Seed 0, the validation images, the standard protocol, and the recipe where there is only one."""
    r, mb = bench.query(("r1-mini", 5)), bench.query(("mb-mini", 5))
    assert (
        mb.accuracy("cifar10") == mb.accuracy("cifar10", recipe="cpu-16px-4", split="val", seed=0) is not None
    )
    assert (
        r.accuracy("digits", seed=1)
        == r.accuracy("digits", "cpu-16px-4", "val", np.int64(1))
        != r.accuracy("digits")
    )
    assert (
        r.score("zen", dataset="cifar10", protocol=None, seed=None)
        == r.score("zen", "cifar10", "std-16", 0)
        is not None
    )
    assert bench.query(("r1-mini", 1)).score("zen", "cifar10") != bench.query(("r1-mini", 1)).score(
        "zen", "cifar10", "std-32"
    )


def test_mean_is_over_the_seeds_that_have_a_number(bench: Bench, made: SimpleNamespace) -> None:
    acc = {
        (row["arch_id"], row["seed"]): row["val_acc"]
        for row in made.rows["runs", "r1-mini", "cifar10"]
        if row["recipe"] == made.short
    }
    for arch_id in (0, 3, 7, 25, 70):  # two seeds; seed 1 diverged; seed 0 diverged; one seed; none
        there = [acc[arch_id, seed] for seed in (0, 1) if acc.get((arch_id, seed)) is not None]
        found = bench.query(("r1-mini", arch_id)).accuracy("cifar10", made.short, seed="mean")
        assert found == (sum(there) / len(there) if there else None)
    r = bench.query(("r1-mini", 4))  # seed 0 has no naswot
    assert (
        r.score("naswot", "cifar10", seed="mean")
        == sum(r.score("naswot", "cifar10", seed=s) or 0 for s in (1, 2)) / 2
    )
    assert bench.query(("r1-mini", 8)).score("naswot", "cifar10", seed="mean") == -np.inf


def test_reasons(bench: Bench, made: SimpleNamespace) -> None:
    r = bench.query(("r1-mini", 70))
    assert (
        r.accuracy_reason("cifar10", made.short)
        == "this arch has no run on cifar10 with recipe cpu-16px-4 and seed 0"
    )
    assert (
        r.accuracy_reason("cifar10", made.short, seed="mean")
        == "this arch has no run on cifar10 with recipe cpu-16px-4 and seed 0, 1"
    )
    assert (
        r.accuracy_reason("cifar10", "gpu-12")
        == "the release has no runs of r1-mini on cifar10 with recipe gpu-12"
    )
    assert r.accuracy_reason("cifar100") == "the release has no runs of r1-mini on cifar100"
    assert r.accuracy_reason("cifar100", seed="mean") == "the release has no runs of r1-mini on cifar100"
    assert (
        r.score_reason("zen", "digits")
        == "the release has no scores of r1-mini on digits with protocol std-16"
    )
    assert (
        r.score_reason("zen", "cifar10", seed=1)
        == "this arch has no scores on cifar10 with protocol std-16 and seed 1"
    )
    assert "diverged" in bench.query(("r1-mini", 7)).accuracy_reason("cifar10", made.short)
    assert "no ReLU layer" in bench.query(("r1-mini", 4)).score_reason("naswot", "cifar10")
    assert (
        bench.query(("r1-mini", 6)).score_reason("zen", "cifar10")
        == "not computed by the job that scored this arch"
    )
    assert bench.query(("r1-mini", 8)).score_reason("naswot", "cifar10") is None  # minus infinity is a number


def test_records_cannot_be_changed(bench: Bench) -> None:
    r = bench.query(("r1-mini", 0))
    for change in (
        lambda: setattr(r, "macs", 1),
        lambda: setattr(r, "arch_id", 1),
        lambda: setattr(r, "new", 1),
        lambda: delattr(r, "arch_id"),
    ):
        with pytest.raises(AttributeError, match="released rows are never edited"):
            change()
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.run("digits").val_acc = 1.0  # type: ignore[misc]


def test_records_of_different_archs_or_releases_differ(bench: Bench, small: Any) -> None:
    r = bench.query(("r1-mini", 0))
    assert r != bench.query(("r1-mini", 1)) and r != r.arch
    assert r != Bench(small("other")).query(("r1-mini", 0))


def test_bench_and_records_go_to_other_processes(
    bench: Bench, made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    r = bench.query(("r1-mini", 5))
    r.accuracy("cifar10", made.short)
    monkeypatch.chdir(tmp_path)
    for again in (pickle.loads(pickle.dumps(r)), copy.deepcopy(r)):
        assert again == r and again.accuracy("cifar10", made.short) == r.accuracy("cifar10", made.short)
    assert pickle.loads(pickle.dumps(bench)).sha256 == bench.sha256
    scores = bench.query(("r1-mini", 4)).scores("cifar10")
    assert scores is not None and pickle.loads(pickle.dumps(scores)) == scores
    assert dataclasses.asdict(scores)["failures"].keys() == {"naswot"}


def test_a_relative_folder_survives_a_change_of_directory(
    release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(release.parent)
    b = Bench(release.name)
    monkeypatch.chdir(tmp_path)
    assert b.query(("r1-mini", 0)).macs > 0


@pytest.mark.parametrize(
    "text", ["r1-mini-s4", "r1-mini-s5-d1w4s2-d1w4s2-d1w4s2", "R1-mini-s4-d1w4s2-d1w4s2-d1w4s2", "", " "]
)
def test_malformed_archs_say_what_is_wrong(bench: Bench, text: str) -> None:
    with pytest.raises(ValueError, match=f"{text!r}: "):
        bench.query(text)


def test_archs_outside_the_tables(bench: Bench) -> None:
    assert GRID_NOT_MEMBER not in bench.space("r1-mini")
    for arch in (GRID_NOT_MEMBER, Arch.parse(GRID_NOT_MEMBER)):
        with pytest.raises(
            NotAMemberError, match="no member, so no table has it; nearest members: r1-mini-"
        ) as caught:
            bench.query(arch)
        assert all(near in bench.space("r1-mini") for near in caught.value.nearest)
    with pytest.raises(UnknownNameError, match="no space named 'r1'; Known: mb-mini, r1-mini, r2-mini"):
        bench.query(
            "r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2"
        )  # a member of a space that this release does not have


@pytest.mark.parametrize("arch_id", [1000, -1, 10**9])
def test_arch_ids_outside_the_space(bench: Bench, arch_id: int) -> None:
    with pytest.raises(IndexError, match=f"arch_id {arch_id}; r1-mini has 0 to 999"):
        bench.query(("r1-mini", arch_id))


@pytest.mark.parametrize(
    "key",
    [
        (),
        ("r1-mini",),
        ("r1-mini", "0"),
        ("r1-mini", 1.0),
        ("r1-mini", True),
        ("r1-mini", None),
        ("r1-mini", 0, 0),
    ],
)
def test_other_tuples(bench: Bench, key: Any) -> None:
    with pytest.raises(ValueError, match=r"names no arch; a tuple is \(space, arch_id\)"):
        bench.query(key)


def test_an_arch_by_its_number_as_text(bench: Bench) -> None:
    with pytest.raises(
        ValueError,
        match=r"'r1-mini:3' is no arch string; an arch by its number is a tuple: query\(\('r1-mini', 3\)\)",
    ):
        bench.query("r1-mini:3")
    with pytest.raises(ValueError, match="an arch begins with its space"):
        bench.query("r9:3")


@pytest.mark.parametrize("given", [None, 5, ["r1-mini", 5], b"r1-mini"])
def test_what_is_no_arch_at_all(bench: Bench, given: Any) -> None:
    with pytest.raises(ValueError, match="an arch is a string like"):
        bench.query(given)


# Names


UNKNOWN = [
    (lambda b, r: b.query(("r1-mnii", 0)), "no space named 'r1-mnii'; did you mean 'r1-mini'"),
    (lambda b, r: b.table("r1-mnii"), "no space named 'r1-mnii'; did you mean 'r1-mini'"),
    (lambda b, r: b.space("r3-mini"), "no space named 'r3-mini'; did you mean"),
    (lambda b, r: b.arrow("archs", "r1-mnii"), "no space named 'r1-mnii'"),
    (lambda b, r: b.datasets("nope"), "no space named 'nope'; Known: mb-mini, r1-mini, r2-mini"),
    (lambda b, r: b.recipes("r1-mini", "cifar-10"), "no dataset named 'cifar-10'; did you mean 'cifar10'"),
    (lambda b, r: b.protocols("r1-mini", "cifar-10"), "no dataset named 'cifar-10'"),
    (lambda b, r: r.accuracy("cifar-10"), "no dataset named 'cifar-10'; did you mean 'cifar10'"),
    (lambda b, r: r.accuracy_reason("cifar-10"), "no dataset named 'cifar-10'"),
    (lambda b, r: r.score("zen", "CIFAR10"), "no dataset named 'CIFAR10'; .*Known: cifar10, "),
    (lambda b, r: r.run("mnist"), "no dataset named 'mnist'"),
    (lambda b, r: b.table("r1-mini", ["macs"], dataset="cifar-10"), "no dataset named 'cifar-10'"),
    (lambda b, r: b.arrow("runs", "r1-mini", "cifar-10"), "no dataset named 'cifar-10'"),
    (
        lambda b, r: r.accuracy("cifar10", "cpu-16px4"),
        "no recipe named 'cpu-16px4'; did you mean 'cpu-16px-4' or 'cpu-16px-12'",
    ),
    (lambda b, r: r.accuracy("cifar10", ""), "no recipe named ''"),
    (lambda b, r: r.accuracy("cifar10", "cpu-16px4", seed="mean"), "no recipe named 'cpu-16px4'"),
    (lambda b, r: r.run("cifar10", "gpu12"), "no recipe named 'gpu12'; did you mean 'gpu-12'"),
    (lambda b, r: b.seeds("r1-mini", "cifar10", "gpu12"), "no recipe named 'gpu12'"),
    (lambda b, r: b.table("r1-mini", ["val_acc"], "cifar10", "gpu12"), "no recipe named 'gpu12'"),
    (lambda b, r: b.table("r1-mini", ["macs"], "cifar10", "gpu12"), "no recipe named 'gpu12'"),
    (lambda b, r: r.score("zen", "cifar10", "std16"), "no protocol named 'std16'; did you mean 'std-16'"),
    (lambda b, r: r.scores("cifar10", "std16"), "no protocol named 'std16'"),
    (lambda b, r: b.table("r1-mini", ["zen"], "cifar10", protocol="std16"), "no protocol named 'std16'"),
    (
        lambda b, r: r.score("zen_score", "cifar10"),
        "no proxy named 'zen_score'; did you mean 'zen_no_shortcut' or 'zen'",
    ),
    (lambda b, r: r.score_reason("naswott", "cifar10"), "no proxy named 'naswott'; did you mean 'naswot'"),
    (lambda b, r: b.table("r1-mini", ["macss"]), "no column named 'macss'; did you mean 'macs'"),
    (lambda b, r: b.table("r1-mini", where="macss < 1"), "no column named 'macss'; did you mean 'macs'"),
    (
        lambda b, r: b.table("r1-mini", ["scores.zenn"], "cifar10"),
        "no column of scores named 'zenn'; did you mean 'zen'",
    ),
    (
        lambda b, r: b.table("r1-mini", ["run.val_acc"], "cifar10"),
        "no table named 'run'; did you mean 'runs'",
    ),
    (
        lambda b, r: b.table("r1-mini", ["curve"], "cifar10"),
        r"column 'curve' of runs is not offered here; .*Bench.arrow\('runs'",
    ),
    (
        lambda b, r: b.table("r1-mini", ["scores.failures"], "cifar10"),
        "column 'scores.failures' of scores is not offered here",
    ),
    (lambda b, r: b.table("r1-mini", ["macs"])["params"], "no column named 'params'; .*Known: macs"),
    (lambda b, r: b.arrow("run", "r1-mini", "cifar10"), "no table named 'run'; did you mean 'runs'"),
]


@pytest.mark.parametrize(("ask", "said"), UNKNOWN)
def test_unknown_names_show_near_matches(bench: Bench, ask: Any, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        ask(bench, bench.query(("r1-mini", 0)))


WRONG = [
    (
        lambda b, r: r.accuracy("cifar10"),
        "several recipes, which are never mixed; name one: cpu-16px-12, cpu-16px-4",
    ),
    (lambda b, r: b.table("r1-mini", ["val_acc"], "cifar10"), "several recipes, .* name one"),
    (lambda b, r: r.accuracy("digits", split="train"), "split 'train'; it is 'val', or 'test'"),
    (lambda b, r: r.accuracy("digits", seed="all"), "seed 'all'; it is None"),
    (lambda b, r: r.accuracy("digits", seed=-1), "seed -1; it is None"),
    (lambda b, r: r.accuracy("digits", seed=0.0), "seed 0.0; it is None"),
    (lambda b, r: r.accuracy("digits", seed=True), "seed True; it is None"),
    (lambda b, r: r.score("zen", "cifar10", seed="0"), "seed '0'; it is None"),
    (lambda b, r: r.run("digits", seed="mean"), "seed 'mean'; .* where one number is asked for"),
    (lambda b, r: r.scores("cifar10", seed="mean"), "seed 'mean'"),
    (lambda b, r: b.table("r1-mini", ["macs"], seed="first"), "seed 'first'"),
    (lambda b, r: b.table("r1-mini", "macs"), r"columns is 'macs'; it is a list of names: \['macs'\]"),
    (lambda b, r: b.table("r1-mini", [0]), "columns holds 0; it is a list of names"),
    (
        lambda b, r: b.table("r1-mini", ["val_acc"]),
        r"column 'val_acc' is of the runs tables: say which, dataset=\['cifar10', 'digits'\]",
    ),
    (
        lambda b, r: b.table("r1-mini", where="zen > 0"),
        "column 'zen' is of the scores tables: say which, dataset=",
    ),
    (lambda b, r: b.table("r1-mini", recipe="cpu-16px-4"), "recipe and protocol go with a dataset"),
    (lambda b, r: b.table("r1-mini", protocol="std-16"), "recipe and protocol go with a dataset"),
    (lambda b, r: b.table("r1-mini", where=""), "'' cannot be read"),
    (lambda b, r: b.table("r1-mini", where=np.ones(1000, bool)), "a condition is a text"),
    (lambda b, r: b.arrow("runs", "r1-mini"), "dataset None with the runs table; .* runs and scores of one"),
    (lambda b, r: b.arrow("archs", "r1-mini", "cifar10"), "dataset 'cifar10' with the archs table"),
    (
        lambda b, r: b.table("r1-mini", ["val_acc"], "cifar10", "cpu-16px-4", seed="mean"),
        "needs the same seeds for every arch of r1-mini on cifar10, but there are seed 0: 60 archs, seed 1: 20 archs; name one",
    ),
    (lambda b, r: b.table("r1-mini", ["status"], "digits", seed="mean"), "status has no mean; name a seed"),
]


@pytest.mark.parametrize(("ask", "said"), WRONG)
def test_wrong_values_say_what_is_allowed(bench: Bench, ask: Any, said: str) -> None:
    for _ in range(2):  # a value that was right before must not have taught it anything
        with pytest.raises(ValueError, match=said):
            ask(bench, bench.query(("r1-mini", 0)))
        (
            bench.query(("r1-mini", 0)).accuracy("digits", seed=0),
            bench.query(("r1-mini", 0)).accuracy("digits", seed=1),
        )


def test_a_table_that_the_release_lacks(bench: Bench) -> None:
    with pytest.raises(
        ReleaseError,
        match=r"has no scores/r1-mini/digits.parquet; its manifest names archs/mb-mini.parquet, ",
    ):
        bench.arrow("scores", "r1-mini", "digits")


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
    assert (plain.dataset, plain.recipe, plain.protocol, plain.seed) == (dataset, recipe, protocol, seed)


def test_a_table_is_in_build_order_with_the_columns_asked_for(bench: Bench) -> None:
    view = bench.table("r1-mini", ["params", "arch", "params", "archs.macs"])
    assert view.columns == tuple(view) == ("params", "arch", "archs.macs")
    assert "arch" in view and "macs" not in view
    assert view["arch"].tolist() == list(bench.space("r1-mini"))
    assert (view.dataset, view.recipe, view.protocol, view.seed) == (None,) * 4
    assert bench.table("r1-mini").columns == tuple(column.name for column in TABLES["archs"])
    assert bench.table("r1-mini", []).columns == ()
    assert repr(view) == "TableView('r1-mini', 1,000 rows, columns=['params', 'arch', 'archs.macs'])"
    said = repr(bench.table("mb-mini", ["val_acc"], "cifar10"))
    assert (
        said
        == "TableView('mb-mini', 1,000 rows, dataset='cifar10', recipe='cpu-16px-4', seed=0, columns=['val_acc'])"
    )


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
        for values in (view.arch_ids, *(view[name] for name in view)):
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
    assert list(frame) == polars.columns == table.column_names == list(view)
    assert polars.to_arrow().to_pylist() == table.to_pylist()
    assert [view[name].dtype for name in ("s4_out", "macs", "status", "zen")] == [
        np.float32,
        np.int64,
        object,
        np.float64,
    ]
    assert table.column("val_acc").null_count == 1000 - 59 and table.column("s4_out").null_count > 0
    for name in view:
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
    for name in view:
        assert nulled(view[name]) == [row[name] for row in kept]
    assert (
        view.to_arrow().num_rows == len(view.to_pandas()) == len(view.to_polars()) == len(view) == len(kept)
    )


def test_the_mean_of_a_table(bench: Bench, made: SimpleNamespace, small: Any) -> None:
    """Over the same seeds for all; null where one of them is, so that no arch has fewer seeds than another."""
    view = bench.table("r1-mini", dataset="digits", seed="mean")
    assert "status" not in view and view.seed == "mean"
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


def test_what_a_release_has(bench: Bench) -> None:
    assert bench.spaces == ("r1-mini", "r2-mini", "mb-mini") and bench.version == "0.2.0"
    assert bench.datasets("r1-mini") == ["cifar10", "digits"] and bench.datasets("r2-mini") == []
    assert (
        bench.recipes("r1-mini", "cifar10") == ["cpu-16px-12", "cpu-16px-4"]
        and bench.recipes("r1-mini", "cifar100") == []
    )
    assert (
        bench.protocols("r1-mini", "cifar10") == ["std-16", "std-32"]
        and bench.protocols("mb-mini", "cifar10") == []
    )
    assert bench.seeds("r1-mini", "cifar10", "cpu-16px-4") == [0, 1] and bench.seeds(
        "mb-mini", "cifar10"
    ) == [0]
    assert bench.seeds("r2-mini", "cifar10") == []
    space = bench.space("r1-mini")
    assert len(space) == 1000 and space[5] == bench.query(("r1-mini", 5)).arch and space[5] in space
    assert str(bench._release.folder) in repr(bench) and bench.sha256[:12] in repr(bench)


def test_a_release_older_than_a_proxy(made: SimpleNamespace, tmp_path: Path) -> None:
    """A proxy that the package knows and the release does not is null, with a reason; all else works."""
    tables = made.as_tables({k: v for k, v in made.rows.items() if k[1] == "r1-mini"}, ["r1-mini"])
    key = ("scores", "r1-mini", "cifar10")
    commit_release(tmp_path, tables | {key: tables[key].drop_columns(["zen", "zen_s"])}, "0.1.0")
    b = Bench(tmp_path)
    r = b.query(("r1-mini", 0))
    assert r.score("zen", "cifar10") is None and r.score("zen", "cifar10", seed="mean") is None
    assert r.score_reason("zen", "cifar10") == "the release is older than the proxy zen"
    assert r.scores("cifar10").values["zen"] is None and r.scores("cifar10").seconds["zen"] is None
    assert r.score("naswot", "cifar10") == made.rows[key][0]["naswot"]
    view = b.table("r1-mini", None, "cifar10", made.short, where="zen is None")
    assert len(view) == 1000 and view.to_arrow().column("zen").null_count == 1000


def test_a_release_whose_runs_have_no_rows_or_no_curves(made: SimpleNamespace, tmp_path: Path) -> None:
    rows = [made.diverged_row(i) | {"curve": []} for i in range(2)]
    commit_release(
        tmp_path / "a", made.as_tables({("runs", "r1-mini", "cifar10"): rows}, ["r1-mini"]), "0.1.0"
    )
    assert Bench(tmp_path / "a").query(("r1-mini", 1)).run("cifar10").curve == ()
    commit_release(tmp_path / "b", made.as_tables({("runs", "r1-mini", "cifar10"): []}, ["r1-mini"]), "0.1.0")
    r = Bench(tmp_path / "b").query(("r1-mini", 1))
    assert (
        r.accuracy("cifar10") is None
        and r.accuracy_reason("cifar10") == "the release has no runs of r1-mini on cifar10"
    )
    assert r.run("cifar10") is None


# The promises of the whole


def test_the_signatures_are_the_designs() -> None:
    def names(function: Any) -> list[tuple[str, Any]]:
        return [
            (p.name, p.default) for p in inspect.signature(function).parameters.values() if p.name != "self"
        ]

    none = inspect.Parameter.empty
    assert names(Bench) == [("path_or_url", None)]
    assert names(Bench.query) == [("arch", none)] and names(Bench.space) == [("name", none)]
    assert names(Bench.table) == [
        ("space", none),
        *((n, None) for n in ("columns", "dataset", "recipe", "protocol", "seed", "where")),
    ]
    assert names(nbzero.Record.accuracy) == [
        ("dataset", none),
        ("recipe", None),
        ("split", "val"),
        ("seed", None),
    ]
    assert names(nbzero.Record.score) == [
        ("proxy", none),
        ("dataset", none),
        ("protocol", None),
        ("seed", None),
    ]
    assert nbzero.TableView.to_pandas and nbzero.TableView.to_arrow and nbzero.TableView.to_polars


def loaded_after(code: str, *args: str) -> set[str]:
    """The modules that a fresh process has loaded after running the code."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(nbzero.__file__).parents[1],
    )
    return set(done.stdout.split())


HEAVY = {"numpy", "torch", "pandas", "pyarrow", "polars", "fsspec", "scipy", "matplotlib", "xgboost", "h5py"}
LOOKUPS = """
import nbzero
b = nbzero.Bench(sys.argv[1])
r = b.query(("r1-mini", 4)); r.macs, r.stages, hash(r), r == b.query(r.arch), b.query(nbzero.Arch.parse(r.arch)), b.datasets("r1-mini")
assert r.accuracy("cifar10", "cpu-16px-4") and r.accuracy("digits", split="test", seed="mean") and r.run("digits").curve
assert b.query(("r1-mini", 999)).accuracy("cifar10", "cpu-16px-12") and r.accuracy_reason("cifar100")
assert r.score("zen", "cifar10") and r.score_reason("naswot", "cifar10") and r.scores("cifar10").failures
assert len(b.space("r1-mini")) == 1000 and r.arch in b.space("r1-mini") and b.space("r1-mini").sample(5, seed=0)
"""
TABLE = 'assert len(b.table("r1-mini", None, "cifar10", "cpu-16px-4", where="macs > 0")["zen"]) == 1000\n'


def test_a_query_imports_nothing_heavy_and_a_table_only_numpy(release: Path) -> None:
    modules = loaded_after(LOOKUPS, str(release))
    assert "nbzero.bench" in modules and not HEAVY & modules
    assert HEAVY & loaded_after(LOOKUPS + TABLE, str(release)) == {"numpy"}
    assert HEAVY & loaded_after(LOOKUPS + TABLE + 'b.table("r1-mini").to_arrow()', str(release)) - {
        "pandas"
    } == {"numpy", "pyarrow"}
