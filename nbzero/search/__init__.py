"""Search: strategies over any space, and simulated searches by a clock, on the tables and the surrogate."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.search.answers import PredictedAccuracy as PredictedAccuracy
    from nbzero.search.clock import quality as quality
    from nbzero.search.controller import reinforcement as reinforcement
    from nbzero.search.evolution import evolution as evolution
    from nbzero.search.ground import Ground as Ground
    from nbzero.search.history import History as History
    from nbzero.search.live import live as live
    from nbzero.search.objective import Objective as Objective
    from nbzero.search.regret import regret as regret
    from nbzero.search.run import STRATEGIES as STRATEGIES, run as run
    from nbzero.search.sampling import random as random, top_k as top_k
    from nbzero.search.simulation import Simulation as Simulation
    from nbzero.search.swap_nas import swap_nas as swap_nas, swap_nas_sized as swap_nas_sized

__all__ = face(
    __name__,
    answers=("PredictedAccuracy",),
    clock=("quality",),
    controller=("reinforcement",),
    evolution=("evolution",),
    ground=("Ground",),
    history=("History",),
    live=("live",),
    objective=("Objective",),
    regret=("regret",),
    run=("STRATEGIES", "run"),
    sampling=("random", "top_k"),
    simulation=("Simulation",),
    swap_nas=("swap_nas", "swap_nas_sized"),
)
