"""A network as an ONNX file: the logits are torch's for any batch, and nothing else is written."""

import pytest
import torch

from nbzero.errors import MissingPackageError, NBZeroError, OutputError, UsageError
from nbzero.networks import build_net, export_onnx, onnx
from tests.cli.asking import answer, ask

onnxruntime = pytest.importorskip("onnxruntime", reason="pip install '.[onnx]'")
ARCH = "r1-mini-s4-d1w12s2-d1w12s2-d1w12s2"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The row that the command gives, and its file."""
    path = tmp_path_factory.mktemp("onnx") / "new" / "net.onnx"
    got = answer("export-onnx", ARCH, "--out", path, "--classes", "7", "--seed", "3", "--resolution", "16")
    return got["rows"][0], path


def logits_of(path, images):
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_files_logits_are_those_of_the_network(exported, count):
    images = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(count))
    with torch.no_grad():
        wanted = build_net(ARCH, 7, 3).eval()(images)
    torch.testing.assert_close(logits_of(exported[1], images), wanted, rtol=1e-4, atol=1e-5)


def test_the_command_says_what_it_wrote(exported):
    row, path = exported
    assert row["file"] == str(path)
    assert row["bytes"] == path.stat().st_size
    assert row["input"] == "images (N, 3, 16, 16)"
    assert 0 <= row["deviation"] < 1e-4


def test_another_network_than_the_files_is_seen(exported):
    data = exported[1].read_bytes()
    assert onnx._deviation(build_net(ARCH, 7, 3).eval(), data, 16) < 1e-4
    assert onnx._deviation(build_net(ARCH, 7, 4).eval(), data, 16) > 0.01


def test_logits_that_differ_are_refused_and_nothing_is_written(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_traced", lambda net, resolution: exported[1].read_bytes())
    with pytest.raises(NBZeroError, match=r"differ from torch's by .* nothing was written"):
        export_onnx(ARCH, tmp_path / "net.onnx", 7, seed=4, resolution=16)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_training_take_the_place_of_the_initial_ones(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_traced", lambda net, resolution: exported[1].read_bytes())
    weights = build_net(ARCH, 7, 3).state_dict()
    assert export_onnx(ARCH, tmp_path / "net.onnx", 7, 0, 16, weights).deviation < 1e-4


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"weights do not fit .*with as many classes"):
        export_onnx(ARCH, tmp_path / "net.onnx", 10, weights=build_net(ARCH, 7).state_dict())


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingPackageError, match=r"export_onnx needs onnxscript.*'.\[onnx\]'"):
        export_onnx(ARCH, tmp_path / "net.onnx")


def test_a_file_that_cannot_be_written_is_named(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_traced", lambda net, resolution: exported[1].read_bytes())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        export_onnx(ARCH, tmp_path / "file" / "net.onnx", 7, 3, 16)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("r1-mini-s4", "--out", "x.onnx"), "r1-mini-s4"),
        ((ARCH,), "--out"),
        ((ARCH, "--out", "x.onnx", "--resolution", "4"), "8"),
        ((ARCH, "--out", "x.onnx", "--classes", "0"), "1"),
    ],
)
def test_wrong_usage_is_explained(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in ask("export-onnx", *args, status=2).stderr
    assert list(tmp_path.iterdir()) == []
