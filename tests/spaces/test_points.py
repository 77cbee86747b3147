"""Many grid points at once are what each of them is alone."""

import numpy as np
import pytest

from nbzero import Arch, UsageError, macs, params, space
from nbzero.errors import UnknownNameError
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.points import points_of

START = {name: space(name) for name in ("r1-mini", "r2-mini", "mb-mini")}
THREE = "r1-mini-s4-d2w12s2-d1w24s2-d2w32s2"


def grid_archs(name: str) -> list[Arch]:
    """Some grid points, members or not, with three and with four stages."""
    near = [Arch.parse(START[name][0]), Arch.parse(START[name][1])]
    return list(dict.fromkeys([*near, *near[0].edits(), *near[1].edits()]))


@pytest.mark.parametrize("name", sorted(START))
def test_points_are_the_archs(name):
    archs = grid_archs(name)
    assert {len(arch.stages) for arch in archs} == {3, 4}
    points = points_of(name, archs)
    for row, arch in enumerate(archs):
        assert points.stem[row] == arch.stem
        stages = np.stack([points.depth[row], points.width[row], points.stride[row]], axis=1)
        assert [tuple(stage) for stage in stages.tolist() if stage[0]] == list(arch.stages)
    found = np.stack(points.costs()).T.tolist()
    assert found == [[macs(arch), params(arch)] for arch in archs]


@pytest.mark.parametrize("name", sorted(START))
def test_strings_archs_and_vectors_are_alike(name):
    archs = grid_archs(name)
    vectors = np.array([START[name].encode(arch) for arch in archs])
    wanted = points_of(name, archs)
    mixed = [arch if row % 2 else str(arch) for row, arch in enumerate(archs)]
    for given in (list(map(str, archs)), mixed, vectors, np.array(list(map(str, archs)), object)):
        found = points_of(name, given)
        for column in ("stem", "depth", "width", "stride"):
            assert (getattr(found, column) == getattr(wanted, column)).all()
    part = wanted.only(slice(2, 5))
    assert len(part) == 3 and part.costs()[0].tolist() == wanted.costs()[0][2:5].tolist()
    assert len(points_of(name, [])) == 0


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("r1-mini-s5-d2w12s2-d1w24s2-d2w32s2", "stem 5; the stems of r1-mini are 4 8 16"),
        ("r1-mini-s4-d2w12s2-d1w24s2", "2 stages; an arch has 3 or 4"),
        ("r1-mini-s4-d2w12s2-d1w24s2-d2w32s1", "2 stages have stride 2"),
        ("r1-mini-s4-d2w12s2-d1w8s2-d2w32s2", "stage 2 has width 8, less than 12"),
        (THREE + "-d1w32s1-d1w32s1", "5 stages"),
        ("r1-mini-s4-d02w12s2-d1w24s2-d2w32s2", "no leading zero"),
        ("r1-s16-d2w16s2-d1w32s2-d2w32s2", "an arch of r1, not of r1-mini"),
        (Arch.parse("r1-s16-d2w16s2-d1w32s2-d2w32s2"), "an arch of r1, not of r1-mini"),
        ("nothing", "no space named 'nothing'"),
        (None, "an arch is a string"),
        (7, "an arch is a string"),
    ],
)
def test_what_is_no_grid_point_is_said_as_parse_says_it(wrong, said):
    with pytest.raises(UsageError, match=said):
        points_of("r1-mini", [THREE, wrong])


@pytest.mark.parametrize(
    "change, said",
    [
        ((0, 9), r"entry 0 \(stem\) is 9"),
        ((1, 0), r"entry 1 \(depth of stage 1\) is 0"),
        ((3, 1), "stages have stride 2"),
        ((5, 1), "less than"),
        ((10, 1), "entry 11"),
    ],
)
def test_a_wrong_vector_is_said_as_decode_says_it(change, said):
    vector = START["r1-mini"].encode(THREE).copy()
    vector[change[0]] = change[1]
    with pytest.raises(UsageError, match=said):
        points_of("r1-mini", np.array([START["r1-mini"].encode(THREE), vector]))


def test_wrong_lists():
    with pytest.raises(UsageError, match="it is a list of archs"):
        points_of("r1-mini", THREE)
    with pytest.raises(UsageError, match=r"shape \(1, 3\)"):
        points_of("r1-mini", np.zeros((1, 3), int))
    with pytest.raises(UnknownNameError, match="no macro space named 'nb201'"):
        points_of("nb201", ["x"])
    assert set(CHOICES) >= set(START)
