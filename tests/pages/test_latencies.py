"""Latencies on the pages: a budget of the report, an axis of the explorer; in a real browser."""

import numpy as np
import pytest

from nbzero import Bench
from nbzero.judge import constrained
from nbzero.pages import write_explorer, write_report
from tests.pages.browser import Page
from tests.pages.content import content_of, first, numbers, packed_numbers
from tests.timed import CARD, MINE

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
LIMITED = """(async () => {
    const set = (id, value, event) => {
        document.getElementById(id).value = value;
        document.getElementById(id).dispatchEvent(new Event(event));
    };
    set('cost', 'latency', 'change');
    set('proxy', 'zen', 'change');
    set('spacing', 'quantile', 'change');
    set('budget', 60, 'input');
    await report.charts.drawn;
    const value = (id) => document.getElementById(id).dataset.value;
    const label = document.getElementById('budget-label').textContent;
    return [label, ...['limit', 'pick-accuracy', 'pick-rank', 'pick-of'].map(value)];
})()"""
DRAWN = "[explorer.state.proxy, explorer.state.drawn.points.length, explorer.state.drawn.left.absent]"


STANDARD = f"latency:{MINE}"  # which "latency" stands for


def once(name):
    """The name by which a latency is shown: a setup is there once."""
    return "latency" if name == STANDARD else name


@pytest.fixture(scope="module")
def bench(timed_release):
    return Bench(timed_release)


def shown(browser, path, ready, script):
    page = Page(browser)
    try:
        page.send("Page.navigate", url=path)
        page.wait(ready)
        found = page.run(script)
        assert page.complaints() == []
        return found
    finally:
        page.close()


def test_the_report_has_latencies_as_budgets_and_judges_nothing_by_them(bench, browser, tmp_path):
    path = write_report(bench, tmp_path, ["r1-mini"], resamples=0)
    content = content_of(path)
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4")
    one = first(content)
    for name, values in pool.latency_costs.items():
        shown_as = once(name)
        np.testing.assert_array_equal(numbers(content, one["latencies"][shown_as]), values)
        assert content["units"][shown_as] == "ms"
    assert set(one["latencies"]) == set(map(once, pool.latency_costs))
    assert list(one["costs"]) == ["macs", "params", "depth"] and pool.cost_note("latency") in one["notes"]
    label, *picked = shown(browser, path.as_uri(), "window.report !== undefined", LIMITED)
    assert label == "Budget: the most latency (ms) that an arch may have"
    rows = [row for row in constrained(pool, "latency") if row["proxy"] == "zen" and row["budget"] == 3]
    assert [float(value) for value in picked] == pytest.approx(
        [rows[0][name] for name in ("limit", "accuracy", "true_rank", "pool_size")]
    )


def test_the_explorer_has_latencies_on_its_axis(bench, browser, tmp_path):
    path = write_explorer(bench, tmp_path, ["r1-mini"])
    content = content_of(path)
    one = content["pools"][0]
    sample = bench.sample("r1-mini", one["dataset"], one["recipe"])
    assert set(one["latencies"]) == set(map(once, sample.latency_costs))
    for name, values in sample.latency_costs.items():
        np.testing.assert_array_equal(packed_numbers(content, one["latencies"][once(name)]), values)
    assert set(one["latencies"]) == {"latency", f"latency:{CARD}"}
    assert not set(one["latencies"]) & {*one["scores"], *one["costs"]}
    address = f"{path.as_uri()}#space=r1-mini&dataset=cifar10&recipe=cpu-16px-4&x=latency"
    found = shown(browser, address, "window.explorer !== undefined", DRAWN)
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4", proxies=[])
    timed = int((~np.isnan(pool.cost("latency"))).sum())
    assert found == ["latency", timed, len(pool) - timed]
