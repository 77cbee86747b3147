"""The command that scores networks with a function of one's own: score."""

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbzero.cli.frame import Answer, Call, Listing, fail
from nbzero.cli.options import command, of_release
from nbzero.errors import NothingFoundError, UsageError, count_of, quoted

if TYPE_CHECKING:
    from nbzero.proxies.scored import OwnScores

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C stopped


@command("space")
def score(
    call: Call,
    function: Annotated[str, typer.Argument(help="Where it is: mymodule:my_proxy, or my_proxy.py:my_proxy.")],
    space: str,
    archs: Annotated[
        str,
        typer.Option(
            "--archs",
            metavar="N|FIRST:LAST|all|A,B",
            help="The first N of the build order, a part of it without LAST, all, or arch strings.",
        ),
    ] = "200",
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", metavar="NAME", help="Whose images: cifar10, digits, ..")
    ] = "cifar10",
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="Scoring protocol. Default: the space's standard one.",
            autocompletion=of_release(lambda bench, _: _known_protocols()),
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="A,B", help="Of weights and images; scores are their mean.")
    ] = "0",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, metavar="N", help="Processes. Default: one per core.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            metavar="PATH|noise",
            help="Folder or file; noise needs none and is a protocol of its own. Default: $NBZERO_IMAGES.",
        ),
    ] = None,
    per_arch: Annotated[
        str | None,
        typer.Option(
            "--per-arch", metavar="TIME", help="What a network may take: 30s, 2m. Longer ones fail."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE.csv", help="Rows as they come; the same command goes on from it."
        ),
    ] = None,
) -> Answer:
    """Score networks with a proxy of your own.

    A function of (net, images, labels), called as the jobs call the stored proxies, or of the arch string
    alone; it returns a number. Then: nbzero evaluate FILE.csv SPACE.
    """
    from nbzero.proxies.own import score_archs

    asked = _archs_of(archs)
    numbered = _seeds_of(seeds)
    try:
        # What the function prints is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            found = score_archs(
                function,
                call.bench.space(space),
                asked,
                dataset,
                protocol,
                numbered,
                workers,
                images,
                out,
                per_arch=per_arch,
            )
    except KeyboardInterrupt:
        raise fail(_interrupted(out), INTERRUPTED) from None
    if len(found.reasons) == len(found):
        first, reason = next(iter(found.reasons.items()))
        kept = f"; every reason is in {out}" if out else ""
        raise NothingFoundError(
            f"none of {count_of(len(found), 'arch')} has a score; {first}: {reason}{kept}"
        )
    if out is None:
        return Answer(found.frame)
    return Answer(_in_short(found, space, out))


def _interrupted(out: str | None) -> str:
    if out is None:
        return "interrupted; with --out FILE.csv the same command goes on from there the next time"
    return f"interrupted; the same command goes on from {out}"


def _known_protocols() -> tuple[str, ...]:
    from nbzero.release.schema import PROTOCOLS

    return tuple(PROTOCOLS)


def _archs_of(given: str) -> Any:
    """The archs that the text of the option means."""
    match = re.fullmatch(r"(?:(\d{1,9}):)?(\d{1,9})", given)
    if match:
        return range(int(match[1] or 0), int(match[2]))
    if given == "all":
        return given
    return [part.strip() for part in given.split(",") if part.strip()]


def _seeds_of(given: str) -> list[int]:
    seeds = []
    for part in given.split(","):
        if not re.fullmatch(r"\d{1,18}", part.strip()):
            raise UsageError(f"--seeds {quoted(given)}; they are whole numbers from 0, like 0,1,2")
        seeds.append(int(part))
    return seeds


def _in_short(found: "OwnScores", space: str, out: str) -> Listing:
    """How many have a score, as a row."""
    row = {"file": out, "archs": len(found), "scored": len(found) - len(found.reasons)}
    row["failed"] = len(found.reasons)
    return Listing(list(row), [row], str(found), [f"The verdict: nbzero evaluate {out} {space}"])
