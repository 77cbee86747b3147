"""WRCor's MobileNetV2 space: seven stages of inverted residuals with squeeze and excitation, for ImageNet.

    mbv2-r224-c48-e2k7s2l2c32b40-e2k7s2l3c32b48- .. -c1264

r is the side of the images in pixels. c is the channels of the first 3x3 convolution of stride 2, and at the
end those of the last 1x1 convolution. Between them are the seven stages of Table 1: e expansion, k kernel,
s stride, l layers, c channels of the output, b bottleneck channels. The depthwise convolutions have e b
channels. Exactly four stages have stride 2, as the authors' search draws them, so the last features are r/32
wide.

What the table leaves open was settled by its Table 11 (`RE_SJW`), whose 10.8 M params and 592 M FLOPs the
authors' count meets (`published_costs`: 10.78 M, 591.7 M). b times e are the channels inside a layer, c those
of its output. Squeeze and excitation follows the depthwise convolution: without it there would be 5.5 M
params. The shortcut of a stage's first layer is a 1x1 convolution. That it is one also where the shape stays,
and the ReLU after the sum, are in the authors' code. By our count the arch has 10.81 M params and 587.7 M
macs.

The grid has 3.5e29 archs, so no table has them. `random_arch` draws one, `mutate` changes one choice.

Source: Jing et al., arXiv:2507.08841, kunjing96/ZSNAS-WRCor.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from nbzero.errors import NothingFoundError, UsageError, quoted, whole
from nbzero.spaces.choices import Choice, Imported

if TYPE_CHECKING:
    import numpy as np

Numbers = tuple[int, ...]
PARTS = ("expansion", "kernel", "stride", "layers", "channels", "bottleneck")  # of a stage
LETTERS = "ekslcb"  # of the parts in an arch string
EXPANSIONS, KERNELS, STRIDES = (1, 2, 4, 6), (3, 5, 7), (1, 2)
NUM_HALVINGS = 4  # stages of stride 2
NUM_CLASSES = 1000
TRIES = 10_000  # archs drawn, before a limit of macs is taken for one that none meets


def _steps(first: int, last: int, step: int = 8) -> Numbers:
    return tuple(range(first, last + 1, step))


RESOLUTIONS = _steps(192, 320, 32)
STEMS, HEADS = _steps(16, 48), _steps(128, 1536)
STAGES: tuple[tuple[Numbers, Numbers, Numbers], ...] = (
    ((1, 2), _steps(16, 48), _steps(16, 48)),
    ((2, 3), _steps(16, 48), _steps(16, 48)),
    ((2, 3), _steps(32, 64), _steps(16, 48)),
    ((2, 3, 4), _steps(48, 96), _steps(32, 64)),
    ((2, 3, 4, 5, 6), _steps(80, 256), _steps(48, 96)),
    ((2, 3, 4, 5, 6), _steps(80, 256), _steps(80, 256)),
    ((1, 2), _steps(128, 512), _steps(80, 256)),
)  # layers, channels, bottleneck channels that a stage may have
RE_SJW = (
    "mbv2-r224-c48-e2k7s2l2c32b40-e2k7s2l3c32b48-e6k7s1l3c64b40-e6k7s2l4c88b40-e6k7s1l6c104b56-"
    "e6k5s2l6c152b192-e6k5s1l2c240b136-c1264"
)  # Table 11


class Stage(NamedTuple):
    """The numbers of one stage."""

    expansion: int
    kernel: int
    stride: int
    layers: int
    channels: int
    bottleneck: int


class Design(NamedTuple):
    """What an arch is, in numbers.

    Attributes:
        resolution: side of the images, in pixels.
        stem, head: channels of the first and the last convolution.
        stages: seven.
    """

    resolution: int
    stem: int
    stages: tuple[Stage, ...]
    head: int


class Layer(NamedTuple):
    """One inverted residual.

    Attributes:
        stage: its number, from 1.
        width, hidden, out: channels of its input, of its depthwise convolution, of its output.
        kernel, stride: of the depthwise convolution.
        projects: whether its shortcut is a 1x1 convolution. Else it is the identity.
    """

    stage: int
    width: int
    hidden: int
    out: int
    kernel: int
    stride: int
    projects: bool

    @property
    def squeezed(self) -> int:
        """Channels between the two convolutions of squeeze and excitation."""
        return round(self.hidden / 4)


def _allowed() -> tuple[Numbers, ...]:
    """The numbers that each choice allows, in the order of an encoded arch."""
    allowed = [RESOLUTIONS, STEMS]
    for layers, channels, bottleneck in STAGES:
        allowed += [EXPANSIONS, KERNELS, STRIDES, layers, channels, bottleneck]
    return (*allowed, HEADS)


ALLOWED = _allowed()
STRIDES_AT = tuple(range(2 + PARTS.index("stride"), len(ALLOWED) - 1, len(PARTS)))


def design_of(values: Sequence[int]) -> Design:
    """The numbers that an encoded arch stands for."""
    numbers = [allowed[value] for allowed, value in zip(ALLOWED, values, strict=True)]
    resolution, stem, *rest, head = numbers
    stages = []
    for start in range(0, len(rest), len(PARTS)):
        stages.append(Stage(*rest[start : start + len(PARTS)]))
    return Design(resolution, stem, tuple(stages), head)


def layers_of(design: Design) -> Iterator[Layer]:
    """The inverted residuals, in order."""
    width = design.stem
    for number, stage in enumerate(design.stages, start=1):
        hidden = stage.expansion * stage.bottleneck
        for place in range(stage.layers):
            first = place == 0
            stride = stage.stride if first else 1
            yield Layer(number, width, hidden, stage.channels, stage.kernel, stride, projects=first)
            width = stage.channels


def layer_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params for one image of the arch's own resolution and 1,000 classes, and its layers.

    >>> layer_costs(MOBILENETV2.parse(RE_SJW))
    {'macs': 587680672, 'params': 10807432, 'depth': 26}
    """
    design = design_of(values)
    side, width, depth = design.resolution // 2, design.stem, 0
    macs = 27 * width * side**2
    params = 27 * width + 2 * width
    for layer in layers_of(design):
        before = layer.width * layer.hidden
        excite = 2 * layer.hidden * layer.squeezed
        macs += before * side**2 + excite
        side //= layer.stride
        after = layer.kernel**2 * layer.hidden + layer.hidden * layer.out
        macs += after * side**2
        params += before + excite + after + 2 * (3 * layer.hidden + layer.squeezed + layer.out)
        if layer.projects:
            macs += layer.width * layer.out * side**2
            params += layer.width * layer.out + 3 * layer.out  # with a bias, before the batch norm
        width = layer.out
        depth += 1
    macs += width * design.head * side**2 + design.head * NUM_CLASSES
    params += width * design.head + 2 * design.head + (design.head + 1) * NUM_CLASSES
    return {"macs": macs, "params": params, "depth": depth}


def published_costs(arch: str) -> dict[str, float]:
    """FLOPs and params as the authors count them, whose limit of a search is 600 M FLOPs.

        FLOPs     multiply-adds, one for each output of a batch norm outside of squeeze and excitation, those
                  of the excitation's product, and of a shortcut's convolution 1/stride^2 of the true ones
        params    weights, one for each channel of a batch norm (two within squeeze and excitation), one for
                  the classifier's biases

    >>> published_costs(RE_SJW)
    {'flops': 591710478.0, 'params': 10775601.0}
    """
    design = design_of(MOBILENETV2.parse(arch))
    side, width = design.resolution // 2, design.stem
    flops, params = float(28 * width * side**2), 28 * width
    for layer in layers_of(design):
        before = (layer.width + 1) * layer.hidden
        excite = 2 * layer.hidden * layer.squeezed
        flops += before * side**2
        side //= layer.stride
        after = (layer.kernel**2 + 1) * layer.hidden + (layer.hidden + 1) * layer.out
        flops += after * side**2 + excite + layer.hidden * (1 + side**2)
        params += before + after + excite + 2 * (layer.squeezed + layer.hidden)
        if layer.projects:
            shortcut = (layer.width + 1) * layer.out
            flops += shortcut * (side / layer.stride) ** 2
            params += shortcut
        width = layer.out
    last = (width + 1) * design.head
    flops += last * side**2 + design.head * NUM_CLASSES
    return {"flops": flops, "params": float(params + last + design.head * NUM_CLASSES + 1)}


# Drawing and changing archs


def random_arch(seed: int, max_macs: float = math.inf) -> str:
    """An arch of the grid, the same for the same seed on every machine and version.

    Each choice is even, also which four stages have stride 2. The authors' draws of channels are even but at
    the ends of their ranges.

    Args:
        seed: from 0.
        max_macs: archs with more are drawn anew. It is of `layer_costs`.

    Raises:
        UsageError: a seed below 0 or that is no whole number; a limit that is no number.
        NothingFoundError: none of 10,000 archs meets the limit.

    >>> MOBILENETV2.costs(MOBILENETV2.parse(random_arch(0, 600e6)))["macs"] <= 600e6
    True
    """
    seed = whole("seed", seed)
    if isinstance(max_macs, bool) or not isinstance(max_macs, (int, float)) or math.isnan(max_macs):
        raise UsageError(f"max_macs is {quoted(max_macs)}; it is a number of multiply-adds, like 600e6")
    for number in range(TRIES):
        values = _drawn(f"mobilenetv2:{seed}:{number}")
        if layer_costs(values)["macs"] <= max_macs:
            return _text(values)
    raise NothingFoundError(f"none of {TRIES:,} archs of mobilenetv2 has at most {max_macs:g} macs")


def _drawn(key: str) -> list[int]:
    """Numbers of an encoded arch, from SHA-256 of the key and of each choice's place."""
    digests = []
    for place in range(len(ALLOWED)):
        digest = hashlib.sha256(f"{key}:{place}".encode()).digest()
        digests.append(int.from_bytes(digest[:8], "little"))
    values = [digest % len(allowed) for digest, allowed in zip(digests, ALLOWED, strict=True)]
    halving = sorted(STRIDES_AT, key=lambda place: digests[place])[:NUM_HALVINGS]
    for place in STRIDES_AT:
        values[place] = int(place in halving)
    return values


def mutate(arch: str, rng: np.random.Generator) -> str:
    """The arch with one choice changed, which choice and to what drawn evenly by `rng`.

    A stride changes together with another, so that four stages have stride 2.

    Raises:
        UsageError: no arch of this space.
    """
    return _text(changed(MOBILENETV2.parse(arch), rng))


def changed(values: Sequence[int], rng: np.random.Generator) -> list[int]:
    """`mutate` of the numbers of an encoded arch."""
    values = list(values)
    place = int(rng.integers(len(values)))
    if place in STRIDES_AT:
        others = [other for other in STRIDES_AT if values[other] != values[place]]
        other = others[int(rng.integers(len(others)))]
        values[place], values[other] = values[other], values[place]
    else:
        step = 1 + int(rng.integers(len(ALLOWED[place]) - 1))
        values[place] = (values[place] + step) % len(ALLOWED[place])
    return values


def changes(values: Sequence[int]) -> Iterator[list[int]]:
    """All that `changed` may give."""
    for place, allowed in enumerate(ALLOWED):
        for option in range(len(allowed)):
            if place not in STRIDES_AT and option != values[place]:
                yield [*values[:place], option, *values[place + 1 :]]
    for one, other in combinations(STRIDES_AT, 2):
        if values[one] != values[other]:
            swapped = list(values)
            swapped[one], swapped[other] = values[other], values[one]
            yield swapped


def smallest() -> list[int]:
    """The encoded arch than which no other has less macs, params or depth.

    Every choice is its least, and the first stages have stride 2: macs grow with each choice and with the
    side of the images in every stage.

    >>> layer_costs(smallest())
    {'macs': 13666624, 'params': 257688, 'depth': 12}
    """
    values = [0] * len(ALLOWED)
    for place in STRIDES_AT[:NUM_HALVINGS]:
        values[place] = 1
    return values


# The string, and the numbers of the choices


def _text(values: Sequence[int]) -> str:
    design = design_of(values)
    text = f"mbv2-r{design.resolution}-c{design.stem}"
    for stage in design.stages:
        said = [f"{letter}{number}" for letter, number in zip(LETTERS, stage, strict=True)]
        text += "-" + "".join(said)
    return f"{text}-c{design.head}"


def _pieces(text: str) -> list[int]:
    numbers = map(int, re.findall(r"\d+", text.removeprefix("mbv2-")))
    values = [allowed.index(number) for allowed, number in zip(ALLOWED, numbers, strict=True)]
    halving = sum(values[place] for place in STRIDES_AT)
    if halving != NUM_HALVINGS:
        raise UsageError(
            f"{quoted(text, 1000)}: an arch of mobilenetv2 ({_TITLE}) has {NUM_HALVINGS} stages of stride 2, "
            f"not {halving}"
        )
    return values


def _pattern() -> str:
    stage = [f"{letter}%s" for letter in LETTERS]
    form = "mbv2-r%s-c%s-" + "-".join(["".join(stage)] * len(STAGES)) + "-c%s"
    alternatives = [f"({'|'.join(map(str, allowed))})" for allowed in ALLOWED]
    return form % tuple(alternatives)


def _choices() -> tuple[Choice, ...]:
    names = ["resolution", "stem"]
    for number in range(1, len(STAGES) + 1):
        names += [f"s{number}_{part}" for part in PARTS]
    names.append("head")
    choices = []
    for name, allowed in zip(names, ALLOWED, strict=True):
        choices.append(Choice(name, tuple(map(str, allowed))))
    return tuple(choices)


_TITLE = "WRCor's MobileNetV2 space"

MOBILENETV2 = Imported(
    name="mobilenetv2",
    title=_TITLE,
    choices=_choices(),
    pattern=_pattern(),
    looks_like=r"mbv2-.*",
    example=RE_SJW,
    num_members=0,
    pieces=_pieces,
    text=_text,
    costs=layer_costs,
    costs_of="one image of its own resolution, 1,000 classes",
)
