"""The pools and tables of which the tests draw figures; not to be changed."""

from dataclasses import replace

import numpy as np
import pytest

from nbzero import Bench
from nbzero.judge.factors import factors
from nbzero.judge.picks import constrained, mbr_table
from nbzero.judge.pool import as_sample
from tests.plots.looks import PROXIES


@pytest.fixture(scope="session")
def bench():
    return Bench()


@pytest.fixture(scope="session")
def pool(bench):
    return bench.pool("r1-mini", "cifar10", proxies=PROXIES)


@pytest.fixture(scope="session")
def other(bench):
    return bench.pool("r2-mini", "cifar10", proxies=PROXIES)


@pytest.fixture(scope="session")
def picks(pool):
    return constrained(pool)


@pytest.fixture(scope="session")
def table(pool):
    return mbr_table(pool)


@pytest.fixture(scope="session")
def frame(pool):
    """Factors of targets of every kind: ones that fit, one that does not, one without a model."""
    rng = np.random.default_rng(0)
    sample = as_sample(pool).with_target("noise", rng.normal(size=len(pool)))
    return factors(sample, ["macs", "noise", "linear_regions", "accuracy"])


@pytest.fixture(scope="session")
def bare(pool):
    """A pool without costs."""
    return replace(pool, costs={}, space="transnas-micro")


@pytest.fixture(scope="session")
def one(pool):
    """A pool of one arch."""
    return pool.only(np.arange(1))


@pytest.fixture(scope="session")
def odd(pool):
    """The pool with every kind of score that breaks an axis."""
    rng, num = np.random.default_rng(0), len(pool)
    normal, wide, sign = rng.normal(size=num), 10 ** rng.uniform(0, 64, num), rng.choice([-1, 1], num)
    scores = {
        "minus_inf": np.where(rng.random(num) < 0.2, -np.inf, normal),
        "plus_inf": np.where(rng.random(num) < 0.2, np.inf, normal),
        "all_minus_inf": np.full(num, -np.inf),
        "none": np.full(num, np.nan),
        "half": np.where(np.arange(num) % 2, np.nan, normal),
        "wide": wide,
        "wide_signed": wide * sign,
        "wide_negative": -wide,
        "constant": np.ones(num),
        "nearly_constant": np.where(sign > 0, 1.0, 1 + 2**-52),
        "tiny": normal * 1e-8,
        "largest": np.full(num, 1.7e308) * sign,
        "smallest": normal * 1e-300,
        "$x_1$": normal,
    }
    return replace(pool, scores=scores)
