"""`authors_counting`: containers named like activations count once more."""

import pytest
import torch
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.proxies.score import score

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
COUNTED = ("naswot", "acor", "gcor", "rcor", "wrcor", "wrcor_linear")


class ReLUConvBN(nn.Sequential):
    def __init__(self, width, out):
        super().__init__(nn.ReLU(), nn.Conv2d(width, out, 3, padding=1, bias=False), nn.BatchNorm2d(out))


class Plain(nn.Sequential):
    """The same layers under another name."""


def net_of(container):
    torch.manual_seed(0)
    first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
    body = [container(*ReLUConvBN(4, 6)) if container is Plain else ReLUConvBN(4, 6)]
    return nn.Sequential(first, *body, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10))


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return torch.randn(8, 3, 8, 8, generator=draws), torch.arange(8)


def by_hooks(net, images, labels):
    """naswot, acor and rcor as hooks by class name count them, torch's old backward hook included."""
    size = len(images)
    agree, responses, gradients = (torch.zeros(size, size, dtype=torch.float64) for _ in range(3))

    def forward(module, inputs, output):
        x_BU = inputs[0].detach().flatten(1).double()
        on_BU = (x_BU > 0).double()
        agree.add_(on_BU @ on_BU.T + (1 - on_BU) @ (1 - on_BU).T)
        responses.add_(torch.corrcoef(x_BU).abs())

    def backward(module, grads_in, grads_out):
        gradients.add_(torch.corrcoef(grads_in[0].flatten(1).double()).abs())

    for module in net.modules():
        if "ReLU" in type(module).__name__:
            module.register_forward_hook(forward)
            module.register_backward_hook(backward)
    nn.functional.cross_entropy(net(images), labels).backward()
    sums = {"naswot": agree, "acor": responses, "gcor": gradients, "rcor": responses + gradients}
    return {name: torch.linalg.slogdet(total).logabsdet.item() for name, total in sums.items()}


@pytest.mark.filterwarnings("ignore:Using a non-full backward hook")
def test_it_is_what_hooks_by_class_name_count(batch):
    net = net_of(ReLUConvBN)
    counted = score(net, *batch, COUNTED, authors_counting=True)
    for name, value in by_hooks(net, *batch).items():
        assert counted[name] == pytest.approx(value, abs=1e-3), name


def test_without_such_containers_it_changes_nothing(batch):
    net = net_of(Plain)
    assert score(net, *batch, COUNTED, authors_counting=True) == score(net, *batch, COUNTED)


def test_a_container_counts_once_more(batch):
    ours, theirs = score(net_of(ReLUConvBN), *batch, COUNTED), score(net_of(Plain), *batch, COUNTED)
    assert ours == theirs  # the name alone says nothing to us
    counted = score(net_of(ReLUConvBN), *batch, COUNTED, authors_counting=True)
    for name in COUNTED:
        assert counted[name] > ours[name]


def test_on_a_cell_of_nas_bench_201(batch):
    net = build_net(CELL)
    ours, counted = score(net, *batch, COUNTED), score(net, *batch, COUNTED, authors_counting=True)
    for name in COUNTED:
        assert counted[name] > ours[name]
    alone = score(net, *batch, ["rcor"], authors_counting=True)
    assert alone["rcor"] == counted["rcor"]
    assert score(net, *batch, COUNTED) == ours


def test_it_goes_with_proxies_that_count_activations(batch):
    with pytest.raises(UsageError, match=r"authors_counting=True with snip; .*naswot.*wrcor"):
        score(net_of(Plain), *batch, ["naswot", "snip"], authors_counting=True)
