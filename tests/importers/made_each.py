"""A small official file of each kind, for attacks on imports. No test itself."""

from pathlib import Path
from typing import Any

from tests.importers.made import NUM, some
from tests.importers.made_official import (
    as_tar,
    made_nb101,
    made_results,
    made_torch,
    some_cells,
    write_legacy,
    write_nats,
    write_records,
    write_zip,
)
from tests.importers.test_suite_zero import made_transnas_suite, put
from tests.importers.test_table_file import put_bert, put_darts, put_macro, rows_of
from tests.importers.test_transnas_file import made_database


def _nats(path: Path) -> Path:
    archs = some("nb201")
    epochs, seeds = {"12": 1, "200": 2}, {"12": (111,), "200": (777,)}
    held = [made_results("nb201", index, arch, epochs, seeds) for index, arch in enumerate(archs)]
    return write_nats(path, archs, held)


def _tar(path: Path) -> Path:
    return as_tar(_nats(path.with_name("folder")), path)


def _of_some(write: Any) -> Any:
    return lambda path: write(path, made_torch(some("nb201"), epochs=1))


MADE_OFFICIAL: dict[str, tuple[str, Any]] = {
    "folder of NATS": ("nb201", _nats),
    "tar of NATS": ("nb201", _tar),
    "legacy torch": ("nb201", _of_some(write_legacy)),
    "zip of torch": ("nb201", _of_some(write_zip)),
    "zip of TransNAS": ("transnas-macro", lambda path: write_zip(path, made_database())),
    "JSON of TransNAS": ("transnas-micro", lambda path: put(path, made_database())),
    "JSON of Suite-Zero": ("transnas-micro", lambda path: put(path, made_transnas_suite("micro"))),
    "JSON of NAS-Bench-Macro": ("nbmacro", lambda path: put_macro(path, rows_of("nbmacro"))),
    "CSV of DARTS": ("darts", lambda path: put_darts(path, rows_of("darts"))),
    "JSON of FlexiBERT": ("flexibert", lambda path: put_bert(path, rows_of("flexibert"))),
    "TFRecord": ("nb101", lambda path: write_records(path, made_nb101(some_cells(NUM)))),
}
