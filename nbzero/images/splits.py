"""The splits, fixed for ever.

They follow from official index and class alone, wherever the images came from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbzero.errors import UsageError
from nbzero.images.facts import dataset

Ints = NDArray[np.integer[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Official training indices, int64, ascending: `train` is trained on, `val` judged on. Both are all."""

    train: Ints
    val: Ints


def indices_by_class(labels: Ints, num_classes: int) -> list[list[int]]:
    """The indices of each class, ascending."""
    return [np.flatnonzero(labels == label).tolist() for label in range(num_classes)]


def by_hash(prefix: str, numbers: Iterable[int]) -> list[int]:
    """The numbers in ascending SHA-256 of "{prefix}/{number}"."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{prefix}/{number}".encode()).digest())


def _val_and_train(name: str, train_labels: Ints) -> list[tuple[list[int], list[int]]]:
    """Per class (val, train), both in hash order."""
    halves = []
    for members in indices_by_class(train_labels, dataset(name).num_classes):
        ordered = by_hash(f"{name}/train", members)
        num_val = len(members) // 10
        halves.append((ordered[:num_val], ordered[num_val:]))
    return halves


def _ascending(parts: Sequence[list[int]]) -> Ints:
    return np.array(sorted(itertools.chain.from_iterable(parts)), np.int64)


def split_indices(name: str, train_labels: Ints) -> Split:
    """The fixed split of the official training images.

    Per class, the 10 % (rounded down) with the smallest SHA-256 of "{name}/train/{index}" are val. The rest
    are train.

    Args:
        name: the data set, which is part of what is hashed.
        train_labels: (N,) integers, the class of every official training image. For imagenet16-120, index
            counts the kept images of classes 1-120 in file order.

    Raises:
        UnknownNameError: no data set of that name.
    """
    halves = _val_and_train(name, train_labels)
    return Split(train=_ascending([train for _, train in halves]), val=_ascending([val for val, _ in halves]))


def training_subset(name: str, train_labels: Ints, per_class: int | None) -> Ints:
    """Ascending official indices of the first `per_class` images of each class after val in the hash order.

    A class that has fewer gives all it has. None is all of train. Arguments as `split_indices`.

    Raises:
        UsageError: per_class below 1.
    """
    if per_class is not None and per_class < 1:
        raise UsageError(f"per_class: {per_class}, must be at least 1, or None for all training images")
    return _ascending([train[:per_class] for _, train in _val_and_train(name, train_labels)])


def scoring_indices(name: str, train_labels: Ints, num_images: int, seed: int) -> Ints:
    """Distinct official indices of the training images that proxies of this seed see.

    They are the same for every arch. Only images of the train split, never val. Their order:

        within a class     by SHA-256 of "{name}/score/{seed}/{index}"
        of the classes     by SHA-256 of "{name}/score/{seed}/class/{class}"
        in all             each round takes the next image of every class

    So class counts of any prefix differ by at most one while no class runs out. Fewer images are a prefix of
    more.

    Returns:
        (num_images,) int64, in that order.

    Raises:
        UsageError: num_images below 1 or above the size of the train split.
    """
    train = split_indices(name, train_labels).train
    order = scoring_order(name, train, train_labels[train], num_images, seed)
    return train[order]


def scoring_labels(name: str, num_images: int, seed: int) -> Ints:
    """The classes of `scoring_indices`, in its order, from the names of the classes alone.

    They are those of every batch that takes no more images of a class than the smallest class has.

    Returns:
        (num_images,) int64.

    Raises:
        UnknownNameError: no data set of that name.
        UsageError: num_images below 1.
    """
    if num_images < 1:
        raise UsageError(f"num_images: {num_images}, must be at least 1")
    order = _order_of_classes(name, seed)
    return np.resize(np.array(order, np.int64), num_images)


def _order_of_classes(name: str, seed: int) -> list[int]:
    return by_hash(f"{name}/score/{seed}/class", range(dataset(name).num_classes))


def scoring_order(name: str, index: Ints, labels: Ints, num_images: int, seed: int) -> list[int]:
    """Positions of the images to score with, see `scoring_indices`.

    Args:
        index: ascending official indices of train.
        labels: their classes.
    """
    if not 1 <= num_images <= len(index):
        raise UsageError(
            f"num_images: {num_images}, must be within 1..{len(index)}, the training images of {name!r}"
        )
    prefix = f"{name}/score/{seed}"
    classes = indices_by_class(labels, dataset(name).num_classes)
    queues = []
    for label in _order_of_classes(name, seed):
        queues.append(by_hash(prefix, index[classes[label]].tolist()))
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    chosen = [image for image in rounds if image is not None][:num_images]
    positions: list[int] = np.searchsorted(index, chosen).tolist()
    return positions
