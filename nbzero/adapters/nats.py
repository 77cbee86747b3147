"""NATS-Bench's methods over a bench: a script written for it runs after one changed import.

    from nbzero.adapters.nats import create    # was: from nats_bench import create
    api = create(None, "tss", fast_mode=True, verbose=False)

`None` is the release that the environment variable NBZERO_NATS names, else the one that ships with nbzero.
"tss" is nb201 and "sss" nats-sss; any other space goes by its own name, ours too. Methods, their arguments
and what they return are NATS-Bench's: accuracies are percentages, FLOPs and params are in millions, epochs
count from 0. `nbzero.adapters.nats_results` says what is answered where tables hold less.

A script with a budget of time needs training times. Where a release has none, NBZERO_NATS_SECONDS=600, or
seconds=600 in `create`, charges that for every training.
"""

from __future__ import annotations

import operator
import os
import random
from typing import Any, Unpack

from nbzero.adapters.nats_results import (
    FULL_EPOCHS,
    SETS,
    VALID,
    ArchResults,
    Hp,
    Info,
    NoSeconds,
    Results,
)
from nbzero.adapters.trainings import Answered, check_seconds
from nbzero.bench import Bench
from nbzero.errors import UnknownNameError, UsageError, quoted
from nbzero.images.facts import dataset as facts_of
from nbzero.release.opened import Split, split_column
from nbzero.search.answers import Unmeasured
from nbzero.search.clock import ClockName
from nbzero.spaces.choices import import_command
from nbzero.spaces.macro import Arch
from nbzero.spaces.nats_sss import CELL
from nbzero.spaces.nb201 import CELLS, STEM, cell_class
from nbzero.spaces.published import IMPORTED

VARIABLE = "NBZERO_NATS"
SECONDS = "NBZERO_NATS_SECONDS"
SPACES = {"tss": "nb201", "topology": "nb201", "sss": "nats-sss", "size": "nats-sss"}


def create(
    file_path_or_dict: str | os.PathLike[str] | Bench | None = None,
    search_space: str = "tss",
    fast_mode: bool = False,
    verbose: bool = True,
    **how: Unpack[Answered],
) -> NATSBench:
    """What answers as NATS-Bench's API does.

    Args:
        file_path_or_dict: a release's folder or URL, a Bench, or None, as the module says.
        search_space: "tss", "sss", or the name of a space of the release.
        fast_mode: either does: tables are mapped, so that nothing is loaded before it is asked for.
        verbose: prints what was opened. Single calls print nothing.
        how: unmeasured, clock, seconds and split, as `nbzero.adapters.Trainings`. clock is "recorded" where
            it is not named. split="test" simulates trainings by test accuracies, where there are no others.

    Raises:
        ReleaseError: no release is there.
        UnknownNameError: a release without the space, or without the trainings of a published one. The
            message says how to name another.
        UsageError: anything else than a release, or seconds that are no positive number.
    """
    bench, said = _opened(file_path_or_dict)
    space = SPACES.get(search_space, search_space)
    there = [name for name in bench.spaces if _is_trained(bench, name)]
    if space not in there:
        instead = f"give the folder of another, set {VARIABLE} to it, or name one of its spaces"
        if space in bench.spaces:
            instead = f"it has scores of it and no trainings, which {import_command(space)} joins"
        raise UnknownNameError(
            f"{said} has no space {quoted(space)} (search_space={search_space!r}), only "
            f"{', '.join(there)}; {instead}"
        )
    seconds = os.environ.get(SECONDS)
    if seconds and "seconds" not in how and "clock" not in how:
        how["seconds"] = _number(seconds)
    api = NATSBench(bench, space, **how)
    if verbose:
        print(f"opened {api}")
    return api


def _is_trained(bench: Bench, space: str) -> bool:
    """Whether a space is one of ours, or a published benchmark with its trainings."""
    opened = bench.release.space(space)
    return opened.published is None or bool(opened.datasets("runs"))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{SECONDS} is {text!r}; it is the seconds that every training is charged") from None


def _opened(given: str | os.PathLike[str] | Bench | None) -> tuple[Bench, str]:
    """A release, and where it comes from in words."""
    if isinstance(given, Bench):
        return given, f"the release {given.path}"
    if isinstance(given, (str, os.PathLike)):
        return Bench(given), f"the release {os.fspath(given)}"
    if given is not None:
        raise UsageError(f"{quoted(given)}; give a release's folder, a Bench, or None")
    named = os.environ.get(VARIABLE)
    if named:
        return Bench(named), f"the release {named}, which {VARIABLE} names,"
    return Bench(), f"the release that ships with nbzero, since {VARIABLE} names no other,"


class NATSBench:
    """A space with the methods of NATS-Bench's API; `create` makes it.

    Args:
        bench: the release.
        space: one of its spaces.
        unmeasured, clock, seconds, split: as `create`.

    Attributes:
        meta_archs: the arch strings, by index.
        archstr2index: the index of each.
        used_time: seconds that `simulate_train_eval` has charged since `reset_time`.
    """

    def __init__(
        self,
        bench: Bench,
        space: str,
        *,
        unmeasured: Unmeasured | None = None,
        clock: ClockName | None = None,
        seconds: float | None = None,
        split: Split = "val",
    ) -> None:
        check_seconds(seconds, clock)
        split_column(split)  # raises for what is none
        how: Answered = {"unmeasured": unmeasured, "clock": clock, "seconds": seconds, "split": split}
        self._results = Results(bench, space, how)
        self.space = space
        self.meta_archs = list(self._results.opened.archs)
        self.archstr2index = {arch: index for index, arch in enumerate(self.meta_archs)}
        self.used_time: float | NoSeconds = 0.0

    def __repr__(self) -> str:
        return f"NATSBench({len(self)} architectures of {self.space}, {self._results.bench.path!r})"

    def __len__(self) -> int:
        return len(self.meta_archs)

    def __getitem__(self, index: int) -> str:
        return self.meta_archs[index]

    # Archs

    def arch(self, index: int) -> str:
        """The arch string of an index; UsageError, which is a ValueError, for one beyond the table."""
        return self.meta_archs[self._checked(index)]

    def _checked(self, index: int) -> int:
        if 0 <= index < len(self):
            return index
        raise UsageError(f"index {index}; {self.space} has 0 to {len(self) - 1}, and -1 is no arch of it")

    def random(self) -> int:
        """The index of a random arch, drawn by the module `random`, as theirs: `random.seed` fixes it."""
        return random.randint(0, len(self) - 1)

    def query_index_by_arch(self, arch: Any) -> int:
        """The index of an arch: a string, what has a method `tostr`, or an index itself.

        -1 is what the table does not have, as theirs.

        Raises:
            UsageError: an index beyond the table.
        """
        if hasattr(arch, "tostr"):
            arch = arch.tostr()
        if isinstance(arch, str):
            return self.archstr2index.get(arch, -1)
        if hasattr(arch, "__index__"):
            return self._checked(operator.index(arch))
        return -1

    def _text(self, arch: Any) -> str:
        """The string of an arch that can be asked for, a member or a grid arch of ours.

        Raises:
            UsageError: what is no arch of the space.
            NotAMemberError: an arch of a published space that the table does not have.
        """
        if hasattr(arch, "tostr"):
            arch = arch.tostr()
        if not isinstance(arch, (str, Arch)):
            if not hasattr(arch, "__index__"):
                raise UsageError(f"{quoted(arch)} is no arch of {self.space}: it is a string or an index")
            return self.arch(operator.index(arch))
        text = str(arch)
        if text not in self.archstr2index:
            space = self._results.opened.space
            space.encode(text)  # raises, and says why
            if self.space in IMPORTED:
                space.arch_id(text)
        return text

    def get_unique_str(self, arch: Any) -> str:
        """What a cell of nb201 computes: archs with the same string are one network."""
        self._check_space("get_unique_str", "nb201")
        return cell_class(IMPORTED["nb201"].parse(self._text(arch)))

    def str2lists(self, arch_str: str) -> list[tuple[tuple[str, int], ...]]:
        """Of each node of a cell of nb201 the operations and the nodes that they read."""
        self._check_space("str2lists", "nb201")
        IMPORTED["nb201"].parse(arch_str)
        nodes = []
        for node in arch_str.split("+"):
            edges = [edge.split("~") for edge in node.strip("|").split("|")]
            nodes.append(tuple((operation, int(start)) for operation, start in edges))
        return nodes

    def _check_space(self, asked: str, space: str) -> None:
        if self.space != space:
            raise UsageError(f"{asked} is of {space}, and this is {self.space}")

    # What is known of an arch

    def get_more_info(
        self,
        index: Any,
        dataset: str,
        iepoch: int | None = None,
        hp: Hp = None,
        is_random: bool | int = True,
    ) -> Info:
        """Accuracies in percent, losses and seconds, by NATS-Bench's keys.

        train-loss, train-accuracy, train-per-time, train-all-time, comment; and of "valid" and "test", as far
        as a training on the data set has them, -loss, -accuracy, -per-time, -all-time.

        Args:
            index: of an arch, or the arch.
            dataset: "cifar10-valid", "cifar10", "cifar100", "ImageNet16-120", or ours.
            iepoch: after which epoch, from 0; None is the last.
            hp: epochs, or a recipe. None is the only recipe there is; of several in our spaces cpu-16px-4,
                in published ones that of 12 epochs.
            is_random: True: a random seed; False: their mean; a number: that seed.

        Raises:
            UnknownNameError: no such data set.
            UsageError: no arch of the space, another hp, an epoch that the recipe does not have.
            NothingFoundError: a seed, a curve or an accuracy that the release does not have.
        """
        answer = self._results.answer(self._text(index), dataset, iepoch, hp, is_random)
        info: Info = {
            "train-loss": answer.train_loss,
            "train-accuracy": None,
            "train-per-time": answer.per_epoch,
            "train-all-time": answer.seconds,
            "comment": answer.comment,
        }
        accuracies = {"val": ("valid", answer.val), "test": ("test", answer.test)}
        for split in self._results.splits(dataset):
            name, accuracy = accuracies[split]
            if split == "test" and accuracy is None:
                continue
            info |= {f"{name}-loss": None, f"{name}-accuracy": accuracy}
            info |= {f"{name}-per-time": None, f"{name}-all-time": None}
        return info

    def simulate_train_eval(
        self,
        arch: Any,
        dataset: str,
        iepoch: int | None = None,
        hp: Hp = None,
        account_time: bool = True,
    ) -> tuple[float | None, None, float | NoSeconds, float | NoSeconds]:
        """(val accuracy in percent, latency, seconds, used_time) of one training with a random seed.

        "cifar10" is "cifar10-valid". The latency is None. With split="test" the accuracy is of the test
        split. Errors as `get_more_info`.
        """
        text = self._text(arch)
        named, split = dataset, self._results.split
        if dataset == "cifar10" and split == "val":
            named = VALID
        answer = self._results.answer(text, named, iepoch, hp, is_random=True)
        seconds = self._results.charged(text, named, answer)
        if account_time and isinstance(seconds, NoSeconds):
            self.used_time = seconds
        elif account_time:
            self.used_time = self.used_time + seconds
        accuracy = answer.val if split == "val" else answer.test
        return accuracy, None, seconds, self.used_time

    def reset_time(self) -> None:
        """used_time back to 0."""
        self.used_time = 0.0

    def query_meta_info_by_index(self, arch_index: int, hp: Hp = None) -> ArchResults:
        """All that is known of an arch with one hp."""
        return ArchResults(self._results, self._checked(arch_index), self.arch(arch_index), hp)

    def get_cost_info(self, index: Any, dataset: str, hp: Hp = None) -> Info:
        """flops and params in millions, latency (None), T-train@epoch and T-train@total in seconds."""
        return ArchResults(self._results, -1, self._text(index), hp).get_compute_costs(dataset)

    def get_latency(self, index: Any, dataset: str, hp: Hp = None) -> None:
        """None: no table has latencies. Errors as `get_cost_info`."""
        latency: None = self.get_cost_info(index, dataset, hp)["latency"]
        return latency

    def get_net_config(self, index: Any, dataset: str) -> Info:
        """The network of an arch of nb201 or nats-sss, by the keys of NATS-Bench's own models."""
        text, num_classes = self._text(index), facts_of(self._results.ours(dataset)).num_classes
        if self.space == "nats-sss":
            config: Info = {"name": "infer.shape.tiny", "channels": text, "genotype": CELL}
        else:
            self._check_space("get_net_config", "nb201")
            config = {"name": "infer.tiny", "C": STEM, "N": CELLS, "arch_str": text}
        return config | {"num_classes": num_classes}

    def query_info_str_by_arch(self, arch: Any, hp: Hp = None) -> str:
        """Costs and accuracies of an arch on all data sets that have this hp, in words."""
        text = self._text(arch)
        about = ArchResults(self._results, self.query_index_by_arch(text), text, hp)
        datasets = about.get_dataset_names()
        if not datasets:
            self._results.recipes(self._results.datasets()[0], hp)  # raises, and says which there are
        lines = [text, f"datasets : {datasets}, extra-info : arch-index={about.arch_index}"]
        for dataset in datasets:
            costs = about.get_compute_costs(dataset)
            lines.append(f"{dataset:14s} FLOP={_shown(costs['flops'])} M, Params={_shown(costs['params'])} M")
            info = self.get_more_info(text, dataset, hp=hp, is_random=False)
            there = [name for name in ("valid", "test") if f"{name}-accuracy" in info]
            said = [f"{name} : [top1 = {_shown(info[f'{name}-accuracy'])}%]" for name in there]
            lines.append(f"{dataset:14s} {', '.join(said)} ({info['comment']})")
        return "\n".join(lines)

    query_by_arch = query_info_str_by_arch

    def show(self, index: int = -1) -> None:
        """Prints `query_info_str_by_arch` of an index with each hp; of all, below 0."""
        for one in range(len(self)) if index < 0 else [self._checked(index)]:
            for hp in self.avaliable_hps:
                print(f"---- {hp}\n{self.query_info_str_by_arch(one, hp)}")

    # All archs

    @property
    def avaliable_hps(self) -> list[str]:
        """What `hp` may be, spelled as theirs."""
        found = [hp for dataset in self._results.datasets() for hp in self._results.hps(dataset)]
        return list(dict.fromkeys(found))

    @property
    def full_train_epochs(self) -> int:
        """The epochs of the longest recipe."""
        if self.space in FULL_EPOCHS:
            return FULL_EPOCHS[self.space]
        numbers = [int(hp) for hp in self.avaliable_hps if hp.isdecimal()]
        if not numbers:
            raise UsageError(f"nothing says the epochs of {self.space}; its recipes are {self.avaliable_hps}")
        return max(numbers)

    full_epochs_in_paper = full_train_epochs

    def find_best(
        self,
        dataset: str,
        metric_on_set: str,
        flop_max: float | None = None,
        param_max: float | None = None,
        hp: Hp = None,
        enforce_all: bool | None = None,
    ) -> tuple[int, float | None]:
        """(index, percent) of the most accurate arch that was trained, by the mean of its seeds.

        Args:
            metric_on_set: "valid" or "test".
            flop_max, param_max: in millions.
            enforce_all: either does: all archs are looked at.

        Returns:
            (-1, None) where none is within the limits.

        Raises:
            UsageError: another set.
        """
        split = SETS.get(metric_on_set)
        if split is None:
            raise UsageError(f"metric_on_set {metric_on_set!r}; it is one of {', '.join(SETS)}")
        named = VALID if dataset == "cifar10" and split == "val" else dataset
        best_index, best = -1, None
        for index, arch in enumerate(self.meta_archs):
            if not self._is_within(arch, named, flop_max, param_max):
                continue
            accuracy = self._results.measured(arch, named, hp, split)
            if accuracy is not None and (best is None or accuracy > best):
                best_index, best = index, accuracy
        return best_index, best

    def _is_within(self, arch: str, dataset: str, flop_max: float | None, param_max: float | None) -> bool:
        if flop_max is None and param_max is None:
            return True
        for cost, most in zip(self._results.costs(arch, dataset), (flop_max, param_max), strict=True):
            if most is not None and (cost is None or cost > most):
                return False
        return True


def _shown(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.3f}"
