"""Images on the disk, checked and cached: `python -m nbzero.images prepare`.

    python -m nbzero.images prepare cifar10 --source DIR --out DIR
    python -m nbzero.images prepare cifar10 --download --out DIR

The first makes DIR/cifar10.h5 of a folder, an archive or strips. The second fetches the official archive
first, and goes on where it was broken off. `NBZERO_IMAGES` names the folder where `load` then looks unless
told otherwise.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbzero.errors import ImagesError, NBZeroError, needs
from nbzero.files import make_folder, rename, sync_file, sync_folder
from nbzero.images.facts import ARRAYS, DATASETS, ENVIRONMENT, dataset
from nbzero.images.sources import find_source, read_official, sha256_of, where_to_get

BLOCK = 1 << 18  # bytes read at a time


def _output_folder(out: str | Path) -> Path:
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ImagesError(f"{out}: is a file; name a folder to write to")
    try:
        make_folder(out)
    except OSError as error:
        raise ImagesError(
            f"{out}: cannot be made ({error.strerror}); name another folder to write to"
        ) from error
    return out


def prepare(name: str, source: str | Path | None, out: str | Path) -> Path:
    """Writes the HDF5 cache `{name}.h5` into the folder `out`.

    It holds the four arrays, uncompressed, each with its sha256. CIFAR takes 185 MB, and is read and checked
    in 0.3 s. The file appears when it is finished, and not at all where something fails. Errors as
    `find_source` and `read_official`.
    """
    h5py = needs("the cache of images", "h5py")
    images = read_official(name, find_source(name, source))
    path = _output_folder(out) / f"{name}.h5"
    part = path.with_name(path.name + ".part")
    try:
        with h5py.File(part, "w") as file:
            file.attrs["dataset"], file.attrs["origin"] = images.dataset, images.origin
            for key in ARRAYS:
                array = getattr(images, key)
                file.create_dataset(key, data=array).attrs["sha256"] = sha256_of(array)
        sync_file(part)
        rename(part, path)
    except OSError as error:
        raise ImagesError(
            f"{path}: cannot be written ({error}); free space or name another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def download(name: str, out: str | Path, url: str | None = None) -> Path:
    """Fetches the official archive into the folder `out` with progress, and checks its published md5.

    What an interrupted call got stays in `<archive>.part`. The next one asks the server only for the rest. A
    file that is there and whole is not fetched again.

    Args:
        url: http(s) address of a mirror of the same archive; None is the official address.

    Raises:
        ImagesError: nothing to download; the server fails or breaks off; another md5 (nothing is left
            behind).
    """
    pooch = needs("downloading images", "pooch")
    spec = dataset(name)
    if not spec.archive:
        hint = where_to_get(spec)
        if name == "digits":
            hint = "scikit-learn carries it: prepare it without --download"
        raise ImagesError(f"{name!r} has no archive to download. {hint}")
    url = url or spec.url
    if not url.startswith(("http://", "https://")):
        raise ImagesError(f"{url!r}: must be an http:// or https:// address of {spec.archive}")
    path = _output_folder(out) / spec.archive
    part = path.with_name(path.name + ".part")
    try:
        pooch.retrieve(
            url,
            known_hash=f"md5:{spec.archive_md5}",
            fname=path.name,
            path=path.parent,
            downloader=lambda address, output, _: _download_rest(address, Path(output), part),
        )
    except ValueError as error:  # how pooch says that the hash differs; it has removed the file
        raise ImagesError(
            f"{url}: is not the official {spec.archive} (md5 {spec.archive_md5}), so {path} was not written; "
            "run again or, where that does not help, with another --url"
        ) from error
    sync_folder(path.parent)  # pooch has renamed it
    return path


def _download_rest(url: str, output: Path, part: Path) -> None:
    """Completes `part` from the server, then renames it to `output`."""
    offset = part.stat().st_size if part.exists() else 0
    try:
        _fetch(url, part, offset)
    except (OSError, http.client.HTTPException) as error:
        # 416: nothing follows what is there. Its md5 decides.
        is_whole = offset > 0 and getattr(error, "code", None) == 416
        if not is_whole:
            kept = f" {part} keeps the first {part.stat().st_size:,} bytes." if part.exists() else ""
            raise ImagesError(
                f"{url}: the download failed ({error}).{kept} Run the same command to go on"
            ) from error
    sync_file(part)
    rename(part, output)


def _fetch(url: str, part: Path, offset: int) -> None:
    """Append to `part` what follows its first `offset` bytes; all of it from a server without ranges.

    Raises:
        ImagesError: another range than asked for.
        OSError, http.client.HTTPException: the server fails or breaks off.
    """
    request = urllib.request.Request(url)
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with urllib.request.urlopen(request, timeout=60) as response:
        if response.status != 206:
            offset = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise ImagesError(f"{url}: sent another range than asked for; delete {part} and run again")
        length = response.headers["Content-Length"]
        total = offset + int(length) if length else None
        with part.open("ab" if offset else "wb") as file, _progress() as progress:
            bar = progress.add_task(part.stem, total=total, completed=offset)
            while chunk := response.read(BLOCK):
                file.write(chunk)
                progress.advance(bar, len(chunk))
    if total is not None and part.stat().st_size < total:
        raise http.client.IncompleteRead(b"", total - part.stat().st_size)


def _progress() -> Any:
    """rich's bar on standard error, with bytes, speed and the time that is left."""
    bars = needs("the progress of a download", "rich.progress")
    console = needs("the progress of a download", "rich.console").Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    return bars.Progress(*columns, console=console)


def main(argv: Sequence[str] | None = None) -> None:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m nbzero.images", description="Real images, checked and cached."
    )
    command = parser.add_subparsers(required=True).add_parser(
        "prepare", help="write DIR/{dataset}.h5 with checksums"
    )
    command.add_argument("dataset", help=", ".join(DATASETS))
    command.add_argument("--out", default=".", help="folder to write to (default: the current one)")
    command.add_argument("--source", help=f"folder, archive or .h5 file to read (default: ${ENVIRONMENT})")
    command.add_argument(
        "--download", action="store_true", help="fetch the official archive into --out first"
    )
    command.add_argument("--url", help="where to fetch it instead of the official address")
    given = parser.parse_args(argv)
    if given.source and given.download:
        command.error("--source and --download exclude each other")
    if given.url and not given.download:
        command.error("--url goes with --download")
    try:
        source = download(given.dataset, given.out, given.url) if given.download else given.source
        path = prepare(given.dataset, source, given.out)
        images = read_official(given.dataset, path)
    except NBZeroError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB) from {images.origin}; read back and checked")
    for key in ARRAYS:
        array = getattr(images, key)
        print(f"  {key:12} {array.dtype} {array.shape}  sha256 {sha256_of(array)}")
    print(f"set {ENVIRONMENT}={path.resolve().parent} to have it found")
