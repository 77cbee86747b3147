"""train_shard on a few images: python -m tests.builders.work.few OPTIONS OF TRAIN_SHARD. No test itself."""

import sys
from typing import Any

from builders import train_shard
from builders.work.job import Compute
from nbzero.images.tensors import ImageData, load
from tests.train.made import few


def load_few(*given: Any) -> ImageData:
    return few(load(*given))


def start(device: str, settings: dict[str, Any]) -> Compute:
    """As train_shard starts in a worker."""
    train_shard.load = load_few
    return start_of_job(device, settings)


start_of_job = train_shard.start

if __name__ == "__main__":
    train_shard.start = start
    sys.exit(train_shard.main())
