"""One proxy of the archs of a space, as a worker computes it: the setting that it is sent, and the score."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import dataclass
from typing import Any

import torch

from nbzero.proxies.protocol import PROTOCOLS, classes_of, protocol_batches, protocol_named, row_of_scores
from nbzero.proxies.workers import Compute, Outcome, tune_process


@dataclass(frozen=True)
class Setting:
    """What a worker needs.

    Attributes:
        batch: images and labels, as numpy arrays.
    """

    proxy: str
    protocol: str
    seed: int
    num_classes: int
    batch: tuple[Any, Any]


def setting_of(space: str, proxy: str, dataset: str, protocol: str | None, seed: int, images: Any) -> Setting:
    """The setting of a proxy; errors as of `protocol_named` and `protocol_batches`."""
    chosen = protocol_named(space, protocol, images)
    num_classes = classes_of(chosen, dataset)
    pixels, labels = protocol_batches(chosen, dataset, [seed], images)[seed]
    return Setting(proxy, chosen.name, seed, num_classes, (pixels.numpy(), labels.numpy()))


def start(payload: bytes) -> Compute:
    """In a worker: what computes, of a pickled Setting of its parent."""
    tune_process()
    return computing(pickle.loads(payload))


def computing(setting: Setting) -> Compute:
    """Arch and seed to the score, its reason and the seconds that building and scoring took."""
    protocol = PROTOCOLS[setting.protocol]
    batch = (torch.from_numpy(setting.batch[0]), torch.from_numpy(setting.batch[1]))

    def compute(arch: str, seed: int) -> Outcome:
        started = time.perf_counter()
        row = row_of_scores(arch, seed, protocol, batch, setting.num_classes, [setting.proxy])
        reason = json.loads(row["failures"] or "{}").get(setting.proxy, "")
        seconds = time.perf_counter() - started
        return Outcome(row[setting.proxy], " ".join(reason.split()), seconds)

    return compute
