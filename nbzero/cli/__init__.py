"""The command `nbzero`: what the API answers, as tables, JSON or CSV.

It needs typer and rich: pip install '.[cli]'.
"""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.cli.frame import app as app
    from nbzero.cli.main import run as run

__all__ = face(__name__, frame=("app",), main=("run",))
