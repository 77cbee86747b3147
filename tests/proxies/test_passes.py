"""nbzero.proxies.passes: where the features of a network are found."""

import math

import pytest
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


class Squeezing(nn.Module):
    """Its first pool is of a gate, its last of a map of one pixel, or with the channels last."""

    def __init__(self, how="pool"):
        super().__init__()
        self.how = how
        self.gate, self.last, self.head = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 6), nn.Linear(4, 5)

    def body(self, x):
        return self.last(x * self.gate(F.adaptive_avg_pool2d(x, 1)))

    def forward(self, x):
        x = self.body(x)
        if self.how == "channels last":
            return self.head(x.permute(0, 2, 3, 1).mean(dim=(1, 2)))
        if self.how == "twice":
            return self.head(F.dropout(F.adaptive_avg_pool2d(x, 1), 0.5, self.training).mean((2, 3)))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def test_a_map_of_one_pixel_and_channels_last_are_pooled_too(batch):
    right = Squeezing()
    right.features = right.body
    for how in ("pool", "channels last", "twice"):
        net = Squeezing(how)
        net.load_state_dict(right.state_dict())
        scores = score(net, *batch, proxies=("zen", "phi"))
        assert scores == pytest.approx(score(right, *batch, proxies=("zen", "phi")), rel=1e-6), how


class Submodule(nn.Module):
    """Its submodule `features` is followed by a ReLU and a global average pool, or by a maximum alone."""

    def __init__(self, averages):
        super().__init__()
        self.features, self.classifier, self.averages = nn.Conv2d(3, 6, 1), nn.Linear(6, 5), averages

    def body(self, x):
        return F.relu(self.features(x)) if self.averages else self.features(x)

    def forward(self, x):
        x = self.body(x)
        return self.classifier(x.mean((2, 3)) if self.averages else x.amax((2, 3)))


@pytest.mark.parametrize("averages", [True, False])
def test_a_submodule_called_features_may_end_before_the_feature_maps(averages, batch):
    net = Submodule(averages)
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(batch[0].shape, generator=draws)
    near = noise + 0.01 * torch.randn(batch[0].shape, generator=draws)
    moved = (net.body(near) - net.body(noise)).abs().sum().item()
    assert score(net, *batch, proxies=("phi",))["phi"] == pytest.approx(moved, rel=1e-5)
