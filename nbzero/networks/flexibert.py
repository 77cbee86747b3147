"""The encoders of FlexiBERT: ELECTRA's embeddings, two or four layers, a classifier of the first token.

A layer is an operation, then feed-forward stacks (linear layer, GELU) and a linear layer back to the hidden
size, whose output is added to the operation's and normalised. Operations, h the heads:

    SA.SDP, SA.WMA    self-attention; WMA multiplies the queries by one more matrix
    LT.DFT, LT.DCT    a linear layer, then the real part of a Fourier transform over tokens and a head's
                      channels, or a cosine transform of type II; nothing is added or normalised
    DSC.5, DSC.9      half the heads attend, the other half convolves the tokens with kernels of that size,
                      which depend on each token (ConvBERT)

After SA and DSC come a linear layer, the sum with the layer's input, and a layer norm. Dropout is 0.1.

Networks read int64 tokens (B, T). Blocks are the embeddings, which are stage 0, and the layers, all of stage
1. Params without the classifier are those that the benchmark's authors give, for `scored_net`.

Source: Tuli et al., arXiv:2205.11656; the layers as in the code of Serianni and Kalita, ACL 2023,
arXiv:2306.00288.

Capital endings name axes: B sequences, T tokens, H hidden numbers, N heads, D numbers of a head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbzero.errors import UsageError
from nbzero.networks.network import Network
from nbzero.spaces.flexibert import BERT_WIDTHS, LAYER

VOCABULARY, LONGEST, EMBEDDING = 30_522, 512, 128  # tokens known, tokens of a sequence, numbers of a token
SCORED_HIDDEN, SCORED_FF = 256, 1024  # of every network that the authors' code scores
_EPS = 1e-12  # of layer norms
_DROPOUT = 0.1
_DEVIATION = 0.02  # of ELECTRA's weights


class LayerKind(NamedTuple):
    """What an arch says of a layer."""

    operation: str
    heads: int
    ff_width: int
    ff_stacks: int


class Embeddings(nn.Module):
    """(B, T) tokens to (B, T, H): token, position and first segment added, normalised, projected."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, EMBEDDING, padding_idx=0)
        self.positions = nn.Embedding(LONGEST, EMBEDDING)
        self.segments = nn.Embedding(2, EMBEDDING)
        self.norm = nn.LayerNorm(EMBEDDING, _EPS)
        self.dropout = nn.Dropout(_DROPOUT)
        self.projection: nn.Module = nn.Identity()
        if hidden != EMBEDDING:
            self.projection = nn.Linear(EMBEDDING, hidden)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        if tokens_BT.ndim != 2 or tokens_BT.dtype != torch.int64 or tokens_BT.shape[1] > LONGEST:
            given = f"{tokens_BT.dtype} of shape {tuple(tokens_BT.shape)}"
            raise UsageError(
                f"encoders of FlexiBERT read int64 tokens (B, T), up to {LONGEST} of 0 to {VOCABULARY - 1}, "
                f"not {given}; give token indices in place of images"
            )
        places = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        x = self.tokens(tokens_BT) + self.segments.weight[0] + self.positions(places)
        projected: Tensor = self.projection(self.dropout(self.norm(x)))
        return projected


def by_head(x: Tensor, heads: int) -> Tensor:
    """(B, T, N D) to (B, N, T, D)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    """(B, N, T, D) to (B, T, N D)."""
    return x.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Softmax(q k^T / sqrt(D)) v by head, with dropout of the weights.

    Args:
        hidden: numbers of a token.
        heads: how many attend.
        inner: numbers of all their heads together.
        weighted: whether the queries are multiplied by one more matrix.
    """

    def __init__(self, hidden: int, heads: int, inner: int, weighted: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, inner)
        self.key = nn.Linear(hidden, inner)
        self.value = nn.Linear(hidden, inner)
        self.weight = nn.Linear(inner, inner, bias=False) if weighted else None
        self.softmax = nn.Softmax(dim=-1)
        self.dropout = nn.Dropout(_DROPOUT)

    def attend(self, query: Tensor, x: Tensor) -> Tensor:
        """What the tokens gather, (B, T, inner)."""
        query_BNTD = by_head(query, self.heads)
        key_BNTD = by_head(self.key(x), self.heads)
        agree_BNTT = query_BNTD @ key_BNTD.transpose(2, 3) / math.sqrt(query_BNTD.shape[-1])
        weights_BNTT = self.dropout(self.softmax(agree_BNTT))
        return joined(weights_BNTT @ by_head(self.value(x), self.heads))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x)
        if self.weight is not None:
            query = self.weight(query)
        return self.attend(query, x)


class ConvAttention(Attention):
    """Half the heads attend; beside them as many convolve the tokens with kernels that each token has."""

    def __init__(self, hidden: int, heads: int, kernel: int) -> None:
        inner = hidden // 2
        super().__init__(hidden, heads // 2, inner)
        self.kernel = kernel
        reach = (kernel // 2, 0)
        self.depthwise = nn.Conv2d(hidden, hidden, (kernel, 1), padding=reach, groups=hidden, bias=False)
        self.pointwise = nn.Conv2d(hidden, inner, 1)
        self.kernels = nn.Linear(inner, self.heads * kernel)
        self.convolved = nn.Linear(hidden, inner)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x)
        key = self.pointwise(self.depthwise(x.transpose(1, 2).unsqueeze(3)))
        kernels = self.kernels(key.squeeze(3).transpose(1, 2) * query)
        kernels_BTNK = kernels.unflatten(2, (self.heads, self.kernel)).softmax(dim=3)
        reach = self.kernel // 2
        around = F.pad(self.convolved(x), (0, 0, reach, reach)).unfold(1, self.kernel, 1)
        around_BTNDK = around.unflatten(2, (self.heads, -1))
        convolved = (around_BTNDK @ kernels_BTNK.unsqueeze(4)).flatten(2)
        return torch.cat([self.attend(query, x), convolved], dim=2)


class Transformed(nn.Module):
    """A linear layer, then a transform over the tokens and the numbers of each head.

    Args:
        cosine: the cosine transform of type II, 2 sum_n x_n cos(pi k (2n + 1) / 2N); else the real part of
            the Fourier transform. Neither is normalised.
    """

    def __init__(self, hidden: int, heads: int, cosine: bool) -> None:
        super().__init__()
        self.heads = heads
        self.cosine = cosine
        self.input = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x_BNTD = by_head(self.input(x), self.heads)
        if self.cosine:
            return joined(_cosines(x_BNTD.shape[2], x) @ x_BNTD @ _cosines(x_BNTD.shape[3], x).T)
        return joined(torch.fft.fft2(x_BNTD).real)


def _cosines(size: int, like: Tensor) -> Tensor:
    """2 cos(pi k (2n + 1) / 2N) by k and n, of a tensor's dtype and device."""
    steps = torch.arange(size, dtype=like.dtype, device=like.device)
    return 2 * torch.cos(torch.outer(steps, 2 * steps + 1) * (math.pi / (2 * size)))


class Added(nn.Module):
    """LayerNorm(x + dropout(linear(y))), to `hidden` numbers."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(_DROPOUT)
        self.norm = nn.LayerNorm(hidden, _EPS)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        added: Tensor = self.norm(self.dropout(self.linear(y)) + x)
        return added


def draw_electra_weights(net: nn.Module, draws: torch.Generator) -> None:
    """N(0, 0.02) weights of linear layers, convolutions and embeddings, biases 0; 0 for what fills up."""
    for module in net.modules():
        if not isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
            continue
        nn.init.normal_(module.weight, std=_DEVIATION, generator=draws)
        if isinstance(module, nn.Embedding):
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif module.bias is not None:
            nn.init.zeros_(module.bias)


def operation(name: str, hidden: int, heads: int) -> nn.Module:
    """The module of one operation."""
    kind, detail = name.split(".")
    if kind == "LT":
        return Transformed(hidden, heads, cosine=detail == "DCT")
    if kind == "DSC":
        return ConvAttention(hidden, heads, int(detail))
    return Attention(hidden, heads, hidden, weighted=detail == "WMA")


class EncoderLayer(nn.Module):
    """One layer, (B, T, H) to the same."""

    def __init__(self, kind: LayerKind, hidden: int) -> None:
        super().__init__()
        self.operation = operation(kind.operation, hidden, kind.heads)
        self.added = None if kind.operation.startswith("LT") else Added(hidden, hidden)
        stacks: list[nn.Module] = []
        width = hidden
        for _ in range(kind.ff_stacks):
            stacks += [nn.Linear(width, kind.ff_width), nn.GELU()]
            width = kind.ff_width
        self.stacks = nn.Sequential(*stacks)
        self.output = Added(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        y = self.operation(x)
        if self.added is not None:
            y = self.added(y, x)
        output: Tensor = self.output(self.stacks(y), y)
        return output


class FirstToken(nn.Module):
    """(B, T, H) to the (B, H) of the first token."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def layers_of(values: Sequence[int]) -> tuple[int, list[LayerKind]]:
    """The hidden size of an arch and its layers, from its numbers."""
    hidden, *rest = values
    layers = []
    for start in range(0, len(rest), len(LAYER)):
        numbers = rest[start : start + len(LAYER)]
        if any(numbers):
            name, *sizes = (part.options[number] for part, number in zip(LAYER, numbers, strict=True))
            layers.append(LayerKind(name, *map(int, sizes)))
    return int(BERT_WIDTHS[hidden]), layers


def encoder_net(values: Sequence[int], num_classes: int) -> Network:
    """The encoder of an arch, its weights not yet drawn. It reads tokens (B, T)."""
    hidden, layers = layers_of(values)
    return _of_layers(layers, hidden, num_classes)


def scored_net(values: Sequence[int], num_classes: int) -> Network:
    """The encoder that the authors' code and SWAP's score for an arch, its weights not yet drawn.

    That code reads neither the hidden size nor the width of the feed-forward stacks. All its networks have
    256 and 1024.
    """
    _, layers = layers_of(values)
    return _of_layers([layer._replace(ff_width=SCORED_FF) for layer in layers], SCORED_HIDDEN, num_classes)


def _of_layers(layers: Sequence[LayerKind], hidden: int, num_classes: int) -> Network:
    blocks: list[nn.Module] = [Embeddings(hidden)]
    blocks += [EncoderLayer(layer, hidden) for layer in layers]
    net = Network(blocks, [0] + len(layers) * [1], hidden, num_classes)
    net.pool = FirstToken()
    return net
