"""What rows say of where they come from: the commit of the checkout, and whether its code was changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builders.work import origin
from nbzero.errors import UsageError
from tests.places import ROOT


def test_a_row_names_device_and_software():
    assert origin.device_name("cpu").endswith(", 1 thread")
    assert origin.software().startswith("torch ") and f"python {sys.version.split()[0]}" in origin.software()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of a few files, with the real module in its place."""
    for name in ("builders/work/origin.py", "nbzero/a.py", "train/b.py", "tests/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    for name in ("builders/work/origin.py", "nbzero/errors.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def commit_said(checkout: Path, **environment: str) -> str:
    code = "from builders.work.origin import builder_commit; print(builder_commit())"
    command = [sys.executable, "-c", code]
    said = os.environ | environment
    done = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True, env=said)
    return done.stdout.strip()


def test_the_commit_is_that_of_the_checkout_with_changes_of_its_code(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert commit_said(checkout) == head
    (checkout / "tests/c.py").write_text("x = 2\n")
    (checkout / "nbzero/new.py").write_text("x = 2\n")
    assert commit_said(checkout) == head  # neither tests nor what git does not know
    for name in ("nbzero/a.py", "train/b.py", "builders/work/origin.py"):
        before = (checkout / name).read_text()
        (checkout / name).write_text(f"{before}\n")
        assert commit_said(checkout) == f"{head}+changes", name
        (checkout / name).write_text(before)
    assert commit_said(checkout) == head


def test_outside_a_checkout_it_is_the_installed_version(checkout):
    shutil.rmtree(checkout / ".git")
    assert commit_said(checkout).startswith("nbzero ")


def test_a_copy_without_git_is_told_its_commit(checkout, monkeypatch):
    shutil.rmtree(checkout / ".git")
    assert commit_said(checkout, NBZERO_BUILDER_COMMIT="0123456789" * 4) == "0123456789" * 4
    monkeypatch.setenv("NBZERO_BUILDER_COMMIT", "main")
    origin.builder_commit.cache_clear()
    with pytest.raises(UsageError, match="NBZERO_BUILDER_COMMIT is 'main'; it is 40 hexadecimal digits"):
        origin.builder_commit()


def test_this_checkout_is_found():
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    assert origin.builder_commit().removesuffix("+changes") == git(ROOT, "rev-parse", "HEAD")
