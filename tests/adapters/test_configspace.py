"""ConfigSpace: the grids of ours exactly, published spaces, and archs there and back."""

import sys

import pytest

config_space = pytest.importorskip("ConfigSpace")

from nbzero import Arch  # noqa: E402
from nbzero.adapters import (  # noqa: E402
    arch_of_configuration,
    configuration_of,
    configuration_space,
)
from nbzero.errors import MissingPackageError, UnknownNameError, UsageError  # noqa: E402
from nbzero.spaces import CHOICES, decisions_of  # noqa: E402
from tests.importers.made import some  # noqa: E402


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_sampled_of_ours_is_an_arch_of_the_grid_and_comes_back(name):
    space = configuration_space(name, seed=0)
    num_stages = set()
    for configuration in space.sample_configuration(60):
        arch = Arch.parse(arch_of_configuration(configuration))
        assert configuration_of(space, arch) == configuration
        num_stages.add(len(arch.stages))
    assert num_stages == {3, 4}


def test_members_come_back(bench):
    space = configuration_space("r1-mini")
    for arch in bench.space("r1-mini").members[:100]:
        assert arch_of_configuration(configuration_of(space, arch)) == arch


@pytest.mark.parametrize("name", ["nb201", "nbmacro", "nats-sss", "transnas-micro", "darts"])
def test_archs_of_published_spaces_come_back(name):
    space = configuration_space(name, seed=0)
    for arch in some(name):
        assert arch_of_configuration(configuration_of(space, arch)) == arch
    for configuration in space.sample_configuration(20):
        assert configuration_of(space, arch_of_configuration(configuration)) == configuration


def test_widths_that_decrease_are_forbidden():
    space = configuration_space("r1-mini")
    values = dict(configuration_of(space, "r1-mini-s8-d1w4s2-d2w8s1-d3w12s2-d4w64s2"))
    for pair in ({"s1_out": 12, "s2_out": 8}, {"s3_out": 64, "s4_out": 48}):
        with pytest.raises(config_space.exceptions.ForbiddenValueError):
            config_space.Configuration(space, values=values | pair)


def test_the_same_seed_samples_the_same():
    first, second = (configuration_space("nb201", seed=3).sample_configuration(5) for _ in range(2))
    assert first == second
    assert configuration_space("nb201", seed=4).sample_configuration(5) != first


def test_neighbours_are_one_decision_away_or_two():
    space = configuration_space("r1-mini")
    configuration = configuration_of(space, "r1-mini-s8-d1w4s2-d2w8s1-d3w12s2-d4w64s2")
    near = list(config_space.util.get_one_exchange_neighbourhood(configuration, seed=0))
    archs = {arch_of_configuration(one) for one in near}
    assert archs and arch_of_configuration(configuration) not in archs


def test_numbers_keep_their_order():
    space = configuration_space("r1-mini")
    assert isinstance(space["s1_out"], config_space.OrdinalHyperparameter)
    assert [int(value) for value in space["s1_out"].sequence] == list(CHOICES["r1-mini"].widths)
    assert [one.name for one in decisions_of("r1-mini")][:2] == ["stem", "kept_stage"]


def test_bad_input(monkeypatch):
    with pytest.raises(UnknownNameError, match="no space named 'r3'"):
        configuration_space("r3")
    space = configuration_space("r1-mini")
    with pytest.raises(UsageError, match="is an arch of r1, not of r1-mini"):
        configuration_of(space, "r1-s16-d1w16s2-d1w16s2-d1w16s2")
    with pytest.raises(UsageError, match="an arch begins with its space"):
        configuration_of(space, "resnet18")
    for other in (
        config_space.ConfigurationSpace(name="r1-mini", space={"stem": [4, 8]}),
        config_space.ConfigurationSpace(space={"stem": [4, 8]}),
    ):
        with pytest.raises(UsageError, match="was not made by nbzero"):
            arch_of_configuration(other.get_default_configuration())
        with pytest.raises(UsageError, match="was not made by nbzero"):
            configuration_of(other, "r1-mini-s8-d1w4s2-d2w8s1-d3w12s2-d4w64s2")
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(MissingPackageError, match=r"needs ConfigSpace, .* pip install ConfigSpace$"):
        configuration_space("r1-mini")
