"""nbzero.proxies.gradient: a linear network by hand, and where a gradient is 0 or nearly singular."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.networks.build import build_net
from nbzero.proxies.score import score
from nbzero.spaces.macro import Arch
from nbzero.spaces.published import doubts_of
from tests.proxies.nets import Stack, linear


@pytest.mark.parametrize(
    "arch",
    [
        "r1-mini-s4-d1w8s2-d1w16s2-d1w16s2",
        "r2-mini-s8-d1w32s2-d1w48s2-d1w64s2",
        "mb-mini-s8-d1w8s2-d2w12s2-d1w16s2",
    ],
)
def test_the_gradient_of_the_summed_logits_is_0_where_its_scores_are_doubtful(arch):
    images, labels = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    net = build_net(arch, 10, 0)
    size, exact = (
        score(net.to(d), images.to(d), labels, ("netsens",))["netsens"]
        for d in (torch.float32, torch.float64)
    )
    assert (exact < 1e-12) == ("netsens" in doubts_of(Arch.parse(arch).space)) == (size < 1e-5)


def test_a_linear_network_by_hand():
    weight = [[1.0, 2.0], [3.0, 4.0]]
    net = Stack(nn.Flatten(), linear(weight))
    images, labels = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).view(2, 2, 1, 1), torch.tensor([0, 1])
    scores = score(
        net,
        images,
        labels,
        (
            "netsens",
            "dyniso",
            "ntk",
            "gradsign",
            "pnorm",
            "lyrdyniso",
            "epe_nas",
            "plain",
            "fisher",
            "grasp",
            "zico",
        ),
    )
    assert scores["netsens"] == pytest.approx((4 + 6) / 2)  # each image's gradient is the sum of the rows
    s = math.log(2) / 2  # the product of the singular values is |det| = 2
    assert scores["dyniso"] == pytest.approx(-(s + math.exp(-s)), rel=1e-6)
    assert scores["ntk"] == pytest.approx(4)  # the images are orthogonal, of lengths 1 and 2
    assert scores["pnorm"] == pytest.approx(math.sqrt(30))
    assert scores["lyrdyniso"] == pytest.approx(
        -torch.linalg.matrix_norm(torch.tensor([[4.0, 11], [11, 24]])).item()
    )
    assert scores["gradsign"] == 4  # every weight is moved by one image alone
    assert scores["epe_nas"] == pytest.approx(2 * math.log(1 + 1e-5))  # one image a class
    p = torch.tensor([[1.0, 3.0], [4.0, 8.0]]).double().softmax(1)
    grad = (p - torch.eye(2)).T @ torch.tensor([[1.0, 0], [0, 2]]).double() / 2
    w = torch.tensor(weight).double()
    assert scores["plain"] == pytest.approx((w * grad).sum().item(), rel=1e-5)
    logits = torch.tensor([[1.0, 3.0], [4.0, 8.0]]).double()
    t = logits * (p - torch.eye(2)) / 2
    assert scores["fisher"] == pytest.approx(2 * (t.square().mean(0) / 2).sum().item(), rel=1e-5)
    curved = torch.autograd.functional.hvp(
        lambda v: F.cross_entropy(images.flatten(1).double() @ v.T, labels), w, grad
    )[1]
    assert scores["grasp"] == pytest.approx(-(w * curved).sum().item(), rel=1e-5)
    # Two batches of one image: each weight has a gradient in one of them, so m = s.
    assert scores["zico"] == pytest.approx(math.log(4), rel=1e-6)


def test_dyniso_of_an_ill_conditioned_float64_network():
    net = Stack(nn.Flatten(), linear([[1.0, 0.0], [0.0, 1e-8]])).double()
    images = torch.tensor([[1.0, 0.0]], dtype=torch.float64).view(1, 2, 1, 1)
    s = math.log(1e-8) / 2
    assert score(net, images, torch.tensor([0]), ("dyniso",))["dyniso"] == pytest.approx(
        -(s + math.exp(-s)), rel=1e-6
    )
    assert score(net.float(), images.float(), torch.tensor([0]), ("dyniso",))["dyniso"] == -math.inf
