"""Proxies that read the activations.

Which units the images switch on, how far the features move, what the channels have in common.

Capital endings: B images, U units, C channels, D features flattened, P positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from nbzero.errors import ProxyError, UsageError
from nbzero.proxies.axes import Axes, Layout, UnsureError, images_first, layouts_of
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.lend import is_frozen_norm, without_batch_norm
from nbzero.proxies.marks import marked_images, tensors_in
from nbzero.proxies.passes import (
    draw_gaussian_weights,
    exactly,
    features_of,
    generator,
    normal,
    wide,
)
from nbzero.proxies.trace import NO_ACTIVATION, Trace, distinct_columns, reads
from nbzero.proxies.watch import Watch


@reads("agree_BB")
def naswot(trace: Trace) -> float:
    """How differently the images switch the ReLUs on and off (NASWOT).

        score = log |det K|,   K[i, j] = number of ReLU units on which images i and j agree

    Args:
        trace: reads `agree_BB`. Labels are not used.

    Returns:
        Natural logarithm; -inf where K is singular, as when two images agree on every unit. Compare at one B
        only.

    Raises:
        ProxyError: no ReLU (ReLU6, LeakyReLU, ..), GELU or SiLU ran on the images, as a module, a function or
            a class of another library that computes the same; or its images cannot be told apart.

    Source: Mellor et al., ICML 2021, arXiv:2006.04647, which counts ReLUs. A GELU or SiLU unit is on where it
        leaves a positive value.
    """
    num_units = trace.agree_BB[0, 0]
    if num_units == 0:
        raise ProxyError(f"naswot {NO_ACTIVATION}")
    if (trace.agree_BB == num_units).sum() > len(trace.agree_BB):
        return -math.inf  # two equal rows: rounding in the elimination may leave a finite value
    return torch.linalg.slogdet(trace.agree_BB).logabsdet.item()


@reads("agree_BB")
def linear_regions(trace: Trace) -> float:
    """Into how many linear regions of the network the images fall.

        score = number of distinct on/off patterns of all activation units among the images

    Args:
        trace: reads `agree_BB`.

    Returns:
        A whole number from 1 to B. Any network of useful size separates all images, so that it is B.

    Raises:
        ProxyError: as naswot.

    Source: Chen et al., ICLR 2021, arXiv:2102.11535 (TE-NAS), which reads nn.ReLU on feature maps only and
        scores 1 x 3 x 3 images.
    """
    if trace.agree_BB[0, 0] == 0:
        raise ProxyError(f"linear_regions {NO_ACTIVATION}")
    alike_BB = trace.agree_BB == trace.agree_BB[0, 0]
    return float((alike_BB.tril(-1).sum(1) == 0).sum().item())


@reads("patterns")
def swap(trace: Trace) -> float:
    """How many different things the units do over the batch (sample-wise activation patterns).

        score = number of distinct vectors of a unit's on/off states over the B images,
                among all units of all activation modules

    Args:
        trace: reads `patterns`.

    Returns:
        A whole number, at most the number of units and 2^B: few images (16) say most. Images and weights are
        the caller's. The authors draw the weights from N(0, 1) and average.

    Raises:
        ProxyError: as naswot.

    Source: Peng et al., ICLR 2024, arXiv:2403.04161; GELU and SiLU as in the authors' newer code, but ReLU6
        and LeakyReLU too.
    """
    if not trace.patterns:
        raise ProxyError(f"swap {NO_ACTIVATION}")
    return float(distinct_columns(torch.cat(trace.patterns, dim=1)).shape[1])


def _noise_like(images: Tensor, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """e and e + 0.01 e' of `count` images; ProxyError for tokens."""
    if not images.is_floating_point():
        raise ProxyError("noise of N(0, 1) is added to images; tokens take none")
    noise = normal((count, *images.shape[1:]), draws, images)
    return noise, noise + 0.01 * normal(noise.shape, draws, images)


@reads(own_pass=True)
def zen(trace: Trace) -> float:
    """How far a little noise on the input moves the features, with the scale that batch norm took out.

        score = log D + sum over batch norms of log sqrt(mean over channels of running_var)
        D = mean over images of sum |features(e) - features(e + 0.01 e')|,   e, e' ~ N(0, 1)

    with convolution and linear weights drawn from N(0, 1), biases 0, gamma 1, beta 0. running_var is read
    after both train-mode passes. It is a moving average that started at 1 (with PyTorch's momentum 0.81 +
    0.09 v1 + 0.1 v2, v1 and v2 the batch variances), not the batch variance of the paper.

    Args:
        trace: reads `net`, the shape of the images, and `seed`. From the seed e, e' and the weights are drawn
            in this order, so that one seed's noise is the same for all networks.

    Returns:
        Natural logarithm. Shortcuts are kept, where the search of Zen-NAS scores networks without them.

    Raises:
        ProxyError: the network has no weights or no known features, a batch norm keeps no running variance,
            or D is 0.

    Source: Lin et al., ICCV 2021, arXiv:2102.01063, as in idstcv/ZenNAS, whose networks set batch norm's eps
        to 1e-3. Here eps and momentum are the network's own.
    """
    return _zen(trace, shortcuts=True)


@reads(own_pass=True)
def zen_no_shortcut(trace: Trace) -> float:
    """zen of the network without its shortcuts and their projections.

        score = as zen, each sum of two equally shaped feature maps replaced by the one with more convolutions
                behind it

    Args:
        trace: as zen.

    Returns, source: as zen; this is what the search of Zen-NAS scores.

    Raises:
        ProxyError: as zen, or two maps with equally many convolutions are added, so that neither is the
            shortcut.
    """
    return _zen(trace, shortcuts=False)


@reads(own_pass=True)
def zen_own(trace: Trace) -> float:
    """zen of the network with the weights that it has.

        score = as zen, over as many pairs of noise as there are images

    Args:
        trace: as zen; the noise is that of `phi` for the same seed.

    Returns, raises: as zen.

    Source: Jing et al., arXiv:2507.08841, whose code sums over the images, which adds log B.
    """
    noise, near = _noise_like(trace.images, len(trace.images), generator(trace.seed))
    return _zen_of(trace.net, noise, near)


def _zen(trace: Trace, shortcuts: bool) -> float:
    draws = generator(trace.seed)
    noise, near = _noise_like(trace.images, PROXIES["zen"].noise_images, draws)
    draw_gaussian_weights(trace.net, draws)
    return _zen_of(trace.net, noise, near, shortcuts)


def _zen_of(net: nn.Module, noise: Tensor, near: Tensor, shortcuts: bool = True) -> float:
    norms = _fresh_norms(net)
    net.train()
    with torch.no_grad():
        if shortcuts:
            _, change = _features_and_change(net, noise, near)
        else:
            with _NoShortcuts(norms) as path:
                features, change = _features_and_change(net, noise, near)
            norms = path.norms_behind(features)
    moved = wide(change).abs().sum(dtype=torch.float64).item() / len(noise)
    if moved == 0:
        raise ProxyError("zen: noise on the input does not move the features of this network")
    scales = [norm.running_var.mean(dtype=torch.float64).log().item() for norm in norms]
    return math.log(moved) + sum(scales) / 2


def _fresh_norms(net: nn.Module) -> list[Any]:
    """Every batch norm, its running statistics as at the start."""
    if any(is_frozen_norm(module) for module in net.modules()):
        raise ProxyError("zen reads the variances that batch norms measure, and a frozen one measures none")
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        if norm.running_var is None:
            raise ProxyError(
                "zen reads batch norm's running variance, and a layer of this network keeps none"
            )
        norm.reset_running_stats()
    return norms


def _features_and_change(net: nn.Module, noise: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    features = features_of(net, noise)
    return features, wide(features) - wide(features_of(net, near))


_SUMS = {torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__iadd__, Tensor.__radd__}
_LAYERS = {torch.conv2d, F.conv2d, F.linear}

# How many convolutions and which batch norms lie behind a tensor.
_Behind = tuple[int, frozenset[nn.Module]]
_NOTHING: _Behind = (0, frozenset())


class _NoShortcuts(TorchFunctionMode):
    """Inside, the sum of two feature maps of one shape is the one that went through more convolutions.

    Every tensor is followed with what lies behind it.
    """

    def __init__(self, norms: list[nn.Module]) -> None:
        super().__init__()
        self.norms = norms
        self.behind: Any = WeakTensorKeyDictionary()
        self.hooks = ExitStack()

    def __enter__(self) -> _NoShortcuts:
        for norm in self.norms:
            self.hooks.enter_context(norm.register_forward_hook(self._normalised))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.hooks.close()

    def norms_behind(self, tensor: Tensor) -> list[Any]:
        """The batch norms on the way to a tensor, in module order."""
        _, passed = self.behind.get(tensor, _NOTHING)
        return [norm for norm in self.norms if norm in passed]

    def _normalised(self, norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        depth, passed = self.behind.get(inputs[0], _NOTHING)
        self.behind[output] = (depth, passed | {norm})

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = tensors_in((*args, *kwargs.values()))
        behind = [self.behind.get(x, _NOTHING) for x in given]
        if func in _SUMS and _are_maps_of_one_shape(given):
            return _main_branch(given, behind)
        output = func(*args, **kwargs)
        if behind:
            depth = max(depth for depth, _ in behind) + (func in _LAYERS)
            passed = frozenset[nn.Module]().union(*(passed for _, passed in behind))
            for tensor in tensors_in((output,)):
                self.behind[tensor] = (depth, passed)
        return output


def _are_maps_of_one_shape(given: list[Tensor]) -> bool:
    return len(given) == 2 and given[0].ndim > 2 and given[0].shape == given[1].shape


def _main_branch(maps: list[Tensor], behind: list[_Behind]) -> Tensor:
    """Of two maps the one with more convolutions behind it."""
    first, second = (depth for depth, _ in behind)
    if first == second:
        raise ProxyError(
            "zen_no_shortcut: two branches with equally many convolutions are added, "
            "so neither is the shortcut"
        )
    return maps[0] if first > second else maps[1]


@reads(own_pass=True)
def phi(trace: Trace) -> float:
    """How far a little noise on the input moves the features, without batch norm.

        score = sum over images and features of |features(e + 0.01 e') - features(e)|
        e, e' ~ N(0, 1), as many as the images given

    with the network's own weights.

    Args:
        trace: reads `net`, the shape of the images and `seed`.

    Returns:
        A number >= 0, proportional to the number of images; explodes or vanishes with depth.

    Raises:
        ProxyError: the network has no known features, or takes tokens.

    Source: Lin et al., ICCV 2021, arXiv:2102.01063 (Phi-score), as in Jing et al., arXiv:2507.08841: neither
        logarithm nor mean.
    """
    noise, near = _noise_like(trace.images, len(trace.images), generator(trace.seed))
    trace.net.eval()  # so that dropout is off; there is no batch norm inside
    with torch.no_grad(), without_batch_norm(trace.net):
        _, change = _features_and_change(trace.net, noise, near)
    return change.abs().sum(dtype=torch.float64).item()


@reads(own_pass=True)
def phi_bn(trace: Trace) -> float:
    """phi of the network with its batch norms, in train mode.

        score = as phi, each batch norm by the statistics of the noise it is given

    Args:
        trace: as phi; the noise is the same for the same seed.

    Returns, raises: as phi. Batch norm holds the features' size, so that depth does not blow it up.

    Source: Jing et al., arXiv:2507.08841, whose Phi in table 2 it is.
    """
    noise, near = _noise_like(trace.images, len(trace.images), generator(trace.seed))
    trace.net.train()
    with torch.no_grad():
        _, change = _features_and_change(trace.net, noise, near)
    return change.abs().sum(dtype=torch.float64).item()


@reads(own_pass=True)
def barlow_twins(trace: Trace) -> float:
    """How alike, and how free of repetition, the features of two noisy copies of the images are.

    It is the loss of Barlow Twins, negated:

        score = -(sum_d (c_dd - 1)^2 + 0.005 sum_{d != e} c_de^2),   c = z'^T z'' / B
        z', z'' the features of images + 0.01 N(0, 1), flattened and standardised over the batch (eps 1e-5)

    c is D x D; sum_de c_de^2 is taken as sum (z' z'^T) * (z'' z''^T) / B^2 of B x B products.

    Args:
        trace: reads `net`, `images` and `seed`; two train-mode passes.

    Returns:
        A number <= 0.

    Raises:
        ProxyError: the network has no known features, or takes tokens.

    Source: Zbontar et al., ICML 2021, arXiv:2103.03230; as a proxy Jing et al., arXiv:2507.08841.
    """
    images, draws = trace.images, generator(trace.seed)
    if not images.is_floating_point():
        raise ProxyError("barlow_twins adds noise to images; tokens take none")
    trace.net.train()
    with torch.no_grad():
        one_BD = _standardised_features(trace.net, images, draws)
        two_BD = _standardised_features(trace.net, images, draws)
        with exactly(images.device.type):
            diagonal_D = (one_BD * two_BD).mean(0).double()
            both_BB = (one_BD @ one_BD.T).double() * (two_BD @ two_BD.T).double()
        everything = both_BB.sum() / len(images) ** 2
    own = diagonal_D.square().sum()
    return -((diagonal_D - 1).square().sum() + 0.005 * (everything - own)).item()


def _standardised_features(net: nn.Module, images: Tensor, draws: torch.Generator) -> Tensor:
    noisy = images + 0.01 * normal(images.shape, draws, images)
    features = features_of(net, noisy)
    if len(features) != len(images):
        raise ProxyError(f"barlow_twins: features of shape {tuple(features.shape)} of {len(images)} images")
    z_BD = wide(features).flatten(1)
    variance_D, mean_D = torch.var_mean(z_BD, 0, correction=0)
    return (z_BD - mean_D) * (variance_D + 1e-5).rsqrt()


@reads(own_pass=True)
def bndlent(trace: Trace) -> float:
    """Whether blocks map images of different classes so near that float32 cannot tell their updates apart.

        score = -mean over blocks of sum over bundles of (images in it / B) * entropy
        bundle: images with equal q in every component,   q = w - a 1e-3 / B in float32
        a the block's output, w = largest |parameter|
        entropy = -sum over classes of p log(p + 1e-5)

    in eval mode. p are the class shares among all B images, with those outside the bundle counted as class 0.
    This is a fault of the published code that is kept, because published scores contain it. Where no two
    images share a bundle, the score depends on the labels alone.

    Args:
        trace: reads `net`, `images`, `labels`, `blocks`.

    Returns:
        A number of either sign near 0.

    Raises:
        ProxyError: no block gave a tensor for each image.

    Source: Peer et al. 2021, arXiv:2011.02956 (bundle entropy); as a proxy Jing et al., arXiv:2507.08841.
    """
    net, labels, num_images = trace.net, trace.labels, len(trace.images)
    sizes = [parameter.abs().max() for parameter in net.parameters() if parameter.numel()]
    if not sizes:
        raise ProxyError("bndlent reads the largest parameter, and this network has none")
    if labels.min() < 0:
        raise UsageError(f"labels: {labels.min().item()}; a class is 0 or more")
    largest = max(sizes)
    scores: list[float] = []

    def read(output: Tensor, layout: Layout) -> None:
        if layout.axis is not None:
            a_BD = wide(images_first(output.detach(), layout, num_images)).flatten(1)
            scores.append(_bundle_entropy((wide(largest) - a_BD * (1e-3 / num_images)).float(), labels))

    blocks = set(trace.blocks)  # one that is there twice runs twice
    chosen = [number for number, module in enumerate(net.modules()) if module in blocks]
    _read_outputs(trace, chosen, False, scores, read)
    if not scores:
        raise ProxyError(
            "bndlent reads the outputs of blocks, and no block of this network gave a tensor for each image"
        )
    return -sum(scores) / len(scores)


def _bundle_entropy(q_BD: Tensor, labels: Tensor) -> float:
    num_images = len(q_BD)
    if q_BD.isnan().any():
        return math.nan
    # Rows whose first component and sum are unlike are unlike; the others are compared in full.
    first = torch.stack([q_BD[:, 0].double(), q_BD.sum(1, dtype=torch.float64)])
    if torch.unique(first, dim=1).shape[1] == num_images:
        bundle_B = torch.arange(num_images, device=q_BD.device)
    else:
        bundle_B = torch.unique(q_BD, dim=0, return_inverse=True)[1]
    total = 0.0
    for bundle in bundle_B.unique():
        member_B = bundle_B == bundle
        share_C = torch.bincount(labels * member_B).double() / num_images
        total -= member_B.sum().item() / num_images * (share_C * (share_C + 1e-5).log()).sum().item()
    return total


@reads(own_pass=True)
def meco(trace: Trace) -> float:
    """How independent the channels of the feature maps of one image are.

        score = sum over modules of the smallest eigenvalue of R
        R = Pearson correlation (C, C) of the channels of the module's output for the first image

    over every module that ran, containers and the network too, in train mode. A constant channel correlates
    with none (0, also with itself).

    Args:
        trace: reads `net`, `images`: all pass through the network, the first is read. The standard protocol
            gives one.

    Returns:
        A number >= 0. It depends on how the network is nested.

    Raises:
        ProxyError: a batch norm sees a single value per channel.

    Source: Jiang et al., NeurIPS 2023, as in HamsterMimi/MeCo. Where there are no fewer channels than pixels,
        or one is constant, the smallest eigenvalue is 0 (its code leaves rounding of 1e-7).
    """
    return _meco(trace, leaves_only=False)


@reads(own_pass=True)
def meco_leaf_modules(trace: Trace) -> float:
    """meco over modules without children only.

        score = as meco, but a module that has children is not counted

    Args:
        trace: as meco.

    Returns, raises, source: as meco, whose code counts containers too.
    """
    return _meco(trace, leaves_only=True)


def _meco(trace: Trace, leaves_only: bool) -> float:
    values: list[float] = []
    # Containers pass on their last child's output, changed in place or not.
    last_output, last_version, last_value = torch.empty(0), 0, 0.0

    def read(output: Tensor, layout: Layout) -> None:
        nonlocal last_output, last_version, last_value
        if output is not last_output or output._version != last_version:
            last_output, last_version = output, output._version
            last_value = _smallest_eigenvalue(_of_first_image(output, layout, len(trace.images)))
        values.append(last_value)

    chosen = []
    for number, module in enumerate(trace.net.modules()):
        is_leaf = not any(True for _ in module.children())
        if is_leaf or not leaves_only:
            chosen.append(number)
    _read_outputs(trace, chosen, True, values, read)
    if not values:
        raise ProxyError("meco reads the outputs of modules, and none of this network gave numbers")
    return sum(values)


def _of_first_image(output: Tensor, layout: Layout, num_images: int) -> Tensor:
    """The first image's part, channels (or tokens) first; all of what does not depend on the images."""
    if layout.axis is None:
        return output[0]
    own = images_first(output, layout, num_images)[0]
    if layout.rows == 1 or own.ndim < 3:
        return own
    if own.ndim == 4:  # patches of maps
        return own.transpose(0, 1)
    return own.flatten(0, 1)


def _read_outputs(
    trace: Trace,
    chosen: Sequence[int],
    is_train: bool,
    values: list[float],
    read: Callable[[Tensor, Layout], None],
) -> None:
    """Let `read` see the outputs of some modules in one pass, with where the images lie in them.

    Args:
        trace: its network is lent to this pass.
        chosen: numbers of the modules among all of them.
        values: what `read` fills; it is emptied where a second pass is needed.
    """

    @contextmanager
    def listen(net: nn.Module, tell: Callable[[Tensor], None]) -> Iterator[None]:
        watch = Watch(net)

        def hear(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.is_floating_point() and output.ndim > 0:
                watch.unheard(tell, output)

        modules = list(net.modules())
        with ExitStack() as hooks:
            hooks.callback(watch.close)
            hooks.enter_context(watch)  # its hooks first, which mark what the others read
            for number in chosen:
                hooks.enter_context(modules[number].register_forward_hook(hear))
            yield

    def run(net: nn.Module, axes: Axes) -> None:
        net.train(is_train)
        with torch.no_grad(), listen(net, lambda output: read(output, axes.next(output))):
            net(marked_images(trace.images))

    try:
        run(trace.net, Axes(len(trace.images)))
    except UnsureError:
        if trace.lend is None:
            raise ProxyError("which axis is the images cannot be told without a second network") from None
        layouts = layouts_of(trace.lend, trace.images, listen)
        values.clear()
        with trace.lend() as net:
            run(net, Axes(len(trace.images), layouts))


def _smallest_eigenvalue(output: Tensor) -> float:
    """Of the correlation between the rows (channels) of one image's output.

    A token's row holds its features, as in the code.
    """
    x_CP = output.flatten(1) if output.ndim > 1 else output[:, None]
    if not output.isfinite().all():
        return math.nan
    if len(x_CP) >= x_CP.shape[1]:
        return 0.0  # rank at most pixels - 1
    x_CP = x_CP.double()
    x_CP = x_CP - x_CP.mean(1, keepdim=True)
    norm_C = torch.linalg.vector_norm(x_CP, dim=1)
    if (norm_C == 0).any():
        return 0.0
    x_CP = x_CP / norm_C[:, None]
    return torch.linalg.eigvalsh(x_CP @ x_CP.T)[0].item()


def _entropies(trace: Trace, name: str) -> list[float]:
    """Entropy of the normalised eigenvalues of each block's channel covariance.

    -inf, as in the authors' code, where the output is constant.
    """
    if not trace.block_cov:
        raise ProxyError(
            f"{name} reads the feature maps that blocks give, and no block of this network gave one"
        )
    entropies = []
    for cov_CC in trace.block_cov:
        if not cov_CC.isfinite().all():
            return [math.nan]
        # Rounding leaves -1e-8 where a norm makes channels dependent.
        values = torch.linalg.eigvalsh(cov_CC).clamp(min=0)
        total = values.sum()
        if total > 0:
            share = values / total
            entropies.append(-(share * (share + 1e-8).log()).sum().item())
        else:
            entropies.append(-math.inf)
    return entropies


@reads("block_cov")
def az_expressivity(trace: Trace) -> float:
    """How evenly the blocks' features spread over their channels.

        score = sum over blocks l of H_l,   H_l = -sum p log(p + 1e-8)
        p the normalised eigenvalues of the (C, C) covariance of the block's output over images and positions

    Args:
        trace: reads `block_cov`.

    Returns:
        Nats; -inf where a block's output is constant.

    Raises:
        ProxyError: no block gives a feature map.

    Source: Lee and Ham, CVPR 2024, arXiv:2403.19232 (AZ-NAS).
    """
    return sum(_entropies(trace, "az_expressivity"))


@reads("block_cov")
def az_progressivity(trace: Trace) -> float:
    """How much the spread of the features grows at least from one block to the next.

        score = min over blocks l of H_{l+1} - H_l,   H as in az_expressivity

    Args:
        trace: reads `block_cov`.

    Returns:
        Nats, of either sign; -inf where a block's output is constant.

    Raises:
        ProxyError: as az_expressivity, or there is one block only.

    Source: as az_expressivity.
    """
    entropies = _entropies(trace, "az_progressivity")
    if math.isnan(entropies[0]):
        return math.nan
    if len(entropies) < 2:
        raise ProxyError(
            "az_progressivity compares blocks, and this network has one that gives a feature map"
        )
    if -math.inf in entropies:
        return -math.inf
    return min(after - before for before, after in itertools.pairwise(entropies))


@reads("block_gains")
def az_trainability(trace: Trace) -> float:
    """How far the blocks keep the size of what is pulled back through them.

        score = mean over blocks of -s - 1 / (s + 1e-6) + 2
        s = largest singular value of the mean over positions of g_in g_out^T
        g_out random signs, g_in what they become pulled back

    Args:
        trace: reads `block_gains`.

    Returns:
        About 0 at best; -inf where a block passes the gradient on unchanged.

    Raises:
        ProxyError: fewer than two blocks give feature maps, or one does not depend on the one before.

    Source: as az_expressivity; where the size changes, g_in is pixel-unshuffled.
    """
    if not trace.block_gains:
        raise ProxyError(
            "az_trainability pulls back from block to block, "
            "and fewer than two blocks of this network give feature maps"
        )
    terms = []
    for s in trace.block_gains:
        terms.append(-math.inf if s is None else -s - 1 / (s + 1e-6) + 2)
    return sum(terms) / len(terms)
