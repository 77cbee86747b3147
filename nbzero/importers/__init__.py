"""Importers: the tables of published benchmarks as those of a release."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.importers.published import IMPORTERS as IMPORTERS
    from nbzero.importers.source import (
        Importer as Importer,
        Source as Source,
        read_sources as read_sources,
        said_left_out as said_left_out,
        table_of as table_of,
        tables_of as tables_of,
    )

__all__ = face(
    __name__,
    published=("IMPORTERS",),
    source=("Importer", "Source", "read_sources", "said_left_out", "table_of", "tables_of"),
)
