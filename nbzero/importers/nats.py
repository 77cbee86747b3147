"""NATS-Bench as its authors publish it: a folder or tar with a bz2-compressed pickle an arch, and their list.

    NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2      {"meta_archs": [arch, ..], ..}
    NATS-tss-v1_0-3ffb9-simple/000123.pickle.pbz2    {epochs: results}, "12" and "200", or "01", "12" and "90"

    results   {"arch_index", "arch_str", "dataset_seed": {dataset: [seed, ..]},
               "all_results": {(dataset, seed): run}}
    run       {"params" in millions, "epochs", "latency": [seconds, ..], "train_losses": {epoch: loss},
               "train_times": {epoch: seconds}, "eval_acc1es": {"x-valid@epoch": percent}, ..}

Epochs count from 0. NAS-Bench-201's torch file holds the same results (`nbzero.importers.torch_file`).
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nbzero.errors import ReleaseError, count_of, quoted
from nbzero.importers.official import META, Apart, Official
from nbzero.importers.pickles import load_pbz2
from nbzero.importers.source import (
    NOT_GIVEN,
    Floats,
    Row,
    Rows,
    archs_rows,
    check_costs,
    checked_archs,
    fractions,
)
from nbzero.release.reading import open_regular, pieces
from nbzero.spaces.published import IMPORTED

MAX_COMPRESSED = 16 << 20  # bytes of the file of one arch
MAX_RUNS = 100  # of an arch: eight times as many as any has
# Ours: the authors' name of the runs that give val, of those that give test, and the split of the latter.
DATASETS = {
    "cifar10": ("cifar10-valid", "cifar10", "ori-test"),
    "cifar100": ("cifar100", "cifar100", "x-test"),
    "imagenet16-120": ("ImageNet16-120", "ImageNet16-120", "x-test"),
}
VAL = "x-valid"
_NAME = re.compile(r"(\d{1,6})\.pickle\.pbz2")


@dataclass(frozen=True, slots=True)
class Layout:
    """What an archive of one space holds.

    Attributes:
        recipes: the key of an arch's results -> our recipe.
        archive: what the authors call it.
        class_of: names the network that an arch's numbers make, where different archs can be the same.
    """

    space: str
    recipes: Mapping[str, str]
    archive: str
    class_of: Callable[[Sequence[int]], str] | None = None

    @property
    def advice(self) -> str:
        return f"fetch {self.archive} anew"


class OneRun(NamedTuple):
    """One training, in fractions and seconds. None, and an empty curve, are not in the file."""

    accuracies: dict[str, float]  # percent after the last epoch, by split
    curve: Floats  # percent on x-valid after each epoch
    train_loss: float | None
    train_time_s: float | None


class OneArch(NamedTuple):
    """The results of an arch: by the key of the recipe, the data set of the authors and the seed."""

    number: int  # its official index
    arch: str
    params: float
    runs: dict[tuple[str, str, int], OneRun]


BECOMES = (
    "runs of each seed (0, 1, 2 are the authors' seeds in order), val, test, curve of val, train_loss, "
    "train_time_s, and -mean recipes of several seeds; on cifar10 test is of the run on all training images, "
    "the rest of the run on half of them; params are checked; latency, FLOPs, train accuracies are left out"
)


def official_nats(layout: Layout) -> Official:
    """The kind of file that an archive is."""
    return Official(
        form="nats",
        name=layout.archive,
        version=layout.archive.removesuffix("-simple.tar"),
        repository="D-X-Y/NATS-Bench",
        place="the Google Drive folder that github.com/D-X-Y/NATS-Bench links",
        licence="MIT",
        citation="Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437",
        becomes=BECOMES,
        read=partial(read_nats, layout),
    )


# One pickle


def parsed_file(layout: Layout, data: bytes, name: str) -> list[str] | OneArch:
    """The archs of a meta file, or the results of one arch.

    Raises:
        ReleaseError: what is not of the form above; it names the file and what is wrong.
    """
    held = load_pbz2(data, name, layout.advice)
    if os.path.basename(name) == META:
        return archs_of(held, name, layout)
    return arch_of(held, layout, name)


def archs_of(held: Any, name: str, layout: Layout) -> list[str]:
    archs = held.get("meta_archs") if isinstance(held, dict) else None
    if not isinstance(archs, list) or not all(isinstance(arch, str) for arch in archs):
        raise ReleaseError(f"{name} has no list of arch strings 'meta_archs'; {layout.advice}")
    return archs


def arch_of(held: Any, layout: Layout, name: str) -> OneArch:
    """The results of one arch, from the dict of its epochs; errors as `parsed_file`."""
    if not isinstance(held, dict):
        raise _no_results(name, "it is no dict", layout)
    absent = [key for key in layout.recipes if key not in held]
    if absent:
        there = ", ".join(key for key in held if isinstance(key, str))[:200]
        raise _no_results(name, f"it has the epochs {there}, not {', '.join(absent)}", layout)
    runs: dict[tuple[str, str, int], OneRun] = {}
    named: set[tuple[int, str]] = set()
    params: set[float] = set()
    for key in layout.recipes:
        results = _Fields(held[key], f"{name}: {key} epochs", layout)
        named.add((results.whole("arch_index"), results.text("arch_str")))
        all_results = results.table("all_results")
        if len(all_results) > MAX_RUNS:
            raise results.wrong("all_results", f"has {len(all_results):,} runs")
        for of, run in all_results.items():
            dataset, seed = _dataset_and_seed(of, results)
            fields = _Fields(run, f"{name}: {key} epochs, {dataset}, seed {seed}", layout)
            runs[key, dataset, seed] = _run_of(fields)
            if dataset == "cifar10":
                params.add(fields.number("params"))
    if len(named) != 1:
        raise _no_results(name, "its epochs are of different archs", layout)
    if len(params) != 1:
        raise _no_results(name, f"it has {count_of(len(params), 'number')} of params on cifar10", layout)
    index, arch = named.pop()
    return OneArch(index, arch, params.pop(), runs)


def _no_results(name: str, why: str, layout: Layout) -> ReleaseError:
    title = IMPORTED[layout.space].title
    return ReleaseError(f"{name} is no arch's results of {title}: {why}; {layout.advice}")


def _dataset_and_seed(of: Any, results: _Fields) -> tuple[str, int]:
    if isinstance(of, tuple) and len(of) == 2:
        dataset, seed = of
        if isinstance(dataset, str) and type(seed) is int and 0 <= seed < 2**31:
            return dataset[:50], seed
    raise results.wrong("all_results", "has a key that is no data set with a seed")


class _Fields:
    """A dict of a pickle, whose values are checked as they are read."""

    def __init__(self, held: Any, where: str, layout: Layout) -> None:
        if not isinstance(held, dict):
            raise ReleaseError(f"{where} is no dict; {layout.advice}")
        self._held = held
        self._where = where
        self._layout = layout

    def wrong(self, name: str, why: str) -> ReleaseError:
        return ReleaseError(f"{self._where}: {name} {why}; {self._layout.advice}")

    def _of(self, name: str, kind: type) -> Any:
        value = self._held.get(name)
        if type(value) is not kind:
            raise self.wrong(name, f"is {type(value).__name__}, not {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        text: str = self._of(name, str)
        return text

    def whole(self, name: str) -> int:
        number: int = self._of(name, int)
        if abs(number) >= 2**31:
            raise self.wrong(name, "is a number that no table has")
        return number

    def table(self, name: str) -> dict[Any, Any]:
        table: dict[Any, Any] = self._of(name, dict)
        return table

    def number(self, name: str) -> float:
        return self.as_number(name, self._held.get(name))

    def as_number(self, name: str, value: Any) -> float:
        if type(value) not in (int, float) or not abs(value) < 2**63:
            raise self.wrong(name, f"has a {type(value).__name__} that is no finite number")
        return float(value)

    def numbers(self, name: str) -> dict[Any, float] | None:
        """A dict of numbers; None where there is none."""
        if self._held.get(name) is None:
            return None
        return {key: self.as_number(name, value) for key, value in self.table(name).items()}


def _run_of(fields: _Fields) -> OneRun:
    epochs = fields.whole("epochs")
    if not 1 <= epochs <= 1000:
        raise fields.wrong("epochs", f"is {epochs}")
    evaluated = fields.numbers("eval_acc1es") or {}
    accuracies = {}
    for split in (VAL, "x-test", "ori-test"):
        last = evaluated.get(f"{split}@{epochs - 1}")
        if last is not None:
            accuracies[split] = last
    by_epoch = [evaluated.get(f"{VAL}@{epoch}") for epoch in range(epochs)]
    there = [value for value in by_epoch if value is not None]
    if len(there) < epochs:
        there = []  # a curve has every epoch
    losses = fields.numbers("train_losses") or {}
    times = fields.numbers("train_times")
    seconds = sum(times.values()) if times else None
    return OneRun(accuracies, np.array(there, np.float64), losses.get(epochs - 1), seconds)


# The folder or tar


def files_in(path: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, each with its name."""
    if os.path.isdir(path):
        names = [name for name in sorted(os.listdir(path)) if name == META or _NAME.fullmatch(name)]
        return _in_folder(path, names, layout)
    return _in_tar(path, layout)


def _in_folder(path: Path, names: Iterable[str], layout: Layout) -> Iterator[tuple[str, bytes]]:
    for name in names:
        try:
            with open_regular(path / name, layout.advice) as file:
                data = b"".join(pieces(file, MAX_COMPRESSED))
        except OSError as error:
            raise ReleaseError(f"{path / name} cannot be read ({error.strerror}); {layout.advice}") from error
        yield _sized(f"{path / name}", data, layout)


def _in_tar(path: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """Nothing is unpacked: the members are read where they are."""
    try:
        with open_regular(path, layout.advice) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name = os.path.basename(member.name)
                if not member.isreg() or not (name == META or _NAME.fullmatch(name)):
                    continue
                opened = tar.extractfile(member)
                assert opened is not None
                data = opened.read(MAX_COMPRESSED + 1)
                if len(data) < min(member.size, MAX_COMPRESSED + 1):
                    raise ReleaseError(f"{path} is cut off in {name}; {layout.advice}")
                yield _sized(f"{path}/{name}", data, layout)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise ReleaseError(
            f"{path} is no tar that can be read ({str(error)[:200]}); {layout.advice}"
        ) from error


def _sized(name: str, data: bytes, layout: Layout) -> tuple[str, bytes]:
    if len(data) > MAX_COMPRESSED:
        raise ReleaseError(
            f"{name} has more than {MAX_COMPRESSED:,} bytes, as one with trained weights has; "
            f"give the archive without them: {layout.archive}"
        )
    return name, data


def read_nats(layout: Layout, path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of an archive.

    Raises:
        ReleaseError: an arch that is missing, twice, beyond the table or of another benchmark, or whatever is
            not of the authors' form.
    """
    parse = apart(partial(parsed_file, layout))
    num_members = IMPORTED[layout.space].num_members
    meta: list[str] | None = None
    found: dict[int, OneArch] = {}
    for name, data in files_in(path, layout):
        parsed = parse(data, name)
        if isinstance(parsed, list):
            meta = parsed
        else:
            _check_index(parsed, name, num_members, found, layout)
            found[parsed.number] = parsed
    if meta is None:
        raise ReleaseError(f"{path} has no {META}; {layout.advice}")
    return rows_of_archs(layout, check_archs(meta, found, str(path), layout), str(path))


def check_archs(
    meta: Sequence[str], found: Mapping[int, OneArch], where: str, layout: Layout
) -> list[OneArch]:
    """All archs in the order of their index.

    Raises:
        ReleaseError: one that is missing, of another benchmark, or not what the list `meta` says.
    """
    checked_archs(meta, layout.space, f"{where}: meta_archs")
    for index in found:
        if not 0 <= index < len(meta):
            raise ReleaseError(
                f"{where} has an arch {index}, its table has 0 to {len(meta) - 1}; {layout.advice}"
            )
    for index, arch in enumerate(meta):
        if index not in found:
            raise ReleaseError(
                f"{where} has no arch {index} ({index:06d}.pickle.pbz2), only "
                f"{count_of(len(found), 'arch')} of {len(meta)}; {layout.advice}"
            )
        if found[index].arch != arch:
            raise ReleaseError(
                f"{where}: arch {index} is {quoted(found[index].arch)}, by meta_archs it is {arch}; "
                f"{layout.advice}"
            )
    return [found[index] for index in range(len(meta))]


def _check_index(one: OneArch, name: str, num_members: int, found: Mapping[int, Any], layout: Layout) -> None:
    said = _NAME.fullmatch(os.path.basename(name))
    assert said is not None
    if not 0 <= one.number < num_members:
        raise ReleaseError(
            f"{name} is of arch {one.number}; {IMPORTED[layout.space].title} has 0 to {num_members - 1}; "
            f"{layout.advice}"
        )
    if int(said[1]) != one.number:
        raise ReleaseError(f"{name} says that it is of arch {one.number}; {layout.advice}")
    if one.number in found:
        raise ReleaseError(f"{name}: arch {one.number} is there twice; {layout.advice}")


# Rows


def rows_of_archs(layout: Layout, archs: Sequence[OneArch], where: str) -> Rows:
    """The rows of all archs, in the order of their index; ReleaseError for numbers that cannot be."""
    space = layout.space
    strings = [one.arch for one in archs]
    params = np.array([one.params for one in archs]) * 1e6
    check_costs(strings, space, {"params": params}, where)
    rows: Rows = {("archs", space, None): archs_rows(space, strings, _classes_of(layout, strings))}
    for dataset in DATASETS:
        of_dataset: list[Row] = []
        for key, recipe in layout.recipes.items():
            of_recipe = _runs_of(dataset, key, recipe, archs, where)
            of_dataset += of_recipe + _means_of(of_recipe, recipe)
        rows["runs", space, dataset] = of_dataset
    return rows


def _classes_of(layout: Layout, archs: Sequence[str]) -> list[int] | None:
    """The number of each arch's network, from 0 in the order of their first arch."""
    if layout.class_of is None:
        return None
    numbers: dict[str, int] = {}
    classes = []
    for arch in archs:
        name = layout.class_of(IMPORTED[layout.space].parse(arch))
        classes.append(numbers.setdefault(name, len(numbers)))
    return classes


def _runs_of(dataset: str, key: str, recipe: str, archs: Sequence[OneArch], where: str) -> list[Row]:
    """The runs of one recipe on one data set. Seeds are numbered in the order of the authors'."""
    for_val, for_test, test_split = DATASETS[dataset]
    seeds: set[int] = set()
    for one in archs:
        seeds.update(seed for of, name, seed in one.runs if of == key and name in (for_val, for_test))
    said = f"{where}: {recipe} on {dataset}"
    rows = []
    for number, seed in enumerate(sorted(seeds)):
        for arch_id, one in enumerate(archs):
            val = one.runs.get((key, for_val, seed))
            test = one.runs.get((key, for_test, seed))
            row = _row(val, test, test_split, f"{said}, arch {arch_id}, seed {seed}")
            if row:
                rows.append({"arch_id": arch_id, "recipe": recipe, "seed": number, **row})
    if not rows:
        raise ReleaseError(f"{said}: no arch has a run; the archive is of another benchmark")
    return rows


def _row(val: OneRun | None, test: OneRun | None, test_split: str, where: str) -> Row:
    """What two runs of a seed give, of which the one may be the other; empty where they give no accuracy."""
    val_acc = _fraction(val, VAL, where)
    test_acc = _fraction(test, test_split, where)
    if val_acc is None and test_acc is None:
        return {}
    trained = val or test
    assert trained is not None
    curve: list[float] = []
    if val is not None and len(val.curve):
        curve = _curve(val.curve, where)
    return {
        "status": "ok",
        "val_acc": val_acc,
        "test_acc": test_acc,
        "train_loss": trained.train_loss,
        "curve": curve,
        "train_time_s": trained.train_time_s,
        "metric": "accuracy",
        "averaged": "no",
        "device": NOT_GIVEN,
        "engine": NOT_GIVEN,
        "software": NOT_GIVEN,
        "builder_commit": NOT_GIVEN,
    }


def _fraction(run: OneRun | None, split: str, where: str) -> float | None:
    if run is None or split not in run.accuracies:
        return None
    return float(fractions([run.accuracies[split]], f"{where}: {split}")[0])


def _curve(percent: Floats, where: str) -> list[float]:
    if percent.min() < 0 or percent.max() > 100:
        raise ReleaseError(
            f"{where}: a curve from {percent.min():g} to {percent.max():g}, outside [0, 100] percent"
        )
    curve: list[float] = np.round(percent / 100, 7).tolist()
    return curve


def _means_of(rows: Sequence[Row], recipe: str) -> list[Row]:
    """A row an arch with the means of its runs, where any arch has several."""
    most = max(row["seed"] for row in rows) + 1
    if most == 1:
        return []
    by_arch: dict[int, list[Row]] = {}
    for row in rows:
        by_arch.setdefault(row["arch_id"], []).append(row)
    means = []
    for arch_id, those in by_arch.items():
        row = {**those[0], "arch_id": arch_id, "recipe": f"{recipe}-mean", "seed": 0}
        for name in ("val_acc", "test_acc"):
            there = [one[name] for one in those if one[name] is not None]
            row[name] = float(np.mean(there)) if there else None
        row |= {"curve": [], "train_loss": None, "train_time_s": None}
        row["averaged"] = f"val and test: one to {most} runs"
        means.append(row)
    return means
