"""The tables of WRCor on NAS-Bench-201 (Jing et al., arXiv:2507.08841).

The paper gives absolute Spearman correlations of 1,000 archs. Here archs are drawn by hash, so that a smaller
number is a prefix of a larger one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, joined, paired_row, spearman_row
from builders.reproductions.scoring import AS_AUTHORS, Scored, counted
from nbzero.bench import Bench
from nbzero.judge.votes import EXPERTS, vote_positions
from nbzero.proxies.protocol import NOISE
from nbzero.spaces.nb201 import NB201, cell_costs, operations_of

TRAINED, SHORT = "nb201-200-mean", "nb201-12"

# Proxy of the paper: table 2's estimate and its value on all archs, CIFAR-100, ImageNet16-120 (table 4),
# batches of 32 and 128 (table 5), normal and N(0, 1) weights (table 6).
# fmt: off
FIGURES: dict[str, tuple[float | None, ...]] = {
    "PNorm": (0.684, 0.684, 0.712, 0.711, 0.684, 0.684, 0.692, 0.725),
    "PGNorm": (0.591, 0.594, 0.648, 0.588, 0.597, 0.586, 0.559, 0.369),
    "SNIP": (0.593, 0.596, 0.648, 0.588, 0.599, 0.589, 0.570, 0.518),
    "GraSP": (0.543, 0.515, 0.555, 0.551, 0.522, 0.519, 0.451, 0.106),
    "SynFlow": (0.743, 0.739, 0.771, 0.755, 0.743, 0.743, 0.738, 0.743),
    "Fisher": (0.506, 0.503, 0.563, 0.501, 0.510, 0.507, 0.480, 0.453),
    "JacCor": (0.726, 0.726, 0.721, 0.716, 0.730, 0.735, 0.739, 0.733),
    "EPE": (0.693, 0.694, 0.602, 0.566, 0.661, 0.703, 0.698, 0.719),
    "Phi": (0.703, 0.723, 0.730, 0.663, 0.701, 0.704, 0.670, 0.657),
    "Zen": (0.257, 0.237, 0.297, 0.293, 0.258, 0.256, 0.036, 0.352),
    "BT": (0.510, 0.472, 0.449, 0.460, 0.466, 0.541, 0.558, 0.568),
    "BndlEnt": (0.199, 0.188, 0.192, 0.130, 0.185, 0.228, 0.028, 0.040),
    "LyDynIso": (0.633, 0.632, 0.682, 0.668, 0.633, 0.633, 0.612, 0.717),
    "DynIso": (0.662, 0.674, 0.728, 0.674, 0.654, 0.667, 0.587, 0.358),
    "NetSens": (0.686, 0.685, 0.706, 0.624, 0.686, 0.686, 0.641, 0.625),
    "NASWOT": (0.779, 0.780, 0.818, 0.791, 0.775, 0.782, 0.777, 0.777),
    "ZiCo": (0.800, 0.800, 0.810, 0.790, None, None, 0.800, None),
    "Params": (0.750, 0.750, 0.730, 0.690, 0.750, 0.750, 0.750, 0.750),
    "FLOPs": (0.730, 0.730, 0.710, 0.670, 0.730, 0.730, 0.730, 0.730),
    "ValAcc": (0.842, 0.811, 0.845, 0.833, 0.842, 0.842, 0.842, 0.842),
    "ACor": (0.787, 0.789, 0.823, 0.790, 0.781, 0.780, 0.775, 0.766),
    "RCor": (0.803, 0.803, 0.839, 0.817, 0.791, 0.812, 0.798, 0.794),
    "WRCor": (0.811, 0.812, 0.846, 0.822, 0.797, 0.818, 0.805, 0.796),
    "ZeroCost": (0.775, 0.750, 0.802, 0.775, 0.783, 0.768, 0.791, 0.700),
    "SPW": (0.789, 0.780, 0.823, 0.808, 0.786, 0.791, 0.780, 0.804),
    "SJW": (0.851, 0.799, 0.846, 0.847, 0.829, 0.814, 0.829, 0.839),
}
# fmt: on
WEIGHTINGS = {
    "rcor": ("no (RCor)", 0.803),
    "wrcor_linear": ("linear", 0.805),
    "wrcor_quad": ("quad", 0.806),
    "wrcor": ("expb2t (WRCor)", 0.811),
    "wrcor_expt2b": ("expt2b", 0.800),
}
NOISE_FIGURE = 0.784
NOISE_LOSS = -0.027  # of noise against images

OF_OURS = {
    "PNorm": "pnorm",
    "PGNorm": "grad_norm",
    "SNIP": "snip",
    "GraSP": "grasp",
    "SynFlow": "synflow",
    "Fisher": "fisher",
    "JacCor": "jacob_cov",
    "EPE": "epe_nas",
    "Phi": "phi_bn",
    "Zen": "zen_own",
    "BT": "barlow_twins",
    "BndlEnt": "bndlent",
    "LyDynIso": "lyrdyniso",
    "NetSens": "netsens",
    "ZiCo": "zico",
}
COUNTED = {"NASWOT": "naswot", "ACor": "acor", "RCor": "rcor", "WRCor": "wrcor"}
VOTES = {"ZeroCost": "zerocost", "SPW": "spw", "SJW": "sjw"}
# What else is looked at beside the paper's rows.
BESIDE = {"Phi without batch norm": "phi", "Zen of N(0, 1) weights": "zen"}
# The paper has three rows of all archs alone: Params, FLOPs and ZiCo. The first two are figures of the
# test accuracy, so that of ZiCo is looked at too.
QUOTED = "ZiCo against the test accuracy"
# Why a row parts from the paper's figure.
CAUSES = {
    "ZiCo": "two batches of 32 images, where its authors have 128, and the paper's figure is of all archs"
}
CAUSES_CIFAR100 = {
    "EPE": "it looks at classes one by one, and of 100 classes 64 images that are balanced have none twice"
}
OF_TEST = "against the test accuracy, as the paper's figure of Params and FLOPs"


@functools.cache
def _accuracies(bench: Bench, dataset: str, recipe: str, split: str) -> dict[str, float]:
    frame = bench.table(SPACE, ["arch", f"{split}_acc"], dataset=dataset, recipe=recipe)
    return dict(zip(frame["arch"], frame[f"{split}_acc"], strict=True))


def accuracy(
    context: Context,
    archs: Sequence[str],
    dataset: str = "cifar10",
    recipe: str = TRAINED,
    split: str = "val",
) -> np.ndarray:
    """(N,) of archs. The val accuracy of CIFAR-10 is that of the runs on half of the training images."""
    found = _accuracies(context.benchmarks, dataset, recipe, split)
    return np.array([found[arch] for arch in archs])


def column(scored: Scored, archs: Sequence[str], name: str) -> np.ndarray:
    """(N,) scores, NaN where there is none."""
    values = [scored[arch].get(name) for arch in archs]
    return np.array([np.nan if value is None else value for value in values])


def published_flops(arch: str, macs: float) -> float:
    """What the counter of WRCor's authors gives: batch norms and poolings count too.

    Those that NATS-Bench publishes are macs + 10.
    """
    operations = operations_of(arch)
    convolutions = sum(name.startswith("nor_conv") for name in operations)
    poolings = operations.count("avg_pool_3x3")
    return macs + 160_832 + 430_080 * convolutions + 1_290_240 * poolings


def all_names() -> list[str]:
    """The proxies of table 2."""
    names = [*OF_OURS.values(), *BESIDE.values(), *COUNTED.values()]
    return [*names, *counted(COUNTED.values())]


def _figures(number: int) -> dict[str, float | None]:
    """A column of the paper's figures."""
    return {row: of_row[number] for row, of_row in FIGURES.items()}


def rows_of(
    table: str,
    paper: Mapping[str, float | None],
    scored: Scored,
    archs: Sequence[str],
    values: np.ndarray,
    protocol: str,
    note: str = "",
    causes: Mapping[str, str] = CAUSES,
) -> Iterator[Result]:
    """The rows of proxies and votes, of those that were scored.

    Args:
        paper: the figure of each row.
        values: (N,) accuracies of the archs.
        causes: what some rows' notes say too.
    """
    there = scored[archs[0]]
    for row, name in OF_OURS.items():
        if name in there:
            column_of = column(scored, archs, name)
            said = joined(causes.get(row, ""), note)
            yield spearman_row(table, row, paper[row], column_of, values, protocol, said)
    for row, name in COUNTED.items():
        as_theirs = f"{name}:{AS_AUTHORS}"
        if as_theirs in there:
            said = joined("counted as the authors do", note)
            of_theirs = column(scored, archs, as_theirs)
            yield spearman_row(table, row, paper[row], of_theirs, values, protocol, said)
        if name in there:
            said = joined("every activation counted once", note)
            of_ours = column(scored, archs, name)
            called = f"{row}, nbzero"
            yield spearman_row(table, called, paper[row], of_ours, values, protocol, said)
    for row, vote in VOTES.items():
        experts = [_of_expert(name, there) for name in EXPERTS[vote]]
        if all(expert in there for expert in experts):
            scores = np.array([column(scored, archs, expert) for expert in experts])
            counting = f"{experts[-1]}, " if "wrcor" in EXPERTS[vote] else ""
            said = joined(f"{counting}places when sorted in the order drawn, absent scores last", note)
            yield spearman_row(table, row, paper[row], vote_positions(scores), values, protocol, said)


def _of_expert(name: str, there: dict[str, float | None]) -> str:
    as_theirs = f"{name}:{AS_AUTHORS}"
    return as_theirs if as_theirs in there else name


def table_2(context: Context) -> list[Result]:
    """Table 2: all proxies, CIFAR-10."""
    table, setting = "wrcor-2", context.setting("std-32", all_names())
    scored, protocol = context.filled(setting, context.archs(SPACE, 1000)), setting.settings.name
    archs = list(scored)
    values = accuracy(context, archs)
    rows = list(rows_of(table, _figures(0), scored, archs, values, protocol))
    for row, name in BESIDE.items():
        if name in scored[archs[0]]:
            figure = FIGURES[row.partition(" ")[0]][0]
            known = "another definition than the paper's, see the row without an addition"
            of_ours = column(scored, archs, name)
            rows.append(spearman_row(table, row, figure, of_ours, values, protocol, known))
    rows += _of_zico(table, context, scored, 0, "cifar10", protocol)
    rows += _unscored(table, context, archs, 0, "cifar10", "counted")
    return rows + _gain_over_rcor(table, scored, archs, values, protocol)


def _of_zico(
    table: str, context: Context, scored: Scored, figure: int, dataset: str, protocol: str
) -> Iterator[Result]:
    """ZiCo against the test accuracy, where it was scored."""
    archs = list(scored)
    if "zico" in scored[archs[0]]:
        paper = FIGURES["ZiCo"][figure]
        values = accuracy(context, archs, dataset, split="test")
        yield spearman_row(table, QUOTED, paper, column(scored, archs, "zico"), values, protocol, OF_TEST)


def _unscored(
    table: str, context: Context, archs: Sequence[str], figure: int, dataset: str, protocol: str
) -> list[Result]:
    """Params and FLOPs against the test accuracy, which these rows of the paper used, and ValAcc."""
    values = accuracy(context, archs, dataset, split="test")
    costs = [cell_costs(NB201.parse(arch)) for arch in archs]
    params = [cost["params"] for cost in costs]
    flops = [published_flops(arch, cost["macs"]) for arch, cost in zip(archs, costs, strict=True)]
    short = accuracy(context, archs, dataset, SHORT)
    trained = accuracy(context, archs, dataset)
    paper = _figures(figure)
    said = "val accuracy after 12 epochs, where the paper does not say which epoch"
    return [
        spearman_row(table, "Params", paper["Params"], params, values, protocol, OF_TEST),
        spearman_row(table, "FLOPs", paper["FLOPs"], flops, values, protocol, OF_TEST),
        spearman_row(table, "ValAcc", paper["ValAcc"], short, trained, protocol, said),
    ]


def _gain_over_rcor(
    table: str, scored: Scored, archs: Sequence[str], values: np.ndarray, protocol: str
) -> list[Result]:
    rows = []
    for ending, said in ((f":{AS_AUTHORS}", "WRCor - RCor"), ("", "WRCor - RCor, nbzero")):
        one, other = f"wrcor{ending}", f"rcor{ending}"
        if one in scored[archs[0]] and other in scored[archs[0]]:
            pair = column(scored, archs, one), column(scored, archs, other)
            rows.append(paired_row(table, said, 0.008, *pair, values, protocol))
    return rows


def table_3(context: Context) -> list[Result]:
    """Table 3: weightings of RCor."""
    table, setting = "wrcor-3", context.setting("std-32", [*WEIGHTINGS, *counted(WEIGHTINGS)])
    scored, protocol = context.filled(setting, context.archs(SPACE, 1000)), setting.settings.name
    archs = list(scored)
    values = accuracy(context, archs)
    rows = []
    for name, (row, figure) in WEIGHTINGS.items():
        for called, said in ((f"{name}:{AS_AUTHORS}", row), (name, f"{row}, nbzero")):
            if called in scored[archs[0]]:
                of_name = column(scored, archs, called)
                rows.append(spearman_row(table, said, figure, of_name, values, protocol))
    return rows + _gain_over_rcor(table, scored, archs, values, protocol)


def table_4(context: Context) -> list[Result]:
    """Table 4: CIFAR-100 with its images; ImageNet16-120 by its accuracies alone."""
    table, archs = "wrcor-4", context.archs(SPACE, 1000)
    note = "scores of CIFAR-10 images with 10 classes; only the accuracies are of ImageNet16-120"
    return [
        *_of_setting(table, context, "std-32", 2, "cifar100", "cifar100"),
        *_unscored(table, context, archs, 2, "cifar100", "counted-cifar100"),
        *_of_setting(table, context, "std-32", 3, "cifar10", "imagenet16-120", note, 1000),
        *_unscored(table, context, archs, 3, "imagenet16-120", "counted-imagenet16-120"),
    ]


def _of_setting(
    table: str,
    context: Context,
    protocol: str,
    figure: int,
    scored_on: str = "cifar10",
    judged_on: str = "cifar10",
    note: str = "",
    num_archs: int = 300,
) -> list[Result]:
    """The rows of proxies and votes."""
    paper = _figures(figure)
    named_by_paper = [name for row, name in OF_OURS.items() if paper[row] is not None]
    names = [*named_by_paper, *COUNTED.values(), *counted(COUNTED.values())]
    setting = context.setting(protocol, names, scored_on)
    scored = context.filled(setting, context.archs(SPACE, num_archs))
    archs = list(scored)
    named = protocol if judged_on == "cifar10" else f"{protocol}-{judged_on}"
    values = accuracy(context, archs, judged_on)
    causes = CAUSES | (CAUSES_CIFAR100 if scored_on == "cifar100" else {})
    rows = list(rows_of(table, paper, scored, archs, values, named, note, causes))
    if judged_on != "cifar10":
        rows += _of_zico(table, context, scored, figure, judged_on, named)
    return rows


def table_5(context: Context) -> list[Result]:
    """Table 5: batches of 32 and 128 images; 64 is table 2's."""
    rows = []
    for protocol, figure in (("std-32-b32", 4), ("std-32-b128", 5)):
        rows += _of_setting("wrcor-5", context, protocol, figure)
    return rows


def table_6(context: Context) -> list[Result]:
    """Table 6: Kaiming normal and N(0, 1) weights; PyTorch's default is table 2's."""
    normal = "Kaiming normal, N(0, 2 / fan-in), where the paper says normal"
    return [
        *_of_setting("wrcor-6", context, "std-32-normal", 6, note=normal),
        *_of_setting("wrcor-6", context, "std-32-n01", 7, note="biases 0"),
    ]


def noise(context: Context) -> list[Result]:
    """WRCor of noise in place of images, and how much it differs from that of images on the same archs."""
    table, protocol = "wrcor-noise", "std-32-noise"
    names = ["wrcor", *counted(["wrcor"])]
    drawn = context.archs(SPACE, 300)
    of_noise = context.filled(context.setting(protocol, names, images=NOISE), drawn)
    archs = list(of_noise)
    values = accuracy(context, archs)
    rows = []
    for name, row in ((f"wrcor:{AS_AUTHORS}", "WRCor"), ("wrcor", "WRCor, nbzero")):
        if name in of_noise[archs[0]]:
            scores = column(of_noise, archs, name)
            rows.append(spearman_row(table, row, NOISE_FIGURE, scores, values, protocol))
    if context.images == NOISE:
        return rows
    of_images = context.filled(context.setting("std-32", names), drawn)
    return rows + _noise_less_images(context, table, protocol, of_noise, of_images)


def _noise_less_images(
    context: Context, table: str, protocol: str, of_noise: Scored, of_images: Scored
) -> list[Result]:
    """The paired differences, of the archs that have both."""
    archs = [arch for arch in of_noise if arch in of_images]
    if not archs:
        return []
    values = accuracy(context, archs)
    rows = []
    for name, row in ((f"wrcor:{AS_AUTHORS}", "noise - images"), ("wrcor", "noise - images, nbzero")):
        if name in of_noise[archs[0]] and name in of_images[archs[0]]:
            pair = column(of_noise, archs, name), column(of_images, archs, name)
            rows.append(paired_row(table, row, NOISE_LOSS, *pair, values, protocol))
    return rows


def dyniso(context: Context) -> list[Result]:
    """DynIso of table 2, which takes an image's backward passes class by class."""
    scored = context.filled(context.setting("std-32", ["dyniso"]), context.archs(SPACE, 100))
    archs = list(scored)
    note = "8 images, where the paper has 64"
    of_name, values = column(scored, archs, "dyniso"), accuracy(context, archs)
    return [spearman_row("dyniso", "DynIso", FIGURES["DynIso"][0], of_name, values, "std-32", note)]


TABLES: dict[str, Callable[[Context], list[Result]]] = {
    "wrcor-2": table_2,
    "wrcor-3": table_3,
    "wrcor-4": table_4,
    "wrcor-5": table_5,
    "wrcor-6": table_6,
    "wrcor-noise": noise,
    "dyniso": dyniso,
}
