"""The networks of NAS-Bench-101: a stem of 128 channels, then three stacks of three cells.

    stem        3x3 convolution, batch norm, ReLU
    stack 1     cells
    stacks 2, 3 a 2x2 max pooling, then cells of twice the channels

A convolution is one with batch norm and ReLU. What a vertex reads is added up. From the cell's input it comes
through a 1x1 convolution, from an inner vertex with one channel more the last channel is left out. The output
joins the inner vertices that it reads. To them it adds the input, through a 1x1 convolution.

Blocks are the stem and the nine cells. The pooling belongs to the cell after it. Stages are the stacks.

Source: Ying et al., ICML 2019, arXiv:1902.09635.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nbzero.networks.macro import conv_bn
from nbzero.networks.nb201 import total
from nbzero.networks.network import Network
from nbzero.spaces.nb101 import CELLS, STACKS, STEM, Cell, cell_of_values, vertex_channels

KERNELS = {"conv3x3": 3, "conv1x1": 1}


def conv_bn_relu(width: int, out: int, kernel: int) -> nn.Sequential:
    """A convolution without bias, batch norm, ReLU."""
    return nn.Sequential(*conv_bn(width, out, kernel), nn.ReLU())


def operation(name: str, width: int) -> nn.Module:
    """The module of an inner vertex."""
    if name in KERNELS:
        return conv_bn_relu(width, width, KERNELS[name])
    return nn.MaxPool2d(3, 1, 1)


class Vertex(nn.Module):
    """The operation of an inner vertex on the sum of what it reads.

    Args:
        name: of the operation.
        width: channels of the cell's input.
        out: its own channels.
        reads_input: whether an edge leads from the cell's input to it.
    """

    def __init__(self, name: str, width: int, out: int, reads_input: bool) -> None:
        super().__init__()
        self.out = out
        self.projection: nn.Sequential | None = None
        if reads_input:
            self.projection = conv_bn_relu(width, out, 1)
        self.operation = operation(name, out)

    def forward(self, x: Tensor, inner: Sequence[Tensor]) -> Tensor:
        """(B, C, H, W) the cell's input, and what the inner vertices gave that it reads."""
        read = [tensor[:, : self.out] for tensor in inner]
        if self.projection is not None:
            read.append(self.projection(x))
        y: Tensor = self.operation(total(read))
        return y


class CellModule(nn.Module):
    """One cell, from `width` to `out` channels."""

    def __init__(self, cell: Cell, width: int, out: int) -> None:
        super().__init__()
        channels = vertex_channels(cell, width, out)
        self.inputs = [cell.inputs_of(vertex) for vertex in range(cell.num_vertices)]
        vertices = []
        for vertex, name in enumerate(cell.operations, start=1):
            vertices.append(Vertex(name, width, channels[vertex], 0 in self.inputs[vertex]))
        self.vertices = nn.ModuleList(vertices)
        self.projection: nn.Sequential | None = None
        if 0 in self.inputs[-1]:
            self.projection = conv_bn_relu(width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        given = [x]
        for inputs, vertex in zip(self.inputs[1:-1], self.vertices, strict=True):
            given.append(vertex(x, [given[start] for start in inputs if start]))
        joined = [given[start] for start in self.inputs[-1] if start]
        parts = []
        if joined:
            parts.append(torch.cat(joined, dim=1))
        if self.projection is not None:
            parts.append(self.projection(x))
        return total(parts)


def graph_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of a cell of NAS-Bench-101, its weights not yet drawn.

    Args:
        values: the numbers that `NB101.parse` gives.
    """
    cell = cell_of_values(values)
    width = STEM
    blocks: list[nn.Module] = [conv_bn_relu(3, width, 3)]
    stage_of_block = [0]
    for stack in range(1, STACKS + 1):
        for place in range(CELLS):
            if stack > 1 and place == 0:
                pool = nn.MaxPool2d(2, 2, ceil_mode=True)
                blocks.append(nn.Sequential(pool, CellModule(cell, width, 2 * width)))
                width = 2 * width
            else:
                blocks.append(CellModule(cell, width, width))
            stage_of_block.append(stack)
    return Network(blocks, stage_of_block, width, num_classes)
