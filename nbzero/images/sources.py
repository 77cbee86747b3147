"""A whole data set from what the disk holds: our cache, lossless strips, the official archive or its files.

Everything that is read is checked against a published or recorded checksum. What fails is an ImagesError that
names the file. N images, R x R pixels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbzero.errors import ImagesError, needs
from nbzero.images.facts import ARRAYS, ENVIRONMENT, Dataset, dataset
from nbzero.images.splits import by_hash, indices_by_class

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class OfficialImages:
    """A whole data set in official order: uint8 images (N, 3, R, R) and int64 labels (N,), checked.

    `origin` says whose pixels they are: "official files", "lossless strips" or "scikit-learn".
    """

    dataset: str
    origin: str
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


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

    A file is an `.h5` cache or the official archive. A folder is searched for, in this order:

        {name}.h5                                       the cache that `prepare` writes
        {name}-train-*.parquet, {name}-test.parquet     lossless strips
        the official archive
        the official files, in the folder itself or in the one that the archive unpacks to

    `digits` needs no source: scikit-learn carries it.

    Raises:
        UnknownNameError: no data set of that name.
        ImagesError: nothing found; a file truncated, malformed or with another checksum than published or
            recorded.
    """
    spec = dataset(name)
    if source is None and name != "digits":
        raise ImagesError(
            f"no place given for the images of {name!r}: name a folder or set {ENVIRONMENT}; "
            f"`python -m nbzero.images prepare {name} --help` says how to make one"
        )
    if source is not None and source.is_file():
        return _read_file(spec, source)
    found = None if source is None else _read_folder(spec, source)
    if found is not None:
        return found
    if name == "digits":
        return _read_digits(spec)
    files = ", ".join((*spec.train_files, *spec.test_files))
    archive = f"{spec.archive}, " if spec.archive else ""
    raise ImagesError(
        f"{source}: no images of {name!r}; "
        f"looked for {name}.h5, {name}-train-*.parquet with {name}-test.parquet, {archive}"
        f"and the official files, here or in {spec.folder}/: {files}. {where_to_get(spec)}"
    )


def _read_file(spec: Dataset, path: Path) -> OfficialImages:
    if path.suffix == ".h5":
        return _read_hdf5(spec, path)
    if spec.archive and path.name.endswith((".tar.gz", ".tgz")):
        return _read_archive(spec, path)
    or_archive = f" or {spec.archive}" if spec.archive else ""
    raise ImagesError(
        f"{path}: the images of {spec.name!r} are read from a folder, {spec.name}.h5{or_archive}; name one"
    )


def _read_folder(spec: Dataset, folder: Path) -> OfficialImages | None:
    """What a folder holds; None for nothing of this data set."""
    cache = folder / f"{spec.name}.h5"
    if cache.exists():
        return _read_hdf5(spec, cache)
    if next(folder.glob(f"{spec.name}-t*.parquet"), None):
        return _read_strips(spec, folder)
    if spec.archive and (folder / spec.archive).exists():
        return _read_archive(spec, folder / spec.archive)
    for place in (folder, folder / spec.folder):
        if any((place / file).exists() for file in (*spec.train_files, *spec.test_files)):
            return _read_files(spec, place)
    return None


def where_to_get(spec: Dataset) -> str:
    """Where the official files come from, in words."""
    if spec.url:
        return f"Get {spec.url} or run `python -m nbzero.images prepare {spec.name} --download`"
    return "Get the 16x16 batch files from https://image-net.org/download-images (needs an account)"


def sha256_of(array: Array) -> str:
    """SHA-256 of the values in C order, labels as little-endian int64, wherever they were read from."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data).hexdigest()


def _checked(
    spec: Dataset, origin: str, arrays: Mapping[str, Array], sha256: Mapping[str, str], where: Path | str
) -> OfficialImages:
    """The four arrays as OfficialImages; shape, type, label range and the expected checksums are tested."""
    for key in ARRAYS:
        _check_form(spec, key, arrays[key], where)
        if key not in sha256:
            continue
        found = sha256_of(arrays[key])
        if found != sha256[key]:
            raise ImagesError(
                f"{where}: sha256 of {key} of {spec.name!r} is {found}, must be {sha256[key]}: "
                "other or damaged data; delete it and get or prepare it anew"
            )
    return OfficialImages(spec.name, origin, **{key: arrays[key] for key in ARRAYS})


def _check_form(spec: Dataset, key: str, array: Array, where: Path | str) -> None:
    """ImagesError for another shape or type, or labels of no class."""
    size = spec.num_train if key.startswith("train") else spec.num_test
    shape: tuple[int, ...] = (size,)
    dtype: np.dtype[Any] = np.dtype(np.int64)
    is_image = key.endswith("images")
    if is_image:
        shape = (size, 3, spec.resolution, spec.resolution)
        dtype = np.dtype(np.uint8)
    if array.shape != shape or array.dtype != dtype:
        raise ImagesError(
            f"{where}: {key} of {spec.name!r} is {array.dtype} {array.shape}, "
            f"must be {dtype} {shape}; get it anew"
        )
    if not is_image and not 0 <= array.min() <= array.max() < spec.num_classes:
        raise ImagesError(
            f"{where}: {key} of {spec.name!r} range over {array.min()}..{array.max()}, "
            f"must be within 0..{spec.num_classes - 1}; get it anew"
        )


def _read_hdf5(spec: Dataset, path: Path) -> OfficialImages:
    h5py = needs("the cache of images", "h5py")
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
    arrays: dict[str, Array] = {}
    for split, pattern, size in (
        ("train", f"{spec.name}-train-*.parquet", spec.num_train),
        ("test", f"{spec.name}-test.parquet", spec.num_test),
    ):
        images = np.empty((size, spec.resolution, spec.resolution, 3), np.uint8)
        labels = np.full(size, -1, np.int64)
        for path in folder.glob(pattern):
            for first, strip_labels, strip_images in _strips(spec, path):
                end = first + len(strip_labels)
                if first < 0 or end > size:
                    raise ImagesError(
                        f"{path}: a strip of {len(strip_labels)} images at {first}; {split} has {size}"
                    )
                images[first:end] = strip_images
                labels[first:end] = strip_labels
        missing = labels < 0
        if missing.any():
            raise ImagesError(
                f"{folder / pattern}: {missing.sum()} of {size} images are missing, the first at index "
                f"{missing.argmax()}; bring the files that hold them"
            )
        arrays[f"{split}_images"] = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        arrays[f"{split}_labels"] = labels
    return _checked(spec, "lossless strips", arrays, spec.sha256, folder / f"{spec.name}-*.parquet")


def _strips(spec: Dataset, path: Path) -> Iterator[tuple[int, list[int], Array]]:
    """Official index of the first image, labels and images (n, R, R, 3) of each WebP strip.

    A strip is R wide and n*R high.
    """
    import pyarrow
    from pyarrow import parquet

    image = needs("lossless strips", "PIL.Image")
    size = spec.resolution
    try:
        table = parquet.read_table(path)
        columns = (table[column].to_pylist() for column in ("first_index", "label", "image"))
        for first, labels, webp in zip(*columns, strict=True):
            with image.open(io.BytesIO(webp), formats=["WEBP"]) as strip:
                pixels = np.asarray(strip.convert("RGB"))
            if pixels.shape != (size * len(labels), size, 3):
                raise ImagesError(
                    f"{path}: the strip at index {first} is {pixels.shape[1]} x {pixels.shape[0]} pixels, "
                    f"must be {size} x {size * len(labels)} for its {len(labels)} labels; get the file anew"
                )
            yield first, labels, pixels.reshape(len(labels), size, size, 3)
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise ImagesError(f"{path}: truncated or damaged ({error}); get the file anew") from error


def _read_archive(spec: Dataset, path: Path) -> OfficialImages:
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != spec.archive_md5:
        raise ImagesError(
            f"{path}: md5 is {md5}, that of the official {spec.archive} is {spec.archive_md5}: "
            f"truncated, damaged or another file. {where_to_get(spec)}"
        )
    contents: dict[str, bytes] = {}
    with tarfile.open(path, "r:gz") as tar:
        for member in tar:  # read in order: seeking back would decompress again
            file_in_tar = tar.extractfile(member)
            if file_in_tar is not None:
                contents[Path(member.name).name] = file_in_tar.read()
    return _decode_official(spec, contents.get, path)


def _read_files(spec: Dataset, folder: Path) -> OfficialImages:
    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    return _decode_official(spec, read, folder)


def _decode_official(spec: Dataset, read: Callable[[str], bytes | None], where: Path) -> OfficialImages:
    """The official files' bytes, each checked against its md5, as arrays."""
    decode = _decode_binary if spec.layout == "binary" else _decode_pickle
    arrays: dict[str, Array] = {}
    for split, files in (("train", spec.train_files), ("test", spec.test_files)):
        images, labels = [], []
        for name, md5 in files.items():
            content = _official_bytes(spec, read(name), md5, where / name)
            some_images, some_labels = decode(spec, content, where / name)
            images.append(some_images)
            labels.append(some_labels)
        arrays[f"{split}_images"] = np.concatenate(images)
        arrays[f"{split}_labels"] = np.concatenate(labels)
    return _checked(spec, "official files", arrays, {}, where)


def _official_bytes(spec: Dataset, content: bytes | None, md5: str, path: Path) -> bytes:
    """The content of an official file; ImagesError where it is missing or another."""
    if content is None:
        raise ImagesError(f"{path}: missing. {where_to_get(spec)}")
    found = hashlib.md5(content).hexdigest()
    if found != md5:
        raise ImagesError(
            f"{path}: md5 of its {len(content):,} bytes is {found}, published is {md5}: "
            f"truncated or damaged. {where_to_get(spec)}"
        )
    return content


def _decode_binary(spec: Dataset, content: bytes, path: Path) -> tuple[Array, Array]:
    """CIFAR's binary records: one or two label bytes, then the red, green and blue plane, rows first."""
    record = spec.label_bytes + 3 * spec.resolution**2
    if len(content) % record:
        raise ImagesError(f"{path}: {len(content):,} bytes, must be records of {record}; get it anew")
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    images = rows[:, spec.label_bytes :].reshape(-1, 3, spec.resolution, spec.resolution)
    return images, rows[:, spec.label_bytes - 1].astype(np.int64)


# All that pickle documents or was seen to raise on damaged bytes.
_PICKLE_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    MemoryError,
)


def _decode_pickle(spec: Dataset, content: bytes, path: Path) -> tuple[Array, Array]:
    """ImageNet16's batches. The first `num_classes` of 1,000 classes are kept, in order and numbered from 0.

    A batch is a dict:

        data       uint8 (N, 3*R*R): red, green, blue plane
        labels     a list of N integers in 1..1000
    """
    try:
        batch = _NumpyUnpickler(content, path).load()
    except _PICKLE_ERRORS as error:
        raise ImagesError(f"{path}: truncated, or no pickled batch ({error}); get it anew") from error
    data = labels = None
    if isinstance(batch, dict):
        data, labels = batch.get("data"), batch.get("labels")
    row = 3 * spec.resolution**2
    allowed = f"must be uint8 (N, {row}); get it anew"
    if not isinstance(data, np.ndarray):
        raise ImagesError(f"{path}: 'data' is {type(data).__name__}, {allowed}")
    if data.dtype != np.uint8 or data.shape[1:] != (row,):
        raise ImagesError(f"{path}: 'data' is {data.dtype} {data.shape}, {allowed}")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(map(_is_imagenet_label, labels)):
        raise ImagesError(
            f"{path}: 'labels' must be a list of {len(data)} integers within 1..1000; get it anew"
        )
    label = np.array(labels, np.int64)
    kept = label <= spec.num_classes
    return data[kept].reshape(-1, 3, spec.resolution, spec.resolution), label[kept] - 1


def _is_imagenet_label(label: object) -> bool:
    return isinstance(label, int | np.integer) and bool(1 <= label <= 1000)


def _latin1(text: str, _encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which protocol 2 of Python 3 writes bytes: always as latin1."""
    return text.encode("latin1")


class _NumpyUnpickler(pickle.Unpickler):
    """Admits what a pickled numpy array consists of, and nothing else: a pickle may run any code."""

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
                f"{self.path}: asks for {module}.{name}, which a batch of images does not need: it could run "
                "code, and was refused. Do not use this file; get the official one"
            )
        return self.ADMITTED[module, name]


def _read_digits(spec: Dataset) -> OfficialImages:
    """The 1,797 handwritten digits of scikit-learn (8x8, grey 0..16), scaled to 0..255, three equal channels.

    Each pixel is repeated 2x2, which depends on no library's interpolation. They have no official split. Per
    class, the 20 % (rounded down) with the smallest SHA-256 of "digits/all/{index}" are test. Both lists are
    in index order.
    """
    datasets = needs("the data set 'digits'", "sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    grey = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = grey.repeat(2, axis=1).repeat(2, axis=2)[:, None].repeat(3, axis=1)
    is_test = np.zeros(len(labels), bool)
    for members in indices_by_class(labels, spec.num_classes):
        is_test[by_hash("digits/all", members)[: len(members) // 5]] = True
    arrays = {
        "train_images": images[~is_test],
        "train_labels": labels[~is_test].astype(np.int64),
        "test_images": images[is_test],
        "test_labels": labels[is_test].astype(np.int64),
    }
    return _checked(spec, "scikit-learn", arrays, spec.sha256, "sklearn.datasets.load_digits")
