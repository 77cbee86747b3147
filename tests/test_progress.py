"""How far work is: a line for each unit, or a few, and a bar on a terminal."""

import io
import sys

import pytest

from nbzero.progress import progress


def test_a_line_for_each_unit_counts_what_was_there_before(capsys):
    with progress("work", total=5, done=2) as report:
        for unit in "abc":
            report(unit)
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition(",")[0] for line in said] == ["work 3/5 a", "work 4/5 b", "work 5/5 c"]
    assert said[2].endswith(", 0 s left")


def test_few_lines_and_the_last(capsys):
    with progress("work", total=4, every=3600) as report:
        for unit in "abcd":
            report(unit)
    assert capsys.readouterr().err == "work 4/4 d, 0 s left\n"


@pytest.mark.parametrize("total", [1, 3])
def test_a_bar_on_a_terminal(total, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress("work", total) as report:
        for _ in range(total):
            report("said of it")
    drawn = stderr.getvalue()
    assert "work said of it" in drawn and f"{total}/{total}" in drawn
