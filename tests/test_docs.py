"""README, card and changelog.

The quick start runs, the generated parts are current, what they name exists.
"""

import importlib
import re

import pytest

from builders import card
from nbzero import Bench
from nbzero.errors import ReleaseError
from nbzero.importers.published import IMPORTERS
from nbzero.metrics import kendall_tau, spearman_rho
from nbzero.proxies.facts import PROXIES
from nbzero.release.schema import TABLES
from nbzero.spaces import sed_of_cell
from tests.places import ROOT

README, CARD, CHANGELOG = (
    (ROOT / name).read_text() for name in ("README.md", "DATASET_CARD.md", "CHANGELOG.md")
)


def test_the_generated_parts_are_current(capsys):
    assert card.main(["--check"]) == 0, capsys.readouterr().err


def test_the_readme_says_in_its_first_lines_what_is_trained_scored_and_predicted():
    """Of every space, by the release's own tables."""
    start = "\n".join(README.splitlines()[:12])
    assert re.search(
        r"Data [\d.]+: [\d,]+ of [\d,]+ networks trained, [\d,]+ scored, [\d,]+ predicted", start
    )
    bench = Bench(ROOT / "data")
    for space in bench.spaces:
        lines = re.findall(rf"^\| `{space}` \| [\d,]+ \| cifar10((?:,| \|).*) \|$", README, re.M)
        said = {line.split(" | ")[0].removeprefix(", "): line.split(" | ")[1:3] for line in lines}
        recipes = []
        if bench.release.space(space).datasets("runs"):
            recipes = bench.recipes(space, "cifar10")
        assert list(said) == (recipes or [""])
        scored = len(set(bench.arrow("scores", space, "cifar10").column("arch_id").to_pylist()))
        for recipe, counts in said.items():
            trained = set()
            if recipe:
                runs = bench.arrow("runs", space, "cifar10").to_pylist()
                trained = {row["arch_id"] for row in runs if row["recipe"] == recipe}
            assert counts == [f"{len(trained):,}", f"{scored:,}"], (space, recipe)


def test_an_outdated_part_and_a_missing_marker_are_found():
    assert card.replaced("a <!-- x -->old<!-- /x --> b", {"x": "new"}, "F") == "a <!-- x -->new<!-- /x --> b"
    with pytest.raises(ReleaseError, match="F lacks <!-- y -->"):
        card.replaced("nothing", {"y": "new"}, "F")


def snippets(text: str) -> list[str]:
    """The Python blocks, but those for other tools, which `tests/test_readers.py` runs."""
    text = re.sub(r"\n## With other tools\n.*?(?=\n## )", "", text, flags=re.DOTALL)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readmes_python_runs_and_says_what_is_true():
    import torch

    from nbzero.networks import build_net

    *blocks, published, others, counted, omitted, timed = snippets(README)
    first, second, own, scored, judge, pools, predicted, ran, search, third, same = blocks
    names: dict = {}
    exec(first, names)  # our own README
    for line in first.splitlines():
        code, _, said = line.partition("#")
        if said.strip().startswith("("):
            assert eval(code, names) == eval(said), line
    exec(second, names)
    assert len(names["t"]["macs"]) > 1000
    exec(own, names)  # of no importable module: one process computes
    exec(scored.replace("range(200)", "range(3)"), names)
    assert names["report"].sentences[1].endswith("protocol std-16-noise, not std-16.")
    exec(judge.replace("resamples=1000", "resamples=20"), names)
    assert names["report"].place()[1] > len(PROXIES)
    exec(pools.replace("resamples=200", "resamples=20"), names)
    assert len(names["pool"]) > 50 and set(names["pool"].scores) == {"zen", "synflow"}
    exec(predicted.replace("resamples=100", "resamples=5"), names)
    assert names["r"].accuracy("cifar10") is None and len(names["pool"]) == 1000
    exec(ran, names)
    assert len(names["history"]) == 200 and names["history"].best
    exec(search, names)
    assert names["s"].done and names["s"].best
    names |= {
        "net": build_net("r1-mini-s4-d1w4s2-d1w4s2-d1w8s2", 10, 0),
        "images": torch.randn(8, 3, 16, 16),
        "labels": torch.arange(8),
    }
    exec(third, names)
    assert isinstance(names["scores"]["naswot"], float)
    exec(same, names)
    stored = Bench().query(names["arch"]).score("synflow", "cifar10")
    here = names["score"](names["net"], names["images"], names["labels"], proxies=("synflow",), seed=0)
    assert here["synflow"] == pytest.approx(stored, rel=1e-3)  # it reads no images
    *lines, last, _ = published.splitlines()
    exec("\n".join(lines), names)
    found = eval(last, names)
    said = re.findall(r"(\w+) ([\d.]+)", published.splitlines()[-1])
    assert len(said) == len(found) == 4
    for name, value in said:
        assert found[name] == pytest.approx(float(value), rel=1e-3)
    exec(others, names)
    assert names["scores"]["params"] == 7394196
    assert (
        names["scores"]
        .reasons["jacob_cov"]
        .startswith("the gradient for the images needs images of numbers;")
    )
    assert sum(weights.numel() for weights in names["tiny"].parameters()) == 1258
    costs = names["published_costs"](names["RE_SJW"])
    assert costs == {"flops": 591710478.0, "params": 10775601.0}
    assert eval(counted, names)["wrcor"] != found["wrcor"]  # an activation in a container counts twice
    assert eval(omitted, names)["proxy"][0] == "naswot"
    exec(timed, names)
    assert len(names["timed"]) == 200 and all(record.latency() > 0 for record in names["timed"])


def test_what_the_readme_says_ranks_like_latency():
    b, said = Bench(), README.split("What ranks like latency")[1].split("\n\n")[0]
    numbers = []
    for cost, spaces in (
        ("macs", ("r1", "mb", "r1-mini", "r2-mini", "mb-mini")),
        ("depth", ("mb-mini", "r1-mini", "r2-mini", "r1", "r2", "mb")),
    ):
        for space in spaces:
            timed = [record for record in map(b.query, b.space(space)[:1000]) if record.latency() is not None]
            assert len(timed) == (1000 if space.endswith("-mini") else 200)
            found = spearman_rho(
                [getattr(record, cost) for record in timed], [record.latency() for record in timed]
            )
            numbers.append(f"{found:.2f}".removeprefix("0"))
    assert re.findall(r"\.\d\d", said) == numbers


@pytest.mark.parametrize(
    "job", sorted(set(re.findall(r"python -m ((?:builders|nbzero)\.\w+)", README + CARD)))
)
def test_every_job_that_the_readme_names_has_help_and_the_options_it_shows(job, capsys):
    module = importlib.import_module("nbzero.images.__main__" if job == "nbzero.images" else job)
    asked = [["--help"]]
    if job == "nbzero.images":
        asked.append(["prepare", "--help"])
    for words in asked:
        with pytest.raises(SystemExit) as ended:
            module.main(words)
        assert ended.value.code == 0
    help_text = capsys.readouterr().out
    for line in re.findall(rf"python -m {re.escape(job)} ([^\n`]*)", README + CARD):
        for option in re.findall(r"--[\w-]+", line):
            assert option in help_text, f"{job} {option}"


def test_the_card_names_every_proxy_and_the_schema_explains_every_column():
    assert all(f"| `{name}` |" in CARD for name in PROXIES)
    without = CARD.split("| `ntk` |")[1].split("<!-- /proxies -->")[0].replace("\n", " ")
    bench = Bench(ROOT / "data")
    for part in re.search(r"No row has a score of (.*)\.", without)[1].split("; of "):
        proxies, spaces = (re.findall("`([^`]*)`", names) for names in part.split(" in "))
        for space in spaces:
            table = bench.arrow("scores", space, "cifar10")
            assert proxies == [name for name in PROXIES if table[name].null_count == len(table)]
    for table, columns in TABLES.items():
        assert len({c.name for c in columns}) == len(columns), table
        assert all(c.meaning for c in columns)


def test_what_the_card_says_of_the_two_reconstructions_of_sed_and_of_the_two_recipes():
    bench = Bench(ROOT / "data")
    table = bench.arrow("scores", "nb201", "cifar10").to_pandas()
    found = spearman_rho(table.sed_reconstructed, [sed_of_cell(arch) for arch in table.arch])
    assert f"On the {len(table):,} scored networks of nb201 the two have a Spearman of {found:.3f}." in CARD
    short, long = (bench.pool("r1", "cifar10", recipe) for recipe in ("cpu-16px-4", "gpu-12"))
    assert short.archs == long.archs
    means = f"{long.accuracy.mean():.3f} on average, where `cpu-16px-4` has {short.accuracy.mean():.3f}."
    tau = f"On the {len(long)} networks of r1 that have both the two rankings agree by a tau of"
    assert means in CARD
    assert f"{tau} {kendall_tau(short.accuracy, long.accuracy):.2f}" in " ".join(CARD.split())


def test_the_changelog_has_the_release_with_data_before_code():
    version = Bench(ROOT / "data").version
    entry = CHANGELOG.split(f"## {version}")[1].split("\n## ")[0]
    assert entry.index("### Data") < entry.index("### Code")


def test_the_tree_names_every_file_that_lies_beside_the_modules():
    listed = README.split("<!-- tree -->")[1].split("<!-- /tree -->")[0]
    made = ("__pycache__", "scores")  # of scores/ the folder is named
    for top in ("nbzero", "train", "builders", "requirements"):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".part") and path.parent.name not in made:
                assert re.search(rf"(^|[ ,]){re.escape(path.name)}[ ,]", listed, re.M), path


def test_the_readme_names_every_benchmark_and_where_each_of_its_files_is_from():
    command = re.search(r"^python -m builders.import_bench .*# also (.*)$", README, re.M)
    assert set(command[1].split(", ")) == IMPORTERS.keys() - {"nb201"}
    rows = README.split("<!-- official -->")[1].split("<!-- /official -->")[0].splitlines()
    for importer in IMPORTERS.values():
        for file in importer.files:
            (row,) = (row for row in rows if re.search(rf"^\| ([^|]*, )?{file}\.parquet", row))
            assert importer.space in row
            assert all(source.place in row and source.licence in row for source in importer.packed)


def test_make_names_what_the_readme_says():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make (\w+)", README, re.M)) <= targets
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("make test")
