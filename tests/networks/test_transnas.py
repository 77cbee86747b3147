"""nbzero.networks.transnas: params by hand, the forward pass by hand, blocks, cells without a path."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.transnas import micro_net, modules_net
from nbzero.spaces.transnas import TRANSNAS_MACRO, TRANSNAS_MICRO
from tests.networks.published import (
    calls_of,
    has_default_weights,
    num_macs,
    num_params,
    on_meta,
    scores_or_reasons,
)

MACRO, MICRO = ("transnas-macro", modules_net), ("transnas-micro", micro_net)
ALL_KINDS, HALVINGS = TRANSNAS_MACRO.example, "64-33431-basic"
CELL, SKIPS, NO_PATH = TRANSNAS_MICRO.example, "64-41414-1_11_111", "64-41414-3_00_003"


def make_of(arch):
    return MACRO if arch.endswith("basic") else MICRO


def convolution(width, out, kernel):
    """Its params with those of its batch norm."""
    return width * out * kernel**2 + 2 * out


def params_by_hand(arch, classes):
    """By the authors' rules, module by module."""
    _, kinds, block = arch.split("-")
    total, width = convolution(3, 32, 3) + convolution(32, 64, 3), 64
    for kind in kinds:
        for number in range(2):
            out = width * (2 if kind in "24" and not number else 1)
            changes = out != width or (kind in "34" and not number)
            if block == "basic":
                total += convolution(width, out, 3) + convolution(out, out, 3)
                total += convolution(width, out, 1) if changes else 0
            else:
                for node, operations in enumerate(block.split("_")):
                    for start, operation in enumerate(operations[: node + 1]):
                        entering = out if start else width
                        if operation == "1" and start == 0 and changes:
                            total += convolution(entering, out, 1)
                        elif operation in "23":
                            total += convolution(entering, out, {"2": 1, "3": 3}[operation])
            width = out
    return total + width * classes + classes


@pytest.mark.parametrize(
    "arch",
    [
        ALL_KINDS, HALVINGS, "64-1111-basic", "64-222111-basic",
        CELL, SKIPS, NO_PATH, "64-41414-0_00_000", "64-41414-3_21_032", "64-41414-2_33_222",
    ],
)  # fmt: skip
def test_params_by_hand(arch):
    assert num_params(on_meta(make_of(arch), arch, 75)) == params_by_hand(arch, 75)


@pytest.mark.parametrize(("make", "definition"), [(MACRO, TRANSNAS_MACRO), (MICRO, TRANSNAS_MICRO)])
def test_costs_are_counted_of_the_networks(make, definition):
    archs = [definition.text(values) for values in definition.every(definition.choices)]
    for arch in archs[:: len(archs) // 12]:
        net = on_meta(make, arch, 75)
        costs = definition.costs(definition.parse(arch))
        assert costs["params"] == num_params(net)
        assert costs["macs"] == num_macs(net, 256)


def test_four_modules_can_be_those_of_resnet_18():
    """Which has 11,689,512 params: 9,408 + 128 in its stem, 513,000 in its classifier."""
    net = on_meta(MACRO, "64-1444-basic")
    assert sum(map(num_params, net.blocks[1:])) == 11_689_512 - 9_408 - 128 - 513_000


def forward_by_hand(net, arch, x):
    """The train-mode forward pass, from the tensors in the order in which they were registered."""
    convs = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)][::-1]
    _, kinds, block = arch.split("-")

    def norm(x):
        return F.batch_norm(x, None, None, training=True)

    def conv(x, stride=1):
        weight = convs.pop()
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def skip(x, stride):
        x = x.relu()
        first = conv(x, stride)
        shifted = torch.zeros_like(x)
        shifted[:, :, :-1, :-1] = x[:, :, 1:, 1:]
        return norm(torch.cat([first, conv(shifted, stride)], 1))

    def edge(operation, x, out, stride):
        if operation == "0":
            return torch.zeros_like(x[:, :1, ::stride, ::stride]).expand(-1, out, -1, -1)
        if operation == "1":
            return x if (x.shape[1], stride) == (out, 1) else skip(x, stride)
        return norm(conv(x.relu(), stride))

    def block_of(x, out, stride):
        if block == "basic":
            y = norm(conv(norm(conv(x.relu(), stride)).relu()))
            return y + (x if y.shape == x.shape else norm(conv(x, stride)))
        nodes = [x]
        for operations in block.split("_"):
            entering = [edge(operations[0], x, out, stride)]
            for operation, given in zip(operations[1:], nodes[1:], strict=True):
                entering.append(edge(operation, given, out, 1))
            nodes.append(sum(entering))
        return nodes[-1]

    x = norm(conv(norm(conv(x, 2)).relu(), 2))
    for kind in kinds:
        x = block_of(
            x, x.shape[1] * {"1": 1, "2": 2, "3": 1, "4": 2}[kind], {"1": 1, "2": 1, "3": 2, "4": 2}[kind]
        )
        x = block_of(x, x.shape[1], 1)
    assert not convs
    return x, x.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


@pytest.mark.parametrize("arch", [ALL_KINDS, CELL, SKIPS, NO_PATH])
@pytest.mark.parametrize("side", [32, 28])
def test_forward_by_hand(arch, side):
    net = build_net(arch, 7, 3).double()
    x = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(7)).double()
    with torch.no_grad():
        features, logits = forward_by_hand(net, arch, x)
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)


def test_shapes_at_the_authors_resolution():
    """256 pixels: a quarter after the stem, half of it where a module says so."""
    for arch, shape in ((ALL_KINDS, (1, 256, 16, 16)), (HALVINGS, (1, 128, 4, 4)), (CELL, (1, 512, 8, 8))):
        net = on_meta(make_of(arch), arch)
        calls = calls_of(net, (nn.AdaptiveAvgPool2d,), 256)
        assert calls[0][1][1] == net.classifier.in_features
        assert net.features(torch.zeros(1, 3, 256, 256, device="meta")).shape == shape


def test_blocks_are_the_stem_and_two_of_each_module():
    assert on_meta(MACRO, ALL_KINDS).stage_of_block == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert on_meta(MICRO, CELL).stage_of_block == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    depth = TRANSNAS_MACRO.costs(TRANSNAS_MACRO.parse(HALVINGS))["depth"]
    assert depth == len(on_meta(MACRO, HALVINGS).blocks) - 1


@pytest.mark.parametrize("arch", ["64-1113-basic", SKIPS])
def test_weights_are_pytorchs_defaults_from_arch_and_seed(arch):
    assert has_default_weights(arch, build_net(arch, 100, 4))
    assert not has_default_weights(arch, build_net(arch, 100, 5))


@pytest.mark.parametrize("arch", ["64-3331-basic", SKIPS, "64-41414-0_00_000"])
def test_every_proxy_has_a_value_or_a_reason(arch):
    assert scores_or_reasons(build_net(arch), 4, 32)["macs"] > 0


@pytest.mark.parametrize(
    ("arch", "title"),
    [("64-1235-basic", "macro"), ("64-123-basic", "macro"), ("64-41414-1_02_334", "micro")],
)
def test_a_malformed_arch_is_refused(arch, title):
    with pytest.raises(UsageError, match=re.escape(f"(TransNAS-Bench-101 {title}) is like")):
        build_net(arch)
