"""Scoring as a user runs it, on real digits: what was computed stays, and later proxies fill in."""

import pytest

from builders import merge_shards, score_shard
from builders.work import rates
from builders.work.origin import device_name
from builders.work.rates import Key
from nbzero import Bench
from nbzero.proxies.protocol import PROTOCOLS, protocol_batch, protocol_net
from nbzero.proxies.score import score
from nbzero.spaces.flexibert import FLEXIBERT
from nbzero.spaces.published import IMPORTED, sample_order

NAME = "scores-r1-mini-digits-std-16-0000-of-0001.parquet"
# One of the smallest networks of the space.
SCORE = ["--space", "r1-mini", "--dataset", "digits", "--archs", "444:445", "--seeds", "0", "1"]


def scored(out, *more: str):
    assert score_shard.main([*SCORE, "--format", "parquet", "--out", str(out), *more]) == 0
    return out / NAME


def test_a_later_proxy_fills_only_what_is_missing(in_this_process, rows_in, tmp_path):
    few = ["--proxies", "naswot", "params", "synflow", "zen"]
    whole = scored(tmp_path / "whole", *few)
    later = scored(tmp_path / "later", "--proxies", "synflow", "params")
    first = rows_in(later, whole=True)
    for row in first:
        assert row["synflow"] is not None and row["naswot"] is None and row["failures"] is None
    scored(tmp_path / "later", *few)
    second = rows_in(later, whole=True)
    assert [row["synflow_s"] for row in second] == [row["synflow_s"] for row in first], (
        "synflow was computed again"
    )
    assert rows_in(later) == rows_in(whole)
    assert len({row["zen"] for row in second}) == 2 and all(row["trace_s"] > 0 for row in second)
    before = later.read_bytes()
    scored(tmp_path / "later", *few)
    assert later.read_bytes() == before


def test_workers_compute_what_this_process_does(rows_in, tmp_path, monkeypatch, in_this_process):
    few = ["--proxies", "naswot", "synflow", "zen"]
    here = scored(tmp_path / "here", *few)
    monkeypatch.undo()
    workers = scored(tmp_path / "workers", "--device", "cpu", "--workers", "1", *few)
    assert rows_in(workers) == rows_in(here)


def test_only_the_proxies_that_the_base_lacks_are_computed(in_this_process, rows_in, tmp_path, capsys):
    few = scored(tmp_path / "few", "--base", "none", "--proxies", "synflow", "params")
    base = tmp_path / "base"
    assert merge_shards.main([str(few), "--out", str(base), "--base", "none"]) == 0
    capsys.readouterr()
    later = scored(tmp_path / "later", "--base", str(base), "--proxies", "synflow", "zen", "naswot")
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("has 0 of 2 units and a part of 2 more; 2 to compute")
    for row in rows_in(later, whole=True):
        assert row["synflow"] is None and row["synflow_s"] is None and row["params"] is None
        assert None not in (row["zen"], row["naswot"], row["zen_s"])
    before = later.read_bytes()
    scored(tmp_path / "later", "--base", str(base), "--proxies", "synflow", "zen", "naswot")
    assert later.read_bytes() == before, "it was computed again"

    assert merge_shards.main([str(later), "--out", str(base)]) == 0
    names = ["synflow", "zen", "naswot", "params"]
    whole = scored(tmp_path / "whole", "--base", "none", "--proxies", *names)
    stored = Bench(base).arrow("scores", "r1-mini", "digits").to_pylist()
    assert [{name: row[name] for name in names} for row in stored] == [
        {name: row[name] for name in names} for row in rows_in(whole)
    ]
    capsys.readouterr()
    given = [*SCORE, "--base", str(base), "--proxies", *names, "--out", str(tmp_path / "none")]
    assert score_shard.main(given) == 0
    assert "has 2 of 2 units; nothing to compute" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_a_time_limit_begins_nothing_that_is_too_long(own_cache, in_this_process, tmp_path, capsys):
    key = Key(device_name("cpu"), "r1-mini", "score std-16")
    rates.keep({key: [(1e5, 600.0)]})
    given = [*SCORE, "--out", str(tmp_path), "--base", "none", "--time-limit", "9m"]
    assert score_shard.main(given) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("0 of 2 scored initialisations of r1-mini; nothing was begun (the next would take")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_only_whole_scorings_say_how_long_one_takes(own_cache, in_this_process, tmp_path):
    scored(tmp_path / "few", "--base", "none", "--proxies", "params")
    assert rates.measured() == {}
    scored(tmp_path / "all", "--base", "none", "--seeds", "0")
    ((key, points),) = rates.measured().items()
    assert key == (device_name("cpu"), "r1-mini", "score std-16") and len(points) == 1


# Spaces of published benchmarks


def published(out, *more: str):
    protocol = ["--protocol", "std-16-noise", "--proxies", "params", "synflow", "--workers", "1"]
    return ["--dataset", "digits", "--seeds", "0", "--out", str(out), *protocol, *more]


def only_shard(out):
    (shard,) = out.glob("*.parquet")
    return shard


def test_published_archs_are_scored_in_the_order_of_the_sample(in_this_process, rows_in, tmp_path):
    assert score_shard.main(published(tmp_path, "--space", "nbmacro", "--archs", "2")) == 0
    rows = rows_in(only_shard(tmp_path))
    assert [row["arch"] for row in rows] == list(sample_order("nbmacro")[:2])
    for row in rows:
        assert row["params"] == IMPORTED["nbmacro"].costs(IMPORTED["nbmacro"].parse(row["arch"]))["params"]
        assert row["synflow"] > 0


def test_archs_of_a_file_are_scored_and_another_file_is_not_mixed_in(
    in_this_process, rows_in, tmp_path, capsys
):
    names, out = tmp_path / "archs.txt", tmp_path / "out"
    names.write_text("02012100\n\n12002211\n02012100\n")
    given = published(out, "--space", "nbmacro", "--members", str(names))
    assert score_shard.main(given) == 0
    rows = rows_in(only_shard(out), whole=True)
    assert sorted(row["arch"] for row in rows) == ["02012100", "12002211"]
    assert all(sample_order("nbmacro")[row["arch_id"]] == row["arch"] for row in rows)
    names.write_text("22222222\n")
    assert score_shard.main(given) == 2
    assert "other settings" in capsys.readouterr().err


def test_encoders_are_scored_on_tokens(in_this_process, rows_in, tmp_path, capsys):
    names, out = tmp_path / "archs.txt", tmp_path / "out"
    names.write_text(f"{FLEXIBERT.example}\n")
    given = ["--space", "flexibert", "--members", str(names), "--out", str(out), "--base", "none"]
    given += ["--seeds", "1", "--proxies", "grad_norm", "synflow", "naswot"]
    assert score_shard.main([*given, "--dataset", "cola"]) == 0
    (row,) = rows_in(only_shard(out), whole=True)
    assert (row["arch"], row["dataset"], row["protocol"]) == (FLEXIBERT.example, "cola", "tokens-16x128")
    tokens, labels = protocol_batch("flexibert", "cola", 1)
    net = protocol_net(FLEXIBERT.example, PROTOCOLS["tokens-16x128"], 2, 1)
    expected = score(net, tokens, labels, ["grad_norm", "naswot"], seed=1)
    assert {name: row[name] for name in expected} == expected
    assert row["synflow"] is None and "tokens" in row["failures"]
    assert score_shard.main([*given, "--dataset", "cifar10"]) == 2
    assert "no dataset named 'cifar10'; Known: cola, glue, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("space", "members", "said"),
    [
        ("flexibert", None, "--space flexibert: its archs are not enumerated here"),
        (
            "flexibert",
            FLEXIBERT.example,
            "flexibert read tokens, and std-16-noise has images; take tokens-16x128",
        ),
        ("darts", None, "--space darts: its archs are not enumerated here; name them by --members FILE"),
        ("r1-mini", "02012100", "members are fixed"),
        ("nbmacro", "", "has no line"),
        ("nbmacro", "02012103", "an arch of nbmacro"),
        ("nb2o1", None, "did you mean 'nb201'"),
    ],
)
def test_what_cannot_be_scored_is_said(space, members, said, tmp_path, capsys):
    given = published(tmp_path / "out", "--space", space)
    if members is not None:
        names = tmp_path / "archs.txt"
        names.write_text(members)
        given += ["--members", str(names)]
    assert score_shard.main(given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
