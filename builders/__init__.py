"""The jobs that make releases, run from a checkout: python -m builders.train_shard."""

import sys
import types

if sys.argv[0] == "-m":  # a job is about to be imported, by python -m

    def _quietly(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        """Ctrl-C while it is imported ends it in a line; what else is raised is told as ever."""
        if issubclass(kind, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = _quietly
