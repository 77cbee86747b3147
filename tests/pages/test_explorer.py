"""The explorer: its data are the release's, and its controls work in a real browser without network."""

import csv
import json
import math

import numpy as np
import pytest

from nbzero import Bench
from nbzero.cli.scores import read_scores
from nbzero.errors import NothingFoundError, OutputError, UnknownNameError, UsageError
from nbzero.pages import write_explorer
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.decisions import values_of
from nbzero.spaces.macro import as_arch
from tests.pages.browser import Page
from tests.pages.content import content_of, packed_lines, packed_numbers

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
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


def test_it_opens_with_the_largest_pool_and_fits_a_phone(page, path, shipped):
    go(page, path, "")
    pool = shipped.pool(*MINI)
    drawn = page.run(DRAWN)
    assert (drawn["number"], drawn["measured"]) == (1000, len(pool)) and drawn["scale"] == "log"
    assert page.run("document.documentElement.scrollWidth") == 390
    assert f"{len(pool)} measured, {1000 - len(pool)} predicted" in text_of(page, "left-out")
    assert text_of(page, "num-predicted").startswith("predicted, no measurement")


@pytest.mark.parametrize("width", [390, 1280])
def test_what_is_chosen_is_not_cut(page, path, width):
    screen = {"height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.send("Emulation.setDeviceMetricsOverride", width=width, **screen)
    go(page, path, "")
    cut = page.run("""[...document.querySelectorAll('.controls select')].filter((select) => {
        const pen = document.createElement('canvas').getContext('2d');
        const style = getComputedStyle(select);
        pen.font = `${style.fontSize} ${style.fontFamily}`;
        const sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + 20;  // and the arrow
        return pen.measureText(select.selectedOptions[0].text).width + sides > select.clientWidth;
    }).map((select) => select.id)""")
    page.send("Emulation.setDeviceMetricsOverride", width=390, **screen)
    assert cut == []


def test_the_panel_of_an_arch_has_its_numbers_and_ranks(page, path, shipped):
    go(page, path, "")
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
    scored = [name for name in {*table.columns} & {*PROXIES} if not np.isnan(table[name].astype(float)).all()]
    assert {row[0] for row in rows} == {*scored, "macs", "params", "depth"}
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


def mouse(page, kind, x, y):
    page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)


def test_a_region_is_drawn_and_typed_and_lists_its_archs(page, path, shipped):
    go(page, path, "space=r1-mini&x=macs")
    box = page.run("""(() => {
        const canvas = document.querySelector('#scatter canvas');
        window.scrollBy(0, canvas.getBoundingClientRect().top);
        const {left, top, width, height} = explorer.plot(), {x, y} = canvas.getBoundingClientRect();
        return [x + left + .3 * width, y + top + .2 * height, x + left + .6 * width, y + top + .7 * height];
    })()""")
    mouse(page, "mousePressed", *box[:2])
    mouse(page, "mouseMoved", *box[2:])
    mouse(page, "mouseReleased", *box[2:])
    page.run("explorer.charts.drawn")
    region = page.run("explorer.state.region")
    pool = shipped.table("r1-mini", ["macs", "val_acc"], *MINI[1:])
    macs, accuracy = pool["macs"], pool["val_acc"]
    inside = (macs >= region["x0"]) & (macs <= region["x1"])
    inside &= (accuracy >= region["y0"]) & (accuracy <= region["y1"])
    assert f"{inside.sum()} measured, accuracy {accuracy[inside].min():.4f}" in text_of(
        page, "region-summary"
    )
    rows = page.run(CELLS.format("region-table"))
    measured = [row[0] for row in rows if row[1] == "measured"]
    space = shipped.space("r1-mini")
    assert sorted(measured) == sorted(space[i] for i in np.flatnonzero(inside)) and len(measured) < len(rows)
    address = page.run("location.hash.slice(1)")
    page.run("document.getElementById('clear-region').click()")
    assert page.run("explorer.state.region") is None
    go(page, path, address)
    assert page.run("explorer.state.region") == region
    page.run("""(() => {
        document.getElementById('clear-region').click();
        const field = document.getElementById('y0');
        field.value = '0.55';
        field.dispatchEvent(new Event('change'));
    })()""")
    assert f"{(accuracy >= 0.55).sum()} measured" in text_of(page, "region-summary")


def drop(page, text, name="mine.csv"):
    page.run(f"explorer.takeFile(new File([{json.dumps(text)}], '{name}'))")
    page.run("explorer.charts.drawn")


def own_scores(space, number):
    """Two seeds of some archs: ties, an infinite score, one arch without a score, one without its seed."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(number):
        for seed in (0, 1):
            rows.append([space[i], seed, float(rng.integers(40)), ""])
    rows[6][2] = rows[7][2] = math.inf
    rows[9][2:] = ["", 'ValueError: "odd", it says']
    return rows[:-1]


def test_own_scores_get_the_numbers_of_evaluate(page, path, shipped, tmp_path):
    rows = own_scores(shipped.space("r1-mini"), 150)
    with open(tmp_path / "mine.csv", "w", newline="") as file:
        csv.writer(file).writerows([["arch", "seed", "score", "reason"], *rows])
    report = shipped.evaluate(read_scores(str(tmp_path / "mine.csv"), None), *MINI)
    go(page, path, "space=mb-mini")
    drop(page, (tmp_path / "mine.csv").read_text())
    shown = {row[0]: row[1:] for row in page.run(CELLS.format("judged"))}
    wanted = {row["proxy"]: row for row in report.metrics if row["proxy"] in shown}
    assert set(shown) == {"yours", *report.pool.scores, *report.pool.costs} and len(report.pool) == 149
    for name, (missing, *values) in shown.items():
        columns = ("kendall", "mbr_union", "mbr_macs", "mbr_params", "mbr_depth")
        assert int(missing) == wanted[name]["missing"]
        for column, value in zip(columns, values, strict=True):
            right = wanted[name][column]
            same = value == "" if right is None else math.isclose(float(value), right, rel_tol=1e-12)
            assert same, (name, column, value, right)
    place, of = report.place()
    assert f"is number {place} of {of} proxies and costs by mBR" in text_of(page, "own-verdict")
    assert page.run("explorer.state.proxy") == "yours" and "N = 149" in text_of(page, "judged-title")
    assert page.run(DRAWN)["left"]["infinite"] == 1
    page.run("""(() => {
        const box = document.getElementById('direction');
        box.value = 'lower';
        box.dispatchEvent(new Event('change'));
    })()""")
    turned = shipped.evaluate(read_scores(str(tmp_path / "mine.csv"), None), *MINI, direction=-1)
    row = next(row for row in page.run(CELLS.format("judged")) if row[0] == "yours")
    assert float(row[2]) == pytest.approx(turned.metrics["kendall"][0], rel=1e-12)
    assert float(row[3]) == pytest.approx(turned.metrics["mbr_union"][0], rel=1e-12)


REFUSED = [
    ("arch,score\nno,1\n", "1 of 1 scores are for archs that are no members of r1-mini"),
    ("name,score\nno,1\n", "no column arch, only name, score"),
    ("arch,score\n{0},one\n", 'row 1: the score is "one"; it is a number'),
    ("arch,score\n{0},1\n{0},2\n", "row 2 has {0} again"),
    ("arch,score\n{0},1,2\n", "row 1 has 3 values for the 2 columns"),
    ("arch,score\n{0},nan\n", "none of the 1 measured archs that are named has a score"),
    ("arch,score\n{1},1\n", "of r1-mini, cifar10, cpu-16px-4 is named by the scores"),
    ("arch,score\n", "the file has no rows"),
]


def test_a_file_that_cannot_be_judged_is_told_why(page, path, shipped):
    space = shipped.space("r1-mini")
    go(page, path, "")
    for text, said in REFUSED:
        drop(page, text.format(space[0], space[999]))
        assert said.format(space[0]) in text_of(page, "own-verdict")
        assert page.run("document.querySelectorAll('#judged').length") == 0


def test_neighbours_are_the_edits_of_an_arch(page, path, shipped):
    go(page, path, "space=r1")
    for number in range(0, 60, 20):
        one = as_arch(shipped.space("r1")[number])
        edits = {str(edit) for edit in one.edits()}
        further = {str(edit) for near in one.edits()[::6] for edit in near.edits()} - {str(one)}
        asked = sorted(edits | further)
        assert len(asked) > 2 * len(edits)
        found = page.run(EDITS.format(json.dumps(asked), one))
        assert found == [other in edits for other in asked]


def test_without_an_arch_one_choice_away_the_nearest_are_told(page, path, shipped):
    go(page, path, "")
    space = shipped.space("r1-mini")
    decisions = [values_of("r1-mini", arch) for arch in space]
    for number in (3, 4):
        own = decisions[number]
        numbers = []
        for place, other in enumerate(decisions):
            is_other = other.keys() == own.keys() and place != number
            numbers.append(sum(own[key] != other[key] for key in own) if is_other else 99)
        near = page.run(f"explorer.neighboursOf({number})")
        assert {one["i"] for one in near} == set(np.flatnonzero(np.array(numbers) == min(numbers)))
        assert {len(one["changes"]) for one in near} == {min(numbers)} != {1}


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
