"""Rates of the released rows: python -m builders.fit_rates

Fits how long a network takes to train and to score, for every device, space and resolution or protocol that
the shipped release has times of. It writes `builders/rates.json`. Times of released rows are wall times, many
of them of machines that had other work, and their spread says so.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence

from builders.work import rates
from builders.work.command import parser_of, say_errors
from builders.work.origin import together_of
from builders.work.rates import Cost, Key, Point, fit, scoring_cost, training_cost
from nbzero import Bench
from nbzero.files import write_whole
from nbzero.proxies.protocol import PROTOCOLS
from nbzero.release.schema import PASSES, Table
from nbzero.spaces.macro import CHOICES
from train.recipe import recipe


def points_of(bench: Bench) -> dict[Key, list[Point]]:
    """Macs and seconds of a pass of every released run, and of every network that all passes scored."""
    found: dict[Key, list[Point]] = {}
    for space in bench.spaces:
        if space not in CHOICES:
            continue
        for dataset in bench.datasets(space):
            for name in bench.recipes(space, dataset):
                cost = training_cost(space, dataset, recipe(name))
                _add(found, bench, "runs", dataset, ("recipe", name), cost, ["train_time_s"])
            for name in bench.protocols(space, dataset):
                cost = scoring_cost(space, dataset, name, PROTOCOLS[name].resolution)
                columns = [f"{made_by}_s" for made_by in PASSES]
                _add(found, bench, "scores", dataset, ("protocol", name), cost, columns)
    return found


def _add(
    found: dict[Key, list[Point]],
    bench: Bench,
    table: Table,
    dataset: str,
    of: tuple[str, str],
    cost: Cost,
    columns: Sequence[str],
) -> None:
    """Add the rows of a table that are of one recipe or protocol and have all the times."""
    column, name = of
    for row in bench.arrow(table, cost.space, dataset).to_pylist():
        times = [row[timed] for timed in columns]
        if row[column] == name and None not in times and row.get("status", "ok") == "ok":
            seconds = sum(times) / together_of(row.get("engine", ""))
            point = (float(cost.macs_of(row["arch"])), seconds / cost.passes)
            found.setdefault(cost.key(row["device"]), []).append(point)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser_of(__doc__).parse_args(argv)
    bench = Bench()
    origin = f"rows of release {bench.version}"
    rows = []
    for key, points in points_of(bench).items():
        rate = fit(points, origin)
        rows.append({**key._asdict(), **dataclasses.asdict(rate)})
        spread = f"of ten, one below x{rate.low:g} and one above x{rate.high:g}"
        print(f"{key.device}, {key.space}, {key.what}: {rate.num:,} rows, {spread}")
    text = json.dumps({"made_by": "python -m builders.fit_rates", "rates": rows}, indent=1)
    write_whole(rates.SHIPPED, (text + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
