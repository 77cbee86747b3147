"""nbzero.networks.darts: published params, the forward passes by hand, the tiny network, dead cells."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero import UnknownNameError
from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.darts import CellsNet, darts_net, edges_of, tiny_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from nbzero.spaces.darts import DARTS, DARTS_OPERATIONS
from tests.networks.published import has_default_weights, num_macs, num_params, on_meta, published_rows

MAKE = ("darts", darts_net)
TINY = ("darts", tiny_net)
MIXED = DARTS.example
NORMAL_V2 = [
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1),
    ("skip_connect", 0),
    ("skip_connect", 0),
    ("dil_conv_3x3", 2),
]
REDUCTION_V2 = [
    ("max_pool_3x3", 0),
    ("max_pool_3x3", 1),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
    ("max_pool_3x3", 0),
    ("skip_connect", 2),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
]


def cell_of(name):
    """The arch in which every operation is this one."""
    return DARTS.text([DARTS_OPERATIONS.index(name), 0, DARTS_OPERATIONS.index(name), 1] * 4)


def test_params_of_the_published_cells():
    """DARTS_V2: 3.349342 M, as its authors' training code logs."""
    with torch.device("meta"):
        net = CellsNet(NORMAL_V2, REDUCTION_V2, 10, 36, 20, 108)
    assert num_params(net) == 3_349_342
    assert round(num_macs(net) / 1e6) == 528


def counted(edges, channels, num_cells, stem):
    """params and macs, added up layer by layer."""
    total = {"params": 0, "macs": 0}

    def conv(width, out, kernel, side, groups=1):
        weights = width // groups * kernel * kernel * out
        total["params"] += weights
        total["macs"] += weights * side * side

    def halved(width, out, side):
        conv(width, out, 1, side)
        total["params"] += 2 * out

    side, sides, widths = 32, [32, 32], [stem or 3, stem or 3]
    if stem:
        conv(3, stem, 3, side)
        total["params"] += 2 * stem
    for number in range(num_cells):
        reduces = number in (num_cells // 3, 2 * num_cells // 3)
        channels *= 1 + reduces
        for width in widths:
            halved(width, channels, sides[1])
        side = sides[1] // (1 + reduces)
        for name, start in edges:
            halves = reduces and start < 2
            if name == "skip_connect" and halves:
                halved(channels, channels, side)
            for _ in range({"sep": 2, "dil": 1}.get(name[:3], 0)):
                conv(channels, channels, int(name[-1]), side, channels)
                halved(channels, channels, side)
        sides, widths = [sides[1], side], [widths[1], 4 * channels]
    total["params"] += 10 * widths[1] + 10
    total["macs"] += 10 * widths[1]
    return total["params"], total["macs"]


@pytest.mark.parametrize(
    ("make", "sizes", "every"),
    [
        (MAKE, (36, 20, 108), 5),
        pytest.param(MAKE, (36, 20, 108), 1, marks=pytest.mark.long),
        (TINY, (3, 1, 0), 1),
    ],
)
def test_params_and_macs_are_the_sum_over_the_layers(make, sizes, every):
    archs = [row["genotype"] for row in published_rows("darts_swap1000", ["genotype"])[::200]]
    for arch in [MIXED, *map(cell_of, DARTS_OPERATIONS), *archs][::every]:
        net = on_meta(make, arch)
        assert (num_params(net), num_macs(net)) == counted(edges_of(DARTS.parse(arch)), *sizes), arch


def forward_by_hand(net, edges, x, has_stem, num_cells):
    """The train-mode forward pass, from the tensors in the order in which they were registered."""
    weights = iter([m.weight for m in net.modules() if isinstance(m, nn.Conv2d)])

    def norm(x):
        return F.batch_norm(x, None, None, training=True)

    def halve(x):
        even, odd = F.conv2d(x.relu()[:, :, ::2, ::2], next(weights)), next(weights)
        return norm(torch.cat([even, F.conv2d(x.relu()[:, :, 1::2, 1::2], odd)], 1))

    def separable(x, stride, dilation):
        deep, flat = next(weights), next(weights)
        reach = dilation * (deep.shape[-1] // 2)
        return norm(F.conv2d(F.conv2d(x.relu(), deep, None, stride, reach, dilation, len(deep)), flat))

    def apply(name, x, stride):
        if name == "none":
            return 0 * x[:, :, ::stride, ::stride]
        if name == "skip_connect":
            return x if stride == 1 else halve(x)
        if name == "max_pool_3x3":
            return F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, stride)
        if name == "avg_pool_3x3":
            ones = F.avg_pool2d(torch.ones_like(x), 3, stride, 1)
            return F.avg_pool2d(x, 3, stride, 1) / ones
        if name.startswith("dil"):
            return separable(x, stride, 2)
        return separable(separable(x, stride, 1), 1, 1)

    if has_stem:
        x = norm(F.conv2d(x, next(weights), padding=1))
    before = last = x
    after_reduction = False
    for number in range(num_cells):
        reduces = number in (num_cells // 3, 2 * num_cells // 3)
        nodes = [halve(before) if after_reduction else norm(F.conv2d(before.relu(), next(weights)))]
        nodes.append(norm(F.conv2d(last.relu(), next(weights))))
        for first, second in zip(edges[::2], edges[1::2], strict=True):
            both = []
            for name, start in (first, second):
                both.append(apply(name, nodes[start], 2 if reduces and start < 2 else 1))
            nodes.append(sum(both))
        before, last, after_reduction = last, torch.cat(nodes[2:], 1), reduces
    return last, last.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


@pytest.mark.parametrize(
    ("arch", "variant"), [(MIXED, None), (MIXED, "swap"), (cell_of("avg_pool_3x3"), "swap")]
)
def test_forward_by_hand(arch, variant):
    net = build_net(arch, 7, 3, variant).double()
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(7)).double()
    edges = edges_of(DARTS.parse(arch))
    with torch.no_grad():
        num_cells = 1 if variant else 20
        features, logits = forward_by_hand(net, edges, x, variant is None, num_cells)
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)


def test_odd_sides_are_rounded_up_at_each_halving():
    for name in DARTS_OPERATIONS:
        with torch.no_grad():
            assert build_net(cell_of(name), variant="swap").features(torch.ones(2, 3, 9, 7)).shape[2:] == (
                5,
                4,
            )


def test_blocks_are_the_stem_and_the_cells():
    net = on_meta(MAKE, MIXED)
    assert net.stage_of_block == [0] + 6 * [1] + 7 * [2] + 7 * [3]
    assert len(net.blocks) == 21
    assert on_meta(TINY, MIXED).stage_of_block == [1]


@pytest.mark.parametrize("variant", [None, "swap"])
def test_weights_are_pytorchs_defaults_from_arch_and_seed(variant):
    assert has_default_weights(MIXED, build_net(MIXED, 100, 4, variant), variant)
    assert not has_default_weights(MIXED, build_net(MIXED, 100, 5, variant), variant)


@pytest.mark.parametrize("arch", [MIXED, cell_of("none"), cell_of("skip_connect"), cell_of("max_pool_3x3")])
def test_every_proxy_has_a_value_or_a_reason_on_the_tiny_network(arch):
    net = build_net(arch, variant="swap")
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    scores = score(net, images, torch.arange(8) % 4)
    assert set(scores) == set(PROXIES)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
    assert scores["swap"] > 1  # the ReLUs before the cell see the images, also where no path leads on
    if arch == cell_of("none"):
        assert "constant" in scores.reasons["jacob_cov"] or "does not depend" in scores.reasons["jacob_cov"]


@pytest.mark.long
def test_every_proxy_has_a_value_or_a_reason_on_the_trained_network():
    net = build_net(MIXED)
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    scores = score(net, images, torch.arange(4) % 2)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
    assert set(scores.reasons) <= {"zen_no_shortcut"}, scores.reasons
    assert scores["depth"] == 20


def test_what_cannot_be_built_is_refused():
    with pytest.raises(UsageError, match=re.escape("an arch of darts (DARTS) is like")):
        build_net(MIXED.replace("dil_conv_5x5", "dil_conv_7x7"))
    with pytest.raises(UnknownNameError, match="no variant named 'tiny'"):
        build_net(MIXED, variant="tiny")
    with pytest.raises(UsageError, match="variant 'swap' of '02012100'; archs of darts, flexibert have it"):
        build_net("02012100", variant="swap")
    with pytest.raises(UsageError, match="archs of darts, flexibert have it, others none"):
        build_net("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2", variant="swap")
