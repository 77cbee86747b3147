"""Scoring as a user runs it, on real digits: what was computed stays, and later proxies fill in."""

from builders import score_shard

NAME = "scores-r1-mini-digits-std-16-0000-of-0001.parquet"
# One of the smallest networks of the space.
SCORE = ["--space", "r1-mini", "--dataset", "digits", "--archs", "444:445", "--seeds", "0", "1"]


def scored(out, *more: str):
    assert score_shard.main([*SCORE, "--format", "parquet", "--out", str(out), *more]) == 0
    return out / NAME


def test_a_later_proxy_fills_only_what_is_missing(in_this_process, rows_in, tmp_path):
    whole = scored(tmp_path / "whole")
    later = scored(tmp_path / "later", "--proxies", "synflow", "params")
    first = rows_in(later, whole=True)
    for row in first:
        assert row["synflow"] is not None and row["naswot"] is None and row["failures"] is None
    scored(tmp_path / "later")
    second = rows_in(later, whole=True)
    assert [row["synflow_s"] for row in second] == [row["synflow_s"] for row in first], (
        "synflow was computed again"
    )
    assert rows_in(later) == rows_in(whole)
    assert len({row["zen"] for row in second}) == 2 and all(row["trace_s"] > 0 for row in second)
    before = later.read_bytes()
    scored(tmp_path / "later")
    assert later.read_bytes() == before


def test_workers_compute_what_this_process_does(rows_in, tmp_path, monkeypatch, in_this_process):
    few = ["--proxies", "naswot", "synflow", "zen"]
    here = scored(tmp_path / "here", *few)
    monkeypatch.undo()
    workers = scored(tmp_path / "workers", "--device", "cpu", "--workers", "1", *few)
    assert rows_in(workers) == rows_in(here)
