"""Where no data set or recipe is named: in our spaces the standard one, else the only one, else an error.

So that runs of another recipe or data set, when a release gains them, change no answer.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.work.commit import commit_release
from nbzero import Bench
from nbzero.adapters.nats import NATSBench
from nbzero.adapters.trainings import Trainings
from nbzero.errors import UsageError
from nbzero.release.schema import STANDARD_DATASET, STANDARD_RECIPE
from tests.cli.asking import answer, ask

SPACE = "r1-mini"
NUM = 24


@pytest.fixture(scope="module")
def releases(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Of r1-mini: `one`, standard runs alone; `more`, the same and others; `other`, none of them standard."""
    folder = tmp_path_factory.mktemp("standard")
    scores = [made.score_row(arch_id) for arch_id in range(NUM)]
    standard = [made.run_row(arch_id) for arch_id in range(NUM)]
    others = [made.run_row(arch_id, recipe) for recipe in ("cpu-16px-12", "gpu-12") for arch_id in range(4)]
    on_cifar10 = ("runs", SPACE, "cifar10")
    elsewhere = {("runs", SPACE, "cifar100"): standard[:5], ("runs", SPACE, "digits"): standard[:6]}
    rows = {
        "one": {on_cifar10: standard},
        "more": {on_cifar10: [*standard, *others], **elsewhere},
        "other": {on_cifar10: others},
        "several": elsewhere,
    }
    for name, runs in rows.items():
        whole = {("scores", SPACE, "cifar10"): scores, **runs}
        commit_release(folder / name, made.as_tables(whole, [SPACE]), "0.1.0")
    return SimpleNamespace(**{name: folder / name for name in rows})


ASKED: dict[str, Callable[[Bench], Any]] = {
    "accuracy": lambda b: [b.query((SPACE, number)).accuracy("cifar10") for number in range(NUM)],
    "run": lambda b: b.query((SPACE, 1)).run("cifar10"),
    "predicted": lambda b: b.query((SPACE, 1)).predicted_reason("cifar10"),
    "table": lambda b: b.table(
        SPACE, ["arch", "val_acc", "curve"], "cifar10", where="val_acc > 0.1"
    ).to_csv(),
    "pool": lambda b: b.pool(SPACE, "cifar10").accuracy.tolist(),
    "mbr": lambda b: list(b.mbr_table(SPACE, "cifar10")),
    "correlations": lambda b: list(b.correlations(SPACE, "cifar10")),
    "sample": lambda b: str(b.sample(SPACE, "cifar10").targets["accuracy"].tolist()),
    "simulate": lambda b: b.simulate(SPACE, "cifar10", unmeasured="refuse").train(b.query((SPACE, 2)).arch),
    "trainings": lambda b: Trainings(b, SPACE, "cifar10", unmeasured="refuse").recipe,
    "nats": lambda b: NATSBench(b, SPACE).get_more_info(3, "cifar10", is_random=False),
    "evaluate": lambda b: list(b.evaluate("zen", SPACE, "cifar10").sorted),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_a_release_gains_changes_no_answer(releases: SimpleNamespace, name: str) -> None:
    assert ASKED[name](Bench(releases.more)) == ASKED[name](Bench(releases.one))


def test_a_data_set_is_the_standard_one(releases: SimpleNamespace) -> None:
    assert Bench(releases.more).evaluate("zen", SPACE).pool.dataset == "cifar10"


@pytest.mark.parametrize("command", ["mbr", "corr", "constrained", "hybrid", "factors", "top"])
def test_what_a_release_gains_changes_no_table(releases: SimpleNamespace, command: str) -> None:
    given = {"hybrid": ["-p", "zen,macs"], "factors": ["--targets", "zen,accuracy"]}.get(command, [])
    one, more = (
        answer("--release", where, command, SPACE, *given) for where in (releases.one, releases.more)
    )
    assert more == one and STANDARD_RECIPE in one["title"] and STANDARD_DATASET in one["title"]


def test_hybrids_are_judged_on_the_standard_pool(releases: SimpleNamespace) -> None:
    asked = ("--release", releases.more, "hybrid", SPACE, "-p", "zen,macs", "--judge")
    assert answer(*asked, SPACE) == answer(*asked, f"{SPACE}:cifar10:val:cpu-16px-4")


def test_a_figure_says_which_it_is_of(releases: SimpleNamespace, tmp_path: Path) -> None:
    asked = ("plot", "scatter", SPACE, "--out", tmp_path / "scatter.svg")
    assert "r1-mini, cifar10, cpu-16px-4, val" in answer("--release", releases.more, *asked)["title"]


@pytest.mark.parametrize("name", ASKED)
def test_without_a_standard_recipe_one_is_named(releases: SimpleNamespace, name: str) -> None:
    with pytest.raises(UsageError, match=r"(several recipes|several;).* name one: cpu-16px-12, gpu-12"):
        ASKED[name](Bench(releases.other))


def test_without_a_standard_recipe_commands_say_which_there_are(releases: SimpleNamespace) -> None:
    for command in ("mbr", "top"):
        said = ask("--release", releases.other, command, SPACE, status=2).stderr
        assert "several recipes, which are never mixed; name one: cpu-16px-12, gpu-12" in said
    judged = ("hybrid", SPACE, "--recipe", "gpu-12", "-p", "zen,macs", "--judge", SPACE)
    assert (
        "pool 'r1-mini': r1-mini has runs of several recipes on cifar10, which are never mixed; name one: "
        "r1-mini:cifar10:val:cpu-16px-12 or r1-mini:cifar10:val:gpu-12"
    ) in ask("--release", releases.other, *judged, status=2).stderr


def test_without_a_standard_data_set_one_is_named(releases: SimpleNamespace) -> None:
    bench = Bench(releases.several)
    assert bench.datasets(SPACE) == ["cifar10", "cifar100", "digits"]  # of cifar10 there are scores alone
    with pytest.raises(UsageError, match="r1-mini has runs on several data sets; name one with dataset: "):
        bench.evaluate("zen", SPACE)
    said = ask("--release", releases.several, "top", SPACE, status=2).stderr
    assert said == (
        "nbzero: r1-mini has runs on several data sets; name one with --dataset: cifar100, digits\n"
    )
