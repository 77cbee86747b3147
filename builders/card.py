"""Write the generated parts of the card and the README: python -m builders.card [--check]

They stand between `<!-- name -->` and `<!-- /name -->`, and are made from the release, the registries and the
tree. DATASET_CARD.md has `version`, `counts`, `configurations`, `noise`, `surrogates` and `proxies`, and the
header that Hugging Face reads. README.md has `total`, `held`, `official`, `tree`, and tables of papers that
were computed again: `wrcor`, `papers`, `claims`, `searches`, `guided-searches`. data/README.md is a copy of
the card, which goes where the data go. CITATION.cff is written whole. --check writes nothing and exits with 2
where something is out of date.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from builders.reproductions import tables
from builders.reproductions.results import read_results
from builders.work.citation import citation
from builders.work.command import parser_of, say_errors
from builders.work.groups import groups
from builders.work.hub import configurations, header
from nbzero import Bench
from nbzero.errors import ReleaseError
from nbzero.importers.published import IMPORTERS
from nbzero.metrics.correlations import kendall_tau
from nbzero.proxies.facts import PROXIES, Proxy
from nbzero.release.held import held, summary
from nbzero.release.manifest import Release
from nbzero.release.reproductions import RESULTS
from nbzero.spaces.macro import CHOICES

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SPACES_OF_CLAIMS = ("nb201", "nbmacro", "transnas-macro", "r1-mini", "r2-mini", "mb-mini")


# The card


def counts(bench: Bench) -> str:
    """Rows of every table: archs, then runs and scores per space, dataset, recipe or protocol, and seed.

    Last the latencies of each space and setup.
    """
    lines = []
    for space in bench.spaces:
        lines.append(f"| `archs/{space}` | an architecture | {len(bench.space(space)):,} |")
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            lines += _counts_of_runs(bench, space, dataset)
            lines += _counts_of_scores(bench, space, dataset)
            lines += _counts_of_predictions(bench, space, dataset)
    for space in bench.spaces:
        for setup, number in bench.release.space(space).setups.items():
            lines.append(f"| `latencies/{space}` | a timed network, `{setup}` | {number:,} |")
    return "\n".join(lines)


def _counts_of_runs(bench: Bench, space: str, dataset: str) -> list[str]:
    lines = []
    for recipe in bench.recipes(space, dataset):
        table = bench.arrow("runs", space, dataset).to_pandas().query("recipe == @recipe")
        said = _per_seed(table)
        diverged = int((table.status == "diverged").sum())
        if diverged:
            said += f"; {diverged} diverged"
        one_row = f"a training run, `{recipe}` ({said})"
        lines.append(f"| `runs/{space}/{dataset}` | {one_row} | {len(table):,} |")
    return lines


def _counts_of_scores(bench: Bench, space: str, dataset: str) -> list[str]:
    lines = []
    for protocol in bench.protocols(space, dataset):
        table = bench.arrow("scores", space, dataset).to_pandas().query("protocol == @protocol")
        said = _per_seed(table)
        one_row = f"a scored initialisation, `{protocol}` ({said})"
        lines.append(f"| `scores/{space}/{dataset}` | {one_row} | {len(table):,} |")
    return lines


def _counts_of_predictions(bench: Bench, space: str, dataset: str) -> list[str]:
    lines = []
    for recipe in bench.release.space(space).named("surrogates", dataset):
        surrogate = bench.surrogate(space, dataset, recipe)
        of = f"`{recipe}`, from {surrogate.num_runs} runs of data {surrogate.version}"
        members = len(bench.space(space))
        lines.append(f"| `predictions/{space}/{dataset}` | a predicted architecture, {of} | {members:,} |")
        fitted = f"a network that was fitted on, `{recipe}`"
        lines.append(f"| `surrogates/{space}/{dataset}` | {fitted} | {surrogate.num_archs:,} |")
    return lines


def _per_seed(table: pd.DataFrame) -> str:
    counted = table.seed.value_counts().sort_index()
    return ", ".join(f"{number:,} with seed {seed}" for seed, number in counted.items())


def noise(bench: Bench) -> str:
    """Mean, spread between archs and between seeds of every recipe that has archs with seeds 0 and 1."""
    columns = (
        *("space, recipe", "archs with two seeds", "mean val accuracy"),
        *("sd between archs", "sd between seeds", "tau of seed 0 with seed 1"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            for recipe in bench.recipes(space, dataset):
                line = _noise_of(bench, space, dataset, recipe)
                if line:
                    lines.append(line)
    return "\n".join(lines)


def _noise_of(bench: Bench, space: str, dataset: str, recipe: str) -> str:
    """The line of one recipe; "" where fewer than two archs have both seeds."""
    first, second = (
        bench.table(space, ["val_acc"], dataset=dataset, recipe=recipe, seed=seed)["val_acc"]
        for seed in (0, 1)
    )
    both = ~np.isnan(first) & ~np.isnan(second)
    a, b = first[both], second[both]
    if len(a) < 2:
        return ""
    i, j = np.triu_indices(len(a), 1)
    tau = float(np.mean(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])))
    archs_sd = np.std((a + b) / 2, ddof=1)
    seeds_sd = float(np.sqrt(np.mean((a - b) ** 2) / 2))
    spread = f"{np.mean([a, b]):.4f} | {archs_sd:.4f} | {seeds_sd:.4f} | {tau:.2f}"
    return f"| {space}, `{recipe}` on {dataset} | {len(a)} | {spread} |"


def surrogates(bench: Bench) -> str:
    """How well the surrogate of every recipe predicts networks that it was not fitted on.

    Beside it another seed's runs as predictions, and what other models say of the same networks.
    """
    models = "ridge, forest, XGBoost"
    columns = (
        *("space, recipe", "networks (runs)", "tau", "rmse", "95 % interval covers"),
        *("tau, rmse of another seed (networks)", f"tau of {models}", f"rmse of {models}"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for space in bench.spaces:
        opened = bench.release.space(space)
        for dataset in bench.datasets(space):
            for recipe in opened.named("surrogates", dataset):
                lines.append(_surrogate_line(bench, space, dataset, recipe))
    return "\n".join(lines)


def _surrogate_line(bench: Bench, space: str, dataset: str, recipe: str) -> str:
    surrogate = bench.surrogate(space, dataset, recipe)
    quality = surrogate.quality
    rows = bench.arrow("surrogates", space, dataset).to_pandas().query("recipe == @recipe")
    runs = []
    for seed in bench.seeds(space, dataset, recipe):
        accuracies = bench.table(space, ["val_acc"], dataset=dataset, recipe=recipe, seed=seed)["val_acc"]
        runs.append(accuracies[rows.arch_id])
    taus, rmses = [], []
    for model in ("ridge", "forest", "xgboost"):
        said = rows[f"unseen_{model}"].to_numpy()
        first = ~np.isnan(runs[0])
        taus.append(f"{kendall_tau(said[first], runs[0][first]):.3f}")
        rmses.append(f"{float(np.sqrt(np.nanmean((np.array(runs) - said) ** 2))):.4f}")
    fitted = f"{surrogate.num_archs} ({surrogate.num_runs})"
    reached = f"{quality.tau:.3f} | {quality.rmse:.4f} | {quality.coverage:.3f}"
    beside = f"{_between_seeds(runs)} | {', '.join(taus)} | {', '.join(rmses)}"
    return f"| {space}, `{recipe}` on {dataset} | {fitted} | {reached} | {beside} |"


def _between_seeds(runs: Sequence[npt.NDArray[np.float64]]) -> str:
    """Tau and rmse of seeds 0 and 1 to each other, and on how many networks; a dash where there are none."""
    if len(runs) < 2:
        return "-"
    both = ~np.isnan(runs[0]) & ~np.isnan(runs[1])
    first, second = runs[0][both], runs[1][both]
    if len(first) < 2:
        return "-"
    rmse = float(np.sqrt(np.mean((first - second) ** 2)))
    return f"{kendall_tau(first, second):.3f}, {rmse:.4f} ({len(first)})"


def proxies(bench: Bench) -> str:
    """The registry as a table, and under it which proxies a space has no score of."""
    lines = ["| proxy | family | better is | needs | meaning | source |", "|---|---|---|---|---|---|"]
    for row in PROXIES.values():
        better = "higher" if row.direction > 0 else "lower"
        lines.append(
            f"| `{row.name}` | {row.family} | {better} | {_needs(row)} | {row.meaning} | {row.source} |"
        )
    return "\n".join([*lines, "", _without_scores(bench)])


def _without_scores(bench: Bench) -> str:
    """In a sentence, the proxies that no row of a space has, spaces with the same ones together."""
    spaces: dict[str, list[str]] = {}
    for space in bench.spaces:
        datasets = bench.release.space(space).datasets("scores")
        tables = [bench.arrow("scores", space, dataset) for dataset in datasets]
        absent = [name for name in PROXIES if all(table[name].null_count == len(table) for table in tables)]
        if tables and absent:
            spaces.setdefault(_listed(absent), []).append(space)
    said = "; of ".join(f"{names} in {_listed(there)}" for names, there in spaces.items())
    return f"No row has a score of {said}." if said else "Every space has scores of every proxy."


def _listed(names: Sequence[str]) -> str:
    """Names as code: `a`, `b` and `c`."""
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def _needs(row: Proxy) -> str:
    if row.uses_labels:
        return "labels"
    if row.uses_images:
        return "images"
    if row.noise_images:
        return "noise"
    return "nothing"


# The README


def networks(bench: Bench) -> str:
    """How many networks of each space are trained, scored and predicted: a sentence, then a table.

    Where some were timed, also how many.
    """
    rows = held(bench.release)
    names = ["space", "networks", "data set, recipe", "trained", "scored", "predicted"]
    has_times = any(row.timed for row in rows)
    if has_times:
        names.append("timed")
    lines = [f"Data {bench.version}: {summary(bench.release)}", ""]
    lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in rows:
        trained_on = ", ".join(name for name in (row.dataset, row.recipe) if name) or "-"
        predicted = "-" if row.predicted is None else f"{row.predicted:,}"
        counts = [f"{row.trained:,}", f"{row.scored:,}", predicted]
        if has_times:
            counts.append(f"{row.timed:,}")
        lines.append(f"| `{row.space}` | {row.networks:,} | {trained_on} | {' | '.join(counts)} |")
    return "\n".join(lines)


def official() -> str:
    """A row per file that can be imported: its spaces, where it is to be had, licence, citation.

    First the official files, then the Parquet files, which have numbers of several places.
    """
    rows: dict[tuple[str, ...], list[str]] = {}
    for space, importer in IMPORTERS.items():
        for kind in importer.official:
            row = (kind.name, kind.place, kind.licence, kind.citation)
            rows.setdefault(row, []).append(space)
    for space, importer in IMPORTERS.items():
        if importer.packed:
            files = ", ".join(f"{file}.parquet" for file in importer.files)
            places = "<br>".join(source.place for source in importer.packed)
            licences = "<br>".join(source.licence for source in importer.packed)
            row = (files, places, licences, importer.official[0].citation)
            rows.setdefault(row, []).append(space)
    lines = ["| file | space | where | licence | cite |", "|---|---|---|---|---|"]
    for (name, *rest), spaces in rows.items():
        lines.append(f"| {' | '.join([name, ', '.join(spaces), *rest])} |")
    return "\n".join(lines)


def reproduced(folder: Path) -> dict[str, str]:
    """The tables of papers computed again, from a release's results."""
    rows = tables.results_by_key(read_results(folder / RESULTS))
    return {
        "wrcor": tables.of_wrcor(rows),
        "papers": tables.of_others(rows),
        "claims": tables.of_claims(rows, SPACES_OF_CLAIMS),
        "searches": tables.of_searches(rows, ["ValAcc"]),
        "guided-searches": tables.of_searches(rows, ["WRCor", "ZeroCost", "SJW"]),
    }


def tree() -> str:
    """Every Python file of the library, the training and the jobs, with the first line of its docstring.

    A package has that of its own. Then what else lies there, and in tests/, docs/, requirements/ and data/.
    """
    lines = []
    for top in ("nbzero", "train", "builders"):
        for folder in _packages(ROOT / top):
            head = f"{folder.relative_to(ROOT).as_posix()}/"
            lines.append(f"{head:26} {_first_line(folder / '__init__.py')}".rstrip())
            for path in sorted(folder.glob("*.py")):
                if path.name != "__init__.py":
                    lines.append(_tree_line(path.name, _first_line(path)))
            lines += (_tree_line(*beside) for beside in _BESIDE.get(head, ()))
    for head, inside in _OTHERS.items():
        lines.append(head)
        lines += (_tree_line(*there) for there in inside)
    return "\n".join(lines)


def _packages(top: Path) -> list[Path]:
    return sorted(path.parent for path in top.rglob("__init__.py"))


def _first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text())) or ""
    return doc.split("\n")[0]


def _tree_line(name: str, meaning: str) -> str:
    return f"  {name:24} {meaning}"


_BESIDE = {
    "builders/": (
        ("clock.csv", "What the modelled clock is fitted to: seconds of networks, measured by fit_clock."),
        ("clock-origin.json", "On which device, with which software and commit they were measured."),
        ("rates.json", "Rates of the released rows, written by fit_rates; plan reads them."),
        ("slurm_array.sh", "A Slurm array, each task of which is one shard."),
    ),
    "nbzero/": (("py.typed", "Says that the package has types."),),
    "nbzero/search/": (("clock.json", "The modelled clock with its errors, written by builders.fit_clock."),),
    "builders/reproductions/": (
        ("scores/", "Scores that no release has: of other settings, counted as the authors do."),
    ),
    "nbzero/pages/": (
        ("layout.html", "What all pages are in."),
        ("page.css", "What they look like, light and dark."),
        ("elements.js", "What they share: data, elements, the chart library, numbers in words."),
        ("cells.js", "The order and the text of cells."),
        ("common.js", "Pages of pools: picks under a limit as nbzero.judge has them, words, charts."),
        ("tables.js", "Tables that are sorted by a click."),
        ("leaderboard.html", "The leaderboard: its layout."),
        ("leaderboard.css", "The leaderboard: what it looks like."),
        ("leaderboard.js", "The leaderboard: its tables and its diagram."),
        ("report.html", "The report: its layout."),
        ("report.js", "The report: what its controls do."),
        ("explorer.html", "The explorer: its layout."),
        ("explorer.css", "The explorer: what it looks like."),
        ("archs.js", "The explorer: columns, stages and neighbours of archs."),
        ("panel.js", "The explorer: the panel of one arch."),
        ("chart.js", "The explorer: the scatter."),
        ("region.js", "The explorer: a region of the scatter, and the archs in it."),
        ("judge.js", "The explorer: scores of the reader's, judged as nbzero.judge does."),
        ("own.js", "The explorer: the reader's CSV file."),
        ("explorer.js", "The explorer: what its controls do, and the address that holds what is chosen."),
    ),
}
_OTHERS = {
    "tests/": (
        ("FOLDER/test_FILE.py", "The tests of a file, in the folder of the same name."),
        ("test_*.py", "Those of the files above the packages, the data, the wheel, the imports, this page."),
        ("bench/", "What `make bench` measures."),
    ),
    "docs/": (
        ("*.md, tutorials/", "Pages of the documentation that are written by hand."),
        ("notebooks/", "A first hour; which proxy picks. Both run in the tests."),
        ("zensical.toml", "The settings of the site."),
    ),
    "requirements/": (
        ("dev.lock, torch-cpu.lock", "Every package that tests and builds need, with its hashes."),
        ("dev.in", "What dev.lock is made of, beside setup.cfg."),
    ),
    "data/": (
        ("manifest.json", "Data version; bytes, rows and SHA-256 of every file."),
        ("archs/ runs/ scores/", "The released tables, Parquet."),
        ("latencies/", "How long networks take on a machine, where the release has some."),
        ("predictions/ surrogates/", "What is derived from the runs: every member's accuracy, and by what."),
        ("index/", "Memory-mappable copy of them for look-ups."),
        ("reproductions/", "Tables of papers computed again."),
    ),
}


# The parts in their files


def replaced(text: str, parts: dict[str, str], where: str) -> str:
    """`text` with every marked part renewed; ReleaseError where a marker is missing."""
    for name, content in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ReleaseError(f"{where} lacks {start} ... {end}")
        inner = f"\n{content}\n" if "\n" in content else content
        text = before + start + inner + end + after
    return text


def headed(text: str, yaml: str) -> str:
    """`text` with another header, which stands between its first two lines of dashes.

    >>> headed("---\\na: 1\\n---\\ntext\\n---\\n", "b: 2")
    '---\\nb: 2\\n---\\ntext\\n---\\n'
    """
    start, _, rest = text.partition("---\n")
    _, closed, body = rest.partition("\n---\n")
    if start or not closed:
        raise ReleaseError("DATASET_CARD.md does not begin with a header between two lines of ---; add one")
    return f"---\n{yaml}\n---\n{body}"


def written(folder: Path) -> dict[str, str]:
    """Every file that this job writes or writes parts of, by its path, as it should be."""
    bench = Bench(folder)
    found = groups(folder)
    columns = "| table | one row is | rows |\n|---|---|---|\n"
    card = {
        "version": bench.version,
        "counts": f"{columns}{counts(bench)}",
        "configurations": configurations(found),
        "noise": noise(bench),
        "surrogates": surrogates(bench),
        "proxies": proxies(bench),
    }
    total = sum(choices.num_members for choices in CHOICES.values())
    readme = {
        "total": f"{total:,}",
        "held": networks(bench),
        "official": official(),
        "tree": f"```\n{tree()}\n```",
        **reproduced(folder),
    }
    old = (ROOT / "DATASET_CARD.md").read_text()
    new = headed(replaced(old, card, "DATASET_CARD.md"), header(found))
    return {
        "DATASET_CARD.md": new,
        "data/README.md": new,
        "README.md": replaced((ROOT / "README.md").read_text(), readme, "README.md"),
        "CITATION.cff": citation(Release.open(folder), (ROOT / "CHANGELOG.md").read_text()),
    }


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; an error where a part is out of date"
    )
    given = parser.parse_args(argv)
    for name, new in written(ROOT / "data").items():
        path = ROOT / name
        if not given.check:
            path.write_text(new)
        elif not path.is_file() or path.read_text() != new:
            raise ReleaseError(f"{name} is out of date; run python -m builders.card")


if __name__ == "__main__":
    sys.exit(main())
