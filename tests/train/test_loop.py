"""train.loop: the stream of batches, one run from weights to a row."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from nbzero.networks.build import build_net
from tests.train.made import ARCHS, few, small, without_time
from train.loop import accuracy, batch_stream, learning_rate, train
from train.recipe import RECIPES, recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("num_steps", [7, 780])
def test_the_rate_rises_linearly_then_falls_to_zero(name, num_steps):
    chosen = recipe(name)
    rates = [learning_rate(chosen, step, num_steps) for step in range(num_steps + 1)]
    warm = math.floor(chosen.warmup * num_steps)
    assert all(0 < rate <= chosen.lr for rate in rates[:-1]) and rates[-1] == pytest.approx(0, abs=1e-12)
    assert rates[:warm] == pytest.approx(
        [chosen.lr * (s + 1) / (chosen.warmup * num_steps) for s in range(warm)]
    )
    after = rates[warm + 1 :]
    assert all(a > b for a, b in itertools.pairwise(after))
    if chosen.warmup == 0:
        assert rates[0] == chosen.lr


def test_the_stream_is_one_for_all_archs_and_leaves_the_global_generator(digits):
    before = torch.get_rng_state()
    chosen = small("paper-360", batch=64)
    first, second = batch_stream(digits, chosen, 3), batch_stream(digits, chosen, 3)
    for _ in range(len(digits.train_labels) // 64 + 2):  # into the second epoch
        (a, ya), (b, yb) = next(first), next(second)
        assert torch.equal(a, b) and torch.equal(ya, yb)
    assert (
        a.shape == (64, 3, 16, 16)
        and a.dtype == torch.float32
        and a.is_contiguous(memory_format=torch.channels_last)
    )
    assert torch.allclose(ya.sum(1), torch.ones(64))
    other = next(batch_stream(digits, chosen, 4))[0]
    assert not torch.equal(other, next(batch_stream(digits, chosen, 3))[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_sees_every_image_at_most_once_and_leaves_out_less_than_a_batch(digits):
    num_images = len(digits.train_labels)
    numbered = dataclasses.replace(
        digits, train_labels=torch.arange(num_images) % 10, train_images=digits.train_images
    )
    marked = numbered.train_images.clone()
    marked[:, :, 0, 0] = (torch.arange(num_images) % 251).to(torch.uint8)[:, None]
    chosen = small("cpu-16px-4", crop=0, batch=100, label_smoothing=0.0)
    stream = batch_stream(dataclasses.replace(numbered, train_images=marked), chosen, 0)
    per_epoch = num_images // 100
    seen = torch.cat([next(stream)[1].argmax(1) for _ in range(per_epoch)])
    assert len(seen) == per_epoch * 100 > num_images - 100
    assert (torch.bincount(seen) <= torch.bincount(numbered.train_labels)).all()


@pytest.mark.parametrize("arch", ARCHS)
def test_same_seed_same_row_bit_for_bit(arch, digits):
    digits = few(digits)
    chosen = small("cpu-16px-4", epochs=2)
    first, second, other = (without_time(train(arch, digits, chosen, seed)) for seed in (0, 0, 1))
    assert first == second
    assert first.status == "ok" and first != other
    assert len(first.curve) == 2 and first.curve[-1] == first.val_acc
    for value, total in ((first.val_acc, len(digits.val_labels)), (first.test_acc, len(digits.test_labels))):
        assert value is not None and value * total == pytest.approx(round(value * total), abs=1e-9)


def test_training_learns_and_touches_no_global_state(digits):
    before = torch.get_rng_state(), torch.is_grad_enabled(), np.random.get_state()[1].tolist()
    result = train("r1-mini-s8-d1w16s2-d1w16s2-d1w32s2", digits, small("cpu-16px-4", epochs=6), 0)
    assert (
        result.val_acc is not None
        and result.val_acc > 0.5
        and result.test_acc is not None
        and result.test_acc > 0.5
    )
    assert torch.equal(torch.get_rng_state(), before[0]) and torch.is_grad_enabled() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


@pytest.mark.parametrize("arch", ARCHS)
def test_the_papers_recipe_runs_in_full(arch, digits):
    result = train(arch, digits, small("paper-360", epochs=1), 0)
    assert result.status == "ok" and result.train_loss is not None and 0 < result.train_loss < 5


def test_a_diverged_run_is_a_row_without_numbers(digits):
    result = train(ARCHS[0], digits, small("cpu-16px-4", lr=1e18, warmup=0.0), 0)
    assert result.status == "diverged"
    assert (result.val_acc, result.test_acc, result.train_loss) == (None, None, None)
    assert len(result.curve) < 4 and result.train_time_s > 0


def test_accuracy_counts_right_answers_and_gives_none_where_a_logit_is_not_finite(digits):
    net = build_net(ARCHS[0], 10, 0)
    with torch.no_grad():
        net.classifier.weight.zero_()
        net.classifier.bias.copy_(torch.arange(10) == 3)
    share = (digits.val_labels == 3).double().mean().item()
    assert accuracy(net, digits.val_images, digits.val_labels, digits, "float32") == pytest.approx(share)
    with torch.no_grad():
        net.classifier.bias[0] = math.inf
    assert accuracy(net, digits.val_images, digits.val_labels, digits, "float32") is None


def test_accuracy_judges_every_image_alone_by_the_running_statistics(digits):
    net = build_net(ARCHS[0], 10, 0)
    generator = torch.Generator().manual_seed(0)
    for buffer in net.buffers():  # statistics that no batch of these images has
        if buffer.is_floating_point():
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    before = [buffer.clone() for buffer in net.buffers()]
    images, labels = digits.val_images[:24], digits.val_labels[:24]
    alone = [accuracy(net, images[i : i + 1], labels[i : i + 1], digits, "float32") for i in range(24)]
    assert accuracy(net, images, labels, digits, "float32") == pytest.approx(sum(alone) / 24)
    assert 0 < sum(alone) < 24
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))


def test_fewer_images_than_a_batch_are_refused(digits):
    few = dataclasses.replace(
        digits, train_images=digits.train_images[:100], train_labels=digits.train_labels[:100]
    )
    with pytest.raises(ValueError, match="100 training images are fewer than one batch of 128"):
        train(ARCHS[0], few, recipe("cpu-16px-4"), 0)
