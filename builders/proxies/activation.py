"""Proxies that read the activations: how the images switch ReLUs, and how far the features move."""

import math

import torch
from torch import nn

from builders.proxies.trace import WEIGHTED, Trace, features_of, reads, weights_of
from nbzero.errors import ProxyError
from nbzero.proxies import PROXIES


@reads("agree_BB")
def naswot(trace: Trace) -> float:
    """How differently the images switch the ReLUs on and off (NASWOT).

        score = log |det K|,   K[i, j] = number of ReLU units on which images i and j agree

    Args:
        trace: reads `agree_BB`. Labels are not used.

    Returns:
        Natural logarithm; -inf where K is singular, as when two images agree on every unit. Compare at one B only.

    Raises:
        ProxyError: no ReLU or ReLU6 module ran; a functional relu is not seen.

    Source: Mellor et al., ICML 2021, arXiv:2006.04647.
    """
    num_units = trace.agree_BB[0, 0]
    if num_units == 0:
        raise ProxyError("naswot counts the units of ReLU and ReLU6 modules, and this network has none")
    if (trace.agree_BB == num_units).sum() > len(trace.agree_BB):
        return -math.inf  # two equal rows: rounding in the elimination may leave a finite value
    return torch.linalg.slogdet(trace.agree_BB).logabsdet.item()


@reads(own_pass=True)
def zen(trace: Trace) -> float:
    """How far a little noise on the input moves the features, with the scale that batch norm took out (Zen-NAS).

        score = log D + sum over batch norms of log sqrt(mean over channels of running_var)
        D = mean over images of sum |features(e) - features(e + 0.01 e')|,   e, e' ~ N(0, 1)

    with convolution and linear weights drawn from N(0, 1), biases 0, gamma 1, beta 0. running_var is read after both
    train-mode passes: a moving average that started at 1 (with PyTorch's momentum 0.81 + 0.09 v1 + 0.1 v2, v1 and v2
    the batch variances), not the batch variance of the paper.

    Args:
        trace: reads `net`, the shape of the images, and `seed`, from which e, e' and the weights are drawn in this
            order, so that one seed's noise is the same for all networks.

    Returns:
        Natural logarithm. Shortcuts are kept, where the search of Zen-NAS scores networks without them.

    Raises:
        ProxyError: the network has no weights or no known features, a batch norm keeps no running variance, or D is 0.

    Source: Lin et al., ICCV 2021, arXiv:2102.01063, as in idstcv/ZenNAS, whose networks set batch norm's eps to 1e-3;
        here eps and momentum are the network's own.
    """
    net, images = trace.net, trace.images
    draws = torch.Generator().manual_seed(trace.seed)

    def gaussian(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws).to(images)

    noise = gaussian(PROXIES["zen"].noise_images, *images.shape[1:])
    near = noise + 0.01 * gaussian(*noise.shape)
    for weight in weights_of(net):
        weight.data = gaussian(*weight.shape)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in net.modules():
        if isinstance(module, (*WEIGHTED, nn.BatchNorm2d)) and module.bias is not None:
            module.bias.data = torch.zeros_like(module.bias)
    for norm in norms:
        if norm.running_var is None:
            raise ProxyError("zen reads batch norm's running variance, and a layer of this network keeps none")
        norm.reset_running_stats()
        if norm.weight is not None:
            norm.weight.data = torch.ones_like(norm.weight)
    net.train()
    with torch.no_grad():
        change = features_of(net, noise) - features_of(net, near)
    moved = change.abs().sum(dtype=torch.float64).item() / len(noise)
    if moved == 0:
        raise ProxyError("zen: noise on the input does not move the features of this network")
    return math.log(moved) + sum(norm.running_var.mean(dtype=torch.float64).log().item() for norm in norms) / 2
