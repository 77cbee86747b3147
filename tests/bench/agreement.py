"""Where measured and predicted accuracies judge alike: python -m tests.bench.agreement

For each mini space: tau between the order of the proxies and costs by the measured pool and by another one.
The order is by mBR over quantile limits on all costs, and by Kendall's tau. Then the mean change of mBR.
"""

import dataclasses

import numpy as np

from nbzero import Bench, judge
from nbzero.judge.pool import Pool
from nbzero.metrics import kendall_tau
from nbzero.proxies.facts import PROXIES

DATASET = "cifar10"


def judged(pool: Pool) -> dict[str, tuple[float, float]]:
    """Proxy or cost -> its mBR and its tau, of those that order any networks."""
    mbr = {row["proxy"]: row["mbr_union"] for row in judge.mbr_table(pool)}
    found = {}
    for row in judge.correlations(pool):
        name, tau = row["proxy"], row["kendall"]
        if name in PROXIES and tau is not None:
            found[name] = (mbr[name], tau)
    return found


def with_unseen(bench: Bench, pool: Pool) -> Pool:
    """The same networks, their accuracies predicted by a surrogate that had not seen them."""
    rows = bench.arrow("surrogates", pool.space, DATASET).to_pandas()
    rows = rows[rows.recipe == pool.recipe].set_index("arch")
    unseen = rows.unseen_mean.loc[list(pool.archs)].to_numpy()
    return dataclasses.replace(pool, accuracy=unseen, accuracies=None)


def main() -> None:
    bench = Bench()
    for space in ("r1-mini", "r2-mini", "mb-mini"):
        pool = bench.pool(space, DATASET)
        measured = judged(pool)
        others = {
            "the same networks, predicted unseen": with_unseen(bench, pool),
            "the same networks, trained with another seed": bench.pool(space, DATASET, seed=1, score_seed=0),
            "all networks, predicted": bench.pool(space, DATASET, accuracy="predicted"),
        }
        print(f"{space}: the measured pool of {len(pool)} networks against")
        for what, other in others.items():
            beside = judged(other)
            names = sorted(measured.keys() & beside.keys())
            one = np.array([measured[name] for name in names]).T
            two = np.array([beside[name] for name in names]).T
            by_mbr, by_tau = map(kendall_tau, one, two)
            change = np.abs(one[0] - two[0]).mean()
            said = f"{by_mbr:.2f} and {by_tau:.2f}; mBR by {change:.3f}"
            print(f"  {what}: {said} ({len(names)} proxies and costs)")


if __name__ == "__main__":
    main()
