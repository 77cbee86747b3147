"""The networks of WRCor's MobileNetV2 space, at their own resolution.

    stem    the images resized (bilinear), 3x3 convolution of stride 2, batch norm, ReLU
    stages  inverted residuals with squeeze and excitation (`Layer`)
    head    1x1 convolution, batch norm, ReLU

Images of any size are resized to the arch's resolution, as the authors do. So images of 32 pixels cost as
much as those of ImageNet. The batch norms have eps 1e-3.

Blocks are the stem, every layer, and the head, which is a stage of its own.

Source: Jing et al., arXiv:2507.08841, kunjing96/ZSNAS-WRCor.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from nbzero.networks.macro import conv_bn
from nbzero.networks.network import Network
from nbzero.spaces.mobilenetv2 import STAGES, Layer, design_of, layers_of

EPS = 1e-3


class SqueezeExcitation(nn.Module):
    """x times a gate of each channel.

    The gate comes from the channels' means: 1x1 convolution, batch norm, ReLU, again, sigmoid.
    """

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            *conv_bn(width, squeezed, 1),
            nn.ReLU(),
            *conv_bn(squeezed, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return gate * x


class InvertedResidual(nn.Module):
    """ReLU(body(x) + shortcut(x)). The shortcut is a 1x1 convolution with bias and norm, or the identity."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_bn(layer.width, layer.hidden, 1),
            nn.ReLU(),
            *conv_bn(layer.hidden, layer.hidden, layer.kernel, layer.stride, layer.hidden),
            nn.ReLU(),
            SqueezeExcitation(layer.hidden, layer.squeezed),
            *conv_bn(layer.hidden, layer.out, 1),
        )
        self.projection: nn.Sequential | None = None
        if layer.projects:
            conv = nn.Conv2d(layer.width, layer.out, 1, layer.stride)
            self.projection = nn.Sequential(conv, nn.BatchNorm2d(layer.out))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        y: Tensor = self.relu(self.body(x) + shortcut)
        return y


def stages_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of an arch, its weights not yet drawn.

    Args:
        values: the numbers that `MOBILENETV2.parse` gives.
    """
    design = design_of(values)
    side = (design.resolution, design.resolution)
    resize = nn.Upsample(side, mode="bilinear", align_corners=False)
    blocks: list[nn.Module] = [nn.Sequential(resize, *conv_bn(3, design.stem, 3, 2), nn.ReLU())]
    stage_of_block = [0]
    for layer in layers_of(design):
        blocks.append(InvertedResidual(layer))
        stage_of_block.append(layer.stage)
    last = design.stages[-1].channels
    blocks.append(nn.Sequential(*conv_bn(last, design.head, 1), nn.ReLU()))
    net = Network(blocks, [*stage_of_block, len(STAGES) + 1], design.head, num_classes)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = EPS
    return net
