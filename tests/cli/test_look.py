"""Looking up: each command gives what the API gives."""

import re
import shutil

import numpy as np
import pytest

from builders.work.commit import commit_release
from nbzero import Bench, cite
from nbzero.importers.published import IMPORTERS
from nbzero.importers.source import archs_rows, runs_rows, scores_rows, table_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.held import Held, held
from nbzero.release.manifest import Parent, Release
from nbzero.spaces.published import IMPORTED
from tests.cli.asking import ARCH, SHORT, answer, ask

# Looking up


def test_info_counts_what_the_tables_hold(release, bench):
    listed = answer("--release", release, "info")["rows"]
    for row in listed:
        assert row["archs"] == len(bench.space(row["space"]))
        if row["kind"] is None:
            assert row["space"] == "r2-mini" and row["rows"] == 0
            continue
        key = "recipe" if row["kind"] == "runs" else "protocol"
        table = bench.arrow(row["kind"], row["space"], row["dataset"]).to_pandas()
        part = table[table[key] == row["setting"]]
        assert row["rows"] == len(part) and row["archs_with"] == part["arch_id"].nunique()
        assert row["seeds"] == ", ".join(map(str, sorted(part["seed"].unique())))
    num_rows = 0
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            num_rows += bench.arrow("runs", space, dataset).num_rows
            if bench.protocols(space, dataset):
                num_rows += bench.arrow("scores", space, dataset).num_rows
    assert sum(row["rows"] for row in listed) == num_rows


def test_info_says_first_how_many_networks_are_trained_scored_and_predicted(release, bench):
    printed = ask("--release", release, "info").stdout.splitlines()
    assert printed[0].startswith("Release 0.2.0, manifest SHA-256")
    sentence = "71 of 3,000 networks trained, 1,000 scored, 0 predicted."
    at = printed.index(sentence)
    assert at <= 2
    assert printed[at + 1].split() == [*Held._fields]
    for line, row in zip(printed[at + 2 :], held(bench.release), strict=False):
        assert line.split() == [str("-" if value is None else value) for value in row]
    said = answer("--release", release, "info")
    assert said["notes"][0] == sentence and f"At {bench.path}" in said["notes"][1]


def query_rows(release, *args):
    return {
        (row["part"], row["dataset"], row["setting"], row["name"]): row
        for row in answer("--release", release, "query", *args)["rows"]
    }


def test_query_gives_everything_of_the_record(release, bench):
    record, found = bench.query(("r1-mini", 2)), query_rows(release, "r1-mini:2")
    assert found == query_rows(release, record.arch)
    for name in ("arch", "arch_id", "stem", "macs", "flops", "params", "depth"):
        assert found["arch", None, None, name]["value"] == getattr(record, name)
    assert ("arch", None, None, "s4_in") not in found and len(
        record.stages
    ) == 3  # absent stages are left out
    for dataset, recipe in (("cifar10", "cpu-16px-4"), ("cifar10", "cpu-16px-12"), ("digits", "cpu-16px-4")):
        run = record.run(dataset, recipe)
        assert found["run", dataset, recipe, "val_acc"]["value"] == record.accuracy(dataset, recipe)
        for name in (
            "status",
            "train_loss",
            "train_time_s",
            "device",
            "engine",
            "software",
            "builder_commit",
        ):
            assert found["run", dataset, recipe, name]["value"] == getattr(run, name)
        assert found["run", dataset, recipe, "curve"]["value"] == list(run.curve)
    stored = record.scores("cifar10")
    assert {name: found["score", "cifar10", "std-16", name]["value"] for name in PROXIES} == dict(
        stored.values
    )
    assert {name: found["seconds", "cifar10", "std-16", name]["value"] for name in stored.seconds} == dict(
        stored.seconds
    )
    assert ("score", "cifar10", "std-32", "zen") in found


def test_query_shows_one_split_and_says_why_a_value_is_null(release, bench):
    found = query_rows(release, "r1-mini:7", "--dataset", "cifar10")
    diverged = found["run", "cifar10", "cpu-16px-4", "val_acc"]
    assert (
        diverged["value"] is None
        and "diverged" in diverged["reason"]
        and not any(key[1] == "digits" or key[3] == "test_acc" for key in found)
    )
    absent = query_rows(
        release, "r1-mini:500", "--dataset", "cifar10", "--recipe", "cpu-16px-12", "--seed", "1"
    )
    assert absent["run", "cifar10", "cpu-16px-12", "val_acc"]["reason"] == bench.query(
        ("r1-mini", 500)
    ).accuracy_reason("cifar10", "cpu-16px-12", seed=1)
    assert "this arch has no scores" in absent["score", "cifar10", "std-16", "scores"]["reason"]
    failed = query_rows(release, "r1-mini:4", "-d", "cifar10", "--protocol", "std-16")[
        "score", "cifar10", "std-16", "naswot"
    ]
    assert failed["value"] is None and "no ReLU layer" in failed["reason"]
    infinite = query_rows(release, "r1-mini:8", "-d", "cifar10", "--protocol", "std-16")[
        "score", "cifar10", "std-16", "naswot"
    ]
    assert infinite["value"] == "-inf" and infinite["reason"] is None
    tested = query_rows(release, "r1-mini:2", "-d", "digits", "--split", "test")
    assert tested["run", "digits", "cpu-16px-4", "test_acc"]["value"] == bench.query(("r1-mini", 2)).accuracy(
        "digits", split="test"
    )
    mean = query_rows(release, "r1-mini:2", "-d", "digits", "--seed", "mean")
    assert mean["run", "digits", "cpu-16px-4", "val_acc"]["value"] == bench.query(("r1-mini", 2)).accuracy(
        "digits", seed="mean"
    )
    nothing = answer("query", "r1:0")
    assert nothing["notes"] == ["The release has no runs and no scores of r1."] or any(
        row["part"] == "run" for row in nothing["rows"]
    )
    text = ask("--release", release, "query", "r1-mini:7").stdout
    assert "run: cifar10, cpu-16px-4, seed 0" in text and "the run diverged" in text


@pytest.mark.parametrize(
    "by", ["accuracy", "zen", "ntk", "naswot", "macs", "s4_depth", "scores.macs", "train_loss"]
)
@pytest.mark.parametrize("end", [None, "--lowest", "--highest"])
def test_top_is_the_sorted_table(by, end, release, bench):
    column = {"accuracy": "runs.val_acc"}.get(by, by)
    view = bench.table("r1-mini", ["arch", column], "cifar10", "cpu-16px-4", where="depth > 6")
    values = np.asarray(view[column], np.float64)
    lowest = by == "ntk" if end is None else end == "--lowest"
    there = [(value if lowest else -value, row) for row, value in enumerate(values) if value == value]
    got = answer(
        "--release",
        release,
        "top",
        "r1-mini",
        "--by",
        by,
        "-n",
        "7",
        "--where",
        "depth > 6",
        *SHORT,
        *([end] if end else []),
    )
    assert [row["arch"] for row in got["rows"]] == [view["arch"][row] for _, row in sorted(there)[:7]]
    assert [row["place"] for row in got["rows"]] == [
        1 + sum(other < value for other, _ in there) for value, _ in sorted(there)[:7]
    ]
    assert got["title"].endswith(f"where depth > 6, N = {len(there)}") and got["notes"][0].startswith(
        "Lowest" if lowest else "Highest"
    )
    absent = len(values) - len(there)
    assert (f"Without {by}, and left out: {absent} of {len(values):,} archs." in got["notes"]) == bool(absent)


def test_top_says_what_is_tied(release):
    got = answer("--release", release, "top", "r1-mini", "--by", "s1_stride", "-n", "2")
    assert any(
        re.fullmatch(r"\d+ more archs have the last value shown; equal ones are in build order.", note)
        for note in got["notes"]
    )
    assert "accuracy" not in got["rows"][0]


def test_space_draws_and_finds_what_the_api_does(bench, release):
    space = bench.space("r1-mini")
    assert [
        row["arch"] for row in answer("space", "r1-mini", "--sample", "5", "--seed", "3")["rows"]
    ] == space.sample(5, 3)
    near = answer("space", "r1-mini", "--neighbours", ARCH, "-k", "3")["rows"]
    assert [row["arch"] for row in near] == space.neighbours(ARCH, 3)
    assert len(answer("space", "r1-mini", "--neighbours", ARCH)["rows"]) == 8
    assert all(
        row["macs"] == bench.query(row["arch"]).macs and space[row["arch_id"]] == row["arch"] for row in near
    )
    facts = {row["what"]: row["value"] for row in answer("--release", release, "space", "r1-mini")["rows"]}
    assert (
        facts["members"].startswith("1000,")
        and facts["stage widths"] == "4 8 12 16 24 32 48 64"
        and facts["data sets"] == "cifar10, digits"
    )


# The release itself


def test_verify_lists_every_file_and_a_damaged_one_ends_with_1(release, tmp_path):
    done = answer("--release", release, "verify")
    assert {row["file"] for row in done["rows"]} == set(Bench(release).release.files.manifest.files) and done[
        "title"
    ].endswith("files hold")
    assert answer("verify", release) == done
    broken = shutil.copytree(release, tmp_path / "broken")
    (broken / "mine.csv").write_text("")
    assert answer("verify", broken)["notes"][-1].endswith("no part of the release and not checked: mine.csv")
    path = broken / "scores/r1-mini/cifar10.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "corrupted" in ask("verify", broken, status=1).stderr
    assert ask("--release", broken, "verify", status=1).stdout == ""
    assert "no release in" in ask("verify", tmp_path / "nowhere", status=2).stderr


def test_every_source_of_the_registry_is_cited_as_it_says():
    for name, proxy in PROXIES.items():
        papers = cite.papers_of(name)
        assert len(papers) == sum(part != cite.OURS for part in proxy.source.split("; "))
        numbers = re.findall(r"arXiv:(\d{4}\.\d{5})", proxy.source)
        assert {paper.arxiv for paper in papers if paper.arxiv} == set(numbers)
        for paper, part in zip(
            papers, (part for part in proxy.source.split("; ") if part != cite.OURS), strict=True
        ):
            assert paper.author.split(",")[0] in part  # the first author
            year = re.search(r"\b(20\d\d)\b", part.split("arXiv")[0])
            assert not year or int(year[1]) == paper.year
    assert set(cite.papers()) == set(cite.PAPERS) and len({paper.key for paper in cite.PAPERS}) == len(
        cite.PAPERS
    )
    assert not any("doi" in paper.bibtex.lower() for paper in cite.PAPERS)


def test_cite_prints_bibtex_that_balances_and_names_the_release(release, bench):
    text = ask("--release", release, "cite").stdout
    assert (
        text.count("{") == text.count("}")
        and text.count("\n@") + text.startswith("@") == len(cite.PAPERS) + 2
    )
    assert f"Data version 0.2.0, manifest SHA-256 {bench.sha256}" in text
    some = answer("--release", release, "cite", "-p", "zen,zen_no_shortcut,params")["rows"]
    assert [(row["key"], row["proxies"]) for row in some] == [
        ("nbzero", ""),
        (cite.ORIGIN.key, ""),
        ("lin2021zennas", "zen, zen_no_shortcut"),
    ]


def test_a_derived_release_cites_its_parent(release, bench, tmp_path):
    parent = Parent(bench.version, bench.sha256)
    commit_release(tmp_path / "derived", Release.open(release).tables(), "0.2.0+lab.3", parent)
    first = answer("--release", tmp_path / "derived", "cite", "-p", "zen")["rows"][0]
    own = Bench(tmp_path / "derived").sha256
    assert first["key"] == "nbzero"
    assert (
        f"note = {{Data version 0.2.0, manifest SHA-256 {bench.sha256}. The release used was derived from it "
        f"and has more rows: Data version 0.2.0+lab.3, manifest SHA-256 {own}}}"
    ) in first["bibtex"]
    assert "was derived from it" not in ask("--release", release, "cite").stdout
    said = f"Derived from 0.2.0 (manifest SHA-256 {bench.sha256})"
    assert said in answer("--release", tmp_path / "derived", "verify")["notes"]
    assert len(answer("--release", release, "verify")["notes"]) == 1


def test_a_release_that_is_not_ours_is_not_cited_as_if_it_were(release, tmp_path):
    """As `--base none` makes it: no parent, and other rows than the release that ships with nbzero."""
    shipped = Bench()
    said = f"not the release that ships with nbzero (data version {shipped.version}, manifest SHA-256 "
    first = answer("--release", release, "cite", "-p", "zen")["rows"][0]
    assert f"{said}{shipped.sha256}) nor derived from it: its rows are of whoever made it" in first["bibtex"]
    copy = shutil.copytree(shipped.path, tmp_path / "copy")
    parent = Parent(shipped.version, shipped.sha256)
    label = f"{shipped.version}+lab.1"
    commit_release(tmp_path / "derived", Release.open().tables(), label, parent)
    for ours in (copy, tmp_path / "derived"):
        assert said not in ask("--release", ours, "cite").stdout


@pytest.fixture
def foreign(tmp_path):
    """A release of imported tables alone.

    Two archs of nb201 with runs and scores, two of transnas-macro and of transnas-micro with runs.
    """
    runs = runs_rows("made", np.array([0.5, 0.6]), np.array([0.4, 0.7]))
    archs = {
        "nb201": [IMPORTED["nb201"].example, IMPORTED["nb201"].example.replace("none", "skip_connect")],
        "transnas-macro": ["64-1234-basic", "64-1233-basic"],
        "transnas-micro": ["64-41414-1_02_333", "64-41414-1_02_332"],
    }
    tables = {}
    for space, named in archs.items():
        classes = [0, 1] if space == "nb201" else None
        rows = archs_rows(space, named, classes)
        tables["archs", space, None] = table_of(IMPORTERS[space], "archs", rows)
        tables["runs", space, "cifar10"] = table_of(IMPORTERS[space], "runs", runs)
    scores = scores_rows("nb201", {"synflow": np.array([1.0, 2.0]), "zen": np.array([1.0, np.nan])})
    tables["scores", "nb201", "cifar10"] = table_of(IMPORTERS["nb201"], "scores", scores)
    commit_release(tmp_path / "foreign", tables, "0.1.0")
    return tmp_path / "foreign"


def test_an_imported_release_cites_its_benchmarks_with_repository_commit_and_licence(foreign, bench):
    listed = {row["key"]: row for row in answer("--release", foreign, "cite")["rows"]}
    assert list(listed) == [
        "nbzero",
        "dong2020nasbench201",
        "duan2021transnas",
        cite.ORIGIN.key,
        "tanaka2020synflow",
        "lin2021zennas",
    ]
    for kind, sources in IMPORTERS["nb201"].sources.items():
        for source in sources:
            for said in (
                f"{source.repository}@{source.commit}",
                f"{source.repository}: {source.licence}",
                cite.escaped(source.path),
            ):
                assert said in listed["dong2020nasbench201"]["bibtex"], (kind, said)
    (source,) = IMPORTERS["transnas-macro"].sources["runs"]
    both = listed["duan2021transnas"]["bibtex"]
    assert (
        both.count(source.commit) == 2
        and "imported as transnas-macro: archs, runs: " in both
        and "imported as transnas-micro: archs, runs: " in both
    )
    assert (
        "All its tables are imported: NAS-Bench-201, TransNAS-Bench-101 macro, TransNAS-Bench-101 micro;"
        in listed["nbzero"]["bibtex"]
    )
    assert not any("," in one.title or ";" in one.title for one in IMPORTED.values()), (
        "lists of them have commas between"
    )
    text = ask("--release", foreign, "cite").stdout
    assert text.count("{") == text.count("}") and not re.search(
        r"(?<!\\)[&%$#_]", "".join(re.findall(r"note = {(.*)},", text))
    )
    assert "imported" not in ask("cite").stdout and set(cite.BENCHMARKS) == set(IMPORTED)
    assert (
        cite.BENCHMARKS["darts"].bibtex.startswith("@article{")
        and "journal = {IEEE Trans" in cite.BENCHMARKS["darts"].bibtex
    )
    asked = answer("--release", foreign, "cite", "-p", "naswot")["rows"]
    assert [row["key"] for row in asked][-1] == "mellor2021naswot" and "dong2020nasbench201" in [
        row["key"] for row in asked
    ]


def test_an_imported_table_that_says_no_source_is_an_error(foreign):
    opened = Bench(foreign)
    key = ("runs", "nb201", "cifar10")
    kept = [("archs", space, None) for space in opened.spaces]
    kept += [("runs", space, "cifar10") for space in opened.spaces if space != "nb201"]
    kept.append(("scores", "nb201", "cifar10"))
    tables = {one: opened.arrow(*one) for one in kept}
    bare = opened.arrow(*key)
    metadata = {name: value for name, value in bare.schema.metadata.items() if name != b"nbzero.licence"}
    commit_release(foreign.parent / "bare", {**tables, key: bare.replace_schema_metadata(metadata)}, "0.1.0")
    said = ask("--release", foreign.parent / "bare", "cite", status=2).stderr
    assert (
        said == "nbzero: the runs table of nb201 has no nbzero.licence in its metadata; import it again with "
        "builders.import_bench\n"
    )
