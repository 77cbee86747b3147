"""Tables from scores that exist: of shards and of releases, where protocol and seed agree."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from builders.reproduce import SCORES
from builders.reproductions import scoring
from builders.reproductions.known import Known, Place, known_in
from builders.reproductions.results import Result, merge, paired_row, read_results
from builders.reproductions.scoring import AS_AUTHORS, Setting, counted, scores_there, there_alone
from builders.reproductions.swap_cells import log_regularised
from builders.reproductions.wrcor import COUNTED, WEIGHTINGS
from builders.work.rows import to_parquet
from nbzero import Bench
from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from nbzero.release.manifest import embedded_folder
from nbzero.release.opened import Split
from nbzero.spaces.nb201 import cell_class
from nbzero.spaces.published import IMPORTED, sample_order
from tests.builders.test_reproduce import benchmarks as benchmarks, reproduce

NUM = 12
Row = dict[str, Any]


@pytest.fixture
def archs(benchmarks: Path) -> list[str]:
    return Bench(benchmarks).space("nb201").sample(NUM, 0)


@pytest.fixture
def shard(archs: list[str], made: SimpleNamespace, tmp_path: Path) -> Any:
    """Writes a shard of made scores of archs drawn, of the first `num`: shard(protocol, num, start, ..)."""

    def write(protocol: str = "std-32", num: int = NUM, start: int = 0, **changed: Any) -> Path:
        rows = []
        for arch_id, arch in list(enumerate(archs[:num]))[start:]:
            where = {"space": "nb201", "dataset": "cifar10", "arch": arch}
            rows.append(made.score_row(arch_id, protocol) | where | changed)
        path: Path = tmp_path / f"{protocol}.parquet"
        path.write_bytes(to_parquet("scores", rows))
        return path

    return write


def accuracies(benchmarks: Path, archs: list[str], split: Split = "val") -> np.ndarray:
    bench = Bench(benchmarks)
    return np.array([bench.query(arch).accuracy("cifar10", "nb201-200-mean", split) for arch in archs])


def made_scores(made: SimpleNamespace, name: str, protocol: str = "std-32", num: int = NUM) -> np.ndarray:
    return np.array([made.score_row(arch_id, protocol)[name] for arch_id in range(num)])


def test_a_table_of_known_scores_alone(
    benchmarks: Path, archs: list[str], shard: Any, made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_scores_of", lambda *_: pytest.fail("a score was computed"))
    rows = reproduce(benchmarks, "wrcor-2", "--archs", "20", "--known-only", "--shards", str(shard()))
    by_row = {row.row: row for row in rows}
    assert {"PNorm", "ZiCo", "WRCor, nbzero", "SJW", "WRCor - RCor, nbzero"} <= set(by_row)
    assert "WRCor" not in by_row  # no shard counts as the authors do
    values = accuracies(benchmarks, archs)
    for row, name in (("PNorm", "pnorm"), ("WRCor, nbzero", "wrcor")):
        assert by_row[row].ours == pytest.approx(spearmanr(made_scores(made, name), values).statistic)
        assert by_row[row].n == NUM
    of_zico, of_test = made_scores(made, "zico"), accuracies(benchmarks, archs, "test")
    assert not np.array_equal(values, of_test)
    wanted = spearmanr(of_zico, of_test).statistic
    assert by_row["ZiCo against the test accuracy"].ours == pytest.approx(wanted)
    assert by_row["ZiCo"].ours == pytest.approx(spearmanr(of_zico, values).statistic)
    assert not list(benchmarks.parent.glob("scores/*"))


def test_what_is_missing_is_computed_and_kept_apart(benchmarks: Path, archs: list[str], shard: Any) -> None:
    known = shard("std-32-noise", num=3, lyrdyniso=None)
    given = ("--archs", "4", "--images", "noise", "--proxies", "pnorm", "lyrdyniso", "--shards", str(known))
    reproduce(benchmarks, "wrcor-2", *given)
    (path,) = (benchmarks.parent / "scores").iterdir()
    computed = {arch: set(scores) for arch, scores in scores_there(path).items()}
    assert computed == {arch: {"lyrdyniso"} for arch in archs[:3]} | {archs[3]: {"pnorm", "lyrdyniso"}}


def test_only_scores_of_the_same_protocol_and_seed_are_taken(shard: Any, archs: list[str]) -> None:
    known = known_in([str(shard())])
    setting = Setting("nb201", "cifar10", "std-32", None, ("pnorm",))
    assert set(known.of(setting)) == set(archs)
    for other in (
        replace(setting, protocol="std-32-n01"),
        replace(setting, images="noise"),
        replace(setting, seed=1),
        replace(setting, dataset="cifar100"),
    ):
        assert known.of(other) == {}


def test_a_failure_is_known_and_what_was_not_computed_is_not(shard: Any, archs: list[str]) -> None:
    known = known_in([str(shard(num=1, zen=None, zico=None, failures='{"zico": "no gradient"}'))])
    scores = known.scores[Place("nb201", "cifar10", "std-32", 0)][archs[0]]
    assert "zen" not in scores and scores["zico"] is None


def test_stored_scores_are_those_beside_the_job_and_of_the_release_that_ships(
    benchmarks: Path, shard: Any, archs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def known(paths: list[str]) -> Known:
        asked.append(paths)
        return known_in([str(shard())])

    monkeypatch.setattr("builders.reproduce.known_in", known)
    monkeypatch.setattr("builders.reproduce.SCORES", tmp_path)
    lines = []
    for number, arch in enumerate(archs):
        of_authors = {f"rcor:{AS_AUTHORS}": number, f"wrcor:{AS_AUTHORS}": -number}
        lines.append(json.dumps({"arch": arch, "scores": of_authors}))
    (tmp_path / "nb201-cifar10-std-32-seed0.jsonl").write_text("\n".join(lines) + "\n")
    rows = reproduce(benchmarks, "wrcor-3", "--stored", "--known-only")
    assert [Path(path).name for path in asked[0]] == ["data"]
    both = {"no (RCor)", "no (RCor), nbzero", "expb2t (WRCor)", "expb2t (WRCor), nbzero"}
    assert both <= {row.row for row in rows}
    (without,) = {row.n for row in reproduce(benchmarks, "wrcor-3", "--known-only", "--shards", str(shard()))}
    assert without == NUM


def test_each_row_has_as_many_archs_as_its_scores(benchmarks: Path, shard: Any, archs: list[str]) -> None:
    """A score that three archs have leaves three in its own rows alone."""
    keep(benchmarks, "nb201-cifar10-std-32-seed0", {arch: {f"rcor:{AS_AUTHORS}": 1.5} for arch in archs[:3]})
    rows = reproduce(benchmarks, "wrcor-3", "--known-only", "--shards", str(shard()))
    by_row = {row.row: row.n for row in rows}
    assert by_row.pop("no (RCor)") == 3
    assert set(by_row.values()) == {NUM} and "no (RCor), nbzero" in by_row


def test_archs_that_are_left_out_are_told(
    benchmarks: Path, archs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {arch: {"swap": float(number)} for number, arch in enumerate(archs[:3])}
    found = there_alone(keep(benchmarks, "file", kept | {archs[3]: {"snip": 1.0}}), archs, ["swap"])
    assert list(found) == archs[:3]
    said = capsys.readouterr().err
    assert said.startswith("3 of 4 archs with scores have all that is asked; fewer have swap 3; ")


def keep(benchmarks: Path, name: str, scores: dict[str, dict[str, float]]) -> Path:
    """Write scores as the job keeps them."""
    folder = benchmarks.parent / "scores"
    folder.mkdir()
    path = folder / f"{name}.jsonl"
    lines = [json.dumps({"arch": arch, "scores": of_arch}) + "\n" for arch, of_arch in scores.items()]
    path.write_text("".join(lines))
    return path


def test_all_goes_on_where_nothing_is_known_of_a_table(
    benchmarks: Path, shard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = reproduce(benchmarks, "all", "--proxies", "synflow", "--known-only", "--shards", str(shard()))
    assert {"wrcor-2", "sed"} <= {row.table for row in rows}
    said = capsys.readouterr().out
    assert "left out: wrcor-10, wrcor-10 scores what it searches" in said
    assert "left out: wrcor-6, none of" in said and "left out: dyniso, --proxies synflow: this table" in said


def test_nothing_known_is_an_error(benchmarks: Path, shard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError, match="refused"):
        reproduce(benchmarks, "wrcor-6", "--known-only", "--shards", str(shard()))
    assert "none of 20 archs has scores in" in capsys.readouterr().err


def test_other_data_sets_are_rows_of_their_own_and_are_read_again(benchmarks: Path, shard: Any) -> None:
    of_cifar100 = shard(dataset="cifar100").rename(benchmarks.parent / "cifar100.parquet")
    rows = reproduce(benchmarks, "wrcor-4", "--known-only", "--shards", str(shard()), str(of_cifar100))
    protocols = {row.protocol for row in rows if row.row == "SNIP"}
    assert protocols == {"std-32-cifar100", "std-32-imagenet16-120"}


def test_noise_is_compared_with_images_on_the_same_archs(
    benchmarks: Path, archs: list[str], shard: Any, made: SimpleNamespace
) -> None:
    shards = [str(shard("std-32", num=10)), str(shard("std-32-noise"))]
    rows = reproduce(benchmarks, "wrcor-noise", "--known-only", "--shards", *shards)
    by_row = {row.row: row for row in rows}
    assert set(by_row) == {"WRCor, nbzero", "noise - images, nbzero"}
    assert by_row["WRCor, nbzero"].n == NUM
    difference = by_row["noise - images, nbzero"]
    values = accuracies(benchmarks, archs[:10])
    of_noise = spearmanr(made_scores(made, "wrcor", "std-32-noise", 10), values).statistic
    of_images = spearmanr(made_scores(made, "wrcor", num=10), values).statistic
    assert difference.n == 10 and difference.ours == pytest.approx(of_noise - of_images)
    assert difference.paper == -0.027 and "95 % interval" in difference.note


def test_noise_of_archs_that_have_no_scores_of_images(benchmarks: Path, shard: Any) -> None:
    shards = [str(shard("std-32", num=3)), str(shard("std-32-noise", start=3))]
    rows = reproduce(benchmarks, "wrcor-noise", "--known-only", "--shards", *shards)
    assert [(row.row, row.n) for row in rows] == [("WRCor, nbzero", NUM - 3)]


def test_swaps_table_on_cells(benchmarks: Path, archs: list[str], shard: Any, made: SimpleNamespace) -> None:
    known = shard(swap=None)
    with pytest.raises(AssertionError, match="refused"):
        reproduce(benchmarks, "swap-nb201", "--known-only", "--shards", str(known))
    rows = reproduce(benchmarks, "swap-nb201", "--known-only", "--shards", str(shard(swap=5.0)))
    by_row = {row.row: row for row in rows}
    assert len(rows) == 36 and by_row["SWAP, cifar10"].ours is None  # the same for all
    assert by_row["SWAP, regularised, cifar100"].paper == 0.90
    largest = by_row["SWAP, regularised by the largest, cifar100"]
    assert largest.paper == 0.90 and largest.ours == pytest.approx(by_row["params, cifar100"].ours)
    assert largest.ours != by_row["SWAP, regularised, cifar100"].ours
    assert by_row["SWAP - params, cifar10"].ours is None
    params = np.array([Bench(benchmarks).query(arch).params for arch in archs])
    wanted = spearmanr(params, accuracies(benchmarks, archs)).statistic
    assert by_row["params, cifar10"].ours == pytest.approx(wanted)
    of_largest = by_row["params, regularised by the largest, cifar10"]
    assert (of_largest.ours, of_largest.paper) == (pytest.approx(wanted), 0.72)  # it grows with params
    of_mean = by_row["params, regularised, cifar10"].ours
    assert of_mean is not None and of_mean != pytest.approx(wanted)
    difference = by_row["SWAP, regularised - params, cifar10"]
    ours = by_row["SWAP, regularised, cifar10"].ours - by_row["params, cifar10"].ours
    assert difference.ours == pytest.approx(ours) and difference.paper == 0.16
    assert "95 % interval of the paired difference" in difference.note


def test_the_logarithm_orders_as_the_product() -> None:
    rng = np.random.default_rng(0)
    swap, params, of_all = rng.integers(100, 900, 40), rng.normal(3, 1, 40), rng.normal(3, 1, 500)
    mu, sigma = of_all.mean(), of_all.var()
    product = swap * np.exp(-((params - mu) ** 2) / sigma)
    assert np.array_equal(log_regularised(swap, params, mu, sigma).argsort(), product.argsort())


def test_rows_of_more_archs_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    many, few = (Result("wrcor-2", "SNIP", 0.593, 0.6, n, 1, 0.1, "std-32") for n in (200, 20))
    merge(path, [many])
    assert merge(path, [few]) == [many]
    again = replace(many, ours=0.61)
    merge(path, [again])
    assert read_results(path) == [again]


def test_a_pair_is_of_archs_that_have_both() -> None:
    rng = np.random.default_rng(0)
    one, other, values = rng.normal(size=(3, 30))
    one[3], other[5] = np.nan, np.nan
    there = ~np.isnan(one) & ~np.isnan(other)
    row = paired_row("t", "r", None, one, other, values, "std-32")
    wanted = spearmanr(one[there], values[there]).statistic - spearmanr(other[there], values[there]).statistic
    assert row.n == 28 and row.ours == pytest.approx(wanted) and "2 without one" in row.note


# The scores that ship, and those that are kept beside the job


@pytest.mark.parametrize(("space", "num", "proxies"), [("nb201", 1000, 41), ("nbmacro", 1000, 41)])
def test_the_scores_that_ship_are_of_the_sample_and_come_out_again(space, num, proxies):
    ships = known_in([str(embedded_folder())]).scores
    (kept,) = [scored for place, scored in ships.items() if place.space == space]
    drawn = sample_order(space)[:num]
    assert set(drawn) <= kept.keys() and {len(kept[arch]) for arch in drawn} == {proxies}
    definition = IMPORTED[space]
    costs = {arch: definition.costs(definition.parse(arch)) for arch in kept}
    assert all(kept[arch]["macs"] == costs[arch]["macs"] for arch in kept)
    smallest = min(drawn, key=lambda arch: (not kept[arch]["synflow"], costs[arch]["macs"]))
    names = ("synflow", "pnorm", "params")  # which read no images
    images = torch.zeros(64, 3, 32, 32)
    again = score(build_net(smallest, 10, 0), images, torch.zeros(64, dtype=torch.int64), names)
    assert again == pytest.approx({name: kept[smallest][name] for name in names}, rel=1e-5)


@pytest.mark.parametrize("path", sorted(SCORES.glob("nb201-*.jsonl")), ids=lambda path: path.stem)
def test_the_scores_that_are_kept_are_of_the_sample_and_named_right(path: Path) -> None:
    kept = scores_there(path)
    known = {*PROXIES, *counted([*COUNTED.values(), *WEIGHTINGS])}
    assert kept and {name for scores in kept.values() for name in scores} <= known
    drawn = sample_order("nb201")
    first_of_class: dict[str, str] = {}  # which stand for their classes in Table 9
    for arch in drawn[: 1 + max(map(drawn.index, kept))]:
        first_of_class.setdefault(cell_class(IMPORTED["nb201"].parse(arch)), arch)
    assert kept.keys() <= {*drawn[:1200], *first_of_class.values()}
    assert path == Setting("nb201", *_named(path), ()).file(SCORES)


def _named(path: Path) -> tuple[str, str, str | None]:
    """Data set, protocol and images of a file's name."""
    _, dataset, protocol = path.stem.removesuffix("-seed0").split("-", 2)
    images = "noise" if protocol.endswith("-noise") else None
    return dataset, protocol.removesuffix("-noise"), images
