"""Who trains without bfloat16 instructions is told so, by a factor that is measured; nobody else is."""

import pytest
import torch

from train import bfloat16
from train.bfloat16 import factor, own_flags, said_without
from train.recipe import recipe

OLD = ["sse2", "avx2", "avx512f"]


@pytest.fixture(autouse=True)
def on_x86(monkeypatch):
    monkeypatch.setattr(bfloat16.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(bfloat16, "factor", lambda: 5.04)


@pytest.mark.parametrize("space", ["r1", "r2-mini"])
def test_it_is_said_where_the_instructions_lack(space):
    said = said_without(space, recipe("cpu-16px-4"), "cpu", OLD)
    assert said.startswith("this processor has no bfloat16 instructions (avx512_bf16 or amx_bf16)")
    assert f"cpu-16px-4 trains {space} in bfloat16" in said and "takes 5.0 times as long" in said


@pytest.mark.parametrize(
    ("space", "name", "device", "flags"),
    [
        ("r1", "cpu-16px-4", "cpu", [*OLD, "avx512_bf16"]),
        ("r1", "cpu-16px-4", "cpu", [*OLD, "amx_bf16"]),
        ("r1", "cpu-16px-4", "cpu", []),  # of which nothing is known
        ("r1", "cpu-16px-4", "cuda:0", OLD),
        ("mb", "cpu-16px-4", "cpu", OLD),  # trained in float32
    ],
)
def test_else_nothing_is_said(space, name, device, flags):
    assert said_without(space, recipe(name), device, flags) is None


def test_mb_is_told_where_its_recipe_has_bfloat16():
    assert "gpu-12 trains mb in bfloat16" in said_without("mb", recipe("gpu-12"), "cpu", OLD)


def test_other_processors_are_not_meant(monkeypatch):
    monkeypatch.setattr(bfloat16.platform, "machine", lambda: "aarch64")
    assert said_without("r1", recipe("cpu-16px-4"), "cpu", ["asimd"]) is None


def test_flags_are_those_of_this_processor(monkeypatch):
    asked = []
    monkeypatch.setattr(bfloat16, "own_flags", lambda: asked.append(1) or OLD)
    assert said_without("r1", recipe("cpu-16px-4"), "cpu") and asked
    monkeypatch.undo()
    assert "sse2" in own_flags() or bfloat16.platform.machine() not in bfloat16.X86


def test_the_factor_is_of_two_times_and_leaves_the_threads(monkeypatch):
    monkeypatch.setattr(bfloat16, "MEASURED_S", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert 0.01 < factor() < 1000
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
