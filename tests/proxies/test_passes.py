"""nbzero.proxies.passes: where the features of a network are found."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, reason


def test_features_that_cannot_be_found_or_moved(batch):
    assert "it has no features(images)" in reason(Stack(nn.Conv2d(3, 5, 6), nn.Flatten()), batch, "zen")
    constant = TinyNet()
    constant.features = lambda x: torch.ones(len(x), 4, 1, 1)
    assert "does not move the features" in reason(constant, batch, "zen")


def test_features_are_what_enters_the_last_global_pool(batch):
    class Squeezed(nn.Module):
        """A global pool in the middle, as in squeeze-and-excitation, and one at the end."""

        def __init__(self):
            super().__init__()
            self.stem, self.squeeze = (
                nn.Conv2d(3, 4, 3),
                nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1)),
            )
            self.pool, self.head = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(4, 5)

        def body(self, x):
            x = self.stem(x)
            return x * self.squeeze(x)

        def forward(self, x):
            return self.head(self.pool(self.body(x)).flatten(1))

    class Named(Squeezed):
        def features(self, x):
            return self.body(x)

    class Averaged(Squeezed):
        def forward(self, x):
            return self.head(self.body(x).mean((2, 3)))

    class Functional(Squeezed):
        def forward(self, x):
            return self.head(F.adaptive_avg_pool2d(self.body(x), 1).mean((2, 3)))

    class Window(Squeezed):
        def forward(self, x):
            return self.head(F.avg_pool2d(self.body(x), 4).flatten(1))

    named = score(Named(), *batch, proxies=("zen",))["zen"]
    assert math.isfinite(named)
    for kind in (Squeezed, Averaged, Functional, Window):
        assert score(kind(), *batch, proxies=("zen",))["zen"] == named
