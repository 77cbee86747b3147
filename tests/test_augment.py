"""train.augment: every operation against Pillow image by image, the draws, and what a batch may not change."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from train import augment

SIZES = ((16, 16), (32, 32), (17, 23), (48, 40), (3, 5), (2, 7), (1, 1))
FACTORS = (0.0, 0.1, 0.4, 0.9, 1.0, 1.1, 1.3, 1.9, 3.0)
GREY = (128, 128, 128)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(height: int, width: int) -> torch.Tensor:
    """Random, smooth, narrow, two-valued and constant images, uint8 (20, 3, height, width)."""
    random = torch.randint(0, 256, (8, 3, height, width), generator=seeded(1))
    narrow = torch.randint(90, 140, (4, 3, height, width), generator=seeded(2))
    y, x = torch.arange(height).view(-1, 1), torch.arange(width)
    ramps = (y * 255 // height + 0 * x, x * 200 // width + 0 * y + 20, (x + y) * 127 // (height + width))
    smooth = torch.stack([torch.stack(ramps), torch.stack(ramps[::-1])])
    one_bright = torch.full((1, 3, height, width), 40)
    one_bright[:, :, -1, -1] = 200
    constant = torch.tensor([0, 1, 77, 254, 255]).view(-1, 1, 1, 1).expand(-1, 3, height, width)
    return torch.cat([random, narrow, smooth, one_bright, constant]).to(torch.uint8)


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
        augment.AUTOAUGMENT_CIFAR10[policy], applied, negative, strict=True
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


def all_draws() -> augment.SubPolicyDraws:
    """Every sub-policy with every combination of applications and signs, 25 x 16 images."""
    bits = torch.tensor([[i >> b & 1 for b in range(4)] for i in range(16)]).repeat(25, 1).bool()
    return augment.SubPolicyDraws(torch.arange(25).repeat_interleave(16), bits[:, :2], bits[:, 2:])


# --- operations against Pillow, all exactly equal -------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["invert", "autocontrast", "equalize"])
def test_same_as_pillow_without_argument(name, size):
    images = pictures(*size)
    assert torch.equal(getattr(augment, name)(images), by_pillow(images, getattr(ImageOps, name)))


def test_pictures_reach_both_branches_of_equalize():
    small, large = (
        (augment.equalize(images) != images).flatten(2).any(2)
        for images in (pictures(16, 16), pictures(48, 40))
    )
    assert small[:8].any() and not small[:8].all(), "16 x 16: mapped only where one pixel is at the maximum"
    assert large[:8].all() and not large[-5:].any(), "48 x 40: random mapped, constant kept"


@pytest.mark.parametrize("low", range(0, 255, 25))
def test_autocontrast_over_all_spans(low):
    highs = torch.arange(low, 256)
    ramp = torch.arange(256).clamp(low).view(1, 1, 16, 16).repeat(len(highs), 3, 1, 1)
    images = torch.minimum(ramp, highs.view(-1, 1, 1, 1)).to(torch.uint8)
    assert torch.equal(augment.autocontrast(images), by_pillow(images, ImageOps.autocontrast))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threshold", [0, 1, 128, 255, 256, *(256 - 256 * m / 9 for m in range(1, 9))])
def test_solarize_same_as_pillow(threshold, size):
    images = pictures(*size)
    expected = by_pillow(images, lambda image: ImageOps.solarize(image, threshold))
    assert torch.equal(augment.solarize(images, threshold), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_same_as_pillow(bits, size):
    images = pictures(*size)
    assert torch.equal(
        augment.posterize(images, bits), by_pillow(images, lambda image: ImageOps.posterize(image, bits))
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factor", [*FACTORS, *(1 + 0.9 * m / 9 for m in range(-9, 10, 2))])
@pytest.mark.parametrize("name", ["brightness", "contrast", "color", "sharpness"])
def test_enhancement_same_as_pillow(name, factor, size):
    images = pictures(*size)
    expected = by_pillow(
        images, lambda image: getattr(ImageEnhance, name.capitalize())(image).enhance(factor)
    )
    assert torch.equal(getattr(augment, name)(images, factor), expected)


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
    result = augment.affine(images, torch.tensor(matrices, dtype=torch.float64), fill)
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
        got = augment.affine(images, torch.tensor(augment.rotation(degrees, *size), dtype=torch.float64))
        expected = by_pillow(images, lambda image, angle=degrees: image.rotate(angle, fillcolor=GREY))
        assert torch.equal(got, expected), degrees


@pytest.mark.parametrize(
    ("name", "values"),
    [("solarize", (0, 60.5, 256)), ("posterize", (1, 4, 8))]
    + [(name, (0.1, 1.0, 1.9)) for name in ("brightness", "contrast", "color", "sharpness")],
)
def test_one_argument_per_image(name, values):
    images = pictures(16, 16)[:3]
    together = getattr(augment, name)(images, torch.tensor(values))
    alone = [getattr(augment, name)(image[None], value) for image, value in zip(images, values, strict=True)]
    assert torch.equal(together, torch.cat(alone))


# --- AutoAugment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (17, 23)])
def test_auto_augment_same_as_pillow_image_by_image(size):
    draws = all_draws()
    images = pictures(*size)[torch.randint(0, 20, (len(draws.policy_B),), generator=seeded(4))]
    result = augment.apply_sub_policies(images, draws)
    for image, got, *draw in zip(images, result, *(part.tolist() for part in draws), strict=True):
        assert torch.equal(got, from_pil(slow_sub_policy(to_pil(image), *draw))), draw


def test_policy_table():
    table = augment.AUTOAUGMENT_CIFAR10
    operations = [operation for pair in table for operation in pair]
    assert len(table) == 25 and len(operations) == 50
    assert all(0 <= probability <= 0.9 and 0 <= magnitude <= 9 for _, probability, magnitude in operations)
    counts = {name: sum(name == other for other, _, _ in operations) for name, _, _ in operations}
    assert counts == {
        "AutoContrast": 7, "Brightness": 4, "Color": 5, "Contrast": 2, "Equalize": 9, "Invert": 3, "Posterize": 1,
        "Rotate": 1, "Sharpness": 5, "ShearY": 2, "Solarize": 4, "TranslateX": 2, "TranslateY": 5,
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
    monkeypatch.setattr(augment, "AUTOAUGMENT_CIFAR10", table)
    policies = torch.arange(len(table)).repeat_interleave(4)
    applied = torch.tensor([True, False]).expand(len(policies), 2)
    negative = (torch.arange(len(policies)) % 2 == 1).view(-1, 1).expand(-1, 2)
    images = pictures(*size)[torch.arange(len(policies)) * 7 % 20]
    result = augment.apply_sub_policies(images, augment.SubPolicyDraws(policies, applied, negative))
    for image, got, policy, minus in zip(images, result, policies.tolist(), negative.tolist(), strict=True):
        expected = slow_sub_policy(to_pil(image), policy, [True, False], minus)
        assert torch.equal(got, from_pil(expected)), (table[policy][0], minus)


def test_auto_augment_is_draw_then_apply_and_leaves_its_input():
    images = pictures(16, 16)
    before = images.clone()
    first, second = (augment.auto_augment(images, seeded(3)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(images, before)
    assert torch.equal(
        first, augment.apply_sub_policies(images, augment.draw_sub_policies(len(images), seeded(3)))
    )
    assert not torch.equal(first, augment.auto_augment(images, seeded(4)))


def test_images_of_a_batch_get_their_own_sub_policies():
    images = pictures(16, 16)[:1].expand(200, -1, -1, -1)
    assert len(torch.unique(augment.auto_augment(images, seeded(0)).flatten(1), dim=0)) > 30


def test_result_does_not_depend_on_the_rest_of_the_batch():
    draws = all_draws()
    images = torch.randint(0, 256, (len(draws.policy_B), 3, 9, 11), dtype=torch.uint8, generator=seeded(5))
    result = augment.apply_sub_policies(images, draws)
    order = torch.randperm(len(images), generator=seeded(6))
    for rows in (order, order[:7], order[:1], order[:0]):
        part = augment.SubPolicyDraws(*(values[rows] for values in draws))
        assert torch.equal(augment.apply_sub_policies(images[rows], part), result[rows])


def test_draws_follow_the_table():
    num_images = 50_000
    draws = augment.draw_sub_policies(num_images, seeded(7))
    expected = num_images / 25
    counts = torch.bincount(draws.policy_B, minlength=25)
    assert len(counts) == 25 and (counts - expected).abs().max() < 5 * expected**0.5
    for policy, pair in enumerate(augment.AUTOAUGMENT_CIFAR10):
        rows = draws.policy_B == policy
        for step, (_, probability, _) in enumerate(pair):
            error = 5 * math.sqrt(probability * (1 - probability) / int(rows.sum()))
            assert draws.applied_B2[rows, step].double().mean().item() == pytest.approx(
                probability, abs=error
            )
    joint = torch.stack([draws.applied_B2[:, 0], draws.negative_B2[:, 0], draws.negative_B2[:, 1]]).double()
    assert (joint[1:].mean(1) - 0.5).abs().max() < 0.012
    assert (torch.corrcoef(joint) - torch.eye(3)).abs().max() < 0.025


# --- crop and flip ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (17, 23), (1, 1)])
@pytest.mark.parametrize("padding", [0, 2, 5])
def test_crop_flip_same_as_one_by_one(padding, size):
    images = pictures(*size)
    generator = seeded(8)
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator).tolist()
    flips = torch.randint(0, 2, (1, len(images)), generator=generator)[0].tolist()
    result = augment.crop_flip(images, padding, seeded(8))
    assert result.dtype == torch.uint8 and result.shape == images.shape and result.is_contiguous()
    for image, got, top, left, flip in zip(images, result, tops, lefts, flips, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
        crop = padded[:, top : top + size[0], left : left + size[1]]
        assert np.array_equal(got.numpy(), crop[:, :, ::-1] if flip else crop)
    assert torch.equal(result, augment.crop_flip(images, padding, seeded(8)))


def test_crop_flip_draws_every_offset_evenly():
    num_images, padding = 18_000, 1
    images = torch.zeros(num_images, 3, 3, 4, dtype=torch.uint8)
    images[:, :, 1, 1] = 255
    seen, counts = (
        augment.crop_flip(images, padding, seeded(9))[:, 0].flatten(1).unique(dim=0, return_counts=True)
    )
    # the bright pixel lands in 3 rows and, unflipped, columns 0-2 or, flipped, 1-3
    assert len(seen) == 12 and (seen.sum(1) == 255).all()
    share = {int(row.argmax()): int(count) / num_images for row, count in zip(seen, counts, strict=True)}
    for column, expected in enumerate((1 / 18, 2 / 18, 2 / 18, 1 / 18)):
        for row in range(3):
            assert share[4 * row + column] == pytest.approx(expected, abs=0.013)


# --- normalise, label smoothing, mixup -------------------------------------------------------------------------------


def test_normalise():
    mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
    images = pictures(17, 23)
    result = augment.normalise(images, mean, std)
    expected = (images.numpy() / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=5e-7)
    channels_last = augment.normalise(images.contiguous(memory_format=torch.channels_last), mean, std)
    assert channels_last.is_contiguous(memory_format=torch.channels_last) and torch.equal(
        channels_last, result
    )


def test_smooth_targets():
    labels = torch.tensor([2, 0, 3])
    targets = augment.smooth_targets(labels, num_classes=4, smoothing=0.2)
    expected = [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.05, 0.85]]
    torch.testing.assert_close(targets, torch.tensor(expected), rtol=0, atol=1e-7)
    logits = torch.randn(3, 4, generator=seeded(0))
    torch.testing.assert_close(
        torch.nn.functional.cross_entropy(logits, targets),
        torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2),
    )
    assert torch.equal(augment.smooth_targets(labels, 4, 0.0), torch.nn.functional.one_hot(labels, 4).float())


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 5.0])
def test_mixup_mixes_pairs_in_one_proportion_and_conserves_targets(alpha):
    num_images = 12
    targets = torch.eye(
        num_images
    )  # every image its own class: the mixed targets show lambda and the partner
    images = torch.randn(num_images, 3, 5, 4, generator=seeded(1))
    for seed in range(20):
        mixed_images, mixed_targets = augment.mixup(images, targets, alpha, seeded(seed))
        torch.testing.assert_close(mixed_targets.sum(0), targets.sum(0))
        torch.testing.assert_close(mixed_targets.sum(1), targets.sum(1))
        torch.testing.assert_close(mixed_images, (mixed_targets @ images.flatten(1)).view_as(images))
        own = mixed_targets.diagonal()[mixed_targets.diagonal() < 1]
        assert len(own) == 0 or own.max() == own.min()
        again = augment.mixup(images, targets, alpha, seeded(seed))
        assert torch.equal(again[0], mixed_images) and torch.equal(again[1], mixed_targets)
    assert torch.equal(targets, torch.eye(num_images))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_proportion_is_beta(alpha):
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    generator = seeded(2)
    mixed = [augment.mixup(targets, targets, alpha, generator)[1][0, 0].item() for _ in range(4000)]
    own = np.array(
        [value for value in mixed if value != 1]
    )  # the other half of the permutations keeps each image
    assert len(own) == pytest.approx(2000, abs=160 if alpha == 1 else 400)
    assert own.mean() == pytest.approx(0.5, abs=0.05)
    if alpha == 1:
        assert np.quantile(own, (0.1, 0.5, 0.9)) == pytest.approx((0.1, 0.5, 0.9), abs=0.05)
    else:  # variance of Beta(a, a): 1 / (4 (2 a + 1))
        assert own.var() == pytest.approx(1 / (4 * 1.4), abs=0.015)


def test_mixup_known_case():
    _, mixed = augment.mixup(torch.eye(3), torch.eye(3), 0.2, seeded(0))
    own = 0.9657006  # a change of this number is a change of every recipe with mixup
    expected = torch.tensor([[own, 0, 1 - own], [0, 1, 0], [1 - own, 0, own]])
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-6)


# --- errors ----------------------------------------------------------------------------------------------------------

ON_IMAGES = {
    "crop_flip": lambda images: augment.crop_flip(images, 2, seeded(0)),
    "auto_augment": lambda images: augment.auto_augment(images, seeded(0)),
    "apply_sub_policies": lambda images: augment.apply_sub_policies(
        images, augment.draw_sub_policies(2, seeded(0))
    ),
    "affine": lambda images: augment.affine(images, torch.zeros(6)),
    "normalise": lambda images: augment.normalise(images, (0.5,) * 3, (0.2,) * 3),
    "solarize": lambda images: augment.solarize(images, 128),
    "posterize": lambda images: augment.posterize(images, 4),
    **{name: getattr(augment, name) for name in ("invert", "autocontrast", "equalize")},
    **{
        name: lambda images, name=name: getattr(augment, name)(images, 1.5)
        for name in ("brightness", "contrast", "color", "sharpness")
    },
}


@pytest.mark.parametrize("name", sorted(ON_IMAGES))
def test_wrong_images(name):
    for images, given in (
        (torch.zeros(2, 3, 4, 4), r"float32 of shape \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"uint8 of shape \(3, 4, 4\)"),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8), r"uint8 of shape \(2, 4, 4, 3\)"),
    ):
        with pytest.raises(
            ValueError, match=rf"^images: {given} given; allowed is uint8 of shape \(B, 3, H, W\)$"
        ):
            ON_IMAGES[name](images)


@pytest.mark.parametrize("name", sorted(ON_IMAGES))
def test_batch_of_none_and_images_in_another_memory_format(name):
    if name != "apply_sub_policies":
        assert ON_IMAGES[name](torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0, 3, 8, 8)
    images = pictures(16, 16)[:2]
    before = images.clone()
    assert torch.equal(
        ON_IMAGES[name](images.contiguous(memory_format=torch.channels_last)), ON_IMAGES[name](images)
    )
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, g: augment.crop_flip(i, -1, g), r"padding: -1 given; allowed are 0 and more"),
        (
            lambda i, g: augment.solarize(i, torch.zeros(3)),
            r"threshold: shape \(3,\) given; allowed are one number and",
        ),
        (
            lambda i, g: augment.color(i, torch.ones(2, 1)),
            r"factor: shape \(2, 1\) given; .* shape \(2,\), one per image",
        ),
        (lambda i, g: augment.posterize(i, 0), r"bits: 0 given; allowed are 1 to 8"),
        (
            lambda i, g: augment.posterize(i, torch.tensor([8, 9])),
            r"bits: \[8, 9\] given; allowed are 1 to 8",
        ),
        (
            lambda i, g: augment.affine(i, torch.zeros(3, 6)),
            r"matrices: shape \(3, 6\) given; .* \(6,\) and \(2, 6\)",
        ),
        (
            lambda i, g: augment.apply_sub_policies(i, augment.draw_sub_policies(3, g)),
            r"draws: for 3 images; allowed are draws for the 2 given",
        ),
        (
            lambda i, g: augment.normalise(i, (0.5, 0.5), (1, 1, 1)),
            r"mean, std: \(0.5, 0.5\), .* three numbers each",
        ),
        (lambda i, g: augment.normalise(i, (0, 0, 0), (1, 0, 1)), r"mean, std: .* std above 0"),
        (
            lambda i, g: augment.smooth_targets(torch.zeros(2), 3, 0.1),
            r"labels: float32 of shape \(2,\) given; .* int64",
        ),
        (
            lambda i, g: augment.smooth_targets(torch.tensor([[1]]), 3, 0.1),
            r"labels: int64 of shape \(1, 1\) given",
        ),
        (
            lambda i, g: augment.smooth_targets(torch.tensor([1]), 3, 1.0),
            r"smoothing: 1.0 given; allowed is 0 <= smo",
        ),
        (
            lambda i, g: augment.mixup(i, torch.eye(2), 0.2, g),
            r"images: uint8 of shape .*normalise them first",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.eye(3), 0.2, g),
            r"targets: float32 of shape \(3, 3\) .* \(2, C\)",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.tensor([0, 1]), 0.2, g),
            r"targets: int64 of shape \(2,\) given",
        ),
        (
            lambda i, g: augment.mixup(i.float(), torch.eye(2), 0.0, g),
            r"alpha: 0.0 given; allowed is above 0",
        ),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), seeded(0))


# --- the device ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_on_cpu_and_gpu():
    def stream(device: str) -> list[torch.Tensor]:
        generator = seeded(11)
        images = pictures(32, 32).repeat(20, 1, 1, 1).to(device)
        cropped = augment.crop_flip(images, 4, generator)
        augmented = augment.auto_augment(cropped, generator)
        every = augment.apply_sub_policies(images, all_draws())
        targets = augment.smooth_targets((torch.arange(len(images)) % 10).to(device), 10, 0.1)
        normalised = augment.normalise(augmented, (0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
        return [cropped, augmented, every, normalised, *augment.mixup(normalised, targets, 0.2, generator)]

    for on_cpu, on_gpu in zip(stream("cpu"), stream("cuda"), strict=True):
        assert on_gpu.is_cuda and torch.equal(on_cpu, on_gpu.cpu())
