"""When a job begins no more: its time is over by what units take, or a signal asked it to end."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable

import pytest

from builders.work import limit
from builders.work.claims import Work
from builders.work.limit import SAME_S, Deadline, Ended, Pace, parse_seconds, said_seconds
from builders.work.rates import Cost, Key, Rate, measured
from builders.work.rows import Folder
from nbzero.errors import UsageError
from tests.builders.made import heed_hangups
from tests.places import ROOT

MACS = {"small": 1e6, "middle": 2e6, "large": 8e6}
COST = Cost("r1-mini", "made", 10.0, MACS.__getitem__)
RATE = Rate(0.1, 1e-7, 50, 0.9, 1.2, 1.1, 1e6, 8e6, "made")  # 11 passes x (0.1 + 1e-7 macs)
SMALL, MIDDLE, LARGE = (0, "small", 0), (1, "middle", 0), (2, "large", 0)


@pytest.fixture
def at(monkeypatch) -> Callable[[float], None]:
    """Sets the time that limits go by: at(seconds)."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(limit.time, "monotonic", lambda: seconds)

    set_to(0.0)
    return set_to


@pytest.mark.parametrize(
    "text", ["", "m", "9 m", "-5", "1m1h", "nan", "9" * 5000, "1:2:3:4", "five", "1h30", "0x1"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match=r"time limit .*; it is like 90s, 9m, 1h30m, 2d or 0:30:00"):
        parse_seconds(text)


def test_times_are_read_as_people_write_them():
    assert [parse_seconds(text) for text in ("0", "1.5h", "2d1s", "5:00", "1:00:01")] == [
        *(0, 5400, 172801, 300, 3601)
    ]
    assert said_seconds(parse_seconds("1h1s")) == "1 h 1 min"


def test_without_a_limit_all_may_begin(at):
    deadline = Deadline(None, Pace(COST, RATE))
    at(1e9)
    assert deadline.allows([LARGE]) and deadline.why == ""


def test_where_nothing_is_known_the_first_begins_and_says_how_long_the_next_takes(at):
    deadline = Deadline(100.0, Pace(COST))
    assert deadline.allows([SMALL])
    deadline.begin([SMALL])
    assert deadline.allows([LARGE]), "of nothing that has ended nothing is known"
    at(10.0)
    deadline.ended(SMALL, "a card")
    at(11.0)
    assert deadline.allows([LARGE])  # 8 times as large: 80 s
    at(21.0)
    assert not deadline.allows([LARGE])
    said = "the next would take about 80 s, and 79 s are left of the time limit of 100 s"
    assert deadline.why == said
    assert not deadline.allows([SMALL]), "smaller ones behind it would be a choice by size"


def test_what_is_known_of_the_device_counts_before_the_first(at):
    assert not Deadline(9.8, Pace(COST, RATE)).allows([LARGE])  # 10 x 0.9 s x 1.1
    deadline = Deadline(10.0, Pace(COST, RATE))
    assert deadline.allows([LARGE])
    deadline.begin([SMALL])
    at(4.1)  # twice what the median network takes
    deadline.ended(SMALL, "a card")
    assert deadline.allows([SMALL]) and not deadline.allows([MIDDLE])
    assert deadline.why.startswith("the next would take about 6.1 s, and 5.9 s are left")


def test_the_slowest_of_the_last_counts(at):
    pace = Pace(COST, RATE)
    ends = 0.0
    for seconds in (50.0, *[2.0] * (limit.LAST - 1)):
        pace.begin([SMALL])
        ends += seconds
        at(ends)
        pace.ended(SMALL, "a card")
    assert pace.seconds([SMALL]) == pytest.approx(50.0)
    pace.begin([SMALL])
    at(ends + 3.0)
    pace.ended(SMALL, "a card")
    assert pace.seconds([SMALL]) == pytest.approx(3.0)


def test_a_group_takes_what_its_units_take_together(at):
    pace = Pace(COST)
    pace.begin([SMALL, MIDDLE])
    at(5.0)
    pace.ended(SMALL, "a card")
    assert pace.seconds([SMALL]) is None, "the group is not over"
    at(6.0)
    pace.ended(MIDDLE, "a card")
    assert pace.seconds([SMALL]) == pytest.approx(2.0)
    assert pace.seconds([SMALL, MIDDLE, LARGE]) == pytest.approx(22.0)


def test_what_was_measured_is_kept_by_device(at, own_cache):
    pace = Pace(COST)
    for unit, device in ((SMALL, "one"), (LARGE, "other")):
        pace.begin([unit])
        at(20.0)
        pace.ended(unit, device)
        at(0.0)
    pace.keep()
    assert measured() == {
        Key("one", "r1-mini", "made"): [(1e6, 2.0)],
        Key("other", "r1-mini", "made"): [(8e6, 2.0)],
    }


def test_where_nothing_can_be_kept_that_is_said(at, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBZERO_CACHE", str(tmp_path / "file" / "cache"))
    pace = Pace(COST)
    pace.keep()
    assert capsys.readouterr().err == ""
    pace.begin([SMALL])
    at(1.0)
    pace.ended(SMALL, "a card")
    pace.keep()
    assert capsys.readouterr().err.startswith("the times of this run are not kept for later plans: cannot")


def test_a_limit_that_is_over_allows_nothing(at):
    deadline = Deadline(60.0)
    assert deadline.allows([SMALL])
    at(60.0)
    assert not deadline.allows([SMALL]) and deadline.why == "the time limit of 60 s is over"
    assert not Deadline(0.0).allows([SMALL])


# Work


def work_of(folder, deadline, units=(SMALL, MIDDLE, LARGE)):
    return Work(Folder(folder), "stem", [(unit, None) for unit in units], bool, deadline)


def test_units_are_handed_out_in_groups_as_long_as_they_end_in_time(at, tmp_path):
    """A group ends before the first unit that would be too much, which is claimed by nobody then."""
    work = work_of(tmp_path, Deadline(7.0, Pace(COST, RATE)))  # small 2.2 s, middle 3.3 s
    assert [unit for unit, _ in work.take(8)] == [SMALL, MIDDLE]
    assert work.take(8) == [] and list(work) == [] and work.not_begun == 1
    assert sorted(path.name for path in (tmp_path / "stem").iterdir()) == ["000000-0.claim", "000001-0.claim"]
    for unit in (SMALL, MIDDLE):
        work.done(unit, {"device": "a card"})
    assert not list((tmp_path / "stem").iterdir())


def test_where_time_is_left_all_is_handed_out(at, tmp_path):
    work = work_of(tmp_path, Deadline(1000.0, Pace(COST, RATE)))
    assert [len(group) for group in (work.take(2), work.take(2), work.take(2))] == [2, 1, 0]
    assert work.not_begun == 0


def test_what_another_holds_is_not_asked_of_the_limit(at, tmp_path):
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            (tmp_path / "stem").mkdir()
            host = limit.os.uname().nodename
            (tmp_path / "stem" / "000002-0.claim").write_text(f"{host} {other.pid}")
            work = work_of(tmp_path, Deadline(7.0, Pace(COST, RATE)), [LARGE, SMALL])
            assert [unit for unit, _ in work] == [SMALL] and list(work.elsewhere) == [LARGE]
        finally:
            other.kill()


# Signals


@pytest.fixture
def heard():
    """Handlers as a process has them when it starts, put back after."""
    names = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in names}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_ends_a_job_as_an_expired_limit_does(how, heard):
    deadline = Deadline()
    with deadline.heeding_signals():
        assert deadline.allows([SMALL])
        os.kill(os.getpid(), how)
        assert not deadline.allows([SMALL]) and deadline.why == how.name
    assert signal.getsignal(how) == signal.SIG_DFL


def test_a_second_sigterm_ends_it_at_once(at, heard):
    deadline = Deadline()
    with deadline.heeding_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        at(SAME_S / 2)
        os.kill(os.getpid(), signal.SIGTERM)  # of the system and a scheduler: the same one twice
        at(SAME_S * 2)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Ended) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.number == signal.SIGTERM


def test_sigterm_after_slurms_signal_ends_it_at_once(at, heard):
    with Deadline().heeding_signals():
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Ended):
            os.kill(os.getpid(), signal.SIGTERM)


def test_the_first_sigterm_after_the_time_is_over_lets_what_runs_be_finished(at, heard):
    deadline = Deadline(0.0)
    with deadline.heeding_signals():
        assert not deadline.allows([SMALL])
        os.kill(os.getpid(), signal.SIGTERM)
    assert deadline.why.startswith("the time limit")


def test_a_signal_that_is_ignored_stays_so(heard):
    """As nohup has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    deadline = Deadline()
    with deadline.heeding_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        assert deadline.allows([SMALL])


ON_A_TERMINAL = """
import os, signal, sys, time
from builders.work.limit import Deadline
deadline = Deadline()
with deadline.heeding_signals():
    os.write(1, b"ready")
    while not deadline.why:
        time.sleep(0.01)
    print("said to nobody", flush=True)
    print("said to nobody", file=sys.stderr, flush=True)
with open(sys.argv[1], "w") as file:
    file.write(deadline.why)
"""


def test_a_job_whose_terminal_is_closed_goes_on_to_its_end(tmp_path):
    """What it says from then on is no error of writing to a terminal that is gone."""
    terminal, other_end = pty.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        heed_hangups()

    job = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, str(tmp_path / "why")],
        cwd=ROOT,
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(other_end)
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1024)
    os.close(terminal)
    assert job.wait(timeout=120) == 0
    assert (tmp_path / "why").read_text() == "SIGHUP"


def test_a_unit_that_is_put_back_is_next_in_turn_and_asked_of_the_deadline_again(at, tmp_path):
    work = work_of(tmp_path, Deadline(8.0, Pace(COST, RATE)))  # small 2.2 s, middle 3.3 s
    (small,), (middle,) = work.take(1), work.take(1)
    work.put_back(middle)
    work.put_back(small)
    assert work.not_begun == 3
    at(1.0)
    assert [unit for unit, _ in work.take(1)] == [MIDDLE]
    at(7.0)
    assert work.take(8) == [] and work.not_begun == 2
    work.done(MIDDLE, {"device": "a card"})
    work.close()
    assert not list((tmp_path / "stem").iterdir())


def test_units_together_take_as_much_longer_and_the_rate_is_of_the_worker(at, own_cache):
    pace = Pace(COST, RATE, together=4)
    assert pace.seconds([SMALL]) == pytest.approx(4 * Pace(COST, RATE).seconds([SMALL]))
    for unit in (SMALL, MIDDLE, LARGE):
        pace.begin([unit])
    at(40.0)
    pace.ended(SMALL, "a card")
    pace.keep()
    (((_, seconds),),) = measured().values()
    assert seconds == pytest.approx(40.0 / COST.passes / 4)
    assert pace.seconds([SMALL]) == pytest.approx(40.0)
