"""The release that ships with nbzero: every file and every reader.

Costs are counted again by hand. What must hold of every run and score does.
"""

import configparser
import fnmatch
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import fastparquet
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from builders import score_shard
from builders.enumerate_archs import archs_table
from builders.verify import verify
from builders.work.repeats import lacking
from nbzero import Bench, macs, params
from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.protocol import by_batch
from nbzero.proxies.score import COMPUTE, score
from nbzero.release.manifest import MANIFEST, Release, embedded_folder
from nbzero.release.sampled import is_sampled
from nbzero.release.schema import DATASETS, PROTOCOLS
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED, PUBLISHED_PROTOCOL, standard_protocol
from tests.places import DATA as STRIPS, ROOT
from train.recipe import RECIPES

Row = dict[str, Any]
RELEASE = Release.open()
FOLDER = embedded_folder()
PARQUET = sorted(name for name in RELEASE.manifest.files if name.endswith(".parquet"))
NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16-120": 120, "digits": 10}
SCORED = sorted(
    {
        name.split("/")[1]
        for name in PARQUET
        if name.startswith("scores/") and name.endswith("/cifar10.parquet")
    }
)
# The order of additions differs from one processor to the next, and a ReLU whose input is about 0 then
# switches. These feel it most: they look at single images or at what differs between nearly equal gradients.
DELICATE = {"epe_nas", "gradsign", "jacob_cov", "ntk", "zico"}
NUM_IMAGES = {"cifar10": (5_000, 10_000), "cifar100": (5_000, 10_000)}  # val, test


@pytest.fixture(scope="module")
def embedded() -> Bench:
    return Bench()


# The files


def test_everything_holds() -> None:
    lines = verify(None)
    assert len(lines) == len(RELEASE.manifest.files) + len(RELEASE.manifest.others)
    assert {
        f"archs/{space}.parquet: {choices.num_members:,} rows" for space, choices in CHOICES.items()
    } <= set(lines)


def test_it_is_small_and_has_all_archs(embedded: Bench) -> None:
    assert sum(file.bytes for file in RELEASE.manifest.files.values()) < 20e6
    assert embedded.spaces[: len(CHOICES)] == tuple(CHOICES)
    assert sum(RELEASE.manifest.files[f"archs/{space}.parquet"].rows for space in CHOICES) == 37_894
    assert f"index/{embedded.spaces[0]}.nbzidx" in RELEASE.manifest.files


def test_every_file_goes_into_the_wheel() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = config["options.package_data"]["nbzero.data"].replace(",", " ").split()
    for name in (MANIFEST, *RELEASE.manifest.files):
        assert any(
            fnmatch.fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns
        ), name


def duckdb_table(path: Path) -> pa.Table:
    with duckdb.connect() as connection:
        return connection.read_parquet(str(path)).to_arrow_table()


def fastparquet_frame(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        return fastparquet.ParquetFile(file).to_pandas()


READERS: dict[str, Callable[[Path], pa.Table]] = {
    "polars": lambda path: pl.read_parquet(path).to_arrow(),
    "duckdb": duckdb_table,
    "fastparquet": lambda path: pa.Table.from_pandas(fastparquet_frame(path), preserve_index=False),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", PARQUET)
def test_all_readers_see_the_same_rows(name: str, reader: str) -> None:
    expected = pq.ParquetFile(FOLDER / name).read()
    found = READERS[reader](FOLDER / name)
    assert found.column_names == expected.column_names
    assert found.cast(expected.schema).equals(expected)


# The archs, without the code that made them


def counted(arch: str) -> tuple[int, int]:
    """Macs and params at 3x32x32 with 100 classes, layer by layer."""
    family, *parts = arch.replace("-mini", "").split("-")
    total = {"macs": 0, "params": 0}

    def conv(c_in: int, c_out: int, kernel: int, side: int, stride: int = 1, groups: int = 1) -> int:
        """A convolution without bias and its batch norm; the side of its output."""
        side = -(-side // stride)
        weights = c_in // groups * kernel * kernel * c_out
        total["macs"] += weights * side * side
        total["params"] += weights + 2 * c_out
        return side

    width = int(parts[0][1:])
    side = conv(3, width, 3, 32)
    for part in parts[1:]:
        depth, rest = part[1:].split("w")
        out, first_stride = (int(number) for number in rest.split("s"))
        for block in range(int(depth)):
            stride = first_stride if block == 0 else 1
            if family == "mb":
                after = conv(width, 6 * width, 1, side)
                after = conv(6 * width, 6 * width, 3, after, stride, groups=6 * width)
                after = conv(6 * width, out, 1, after)
            else:
                if family == "r1":
                    after = conv(out, out, 3, conv(width, out, 3, side, stride))
                else:
                    after = conv(
                        out // 4, out, 1, conv(out // 4, out // 4, 3, conv(width, out // 4, 1, side), stride)
                    )
                if stride != 1 or width != out:
                    conv(width, out, 1, side, stride)
            side, width = after, out
    return total["macs"] + width * 100, total["params"] + width * 100 + 100


def test_of_published_benchmarks_it_has_scores_of_ours_alone(embedded: Bench) -> None:
    for space in embedded.spaces[len(CHOICES) :]:
        archs = list(embedded.space(space))
        assert is_sampled(space, archs)
        assert embedded.release.space(space).datasets("runs") == []
        for dataset in embedded.datasets(space):
            assert set(embedded.protocols(space, dataset)) <= set(PROTOCOLS)


@pytest.mark.parametrize("space", CHOICES)
def test_costs_counted_layer_by_layer(embedded: Bench, space: str) -> None:
    view = embedded.table(space, ["arch", "macs", "params", "depth", "s4_depth"])
    for i in range(0, len(view), 7):
        arch = view["arch"][i]
        assert counted(arch) == (view["macs"][i], view["params"][i]) == (macs(arch), params(arch)), arch
        stages = arch.replace("-mini", "").split("-")[2:]
        assert view["depth"][i] == sum(int(stage[1 : stage.index("w")]) for stage in stages)
        assert (view["s4_depth"][i] == view["s4_depth"][i]) == (len(stages) == 4)


@pytest.mark.parametrize("space", CHOICES)
def test_members_and_their_order(embedded: Bench, space: str) -> None:
    view = embedded.table(space, ["arch", "macs", "params", "s4_depth"])
    archs = view["arch"].tolist()
    assert len(set(archs)) == len(archs) == CHOICES[space].num_members and all(
        arch.startswith(f"{space}-s") for arch in archs
    )
    assert archs == sorted(archs, key=lambda arch: hashlib.sha256(f"build:{arch}".encode()).hexdigest())
    assert view["macs"].max() <= 700e6 and view["params"].max() <= 14e6
    assert sum(view["s4_depth"] != view["s4_depth"]) == len(archs) // 2  # three stages


@pytest.mark.parametrize(
    "space", ["r1-mini", *(pytest.param(name, marks=pytest.mark.long) for name in ("r2-mini", "mb-mini"))]
)
def test_the_definition_gives_the_released_archs(embedded: Bench, space: str) -> None:
    assert archs_table(space).equals(embedded.arrow("archs", space))


# Runs and scores: what must hold of all there are


def check_runs(rows: list[Row], dataset: str) -> None:
    """What the schema cannot say.

    Known recipes, seeds without gaps, accuracies that are counts of images, curves of all epochs.
    """
    assert dataset in DATASETS
    seeds: dict[str, dict[int, set[int]]] = {}
    for row in rows:
        key = (row["recipe"], row["arch_id"], row["seed"])
        assert row["recipe"] in RECIPES, key
        seeds.setdefault(row["recipe"], {}).setdefault(row["seed"], set()).add(row["arch_id"])
        for count, values in zip(
            NUM_IMAGES.get(dataset, ()), ([row["val_acc"], *row["curve"]], [row["test_acc"]]), strict=False
        ):
            right = [value * count for value in values if value is not None]
            assert all(abs(images - round(images)) < 1e-6 for images in right), (key, values)
        epochs = RECIPES[row["recipe"]].epochs
        assert (
            len(row["curve"]) == epochs
            if row["status"] == "ok"
            else len(row["curve"]) < epochs or row["val_acc"] is None
        ), key
        assert row["status"] != "ok" or row["curve"][-1] == row["val_acc"], key
        assert (
            all(row[name] for name in ("device", "engine", "software", "builder_commit"))
            and row["train_time_s"] > 0
        ), key
    for recipe, archs in seeds.items():
        assert sorted(archs) == list(range(len(archs))), f"{recipe}: seeds {sorted(archs)}"
        assert all(archs[seed] <= archs[0] for seed in archs), (
            f"{recipe}: an arch has another seed but not seed 0"
        )


def check_scores(rows: list[Row], archs: list[str], space: str, dataset: str) -> None:
    """Known protocols, a reason for every null of the standard one.

    And counts that agree with the closed forms.
    """
    for row in rows:
        key = (row["protocol"], row["arch_id"], row["seed"])
        assert row["protocol"] in PROTOCOLS, key
        if row["protocol"] == protocol_of(space):
            expected = closed_forms(space, archs[row["arch_id"]], row["protocol"], NUM_CLASSES[dataset])
            assert {name: row[name] for name in expected} == expected, key
            failures = json.loads(row["failures"] or "{}")
            assert all(reason for reason in failures.values()), key


def protocol_of(space: str) -> str:
    """The protocol that the released scores of a space have."""
    return PUBLISHED_PROTOCOL if space in IMPORTED else standard_protocol(space)


def closed_forms(space: str, arch: str, protocol: str, classes: int) -> dict[str, float]:
    """The counts that a definition gives; those of published spaces are for 3x32x32 images and 10 classes."""
    if space in IMPORTED:
        definition = IMPORTED[space]
        costs = definition.costs(definition.parse(arch))
        return {name: costs[name] for name in ("params", "macs")}
    side = int(protocol.removeprefix("std-"))
    return {
        "params": params(arch, classes),
        "macs": macs(arch, side, classes),
        "depth": sum(int(s[0]) for s in arch.split("-d")[1:]),
    }


def test_every_run_of_the_release() -> None:
    for name in PARQUET:
        if name.startswith("runs/"):
            check_runs(RELEASE.table(name).to_pylist(), Path(name).stem)


def test_every_score_of_the_release(embedded: Bench) -> None:
    for name in PARQUET:
        if name.startswith("scores/"):
            space = name.split("/")[1]
            check_scores(
                RELEASE.table(name).to_pylist(),
                embedded.table(space, ["arch"])["arch"].tolist(),
                space,
                Path(name).stem,
            )


def smallest_scored(bench: Bench, space: str) -> Row:
    """Of the archs scored with seed 0 under the standard protocol the row of the cheapest."""
    rows = bench.arrow("scores", space, "cifar10").to_pylist()
    costs = bench.table(space, ["macs"])["macs"]
    return min(
        (row for row in rows if row["protocol"] == protocol_of(space) and row["seed"] == 0),
        key=lambda row: costs[row["arch_id"]],
    )


def computed_for(row: Row, names: Iterable[str]) -> list[str]:
    """Those of some proxies that the job which made a row computed: in our own spaces all."""
    lacks = lacking(row)
    assert row["space"] in IMPORTED or not lacks
    return [name for name in names if name not in lacks]


def check_again(row: Row, again: dict[str, Any], names: list[str]) -> None:
    """Null for null; equal to 1 part in 1,000, the delicate ones to 1 in 10.

    netsens is left out where it is a sum that cancels to rounding.
    """
    for name in names:
        released, computed = row[name], again[name]
        assert (released is None) == (computed is None), (row["arch_id"], name, released, computed)
        if released is not None and not (name == "netsens" and abs(released) < 1e-3):
            assert computed == pytest.approx(released, rel=0.1 if name in DELICATE else 1e-3), (
                row["arch_id"],
                name,
            )


@pytest.mark.parametrize("space", SCORED)
def test_released_scores_that_need_no_images_come_out_again(embedded: Bench, space: str) -> None:
    row = smallest_scored(embedded, space)
    needing_none = [name for name, p in PROXIES.items() if not p.uses_images and not p.weight_draws]
    names = computed_for(row, needing_none)
    assert {"params", "synflow", "pnorm"} <= set(names)
    if space in CHOICES:  # of published benchmarks some proxies may be to come
        assert {"zen", "phi"} <= set(names)
    side = int(protocol_of(space).removeprefix("std-"))
    shape, net = (
        torch.zeros(64, 3, side, side),
        build_net(embedded.query((space, row["arch_id"])).arch, 10, 0),
    )
    again = {}
    for size, some in by_batch(names, 64).items():
        again |= score(net, shape[:size], torch.zeros(size, dtype=torch.int64), some, seed=0)
    check_again(row, again, names)


@pytest.fixture(scope="module")
def images_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_shard, "load", functools.cache(score_shard.load))
        yield


# Of all proxies: in `make test` the quick spaces alone. The test before has all spaces and fewer proxies.
LARGE = {"r1", "r2", "mb", "mb-mini", "nb201"}
AGAIN = [pytest.param(space, marks=pytest.mark.long if space in LARGE else []) for space in SCORED]


@pytest.mark.parametrize("space", AGAIN)
@pytest.mark.usefixtures("images_read_once", "cifar10_read_once")
def test_released_scores_come_out_again(embedded: Bench, space: str) -> None:
    source = os.environ.get("NBZERO_IMAGES") or (str(STRIPS) if STRIPS.is_dir() else None)
    if source is None:
        pytest.skip(
            "needs the images of CIFAR-10: "
            "set NBZERO_IMAGES to the folder that `python -m nbzero.images prepare` wrote"
        )
    row = smallest_scored(embedded, space)
    names = computed_for(row, COMPUTE)
    compute = score_shard.start(
        "cpu",
        {
            "protocol": protocol_of(space),
            "dataset": "cifar10",
            "images": source,
            "proxies": names,
            "builder_commit": "none",
        },
    )
    again = compute((row["arch_id"], embedded.query((space, row["arch_id"])).arch, 0), None)
    check_again(row, again, names)


def test_the_check_of_scores_computed_again_finds_what_is_wrong(made: SimpleNamespace) -> None:
    row = made.score_row(0) | {"zen": 10.0, "zico": 10.0, "ntk": None, "netsens": 1e-6}
    names = ["zen", "zico", "ntk", "netsens"]
    check_again(row, row | {"zico": 10.5, "netsens": 2e-6}, names)
    for wrong in ({"zen": 10.1}, {"zico": 12.0}, {"ntk": 1.0}, {"zen": None}):
        with pytest.raises(AssertionError):
            check_again(row, row | wrong, names)


def test_the_checks_of_runs_find_what_is_wrong(made: SimpleNamespace) -> None:
    good = [*(made.run_row(i) for i in range(5)), made.run_row(0, seed=1), made.diverged_row(5)]
    check_runs(good, "cifar10")
    for wrong in (
        made.run_row(9, recipe="cpu-16px-5"),
        made.run_row(9, seed=1),
        made.run_row(0, seed=3),
        made.run_row(9, val_acc=0.50001),
        made.run_row(9, test_acc=0.50005),
        made.run_row(9, curve=[0.5, made.run_row(9)["val_acc"]]),
        made.run_row(9, val_acc=0.5),
        made.run_row(9, device=""),
    ):
        with pytest.raises(AssertionError):
            check_runs([*good, wrong], "cifar10")


def test_the_checks_of_scores_find_what_is_wrong(made: SimpleNamespace, embedded: Bench) -> None:
    archs = embedded.table("r1-mini", ["arch"])["arch"].tolist()
    counts = {
        "params": params(archs[0], 10),
        "macs": macs(archs[0], 16, 10),
        "depth": embedded.query(archs[0]).depth,
    }
    check_scores([made.score_row(0) | counts, made.score_row(0, "std-32")], archs, "r1-mini", "cifar10")
    for wrong in (
        {"params": 1.0},
        {"macs": macs(archs[0], 32, 10)},
        {"depth": 1.0},
        {"protocol": "std-15"},
        {"failures": '{"zen": ""}'},
    ):
        with pytest.raises(AssertionError):
            check_scores([made.score_row(0) | counts | wrong], archs, "r1-mini", "cifar10")
