"""NAS-Bench-201's file of torch, of both forms: the release of the archive, and what is refused."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbzero import Bench
from nbzero.importers import torch_file
from nbzero.release.verify import verify
from tests.importers.made import run, some
from tests.importers.made_official import made_torch, write_legacy, write_zip
from tests.importers.test_nats import Foreign, Runs

Write = Callable[[Path, Any], Path]
WRITE: dict[str, Write] = {"legacy": write_legacy, "zip": write_zip}


def refused(source: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run("nb201", source, out) == 2
    assert not out.exists()
    said = capsys.readouterr().err
    assert str(source) in said and len(said) < 2000
    return said


def check_numbers(out: Path, held: dict[str, Any]) -> None:
    verify(str(out))
    b = Bench(out)
    assert list(b.space("nb201")) == held["meta_archs"]
    assert b.recipes("nb201", "cifar10") == ["nb201-12", "nb201-200", "nb201-200-mean"]
    for index, arch in enumerate(held["meta_archs"]):
        r = b.query(arch)
        for number, seed in enumerate((777, 888, 999)):
            results = held["arch2infos"][index]["full"]["all_results"]
            one = r.run("cifar10", "nb201-200", number)
            if ("cifar10", seed) not in results:
                assert one is None
                continue
            assert one is not None
            val, test = results["cifar10-valid", seed], results["cifar10", seed]
            assert one.val_acc == pytest.approx(val["eval_acc1es"]["x-valid@19"] / 100, abs=1e-7)
            assert one.test_acc == pytest.approx(test["eval_acc1es"]["ori-test@19"] / 100, abs=1e-7)
            assert one.train_loss == val["train_losses"][19] and len(one.curve) == 20


@pytest.mark.usefixtures("read_apart")
@pytest.mark.parametrize("form", WRITE)
def test_every_accuracy_of_a_file(tmp_path: Path, form: str) -> None:
    held = made_torch(some("nb201"))
    assert run("nb201", WRITE[form](tmp_path / "any name", held), tmp_path / "out") == 0
    check_numbers(tmp_path / "out", held)


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_file_that_torch_writes(tmp_path: Path, is_zip: bool) -> None:
    torch = pytest.importorskip("torch")
    held = made_torch(some("nb201"))
    path = tmp_path / "x.pth"
    torch.save(held, path, _use_new_zipfile_serialization=is_zip)
    assert run("nb201", path, tmp_path / "out") == 0
    check_numbers(tmp_path / "out", held)


@pytest.mark.parametrize("form", WRITE)
def test_foreign_classes_and_tensors_are_named_and_nothing_runs(
    tmp_path: Path, form: str, capsys: Any
) -> None:
    path, out = tmp_path / "x.pth", tmp_path / "out"
    held = made_torch(some("nb201"))
    held["more"] = Runs(tmp_path / "ran")
    assert "its pickle has 'posix.mknod'" in refused(WRITE[form](path, held), out, capsys)
    held["more"] = Foreign()
    assert "its pickle has" in refused(WRITE[form](path, held), out, capsys)
    assert not (tmp_path / "ran").exists()
    torch = pytest.importorskip("torch")
    held["more"] = torch.zeros(2)
    torch.save(held, path, _use_new_zipfile_serialization=form == "zip")
    assert "its pickle has 'torch._utils._rebuild_tensor" in refused(path, out, capsys)


def _lacks(held: Any) -> None:
    del held["arch2infos"][7]


def _beyond(held: Any) -> None:
    held["arch2infos"][20] = made_torch([*some("nb201"), some("nb201")[0]], 1)["arch2infos"][20]


def _other(held: Any) -> None:
    held["arch2infos"][4] = held["arch2infos"][3]


def _other_epochs(held: Any) -> None:
    held["arch2infos"][3] = {"12": held["arch2infos"][3]["less"]}


def _no_index(held: Any) -> None:
    held["arch2infos"]["3"] = held["arch2infos"].pop(3)


def _huge_index(held: Any) -> None:
    held["arch2infos"][10**5000] = held["arch2infos"].pop(3)


WRONG = [
    (_no_index, "a key of arch2infos is no index of an arch"),
    (_huge_index, "a key of arch2infos is no index of an arch"),
    (_lacks, "has no arch 7 (000007.pickle.pbz2), only 19 archs of 20"),
    (_beyond, "has an arch 20, its table has 0 to 19"),
    (_other, "arch 4 says that it is 3"),
    (_other_epochs, "arch 3 is no arch's results of NAS-Bench-201: it has the epochs 12, not less, full"),
    (lambda held: held.update(arch2infos=[]), "has no dict 'arch2infos'"),
    (lambda held: held.update(meta_archs=[None]), "has no list of arch strings 'meta_archs'"),
    (lambda held: held["meta_archs"].reverse(), "arch 0 is '|"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
@pytest.mark.parametrize("form", WRITE)
def test_a_wrong_file_is_refused(tmp_path: Path, form: str, spoil: Any, message: str, capsys: Any) -> None:
    held = made_torch(some("nb201"), epochs=1)
    spoil(held)
    assert message in refused(WRITE[form](tmp_path / "x.pth", held), tmp_path / "out", capsys)


def test_files_that_are_cut_off_or_no_such(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "x.pth", tmp_path / "out"
    held = made_torch(some("nb201"), epochs=1)
    for form, message in (("legacy", "its object is no whole pickle"), ("zip", "is no zip of torch")):
        data = WRITE[form](path, held).read_bytes()
        path.write_bytes(data[: len(data) // 2])
        assert message in refused(path, out, capsys)
    write_zip(path, held, "other.pkl")
    assert "is a zip with 0 data.pkls, not 1" in refused(path, out, capsys)
    write_zip(path, held, how=zipfile.ZIP_DEFLATED)
    assert "archive/data.pkl is compressed" in refused(path, out, capsys)
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1002, {}, held)))
    assert "is of another version of torch's format than 1001" in refused(path, out, capsys)
    monkeypatch.setattr(torch_file, "MAX_BYTES", 1000)
    assert "NAS-Bench-201-v1_1-096897.pth has less than 1,000" in refused(path, out, capsys)
    assert run("nbmacro", path, out) == 2
    assert "is a file of torch, which is no file of nbmacro" in capsys.readouterr().err
    path.unlink()
    os.mkfifo(path)
    assert run("nb201", path, out) == 2
    assert "is no regular file" in capsys.readouterr().err
