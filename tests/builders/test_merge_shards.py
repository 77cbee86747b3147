"""Merging shards: what is merged is kept, and whatever does not fit is said with the file and the remedy."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from builders import merge_shards
from builders.work.commit import commit_release
from builders.work.rows import to_h5, to_json, to_parquet
from nbzero import Bench
from nbzero.release.manifest import MANIFEST, Parent, Release
from nbzero.release.schema import WHERE
from nbzero.release.verify import verify
from tests.disk import Killed, contents, fill_disk, kill_at
from tests.older import made_older
from tests.places import ROOT

Row = dict[str, Any]
RUNS = ("runs", "r1-mini", "cifar10")
RUNS_FILE = "runs/r1-mini/cifar10.parquet"


def in_shard(rows: list[Row], space: str = "r1-mini", dataset: str = "cifar10") -> list[Row]:
    archs = Release.open().table(f"archs/{space}.parquet").column("arch").to_pylist()
    return [row | {"space": space, "dataset": dataset, "arch": archs[row["arch_id"]]} for row in rows]


ENCODE = {
    "parquet": to_parquet,
    "h5": to_h5,
    "json": lambda table, rows: to_json(table, rows[0]),
}


def write_shard(folder: Path, name: str, rows: list[Row], table: Any = "runs") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(ENCODE[name.rpartition(".")[2]](table, rows))
    return folder / name


def stored(out: Path, kind: Any = "runs") -> list[Row]:
    """The rows of r1-mini on cifar10 in a release, without where they belong."""
    return Bench(out).arrow(kind, *RUNS[1:]).drop_columns(list(WHERE)).to_pylist()


@pytest.fixture
def merge(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the job; gives what it printed, after checking its exit status."""

    def run(*arguments: Any, fails: bool = False) -> str:
        status = merge_shards.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert status == (2 if fails else 0), said.err
        assert not fails or (said.err.startswith("error: ") and not said.out)
        return said.err if fails else said.out

    return run


def test_shards_of_all_formats_become_the_release_they_are_parts_of(
    release: Path, made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    """Units of a job that still runs, finished shards in both formats, and another release, in one merge."""
    commit_release(tmp_path / "base", made.as_tables({}), "0.1.0")
    for (table, space, dataset), rows in made.rows.items():
        listed = in_shard(rows, space, dataset)
        folder = tmp_path / "shards" / table / f"{space}-{dataset}"
        write_shard(folder, "a-0000-of-0003.parquet", listed[0::3], table)
        write_shard(folder, "a-0001-of-0003.h5", listed[1::3], table)
        for row in listed[2::3][:15]:
            write_shard(
                folder / "a-0002-of-0003",
                f"{row['arch_id']:06d}-{row['seed']}-{row.get('recipe', 'x')}.json",
                [row],
                table,
            )
        write_shard(
            tmp_path / "rest", f"{table}-{space}-{dataset}.parquet", listed[2::3][15:] or listed[:1], table
        )
    (tmp_path / "shards" / "x.parquet.part").write_bytes(b"half")
    (tmp_path / "shards" / "notes.txt").write_text("mine")
    said = merge(
        *(tmp_path / "shards", tmp_path / "rest"),
        *("--base", tmp_path / "base", "--out", tmp_path / "out", "--release"),
    )
    num_rows = sum(len(rows) for rows in made.rows.values())
    assert f"data version 0.2.0, {num_rows:,} rows added" in said
    assert contents(tmp_path / "out") == contents(release)
    said = merge(tmp_path / "shards", "--out", tmp_path / "out")
    assert "data version 0.2.0, 0 rows added" in said and contents(tmp_path / "out") == contents(release)
    said = merge(release, "--out", tmp_path / "out")
    assert f"0 rows added or filled, {num_rows} there already" in said and contents(
        tmp_path / "out"
    ) == contents(release)


def test_with_base_none_the_archs_of_the_embedded_release_are_it(
    made: SimpleNamespace, merge: Any, tmp_path: Path
) -> None:
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(3)]))
    said = merge(shard, "--base", "none", "--out", tmp_path / "out")
    assert "data version 0.1.0, 1 row added or filled, 0 there already, 13 files" in said
    b = Bench(tmp_path / "out")
    assert len(b.spaces) == 6 and b.query(("r1-mini", 3)).run("cifar10").val_acc == made.run_row(3)["val_acc"]
    assert b.query(("r1-mini", 2)).accuracy("cifar10") is None


def test_a_release_is_added_to_and_its_version_follows_the_rule(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    out = small("out", [made.run_row(0)])
    first = contents(out)
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1), made.run_row(0)]))
    merge(shard, "--out", out, "--release")
    assert Bench(out).version == "0.2.0" and Bench(out).arrow(*RUNS).num_rows == 2
    merge(
        write_shard(tmp_path / "s", "b.parquet", in_shard([made.run_row(2)])),
        "--out",
        out,
        "--version",
        "0.5.0",
    )
    assert Bench(out).version == "0.5.0" and Bench(out).arrow(*RUNS).num_rows == 3
    said = merge(
        write_shard(tmp_path / "s", "c.parquet", in_shard([made.run_row(4)])),
        "--out",
        out,
        "--version",
        "0.5.1",
        fails=True,
    )
    assert "version 0.5.1; the base is 0.5.0 and 1 row is new, so it is at least 0.6.0" in said
    said = merge(
        write_shard(tmp_path / "s", "c.parquet", in_shard([made.run_row(4)])),
        "--out",
        out,
        "--version",
        "six",
        fails=True,
    )
    assert "data version 'six'; it is like 1.2.3" in said
    assert Bench(out).version == "0.5.0"
    base = small("base", [made.run_row(0)])
    merge(tmp_path / "s" / "a.parquet", "--base", base, "--out", tmp_path / "new", "--release")
    assert Bench(tmp_path / "new").version == "0.2.0" and contents(base) == first


def test_repeated_rows_keep_the_first_and_its_times(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    one = made.run_row(1)
    again = one | {
        "train_time_s": 1.5,
        "device": "another",
        "engine": "ray",
        "software": "newer",
        "builder_commit": "f" * 40,
    }
    out = small("out", [made.run_row(0)])
    shards = [
        write_shard(tmp_path / "s", name, in_shard([row]))
        for name, row in (("a.parquet", one), ("b.h5", again))
    ]
    assert "1 row added or filled, 1 there already" in merge(*shards, "--out", out)
    assert stored(out)[1] == one
    assert "0 rows added or filled, 1 there already" in merge(shards[1], "--out", out)
    assert stored(out)[1] == one


@pytest.mark.parametrize(
    "change", [{"val_acc": 0.5}, {"test_acc": 0.5}, {"train_loss": 0.5}, {"curve": [0.5]}]
)
@pytest.mark.parametrize("where", ["two shards", "the base"])
def test_two_rows_of_one_key_with_different_values(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, change: Row, where: str
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    arch_id = 1 if where == "two shards" else 0
    one, two = (
        write_shard(tmp_path / "s", name, in_shard([made.run_row(arch_id) | row]))
        for name, row in (("a.parquet", {}), ("b.h5", change))
    )
    (column,) = change
    said = merge(*([one, two] if where == "two shards" else [two]), "--out", out, fails=True)
    other = str(one) if where == "two shards" else f"{RUNS_FILE} of the base release"
    assert str(two) in said and other in said
    key = {"arch_id": arch_id, "recipe": "cpu-16px-4", "seed": 0}
    assert f"{key}, with different {column} ({column}: {change[column]!r} and " in said
    assert "nothing was merged: find out which is right and leave the other out" in said
    assert contents(out) == before


def test_a_score_that_one_shard_lacks_is_a_different_value(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    rows = [made.score_row(0), made.score_row(0, failed={"zen": "too small"})]
    shards = [
        write_shard(tmp_path / "s", f"{i}.parquet", in_shard([row]), "scores") for i, row in enumerate(rows)
    ]
    assert "with different zen (zen: None and " in merge(*shards, "--out", small("out"), fails=True)


def test_a_proxy_computed_later_is_filled_in(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    whole = made.score_row(0, failed={"snip": "why"})
    early = whole | {
        "zen": None,
        "zen_s": None,
        "snip": None,
        "failures": None,
        "builder_commit": "early",
        "grad_norm": None,
    }
    late = whole | {"synflow": None, "synflow_s": None, "builder_commit": "late"}
    for name, order in (("one", (early, late)), ("other", (late, early))):
        shards = [
            write_shard(tmp_path / name, f"{i}.parquet", in_shard([row]), "scores")
            for i, row in enumerate(order)
        ]
        out = small(f"out-{name}")
        assert "2 rows added or filled" in merge(*shards, "--out", out)
        (row,) = (row for row in stored(out, "scores") if row["arch_id"] == 0)
        assert row == whole | {"builder_commit": "late"}
        assert "0 rows added or filled, 1 there already" in merge(shards[0], "--out", out)
    contradicting = write_shard(tmp_path / "c", "c.parquet", in_shard([late | {"zen": 1.25}]), "scores")
    assert "with different zen (zen: 1.25 and " in merge(contradicting, "--out", out, fails=True)


def test_a_merge_says_how_many_rows_lack_which_proxies(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    """As a job leaves them that was killed while it computed more proxies; a reason is no lack."""
    rows = [made.score_row(arch_id, failed={"snip": "why"}) for arch_id in range(4)]
    partial = [rows[0], rows[1] | {"zen": None, "grad_norm": None}, rows[2] | {"zen": None}, rows[3]]
    for row in partial:
        write_shard(tmp_path / "s", f"{row['arch_id']:06d}-0.json", in_shard([row]), "scores")
    out = small("out")
    said = merge(tmp_path / "s", "--out", out)
    assert (
        "scores/r1-mini/cifar10.parquet: 2 of 4 rows from SHARDS lack scores (zen 2, grad_norm 1); "
        "builders.score_shard computes what is missing"
    ) in said
    rest = write_shard(tmp_path / "rest", "a.parquet", in_shard(rows[1:2]), "scores")
    assert "lack scores" not in merge(rest, "--out", out)
    assert "1 of 4 rows from SHARDS lack scores (zen 1);" in merge(tmp_path / "s", "--out", out)
    runs = write_shard(tmp_path / "runs", "a.parquet", in_shard([made.run_row(1)]))
    assert "lack scores" not in merge(runs, "--out", out)


def with_version(path: Path, version: str) -> Path:
    """A shard as another data version would have written it."""
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"data_version": version}))
        return path
    table = pq.ParquetFile(path).read()
    pq.write_table(
        table.replace_schema_metadata(table.schema.metadata | {b"nbzero.data_version": version.encode()}),
        path,
    )
    return path


def test_mixed_data_versions(made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    one = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    two = with_version(
        write_shard(tmp_path / "s", "b.parquet", in_shard([made.run_row(1) | {"val_acc": 0.5}])), "1.0.0"
    )
    said = merge(one, two, "--out", out, fails=True)
    assert (
        f"{one} is of data version 0.1.0 and {two} of 1.0.0; nothing was merged: merge one version at a time"
        in said
    )
    assert f"{two} is of data version 1.0.0, the release to make is 0.1.0" in merge(
        two, "--out", out, fails=True
    )
    three = with_version(write_shard(tmp_path / "s", "c.json", in_shard([made.run_row(1)])), "nonsense")
    assert f"{three} is of data version nonsense" in merge(three, "--out", out, fails=True)
    other = small("other", [made.run_row(5)], version="0.7.0")
    assert f"{one} is of data version 0.1.0 and {other}/{RUNS_FILE} of 0.7.0" in merge(
        one, other, "--out", out, fails=True
    )
    assert contents(out) == before


@pytest.mark.parametrize("kind", ["parquet", "h5", "json"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "garbage"])
def test_a_damaged_shard(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, kind: str, damage: str
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    good = write_shard(tmp_path / "s", "good.parquet", in_shard([made.run_row(1)]))
    path = write_shard(tmp_path / "s", f"bad.{kind}", in_shard([made.run_row(2)]))
    data = path.read_bytes()
    path.write_bytes(
        {"truncated": data[: len(data) // 2], "emptied": b"", "garbage": b"\x00garbage" * 40}[damage]
    )
    said = merge(good, path, "--out", out, fails=True)
    assert f"{path} is truncated or corrupted" in said and "remove it and run its job again" in said
    assert contents(out) == before


def test_shards_that_do_not_fit(made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)

    def said_of(name: str, rows: list[Row]) -> str:
        path = write_shard(tmp_path / "s", name, rows)
        said = merge(path, "--out", out, fails=True)
        assert str(path) in said and contents(out) == before
        return said

    row = in_shard([made.run_row(1)])[0]
    assert "rows of r2-mini, of which the base release has no archs table; choose another --base" in said_of(
        "a.parquet", [row | {"space": "r2-mini"}]
    )
    wrong = in_shard([made.run_row(2)])[0]["arch"]
    assert f"arch_id 1 is {wrong}, but the archs table of r1-mini has {row['arch']} there" in said_of(
        "b.json", [row | {"arch": wrong}]
    )
    assert "arch_id 5000 is" in said_of("c.json", [row | {"arch_id": 5000}])
    assert "val_acc: 94.1 outside [0, 1] fraction" in said_of("d.json", [row | {"val_acc": 94.1}])
    for name in ("../../../escaped", "a/b", "", "/tmp", "a\\b", ".."):
        assert f"{name!r} is no name of a space or data set" in said_of("e.json", [row | {"dataset": name}])
    assert not list(tmp_path.parent.rglob("escaped*"))


def test_sources_and_folders_that_are_none(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    out = small("out", [made.run_row(0)])
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "absent", tmp_path / "empty"):
        assert f"{source} holds no shards (.parquet, .h5, .json) and is no release" in merge(
            source, "--out", out, fails=True
        )
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / MANIFEST).write_text('{"name": "app"}')
    assert "web/manifest.json is no manifest of this project" in merge(
        tmp_path / "web", "--out", out, fails=True
    )
    assert "web/manifest.json is no manifest of this project" in merge(
        shard, "--out", tmp_path / "web", fails=True
    )
    assert (tmp_path / "web" / MANIFEST).read_text() == '{"name": "app"}'
    base = small("base")
    assert "is a release already, whose rows stay; leave out --base" in merge(
        shard, "--out", out, "--base", base, fails=True
    )
    assert "is a release already, whose rows stay" in merge(shard, "--out", out, "--base", "none", fails=True)
    assert "is both --out and to be merged" in merge(tmp_path / "s", "--out", tmp_path / "s", fails=True)
    assert "is a URL; a release is made in a local folder" in merge(
        shard, "--out", "memory://x/y", fails=True
    )
    (tmp_path / "file").write_text("")
    assert "Not a directory" in merge(shard, "--base", base, "--out", tmp_path / "file" / "x", fails=True)
    assert "is a release already" in merge(shard, "--base", tmp_path / "absent", "--out", out, fails=True)
    assert f"no release in {tmp_path / 'absent'}" in merge(
        shard, "--base", tmp_path / "absent", "--out", tmp_path / "new", fails=True
    )
    merge(shard, "--base", out, "--out", out)  # the base that it has anyway
    assert Bench(out).arrow(*RUNS).num_rows == 2


def test_a_full_disk_in_a_merge(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    fill_disk(monkeypatch, after=2)
    said = merge(shard, "--out", out, fails=True)
    assert (
        f"cannot write {out}" in said
        and "No space left on device; free space or choose another folder, then run the same command again"
        in said
    )
    assert contents(out) == before
    monkeypatch.undo()
    merge(shard, "--out", out)
    assert Bench(out).arrow(*RUNS).num_rows == 2 and shard.exists()


def test_a_killed_merge_is_finished_by_the_same_command(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    for number in range(8):  # 3 parts, manifest.next.json, 3 files, the manifest
        out = small(f"out{number}", [made.run_row(0)])
        kill_at(monkeypatch, number)
        with pytest.raises(Killed):
            merge_shards.main([str(shard), "--out", str(out)])
        monkeypatch.undo()
        merge(shard, "--out", out)
        assert Bench(out).version == "0.1.0+yours.1" and stored(out) == [made.run_row(0), made.run_row(1)]
        verify(str(out))


def test_two_merges_at_once_lose_nothing(made: SimpleNamespace, tmp_path: Path) -> None:
    """Both end well, and the release has the rows of both."""
    out = tmp_path / "out"
    commit_release(out, made.as_tables({}), "0.1.0")
    started = []
    for first in (10, 20):
        rows = [made.run_row(arch_id) for arch_id in range(first, first + 5)]
        shard = write_shard(tmp_path, f"{first}.parquet", in_shard(rows))
        command = [sys.executable, "-m", "builders.merge_shards", str(shard), "--out", str(out)]
        started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
    said = [one.communicate()[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], said
    assert verify(str(out)) and len(stored(out)) == 10


# Derived releases


def parent_in(out: Path) -> Parent | None:
    return Release.open(out).manifest.parent


def test_by_default_rows_are_added_to_the_shipped_release(
    made: SimpleNamespace, merge: Any, tmp_path: Path
) -> None:
    shipped = Bench()
    out, dataset = tmp_path / "out", "digits"
    ours = Parent(shipped.version, shipped.sha256)
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(3)], dataset=dataset))
    said = merge(shard, "--out", out)
    versions = f"{shipped.version}+yours.1 (derived from {shipped.version})"
    assert said.startswith(f"{out}: data version {versions}, 1 row added")
    b = Bench(out)
    assert b.query(("r1-mini", 3)).accuracy(dataset) == made.run_row(3)["val_acc"]
    assert b.arrow(*RUNS).equals(shipped.arrow(*RUNS)) and parent_in(out) == ours
    more = write_shard(tmp_path / "s", "b.parquet", in_shard([made.run_row(4)], dataset=dataset))
    merge(more, "--out", out)
    assert Bench(out).version == f"{shipped.version}+yours.2" and parent_in(out) == ours
    before = contents(out)
    assert "0 rows added or filled, 1 there already" in merge(more, "--out", out)
    assert contents(out) == before


def test_labels_and_parents(made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path) -> None:
    base = small("base", [made.run_row(0)], "0.9.0")
    plain = Parent("0.9.0", Bench(base).sha256)
    shards = [write_shard(tmp_path / "s", f"{i}.parquet", in_shard([made.run_row(i)])) for i in range(1, 6)]
    lab = tmp_path / "lab"
    merge(shards[0], "--base", base, "--out", lab, "--label", "lab")
    assert (Bench(lab).version, parent_in(lab)) == ("0.9.0+lab.1", plain)
    merge(shards[1], "--out", lab)
    assert (Bench(lab).version, parent_in(lab)) == ("0.9.0+lab.2", plain)
    mine = tmp_path / "mine"
    merge(shards[2], "--base", lab, "--out", mine, "--label", "mine")
    assert Bench(mine).version == "0.9.0+mine.3" and len(stored(mine)) == 4
    assert parent_in(mine) == Parent("0.9.0+lab.2", Bench(lab).sha256)
    merge(mine, "--out", lab)  # a derived release is a source as any other
    assert (Bench(lab).version, len(stored(lab))) == ("0.9.0+lab.3", 4)
    merge(shards[3], "--out", base)  # in place the parent is what was there
    assert (Bench(base).version, parent_in(base)) == ("0.9.0+yours.1", plain)
    merge(shards[4], "--out", lab, "--release")
    assert (Bench(lab).version, parent_in(lab)) == ("0.10.0", plain)
    for out in (lab, mine, base):
        verify(str(out))


def test_nothing_new_is_the_base_itself(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    base = small("base", [made.run_row(0)])
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(0)]))
    merge(shard, "--base", base, "--out", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(base)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label", "My-Lab"], "label 'My-Lab'; it is a lower-case letter, then such letters and digits"),
        (["--label", "lab", "--release"], "--label lab with --release: the label is of a derived release"),
        (["--label", "lab", "--version", "0.5.0"], "--label lab with --version: the label is of a derived"),
        (["--label", "lab", "--base", "none"], "--label lab with --base none: the label is of a derived"),
        (["--version", "0.1.0+yours.1"], "data version '0.1.0+yours.1'; it is like 1.2.3"),
    ],
)
def test_options_that_contradict_each_other(
    made: SimpleNamespace, merge: Any, tmp_path: Path, options: list[str], said: str
) -> None:
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(3)]))
    assert said in merge(shard, "--out", tmp_path / "out", *options, fails=True)
    assert not (tmp_path / "out").exists()


def test_without_shards_an_older_release_gets_the_new_columns(
    release: Path, merge: Any, tmp_path: Path
) -> None:
    old = made_older(release, tmp_path / "old")
    said = merge("--out", old, "--release")
    assert "data version 0.3.0, 0 rows added or filled, 0 there already" in said
    assert "4 tables got the columns space dataset arch" in said
    verify(str(old))
    for kind, space, dataset in (RUNS, ("scores", *RUNS[1:])):
        assert Bench(old).arrow(kind, space, dataset).equals(Bench(release).arrow(kind, space, dataset))
    before = contents(old)
    assert "got the columns" not in merge("--out", old, "--release")
    assert contents(old) == before


def test_where_scores_are_added_all_tables_of_scores_get_the_same_columns(
    made: SimpleNamespace, merge: Any, tmp_path: Path
) -> None:
    """A release may be older than a proxy. Read as one, its tables have one set of columns."""
    rows: Any = {("scores", space, "cifar10"): [made.score_row(0)] for space in ("r1-mini", "mb-mini")}
    tables = made.as_tables(rows, ["r1-mini", "mb-mini"])
    for key, table in tables.items():
        if key[0] == "scores":
            tables[key] = table.drop_columns(["zen_own", "phi_bn"])
    old, out = tmp_path / "old", tmp_path / "out"
    commit_release(old, tables, "0.1.0")
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.score_row(1)]), "scores")
    merge(shard, "--base", old, "--out", out, "--release")
    verify(str(out))
    one, other = (Bench(out).arrow("scores", space, "cifar10") for space in ("r1-mini", "mb-mini"))
    assert one.schema.equals(other.schema) and "phi_bn" in other.schema.names
    (row,) = other.to_pylist()
    before = made.score_row(0) | {"zen_own": None, "phi_bn": None}
    assert {name: row[name] for name in before} == before
    record = Bench(out).query(("mb-mini", 0))
    assert record.score("phi_bn", "cifar10") is None
    assert record.score("zen", "cifar10") == before["zen"]


def test_an_older_release_is_added_to(
    made: SimpleNamespace, release: Path, merge: Any, tmp_path: Path
) -> None:
    old = made_older(release, tmp_path / "old")
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(60), made.run_row(0)]))
    said = merge(shard, "--base", old, "--out", tmp_path / "out")
    assert "0.2.0+yours.1" in said and "1 row added or filled, 1 there already" in said
    verify(str(tmp_path / "out"))
    merge(old, "--out", tmp_path / "out")  # as a source it says no place either


# Rounding


@pytest.fixture
def noisy(made: SimpleNamespace, small: Any) -> Path:
    """A release with two seeds of twelve archs, which tell the noise, and one seed of another.

    Between seeds val_acc and the curve differ by 0, 0.002 or 0.004: 3 sd are 0.0055.
    """
    rows = [made.run_row(12)]
    for arch_id in range(12):
        row = made.run_row(arch_id)
        curve = [value + arch_id % 3 * 0.002 for value in row["curve"]]
        rows += [row, row | {"seed": 1, "val_acc": curve[-1], "curve": curve}]
    return small("noisy", rows)


def test_a_run_within_the_seed_noise_is_the_bases(
    made: SimpleNamespace, noisy: Path, merge: Any, tmp_path: Path
) -> None:
    before = contents(noisy)
    row = made.run_row(12)
    curve = [value + 0.005 for value in row["curve"]]
    other = row | {"val_acc": curve[-1], "curve": curve, "device": "another", "train_time_s": 1.0}
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([other, made.run_row(11)]))
    said = merge(shard, "--out", noisy)
    assert "0 rows added or filled, 2 there already, 1 row differs by another processor's rounding" in said
    assert contents(noisy) == before


def test_a_run_beyond_the_seed_noise_is_refused(
    made: SimpleNamespace, noisy: Path, merge: Any, tmp_path: Path
) -> None:
    before = contents(noisy)
    row = made.run_row(12)
    val_acc = row["val_acc"] + 0.006
    good = made.run_row(20)
    (listed,) = in_shard([row])
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([good, row | {"val_acc": val_acc}]))
    said = merge(shard, "--out", noisy, fails=True)
    key = {"arch_id": 12, "recipe": made.short, "seed": 0}
    assert f"both have {listed['arch']}, r1-mini {key}, with different val_acc" in said
    values = f"(val_acc: {val_acc!r} and {row['val_acc']!r}; another processor's rounding"
    assert f"{values} is at most 3 sd between seeds, 0.005477, as 12 archs of the base have it" in said
    assert "leave the other out, as train_shard and score_shard do of what their --base has" in said
    assert contents(noisy) == before


def test_scores_within_and_beyond_rounding(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    base, row = small("base"), made.score_row(0) | {"ntk": None}
    merge(write_shard(tmp_path / "s", "a.parquet", in_shard([row]), "scores"), "--out", base)
    near = {name: value * 1.0005 for name, value in row.items() if name in ("zen", "synflow", "snip")}
    late = made.score_row(0) | near | {"device": "another"}
    shard = write_shard(tmp_path / "s", "b.parquet", in_shard([late]), "scores")
    said = merge(shard, "--out", base)
    assert "1 row added or filled, 0 there already, 1 row differs by another processor's rounding" in said
    (kept,) = stored(base, "scores")
    assert kept == row | {"ntk": late["ntk"], "device": "another"}

    before = contents(base)
    far = late | {"zen": row["zen"] * 1.002}
    shard = write_shard(tmp_path / "s", "c.parquet", in_shard([far]), "scores")
    said = merge(shard, "--out", base, fails=True)
    assert f"with different zen (zen: {far['zen']!r} and {row['zen']!r}; another processor's rounding" in said
    assert contents(base) == before


def test_between_two_shards_rounding_explains_nothing(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    """There is no base whose value would stay: which of the two is kept would depend on the order."""
    row = made.score_row(0)
    shards = [
        write_shard(tmp_path / "s", f"{i}.parquet", in_shard([one]), "scores")
        for i, one in enumerate((row, row | {"zen": row["zen"] * 1.0001}))
    ]
    said = merge(*shards, "--out", small("out"), fails=True)
    assert "with different zen (zen: " in said and "rounding" not in said
