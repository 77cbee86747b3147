"""What a longer recipe, or another data set, changes: python -m tests.bench.fidelity [--all]

For each space that has runs of both: the networks that were trained by the standard recipe on the standard
data set and by another one too. Tau between the two accuracies, beside that of two seeds of the first. Then
the tau of each cost and proxy with either, and the difference. `--all` lists every proxy, else those below.
Intervals are 95 %, 2,000 draws of the archs.
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt

from nbzero import Bench, judge
from nbzero.judge.pool import Pool
from nbzero.metrics import kendall_tau
from nbzero.metrics.bootstrap import bootstrap
from nbzero.release.schema import STANDARD_DATASET, STANDARD_RECIPE
from nbzero.spaces.macro import CHOICES

SHOWN = ("macs / depth", "macs", "params", "depth", "swap", "naswot", "snip", "gradsign", "synflow", "zen")
RESAMPLES = 2000
Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every proxy")
    everything = parser.parse_args().all
    bench = Bench()
    for space in CHOICES:
        standard = bench.pool(space, STANDARD_DATASET)
        for dataset in bench.datasets(space):
            for recipe in bench.recipes(space, dataset):
                if (dataset, recipe) != (STANDARD_DATASET, STANDARD_RECIPE):
                    compare(standard, bench.pool(space, dataset, recipe), everything)


def compare(standard: Pool, other: Pool, everything: bool) -> None:
    """Print how the same networks stand in two pools."""
    one, two = both(standard, other), both(other, standard)
    agreement = kendall_tau(one.accuracy, two.accuracy)
    print(f"{one.space}: {one.dataset} {one.recipe} and {two.dataset} {two.recipe}, N = {len(one)}, seed 0")
    print(f"  tau of the two accuracies {agreement:.2f} {said(kendall_tau, one.accuracy, two.accuracy)}")
    print(f"  mean val accuracy {one.accuracy.mean():.4f} and {two.accuracy.mean():.4f}", end="; ")
    print(f"sd between networks {one.accuracy.std(ddof=1):.4f} and {two.accuracy.std(ddof=1):.4f}")
    for pool in (one, two):
        if pool.accuracies is not None and pool.num_shared:
            shared = pool.accuracies[:, ~np.isnan(pool.accuracies).any(axis=0)]
            pairs = [kendall_tau(a, b) for a, b in itertools.combinations(shared, 2)]
            print(f"  tau of two seeds of {pool.recipe} {np.mean(pairs):.2f}, N = {shared.shape[1]}")
    left, right = columns(one), columns(two)
    names = [name for name in left if name in right and (everything or name in SHOWN)]
    for name in sorted(names, key=lambda name: -kendall_tau(right[name], two.accuracy)):
        first, second = kendall_tau(left[name], one.accuracy), kendall_tau(right[name], two.accuracy)
        by = said(change, left[name], one.accuracy, right[name], two.accuracy)
        print(f"  {name:18} {first:+.2f} {second:+.2f}  difference {second - first:+.2f} {by}")
    for pool, found in ((one, left), (two, right)):
        lead = judge.mbr_lead(pool, found["macs / depth"], "macs", resamples=RESAMPLES)
        taus = (found["macs / depth"], found["macs"], pool.accuracy)
        print(
            f"  {pool.recipe}: macs / depth leads macs in tau by {margin(*taus):+.2f} {said(margin, *taus)}"
        )
        mbr = f"{lead.difference:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})"
        print(f"    its mBR on macs, five quantile limits, is that of macs {mbr}")


def both(pool: Pool, other: Pool) -> Pool:
    """The part of a pool whose networks another one has."""
    there = set(other.archs)
    return pool.only(np.array([arch in there for arch in pool.archs]))


def columns(pool: Pool) -> dict[str, Floats]:
    """Every cost and proxy of a pool by name, higher is better; a network without a score stands last."""
    found = {"macs / depth": pool.costs["macs"] / pool.costs["depth"]}
    for name, values in pool.scores_and_costs.items():
        if name not in pool.unscored:
            found[name] = np.where(np.isnan(values), -np.inf, values)
    return found


def change(one: Floats, accuracy_one: Floats, two: Floats, accuracy_two: Floats) -> float:
    return kendall_tau(two, accuracy_two) - kendall_tau(one, accuracy_one)


def margin(scores: Floats, others: Floats, accuracy: Floats) -> float:
    return kendall_tau(scores, accuracy) - kendall_tau(others, accuracy)


def said(metric: object, *arrays: Floats) -> str:
    """The interval of a metric of some arrays, in words."""
    low, high = bootstrap(metric, *arrays, resamples=RESAMPLES)  # type: ignore[arg-type]
    return f"({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
