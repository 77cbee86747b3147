"""Made official files: the forms that authors publish, written by the standard library. No test itself.

Pickles are written by `pickle` from instances of classes like those of the authors' code, by their methods.
"""

import bz2
import io
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

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
