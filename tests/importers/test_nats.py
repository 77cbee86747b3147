"""NATS-Bench's archives: every number of a made one, and what is refused, in folders, tars and pickles."""

import bz2
import os
import pickle
import pickletools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.import_bench import main
from builders.work import apart
from nbzero import Bench
from nbzero.errors import NoSuchArchIdError
from nbzero.importers import nats
from nbzero.importers.nats import MAX_RUNS
from nbzero.importers.pickles import MAX_BYTES
from nbzero.release.verify import verify
from nbzero.spaces.nb201 import NB201, cell_class
from tests.importers.made import NUM, made_nb201, run, some, spearman, write
from tests.importers.made_official import as_bytes, as_tar, made_results, pbz2, write_nats
from tests.places import DATA

EPOCHS = {"12": 3, "200": 5}
SEEDS = {"12": (111,), "200": (777, 888, 999)}


def made() -> tuple[list[str], list[dict[str, Any]]]:
    archs = some("nb201")
    held = [made_results("nb201", index, arch, EPOCHS, SEEDS) for index, arch in enumerate(archs)]
    return archs, held


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made archive; not to be changed."""
    return write_nats(tmp_path_factory.mktemp("nats") / "NATS-tss-v1_0-3ffb9-simple", *made())


@pytest.fixture
def archive(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def said(source: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a source that is refused, after checking that nothing was written."""
    assert run("nb201", source, out) == 2
    assert not out.exists()
    message = capsys.readouterr().err
    assert len(message) < 4000
    return message


@pytest.mark.usefixtures("read_apart")
def test_every_number_of_a_topology_archive(archive: Path, tmp_path: Path) -> None:
    assert run("nb201", archive, tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    b = Bench(tmp_path / "out")
    archs, held = made()
    assert b.datasets("nb201") == ["cifar10", "cifar100", "imagenet16-120"]
    assert b.recipes("nb201", "cifar10") == ["nb201-12", "nb201-200", "nb201-200-mean"]
    where = {
        "cifar10": ("cifar10-valid", "cifar10", "ori-test"),
        "cifar100": ("cifar100", "cifar100", "x-test"),
        "imagenet16-120": ("ImageNet16-120", "ImageNet16-120", "x-test"),
    }
    for index, arch in enumerate(archs):
        r = b.query(arch)
        assert r.arch_id == index
        for dataset, (of_val, of_test, split) in where.items():
            for key, recipe in (("12", "nb201-12"), ("200", "nb201-200")):
                last = EPOCHS[key] - 1
                for number, seed in enumerate(SEEDS[key]):
                    results = held[index][key]["all_results"]
                    made_run = r.run(dataset, recipe, number)
                    if (of_val, seed) not in results:
                        assert index == 1 and number == 2 and made_run is None
                        continue
                    val, test = results[of_val, seed], results[of_test, seed]
                    assert made_run is not None
                    assert made_run.val_acc == pytest.approx(
                        val["eval_acc1es"][f"x-valid@{last}"] / 100, abs=1e-7
                    )
                    assert made_run.test_acc == pytest.approx(
                        test["eval_acc1es"][f"{split}@{last}"] / 100, abs=1e-7
                    )
                    assert made_run.train_loss == val["train_losses"][last]
                    assert made_run.train_time_s == 7.25 * EPOCHS[key]
                    assert made_run.averaged == "no" and len(made_run.curve) == EPOCHS[key]
                    curve = [val["eval_acc1es"][f"x-valid@{epoch}"] / 100 for epoch in range(EPOCHS[key])]
                    assert made_run.curve == pytest.approx(curve, abs=1e-7)
            mean = r.accuracy(dataset, "nb201-200-mean", "test")
            assert mean == pytest.approx(r.accuracy(dataset, "nb201-200", "test", "mean"))
    averaged = b.query(archs[0]).run("cifar10", "nb201-200-mean").averaged
    assert averaged == "val and test: one to 3 runs"


def test_a_tar_gives_the_same_release_as_its_folder(archive: Path, tmp_path: Path) -> None:
    tar = as_tar(archive, tmp_path / "any name")
    assert run("nb201", tar, tmp_path / "out") == 0
    assert run("nb201", archive, tmp_path / "out") == 0  # the same rows again
    assert Bench(tmp_path / "out").version == "0.1.0"


def test_scores_of_the_tables_join_runs_of_an_archive(archive: Path, tmp_path: Path, capsys: Any) -> None:
    tables = write(tmp_path / "tables", made_nb201())
    proxies = tables / "nasbench201_proxies.parquet"
    out = str(tmp_path / "out")
    assert main(["nb201", "--source", str(proxies), str(archive), "--out", out, "--scores", "none"]) == 0
    verify(out)
    assert "has no scores" not in capsys.readouterr().out
    b = Bench(out)
    for index, row in enumerate(made_nb201()["nasbench201_proxies"]):
        assert b.query(("nb201", index)).score("naswot", "cifar10") == row["naswot_cifar10"]
    other = str(tmp_path / "other")
    assert main(["nb201", "--source", str(archive), str(tables), "--out", other]) == 2
    assert "has runs of recipe nb201-12 with seed 0, and so has another file" in capsys.readouterr().err


def test_classes_are_those_of_the_published_table() -> None:
    import pyarrow.parquet as pq

    path = DATA / "nasbench201.parquet"
    if not path.is_file():
        pytest.skip("the published tables are not part of the repository")
    table = pq.read_table(path, columns=["arch_index", "arch", "iso_class"]).sort_by("arch_index")
    numbers: dict[str, int] = {}
    ours = []
    for arch in table.column("arch").to_pylist():
        ours.append(numbers.setdefault(cell_class(NB201.parse(arch)), len(numbers)))
    assert len(numbers) == 6466 and ours == table.column("iso_class").to_pylist()


# Wrong archives


def change(archive: Path, index: int, spoil: Any) -> None:
    """Spoil what the file of an arch holds."""
    path = archive / f"{index:06d}.pickle.pbz2"
    held = pickle.loads(bz2.decompress(path.read_bytes()))
    path.write_bytes(pbz2(spoil(held) or held))


def _set(key: str, name: str, value: Any) -> Any:
    def spoil(held: Any) -> None:
        held[key][name] = value

    return spoil


def _set_run(name: str, value: Any) -> Any:
    def spoil(held: Any) -> None:
        held["12"]["all_results"]["cifar10-valid", 111][name] = value

    return spoil


def _set_accuracy(value: Any) -> Any:
    def spoil(held: Any) -> None:
        held["12"]["all_results"]["cifar10-valid", 111]["eval_acc1es"]["x-valid@2"] = value

    return spoil


WRONG = [
    (lambda held: [held], "is no arch's results of NAS-Bench-201: it is no dict"),
    (lambda held: held.pop("200") and held, "it has the epochs 12, not 200"),
    (
        lambda held: {"01": held["12"], "12": held["12"], "90": held["200"]},
        "it has the epochs 01, 12, 90, not 200",
    ),
    (_set("12", "arch_str", "|none~0|"), "its epochs are of different archs"),
    (_set("12", "arch_index", True), "arch_index is bool, not int"),
    (_set("12", "arch_index", 10**5000), "arch_index is a number that no table has"),
    (_set("12", "all_results", []), "12 epochs: all_results is list, not dict"),
    (_set("12", "all_results", {"cifar10": {}}), "has a key that is no data set with a seed"),
    (_set("12", "all_results", {("x", seed): {} for seed in range(MAX_RUNS + 1)}), "has 101 runs"),
    (_set_run("epochs", 10**6), "12 epochs, cifar10-valid, seed 111: epochs is 1000000"),
    (_set_run("epochs", None), "epochs is NoneType, not int"),
    (_set_run("eval_acc1es", {"x-valid@2": "high"}), "eval_acc1es has a str that is no finite number"),
    (_set_run("train_times", {0: float("inf")}), "train_times has a float that is no finite number"),
    (_set_run("train_losses", {2: 10**400}), "train_losses has a int that is no finite number"),
    (_set_accuracy(101.0), "seed 111: x-valid: 1 of 1 values outside [0, 100] percent, first 101"),
    (_set_accuracy(float("nan")), "eval_acc1es has a float that is no finite number"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_wrong_arch_is_refused_by_its_file(
    archive: Path, tmp_path: Path, spoil: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(archive, 3, spoil)
    assert message in said(archive, tmp_path / "out", capsys)


def test_params_that_the_definition_does_not_give(archive: Path, tmp_path: Path, capsys: Any) -> None:
    def spoil(held: Any) -> None:
        for results in held.values():
            for of, one in results["all_results"].items():
                if of[0] == "cifar10":
                    one["params"] = 0.5

    change(archive, 3, spoil)
    assert "has 500000 params, its definition gives" in said(archive, tmp_path / "out", capsys)


def test_archives_that_are_not_whole(archive: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    seventh = archive / "000007.pickle.pbz2"
    data = seventh.read_bytes()
    seventh.unlink()
    assert "has no arch 7 (000007.pickle.pbz2), only 19 archs of 20" in said(archive, out, capsys)
    seventh.write_bytes((archive / "000008.pickle.pbz2").read_bytes())
    assert "000007.pickle.pbz2 says that it is of arch 8" in said(archive, out, capsys)
    seventh.write_bytes(data[: len(data) // 2])
    assert "000007.pickle.pbz2 is cut off: its bz2 stream has no end" in said(archive, out, capsys)
    seventh.write_bytes(b"")
    assert "000007.pickle.pbz2 is cut off" in said(archive, out, capsys)
    seventh.write_bytes(b"BZh9 and no more of it")
    assert "000007.pickle.pbz2 is not compressed by bz2" in said(archive, out, capsys)
    seventh.write_bytes(bz2.compress(b"no pickle"))
    assert "000007.pickle.pbz2 is no whole pickle of plain data" in said(archive, out, capsys)
    seventh.unlink()
    os.mkfifo(seventh)
    assert "000007.pickle.pbz2 is no regular file" in said(archive, out, capsys)
    seventh.unlink()
    seventh.write_bytes(data)
    (archive / "meta.pickle.pbz2").write_bytes(pbz2({"meta_archs": [1, 2]}))
    assert "has no list of arch strings 'meta_archs'" in said(archive, out, capsys)
    archs, _ = made()
    (archive / "meta.pickle.pbz2").write_bytes(pbz2({"meta_archs": archs[::-1]}))
    assert "arch 0 is '|" in said(archive, out, capsys)
    (archive / "meta.pickle.pbz2").write_bytes(pbz2({"meta_archs": archs[:-1]}))
    assert "meta_archs has 19 archs of nb201, the whole table has 20" in said(archive, out, capsys)


def test_an_index_beyond_the_table(archive: Path, tmp_path: Path, capsys: Any) -> None:
    held = made_results("nb201", 20, some("nb201")[0], EPOCHS, SEEDS)
    (archive / "000020.pickle.pbz2").write_bytes(pbz2(held))
    message = said(archive, tmp_path / "out", capsys)
    assert "000020.pickle.pbz2 is of arch 20; NAS-Bench-201 has 0 to 19" in message


def test_archs_of_another_benchmark(tmp_path: Path, capsys: Any) -> None:
    archs = [f"8:8:8:8:{8 * (1 + number % 8)}" for number in range(NUM)]
    held = []
    for index, arch in enumerate(archs):
        one = made_results("nb201", index, some("nb201")[0], EPOCHS, SEEDS)
        for results in one.values():
            results["arch_str"] = arch
        held.append(one)
    archive = write_nats(tmp_path / "archive", archs, held)
    message = said(archive, tmp_path / "out", capsys)
    assert "meta_archs: row 0: '8:8:8:8:8': an arch of nb201 (NAS-Bench-201) is like" in message


def test_a_tar_that_is_cut_off_or_no_archive(archive: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    tar = as_tar(archive, tmp_path / "archive.tar")
    data = tar.read_bytes()
    tar.write_bytes(data[: len(data) // 2])
    assert str(tar) in said(tar, out, capsys)
    tar.write_bytes(as_bytes(("readme", b"no archive")))
    assert "has no meta.pickle.pbz2" in said(tar, out, capsys)
    tar.write_bytes(as_bytes(("../000003.pickle.pbz2", pbz2(3)), ("a/meta.pickle.pbz2", b"")))
    assert "is no arch's results of NAS-Bench-201: it is no dict" in said(tar, out, capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, tar.name]
    single = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    single.write_bytes(pbz2({"meta_archs": []}))
    assert "is a single bz2 file: all of a benchmark in one pickle" in said(single, out, capsys)
    assert run("nbmacro", archive, out) == 2
    assert "is a folder or tar of NATS-Bench, which is no file of nbmacro" in capsys.readouterr().err


def test_an_archive_with_weights_is_refused_by_its_size(
    archive: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive / "000003.pickle.pbz2").write_bytes(bz2.compress(bytes(MAX_BYTES + 1)))
    message = said(archive, tmp_path / "out", capsys)
    assert f"000003.pickle.pbz2 has more than {MAX_BYTES:,} bytes when decompressed" in message
    monkeypatch.setattr(nats, "MAX_COMPRESSED", 1000)
    assert "has more than 1,000 bytes, as one with trained weights has" in said(
        archive, tmp_path / "out", capsys
    )


# Hostile pickles


class Runs:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (self.path,)


class Foreign:
    """A class of somebody's code."""


def test_foreign_classes_are_named_and_nothing_runs(archive: Path, tmp_path: Path, capsys: Any) -> None:
    path = archive / "000003.pickle.pbz2"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(bz2.compress(pickle.dumps(Runs(tmp_path / "ran"), protocol)))
        message = said(archive, tmp_path / "out", capsys)
        assert (
            "its pickle has 'posix.mknod', which no table of numbers needs; nothing of it was run" in message
        )
    assert not (tmp_path / "ran").exists()
    path.write_bytes(pbz2({"12": Foreign()}))
    assert "its pickle has 'tests.importers.test_nats.Foreign'" in said(archive, tmp_path / "out", capsys)
    path.write_bytes(pbz2(np.zeros(3)))
    assert "reconstruct'" in said(archive, tmp_path / "out", capsys)
    for code in (b"cbuiltins\neval\n(V1\ntR.", b"(ibuiltins\neval\n.", b"P1\n.", b"I1\nQ."):
        path.write_bytes(bz2.compress(code))
        message = said(archive, tmp_path / "out", capsys)
        assert "'builtins.eval'" in message or "a persistent id, as torch has for tensors" in message
    path.unlink()
    meta = archive / "meta.pickle.pbz2"
    meta.write_bytes(bz2.compress(pickle.dumps(Runs(tmp_path / "ran"))))
    assert "meta.pickle.pbz2: its pickle has 'posix.mknod'" in said(archive, tmp_path / "out", capsys)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cnumpy\ndtype\n(Vobject\ntR.",
        b"cnumpy\ndtype\n(I1\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(I1\nI2\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(Vf8\ntRC\x011tR.",
        b"cnumpy\ndtype\n}b.",
        b"cnumpy\ndtype\n(N}Vx\nI1\nstb.",
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"ccollections\nOrderedDict\n}Vx\nI1\nsb.",
        b"]" * 1000,
        b"(" * 100_000 + b".",
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little"),
        b"\x80\xff.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"\x82\x01.",
        b".",
        b"",
    ],
)
def test_pickles_that_make_no_sense(archive: Path, tmp_path: Path, code: bytes, capsys: Any) -> None:
    (archive / "000003.pickle.pbz2").write_bytes(bz2.compress(code))
    message = said(archive, tmp_path / "out", capsys)
    assert "000003.pickle.pbz2 is no" in message


@pytest.mark.usefixtures("read_apart")
def test_a_pickle_that_never_ends(
    archive: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = b")" + b"2\x86" * 60 + b"q\x000}h\x00I1\ns."
    assert any(op.name == "SETITEM" for op, _, _ in pickletools.genops(nested))
    monkeypatch.setattr(apart, "LIMIT_S", 2.0)
    (archive / "000003.pickle.pbz2").write_bytes(bz2.compress(nested))
    message = said(archive, tmp_path / "out", capsys)
    assert "000003.pickle.pbz2 was not read within the limit of 2 s" in message


@pytest.mark.long
@pytest.mark.usefixtures("read_apart")
def test_a_pickle_that_takes_all_memory(archive: Path, tmp_path: Path, capsys: Any) -> None:
    (archive / "000003.pickle.pbz2").write_bytes(bz2.compress(b"(" + b"]" * (MAX_BYTES - 10) + b"l."))
    message = said(archive, tmp_path / "out", capsys)
    assert "000003.pickle.pbz2 is no whole pickle of plain data (MemoryError" in message


def test_numbers_of_numpy_in_every_protocol(archive: Path, tmp_path: Path) -> None:
    """All kinds of numbers that a pickle of the authors may have, as Python's."""
    import io

    from nbzero.importers.pickles import load_plain

    held = [np.float64(1.5), np.float32(0.1), np.int64(-3), np.int32(7), np.bool_(True), {1, 2}, b"\xff\x00"]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        read = load_plain(io.BytesIO(pickle.dumps(held, protocol)), "here", "look")
        assert read == [1.5, float(np.float32(0.1)), -3, 7, True, {1, 2}, b"\xff\x00"]
        assert [type(value) for value in read] == [float, float, int, int, bool, set, bytes]


def test_published_numbers_through_an_archive(tmp_path: Path, real: Any) -> None:
    """The shared table's seeds of a few hundred archs, written as an archive, come back."""
    import pyarrow.parquet as pq

    if not (DATA / "nasbench201.parquet").is_file():
        pytest.skip("the published tables are not part of the repository")
    rows = pq.read_table(DATA / "nasbench201.parquet").sort_by("arch_index").slice(0, 200).to_pylist()
    layout = nats.Layout("nb201", {"200": "nb201-200"}, "an archive", cell_class)
    read = []
    for row in rows:
        held = made_results("nb201", 0, row["arch"], {"200": 2}, {"200": (777, 888, 999)})
        held["200"]["arch_index"] = row["arch_index"]
        results = held["200"]["all_results"]
        for number, seed in enumerate((777, 888, 999)):
            if number < len(row["test200_cifar10_seeds"]):
                results["cifar10", seed]["eval_acc1es"]["ori-test@1"] = row["test200_cifar10_seeds"][number]
            else:
                results.pop(("cifar10", seed), None)
                results.pop(("cifar10-valid", seed), None)
        read.append(nats.parsed_file(layout, pbz2(held), f"{row['arch_index']:06d}.pickle.pbz2"))
    of_cifar10 = nats.rows_of_archs(layout, read, "here")["runs", "nb201", "cifar10"]
    means = [one["test_acc"] * 100 for one in of_cifar10 if one["recipe"] == "nb201-200-mean"]
    published = [row["test200_cifar10"] for row in rows]
    assert np.mean(np.abs(np.array(means) - published)) < 0.1 and spearman(means, published) > 0.98
    by_seed = {
        (one["arch_id"], one["seed"]): one["test_acc"] for one in of_cifar10 if one["recipe"] == "nb201-200"
    }
    for row in rows:
        for number, seen in enumerate(row["test200_cifar10_seeds"]):
            assert by_seed[row["arch_index"], number] == pytest.approx(seen / 100, abs=1e-6)


# The size space


SIZE_EPOCHS = {"01": 1, "12": 3, "90": 4}
SIZE_SEEDS: dict[str, tuple[int, ...]] = {"01": (777,), "12": (777,), "90": (777, 888, 999)}


def made_sizes() -> tuple[list[str], list[dict[str, Any]]]:
    archs = sorted(some("nats-sss"))
    held = [
        made_results("nats-sss", index, arch, SIZE_EPOCHS, SIZE_SEEDS) for index, arch in enumerate(archs)
    ]
    return archs, held


def test_a_size_archive_that_is_cut_off(tmp_path: Path, capsys: Any) -> None:
    archive, out = write_nats(tmp_path / "NATS-sss-v1_0-50262-simple", *made_sizes()), tmp_path / "out"
    tar = as_tar(archive, tmp_path / "archive.tar")
    data = tar.read_bytes()
    tar.write_bytes(data[: len(data) // 2])
    one = archive / "000003.pickle.pbz2"
    one.write_bytes(one.read_bytes()[:-9])
    for source in (tar, archive):
        assert run("nats-sss", source, out) == 2
        assert source.name in capsys.readouterr().err
        assert not out.exists()


def test_a_topology_archive_is_none_of_sizes(archive: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("nats-sss", archive, tmp_path / "out") == 2
    assert "it has the epochs 12, 200, not 01, 90" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_every_accuracy_of_a_size_archive(tmp_path: Path, capsys: Any) -> None:
    archs, held = made_sizes()
    epochs, seeds = SIZE_EPOCHS, SIZE_SEEDS
    archive = write_nats(tmp_path / "NATS-sss-v1_0-50262-simple", archs, held)
    out = tmp_path / "out"
    assert run("nb201", archive, out) == 2
    assert "it has the epochs 01, 12, 90, not 200" in capsys.readouterr().err
    assert run("nats-sss", archive, out) == 0
    verify(str(out))
    b = Bench(out)
    assert list(b.space("nats-sss")) == archs
    with pytest.raises(NoSuchArchIdError, match=f"arch_id {NUM}; nats-sss has 0 to {NUM - 1}"):
        b.query(("nats-sss", NUM))
    assert b.recipes("nats-sss", "cifar10") == [
        "nats-sss-1",
        "nats-sss-12",
        "nats-sss-90",
        "nats-sss-90-mean",
    ]
    for index, arch in enumerate(archs):
        r = b.query(arch)
        for key, recipe in (("01", "nats-sss-1"), ("12", "nats-sss-12"), ("90", "nats-sss-90")):
            for number, seed in enumerate(seeds[key]):
                results = held[index][key]["all_results"].get(("cifar100", seed))
                if results is None:
                    assert r.run("cifar100", recipe, number) is None
                    continue
                for split, of in (("val", "x-valid"), ("test", "x-test")):
                    accuracy = results["eval_acc1es"][f"{of}@{epochs[key] - 1}"] / 100
                    assert r.accuracy("cifar100", recipe, split, number) == pytest.approx(accuracy, abs=1e-7)
    table = tmp_path / "x.parquet"
    table.write_bytes(b"PAR1")
    assert run("nats-sss", table, tmp_path / "other") == 2
    assert (
        "x.parquet is no official file of nats-sss with its archs; give NATS-sss" in capsys.readouterr().err
    )
