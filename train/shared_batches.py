"""The batches of one seed, drawn once for all networks that train on them.

A batch follows from (dataset, recipe, seed) alone. So networks that train side by side read one stream. It is
kept as uint8 images on the device. Drawing it costs a card's host as much as several networks do.

Epochs lie in a ring of as many as there is room for. With room for all of them a network may begin at any
time. With less, those that begin together keep together, and another waits until they have ended.

S batches an epoch, B images a batch, C channels, H x W pixels, E epochs in the ring.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor

from nbzero.images.tensors import ImageData
from train.loop import Drawn, drawn_stream, finished, steps_in
from train.recipe import Recipe


class SharedBatches:
    """The batches of one seed.

    Args:
        data: on the device where the networks are.
        recipe, seed: as in `train.loop.train`.
        room: bytes that the ring may take. It has two epochs at least, where the recipe has two.

    Attributes:
        steps: batches an epoch.
        window: epochs in the ring.
        readers: how many networks read it now.

    Raises:
        UsageError: fewer training images than one batch.
    """

    def __init__(self, data: ImageData, recipe: Recipe, seed: int, room: int) -> None:
        self.data, self.recipe, self.seed = data, recipe, seed
        self.steps = steps_in(data, recipe)
        size = data.train_images.shape[-1]
        of_epoch = self.steps * recipe.batch * 3 * size * size
        self.window = min(recipe.epochs, max(2, room // of_epoch))
        device = data.train_labels.device
        batches = self.window * self.steps
        # In the order of channels_last, so that a batch is read as the networks want it.
        self._images_LBHWC = torch.empty(
            (batches, recipe.batch, size, size, 3), dtype=torch.uint8, device=device
        )
        self._labels_LB = torch.empty((batches, recipe.batch), dtype=torch.int64, device=device)
        self._own_L2 = torch.empty((batches, 2), dtype=torch.float64, device=device)
        self._partner_LB = torch.empty_like(self._labels_LB)
        self._changed = threading.Condition()
        self._epoch_of: dict[Reader, int] = {}
        self._stream: Iterator[Drawn] = iter(())
        self._num_drawn = 0  # epochs

    @property
    def readers(self) -> int:
        return len(self._epoch_of)

    @contextlib.contextmanager
    def reader(self) -> Iterator[Reader]:
        """For one network, from its first epoch to its last; waits until the first epoch can be had."""
        reader = Reader(self)
        with self._changed:
            self._changed.wait_for(lambda: self._num_drawn <= self.window or not self._epoch_of)
            if self._num_drawn == 0 or self._num_drawn > self.window:
                self._stream = drawn_stream(self.data, self.recipe, self.seed)
                self._num_drawn = 0
            self._epoch_of[reader] = 0
        try:
            yield reader
        finally:
            with self._changed:
                del self._epoch_of[reader]
                self._changed.notify_all()

    def enter(self, reader: Reader, epoch: int) -> None:
        """Say that a reader has done with the epochs before this one, and have this one drawn.

        Waits while another network still needs what it would replace.
        """
        with self._changed:
            self._epoch_of[reader] = epoch
            self._changed.notify_all()
            while self._num_drawn <= epoch:
                if min(self._epoch_of.values()) > self._num_drawn - self.window:
                    self._draw()
                else:
                    self._changed.wait()

    def _draw(self) -> None:
        """Draw the next epoch into its place in the ring."""
        first = self._num_drawn % self.window * self.steps
        for place in range(first, first + self.steps):
            drawn = next(self._stream)
            self._images_LBHWC[place].copy_(drawn.images.permute(0, 2, 3, 1))
            self._labels_LB[place].copy_(drawn.labels)
            if drawn.own is not None and drawn.partner is not None:
                self._own_L2[place].copy_(drawn.own)
                self._partner_LB[place].copy_(drawn.partner)
        device = self._labels_LB.device
        if device.type == "cuda":  # who reads it does so on other streams
            torch.cuda.current_stream(device).synchronize()
        self._num_drawn += 1

    def take(self, step_1: Tensor) -> tuple[Tensor, Tensor]:
        """The batch of a step, as `train.loop.finished`.

        Args:
            step_1: int64 (1,) on the device, counted from the first epoch's first batch. It is read there.
                So a CUDA graph takes another batch whenever it is replayed.
        """
        place_1 = step_1.remainder(len(self._labels_LB))

        def taken(kept: Tensor) -> Tensor:
            return kept.index_select(0, place_1).squeeze(0)

        images = taken(self._images_LBHWC).permute(0, 3, 1, 2)
        drawn = Drawn(images, taken(self._labels_LB))
        if self.recipe.mixup:
            drawn = Drawn(images, drawn.labels, taken(self._own_L2), taken(self._partner_LB))
        return finished(drawn, self.data.dataset, self.recipe)


class Reader:
    """One network's place in the stream."""

    def __init__(self, batches: SharedBatches) -> None:
        self.batches = batches

    def enter(self, epoch: int) -> None:
        """As `SharedBatches.enter`, for this one."""
        self.batches.enter(self, epoch)
