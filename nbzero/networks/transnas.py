"""The networks of TransNAS-Bench-101: a stem, four to six modules of two blocks each, a linear classifier.

    stem    3x3 convolution of stride 2 to 32 channels, batch norm, ReLU, again to 64 channels, batch norm

A module is of one of four kinds (`MODULE_KINDS`): its first block doubles the channels, halves the
resolution, both or neither. Macro archs name the modules' kinds, and their blocks are residual ones of two
3x3 convolutions. Micro archs have five modules, the kinds 4, 1, 4, 1, 4, and their blocks are cells. In a
block the ReLU comes first: ReLU, convolution, batch norm.

Blocks are the stem and the two of each module. Stages are the modules.

The head is the one of object and scene classification: a global average pooling and a linear layer. They are
the tasks whose labels are classes, as a protocol here needs. Room layout has it too, with 9 outputs. The
other tasks have the same network before it. Jigsaw joins the pooled features of nine pieces, the three pixel
tasks have decoders of 8 or 14 convolutions.

The authors give images of 256 x 256 pixels (jigsaw: pieces of 64). The stem makes a quarter of each side,
also of a smaller one.

Source: Duan et al., CVPR 2021, arXiv:2105.11871.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbzero.networks.macro import conv_bn
from nbzero.networks.nb201 import FourNodes, ReLUConvBN, Zero
from nbzero.networks.network import Network
from nbzero.spaces.nb201 import EDGES
from nbzero.spaces.transnas import BLOCKS_OF_MODULE, MICRO_KINDS, STEM

Block = Callable[[int, int, int], nn.Module]  # of channels before and after, and the stride


class Shifted(nn.Module):
    """(B, C, H, W) to the same shape: all pixels move up and left by one, zeros come in."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]


class FactorizedReduction(nn.Module):
    """A skip that changes the shape: ReLU, two 1x1 convolutions, batch norm.

    Each gives half of the channels. The second reads the image shifted by a pixel.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(width, out // 2, 1, stride, bias=False)
        self.shift = Shifted()
        self.odd = nn.Conv2d(width, out - out // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        y: Tensor = self.norm(torch.cat([self.even(x), self.odd(self.shift(x))], dim=1))
        return y


class PreActivationBlock(nn.Module):
    """body(x) + shortcut(x), two ReLU-convolution-norms and nothing after them.

    Where the shape changes, the shortcut is a 1x1 convolution with batch norm. Else it is the identity.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ReLUConvBN(width, out, 3, stride), ReLUConvBN(out, out, 3))
        self.projection: nn.Sequential | None = None
        if stride != 1 or width != out:
            self.projection = nn.Sequential(*conv_bn(width, out, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        y: Tensor = self.body(x)
        return y + shortcut


def operation(value: int, width: int, out: int, stride: int) -> nn.Module:
    """The module of one edge of a cell: 0 nothing, 1 a skip, 2 and 3 convolutions of 1x1 and 3x3."""
    if value == 0:
        return Zero(out, stride)
    if value > 1:
        return ReLUConvBN(width, out, 2 * value - 3, stride)
    if stride == 1 and width == out:
        return nn.Identity()
    return FactorizedReduction(width, out, stride)


def _of_modules(kinds: Sequence[int], block: Block, num_classes: int) -> Network:
    width = STEM
    stem = [*conv_bn(3, width // 2, 3, 2), ReLUConvBN(width // 2, width, 3, 2)]
    blocks: list[nn.Module] = [nn.Sequential(*stem)]
    stage_of_block = [0]
    for number, kind in enumerate(kinds, start=1):
        out, stride = width, 1
        if kind in (2, 4):
            out = 2 * width
        if kind in (3, 4):
            stride = 2
        for _ in range(BLOCKS_OF_MODULE):
            blocks.append(block(width, out, stride))
            stage_of_block.append(number)
            width, stride = out, 1
    return Network(blocks, stage_of_block, width, num_classes)


def modules_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of a macro arch, its weights not yet drawn.

    Args:
        values: the kinds of the modules, numbers in `MODULE_KINDS`; 0 where there is no module.
    """
    return _of_modules([kind for kind in values if kind], PreActivationBlock, num_classes)


def micro_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of a micro arch, its weights not yet drawn.

    Args:
        values: the operations of the cell's six edges, in the order of `EDGES`.
    """

    def cell(width: int, out: int, stride: int) -> nn.Module:
        edges = []
        for value, (start, _) in zip(values, EDGES, strict=True):
            if start:
                edges.append(operation(value, out, out, 1))
            else:
                edges.append(operation(value, width, out, stride))
        return FourNodes(edges)

    return _of_modules(MICRO_KINDS, cell, num_classes)
