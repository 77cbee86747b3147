"""What runs in a forward pass: activations, convolutions and linear layers, modules or functions alike.

Tensors carry marks there (`marks`): whether their first axis is the images, and which axes are the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nbzero.proxies.lend import copied
from nbzero.proxies.marks import Marks, mark, mark_outputs, marks_of, marks_of_layer, methods
from nbzero.proxies.passes import WEIGHTED, exactly

# Units: activations


_UNIT_FUNCTIONS = methods("relu", "relu6", "leaky_relu", "rrelu", "prelu", "gelu", "silu")
_CLAMPS = methods("clamp", "clip", "hardtanh")
_CLAMPS_BELOW = methods("clamp_min", "threshold")
# The functions that convolutions and linear layers call with their weight.
LAYERS = methods("conv1d", "conv2d", "conv3d", "linear")
_SIGMOIDS = methods("sigmoid")
_PRODUCTS = methods("mul")


def _switches(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call is an activation whose units are on where what enters them is > 0."""
    if func in _UNIT_FUNCTIONS:
        return True
    if func in _CLAMPS:
        names = ("min_val", "max_val") if func is F.hardtanh else ("min", "max")
        given = {**dict(zip(names, args[1:], strict=False)), **kwargs}
        return _is(given.get(names[0]), 0) and (given.get(names[1]) is None or _is(given[names[1]], 6))
    if func in _CLAMPS_BELOW:
        return len(args) > 1 and all(_is(value, 0) for value in args[1:3])
    return False


def _is(value: Any, number: float) -> bool:
    return isinstance(value, (int, float)) and value == number


def is_activation(module: nn.Module) -> bool:
    """Whether a module has units that are on where what enters them is > 0.

    These are torch's GELU, SiLU and whatever is named ReLU (ReLU6, LeakyReLU, PReLU, ..), and modules of
    other libraries that compute the same. A container has none.
    """
    if isinstance(module, (nn.GELU, nn.SiLU)):
        return True
    if module._modules:
        return False
    if "ReLU" in type(module).__name__:
        return True
    return not type(module).__module__.startswith("torch.") and _computes_units(module)


def _computes_units(module: nn.Module) -> bool:
    """Whether a module without children gives, number by number, what a known activation gives."""
    if any(tensor.numel() > 1 for tensor in (*module.parameters(), *module.buffers())):
        return False
    x = torch.linspace(-8, 8, 161, dtype=torch.float32, device="cpu")
    state = torch.default_generator.get_state()
    try:
        with torch.no_grad():
            y = copied(module, {}).eval().float().cpu()(x.clone())
    except Exception:  # it takes something else than numbers, so it is none
        return False
    finally:
        torch.default_generator.set_state(state)
    if not isinstance(y, Tensor) or y.shape != x.shape:
        return False
    slope = (y[0] / x[0]).item()
    known = [F.relu(x), F.relu6(x), F.gelu(x), F.gelu(x, approximate="tanh"), F.silu(x)]
    known.append(x * torch.sigmoid(1.702 * x))  # a fast GELU
    if abs(slope) < 1:
        known.append(F.leaky_relu(x, slope))
    return any(torch.allclose(y.float(), other, atol=1e-4) for other in known)


# Watching


class Watch(TorchFunctionMode):
    """Inside, tells what runs.

    Args:
        net: lent to this pass.
        tell_unit: called with the module (None of a function) and what enters an activation, before it runs.
        tell_weighted: called with a convolution or linear layer, the weights per output channel that it used,
            and its output. It may return another output.
        marks: mark tensors.

    Attributes:
        is_recomputed: layers or activations ran again after the forward pass, in a function of the network's.
    """

    def __init__(
        self,
        net: nn.Module,
        tell_unit: Callable[[nn.Module | None, Tensor], None] | None = None,
        tell_weighted: Callable[[nn.Module, int, Tensor], Tensor | None] | None = None,
        marks: bool = True,
    ) -> None:
        super().__init__()
        self.marks = marks
        self.net, self.tell_unit, self.tell_weighted = net, tell_unit, tell_weighted
        self.device = next((tensor.device.type for tensor in net.parameters()), "cpu")
        self.is_cast = torch.is_autocast_enabled(self.device)
        self.is_deaf = False  # while what was told is worked on, and once the forward pass is over
        self.is_over, self.is_recomputed = False, False
        self.units_running = 0
        self.layers: list[list[Any]] = []  # that run now: layer, and the weight that a function was given
        self.gate: tuple[Tensor, Tensor] | None = None  # the last sigmoid's output and input
        self.hooks = ExitStack()

    def __enter__(self) -> Watch:
        for module in self.net.modules():
            if self.tell_unit and is_activation(module):
                self.hook(module.register_forward_pre_hook(self._unit_begins))
                self.hook(module.register_forward_hook(self._unit_ends, always_call=True))
            if isinstance(module, WEIGHTED):
                self.hook(module.register_forward_pre_hook(self._layer_begins))
                self.hook(module.register_forward_hook(self._layer_ends))
            elif type(module) is nn.BatchNorm2d:
                self.hook(module.register_forward_hook(_mark_norm))
            elif self.marks and not module._modules and not type(module).__module__.startswith("torch.nn."):
                self.hook(module.register_forward_hook(_carry))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.is_deaf, self.is_over = True, True
        self.gate, self.layers = None, []

    def hook(self, handle: Any) -> None:
        """Keep a hook until the watch is closed."""
        self.hooks.enter_context(handle)

    def close(self) -> None:
        """Take the hooks away. They stay for backward passes, which may call layers again unheard."""
        self.hooks.close()

    def unheard(self, work: Callable[..., Any], *args: Any) -> Any:
        """Do something of which nothing is told, and which the caller's autocast does not change."""
        was_deaf, self.is_deaf = self.is_deaf, True
        try:
            with torch._C.DisableTorchFunction():
                if self.is_cast:
                    with exactly(self.device):
                        return work(*args)
                return work(*args)
        finally:
            self.is_deaf = was_deaf

    def _unit_begins(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.is_recomputed |= self.is_over
        if self.is_deaf:
            return
        self.units_running += 1
        if self.units_running == 1 and inputs and isinstance(inputs[0], Tensor):
            self.unit(module, inputs[0])

    def _unit_ends(self, _: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self.is_deaf:
            return
        self.units_running -= 1
        if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
            mark(output, marks_of(inputs[0]))

    def _layer_begins(self, layer: nn.Module, _: tuple[Any, ...]) -> None:
        self.is_recomputed |= self.is_over
        if not self.is_deaf:
            self.layers.append([layer, None])

    def _layer_ends(self, layer: Any, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
        if self.is_deaf or not isinstance(output, Tensor):
            return None
        used = None
        while self.layers:  # those above it have raised
            running, used = self.layers.pop()
            if running is layer:
                break
        if type(layer) in WEIGHTED and not marks_of(output).channels:  # run by a formula of `curvature`
            mark(output, marks_of_layer(inputs[0], -3 if type(layer) is nn.Conv2d else -1))
        if self.tell_weighted is None:
            return None
        weights = layer.weight[0].numel() if used is None else used
        replaced: Tensor | None = self.unheard(self.tell_weighted, layer, weights, output)
        return None if replaced is None else mark(replaced, marks_of(output))

    def unit(self, module: nn.Module | None, pre: Tensor) -> None:
        """Tell of an activation that is about to run."""
        if self.tell_unit:
            self.unheard(self.tell_unit, module, pre)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.is_deaf:
            return func(*args, **kwargs)
        if self.tell_unit and not self.units_running:
            self._tell_function(func, args, kwargs)
        if self.layers and func in LAYERS:
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            self.layers[-1][1] = weight.numel() // max(len(weight), 1)
        output = func(*args, **kwargs)
        if self.marks:
            mark_outputs(func, args, kwargs, output)
            if func in _SIGMOIDS and args:
                self.gate = output, args[0]
        return output

    def _tell_function(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pre = args[0] if args else kwargs.get("input")
        if not isinstance(pre, Tensor):
            return
        if _switches(func, args, kwargs):
            self.unit(None, pre)
        elif func in _PRODUCTS and self.gate is not None and len(args) > 1:
            gate, gated = self.gate  # x * sigmoid(x), written out
            if {id(args[0]), id(args[1])} == {id(gate), id(gated)}:
                self.unit(None, gated)


def _mark_norm(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    """A batch norm may run by a formula of `curvature`, which no mode sees."""
    if isinstance(output, Tensor):
        mark(output, marks_of_layer(inputs[0], 1 - output.ndim))


def _carry(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    """A foreign module may run what no mode sees. Where it keeps the shape, channels stay where they were."""
    if not isinstance(output, Tensor) or not inputs or not isinstance(inputs[0], Tensor):
        return
    if output.shape == inputs[0].shape and not marks_of(output).channels:
        mark(output, Marks(marks_of(output).images_first, marks_of(inputs[0]).channels))
