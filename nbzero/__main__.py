"""The command `nbzero`, and python -m nbzero: runs `nbzero.cli`, or says what to install where typer or rich is not."""

import importlib.util
import sys


def main() -> int:
    """Runs the command line; returns the exit status: 2 where typer or rich is not installed."""
    absent = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if absent:
        print(
            f"nbzero: the command line needs {' and '.join(absent)}, not installed here: pip install 'nbzero[cli]'",
            file=sys.stderr,
        )
        return 2
    from nbzero.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
