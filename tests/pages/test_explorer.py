"""The explorer: its data are the release's, and its controls work in a real browser without network."""

import json

import numpy as np
import pytest

from nbzero import Bench
from nbzero.errors import NothingFoundError, OutputError, UnknownNameError, UsageError
from nbzero.pages import write_explorer
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.macro import as_arch
from tests.pages.browser import Page
from tests.pages.content import content_of, packed_lines, packed_numbers

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install 'nbzero[report]'")
MINI = ("r1-mini", "cifar10", "cpu-16px-4")
TYPE = """(() => {{
    const box = document.getElementById('find');
    box.value = '{}';
    box.dispatchEvent(new Event('input'));
    box.focus();
}})()"""
DRAWN = """(() => {
    const {points, scale, left} = explorer.state.drawn;
    const measured = points.filter((point) => point.kind).length;
    return {number: points.length, measured, scale: scale.type, left};
})()"""
CELLS = """[...document.querySelectorAll('#{} tbody tr')].map(
    (row) => [...row.children].map((cell) => cell.dataset.value))"""
ALONG = """[...explorer.state.drawn.points].sort((a, b) => a.x - b.x || a.i - b.i).map((one) => one.i)"""
EDITS = "{}.map((other) => explorer.editOf(explorer.stagesOf('{}'), explorer.stagesOf(other)) !== null)"


@pytest.fixture(scope="module")
def shipped():
    return Bench()


@pytest.fixture(scope="module")
def path(shipped, tmp_path_factory):
    return write_explorer(shipped, tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="module")
def opened(browser, path):
    page = Page(browser, width=390)
    yield page
    page.close()


@pytest.fixture
def page(opened, path):
    """The explorer of the shipped release at a phone's width; afterwards it has not complained or asked."""
    opened.browser.events.clear()
    go(opened, path, "")
    yield opened
    assert opened.complaints() == []
    assert {url.split("#")[0] for url in opened.requests()} <= {path.as_uri()}


def go(page, path, address):
    page.send("Page.bringToFront")
    page.send("Page.navigate", url="about:blank")
    page.send("Page.navigate", url=f"{path.as_uri()}#{address}")
    page.wait("window.explorer !== undefined")
    page.run("explorer.charts.drawn")


def of(content, key):
    return next(one for one in content["pools"] if (one["space"], one["dataset"], one["recipe"]) == key)


def text_of(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


# The page as text


def test_the_shipped_release_fits(path, shipped):
    assert path.stat().st_size < 3_000_000
    content = content_of(path)
    assert [(one["space"], one["dataset"], one["recipe"]) for one in content["pools"]] == shipped.runs_with()
    assert "default-src 'none'" in path.read_text("utf-8")


def test_the_page_holds_what_the_release_has(path, shipped):
    content = content_of(path)
    one, space = of(content, MINI), shipped.space("r1-mini")
    assert packed_lines(content, one["archs"]) == list(space.members)
    table = shipped.table("r1-mini", None, *MINI[1:])
    for name, place in one["scores"].items():
        np.testing.assert_array_equal(packed_numbers(content, place), table[name].astype(float), name)
    np.testing.assert_array_equal(packed_numbers(content, one["accuracy"]), table["val_acc"])
    pool = shipped.pool(*MINI)
    assert np.array_equal(packed_numbers(content, one["judged"]), pool.arch_ids)
    runs = shipped.table("r1-mini", ["arch", "seed", "val_acc", "curve"], *MINI[1:], seed="all")
    assert np.array_equal(packed_numbers(content, one["runs"]["accuracy"]), runs["val_acc"])
    curves = np.concatenate(runs["curve"])
    np.testing.assert_allclose(
        packed_numbers(content, one["runs"]["curves"]) / content["scale"], curves, atol=6e-6
    )
    predicted = shipped.query(("r1-mini", 999)).predicted("cifar10")
    for name in ("mean", "sd_mean", "sd_run"):
        shown = packed_numbers(content, one["predicted"][name])[999] / content["scale"]
        assert shown == pytest.approx(getattr(predicted, name), abs=6e-6)
    assert one["lower"] == [name for name in one["scores"] if name in PROXIES and PROXIES[name].direction < 0]


def test_the_test_split_is_there_only_where_it_was_typed(bench, tmp_path):
    content = content_of(write_explorer(bench, tmp_path, ["r1-mini"], split="test"))
    one = of(content, MINI)
    pool = bench.pool(*MINI, split="test")
    shown = packed_numbers(content, one["accuracy"])[pool.arch_ids]
    assert np.array_equal(shown, pool.accuracy) and one["predicted"] is None
    assert "which was asked for" in "\n".join(one["notes"])


def test_wrong_arguments_say_what_is_allowed(bench, tmp_path):
    with pytest.raises(UnknownNameError, match="no space named 'r1mini'; did you mean 'r1-mini'"):
        write_explorer(bench, tmp_path, ["r1mini"])
    with pytest.raises(UsageError, match="split 'train'; it is 'val', or 'test'"):
        write_explorer(bench, tmp_path, split="train")
    with pytest.raises(NothingFoundError, match="no arch of r2-mini has a val accuracy"):
        write_explorer(bench, tmp_path, ["r2-mini"])
    (tmp_path / "explorer.html").write_text("mine")
    with pytest.raises(OutputError, match="no explorer of nbzero, so it is not replaced"):
        write_explorer(bench, tmp_path)


# The page in a browser


def test_it_opens_with_the_largest_pool_and_fits_a_phone(page, shipped):
    pool = shipped.pool(*MINI)
    drawn = page.run(DRAWN)
    assert (drawn["number"], drawn["measured"]) == (1000, len(pool)) and drawn["scale"] == "log"
    assert page.run("document.documentElement.scrollWidth") == 390
    assert f"{len(pool)} measured, {1000 - len(pool)} predicted" in text_of(page, "left-out")
    assert text_of(page, "num-predicted").startswith("predicted, no measurement")


def test_the_panel_of_an_arch_has_its_numbers_and_ranks(page, shipped):
    arch = shipped.space("r1-mini")[3]
    page.run(TYPE.format(arch[8:]))
    page.press("Enter", 13)
    assert text_of(page, "arch-title") == arch
    record = shipped.query(arch)
    shown = page.run("document.getElementById('facts').textContent")
    for seed in (0, 1):
        assert f"{record.accuracy('cifar10', recipe=MINI[2], seed=seed):.4f}" in shown
    assert f"{record.predicted('cifar10').mean:.4f}" in shown and "no measurement" in shown
    table = shipped.table("r1-mini", None, *MINI[1:])
    rows = page.run(CELLS.format("scores"))
    assert {row[0] for row in rows} == set(table.columns) & {*PROXIES}
    for name, score, rank, there in rows:
        values = table[name].astype(float) * (-1 if name == "ntk" else 1)
        assert int(there) == (~np.isnan(values)).sum(), name
        if np.isnan(values[3]):
            assert score == rank == ""
        else:
            assert float(score) == table[name][3] and int(rank) == (values > values[3]).sum(), name
    page.run("explorer.charts.drawn")
    assert page.run("document.querySelectorAll('#drawing rect').length") > 4
    assert "seed 0, seed 1" in text_of(page, "curve-title")


def test_the_address_brings_the_same_page_back(page, path, shipped):
    arch = shipped.space("mb-mini")[5]
    go(page, path, f"space=mb-mini&x=synflow&hide=predicted&arch={arch}")
    drawn = page.run(DRAWN)
    assert drawn["number"] == drawn["measured"] == len(shipped.pool("mb-mini", "cifar10"))
    assert drawn["scale"] == "log" and text_of(page, "arch-title") == arch
    address = page.run("location.hash.slice(1)")
    go(page, path, address)
    assert page.run("location.hash.slice(1)") == address and text_of(page, "arch-title") == arch
    marked = page.run("[...document.getElementById('axis').options].map((one) => one.text)")
    assert "jacob_cov*" in marked and "synflow" in marked


def test_an_address_of_nothing_known_is_left_aside(page, path):
    go(page, path, "space=no&x=no&arch=no&scale=no&hide=no")
    assert page.run("location.hash") == "#space=r1-mini&dataset=cifar10&recipe=cpu-16px-4&x=macs"


def test_a_click_takes_the_nearest_point_and_keys_go_along_the_axis(page, path):
    go(page, path, "space=r1-mini&hide=predicted")
    pixel = page.run("""(() => {
        const {points} = explorer.state.drawn, {x, y, left, top} = explorer.plot();
        const first = points.reduce((one, other) => (other.x < one.x ? other : one));
        const box = document.querySelector('#scatter canvas').getBoundingClientRect();
        window.scrollBy(0, box.top);
        const moved = document.querySelector('#scatter canvas').getBoundingClientRect();
        return {i: first.i, x: moved.left + left + x(first.x), y: moved.top + top + y(first.y)};
    })()""")
    for kind in ("mousePressed", "mouseReleased"):
        at = {"x": pixel["x"], "y": pixel["y"], "button": "left", "clickCount": 1}
        page.send("Input.dispatchMouseEvent", type=kind, **at)
    assert page.run("explorer.state.arch") == pixel["i"]
    order = page.run(
        "[...explorer.state.drawn.points].sort((a, b) => a.x - b.x || a.i - b.i).map((one) => one.i)"
    )
    page.run("document.getElementById('scatter').focus()")
    for key, wanted in (("ArrowRight", order[1]), ("End", order[-1]), ("Home", order[0]), ("Escape", None)):
        page.press(key)
        assert page.run("explorer.state.arch") == wanted


def test_neighbours_are_the_edits_of_an_arch(page, shipped):
    for number in range(0, 60, 20):
        one = as_arch(shipped.space("r1")[number])
        edits = {str(edit) for edit in one.edits()}
        further = {str(edit) for near in one.edits()[::6] for edit in near.edits()} - {str(one)}
        asked = sorted(edits | further)
        assert len(asked) > 2 * len(edits)
        found = page.run(EDITS.format(json.dumps(asked), one))
        assert found == [other in edits for other in asked]


def test_what_has_no_place_on_the_axis_is_counted(browser, bench, tmp_path):
    path = write_explorer(bench, tmp_path, ["r1-mini"])
    page = Page(browser)
    go(page, path, "space=r1-mini&recipe=cpu-16px-4&dataset=cifar10&x=naswot")
    scores = bench.pool(*MINI).score("naswot")
    left = page.run(DRAWN)["left"]
    assert left["infinite"] == np.isinf(scores).sum() > 0
    assert "with an infinite score of naswot" in text_of(page, "left-out")
    go(page, path, "space=r1-mini&recipe=cpu-16px-4&dataset=cifar10&x=zen")
    assert page.run(DRAWN)["left"]["absent"] == np.isnan(bench.pool(*MINI).score("zen")).sum() > 0
    page.close()
