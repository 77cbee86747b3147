"""A release: its files, their schema, and what is read from them."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.release.index import Index as Index, build_index as build_index, index_path as index_path
    from nbzero.release.manifest import (
        MANIFEST as MANIFEST,
        Manifest as Manifest,
        Release as Release,
        embedded_folder as embedded_folder,
        parse_version as parse_version,
    )
    from nbzero.release.schema import (
        DATASETS as DATASETS,
        PROTOCOLS as PROTOCOLS,
        RECIPES as RECIPES,
        TABLES as TABLES,
        Column as Column,
        column as column,
        columns_of as columns_of,
    )
    from nbzero.release.verify import verify as verify

__all__ = face(
    __name__,
    index=("Index", "build_index", "index_path"),
    manifest=("MANIFEST", "Manifest", "Release", "embedded_folder", "parse_version"),
    schema=("DATASETS", "PROTOCOLS", "RECIPES", "TABLES", "Column", "column", "columns_of"),
    verify=("verify",),
)
