"""train.measure: made images, and seconds of a step by the loop and by networks side by side."""

import dataclasses

import pytest
import torch

from nbzero.images.tensors import ImageData
from tests.train.made import ARCHS, small
from train import measure
from train.loop import Result
from train.measure import engine_seconds, loop_seconds, made_images


def test_made_images_have_a_pattern_for_each_class():
    data = made_images("cifar10", 16, 64)
    assert isinstance(data, ImageData) and len(data.train_labels) == 64
    for label in data.train_labels.unique():
        of_label = data.train_images[data.train_labels == label].float()
        assert of_label.std(0).mean() < 25 < of_label.mean(0).std()


def test_made_images_have_the_shape_of_their_data_set():
    data = made_images("cifar100", 32, 512)
    assert data.train_images.shape == (512, 3, 32, 32) and data.train_images.dtype == torch.uint8
    assert data.train_labels.min() >= 0 and 10 < data.train_labels.max() < 100
    assert made_images("cifar10", 16, 1).resolution == 16


@pytest.mark.parametrize(
    ("fixed", "step", "most", "wanted", "trained"),
    [
        (1.0, 0.5, 100.0, 0.5, [1, 1, 8]),  # what a run costs once is left out
        (1.0, 0.5, 6.0, 0.5, [1, 1, 3]),  # as many steps as there is time for
        (10.0, 30.0, 100.0, 40.0, [1]),  # so slow that one step says enough
        (1.0, 0.0, 100.0, 1.0 / 8, [1, 1, 8]),  # too short to tell
    ],
)
def test_the_loops_step_is_the_difference_of_two_lengths(fixed, step, most, wanted, trained, monkeypatch):
    """On a clock that goes on by what the training is said to take."""
    now, lengths = [0.0], []

    def train(arch, data, recipe, seed, device):
        lengths.append(len(data.train_labels) // recipe.batch)
        now[0] += fixed + step * lengths[-1]
        return Result("ok", 0.1, 0.1, 1.0, (0.1,), 1.0)

    monkeypatch.setattr(measure.loop, "train", train)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    chosen = small("cpu-16px-4", batch=4)
    found = loop_seconds(ARCHS[0], made_images("cifar10", 16, 32), chosen, most)
    assert found == pytest.approx(wanted) and lengths == trained


@pytest.mark.parametrize("arch", ARCHS)
def test_networks_together_are_timed_per_network(arch, monkeypatch):
    """Each makes its warm-up steps and then the measured ones of every number that it is part of."""
    done = []
    step = measure.Steps.step

    def counted(self):
        step(self)
        done.append(id(self))

    monkeypatch.setattr(measure.Steps, "step", counted)
    chosen = dataclasses.replace(small("cpu-16px-4"), batch=4)
    found = list(engine_seconds(arch, made_images("cifar10", 16, 12), chosen, (1, 3), 5))
    assert [number for number, _ in found] == [1, 3]
    counts = sorted(done.count(one) for one in set(done))
    assert counts == [measure.EAGER_STEPS + 5, measure.EAGER_STEPS + 5, measure.EAGER_STEPS + 10]
    assert all(seconds > 0 for _, seconds in found)
