"""Benches that the adapters are tried on: the one that ships, and two imports of made NAS-Bench-201 files."""

from pathlib import Path

import pytest

from nbzero import Bench
from tests.importers.made import few_expected, imported, run, some
from tests.importers.made_official import made_results, write_nats

EPOCHS = {"12": 3, "200": 5}
SEEDS = {"12": (111,), "200": (777, 888, 999)}


@pytest.fixture(scope="session")
def bench():
    return Bench()


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Accuracies alone: no curves, no times."""
    with few_expected():
        return imported(tmp_path_factory.mktemp("tables"), "nb201")


@pytest.fixture(scope="session")
def transnas(tmp_path_factory):
    with few_expected():
        return imported(tmp_path_factory.mktemp("transnas"), "transnas-macro")


@pytest.fixture(scope="session")
def nbmacro(tmp_path_factory):
    """Test accuracies alone."""
    with few_expected():
        return imported(tmp_path_factory.mktemp("nbmacro"), "nbmacro")


@pytest.fixture(scope="session")
def held():
    """What the official files of the archs hold."""
    archs = some("nb201")
    return [made_results("nb201", index, arch, EPOCHS, SEEDS) for index, arch in enumerate(archs)]


@pytest.fixture(scope="session")
def archive(tmp_path_factory, held):
    """An import of NATS-Bench's own files, with curves and times."""
    folder: Path = tmp_path_factory.mktemp("archive")
    with few_expected():
        assert run("nb201", write_nats(folder / "simple", some("nb201"), held), folder / "out") == 0
    return Bench(folder / "out")
