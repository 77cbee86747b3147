"""nbzero: a benchmark of trained ResNet and MobileNet macro-space networks with every training-free proxy score."""

from nbzero.bench import Bench, Record, Run, Scores, TableView
from nbzero.errors import ImagesError, NBZeroError, NotAMemberError, ProxyError, ReleaseError, UnknownNameError
from nbzero.proxies import PROXIES, Proxy, proxy
from nbzero.spaces import Arch, Space, Stage, macs, params, space

__all__ = [
    "PROXIES",
    "Arch",
    "Bench",
    "ImagesError",
    "NBZeroError",
    "NotAMemberError",
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
__version__ = "0.1.0"
