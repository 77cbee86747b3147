"""What is known of a tensor inside a network: whether its first axis is the images, where its channels are.

The marks of a tensor follow from the operation that made it and from the marks of what went in. An operation
that is not known here to keep the images first, as a roll, takes that mark away. Whoever needs to know then
asks `axes`. Channels are followed through transposes and reshapes too. Axes count from the end: -1 is
the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Axes = frozenset[int]


class Marks(NamedTuple):
    """What is known of a tensor.

    Attributes:
        images_first: its first axis is the images.
        channels: the axes that hold the channels, several where they are split into heads or groups; empty
            where they are not known.
    """

    images_first: bool = False
    channels: Axes = frozenset()


UNKNOWN = Marks()
_NAME = "_nbzero_marks"


def marks_of(tensor: Tensor) -> Marks:
    """What is known of a tensor."""
    marks: Marks = getattr(tensor, _NAME, UNKNOWN)
    return marks


def mark(tensor: Tensor, marks: Marks) -> Tensor:
    """Say what is known of a tensor."""
    setattr(tensor, _NAME, marks)
    return tensor


def marked_images(images: Tensor) -> Tensor:
    """A copy of the images, marked as what they are; a network may change its input in place."""
    channels = frozenset({-3}) if images.ndim == 4 else frozenset[int]()
    return mark(images.clone(), Marks(True, channels))


def methods(*names: str) -> set[Any]:
    """Functions of those names in torch, torch.nn.functional and Tensor, in-place ones too."""
    found = set()
    for home in (torch, F, Tensor, torch._C._nn):
        for name in names:
            for spelled in (name, f"{name}_", f"__{name}__", f"__i{name}__", f"__r{name}__"):
                if hasattr(home, spelled):
                    found.add(getattr(home, spelled))
    return found


# Layers and norms, by the axis of the channels of what they give
_LAYER_AXES: dict[Any, int] = {
    **dict.fromkeys(methods("conv1d", "conv_transpose1d"), -2),
    **dict.fromkeys(methods("conv2d", "conv_transpose2d", "channel_shuffle", "pixel_shuffle"), -3),
    **dict.fromkeys(methods("conv3d", "conv_transpose3d"), -4),
    **dict.fromkeys(methods("linear"), -1),
    F.embedding: -1,
}
_NORMS_SECOND = methods("batch_norm", "native_batch_norm", "group_norm", "instance_norm")
_NORMS_LAST = methods("layer_norm", "rms_norm")
# Numbers stay where they are, are pooled or replaced, alone or together with others
_ALIKE = methods(
    *("add", "sub", "mul", "div", "truediv", "neg", "abs", "exp", "pow", "sqrt", "rsqrt", "square", "where"),
    *("relu", "relu6", "leaky_relu", "rrelu", "prelu", "gelu", "silu", "elu", "selu", "celu", "mish"),
    *("hardtanh", "hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus", "threshold", "clamp"),
    *("clamp_min", "clamp_max", "clip", "dropout", "dropout1d", "dropout2d", "alpha_dropout", "to", "float"),
    *("contiguous", "clone", "max_pool2d", "_max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"),
    *("adaptive_max_pool2d", "interpolate", "pad", "lerp", "addcmul", "nan_to_num", "type_as", "softmax"),
    *("normalize", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like"),
)
_PRODUCTS = methods("matmul", "bmm", "scaled_dot_product_attention")
_FLATTENING = methods("flatten")
_RESHAPING = methods("reshape", "view", "reshape_as", "view_as", "unflatten")
# Views of some of the numbers, with the axes elsewhere
_MOVING = methods("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "squeeze")
_MOVING |= methods("unsqueeze", "select", "narrow", "expand", "unbind", "chunk", "split", "getitem")
_MOVING |= {vars(torch._C.TensorBase)[name].__get__ for name in ("T", "mT")}
_AVERAGING = methods("mean", "amax", "sum")
_JOINING = methods("cat", "concat")


def mark_outputs(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
    """Mark what an operation gave."""
    if func in _MOVING:
        given = [outputs] if isinstance(outputs, Tensor) else outputs
        for output, marks in zip(given, _of_views(func, args, kwargs, len(given)), strict=True):
            # In place the shape is another already, which may have one axis more in front.
            in_place = output is args[0]
            mark(output, marks._replace(images_first=marks.images_first and not in_place))
    elif isinstance(outputs, Tensor):
        rule = _RULES.get(func, _of_same_shape)
        marks = rule(func, args, kwargs, outputs)
        if marks != UNKNOWN or marks_of(outputs) != UNKNOWN:
            mark(outputs, marks)


def marks_of_layer(source: Tensor, axis: int) -> Marks:
    """What is known of the output of a layer or norm that works along an axis of this tensor.

    Along another axis than that of the channels it mixes positions: channels stay where they were.
    """
    channels = _known(source) or frozenset({axis})
    return Marks(marks_of(source).images_first, channels)


def _of_views(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], number: int) -> list[Marks]:
    """The marks of each output of an operation that only moves axes, or picks along them.

    A stand-in without numbers goes through it, whose stride along each axis is the number of that axis.
    UNKNOWN where nothing is known of what went in, or where a tensor or list says what is picked.
    """
    source = args[0]
    channels = {axis for axis in _known(source) if source.shape[axis] > 1}
    is_first = marks_of(source).images_first
    others = _flat([*args[1:], *kwargs.values()])
    if not (channels or is_first) or not all(isinstance(value, _PLAIN) for value in others):
        return [UNKNOWN] * number
    strides = [_STRIDE + axis for axis in range(source.ndim)]
    stand_in = torch.empty_strided(source.shape, strides, device="meta")
    outputs = func(stand_in, *args[1:], **kwargs)
    views = [outputs] if isinstance(outputs, Tensor) else outputs
    labels = {_STRIDE + source.ndim + axis for axis in channels}
    found = []
    for view in views:
        has_all = view.ndim > 0 and view.stride(0) == _STRIDE and len(view) == len(source)
        found.append(Marks(is_first and has_all, _labelled(view, labels) if labels else frozenset()))
    return found


_PLAIN = (int, slice, type(None), type(...))
_STRIDE = 1_000_003  # of the first axis of a stand-in; twice as much is the stride of no other


def _labelled(output: Tensor, labels: set[int]) -> Axes:
    """The axes of a stand-in that have these strides; none where one of them has been left out."""
    found = {}
    for axis in range(output.ndim):
        if output.stride(axis) in labels and output.shape[axis] > 1:
            found[output.stride(axis)] = axis - output.ndim
    return frozenset(found.values()) if found.keys() == labels else frozenset()


def _of_layer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Marks:
    """Of the tensors given the first counts: the others are weights and statistics."""
    source = args[0] if args else kwargs["input"]
    second = 1 - output.ndim if func in _NORMS_SECOND else -1
    return marks_of_layer(source, _LAYER_AXES.get(func, second))


def _of_numbers(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], __: Tensor) -> Marks:
    tensors = _tensors([*args, *kwargs.values()])
    if len(tensors) == 1:
        return marks_of(tensors[0])
    most = max((value.ndim for value in tensors), default=0)
    if most == 0:
        return UNKNOWN
    return Marks(_are_first(tensors), _agreed(value for value in tensors if value.ndim == most))


def _are_first(tensors: Sequence[Tensor]) -> bool:
    """Whether what is made of tensors that are laid over each other, images first, has its images first."""
    most = max(value.ndim for value in tensors)
    largest = [value for value in tensors if value.ndim == most]
    known = [marks_of(value).images_first for value in largest]
    # A table of one row, as a position embedding, is laid over all images.
    all_first = all(is_first or len(value) == 1 for is_first, value in zip(known, largest, strict=True))
    smaller = any(marks_of(value).images_first for value in tensors if value.ndim < most)
    return all_first and any(known) and not smaller


def _of_product(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Marks:
    """Of matrices, of which each image has its own: three axes or more."""
    tensors = _tensors([*args, *kwargs.values()])
    images_first = output.ndim > 2 and max(value.ndim for value in tensors) > 2 and _are_first(tensors)
    return Marks(images_first, _agreed(value for value in tensors if value.shape == output.shape))


def _of_same_shape(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Marks:
    """An operation that is not known here, as a roll, keeps the axes where it keeps the shape."""
    tensors = _tensors([*args, *kwargs.values()])
    return Marks(False, _agreed(value for value in tensors if value.shape == output.shape))


def _of_average(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Marks:
    source = args[0]
    given = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
    axes = given if isinstance(given, (tuple, list)) else (given,)
    if source.ndim == 0 or not all(isinstance(axis, int) for axis in axes):
        return UNKNOWN
    taken = {axis % source.ndim - source.ndim for axis in axes}
    images_first = marks_of(source).images_first and -source.ndim not in taken
    channels = _known(source)
    if channels & taken:
        return Marks(images_first)
    if output.ndim < source.ndim:
        channels = frozenset(axis + sum(other > axis for other in taken) for axis in channels)
    return Marks(images_first, channels)


def _of_joined(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], __: Tensor) -> Marks:
    parts = args[0] if args else kwargs["tensors"]
    axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
    images_first = axis >= 1 and all(marks_of(part).images_first for part in parts)
    return Marks(images_first, _agreed(parts))


def _of_flattened(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Marks:
    start = args[1] if len(args) > 1 else kwargs.get("start_dim", 0)
    images_first = marks_of(args[0]).images_first and start >= 1
    return Marks(images_first, _reshaped(args[0], output))


def _of_reshaped(_: Any, args: tuple[Any, ...], __: dict[str, Any], output: Tensor) -> Marks:
    source = args[0]
    alike = source.ndim > 0 and output.ndim > 0 and len(source) == len(output)
    images_first = marks_of(source).images_first and alike and source.numel() == output.numel()
    return Marks(images_first, _reshaped(source, output))


_RULES = {
    **dict.fromkeys((*_LAYER_AXES, *_NORMS_SECOND, *_NORMS_LAST), _of_layer),
    **dict.fromkeys(_ALIKE, _of_numbers),
    **dict.fromkeys(_AVERAGING, _of_average),
    **dict.fromkeys(_JOINING, _of_joined),
    **dict.fromkeys(_PRODUCTS, _of_product),
    **dict.fromkeys(_FLATTENING, _of_flattened),
    **dict.fromkeys(_RESHAPING, _of_reshaped),
}


def _reshaped(source: Tensor, output: Tensor) -> Axes:
    """The channel axes after a reshape; none where they were joined with others."""
    channels = {axis + source.ndim for axis in _known(source) if source.shape[axis] > 1}
    if not channels or source.numel() != output.numel():
        return frozenset()
    found: set[int] = set()
    for before, after in _groups(source.shape, output.shape):
        if channels.isdisjoint(before):
            continue
        if not channels.issuperset(before):
            return frozenset()
        found.update(after)
    return frozenset(axis - output.ndim for axis in found)


def _groups(before: torch.Size, after: torch.Size) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes that hold the same numbers, in the smallest groups, without those of size 1."""
    rest = [[axis for axis, size in enumerate(shape) if size > 1] for shape in (before, after)]
    groups = []
    while rest[0] and rest[1]:
        group = [rest[0].pop(0)], [rest[1].pop(0)]
        sizes = [before[group[0][0]], after[group[1][0]]]
        while sizes[0] != sizes[1]:
            behind = int(sizes[1] < sizes[0])
            axis = rest[behind].pop(0)
            group[behind].append(axis)
            sizes[behind] *= (before, after)[behind][axis]
        groups.append(group)
    return groups


def _known(tensor: Tensor) -> Axes:
    """The channel axes, where there is more than one channel."""
    channels = marks_of(tensor).channels
    return channels if math.prod(tensor.shape[axis] for axis in channels) > 1 else frozenset()


def _agreed(tensors: Iterable[Tensor]) -> Axes:
    """The channel axes of all that are known."""
    known = {marks_of(tensor).channels for tensor in tensors} - {frozenset()}
    return known.pop() if len(known) == 1 else frozenset()


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among values, and in those that are tuples or lists."""
    return _tensors(_flat(values))


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]


def _flat(values: Iterable[Any]) -> list[Any]:
    """Values, with the items of those that are tuples or lists."""
    flat: list[Any] = []
    for value in values:
        flat.extend(value if isinstance(value, (tuple, list)) else (value,))
    return flat
