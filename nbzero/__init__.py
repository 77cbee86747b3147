"""A benchmark of macro-space networks: accuracies, costs, scores of training-free proxies, offline."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbzero.bench import Bench
from nbzero.errors import (
    ImagesError,
    MissingPackageError,
    NBZeroError,
    NoSuchArchIdError,
    NotAMemberError,
    NothingFoundError,
    OutOfBudgetError,
    OutputError,
    ProxyError,
    ReleaseError,
    UnknownNameError,
    UsageError,
)
from nbzero.proxies.facts import PROXIES, Proxy, proxy
from nbzero.release.latencies import Timing
from nbzero.release.record import Prediction, Record, Run, Scores
from nbzero.spaces.macro import Arch, Stage, macs, params, space
from nbzero.spaces.space import Space
from nbzero.version import __version__ as __version__

if TYPE_CHECKING:
    from nbzero.frame import Frame

__all__ = [
    "PROXIES",
    "Arch",
    "Bench",
    "Frame",
    "ImagesError",
    "MissingPackageError",
    "NBZeroError",
    "NoSuchArchIdError",
    "NotAMemberError",
    "NothingFoundError",
    "OutOfBudgetError",
    "OutputError",
    "Prediction",
    "Proxy",
    "ProxyError",
    "Record",
    "ReleaseError",
    "Run",
    "Scores",
    "Space",
    "Stage",
    "Timing",
    "UnknownNameError",
    "UsageError",
    "macs",
    "params",
    "proxy",
    "space",
]
_LATER = (
    "adapters",
    "images",
    "importers",
    "judge",
    "metrics",
    "networks",
    "pages",
    "plots",
    "proxies",
    "release",
    "search",
    "spaces",
    "surrogate",
)


def __getattr__(name: str) -> Any:
    if name == "Frame":  # imported with the first table, because it needs numpy
        from nbzero.frame import Frame

        return Frame
    if name in _LATER:
        return import_module(f"nbzero.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
