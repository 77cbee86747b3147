"""The networks of DARTS' cells, for CIFAR: the one that is trained, and the tiny one that SWAP's code scores.

    darts_net   3x3 convolution to 108 channels with batch norm, then 20 cells of 36 channels;
                without auxiliary head and drop path
    tiny_net    no stem; one cell, a reduction, of 6 channels

A cell reads the outputs of the two before it. Each of its four nodes is the sum of two operations, its output
the four nodes side by side. A reduction doubles the channels, and what reads the cell's inputs halves the
resolution. Cells number a third and two thirds of all are reductions.

Blocks are the stem, which is stage 0, and the cells. A stage begins with a reduction.

Source: Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055. The tiny network: Peng et al., ICLR 2024,
arXiv:2403.04161, whose published code sets 3 channels and one layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbzero.networks.macro import conv_bn
from nbzero.networks.nb201 import ReLUConvBN, Zero
from nbzero.networks.network import Network
from nbzero.spaces.darts import DARTS_OPERATIONS, NODES

CHANNELS, CELLS = 36, 20  # of the network that is trained
STEM_MULTIPLIER = 3  # of the stem's channels
TINY_CHANNELS, TINY_CELLS = 3, 1
Edge = tuple[str, int]  # an operation, and the node that it reads
_DILATION = 2


class FactorizedReduce(nn.Sequential):
    """ReLU, two 1x1 convolutions of stride 2 side by side, batch norm.

    The second reads the image moved by one pixel to the upper left, with zeros where it ends.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__(nn.ReLU(), _Halves(width, out), nn.BatchNorm2d(out))


class _Halves(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, out // 2, 1, 2, bias=False)
        self.second = nn.Conv2d(width, out - out // 2, 1, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        moved = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return torch.cat([self.first(x), self.second(moved)], dim=1)


def _separable(width: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, a depthwise convolution with the stride, 1x1, batch norm."""
    reach = dilation * (kernel // 2)
    depthwise = nn.Conv2d(width, width, kernel, stride, reach, dilation, groups=width, bias=False)
    return [nn.ReLU(), depthwise, *conv_bn(width, width, 1)]


def operation(name: str, width: int, stride: int) -> nn.Module:
    """The module of one edge. The average pooling leaves the padding out of its means."""
    if name == "none":
        return Zero(width, stride)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(width, width)
    kernel = int(name[-1])
    if name.startswith("dil"):
        return nn.Sequential(*_separable(width, kernel, stride, _DILATION))
    return nn.Sequential(*_separable(width, kernel, stride), *_separable(width, kernel, 1))


class Cell(nn.Module):
    """One cell.

    Args:
        edges: the two operations of each node, node by node.
        widths: channels of the cell before the last and of the last cell.
        out: channels of a node.
        halves: whether it is a reduction.
        after_reduction: whether the last cell is one, so that the cell before it has twice the resolution.
    """

    def __init__(
        self, edges: Sequence[Edge], widths: tuple[int, int], out: int, halves: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        before, last = widths
        self.before: nn.Module = (
            FactorizedReduce(before, out) if after_reduction else ReLUConvBN(before, out, 1)
        )
        self.last = ReLUConvBN(last, out, 1)
        self.starts = [start for _, start in edges]
        operations = []
        for name, start in edges:
            operations.append(operation(name, out, 2 if halves and start < NODES.start else 1))
        self.operations = nn.ModuleList(operations)

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        nodes = [self.before(before), self.last(last)]
        for place in range(0, len(self.starts), 2):
            first, second = (self.operations[at](nodes[self.starts[at]]) for at in (place, place + 1))
            nodes.append(first + second)
        return torch.cat(nodes[NODES.start :], dim=1)


class CellsNet(Network):
    """A network of cells that read the two before them.

    Its features are (B, C, H/4, W/4) of `darts_net` and (B, C, H/2, W/2) of `tiny_net`, rounded up at each
    halving.

    Args:
        stem: channels of the stem; 0: there is none.
    """

    def __init__(
        self,
        normal: Sequence[Edge],
        reduction: Sequence[Edge],
        num_classes: int,
        channels: int,
        num_cells: int,
        stem: int,
    ) -> None:
        before = last = stem or 3
        blocks: list[nn.Module] = []
        stage_of_block = []
        if stem:
            blocks.append(nn.Sequential(*conv_bn(3, stem, 3)))
            stage_of_block.append(0)
        reductions = {num_cells // 3, 2 * num_cells // 3}
        stage, after_reduction = 1, False
        for number in range(num_cells):
            halves = number in reductions
            if halves:
                channels *= 2
                stage += number > 0
            edges = reduction if halves else normal
            blocks.append(Cell(edges, (before, last), channels, halves, after_reduction))
            stage_of_block.append(stage)
            before, last, after_reduction = last, len(NODES) * channels, halves
        super().__init__(blocks, stage_of_block, last, num_classes)
        self.has_stem = stem > 0

    def features(self, x: Tensor) -> Tensor:
        blocks = list(self.blocks)
        if self.has_stem:
            x = blocks.pop(0)(x)
        before = last = x
        for cell in blocks:
            before, last = last, cell(before, last)
        return last


def edges_of(values: Sequence[int]) -> list[Edge]:
    """The operations of an arch and what they read, from its numbers."""
    return [(DARTS_OPERATIONS[kind], start) for kind, start in zip(values[::2], values[1::2], strict=True)]


def darts_net(values: Sequence[int], num_classes: int) -> Network:
    """The network that is trained, of 36 channels and 20 cells, its weights not yet drawn.

    Args:
        values: numbers in `DARTS_OPERATIONS` and of the nodes read, in turns.
    """
    edges = edges_of(values)
    return CellsNet(edges, edges, num_classes, CHANNELS, CELLS, STEM_MULTIPLIER * CHANNELS)


def tiny_net(values: Sequence[int], num_classes: int) -> Network:
    """The network that SWAP's code scores, its weights not yet drawn. Its one cell is a reduction."""
    edges = edges_of(values)
    return CellsNet(edges, edges, num_classes, TINY_CHANNELS, TINY_CELLS, 0)
