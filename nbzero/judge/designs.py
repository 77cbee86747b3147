"""A sample as `factors` and `bias` read it: its targets, its inputs as columns, quantities exchanged.

Capital endings name an array's axes:
    N   archs
    F   inputs: stage features, or choices of an imported space
    C   columns of the models; an input of categories has one for each of them
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, check_known, count_of, names
from nbzero.judge.pool import Sample
from nbzero.metrics.arrays import ranks

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Transform = Literal["rank", "raw"]

NO_CATEGORY = np.array([np.nan], np.float32)


# Targets


def chosen_targets(sample: Sample, targets: Iterable[str] | None) -> dict[str, Floats]:
    """The targets asked for, or all of a sample: name -> (N,) values, NaN where there is none.

    Raises:
        UnknownNameError: a name that is neither a target nor a cost of the sample.
        UsageError: one string, no targets, or no archs.
    """
    known = {**sample.costs, **sample.targets}
    chosen = names("targets", targets, sample.targets)
    check_known("target", chosen, known)
    if not chosen or not len(sample):
        asked = count_of(len(chosen), "target was", "targets were")
        there = count_of(len(sample), "arch")
        raise UsageError(f"{sample.name} has {there} and {asked} asked for; give at least one of each")
    return {name: np.asarray(known[name], np.float64) for name in chosen}


class Target(NamedTuple):
    """What a model learns of one target.

    Attributes:
        there: (N,) which archs have a value to learn.
        values: what the model predicts, for these archs.
        num_absent: archs without a value.
        num_infinite: archs left out because their value is infinite.
    """

    there: Bools
    values: Floats
    num_absent: int
    num_infinite: int


def target_of(values: Floats, transform: Transform) -> Target:
    """What a model is to predict for (N,) values; `factors` says what the transforms are."""
    absent, infinite = np.isnan(values), np.isinf(values)
    num_absent = int(absent.sum())
    if transform == "rank":
        return Target(~absent, _rank_shares(values[~absent]), num_absent, 0)
    there = ~absent & ~infinite
    return Target(there, _standardised(values[there]), num_absent, int(infinite.sum()))


def _rank_shares(values: Floats) -> Floats:
    """(rank - 1/2) / N, ties their mean rank."""
    if not len(values):
        return values
    return (ranks(values) - 0.5) / len(values)


def _standardised(values: Floats) -> Floats:
    """Centred and scaled to a standard deviation of 1; values that are all equal as they are."""
    if not len(values) or np.ptp(values) == 0:
        return values
    # Scaled first, or the square of 1e200 overflows.
    scaled = values / np.abs(values).max()
    centred = scaled - scaled.mean()
    return np.asarray(centred / (centred.std() or 1.0), np.float64)


def sizes_said(sizes: Sequence[int]) -> str:
    """How many archs the targets have, in words for a note.

    >>> sizes_said([59, 1000]), sizes_said([59, 59])
    ('N = 59 to 1,000 archs by target', 'N = 59 archs by target')
    """
    least, most = min(sizes), max(sizes)
    if least == most:
        return f"N = {least:,} archs by target"
    return f"N = {least:,} to {most:,} archs by target"


def first_arch_said(sample: Sample, target: str) -> str:
    """What the release says of the first arch, of a target that no arch has a score of; else ""."""
    reason = sample.unscored.get(target)
    if not reason:
        return ""
    return f"; the first arch: {reason}"


# Inputs


def input_table(sample: Sample) -> Singles:
    """(N, F) the features of a sample, in their order; NaN where an arch has no such stage or module."""
    table_NF = np.empty((len(sample), len(sample.features)), np.float32)
    for f, values in enumerate(sample.features.values()):
        table_NF[:, f] = values
    return table_NF


def shuffled(archs: Sequence[str], seed: int) -> tuple[Ints, Ints]:
    """An order of the archs that only the seed and the archs decide.

    Returns:
        The rows in that order, (N,), and a number for each row in that order, (N,), equal for equal archs.
    """
    digests = [hashlib.sha256(f"{seed}:{arch}".encode()).digest() for arch in archs]
    numbers = {digest: number for number, digest in enumerate(sorted(set(digests)))}
    number_N = np.array([numbers[digest] for digest in digests], np.int64)
    order = np.argsort(number_N, kind="stable")
    return order, number_N[order]


def repeated_inputs(inputs: Sequence[str], table_NF: Singles) -> dict[str, str]:
    """Inputs that repeat another one by definition -> that one.

    A stage's s{k}_in is s{k-1}_out, and s1_in is the stem.
    """
    columns = dict(zip(inputs, table_NF.T, strict=True))
    repeated = {}
    for name, values in columns.items():
        source = _before(name)
        if source not in columns:
            continue
        same = np.isnan(values) | (values == columns[source])
        if same.all():
            repeated[name] = source
    return repeated


def _before(name: str) -> str:
    """The input that gives the input channels of a stage; "" for a name of anything else."""
    match = re.fullmatch(r"s(\d+)_in", name)
    if not match:
        return ""
    stage = int(match[1])
    if stage == 1:
        return "stem"
    return f"s{stage - 1}_out"


def optional_stages(inputs: Sequence[str], table_NF: Singles) -> dict[str, list[int]]:
    """Stages that some archs lack -> the positions of their inputs."""
    stages: dict[str, list[int]] = {}
    for f, name in enumerate(inputs):
        match = re.fullmatch(r"(s\d+)_\w+", name)
        if match and np.isnan(table_NF[:, f]).any():
            stages.setdefault(match[1], []).append(f)
    return stages


def exchanged(
    inputs: Sequence[str],
    table_NF: Singles,
    repeated: Mapping[str, str],
    quantity: str,
    rng: np.random.Generator,
) -> Singles:
    """(N, F) the inputs with one quantity exchanged between archs, in every input that holds it.

    Args:
        repeated: as `repeated_inputs` has it; these inputs follow the ones that they repeat.
        quantity: an input, which is exchanged among the archs that have it; or one of the `optional_stages`,
            which is exchanged as a whole, and with it whether there is one.
    """
    exchanged_NF = table_NF.copy()
    if quantity in inputs:
        f = inputs.index(quantity)
        there = np.flatnonzero(~np.isnan(table_NF[:, f]))
        exchanged_NF[there, f] = table_NF[rng.permutation(there), f]
    else:
        stage = optional_stages(inputs, table_NF)[quantity]
        own = [f for f in stage if inputs[f] not in repeated]
        exchanged_NF[:, own] = table_NF[rng.permutation(len(table_NF))][:, own]
    for name, source in repeated.items():
        is_absent = np.isnan(exchanged_NF[:, _beside(inputs, name)])
        values = exchanged_NF[:, inputs.index(source)]
        exchanged_NF[:, inputs.index(name)] = np.where(is_absent, np.nan, values)
    return exchanged_NF


def _beside(inputs: Sequence[str], name: str) -> int:
    """The position of another input of the stage that s{k}_in is of; its own where there is no other."""
    stage = name.removesuffix("in")
    for f, other in enumerate(inputs):
        if other.startswith(stage) and other != name:
            return f
    return inputs.index(name)


class Encoding:
    """How inputs become the columns of the models.

    An input of categories becomes a column for each category that some arch of the sample has (one-hot).
    The others stay as they are.

    Attributes:
        inputs: their names, in order.
        categorical: those of them that are categories.
        input_of_column: (C,) the position of the input that each column is of.
    """

    def __init__(self, inputs: Sequence[str], categorical: Sequence[str], table_NF: Singles) -> None:
        self.inputs, self.categorical = inputs, categorical
        by_input = []
        for name, values in zip(inputs, table_NF.T, strict=True):
            found = NO_CATEGORY
            if name in categorical and not np.isnan(values).all():
                found = np.unique(values[~np.isnan(values)])
            by_input.append(found)
        self.input_of_column = np.repeat(np.arange(len(inputs)), [len(found) for found in by_input])
        self._category = np.concatenate(by_input)

    @property
    def num_one_hot(self) -> int:
        """Columns that are of categories."""
        is_categorical = np.isin(self.inputs, self.categorical)
        return int(is_categorical[self.input_of_column].sum())

    def encoded(self, table_NF: Singles) -> Singles:
        """(N, C) columns of the models for (N, F) inputs."""
        if not self.categorical:
            return table_NF
        table_NC: Singles = table_NF[:, self.input_of_column]
        is_category = ~np.isnan(self._category)
        part = table_NC[:, is_category]
        table_NC[:, is_category] = np.where(np.isnan(part), np.nan, part == self._category[is_category])
        return table_NC

    def summed(self, gain_C: Floats, columns: Ints) -> Floats:
        """(F,) the gains of some columns, added up by input."""
        gain_F = np.bincount(self.input_of_column[columns], gain_C, len(self.inputs))
        return gain_F.astype(np.float64)
