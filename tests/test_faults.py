"""The short form of `python -m tests.faults`, and that it counts what goes wrong."""

from pathlib import Path

import numpy as np
import pytest

from builders.work import apart
from tests import faults
from tests.faults import ATTACKS, HEAD, ON_FILES, Result, attacked, counted, expected, judged, one_try, rng_of

# Long ones have smaller siblings in test_job, test_local and test_merge_shards.
ON_PROCESSES = (
    "job: permission revoked",
    "job: at a URL, its group killed",
    "merge: killed (kill -9)",
    pytest.param("job: two on one shard", marks=pytest.mark.long),
    pytest.param("job: memory refused, 4 together", marks=pytest.mark.long),
    pytest.param("merge: two into one release", marks=pytest.mark.long),
)
TRIES = {name: 12 for name in ON_FILES if name.startswith("import: ")}  # they are quick
TRIES |= {name: 3 for name in TRIES if "official" in name}  # each starts a process
NOTHING = {"lost": 0, "wrong": 0, "hung": 0}


def found_by(results: list[Result]) -> dict[str, int]:
    return dict(zip(HEAD[3:], counted(results)[3:], strict=True))


@pytest.mark.parametrize("name", ON_PROCESSES)
def test_an_attack_on_processes_loses_nothing(name: str, tmp_path: Path) -> None:
    result = one_try(name, rng_of(name, 0, 0), tmp_path)
    assert found_by([result]) == NOTHING, result


def test_tries_are_made_in_a_process_of_their_own() -> None:
    results = attacked("unit: bit flip", seed=0, tries=3)
    assert len(results) == 3 and found_by(results) == NOTHING, results


@pytest.mark.parametrize("name", ON_FILES)
def test_an_attack_on_files_gets_nothing_past_the_readers(name: str, tmp_path: Path) -> None:
    results = []
    for number in range(TRIES.get(name, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        results.append(one_try(name, np.random.default_rng([1, number]), folder))
    assert found_by(results) == NOTHING, results


def test_hdf5_that_the_library_would_read_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Bytes on which HDF5 2.0 loops."""
    monkeypatch.setattr(apart, "LIMIT_S", 2)
    name = "shard: hostile HDF5"
    assert one_try(name, rng_of(name, 5, 364), tmp_path) == Result(False)


def test_what_is_lost_or_wrong_is_counted() -> None:
    rows = {arch_id: row | {"train_time_s": 1.0} for arch_id, row in expected(range(4)).items()}
    assert judged(True, rows, rows, range(4)) == Result(True)
    gone = {arch_id: rows[arch_id] for arch_id in (0, 1, 2)}
    assert judged(True, rows, gone, range(4)).lost == 1
    computed_again = rows | {2: rows[2] | {"train_time_s": 2.0}}
    assert judged(True, rows, computed_again, range(4)).lost == 1
    changed = rows | {3: rows[3] | {"val_acc": 0.5}}
    assert judged(True, rows, changed, range(4)).wrong == 1


def test_an_error_that_is_none_of_ours_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(rng: np.random.Generator, folder: Path) -> Result:
        raise KeyError("no error of ours")

    monkeypatch.setitem(ATTACKS, "broken", broken)
    result = one_try("broken", np.random.default_rng(0), Path())
    assert result.wrong == 1 and "no error of ours" in result.why
    monkeypatch.setattr(faults, "attacked", lambda name, seed, tries: [result] * tries)
    assert faults.main(["--only", "broken", "--rounds", "1"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].split() == ["all", "10", "10", "0", "0", "10", "0"]
    assert "no error of ours" in said.err
