"""nbzero.images.splits: splits that never move."""

import hashlib

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.images.facts import DATASETS
from nbzero.images.splits import scoring_indices, scoring_labels, split_indices, training_subset
from tests.images.made import labels_of


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_splits_part_every_class_at_a_tenth(name: str) -> None:
    labels, num_classes = labels_of(name), DATASETS[name].num_classes
    split = split_indices(name, labels)
    for indices in (split.train, split.val):
        assert indices.dtype == np.int64 and (np.diff(indices) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.val])), np.arange(len(labels)))
    np.testing.assert_array_equal(
        np.bincount(labels[split.val], minlength=num_classes),
        np.bincount(labels, minlength=num_classes) // 10,
    )
    np.testing.assert_array_equal(training_subset(name, labels, None), split.train)


def test_splits_follow_the_written_rule() -> None:
    labels = np.array([index % 7 for index in range(400)])
    split, subset = split_indices("cifar100", labels), training_subset("cifar100", labels, 20)
    for label in range(7):
        members = [index for index in range(400) if labels[index] == label]
        members.sort(key=lambda index: hashlib.sha256(f"cifar100/train/{index}".encode()).hexdigest())
        num_val = len(members) // 10
        assert split.val[labels[split.val] == label].tolist() == sorted(members[:num_val])
        assert subset[labels[subset] == label].tolist() == sorted(members[num_val : num_val + 20])


def test_splits_are_the_same_for_ever() -> None:
    labels = np.arange(50_000) % 10
    split = split_indices("cifar10", labels)
    digests = [
        hashlib.sha256(part.astype("<i8").tobytes()).hexdigest()[:16] for part in (split.train, split.val)
    ]
    assert digests == ["ca1dccce433d8d24", "9a601ed6528e9fc8"]
    subset = training_subset("cifar10", labels, 2500)
    assert hashlib.sha256(subset.astype("<i8").tobytes()).hexdigest()[:16] == "8ffe1c349d305297"
    assert scoring_indices("cifar10", labels, 5, seed=0).tolist() == [14367, 17044, 7301, 42812, 18008]


def test_training_subsets_are_nested_and_stop_at_what_there_is() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 8])
    subsets = [set(training_subset("digits", labels, k).tolist()) for k in (1, 20, 60, None)]
    assert [len(subset) for subset in subsets] == [3, 20 + 20 + 8, 60 + 45 + 8, 90 + 45 + 8]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3]
    with pytest.raises(ValueError, match="per_class: 0, must be at least 1"):
        training_subset("digits", labels, 0)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_scoring_images_are_balanced_distinct_and_never_val(name: str) -> None:
    labels = labels_of(name)
    train = set(split_indices(name, labels).train.tolist())
    chosen = scoring_indices(name, labels, 64, seed=3)
    assert len(set(chosen.tolist())) == 64 and set(chosen.tolist()) <= train
    for k in (1, 8, 16, 33, 64):
        counts = np.bincount(labels[chosen[:k]], minlength=DATASETS[name].num_classes)
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(scoring_indices(name, labels, 16, seed=3), chosen[:16])
    others = scoring_indices(name, labels, 64, seed=4)
    assert others.tolist() != chosen.tolist() and labels[others].tolist() != labels[chosen].tolist()


def test_scoring_images_follow_the_written_rule() -> None:
    labels = np.array([0, 1, 1, 2] * 10)

    def digest(text: str) -> str:
        return hashlib.sha256(f"digits/score/5/{text}".encode()).hexdigest()

    train = split_indices("digits", labels).train
    by_class = {c: sorted(train[labels[train] == c], key=lambda i: digest(str(i))) for c in range(3)}
    order = sorted(by_class, key=lambda c: digest(f"class/{c}"))
    expected = [by_class[c][r] for r in range(20) for c in order if r < len(by_class[c])]
    assert (
        scoring_indices("digits", labels, len(train), seed=5).tolist() == expected
    )  # small classes run out first
    for num_images in (0, len(train) + 1):
        with pytest.raises(ValueError, match=f"num_images: {num_images}, must be within 1..36"):
            scoring_indices("digits", labels, num_images, seed=5)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_the_classes_of_a_batch_follow_from_its_names_alone(name: str) -> None:
    labels = labels_of(name)
    for num_images, seed in ((1, 0), (64, 0), (128, 3)):
        chosen = scoring_indices(name, labels, num_images, seed)
        found = scoring_labels(name, num_images, seed)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, labels[chosen])
    with pytest.raises(UsageError, match="num_images: 0, must be at least 1"):
        scoring_labels(name, 0, 0)
