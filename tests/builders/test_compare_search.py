"""The job that compares searches: its table and figure, and its numbers against searches by hand."""

import csv

import numpy as np
import pytest

from builders import compare_search, import_bench
from builders.compare_search import intervals, main, padded
from nbzero import Bench
from nbzero.search import Ground, run
from tests.importers.made import MADE, write


def test_a_space_is_compared(tmp_path, monkeypatch, capsys):
    few = compare_search.Compared("r1-mini", "cpu-16px-4", ("predicted", "swap"), {"swap": "std-16"})
    monkeypatch.setattr(compare_search, "OURS", (few,))
    assert not main(["--out", str(tmp_path), "--seeds", "2", "--evaluations", "20"])
    rows = list(csv.DictReader((tmp_path / "search.csv").read_text().splitlines()))
    # two objectives, three budgets, four strategies, of swap two more; after 10 and 20 evaluations
    assert len(rows) == 60
    assert (tmp_path / "search.png").stat().st_size > 10_000
    assert len(capsys.readouterr().out.splitlines()) == 30
    bench = Bench()
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4", proxies=[], accuracy="predicted")
    half = float(np.median(bench.table("r1-mini", ["macs"])["macs"]))
    ground = Ground(bench.space("r1-mini"), budget={"macs": half})
    truth = dict(zip(pool.archs, pool.accuracy, strict=True))
    swap = bench.objective("r1-mini", "swap", "cifar10")
    best = max(truth[arch] for arch in ground.archs)
    found = [best - truth[run(ground, swap, "evolution", 20, seed=seed).best[0]] for seed in (0, 1)]
    row = row_of(rows, "swap", "evolution", "20")
    assert float(row["regret"]) == pytest.approx(np.mean(found))
    assert (int(row["num_archs"]), row["seeds"]) == (len(ground), "2")
    assert float(row["max_macs"]) == half
    liked = sorted(ground.archs, key=swap, reverse=True)[:10]
    of_ten = best - max(truth[arch] for arch in liked)
    guided = row_of(rows, "predicted accuracy", "top_k(swap)", "10")
    assert float(guided["regret"]) == pytest.approx(of_ten)
    table = (tmp_path / "search.md").read_text().splitlines()
    assert [line.split(" (500) |")[0] for line in table[2:]] == [
        "| r1-mini, predicted accuracy",
        "| r1-mini, swap",
    ]
    assert f"| {100 * np.mean(found):.1f} (" in table[3]
    assert table[3].endswith(f"| {100 * of_ten:.1f} |")
    sized = row_of(rows, "swap", "swap_nas_sized", "20")
    assert f"; sized {100 * float(sized['regret']):.1f} (" in table[3]


def row_of(rows, objective, strategy, evaluations):
    """The one under half of the macs."""
    sought = {"objective": objective, "budget": "half", "strategy": strategy, "evaluations": evaluations}
    (row,) = (row for row in rows if sought.items() <= row.items())
    return row


def test_what_is_kept_is_not_searched_again(tmp_path, monkeypatch, capsys):
    few = compare_search.Compared("r1-mini", "cpu-16px-4", ("predicted",), {})
    monkeypatch.setattr(compare_search, "OURS", (few,))
    given = ["--out", str(tmp_path), "--seeds", "2", "--evaluations", "5"]
    assert not main(given)
    whole = (tmp_path / "search.csv").read_bytes()
    path = tmp_path / "search-r1-mini.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]) + lines[-2][:30])  # as a kill leaves it
    capsys.readouterr()
    assert not main(given)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert (tmp_path / "search.csv").read_bytes() == whole
    assert path.read_text().splitlines(keepends=True) == lines
    path.write_text("{}\n")
    assert main(given) == 2
    assert "search-r1-mini.jsonl: line 1 is no search; remove the line or the file" in capsys.readouterr().err


def test_ours_are_searched_for_every_objective():
    bench = Bench()
    for compared in compare_search.OURS:
        assert compared.objectives == ("predicted", "naswot", "synflow", "swap", "sjw", "az_nas", "macs")
        for of, protocol in compared.protocols.items():
            objective = compare_search.objective_of(bench, compared, of, {})
            assert len(objective.archs) >= 200 and f", {protocol}, " in objective.name


def test_cells_are_searched_by_the_protocol_that_scored_most(few_archs, tmp_path):
    """Of an import beside the scores that ship, which are of fewer cells: naswot is of all, swap of those."""
    source = write(tmp_path / "source", MADE["nb201"]())
    assert not import_bench.main(["nb201", "--source", str(source), "--out", str(tmp_path / "out")])
    bench, (compared,) = Bench(tmp_path / "out"), compare_search.PUBLISHED
    truth = compare_search.truth_of(bench, compared)
    numbers = {}
    for of in compared.objectives:
        archs = compare_search.objective_of(bench, compared, of, truth).archs
        numbers[of] = len(truth) if archs is None else len(archs)
    of_all = ["accuracy", "naswot", "synflow", ("synflow", "naswot"), "macs"]
    assert [of for of, number in numbers.items() if number == len(truth)] == of_all
    assert 0 < numbers["swap"] == numbers["sjw"] == numbers["az_nas"] < len(truth)


def test_intervals_are_of_the_mean_and_early_ends_are_kept():
    values = np.random.default_rng(0).normal(1, 0.2, (200, 3))
    mean, low, high = map(np.array, intervals(values))
    np.testing.assert_allclose(mean, values.mean(axis=0))
    expected = 2 * 1.96 * values.std(axis=0) / 200**0.5
    np.testing.assert_allclose(high - low, expected, rtol=0.1)
    assert ((low < mean) & (mean < high)).all()
    assert padded(np.array([3.0, 1.0]), 4).tolist() == [3.0, 1.0, 1.0, 1.0]


def test_a_space_that_is_not_compared(capsys):
    with pytest.raises(SystemExit):
        main(["--out", "x", "--spaces", "nb201"])
    assert "no space 'nb201'; those are r1-mini, r1, mb (nb201 with --benchmarks)" in capsys.readouterr().err
