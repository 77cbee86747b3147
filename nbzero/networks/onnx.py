"""A network as an ONNX file, checked against torch: pip install '.[onnx]'.

export_onnx("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2", "net.onnx")
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nbzero.errors import NBZeroError, UsageError, needs, quoted, whole
from nbzero.files import write_whole
from nbzero.networks.build import build_net
from nbzero.networks.flexibert import VOCABULARY, Embeddings
from nbzero.networks.network import Network
from nbzero.spaces.macro import RESOLUTION, Arch

TRACED, CHECKED = 2, 3  # images of the trace and of the check; another number, so that a fixed one is seen
NUM_TOKENS = 128  # of a sequence, where the network reads tokens
OPSET = 20
TOLERANCE = 1e-3  # a part of the largest logit


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: of the file.
        num_bytes: its size.
        inputs: name and shape of the input, N for any number.
        opset: the version of ONNX's operators that it needs.
        deviation: the largest difference between the logits of onnxruntime and torch, as a part of the
            largest logit.
    """

    path: Path
    num_bytes: int
    inputs: str
    opset: int
    deviation: float


def export_onnx(
    arch: str | Arch,
    path: str | os.PathLike[str],
    num_classes: int = 10,
    seed: int = 0,
    resolution: int = RESOLUTION,
    weights: Mapping[str, Tensor] | None = None,
) -> Exported:
    """Write the network of `arch` as ONNX: float32, in eval mode, for any number of images.

    The input is `images`, (N, 3, resolution, resolution), or `tokens`, int64 (N, 128), where the network
    reads those. The output is `logits`, (N, classes). Before the file is written onnxruntime and torch
    compute the logits of three inputs, N(0, 1) or uniform tokens. They may differ by 1e-3 of the largest.

    Args:
        arch: of our spaces or of a published benchmark, as of `build_net`.
        path: of the file, which appears whole or not at all.
        num_classes, seed: as of `build_net`. The weights are the initial ones; batch norms have running means
            of 0 and variances of 1.
        resolution: side of the images in pixels, from 8.
        weights: a state dict of the network, of a training of your own, in place of the initial weights.

    Returns:
        where it is, how large, and how far from torch.

    Raises:
        MissingPackageError: onnx, onnxscript or onnxruntime cannot be imported.
        UsageError: as of `build_net`; weights that do not fit the network; a resolution below 8.
        NBZeroError: onnxruntime's logits are not torch's. Nothing is written.
        OutputError: the file cannot be written.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        needs("export_onnx", package)
    resolution = whole("resolution", resolution, 8)
    net = build_net(arch, num_classes, seed)
    if weights is not None:
        _load(net, weights, str(arch))
    net.eval()
    data = _traced(net, resolution)
    deviation = _deviation(net, data, resolution)
    if not deviation <= TOLERANCE:
        raise NBZeroError(
            f"the logits that onnxruntime computes of {quoted(arch)} differ from torch's by {deviation:.2g} "
            f"of the largest; {TOLERANCE:g} is allowed; nothing was written"
        )
    target = Path(path)
    write_whole(target, data)
    name, example = _example(net, 1, resolution)
    shape = ", ".join(["N", *map(str, example.shape[1:])])
    return Exported(target, len(data), f"{name} ({shape})", OPSET, deviation)


def _load(net: Network, weights: Mapping[str, Tensor], arch: str) -> None:
    try:
        net.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"the weights do not fit the network of {quoted(arch)}: {quoted(error)}; give net.state_dict() "
            "of the network that build_net makes with as many classes"
        ) from error


def _example(net: Network, count: int, resolution: int) -> tuple[str, Tensor]:
    """The input's name and an input, the same for the same shape."""
    draws = torch.Generator().manual_seed(0)
    if isinstance(net.blocks[0], Embeddings):
        return "tokens", torch.randint(VOCABULARY, (count, NUM_TOKENS), generator=draws)
    return "images", torch.randn(count, 3, resolution, resolution, generator=draws)


def _traced(net: Network, resolution: int) -> bytes:
    """The bytes of the ONNX file."""
    name, example = _example(net, TRACED, resolution)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own parts, about one another
        program: Any = torch.onnx.export(
            net,
            (example,),
            input_names=[name],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    file = io.BytesIO()
    program.save(file)
    return file.getvalue()


def _deviation(net: Network, data: bytes, resolution: int) -> float:
    """The largest difference of the logits, as a part of the largest logit."""
    runtime = needs("export_onnx", "onnxruntime")
    name, example = _example(net, CHECKED, resolution)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {name: example.numpy()})[0])
    with torch.no_grad():
        ours = net(example)
    return float((theirs - ours).abs().max() / ours.abs().max())
