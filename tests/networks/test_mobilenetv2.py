"""nbzero.networks.mobilenetv2: costs at its own resolution, the forward pass by hand, blocks, all proxies."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.mobilenetv2 import stages_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from nbzero.spaces.mobilenetv2 import MOBILENETV2, RE_SJW, random_arch
from tests.networks.published import has_default_weights, num_macs, num_params, on_meta

MAKE = ("mobilenetv2", stages_net)
SMALL = (
    "mbv2-r192-c16-e1k3s2l1c16b16-e1k5s2l2c16b16-e2k3s2l2c32b16-e1k3s2l2c48b32-e1k3s1l2c80b48-"
    "e1k7s1l2c80b80-e1k3s1l1c128b80-c128"
)


@pytest.mark.parametrize("arch", [RE_SJW, SMALL, *map(random_arch, range(5))])
def test_costs_are_the_closed_forms(arch):
    net = on_meta(MAKE, arch, 1000)
    costs = MOBILENETV2.costs(MOBILENETV2.parse(arch))
    assert (num_params(net), num_macs(net)) == (costs["params"], costs["macs"])
    assert len(net.blocks) == costs["depth"] + 2


def test_any_number_of_classes():
    assert num_params(on_meta(MAKE, RE_SJW, 1000)) == 10_807_432
    assert num_params(on_meta(MAKE, RE_SJW, 10)) == 10_807_432 - 1265 * 990


def test_forward_by_hand():
    net = build_net(SMALL, 7, 3).double()
    x = torch.randn(2, 3, 20, 20, generator=torch.Generator().manual_seed(7)).double()
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)][::-1]

    def conv(x, stride=1, groups=1):
        module = convs.pop()
        x = F.conv2d(x, module.weight, module.bias, stride, module.weight.shape[-1] // 2, groups=groups)
        return F.batch_norm(x, None, None, training=True, eps=1e-3)

    with torch.no_grad():
        y = conv(F.interpolate(x, size=(192, 192), mode="bilinear"), 2).relu()
        for stage in SMALL.split("-")[3:-1]:
            stride, layers = int(stage[5]), int(stage[7])
            for number in range(layers):
                z = conv(y).relu()
                z = conv(z, stride if number == 0 else 1, z.shape[1]).relu()
                z = conv(z * conv(conv(z.mean((2, 3), keepdim=True)).relu()).sigmoid())
                y = (z + (y if number else conv(y, stride))).relu()
        features = conv(y).relu()
        logits = features.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)
    assert not convs and features.shape == (2, 128, 6, 6)


def test_blocks_are_the_stem_the_layers_and_the_head():
    stages = [0, 1, 1, *[2] * 3, *[3] * 3, *[4] * 4, *[5] * 6, *[6] * 6, 7, 7, 8]
    assert on_meta(MAKE, RE_SJW).stage_of_block == stages


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    assert has_default_weights(SMALL, build_net(SMALL, 100, 4))
    assert not has_default_weights(SMALL, build_net(SMALL, 100, 5))


@pytest.mark.long
def test_every_proxy_has_a_value_or_a_reason():
    net = build_net(SMALL)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    scores = score(net, images, torch.arange(2))
    assert set(scores) == set(PROXIES)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
    assert scores["params"] == num_params(net) and scores["macs"] == num_macs(net)


def test_a_malformed_arch_is_refused():
    with pytest.raises(UsageError, match=re.escape("(WRCor's MobileNetV2 space) is like")):
        build_net(SMALL.replace("r192", "r32"))
