"""nbzero.proxies.saliency: by hand, and by backward passes on a copy."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, pooled, reason


def test_a_network_without_weights_has_no_saliency(batch):
    net = pooled(nn.BatchNorm2d(3), nn.ReLU())
    batch = (batch[0], batch[1] % 3)
    for name in ("grad_norm", "snip", "synflow", "zen"):
        assert "no Conv2d and no Linear layer" in reason(net, batch, name)
    assert score(net, *batch, proxies=("params",)) == {"params": 6}
    assert reason(net, batch, "macs") == "macs counts Conv2d and Linear layers, and none ran in this network"


def test_grad_norm_and_snip_of_a_softmax_regression(batch):
    images, labels = batch[0].mean((2, 3), keepdim=True), batch[1]
    net = Stack(nn.Flatten(), nn.Linear(3, 5))
    x, weight = images.flatten(1).double(), net[1].weight.detach().double()
    logits = x @ weight.T + net[1].bias.detach()
    grad = (logits.softmax(1) - F.one_hot(labels, 5)).T @ x / len(x)
    scores = score(net, images, labels, ("grad_norm", "snip"))
    assert scores["grad_norm"] == pytest.approx(grad.norm().item(), rel=1e-5)
    assert scores["snip"] == pytest.approx((weight * grad).abs().sum().item(), rel=1e-5)


@pytest.mark.parametrize("inplace", [False, True])
def test_grad_norm_and_snip_by_backward_on_a_copy(inplace, batch):
    net = TinyNet(inplace=inplace)
    twin = copy.deepcopy(net).train()
    F.cross_entropy(twin(batch[0]), batch[1]).backward()
    weights = [m.weight for m in twin.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    scores = score(net.eval(), *batch, proxies=("grad_norm", "snip"))
    assert scores["grad_norm"] == pytest.approx(sum(w.grad.norm().item() for w in weights), rel=1e-5)
    assert scores["snip"] == pytest.approx(sum((w * w.grad).abs().sum().item() for w in weights), rel=1e-5)


def test_synflow_by_hand(batch):
    net = Stack(*pooled(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1), nn.ReLU()), nn.Linear(1, 2))
    values = [[[[[1.0]], [[-2.0]], [[3.0]]]], [-4.0], [7.0], [7.0], [[5.0], [-6.0]], [9.0, 9.0]]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    # The convolution gives 6 + 4 everywhere; 6 of it belongs to its weights, 10 (5 + 6) to the classifier's.
    assert score(net, *batch, proxies=("synflow",))["synflow"] == 6 * 11 + 10 * 11


class Excited(TinyNet):
    """Functional operations: a max-pool, and squeeze-and-excitation's product."""

    def forward(self, x):
        x = F.max_pool2d(self.features(x), 2)
        return self.classifier((x * torch.sigmoid(self.blocks[1][0](x))).mean((2, 3)))


@pytest.mark.parametrize(
    "make", [TinyNet, lambda: TinyNet(relu=nn.ReLU6), lambda: TinyNet(dropout=0.5), Excited]
)
def test_synflow_by_float64_backward_on_a_copy(make, batch):
    net = make()
    twin = copy.deepcopy(net).double().eval()
    twin.blocks[0][1] = twin.blocks[1][1] = nn.Identity()
    for parameter in twin.parameters():
        parameter.data.abs_()
    twin(torch.ones(1, 3, 6, 6, dtype=torch.float64)).sum().backward()
    slow = sum(
        (m.weight * m.weight.grad).abs().sum() for m in twin.modules() if isinstance(m, nn.Conv2d | nn.Linear)
    )
    assert score(net, *batch, proxies=("synflow",))["synflow"] == pytest.approx(slow.item(), rel=1e-12)
