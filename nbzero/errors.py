"""The exceptions of nbzero, and how an unknown name is worded.

Every message says what was given, what is allowed and what to do, and counts with `count_of`. `ValueError` (malformed input) is raised as it is;
the classes here are for what a caller may want to tell apart.
"""

import difflib
from collections.abc import Iterable


class NBZeroError(Exception):
    """Base of every exception that nbzero defines."""


class UnknownNameError(NBZeroError, LookupError):
    """A space, dataset, recipe, protocol, proxy or column that does not exist; the message names near matches."""


class NotAMemberError(NBZeroError, LookupError):
    """An arch of the grid that is no member of its space, so no table has a row for it; `nearest` lists members."""

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class NothingFoundError(NBZeroError, ValueError):
    """A request that is well-formed, of names that exist, to which the release has nothing: a condition or a budget that no arch meets, runs or
    scores that are not there. Another release, split, seed or condition can have it; what is malformed stays a ValueError."""


class ReleaseError(NBZeroError):
    """A release or a shard that cannot be trusted: missing, truncated, corrupted, foreign or contradictory."""


class ImagesError(NBZeroError):
    """Images that are absent, or have the wrong shape or checksum."""


class OutOfBudgetError(NBZeroError):
    """A training or scoring that a simulated search has no time left for; nothing of it was charged."""


class ProxyError(NBZeroError):
    """A score that cannot be computed for this network; the reason becomes the null's reason."""


def count_of(number: int, one: str, many: str = "") -> str:
    """A number with what it counts, in words; `many` where another word than `one` with an s is meant.

    >>> count_of(1, "arch"), count_of(1024, "arch"), count_of(0, "proxy", "proxies")
    ('1 arch', '1,024 archs', '0 proxies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def unknown_name(kind: str, given: object, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that does not exist, with near matches and all that is known.

    >>> print(unknown_name("proxy", "zen_score", ["naswot", "zen", "zico"]))
    no proxy named 'zen_score'; did you mean 'zen'? Known: naswot, zen, zico
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(given), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    listed = ", ".join(known) if known else "none"
    return UnknownNameError(f"no {kind} named {given!r}; {hint}Known: {listed}")
