"""nbzero.proxies.curvature: grasp against torch's own second derivatives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.score import score


class Curved(nn.Module):
    """Every kind of layer that grasp's second pass has a formula for, and some that go torch's way."""

    def __init__(self, channels_last=False):
        super().__init__()
        self.channels_last = channels_last
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8, eps=0.1), nn.ReLU6()
        )
        self.shared = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2, bias=False)
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
            nn.BatchNorm2d(8, affine=False),
            nn.SiLU(),
        )
        self.bias = nn.Sequential(nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12, momentum=None, eps=0.3))
        self.reflect = nn.Conv2d(12, 4, 3, padding=1, padding_mode="reflect", bias=False)
        self.hidden, self.classifier = nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x):
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        x = self.shared(self.shared(x) + x)
        x = F.conv2d(x, self.stem[0].weight.transpose(0, 1)[:, :, 1:2, 1:2].repeat(3, 1, 1, 1)[:8])
        x = self.reflect(self.bias(self.depthwise(x)))
        return self.classifier(torch.tanh(self.hidden(x.mean((2, 3)))))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_grasp_against_torchs_own_second_derivatives(channels_last, alone, batch):
    torch.manual_seed(0)
    net = Curved(channels_last).double().train()
    images, labels = batch[0].double(), batch[1]
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "1.weight" in name:
                parameter.uniform_(0.5, 2)
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    grads = torch.autograd.grad(F.cross_entropy(net(images), labels), weights, create_graph=True)
    curved = torch.autograd.grad(sum((grad * grad.detach()).sum() for grad in grads), weights)
    exact = -sum((weight * h).sum().item() for weight, h in zip(weights, curved, strict=True))
    asked = ("grasp",) if alone else ("grasp", "grad_norm", "jacob_cov", "az_trainability", "fisher", "gcor")
    scores = score(net, images, labels, asked)
    assert scores["grasp"] == pytest.approx(exact, rel=1e-9)
    others = score(net, images, labels, asked[1:])
    assert others == pytest.approx({name: scores[name] for name in asked[1:]}, rel=1e-9)


class FromImages(nn.Module):
    """What a network may do to its images before, or beside, its first convolution."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.scale = nn.Linear(3, 3)
        self.conv = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.beside = nn.Conv2d(3, 6, 1, bias=False)
        self.classifier = nn.Linear(6, 5)

    def forward(self, x):
        if self.how == "in place, by a weight":
            x.mul_(self.scale.weight.diagonal()[:, None, None])
        elif self.how == "by a weight":
            x = x * self.scale.weight.diagonal()[:, None, None]
        y = self.conv(x)
        if self.how == "twice":
            y = y + self.beside(x)
        elif self.how == "activated too":
            y = y + self.conv(F.relu(x)) * self.beside(x)
        return self.classifier(F.relu(y).mean((2, 3)))


@pytest.mark.parametrize("how", ["plainly", "twice", "activated too", "by a weight", "in place, by a weight"])
def test_grasp_of_convolutions_of_the_images(how, batch):
    torch.manual_seed(0)
    net = FromImages(how).double().train()
    images, labels = batch[0].double(), batch[1]
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    loss = F.cross_entropy(net(images.clone()), labels)
    grads = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    size = sum((grad * grad.detach()).sum() for grad in grads)
    curved = torch.autograd.grad(size, weights, materialize_grads=True)
    exact = -sum((weight * h).sum().item() for weight, h in zip(weights, curved, strict=True))
    asked = ("grasp", "grad_norm", "jacob_cov", "fisher", "gcor")
    scores = score(net, images, labels, asked)
    assert scores["grasp"] == pytest.approx(exact, rel=1e-9)
    assert scores["grad_norm"] == pytest.approx(sum(grad.norm().item() for grad in grads), rel=1e-9)
    others = score(net, images, labels, asked[1:])  # by torch's own gradients
    assert others == pytest.approx({name: scores[name] for name in asked[1:]}, rel=1e-9)
