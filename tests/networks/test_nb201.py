"""nbzero.networks.nb201: the published params, costs, the forward pass by hand, cells without a path."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.nb201 import cell_net
from nbzero.proxies import recorder
from nbzero.proxies.score import score
from nbzero.spaces.nb201 import CELL_OPERATIONS, EDGES, NB201, operations_of
from tests.networks.published import (
    check_forward,
    has_default_weights,
    num_macs,
    num_params,
    on_meta,
    published_rows,
    scores_or_reasons,
)

MAKE = ("nb201", cell_net)
MIXED = NB201.example
ALL_CONVS = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
NO_PATH = "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"


@pytest.mark.parametrize("every", [500, pytest.param(1, marks=pytest.mark.long)])
def test_params_are_the_published_ones(every):
    """Where an operation stands changes no size, so that one network stands for all with its operations."""
    counted = {}
    for row in published_rows("nasbench201", ["arch", "params_m"])[::every]:
        multiset = tuple(sorted(operations_of(row["arch"])))
        if multiset not in counted:
            counted[multiset] = num_params(on_meta(MAKE, row["arch"]))
        assert counted[multiset] == round(row["params_m"] * 1e6), row["arch"]
    assert every > 1 or len(counted) == 210


@pytest.mark.parametrize("arch", [MIXED, ALL_CONVS, NO_PATH])
def test_costs_are_the_closed_forms(arch):
    net = on_meta(MAKE, arch)
    costs = NB201.costs(NB201.parse(arch))
    assert (num_params(net), num_macs(net)) == (costs["params"], costs["macs"])


@pytest.mark.parametrize("arch", [ALL_CONVS, NO_PATH])
def test_where_the_images_lie_needs_no_passes_of_its_own(arch, monkeypatch):
    """Two more forward passes would tell, of every call of `score`; see nbzero.proxies.axes."""
    monkeypatch.setattr(recorder, "layouts_of", lambda *_: pytest.fail("it was looked for"))
    images, labels = torch.randn(6, 3, 32, 32), torch.arange(6)
    scores = score(build_net(arch, num_classes=10), images, labels, ("naswot", "bndlent"))
    assert scores["naswot"] is not None


def forward_by_hand(net, arch, x):
    """The train-mode forward pass, from the tensors in the order in which they were registered."""
    convs = iter([m.weight for m in net.modules() if isinstance(m, nn.Conv2d)])

    def norm(x):
        return F.batch_norm(x, None, None, training=True)

    def conv_norm(x, stride=1):
        weight = next(convs)
        return norm(F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2))

    x = conv_norm(x)
    for stage in range(3):
        if stage:
            y = conv_norm(conv_norm(x.relu(), 2).relu())
            x = y + F.conv2d(F.avg_pool2d(x, 2), next(convs))
        for _ in range(5):
            nodes = [x, 0 * x, 0 * x, 0 * x]
            for name, (start, end) in zip(operations_of(arch), EDGES, strict=True):
                given = nodes[start]
                if name.startswith("nor_conv"):
                    nodes[end] = nodes[end] + conv_norm(given.relu())
                elif name == "skip_connect":
                    nodes[end] = nodes[end] + given
                elif name == "avg_pool_3x3":
                    ones = F.avg_pool2d(torch.ones_like(given), 3, 1, 1)
                    nodes[end] = nodes[end] + F.avg_pool2d(given, 3, 1, 1) / ones
            x = nodes[-1]
    features = norm(x).relu()
    return features, features.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


@pytest.mark.parametrize("arch", [MIXED, ALL_CONVS, NO_PATH])
def test_forward_by_hand(arch):
    net = build_net(arch, 7, 3).double()
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(7)).double()
    check_forward(net, arch, forward_by_hand, x)


def test_blocks_are_the_stem_the_cells_the_reductions_and_the_last_activation():
    net = build_net(MIXED)
    assert len(net.blocks) == 19 and net.stage_of_block == [0] + [1] * 5 + [2] * 6 + [3] * 6 + [4]
    kinds = [type(block).__name__ for block in net.blocks]
    assert kinds[1:-1] == ["Cell"] * 5 + ["Reduction"] + ["Cell"] * 5 + ["Reduction"] + ["Cell"] * 5


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    assert has_default_weights(ALL_CONVS, build_net(ALL_CONVS, 100, 4))
    assert not has_default_weights(ALL_CONVS, build_net(ALL_CONVS, 100, 5))


def test_without_a_path_every_proxy_has_a_value_or_a_reason():
    scores = scores_or_reasons(build_net(NO_PATH), 8, 16)
    assert "does not depend" in scores.reasons["jacob_cov"] or "constant" in scores.reasons["jacob_cov"]


def test_a_malformed_cell_is_refused():
    with pytest.raises(UsageError, match=re.escape("an arch of nb201 (NAS-Bench-201) is like")):
        build_net(MIXED.replace("none", "nothing"))
    assert "nothing" not in CELL_OPERATIONS
