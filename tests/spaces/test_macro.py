"""Our spaces: strings, grids, costs, members and moves.

Each against a slow version written from the definition.
"""

import contextlib
import copy
import dataclasses
import hashlib
import itertools
import json
import pickle
import random
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import Bench, NotAMemberError, UnknownNameError
from nbzero.errors import UsageError
from nbzero.spaces import macro
from nbzero.spaces.macro import (
    Arch,
    Choices,
    MacroSpace,
    Stage,
    as_arch,
    enumerate_members,
    grid_size,
    macs,
    params,
    space,
)
from nbzero.spaces.space import Space
from tests.places import GOLDEN, ROOT

SUMMARY = GOLDEN / "spaces.json"

# The table of the spaces a second time: stems, widths, largest depth, members.
GRID = {
    "r1": ((16, 32, 64), (16, 32, 48, 64, 96, 128, 192, 256), 6, 14_964),
    "r2": ((32, 64), (64, 128, 192, 256, 384, 512, 768, 1024), 6, 10_187),
    "mb": ((16, 32), (8, 16, 24, 32, 48, 64, 96, 128, 160, 192), 6, 9_743),
    "r1-mini": ((4, 8, 16), (4, 8, 12, 16, 24, 32, 48, 64), 4, 1_000),
    "r2-mini": ((8, 16), (16, 32, 48, 64, 96, 128, 192, 256), 4, 1_000),
    "mb-mini": ((8, 16), (4, 8, 12, 16, 24, 32, 48), 4, 1_000),
}
MINI = [name for name in GRID if name.endswith("-mini")]
# SHA-256 over the members in build order of "{arch} {macs} {params}\n", from an enumeration that shares no
# code with this one.
DIGESTS = {
    "r1": "ff2bd5209dcd8801f3871f0e41db86d1f3057eeef0fe73305d4497392ddbe9b7",
    "r2": "fc916c965ec2a7d30cd2cca480c28008bab3b275d98681d0bbe05b1eb6bca182",
    "mb": "664eccb9e2e71b55994ab0b14ebe099406605b7656110f532375d319baaf3b73",
    "r1-mini": "a6efe53b3138c908cd2ce3c428fe77434e2742cda6328ccfbc7a4abb389944dc",
    "r2-mini": "7fc7ce53dca1c0cdd43050a658c48cc828aaee7b3ffdbf73f37b643b60e048df",
    "mb-mini": "bbe8c60002a3fc798b0bed2f2ce120f27010c80d458251c23934cd1457112ea8",
}
each_space = pytest.mark.parametrize("name", list(GRID))
each_mini = pytest.mark.parametrize("name", MINI)


@cache
def released(name: str) -> Space:
    return Bench().space(name)


@cache
def costs_of_members(name: str) -> list[tuple[int, int]]:
    """(macs, params) of every member, by the released table."""
    table = Bench().table(name, columns=["macs", "params"])
    return list(zip(table["macs"].tolist(), table["params"].tolist(), strict=True))


# Slow versions


def choices_of(text):
    """Stem and (depth, width, stride) per stage, read from an arch string."""
    return int(re.search(r"-s(\d+)-", text)[1]), [
        tuple(map(int, found)) for found in re.findall(r"-d(\d+)w(\d+)s(\d+)", text)
    ]


def convolutions(text):
    """Every convolution of a net in order.

    As (input channels, output channels, kernel, stride, groups, on the shortcut).
    """
    family = {"tiny": "r1"}.get(text.split("-")[0], text.split("-")[0])
    width, stages = choices_of(text)
    yield 3, width, 3, 1, 1, False
    for depth, out, first_stride in stages:
        for block in range(depth):
            stride = 1 if block else first_stride
            if family == "r1":
                yield width, out, 3, stride, 1, False
                yield out, out, 3, 1, 1, False
            elif family == "r2":
                yield width, out // 4, 1, 1, 1, False
                yield out // 4, out // 4, 3, stride, 1, False
                yield out // 4, out, 1, 1, 1, False
            else:
                yield width, 6 * width, 1, 1, 1, False
                yield 6 * width, 6 * width, 3, stride, 6 * width, False
                yield 6 * width, out, 1, 1, 1, False
            if family != "mb" and (stride == 2 or width != out):
                yield width, out, 1, stride, 1, True
            width = out


def slow_costs(text, resolution=32, num_classes=100):
    """(macs, params), one convolution after the other."""
    num_macs = num_params = 0
    side = resolution
    for width, out, kernel, stride, groups, on_shortcut in convolutions(text):
        weights = width // groups * kernel * kernel * out
        if not on_shortcut:  # it ends at the size that the branch beside it has reached
            side = -(-side // stride)
        num_macs += weights * side * side
        num_params += weights + 2 * out
        last = out
    return num_macs + last * num_classes, num_params + last * num_classes + num_classes


def slow_grid(name, num_stages):
    stems, widths, deepest, _ = GRID[name]
    strides = sorted(set(itertools.permutations([2, 2, 2] + [1] * (num_stages - 3))))
    rising = [w for w in itertools.product(widths, repeat=num_stages) if list(w) == sorted(w)]
    for stem, width, depth, stride in itertools.product(
        stems, rising, itertools.product(range(1, deepest + 1), repeat=num_stages), strides
    ):
        yield f"{name}-s{stem}" + "".join(
            f"-d{d}w{w}s{s}" for d, w, s in zip(depth, width, stride, strict=True)
        )


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def slow_vector(text):
    """The stem's index, then depth, width index from 1 and stride of four stages."""
    stems, widths, _, _ = GRID[re.match("[a-z0-9]+(-mini)?", text)[0]]
    stem, stages = choices_of(text)
    vector = [stems.index(stem)]
    for depth, width, stride in stages:
        vector += [depth, widths.index(width) + 1, stride]
    return vector + [0] * (13 - len(vector))


def slow_neighbours(members, text, k):
    def distance(other):
        return sum(abs(x - y) for x, y in zip(slow_vector(text), slow_vector(other), strict=True))

    return sorted((member for member in members if member != text), key=distance)[
        :k
    ]  # sorted keeps the build order of ties


@st.composite
def grid_archs(draw, names=tuple(GRID)):
    name = draw(st.sampled_from(names))
    stems, widths, deepest, _ = GRID[name]
    num_stages = draw(st.sampled_from([3, 4]))
    kept = draw(st.integers(0, 3)) if num_stages == 4 else None
    width = sorted(draw(st.lists(st.sampled_from(widths), min_size=num_stages, max_size=num_stages)))
    depth = draw(st.lists(st.integers(1, deepest), min_size=num_stages, max_size=num_stages))
    stages = tuple(Stage(depth[s], width[s], 1 if s == kept else 2) for s in range(num_stages))
    return Arch(name, draw(st.sampled_from(stems)), stages)


# Members


@each_space
def test_members_are_the_independently_enumerated_ones(name):
    lines = "".join(
        f"{arch} {m} {p}\n" for arch, (m, p) in zip(released(name), costs_of_members(name), strict=True)
    )
    assert hashlib.sha256(lines.encode()).hexdigest() == DIGESTS[name]
    assert len(released(name)) == len(set(released(name))) == GRID[name][3]


@each_space
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
def test_costs_of_members_are_those_of_the_table(name, every):
    archs = map(Arch.parse, released(name).members[::every])
    assert [(macs(arch), params(arch)) for arch in archs] == costs_of_members(name)[::every]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "mb-mini" else pytest.mark.long) for name in MINI]
)
def test_the_definition_enumerates_the_released_members(name):
    assert tuple(enumerate_members(name)) == space(name).members == released(name).members


@each_space
def test_half_of_the_members_have_three_stages_and_all_keep_the_limits(name):
    num_stages = [len(choices_of(arch)[1]) for arch in released(name)]
    assert num_stages.count(3) == GRID[name][3] // 2
    assert num_stages.count(4) == GRID[name][3] - GRID[name][3] // 2
    assert all(m <= 700_000_000 and p <= 14_000_000 for m, p in costs_of_members(name))


@each_space
def test_build_order_is_a_hash_of_the_arch(name):
    keys = [sha256(f"build:{arch}") for arch in released(name)]
    assert keys == sorted(keys)


def test_a_mini_space_by_brute_force():
    three, four = list(slow_grid("mb-mini", 3)), list(slow_grid("mb-mini", 4))
    assert len(three) == 2 * 84 * 4**3 and len(four) == 2 * 210 * 4**4 * 4
    assert grid_size("mb-mini") == len(three) + len(four)
    for strides in ((2, 2, 2), (1, 2, 2, 2)):  # the costliest are within the limits, so all are
        assert all(
            cost <= limit
            for cost, limit in zip(slow_costs(costliest("mb-mini", strides)), LIMITS, strict=True)
        )
    members = sorted(three, key=sha256)[:500] + sorted(four, key=sha256)[:500]
    assert sorted(members, key=lambda arch: sha256("build:" + arch)) == list(released("mb-mini"))


LIMITS = (700_000_000, 14_000_000)


def costliest(name, strides):
    stems, widths, deepest, _ = GRID[name]
    return f"{name}-s{stems[-1]}" + "".join(f"-d{deepest}w{widths[-1]}s{stride}" for stride in strides)


@pytest.mark.long
def test_half_of_a_space_that_the_limits_cut_by_brute_force():
    within, beyond = [], [0, 0]
    for arch in slow_grid("r2", 3):
        over = [cost > limit for cost, limit in zip(slow_costs(arch), LIMITS, strict=True)]
        beyond = [count + is_over for count, is_over in zip(beyond, over, strict=True)]
        if not any(over):
            within.append(arch)
    assert min(beyond) > 100
    assert set(sorted(within, key=sha256)[: 10_187 // 2]) == {
        arch for arch in released("r2") if len(choices_of(arch)[1]) == 3
    }


@pytest.mark.skipif(not SUMMARY.is_file(), reason="the reference enumeration is not part of the repository")
@each_space
def test_golden_summary(name):
    costs, archs = costs_of_members(name), released(name).members
    num_macs, num_params = zip(*costs, strict=True)
    golden = json.loads(SUMMARY.read_text())[name]
    assert golden == {
        "count": len(archs),
        "first": list(archs[:8]),
        "last": archs[-1],
        "total_macs": sum(num_macs),
        "total_params": sum(num_params),
        "max_macs": max(num_macs),
        "min_macs": min(num_macs),
        "sha256": DIGESTS[name],
    }


def test_what_the_grid_knows_needs_no_enumeration(monkeypatch):
    def refuse(name):
        raise AssertionError("enumerated")

    monkeypatch.setattr(macro, "enumerate_members", refuse)
    fresh = MacroSpace("r1")
    arch = "r1-s32-d2w64s2-d3w128s1-d1w128s2-d2w256s2"
    assert len(fresh) == 14_964 and fresh.choices.stems == (16, 32, 64)
    assert str(fresh.decode(fresh.encode(arch))) == arch
    assert repr(fresh) == "MacroSpace('r1')"
    with pytest.raises(AssertionError, match="enumerated"):
        fresh[0]


def test_unknown_space():
    for ask in (space, MacroSpace, grid_size, enumerate_members):
        with pytest.raises(
            UnknownNameError, match=re.escape("no space named 'r1-min'; did you mean 'r1-mini'")
        ):
            ask("r1-min")


def test_a_space_is_made_once():
    assert space("mb-mini") is space("mb-mini")


def test_spaces_need_no_torch():
    code = "import sys, nbzero.spaces as s; s.macs('r1-s16-d1w16s2-d1w16s2-d1w16s2')\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


# Arch


@given(grid_archs(), grid_archs())
def test_strings_and_archs_are_one_to_one(arch, other):
    text = str(arch)
    assert Arch.parse(text) == arch == as_arch(text) == as_arch(arch)
    assert str(Arch.parse(text)) == text
    assert re.fullmatch("[a-z0-9-]+", text)  # safe as a file name
    assert (str(other) == text) == (other == arch)
    assert (hash(arch), repr(arch)) == (hash(Arch.parse(text)), repr(Arch.parse(text)))
    assert arch.depth == sum(int(depth) for depth in re.findall("-d([0-9]+)", text))


@given(st.data())
def test_a_changed_string_parses_to_itself_or_is_refused(data):
    text = str(data.draw(grid_archs()))
    for _ in range(data.draw(st.integers(1, 3))):
        at, until = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from([0, 0, 1, 2]))
        text = text[:at] + data.draw(st.text("0123468-dwsr mini_\n٣²\x00é", max_size=2)) + text[at + until :]
    try:
        arch = Arch.parse(text)
    except ValueError as error:
        assert str(error).startswith(f"{text!r}: ")
    else:
        assert str(arch) == text


GOOD = "r1-s32-d2w64s2-d3w128s1-d1w128s2-d2w256s2"
BAD = {
    "": "an arch begins with its space: no space named ''; Known: mb, mb-mini, r1, r1-mini, r2, r2-mini",
    "r3-s32-d2w64s2-d1w64s2-d1w64s2": "no space named 'r3'; did you mean 'r2' or 'r1'?",
    "R1-s32-d2w64s2-d1w64s2-d1w64s2": "no space named 'R1'; did you mean 'r1'?",
    "r1-mimi-s4-d1w4s2-d1w4s2-d1w4s2": "no space named 'r1-mimi'; did you mean 'r1-mini'",
    "r1_s32-d2w64s2-d1w64s2-d1w64s2": "no space named 'r1_s32'; did you mean 'r2' or 'r1'?",
    " " + GOOD: "no space named ' r1'; did you mean 'r1'?",
    "s32-d2w64s2-d1w64s2-d1w64s2": "no space named 's32'; Known: mb",
    "r1": "after 'r1' comes the stem, not nothing; allowed: s16 s32 s64",
    "r1-mini:0": "a member's number; an arch string is wanted, which `nbzero query r1-mini:0` shows",
    "r1-": "after 'r1' comes the stem, not ''; allowed: s16 s32 s64",
    "r1-mini": "after 'r1-mini' comes the stem, not nothing; allowed: s4 s8 s16",
    "r1-mini\n": "after 'r1' comes the stem, not 'mini\\n'",
    "r1-mini2-s4-d1w4s2-d1w4s2-d1w4s2": "after 'r1' comes the stem, not 'mini2'",
    "r1-d2w64s2-d1w64s2-d1w64s2": "after 'r1' comes the stem, not 'd2w64s2'; allowed: s16 s32 s64",
    "r1-s032-d2w64s2-d1w64s2-d1w64s2": "after 'r1' comes the stem, not 's032'",
    "r1-S32-d2w64s2-d1w64s2-d1w64s2": "after 'r1' comes the stem, not 'S32'",
    "r1-s٣٢-d2w64s2-d1w64s2-d1w64s2": "after 'r1' comes the stem, not 's٣٢'",
    "r1-s" + "3" * 100 + "-d2w64s2-d1w64s2-d1w64s2": "after 'r1' comes the stem, not 's333",
    "r1-s8-d2w64s2-d1w64s2-d1w64s2": "stem 8; the stems of r1 are 16 32 64",
    "r1-mini-s32-d2w4s2-d1w4s2-d1w4s2": "stem 32; the stems of r1-mini are 4 8 16",
    "r1-s0-d2w64s2-d1w64s2-d1w64s2": "stem 0; the stems of r1 are 16 32 64",
    "r1-s32": "0 stages; an arch has 3 or 4",
    "r1-s32-d2w64s2-d1w64s2": "2 stages; an arch has 3 or 4",
    "r1-s32-d2w64s2-d1w64s2-d1w64s2-d1w64s2-d1w64s1": "5 stages; an arch has 3 or 4",
    "r1-s32-d02w64s2-d1w64s2-d1w64s2": "stage 1 is 'd02w64s2'; a stage is like 'd2w256s2' (depth, width, "
    "stride; no leading zero)",
    "mb-mini-s8-d1w4s2-d1w4-d1w4s2": "stage 2 is 'd1w4'; a stage is like 'd2w48s2'",
    "r1-s32-d2w64s2-d1w64s2-d1w064s2": "stage 3 is 'd1w064s2'",
    "r1-s32-d2w64s2-d1w64s2-d1w64s02": "stage 3 is 'd1w64s02'",
    "r1-s32-d²w64s2-d1w64s2-d1w64s2": "stage 1 is 'd²w64s2'",
    "r1-s32-d-2w64s2-d1w64s2-d1w64s2": "stage 1 is 'd'",
    "r1-s32-d+2w64s2-d1w64s2-d1w64s2": "stage 1 is 'd+2w64s2'",
    "r1-s32-d1_0w64s2-d1w64s2-d1w64s2": "stage 1 is 'd1_0w64s2'",
    "r1-s32-w64d2s2-d1w64s2-d1w64s2": "stage 1 is 'w64d2s2'",
    "r1-s32--d2w64s2-d1w64s2-d1w64s2": "stage 1 is ''",
    GOOD + "-": "stage 5 is ''",
    GOOD + " ": "stage 4 is 'd2w256s2 '",
    GOOD + "\n": "stage 4 is 'd2w256s2\\n'",
    "r1-s32-d0w64s2-d1w64s2-d1w64s2": "stage 1 has depth 0; the depths of r1 are 1 2 3 4 5 6",
    "r1-s32-d2w64s2-d7w64s2-d1w64s2": "stage 2 has depth 7; the depths of r1 are 1 2 3 4 5 6",
    "r1-mini-s4-d1w4s2-d1w4s2-d5w4s2": "stage 3 has depth 5; the depths of r1-mini are 1 2 3 4",
    "r1-s32-d2w64s2-d1w65s2-d1w128s2": "stage 2 has width 65; the widths of r1 are 16 32 48 64 96 128 192 "
    "256",
    "mb-s16-d2w4s2-d1w8s2-d1w8s2": "stage 1 has width 4; the widths of mb are 8 16 24 32 48 64 96 128 160 "
    "192",
    "r1-s32-d2w64s2-d1w128s2-d1w96s2": "stage 3 has width 96, less than 128 before it; widths never decrease",
    "r1-s32-d2w64s3-d1w64s2-d1w64s2": "stage 1 has stride 3; a stride is 1 or 2",
    "r1-s32-d2w64s2-d1w64s0-d1w64s2": "stage 2 has stride 0; a stride is 1 or 2",
    "r1-s32-d2w64s2-d1w64s1-d1w64s2": "2 stages have stride 2; exactly 3 of the 3 halve the resolution",
    "r1-s32-d2w64s2-d1w64s2-d1w64s2-d1w64s2": "4 stages have stride 2; exactly 3 of the 4 halve the "
    "resolution",
    "r1-s32-d2w64s1-d1w64s2-d1w64s2-d1w64s1": "2 stages have stride 2; exactly 3 of the 4 halve the "
    "resolution",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_string_is_told_what_is_wrong_and_what_is_allowed(text):
    for ask in (Arch.parse, macs, params):
        with pytest.raises(ValueError, match=re.escape(BAD[text])) as caught:
            ask(text)
        assert str(caught.value).startswith(f"{text!r}: ")
    assert text not in released("r1")


@pytest.mark.parametrize("text", ["r1-s" + "3" * 5000 + "-d2w64s2", "r1-s32" + "-d2w64s2" * 1_000_000])
def test_a_string_longer_than_any_arch_is_refused_in_few_words(text):
    with pytest.raises(ValueError, match=f"is no arch: its {len(text):,} characters") as caught:
        Arch.parse(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [None, 3, b"r1-s32", ("r1", 32)])
def test_an_arch_is_a_string(text):
    with pytest.raises(
        ValueError,
        match=re.escape(f"an arch is a string like 'r1-s32-d2w64s2-d1w128s2-d2w256s2', not {text!r}"),
    ):
        Arch.parse(text)


def test_the_fields_are_checked_as_the_string_is():
    stages = ((2, 64, 2), (1, 64, 2), (1, 64, 2))
    arch = Arch("r1", np.int64(32), [np.array(stage, np.int32) for stage in stages])
    assert arch == Arch("r1", 32, stages) == Arch.parse(str(arch))
    assert {type(arch.stem), *map(type, itertools.chain(*arch.stages))} == {int}
    assert arch.stages[0] == Stage(depth=2, width=64, stride=2)
    with pytest.raises(ValueError, match="'r1-s32-d2w64s2-d1w64s2': 2 stages; an arch has 3 or 4"):
        Arch("r1", 32, stages[:2])
    with pytest.raises(ValueError, match="no space named 'r9'"):
        Arch("r9", 32, stages)
    with pytest.raises(TypeError, match="float"):  # or its string would be r1-s32.0-...
        Arch("r1", 32.0, stages)
    with pytest.raises(TypeError, match="float"):
        Arch("r1", 32, ((2.0, 64, 2), *stages[1:]))


def test_an_arch_is_frozen_hashable_ordered_and_copied_whole():
    arch = Arch.parse(GOOD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        arch.stem = 16
    with pytest.raises((AttributeError, TypeError)):  # slots: no new names either
        arch.other = 1
    assert {arch: 1}[Arch.parse(GOOD)] == 1
    assert copy.deepcopy(arch) == pickle.loads(pickle.dumps(arch)) == arch
    archs = [Arch.parse(text) for text in (*released("r1")[:40], *released("mb")[:40])]
    assert sorted(archs) == sorted(archs, key=lambda a: (a.space, a.stem, a.stages))
    with pytest.raises(TypeError):
        sorted([arch, GOOD])


# Costs


@given(grid_archs(), st.sampled_from([1, 7, 16, 32, 33, 224]), st.sampled_from([1, 10, 100, 120]))
def test_costs_are_the_sum_over_the_layers(arch, resolution, num_classes):
    slow = slow_costs(str(arch), resolution, num_classes)
    assert (macs(arch, resolution, num_classes), params(arch, num_classes)) == slow
    assert (arch.macs, arch.params) == slow_costs(str(arch)) == (macs(str(arch)), params(str(arch)))
    assert type(arch.macs) is type(arch.params) is int


def test_costs_counted_by_hand():
    arch = "r1-s16-d1w16s2-d1w16s2-d2w32s2"
    stem, first, second = 27 * 16 * 1024, (2 * 9 + 1) * 256 * 256, (2 * 9 + 1) * 256 * 64
    third = (9 * 512 + 9 * 1024 + 512) * 16 + 2 * 9 * 1024 * 16
    assert macs(arch, 32, 10) == stem + first + second + third + 320
    weights = 27 * 16 + 2 * 19 * 256 + (9 * 512 + 9 * 1024 + 512) + 2 * 9 * 1024
    norms = 2 * (16 + 3 * 16 + 3 * 16 + 3 * 32 + 2 * 32)
    assert params(arch, 10) == weights + norms + 320 + 10


def test_costs_take_numpy_sizes_without_overflow():
    arch = released("r1")[0]
    assert macs(arch, np.uint8(224), np.int8(100)) == macs(arch, 224, 100)
    assert params(arch, np.int8(100)) == params(arch, 100)


@pytest.mark.parametrize("size", [0, -1, 32.0, True, "32", None])
def test_bad_sizes(size):
    arch = released("r1")[0]
    with pytest.raises(UsageError, match=re.escape(f"resolution {size!r}; it is a whole number from 1")):
        macs(arch, resolution=size)
    for cost in (macs, params):
        with pytest.raises(UsageError, match=re.escape(f"num_classes {size!r}; it is a whole number from 1")):
            cost(arch, num_classes=size)


# Edits


def one_choice_away(arch):
    """Every way to put one choice differently, kept where it makes an Arch."""
    stems, widths, deepest, _ = GRID[arch.space]
    stages, found = arch.stages, set()

    def put(stem, new):
        with contextlib.suppress(ValueError):
            found.add(Arch(arch.space, stem, new))

    for stem in stems:
        put(stem, stages)
    for s, (depth, width, stride) in enumerate(stages):
        for stage in [(d, width, stride) for d in range(1, deepest + 1)] + [
            (depth, w, stride) for w in widths
        ]:
            put(arch.stem, (*stages[:s], stage, *stages[s + 1 :]))
    for strides in itertools.product((1, 2), repeat=len(stages)):
        put(arch.stem, tuple((d, w, stride) for (d, w, _), stride in zip(stages, strides, strict=True)))
    put(arch.stem, tuple(stage for stage in stages if stage.stride == 2))
    for s in range(len(stages) + 1):
        put(arch.stem, (*stages[:s], (1, stages[max(s - 1, 0)].width, 1), *stages[s:]))
    return found - {arch}


@each_space
@pytest.mark.parametrize("arch_id", [*range(6), -1])
def test_edits_are_all_archs_one_choice_away(name, arch_id):
    arch = Arch.parse(released(name)[arch_id])
    edits = arch.edits()
    assert len(edits) == len(set(edits))
    assert set(edits) == one_choice_away(arch)
    assert all(Arch.parse(str(edit)) == edit != arch for edit in edits)
    for (
        edit
    ) in edits:  # what one edit does another undoes, but a dropped stage comes back with the smallest depth
        if len(edit.stages) >= len(arch.stages):
            assert arch in edit.edits()


TINY = Choices("tiny", "r1", (4, 8), (4, 8), (1, 2), 11)
TINY_GRID = [
    f"tiny-s{stem}" + "".join(f"-d{d}w{w}s{s}" for d, w, s in zip(depth, width, stride, strict=True))
    for strides in ([(2, 2, 2)], [(1, 2, 2, 2), (2, 1, 2, 2), (2, 2, 1, 2), (2, 2, 2, 1)])
    for stem in (4, 8)
    for stride in strides
    for width in itertools.combinations_with_replacement((4, 8), len(stride))
    for depth in itertools.product((1, 2), repeat=len(stride))
]


@pytest.fixture
def tiny(monkeypatch):
    """A space small enough to be walked whole, all of its grid members."""
    monkeypatch.setitem(macro.CHOICES, "tiny", TINY)
    return MacroSpace("tiny", tuple(sorted(TINY_GRID, key=lambda arch: sha256("build:" + arch))))


@pytest.mark.parametrize("start", [TINY_GRID[0], TINY_GRID[-1]])
def test_edits_connect_the_whole_grid(tiny, start):
    reached = todo = {Arch.parse(start)}
    while todo:
        todo = {edit for arch in todo for edit in arch.edits()} - reached
        reached = reached | todo
    assert {str(arch) for arch in reached} == set(TINY_GRID) and len(TINY_GRID) == 64 + 640


@pytest.mark.parametrize("bounds", [(1, 1), (0.3, 1), (1, 0.3), (0.7, 0.5)])
def test_members_are_the_first_within_both_limits(tiny, monkeypatch, bounds):
    """Each limit admits this share of the grid by itself."""
    limits = []
    for cost, share in enumerate(bounds):
        limits.append(sorted(slow_costs(arch)[cost] for arch in TINY_GRID)[round(share * len(TINY_GRID)) - 1])
    monkeypatch.setattr(macro, "MAX_MACS", limits[0])
    monkeypatch.setattr(macro, "MAX_PARAMS", limits[1])
    within = [
        arch
        for arch in TINY_GRID
        if all(cost <= limit for cost, limit in zip(slow_costs(arch), limits, strict=True))
    ]
    members = []
    for num_stages, count in ((3, 5), (4, 6)):
        members += sorted((arch for arch in within if len(choices_of(arch)[1]) == num_stages), key=sha256)[
            :count
        ]
    assert enumerate_members("tiny") == sorted(members, key=lambda arch: sha256("build:" + arch))


# Moves among members


@each_mini
def test_iteration_ids_and_in(name):
    members = released(name)
    assert list(members) == list(members.members) == [members[i] for i in range(len(members))]
    assert [members.arch_id(arch) for arch in members] == list(range(len(members)))
    assert members.arch_id(Arch.parse(members[7])) == 7
    assert members[5] in members and Arch.parse(members[5]) in members
    assert released("r1")[0] not in members and Arch.parse(released("r1")[0]) not in members
    for other in (members[5] + " ", members[5].encode(), Path(members[5]), 5, None, [], {}, Arch):
        assert other not in members


@each_mini
def test_a_grid_arch_that_is_no_member_is_a_lookup_error_naming_its_nearest(name):
    members = released(name)
    outside = [arch for arch in Arch.parse(members[0]).edits() if str(arch) not in members.members]
    assert outside and all(arch not in members and str(arch) not in members for arch in outside)
    for arch in (outside[0], str(outside[-1])):
        with pytest.raises(
            NotAMemberError, match=re.escape(f"{arch} is in the grid of {name} but is no member")
        ) as caught:
            members.arch_id(arch)
        assert isinstance(caught.value, LookupError) and not isinstance(caught.value, ValueError)
        assert list(caught.value.nearest) == slow_neighbours(members, str(arch), 3)
        assert str(caught.value).endswith("nearest members: " + ", ".join(caught.value.nearest))


def test_an_arch_of_another_space_or_malformed_is_a_value_error():
    members, other = released("r1-mini"), released("r2-mini")[0]
    for ask in (members.arch_id, members.encode, members.neighbours):
        with pytest.raises(ValueError, match=re.escape(f"{other} is an arch of r2-mini, not of r1-mini")):
            ask(other)
        with pytest.raises(ValueError, match="stage 1 is 'x'"):
            ask("r1-mini-s4-x")
        with pytest.raises(ValueError, match="an arch is a string"):
            ask(7)


@given(grid_archs())
def test_vectors_are_ordinals_and_decode_to_the_arch(arch):
    vector = MacroSpace(arch.space).encode(arch)
    assert vector.shape == (13,) and vector.dtype == np.int16
    assert vector.tolist() == slow_vector(str(arch)) == MacroSpace(arch.space).encode(str(arch)).tolist()
    for form in (vector, vector.tolist(), tuple(vector), vector.astype(np.uint8), vector.astype(np.int64)):
        assert MacroSpace(arch.space).decode(form) == arch


def test_known_vector():
    vector = [1, 2, 4, 2, 3, 6, 1, 1, 6, 2, 2, 8, 2]
    assert MacroSpace("r1").encode(GOOD).tolist() == vector
    assert MacroSpace("mb").encode("mb-s16-d1w8s2-d2w16s2-d6w192s2").tolist() == [
        0,
        1,
        1,
        2,
        2,
        2,
        2,
        6,
        10,
        2,
        0,
        0,
        0,
    ]


@each_mini
def test_vectors_of_all_members(name):
    members = released(name)
    assert members.vectors.tolist() == [slow_vector(arch) for arch in members]
    with pytest.raises(ValueError, match="read-only"):
        members.vectors[0, 0] = 1


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 3, "entry 0 (stem) is 3; allowed: 0 to 2"),
        (0, -1, "entry 0 (stem) is -1; allowed: 0 to 2"),
        (1, 0, "entry 1 (depth of stage 1) is 0; allowed: 1 to 6"),
        (4, 7, "entry 4 (depth of stage 2) is 7; allowed: 1 to 6"),
        (8, 9, "entry 8 (width of stage 3) is 9; allowed: 1 to 8"),
        (8, 0, "entry 8 (width of stage 3) is 0; allowed: 1 to 8"),
        (10, 0, "entry 10 (depth of stage 4) is 0; allowed: 1 to 6"),
        (3, 3, "stage 1 has stride 3; a stride is 1 or 2"),
        (12, 1, "2 stages have stride 2"),
        (11, 1, "stage 4 has width 16, less than 128 before it"),
    ],
)
def test_bad_entries_of_a_vector(at, value, message):
    vector = MacroSpace("r1").encode(GOOD)
    vector[at] = value
    with pytest.raises(ValueError, match=re.escape(message)):
        MacroSpace("r1").decode(vector)


@pytest.mark.parametrize(
    "vector", [[1, 2, 3], np.zeros((1, 13), int), np.ones(13), np.ones(13, bool), 3, "r1"]
)
def test_what_is_no_vector(vector):
    with pytest.raises(ValueError, match="a vector of r1 is 13 integers, not "):
        MacroSpace("r1").decode(vector)


@each_mini
def test_neighbours_by_brute_force(name):
    members = released(name)
    outside = [edit for text in members[:2] for edit in Arch.parse(text).edits()[::9] if edit not in members]
    for arch in (*members[:4], members[-1], *map(str, outside)):
        assert members.neighbours(arch) == slow_neighbours(members, arch, 8)
        assert members.neighbours(Arch.parse(arch), 30) == slow_neighbours(members, arch, 30)
    everyone = members.neighbours(members[3], len(members) - 1)
    assert sorted([*everyone, members[3]]) == sorted(members)


def test_neighbours_of_a_full_grid_and_their_ties(tiny):
    arch = "tiny-s4-d1w4s2-d1w4s2-d1w4s2"
    nearest = tiny.neighbours(arch, 5)
    one_step = ["tiny-s8-d1w4s2-d1w4s2-d1w4s2", "tiny-s4-d1w4s2-d1w4s2-d1w8s2"]
    one_step += [f"tiny-s4-d{d}w4s2-d{e}w4s2-d{f}w4s2" for d, e, f in ((1, 1, 2), (1, 2, 1), (2, 1, 1))]
    assert nearest == sorted(one_step, key=tiny.arch_id)


@pytest.mark.parametrize("k", [0, -1, 1000])
def test_bad_number_of_neighbours(k):
    members = released("r1-mini")
    with pytest.raises(ValueError, match=f"k is {k}; allowed: 1 to 999"):
        members.neighbours(members[0], k)
    with pytest.raises(ValueError, match=f"k is {k}; allowed: 1 to 999"):
        members.mutate(members[0], np.random.default_rng(0), k)


@each_mini
def test_mutants_are_the_neighbours(name):
    members, rng = released(name), np.random.default_rng(1)
    for arch in (members[0], Arch.parse(members[0]).edits()[0]):
        assert {members.mutate(arch, rng, k=4) for _ in range(100)} == set(members.neighbours(arch, 4))
    walk = [members[0]]
    for _ in range(50):
        walk.append(members.mutate(walk[-1], rng))
        assert walk[-1] in members and walk[-1] != walk[-2]
    assert len(set(walk)) > 20


@each_mini
def test_children_are_members_and_follow_from_the_generator(name):
    members = released(name)
    pairs = list(itertools.pairwise(members[:60]))
    children = [members.crossover(a, b, np.random.default_rng(i)) for i, (a, b) in enumerate(pairs)]
    assert all(child in members for child in children)
    again = [
        members.crossover(Arch.parse(a), Arch.parse(b), np.random.default_rng(i))
        for i, (a, b) in enumerate(pairs)
    ]
    assert children == again
    assert children != [
        members.crossover(a, b, np.random.default_rng(i + 99)) for i, (a, b) in enumerate(pairs)
    ]
    for seed in range(5):
        assert members.crossover(members[3], members[3], np.random.default_rng(seed)) == members[3]
        first, second = (members.mutate(members[3], np.random.default_rng(seed)) for _ in range(2))
        assert first == second
    with pytest.raises(ValueError, match="is an arch of r1, not of"):
        members.crossover(members[0], released("r1")[0], np.random.default_rng(0))


def test_a_child_takes_every_choice_from_a_parent(tiny):
    rng = np.random.default_rng(0)
    a, b = "tiny-s4-d1w4s2-d1w4s2-d1w8s2", "tiny-s8-d2w4s2-d2w4s2-d2w8s2"
    three = {tiny.crossover(a, b, rng) for _ in range(300)}
    assert three == {
        f"tiny-s{stem}-d{d}w4s2-d{e}w4s2-d{f}w8s2"
        for stem in (4, 8)
        for d in (1, 2)
        for e in (1, 2)
        for f in (1, 2)
    }
    for parents in ((a, a + "-d2w8s1"), (a + "-d2w8s1", a)):  # the fourth stage comes or goes as a whole
        assert {tiny.crossover(*parents, rng) for _ in range(30)} == set(parents)


# Samples


@each_space
def test_sample_is_the_order_of_a_hash_and_every_prefix_a_smaller_sample(name):
    members = released(name)
    sample = members.sample(200, seed=5)
    assert sample == sorted(members, key=lambda arch: sha256(f"sample:5:{arch}"))[:200]
    assert len(set(sample)) == 200 and all(arch in members for arch in sample)
    for n in (0, 1, 199):
        assert members.sample(n, seed=5) == sample[:n]
    assert members.sample(200, seed=6) != sample
    assert members.sample(3, seed=np.int64(5)) == sample[:3]


FIRST_OF_SEED_0 = {
    "r1": [
        "r1-s16-d3w16s2-d2w64s1-d5w192s2-d3w192s2",
        "r1-s16-d4w16s2-d1w64s2-d2w256s2",
        "r1-s16-d1w64s2-d2w64s2-d5w192s1-d5w256s2",
    ],
    "r2": [
        "r2-s32-d6w384s2-d1w512s2-d4w768s2",
        "r2-s32-d1w128s2-d1w256s1-d1w256s2-d1w384s2",
        "r2-s32-d1w192s2-d1w192s2-d6w384s2",
    ],
    "mb": [
        "mb-s32-d2w16s2-d3w64s1-d1w128s2-d3w160s2",
        "mb-s16-d5w24s1-d3w32s2-d4w128s2-d6w128s2",
        "mb-s16-d5w96s2-d2w128s2-d5w192s2",
    ],
    "r1-mini": [
        "r1-mini-s4-d4w8s2-d2w32s2-d1w48s2",
        "r1-mini-s4-d2w4s2-d4w16s1-d4w32s2-d2w32s2",
        "r1-mini-s4-d4w4s2-d1w16s2-d1w32s2",
    ],
    "r2-mini": [
        "r2-mini-s16-d2w32s2-d1w48s2-d4w64s2",
        "r2-mini-s8-d2w16s2-d2w16s2-d3w192s2",
        "r2-mini-s8-d1w32s1-d3w64s2-d4w96s2-d3w128s2",
    ],
    "mb-mini": [
        "mb-mini-s8-d4w4s1-d2w16s2-d1w48s2-d4w48s2",
        "mb-mini-s16-d2w8s2-d1w24s2-d1w32s2",
        "mb-mini-s8-d4w12s2-d2w12s1-d3w16s2-d2w32s2",
    ],
}


@each_space
def test_known_sample(name):
    state, numpy_state = random.getstate(), np.random.get_state()[1].tolist()
    assert released(name).sample(3, seed=0) == FIRST_OF_SEED_0[name]
    assert random.getstate() == state and np.random.get_state()[1].tolist() == numpy_state


def test_samples_of_all_and_of_too_many():
    members = released("mb-mini")
    assert sorted(members.sample(1000, seed=1)) == sorted(members)
    for n in (-1, 1001):
        with pytest.raises(ValueError, match=f"n is {n}; mb-mini has 1000 members to sample without repeats"):
            members.sample(n, seed=0)
    with pytest.raises(UsageError, match=r"seed 0\.5; it is a whole number from 0"):
        members.sample(3, seed=0.5)
