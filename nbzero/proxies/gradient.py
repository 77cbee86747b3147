"""Proxies that read gradients image by image: for the image itself (the Jacobian), or for the weights.

The Jacobian J is (B, pixels): d sum(logits of all images) / d image n in row n. In train mode batch norm
couples the images. Where the features end in a batch norm without activation (the mb spaces) they add up to a
constant over the batch, so that J is 0 but for rounding. There netsens is 1e-8 in float32 and 1e-16 in
float64, and jacob_cov and epe_nas are, as in the published code, of the rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbzero.errors import ProxyError
from nbzero.proxies.passes import check_logits, gradients, input_gradients, loss_of, weights_of, wide
from nbzero.proxies.trace import Trace, reads


def _pearson(rows: Tensor) -> Tensor:
    """Correlation of the rows in float64; ProxyError for a constant row, which has none."""
    if (rows.amax(1) == rows.amin(1)).any():
        raise ProxyError(
            "an image's gradient is the same at every pixel, as where it has no influence on the output, "
            "and correlates with none"
        )
    rows = rows.double()
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return (rows @ rows.T).clamp(-1, 1)


@reads("input_grads")
def jacob_cov(trace: Trace) -> float:
    """How differently the images pull at the output.

        score = -sum over eigenvalues v of R of log(v + k) + 1 / (v + k)
        R = Pearson correlation of the rows of J, k = 1e-5

    Args:
        trace: reads `input_grads`.

    Returns:
        About -B for a healthy network: compare score + B. Two equal images give -100,020.

    Raises:
        ProxyError: an image has no influence on the output; or tokens, which have no gradient.

    Source: Mellor et al. 2020, arXiv:2006.04647v1; as a proxy Abdelfattah et al., ICLR 2021,
        arXiv:2101.08134. They take the eigenvalues of a general matrix, which may turn out complex or
        negative; here of a symmetric one, not below 0.
    """
    corr_BB = _pearson(trace.input_grads)
    if corr_BB.isnan().any():
        return math.nan
    shifted = torch.linalg.eigvalsh(corr_BB).clamp(min=0) + 1e-5
    return -(shifted.log() + 1 / shifted).sum().item()


@reads("input_grads")
def epe_nas(trace: Trace) -> float:
    """How differently images of one class pull at the output.

        e_c = sum over pairs of images of class c of log(|R_c| + 1e-5)
        R_c = Pearson correlation of their rows of J
        score, up to 100 outputs = sum over the classes present of |e_c|
        score, above = sum over pairs of classes of |e_c / B_c - e_d / B_d| / number of classes counted

    Args:
        trace: reads `input_grads`, `labels`, `num_classes`.

    Returns:
        A number >= 0. A class with one image adds practically nothing, and is not counted above 100 outputs.

    Raises:
        ProxyError: as jacob_cov.

    Source: Lopes et al., ICANN 2021, arXiv:2102.08099. Its code calls the first form whatever the data;
        automl/NASLib goes by the outputs.
    """
    if trace.num_classes > 100:
        return _epe_by_pairs(trace)
    entropies = []
    for label in trace.labels.unique():
        entropies.append(_class_entropy(trace.input_grads[trace.labels == label]))
    return torch.stack(entropies).abs().sum().item()


def _epe_by_pairs(trace: Trace) -> float:
    entropies = []
    for label in trace.labels.unique():
        members = trace.input_grads[trace.labels == label]
        if len(members) > 1:
            entropies.append(_class_entropy(members) / len(members))
    if not entropies:
        raise ProxyError("epe_nas compares images of one class, and no class has two; give more images")
    e_C = torch.stack(entropies)
    return ((e_C[:, None] - e_C[None, :]).abs().sum() / len(e_C)).item()


def _class_entropy(rows: Tensor) -> Tensor:
    return (_pearson(rows).abs() + 1e-5).log().sum()


@reads("input_grads")
def netsens(trace: Trace) -> float:
    """How sensitive the output is to the pixels.

        score = mean over images and pixels of |J|

    Args:
        trace: reads `input_grads`.

    Returns:
        A number >= 0, as coded: higher counts as better.

    Raises:
        ProxyError: as jacob_cov.

    Source: Jing et al., arXiv:2507.08841, which calls it the l1 norm of the Jacobian.
    """
    return trace.input_grads.abs().mean(dtype=torch.float64).item()


@reads(own_pass=True)
def dyniso(trace: Trace) -> float:
    """How near the singular values of the logits' Jacobian are to 1 (dynamical isometry).

        score = -mean over images n of s_n + exp(-s_n),   s_n = mean over the C singular values of log sigma_i
        of the (C, pixels) matrix d logits of image n / d images, summed over the images of the batch

    Args:
        trace: reads `net`, `images`; B * C backward passes.

    Returns:
        At most -1, where the geometric mean of the singular values is 1; -inf where a singular value is 0, as
        with fewer features than classes.

    Raises:
        ProxyError: as jacob_cov.

    Source: Lee et al., ICLR 2020, arXiv:1906.06307; as a proxy Jing et al., arXiv:2507.08841.
    """
    net = trace.net.train()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    if not trace.images.is_floating_point():
        raise ProxyError("dyniso needs the gradient for the images, and tokens have none")
    images = trace.images.detach().requires_grad_()
    means = []
    with torch.enable_grad():
        logits_BC = check_logits(net(images.clone()), len(images))
        for logits_C in logits_BC.unbind():
            rows = [input_gradients(logit, images).sum(0).flatten() for logit in logits_C.unbind()]
            jacobian_CP = torch.stack(rows)
            if not jacobian_CP.isfinite().all():
                return math.nan
            sigma_C = torch.linalg.svdvals(jacobian_CP.double())
            # At most what rounding leaves of a singular matrix, or no influence at all.
            if sigma_C[-1] <= 8 * torch.finfo(jacobian_CP.dtype).eps * sigma_C[0]:
                return -math.inf
            means.append(sigma_C.log().mean().item())
    return -sum(s + math.exp(-s) for s in means) / len(means)


@reads(own_pass=True)
def zico(trace: Trace, num_batches: int = 2) -> float:
    """How large the loss gradient of the weights is, beside how much it varies from one batch to another.

        score = sum over weight tensors of log(sum over elements with s > 0 of m / s)
        m = mean over the batches of |dL/dW|,   s = standard deviation of dL/dW over them

    The batches are successive parts of the images: their order matters. A tensor whose sum is 0 is left out.

    Args:
        trace: reads `net`, `images`, `labels`.
        num_batches: stored scores are of two batches, the first and second half of the images. Then s is
            |g_1 - g_2| / 2.

    Returns:
        Natural logarithm. With two batches m / s has a heavy tail: float32 and float64 may differ by 0.5 %.

    Raises:
        ProxyError: fewer than two images, no weights, no logits, or no weight whose gradient varies.

    Source: Li et al., ICLR 2023, arXiv:2301.11300, whose code takes two batches where the paper writes
        samples.
    """
    if len(trace.images) < 2:
        raise ProxyError("zico compares the gradients of two halves of the images, and there is one image")
    net = trace.net.train()
    weights = weights_of(net)
    for weight in weights:
        weight.requires_grad_()
    batches = zip(trace.images.chunk(num_batches), trace.labels.chunk(num_batches), strict=True)
    with torch.enable_grad():
        grads = [gradients(loss_of(net(images), labels), weights) for images, labels in batches]
    total, varied = 0.0, False
    for parts in zip(*grads, strict=True):
        if any(part.isnan().any() for part in parts):
            return math.nan
        mean, deviation = _mean_and_deviation(parts)
        ratio = torch.where(deviation > 0, mean / deviation, 0).sum(dtype=torch.float64).item()
        if ratio != 0:
            total, varied = total + math.log(ratio), True
    if not varied:
        raise ProxyError("zico: no weight has a gradient that differs between the two halves of the images")
    return total


def _mean_and_deviation(parts: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """m and s of `zico`, of one weight's gradients."""
    parts = tuple(wide(part) for part in parts)
    if len(parts) == 2:
        first, second = parts
        return (first.abs() + second.abs()) / 2, (first - second).abs() / 2
    stacked = torch.stack(parts)
    return stacked.abs().mean(0), stacked.std(0, correction=0)


@reads(own_pass=True)
def gradsign(trace: Trace) -> float:
    """On how many weights the images agree which way to go.

        score = sum over weights of |sum over images n of sign(dL_n/dW)|

    Every image alone in train mode, so that batch norm takes its statistics over the pixels of one image. A
    gradient that is 0 but for rounding counts by its sign, as in attention over a single token.

    Args:
        trace: reads `net`, `images`, `labels`; one forward and backward pass per image.

    Returns:
        A whole number >= 0, at most B times the number of weights.

    Raises:
        ProxyError: a batch norm sees a single value per channel, or the network has no weights or gives no
            logits.

    Source: Zhang and Jia, ICLR 2022, arXiv:2110.08616; its repository also has the mean over weights, which
        ranks differently.
    """
    net = trace.net.train()
    weights = weights_of(net)
    for weight in weights:
        weight.requires_grad_()
    signs = [torch.zeros_like(weight, dtype=torch.int32) for weight in weights]
    with torch.enable_grad():
        for image, label in zip(trace.images.split(1), trace.labels.split(1), strict=True):
            grads = gradients(loss_of(net(image), label), weights)
            for total, grad in zip(signs, grads, strict=True):
                if grad.isnan().any():
                    return math.nan
                total += grad.sign().int()
    return float(sum(total.abs().sum().item() for total in signs))
