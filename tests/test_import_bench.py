"""Imported spaces: made sources with the real columns, what is refused, and (where the tables are) the published numbers.

The made sources have a few archs of each space; the definitions are told to expect that many.
"""

import dataclasses
import itertools
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from builders.import_bench import FILES, GLUE, SOURCES, TASKS, imported_row, main
from builders.merge_shards import main as merge
from builders.verify import verify
from builders.work.commit import commit_release
from nbzero import Bench, NotAMemberError, NothingFoundError, ReleaseError, UnknownNameError
from nbzero.bench import ImportedRun
from nbzero.factors import as_sample, sample_of
from nbzero.pool import pool_of
from nbzero.release.manifest import Release, embedded_folder
from nbzero.release.schema import METRICS, columns_of
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.nb201 import CELL_OPERATIONS
from nbzero.spaces.nbmacro import MACRO_STAGES, macro_class
from nbzero.spaces.published import IMPORTED, space_of, space_with
from tests.places import DATA

Row = dict[str, Any]
NB201_NAMES = ("cifar10", "cifar100", "ImageNet16-120")
NUM = 20  # archs of a made source
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


@st.composite
def archs_of(draw: Any, name: str) -> tuple[str, list[int]]:
    """An arch string of a space and its numbers."""
    definition = IMPORTED[name]
    values = [draw(st.integers(choice.low, len(choice.options) - 1)) for choice in definition.choices]
    if name == "transnas-macro":
        values = values[:4] + sorted(values[4:], key=lambda value: value == 0)
    if name == "flexibert":  # two layers or four, and of a layer all choices
        values = (
            [*values[:9], *(max(value, 1) for value in values[9:])]
            if draw(st.booleans())
            else [*values[:9], *[0] * 8]
        )
    return definition.text(values), values


def some(name: str) -> list[str]:
    """The first NUM archs of a space's grid in a shuffled order."""
    definition = IMPORTED[name]
    grid = itertools.product(
        *(
            range(max(choice.low, name in ("transnas-macro", "flexibert")), len(choice.options))
            for choice in definition.choices
        )
    )
    archs = [definition.text(values) for values in itertools.islice(grid, 0, 37 * NUM, 37)]
    return [archs[i] for i in np.random.default_rng(0).permutation(NUM)]


# Costs, by a network layer by layer


def slow_costs(name: str, values: list[int]) -> tuple[int, int]:
    total = {"macs": 0, "params": 0}

    def conv(c_in: int, c_out: int, kernel: int, side: int, groups: int = 1) -> None:
        weights = c_in // groups * kernel * kernel * c_out
        total["macs"] += weights * side * side
        total["params"] += weights + 2 * c_out

    if name == "nb201":
        conv(3, 16, 3, 32)
        for width, side in ((16, 32), (32, 16), (64, 8)):
            if width > 16:
                conv(width // 2, width, 3, side)
                conv(width, width, 3, side)
                conv(width // 2, width, 1, side)
                total["params"] -= 2 * width  # the shortcut has no batch norm
            for _ in range(5):
                for value in values:
                    if CELL_OPERATIONS[value].startswith("nor_conv"):
                        conv(width, width, int(CELL_OPERATIONS[value][-1]), side)
        total["params"] += 2 * 64
        last = 64
    else:
        conv(3, 32, 3, 32)
        layer = iter(values)
        for width, side, num_layers in ((64, 16, 2), (128, 8, 3), (256, 4, 3)):
            for number in range(num_layers):
                c_in, side_in, kind = (
                    (width, side, next(layer)) if number else (width // 2, 2 * side, next(layer))
                )
                if kind == 0 and number == 0:
                    conv(c_in, width, 1, side)
                if kind:
                    hidden = c_in * (3, 6)[kind - 1]
                    conv(c_in, hidden, 1, side_in)
                    conv(hidden, hidden, (3, 5)[kind - 1], side, groups=hidden)
                    conv(hidden, width, 1, side)
        conv(256, 1280, 1, 4)
        last = 1280
    return total["macs"] + last * 10, total["params"] + last * 10 + 10


@pytest.mark.parametrize("name", ["nb201", "nbmacro"])
@given(data=st.data())
def test_costs_are_the_sum_over_the_layers(name: str, data: Any) -> None:
    _, values = data.draw(archs_of(name))
    costs = IMPORTED[name].costs(values)
    assert (costs["macs"], costs["params"]) == slow_costs(name, values)


def test_published_costs_of_single_archs() -> None:
    # FLOPs in millions as NATS-Bench gives them (issues 24 and 36 of D-X-Y/NATS-Bench): ours and the ten biases of the classifier
    published = {
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
            15.64737,
            0.129306,
        ),
        "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|": (
            113.95137,
            0.802426,
        ),
    }
    for arch, (flops, params) in published.items():
        costs = IMPORTED["nb201"].costs(IMPORTED["nb201"].parse(arch))
        assert ((costs["macs"] + 10) / 1e6, costs["params"] / 1e6) == (flops, params)
    assert IMPORTED["transnas-macro"].costs((1, 2, 3, 4, 0, 0)) == {"depth": 8}
    assert IMPORTED["transnas-micro"].costs((0,) * 6) == {}


# Strings and spaces


@pytest.mark.parametrize("name", IMPORTED)
@given(data=st.data())
def test_strings_and_numbers_are_one_to_one(name: str, data: Any) -> None:
    text, values = data.draw(archs_of(name))
    assert list(IMPORTED[name].parse(text)) == values and space_of(text) == name
    space = ImportedSpace(IMPORTED[name], (text,))
    assert space.encode(text).tolist() == values and space.decode(values) == text
    assert [other for other in IMPORTED if re.fullmatch(IMPORTED[other].pattern, text)] == [name]
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("0139|~-_xn")) + text[at + 1 :]
    try:
        again = IMPORTED[name].text(IMPORTED[name].parse(changed))
    except ValueError as error:
        assert str(error).startswith(f"{changed!r}: an arch of {name} (")
    else:
        assert again == changed


@pytest.mark.parametrize("name", IMPORTED)
def test_the_example_of_every_space_is_one(name: str) -> None:
    example = IMPORTED[name].example
    assert (
        IMPORTED[name].text(IMPORTED[name].parse(example)) == example
        and len(set(IMPORTED[name].parse(example))) > 1
    )


def test_moves_by_brute_force() -> None:
    archs = tuple(sorted(some("nb201")))
    space = ImportedSpace(IMPORTED["nb201"], archs)
    vectors = {arch: IMPORTED["nb201"].parse(arch) for arch in archs}
    distance = {
        (a, b): sum(x != y for x, y in zip(vectors[a], vectors[b], strict=True)) for a in archs for b in archs
    }
    assert (
        len(space) == NUM
        and list(space) == list(archs)
        and space[3] == archs[3]
        and archs[3] in space
        and BEST not in space
    )
    for arch in archs:
        nearest = sorted(
            (other for other in archs if other != arch),
            key=lambda other: (distance[arch, other], archs.index(other)),
        )
        assert space.neighbours(arch, 5) == nearest[:5]
        assert space.neighbours(arch) == [other for other in archs if distance[arch, other] == 1]
        assert space.arch_id(arch) == archs.index(arch)
        rng = np.random.default_rng(0)
        assert {space.mutate(arch, rng, k=2) for _ in range(40)} == set(nearest[:2])
        assert space.crossover(arch, arch, rng) == arch
    assert space.sample(NUM, seed=1) != list(archs) and sorted(space.sample(NUM, seed=1)) == list(archs)
    with pytest.raises(
        NotAMemberError, match="is written like an arch of nb201, but its table has none; nearest are"
    ) as caught:
        space.arch_id(BEST)
    assert set(caught.value.nearest) <= set(archs) and len(caught.value.nearest) == 3
    with pytest.raises(ValueError, match=r"'02012100': an arch of nb201 \(NAS-Bench-201\) is like"):
        space.encode("02012100")
    for k in (0, NUM):
        with pytest.raises(ValueError, match=f"k is {k}; allowed: 1 to {NUM - 1}, or None"):
            space.neighbours(BEST, k)
    with pytest.raises(ValueError, match=r"no member of nb201 differs from .* in one choice; give k"):
        ImportedSpace(IMPORTED["nb201"], (archs[0],)).mutate(archs[0], np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="no space named 'nb-201'"):
        space_with("nb-201", ())


def test_a_child_takes_every_choice_from_a_parent() -> None:
    grid = tuple(IMPORTED["nbmacro"].text(values) for values in itertools.product((0, 1, 2), repeat=8))
    space, rng = ImportedSpace(IMPORTED["nbmacro"], grid), np.random.default_rng(0)
    children = {space.crossover("00000000", "12121212", rng) for _ in range(40)}
    assert all(
        digit in pair
        for child in children
        for digit, pair in zip(child, zip("00000000", "12121212", strict=True), strict=True)
    )
    assert len(children) > 20 and len(space.neighbours("00000000")) == 16


@pytest.mark.parametrize(
    ("name", "vector", "said"),
    [
        ("nb201", [0] * 5, "a vector of nb201 is 6 integers, not int64 of shape (5,)"),
        ("nb201", [0.0] * 6, "a vector of nb201 is 6 integers, not float64"),
        ("nb201", [5, 0, 0, 0, 0, 0], "edge_01 is 5; allowed: 0 none, 1 skip_connect"),
        ("nbmacro", [0, -1, 0, 0, 0, 0, 0, 0], "layer_2 is -1; allowed: 0 identity, 1 MB3_K3, 2 MB6_K5"),
        ("transnas-macro", [1, 2, 3, 0, 0, 0], "module_4 is 0; allowed: 1 plain"),
        ("transnas-macro", [1, 2, 3, 4, 0, 1], "leaves out a module before the last"),
        (
            "darts",
            [0, 0, 0, 2, *[0] * 12],
            "node_2b_in is 2; allowed: 0 the cell before the last, 1 the last cell",
        ),
        (
            "flexibert",
            [0, *[1] * 12, *[0] * 4],
            "an arch of flexibert (FlexiBERT) is like 'bert-h256-SA.SDP",
        ),  # three layers
        (
            "flexibert",
            [0, *[1] * 8, 0, *[1] * 7],
            "an arch of flexibert (FlexiBERT) is like 'bert-h256-SA.SDP",
        ),  # a layer without operation
        ("flexibert", [0, 0, *[1] * 15], "layer_1_operation is 0; allowed: 1 SA.SDP, 2 SA.WMA, 3 LT.DFT"),
    ],
)
def test_bad_vectors(name: str, vector: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        ImportedSpace(IMPORTED[name], (IMPORTED[name].example,)).decode(vector)


def test_an_identity_may_stand_anywhere_after_the_first_layer_of_a_stage() -> None:
    classes: dict[str, list[str]] = {}
    for values in itertools.product((0, 1, 2), repeat=8):
        classes.setdefault(macro_class(values), []).append("".join(map(str, values)))
    assert len(classes) == 9 * 21 * 21
    for first, archs in classes.items():
        assert first in archs
        ends = np.cumsum((0, *MACRO_STAGES))
        for arch in archs:
            for start, end in itertools.pairwise(ends):
                assert arch[start] == first[start] and arch[start:end].replace("0", "") == first[
                    start:end
                ].replace("0", "")


# Made sources


def made_nb201() -> dict[str, list[Row]]:
    rng = np.random.default_rng(1)
    rows, proxies = [], []
    for index, arch in enumerate(some("nb201")):
        row: Row = {
            "arch_index": index,
            "arch": arch,
            "iso_class": index // 2,
            "params_m": IMPORTED["nb201"].costs(IMPORTED["nb201"].parse(arch))["params"] / 1e6,
        }
        for epochs, split, name in itertools.product((200, 12), ("test", "val"), NB201_NAMES):
            row[f"{split}{epochs}_{name}"] = round(float(rng.uniform(10, 90)), 2)
        row["test200_cifar10_seeds"] = [round(float(rng.uniform(10, 90)), 2) for _ in range(1 + index % 3)]
        rows.append(row)
        proxy: Row = {"arch_index": index, "nregions_cifar10": 3.5}
        for name in NB201_NAMES:
            proxy |= {
                f"synflow_{name}": float(10 ** rng.uniform(0, 60)),
                f"naswot_{name}": float(rng.uniform(500, 800)),
                f"zen_{name}": float(rng.normal()),
            }
        proxies.append(proxy)
    proxies[3]["naswot_cifar10"], proxies[4]["zen_cifar10"] = -np.inf, -1e8
    return {"nasbench201": rows[::-1], "nasbench201_proxies": proxies}


def made_nbmacro() -> dict[str, list[Row]]:
    rng = np.random.default_rng(2)
    rows = []
    for arch in some("nbmacro"):
        runs = [round(float(rng.uniform(40, 93)), 2) for _ in range(3)]
        costs = IMPORTED["nbmacro"].costs(IMPORTED["nbmacro"].parse(arch))
        row = {
            "arch": arch,
            "mean_acc": sum(runs) / 3,
            "std": 0.1,
            "params": costs["params"],
            "flops": costs["macs"],
        }
        rows.append(row | {f"test_acc_{seed}": run for seed, run in enumerate(runs)})
    return {"nasbench_macro": rows}


def made_transnas() -> dict[str, list[Row]]:
    rng = np.random.default_rng(3)
    rows = []
    for space, (task, (metric, percent)) in itertools.product(("macro", "micro"), TASKS.items()):
        for number, arch in enumerate(some(f"transnas-{space}")):
            value = (
                float(rng.uniform(20, 90))
                if percent
                else -float(rng.uniform(0.5, 2))
                if metric == "negative loss"
                else float(rng.uniform(0, 0.7))
            )
            scores: Row = (
                dict.fromkeys(("synflow", "epe_nas", "fisher"))
                if metric == "ssim"
                else {"synflow": 60.5, "epe_nas": 3.0, "fisher": None}
            )
            if not number:
                scores["fisher"] = 0.25
            tuple_of = str(
                tuple(
                    value for value in IMPORTED[f"transnas-{space}"].parse(arch) if value or space == "micro"
                )
            )
            rows.append(
                {
                    "space": space,
                    "task": task,
                    "arch": tuple_of,
                    "val_accuracy": value,
                    "zen": -1e8 if number == 1 else 5.0,
                }
                | scores
            )
    return {"transnasbench101": rows}


def made_darts() -> dict[str, list[Row]]:
    rng = np.random.default_rng(4)
    return {
        "darts_swap1000": [
            {"genotype": arch, "cifar10_acc": round(float(rng.uniform(10, 87)), 2)} for arch in some("darts")
        ]
    }


def made_flexibert() -> dict[str, list[Row]]:
    """NUM encoders, the first two of them again at the end."""
    rng = np.random.default_rng(5)
    rows = []
    for number, arch in enumerate([*some("flexibert"), *some("flexibert")[:2]]):
        scores = {task: round(float(rng.uniform(-3 if task == "cola" else 20, 90)), 2) for task in GLUE}
        layers = []
        for layer in arch.split("-")[2:]:
            operation, parameter, heads, stacks = layer.split(".")
            width, times = stacks[1:].split("x")
            layers.append(
                {
                    "operation": operation,
                    "parameter": parameter,
                    "heads": int(heads[1:]),
                    "ff_dim": int(width),
                    "num_ff": int(times),
                }
            )
        row: Row = {
            "id": number,
            "hidden_size": int(arch.split("-")[1][1:]),
            "layers": layers,
            "train_time_s": 1.5,
        }
        rows.append(row | scores | {"glue": sum(scores.values()) / 8})
    return {"flexibert500": rows[::-1]}


MADE = {
    "darts": made_darts,
    "flexibert": made_flexibert,
    "nb201": made_nb201,
    "nbmacro": made_nbmacro,
    "transnas-macro": made_transnas,
    "transnas-micro": made_transnas,
}


@pytest.fixture(autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The definitions expect NUM archs, except in tests of the real tables."""
    if "real" not in request.fixturenames:
        for name, definition in IMPORTED.items():
            monkeypatch.setitem(IMPORTED, name, dataclasses.replace(definition, num_members=NUM))


def write(folder: Path, files: dict[str, list[Row]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def run(name: str, source: Path, out: Path, *more: str) -> int:
    return main([name, "--source", str(source), "--out", str(out), *more])


def imported(tmp_path: Path, name: str) -> Bench:
    assert run(name, write(tmp_path / "source", MADE[name]()), tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    return Bench(tmp_path / "out")


@pytest.mark.parametrize("name", IMPORTED)
def test_every_table_holds_names_its_source_and_invents_nothing(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    b = imported(tmp_path, name)
    assert b.spaces == (name,) and len(b.space(name)) == NUM and isinstance(b.space(name), ImportedSpace)
    for key, table in Release.open(tmp_path / "out").tables().items():
        said = table.schema.metadata
        for source in SOURCES[name][key[0]]:
            assert (
                source.repository.encode() in said[b"nbzero.source"]
                and source.commit.encode() in said[b"nbzero.source_commit"]
            )
            assert f"{source.repository}: {source.licence}".encode() in said[b"nbzero.licence"]
        for made_by in {"device", "software", "builder_commit", "engine"} & set(table.column_names):
            assert set(table.column(made_by).to_pylist()) == {"not given by the source"}
        if key[0] == "runs":
            assert (
                table.column("train_loss").null_count == table.column("train_time_s").null_count == len(table)
            )
        for field, column in zip(
            table.schema, (c for c in columns_of(key[0], name) if c.name in table.column_names), strict=True
        ):
            assert field.name == column.name and field.metadata[b"meaning"]
    for arch_id, arch in enumerate(b.space(name)):
        r = b.query(arch)
        assert r == b.query((name, arch_id)) and r.arch == arch and r.arch_id == arch_id
        row = imported_row(name, arch_id, arch)
        assert {column: b.table(name)[column][arch_id] for column in row} == pytest.approx(
            {column: np.nan if value is None else value for column, value in row.items()}, nan_ok=True
        )
        for cost in ("macs", "params", "depth"):
            if cost in row:
                assert getattr(r, cost) == row[cost] and f"{cost}={row[cost]}" in repr(r)
            else:
                with pytest.raises(UnknownNameError, match=f"no cost of {name} named '{cost}'; Known: "):
                    getattr(r, cost)
                with pytest.raises(UnknownNameError, match=f"no cost of {name} named '{cost}'; Known: "):
                    b.table(name, where=f"{cost} < 5")
        with pytest.raises(
            UnknownNameError,
            match=f"an arch of {name} has no stages; its choices are columns of the archs table: ",
        ):
            _ = r.stages
    assert pickle.loads(pickle.dumps(r)) == r
    assert ("left out" in capsys.readouterr().out) == (name in ("nb201", "nbmacro", "flexibert"))


def test_nb201_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b = imported(tmp_path, "nb201")
    assert (
        "left out nasbench201_proxies.nregions_cifar10: no count of linear_regions" in capsys.readouterr().out
    )
    rows = {row["arch_index"]: row for row in made_nb201()["nasbench201"]}
    proxies = made_nb201()["nasbench201_proxies"]
    assert b.datasets("nb201") == ["cifar10", "cifar100", "imagenet16-120"]
    assert b.recipes("nb201", "cifar10") == ["nb201-12", "nb201-200", "nb201-200-mean"] and b.recipes(
        "nb201", "cifar100"
    ) == [
        "nb201-12",
        "nb201-200-mean",
    ]
    for index, row in rows.items():
        r = b.query(row["arch"])
        assert r.arch_id == index
        for dataset, theirs in zip(b.datasets("nb201"), NB201_NAMES, strict=True):
            for (recipe, epochs), split in itertools.product(
                (("nb201-12", 12), ("nb201-200-mean", 200)), ("val", "test")
            ):
                assert r.accuracy(dataset, recipe, split) == pytest.approx(
                    row[f"{split}{epochs}_{theirs}"] / 100, abs=1e-12
                )
            assert {name: r.score(name, dataset) for name in ("synflow", "naswot")} == {
                n: proxies[index][f"{n}_{theirs}"] for n in ("synflow", "naswot")
            }
        seeds = row["test200_cifar10_seeds"]
        assert [r.accuracy("cifar10", "nb201-200", "test", seed) for seed in range(3)] == pytest.approx(
            [*(one / 100 for one in seeds), None, None][:3]
        )
        assert r.accuracy("cifar10", "nb201-200", "test", "mean") == pytest.approx(
            sum(seeds) / len(seeds) / 100
        )
        made = [r.run("cifar10", recipe) for recipe in ("nb201-12", "nb201-200", "nb201-200-mean")]
        assert all(
            isinstance(one, ImportedRun)
            and one.metric == "accuracy"
            and one.train_time_s is None
            and one.curve == ()
            for one in made
        )
        assert [one.averaged for one in made] == [
            "val: two runs; test: no",
            "no",
            "val: two runs; test: one to three runs",
        ]
        assert (
            r.run("cifar100", "nb201-12").averaged == "no"
            and r.run("cifar100", "nb201-200-mean").averaged == "test: one to three runs"
        )
    assert b.query(rows[3]["arch"]).score("naswot", "cifar10") == -np.inf
    odd = b.query(rows[4]["arch"])
    assert (
        odd.score("zen", "cifar10") is None
        and odd.score_reason("zen", "cifar10") == "it was not finite (the source has -1e8 in its place)"
    )
    assert (
        odd.score("snip", "cifar10") is None
        and odd.score_reason("snip", "cifar10") == "the source of nb201 gives no snip"
    )
    assert odd.accuracy("cifar10", "nb201-200") is None
    assert odd.accuracy_reason("cifar10", "nb201-200") == (
        "the source of nb201 gives no val accuracy with recipe nb201-200 on cifar10; split='test' is what there is"
    )
    scores = odd.scores("cifar10")
    assert (
        scores.protocol == "freerea-naslib"
        and scores.seconds["zen"] is None
        and list(scores.failures) == ["zen"]
    )


def test_tables_conditions_and_pools(tmp_path: Path) -> None:
    b = imported(tmp_path, "nb201")
    whole = b.table("nb201", dataset="cifar10", recipe="nb201-12")
    assert (
        whole.columns[:3] == ("arch_id", "arch", "iso_class")
        and whole.columns[-3:] == ("synflow", "naswot", "zen")
        and "snip" not in whole
    )
    assert whole.to_arrow().schema.field("edge_13").metadata[b"meaning"].startswith(b"0 none, 1 skip_connect")
    convs = b.table("nb201", where="edge_23 == 3 and params > 1e5")
    assert convs["arch"].tolist() == [
        arch for arch in b.space("nb201") if "nor_conv_3x3~2" in arch and b.query(arch).params > 1e5
    ]
    pool = pool_of(b, "nb201", "cifar10", "nb201-12")
    assert (
        len(pool) == pool.num_members == NUM
        and set(pool.costs) == {"macs", "params"}
        and set(pool.scores) == {"synflow", "naswot", "zen"}
    )
    assert (
        list(pool.features) == [choice.column for choice in IMPORTED["nb201"].choices]
        and pool.metric == "accuracy"
    )
    assert (
        pool.protocol == "freerea-naslib"
        and np.isnan(pool.score("zen")).sum() == 1
        and pool.name.endswith("nb201-12, val, seed 0, freerea-naslib, N = 20")
    )
    assert not pool.unscored  # what its source does not give is not missing, unless it is asked for
    with pytest.raises(
        NothingFoundError,
        match=r"no arch of nb201, .* has a score of wrcor \(the first arch: the source of nb201 gives no wrcor\)",
    ):
        b.mbr_lead("nb201", "wrcor", "macs", "cifar10", "nb201-12")
    np.testing.assert_array_equal(pool.score("params"), whole["params"])
    for sample in (as_sample(pool), sample_of(b, "nb201", "cifar10", recipe="nb201-12")):
        assert sample.categories == dict.fromkeys(pool.features, CELL_OPERATIONS)
    with pytest.raises(
        ValueError,
        match=r"no arch of nb201 has a val accuracy on cifar10 with recipe nb201-200; 20 archs have a test accuracy there: split='test'; ",
    ):
        pool_of(b, "nb201", "cifar10", "nb201-200")
    assert len(pool_of(b, "nb201", "cifar10", "nb201-200", split="test", seed=1)) == sum(
        i % 3 > 0 for i in range(NUM)
    )
    with pytest.raises(ValueError, match="needs the same seeds"):
        pool_of(b, "nb201", "cifar10", "nb201-200", split="test", seed="mean")
    with pytest.raises(
        ValueError,
        match="runs of several recipes, which are never mixed; name one: nb201-12, nb201-200, nb201-200-mean",
    ):
        pool_of(b, "nb201", "cifar10")
    with pytest.raises(
        UnknownNameError, match="no column named 'edge_31'; did you mean 'edge_23' or 'edge_13'"
    ):
        b.table("nb201", where="edge_31 == 3")
    with pytest.raises(UnknownNameError, match="no column named 'stem'"):
        b.table("nb201", ["stem"])


def test_nbmacro_numbers(tmp_path: Path) -> None:
    b = imported(tmp_path, "nbmacro")
    rows = {row["arch"]: row for row in made_nbmacro()["nasbench_macro"]}
    assert list(b.space("nbmacro")) == sorted(rows)
    for arch, row in rows.items():
        r = b.query(arch)
        assert [r.accuracy("cifar10", split="test", seed=seed) for seed in range(3)] == pytest.approx(
            [row[f"test_acc_{seed}"] / 100 for seed in range(3)]
        )
        assert r.accuracy("cifar10", split="test", seed="mean") == pytest.approx(row["mean_acc"] / 100)
        assert (r.macs, r.params, r.depth) == (row["flops"], row["params"], 8 - arch.count("0"))
        assert (
            r.score("zen", "cifar10") is None
            and r.score_reason("zen", "cifar10") == "the release has no scores of nbmacro on cifar10"
        )
    pool = pool_of(b, "nbmacro", "cifar10", split="test", seed="mean")
    assert (
        set(pool.costs) == {"macs", "params", "depth"}
        and not pool.scores
        and "iso_class" not in pool.features
    )
    assert pool.accuracy.tolist() == pytest.approx([rows[arch]["mean_acc"] / 100 for arch in pool.archs])
    classes = b.table("nbmacro", ["iso_class"])["iso_class"]
    of = [macro_class(IMPORTED["nbmacro"].parse(arch)) for arch in pool.archs]
    assert all((classes[i] == classes[j]) == (of[i] == of[j]) for i in range(NUM) for j in range(NUM))


@pytest.mark.parametrize("space", ["macro", "micro"])
def test_transnas_numbers_and_metrics(tmp_path: Path, space: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"transnas-{space}"
    b = imported(tmp_path, name)
    assert b.datasets(name) == sorted(TASKS) and list(b.space(name)) == sorted(some(name))
    for task, (metric, percent) in TASKS.items():
        rows = [
            row for row in made_transnas()["transnasbench101"] if (row["space"], row["task"]) == (space, task)
        ]
        for row, arch in zip(rows, some(name), strict=True):
            r = b.query(arch)
            made = r.run(task)
            assert made.metric == metric and made.averaged == "no" and made.test_acc is None
            assert METRICS[metric][0] <= made.val_acc <= METRICS[metric][1]
            assert (
                r.accuracy(task)
                == made.val_acc
                == pytest.approx(row["val_accuracy"] / (100 if percent else 1), rel=1e-6)
            )
            assert (
                r.score("zen", task) == (None if row["zen"] == -1e8 else row["zen"])
                and r.score("synflow", task) == row["synflow"]
            )
            assert r.score("fisher", task) == row["fisher"] and (
                row["fisher"] or r.score_reason("fisher", task) == "not given by the source"
            )
        pool = pool_of(b, name, task)
        assert (
            pool.metric == metric
            and (f", val {metric}, " if metric != "accuracy" else ", val, ") in pool.name
        )
        with pytest.raises(
            ValueError,
            match=f"has a test accuracy on {task} with recipe transnas; 20 archs have a val accuracy there: split='val'",
        ):
            pool_of(b, name, task, split="test")
    assert r.score_reason("synflow", "normal") == "the source of " + name + " gives no synflow"
    for field in (
        b.arrow("scores", name, "jigsaw").schema.field("epe_nas"),
        b.table(name, ["epe_nas"], "jigsaw").to_arrow().schema.field("epe_nas"),
    ):
        assert (
            b"DOUBTFUL: these values do not seem to belong to these archs" in field.metadata[b"meaning"]
        ) == (space == "macro")
    whole = b.arrow("scores", name, "jigsaw").schema.metadata
    assert whole.get(b"nbzero.doubtful", b"").startswith(
        b"epe_nas: these values" if space == "macro" else b""
    )
    assert (b"nbzero.doubtful" in whole) == (space == "macro")
    assert ("DOUBTFUL epe_nas of transnas-macro, imported as the source" in capsys.readouterr().out) == (
        space == "macro"
    )
    assert b"nbzero.doubtful" not in b.arrow("runs", name, "jigsaw").schema.metadata
    assert (
        b.arrow("scores", name, "jigsaw")
        .schema.field("synflow")
        .metadata[b"meaning"]
        .startswith(b"natural logarithm")
    )


def test_darts_numbers(tmp_path: Path) -> None:
    b = imported(tmp_path, "darts")
    rows = {row["genotype"]: row["cifar10_acc"] for row in made_darts()["darts_swap1000"]}
    assert list(b.space("darts")) == sorted(rows) and b.recipes("darts", "cifar10") == ["darts-200"]
    for arch, accuracy in rows.items():
        assert (
            b.query(arch).accuracy("cifar10") == pytest.approx(accuracy / 100)
            and b.query(arch).accuracy("cifar10", split="test") is None
        )
    values = IMPORTED["darts"].parse(IMPORTED["darts"].example)
    assert values == (4, 0, 7, 1, 3, 0, 1, 2, 5, 1, 0, 3, 6, 4, 2, 0)
    assert IMPORTED["darts"].example.startswith(
        "Genotype(normal=[('sep_conv_3x3', 0), ('dil_conv_5x5', 1), ('skip_connect', 0), ('max_pool_3x3', 2), "
    )
    pool = pool_of(b, "darts", "cifar10")
    assert (
        not pool.costs
        and not pool.scores
        and b.correlations("darts", "cifar10")["proxy"].tolist() == ["oracle", "random"]
    )
    report = b.evaluate(dict(zip(pool.archs, pool.accuracy, strict=True)), "darts", "cifar10")
    assert "darts has none of macs, params and depth, so there is no mBR." in report.notes
    assert {row["proxy"]: row["kendall"] for row in report.metrics}["yours"] == 1.0


def test_flexibert_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b = imported(tmp_path, "flexibert")
    assert "left out flexibert500.train_time_s: the time of pre-training" in capsys.readouterr().out
    rows = made_flexibert()["flexibert500"][::-1]
    archs = some("flexibert")
    assert list(b.space("flexibert")) == sorted(archs) and b.datasets("flexibert") == sorted([*GLUE, "glue"])
    for number, row in enumerate(rows):
        r, seed = b.query(archs[number % NUM]), number // NUM
        for task in (*GLUE, "glue"):
            assert (
                r.accuracy(task, seed=seed) == pytest.approx(row[task] / 100)
                and r.run(task, seed=seed).metric == "glue score"
            )
        assert r.depth == len(row["layers"]) and (r.accuracy("glue", seed=1) is not None) == (
            number % NUM < 2
        )
    assert any(row["cola"] < 0 for row in rows)
    assert IMPORTED["flexibert"].parse("bert-h256-SA.WMA.h2.f1024x1-DSC.9.h4.f512x3") == (
        1,
        2,
        1,
        2,
        1,
        6,
        2,
        1,
        2,
        *[0] * 8,
    )
    assert IMPORTED["flexibert"].costs(
        IMPORTED["flexibert"].parse("bert-h128" + "-LT.DFT.h2.f512x1" * 4)
    ) == {"depth": 4}
    pool = pool_of(b, "flexibert", "glue")
    assert pool.metric == "glue score" and set(pool.costs) == {"depth"}
    scores = dict(zip(pool.archs, pool.accuracy, strict=True))
    found = {row["proxy"]: row for row in b.evaluate(scores, "flexibert", "glue").metrics}
    assert (
        found["yours"]["mbr_union"] == 0
        and found["yours"]["kendall"] == 1
        and 0 <= b.mbr("flexibert", "depth", "glue", cost="depth") < 1
    )


def test_spaces_are_added_to_a_release_and_the_same_again_changes_nothing(
    tmp_path: Path, small: Any, made: Any
) -> None:
    out = small("out", [made.run_row(0)], "0.1.0")
    for name in IMPORTED:
        assert run(name, write(tmp_path / name, MADE[name]()), out) == 0
    b = Bench(out)
    assert (
        b.spaces == ("r1-mini", *sorted(IMPORTED))
        and b.version == "0.7.0"
        and b.query(("r1-mini", 0)).accuracy("cifar10") is not None
    )
    for name in IMPORTED:
        assert Bench(out).query(b.space(name)[0]).space == name  # no space is open yet: the string says which
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    stamps = {path: path.stat().st_mtime_ns for path in before if path.name != "manifest.json"}
    assert run("nb201", tmp_path / "nb201", out) == 0
    assert {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    verify(str(out))


def test_a_merge_keeps_imported_tables_and_adds_nothing_to_them(
    tmp_path: Path, small: Any, made: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small("out", [made.run_row(0)], "0.1.0")
    assert run("nbmacro", write(tmp_path / "source", made_nbmacro()), out) == 0
    tables = {key: table for key, table in Release.open(out).tables().items() if key[1] == "nbmacro"}
    assert merge([str(small("more", [made.run_row(1)])), "--out", str(out)]) == 0
    after = Release.open(out).tables()
    assert all(
        after[key].equals(table) and b"nbzero.source" in after[key].schema.metadata
        for key, table in tables.items()
    )
    verify(str(out))
    assert run("nbmacro", tmp_path / "source", tmp_path / "other") == 0
    assert merge([str(tmp_path / "other"), "--out", str(out)]) == 2
    assert (
        "nbmacro is imported and read-only, nothing is merged into it; run builders.import_bench"
        in capsys.readouterr().err
    )


# What is refused


def change(files: dict[str, list[Row]], file: str, row: int, **values: Any) -> None:
    files[file][row] |= values


def drop(files: dict[str, list[Row]], file: str, column: str) -> None:
    for row in files[file]:
        del row[column]


NB, PROXY, MACRO, TRANS = "nasbench201", "nasbench201_proxies", "nasbench_macro", "transnasbench101"
DARTS, BERT = "darts_swap1000", "flexibert500"
WRONG: list[tuple[str, Any, str]] = [
    (
        "nb201",
        lambda f: drop(f, NB, "val200_cifar10"),
        "lacks the columns val200_cifar10; it is no nasbench201 table of nb201",
    ),
    (
        "nb201",
        lambda f: drop(f, PROXY, "zen_cifar100"),
        "lacks the columns zen_cifar100; it is no nasbench201_proxies table of nb201",
    ),
    ("nb201", lambda f: f[NB].pop(0), "nasbench201 has 19 archs of nb201, the whole table has 20"),
    ("nb201", lambda f: f[NB].pop(7), "arch_index is not each of 0 to 18 once"),
    ("nb201", lambda f: f[PROXY].pop(), "nasbench201_proxies: arch_index is not each of 0 to 19 once"),
    (
        "nb201",
        lambda f: change(f, PROXY, 0, arch_index=1),
        "nasbench201_proxies: arch_index is not each of 0 to 19 once",
    ),
    (
        "nb201",
        lambda f: change(f, NB, 0, arch=f[NB][1]["arch"], params_m=f[NB][1]["params_m"]),
        "more than once; a table has each arch once",
    ),
    (
        "nb201",
        lambda f: change(f, NB, 19, arch="|none~0|"),
        "nasbench201: row 0: '|none~0|': an arch of nb201 (NAS-Bench-201) is like",
    ),
    ("nb201", lambda f: change(f, NB, 19, arch=None), "nasbench201: row 0: None: an arch of nb201"),
    (
        "nb201",
        lambda f: change(f, NB, 19, test12_cifar10=100.5),
        "test12_cifar10: 1 of 20 values outside [0, 100] percent, first 100.5",
    ),
    (
        "nb201",
        lambda f: change(f, NB, 19, test200_cifar10_seeds=[-1.0]),
        "test200_cifar10_seeds: 1 of 20 values outside [0, 100] percent, first -1",
    ),
    (
        "nb201",
        lambda f: change(f, NB, 17, test200_cifar10_seeds=[1.0, None]),
        "test200_cifar10_seeds has a null in row 2",
    ),
    (
        "nb201",
        lambda f: change(f, NB, 19, val12_cifar100=None),
        "nasbench201: val12_cifar100 is null or NaN in row 0",
    ),
    ("nb201", lambda f: change(f, NB, 19, params_m=0.5), "has 500000 params, its definition gives"),
    ("nb201", lambda f: change(f, NB, 19, iso_class=None), "iso_class: null where a value is required"),
    ("nbmacro", lambda f: f[MACRO].append(f[MACRO][0]), "more than once; a table has each arch once"),
    (
        "nbmacro",
        lambda f: change(f, MACRO, 0, arch="00000003"),
        "'00000003': an arch of nbmacro (NAS-Bench-Macro) is like '02012100'",
    ),
    ("nbmacro", lambda f: change(f, MACRO, 0, flops=2 * f[MACRO][0]["flops"]), "macs, its definition gives"),
    (
        "nbmacro",
        lambda f: change(f, MACRO, 0, mean_acc=1.0),
        "mean_acc is not the mean of the three accuracies in row",
    ),
    (
        "nbmacro",
        lambda f: change(f, MACRO, 0, test_acc_1=-0.5),
        "test_acc_1: 1 of 20 values outside [0, 100] percent, first -0.5",
    ),
    (
        "transnas-micro",
        lambda f: f[TRANS].pop(),
        "segmentsemantic has 19 archs of transnas-micro, the whole table has 20",
    ),
    (
        "transnas-micro",
        lambda f: change(f, TRANS, -1, arch="(1, 2, 3)"),
        "'(1, 2, 3)' is no arch of transnas-micro; it is a tuple like",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, arch="(1, 2, 3, 0, 1, 2)"),
        "'(1, 2, 3, 0, 1, 2)' is no arch of transnas-macro",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, arch="(4, 4, 4, 4, 4, 4)"),
        "class_object has other archs of transnas-macro than autoencoder",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, val_accuracy=1.5),
        "val_acc: 1.5 outside [-inf, 1] in row",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, val_accuracy=-1.5),
        "ssim is [-1.5]; one at least, in [-1, 1]",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 100, val_accuracy=0.5),
        "negative loss is [0.5]; one at least, in [-inf, 0]",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 30, val_accuracy=101.0),
        "class_object: val_accuracy: 1 of 20 values outside [0, 100] percent",
    ),
    ("darts", lambda f: f[DARTS].pop(), "darts_swap1000 has 19 archs of darts, the whole table has 20"),
    (
        "darts",
        lambda f: change(f, DARTS, 0, cifar10_acc=101.0),
        "cifar10_acc: 1 of 20 values outside [0, 100] percent, first 101",
    ),
    (
        "darts",
        lambda f: change(
            f,
            DARTS,
            0,
            genotype=f[DARTS][0]["genotype"].replace("reduce=[('none', 0)", "reduce=[('none', 1)"),
        ),
        "an arch of darts (DARTS) is like",
    ),
    ("flexibert", lambda f: f[BERT].pop(), "flexibert500: id is not each of 0 to 20 once"),
    (
        "flexibert",
        lambda f: change(f, BERT, 0, glue=50.0),
        "flexibert500: glue is not the mean of the eight tasks in id 21",
    ),
    ("flexibert", lambda f: change(f, BERT, 0, hidden_size=64), "'bert-h64-SA.SDP"),
    (
        "flexibert",
        lambda f: change(f, BERT, 0, hidden_size=128),
        "flexibert500 has 21 archs of flexibert, the whole table has 20",
    ),
    (
        "flexibert",
        lambda f: change(f, BERT, 0, layers=[{"heads": 2}]),
        "'bert-h256-None.None.h2.fNonexNone': an arch of flexibert",
    ),
    (
        "flexibert",
        lambda f: [change(f, BERT, row, layers=[{"heads": 2}]) for row in range(22)],
        "layers [{'heads': 2}] are no list of layers with",
    ),
    ("flexibert", lambda f: change(f, BERT, 3, layers=None), "flexibert500: id 18: layers None are no list"),
    (
        "flexibert",
        lambda f: change(f, BERT, 0, **{task: 101.0 for task in (*GLUE, "glue")}),
        "val_acc: 1.01 outside [-inf, 1] in row 21",
    ),
    (
        "transnas-macro",
        lambda f: [change(f, TRANS, row, task="jigsaw2") for row in range(20)],
        "its tasks of transnas-macro are class_object",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "said"), WRONG, ids=[said[:60] for _, _, said in WRONG])
def test_a_wrong_file_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, spoil: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = MADE[name]()
    spoil(files)
    assert run(name, write(tmp_path / "source", files), tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sources_are_files_or_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "source", made_nb201())
    other = (source / f"{NB}.parquet").rename(tmp_path / "renamed.parquet")
    out = tmp_path / "out"

    def refused(*sources: Path) -> str:
        assert main(["nb201", "--source", *map(str, sources), "--out", str(out)]) == 2
        return capsys.readouterr().err

    assert "--source has no nasbench201 table of nb201 (nasbench201.parquet)" in refused(source)
    assert "are both a nasbench201 table of nb201; name one" in refused(other, other)
    (tmp_path / "empty").mkdir()
    assert "has no nasbench201.parquet or nasbench201_proxies.parquet; name the file itself" in refused(
        tmp_path / "empty"
    )
    assert "is no Parquet file that can be read" in refused(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    assert "is no Parquet file that can be read" in refused(tmp_path / "text.parquet")
    assert not out.exists()
    assert main(["nb201", "--source", str(other), "--out", str(out)]) == 0
    assert "no nasbench201_proxies.parquet: nb201 has no scores" in capsys.readouterr().out
    assert not pool_of(Bench(out), "nb201", "cifar10", "nb201-12").scores
    assert main(["nb201", "--source", str(other), str(source), "--out", str(tmp_path / "both")]) == 0
    assert Bench(tmp_path / "both").query(("nb201", 0)).score("zen", "cifar10") is not None


def test_where_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "source", made_nbmacro())
    assert run("nbmacro", source, embedded_folder()) == 2
    assert (
        "is the release that ships with nbzero, of which third-party tables are no part"
        in capsys.readouterr().err
    )
    assert main(["nbmacro", "--source", str(source), "--out", "memory://x"]) == 2
    assert "is a URL; a release is made in a local folder" in capsys.readouterr().err
    assert run("nbmacro", source, tmp_path / "out") == 0
    manifest = (tmp_path / "out/manifest.json").read_bytes()
    files = made_nbmacro()
    change(
        files,
        MACRO,
        0,
        test_acc_0=files[MACRO][0]["test_acc_0"] + 0.01,
        mean_acc=files[MACRO][0]["mean_acc"] + 0.01 / 3,
    )
    assert run("nbmacro", write(tmp_path / "changed", files), tmp_path / "out") == 2
    assert (
        "has a runs table of nbmacro with other rows or columns; released rows stay"
        in capsys.readouterr().err
    )
    assert (tmp_path / "out/manifest.json").read_bytes() == manifest
    with pytest.raises(SystemExit):
        run("nb202", source, tmp_path / "out")


def test_archs_of_spaces_that_a_release_lacks_and_malformed_ones(tmp_path: Path) -> None:
    for arch in (definition.example for definition in IMPORTED.values()):
        with pytest.raises(
            UnknownNameError,
            match=r"looks like an arch of .*, which this release does not have \(its spaces: r1, r2, .*import_bench",
        ):
            Bench().query(arch)
    b = imported(tmp_path, "nb201")
    with pytest.raises(ValueError, match=r"'\|none~0\|': an arch of nb201 \(NAS-Bench-201\) is like"):
        b.query("|none~0|")
    with pytest.raises(NotAMemberError, match="nearest are"):
        b.query(BEST)
    with pytest.raises(ValueError, match="'nb201': an arch begins with its space: no space named 'nb201'"):
        b.query("nb201")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda t: t.replace_schema_metadata({}),
            "archs/nbmacro.parquet: an imported table says where it is from, but its metadata lacks nbzero.source",
        ),
        (
            lambda t: t.set_column(
                t.column_names.index("macs"), t.schema.field("macs"), pa.array([5] * NUM, pa.int64())
            ),
            "is not what its arch string says",
        ),
        (
            lambda t: t.set_column(1, t.schema.field("arch"), pa.array(["x"] * NUM)),
            "has 1 different arch in 20 rows, not 20",
        ),
        (lambda t: t.slice(0, NUM - 1), "has 19 different archs in 19 rows, not 20"),
        (lambda t: t.drop_columns(["iso_class"]), "are not those of archs"),
    ],
)
def test_verify_finds_what_is_wrong_with_imported_archs(tmp_path: Path, spoil: Any, said: str) -> None:
    imported(tmp_path, "nbmacro")
    table = Release.open(tmp_path / "out").table("archs/nbmacro.parquet")
    commit_release(tmp_path / "wrong", {("archs", "nbmacro", None): spoil(table)}, "0.1.0")
    with pytest.raises(ReleaseError, match=re.escape(said)):
        verify(str(tmp_path / "wrong"))


def test_every_file_is_read_by_a_space_and_every_table_has_a_source() -> None:
    assert FILES.keys() == SOURCES.keys() == IMPORTED.keys()
    assert all(
        source.licence and re.search(r"\b[0-9a-f]{8,40}\b", source.commit)
        for kinds in SOURCES.values()
        for listed in kinds.values()
        for source in listed
    )


# The real tables


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    if not all((DATA / f"{file}.parquet").is_file() for files in FILES.values() for file in files):
        pytest.skip("the published tables are not part of the repository")
    out = tmp_path_factory.mktemp("real")
    for name in IMPORTED:
        assert run(name, DATA, out) == 0
    return Bench(out)


def spearman(x: Any, y: Any) -> float:
    stats = pytest.importorskip("scipy.stats")
    return float(stats.spearmanr(np.where(np.isnan(x), -np.inf, x), y).statistic)


def test_published_numbers_of_nb201(real: Bench) -> None:
    best = {"cifar10": 0.9437, "cifar100": 0.7351, "imagenet16-120": 0.4731}
    known = {  # Spearman with test200
        "cifar10": {"synflow": 0.769, "naswot": 0.793, "zen": 0.386, "params": 0.753},
        "cifar100": {"synflow": 0.761, "naswot": 0.808, "zen": 0.361, "params": 0.728},
        "imagenet16-120": {"synflow": 0.747, "naswot": 0.780, "zen": 0.399, "params": 0.691},
    }
    for dataset in best:
        pool = pool_of(real, "nb201", dataset, "nb201-200-mean", split="test")
        assert len(pool) == 15_625 and round(float(pool.accuracy.max()), 4) == best[dataset]
        for proxy, rho in known[dataset].items():
            assert spearman(pool.score(proxy), pool.accuracy) == pytest.approx(rho, abs=1.1e-3), (
                dataset,
                proxy,
            )
    assert np.isneginf(pool.score("naswot")).sum() == 201 and np.isnan(pool.score("zen")).sum() == 341
    best_arch = real.query(BEST)
    assert (best_arch.arch_id, best_arch.macs, best_arch.params) == (6111, 153_272_960, 1_073_466)
    assert best_arch.accuracy("cifar10", "nb201-200-mean", "test") == pytest.approx(0.94373, abs=1e-5)
    assert len(real.space("nb201").neighbours(BEST)) == 24
    for dataset, num_test, num_val in (
        ("cifar10", 10_000, 50_000),
        ("cifar100", 5_000, 5_000),
        ("imagenet16-120", 3_000, 3_000),
    ):
        for column, count in (
            ("test_acc", num_test),
            ("val_acc", num_val),
        ):  # counts of images; val of cifar10 is a mean of two runs on 25,000
            images = real.table("nb201", [column], dataset, "nb201-12")[column] * count
            assert np.abs(images - np.round(images)).max() < 1e-3, (dataset, column)


def test_published_numbers_of_nbmacro(real: Bench) -> None:
    pool = pool_of(real, "nbmacro", "cifar10", split="test", seed="mean")
    assert len(pool) == 6_561 and pool.accuracy.max() == pytest.approx(0.93127, abs=5e-6)
    at_best = {
        arch for arch, value in zip(pool.archs, pool.accuracy, strict=True) if value == pool.accuracy.max()
    }
    assert "22212220" in at_best
    assert spearman(pool.cost("macs"), pool.accuracy) == pytest.approx(0.748, abs=5e-4)
    assert spearman(pool.cost("params"), pool.accuracy) == pytest.approx(0.318, abs=5e-4)
    classes = real.table("nbmacro", ["iso_class"])["iso_class"]
    assert len(set(classes.tolist())) == 3_969
    spread = {number: set(pool.accuracy[classes == number]) for number in classes[:200]}
    assert all(len(values) == 1 for values in spread.values())  # one network, one training


def test_published_numbers_of_transnas(real: Bench) -> None:
    best = {
        ("macro", "jigsaw"): 0.9702,
        ("macro", "normal"): 0.6435,
        ("micro", "class_scene"): 0.5494,
        ("micro", "jigsaw"): 0.9537,
    }
    for (space, task), value in {**best, ("micro", "autoencoder"): 0.5772}.items():
        pool = pool_of(real, f"transnas-{space}", task)
        assert len(pool) == {"macro": 3_256, "micro": 4_096}[space] and pool.accuracy.max() == pytest.approx(
            value, abs=5.1e-5
        ), (space, task)
    # Where no path of operations leads from the input to the output, no image is told from another: the order of the edges is right.
    pool = pool_of(real, "transnas-micro", "class_scene")
    cut = np.array([disconnected(IMPORTED["transnas-micro"].parse(arch)) for arch in pool.archs])
    assert (
        cut.sum() == 169
        and len(set(pool.accuracy[cut])) == 1
        and pool.accuracy[cut].max() < pool.accuracy[~cut].min()
    )
    np.testing.assert_array_equal(np.isnan(pool.score("zen")), cut)


def test_published_numbers_of_darts_and_flexibert(real: Bench) -> None:
    pool = pool_of(real, "darts", "cifar10")
    assert (
        len(pool) == 1_000
        and (pool.accuracy.min(), pool.accuracy.max()) == (0.1022, 0.8661)
        and (pool.accuracy < 0.6).sum() == 2
    )
    table = pq.read_table(DATA / "flexibert500.parquet").to_pylist()
    pool = pool_of(real, "flexibert", "glue")
    assert (
        len(pool) == 491
        and pool.accuracy.max() == pytest.approx(0.7513) == max(row["glue"] for row in table) / 100
    )
    assert spearman(pool.cost("depth"), pool.accuracy) == pytest.approx(0.834, abs=5e-4)
    twice = ~np.isnan(real.table("flexibert", ["runs.val_acc"], "glue", seed=1)["runs.val_acc"])
    assert twice.sum() == 9


def explained(ranks: Any, choices: Any) -> float:
    """R^2 of a linear model of the choices, one-hot."""
    columns = [(values == one).astype(float) for values in choices.T for one in np.unique(values)]
    table = np.column_stack([np.ones(len(ranks)), *columns])
    left = ranks - table @ np.linalg.lstsq(table, ranks, rcond=None)[0]
    return 1 - float(left @ left) / float(((ranks - ranks.mean()) ** 2).sum())


def test_what_is_doubted_of_transnas_macro(real: Bench) -> None:
    """The figures in `IMPORTED["transnas-macro"].doubts`."""
    stats = pytest.importorskip("scipy.stats")
    choices = np.array([IMPORTED["transnas-macro"].parse(arch) for arch in real.space("transnas-macro")])
    found: dict[str, list[float]] = {}
    for task in TASKS:
        table = real.table("transnas-macro", dataset=task)
        for proxy in ("zen", "synflow", "fisher", "epe_nas"):
            if proxy in table and not np.isnan(table[proxy]).any():
                found.setdefault(proxy, []).append(explained(stats.rankdata(table[proxy]), choices))
    assert {proxy: len(values) for proxy, values in found.items()} == {
        "zen": 7,
        "synflow": 4,
        "fisher": 2,
        "epe_nas": 4,
    }
    assert min(found["epe_nas"]) > 0.005 and max(found["epe_nas"]) < 0.085
    rest = [value for proxy in ("zen", "synflow", "fisher") for value in found[proxy]]
    assert min(rest) > 0.745 and max(rest) < 0.955
    for space, low, high in (("macro", -0.01, 0.10), ("micro", 0.525, 0.605)):
        tasks = ("class_object", "class_scene", "room_layout", *(["jigsaw"] if space == "macro" else []))
        columns = [
            real.table(f"transnas-{space}", ["scores.epe_nas"], task)["scores.epe_nas"] for task in tasks
        ]
        rhos = [
            spearman(np.nan_to_num(a, nan=-1e8), np.nan_to_num(b, nan=-1e8))
            for a, b in itertools.combinations(columns, 2)
        ]
        assert low <= min(rhos) and max(rhos) <= high, (space, rhos)


def disconnected(values: tuple[int, ...]) -> bool:
    reached = {0}
    for value, (start, end) in zip(values, ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)), strict=True):
        if value and start in reached:
            reached.add(end)
    return 3 not in reached
