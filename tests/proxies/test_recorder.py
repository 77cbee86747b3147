"""nbzero.proxies.recorder: which units count, what blocks share, what is overwritten before it is read."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, pooled, reason, slow_logdet, state

NAMES = sorted(PROXIES)


@pytest.mark.parametrize(
    "make", [lambda: nn.LeakyReLU(0.1), nn.PReLU, lambda: nn.LeakyReLU(0.1, inplace=True)]
)
def test_every_layer_named_relu_has_units(make, batch):
    named, plain = (
        pooled(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), make()),
        pooled(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU()),
    )
    plain.load_state_dict(named.state_dict(), strict=False)
    asked = ("naswot", "swap", "linear_regions", "acor")
    assert score(named, *batch, asked) == score(plain, *batch, asked)


class ConvReLU(nn.Sequential):
    """A container of that name has no units of its own."""


def test_a_container_named_relu_is_not_counted_twice(batch):
    layers = [nn.Conv2d(3, 5, 3), nn.ReLU()]
    assert score(pooled(ConvReLU(*layers)), *batch, ("naswot",)) == score(
        pooled(*layers), *batch, ("naswot",)
    )


def test_a_relu_on_rows_of_the_images_follows_the_images(batch):
    class Windows(TinyNet):
        def features(self, x):
            return self.last(super().features(x).reshape(16, 6, 3, 6)).reshape(8, 6, 6, 6)

    class Twice(TinyNet):
        def features(self, x):
            return self.last(super().features(x))

    for name in ("naswot", "swap", "acor", "gcor"):
        there, right = (score(net, *batch, (name,))[name] for net in (Windows(), Twice()))
        assert there == pytest.approx(right, rel=1e-5), name


def test_gradients_of_responses_need_no_weights(batch):
    net = Stack(
        nn.Flatten(2),
        nn.Conv1d(3, 6, 3),
        nn.ReLU(),
        nn.Conv1d(6, 5, 1),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    assert math.isfinite(score(net, *batch, proxies=("gcor",))["gcor"])
    assert "fisher reads the outputs of Conv2d and Linear layers" in reason(net, batch, "fisher")


class Shared(TinyNet):
    """One ReLU in both blocks, or one block twice."""

    def __init__(self, block_twice=False):
        super().__init__()
        if block_twice:
            self.blocks = nn.ModuleList(
                [
                    self.blocks[0],
                    block := nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()),
                    block,
                ]
            )
        else:
            self.blocks = nn.ModuleList([nn.Sequential(*block[:2], self.last) for block in self.blocks])

    def features(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def test_what_blocks_share_counts_for_the_block_that_runs(batch):
    torch.manual_seed(0)
    for shared in (Shared(), Shared(block_twice=True)):
        apart = Shared()
        apart.blocks = nn.ModuleList(copy.deepcopy(block) for block in shared.blocks)
        asked = ("wrcor", "wrcor_expt2b", "az_expressivity", "az_progressivity", "az_trainability", "bndlent")
        assert score(shared, *batch, asked) == score(apart, *batch, asked)


class Early(nn.Module):
    """Activations that no weight lies before, and one that the loss does not depend on.

    The first are on the images, or on the tokens' embedding.
    """

    def __init__(self, tokens=False):
        super().__init__()
        self.embed = nn.Embedding(20, 6) if tokens else nn.BatchNorm2d(3)
        self.first, self.second, self.idle = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.hidden, self.classifier = nn.Linear(6, 6) if tokens else nn.Conv2d(3, 6, 3), nn.Linear(6, 5)

    def forward(self, x):
        x = self.hidden(self.first(self.embed(x)))
        self.idle(-x)
        x = self.second(x)
        return self.classifier(x.flatten(2).mean(2) if x.ndim == 4 else x.mean(1))


@pytest.mark.parametrize("tokens", [False, True])
def test_an_activation_before_the_first_weight_has_a_gradient(tokens, batch):
    torch.manual_seed(0)
    net = Early(tokens)
    inputs = torch.randint(0, 20, (8, 7)) if tokens else batch[0]
    pre = net.embed(inputs)
    hidden = net.hidden(pre.relu())
    x = hidden.relu()
    loss = F.cross_entropy(net.classifier(x.flatten(2).mean(2) if x.ndim == 4 else x.mean(1)), batch[1])
    slow = slow_logdet([(1, grad) for grad in torch.autograd.grad(loss, [pre, hidden])])
    scores = score(net, inputs, batch[1], ("gcor",))
    assert scores["gcor"] == pytest.approx(slow, rel=1e-5) and scores.num_skipped == 1


class Overwriting(nn.Module):
    """Adds to the outputs of a convolution and of a block in place, as pre-activation networks do, or not."""

    def __init__(self, inplace):
        super().__init__()
        torch.manual_seed(0)
        self.adds_in_place = inplace
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(inplace), nn.Conv2d(6, 6, 3, padding=1, bias=i % 2 == 0))
            for i in range(3)
        )
        self.stage_of_block = [0, 1, 1]
        self.relu, self.classifier = nn.ReLU(inplace), nn.Linear(6, 5)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            y = block(x)
            if self.adds_in_place:
                y += x
            else:
                y = y + x
            x = y
        return self.classifier(self.relu(x).mean((2, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_outputs_overwritten_in_place_are_read_as_they_were(name, batch):
    overwritten, kept = Overwriting(True), Overwriting(False)
    scores = score(overwritten, *batch, proxies=(name,))
    assert (
        scores == pytest.approx(score(kept, *batch, proxies=(name,)), rel=1e-6)
        and not state(overwritten)[2][0][1]
    )


def test_a_layer_with_a_constant_row_is_left_out_and_counted(batch):
    class Dead(TinyNet):
        def forward(self, x):
            self.last(x.new_full((len(x), 4), 0.3))
            return super().forward(x)

    dead, alive = (score(net, *batch, proxies=("acor",)) for net in (Dead(), TinyNet()))
    assert dead == alive and dead.num_skipped == 1 and alive.num_skipped == 0


@pytest.mark.parametrize(
    ("second", "defined"),
    [
        (nn.Conv2d(6, 6, 2, 2), False),
        (nn.Upsample(scale_factor=2), False),
        (nn.Conv2d(6, 6, 3, 3), False),
        (nn.Conv2d(6, 6, 1), True),
        (nn.Flatten(2), True),
    ],
)
def test_blocks_whose_sizes_are_no_multiples_have_a_reason(second, defined, batch):
    images = torch.randn(8, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    net = (
        pooled(nn.Conv2d(3, 6, 1), second)
        if not isinstance(second, nn.Flatten)
        else Stack(nn.Conv2d(3, 6, 1), second, nn.Flatten())
    )
    labels = batch[1]
    if defined:
        assert math.isfinite(
            score(net, images, labels, ("az_trainability",), blocks=list(net)[:2])["az_trainability"]
        )
    else:
        assert "no multiples of each other" in reason(
            net, (images, labels), "az_trainability", blocks=list(net)[:2]
        )
