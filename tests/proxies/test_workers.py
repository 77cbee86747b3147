"""Teams of processes: every task ends once, whatever becomes of its worker."""

import multiprocessing
import os
import subprocess
import sys
from contextlib import closing

import pytest

from nbzero.errors import UsageError
from nbzero.proxies.workers import Team, answer, computed, num_cores, over_limit, told
from tests.places import ROOT
from tests.proxies import starts


def ended(start, seeds, workers=2, limit=None, payload=b"2"):
    tasks = [("a", seed) for seed in seeds]
    found = dict(computed(start, payload, tasks, workers, limit))
    assert multiprocessing.active_children() == []
    return {seed: outcome for (_, seed), outcome in found.items()}


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_task_is_computed_once_by_no_more_workers_than_tasks(workers):
    found = ended(starts.doubling, range(4), workers)
    assert {seed: outcome.score for seed, outcome in found.items()} == {seed: 2.0 * seed for seed in range(4)}
    assert ended(starts.doubling, []) == {}


def test_a_worker_that_dies_or_hangs_costs_its_task_alone():
    found = ended(starts.doubling, [13, 0, 14, 1], limit=3)
    assert found[13][:2] == (None, "its worker ended with exit status 7")
    assert found[14][:2] == (None, over_limit(3)) and found[14].seconds >= 3
    assert found[0].score == 0 and found[1].score == 2


def test_a_killed_worker_may_have_lacked_memory():
    (outcome,) = ended(starts.killed, [0]).values()
    assert outcome.reason == "its worker ended with exit status -9 (killed: out of memory?)"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (starts.refusing, "^no worker for me$"),
        (
            starts.leaving,
            r"a worker could not start \(exit status 9\): it said why on stderr; workers=1",
        ),
    ],
)
def test_a_worker_that_cannot_start_ends_the_team(start, said):
    with pytest.raises(UsageError, match=said):
        ended(start, range(4), payload=b"me")
    assert multiprocessing.active_children() == []


def test_a_team_that_is_closed_early_leaves_no_process():
    with closing(computed(starts.doubling, b"2", [("a", seed) for seed in (0, 14, 14)], 2, None)) as coming:
        assert next(coming)[1].score == 0
    assert multiprocessing.active_children() == []


def test_a_team_stays_for_several_lists_and_replaces_whom_it_lost():
    with Team(starts.doubling, b"2", 2, None) as team:
        seen = []
        for seeds in ([0], [1, 2, 3], [13, 4], [5, 6]):
            found = dict(team.outcomes([("a", seed) for seed in seeds]))
            seen.append({child.pid for child in multiprocessing.active_children()})
            for (_, seed), outcome in found.items():
                assert outcome.score == (None if seed == 13 else 2.0 * seed)
            assert len(found) == len(seeds)
        assert len(seen[0]) == 1 and len(seen[1]) == 2 and seen[0] < seen[1]
        assert len(seen[3]) == 2 and len(seen[3] & seen[1]) == 1  # one died of 13
    assert multiprocessing.active_children() == []


def test_a_worker_whose_parent_is_gone_ends_without_a_traceback():
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    for speak in (told, lambda connection: answer(connection, 1)):
        with pytest.raises(SystemExit):
            speak(theirs)


WAITS = """
import os, signal, threading, time
from nbzero.proxies.workers import Hired, interrupts_wait
from tests.proxies.starts import blocked

def came(number, frame):
    print("came", number, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, came)
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # a signal may come to it
    with interrupts_wait():
        os.kill(os.getpid(), signal.SIGTERM)
        first, second = Hired(blocked), Hired(blocked)
        time.sleep(0.1)
        print("started", flush=True)
    for worker in (first, second):
        print(worker.hear())
        worker.end()
"""


def test_signals_wait_until_processes_have_started_and_in_these_until_they_are_ready(tmp_path):
    """Of two in a fresh process: the first makes multiprocessing start a process of its own."""
    (tmp_path / "waits.py").write_text(WAITS)
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "waits.py")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    waiting = "['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1']"
    assert ended.stdout.splitlines() == ["started", "came 15", waiting, waiting]


def test_cores_are_counted():
    assert num_cores() >= 1


def test_a_script_is_a_file_and_a_line_of_code_is_none(tmp_path):
    code = "from nbzero.proxies.workers import main_is_a_file; print(main_is_a_file())"
    (tmp_path / "script.py").write_text(code)
    for arguments, said in (([str(tmp_path / "script.py")], "True"), (["-c", code], "False")):
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert ended.stdout.strip() == said
