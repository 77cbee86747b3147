"""SWAP's ablation on DARTS and its table of FlexiBERT (Peng et al., ICLR 2024 and arXiv:2605.07378).

The networks are those that the authors' code scores, `build_net(arch, variant="swap")`:

    DARTS       one cell of 6 channels, N(0, 1) weights, CIFAR-10 images or noise
    FlexiBERT   hidden size 256 and feed-forward width 1024 for every arch, ELECTRA's N(0, 0.02) weights

The authors feed sentences of OpenWebText to the encoders. Here tokens are drawn uniformly.

Scores are kept in a file of JSON lines that grows as they come, so that a stopped job goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nbzero.errors import ReleaseError
from nbzero.files import make_folder
from nbzero.images.facts import dataset
from nbzero.images.tensors import load, normalise
from nbzero.metrics.bootstrap import resampled
from nbzero.metrics.correlations import spearman_rho
from nbzero.networks.build import build_net, seed_of
from nbzero.networks.flexibert import VOCABULARY
from nbzero.proxies.passes import draw_gaussian_weights
from nbzero.proxies.score import score

Row = dict[str, Any]  # table, row, paper, ours, n, seeds, se, protocol, note
Scored = dict[str, dict[str, float]]  # arch -> setting -> score
Floats = npt.NDArray[np.float64]

BATCHES = {8: 0.933, 16: None, 32: None, 64: None, 128: 0.649}  # images -> the paper's Spearman
SIDES = (4, 8, 16, 32)  # of 16 images
OF_SIDES = 16
FLEXIBERT_FIGURES = {"SWAP": 0.711, "params": 0.653}
SEQUENCES, TOKENS = 16, 128
_DEVIATION = 0.02  # of ELECTRA's weights
_RESAMPLES = 400  # for a standard error


# DARTS


def darts_batches(images: str | Path, seed: int) -> dict[str, Tensor]:
    """What the tiny networks see with one seed: images by their number, and 16 images or noise by side.

    The images are class-balanced and chosen by hash, so that fewer are a prefix of more. Smaller ones are
    box-downsampled.
    """
    spec = dataset("cifar10")
    batches = {}
    for side in SIDES:
        pixels, _ = load("cifar10", images, side).scoring_batch(max(BATCHES), seed)
        seen = normalise(pixels, spec.mean, spec.std)
        if side == spec.resolution:
            for num in BATCHES:
                batches[f"images {num}"] = seen[:num]
        else:
            batches[f"side {side}"] = seen[:OF_SIDES]
        draws = torch.Generator().manual_seed(seed)
        batches[f"noise {side}"] = torch.randn(OF_SIDES, 3, side, side, generator=draws)
    return batches


def darts_scores(arch: str, batches: Mapping[str, Tensor], seed: int, num_draws: int) -> dict[str, float]:
    """swap of the tiny network by batch, the mean over draws of N(0, 1) weights; and its params."""
    net = build_net(arch, variant="swap")
    draws = torch.Generator().manual_seed(seed_of(f"{arch}|{seed}|swap"))
    values: dict[str, list[float]] = {name: [] for name in batches}
    for _ in range(num_draws):
        draw_gaussian_weights(net, draws)
        for name, batch in batches.items():
            values[name].append(_swap(net, batch))
    scores = {name: float(np.mean(several)) for name, several in values.items()}
    scores["params"] = float(sum(parameter.numel() for parameter in net.parameters()))
    return scores


def darts_rows(
    accuracies: Mapping[str, float], images: str | Path, folder: Path, seeds: Sequence[int], num_draws: int
) -> list[Row]:
    """The ablation on DARTS: Spearman of swap with the accuracies, by batch, side and kind of input.

    Args:
        accuracies: by arch.
        images: folder or file with CIFAR-10.
        folder: of the scores.
        seeds: of weights and images; the paper has five runs.
        num_draws: of the weights with each seed; the authors' code draws 32.
    """
    runs = []
    for seed in seeds:
        batches = darts_batches(images, seed)

        def compute(arch: str, batches: Any = batches, seed: int = seed) -> dict[str, float]:
            return darts_scores(arch, batches, seed, num_draws)

        runs.append(kept(folder / f"swap-darts-{num_draws}draws-seed{seed}.jsonl", list(accuracies), compute))
    protocol = f"swap-tiny-n01x{num_draws}"
    rows = []
    for num, paper in BATCHES.items():
        rows.append(_row("DARTS, batch", f"{num} images", paper, runs, f"images {num}", accuracies, protocol))
    for kind, said in (("side", "images"), ("noise", "noise")):
        for side in SIDES:
            setting = f"{kind} {side}"
            if setting not in batches:
                setting = f"images {OF_SIDES}"
            named = f"{OF_SIDES} of {said}, side {side}"
            rows.append(_row("DARTS, input", named, None, runs, setting, accuracies, protocol))
    params = _row("DARTS, batch", "params", None, runs[:1], "params", accuracies, protocol)
    counts = [scores["params"] / 1000 for scores in runs[0].values()]
    mean, deviation = np.mean(counts), np.std(counts)
    params["note"] = f"of the tiny network, in thousands: mean {mean:.2f}, standard deviation {deviation:.2f}"
    return [*rows, params]


# FlexiBERT


def draw_electra_weights(net: nn.Module, draws: torch.Generator) -> None:
    """N(0, 0.02) weights of linear layers, convolutions and embeddings, biases 0; 0 for what fills up."""
    for module in net.modules():
        if not isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
            continue
        nn.init.normal_(module.weight, std=_DEVIATION, generator=draws)
        if isinstance(module, nn.Embedding):
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif module.bias is not None:
            nn.init.zeros_(module.bias)


def flexibert_scores(arch: str, tokens: Tensor, seed: int) -> dict[str, float]:
    """swap and params (without a classifier) of the encoder that is scored, and of the one of the arch."""
    scores = {}
    for name, variant in (("scored", "swap"), ("own", None)):
        net = build_net(arch, 2, seed, variant)
        draw_electra_weights(net, torch.Generator().manual_seed(seed_of(f"{arch}|{seed}|swap")))
        scores[f"{name} swap"] = _swap(net, tokens)
        counts = [parameter.numel() for block in net.blocks for parameter in block.parameters()]
        scores[f"{name} params"] = float(sum(counts))
    scores["stacks"] = float(sum(int(layer[-1]) for layer in arch.split("-")[2:]))
    return scores


def flexibert_rows(encoders: Sequence[tuple[str, float]], folder: Path, seeds: Sequence[int]) -> list[Row]:
    """The table of FlexiBERT: Spearman of swap and params with GLUE.

    Args:
        encoders: (arch, GLUE score); an arch that was trained twice is there twice.
        folder: of the scores.
        seeds: of weights and tokens.
    """
    archs = list(dict.fromkeys(arch for arch, _ in encoders))
    runs = []
    for seed in seeds:
        draws = torch.Generator().manual_seed(seed)
        tokens = torch.randint(1, VOCABULARY, (SEQUENCES, TOKENS), generator=draws)

        def compute(arch: str, tokens: Tensor = tokens, seed: int = seed) -> dict[str, float]:
            return flexibert_scores(arch, tokens, seed)

        runs.append(kept(folder / f"swap-flexibert-seed{seed}.jsonl", archs, compute))
    protocol = f"swap-tokens-{SEQUENCES}x{TOKENS}"
    given = {
        "SWAP": ("scored swap", FLEXIBERT_FIGURES["SWAP"], "tokens drawn uniformly, the paper's are text"),
        "params": ("scored params", FLEXIBERT_FIGURES["params"], "of the networks that the authors score"),
        "SWAP of the archs": ("own swap", None, "with hidden size and feed-forward width as the arch says"),
        "params of the archs": (
            "own params",
            None,
            "with hidden size and feed-forward width as the arch says",
        ),
        "feed-forward stacks": ("stacks", None, "how many there are: each adds 1,024 units a token to SWAP"),
    }
    rows = []
    for name, (setting, paper, note) in given.items():
        row = _row("FlexiBERT", name, paper, runs, setting, encoders, protocol)
        rows.append(row | {"note": note})
    return rows


# What both have in common


def _swap(net: nn.Module, batch: Tensor) -> float:
    scores = score(net, batch, torch.zeros(len(batch), dtype=torch.int64), ["swap"])
    value = scores["swap"]
    assert value is not None, scores.reasons
    return value


def kept(path: Path, archs: Sequence[str], compute: Callable[[str], dict[str, float]]) -> Scored:
    """The scores of archs, those that the file lacks computed in their order and added to it.

    A last line that was cut off is computed again.

    Raises:
        ReleaseError: another line that cannot be read.
    """
    make_folder(path.parent)
    found = _scores_there(path)
    with open(path, "a", encoding="utf-8") as file:
        for arch in archs:
            if arch in found:
                continue
            found[arch] = compute(arch)
            file.write(json.dumps({"arch": arch, "scores": found[arch]}) + "\n")
            file.flush()
    return {arch: found[arch] for arch in archs}


def _scores_there(path: Path) -> Scored:
    found: Scored = {}
    if not path.exists():
        return found
    text = path.read_text(encoding="utf-8")
    whole_lines = text[: text.rfind("\n") + 1]
    if whole_lines != text:
        path.write_text(whole_lines, encoding="utf-8")
    for number, line in enumerate(whole_lines.splitlines(), 1):
        try:
            row = json.loads(line)
            found[row["arch"]] = row["scores"]
        except (ValueError, KeyError, TypeError):
            raise ReleaseError(f"{path}: line {number} is no scores; remove the line or the file") from None
    return found


def _row(
    table: str,
    name: str,
    paper: float | None,
    runs: Sequence[Scored],
    setting: str,
    accuracies: Mapping[str, float] | Sequence[tuple[str, float]],
    protocol: str,
) -> Row:
    """The mean over the runs of the Spearman correlation; its error is that of archs drawn again.

    Both are None where a run has one score for all archs.
    """
    pairs = list(accuracies.items()) if isinstance(accuracies, Mapping) else list(accuracies)
    accuracy = np.array([value for _, value in pairs])
    found, errors = [], []
    for run in runs:
        scores = np.array([run[arch][setting] for arch, _ in pairs])
        found.append(spearman_rho(scores, accuracy))
        values = resampled(spearman_rho, scores, accuracy, resamples=_RESAMPLES)
        if not np.isnan(found[-1]):
            errors.append(values[~np.isnan(values)].std())
    note = ""
    ours: float | None = float(np.mean(found))
    if np.isnan(found).any():
        ours, errors, note = None, [], "no correlation: a run has one score for all archs"
    elif len(found) > 1:
        note = f"runs from {min(found):.3f} to {max(found):.3f}"
    return {
        "table": f"swap: {table}",
        "row": name,
        "paper": paper,
        "ours": ours,
        "n": len(pairs),
        "seeds": len(runs),
        "se": float(np.mean(errors)) if errors else None,
        "protocol": protocol,
        "note": note,
    }
