"""builders.reproductions.swap: scores by hand, and the tables on made benchmarks of a few archs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from builders.reproduce import main
from builders.reproductions import swap
from builders.reproductions.results import read_results
from builders.reproductions.scoring import scores_there
from nbzero import Bench
from nbzero.networks.build import build_net, seed_of
from nbzero.spaces.darts import DARTS
from nbzero.spaces.flexibert import FLEXIBERT
from tests.importers.made import MADE, run, write


@pytest.fixture
def reproduce(tmp_path, few_archs, monkeypatch):
    """Runs a table on a made release of few archs, with small inputs."""
    monkeypatch.setattr(swap, "SIDES", (4, 8))
    monkeypatch.setattr(swap, "TOKENS", replace(swap.TOKENS, num_images=12, tokens=4))
    swap.batch_of.cache_clear()
    yield lambda *tables: _reproduced(tmp_path, *tables)
    swap.batch_of.cache_clear()


def _reproduced(folder, space, *given):
    benchmarks = folder / "benchmarks"
    if not benchmarks.exists():
        assert run(space, write(folder / "source", MADE[space]()), benchmarks) in (0, None)
    places = ["--scores", str(folder / "scores"), "--results", str(folder / "results.parquet")]
    assert not main([f"swap-{space}", "--benchmarks", str(benchmarks), *places, *given])
    return Bench(benchmarks), {row.row: row for row in read_results(folder / "results.parquet")}


def patterns_by_hand(net, batch):
    """How many on/off vectors there are among the units, from the activations' outputs."""
    outputs = []
    for module in net.modules():
        if isinstance(module, (nn.ReLU, nn.GELU)):
            module.register_forward_hook(lambda _, __, output: outputs.append((output > 0).flatten(1)))
    with torch.no_grad():
        net(batch)
    return len(torch.unique(torch.cat(outputs, 1), dim=1).T)


def test_scores_of_tiny_networks_are_means_over_weights(monkeypatch):
    batch = torch.randn(10, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(swap, "batch_of", lambda *_: batch)
    monkeypatch.setattr(swap, "MANY_DRAWS", 4)
    arch = DARTS.example
    scores = swap.darts_scores(None, 3, (arch, ("noise 8",)))
    net = build_net(arch, variant="swap")
    draws = torch.Generator().manual_seed(seed_of(f"{arch}|3|swap"))
    counts = []
    for _ in range(2):
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.weight.data = torch.randn(module.weight.shape, generator=draws)
        counts.append(patterns_by_hand(net, batch))
    assert scores == {"noise 8": np.mean(counts)}
    assert counts[0] != counts[1]
    more = swap.darts_scores(None, 3, (arch, ("noise 8", "images 8")))
    assert more["noise 8"] == scores["noise 8"] and more["images 8"] != scores["noise 8"]


def test_small_batches_have_many_draws():
    assert (swap.num_draws("images 8"), swap.num_draws("images 32")) == (32, 2)


def test_the_table_of_darts(reproduce, tmp_path):
    bench, rows = reproduce("darts", "--images", "noise")
    assert list(rows) == ["16 of noise, side  4", "16 of noise, side  8", "params"]
    archs = list(bench.space("darts"))
    frame = bench.table("darts", ["arch", "val_acc"], dataset="cifar10")
    accuracy_of = dict(zip(frame["arch"], frame["val_acc"], strict=True))
    values = [accuracy_of[arch] for arch in archs]
    total = np.zeros(len(archs))
    for seed in swap.DARTS_SEEDS:
        found = scores_there(tmp_path / "scores" / f"swap-darts-seed{seed}.jsonl")
        total += [found[arch]["noise 8"] for arch in archs]
    row = rows["16 of noise, side  8"]
    assert row.ours == pytest.approx(spearmanr(total, values)[0])
    assert (row.n, row.seeds, row.paper) == (len(archs), 1, None)
    counts = [sum(p.numel() for p in build_net(arch, variant="swap").parameters()) for arch in archs]
    assert rows["params"].ours == pytest.approx(spearmanr(counts, values)[0])
    assert f"mean {np.mean(counts) / 1000:.2f}" in rows["params"].note


def test_images_come_by_number_and_by_side(monkeypatch):
    pixels = torch.arange(128 * 3 * 4, dtype=torch.uint8).reshape(128, 3, 2, 2) % 200

    class Data:
        def scoring_batch(self, num, seed):
            return pixels[:num] + seed, torch.zeros(num)

    asked = []
    monkeypatch.setattr(swap, "load", lambda *given: asked.append(given) or Data())
    swap.images_of.cache_clear()
    assert len(swap.batch_of("images 8", "folder", 1)) == 8
    assert len(swap.batch_of("side 4", "folder", 1)) == 16
    assert asked == [("cifar10", "folder", 32), ("cifar10", "folder", 4)]
    first = swap.batch_of("images 128", "folder", 1)
    assert torch.equal(first[:8], swap.batch_of("images 8", "folder", 1))
    assert first[0, 0, 0, 1] - first[0, 0, 0, 0] == pytest.approx(1 / 255 / 0.247, rel=0.01)
    swap.batch_of.cache_clear()
    swap.images_of.cache_clear()
    rows = dict(row[::2] for row in swap.rows_of_darts(swap.batch_names(noise=False)))
    assert (rows["images 8"], rows["images 128"], rows["side 16"]) == (0.933, 0.649, None)
    assert len(rows) == 12 and "side 32" not in rows


@pytest.mark.long
def test_the_table_of_flexibert_counts_an_encoder_that_was_trained_twice_twice(reproduce, tmp_path):
    bench, rows = reproduce("flexibert")
    assert (rows["SWAP"].paper, rows["params"].paper) == (0.711, 0.653)
    trained = bench.arrow("runs", "flexibert", "glue").to_pylist()
    assert {row.n for row in rows.values()} == {len(trained)}
    members = bench.space("flexibert")
    assert len(trained) > len(members)
    found = scores_there(tmp_path / "scores" / "swap-flexibert-seed0.jsonl")
    archs = [members[run["arch_id"]] for run in trained]
    glue = [run["val_acc"] for run in trained]
    for row, name in {"SWAP": "scored swap", "params, nbzero": "own params"}.items():
        assert rows[row].ours == pytest.approx(spearmanr([found[a][name] for a in archs], glue)[0])
    stacks = [sum(int(layer[-1]) for layer in arch.split("-")[2:]) for arch in archs]
    assert rows["feed-forward stacks"].ours == pytest.approx(spearmanr(stacks, glue)[0])


def test_scores_of_encoders():
    arch = "bert-h128-SA.SDP.h2.f512x1-LT.DFT.h2.f512x3"
    scores = swap.flexibert_scores(0, (arch, ("scored swap", "own params")))
    assert scores.keys() == {"scored swap", "scored params", "own swap", "own params"}
    assert scores["scored params"] > scores["own params"]
    assert swap.num_stacks(arch) == 4
    assert swap.flexibert_scores(0, (arch, ("own swap",))).keys() == {"own swap", "own params"}


def test_encoders_have_electras_weights():
    net = build_net(FLEXIBERT.example)
    swap.draw_electra_weights(net, torch.Generator().manual_seed(0))
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)
            assert getattr(module, "bias", None) is None or module.bias.eq(0).all()
    assert net.blocks[0].tokens.weight[0].eq(0).all()
