"""nbzero.proxies.kernel: correlations from stored responses, and kernels that are singular."""

import math

import pytest
import torch
from torch import nn

from nbzero.networks.build import build_net
from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, pooled, pre_and_grads, reason, slow_logdet


def test_correlations_from_stored_responses(batch):
    net = TinyNet()
    (first, last), (first_grad, last_grad) = pre_and_grads(net, *batch)
    scores = score(
        net,
        *batch,
        proxies=(
            "acor",
            "gcor",
            "rcor",
            "wrcor",
            "wrcor_by_stage",
            "wrcor_linear",
            "wrcor_quad",
            "wrcor_expt2b",
        ),
    )
    both = [(1, values) for values in (first, last, first_grad, last_grad)]
    assert scores["acor"] == pytest.approx(slow_logdet(both[:2]), rel=1e-5)
    assert scores["gcor"] == pytest.approx(slow_logdet(both[2:]), rel=1e-5)
    assert scores["rcor"] == pytest.approx(slow_logdet(both), rel=1e-5)
    # The last ReLU is in no block; given as blocks both count, in the order given.
    in_blocks = slow_logdet([(1, first), (1, first_grad)])
    for name in ("wrcor", "wrcor_by_stage", "wrcor_linear", "wrcor_quad"):
        assert scores[name] == pytest.approx(in_blocks, rel=1e-5)
    assert scores["wrcor_expt2b"] == pytest.approx(in_blocks + 8 * math.log(2), rel=1e-5)
    turned = score(
        net, *batch, proxies=("wrcor", "wrcor_by_stage"), blocks=[net.last, net.blocks[0], net.classifier]
    )
    weighted = slow_logdet([(2, first), (2, first_grad), (1, last), (1, last_grad)])
    assert turned["wrcor"] == pytest.approx(weighted, rel=1e-5)
    assert "does not number" in reason(pooled(nn.Conv2d(3, 5, 3), nn.ReLU()), batch, "wrcor_by_stage")
    with pytest.raises(ValueError, match=r"blocks: number 1 \(ReLU\) is no submodule of the network"):
        score(net, *batch, blocks=[net.last, nn.ReLU()])


def test_correlations_of_a_deep_network_without_batch_norm(batch):
    """Its images look alike in the last layers, 1 - corr is 1e-6, and these weigh most."""
    torch.manual_seed(0)
    layers = [
        module for i in range(14) for module in (nn.Conv2d(16 if i else 3, 16, 3, padding=1), nn.ReLU())
    ]
    net = Stack(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    images, labels = torch.randn(32, 3, 16, 16), torch.arange(32) % 10
    asked = ("acor", "gcor", "rcor", "wrcor", "wrcor_expt2b")
    single = score(net, images, labels, asked)
    assert single == pytest.approx(score(net.double(), images.double(), labels, asked), abs=5e-3)


def test_two_equal_images_in_every_kernel(batch):
    images = batch[0].clone()
    images[5] = images[2]
    scores = score(TinyNet(), images, batch[1], ("naswot", "acor", "jacob_cov", "linear_regions", "ntk"))
    assert scores["naswot"] == scores["acor"] == -math.inf
    assert scores["linear_regions"] == 7
    assert scores["jacob_cov"] == pytest.approx(-1e5, rel=1e-3)  # one eigenvalue is 0: -1 / 1e-5
    assert scores["ntk"] is None and "kernel is singular" in scores.reasons["ntk"]


def test_ntk_of_features_that_end_in_a_batch_norm_is_singular_whatever_rounding_leaves():
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    for arch in (
        "mb-s16-d1w8s2-d2w16s2-d1w16s2",
        "mb-s16-d2w16s2-d3w24s2-d2w48s2",
        "mb-s16-d1w24s2-d2w24s2-d1w32s2",
    ):
        assert "kernel is singular" in reason(build_net(arch, 10, 0), (images, torch.arange(16) % 10), "ntk")
