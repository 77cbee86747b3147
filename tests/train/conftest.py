"""One thread, so that the tests of training do not disturb each other; the digits."""

import pytest
import torch

from nbzero.images.tensors import ImageData, load


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> ImageData:
    return load("digits")
