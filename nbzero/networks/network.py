"""What every network here offers to the proxies, whichever space it is of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Blocks one after the other, a global average pooling, a classifier.

    Encoders of text read (B, T) tokens in place of images, and pool (B, T, H) by the first token.

    Attributes:
        blocks: what the proxies call blocks, in order.
        stage_of_block: the stage of each; 0 for the stem, stages from 1.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], stage_of_block: Sequence[int], width: int, num_classes: int
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.stage_of_block = list(stage_of_block)
        self.pool: nn.Module = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) images to the (B, C, H', W') tensor before pooling."""
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) images to (B, classes) logits."""
        logits: Tensor = self.classifier(torch.flatten(self.pool(self.features(x)), 1))
        return logits
