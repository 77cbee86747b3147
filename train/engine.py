"""Many networks side by side on one device.

What `train.loop.train` does, in other order of work:

    batches     are drawn once for all networks of a seed (`SharedBatches`)
    a step      of a network is one CUDA graph: forward, loss, backward, SGD. The graph reads which batch and
                which learning rate are next from a counter on the card. So it is replayed without a word
                from the host.
    networks    have a thread and a CUDA stream each, so that the small kernels of one fill the gaps of
                another. None waits for another.

On a CPU there are no graphs and no streams. The rest is the same code, and gives the loop's result bit for
bit. There a core has one network at a time, for an epoch: to change sooner would empty its caches.
"""

from __future__ import annotations

import contextlib
import gc
import math
import threading
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nbzero.errors import OutputError, UsageError
from nbzero.images.facts import dataset
from nbzero.images.tensors import ImageData
from nbzero.proxies.workers import num_cores
from nbzero.spaces.macro import CHOICES, Arch, as_arch
from train.loop import EVAL_BATCH, Result, accuracy, autocast, learning_rate, net_to_train, optimiser_of
from train.recipe import Precision, Recipe
from train.shared_batches import Reader, SharedBatches

MOST_TOGETHER = 32  # PyTorch has that many streams
EAGER_STEPS = 3  # before a graph is captured: libraries choose kernels, SGD makes its momentum
EVAL_BATCH_ON_CARD = 1000
MOST_SEEDS = 3  # whose batches are kept
CPU_ROOM = 2**30  # bytes for batches
_CAPTURING = threading.Lock()  # one at a time: PyTorch's random generator follows one capture


class Engine:
    """Trains networks of one recipe on one device, as many at a time as threads call `train`.

    Args:
        data: as in `train.loop.train`.
        recipe: one of `train.recipe.RECIPES`.
        device: "cpu", "cuda" or "cuda:N".
        together: most networks at a time. Fewer where the card's memory is short: as the first network says
            that is measured, and half as many whenever it runs out.
        graphs: whether steps are CUDA graphs; None: on a card.

    Raises:
        UsageError: graphs without a card, fewer training images than one batch, or together below 1.
    """

    def __init__(
        self,
        data: ImageData,
        recipe: Recipe,
        device: str | torch.device = "cpu",
        together: int = 1,
        graphs: bool | None = None,
    ) -> None:
        self.device = torch.device(device)
        if graphs is None:
            graphs = self.device.type == "cuda"
        if graphs and self.device.type != "cuda":
            raise UsageError(f"graphs on {self.device}; they need a CUDA card")
        self.data, self.recipe, self.graphs = data.to(self.device), recipe, graphs
        self.places = Places(together)
        self._batches_of: dict[int, SharedBatches] = {}
        self._own = threading.local()
        self._lock = threading.Lock()
        self._is_measured = self.device.type != "cuda"
        self._cores = threading.Semaphore(max(1, num_cores() // torch.get_num_threads()))
        self._batches(0)  # says at once where there are too few images

    def train(self, arch: str | Arch, seed: int) -> Result:
        """As `train.loop.train`; may be called by several threads.

        Raises:
            OutputError: the card has too little memory for this network alone.
        """
        arch = as_arch(arch)
        while True:
            with (
                self.places.one() as allowed,
                self._on_stream(),
                contextlib.suppress(torch.OutOfMemoryError),
            ):
                return self._trained(arch, seed)
            self.places.limit(allowed // 2)
            gc.collect()
            torch.cuda.empty_cache()
            if allowed == 1:
                raise OutputError(f"{self.device} has too little memory for {arch} alone; take a larger card")

    def _trained(self, arch: Arch, seed: int) -> Result:
        started = time.perf_counter()
        precision = self.recipe.precision[CHOICES[arch.space].family]
        batches = self._batches(seed)
        with batches.reader() as reader:
            net = net_to_train(arch, dataset(self.data.dataset).num_classes, seed, self.device)
            steps = Steps(net, batches, precision)
            try:
                measured = self._measured(steps, reader, precision)
            finally:
                steps.close()
        status, val_acc, test_acc, loss, curve = measured
        return Result(status, val_acc, test_acc, loss, curve, time.perf_counter() - started)

    def _measured(
        self, steps: Steps, reader: Reader, precision: Precision
    ) -> tuple[str, float | None, float | None, float | None, tuple[float, ...]]:
        """Result's values but for the time."""
        data, net = self.data, steps.net
        curve: list[float] = []
        mean_loss = math.nan
        for epoch in range(self.recipe.epochs):
            reader.enter(epoch)
            val_acc = None
            with self._core():
                mean_loss = self._epoch(steps)
                if math.isfinite(mean_loss):
                    val_acc = self._accuracy(net, data.val_images, data.val_labels, precision)
            if val_acc is None:
                return "diverged", None, None, None, tuple(curve)
            curve.append(val_acc)
        with self._core():
            test_acc = self._accuracy(net, data.test_images, data.test_labels, precision)
        if test_acc is None:
            return "diverged", None, None, None, tuple(curve)
        return "ok", curve[-1], test_acc, mean_loss, tuple(curve)

    def _epoch(self, steps: Steps) -> float:
        """Train for one epoch; its mean loss."""
        steps.net.train()
        steps.loss_sum.zero_()
        for _ in range(steps.batches.steps):
            if self.graphs and steps.graph is None and steps.num_done >= EAGER_STEPS:
                self._capture(steps)
            steps.step()
        return steps.loss_sum.item() / steps.batches.steps

    def _capture(self, steps: Steps) -> None:
        if self._is_measured:
            steps.capture()
            return
        before = torch.cuda.memory_reserved(self.device)
        steps.capture()
        free, _ = torch.cuda.mem_get_info(self.device)
        self._is_measured = True
        self.places.limit(free // max(1, torch.cuda.memory_reserved(self.device) - before))

    def _accuracy(self, net: nn.Module, images: Tensor, labels: Tensor, precision: Precision) -> float | None:
        batch = EVAL_BATCH
        if self.device.type == "cuda":
            batch = EVAL_BATCH_ON_CARD
        return accuracy(net, images, labels, self.data, precision, batch)

    def _batches(self, seed: int) -> SharedBatches:
        """Those of a seed; of other seeds the few last used are kept too."""
        with self._lock:
            found = self._batches_of.pop(seed, None)
            if found is None:
                unused = [other for other, kept in self._batches_of.items() if not kept.readers]
                for other in unused[: len(self._batches_of) + 1 - MOST_SEEDS]:
                    del self._batches_of[other]
                found = SharedBatches(self.data, self.recipe, seed, self._room())
            self._batches_of[seed] = found
            return found

    def _room(self) -> int:
        """Bytes for the batches of one seed: of a card at most a third of what is free."""
        room = CPU_ROOM
        if self.device.type == "cuda":
            room = torch.cuda.mem_get_info(self.device)[0]
        return room // MOST_SEEDS

    def _core(self) -> contextlib.AbstractContextManager[object]:
        """On a CPU: a core for this thread alone, for which it waits."""
        if self.device.type == "cuda":
            return contextlib.nullcontext()
        return self._cores

    @contextlib.contextmanager
    def _on_stream(self) -> Iterator[None]:
        """On a card: this thread's own stream."""
        if self.device.type != "cuda":
            yield
            return
        with torch.cuda.device(self.device):
            if not hasattr(self._own, "stream"):
                self._own.stream = torch.cuda.Stream()
            with torch.cuda.stream(self._own.stream):
                yield


class Steps:
    """The training steps of one network; all that changes from step to step lies on its device.

    Attributes:
        net: in training mode when a step is made.
        loss_sum: float64 scalar, to which each step adds its loss.
        num_done: steps.
        graph: a captured step, which takes the place of the eager one.
    """

    def __init__(self, net: nn.Module, batches: SharedBatches, precision: Precision) -> None:
        self.net, self.batches, self.precision = net, batches, precision
        recipe = batches.recipe
        self.device = batches.data.train_labels.device
        num_steps = recipe.epochs * batches.steps
        rates = [learning_rate(recipe, step, num_steps) for step in range(num_steps)]
        # SGD's kernels read a double of the host, and a float of the card.
        kind = torch.float64
        if self.device.type == "cuda":
            kind = torch.float32
        self._rates = torch.tensor(rates, dtype=kind).to(self.device)
        self._rate = torch.zeros((), dtype=kind, device=self.device)
        self._step_1 = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._optimiser = optimiser_of(net, recipe, self._rate)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.num_batches_tracked = None  # nothing reads it, and counting is a kernel a layer
        self.num_done = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def step(self) -> None:
        """Train on the next batch."""
        if self.graph is None:
            self._eager()
        else:
            self.graph.replay()
        self.num_done += 1

    def _eager(self) -> None:
        images, targets = self.batches.take(self._step_1)
        self._rate.copy_(self._rates.index_select(0, self._step_1).squeeze(0))
        with autocast(self.device, self.precision):
            logits = self.net(images)
        loss = nn.functional.cross_entropy(logits.float(), targets)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self.loss_sum += loss.detach()
        self._step_1 += 1

    def capture(self) -> None:
        """Make a graph of a step, which is not trained on."""
        self._optimiser.zero_grad(set_to_none=True)
        stream = torch.cuda.current_stream(self.device)
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # A cached cast of a weight would be the cast of the weight at the capture, for ever.
        was_cached = torch.is_autocast_cache_enabled()
        with _CAPTURING:
            torch.set_autocast_cache_enabled(False)
            # Other threads go on meanwhile: what they may not do here they may there.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                self._eager()
            finally:
                graph.capture_end()
                torch.set_autocast_cache_enabled(was_cached)
        self.graph = graph

    def close(self) -> None:
        """Give the graph's memory back."""
        if self.graph is not None:
            torch.cuda.current_stream(self.device).synchronize()
            with _CAPTURING:
                self.graph.reset()
            self.graph = None


class Places:
    """How many networks may train at a time; the rest wait.

    Attributes:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise UsageError(f"together is {most}; at least 1")
        self.most = most
        self._taken = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def one(self) -> Iterator[int]:
        """A place, for which it waits; how many were allowed when it came."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken < self.most)
            self._taken += 1
            allowed = self.most
        try:
            yield allowed
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def limit(self, most: int) -> None:
        """Allow no more than that, but one."""
        with self._changed:
            self.most = max(1, min(self.most, most))
