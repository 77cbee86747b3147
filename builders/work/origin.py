"""What every row says of where it comes from: device, software and commit."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nbzero.errors import UsageError, quoted

ROOT = Path(__file__).resolve().parents[2]
CODE = ("nbzero", "train", "builders")  # what computes a row


def device_name(device: str) -> str:
    """What a row's `device` says: the card's name, or the processor's and that one thread ran."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, 1 thread"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def said_together(engine: str, together: int, graphs: bool) -> str:
    """What the `engine` of a row says of a network that trained beside others.

    >>> said_together("local", 16, graphs=True)
    'local, 16 together, CUDA graphs'
    """
    made_by = ", CUDA graphs" if graphs else ""
    return f"{engine}, {together} together{made_by}"


def together_of(engine: str) -> int:
    """How many networks trained together, as a row's `engine` says; its time is as much longer.

    >>> together_of("local, 16 together, CUDA graphs"), together_of("local")
    (16, 1)
    """
    found = re.search(r", (\d+) together", engine)
    return int(found[1]) if found else 1


def software() -> str:
    """What a row's `software` says."""
    import torch

    return f"torch {torch.__version__}, numpy {np.__version__}, python {platform.python_version()}"


@functools.cache
def builder_commit() -> str:
    """The commit of the checkout that this file lies in, with "+changes" where its tracked code differs.

    Outside a checkout it is the installed version. A copy of a checkout without its .git, as in a container,
    says its commit by NBZERO_BUILDER_COMMIT.
    """
    said = os.environ.get("NBZERO_BUILDER_COMMIT", "")
    if said:
        if not re.fullmatch(r"[0-9a-f]{40}", said):
            what = "40 hexadecimal digits, as git rev-parse HEAD prints"
            raise UsageError(f"NBZERO_BUILDER_COMMIT is {quoted(said)}; it is {what}")
        return said
    commit = _git("rev-parse", "HEAD") if (ROOT / ".git").exists() else ""
    if not commit:
        return f"nbzero {version('nbzero')}"
    changes = _git("status", "--porcelain", "-uno", "--", *CODE)
    return f"{commit}+changes" if changes else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
