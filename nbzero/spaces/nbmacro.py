"""NAS-Bench-Macro: eight layers in three stages, each an identity or one of two inverted residuals.

    02012100

`arch_id` is the position in the order of the strings. Source: Su et al., CVPR 2021, arXiv:2103.11922.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbzero.spaces.choices import CIFAR10, Choice, Imported, every_combination

LAYER_KINDS = ("identity", "MB3_K3", "MB6_K5")
RATIO_AND_KERNEL = {1: (3, 3), 2: (6, 5)}  # of the kinds that are no identity
MACRO_STAGES = (2, 3, 3)  # layers of the stages, each of which begins with stride 2 and twice the channels
HEAD = 1280  # channels of the last convolution


def layer_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a network for one 3x32x32 image and 10 classes, and its layers that are no identity.

    macs and params are those published for all 6,561 archs; the source calls its multiply-adds FLOPs.

    >>> layer_costs((0, 2, 0, 1, 2, 1, 0, 0))
    {'macs': 47327744, 'params': 890666, 'depth': 4}
    """
    width, side = 32, 32
    macs = 27 * width * side**2
    params = 27 * width + 2 * width
    layers = iter(values)
    for num_layers in MACRO_STAGES:
        for layer in range(num_layers):
            out, side_out = width, side
            if not layer:
                out, side_out = 2 * width, side // 2
            kind = next(layers)
            if kind:
                ratio, kernel = RATIO_AND_KERNEL[kind]
                hidden = ratio * width
                before = width * hidden
                after = kernel**2 * hidden + hidden * out
                macs += before * side**2 + after * side_out**2
                params += before + after + 2 * (2 * hidden + out)
            elif not layer:  # an identity that changes the shape is a 1x1 convolution
                macs += width * out * side_out**2
                params += width * out + 2 * out
            width, side = out, side_out
    macs += width * HEAD * side**2 + HEAD * 10
    params += width * HEAD + 2 * HEAD + HEAD * 10 + 10
    return {"macs": macs, "params": params, "depth": len(values) - values.count(0)}


def macro_class(values: Sequence[int]) -> str:
    """The arch that is the same network and was trained for it.

    Its identities after a stage's first layer come last.

    >>> macro_class((0, 0, 1, 0, 2, 2, 2, 2))
    '00120222'
    """
    text, start = "", 0
    for num_layers in MACRO_STAGES:
        first, *rest = values[start : start + num_layers]
        kept = "".join(map(str, filter(None, rest)))
        text += f"{first}" + kept.ljust(num_layers - 1, "0")
        start += num_layers
    return text


NBMACRO = Imported(
    name="nbmacro",
    title="NAS-Bench-Macro",
    choices=tuple(Choice(f"layer_{number}", LAYER_KINDS) for number in range(1, 9)),
    pattern="[012]{8}",
    looks_like=r"\d+",
    example="02012100",
    num_members=6_561,
    pieces=lambda text: list(map(int, text)),
    text=lambda values: "".join(map(str, values)),
    costs=layer_costs,
    costs_of=CIFAR10,
    class_of=macro_class,
    every=every_combination,
)
