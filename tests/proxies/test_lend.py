"""nbzero.proxies.lend: whatever a pass does to a network, it is left as found."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from tests.proxies.nets import TinyNet, reason, state

NAMES = sorted(PROXIES)


def used_net(**options):
    """A network in a state of its own: mixed modes, a frozen weight, a gradient, statistics, a hook."""
    net = TinyNet(**options)
    net(torch.ones(2, 3, 6, 6)).sum().backward()
    for parameter in net.blocks.parameters():
        parameter.grad = None
    net.blocks[1].eval()
    net.classifier.weight.requires_grad_(False)
    net.classifier.register_forward_hook(lambda *_: None)
    return net


@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_left_as_found(name, batch):
    net = used_net(inplace=True, dropout=0.5)
    before = state(net)
    assert score(net, *batch, proxies=(name,)).reasons == {}
    assert state(net) == before


@pytest.mark.parametrize(
    "name", sorted(PROXIES.keys() - {"params", "depth", "pnorm", "lyrdyniso", "sed_reconstructed"})
)
@pytest.mark.parametrize("place", ["blocks.0.0", "last"])
def test_the_network_is_left_as_found_after_an_error(name, place, batch):
    net = used_net()

    def fail(*_):
        raise RuntimeError("out of order")

    net.get_submodule(place).register_forward_hook(fail)
    before = state(net)
    with pytest.raises(RuntimeError, match="out of order"):
        score(net, *batch, proxies=(name,))
    assert state(net) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_float64_network_is_left_as_found_too(name, batch):
    net = used_net().double()
    before = state(net)
    score(net, batch[0].double(), batch[1], (name,))
    assert state(net) == before


def test_the_network_is_left_as_found_where_a_score_is_none(batch):
    net = used_net()
    net.blocks[1][1] = nn.BatchNorm2d(6, track_running_stats=False)
    before = state(net)
    assert reason(net, batch, "zen").startswith("zen reads batch norm's running variance")
    assert state(net) == before


class Counting(TinyNet):
    """Changes, sets and makes buffers while it runs, and works on its input in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("cache", None)

    def forward(self, x):
        self.seen += x.detach().mean()
        self.cache = x.detach().mean(0)
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.ones(1))
        return super().forward(x.sub_(0.5))


@pytest.mark.parametrize("name", NAMES)
def test_buffers_made_by_a_pass_are_gone_and_the_images_are_as_they_were(name, batch):
    net, images = Counting(), batch[0].clone()
    before = state(net), [sorted(module._buffers) for module in net.modules()]
    counted = score(net, *batch, proxies=(name,))
    assert (state(net), [sorted(module._buffers) for module in net.modules()]) == before and net.cache is None
    assert torch.equal(batch[0], images)
    if name not in {"zen", "zen_no_shortcut", "phi", "barlow_twins", "synflow"}:  # those put other images in
        assert counted == score(TinyNet(), images - 0.5, batch[1], (name,))


class Skipping(TinyNet):
    """Draws from Python's and numpy's generators while it runs, as some stochastic depths do."""

    def features(self, x):
        return super().features(x) * (1 + random.random() + np.random.rand())


def test_generators_of_numpy_and_python_are_seeded_and_put_back(batch):
    net = Skipping()
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = score(net, *batch)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    random.seed(6)
    np.random.seed(6)
    assert score(net, *batch) == first


class Frozen(TinyNet):
    """Freezes a weight whenever its mode is set, as detection backbones do."""

    def train(self, mode=True):
        super().train(mode)
        self.blocks[0][0].weight.requires_grad_(False)
        return self


def test_a_network_that_freezes_weights_as_its_mode_is_set(batch):
    assert score(Frozen(), *batch) == score(TinyNet(), *batch)


class SwitchesOff(TinyNet):
    """Runs its backbone without gradients, and may leave them off."""

    def __init__(self, leaves_off):
        super().__init__()
        self.leaves_off = leaves_off

    def features(self, x):
        torch.set_grad_enabled(False)
        found = super().features(x)
        torch.set_grad_enabled(not self.leaves_off)
        return found


@pytest.mark.parametrize("leaves_off", [False, True])
def test_a_network_that_switches_gradients_off(batch, leaves_off):
    got, right = score(SwitchesOff(leaves_off), *batch), score(TinyNet(), *batch)
    assert torch.is_grad_enabled()
    forward_alone = ("params", "macs", "naswot", "swap", "zen", "phi", "meco", "pnorm", "az_expressivity")
    assert [got[name] for name in forward_alone] == [right[name] for name in forward_alone]
    assert "output has no gradient" in got.reasons["jacob_cov"]
    if leaves_off:
        assert {got[name] for name in ("grad_norm", "snip", "grasp", "synflow", "zico", "ntk")} == {None}
    else:
        assert 0 < got["grad_norm"] < right["grad_norm"]
