"""NATS-Bench's size space: accuracies at 1, 12 and 90 epochs, from its official archive."""

from __future__ import annotations

from nbzero.importers.nats import Layout, official_nats
from nbzero.importers.source import Importer, no_tables, official_sources

NATS_SSS_LAYOUT = Layout(
    "nats-sss",
    {"01": "nats-sss-1", "12": "nats-sss-12", "90": "nats-sss-90"},
    "NATS-sss-v1_0-50262-simple.tar",
)
OFFICIAL = official_nats(NATS_SSS_LAYOUT)
NATS_SSS = Importer(
    space="nats-sss",
    sources=official_sources("archs runs", OFFICIAL),
    files={},
    rows=no_tables,
    runs="nats-sss-90 (up to three seeds), nats-sss-90-mean where there are several, nats-sss-12, nats-sss-1",
    official=(OFFICIAL,),
)
