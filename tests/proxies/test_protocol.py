"""nbzero.proxies.protocol: images and weights of a scoring, and a row that is filled bit by bit."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from nbzero.errors import UsageError
from nbzero.images.facts import DATASETS, dataset
from nbzero.images.tensors import load
from nbzero.networks.build import build_net
from nbzero.networks.published import NETWORKS
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.protocol import (
    PROTOCOLS,
    answer_of,
    batch_of,
    by_batch,
    initialise,
    is_there,
    mean_of_draws,
    protocol_batch,
    protocol_named,
    protocol_net,
    row_of_scores,
)
from nbzero.proxies.score import score
from nbzero.release import schema
from tests.proxies.nets import pooled

NAMES = sorted(PROXIES)
ARCH = "r1-mini-s4-d1w4s2-d1w4s2-d1w8s2"


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_every_protocol_is_known():
    assert set(PROTOCOLS) == set(schema.PROTOCOLS) and len(schema.PASSES) == 8


def test_the_registry_says_how_many_images():
    sizes = by_batch(NAMES, 64)
    size_of = {name: size for size, names in sizes.items() for name in names}
    fewer = {name: size for name, size in size_of.items() if size != 64}
    assert fewer == {"ntk": 16, "gradsign": 16, "dyniso": 8, "meco": 1, "meco_leaf_modules": 1}
    assert "swap" not in size_of and PROXIES["swap"].weight_draws == 8
    assert {128, 16, 8, 1} == set(by_batch(NAMES, 128))


@pytest.mark.parametrize(
    ("init", "std"), [("uniform", 1 / math.sqrt(3 * 27)), ("normal", math.sqrt(2 / 27)), ("n01", 1.0)]
)
def test_weights_drawn_again(init, std):
    net = nn.Sequential(nn.Conv2d(3, 400, 3))
    initialise(net, init, seed=0)
    assert net[0].weight.std().item() == pytest.approx(std, rel=0.05)


def test_a_batch_is_normalised_images_of_the_seed_or_noise(digits):
    images, labels = batch_of(PROTOCOLS["std-16"], digits, seed=1)
    pixels, same_labels = digits.scoring_batch(64, seed=1)
    spec = dataset("digits")
    expected = (pixels.numpy() / 255 - spec.mean[0]) / spec.std[0]  # grey: three equal channels
    np.testing.assert_allclose(images, expected, atol=1e-6)
    noise, labels_too = batch_of(PROTOCOLS["std-16-noise"], digits, seed=1)
    drawn = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert torch.equal(noise, drawn)
    assert torch.equal(labels, same_labels) and torch.equal(labels, labels_too)


def test_a_batch_by_names_is_that_of_the_jobs(digits):
    for protocol in ("std-16", "std-16-b32", "std-16-noise"):
        for seed in (0, 3):
            wanted = batch_of(PROTOCOLS[protocol], digits, seed)
            given = protocol_batch("r1-mini", "digits", seed, protocol)
            assert torch.equal(given[0], wanted[0]) and torch.equal(given[1], wanted[1])
    standard = protocol_batch("r1-mini", "digits")
    assert torch.equal(standard[0], batch_of(PROTOCOLS["std-16"], digits, 0)[0])
    noise = protocol_batch("r1-mini", "digits", 2, images="noise")
    assert torch.equal(noise[0], batch_of(PROTOCOLS["std-16-noise"], digits, 2)[0])
    with pytest.raises(UsageError, match="seed -1; it is a whole number from 0"):
        protocol_batch("r1-mini", "digits", -1)


@pytest.mark.parametrize("name", DATASETS)
def test_noise_needs_no_images(name, monkeypatch):
    monkeypatch.delenv("NBZERO_IMAGES", raising=False)
    images, labels = protocol_batch("r1", name, 1, images="noise")
    assert images.shape == (64, 3, 32, 32) and images.dtype == torch.float32
    counts = torch.bincount(labels, minlength=DATASETS[name].num_classes)
    assert labels.dtype == torch.int64 and counts.max() - counts.min() <= 1


def test_a_protocol_is_the_one_named_or_the_standard_one(monkeypatch):
    assert protocol_named("r1", None).name == "std-32" and protocol_named("mb-mini", None).name == "std-16"
    assert protocol_named("r1", "std-16", "noise").name == "std-16-noise"
    assert protocol_named("r1", "std-32-noise", "noise").name == "std-32-noise"
    assert protocol_named("darts", None).name == "std-32"
    monkeypatch.delitem(NETWORKS, "darts")
    with pytest.raises(UsageError, match="darts has no standard protocol; name one of std-32, "):
        protocol_named("darts", None)


def test_the_network_of_a_protocol_has_its_weights():
    own = protocol_net(ARCH, PROTOCOLS["std-16"], 10, 1)
    assert all(map(torch.equal, own.state_dict().values(), build_net(ARCH, 10, 1).state_dict().values()))
    assert own.training
    drawn = protocol_net(ARCH, PROTOCOLS["std-16-n01"], 10, 1)
    again = protocol_net(ARCH, PROTOCOLS["std-16-n01"], 10, 1)
    assert torch.equal(drawn.classifier.weight, again.classifier.weight)
    assert not torch.equal(drawn.classifier.weight, own.classifier.weight)


def test_build_net_has_ten_classes_and_seed_zero_unless_told_otherwise():
    given, default = build_net(ARCH, 10, 0), build_net(ARCH)
    assert torch.equal(given.classifier.weight, default.classifier.weight)


def test_an_answer_is_of_a_new_network_and_copies_with_gradients_and_seeded_draws(digits):
    protocol = PROTOCOLS["std-16"]
    batch = batch_of(protocol, digits, seed=0)
    kept = [tensor.clone() for tensor in batch]

    def drawn(net, images, labels):
        images.zero_()
        labels.zero_()
        assert torch.is_grad_enabled()
        return torch.rand(1).item()

    before = torch.default_generator.get_state()
    with torch.no_grad():
        first = answer_of(drawn, ARCH, 0, protocol, batch, 10)
    assert (
        first
        == answer_of(drawn, ARCH, 0, protocol, batch, 10)
        != answer_of(drawn, ARCH, 1, protocol, batch, 10)
    )
    assert all(map(torch.equal, batch, kept))
    assert torch.equal(torch.default_generator.get_state(), before)


def test_a_mean_of_draws_has_no_score_where_one_draw_has_none(batch):
    scores = mean_of_draws(pooled(nn.Conv2d(3, 5, 3)), *batch, "swap", seed=0)
    assert scores["swap"] is None and scores.reasons["swap"].startswith("swap reads the units of ReLU")


def test_a_row_is_filled_where_it_lacks_scores(digits):
    protocol = PROTOCOLS["std-16"]
    batch = batch_of(protocol, digits, seed=1)
    first = row_of_scores(ARCH, 1, protocol, batch, 10, ["naswot", "swap"])
    assert first["snip"] is None and not is_there(first, "snip") and is_there(first, "swap")
    expected = score(build_net(ARCH, 10, 1), *batch, ("naswot",), seed=1)
    assert first["naswot"] == expected["naswot"] and first["failures"] is None

    kept = dict(first, naswot=1.5)
    second = row_of_scores(ARCH, 1, protocol, batch, 10, ["naswot", "snip"], kept)
    assert second["naswot"] == 1.5 and second["swap"] == first["swap"] and second["snip"] > 0
    assert second["layers_s"] == first["layers_s"] and second["trace_s"] > first["trace_s"]
    assert kept["snip"] is None, "the row that was given is as it was"
    assert set(second) == {*PROXIES, *(f"{name}_s" for name in schema.PASSES), "failures"}


def test_a_row_says_why_a_score_is_missing(digits):
    protocol = PROTOCOLS["std-16"]
    batch = batch_of(protocol, digits, seed=0)
    row = row_of_scores("mb-mini-s8-d1w4s2-d1w4s2-d1w8s2", 0, protocol, batch, 10, ["ntk", "params"])
    assert row["ntk"] is None and is_there(row, "ntk") and "kernel is singular" in row["failures"]


@pytest.mark.parametrize("images", [3, ["a"], torch.zeros(3)])
def test_images_are_a_place_or_noise(images):
    with pytest.raises(UsageError, match=r"images is of type \w+; it is a folder or file, None"):
        protocol_named("r1-mini", None, images)
