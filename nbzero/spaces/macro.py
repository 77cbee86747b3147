"""The six macro spaces: their choices, architecture strings, closed-form costs, members and moves.

A net is a 3x3 stem convolution, three or four stages of residual blocks, global average pooling and a linear
classifier. Exactly three stages halve the resolution in their first block.

The grid of a space is every combination of its choices. Its members are a fixed pseudo-random sample of the
grid points within 700 M macs and 14 M params (at 3x32x32 and 100 classes). Half of them have 3 stages. Which
grid points are members, and in which order they are built (`arch_id`), follows from SHA-256 alone.

    arch string   r1-s32-d2w64s2-d3w128s1-d1w128s2-d2w256s2
                  space, stem width, then depth, width, stride of each stage

Source: the grids stand in for those of NAS-Bench-Zero (Chen et al., OpenReview hP-SILoczR), which were never
published. Its counts, its 3-or-4-stage rule and its ranges were.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nbzero.errors import NotAMemberError, UsageError, quoted, unknown_name, whole
from nbzero.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Family = Literal["r1", "r2", "mb"]

MAX_MACS = 700_000_000
MAX_PARAMS = 14_000_000
RESOLUTION = 32  # of the tables' macs
NUM_CLASSES = 100  # of the tables' macs and params
NUM_HALVINGS = 3  # stages with stride 2
MAX_STAGES = 4
MAX_LENGTH = 200  # characters of an arch string; those of the grids have about 50
KEPT_ARCHS = 4096  # of which what a search asks for again is kept
EXPANSION = 6  # mb: hidden channels per input channel
SQUEEZE = 4  # r2: output channels per inner channel
NEAR = 8  # neighbours where none are asked for


class Stage(NamedTuple):
    """Blocks of one stage: how many, their output channels, and the stride of the first."""

    depth: int
    width: int
    stride: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What a space may choose from.

    Attributes:
        name: of the space.
        family: of its blocks.
        stems, widths, depths: stem widths, stage widths (non-decreasing over the stages), depths of a stage.
        num_members: how many of the grid points are members.
    """

    name: str
    family: Family
    stems: tuple[int, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    num_members: int


_SIX = tuple(range(1, 7))
_FOUR = tuple(range(1, 5))
CHOICES: dict[str, Choices] = {
    choices.name: choices
    for choices in (
        Choices("r1", "r1", (16, 32, 64), (16, 32, 48, 64, 96, 128, 192, 256), _SIX, 14_964),
        Choices("r2", "r2", (32, 64), (64, 128, 192, 256, 384, 512, 768, 1024), _SIX, 10_187),
        Choices("mb", "mb", (16, 32), (8, 16, 24, 32, 48, 64, 96, 128, 160, 192), _SIX, 9_743),
        Choices("r1-mini", "r1", (4, 8, 16), (4, 8, 12, 16, 24, 32, 48, 64), _FOUR, 1_000),
        Choices("r2-mini", "r2", (8, 16), (16, 32, 48, 64, 96, 128, 192, 256), _FOUR, 1_000),
        Choices("mb-mini", "mb", (8, 16), (4, 8, 12, 16, 24, 32, 48), _FOUR, 1_000),
    )
}


@dataclass(frozen=True, order=True, slots=True)
class Arch:
    """One grid point of a space: immutable, hashable, ordered by its fields.

    `Arch.parse` and `str` are inverse to each other, one string per arch.

    Raises:
        UsageError: an arch that is not in its space's grid; names the part that is wrong and what is allowed.
        TypeError: a number of it is no integer.

    >>> arch = Arch.parse("r1-s32-d2w64s2-d3w128s1-d1w128s2-d2w256s2")
    >>> arch.stages[1]
    Stage(depth=3, width=128, stride=1)
    >>> str(arch)
    'r1-s32-d2w64s2-d3w128s1-d1w128s2-d2w256s2'
    """

    space: str
    stem: int
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if self.space not in CHOICES:
            raise UsageError(f"{_text(self)!r}: {unknown_name('space', self.space, CHOICES)}")
        # 32.0 == 32, but would be another string
        object.__setattr__(self, "stem", operator.index(self.stem))
        stages = tuple(Stage(*map(operator.index, stage)) for stage in self.stages)
        object.__setattr__(self, "stages", stages)
        fault = _fault(CHOICES[self.space], self.stem, self.stages)
        if fault:
            raise UsageError(f"{_text(self)!r}: {fault}")

    @classmethod
    def parse(cls, text: str) -> Arch:
        """The arch that `text` names; UsageError saying what is wrong with any other string."""
        if not isinstance(text, str):
            raise UsageError(f"an arch is a string like 'r1-s32-d2w64s2-d1w128s2-d2w256s2', not {text!r}")
        if len(text) > MAX_LENGTH:
            raise UsageError(f"{quoted(text)} is no arch: its {len(text):,} characters are more than any has")
        _check_no_number(text)
        choices, parts = _split_name(text)
        if not parts or not re.fullmatch(f"s{_NUMBER}", parts[0]):
            given = repr(parts[0]) if parts else "nothing"
            allowed = " ".join(f"s{stem}" for stem in choices.stems)
            raise UsageError(
                f"{text!r}: after {choices.name!r} comes the stem, not {given}; allowed: {allowed}"
            )
        stages = []
        for number, part in enumerate(parts[1:], start=1):
            match = re.fullmatch(f"d({_NUMBER})w({_NUMBER})s({_NUMBER})", part)
            if not match:
                like = f"d2w{choices.widths[-1]}s2"
                allowed = f"a stage is like {like!r} (depth, width, stride; no leading zero)"
                raise UsageError(f"{text!r}: stage {number} is {part!r}; {allowed}")
            stages.append(Stage(*map(int, match.groups())))
        return cls(choices.name, int(parts[0][1:]), tuple(stages))

    def __str__(self) -> str:
        return _text(self)

    @property
    def macs(self) -> int:
        """Multiply-adds at 3x32x32 with 100 classes, as in the tables; for other sizes `macs(arch, ...)`."""
        return macs(self)

    @property
    def params(self) -> int:
        """Trainable numbers with 100 classes, as in the tables; for other numbers `params(arch, ...)`."""
        return params(self)

    @property
    def depth(self) -> int:
        """Blocks summed over the stages."""
        return sum(stage.depth for stage in self.stages)

    def edits(self) -> tuple[Arch, ...]:
        """The grid archs one choice away, members or not, without repeats: for live search.

        One choice is one of these:

            the stem
            one stage's depth
            one stage's width, where widths stay non-decreasing
            which of four stages keeps the resolution
            the number of stages

        4 to 3 stages drops the one that keeps the resolution. 3 to 4 inserts one of the smallest depth. It
        has the width of the stage before it, or after it where it becomes the first.
        """
        choices = CHOICES[self.space]
        archs = [Arch(self.space, stem, self.stages) for stem in choices.stems if stem != self.stem]
        for stages in (*_stage_edits(choices, self.stages), *_number_edits(choices, self.stages)):
            widths = [stage.width for stage in stages]
            if widths == sorted(widths):
                archs.append(Arch(self.space, self.stem, stages))
        return tuple(archs)


def _stage_edits(choices: Choices, stages: tuple[Stage, ...]) -> list[tuple[Stage, ...]]:
    """The stages with another depth or width of one of them."""
    edits = []
    for s, stage in enumerate(stages):
        others = [stage._replace(depth=depth) for depth in choices.depths]
        others += [stage._replace(width=width) for width in choices.widths]
        for other in others:
            if other != stage:
                edits.append((*stages[:s], other, *stages[s + 1 :]))
    return edits


def _number_edits(choices: Choices, stages: tuple[Stage, ...]) -> list[tuple[Stage, ...]]:
    """The stages with another one that keeps the resolution, one fewer, or one more."""
    edits: list[tuple[Stage, ...]] = []
    if len(stages) < MAX_STAGES:
        for s in range(MAX_STAGES):
            width = stages[max(s - 1, 0)].width
            edits.append((*stages[:s], Stage(choices.depths[0], width, 1), *stages[s:]))
        return edits
    kept = [stage.stride for stage in stages].index(1)
    for keep in range(MAX_STAGES):
        if keep != kept:
            edited = list(stages)
            edited[kept] = edited[kept]._replace(stride=2)
            edited[keep] = edited[keep]._replace(stride=1)
            edits.append(tuple(edited))
    edits.append((*stages[:kept], *stages[kept + 1 :]))
    return edits


_NUMBER = r"(?:0|[1-9][0-9]{0,8})"  # no leading zero: one string per arch; a 0 gets the message of the grid


def _text(arch: Arch) -> str:
    return f"{arch.space}-s{arch.stem}" + _stages_text(arch.stages)


def _stages_text(stages: Iterable[tuple[int, int, int]]) -> str:
    return "".join(f"-d{depth}w{width}s{stride}" for depth, width, stride in stages)


def _check_no_number(text: str) -> None:
    """UsageError for a member's number, as some commands take it."""
    space, _, number = text.partition(":")
    if space in CHOICES and number.isdecimal():
        raise UsageError(
            f"{text!r}: it is a member's number; an arch string is wanted, which `nbzero query {text}` shows"
        )


def _split_name(text: str) -> tuple[Choices, list[str]]:
    """The space that a string begins with, and the parts after it."""
    parts = text.split("-")
    two_words = len(parts) > 1 and re.fullmatch("[A-Za-z]{2,}", parts[1])  # "r1-mini", not "r1"
    length = 2 if two_words else 1
    name = "-".join(parts[:length])
    if name not in CHOICES:
        raise UsageError(f"{text!r}: an arch begins with its space: {unknown_name('space', name, CHOICES)}")
    return CHOICES[name], parts[length:]


def _fault(choices: Choices, stem: int, stages: Sequence[Stage]) -> str | None:
    """What keeps these choices out of the grid, in words, or None."""
    if stem not in choices.stems:
        return f"stem {stem}; the stems of {choices.name} are {_listed(choices.stems)}"
    if len(stages) not in (NUM_HALVINGS, MAX_STAGES):
        return f"{len(stages)} stages; an arch has {NUM_HALVINGS} or {MAX_STAGES}"
    for number, (depth, width, stride) in enumerate(stages, start=1):
        if depth not in choices.depths:
            allowed = f"the depths of {choices.name} are {_listed(choices.depths)}"
            return f"stage {number} has depth {depth}; {allowed}"
        if width not in choices.widths:
            allowed = f"the widths of {choices.name} are {_listed(choices.widths)}"
            return f"stage {number} has width {width}; {allowed}"
        if stride not in (1, 2):
            return f"stage {number} has stride {stride}; a stride is 1 or 2"
    for number, (before, after) in enumerate(itertools.pairwise(stages), start=2):
        if before.width > after.width:
            less = f"stage {number} has width {after.width}, less than {before.width} before it"
            return f"{less}; widths never decrease"
    halvings = [stage.stride for stage in stages].count(2)
    if halvings != NUM_HALVINGS:
        exactly = f"exactly {NUM_HALVINGS} of the {len(stages)} halve the resolution"
        return f"{halvings} stages have stride 2; {exactly}"
    return None


def _listed(values: Sequence[int]) -> str:
    return " ".join(map(str, values))


def as_arch(arch: str | Arch) -> Arch:
    """`arch` itself where it is an Arch, else the parsed string."""
    if isinstance(arch, Arch):
        return arch
    return _parsed(arch) if isinstance(arch, str) else Arch.parse(arch)


@lru_cache(maxsize=KEPT_ARCHS)
def _parsed(text: str) -> Arch:
    return Arch.parse(text)


def arch_of(space: str, arch: str | Arch) -> Arch:
    """`as_arch`; UsageError also for an arch of another space."""
    parsed = as_arch(arch)
    if parsed.space != space:
        raise UsageError(f"{parsed} is an arch of {parsed.space}, not of {space}")
    return parsed


# Costs. Every formula is written in operators that ints and integer arrays share. So the six grids' 18 M
# points and a single arch go through the same lines.


def stage_costs(
    family: Family, stem: Any, stages: Sequence[Sequence[Any]], resolution: int, num_classes: int
) -> tuple[Any, Any]:
    """(macs, params) of archs: the stem, and (depth, width, stride) of each stage.

    The numbers are ints, or equally long int64 arrays.
    """
    side, width = resolution, stem
    macs = 9 * 3 * stem * side * side
    params = 9 * 3 * stem + 2 * stem
    for depth, out, stride in stages:
        first = _block_costs(family, width, out, stride, side)
        side = (side + stride - 1) // stride
        rest = _block_costs(family, out, out, 1, side)
        macs = macs + first[0] + (depth - 1) * rest[0]
        params = params + first[1] + (depth - 1) * rest[1]
        width = out
    return macs + width * num_classes, params + width * num_classes + num_classes


def _block_costs(family: Family, width: Any, out: Any, stride: Any, side: Any) -> tuple[Any, Any]:
    """(macs, params) of one block from `width` to `out` channels, entered at `side` x `side`."""
    area = side * side
    side = (side + stride - 1) // stride
    area_out = side * side
    # 1x1 convolution and batch norm on the shortcut of r1, r2
    projected = 1 * ((stride != 1) | (width != out))
    if family == "r1":
        weights = 9 * width * out + 9 * out * out + projected * width * out
        return weights * area_out, weights + 2 * (2 + projected) * out
    if family == "r2":
        inner = out // SQUEEZE
        after = 9 * inner * inner + inner * out + projected * width * out
        norms = 2 * (2 * inner + (1 + projected) * out)
        return width * inner * area + after * area_out, width * inner + after + norms
    hidden = EXPANSION * width
    after = 9 * hidden + hidden * out
    return width * hidden * area + after * area_out, width * hidden + after + 2 * (2 * hidden + out)


def macs(arch: str | Arch, resolution: int = RESOLUTION, num_classes: int = NUM_CLASSES) -> int:
    """Multiply-adds of convolutions and linear layers for one 3 x `resolution` x `resolution` image.

        flops = 2 * macs
        macs = sum over convolutions of C_in / groups * k^2 * C_out * H_out * W_out  +  C_in * num_classes

    Args:
        arch: a grid arch, member or not.
        resolution: side of the image in pixels, at least 1.
        num_classes: outputs of the classifier, at least 1.

    Raises:
        UsageError: a malformed arch, or a size below 1.

    >>> macs("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2")
    8127168
    """
    return _costs_of(arch, resolution, num_classes)[0]


def params(arch: str | Arch, num_classes: int = NUM_CLASSES) -> int:
    """Trainable numbers: convolution and linear weights, the classifier's biases, batch-norm gamma and beta.

    Args and errors as `macs`.
    """
    return _costs_of(arch, RESOLUTION, num_classes)[1]


def _costs_of(arch: str | Arch, resolution: int, num_classes: int) -> tuple[int, int]:
    arch = as_arch(arch)
    resolution = whole("resolution", resolution, least=1)
    num_classes = whole("num_classes", num_classes, least=1)
    family = CHOICES[arch.space].family
    return network_costs(family, arch.stem, arch.stages, resolution, num_classes)


@lru_cache(maxsize=KEPT_ARCHS)
def network_costs(
    family: Family, stem: int, stages: tuple[tuple[int, int, int], ...], resolution: int, num_classes: int
) -> tuple[int, int]:
    """(macs, params) of one network, as `stage_costs` has them."""
    num_macs, num_params = stage_costs(family, stem, stages, resolution, num_classes)
    return int(num_macs), int(num_params)


# Enumeration


def _grid_part(
    choices: Choices, num_stages: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The widths, depths and strides of archs with so many stages."""
    widths = list(itertools.combinations_with_replacement(choices.widths, num_stages))
    depths = list(itertools.product(choices.depths, repeat=num_stages))
    strides = []
    for halving in itertools.combinations(range(num_stages), NUM_HALVINGS):
        stride = [1] * num_stages
        for s in halving:
            stride[s] = 2
        strides.append(tuple(stride))
    return widths, depths, strides


def grid_size(name: str) -> int:
    """How many grid points a space has, within the limits of macs and params or not."""
    choices = _choices(name)
    total = 0
    for num_stages in (NUM_HALVINGS, MAX_STAGES):
        widths, depths, strides = _grid_part(choices, num_stages)
        total += len(choices.stems) * len(widths) * len(depths) * len(strides)
    return total


def _choices(name: str) -> Choices:
    if name not in CHOICES:
        raise unknown_name("space", name, CHOICES)
    return CHOICES[name]


def _first_by_hash(choices: Choices, num_stages: int, count: int) -> list[str]:
    """The `count` grid archs within the limits whose strings have the smallest SHA-256."""
    found: list[tuple[bytes, bytes]] = []
    limit = b"\xff" * 32  # no digest above it can be among the first any more
    sha256 = hashlib.sha256
    for texts in _texts_within(choices, num_stages):
        for text in texts:
            digest = sha256(text).digest()
            if digest <= limit:
                found.append((digest, text))
        if len(found) > 4 * count:
            found.sort()
            del found[count:]
            limit = found[-1][0]
    found.sort()
    assert len(found) >= count, f"{choices.name}: {len(found)} archs of {num_stages} stages, {count} wanted"
    return [text.decode() for _, text in found[:count]]


def _texts_within(choices: Choices, num_stages: int) -> Iterator[list[bytes]]:
    """The strings of the grid archs within the limits, a list for each stem and widths.

    A string is put together from two halves: the head with the first stages, and the last two stages.
    """
    import numpy as np

    widths, depths, strides = _grid_part(choices, num_stages)
    depth_columns = [np.array(column)[:, None] for column in zip(*depths, strict=True)]
    stride_columns = [np.array(column)[None, :] for column in zip(*strides, strict=True)]
    cut = num_stages - 2
    head_depths = list(itertools.product(choices.depths, repeat=cut))
    tail_depths = list(itertools.product(choices.depths, repeat=2))
    for stem, width in itertools.product(choices.stems, widths):
        stages = list(zip(depth_columns, width, stride_columns, strict=True))
        num_macs, num_params = stage_costs(choices.family, stem, stages, RESOLUTION, NUM_CLASSES)
        depth_index, stride_index = np.nonzero((num_macs <= MAX_MACS) & (num_params <= MAX_PARAMS))
        name = f"{choices.name}-s{stem}"
        heads, tails = [], []
        for stride in strides:
            heads.append([name + text for text in _part_texts(head_depths, width[:cut], stride[:cut])])
            tails.append(_part_texts(tail_depths, width[cut:], stride[cut:]))
        firsts, lasts = np.divmod(depth_index, len(tail_depths))
        texts = []
        for s, first, last in zip(stride_index.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            texts.append((heads[s][first] + tails[s][last]).encode())
        yield texts


def _part_texts(depths: Sequence[Sequence[int]], widths: Sequence[int], strides: Sequence[int]) -> list[str]:
    """The strings of some stages, one for each of their depths."""
    return [_stages_text(zip(depth, widths, strides, strict=True)) for depth in depths]


def enumerate_members(name: str) -> list[str]:
    """The members of a space in build order, from its definition alone.

    It takes seconds. Reading a release is faster.

    Raises:
        UnknownNameError: no such space.
    """
    choices = _choices(name)
    three = choices.num_members // 2
    members = _first_by_hash(choices, NUM_HALVINGS, three)
    members += _first_by_hash(choices, MAX_STAGES, choices.num_members - three)
    return sorted(members, key=lambda arch: hashlib.sha256(b"build:" + arch.encode()).digest())


class MacroSpace(Space):
    """One of the six macro spaces.

    Args:
        name: of the space.
        members: as a release has them; None: they are enumerated when they are first needed.

    Raises:
        UnknownNameError: no such space.
    """

    def __init__(self, name: str, members: Sequence[str] | None = None) -> None:
        self.choices: Choices = _choices(name)
        super().__init__(name, members)

    def _enumerated(self) -> tuple[str, ...]:
        return tuple(enumerate_members(self.name))

    def __len__(self) -> int:
        return self.choices.num_members if self._given is None else len(self._given)

    def __contains__(self, arch: object) -> bool:
        return super().__contains__(str(arch) if isinstance(arch, Arch) else arch)

    def arch_id(self, arch: str | Arch) -> int:
        """The position of a member in the build order.

        Raises:
            UsageError: malformed, out of the grid, or of another space.
            NotAMemberError: in the grid but no member; names its nearest members.
        """
        found = self._ids.get(str(arch))
        if found is not None:
            return found
        parsed = arch_of(self.name, arch)
        nearest = tuple(self._nearest(self.encode(parsed), 3))
        said = f"{parsed} is in the grid of {self.name} but is no member, so no table has it"
        raise NotAMemberError(f"{said}; nearest members: {', '.join(nearest)}", nearest)

    def encode(self, arch: str | Arch) -> npt.NDArray[np.int16]:
        """The choices of a grid arch as 13 ordinals.

            1 of the stem       its index, from 0
            3 of each stage     depth index and width index, from 1, and the stride

        A missing fourth stage is three zeros. One unit is one step in one choice's ordered list.
        """
        import numpy as np

        parsed = arch_of(self.name, arch)
        choices = self.choices
        vector = [choices.stems.index(parsed.stem)]
        for depth, width, stride in parsed.stages:
            vector += [choices.depths.index(depth) + 1, choices.widths.index(width) + 1, stride]
        absent = 3 * MAX_STAGES + 1 - len(vector)
        return np.array(vector + [0] * absent, dtype=np.int16)

    def decode(self, vector: npt.ArrayLike) -> Arch:
        """The grid arch that `encode` gives `vector` for; UsageError for any other vector."""
        import numpy as np

        values = np.asarray(vector)
        size = 3 * MAX_STAGES + 1
        if values.shape != (size,) or not np.issubdtype(values.dtype, np.integer):
            raise UsageError(
                f"a vector of {self.name} is {size} integers, not {values.dtype} of shape {values.shape}"
            )
        choices = self.choices
        stem, *rest = values.tolist()
        _check_entry("0 (stem)", stem, 0, len(choices.stems) - 1)
        stages = []
        for s in range(MAX_STAGES):
            depth, width, stride = rest[3 * s : 3 * s + 3]
            if s == MAX_STAGES - 1 and (depth, width, stride) == (0, 0, 0):
                break
            _check_entry(f"{3 * s + 1} (depth of stage {s + 1})", depth, 1, len(choices.depths))
            _check_entry(f"{3 * s + 2} (width of stage {s + 1})", width, 1, len(choices.widths))
            stages.append(Stage(choices.depths[depth - 1], choices.widths[width - 1], stride))
        return Arch(self.name, choices.stems[stem], tuple(stages))

    def neighbours(self, arch: str | Arch, k: int | None = None) -> list[str]:
        """The `k` members nearest to a grid arch, itself left out, in L1 distance over `encode`.

        Ties by build order.

        Args:
            k: how many; None: 8.
        """
        k = NEAR if k is None else k
        if not 1 <= k < len(self):
            raise UsageError(f"k is {k}; allowed: 1 to {len(self) - 1}")
        return self._nearest(self.encode(arch), k, leave_out=str(arch))

    def crossover(self, a: str | Arch, b: str | Arch, rng: np.random.Generator) -> str:
        """The member nearest to a mix of two archs.

        Each of the 13 choices is drawn from one of them by `rng`. Whether there is a fourth stage is one
        draw. Where only one parent has it, that parent gives its choices. Ties by build order.
        """
        import numpy as np

        first, second = self.encode(a), self.encode(b)
        mixed = np.where(rng.integers(2, size=first.size), first, second)
        fourth = slice(3 * (MAX_STAGES - 1) + 1, None)
        if first[fourth].any() != second[fourth].any():
            mixed[fourth] = (first, second)[int(rng.integers(2))][fourth]
        return self._nearest(mixed, 1)[0]

    def _distances(self, vector: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        distances: npt.NDArray[Any] = np.abs(self.vectors - vector).sum(axis=1)
        return distances


def _check_entry(entry: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"entry {entry} is {value}; allowed: {least} to {most}")


@cache
def space(name: str) -> MacroSpace:
    """The space of that name, its members enumerated when first needed, once a process.

    Raises:
        UnknownNameError: no such space.
    """
    return MacroSpace(name)
