"""Bench: looks up one architecture or selects many, and judges proxies. A release lies on disk or at a URL.

A query reads a memory-mapped index and imports neither numpy, pyarrow nor pandas, which take longer to import
than it to answer. Whatever is absent is None (NaN in numeric columns), and its reason can be asked for. A
Bench pickles as the address of its release, so that it and its records can be handed to other processes.

What judges proxies is in `nbzero.judge`, as functions of a `Pool`. The methods here make the pool and call
them. After the leading arguments (space, dataset, recipe; of `mbr` the proxy; of `evaluate` the scores) all
others are named. `**which` are the arguments of `pool`: protocol, seed, split, where, score_seed, accuracy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from nbzero.errors import NoSuchArchIdError, NothingFoundError, UnknownNameError, UsageError, quoted
from nbzero.release.opened import Kind, Opened, OpenedSpace, Seed, Seeds, Split
from nbzero.release.record import Record
from nbzero.release.schema import Table
from nbzero.spaces.macro import Arch, as_arch
from nbzero.spaces.published import how_to_have, space_of
from nbzero.spaces.space import Space

if TYPE_CHECKING:
    import pyarrow as pa

    from nbzero.frame import Frame
    from nbzero.judge.board import Board
    from nbzero.judge.board_rows import By
    from nbzero.judge.budgets import Budgets
    from nbzero.judge.correlations import Undefined
    from nbzero.judge.designs import Transform
    from nbzero.judge.evaluate import Report
    from nbzero.judge.hybrid_search import HybridSearch
    from nbzero.judge.hybrids import Hybrid, Rule
    from nbzero.judge.picks import Lead
    from nbzero.judge.pool import Pool, Which
    from nbzero.judge.submission import Given
    from nbzero.search.answers import Unmeasured
    from nbzero.search.clock import ClockName
    from nbzero.search.objective import Objective
    from nbzero.search.simulation import Simulation
    from nbzero.surrogate import Surrogate


class Bench:
    """A release, opened read-only.

    Args:
        path_or_url: a directory or fsspec URL with a manifest.json; None: the release that ships with nbzero.

    Attributes:
        release: the opened release, for what reads tables itself.

    Raises:
        ReleaseError: nothing there, or something that its manifest does not promise. Files are checked when
            they are first read.

    >>> b = Bench()
    >>> b.query("r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2").macs
    498983936
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None) -> None:
        self.release = Opened(path_or_url)

    def __reduce__(self) -> tuple[Any, ...]:
        return Bench, (self.release.files.url,)

    @property
    def spaces(self) -> tuple[str, ...]:
        """The names of its spaces."""
        return self.release.spaces

    @property
    def path(self) -> str:
        """The release that is open: its URL, or the absolute path of its folder."""
        return self.release.files.url

    @property
    def version(self) -> str:
        """The data version, like "0.1.0", or "0.1.0+yours.1" of a release derived from it."""
        return self.release.version

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest: it fixes every byte of the release."""
        return self.release.files.sha256

    def __repr__(self) -> str:
        said = f"{self.release.files.url!r}, version={self.version!r}, sha256={self.sha256[:12]!r}"
        return f"Bench({said}, spaces={list(self.spaces)})"

    # Looking up

    def space(self, name: str) -> Space:
        """A space with its members from this release.

        It has `sample`, `neighbours`, `mutate`, `crossover`, `encode`, `decode`, len, iteration, in. The
        archs of an imported space are strings.
        """
        return self.release.space(name).space

    def datasets(self, space: str) -> list[str]:
        """The data sets on which the release has runs or scores of a space."""
        return self.release.space(space).datasets()

    def recipes(self, space: str, dataset: str) -> list[str]:
        """The recipes of which the release has runs of a space on a data set."""
        return self._named("runs", space, dataset)

    def protocols(self, space: str, dataset: str) -> list[str]:
        """The protocols under which the release has scores of a space on a data set."""
        return self._named("scores", space, dataset)

    def _named(self, kind: Kind, space: str, dataset: str) -> list[str]:
        return self.release.space(space).named(kind, self.release.check_dataset(dataset))

    def setups(self, space: str | None = None) -> list[str]:
        """The setups under which networks were timed, that of most first: of a space, or of all."""
        if space is None:
            return list(self.release.setups)
        there = self.release.space(space).setups
        return [setup for setup in self.release.setups if setup in there]

    def seeds(self, space: str, dataset: str, recipe: str | None = None) -> list[int]:
        """The seeds of which the release has runs."""
        opened = self.release.space(space)
        return opened.seeds("runs", dataset, self.release.named("runs", opened, dataset, recipe))

    def query(self, arch: str | Arch | tuple[str, int]) -> Record:
        """The record of one arch.

        Args:
            arch: its string, an Arch, or (space, arch_id).

        Raises:
            UsageError: a string that is malformed or out of its space's grid, saying what is wrong, or
                another kind of tuple.
            NotAMemberError: a grid arch that is no member; names its nearest members.
            UnknownNameError: a space that the release does not have, also an imported one.
            NoSuchArchIdError: an arch_id beyond the space.
        """
        if isinstance(arch, tuple):
            return self._query_id(arch)
        if isinstance(arch, str):
            for opened in self.release.there.values():
                arch_id = opened.ids.get(arch)
                if arch_id is not None:
                    return Record(self.release, opened, arch_id)
            name = space_of(arch)
            if name is not None:
                opened = self._imported(name, arch)
                arch_id = opened.ids.get(arch)
                if arch_id is None:
                    arch_id = opened.space.arch_id(arch)  # raises, and says why
                return Record(self.release, opened, arch_id)
            self._check_no_number(arch)
        parsed = as_arch(arch)
        opened = self.release.space(parsed.space)
        arch_id = opened.ids.get(str(parsed))
        if arch_id is None:
            arch_id = opened.space.arch_id(parsed)  # raises, and says why
        return Record(self.release, opened, arch_id)

    def _check_no_number(self, arch: str) -> None:
        numbered = re.fullmatch(r"(.+):(\d+)", arch)
        if numbered and numbered[1] in self.spaces:
            instead = f"query(({numbered[1]!r}, {numbered[2]}))"
            raise UsageError(f"{quoted(arch)} is no arch string; an arch by its number is a tuple: {instead}")

    def _imported(self, name: str, arch: str) -> OpenedSpace:
        if name not in self.spaces:
            there = ", ".join(self.spaces)
            lacks = f"which this release does not have (its spaces: {there})"
            raise UnknownNameError(
                f"{quoted(arch)} looks like an arch of {name}, {lacks}; {how_to_have(name)}"
            )
        return self.release.space(name)

    def _query_id(self, key: tuple[str, int]) -> Record:
        if len(key) != 2 or isinstance(key[1], bool) or not hasattr(key[1], "__index__"):
            raise UsageError(f"{key!r} names no arch; a tuple is (space, arch_id), like ('r1', 0)")
        space, arch_id = key
        opened = self.release.space(space)
        if not 0 <= arch_id < len(opened.archs):
            raise NoSuchArchIdError(f"arch_id {arch_id}; {space} has 0 to {len(opened.archs) - 1}")
        return Record(self.release, opened, int(arch_id))

    def table(
        self,
        space: str | Iterable[str],
        columns: Iterable[str] | None = None,
        dataset: str | None = None,
        recipe: str | None = None,
        protocol: str | None = None,
        seed: Seeds = None,
        where: str | None = None,
    ) -> Frame:
        """Columns of all archs of a space in build order, or of those for which `where` holds.

        Args:
            space: one, or a list of several, whose rows stand one after the other. Then a column `space`
                leads. What a space does not have is null there. Runs must be of one recipe. Each space has
                the scores of its own standard protocol, unless one is named; `selected` says which.
            columns: names, also qualified where two tables share one ("archs.macs", "scores.macs": the plain
                name is the first of archs, runs, scores). None: every column of archs; with a dataset also
                those of its runs (status, val_acc, test_acc, train_loss, train_time_s) and scores (one per
                proxy) that do not share a name. `curve`, val accuracy by epoch, is there where it is named.
                What else the files hold (devices, seconds, failures) is given by `run` and `scores` of a
                record, and by `arrow`. Predictions are no columns, since they are no measurements:
                `arrow("predictions", space, dataset)` has those of every arch, `predicted` of a record one,
                and `surrogate` makes those of any grid point.
            dataset: needed for columns of runs and scores.
            recipe: None is the only one that has runs; of several in r1 to mb-mini it is cpu-16px-4.
            protocol: None is the space's standard one.
            seed: of runs and scores; None is 0. "mean" is over all seeds. It needs the same ones for every
                arch that has any, because averaging more seeds for some archs than for others biases a
                ranking. For the same reason it is null where one of them is. It leaves `status` out.
                "all" is a row per arch and seed, with a column `seed`. Runs and scores join by arch and
                seed: each pair that has one of them has a row, and what it lacks is null. An arch without
                any has no row; a note counts them. Seeds of tables that no column is of make no rows.
            where: for instance "macs < 1e8 and s1_depth >= 2"; null is neither true nor false. See
                `nbzero.release.conditions`.

        Returns:
            A Frame with true nulls in `to_arrow`; `arch_ids` are the rows' places in their spaces, `selected`
            says what was selected. A curve is a float64 array in numpy and pandas, None without a run; a list
            in Arrow and polars. Curves may differ in length: a diverged run's is shorter.

        Raises:
            UnknownNameError: a space, dataset, recipe, protocol or column that does not exist.
            UsageError: a column of runs or scores, a recipe or a protocol without a dataset, several recipes
                and none named, another seed, a mean over different seeds or of a curve, every seed of columns
                without seeds, a condition that cannot be read or that compares a curve.
        """
        from nbzero.release.table import Wanted, select, select_of_spaces

        wanted = Wanted(dataset, recipe, protocol, seed)
        if isinstance(space, str) or not isinstance(space, Iterable):
            return select(self.release, self.release.space(space), columns, wanted, where)
        spaces = [self.release.space(name) for name in dict.fromkeys(space)]
        return select_of_spaces(self.release, spaces, columns, wanted, where)

    def arrow(self, table: Table, space: str, dataset: str | None = None) -> pa.Table:
        """A whole Parquet table as it is stored, every column, recipe and seed, checked against the manifest.

        Raises:
            UnknownNameError: a table, space or dataset that does not exist.
            UsageError: runs or scores without a dataset, or archs or latencies with one.
            ReleaseError: the release has no such table, or its file is not what the manifest promises.
        """
        return self.release.arrow(table, space, dataset)

    def simulate(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        unmeasured: Unmeasured | None = None,
        clock: ClockName | None = None,
        where: str | None = None,
        max_queries: int | None = None,
        budget_s: float | None = None,
        charge_repeats: bool = True,
        split: Split = "val",
        protocol: str | None = None,
    ) -> Simulation:
        """A search with a clock: `nbzero.search.simulation.Simulation`.

        Every query is charged, so `while not s.done:` ends. Networks that were not trained are predicted.
        """
        from nbzero.search.simulation import Simulation

        return Simulation(
            self.release,
            space,
            dataset,
            recipe,
            unmeasured=unmeasured,
            clock=clock,
            where=where,
            max_queries=max_queries,
            budget_s=budget_s,
            charge_repeats=charge_repeats,
            split=split,
            protocol=protocol,
        )

    def objective(
        self,
        space: str,
        of: str | Hybrid | Iterable[str],
        dataset: str,
        recipe: str | None = None,
        *,
        protocol: str | None = None,
        seed: Seed = None,
        score_seed: Seed = None,
        split: Split = "val",
    ) -> Objective:
        """What `nbzero.search.run` maximises: `nbzero.search.objective.objective_of`.

        `of` is a proxy, a vote (sjw, spw, zerocost, az_nas), a `judge.Hybrid` or names whose ranks are added,
        "accuracy", "predicted", or a cost.
        """
        from nbzero.search.objective import objective_of

        return objective_of(
            self.release,
            space,
            of,
            dataset,
            recipe,
            protocol=protocol,
            seed=seed,
            score_seed=score_seed,
            split=split,
        )

    def surrogate(self, space: str, dataset: str, recipe: str | None = None) -> Surrogate:
        """What predicts the accuracy of every grid point of a space: `nbzero.surrogate.Surrogate`.

        Raises:
            UnknownNameError: a space, dataset or recipe that does not exist, or a recipe without runs there.
            UsageError: an imported space; no recipe where one has to be named.
            NothingFoundError: runs of fewer than 20 networks, or no surrogate was fitted on them.
        """
        from nbzero.surrogate import surrogate_of

        return surrogate_of(self.release, space, dataset, recipe)

    # Pools

    def pool(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        proxies: Iterable[str] | None = None,
        orient: bool = True,
        **which: Unpack[Which],
    ) -> Pool:
        """The archs of a space that have an accuracy, which every function of `nbzero.judge` reads.

        Args:
            recipe: None is the only one that has runs; of several in r1 to mb-mini it is cpu-16px-4.
            proxies: names; None is every proxy that the release looked for on an arch of the pool; an empty
                list is the costs alone.
            orient: multiply each proxy by its registry direction, so that higher is better; False leaves the
                raw sign.
            which: protocol, seed, split ("val", or "test" for the final judgement), where, score_seed,
                accuracy ("measured", or "predicted" for all archs that have scores): see
                `nbzero.judge.Which`.

        Raises:
            UnknownNameError: a space, dataset, recipe, protocol, proxy or column that does not exist.
            NothingFoundError: no arch has an accuracy there, or meets `where`; a score_seed without scores.
            UsageError: no recipe where one has to be named; another split; a condition that cannot be read.
        """
        from nbzero.judge.pool import pool_of

        _check_which(which)
        return pool_of(self.release, space, dataset, recipe, proxies=proxies, orient=orient, **which)

    def pools(
        self,
        spaces: Iterable[str] | None = None,
        *,
        proxies: Iterable[str] | None = None,
        **which: Unpack[Which],
    ) -> list[Pool]:
        """The pool of every space, data set and recipe that has accuracies, for `nbzero.judge.transfer`.

        Args:
            spaces: names; None is all of the release.
            proxies, which: as in `pool`. Some imported tables give only one split: `measured` lists what
                there is.

        Raises:
            UnknownNameError: a space or proxy that does not exist.
            NothingFoundError: no accuracies of that split and seed at all.
        """
        chosen = self.spaces if spaces is None else [spaces] if isinstance(spaces, str) else list(spaces)
        names = None if proxies is None else list(proxies)
        split, seed = which.get("split", "val"), which.get("seed")
        if which.get("accuracy") == "predicted":
            return [self.pool(*key, proxies=names, **which) for key in self._predicted(chosen)]
        there = self.runs_with(split, chosen, seed=seed)
        if there:
            return [self.pool(*key, proxies=names, **which) for key in there]
        listed = []
        for row in self.measured():
            of = f"{row['space']} on {row['dataset']} with {row['recipe']}"
            listed.append(f"{of}: {row['num_val']} val, {row['num_test']} test")
        asked = f"no {split} accuracies in {', '.join(chosen)} with seed {0 if seed is None else seed}"
        raise NothingFoundError(f"{asked}; seed 0 has: {'; '.join(listed) or 'none'}")

    def board_pools(self, spaces: Iterable[str] | None = None) -> list[Pool]:
        """The pools of a `leaderboard`: every space, data set, recipe and scoring protocol.

        Of measured val accuracies and scores of seed 0. Not all are large enough for a board.

        Args:
            spaces: names; None is all of the release.

        Raises:
            UnknownNameError: a space that the release does not have.
        """
        from nbzero.errors import check_known, names as names_of

        chosen = names_of("spaces", spaces, self.spaces)
        check_known("space", chosen, self.spaces)
        found = []
        for space, dataset, recipe in self.runs_with("val", chosen):
            for protocol in self.protocols(space, dataset):
                found.append(self.pool(space, dataset, recipe, protocol=protocol))
        return found

    def leaderboard(
        self,
        spaces: Iterable[str] | None = None,
        submissions: Given | Iterable[Given] = (),
        *,
        by: By = "mbr",
        resamples: int = 200,
    ) -> Board:
        """Every proxy, vote and hybrid over every pool, by protocol board-1: `judge.leaderboard`.

        Args:
            spaces: names; None is all of the release.
            submissions: folders of submissions, ranked with the rest. They may have scores of other spaces
                of the release too.
        """
        from nbzero.judge.board import chosen_pools, leaderboard
        from nbzero.judge.submission import read_submissions

        pools = self.board_pools(spaces)
        if submissions:
            everywhere, _ = chosen_pools(self.board_pools(), "kendall")
            submissions = read_submissions(submissions, everywhere)
        return leaderboard(pools, submissions, by=by, resamples=resamples)

    def _predicted(self, spaces: Sequence[str]) -> list[tuple[str, str, str]]:
        """The spaces, data sets and recipes of which the release has predictions."""
        found = []
        for key in self.release.runs(spaces):
            space, dataset, recipe = key
            if recipe in self.release.space(space).named("surrogates", dataset):
                found.append(key)
        if not found:
            fit = "python -m builders.fit_surrogate"
            raise NothingFoundError(
                f"the release has no predictions of {', '.join(spaces)}; {fit} makes them"
            )
        return found

    def runs_with(
        self, split: Split = "val", spaces: Iterable[str] | None = None, *, seed: Seed = None
    ) -> list[tuple[str, str, str]]:
        """The spaces, data sets and recipes of which the release has accuracies of a split."""
        chosen = self.spaces if spaces is None else spaces
        return [key for key in self.release.runs(chosen) if self._num_measured(key, split, seed)]

    def _num_measured(self, key: tuple[str, str, str], split: Split, seed: Seed = None) -> int:
        """Archs that have an accuracy of a split."""
        import numpy as np

        from nbzero.release.opened import split_column
        from nbzero.release.table import Wanted, numbers_of

        space, dataset, recipe = key
        wanted = Wanted(dataset, recipe, seed=seed)
        values = numbers_of(self.release, self.release.space(space), "runs", split_column(split), wanted)
        return int((~np.isnan(values)).sum())

    def measured(self) -> Frame:
        """What the release has runs of.

        Columns space, dataset, recipe; num_val and num_test (archs with an accuracy of seed 0), seeds (text),
        metric.
        """
        from nbzero.frame import Frame

        rows = []
        for key in self.release.runs(self.spaces):
            space, dataset, recipe = key
            opened = self.release.space(space)
            row = {"space": space, "dataset": dataset, "recipe": recipe}
            rows.append(
                row
                | {
                    "num_val": self._num_measured(key, "val"),
                    "num_test": self._num_measured(key, "test"),
                    "seeds": ", ".join(map(str, opened.seeds("runs", dataset, recipe))),
                    "metric": opened.metric(dataset),
                }
            )
        columns = ("space", "dataset", "recipe", "num_val", "num_test", "seeds", "metric")
        return Frame.of(rows, f"Runs of release {self.version}", columns=columns)

    # Judging: each is a function of `nbzero.judge`, of the pool that `pool` makes

    def mbr(
        self,
        space: str,
        proxy: str,
        dataset: str,
        recipe: str | None = None,
        *,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "quantile",
        normalise: str = "total",
        orient: bool = True,
        **which: Unpack[Which],
    ) -> float:
        """Mean best ranking of one proxy, or of a cost as one; 0 is the oracle: `judge.mbr` of a `pool`."""
        from nbzero.judge.picks import mbr

        pool = self.pool(space, dataset, recipe, proxies=[proxy], orient=orient, **which)
        return mbr(pool, proxy, costs, budgets, spacing, normalise=normalise)

    def mbr_lead(
        self,
        space: str,
        one: Any,
        other: Any,
        dataset: str,
        recipe: str | None = None,
        *,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "quantile",
        normalise: str = "total",
        resamples: int = 1000,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        **which: Unpack[Which],
    ) -> Lead:
        """mBR(one) - mBR(other) with the interval of the difference: `judge.mbr_lead` of a `pool`."""
        from nbzero.judge.picks import mbr_lead

        names = [given for given in (one, other) if isinstance(given, str)]
        pool = self.pool(space, dataset, recipe, proxies=names, **which)
        return mbr_lead(
            pool,
            one,
            other,
            costs,
            budgets,
            spacing,
            normalise=normalise,
            resamples=resamples,
            bootstrap_seed=bootstrap_seed,
            level=level,
        )

    def mbr_table(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "quantile",
        with_even: bool = True,
        proxies: Iterable[str] | None = None,
        orient: bool = True,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        **which: Unpack[Which],
    ) -> Frame:
        """mBR of every stored proxy, for each cost and over their union: `judge.mbr_table` of a `pool`."""
        from nbzero.judge.picks import mbr_table

        pool = self.pool(space, dataset, recipe, proxies=proxies, orient=orient, **which)
        return mbr_table(
            pool,
            costs,
            budgets,
            spacing,
            with_even=with_even,
            resamples=resamples,
            bootstrap_seed=bootstrap_seed,
            level=level,
        )

    def constrained(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "quantile",
        proxies: Iterable[str] | None = None,
        orient: bool = True,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        **which: Unpack[Which],
    ) -> Frame:
        """What each stored proxy picks under each budget: `judge.constrained` of a `pool`."""
        from nbzero.judge.picks import constrained

        pool = self.pool(space, dataset, recipe, proxies=proxies, orient=orient, **which)
        intervals = {"resamples": resamples, "bootstrap_seed": bootstrap_seed}
        return constrained(pool, costs, budgets, spacing, **intervals, level=level)

    def correlations(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        k: int | None = None,
        fraction: float = 0.05,
        proxies: Iterable[str] | None = None,
        orient: bool = True,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        undefined: Undefined = "last",
        **which: Unpack[Which],
    ) -> Frame:
        """How well each stored proxy orders the measured archs: `judge.correlations` of a `pool`."""
        from nbzero.judge.correlations import correlations

        pool = self.pool(space, dataset, recipe, proxies=proxies, orient=orient, **which)
        intervals = {"resamples": resamples, "bootstrap_seed": bootstrap_seed}
        return correlations(pool, k=k, fraction=fraction, **intervals, level=level, undefined=undefined)

    def evaluate(
        self,
        scores: Any,
        space: str,
        dataset: str | None = None,
        recipe: str | None = None,
        *,
        name: str = "yours",
        direction: int = 1,
        k: int | None = None,
        fraction: float = 0.05,
        costs: str | Iterable[str] | None = None,
        budgets: int = 5,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        undefined: Undefined = "last",
        **which: Unpack[Which],
    ) -> Report:
        """The whole report of a proxy of your own beside all stored ones: `judge.evaluate` of a `pool`.

        The name of a stored proxy in place of scores is the report of that one.

        The data set may be left out: it is the one that `score_archs` made the scores on, else the only one
        on which the release has runs of the space, else in r1 to mb-mini cifar10.
        """
        from nbzero.judge.evaluate import evaluate

        if dataset is None:
            dataset = self.release.only_dataset(space, preferred=getattr(scores, "dataset", ""))
        return evaluate(
            self.pool(space, dataset, recipe, **which),
            scores,
            name,
            direction=direction,
            k=k,
            fraction=fraction,
            costs=costs,
            budgets=budgets,
            resamples=resamples,
            bootstrap_seed=bootstrap_seed,
            level=level,
            undefined=undefined,
        )

    def hybrid(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        proxies: Iterable[str] | None = None,
        rule: Rule = "rank_sum",
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "quantile",
        normalise: str = "total",
        draws: int = 20,
        draw_seed: int = 0,
        engine: str = "auto",
        **which: Unpack[Which],
    ) -> HybridSearch:
        """Every combination of up to 24 proxies or costs, judged by mBR: `judge.best_hybrids` of a `pool`.

        Judge what it finds on other pools, `judge(b.pool(space, dataset, split="test"))`, or on other data
        sets and spaces. Where a benchmark has test accuracies alone it is chosen on split="test", and then
        nothing is left to judge on.
        """
        from nbzero.judge.hybrid_search import best_hybrids

        return best_hybrids(
            self.pool(space, dataset, recipe, **which),
            proxies,
            rule,
            costs,
            budgets,
            spacing,
            normalise=normalise,
            draws=draws,
            draw_seed=draw_seed,
            engine=engine,
        )

    def factors(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        targets: Iterable[str] | None = None,
        transform: Transform = "rank",
        **which: Unpack[Which],
    ) -> Frame:
        """How much each stage feature says about each proxy and the accuracy: `judge.factors`; needs xgboost.

        Every target is explained on all archs that have it, so N differs by target. A proxy of your own is
        explained by `judge.factors(b.sample(..).with_target(..))`.
        """
        from nbzero.judge.factors import factors

        _check_which(which)
        return factors(self.sample(space, dataset, recipe, targets=targets, **which), transform=transform)

    def bias(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        targets: Iterable[str] | None = None,
        top: float = 0.05,
        **which: Unpack[Which],
    ) -> Frame:
        """Widths, depths, macs and params of the archs that each proxy likes best: `judge.bias`."""
        from nbzero.errors import names as names_of
        from nbzero.judge.bias import bias
        from nbzero.judge.pool import ACCURACY

        names = None if targets is None else names_of("targets", targets)
        needed = None if names is None else [*names, ACCURACY]
        return bias(self.sample(space, dataset, recipe, targets=needed, **which), names, top=top)

    def sample(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        targets: Iterable[str] | None = None,
        orient: bool = True,
        **which: Unpack[Which],
    ) -> Any:
        """All archs of a space, with whatever scores and accuracy each of them has: a `judge.Sample`.

        Args:
            targets: proxies, costs, and "accuracy"; None is all of which there are values.
            recipe, orient, which: as in `pool`.
        """
        from nbzero.judge.pool import sample_of

        _check_which(which)
        return sample_of(self.release, space, dataset, recipe, targets=targets, orient=orient, **which)


def _check_which(given: Any) -> None:
    """TypeError, as Python's own, for an argument that no evaluation has."""
    from nbzero.judge.pool import Which

    for name in given:
        if name not in Which.__annotations__:
            allowed = ", ".join(Which.__annotations__)
            raise TypeError(
                f"unexpected keyword argument {name!r}; beside those of the method there are {allowed}"
            )
