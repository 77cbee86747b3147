"""The face of a package: its public names, each loaded from its module when it is first asked for.

So importing a package imports neither numpy nor torch. A function may share the name of its module, as
`nbzero.metrics.picks` does. The name on the face is then the function, as it is where a package imports all
its names at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from nbzero.errors import INSTALL, needs


class _Face(ModuleType):
    """A package with names that wait in its modules."""

    _homes: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        home = self._homes.get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(self._module(home, name), name)
        self.__dict__[name] = value
        return value

    def _module(self, home: str, name: str) -> ModuleType:
        """The module of a name; MissingPackageError where it needs a package that is not there."""
        try:
            return import_module(f"{self.__name__}.{home}")
        except ImportError as error:
            if error.name in INSTALL:
                needs(f"{self.__name__}.{name}", error.name)
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        """Python sets a module that was imported on its package; a public name of that spelling stays."""
        if not (isinstance(value, ModuleType) and name in self._homes):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})


def face(package: str, **names: tuple[str, ...]) -> list[str]:
    """Give a package its face.

    Args:
        package: its `__name__`.
        names: by module, the public names that it holds.

    Returns:
        The names, sorted, for `__all__`.
    """
    homes = {name: module for module, held in names.items() for name in held}
    module = sys.modules[package]
    module.__dict__["_homes"] = homes
    module.__class__ = _Face
    return sorted(homes)
