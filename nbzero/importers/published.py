"""The published benchmarks that can be imported.

Each is one file here, of the same name as in `nbzero.spaces`.
"""

from __future__ import annotations

from nbzero.importers.darts import DARTS
from nbzero.importers.flexibert import FLEXIBERT
from nbzero.importers.nats_sss import NATS_SSS
from nbzero.importers.nb101 import NB101
from nbzero.importers.nb201 import NB201
from nbzero.importers.nbmacro import NBMACRO
from nbzero.importers.source import Importer
from nbzero.importers.transnas import TRANSNAS_MACRO, TRANSNAS_MICRO

IMPORTERS: dict[str, Importer] = {
    row.space: row
    for row in (NB201, NATS_SSS, NB101, NBMACRO, TRANSNAS_MACRO, TRANSNAS_MICRO, DARTS, FLEXIBERT)
}
