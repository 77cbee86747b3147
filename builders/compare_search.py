"""How good each search is: python -m builders.compare_search --benchmarks DIR --out FOLDER

Every strategy searches for every objective under three budgets, with 30 seeds, on r1-mini, r1 and mb of the
release that ships and on NAS-Bench-201 of DIR. This makes DIR, of the two Parquet files of NAS-Bench-201 and
of the scores that ship:

    python -m builders.import_bench nb201 --source FOLDER --out DIR

FOLDER gets `search.csv`, a row for each, `search.md`, the README's table, and `search.png`. What is finished
is kept there in a file a space: a job that was stopped goes on where it was, and spaces can be searched side
by side (`--spaces`).

    truth      r1-mini, r1, mb: predicted val accuracies of the members, since few are trained
               NAS-Bench-201: val accuracy on CIFAR-10 after 200 epochs
    objective  the truth of our spaces; of NAS-Bench-201 val accuracy after 12 epochs
               naswot, synflow, swap, sjw, az_nas; macs
    ground     the members that the objective has a score of, within the budget
    budget     a fifth, half and all of the members by macs
    regret     best truth of the ground - truth of the arch with the highest score so far

A proxy is searched for itself, and is the guide of `top_k`, which looks up the accuracy of its favourites,
best first: what comes of training the k archs that a proxy likes best. `swap_nas_sized` searches for swap
alone, of which its preference is defined.

The regret of one objective says how much of what it could find a strategy finds, and how far its favourite is
from the best of the same ground. Grounds of other objectives are other ones: of r1 and mb 200 members are
scored. Of NAS-Bench-201 the source of the tables has naswot and synflow of every cell (freerea-naslib); swap,
sjw and az_nas are those that ship, of 1,006 cells (std-32).

Intervals are of the mean over seeds (95 %, seeds drawn again).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from builders.work.command import parser_of, say_errors
from nbzero.bench import Bench
from nbzero.errors import ReleaseError, whole
from nbzero.files import make_folder, write_whole
from nbzero.frame import Frame
from nbzero.plots.axes import CYCLE, DASHES, MARKERS, SMALL, new_figure, panels, plain_axes, titled
from nbzero.search.ground import Ground
from nbzero.search.objective import Objective
from nbzero.search.regret import regret
from nbzero.search.run import STRATEGIES, run
from nbzero.search.sampling import top_k
from nbzero.spaces.nb201 import NB201
from nbzero.spaces.published import PUBLISHED_PROTOCOL, space_with, standard_protocol

DATASET = "cifar10"
SHARES = {"a fifth": 0.2, "half": 0.5, "all": 1.0}  # of the members, by macs
EVALUATIONS, SEEDS, RESAMPLES = 300, 30, 2000
SAID = (10, 50, 100, 200, 300)  # evaluations after which the table has the regret
PLAIN = ("random", "evolution", "reinforcement", "swap_nas")
SIZED = "swap_nas_sized"  # its preference is defined for swap alone
SHOWN_SHARE, GUIDED = "half", 10  # of the README's table: the budget, and the archs that a guide has trained
TITLES = {"nb201": "NAS-Bench-201"}
LABELS = {"predicted": "predicted accuracy", "accuracy": "accuracy after 12 epochs"}

Floats = npt.NDArray[np.float64]


class Compared(NamedTuple):
    """A space that is searched.

    Attributes:
        recipe: of the truth.
        objectives: what is searched for; the first is an accuracy.
        protocols: objective -> by which its networks were scored; of accuracies and costs there is none.
    """

    space: str
    recipe: str
    objectives: tuple[Any, ...]
    protocols: Mapping[Any, str]


def _ours(space: str) -> Compared:
    protocols = dict.fromkeys(("naswot", "synflow", "swap", "sjw", "az_nas"), standard_protocol(space))
    return Compared(space, "cpu-16px-4", ("predicted", *protocols, "macs"), protocols)


def _nb201() -> Compared:
    """The source of the tables has scores of all cells, by fewer proxies than ours of a thousand cells."""
    protocols: dict[Any, str] = dict.fromkeys(("naswot", "synflow", ("synflow", "naswot")), NB201.protocol)
    protocols |= dict.fromkeys(("swap", "sjw", "az_nas"), PUBLISHED_PROTOCOL)
    return Compared("nb201", "nb201-200-mean", ("accuracy", *protocols, "macs"), protocols)


OURS = tuple(map(_ours, ("r1-mini", "r1", "mb")))
PUBLISHED = (_nb201(),)
SHORT_RECIPE = "nb201-12"


class Searched(NamedTuple):
    """One objective within one budget, searched by one strategy.

    Attributes:
        protocol: by which the networks were scored, of the objective or of the guide of `top_k`; "" of
            accuracies and costs.
        limit: the most macs.
        num_archs: of the ground.
        mean, low, high: (N,) regret after each evaluation, the mean over seeds and its interval.
    """

    space: str
    objective: str
    protocol: str
    share: str
    limit: float
    num_archs: int
    strategy: str
    seeds: int
    mean: list[float]
    low: list[float]
    high: list[float]

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.objective, self.protocol, self.share, self.strategy, self.seeds, len(self.mean))


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--benchmarks", help="release with nb201; default: ours alone", default=None)
    parser.add_argument("--out", required=True, help="folder of search.csv and search.png")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="default: %(default)s")
    parser.add_argument("--spaces", nargs="+", default=None, help="only these; default: all")
    given = parser.parse_args(argv)
    whole("--seeds", given.seeds, 2)
    whole("--evaluations", given.evaluations, 2)
    found: list[Searched] = []
    folder = Path(given.out)
    make_folder(folder)
    for bench, compared in _chosen(parser, given):
        path = folder / f"search-{compared.space}.jsonl"
        there = {one.key: one for one in kept(path)}
        with open(path, "a", encoding="utf-8") as file:
            for one in searches(bench, compared, given.evaluations, given.seeds, there):
                found.append(one)
                if one.key not in there:
                    file.write(json.dumps(one._asdict()) + "\n")
                    file.flush()
                    print(_said(one), flush=True)
    table(found).to_csv(folder / "search.csv")
    write_whole(folder / "search.md", markdown(found).encode())
    drawn = io.BytesIO()
    figure(found).savefig(drawn, dpi=120, format="png")
    write_whole(folder / "search.png", drawn.getvalue())


def kept(path: Path) -> list[Searched]:
    """What a file has; a last line that a kill cut off is taken away.

    Raises:
        ReleaseError: another line that cannot be read.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole_lines = text[: text.rfind("\n") + 1]
    if whole_lines != text:
        write_whole(path, whole_lines.encode())
    found = []
    for number, line in enumerate(whole_lines.splitlines(), 1):
        try:
            found.append(Searched(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ReleaseError(f"{path}: line {number} is no search; remove the line or the file") from error
    return found


def _chosen(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[tuple[Bench, Compared]]:
    ours = Bench()
    listed = [(ours, compared) for compared in OURS]
    if given.benchmarks is not None:
        imported = Bench(given.benchmarks)
        listed += [(imported, compared) for compared in PUBLISHED]
    names = [compared.space for _, compared in listed]
    for name in given.spaces or ():
        if name not in names:
            parser.error(f"no space {name!r}; those are {', '.join(names)} (nb201 with --benchmarks)")
    return [(bench, one) for bench, one in listed if given.spaces is None or one.space in given.spaces]


def searches(
    bench: Bench,
    compared: Compared,
    evaluations: int,
    seeds: int,
    there: Mapping[tuple[Any, ...], Searched],
) -> Iterator[Searched]:
    """Every objective, budget and strategy of a space; those that are there are not made again."""
    truth = truth_of(bench, compared)
    macs = bench.table(compared.space, ["arch", "macs"])
    limits = {share: float(np.quantile(macs["macs"], part)) for share, part in SHARES.items()}
    first = compared.objectives[0]
    accuracy = objective_of(bench, compared, first, truth)
    for of in compared.objectives:
        objective = objective_of(bench, compared, of, truth)
        answered = list(truth)
        if objective.archs is not None:
            scored = set(objective.archs)
            answered = [arch for arch in truth if arch in scored]
        for share, limit in limits.items():
            ground = Ground(space_with(compared.space, answered), budget={"macs": limit})
            archs = ground.archs or ()
            truths = {arch: truth[arch] for arch in archs}
            protocol = compared.protocols.get(of, "")
            asked = [(of, objective, name, STRATEGIES[name]) for name in strategies_of(of)]
            if of != first:
                asked.append((first, accuracy, f"top_k({said(of)})", top_k(objective)))
            for sought, scores, name, strategy in asked:
                key = (said(sought), protocol, share, name, seeds, evaluations)
                if key in there:
                    yield there[key]
                    continue
                regrets = []
                for seed in range(seeds):
                    history = run(ground, scores, strategy, evaluations, seed=seed)
                    regrets.append(padded(regret(history, truths), evaluations))
                where = (compared.space, said(sought), protocol, share, limit, len(archs), name, seeds)
                yield Searched(*where, *intervals(np.array(regrets)))


def said(of: Any) -> str:
    """An objective in words."""
    return str(LABELS.get(of, " + ".join(of) if isinstance(of, tuple) else of))


def strategies_of(of: Any) -> tuple[str, ...]:
    """The strategies that search for an objective."""
    return (*PLAIN, SIZED) if of == "swap" else PLAIN


def truth_of(bench: Bench, compared: Compared) -> dict[str, float]:
    """Val accuracy of every arch that has one; in our spaces predicted."""
    accuracy: Any = "measured" if compared in PUBLISHED else "predicted"
    pool = bench.pool(compared.space, DATASET, compared.recipe, proxies=[], accuracy=accuracy)
    return dict(zip(pool.archs, pool.accuracy.tolist(), strict=True))


def objective_of(bench: Bench, compared: Compared, of: Any, truth: Mapping[str, float]) -> Objective:
    """What is searched for. Of predictions those of the members, which need not be made again."""
    if of == "predicted":
        return Objective(of, compared.space, "predicted accuracy", tuple(truth), truth.__getitem__)
    recipe = SHORT_RECIPE if of == "accuracy" else compared.recipe
    return bench.objective(compared.space, of, DATASET, recipe, protocol=compared.protocols.get(of))


def padded(values: Floats, number: int) -> Floats:
    """A search that ended early, because every arch came, stays at its last regret."""
    return np.concatenate([values, np.full(number - len(values), values[-1])])


# What is said of them


def intervals(regrets_SN: Floats) -> tuple[list[float], list[float], list[float]]:
    """(N,) the mean over S seeds and the ends of its 95 % interval, of seeds drawn again."""
    num_seeds = len(regrets_SN)
    drawn_RS = np.random.default_rng(0).integers(num_seeds, size=(RESAMPLES, num_seeds))
    counts_RS = np.stack([np.bincount(drawn, minlength=num_seeds) for drawn in drawn_RS])
    means_RN = counts_RS @ regrets_SN / num_seeds
    low, high = np.quantile(means_RN, [0.025, 0.975], axis=0)
    return regrets_SN.mean(axis=0).tolist(), low.tolist(), high.tolist()


def table(found: Iterable[Searched]) -> Frame:
    """A row for each objective, budget, strategy and number of evaluations."""
    rows = []
    for one in found:
        for number in sorted({min(number, len(one.mean)) for number in SAID}):
            row: dict[str, Any] = {"space": one.space, "objective": one.objective}
            row |= {"protocol": one.protocol, "budget": one.share}
            row |= {"max_macs": one.limit, "num_archs": one.num_archs, "strategy": one.strategy}
            row |= {"seeds": one.seeds, "evaluations": number, "regret": one.mean[number - 1]}
            row |= {"regret_low": one.low[number - 1], "regret_high": one.high[number - 1]}
            rows.append(row)
    return Frame.of(rows, "Regret of searches")


def markdown(found: Iterable[Searched]) -> str:
    """The README's table: the regret after all evaluations in points, of `top_k` after the first ten."""
    strategies = ("random", "evolution", "reinforcement", "SWAP-NAS")  # as in PLAIN
    heads = ("space, objective (archs)", *strategies, "its best ten trained")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    by_name = {(one.space, one.objective, one.strategy): one for one in found if one.share == SHOWN_SHARE}
    for (space, objective, strategy), one in by_name.items():
        if strategy != PLAIN[0]:
            continue
        cells = [_points(by_name[space, objective, name], -1) for name in PLAIN]
        sized = by_name.get((space, objective, SIZED))
        if sized is not None:
            cells[-1] += f"; sized {_points(sized, -1)}"
        guided = [of for of in by_name.values() if (of.space, of.strategy) == (space, f"top_k({objective})")]
        cells.append(_points(guided[0], GUIDED - 1) if guided else "")
        named = f"{TITLES.get(space, space)}, {objective} ({one.num_archs:,})"
        lines.append(f"| {named} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _points(one: Searched, at: int) -> str:
    """Regret in points of accuracy; of `top_k` there is no interval, since every seed has the same order."""
    at = min(at, len(one.mean) - 1)
    if one.strategy.startswith("top_k"):
        return f"{100 * one.mean[at]:.1f}"
    return f"{100 * one.mean[at]:.1f} ({100 * one.low[at]:.1f}-{100 * one.high[at]:.1f})"


def _said(one: Searched) -> str:
    mean, low, high = one.mean[-1], one.low[-1], one.high[-1]
    of = f"{one.space}, {one.objective}, {one.share} ({one.num_archs} archs), {one.strategy}"
    return f"{of}: {mean:.4f} ({low:.4f} to {high:.4f})"


def figure(found: Sequence[Searched]) -> Any:
    """Above: strategies that search for an accuracy. Below: what evolution finds for every objective."""
    spaces = list(dict.fromkeys(one.space for one in found))
    drawing = new_figure(3.1 * len(spaces), 6.4, {})
    axes = panels(drawing, 2 * len(spaces), len(spaces))
    for number, space in enumerate(spaces):
        of_space = [one for one in found if one.space == space]
        _draw_curves(axes[number], of_space)
        _draw_objectives(axes[len(spaces) + number], of_space)
    style: Any = {"fontsize": SMALL, "frameon": False}
    axes[len(spaces) - 1].legend(loc="upper right", **style)  # one legend a row
    above: Any = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(SHARES)}
    axes[2 * len(spaces) - 1].legend(columnspacing=1, handletextpad=0.2, **above, **style)
    seeds, evaluations = found[0].seeds, len(found[0].mean)
    notes = [
        f"Means over {seeds} seeds and their 95 % intervals. Above: under half of the members by macs.",
        f"Below: evolution after {evaluations} evaluations, under three budgets. In brackets: archs scored.",
        "Truth: predicted val accuracies of the members; of nb201 val accuracies after 200 epochs.",
    ]
    titled(drawing, "Regret of searches: what they find against the best that they could", notes, {})
    return drawing


def _draw_curves(axes: Any, of_space: Sequence[Searched]) -> None:
    first = of_space[0].objective
    drawn = (*PLAIN, "top_k(macs)")
    shown = [
        one
        for one in of_space
        if (one.objective, one.share) == (first, SHOWN_SHARE) and one.strategy in drawn
    ]
    for number, one in enumerate(shown):
        steps = np.arange(1, len(one.mean) + 1)
        axes.plot(steps, one.mean, color=CYCLE[number], linestyle=DASHES[number], label=one.strategy)
        axes.fill_between(steps, one.low, one.high, color=CYCLE[number], alpha=0.15, linewidth=0)
    axes.set_title(f"{of_space[0].space}\n{first}", fontsize=9)
    axes.set_xlabel("evaluations")
    axes.set_ylabel("regret (accuracy)")
    axes.set_yscale("symlog", linthresh=1e-3)
    plain_axes(axes, "both")


def _draw_objectives(axes: Any, of_space: Sequence[Searched]) -> None:
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(one.objective for one in of_space))
    for number, share in enumerate(SHARES):
        for row, name in enumerate(names):
            (one,) = (
                searched
                for searched in of_space
                if (searched.objective, searched.share, searched.strategy) == (name, share, "evolution")
            )
            mean, low, high = one.mean[-1], one.low[-1], one.high[-1]
            at = row + 0.2 * (number - 1)
            label = share if row == 0 else None
            style: Any = {"color": CYCLE[number], "linestyle": "none", "markersize": 4, "label": label}
            axes.plot([low, high], [at, at], color=CYCLE[number])
            axes.plot(mean, at, marker=MARKERS[number], **style)
    counts = {
        one.objective: one.num_archs for one in of_space if (one.share, one.strategy) == ("all", PLAIN[0])
    }
    labels = [f"{name.replace(' ', chr(10), 1)} ({counts[name]:,})" for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("regret (accuracy)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    plain_axes(axes, "x")


if __name__ == "__main__":
    sys.exit(main())
