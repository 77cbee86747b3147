"""train.recipe: what a recipe says, which never changes."""

import dataclasses

import pytest

from nbzero.errors import UnknownNameError
from nbzero.release.schema import RECIPES as RECIPE_NAMES
from train.recipe import RECIPES, recipe


def test_the_recipes_are_those_of_the_schema_and_frozen():
    assert tuple(RECIPES) == RECIPE_NAMES
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["gpu-12"].lr = 1.0  # type: ignore[misc]
    with pytest.raises(UnknownNameError, match="did you mean 'cpu-16px-4'"):
        recipe("cpu-16-4")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        # epochs, batch, lr, warm-up, Nesterov, resolution, training images, crop, AutoAugment, mixup:
        # of released rows, so never edited
        ("paper-360", (360, 256, 0.1, 0.0, False, None, None, 4, True, 0.2)),
        ("gpu-12", (12, 256, 0.1, 1 / 12, True, None, None, 4, False, 0.0)),
        ("cpu-16px-4", (4, 128, 0.1, 0.15, True, 16, 25_000, 2, False, 0.0)),
        ("cpu-16px-12", (12, 128, 0.1, 0.15, True, 16, None, 2, False, 0.0)),
    ],
)
def test_a_released_recipe_never_changes(name, settings):
    assert dataclasses.astuple(recipe(name))[1:11] == settings
    assert (recipe(name).momentum, recipe(name).weight_decay, recipe(name).label_smoothing) == (
        0.9,
        5e-4,
        0.1,
    )
    assert recipe(name).precision["r1"] == recipe(name).precision["r2"] == "bfloat16"
    assert recipe(name).precision["mb"] == ("float32" if name.startswith("cpu") else "bfloat16")
