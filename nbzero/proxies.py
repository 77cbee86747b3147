"""One row per proxy: family, direction, what it needs, source. Torch-free; the functions are in `builders.proxies`.

`direction` is +1 where a higher score should mean a more accurate network and -1 where a lower one should. Stored
scores keep the sign and scale of their definition; whoever ranks by them applies the direction.
"""

from dataclasses import dataclass
from typing import Literal

from nbzero.errors import unknown_name

Family = Literal["count", "saliency", "activation", "gradient", "kernel"]


@dataclass(frozen=True, slots=True)
class Proxy:
    """One training-free proxy as the benchmark stores it.

    Attributes:
        name: column name in every scores table.
        family: the module of `builders.proxies` that computes it.
        direction: +1 or -1, see the module.
        meaning: one line.
        source: paper (and the code whose numbers the golden values are).
        unit: of the score; empty where it has none.
        uses_images: reads the batch of images; False for counts, ones or noise.
        uses_labels: reads the labels.
        random: draws random numbers beyond the network's initialisation.
        timed_as: the pass that computes it; seconds are kept per pass, and proxies that share a pass share its seconds.
        batch: images in the standard protocols (0 where none are read).
        noise_images: N(0, 1) images drawn in the standard protocols (0 where none).
        wide_range: the score spans so many decades that Pearson needs its logarithm.
    """

    name: str
    family: Family
    direction: Literal[-1, 1]
    meaning: str
    source: str
    unit: str = ""
    uses_images: bool = True
    uses_labels: bool = False
    random: bool = False
    timed_as: str = "trace"
    batch: int = 64
    noise_images: int = 0
    wide_range: bool = False


_ROWS = (
    Proxy(
        "params",
        "count",
        +1,
        "trainable numbers: weights, biases, batch-norm gamma and beta",
        "closed form",
        unit="numbers",
        timed_as="count",
        uses_images=False,
        batch=0,
    ),
    Proxy(
        "macs",
        "count",
        +1,
        "multiply-adds of convolutions and linear layers for one image",
        "closed form",
        unit="multiply-adds",
        timed_as="count",
        uses_images=False,
        batch=0,
    ),
    Proxy(
        "depth",
        "count",
        +1,
        "residual blocks summed over the stages",
        "closed form",
        unit="blocks",
        timed_as="count",
        uses_images=False,
        batch=0,
    ),
    Proxy(
        "grad_norm",
        "saliency",
        +1,
        "sum over weights of the l2 norm of the loss gradient",
        "Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
        uses_labels=True,
    ),
    Proxy(
        "snip",
        "saliency",
        +1,
        "sum of |weight x loss gradient|",
        "Lee et al., ICLR 2019, arXiv:1810.02340",
        uses_labels=True,
    ),
    Proxy(
        "synflow",
        "saliency",
        +1,
        "sum of |weight x gradient| of the absolute network's output on ones, without batch norm",
        "Tanaka et al., NeurIPS 2020, arXiv:2006.05467",
        timed_as="synflow",
        uses_images=False,
        batch=0,
        wide_range=True,
    ),
    Proxy(
        "naswot",
        "activation",
        +1,
        "log-determinant of the ReLU on/off agreement between images",
        "Mellor et al., ICML 2021, arXiv:2006.04647",
    ),
    Proxy(
        "zen",
        "activation",
        +1,
        "log change of the features under input noise plus the log batch-norm scales, shortcuts kept",
        "Lin et al., ICCV 2021, arXiv:2102.01063",
        timed_as="zen",
        uses_images=False,
        random=True,
        batch=0,
        noise_images=16,
    ),
)

PROXIES: dict[str, Proxy] = {row.name: row for row in _ROWS}


def proxy(name: str) -> Proxy:
    """The registry row of one proxy; UnknownNameError with near matches for any other name."""
    try:
        return PROXIES[name]
    except KeyError:
        raise unknown_name("proxy", name, PROXIES) from None
