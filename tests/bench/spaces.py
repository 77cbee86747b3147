"""How long enumerating the six spaces from their definitions takes: python -m tests.bench.spaces"""

import time

from nbzero.spaces.macro import CHOICES, enumerate_members, grid_size


def main() -> None:
    total = 0.0
    for name in CHOICES:
        start = time.perf_counter()
        members = enumerate_members(name)
        took = time.perf_counter() - start
        total += took
        print(f"{name:8} {len(members):>6,} members of {grid_size(name):>9,} grid points   {took:5.1f} s")
    print(f"all six  {total:.1f} s  (target 90 s)")


if __name__ == "__main__":
    main()
