"""A proxy of one's own on many networks: `score_archs`.

Two kinds of functions are scored, told apart by their signature:

    function(net, images, labels)    on a torch network of the protocol and its batch
    function(arch)                   on the arch string alone: neither torch nor images are needed

Nothing here imports torch before a function of the first kind is scored.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbzero.errors import NoSuchArchIdError, UsageError, count_of, needs, quoted, whole
from nbzero.networks.published import NETWORKS
from nbzero.progress import progress
from nbzero.proxies.function import (
    KINDS,
    Function,
    as_score,
    load_function,
    name_of,
    named_version,
    reads_network,
)
from nbzero.proxies.scored import OwnRow, OwnScores, growing, rows_there
from nbzero.proxies.workers import (
    Compute,
    Outcome,
    Task,
    computed,
    is_worth_another_try,
    leave_if_starting,
    main_is_a_file,
    num_cores,
    tune_process,
)
from nbzero.release.opened import Opened
from nbzero.release.schema import column
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.space import Space

REASON = 300  # characters of a reason at most
_EVERY = 5.0  # seconds between lines of progress where there is no terminal


def score_archs(
    function: Function | str,
    space: str | Space,
    archs: Iterable[Any] | str = range(200),
    dataset: str = "cifar10",
    protocol: str | None = None,
    seeds: Iterable[int] = (0,),
    workers: int | None = None,
    images: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    per_arch: str | float | None = None,
    show_progress: bool = True,
) -> OwnScores:
    """Score networks with a function of your own, as the jobs do with the stored proxies.

    A function of the network gets it as the protocol makes it (in train mode, float32, on the CPU), and the
    protocol's batch. Each call has a network built anew, copies of the images and labels, and seeded
    generators of torch, numpy and Python. So what it changes in them no other call sees. What it sets
    elsewhere (torch's defaults, a module's variables) stays in its worker.

    What a call gives is one number: a Python, numpy or torch one, or a tensor or array of one element. inf
    and -inf are numbers. Whatever else is a failure of that arch, with a reason: an exception, NaN, None,
    True or False, a complex number, a text, an array of several numbers. The other archs go on.

    Args:
        function: of (net, images, labels), or of the arch string. What it can be called with says which:
            three positional arguments (and the first is not called arch), or one. Or where to find it:
            "mymodule:my_proxy", "my_proxy.py:my_proxy".
        space: a name; its members are those of the release that ships with nbzero. Or a space of another
            release, `bench.space(name)`.
        archs: arch_ids, arch strings, or "all".
        dataset, protocol: as in `protocol_batch`. A function of the arch alone reads neither.
        seeds: of the weights and the images. The score of an arch is the mean over them.
        workers: processes with one torch thread each; None: one per core. 1 computes in this process, unless
            there is a limit. So does None where workers cannot import the function: a lambda, or what a
            notebook or an interactive session defines.
        images: as in `protocol_batch`: a folder or file, None for NBZERO_IMAGES, or "noise".
        out: a CSV file, a row per arch and seed, that grows as scores come. A run that was stopped goes on
            from it. Failures are kept, but for those of a lower limit or of a worker that died.
        per_arch: the seconds that one call may take, its network's building included: 30, "30s", "2m". An
            arch over it is a failure; its worker is replaced.
        show_progress: a bar, or lines, on stderr.

    Returns:
        Scores by arch, with reasons, and rows by seed: what `Bench.evaluate` takes.

    Raises:
        UsageError: no function of either kind; one that cannot be imported by workers that are needed; archs
            of no such form, or none; options of networks beside a function of the arch; a limit that is no
            time; a file of other settings, which is untouched; a script without its `__main__` guard.
        UnknownNameError: a space, data set or protocol that does not exist.
        NotAMemberError: an arch that is no member.
        NoSuchArchIdError: an arch_id beyond the space.
        ImagesError: images that are absent. The message says how to get them.
        MissingPackageError: a function of the network, without torch.
        OutputError: a file that cannot be written.
    """
    leave_if_starting()
    found = load_function(function) if isinstance(function, str) else function
    is_of_net = reads_network(found)
    chosen = _space_of(space)
    asked = _archs_of(chosen, archs)
    numbered = _seeds_of(seeds)
    limit = seconds_of(per_arch)
    team = _Team.of(function, found, workers, limit)
    if is_of_net:
        setting = _Setting.of(chosen, dataset, protocol, images)
    else:
        setting = _setting_of_arch(protocol, numbered, images)
    named = {"space": chosen.name, "dataset": setting.dataset, "protocol": setting.protocol}
    settings = named | {"function": named_version(found)}
    rows = {(row.arch, row.seed): row for row in _there(out, settings, limit)}
    tasks = [(arch, seed) for arch in asked for seed in numbered]
    todo = [task for task in tasks if task not in rows]
    if is_of_net and todo:
        setting = setting.with_batches(numbered, images)
    with (
        _kept(out, settings, list(rows.values())) as keep,
        _told(found, tasks, todo, show_progress) as tell,
        closing(team.computed(setting, todo)) as coming,
    ):
        for (arch, seed), outcome in coming:
            row = OwnRow(arch, seed, *outcome)
            rows[arch, seed] = row
            keep(row)
            tell(row)
    return OwnScores([rows[task] for task in tasks], **settings)


# What was asked for


def _space_of(given: Any) -> Space:
    if isinstance(given, str):
        return Opened(None).space(given).space
    if not isinstance(given, Space):
        raise UsageError(f"space {quoted(given)}; it is a name like 'r1-mini', or a space: bench.space(name)")
    return given


def _archs_of(space: Space, archs: Iterable[Any] | str) -> list[str]:
    allowed = "they are arch_ids like range(200), arch strings, or 'all'"
    if isinstance(archs, str):
        if archs != "all":
            raise UsageError(f"archs {archs!r}; {allowed}: [{archs!r}]")
        return list(space)
    if not isinstance(archs, Iterable):
        raise UsageError(f"archs {archs!r}; {allowed}: range({archs!r}), [{archs!r}]")
    found: dict[str, None] = {}
    for arch in archs:
        found[_arch_of(space, arch)] = None
    if not found:
        raise UsageError(f"archs without any; {allowed}")
    return list(found)


def _arch_of(space: Space, arch: Any) -> str:
    """A member by its number or its string."""
    if isinstance(arch, bool) or not hasattr(arch, "__index__"):
        return space[space.arch_id(arch)]
    number = int(arch)
    if not 0 <= number < len(space):
        raise NoSuchArchIdError(f"arch_id {number}; {space.name} has 0 to {len(space) - 1}")
    return space[number]


def _seeds_of(seeds: Iterable[int]) -> list[int]:
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        raise UsageError(f"seeds {seeds!r}; they are a list of whole numbers from 0: [0, 1, 2]")
    most = int(column("scores", "seed").bounds[1])
    found = [whole("seed", seed, most=most) for seed in seeds]
    if not found:
        raise UsageError("seeds without any; give at least one: [0]")
    return list(dict.fromkeys(found))


def seconds_of(per_arch: str | float | None) -> float | None:
    """A time limit in seconds.

    Raises:
        UsageError: no time above 0.

    >>> seconds_of("30s"), seconds_of("2m"), seconds_of(0.5)
    (30.0, 120.0, 0.5)
    """
    if per_arch is None:
        return None
    given = re.fullmatch(r"\s*([\d.]+)\s*(s|m|h|)\s*", str(per_arch))
    seconds = math.nan
    if given and not isinstance(per_arch, bool) and given[1].count(".") < 2 and given[1] != ".":
        seconds = float(given[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[given[2]]
    if not 0 < seconds < math.inf:
        raise UsageError(f"per_arch {per_arch!r}; it is a time above 0 that a call may take: 30, '30s', '2m'")
    return seconds


def _setting_of_arch(protocol: str | None, seeds: Sequence[int], images: Any) -> _Setting:
    """Nothing; UsageError for options of networks beside a function of the arch alone."""
    given = {"protocol": protocol, "images": images, "seeds": None if len(seeds) == 1 else seeds}
    for name, value in given.items():
        if value is not None:
            of = "of networks, and the function reads the arch alone"
            raise UsageError(f"{name} {value!r} is {of}; leave it out, or take (net, images, labels)")
    return _Setting()


@dataclass(frozen=True)
class _Setting:
    """What workers need to make networks and their batches; of a function of the arch alone, nothing.

    Attributes:
        batches: by seed; numpy arrays, which pickle without shared memory.
    """

    dataset: str = ""
    protocol: str = ""
    num_classes: int = 0
    batches: Mapping[int, tuple[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, space: Space, dataset: str, protocol: str | None, images: Any) -> _Setting:
        """Without batches, which take their time."""
        if space.name not in CHOICES and space.name not in NETWORKS:
            own = ", ".join([*CHOICES, *NETWORKS])
            raise UsageError(f"networks of {space.name} cannot be built here, only those of {own}: {KINDS}")
        home = _protocols()
        chosen = home.protocol_named(space.name, protocol, images)
        return cls(dataset, chosen.name, home.classes_of(chosen, dataset))

    def with_batches(self, seeds: Sequence[int], images: Any) -> _Setting:
        """With the batch of each seed."""
        home = _protocols()
        batches = {}
        protocol = home.PROTOCOLS[self.protocol]
        for seed, (pixels, labels) in home.protocol_batches(protocol, self.dataset, seeds, images).items():
            batches[seed] = (pixels.numpy(), labels.numpy())
        return replace(self, batches=batches)


def _protocols() -> Any:
    """The module of protocols, which imports torch; MissingPackageError without it."""
    needs("a function of (net, images, labels)", "torch")
    return importlib.import_module("nbzero.proxies.protocol")


# What computes


@dataclass(frozen=True)
class _Team:
    """Who computes.

    Attributes:
        function: the function itself.
        payload: what workers find it by; None: this process computes.
        workers, limit: of `computed`.
    """

    function: Function
    payload: bytes | None
    workers: int
    limit: float | None

    @classmethod
    def of(cls, given: Function | str, function: Function, workers: int | None, limit: float | None) -> _Team:
        if workers is not None:
            workers = whole("workers", workers, 1)
        if workers == 1 and limit is None:
            return cls(function, None, 1, None)
        payload, obstacle = _pickled(given)
        if payload is None and (workers is not None or limit is not None):
            why = f"workers cannot import the function {name_of(function)}: {obstacle}"
            instead = "put it into a .py file and import it, or leave workers and per_arch out"
            raise UsageError(f"{why}; {instead}")
        if payload is None:
            advice = "put the function into a .py file and import it to use all cores"
            print(f"One process computes: {obstacle}; {advice}.", file=sys.stderr)
        return cls(function, payload, workers or num_cores(), limit)

    def computed(
        self, setting: _Setting, tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Outcome], None, None]:
        """Tasks and what came of them, as they finish."""
        if self.payload is not None:
            payload = pickle.dumps((self.payload, setting))
            yield from computed(_start, payload, tasks, self.workers, self.limit)
            return
        with _one_thread(setting):
            compute = _computing(self.function, setting)
            for task in tasks:
                yield task, compute(*task)


def _pickled(function: Function | str) -> tuple[bytes | None, str]:
    """What a worker can find a function by; or None and why it cannot."""
    try:
        pickled = pickle.dumps(function)
    except Exception as error:  # whatever a part of it raises
        if "<" in getattr(function, "__qualname__", ""):
            return None, "it is a lambda, or defined inside a function"
        return None, f"it cannot be pickled ({error})"
    if b"__main__" in pickled and not main_is_a_file():
        return None, "it is defined in a notebook or at a prompt"
    return pickled, ""


@contextmanager
def _one_thread(setting: _Setting) -> Iterator[None]:
    """One torch thread inside, as in workers; more round otherwise."""
    if not setting.protocol:
        yield
        return
    torch = needs("a function of (net, images, labels)", "torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _start(payload: bytes) -> Compute:
    """In a worker: what computes.

    Raises:
        UsageError: the function cannot be imported here.
    """
    pickled, setting = pickle.loads(payload)
    try:
        found = pickle.loads(pickled)
        function = load_function(found) if isinstance(found, str) else found
    except Exception as error:  # whatever importing the reader's module raises
        said = f"{type(error).__name__}: {error}"
        can = "put it into a .py file that can be imported, or call with workers=1"
        raise UsageError(f"a worker cannot import the function ({said}); {can}") from error
    if setting.protocol:
        tune_process()
    return _computing(function, setting)


def _computing(function: Function, setting: _Setting) -> Compute:
    answer = _of_net(function, setting) if setting.protocol else _of_arch(function)

    def compute(arch: str, seed: int) -> Outcome:
        started = time.perf_counter()
        score, reason = None, ""
        try:
            score, reason = as_score(answer(arch, seed))
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - started
        return Outcome(score, " ".join(reason.split())[:REASON], seconds)

    return compute


def _of_arch(function: Function) -> Callable[[str, int], Any]:
    from nbzero.proxies.draws import seeded_draws

    def answer(arch: str, seed: int) -> Any:
        digest = hashlib.sha256(f"{arch}|{seed}|own".encode()).digest()
        with seeded_draws(int.from_bytes(digest[:8], "little") >> 1):
            return function(arch)

    return answer


def _of_net(function: Function, setting: _Setting) -> Callable[[str, int], Any]:
    import torch

    home = _protocols()
    protocol = home.PROTOCOLS[setting.protocol]
    batches = {}
    for seed, (pixels, labels) in setting.batches.items():
        batches[seed] = torch.from_numpy(pixels), torch.from_numpy(labels)

    def answer(arch: str, seed: int) -> Any:
        return home.answer_of(function, arch, seed, protocol, batches[seed], setting.num_classes)

    return answer


# What is kept and said meanwhile


def _there(
    out: str | os.PathLike[str] | None, settings: Mapping[str, str], limit: float | None
) -> list[OwnRow]:
    """The rows of a file that are final."""
    if out is None:
        return []
    rows = rows_there(Path(out), settings)
    return [row for row in rows if not is_worth_another_try(row.reason, limit)]


@contextmanager
def _kept(
    out: str | os.PathLike[str] | None, settings: Mapping[str, str], there: Sequence[OwnRow]
) -> Iterator[Callable[[OwnRow], None]]:
    """What keeps a row."""
    if out is None:
        yield lambda row: None
        return
    with growing(Path(out), settings, there) as keep:
        yield keep


@contextmanager
def _told(
    function: Function, tasks: Sequence[Task], todo: Sequence[Task], show: bool
) -> Iterator[Callable[[OwnRow], None]]:
    """Says of each row how far the work is, and how often it failed."""
    if not show or not todo:
        yield lambda row: None
        return
    failed = 0
    with progress(name_of(function), len(tasks), len(tasks) - len(todo), _EVERY) as report:

        def tell(row: OwnRow) -> None:
            nonlocal failed
            failed += row.score is None
            report(f"{row.arch} seed {row.seed}, {count_of(failed, 'failure')}")

        yield tell
