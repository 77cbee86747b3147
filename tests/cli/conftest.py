"""Files of scores for the tests of commands."""

import json

import pyarrow.parquet as pq
import pytest

from nbzero import text as as_text


@pytest.fixture(autouse=True)
def quick_verdicts(few_resamples):
    """Commands word verdicts, and what they word is looked at, not its intervals."""


# One's own proxy


@pytest.fixture
def scores(bench):
    values = bench.table("r1-mini", ["arch", "zen"], "cifar10", where="depth > 5")
    return {
        arch: None if number % 7 == 3 or value != value else float(value)
        for number, (arch, value) in enumerate(zip(values["arch"], values["zen"], strict=True))
    }


@pytest.fixture
def files(scores, tmp_path):
    import pyarrow as pa

    listed = [{"arch": arch, "score": score} for arch, score in scores.items()]
    (tmp_path / "a.csv").write_text(as_text.csv_text(["arch", "score"], listed))
    (tmp_path / "b.csv").write_text(
        as_text.csv_text(
            ["other", "arch", "mine"],
            [{"other": 1, "arch": a, "mine": "NaN" if s is None else s} for a, s in scores.items()],
        )
    )
    (tmp_path / "c.json").write_text(json.dumps(scores))
    (tmp_path / "d.json").write_text(json.dumps(listed))
    (tmp_path / "e.json").write_text(as_text.json_text("", [], listed))
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "f.parquet")
    return tmp_path
