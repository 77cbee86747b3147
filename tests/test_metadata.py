"""What catalogues and citation tools read: Croissant, the card's configurations, CITATION.cff.

Each is read by the tool that it is for, and its numbers are compared with the release.
"""

import hashlib
import json

import jsonschema
import mlcroissant
import pytest
import yaml

from builders import croissant
from builders.work.citation import published
from builders.work.groups import groups
from nbzero import Bench
from nbzero.errors import ReleaseError
from nbzero.release.manifest import Release
from tests.places import ROOT

DATA = ROOT / "data"
GROUPS = groups(DATA)
CARD = (ROOT / "DATASET_CARD.md").read_text()
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
# Part of Citation File Format 1.2.0: what it requires, and the forms of what is used here.
PERSON = {"required": ["family-names", "given-names"]}
AUTHORS = {"type": "array", "minItems": 1, "items": {"anyOf": [PERSON, {"required": ["name"]}]}}
DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
IDENTIFIER = {"required": ["type", "value"], "properties": {"type": {"enum": ["doi", "url", "swh", "other"]}}}
CFF = {
    "type": "object",
    "required": ["cff-version", "message", "title", "authors"],
    "additionalProperties": False,
    "properties": {
        "cff-version": {"const": "1.2.0"},
        "type": {"enum": ["dataset", "software"]},
        "message": {"type": "string", "minLength": 1},
        "title": {"type": "string", "minLength": 1},
        "authors": AUTHORS,
        "version": {"type": "string"},
        "date-released": DATE,
        "license": {"enum": ["CC-BY-4.0"]},
        "identifiers": {"type": "array", "items": IDENTIFIER},
        "keywords": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "references": {
            "type": "array",
            "items": {"required": ["type", "title", "authors"], "properties": {"authors": AUTHORS}},
        },
    },
}


def test_croissant_is_current(capsys):
    assert croissant.main(["--check"]) == 0, capsys.readouterr().err


def test_an_outdated_croissant_file_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(croissant, "ROOT", tmp_path)
    (tmp_path / "data").symlink_to(DATA)
    (tmp_path / "CHANGELOG.md").write_text(f"## {Bench(DATA).version} (1999-01-01)\n## 0.1.0 (1998-01-01)\n")
    assert croissant.main(["--check"]) == 2
    assert "data/croissant.json is out of date; run python -m builders.croissant" in capsys.readouterr().err


def test_croissant_has_the_hash_and_licence_of_every_file_of_the_release():
    parts = json.loads((DATA / "croissant.json").read_text())["distribution"]
    files = {part["contentUrl"]: part for part in parts if part["@type"] == "cr:FileObject"}
    promised = Release.open(DATA).manifest.files
    assert {name for name in promised if name.endswith(".parquet")} <= files.keys()
    for name, file in files.items():
        assert file["sha256"] == hashlib.sha256((DATA / name).read_bytes()).hexdigest()
        assert name not in promised or file["sha256"] == promised[name].sha256
    assert all(part["license"] for part in parts)


@pytest.mark.filterwarnings(  # of rdflib and pandas, for how mlcroissant calls them
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning", "ignore:The inplace keyword"
)
def test_mlcroissant_finds_no_fault_and_loads_the_records(caplog):
    dataset = mlcroissant.Dataset(DATA / "croissant.json")
    metadata = dataset.metadata
    assert metadata.issues.report() == "" and not caplog.records  # no warning either
    assert metadata.version == Bench(DATA).version
    assert metadata.conforms_to == list(croissant.VERSIONS) and len(metadata.data_biases) > 1
    for group in GROUPS:
        first = next(iter(dataset.records(group.name)))
        assert list(first) == [f"{group.name}/{name}" for name in group.schema.names]
    loaded = list(dataset.records("runs"))
    assert len(loaded) == next(group.rows for group in GROUPS if group.name == "runs")
    for row in loaded[::50]:
        record = Bench(DATA).query(row["runs/arch"].decode())
        of = (row["runs/dataset"].decode(), row["runs/recipe"].decode(), int(row["runs/seed"]))
        run = record.run(*of)
        assert run.val_acc == row["runs/val_acc"]


def test_the_cards_header_is_yaml_that_hugging_face_knows():
    header = yaml.safe_load(CARD.split("---\n")[1])
    assert header["license"] == "cc-by-4.0"
    assert [one["config_name"] for one in header["configs"]] == [group.name for group in GROUPS]
    assert (DATA / "README.md").read_text() == CARD


def test_the_citation_is_in_the_citation_file_format():
    jsonschema.validate(CITATION, CFF)
    with pytest.raises(jsonschema.ValidationError, match="'title' is a required property"):
        jsonschema.validate({name: CITATION[name] for name in CITATION if name != "title"}, CFF)


def test_the_citation_is_of_the_release():
    release = Release.open(DATA)
    assert CITATION["version"] == release.manifest.data_version
    assert CITATION["identifiers"][0]["value"] == f"sha256:{release.sha256}"


def test_a_release_that_the_changelog_does_not_date_is_an_error():
    with pytest.raises(ReleaseError, match=r"no heading '## 9\.9\.9 \(YEAR-MONTH-DAY\)'; add it"):
        published("## 9.9.8 (2026-01-01)\n", "9.9.9")
