"""From initial weights to one row of results: one training of one arch with one recipe and one seed.

The weights follow from (arch, seed). The stream of augmented batches follows from (dataset, recipe, seed): it
is the same for every arch. On one type of CPU and one version of torch, with one thread, the same arguments
give the same row bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nbzero.errors import UsageError, count_of
from nbzero.images.facts import dataset
from nbzero.images.tensors import ImageData, normalise
from nbzero.networks.build import build_net, seed_of
from nbzero.spaces.macro import CHOICES, Arch, as_arch
from train.augment import crop_flip, draw_mixup, mixed, smooth_targets
from train.auto_augment import auto_augment
from train.recipe import Precision, Recipe

EVAL_BATCH = 500  # images; evaluation does not depend on it but for rounding


@dataclass(frozen=True, slots=True)
class Result:
    """What a run measured.

    Attributes:
        status: "ok", or "diverged" where the loss or the logits stopped being finite. Then every accuracy and
            the loss is None.
        val_acc, test_acc: fractions after the last epoch.
        train_loss: mean loss of the last epoch's steps, with label smoothing (and mixup), in nats.
        curve: val accuracy after each epoch; of a diverged run, after those it finished.
        train_time_s: wall seconds of training and evaluation, loading the images aside.
    """

    status: Literal["ok", "diverged"]
    val_acc: float | None
    test_acc: float | None
    train_loss: float | None
    curve: tuple[float, ...]
    train_time_s: float


def train(
    arch: str | Arch, data: ImageData, recipe: Recipe, seed: int, device: str | torch.device = "cpu"
) -> Result:
    """Train one network as the recipe says and measure it.

    Args:
        arch: a grid arch, member or not.
        data: `nbzero.images.load` of the recipe's resolution and number of training images.
        recipe: one of `train.recipe.RECIPES`.
        seed: of the weights and of the batch stream.
        device: where to train; `data` is moved there.

    Raises:
        UsageError: fewer training images than one batch.
    """
    arch = as_arch(arch)
    device = torch.device(device)
    data = data.to(device)
    started = time.perf_counter()
    precision = recipe.precision[CHOICES[arch.space].family]
    net = net_to_train(arch, dataset(data.dataset).num_classes, seed, device)
    optimiser = optimiser_of(net, recipe, recipe.lr)
    steps_per_epoch = steps_in(data, recipe)
    num_steps = recipe.epochs * steps_per_epoch
    batches = batch_stream(data, recipe, seed)
    curve: list[float] = []
    mean_loss = math.nan

    def diverged() -> Result:
        return Result("diverged", None, None, None, tuple(curve), time.perf_counter() - started)

    for epoch in range(recipe.epochs):
        net.train()
        loss_sum = torch.zeros((), device=device, dtype=torch.float64)
        for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step, num_steps)
            images, targets = next(batches)
            with autocast(device, precision):
                logits = net(images)
            loss = nn.functional.cross_entropy(logits.float(), targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss_sum += loss.detach()
        mean_loss = loss_sum.item() / steps_per_epoch
        if not math.isfinite(mean_loss):
            return diverged()
        val_acc = accuracy(net, data.val_images, data.val_labels, data, precision)
        if val_acc is None:
            return diverged()
        curve.append(val_acc)
    test_acc = accuracy(net, data.test_images, data.test_labels, data, precision)
    if test_acc is None:
        return diverged()
    return Result("ok", curve[-1], test_acc, mean_loss, tuple(curve), time.perf_counter() - started)


def net_to_train(arch: Arch, num_classes: int, seed: int, device: torch.device) -> nn.Module:
    """The network with its first weights, as training wants it on its device.

    ReLUs work in place, which moves less memory and changes no bit. Before each of them lies a batch norm or
    a sum, whose outputs no gradient needs.
    """
    net = build_net(arch, num_classes, seed)
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    return net.to(device, memory_format=torch.channels_last)


def batch_stream(data: ImageData, recipe: Recipe, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The augmented batches of one run, without end.

    A batch is (B, 3, H, W) float32 channels_last and (B, C) target probabilities.
    """
    for drawn in drawn_stream(data, recipe, seed):
        yield finished(drawn, data.dataset, recipe)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A batch as it was drawn.

    Attributes:
        images: uint8 (B, 3, H, W), augmented.
        labels: int64 (B,).
        own: (lambda, 1 - lambda) of mixup, float64; None without mixup.
        partner: int64 (B,), whom each image is mixed with; None without mixup.
    """

    images: Tensor
    labels: Tensor
    own: Tensor | None = None
    partner: Tensor | None = None


def drawn_stream(data: ImageData, recipe: Recipe, seed: int) -> Iterator[Drawn]:
    """The batches of one run, without end, on the device of `data`.

    Every draw comes from one CPU generator seeded by SHA-256 of `"{dataset}|{recipe}|{seed}"`. So all archs,
    on all devices, see one stream.
    """
    generator = torch.Generator().manual_seed(seed_of(f"{data.dataset}|{recipe.name}|{seed}"))
    device = data.train_labels.device
    num_images = len(data.train_labels)
    while True:
        order = torch.randperm(num_images, generator=generator).to(device)
        for chosen in order[: num_images - num_images % recipe.batch].split(recipe.batch):
            images = crop_flip(data.train_images[chosen], recipe.crop, generator)
            if recipe.auto_augment:
                images = auto_augment(images, generator)
            labels = data.train_labels[chosen]
            if not recipe.mixup:
                yield Drawn(images, labels)
                continue
            own, partner = draw_mixup(len(images), recipe.mixup, generator)
            both = torch.tensor([own, 1 - own], dtype=torch.float64)
            yield Drawn(images, labels, both.to(device), partner.to(device))


def finished(drawn: Drawn, dataset_name: str, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """What a network is trained on: (B, 3, H, W) float32 channels_last, and (B, C) target probabilities."""
    spec = dataset(dataset_name)
    batch = normalise(drawn.images, spec.mean, spec.std)
    targets = smooth_targets(drawn.labels, spec.num_classes, recipe.label_smoothing)
    if drawn.own is not None and drawn.partner is not None:
        batch = mixed(batch, drawn.own, drawn.partner)
        targets = mixed(targets, drawn.own, drawn.partner)
    return batch.contiguous(memory_format=torch.channels_last), targets


def steps_in(data: ImageData, recipe: Recipe) -> int:
    """How many batches an epoch has; UsageError where there are fewer training images than one batch."""
    num_images = len(data.train_labels)
    if num_images < recipe.batch:
        counted = count_of(num_images, "training image is", "training images are")
        raise UsageError(f"{counted} fewer than one batch of {recipe.batch}")
    return num_images // recipe.batch


def optimiser_of(net: nn.Module, recipe: Recipe, rate: float | Tensor) -> torch.optim.SGD:
    """SGD as the recipe says."""
    return torch.optim.SGD(
        net.parameters(),
        lr=rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )


def learning_rate(recipe: Recipe, step: int, num_steps: int) -> float:
    """The rate of step 0 .. num_steps - 1: linear from 0 to `lr` over the warm-up, then cosine to 0.

        step < W    lr (step + 1) / W
        else        lr/2 (1 + cos(pi (step - W) / (num_steps - W)))
        W = warmup num_steps

    The step after the last has 0.
    """
    warm = recipe.warmup * num_steps
    if step < warm:
        return recipe.lr * min(1.0, (step + 1) / warm)
    return recipe.lr / 2 * (1 + math.cos(math.pi * (step - warm) / (num_steps - warm)))


def accuracy(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    data: ImageData,
    precision: Precision,
    batch: int = EVAL_BATCH,
) -> float | None:
    """The fraction of (N, 3, H, W) uint8 images that the net classifies right in eval mode.

    None where a logit is not finite. `batch` is how many images go through the net at once.
    """
    net.eval()
    spec = dataset(data.dataset)
    right = torch.zeros((), device=labels.device, dtype=torch.int64)
    finite = torch.ones((), device=labels.device, dtype=torch.bool)
    with torch.no_grad(), autocast(labels.device, precision):
        for chosen, wanted in zip(images.split(batch), labels.split(batch), strict=True):
            pixels = normalise(chosen, spec.mean, spec.std)
            logits = net(pixels.contiguous(memory_format=torch.channels_last))
            finite &= torch.isfinite(logits).all()
            right += (logits.argmax(dim=1) == wanted).sum()
    return right.item() / len(labels) if finite.item() else None


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which the forward pass runs: bfloat16 autocast or, for float32, none."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
