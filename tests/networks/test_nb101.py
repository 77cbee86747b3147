"""nbzero.networks.nb101: the published params, the forward pass by hand, cells of few vertices."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.nb101 import graph_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from nbzero.spaces.nb101 import NB101, arch_of_cell, cell_of
from tests.networks.published import has_default_weights, num_macs, num_params, on_meta
from tests.spaces.cells import random_cell

MAKE = ("nb101", graph_net)
INCEPTION = NB101.example
FIRST = "nb101-conv3x3.0-maxpool3x3.1-conv3x3.2-conv3x3.0-conv1x1.034-output.25"
UNEVEN = "nb101-maxpool3x3.0-conv3x3.0-conv3x3.12-output.0123"  # 86, 85 and 85 of 256 channels
NO_VERTEX = "nb101-output.0"
POOLS = "nb101-maxpool3x3.0-maxpool3x3.01-output.012"


@pytest.mark.parametrize(("arch", "params"), [(INCEPTION, 2_694_282), (FIRST, 8_555_530)])
def test_params_are_the_published_ones(arch, params):
    assert num_params(on_meta(MAKE, arch)) == params


@pytest.mark.parametrize("seed", range(30))
def test_costs_are_the_closed_forms(seed):
    arch = arch_of_cell(*random_cell(np.random.default_rng(seed)))
    net = on_meta(MAKE, arch)
    costs = NB101.costs(NB101.parse(arch))
    assert (num_params(net), num_macs(net)) == (costs["params"], costs["macs"]), arch


def forward_by_hand(net, arch, x):
    """The train-mode forward pass, from the tensors in the order in which they were registered."""
    convs = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)][::-1]
    parts = [part.split(".") for part in arch.split("-")[1:]]

    def conv(x):
        weight = convs.pop()
        return F.batch_norm(
            F.conv2d(x, weight, padding=weight.shape[-1] // 2), None, None, training=True
        ).relu()

    x = conv(x)
    for number in range(9):
        if number in (3, 6):
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
        given = {"0": x}
        for vertex, (name, inputs) in enumerate(parts[:-1], start=1):
            read = [conv(x)] if "0" in inputs else []
            read += [given[start] for start in inputs if start != "0"]
            channels = min(tensor.shape[1] for tensor in read)
            if name != "maxpool3x3":
                channels = convs[-1].shape[1]
            total = sum(tensor[:, :channels] for tensor in read)
            if name == "maxpool3x3":
                padded = F.pad(total, (1, 1, 1, 1), value=-torch.inf)
                given[str(vertex)] = padded.unfold(2, 3, 1).unfold(3, 3, 1).amax((-2, -1))
            else:
                given[str(vertex)] = conv(total)
        joined = [given[start] for start in parts[-1][1] if start != "0"]
        output = torch.cat(joined, 1) if joined else 0
        x = output + conv(x) if "0" in parts[-1][1] else output
    assert not convs
    return x, x.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


@pytest.mark.parametrize("arch", [INCEPTION, FIRST, UNEVEN, NO_VERTEX, POOLS])
def test_forward_by_hand(arch):
    net = build_net(arch, 7, 3).double()
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(7)).double()
    with torch.no_grad():
        features, logits = forward_by_hand(net, arch, x)
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)
    assert features.shape == (3, 512, 2, 2)


def test_an_odd_size_is_halved_upwards():
    with torch.no_grad():
        assert build_net(POOLS).features(torch.zeros(1, 3, 9, 9)).shape == (1, 512, 3, 3)


def test_blocks_are_the_stem_and_the_cells():
    net = on_meta(MAKE, INCEPTION)
    assert len(net.blocks) == 10 and net.stage_of_block == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    assert has_default_weights(UNEVEN, build_net(UNEVEN, 100, 4))
    assert not has_default_weights(UNEVEN, build_net(UNEVEN, 100, 5))


@pytest.mark.parametrize("arch", [NO_VERTEX, POOLS])
def test_every_proxy_has_a_value_or_a_reason(arch):
    net = build_net(arch)
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    scores = score(net, images, torch.arange(4))
    assert set(scores) == set(PROXIES)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
        assert value is None or np.isfinite(value), name
    assert scores["params"] == num_params(net)


def test_a_malformed_cell_is_refused():
    with pytest.raises(UsageError, match=re.escape("an arch of nb101 (NAS-Bench-101) is like")):
        build_net(INCEPTION.replace("conv3x3", "conv5x5"))
    assert cell_of(INCEPTION).num_vertices == 7
