"""builders.reproductions.swap: scores by hand, rows, and a file that goes on where it was cut off."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from builders.reproductions import swap
from nbzero.errors import ReleaseError
from nbzero.networks.build import build_net
from nbzero.spaces.darts import DARTS
from nbzero.spaces.flexibert import FLEXIBERT

ARCHS = [DARTS.text([kind, 0, 3, 1, *[kind, 1, kind, 0] * 3]) for kind in range(8)]
ENCODERS = [
    ("bert-h128-SA.SDP.h2.f512x1-SA.SDP.h2.f512x1", 60.0),
    ("bert-h256-LT.DFT.h2.f512x3-SA.SDP.h2.f512x1", 70.0),
    ("bert-h256-LT.DFT.h2.f512x3-SA.SDP.h2.f512x1", 71.0),
    ("bert-h128-DSC.5.h2.f512x3-SA.SDP.h2.f512x3", 75.0),
]


@pytest.fixture
def quick(monkeypatch):
    """Few and small inputs."""
    monkeypatch.setattr(swap, "SEQUENCES", 5)
    monkeypatch.setattr(swap, "TOKENS", 4)

    def batches(images, seed):
        draws = torch.Generator().manual_seed(seed)
        made = {f"images {num}": torch.randn(num, 3, 8, 8, generator=draws) for num in swap.BATCHES}
        for kind in ("side", "noise"):
            for side in swap.SIDES[:-1]:
                made[f"{kind} {side}"] = torch.randn(6, 3, side, side, generator=draws)
        made["noise 32"] = torch.randn(6, 3, 8, 8, generator=draws)
        return made

    monkeypatch.setattr(swap, "darts_batches", batches)


def patterns_by_hand(net, batch):
    """How many on/off vectors there are among the units, from the activations' outputs."""
    outputs = []
    for module in net.modules():
        if isinstance(module, (nn.ReLU, nn.GELU)):
            module.register_forward_hook(lambda _, __, output: outputs.append((output > 0).flatten(1)))
    with torch.no_grad():
        net(batch)
    return len(torch.unique(torch.cat(outputs, 1), dim=1).T)


def test_scores_of_tiny_networks_are_means_over_weights():
    batches = {"a": torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(1))}
    scores = swap.darts_scores(ARCHS[4], batches, 3, 2)
    net = build_net(ARCHS[4], variant="swap")
    draws = torch.Generator().manual_seed(swap.seed_of(f"{ARCHS[4]}|3|swap"))
    counts = []
    for _ in range(2):
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.weight.data = torch.randn(module.weight.shape, generator=draws)
        counts.append(patterns_by_hand(net, batches["a"]))
    assert scores == {"a": np.mean(counts), "params": sum(p.numel() for p in net.parameters())}
    assert counts[0] != counts[1]


def test_rows_of_darts(tmp_path, quick):
    accuracies = dict(zip(ARCHS, [10.0, 80, 81, 84, 95, 94, 90, 91], strict=True))
    rows = swap.darts_rows(accuracies, "", tmp_path, [0, 1], 1)
    assert [row["row"] for row in rows[:5]] == [f"{num} images" for num in (8, 16, 32, 64, 128)]
    assert len({(row["table"], row["row"]) for row in rows}) == len(rows) == 14
    runs = []
    for seed in (0, 1):
        lines = (tmp_path / f"swap-darts-1draws-seed{seed}.jsonl").read_text().splitlines()
        runs.append([json.loads(line)["scores"] for line in lines])
    for row, setting in ((rows[1], "images 16"), (rows[8], "images 16"), (rows[9], "noise 4")):
        found = [spearmanr([s[setting] for s in run], list(accuracies.values()))[0] for run in runs]
        assert row["ours"] == pytest.approx(np.mean(found)), row
        assert (row["n"], row["seeds"]) == (8, 2) and 0 < row["se"] < 0.5
    assert (rows[0]["paper"], rows[4]["paper"], rows[2]["paper"]) == (0.933, 0.649, None)
    assert "in thousands: mean" in rows[-1]["note"]


def test_rows_of_flexibert_count_an_encoder_that_was_trained_twice_twice(tmp_path, quick):
    rows = swap.flexibert_rows(ENCODERS, tmp_path, [0])
    of = {row["row"]: row for row in rows}
    assert (of["SWAP"]["paper"], of["params"]["paper"]) == (0.711, 0.653)
    assert {row["n"] for row in rows} == {4}
    stacks = [2, 4, 4, 6]
    assert of["feed-forward stacks"]["ours"] == pytest.approx(spearmanr(stacks, [60, 70, 71, 75])[0])
    lines = (tmp_path / "swap-flexibert-seed0.jsonl").read_text().splitlines()
    assert len(lines) == 3
    scores = json.loads(lines[0])["scores"]
    assert scores["scored params"] > scores["own params"] and scores["stacks"] == 2


def test_encoders_have_electras_weights():
    net = build_net(FLEXIBERT.example)
    swap.draw_electra_weights(net, torch.Generator().manual_seed(0))
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)
            assert getattr(module, "bias", None) is None or module.bias.eq(0).all()
    assert net.blocks[0].tokens.weight[0].eq(0).all()


def test_a_file_that_was_cut_off_goes_on(tmp_path):
    path = tmp_path / "new" / "scores.jsonl"
    asked = []

    def compute(arch):
        asked.append(arch)
        return {"a": float(len(arch))}

    assert swap.kept(path, ["x", "yy"], compute) == {"x": {"a": 1.0}, "yy": {"a": 2.0}}
    whole = path.read_text()
    path.write_text(whole[:-5])
    assert swap.kept(path, ["zzz", "x", "yy"], compute).keys() == {"zzz", "x", "yy"}
    assert asked == ["x", "yy", "zzz", "yy"]
    swap.kept(path, ["x", "yy", "zzz"], compute)
    assert len(asked) == 4
    path.write_text("no scores\n" + whole)
    with pytest.raises(ReleaseError, match="line 1 is no scores; remove the line or the file"):
        swap.kept(path, ["x"], compute)
