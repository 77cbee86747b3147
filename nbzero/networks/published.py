"""Which published benchmarks have networks here, and what makes them. Needs no torch.

A network is made from the numbers that its space gives an arch (`Imported.parse`).
"""

from __future__ import annotations

from nbzero.spaces.flexibert import GLUE

NETWORKS = {
    "nb201": "nbzero.networks.nb201:cell_net",
    "nb101": "nbzero.networks.nb101:graph_net",
    "nats-sss": "nbzero.networks.nats_sss:size_net",
    "nbmacro": "nbzero.networks.nbmacro:layers_net",
    "transnas-macro": "nbzero.networks.transnas:modules_net",
    "transnas-micro": "nbzero.networks.transnas:micro_net",
    "darts": "nbzero.networks.darts:darts_net",
    "flexibert": "nbzero.networks.flexibert:encoder_net",
    "mobilenetv2": "nbzero.networks.mobilenetv2:stages_net",
}  # space -> module:function of (numbers, classes)
VARIANTS = {
    "swap": {
        "darts": "nbzero.networks.darts:tiny_net",
        "flexibert": "nbzero.networks.flexibert:scored_net",
    },
}  # whose code scores another network than the benchmark's -> space -> module:function
OF_TOKENS = {"flexibert": ("glue", *GLUE)}  # whose networks read tokens, no images -> its data sets
