"""The other generated pages: the API, files of the project, notebooks."""

from importlib import import_module

from builders.site import api, copies, notebooks
from tests.places import ROOT


def test_the_api_has_every_public_name():
    for package in api.PACKAGES:
        page = api.package_page(package)
        for name in import_module(package).__all__:
            assert f"::: {package}.{name}\n" in page or f"- `{name}`: " in page
            assert f"`{name}`" in api.overview()


def test_a_file_becomes_a_page_without_header_and_with_links_that_lead_somewhere(tmp_path):
    path = tmp_path / "A.md"
    path.write_text("---\na: 1\n---\n\n# A\n[b](B.md) [c](C.txt) [d](https://example.org) [e](#e)\n---\n")
    text = copies.page_of(path, {"B.md": "b.md"})
    assert text == "\n# A\n[b](b.md) c [d](https://example.org) [e](#e)\n---\n"


def test_every_file_that_becomes_a_page_is_there():
    assert all((ROOT / name).is_file() for name in copies.PAGES)


def test_a_notebook_becomes_a_page_with_its_outputs(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text(
        """{"cells": [
        {"cell_type": "markdown", "source": ["# T\\n", "words"]},
        {"cell_type": "code", "source": ["print(1)"], "outputs": [
            {"output_type": "stream", "text": ["1\\n"]},
            {"output_type": "execute_result", "data": {"text/plain": ["2"]}},
            {"output_type": "display_data", "data": {"image/png": "QUJD\\n", "text/plain": ["F"]}}]}]}"""
    )
    assert notebooks.page_of(path) == (
        "# T\nwords\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```text\n2\n```\n\n"
        '<img src="data:image/png;base64,QUJD" alt="figure">\n'
    )
    assert notebooks.code_of(path) == ["print(1)"]
