"""Write the generated parts of the card and the README: python -m builders.card [--check]

Between `<!-- name -->` and `<!-- /name -->` these stand, made from the release, the registry and the tree: `version`, `counts`, `noise` and
`proxies` in DATASET_CARD.md, `total` and `tree` in README.md. --check writes nothing and exits with 2 where a part is out of date.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builders.shards import say_errors
from nbzero import Bench
from nbzero.errors import ReleaseError
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.macro import CHOICES

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


def counts(bench: Bench) -> str:
    """Rows of every table: archs, then runs and scores per space, dataset, recipe or protocol, and seed."""
    lines = []
    for space in bench.spaces:
        lines.append(f"| `archs/{space}` | an architecture | {len(bench.space(space)):,} |")
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            for recipe in bench.recipes(space, dataset):
                table = bench.arrow("runs", space, dataset).to_pandas().query("recipe == @recipe")
                diverged = int((table.status == "diverged").sum())
                said = f"; {diverged} diverged" if diverged else ""
                lines.append(
                    f"| `runs/{space}/{dataset}` | a training run, `{recipe}` ({_per_seed(table)}{said}) | {len(table):,} |"
                )
            for protocol in bench.protocols(space, dataset):
                table = bench.arrow("scores", space, dataset).to_pandas().query("protocol == @protocol")
                lines.append(
                    f"| `scores/{space}/{dataset}` | a scored initialisation, `{protocol}` ({_per_seed(table)}) | {len(table):,} |"
                )
    return "\n".join(lines)


def _per_seed(table: pd.DataFrame) -> str:
    return ", ".join(f"{n:,} with seed {seed}" for seed, n in table.seed.value_counts().sort_index().items())


def noise(bench: Bench) -> str:
    """Mean, spread between archs and between seeds of every recipe that has archs with seeds 0 and 1."""
    lines = [
        "| space, recipe | archs with two seeds | mean val accuracy | sd between archs | sd between seeds | tau of seed 0 with seed 1 |",
        "|---|---|---|---|---|---|",
    ]
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            for recipe in bench.recipes(space, dataset):
                pair = [
                    bench.table(space, ["val_acc"], dataset=dataset, recipe=recipe, seed=seed)["val_acc"]
                    for seed in (0, 1)
                ]
                both = ~np.isnan(pair[0]) & ~np.isnan(pair[1])
                a, b = pair[0][both], pair[1][both]
                if len(a) < 2:
                    continue
                i, j = np.triu_indices(len(a), 1)
                tau = float(np.mean(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])))
                seed_sd = float(np.sqrt(np.mean((a - b) ** 2) / 2))
                spread = (
                    f"{np.mean([a, b]):.4f} | {np.std((a + b) / 2, ddof=1):.4f} | {seed_sd:.4f} | {tau:.2f}"
                )
                lines.append(f"| {space}, `{recipe}` on {dataset} | {len(a)} | {spread} |")
    return "\n".join(lines)


def proxies() -> str:
    """The registry as a table."""
    lines = ["| proxy | family | better is | needs | meaning | source |", "|---|---|---|---|---|---|"]
    for row in PROXIES.values():
        needs = (
            "labels"
            if row.uses_labels
            else "images"
            if row.uses_images
            else "noise"
            if row.noise_images
            else "nothing"
        )
        lines.append(
            f"| `{row.name}` | {row.family} | {'higher' if row.direction > 0 else 'lower'} | {needs} | {row.meaning} | {row.source} |"
        )
    return "\n".join(lines)


def tree() -> str:
    """Every Python file of the four code folders with the first line of its docstring, what lies beside it, then what lies in data/."""
    lines, folder = [], None
    paths = [
        path.relative_to(ROOT)
        for top in ("builders", "nbzero", "tests", "train")
        for path in (ROOT / top).rglob("*.py")
    ]
    for path in sorted(paths, key=lambda p: (p.parent.as_posix(), p.name)):
        if path.name == "__init__.py":
            continue
        if path.parent != folder:
            folder = path.parent
            lines.append(f"{folder.as_posix()}/")
        doc = (ast.get_docstring(ast.parse((ROOT / path).read_text())) or "").split("\n")[0]
        lines.append(f"  {path.name:24} {doc}")
        lines += [f"  {name:24} {meaning}" for name, meaning in _BESIDE.get(path.as_posix(), ())]
    data = [f"  {name:24} {meaning}" for name, meaning in _DATA]
    return "\n".join([*lines, "data/", *data])


_BESIDE = {
    "nbzero/report.py": (
        ("report.html", "The page of report.py: its layout."),
        ("report.js", "The page of report.py: what its controls do, with the definitions of constrained.py."),
    )
}
_DATA = (
    ("manifest.json", "data version; bytes, rows and SHA-256 of every file"),
    ("archs/ runs/ scores/", "the released tables, Parquet"),
    ("index/", "memory-mappable copy of them for look-ups"),
)


def replaced(text: str, parts: dict[str, str], where: str) -> str:
    """`text` with every marked part renewed; ReleaseError where a marker is missing."""
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->)(.*?)(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ReleaseError(f"{where} lacks <!-- {name} --> ... <!-- /{name} -->")
        inner = f"\n{content}\n" if "\n" in content else content
        text = pattern.sub(lambda match, inner=inner: match[1] + inner + match[3], text)
    return text


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; an error where a part is out of date"
    )
    given = parser.parse_args(argv)
    bench = Bench(ROOT / "data")
    header = "| table | one row is | rows |\n|---|---|---|\n"
    total = sum(CHOICES[space].num_members for space in bench.spaces)
    card = {
        "version": bench.version,
        "counts": f"{header}{counts(bench)}",
        "noise": noise(bench),
        "proxies": proxies(),
        "total": f"{total:,}",
    }
    wanted = {
        "DATASET_CARD.md": {k: v for k, v in card.items() if k != "total"},
        "README.md": {"total": card["total"], "tree": f"```\n{tree()}\n```"},
    }
    for name, parts in wanted.items():
        path = ROOT / name
        old = path.read_text()
        new = replaced(old, parts, name)
        if given.check and new != old:
            raise ReleaseError(f"{name} is out of date; run python -m builders.card")
        path.write_text(new)


if __name__ == "__main__":
    sys.exit(main())
