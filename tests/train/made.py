"""Small trainings: archs of each family, recipes with other numbers, results without their time."""

import dataclasses

from nbzero.images.tensors import ImageData
from train.loop import Result
from train.recipe import Recipe, recipe

ARCHS = (
    "r1-mini-s4-d1w4s2-d1w4s2-d1w8s2",
    "r2-mini-s8-d1w16s2-d1w16s2-d1w32s2",
    "mb-mini-s8-d1w4s2-d1w4s2-d1w8s2",
)


def few(data: ImageData) -> ImageData:
    """Its first images: three batches of most recipes."""
    some = {}
    for split, number in (("train", 384), ("val", 64), ("test", 64)):
        for part in ("images", "labels"):
            some[f"{split}_{part}"] = getattr(data, f"{split}_{part}")[:number]
    return dataclasses.replace(data, train_index=data.train_index[:384], **some)


def small(name: str, **changes: object) -> Recipe:
    return dataclasses.replace(recipe(name), **changes)


def without_time(result: Result) -> Result:
    return dataclasses.replace(result, train_time_s=0.0)
