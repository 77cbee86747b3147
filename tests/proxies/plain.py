"""Slow, plain versions of every proxy, for networks of any library. No test itself.

They share no code with nbzero. Everything is float64, a pass for each proxy. Where activations run, and what
enters them, is heard by the functions that are called, never by modules. Which numbers belong to which image
is found by changing one image after the other.
"""

import copy
import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


class Undefined(Exception):
    """There is no score; the message is what the reason must say."""


OUT_OF_PLACE = {
    "relu_": torch.relu,
    "silu_": F.silu,
    "gelu_": F.gelu,
    "add_": torch.add,
    "__iadd__": torch.add,
    "mul_": torch.mul,
    "__imul__": torch.mul,
    "hardtanh_": F.hardtanh,
    "leaky_relu_": F.leaky_relu,
}
UNITS = {"relu", "relu6", "gelu", "silu", "leaky_relu", "prelu"}


class Listening(TorchFunctionMode):
    """Runs everything out of place, and hears what enters each activation, with the block that holds it."""

    def __init__(self, blocks=()):
        super().__init__()
        self.units, self.running, self.blocks = [], [], list(blocks)
        self.gate = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in OUT_OF_PLACE:
            func = OUT_OF_PLACE[name]
            name = func.__name__
        if kwargs.get("inplace"):
            kwargs["inplace"] = False
        if func in {F.relu, F.relu6, F.silu, F.leaky_relu, F.hardtanh, F.hardswish, F.hardsigmoid}:
            args = [False if value is True else value for value in args]  # in place, by position
        bounds = [*args[1:3], *(kwargs[key] for key in ("min_val", "max_val", "min", "max") if key in kwargs)]
        is_relu6 = name in ("hardtanh", "clamp") and bounds in ([0, 6], [0])
        if name in UNITS or is_relu6:
            self.hear(args[0])
        if name in ("mul", "__mul__") and self.gate:  # x * sigmoid(x), written out
            ids = {id(value) for value in args}
            if ids == {id(value) for value in self.gate}:
                self.hear(self.gate[1])
        output = func(*args, **kwargs)
        if name == "sigmoid":
            self.gate = output, args[0]
        return output

    def begin(self, module, _):
        self.running.append(module)

    def end(self, *_):
        self.running.pop()

    def hear(self, value):
        for module in reversed(self.running):
            holding = [i for i, block in enumerate(self.blocks) if module in list(block.modules())]
            if holding:
                self.units.append((value, holding[-1]))
                return
        self.units.append((value, None))


def tensors_in(value):
    """The tensors of nested lists, tuples and dicts."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]


class LongWay(Listening):
    """A sum of two maps of one shape is the one that has the longer chain of convolutions behind it."""

    def __init__(self, norms):
        super().__init__()
        self.chains = {}  # id of a tensor: it, the length of its chain, the batch norms behind it
        for norm in norms:
            norm.register_forward_hook(self.passed)

    def behind(self, tensors):
        found = [self.chains[id(tensor)] for tensor in tensors if id(tensor) in self.chains]
        return max([length for _, length, _ in found], default=0), set().union(*(n for _, _, n in found))

    def passed(self, norm, inputs, output):
        length, norms = self.behind(inputs)
        self.chains[id(output)] = output, length, norms | {norm}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given = tensors_in([args, kwargs or {}])
        name = getattr(func, "__name__", "").strip("_")
        if name in ("add", "iadd", "radd") and [value.ndim > 2 for value in given] == [True, True]:
            one, other = given
            if one.shape == other.shape:
                lengths = [self.behind([value])[0] for value in given]
                if lengths[0] == lengths[1]:
                    raise Undefined("equally many convolutions")
                return one if lengths[0] > lengths[1] else other
        output = super().__torch_function__(func, types, args, kwargs)
        if given:
            length, norms = self.behind(given)
            for value in tensors_in(output):
                self.chains[id(value)] = value, length + (name in ("conv2d", "linear")), norms
        return output


class PlainNorms(TorchFunctionMode):
    """Batch norm by its formula: torch's own backward pass of one image is not always right."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.batch_norm:
            return func(*args, **(kwargs or {}))
        names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = {
            "training": False,
            "momentum": 0.1,
            "eps": 1e-5,
            **dict(zip(names, args, strict=False)),
            **kwargs,
        }
        x = given["input"].movedim(1, -1)
        mean, var = given["running_mean"], given["running_var"]
        if given["training"]:
            count = x.numel() // x.shape[-1]
            if count == 1:
                raise ValueError("a batch norm sees one value")
            rows = x.reshape(count, -1)
            batch_mean, batch_var = rows.mean(0), rows.var(0, correction=0)
            if mean is not None:
                with torch.no_grad():
                    mean.lerp_(batch_mean, given["momentum"])
                    var.lerp_(batch_var * count / (count - 1), given["momentum"])
            mean, var = batch_mean, batch_var
        y = (x - mean) / (var + given["eps"]).sqrt()
        if given.get("weight") is not None:
            y = y * given["weight"] + given["bias"]
        return y.movedim(-1, 1)


def with_plain_norm(norm):
    forward = norm.forward

    def run(x):
        with PlainNorms():
            return forward(x)

    norm.forward = run


class Heard:
    """One forward pass: what every module gave, what entered each activation, and the logits."""

    def __init__(self, net, images, blocks=(), train=True):
        self.net = net.train(train)
        self.outputs = []  # (module, output) in the order in which they end
        mode = Listening(blocks)
        handles = []
        for module in net.modules():
            handles.append(module.register_forward_hook(self.ended))
            handles.append(module.register_forward_pre_hook(mode.begin))
            handles.append(module.register_forward_hook(mode.end))
        with mode, sdpa_kernel(SDPBackend.MATH):
            self.logits = net(images.clone())
        self.units = mode.units
        for handle in handles:
            handle.remove()

    def ended(self, module, _, output):
        if isinstance(output, torch.Tensor) and output.is_floating_point() and output.ndim:
            self.outputs.append((module, output))

    def of(self, modules):
        chosen = set(modules)
        return [(module, output) for module, output in self.outputs if module in chosen]


class Owners:
    """Which numbers of a tensor belong to which image."""

    def __init__(self, plain):
        base, others = (
            plain.images,
            torch.randn(plain.images.shape, generator=torch.Generator().manual_seed(9)),
        )
        with torch.no_grad():
            first = plain.hear(base, train=False)
            changed = []
            for n in range(len(base)):
                images = base.clone()
                images[n] = others[n]
                changed.append(plain.hear(images, train=False))
            twice = plain.hear(torch.cat([base, base]), train=False)
        self.num_images = len(base)
        self.units = [
            self.find([c.units[i][0] for c in changed], v, twice.units[i][0])
            for i, (v, _) in enumerate(first.units)
        ]
        self.outputs = [
            self.find([c.outputs[i][1] for c in changed], v, twice.outputs[i][1])
            for i, (_, v) in enumerate(first.outputs)
        ]

    def find(self, changed, value, twice):
        """(axis, for each image its places along it); None where it has no place for each image.

        What is the same whatever the images, as a class token before the first attention, may have a row for
        each image all the same: it has twice as many where there are twice as many images.
        """
        moved = torch.stack([other != value for other in changed])
        if not moved.any():
            for axis, (one, two) in enumerate(zip(value.shape, twice.shape, strict=True)):
                if two == 2 * one:
                    return axis, list(torch.arange(one).chunk(self.num_images))
            return None
        for axis in range(value.ndim):
            rest = [a for a in range(1, moved.ndim) if a != axis + 1]
            along = moved.any(dim=rest) if rest else moved
            if (along.sum(0) <= 1).all() and len(set(along.sum(1).tolist())) == 1:
                return axis, [row.nonzero().flatten() for row in along]
        raise Undefined("images")


def by_image(value, owner):
    """(images, places along the axis, the rest)."""
    axis, places = owner
    value = value.movedim(axis, 0)
    return torch.stack([value[place] for place in places])


def pearson(rows):
    rows = rows - rows.mean(1, keepdim=True)
    return (rows @ rows.T) / torch.outer(rows.norm(dim=1), rows.norm(dim=1))


def logdet(matrices):
    total = sum(matrices)
    return torch.linalg.slogdet(total).logabsdet.item()


class Plain:
    """Every proxy of one network on one batch: `Plain(..)("naswot")`."""

    def __init__(self, net, images, labels, channels_last=False, seed=0):
        self.net, self.images, self.labels, self.seed = net, images, labels, seed
        self.channels_last = channels_last
        self._owners = None

    def __call__(self, name):
        if name.startswith("wrcor") or name == "rcor":
            return self.responses(name)
        return getattr(self, name)()

    def is_rounding(self, name, right, value):
        """Whether weights changed by 1e-13 change what is right by a tenth of its difference from a value."""
        net, draws = copy.deepcopy(self.net), torch.Generator().manual_seed(0)
        with torch.no_grad():
            for w in self.weights(net):
                w *= 1 + 1e-13 * torch.randn(w.shape, generator=draws, dtype=torch.float64)
        other = Plain(net, self.images, self.labels, self.channels_last, self.seed)(name)
        return abs(other - right) > 0.1 * abs(value - right)

    # What proxies share

    def copy(self):
        twin = copy.deepcopy(self.net)
        for module in twin.modules():
            if getattr(module, "inplace", False) is True:
                module.inplace = False
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                with_plain_norm(module)
        return twin

    def blocks(self, net):
        own = getattr(net, "blocks", None)
        return list(own) if isinstance(own, (nn.ModuleList, nn.Sequential)) else list(net.children())

    def hear(self, images, train=True):
        net = self.copy()
        return Heard(net, images, self.blocks(net), train)

    @property
    def owners(self):
        if self._owners is None:
            self._owners = Owners(self)
        return self._owners

    def layers(self, net):
        return [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]

    def weights(self, net):
        return list({id(m.weight): m.weight for m in self.layers(net)}.values())

    def loss(self, net, images, labels):
        with sdpa_kernel(SDPBackend.MATH):
            return F.cross_entropy(net.train()(images.clone()), labels)

    def weight_grads(self, images=None, labels=None):
        net = self.copy()
        images = self.images if images is None else images
        loss = self.loss(net, images, self.labels if labels is None else labels)
        weights = self.weights(net)
        return weights, torch.autograd.grad(loss, weights, materialize_grads=True)

    # Counts

    def params(self):
        return sum(p.numel() for p in self.net.parameters())

    def macs(self):
        heard = self.hear(torch.zeros_like(self.images[:1]), train=False)
        return sum(out.numel() * m.weight[0].numel() for m, out in heard.of(self.layers(heard.net)))

    def depth(self):
        raise Undefined("stage_of_block")

    def sed_reconstructed(self):
        convs = [m for m in self.net.modules() if isinstance(m, nn.Conv2d)]
        if not convs:
            raise Undefined("convolutions")
        sizes = sorted({m.kernel_size[0] * m.kernel_size[1] for m in convs})
        total = 0.0
        for m in convs:
            rank = sizes.index(m.kernel_size[0] * m.kernel_size[1]) + 1
            total += rank * math.sqrt(m.in_channels * m.out_channels / (m.stride[0] * m.stride[1]))
        return math.log(total)

    # Saliency

    def grad_norm(self):
        return sum(g.norm().item() for g in self.weight_grads()[1])

    def snip(self):
        return sum((w * g).abs().sum().item() for w, g in zip(*self.weight_grads(), strict=True))

    def plain(self):
        return sum((w * g).sum().item() for w, g in zip(*self.weight_grads(), strict=True))

    def grasp(self):
        net = self.copy()
        weights = self.weights(net)
        loss = self.loss(net, self.images, self.labels)
        try:
            grads = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
            size = sum((g * g.detach()).sum() for g in grads)
            curved = torch.autograd.grad(size, weights, materialize_grads=True)
        except RuntimeError as error:
            raise Undefined(str(error)[:60]) from error
        return -sum((w * h).sum().item() for w, h in zip(weights, curved, strict=True))

    def fisher(self):
        heard = self.hear(self.images)
        chosen = set(self.layers(heard.net))
        total = 0.0
        outputs = [output for _, output in heard.outputs]
        loss = F.cross_entropy(heard.logits, self.labels)
        grads = torch.autograd.grad(loss, outputs, allow_unused=True)
        for (module, output), grad, owner in zip(heard.outputs, grads, self.owners.outputs, strict=True):
            if module not in chosen or grad is None:
                continue
            product = output * grad
            channel = output.ndim - (3 if isinstance(module, nn.Conv2d) else 1)
            if owner is None:
                product, owner = product[None], (0, [torch.tensor([0])])
                channel += 1
            axis, places = owner
            for place in places:
                part = product.index_select(axis, place).movedim(channel, -1)
                t = part.reshape(-1, part.shape[-1]).sum(0)
                total += module.weight[0].numel() * t.square().sum().item() / 2 / len(places)
        return total

    def synflow(self):
        net = self.copy().eval()
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
        self.neutral_norms(net)
        value = self.flow(net)
        with torch.no_grad():
            for w in self.weights(net):
                w *= 1 + 1e-13
        if abs(self.flow(net) - value) > 1e-3 * value:
            raise Undefined("rounding alone")
        return value

    def flow(self, net):
        weights = self.weights(net)
        with sdpa_kernel(SDPBackend.MATH):
            total = net(torch.ones_like(self.images[:1])).sum()
        grads = torch.autograd.grad(total, weights, materialize_grads=True)
        return sum((w * g).abs().sum().item() for w, g in zip(weights, grads, strict=True))

    def neutral_norms(self, net):
        """In eval mode they are the identity, and an activation that is part of them stays."""
        for norm in net.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.running_mean.zero_()
                norm.running_var.fill_(1 - norm.eps)
                nn.init.ones_(norm.weight)
                nn.init.zeros_(norm.bias)

    def pnorm(self):
        return sum(w.norm().item() for w in self.weights(self.net))

    def lyrdyniso(self):
        total = 0.0
        for w in self.weights(self.net):
            m = w.detach().flatten(1)
            total -= (m @ m.T - torch.eye(len(m))).norm().item()
        return total

    # Activations

    def on(self):
        rows = []
        for (pre, _), owner in zip(self.hear(self.images).units, self.owners.units, strict=True):
            if owner is not None:
                rows.append(by_image(pre.detach(), owner).flatten(1) > 0)
        if not rows:
            raise Undefined("none ran on the images")
        return torch.cat(rows, 1)

    def naswot(self):
        on = self.on().double()
        return logdet([on @ on.T, (1 - on) @ (1 - on).T])

    def linear_regions(self):
        return len({tuple(row) for row in self.on().tolist()})

    def swap(self):
        return len(set(map(tuple, self.on().T.tolist())))

    def features(self, net, images, mode=None):
        """What enters the pooling before the classifier."""
        found = []

        def keep(module, inputs, output):
            is_map = isinstance(output, torch.Tensor) and inputs[0].ndim == 4
            if is_map and output.flatten(1).shape[1] in inputs[0].shape[1:]:
                found.append(inputs[0])

        handles = []
        for name, module in net.named_modules():
            if name.rpartition(".")[2] in ("global_pool", "avgpool", "pool") and "se" not in name.split("."):
                handles.append(module.register_forward_hook(keep))
        with mode or Listening():
            net(images.clone())
        for handle in handles:
            handle.remove()
        if not found:
            raise Undefined("features are not known")
        return found[-1]

    def noise(self, count):
        draws = torch.Generator().manual_seed(self.seed)
        e = torch.randn(count, *self.images.shape[1:], generator=draws).double()
        return draws, e, e + 0.01 * torch.randn(e.shape, generator=draws).double()

    @torch.no_grad()
    def zen(self):
        draws, e, z = self.noise(16)
        net = self.copy().train()
        self.draw_weights(net, draws)
        return self.zen_of(net, e, z)

    @torch.no_grad()
    def zen_no_shortcut(self):
        draws, e, z = self.noise(16)
        net = self.copy().train()
        self.draw_weights(net, draws)
        return self.zen_of(net, e, z, LongWay([m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]))

    @torch.no_grad()
    def zen_own(self):
        _, e, z = self.noise(len(self.images))
        return self.zen_of(self.copy().train(), e, z)

    def draw_weights(self, net, draws):
        for w in self.weights(net):
            w.copy_(torch.randn(w.shape, generator=draws).double())
        for m in net.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)) and m.bias is not None:
                m.bias.zero_()
            if isinstance(m, nn.BatchNorm2d):
                m.weight.fill_(1)

    def zen_of(self, net, e, z, mode=None):
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        for m in norms:
            m.running_mean.zero_()
            m.running_var.fill_(1)
        of_e = self.features(net, e, mode)
        if mode:
            on_the_way = mode.behind([of_e])[1]
            norms = [m for m in norms if m in on_the_way]
        moved = (of_e - self.features(net, z, mode)).abs().sum().item() / len(e)
        return math.log(moved) + sum(math.log(math.sqrt(m.running_var.mean().item())) for m in norms)

    @torch.no_grad()
    def phi(self):
        _, e, z = self.noise(len(self.images))
        net = self.copy().eval()
        self.neutral_norms(net)
        return (self.features(net, z) - self.features(net, e)).abs().sum().item()

    @torch.no_grad()
    def phi_bn(self):
        _, e, z = self.noise(len(self.images))
        net = self.copy().train()
        return (self.features(net, z) - self.features(net, e)).abs().sum().item()

    @torch.no_grad()
    def barlow_twins(self):
        draws = torch.Generator().manual_seed(self.seed)
        net, twins = self.copy().train(), []
        for _ in range(2):
            noisy = self.images + 0.01 * torch.randn(self.images.shape, generator=draws).double()
            f = self.features(net, noisy).flatten(1)
            twins.append((f - f.mean(0)) / (f.var(0, correction=0) + 1e-5).sqrt())
        c = twins[0].T @ twins[1] / len(self.images)
        on = c.diagonal()
        return -((on - 1).square().sum() + 0.005 * (c.square().sum() - on.square().sum())).item()

    @torch.no_grad()
    def bndlent(self):
        heard = self.hear(self.images, train=False)
        blocks, scores, n = set(self.blocks(heard.net)), [], len(self.images)
        largest = max(p.abs().max().item() for p in heard.net.parameters())
        for (module, output), owner in zip(heard.outputs, self.owners.outputs, strict=True):
            if module not in blocks or owner is None:
                continue
            q = (largest - by_image(output, owner).flatten(1) * 1e-3 / n).float()
            bundles = {}
            for i, row in enumerate(q.tolist()):
                bundles.setdefault(tuple(row), []).append(i)
            entropy = 0.0
            for members in bundles.values():
                classes = [self.labels[i].item() if i in members else 0 for i in range(n)]
                shares = [classes.count(c) / n for c in set(classes)]
                entropy -= len(members) / n * sum(p * math.log(p + 1e-5) for p in shares)
            scores.append(entropy)
        return -sum(scores) / len(scores)

    def meco(self, leaves=False):
        with torch.no_grad():
            heard = self.hear(self.images)
        total = 0.0
        for (module, output), owner in zip(heard.outputs, self.owners.outputs, strict=True):
            if leaves and list(module.children()):
                continue
            own = output[:1] if owner is None else by_image(output, owner)[0]
            if len(own) == 1:
                own = own[0]
            elif own.ndim == 4:
                own = own.transpose(0, 1)
            elif own.ndim == 3:
                own = own.flatten(0, 1)
            rows = own.flatten(1) if own.ndim > 1 else own[:, None]
            if len(rows) < rows.shape[1]:
                total += torch.linalg.eigvalsh(pearson(rows).nan_to_num(0, 0, 0))[0].item()
        return total

    def meco_leaf_modules(self):
        return self.meco(leaves=True)

    # Gradients

    def input_grads(self):
        images = self.images.clone().requires_grad_()
        with sdpa_kernel(SDPBackend.MATH):
            logits = self.copy().train()(images.clone())
        return torch.autograd.grad(logits.sum(), images)[0].flatten(1)

    def jacob_cov(self):
        v = torch.linalg.eigvalsh(pearson(self.input_grads())).clamp(min=0) + 1e-5
        return -(v.log() + 1 / v).sum().item()

    def epe_nas(self):
        j, total = self.input_grads(), 0.0
        for c in self.labels.unique():
            total += abs((pearson(j[self.labels == c]).abs() + 1e-5).log().sum().item())
        return total

    def netsens(self):
        return self.input_grads().abs().mean().item()

    def dyniso(self):
        images, terms = self.images.clone().requires_grad_(), []
        with sdpa_kernel(SDPBackend.MATH):
            logits = self.copy().train()(images.clone())
        for row in logits:
            j = [torch.autograd.grad(v, images, retain_graph=True)[0].sum(0).flatten() for v in row]
            s = torch.linalg.svdvals(torch.stack(j)).log().mean().item()
            terms.append(s + math.exp(-s))
        return -sum(terms) / len(terms)

    def zico(self):
        half = (len(self.images) + 1) // 2
        one = self.weight_grads(self.images[:half], self.labels[:half])[1]
        two = self.weight_grads(self.images[half:], self.labels[half:])[1]
        total = 0.0
        for a, b in zip(one, two, strict=True):
            both = torch.stack([a, b])
            m, s = both.abs().mean(0), both.std(0, correction=0)
            ratio = (m[s > 0] / s[s > 0]).sum().item()
            total += math.log(ratio) if ratio else 0.0
        return total

    def gradsign(self):
        try:
            singles = [
                self.weight_grads(x, y)[1]
                for x, y in zip(self.images.split(1), self.labels.split(1), strict=True)
            ]
        except ValueError as error:  # a batch norm that sees one value
            raise Undefined("a batch norm sees one pixel of one image") from error
        return sum(sum(g.sign() for g in grads).abs().sum().item() for grads in zip(*singles, strict=True))

    # Kernels

    def responses(self, name="rcor"):
        if name == "wrcor_by_stage":
            raise Undefined("stage_of_block")
        heard = self.hear(self.images)
        loss = F.cross_entropy(heard.logits, self.labels)
        pres = [pre for pre, _ in heard.units]
        if not pres:
            raise Undefined("none ran on the images")
        grads = torch.autograd.grad(loss, [p for p in pres if p.requires_grad], allow_unused=True)
        grads = iter(grads)
        num_blocks = len(self.blocks(heard.net))
        factor = {
            "wrcor": lambda i: 2.0**i,
            "wrcor_linear": lambda i: i + 1.0,
            "wrcor_quad": lambda i: (i + 1.0) ** 2,
            "wrcor_expt2b": lambda i: 2.0 ** (num_blocks - 1 - i),
        }
        found = []
        for (pre, block), owner in zip(heard.units, self.owners.units, strict=True):
            grad = next(grads) if pre.requires_grad else None
            if owner is None:
                continue
            values = {"acor": [pre], "gcor": [grad]}.get(name, [pre, grad])
            for value in values:
                if value is None or (name in factor and block is None):
                    continue
                corr = pearson(by_image(value.detach(), owner).flatten(1)).abs()
                if corr.isfinite().all():
                    found.append(corr * (factor[name](block) if name in factor else 1))
        if not found:
            raise Undefined("none ran on the images")
        return logdet(found)

    def acor(self):
        return self.responses("acor")

    def gcor(self):
        return self.responses("gcor")

    def ntk(self):
        net = self.copy().train()
        weights = [p for name, p in net.named_parameters() if "weight" in name]
        with sdpa_kernel(SDPBackend.MATH):
            sums = net(self.images.clone()).sum(1)
        rows = []
        for value in sums:
            g = torch.autograd.grad(value, weights, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([part.flatten() for part in g]))
        rows = torch.stack(rows)
        v = torch.linalg.eigvalsh(rows @ rows.T)
        return (v[-1] / v[0]).item()

    # Blocks

    def maps(self):
        heard = self.hear(self.images.clone().requires_grad_())
        return [output for _, output in heard.of(self.blocks(heard.net)) if output.ndim in (3, 4)]

    def positions(self, value):
        """(positions, channels)."""
        if value.ndim == 4 and not self.channels_last:
            value = value.movedim(1, -1)
        return value.reshape(-1, value.shape[-1])

    def entropies(self):
        found = []
        for output in self.maps():
            x = self.positions(output.detach())
            x = x - x.mean(0)
            v = torch.linalg.eigvalsh(x.T @ x / len(x)).clamp(min=0)
            p = v / v.sum()
            found.append(-(p * (p + 1e-8).log()).sum().item())
        if not found:
            raise Undefined("feature maps")
        return found

    def az_expressivity(self):
        return sum(self.entropies())

    def az_progressivity(self):
        h = self.entropies()
        if len(h) < 2:
            raise Undefined("one that gives a feature map")
        return min(b - a for a, b in itertools.pairwise(h))

    def az_trainability(self):
        maps, draws, terms = self.maps(), torch.Generator().manual_seed(self.seed), []
        if len(maps) < 2:
            raise Undefined("fewer than two blocks")
        for before, after in reversed(list(itertools.pairwise(maps))):
            signs = torch.randint(0, 2, after.shape, generator=draws, dtype=torch.int8).double() * 2 - 1
            if after is before:
                terms.append(-math.inf)
                continue
            (g,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
            if g is None:
                raise Undefined("does not depend on the block before it")
            if g.shape == signs.shape and torch.equal(g, signs):
                terms.append(-math.inf)
                continue
            if self.channels_last and g.ndim == 4:
                g = g.movedim(-1, 1)
            if self.channels_last and signs.ndim == 4:
                signs = signs.movedim(-1, 1)
            if g.ndim == signs.ndim == 4:
                step = g.shape[2] // signs.shape[2]
                if step > 1 and g.shape[2:] == tuple(step * side for side in signs.shape[2:]):
                    g = F.pixel_unshuffle(g, step)
            rows = [v.movedim(1, -1).flatten(0, 2) if v.ndim == 4 else v.flatten(0, 1) for v in (g, signs)]
            if len(rows[0]) != len(rows[1]):
                raise Undefined("no multiples")
            s = torch.linalg.matrix_norm(rows[0].T @ rows[1] / len(rows[1]), 2).item()
            terms.append(-s - 1 / (s + 1e-6) + 2)
        return sum(terms) / len(terms)
