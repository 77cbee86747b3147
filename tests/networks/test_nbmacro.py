"""nbzero.networks.nbmacro: the published params and FLOPs, the forward pass by hand, blocks."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.build import build_net
from nbzero.networks.nbmacro import layers_net
from tests.networks.published import has_default_weights, num_macs, num_params, on_meta, published_rows

MAKE = ("nbmacro", layers_net)
ARCHS = ["00000000", "22222222", "02012100", "10201201"]


def counted(arch):
    net = on_meta(MAKE, arch)
    return np.array([num_params(net), num_macs(net)])


def test_params_and_flops_are_the_published_ones_for_all_archs():
    """Layers have fixed widths, so each adds its own costs to those of a network of first choices."""
    first = counted("0" * 8)
    added = np.zeros((8, 3, 2), np.int64)
    for layer, choice in itertools.product(range(8), (1, 2)):
        added[layer, choice] = counted("0" * layer + str(choice) + "0" * (7 - layer)) - first
    rows = published_rows("nasbench_macro", ["arch", "params", "flops"])
    assert len(rows) == 3**8
    for row in rows:
        choices = [int(kind) for kind in row["arch"]]
        costs = first + added[np.arange(8), choices].sum(axis=0)
        assert costs.tolist() == [row["params"], row["flops"]], row["arch"]
    for row in rows[:: len(rows) // 40]:  # and whole networks
        assert counted(row["arch"]).tolist() == [row["params"], row["flops"]], row["arch"]


@pytest.mark.parametrize("arch", ARCHS)
def test_forward_by_hand(arch):
    net = build_net(arch, 7, 3).double()
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(7)).double()
    convs = iter([m for m in net.modules() if isinstance(m, nn.Conv2d)])

    def conv_norm(x, stride=1, groups=1):
        weight = next(convs).weight
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        return F.batch_norm(x, None, None, training=True)

    with torch.no_grad():
        y = conv_norm(x).relu()
        for number, kind in enumerate(arch):
            stride = 2 if number in (0, 2, 5) else 1
            if kind == "0":
                y = conv_norm(y, 2) if stride == 2 else y
                continue
            hidden = y.shape[1] * {"1": 3, "2": 6}[kind]
            z = conv_norm(y).relu()
            z = conv_norm(conv_norm(z, stride, hidden).relu())
            y = z if stride == 2 else z + y
        features = conv_norm(y).relu()
        logits = features.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias
        torch.testing.assert_close(net.features(x), features)
        torch.testing.assert_close(net(x), logits)
    assert next(convs, None) is None


def test_blocks_leave_out_identities_that_change_nothing():
    assert build_net("00000000").stage_of_block == [0, 1, 2, 3, 4]
    assert build_net("02012100").stage_of_block == [0, 1, 1, 2, 2, 2, 3, 4]
    assert build_net("22222222").stage_of_block == [0, 1, 1, 2, 2, 2, 3, 3, 3, 4]


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    assert has_default_weights("12012102", build_net("12012102", 100, 4))


def test_an_arch_of_another_length_is_refused():
    with pytest.raises(UsageError, match=r"an arch of nbmacro .NAS-Bench-Macro. is like '02012100'"):
        build_net("0201210")
