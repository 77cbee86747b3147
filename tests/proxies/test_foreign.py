"""nbzero.proxies on networks that people have: what they keep, what they refuse, how they are wrapped."""

import copy
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from nbzero.proxies.score import COMPUTE, score
from nbzero.proxies.trace import READS
from tests.proxies.nets import TinyNet, pooled, reason, state


class Folding(TinyNet):
    """Makes an attribute in eval mode, and drops it in train mode."""

    def train(self, mode=True):
        super().train(mode)
        if mode:
            vars(self).pop("folded", None)
        else:
            self.folded = self.classifier.weight.detach() * 1
        return self

    def forward(self, x):
        weight = self.classifier.weight if self.training else self.folded
        return F.linear(self.features(x).mean((2, 3)), weight)


class Keeping(TinyNet):
    """Keeps a table of its first call's dtype, and a state from call to call."""

    table, state = None, None

    def forward(self, x):
        if self.table is None:
            self.table = torch.ones(6, 6, dtype=x.dtype)
            self.seen = []
        x = self.features(x) * self.table
        self.seen.append(x)
        self.state = x if self.state is None or len(self.state) != len(x) else self.state.detach() + x
        return self.classifier(self.state.mean((2, 3)))


class Bound(TinyNet):
    """Has a function that leads back to it, so that no copy can be made."""

    def __init__(self, **options):
        super().__init__(**options)
        self.again = lambda x: self.features(x)

    def forward(self, x):
        self.seen = x
        return self.classifier(self.again(x).mean((2, 3)))


@pytest.mark.parametrize("make", [Folding, Keeping, Bound])
def test_what_networks_keep_is_left_as_found(make, batch):
    net = make().eval()
    net(batch[0])
    before, out = state(net), net(batch[0])
    kept = {name: id(value) for name, value in vars(net).items()}
    length = len(getattr(net, "seen", ""))
    alone = {name: score(net, *batch, (name,))[name] for name in ("snip", "synflow", "zen")}
    together = score(net, *batch, ("snip", "naswot", "meco", "synflow", "zen"))
    assert {name: together[name] for name in alone} == alone
    assert state(net) == before and {name: id(value) for name, value in vars(net).items()} == kept
    assert len(getattr(net, "seen", "")) == length
    if make is not Keeping:
        assert torch.equal(net(batch[0]), out)


def test_a_network_without_a_copy_has_the_same_scores(batch):
    assert score(Bound(), *batch) == score(TinyNet(), *batch)


def test_a_network_made_in_inference_mode(batch):
    with torch.inference_mode():
        net = TinyNet().eval()
    before = [(p.dtype, p.tolist(), p.requires_grad) for p in net.parameters()]
    assert score(net, *batch) == score(TinyNet(), *batch)
    assert [(p.dtype, p.tolist(), p.requires_grad) for p in net.parameters()] == before


class Checkpointed(TinyNet):
    def __init__(self, how=None):
        super().__init__()
        self.how = how

    def features(self, x):
        run = super().features
        return run(x) if self.how is None else checkpoint(run, x, use_reentrant=self.how)


@pytest.mark.parametrize("how", [False, True])
def test_checkpointing_changes_nothing(how, batch):
    home = torch.utils.checkpoint
    before = home.CheckpointFunction, home._checkpoint_without_reentrant_generator
    assert score(Checkpointed(how), *batch) == score(Checkpointed(), *batch)
    assert (home.CheckpointFunction, home._checkpoint_without_reentrant_generator) == before


class Again(torch.autograd.Function):
    """Runs a part without a graph, and once more in the backward pass."""

    @staticmethod
    def forward(ctx, run, x):
        ctx.run = run
        ctx.save_for_backward(x)
        with torch.no_grad():
            return run(x)

    @staticmethod
    def backward(ctx, grad):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(ctx.run(x), grad)
        return None, x.grad


class Recomputing(TinyNet):
    def features(self, x):
        x = self.blocks[0](x)
        return Again.apply(lambda x: self.last(self.blocks[1](x) + x), x)


def test_what_the_network_itself_computes_again_counts_once_or_has_a_reason(batch):
    right, scores = score(TinyNet(), *batch), score(Recomputing(), *batch)
    unknown = {
        name for name, fields in READS.items() if fields & {"curvature", "channel_saliency", "grad_corr"}
    }
    assert {name for name, value in scores.items() if value is None} == unknown | {"az_trainability"}
    assert all("in a function of its own" in scores.reasons[name] for name in unknown)
    known = {name: value for name, value in right.items() if scores[name] is not None}
    assert {name: scores[name] for name in known} == pytest.approx(known, rel=1e-5)


def test_compiled_networks_are_scored_as_they_were_written(batch):
    net = TinyNet()
    right = score(net, *batch)
    compiled = torch.compile(copy.deepcopy(net), backend="eager")
    assert score(compiled, *batch) == right
    compiled(batch[0])
    assert score(compiled, *batch) == right
    within = copy.deepcopy(net)
    within.blocks[1] = torch.compile(within.blocks[1], backend="eager")
    within.last.compile(backend="eager")
    assert score(within, *batch) == right


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_traced_network_is_refused_but_for_its_parameters(batch):
    traced = torch.jit.trace(TinyNet().eval(), batch[0])
    scores = score(traced, *batch, ("params", "macs", "naswot", "pnorm"))
    assert scores["params"] == score(TinyNet(), *batch, ("params",))["params"]
    assert [scores[name] for name in ("macs", "naswot", "pnorm")] == [None] * 3
    assert "TorchScript" in scores.reasons["macs"]


class NormAct(nn.BatchNorm2d):
    def __init__(self, width, act):
        super().__init__(width)
        self.act = act()

    def forward(self, x):
        return self.act(super().forward(x))


class Frozen(nn.Module):
    def __init__(self, norm):
        super().__init__()
        for name, value in {**norm.state_dict(), "eps": torch.tensor(norm.eps)}.items():
            self.register_buffer(name, value)

    def forward(self, x):
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return x * scale[:, None, None] + (self.bias - self.running_mean * scale)[:, None, None]


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, nn.SiLU])
def test_a_norm_with_an_activation_keeps_the_activation(act, batch):
    scores = []
    for fused in (False, True):
        torch.manual_seed(0)
        norm = [NormAct(5, act)] if fused else [nn.BatchNorm2d(5), act()]
        net = pooled(nn.Conv2d(3, 5, 3), *norm, nn.Conv2d(5, 5, 1))
        scores.append(score(net, *batch, ("synflow", "phi", "zen", "naswot", "grasp")))
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_a_frozen_norm_is_taken_out_too_and_has_no_zen(batch):
    conv, norm, last = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 5, 1)
    norm.running_var.fill_(4)
    right, got = (
        score(pooled(conv, one, last), *batch, ("synflow", "phi", "zen")) for one in (norm, Frozen(norm))
    )
    assert {**got, "zen": right["zen"]} == pytest.approx(right, rel=1e-5)
    assert "a frozen one measures none" in got.reasons["zen"]


class Gated(TinyNet):
    def features(self, x):
        x = super().features(x)
        return x * F.hardsigmoid(x.mean((2, 3), keepdim=True))


class Filtered(TinyNet):
    def __init__(self):
        super().__init__()
        self.filter = torch.ones(6, 1, 2, 2) / 4

    def features(self, x):
        return F.conv2d(super().features(x), self.filter, groups=6)


class Cut(TinyNet):
    def features(self, x):
        with torch.no_grad():
            return super().features(x)


class Listed(TinyNet):
    features = ()

    def forward(self, x):
        return self.classifier(TinyNet.features(self, x).mean((2, 3)))


class ReadOnly(nn.ReLU):
    inplace = property(lambda _: True, lambda *_: None)


@pytest.mark.parametrize(
    ("make", "without"),
    [(Gated, {"grasp"}), (Filtered, {"synflow"}), (Listed, set()), (lambda: TinyNet(relu=ReadOnly), set())],
)
def test_one_proxys_failure_is_its_own_reason(make, without, batch):
    scores = score(make(), *batch)
    assert {name for name, value in scores.items() if value is None} == without
    assert all("does not allow it: RuntimeError" in scores.reasons[name] for name in without)


def test_weights_that_the_loss_does_not_reach_count_zero_as_in_the_published_code(batch):
    net = Cut()
    loss = F.cross_entropy(net(batch[0]), batch[1])
    (grad,) = torch.autograd.grad(loss, [net.classifier.weight])
    scores = score(net, *batch)
    assert scores["snip"] == pytest.approx((net.classifier.weight * grad).abs().sum().item(), rel=1e-5)
    assert scores["fisher"] > 0 and scores.reasons["jacob_cov"]


def test_threads_have_the_scores_of_one_and_leave_the_process_as_it_was(batch):
    nets = [TinyNet(dropout=0.5) for _ in range(6)]
    asked = ("snip", "naswot", "zico")
    right = [dict(score(net, *batch, asked)) for net in nets]
    torch.manual_seed(7)
    before = torch.get_rng_state().tolist(), random.getstate()
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda net: dict(score(net, *batch, asked)), nets))
    assert together == right
    assert (torch.get_rng_state().tolist(), random.getstate()) == before


def test_counts_stay_exact_under_autocast_and_in_bfloat16(batch):
    net = TinyNet()
    right = score(net, *batch, ("lyrdyniso", "pnorm"))
    with torch.autocast("cpu", torch.bfloat16):
        scores = score(net, *batch)
        assert {name: scores[name] for name in right} == right and not scores.reasons
        pre = []
        twin = copy.deepcopy(net)
        for layer in (twin.blocks[0][2], twin.last):
            layer.register_forward_pre_hook(lambda _, inputs: pre.append(inputs[0].detach()))
        with torch.no_grad():
            twin(batch[0])
    on = torch.cat([(value > 0).flatten(1) for value in pre], 1).double()
    exact = torch.linalg.slogdet(on @ on.T + (1 - on) @ (1 - on).T).logabsdet.item()
    assert scores["naswot"] == pytest.approx(exact, rel=1e-12)
    half = copy.deepcopy(net).bfloat16()
    halved = score(half, batch[0].bfloat16(), batch[1], ("bndlent", "snip", "acor", "lyrdyniso"))
    assert not halved.reasons and halved["lyrdyniso"] == pytest.approx(right["lyrdyniso"], rel=1e-2)


class Patches(nn.Module):
    """Tokens made of maps that a norm gave, as in XCiT."""

    def __init__(self, norm):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3), norm(8, affine=True), nn.Linear(8, 5)
        self.weight_of_token = torch.linspace(1, 2, 16)[:, None]

    def forward(self, x):
        tokens = self.norm(self.conv(x)).flatten(2).transpose(1, 2)
        return self.fc((self.weight_of_token * tokens.tanh()).mean(1))


def by_formula(norm, x, axes):
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    y = (x - mean) / (var + norm.eps).sqrt()
    return y * norm.weight[:, None, None] + norm.bias[:, None, None]


@pytest.mark.parametrize(("norm", "axes"), [(nn.BatchNorm2d, (0, 2, 3)), (nn.InstanceNorm2d, (2, 3))])
def test_gradients_of_one_image_are_right_where_tokens_are_made_of_a_norms_maps(norm, axes, batch):
    torch.manual_seed(0)
    net = Patches(norm)
    with torch.no_grad():
        for parameter in net.norm.parameters():
            parameter.normal_()
    image, label = batch[0][:1], batch[1][:1]
    tokens = by_formula(net.norm, net.conv(image), axes).flatten(2).transpose(1, 2).tanh()
    loss = F.cross_entropy(net.fc((net.weight_of_token * tokens).mean(1)), label)
    weights = [net.conv.weight, net.fc.weight]
    grads = torch.autograd.grad(loss, weights)
    scores = score(net, image, label, ("snip", "gradsign"))
    snip = sum((w * g).abs().sum().item() for w, g in zip(weights, grads, strict=True))
    assert scores["snip"] == pytest.approx(snip, rel=1e-4)
    assert scores["gradsign"] == sum(grad.sign().abs().sum().item() for grad in grads)


class Choosing(nn.Module):
    """Takes the larger of two values; of 1e20 each, they are alike but for rounding."""

    def __init__(self, size):
        super().__init__()
        self.size, self.fc, self.head = size, nn.Linear(108, 2), nn.Linear(2, 5)
        with torch.no_grad():
            self.fc.weight[1] = self.fc.weight[0].flip(0)
            self.fc.bias.fill_(0)

    def forward(self, x):
        return self.head((self.size * self.fc(x.flatten(1))).softmax(1))


def test_synflow_of_rounding_alone_has_a_reason(batch):
    assert "rounding alone" in reason(Choosing(1e20), batch, "synflow")
    assert score(Choosing(1.0), *batch, ("synflow",))["synflow"] > 0


def test_blocks_that_are_layers_have_the_scores_that_they_have_without_grasp(batch):
    net, names = TinyNet(), ("az_expressivity", "az_progressivity", "az_trainability")
    blocks = [net.blocks[0][0], net.blocks[0][1], net.blocks[1]]
    alone = score(net, *batch, names, blocks=blocks)
    together = score(net, *batch, ("grasp", *names), blocks=blocks)
    assert not alone.reasons and {name: together[name] for name in names} == pytest.approx(alone, rel=1e-5)


class Freezing(TinyNet):
    """Its first block has weights without gradients, and makes them so again whenever its mode is set."""

    def train(self, mode=True):
        super().train(mode)
        self.blocks[0].requires_grad_(False)
        return self


def test_frozen_weights_count_as_those_that_learn(batch):
    assert score(Freezing(), *batch) == score(TinyNet(), *batch)


@pytest.mark.parametrize("is_default", [True, False])
def test_float64_networks_have_the_scores_of_float32_with_more_digits(is_default, batch):
    # bndlent is of float32 itself, zico has a heavy tail, gradsign has signs of zeros but for rounding.
    names = [name for name in COMPUTE if name not in ("bndlent", "zico", "gradsign")]
    single, (images, labels) = TinyNet(), batch
    right = score(single, *batch, names)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64 if is_default else before)
        scores = score(copy.deepcopy(single).double(), images.double(), labels, names)
        again = score(single, *batch, names)
    finally:
        torch.set_default_dtype(before)
    assert again == right
    assert not scores.reasons and scores == pytest.approx(right, rel=1e-3)
    counts = ("params", "macs", "depth", "linear_regions", "swap")
    assert all(scores[name] == right[name] for name in counts)
