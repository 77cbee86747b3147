"""The files of a release: its manifest, and every file checked against it before it is read.

A release is a directory, local or at any fsspec URL. `manifest.json` names the data version, the schema
version, and each file's bytes, rows and SHA-256. That of a derived release also names its parent. It is
written last. Nothing is ever pickled, and no path leaves the directory. While a merge renames its files there
is a `manifest.next.json` beside it (see `builders.work.commit`). Then the release is not read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from nbzero.errors import OutputError, ReleaseError, UsageError
from nbzero.files import cache_folder, write_cached
from nbzero.release.reading import joined, open_regular, pieces, read_file, read_url, size_and_sha256
from nbzero.release.schema import SCHEMA_VERSION, TableKey, parse_path, safe_path

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
NEXT = "manifest.next.json"
FORMAT = "nbzero release"
ONCE = 1 << 26  # bytes; a larger file is read whole once, not at every opening
MAX_BYTES = 1 << 24  # of a manifest: some 100,000 files
LABEL = "[a-z][a-z0-9]*"  # of derived releases


@dataclass(frozen=True, slots=True)
class File:
    """What the manifest says of one file.

    Attributes:
        bytes: its size.
        rows: of its table; 0 for an index.
        sha256: in hex.
    """

    bytes: int
    rows: int
    sha256: str

    @classmethod
    def parse(cls, said: Any) -> File:
        """One entry of a manifest; ValueError, TypeError or KeyError for any other content."""
        for name in ("bytes", "rows"):
            if type(said[name]) is not int or said[name] < 0:
                raise UsageError(f"{name} {said[name]!r}; it is a whole number")
        # It becomes part of a path in the cache.
        return cls(said["bytes"], said["rows"], _checked_sha256(said["sha256"]))


class Version(NamedTuple):
    """A data version in its parts.

    `0.9.0` is a release, `0.9.0+yours.2` the second that "yours" derived from it. The form is that of a local
    version in PEP 440.

    >>> Version.parse("0.9.0+yours.2")
    Version(plain=(0, 9, 0), label='yours', number=2)
    """

    plain: tuple[int, int, int]
    label: str = ""
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """UsageError for anything that is no data version."""
        plain, plus, local = text.partition("+") if isinstance(text, str) else (text, "", "")
        if not plus:
            return cls(parse_version(plain))
        match = re.fullmatch(rf"({LABEL})\.([1-9]\d*)", local)
        if not match:
            raise UsageError(
                f"data version {text!r}; it is like 1.2.3, a derived release's like 1.2.3+yours.1"
            )
        return cls(parse_version(plain), match[1], int(match[2]))

    def __str__(self) -> str:
        plain = ".".join(map(str, self.plain))
        return f"{plain}+{self.label}.{self.number}" if self.label else plain


@dataclass(frozen=True, slots=True)
class Parent:
    """The release that a derived one was made from.

    Attributes:
        data_version: of the parent.
        sha256: of its manifest, in hex.
    """

    data_version: str
    sha256: str

    @classmethod
    def parse(cls, said: Any) -> Parent:
        """The parent in a manifest; ValueError, TypeError or KeyError for any other content."""
        return cls(str(Version.parse(said["data_version"])), _checked_sha256(said["sha256"]))

    def __str__(self) -> str:
        return f"{self.data_version} (manifest SHA-256 {self.sha256})"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of manifest.json.

    Attributes:
        files: the tables and indexes, by path.
        parent: None where the release is not derived from another.
        others: files beside them that the release also has, by path.
    """

    data_version: str
    files: dict[str, File]
    parent: Parent | None = None
    others: dict[str, File] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The bytes of manifest.json."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "data_version": self.data_version,
        }
        if self.parent is not None:
            content["parent"] = asdict(self.parent)
        content["files"] = {path: asdict(self.files[path]) for path in sorted(self.files)}
        if self.others:
            content["others"] = {path: asdict(self.others[path]) for path in sorted(self.others)}
        return (json.dumps(content, indent=1) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Manifest:
        """The manifest in `data`; ReleaseError naming `where` for anything else."""
        try:
            content: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            why = f"truncated or corrupted ({error})"
            raise ReleaseError(f"{where} is {why}; fetch the release anew") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            why = f'it lacks "format": "{FORMAT}"'
            raise ReleaseError(f"{where} is no manifest of this project ({why}); name a release directory")
        given = content.get("schema_version")
        if given != SCHEMA_VERSION:
            why = f"has schema version {given!r}, this nbzero reads {SCHEMA_VERSION}"
            raise ReleaseError(f"{where} {why}; install the nbzero that made it")
        try:
            version = Version.parse(content["data_version"])
            parent = Parent.parse(content["parent"]) if "parent" in content else None
            _check_derived(version, parent)
            files = _files_of(content["files"])
            others = _files_of(content.get("others", {}))
        except (KeyError, TypeError, AttributeError, ValueError, ReleaseError) as error:
            why = f"malformed ({type(error).__name__}: {error})"
            raise ReleaseError(f"{where} is {why}; fetch the release anew") from error
        return cls(str(version), files, parent, others)


def _files_of(said: Any) -> dict[str, File]:
    """The files that a manifest lists; errors as `File.parse` and `safe_path`."""
    return {safe_path(path): File.parse(of_file) for path, of_file in said.items()}


def _checked_sha256(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise UsageError(f"sha256 {text!r}; it is 64 hex digits")
    return text


def _check_derived(version: Version, parent: Parent | None) -> None:
    """UsageError where a derived version has no parent, or one of another plain version."""
    if not version.label:
        return
    if parent is None:
        raise UsageError(f"data version {version} is of a derived release, and no parent is named")
    if Version.parse(parent.data_version).plain != version.plain:
        raise UsageError(
            f"data version {version} is derived from another than its parent {parent.data_version}"
        )


def parse_version(text: str) -> tuple[int, int, int]:
    """`"1.2.3"` to (1, 2, 3); UsageError for anything else.

    >>> parse_version("1.2.3")
    (1, 2, 3)
    """
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text) if isinstance(text, str) else None
    if not match:
        raise UsageError(f"data version {text!r}; it is like 1.2.3")
    return int(match[1]), int(match[2]), int(match[3])


def embedded_folder() -> Path:
    """The release that ships with this package: nbzero/data in an installed wheel, data/ in a checkout."""
    here = Path(__file__).resolve().parents[1]  # nbzero
    for folder in (here / "data", here.parent / "data"):
        if (folder / MANIFEST).exists():
            return folder
    advice = "reinstall nbzero, or name a release: Bench(PATH_OR_URL)"
    raise ReleaseError(f"no embedded release beside {here}; {advice}")


@dataclass
class Release:
    """The checked files of one release.

    Attributes:
        url: the URL, or the folder's absolute path.
        sha256: of manifest.json, which fixes every byte of the release.
        folder: None where it is at an fsspec URL.
        anew: read every file anew. Else one of more than ONCE bytes that was checked on this machine and
            has kept its size, inode and times is not read whole again.
    """

    url: str
    manifest: Manifest
    sha256: str
    folder: Path | None
    anew: bool = False

    @classmethod
    def open(cls, path_or_url: str | os.PathLike[str] | None = None, *, anew: bool = False) -> Release:
        """The release in a directory or at a URL; None: the embedded one. `anew` as of the class.

        Raises:
            ReleaseError: no manifest there, one that is damaged or of another project or schema, or a merge
                that was cut off.
        """
        given = os.fspath(embedded_folder() if path_or_url is None else path_or_url)
        if "://" in given:
            folder = None
            url = given
            where = joined(url, MANIFEST)
            data = read_url(where, MAX_BYTES)
        else:
            folder = Path(given).absolute()  # files are read later, perhaps from another working directory
            url = str(folder)
            where = str(folder / MANIFEST)
            data = _manifest_in(folder)
        if len(data) > MAX_BYTES:
            raise ReleaseError(f"{where} has more than {MAX_BYTES:,} bytes; a manifest is smaller")
        return cls(url, Manifest.parse(data, where), hashlib.sha256(data).hexdigest(), folder, anew)

    def file(self, name: str) -> BinaryIO:
        """A file, opened, that holds exactly what the manifest promises.

        What replaces it meanwhile is not seen. Of a remote release it is fetched into the cache.

        Raises:
            ReleaseError: no such file in the manifest, or it is missing, truncated, changed, or of another
                release that has replaced this one.
        """
        promised = self._promised(name)
        if self.folder is None:
            return self._cached_file(name, promised)
        path = self.folder / name
        file = self._opened(path)
        try:
            if not self.anew and _was_checked(path, file, promised):
                return file
            self._check(*size_and_sha256(file, promised.bytes), promised, path)
            if promised.bytes > ONCE:
                _remember(path, file, promised)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def table(self, name: str) -> pa.Table:
        """A Parquet file of the release, whole; ReleaseError as `file`, and where it is no Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        promised = self._promised(name)
        where = joined(self.url, name)
        try:
            file = pq.ParquetFile(pa.BufferReader(self._bytes(name, promised)))
            there = file.metadata.num_rows
            if there != promised.rows:  # before anything is decoded
                raise ReleaseError(
                    f"{where} has {there} rows, its manifest says {promised.rows}; fetch it anew"
                )
            return file.read(use_threads=False)  # a process that ends with Arrow's threads may abort
        except (pa.ArrowException, OSError) as error:
            why = f"no Parquet file that can be read ({error})"
            raise ReleaseError(f"{where} is {why}; fetch the release anew") from error

    def _promised(self, name: str) -> File:
        manifest = self.manifest
        if name in manifest.others:
            return manifest.others[name]
        if name not in manifest.files:
            there = ", ".join(sorted(manifest.files))
            raise ReleaseError(f"{self.url} has no {name}; its manifest names {there}")
        return manifest.files[name]

    def _bytes(self, name: str, promised: File) -> bytes:
        """All of a file, checked: what is checked is what is parsed."""
        if self.folder is None:
            with self._cached_file(name, promised) as file:
                return file.read()
        path = self.folder / name
        with self._opened(path) as file:
            data = b"".join(pieces(file, promised.bytes))
        self._check(len(data), hashlib.sha256(data).hexdigest(), promised, path)
        return data

    def _opened(self, path: Path) -> BinaryIO:
        try:
            return open_regular(path)
        except OSError as error:
            self._check_same()
            why = f"cannot be read ({error.strerror})"
            raise ReleaseError(f"{path} {why}; fetch the release anew") from error

    def _check(self, size: int, sha256: str, promised: File, path: Path) -> None:
        if (size, sha256) != (promised.bytes, promised.sha256):
            self._check_same()
        _check(size, sha256, promised, str(path))

    def _check_same(self) -> None:
        """ReleaseError where another release has taken the place of this one since it was opened."""
        assert self.folder is not None
        try:
            data = read_file(self.folder / MANIFEST, MAX_BYTES)
        except (OSError, ReleaseError):
            return
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ReleaseError(f"{self.folder} was replaced since it was opened; open it again")

    def tables(self) -> dict[TableKey, pa.Table]:
        """Every Parquet table, checked against the manifest.

        Raises:
            ReleaseError: naming a file that is not what it should be.
        """
        found = {}
        for path in self.manifest.files:
            if path.endswith(".parquet"):
                found[parse_path(path)] = self.table(path)
        return found

    def _cached_file(self, name: str, promised: File) -> BinaryIO:
        """A file of a remote release, in the cache."""
        path = cache_folder() / "files" / promised.sha256 / Path(name).name
        if not _holds(path, promised):
            where = joined(self.url, name)
            data = read_url(where, promised.bytes)
            check_bytes(data, promised, where)
            write_cached(path, data)
        return open_regular(path)


def _holds(path: Path, promised: File) -> bool:
    """Whether a file is there and is what a manifest promises."""
    try:
        with open_regular(path) as file:
            return size_and_sha256(file, promised.bytes) == (promised.bytes, promised.sha256)
    except FileNotFoundError:
        return False


def _was_checked(path: Path, file: BinaryIO, promised: File) -> bool:
    """Whether a large file was checked before and is the same since."""
    if promised.bytes <= ONCE:
        return False
    try:
        return _note(path).read_text() == _state(file, promised)
    except OSError:
        return False


def _remember(path: Path, file: BinaryIO, promised: File) -> None:
    """Leave a note in the user's cache that a file was checked; where that cannot be, it is checked again."""
    with contextlib.suppress(OSError, OutputError):
        write_cached(_note(path), _state(file, promised).encode())


def _note(path: Path) -> Path:
    return cache_folder() / "checked" / hashlib.sha256(os.fsencode(path)).hexdigest()


def _state(file: BinaryIO, promised: File) -> str:
    there = os.fstat(file.fileno())
    return f"{promised.sha256} {there.st_size} {there.st_ino} {there.st_mtime_ns} {there.st_ctime_ns}"


def check_bytes(data: bytes, promised: File, where: str) -> None:
    """ReleaseError naming the file where its bytes are not those of the manifest."""
    _check(len(data), hashlib.sha256(data).hexdigest(), promised, where)


def _check(size: int, sha256: str, promised: File, where: str) -> None:
    if size != promised.bytes:
        has = f"more than {promised.bytes}" if size > promised.bytes else str(size)
        why = f"has {has} bytes, its manifest says {promised.bytes}: truncated or of another version"
        raise ReleaseError(f"{where} {why}; fetch it anew")
    if sha256 != promised.sha256:
        why = "does not have the checksum in its manifest: corrupted or edited"
        raise ReleaseError(f"{where} {why}; fetch it anew")


def _manifest_in(folder: Path) -> bytes:
    """manifest.json of a local folder in which no merge is under way."""
    where = folder / MANIFEST
    try:
        if (folder / NEXT).exists():
            advice = "if none runs it was cut off: run the same merge again"
            raise ReleaseError(f"{folder} is in the middle of a merge ({NEXT}); {advice}")
        return read_file(where, MAX_BYTES)
    except OSError as error:
        why = f"{where} cannot be read ({error.strerror})"
        wanted = "a directory, or a URL, with a manifest.json"
        makers = "builders.merge_shards and builders.import_bench"
        raise ReleaseError(f"no release in {folder}: {why}; name {wanted}, as {makers} make it") from error
