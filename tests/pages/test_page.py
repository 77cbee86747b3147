"""A page: it fetches nothing, its data stay data, and it replaces nothing of someone else's."""

import json
import re
import sys

import pytest

from nbzero.errors import MissingPackageError, OutputError
from nbzero.pages import page
from tests.pages.content import data_of

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")


def test_the_page_may_fetch_nothing_and_run_no_other_script(page_path):
    text = page_path.read_text("utf-8")
    assert "default-src 'none'" in text and "unsafe-eval" not in text.split("<style>")[0]
    head = text.split("<script")[0]
    assert not re.findall(r"<(?:link|script|img|iframe)[^>]*(?:src|href)=(?!\"data:,\")", head)
    assert text.count("</script>") == 3 and "@@" not in head
    assert page_path.name == "report.html" and list(page_path.parent.iterdir()) == [page_path]


def test_text_that_looks_like_markup_stays_data(content):
    markup = "</script><script>alert(1)</script><!-- \u2028"
    made = page.page_text("report", {**content, "about": markup})
    assert made.count("</script>") == 3 and "alert(1)</script>" not in made
    assert data_of(made) == {**content, "about": markup}


def test_what_json_has_no_number_for_is_no_content(content):
    with pytest.raises(ValueError, match="not JSON compliant"):
        page.page_text("report", {**content, "oracle": float("nan")})


def test_the_licences_name_what_is_in_the_page(content):
    for part in ("Vega-Lite", "BSD 3-Clause", "D3 modules", "vl-convert-python", "Apache-2.0", "CC BY 4.0"):
        assert part in content["licence"]
    assert "{" not in content["licence"]


def test_equal_columns_are_in_the_page_once(content):
    assert len(set(content["columns"])) == len(content["columns"])


def test_a_page_is_replaced_and_another_file_is_not(tmp_path, page_path):
    path = page.target(tmp_path / "new", "report")
    assert path == tmp_path / "new/report.html" and not path.parent.exists()
    path.parent.mkdir()
    path.write_bytes(page_path.read_bytes())
    assert page.target(path.parent, "report") == path
    path.write_text("mine")
    with pytest.raises(OutputError, match="no report of nbzero, so it is not replaced"):
        page.target(path.parent, "report")
    with pytest.raises(OutputError, match=r"is a file; name a folder, in which report\.html is written"):
        page.target(path, "report")
    (tmp_path / "odd/report.html").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder; name another"):
        page.target(tmp_path / "odd", "report")
    assert path.read_text() == "mine"


def test_a_page_of_another_kind_is_not_replaced(tmp_path, page_path):
    (tmp_path / "explorer.html").write_bytes(page_path.read_bytes())
    with pytest.raises(OutputError, match="no explorer of nbzero"):
        page.target(tmp_path, "explorer")


def test_a_page_appears_whole(tmp_path, content):
    path = page.target(tmp_path / "new", "report")
    page.write_page(path, content)
    assert data_of(path.read_text("utf-8")) == json.loads(json.dumps(content))
    assert list(path.parent.iterdir()) == [path]


def test_without_vl_convert(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingPackageError, match=r"a page with charts .*pip install '.\[report\]'"):
        page.bundler()
