"""builders.check_device: on a CPU it agrees with itself; what differs is told and is an exit status."""

import dataclasses
import re

import pytest
import torch

from builders import check_device
from builders.check_device import PROCESSOR, best_of, differs, proxies_agree, training_agrees
from nbzero.spaces.macro import macs
from train.engine import Steps


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def quick(monkeypatch):
    """Fewer steps of smaller batches, and fewer proxies."""
    recipe = dataclasses.replace(check_device.AGREEING_RECIPE, batch=8)
    monkeypatch.setattr(check_device, "AGREEING_STEPS", 3)
    monkeypatch.setattr(check_device, "AGREEING_RECIPE", recipe)
    monkeypatch.setattr(check_device, "RECIPE", dataclasses.replace(check_device.RECIPE, batch=4))
    monkeypatch.setattr(check_device, "COMPUTE", ("snip", "naswot", "macs"))


@pytest.mark.parametrize("sizes", [check_device.CARD, PROCESSOR])
def test_every_family_has_a_small_a_middle_and_a_large_network(sizes):
    wanted = {32: (8e6, 50e6, 150e6), 16: (1e6, 4e6, 8e6)}[sizes.resolution]
    for archs in sizes.archs.values():
        for arch, macs_wanted in zip(archs, wanted, strict=True):
            assert macs(arch, sizes.resolution) == pytest.approx(macs_wanted, rel=0.15)


def test_the_whole_on_a_cpu(quick, tmp_path, capsys):
    """Without speeds: no time is left for them."""
    path = tmp_path / "check.md"
    assert check_device.main(["cpu", "--seconds", "0", "--out", str(path)]) == 0
    said = capsys.readouterr().out
    assert path.read_text() == said
    assert len(re.findall(r"^\| (r1|r2|mb) \| 0\.0e\+00 \|", said, re.MULTILINE)) == 3
    assert "left out, the time was over" in said and "of 3 networks: 0 differ" in said
    assert "next: python -m builders.train_shard --space r1" in said


def test_speeds_have_a_row_per_network_and_name_the_fastest(quick, monkeypatch):
    monkeypatch.setattr(check_device, "FAMILIES", ("r1",))
    few = dataclasses.replace(PROCESSOR, together=(1, 2), steps=4)
    lines: list[str] = []
    best = check_device.speeds("cpu", few, float("inf"), lines.append)
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) == 3 and best in (1, 2)
    columns = lines[2].count("|")
    assert all(row.count("|") == columns for row in rows)


def test_training_that_differs_is_told(quick, monkeypatch):
    """The card is played by a CPU whose steps are made with another rate."""
    after = check_device.after_steps

    def other(arch, device, precision, graph=False):
        if device != "card":
            return after(arch, device, precision)
        made = Steps.__init__

        def wrong(self, *arguments):
            made(self, *arguments)
            self._rates *= 1.5

        with monkeypatch.context() as patched:
            patched.setattr(Steps, "__init__", wrong)
            return after(arch, "cpu", precision)

    monkeypatch.setattr(check_device, "after_steps", other)
    with pytest.raises(check_device.Disagreement, match="training of r1, r2, mb"):
        training_agrees("card", lambda line: None)


def test_a_proxy_that_differs_is_told(quick, monkeypatch):
    score, called = check_device.score, []

    def other(net, images, labels, names):
        scores = score(net, images, labels, names)
        called.append(1)
        if len(called) % 3 == 0:  # the third is the device's
            scores["snip"] *= 1.001
            scores["naswot"] = None
        return scores

    monkeypatch.setattr(check_device, "score", other)
    with pytest.raises(
        check_device.Disagreement, match=r"snip of r1: .*; naswot of r1: None for .*snip of mb"
    ):
        proxies_agree("cpu", lambda line: None)


def test_differences():
    assert differs("snip", 1.1, 1.0) == pytest.approx(0.1)
    assert differs("snip", None, None) == 0 and differs("snip", None, 1.0) == float("inf")
    assert differs("jacob_cov", -16.2, -16.1) == pytest.approx(1.0)
    assert best_of({1: 3.0, 8: 1.0, 16: 1.1}) == 8 and best_of({}) == 1


def test_a_card_that_is_not_there(capsys):
    assert check_device.main(["cuda:99"]) == 2
    assert "device 'cuda:99'; this machine has cpu" in capsys.readouterr().err
