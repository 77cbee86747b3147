"""Every benchmark, one after the other, each in a process of its own: python -m tests.bench"""

import subprocess
import sys

JUDGING = (
    "judging",
    "hybrids",
    "factors",
    "transfer",
    "surrogate",
    "agreement",
    "fidelity",
    "own",
    "search",
    "searching",
)
for name in ("query", "opening", "spaces", "training", "bench_proxies", *JUDGING):
    print(f"\n== python -m tests.bench.{name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)
