"""The report of the made release, and a browser to look at it."""

import pytest

from nbzero.pages import write_report
from tests.pages.browser import Browser, find_browser
from tests.pages.content import content_of


@pytest.fixture(scope="session")
def page_path(bench, tmp_path_factory):
    pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
    return write_report(bench, tmp_path_factory.mktemp("page"), resamples=20)


@pytest.fixture(scope="session")
def content(page_path):
    return content_of(page_path)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program, why_not = find_browser()
    if program is None:
        pytest.skip(why_not)
    started = Browser(program, tmp_path_factory.mktemp("browser"))
    yield started
    started.close()
