"""Versions: which one follows another, what a derived release is called and what it names as its parent."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.work.commit import commit_release
from builders.work.versions import Line, check_label, derived_version, line_after, next_version, parent_of
from nbzero.errors import UsageError
from nbzero.release.manifest import Parent, Release

SHA = "a" * 64


@pytest.mark.parametrize(
    ("old", "asked", "new_rows", "version"),
    [
        (None, None, 5, "0.1.0"),
        (None, "3.2.1", 5, "3.2.1"),
        ("0.4.2", None, 0, "0.4.2"),
        ("0.4.2", None, 1, "0.5.0"),
        ("0.4.2", "0.4.2", 0, "0.4.2"),
        ("0.4.2", "1.0.0", 1, "1.0.0"),
        ("0.9.0", "0.10.0", 1, "0.10.0"),
        ("0.9.0+yours.3", None, 0, "0.10.0"),
        ("0.9.0+yours.3", "1.0.0", 1, "1.0.0"),
    ],
)
def test_the_next_version(old: Any, asked: Any, new_rows: int, version: str) -> None:
    assert next_version(old, asked, new_rows) == version


def test_a_version_below_the_least_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"version 0\.4\.3; the base is 0\.4\.2 and 2 rows are new, so it is at"
    ):
        next_version("0.4.2", "0.4.3", 2)
    with pytest.raises(UsageError, match="data version 'six'"):
        next_version(None, "six", 0)
    with pytest.raises(
        UsageError, match=r"the base is 0\.4\.2 and its tables get new columns, so it is at least 0\.5"
    ):
        next_version("0.4.2", "0.4.2", 0, new_columns=True)
    with pytest.raises(
        UsageError, match=r"version 0\.9\.0; the base is 0\.9\.0\+yours\.3 and .* at least 0\.10\.0"
    ):
        next_version("0.9.0+yours.3", "0.9.0", 1)
    with pytest.raises(UsageError, match=r"data version '0\.9\.0\+yours\.1'; it is like 1\.2\.3"):
        next_version("0.8.0", "0.9.0+yours.1", 1)
    assert next_version("0.4.2", None, 0, new_columns=True) == "0.5.0"


@pytest.mark.parametrize(
    ("old", "label", "version"),
    [
        ("0.9.0", None, "0.9.0+yours.1"),
        ("0.9.0", "mylab2", "0.9.0+mylab2.1"),
        ("0.9.0+yours.1", None, "0.9.0+yours.2"),
        ("0.9.0+mylab.9", None, "0.9.0+mylab.10"),
        ("0.9.0+mylab.1", "yours", "0.9.0+yours.2"),
    ],
)
def test_deriving_counts_on(old: str, label: Any, version: str) -> None:
    assert derived_version(old, label) == version


@pytest.mark.parametrize("label", ["", "My", "my-lab", "my.lab", "1st", "my lab", "yours\n", "+x"])
def test_a_label_that_cannot_stand_in_a_version(label: str) -> None:
    with pytest.raises(
        UsageError, match="it is a lower-case letter, then such letters and digits, like mylab"
    ):
        check_label(label)
    with pytest.raises(UsageError, match="like mylab"):
        derived_version("0.9.0", label)


def test_what_follows_a_base(made: SimpleNamespace, tmp_path: Path) -> None:
    commit_release(tmp_path / "plain", made.as_tables({}, ["r1-mini"]), "0.9.0")
    plain = Release.open(tmp_path / "plain")
    ours = Parent("0.9.0", plain.sha256)
    commit_release(tmp_path / "derived", made.as_tables({}, ["r1-mini"]), "0.9.0+lab.4", ours)
    derived = Release.open(tmp_path / "derived")
    elsewhere: dict[str, Any] = {"in_place": False, "goes_on": False}
    here: dict[str, Any] = {"in_place": True, "goes_on": False}
    release: dict[str, Any] = {"in_place": True, "goes_on": True}

    assert line_after(None, **elsewhere, new_rows=1) == Line("0.1.0")
    assert line_after(plain, **elsewhere) == Line("0.9.0")
    assert line_after(plain, **elsewhere, new_rows=1) == Line("0.9.0+yours.1", ours)
    assert line_after(plain, **here, new_columns=True) == Line("0.9.0+yours.1", ours)
    assert line_after(plain, **release, new_rows=1) == Line("0.10.0")

    assert line_after(derived, **here) == Line("0.9.0+lab.4", ours)
    assert line_after(derived, **here, new_rows=1) == Line("0.9.0+lab.5", ours)
    theirs = Parent("0.9.0+lab.4", derived.sha256)
    assert line_after(derived, **elsewhere, label="mine", new_rows=1) == Line("0.9.0+mine.5", theirs)
    assert line_after(derived, **release, asked="1.0.0", new_rows=1) == Line("1.0.0", ours)
    assert parent_of(derived, in_place=True) == ours and parent_of(derived, in_place=False) == theirs
