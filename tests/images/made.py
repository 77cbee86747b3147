"""A small data set in every format, for the tests of images. No test itself."""

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from nbzero.images.facts import DATASETS
from nbzero.images.prepare import prepare
from tests.places import DATA as STRIPS


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def made_arrays(num_train: int, num_test: int, num_classes: int, size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {}
    for split, num in (("train", num_train), ("test", num_test)):
        made[f"{split}_images"] = rng.integers(0, 256, (num, 3, size, size), dtype=np.uint8)
        made[f"{split}_labels"] = rng.integers(0, num_classes, num)
    return made


def binary(images: np.ndarray, labels: np.ndarray, label_bytes: int) -> bytes:
    columns = [np.full((len(labels), label_bytes - 1), 7), labels[:, None], images.reshape(len(images), -1)]
    return np.concatenate(columns, axis=1).astype(np.uint8).tobytes()


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"tiny-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@dataclasses.dataclass
class Made:
    """A data set of 60 + 20 images of 4x4 in four classes, known as "tiny", and its official files."""

    arrays: dict[str, np.ndarray]
    files: dict[str, bytes]
    archive: bytes

    def write(self, layout: str, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        if layout == "archive":
            (folder / "tiny-binary.tar.gz").write_bytes(self.archive)
        elif layout == "files":
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
        elif layout == "unpacked":
            self.write("files", folder / "tiny-bin")
        elif layout == "strips":
            for split, name, start, stop in (
                ("train", "train-1", 0, 25),
                ("train", "train-2", 25, 60),
                ("test", "test", 0, 20),
            ):
                write_strips(self.arrays, split, start, stop, folder / f"tiny-{name}.parquet")
        else:
            prepare("tiny", self.write("files", folder / "from"), folder)
            for file in (folder / "from").iterdir():
                file.unlink()
            (folder / "from").rmdir()
        return folder


def write_strips(arrays: dict[str, np.ndarray], split: str, start: int, stop: int, path: Path) -> None:
    rows = []
    for first in range(start, stop, 10):
        part = slice(first, min(first + 10, stop))
        pixels = arrays[f"{split}_images"][part].transpose(0, 2, 3, 1)
        webp = io.BytesIO()
        Image.fromarray(pixels.reshape(-1, pixels.shape[2], 3)).save(webp, "WEBP", lossless=True, exact=True)
        labels = arrays[f"{split}_labels"][part]
        rows.append(
            {"first_index": first, "n": len(labels), "label": labels.tolist(), "image": webp.getvalue()}
        )
    parquet.write_table(pa.Table.from_pylist(rows), path)


LAYOUTS = ("h5", "strips", "archive", "files", "unpacked")


one_label_byte = pytest.mark.parametrize("label_bytes", [1], indirect=True)


needs_strips = pytest.mark.skipif(not STRIPS.is_dir(), reason="the lossless strips are not at hand")


def labels_of(name: str) -> np.ndarray:
    """Labels of any data set's size and class balance, in scrambled order; the splits need nothing else."""
    spec = DATASETS[name]
    return np.random.default_rng(1).permutation(np.arange(spec.num_train) % spec.num_classes)
