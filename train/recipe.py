"""Recipes: every number that changes a trained accuracy, frozen under a versioned name.

A recipe is never edited once rows of it are released. A change gets a new name. Every recipe is:

    SGD with momentum 0.9, cosine to 0 per step
    weight decay 5e-4 on all parameters (batch norm and biases too)
    label smoothing 0.1
    the last partial batch of an epoch left out

The accuracy kept is the last epoch's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nbzero.errors import unknown_name
from nbzero.spaces.macro import Family

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        epochs: passes over the training images.
        batch: images a step.
        lr: the largest learning rate.
        warmup: fraction of all steps over which the rate rises linearly from 0 (then cosine from lr to 0).
        nesterov: Nesterov's momentum.
        resolution: side of the images, box-downsampled from the data set's own; None keeps its own.
        train_images: how many training images, evenly per class, the next after val in the hash order; None
            for all of train.
        crop: pixels of zero padding before the random crop (and a horizontal flip with probability 1/2).
        auto_augment: AutoAugment's CIFAR-10 policy, a sub-policy drawn per image.
        mixup: alpha of Beta(alpha, alpha); 0 for none.
        precision: of the convolutions, per block family; weights and batch-norm statistics stay float32.
        momentum, weight_decay, label_smoothing: the same in every recipe.
    """

    name: str
    epochs: int
    batch: int
    lr: float
    warmup: float
    nesterov: bool
    resolution: int | None
    train_images: int | None
    crop: int
    auto_augment: bool
    mixup: float
    precision: dict[Family, Precision]
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1


_BF16: dict[Family, Precision] = {"r1": "bfloat16", "r2": "bfloat16", "mb": "bfloat16"}
_CPU: dict[Family, Precision] = _BF16 | {"mb": "float32"}  # bf16 depthwise is slower on CPUs

_ALL = (
    Recipe("paper-360", 360, 256, 0.1, 0.0, False, None, None, 4, True, 0.2, _BF16),
    Recipe("gpu-12", 12, 256, 0.1, 1 / 12, True, None, None, 4, False, 0.0, _BF16),
    Recipe("cpu-16px-4", 4, 128, 0.1, 0.15, True, 16, 25_000, 2, False, 0.0, _CPU),
    Recipe("cpu-16px-12", 12, 128, 0.1, 0.15, True, 16, None, 2, False, 0.0, _CPU),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}


def recipe(name: str) -> Recipe:
    """The recipe of that name; UnknownNameError with near matches for any other."""
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]
