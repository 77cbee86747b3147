"""The proxies against values of the papers' own code."""

import importlib.util
import json
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies import protocol
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.gradient import zico
from nbzero.proxies.score import score
from nbzero.proxies.trace import Trace
from tests.places import GOLDEN

NAMES = sorted(PROXIES)
needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the reference scores are not part of the repository"
)


def golden_case(name):
    spec = importlib.util.spec_from_file_location("golden_nets", GOLDEN / "nets.py")
    nets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nets)
    case = json.loads((GOLDEN / "golden.json").read_text())["nets"][name]
    return case["values"], case["spec"], nets.load(GOLDEN / case["file"], case["spec"])


KEYS = {
    "ntk": "ntk_cond_train_n16",
    "zico": "zico_two_halves",
    "meco": "meco_one_image",
}  # where the reference's name is another


IMAGES = {"ntk": 16, "meco": 1, "meco_leaf_modules": 1}


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_values(case):
    values, spec, (net, images, labels) = golden_case(case)
    slow = set() if case == "plain_a" else {"dyniso"}  # 320 backward passes
    scores = score(net, images, labels, [name for name in NAMES if name not in IMAGES and name not in slow])
    for name, num_images in IMAGES.items():
        scores |= score(net, images[:num_images], labels[:num_images], (name,))
    named = {name: values[KEYS.get(name, name)] for name in scores if KEYS.get(name, name) in values}
    exact = {name: reference for name, reference in named.items() if "value" in reference}
    assert len(exact) == 31 - len(slow)
    for name, reference in exact.items():
        offset = len(images) if name == "jacob_cov" else 0
        assert scores[name] + offset == pytest.approx(reference["value"] + offset, rel=reference["rtol"]), (
            name
        )
    assert scores["params"] == round(values["params_M"]["value"] * 1e6)
    # The reference counts one more per output element where there is a bias: the classifier, two layers of
    # plain_a.
    with_bias = {"plain_a": 32 * 32 * 8 + 8 * 8 * 48}.get(case, 0) + spec["classes"]
    assert scores["macs"] == round(values["flops_M"]["value"] * 1e6) - with_bias
    assert scores["depth"] == {"r1_a": 5, "mb_a": 8, "plain_a": 5}[case]  # mb_a numbers its head as a stage


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
@pytest.mark.parametrize("name", ["zen", "zen_no_shortcut", "phi", "barlow_twins", "az_trainability"])
def test_reference_of_random_scores(case, name):
    values, _, (net, images, labels) = golden_case(case)
    reference, num_seeds = values[name], 8
    draws = torch.tensor(
        [score(net, images, labels, (name,), seed)[name] for seed in range(num_seeds)], dtype=torch.float64
    )
    tolerance = 4 * reference["std"] * math.sqrt(1 / reference["n"] + 1 / num_seeds)
    assert abs(draws.mean().item() - reference["mean"]) < tolerance
    assert 0.5 < draws.std().item() / reference["std"] < 2


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_swap_over_drawn_weights(case):
    """As the scoring job takes it: 16 images, the mean of 8 draws of N(0, 1) weights."""
    values, _, (net, images, labels) = golden_case(case)
    reference = values["swap_gaussian"]
    ours = protocol.mean_of_draws(net, images[:16], labels[:16], "swap", seed=0)["swap"]
    assert abs(ours - reference["mean"]) < 4 * reference["std"] * math.sqrt(1 / reference["n"] + 1 / 8)


class WithIdleClasses(nn.Module):
    """A network with 101 classes more, all of logit 0: epe_nas goes another way above 100 outputs."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return F.pad(self.net(x), (0, 101))


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_other_reference_values(case):
    values, _, (net, images, labels) = golden_case(case)
    half = len(images) // 2
    twice = torch.cat([images[:half], images[:half]])
    assert (
        score(net, twice, labels, ("linear_regions",))["linear_regions"]
        == values["linear_regions_twice"]["value"]
    )
    assert score(net, images[:8], labels[:8], ("ntk",))["ntk"] == pytest.approx(
        values["ntk_cond_train_n8"]["value"], rel=6e-4
    )
    reference = values["epe_nas_branch_a"]
    by_pairs = score(WithIdleClasses(net), images, labels, ("epe_nas",))["epe_nas"]
    assert by_pairs == pytest.approx(reference["value"], rel=reference["rtol"])
    reference = values["zico_four_quarters"]
    quarters = zico(Trace(net, images, labels, seed=0), num_batches=4)
    assert quarters == pytest.approx(reference["value"], rel=reference["rtol"])
