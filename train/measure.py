"""How long a training step takes: of the plain loop, and of networks side by side. On made images."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from nbzero.images.facts import dataset
from nbzero.images.tensors import ImageData
from nbzero.networks.build import build_net
from nbzero.spaces.macro import CHOICES, as_arch
from train import loop
from train.engine import EAGER_STEPS, Steps
from train.recipe import Recipe
from train.shared_batches import SharedBatches

ENDLESS = 1000  # epochs, more than are measured
EVALUATED = 64  # val and test images, each


@functools.cache
def made_images(name: str, resolution: int, number: int) -> ImageData:
    """So many training images of a data set's shape: a pattern for each class, under noise.

    They are easily learnt. On images without meaning training is chaotic, and rounding grows without bound.
    """
    classes = dataset(name).num_classes
    draws = torch.Generator().manual_seed(0)
    patterns = torch.randint(64, 192, (classes, 3, 4, 4), generator=draws)
    patterns = patterns.repeat_interleave(resolution // 4, 2).repeat_interleave(resolution // 4, 3)

    def some(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(0, classes, (count,), generator=draws)
        noise = torch.randint(-32, 33, (count, 3, resolution, resolution), generator=draws)
        return (patterns[labels] + noise).to(torch.uint8), labels

    train, val, test = some(number), some(EVALUATED), some(EVALUATED)
    return ImageData(name, resolution, *train, torch.arange(number), *val, *test)


def loop_seconds(arch: str, data: ImageData, recipe: Recipe, most_s: float) -> float:
    """Seconds of one step of the plain loop.

    What a run costs once is left out, as two lengths are subtracted.

    Args:
        data: on the device; a step more than are measured at most.
        most_s: seconds that the measurement may take, but for one step of a slow network.
    """
    device = data.train_labels.device
    once = dataclasses.replace(recipe, epochs=1)

    def seconds(steps: int) -> float:
        number = steps * recipe.batch
        images, labels = data.train_images[:number], data.train_labels[:number]
        part = dataclasses.replace(data, train_images=images, train_labels=labels)
        finish(device)
        started = time.perf_counter()
        loop.train(arch, part, once, 0, device)
        return time.perf_counter() - started

    first = seconds(1)
    if first > most_s / 3:  # so slow that what a run costs once is little
        return first
    short = seconds(1)  # the first of each shape prepares kernels
    steps = int((most_s - first - short) / short)
    steps = min(max(steps, 1), len(data.train_labels) // recipe.batch - 1)
    whole_s = seconds(1 + steps)
    if whole_s > short:
        return (whole_s - short) / steps
    return whole_s / (1 + steps)  # too short to tell what it costs once


def engine_seconds(
    arch: str, data: ImageData, recipe: Recipe, together: Sequence[int], steps: int
) -> Iterator[tuple[int, float]]:
    """Seconds of one network's step where so many copies of it train together.

    Args:
        data: on the device. A few batches do.
        together: numbers of networks, ascending.
        steps: that each makes, for one measurement.

    Yields:
        The number, and the wall time over all steps of all networks. Building and evaluation are left out.
    """
    batches = SharedBatches(data, dataclasses.replace(recipe, epochs=ENDLESS), 0, 0)
    team: list[_Lane] = []
    with batches.reader() as reader:
        for epoch in range(batches.window):  # then the ring is full, and is read round and round
            reader.enter(epoch)
        for number in together:
            while len(team) < number:
                team.append(_Lane(arch, batches))
            with ThreadPoolExecutor(number) as pool:
                began = time.perf_counter()
                for done in [pool.submit(lane.run, steps) for lane in team]:
                    done.result()
                took = time.perf_counter() - began
            yield number, took / steps / number
    for lane in team:
        lane.steps.close()


class _Lane:
    """One network with its thread's stream."""

    def __init__(self, arch: str, batches: SharedBatches) -> None:
        device = batches.data.train_labels.device
        precision = batches.recipe.precision[CHOICES[as_arch(arch).space].family]
        self.stream = stream_of(device)
        net = build_net(arch, dataset(batches.data.dataset).num_classes)
        self.steps = Steps(net.to(device, memory_format=torch.channels_last), batches, precision)
        with torch.cuda.stream(self.stream):
            for _ in range(EAGER_STEPS):
                self.steps.step()
            if self.stream is not None:
                self.steps.capture()
                self.steps.step()
        finish(device)

    def run(self, count: int) -> None:
        with torch.cuda.stream(self.stream):
            for _ in range(count):
                self.steps.step()
            if self.stream is not None:
                self.stream.synchronize()


def stream_of(device: str | torch.device) -> torch.cuda.Stream | None:
    """A stream of one's own, which a capture needs; None, which stands for nothing, on a CPU."""
    if torch.device(device).type == "cpu":
        return None
    return torch.cuda.Stream(device)


def finish(device: str | torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if torch.device(device).type != "cpu":
        torch.cuda.synchronize(device)
