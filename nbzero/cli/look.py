"""Commands that look up: info, query, top, space, cite, verify."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import typer

from nbzero import __version__
from nbzero.bench import Bench
from nbzero.cli.frame import NOTHING, Answer, Call, Listing, fail
from nbzero.cli.options import archs_there, command, dataset_of, words
from nbzero.errors import (
    NoSuchArchIdError,
    NotAMemberError,
    NothingFoundError,
    ReleaseError,
    UsageError,
    count_of,
)
from nbzero.proxies.facts import PROXIES
from nbzero.release.held import Held, held, summary
from nbzero.release.opened import COSTS, Kind, Seed, Split, one_seed, split_column
from nbzero.release.record import Record
from nbzero.release.schema import columns_of
from nbzero.spaces.choices import said_options
from nbzero.spaces.macro import CHOICES, MAX_MACS, MAX_PARAMS, grid_size
from nbzero.spaces.published import IMPORTED, doubt_notes, doubtful_in, doubts_of
from nbzero.text import marked

# What a release holds


@command()
def info(call: Call) -> Answer:
    """What the release holds: its version, checksum and tables.

    First how many networks of each space are trained, scored and predicted.
    """
    bench = call.bench
    rows: list[dict[str, Any]] = []
    for space in bench.spaces:
        rows += _tables_of(bench, space)
    counts = dict.fromkeys((*_COUNTED, "latencies"), 0)
    for row in rows:
        if row["kind"]:
            counts[row["kind"]] += row["rows"]
    archs = sum(len(bench.release.space(space).archs) for space in bench.spaces)
    listed = [
        f"{archs:,} archs in {count_of(len(bench.spaces), 'space')}",
        count_of(counts["runs"], "run"),
        count_of(counts["scores"], "scored initialisation"),
        count_of(counts["predictions"], "prediction"),
        count_of(counts["latencies"], "latency", "latencies"),
        f"{len(PROXIES)} proxies known",
    ]
    title = f"Release {bench.version}, manifest SHA-256 {bench.sha256}, read by nbzero {__version__}"
    first = summary(bench.release)
    note = f"{', '.join(listed)}. At {bench.path}"
    columns = ["space", "archs", "dataset", "kind", "setting", "seeds", "archs_with", "rows"]
    whole = Listing(columns, rows, title, [first, note])
    networks = Listing(Held._fields, [row._asdict() for row in held(bench.release)], f"{title}\n{first}")
    return Answer(whole, [networks, Listing(columns, rows, "Tables", [note])])


_COUNTED: tuple[Literal["runs", "scores", "predictions"], ...] = ("runs", "scores", "predictions")


def _tables_of(bench: Bench, space: str) -> list[dict[str, Any]]:
    """A row per recipe, protocol and setup of a space; one of nulls where there is none."""
    opened = bench.release.space(space)
    head = {"space": space, "archs": len(opened.archs)}
    rows = []
    for dataset in opened.datasets():
        for kind in _COUNTED:
            for name in dict.fromkeys(name for name, _ in opened.groups(f"{kind}/{dataset}")):
                rows.append(
                    head | {"dataset": dataset, "kind": kind} | _groups_of(bench, space, kind, dataset, name)
                )
    for setup, number in opened.setups.items():
        timed = {"kind": "latencies", "setting": setup, "seeds": "", "archs_with": number, "rows": number}
        rows.append(head | {"dataset": None} | timed)
    nulls = dict.fromkeys(("dataset", "kind", "setting", "seeds"))
    return rows or [head | nulls | {"archs_with": 0, "rows": 0}]


def _groups_of(bench: Bench, space: str, kind: str, dataset: str, name: str) -> dict[str, Any]:
    """The seeds, archs and rows of a recipe or protocol. Predictions are of no seed."""
    seeds: list[int] = []
    ids: set[int] = set()
    num_rows = 0
    for (other, seed), group in bench.release.space(space).groups(f"{kind}/{dataset}").items():
        if other == name:
            seeds.append(seed)
            ids.update(group.ids)
            num_rows += group.num_rows
    listed = "" if kind == "predictions" else ", ".join(map(str, sorted(seeds)))
    return {"setting": name, "seeds": listed, "archs_with": len(ids), "rows": num_rows}


# One arch


@command("dataset", "recipe", "protocol", "seed", "split")
def query(
    call: Call,
    arch: Annotated[
        str, typer.Argument(help="Arch string, or SPACE:ARCH_ID like r1-mini:0.", autocompletion=archs_there)
    ],
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    seed: Seed,
    split: Split,
) -> Answer:
    """Everything of one arch, a null with its reason.

    Its costs and choices, its runs of every recipe and its scores under every protocol, unless --recipe or
    --protocol names one; how long it takes under every setup.
    """
    split_column(split)
    bench = call.bench
    record = _record(bench, arch)
    rows = [
        {"part": "arch", "name": name, "value": value} for name, value in _arch_facts(bench, record).items()
    ]
    said = 0 if seed is None else seed
    doubtful, notes = list[str](), list[str]()
    datasets = bench.datasets(record.space) if dataset is None else [dataset]
    for one in datasets:
        for named in _or_all(recipe, bench.recipes(record.space, one)):
            head = {"part": "run", "dataset": one, "setting": named, "seed": said}
            rows += [head | row for row in _run_rows(record, one, named, split, seed)]
        for named in _or_all(protocol, bench.protocols(record.space, one)):
            head = {"dataset": one, "setting": named, "seed": said}
            scored = list(_score_rows(bench, record, one, named, seed))
            rows += [head | row for row in scored]
            there = [row["name"] for row in scored if row.get("value") is not None]
            doubtful += doubtful_in(record.space, there, one)
            notes += doubt_notes(record.space, there, one)
    for setup in bench.setups(record.space):
        head = {"part": "latency", "setting": setup}
        rows += [head | row for row in _latency_rows(record, setup)]
    notes = list(dict.fromkeys(notes))
    if not datasets:
        notes.append(f"The release has no runs and no scores of {record.space}.")
    title = f"{record.arch}: {record.space}, arch_id {record.arch_id}; split {split}, seed {said}"
    columns = ["part", "dataset", "setting", "seed", "name", "value", "reason"]
    whole = Listing(columns, rows, f"{title}; release {bench.version}", notes, doubtful)
    return Answer(whole, _query_parts(whole, record.space))


def _or_all(given: str | None, there: Sequence[str]) -> Sequence[str | None]:
    """The recipe or protocol given, else all there are.

    One None where there is none: a record then says why.
    """
    return [given] if given is not None else there or [None]


def _record(bench: Bench, arch: str) -> Record:
    space, colon, number = arch.partition(":")
    if not colon:
        return bench.query(arch)
    if not number.isdecimal():
        raise UsageError(f"{arch!r}; it is an arch string, or SPACE:ARCH_ID like r1-mini:0")
    try:
        return bench.query((space, int(number)))
    except NoSuchArchIdError as error:
        raise NotAMemberError(str(error)) from None


def _arch_facts(bench: Bench, record: Record) -> dict[str, Any]:
    """The columns of the archs table that an arch has, and flops."""
    opened = bench.release.space(record.space)
    facts: dict[str, Any] = {"space": record.space}
    for column in columns_of("archs", record.space):
        if column.name == "arch":
            facts["arch"] = record.arch
        elif opened.has("archs", column.name):
            value = opened.numbers("archs", column.name)[record.arch_id]
            if value == value:
                facts[column.name] = int(value)
        if column.name == "macs" and "macs" in facts:
            facts["flops"] = 2 * facts["macs"]
    return facts


_OF_RUN = ("status", "train_loss", "curve", "train_time_s", "device", "engine", "software", "builder_commit")


def _run_rows(
    record: Record, dataset: str, recipe: str | None, split: Split, seed: Seed
) -> Iterator[dict[str, Any]]:
    accuracy = record.accuracy(dataset, recipe, split, seed)
    reason = record.accuracy_reason(dataset, recipe, split, seed)
    yield {"name": split_column(split), "value": accuracy, "reason": reason}
    if seed == "mean" or recipe is None:
        return
    run = record.run(dataset, recipe, one_seed(seed))
    if run is None:
        return
    for name in (*_OF_RUN, "metric", "averaged"):
        if hasattr(run, name):
            value = getattr(run, name)
            yield {"name": name, "value": list(value) if isinstance(value, tuple) else value}


def _score_rows(
    bench: Bench, record: Record, dataset: str, protocol: str | None, seed: Any
) -> Iterator[dict[str, Any]]:
    opened, table = bench.release.space(record.space), f"scores/{dataset}"
    stored = None
    if seed != "mean" and protocol is not None:
        stored = record.scores(dataset, protocol, one_seed(seed))
    is_there = protocol is not None and table in opened.index.tables
    if not is_there or (seed != "mean" and stored is None):
        why = record.score_reason("params", dataset, protocol, seed)
        yield {"part": "score", "name": "scores", "reason": why}
        return
    for name in PROXIES:
        if opened.has(table, name):
            value = record.score(name, dataset, protocol, seed)
            reason = record.score_reason(name, dataset, protocol, seed)
            yield {"part": "score", "name": name, "value": value, "reason": reason}
    if stored is None:
        return
    for name, seconds in stored.seconds.items():
        if seconds is not None:
            yield {"part": "seconds", "name": name, "value": seconds}
    for name in ("device", "software", "builder_commit"):
        yield {"part": "scored by", "name": name, "value": getattr(stored, name)}


def _latency_rows(record: Record, setup: str) -> Iterator[dict[str, Any]]:
    timing = record.timing(setup)
    if timing is None:
        yield {"name": "latency_ms", "reason": record.latency_reason(setup)}
        return
    values = dataclasses.asdict(timing)
    values["relative"] = timing.relative
    for name, value in values.items():
        if name not in ("arch", "setup"):
            yield {"name": name, "value": value}


def _query_parts(whole: Listing, space: str) -> list[Listing]:
    """The rows of `query` as a table for each run, scored initialisation and setup, and the arch itself."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in whole:
        groups.setdefault((row["part"], row["dataset"], row["setting"], row["seed"]), []).append(row)
    parts = []
    for (part, dataset, setting, seed), rows in groups.items():
        columns = ["name", "value"]
        if any(row["reason"] for row in rows):
            columns.append("reason")
        parts_said = [str(one) for one in (dataset, setting) if one is not None]
        if seed is not None:
            parts_said.append(f"seed {seed}")
        said = f"{part}: {', '.join(parts_said)}"
        head = whole.title if part == "arch" else said
        scored = [row["name"] for row in rows if row["value"] is not None]
        parts.append(Listing(columns, rows, head, doubtful=doubtful_in(space, scored, dataset or "")))
    parts[-1].notes = list(whole.notes)
    return parts


# The best


@command("space", "dataset", "recipe", "protocol", "seed", "split", "where")
def top(
    call: Call,
    space: str,
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    seed: Seed,
    split: Split,
    where: str | None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="NAME",
            help="accuracy, a proxy, a cost, or another column of numbers.",
            autocompletion=words("accuracy", *COSTS, *PROXIES),
        ),
    ] = "accuracy",
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many archs.")] = 10,
    lowest: Annotated[
        bool | None,
        typer.Option(
            "--lowest/--highest",
            help="Lowest or highest values first. Default: the better first, by a proxy's direction.",
        ),
    ] = None,
) -> Answer:
    """The archs with the best accuracy, score or cost."""
    ranking = _Ranking(call.bench, space, by, split)
    ranking.load(dataset, recipe, protocol, seed, where)
    ascending = ranking.direction < 0 if lowest is None else lowest
    return Answer(ranking.listing(number, ascending), keys=2)


class _Ranking:
    """The archs of a space by one column.

    Attributes:
        column: as `Bench.table` names it.
        kind: the table that it is of; None for archs.
        direction: of the proxy, where it is one.
        doubtful: the proxy, where its scores are not to be trusted in the space.
    """

    def __init__(self, bench: Bench, space: str, by: str, split: Split) -> None:
        self.bench, self.space, self.by, self.split = bench, bench.space(space).name, by, split
        self.accuracy = f"runs.{split_column(split)}"
        self.of_archs = {column.name for column in columns_of("archs", space)}
        is_proxy = by in PROXIES and by not in self.of_archs | {*COSTS}
        self.column = f"scores.{by}" if is_proxy else by
        if by == "accuracy":
            self.column = self.accuracy
        self.kind: Kind | None = "runs"
        if self.column.startswith("scores."):
            self.kind = "scores"
        elif self.column.removeprefix("archs.") in self.of_archs:
            self.kind = None
        self.proxy = PROXIES.get(self.column.removeprefix("scores.")) if self.kind == "scores" else None
        self.direction = 1 if self.proxy is None else self.proxy.direction
        self.doubtful: list[str] = []

    def load(
        self, dataset: str | None, recipe: str | None, protocol: str | None, seed: Seed, where: str | None
    ) -> None:
        """Read the columns that are shown."""
        if dataset is None and self.kind is not None:
            dataset = dataset_of(self.bench, self.space, None, self.kind)
        scored = [] if self.proxy is None else [self.proxy.name]
        self.doubtful = doubtful_in(self.space, scored, dataset or "")
        self.where = where
        self.asked: dict[str, Any] = {
            "dataset": dataset,
            "recipe": recipe,
            "protocol": protocol,
            "seed": seed,
        }
        self.shown = [self.column]
        if dataset is not None and self.accuracy not in self.shown:
            opened = self.bench.release.space(self.space)
            one_recipe = recipe is not None or opened.standard_recipe(dataset) is not None
            self.shown += [self.accuracy] if one_recipe else []
        self.shown += [name for name in COSTS if name in self.of_archs and name not in self.shown]
        columns = ["arch_id", "arch", *self.shown]
        self.view = self.bench.table(self.space, columns, **self.asked, where=where)
        if self.view[self.column].dtype.kind not in "fiu":
            raise UsageError(f"{self.by} is a column of text; name one of numbers")
        self.values: list[float] = self.view[self.column].tolist()
        self.there = [row for row, value in enumerate(self.values) if value == value]
        if not self.there:
            raise self._nothing()

    def _nothing(self) -> NothingFoundError:
        """The error where no arch has a value."""
        dataset, seed = self.asked["dataset"], self.asked["seed"]
        value = f"{self.split} accuracy" if self.by == "accuracy" else self.by
        if dataset:
            value += f" on {dataset}"
        if self.where is not None:
            before = self.bench.table(self.space, ["arch_id", self.column], **self.asked)
            numbers = before[self.column].tolist()
            ids = [row for row, number in enumerate(numbers) if number == number]
            if ids:
                return self._none_meets(ids, value)
        said = f"no arch of {self.space} has a value of {value}"
        seeds = self._other_seeds()
        if not seeds and self.proxy is not None:
            record = self.bench.query((self.space, 0))
            why = record.score_reason(self.proxy.name, str(dataset), self.asked["protocol"], seed)
            seeds = f"; the first arch: {why}" if why else ""
        return NothingFoundError(said + seeds)

    def _none_meets(self, ids: list[int], value: str) -> NothingFoundError:
        import numpy as np

        from nbzero.release.table import Wanted, none_meets

        release = self.bench.release
        seed = 0 if self.asked["seed"] is None else self.asked["seed"]
        counted = f"archs of {self.space} with a value of {value} (seed {seed})"
        wanted = Wanted(**self.asked)
        return none_meets(release, release.space(self.space), str(self.where), np.array(ids), counted, wanted)

    def _other_seeds(self) -> str:
        """What to add where nothing is found with that seed: the seeds that exist.

        "" where it is not the seed.
        """
        seed, dataset = self.asked["seed"], self.asked["dataset"]
        name = self.view.selected["recipe" if self.kind == "runs" else "protocol"]
        if self.kind is None or dataset is None or name is None or seed == "mean":
            return ""
        seeds = self.bench.release.space(self.space).seeds(self.kind, dataset, name)
        if not seeds or one_seed(seed) in seeds:
            return ""
        word = "seed" if len(seeds) == 1 else "seeds"
        listed = ", ".join(map(str, seeds))
        return f" with seed {one_seed(seed)}; the {self.kind} of {name} have {word} {listed}, or mean"

    def listing(self, number: int, ascending: bool) -> Listing:
        """The first archs, by value and then by build order."""
        sign = 1 if ascending else -1
        keys = {row: sign * self.values[row] for row in self.there}
        order = sorted(self.there, key=keys.__getitem__)
        kept = order[:number]
        rows = []
        for row in kept:
            place = sum(key < keys[row] for key in keys.values()) + 1
            rows.append({"place": place} | self._row(row))
        last = keys[kept[-1]]
        beyond = sum(keys[row] == last for row in order[number:])
        by = marked(self.by, self.doubtful)
        title = f"Top {len(kept)} by {by}: {', '.join(self._said())}, N = {len(self.there):,}"
        doubts = doubt_notes(self.space, self.doubtful, self.asked["dataset"] or "")
        notes = [*self._notes(ascending, beyond), *doubts]
        return Listing(list(rows[0]), rows, title, notes, self.doubtful)

    def _row(self, row: int) -> dict[str, Any]:
        line: dict[str, Any] = {
            "arch": str(self.view["arch"][row]),
            "arch_id": int(self.view["arch_id"][row]),
        }
        for name in self.shown:
            value = self.view[name][row].item()
            said = "accuracy" if name == self.accuracy else name.removeprefix("scores.")
            line[said] = None if isinstance(value, float) and math.isnan(value) else value
        return line

    def _said(self) -> list[str]:
        """What was selected, in words."""
        selected, dataset = self.view.selected, self.asked["dataset"]
        parts = [
            self.space,
            *(selected[name] for name in ("dataset", "recipe", "protocol") if selected[name]),
        ]
        if self.accuracy in self.shown and dataset is not None:
            metric = self.bench.release.space(self.space).metric(str(dataset))
            parts.append(self.split if metric == "accuracy" else f"{self.split} {metric}")
        if selected["dataset"]:
            parts.append(f"seed {selected['seed']}")
        if self.where:
            parts.append(f"where {self.where}")
        return parts

    def _notes(self, ascending: bool, beyond: int) -> list[str]:
        first = f"{'Lowest' if ascending else 'Highest'} {self.by} first"
        if self.proxy is None:
            notes = [f"{first}."]
        else:
            better = "lower" if self.direction < 0 else "higher"
            notes = [f"{first}; the registry says that {better} is better."]
        absent = len(self.values) - len(self.there)
        if absent:
            archs = count_of(len(self.values), "arch")
            notes.append(f"Without {self.by}, and left out: {absent} of {archs}.")
        if beyond:
            more = count_of(beyond, "more arch has", "more archs have")
            notes.append(f"{more} the last value shown; equal ones are in build order.")
        return notes


# A space


@command("space")
def space(
    call: Call,
    space: str,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="Draw N members without repeats.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of --sample. Default: 0.")] = None,
    neighbours: Annotated[
        str | None,
        typer.Option(
            "--neighbours",
            metavar="ARCH",
            help="The members nearest to an arch of the grid.",
            autocompletion=archs_there,
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("-k", "--number", min=1, help="How many neighbours. Default: 8.")
    ] = None,
) -> Answer:
    """What a search space is; its members, drawn or near an arch."""
    if sample is not None and neighbours is not None:
        raise UsageError("--sample and --neighbours exclude each other; give one")
    for name, value, of, given in (
        ("--seed", seed, "--sample", sample),
        ("-k", number, "--neighbours", neighbours),
    ):
        if value is not None and given is None:
            raise UsageError(f"{name} goes with {of}; give both, or neither")
    chosen = call.bench.space(space)
    if sample is not None:
        archs = chosen.sample(sample, seed or 0)
        said = f"a sample of {len(archs)} of {len(chosen)} members, seed {seed or 0}"
    elif neighbours is not None:
        archs = chosen.neighbours(neighbours, number or 8)
        said = f"{len(archs)} of {len(chosen)} members nearest to {neighbours}"
    else:
        return Answer(_definition(call.bench, space))
    opened = call.bench.release.space(space)
    rows = []
    for arch in archs:
        arch_id = opened.ids[arch]
        costs = {name: values[arch_id] for name, values in opened.costs.items()}
        rows.append({"arch": arch, "arch_id": arch_id, **costs})
    return Answer(Listing(["arch", "arch_id", *opened.costs], rows, f"{space}: {said}"))


def _definition(bench: Bench, name: str) -> Listing:
    opened = bench.release.space(name)
    facts = _own_facts(bench, name) if opened.published is None else _published_facts(bench, name)
    facts += [(f"doubtful: {proxy}", doubt) for proxy, doubt in doubts_of(name).items()]
    facts.append(("costs", ", ".join(opened.costs) or "none"))
    facts.append(("data sets", ", ".join(opened.datasets()) or "none in this release"))
    rows = [{"what": what, "value": value} for what, value in facts]
    return Listing(["what", "value"], rows, f"Search space {name}, release {bench.version}")


def _published_facts(bench: Bench, name: str) -> list[tuple[str, str]]:
    definition = IMPORTED[name]
    facts = [("benchmark", definition.title), ("members", f"{len(bench.space(name))}")]
    facts.append(("example", definition.example))
    return [*facts, *((choice.column, said_options(choice)) for choice in definition.choices)]


def _own_facts(bench: Bench, name: str) -> list[tuple[str, str]]:
    choices, members = CHOICES[name], bench.space(name)
    limits = f"{MAX_MACS} macs and {MAX_PARAMS} params"
    return [
        ("blocks", choices.family),
        ("stem widths", " ".join(map(str, choices.stems))),
        ("stage widths", " ".join(map(str, choices.widths))),
        ("stage depths", " ".join(map(str, choices.depths))),
        ("stages", "3 or 4, of which exactly three halve the resolution; widths do not decrease"),
        ("grid", f"{grid_size(name)}"),
        ("members", f"{len(members)}, a fixed sample of the grid within {limits}"),
        ("example", members[0]),
    ]


# The release itself


@command()
def verify(
    call: Call,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]", help="Folder or URL. Default: --release, else the one inside nbzero."
        ),
    ] = None,
) -> Answer:
    """Check every file of a release.

    Against its manifest, the schema, the spaces' definitions and each other.
    """
    from nbzero.release.verify import stranger_notes, verify as check

    where = path or call.location
    bench = Bench(where)  # what is no release at all is wrong usage, not a check that failed
    try:
        lines = check(where)
    except ReleaseError as error:
        raise fail(f"verify: {error}", NOTHING) from None
    rows = [dict(zip(("file", "holds"), line.split(": ", 1), strict=True)) for line in lines]
    hold = f"all {count_of(len(lines), 'file')} hold"
    title = f"{bench.release.files.url}: data version {bench.version}, {hold}"
    notes = [f"Manifest SHA-256 {bench.sha256}"]
    parent = bench.release.files.manifest.parent
    if parent is not None:
        notes.append(f"Derived from {parent}")
    notes += stranger_notes(where)
    return Answer(Listing(["file", "holds"], rows, title, notes))


@command("proxies")
def cite(call: Call, proxies: list[str] | None) -> Answer | None:
    """BibTeX of this release and of what it rests on.

    Of a derived release its parent is cited, and the entry says what was derived from it. One that is neither
    derived nor the release that ships with nbzero says so. Then of the benchmarks that it has imported, with
    repository, commit and licence, and of the papers of the proxies that it has scores of.
    """
    from nbzero.cite import ORIGIN, benchmark, imported, papers
    from nbzero.release.manifest import Parent, Release

    bench = call.bench
    spaces = [name for name in bench.spaces if name in IMPORTED]
    all_imported = len(spaces) == len(bench.spaces)
    titles = [IMPORTED[name].title for name in spaces] if all_imported else []
    embedded = Release.open()
    shipped = Parent(embedded.manifest.data_version, embedded.sha256)
    release = benchmark(bench.version, bench.sha256, titles, bench.release.files.manifest.parent, shipped)
    chosen: dict[Any, tuple[str, ...]] = {release: ()}
    chosen |= dict.fromkeys(imported(bench, spaces), ())
    chosen |= {ORIGIN: (), **papers(proxies or _proxies_there(bench))}
    if call.form == "table":
        entries = []
        for paper, names in chosen.items():
            head = f"% {', '.join(names)}\n" if names else ""
            entries.append(head + paper.bibtex)
        print("\n\n".join(entries), flush=True)
        return None
    rows = []
    for paper, names in chosen.items():
        listed = ", ".join(names)
        rows.append({"key": paper.key, "proxies": listed, "title": paper.title, "bibtex": paper.bibtex})
    columns = ["key", "proxies", "title", "bibtex"]
    return Answer(Listing(columns, rows, f"What to cite with release {bench.version}"))


def _proxies_there(bench: Bench) -> list[str]:
    """The proxies that the release has scores of, in the registry's order."""
    found: set[str] = set()
    for name in bench.spaces:
        opened = bench.release.space(name)
        for dataset in opened.datasets("scores"):
            found.update(proxy for proxy in PROXIES if opened.has(f"scores/{dataset}", proxy))
    return [proxy for proxy in PROXIES if proxy in found]
