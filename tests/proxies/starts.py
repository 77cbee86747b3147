"""What workers start with in tests, where they can import it. No test itself."""

import os
import signal
import time

from nbzero.errors import UsageError
from nbzero.proxies.workers import Outcome


def doubling(payload):
    """Computes a multiple of the seed; dies of seed 13, hangs of 14."""
    factor = int(payload)

    def compute(arch, seed):
        if seed == 13:
            os._exit(7)
        if seed == 14:
            time.sleep(600)
        return Outcome(float(factor * seed), arch, 0.0)

    return compute


def refusing(payload):
    raise UsageError(f"no worker for {payload.decode()}")


def leaving(payload):
    os._exit(9)


def killed(payload):
    def compute(arch, seed):
        os.kill(os.getpid(), 9)

    return compute


def blocked(connection):
    """A process that says which signals wait when it starts."""
    connection.send(
        sorted(signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    )
