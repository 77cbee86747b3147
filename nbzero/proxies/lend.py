"""Lending a network to a pass that may change it. The caller's own stays as it was.

A pass is lent a copy, so that whatever it does to modules, tensors and attributes is gone with the copy. A
network of which no copy can be made is lent itself: its tensors are replaced by copies inside, and
afterwards every attribute of every module is the object that it was, with the items that it had.

What belongs to the process is lent to one pass at a time: generators, attention backends, checkpointing.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.overrides import TorchFunctionMode

from nbzero.errors import ProxyError
from nbzero.proxies.checkpoints import without_checkpoints
from nbzero.proxies.draws import LOCK, seeded_draws


class Lender:
    """Lends one network to passes, a fresh copy to each.

    Attributes:
        net: the caller's network, or what was compiled where it is a compiled one.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = as_written(net)
        self._modules = list(self.net.modules())
        self._can_copy: bool | None = None  # not known yet

    @contextmanager
    def lend(self, seed: int, modules: Sequence[nn.Module] = ()) -> Iterator[tuple[nn.Module, list[Any]]]:
        """Lend the network to one pass.

        Inside:

            tensors         are copies, and so is whatever modules hold
            activations     do not work in place
            modes           of any submodule may be set
            generators      of torch (from which dropout draws), numpy and Python are seeded, and put back
            checkpointing   is off, so that every layer runs once
            compiled parts  run as they were written
            batch norm      in train mode raises ProxyError where it sees one value per channel; its gradient
                        for a single image is right, which torch's may not be

        Args:
            modules: some of the network's.

        Yields:
            The network, and what stands for those modules in it.
        """
        with LOCK, ExitStack() as stack:
            stack.enter_context(seeded_generators(self.net, seed))
            stack.enter_context(without_checkpoints())
            stack.enter_context(_without_compilation())
            net = self._copy()
            if net is None:
                stack.enter_context(_put_back(self._modules))
                net = self.net
            there = list(net.modules())
            lent = _same_places(self._modules, there, modules)
            for module in there:
                _prepare(module, stack)
            yield net, [as_written(module) for module in lent]

    def _copy(self) -> nn.Module | None:
        """A copy; None where none can be made that has nothing of the network."""
        is_first = self._can_copy is None
        if is_first:
            self._can_copy = not _is_held_from_outside(self._modules)
        if not self._can_copy:
            return None
        try:
            with torch.no_grad():
                twin: nn.Module = copied(self.net, {})
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception:  # whatever a module's own way of being copied raises: it is lent itself
            self._can_copy = False
            return None
        if is_first:  # a module may copy itself by itself
            self._can_copy = _parts(self._modules).isdisjoint(_parts(twin.modules()))
        return twin if self._can_copy else None


def as_written(net: nn.Module) -> nn.Module:
    """What torch.compile was given, where it made this network; else the network."""
    while "_orig_mod" in net._modules:
        net = net._modules["_orig_mod"]  # type: ignore[assignment]
    return net


def _same_places(
    modules: Sequence[nn.Module], there: Sequence[nn.Module], chosen: Sequence[nn.Module]
) -> list[nn.Module]:
    if not chosen:
        return []
    places = {id(module): number for number, module in enumerate(modules)}
    return [there[places[id(module)]] for module in chosen]


def _prepare(module: nn.Module, hooks: ExitStack) -> None:
    """Nothing compiled inside, nothing in place, no batch norm of one value."""
    attributes = vars(module)
    attributes.pop("_compiled_call_impl", None)
    for name, child in module._modules.items():
        if child is not None and "_orig_mod" in child._modules:
            module._modules[name] = as_written(child)
    if getattr(module, "inplace", False) is True:
        with contextlib.suppress(AttributeError):  # no setter; what it overwrites is read before
            module.inplace = False  # type: ignore[assignment]
    if isinstance(module, _BatchNorm):
        hooks.enter_context(module.register_forward_pre_hook(_refuse_single_value))
    if isinstance(module, (_BatchNorm, _InstanceNorm)):
        hooks.enter_context(module.register_forward_hook(_straighten_gradient))


@contextmanager
def _without_compilation() -> Iterator[None]:
    """Functions and modules that torch.compile made run as they were written."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


# Copies

# What a copy shares with what it was made of.
_NUMBERS = frozenset((bool, int, float, complex, str, bytes, type(None), range))
_OF_CODE = (type, types.FunctionType, types.BuiltinFunctionType, torch.dtype, torch.device, torch.Size)
_SHARED = frozenset((*_NUMBERS, *_OF_CODE))
_OWN_TABLES = frozenset(name for name, value in vars(nn.Module()).items() if isinstance(value, (dict, set)))
_PLAIN_SETSTATE = "torch.nn.modules."  # torch's own fill in what older files lack


def copied(value: Any, memo: dict[int, Any]) -> Any:
    """copy.deepcopy, 5 to 10 times as fast for what networks are made of.

    A tensor that was computed is copied too, without its graph: gradients are off where it is called.
    """
    kind: Any = type(value)
    if kind in _SHARED:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind is set and not value:
        return set()
    if kind is tuple and all(type(item) in _SHARED for item in value):
        return value
    if kind in (dict, OrderedDict, list):
        return _copied_items(value, memo)
    if isinstance(value, Tensor):
        tensor = memo[id(value)] = _copied_tensor(value, memo)
        return tensor
    if isinstance(value, nn.Module) and _is_copied_plainly(kind):
        return _copied_module(value, memo)
    return copy.deepcopy(value, memo)


def _copied_items(holder: Any, memo: dict[int, Any]) -> Any:
    twin = memo[id(holder)] = type(holder)()
    if isinstance(holder, list):
        twin.extend(copied(item, memo) for item in holder)
        return twin
    for key, item in holder.items():
        twin[key] = item if type(item) in _SHARED else copied(item, memo)
    return twin


def _copied_module(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    twin = memo[id(module)] = object.__new__(type(module))
    attributes = vars(twin)
    for name, value in vars(module).items():
        if type(value) in _SHARED:
            attributes[name] = value
        elif name in _OWN_TABLES and not value:  # never shared between modules
            attributes[name] = type(value)()
        elif name != "_compiled_call_impl":
            attributes[name] = copied(value, memo)
    return twin


@functools.cache
def _is_copied_plainly(kind: type[nn.Module]) -> bool:
    """Whether copy.deepcopy would do no more than to copy its attributes."""
    if hasattr(kind, "__deepcopy__") or kind.__reduce_ex__ is not object.__reduce_ex__:
        return False
    if kind.__getstate__ is not nn.Module.__getstate__ or kind.__reduce__ is not object.__reduce__:
        return False
    return kind.__setstate__.__module__.startswith(_PLAIN_SETSTATE)


def _copied_tensor(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    if type(tensor) is nn.Parameter:
        return nn.Parameter(tensor.clone(), tensor.requires_grad)
    if not tensor.is_leaf:
        return tensor.clone()
    is_alone = type(tensor) is Tensor and tensor.layout is torch.strided and not tensor.is_quantized
    if is_alone and tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size():
        return tensor.clone().requires_grad_(tensor.requires_grad)
    twin: Tensor = copy.deepcopy(tensor, memo)
    return twin


def _parts(modules: Iterable[nn.Module]) -> set[int]:
    """The modules, parameters and buffers, by identity."""
    parts = set()
    for module in modules:
        parts.add(id(module))
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                parts.add(id(tensor))
    return parts


def _is_held_from_outside(modules: Sequence[nn.Module]) -> bool:
    """Whether a function or weak reference that the network holds leads back to a part of it.

    A copy would share that function, which would run or read the caller's network.
    """
    parts: set[int] = set()
    for module in modules:
        for value in vars(module).values():
            if type(value) in _NUMBERS:
                continue
            for item in _items_of(value):
                while isinstance(item, functools.partial):
                    item = item.func
                if isinstance(item, (weakref.ref, types.FunctionType)):
                    parts = parts or _parts(modules)
                    if _leads_to(item, parts):
                        return True
    return False


def _items_of(value: Any) -> Iterable[Any]:
    kind = type(value)
    if kind is dict or kind is OrderedDict:
        return value.values()
    return value if kind is list or kind is tuple else (value,)


def _leads_to(value: weakref.ref[Any] | types.FunctionType, parts: set[int]) -> bool:
    if isinstance(value, weakref.ref):
        return id(value()) in parts
    return any(id(used) in parts for used in _used_by(value))


def _used_by(function: types.FunctionType) -> list[Any]:
    """What a function closes over, its defaults, and the globals that it names."""
    used = [function.__globals__.get(name) for name in function.__code__.co_names]
    used += function.__defaults__ or ()
    for cell in function.__closure__ or ():
        try:
            used.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    bound = [value.__self__ for value in used if isinstance(value, types.MethodType)]
    return used + bound


# Where no copy can be made


@contextmanager
def _put_back(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Tensors are copies inside; afterwards all attributes are what they were.

    To put back is to store references, so that nothing can fail on the way.
    """
    attributes = [(vars(module), dict(vars(module))) for module in modules]
    held = [value for _, own in attributes for value in own.values()]
    holders = [(value, copy.copy(value)) for value in held if type(value) in (dict, OrderedDict, list, set)]
    copies: dict[int, Any] = {}
    try:
        with torch.no_grad():
            for there, own in attributes:
                for name, value in own.items():
                    if isinstance(value, Tensor):
                        there[name] = copied(value, copies)
            for holder, own_items in holders:
                _copy_tensors_of(holder, own_items, copies)
        yield
    finally:
        for there, own in attributes:
            there.clear()
            there.update(own)
        for holder, own_items in holders:
            holder.clear()
            if isinstance(holder, list):
                holder.extend(own_items)
            else:
                holder.update(own_items)


def _copy_tensors_of(holder: Any, items: Any, copies: dict[int, Any]) -> None:
    if isinstance(holder, set):
        return
    numbered = items.items() if isinstance(holder, dict) else enumerate(items)
    for key, value in numbered:
        if isinstance(value, Tensor):
            holder[key] = copied(value, copies)


# What belongs to the process


@contextmanager
def seeded_generators(net: nn.Module, seed: int) -> Iterator[None]:
    """The generators of torch, numpy and Python, seeded inside and put back; other threads wait."""
    with LOCK:
        generators = [torch.default_generator]
        for device in {parameter.device for parameter in net.parameters()}:
            if device.type == "cuda":
                generators.append(torch.cuda.default_generators[device.index])
        states = [generator.get_state() for generator in generators]
        try:
            for generator in generators:
                generator.manual_seed(seed)
            with seeded_draws(seed):
                yield
        finally:
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)


# Batch norms


def _refuse_single_value(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if norm.training and inputs[0].numel() == inputs[0].shape[1]:
        raise ProxyError(
            "a batch norm sees one pixel of one image, which has no variance; give more or larger images"
        )


def _straighten_gradient(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
    """The gradient that a norm of a single image is given lies in memory as its output does.

    Else torch (2.13, on the processor) takes the gradient of (1, H W, C) tokens made of (1, C, H, W) maps for
    one of maps. Then the gradients of all layers before the norm are wrong, without a word.
    """
    if isinstance(output, Tensor) and len(output) == 1 and output.requires_grad:
        output.register_hook(Tensor.contiguous)


# Classes of torch whose forward is batch norm and nothing else.
_BARE_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_NORMALISE = frozenset({nn.functional.batch_norm, torch.batch_norm, torch.native_batch_norm})


@contextmanager
def without_batch_norm(net: nn.Module) -> Iterator[None]:
    """Every batch norm of a network in eval mode is the identity inside.

    Of a class that does more, as to apply an activation, the rest stays.
    """
    frozen = [module for module in net.modules() if is_frozen_norm(module)]
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    for norm in (*frozen, *norms):
        if type(norm) not in _BARE_NORMS:
            _make_neutral(norm)
    own = [vars(norm).get("forward") for norm in norms]  # a forward set on the instance itself
    try:
        for norm, forward in zip(norms, own, strict=True):
            vars(norm)["forward"] = _without_norm(norm, forward)
        yield
    finally:
        for norm, forward in zip(norms, own, strict=True):
            del vars(norm)["forward"]
            if forward is not None:
                vars(norm)["forward"] = forward


def is_frozen_norm(module: nn.Module) -> bool:
    """Whether it applies a mean and variance that it never measures, as torchvision's FrozenBatchNorm2d."""
    if isinstance(module, (_BatchNorm, _InstanceNorm)):
        return False
    has_statistics = isinstance(getattr(module, "running_mean", None), Tensor)
    return has_statistics and isinstance(getattr(module, "running_var", None), Tensor)


def _make_neutral(norm: nn.Module) -> None:
    """Statistics and factors with which eval mode is the identity, however it is computed."""
    eps = float(getattr(norm, "eps", 0.0))
    for name, value in {"running_mean": 0.0, "running_var": 1 - eps, "weight": 1.0, "bias": 0.0}.items():
        tensor = getattr(norm, name, None)
        if isinstance(tensor, Tensor):
            tensor.data = torch.full_like(tensor.data, value)


class _NormIsIdentity(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _NORMALISE:
            return args[0] if args else (kwargs or {})["input"]
        return func(*args, **(kwargs or {}))


def _without_norm(norm: nn.Module, own: Callable[..., Any] | None) -> Callable[..., Any]:
    if type(norm) in _BARE_NORMS and own is None:
        return _identity
    forward = own or functools.partial(type(norm).forward, norm)

    def without(*args: Any, **kwargs: Any) -> Any:
        with _NormIsIdentity():
            return forward(*args, **kwargs)

    return without


def _identity(x: Tensor) -> Tensor:
    return x
