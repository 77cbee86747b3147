"""Words and numbers as figures and pages write them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from nbzero.release.latencies import LATENCY, is_latency
from nbzero.text import marked

UNITS = {"macs": "multiply-adds", "params": "parameters", "depth": "blocks", LATENCY: "ms"}


def metric_unit(metric: str) -> str:
    """What an axis says of a metric beside its name: only accuracies have a unit that all share.

    >>> metric_unit("accuracy"), metric_unit("ssim")
    ('fraction of images', 'higher is better')
    """
    if metric in ("accuracy", "predicted accuracy"):
        return "fraction of images"
    return "higher is better"


def metric_of(metric: str, of: str = "") -> str:
    """The label of an axis of a metric, `of` something.

    >>> metric_of("accuracy"), metric_of("accuracy", "pick")
    ('accuracy (fraction of images)', 'accuracy of the pick\\n(fraction of images)')
    """
    if of:
        return f"{metric} of the {of}\n({metric_unit(metric)})"
    return f"{metric} ({metric_unit(metric)})"


def in_units(cost: str) -> str:
    """A cost with its unit, where it has one.

    >>> in_units("depth"), in_units("stem"), in_units("latency:cpu-1:mine")
    ('depth (blocks)', 'stem', 'latency:cpu-1:mine (ms)')
    """
    unit = UNITS.get(LATENCY if is_latency(cost) else cost)
    return f"{cost} ({unit})" if unit else cost


def interval_of(row: Mapping[str, Any], column: str) -> str:
    """The interval of one column of a row, to be written after the value; "" where the row has none.

    >>> interval_of({"mbr": 0.1, "mbr_low": 0.05, "mbr_high": 0.2}, "mbr"), interval_of({"mbr": 0.1}, "mbr")
    (' [0.05, 0.20]', '')
    """
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    if low is None or high is None:
        return ""
    return f" [{low:.2f}, {high:.2f}]"


def engineered(value: float) -> str:
    """A number, from 1,000 with the letter of its power of ten."""
    if abs(value) < 1000:
        return f"{value:g}"
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep=" ", places=1)(value)


def safe(text: str) -> str:
    """Text in which a dollar is a dollar, not the beginning of a formula.

    >>> print(safe("$x$"))
    \\$x\\$
    """
    return str(text).replace("$", r"\$")


def named(proxy: str, doubtful: Collection[str]) -> str:
    """The name of a proxy, or of several, as figures write it: safe, and marked where it is doubtful.

    >>> named("zen + jacob_cov", ["jacob_cov"])
    'zen + jacob_cov*'
    """
    return safe(marked(proxy, doubtful))


def wrapped(text: str, inches: float, points: float) -> str:
    """Safe text in lines that fit a width, about equally long, so that no word is alone in the last one.

    A character of the default font is about 0.58 of its size wide.

    >>> print(wrapped("one two three four five six", 20 * 0.58 / 72, 1.0))
    one two three
    four five six
    """
    unbroken = text.replace("N = ", "N\u00a0=\u00a0")
    width = max(20, int(inches * 72 / (0.58 * points)))
    lines = textwrap.wrap(unbroken, width)
    while width > 1 and len(textwrap.wrap(unbroken, width - 1)) == len(lines):
        width -= 1
        lines = textwrap.wrap(unbroken, width)
    return safe("\n".join(lines).replace("\u00a0", " "))
