"""The networks of NAS-Bench-Macro: a stem, three stages of 2, 3 and 3 layers, a 1x1 head.

Blocks are the stem, every layer but the identities that change nothing, and the head, which is a stage of
its own. `depth` therefore counts the head, and the 1x1 convolution that an identity becomes where the shape
changes. The archs table counts neither.

Source: Su et al., CVPR 2021, arXiv:2103.11922.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from nbzero.networks.macro import InvertedResidual, conv_bn
from nbzero.networks.network import Network
from nbzero.spaces.nbmacro import HEAD, MACRO_STAGES, RATIO_AND_KERNEL

STEM = 32  # channels


def inverted_residual(width: int, out: int, ratio: int, kernel: int, stride: int) -> InvertedResidual:
    """1x1 to `ratio` times the width, a depthwise convolution with the stride, linear 1x1. With ReLU."""
    hidden = ratio * width
    body = nn.Sequential(
        *conv_bn(width, hidden, 1),
        nn.ReLU(),
        *conv_bn(hidden, hidden, kernel, stride, hidden),
        nn.ReLU(),
        *conv_bn(hidden, out, 1),
    )
    return InvertedResidual(body, width, out, stride)


def layer(kind: int, width: int, out: int, stride: int) -> nn.Module | None:
    """The module of one layer; None for an identity that changes nothing."""
    if kind in RATIO_AND_KERNEL:
        return inverted_residual(width, out, *RATIO_AND_KERNEL[kind], stride)
    if stride == 1 and width == out:
        return None
    return nn.Sequential(*conv_bn(width, out, 1, stride))


def layers_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of an arch, its weights not yet drawn.

    Args:
        values: the kinds of the eight layers, numbers in `LAYER_KINDS`.
    """
    kinds = iter(values)
    width = STEM
    blocks: list[nn.Module] = [nn.Sequential(*conv_bn(3, STEM, 3), nn.ReLU())]
    stage_of_block = [0]
    for stage, num_layers in enumerate(MACRO_STAGES, start=1):
        out, stride = 2 * width, 2
        for _ in range(num_layers):
            block = layer(next(kinds), width, out, stride)
            if block is not None:
                blocks.append(block)
                stage_of_block.append(stage)
            width, stride = out, 1
    blocks.append(nn.Sequential(*conv_bn(width, HEAD, 1), nn.ReLU()))
    return Network(blocks, [*stage_of_block, len(MACRO_STAGES) + 1], HEAD, num_classes)
