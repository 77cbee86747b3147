"""The networks of NAS-Bench-201, which is NATS-Bench's topology space.

    stem        3x3 convolution, batch norm
    stage 1     cells
    stages 2, 3 a residual block that halves the resolution, then cells
    last        batch norm, ReLU

A stage has five cells, all with the operations of the arch, of 16, 32 and 64 channels.

Blocks are the stem, each cell, each residual block, and the last activation, which is a stage of its own.
That is how WRCor's authors number them, except that the stem, which has no activation, comes first here.

Source: Dong and Yang, ICLR 2020, arXiv:2001.00326.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nbzero.networks.macro import conv_bn
from nbzero.networks.network import Network
from nbzero.spaces.nb201 import CELL_OPERATIONS, CELLS, EDGES, STEM

NODES = 4  # of a cell; the first is its input, the last its output


class ReLUConvBN(nn.Sequential):
    """ReLU, a convolution without bias, batch norm."""

    def __init__(self, width: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(nn.ReLU(), *conv_bn(width, out, kernel, stride))


class Zero(nn.Module):
    """(B, C, H, W) zeros of `out` channels, that no gradient passes. H and W are divided by the stride."""

    def __init__(self, out: int, stride: int = 1) -> None:
        super().__init__()
        self.out = out
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        # Like a view of x, which tells `nbzero.proxies.marks` where the images lie.
        alike = x[:, :1, :: self.stride, :: self.stride].expand(-1, self.out, -1, -1)
        return torch.zeros_like(alike, memory_format=torch.contiguous_format)


def operation(name: str, width: int, out: int) -> nn.Module:
    """The module of one edge, from `width` to `out` channels at stride 1.

    The average pooling leaves the padding out of its means. A skip that changes the channels is a 1x1
    convolution with batch norm, and a pooling that does so follows a ReLU, 1x1 convolution and batch norm.
    """
    if name == "none":
        return Zero(out)
    if name == "skip_connect":
        return nn.Identity() if width == out else nn.Sequential(*conv_bn(width, out, 1))
    if name == "avg_pool_3x3":
        pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        return pool if width == out else nn.Sequential(ReLUConvBN(width, out, 1), pool)
    return ReLUConvBN(width, out, 1 if name == "nor_conv_1x1" else 3)


class FourNodes(nn.Module):
    """A cell of four nodes. Each is the sum of the modules on the edges that enter it.

    Args:
        edges: in the order of `EDGES`.
    """

    def __init__(self, edges: Sequence[nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        entering: list[list[Tensor]] = [[] for _ in range(NODES)]
        nodes = {0: x}
        for edge, (start, end) in zip(self.edges, EDGES, strict=True):
            if start not in nodes:
                nodes[start] = total(entering[start])
            entering[end].append(edge(nodes[start]))
        return total(entering[-1])


class Cell(FourNodes):
    """A cell of some operations, from `width` to `out` channels."""

    def __init__(self, operations: Sequence[str], width: int, out: int) -> None:
        edges = []
        for name, (start, _) in zip(operations, EDGES, strict=True):
            edges.append(operation(name, out if start else width, out))
        super().__init__(edges)


def total(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of some tensors, at least one."""
    summed = tensors[0]
    for tensor in tensors[1:]:
        summed = summed + tensor
    return summed


class Reduction(nn.Module):
    """Two ReLU-convolution-norms of which the first has stride 2.

    To them a 2x2 average pooling and 1x1 convolution without norm is added.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ReLUConvBN(width, out, 3, 2), ReLUConvBN(out, out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(width, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut(x)
        return shortcut + self.body(x)


def net_of_layers(
    operations: Sequence[str], layers: Sequence[tuple[int, bool]], stem: int, num_classes: int
) -> Network:
    """Layers are (channels, whether it halves the resolution)."""
    width, stage = stem, 1
    blocks: list[nn.Module] = [nn.Sequential(*conv_bn(3, stem, 3))]
    stage_of_block = [0]
    for out, halves in layers:
        if halves:
            stage += 1
            blocks.append(Reduction(width, out))
        else:
            blocks.append(Cell(operations, width, out))
        stage_of_block.append(stage)
        width = out
    blocks.append(nn.Sequential(nn.BatchNorm2d(width), nn.ReLU()))
    return Network(blocks, [*stage_of_block, stage + 1], width, num_classes)


def cell_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of a cell of NAS-Bench-201, its weights not yet drawn.

    Args:
        values: the operations' numbers in `CELL_OPERATIONS`, in the order of `EDGES`.
    """
    operations = [CELL_OPERATIONS[value] for value in values]
    layers = CELLS * [(STEM, False)]
    for width in (2 * STEM, 4 * STEM):
        layers += [(width, True)] + CELLS * [(width, False)]
    return net_of_layers(operations, layers, STEM, num_classes)
