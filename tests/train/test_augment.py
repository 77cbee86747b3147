"""train.augment: crops, flips, smoothed targets and mixup, and the same on every device."""

import numpy as np
import pytest
import torch

from nbzero.images.tensors import normalise
from tests.train.pictures import (
    all_draws,
    heeds_no_memory_format,
    pictures,
    refuses_wrong_images,
    seeded,
    takes_a_batch_of_none,
)
from train import augment
from train.auto_augment import apply_sub_policies, auto_augment


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (17, 23), (1, 1)])
@pytest.mark.parametrize("padding", [0, 2, 5])
def test_crop_flip_same_as_one_by_one(padding, size):
    images = pictures(*size)
    generator = seeded(8)
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator).tolist()
    flips = torch.randint(0, 2, (1, len(images)), generator=generator)[0].tolist()
    result = augment.crop_flip(images, padding, seeded(8))
    assert result.dtype == torch.uint8 and result.shape == images.shape and result.is_contiguous()
    for image, got, top, left, flip in zip(images, result, tops, lefts, flips, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
        crop = padded[:, top : top + size[0], left : left + size[1]]
        assert np.array_equal(got.numpy(), crop[:, :, ::-1] if flip else crop)
    assert torch.equal(result, augment.crop_flip(images, padding, seeded(8)))


def test_crop_flip_draws_every_offset_evenly():
    num_images, padding = 18_000, 1
    images = torch.zeros(num_images, 3, 3, 4, dtype=torch.uint8)
    images[:, :, 1, 1] = 255
    seen, counts = (
        augment.crop_flip(images, padding, seeded(9))[:, 0].flatten(1).unique(dim=0, return_counts=True)
    )
    # the bright pixel lands in 3 rows and, unflipped, columns 0-2 or, flipped, 1-3
    assert len(seen) == 12 and (seen.sum(1) == 255).all()
    share = {int(row.argmax()): int(count) / num_images for row, count in zip(seen, counts, strict=True)}
    for column, expected in enumerate((1 / 18, 2 / 18, 2 / 18, 1 / 18)):
        for row in range(3):
            assert share[4 * row + column] == pytest.approx(expected, abs=0.013)


def test_smooth_targets():
    labels = torch.tensor([2, 0, 3])
    targets = augment.smooth_targets(labels, num_classes=4, smoothing=0.2)
    expected = [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.05, 0.85]]
    torch.testing.assert_close(targets, torch.tensor(expected), rtol=0, atol=1e-7)
    logits = torch.randn(3, 4, generator=seeded(0))
    torch.testing.assert_close(
        torch.nn.functional.cross_entropy(logits, targets),
        torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2),
    )
    assert torch.equal(augment.smooth_targets(labels, 4, 0.0), torch.nn.functional.one_hot(labels, 4).float())


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 5.0])
def test_mixup_mixes_pairs_in_one_proportion_and_conserves_targets(alpha):
    num_images = 12
    targets = torch.eye(
        num_images
    )  # every image its own class: the mixed targets show lambda and the partner
    images = torch.randn(num_images, 3, 5, 4, generator=seeded(1))
    for seed in range(20):
        mixed_images, mixed_targets = augment.mixup(images, targets, alpha, seeded(seed))
        torch.testing.assert_close(mixed_targets.sum(0), targets.sum(0))
        torch.testing.assert_close(mixed_targets.sum(1), targets.sum(1))
        torch.testing.assert_close(mixed_images, (mixed_targets @ images.flatten(1)).view_as(images))
        own = mixed_targets.diagonal()[mixed_targets.diagonal() < 1]
        assert len(own) == 0 or own.max() == own.min()
        again = augment.mixup(images, targets, alpha, seeded(seed))
        assert torch.equal(again[0], mixed_images) and torch.equal(again[1], mixed_targets)
    assert torch.equal(targets, torch.eye(num_images))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_proportion_is_beta(alpha):
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    generator = seeded(2)
    mixed = [augment.mixup(targets, targets, alpha, generator)[1][0, 0].item() for _ in range(4000)]
    own = np.array(
        [value for value in mixed if value != 1]
    )  # the other half of the permutations keeps each image
    assert len(own) == pytest.approx(2000, abs=160 if alpha == 1 else 400)
    assert own.mean() == pytest.approx(0.5, abs=0.05)
    if alpha == 1:
        assert np.quantile(own, (0.1, 0.5, 0.9)) == pytest.approx((0.1, 0.5, 0.9), abs=0.05)
    else:  # variance of Beta(a, a): 1 / (4 (2 a + 1))
        assert own.var() == pytest.approx(1 / (4 * 1.4), abs=0.015)


def test_mixup_known_case():
    _, mixed = augment.mixup(torch.eye(3), torch.eye(3), 0.2, seeded(0))
    own = 0.9657006  # a change of this number is a change of every recipe with mixup
    expected = torch.tensor([[own, 0, 1 - own], [0, 1, 0], [1 - own, 0, own]])
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-6)


def flipped(images):
    return augment.crop_flip(images, 2, seeded(0))


def test_crop_flip_of_other_images():
    refuses_wrong_images(flipped)
    heeds_no_memory_format(flipped)
    takes_a_batch_of_none(flipped)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, g: augment.crop_flip(i, -1, g), r"padding: -1 given; allowed are 0 and more"),
        (
            lambda i, g: augment.smooth_targets(torch.zeros(2), 3, 0.1),
            r"labels: float32 of shape \(2,\) given; .* int64",
        ),
        (
            lambda i, g: augment.smooth_targets(torch.tensor([[1]]), 3, 0.1),
            r"labels: int64 of shape \(1, 1\) given",
        ),
        (
            lambda i, g: augment.smooth_targets(torch.tensor([1]), 3, 1.0),
            r"smoothing: 1.0 given; allowed is 0 <= smo",
        ),
        (
            lambda i, g: augment.mixup(i, torch.eye(2), 0.2, g),
            r"images: uint8 of shape .*normalise them first",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.eye(3), 0.2, g),
            r"targets: float32 of shape \(3, 3\) .* \(2, C\)",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.tensor([0, 1]), 0.2, g),
            r"targets: int64 of shape \(2,\) given",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.eye(2), 0.0, g),
            r"alpha: 0.0 given; allowed is above 0",
        ),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), seeded(0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_on_cpu_and_gpu():
    def stream(device: str) -> list[torch.Tensor]:
        generator = seeded(11)
        images = pictures(32, 32).repeat(20, 1, 1, 1).to(device)
        cropped = augment.crop_flip(images, 4, generator)
        augmented = auto_augment(cropped, generator)
        every = apply_sub_policies(images, all_draws())
        targets = augment.smooth_targets((torch.arange(len(images)) % 10).to(device), 10, 0.1)
        normalised = normalise(augmented, (0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
        return [cropped, augmented, every, normalised, *augment.mixup(normalised, targets, 0.2, generator)]

    for on_cpu, on_gpu in zip(stream("cpu"), stream("cuda"), strict=True):
        assert on_gpu.is_cuda and torch.equal(on_cpu, on_gpu.cpu())
