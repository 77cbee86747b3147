"""Live search: scores are those of a release, are kept by arch, and what is kept is not computed again."""

import csv
import functools

import pytest

from nbzero import PROXIES, Arch, Bench
from nbzero.errors import UnknownNameError, UsageError
from nbzero.proxies.protocol import PROTOCOLS, protocol_batch, protocol_net
from nbzero.proxies.score import score
from nbzero.proxies.scored import COLUMNS
from nbzero.search import evolution, live, run
from nbzero.spaces.flexibert import FLEXIBERT

ON = ("r1-mini", "synflow", "cifar10")
NOISE = {"images": "noise", "workers": 1}
SMALL = {"macs": 1e6}


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_score_is_the_released_one_in_its_direction():
    bench = Bench()
    arch = min(bench.space("r1-mini"), key=lambda arch: Arch.parse(arch).macs)
    for proxy in ("synflow", "phi"):  # neither reads the images' pixels: both have noise or none
        with live("r1-mini", proxy, "cifar10", **NOISE) as objective:
            stored = bench.query(arch).score(proxy, "cifar10")
            assert objective(arch) == pytest.approx(PROXIES[proxy].direction * stored, rel=1e-3)
    assert objective.kind == "live score" and objective.archs is None
    assert objective.name == "live phi, cifar10, std-16-noise, seed 0"


def test_a_search_of_the_grid_goes_on_after_a_kill(tmp_path):
    """What a kill leaves: some rows, and half of one."""
    strategy = functools.partial(evolution, population=3, tournament=2, batch=2)
    path = tmp_path / "scores.csv"
    with live(*ON, **NOISE, out=path) as objective:
        whole = run("r1-mini", objective, strategy, 8, SMALL)
        assert all(objective.seconds(arch) > 0 for arch in whole.archs)
    rows = rows_of(path)
    assert {row["arch"] for row in rows} == set(whole.archs) and len(rows) == len(set(whole.archs))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:20])
    with live(*ON, **NOISE, out=path) as objective:
        again = run("r1-mini", objective, strategy, 8, SMALL)
    assert again.archs == whole.archs and again.scores == whole.scores
    assert [row["seconds"] for row in rows_of(path)[:3]] == [row["seconds"] for row in rows[:3]]
    assert len(rows_of(path)) == len(rows)


@pytest.mark.parametrize("limit", [300_000, 230_000])
def test_a_tight_budget_is_searched(limit):
    with live(*ON, **NOISE) as objective:
        history = run("r1-mini", objective, functools.partial(evolution, population=3), 5, {"macs": limit})
    assert len(history) == 5 and max(Arch.parse(arch).macs for arch in history.archs) <= limit


def test_an_arch_without_a_score_is_none_and_its_reason_is_kept(tmp_path):
    """A cell of NAS-Bench-201 without a path: its logits do not depend on the images."""
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    path = tmp_path / "scores.csv"
    with live("nb201", "jacob_cov", "cifar10", **NOISE, out=path) as objective:
        assert objective(cell) is None
        assert objective.many([cell, cell]) == [None, None]
    (row,) = rows_of(path)
    assert row["score"] == "" and row["reason"]


def test_a_file_of_other_settings_is_left_as_it_is(tmp_path):
    path = tmp_path / "scores.csv"
    head = ",".join(COLUMNS)
    path.write_text(
        f"{head}\nr1-mini-s4-d1w4s2-d1w4s2-d1w4s2,0,1.0,,0.5,r1-mini,cifar10,std-16-noise,other\n"
    )
    kept = path.read_bytes()
    said = "it has scores of function 'other', and these are of 'synflow of nb"
    with pytest.raises(UsageError, match=said), live(*ON, **NOISE, out=path):
        pass
    assert path.read_bytes() == kept


def test_encoders_are_scored_live_on_tokens():
    with live("flexibert", "pnorm", "glue", workers=1) as objective:
        found = objective(FLEXIBERT.example)
    net = protocol_net(FLEXIBERT.example, PROTOCOLS["tokens-16x128"], 2, 0)
    batch = protocol_batch("flexibert", "glue")
    assert found == score(net, *batch, ["pnorm"])["pnorm"]
    assert objective.name == "live pnorm, glue, tokens-16x128, seed 0"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"space": "r9"}, UnknownNameError, "no space named 'r9'"),
        ({"proxy": "naswoot"}, UnknownNameError, "did you mean 'naswot'"),
        ({"dataset": "cifar"}, UnknownNameError, "cifar"),
        ({"protocol": "std-64"}, UnknownNameError, "no protocol named 'std-64'"),
        ({"workers": 0}, UsageError, "workers 0; it is a whole number from 1"),
        ({"per_arch": -1}, UsageError, "per_arch -1; it is a positive number of seconds"),
        ({"per_arch": "x"}, UsageError, "per_arch 'x'; it is a positive number of seconds"),
        ({"per_arch": True}, UsageError, "per_arch True"),
        ({"score_seed": "x"}, UsageError, "score_seed 'x'"),
        ({"out": "scores.json"}, UsageError, "it is a file that ends in .csv"),
        ({"space": "flexibert"}, UsageError, "read tokens, which are drawn; leave images out"),
    ],
)
def test_bad_arguments(given, error, said):
    whole = {"space": "r1-mini", "proxy": "synflow", "dataset": "cifar10"} | NOISE | given
    with pytest.raises(error, match=said), live(**whole):
        pass
