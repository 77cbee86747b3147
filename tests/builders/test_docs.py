"""The documentation site: built whole, without network, with links that lead somewhere."""

import re
import sys
import tomllib

import pytest

from builders import docs
from builders.site import api, found, gallery
from nbzero import Bench
from nbzero.errors import OutputError
from nbzero.proxies.facts import PROXIES
from tests.places import ROOT

CONFIG = tomllib.loads((ROOT / "docs/zensical.toml").read_text())["project"]


def pages_of(nav):
    for entry in nav:
        for target in entry.values():
            yield from pages_of(target) if isinstance(target, list) else [target]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Of one pool, one figure of two proxies, the docstrings of one package; `make docs` has all of them."""
    out = tmp_path_factory.mktemp("docs") / "site"
    page = api.package_page
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            api, "package_page", lambda name: page(name) if name == "nbzero.metrics" else f"# {name}"
        )
        patch.setattr(
            found, "pools", lambda bench, n: [found.pool_found(bench, "mb", "cifar10", "cpu-16px-4", n)]
        )
        patch.setattr(gallery, "FEW", ("zen", "macs"))
        patch.setattr(gallery, "OF_FEW", ("distributions",))
        assert docs.main(["--out", str(out), "--figures", "distributions", "--resamples", "5"]) == 0
    return out


def test_what_the_site_needs_is_asked_for_before_the_work(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "zensical", None)
    monkeypatch.setattr(docs, "write_pages", None)
    assert docs.main(["--out", str(tmp_path / "site")]) == 2
    said = capsys.readouterr().err
    assert "the site needs zensical" in said and "pip install '.[docs]' in a checkout of nbzero" in said


def test_every_page_of_the_navigation_is_there(site):
    for page in pages_of(CONFIG["nav"]):
        assert (site / page).with_suffix(".html").is_file()


def test_no_page_asks_another_host(site):
    assert list(docs.asked_elsewhere(site)) == []
    (site / "asks.html").write_text('<link rel="a"><script defer src=//example.org/x.js></script>')
    assert list(docs.asked_elsewhere(site)) == ["//example.org/x.js (asks.html)"]
    (site / "asks.html").unlink()


def test_the_front_page_has_the_counts_of_the_release_and_a_picture(site):
    front = (site / "index.html").read_text()
    assert f"Data {Bench(ROOT / 'data').version}: " in front
    assert 'src="figures/front.png"' in front and (site / "figures/front.png").stat().st_size > 10_000


def test_formulas_and_doctests_are_code(site):
    text = re.sub(r"<[^>]+>", "", (site / "proxies/activation.html").read_text())
    assert "score = log |det K|" in text
    bench = re.sub(r"<[^>]+>", "", (site / "api/metrics.html").read_text())
    assert "&gt;&gt;&gt; mbr([3, 2, 1], [0.7, 0.9, 0.8]" in bench.replace("&#62;", "&gt;")


def test_every_proxy_is_found_by_search(site):
    index = (site / "search.json").read_text()
    assert all(name in index for name in PROXIES)


def test_a_link_that_leads_nowhere_is_an_error(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# A\n[b](nowhere.md)\n")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "a"\n[project.theme]\nfont = false\n')
    with pytest.raises(OutputError, match="page does not exist"):
        docs.build(tmp_path)


def test_an_unknown_figure_is_refused(capsys):
    assert docs.main(["--figures", "mbrr"]) == 2
    assert "no figure named 'mbrr'; did you mean 'mbr'?" in capsys.readouterr().err
