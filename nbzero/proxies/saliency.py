"""Proxies that add up what the weights, or gradients for them, amount to at initialisation.

"Weights" are the `weight` of every Conv2d and Linear: no batch norm, no bias. One that the loss does not
reach (an unused head, a backbone under no_grad) has gradient 0, as in the published code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbzero.errors import ProxyError
from nbzero.proxies.lend import without_batch_norm
from nbzero.proxies.passes import generator, gradients, normal, weights_of, wide
from nbzero.proxies.trace import Trace, reads


@reads("weight_grads")
def grad_norm(trace: Trace) -> float:
    """How large the loss gradient of the weights is.

        score = sum over weights W of ||dL/dW||_2

    Args:
        trace: reads `weight_grads`.

    Returns:
        A number >= 0: one norm per weight tensor, then their sum.

    Raises:
        ProxyError: the network has no weights or gives no logits.

    Source: Abdelfattah et al., ICLR 2021, arXiv:2101.08134. Zen-NAS instead takes one norm over all
        parameters.
    """
    norms = [torch.linalg.vector_norm(grad, dtype=torch.float64) for grad in trace.weight_grads]
    return torch.stack(norms).sum().item()


@reads("weight_grads")
def snip(trace: Trace) -> float:
    """How much the loss would change, to first order, if the weights were taken away one by one.

        score = sum over weights W, elements i of |W_i dL/dW_i|

    Args:
        trace: reads `weights`, `weight_grads`.

    Returns:
        A number >= 0.

    Raises:
        ProxyError: the network has no weights or gives no logits.

    Source: Lee et al., ICLR 2019, arXiv:1810.02340; as a proxy Abdelfattah et al., ICLR 2021,
        arXiv:2101.08134. dL/dmask at mask 1 is W dL/dW, so no masks are made. Unlike the pruning method, the
        proxy does not divide by the sum.
    """
    pairs = zip(trace.weights, trace.weight_grads, strict=True)
    sums = [(wide(weight.detach()) * wide(grad)).abs().sum(dtype=torch.float64) for weight, grad in pairs]
    return torch.stack(sums).sum().item()


@reads("weight_grads")
def plain(trace: Trace) -> float:
    """How the loss would change, to first order and with its sign, if every weight were taken away.

        score = sum over weights W, elements i of W_i dL/dW_i

    Args:
        trace: reads `weights`, `weight_grads`.

    Returns:
        A number of either sign. For a layer followed by batch norm the terms add up to 0, so that the
        classifier decides.

    Raises:
        ProxyError: the network has no weights or gives no logits.

    Source: Mozer and Smolensky, NeurIPS 1988; as a proxy Abdelfattah et al., ICLR 2021, arXiv:2101.08134.
    """
    pairs = zip(trace.weights, trace.weight_grads, strict=True)
    sums = [(wide(weight.detach()) * wide(grad)).sum(dtype=torch.float64) for weight, grad in pairs]
    return torch.stack(sums).sum().item()


@reads("curvature")
def grasp(trace: Trace) -> float:
    """How much taking the weights away would change the size of the loss gradient.

        score = -sum over weights W, elements i of W_i h_i,   h = H g,   g = dL/dW,   H the Hessian of L

    Args:
        trace: reads `curvature`, from a backward pass of a backward pass; a kink of ReLU has no curvature.

    Returns:
        A number of either sign.

    Raises:
        ProxyError: the network has no weights or gives no logits.

    Source: Wang et al., ICLR 2020, arXiv:2002.07376; as a proxy Abdelfattah et al., ICLR 2021,
        arXiv:2101.08134:
        one batch, temperature 1.
    """
    return -trace.curvature


@reads("channel_saliency")
def fisher(trace: Trace) -> float:
    """How much the loss would change, to second order, if whole channels were taken away.

        score = sum over layers, channels c of weights per channel * mean over images of t_nc^2 / 2
        t_nc = sum over positions of a dL/da
        a the output of the convolution or linear layer, before batch norm

    Args:
        trace: reads `channel_saliency`.

    Returns:
        A number >= 0. dL/da is of the mean loss, so that the score falls with 1 / B^2.

    Raises:
        ProxyError: no such layer ran, or the network gives no logits.

    Source: Theis et al. 2018, arXiv:1801.05787; Turner et al., ICLR 2020 (BlockSwap); as a proxy Abdelfattah
        et al., ICLR 2021, arXiv:2101.08134, whose code counts a channel once for each of its weights.
        Published scores contain that factor.
    """
    if not trace.channel_saliency:
        raise ProxyError(
            "fisher reads the outputs of Conv2d and Linear layers, "
            "and the loss depends on none in this network"
        )
    return sum(num_weights * saliency for num_weights, saliency in trace.channel_saliency)


@reads()
def pnorm(trace: Trace) -> float:
    """How large the weights are.

        score = sum over weights W of ||W||_2

    Args:
        trace: reads `net`.

    Returns:
        A number >= 0: one norm per weight tensor, then their sum.

    Raises:
        ProxyError: the network has no weights.

    Source: l2_norm of Abdelfattah et al., ICLR 2021, arXiv:2101.08134.
    """
    weights = weights_of(trace.net)
    norms = [torch.linalg.vector_norm(weight.detach(), dtype=torch.float64) for weight in weights]
    return torch.stack(norms).sum().item()


@reads()
def lyrdyniso(trace: Trace) -> float:
    """How far each layer's weights are from keeping lengths.

        score = -sum over weights of ||M M^T - I||_F,   M the weight as (C_out, the rest)

    Args:
        trace: reads `net`.

    Returns:
        A number <= 0; grows in size with C_out, so it mostly measures width.

    Raises:
        ProxyError: the network has no weights.

    Source: Lee et al., ICLR 2020, arXiv:1906.06307; as a proxy Jing et al., arXiv:2507.08841.
    """
    total = 0.0
    for weight in weights_of(trace.net):
        matrix = wide(weight.detach()).flatten(1)
        gram = (matrix @ matrix.T).double()
        gram.diagonal().sub_(1)
        total += torch.linalg.matrix_norm(gram).item()
    return -total


@reads(own_pass=True)
def synflow(trace: Trace) -> float:
    """How much the paths through the network carry, whatever the images.

        score = sum over weights W, elements i of |W_i dR/dW_i|
        R = sum of the network's outputs on an image of ones,
        with every parameter and buffer replaced by its absolute value and every batch norm by the identity

    Args:
        trace: reads `net` (eval mode, so that dropout is off) and the shape of the images.

    Returns:
        A number >= 0, in float64; 1e16 to 1e64 is common. ReLU6 clips nearly every unit here, so that only
        the last layer counts.

    Raises:
        ProxyError: the network has no weights or returns no tensor, the sum leaves the range of float64, or
            it is of rounding alone: weights changed by 1e-14 change it by more than 1e-3.

    Source: Tanaka et al., NeurIPS 2020, arXiv:2006.05467; as a proxy (one pass, no pruning rounds)
        Abdelfattah et al., ICLR 2021, arXiv:2101.08134. Zen-NAS keeps batch norm, redraws the weights and
        returns minus a mean.
    """
    net = trace.net.eval()  # first: a network may freeze weights when its mode is set
    weights = weights_of(net)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.double().abs()  # not in place: a float64 tensor is its own double()
    for weight in weights:
        weight.requires_grad_()
    if not trace.images.is_floating_point():
        raise ProxyError("synflow puts an image of ones into the network, and this one takes tokens")
    ones = torch.ones_like(trace.images[:1], dtype=torch.float64)
    # Forward-only dual numbers take 3.9 ms where this takes 5.5, at 11 M macs. But they need a rule for every
    # operation. Where a network has another (squeeze-and-excitation's product, a functional max-pool) the sum
    # is wrong unnoticed.
    with without_batch_norm(net):
        total, is_sum_of_paths = _flow(net, ones, weights)
        if math.isinf(total):
            raise ProxyError("synflow overflows float64 on this network")
        if not is_sum_of_paths and not math.isnan(total):
            _refuse_rounding(total, net, ones, weights)
    return total


def _flow(net: nn.Module, ones: Tensor, weights: list[nn.Parameter]) -> tuple[float, bool]:
    """The score; and whether all dR/dW are >= 0, as where R is a sum of products over paths."""
    with torch.enable_grad():
        output = net(ones)
        if not isinstance(output, Tensor):
            raise ProxyError(
                f"synflow adds up the network's outputs, and it returned {type(output).__name__}"
            )
        grads = gradients(output.sum(), weights)
    sums = [(weight.detach() * grad).abs_().sum() for weight, grad in zip(weights, grads, strict=True)]
    return torch.stack(sums).sum().item(), not any((grad < 0).any() for grad in grads)


def _refuse_rounding(total: float, net: nn.Module, ones: Tensor, weights: list[nn.Parameter]) -> None:
    """Raise where the score is of rounding alone.

    A sum over paths has no differences, so that its digits are right. A softmax or norm subtracts: between
    values of 1e20, all alike as the image is, rounding may decide which wins.
    """
    draws = generator(0)
    for weight in weights:
        weight.data *= 1 + 1e-14 * normal(weight.shape, draws, weight)
    other, _ = _flow(net, ones, weights)
    if not abs(other - total) <= 1e-3 * total:
        raise ProxyError(
            "synflow of this network is rounding alone, as where a softmax chooses between values of 1e20: "
            f"weights changed by 1e-14 make {other:.3g} of {total:.3g}"
        )
