"""FlexiBERT: each GLUE task is a data set, and so is glue, their mean.

The second row of an encoder, by id, is seed 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbzero.errors import ReleaseError, quoted
from nbzero.importers.source import (
    Floats,
    Importer,
    Kind,
    Row,
    Rows,
    Source,
    archs_rows,
    checked_archs,
    column,
    in_order,
    runs_rows,
)
from nbzero.importers.table_file import Columns, TableFile, json_once, official_table
from nbzero.spaces.flexibert import GLUE

if TYPE_CHECKING:
    import pyarrow as pa

SPACE = "flexibert"
TABLE = "flexibert500"
LAYER_KEYS = {
    "operation": "operation_type",
    "parameter": "operation_parameter",
    "heads": "num_operation_heads",
    "ff_dim": "feed_forward_dimension",
    "num_ff": "num_feed_forward",
}
LAYER = "{operation}.{parameter}.h{heads}.f{ff_dim}x{num_ff}"

SWAP = Source(
    "pym1024/SWAP_Universal",
    "13b65704296e941cd8bf9a5c4d82f329fb472c21",
    "datasets/BERT_benchmark.json",
    "AFL-3.0",
    "GLUE scores of the benchmark of aaronserianni/training-free-nas, divided by 100; "
    "of which split it does not say, taken as val",
)


def flexibert_rows(files: Mapping[str, pa.Table]) -> Rows:
    """Rows of FlexiBERT; errors as `tables_of`."""
    table = in_order(files[TABLE], "id", TABLE)
    named = _names_of(table)
    archs = sorted(set(named))
    checked_archs(archs, SPACE, TABLE)
    id_N = np.array([archs.index(arch) for arch in named])
    seed_N = np.array(_seeds(named))
    rows: Rows = {("archs", SPACE, None): archs_rows(SPACE, archs)}
    for task, percentages in _percentages(table).items():
        val_N = np.round(percentages / 100, 10)
        runs: list[Row] = []
        for seed in range(seed_N.max() + 1):
            part = seed_N == seed
            runs += runs_rows("flexibert", val_N[part], None, seed, id_N[part], "glue score")
        rows["runs", SPACE, task] = runs
    return rows


def _seeds(named: Sequence[str]) -> list[int]:
    """How many rows before each have the same arch."""
    seen: Counter[str] = Counter()
    seeds = []
    for arch in named:
        seeds.append(seen[arch])
        seen[arch] += 1
    return seeds


def _names_of(table: pa.Table) -> list[str]:
    """The arch string of every row."""
    hidden_sizes = table.column("hidden_size").to_pylist()
    named = []
    for number, layers in enumerate(table.column("layers").to_pylist()):
        named.append(_named(hidden_sizes[number], layers, f"{TABLE}: id {number}"))
    return named


def _named(hidden: Any, layers: Any, where: str) -> str:
    try:
        said = [LAYER.format(**layer) for layer in layers]
    except (TypeError, KeyError) as error:
        raise ReleaseError(
            f"{where}: layers {quoted(layers)} are no list of layers with "
            "operation, parameter, heads, ff_dim and num_ff"
        ) from error
    return "-".join([f"bert-h{hidden}", *said])


def _percentages(table: pa.Table) -> dict[str, Floats]:
    """The scores of every task and of glue; ReleaseError where glue is not the mean of the others."""
    values = {task: column(table, task, TABLE) for task in (*GLUE, "glue")}
    apart = np.abs(np.mean([values[task] for task in GLUE], axis=0) - values["glue"])
    if apart.max() > 1e-4:
        raise ReleaseError(f"{TABLE}: glue is not the mean of the eight tasks in id {int(apart.argmax())}")
    return values


COLUMNS: dict[str, Kind] = {
    "id": "whole",
    "hidden_size": "whole",
    "layers": "list",
    **dict.fromkeys(("glue", *GLUE), "number"),
}


def _columns(data: bytes) -> Columns:
    """A list with an object an encoder: its id, its scores by task, and hparams, with its layers."""
    columns: Columns = {name: [] for name in COLUMNS}
    for held in json_once(data):
        hparams = held["hparams"]["model_hparam_overrides"]
        layers = []
        for layer in hparams["nas_config"]["encoder_layers"]:
            layers.append({ours: layer[theirs] for ours, theirs in LAYER_KEYS.items()})
            layers[-1]["parameter"] = str(layers[-1]["parameter"])
        columns["id"].append(held["id"])
        columns["hidden_size"].append(hparams["hidden_size"])
        columns["layers"].append(layers)
        for task in ("glue", *GLUE):
            columns[task].append(held["scores"][task])
    return columns


OFFICIAL = official_table(
    TableFile("BERT_benchmark.json", TABLE, COLUMNS, _columns, flexibert_rows),
    SWAP,
    form="list",
    citation="Serianni and Kalita, Training-free Neural Architecture Search for RNNs and Transformers, "
    "ACL 2023, arXiv:2306.00288",
    becomes="runs flexibert, val on each task and on glue, their mean; seconds of pre-training are left out",
)
FLEXIBERT = Importer(
    space=SPACE,
    sources={"archs": (SWAP,), "runs": (SWAP,)},
    files={TABLE: COLUMNS},
    rows=flexibert_rows,
    runs="flexibert (one or two seeds, val only)",
    left_out={
        "train_time_s": "the time of pre-training, of which the scores are several runs each, "
        "on a machine that the source does not name",
    },
    official=(OFFICIAL,),
)
