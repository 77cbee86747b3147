"""The command `nbzero`, and python -m nbzero.

It runs `nbzero.cli.main`, or says what to install where typer or rich is not.
"""

import importlib.util
import sys

from nbzero.errors import INSTALL


def main() -> int:
    """The exit status of the command line; 2 where typer or rich is not installed."""
    absent = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if absent:
        needed = f"the command line needs {' and '.join(absent)}, not installed here"
        print(f"nbzero: {needed}: pip install {INSTALL['typer']}", file=sys.stderr)
        return 2
    from nbzero.cli.main import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
