"""Images, draws and generators that the tests of augmentation share. No test itself."""

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
