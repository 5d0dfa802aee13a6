"""Which modules of a model are activation functions: by their type, and where that is not known, by what they do."""

from __future__ import annotations

import math
import re
import types
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from actlab.functions import catalogue
from actlab.torch.module import Activation

_NAMES = (
    "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish PReLU RReLU "
    "ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
)
#: What is taken for an activation module whatever it does.
ACTIVATIONS: tuple[type[nn.Module], ...] = (Activation, *(getattr(nn, name) for name in _NAMES.split()))
#: Where an encoder layer of PyTorch notes that its fused path, in eval(), computes ReLU (1) or GELU (2) by itself.
FUSED = "activation_relu_or_gelu"
_NORMALISING = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_FUNCTIONS = {name.casefold() for name in _NAMES.split() if "Softm" not in name and name != "LogSoftmax"}
# What a squeeze-and-excitation block calls the sigmoid that scales its channels.
_GATE = re.compile("gate|scale")

# Inputs on which a module is tried, far enough apart that no kink hides between them; rows are equally spaced.
_ROWS = torch.linspace(-12.4, 12.1, 47, dtype=torch.float32, device="cpu")
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5


# What is drawn while modules are tried takes nothing from the model's own random numbers.
_drawing_apart = torch.random.fork_rng(devices=[])


@dataclass(frozen=True)
class Found:
    """The activation functions of a model.

    Attributes:
        activations: qualified names of the modules, outer before inner; nothing that lies inside one of them.
        left: qualified name → why it is none that "another activation function" means.
    """

    activations: tuple[str, ...]
    left: dict[str, str]


@_drawing_apart
def find(model: nn.Module) -> Found:
    """Style for the activation functions in a model; nothing of it is changed or run.

    A module of an unknown type is one if a copy of it, on the CPU and in evaluation, takes a tensor to a tensor of that
    shape, each number by itself, always alike and not along a straight line; if it holds no numbers but slopes, at most
    one for each unit; and if all modules in it are such modules, too.
    """
    verdicts: dict[int, str | None] = {}
    activations: list[str] = []
    left: dict[str, str] = {}
    last, whole = "", "."  # What has weights or is an activation function; and what lies in the latter.
    for name, module in model.named_modules(remove_duplicate=False):
        if name.startswith(whole):
            continue
        verdict = _verdict(module, verdicts) if name else None
        if verdict is None:
            left |= dict(_unreachable(name, module))
            last = name if module._parameters else last
            continue
        last, whole = name, f"{name}."
        if not verdict and _GATE.search(name.rpartition(".")[2]) and _within(module, 0.0, 1.0):
            verdict = "a gate: it is called so, and stays between 0 and 1"
        if verdict:
            left[name] = f"{one_line(module)}, {verdict}"
        else:
            activations.append(name)
    if last in activations and _is_output(model, last):
        activations.remove(last)
        left[last] = f"{one_line(model.get_submodule(last))}, the output: it comes last, and stays within ±1"
    return Found(tuple(activations), left)


@_drawing_apart
def is_activation(module: nn.Module) -> bool:
    """Say whether a whole model is nothing but an activation function."""
    return _verdict(module, {}) is not None


@_drawing_apart
def described(module: nn.Module) -> str:
    """A module as it shows itself; one of an unknown type with the function of the catalogue that it equals."""
    text = one_line(module)
    name = None if isinstance(module, ACTIVATIONS) or not is_foreign(module) else _equal_to(module)
    return text if name is None else f"{text} ({name})"


@_drawing_apart
def named_function(module: nn.Module) -> str:
    """What an activation function is called: ours by its name, another by the function of the catalogue it equals.

    One that equals none is called by its type.
    """
    if isinstance(module, Activation):
        return module.function.name
    return _equal_to(module) or type(module).__name__


def _equal_to(module: nn.Module) -> str | None:
    """The function of the catalogue that a module equals, with the fewest parameters; None if it equals none."""
    found = _tried(module)
    if found is None:
        return None
    x, y = (values[:, 0].double().numpy() for values in found)
    for function in sorted(catalogue.values(), key=lambda function: len(function.parameters)):
        if function.kind == "elementwise" and np.allclose(function(x), y, _RELATIVE / 10, _ABSOLUTE):
            return function.name
    return None


def one_line(module: Any) -> str:
    """What a module prints, without its line breaks."""
    return " ".join(str(module).split())


def is_foreign(module: nn.Module) -> bool:
    """Whether a module is neither PyTorch's nor ours, so that its type says nothing."""
    return not type(module).__module__.startswith(("torch.", "actlab."))


def _verdict(module: nn.Module, known: dict[int, str | None]) -> str | None:
    """None where a module is no activation function, else why it is left alone; empty where it is not."""
    if id(module) not in known:
        known[id(module)] = _judged(module, known)
    return known[id(module)]


def _judged(module: nn.Module, known: dict[int, str | None]) -> str | None:
    ours = isinstance(module, Activation) and module.function.family == "normalising"
    if ours or isinstance(module, _NORMALISING):
        return "which normalises over units, as outputs and attention do"
    if isinstance(module, ACTIVATIONS):
        return ""
    children = list(module.children())
    if not is_foreign(module) or isinstance(module, (*_CONTAINERS, torch.jit.ScriptModule)):
        return None
    if any(_verdict(child, known) is None for child in children):
        return None
    found = _tried(module)
    if found is None:
        return None
    x, y = found
    inside = [_run(child, x) for child in children]
    if any(alone is not None and torch.allclose(alone, y, _RELATIVE, _ABSOLUTE) for alone in inside):
        return None  # It hands on what the module in it does, which is replaced there.
    beside = _run(module, x + 1e-3)
    if beside is not None and torch.equal(beside, y):
        return "which is constant in pieces, as what rounds or counts"
    return ""


def _is_output(model: nn.Module, name: str) -> bool:
    """Whether the last activation function of a model, in the order in which its parts were made, is its output.

    It is where it stays within ±1 and follows the one layer beside it; in a module with several layers it may be called
    between them.
    """
    module, parent = model.get_submodule(name), model.get_submodule(name.rpartition(".")[0])
    if not _within(module, -1.0, 1.0) or isinstance(parent, (nn.ModuleList, nn.ModuleDict)):
        return False
    layers = [part for part in parent.children() if part is not module and next(part.parameters(), None) is not None]
    alone = len(layers) == 1 and not list(layers[0].children())
    return isinstance(parent, nn.Sequential) or alone


def _unreachable(name: str, module: nn.Module) -> Iterator[tuple[str, str]]:
    """Activation functions of a module that are no modules: functions it was given, and those of recurrent layers."""
    for attribute, value in vars(module).items():
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)) and _is_torch_function(value):
            way_out = "set it by hand"
            if attribute == "activation" and getattr(module, FUSED, 0):
                way_out += f", and {FUSED} beside it to 0, or eval() goes on with {value.__name__}"
            yield f"{name}.{attribute}".lstrip("."), f"{value.__name__}, a function and no module: {way_out}"
    if name and isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        yield (
            name,
            f"{one_line(module)}, which computes its {getattr(module, 'nonlinearity', 'tanh and sigmoid')} itself",
        )


def _is_torch_function(value: Any) -> bool:
    name = value.__name__.replace("_", "").casefold()
    return name in _FUNCTIONS and (value.__module__ or "torch").partition(".")[0] == "torch"


def _tried(module: nn.Module) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Input and output of a module, (rows, units, …), if it works on each number by itself and not linearly."""
    x = _inputs(module)
    y = None if x is None else _run(module, x)
    if x is None or y is None:
        return None
    # Every other number stays, and what stands beside it and above it is another.
    stays = (torch.arange(len(x)).reshape(-1, *(1 for _ in x.shape[1:])) + _counted(x.shape[1:])) % 2 == 0
    again, among_others = _run(module, x), _run(module, torch.where(stays, x, 0.7 - x))
    if again is None or among_others is None or not torch.equal(again, y):
        return None
    if not torch.allclose(among_others[stays], y[stays], _RELATIVE, _ABSOLUTE):
        return None
    bend = (y[2:] - 2 * y[1:-1] + y[:-2]).abs().max()
    return (x, y) if bend > 1e-3 * y.abs().max().clamp(min=1.0) else None


def _inputs(module: nn.Module) -> torch.Tensor | None:
    """Numbers to try a module on, (rows, units, …) as its slopes are shaped; None if it holds more than slopes."""
    held = [*module.parameters(), *module.buffers()]
    if any(tensor.numel() != max(tensor.shape, default=1) for tensor in held):
        return None
    per_unit = max((tuple(tensor.shape) for tensor in held if tensor.numel() > 1), key=len, default=(6,))
    shape = per_unit[1:] if len(per_unit) > 1 and per_unit[0] == 1 else per_unit
    return _ROWS.reshape(-1, *(1 for _ in shape)) + 0.1 * _counted(shape) / math.prod(shape)


def _counted(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(math.prod(shape), device="cpu").reshape(shape)


def _within(module: nn.Module, low: float, high: float) -> bool:
    """Whether what comes out of a module stays between two numbers, as far as it is tried."""
    x = _inputs(module)
    y = None if x is None else _run(module, x)
    return y is not None and bool(((y >= low) & (y <= high)).all())


def _run(module: nn.Module, x: torch.Tensor) -> torch.Tensor | None:
    """What a copy of a module makes of a tensor, in evaluation; None if that is no tensor like it, or not finite."""
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = _apart(module).forward(x.clone())
    except Exception:  # Of code that nobody knows, any may come: it is no function of one tensor.
        return None
    if not isinstance(y, torch.Tensor) or y.shape != x.shape or y.dtype != x.dtype:
        return None
    return y if bool(torch.isfinite(y).all()) else None


def _apart(module: nn.Module) -> Any:
    """A copy on the CPU without hooks: whatever it notes or changes when it is called is not the model's."""
    copied: Any = object.__new__(type(module))
    for name, own in vars(module).items():
        copied.__dict__[name] = copy(own) if isinstance(own, (dict, list, set)) else own
        if name.endswith("_hooks"):
            copied.__dict__[name] = OrderedDict()
    copied.__dict__["training"] = False
    for part in ("_parameters", "_buffers"):
        held = vars(module)[part].items()
        copied.__dict__[part] = {name: None if own is None else _on_cpu(own) for name, own in held}
    parts = module._modules.items()
    copied.__dict__["_modules"] = {name: None if own is None else _apart(own) for name, own in parts}
    return copied


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
