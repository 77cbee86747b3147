"""A place at a URL, store:///FOLDER: an object store whose objects lie in a folder. No test itself.

Several processes reach it. As in such a store an object appears whole or not at all, there are no folders,
no renames, and no locks.
"""

import os
import tempfile
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem


class Store(AbstractFileSystem):
    protocol = "store"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._disk = LocalFileSystem()

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        found = []
        for one in self._disk.ls(self._strip_protocol(path), detail=True):
            if not one["name"].endswith(".upload"):
                found.append(one if detail else one["name"])
        return found

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return self._disk.info(self._strip_protocol(path))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """There are no folders."""

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        return self._disk.cat_file(self._strip_protocol(path), start, end)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        path = self._strip_protocol(path)
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        number, uploaded = tempfile.mkstemp(".upload", dir=folder)
        with os.fdopen(number, "wb") as file:
            file.write(value)
        os.replace(uploaded, path)

    def rm_file(self, path: str) -> None:
        os.unlink(self._strip_protocol(path))

    def rmdir(self, path: str) -> None:
        """There are no folders."""


fsspec.register_implementation("store", Store, clobber=True)
