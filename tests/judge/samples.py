"""Samples that several tests judge. No test itself."""

from functools import cache

import numpy as np

from nbzero import Bench
from nbzero.judge.pool import Sample


def make_sample(name, archs, features, costs, targets, categories=None):
    """A sample of made archs: features, costs and targets are name -> (N,) numbers."""
    return Sample(
        name=name,
        space="made",
        archs=archs,
        features=features,
        costs=costs,
        targets=targets,
        categories=categories or {},
    )


@cache
def first_of_r1():
    """The first 1,500 archs of r1, without targets."""
    return taken(Bench().sample("r1", "cifar10", targets=["macs"]), np.arange(1500), {})


def taken(sample, rows, targets=None):
    """Some rows of a sample, in that order."""
    parts = (sample.features, sample.costs, sample.targets if targets is None else targets)
    features, costs, there = ({name: values[rows] for name, values in part.items()} for part in parts)
    return make_sample(sample.name, tuple(np.array(sample.archs, object)[rows]), features, costs, there)


def celled(seed=0, num=600):
    """Archs of made cells: three edges of four operations each, numbered in no order, and a module that
    some lack."""
    rng = np.random.default_rng(seed)
    edges = {f"edge_{name}": rng.integers(0, 4, num).astype(float) for name in ("01", "02", "12")}
    module = np.where(rng.random(num) < 0.3, np.nan, rng.integers(1, 4, num))
    categories = dict.fromkeys(edges, ("none", "skip", "conv 1x1", "conv 3x3"))
    categories["module_5"] = ("no module", "plain", "wide", "half")
    features = {**edges, "width": rng.integers(1, 9, num).astype(float), "module_5": module}
    return make_sample("made", tuple(f"cell-{i}" for i in range(num)), features, {}, {}, categories)


def same(first, second):
    """The columns of two frames are equal."""
    assert first.columns == second.columns
    for column in first.columns:
        np.testing.assert_array_equal(first[column], second[column], err_msg=column)
