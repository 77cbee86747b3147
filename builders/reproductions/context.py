"""What a table is made of: the benchmarks, the scores that are known, and where new ones are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders.reproductions.known import Known
from builders.reproductions.scoring import (
    Compute,
    Scored,
    Setting,
    grow,
    joined_scores,
    scorer,
    scores_there,
    there_alone,
)
from nbzero.bench import Bench
from nbzero.errors import NothingFoundError

SPACE = "nb201"  # of settings whose space is not named
SEED_OF_SAMPLE = 0


@dataclass(frozen=True)
class Context:
    """What a table is made of.

    Attributes:
        benchmarks: the release with the imported benchmarks.
        folder: of the scores that are computed here.
        images: folder or file of the images, or "noise".
        num_archs: how many are drawn; None is each table's own number.
        workers: processes.
        proxies: only these rows' scores are computed; None is all.
        known: scores that were computed elsewhere.
        kept: a folder with more of them, in files as in `folder`.
        computes: whether scores that are missing are computed.
        fewest: where nothing is computed, scores that fewer archs have are left out.
        counts: then told how many archs have each of the others.
    """

    benchmarks: Bench
    folder: Path
    images: str | None
    num_archs: int | None = None
    workers: int = 1
    proxies: tuple[str, ...] | None = None
    known: Known = field(default_factory=Known)
    kept: Path | None = None
    computes: bool = True
    fewest: int = 1
    counts: set[int] | None = None

    def archs(self, space: str, default: int) -> list[str]:
        """Those that are drawn of a space."""
        members = self.benchmarks.space(space)
        wanted = default if self.num_archs is None else self.num_archs
        return members.sample(min(wanted, len(members)), SEED_OF_SAMPLE)

    def setting(
        self,
        protocol: str,
        names: Sequence[str],
        dataset: str = "cifar10",
        space: str = SPACE,
        images: str | None = None,
    ) -> Setting:
        """The scores wanted, of those that this job computes.

        Args:
            images: others than those of the job.

        Raises:
            NothingFoundError: as `asked`.
        """
        return Setting(space, dataset, protocol, images or self.images, self.asked(names))

    def asked(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of a table's scores that are to be computed.

        Raises:
            NothingFoundError: `proxies` has none of them.
        """
        if self.proxies is None or not names:
            return tuple(names)
        asked = tuple(name for name in names if name.partition(":")[0] in self.proxies)
        if not asked:
            there = ", ".join(sorted({name.partition(":")[0] for name in names}))
            given = " ".join(self.proxies)
            said = f"--proxies {given}: this table has none of them"
            raise NothingFoundError(f"{said}; its proxies are {there}")
        return asked

    def filled(self, setting: Setting, archs: Sequence[str]) -> Scored:
        """The scores of a setting; errors as `grown`."""
        known = self.known.of(setting)
        return self.grown(setting.file(self.folder), archs, setting.proxies, scorer(setting), known)

    def grown(
        self,
        path: Path,
        archs: Sequence[str],
        names: Sequence[str],
        compute: Compute,
        known: Scored | None = None,
    ) -> Scored:
        """The scores of archs, those that are missing computed, or left out where nothing is computed.

        Args:
            path: the file that new ones are added to.
            names: of the scores wanted.
            known: scores of other places.

        Raises:
            NothingFoundError: nothing is computed, and nothing is known.
        """
        if self.kept is not None:
            known = joined_scores(known, scores_there(self.kept / path.name))
        if self.computes:
            return grow(path, archs, names, compute, self.workers, known)
        found = there_alone(path, archs, names, known, self.fewest, self.counts)
        if not found:
            raise NothingFoundError(
                f"none of {len(archs)} archs has scores in {path}, --shards or --stored; "
                "leave out --known-only"
            )
        return found
