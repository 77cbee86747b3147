"""A proxy whose scores are of rounding on one data set is marked there, and on no other."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from builders.work.commit import commit_release
from nbzero import Bench, judge
from nbzero.proxies.protocol import protocol_batch
from nbzero.spaces.published import doubt_notes, doubtful_in, doubts_of
from tests.cli.asking import answer, ask

SPACE, NAME = "r1-mini", "epe_nas"


@pytest.fixture(scope="module")
def two(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with the same runs and scores of r1-mini on cifar10 and cifar100."""
    folder = tmp_path_factory.mktemp("doubts") / "release"
    rows = {}
    for dataset in ("cifar10", "cifar100"):
        rows["runs", SPACE, dataset] = [made.run_row(arch_id) for arch_id in range(24)]
        rows["scores", SPACE, dataset] = [made.score_row(arch_id) for arch_id in range(24)]
    commit_release(folder, made.as_tables(rows, [SPACE]), "0.1.0")
    return folder


def test_what_is_doubtful_on_a_data_set_is_so_in_every_space_of_ours() -> None:
    assert doubtful_in(SPACE, ["zen", NAME], "cifar100") == [NAME]
    assert not doubtful_in(SPACE, [NAME], "cifar10") and not doubtful_in(SPACE, [NAME])
    assert doubts_of("mb", "cifar100") == doubts_of("mb")  # there it is doubtful whatever the data set
    (note,) = doubt_notes(SPACE, ["zen", NAME], "cifar100")
    assert note.startswith(f"* Doubtful in r1-mini on cifar100: {NAME}; it compares images of one class")
    assert "Doubtful in mb: " in doubt_notes("mb", [NAME], "cifar100")[0]
    assert NAME not in doubts_of("nb201", "cifar100")  # its authors' scores are of other batches


def test_it_is_marked_in_every_judgement(two: Path) -> None:
    bench = Bench(two)
    for dataset, marked in (("cifar10", []), ("cifar100", [NAME])):
        pool = bench.pool(SPACE, dataset, proxies=["zen", NAME])
        found = [
            judge.mbr_table(pool),
            judge.correlations(pool),
            judge.constrained(pool),
            judge.best_hybrids(pool, ["zen", NAME]).table(),
            judge.bias(pool, ["zen", NAME]),
            judge.bias(bench.sample(SPACE, dataset, targets=["zen", NAME])),
            judge.evaluate(pool, "zen").sorted,
            bench.table(SPACE, ["zen", NAME], dataset),
        ]
        for frame in found:
            assert list(frame.doubtful) == marked, frame.title
            assert ("Doubtful in r1-mini on cifar100" in " ".join(frame.notes)) == bool(marked)


def test_it_is_marked_in_look_ups(two: Path) -> None:
    for dataset, marked in (("cifar10", False), ("cifar100", True)):
        top = ask("--release", two, "top", SPACE, "--by", NAME, "-d", dataset).stdout
        assert ("epe_nas*" in top) == marked and ("Doubtful in r1-mini on cifar100" in top) == marked
        query = answer("--release", two, "query", "r1-mini:1", "-d", dataset)
        assert any("Doubtful in r1-mini on cifar100" in note for note in query["notes"]) == marked
    both = ask("--release", two, "query", "r1-mini:1").stdout.split("score: ")
    assert ["epe_nas*" in part for part in both] == [False, False, True]
    assert both[1].startswith("cifar10,") and both[2].startswith("cifar100,")


def test_it_is_of_rounding_where_no_class_is_there_twice() -> None:
    """What the doubt says holds of the batch that scores are of: 64 images, balanced by class."""
    _, labels = protocol_batch(SPACE, "cifar100", 0, images="noise")
    assert len(labels) == len(labels.unique()) == 64
