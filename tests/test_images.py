"""train.images: every format read alike, splits that never move, nothing accepted that is damaged."""

import dataclasses
import hashlib
import io
import os
import pickle
import struct
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from nbzero.errors import ImagesError, UnknownNameError
from tests.places import DATA as STRIPS
from train import images
from train.images import (
    ARRAYS,
    DATASETS,
    Dataset,
    box_downsample,
    find_source,
    load,
    prepare,
    read_official,
    scoring_indices,
    split_indices,
    training_subset,
)

needs_strips = pytest.mark.skipif(not STRIPS.is_dir(), reason="the lossless strips are not at hand")


# ---- a small data set in every format ----


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
    """A data set of 60 + 20 images of 4x4 in four classes, known to the module as "tiny", and its official files."""

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


@pytest.fixture(params=[1, 2], ids=["one label byte", "two label bytes"])
def label_bytes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def tiny(label_bytes: int, monkeypatch: pytest.MonkeyPatch) -> Made:
    arrays = made_arrays(60, 20, num_classes=4, size=4)
    train = binary(arrays["train_images"], arrays["train_labels"], label_bytes)
    files = {
        "batch_1.bin": train[: len(train) // 2],
        "batch_2.bin": train[len(train) // 2 :],
        "test.bin": binary(arrays["test_images"], arrays["test_labels"], label_bytes),
    }
    archive = tar(files | {"readme.html": b"not wanted"})
    spec = Dataset(
        name="tiny",
        num_classes=4,
        resolution=4,
        num_train=60,
        num_test=20,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        sha256={key: hashlib.sha256(arrays[key].tobytes()).hexdigest() for key in ARRAYS},
        layout="binary",
        label_bytes=label_bytes,
        folder="tiny-bin",
        train_files={name: md5(files[name]) for name in ("batch_1.bin", "batch_2.bin")},
        test_files={"test.bin": md5(files["test.bin"])},
        url="https://example.invalid/tiny-binary.tar.gz",
        archive_md5=md5(archive),
    )
    monkeypatch.setitem(DATASETS, "tiny", spec)
    return Made(arrays, files, archive)


LAYOUTS = ("h5", "strips", "archive", "files", "unpacked")
one_label_byte = pytest.mark.parametrize("label_bytes", [1], indirect=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_format_gives_the_same_arrays(tiny: Made, layout: str, tmp_path: Path) -> None:
    official = read_official("tiny", tiny.write(layout, tmp_path / layout))
    for key in ARRAYS:
        assert getattr(official, key).dtype == tiny.arrays[key].dtype
        np.testing.assert_array_equal(getattr(official, key), tiny.arrays[key])
    assert official.origin == ("lossless strips" if layout == "strips" else "official files")


@one_label_byte
def test_single_files_are_sources_too(tiny: Made, tmp_path: Path) -> None:
    folder = tiny.write("h5", tiny.write("archive", tmp_path))
    for name in ("tiny.h5", "tiny-binary.tar.gz"):
        np.testing.assert_array_equal(
            read_official("tiny", folder / name).test_images, tiny.arrays["test_images"]
        )


@one_label_byte
@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_files_are_refused_by_name(tiny: Made, layout: str, tmp_path: Path) -> None:
    folder = tiny.write(layout, tmp_path / layout)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) * 2 // 3])
        with pytest.raises(ImagesError, match=f"{file.name}.*(truncated|damaged).*([Gg]et|prepare) "):
            read_official("tiny", folder)
        file.write_bytes(whole)
    read_official("tiny", folder)


@one_label_byte
@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_missing_files_are_named(tiny: Made, layout: str, tmp_path: Path) -> None:
    folder = tiny.write(layout, tmp_path / layout)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        whole = file.read_bytes()
        file.unlink()
        named = file.name.replace("-1.", "-*.").replace("-2.", "-*.").replace("*", r"\*")
        with pytest.raises(ImagesError, match=f"{named}.*(missing|no images)|no images.*{named}"):
            read_official("tiny", folder)
        file.write_bytes(whole)


@one_label_byte
def test_an_archive_without_a_file_and_other_files_are_refused(
    tiny: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tar({"batch_1.bin": tiny.files["batch_1.bin"]})
    monkeypatch.setitem(DATASETS, "tiny", dataclasses.replace(DATASETS["tiny"], archive_md5=md5(archive)))
    (tmp_path / "tiny-binary.tar.gz").write_bytes(archive)
    with pytest.raises(
        ImagesError, match=r"tiny-binary.tar.gz/batch_2.bin: missing. Get https://example.invalid"
    ):
        read_official("tiny", tmp_path)
    (tmp_path / "holiday.png").write_bytes(b"?")
    with pytest.raises(
        ImagesError, match=r"holiday.png: .* read from a folder, tiny.h5 or tiny-binary.tar.gz"
    ):
        read_official("tiny", tmp_path / "holiday.png")


@one_label_byte
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"train_labels": lambda labels: labels + 1},
            "train_labels of 'tiny' range over 1..4, must be within 0..3",
        ),
        ({"train_images": lambda pixels: pixels ^ 1}, "sha256 of train_images of 'tiny'.*delete it"),
        ({"test_labels": lambda labels: labels[::-1]}, "sha256 of test_labels of 'tiny'"),
    ],
)
def test_wrong_content_of_strips_is_refused(tiny: Made, change: dict, told: str, tmp_path: Path) -> None:
    for key, function in change.items():
        tiny.arrays[key] = function(tiny.arrays[key])
    with pytest.raises(ImagesError, match=told):
        read_official("tiny", tiny.write("strips", tmp_path))


@one_label_byte
def test_strips_of_another_size_or_place_are_refused(tiny: Made, tmp_path: Path) -> None:
    tiny.write("strips", tmp_path)
    larger = made_arrays(60, 20, num_classes=4, size=8)
    write_strips(larger, "test", 0, 20, tmp_path / "tiny-test.parquet")
    with pytest.raises(
        ImagesError, match=r"tiny-test.parquet: the strip at index 0 is 8 x 80 pixels, must be 4 x 40"
    ):
        read_official("tiny", tmp_path)
    write_strips(made_arrays(60, 30, 4, 4), "test", 0, 30, tmp_path / "tiny-test.parquet")
    with pytest.raises(ImagesError, match=r"tiny-test.parquet: a strip of 10 images at 20; test has 20"):
        read_official("tiny", tmp_path)


@one_label_byte
def test_a_changed_cache_is_refused(tiny: Made, tmp_path: Path) -> None:
    path = tiny.write("h5", tmp_path) / "tiny.h5"
    for key in ARRAYS:
        with h5py.File(path, "r+") as file:
            before = file[key][-1]
            file[key][-1] = before ^ 1
        with pytest.raises(ImagesError, match=f"tiny.h5: sha256 of {key} .*delete it"):
            read_official("tiny", tmp_path)
        with h5py.File(path, "r+") as file:
            file[key][-1] = before
    with h5py.File(path, "r+") as file:
        file.attrs["dataset"] = "other"
    with pytest.raises(ImagesError, match=r"tiny.h5: holds 'other', asked for 'tiny'"):
        read_official("tiny", path)
    with h5py.File(path, "r+") as file:
        file.attrs["dataset"] = "tiny"
        del file["test_images"]
    with pytest.raises(ImagesError, match=r"tiny.h5: truncated, or not written by `prepare`"):
        read_official("tiny", path)
    with h5py.File(path, "r+") as file:
        file.create_dataset("test_images", data=np.zeros((3, 4), np.uint8)).attrs["sha256"] = ""
    with pytest.raises(
        ImagesError, match=r"test_images of 'tiny' is uint8 \(3, 4\), must be uint8 \(20, 3, 4, 4\)"
    ):
        read_official("tiny", path)


@one_label_byte
def test_a_failed_prepare_leaves_everything_as_it_was(
    tiny: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tiny.write("files", tmp_path / "in"), tmp_path / "out"
    prepare("tiny", source, out)
    before = (out / "tiny.h5").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(images, "_sha256", lambda array: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(
            ImagesError, match=r"tiny\.h5: cannot be written \(disk full\); free space or name another folder"
        ):
            prepare("tiny", source, out)
    assert [file.name for file in out.iterdir()] == ["tiny.h5"]
    assert (out / "tiny.h5").read_bytes() == before
    (source / "test.bin").unlink()
    with pytest.raises(ImagesError, match=r"test\.bin: missing"):
        prepare("tiny", source, tmp_path / "never")
    assert not (tmp_path / "never").exists()
    with pytest.raises(ImagesError, match="is a file; name a folder"):
        prepare("tiny", out / "tiny.h5", out / "tiny.h5")
    with pytest.raises(ImagesError, match=r"cannot be made .*; name another folder"):
        prepare("tiny", out / "tiny.h5", out / "tiny.h5" / "below")


# ---- ImageNet-16-120 ----


def python2_batch(data: np.ndarray, labels: list[int]) -> bytes:
    """The bytes that Python 2 and numpy 1 write at protocol 2, as the official batches."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"tR"
    )
    dtype = b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) * 2 + number(0) + b"tb"
    shape = number(data.shape[0]) + number(data.shape[1]) + b"\x86"
    array += b"(" + number(1) + shape + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    return (
        b"\x80\x02}("
        + text(b"data")
        + array
        + text(b"labels")
        + b"]("
        + b"".join(map(number, labels))
        + b"eu."
    )


def known_as_imagenet(batches: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, **sizes: int) -> None:
    spec = dataclasses.replace(
        DATASETS["imagenet16-120"],
        train_files={name: md5(content) for name, content in batches.items() if name.startswith("train")},
        test_files={name: md5(content) for name, content in batches.items() if name.startswith("val")},
        **sizes,
    )
    monkeypatch.setitem(DATASETS, "imagenet16-120", spec)


def batch_of(rng: np.random.Generator, num: int) -> dict:
    return {
        "data": rng.integers(0, 256, (num, 768), dtype=np.uint8),
        "labels": rng.integers(1, 241, num).tolist(),
    }


WRITERS = {
    "python 2": lambda batch: python2_batch(batch["data"], batch["labels"]),
    "protocol 2": lambda batch: pickle.dumps(batch, protocol=2),
    "protocol 4": lambda batch: pickle.dumps(batch | {"mean": np.zeros(768)}, protocol=4),
    "numpy 1": lambda batch: pickle.dumps(batch, protocol=2).replace(b"numpy._core", b"numpy.core"),
    "numpy scalars": lambda batch: pickle.dumps(
        batch | {"labels": list(np.array(batch["labels"]))}, protocol=4
    ),
}


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_imagenet_keeps_the_first_120_classes(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    made = {name: batch_of(rng, 30) for name in ("train_data_batch_1", "train_data_batch_2", "val_data")}
    made["val_data"]["labels"][:4] = [1, 120, 121, 1000]
    batches = {name: WRITERS[writer](batch) for name, batch in made.items()}
    expected = [
        (row.reshape(3, 16, 16), label - 1)
        for name in sorted(batches)
        for row, label in zip(made[name]["data"], made[name]["labels"], strict=True)
        if label <= 120
    ]
    num_test = sum(label <= 120 for label in made["val_data"]["labels"])
    known_as_imagenet(batches, monkeypatch, num_train=len(expected) - num_test, num_test=num_test)
    for name, content in batches.items():
        (tmp_path / name).write_bytes(content)
    official = read_official("imagenet16-120", tmp_path)
    np.testing.assert_array_equal(
        [*official.train_images, *official.test_images], [image for image, _ in expected]
    )
    np.testing.assert_array_equal(
        [*official.train_labels, *official.test_labels], [label for _, label in expected]
    )
    assert official.test_labels[:2].tolist() == [0, 119]
    green = made["val_data"]["data"][0, 256:512]
    np.testing.assert_array_equal(official.test_images[0, 1].ravel(), green)


class RunsCode:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_runs_code_is_refused(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pickle.dumps({"data": RunsCode(tmp_path / "pwned"), "labels": []}, protocol=protocol)
    known_as_imagenet({"train_data_batch_1": content}, monkeypatch)
    (tmp_path / "train_data_batch_1").write_bytes(content)
    with pytest.raises(
        ImagesError, match=r"train_data_batch_1: asks for posix.mkdir, .*refused. Do not use this file"
    ):
        read_official("imagenet16-120", tmp_path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "name", ["numpy.load", "numpy.core.multiarray.fromfile", "builtins.eval", "_codecs.lookup"]
)
def test_the_unpickler_admits_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, function = name.rpartition(".")
    content = f"c{module}\n{function}\n.".encode()
    known_as_imagenet({"train_data_batch_1": content}, monkeypatch)
    (tmp_path / "train_data_batch_1").write_bytes(content)
    with pytest.raises(ImagesError, match=f"asks for {name}, "):
        read_official("imagenet16-120", tmp_path)


ROWS = np.zeros((2, 768), np.uint8)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps([1, 2]), r"'data' is NoneType, must be uint8 \(N, 768\)"),
        (pickle.dumps({"data": ROWS[:, :5], "labels": [1, 2]}, 4), r"'data' is uint8 \(2, 5\), must be"),
        (
            pickle.dumps({"data": ROWS.astype(float), "labels": [1, 2]}, 4),
            r"'data' is float64 \(2, 768\), must be",
        ),
        (
            pickle.dumps({"data": ROWS, "labels": [1]}, 4),
            "'labels' must be a list of 2 integers within 1..1000",
        ),
        (
            pickle.dumps({"data": ROWS, "labels": [0, 1]}, 4),
            "'labels' must be a list of 2 integers within 1..1000",
        ),
        (
            pickle.dumps({"data": ROWS, "labels": [1.5, 1]}, 4),
            "'labels' must be a list of 2 integers within 1..1000",
        ),
        (
            pickle.dumps({"data": ROWS, "labels": [1, 2]}, 4),
            r"train_images of 'imagenet16-120' is uint8 \(2, 3, 16, 16",
        ),
        (pickle.dumps({"data": ROWS, "labels": [1, 2]}, 4)[:-9], "truncated, or no pickled batch"),
        (b"\x1d not a pickle", "truncated, or no pickled batch"),
        (b"", "truncated, or no pickled batch"),
    ],
)
def test_malformed_batches_are_refused(
    content: bytes, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = {
        "train_data_batch_1": content,
        "val_data": WRITERS["protocol 2"](batch_of(np.random.default_rng(0), 3)),
    }
    known_as_imagenet(batches, monkeypatch)
    for name, batch in batches.items():
        (tmp_path / name).write_bytes(batch)
    with pytest.raises(ImagesError, match=told):
        read_official("imagenet16-120", tmp_path)


def test_damaged_batches_are_refused_before_they_are_unpickled(tmp_path: Path) -> None:
    (tmp_path / "train_data_batch_1").write_bytes(pickle.dumps(RunsCode(tmp_path / "pwned")))
    with pytest.raises(ImagesError, match=r"train_data_batch_1: md5 of its .* is .*, published is 27846dca"):
        read_official("imagenet16-120", tmp_path)
    assert not (tmp_path / "pwned").exists()


# ---- digits, sources, names ----


def test_digits_are_complete_and_need_no_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(images.ENVIRONMENT, raising=False)
    digits = load("digits")
    assert (len(digits.train_labels), len(digits.val_labels), len(digits.test_labels)) == (1302, 140, 355)
    spec = DATASETS["digits"]
    official = read_official("digits", tmp_path)  # a folder with other things does no harm
    per_class = np.bincount(np.concatenate([official.train_labels, official.test_labels]))
    np.testing.assert_array_equal(np.bincount(official.test_labels), per_class // 5)
    for pixels in (official.train_images, official.test_images):
        assert (pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 0] == pixels[:, 2]).all()
        small = box_downsample(pixels, 8)
        np.testing.assert_array_equal(small.repeat(2, 2).repeat(2, 3), pixels)
        assert small.max() == 255 and small.min() == 0
    scaled = official.train_images / 255
    np.testing.assert_allclose(scaled.mean((0, 2, 3)), spec.mean, atol=5e-5)
    np.testing.assert_allclose(scaled.std((0, 2, 3)), spec.std, atol=5e-5)
    cached = read_official("digits", prepare("digits", None, tmp_path))
    np.testing.assert_array_equal(cached.train_images, official.train_images)
    assert cached.origin == "scikit-learn"


def test_find_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(images.ENVIRONMENT, raising=False)
    assert find_source("cifar10", None) is None
    assert find_source("cifar10", str(tmp_path)) == tmp_path
    with pytest.raises(
        ImagesError, match=r"no place given for the images of 'cifar10'.*NBZERO_IMAGES.*prepare cifar10"
    ):
        load("cifar10")
    with pytest.raises(ImagesError, match="absent: does not exist; the given path must be a folder"):
        find_source("cifar10", tmp_path / "absent")
    monkeypatch.setenv(images.ENVIRONMENT, str(tmp_path))
    assert find_source("cifar10", None) == tmp_path
    with pytest.raises(
        ImagesError, match=r"no images of 'cifar10'; looked for cifar10.h5, .*data_batch_1.bin.*--download"
    ):
        load("cifar10")
    with pytest.raises(
        ImagesError, match=r"looked for .*train_data_batch_10, val_data. Get the 16x16 batch files from"
    ):
        load("imagenet16-120")
    monkeypatch.setenv(images.ENVIRONMENT, str(tmp_path / "gone"))
    with pytest.raises(ImagesError, match="gone: does not exist; the environment variable NBZERO_IMAGES"):
        find_source("digits", None)


def test_unknown_names() -> None:
    for call in (images.dataset, load, lambda name: split_indices(name, np.zeros(10))):
        with pytest.raises(UnknownNameError, match="no dataset named 'cifar-10'; did you mean 'cifar10'"):
            call("cifar-10")


# ---- splits ----


def labels_of(name: str) -> np.ndarray:
    """Labels of any data set's size and class balance, in scrambled order; the splits need nothing else."""
    spec = DATASETS[name]
    return np.random.default_rng(1).permutation(np.arange(spec.num_train) % spec.num_classes)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_splits_part_every_class_at_a_tenth(name: str) -> None:
    labels, num_classes = labels_of(name), DATASETS[name].num_classes
    split = split_indices(name, labels)
    for indices in (split.train, split.val):
        assert indices.dtype == np.int64 and (np.diff(indices) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.val])), np.arange(len(labels)))
    np.testing.assert_array_equal(
        np.bincount(labels[split.val], minlength=num_classes),
        np.bincount(labels, minlength=num_classes) // 10,
    )
    np.testing.assert_array_equal(training_subset(name, labels, None), split.train)


def test_splits_follow_the_written_rule() -> None:
    labels = np.array([index % 7 for index in range(400)])
    split, subset = split_indices("cifar100", labels), training_subset("cifar100", labels, 20)
    for label in range(7):
        members = [index for index in range(400) if labels[index] == label]
        members.sort(key=lambda index: hashlib.sha256(f"cifar100/train/{index}".encode()).hexdigest())
        num_val = len(members) // 10
        assert split.val[labels[split.val] == label].tolist() == sorted(members[:num_val])
        assert subset[labels[subset] == label].tolist() == sorted(members[num_val : num_val + 20])


def test_splits_are_the_same_for_ever() -> None:
    labels = np.arange(50_000) % 10
    split = split_indices("cifar10", labels)
    digests = [
        hashlib.sha256(part.astype("<i8").tobytes()).hexdigest()[:16] for part in (split.train, split.val)
    ]
    assert digests == ["ca1dccce433d8d24", "9a601ed6528e9fc8"]
    subset = training_subset("cifar10", labels, 2500)
    assert hashlib.sha256(subset.astype("<i8").tobytes()).hexdigest()[:16] == "8ffe1c349d305297"
    assert scoring_indices("cifar10", labels, 5, seed=0).tolist() == [14367, 17044, 7301, 42812, 18008]


def test_training_subsets_are_nested_and_stop_at_what_there_is() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 8])
    subsets = [set(training_subset("digits", labels, k).tolist()) for k in (1, 20, 60, None)]
    assert [len(subset) for subset in subsets] == [3, 20 + 20 + 8, 60 + 45 + 8, 90 + 45 + 8]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3]
    with pytest.raises(ValueError, match="per_class: 0, must be at least 1"):
        training_subset("digits", labels, 0)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_scoring_images_are_balanced_distinct_and_never_val(name: str) -> None:
    labels = labels_of(name)
    train = set(split_indices(name, labels).train.tolist())
    chosen = scoring_indices(name, labels, 64, seed=3)
    assert len(set(chosen.tolist())) == 64 and set(chosen.tolist()) <= train
    for k in (1, 8, 16, 33, 64):
        counts = np.bincount(labels[chosen[:k]], minlength=DATASETS[name].num_classes)
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(scoring_indices(name, labels, 16, seed=3), chosen[:16])
    others = scoring_indices(name, labels, 64, seed=4)
    assert others.tolist() != chosen.tolist() and labels[others].tolist() != labels[chosen].tolist()


def test_scoring_images_follow_the_written_rule() -> None:
    labels = np.array([0, 1, 1, 2] * 10)

    def digest(text: str) -> str:
        return hashlib.sha256(f"digits/score/5/{text}".encode()).hexdigest()

    train = split_indices("digits", labels).train
    by_class = {c: sorted(train[labels[train] == c], key=lambda i: digest(str(i))) for c in range(3)}
    order = sorted(by_class, key=lambda c: digest(f"class/{c}"))
    expected = [by_class[c][r] for r in range(20) for c in order if r < len(by_class[c])]
    assert (
        scoring_indices("digits", labels, len(train), seed=5).tolist() == expected
    )  # small classes run out first
    for num_images in (0, len(train) + 1):
        with pytest.raises(ValueError, match=f"num_images: {num_images}, must be within 1..36"):
            scoring_indices("digits", labels, num_images, seed=5)


# ---- tensors ----


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 12])
def test_box_downsampling_is_the_rounded_mean(factor: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 12, 12), dtype=np.uint8)
    pixels[0] = 255
    small = box_downsample(pixels, 12 // factor)
    blocks = pixels.reshape(5, 3, 12 // factor, factor, 12 // factor, factor).astype(np.float64)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small, np.floor(blocks.mean((3, 5)) + 0.5 + 1e-9))


def test_other_resolutions_are_refused() -> None:
    for resolution in (0, 5, 24):
        with pytest.raises(
            ValueError, match=rf"resolution: {resolution}, must divide the native 12 \(no upsampling\)"
        ):
            box_downsample(np.zeros((1, 3, 12, 12), np.uint8), resolution)
    with pytest.raises(ValueError, match="resolution: 32, must divide the native 16"):
        load("digits", resolution=32)


@one_label_byte
def test_load_gives_the_splits_as_tensors(tiny: Made, tmp_path: Path) -> None:
    folder, labels = tiny.write("h5", tmp_path), tiny.arrays["train_labels"]
    data, split = load("tiny", folder), split_indices("tiny", labels)
    for part, indices in (("train", split.train), ("val", split.val)):
        np.testing.assert_array_equal(getattr(data, f"{part}_images"), tiny.arrays["train_images"][indices])
        np.testing.assert_array_equal(getattr(data, f"{part}_labels"), labels[indices])
    np.testing.assert_array_equal(data.train_index, split.train)
    np.testing.assert_array_equal(data.test_images, tiny.arrays["test_images"])
    assert data.train_images.dtype == torch.uint8 and data.val_labels.dtype == torch.int64
    assert all(part.is_contiguous() for part in (data.train_images, data.val_images, data.test_images))

    small = load("tiny", folder, resolution=2, train_images=22)  # 22 // 4 = 5 of each class
    assert small.resolution == 2 and small.val_images.shape == (len(split.val), 3, 2, 2)
    np.testing.assert_array_equal(small.train_index, training_subset("tiny", labels, 5))
    np.testing.assert_array_equal(
        small.train_images, box_downsample(tiny.arrays["train_images"], 2)[small.train_index]
    )
    with pytest.raises(ValueError, match="train_images: 3, must be at least one for each of 4 classes"):
        load("tiny", folder, train_images=3)

    moved = data.to("meta")
    assert moved.train_images.device.type == moved.test_labels.device.type == "meta"
    assert moved.dataset == "tiny" and data.train_images.device.type == "cpu"

    batch, batch_labels = data.scoring_batch(11, seed=2)
    chosen = scoring_indices("tiny", labels, 11, seed=2)
    np.testing.assert_array_equal(batch, tiny.arrays["train_images"][chosen])
    np.testing.assert_array_equal(batch_labels, labels[chosen])
    with pytest.raises(ValueError, match="load without train_images"):
        small.scoring_batch(4, seed=0)


# ---- downloading ----


class Server(ThreadingHTTPServer):
    """Serves one file on the loopback; `fault` says how it misbehaves."""

    content = b""
    fault = ""
    ranges: bool = True
    requests: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        content, start = self.server.content, 0
        if self.server.fault == "absent":
            self.send_error(404)
            return
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            shown = start + 1 if self.server.fault == "other range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) // 2 if self.server.fault == "breaks off" else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tiny: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content, running.requests = tiny.archive, []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/tiny-binary.tar.gz"


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@one_label_byte
def test_a_download_that_breaks_off_is_resumed(tiny: Made, server: Server, tmp_path: Path) -> None:
    half = len(tiny.archive) // 2
    server.fault = "breaks off"
    with pytest.raises(
        ImagesError, match=rf"127.*the download failed.*keeps the first {half:,} bytes. Run the same"
    ):
        images.download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == ["tiny-binary.tar.gz.part"]
    server.fault = ""
    path = images.download("tiny", tmp_path, address(server))
    assert server.requests == [None, f"bytes={half}-"]
    assert path.read_bytes() == tiny.archive and left_in(tmp_path) == ["tiny-binary.tar.gz"]
    images.download("tiny", tmp_path, address(server))
    assert len(server.requests) == 2  # what is there and whole is not fetched again


@one_label_byte
@pytest.mark.parametrize("there", ["all", "too much"])
def test_a_finished_part_is_judged_by_its_md5(tiny: Made, server: Server, there: str, tmp_path: Path) -> None:
    part = tmp_path / "tiny-binary.tar.gz.part"
    part.write_bytes(tiny.archive + (b"more" if there == "too much" else b""))
    if there == "too much":
        with pytest.raises(ImagesError, match=r"is not the official tiny-binary.tar.gz"):
            images.download("tiny", tmp_path, address(server))
        assert left_in(tmp_path) == []
    assert images.download("tiny", tmp_path, address(server)).read_bytes() == tiny.archive


@one_label_byte
def test_a_server_without_ranges_sends_all_of_it(tiny: Made, server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "tiny-binary.tar.gz.part").write_bytes(b"the beginning of something else")
    assert images.download("tiny", tmp_path, address(server)).read_bytes() == tiny.archive


@one_label_byte
def test_failed_downloads_leave_nothing_wrong(server: Server, tmp_path: Path) -> None:
    whole, server.content = server.content, b"a page that says sorry"
    with pytest.raises(
        ImagesError, match=rf"{address(server)}: is not the official .*{tmp_path}/tiny-binary.tar.gz was"
    ):
        images.download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == []
    server.fault = "absent"
    with pytest.raises(ImagesError, match=r"the download failed .HTTP Error 404"):
        images.download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == []
    server.content, server.fault = whole, "other range"
    (tmp_path / "tiny-binary.tar.gz.part").write_bytes(whole[:100])
    with pytest.raises(
        ImagesError, match=r"sent another range than asked for; delete .*\.part and run again"
    ):
        images.download("tiny", tmp_path, address(server))
    with pytest.raises(ImagesError, match="'ftp://x': must be an http:// or https:// address"):
        images.download("tiny", tmp_path, "ftp://x")
    for name, told in (("digits", "scikit-learn carries it"), ("imagenet16-120", "image-net.org")):
        with pytest.raises(ImagesError, match=f"{name!r} has no archive to download. .*{told}"):
            images.download(name, tmp_path)


# ---- the command ----


@one_label_byte
def test_prepare_command_from_a_folder(
    tiny: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tiny.write("strips", tmp_path / "in"), tmp_path / "out"
    images.main(["prepare", "tiny", "--source", str(source), "--out", str(out)])
    printed = capsys.readouterr().out
    assert (
        f"wrote {out / 'tiny.h5'}" in printed
        and "from lossless strips" in printed
        and "(60, 3, 4, 4)" in printed
    )
    assert all(digest in printed for digest in DATASETS["tiny"].sha256.values())
    assert left_in(out) == ["tiny.h5"]
    np.testing.assert_array_equal(load("tiny", out).test_images, tiny.arrays["test_images"])


@one_label_byte
def test_prepare_command_downloads(
    tiny: Made, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images.main(["prepare", "tiny", "--out", str(tmp_path), "--download", "--url", address(server)])
    captured = capsys.readouterr()
    assert "from official files" in captured.out and "tiny-binary.tar.gz" in captured.err
    assert left_in(tmp_path) == ["tiny-binary.tar.gz", "tiny.h5"]


def test_prepare_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["cifar-10"], "UnknownNameError: no dataset named 'cifar-10'; did you mean 'cifar10'"),
        (["cifar10", "--source", str(tmp_path / "absent")], "ImagesError: .*absent: does not exist"),
    ):
        with pytest.raises(SystemExit, match=told):
            images.main(["prepare", *arguments, "--out", str(tmp_path)])
    for arguments, told in (
        (["cifar10", "--source", ".", "--download"], "--source and --download exclude each other"),
        (["cifar10", "--url", "http://127.0.0.1"], "--url goes with --download"),
    ):
        with pytest.raises(SystemExit):
            images.main(["prepare", *arguments])
        assert told in capsys.readouterr().err
    assert left_in(tmp_path) == []


# ---- the real strips ----


@pytest.fixture(scope="module")
def cifar10() -> images.OfficialImages:
    return read_official("cifar10", STRIPS)


@needs_strips
def test_real_cifar10(cifar10: images.OfficialImages) -> None:
    assert set(Counter(cifar10.train_labels.tolist()).values()) == {5000}
    assert set(Counter(cifar10.test_labels.tolist()).values()) == {1000}
    assert cifar10.train_labels[:5].tolist() == [6, 9, 9, 4, 1] and cifar10.test_labels[:4].tolist() == [
        3,
        8,
        8,
        0,
    ]
    spec, histograms = DATASETS["cifar10"], np.zeros((3, 256))
    for channel in range(3):
        histograms[channel] = np.bincount(cifar10.train_images[:, channel].ravel(), minlength=256)
    levels, weights = np.arange(256) / 255, histograms / histograms.sum(1, keepdims=True)
    mean = weights @ levels
    np.testing.assert_allclose(mean, spec.mean, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(weights @ levels**2 - mean**2), spec.std, atol=1e-4)


@needs_strips
def test_the_images_of_the_cpu_recipe(
    cifar10: images.OfficialImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "read_official", lambda name, source: cifar10)
    data = load("cifar10", STRIPS, resolution=16, train_images=25_000)
    assert data.train_images.shape == (25_000, 3, 16, 16) and data.val_images.shape == (5_000, 3, 16, 16)
    assert (
        data.train_labels.bincount().tolist() == [2500] * 10
        and data.val_labels.bincount().tolist() == [500] * 10
    )
    assert data.test_images.shape == (10_000, 3, 16, 16)
    block = cifar10.train_images[int(data.train_index[7]), 1, 4:6, 8:10].astype(int)
    assert data.train_images[7, 1, 2, 4].item() == (block.sum() + 2) // 4


@needs_strips
def test_real_cifar100_written_in_the_official_layout_has_the_published_md5() -> None:
    official, spec = read_official("cifar100", STRIPS), DATASETS["cifar100"]
    classes = parquet.read_table(STRIPS / "cifar100-classes.parquet").to_pydict()
    coarse = np.zeros(100, np.uint8)
    coarse[classes["label"]] = classes["coarse_label"]
    for split, files in (("train", spec.train_files), ("test", spec.test_files)):
        pixels, labels = (
            getattr(official, f"{split}_images"),
            getattr(official, f"{split}_labels").astype(np.uint8),
        )
        record = np.concatenate(
            [coarse[labels][:, None], labels[:, None], pixels.reshape(len(pixels), -1)], axis=1
        )
        assert [md5(record.tobytes())] == list(files.values())
