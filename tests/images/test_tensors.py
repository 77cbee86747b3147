"""nbzero.images.tensors: resolutions, the splits as tensors, normalised pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nbzero.images.sources import OfficialImages
from nbzero.images.splits import scoring_indices, split_indices, training_subset
from nbzero.images.tensors import box_downsample, load, normalise
from tests.images.made import Made, needs_strips, one_label_byte
from tests.places import DATA as STRIPS


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 12])
def test_box_downsampling_is_the_rounded_mean(factor: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 12, 12), dtype=np.uint8)
    pixels[0] = 255
    small = box_downsample(pixels, 12 // factor)
    blocks = pixels.reshape(5, 3, 12 // factor, factor, 12 // factor, factor).astype(np.float64)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small, np.floor(blocks.mean((3, 5)) + 0.5 + 1e-9))


def test_other_resolutions_are_refused() -> None:
    for resolution in (0, 5, 24):
        with pytest.raises(
            ValueError, match=rf"resolution: {resolution}, must divide the native 12 \(no upsampling\)"
        ):
            box_downsample(np.zeros((1, 3, 12, 12), np.uint8), resolution)
    with pytest.raises(ValueError, match="resolution: 32, must divide the native 16"):
        load("digits", resolution=32)


@one_label_byte
def test_load_gives_the_splits_as_tensors(tiny: Made, tmp_path: Path) -> None:
    folder, labels = tiny.write("h5", tmp_path), tiny.arrays["train_labels"]
    data, split = load("tiny", folder), split_indices("tiny", labels)
    for part, indices in (("train", split.train), ("val", split.val)):
        np.testing.assert_array_equal(getattr(data, f"{part}_images"), tiny.arrays["train_images"][indices])
        np.testing.assert_array_equal(getattr(data, f"{part}_labels"), labels[indices])
    np.testing.assert_array_equal(data.train_index, split.train)
    np.testing.assert_array_equal(data.test_images, tiny.arrays["test_images"])
    assert data.train_images.dtype == torch.uint8 and data.val_labels.dtype == torch.int64
    assert all(part.is_contiguous() for part in (data.train_images, data.val_images, data.test_images))

    small = load("tiny", folder, resolution=2, train_images=22)  # 22 // 4 = 5 of each class
    assert small.resolution == 2 and small.val_images.shape == (len(split.val), 3, 2, 2)
    np.testing.assert_array_equal(small.train_index, training_subset("tiny", labels, 5))
    np.testing.assert_array_equal(
        small.train_images, box_downsample(tiny.arrays["train_images"], 2)[small.train_index]
    )
    with pytest.raises(ValueError, match="train_images: 3, must be at least one for each of 4 classes"):
        load("tiny", folder, train_images=3)

    moved = data.to("meta")
    assert moved.train_images.device.type == moved.test_labels.device.type == "meta"
    assert moved.dataset == "tiny" and data.train_images.device.type == "cpu"

    batch, batch_labels = data.scoring_batch(11, seed=2)
    chosen = scoring_indices("tiny", labels, 11, seed=2)
    np.testing.assert_array_equal(batch, tiny.arrays["train_images"][chosen])
    np.testing.assert_array_equal(batch_labels, labels[chosen])
    with pytest.raises(ValueError, match="load without train_images"):
        small.scoring_batch(4, seed=0)


@needs_strips
@pytest.mark.usefixtures("cifar10_read_once")
def test_the_images_of_the_cpu_recipe(official_cifar10: OfficialImages) -> None:
    cifar10 = official_cifar10
    data = load("cifar10", STRIPS, resolution=16, train_images=25_000)
    assert data.train_images.shape == (25_000, 3, 16, 16) and data.val_images.shape == (5_000, 3, 16, 16)
    assert (
        data.train_labels.bincount().tolist() == [2500] * 10
        and data.val_labels.bincount().tolist() == [500] * 10
    )
    assert data.test_images.shape == (10_000, 3, 16, 16)
    block = cifar10.train_images[int(data.train_index[7]), 1, 4:6, 8:10].astype(int)
    assert data.train_images[7, 1, 2, 4].item() == (block.sum() + 2) // 4


# ---- normalised pixels ----

HALF = (0.5, 0.5, 0.5)


def random_pixels() -> torch.Tensor:
    return torch.randint(0, 256, (20, 3, 17, 23), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_normalise() -> None:
    mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
    pixels = random_pixels()
    result = normalise(pixels, mean, std)
    expected = (pixels.numpy() / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=5e-7)


def test_normalise_keeps_the_memory_format_and_its_input() -> None:
    pixels = random_pixels()
    before = pixels.clone()
    other = normalise(pixels.contiguous(memory_format=torch.channels_last), HALF, HALF)
    assert other.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(other, normalise(pixels, HALF, HALF)) and torch.equal(pixels, before)
    assert normalise(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), HALF, HALF).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("wrong", "given"),
    [
        (torch.zeros(2, 3, 4, 4), r"float32 of shape \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"uint8 of shape \(3, 4, 4\)"),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8), r"uint8 of shape \(2, 4, 4, 3\)"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(wrong: torch.Tensor, given: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^images: {given} given; allowed is uint8 of shape \(B, 3, H, W\)$"
    ):
        normalise(wrong, HALF, HALF)


@pytest.mark.parametrize(
    ("mean", "std", "told"),
    [
        ((0.5, 0.5), (1, 1, 1), r"mean, std: \(0.5, 0.5\), .* three numbers each"),
        ((0, 0, 0), (1, 0, 1), r"mean, std: .* std above 0"),
    ],
)
def test_other_means_and_deviations_are_refused(mean: tuple, std: tuple, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        normalise(random_pixels(), mean, std)
