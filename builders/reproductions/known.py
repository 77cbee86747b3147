"""Scores that were computed before, in shards of `builders.score_shard` or in a release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from builders.reproductions.scoring import Scored, Setting
from builders.work.repeats import lacking
from builders.work.sources import rows_of
from nbzero.proxies.facts import PROXIES


class Place(NamedTuple):
    """Of what scores are. A protocol's name fixes images, their number and the weights."""

    space: str
    dataset: str
    protocol: str
    seed: int


@dataclass(frozen=True)
class Known:
    """Scores by what they are of."""

    scores: Mapping[Place, Scored] = field(default_factory=dict)

    def of(self, setting: Setting) -> Scored:
        """Those of a setting: of the same protocol and seed. None is counted as the authors do."""
        place = Place(setting.space, setting.dataset, setting.settings.name, setting.seed)
        return dict(self.scores.get(place, {}))


def known_in(paths: Iterable[str]) -> Known:
    """The scores in shard files, folders of them and releases.

    A proxy that failed is None. One that was not computed is absent.

    Raises:
        ReleaseError: nothing there, or a file that is no shard or is damaged.
    """
    found: dict[Place, Scored] = {}
    for path in paths:
        for source in rows_of(path):
            kind, space, dataset = source.key
            if kind != "scores":
                continue
            row = source.row
            absent = lacking(row)
            scores = {name: row[name] for name in PROXIES if name not in absent}
            place = Place(space, str(dataset), row["protocol"], row["seed"])
            found.setdefault(place, {}).setdefault(source.arch, {}).update(scores)
    return Known(found)
