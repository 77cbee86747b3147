"""The small data set, known by name while a test runs."""

import hashlib

import pytest

from nbzero.images.facts import ARRAYS, DATASETS, Dataset
from tests.images.made import Made, binary, made_arrays, md5, tar


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
