"""The data version of a release to which something was added, and the release that it is derived from."""

from __future__ import annotations

import re
from typing import NamedTuple

from nbzero.errors import UsageError, count_of
from nbzero.release.manifest import LABEL, Parent, Release, Version, parse_version
from nbzero.release.schema import DATA_VERSION

YOURS = "yours"  # the label of a derived release that was given none


class Line(NamedTuple):
    """What a release to make is called, and what it is derived from."""

    version: str
    parent: Parent | None = None


def line_after(
    base: Release | None,
    *,
    in_place: bool,
    goes_on: bool,
    asked: str | None = None,
    label: str | None = None,
    new_rows: int = 0,
    new_columns: bool = False,
    new_others: bool = False,
) -> Line:
    """The version and the parent of a base to which something is added.

    Without additions they are the base's.

    Args:
        base: None where there is none.
        in_place: whether the release to make replaces the base.
        goes_on: whether it goes on in the base's own line, by `next_version`. Else it is derived from it.
        asked: the plain version asked for, of a release that goes on.
        label: as of `derived_version`.
        new_rows, new_columns, new_others: what is added.

    Raises:
        UsageError: a version that is none or below the least, a label that is none.
    """
    if base is None:
        return Line(next_version(None, asked, new_rows))
    manifest = base.manifest
    if goes_on:
        version = next_version(manifest.data_version, asked, new_rows, new_columns, new_others)
        return Line(version, manifest.parent)
    if not new_rows and not new_columns:
        return Line(manifest.data_version, manifest.parent)
    return Line(derived_version(manifest.data_version, label), parent_of(base, in_place))


def next_version(
    old: str | None,
    asked: str | None,
    new_rows: int,
    new_columns: bool = False,
    new_others: bool = False,
) -> str:
    """The data version of a release that goes on where another ended.

    It is as asked, where the rule allows it, else the least allowed. The rule: additions raise at least the
    minor number, other files beside the tables at least the last one. What goes on from a derived release is
    at least the next minor one.

    Args:
        old: the version of what was added to; None: of nothing.
        new_columns: whether its tables get columns that they lacked.
        new_others: whether the files beside its tables are other ones.

    Raises:
        UsageError: a version that is none, or below the least.

    >>> next_version("0.1.0", None, new_rows=5)
    '0.2.0'
    """
    if asked is not None:
        parse_version(asked)
    if old is None:
        return asked or DATA_VERSION
    version = Version.parse(old)
    least = version.plain
    if new_rows or new_columns or version.label:
        major, minor, _ = version.plain
        least = (major, minor + 1, 0)
    elif new_others:
        least = (*version.plain[:2], version.plain[2] + 1)
    if asked is None:
        return str(Version(least))
    if parse_version(asked) < least:
        why = f"{count_of(new_rows, 'row is', 'rows are')} new"
        if new_columns and not new_rows:
            why = "its tables get new columns"
        elif new_others and not new_rows:
            why = "the files beside its tables are new"
        raise UsageError(f"version {asked}; the base is {old} and {why}, so it is at least {Version(least)}")
    return asked


def derived_version(old: str, label: str | None = None) -> str:
    """The data version of what is derived from a release. Deriving again counts on.

    Args:
        label: whose it is; None is that of `old`, or YOURS.

    Raises:
        UsageError: a label that is none.

    >>> derived_version("0.9.0"), derived_version("0.9.0+lab.1")
    ('0.9.0+yours.1', '0.9.0+lab.2')
    """
    if label is not None:
        check_label(label)
    version = Version.parse(old)
    return str(Version(version.plain, label or version.label or YOURS, version.number + 1))


def check_label(label: str) -> None:
    """UsageError for what cannot stand in a version."""
    if not re.fullmatch(LABEL, label):
        raise UsageError(
            f"label {label!r}; it is a lower-case letter, then such letters and digits, like mylab"
        )


def parent_of(base: Release, in_place: bool) -> Parent:
    """What a release derived from `base` names as its parent.

    Args:
        in_place: whether it replaces `base`, so that only the parent of that can be found again.
    """
    if in_place and base.manifest.parent is not None:
        return base.manifest.parent
    return Parent(base.manifest.data_version, base.sha256)
