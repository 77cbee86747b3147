"""nbzero.proxies.score: what holds for every proxy, what is refused, and what is never a score."""

import math

import pytest
import torch
from torch import nn

from nbzero.errors import UnknownNameError
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import COMPUTE, score
from nbzero.proxies.trace import READS
from tests.proxies.nets import Stack, TinyNet, others, pooled, reason

NAMES = sorted(PROXIES)


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


def test_a_batch_norm_of_a_single_value_is_a_reason_not_an_error(batch):
    net = pooled(nn.Conv2d(3, 5, 6), nn.BatchNorm2d(5), nn.ReLU())
    assert "one pixel of one image" in reason(net, batch, "gradsign")
    for name in ("meco", "grad_norm", "naswot", "wrcor", "ntk", "dyniso", "barlow_twins", "az_expressivity"):
        assert "one pixel of one image" in reason(net, (batch[0][:1], batch[1][:1]), name)
    assert "one pixel of one image" in reason(net, (batch[0][:3], batch[1][:3]), "zico")
    assert "there is one image" in reason(net, (batch[0][:1], batch[1][:1]), "zico")


class Encoder(nn.Module):
    """A small transformer over tokens: embedding, two encoder layers with GELU, mean, linear."""

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
        "zen_own",
        "phi_bn",
        "phi",
        "barlow_twins",
    }
    without = {name for name, value in scores.items() if value is None}
    assert without == needs_pixels | {"depth", "wrcor_by_stage", "sed_reconstructed"}
    for name in ("jacob_cov", "dyniso", "barlow_twins", "synflow", "zen"):
        assert "tokens" in scores.reasons[name]
