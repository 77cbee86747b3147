"""The README's tables of papers computed again, from the results that ship.

A line has some rows of a paper's table, and ours of the same archs. Ours are bold where they are negative or
farther from the paper's figure than 0.03 and three standard errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from builders.reproductions.results import Result, room
from nbzero.errors import ReleaseError

Rows = Mapping[tuple[str, str, str], Result]  # by table, row and protocol
PROXIES = (
    ("PNorm", "PGNorm", "SNIP", "Fisher"),
    ("SynFlow", "JacCor", "EPE", "NetSens"),
    ("NASWOT", "ACor", "RCor", "WRCor"),
    ("GraSP", "Phi", "Zen", "BT"),
    ("BndlEnt", "LyDynIso"),
    ("ZeroCost", "SPW", "SJW"),
)
UNSCORED = ("Params", "FLOPs", "ValAcc")  # of a data set; batches and weights do not change them
SINGLE = {
    "PNorm": "PNorm",
    "PGNorm": "PGNorm",
    "SNIP": "SNIP",
    "SynFlow": "SynFlow",
    "Fisher": "Fisher",
    "JacCor": "JacCor",
    "EPE": "EPE",
    "NetSens": "NetSens",
    "GraSP": "GraSP",
    "Phi": "Phi (`phi_bn`)",
    "Phi without batch norm": "Phi without batch norm (`phi`)",
    "Zen": "Zen (`zen_own`)",
    "Zen of N(0, 1) weights": "Zen of N(0, 1) weights (`zen`)",
    "BT": "BT",
    "BndlEnt": "BndlEnt",
    "LyDynIso": "LyDynIso",
    "ZiCo": "ZiCo (the paper: all archs)",
    "ZiCo against the test accuracy": "ZiCo (test accuracy)",
}
CELLS = ("CIFAR-10", "CIFAR-100", "ImageNet16-120")
STRATEGIES = {"R": "random", "RL": "reinforcement", "RE": "evolution"}
CLAIMS = {
    "claim 1": "1: Spearman between nb201's order of proxies and costs and this one's",
    "claim 2": "2: pairs of proxies whose better by Spearman has the worse mBR",
    "claim 3": "3: Spearman of the best proxy less that of the better of macs and params",
    "claim 4, synflow": "4: mBR of synflow and macs by ranks added, less the better of the two",
    "claim 4, zen": "4: of zen and macs",
    "hybrid of 2": "mBR of the pair that is best on nb201 less that of the single score that is best there",
    "hybrid of 4": "of the four that are best there",
}
FROM_CELLS = ("claim 1", "hybrid of 2", "hybrid of 4")  # rows of nb201 and another space


class Line(NamedTuple):
    """Some rows of one table and protocol.

    Attributes:
        words: what the line is called, beside the rows' names; with {rows} in their place.
        as_table: how the README calls the table; "" where it is that of the line above.
    """

    table: str
    protocol: str
    rows: tuple[str, ...]
    words: str = "{rows}"
    as_table: str = ""


def results_by_key(results: Iterable[Result]) -> dict[tuple[str, str, str], Result]:
    """Results by table, row and protocol."""
    return {(result.table, result.row, result.protocol): result for result in results}


# WRCor's tables 2 and 3


def of_wrcor(rows: Rows) -> str:
    """WRCor's tables 2 and 3 as Markdown; errors as `_results_of`."""
    head = ["| row | paper | ours | s.e. | archs |", "|---|---|---|---|---|"]
    return "\n".join(head + [f"| {' | '.join(_cells(rows, line, 3))} |" for line in _of_wrcor()])


def _of_wrcor() -> list[Line]:
    lines = [Line("wrcor-2", "std-32", (name,), words) for name, words in SINGLE.items()]
    lines += (
        Line("wrcor-2", "std-32", ("ZeroCost", "SPW", "SJW"), "{rows} (votes)"),
        Line("wrcor-2", "counted", ("Params", "FLOPs"), "{rows} (test accuracy)"),
        Line("wrcor-2", "counted", ("ValAcc",), "{rows} (ours after 12 epochs; the paper does not say)"),
    )
    for ending, counting in (("", "counted as the authors' code does"), (", nbzero", "counted once")):
        names = tuple(f"{name}{ending}" for name in ("NASWOT", "ACor", "RCor", "WRCor"))
        lines.append(Line("wrcor-2", "std-32", names, f"{{rows}}, {counting}"))
        weighted = tuple(f"{name}{ending}" for name in ("linear", "quad", "expt2b"))
        words = f"RCor weighted: linear, quad, downwards, {counting}"
        lines.append(Line("wrcor-3", "std-32", weighted, words))
        lines.append(Line("wrcor-2", "std-32", (f"WRCor - RCor{ending}",), f"{{rows}}, {counting}"))
    return lines


# The other tables of correlations


def of_others(rows: Rows) -> str:
    """WRCor's and SWAP's other tables as Markdown; errors as `_results_of`."""
    lines = ["| table | row | paper | ours | s.e. | archs |", "|---|---|---|---|---|---|"]
    lines += (f"| {line.as_table} | {' | '.join(_cells(rows, line, 2))} |" for line in _others())
    return "\n".join(lines)


def _others() -> list[Line]:
    lines = [
        Line("wrcor-noise", "std-32-noise", ("WRCor",), as_table="WRCor of noise"),
        Line("wrcor-noise", "std-32-noise", ("noise - images",), "{rows}, same archs"),
    ]
    for table, protocol, called in (
        ("wrcor-4", "std-32-cifar100", "WRCor 4, CIFAR-100"),
        ("wrcor-4", "std-32-imagenet16-120", "ImageNet16-120"),
        ("wrcor-5", "std-32-b32", "WRCor 5, 32 images"),
        ("wrcor-5", "std-32-b128", "128 images"),
        ("wrcor-6", "std-32-normal", "WRCor 6, Kaiming normal weights"),
        ("wrcor-6", "std-32-n01", "N(0, 1) weights"),
    ):
        first, *more = PROXIES
        lines.append(Line(table, protocol, first, as_table=called))
        lines += (Line(table, protocol, names) for names in more)
        if table == "wrcor-4":
            lines.append(Line(table, protocol, ("ZiCo",)))
            lines.append(Line(table, protocol, ("ZiCo against the test accuracy",), "ZiCo (test accuracy)"))
            counted = protocol.replace("std-32", "counted")
            lines.append(Line(table, counted, UNSCORED, "Params, FLOPs (test accuracy), ValAcc"))
    lines.append(Line("dyniso", "std-32", ("DynIso",), as_table="WRCor 2, 8 images"))
    for dataset in CELLS:
        lines += _of_swap(dataset)
    lines += (
        Line("swap-darts", "tiny-n01", ("8 images", "128 images"), "SWAP: {rows}", "SWAP on DARTS"),
        Line("swap-darts", "tiny-n01", ("16 images", "32 images", "64 images")),
        Line("swap-darts", "tiny-n01", _sides("images"), "16 images of 4, 8, 16 pixels a side"),
        Line("swap-darts", "tiny-n01", _sides("noise"), "16 of noise of 4, 8, 16 pixels a side"),
        Line("swap-darts", "tiny-n01", ("16 of noise, side 32",), "16 of noise of 32 pixels a side"),
        Line("swap-darts", "counted", ("params",), "{rows} of the network scored"),
        Line("swap-flexibert", "tokens-16x128", ("SWAP", "params"), as_table="SWAP on FlexiBERT"),
        Line("swap-flexibert", "tokens-16x128", ("SWAP - params",), "{rows}, same archs"),
    )
    return lines


def _sides(kind: str) -> tuple[str, ...]:
    return tuple(f"16 of {kind}, side {side:2}" for side in (4, 8, 16))


def _of_swap(dataset: str) -> list[Line]:
    short = dataset.lower().replace("cifar-", "cifar")

    def made(protocol: str, *names: str, words: str = "", as_table: str = "") -> Line:
        rows = tuple(f"{name}, {short}" for name in names)
        return Line("swap-nb201", protocol, rows, words or ", ".join(names), as_table)

    return [
        made("std-32", "SWAP", as_table=f"SWAP IV, {dataset}"),
        made("counted", "params", "FLOPs"),
        made("std-32", "SWAP - params", words="SWAP - params, same archs"),
        made("std-32", "SWAP, regularised", words="regularised, mu and sigma mean and variance"),
        made(
            "std-32",
            "SWAP, regularised by the largest",
            words="regularised, mu = sigma = largest params",
        ),
        made(
            "counted",
            "params, regularised by the largest",
            "FLOPs, regularised by the largest",
            words="params, FLOPs, regularised so",
        ),
    ]


def _results_of(rows: Rows, line: Line) -> list[Result]:
    """ReleaseError where one is lacking."""
    found = []
    for name in line.rows:
        result = rows.get((line.table, name, line.protocol))
        if result is None:
            raise ReleaseError(
                f"the results have no row {name!r} of {line.table}, {line.protocol}; "
                f"python -m builders.reproduce {line.table} makes it"
            )
        found.append(result)
    return found


def _cells(rows: Rows, line: Line, digits_of_se: int) -> list[str]:
    """Name, paper, ours, standard error and number of archs."""
    results = _results_of(rows, line)
    names = ", ".join(result.row.removesuffix(", nbzero") for result in results)
    papers = ", ".join(_number(result.paper) for result in results)
    ours = ", ".join(map(_ours, results))
    errors = _once(_number(result.se, digits_of_se) for result in results)
    counts = _once(f"{result.n:,}" for result in results)
    return [line.words.format(rows=names), papers, ours, errors, counts]


def _ours(result: Result) -> str:
    said = _number(result.ours)
    interval = re.search(r"paired difference (\S+) to ([^\s;]+)", result.note)
    if interval:
        low, high = (_number(float(end)) for end in interval.groups())
        return f"{said} (95 %: {low} to {high})"
    return f"**{said}**" if is_apart(result) else said


def is_apart(result: Result) -> bool:
    """Whether ours is negative, or not the paper's within 0.03 and three standard errors.

    False where one of the two figures is lacking.
    """
    if result.ours is None or result.paper is None:
        return False
    return result.ours < 0 or abs(result.ours - result.paper) > room(result.se)


def _number(value: float | None, digits: int = 3) -> str:
    """Like .684 or -.315; a dash for None."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _once(parts: Iterable[str]) -> str:
    """The parts in their order; one of them where they are the same."""
    said = list(parts)
    return said[0] if len(set(said)) == 1 else ", ".join(said)


# The searches of WRCor's table 9


def of_searches(rows: Rows, guides: Sequence[str]) -> str:
    """WRCor's table 9 as Markdown: every strategy by some guides.

    Args:
        guides: "ValAcc", "WRCor", "ZeroCost" or "SJW".

    Raises:
        ReleaseError: a row is lacking.
    """
    columns = [f"{name}: {whose}" if whose == "paper" else whose for name in CELLS for whose in _WHOSE]
    lines = [f"| | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    protocol = "nb201-12" if guides == ["ValAcc"] else "std-32"
    for guide in guides:
        for short, strategy in STRATEGIES.items():
            said = strategy if guide == "ValAcc" else f"{strategy}, {guide}"
            lines.append(_search_line(rows, said, f"{short}-{guide}", protocol))
    if guides == ["ValAcc"]:
        lines.append(_search_line(rows, "optimum", "Optimum", "counted"))
    return "\n".join(lines)


_WHOSE = ("paper", "ours")


def _search_line(rows: Rows, said: str, row: str, protocol: str) -> str:
    cells = [said]
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        line = Line("wrcor-9", protocol, (f"{row}, {dataset}",))
        (result,) = _results_of(rows, line)
        sd = None if result.se is None else result.se * math.sqrt(result.seeds)
        spread = "" if sd is None else f" ± {_percent(sd, 1)}"
        cells += [_percent(result.paper, 2), f"{_percent(result.ours, 1)}{spread}"]
    return f"| {' | '.join(cells)} |"


def _percent(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}"


# The claims of NAS-Bench-Zero


def of_claims(rows: Rows, spaces: Sequence[str]) -> str:
    """The four claims on some spaces as Markdown, the first of them nb201.

    Raises:
        ReleaseError: a space has no rows.
    """
    of_table = {row: result for (table, row, _), result in rows.items() if table == "nbzero"}
    counts = []
    for space in spaces:
        second = of_table.get(f"{space}, claim 2")
        if second is None:
            raise ReleaseError(f"the results have no claims of {space}; python -m builders.reproduce nbzero")
        counts.append(f"{space}, N = {second.n:,}")
    lines = [f"| | {' | '.join(counts)} |", "|---" * (1 + len(spaces)) + "|"]
    for claim, words in CLAIMS.items():
        cells = [_claim_cell(of_table, space, claim) for space in spaces]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _claim_cell(of_table: Mapping[str, Result], space: str, claim: str) -> str:
    name = f"nb201 to {space}" if claim in FROM_CELLS else space
    result = of_table.get(f"{name}, {claim}")
    if result is None or result.ours is None:
        return ""
    one = _share if claim == "claim 2" else _signed
    said = one(result.ours)
    interval = re.search(r"interval (\S+) to ([^\s;]+)", result.note)
    if interval:
        said += f" ({' to '.join(one(float(end)) for end in interval.groups())})"
    best = re.search(r"best proxy, (\w+),", result.note)
    return f"{said}, `{best[1]}`" if best else said


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _signed(value: float) -> str:
    """Like +.12; .00 has no sign."""
    text = f"{value:+.2f}".replace("0.", ".", 1)
    return text[1:] if text[1:] == ".00" else text
