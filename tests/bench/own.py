"""From a file of twenty lines to the verdict on 200 networks: python -m tests.bench.own

The commands `nbzero score` and `nbzero evaluate`, each in a process of its own, on the images of CIFAR-10
where NBZERO_IMAGES has them, else on noise. Wall-clock seconds, and the processor's (of all processes),
because others may share the machine.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MINE = '''
import torch


def mine(net, images, labels):
    """log |det K|, K[i, j] = ReLU units on which images i and j agree (NASWOT)."""
    on = []
    for module in net.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(lambda _, inputs: on.append(inputs[0].flatten(1) > 0))
    with torch.no_grad():
        net(images)
    on_BU = torch.cat(on, dim=1).float()
    agree_BB = on_BU @ on_BU.T + (1 - on_BU) @ (1 - on_BU).T
    return torch.linalg.slogdet(agree_BB.double()).logabsdet
'''
OF_ARCH = """
def mine(arch):
    return -arch.count("d4")
"""


def timed(*arguments: str) -> tuple[float, float, str]:
    """Wall-clock seconds, those of the processor, and what the command prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-m", "nbzero", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, done.stdout


def main() -> None:
    images = [] if os.environ.get("NBZERO_IMAGES") else ["--images", "noise"]
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "mine.py", Path(folder) / "scores.csv"
        file.write_text(MINE)
        scored = ("score", f"{file}:mine", "r1-mini", "--archs", "200", "--out", str(out), *images)
        wall, used, _ = timed(*scored)
        again, _, _ = timed(*scored)
        judged, judged_used, said = timed("evaluate", str(out), "r1-mini")
        file.write_text(OF_ARCH)
        plain, _, _ = timed("score", f"{file}:mine", "r1-mini", "--archs", "200")
    print(f"score 200 networks of r1-mini    {wall:6.1f} s  (of the processor {used:.1f} s)")
    print(f"  the same again, all there      {again:6.1f} s")
    print(f"evaluate them: the verdict       {judged:6.1f} s  (of the processor {judged_used:.1f} s)")
    print(f"from the file to the verdict     {wall + judged:6.1f} s  (target 60 s on two cores)")
    print(f"score 200 archs, no networks     {plain:6.1f} s")
    print(said.partition("\n\n")[0])


if __name__ == "__main__":
    main()
