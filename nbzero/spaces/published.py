"""The published benchmarks that nbzero can import, and what is asked of a space of theirs or ours.

Each benchmark is one file here. `builders.import_bench` turns its tables into a release. A cost is there
where the source gives it or the definition fixes it, and is counted as in `nbzero.spaces.macro`; any other is
absent.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from nbzero.errors import UsageError, check_known
from nbzero.proxies.facts import DOUBTS, DOUBTS_ON
from nbzero.spaces.choices import Imported, ImportedSpace, import_command
from nbzero.spaces.darts import DARTS
from nbzero.spaces.flexibert import FLEXIBERT
from nbzero.spaces.macro import MacroSpace
from nbzero.spaces.mobilenetv2 import MOBILENETV2
from nbzero.spaces.nats_sss import NATS_SSS
from nbzero.spaces.nb101 import NB101
from nbzero.spaces.nb201 import NB201
from nbzero.spaces.nbmacro import NBMACRO
from nbzero.spaces.space import Space
from nbzero.spaces.transnas import TRANSNAS_MACRO, TRANSNAS_MICRO
from nbzero.text import MARK

IMPORTED: dict[str, Imported] = {
    row.name: row
    for row in (
        NB201,
        NATS_SSS,
        NB101,
        NBMACRO,
        TRANSNAS_MACRO,
        TRANSNAS_MICRO,
        DARTS,
        FLEXIBERT,
        MOBILENETV2,
    )
}

# Spaces to search in, of which no trained networks were published.
WITHOUT_TABLE = frozenset({MOBILENETV2.name})
# By which networks of published spaces are scored here, where no protocol is named.
PUBLISHED_PROTOCOL = "std-32"


def space_with(name: str, members: Sequence[str]) -> Space:
    """A space with its members, as a release has them; UnknownNameError for a name that no space has."""
    if name in IMPORTED:
        return ImportedSpace(IMPORTED[name], members)
    return MacroSpace(name, members)


def how_to_have(name: str) -> str:
    """What to do where a release lacks a published space.

    >>> how_to_have("mobilenetv2")
    'no table of it was published: build_net and builders.score_shard --members take its archs'
    """
    if name in WITHOUT_TABLE:
        return "no table of it was published: build_net and builders.score_shard --members take its archs"
    return f"make one that has it: {import_command(name)}"


def space_of(text: str) -> str | None:
    """The imported space that a string seems to name an arch of, well formed or not; None else.

    >>> space_of("|nor_conv_3x3~0|")
    'nb201'
    >>> space_of("r1-s32-d2w64s2-d2w64s2-d2w64s2") is None
    True
    """
    trimmed = text.strip()
    for name, definition in IMPORTED.items():
        if re.fullmatch(definition.looks_like, trimmed, re.DOTALL):
            return name
    return None


@functools.cache
def sample_order(name: str) -> tuple[str, ...]:
    """Every arch of a published space, in the order of `Space.sample` with seed 0.

    The first N are that sample of N, the same for everyone. The place in this order is no `arch_id` of an
    imported release, which has the official order.

    >>> sample_order("nbmacro")[:2]
    ('22100102', '00121201')

    Raises:
        UnknownNameError: no published space.
        UsageError: a space of which the definition does not say which archs there are.
    """
    check_known("published space", [name], IMPORTED)
    definition = IMPORTED[name]
    if definition.every is None:
        there = ", ".join(one for one, of in IMPORTED.items() if of.every)
        raise UsageError(
            f"{name} is not enumerated here: name its archs; enumerated are the published spaces {there}"
        )
    return in_sample_order(name, map(definition.text, definition.every(definition.choices)))


def in_sample_order(name: str, archs: Iterable[str]) -> tuple[str, ...]:
    """Some archs of a published space, each once, in the order of `Space.sample` with seed 0."""
    space = ImportedSpace(IMPORTED[name], sorted(set(archs)))
    return tuple(space.sample(len(space), seed=0))


def categories_of(space: str) -> dict[str, tuple[str, ...]]:
    """The choices of a space that are names and not amounts: column -> what its numbers mean, by position.

    >>> categories_of("nbmacro")["layer_1"]
    ('identity', 'MB3_K3', 'MB6_K5')
    >>> categories_of("r1")
    {}
    """
    if space not in IMPORTED:
        return {}
    return {choice.column: choice.options for choice in IMPORTED[space].choices}


def standard_protocol(space: str) -> str:
    """The scoring protocol of a space where the caller names none.

    That is std-16 for the mini spaces and std-32 for the others of ours. An imported space has the one that
    it comes with, "" where that is none.
    """
    if space in IMPORTED:
        return IMPORTED[space].protocol
    return "std-16" if space.endswith("-mini") else "std-32"


def doubts_of(space: str, dataset: str = "") -> Mapping[str, str]:
    """Proxy -> why its scores in a space are not to be trusted; of a data set, where one is named.

    They are stored all the same, as computed or as given.
    """
    if space in IMPORTED:
        return IMPORTED[space].doubts
    return DOUBTS_ON.get(dataset, {}) | DOUBTS.get(space, {})


def doubtful_in(space: str, names: Iterable[str], dataset: str = "") -> list[str]:
    """Those of some proxies whose scores in a space, on a data set, are not to be trusted.

    >>> doubtful_in("mb-mini", ["zen", "jacob_cov"])
    ['jacob_cov']
    """
    doubts = doubts_of(space, dataset)
    return [name for name in names if name in doubts]


def where_doubtful(space: str, name: str, dataset: str) -> str:
    """Where the scores of a proxy that is doubtful are so, in words: in the space, or on the data set alone.

    >>> where_doubtful("r1-mini", "epe_nas", "cifar100")
    'r1-mini on cifar100'
    """
    return space if name in doubts_of(space) else f"{space} on {dataset}"


def doubt_notes(space: str, names: Iterable[str], dataset: str = "") -> list[str]:
    """What the mark behind the `doubtful_in` a space says: a note for each reason.

    >>> doubt_notes("r1-mini", ["jacob_cov"])
    []
    """
    doubts = doubts_of(space, dataset)
    by_reason: dict[str, list[str]] = {}
    for name in doubtful_in(space, names, dataset):
        by_reason.setdefault(doubts[name], []).append(name)
    notes = []
    for reason, those in by_reason.items():
        where = where_doubtful(space, those[0], dataset)
        notes.append(f"{MARK} Doubtful in {where}: {', '.join(those)}; {reason}.")
    return notes
