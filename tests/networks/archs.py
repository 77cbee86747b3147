"""A few archs of every mini space, and what the tests of their networks share. No test itself."""

from torch import nn

FEW = [
    "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2",
    "r1-mini-s16-d3w16s1-d2w16s2-d1w16s2-d2w64s2",
    "r2-mini-s16-d1w16s2-d3w16s2-d1w32s1-d3w256s2",
    "r2-mini-s8-d2w32s2-d2w64s2-d2w96s2",
    "mb-mini-s8-d2w8s1-d1w8s2-d3w24s2-d1w48s2",
    "mb-mini-s16-d2w12s2-d2w32s2-d1w32s2",
]


def convs(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]
