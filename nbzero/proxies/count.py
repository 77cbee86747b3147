"""Proxies that count: parameters, multiply-adds, blocks. They read neither weights nor images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbzero.errors import ProxyError
from nbzero.proxies.trace import Trace, reads
from nbzero.proxies.watch import Watch


@reads()
def params(trace: Trace) -> float:
    """How many trainable numbers the network has.

        score = sum over parameters of their elements

    Convolution and linear weights and biases, batch norm gamma and beta; a shared parameter once, a frozen
    one too.

    Args:
        trace: reads `net`.

    Returns:
        A whole number >= 0.

    Source: closed form.
    """
    return float(sum(parameter.numel() for parameter in trace.net.parameters()))


@reads(own_pass=True)
def macs(trace: Trace) -> float:
    """Multiply-adds of the convolutions and linear layers for one image.

        score = sum over calls of (elements of the output) * (C_in / groups) * k^2,   k = 1 for a linear layer

    Biases, batch norm, activations, additions and pooling are not counted. Nor is what runs without a Conv2d
    or Linear module, as the products and projections of nn.MultiheadAttention. A layer that runs with a part
    of its weight counts that part. flops = 2 * macs.

    Args:
        trace: reads `net`, in one forward pass (eval mode) over an image of zeros of the images' shape.

    Returns:
        A whole number > 0.

    Raises:
        ProxyError: no such layer ran.

    Source: closed form. VITA-Group/TENAS counts one more per output element where there is a bias.
    """
    total = 0

    def count(_: nn.Module, weights: int, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * weights

    watch = Watch(trace.net.eval(), tell_weighted=count, marks=False)
    with torch.no_grad(), watch:
        trace.net(torch.zeros_like(trace.images[:1]))
    watch.close()
    if total == 0:
        raise ProxyError("macs counts Conv2d and Linear layers, and none ran in this network")
    return float(total)


@reads()
def depth(trace: Trace) -> float:
    """How many blocks the stages have together.

        score = number of blocks whose entry in net.stage_of_block is 1 or more

    Args:
        trace: reads `net.stage_of_block`, one stage per block; the stem is stage 0.

    Returns:
        A whole number >= 0. A head that the network numbers as a further stage counts as a block.

    Raises:
        ProxyError: the network has no stage_of_block.

    Source: our reading of the NAS-Bench-Zero paper, which analyses the depth of each stage and defines no
        total.
    """
    stages = getattr(trace.net, "stage_of_block", None)
    if stages is None:
        raise ProxyError(
            "depth counts the blocks of stages, and this network does not number them (stage_of_block)"
        )
    return float(sum(stage >= 1 for stage in stages))


@reads()
def sed_reconstructed(trace: Trace) -> float:
    """Channels and kernels of the convolutions, by position.

        score = log sum over convolutions of rank(k) sqrt(C_in C_out) / stride
        rank(k): 1 for the smallest kernel size of the network, 2 for the next, ..

    This is our reconstruction of SED, not the published formula. It is this sum for NAS-Bench-201's networks
    too: `nbzero.spaces.sed_of_cell`, a count of a cell's operations, is another reconstruction.

    Args:
        trace: reads `net`. No network is run: entries per channel fall with stride^2, of which SED takes the
            root.

    Returns:
        Natural logarithm. In our spaces `nbzero.spaces.sed_reconstructed` and `sed_of_table` give the same of
        an arch or a table.

    Raises:
        ProxyError: the network has no convolution.

    Source: after Wu et al., arXiv:2411.06236, whose equations are not at hand. Keep it out of comparisons
        with published scores. Its factors for shortcuts and pooling are left out, since blocks of one kind
        share them.
    """
    convs = [module for module in trace.net.modules() if isinstance(module, nn.Conv2d)]
    if not convs:
        raise ProxyError("sed_reconstructed counts convolutions, and this network has none")
    sizes = sorted({math.prod(conv.kernel_size) for conv in convs})
    terms = []
    for conv in convs:
        rank = 1 + sizes.index(math.prod(conv.kernel_size))
        terms.append(rank * math.sqrt(conv.in_channels * conv.out_channels / math.prod(conv.stride)))
    return math.log(sum(terms))
