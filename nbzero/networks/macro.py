"""The networks of the macro spaces, as torch modules.

B images, C channels, H x W pixels. A network offers what the proxies read:

    blocks              the stem first, then the residual blocks
    stage_of_block      0 for the stem, stages from 1
    features(x)         the tensor before pooling

Its activations are separate modules, not in place. Convolutions have no bias. There is no 1x1 head.
"""

from __future__ import annotations

from torch import Tensor, nn

from nbzero.networks.network import Network
from nbzero.spaces.macro import CHOICES, EXPANSION, SQUEEZE, Arch


def conv_bn(
    width: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias, padded to keep the size at stride 1, and its batch norm."""
    conv = nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(out)


class Residual(nn.Module):
    """ReLU(body(x) + shortcut(x)).

    Where the shape changes, the shortcut is a 1x1 convolution with batch norm. Else it is the identity.
    """

    def __init__(self, body: nn.Sequential, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.projection: nn.Sequential | None = None
        if stride != 1 or width != out:
            self.projection = nn.Sequential(*conv_bn(width, out, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        shortcut = x if self.projection is None else self.projection(x)
        return self.relu(y + shortcut)


class InvertedResidual(nn.Module):
    """body(x), plus x where the shapes agree. No activation follows the linear bottleneck."""

    def __init__(self, body: nn.Sequential, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.adds_input = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return y + x if self.adds_input else y


def basic(width: int, out: int, stride: int) -> nn.Module:
    """r1: 3x3, 3x3 (ResNet-18's block)."""
    body = nn.Sequential(*conv_bn(width, out, 3, stride), nn.ReLU(), *conv_bn(out, out, 3))
    return Residual(body, width, out, stride)


def bottleneck(width: int, out: int, stride: int) -> nn.Module:
    """r2: 1x1, 3x3 with the stride, 1x1 (ResNet-50's block). Inside it is a quarter as wide as its output."""
    inner = out // SQUEEZE
    body = nn.Sequential(
        *conv_bn(width, inner, 1),
        nn.ReLU(),
        *conv_bn(inner, inner, 3, stride),
        nn.ReLU(),
        *conv_bn(inner, out, 1),
    )
    return Residual(body, width, out, stride)


def inverted_residual(width: int, out: int, stride: int) -> nn.Module:
    """mb: 1x1 to six times the width, depthwise 3x3 with the stride, linear 1x1.

    It is MobileNetV2's block, with ReLU.
    """
    hidden = EXPANSION * width
    body = nn.Sequential(
        *conv_bn(width, hidden, 1),
        nn.ReLU(),
        *conv_bn(hidden, hidden, 3, stride, hidden),
        nn.ReLU(),
        *conv_bn(hidden, out, 1),
    )
    return InvertedResidual(body, width, out, stride)


BLOCKS = {"r1": basic, "r2": bottleneck, "mb": inverted_residual}


class Net(Network):
    """The network of one arch. `build_net` makes it with its weights.

    Its features are (B, C, H/8, W/8), rounded up at each halving.
    """

    def __init__(self, arch: Arch, num_classes: int) -> None:
        block = BLOCKS[CHOICES[arch.space].family]
        width = arch.stem
        blocks: list[nn.Module] = [nn.Sequential(*conv_bn(3, width, 3), nn.ReLU())]
        stage_of_block = [0]
        for number, stage in enumerate(arch.stages, start=1):
            stride = stage.stride
            for _ in range(stage.depth):
                blocks.append(block(width, stage.width, stride))
                stage_of_block.append(number)
                width, stride = stage.width, 1
        super().__init__(blocks, stage_of_block, width, num_classes)
