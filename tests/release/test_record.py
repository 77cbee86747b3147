"""Records against the rows that their release was made from: every look-up and every reason."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from builders.work.commit import commit_release
from nbzero import Arch, Bench, UnknownNameError
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import PASSES

RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")


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


def test_a_prediction_is_the_surrogate_s_and_no_measurement():
    bench = Bench()
    surrogate = bench.surrogate("r1-mini", "cifar10")
    for arch_id in (0, 5, 999):
        record = bench.query(("r1-mini", arch_id))
        said = surrogate.predict([record.arch])
        found = record.predicted("cifar10")
        wanted = (said.mean[0], said.sd_mean[0], said.sd_run[0])
        assert found[:3] == pytest.approx(wanted, abs=1e-8)
        assert (found.num_archs, found.version) == (212, surrogate.version)
        assert record.predicted("cifar10", "cpu-16px-4") == found
        assert record.predicted_reason("cifar10") is None
    assert bench.query(("r1-mini", 999)).accuracy("cifar10") is None


def test_where_nothing_is_predicted_there_is_a_reason(bench):
    record = bench.query(("mb-mini", 3))
    assert record.predicted("cifar10") is None
    assert "10 runs of 10 networks, and a surrogate needs runs of 20" in record.predicted_reason("cifar10")
    mini = bench.query(("r1-mini", 3))
    assert "no surrogate of them" in mini.predicted_reason("cifar10", "cpu-16px-4")
    with pytest.raises(UnknownNameError, match="no recipe named 'x'"):
        mini.predicted("cifar10", "x")
    assert mini.predicted_reason("cifar10") == mini.predicted_reason("cifar10", "cpu-16px-4")
