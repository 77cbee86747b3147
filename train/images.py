"""Data sets as tensors, and the splits that are fixed for ever.

    python -m train.images prepare cifar10 --source DIR --out DIR     # a folder, an archive or strips -> DIR/cifar10.h5
    python -m train.images prepare cifar10 --download --out DIR       # fetches the official archive first; resumes

`load` then gives what a training run needs, as uint8 tensors; `NBZERO_IMAGES` names the folder where it looks unless
told otherwise. Everything that is read is checked against a published or recorded checksum; what fails is an
ImagesError that names the file. Splits follow from official index and class alone, wherever the images came from.

Axes: N images, 3 channels, R x R pixels (R is the resolution).
"""

import argparse
import dataclasses
import hashlib
import http.client
import io
import itertools
import os
import pickle
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nbzero.errors import ImagesError, NBZeroError, UsageError, unknown_name

if TYPE_CHECKING:
    import torch

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
ENVIRONMENT = "NBZERO_IMAGES"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What is known of a data set before any file is opened.

    `resolution` is the native one; `mean` and `std` are per channel, of training images on the 0..1 scale, and stay the
    same at other resolutions. `sha256` has the checksum of each of `ARRAYS` (labels as little-endian int64) as the
    lossless strips or scikit-learn give them; it is empty where there are neither. `train_files` and `test_files` map
    the official files, in official order, to their published md5. `layout` says what is in them: "binary" records of
    `label_bytes` labels (the last one counts) and 3*R*R pixels, or a "pickle".
    """

    name: str
    num_classes: int
    resolution: int
    num_train: int
    num_test: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    layout: str = ""
    label_bytes: int = 0
    folder: str = ""  # what the official archive unpacks to
    train_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    test_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    url: str = ""
    archive_md5: str = ""

    @property
    def archive(self) -> str:
        """File name of the official archive; empty where there is none to download."""
        return self.url.rpartition("/")[2]


# The archives' md5 are on their home page, https://www.cs.toronto.edu/~kriz/cifar.html. Those of the .bin files inside
# are as four public build scripts record them; the CIFAR-100 strips, written out in the official layout, reproduce both
# of theirs. CIFAR-10's strips hold 104 images (81 train, 23 test) decoded from JPEG, so their sha256 is not that of the
# official archive. The md5 of ImageNet16's batches are those that NAS-Bench-201's loader checks.
DATASETS: dict[str, Dataset] = {
    spec.name: spec
    for spec in (
        Dataset(
            name="cifar10",
            num_classes=10,
            resolution=32,
            num_train=50_000,
            num_test=10_000,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            sha256={
                "train_images": "d550eaa203f0c17e8ea29b29df8190a82e94c20ebb20d5b6d99da2edd4081484",
                "train_labels": "f5cfe00b0f00968c0cc5ff3b1d2de51b10e33efa277c2986f4e0fa63e58c9f4f",
                "test_images": "ed893735ff82c0178f2cd31343a1d5ab993eeae4f3b919d9c1436789336729f1",
                "test_labels": "cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb",
            },
            layout="binary",
            label_bytes=1,
            folder="cifar-10-batches-bin",
            train_files={
                "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
            },
            test_files={"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
        ),
        Dataset(
            name="cifar100",
            num_classes=100,
            resolution=32,
            num_train=50_000,
            num_test=10_000,
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            sha256={
                "train_images": "de64658905c6b161606e3649ddafce7cf86c7634a0cf9116d518e64ef46a33c5",
                "train_labels": "8bf4935e7c77a3096270043c6f3b221b6ecb9c63d1a08608e9af66cff17e977a",
                "test_images": "83c56492b2c11211ad1bb2dbd4f2eef4170a0441e41a41f3039c3144b1f5a511",
                "test_labels": "80031c23f8300724c6fbc588e4bccbe41c6392041782148727bb497b0132c4ad",
            },
            layout="binary",
            label_bytes=2,  # coarse, then fine
            folder="cifar-100-binary",
            train_files={"train.bin": "6172c7755cfe09b2fe270c85cebc1b15"},
            test_files={"test.bin": "4499cfba6c016c1be1438163640a0898"},
            url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            archive_md5="03b5dce01913d631647c71ecec9e9cb8",
        ),
        Dataset(
            name="imagenet16-120",
            num_classes=120,
            resolution=16,
            num_train=151_700,
            num_test=6_000,
            mean=(122.68 / 255, 116.66 / 255, 104.01 / 255),
            std=(63.22 / 255, 61.26 / 255, 65.09 / 255),
            layout="pickle",
            folder="ImageNet16",
            train_files={
                "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
                "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
                "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
                "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
                "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
                "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
                "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
                "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
                "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
                "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
            },
            test_files={"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"},
        ),
        Dataset(
            name="digits",
            num_classes=10,
            resolution=16,
            num_train=1_442,
            num_test=355,
            mean=(0.3056, 0.3056, 0.3056),
            std=(0.3763, 0.3763, 0.3763),
            sha256={
                "train_images": "73679a3d00645e3d0036aeb12dde1c8c074b18e35956d62007f0947398388c70",
                "train_labels": "b637b3b8a5ed183b68b91b2897982d8d869e046002366ea1905541eaaae908fd",
                "test_images": "eb1125265fd5cebb3c112cf9e00e7d371af6488d0b4e1a1c73261d2d43ad7fdc",
                "test_labels": "2378155421870ca3bceb899e1c88d4858b64b5bc4062653fabe54aa8f4bc6260",
            },
        ),
    )
}


def dataset(name: str) -> Dataset:
    """The data set of that name; an unknown name is an UnknownNameError that lists near matches."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]


@dataclasses.dataclass(frozen=True, eq=False)
class OfficialImages:
    """A whole data set in official order: uint8 images (N, 3, R, R) and int64 labels (N,), checked.

    `origin` says whose pixels they are: "official files", "lossless strips" or "scikit-learn".
    """

    dataset: str
    origin: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


# ---- reading ----


def find_source(name: str, given: str | Path | None) -> Path | None:
    """Where to read a data set: the given path, else the environment's NBZERO_IMAGES, else None.

    Raises:
        UnknownNameError: no data set of that name.
        ImagesError: the path does not exist.
    """
    dataset(name)
    said_by = "the given path"
    if given is None:
        given, said_by = os.environ.get(ENVIRONMENT) or None, f"the environment variable {ENVIRONMENT}"
    if given is None:
        return None
    path = Path(given)
    if not path.exists():
        raise ImagesError(
            f"{path}: does not exist; {said_by} must be a folder or file with the images of {name!r}"
        )
    return path


def read_official(name: str, source: Path | None = None) -> OfficialImages:
    """A whole data set from whatever the source holds, validated.

    A folder is searched for, in this order: `{name}.h5`, the lossless strips (`{name}-train-*.parquet`,
    `{name}-test.parquet`), the official archive, the official files (in the folder itself or in the one that the
    archive unpacks to). A file must be an `.h5` cache or the official archive. `digits` needs no source: scikit-learn
    carries it.

    Raises:
        UnknownNameError: no data set of that name.
        ImagesError: nothing found; a file truncated, malformed or with another checksum than published or recorded.
    """
    spec = dataset(name)
    if source is None and name != "digits":
        raise ImagesError(
            f"no place given for the images of {name!r}: name a folder or set {ENVIRONMENT}; "
            f"`python -m train.images prepare {name} --help` says how to make one"
        )
    if source is not None and source.is_file():
        if source.suffix == ".h5":
            return _read_hdf5(spec, source)
        if spec.archive and source.name.endswith((".tar.gz", ".tgz")):
            return _read_archive(spec, source)
        or_archive = f" or {spec.archive}" if spec.archive else ""
        raise ImagesError(
            f"{source}: the images of {name!r} are read from a folder, {name}.h5{or_archive}; name one"
        )
    if source is not None:
        if (cache := source / f"{name}.h5").exists():
            return _read_hdf5(spec, cache)
        if next(source.glob(f"{name}-t*.parquet"), None):
            return _read_strips(spec, source)
        if spec.archive and (source / spec.archive).exists():
            return _read_archive(spec, source / spec.archive)
        for folder in (source, source / spec.folder):
            if any((folder / file).exists() for file in (*spec.train_files, *spec.test_files)):
                return _read_files(spec, folder)
    if name == "digits":
        return _read_digits(spec)
    files = ", ".join((*spec.train_files, *spec.test_files))
    archive = f"{spec.archive}, " if spec.archive else ""
    raise ImagesError(
        f"{source}: no images of {name!r}; looked for {name}.h5, {name}-train-*.parquet with {name}-test.parquet, "
        f"{archive}and the official files, here or in {spec.folder}/: {files}. {_where_to_get(spec)}"
    )


def _where_to_get(spec: Dataset) -> str:
    if spec.url:
        return f"Get {spec.url} or run `python -m train.images prepare {spec.name} --download`"
    return "Get the 16x16 batch files from https://image-net.org/download-images (needs an account)"


def _sha256(array: np.ndarray) -> str:
    """SHA-256 of the values in C order, labels as little-endian int64; independent of where they were read from."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data).hexdigest()


def _checked(
    spec: Dataset, origin: str, arrays: Mapping[str, np.ndarray], sha256: Mapping[str, str], where: Path | str
) -> OfficialImages:
    """The four arrays as OfficialImages; shape, type, label range and the expected checksums are tested."""
    for key in ARRAYS:
        array, size = arrays[key], spec.num_train if key.startswith("train") else spec.num_test
        is_image = key.endswith("images")
        shape = (size, 3, spec.resolution, spec.resolution) if is_image else (size,)
        dtype = np.dtype(np.uint8 if is_image else np.int64)
        if array.shape != shape or array.dtype != dtype:
            raise ImagesError(
                f"{where}: {key} of {spec.name!r} is {array.dtype} {array.shape}, must be {dtype} {shape}; get it anew"
            )
        if not is_image and not 0 <= array.min() <= array.max() < spec.num_classes:
            raise ImagesError(
                f"{where}: {key} of {spec.name!r} range over {array.min()}..{array.max()}, must be within 0..{spec.num_classes - 1}; get it anew"
            )
        if key in sha256 and (found := _sha256(array)) != sha256[key]:
            raise ImagesError(
                f"{where}: sha256 of {key} of {spec.name!r} is {found}, must be {sha256[key]}: other or damaged data; "
                "delete it and get or prepare it anew"
            )
    return OfficialImages(spec.name, origin, **{key: arrays[key] for key in ARRAYS})


def _read_hdf5(spec: Dataset, path: Path) -> OfficialImages:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stored_name, origin = str(file.attrs["dataset"]), str(file.attrs["origin"])
            sha256 = {key: str(file[key].attrs["sha256"]) for key in ARRAYS}
            arrays = {key: file[key][()] for key in ARRAYS}
    except (OSError, KeyError) as error:
        raise ImagesError(
            f"{path}: truncated, or not written by `prepare` ({error}); delete it and prepare it anew"
        ) from error
    if stored_name != spec.name:
        raise ImagesError(f"{path}: holds {stored_name!r}, asked for {spec.name!r}; prepare {spec.name!r}")
    return _checked(spec, origin, arrays, sha256, path)


def _read_strips(spec: Dataset, folder: Path) -> OfficialImages:
    arrays: dict[str, np.ndarray] = {}
    for split, pattern, size in (
        ("train", f"{spec.name}-train-*.parquet", spec.num_train),
        ("test", f"{spec.name}-test.parquet", spec.num_test),
    ):
        images = np.empty((size, spec.resolution, spec.resolution, 3), np.uint8)
        labels = np.full(size, -1, np.int64)
        for path in folder.glob(pattern):
            for first, strip_labels, strip_images in _strips(spec, path):
                if first < 0 or first + len(strip_labels) > size:
                    raise ImagesError(
                        f"{path}: a strip of {len(strip_labels)} images at {first}; {split} has {size}"
                    )
                images[first : first + len(strip_labels)] = strip_images
                labels[first : first + len(strip_labels)] = strip_labels
        if (labels < 0).any():
            raise ImagesError(
                f"{folder / pattern}: {(labels < 0).sum()} of {size} images are missing, the first at index "
                f"{(labels < 0).argmax()}; bring the files that hold them"
            )
        arrays[f"{split}_images"] = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        arrays[f"{split}_labels"] = labels
    return _checked(spec, "lossless strips", arrays, spec.sha256, folder / f"{spec.name}-*.parquet")


def _strips(spec: Dataset, path: Path) -> Iterator[tuple[int, list[int], np.ndarray]]:
    """(official index of the first image, labels, images (n, R, R, 3)) of each WebP strip, R wide and n*R high."""
    import pyarrow
    from PIL import Image
    from pyarrow import parquet

    size = spec.resolution
    try:
        table = parquet.read_table(path)
        columns = (table[column].to_pylist() for column in ("first_index", "label", "image"))
        for first, labels, webp in zip(*columns, strict=True):
            with Image.open(io.BytesIO(webp), formats=["WEBP"]) as strip:
                pixels = np.asarray(strip.convert("RGB"))
            if pixels.shape != (size * len(labels), size, 3):
                raise ImagesError(
                    f"{path}: the strip at index {first} is {pixels.shape[1]} x {pixels.shape[0]} pixels, must be "
                    f"{size} x {size * len(labels)} for its {len(labels)} labels; get the file anew"
                )
            yield first, labels, pixels.reshape(len(labels), size, size, 3)
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise ImagesError(f"{path}: truncated or damaged ({error}); get the file anew") from error


def _read_archive(spec: Dataset, path: Path) -> OfficialImages:
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != spec.archive_md5:
        raise ImagesError(
            f"{path}: md5 is {md5}, that of the official {spec.archive} is {spec.archive_md5}: truncated, damaged or "
            f"another file. {_where_to_get(spec)}"
        )
    contents: dict[str, bytes] = {}
    with tarfile.open(path, "r:gz") as tar:
        for member in tar:  # read in order: seeking back would decompress again
            if (file_in_tar := tar.extractfile(member)) is not None:
                contents[Path(member.name).name] = file_in_tar.read()
    return _decode_official(spec, contents.get, path)


def _read_files(spec: Dataset, folder: Path) -> OfficialImages:
    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    return _decode_official(spec, read, folder)


def _decode_official(spec: Dataset, read: Callable[[str], bytes | None], where: Path) -> OfficialImages:
    """The official files' bytes, each checked against its md5, as arrays."""
    decode = _decode_binary if spec.layout == "binary" else _decode_pickle
    arrays: dict[str, np.ndarray] = {}
    for split, files in (("train", spec.train_files), ("test", spec.test_files)):
        parts = []
        for name, md5 in files.items():
            path = where / name
            if (content := read(name)) is None:
                raise ImagesError(f"{path}: missing. {_where_to_get(spec)}")
            if (found := hashlib.md5(content).hexdigest()) != md5:
                raise ImagesError(
                    f"{path}: md5 of its {len(content):,} bytes is {found}, published is {md5}: truncated or damaged. {_where_to_get(spec)}"
                )
            parts.append(decode(spec, content, path))
        arrays[f"{split}_images"] = np.concatenate([images for images, _ in parts])
        arrays[f"{split}_labels"] = np.concatenate([labels for _, labels in parts])
    return _checked(spec, "official files", arrays, {}, where)


def _decode_binary(spec: Dataset, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR's binary records: one or two label bytes, then the red, green and blue plane, rows first."""
    record = spec.label_bytes + 3 * spec.resolution**2
    if len(content) % record:
        raise ImagesError(f"{path}: {len(content):,} bytes, must be records of {record}; get it anew")
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    images = rows[:, spec.label_bytes :].reshape(-1, 3, spec.resolution, spec.resolution)
    return images, rows[:, spec.label_bytes - 1].astype(np.int64)


def _decode_pickle(spec: Dataset, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """ImageNet16's batches, of which the first `num_classes` of 1,000 classes are kept, in order and numbered from 0.

    A batch is a dict: "data" uint8 (N, 3*R*R), red, green, blue plane; "labels" a list of N integers in 1..1000.
    """
    try:
        batch = _NumpyUnpickler(content, path).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OverflowError,
        MemoryError,
    ) as error:  # all that pickle documents or was seen to raise on damaged bytes
        raise ImagesError(f"{path}: truncated, or no pickled batch ({error}); get it anew") from error
    data, labels = (batch.get("data"), batch.get("labels")) if isinstance(batch, dict) else (None, None)
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.shape[1:] != (3 * spec.resolution**2,)
    ):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ImagesError(
            f"{path}: 'data' is {found}, must be uint8 (N, {3 * spec.resolution**2}); get it anew"
        )
    if (
        not isinstance(labels, list)
        or len(labels) != len(data)
        or not all(isinstance(label, int | np.integer) and 1 <= label <= 1000 for label in labels)
    ):
        raise ImagesError(
            f"{path}: 'labels' must be a list of {len(data)} integers within 1..1000; get it anew"
        )
    label = np.array(labels, np.int64)
    kept = label <= spec.num_classes
    return data[kept].reshape(-1, 3, spec.resolution, spec.resolution), label[kept] - 1


def _latin1(text: str, _encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which protocol 2 of Python 3 writes bytes: always as latin1."""
    return text.encode("latin1")


class _NumpyUnpickler(pickle.Unpickler):
    """Admits what a pickled numpy array consists of, and nothing else: a pickle may otherwise run any code."""

    ADMITTED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # numpy below 2
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy.core.multiarray", "scalar"): np.int64(0).__reduce__()[0],
        ("numpy._core.multiarray", "scalar"): np.int64(0).__reduce__()[0],
        ("_codecs", "encode"): _latin1,
    }

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")  # the official files come from Python 2
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ADMITTED:
            raise ImagesError(
                f"{self.path}: asks for {module}.{name}, which a batch of images does not need: it could run code, and "
                "was refused. Do not use this file; get the official one"
            )
        return self.ADMITTED[module, name]


def _read_digits(spec: Dataset) -> OfficialImages:
    """The 1,797 handwritten digits of scikit-learn (8x8, grey 0..16), scaled to 0..255, three equal channels.

    Each pixel is repeated 2x2, which depends on no library's interpolation. They have no official split: per class, the
    20 % (rounded down) with the smallest SHA-256 of "digits/all/{index}" are test. Both lists are in index order.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    grey = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = grey.repeat(2, axis=1).repeat(2, axis=2)[:, None].repeat(3, axis=1)
    is_test = np.zeros(len(labels), bool)
    for members in _classes(labels, spec.num_classes):
        is_test[_by_hash("digits/all", members)[: len(members) // 5]] = True
    arrays = {
        "train_images": images[~is_test],
        "train_labels": labels[~is_test].astype(np.int64),
        "test_images": images[is_test],
        "test_labels": labels[is_test].astype(np.int64),
    }
    return _checked(spec, "scikit-learn", arrays, spec.sha256, "sklearn.datasets.load_digits")


# ---- splits ----


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Official training indices, int64, ascending: `train` is trained on, `val` judged on; together they are all."""

    train: np.ndarray
    val: np.ndarray


def _classes(labels: np.ndarray, num_classes: int) -> list[list[int]]:
    """The indices of each class, ascending."""
    return [np.flatnonzero(labels == label).tolist() for label in range(num_classes)]


def _by_hash(prefix: str, numbers: Sequence[int]) -> list[int]:
    """The numbers in ascending SHA-256 of "{prefix}/{number}"."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{prefix}/{number}".encode()).digest())


def _val_and_train(name: str, train_labels: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Per class (val, train), both in hash order."""
    halves = []
    for members in _classes(train_labels, dataset(name).num_classes):
        ordered = _by_hash(f"{name}/train", members)
        halves.append((ordered[: len(members) // 10], ordered[len(members) // 10 :]))
    return halves


def _ascending(parts: Sequence[list[int]]) -> np.ndarray:
    return np.array(sorted(itertools.chain.from_iterable(parts)), np.int64)


def split_indices(name: str, train_labels: np.ndarray) -> Split:
    """The fixed split of the official training images.

    Per class, the 10 % (rounded down) with the smallest SHA-256 of "{name}/train/{index}" are val, the rest train.

    Args:
        name: the data set, which is part of what is hashed.
        train_labels: (N,) integers, the class of every official training image. For imagenet16-120, index counts the
            kept images of classes 1-120 in file order.

    Raises:
        UnknownNameError: no data set of that name.
    """
    halves = _val_and_train(name, train_labels)
    return Split(train=_ascending([train for _, train in halves]), val=_ascending([val for val, _ in halves]))


def training_subset(name: str, train_labels: np.ndarray, per_class: int | None) -> np.ndarray:
    """Ascending official indices of the first `per_class` images of each class that follow val in the hash order.

    A class that has fewer gives all it has; None is all of train. Arguments as `split_indices`.

    Raises:
        UsageError: per_class below 1.
    """
    if per_class is not None and per_class < 1:
        raise UsageError(f"per_class: {per_class}, must be at least 1, or None for all training images")
    return _ascending([train[:per_class] for _, train in _val_and_train(name, train_labels)])


def scoring_indices(name: str, train_labels: np.ndarray, num_images: int, seed: int) -> np.ndarray:
    """Distinct official indices of the training images that proxies of this seed see, the same for every arch.

    Only images of the train split (never val). Each class is ordered by SHA-256 of "{name}/score/{seed}/{index}", the
    classes by that of "{name}/score/{seed}/class/{class}"; each round takes the next image of every class. Class counts
    of any prefix therefore differ by at most one while no class runs out, and fewer images are a prefix of more.

    Returns:
        (num_images,) int64, in that order.

    Raises:
        UsageError: num_images below 1 or above the size of the train split.
    """
    train = split_indices(name, train_labels).train
    order = _scoring_order(name, train, train_labels[train], num_images, seed)
    return train[order]


def _scoring_order(name: str, index: np.ndarray, labels: np.ndarray, num_images: int, seed: int) -> list[int]:
    """Positions in `index` (ascending official indices of train, with their `labels`) of the images to score with."""
    if not 1 <= num_images <= len(index):
        raise UsageError(
            f"num_images: {num_images}, must be within 1..{len(index)}, the training images of {name!r}"
        )
    prefix = f"{name}/score/{seed}"
    classes = _classes(labels, dataset(name).num_classes)
    queues = [
        _by_hash(prefix, index[classes[label]].tolist())
        for label in _by_hash(f"{prefix}/class", range(len(classes)))
    ]
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    chosen = [image for image in rounds if image is not None][:num_images]
    positions: list[int] = np.searchsorted(index, chosen).tolist()
    return positions


# ---- tensors ----


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """What a training run needs: uint8 images (N, 3, R, R) and int64 labels (N,), all on one device.

    `train_index` (N,) int64 has the official index of each training image, ascending; val is in index order as well.
    """

    dataset: str
    resolution: int
    train_images: "torch.Tensor"
    train_labels: "torch.Tensor"
    train_index: "torch.Tensor"
    val_images: "torch.Tensor"
    val_labels: "torch.Tensor"
    test_images: "torch.Tensor"
    test_labels: "torch.Tensor"

    def to(self, device: "torch.device | str") -> "ImageData":
        """The same data on another device."""
        tensors = {
            field.name: getattr(self, field.name).to(device)
            for field in dataclasses.fields(self)
            if field.name not in ("dataset", "resolution")
        }
        return dataclasses.replace(self, **tensors)

    def scoring_batch(self, num_images: int, seed: int) -> "tuple[torch.Tensor, torch.Tensor]":
        """uint8 images (num_images, 3, R, R) and labels of `scoring_indices`, in its order, without augmentation.

        Raises:
            UsageError: this was loaded with `train_images`, so images that the seed chooses could be absent.
        """
        if len(self.train_labels) + len(self.val_labels) != dataset(self.dataset).num_train:
            raise UsageError("scoring images are chosen among all training images: load without train_images")
        index, labels = self.train_index.cpu().numpy(), self.train_labels.cpu().numpy()
        order = _scoring_order(self.dataset, index, labels, num_images, seed)
        return self.train_images[order], self.train_labels[order]


def box_downsample(images: np.ndarray, resolution: int) -> np.ndarray:
    """Mean of k x k blocks, k = R // resolution, rounded half up in integers: (sum + k*k // 2) // (k*k).

    Args:
        images: uint8 (N, 3, R, R).
        resolution: a divisor of R.

    Raises:
        UsageError: a resolution that does not divide R, or a larger one: nothing is ever upsampled.

    >>> box_downsample(np.array([[0, 1], [1, 0]], np.uint8).reshape(1, 1, 2, 2), 1).item()  # 0.5 rounds up
    1
    """
    native = images.shape[-1]
    _check_resolution(native, resolution)
    k = native // resolution
    if k == 1:
        return images
    total = np.full((*images.shape[:2], resolution, resolution), k * k // 2, np.uint32)
    for row, column in itertools.product(range(k), repeat=2):
        total += images[:, :, row::k, column::k]
    return (total // np.uint32(k * k)).astype(np.uint8)


def _check_resolution(native: int, resolution: int) -> None:
    if resolution < 1 or native % resolution:
        allowed = ", ".join(str(size) for size in range(1, native + 1) if native % size == 0)
        raise UsageError(
            f"resolution: {resolution}, must divide the native {native} (no upsampling): {allowed}"
        )


def load(
    name: str,
    source: str | Path | None = None,
    resolution: int | None = None,
    train_images: int | None = None,
) -> ImageData:
    """The splits of a data set as tensors on the CPU.

    Args:
        name: one of DATASETS.
        source: as `find_source` and `read_official`; None looks where NBZERO_IMAGES says.
        resolution: None is the native one; smaller ones are box-downsampled.
        train_images: how many training images to keep, `train_images // num_classes` of each class (all where there are
            fewer), as `training_subset`; None keeps all.

    Raises:
        UnknownNameError: no data set of that name.
        ImagesError: as `find_source` and `read_official`.
        UsageError: a resolution that does not divide the native one, or fewer train_images than classes.
    """
    import torch

    spec = dataset(name)
    resolution = spec.resolution if resolution is None else resolution
    _check_resolution(spec.resolution, resolution)
    if train_images is not None and train_images < spec.num_classes:
        raise UsageError(
            f"train_images: {train_images}, must be at least one for each of {spec.num_classes} classes"
        )
    official = read_official(name, find_source(name, source))
    per_class = None if train_images is None else train_images // spec.num_classes
    train = training_subset(name, official.train_labels, per_class)
    val = split_indices(name, official.train_labels).val

    def shrunk(images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(box_downsample(images, resolution))

    return ImageData(
        dataset=name,
        resolution=resolution,
        train_images=shrunk(official.train_images[train]),
        train_labels=torch.from_numpy(official.train_labels[train]),
        train_index=torch.from_numpy(train),
        val_images=shrunk(official.train_images[val]),
        val_labels=torch.from_numpy(official.train_labels[val]),
        test_images=shrunk(official.test_images),
        test_labels=torch.from_numpy(official.test_labels),
    )


# ---- preparing ----


def _output_folder(out: str | Path) -> Path:
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ImagesError(f"{out}: is a file; name a folder to write to")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImagesError(
            f"{out}: cannot be made ({error.strerror}); name another folder to write to"
        ) from error
    return out


def prepare(name: str, source: str | Path | None, out: str | Path) -> Path:
    """Writes the HDF5 cache `{name}.h5` into the folder `out`: the four arrays, uncompressed, each with its sha256.

    CIFAR takes 185 MB and is read and checked in 0.3 s. Errors as `find_source` and `read_official`; the file appears
    when it is finished, and not at all where something fails.
    """
    import h5py

    images = read_official(name, find_source(name, source))
    path = _output_folder(out) / f"{name}.h5"
    part = path.with_name(path.name + ".part")
    try:
        with h5py.File(part, "w") as file:
            file.attrs["dataset"], file.attrs["origin"] = images.dataset, images.origin
            for key in ARRAYS:
                file.create_dataset(key, data=getattr(images, key)).attrs["sha256"] = _sha256(
                    getattr(images, key)
                )
        os.replace(part, path)
    except OSError as error:
        raise ImagesError(
            f"{path}: cannot be written ({error}); free space or name another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def download(name: str, out: str | Path, url: str | None = None) -> Path:
    """Fetches the official archive into the folder `out` with progress, and checks its published md5.

    What an interrupted call got stays in `<archive>.part`, and the next one asks the server only for the rest. A file
    that is there and whole is not fetched again.

    Args:
        url: http(s) address of a mirror of the same archive; None is the official address.

    Raises:
        ImagesError: nothing to download; the server fails or breaks off; another md5 (nothing is left behind).
    """
    import pooch

    spec = dataset(name)
    if not spec.archive:
        hint = (
            "scikit-learn carries it: prepare it without --download"
            if name == "digits"
            else _where_to_get(spec)
        )
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
            f"{url}: is not the official {spec.archive} (md5 {spec.archive_md5}), so {path} was not written; run again "
            "or, where that does not help, with another --url"
        ) from error
    return path


def _download_rest(url: str, output: Path, part: Path) -> None:
    """Completes `part` from the server, then renames it to `output`."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            if response.status == 206 and not response.headers.get("Content-Range", "").startswith(
                f"bytes {offset}-"
            ):
                raise ImagesError(f"{url}: sent another range than asked for; delete {part} and run again")
            offset = offset if response.status == 206 else 0  # a server without ranges sends all of it
            length = response.headers["Content-Length"]
            total = offset + int(length) if length else None
            with (
                part.open("ab" if offset else "wb") as file,
                Progress(*columns, console=Console(stderr=True)) as progress,
            ):
                bar = progress.add_task(part.stem, total=total, completed=offset)
                while chunk := response.read(1 << 18):
                    file.write(chunk)
                    progress.advance(bar, len(chunk))
        if total is not None and part.stat().st_size < total:
            raise http.client.IncompleteRead(b"", total - part.stat().st_size)
    except (OSError, http.client.HTTPException) as error:
        if (
            not offset or getattr(error, "code", None) != 416
        ):  # 416: nothing follows what is there; its md5 decides
            kept = f" {part} keeps the first {part.stat().st_size:,} bytes." if part.exists() else ""
            raise ImagesError(
                f"{url}: the download failed ({error}).{kept} Run the same command to go on"
            ) from error
    os.replace(part, output)


def main(argv: Sequence[str] | None = None) -> None:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m train.images", description="Real images, checked and cached."
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
    arguments = parser.parse_args(argv)
    if arguments.source and arguments.download:
        command.error("--source and --download exclude each other")
    if arguments.url and not arguments.download:
        command.error("--url goes with --download")
    try:
        source = arguments.source
        if arguments.download:
            source = download(arguments.dataset, arguments.out, arguments.url)
        path = prepare(arguments.dataset, source, arguments.out)
        images = read_official(arguments.dataset, path)
    except NBZeroError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB) from {images.origin}; read back and checked")
    for key in ARRAYS:
        array = getattr(images, key)
        print(f"  {key:12} {array.dtype} {array.shape}  sha256 {_sha256(array)}")
    print(f"set {ENVIRONMENT}={path.resolve().parent} to have it found")


if __name__ == "__main__":
    main()
