"""What is read in a process of its own: a file that hangs or crashes it is named, the next one is read."""

import multiprocessing
import os
import signal

import pytest

from builders.work import apart, rows
from builders.work.apart import Apart, Bounded
from builders.work.rows import one_h5_reader, read_shard, to_h5
from nbzero.errors import ReleaseError
from tests.builders.work import apartly


@pytest.fixture
def read(monkeypatch):
    monkeypatch.setattr(apart, "LIMIT_S", 2)
    reader = Apart(apartly.read)
    yield reader
    reader.end()
    assert multiprocessing.active_children() == []


def test_one_process_reads_file_after_file(read):
    assert multiprocessing.active_children() == []  # none before it is needed
    (first, one), (second, two) = read(b"a", "x"), read(b"b", "y")
    assert (one, two) == (b"a", b"b") and first == second != os.getpid()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (b"loops", r"^some/x\.h5 was not read within the limit of 2 s; remove it and run its job again"),
        (b"crashes", r"^some/x\.h5 ended the process that read it \(exit status -11\); remove it"),
        (b"is killed", r"^some/x\.h5 ended the process that read it \(exit status -9: out of memory\?\)"),
        (b"is damaged", r"^some/x\.h5 is damaged$"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_the_next_one_is_read(read, what, said):
    read(b"before", "w")
    with pytest.raises(ReleaseError, match=said):
        read(what, "some/x.h5")
    assert read(b"after", "y")[1] == b"after"


def test_a_file_that_takes_more_memory_than_it_may_is_named():
    reader = Apart(Bounded(apartly.read, 1 << 30))
    with pytest.raises(ReleaseError, match=r"^x needs more than 1,073,741,824 bytes of memory to be read$"):
        reader(b"is large", "x")
    assert reader(b"after", "y")[1] == b"after"
    reader.end()


def test_a_large_file_has_more_time(read):
    with pytest.raises(ReleaseError, match=r"within the limit of 3\.5 s"):
        read(bytes(1_500_000 - 5) + b"loops", "x")


def test_a_bug_of_ours_is_no_fault_of_the_file(read):
    with pytest.raises(KeyError, match="a bug of ours") as caught:
        read(b"finds a bug", "x")
    assert "apartly.py" in caught.value.__notes__[0]


def test_a_process_that_was_killed_between_two_files_is_replaced(read):
    first, _ = read(b"a", "x")
    (process,) = multiprocessing.active_children()  # asked before the kill: it forgets those that have ended
    os.kill(first, signal.SIGKILL)
    process.join()
    assert read(b"b", "y")[1] == b"b"


def test_what_was_interrupted_does_not_answer_for_the_next_file(read, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    read(b"a", "w")
    with monkeypatch.context() as patch:
        patch.setattr(Apart, "_heard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(b"b", "x")
    assert read(b"c", "y")[1] == b"c"


def test_a_system_that_starts_no_process_is_told(read, monkeypatch):
    def refused(*_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(apart, "Hired", refused)
    with pytest.raises(ReleaseError, match=r"^x is read in a process of its own, which could not start \("):
        read(b"a", "x")


def test_hdf5_shards_are_read_so_and_others_are_not(monkeypatch, shard_row):
    monkeypatch.setattr(apart, "LIMIT_S", 2)
    monkeypatch.setattr(rows, "parsed_h5", apartly.read)
    monkeypatch.setattr(rows.h5, "check_sum", lambda data: None)
    with one_h5_reader() as outer, one_h5_reader() as inner:
        assert outer is inner
        read_shard(rows.to_json("runs", shard_row()), "x.json")
        read_shard(rows.to_parquet("runs", [shard_row()]), "x.parquet")
        assert multiprocessing.active_children() == []
        for what, said in ((b"loops", "within the limit of 2 s"), (b"crashes", "exit status -11")):
            with pytest.raises(ReleaseError, match=rf"x\.h5 .*{said}"):
                read_shard(what, "x.h5")
    with pytest.raises(ReleaseError, match="within the limit"):
        read_shard(b"loops", "x.h5")
    assert multiprocessing.active_children() == []


def test_no_process_is_started_for_damaged_hdf5(monkeypatch, shard_row):
    monkeypatch.setattr(apart, "Hired", None)
    data = bytearray(to_h5("runs", [shard_row()]))
    data[-1] ^= 1
    with pytest.raises(ReleaseError, match=r"x\.h5 is truncated or corrupted \(its bytes do not match"):
        read_shard(bytes(data), "x.h5")
