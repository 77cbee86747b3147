"""How long answers take: python -m tests.bench.query

A cold process (import, open, first query) and its memory, one further query, one bulk column; beside them
pandas on the same Parquet file.
"""

import resource
import statistics
import subprocess
import sys
import time
import timeit

COLD = """
import time
start = time.perf_counter()
import nbzero
bench = nbzero.Bench()
record = bench.query("r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2")
answer = (record.macs, record.params)
took = time.perf_counter() - start
import resource, sys
heavy = sorted({"pyarrow", "pandas", "torch"} & set(sys.modules))
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, heavy)
"""
PANDAS = """
import time
start = time.perf_counter()
import pandas as pd
frame = pd.read_parquet("data/archs/r1.parquet").set_index("arch")
answer = frame.loc["r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2", ["macs", "params"]]
print(time.perf_counter() - start)
"""


def cold(code: str, repeats: int = 7) -> list[list[str]]:
    """The printed words of each of several fresh processes, after one that warms the disk's cache."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(repeats + 1)
    ]
    return runs[1:]


def main() -> None:
    ours = cold(COLD)
    seconds, memory = ([float(run[i]) for run in ours] for i in (0, 1))
    pandas = [float(run[0]) for run in cold(PANDAS)]
    print(
        f"cold: import, Bench(), first query   median {statistics.median(seconds):.3f} s, best "
        f"{min(seconds):.3f} s  (target 0.30 s)"
    )
    print(
        f"      the same by pandas             median {statistics.median(pandas):.3f} s, best "
        f"{min(pandas):.3f} s"
    )
    print(
        f"      memory of the process          {max(memory):.0f} MB (target 150 MB); heavy modules "
        f"imported: {' '.join(ours[0][2:])}"
    )

    from nbzero import Bench

    bench, arch = Bench(), "r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2"
    archs = bench.space("r1").members

    def best(statement: object, number: int) -> float:
        return min(timeit.repeat(statement, number=number, repeat=7)) / number  # type: ignore[arg-type]

    print(
        f"query(arch)                          {best(lambda: bench.query(arch), 100_000) * 1e6:.2f} us  "
        f"(target 5 us)"
    )
    print(
        f"query(arch).macs                     {best(lambda: bench.query(arch).macs, 100_000) * 1e6:.2f} us"
    )
    mini = bench.query(("r1-mini", 0))
    print(
        f"record.accuracy(dataset, recipe)     "
        f"{best(lambda: mini.accuracy('cifar10', 'cpu-16px-4'), 20_000) * 1e6:.2f} us"
    )
    print(
        f"record.score(proxy, dataset)         "
        f"{best(lambda: mini.score('synflow', 'cifar10'), 20_000) * 1e6:.2f} us"
    )
    start = time.perf_counter()
    for one in archs:
        bench.query(one)
    print(f"all {len(archs):,} archs of r1, one by one    {(time.perf_counter() - start) * 1e3:.1f} ms")
    print(
        f"table('r1', ['macs'])                "
        f"{best(lambda: bench.table('r1', ['macs'])['macs'], 2_000) * 1e6:.1f} us  (target 1,000 us)"
    )
    print(
        f"table with where (two conditions)    "
        f"{best(lambda: bench.table('r1', ['macs'], where='macs < 1e8 and s1_depth >= 2'), 200) * 1e6:.1f} us"
    )
    import pandas as pd

    frame = pd.read_parquet("data/archs/r1.parquet").set_index("arch")
    print(f"pandas .loc[arch, 'macs']            {best(lambda: frame.loc[arch, 'macs'], 5_000) * 1e6:.2f} us")
    print(
        f"memory at the end, pandas and all    "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
