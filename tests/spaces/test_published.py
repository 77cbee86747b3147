"""Imported spaces: strings and numbers are one to one, costs are sums over layers, moves by brute force."""

import hashlib
import itertools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import NotAMemberError, UnknownNameError
from nbzero.errors import UsageError
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.nb101 import arch_of_cell
from nbzero.spaces.nb201 import CELL_OPERATIONS
from nbzero.spaces.nbmacro import MACRO_STAGES, macro_class
from nbzero.spaces.published import (
    IMPORTED,
    doubt_notes,
    doubtful_in,
    doubts_of,
    sample_order,
    space_of,
    space_with,
)
from tests.importers.made import BEST, NUM, some
from tests.spaces.cells import random_cell


@st.composite
def archs_of(draw: Any, name: str) -> tuple[str, list[int]]:
    """An arch string of a space and its numbers."""
    definition = IMPORTED[name]
    values = [draw(st.integers(choice.low, len(choice.options) - 1)) for choice in definition.choices]
    if name == "transnas-macro":
        values = values[:4] + sorted(values[4:], key=lambda value: value == 0)
    if name == "flexibert":  # two layers or four, and of a layer all choices
        values = (
            [*values[:9], *(max(value, 1) for value in values[9:])]
            if draw(st.booleans())
            else [*values[:9], *[0] * 8]
        )
    if name == "nb101":  # all vertices on a path, at most nine edges
        cell = random_cell(np.random.default_rng(draw(st.integers(0, 2**32))))
        values = list(definition.parse(arch_of_cell(*cell)))
    if name == "mobilenetv2":  # four of seven stages have stride 2
        values[4:-1:6] = draw(st.permutations([1, 1, 1, 1, 0, 0, 0]))
    return definition.text(values), values


# Costs, by a network layer by layer


def slow_costs(name: str, values: list[int]) -> tuple[int, int]:
    total = {"macs": 0, "params": 0}

    def conv(c_in: int, c_out: int, kernel: int, side: int, groups: int = 1) -> None:
        weights = c_in // groups * kernel * kernel * c_out
        total["macs"] += weights * side * side
        total["params"] += weights + 2 * c_out

    if name == "nb201":
        conv(3, 16, 3, 32)
        for width, side in ((16, 32), (32, 16), (64, 8)):
            if width > 16:
                conv(width // 2, width, 3, side)
                conv(width, width, 3, side)
                conv(width // 2, width, 1, side)
                total["params"] -= 2 * width  # the shortcut has no batch norm
            for _ in range(5):
                for value in values:
                    if CELL_OPERATIONS[value].startswith("nor_conv"):
                        conv(width, width, int(CELL_OPERATIONS[value][-1]), side)
        total["params"] += 2 * 64
        last = 64
    elif name == "nats-sss":
        widths = [8 * (value + 1) for value in values]
        conv(3, widths[0], 3, 32)
        cells = ((widths[0], widths[0], 32), (widths[1], widths[2], 16), (widths[3], widths[4], 8))
        for number, (c_in, width, side) in enumerate(cells):
            if number:
                before = widths[2 * number - 2]
                conv(before, c_in, 3, side)
                conv(c_in, c_in, 3, side)
                conv(before, c_in, 1, side)
                total["params"] -= 2 * c_in
            for start in (0, 0, 1, 1, 2):  # where the five convolutions of a cell begin
                conv(width if start else c_in, width, 3, side)
            if c_in != width:
                conv(c_in, width, 1, side)
        last = widths[4]
        total["params"] += 2 * last
    else:
        conv(3, 32, 3, 32)
        layer = iter(values)
        for width, side, num_layers in ((64, 16, 2), (128, 8, 3), (256, 4, 3)):
            for number in range(num_layers):
                c_in, side_in, kind = (
                    (width, side, next(layer)) if number else (width // 2, 2 * side, next(layer))
                )
                if kind == 0 and number == 0:
                    conv(c_in, width, 1, side)
                if kind:
                    hidden = c_in * (3, 6)[kind - 1]
                    conv(c_in, hidden, 1, side_in)
                    conv(hidden, hidden, (3, 5)[kind - 1], side, groups=hidden)
                    conv(hidden, width, 1, side)
        conv(256, 1280, 1, 4)
        last = 1280
    return total["macs"] + last * 10, total["params"] + last * 10 + 10


@pytest.mark.parametrize("name", ["nb201", "nats-sss", "nbmacro"])
@given(data=st.data())
def test_costs_are_the_sum_over_the_layers(name: str, data: Any) -> None:
    _, values = data.draw(archs_of(name))
    costs = IMPORTED[name].costs(values)
    assert (costs["macs"], costs["params"]) == slow_costs(name, values)


def test_published_costs_of_single_archs() -> None:
    # FLOPs in millions as NATS-Bench gives them (issues 24 and 36 of D-X-Y/NATS-Bench): ours and the ten
    # biases of the classifier
    published = {
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
            15.64737,
            0.129306,
        ),
        "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|": (
            113.95137,
            0.802426,
        ),
    }
    for arch, (flops, params) in published.items():
        costs = IMPORTED["nb201"].costs(IMPORTED["nb201"].parse(arch))
        assert ((costs["macs"] + 10) / 1e6, costs["params"] / 1e6) == (flops, params)
    assert IMPORTED["transnas-macro"].costs((1, 2, 3, 4, 0, 0))["depth"] == 8
    assert IMPORTED["darts"].costs((0,) * 16) == {}


# Strings and spaces


@pytest.mark.parametrize("name", IMPORTED)
@given(data=st.data())
def test_strings_and_numbers_are_one_to_one(name: str, data: Any) -> None:
    text, values = data.draw(archs_of(name))
    assert list(IMPORTED[name].parse(text)) == values and space_of(text) == name
    assert space_of(f" {text}\n") == name  # so that the error is of that space
    space = ImportedSpace(IMPORTED[name], (text,))
    assert space.encode(text).tolist() == values and space.decode(values) == text
    assert [other for other in IMPORTED if re.fullmatch(IMPORTED[other].pattern, text)] == [name]
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("0139|~-_xn")) + text[at + 1 :]
    try:
        again = IMPORTED[name].text(IMPORTED[name].parse(changed))
    except ValueError as error:
        assert str(error).startswith(f"{changed!r}: an arch of {name} (")
    else:
        assert again == changed


@pytest.mark.parametrize("name", IMPORTED)
def test_the_example_of_every_space_is_one(name: str) -> None:
    example = IMPORTED[name].example
    assert (
        IMPORTED[name].text(IMPORTED[name].parse(example)) == example
        and len(set(IMPORTED[name].parse(example))) > 1
    )


def test_moves_by_brute_force() -> None:
    archs = tuple(sorted(some("nb201")))
    space = ImportedSpace(IMPORTED["nb201"], archs)
    vectors = {arch: IMPORTED["nb201"].parse(arch) for arch in archs}
    distance = {
        (a, b): sum(x != y for x, y in zip(vectors[a], vectors[b], strict=True)) for a in archs for b in archs
    }
    assert (
        len(space) == NUM
        and list(space) == list(archs)
        and space[3] == archs[3]
        and archs[3] in space
        and BEST not in space
    )
    for arch in archs:
        nearest = sorted(
            (other for other in archs if other != arch),
            key=lambda other: (distance[arch, other], archs.index(other)),
        )
        assert space.neighbours(arch, 5) == nearest[:5]
        assert space.neighbours(arch) == [other for other in archs if distance[arch, other] == 1]
        assert space.arch_id(arch) == archs.index(arch)
        rng = np.random.default_rng(0)
        assert {space.mutate(arch, rng, k=2) for _ in range(40)} == set(nearest[:2])
        assert space.crossover(arch, arch, rng) == arch
    assert space.sample(NUM, seed=1) != list(archs) and sorted(space.sample(NUM, seed=1)) == list(archs)
    with pytest.raises(
        NotAMemberError, match=r"this release has .* is none of them .*; nearest are"
    ) as caught:
        space.arch_id(BEST)
    assert set(caught.value.nearest) <= set(archs) and len(caught.value.nearest) == 3
    with pytest.raises(ValueError, match=r"'02012100': an arch of nb201 \(NAS-Bench-201\) is like"):
        space.encode("02012100")
    for k in (0, NUM):
        with pytest.raises(ValueError, match=f"k is {k}; allowed: 1 to {NUM - 1}, or None"):
            space.neighbours(BEST, k)
    with pytest.raises(ValueError, match=r"no member of nb201 differs from .* in one choice; give k"):
        ImportedSpace(IMPORTED["nb201"], (archs[0],)).mutate(archs[0], np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="no space named 'nb-201'"):
        space_with("nb-201", ())


def test_a_child_takes_every_choice_from_a_parent() -> None:
    grid = tuple(IMPORTED["nbmacro"].text(values) for values in itertools.product((0, 1, 2), repeat=8))
    space, rng = ImportedSpace(IMPORTED["nbmacro"], grid), np.random.default_rng(0)
    children = {space.crossover("00000000", "12121212", rng) for _ in range(40)}
    assert all(
        digit in pair
        for child in children
        for digit, pair in zip(child, zip("00000000", "12121212", strict=True), strict=True)
    )
    assert len(children) > 20 and len(space.neighbours("00000000")) == 16


@pytest.mark.parametrize(
    ("name", "vector", "said"),
    [
        ("nb201", [0] * 5, "a vector of nb201 is 6 integers, not int64 of shape (5,)"),
        ("nb201", [0.0] * 6, "a vector of nb201 is 6 integers, not float64"),
        ("nb201", [5, 0, 0, 0, 0, 0], "edge_01 is 5; allowed: 0 none, 1 skip_connect"),
        ("nats-sss", [0, 8, 0, 0, 0], "channels_2 is 8; allowed: 0 8, 1 16, 2 24"),
        ("nbmacro", [0, -1, 0, 0, 0, 0, 0, 0], "layer_2 is -1; allowed: 0 identity, 1 MB3_K3, 2 MB6_K5"),
        ("transnas-macro", [1, 2, 3, 0, 0, 0], "module_4 is 0; allowed: 1 plain"),
        ("transnas-macro", [1, 2, 3, 4, 0, 1], "leaves out a module before the last"),
        (
            "darts",
            [0, 0, 0, 2, *[0] * 12],
            "node_2b_in is 2; allowed: 0 the cell before the last, 1 the last cell",
        ),
        (
            "flexibert",
            [0, *[1] * 12, *[0] * 4],
            "an arch of flexibert (FlexiBERT) is like 'bert-h256-SA.SDP",
        ),  # three layers
        (
            "flexibert",
            [0, *[1] * 8, 0, *[1] * 7],
            "an arch of flexibert (FlexiBERT) is like 'bert-h256-SA.SDP",
        ),  # a layer without operation
        ("flexibert", [0, 0, *[1] * 15], "layer_1_operation is 0; allowed: 1 SA.SDP, 2 SA.WMA, 3 LT.DFT"),
    ],
)
def test_bad_vectors(name: str, vector: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        ImportedSpace(IMPORTED[name], (IMPORTED[name].example,)).decode(vector)


def test_an_identity_may_stand_anywhere_after_the_first_layer_of_a_stage() -> None:
    classes: dict[str, list[str]] = {}
    for values in itertools.product((0, 1, 2), repeat=8):
        classes.setdefault(macro_class(values), []).append("".join(map(str, values)))
    assert len(classes) == 9 * 21 * 21
    for first, archs in classes.items():
        assert first in archs
        ends = np.cumsum((0, *MACRO_STAGES))
        for arch in archs:
            for start, end in itertools.pairwise(ends):
                assert arch[start] == first[start] and arch[start:end].replace("0", "") == first[
                    start:end
                ].replace("0", "")


# Doubts


def test_a_note_for_each_reason_names_the_proxies_that_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbzero.proxies.facts import DOUBTS

    monkeypatch.setitem(DOUBTS, "r1", {"zen": "one reason", "ntk": "another", "snip": "one reason"})
    names = ["ntk", "synflow", "snip", "zen"]
    assert doubtful_in("r1", names) == ["ntk", "snip", "zen"]
    assert doubt_notes("r1", names) == [
        "* Doubtful in r1: ntk; another.",
        "* Doubtful in r1: snip, zen; one reason.",
    ]
    assert doubt_notes("r1", ["synflow"]) == [] == doubtful_in("r2", names)
    imported = doubts_of("transnas-macro")
    assert doubt_notes("transnas-macro", ["epe_nas"])[0].endswith(f"epe_nas; {imported['epe_nas']}.")


# All archs


@pytest.mark.parametrize("name", [name for name, definition in IMPORTED.items() if definition.every])
def test_every_arch_is_there_once_in_the_order_of_the_sample(name):
    archs = sample_order(name)
    assert len(archs) == len(set(archs)) == IMPORTED[name].num_members
    digests = [hashlib.sha256(f"sample:0:{arch}".encode()).hexdigest() for arch in archs]
    assert digests == sorted(digests)
    assert list(archs[:9]) == space_with(name, archs[::-1]).sample(9, seed=0)
    for arch in archs[:50]:
        assert IMPORTED[name].text(IMPORTED[name].parse(arch)) == arch


def test_a_space_that_no_definition_enumerates_says_so():
    with pytest.raises(UsageError, match="darts is not enumerated here"):
        sample_order("darts")
