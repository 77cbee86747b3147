"""The searches of WRCor (Jing et al., arXiv:2507.08841) and SWAP-NAS (Peng et al., arXiv:2403.04161).

    wrcor-9     NAS-Bench-201: random search, reinforcement learning and regularised evolution, by the val
                accuracy after 12 epochs, by WRCor, and by the votes ZeroCost and SJW; three runs of 1,000
                evaluations
    wrcor-10    WRCor's MobileNetV2 space under 600 M FLOPs: the size of what evolution finds. Nothing is
                trained on ImageNet here, so there is no error to compare
    swap-nas    SWAP-NAS on the 1,000 cells of DARTS that were trained

A network of NAS-Bench-201 stands for its isomorphism class: it alone is scored, with the images of CIFAR-10.
With fewer classes than there are the search is among the archs of these. By a vote random search and
evolution compare archs in pairs, as the authors do (`builders.reproductions.voting`). Reinforcement learning
needs a number, and has Copeland scores among all archs that can be found. The test accuracy judges what was
found, and chooses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from builders.reproductions.context import SEED_OF_SAMPLE, SPACE, Context
from builders.reproductions.results import Result, joined
from builders.reproductions.scoring import Scored, counted
from builders.reproductions.swap import darts_scores
from builders.reproductions.voting import Ballot, found_by_vote
from builders.reproductions.wrcor import SHORT, TRAINED, accuracy, column
from nbzero.bench import Bench
from nbzero.errors import NothingFoundError
from nbzero.judge.hybrids import combined, ranked_columns
from nbzero.judge.votes import EXPERTS
from nbzero.proxies.protocol import protocol_batches, row_of_scores
from nbzero.search.evolution import evolution
from nbzero.search.ground import Ground
from nbzero.search.live import live
from nbzero.search.run import STRATEGIES, run
from nbzero.search.sampling import Strategy
from nbzero.spaces.mobilenetv2 import MOBILENETV2, published_costs
from nbzero.spaces.published import space_with

RUNS, EVALUATIONS = 3, 1000
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
LETTERS = {"R": "random", "RL": "reinforcement", "RE": "evolution"}
# The paper's test accuracies on the three data sets, percent.
PAPER = {
    "R-ValAcc": (94.04, 72.51, 45.59),
    "RL-ValAcc": (93.85, 71.65, 44.95),
    "RE-ValAcc": (94.37, 73.09, 46.33),
    "R-WRCor": (91.95, 68.93, 41.80),
    "RL-WRCor": (93.11, 70.34, 45.42),
    "RE-WRCor": (89.37, 65.71, 35.48),
    "R-ZeroCost": (93.03, 68.64, 41.31),
    "RL-ZeroCost": (91.54, 66.35, 35.27),
    "RE-ZeroCost": (92.23, 67.12, 34.48),
    "R-SJW": (92.04, 68.82, 41.31),
    "RL-SJW": (92.96, 70.05, 44.80),
    "RE-SJW": (93.76, 71.57, 45.22),
}
OPTIMUM = (94.37, 73.51, 47.31)
# The paper's seconds of a random search of 1,000 evaluations, on a V100; the other strategies take up to an
# eighth more.
SECONDS = {"ValAcc": 105_992, "WRCor": 2_412, "ZeroCost": 5_474, "SJW": 5_825}
NUM_TIMED = 20  # networks
WRCOR = counted(["wrcor"])[0]  # counted as the authors do
VOTES = ("ZeroCost", "SJW")
IN_PAIRS, COPELAND = "votes in pairs", "votes as Copeland scores"
MAX_MACS = 600e6
FOUND = {"params (M)": 10.8, "FLOPs (M)": 592.0}  # of the paper's RE-SJW
LIVE_EVALUATIONS = 5000
DARTS_BATCH, DARTS_EVALUATIONS = "images 32", 100  # of 1,000 cells

Scores = Mapping[str, float | None]
Searching = Callable[[str], float | None]


# WRCor's Table 9


def table_9(context: Context) -> list[Result]:
    """WRCor's Table 9: searches on NAS-Bench-201."""
    rows = []
    for number, dataset in enumerate(DATASETS):
        archs = list(context.benchmarks.space(SPACE))
        values = accuracy(context, archs, dataset, SHORT).tolist()
        signal = dict(zip(archs, values, strict=True))
        note = "val accuracy after 12 epochs, where the paper does not say which"
        rows += _searched(context, "ValAcc", signal, number, SHORT, note)
        rows.append(_optimum(context, archs, number))
    rows += _seconds_of_training(context)
    scored, note = _scored_classes(context)
    if not scored:
        return rows
    protocol = context.setting("std-32", []).settings.name
    guides = dict(signals_of(scored))
    if context.computes:
        rows += _seconds_of_scoring(context, guides)
    for name, scores in guides.items():
        for number, dataset in enumerate(DATASETS):
            other = "" if dataset == "cifar10" else "scores of CIFAR-10 images"
            said = joined(note, other)
            rows += _searched(context, name, scores, number, protocol, said, ballots_of(scored, name))
    return rows


def _optimum(context: Context, archs: Sequence[str], number: int) -> Result:
    values = accuracy(context, archs, DATASETS[number], TRAINED, "test")
    row = f"Optimum, {DATASETS[number]}"
    paper, note = OPTIMUM[number] / 100, "highest test accuracy"
    return Result("wrcor-9", row, paper, float(values.max()), len(archs), 1, None, "counted", note)


def _seconds_of_training(context: Context) -> list[Result]:
    """Of 12 epochs on CIFAR-10, where the benchmark's file tells them."""
    runs = _runs_of_cells(context.benchmarks).select(["recipe", "train_time_s"])
    of_short = [row["train_time_s"] for row in runs.to_pylist() if row["recipe"] == SHORT]
    there = [seconds for seconds in of_short if seconds is not None]
    if not there:
        return []
    note = "training of 12 epochs, as the benchmark's authors measured it"
    return [_of_seconds("ValAcc", float(np.mean(there)), len(there), SHORT, note)]


def _runs_of_cells(bench: Bench) -> pa.Table:
    return bench.arrow("runs", SPACE, "cifar10")


def _seconds_of_scoring(context: Context, guides: Iterable[str]) -> list[Result]:
    """Of an evaluation by each guide: the scores that it needs of one network, measured here."""
    archs = context.archs(SPACE, NUM_TIMED)[:NUM_TIMED]
    setting = context.setting("std-32", [])
    batch = protocol_batches(setting.settings, "cifar10", [0], context.images)[0]
    rows = []
    for guide in guides:
        names = EXPERTS[guide.lower()] if guide in VOTES else ("wrcor",)
        row_of_scores(archs[0], 0, setting.settings, batch, 10, names)  # warms up
        started = time.perf_counter()
        for arch in archs:
            row_of_scores(arch, 0, setting.settings, batch, 10, names)
        seconds = (time.perf_counter() - started) / len(archs)
        note = "scoring on one core of this machine, where the paper has a V100; each class once"
        rows.append(_of_seconds(guide, seconds, len(archs), setting.settings.name, note))
    return rows


def _of_seconds(guide: str, seconds: float, num: int, protocol: str, note: str) -> Result:
    row, figure = f"seconds an evaluation, {guide}", SECONDS[guide] / EVALUATIONS
    return Result("wrcor-9", row, figure, seconds, num, 1, None, protocol, note)


def _scored_classes(context: Context) -> tuple[Scored, str]:
    """Scores by arch, of all archs of the classes that were scored, and what is to be said of them."""
    frame = context.benchmarks.table(SPACE, ["arch", "iso_class"])
    class_of = dict(zip(frame["arch"], frame["iso_class"].tolist(), strict=True))
    members = context.benchmarks.space(SPACE)
    first: dict[int, str] = {}  # class -> the first of its archs that is drawn
    for arch in members.sample(len(members), SEED_OF_SAMPLE):
        first.setdefault(class_of[arch], arch)
    chosen = list(first.values())[: context.num_archs]
    names = [*EXPERTS["zerocost"], WRCOR]
    if not context.computes:
        names.append("wrcor")  # which others may have computed
    try:
        found = context.filled(context.setting("std-32", names), chosen)
    except NothingFoundError:  # nothing is known, and nothing is to be computed
        return {}, ""
    there = {class_of[arch]: scores for arch, scores in found.items()}
    scored = {arch: there[number] for arch, number in class_of.items() if number in there}
    counting = "as the authors do" if WRCOR in next(iter(there.values())) else "every activation once"
    classes = f"{len(there):,} of {len(first):,} isomorphism classes"
    return scored, f"among {len(scored):,} archs of {classes}; counted {counting}"


def signals_of(scored: Scored) -> Iterator[tuple[str, Scores]]:
    """WRCor and the votes, these as Copeland scores, of those whose scores are there."""
    archs = list(scored)
    there = scored[archs[0]]
    wrcor = _wrcor_of(scored)
    if wrcor in there:
        yield "WRCor", {arch: scored[arch][wrcor] for arch in archs}
    for name in VOTES:
        experts = _experts_of(scored, name)
        if all(expert in there for expert in experts):
            values_PN = np.array([column(scored, archs, expert) for expert in experts])
            votes = combined(ranked_columns(values_PN, "majority"), "majority")
            yield name, dict(zip(archs, votes.tolist(), strict=True))


def ballots_of(scored: Scored, name: str) -> dict[str, Ballot] | None:
    """The ballots of a vote by arch; None for what is none."""
    if name not in VOTES:
        return None
    experts = _experts_of(scored, name)
    return {arch: Ballot([scores[expert] for expert in experts]) for arch, scores in scored.items()}


def _experts_of(scored: Scored, vote: str) -> list[str]:
    return [_wrcor_of(scored) if expert == "wrcor" else expert for expert in EXPERTS[vote.lower()]]


def _wrcor_of(scored: Scored) -> str:
    return WRCOR if WRCOR in next(iter(scored.values())) else "wrcor"


def _searched(
    context: Context,
    name: str,
    signal: Scores,
    number: int,
    protocol: str,
    note: str,
    ballots: Mapping[str, Ballot] | None = None,
) -> Iterator[Result]:
    """The rows of one signal on one data set: the test accuracy of what is found."""
    archs, dataset = list(signal), DATASETS[number]
    test = dict(zip(archs, accuracy(context, archs, dataset, TRAINED, "test").tolist(), strict=True))
    paper = {row: of_row[number] for row, of_row in PAPER.items()}
    judged = {dataset: Judged(test, paper)}
    yield from searched("wrcor-9", SPACE, name, signal, judged, protocol, note, ballots)


class Judged(NamedTuple):
    """What judges the archs that were found.

    Attributes:
        accuracy: of every arch.
        paper: of every row, percent.
    """

    accuracy: Mapping[str, float]
    paper: Mapping[str, float]


def searched(
    table: str,
    space: str,
    name: str,
    signal: Scores,
    judged: Mapping[str, Judged],
    protocol: str,
    note: str,
    ballots: Mapping[str, Ballot] | None = None,
) -> Iterator[Result]:
    """The rows of the paper's three strategies by one signal, among the archs that have it.

    Args:
        name: of the signal.
        judged: by what the row is called.
        ballots: of a vote. Reinforcement learning has the signal.
    """
    ground = Ground(space_with(space, list(signal)))
    for letter, strategy in LETTERS.items():
        if ballots is None:
            archs, how = _found(ground, signal.__getitem__, STRATEGIES[strategy]), ""
        elif letter == "RL":
            archs, how = _found(ground, signal.__getitem__, STRATEGIES[strategy]), COPELAND
        else:
            voting = partial(found_by_vote, ground, ballots, STRATEGIES[strategy], EVALUATIONS)
            archs, how = [voting(seed) for seed in range(RUNS)], IN_PAIRS
        for label, (accuracy_of, paper) in judged.items():
            found = np.array([accuracy_of[arch] for arch in archs])
            row, figure = f"{letter}-{name}, {label}", paper[f"{letter}-{name}"] / 100
            yield _of_runs(table, row, figure, found, len(signal), protocol, joined(note, how))


def _found(
    ground: Ground, signal: Searching, strategy: Strategy, evaluations: int = EVALUATIONS
) -> list[str]:
    """What each run finds; a run in which no arch has a score finds the first that it asked for."""
    archs = []
    for seed in range(RUNS):
        history = run(ground, signal, strategy, evaluations, seed=seed)
        archs.append(history.archs[0] if history.best is None else history.best[0])
    return archs


def _of_runs(
    table: str,
    row: str,
    paper: float | None,
    found: npt.NDArray[np.float64],
    num_archs: int,
    protocol: str,
    note: str,
    evaluations: int = EVALUATIONS,
) -> Result:
    """The mean over runs; its standard error is of the runs."""
    sd = float(found.std(ddof=1))
    said = f"{evaluations:,} evaluations, {len(found)} runs, sd {sd:.4f}"
    error = sd / len(found) ** 0.5
    return Result(
        table, row, paper, float(found.mean()), num_archs, len(found), error, protocol, joined(said, note)
    )


# WRCor's Table 10


def table_10(context: Context) -> list[Result]:
    """WRCor's Table 10: the size of what evolution finds for ImageNet, without training it."""
    proxy = context.proxies[0] if context.proxies else "wrcor"
    evaluations = LIVE_EVALUATIONS if context.num_archs is None else context.num_archs
    if not context.computes:
        raise NothingFoundError("wrcor-10 scores what it searches; leave out --known-only")
    space, path = MOBILENETV2.name, context.folder / f"wrcor-10-{proxy}.csv"
    scoring = {"images": context.images, "out": path, "workers": context.workers}
    with live(space, proxy, "cifar10", **scoring) as objective:
        strategy = partial(evolution, batch=context.workers)
        history = run(space, objective, strategy, evaluations, {"macs": MAX_MACS}, show_progress=True)
    if history.best is None:
        return []
    arch = history.best[0]
    costs = published_costs(arch)
    note = f"by {proxy} alone, where the paper votes with synflow and jacob_cov; one run; not trained: {arch}"
    protocol = context.setting("std-32", []).settings.name
    rows = []
    for row, ours in (("params (M)", costs["params"] / 1e6), ("FLOPs (M)", costs["flops"] / 1e6)):
        name = f"RE-SJW, {row}"
        rows.append(Result("wrcor-10", name, FOUND[row], ours, len(history), 1, None, protocol, note))
    return rows


# SWAP-NAS


def swap_darts(context: Context) -> list[Result]:
    """SWAP-NAS on the cells of DARTS that were trained: the val accuracy of what it finds."""
    archs = context.archs("darts", 1000)
    frame = context.benchmarks.table("darts", ["arch", "val_acc"], dataset="cifar10")
    accuracy_of = dict(zip(frame["arch"], frame["val_acc"].tolist(), strict=True))
    compute = partial(darts_scores, context.images, 0)
    path = context.folder / "swap-darts-seed0.jsonl"
    scored = context.grown(path, archs, [DARTS_BATCH], compute)
    ground = Ground(space_with("darts", list(scored)))
    signals: dict[str, Searching] = {
        "SWAP": lambda arch: scored[arch][DARTS_BATCH],
        "val accuracy": accuracy_of.__getitem__,
    }
    rows = []
    for name, signal in signals.items():
        for strategy in ("random", "evolution", "swap_nas"):
            archs = _found(ground, signal, STRATEGIES[strategy], DARTS_EVALUATIONS)
            found = np.array([accuracy_of[arch] for arch in archs])
            said = ("tiny-n01", "val accuracy found", DARTS_EVALUATIONS)
            rows.append(_of_runs("swap-nas", f"{strategy} by {name}", None, found, len(scored), *said))
    values = np.array([accuracy_of[arch] for arch in scored])
    for row, value in (("best of the table", values.max()), ("mean of the table", values.mean())):
        rows.append(Result("swap-nas", row, None, float(value), len(values), 1, None, "counted"))
    return rows


TABLES: dict[str, Callable[[Context], list[Result]]] = {
    "wrcor-9": table_9,
    "wrcor-10": table_10,
    "swap-nas": swap_darts,
}
