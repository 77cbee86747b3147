"""The proxies: what holds for every one, cases worked by hand, slow versions, and values of the papers' own code."""

import copy
import importlib.util
import json
import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builders import score_shard
from builders.proxies import COMPUTE, gradient, score
from builders.proxies.trace import OWN_PASS, READS, Trace
from nbzero.errors import UnknownNameError
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import PASSES, PROTOCOLS
from nbzero.spaces.macro import Arch
from nbzero.spaces.published import doubts_of
from tests.places import GOLDEN
from train.networks import build_net

NAMES = sorted(PROXIES)
needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the reference scores are not part of the repository"
)


class TinyNet(nn.Module):
    """Two convolutions (the second grouped), a shortcut, batch norm or none, in-place or separate ReLUs."""

    def __init__(self, bn=True, inplace=False, relu=nn.ReLU, dropout=0.0):
        super().__init__()

        def norm():
            return nn.BatchNorm2d(6) if bn else nn.Identity()

        stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm(), relu(inplace=inplace))
        block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False), norm())
        self.blocks = nn.ModuleList([stem, block])
        self.stage_of_block = [0, 1]
        self.last = relu(inplace=inplace)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(6, 5)
        with torch.no_grad():
            draws = torch.Generator().manual_seed(3)
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draws) / 2)

    def features(self, x):
        x = self.blocks[0](x)
        return self.last(self.blocks[1](x) + x)

    def forward(self, x):
        return self.classifier(self.drop(self.features(x).mean((2, 3))))


class Stack(nn.Sequential):
    """A plain chain of modules, without features or stages."""


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return torch.randn(8, 3, 6, 6, generator=draws), torch.arange(8) % 5


def others(batch):
    return torch.randn(batch[0].shape, generator=torch.Generator().manual_seed(2))


def pooled(*modules):
    return Stack(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def reason(net, batch, name, **options):
    scores = score(net, *batch, proxies=(name,), **options)
    assert scores[name] is None
    return scores.reasons[name]


# What holds for all


def test_registry_and_functions_have_the_same_names():
    assert list(COMPUTE) == list(PROXIES)
    assert READS.keys() == COMPUTE.keys() and COMPUTE.keys() >= OWN_PASS
    for name, row in PROXIES.items():
        assert COMPUTE[name].__module__ == f"builders.proxies.{row.family}"


@pytest.mark.parametrize("name", NAMES)
def test_same_network_same_score_whatever_the_company(name, batch):
    net = TinyNet(dropout=0.5)
    together = score(net, *batch, seed=0)
    torch.rand(1)  # another state of torch's generator, from which dropout draws
    with torch.no_grad():
        alone = score(net, *batch, proxies=(name,), seed=0)
    assert isinstance(alone[name], float) and (
        math.isfinite(alone[name]) or name == "dyniso"
    )  # dropout leaves fewer features than classes
    assert alone == {name: together[name]} and not alone.reasons
    assert list(together) == list(COMPUTE)
    assert alone.seconds.keys() == ({"trace", name} if READS[name] else {name})
    assert all(seconds >= 0 for seconds in together.seconds.values())


COARSE = {"linear_regions", "bndlent"}  # all images differ on nearly every network: counts that saturate
IN_ORDER = {
    "zico",
    "meco",
    "meco_leaf_modules",
    "barlow_twins",
    "az_trainability",
}  # halves, the first image, noise or signs by place


@pytest.mark.parametrize("name", NAMES)
def test_scores_depend_on_what_the_registry_says(name, batch):
    net, (images, labels), row = TinyNet(), batch, PROXIES[name]
    base = score(net, images, labels, (name,))
    # Several of each, because a count may be the same by chance.
    if name not in COARSE:
        assert (
            any(
                score(net, other, labels, (name,)) != base
                for other in (others(batch), images.flip(3), -images)
            )
            == row.uses_images
        )
    assert (
        any(
            score(net, images, other, (name,)) != base
            for other in ((labels * 2) % 3, (labels + 1) % 3, (labels + 2) % 3)
        )
        == row.uses_labels
    )
    assert (score(net, images, labels, (name,), seed=1) != base) == row.random
    assert (row.batch > 0) == row.uses_images


@pytest.mark.parametrize("name", sorted(PROXIES.keys() - IN_ORDER))
def test_the_order_of_the_images_does_not_matter(name, batch):
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    net, (images, labels) = TinyNet(), batch
    turned = score(net, images[order], labels[order], (name,))
    assert turned[name] == pytest.approx(score(net, images, labels, (name,))[name], rel=2e-4, abs=1e-6)


def test_the_score_of_a_batch_repeated_where_the_definition_averages(batch):
    net, (images, labels) = TinyNet(), batch
    twice = score(
        net,
        images.repeat(2, 1, 1, 1),
        labels.repeat(2),
        ("grad_norm", "snip", "plain", "netsens", "az_expressivity", "swap"),
    )
    once = score(net, images, labels, tuple(twice))
    for name in ("grad_norm", "snip", "plain", "az_expressivity", "swap"):
        assert twice[name] == pytest.approx(once[name], rel=1e-4), name


def state(net):
    """Everything that a score must not change, in a comparable form."""
    tensors = [*net.named_parameters(), *net.named_buffers()]
    return (
        [
            (name, id(t), t.data_ptr(), t.dtype, t._version, t.detach().flatten().tolist())
            for name, t in tensors
        ],
        [
            (name, p.requires_grad, None if p.grad is None else p.grad.tolist())
            for name, p in net.named_parameters()
        ],
        [
            (m.training, len(m._forward_hooks), len(m._forward_pre_hooks), sorted(vars(m)))
            for m in net.modules()
        ],
        torch.default_generator.get_state().tolist(),
    )


def used_net(**options):
    """A network in a state of its own: mixed modes, a frozen weight, a gradient, running statistics, a hook."""
    net = TinyNet(**options)
    net(torch.ones(2, 3, 6, 6)).sum().backward()
    for parameter in net.blocks.parameters():
        parameter.grad = None
    net.blocks[1].eval()
    net.classifier.weight.requires_grad_(False)
    net.classifier.register_forward_hook(lambda *_: None)
    return net


@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_left_as_found(name, batch):
    net = used_net(inplace=True, dropout=0.5)
    before = state(net)
    assert score(net, *batch, proxies=(name,)).reasons == {}
    assert state(net) == before


@pytest.mark.parametrize(
    "name", sorted(PROXIES.keys() - {"params", "depth", "pnorm", "lyrdyniso", "sed_reconstructed"})
)
@pytest.mark.parametrize("place", ["blocks.0.0", "last"])
def test_the_network_is_left_as_found_after_an_error(name, place, batch):
    net = used_net()

    def fail(*_):
        raise RuntimeError("out of order")

    net.get_submodule(place).register_forward_hook(fail)
    before = state(net)
    with pytest.raises(RuntimeError, match="out of order"):
        score(net, *batch, proxies=(name,))
    assert state(net) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_float64_network_is_left_as_found_too(name, batch):
    net = used_net().double()
    before = state(net)
    score(net, batch[0].double(), batch[1], (name,))
    assert state(net) == before


class Counting(TinyNet):
    """Changes, sets and makes buffers while it runs, and works on its input in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("cache", None)

    def forward(self, x):
        self.seen += x.detach().mean()
        self.cache = x.detach().mean(0)
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.ones(1))
        return super().forward(x.sub_(0.5))


@pytest.mark.parametrize("name", NAMES)
def test_buffers_made_by_a_pass_are_gone_and_the_images_are_as_they_were(name, batch):
    net, images = Counting(), batch[0].clone()
    before = state(net), [sorted(module._buffers) for module in net.modules()]
    counted = score(net, *batch, proxies=(name,))
    assert (state(net), [sorted(module._buffers) for module in net.modules()]) == before and net.cache is None
    assert torch.equal(batch[0], images)
    if name not in {"zen", "zen_no_shortcut", "phi", "barlow_twins", "synflow"}:  # those put other images in
        assert counted == score(TinyNet(), images - 0.5, batch[1], (name,))


class Skipping(TinyNet):
    """Draws from Python's and numpy's generators while it runs, as some stochastic depths do."""

    def features(self, x):
        return super().features(x) * (1 + random.random() + np.random.rand())


def test_generators_of_numpy_and_python_are_seeded_and_put_back(batch):
    net = Skipping()
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = score(net, *batch)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    random.seed(6)
    np.random.seed(6)
    assert score(net, *batch) == first


class Frozen(TinyNet):
    """Freezes a weight whenever its mode is set, as detection backbones do."""

    def train(self, mode=True):
        super().train(mode)
        self.blocks[0][0].weight.requires_grad_(False)
        return self


def test_a_network_that_freezes_weights_as_its_mode_is_set(batch):
    assert score(Frozen(), *batch) == score(TinyNet(), *batch)


def test_torchs_defaults_and_inference_mode_change_nothing(batch):
    net = TinyNet()
    base = score(net, *batch)
    with torch.inference_mode():
        assert score(net, batch[0].clone(), batch[1].clone()) == base
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        assert score(net, *batch) == base
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def test_the_network_is_left_as_found_where_a_score_is_none(batch):
    net = used_net()
    net.blocks[1][1] = nn.BatchNorm2d(6, track_running_stats=False)
    before = state(net)
    assert reason(net, batch, "zen").startswith("zen reads batch norm's running variance")
    assert state(net) == before


def test_a_field_that_was_not_declared_cannot_be_read(batch):
    with pytest.raises(AttributeError):
        _ = Trace(TinyNet(), *batch, seed=0).agree_BB


# Wrong input, and scores that are not defined


def test_wrong_input_is_refused(batch):
    net, (images, labels) = TinyNet(), batch
    with pytest.raises(UnknownNameError, match="no proxy named 'zenn'; did you mean 'zen'"):
        score(net, images, labels, ("zenn",))
    with pytest.raises(ValueError, match=r"images: shape \(3, 6, 6\); give \(B, channels, H, W\)"):
        score(net, images[0], labels)
    with pytest.raises(ValueError, match="with at least one image"):
        score(net, images[:0], labels[:0])
    with pytest.raises(ValueError, match=r"labels: \(7,\) torch.int64; give int64 \(8,\)"):
        score(net, images, labels[:7])
    with pytest.raises(ValueError, match=r"labels: \(8,\) torch.float32; give int64 \(8,\)"):
        score(net, images, labels.float())
    with pytest.raises(ValueError, match=r"lie on \['cpu', 'meta'\]; move them to one device"):
        score(net, images.to("meta"), labels)
    with pytest.raises(ValueError, match=r"images: torch.float64, network: \['torch.float32'\]"):
        score(net, images.double(), labels)
    for wrong in (-1, 5):
        with pytest.raises(ValueError, match=r"but the network's 5 outputs allow 0 to 4"):
            score(net, images, labels.where(labels != 3, wrong))


def test_a_network_with_lazy_layers_is_refused(batch):
    with pytest.raises(ValueError, match="lazy layers without weights yet; run it once"):
        score(pooled(nn.LazyConv2d(5, 3)), *batch)


def test_a_network_without_relu_modules_has_no_naswot(batch):
    net = pooled(nn.Conv2d(3, 5, 3), nn.Tanh())
    assert (
        "reads the units of modules named ReLU, ReLU6, LeakyReLU .., GELU and SiLU (functional ones are unseen)"
        in reason(net, batch, "naswot")
    )
    assert score(net, *batch, proxies=("snip",))["snip"] > 0  # no linear head either


def test_a_network_without_weights_has_no_saliency(batch):
    net = pooled(nn.BatchNorm2d(3), nn.ReLU())
    batch = (batch[0], batch[1] % 3)
    for name in ("grad_norm", "snip", "synflow", "zen"):
        assert "no Conv2d and no Linear layer" in reason(net, batch, name)
    assert score(net, *batch, proxies=("params", "macs")) == {"params": 6, "macs": 0}


def test_outputs_that_are_no_logits_spoil_only_what_needs_the_loss(batch):
    net = Stack(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    assert "needs logits of shape (8, classes); the network returned shape (8, 4, 6, 6)" in reason(
        net, batch, "snip"
    )
    assert math.isfinite(score(net, *batch, proxies=("snip", "naswot"))["naswot"])

    class Pair(TinyNet):
        def forward(self, x):
            return super().forward(x), x

    assert reason(Pair(), batch, "grad_norm").endswith("the network returned tuple")
    assert reason(Pair(), batch, "synflow").endswith("it returned tuple")
    assert math.isfinite(score(Pair(), *batch, proxies=("naswot",))["naswot"])


def test_a_computed_weight_is_not_scored(batch):
    net = TinyNet()
    nn.utils.parametrizations.weight_norm(net.classifier)
    for name in ("grad_norm", "synflow", "zen"):
        assert "the weight of 'classifier' is computed from others" in reason(net, batch, name)
    read_no_weights = ("fisher", "gcor", "rcor", "wrcor")
    assert score(net, *batch, read_no_weights) == pytest.approx(
        score(TinyNet(), *batch, read_no_weights), rel=1e-5
    )


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


@pytest.mark.parametrize(
    "name", ["meco", "dyniso", "ntk", "az_trainability", "jacob_cov", "zico", "gradsign", "wrcor"]
)
def test_infinities_inside_are_a_reason_not_an_error(name, batch):
    net = TinyNet(bn=False)
    with torch.no_grad():
        net.blocks[0][0].weight[0, 0, 0, 0] = math.inf
    assert reason(net, batch, name).startswith("nan: ")


def test_a_network_of_zeros(batch):
    net = TinyNet()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    scores = score(net, *batch)
    assert scores["az_expressivity"] == scores["az_progressivity"] == scores["dyniso"] == -math.inf
    assert scores["netsens"] == scores["grasp"] == scores["synflow"] == 0
    assert "an image's gradient is the same at every pixel" in scores.reasons["jacob_cov"]
    assert "no weight moves the output" in scores.reasons["ntk"]
    assert "with gradients that differ" in scores.reasons["gcor"]


def test_a_detached_output_has_no_gradient(batch):
    class Detached(TinyNet):
        def forward(self, x):
            return super().forward(x).detach()

    for name in ("snip", "synflow"):
        assert "has no gradient" in reason(Detached(), batch, name)


def test_nan_is_never_a_score(batch):
    net = TinyNet()
    with torch.no_grad():
        net.blocks[0][0].weight[0, 0, 0, 0] = math.nan
    scores = score(net, *batch)
    untouched = {
        "params",
        "macs",
        "depth",
        "sed_reconstructed",
        "zen",
        "zen_no_shortcut",
    }  # zen draws its own weights
    assert {name for name, value in scores.items() if value is not None} == untouched
    for name in PROXIES.keys() - untouched:
        assert scores.reasons[name].startswith("nan: "), name


def test_overflow_is_never_a_score(batch):
    deep = pooled(*(nn.Conv2d(3, 3, 1) for _ in range(9)))
    with torch.no_grad():
        for parameter in deep.parameters():
            parameter.fill_(1e38)
    assert reason(deep, (batch[0], batch[1] % 3), "synflow") == "synflow overflows float64 on this network"
    steep = Stack(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        steep[1].weight.fill_(1e-25)
        steep[2].weight.copy_(torch.tensor([[1e20], [0.0]]))
    wrong = (torch.full((1, 1, 1, 1), 1e25), torch.tensor([1]))  # the first layer's gradient is 1e20 * 1e25
    assert (
        reason(steep, wrong, "grad_norm")
        == "inf: grad_norm overflows, or the weights or images are not finite"
    )


def test_a_network_that_does_not_number_its_blocks_has_no_depth(batch):
    assert "does not number them (stage_of_block)" in reason(pooled(nn.Conv2d(3, 5, 3)), batch, "depth")


def test_features_that_cannot_be_found_or_moved(batch):
    assert "it has no features(images)" in reason(Stack(nn.Conv2d(3, 5, 6), nn.Flatten()), batch, "zen")
    constant = TinyNet()
    constant.features = lambda x: torch.ones(len(x), 4, 1, 1)
    assert "does not move the features" in reason(constant, batch, "zen")


# Counts


def test_counts_by_hand(batch):
    net = TinyNet()
    scores = score(net, *batch, proxies=("params", "macs", "depth"))
    assert scores["params"] == (3 * 9 * 6 + 6) + 12 + 3 * 9 * 6 + 12 + (6 * 5 + 5)
    assert scores["macs"] == 36 * 6 * 27 + 36 * 6 * 27 + 6 * 5
    assert scores["depth"] == 1
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert score(net, *batch, proxies=("params",))["params"] == scores["params"]


def test_a_shared_layer_has_its_parameters_once_and_its_macs_twice(batch):
    layer = nn.Conv2d(3, 3, 1)
    scores = score(Stack(layer, layer), *batch, proxies=("params", "macs"))
    assert scores == {"params": 12, "macs": 2 * 9 * 36}


def test_one_image_passes_a_batch_norm_on_one_pixel(batch):
    net = pooled(nn.Conv2d(3, 5, 6), nn.BatchNorm2d(5))  # in train mode this needs two images
    scores = score(net, *batch, proxies=("macs", "synflow"))
    assert scores["macs"] == 5 * 3 * 36 and scores["synflow"] > 0


# Saliency


def test_grad_norm_and_snip_of_a_softmax_regression(batch):
    images, labels = batch[0].mean((2, 3), keepdim=True), batch[1]
    net = Stack(nn.Flatten(), nn.Linear(3, 5))
    x, weight = images.flatten(1).double(), net[1].weight.detach().double()
    logits = x @ weight.T + net[1].bias.detach()
    grad = (logits.softmax(1) - F.one_hot(labels, 5)).T @ x / len(x)
    scores = score(net, images, labels, ("grad_norm", "snip"))
    assert scores["grad_norm"] == pytest.approx(grad.norm().item(), rel=1e-5)
    assert scores["snip"] == pytest.approx((weight * grad).abs().sum().item(), rel=1e-5)


@pytest.mark.parametrize("inplace", [False, True])
def test_grad_norm_and_snip_by_backward_on_a_copy(inplace, batch):
    net = TinyNet(inplace=inplace)
    twin = copy.deepcopy(net).train()
    F.cross_entropy(twin(batch[0]), batch[1]).backward()
    weights = [m.weight for m in twin.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    scores = score(net.eval(), *batch, proxies=("grad_norm", "snip"))
    assert scores["grad_norm"] == pytest.approx(sum(w.grad.norm().item() for w in weights), rel=1e-5)
    assert scores["snip"] == pytest.approx(sum((w * w.grad).abs().sum().item() for w in weights), rel=1e-5)


def test_synflow_by_hand(batch):
    net = Stack(*pooled(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1), nn.ReLU()), nn.Linear(1, 2))
    values = [[[[[1.0]], [[-2.0]], [[3.0]]]], [-4.0], [7.0], [7.0], [[5.0], [-6.0]], [9.0, 9.0]]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    # The convolution gives 6 + 4 everywhere; 6 of it belongs to its weights, 10 (5 + 6) to the classifier's.
    assert score(net, *batch, proxies=("synflow",))["synflow"] == 6 * 11 + 10 * 11


class Excited(TinyNet):
    """Functional operations: a max-pool, and squeeze-and-excitation's product."""

    def forward(self, x):
        x = F.max_pool2d(self.features(x), 2)
        return self.classifier((x * torch.sigmoid(self.blocks[1][0](x))).mean((2, 3)))


@pytest.mark.parametrize(
    "make", [TinyNet, lambda: TinyNet(relu=nn.ReLU6), lambda: TinyNet(dropout=0.5), Excited]
)
def test_synflow_by_float64_backward_on_a_copy(make, batch):
    net = make()
    twin = copy.deepcopy(net).double().eval()
    twin.blocks[0][1] = twin.blocks[1][1] = nn.Identity()
    for parameter in twin.parameters():
        parameter.data.abs_()
    twin(torch.ones(1, 3, 6, 6, dtype=torch.float64)).sum().backward()
    slow = sum(
        (m.weight * m.weight.grad).abs().sum() for m in twin.modules() if isinstance(m, nn.Conv2d | nn.Linear)
    )
    assert score(net, *batch, proxies=("synflow",))["synflow"] == pytest.approx(slow.item(), rel=1e-12)


# Activation


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


def test_two_equal_images_make_naswot_minus_infinity(batch):
    images = batch[0].clone()
    images[5] = images[2]
    scores = score(TinyNet(), images, batch[1], ("naswot",))
    assert scores == {"naswot": -math.inf} and not scores.reasons


def test_a_relu_on_another_batch_has_no_naswot(batch):
    class Windows(TinyNet):
        def features(self, x):
            return self.last(super().features(x).reshape(16, 6, 3, 6)).reshape(8, 6, 6, 6)

    assert reason(Windows(), batch, "naswot") == "an activation saw a batch of 16 where 8 images were given"


def slow_zen(net: nn.Module, shape: tuple[int, ...], seed: int) -> float:
    """The definition on a copy, with the moving average worked out from the batch variances of both passes."""
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


def pre_and_grads(net, images, labels):
    """What enters each ReLU of a TinyNet, and dL/d of it, by autograd."""
    twin, kept = copy.deepcopy(net).train(), []
    for layer in (twin.blocks[0][2], twin.last):
        layer.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    loss = F.cross_entropy(twin(images), labels)
    return [pre.detach() for pre in kept], torch.autograd.grad(loss, kept)


def slow_logdet(rows):
    corr = sum(weight * torch.corrcoef(values.flatten(1).double()).abs() for weight, values in rows)
    return torch.linalg.slogdet(corr).logabsdet.item()


def test_correlations_from_stored_responses(batch):
    net = TinyNet()
    (first, last), (first_grad, last_grad) = pre_and_grads(net, *batch)
    scores = score(
        net,
        *batch,
        proxies=(
            "acor",
            "gcor",
            "rcor",
            "wrcor",
            "wrcor_by_stage",
            "wrcor_linear",
            "wrcor_quad",
            "wrcor_expt2b",
        ),
    )
    both = [(1, values) for values in (first, last, first_grad, last_grad)]
    assert scores["acor"] == pytest.approx(slow_logdet(both[:2]), rel=1e-5)
    assert scores["gcor"] == pytest.approx(slow_logdet(both[2:]), rel=1e-5)
    assert scores["rcor"] == pytest.approx(slow_logdet(both), rel=1e-5)
    # The last ReLU is in no block; given as blocks both count, in the order given.
    in_blocks = slow_logdet([(1, first), (1, first_grad)])
    for name in ("wrcor", "wrcor_by_stage", "wrcor_linear", "wrcor_quad"):
        assert scores[name] == pytest.approx(in_blocks, rel=1e-5)
    assert scores["wrcor_expt2b"] == pytest.approx(in_blocks + 8 * math.log(2), rel=1e-5)
    turned = score(
        net, *batch, proxies=("wrcor", "wrcor_by_stage"), blocks=[net.last, net.blocks[0], net.classifier]
    )
    weighted = slow_logdet([(2, first), (2, first_grad), (1, last), (1, last_grad)])
    assert turned["wrcor"] == pytest.approx(weighted, rel=1e-5)
    assert "does not number" in reason(pooled(nn.Conv2d(3, 5, 3), nn.ReLU()), batch, "wrcor_by_stage")
    with pytest.raises(ValueError, match=r"blocks: number 1 \(ReLU\) is no submodule of the network"):
        score(net, *batch, blocks=[net.last, nn.ReLU()])


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
    """Activations that no weight lies before: on the images, and on the tokens' embedding; and one that the loss does not depend on."""

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


def test_correlations_of_a_deep_network_without_batch_norm(batch):
    """Its images look alike in the last layers, 1 - corr is 1e-6, and these weigh most."""
    torch.manual_seed(0)
    layers = [
        module for i in range(14) for module in (nn.Conv2d(16 if i else 3, 16, 3, padding=1), nn.ReLU())
    ]
    net = Stack(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    images, labels = torch.randn(32, 3, 16, 16), torch.arange(32) % 10
    asked = ("acor", "gcor", "rcor", "wrcor", "wrcor_expt2b")
    single = score(net, images, labels, asked)
    assert single == pytest.approx(score(net.double(), images.double(), labels, asked), abs=5e-3)


def test_a_layer_with_a_constant_row_is_left_out_and_counted(batch):
    class Dead(TinyNet):
        def forward(self, x):
            self.last(x.new_full((len(x), 4), 0.3))
            return super().forward(x)

    dead, alive = (score(net, *batch, proxies=("acor",)) for net in (Dead(), TinyNet()))
    assert dead == alive and dead.num_skipped == 1 and alive.num_skipped == 0


def test_two_equal_images_in_every_kernel(batch):
    images = batch[0].clone()
    images[5] = images[2]
    scores = score(TinyNet(), images, batch[1], ("naswot", "acor", "jacob_cov", "linear_regions", "ntk"))
    assert scores["naswot"] == scores["acor"] == -math.inf
    assert scores["linear_regions"] == 7
    assert scores["jacob_cov"] == pytest.approx(-1e5, rel=1e-3)  # one eigenvalue is 0: -1 / 1e-5
    assert scores["ntk"] is None and "kernel is singular" in scores.reasons["ntk"]


def linear(weight, bias=False):
    layer = nn.Linear(len(weight[0]), len(weight), bias=bias)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


def test_ntk_of_features_that_end_in_a_batch_norm_is_singular_whatever_rounding_leaves():
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    for arch in (
        "mb-s16-d1w8s2-d2w16s2-d1w16s2",
        "mb-s16-d2w16s2-d3w24s2-d2w48s2",
        "mb-s16-d1w24s2-d2w24s2-d1w32s2",
    ):
        assert "kernel is singular" in reason(build_net(arch, 10, 0), (images, torch.arange(16) % 10), "ntk")


@pytest.mark.parametrize(
    "arch",
    [
        "r1-mini-s4-d1w8s2-d1w16s2-d1w16s2",
        "r2-mini-s8-d1w32s2-d1w48s2-d1w64s2",
        "mb-mini-s8-d1w8s2-d2w12s2-d1w16s2",
    ],
)
def test_the_gradient_of_the_summed_logits_is_0_where_its_scores_are_doubtful(arch):
    images, labels = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    net = build_net(arch, 10, 0)
    size, exact = (
        score(net.to(d), images.to(d), labels, ("netsens",))["netsens"]
        for d in (torch.float32, torch.float64)
    )
    assert (exact < 1e-12) == ("netsens" in doubts_of(Arch.parse(arch).space)) == (size < 1e-5)


def test_a_linear_network_by_hand():
    weight = [[1.0, 2.0], [3.0, 4.0]]
    net = Stack(nn.Flatten(), linear(weight))
    images, labels = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).view(2, 2, 1, 1), torch.tensor([0, 1])
    scores = score(
        net,
        images,
        labels,
        (
            "netsens",
            "dyniso",
            "ntk",
            "gradsign",
            "pnorm",
            "lyrdyniso",
            "epe_nas",
            "plain",
            "fisher",
            "grasp",
            "zico",
        ),
    )
    assert scores["netsens"] == pytest.approx((4 + 6) / 2)  # each image's gradient is the sum of the rows
    s = math.log(2) / 2  # the product of the singular values is |det| = 2
    assert scores["dyniso"] == pytest.approx(-(s + math.exp(-s)), rel=1e-6)
    assert scores["ntk"] == pytest.approx(4)  # the images are orthogonal, of lengths 1 and 2
    assert scores["pnorm"] == pytest.approx(math.sqrt(30))
    assert scores["lyrdyniso"] == pytest.approx(
        -torch.linalg.matrix_norm(torch.tensor([[4.0, 11], [11, 24]])).item()
    )
    assert scores["gradsign"] == 4  # every weight is moved by one image alone
    assert scores["epe_nas"] == pytest.approx(2 * math.log(1 + 1e-5))  # one image a class
    p = torch.tensor([[1.0, 3.0], [4.0, 8.0]]).double().softmax(1)
    grad = (p - torch.eye(2)).T @ torch.tensor([[1.0, 0], [0, 2]]).double() / 2
    w = torch.tensor(weight).double()
    assert scores["plain"] == pytest.approx((w * grad).sum().item(), rel=1e-5)
    logits = torch.tensor([[1.0, 3.0], [4.0, 8.0]]).double()
    t = logits * (p - torch.eye(2)) / 2
    assert scores["fisher"] == pytest.approx(2 * (t.square().mean(0) / 2).sum().item(), rel=1e-5)
    curved = torch.autograd.functional.hvp(
        lambda v: F.cross_entropy(images.flatten(1).double() @ v.T, labels), w, grad
    )[1]
    assert scores["grasp"] == pytest.approx(-(w * curved).sum().item(), rel=1e-5)
    # Two batches of one image: each weight has a gradient in one of them, so m = s.
    assert scores["zico"] == pytest.approx(math.log(4), rel=1e-6)


class Curved(nn.Module):
    """Every kind of layer that grasp's second pass has a formula of its own for, and some that go torch's way."""

    def __init__(self, channels_last=False):
        super().__init__()
        self.channels_last = channels_last
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8, eps=0.1), nn.ReLU6()
        )
        self.shared = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2, bias=False)
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
            nn.BatchNorm2d(8, affine=False),
            nn.SiLU(),
        )
        self.bias = nn.Sequential(nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12, momentum=None, eps=0.3))
        self.reflect = nn.Conv2d(12, 4, 3, padding=1, padding_mode="reflect", bias=False)
        self.hidden, self.classifier = nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x):
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        x = self.shared(self.shared(x) + x)
        x = F.conv2d(x, self.stem[0].weight.transpose(0, 1)[:, :, 1:2, 1:2].repeat(3, 1, 1, 1)[:8])
        x = self.reflect(self.bias(self.depthwise(x)))
        return self.classifier(torch.tanh(self.hidden(x.mean((2, 3)))))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_grasp_against_torchs_own_second_derivatives(channels_last, alone, batch):
    torch.manual_seed(0)
    net = Curved(channels_last).double().train()
    images, labels = batch[0].double(), batch[1]
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "1.weight" in name:
                parameter.uniform_(0.5, 2)
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    grads = torch.autograd.grad(F.cross_entropy(net(images), labels), weights, create_graph=True)
    curved = torch.autograd.grad(sum((grad * grad.detach()).sum() for grad in grads), weights)
    exact = -sum((weight * h).sum().item() for weight, h in zip(weights, curved, strict=True))
    asked = ("grasp",) if alone else ("grasp", "grad_norm", "jacob_cov", "az_trainability", "fisher", "gcor")
    scores = score(net, images, labels, asked)
    assert scores["grasp"] == pytest.approx(exact, rel=1e-9)
    others = score(net, images, labels, asked[1:])
    assert others == pytest.approx({name: scores[name] for name in asked[1:]}, rel=1e-9)


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


def test_phi_of_a_linear_feature_map(batch):
    net = TinyNet()
    net.features = lambda x: 3 * x
    draws = torch.Generator().manual_seed(0)
    torch.randn(8, 3, 6, 6, generator=draws)
    moved = 0.03 * torch.randn(8, 3, 6, 6, generator=draws).abs().sum().item()
    assert score(net, *batch, proxies=("phi",))["phi"] == pytest.approx(moved, rel=1e-4)


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


def test_a_batch_norm_of_a_single_value_is_a_reason_not_an_error(batch):
    net = pooled(nn.Conv2d(3, 5, 6), nn.BatchNorm2d(5), nn.ReLU())
    assert "one pixel of one image" in reason(net, batch, "gradsign")
    for name in ("meco", "grad_norm", "naswot", "wrcor", "ntk", "dyniso", "barlow_twins", "az_expressivity"):
        assert "one pixel of one image" in reason(net, (batch[0][:1], batch[1][:1]), name)
    assert "one pixel of one image" in reason(net, (batch[0][:3], batch[1][:3]), "zico")
    assert "there is one image" in reason(net, (batch[0][:1], batch[1][:1]), "zico")


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


@pytest.mark.parametrize(
    ("second", "defined"),
    [
        (nn.Conv2d(6, 6, 2, 2), False),
        (nn.Upsample(scale_factor=2), False),
        (nn.Conv2d(6, 6, 3, 3), False),
        (nn.Conv2d(6, 6, 1), True),
        (nn.Flatten(2), False),
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


def test_dyniso_of_an_ill_conditioned_float64_network():
    net = Stack(nn.Flatten(), linear([[1.0, 0.0], [0.0, 1e-8]])).double()
    images = torch.tensor([[1.0, 0.0]], dtype=torch.float64).view(1, 2, 1, 1)
    s = math.log(1e-8) / 2
    assert score(net, images, torch.tensor([0]), ("dyniso",))["dyniso"] == pytest.approx(
        -(s + math.exp(-s)), rel=1e-6
    )
    assert score(net.float(), images.float(), torch.tensor([0]), ("dyniso",))["dyniso"] == -math.inf


class Encoder(nn.Module):
    """A small transformer over tokens: embedding, two blocks of attention-free mixing with GELU, mean, linear."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(6, 2, 12, 0.0, nn.GELU(), batch_first=True) for _ in range(2)
        )
        self.classifier = nn.Linear(6, 3)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x.mean(1))


def test_a_transformer_over_tokens():
    draws = torch.Generator().manual_seed(0)
    tokens, labels = torch.randint(0, 20, (8, 5), generator=draws), torch.arange(8) % 3
    net = Encoder()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws) / 2)
    scores = score(net, tokens, labels)
    assert scores["naswot"] is not None and scores["swap"] > 1 and scores["acor"] is not None
    needs_pixels = {
        "synflow",
        "jacob_cov",
        "epe_nas",
        "netsens",
        "dyniso",
        "zen",
        "zen_no_shortcut",
        "phi",
        "barlow_twins",
    }
    without = {name for name, value in scores.items() if value is None}
    assert without == needs_pixels | {"depth", "wrcor_by_stage", "sed_reconstructed"}
    for name in ("jacob_cov", "dyniso", "barlow_twins", "synflow", "zen"):
        assert "tokens" in scores.reasons[name]


# Reference values


def golden_case(name):
    spec = importlib.util.spec_from_file_location("golden_nets", GOLDEN / "nets.py")
    nets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nets)
    case = json.loads((GOLDEN / "golden.json").read_text())["nets"][name]
    return case["values"], case["spec"], nets.load(GOLDEN / case["file"], case["spec"])


KEYS = {
    "ntk": "ntk_cond_train_n16",
    "zico": "zico_two_halves",
    "meco": "meco_one_image",
}  # where the reference's name is another
IMAGES = {"ntk": 16, "meco": 1, "meco_leaf_modules": 1}


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_values(case):
    values, spec, (net, images, labels) = golden_case(case)
    slow = set() if case == "plain_a" else {"dyniso"}  # 320 backward passes
    scores = score(net, images, labels, [name for name in NAMES if name not in IMAGES and name not in slow])
    for name, num_images in IMAGES.items():
        scores |= score(net, images[:num_images], labels[:num_images], (name,))
    named = {name: values[KEYS.get(name, name)] for name in scores if KEYS.get(name, name) in values}
    exact = {name: reference for name, reference in named.items() if "value" in reference}
    assert len(exact) == 31 - len(slow)
    for name, reference in exact.items():
        offset = len(images) if name == "jacob_cov" else 0
        assert scores[name] + offset == pytest.approx(reference["value"] + offset, rel=reference["rtol"]), (
            name
        )
    assert scores["params"] == round(values["params_M"]["value"] * 1e6)
    # The reference counts one more per output element where there is a bias: the classifier, two layers of plain_a.
    with_bias = {"plain_a": 32 * 32 * 8 + 8 * 8 * 48}.get(case, 0) + spec["classes"]
    assert scores["macs"] == round(values["flops_M"]["value"] * 1e6) - with_bias
    assert scores["depth"] == {"r1_a": 5, "mb_a": 8, "plain_a": 5}[case]  # mb_a numbers its head as a stage


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
@pytest.mark.parametrize("name", ["zen", "zen_no_shortcut", "phi", "barlow_twins", "az_trainability"])
def test_reference_of_random_scores(case, name):
    values, _, (net, images, labels) = golden_case(case)
    reference, num_seeds = values[name], 8
    draws = torch.tensor(
        [score(net, images, labels, (name,), seed)[name] for seed in range(num_seeds)], dtype=torch.float64
    )
    tolerance = 4 * reference["std"] * math.sqrt(1 / reference["n"] + 1 / num_seeds)
    assert abs(draws.mean().item() - reference["mean"]) < tolerance
    assert 0.5 < draws.std().item() / reference["std"] < 2


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_swap_over_drawn_weights(case):
    """As the scoring job takes it: 16 images, the mean of 8 draws of N(0, 1) weights."""
    values, _, (net, images, labels) = golden_case(case)
    reference = values["swap_gaussian"]
    ours = score_shard.mean_of_draws(net, images[:16], labels[:16], "swap", seed=0)["swap"]
    assert abs(ours - reference["mean"]) < 4 * reference["std"] * math.sqrt(1 / reference["n"] + 1 / 8)


def test_every_protocol_is_known_and_the_registry_says_how_many_images():
    assert set(score_shard.PROTOCOLS) == set(PROTOCOLS) and len(PASSES) == 8
    sizes = score_shard.by_batch(NAMES, 64)
    assert {name: size for size, names in sizes.items() for name in names if size != 64} == {
        "ntk": 16,
        "gradsign": 16,
        "dyniso": 8,
        "meco": 1,
        "meco_leaf_modules": 1,
    }
    assert (
        "swap" not in {name for names in sizes.values() for name in names}
        and PROXIES["swap"].weight_draws == 8
    )
    assert {128, 16, 8, 1} == set(score_shard.by_batch(NAMES, 128))
    for init, std in (("uniform", 1 / math.sqrt(3 * 27)), ("n01", 1.0)):
        net = nn.Sequential(nn.Conv2d(3, 400, 3))
        score_shard.initialise(net, init, seed=0)
        assert net[0].weight.std().item() == pytest.approx(std, rel=0.05)


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_other_reference_values(case):
    values, _, (net, images, labels) = golden_case(case)
    half = len(images) // 2
    twice = torch.cat([images[:half], images[:half]])
    assert (
        score(net, twice, labels, ("linear_regions",))["linear_regions"]
        == values["linear_regions_twice"]["value"]
    )
    assert score(net, images[:8], labels[:8], ("ntk",))["ntk"] == pytest.approx(
        values["ntk_cond_train_n8"]["value"], rel=6e-4
    )
    trace = Trace(net, images, labels, seed=0)
    reference = values["zico_four_quarters"]
    assert gradient._zico(trace, num_batches=4) == pytest.approx(reference["value"], rel=reference["rtol"])
    rows = torch.autograd.grad(net(inputs := images.requires_grad_()).sum(), inputs)[0].flatten(1)
    reference = values["epe_nas_branch_a"]
    assert gradient._epe(rows, labels, by_pairs=True) == pytest.approx(
        reference["value"], rel=reference["rtol"]
    )
