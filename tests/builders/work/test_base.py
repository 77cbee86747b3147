"""What a base has of a job's units: whole runs, and of scores the proxies that it lacks."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.work.base import members_of_space, opened_base, runs_there, said_left, scores_missing
from builders.work.job import Job
from builders.work.units import Unit
from nbzero import ReleaseError
from nbzero.release.opened import Opened

MEMBERS = members_of_space("r1-mini")


def job_of(
    table: Any, units: list[Unit], dataset: str = "cifar10", of: str = "r1-mini", **same_key: str
) -> Job:
    def start(device: str, settings: Any) -> Any:
        raise AssertionError

    return Job(table, "job", of, dataset, units, 0, 1, start, {}, same_key)


def unit(arch_id: int, seed: int = 0) -> Unit:
    return arch_id, MEMBERS[arch_id], seed


def test_the_runs_that_a_base_has(release: Path, made: SimpleNamespace) -> None:
    base = Opened(release)
    units = [unit(19, 1), unit(20, 1), unit(3), unit(59), unit(60), unit(3)]
    assert runs_there(base, job_of("runs", units, recipe=made.short)) == [unit(19, 1), unit(3), unit(59)]
    some = [unit(2), unit(3), unit(999)]  # no prefix of the build order
    assert runs_there(base, job_of("runs", some, recipe=made.long)) == [unit(2), unit(999)]
    for other in (
        job_of("runs", units, recipe="gpu-12"),
        job_of("runs", units, "cifar100", recipe=made.short),
        job_of("runs", units, of="r1", recipe=made.short),
    ):
        assert runs_there(base, other) == []


def test_a_diverged_run_is_there(release: Path, made: SimpleNamespace) -> None:
    assert runs_there(Opened(release), job_of("runs", [unit(7)], recipe=made.short)) == [unit(7)]


def test_the_proxies_that_a_base_lacks(release: Path) -> None:
    """Arch 4 has a reason in place of naswot, arch 6 nothing in place of zen, arch 8 minus infinity."""
    names = ["naswot", "zen", "synflow"]
    units = [unit(4), unit(6), unit(8), unit(6, 1), unit(60, 1)]
    missing = scores_missing(Opened(release), job_of("scores", units, protocol="std-16"), names)
    assert missing == {unit(4): [], unit(6): ["zen"], unit(8): [], unit(6, 1): []}


def test_a_base_is_read_without_pyarrow(release: Path, made: SimpleNamespace, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    base = Opened(release)
    assert runs_there(base, job_of("runs", [unit(0)], recipe=made.short)) == [unit(0)]
    assert scores_missing(base, job_of("scores", [unit(0)], protocol="std-16"), ["zen"]) == {unit(0): []}


def test_a_base_with_other_archs_is_refused(release: Path, made: SimpleNamespace) -> None:
    wrong = (0, MEMBERS[1], 0)
    said = f"arch_id 0 of r1-mini is {MEMBERS[0]}, here it is {MEMBERS[1]}; choose another --base, or"
    with pytest.raises(ReleaseError, match=said):
        runs_there(Opened(release), job_of("runs", [wrong], recipe=made.short))


def test_which_release_is_the_base(tmp_path: Path, release: Path) -> None:
    assert opened_base("none") is None
    shipped, named = opened_base(None), opened_base(str(release))
    assert shipped is not None and named is not None
    assert shipped.files.sha256 == Opened().files.sha256 and named.files.url == str(release)
    with pytest.raises(ReleaseError, match=f"no release in {tmp_path}"):
        opened_base(str(tmp_path))


def test_it_is_said_what_the_base_has(release: Path, made: SimpleNamespace) -> None:
    base, job = Opened(release), job_of("runs", [unit(0), unit(1), unit(2)], recipe=made.short)
    head = f"the base, data version 0.2.0 in {release}, has"
    assert said_left(base, 0, 0, job) == f"{head} 0 of 3 units; 3 to compute"
    assert said_left(base, 1, 2, job) == f"{head} 1 of 3 units and a part of 2 more; 2 to compute"
    assert said_left(base, 3, 0, job) == f"{head} 3 of 3 units; nothing to compute (--base none computes all)"
