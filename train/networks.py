"""A torch network from an architecture string.

B images, C channels, H x W pixels. Every net has `blocks` (the stem first, then the residual blocks), `stage_of_block` (0 for the
stem, stages from 1), `features(x)` (the tensor before pooling) and activations as separate modules that are not in place, as the
proxies expect. Convolutions have no bias and there is no 1x1 head.
"""

import hashlib
import math
import operator

import torch
from torch import Tensor, nn

from nbzero.errors import UsageError
from nbzero.spaces.macro import CHOICES, EXPANSION, SQUEEZE, Arch, as_arch


def conv_bn(
    width: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias, padded to keep the size at stride 1, and its batch norm."""
    conv = nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(out)


class Residual(nn.Module):
    """ReLU(body(x) + shortcut(x)); the shortcut is a 1x1 convolution with batch norm where the shape changes, else the identity."""

    def __init__(self, body: nn.Sequential, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.projection = (
            nn.Sequential(*conv_bn(width, out, 1, stride)) if stride != 1 or width != out else None
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.body(x) + (x if self.projection is None else self.projection(x)))


class InvertedResidual(nn.Module):
    """body(x), plus x where the shapes agree; no activation after the linear bottleneck."""

    def __init__(self, body: nn.Sequential, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.adds_input = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if self.adds_input else self.body(x)


def basic(width: int, out: int, stride: int) -> nn.Module:
    """r1: 3x3, 3x3 (ResNet-18's block)."""
    body = nn.Sequential(*conv_bn(width, out, 3, stride), nn.ReLU(), *conv_bn(out, out, 3))
    return Residual(body, width, out, stride)


def bottleneck(width: int, out: int, stride: int) -> nn.Module:
    """r2: 1x1, 3x3 with the stride, 1x1, inner width a quarter of the output's (ResNet-50's block)."""
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
    """mb: 1x1 to six times the width, depthwise 3x3 with the stride, linear 1x1 (MobileNetV2's block, with ReLU)."""
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


class Net(nn.Module):
    """The network of one arch; `build_net` makes it with its weights."""

    def __init__(self, arch: Arch, num_classes: int) -> None:
        super().__init__()
        block = BLOCKS[CHOICES[arch.space].family]
        width = arch.stem
        blocks: list[nn.Module] = [nn.Sequential(*conv_bn(3, width, 3), nn.ReLU())]
        stage_of_block = [0]
        for number, stage in enumerate(arch.stages, start=1):
            for index in range(stage.depth):
                blocks.append(block(width, stage.width, stage.stride if index == 0 else 1))
                stage_of_block.append(number)
                width = stage.width
        self.blocks = nn.ModuleList(blocks)
        self.stage_of_block = stage_of_block
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) images to the (B, C, H/8, W/8) tensor before pooling, sizes rounded up at each halving."""
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


def seed_of(text: str) -> int:
    """The 63-bit seed that SHA-256 gives a text: one for `"{arch}|{seed}"` (weights), one for the data order."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def build_net(arch: str | Arch, num_classes: int, seed: int) -> Net:
    """The network of `arch` with its initial weights, in train mode, float32, on the CPU.

    Convolutions are Kaiming-normal, N(0, 2 / (C_out k^2)) (fan-out, ReLU gain; depthwise ones too, as torch.nn.init counts their fan-out),
    batch norm has gamma 1 and beta 0 everywhere, the classifier PyTorch's default U(-1/sqrt(C), 1/sqrt(C)), bias too. The weights follow
    from SHA-256 of `"{arch}|{seed}"`; no global random state is read or moved.

    Raises:
        UsageError: an arch that is malformed or out of its grid, or fewer than 1 class.
        TypeError: a seed or number of classes that is no integer.
    """
    arch = as_arch(arch)
    num_classes, seed = (
        operator.index(num_classes),
        operator.index(seed),
    )  # "arch|0.0" would be other weights than "arch|0"
    if num_classes < 1:
        raise UsageError(f"num_classes is {num_classes!r}; at least 1")
    with torch.device("meta"):
        net = Net(arch, num_classes)
    net.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed_of(f"{arch}|{seed}"))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            for parameter in (module.weight, module.bias):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return net
