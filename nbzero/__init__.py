"""nbzero: a benchmark of trained ResNet and MobileNet macro-space networks with every training-free proxy score."""

from typing import TYPE_CHECKING, Any

from nbzero.bench import Bench, Record, Run, Scores
from nbzero.errors import (
    ImagesError,
    NBZeroError,
    NotAMemberError,
    NothingFoundError,
    ProxyError,
    ReleaseError,
    UnknownNameError,
)
from nbzero.proxies.facts import PROXIES, Proxy, proxy
from nbzero.spaces import Space
from nbzero.spaces.macro import Arch, Stage, macs, params, space

if TYPE_CHECKING:
    from nbzero.table import TableView

__all__ = [
    "PROXIES",
    "Arch",
    "Bench",
    "ImagesError",
    "NBZeroError",
    "NotAMemberError",
    "NothingFoundError",
    "Proxy",
    "ProxyError",
    "Record",
    "ReleaseError",
    "Run",
    "Scores",
    "Space",
    "Stage",
    "TableView",
    "UnknownNameError",
    "macs",
    "params",
    "proxy",
    "space",
]
__version__ = "0.4.0"


def __getattr__(name: str) -> Any:
    if name == "TableView":  # imported with the first table, because it needs numpy
        from nbzero.table import TableView

        return TableView
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
