"""Search: simulated searches on the tables and the surrogate, by a clock."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.search.answers import PredictedAccuracy as PredictedAccuracy
    from nbzero.search.clock import quality as quality
    from nbzero.search.simulation import Simulation as Simulation

__all__ = face(__name__, answers=("PredictedAccuracy",), clock=("quality",), simulation=("Simulation",))
