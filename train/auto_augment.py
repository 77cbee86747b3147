"""AutoAugment on a whole batch, and the image operations that it is made of.

B images, C channels (red, green, blue) of H rows and W columns; N images that get one operation. Every
function works on the whole batch, on the device where the images are, and never writes into its input.

Random numbers come from the CPU generator handed in and are then moved to the device. What follows is integer
arithmetic, or floating point in steps that IEEE 754 fixes: no sums of rounded terms, no fused multiply-add,
no division by a scalar (CUDA turns it into a product). So the same draws give the same result on every
device.

The operations equal Pillow's, byte for byte; `affine` says where it may not. Pillow's own code (ImageOps,
ImageEnhance, Blend.c, Filter.c, Geometry.c) is the definition they follow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nbzero.errors import UsageError
from nbzero.images.tensors import check_images
from train.augment import gather_pixels

Operation = tuple[str, float, int]  # name, probability, magnitude 0-9

AUTOAUGMENT_CIFAR10: tuple[tuple[Operation, Operation], ...] = (
    (("Invert", 0.1, 7), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, 8), ("Equalize", 0.9, 2)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, 5), ("Equalize", 0.5, 1)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, 7), ("AutoContrast", 0.4, 8)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, 3)),
    (("Equalize", 0.2, 0), ("AutoContrast", 0.6, 0)),
    (("Equalize", 0.2, 8), ("Equalize", 0.6, 4)),
    (("Color", 0.9, 9), ("Equalize", 0.6, 6)),
    (("AutoContrast", 0.8, 4), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, 3)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, 2), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, 8), ("Invert", 0.1, 3)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, 1)),
)
"""The 25 sub-policies found on CIFAR-10: two operations each, the first applied before the second.

Source: Cubuk et al., AutoAugment, CVPR 2019, arXiv:1805.09501, appendix.
"""


class SubPolicyDraws(NamedTuple):
    """Everything random about AutoAugment on one batch, as CPU tensors.

    Attributes:
        policy_B: int64, row of `AUTOAUGMENT_CIFAR10`.
        applied_B2: bool, whether the first and the second operation are applied.
        negative_B2: bool, whether their magnitude is negative; drawn for every operation, read by the signed
            ones.
    """

    policy_B: Tensor
    applied_B2: Tensor
    negative_B2: Tensor


def auto_augment(images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """AutoAugment with the CIFAR-10 policy: for each image one of the 25 sub-policies, drawn uniformly.

    With m the magnitude, 0-9, and s = +1 or -1 with probability 1/2 each:

    | operation | argument |
    |---|---|
    | ShearX, ShearY | x (or y) is read at x + 0.3 s m/9 y, about the upper left corner |
    | TranslateX, TranslateY | x (or y) is read 150/331 s m/9 of the width (or height) further |
    | Rotate | 30 s m/9 degrees about the centre |
    | Color, Contrast, Brightness, Sharpness | factor 1 + 0.9 s m/9 |
    | Posterize | 8 - round(4 m/9) bits |
    | Solarize | threshold 256 (1 - m/9) |
    | AutoContrast, Equalize, Invert | none: m is not used |

    Geometric operations take the nearest pixel and fill with grey 128.

    Args:
        images_BCHW: uint8 (B, 3, H, W).
        generator: CPU; see `draw_sub_policies`.

    Returns:
        uint8 (B, 3, H, W).

    Raises:
        UsageError: other images.

    Source: Cubuk et al., CVPR 2019, arXiv:1805.09501; ranges of its table of operations. The public
        implementations differ, so these are choices (the authors' TensorFlow code in brackets):

        magnitudes      ten, 0 to 9, evenly over the range (divided by 10)
        enhancements    all four have random signs (factor 0.1 + 1.8 m/10, no sign)
        posterising     to 8 .. 4 bits (4 .. 0)
        translation     scaled to the image as 150 to 331 pixels, rounded by the nearest sampling, not
                        truncated (up to 10 pixels of 32)
        fill            grey 128 (the mean colour)
    """
    check_images(images_BCHW)
    return apply_sub_policies(images_BCHW, draw_sub_policies(len(images_BCHW), generator))


def draw_sub_policies(num_images: int, generator: torch.Generator) -> SubPolicyDraws:
    """The draws of `auto_augment`, always five numbers an image: the row, two applications, two signs."""
    policy_B = torch.randint(0, len(AUTOAUGMENT_CIFAR10), (num_images,), generator=generator)
    probability_P2 = torch.tensor(
        [[probability for _, probability, _ in pair] for pair in AUTOAUGMENT_CIFAR10]
    )
    applied_B2 = torch.rand(num_images, 2, generator=generator) < probability_P2[policy_B]
    negative_B2 = torch.randint(0, 2, (num_images, 2), generator=generator) == 1
    return SubPolicyDraws(policy_B, applied_B2, negative_B2)


def apply_sub_policies(images_BCHW: Tensor, draws: SubPolicyDraws) -> Tensor:
    """`auto_augment` with given draws.

    Each first operation is called once, on all images that get it, then each second one. An image's result
    depends on the image and its own draws alone.

    Raises:
        UsageError: other images, or draws for another number of them.
    """
    check_images(images_BCHW)
    if len(draws.policy_B) != len(images_BCHW):
        raise UsageError(
            f"draws: for {len(draws.policy_B)} images; allowed are draws for the {len(images_BCHW)} given"
        )
    out_BCHW = images_BCHW.clone()
    for step in range(2):
        magnitude_P = torch.tensor([pair[step][2] for pair in AUTOAUGMENT_CIFAR10], dtype=torch.float64)
        fraction_B = magnitude_P[draws.policy_B] / 9
        sign_B = 1.0 - 2.0 * draws.negative_B2[:, step].double()
        for name in sorted({pair[step][0] for pair in AUTOAUGMENT_CIFAR10}):
            named_P = torch.tensor([pair[step][0] == name for pair in AUTOAUGMENT_CIFAR10])
            bucket_N = (named_P[draws.policy_B] & draws.applied_B2[:, step]).nonzero().squeeze(1)
            if len(bucket_N):
                on_device_N = bucket_N.to(images_BCHW.device)
                result_NCHW = _operate(name, out_BCHW[on_device_N], fraction_B[bucket_N], sign_B[bucket_N])
                out_BCHW.index_copy_(0, on_device_N, result_NCHW)
    return out_BCHW


def _operate(name: str, images_NCHW: Tensor, fraction_N: Tensor, sign_N: Tensor) -> Tensor:
    """One operation of AutoAugment; fraction_N is m/9, sign_N is s, both float64 on the CPU."""
    height, width = images_NCHW.shape[2:]
    signed_N = sign_N * fraction_N
    matrices: list[tuple[float, ...]]
    match name:
        case "ShearX":
            matrices = [(1, 0.3 * amount, 0, 0, 1, 0) for amount in signed_N.tolist()]
        case "ShearY":
            matrices = [(1, 0, 0, 0.3 * amount, 1, 0) for amount in signed_N.tolist()]
        case "TranslateX":
            matrices = [(1, 0, 150 / 331 * amount * width, 0, 1, 0) for amount in signed_N.tolist()]
        case "TranslateY":
            matrices = [(1, 0, 0, 0, 1, 150 / 331 * amount * height) for amount in signed_N.tolist()]
        case "Rotate":
            matrices = [rotation(30 * amount, height, width) for amount in signed_N.tolist()]
        case "Color":
            return color(images_NCHW, 1 + 0.9 * signed_N)
        case "Contrast":
            return contrast(images_NCHW, 1 + 0.9 * signed_N)
        case "Brightness":
            return brightness(images_NCHW, 1 + 0.9 * signed_N)
        case "Sharpness":
            return sharpness(images_NCHW, 1 + 0.9 * signed_N)
        case "Posterize":
            return posterize(images_NCHW, 8 - (4 * fraction_N).round().long())
        case "Solarize":
            return solarize(images_NCHW, 256 - 256 * fraction_N)
        case "AutoContrast":
            return autocontrast(images_NCHW)
        case "Equalize":
            return equalize(images_NCHW)
        case "Invert":
            return invert(images_NCHW)
        case _:
            raise AssertionError(f"AUTOAUGMENT_CIFAR10 names {name!r}, which is no operation")
    return affine(images_NCHW, torch.tensor(matrices, dtype=torch.float64))


def invert(images_BCHW: Tensor) -> Tensor:
    """255 - v for every value v, as PIL.ImageOps.invert.

    uint8 (B, 3, H, W) in and out; UsageError for other images.
    """
    check_images(images_BCHW)
    return ~images_BCHW


def solarize(images_BCHW: Tensor, threshold: float | Tensor) -> Tensor:
    """255 - v where v >= threshold, else v, as PIL.ImageOps.solarize.

    Args:
        images_BCHW: uint8 (B, 3, H, W).
        threshold: 0 inverts all, 256 nothing; one number or a (B,) tensor, compared as float32.

    Returns:
        uint8 (B, 3, H, W).

    Raises:
        UsageError: other images or another number of thresholds.
    """
    check_images(images_BCHW)
    below_BCHW = images_BCHW < _per_image("threshold", threshold, images_BCHW, torch.float32)
    return torch.where(below_BCHW, images_BCHW, ~images_BCHW)


def posterize(images_BCHW: Tensor, bits: int | Tensor) -> Tensor:
    """Every value with all but its highest bits set to zero, as PIL.ImageOps.posterize.

    Args:
        images_BCHW: uint8 (B, 3, H, W).
        bits: how many bits are kept, 1 to 8; one number or an integer (B,) tensor.

    Returns:
        uint8 (B, 3, H, W).

    Raises:
        UsageError: other images, another number of bits, or bits outside 1 .. 8.
    """
    check_images(images_BCHW)
    bits = torch.as_tensor(bits)
    if ((bits < 1) | (bits > 8)).any():
        raise UsageError(f"bits: {bits.tolist()} given; allowed are 1 to 8")
    return torch.bitwise_and(images_BCHW, _per_image("bits", 256 - 2 ** (8 - bits), images_BCHW, torch.uint8))


def autocontrast(images_BCHW: Tensor) -> Tensor:
    """Each channel of each image stretched linearly to 0 .. 255, as PIL.ImageOps.autocontrast without cutoff.

        out = int(v * scale - lo * scale),   scale = 255 / (hi - lo);   v where hi = lo

    lo and hi are the channel's extremes. uint8 (B, 3, H, W) in and out; UsageError for other images.
    """
    check_images(images_BCHW)
    low_BC1 = images_BCHW.amin((2, 3)).double().unsqueeze(2)
    span_BC1 = images_BCHW.amax((2, 3)).double().unsqueeze(2) - low_BC1
    # tensor / tensor: 255 / tensor would be the rounded reciprocal times 255, another number for 54 of 255
    # spans
    scale_BC1 = torch.full_like(span_BC1, 255) / span_BC1.clamp_min(1)
    values_V = torch.arange(256, dtype=torch.float64, device=images_BCHW.device)
    stretched_BCV = (values_V * scale_BC1 - low_BC1 * scale_BC1).clamp_(0, 255)
    return _look_up(torch.where(span_BC1 > 0, stretched_BCV, values_V).to(torch.uint8), images_BCHW)


def equalize(images_BCHW: Tensor) -> Tensor:
    """Each channel of each image mapped through its cumulative histogram, as PIL.ImageOps.equalize.

        out = min(255, (step // 2 + number of pixels below v) // step)
        step = (H W - pixels at the maximum) // 255

    and v itself where step is 0, as in a 16 x 16 channel with more than one pixel at its maximum.
    uint8 (B, 3, H, W) in and out; UsageError for other images.
    """
    check_images(images_BCHW)
    values_BCS = images_BCHW.flatten(2).long()
    counts_BCV = values_BCS.new_zeros(*values_BCS.shape[:2], 256)
    counts_BCV.scatter_add_(2, values_BCS, torch.ones_like(values_BCS))
    at_maximum_BC1 = counts_BCV.gather(2, values_BCS.amax(2, keepdim=True))
    step_BC1 = (values_BCS.shape[2] - at_maximum_BC1) // 255
    below_BCV = counts_BCV.cumsum(2) - counts_BCV
    mapped_BCV = ((step_BC1 // 2 + below_BCV) // step_BC1.clamp_min(1)).clamp_max_(255)
    values_V = torch.arange(256, device=images_BCHW.device)
    return _look_up(torch.where(step_BC1 > 0, mapped_BCV, values_V).to(torch.uint8), images_BCHW)


def brightness(images_BCHW: Tensor, factor: float | Tensor) -> Tensor:
    """Black blended with the image, as PIL.ImageEnhance.Brightness: 0 is black, 1 the image. See `_blend`."""
    check_images(images_BCHW)
    return _blend(torch.zeros((), device=images_BCHW.device), images_BCHW, factor)


def contrast(images_BCHW: Tensor, factor: float | Tensor) -> Tensor:
    """The image's mean grey blended with it, as PIL.ImageEnhance.Contrast: 0 is grey, 1 the image.

    See `_blend`. The mean is that of the luma (`_luma`), rounded half up to an integer.
    """
    check_images(images_BCHW)
    num_pixels = images_BCHW.shape[2] * images_BCHW.shape[3]
    total_B111 = _luma(images_BCHW).sum((1, 2, 3), keepdim=True)
    return _blend((2 * total_B111 + num_pixels) // (2 * num_pixels), images_BCHW, factor)


def color(images_BCHW: Tensor, factor: float | Tensor) -> Tensor:
    """The image's luma blended with it, as PIL.ImageEnhance.Color: 0 is black and white, 1 the image.

    See `_blend`.
    """
    check_images(images_BCHW)
    return _blend(_luma(images_BCHW), images_BCHW, factor)


def sharpness(images_BCHW: Tensor, factor: float | Tensor) -> Tensor:
    """The smoothed image blended with it, as PIL.ImageEnhance.Sharpness: 0 is smooth, 1 the image.

    See `_blend`. Smooth is (the sum of the 3 x 3 pixels around + 4 times the pixel) / 13, rounded. The
    outermost pixels stay.
    """
    check_images(images_BCHW)
    smooth_BCHW = images_BCHW.float()
    if min(images_BCHW.shape[2:]) > 2:
        rows_BCHX = smooth_BCHW[..., :-2] + smooth_BCHW[..., 1:-1] + smooth_BCHW[..., 2:]
        sum_BCYX = rows_BCHX[:, :, :-2] + rows_BCHX[:, :, 1:-1] + rows_BCHX[:, :, 2:]
        sum_BCYX += 4 * smooth_BCHW[:, :, 1:-1, 1:-1]
        # sum / 13 + 0.5 is never nearer than 1/26 to an integer, so float32 rounding cannot change the result
        smooth_BCHW[:, :, 1:-1, 1:-1] = (sum_BCYX * (1 / 13) + 0.5).floor_()
    return _blend(smooth_BCHW, images_BCHW, factor)


def affine(images_BCHW: Tensor, matrices: Tensor, fill: int = 128) -> Tensor:
    """Each output pixel read from where its matrix says, as PIL's transform(AFFINE, NEAREST, fillcolor).

        out[y, x] = in[floor y', floor x']
        (x', y') = (a (x + 1/2) + b (y + 1/2) + c, d (x + 1/2) + e (y + 1/2) + f)

    in 16.16 fixed point: b, d, the starting point and so on are rounded to 1/65536 pixel first.

    Args:
        images_BCHW: uint8 (B, 3, H, W).
        matrices: (a, b, c, d, e, f) from output to input pixels; (6,) for all images or (B, 6); float64 on
            the CPU.
        fill: value of the pixels read from outside the image.

    Returns:
        uint8 (B, 3, H, W). Equal to Pillow in every pixel where b or d is not 0 and coordinates stay under
        32,768. Otherwise Pillow adds up unrounded numbers, and pixels read within W/65536 of a pixel's edge
        may differ.

    Raises:
        UsageError: other images or matrices of another shape.
    """
    check_images(images_BCHW)
    num_images, _, height, width = images_BCHW.shape
    if matrices.shape not in ((6,), (num_images, 6)):
        raise UsageError(
            f"matrices: shape {tuple(matrices.shape)} given; allowed are (6,) and ({num_images}, 6)"
        )
    a_B, b_B, c_B, d_B, e_B, f_B = matrices.double().expand(num_images, 6).unbind(1)
    start_x_B, start_y_B = c_B + a_B * 0.5 + b_B * 0.5, f_B + d_B * 0.5 + e_B * 0.5
    coefficients_6B = torch.stack([a_B, b_B, start_x_B, d_B, e_B, start_y_B])
    fixed_6B = torch.floor(coefficients_6B * 65536 + 0.5).long().to(images_BCHW.device)
    ax, bx, x0, dy, ey, y0 = fixed_6B.view(6, num_images, 1, 1)
    y_H1 = torch.arange(height, device=images_BCHW.device).unsqueeze(1)
    x_W = torch.arange(width, device=images_BCHW.device)
    column_BHW = (x0 + bx * y_H1 + ax * x_W) >> 16
    row_BHW = (y0 + ey * y_H1 + dy * x_W) >> 16
    inside_BHW = (column_BHW >= 0) & (column_BHW < width) & (row_BHW >= 0) & (row_BHW < height)
    read_BCHW = gather_pixels(images_BCHW, torch.where(inside_BHW, row_BHW * width + column_BHW, 0))
    return torch.where(inside_BHW.unsqueeze(1), read_BCHW, torch.full_like(read_BCHW[:1, :1, :1, :1], fill))


def rotation(degrees: float, height: int, width: int) -> tuple[float, float, float, float, float, float]:
    """The `affine` matrix that turns an image counter-clockwise about its centre, rounded as by PIL's rotate.

    >>> rotation(90, height=4, width=4)
    (0.0, -1.0, 4.0, 1.0, 0.0, 0.0)
    """
    radians = -math.radians(degrees)
    cos, sin = round(math.cos(radians), 15), round(math.sin(radians), 15)
    x, y = width / 2, height / 2
    return cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y


def _blend(degenerate: Tensor, images_BCHW: Tensor, factor: float | Tensor) -> Tensor:
    """degenerate + factor (image - degenerate) in float32, cut to 0 .. 255 and truncated, as PIL.Image.blend.

    Args:
        degenerate: grey values 0 .. 255 that broadcast to the images.
        images_BCHW: uint8 (B, 3, H, W).
        factor: one number or a (B,) tensor; above 1 it exaggerates. UsageError for another number of factors.
    """
    factor_B111 = _per_image("factor", factor, images_BCHW, torch.float32)
    degenerate = degenerate.float()
    difference_BCHW = images_BCHW.float() - degenerate
    return difference_BCHW.mul_(factor_B111).add_(degenerate).clamp_(0, 255).to(torch.uint8)


def _luma(images_BCHW: Tensor) -> Tensor:
    """ITU-R 601 grey, (19595 R + 38470 G + 7471 B + 2**15) >> 16, as PIL's convert("L").

    int32 (B, 1, H, W).
    """
    values_BCHW = images_BCHW.int()
    red, green, blue = values_BCHW[:, 0:1], values_BCHW[:, 1:2], values_BCHW[:, 2:3]
    return (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16


def _look_up(table_BCV: Tensor, images_BCHW: Tensor) -> Tensor:
    """out[b, c, h, w] = table[b, c, images[b, c, h, w]], 256 values V a channel."""
    return table_BCV.gather(2, images_BCHW.flatten(2).long()).view(images_BCHW.shape)


def _per_image(name: str, value: float | Tensor, images_BCHW: Tensor, dtype: torch.dtype) -> Tensor:
    """One number, or one per image, as a (B or 1, 1, 1, 1) tensor on the images' device."""
    tensor = torch.as_tensor(value, dtype=dtype)
    if tensor.shape not in ((), (len(images_BCHW),)):
        allowed = f"one number and shape ({len(images_BCHW)},), one per image"
        raise UsageError(f"{name}: shape {tuple(tensor.shape)} given; allowed are {allowed}")
    return tensor.to(images_BCHW.device).view(-1, 1, 1, 1)
