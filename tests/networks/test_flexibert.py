"""nbzero.networks.flexibert: the authors' params, every operation by hand, tokens, weights."""

import math
import re

import numpy as np
import pytest
import scipy.fft
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.errors import UnknownNameError, UsageError
from nbzero.networks.build import build_net
from nbzero.networks.flexibert import LONGEST, VOCABULARY, encoder_net, scored_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.protocol import PROTOCOLS, protocol_batch, protocol_net
from nbzero.proxies.score import score
from nbzero.spaces.flexibert import BERT_OPERATIONS, FLEXIBERT
from tests.networks.published import num_params, on_meta

MAKE = ("flexibert", encoder_net)
SCORED = ("flexibert", scored_net)
MIXED = FLEXIBERT.example
ALL = [
    "bert-h128-SA.SDP.h2.f512x1-SA.WMA.h4.f1024x3-LT.DFT.h2.f512x1-LT.DCT.h4.f512x3",
    "bert-h256-DSC.5.h2.f512x1-DSC.9.h4.f1024x3",
]
# Numbers of parameters that Serianni and Kalita give for encoders of their benchmark, without a classifier.
PUBLISHED = {
    "bert-h256-SA.WMA.h4.f1024x3-LT.DCT.h2.f512x3-SA.SDP.h4.f512x3-SA.SDP.h4.f1024x1": 13_330_176,
    "bert-h256-LT.DFT.h4.f1024x3-SA.SDP.h2.f1024x1-DSC.9.h4.f512x3-DSC.5.h2.f512x1": 11_106_199,
    "bert-h128-SA.SDP.h4.f1024x1-LT.DCT.h2.f1024x1-DSC.9.h4.f512x3-LT.DFT.h4.f512x1": 8_840_082,
    "bert-h128-DSC.9.h4.f512x1-DSC.5.h2.f512x1": 5_526_167,
    "bert-h256-LT.DCT.h2.f512x1-DSC.5.h2.f512x1": 5_356_549,
    "bert-h128-DSC.5.h4.f512x3-SA.SDP.h2.f512x1": 7_654_282,
    "bert-h256-DSC.5.h2.f512x1-SA.WMA.h4.f512x3-DSC.5.h2.f1024x3-DSC.9.h4.f1024x3": 13_437_852,
    "bert-h128-LT.DFT.h4.f512x3-SA.SDP.h4.f1024x3": 9_585_920,
}


def tokens(*shape):
    return torch.randint(0, VOCABULARY, shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("arch", PUBLISHED)
def test_params_of_the_scored_encoders_are_the_authors(arch):
    net = on_meta(SCORED, arch)
    assert num_params(net) - num_params(net.classifier) == PUBLISHED[arch]


def linear(width, out):
    return width * out + out


def counted(arch):
    """The params of an arch, as its string says."""
    hidden, *layers = arch.removeprefix("bert-h").split("-")
    hidden = int(hidden)
    total = 128 * (30522 + 512 + 2 + 2) + (linear(128, hidden) if hidden != 128 else 0)
    for kind, detail, heads, width, stacks in (
        re.fullmatch(r"(\w+)\.(\w+)\.h(\d)\.f(\d+)x(\d)", layer).groups() for layer in layers
    ):
        heads, width = int(heads) // 2, int(width)
        half = hidden // 2
        total += linear(hidden, width) + (int(stacks) - 1) * linear(width, width) + linear(width, hidden)
        total += 2 * hidden
        if kind == "LT":
            total += linear(hidden, hidden)
        elif kind == "SA":
            total += 4 * linear(hidden, hidden) + 2 * hidden + (detail == "WMA") * hidden**2
        else:
            kernel = int(detail)
            total += 4 * linear(hidden, half) + linear(half, heads * kernel)
            total += hidden * kernel + linear(hidden, half) + linear(hidden, hidden) + 2 * hidden
    return total + linear(hidden, 10)


def test_params_are_the_sum_over_the_layers():
    for arch in [MIXED, *ALL, *PUBLISHED]:
        assert num_params(on_meta(MAKE, arch)) == counted(arch), arch


def test_hidden_size_and_width_tell_encoders_apart_that_the_authors_code_takes_for_one():
    wide, narrow = MIXED, MIXED.replace("h256", "h128").replace("f1024", "f512")
    assert num_params(on_meta(MAKE, wide)) > num_params(on_meta(MAKE, narrow))
    assert num_params(on_meta(SCORED, wide)) == num_params(on_meta(SCORED, narrow))


def normed(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-12)


def attention(module, query, x, heads):
    """Softmax attention of a module's linear layers, head by head."""
    outputs = []
    key, value = module.key(x), module.value(x)
    for part in torch.arange(query.shape[2]).chunk(heads):
        agree = torch.einsum("btd,bsd->bts", query[..., part], key[..., part])
        outputs.append((agree / math.sqrt(len(part))).softmax(2) @ value[..., part])
    return torch.cat(outputs, 2)


def convolved(module, x, heads, kernel):
    """The convolving heads of ConvBERT, token by token."""
    batch, length, _ = x.shape
    reach, query = kernel // 2, module.query(x)
    padded = F.pad(x, (0, 0, reach, reach))
    weight = module.depthwise.weight[:, 0, :, 0]
    deep = torch.stack([(padded[:, t : t + kernel] * weight.T).sum(1) for t in range(length)], 1)
    key = deep @ module.pointwise.weight[:, :, 0, 0].T + module.pointwise.bias
    kernels = module.kernels(key * query).reshape(batch, length, heads, kernel).softmax(3)
    values = F.pad(module.convolved(x), (0, 0, reach, reach))
    out = torch.zeros(batch, length, heads, values.shape[2] // heads, dtype=x.dtype)
    for t in range(length):
        for step in range(kernel):
            there = values[:, t + step].reshape(batch, heads, -1)
            out[:, t] += kernels[:, t, :, step, None] * there
    return out.flatten(2)


def transformed(module, x, heads, cosine):
    parts = []
    for part in module.input(x).chunk(heads, 2):
        if cosine:
            parts.append(torch.from_numpy(scipy.fft.dctn(part.numpy(), type=2, axes=(1, 2))))
        else:
            parts.append(torch.from_numpy(np.fft.fft2(part.numpy(), axes=(1, 2)).real))
    return torch.cat(parts, 2)


def layer_by_hand(layer, text, x):
    kind, detail, heads = re.match(r"(\w+)\.(\w+)\.h(\d)", text).groups()
    heads, module = int(heads), layer.operation
    if kind == "LT":
        y = transformed(module, x, heads, detail == "DCT")
    else:
        query = module.query(x)
        if kind == "DSC":
            attended = attention(module, query, x, heads // 2)
            y = torch.cat([attended, convolved(module, x, heads // 2, int(detail))], 2)
        else:
            query = query @ module.weight.weight.T if detail == "WMA" else query
            y = attention(module, query, x, heads)
        y = normed(layer.added.linear(y) + x)
    z = y
    for stack in layer.stacks:
        z = stack(z) if isinstance(stack, nn.Linear) else z * 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    return normed(layer.output.linear(z) + y)


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize("variant", [None, "swap"])
def test_forward_by_hand(arch, variant):
    net = build_net(arch, 3, 5, variant).double().eval()
    ids = tokens(2, 11)
    first, *layers = net.blocks
    with torch.no_grad():
        x = first.tokens.weight[ids] + first.segments.weight[0] + first.positions.weight[:11]
        x = first.projection(normed(x))
        for layer, text in zip(layers, arch.split("-")[2:], strict=True):
            x = layer_by_hand(layer, text, x)
        torch.testing.assert_close(net.features(ids), x)
        torch.testing.assert_close(net(ids), net.classifier(x[:, 0]))
    assert sorted(text.split(".h")[0] for one in ALL for text in one.split("-")[2:]) == sorted(
        BERT_OPERATIONS
    )


def test_blocks_are_the_embeddings_and_the_layers():
    assert on_meta(MAKE, ALL[0]).stage_of_block == [0, 1, 1, 1, 1]
    assert len(on_meta(MAKE, MIXED).blocks) == 3


def test_weights_are_pytorchs_defaults_from_arch_and_seed():
    net, again, other = (build_net(MIXED, 2, seed) for seed in (4, 4, 5))
    assert all(map(torch.equal, net.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(net.blocks[0].tokens.weight, other.blocks[0].tokens.weight)
    for module in net.modules():
        if isinstance(module, nn.Embedding):
            rows = module.weight[1:]
            assert abs(rows.std() - 1) < 4 / math.sqrt(2 * rows.numel())
        elif isinstance(module, nn.LayerNorm):
            assert module.weight.eq(1).all() and module.bias.eq(0).all()
        elif isinstance(module, (nn.Linear, nn.Conv2d)):
            bound = module.weight[0].numel() ** -0.5
            assert module.weight.abs().max() <= bound and module.weight.std() > 0.45 * bound
    assert net.blocks[0].tokens.weight[0].eq(0).all()  # what fills short sequences up


@pytest.mark.parametrize("arch", ALL)
def test_every_proxy_has_a_value_or_a_reason_on_tokens(arch):
    scores = score(build_net(arch), tokens(6, 8), torch.arange(6) % 3)
    assert set(scores) == set(PROXIES)
    for name, value in scores.items():
        assert (value is None) == (name in scores.reasons), name
    need_images = {"synflow", "zen", "zen_no_shortcut", "phi", "barlow_twins"}
    need_images |= {"jacob_cov", "epe_nas", "netsens", "dyniso"}
    assert need_images <= scores.reasons.keys()
    assert all("token" in scores.reasons[name] for name in need_images)
    for name in ("swap", "naswot", "params", "macs", "grad_norm", "snip", "ntk", "zico", "wrcor"):
        assert scores[name] is not None, scores.reasons[name]
    assert scores["depth"] == arch.count("-") - 1


def test_the_protocol_of_tokens():
    batches = [protocol_batch("flexibert", name, seed) for name in ("glue", "cola") for seed in (0, 1)]
    for ids, labels in batches:
        assert ids.shape == (16, 128) and ids.dtype == torch.int64
        assert ids.min() >= 1 and VOCABULARY - 100 < ids.max() < VOCABULARY
        assert labels.tolist() == [0, 1] * 8
    of_glue, other_seed, of_cola, _ = (ids for ids, _ in batches)
    assert of_glue.eq(of_cola).all() and not of_glue.eq(other_seed).all()
    protocol = PROTOCOLS["tokens-16x128"]
    net = protocol_net(MIXED, protocol, 2, 0)
    again = protocol_net(MIXED, protocol, 2, 0)
    for weight, same in zip(net.state_dict().values(), again.state_dict().values(), strict=True):
        assert weight.equal(same)
    assert net.blocks[0].tokens.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (("flexibert", "cifar10"), UnknownNameError, "no dataset named 'cifar10'; Known: cola, glue, mnli"),
        (("flexibert", "colla"), UnknownNameError, "did you mean 'cola'"),
        (("r1", "glue"), UnknownNameError, "no dataset named 'glue'"),
        (
            ("flexibert", "glue", 0, "std-32"),
            UsageError,
            "networks of flexibert read tokens, and std-32 has images; take tokens-16x128",
        ),
        (
            ("nb201", "cifar10", 0, "tokens-16x128"),
            UsageError,
            "networks of nb201 read images, and tokens-16x128 has tokens; take std-32",
        ),
        (("r1-mini", "cifar10", 0, "tokens-16x128"), UsageError, "take std-16"),
        (
            ("flexibert", "glue", 0, None, "noise"),
            UsageError,
            "images='noise': networks of flexibert read tokens, which are drawn; leave images out",
        ),
    ],
)
def test_protocols_of_images_and_of_tokens_are_told_apart(given, error, said):
    with pytest.raises(error, match=said):
        protocol_batch(*given)


def test_what_is_no_tokens_is_refused():
    net = build_net(MIXED)
    said = r"read int64 tokens \(B, T\), up to 512 of 0 to 30521, not "
    for given in (torch.zeros(2, 3, 8, 8), torch.zeros(2, 4), tokens(2, LONGEST + 1)):
        with pytest.raises(UsageError, match=said):
            net(given)
    with pytest.raises(UsageError, match=said):
        score(net, torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.int64), ["naswot"])
    with pytest.raises(UsageError, match=r"an arch of flexibert \(FlexiBERT\) is like"):
        build_net("bert-h64-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3")
