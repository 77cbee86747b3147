"""Which axis of a tensor is the images.

Windows and patches lie behind each other in the first axis, and some layers take tokens first. Where the
operations before a tensor do not tell (`marks`), two more forward passes do, over two images and over three:
the axis of the images is the one whose size follows their number. Where an image has several rows there, the
first image is the same in both passes, and its values tell whether its rows follow each other. A network that
runs on one number of images alone gets two batches of that number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nbzero.errors import ProxyError
from nbzero.proxies.marks import marks_of
from nbzero.proxies.passes import generator, normal

Lend = Callable[[], AbstractContextManager[nn.Module]]
Listen = Callable[[nn.Module, Callable[[Tensor], None]], AbstractContextManager[Any]]


class Layout(NamedTuple):
    """Where the images of a tensor lie.

    Attributes:
        axis: along which they lie; None where the tensor does not depend on how many there are.
        rows: of each image along it.
        together: the rows of an image follow each other; else the first rows of all images come first.
    """

    axis: int | None
    rows: int = 1
    together: bool = True


FIRST = Layout(0)


class UnsureError(Exception):
    """The operations before a tensor do not tell which axis is the images."""


class Axes:
    """The layouts of the tensors of one pass, in the order in which they come.

    Args:
        found: by `layouts_of`; None: by the marks of the tensors, UnsureError where they say nothing.
    """

    def __init__(self, num_images: int, found: list[Layout | str] | None = None) -> None:
        self.num_images, self.found, self.number = num_images, found, 0

    def next(self, tensor: Tensor) -> Layout:
        """The layout of the next tensor; ProxyError where it could not be found."""
        if self.found is None:
            if not marks_of(tensor).images_first or len(tensor) != self.num_images:
                raise UnsureError
            return FIRST
        if self.number >= len(self.found):
            raise ProxyError(_OTHER_CALLS)
        layout = self.found[self.number]
        self.number += 1
        if isinstance(layout, str):
            raise ProxyError(layout)
        if layout.axis is not None and tensor.shape[layout.axis] != layout.rows * self.num_images:
            raise ProxyError(_OTHER_CALLS)
        return layout

    def by_image(self, tensor: Tensor) -> Tensor | None:
        """The next tensor, images first; (B, rows, ..) where they have several. None where it has none."""
        layout = self.next(tensor)
        return None if layout.axis is None else images_first(tensor, layout, self.num_images)


_OTHER_CALLS = "the layers run another way on another number of images, so their axis cannot be told"


def images_first(tensor: Tensor, layout: Layout, num_images: int) -> Tensor:
    """A tensor with the images in front: (B, ..), or (B, rows, ..)."""
    if layout == FIRST or layout.axis is None:
        return tensor
    moved = tensor.movedim(layout.axis, 0)
    if layout.rows == 1:
        return moved
    if layout.together:
        return moved.unflatten(0, (num_images, layout.rows))
    return moved.unflatten(0, (layout.rows, num_images)).transpose(0, 1)


def layouts_of(lend: Lend, images: Tensor, listen: Listen) -> list[Layout | str]:
    """The layout of every tensor that `listen` tells of, in order; or why it cannot be told.

    Args:
        lend: lends the network once.
        images: those to be scored.
        listen: a context in which what a network gives its second argument is compared.

    Raises:
        ProxyError: the network does not run on two or three images.
    """
    found: list[Layout | str] = []
    for is_eval in (False, True):
        layouts = _layouts(lend, images, listen, is_eval)
        if not is_eval:
            found = layouts
        elif len(layouts) == len(found):  # a random depth is off in eval mode
            pairs = zip(found, layouts, strict=True)
            found = [other if isinstance(layout, str) else layout for layout, other in pairs]
        if not any(isinstance(layout, str) for layout in found):
            break
    return found


def _layouts(lend: Lend, images: Tensor, listen: Listen, is_eval: bool) -> list[Layout | str]:
    """By the sizes of tensors of two and three images; by values alone where other numbers do not run."""
    of_sizes: Callable[[Tensor, Tensor], Layout | str] = _layout
    sizes = (1, 2)
    for sizes in ((1, 2), (len(images) - 1,) * 2):
        try:
            seen = [_seen(lend, batch, listen, is_eval) for batch in _batches(images, sizes)]
            break
        except ProxyError:
            if sizes != (1, 2) or len(images) == 1:
                raise
    one, other = seen
    if len(one) != len(other):
        raise ProxyError(_OTHER_CALLS)
    if sizes != (1, 2):
        of_sizes = partial(_layout_by_values, num_images=len(images))
    return [of_sizes(a, b) for a, b in zip(one, other, strict=True)]


def _batches(images: Tensor, others: tuple[int, ...]) -> Iterator[Tensor]:
    """The first image with some others, and once more with yet others."""
    draws = generator(0)
    for number in others:
        shape = (number, *images.shape[1:])
        if images.is_floating_point():
            drawn = normal(shape, draws, images)
        else:
            chosen = torch.randint(images.numel(), shape, generator=draws, device="cpu")
            drawn = images.flatten()[chosen.to(images.device)]
        yield torch.cat([images[:1], drawn])


def _seen(lend: Lend, batch: Tensor, listen: Listen, is_eval: bool) -> list[Tensor]:
    seen: list[Tensor] = []
    with lend() as net, torch.no_grad():
        net.train(not is_eval)
        for module in net.modules():
            if not module._modules:
                module.training = False  # no batch norm couples the images, and nothing is dropped
        try:
            with listen(net, lambda tensor: seen.append(tensor.detach().clone())):
                net(batch)
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            said = f"on {len(batch)} images {type(error).__name__}: {error}".split("\n")[0]
            raise ProxyError(f"which axis is the images cannot be told: {said}") from error
    return seen


def _layout(two: Tensor, three: Tensor) -> Layout | str:
    if two.ndim != three.ndim:
        return _OTHER_CALLS
    sizes = zip(two.shape, three.shape, strict=True)
    following = [axis for axis, (a, b) in enumerate(sizes) if a != b]
    if not following:
        return Layout(None)
    axis = following[0]
    size = two.shape[axis]
    if len(following) > 1 or size % 2 or 3 * size != 2 * three.shape[axis]:
        return f"no single axis of a tensor of shape {tuple(two.shape)} (of two images) is the images"
    if size == 2:
        return Layout(axis)
    together, apart = Layout(axis, size // 2), Layout(axis, size // 2, False)
    of_together, of_apart = (_difference(two, three, layout) for layout in (together, apart))
    best = min(of_together, of_apart)
    if best <= 1e-3 and max(of_together, of_apart) > 100 * max(best, 1e-7):
        return together if best == of_together else apart
    return "which rows of a layer are of one image cannot be told: its images are alike, or mixed"


def _layout_by_values(one: Tensor, other: Tensor, num_images: int) -> Layout | str:
    """Of two batches of one size: the first image's values are the same, and all others' are not."""
    if one.shape != other.shape:
        return _OTHER_CALLS
    if torch.equal(one, other):
        return Layout(None)
    fitting = []
    for axis, size in enumerate(one.shape):
        rows = size // num_images
        if size == 0 or size % num_images:
            continue
        for layout in {Layout(axis, rows), Layout(axis, rows, rows == 1)}:
            pair = [images_first(tensor, layout, num_images) for tensor in (one, other)]
            differing = (pair[0] - pair[1]).abs().flatten(1).amax(1) > 1e-3 * one.abs().amax()
            if not differing[0] and differing[1:].all():
                fitting.append(layout)
    if len(fitting) == 1:
        return fitting[0]
    return f"no single axis of a tensor of shape {tuple(one.shape)} is the images"


def _difference(two: Tensor, three: Tensor, layout: Layout) -> float:
    """How much the first image's values among two and among three differ, beside the largest of them."""
    one, other = images_first(two, layout, 2)[0].float(), images_first(three, layout, 3)[0].float()
    scale = one.abs().amax().clamp(min=1e-30)
    return ((one - other).abs().amax() / scale).item()
