"""nbzero.proxies.watch and axes: units by what they compute, and where the images lie."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.score import score
from tests.proxies.nets import pooled, reason


class Foreign(nn.Module):
    """An activation of another library."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class OwnForward(torch.autograd.Function):
    """An activation that no function of torch's names shows."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        return grad * (ctx.saved_tensors[0] > 0)


SPELLINGS = [
    (nn.ReLU, lambda x: F.relu(x)),
    (nn.ReLU, lambda x: F.relu(x, inplace=True)),
    (nn.ReLU, lambda x: x.relu_()),
    (nn.ReLU, lambda x: x.clamp(min=0)),
    (nn.ReLU, OwnForward.apply),
    (nn.ReLU6, F.relu6),
    (nn.GELU, F.gelu),
    (nn.SiLU, F.silu),
    (nn.SiLU, lambda x: x * torch.sigmoid(x)),
]


@pytest.mark.parametrize(("known", "function"), SPELLINGS)
def test_activations_count_by_what_they_compute(known, function, batch):
    scores = []
    for act in (known(), Foreign(function)):
        torch.manual_seed(0)
        net = pooled(nn.Conv2d(3, 5, 3), act, nn.Conv2d(5, 5, 1), nn.ReLU())
        scores.append(score(net, *batch, ("naswot", "swap", "acor", "gcor")))
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_a_gate_is_no_activation(batch):
    net = pooled(nn.Conv2d(3, 5, 3), Foreign(lambda x: x * torch.sigmoid(2 * x.mean((2, 3), keepdim=True))))
    assert "none ran on the images" in reason(net, batch, "naswot")


class Slim(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight[:4, : x.shape[1]], self.bias[:4])


def test_macs_count_the_part_of_a_weight_that_runs(batch):
    net = pooled(Slim(3, 8, 1), Slim(8, 8, 1))
    assert score(net, *batch, ("macs",)) == {"macs": 36 * (3 * 4 + 4 * 4)}


class Tokens(nn.Module):
    """The same function, its layers on tensors of several layouts."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout
        self.mix, self.act, self.fc = nn.Linear(3, 6, bias=False), nn.GELU(), nn.Linear(6, 5, bias=False)

    def mixed(self, t):
        return self.act(self.mix(t))

    def forward(self, x):
        t = x.flatten(2).transpose(1, 2)
        num, tokens, width = t.shape
        if self.layout == "tokens first":
            h = self.mixed(t.transpose(0, 1)).transpose(0, 1)
        elif self.layout == "rows":
            h = self.mixed(t.reshape(-1, width)).view(num, tokens, -1)
        elif self.layout == "rows, tokens first":
            h = self.mixed(t.transpose(0, 1).reshape(-1, width)).view(tokens, num, -1).transpose(0, 1)
        elif self.layout == "windows":
            h = self.mixed(t.reshape(num * 2, tokens // 2, width)).view(num, tokens, -1)
        else:
            h = self.mixed(t)
        return self.fc(h.mean(1))


@pytest.mark.parametrize("layout", ["tokens first", "rows", "rows, tokens first", "windows"])
@pytest.mark.parametrize("num_images", [6, 16])
def test_scores_follow_the_images_wherever_they_lie(layout, num_images):
    draws = torch.Generator().manual_seed(1)
    x, y = torch.randn(num_images, 3, 4, 4, generator=draws), torch.arange(num_images) % 5
    plain, other = Tokens(""), Tokens(layout)
    other.load_state_dict(plain.state_dict())
    h = plain.mix(x.flatten(2).transpose(1, 2))
    z = plain.fc(F.gelu(h).mean(1))
    grad_h, grad_z = torch.autograd.grad(F.cross_entropy(z, y), [h, z])
    fisher = 3 * (h * grad_h).sum(1).square().mean(0).sum() / 2 + 6 * (z * grad_z).square().mean(0).sum() / 2
    asked = ("fisher", "naswot", "swap", "acor", "gcor", "meco_leaf_modules")
    right, scores = score(plain, x, y, asked), score(other, x, y, asked)
    assert right["fisher"] == pytest.approx(fisher.item(), rel=1e-4)
    assert scores == pytest.approx(right, rel=1e-4)


def test_images_that_are_nearly_alike_are_told_apart():
    """As tokens in eval mode, where the batch norms of LeViT leave little of the images."""
    draws = torch.Generator().manual_seed(1)
    x = 1 + 1e-4 * torch.randn(6, 3, 4, 4, generator=draws, dtype=torch.float64)
    plain, other = Tokens("").double(), Tokens("rows").double()
    other.load_state_dict(plain.state_dict())
    asked = ("naswot", "acor", "meco_leaf_modules")
    right, scores = (score(net, x, torch.arange(6) % 5, asked) for net in (plain, other))
    assert scores == pytest.approx(right, rel=1e-6) and not right.reasons


def test_images_that_are_mixed_have_a_reason(batch):
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(108, 5)

        def forward(self, x):
            t = x.flatten(1)
            t = t + t.mean(0)
            return self.fc(F.relu(t.reshape(len(x) * 2, 54)).reshape(len(x), -1))

    assert "rows of a layer are of one image cannot be told" in reason(Mixing(), batch, "naswot")


@pytest.mark.parametrize("inner", [nn.MaxPool2d(2), nn.ChannelShuffle(2)])
def test_a_block_without_layers_keeps_the_channels_where_they_were(inner, batch):
    net = pooled(nn.Conv2d(3, 6, 3, padding=1), inner, nn.Conv2d(6, 8, 3, padding=1))
    kept = []
    for block in list(net)[:3]:
        block.register_forward_hook(lambda _, __, output: kept.append(output.detach().double()))
    value = score(net, *batch, ("az_expressivity",), blocks=list(net)[:3])["az_expressivity"]
    slow = 0.0
    for maps in kept[:3]:
        values = torch.linalg.eigvalsh(torch.cov(maps.transpose(0, 1).flatten(1), correction=0)).clamp(min=0)
        share = values / values.sum()
        slow -= (share * (share + 1e-8).log()).sum().item()
    assert value == pytest.approx(slow, rel=1e-5)


def test_channels_last_blocks_are_read_by_their_channels(batch):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.mix = nn.LayerNorm(3), nn.Linear(3, 3)

        def forward(self, x):
            return x + self.mix(self.norm(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks, self.fc = nn.ModuleList([Last(), Last()]), nn.Linear(3, 5)

        def forward(self, x):
            x = x.permute(0, 2, 3, 1)
            for block in self.blocks:
                x = block(x)
            return self.fc(x.mean((1, 2)))

    net = Net()
    x, slow = batch[0].permute(0, 2, 3, 1), 0.0
    for block in net.blocks:
        x = block(x)
        values = torch.linalg.eigvalsh(torch.cov(x.detach().double().flatten(0, 2).T, correction=0))
        share = values / values.sum()
        slow -= (share * (share + 1e-8).log()).sum().item()
    assert score(net, *batch, ("az_expressivity",))["az_expressivity"] == pytest.approx(slow, rel=1e-5)
