"""The whole command: every module of commands adds its own to the app when it is imported."""

from __future__ import annotations

from nbzero.cli import board, judge, look, networks, own, search, write
from nbzero.cli.frame import OK, app

# In the order of the help: look, score, judge, rank, search, write, export.
_MODULES = [module.__name__ for module in (look, own, judge, board, search, write, networks)]
app.registered_commands.sort(key=lambda one: _MODULES.index(one.callback.__module__))


def run() -> int:
    """The whole command; ends the process with the exit status."""
    app(prog_name="nbzero")
    return OK
