"""nbzero.networks.nats_sss: the published params, the closed forms, the forward pass by hand."""

import itertools
import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.nats_sss import size_net
from nbzero.spaces.nats_sss import CELL, CHANNELS, NATS_SSS
from tests.networks.published import (
    check_forward,
    has_default_weights,
    num_macs,
    num_params,
    on_meta,
    published_rows,
    scores_or_reasons,
)

MAKE = ("nats-sss", size_net)
MIXED = NATS_SSS.example
SAME_INSIDE = "16:24:24:8:8"  # skips that change nothing
ALL = [":".join(sizes) for sizes in itertools.product(CHANNELS, repeat=5)]


def test_params_are_those_of_the_benchmarks_files():
    """In millions, as stored for three archs: the smallest, the largest, and one of different sizes."""
    stored = {"8:8:8:8:8": 0.011714, "8:8:16:40:40": 0.107826, "64:64:64:64:64": 0.713674}
    for arch, millions in stored.items():
        assert num_params(on_meta(MAKE, arch)) / 1e6 == millions


def test_costs_are_the_closed_forms():
    assert len(ALL) == NATS_SSS.num_members
    for arch in [MIXED, SAME_INSIDE, *random.Random(1).sample(ALL, 8)]:
        net = on_meta(MAKE, arch)
        costs = NATS_SSS.costs(NATS_SSS.parse(arch))
        assert (num_params(net), num_macs(net)) == (costs["params"], costs["macs"]), arch


def test_the_cell_is_the_topology_spaces_best_on_cifar100():
    rows = published_rows("nasbench201", ["arch", "test200_cifar100"])
    assert max(rows, key=lambda row: row["test200_cifar100"])["arch"] == CELL


def forward_by_hand(net, arch, x):
    """The train-mode forward pass, from the tensors in the order in which they were registered."""
    weights = iter([m.weight for m in net.modules() if isinstance(m, nn.Conv2d)])
    sizes = [int(size) for size in arch.split(":")]

    def norm(x):
        return F.batch_norm(x, None, None, training=True)

    def conv_norm(x, stride=1):
        weight = next(weights)
        return norm(F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2))

    x = conv_norm(x)
    for number in range(5):
        if number % 2:
            y = conv_norm(conv_norm(x.relu(), 2).relu())
            x = y + F.conv2d(F.avg_pool2d(x, 2), next(weights))
            continue
        one = conv_norm(x.relu())
        two = conv_norm(x.relu()) + conv_norm(one.relu())
        skip = x if x.shape[1] == sizes[number] else conv_norm(x)
        x = skip + conv_norm(one.relu()) + conv_norm(two.relu())
    features = norm(x).relu()
    return features, features.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


@pytest.mark.parametrize("arch", [MIXED, SAME_INSIDE])
def test_forward_by_hand(arch):
    net = build_net(arch, 7, 3).double()
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(7)).double()
    check_forward(net, arch, forward_by_hand, x)


def test_blocks_are_the_stem_the_five_layers_and_the_last_activation():
    net = build_net(MIXED)
    assert net.stage_of_block == [0, 1, 2, 2, 3, 3, 4]
    kinds = [type(block).__name__ for block in net.blocks]
    assert kinds[1:-1] == ["Cell", "Reduction", "Cell", "Reduction", "Cell"]


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    assert has_default_weights(MIXED, build_net(MIXED, 100, 4))
    assert not has_default_weights(MIXED, build_net(MIXED, 100, 5))


def test_every_proxy_has_a_value_or_a_reason():
    scores = scores_or_reasons(build_net(MIXED), 8, 16)
    assert set(scores.reasons) <= {"zen_no_shortcut", "linear_regions"}, scores.reasons


@pytest.mark.parametrize("arch", ["8:16:24:32", "8:16:24:32:72", "8:16:24:32:40:48", "08:16:24:32:40"])
def test_malformed_sizes_are_refused(arch):
    with pytest.raises(UsageError, match=r"an arch of nats-sss \(NATS-Bench size\) is like '8:16:24:32:40'"):
        build_net(arch)
