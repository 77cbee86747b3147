"""Releases as they were before runs and scores said where they belong. No test itself."""

import io
import json
import shutil
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

from nbzero.release.index import build_index, index_path
from nbzero.release.manifest import MANIFEST, Release
from nbzero.release.schema import WHERE, parse_path


def made_older(release: Path, folder: Path) -> Path:
    """A copy of a release whose runs and scores lack space, dataset and arch, with its indexes."""
    shutil.copytree(release, folder)
    content = json.loads((folder / MANIFEST).read_text())
    for name in sorted(
        content["files"], reverse=True
    ):  # scores and runs, then indexes, which need their sums
        if not name.startswith(("runs/", "scores/")):
            continue
        table = pq.ParquetFile(folder / name).read().drop_columns(list(WHERE))
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        _replace(folder, content, name, sink.getvalue())
    (folder / MANIFEST).write_text(json.dumps(content))
    opened = Release.open(folder)
    for space in {key[1] for key in opened.tables()}:
        named = {f"{k}/{ds}" if ds else k: t for (k, of, ds), t in opened.tables().items() if of == space}
        sources = {}
        for path, file in opened.manifest.files.items():
            if path.endswith(".parquet") and parse_path(path)[1] == space:
                sources[path] = file.sha256
        _replace(folder, content, index_path(space), build_index(space, named, sources))
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def _replace(folder: Path, content: dict, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    content["files"][name].update(bytes=len(data), sha256=sha256(data).hexdigest())
