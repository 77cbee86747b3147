"""ConfigSpace: a space as a ConfigurationSpace, an arch as a Configuration of it, and back.

Of our spaces it has exactly the grid: widths that decrease are forbidden, and the fourth stage is active
where there is one. Of a published space it has every combination of the options; where some make no arch
(`arch_of` says so), its definition has further rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, needs, quoted
from nbzero.spaces.decisions import KEPT, LAST_STAGE, THREE_STAGES, arch_of, decisions_of, values_of
from nbzero.spaces.macro import CHOICES, MAX_STAGES, Arch
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    from ConfigSpace import Configuration, ConfigurationSpace


def configuration_space(space: str, seed: int | None = None) -> ConfigurationSpace:
    """A space as a ConfigurationSpace.

    Args:
        space: its name.
        seed: of what is sampled from it.

    Raises:
        UnknownNameError: no such space.
        MissingPackageError: ConfigSpace is not installed.
    """
    decisions = decisions_of(space)
    config_space = needs("nbzero.adapters.configspace", "ConfigSpace")
    made: ConfigurationSpace = config_space.ConfigurationSpace(name=space, seed=seed)
    for decision in decisions:
        if decision.has_order:
            made.add(config_space.OrdinalHyperparameter(decision.name, decision.options))
        else:
            made.add(config_space.CategoricalHyperparameter(decision.name, decision.options))
    if space in CHOICES:
        for name in LAST_STAGE:
            made.add(config_space.NotEqualsCondition(made[name], made[KEPT], THREE_STAGES))
        for number in range(1, MAX_STAGES):
            pair = made[f"s{number}_out"], made[f"s{number + 1}_out"]
            made.add(config_space.ForbiddenGreaterThanRelation(*pair))
    return made


def arch_of_configuration(configuration: Configuration) -> str:
    """The arch that a configuration of `configuration_space` makes.

    Raises:
        UsageError: a configuration of no space of ours, or whose decisions make no arch.
    """
    return arch_of(_name_of(configuration.config_space), dict(configuration))


def configuration_of(config_space: ConfigurationSpace, arch: str | Arch) -> Configuration:
    """An arch as a configuration.

    Args:
        config_space: as `configuration_space` made it.

    Raises:
        UsageError: a space that was not made so, or no arch of it.
    """
    package = needs("nbzero.adapters.configspace", "ConfigSpace")
    made: Configuration = package.Configuration(config_space, values=values_of(_name_of(config_space), arch))
    return made


def _name_of(config_space: Any) -> str:
    """The space that a ConfigurationSpace is of."""
    name = getattr(config_space, "name", None)
    if name in CHOICES or name in IMPORTED:
        wanted = {decision.name for decision in decisions_of(name)}
        if set(config_space) == wanted:
            return str(name)
    raise UsageError(f"{quoted(config_space)} was not made by nbzero.adapters.configuration_space")
