"""nbzero.images.sources: every format read alike, nothing accepted that is damaged."""

import dataclasses
import os
import pickle
import struct
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from pyarrow import parquet

from nbzero.errors import ImagesError, UnknownNameError
from nbzero.images.facts import ARRAYS, DATASETS, ENVIRONMENT, dataset
from nbzero.images.prepare import prepare
from nbzero.images.sources import OfficialImages, find_source, read_official
from nbzero.images.splits import split_indices
from nbzero.images.tensors import box_downsample, load
from tests.images.made import LAYOUTS, Made, made_arrays, md5, needs_strips, one_label_byte, tar, write_strips
from tests.places import DATA as STRIPS


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


def test_digits_are_complete_and_need_no_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
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
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert find_source("cifar10", None) is None
    assert find_source("cifar10", str(tmp_path)) == tmp_path
    with pytest.raises(
        ImagesError, match=r"no place given for the images of 'cifar10'.*NBZERO_IMAGES.*prepare cifar10"
    ):
        load("cifar10")
    with pytest.raises(ImagesError, match="absent: does not exist; the given path must be a folder"):
        find_source("cifar10", tmp_path / "absent")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert find_source("cifar10", None) == tmp_path
    with pytest.raises(
        ImagesError, match=r"no images of 'cifar10'; looked for cifar10.h5, .*data_batch_1.bin.*--download"
    ):
        load("cifar10")
    with pytest.raises(
        ImagesError, match=r"looked for .*train_data_batch_10, val_data. Get the 16x16 batch files from"
    ):
        load("imagenet16-120")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "gone"))
    with pytest.raises(ImagesError, match="gone: does not exist; the environment variable NBZERO_IMAGES"):
        find_source("digits", None)


def test_unknown_names() -> None:
    for call in (dataset, load, lambda name: split_indices(name, np.zeros(10))):
        with pytest.raises(UnknownNameError, match="no dataset named 'cifar-10'; did you mean 'cifar10'"):
            call("cifar-10")


@needs_strips
def test_real_cifar10(official_cifar10: OfficialImages) -> None:
    cifar10 = official_cifar10
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
@pytest.mark.long
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
