"""Small trainings: archs of each family, recipes with other numbers, results without their time."""

import dataclasses

from train.loop import Result
from train.recipe import Recipe, recipe

ARCHS = (
    "r1-mini-s4-d1w4s2-d1w4s2-d1w8s2",
    "r2-mini-s8-d1w16s2-d1w16s2-d1w32s2",
    "mb-mini-s8-d1w4s2-d1w4s2-d1w8s2",
)


def small(name: str, **changes: object) -> Recipe:
    return dataclasses.replace(recipe(name), **changes)


def without_time(result: Result) -> Result:
    return dataclasses.replace(result, train_time_s=0.0)
