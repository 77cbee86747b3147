"""nbzero.proxies.activation: by hand, from stored activations, and zen by its definition."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, pooled, pre_and_grads, reason


def test_a_network_without_relu_modules_has_no_naswot(batch):
    net = pooled(nn.Conv2d(3, 5, 3), nn.Tanh())
    units = "the units of ReLU, ReLU6, LeakyReLU .., GELU and SiLU, modules or functions"
    assert f"reads {units}" in reason(net, batch, "naswot")
    assert score(net, *batch, proxies=("snip",))["snip"] > 0  # no linear head either


def slow_naswot(pre_activations: list[Tensor]) -> float:
    on_BU = torch.cat([(pre > 0).flatten(1) for pre in pre_activations], dim=1).double()
    return torch.linalg.slogdet(on_BU @ on_BU.T + (1 - on_BU) @ (1 - on_BU).T).logabsdet.item()


def test_naswot_of_two_images_by_hand():
    net = Stack(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    images = torch.tensor([[1.0, 1.0, -1.0, 0.0], [1.0, -1.0, -1.0, -1.0]]).view(
        2, 4, 1, 1
    )  # agree on 3 of 4 units
    scores = score(net, images, torch.tensor([0, 1]), ("naswot",))
    assert scores["naswot"] == pytest.approx(math.log(4 * 4 - 3 * 3), rel=1e-12)


@pytest.mark.parametrize("relu", [nn.ReLU, nn.ReLU6])
def test_naswot_from_stored_pre_activations(relu, batch):
    net, pre = TinyNet(relu=relu), []
    for layer in (net.blocks[0][2], net.last):
        layer.register_forward_hook(lambda _, inputs, __: pre.append(inputs[0].detach()))
    net(batch[0])
    slow = slow_naswot(pre)
    assert score(net, *batch, proxies=("naswot",))["naswot"] == pytest.approx(slow, rel=1e-12)
    inplace = TinyNet(relu=relu, inplace=True)
    assert score(inplace, *batch, proxies=("naswot",))["naswot"] == pytest.approx(slow, rel=1e-12)


def test_a_relu_that_runs_twice_counts_twice(batch):
    relu = nn.ReLU()
    once, twice = pooled(relu), pooled(relu, nn.Identity(), relu)
    scores = [score(net, batch[0], batch[1] % 3, ("naswot",))["naswot"] for net in (once, twice)]
    first, second = batch[0], batch[0].relu()
    assert scores == pytest.approx([slow_naswot([first]), slow_naswot([first, second])], rel=1e-12)


def test_two_equal_images_make_naswot_minus_infinity(batch):
    images = batch[0].clone()
    images[5] = images[2]
    scores = score(TinyNet(), images, batch[1], ("naswot",))
    assert scores == {"naswot": -math.inf} and not scores.reasons


def test_swap_and_linear_regions_by_hand():
    net = Stack(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    images = torch.tensor([[1.0, 1, -1, 0], [1, 1, 1, -1], [1, 1, -1, -2]]).view(
        3, 4, 1, 1
    )  # units: 111, 111, 010, 000
    scores = score(net, images, torch.tensor([0, 1, 0]), ("swap", "linear_regions"))
    assert scores == {"swap": 3, "linear_regions": 2}


def test_swap_of_many_images_by_unique_columns(batch):
    images, labels = (
        torch.randn(40, 3, 6, 6, generator=torch.Generator().manual_seed(0)),
        torch.arange(40) % 5,
    )
    (first, last), _ = pre_and_grads(TinyNet(), images, labels)
    slow = torch.unique(torch.cat([first.flatten(1), last.flatten(1)], dim=1) > 0, dim=1).shape[1]
    assert score(TinyNet(), images, labels, ("swap",))["swap"] == slow


def slow_zen(net: nn.Module, shape: tuple[int, ...], seed: int) -> float:
    """The definition on a copy; the moving average worked out from the batch variances of both passes."""
    net, draws = copy.deepcopy(net).train(), torch.Generator().manual_seed(seed)
    variances: dict[nn.Module, list[Tensor]] = {}
    noise = torch.randn(16, *shape, generator=draws)
    near = noise + 0.01 * torch.randn(16, *shape, generator=draws)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = torch.randn(module.weight.shape, generator=draws)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(1)
            module.bias.data.zero_()
            variances[module] = []
            module.register_forward_hook(
                lambda m, inputs, _: variances[m].append(inputs[0].var((0, 2, 3)).detach())
            )
    moved = (net.features(noise) - net.features(near)).abs().sum().item() / 16
    means = [(0.81 + 0.09 * first + 0.1 * second).mean().item() for first, second in variances.values()]
    return math.log(moved) + sum(math.log(mean) / 2 for mean in means)


@pytest.mark.parametrize("bn", [True, False])
def test_zen_by_its_definition_on_a_copy(bn, batch):
    net = TinyNet(bn=bn)
    for seed in (0, 1):
        fast = score(net, *batch, proxies=("zen",), seed=seed)["zen"]
        assert fast == pytest.approx(slow_zen(net, (3, 6, 6), seed), rel=1e-5)
        net(batch[0])  # other running statistics and weights than before change nothing
        net.blocks[0][0].weight.data.mul_(2)
        assert score(net, *batch, proxies=("zen",), seed=seed)["zen"] == fast


def test_zen_without_shortcuts_is_zen_of_the_plain_chain(batch):
    class Chain(TinyNet):
        def features(self, x):
            return self.last(self.blocks[1](self.blocks[0](x)))

    class Projected(TinyNet):
        def __init__(self):
            super().__init__()
            self.project = nn.Sequential(nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6))

        def features(self, x):
            x = self.blocks[0](x)
            x = self.project(x) + self.blocks[1][1](
                F.conv2d(self.blocks[1][0](x), self.blocks[0][0].weight[:, :1, :1, :1].expand(6, 6, 1, 1))
            )
            return self.last(x)

    chain = score(Chain(), *batch, proxies=("zen", "zen_no_shortcut"))
    assert chain["zen"] == chain["zen_no_shortcut"]
    assert score(TinyNet(), *batch, proxies=("zen_no_shortcut",))["zen_no_shortcut"] == chain["zen"]
    assert math.isfinite(score(Projected(), *batch, proxies=("zen_no_shortcut",))["zen_no_shortcut"])

    class Even(TinyNet):
        def features(self, x):
            x = self.blocks[0](x)
            return self.blocks[1](x) + self.blocks[1](x)

    assert "neither is the shortcut" in reason(Even(), batch, "zen_no_shortcut")

    class Joined(TinyNet):  # what was taken apart and put together again has what was behind it
        def features(self, x):
            x = self.blocks[0](x)
            return self.last(torch.cat(self.blocks[1](x).chunk(2, 1), 1) + x)

    assert score(Joined(), *batch, proxies=("zen_no_shortcut",))["zen_no_shortcut"] == chain["zen"]


def test_phi_of_a_linear_feature_map(batch):
    net = TinyNet()
    net.features = lambda x: 3 * x
    draws = torch.Generator().manual_seed(0)
    torch.randn(8, 3, 6, 6, generator=draws)
    moved = 0.03 * torch.randn(8, 3, 6, 6, generator=draws).abs().sum().item()
    assert score(net, *batch, proxies=("phi",))["phi"] == pytest.approx(moved, rel=1e-4)


def noise_like_phi(images: Tensor) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=draws)
    return noise, noise + 0.01 * torch.randn(images.shape, generator=draws)


def test_phi_with_batch_norm_by_its_definition(batch):
    net = TinyNet()
    noise, near = noise_like_phi(batch[0])
    other = copy.deepcopy(net).train()
    with torch.no_grad():
        moved = (other.features(near) - other.features(noise)).abs().sum().item()
    scores = score(net, *batch, proxies=("phi_bn", "phi"))
    assert scores["phi_bn"] == pytest.approx(moved, rel=1e-4)
    assert scores["phi_bn"] != pytest.approx(scores["phi"], rel=1e-2)


def test_phi_with_batch_norm_does_not_see_the_size_of_weights(batch):
    net = TinyNet()
    before = score(net, *batch, proxies=("phi_bn",))["phi_bn"]
    with torch.no_grad():
        net.blocks[0][0].weight *= 7
    assert score(net, *batch, proxies=("phi_bn",))["phi_bn"] == pytest.approx(before, rel=1e-2)


def test_zen_of_own_weights_by_its_definition(batch):
    net = TinyNet()
    noise, near = noise_like_phi(batch[0])
    other = copy.deepcopy(net).train()
    norms = [module for module in other.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
    with torch.no_grad():
        moved = (other.features(noise) - other.features(near)).abs().sum().item() / len(noise)
    scales = sum(norm.running_var.mean().log().item() / 2 for norm in norms)
    found = score(net, *batch, proxies=("zen_own", "zen"))
    assert found["zen_own"] == pytest.approx(math.log(moved) + scales, abs=1e-4)
    assert found["zen_own"] != pytest.approx(found["zen"], rel=1e-2)


def test_zen_of_own_weights_rises_with_them_and_zen_does_not(batch):
    net = TinyNet()
    before = score(net, *batch, proxies=("zen_own", "zen"))
    with torch.no_grad():
        net.blocks[0][0].weight *= 100
    after = score(net, *batch, proxies=("zen_own", "zen"))
    assert after["zen_own"] > before["zen_own"] + 1
    assert after["zen"] == before["zen"]


def test_bndlent_by_hand(batch):
    net = Stack(nn.Flatten(), nn.Linear(108, 5))
    with torch.no_grad():
        net[1].weight.zero_()  # all images give the same: one bundle of all
        net[1].bias.zero_()
    labels = batch[1]
    share = torch.bincount(labels).double() / 8
    entropy = -(share * (share + 1e-5).log()).sum().item()
    assert score(net, batch[0], labels, ("bndlent",), blocks=[net[1]])["bndlent"] == pytest.approx(-entropy)
    alone = [
        0.0 if label == 0 else -(7 / 8 * math.log(7 / 8 + 1e-5) + 1 / 8 * math.log(1 / 8 + 1e-5))
        for label in labels
    ]
    alone = [-math.log(1 + 1e-5) if label == 0 else value for label, value in zip(labels, alone, strict=True)]
    far = score(net, batch[0] * 1e6, labels, ("bndlent",), blocks=[net[0]])["bndlent"]
    assert far == pytest.approx(
        -sum(alone) / 8
    )  # no bundle: the published code counts all the others as class 0


def test_meco_and_expressivity_by_hand(batch):
    images = batch[0][:, :2]
    net = Stack(nn.Sequential(nn.Identity()), nn.Flatten(), nn.Linear(72, 5))
    rho = torch.corrcoef(images[0].flatten(1))[0, 1].abs().item()
    scores = score(net, images, batch[1], ("meco", "meco_leaf_modules", "az_expressivity"))
    assert scores["meco"] == pytest.approx(2 * (1 - rho), rel=1e-4)  # the container and what it holds
    assert scores["meco_leaf_modules"] == pytest.approx(1 - rho, rel=1e-4)
    values = torch.linalg.eigvalsh(torch.cov(images.transpose(0, 1).flatten(1)))
    share = values / values.sum()
    assert scores["az_expressivity"] == pytest.approx(-(share * share.log()).sum().item(), rel=1e-4)
    assert "has one that gives" in reason(net, (images, batch[1]), "az_progressivity")
    assert "fewer than two blocks" in reason(net, (images, batch[1]), "az_trainability")
    shifted = score(
        Stack(nn.Identity(), nn.Identity(), nn.Flatten(), nn.Linear(72, 5)),
        images,
        batch[1],
        ("az_trainability",),
    )
    assert shifted["az_trainability"] == -math.inf  # the gradient passes unchanged


def test_meco_of_a_block_that_adds_in_place():
    class Added(nn.Sequential):
        def forward(self, x):
            y = super().forward(x)
            y += x
            return y

    class Sum(Added):
        def forward(self, x):
            return nn.Sequential.forward(self, x) + x

    torch.manual_seed(0)
    images, layer = torch.randn(1, 3, 6, 6), nn.Conv2d(3, 3, 3, padding=1)
    assert score(pooled(Added(layer)), images, torch.tensor([0]), ("meco",)) == score(
        pooled(Sum(layer)), images, torch.tensor([0]), ("meco",)
    )


class Reporting(TinyNet):
    """Has a block that gives a single number."""

    class Size(nn.Module):
        def forward(self, x):
            return x.abs().mean()

    def __init__(self):
        super().__init__()
        self.size = self.Size()

    def features(self, x):
        x = super().features(x)
        return x / self.size(x)


def test_a_module_that_gives_a_single_number(batch):
    net = Reporting()
    for name in ("meco", "meco_leaf_modules", "bndlent", "az_expressivity"):
        assert math.isfinite(score(net, *batch, (name,), blocks=[*net.blocks, net.size])[name])
