"""NATS-Bench's size space: five channel counts of a network whose cell is fixed.

    8:16:24:32:40

The cell is the best of the topology space on CIFAR-100. `arch_id` is the official index, which is the
position in the order of the five numbers. Source: Dong et al., TPAMI 2021, arXiv:2009.00437.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbzero.spaces.choices import CIFAR10, Choice, Imported, every_combination

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
CHANNELS = ("8", "16", "24", "32", "40", "48", "56", "64")
HALVES = (False, True, False, True, False)  # which of the five layers are residual blocks, the others cells
_FROM_INPUT, _INSIDE = 2, 3  # convolutions of the cell that read its input, and that read its other nodes


def channels_of(values: Sequence[int]) -> list[int]:
    """The channel counts of an arch, from its numbers."""
    return [int(CHANNELS[value]) for value in values]


def size_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a network for one 3x32x32 image and 10 classes.

    The params are those that the benchmark's files give. A skip that changes the channels is a 1x1
    convolution with batch norm.

    >>> size_costs((0, 0, 0, 0, 0))
    {'macs': 4481104, 'params': 11714}
    """
    channels = channels_of(values)
    width, area = channels[0], 32 * 32
    macs = 27 * width * area
    params = 27 * width + 2 * width
    for out, halves in zip(channels, HALVES, strict=True):
        if halves:
            area //= 4
            weights = 9 * width * out + 9 * out * out + width * out
            norms = 2
        else:
            weights = _FROM_INPUT * 9 * width * out + _INSIDE * 9 * out * out
            norms = _FROM_INPUT + _INSIDE
            if width != out:
                weights += width * out
                norms += 1
        macs += weights * area
        params += weights + 2 * norms * out
        width = out
    return {"macs": macs + 10 * width, "params": params + 2 * width + 10 * width + 10}


NATS_SSS = Imported(
    name="nats-sss",
    title="NATS-Bench size",
    choices=tuple(Choice(f"channels_{number}", CHANNELS) for number in range(1, 6)),
    pattern=rf"({'|'.join(CHANNELS)})(:({'|'.join(CHANNELS)})){{4}}",
    looks_like=r"\d*(:\d*)+",
    example="8:16:24:32:40",
    num_members=32_768,
    pieces=lambda text: list(map(CHANNELS.index, text.split(":"))),
    text=lambda values: ":".join(CHANNELS[value] for value in values),
    costs=size_costs,
    costs_of=CIFAR10,
    every=every_combination,
)
