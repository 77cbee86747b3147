"""Which published benchmarks have networks here, and what makes them. Needs no torch.

A network is made from the numbers that its space gives an arch (`Imported.parse`).
"""

from __future__ import annotations

NETWORKS = {
    "nb201": "nbzero.networks.nb201:cell_net",
    "nb101": "nbzero.networks.nb101:graph_net",
    "nats-sss": "nbzero.networks.nats_sss:size_net",
    "nbmacro": "nbzero.networks.nbmacro:layers_net",
    "transnas-macro": "nbzero.networks.transnas:modules_net",
    "transnas-micro": "nbzero.networks.transnas:micro_net",
}  # space -> module:function of (numbers, classes)
PUBLISHED_PROTOCOL = "std-32"  # under which they are scored where none is named
