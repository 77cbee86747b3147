"""Imported spaces: made sources of a few archs, and the published tables where they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import import_bench
from nbzero import Bench
from nbzero.importers.official import Parse
from nbzero.importers.published import IMPORTERS
from tests.importers.made import MADE, run, write
from tests.places import DATA


@pytest.fixture(autouse=True)
def few_unless_real(request: pytest.FixtureRequest) -> None:
    """The definitions expect few archs, except in tests of the published tables."""
    if "real" not in request.fixturenames:
        request.getfixturevalue("few_archs")


@pytest.fixture
def read_apart() -> None:
    """Asked for by tests of official files that are read in a process of its own, as ever."""


@pytest.fixture(autouse=True)
def read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they are read in this process: one of its own takes a moment to start."""
    if "read_apart" not in request.fixturenames:
        monkeypatch.setattr(import_bench, "Bounded", lambda parse, most: parse)
        monkeypatch.setattr(import_bench, "Apart", Here)


class Here:
    """In place of `Apart`: calls the function in this process."""

    def __init__(self, function: Parse, advice: str, limit_s: float | None) -> None:
        self._function = function

    def __call__(self, data: bytes, name: str) -> Any:
        return self._function(data, name)

    def end(self) -> None:
        """There is no process."""


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Any], str]:
    """What is said of a made source that was spoilt, after checking that nothing was written."""

    def said(name: str, spoil: Any) -> str:
        files = MADE[name]()
        spoil(files)
        assert run(name, write(tmp_path / "source", files), tmp_path / "out") == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    return said


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bench]:
    """Makes a release of published tables: real(space, ..)."""

    def make(*spaces: str) -> Bench:
        out = tmp_path_factory.mktemp("real")
        for space in spaces:
            if not all((DATA / f"{file}.parquet").is_file() for file in IMPORTERS[space].files):
                pytest.skip("the published tables are not part of the repository")
            assert run(space, DATA, out) == 0
        return Bench(out)

    return make
