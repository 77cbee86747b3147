"""Search: simulated searches by the clock of what each training and scoring took."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.search.clock import Simulation as Simulation

__all__ = face(__name__, clock=("Simulation",))
