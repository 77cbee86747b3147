"""syne-tune: trainings as a blackbox for its simulator backend.

    told = blackbox(Bench(), "r1-mini", "cifar10", unmeasured="refuse")
    backend = UserBlackboxBackend(told, elapsed_time_attr="elapsed_time")
    scheduler = ASHA(
        told.configuration_space, metric="val_acc", do_minimize=False, time_attr="epoch", max_t=4
    )

All that syne-tune 0.16 asks for brings xgboost with CUDA's NCCL, which has the files of xgboost-cpu; nothing
here needs it. So: pip install --no-deps syne-tune, and pip install dill huggingface_hub pandas psutil
scikit-learn tqdm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from nbzero.adapters.trainings import How, Training, Trainings, check_clock
from nbzero.errors import NothingFoundError, UsageError, needs, whole

if TYPE_CHECKING:
    from nbzero.bench import Bench

ASKED_BY = "nbzero.adapters.syne_tune"
VAL_ACC, ELAPSED, EPOCH = "val_acc", "elapsed_time", "epoch"


def blackbox(
    bench: Bench,
    space: str,
    dataset: str,
    recipe: str | None = None,
    *,
    absent: float | None = None,
    **how: Unpack[How],
) -> Any:
    """A syne-tune Blackbox of val_acc (a fraction) and elapsed_time (seconds since the training began).

    Its fidelity is `epoch`: every epoch of the curves, where all trainings that can be asked for have one. Of
    what is predicted, and of imported runs without curves, there is one fidelity, 1: the whole training. A
    training's seconds are spread evenly over its epochs.

    Args:
        bench, space, dataset, recipe, how: as `nbzero.adapters.Trainings`; a clock is needed.
        absent: the val_acc of an arch that has none, whose run diverged or that does not meet `where`; None:
            it is an error to ask for it.

    Returns:
        A Blackbox. Its `trainings` are the `nbzero.adapters.Trainings` that answer. Asked with a seed it
        answers by the runs of that seed.

    Raises:
        MissingPackageError: syne-tune is not installed, or what its blackboxes need.
        UsageError, UnknownNameError, NothingFoundError: as `nbzero.adapters.Trainings`; no clock.
    """
    base = needs(ASKED_BY, "syne_tune.blackbox_repository.blackbox").Blackbox
    domains = needs(ASKED_BY, "syne_tune.config_space")
    trainings = Trainings(bench, space, dataset, recipe, **how)
    check_clock(trainings, "the simulator backend")
    num_epochs = trainings.num_epochs()
    configuration_space = {}
    for name, options, has_order in trainings.decisions:
        domain = domains.ordinal if has_order else domains.choice
        configuration_space[name] = domain(list(options))

    class TrainingsBlackbox(base):  # type: ignore[misc, valid-type]
        """Answers by trainings; the module says what."""

        def __init__(self) -> None:
            super().__init__(
                configuration_space=configuration_space,
                fidelity_space={EPOCH: domains.randint(1, num_epochs)},
                objectives_names=[VAL_ACC, ELAPSED],
            )
            self.trainings = trainings

        @property
        def fidelity_values(self) -> npt.NDArray[np.int64]:
            return np.arange(1, num_epochs + 1)

        def _objective_function(
            self,
            configuration: Mapping[str, Any],
            fidelity: Mapping[str, Any] | None = None,
            seed: int | None = None,
        ) -> Any:
            training = trainings.train(trainings.arch_of(configuration), seed)
            table = _by_epoch(training, num_epochs, absent)
            if fidelity is None:
                return table
            epoch = _checked_epoch(fidelity, num_epochs)
            return {VAL_ACC: float(table[epoch - 1, 0]), ELAPSED: float(table[epoch - 1, 1])}

    return TrainingsBlackbox()


def _by_epoch(training: Training, num_epochs: int, absent: float | None) -> npt.NDArray[np.float64]:
    """(num_epochs, 2) val_acc and elapsed_time after each."""
    if training.accuracy is None and absent is None:
        raise NothingFoundError(f"{training.reason}; give absent, the val_acc that counts for such an arch")
    found: list[float] = list(training.curve)
    if num_epochs == 1:
        found = []
    if training.accuracy is None:
        assert absent is not None
        found += [absent] * (num_epochs - len(found))
        found[-1] = absent
    elif not found:
        found = [float(training.accuracy)]
    elapsed = training.seconds * np.arange(1, num_epochs + 1) / num_epochs
    return np.column_stack([found, elapsed])


def _checked_epoch(fidelity: Mapping[str, Any], num_epochs: int) -> int:
    if set(fidelity) != {EPOCH}:
        raise UsageError(f"fidelity {dict(fidelity)}; it is {EPOCH} alone, from 1 to {num_epochs}")
    return whole(EPOCH, fidelity[EPOCH], least=1, most=num_epochs)
