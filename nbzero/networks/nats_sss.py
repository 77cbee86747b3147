"""The networks of NATS-Bench's size space: a stem, three cells, two residual blocks between them.

All cells have the operations of `nbzero.spaces.nats_sss.CELL`; the five channel counts are of cell, residual
block, cell, residual block, cell. Modules, blocks and stages are as in `nbzero.networks.nb201`.

Source: Dong et al., TPAMI 2021, arXiv:2009.00437.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbzero.networks.nb201 import net_of_layers
from nbzero.networks.network import Network
from nbzero.spaces.nats_sss import CELL, HALVES, channels_of
from nbzero.spaces.nb201 import operations_of


def size_net(values: Sequence[int], num_classes: int) -> Network:
    """The network of five channel counts, its weights not yet drawn.

    Args:
        values: their numbers in `nbzero.spaces.nats_sss.CHANNELS`.
    """
    channels = channels_of(values)
    layers = list(zip(channels, HALVES, strict=True))
    return net_of_layers(operations_of(CELL), layers, channels[0], num_classes)
