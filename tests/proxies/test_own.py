"""score_archs: what is asked for, what is computed, what fails alone, what goes on."""

import io
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from nbzero import Bench
from nbzero.errors import (
    ImagesError,
    NoSuchArchIdError,
    NotAMemberError,
    OutputError,
    UnknownNameError,
    UsageError,
)
from nbzero.networks.build import build_net
from nbzero.networks.published import NETWORKS, OF_TOKENS
from nbzero.proxies import scored
from nbzero.proxies.own import score_archs, seconds_of
from nbzero.proxies.protocol import PROTOCOLS, protocol_batch, protocol_net
from nbzero.proxies.score import score
from nbzero.spaces.macro import MacroSpace
from nbzero.spaces.published import IMPORTED, space_with
from tests.builders.made import is_alive, started, wait_until
from tests.disk import FullDisk
from tests.places import DATA as STRIPS, ROOT
from tests.proxies import functions

MEMBERS = Bench().space("r1-mini").members
SMALL = [444, 445, 446]  # arch 444 is one of the smallest networks
QUIET = {"show_progress": False}
HERE = {"workers": 1, **QUIET}


def test_a_function_of_the_arch_is_scored_here_and_by_workers():
    here = score_archs(functions.length, "r1-mini", range(20), **HERE)
    assert dict(here) == {arch: len(arch) for arch in MEMBERS[:20]} and list(here) == list(MEMBERS[:20])
    assert (here.space, here.dataset, here.protocol) == ("r1-mini", "", "") and not here.reasons
    for function in (functions.length, "tests.proxies.functions:length"):
        assert dict(score_archs(function, "r1-mini", range(20), workers=2, **QUIET)) == dict(here)
    twice = score_archs(functions.TWICE, "r1-mini", range(3), workers=2, **QUIET)
    assert list(twice.values()) == [2 * len(arch) for arch in MEMBERS[:3]]
    weighted = score_archs(functions.Weighted(0.5), "r1-mini", range(3), workers=2, **QUIET)
    assert list(weighted.values()) == [len(arch) / 2 for arch in MEMBERS[:3]]


def test_archs_are_numbers_strings_or_all():
    assert list(score_archs(functions.length, "r1-mini", **HERE)) == list(MEMBERS[:200])
    some = score_archs(functions.length, "r1-mini", [np.int64(3), MEMBERS[0], 3, MEMBERS[3]], **HERE)
    assert list(some) == [MEMBERS[3], MEMBERS[0]]
    few = MacroSpace("r1-mini", MEMBERS[:7])
    assert list(score_archs(functions.length, few, "all", **HERE)) == list(MEMBERS[:7])


@pytest.mark.parametrize(
    ("archs", "error", "said"),
    [
        ([1000], NoSuchArchIdError, "arch_id 1000; r1-mini has 0 to 999"),
        ([-1], NoSuchArchIdError, "arch_id -1; r1-mini has 0 to 999"),
        (["r1-mini-s4-d1w4s2-d1w4s2-d1w4s2-d4w4s1"], NotAMemberError, "is no member, .*nearest members: "),
        (["r1-mini-what"], UsageError, "r1-mini-what"),
        ([1.0], UsageError, "1.0"),
        ([True], UsageError, "True"),
        ([], UsageError, "archs without any; they are arch_ids like range"),
        (MEMBERS[0], UsageError, "they are arch_ids like .* or 'all': "),
        (200, UsageError, r"archs 200; they are .*: range\(200\), \[200\]"),
    ],
)
def test_archs_that_are_none_are_errors(archs, error, said):
    with pytest.raises(error, match=said):
        score_archs(functions.length, "r1-mini", archs, **HERE)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"space": "r9"}, UnknownNameError, "no space named 'r9'"),
        ({"function": functions.naswot, "dataset": "mnist"}, UnknownNameError, "no dataset named 'mnist'"),
        ({"function": functions.naswot, "protocol": "std-8"}, UnknownNameError, "no protocol named 'std-8'"),
        (
            {"function": functions.naswot, "protocol": "std-16-b32", "images": "noise"},
            UsageError,
            "images='noise' with protocol 'std-16-b32'; the protocols with noise are std-32-noise, std-",
        ),
        ({"seeds": 3}, UsageError, r"seeds 3; they are a list of whole numbers from 0: \[0, 1, 2\]"),
        ({"seeds": "01"}, UsageError, "seeds '01'; they are a list"),
        ({"seeds": []}, UsageError, "seeds without any"),
        ({"seeds": [-1]}, UsageError, "seed -1; it is a whole number from 0"),
        ({"seeds": [2**31]}, UsageError, "seed 2147483648; it is a whole number from 0 to 2147483647"),
        ({"workers": 0}, UsageError, "workers 0; it is a whole number from 1"),
        (
            {"per_arch": "soon"},
            UsageError,
            "per_arch 'soon'; it is a time above 0 that a call may take",
        ),
        ({"per_arch": 0}, UsageError, "per_arch 0"),
        (
            {"seeds": [0, 1]},
            UsageError,
            r"seeds \[0, 1\] is of networks, and the function reads",
        ),
        ({"protocol": "std-16"}, UsageError, "protocol 'std-16' is of networks"),
        ({"images": "noise"}, UsageError, "images 'noise' is of networks"),
        ({"out": "scores.txt"}, UsageError, "out 'scores.txt'; it is a file that ends in .csv"),
    ],
)
def test_options_that_are_wrong_are_explained(given, error, said):
    with pytest.raises(error, match=said):
        score_archs(**{"function": functions.length, "space": "r1-mini", "archs": [0], **HERE, **given})


def test_a_limit_is_seconds_or_a_text():
    assert [seconds_of(given) for given in (None, 30, "30", "1.5 m", "1h")] == [None, 30, 30, 90, 3600]
    for given in ("-1s", "1.2.3", ".", True, "inf", float("nan"), "1d"):
        with pytest.raises(UsageError, match="per_arch"):
            seconds_of(given)


def test_what_draws_numbers_draws_the_same_in_every_order_and_leaves_the_generators_alone():
    import random

    random.seed(1)
    before = random.getstate()
    one = score_archs(functions.drawn, "r1-mini", range(5), **HERE)
    assert random.getstate() == before
    assert dict(score_archs(functions.drawn, "r1-mini", [4, 2, 0, 1, 3], **HERE)) == dict(one)
    assert len(set(one.values())) == 5


def test_an_exception_is_the_reason_of_its_arch_alone():
    for workers in (1, 2):
        found = score_archs(functions.odd_ones_raise, "r1-mini", range(30), workers=workers, **QUIET)
        for arch in MEMBERS[:30]:
            if len(arch) % 2:
                assert found[arch] is None and found.reasons[arch] == f"ValueError: odd: {len(arch)}"
            else:
                assert found[arch] == len(arch) and arch not in found.reasons
    assert 0 < len(found.reasons) < 30


def test_a_lambda_and_what_a_notebook_defines_are_computed_in_this_process(capsys):
    found = score_archs(lambda arch: len(arch), "r1-mini", range(3), **QUIET)
    assert list(found.values()) == [len(arch) for arch in MEMBERS[:3]]
    assert "One process computes: it is a lambda, or defined inside a function" in capsys.readouterr().err
    for more in ({"workers": 2}, {"per_arch": 30}):
        with pytest.raises(UsageError, match="workers cannot import the function <lambda>: it is a lambda"):
            score_archs(lambda arch: len(arch), "r1-mini", range(3), **more, **QUIET)


def ran(code, tmp_path, as_file):
    """What Python says of some code, of standard input or as a script."""
    if as_file:
        (tmp_path / "script.py").write_text(code)
    command = [sys.executable, str(tmp_path / "script.py")] if as_file else [sys.executable, "-"]
    return subprocess.run(
        command,
        input=None if as_file else code,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )


DEFINED = """
from nbzero.proxies import score_archs

def mine(arch):
    return len(arch)

"""
CALL = "print(sum(score_archs(mine, 'r1-mini', range(5), workers={workers}).values()))\n"


def test_a_script_needs_its_guard_and_a_prompt_has_one_process(tmp_path):
    total = f"{sum(len(arch) for arch in MEMBERS[:5])}.0\n"
    guarded = DEFINED + "if __name__ == '__main__':\n    " + CALL.format(workers=2)
    assert ran(guarded, tmp_path, as_file=True).stdout == total
    bare = ran(DEFINED + CALL.format(workers=2), tmp_path, as_file=True)
    said = "UsageError: a worker imports your script, which started workers again; put what it calls under"
    assert bare.returncode == 1 and said in bare.stderr and bare.stderr.count("Traceback") == 1
    prompt = ran(DEFINED + CALL.format(workers=None), tmp_path, as_file=False)
    assert prompt.stdout == total and "defined in a notebook or at a prompt" in prompt.stderr
    imported = CALL.replace("mine", "'builtins:len'").format(workers=2)
    assert ran(DEFINED + imported, tmp_path, as_file=False).stdout == total
    two = ran(DEFINED + CALL.format(workers=2), tmp_path, as_file=False)
    assert "workers cannot import the function mine: it is defined in a notebook or at a prompt" in two.stderr


def test_a_function_of_the_arch_imports_no_torch(tmp_path):
    code = (
        DEFINED
        + "score_archs(mine, 'r1-mini', range(5), workers=1)\nimport sys\nprint('torch' in sys.modules)"
    )
    assert ran(code, tmp_path, as_file=False).stdout == "False\n"


def test_without_torch_only_functions_of_the_arch_are_scored(tmp_path):
    code = """
import sys
sys.modules["torch"] = None  # as where it is not installed
from nbzero.errors import MissingPackageError
from nbzero.proxies import score_archs
print(len(score_archs(lambda arch: len(arch), "r1-mini", range(5), workers=1)))
try:
    score_archs(lambda net, images, labels: 1, "r1-mini", range(5))
except MissingPackageError as error:
    print(error)
"""
    said = ran(code, tmp_path, as_file=False).stdout.splitlines()
    assert said[0] == "5" and said[1].startswith(
        "a function of (net, images, labels) needs torch, which cannot"
    )
    assert said[1].endswith("pip install '.[torch]' in a checkout of nbzero")


# On networks


def test_a_network_is_scored_as_the_jobs_do_it():
    for init in ("std-16", "std-16-n01"):
        found = score_archs(
            functions.naswot, "r1-mini", SMALL, "digits", protocol=init, seeds=(0, 2), workers=1, **QUIET
        )
        assert (found.dataset, found.protocol, found.seeds) == ("digits", init, (0, 2))
        for row in found.rows:
            images, labels = protocol_batch("r1-mini", "digits", row.seed, protocol=init)
            net = protocol_net(row.arch, PROTOCOLS[init], 10, row.seed)
            assert row.score == pytest.approx(score(net, images, labels, ["naswot"])["naswot"], rel=1e-12)
            assert row.seconds > 0
        mean = np.mean([row.score for row in found.rows[:2]])
        assert found[MEMBERS[444]] == mean


def test_workers_give_what_this_process_gives():
    asked = (functions.naswot, "r1-mini", SMALL, "digits")
    here = score_archs(*asked, **HERE)
    assert dict(score_archs(*asked, workers=2, **QUIET)) == dict(here)
    assert torch.get_num_threads() >= 1


def test_what_a_function_changes_no_other_call_sees():
    changes = (functions.changes_what_it_gets, "r1-mini")
    alone = {}
    for arch in SMALL:
        alone |= score_archs(*changes, [arch], "digits", **HERE)
    assert torch.is_grad_enabled()
    together = score_archs(*changes, SMALL, "digits", seeds=(0, 1), **HERE)
    assert {row.arch: row.score for row in together.rows if row.seed == 0} == alone
    assert len({row.score for row in together.rows}) == 6
    again = score_archs(*changes, reversed(SMALL), "digits", seeds=(1, 0), **HERE)
    assert dict(again) == dict(together)
    graded = score_archs(functions.needs_gradients, "r1-mini", SMALL, "digits", **HERE)
    assert not graded.reasons and torch.is_grad_enabled()


def test_noise_is_a_protocol_of_its_own_and_needs_no_images(monkeypatch):
    monkeypatch.delenv("NBZERO_IMAGES", raising=False)
    for more in ({"images": "noise"}, {"protocol": "std-16-noise"}):
        found = score_archs(functions.naswot, "r1-mini", SMALL[:1], **more, **HERE)
        assert found.protocol == "std-16-noise" and "std-16-noise" in str(found)
    images, labels = protocol_batch("r1-mini", "cifar10", 0, images="noise")
    net = build_net(MEMBERS[444], 10, 0)
    assert found[MEMBERS[444]] == pytest.approx(score(net, images, labels, ["naswot"])["naswot"], rel=1e-12)


def test_absent_images_are_an_error_that_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.delenv("NBZERO_IMAGES", raising=False)
    said = "python -m nbzero.images prepare cifar10 .*images='noise' needs none, and is a protocol of its own"
    for images in (None, tmp_path):
        with pytest.raises(ImagesError, match=said):
            score_archs(functions.naswot, "r1-mini", SMALL, images=images, **HERE)


def test_networks_of_a_space_without_them_cannot_be_built(monkeypatch):
    monkeypatch.delitem(NETWORKS, "nbmacro")
    example = IMPORTED["nbmacro"].example
    space = space_with("nbmacro", [example])
    assert list(score_archs(functions.length, space, [0], **HERE).values()) == [len(example)]
    said = "networks of nbmacro cannot be built here, only those of r1, r2, .*, nb201, "
    with pytest.raises(UsageError, match=said):
        score_archs(functions.naswot, space, [0], **HERE)


@pytest.mark.parametrize("given", [["r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2"], None, 3])
def test_what_is_no_space(given):
    with pytest.raises(UsageError, match=r"^space .*; it is a name like 'r1-mini', or a space: bench.space"):
        score_archs(functions.length, given, **HERE)


def test_networks_that_read_tokens_are_scored_on_tokens():
    example = IMPORTED["flexibert"].example
    space = space_with("flexibert", [example])
    scored = score_archs(functions.answers, space, [0], "glue", **HERE)
    tokens, labels = protocol_batch("flexibert", "glue")
    net = protocol_net(example, PROTOCOLS["tokens-16x128"], 2, 0)
    assert scored[example] == pytest.approx(functions.answers(net, tokens, labels))
    assert (scored.dataset, scored.protocol) == ("glue", "tokens-16x128")
    with pytest.raises(UsageError, match="networks of flexibert read tokens, which are drawn; leave images"):
        score_archs(functions.answers, space, [0], "glue", images="noise", **HERE)
    with pytest.raises(UnknownNameError, match="no dataset named 'cifar10'; Known: cola, glue, "):
        score_archs(functions.answers, space, [0], **HERE)


# 64 images take minutes in 20 cells of darts, or at mobilenetv2's own resolution, and seconds in these
LARGE = {"nb101", "nats-sss", "transnas-macro", "transnas-micro"}
PUBLISHED = sorted(NETWORKS.keys() - OF_TOKENS - {"darts", "mobilenetv2"})


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in LARGE else []) for name in PUBLISHED]
)
def test_networks_of_published_benchmarks_are_scored_as_ours(name):
    example = IMPORTED[name].example
    scored = score_archs(functions.naswot, space_with(name, [example]), [0], images="noise", **HERE)
    images, labels = protocol_batch(name, "cifar10", images="noise")
    net = build_net(example)
    expected = functions.naswot(net, images, labels)
    assert list(scored.values()) == [pytest.approx(expected)] and scored.protocol == "std-32-noise"
    assert score(net, images, labels, ["naswot"])["naswot"] == pytest.approx(expected)


@pytest.mark.skipif(not list(STRIPS.glob("cifar10-*.parquet")), reason=f"no images of CIFAR-10 in {STRIPS}")
@pytest.mark.usefixtures("cifar10_read_once")
def test_naswot_of_ones_own_gives_the_released_numbers():
    """The same digits where the processor and the software are those that the release was made with."""
    from builders.work.origin import device_name, software

    bench = Bench()
    rows = bench.arrow("scores", "r1-mini", "cifar10").to_pylist()
    found = score_archs(functions.naswot, "r1-mini", SMALL, images=STRIPS, **HERE)
    for arch, value in found.items():
        (row,) = [one for one in rows if one["arch_id"] == MEMBERS.index(arch) and one["seed"] == 0]
        released = bench.query(arch).score("naswot", "cifar10")
        if (row["device"], row["software"]) == (device_name("cpu"), software()):
            assert value == released
        assert value == pytest.approx(released, rel=1e-3)


# A file


def test_a_run_goes_on_from_its_file(tmp_path):
    out = tmp_path / "scores.csv"
    first = score_archs(functions.odd_ones_raise, "r1-mini", range(10), out=out, **HERE)
    lines = out.read_text().splitlines()
    assert len(lines) == 11
    out.write_text("\n".join(lines[:8]) + "\n" + lines[8][:20])  # a kill in the middle of a line
    seconds = [line.split(",")[4] for line in lines[1:8]]
    second = score_archs(functions.odd_ones_raise, "r1-mini", range(12), out=out, **HERE)
    again = out.read_text().splitlines()
    assert len(again) == 13 and again[:8] == lines[:8], "what was there is kept as it was"
    assert [line.split(",")[4] for line in again[1:8]] == seconds
    assert {arch: second[arch] for arch in first} == dict(first) and len(second) == 12
    part = score_archs(functions.odd_ones_raise, "r1-mini", [3], out=out, **HERE)
    assert list(part) == [MEMBERS[3]] and out.read_text().splitlines() == again


def test_a_file_of_another_function_is_refused_before_anything_is_computed(tmp_path):
    out = tmp_path / "scores.csv"
    score_archs(functions.length, "r1-mini", range(3), out=out, **HERE)
    before = out.read_bytes()
    for given, said in (
        (
            (functions.odd_ones_raise, "r1-mini"),
            "it has scores of function 'length .*, and these are of 'odd_",
        ),
        ((functions.length, "r2-mini"), "it has scores of space 'r1-mini', and these are of 'r2-mini'"),
    ):
        with pytest.raises(UsageError, match=said):
            score_archs(*given, range(3), out=out, **HERE)
    with pytest.raises(UsageError, match="it has scores of dataset '', and these are of 'digits'"):
        score_archs(functions.naswot, "r1-mini", SMALL, "digits", out=out, **HERE)
    assert out.read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        score_archs(functions.length, "r1-mini", range(3), out=tmp_path / "file" / "x.csv", **HERE)


class SoonFull(FullDisk):
    """A file on a disk that has room for three more rows."""

    rows = 0

    def write(self, data):
        self.rows += 1
        return io.FileIO.write(self, data) if self.rows <= 3 else super().write(data)


def test_a_full_disk_ends_the_workers_and_loses_no_row_that_is_there(tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    asked = (functions.length, "r1-mini", range(10))
    with monkeypatch.context() as patched:
        patched.setattr(scored, "open", lambda path, mode, buffering: SoonFull(path, mode), raising=False)
        with pytest.raises(OutputError, match=r"cannot write .*scores.csv: No space left .*; free space"):
            score_archs(*asked, workers=2, out=out, **QUIET)
    assert multiprocessing.active_children() == []
    lines = out.read_text().splitlines()
    assert len(lines) == 5 and not out.read_text().endswith("\n"), "the fifth was cut off"
    assert len(score_archs(*asked, out=out, **HERE)) == 10
    assert out.read_text().splitlines()[:4] == lines[:4]


# Workers that hang or die


def test_what_takes_too_long_is_a_failure_and_the_rest_goes_on(tmp_path):
    out = tmp_path / "scores.csv"
    long = next(arch for arch in MEMBERS if len(arch) > 38)
    short = [arch for arch in MEMBERS if len(arch) <= 38][:6]
    asked = (functions.hangs_on_long_names, "r1-mini", [*short[:2], long, *short[2:]])
    limited = {"workers": 2, "per_arch": "3s", "out": out, **QUIET}
    found = score_archs(*asked, **limited)
    assert found.reasons == {long: "over the limit of 3 s per arch"}
    assert [found[arch] for arch in short] == [len(arch) for arch in short]
    assert score_archs(*asked, **limited).rows == found.rows, "a failure of the same limit is kept"


def test_a_worker_that_dies_is_replaced_and_its_arch_tried_again_the_next_time(tmp_path):
    out = tmp_path / "scores.csv"
    asked = ("r1-mini", range(8))
    found = score_archs(functions.dies_on_long_names, *asked, workers=2, out=out, **QUIET)
    dead = [arch for arch in MEMBERS[:8] if len(arch) > 38]
    assert list(found.reasons) == dead and len(dead) > 0
    assert set(found.reasons.values()) == {"its worker ended with exit status 3"}
    kept = [line for line in out.read_text().splitlines() if "exit status" not in line]
    assert len(kept) == 9 - len(dead)
    score_archs(functions.dies_on_long_names, *asked, workers=1, per_arch=60, out=out, **QUIET)
    again = out.read_text().splitlines()
    assert [line for line in again if "exit status" not in line] == kept and len(again) == 9


def test_a_kill_loses_what_is_in_work_and_leaves_no_process(tmp_path):
    """The workers hang on long names; what was finished before is in the file, and counts."""
    out = tmp_path / "scores.csv"
    given = ("score", "tests.proxies.functions:hangs_on_long_names", "r1-mini", "--archs", "60")
    job = started("nbzero", *given, "--workers", "2", "--out", str(out))
    wait_until(lambda: out.exists() and out.read_text().count("\n") > 2)
    os.kill(job.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(job.pid))
    job.communicate()
    there = out.read_text().splitlines()[1:]
    found = score_archs(
        functions.hangs_on_long_names, "r1-mini", range(8), workers=2, per_arch=2, out=out, **QUIET
    )
    assert out.read_text().splitlines()[1 : 1 + len(there)] == there and len(found) == 8
    assert all(found[arch] == len(arch) for arch in found if len(arch) <= 38)


def test_a_function_that_workers_cannot_import_is_an_error_that_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(functions.length, "__module__", "no_such_module_here")
    with pytest.raises(UsageError, match="workers cannot import the function length"):
        score_archs(functions.length, "r1-mini", range(3), workers=2, **QUIET)


def test_progress_is_said_on_stderr(capsys):
    score_archs(functions.odd_ones_raise, "r1-mini", range(30), workers=1)
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines()[-1].startswith("odd_ones_raise 30/30 r1-mini-")
    assert "failures, 0 s left" in said.err
