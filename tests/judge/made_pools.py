"""Pools by hand for the tests of hybrids, and the mBR of a hybrid by its definition. No test itself."""

import itertools
import math

import numpy as np

from tests.pools import make_pool


def pool(accuracy, macs, scores, arch_ids=None, **named):
    """A pool by hand: N archs of a made space; params are the macs backwards."""
    n = len(accuracy)
    ids = np.arange(n) if arch_ids is None else np.asarray(arch_ids, np.int64)
    names = tuple(map(str, ids))
    costs = {"macs": macs, "params": macs[::-1]}
    where = {"dataset": "cifar10", "recipe": "cpu-16px-4", "protocol": "std-16"} | named
    return make_pool(accuracy, costs, scores, arch_ids=ids, archs=names, members=names, **where)


def made_pool(rng, num_archs, num_proxies, levels, **named):
    """Scores and accuracies with many ties, some NaN and -inf, sometimes a column that is constant."""
    table = rng.integers(0, levels, (num_proxies, num_archs)).astype(np.float64)
    table[rng.random(table.shape) < 0.1] = np.nan
    table[rng.random(table.shape) < 0.1] = -np.inf
    if rng.random() < 0.3:
        table[rng.integers(num_proxies)] = rng.choice([1.0, np.nan, -np.inf])
    table[np.isnan(table).all(axis=1)] = 1.0  # what no arch has a score of cannot be a member
    accuracy, macs = rng.integers(0, 20, num_archs) / 20, rng.integers(0, 30, num_archs)
    return pool(accuracy, macs, {f"p{p}": row for p, row in enumerate(table)}, **named)


def plain_mbr(p, members, rule, cost, budgets, spacing, normalise):
    """The definition, written down: the mean true rank of the winners under each limit."""
    scores = plain_scores([plain_ranks(p.score(name)) for name in members], rule)
    values = p.cost(cost)
    total = 0.0
    for limit in plain_limits(values, budgets, spacing):
        inside = np.flatnonzero(values <= limit).tolist()
        best = max(scores[a] for a in inside)
        ranks = []
        for a in inside:
            if scores[a] == best:
                ranks.append(sum(p.accuracy[b] > p.accuracy[a] for b in inside))
        over = len(inside) if normalise == "pool" else len(p)
        total += sum(ranks) / len(ranks) / over
    return total / budgets


def plain_ranks(scores):
    """Twice the mean rank of each of some scores, NaN lowest."""
    keys = []
    for value in scores.tolist():
        keys.append((0, 0) if np.isnan(value) else (1, value))
    return [2 * sum(b < a for b in keys) + sum(b == a for b in keys) + 1 for a in keys]


def plain_scores(ranks, rule):
    """The score of each arch from the doubled ranks of each member."""
    scores = []
    for a in range(len(ranks[0])):
        if rule == "rank_sum":
            scores.append(sum(row[a] for row in ranks))
        elif rule == "log_rank":
            scores.append(sum(round(np.log(row[a]) * 2**36) for row in ranks))
        else:
            scores.append(0)
            for b in range(len(ranks[0])):
                ahead = sum(row[a] > row[b] for row in ranks)
                behind = sum(row[a] < row[b] for row in ranks)
                scores[a] += int(ahead > len(ranks) / 2) - int(behind > len(ranks) / 2)
    return scores


def plain_limits(values, budgets, spacing):
    low, high = values.min(), values.max()
    if spacing == "even":
        return [*(low + k / budgets * (high - low) for k in range(1, budgets)), high]
    return [np.sort(values)[math.ceil(k * len(values) / budgets) - 1] for k in range(1, budgets + 1)]


def all_subsets(names):
    subsets = []
    for size in range(1, len(names) + 1):
        subsets += itertools.combinations(names, size)
    return subsets
