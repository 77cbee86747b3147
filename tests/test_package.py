"""The wheel alone, and the jobs in a checkout.

A fresh environment with the wheel and its two dependencies answers, outside the checkout. The jobs are no
part of the wheel: they run from the checkout's root.
"""

import configparser
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.places import ROOT

ASK = """
import sys
from nbzero import Bench
b = Bench()
r = b.query("r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2")
num_rows = len(b.table("r1-mini", columns=["macs"])), b.arrow("archs", "mb").num_rows
print(r.macs, *num_rows, "nbzero/data" in repr(b).replace("\\\\\\\\", "/"))
print(*sorted({"torch", "pandas", "h5py", "fsspec"} & set(sys.modules)))
try:
    from nbzero.networks import build_net
except ImportError as error:
    print(type(error).__name__, error)
"""
CHECK = "from nbzero.release import verify; print(len(verify()) > 8)"
DEPENDENCIES = ("numpy", "pyarrow")


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
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]  # without network
    subprocess.run([sys.executable, *build, "--wheel-dir", str(out), str(source)], check=True)
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_ships_the_release_and_the_marker(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    released = {
        f"nbzero/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "data").rglob("*")
        if path.is_file() and "shards" not in path.parts
    }
    assert released <= names
    assert {
        "nbzero/py.typed",
        "nbzero/pages/explorer.css",
        "nbzero/pages/explorer.html",
        "nbzero/pages/leaderboard.html",
        "nbzero/pages/leaderboard.js",
        "nbzero/pages/report.html",
        "nbzero/pages/report.js",
        "nbzero/images/__main__.py",
        "nbzero/networks/build.py",
        "nbzero/proxies/trace.py",
        "nbzero/search/clock.json",
    } <= names
    assert not any(name.endswith((".part", ".pyc")) for name in names)
    (metadata,) = (name for name in names if name.endswith("METADATA"))
    needs = [
        line
        for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist") and "extra" not in line
    ]
    assert sorted(line.split()[1].split(">")[0] for line in needs) == ["numpy", "pyarrow"]


def test_the_only_top_level_package_is_nbzero(wheel):
    """A package `train` or `builders` would be imported in place of the user's own train.py, or hide it."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nbzero"}
    packages = {path.parent for path in (ROOT / "nbzero").rglob("__init__.py")}
    shipped = {
        Path(name).parent for name in zipfile.ZipFile(wheel).namelist() if name.endswith("__init__.py")
    }
    assert {package.relative_to(ROOT) for package in packages} == shipped


def outside(tmp_path: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command outside the checkout, which PYTHONPATH may name."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=tmp_path, env=alone, check=False, capture_output=True, text=True)


def check_answers(python: Path, tmp_path: Path) -> None:
    asked = outside(tmp_path, python, "-I", "-c", ASK)
    assert asked.returncode == 0, asked.stderr
    numbers, heavy, missing = asked.stdout.splitlines()
    assert (numbers, heavy) == ("498983936 1000 9743 True", "")
    assert missing.startswith("MissingPackageError nbzero.networks.build_net needs torch")
    assert missing.endswith("pip install '.[torch]' in a checkout of nbzero")


def check_needs_typer(asked: subprocess.CompletedProcess[str]) -> None:
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "typer" in asked.stderr and "pip install '.[cli]' in a checkout of nbzero" in asked.stderr


def test_the_wheel_and_its_two_dependencies_answer(wheel, tmp_path):
    """In an environment that has nothing else; what pip would install is linked."""
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv/lib").glob("*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    for name in DEPENDENCIES:
        (package,) = importlib.util.find_spec(name).submodule_search_locations
        for part in Path(package).parent.glob(f"{name}*"):  # with its libraries and what it says of itself
            (site / part.name).symlink_to(part)
    python = tmp_path / "venv/bin/python"
    check_answers(python, tmp_path)
    check_needs_typer(outside(tmp_path, python, "-m", "nbzero", "info"))


@pytest.mark.long
def test_a_fresh_environment_with_the_wheel_alone_answers(wheel, tmp_path):
    venv.create(tmp_path / "venv", symlinks=True, with_pip=True)
    python = tmp_path / "venv/bin/python"
    quiet = ("--quiet", "--disable-pip-version-check")
    installed = outside(tmp_path, python, "-m", "pip", "install", *quiet, wheel)
    assert installed.returncode == 0, installed.stderr
    check_answers(python, tmp_path)
    assert outside(tmp_path, python, "-I", "-c", CHECK).stdout == "True\n"
    check_needs_typer(outside(tmp_path, tmp_path / "venv/bin/nbzero", "info"))


def locked(path: Path) -> dict[str, list[tuple[str, int]]]:
    """Package -> the versions that a lock file pins, each with how many hashes it allows."""
    found: dict[str, list[tuple[str, int]]] = {}
    for entry in path.read_text().replace("\\\n", " ").splitlines():
        if entry and not entry.startswith("#"):
            pinned, *hashes = entry.split("--hash=sha256:")
            name, version = re.fullmatch(r"([a-z0-9-]+)==([\w.]+)(?: ;.*)?", pinned.strip()).groups()
            assert all(re.fullmatch(r"[0-9a-f]{64}", one.strip()) for one in hashes), name
            found.setdefault(name, []).append((version, len(hashes)))
    return found


def test_the_lock_has_every_package_that_tests_and_builds_need():
    """Each within its lower bound, with hashes, and no address of where it was found."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options"]["install_requires"].split("\n")
    for listed in setup["options.extras_require"].values():
        wanted += listed.split("\n")
    wanted += tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    torch = locked(ROOT / "requirements/torch-cpu.lock")
    pinned = locked(ROOT / "requirements/dev.lock") | torch
    for one in map(Requirement, filter(None, wanted)):
        if one.name != "nbzero":
            assert all(one.specifier.contains(version) for version, _ in pinned[one.name]), one
    assert all(count for versions in pinned.values() for _, count in versions)
    (version, _), *_ = torch["torch"]
    assert f"torch=={version}\n" in (ROOT / "Makefile").read_text()
    assert f"torch=={version}+cpu" in (ROOT / "requirements/dev.in").read_text()
    assert "/" not in (ROOT / "requirements/dev.lock").read_text()


JOBS = sorted(path.stem for path in (ROOT / "builders").glob("*.py") if path.stem != "__init__")
QUICK = {"card", "merge_shards"}  # the others load torch, each in seconds


@pytest.mark.parametrize("job", JOBS)
def test_a_job_says_how_it_is_run(job, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"builders.{job}").main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and said.startswith("usage: ")


@pytest.mark.parametrize(
    "job", [pytest.param(job, marks=[] if job in QUICK else pytest.mark.long) for job in JOBS]
)
def test_a_job_runs_from_the_root_of_the_checkout(job):
    """Also where a package is installed that is no checkout.

    What lies in the working directory comes first.
    """
    run = [sys.executable, "-m", f"builders.{job}", "--help"]
    said = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert said.startswith("usage: ") and job in said


@pytest.mark.parametrize(
    ("given", "package", "named"),
    [
        (["reproduce", "--help"], "torch", "'.[torch]' in a checkout of nbzero"),
        (["score_shard", "--help"], "torch", "'.[torch]' in a checkout of nbzero"),
        (["import_bench", "nb201", "--source", ".", "--out", "x"], "pyarrow", "pyarrow"),
    ],
)
def test_a_job_without_a_package_says_what_to_install(given, package, named, tmp_path):
    missing = f"No module named '{package}'"
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError({missing!r}, name={package!r})")
    run = [sys.executable, "-m", f"builders.{given[0]}", *given[1:]]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(run, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"error: the job needs {package} ({missing}): pip install {named}\n"
