"""Bench: what it opens, what it refuses, and what a query costs."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nbzero
from nbzero import Arch, Bench, NotAMemberError, ReleaseError, UnknownNameError
from nbzero.release.manifest import embedded_folder
from tests.places import ROOT

GRID_NOT_MEMBER = "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"


def reopened(bench: Bench) -> Bench:
    return Bench(bench.release.files.folder)


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


def test_the_path_is_what_is_open(bench: Bench, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.path == str(release) and Bench(bench.path).sha256 == bench.sha256
    monkeypatch.chdir(release.parent)
    assert Bench(release.name).path == str(release)
    assert Path(Bench().path) == embedded_folder()


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
        "no proxy named 'zen_score'; did you mean 'zen_own' or 'zen_no_shortcut' or 'zen'",
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
        lambda b, r: b.table("r1-mini", ["device"], "cifar10"),
        r"column 'device' of runs is not offered here; .*Bench.arrow\('runs'",
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
        "needs the same seeds for every arch of r1-mini on cifar10, but there are seed 0: 60 archs, seed 1: "
        "20 archs; name one",
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
    assert str(bench.release.files.folder) in repr(bench) and bench.sha256[:12] in repr(bench)


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


def loaded_after(code: str, *args: str) -> set[str]:
    """The modules that a fresh process has loaded after running the code."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


HEAVY = {"numpy", "torch", "pandas", "pyarrow", "polars", "fsspec", "scipy", "matplotlib", "xgboost", "h5py"}


LOOKUPS = """
import nbzero
b = nbzero.Bench(sys.argv[1])
r = b.query(("r1-mini", 4)); r.macs, r.stages, hash(r), r == b.query(r.arch)
b.query(nbzero.Arch.parse(r.arch)), b.datasets("r1-mini")
assert r.accuracy("cifar10", "cpu-16px-4") and r.accuracy("digits", split="test", seed="mean")
assert r.run("digits").curve
assert b.query(("r1-mini", 999)).accuracy("cifar10", "cpu-16px-12") and r.accuracy_reason("cifar100")
assert r.score("zen", "cifar10") and r.score_reason("naswot", "cifar10") and r.scores("cifar10").failures
assert len(b.space("r1-mini")) == 1000 and r.arch in b.space("r1-mini")
assert b.space("r1-mini").sample(5, seed=0)
"""


TABLE = 'assert len(b.table("r1-mini", None, "cifar10", "cpu-16px-4", where="macs > 0")["zen"]) == 1000\n'


def test_a_query_imports_nothing_heavy_and_a_table_only_numpy(release: Path) -> None:
    modules = loaded_after(LOOKUPS, str(release))
    assert "nbzero.bench" in modules and not HEAVY & modules
    assert HEAVY & loaded_after(LOOKUPS + TABLE, str(release)) == {"numpy"}
    assert HEAVY & loaded_after(LOOKUPS + TABLE + 'b.table("r1-mini").to_arrow()', str(release)) - {
        "pandas"
    } == {"numpy", "pyarrow"}
