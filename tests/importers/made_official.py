"""Made official files: the forms that authors publish, written by the standard library. No test itself.

Pickles are written by `pickle` from instances of classes like those of the authors' code, by their methods.
"""

import base64
import bz2
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from nbzero.spaces.nb101 import arch_of_cell, cell_of, graph_hash
from nbzero.spaces.published import IMPORTED

Seeds = dict[str, tuple[int, ...]]
OFFICIAL_DATASETS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
SPLITS = {"cifar10-valid": ("x-valid", "ori-test"), "cifar10": ("ori-test",)}
OTHERS = ("x-valid", "x-test", "ori-test")


class ResultsCount:
    """One trial, with the attributes of the authors' class of that name."""

    def __init__(self, name: str, seed: int, epochs: int, params: float, rng: np.random.Generator) -> None:
        self.name = name
        self.net_state_dict = None
        self.train_acc1es = {epoch: float(rng.uniform(10, 90)) for epoch in range(epochs)}
        self.train_acc5es = {epoch: 99.5 for epoch in range(epochs)}
        self.train_losses = {epoch: float(rng.uniform(0.1, 2.5)) for epoch in range(epochs)}
        self.train_times = OrderedDict((epoch, 7.25) for epoch in range(epochs))
        self.arch_config = {"channel": 16, "num_cells": 5, "class_num": 10}
        self.params = params
        self.flop = 15.64737
        self.seed = seed
        self.epochs = epochs
        self.latency = [np.float64(0.0125), 0.0135]
        self.eval_names = list(SPLITS.get(name, OTHERS))
        self.eval_acc1es = {}
        self.eval_times = {}
        self.eval_losses = {}
        for split in self.eval_names:
            for epoch in range(epochs):
                # as torch's float32 accuracies become Python's
                accuracy = float(np.float32(round(rng.uniform(10, 90), 3)))
                self.eval_acc1es[f"{split}@{epoch}"] = accuracy
                self.eval_losses[f"{split}@{epoch}"] = float(rng.uniform(0.1, 2.5))
                self.eval_times[f"{split}@{epoch}"] = 1.5


class ArchResults:
    """All trials of an arch with one number of epochs, with the attributes of the authors' class."""

    def __init__(self, arch_index: int, arch_str: str) -> None:
        self.arch_index = arch_index
        self.arch_str = arch_str
        self.all_results: dict[tuple[str, int], ResultsCount] = {}
        self.dataset_seed: dict[str, list[int]] = {}
        self.clear_net_done = True

    def update(self, dataset: str, seed: int, result: ResultsCount) -> None:
        self.dataset_seed.setdefault(dataset, []).append(seed)
        self.all_results[dataset, seed] = result

    def state_dict(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["all_results"] = {key: dict(result.__dict__) for key, result in self.all_results.items()}
        return state


def made_results(
    space: str, index: int, arch: str, epochs: dict[str, int], seeds: dict[str, tuple[int, ...]]
) -> dict[str, dict[str, Any]]:
    """What the file of one arch holds.

    Args:
        epochs: how many each key has.
        seeds: of the trials by key; arch 1 lacks the last.
    """
    rng = np.random.default_rng([7, index])
    definition = IMPORTED[space]
    params = definition.costs(definition.parse(arch))["params"] / 1e6
    held = {}
    for key, num_epochs in epochs.items():
        results = ArchResults(index, arch)
        for dataset in OFFICIAL_DATASETS:
            there = seeds[key]
            if index == 1 and len(there) > 1:
                there = there[:-1]
            for seed in there:
                more = 0.00585 if dataset == "cifar100" else 0.0
                results.update(dataset, seed, ResultsCount(dataset, seed, num_epochs, params + more, rng))
        held[key] = results.state_dict()
    return held


def pbz2(value: Any, protocol: int = 4) -> bytes:
    return bz2.compress(pickle.dumps(value, protocol=protocol))


def write_nats(folder: Path, archs: list[str], held: list[dict[str, Any]]) -> Path:
    """An archive as a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    meta = {"meta_archs": archs, "total_archs": len(archs), "evaluated_indexes": set(range(len(archs)))}
    (folder / "meta.pickle.pbz2").write_bytes(pbz2(meta))
    for index, one in enumerate(held):
        (folder / f"{index:06d}.pickle.pbz2").write_bytes(pbz2(one))
    return folder


def as_tar(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        tar.add(folder, folder.name)
    return path


def as_bytes(*files: tuple[str, bytes]) -> bytes:
    """A tar of files in memory."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


# NAS-Bench-101: TFRecords of JSON of protocol buffers, byte by byte


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def evaluation(epoch: float, seconds: float, train: float, val: float, test: float) -> bytes:
    """An EvaluationData: the tags of fields 1 to 5 as doubles, and a checkpoint's path."""
    message = b"".join(
        bytes([tag]) + struct.pack("<d", value)
        for tag, value in zip(b"\x09\x11\x19\x21\x29", (epoch, seconds, train, val, test), strict=True)
    )
    return message + b"\x32\x04ckpt"


def varint(number: int) -> bytes:
    whole = bytearray()
    while number > 127:
        whole.append(number & 127 | 128)
        number >>= 7
    return bytes([*whole, number])


def metrics(epochs: int, params: int, val: float, test: float, seconds: float = 100.5) -> bytes:
    """A ModelMetrics: three evaluations, the params, the total time."""
    message = b""
    for at, share in ((0, 0.0), (epochs // 2, 0.5), (epochs, 1.0)):
        of = evaluation(float(at), seconds * share, 0.99 * share, val * share, test * share)
        message += b"\x0a" + varint(len(of)) + of
    return message + b"\x10" + varint(params) + b"\x19" + struct.pack("<d", 2 * seconds)


def module_row(arch: str, epochs: int, message: bytes) -> list[Any]:
    """The JSON of a record of one training of an arch."""
    cell = cell_of(arch)
    theirs = {"conv3x3": "conv3x3-bn-relu", "conv1x1": "conv1x1-bn-relu"}
    operations = ["input", *(theirs.get(name, name) for name in cell.operations), "output"]
    matrix = "".join(str(entry) for row in cell.matrix for entry in row)
    return [graph_hash(cell), epochs, matrix, ",".join(operations), base64.b64encode(message).decode()]


def some_cells(number: int) -> list[str]:
    """Archs of NAS-Bench-101 that are different networks."""
    rng = np.random.default_rng(11)
    found: dict[str, str] = {}
    while len(found) < number:
        size = int(rng.integers(3, 7))
        matrix = np.triu(rng.integers(0, 2, (size, size)), 1)
        inner = rng.choice(["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"], size - 2).tolist()
        try:
            arch = arch_of_cell(matrix.tolist(), ["input", *inner, "output"])
        except ValueError:
            continue
        found.setdefault(graph_hash(cell_of(arch)), arch)
    return list(found.values())


def made_nb101(archs: list[str], epochs: tuple[int, ...] = (108,)) -> list[list[Any]]:
    """Three trainings of every arch for each number of epochs, in a shuffled order."""
    rng = np.random.default_rng(12)
    rows = []
    for number, arch in enumerate(archs):
        params = IMPORTED["nb101"].costs(IMPORTED["nb101"].parse(arch))["params"]
        for of in epochs:
            for repeat in range(3):
                val = round(0.5 + number / 100 + repeat / 1000 + of / 10_000, 6)
                rows.append(module_row(arch, of, metrics(of, params, val, val - 0.01, 100.0 + number)))
    return [rows[place] for place in rng.permutation(len(rows))]


def write_records(path: Path, rows: list[list[Any]]) -> Path:
    path.write_bytes(b"".join(record(json.dumps(row).encode()) for row in rows))
    return path


# NAS-Bench-201 v1.1: a file of torch


def made_torch(archs: list[str], epochs: int = 20) -> dict[str, Any]:
    infos = OrderedDict()
    for index, arch in enumerate(archs):
        seeds: Seeds = {"less": (777,), "full": (777, 888, 999)}
        infos[index] = made_results("nb201", index, arch, {"less": 12, "full": epochs}, seeds)
    return {"meta_archs": archs, "arch2infos": infos, "evaluated_indexes": set(range(len(archs)))}


def write_legacy(path: Path, held: Any) -> Path:
    """As torch wrote before 1.6: five pickles of protocol 2."""
    system = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    parts = (0x1950A86A20F9469CFC6C, 1001, system, held, [])
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    return path


def write_zip(path: Path, held: Any, name: str = "archive/data.pkl", how: int = zipfile.ZIP_STORED) -> Path:
    """As torch writes since 1.6."""
    with zipfile.ZipFile(path, "w", how) as whole:
        whole.writestr(name, pickle.dumps(held, 2))
        whole.writestr("archive/version", "3\n")
    return path
