"""The jobs that make releases, run from a checkout: python -m builders.train_shard."""

import sys
import types

from nbzero.errors import INSTALL

if sys.argv[0] == "-m":  # a job is about to be imported, by python -m

    def _quietly(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        """Ctrl-C while it is imported, or a package that is missing, ends it in a line; others as ever."""
        package = str(getattr(error, "name", None)).partition(".")[0]
        if issubclass(kind, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
        elif issubclass(kind, ImportError) and package in INSTALL:
            print(
                f"error: the job needs {package} ({error}): pip install {INSTALL[package]}", file=sys.stderr
            )
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = _quietly
