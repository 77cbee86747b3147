"""The clocks: what a training and a scoring pass are charged."""

import json
import re

import numpy as np
import pytest
from torch import nn, zeros

from nbzero import Arch, Bench
from nbzero.errors import NothingFoundError, UsageError
from nbzero.networks import build_net
from nbzero.release.schema import PASSES
from nbzero.search import clock
from nbzero.search.clock import ModelledClock, NoClock, RecordedClock, images_of, sizes
from nbzero.spaces import CHOICES, macs
from nbzero.spaces.published import standard_protocol
from train.recipe import RECIPES

EMBEDDED = Bench()


def values_of_convolutions(net):
    """A list that a forward pass fills with how many numbers each convolution puts out."""
    put_out = []

    def note(module, given, out):
        put_out.append(out.numel())

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    return put_out


@pytest.mark.parametrize("space", sorted(CHOICES))
def test_sizes_are_those_of_the_network(space):
    for arch in EMBEDDED.space(space).members[:4]:
        net = build_net(arch, 10, 0).eval()
        put_out = values_of_convolutions(net)
        net(zeros(1, 3, 16, 16))
        num_params = sum(weights.numel() for weights in net.parameters())
        expected = (macs(arch, 16, 10), sum(put_out), num_params, len(put_out), 1)
        assert sizes(Arch.parse(arch), 16, 10) == expected


@pytest.mark.parametrize("name", sorted(clock.RECIPES))
def test_a_recipe_is_that_of_the_training_job(name):
    work, recipe = clock.RECIPES[name], RECIPES[name]
    assert work == (recipe.epochs, recipe.batch, recipe.train_images, recipe.resolution)


def test_images_are_counted_as_the_loop_takes_them():
    assert images_of(clock.RECIPES["cpu-16px-12"], 50_000, 10_000) == (12 * 351 * 128, 12 * 5_000 + 10_000)
    assert images_of(clock.RECIPES["cpu-16px-4"], 1_442, 355) == (4 * 10 * 128, 4 * 144 + 355)


def test_the_fit_is_of_all_blocks_and_passes_and_says_where_it_is_from():
    fitted = clock.fitted()
    assert list(fitted["fits"]) == ["train", "eval", *PASSES]
    for what, blocks in fitted["fits"].items():
        assert list(blocks) == ["r1", "r2", "mb"], what
        for fit in blocks.values():
            assert tuple(fit["coefficients"]) == clock.SIZES
            assert min(fit["coefficients"].values()) >= 0 < max(fit["coefficients"].values())
    assert set(fitted["made_by"]) == {"device", "software", "commit", "date", "settings"}
    table = clock.quality()
    assert len(table) == 3 * len(fitted["fits"]) and re.search(r"Measured: device: .*torch", table.notes[0])
    training = table.only(np.isin(table["what"], ["train", "eval"]))
    assert (training["num_archs"] >= 40).all() and (training["r2"] > 0.95).all()
    assert (training["median_error"] < 0.12).all()


@pytest.mark.parametrize("space", sorted(CHOICES))
def test_the_modelled_clock_answers_for_every_arch_and_grows_with_the_network(space):
    modelled = ModelledClock(space, "cifar10", "cpu-16px-4", standard_protocol(space))
    for arch in EMBEDDED.space(space).members[:20]:
        for edit in Arch.parse(arch).edits():
            charge = modelled.training(str(edit), 0)
            assert charge.by == "modelled" and charge.seconds > 0
            assert modelled.scoring(str(edit), "trace", 0).seconds > 0
    arch = Arch.parse(EMBEDDED.space(space)[0])
    first = arch.stages[0]
    deeper = Arch(space, arch.stem, (first._replace(depth=4), *arch.stages[1:]))
    shallower = Arch(space, arch.stem, (first._replace(depth=1), *arch.stages[1:]))
    assert modelled.training(str(deeper), 0).seconds > modelled.training(str(shallower), 0).seconds
    longer = ModelledClock(space, "cifar10", "cpu-16px-12", standard_protocol(space))
    assert 4 < longer.training(str(arch), 0).seconds / modelled.training(str(arch), 0).seconds < 6


def test_the_modelled_clock_is_what_its_formula_says():
    arch = EMBEDDED.space("mb-mini")[3]
    fits = clock.fitted()["fits"]

    def by_hand(what):
        numbers = fits[what]["mb"]["coefficients"].values()
        return np.dot(list(numbers), sizes(Arch.parse(arch), 16, 10))

    modelled = ModelledClock("mb-mini", "cifar10", "cpu-16px-4", "std-16")
    expected = 4 * 195 * 128 * by_hand("train") + 30_000 * by_hand("eval")
    assert modelled.training(arch, 1).seconds == pytest.approx(expected)
    assert modelled.scoring(arch, "zen", 2).seconds == pytest.approx(by_hand("zen"))


def test_no_run_took_less_than_a_core_alone_would():
    """Recorded times are of loaded machines: the fastest fifth comes near what the model says."""
    for space in ("r1-mini", "r2-mini", "mb-mini"):
        recorded = EMBEDDED.table(space, ["arch", "train_time_s"], dataset="cifar10", recipe="cpu-16px-4")
        modelled = ModelledClock(space, "cifar10", "cpu-16px-4", "std-16")
        there = [row for row in recorded if row["train_time_s"] is not None]
        ratios = [row["train_time_s"] / modelled.training(row["arch"], 0).seconds for row in there]
        assert 0.7 < np.quantile(ratios, 0.05) < np.quantile(ratios, 0.5) < 4, space


def test_the_recorded_clock_says_where_it_has_nothing(bench, made):
    opened = bench.release.space("r1-mini")
    recorded = RecordedClock(bench.release, opened, "cifar10", made.short, "std-16")
    assert recorded.training(opened.archs[3], 0) == (
        bench.query(opened.archs[3]).run("cifar10", made.short).train_time_s,
        "recorded",
    )
    median = np.median(
        [
            row["train_time_s"]
            for row in made.rows["runs", "r1-mini", "cifar10"]
            if row["recipe"] == made.short
        ]
    )
    assert recorded.training(opened.archs[900], 0) == (pytest.approx(median), "median")
    with pytest.raises(
        NothingFoundError, match="no zen_s of mb-mini on cifar10 with std-16, so clock='recorded'"
    ):
        space = bench.release.space("mb-mini")
        RecordedClock(bench.release, space, "cifar10", made.short, "std-16").scoring(space.archs[0], "zen", 0)
    assert NoClock().training("any", 0) == (0, "none") == NoClock().scoring("any", "zen", 0)


def test_what_was_not_fitted_has_no_modelled_clock(bench, made):
    for ask, said in [
        (
            ("nb201", "cifar10", "nb201-200", None),
            "no modelled clock for nb201 with recipe nb201-200: it was",
        ),
        (("r1", "cifar10", "gpu-12", "std-32"), "no modelled clock for r1 with recipe gpu-12: .*cpu-16px-4"),
        (
            ("r1", "cifar10", "cpu-16px-4", "std-32-b128"),
            "for protocol std-32-b128: it was fitted for std-16",
        ),
    ]:
        with pytest.raises(UsageError, match=said):
            ModelledClock(*ask)
    with pytest.raises(UsageError, match="no modelled clock for protocol std-16-b32"):
        bench.simulate("r1-mini", "cifar10", made.short, unmeasured="none", protocol="std-16-b32")


def test_the_shipped_fit_is_that_of_the_shipped_measurements():
    from builders import fit_clock

    made = json.loads(json.dumps(fit_clock.fits(fit_clock.measured())))
    shipped = clock.fitted()["fits"]
    assert list(made) == list(shipped)
    for what, blocks in made.items():
        for block, fit in blocks.items():
            found = shipped[what][block]
            assert fit["coefficients"] == pytest.approx(found["coefficients"], rel=1e-4), (what, block)
            for name in ("num_archs", "r2", "median_error", "max_error"):
                assert fit[name] == pytest.approx(found[name], abs=2e-4), (what, block, name)
    assert json.loads(fit_clock.ORIGIN.read_text()) == clock.fitted()["made_by"]
