"""What the tests of published benchmarks' networks share. No test itself."""

import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from nbzero.spaces.published import IMPORTED
from tests.places import DATA


def published_rows(file, columns):
    """The rows of a published table; the test is skipped where it is absent."""
    path = DATA / f"{file}.parquet"
    if not path.is_file():
        pytest.skip(f"the published table {path.name} is not part of the repository")
    return pq.read_table(path, columns=columns).to_pylist()


def on_meta(make, arch, num_classes=10):
    """A network without memory for its weights."""
    space, function = make
    with torch.device("meta"):
        return function(IMPORTED[space].parse(arch), num_classes)


def num_params(net):
    return sum(parameter.numel() for parameter in net.parameters())


def calls_of(net, kinds, side=32):
    """(module, shape of its output) of every call of the modules of some kinds, for one image."""
    calls = []

    def record(module, _, output):
        calls.append((module, tuple(output.shape)))

    for module in net.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(record)
    device = next(net.parameters()).device
    net.eval()(torch.zeros(1, 3, side, side, device=device))
    return calls


def num_macs(net, side=32):
    """Multiply-adds of convolutions and linear layers, as `macs` counts them, counted here."""
    total = 0
    for module, shape in calls_of(net, (nn.Conv2d, nn.Linear), side):
        outputs = torch.Size(shape).numel()
        if isinstance(module, nn.Linear):
            total += outputs * module.in_features
        else:
            size = module.kernel_size[0] * module.kernel_size[1]
            total += outputs * size * module.in_channels // module.groups
    return total


def has_default_weights(arch, net, variant=None):
    """Whether weights and norms are PyTorch's defaults, drawn from arch and seed alone."""
    torch.manual_seed(1)
    other = build_net(arch, net.classifier.out_features, 4, variant).state_dict()
    same = all(map(torch.equal, net.state_dict().values(), other.values()))
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = module.weight[0].numel() ** -0.5
            variance = module.weight.square().mean() * 3 / bound**2
            wide = 6 * (0.8 / module.weight.numel()) ** 0.5
            same &= bool(module.weight.abs().max() <= bound) and abs(variance - 1) < wide
        if isinstance(module, nn.BatchNorm2d):
            same &= bool(module.weight.eq(1).all() and module.bias.eq(0).all())
            same &= bool(module.running_var.eq(1).all() and module.running_mean.eq(0).all())
    return same


def check_forward(net, arch, by_hand, x):
    """Features and logits of a network are those of a function written from its definition."""
    with torch.no_grad():
        features, logits = by_hand(net, arch, x)
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)
    return features


def scores_or_reasons(net, batch=8, side=16):
    """All scores of a network, each of which is a value or has a reason."""
    images = torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1))
    scores = score(net, images, torch.arange(batch) % 4)
    assert set(scores) == set(PROXIES)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
    assert scores["params"] == num_params(net)
    return scores
