"""Proxies that add up what the weights, or the gradients of the loss or output for them, amount to at initialisation.

"Weights" are the `weight` of every Conv2d and Linear: no batch norm, no bias.
"""

import math

import torch

from builders.proxies.trace import Trace, gradients, reads, weights_of, without_batch_norm
from nbzero.errors import ProxyError


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

    Source: Abdelfattah et al., ICLR 2021, arXiv:2101.08134. Zen-NAS instead takes one norm over all parameters.
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

    Source: Lee et al., ICLR 2019, arXiv:1810.02340; as a proxy Abdelfattah et al., ICLR 2021, arXiv:2101.08134.
        dL/dmask at mask 1 is W dL/dW, so no masks are made; unlike the pruning method, the proxy does not divide by
        the sum.
    """
    pairs = zip(trace.weights, trace.weight_grads, strict=True)
    return torch.stack([(weight.detach() * grad).abs().sum(dtype=torch.float64) for weight, grad in pairs]).sum().item()


@reads(own_pass=True)
def synflow(trace: Trace) -> float:
    """How much the paths through the network carry, whatever the images.

        score = sum over weights W, elements i of |W_i dR/dW_i|,   R = sum of the network's outputs on an image of ones,
        with every parameter and buffer replaced by its absolute value and every batch norm by the identity

    Args:
        trace: reads `net` (eval mode, so that dropout is off) and the shape of the images.

    Returns:
        A number >= 0, in float64; 1e16 to 1e64 is common. ReLU6 clips nearly every unit here, so that only the last
        layer counts.

    Raises:
        ProxyError: the network has no weights, or the sum leaves the range of float64.

    Source: Tanaka et al., NeurIPS 2020, arXiv:2006.05467; as a proxy (one pass, no pruning rounds) Abdelfattah et al.,
        ICLR 2021, arXiv:2101.08134. Zen-NAS keeps batch norm, redraws the weights and returns minus a mean.
    """
    net, weights = trace.net, weights_of(trace.net)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.double().abs_()
    for weight in weights:
        weight.requires_grad_()
    ones = torch.ones_like(trace.images[:1], dtype=torch.float64)
    # Forward-only dual numbers take 3.9 ms where this takes 5.5, at 11 M macs, but need a rule for every operation:
    # where a network has another (squeeze-and-excitation's product, a functional max-pool) the sum is wrong unnoticed.
    with without_batch_norm(net), torch.enable_grad():
        grads = gradients(net.eval()(ones).sum(), weights)
    pairs = zip(weights, grads, strict=True)
    total = torch.stack([(weight.detach() * grad).abs_().sum() for weight, grad in pairs]).sum().item()
    if math.isinf(total):
        raise ProxyError("synflow overflows float64 on this network")
    return total
