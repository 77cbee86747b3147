"""nbzero.networks.macro: structure and costs of every family, against a forward pass written out by hand."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nbzero import Bench
from nbzero.networks.build import build_net
from nbzero.networks.macro import Net
from nbzero.spaces.macro import CHOICES, Arch, Stage, macs, params
from tests.networks.archs import FEW, convs


@cache
def released(name):
    return Bench().space(name)


def spread(name, num_first):
    """The first of a space's build order, its cheapest and costliest members, and the corners of its grid."""
    archs = released(name).members
    choices = CHOICES[name]
    table = Bench().table(name, columns=["macs", "params"])
    chosen = list(archs[:num_first])
    chosen += [
        archs[int(pick(table[cost]))] for cost in ("macs", "params") for pick in (np.argmin, np.argmax)
    ]
    for s, w, d in ((0, 0, 0), (0, -1, -1), (-1, 0, -1), (-1, -1, 0)):
        chosen.append(
            str(Arch(name, choices.stems[s], (Stage(choices.depths[d], choices.widths[w], 2),) * 3))
        )
    for kept in range(4):
        widths = (choices.widths[0], choices.widths[0], choices.widths[-1], choices.widths[-1])
        chosen.append(
            str(
                Arch(
                    name,
                    choices.stems[0],
                    tuple(Stage(2, w, 1 if s == kept else 2) for s, w in enumerate(widths)),
                )
            )
        )
    return list(dict.fromkeys(chosen))


each_space = pytest.mark.parametrize("name", list(CHOICES))
each_of_few = pytest.mark.parametrize("arch", FEW)


def images(num_images=4, side=16):
    return torch.randn(num_images, 3, side, side, generator=torch.Generator().manual_seed(7))


# Costs


@each_space
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_closed_forms_are_what_torch_counts(name, every):
    sizes = itertools.cycle([(32, 100), (16, 10), (33, 1), (224, 120), (1, 100), (7, 10)])
    for arch, (resolution, num_classes) in list(zip(spread(name, 3), sizes, strict=False))[::every]:
        with torch.device("meta"):
            net = Net(Arch.parse(arch), num_classes).eval()
            with FlopCounterMode(display=False) as counter:
                net(torch.empty(1, 3, resolution, resolution))
        assert counter.get_total_flops() == 2 * macs(arch, resolution, num_classes), (arch, resolution)
        assert sum(p.numel() for p in net.parameters()) == params(arch, num_classes), arch


@each_of_few
def test_real_weights_have_the_closed_forms_too(arch):
    net = build_net(arch, 10, 0)
    assert sum(p.numel() for p in net.parameters()) == params(arch, 10)
    with FlopCounterMode(display=False) as counter:
        net(images(1))
    assert counter.get_total_flops() == 2 * macs(arch, 16, 10)


# Structure


def shape(conv):
    return conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.groups


@each_space
def test_blocks_are_what_the_arch_says(name):
    family = CHOICES[name].family
    for text in spread(name, 4):
        arch = Arch.parse(text)
        with torch.device("meta"):
            net = Net(arch, 10)
        assert net.stage_of_block == [
            0,
            *(s for s, stage in enumerate(arch.stages, start=1) for _ in range(stage.depth)),
        ]
        assert len(net.blocks) == 1 + arch.depth == len(net.stage_of_block)
        assert [shape(conv) for conv in convs(net.blocks[0])] == [(3, arch.stem, (3, 3), (1, 1), (1, 1), 1)]
        width, seen = arch.stem, 0
        for block, stage_number in zip(net.blocks[1:], net.stage_of_block[1:], strict=True):
            out = arch.stages[stage_number - 1].width
            stride = arch.stages[stage_number - 1].stride if stage_number != seen else 1
            seen = stage_number
            one, three, all_of_one = (1, 1), (3, 3), (0, 0)
            if family == "r1":
                body = [(width, out, three, (stride,) * 2, one, 1), (out, out, three, one, one, 1)]
            elif family == "r2":
                inner = out // 4
                body = [(width, inner, one, one, all_of_one, 1), (inner, inner, three, (stride,) * 2, one, 1)]
                body.append((inner, out, one, one, all_of_one, 1))
            else:
                inner = 6 * width
                body = [
                    (width, inner, one, one, all_of_one, 1),
                    (inner, inner, three, (stride,) * 2, one, inner),
                ]
                body.append((inner, out, one, one, all_of_one, 1))
            projected = family != "mb" and (stride == 2 or width != out)
            projection = [(width, out, one, (stride,) * 2, all_of_one, 1)] if projected else []
            assert [shape(conv) for conv in convs(block)] == body + projection, text
            norms = [m.num_features for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
            assert norms == [conv.out_channels for conv in convs(block)]
            if family == "mb":
                assert block.adds_input == (stride == 1 and width == out)
                assert isinstance(
                    list(block.modules())[-1], nn.BatchNorm2d
                )  # linear: nothing after the last norm
            width = out
        assert (net.classifier.in_features, net.classifier.out_features) == (width, 10)


@each_of_few
def test_activations_are_separate_not_in_place_and_used_once(arch):
    net = build_net(arch, 10, 0)
    relus = [m for m in net.modules() if isinstance(m, nn.ReLU)]
    per_block = {"r1": 2, "r2": 3, "mb": 2}[CHOICES[Arch.parse(arch).space].family]
    assert len(relus) == 1 + per_block * Arch.parse(arch).depth
    assert not any(relu.inplace for relu in relus)
    assert all(conv.bias is None for conv in convs(net))
    calls = []
    leaves = [m for m in net.modules() if not list(m.children())]
    for leaf in leaves:
        leaf.register_forward_hook(lambda module, inputs, output: calls.append(module))
    net(images())
    assert sorted(map(id, calls)) == sorted(map(id, leaves))
    assert {type(leaf) for leaf in leaves} == {
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.AdaptiveAvgPool2d,
        nn.Linear,
    }


def forward_by_hand(net, arch, x):
    """The forward pass of an eval-mode net, from its tensors in the order in which they were registered."""
    tensors = iter(net.state_dict().values())

    def conv_bn(x, stride=1, groups=1):
        weight, gamma, beta, mean, var, _ = itertools.islice(tensors, 6)
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        return (x - mean[:, None, None]) / (var + 1e-5).sqrt()[:, None, None] * gamma[:, None, None] + beta[
            :, None, None
        ]

    family = CHOICES[arch.space].family
    x = conv_bn(x).relu()
    for depth, out, first_stride in arch.stages:
        for stride in [first_stride] + [1] * (depth - 1):
            same = stride == 1 and x.shape[1] == out
            if family == "r1":
                y = conv_bn(conv_bn(x, stride).relu())
            elif family == "r2":
                y = conv_bn(conv_bn(conv_bn(x).relu(), stride).relu())
            else:
                y = conv_bn(conv_bn(conv_bn(x).relu(), stride, groups=6 * x.shape[1]).relu())
            if family != "mb":
                y = (y + (x if same else conv_bn(x, stride))).relu()
            elif same:
                y = y + x
            x = y
    weight, bias = tensors
    return x, x.mean((2, 3)) @ weight.T + bias


@each_of_few
def test_forward_by_hand(arch):
    net, x = build_net(arch, 7, 3).double(), images().double()
    draws = torch.Generator().manual_seed(5)
    for module in net.modules():  # norms that are no identities
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=draws, dtype=torch.float64))
    net.eval()
    with torch.no_grad():
        features, logits = forward_by_hand(net, Arch.parse(arch), x)
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)


@each_of_few
@pytest.mark.parametrize("side", [1, 16, 33])
def test_shapes(arch, side):
    net = build_net(arch, 12, 0).eval()
    with torch.no_grad():
        assert net(images(2, side)).shape == (2, 12)
        features = net.features(images(2, side))
    assert features.shape == (2, Arch.parse(arch).stages[-1].width, *[math.ceil(side / 8)] * 2)
