"""How long the transfer tables take: python -m tests.bench.transfer

Made numbers: six pools of 2,000 archs (as many as two mini spaces have) with as many proxies as the registry
has; and two of 14,964 archs. Beside it scipy the straightforward way. Seconds are of this process (CPU),
medians of a few rounds.
"""

import itertools

import scipy.stats

from nbzero.judge.pool import Pool
from nbzero.judge.transfer import transfer
from tests.bench.judging import made_pool, seconds


def by_scipy(pools: list[Pool]) -> list[float]:
    values = [
        {
            name: scipy.stats.kendalltau(scores, pool.accuracy).statistic
            for name, scores in pool.scores.items()
        }
        for pool in pools
    ]
    return [
        scipy.stats.kendalltau(list(a.values()), [b[name] for name in a]).statistic
        for a, b in itertools.combinations(values, 2)
    ]


def main() -> None:
    for pools in (
        [made_pool(2000, seed=seed) for seed in range(6)],
        [made_pool(seed=seed) for seed in range(2)],
    ):
        size = f"{len(pools)} pools x {len(pools[0].scores)} proxies x {len(pools[0]):,} archs"
        ours, theirs = (
            seconds(lambda pools=pools: transfer(pools), 3),
            seconds(lambda pools=pools: by_scipy(pools), 3),
        )
        print(
            f"{size}, by kendall: {ours:.3f} s; scipy {theirs:.3f} s, without the table of archs: "
            f"{theirs / ours:.1f} times"
        )
        print(f"{size}, by mbr: {seconds(lambda pools=pools: transfer(pools, metric='mbr'), 3):.3f} s")
        took = seconds(lambda pools=pools: transfer(pools, resamples=10), 1)
        print(f"{size}, by kendall, 10 resamples: {took:.2f} s, so {took * 20:.0f} s for 200")


if __name__ == "__main__":
    main()
