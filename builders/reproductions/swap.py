"""SWAP's ablation on DARTS and its table of FlexiBERT (Peng et al., ICLR 2024 and arXiv:2605.07378).

The networks are those that the authors' code scores, `build_net(arch, variant="swap")`:

    DARTS       one cell of 6 channels, N(0, 1) weights, CIFAR-10 images or noise
    FlexiBERT   hidden size 256 and feed-forward width 1024 for every arch, ELECTRA's N(0, 0.02) weights

The authors feed sentences of OpenWebText to the encoders. Here tokens are drawn uniformly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from builders.reproductions.context import Context
from builders.reproductions.results import Result, joined, paired_row, spearman_row
from builders.reproductions.scoring import Scored, Task
from builders.reproductions.wrcor import column
from nbzero.errors import UsageError
from nbzero.images.facts import dataset
from nbzero.images.tensors import load, normalise
from nbzero.networks.build import build_net, seed_of
from nbzero.networks.flexibert import draw_electra_weights
from nbzero.proxies.passes import draw_gaussian_weights
from nbzero.proxies.protocol import NOISE, PROTOCOLS, token_batch
from nbzero.proxies.score import score

BATCHES = {8: 0.933, 16: None, 32: None, 64: None, 128: 0.649}  # images -> the paper's Spearman
SIDES = (4, 8, 16, 32)  # of 16 images
OF_SIDES = 16
DARTS_SEEDS = (0,)  # of weights and images; the paper has five runs
FEW_DRAWS, MANY_DRAWS = 2, 32  # of the weights with each seed; the authors' code has 32
# Of 8 images half the networks show all 2^8 patterns with one draw. The mean over many tells them apart.
OF_MANY_DRAWS = ("images 8", "images 16")
SWAP_FIGURE, PARAMS_FIGURE = 0.711, 0.653  # on FlexiBERT
BERT_SEED = 0  # of weights and tokens
TOKENS = PROTOCOLS["tokens-16x128"]


# DARTS


def batch_names(noise: bool) -> list[str]:
    """What the tiny networks see: images by their number and by their side, noise by its side.

    Args:
        noise: leave out the images.
    """
    names = [f"noise {side}" for side in SIDES]
    if not noise:
        names += [f"images {num}" for num in BATCHES]
        names += [f"side {side}" for side in SIDES[:-1]]
    return names


@functools.cache
def batch_of(name: str, images: str | None, seed: int) -> Tensor:
    """The batch of a name of `batch_names`.

    Images are class-balanced and chosen by hash, so that fewer are a prefix of more. Smaller ones are
    box-downsampled.
    """
    kind, _, number = name.partition(" ")
    if kind == "noise":
        draws = torch.Generator().manual_seed(seed)
        return torch.randn(OF_SIDES, 3, int(number), int(number), generator=draws)
    if kind == "side":
        return images_of(images, int(number), seed)[:OF_SIDES]
    return images_of(images, SIDES[-1], seed)[: int(number)]


@functools.cache
def images_of(images: str | None, side: int, seed: int) -> Tensor:
    """The largest number of images of CIFAR-10, of one side, normalised."""
    spec = dataset("cifar10")
    pixels, _ = load("cifar10", images, side).scoring_batch(max(BATCHES), seed)
    return normalise(pixels, spec.mean, spec.std)


def num_draws(name: str) -> int:
    """Over how many draws of the weights a score is the mean."""
    return MANY_DRAWS if name in OF_MANY_DRAWS else FEW_DRAWS


def darts_scores(images: str | None, seed: int, task: Task) -> dict[str, float | None]:
    """swap of the tiny network by batch: the mean over draws of N(0, 1) weights."""
    arch, names = task
    net = build_net(arch, variant="swap")
    draws = torch.Generator().manual_seed(seed_of(f"{arch}|{seed}|swap"))
    values: dict[str, list[float]] = {name: [] for name in names}
    for draw in range(max(map(num_draws, names))):
        draw_gaussian_weights(net, draws)
        for name in names:
            if draw < num_draws(name):
                values[name].append(_swap(net, batch_of(name, images, seed)))
    return {name: float(np.mean(several)) for name, several in values.items()}


def darts(context: Context) -> list[Result]:
    """SWAP on DARTS by batch, by side and of noise; the params of the network that is scored."""
    table, protocol = "swap-darts", "tiny-n01"
    archs = context.archs("darts", 1000)
    names = batch_names(context.images == NOISE)
    runs = []
    for seed in DARTS_SEEDS:
        path = context.folder / f"swap-darts-seed{seed}.jsonl"
        compute = partial(darts_scores, context.images, seed)
        runs.append(context.grown(path, archs, names, compute))
    archs = [arch for arch in archs if all(arch in run for run in runs)]
    names = [name for name in names if name in runs[0][archs[0]]]
    frame = context.benchmarks.table("darts", ["arch", "val_acc"], dataset="cifar10")
    accuracy_of = dict(zip(frame["arch"], frame["val_acc"], strict=True))
    values = np.array([accuracy_of[arch] for arch in archs])
    rows = []
    for name, row, paper in rows_of_darts(names):
        of_name = _mean_over(runs, archs, name)
        note = f"mean of {num_draws(name) * len(runs)} draws of the weights"
        rows.append(spearman_row(table, row, paper, of_name, values, protocol, note, len(runs)))
    return [*rows, _params_of_darts(table, archs, values)]


def rows_of_darts(names: Sequence[str]) -> list[tuple[str, str, float | None]]:
    """Setting, row and the paper's figure."""
    rows: list[tuple[str, str, float | None]] = []
    for num, paper in BATCHES.items():
        rows.append((f"images {num}", f"{num} images", paper))
    for kind, said in (("side", "images"), ("noise", "noise")):
        for side in SIDES:
            rows.append((f"{kind} {side}", f"{OF_SIDES} of {said}, side {side:2}", None))
    return [row for row in rows if row[0] in names]


def _params_of_darts(table: str, archs: Sequence[str], values: np.ndarray) -> Result:
    counts = [_num_params(build_net(arch, variant="swap")) / 1000 for arch in archs]
    said = f"in thousands: mean {np.mean(counts):.2f}, standard deviation {np.std(counts):.2f}"
    return spearman_row(table, "params", None, counts, values, "counted", f"of the tiny network, {said}")


# FlexiBERT


def flexibert_scores(seed: int, task: Task) -> dict[str, float | None]:
    """swap and params (without a classifier) of the encoder that is scored, or of the one of the arch."""
    arch, names = task
    scores: dict[str, float | None] = {}
    for kind, variant in (("scored", "swap"), ("own", None)):
        if f"{kind} swap" not in names and f"{kind} params" not in names:
            continue
        net = build_net(arch, 2, seed, variant)
        draw_electra_weights(net, torch.Generator().manual_seed(seed_of(f"{arch}|{seed}|swap")))
        scores[f"{kind} swap"] = _swap(net, token_batch(TOKENS, seed)[0])
        scores[f"{kind} params"] = float(_num_params(net.blocks))
    return scores


def num_stacks(arch: str) -> int:
    """How many feed-forward stacks an encoder has."""
    return sum(int(layer[-1]) for layer in arch.split("-")[2:])


def flexibert(context: Context) -> list[Result]:
    """SWAP and params on FlexiBERT against GLUE. An encoder that was trained twice counts twice."""
    table, protocol = "swap-flexibert", TOKENS.name
    archs = context.archs("flexibert", 500)
    trained = context.benchmarks.arrow("runs", "flexibert", "glue").to_pylist()
    members = context.benchmarks.space("flexibert")
    pairs = [(members[run["arch_id"]], run["val_acc"]) for run in trained]
    pairs = [pair for pair in pairs if pair[0] in archs]
    values = np.array([glue for _, glue in pairs])
    path = context.folder / f"swap-flexibert-seed{BERT_SEED}.jsonl"
    names = ("scored swap", "scored params", "own swap", "own params")
    found = context.grown(path, archs, names, partial(flexibert_scores, BERT_SEED))
    pairs = [pair for pair in pairs if pair[0] in found]
    values = np.array([glue for _, glue in pairs])
    known = {
        "SWAP": ("scored swap", SWAP_FIGURE, "tokens drawn uniformly, where the paper has text"),
        "params": ("scored params", PARAMS_FIGURE, "of the encoders that the authors' code scores"),
        "SWAP, nbzero": ("own swap", None, "of encoders with the hidden size and widths of their archs"),
        "params, nbzero": ("own params", None, "of encoders with the hidden size and widths of their archs"),
    }
    rows = []
    for row, (name, paper, note) in known.items():
        of_name = column(found, [arch for arch, _ in pairs], name)
        rows.append(spearman_row(table, row, paper, of_name, values, protocol, note))
    both = [column(found, [arch for arch, _ in pairs], f"scored {name}") for name in ("swap", "params")]
    gain = round(SWAP_FIGURE - PARAMS_FIGURE, 3)
    rows.append(paired_row(table, "SWAP - params", gain, *both, values, protocol))
    stacks = [num_stacks(arch) for arch, _ in pairs]
    note = joined("not in the paper", "each adds 1,024 units a token to what SWAP counts")
    rows.append(spearman_row(table, "feed-forward stacks", None, stacks, values, "counted", note))
    return rows


# What both have in common


def _swap(net: nn.Module, batch: Tensor) -> float:
    scores = score(net, batch, torch.zeros(len(batch), dtype=torch.int64), ["swap"])
    value = scores["swap"]
    if value is None:
        raise UsageError(f"swap has no value: {scores.reasons['swap']}")
    return value


def _num_params(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _mean_over(runs: Sequence[Scored], archs: Sequence[str], name: str) -> np.ndarray:
    """(N,) the mean of a score over the seeds."""
    total = np.zeros(len(archs))
    for run in runs:
        total += column(run, archs, name)
    return total / len(runs)


TABLES: dict[str, Callable[[Context], list[Result]]] = {"swap-darts": darts, "swap-flexibert": flexibert}
