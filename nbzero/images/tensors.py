"""A data set as tensors: what a training run or a scoring reads.

N images, 3 channels (red, green, blue), R x R pixels (R is the resolution); B, C, H, W of a batch.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbzero.errors import UsageError
from nbzero.images.facts import dataset
from nbzero.images.sources import find_source, read_official
from nbzero.images.splits import scoring_order, split_indices, training_subset

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """uint8 images (N, 3, R, R) and int64 labels (N,), all on one device.

    `train_index` (N,) int64 has the official index of each training image, ascending. Val is in index order
    too.
    """

    dataset: str
    resolution: int
    train_images: Tensor
    train_labels: Tensor
    train_index: Tensor
    val_images: Tensor
    val_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device | str) -> ImageData:
        """The same data on another device."""
        moved: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                moved[field.name] = value.to(device)
        return dataclasses.replace(self, **moved)

    def scoring_batch(self, num_images: int, seed: int) -> tuple[Tensor, Tensor]:
        """uint8 images (num_images, 3, R, R) and labels of `scoring_indices`, in its order, not augmented.

        Raises:
            UsageError: loaded with `train_images`, so images that the seed chooses could be absent.
        """
        if len(self.train_labels) + len(self.val_labels) != dataset(self.dataset).num_train:
            raise UsageError("scoring images are chosen among all training images: load without train_images")
        index, labels = self.train_index.cpu().numpy(), self.train_labels.cpu().numpy()
        order = scoring_order(self.dataset, index, labels, num_images, seed)
        return self.train_images[order], self.train_labels[order]


def load(
    name: str,
    source: str | Path | None = None,
    resolution: int | None = None,
    train_images: int | None = None,
) -> ImageData:
    """The splits of a data set as tensors on the CPU.

    Args:
        name: one of DATASETS.
        source: as `find_source` and `read_official`; None looks where NBZERO_IMAGES says.
        resolution: None is the native one; smaller ones are box-downsampled.
        train_images: how many training images to keep, `train_images // num_classes` of each class (all where
            there are fewer), as `training_subset`; None keeps all.

    Raises:
        UnknownNameError: no data set of that name.
        ImagesError: as `find_source` and `read_official`.
        UsageError: a resolution that does not divide the native one, or fewer train_images than classes.
    """
    spec = dataset(name)
    resolution = spec.resolution if resolution is None else resolution
    _check_resolution(spec.resolution, resolution)
    per_class = None
    if train_images is not None:
        per_class = train_images // spec.num_classes
        if per_class < 1:
            raise UsageError(
                f"train_images: {train_images}, must be at least one for each of {spec.num_classes} classes"
            )
    official = read_official(name, find_source(name, source))
    train = training_subset(name, official.train_labels, per_class)
    val = split_indices(name, official.train_labels).val
    return ImageData(
        dataset=name,
        resolution=resolution,
        train_images=_shrunk(official.train_images[train], resolution),
        train_labels=torch.from_numpy(official.train_labels[train]),
        train_index=torch.from_numpy(train),
        val_images=_shrunk(official.train_images[val], resolution),
        val_labels=torch.from_numpy(official.train_labels[val]),
        test_images=_shrunk(official.test_images, resolution),
        test_labels=torch.from_numpy(official.test_labels),
    )


def _shrunk(images: Pixels, resolution: int) -> Tensor:
    return torch.from_numpy(box_downsample(images, resolution))


def box_downsample(images: Pixels, resolution: int) -> Pixels:
    """Mean of k x k blocks, k = R // resolution, rounded half up in integers: (sum + k*k // 2) // (k*k).

    Args:
        images: uint8 (N, 3, R, R).
        resolution: a divisor of R.

    Raises:
        UsageError: a resolution that does not divide R, or a larger one: nothing is ever upsampled.

    >>> box_downsample(np.array([[0, 1], [1, 0]], np.uint8).reshape(1, 1, 2, 2), 1).item()  # 0.5 rounds up
    1
    """
    native = images.shape[-1]
    _check_resolution(native, resolution)
    k = native // resolution
    if k == 1:
        return images
    total = np.full((*images.shape[:2], resolution, resolution), k * k // 2, np.uint32)
    for row, column in itertools.product(range(k), repeat=2):
        total += images[:, :, row::k, column::k]
    return (total // np.uint32(k * k)).astype(np.uint8)


def _check_resolution(native: int, resolution: int) -> None:
    if resolution >= 1 and native % resolution == 0:
        return
    allowed = ", ".join(str(size) for size in range(1, native + 1) if native % size == 0)
    raise UsageError(f"resolution: {resolution}, must divide the native {native} (no upsampling): {allowed}")


def normalise(images_BCHW: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(v / 255 - mean) / std per channel, computed as v * scale + shift.

    Args:
        images_BCHW: uint8 (B, 3, H, W), in any memory format; the result keeps it.
        mean, std: three numbers each, of values scaled to 0 .. 1; std > 0.

    Returns:
        float32 (B, 3, H, W), the same on every device.

    Raises:
        UsageError: other images, means or deviations.
    """
    check_images(images_BCHW)
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UsageError(f"mean, std: {mean}, {std} given; allowed are three numbers each, std above 0")
    scale_C11, shift_C11 = _scale_and_shift(tuple(mean), tuple(std), images_BCHW.device)
    return torch.mul(images_BCHW, scale_C11).add_(shift_C11)


@functools.lru_cache(maxsize=64)
def _scale_and_shift(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Kept, because copying to a card would have it wait at every batch, and cannot be in a CUDA graph."""
    scale = [1 / (255 * s) for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    with torch.inference_mode(False):
        scale_C11, shift_C11 = torch.tensor([scale, shift]).view(2, 3, 1, 1).to(device).unbind()
    return scale_C11, shift_C11


def check_images(images_BCHW: Tensor) -> None:
    """UsageError for what is not a batch of images, uint8 (B, 3, H, W)."""
    if images_BCHW.dtype != torch.uint8 or images_BCHW.ndim != 4 or images_BCHW.shape[1] != 3:
        raise UsageError(f"images: {described(images_BCHW)} given; allowed is uint8 of shape (B, 3, H, W)")


def described(tensor: Tensor) -> str:
    """Type and shape in words, for messages.

    >>> described(torch.zeros(2, 3))
    'float32 of shape (2, 3)'
    """
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
