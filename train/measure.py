"""How long a training step takes, of networks side by side."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from nbzero.images.facts import dataset
from nbzero.images.tensors import ImageData
from nbzero.networks.build import build_net
from nbzero.spaces.macro import CHOICES, as_arch
from train.engine import EAGER_STEPS, Steps
from train.recipe import Recipe
from train.shared_batches import SharedBatches

ENDLESS = 1000  # epochs, more than are measured


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
