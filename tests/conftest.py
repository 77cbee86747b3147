"""A small release with made numbers, and the makers of its rows.

For the tests of what reads, merges and checks releases.

r1-mini on cifar10 has runs of two recipes: cpu-16px-4 with seed 0 for the first 60 archs and seed 1 for the
first 20, and cpu-16px-12 for four archs that are no prefix of the build order. On digits the first 30 archs
have the seeds 0 and 1. Scores: seed 0 for all 1,000 archs, seeds 1 and 2 for the first 50, and four archs
under another protocol. mb-mini has ten runs, r2-mini its archs alone.
"""

import gc
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["OMP_NUM_THREADS"] = (
    "1"  # before torch: two workers with two threads each ran the proxies' tests ten times as slowly
)

import hypothesis
import numpy as np
import pyarrow as pa
import pytest

from builders.work.commit import commit_release
from nbzero import Bench
from nbzero.images.sources import OfficialImages, read_official
from nbzero.proxies.facts import PROXIES
from nbzero.release.manifest import Release
from nbzero.release.schema import PASSES, TableKey, arrow_schema
from tests.importers.made import few_expected
from tests.places import DATA as STRIPS
from tests.timed import KEY, timed_rows


def pytest_configure(config: pytest.Config) -> None:
    """The same examples in every run, fewer without long tests, and none judged by how long it takes."""
    number = 30 if config.option.markexpr == "not long" else 100
    hypothesis.settings.register_profile("here", deadline=None, derandomize=True, max_examples=number)
    hypothesis.settings.load_profile("here")
    # Nothing waits for the disk. What a power cut would take, `tests.disk.PowerCut` says.
    os.fsync = os.fstat


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What collection makes stays to the end: no garbage is looked for meanwhile, nor in it later."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


Row = dict[str, Any]
SPACES = ("r1-mini", "r2-mini", "mb-mini")
SHORT, LONG = "cpu-16px-4", "cpu-16px-12"
DIVERGED = {(7, 0), (3, 1)}  # arch_id and seed of runs of SHORT on cifar10
MADE_BY = {"device": "made, 1 thread", "software": "made 1.0", "builder_commit": "0" * 40}
NO_RELU = "naswot counts ReLU units, and this network has no ReLU layer"


def run_row(arch_id: int, recipe: str = SHORT, seed: int = 0, **changed: Any) -> Row:
    """A row of a runs table, the same numbers for the same key."""
    rng = np.random.default_rng([arch_id, seed, zlib.crc32(recipe.encode())])
    curve = (np.sort(rng.integers(500, 4000, 4)) / 5000).tolist()
    row = {
        "arch_id": arch_id,
        "recipe": recipe,
        "seed": seed,
        "status": "ok",
        "val_acc": curve[-1],
        "curve": curve,
    }
    row |= {"test_acc": int(rng.integers(1000, 8000)) / 10000, "train_loss": float(rng.uniform(0.5, 2.3))}
    return row | {"train_time_s": float(rng.uniform(15, 60)), "engine": "local", **MADE_BY, **changed}


def diverged_row(arch_id: int, recipe: str = SHORT, seed: int = 0) -> Row:
    curve = run_row(arch_id, recipe, seed)["curve"][:1]
    return run_row(
        arch_id, recipe, seed, status="diverged", val_acc=None, test_acc=None, train_loss=None, curve=curve
    )


def score_row(arch_id: int, protocol: str = "std-16", seed: int = 0, **changed: Any) -> Row:
    """A row of a scores table, the same numbers for the same key; `failed={proxy: reason}` makes nulls."""
    rng = np.random.default_rng([arch_id, seed, zlib.crc32(protocol.encode())])
    failed = changed.pop("failed", {})
    row = {"arch_id": arch_id, "protocol": protocol, "seed": seed} | {
        name: float(rng.normal()) for name in PROXIES
    }
    row |= {f"{name}_s": float(rng.uniform(0.01, 1)) for name in PASSES} | dict.fromkeys(failed)
    return row | {"failures": json.dumps(failed, sort_keys=True) if failed else None, **MADE_BY, **changed}


def special_score_row(arch_id: int, seed: int = 0) -> Row:
    """Arch 4 has a failed proxy, arch 6 one that was not computed, arch 8 minus infinity, all with seed 0."""
    if seed == 0 and arch_id == 4:
        return score_row(arch_id, failed={"naswot": NO_RELU})
    return score_row(
        arch_id,
        seed=seed,
        **({6: {"zen": None}, 8: {"naswot": -np.inf}}.get(arch_id, {}) if seed == 0 else {}),
    )


def made_rows() -> dict[TableKey, list[Row]]:
    short = [(arch_id, 0) for arch_id in range(60)] + [(arch_id, 1) for arch_id in range(20)]
    return {
        ("runs", "r1-mini", "cifar10"): [
            *((diverged_row if key in DIVERGED else run_row)(key[0], SHORT, key[1]) for key in short),
            *(run_row(arch_id, LONG) for arch_id in (2, 5, 11, 999)),
        ],
        ("runs", "r1-mini", "digits"): [
            run_row(arch_id, SHORT, seed) for arch_id in range(30) for seed in (0, 1)
        ],
        ("runs", "mb-mini", "cifar10"): [run_row(arch_id) for arch_id in range(10)],
        ("scores", "r1-mini", "cifar10"): [
            *(special_score_row(arch_id) for arch_id in range(1000)),
            *(special_score_row(arch_id, seed) for arch_id in range(50) for seed in (1, 2)),
            *(score_row(arch_id, "std-32") for arch_id in (0, 1, 2, 500)),
        ],
    }


def as_tables(rows: dict[TableKey, list[Row]], spaces: Iterable[str] = SPACES) -> dict[TableKey, pa.Table]:
    """Arrow tables of the rows.

    The archs tables are those of the release that ships with nbzero.
    """
    embedded = Release.open()
    archs: dict[TableKey, pa.Table] = {
        ("archs", space, None): embedded.table(f"archs/{space}.parquet") for space in spaces
    }
    return archs | {key: pa.Table.from_pylist(listed, arrow_schema(key[0])) for key, listed in rows.items()}


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers: `run_row`, `diverged_row`, `score_row`, `as_tables`.

    And `rows`, every row of the made release by table.
    """
    return SimpleNamespace(
        run_row=run_row,
        diverged_row=diverged_row,
        score_row=score_row,
        as_tables=as_tables,
        rows=made_rows(),
        short=SHORT,
        long=LONG,
    )


@pytest.fixture(scope="session")
def release(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made release, version 0.2.0; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "release"
    commit_release(folder, as_tables(made.rows), "0.2.0")
    return folder


@pytest.fixture(scope="session")
def timed_release(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made release with latencies of r1-mini (`tests.timed`), version 0.3.0; not to be changed."""
    folder = tmp_path_factory.mktemp("timed") / "release"
    commit_release(folder, as_tables({**made.rows, KEY: timed_rows()}), "0.3.0")
    return folder


@pytest.fixture(scope="session")
def bench(release: Path) -> Bench:
    return Bench(release)


@pytest.fixture(scope="session")
def official_cifar10() -> OfficialImages:
    """The images of CIFAR-10 from the reference data, which take seconds to read; not to be changed."""
    return read_official("cifar10", STRIPS)


@pytest.fixture
def cifar10_read_once(official_cifar10: OfficialImages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads CIFAR-10 from the reference data gets `official_cifar10`."""

    from nbzero.images import tensors  # torch

    def read(name: str, source: Path | None) -> OfficialImages:
        return official_cifar10 if (name, source) == ("cifar10", STRIPS) else read_official(name, source)

    monkeypatch.setattr(tensors, "read_official", read)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals of verdicts are of few draws, which take a moment; tests of verdicts have 1,000."""
    module = import_module("nbzero.judge.evaluate")
    whole = module.default_bootstrap
    monkeypatch.setattr(module, "default_bootstrap", lambda pool: whole(pool)._replace(resamples=20))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test."""
    monkeypatch.setenv("NBZERO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Makes a release of r1-mini with a few runs on cifar10: small(name, rows, version)."""

    def make(name: str, rows: list[Row] | None = None, version: str = "0.1.0") -> Path:
        key: TableKey = ("runs", "r1-mini", "cifar10")
        commit_release(tmp_path / name, as_tables({key: rows} if rows else {}, ["r1-mini"]), version)
        return tmp_path / name

    return make


@pytest.fixture
def few_archs() -> Iterator[None]:
    """The definitions of imported spaces expect as many archs as made sources have."""
    with few_expected():
        yield
