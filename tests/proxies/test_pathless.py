"""Cells of NAS-Bench-201 without a path: all images give one output, and every proxy says what that means.

There are 341 of them. A score is a number where the definition gives one, and else None with the true reason.
"""

import math

import pytest
import torch

from nbzero.networks import build_net
from nbzero.proxies import score
from nbzero.proxies.score import COMPUTE
from nbzero.spaces.nb201 import EDGES, NB201, cell_costs
from nbzero.spaces.published import sample_order

PATHLESS = (
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|none~2|",  # reached, and unread
    "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|nor_conv_3x3~1|nor_conv_1x1~2|",  # convolutions of nothing
    "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|",
)
ZERO = (
    "grad_norm",
    "plain",
    "snip",
    "grasp",
    "synflow",
    "phi",
    "phi_bn",
    "gradsign",
)  # no gradient, no change
UNMOVED = "noise on the input does not move the features"
WITHOUT_GRADIENT = "it does not depend on the images"
NO_DIFFERENCE = "differ within each image"
# Why a proxy has no score; those of the second group have one where other activations are reached.
REASONS = {
    "zen": UNMOVED,
    "zen_own": UNMOVED,
    "jacob_cov": WITHOUT_GRADIENT,
    "epe_nas": WITHOUT_GRADIENT,
    "netsens": WITHOUT_GRADIENT,
    "dyniso": WITHOUT_GRADIENT,
    "zico": "no weight has a gradient that differs",
    "ntk": "no weight moves the output",
    "az_trainability": "does not depend on the block before it",
    "gcor": NO_DIFFERENCE,
}
RESPONSES = ("acor", "rcor", "wrcor", "wrcor_by_stage", "wrcor_linear", "wrcor_quad", "wrcor_expt2b")


def allowed(name: str) -> tuple[str, ...]:
    """What the reason of a proxy without a score may have in it."""
    if name in REASONS:
        return (REASONS[name],)
    if name == "zen_no_shortcut":
        return UNMOVED, "so neither is the shortcut"
    return (NO_DIFFERENCE,) if name in RESPONSES else ()


def has_path(arch: str) -> bool:
    reached = {0}
    for value, (start, end) in zip(NB201.parse(arch), EDGES, strict=True):
        if value and start in reached:
            reached.add(end)
    return 3 in reached


def test_how_many_cells_have_no_path() -> None:
    assert sum(not has_path(arch) for arch in sample_order("nb201")) == 341
    assert not any(map(has_path, PATHLESS))


@pytest.mark.parametrize("arch", PATHLESS)
def test_every_proxy_gives_a_number_or_the_true_reason(arch: str) -> None:
    net = build_net(arch, 10, 0)
    images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 4
    scores = score(net, images, labels, tuple(COMPUTE), seed=0)
    outputs = net(images).detach()
    assert torch.equal(outputs, outputs[:1].expand_as(outputs))
    assert scores["params"] == cell_costs(NB201.parse(arch))["params"]
    for name in COMPUTE:
        value = scores[name]
        if value is None:
            reason = scores.reasons[name]
            assert any(said in reason for said in allowed(name)), (name, reason)
        else:
            assert name not in REASONS, (name, value)
            assert not math.isnan(value) and value != math.inf, name
    assert [scores[name] for name in ZERO] == [0] * len(ZERO)
    is_seen = "nor_conv_1x1~1" in arch  # a node that images reach, with activations that differ
    assert [scores[name] is not None for name in RESPONSES] == [is_seen] * len(RESPONSES)
    assert math.isfinite(scores["naswot"]) == is_seen
