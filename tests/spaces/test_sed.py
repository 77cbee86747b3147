"""sed_reconstructed: the same from an arch, a table and a network.

Then a case by hand, and the facts published for NAS-Bench-201.
"""

import math

import numpy as np
import pytest
import torch

from nbzero import Bench
from nbzero.errors import UnknownNameError
from nbzero.networks.build import build_net
from nbzero.proxies.score import score
from nbzero.spaces.macro import CHOICES, Arch
from nbzero.spaces.sed import sed_of_cell, sed_of_table, sed_reconstructed
from tests.places import DATA

CELLS = DATA / "nasbench201.parquet"


def columns_of(archs):
    columns = {"stem": np.array([arch.stem for arch in archs], float)}
    for s in range(4):
        for part, of in (("depth", 0), ("out", 1), ("stride", 2)):
            columns[f"s{s + 1}_{part}"] = np.array(
                [arch.stages[s][of] if s < len(arch.stages) else np.nan for arch in archs], float
            )
    return columns


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_arch_table_and_network_agree(name):
    archs = [Arch.parse(text) for text in Bench().space(name).members[:60]]
    one_by_one = [sed_reconstructed(arch) for arch in archs]
    np.testing.assert_allclose(sed_of_table(name, columns_of(archs)), one_by_one, rtol=1e-12)
    batch = torch.zeros(1, 3, 16, 16), torch.zeros(1, dtype=torch.int64)
    by_size = sorted(zip(archs, one_by_one, strict=True), key=lambda one: one[0].params)
    for arch, expected in by_size[:2]:
        assert score(build_net(arch, 10, 0), *batch, ("sed_reconstructed",))[
            "sed_reconstructed"
        ] == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    # Stem 3x3, 3 -> 4; then per stage a 3x3 with stride 2, a 3x3 and a 1x1 projection with stride 2.
    stem = 2 * math.sqrt(12)
    stages = [2 * math.sqrt(a * b) / 2 + 2 * b + math.sqrt(a * b) / 2 for a, b in ((4, 4), (4, 8), (8, 16))]
    assert sed_reconstructed("r1-mini-s4-d1w4s2-d1w8s2-d1w16s2") == pytest.approx(
        math.log(stem + sum(stages))
    )


def test_what_is_no_cell_is_refused():
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    assert sed_of_cell(cell) == 14
    for wrong in (
        "|none~0|",
        cell + "|none~0|",
        cell[1:],
        cell + "x",
        cell.replace("~2", "~5"),
        "none~0" * 6,
        cell.replace("+", ""),
    ):
        with pytest.raises(ValueError, match="is no NAS-Bench-201 cell; it has six operations"):
            sed_of_cell(wrong)
    with pytest.raises(UnknownNameError, match="no space named 'r9'"):
        sed_of_table("r9", {})


@pytest.mark.skipif(not CELLS.is_file(), reason="the NAS-Bench-201 table is not part of the repository")
def test_the_published_top_pick_is_among_the_best_and_ties_go_with_accuracy():
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(CELLS, columns=["arch", "test200_cifar10"]).to_pydict()
    scores = np.array([sed_of_cell(cell) for cell in table["arch"]])
    best = np.flatnonzero(scores == scores.max())
    assert 9930 in best and len(best) == 6
    accuracy = np.array(table["test200_cifar10"])
    values = np.unique(scores)
    lowest = np.array([accuracy[scores == value].min() for value in values])
    ranks = lowest.argsort().argsort()
    assert (
        np.corrcoef(np.arange(len(values)), ranks)[0, 1] > 0.8
    )  # published: Spearman .89 between a value and its lowest accuracy
