"""What is answered to NATS-Bench's questions about one arch.

"cifar10-valid" has the val accuracy of CIFAR-10, "cifar10" of NATS-Bench's spaces the test accuracy alone, as
theirs: two trainings. In other spaces one training has both. Imported metrics that are no accuracies are
times 100 too. What differs, because tables hold less:

    time        of the training, without evaluations. `simulate_train_eval` charges an arch of which there is
                none the median. Where there is none at all, the time can be kept and shown; computing with it
                says what to do.
    None        train accuracies, losses of evaluations, latencies: no table has them.
    no key      "valtest-*"; "test-*" of "cifar10-valid", and of epochs before the last.
    hp          the epochs of a recipe, or its name. None is 12 epochs, or the only recipe.
    is_random   True draws one of the seeds that there are of an arch. False is their mean, a number one of
                them: NATS-Bench's 777, 888, 999, or ours, from 0. Where the release has only a mean of seeds,
                that is the answer. `comment` says which it was.
    unmeasured  grid archs of our spaces are predicted where `Bench.simulate` would; `comment` says so.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from nbzero.adapters.trainings import Answered, Trainings
from nbzero.bench import Bench
from nbzero.errors import NothingFoundError, UsageError, unknown_name, whole
from nbzero.images.facts import dataset as facts_of
from nbzero.release.opened import Split, split_column
from nbzero.release.record import Run
from nbzero.spaces.macro import CHOICES, as_arch
from nbzero.spaces.nats_sss import channels_of
from nbzero.spaces.nb201 import STEM
from nbzero.spaces.published import IMPORTED

Hp = str | int | None
Info = dict[str, Any]

VALID = "cifar10-valid"
THEIRS = {VALID: "cifar10", "ImageNet16-120": "imagenet16-120"}  # where they call it otherwise
NATS_SPACES = ("nb201", "nats-sss")
SEEDS = {777: 0, 888: 1, 999: 2}
FULL_EPOCHS = {"nb201": 200, "nats-sss": 90}
SETS: dict[str, Split] = {
    "valid": "val",
    "x-valid": "val",
    "test": "test",
    "x-test": "test",
    "ori-test": "test",
}
DEFAULT_EPOCHS = 12
MEAN = "-mean"  # how the recipe of the means of several seeds ends


class NoSeconds:
    """Seconds that a release does not have.

    They can be kept and shown. To compute or compare with them is a NothingFoundError that says what to do.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return "unknown"

    def __format__(self, spec: str) -> str:
        return "unknown"

    def _refuse(self, other: object = None) -> NoReturn:
        raise NothingFoundError(self.reason)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __bool__ = _refuse


class Answer(NamedTuple):
    """What is known of one arch, trained or predicted.

    Attributes:
        recipe, seeds: of the trainings that it is the mean of; no seeds where there is none.
        iepoch: the epoch that it is of, from 0; None is the last.
        num_epochs: of the recipe; None where nothing says it.
        val, test: percentages.
        train_loss: in nats.
        seconds: of the training up to that epoch.
        comment: which training it is, in words.
    """

    recipe: str
    seeds: tuple[int, ...]
    iepoch: int | None
    num_epochs: int | None
    val: float | None
    test: float | None
    train_loss: float | None
    seconds: float | None
    comment: str

    @property
    def share(self) -> float:
        """How much of the training there is up to its epoch."""
        if self.iepoch is None or self.num_epochs is None:
            return 1.0
        return (self.iepoch + 1) / self.num_epochs

    @property
    def per_epoch(self) -> float | None:
        """Seconds of one epoch."""
        if self.seconds is None or self.num_epochs is None:
            return None
        return self.seconds / (self.share * self.num_epochs)


class Results:
    """The tables of one space, asked as NATS-Bench asks."""

    def __init__(self, bench: Bench, space: str, how: Answered) -> None:
        self.bench, self.space = bench, space
        self.split: Split = how.get("split", "val")
        self.opened = bench.release.space(space)
        self._how = how
        self._trainings: dict[tuple[str, str], Trainings] = {}
        self._held: dict[tuple[str, str, str], bool] = {}

    # Names

    def datasets(self) -> list[str]:
        """The data sets of which there are runs, by NATS-Bench's names."""
        found = []
        for ours in self.opened.datasets("runs"):
            theirs = [name for name, of in THEIRS.items() if of == ours]
            if ours == "cifar10":
                theirs.append(ours)
            found += theirs or [ours]
        return found

    def ours(self, dataset: str) -> str:
        """Our name of a data set.

        Raises:
            UnknownNameError: one of which there are no runs.
        """
        name = THEIRS.get(dataset, dataset)
        if name not in self.opened.datasets("runs"):
            raise unknown_name(f"dataset of {self.space}", dataset, self.datasets())
        return name

    def splits(self, dataset: str) -> tuple[Split, ...]:
        """The splits whose accuracies a training on a data set has, by NATS-Bench's names."""
        if dataset == VALID:
            return ("val",)
        if self._is_two_trainings(dataset):
            return ("test",)
        return ("val", "test")

    def _is_two_trainings(self, dataset: str) -> bool:
        return dataset == "cifar10" and self.space in NATS_SPACES

    def hps(self, dataset: str) -> list[str]:
        """What `hp` may be on a data set: the epochs of its recipes, and names where they have none."""
        found = []
        for recipe in self.bench.recipes(self.space, self.ours(dataset)):
            epochs = epochs_of(recipe)
            found.append(recipe if epochs is None else str(epochs))
        return list(dict.fromkeys(found))

    def recipes(self, dataset: str, hp: Hp) -> list[str]:
        """The recipes that `hp` means: that of single seeds, then that of their means, where they are two.

        Raises:
            UsageError: none of them, or several of as many epochs.
        """
        there = self.bench.recipes(self.space, self.ours(dataset))
        allowed = self.hps(dataset)
        if hp is None:
            standard = self.opened.standard_recipe(self.ours(dataset))
            hp = allowed[0] if len(allowed) == 1 else standard or DEFAULT_EPOCHS
        if hp in there:
            return [str(hp)]
        wanted = int(hp) if str(hp).isdecimal() else None
        found = [recipe for recipe in there if wanted is not None and epochs_of(recipe) == wanted]
        singles = [recipe for recipe in found if not recipe.endswith(MEAN)]
        if len(singles) > 1:
            listed = ", ".join(singles)
            raise UsageError(f"hp {hp!r} of {self.space} on {dataset} means several; name one: {listed}")
        if not found:
            listed = ", ".join(map(repr, allowed))
            raise UsageError(f"hp {hp!r}; of {self.space} on {dataset} it is one of {listed}")
        return sorted(found, key=len)

    def has_hp(self, dataset: str, hp: Hp) -> bool:
        """Whether there are runs on a data set with an hp."""
        try:
            return bool(self.recipes(dataset, hp))
        except UsageError:
            return False

    def _recipe(self, dataset: str, hp: Hp) -> str:
        """The first of the recipes of which the release has all accuracies that are asked for."""
        recipes = self.recipes(dataset, hp)
        columns = [split_column(split) for split in self.splits(dataset)]
        for recipe in recipes:
            if all(self._has(self.ours(dataset), recipe, column) for column in columns):
                return recipe
        return recipes[0]

    def _has(self, dataset: str, recipe: str, column: str) -> bool:
        """Whether any run has a number in a column."""
        key = (dataset, recipe, column)
        if key not in self._held:
            table = f"runs/{dataset}"
            numbers = self.opened.numbers(table, column)
            self._held[key] = False
            for (name, _), group in self.opened.groups(table).items():
                rows = numbers[group.start : group.stop]
                if name == recipe and any(number == number for number in rows):
                    self._held[key] = True
        return self._held[key]

    def trainings(self, dataset: str, recipe: str) -> Trainings:
        """What answers for what was not trained, and charges."""
        key = (dataset, recipe)
        if key not in self._trainings:
            how = self._how.copy()
            if how.get("clock") is None and how.get("seconds") is None:
                how["clock"] = "recorded" if self._has(dataset, recipe, "train_time_s") else "none"
            self._trainings[key] = Trainings(self.bench, self.space, dataset, recipe, **how)
        return self._trainings[key]

    # Answers

    def answer(self, arch: str, dataset: str, iepoch: int | None, hp: Hp, is_random: bool | int) -> Answer:
        """What is known of one arch.

        Raises:
            UnknownNameError: no such data set.
            UsageError: another hp, or an epoch that the recipe does not have.
            NothingFoundError: a seed that the arch was not trained with; an epoch without a curve; an arch
                that was not trained, where others are refused.
        """
        recipe = self._recipe(dataset, hp)
        runs = self._runs(arch, dataset, recipe)
        if not runs:
            return self._unmeasured(arch, dataset, recipe, iepoch)
        if is_random is True:
            runs = [random.choice(runs)]
        elif is_random is not False:
            runs = self._with_seed(runs, is_random)
        return _mean([self._of_run(run, dataset, iepoch) for run in runs])

    def seeds(self, arch: str, dataset: str, hp: Hp) -> list[int]:
        """The seeds that an arch was trained with."""
        runs = self._runs(arch, dataset, self._recipe(dataset, hp))
        return [run.seed for run in runs]

    def _runs(self, arch: str, dataset: str, recipe: str) -> list[Run]:
        """The trainings of an arch that have an accuracy of the splits, or diverged."""
        ours = self.ours(dataset)
        if arch not in self.opened.ids:
            return []
        record = self.bench.query(arch)
        found = []
        for seed in self.opened.seeds("runs", ours, recipe):
            run = record.run(ours, recipe, seed)
            if run is not None and (run.status != "ok" or self._accuracies(run, dataset)):
                found.append(run)
        return found

    def _accuracies(self, run: Run, dataset: str) -> dict[Split, float]:
        values: dict[Split, float | None] = {"val": run.val_acc, "test": run.test_acc}
        found: dict[Split, float] = {}
        for split in self.splits(dataset):
            value = values[split]
            if value is not None:
                found[split] = percent(value)
        return found

    def _with_seed(self, runs: Sequence[Run], given: int) -> list[Run]:
        seed = whole("is_random", given)
        if self.space in NATS_SPACES:
            seed = SEEDS.get(seed, seed)
        found = [run for run in runs if run.seed == seed]
        if not found:
            there = ", ".join(str(run.seed) for run in runs)
            trained = f"{runs[0].arch} was trained with {runs[0].recipe} and the seeds {there}"
            raise NothingFoundError(f"is_random={given}: {trained}; True draws one, False is their mean")
        return found

    def _of_run(self, run: Run, dataset: str, iepoch: int | None) -> Answer:
        num_epochs = epochs_of(run.recipe)
        if run.curve and run.status == "ok":
            num_epochs = len(run.curve)
        accuracies = self._accuracies(run, dataset)
        train_loss = run.train_loss
        seconds: float | None = run.train_time_s
        comment = f"{run.recipe}, seed {run.seed}"
        averaged = getattr(run, "averaged", "no")
        if averaged != "no":
            comment += f", where means are given ({averaged})"
        if run.status != "ok":
            comment += f", {run.status}"
        if self._is_two_trainings(dataset):  # these are of the other one
            train_loss, seconds = None, None
        if iepoch is not None:
            iepoch = self._checked_epoch(run.recipe, iepoch, num_epochs)
        answer = Answer(
            run.recipe,
            (run.seed,),
            iepoch,
            num_epochs,
            accuracies.get("val"),
            accuracies.get("test"),
            train_loss,
            seconds,
            comment,
        )
        if iepoch is None or num_epochs is None or iepoch == num_epochs - 1:
            return answer
        return _after(answer, run, self.splits(dataset))

    def _checked_epoch(self, recipe: str, iepoch: int, num_epochs: int | None) -> int:
        if num_epochs is None:
            raise UsageError(f"iepoch {iepoch}; nothing says how many epochs {recipe} has; give iepoch=None")
        return whole("iepoch", iepoch, most=num_epochs - 1)

    def _unmeasured(self, arch: str, dataset: str, recipe: str, iepoch: int | None) -> Answer:
        ours = self.ours(dataset)
        if self.split not in self.splits(dataset):
            there = " or ".join(self.splits(dataset))
            raise NothingFoundError(f"{arch} has no {there} accuracy on {ours} with {recipe}")
        num_epochs = epochs_of(recipe)
        if iepoch is not None and self._checked_epoch(recipe, iepoch, num_epochs) + 1 != num_epochs:
            raise NothingFoundError(f"{arch} was not trained with {recipe}: no accuracy after epoch {iepoch}")
        training = self.trainings(ours, recipe).train(arch)
        comment = f"{recipe}, {training.source or training.reason}"
        answer = Answer(recipe, (), iepoch, num_epochs, None, None, None, training.seconds, comment)
        if training.accuracy is None:
            return answer
        if self.split == "test":
            return answer._replace(test=percent(training.accuracy))
        return answer._replace(val=percent(training.accuracy))

    def measured(self, arch: str, dataset: str, hp: Hp, split: Split) -> float | None:
        """The accuracy of a member in percent, the mean of its seeds; None where it was not trained."""
        recipe = self._recipe(dataset, hp)
        accuracy = self.bench.query(arch).accuracy(self.ours(dataset), recipe, split, "mean")
        return None if accuracy is None else percent(accuracy)

    def charged(self, arch: str, dataset: str, answer: Answer) -> float | NoSeconds:
        """The seconds that a training is charged, up to the epoch of the answer."""
        trainings = self.trainings(self.ours(dataset), answer.recipe)
        if not trainings.has_clock:
            of = f"{self.space} on {dataset} with {answer.recipe}"
            return NoSeconds(
                f"the release has no training times of {of}, so there is no time to compute with; "
                "NBZERO_NATS_SECONDS=600, or create(.., seconds=600), charges that for every training"
            )
        if not answer.seeds:
            assert answer.seconds is not None
            return answer.seconds
        return trainings.seconds_of(arch, answer.seeds[0]) * answer.share

    # Costs

    def costs(self, arch: str, dataset: str) -> tuple[float | None, float | None]:
        """(FLOPs, params) in millions, None where no table has them.

        FLOPs are multiply-adds. Of NATS-Bench's spaces they are those of the data set, and count the
        classifier's biases, as theirs. Of others they are those of the archs table.
        """
        ours = self.ours(dataset)
        if self.space in CHOICES:
            parsed = as_arch(arch)
            return parsed.macs / 1e6, parsed.params / 1e6
        record = self.bench.query(arch)
        if not {"macs", "params"} <= self.opened.costs.keys():
            return None, None
        if self.space not in NATS_SPACES:
            return record.macs / 1e6, record.params / 1e6
        width = last_width(self.space, arch)
        facts = facts_of(ours)
        area = (facts.resolution / 32) ** 2
        macs = (record.macs - 10 * width) * area + facts.num_classes * (width + 1)
        params = record.params + (facts.num_classes - 10) * (width + 1)
        return macs / 1e6, params / 1e6


def percent(fraction: float) -> float:
    """A fraction in percent, to the seven digits that imported ones have.

    >>> percent(0.822)
    82.2
    """
    return round(100 * float(fraction), 6)


def epochs_of(recipe: str) -> int | None:
    """The epochs that a recipe's name ends with.

    >>> epochs_of("nb201-200-mean"), epochs_of("cpu-16px-4"), epochs_of("transnas")
    (200, 4, None)
    """
    found = re.search(rf"-(\d+)({MEAN})?$", recipe)
    return int(found[1]) if found else None


def last_width(space: str, arch: str) -> int:
    """The channels that the classifier of a network of NATS-Bench's spaces reads."""
    if space == "nb201":
        return 4 * STEM
    return channels_of(IMPORTED[space].parse(arch))[-1]


def _after(answer: Answer, run: Run, splits: Sequence[Split]) -> Answer:
    """What is known after an epoch before the last: val accuracy by the curve."""
    iepoch = answer.iepoch
    assert iepoch is not None
    if "val" not in splits or not run.curve:
        of = f"{run.arch} on {run.dataset} with {run.recipe}"
        raise NothingFoundError(f"the release has no curve of {of}; iepoch=None is the last epoch")
    val = None
    if iepoch < len(run.curve):  # else it diverged before
        val = percent(run.curve[iepoch])
    seconds = None
    if answer.seconds is not None:
        seconds = answer.seconds * answer.share
    return answer._replace(val=val, test=None, train_loss=None, seconds=seconds)


def _mean(answers: Sequence[Answer]) -> Answer:
    """The mean of several trainings, over those that have a number."""
    if len(answers) == 1:
        return answers[0]
    first = answers[0]
    seeds = tuple(seed for answer in answers for seed in answer.seeds)
    comment = f"{first.recipe}, mean of the seeds {', '.join(map(str, seeds))}"
    return first._replace(
        seeds=seeds,
        val=_mean_of(answer.val for answer in answers),
        test=_mean_of(answer.test for answer in answers),
        train_loss=_mean_of(answer.train_loss for answer in answers),
        seconds=_mean_of(answer.seconds for answer in answers),
        comment=comment,
    )


def _mean_of(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


class ArchResults:
    """All that is known of one arch with one hp, with the methods of NATS-Bench's class of that name.

    Attributes:
        arch_index, arch_str: which arch.
    """

    def __init__(self, results: Results, index: int, arch: str, hp: Hp) -> None:
        self.arch_index, self.arch_str = index, arch
        self._results, self._hp = results, hp

    def __repr__(self) -> str:
        return f"ArchResults(arch-index={self.arch_index}, arch={self.arch_str}, hp={self._hp!r})"

    def get_dataset_names(self) -> list[str]:
        """The data sets that it was trained on with this hp."""
        found = []
        for dataset in self._results.datasets():
            if self._results.has_hp(dataset, self._hp):
                found.append(dataset)
        return found

    def get_dataset_seeds(self, dataset: str) -> list[int]:
        """The seeds, ours, that it was trained with."""
        return self._results.seeds(self.arch_str, dataset, self._hp)

    def get_total_epoch(self, dataset: str | None = None) -> int | None:
        """The epochs of the recipe; None where nothing says them."""
        named = dataset or self.get_dataset_names()[0]
        return self._results.answer(self.arch_str, named, None, self._hp, False).num_epochs

    def get_compute_costs(self, dataset: str) -> Info:
        """FLOPs and params in millions, latency (None), and seconds of the training."""
        flops, params = self._results.costs(self.arch_str, dataset)
        answer = self._results.answer(self.arch_str, dataset, None, self._hp, False)
        return {
            "flops": flops,
            "params": params,
            "latency": None,
            "T-train@epoch": answer.per_epoch,
            "T-train@total": answer.seconds,
        }

    def get_metrics(
        self, dataset: str, setname: str, iepoch: int | None = None, is_random: bool | int = False
    ) -> Info:
        """loss and accuracy (percent) on a set, with iepoch, cur_time and all_time.

        Args:
            setname: "train", "x-valid", or "x-test" or "ori-test".

        Raises:
            UsageError: another set, or one that a training on this data set does not have.
        """
        answer = self._results.answer(self.arch_str, dataset, iepoch, self._hp, is_random)
        iepoch = answer.iepoch
        if iepoch is None and answer.num_epochs is not None:
            iepoch = answer.num_epochs - 1
        info: Info = {"iepoch": iepoch, "loss": None, "accuracy": None, "cur_time": None, "all_time": None}
        if setname == "train":
            return info | {
                "loss": answer.train_loss,
                "cur_time": answer.per_epoch,
                "all_time": answer.seconds,
            }
        split = SETS.get(setname)
        splits = self._results.splits(dataset)
        if split not in splits:
            known = ["train", *(name for name, of in SETS.items() if of in splits)]
            raise UsageError(f"set {setname!r} of {dataset}; it is one of {', '.join(known)}")
        return info | {"accuracy": answer.val if split == "val" else answer.test}
