"""One row per proxy: family, direction, what it needs, source. Neither torch nor numpy is needed.

`direction` is +1 where a higher score should mean a more accurate network, and -1 where a lower one should.
Stored scores keep the sign and scale of their definition. Whoever ranks by them applies the direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nbzero.errors import unknown_name

Family = Literal["count", "saliency", "activation", "gradient", "kernel"]


@dataclass(frozen=True, slots=True)
class Proxy:
    """One training-free proxy as the benchmark stores it.

    Attributes:
        name: column name in every scores table.
        family: the module beside this one that computes it.
        direction: +1 or -1, see the module.
        meaning: one line.
        source: paper (and the code whose numbers the golden values are).
        unit: of the score; empty where it has none.
        uses_images: reads the batch of images; False for counts, ones or noise.
        uses_labels: reads the labels.
        random: draws random numbers beyond the network's initialisation.
        timed_as: the pass that computes it. Seconds are kept per pass: proxies that share one share its
            seconds.
        batch: images in the standard protocols (0 where none are read).
        noise_images: N(0, 1) images drawn in the standard protocols (0 where none).
        weight_draws: draws of N(0, 1) weights whose mean the standard protocols store (0: the network's own
            weights; `zen` draws itself).
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
    weight_draws: int = 0
    wide_range: bool = False


# A table, its rows laid by hand: what it is, then where it comes from and what it needs.
# fmt: off
_ROWS = (
    Proxy("params", "count", +1, "trainable numbers: weights, biases, batch-norm gamma and beta",
          "closed form", unit="numbers", timed_as="count", uses_images=False, batch=0),
    Proxy("macs", "count", +1,
          "multiply-adds of convolutions and linear layers for one image; flops = 2 macs",
          "closed form", unit="multiply-adds", timed_as="count", uses_images=False, batch=0),
    Proxy("depth", "count", +1, "residual blocks summed over the stages",
          "closed form", unit="blocks", timed_as="count", uses_images=False, batch=0),
    Proxy("sed_reconstructed", "count", +1,
          "log sum over convolutions of kernel rank x sqrt(channels in x out) / stride; "
          "our reconstruction, not the published SED",
          "after Wu et al., arXiv:2411.06236", timed_as="count", uses_images=False, batch=0),
    Proxy("grad_norm", "saliency", +1, "sum over weights of the l2 norm of the loss gradient (= pgnorm)",
          "Abdelfattah et al., ICLR 2021, arXiv:2101.08134", uses_labels=True),
    Proxy("plain", "saliency", +1, "sum of weight x loss gradient, with its sign",
          "Abdelfattah et al., ICLR 2021, arXiv:2101.08134", uses_labels=True),
    Proxy("snip", "saliency", +1, "sum of the absolute weight x loss gradient",
          "Lee et al., ICLR 2019, arXiv:1810.02340", uses_labels=True),
    Proxy("grasp", "saliency", +1, "minus the sum of weight x Hessian x loss gradient",
          "Wang et al., ICLR 2020, arXiv:2002.07376", uses_labels=True),
    Proxy("fisher", "saliency", +1, "sum over weights of their channel's squared activation x gradient",
          "Turner et al., ICLR 2020; Abdelfattah et al., ICLR 2021, arXiv:2101.08134", uses_labels=True),
    Proxy("synflow", "saliency", +1,
          "sum of the absolute weight x gradient of the absolute network's output on ones, "
          "without batch norm",
          "Tanaka et al., NeurIPS 2020, arXiv:2006.05467", timed_as="synflow", uses_images=False, batch=0,
          wide_range=True),
    Proxy("pnorm", "saliency", +1, "sum over weights of their l2 norm",
          "Abdelfattah et al., ICLR 2021, arXiv:2101.08134", timed_as="count", uses_images=False, batch=0),
    Proxy("lyrdyniso", "saliency", +1, "minus how far each layer's weight matrix is from orthogonal rows",
          "Lee et al., ICLR 2020, arXiv:1906.06307; Jing et al., arXiv:2507.08841", timed_as="count",
          uses_images=False, batch=0),
    Proxy("naswot", "activation", +1, "log-determinant of the ReLU on/off agreement between images",
          "Mellor et al., ICML 2021, arXiv:2006.04647"),
    Proxy("linear_regions", "activation", +1,
          "distinct on/off patterns among the images (saturates at their number)",
          "Chen et al., ICLR 2021, arXiv:2102.11535", unit="regions"),
    Proxy("swap", "activation", +1,
          "distinct on/off vectors over 16 images among the units, mean of 8 draws of N(0, 1) weights",
          "Peng et al., ICLR 2024, arXiv:2403.04161", unit="patterns", batch=16, timed_as="layers",
          weight_draws=8),
    Proxy("zen", "activation", +1,
          "log change of the features under input noise plus the log batch-norm scales, shortcuts kept",
          "Lin et al., ICCV 2021, arXiv:2102.01063", timed_as="zen", uses_images=False, random=True, batch=0,
          noise_images=16),
    Proxy("zen_no_shortcut", "activation", +1, "zen of the network without its shortcuts and projections",
          "Lin et al., ICCV 2021, arXiv:2102.01063", timed_as="zen", uses_images=False, random=True, batch=0,
          noise_images=16),
    Proxy("zen_own", "activation", +1, "zen with the network's own weights",
          "Lin et al., ICCV 2021, arXiv:2102.01063; Jing et al., arXiv:2507.08841", timed_as="noise",
          uses_images=False, random=True, batch=0, noise_images=64),
    Proxy("phi", "activation", +1, "change of the features under input noise, without batch norm",
          "Lin et al., ICCV 2021, arXiv:2102.01063; Jing et al., arXiv:2507.08841", timed_as="noise",
          uses_images=False, random=True, batch=0, noise_images=64, wide_range=True),
    Proxy("phi_bn", "activation", +1, "change of the features under input noise, batch norm kept",
          "Jing et al., arXiv:2507.08841", timed_as="noise", uses_images=False, random=True, batch=0,
          noise_images=64),
    Proxy("barlow_twins", "activation", +1,
          "minus the Barlow Twins loss of the features of two noisy copies of the images",
          "Zbontar et al., ICML 2021, arXiv:2103.03230; Jing et al., arXiv:2507.08841", timed_as="noise",
          random=True),
    Proxy("bndlent", "activation", +1,
          "minus the label entropy of images that blocks confuse in float32 (the published code's value)",
          "Peer et al., arXiv:2011.02956; Jing et al., arXiv:2507.08841", timed_as="layers",
          uses_labels=True),
    Proxy("meco", "activation", +1,
          "smallest eigenvalue of the channels' correlation for one image, summed over all modules",
          "Jiang et al., NeurIPS 2023", timed_as="layers", batch=1),
    Proxy("meco_leaf_modules", "activation", +1, "meco over modules without children",
          "Jiang et al., NeurIPS 2023", timed_as="layers", batch=1),
    Proxy("az_expressivity", "activation", +1,
          "entropy of the channel covariance's eigenvalues, summed over blocks",
          "Lee and Ham, CVPR 2024, arXiv:2403.19232"),
    Proxy("az_progressivity", "activation", +1, "smallest growth of that entropy from block to block",
          "Lee and Ham, CVPR 2024, arXiv:2403.19232"),
    Proxy("az_trainability", "activation", +1,
          "how far blocks keep the size of random signs pulled back through them",
          "Lee and Ham, CVPR 2024, arXiv:2403.19232", random=True),
    Proxy("jacob_cov", "gradient", +1,
          "spread of the eigenvalues of the images' input-gradient correlation (JacCor)",
          "Mellor et al., arXiv:2006.04647v1"),
    Proxy("epe_nas", "gradient", +1, "log correlation of input gradients within each class",
          "Lopes et al., ICANN 2021, arXiv:2102.08099", uses_labels=True),
    Proxy("netsens", "gradient", +1, "mean absolute gradient of the logits' sum for the pixels",
          "Jing et al., arXiv:2507.08841"),
    Proxy("dyniso", "gradient", +1, "how near the singular values of the logits' Jacobian are to 1",
          "Lee et al., ICLR 2020, arXiv:1906.06307; Jing et al., arXiv:2507.08841", timed_as="per_image",
          batch=8),
    Proxy("zico", "gradient", +1,
          "log of mean over deviation of the weights' gradient between two halves of the images",
          "Li et al., ICLR 2023, arXiv:2301.11300", timed_as="zico", uses_labels=True),
    Proxy("gradsign", "gradient", +1, "agreement of the gradients' signs between images, summed over weights",
          "Zhang and Jia, ICLR 2022, arXiv:2110.08616", timed_as="per_image", uses_labels=True, batch=16),
    Proxy("acor", "kernel", +1,
          "log-determinant of the summed absolute correlation of responses between images",
          "Jing et al., arXiv:2507.08841"),
    Proxy("gcor", "kernel", +1,
          "log-determinant of the summed absolute correlation of response gradients between images",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("rcor", "kernel", +1, "acor and gcor in one sum",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("wrcor", "kernel", +1, "rcor with weights doubling from block to block",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("wrcor_by_stage", "kernel", +1, "rcor with weights doubling from stage to stage",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("wrcor_linear", "kernel", +1, "rcor with weights 1, 2, 3, .. by block",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("wrcor_quad", "kernel", +1, "rcor with weights 1, 4, 9, .. by block",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("wrcor_expt2b", "kernel", +1, "rcor with weights halving from block to block",
          "Jing et al., arXiv:2507.08841", uses_labels=True),
    Proxy("ntk", "kernel", -1, "condition number of the neural tangent kernel of 16 images in train mode",
          "Chen et al., ICLR 2021, arXiv:2102.11535", timed_as="per_image", batch=16),
)
# fmt: on

PROXIES: dict[str, Proxy] = {row.name: row for row in _ROWS}


def proxy(name: str) -> Proxy:
    """The registry row of one proxy; UnknownNameError with near matches for any other name."""
    try:
        return PROXIES[name]
    except KeyError:
        raise unknown_name("proxy", name, PROXIES) from None


# Scores that are stored as computed and not to be trusted, of the spaces enumerated here (`doubts_of` of
# `nbzero.spaces` knows those of published ones too). The published code gives numbers there as well. The
# exact value of netsens is 0, and jacob_cov and epe_nas have none.
_OF_ROUNDING = (
    "the features end in a batch norm without activation, "
    "so that over a batch the logits add up to a constant; "
    "its gradient for the images is 0, and what is scored is the rounding of it"
)
_DOUBTFUL = dict.fromkeys(("jacob_cov", "epe_nas", "netsens"), _OF_ROUNDING)
DOUBTS: dict[str, dict[str, str]] = {"mb": _DOUBTFUL, "mb-mini": dict(_DOUBTFUL)}
# The same by data set, in every space that is enumerated here.
_NONE_TWICE = "it compares images of one class, and of 100 classes a batch of 64 has none twice"
DOUBTS_ON: dict[str, dict[str, str]] = {"cifar100": {"epe_nas": _NONE_TWICE}}
