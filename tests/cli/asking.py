"""How the tests ask the command: in this process, or in one of its own. No test itself."""

import json
import os
import subprocess
import sys
from functools import cache

import typer.testing
from typer.main import get_command
from typer.testing import CliRunner

from nbzero import Bench
from nbzero.cli import main as cli

# Typer makes the whole command anew whenever it is invoked, which takes longer than most answers.
typer.testing._get_command = cache(get_command)

ARCH = "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2"


SHORT = ("--dataset", "cifar10", "--recipe", "cpu-16px-4")


COMMANDS = (
    *("info", "query", "top", "space", "verify", "cite"),
    "score",
    *("mbr", "corr", "constrained", "hybrid", "factors", "evaluate"),
    *("leaderboard", "submit"),
    "search",
    *("plot", "report", "explore", "export", "export-onnx"),
)


FIRST = tuple(Bench().space("r1-mini").members[1:40])


def mine():
    """Scores of one's own, as the text of a JSON file: one of 40 archs is worse than the others."""
    return json.dumps({ARCH: 1, **dict.fromkeys(FIRST, 2)})


def ask(*args, status=0, given=None, **env):
    """What a command prints, in this process; the exit status has to be `status`."""
    done = CliRunner().invoke(
        cli.app, [str(arg) for arg in args], input=given, env={"NBZERO_RELEASE": None, "COLUMNS": None, **env}
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, (done.exit_code, done.output)
    return done


def answer(*args, **more):
    return json.loads(ask("--json", *args, **more).stdout)


def real(*args, given=None, **env):
    """A command in a process of its own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NBZERO_RELEASE", "FORCE_COLOR", "COLUMNS", "NO_COLOR")
    }
    whole = [sys.executable, "-m", "nbzero", *map(str, args)]
    return subprocess.run(
        whole, check=False, capture_output=True, text=True, input=given, env={**clean, **env}
    )
