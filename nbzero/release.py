"""The files of a release: its manifest, and every file checked against it before it is read.

A release is a directory, local or at any fsspec URL. `manifest.json` names the data version, the schema version, and each file's bytes, rows
and SHA-256; it is written last. Nothing is ever pickled, and no path leaves the directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbzero.errors import ReleaseError
from nbzero.schema import SCHEMA_VERSION, safe_path

MANIFEST = "manifest.json"
FORMAT = "nbzero release"


@dataclass(frozen=True, slots=True)
class File:
    """What the manifest says of one file: its size, its table's rows (0 for an index), and its SHA-256 in hex."""

    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of manifest.json."""

    data_version: str
    files: dict[str, File]

    def to_json(self) -> bytes:
        files = {path: {"bytes": file.bytes, "rows": file.rows, "sha256": file.sha256} for path, file in sorted(self.files.items())}
        head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "data_version": self.data_version, "files": files}
        return (json.dumps(head, indent=1) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Manifest:
        """The manifest in `data`; ReleaseError naming `where` for anything else."""
        try:
            content: Any = json.loads(data)
        except ValueError as error:
            raise ReleaseError(f"{where} is truncated or corrupted ({error}); fetch the release anew") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ReleaseError(f'{where} is no manifest of this project (it lacks "format": "{FORMAT}"); name a release directory')
        if content.get("schema_version") != SCHEMA_VERSION:
            raise ReleaseError(
                f"{where} has schema version {content.get('schema_version')!r}, this nbzero reads {SCHEMA_VERSION}; install the nbzero that made it"
            )
        try:
            version = parse_version(content["data_version"])
            files = {safe_path(path): File(int(f["bytes"]), int(f["rows"]), str(f["sha256"])) for path, f in content["files"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ReleaseError(f"{where} is malformed ({type(error).__name__}: {error}); fetch the release anew") from error
        return cls(".".join(map(str, version)), files)


def parse_version(text: str) -> tuple[int, int, int]:
    """`"1.2.3"` to (1, 2, 3); ValueError for anything else.

    >>> parse_version("1.2.3")
    (1, 2, 3)
    """
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"data version {text!r}; it is like 1.2.3")
    return int(match[1]), int(match[2]), int(match[3])


def cache_folder() -> Path:
    """Where fetched files and rebuilt indexes lie: NBZERO_CACHE, else nbzero in the user's cache folder."""
    given = os.environ.get("NBZERO_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbzero"


def embedded_folder() -> Path:
    """The release that ships with this package: nbzero/data in an installed wheel, data/ in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "data", here.parent / "data"):
        if (folder / MANIFEST).exists():
            return folder
    raise ReleaseError(f"no embedded release beside {here}; reinstall nbzero, or name a release: Bench(PATH_OR_URL)")


def write_whole(path: Path, data: bytes) -> None:
    """Make a local file that appears whole or not at all: `<name>.part`, flushed to the disk, then renamed.

    Raises:
        ReleaseError: the disk is full or the folder cannot be written; nothing of the file is left.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the part may not exist; the first error is the one to tell
            part.unlink()
        raise ReleaseError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder, then run the same command again: "
            "what is finished is kept"
        ) from error


@dataclass
class Release:
    """The checked files of one release."""

    url: str
    manifest: Manifest
    folder: Path | None  # None: at an fsspec URL
    _checked: dict[str, Path] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path_or_url: str | os.PathLike[str] | None = None) -> Release:
        """The release in a directory or at a URL; None: the embedded one.

        Raises:
            ReleaseError: no manifest there, or one that is damaged or of another project or schema.
        """
        url = os.fspath(embedded_folder() if path_or_url is None else path_or_url)
        if "://" in url:
            return cls(url.rstrip("/"), Manifest.parse(_fetched(f"{url.rstrip('/')}/{MANIFEST}"), f"{url}/{MANIFEST}"), None)
        folder = Path(url)
        try:
            data = (folder / MANIFEST).read_bytes()
        except OSError as error:
            raise ReleaseError(
                f"no release in {folder}: {folder / MANIFEST} cannot be read ({error.strerror}); name a directory that merge_shards made"
            ) from error
        return cls(url, Manifest.parse(data, str(folder / MANIFEST)), folder)

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest, which fixes every byte of the release."""
        return hashlib.sha256(self.manifest.to_json()).hexdigest()

    def path(self, name: str) -> Path:
        """A local file that holds exactly what the manifest promises, fetched into the cache where the release is remote.

        Raises:
            ReleaseError: no such file in the manifest, or it is missing, truncated or changed.
        """
        if name not in self._checked:
            if name not in self.manifest.files:
                raise ReleaseError(f"{self.url} has no {name}; its manifest names {', '.join(sorted(self.manifest.files))}")
            self._checked[name] = self._checked_file(name, self.manifest.files[name])
        return self._checked[name]

    def _checked_file(self, name: str, promised: File) -> Path:
        if self.folder is not None:
            path = self.folder / name
            try:
                data = path.read_bytes()
            except OSError as error:
                raise ReleaseError(f"{path} cannot be read ({error.strerror}); fetch the release anew") from error
            check_bytes(data, promised, str(path))
            return path
        path = cache_folder() / "files" / promised.sha256 / Path(name).name
        if path.exists() and path.stat().st_size == promised.bytes:
            check_bytes(path.read_bytes(), promised, str(path))
            return path
        data = _fetched(f"{self.url}/{name}")
        check_bytes(data, promised, f"{self.url}/{name}")
        write_whole(path, data)
        return path


def check_bytes(data: bytes, promised: File, where: str) -> None:
    """ReleaseError naming the file where its bytes are not those of the manifest."""
    if len(data) != promised.bytes:
        raise ReleaseError(f"{where} has {len(data)} bytes, its manifest says {promised.bytes}: truncated or of another version; fetch it anew")
    if hashlib.sha256(data).hexdigest() != promised.sha256:
        raise ReleaseError(f"{where} does not have the checksum in its manifest: corrupted or edited; fetch it anew")


def _fetched(url: str) -> bytes:
    try:
        import fsspec
    except ImportError as error:
        raise ReleaseError(f"{url} is a URL, which needs fsspec: pip install fsspec") from error
    try:
        with fsspec.open(url, "rb") as file:
            data: bytes = file.read()
    except (OSError, ValueError, ImportError) as error:
        raise ReleaseError(f"{url} cannot be fetched ({type(error).__name__}: {error}); check the address and the network") from error
    return data
