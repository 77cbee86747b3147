"""What is known of each data set before any file is opened. Neither torch nor numpy is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nbzero.errors import unknown_name

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
ENVIRONMENT = "NBZERO_IMAGES"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What is known of one data set.

    Attributes:
        name: of the data set.
        num_classes: classes, numbered from 0.
        resolution: R, the native one: images are R x R pixels.
        num_train, num_test: official training and test images.
        mean, std: per channel, of training images on the 0..1 scale; the same at other resolutions.
        sha256: checksum of each of `ARRAYS` (labels as little-endian int64), as the lossless strips or
            scikit-learn give them; empty where there are neither.
        layout: what the official files hold, "binary" records or a "pickle".
        label_bytes: labels of a binary record, before its 3 R R pixels; the last one counts.
        folder: what the official archive unpacks to.
        train_files, test_files: the official files in official order, with their published md5.
        url: of the official archive; empty where there is none to download.
        archive_md5: its published md5.
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
    folder: str = ""
    train_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    test_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    url: str = ""
    archive_md5: str = ""

    @property
    def archive(self) -> str:
        """File name of the official archive; empty where there is none to download."""
        return self.url.rpartition("/")[2]


# Where the checksums come from.
#   archives     their home page, https://www.cs.toronto.edu/~kriz/cifar.html
#   .bin files   as four public build scripts record them; the CIFAR-100 strips, written out in the official
#                layout, reproduce both of theirs
#   strips       of CIFAR-10 hold 104 images (81 train, 23 test) decoded from JPEG, so their sha256 is not
#                that of the official archive
#   ImageNet16   the md5 that NAS-Bench-201's loader checks
_ALL = (
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

DATASETS: dict[str, Dataset] = {spec.name: spec for spec in _ALL}


def dataset(name: str) -> Dataset:
    """The data set of that name; UnknownNameError with near matches for any other."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]
