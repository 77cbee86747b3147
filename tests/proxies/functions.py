"""Functions that are scored in tests, where workers can import them. No test itself."""

import functools
import os
import random
import time

import numpy as np


def length(arch):
    return len(arch)


def drawn(arch):
    return random.random() + np.random.random()


def scaled(arch, by=1):
    return len(arch) * by


TWICE = functools.partial(scaled, by=2)


class Weighted:
    """A proxy with a number of its own."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, arch):
        return self.weight * len(arch)


def odd_ones_raise(arch):
    if len(arch) % 2:
        raise ValueError(f"odd:\n{len(arch)}")
    return len(arch)


def hangs_on_long_names(arch):
    if len(arch) > 38:
        time.sleep(600)
    return len(arch)


def dies_on_long_names(arch):
    if len(arch) > 38:
        os._exit(3)
    return len(arch)


def interrupts_on_long_names(arch):
    if len(arch) > 38:
        raise KeyboardInterrupt
    return len(arch)


def sum_of_weights(net, images, labels):
    return sum(parameter.sum() for parameter in net.parameters())


def changes_what_it_gets(net, images, labels):
    """Its answer, and then whatever it can reach is another."""
    import torch

    value = sum_of_weights(net, images, labels).item() + images.sum().item() + labels.sum().item()
    value += torch.rand(1).item() + random.random()
    for parameter in net.parameters():
        parameter.data.zero_()
    net.eval()
    images.zero_()
    labels.zero_()
    torch.set_grad_enabled(False)
    torch.manual_seed(5)
    random.seed(5)
    return value


def needs_gradients(net, images, labels):
    import torch

    loss = torch.nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    torch.set_grad_enabled(False)
    return sum(parameter.grad.abs().sum() for parameter in net.parameters())


def answers(net, images, labels):
    return net.eval()(images).abs().sum().item()


def naswot(net, images, labels):
    """log |det K|, K[i, j] = ReLU units on which images i and j agree."""
    import torch

    on = []
    for module in net.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(lambda _, inputs: on.append(inputs[0].flatten(1) > 0))
    with torch.no_grad():
        net(images)
    on_BU = torch.cat(on, dim=1).float()
    agree_BB = on_BU @ on_BU.T + (1 - on_BU) @ (1 - on_BU).T
    return torch.linalg.slogdet(agree_BB.double()).logabsdet
