"""Every benchmark, one after the other, each in a process of its own: python -m tests.bench"""

import subprocess
import sys

for name in (
    "query",
    "spaces",
    "training",
    "bench_proxies",
    "judging",
    "hybrids",
    "factors",
    "transfer",
    "own",
    "searching",
):
    print(f"\n== python -m tests.bench.{name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)
