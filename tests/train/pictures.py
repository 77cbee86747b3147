"""Images, draws and generators that the tests of augmentation share. No test itself."""

from collections.abc import Callable

import pytest
import torch

from train.auto_augment import SubPolicyDraws


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(height: int, width: int) -> torch.Tensor:
    """Random, smooth, narrow, two-valued and constant images, uint8 (20, 3, height, width)."""
    random = torch.randint(0, 256, (8, 3, height, width), generator=seeded(1))
    narrow = torch.randint(90, 140, (4, 3, height, width), generator=seeded(2))
    y, x = torch.arange(height).view(-1, 1), torch.arange(width)
    ramps = (y * 255 // height + 0 * x, x * 200 // width + 0 * y + 20, (x + y) * 127 // (height + width))
    smooth = torch.stack([torch.stack(ramps), torch.stack(ramps[::-1])])
    one_bright = torch.full((1, 3, height, width), 40)
    one_bright[:, :, -1, -1] = 200
    constant = torch.tensor([0, 1, 77, 254, 255]).view(-1, 1, 1, 1).expand(-1, 3, height, width)
    return torch.cat([random, narrow, smooth, one_bright, constant]).to(torch.uint8)


def all_draws() -> SubPolicyDraws:
    """Every sub-policy with every combination of applications and signs, 25 x 16 images."""
    bits = torch.tensor([[i >> b & 1 for b in range(4)] for i in range(16)]).repeat(25, 1).bool()
    return SubPolicyDraws(torch.arange(25).repeat_interleave(16), bits[:, :2], bits[:, 2:])


def refuses_wrong_images(transform: Callable[[torch.Tensor], object]) -> None:
    """Asserts that only uint8 images of shape (B, 3, H, W) are taken."""
    for images, given in (
        (torch.zeros(2, 3, 4, 4), r"float32 of shape \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"uint8 of shape \(3, 4, 4\)"),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8), r"uint8 of shape \(2, 4, 4, 3\)"),
    ):
        message = rf"^images: {given} given; allowed is uint8 of shape \(B, 3, H, W\)$"
        with pytest.raises(ValueError, match=message):
            transform(images)


def heeds_no_memory_format(transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Asserts that channels_last gives the same and that the images stay as they were."""
    images = pictures(16, 16)[:2]
    before = images.clone()
    assert torch.equal(transform(images.contiguous(memory_format=torch.channels_last)), transform(images))
    assert torch.equal(images, before)


def takes_a_batch_of_none(transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Asserts that no images give no images."""
    assert transform(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0, 3, 8, 8)
