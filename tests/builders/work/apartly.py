"""What files may do to the process that reads them. No test itself."""

import os
import signal
import time
from typing import Any

from nbzero.errors import ReleaseError


def read(data: bytes, name: str) -> Any:
    """Loops, crashes or fails where the bytes say so; else the process's number and the bytes."""
    if data.endswith(b"loops"):
        while True:
            time.sleep(1)
    if data.endswith(b"crashes"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.endswith(b"is killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.endswith(b"is large"):
        return bytes(1 << 31)
    if data.endswith(b"is damaged"):
        raise ReleaseError(f"{name} is damaged")
    if data.endswith(b"finds a bug"):
        raise KeyError("a bug of ours")
    return os.getpid(), data
