"""Adapters: a bench for optuna, pymoo, syne-tune and ConfigSpace, and for scripts written for NATS-Bench."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.adapters.configspace import (
        arch_of_configuration as arch_of_configuration,
        configuration_of as configuration_of,
        configuration_space as configuration_space,
    )
    from nbzero.adapters.nats import NATSBench as NATSBench, create as create
    from nbzero.adapters.optuna import Objective as Objective, distributions as distributions
    from nbzero.adapters.pymoo import Objectives as Objectives
    from nbzero.adapters.syne_tune import blackbox as blackbox
    from nbzero.adapters.trainings import Training as Training, Trainings as Trainings

__all__ = face(
    __name__,
    configspace=("arch_of_configuration", "configuration_of", "configuration_space"),
    nats=("NATSBench", "create"),
    optuna=("Objective", "distributions"),
    pymoo=("Objectives",),
    syne_tune=("blackbox",),
    trainings=("Training", "Trainings"),
)
