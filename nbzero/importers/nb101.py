"""NAS-Bench-101 from its official TFRecord files, without TensorFlow.

A file is records, each of

    length        8 bytes, little-endian
    checksum      4 bytes, masked CRC-32C of the length
    data          `length` bytes
    checksum      4 bytes, masked CRC-32C of the data

Data are JSON: [graph hash, epochs, adjacency matrix as text of 0 and 1, operations with commas between,
base64 of a protocol buffer]. That is a ModelMetrics of three evaluations: before training, half-way, at the
end.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from nbzero.errors import ReleaseError, UsageError, quoted
from nbzero.importers.official import Apart, Official, masked_crc32c
from nbzero.importers.source import (
    NOT_GIVEN,
    Importer,
    Row,
    Rows,
    archs_rows,
    check_costs,
    checked_archs,
    no_tables,
    official_sources,
)
from nbzero.importers.suite_zero import Suite, suite_zero
from nbzero.release.reading import open_regular
from nbzero.spaces.nb101 import arch_of_cell, cell_of, graph_hash

SPACE = "nb101"
ADVICE = "fetch nasbench_only108.tfrecord or nasbench_full.tfrecord anew"
EPOCHS = (4, 12, 36, 108)
MAX_RECORD = 1 << 16  # bytes: a hundred times as many as a record has
MAX_RUNS = 10  # of an arch and a number of epochs; the files have 3
NASLIB_OPERATIONS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")


class Trained(NamedTuple):
    """One training: accuracies as fractions at its end, and seconds."""

    epochs: int
    val: float
    test: float
    train_time_s: float


class Module(NamedTuple):
    """A cell of a file: its arch, its published params, and its trainings in the order of the file."""

    arch: str
    params: int
    runs: list[Trained]


# The records


def records(file: BinaryIO, where: str) -> Iterator[bytes]:
    """The data of every record.

    Raises:
        ReleaseError: a checksum that is wrong, a record that is cut off or too large.
    """
    number = 0
    while head := file.read(12):
        at = f"{where}: record {number}"
        if len(head) < 12:
            raise ReleaseError(f"{at} is cut off; {ADVICE}")
        _check_sum(head[:8], head[8:], f"{at}: its length", where)
        length = int.from_bytes(head[:8], "little")
        if length > MAX_RECORD:
            raise ReleaseError(f"{at} has {length:,} bytes, none of NAS-Bench-101 more than {MAX_RECORD:,}")
        data = file.read(length + 4)
        if len(data) < length + 4:
            raise ReleaseError(f"{at} is cut off; {ADVICE}")
        _check_sum(data[:length], data[length:], at, where)
        yield data[:length]
        number += 1


def _check_sum(data: bytes, said: bytes, what: str, where: str) -> None:
    if int.from_bytes(said, "little") != masked_crc32c(data):
        raise ReleaseError(f"{what} does not match its checksum; {ADVICE}")


# The protocol buffer


def fields_of(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: number, and the integer or the bytes.

    Raises:
        ValueError: it is cut off, or has a wire type that there is not.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a protocol buffer has the wire type {wire}")
        if at + size > len(data):
            raise ValueError("a protocol buffer is cut off")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a protocol buffer is cut off")
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("a protocol buffer has a number of more than ten bytes")


def _double(value: int | bytes) -> float:
    if not isinstance(value, bytes) or len(value) != 8:
        raise ValueError("a protocol buffer has no double where it should")
    number: float = struct.unpack("<d", value)[0]
    return number


def parsed_metrics(data: bytes, epochs: int) -> tuple[int, Trained]:
    """The params and the training of a ModelMetrics; ValueError for what is none."""
    params = None
    evaluations = []
    for number, value in fields_of(data):
        if number == 1 and isinstance(value, bytes):
            evaluations.append(_evaluation(value))
        elif number == 2 and isinstance(value, int):
            params = value
    if params is None or len(evaluations) != 3:
        raise ValueError(f"it has {len(evaluations)} evaluations, not 3, or no count of params")
    last = evaluations[-1]
    if sorted(last) != [1, 2, 4, 5]:
        raise ValueError("its last evaluation lacks epoch, time, validation or test accuracy")
    if round(last[1]) != epochs:
        raise ValueError(f"its last evaluation is of epoch {last[1]:g}, not {epochs}")
    accuracies = (last[4], last[5])
    if not all(0 <= one <= 1 for one in accuracies) or not 0 <= last[2] < math.inf:
        raise ValueError(f"it has the accuracies {accuracies} and {last[2]:g} s")
    return params, Trained(epochs, last[4], last[5], last[2])


def _evaluation(data: bytes) -> dict[int, float]:
    """Epoch (1), seconds (2), validation (4) and test accuracy (5)."""
    found = {}
    for number, value in fields_of(data):
        if number in (1, 2, 4, 5):
            found[number] = _double(value)
    return found


# All records


def _row_of(data: bytes) -> tuple[str, int, str, str, bytes]:
    """Hash, epochs, matrix, operations and metrics; ValueError for another form."""
    row = json.loads(data)
    if not isinstance(row, list) or [type(one) for one in row] != [str, int, str, str, str]:
        raise ValueError("it is no list of a hash, epochs, a matrix, operations and metrics")
    name, epochs, matrix, operations, metrics = row
    if epochs not in EPOCHS:
        raise ValueError(f"it was trained for {epochs} epochs; NAS-Bench-101 has {EPOCHS}")
    return name, epochs, matrix, operations, base64.b64decode(metrics, validate=True)


def arch_of_texts(matrix: str, operations: str) -> str:
    """The arch of a matrix and operations as the records have them; UsageError for what is none.

    >>> arch_of_texts("010001000", "input,conv3x3-bn-relu,output")
    'nb101-conv3x3.0-output.1'
    """
    names = operations.split(",")
    size = len(names)
    if len(matrix) != size * size or not set(matrix) <= {"0", "1"} or size > 7:
        raise UsageError(f"{quoted(matrix)} is no matrix of {size} vertices")
    rows = [[int(digit) for digit in matrix[start * size : (start + 1) * size]] for start in range(size)]
    return arch_of_cell(rows, names)


def read_modules(path: Path) -> list[Module]:
    """The cells of a file with their trainings.

    Raises:
        ReleaseError: what is not of the form above, a cell that is not what its hash says, more trainings of
            a cell than there can be.
    """
    modules: dict[str, Module] = {}
    with open_regular(path, ADVICE) as opened:
        file = io.BufferedReader(opened, 1 << 20)  # type: ignore[type-var]
        for number, data in enumerate(records(file, str(path))):
            try:
                _add(modules, data)
            except (ValueError, RecursionError, binascii.Error) as error:
                raise ReleaseError(
                    f"{path}: record {number} is none of NAS-Bench-101: {str(error)[:300]}; {ADVICE}"
                ) from error
    return list(modules.values())


def _add(modules: dict[str, Module], data: bytes) -> None:
    name, epochs, matrix, operations, metrics = _row_of(data)
    params, trained = parsed_metrics(metrics, epochs)
    module = modules.get(name)
    if module is None:
        arch = arch_of_texts(matrix, operations)
        if graph_hash(cell_of(arch)) != name:
            raise ValueError(f"the hash of its cell is not {quoted(name)}")
        module = modules[name] = Module(arch, params, [])
    if sum(run.epochs == epochs for run in module.runs) >= MAX_RUNS:
        raise ValueError(f"it is training {MAX_RUNS + 1} of {module.arch} for {epochs} epochs")
    module.runs.append(trained)


def read_nb101(path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of a file; errors as `read_modules`, and for cells that are missing or have other params."""
    modules = sorted(read_modules(path), key=lambda module: module.arch)
    if not modules:
        raise ReleaseError(f"{path} has no records; {ADVICE}")
    named = [module.arch for module in modules]
    checked_archs(named, SPACE, str(path))
    params = np.array([module.params for module in modules], np.float64)
    check_costs(named, SPACE, {"params": params}, str(path))
    runs: list[Row] = []
    trained_for = {run.epochs for module in modules for run in module.runs}
    for arch_id, module in enumerate(modules):
        for epochs in sorted(trained_for):
            of_epochs = [run for run in module.runs if run.epochs == epochs]
            if not of_epochs:
                raise ReleaseError(f"{path} has no training for {epochs} epochs of {module.arch}; {ADVICE}")
            for seed, run in enumerate(of_epochs):
                runs.append(_run_row(arch_id, seed, run))
    return {("archs", SPACE, None): archs_rows(SPACE, named), ("runs", SPACE, "cifar10"): runs}


def _run_row(arch_id: int, seed: int, run: Trained) -> Row:
    return {
        "arch_id": arch_id,
        "recipe": f"nb101-{run.epochs}",
        "seed": seed,
        "status": "ok",
        "val_acc": run.val,
        "test_acc": run.test,
        "train_loss": None,
        "curve": [],
        "train_time_s": run.train_time_s,
        "metric": "accuracy",
        "averaged": "no",
        "device": NOT_GIVEN,
        "engine": NOT_GIVEN,
        "software": NOT_GIVEN,
        "builder_commit": NOT_GIVEN,
    }


def named_by_naslib(values: Sequence[int]) -> str:
    """The arch of NASLib's numbers, a matrix and an operation a vertex; UsageError for others."""
    size = math.isqrt(len(values))
    if size * (size + 1) != len(values) or not set(values[size * size :]) <= set(range(5)):
        raise UsageError("an arch of nb101 is a matrix and an operation a vertex, together 6 to 56 numbers")
    matrix = "".join(map(str, values[: size * size]))
    return arch_of_texts(matrix, ",".join(NASLIB_OPERATIONS[value] for value in values[size * size :]))


def _hash_of(arch: str) -> str:
    return graph_hash(cell_of(arch))


BECOMES = (
    "runs nb101-108 (and -4, -12, -36 of the full file), val, test, train_time_s at the end; seeds are the "
    "order of the file; params and graph hashes are checked; evaluations half-way are left out"
)
OFFICIAL = Official(
    form="tfrecord",
    name="nasbench_only108.tfrecord, nasbench_full.tfrecord",
    version="NAS-Bench-101",
    repository="google-research/nasbench",
    place="github.com/google-research/nasbench, whose README links storage.googleapis.com/nasbench",
    licence="Apache-2.0",
    citation="Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635",
    becomes=BECOMES,
    read=read_nb101,
)
SUITE_ZERO = suite_zero(
    Suite(
        SPACE,
        "zc_nasbench101.json",
        {"cifar10": ("cifar10", "accuracy", True)},
        named_by_naslib,
        is_part=True,
        same=_hash_of,
    ),
    gives_archs=False,
)
NB101 = Importer(
    space=SPACE,
    sources=official_sources("archs runs", OFFICIAL),
    files={},
    rows=no_tables,
    runs="nb101-108, and nb101-4, -12, -36 of the full file (three seeds each)",
    official=(OFFICIAL, SUITE_ZERO),
)
