"""Pages of proxies: what each is, what it costs, and what the release says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builders.site.found import REFERENCES, Bounds, PoolFound
from nbzero.proxies.facts import PROXIES, Proxy
from nbzero.proxies.score import COMPUTE
from nbzero.spaces.published import where_doubtful

FAMILIES = {
    "count": "Counts: closed forms, or sums over the weights. They read no image.",
    "saliency": "Saliencies: what a change of each weight would do to a loss.",
    "activation": "Activations: what a forward pass looks like.",
    "gradient": "Gradients: for the images, or for the weights from different images.",
    "kernel": "Kernels: how alike the network's answers to different images are.",
}
HOW_TO_READ = """\
Tau is Kendall's with val accuracy, higher is better, and the place is among the proxies of that pool. mBR is
the mean best ranking under quantile limits on macs, params and depth: 0 is the best pick, lower is better
([definitions](../definitions.md)). Both are of scores with the direction that is said. Intervals are 95 %, of
{resamples} draws of the networks. Seconds are the median of the pass that computes the proxy, on one thread
of the machine that made the release; a pass serves all proxies that share it.
"""


def overview(found: Sequence[PoolFound]) -> str:
    """The page that lists all proxies, with their tau in every pool."""
    lines = [
        "# All proxies",
        "",
        f"{len(PROXIES)} scores of an untrained network, in five families. A star marks scores that mean",
        "little in that space; the proxy's own page says why. Tau is Kendall's with val accuracy, seed 0.",
        "",
        "| proxy | better is | needs | " + " | ".join(f"{one.name}, N = {one.num}" for one in found) + " |",
        "|---" * (3 + len(found)) + "|",
    ]
    for row in PROXIES.values():
        taus = " | ".join(_tau(one, row.name) for one in found)
        link = f"[`{row.name}`]({row.family}.md#{anchor(row.name)})"
        lines.append(f"| {link} | {_better(row)} | {needs(row)} | {taus} |")
    lines += ["", *(f"- [{family}]({family}.md): {said}" for family, said in FAMILIES.items())]
    return "\n".join(lines) + "\n"


def _tau(found: PoolFound, name: str) -> str:
    if name not in found.tau:
        return "-"
    star = "\\*" if name in found.doubts else ""
    return f"{found.tau[name][0]:.2f}{star}"


def family_page(
    family: str, found: Sequence[PoolFound], seconds: Mapping[str, Mapping[str, float]], resamples: int
) -> str:
    """The page of one family: a section for each of its proxies."""
    lines = [f"# Proxies: {family}", "", FAMILIES[family], "", HOW_TO_READ.format(resamples=resamples)]
    for row in PROXIES.values():
        if row.family == family:
            lines += _section(row, found, seconds)
    return "\n".join(lines) + "\n"


def _section(row: Proxy, found: Sequence[PoolFound], seconds: Mapping[str, Mapping[str, float]]) -> list[str]:
    function = COMPUTE[row.name]
    costs = [
        f"{space} {there[row.timed_as]:.2g} s" for space, there in seconds.items() if row.timed_as in there
    ]
    shared = sum(other.timed_as == row.timed_as for other in PROXIES.values())
    return [
        f"## {row.name} {{#{anchor(row.name)}}}",
        "",
        f"{row.meaning[0].upper()}{row.meaning[1:]}. Better is {_better(row)}; it needs {needs(row)}.",
        "",
        f"*Cost:* its pass, `{row.timed_as}`, serves {shared} of the {len(PROXIES)}. {', '.join(costs)}.",
        "",
        f"::: {function.__module__}.{function.__name__}",
        "    options:",
        "      show_root_heading: false",
        "      show_root_toc_entry: false",
        "",
        *([] if "Source:" in (function.__doc__ or "") else [f"**Source**: {row.source}.", ""]),
        *_judged(row.name, found),
        "",
    ]


def _judged(name: str, found: Sequence[PoolFound]) -> list[str]:
    """The table of what the pools say, and sentences on what stands out."""
    there = [one for one in found if name in one.tau or name in one.mbr]
    if not there:
        return ["*Found:* nothing; no network with an accuracy in the release has a score of it."]
    lines = ["*Found:*", "", "| pool | N | tau | place | mBR | mBR of macs, random, another seed |"]
    lines.append("|---" * 6 + "|")
    for one in there:
        tau, mbr = said(one.tau.get(name)), said(one.mbr.get(name))
        place = one.place(name) or "-"
        beside = ", ".join(short(one.reference(reference)) for reference in REFERENCES.values())
        lines.append(f"| {one.name} | {one.num} | {tau} | {place} | {mbr} | {beside} |")
    return [*lines, "", *remarks(name, there)]


def remarks(name: str, found: Sequence[PoolFound]) -> list[str]:
    """What stands out: the wrong direction, where its interval is below 0; doubts; ties."""
    lines = []
    wrong = where(found, [one for one in found if _below_zero(one.tau.get(name))])
    if wrong:
        lines.append(f"- It ranks the wrong way in {wrong}: the interval of tau is below 0.")
    for why in dict.fromkeys(one.doubts[name] for one in found if name in one.doubts):
        doubtful = [one for one in found if one.doubts.get(name) == why]
        spaces = dict.fromkeys(where_doubtful(one.space, name, one.dataset) for one in doubtful)
        lines.append(f"- Doubtful in {', '.join(spaces)}: {why}.")
    without = where(found, [one for one in found if name not in one.tau])
    if without:
        lines.append(f"- No tau in {without}: all scores there are equal, or none could be computed.")
    return lines


def where(found: Sequence[PoolFound], those: Sequence[PoolFound]) -> str:
    """Some of the pools in words: a space where it is all of its pools, else the pool's name."""
    others = {one.space for one in found if one not in those}
    return "; ".join(dict.fromkeys(one.name if one.space in others else one.space for one in those))


def _below_zero(bounds: Bounds | None) -> bool:
    return bounds is not None and bounds[2] is not None and bounds[2] < 0


def said(bounds: Bounds | None) -> str:
    """A value with its interval.

    >>> said((0.5, 0.41, 0.6)), said((0.5, None, None)), said(None)
    ('0.50 (0.41 to 0.60)', '0.50', '-')
    """
    if bounds is None:
        return "-"
    value, low, high = bounds
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def anchor(name: str) -> str:
    """Of a proxy's section."""
    return name.replace("_", "-")


def _better(row: Proxy) -> str:
    return "higher" if row.direction > 0 else "lower"


def needs(row: Proxy) -> str:
    """What a proxy reads beside the network."""
    if row.uses_labels:
        return "images and labels"
    if row.uses_images:
        return "images"
    return "noise" if row.noise_images else "nothing"
