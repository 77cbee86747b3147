"""Networks that the tests of proxies share, and slow versions of what proxies read. No test itself."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.score import score


class TinyNet(nn.Module):
    """Two convolutions (the second grouped), a shortcut, batch norm or none, in-place or separate ReLUs."""

    def __init__(self, bn=True, inplace=False, relu=nn.ReLU, dropout=0.0):
        super().__init__()

        def norm():
            return nn.BatchNorm2d(6) if bn else nn.Identity()

        stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm(), relu(inplace=inplace))
        block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False), norm())
        self.blocks = nn.ModuleList([stem, block])
        self.stage_of_block = [0, 1]
        self.last = relu(inplace=inplace)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(6, 5)
        with torch.no_grad():
            draws = torch.Generator().manual_seed(3)
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draws) / 2)

    def features(self, x):
        x = self.blocks[0](x)
        return self.last(self.blocks[1](x) + x)

    def forward(self, x):
        return self.classifier(self.drop(self.features(x).mean((2, 3))))


class Stack(nn.Sequential):
    """A plain chain of modules, without features or stages."""


def others(batch):
    return torch.randn(batch[0].shape, generator=torch.Generator().manual_seed(2))


def pooled(*modules):
    return Stack(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def reason(net, batch, name, **options):
    scores = score(net, *batch, proxies=(name,), **options)
    assert scores[name] is None
    return scores.reasons[name]


def state(net):
    """Everything that a score must not change, in a comparable form."""
    tensors = [*net.named_parameters(), *net.named_buffers()]
    return (
        [
            (name, id(t), t.data_ptr(), t.dtype, t._version, t.detach().flatten().tolist())
            for name, t in tensors
        ],
        [
            (name, p.requires_grad, None if p.grad is None else p.grad.tolist())
            for name, p in net.named_parameters()
        ],
        [
            (m.training, len(m._forward_hooks), len(m._forward_pre_hooks), sorted(vars(m)))
            for m in net.modules()
        ],
        torch.default_generator.get_state().tolist(),
    )


def linear(weight, bias=False):
    layer = nn.Linear(len(weight[0]), len(weight), bias=bias)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


def pre_and_grads(net, images, labels):
    """What enters each ReLU of a TinyNet, and dL/d of it, by autograd."""
    twin, kept = copy.deepcopy(net).train(), []
    for layer in (twin.blocks[0][2], twin.last):
        layer.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    loss = F.cross_entropy(twin(images), labels)
    return [pre.detach() for pre in kept], torch.autograd.grad(loss, kept)


def slow_logdet(rows):
    corr = sum(weight * torch.corrcoef(values.flatten(1).double()).abs() for weight, values in rows)
    return torch.linalg.slogdet(corr).logabsdet.item()


def entropy(x_CP):
    """Of the eigenvalues of the covariance of channels, as shares."""
    values = torch.linalg.eigvalsh(torch.cov(x_CP.double(), correction=0)).clamp(min=0)
    share = values / values.sum()
    return -(share * (share + 1e-8).log()).sum().item()
