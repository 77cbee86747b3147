"""The wheel alone: a fresh virtual environment with the wheel and its two dependencies, outside the checkout, answers."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.places import ROOT

ASK = """
import sys
from nbzero import Bench
b = Bench()
r = b.query("r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2")
print(r.macs, len(b.table("r1-mini", columns=["macs"])), b.arrow("archs", "mb").num_rows, "nbzero/data" in repr(b).replace("\\\\\\\\", "/"))
print(*sorted({"torch", "pandas", "h5py", "fsspec"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"  # a copy, so that building leaves nothing in the checkout
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    for name in listed:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)],
        check=True,
    )
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_ships_the_release_the_jobs_and_the_marker(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    released = {
        f"nbzero/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "data").rglob("*")
        if path.is_file() and "shards" not in path.parts
    }
    assert released <= names
    assert {
        "nbzero/py.typed",
        "nbzero/pages/report.html",
        "nbzero/pages/report.js",
        "builders/train_shard.py",
        "builders/proxies/trace.py",
        "train/loop.py",
    } <= names
    assert not any(name.startswith("tests") or name.endswith((".part", ".pyc")) for name in names)
    (metadata,) = (name for name in names if name.endswith("METADATA"))
    needs = [
        line
        for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist") and "extra" not in line
    ]
    assert sorted(line.split()[1].split(">")[0] for line in needs) == ["numpy", "pyarrow"]


def test_a_fresh_environment_with_the_wheel_alone_answers(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }  # pip would find the checkout on PYTHONPATH
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)],
        check=True,
        env=alone,
    )
    asked = subprocess.run(
        [python, "-I", "-c", ASK], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == ["498983936 1000 9743 True", ""]
    bare = subprocess.run(
        [tmp_path / "venv/bin/nbzero", "info"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        env=alone,
    )
    assert (
        (bare.returncode, bare.stdout) == (2, "")
        and "typer" in bare.stderr
        and "pip install 'nbzero[cli]'" in bare.stderr
    )
    checked = subprocess.run(
        [python, "-I", "-m", "builders.verify"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0 and checked.stdout.splitlines()[-1].endswith("files hold"), checked.stderr
    job = subprocess.run(
        [python, "-I", "-m", "builders.score_shard", "--help"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "No module named 'torch'" in job.stderr  # the jobs ship, and need the [build] extra
