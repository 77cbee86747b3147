"""Networks in torch, from an architecture string: pip install '.[torch]'."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.networks.build import build_net as build_net, seed_of as seed_of
    from nbzero.networks.macro import Net as Net
    from nbzero.networks.onnx import Exported as Exported, export_onnx as export_onnx

__all__ = face(__name__, build=("build_net", "seed_of"), macro=("Net",), onnx=("Exported", "export_onnx"))
