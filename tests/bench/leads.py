"""Whether a stored proxy beats macs: python -m tests.bench.leads

In every pool of our own spaces, under quantile limits on macs and under even ones: mBR of each proxy less
that of macs, with its 95 % interval over the archs. Prints those whose interval lies below 0, the three
lowest mBR of each pool, and how many intervals there were. Four minutes of a core.
"""

from __future__ import annotations

from nbzero import Bench, judge
from nbzero.spaces.macro import CHOICES


def main() -> None:
    bench, number = Bench(), 0
    for pool in bench.pools():
        if pool.space not in CHOICES:
            continue
        proxies = [name for name in pool.scores if name not in pool.without_scores]
        lowest = sorted((judge.mbr(pool, name), name) for name in proxies)[:3]
        said = ", ".join(f"{name} {mbr:.3f}" for mbr, name in lowest)
        print(f"{pool.name}: macs {judge.mbr(pool, 'macs'):.3f}; {said}", flush=True)
        for spacing in ("quantile", "even"):
            for name in proxies:
                lead = judge.mbr_lead(pool, name, "macs", spacing=spacing)
                number += 1
                if lead.high < 0:
                    print(f"  {name} beats macs, {spacing} limits: {lead.low:+.3f} to {lead.high:+.3f}")
    print(f"{number} intervals")


if __name__ == "__main__":
    main()
