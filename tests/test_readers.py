"""The README's lines for other tools: each reads the release's files, and its join is right.

They are compared with the table that `Bench.table` makes of the same rows, which other tests compare with
the rows themselves. What needs a package that is not installed is skipped. R is not run: its lines are read.
"""

import ast
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from builders.work.groups import groups
from nbzero import Bench
from tests.places import ROOT

HEADING = "## With other tools\n"
README = (ROOT / "README.md").read_text()
SECTION = README.partition(HEADING)[2].partition("\n## ")[0]
PATH, *_ = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL) or [""]
GROUPS = {group.name: group for group in groups(ROOT / "data")}
Row = tuple[str, str, int, float, float]
RECIPE = "cpu-16px-4"


def lines_with(word: str, language: str = "python") -> str:
    """The lines of the section's only block that imports a package, or names a word."""
    (found,) = [one for one in re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL) if word in one]
    return str(found)


@pytest.fixture(scope="module")
def truth() -> list[Row]:
    """Space, arch, seed, accuracy and score of every run that has a score of the same seed."""
    spaces = [space for space in Bench().spaces if space.endswith("-mini")]
    columns, where = ["arch", "val_acc", "zen"], "val_acc is not None and zen is not None"
    return sorted(map(row_of, Bench().table(spaces, columns, "cifar10", RECIPE, seed="all", where=where)))


def row_of(row: Any) -> Row:
    return row["space"], row["arch"], int(row["seed"]), float(row["val_acc"]), float(row["zen"])


def joined(code: str) -> Any:
    names: dict[str, Any] = {}
    exec(PATH, names)  # our own README
    exec(code, names)
    return names["joined"]


@pytest.mark.parametrize("package", ["duckdb", "polars", "pandas"])
def test_the_join_of_every_space_has_each_run_once_with_its_own_score(package: str, truth: list[Row]) -> None:
    pytest.importorskip(package, reason=f"needs {package}: pip install {package}")
    found = joined(lines_with(f"import {package}"))
    rows = found.to_dicts() if package == "polars" else found.to_dict("records")
    assert sorted(map(row_of, rows)) == truth
    assert len(truth) > 800 and len({space for space, *_ in truth}) == 3
    if package == "duckdb":
        macs = {row["arch"]: row["macs"] for row in rows}
        assert all(Bench().query(arch).macs == value for arch, value in macs.items())


def test_by_arch_id_alone_the_same_join_would_mix_spaces(truth: list[Row]) -> None:
    """What the key is for: without it there are several rows for a run."""
    pytest.importorskip("duckdb", reason="needs duckdb: pip install duckdb")
    code = lines_with("import duckdb").replace("(space, dataset, arch, seed)", "(arch_id, seed)")
    names = ("space", "arch", "dataset")
    for name in names:
        code = re.sub(rf"(?<=[ (]){name}(?=[ ,])", f"r.{name}", code)
    code = code.replace("runs/*/*.parquet'", "runs/*/*.parquet' r").replace(
        "USING (arch)", "ON a.arch = r.arch"
    )
    assert len(joined(code)) > 2 * len(truth)


def test_datasets_load_the_files_and_join_alike(truth: list[Row], tmp_path: Any) -> None:
    """In a process of its own, whose cache is not the user's, and which asks no server.

    Every configuration that the card names is there, with all rows.
    """
    pytest.importorskip("datasets", reason="needs datasets: pip install datasets")
    columns = ["space", "arch", "seed", "val_acc", "zen"]
    show = f"print(joined[{columns}].to_json(orient='records', double_precision=15))"
    count = (
        "print({name: load_dataset(path, name, split='train').shape for name in " + str(list(GROUPS)) + "})"
    )
    env = os.environ | {
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    code = "\n".join([PATH, lines_with("from datasets"), count, show])
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    *_, counted, found = done.stdout.splitlines()
    assert ast.literal_eval(counted) == {name: (g.rows, len(g.schema)) for name, g in GROUPS.items()}
    rows = sorted(map(row_of, json.loads(found)))
    assert [row[:3] for row in rows] == [row[:3] for row in truth]
    for one, other in zip(rows, truth, strict=True):
        assert one[3:] == pytest.approx(other[3:], rel=1e-12)


def test_the_lines_for_r_name_files_and_columns_that_exist() -> None:
    """R is not here: what its lines read is looked up, and the join that they say is made by pandas."""
    pd = pytest.importorskip("pandas", reason="needs pandas: pip install pandas")
    code = lines_with("library(arrow)", "r")
    path = Bench().path
    tables = {}
    for name, file in re.findall(r'(\w+) <- read_parquet\(file\.path\(path, "([^"]+)"\)\)', code):
        tables[name] = pd.read_parquet(f"{path}/{file}")
    assert set(tables) == {"runs", "scores"}
    for name, column, value in re.findall(r'(\w+) <- subset\(\w+, (\w+) == "([^"]+)"\)', code):
        tables[name] = tables[name][tables[name][column] == value]
    (by,) = re.findall(r"by = c\(([^)]*)\)", code)
    key = re.findall(r'"(\w+)"', by)
    both = tables["runs"].merge(tables["scores"], on=key, validate="one_to_one")
    for column in re.findall(r"joined\$(\w+)", code):
        assert column in both and both[column].notna().all()
    runs = Bench().table("r1-mini", ["val_acc"], "cifar10", seed="all")
    assert len(both) == len(runs)
    said = re.findall(r'shQuote\("([^"]+)"\)', code)
    done = subprocess.run([sys.executable, "-c", *said], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == path


def test_the_tables_beside_them_have_the_columns_that_are_said() -> None:
    names: dict[str, Any] = {}
    exec(PATH, names)  # our own README
    exec(lines_with('seed="all"'), names)
    assert names["table"].columns[0] == "seed" and names["both"].columns[0] == "space"
    assert set(re.findall(r"(\w+)/SPACE", PATH)) == {"runs", "scores", "archs"}
