"""CONTRIBUTING, DATASHEET, SECURITY and the public CI: what they name is there."""

import re

import pytest
import yaml

from nbzero.cite import BENCHMARKS
from tests.places import ROOT
from train.recipe import RECIPES

PAGES = ("CONTRIBUTING.md", "DATASHEET.md", "SECURITY.md", "DATASET_CARD.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_link_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    files = re.findall(r"`((?:nbzero|train|builders|tests)/[\w/]*(?:\.py)?)`", text)
    missing = [name for name in [*links, *files] if not (ROOT / name).exists()]
    assert not missing
    modules = re.findall(r"python -m ((?:builders|tests)\.\w+)", text)
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in modules)


def test_contributing_names_every_step_by_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert "`RECIPES`" in text and RECIPES
    assert "`BENCHMARKS`" in text and BENCHMARKS
    for folder in ("spaces", "importers", "networks"):
        assert f"| `nbzero/{folder}/` | `published.py` |" in text
        assert (ROOT / "nbzero" / folder / "published.py").is_file()
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads == ["A proxy", "A published benchmark", "A recipe", "Data"]


def test_the_public_ci_runs_the_tests_on_every_python_that_nbzero_is_for():
    (job,) = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"].values()
    versions = job["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert f"python_requires = >={versions[0]}" in (ROOT / "setup.cfg").read_text()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs == ["make test PYTHON=python${{ matrix.python }}", "make docs"]
