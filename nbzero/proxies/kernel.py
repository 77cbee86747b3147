"""Proxies that compare images by a B x B matrix over the whole network.

Correlations of responses and gradients, and the tangent kernel. B images, P weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbzero.errors import ProxyError
from nbzero.proxies.passes import check_logits, gradients
from nbzero.proxies.trace import NO_ACTIVATION, Trace, reads


def _log_det(matrices: list[Tensor], name: str, what: str = "responses") -> float:
    """log |det| of a sum; -inf where it is singular."""
    if not matrices:
        raise ProxyError(f"{name} {NO_ACTIVATION} with {what} that differ within each image")
    total_BB = torch.stack(matrices).sum(0)
    scale = total_BB[0, 0]  # all diagonal entries are the sum of the weights
    num_equal = (total_BB >= scale * (1 - 1e-10)).sum()
    if num_equal > len(total_BB):
        return -math.inf  # two images alike: rounding may leave a finite value
    return torch.linalg.slogdet(total_BB).logabsdet.item()


def _all_correlations(trace: Trace) -> list[tuple[int | None, Tensor]]:
    """The correlations of responses, then of gradients, with their blocks."""
    return [*trace.act_corr, *trace.grad_corr]


@reads("act_corr")
def acor(trace: Trace) -> float:
    """How differently the activation layers respond to different images.

        score = log |det sum_i S(A_i)|
        S = |Pearson correlation between images|, A_i the pre-activations of layer i, (B, U_i)

    Args:
        trace: reads `act_corr`.

    Returns:
        Natural logarithm; -inf where two images give the same. Compare at one B only. A layer where some
        image's responses are all equal is left out, as the authors' code does. `Scores.num_skipped` says how
        often.

    Raises:
        ProxyError: no activation module ran.

    Source: Jing et al., arXiv:2507.08841.
    """
    return _log_det([corr for _, corr in trace.act_corr], "acor")


@reads("grad_corr")
def gcor(trace: Trace) -> float:
    """How differently the loss pulls at the activation layers for different images.

        score = log |det sum_i S(G_i)|,   G_i = dL/dA_i; S and A_i as in acor

    Args:
        trace: reads `grad_corr`.

    Returns, raises, source: as acor; also ProxyError where there is no loss.
    """
    return _log_det([corr for _, corr in trace.grad_corr], "gcor", "gradients")


@reads("act_corr", "grad_corr")
def rcor(trace: Trace) -> float:
    """Responses and gradients together.

        score = log |det sum_i (S(A_i) + S(G_i))|,   as in acor and gcor

    Args:
        trace: reads `act_corr`, `grad_corr`.

    Returns, raises, source: as gcor. Every activation module counts, also outside the blocks.
    """
    return _log_det([corr for _, corr in _all_correlations(trace)], "rcor")


def _weighted(trace: Trace, weight_of_block: list[float], name: str) -> float:
    """log |det sum_l w_l sum_{i in block l} (S(A_i) + S(G_i))|; what is in no block is not counted."""
    matrices = [
        weight_of_block[block] * corr for block, corr in _all_correlations(trace) if block is not None
    ]
    return _log_det(matrices, f"{name}, inside the network's blocks,")


@reads("act_corr", "grad_corr")
def wrcor(trace: Trace) -> float:
    """rcor with the weight of a residual block doubling from each to the next.

        score = log |det sum_l 2^l sum_{i in block l} (S(A_i) + S(G_i))|,   l = 0, 1, .. the block

    Args:
        trace: reads `act_corr`, `grad_corr`, `blocks`.

    Returns, raises: as rcor; an activation outside the blocks is not counted.

    Source: Jing et al., arXiv:2507.08841; l from 0 as in kunjing96/ZSNAS-WRCor (the paper's 1 adds B log 2).
    """
    return _weighted(trace, [2.0**i for i in range(len(trace.blocks))], "wrcor")


@reads("act_corr", "grad_corr")
def wrcor_by_stage(trace: Trace) -> float:
    """wrcor with one weight for all blocks of a stage.

        score = log |det sum_l 2^stage(l) sum_{i in block l} (S(A_i) + S(G_i))|

    Args:
        trace: reads `act_corr`, `grad_corr`, `blocks` and `net.stage_of_block`.

    Returns, raises: as wrcor; also ProxyError where the network does not number the stages of its blocks.

    Source: Jing et al., arXiv:2507.08841: what its MobileNetV2 space weights are super blocks.
    """
    stages = getattr(trace.net, "stage_of_block", None)
    if stages is None or len(stages) != len(trace.blocks):
        raise ProxyError(
            "wrcor_by_stage weights the stages, "
            "and this network does not number those of its blocks (stage_of_block)"
        )
    return _weighted(trace, [2.0**stage for stage in stages], "wrcor_by_stage")


@reads("act_corr", "grad_corr")
def wrcor_linear(trace: Trace) -> float:
    """wrcor with the weights 1, 2, 3, ..

        score = log |det sum_l (l + 1) sum_{i in block l} (S(A_i) + S(G_i))|

    Args:
        trace: as wrcor.

    Returns, raises, source: as wrcor; in the paper's table 3 only, not in its code.
    """
    return _weighted(trace, [i + 1.0 for i in range(len(trace.blocks))], "wrcor_linear")


@reads("act_corr", "grad_corr")
def wrcor_quad(trace: Trace) -> float:
    """wrcor with the weights 1, 4, 9, ..

        score = log |det sum_l (l + 1)^2 sum_{i in block l} (S(A_i) + S(G_i))|

    Args:
        trace: as wrcor.

    Returns, raises, source: as wrcor_linear.
    """
    return _weighted(trace, [(i + 1.0) ** 2 for i in range(len(trace.blocks))], "wrcor_quad")


@reads("act_corr", "grad_corr")
def wrcor_expt2b(trace: Trace) -> float:
    """wrcor with the weights from the top down.

        score = log |det sum_l 2^(L - 1 - l) sum_{i in block l} (S(A_i) + S(G_i))|,   L blocks

    Args:
        trace: as wrcor.

    Returns, raises, source: as wrcor_linear.
    """
    return _weighted(trace, [2.0**i for i in reversed(range(len(trace.blocks)))], "wrcor_expt2b")


@reads(own_pass=True)
def ntk(trace: Trace) -> float:
    """Condition number of the neural tangent kernel.

        score = lambda_max / lambda_min of K
        K[n, m] = sum over weights of g_n g_m,   g_n = d sum_c f(x_n)_c / d weights

    over every parameter whose name contains "weight" (batch-norm gamma too, biases not), in train mode. Batch
    norm couples the images, so the score depends on which images are scored together.

    Args:
        trace: reads `net`, `images`; one backward pass per image.

    Returns:
        A number >= 1; lower should be better.

    Raises:
        ProxyError: K is singular, so that the quotient has no meaning, or the network gives no logits. K is
            always singular where the features end in a batch norm without activation (the mb spaces): over
            the batch they add up to a constant.

    Source: Chen et al., ICLR 2021, arXiv:2102.11535 (TE-NAS).
    """
    kernel_BB = _tangent_kernel(trace)
    if not kernel_BB.isfinite().all():
        return math.nan
    low, high = torch.linalg.eigvalsh(kernel_BB)[[0, -1]].tolist()
    if high <= 0:
        raise ProxyError("ntk: no weight moves the output of any image")
    # Rounding of float32 gradients leaves up to 3e-12 where the kernel is singular (100 mb networks). 3,000
    # networks of the other spaces had 1/700 and more.
    if low <= high * 1e-10:
        raise ProxyError(
            f"the tangent kernel is singular (eigenvalues {low:.3g} to {high:.3g}): two images are alike, "
            "or the features end in a batch norm, whose outputs add up to a constant"
        )
    return high / low


def _tangent_kernel(trace: Trace) -> Tensor:
    """(B, B) float64."""
    net, num_images = trace.net.train(), len(trace.images)
    weights: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        if "weight" in name and parameter.is_floating_point():
            parameter.requires_grad_()
            weights.append(parameter)
    if not weights:
        raise ProxyError("ntk reads the gradients of weights, and this network has none")
    rows = []
    with torch.enable_grad():
        outputs_B = check_logits(net(trace.images), num_images).sum(1)
        for output in outputs_B.unbind():
            grads = gradients(output, weights, keep_graph=True)
            rows.append(torch.cat([grad.flatten() for grad in grads]))
    kernel_BB = torch.zeros(num_images, num_images, dtype=torch.float64, device=trace.images.device)
    for part_BP in torch.stack(rows).split(1 << 16, dim=1):
        part = part_BP.double()
        kernel_BB += part @ part.T
    return kernel_BB
