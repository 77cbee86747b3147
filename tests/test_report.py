"""The report: one page, looked at in a real browser without network, and its numbers against nbzero.constrained."""

import base64
import json
import math
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from nbzero import Bench, constrained, report
from nbzero.constrained import CEILING, ORACLE, RANDOM
from nbzero.errors import NothingFoundError, ReleaseError, UnknownNameError
from nbzero.pool import pool_of
from nbzero.proxies.facts import PROXIES
from nbzero.report import write_report
from tests.browser import Browser, Page, find_browser

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install 'nbzero[report]'")
BROWSER, WHY_NOT = find_browser()
KEY = ("r1-mini", "cifar10", "cpu-16px-4")
SLIDE = """(async () => {{ const slider = document.getElementById('budget'); slider.value = '{}'; slider.dispatchEvent(new Event('input'));
    await report.charts.drawn; return {} }})()"""
CHOOSE = """(async () => {{ const box = document.getElementById('{}'); box.value = '{}'; box.dispatchEvent(new Event('change'));
    await report.charts.drawn; return box.value }})()"""
SHOWN = """Object.fromEntries([...document.querySelectorAll('[id][data-value]')].map((e) => [e.id, e.dataset.value]))"""
CELLS = "[...document.querySelectorAll('#{} tbody tr')].map((row) => [...row.children].map((cell) => cell.dataset.value))"
EVERYWHERE = f"""(async () => {{ const slider = document.getElementById('budget'), found = [];
    for (let at = 1; at <= 100; at++) {{
        slider.value = at; slider.dispatchEvent(new Event('input')); found.push([{SHOWN}, {CELLS.format("picks")}]); }}
    await report.charts.drawn; return found }})()"""
KINDS = "report.charts.scatter.view.data('points')"


@pytest.fixture(scope="module")
def page_path(bench, tmp_path_factory):
    return write_report(bench, tmp_path_factory.mktemp("page"), resamples=20)


@pytest.fixture(scope="module")
def content(page_path):
    return content_of(page_path)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if BROWSER is None:
        pytest.skip(WHY_NOT)
    started = Browser(BROWSER, tmp_path_factory.mktemp("browser"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def opened(browser, page_path):
    return opened_page(browser, page_path)


@pytest.fixture
def page(opened):
    """The page of the made release as when it was loaded; afterwards it must not have complained or asked for anything."""
    opened.browser.events.clear()
    opened.open(opened.path)
    ready(opened)
    yield opened
    assert opened.complaints() == [] and set(opened.requests()) == {opened.path.as_uri()}


def opened_page(browser, path, **options):
    page = Page(browser, **options)
    page.path = path
    page.open(path)
    ready(page)
    return page


def choose(page, box, value):
    assert page.run(CHOOSE.format(box, value)) == value


def ready(page):
    page.wait("window.report !== undefined")
    page.run("report.charts.drawn")


def content_of(path):
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    return json.loads(text)


def first(content):
    """The pool KEY, which is the one the page starts with."""
    return next(one for one in content["pools"] if (one["space"], one["dataset"], one["recipe"]) == KEY)


def numbers(content, column):
    return np.frombuffer(base64.b64decode(content["columns"][column]), "<f8")


def same(shown, wanted):
    return shown == "" if wanted is None else math.isclose(float(shown), wanted, rel_tol=1e-12, abs_tol=1e-12)


def tables_of(bench, resamples=0):
    """The tables of the page's first pool, as `constrained` makes them."""
    pool = pool_of(bench, *KEY)
    options = {"accuracies": constrained.seed_accuracies(bench, pool), "resamples": resamples}
    return {
        "mbr-even": constrained.mbr_table(pool, **options),
        "mbr-quantile": constrained.mbr_table(pool, spacing="quantile", **options),
        "correlations": constrained.correlations(pool, **options),
    }


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
        pool = pool_of(bench, *key)
        assert content["columns"][one["archs"]].split("\n") == list(pool.archs) and one["size"] == len(pool)
        assert np.array_equal(numbers(content, one["accuracy"]), pool.accuracy)
        assert set(one["scores"]) == {*pool.scores, *pool.costs} and set(one["costs"]) == set(pool.costs)
        for name, column in one["scores"].items():
            assert np.array_equal(numbers(content, column), pool.score(name), equal_nan=True), (
                name
            )  # the made scores have NaN and -inf
    zen, naswot = (numbers(content, first(content)["scores"][name]) for name in ("zen", "naswot"))
    assert np.isnan(zen).any() and np.isneginf(naswot).any()


def test_tables_are_those_of_constrained(bench, content):
    made, drawn_again = tables_of(bench), tables_of(bench, resamples=20)
    tables = {table["id"]: table for table in first(content)["tables"]}
    assert list(tables) == list(made)
    for name, frame in made.items():
        said, key = json.loads(frame.to_json()), "kendall" if name == "correlations" else "mbr_union"
        columns, ends = tables[name]["columns"], [f"{key}_low", f"{key}_high"]
        assert (
            columns[:4] == ["proxy", key, *ends]
            and set(columns) == {*frame.columns, *ends}
            and tables[name]["title"] == frame.title
        )
        shown = [dict(zip(columns, row, strict=True)) for row in tables[name]["rows"]]
        assert [{column: row[column] for column in frame.columns} for row in shown] == said["rows"]
        with_ends = json.loads(drawn_again[name].to_json())["rows"]
        assert [[row[end] for end in ends] for row in shown] == [
            [row[end] for end in ends] for row in with_ends
        ]
        assert tables[name]["numeric"] == [column != "proxy" for column in columns]
        assert set(frame.notes) <= set(tables[name]["notes"]) and any(
            "20 resamples" in note for note in tables[name]["notes"]
        )


def test_notes_say_in_words_what_the_numbers_rest_on(bench, content):
    pool = pool_of(bench, *KEY)
    seeds = constrained.seed_accuracies(bench, pool)
    notes = "\n".join(first(content)["notes"])
    shared = ~np.isnan(seeds).any(axis=0)
    spread = math.sqrt(np.mean((seeds[0] - seeds[1])[shared] ** 2 / 2))
    tau = next(
        row["kendall"] for row in constrained.correlations(pool, accuracies=seeds) if row["proxy"] == CEILING
    )
    for part in (f"N = {len(pool)}", "recipe cpu-16px-4", "protocol std-16", "val split", "the test split is nowhere", bench.version, bench.sha256,
                 f"{shared.sum()} of the {len(pool)} archs", f"between seeds is {spread:.4f}", f"kendall {tau:.2f}",
                 "for want of a val accuracy: r2-mini"):  # fmt: skip
        assert part in notes, part
    assert "Seed noise: unknown" in "\n".join(content["pools"][0]["notes"])


def test_the_test_split_is_there_only_where_it_was_typed(bench, tmp_path, content):
    asked = content_of(write_report(bench, tmp_path, ["r1-mini"], split="test", resamples=0))
    pool = pool_of(bench, *KEY, split="test")
    assert np.array_equal(numbers(asked, first(asked)["accuracy"]), pool.accuracy)
    assert "which was asked for" in "\n".join(first(asked)["notes"])
    val, test = (
        {column for one in said["pools"] for column in [said["columns"][one["accuracy"]]]}
        for said in (content, asked)
    )
    assert not val & test
    columns = [column for table in first(asked)["tables"] for column in table["columns"]]
    assert "mbr_union" in columns and not any(column.endswith(("_low", "_high")) for column in columns), (
        "no resamples, no intervals"
    )


def test_equal_columns_are_in_the_page_once(content):
    assert len(set(content["columns"])) == len(content["columns"])


def test_the_page_may_fetch_nothing_and_run_no_other_script(page_path):
    text = page_path.read_text("utf-8")
    assert "default-src 'none'" in text and "unsafe-eval" not in text.split("<style>")[0]
    assert not re.findall(
        r"<(?:link|script|img|iframe)[^>]*(?:src|href)=(?!\"data:,\")", text.split("<script")[0]
    )
    assert text.count("</script>") == 3 and "@@" not in text.split("<script")[0]
    assert page_path.name == "report.html" and [path.name for path in page_path.parent.iterdir()] == [
        "report.html"
    ]


def test_text_that_looks_like_markup_stays_data(bench):
    made = report._page(
        {
            **report._content(bench, ["mb-mini"], "val", 5, 0, True),
            "about": "</script><script>alert(1)</script><!-- \u2028",
        }
    )
    assert made.count("</script>") == 3 and "alert(1)</script>" not in made
    (data,) = re.findall(r'id="data">(.*?)</script>', made, re.DOTALL)
    assert json.loads(data)["about"].startswith("</script><script>alert(1)")


# What is refused


def test_a_report_is_replaced_and_another_file_is_not(bench, tmp_path):
    first = write_report(bench, tmp_path / "new" / "folder", "mb-mini")
    again = write_report(bench, tmp_path / "new" / "folder", ["mb-mini", "mb-mini"])
    assert first == again and len(content_of(again)["pools"]) == 1
    again.write_text("mine")
    with pytest.raises(ReleaseError, match="no report of nbzero, so it is not replaced"):
        write_report(bench, again.parent)
    assert again.read_text() == "mine"
    with pytest.raises(ReleaseError, match="is a file; name a folder"):
        write_report(bench, again)
    (tmp_path / "odd" / "report.html").mkdir(parents=True)
    with pytest.raises(ReleaseError, match="is a folder; name another"):
        write_report(bench, tmp_path / "odd")


def test_wrong_arguments_say_what_is_allowed(bench, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match=r"no space named 'r1mini'; did you mean 'r1-mini'"):
        write_report(bench, tmp_path, ["r1mini"])
    with pytest.raises(
        ValueError, match=r"no arch of r2-mini has a val accuracy in this release; leave it out$"
    ):
        write_report(bench, tmp_path, ["mb-mini", "r2-mini"])
    nothing = {"scores": {}, "costs": {}, "unscored": {}}
    with monkeypatch.context() as patch:
        patch.setattr(
            "nbzero.report.pool_of",
            lambda given, name, *args, **named: replace(
                pool_of(given, name, *args, **named), **(nothing if name == "mb-mini" else {})
            ),
        )
        with pytest.raises(
            NothingFoundError,
            match="mb-mini has neither scores nor costs in this release, so there is nothing to pick by",
        ):
            write_report(bench, tmp_path, ["mb-mini"])
        there = content_of(write_report(bench, tmp_path / "bare", resamples=0))["pools"]
        assert there and "mb-mini" not in {pool["space"] for pool in there}
        assert "Not on this page, because there are neither scores nor costs: mb-mini." in there[0]["notes"]
        shutil.rmtree(tmp_path / "bare")
    with pytest.raises(ValueError, match="no space was named"):
        write_report(bench, tmp_path, [])
    with pytest.raises(ValueError, match="split 'train'; it is 'val', or 'test'"):
        write_report(bench, tmp_path, split="train")
    for budgets in (0, True, 2.5):
        with pytest.raises(ValueError, match="it is a number of limits from 1"):
            write_report(bench, tmp_path, budgets=budgets)
    with pytest.raises(ValueError, match="resamples -1; it is a whole number from 0"):
        write_report(bench, tmp_path, resamples=-1)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ImportError, match=r"pip install 'nbzero\[report\]'"):
        write_report(bench, tmp_path)
    assert list(tmp_path.iterdir()) == []


# The page in a browser


def test_it_loads_without_network_and_without_a_complaint(page):
    assert page.run("document.querySelectorAll('#scatter canvas, #curve canvas').length") == 2
    assert page.run("document.querySelectorAll('table').length") == 4
    assert "fetches nothing" in page.run("document.getElementById('about').textContent")
    blocked = "fetch('https://example.org/').then(() => 'fetched', () => 'blocked')"
    assert page.run(blocked) == "blocked" and any(
        "Content Security Policy" in said for said in page.complaints()
    )
    page.browser.events.clear()
    page.open(page.path)  # for the fixture, which looks at what was asked for


def test_it_opens_on_the_best_stored_proxy_by_macs_at_the_middle_budget(page, bench, content):
    for one in content["pools"]:
        pool = pool_of(bench, one["space"], one["dataset"], one["recipe"])
        table = constrained.mbr_table(pool, "macs", 5)
        mbr = {
            name: value
            for name, value in zip(table["proxy"], table["mbr_macs"], strict=True)
            if name in pool.scores and name not in pool.costs
        }
        assert one["opens"] == min(mbr, key=mbr.get, default=None)
    shown = page.run("['proxy', 'cost', 'spacing', 'budget'].map((id) => document.getElementById(id).value)")
    assert shown == [first(content)["opens"], "macs", "even", "60"] and shown[0] in PROXIES
    row = next(
        row for row in bench.constrained(*KEY, "macs") if row["budget"] == 3 and row["proxy"] == shown[0]
    )
    seen = page.run(SHOWN)
    assert (
        seen["pick-arch"] == row["arch"]
        and same(seen["pick-rank"], row["true_rank"])
        and same(seen["limit"], row["limit"])
    )
    choose(page, "proxy", "zen")
    choose(page, "setting", "digits, cpu-16px-4")
    assert page.run("document.getElementById('proxy').value") == next(
        iter(pool_of(bench, "r1-mini", "digits").costs)
    )  # no scores there


@pytest.mark.parametrize(
    "cost, proxy, spacing",
    [
        ("macs", "naswot", "even"),
        ("params", "zen", "quantile"),
        ("depth", "synflow", "even"),
        ("macs", "depth", "quantile"),
    ],
)
def test_what_the_slider_shows_is_what_constrained_finds(page, bench, cost, proxy, spacing):
    frame = constrained.constrained(pool_of(bench, *KEY), cost, 100, spacing)
    rows = {(row["budget"], row["proxy"]): row for row in frame}
    for box, value in (("cost", cost), ("proxy", proxy), ("spacing", spacing)):
        choose(page, box, value)
    for position, (shown, picks) in enumerate(page.run(EVERYWHERE), 1):
        row = rows[position, proxy]
        assert shown["pick-arch"] == row["arch"] and shown["best-arch"] == row["best_arch"]
        wanted = {"limit": row["limit"], "pick-accuracy": row["accuracy"], "pick-rank": row["true_rank"], "pick-of": row["pool_size"],
                  "pick-tied": row["num_tied"], "best-accuracy": row["best_accuracy"], "best-ahead": row["best_accuracy"] - row["accuracy"],
                  "random-accuracy": rows[position, RANDOM]["accuracy"], "random-rank": rows[position, RANDOM]["true_rank"]}  # fmt: skip
        assert {name: shown[name] for name in wanted if not same(shown[name], wanted[name])} == {}, (
            position,
            wanted,
        )
        assert {name for name, *_ in picks} == {name for at, name in rows if at == position}
        for name, rank, accuracy, tied, arch in picks:
            row = rows[position, name]
            assert (
                arch == (row["arch"] or "")
                and same(rank, row["true_rank"])
                and same(accuracy, row["accuracy"])
                and same(tied, row["num_tied"])
            ), name
    assert position == 100


def test_the_slider_moves_the_pick_in_text_and_chart(page, bench):
    pool = pool_of(bench, *KEY)
    choose(page, "proxy", "zico")
    rows = {
        row["budget"]: row for row in constrained.constrained(pool, "macs", 100) if row["proxy"] == "zico"
    }
    seen = set()
    for position in (2, 15, 100):
        points = page.run(SLIDE.format(position, KINDS))
        (pick,) = [one for one in points if one["kind"] == "pick of zico"]
        (best,) = [one for one in points if one["kind"] == "best within the limit"]
        assert (pick["arch"], best["arch"]) == (rows[position]["arch"], rows[position]["best_arch"])
        assert math.isclose(pick["y"], rows[position]["accuracy"])
        assert sum(one["kind"] == "within the limit" for one in points) == rows[position]["pool_size"]
        assert pick["arch"] in page.run("document.getElementById('pick-arch').textContent")
        assert f"true rank {rows[position]['true_rank']:g} among {rows[position]['pool_size']}" in page.run(
            "document.getElementById('scatter').ariaLabel"
        )
        (line,) = page.run("report.charts.curve.view.data('now')")
        assert line["limit"] == rows[position]["limit"]
        seen.add(pick["arch"])
    assert len(seen) > 1


def test_the_curve_is_what_constrained_finds_at_every_position(page, bench):
    choose(page, "proxy", "zen")
    rows = {
        (row["budget"], row["proxy"]): row["accuracy"]
        for row in constrained.constrained(pool_of(bench, *KEY), "macs", 100)
    }
    data = page.run("report.charts.curve.spec.layer[1].data.values")
    for series, name in (
        ("best within the limit", ORACLE),
        ("pick of zen", "zen"),
        ("at random, on average", RANDOM),
    ):
        drawn = [one["value"] for one in data if one["series"] == series][1:]
        assert drawn == pytest.approx([rows[budget, name] for budget in range(1, 101)], abs=1e-12)


def test_the_horizontal_axis_is_place_or_score(page, bench):
    pool = pool_of(bench, *KEY)
    choose(page, "proxy", "naswot")
    placed = {one["arch"]: one["x"] for one in page.run(KINDS)}
    scores = dict(zip(pool.archs, pool.score("naswot").tolist(), strict=True))
    assert placed == {
        arch: 1 + sum(other > score for other in scores.values())
        for arch, score in scores.items()
        if not math.isnan(score)
    }
    choose(page, "axis", "score")
    assert {one["arch"]: one["x"] for one in page.run(KINDS)} == {
        arch: score for arch, score in scores.items() if math.isfinite(score)
    }
    assert (
        page.run("document.getElementById('scatter-note').textContent")
        == "2 archs without a finite score are not drawn."
    )


def test_keys_alone_move_slider_choose_and_sort(page, bench):
    page.run("document.getElementById('budget').focus()")
    for _ in range(3):
        page.press("ArrowLeft", 37)
    page.run("report.charts.drawn")
    row = next(
        row for row in constrained.constrained(pool_of(bench, *KEY), "macs", 100) if row["budget"] == 57
    )
    shown = page.run(SHOWN)
    assert float(shown["limit"]) == row["limit"] and shown["best-arch"] == row["best_arch"]
    assert page.run("document.getElementById('budget').ariaValueText").startswith("macs \u2264")
    page.run("document.querySelector('#correlations th[data-column=kendall] button').focus()")
    page.press("Enter", 13, "\r")
    assert page.run("document.querySelector('#correlations th[data-column=kendall]').ariaSort") == "ascending"
    page.run("document.querySelector('#correlations tbody tr[data-row=zico] button').focus()")
    page.press("Enter", 13, "\r")
    assert page.run("document.getElementById('proxy').value") == "zico"
    assert page.run("document.querySelector('#mbr-even tr[aria-current=true]').dataset.row") == "zico"


MERIT = {
    "correlations": ("kendall", True),
    "mbr-even": ("mbr_union", False),
    "mbr-quantile": ("mbr_union", False),
    "picks": ("true_rank", False),
}
ORDER = "document.querySelector('#{} .order').textContent"


def test_tables_open_sorted_by_merit_and_say_so(page, bench):
    picks = constrained.constrained(pool_of(bench, *KEY), "macs", 100)
    for table, frame in (tables_of(bench) | {"picks": picks.only(picks["budget"] == 60)}).items():
        column, descending = MERIT[table]
        listed = page.run(CELLS.format(table))
        at = page.run(
            f"[...document.querySelectorAll('#{table} thead th')].map((head) => head.dataset.column)"
        ).index(column)
        ordered = frame.sorted(column, descending)
        assert [row[0] for row in listed] == ordered["proxy"].tolist()
        assert all(same(row[at], wanted[column]) for row, wanted in zip(listed, ordered, strict=True))
        said = page.run(ORDER.format(table))
        assert said.startswith(
            f"Sorted by {column}, {'highest' if descending else 'lowest'} first; rows without a value last, equal ones in the order"
        )
        arrow = page.run(f"document.querySelector('#{table} th[data-column={column}]').ariaSort")
        assert arrow == ("descending" if descending else "ascending")
    choose(page, "space", "mb-mini")
    ranks = [float(row[1]) for row in page.run(CELLS.format("picks"))]
    assert ranks == sorted(ranks) and "Sorted by true_rank" in page.run(ORDER.format("picks"))


def test_axes_and_limits_have_units(page):
    titles = (
        "[report.charts.scatter.spec.encoding.y.title, report.charts.curve.spec.layer[1].encoding.{}.title]"
    )
    assert page.run(titles.format("y")) == ["accuracy (fraction of images)"] * 2
    assert page.run(titles.format("x"))[1] == "limit on macs (multiply-adds)"
    assert (
        page.run("document.getElementById('budget-label').textContent")
        == "Budget: the most macs (multiply-adds) that an arch may have"
    )
    limit = page.run(SHOWN)["limit"]
    assert page.run("document.getElementById('limit').textContent").startswith(
        f"macs \u2264 {int(float(limit)):,}: "
    )


SORTED = [("correlations", "kendall"), ("correlations", "proxy"), ("correlations", "missing"), ("mbr-even", "mbr_union"),
          ("mbr-quantile", "mbr_depth_pool")]  # fmt: skip


@pytest.mark.parametrize("table, column", SORTED)
def test_tables_sort_by_click_like_frames(page, bench, table, column):
    frame = tables_of(bench)[table].sorted(*MERIT[table])  # as it opened; equal ones stay in that order
    click = f"document.querySelector('#{table} th[data-column={column}] button').click()"
    opened = (
        MERIT[table][1] if column == MERIT[table][0] else True
    )  # the first click is ascending, and turns the order that is there
    for descending in (not opened, opened):
        page.run(click)
        frame = frame.sorted(column, descending)
        assert [row[0] for row in page.run(CELLS.format(table))] == frame["proxy"].tolist()
        words = ("A", "Z") if column == "proxy" else ("lowest", "highest")
        assert page.run(ORDER.format(table)).startswith(f"Sorted by {column}, {words[descending]} first; ")
        assert (
            page.run(
                f"document.querySelectorAll('#{table} [aria-sort=ascending], #{table} [aria-sort=descending]').length"
            )
            == 1
        )


def test_sorting_is_stable_by_number_and_absent_comes_last(page):
    rows = [["b", 10], ["a", 9], ["c", None], ["d", "-inf"], ["e", 9], ["f", "inf"], ["g", None]]
    made = json.dumps(
        {
            "id": "odd",
            "title": "odd",
            "notes": [],
            "columns": ["name", "value"],
            "numeric": [False, True],
            "rows": rows,
        }
    )
    page.run(f"document.getElementById('tables').append(report.tableOf({made}))")
    order = []
    for column in ("value", "value", "name", "name", "value"):
        page.run(f"document.querySelector('#odd th[data-column={column}] button').click()")
        order.append("".join(row[0] for row in page.run(CELLS.format("odd"))))
    assert order == ["daebfcg", "fbaedcg", "abcdefg", "gfedcba", "deabfgc"]


def test_the_picks_keep_their_order_while_the_slider_moves(page):
    for clicks in range(2):
        for position in (10, 50):
            ranks = [float(row[1]) for row in page.run(SLIDE.format(position, CELLS.format("picks")))]
            assert ranks == sorted(ranks, reverse=clicks == 1)
        page.run("document.querySelector('#picks th[data-column=true_rank] button').click()")


def test_another_space_data_set_and_recipe_can_be_chosen(page, bench):
    choose(page, "setting", "digits, cpu-16px-4")
    choose(page, "space", "mb-mini")
    assert page.run("[...document.getElementById('setting').options].map((one) => one.value)") == [
        "cifar10, cpu-16px-4"
    ]
    pool = pool_of(bench, "mb-mini", "cifar10")
    assert page.run("[...document.getElementById('proxy').options].map((one) => one.value)") == list(
        pool.costs
    )  # no scores there
    shown = page.run(SLIDE.format(40, SHOWN))
    row = next(
        row
        for row in constrained.constrained(pool, "macs", 100)
        if row["budget"] == 40 and row["proxy"] == "macs"
    )
    assert shown["pick-arch"] == row["arch"] and same(shown["pick-rank"], row["true_rank"])
    assert page.run("document.getElementById('notes').textContent").count("Seed noise: unknown") == 1
    choose(page, "space", "r1-mini")
    choose(page, "setting", "cifar10, cpu-16px-12")
    shown = page.run(SLIDE.format(100, SHOWN))
    assert shown["pick-of"] == "4" and len(page.run(KINDS)) == 6


@pytest.mark.parametrize("width", [340, 1280])
def test_it_fits_narrow_screens_and_follows_light_and_dark(browser, page_path, width):
    page = opened_page(browser, page_path, width=width, dark=True)
    dark = page.run("report.charts.scatter.view.background()")
    page.scheme("light")
    page.wait("report.charts.scatter.view.background() !== " + json.dumps(dark))
    assert (dark, page.run("report.charts.scatter.view.background()")) == ("#1b212a", "#ffffff")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(
        "[...document.querySelectorAll('canvas')].every((one) => one.getBoundingClientRect().right <= innerWidth)"
    )
    assert page.complaints() == []
    page.close()


def test_every_control_has_a_name(page):
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "combobox", "slider", "table", "region", "img", "image")
    unnamed = [
        node["role"]["value"]
        for node in tree
        if node.get("role", {}).get("value") in roles and not node.get("name", {}).get("value")
    ]
    named = [node["role"]["value"] for node in tree if node.get("role", {}).get("value") in roles]
    assert unnamed == [] and {"combobox", "slider", "button", "table"} <= set(named)


def test_the_embedded_release_has_a_report(browser, tmp_path):
    b = Bench()
    path = write_report(b, tmp_path, resamples=2)
    page = opened_page(browser, path)
    one = max(content_of(path)["pools"], key=lambda pool: pool["size"])
    shown = page.run(SLIDE.format(60, SHOWN))
    proxy = page.run("document.getElementById('proxy').value")
    (row,) = [
        row
        for row in b.constrained(one["space"], one["dataset"], one["recipe"], "macs")
        if row["proxy"] == proxy and row["budget"] == 3
    ]
    assert (
        shown["pick-arch"] == row["arch"]
        and same(shown["pick-rank"], row["true_rank"])
        and same(shown["limit"], row["limit"])
    )
    ordered = b.correlations(one["space"], one["dataset"], one["recipe"]).sorted(
        *MERIT["correlations"]
    )  # rows without a value last
    assert [row[0] for row in page.run(CELLS.format("correlations"))] == ordered["proxy"].tolist()
    assert page.complaints() == [] and page.requests() == [path.as_uri()]
    page.close()
