"""train_shard, where networks of seed 1 begin with weights that are NaN; no test itself.

python -m tests.builders.work.diverging OPTIONS OF TRAIN_SHARD
"""

import sys

import torch
from torch import nn

from builders import train_shard
from nbzero.networks.build import build_net
from nbzero.spaces.macro import Arch
from train import engine, loop


def spoilt_net(arch: str | Arch, num_classes: int, seed: int) -> nn.Module:
    net = build_net(arch, num_classes, seed)
    if seed == 1:
        nn.init.constant_(next(net.parameters()), torch.nan)
    return net


if __name__ in ("__main__", "__mp_main__"):  # as a job, and in its workers
    loop.build_net = spoilt_net
    engine.build_net = spoilt_net

if __name__ == "__main__":
    sys.exit(train_shard.main())
