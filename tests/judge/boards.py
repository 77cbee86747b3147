"""Made pools and folders of submissions for the tests of the leaderboard. No test itself."""

import json

import numpy as np

from nbzero.proxies.scored import COLUMNS
from nbzero.text import csv_text
from tests.pools import make_pool

ABOUT = {
    "name": "mine",
    "code": "https://example.org/mine",
    "authors": ["A. Author"],
    "machine": "1 core, made",
    "seconds_per_network": 0.5,
    "protocol": "board-1",
}
NAMES = ("zen", "naswot", "synflow", "snip")


def pool_of(number, num=24, names=NAMES, **changed):
    """A pool of a space of its own, in which later names follow the accuracy less closely."""
    rng = np.random.default_rng(number)
    accuracy = rng.permutation(num) / num
    scores = {name: accuracy + rng.normal(0, 0.1 + at, num) for at, name in enumerate(names)}
    costs = {"macs": rng.permutation(num) + 1.0, "params": rng.permutation(num) + 1.0}
    return make_pool(accuracy, **{"costs": costs, "scores": scores, "space": f"space{number}", **changed})


def rows_of(pool, scores):
    """The rows that `nbzero score` would write; where a score is NaN with a reason."""
    rows = []
    for arch, value in zip(pool.archs, scores.tolist(), strict=True):
        absent = np.isnan(value)
        row = {
            "arch": arch,
            "seed": 0,
            "score": None if absent else value,
            "reason": "it fails" if absent else "",
        }
        row |= {"seconds": 0.5, "space": pool.space, "dataset": pool.dataset, "protocol": pool.protocol}
        rows.append(row | {"function": "mine 0"})
    return rows


def written(folder, rows, **about):
    """A submission of rows by space, in a file for each."""
    folder.mkdir(exist_ok=True)
    (folder / "submission.json").write_text(json.dumps({**ABOUT, **about}))
    for space in {row["space"] for row in rows}:
        own = [row for row in rows if row["space"] == space]
        (folder / f"scores-{space}.csv").write_text(csv_text(COLUMNS, own))
    return folder
