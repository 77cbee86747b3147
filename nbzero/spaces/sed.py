"""Two reconstructions of SED: sed_reconstructed of an arch or a table, and a count of a NAS-Bench-201 cell.

They need no network, no images and no weights. The equations of SED (Wu et al., arXiv:2411.06236) are not at
hand. What is computed here are our reconstructions, which belong in no comparison with published SED scores:

    sed_reconstructed    a log sum over convolutions, from the sentences that are at hand: the stored score of
                         that name, of NAS-Bench-201's networks too (`nbzero.proxies.count`)
    sed_of_cell          a count of operations, chosen to meet facts that are published for NAS-Bench-201

On the 1,006 networks of NAS-Bench-201 that are scored the two have a Spearman of 0.844. Formulas are written
in operators that numbers and arrays share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, unknown_name
from nbzero.spaces.macro import CHOICES, EXPANSION, MAX_STAGES, SQUEEZE, Arch, Family, as_arch
from nbzero.spaces.nb201 import NB201, operations_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# NAS-Bench-201: how much one convolution of a cell counts.
CELL_WEIGHTS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def sed_reconstructed(arch: str | Arch) -> float:
    """The score of one arch.

        score = log sum over convolutions of rank(k) sqrt(C_in C_out) / stride,   rank 1 for 1x1, 2 for 3x3

    sqrt(N_out / N_in), N the entries per channel, is 1 / stride. The factors for shortcuts and pooling are 1:
    all blocks of a space have the same. It equals the proxy of that name on the arch's network.

    Raises:
        UsageError: a malformed arch.

    >>> round(sed_reconstructed("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2"), 6)
    7.049766
    """
    arch = as_arch(arch)
    return math.log(_total(CHOICES[arch.space].family, arch.stem, arch.stages))


def sed_of_table(space: str, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """The scores of many archs of one space at once.

    Args:
        space: its name.
        columns: `stem` and `s1_depth`, `s1_out`, `s1_stride` .. of an archs table; a missing fourth stage is
            NaN or masked by 0.

    Returns:
        float64, one per row.

    Raises:
        UnknownNameError: no such space that archs are built of.
    """
    import numpy as np

    if space not in CHOICES:
        raise unknown_name("space", space, CHOICES)
    stages: list[tuple[Any, Any, Any]] = []
    for s in range(1, MAX_STAGES + 1):
        given = [np.asarray(columns[f"s{s}_{part}"], np.float64) for part in ("depth", "out", "stride")]
        depth, out, stride = map(np.nan_to_num, given)
        if s == MAX_STAGES:  # no stage is one of no blocks that changes nothing
            out = np.where(depth > 0, out, stages[-1][1])
            stride = np.where(depth > 0, stride, 1)
        stages.append((depth, out, stride))
    stem = np.asarray(columns["stem"], np.float64)
    scores: npt.NDArray[np.float64] = np.log(_total(CHOICES[space].family, stem, stages))
    return scores


def _total(family: Family, stem: Any, stages: Sequence[Sequence[Any]]) -> Any:
    total, width = 2 * (3 * stem) ** 0.5, stem
    for depth, out, stride in stages:
        first = (depth > 0) * _block(family, width, out, stride)
        total = total + first + (depth - (depth > 0)) * _block(family, out, out, 1)
        width = out
    return total


def _block(family: Family, width: Any, out: Any, stride: Any) -> Any:
    projected = 1 * ((stride != 1) | (width != out)) * (width * out) ** 0.5 / stride
    if family == "r1":
        return 2 * (width * out) ** 0.5 / stride + 2 * out + projected
    if family == "r2":
        inner = out // SQUEEZE
        return (width * inner) ** 0.5 + 2 * inner / stride + (inner * out) ** 0.5 + projected
    hidden = EXPANSION * width
    return (width * hidden) ** 0.5 + 2 * hidden / stride + (hidden * out) ** 0.5


def sed_of_cell(cell: str) -> float:
    """The count of a NAS-Bench-201 cell: (n_1x1 + 3 n_3x3) * (1 + [it has a skip]).

    It is not the proxy sed_reconstructed of the cell's network. Of the count-based forms tried it meets the
    published facts best: the published top pick is among its tied best.

    Raises:
        UsageError: a string that is no such cell.

    >>> sed_of_cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|")
    14.0
    """
    if not re.fullmatch(NB201.pattern, cell):
        like = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
        raise UsageError(f"{cell!r} is no NAS-Bench-201 cell; it has six operations, like {like}")
    operations = operations_of(cell)
    total = 0
    for operation, weight in CELL_WEIGHTS.items():
        total += weight * operations.count(operation)
    return float(2 * total if "skip_connect" in operations else total)
