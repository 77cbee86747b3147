"""Imported spaces: search spaces of published benchmarks, whose tables `builders.import_bench` turns into a release. Read-only.

    nb201            NAS-Bench-201 / NATS-Bench-TSS   |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|
    nbmacro          NAS-Bench-Macro                  02012100
    transnas-macro   TransNAS-Bench-101 macro         64-1234-basic
    transnas-micro   TransNAS-Bench-101 micro         64-41414-1_02_333
    darts            DARTS, 1,000 cells of SWAP's     Genotype(normal=[('none', 0), ('sep_conv_3x3', 1), ..
    flexibert        FlexiBERT, 491 encoders          bert-h128-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3

The arch string is the one of the benchmark's authors (of flexibert, which has JSON in place of strings, one of ours; of darts one whose normal and
reduction cell are the same, as all of the table's are). An arch is a few nominal choices, each a column of the archs table and an entry of
`ImportedSpace.encode`; the numbers have no order, so distance is the number of choices that differ. `arch_id` is the official index where
there is one (nb201), else the position in the order of the strings. A cost is there where the source gives it or the definition
fixes it, and is counted as in `nbzero.spaces`; any other is absent. Torch-free.

Sources: Dong and Yang, ICLR 2020, arXiv:2001.00326; Su et al., CVPR 2021, arXiv:2103.11922; Duan et al., CVPR 2021, arXiv:2105.11871;
Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055; Tuli et al., FlexiBERT, arXiv:2205.11656, its trained encoders Serianni and Kalita,
arXiv:2306.00288.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import NotAMemberError, unknown_name
from nbzero.spaces import Arch, Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # of a cell with four nodes, by the node they enter
CELL_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LAYER_KINDS = ("identity", "MB3_K3", "MB6_K5")
MODULE_KINDS = ("no module", "plain", "twice the channels", "half the resolution", "twice the channels and half the resolution")
DARTS_OPERATIONS = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
DARTS_INPUTS = ("the cell before the last", "the last cell", "node 2", "node 3", "node 4")
BERT_WIDTHS, BERT_LAYERS = ("128", "256"), (2, 4)
BERT_OPERATIONS = ("SA.SDP", "SA.WMA", "LT.DFT", "LT.DCT", "DSC.5", "DSC.9")
MACRO_STAGES = (2, 3, 3)  # layers of NAS-Bench-Macro's stages, each of which begins with stride 2 and twice the channels


class Choice(NamedTuple):
    """One nominal choice: its column, what its numbers mean (by position), and the smallest number allowed."""

    column: str
    options: tuple[str, ...]
    low: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """The definition of an imported space.

    Attributes:
        name, title: of the space, and of its benchmark.
        choices: one per entry of an encoded arch.
        pattern: a regular expression that matches exactly its arch strings.
        example: an arch string.
        num_members: archs of the published table.
        protocol: under which its scores are imported; "" where there are none.
        has_classes: the archs table says by `iso_class` which archs are one network.
        pieces: the numbers of an arch string that matches, before what is missing at the end is filled up with 0.
        text: the string of numbers.
        costs: what the definition fixes of macs, params and depth.
        costs_of: the setting of macs and params, for the columns' meanings.
        scores_said: proxy -> (unit, meaning) of its column, where that is not the registry's.
        doubts: proxy -> why its values are not to be trusted; they are imported all the same.
    """

    name: str
    title: str
    choices: tuple[Choice, ...]
    pattern: str
    example: str
    num_members: int
    protocol: str
    has_classes: bool
    pieces: Callable[[str], Sequence[int]]
    text: Callable[[Sequence[int]], str]
    costs: Callable[[Sequence[int]], dict[str, int]]
    costs_of: str = ""
    scores_said: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)

    def parse(self, text: str) -> tuple[int, ...]:
        """The choices that `text` names, padded with 0; ValueError for any other string."""
        if not isinstance(text, str) or not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text!r}: an arch of {self.name} ({self.title}) is like {self.example!r}")
        values = tuple(self.pieces(text))
        return values + (0,) * (len(self.choices) - len(values))


def cell_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a NAS-Bench-201 network for one 3x32x32 image and 10 classes.

    Three stages of five cells with 16, 32 and 64 channels; between them a residual block that halves the resolution. The params are those
    published for all 15,625 archs; published FLOPs are macs + 10, because they count the classifier's biases (D-X-Y/NATS-Bench#24, #36).

    >>> cell_costs((3, 3, 3, 1, 3, 2))
    {'macs': 153272960, 'params': 1073466}
    """
    ones, threes = (sum(value == CELL_OPERATIONS.index(name) for value in values) for name in ("nor_conv_1x1", "nor_conv_3x3"))
    width, area = 16, 32 * 32
    macs, params = 27 * width * area, 27 * width + 2 * width
    for stage in range(3):
        if stage:
            narrow, width, area = width, 2 * width, area // 4
            weights = 9 * narrow * width + 9 * width * width + narrow * width
            macs, params = macs + weights * area, params + weights + 2 * 2 * width
        weights = (ones + 9 * threes) * width * width
        macs, params = macs + 5 * weights * area, params + 5 * (weights + 2 * (ones + threes) * width)
    return {"macs": macs + 10 * width, "params": params + 2 * width + 10 * width + 10}


def layer_costs(values: Sequence[int]) -> dict[str, int]:
    """macs and params of a NAS-Bench-Macro network for one 3x32x32 image and 10 classes, and its layers that are no identity.

    macs and params are those published for all 6,561 archs; the source calls its multiply-adds FLOPs.

    >>> layer_costs((0, 2, 0, 1, 2, 1, 0, 0))
    {'macs': 47327744, 'params': 890666, 'depth': 4}
    """
    width, side = 32, 32
    macs, params = 27 * width * side**2, 27 * width + 2 * width
    layers = iter(values)
    for num_layers in MACRO_STAGES:
        for layer in range(num_layers):
            out, side_out = (width, side) if layer else (2 * width, side // 2)
            kind = next(layers)
            if kind:
                ratio, kernel = ((3, 3), (6, 5))[kind - 1]
                hidden = ratio * width
                before, after = width * hidden, kernel**2 * hidden + hidden * out
                macs, params = macs + before * side**2 + after * side_out**2, params + before + after + 2 * (2 * hidden + out)
            elif not layer:  # an identity that changes the shape is a 1x1 convolution
                macs, params = macs + width * out * side_out**2, params + width * out + 2 * out
            width, side = out, side_out
    head = 1280
    macs, params = macs + width * head * side**2 + head * 10, params + width * head + 2 * head + head * 10 + 10
    return {"macs": macs, "params": params, "depth": sum(kind > 0 for kind in values)}


def macro_class(values: Sequence[int]) -> str:
    """The NAS-Bench-Macro arch that is the same network and was trained for it: in every stage, identities after its first layer come last.

    >>> macro_class((0, 0, 1, 0, 2, 2, 2, 2))
    '00120222'
    """
    text, start = "", 0
    for num_layers in MACRO_STAGES:
        first, *rest = values[start : start + num_layers]
        text += f"{first}" + "".join(str(kind) for kind in rest if kind).ljust(num_layers - 1, "0")
        start += num_layers
    return text


def _cell_text(values: Sequence[int]) -> str:
    named = [f"{CELL_OPERATIONS[value]}~{start}" for value, (start, _) in zip(values, EDGES, strict=True)]
    return "+".join(f"|{'|'.join(node)}|" for node in (named[:1], named[1:3], named[3:]))


def _micro_text(values: Sequence[int]) -> str:
    a, b, c, d, e, f = values
    return f"64-41414-{a}_{b}{c}_{d}{e}{f}"


def _darts_text(values: Sequence[int]) -> str:
    cell = ", ".join(f"({DARTS_OPERATIONS[operation]!r}, {start})" for operation, start in zip(values[::2], values[1::2], strict=True))
    return f"Genotype(normal=[{cell}], normal_concat=[2, 3, 4, 5], reduce=[{cell}], reduce_concat=[2, 3, 4, 5])"


def _darts_pieces(text: str) -> list[int]:
    pairs = re.findall(r"\('(\w+)', (\d)\)", text)[:8]
    return [number for operation, start in pairs for number in (DARTS_OPERATIONS.index(operation), int(start))]


def _darts_pattern() -> str:
    operation = f"'({'|'.join(DARTS_OPERATIONS)})'"
    cell = ", ".join(rf"\({operation}, [0-{node + 1}]\)" for node in range(4) for _ in range(2))
    return rf"Genotype\(normal=\[(?P<cell>{cell})\], normal_concat=\[2, 3, 4, 5\], reduce=\[(?P=cell)\], reduce_concat=\[2, 3, 4, 5\]\)"


def _bert_text(values: Sequence[int]) -> str:
    """Like "bert-h128-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3": hidden size; of each layer operation, heads, width and number of feed-forward stacks."""
    hidden, *rest = values
    text = f"bert-h{BERT_WIDTHS[hidden]}"
    for operation, heads, width, stacks in zip(*(rest[part::4] for part in range(4)), strict=True):
        if operation or heads or width or stacks:
            layer = [choice.options[value] for choice, value in zip(_BERT_LAYER, (operation, heads, width, stacks), strict=True)]
            text += "-{}.h{}.f{}x{}".format(*layer)
    return text


def _bert_pieces(text: str) -> list[int]:
    hidden, *layers = text.removeprefix("bert-h").split("-")
    numbers = [BERT_WIDTHS.index(hidden)]
    for layer in layers:
        operation, heads, width, stacks = re.fullmatch(r"(.*)\.h(.*)\.f(.*)x(.*)", layer).groups()  # type: ignore[union-attr]
        numbers += [choice.options.index(value) for choice, value in zip(_BERT_LAYER, (operation, heads, width, stacks), strict=True)]
    return numbers


_BERT_LAYER = tuple(
    Choice(column, ("no layer", *options))
    for column, options in (("operation", BERT_OPERATIONS), ("heads", ("2", "4")), ("ff_width", ("512", "1024")), ("ff_stacks", ("1", "3")))
)
_BERT_PATTERN = rf"-({'|'.join(map(re.escape, BERT_OPERATIONS))})\.h[24]\.f(512|1024)x[13]"


def _edges(operations: tuple[str, ...]) -> tuple[Choice, ...]:
    return tuple(Choice(f"edge_{start}{end}", operations) for start, end in EDGES)


_OPERATION = f"({'|'.join(CELL_OPERATIONS)})"
_CIFAR10 = "one 3x32x32 image, 10 classes"
_LOG_SYNFLOW = {"synflow": ("", "natural logarithm of synflow's sum, as NASLib stores it; 0 where the sum is 0")}
_EPE_NAS_DOUBT = (
    "these values do not seem to belong to these archs: on the four tasks that have them the archs' modules explain (least squares, one-hot) 1 to "
    "8 % of the variance of their ranks, and 75 to 95 % of that of zen's, synflow's and fisher's; any two tasks' values agree with Spearman -0.01 to "
    "0.10 (of micro, jigsaw aside, 0.53 to 0.60)"
)
IMPORTED: dict[str, Imported] = {
    row.name: row
    for row in (
        Imported(
            "nb201",
            "NAS-Bench-201",
            _edges(CELL_OPERATIONS),
            r"\+".join(r"\|" + "".join(rf"{_OPERATION}~{start}\|" for start in range(end)) for end in (1, 2, 3)),
            "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|",
            15_625,
            "freerea-naslib",
            True,
            lambda text: [CELL_OPERATIONS.index(name) for name in re.findall(_OPERATION, text)],
            _cell_text,
            cell_costs,
            _CIFAR10,
        ),
        Imported(
            "nbmacro",
            "NAS-Bench-Macro",
            tuple(Choice(f"layer_{number}", LAYER_KINDS) for number in range(1, 9)),
            "[012]{8}",
            "02012100",
            6_561,
            "",
            True,
            lambda text: [int(digit) for digit in text],
            lambda values: "".join(map(str, values)),
            layer_costs,
            _CIFAR10,
        ),
        Imported(
            "transnas-macro",
            "TransNAS-Bench-101 macro",
            tuple(Choice(f"module_{number}", MODULE_KINDS, low=int(number < 5)) for number in range(1, 7)),
            "64-[1-4]{4,6}-basic",
            "64-1234-basic",
            3_256,
            "naslib",
            False,
            lambda text: [int(digit) for digit in text[3:-6]],
            lambda values: f"64-{''.join(str(value) for value in values if value)}-basic",
            lambda values: {"depth": 2 * sum(value > 0 for value in values)},
            scores_said=_LOG_SYNFLOW,
            doubts={"epe_nas": _EPE_NAS_DOUBT},
        ),
        Imported(
            "transnas-micro",
            "TransNAS-Bench-101 micro",
            _edges(("none", "skip", "conv 1x1", "conv 3x3")),
            "64-41414-[0-3]_[0-3]{2}_[0-3]{3}",
            "64-41414-1_02_333",
            4_096,
            "naslib",
            False,
            lambda text: [int(digit) for digit in text[9:].replace("_", "")],
            _micro_text,
            lambda values: {},
            scores_said=_LOG_SYNFLOW,
        ),
        Imported(
            "darts",
            "DARTS",
            tuple(
                choice
                for node in range(2, 6)
                for one in "ab"
                for choice in (Choice(f"node_{node}{one}_op", DARTS_OPERATIONS), Choice(f"node_{node}{one}_in", DARTS_INPUTS[:node]))
            ),
            _darts_pattern(),
            _darts_text((4, 0, 7, 1, 3, 0, 1, 2, 5, 1, 0, 3, 6, 4, 2, 0)),
            1_000,
            "",
            False,
            _darts_pieces,
            _darts_text,
            lambda values: {},
        ),
        Imported(
            "flexibert",
            "FlexiBERT",
            (
                Choice("hidden_size", BERT_WIDTHS),
                *(Choice(f"layer_{n}_{part.column}", part.options, low=int(n <= BERT_LAYERS[0])) for n in range(1, 5) for part in _BERT_LAYER),
            ),
            rf"bert-h(128|256)({_BERT_PATTERN}){{2}}(({_BERT_PATTERN}){{2}})?",
            "bert-h256-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3",
            491,
            "",
            False,
            _bert_pieces,
            _bert_text,
            lambda values: {"depth": sum(operation > 0 for operation in values[1::4])},
        ),
    )
}


def categories_of(space: str) -> dict[str, tuple[str, ...]]:
    """The choices of a space that are names and not amounts: column -> what its numbers mean, by position; none for the spaces of ours.

    >>> categories_of("nbmacro")["layer_1"]
    ('identity', 'MB3_K3', 'MB6_K5')
    >>> categories_of("r1")
    {}
    """
    return {choice.column: choice.options for choice in IMPORTED[space].choices} if space in IMPORTED else {}


def space_of(text: str) -> str | None:
    """The imported space that a string seems to name an arch of, well formed or not; None where it is none of theirs.

    >>> space_of("|nor_conv_3x3~0|")
    'nb201'
    >>> space_of("r1-s32-d2w64s2-d2w64s2-d2w64s2") is None
    True
    """
    begin = ((r"\|.*", "nb201"), (r"\d+-\d+-[^-]*_.*", "transnas-micro"), (r"\d+-.*", "transnas-macro"), (r"\d+", "nbmacro"))
    for pattern, name in (*begin, (r"Genotype\(.*", "darts"), (r"bert-.*", "flexibert")):
        if re.fullmatch(pattern, text, re.DOTALL):
            return name
    return None


@dataclass(frozen=True, eq=False)
class ImportedSpace(Space):
    """An imported space: its members in the release's order, moves among them, and vectors. Archs are strings."""

    def __post_init__(self) -> None:
        if self.name not in IMPORTED:
            raise unknown_name("imported space", self.name, IMPORTED)
        if self._members is None:
            raise ValueError(f"the members of {self.name} come from its release: Bench(DIR).space({self.name!r})")

    @property
    def definition(self) -> Imported:
        return IMPORTED[self.name]

    @property
    def choices(self) -> tuple[Choice, ...]:  # type: ignore[override]
        """What an arch chooses, one per entry of a vector: its column and what each number means."""
        return self.definition.choices

    def arch_id(self, arch: str | Arch) -> int:
        """The position of a member.

        Raises:
            ValueError: no arch string of this space.
            NotAMemberError: such a string, but the table has no row for it; names its nearest members.
        """
        found = self._ids.get(str(arch))
        if found is not None:
            return found
        nearest = tuple(self._nearest(self.encode(arch), 3))
        raise NotAMemberError(f"{arch} is written like an arch of {self.name}, but its table has none; nearest are {', '.join(nearest)}", nearest)

    def encode(self, arch: str | Arch) -> npt.NDArray[np.int16]:
        """The choices of an arch as numbers, by position in `choices`; 0 where there is no such module. ValueError for another string."""
        import numpy as np

        return np.array(self.definition.parse(str(arch)), dtype=np.int16)

    def decode(self, vector: npt.ArrayLike) -> str:  # type: ignore[override]
        """The arch string that `encode` gives `vector` for, member or not; ValueError for any other vector."""
        import numpy as np

        values, choices = np.asarray(vector), self.choices
        if values.shape != (len(choices),) or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"a vector of {self.name} is {len(choices)} integers, not {values.dtype} of shape {values.shape}")
        numbers: list[int] = values.tolist()
        for number, choice in zip(numbers, choices, strict=True):
            if not choice.low <= number < len(choice.options):
                raise ValueError(f"{choice.column} is {number}; allowed: {said_options(choice)}")
        if tuple(numbers) != self.definition.parse(text := self.definition.text(numbers)):
            raise ValueError(f"{numbers} leaves out a module before the last; modules that are missing are the last ones")
        return text

    def neighbours(self, arch: str | Arch, k: int | None = None) -> list[str]:
        """The members that differ in the fewest choices (itself left out), ties by `arch_id`: the `k` nearest; None: all that differ in one."""
        import numpy as np

        if k is not None and not 1 <= k < len(self):
            raise ValueError(f"k is {k}; allowed: 1 to {len(self) - 1}, or None for all that differ in one choice")
        vector = self.encode(arch)
        if k is None:
            return [self.members[i] for i in np.flatnonzero((self.vectors != vector).sum(axis=1) == 1)]
        return self._nearest(vector, k, leave_out=str(arch))

    def mutate(self, arch: str | Arch, rng: np.random.Generator, k: int | None = None) -> str:
        """One of `neighbours(arch, k)`, drawn evenly by `rng`."""
        near = self.neighbours(arch, k)
        if not near:
            raise ValueError(f"no member of {self.name} differs from {arch} in one choice; give k")
        return near[int(rng.integers(len(near)))]

    def crossover(self, a: str | Arch, b: str | Arch, rng: np.random.Generator) -> str:
        """The member nearest to a mix of two archs: each choice is drawn from one of them by `rng`; ties by `arch_id`."""
        import numpy as np

        first, second = self.encode(a), self.encode(b)
        return self._nearest(np.where(rng.integers(2, size=first.size), first, second), 1)[0]

    def _nearest(self, vector: npt.NDArray[Any], k: int, leave_out: str | None = None) -> list[str]:
        import numpy as np

        order = np.argsort((self.vectors != vector).sum(axis=1), kind="stable")[: k + 1]
        return [self.members[i] for i in order if self.members[i] != leave_out][:k]


def said_options(choice: Choice) -> str:
    """What the numbers of a choice mean, in words.

    >>> said_options(Choice("layer_1", LAYER_KINDS))
    '0 identity, 1 MB3_K3, 2 MB6_K5'
    """
    return ", ".join(f"{number} {name}" for number, name in enumerate(choice.options) if number >= choice.low)
