"""Submissions: what is right is taken as it is, and everything that is wrong is named at once."""

import json

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.judge import check_submission, leaderboard
from nbzero.judge.submission_files import FIELDS
from nbzero.proxies.scored import COLUMNS, OwnRow, growing
from tests.judge.boards import ABOUT, pool_of, rows_of, written

POOLS = [pool_of(seed) for seed in range(2)]
RIGHT = [row for pool in POOLS for row in rows_of(pool, pool.scores["zen"])]


def problems(folder):
    made, found = check_submission(folder, POOLS)
    assert (made is None) == bool(found)
    return [problem.problem for problem in found]


def test_what_nbzero_score_writes_is_taken(tmp_path):
    (tmp_path / "submission.json").write_text(json.dumps(ABOUT))
    for pool in POOLS:
        settings = {"space": pool.space, "dataset": "digits", "protocol": "std", "function": "mine 0"}
        with growing(tmp_path / f"{pool.space}.csv", settings, []) as add:
            for arch, score in zip(pool.archs, pool.scores["zen"].tolist(), strict=True):
                failed = arch == "arch3"
                add(OwnRow(arch, 0, None if failed else score, "it fails" if failed else "", 0.1))
    made, found = check_submission(tmp_path, POOLS)
    assert not found and made.name == "mine" and made.authors == ("A. Author",)
    for pool in POOLS:
        wanted = np.where(np.array(pool.archs) == "arch3", np.nan, pool.scores["zen"])
        assert np.array_equal(made.scores_on(pool), wanted, equal_nan=True)


def test_a_function_of_the_arch_alone_covers_every_data_set(tmp_path):
    plain = [row | {"dataset": "", "protocol": ""} for row in RIGHT]
    made, found = check_submission(written(tmp_path, plain), POOLS)
    assert not found and all(made.covers(pool) for pool in POOLS)


WRONG = {
    "name": ("zen", "name is 'zen'; it is a line of at most 40 characters, and no name that the board has"),
    "code": ("mine.py", "code is 'mine.py'; it is a link to the code, https://.."),
    "authors": ("A. Author", "authors is 'A. Author'; it is a list of names"),
    "machine": ("", "machine is ''; it is a line"),
    "seconds_per_network": (float("nan"), "seconds_per_network is nan; it is a number above 0"),
    "protocol": ("board-0", "protocol is 'board-0'; it is 'board-1', of which this board is"),
    "direction": ("up", "direction is 'up'; it is one of higher, lower"),
    "prize": (1, "unknown fields 'prize'; it has name, code"),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_field_that_is_wrong(field, tmp_path):
    value, said = WRONG[field]
    (found,) = problems(written(tmp_path, RIGHT, **{field: value}))
    assert found.startswith(said)


CHANGES = {
    "unknown arch": ({"arch": "arch99"}, "1 row ('arch99') for archs that are no members"),
    "twice": ({"arch": "arch1"}, "space0, digits, std: 1 row ('arch1') there twice; give each arch one row"),
    "NaN": ({"score": "nan"}, "1 row ('arch0') whose score is NaN; leave it empty and give a reason"),
    "no number": ({"score": "high"}, "1 row ('arch0') whose score is no number; leave it empty"),
    "no reason": ({"score": ""}, "1 row ('arch0') without a score and without a reason; say why"),
    "seed": ({"seed": "1"}, "1 row ('arch0') of another seed than 0; board-1 is of seed 0"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_row_that_is_wrong(what, tmp_path):
    change, said = CHANGES[what]
    found = problems(written(tmp_path, [RIGHT[0] | change, *RIGHT[1:]]))
    assert any(said in one for one in found)
    if "arch" in change:
        assert any("23 of the 24 archs of space0" in one and "'arch0' is not" in one for one in found)
    else:
        assert len(found) == 1


def test_other_settings_and_too_few_archs(tmp_path):
    noise = [row | {"protocol": "std-noise"} for row in RIGHT]
    assert problems(written(tmp_path / "a", noise))[0] == (
        "scores on digits by std-noise, which no pool of the board has: digits by std"
    )
    elsewhere = [row | {"space": "r9"} for row in RIGHT[:24]]
    assert problems(written(tmp_path / "b", elsewhere)) == ["no space of this board; it has space0, space1"]
    assert problems(written(tmp_path / "c", RIGHT[:20])) == [
        "20 of the 24 archs of space0, digits, short, val, seed 0, std are scored, and 'arch20' is not; "
        "nbzero score ... --archs 24 has all"
    ]
    twice = written(tmp_path / "d", RIGHT)
    (twice / "again.csv").write_bytes((twice / "scores-space0.csv").read_bytes())
    assert problems(twice) == ["space0 on digits stands elsewhere too, or by two protocols; leave one"]


def test_files_that_cannot_be_read(tmp_path):
    assert problems(tmp_path / "none") == [
        "it is no folder; a submission is one, with submission.json and .csv files"
    ]
    assert problems(tmp_path) == [
        f"it is not there; it is JSON with the fields {', '.join(FIELDS)}",
        "it has no .csv file; nbzero score ... --out FILE.csv writes one",
    ]
    folder = written(tmp_path, RIGHT)
    for content, said in (
        (b"[1]", "it holds no object"),
        (b"{", "it is no JSON"),
        (b"\xff{", "it is no text"),
    ):
        (folder / "submission.json").write_bytes(content)
        assert problems(folder)[0].startswith(said)
    (folder / "submission.json").write_text(json.dumps(ABOUT))
    file = folder / "scores-space0.csv"
    whole = file.read_text()
    for content, said in (
        ("", "columns arch, seed, score, reason"),
        (whole.replace("reason", "why", 1), "columns reason are missing; it has those of nbzero score"),
        (",".join(COLUMNS) + "\n", "it has no rows"),
        (whole + "arch0,0\n", "1 row has another number of cells than the first line, first row 25"),
        (whole + '"arch0', "it is no CSV"),
    ):
        file.write_text(content)
        assert problems(folder)[0].startswith(said)


def test_every_problem_is_named_at_once_and_nothing_is_ranked(tmp_path):
    rows = [RIGHT[0] | {"score": "nan"}, RIGHT[1] | {"arch": "arch99"}, *RIGHT[2:]]
    folder = written(tmp_path, rows, name="zen", protocol="board-9")
    assert len(problems(folder)) == 5
    with pytest.raises(UsageError, match=r"^5 problems with submissions\n") as error:
        leaderboard(POOLS, [str(folder)])
    said = str(error.value)
    assert all(word in said for word in ("board-9", "'zen'", "NaN", "arch99", "arch1' is not"))


def test_two_of_one_name(tmp_path):
    folders = [str(written(tmp_path / name, RIGHT)) for name in "ab"]
    with pytest.raises(UsageError, match="two submissions are called mine; rename one"):
        leaderboard(POOLS, folders)


def test_one_that_was_read_is_held_to_the_archs_of_other_pools(tmp_path):
    made, _ = check_submission(written(tmp_path, RIGHT), POOLS)
    assert leaderboard(POOLS, made, resamples=0).place("mine")[1] == 8
    with pytest.raises(UsageError, match="mine: 24 of the 30 archs of space0"):
        leaderboard([pool_of(0, num=30)], made, resamples=0)
