"""train.auto_augment: every operation against Pillow, the draws, and what a batch may not change."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from tests.train.pictures import (
    all_draws,
    heeds_no_memory_format,
    pictures,
    refuses_wrong_images,
    seeded,
    takes_a_batch_of_none,
)
from train import auto_augment

SIZES = ((16, 16), (32, 32), (17, 23), (48, 40), (3, 5), (2, 7), (1, 1))
FACTORS = (0.0, 0.1, 0.4, 0.9, 1.0, 1.1, 1.3, 1.9, 3.0)
GREY = (128, 128, 128)


def to_pil(image_CHW: torch.Tensor) -> Image.Image:
    return Image.fromarray(image_CHW.permute(1, 2, 0).contiguous().numpy())


def from_pil(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def by_pillow(images: torch.Tensor, operation) -> torch.Tensor:
    return torch.stack([from_pil(operation(to_pil(image))) for image in images])


def slow_sub_policy(
    image: Image.Image, policy: int, applied: list[bool], negative: list[bool]
) -> Image.Image:
    """AutoAugment on one image with Pillow, written from the table of ranges."""
    width, height = image.size
    for (name, _, magnitude), apply, minus in zip(
        auto_augment.AUTOAUGMENT_CIFAR10[policy], applied, negative, strict=True
    ):
        if not apply:
            continue
        sign = -1 if minus else 1
        shear = sign * np.linspace(0, 0.3, 10)[magnitude]
        shift = sign * np.linspace(0, 150 / 331, 10)[magnitude]
        degrees = sign * np.linspace(0, 30, 10)[magnitude]
        if name == "AutoContrast":
            image = ImageOps.autocontrast(image)
        elif name == "Equalize":
            image = ImageOps.equalize(image)
        elif name == "Invert":
            image = ImageOps.invert(image)
        elif name == "Posterize":
            image = ImageOps.posterize(image, int(np.linspace(8, 4, 10).round()[magnitude]))
        elif name == "Solarize":
            image = ImageOps.solarize(image, np.linspace(256, 0, 10)[magnitude])
        elif name == "Rotate":
            image = image.rotate(degrees, fillcolor=GREY)
        elif name in ("Color", "Contrast", "Brightness", "Sharpness"):
            factor = 1 + sign * np.linspace(0, 0.9, 10)[magnitude]
            image = getattr(ImageEnhance, name)(image).enhance(factor)
        else:
            matrix = {
                "ShearX": (1, shear, 0, 0, 1, 0),
                "ShearY": (1, 0, 0, shear, 1, 0),
                "TranslateX": (1, 0, shift * width, 0, 1, 0),
                "TranslateY": (1, 0, 0, 0, 1, shift * height),
            }[name]
            image = image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=GREY)
    return image


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["invert", "autocontrast", "equalize"])
def test_same_as_pillow_without_argument(name, size):
    images = pictures(*size)
    assert torch.equal(getattr(auto_augment, name)(images), by_pillow(images, getattr(ImageOps, name)))


def test_pictures_reach_both_branches_of_equalize():
    small, large = (
        (auto_augment.equalize(images) != images).flatten(2).any(2)
        for images in (pictures(16, 16), pictures(48, 40))
    )
    assert small[:8].any() and not small[:8].all(), "16 x 16: mapped only where one pixel is at the maximum"
    assert large[:8].all() and not large[-5:].any(), "48 x 40: random mapped, constant kept"


@pytest.mark.parametrize("low", range(0, 255, 25))
def test_autocontrast_over_all_spans(low):
    highs = torch.arange(low, 256)
    ramp = torch.arange(256).clamp(low).view(1, 1, 16, 16).repeat(len(highs), 3, 1, 1)
    images = torch.minimum(ramp, highs.view(-1, 1, 1, 1)).to(torch.uint8)
    assert torch.equal(auto_augment.autocontrast(images), by_pillow(images, ImageOps.autocontrast))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threshold", [0, 1, 128, 255, 256, *(256 - 256 * m / 9 for m in range(1, 9))])
def test_solarize_same_as_pillow(threshold, size):
    images = pictures(*size)
    expected = by_pillow(images, lambda image: ImageOps.solarize(image, threshold))
    assert torch.equal(auto_augment.solarize(images, threshold), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_same_as_pillow(bits, size):
    images = pictures(*size)
    assert torch.equal(
        auto_augment.posterize(images, bits), by_pillow(images, lambda image: ImageOps.posterize(image, bits))
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factor", [*FACTORS, *(1 + 0.9 * m / 9 for m in range(-9, 10, 2))])
@pytest.mark.parametrize("name", ["brightness", "contrast", "color", "sharpness"])
def test_enhancement_same_as_pillow(name, factor, size):
    images = pictures(*size)
    expected = by_pillow(
        images, lambda image: getattr(ImageEnhance, name.capitalize())(image).enhance(factor)
    )
    assert torch.equal(getattr(auto_augment, name)(images, factor), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fill", [0, 128])
def test_affine_same_as_pillow(fill, size):
    images = pictures(*size)
    amounts = [sign * m / 9 for m in range(10) for sign in (1, -1)]
    matrices = [matrix for a in amounts for matrix in ((1, 0.3 * a, 0, 0, 1, 0), (1, 0, 0, 0.3 * a, 1, 0))]
    matrices += [(1, 0, 150 / 331 * a * size[1], 0, 1, 0) for a in amounts]
    matrices += [(1, 0, 0, 0, 1, 150 / 331 * a * size[0]) for a in amounts]
    matrices += [(0.9, 0.2, -1.5, -0.3, 1.2, 2.25), (1, 0, size[1], 0, 1, 0), (2, 0, 0, 0, 2, 0)]
    images = images[torch.arange(len(matrices)) % len(images)]
    result = auto_augment.affine(images, torch.tensor(matrices, dtype=torch.float64), fill)
    for image, matrix, got in zip(images, matrices, result, strict=True):
        pil = to_pil(image)
        expected = pil.transform(
            pil.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(fill,) * 3
        )
        assert torch.equal(got, from_pil(expected)), matrix


@pytest.mark.parametrize("size", SIZES)
def test_rotation_same_as_pillow(size):
    images = pictures(*size)
    for degrees in (0, *(sign * 30 * m / 9 for m in range(1, 10) for sign in (1, -1)), 45, 100, 180, -217.5):
        got = auto_augment.affine(
            images, torch.tensor(auto_augment.rotation(degrees, *size), dtype=torch.float64)
        )
        expected = by_pillow(images, lambda image, angle=degrees: image.rotate(angle, fillcolor=GREY))
        assert torch.equal(got, expected), degrees


@pytest.mark.parametrize(
    ("name", "values"),
    [("solarize", (0, 60.5, 256)), ("posterize", (1, 4, 8))]
    + [(name, (0.1, 1.0, 1.9)) for name in ("brightness", "contrast", "color", "sharpness")],
)
def test_one_argument_per_image(name, values):
    images = pictures(16, 16)[:3]
    together = getattr(auto_augment, name)(images, torch.tensor(values))
    alone = [
        getattr(auto_augment, name)(image[None], value) for image, value in zip(images, values, strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (17, 23)])
def test_auto_augment_same_as_pillow_image_by_image(size):
    draws = all_draws()
    images = pictures(*size)[torch.randint(0, 20, (len(draws.policy_B),), generator=seeded(4))]
    result = auto_augment.apply_sub_policies(images, draws)
    for image, got, *draw in zip(images, result, *(part.tolist() for part in draws), strict=True):
        assert torch.equal(got, from_pil(slow_sub_policy(to_pil(image), *draw))), draw


def test_policy_table():
    table = auto_augment.AUTOAUGMENT_CIFAR10
    operations = [operation for pair in table for operation in pair]
    assert len(table) == 25 and len(operations) == 50
    assert all(0 <= probability <= 0.9 and 0 <= magnitude <= 9 for _, probability, magnitude in operations)
    counts = {name: sum(name == other for other, _, _ in operations) for name, _, _ in operations}
    assert counts == {
        "AutoContrast": 7, "Brightness": 4, "Color": 5, "Contrast": 2, "Equalize": 9, "Invert": 3,
        "Posterize": 1, "Rotate": 1, "Sharpness": 5, "ShearY": 2, "Solarize": 4, "TranslateX": 2,
        "TranslateY": 5,
    }  # fmt: skip
    assert round(sum(probability for _, probability, _ in operations), 1) == 26.5
    assert sum(magnitude for _, _, magnitude in operations) == 267
    assert table[0] == (("Invert", 0.1, 7), ("Contrast", 0.2, 6))
    assert table[-1] == (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, 1))


@pytest.mark.parametrize("size", [(16, 16), (17, 23)])
def test_every_operation_at_every_magnitude_same_as_pillow(monkeypatch, size):
    signed = (
        "ShearX",
        "ShearY",
        "TranslateX",
        "TranslateY",
        "Rotate",
        "Color",
        "Contrast",
        "Brightness",
        "Sharpness",
    )
    names = (*signed, "AutoContrast", "Equalize", "Invert", "Posterize", "Solarize")
    table = tuple(((name, 1.0, m), ("Posterize", 0.0, 0)) for name in names for m in range(10))
    monkeypatch.setattr(auto_augment, "AUTOAUGMENT_CIFAR10", table)
    policies = torch.arange(len(table)).repeat_interleave(4)
    applied = torch.tensor([True, False]).expand(len(policies), 2)
    negative = (torch.arange(len(policies)) % 2 == 1).view(-1, 1).expand(-1, 2)
    images = pictures(*size)[torch.arange(len(policies)) * 7 % 20]
    result = auto_augment.apply_sub_policies(images, auto_augment.SubPolicyDraws(policies, applied, negative))
    for image, got, policy, minus in zip(images, result, policies.tolist(), negative.tolist(), strict=True):
        expected = slow_sub_policy(to_pil(image), policy, [True, False], minus)
        assert torch.equal(got, from_pil(expected)), (table[policy][0], minus)


def test_auto_augment_is_draw_then_apply_and_leaves_its_input():
    images = pictures(16, 16)
    before = images.clone()
    first, second = (auto_augment.auto_augment(images, seeded(3)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(images, before)
    assert torch.equal(
        first, auto_augment.apply_sub_policies(images, auto_augment.draw_sub_policies(len(images), seeded(3)))
    )
    assert not torch.equal(first, auto_augment.auto_augment(images, seeded(4)))


def test_images_of_a_batch_get_their_own_sub_policies():
    images = pictures(16, 16)[:1].expand(200, -1, -1, -1)
    assert len(torch.unique(auto_augment.auto_augment(images, seeded(0)).flatten(1), dim=0)) > 30


def test_result_does_not_depend_on_the_rest_of_the_batch():
    draws = all_draws()
    images = torch.randint(0, 256, (len(draws.policy_B), 3, 9, 11), dtype=torch.uint8, generator=seeded(5))
    result = auto_augment.apply_sub_policies(images, draws)
    order = torch.randperm(len(images), generator=seeded(6))
    for rows in (order, order[:7], order[:1], order[:0]):
        part = auto_augment.SubPolicyDraws(*(values[rows] for values in draws))
        assert torch.equal(auto_augment.apply_sub_policies(images[rows], part), result[rows])


def test_draws_follow_the_table():
    num_images = 50_000
    draws = auto_augment.draw_sub_policies(num_images, seeded(7))
    expected = num_images / 25
    counts = torch.bincount(draws.policy_B, minlength=25)
    assert len(counts) == 25 and (counts - expected).abs().max() < 5 * expected**0.5
    for policy, pair in enumerate(auto_augment.AUTOAUGMENT_CIFAR10):
        rows = draws.policy_B == policy
        for step, (_, probability, _) in enumerate(pair):
            error = 5 * math.sqrt(probability * (1 - probability) / int(rows.sum()))
            assert draws.applied_B2[rows, step].double().mean().item() == pytest.approx(
                probability, abs=error
            )
    joint = torch.stack([draws.applied_B2[:, 0], draws.negative_B2[:, 0], draws.negative_B2[:, 1]]).double()
    assert (joint[1:].mean(1) - 0.5).abs().max() < 0.012
    assert (torch.corrcoef(joint) - torch.eye(3)).abs().max() < 0.025


ON_IMAGES = {
    "auto_augment": lambda images: auto_augment.auto_augment(images, seeded(0)),
    "apply_sub_policies": lambda images: auto_augment.apply_sub_policies(
        images, auto_augment.draw_sub_policies(2, seeded(0))
    ),
    "affine": lambda images: auto_augment.affine(images, torch.zeros(6)),
    "solarize": lambda images: auto_augment.solarize(images, 128),
    "posterize": lambda images: auto_augment.posterize(images, 4),
    **{name: getattr(auto_augment, name) for name in ("invert", "autocontrast", "equalize")},
    **{
        name: lambda images, name=name: getattr(auto_augment, name)(images, 1.5)
        for name in ("brightness", "contrast", "color", "sharpness")
    },
}


@pytest.mark.parametrize("name", sorted(ON_IMAGES))
def test_other_images(name):
    refuses_wrong_images(ON_IMAGES[name])
    heeds_no_memory_format(ON_IMAGES[name])
    if name != "apply_sub_policies":  # its draws are of two images
        takes_a_batch_of_none(ON_IMAGES[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda i, g: auto_augment.solarize(i, torch.zeros(3)),
            r"threshold: shape \(3,\) given; allowed are one number and",
        ),
        (
            lambda i, g: auto_augment.color(i, torch.ones(2, 1)),
            r"factor: shape \(2, 1\) given; .* shape \(2,\), one per image",
        ),
        (lambda i, g: auto_augment.posterize(i, 0), r"bits: 0 given; allowed are 1 to 8"),
        (
            lambda i, g: auto_augment.posterize(i, torch.tensor([8, 9])),
            r"bits: \[8, 9\] given; allowed are 1 to 8",
        ),
        (
            lambda i, g: auto_augment.affine(i, torch.zeros(3, 6)),
            r"matrices: shape \(3, 6\) given; .* \(6,\) and \(2, 6\)",
        ),
        (
            lambda i, g: auto_augment.apply_sub_policies(i, auto_augment.draw_sub_policies(3, g)),
            r"draws: for 3 images; allowed are draws for the 2 given",
        ),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), seeded(0))
