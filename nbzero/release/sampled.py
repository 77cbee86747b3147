"""Published benchmarks of whose networks a release has scores of ours, and nothing of their authors.

The archs are the first ones of the space's sample with seed 0, in that order. The definition gives every
column of their table. An imported table has all archs of the benchmark instead, in the official order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbzero.release.schema import arrow_schema, imported_row
from nbzero.spaces.published import IMPORTED, sample_order

if TYPE_CHECKING:
    import pyarrow as pa

LICENCE = "CC-BY-4.0"  # the SPDX name of that of the data of nbzero
OF_ARCHS = "nbzero (counted from the definition of the space)"
OF_SCORES = "nbzero (builders.score_shard: scores of networks at initialisation)"
NO_COMMIT = "none, of archs that a definition gives"


def is_sampled(space: str, archs: Sequence[str]) -> bool:
    """Whether some archs of a published space are the first of its sample, in order.

    >>> is_sampled("nbmacro", ["22100102", "00121201"]), is_sampled("nbmacro", ["00000000"])
    (True, False)
    """
    if space not in IMPORTED or IMPORTED[space].every is None:
        return False
    return list(archs) == list(sample_order(space)[: len(archs)])


def sampled_rows(space: str, num_archs: int) -> list[dict[str, Any]]:
    """The rows of the archs table of the first archs of a sample.

    `iso_class` numbers the different networks in that order.

    Raises:
        UnknownNameError: no published space.
        UsageError: a space whose definition does not say which archs there are.
    """
    archs = sample_order(space)[:num_archs]
    definition = IMPORTED[space]
    rows = []
    classes: dict[str, int] = {}
    for arch_id, arch in enumerate(archs):
        row = imported_row(space, arch_id, arch)
        if definition.class_of:
            called = definition.class_of(definition.parse(arch))
            row["iso_class"] = classes.setdefault(called, len(classes))
        rows.append(row)
    return rows


def sampled_archs(space: str, num_archs: int) -> pa.Table:
    """The archs table of the first archs of a sample; errors as `sampled_rows`."""
    import pyarrow as pa

    schema = _with_source(arrow_schema("archs", space), space, OF_ARCHS, [NO_COMMIT])
    return pa.Table.from_pylist(sampled_rows(space, num_archs), schema)


def sampled_scores(space: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A scores table of ours of a published space, of rows without space, dataset and arch."""
    import pyarrow as pa

    commits = sorted({row["builder_commit"] for row in rows})
    schema = _with_source(arrow_schema("scores", space), space, OF_SCORES, commits)
    return pa.Table.from_pylist(list(rows), schema)


def _with_source(schema: pa.Schema, space: str, source: str, commits: Iterable[str]) -> pa.Schema:
    """The schema with what every table of a published space says of where it is from."""
    said = {
        "nbzero.source": source,
        "nbzero.source_commit": "; ".join(commits),
        "nbzero.licence": LICENCE,
        "nbzero.benchmark": IMPORTED[space].title,
    }
    return schema.with_metadata({**schema.metadata, **said})
