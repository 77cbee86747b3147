"""The Python of docs/ runs, page by page and notebook by notebook, from top to bottom."""

import re
from pathlib import Path

import matplotlib
import pytest

from builders.site.notebooks import code_of
from tests.places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "```python" in path.read_text())
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.ipynb"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own, and no window."""
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")


def names(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def run(blocks: list[str]) -> dict:
    there: dict = {}
    for block in blocks:
        exec(block, there)  # our own pages
    return there


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_page_runs(page):
    found = run(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    checks = {"tutorials/proxy.md": _proxy, "tutorials/search.md": _search, "tutorials/tables.md": _tables}
    if names(page) in checks:
        checks[names(page)](found)


def _proxy(found):
    assert found["report"].place()[1] > 30 and not found["scores"].reasons


def _search(found):
    best = {name: search.best[1] for name, search in found["found"].items()}
    assert all(0.4 < accuracy < 0.6 for accuracy in best.values())


def _tables(found):
    assert list(found["best"].columns) == ["space", "n", "best", "arch"]
    assert len(found["best"]) == 3 and -1 < found["tau"] < 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=names)
def test_a_notebook_runs_from_top_to_bottom_and_shows_its_outputs(notebook):
    run(code_of(notebook))
    shown = notebook.read_text()
    assert '"outputs": []' not in shown.split('"cell_type": "code"')[-1]


def test_there_are_the_tutorials_that_are_promised():
    assert {path.stem for path in DOCS.glob("tutorials/*.md")} == {"proxy", "search", "gpu", "tables"}
    assert len(NOTEBOOKS) == 2


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=names)
def test_every_command_that_a_page_shows_exists(page):
    text = page.read_text()
    for module in re.findall(r"python -m ((?:builders|tests|nbzero)[.\w]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
