"""The command that writes a network for other programs: export-onnx."""

from typing import Annotated

import typer

from nbzero.cli.frame import Answer, Call, Listing
from nbzero.cli.options import archs_there, command


@command()
def export_onnx(
    call: Call,
    arch: Annotated[str, typer.Argument(help="An arch string.", autocompletion=archs_there)],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE.onnx", help="The file to write.")],
    classes: Annotated[int, typer.Option("--classes", min=1, metavar="N", help="Of the classifier.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the initial weights.")] = 0,
    resolution: Annotated[
        int, typer.Option("--resolution", min=8, metavar="PIXELS", help="Side of the images.")
    ] = 32,
) -> Answer:
    """Write a network as ONNX, with its initial weights.

    onnxruntime's logits are compared with torch's first.

    Weights of your own: nbzero.networks.export_onnx(arch, path, weights=net.state_dict()).
    """
    from nbzero.networks.onnx import export_onnx as written

    found = written(arch, out, classes, seed, resolution)
    row = {"file": str(found.path), "input": found.inputs, "bytes": found.num_bytes, "opset": found.opset}
    row["deviation"] = found.deviation
    title = f"{arch}, seed {seed}; deviation: of onnxruntime's logits from torch's, a part of the largest"
    return Answer(Listing(list(row), [row], title))
