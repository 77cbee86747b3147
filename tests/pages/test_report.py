"""The report, looked at in a real browser without network; its numbers are those of the tables."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from nbzero import Bench
from nbzero.errors import MissingPackageError, NothingFoundError, OutputError, UnknownNameError, UsageError
from nbzero.judge.correlations import correlations
from nbzero.judge.evaluate import evaluate
from nbzero.judge.picks import constrained, mbr_table
from nbzero.judge.rows import CEILING, ORACLE, RANDOM
from nbzero.pages import write_report
from nbzero.proxies.facts import PROXIES
from tests.pages.browser import Page
from tests.pages.content import KEY, content_of, first, numbers

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
# Code that is run in the page; it waits until the charts are drawn.
SLIDE = """(async () => {{
    const slider = document.getElementById('budget');
    slider.value = '{}';
    slider.dispatchEvent(new Event('input'));
    await report.charts.drawn;
    return {}
}})()"""
CHOOSE = """(async () => {{
    const box = document.getElementById('{}');
    box.value = '{}';
    box.dispatchEvent(new Event('change'));
    await report.charts.drawn;
    return box.value
}})()"""
SHOWN = """Object.fromEntries(
    [...document.querySelectorAll('[id][data-value]')].map((e) => [e.id, e.dataset.value]))"""
CELLS = """[...document.querySelectorAll('#{} tbody tr')].map(
    (row) => [...row.children].map((cell) => cell.dataset.value))"""
EVERYWHERE = f"""(async () => {{
    const slider = document.getElementById('budget'), found = [];
    for (let at = 1; at <= 100; at++) {{
        slider.value = at;
        slider.dispatchEvent(new Event('input'));
        found.push([{SHOWN}, {CELLS.format("picks")}]);
    }}
    await report.charts.drawn;
    return found
}})()"""
POINTS = "report.charts.scatter.view.data('points')"


def value_of(name):
    return f"document.getElementById('{name}').value"


def text_of(name):
    return f"document.getElementById('{name}').textContent"


def head_of(table, column):
    return f"document.querySelector('#{table} th[data-column={column}]')"


# The columns of the picks, and what the page shows of one row of `constrained`.
PICK = {
    "limit": "limit",
    "pick-accuracy": "accuracy",
    "pick-rank": "true_rank",
    "pick-of": "pool_size",
    "pick-tied": "num_tied",
    "best-accuracy": "best_accuracy",
}
# How each table is sorted at first: the column, and whether the highest is on top.
MERIT = {
    "correlations": ("kendall", True),
    "mbr-quantile": ("mbr_union", False),
    "mbr-even": ("mbr_union", False),
    "picks": ("true_rank", False),
}


@pytest.fixture(scope="module")
def opened(browser, page_path):
    return opened_page(browser, page_path)


@pytest.fixture
def page(opened):
    """The page of the made release as when it was loaded.

    Afterwards it must not have complained or asked for anything.
    """
    opened.browser.events.clear()
    opened.open(opened.path)
    ready(opened)
    yield opened
    assert opened.complaints() == [] and set(opened.requests()) == {opened.path.as_uri()}


@pytest.fixture(scope="module")
def pool(bench):
    return bench.pool(*KEY)


@pytest.fixture(scope="module")
def tables(pool):
    """The tables of the page's first pool, as they are made without a page."""
    return tables_of(pool, resamples=0)


def tables_of(pool, resamples):
    return {
        "mbr-quantile": mbr_table(pool, with_even=False, resamples=resamples),
        "mbr-even": mbr_table(pool, spacing="even", resamples=resamples),
        "correlations": correlations(pool, resamples=resamples),
    }


def opened_page(browser, path, **options):
    page = Page(browser, **options)
    page.path = path
    page.open(path)
    ready(page)
    return page


def ready(page):
    page.wait("window.report !== undefined")
    page.run("report.charts.drawn")


def choose(page, box, value):
    assert page.run(CHOOSE.format(box, value)) == value


def same(shown, wanted):
    if wanted is None:
        return shown == ""
    return math.isclose(float(shown), wanted, rel_tol=1e-12, abs_tol=1e-12)


def differing(shown, row):
    """What the page shows of the pick and the best arch otherwise than a row of `constrained` has it."""
    different = [name for name, column in PICK.items() if not same(shown[name], row[column])]
    for name, column in (("pick-arch", "arch"), ("best-arch", "best_arch")):
        if shown[name] != row[column]:
            different.append(name)
    if not same(shown["best-ahead"], row["best_accuracy"] - row["accuracy"]):
        different.append("best-ahead")
    return different


def rows_of(pool, cost="macs", spacing="quantile"):
    """The rows of `constrained` at the slider's positions: (position, proxy) -> row."""
    return {(row["budget"], row["proxy"]): row for row in constrained(pool, cost, 100, spacing)}


# The page as text


def test_the_page_holds_the_numbers_of_its_pools_exactly(bench, content):
    keys = [
        ("r1-mini", "cifar10", "cpu-16px-12"),
        KEY,
        ("r1-mini", "digits", "cpu-16px-4"),
        ("mb-mini", "cifar10", "cpu-16px-4"),
    ]
    assert [(one["space"], one["dataset"], one["recipe"]) for one in content["pools"]] == keys
    for one, key in zip(content["pools"], keys, strict=True):
        pool = bench.pool(*key)
        assert content["columns"][one["archs"]].split("\n") == list(pool.archs) and one["size"] == len(pool)
        assert np.array_equal(numbers(content, one["accuracy"]), pool.accuracy)
        assert set(one["scores"]) == {*pool.scores, *pool.costs} and set(one["costs"]) == set(pool.costs)
        for name, column in one["scores"].items():
            np.testing.assert_array_equal(numbers(content, column), pool.score(name), name)
    scores = first(content)["scores"]
    assert np.isnan(numbers(content, scores["zen"])).any(), "as the made scores have it"
    assert np.isneginf(numbers(content, scores["naswot"])).any()


def test_tables_are_those_of_the_pool(bench, pool, tables, content):
    resampled = tables_of(pool, resamples=20)
    shown = {table["id"]: table for table in first(content)["tables"]}
    assert list(shown) == list(tables)
    for name, frame in tables.items():
        table, key = shown[name], MERIT[name][0]
        columns, ends = table["columns"], [f"{key}_low", f"{key}_high"]
        assert table["title"] == frame.title
        assert columns[:4] == ["proxy", key, *ends] and set(columns) == {*frame.columns, *ends}
        assert table["numeric"] == [column != "proxy" for column in columns]
        rows = [dict(zip(columns, row, strict=True)) for row in table["rows"]]
        wanted = json.loads(frame.to_json())["rows"]
        with_ends = json.loads(resampled[name].to_json())["rows"]
        for row, without, drawn_again in zip(rows, wanted, with_ends, strict=True):
            assert row == {**without, **{end: drawn_again[end] for end in ends}}
        assert set(frame.notes) <= set(table["notes"])
        assert any("20 resamples" in note for note in table["notes"])


def test_verdicts_are_those_of_a_report_of_the_same_scores(bench, pool, content):
    """Every proxy and cost has one: the sentences that `evaluate` opens with."""
    verdicts = first(content)["verdicts"]
    assert set(verdicts) == {*pool.scores, *pool.costs} and "that of params" in verdicts["macs"]
    for name in ("zen", "naswot"):
        others = {other: values for other, values in pool.scores.items() if other != name}
        report = evaluate(pool.with_scores(others), pool.scores[name], name, resamples=20)
        assert verdicts[name] == report.verdict.replace("\n", " ")


def test_notes_say_in_words_what_the_numbers_rest_on(bench, pool, tables, content):
    seeds = pool.accuracies
    notes = "\n".join(first(content)["notes"])
    shared = ~np.isnan(seeds).any(axis=0)
    spread = math.sqrt(np.mean((seeds[0] - seeds[1])[shared] ** 2 / 2))
    tau = next(row["kendall"] for row in tables["correlations"] if row["proxy"] == CEILING)
    for part in (
        f"N = {len(pool)}",
        "recipe cpu-16px-4",
        "protocol std-16",
        "val split",
        "the test split is nowhere",
        bench.version,
        bench.sha256,
        f"{shared.sum()} of the {len(pool)} archs",
        f"between seeds is {spread:.4f}",
        f"kendall {tau:.2f}",
        "for want of a val accuracy: r2-mini",
    ):
        assert part in notes, part
    assert "Seed noise: unknown" in "\n".join(content["pools"][0]["notes"])


def test_the_test_split_is_there_only_where_it_was_typed(bench, tmp_path, content):
    asked = content_of(write_report(bench, tmp_path, ["r1-mini"], split="test", resamples=0))
    pool = bench.pool(*KEY, split="test")
    assert np.array_equal(numbers(asked, first(asked)["accuracy"]), pool.accuracy)
    assert "which was asked for" in "\n".join(first(asked)["notes"])
    val = {content["columns"][one["accuracy"]] for one in content["pools"]}
    test = {asked["columns"][one["accuracy"]] for one in asked["pools"]}
    assert not val & test


def test_no_resamples_no_intervals(bench, tmp_path):
    content = content_of(write_report(bench, tmp_path, ["r1-mini"], resamples=0))
    assert all(one["verdicts"] == {} for one in content["pools"])
    columns = [column for table in first(content)["tables"] for column in table["columns"]]
    assert "mbr_union" in columns
    assert not any(column.endswith(("_low", "_high")) for column in columns)


# What is refused


def test_a_report_is_replaced_and_another_file_is_not(bench, tmp_path):
    first = write_report(bench, tmp_path / "new/folder", "mb-mini")
    again = write_report(bench, tmp_path / "new/folder", ["mb-mini", "mb-mini"])
    assert first == again and len(content_of(again)["pools"]) == 1
    again.write_text("mine")
    with pytest.raises(OutputError, match="no report of nbzero, so it is not replaced"):
        write_report(bench, again.parent)
    assert again.read_text() == "mine"
    with pytest.raises(OutputError, match="is a file; name a folder"):
        write_report(bench, again)
    (tmp_path / "odd/report.html").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder; name another"):
        write_report(bench, tmp_path / "odd")


def test_wrong_arguments_say_what_is_allowed(bench, tmp_path):
    with pytest.raises(UnknownNameError, match=r"no space named 'r1mini'; did you mean 'r1-mini'"):
        write_report(bench, tmp_path, ["r1mini"])
    with pytest.raises(UsageError, match="no space was named"):
        write_report(bench, tmp_path, [])
    with pytest.raises(UsageError, match="split 'train'; it is 'val', or 'test'"):
        write_report(bench, tmp_path, split="train")
    for budgets in (0, True, 2.5):
        with pytest.raises(UsageError, match="it is a whole number from 1"):
            write_report(bench, tmp_path, budgets=budgets)
    with pytest.raises(UsageError, match="resamples -1; it is a whole number from 0"):
        write_report(bench, tmp_path, resamples=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_space_without_accuracies_is_told(bench, tmp_path):
    nothing = r"no arch of r2-mini has a val accuracy in this release; leave it out$"
    with pytest.raises(NothingFoundError, match=nothing):
        write_report(bench, tmp_path, ["mb-mini", "r2-mini"])
    assert list(tmp_path.iterdir()) == []


def test_a_space_without_scores_and_costs_is_told(bench, tmp_path, monkeypatch):
    whole = Bench.pool

    def bare(bench, space, *rest, **more):
        pool = whole(bench, space, *rest, **more)
        if space == "mb-mini":
            return replace(pool, scores={}, costs={}, unscored={})
        return pool

    monkeypatch.setattr(Bench, "pool", bare)
    nothing = "mb-mini has neither scores nor costs in this release, so there is nothing to pick by"
    with pytest.raises(NothingFoundError, match=nothing):
        write_report(bench, tmp_path, ["mb-mini"])
    assert list(tmp_path.iterdir()) == []
    there = content_of(write_report(bench, tmp_path, resamples=0))["pools"]
    assert there and "mb-mini" not in {pool["space"] for pool in there}
    assert "Not on this page, because there are neither scores nor costs: mb-mini." in there[0]["notes"]


def test_without_vl_convert(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingPackageError, match=r"pip install '.\[report\]'"):
        write_report(bench, tmp_path)
    assert list(tmp_path.iterdir()) == []


# The page in a browser


def test_it_loads_without_network_and_without_a_complaint(page):
    assert page.run("document.querySelectorAll('#scatter canvas, #curve canvas').length") == 2
    assert page.run("document.querySelectorAll('table').length") == 4
    assert "fetches nothing" in page.run(text_of("about"))
    blocked = "fetch('https://example.org/').then(() => 'fetched', () => 'blocked')"
    assert page.run(blocked) == "blocked"
    assert any("Content Security Policy" in said for said in page.complaints())
    page.browser.events.clear()
    page.open(page.path)  # for the fixture, which looks at what was asked for


def test_it_opens_on_the_best_stored_proxy_by_macs_at_the_middle_budget(page, bench, pool, content):
    for one in content["pools"]:
        its = bench.pool(one["space"], one["dataset"], one["recipe"])
        mbr = {row["proxy"]: row["mbr_macs"] for row in mbr_table(its, "macs", 5)}
        stored = [name for name in its.scores if name not in its.costs]
        assert one["opens"] == min(stored, key=mbr.get, default=None)
    shown = [page.run(value_of(box)) for box in ("proxy", "cost", "spacing", "budget")]
    assert shown == [first(content)["opens"], "macs", "quantile", "60"] and shown[0] in PROXIES
    picks = constrained(pool, "macs")
    row = next(row for row in picks if row["budget"] == 3 and row["proxy"] == shown[0])
    assert differing(page.run(SHOWN), row) == []
    choose(page, "proxy", "zen")
    choose(page, "setting", "digits, cpu-16px-4")
    # There are no scores there.
    assert page.run(value_of("proxy")) == next(iter(bench.pool("r1-mini", "digits").costs))


@pytest.mark.parametrize(
    "cost, proxy, spacing",
    [
        ("macs", "naswot", "even"),
        ("params", "zen", "quantile"),
        ("depth", "synflow", "even"),
        ("macs", "depth", "quantile"),
    ],
)
def test_what_the_slider_shows_is_what_constrained_finds(page, pool, cost, proxy, spacing):
    rows = rows_of(pool, cost, spacing)
    for box, value in (("cost", cost), ("proxy", proxy), ("spacing", spacing)):
        choose(page, box, value)
    shown_at = page.run(EVERYWHERE)
    assert len(shown_at) == 100
    for position, (shown, picks) in enumerate(shown_at, 1):
        assert differing(shown, rows[position, proxy]) == [], position
        random = rows[position, RANDOM]
        assert same(shown["random-accuracy"], random["accuracy"])
        assert same(shown["random-rank"], random["true_rank"])
        assert {name for name, *_ in picks} == {name for at, name in rows if at == position}
        for name, rank, accuracy, tied, arch in picks:
            row = rows[position, name]
            assert arch == (row["arch"] or ""), name
            assert same(rank, row["true_rank"]) and same(accuracy, row["accuracy"]), name
            assert same(tied, row["num_tied"]), name


def test_the_verdict_on_the_chosen_proxy_is_shown(page, content):
    for proxy in ("zen", "macs", "naswot"):
        choose(page, "proxy", proxy)
        shown = page.run("document.getElementById('verdict').textContent")
        assert shown == first(content)["verdicts"][proxy] and shown.startswith(f"{proxy} is number ")


def test_the_slider_moves_the_pick_in_text_and_chart(page, pool):
    choose(page, "proxy", "zico")
    rows = rows_of(pool)
    seen = set()
    for position in (2, 15, 100):
        row = rows[position, "zico"]
        points = page.run(SLIDE.format(position, POINTS))
        (pick,) = [one for one in points if one["kind"] == "pick of zico"]
        (best,) = [one for one in points if one["kind"] == "best within the limit"]
        assert (pick["arch"], best["arch"]) == (row["arch"], row["best_arch"])
        assert math.isclose(pick["y"], row["accuracy"])
        assert sum(one["kind"] == "within the limit" for one in points) == row["pool_size"]
        assert pick["arch"] in page.run(text_of("pick-arch"))
        said = f"true rank {row['true_rank']:g} among {row['pool_size']}"
        assert said in page.run("document.getElementById('scatter').ariaLabel")
        (line,) = page.run("report.charts.curve.view.data('now')")
        assert line["limit"] == row["limit"]
        seen.add(pick["arch"])
    assert len(seen) > 1


def test_the_curve_is_what_constrained_finds_at_every_position(page, pool):
    choose(page, "proxy", "zen")
    rows = rows_of(pool)
    data = page.run("report.charts.curve.spec.layer[1].data.values")
    names = {"best within the limit": ORACLE, "pick of zen": "zen", "at random, on average": RANDOM}
    for series, name in names.items():
        drawn = [one["value"] for one in data if one["series"] == series][1:]
        wanted = [rows[position, name]["accuracy"] for position in range(1, 101)]
        assert drawn == pytest.approx(wanted, abs=1e-12)


def test_the_horizontal_axis_is_place_or_score(page, pool):
    choose(page, "proxy", "naswot")
    scores = dict(zip(pool.archs, pool.score("naswot").tolist(), strict=True))
    places = {}
    for arch, score in scores.items():
        if not math.isnan(score):
            places[arch] = 1 + sum(other > score for other in scores.values())
    assert {one["arch"]: one["x"] for one in page.run(POINTS)} == places
    choose(page, "axis", "score")
    finite = {arch: score for arch, score in scores.items() if math.isfinite(score)}
    assert {one["arch"]: one["x"] for one in page.run(POINTS)} == finite
    assert page.run(text_of("scatter-note")) == "2 archs without a finite score are not drawn."


def test_keys_alone_move_slider_choose_and_sort(page, pool):
    page.run("document.getElementById('budget').focus()")
    for _ in range(3):
        page.press("ArrowLeft", 37)
    page.run("report.charts.drawn")
    row = rows_of(pool)[57, ORACLE]
    shown = page.run(SHOWN)
    assert float(shown["limit"]) == row["limit"] and shown["best-arch"] == row["best_arch"]
    assert page.run("document.getElementById('budget').ariaValueText").startswith("macs \u2264")
    head = head_of("correlations", "kendall")
    page.run(f"{head}.querySelector('button').focus()")
    page.press("Enter", 13, "\r")
    assert page.run(f"{head}.ariaSort") == "ascending"
    page.run("document.querySelector('#correlations tbody tr[data-row=zico] button').focus()")
    page.press("Enter", 13, "\r")
    assert page.run(value_of("proxy")) == "zico"
    assert page.run("document.querySelector('#mbr-even tr[aria-current=true]').dataset.row") == "zico"


def order_of(table):
    return f"document.querySelector('#{table} .order').textContent"


def test_tables_open_sorted_by_merit_and_say_so(page, pool, tables):
    picks = constrained(pool, "macs", 100)
    for table, frame in (tables | {"picks": picks.only(picks["budget"] == 60)}).items():
        column, is_descending = MERIT[table]
        listed = page.run(CELLS.format(table))
        heads = f"[...document.querySelectorAll('#{table} thead th')].map((head) => head.dataset.column)"
        at = page.run(heads).index(column)
        ordered = frame.sorted(column, is_descending)
        assert [row[0] for row in listed] == ordered["proxy"].tolist()
        for row, wanted in zip(listed, ordered, strict=True):
            assert same(row[at], wanted[column])
        most = "highest" if is_descending else "lowest"
        said = f"Sorted by {column}, {most} first; rows without a value last, equal ones in the order"
        assert page.run(order_of(table)).startswith(said)
        direction = "descending" if is_descending else "ascending"
        assert page.run(f"{head_of(table, column)}.ariaSort") == direction
    choose(page, "space", "mb-mini")
    ranks = [float(row[1]) for row in page.run(CELLS.format("picks"))]
    assert ranks == sorted(ranks) and "Sorted by true_rank" in page.run(order_of("picks"))


def test_axes_and_limits_have_units(page):
    titles = (
        "[report.charts.scatter.spec.encoding.y.title, report.charts.curve.spec.layer[1].encoding.{}.title]"
    )
    assert page.run(titles.format("y")) == ["accuracy (fraction of images)"] * 2
    assert page.run(titles.format("x"))[1] == "limit on macs (multiply-adds)"
    label = "Budget: the most macs (multiply-adds) that an arch may have"
    assert page.run(text_of("budget-label")) == label
    limit = int(float(page.run(SHOWN)["limit"]))
    assert page.run(text_of("limit")).startswith(f"macs \u2264 {limit:,}: ")


@pytest.mark.parametrize(
    "table, column",
    [
        ("correlations", "kendall"),
        ("correlations", "proxy"),
        ("correlations", "missing"),
        ("mbr-even", "mbr_union"),
        ("mbr-quantile", "mbr_depth_pool"),
    ],
)
def test_tables_sort_by_click_like_frames(page, tables, table, column):
    by, is_descending = MERIT[table]
    frame = tables[table].sorted(by, is_descending)  # as it opened; equal ones stay in that order
    # The first click is ascending, and turns the order that is there.
    turned = not is_descending if column == by else False
    for descending in (turned, not turned):
        page.run(f"{head_of(table, column)}.querySelector('button').click()")
        frame = frame.sorted(column, descending)
        assert [row[0] for row in page.run(CELLS.format(table))] == frame["proxy"].tolist()
        words = ("A", "Z") if column == "proxy" else ("lowest", "highest")
        assert page.run(order_of(table)).startswith(f"Sorted by {column}, {words[descending]} first; ")
        marked = f"#{table} [aria-sort=ascending], #{table} [aria-sort=descending]"
        assert page.run(f"document.querySelectorAll('{marked}').length") == 1


def test_sorting_is_stable_by_number_and_absent_comes_last(page):
    rows = [["b", 10], ["a", 9], ["c", None], ["d", "-inf"], ["e", 9], ["f", "inf"], ["g", None]]
    columns = {"columns": ["name", "value"], "numeric": [False, True]}
    made = json.dumps({"id": "odd", "title": "odd", "notes": [], **columns, "rows": rows})
    page.run(f"document.getElementById('tables').append(report.tableOf({made}))")
    order = []
    for column in ("value", "value", "name", "name", "value"):
        page.run(f"{head_of('odd', column)}.querySelector('button').click()")
        order.append("".join(row[0] for row in page.run(CELLS.format("odd"))))
    assert order == ["daebfcg", "fbaedcg", "abcdefg", "gfedcba", "deabfgc"]


def test_the_picks_keep_their_order_while_the_slider_moves(page):
    for clicks in range(2):
        for position in (10, 50):
            ranks = [float(row[1]) for row in page.run(SLIDE.format(position, CELLS.format("picks")))]
            assert ranks == sorted(ranks, reverse=clicks == 1)
        page.run(f"{head_of('picks', 'true_rank')}.querySelector('button').click()")


def test_another_space_data_set_and_recipe_can_be_chosen(page, bench):
    options = "[...document.getElementById('{}').options].map((one) => one.value)"
    choose(page, "setting", "digits, cpu-16px-4")
    choose(page, "space", "mb-mini")
    assert page.run(options.format("setting")) == ["cifar10, cpu-16px-4"]
    pool = bench.pool("mb-mini", "cifar10")
    assert page.run(options.format("proxy")) == list(pool.costs), "no scores there"
    shown = page.run(SLIDE.format(40, SHOWN))
    assert differing(shown, rows_of(pool)[40, "macs"]) == []
    assert page.run(text_of("notes")).count("Seed noise: unknown") == 1
    choose(page, "space", "r1-mini")
    choose(page, "setting", "cifar10, cpu-16px-12")
    shown = page.run(SLIDE.format(100, SHOWN))
    assert shown["pick-of"] == "4" and len(page.run(POINTS)) == 6


@pytest.mark.parametrize("width", [340, 1280])
def test_it_fits_narrow_screens_and_follows_light_and_dark(browser, page_path, width):
    page = opened_page(browser, page_path, width=width, dark=True)
    background = "report.charts.scatter.view.background()"
    dark = page.run(background)
    page.scheme("light")
    page.wait(f"{background} !== {json.dumps(dark)}")
    assert (dark, page.run(background)) == ("#1b212a", "#ffffff")
    assert page.run("document.documentElement.scrollWidth") <= width
    charts = "[...document.querySelectorAll('canvas')]"
    assert page.run(f"{charts}.every((one) => one.getBoundingClientRect().right <= innerWidth)")
    assert page.complaints() == []
    page.close()


def test_every_control_has_a_name(page):
    roles = ("button", "combobox", "slider", "table", "region", "img", "image")
    names = {}
    for node in page.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in roles:
            names.setdefault(role, []).append(node.get("name", {}).get("value"))
    assert {"combobox", "slider", "button", "table"} <= set(names)
    for role, given in names.items():
        assert all(given), role


def check_marks(page):
    """A doubtful proxy is marked where it is named, where it is doubtful; data have its plain name."""
    named = "document.querySelector('#proxy option[value=jacob_cov]').textContent"
    row = "document.querySelector('#{} tr[data-row=jacob_cov] button').textContent"
    for space, said in (("mb-mini", "jacob_cov*"), ("r1-mini", "jacob_cov")):
        choose(page, "space", space)
        choose(page, "proxy", "jacob_cov")
        assert page.run(text_of("pick-title")) == f"{said} picks"
        assert page.run(named) == said and page.run(row.format("picks")) == said
        assert page.run(row.format("mbr-quantile")) == page.run(row.format("correlations")) == said
        assert f"pick of {said}" in page.run(text_of("scatter-legend")) + page.run(text_of("curve-legend"))
        assert page.run(text_of("scatter-title")).startswith(f"{said} and accuracy")
        assert f"{said} picks an arch" in page.run(text_of("summary"))
        number = 1 if said.endswith("*") else 0
        for part in ("meaning", "notes", "picks", "mbr-quantile", "mbr-even", "correlations"):
            assert page.run(text_of(part)).count(f"* Doubtful in {space}: ") == number, part
        assert page.run(
            "[...document.querySelectorAll('th[data-value]')].every((e) => !e.dataset.value.includes('*'))"
        )


def test_the_embedded_release_has_a_report(browser, tmp_path):
    b = Bench()
    path = write_report(b, tmp_path, resamples=2)
    page = opened_page(browser, path)
    one = max(content_of(path)["pools"], key=lambda pool: pool["size"])
    pool = b.pool(one["space"], one["dataset"], one["recipe"])
    shown = page.run(SLIDE.format(60, SHOWN))
    proxy = page.run(value_of("proxy"))
    (row,) = [row for row in constrained(pool, "macs") if (row["budget"], row["proxy"]) == (3, proxy)]
    assert differing(shown, row) == []
    ordered = correlations(pool).sorted(*MERIT["correlations"])
    listed = [row[0] for row in page.run(CELLS.format("correlations"))]
    assert listed == ordered["proxy"].tolist(), "rows without a value last"
    check_marks(page)
    assert page.complaints() == [] and page.requests() == [path.as_uri()]
    page.close()
