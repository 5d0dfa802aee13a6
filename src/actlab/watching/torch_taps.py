"""One step of a PyTorch training looked at: hooks that are there for this step alone, and leave nothing behind.

Functions are seen where Python calls them, as modules, functions or methods: a mode of PyTorch's is entered when the
model begins and left when it ends. What goes in is read before the call, because functions that work in place overwrite
it; gradients come by hooks of the tensors. Weights are read as the optimiser gets them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from actlab.torch.recognition import ACTIVATIONS
from actlab.watching.looks import FunctionLook
from actlab.watching.torch_facts import is_half, sample_of_input, scale_of_input, size_of_output, takes_input
from actlab.watching.torch_functions import CHANNELS_LAST, CHANNELS_SECOND, FUNCTIONS
from actlab.watching.torch_values import FLAT, MOST_MEASURED, histogram, norm, slope_of, some_rows, supremum

# What PyTorch's own functions are called draws nothing when it is called as `as_if_apart` does.
CALLED = frozenset(FUNCTIONS.values())
DROPPING = frozenset((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout))
Guard = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass
class Place:
    """What was seen of a function in its place in this step, call by call."""

    name: str
    function: str
    calls: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)
    gradients: list[tuple[float, np.ndarray]] = field(default_factory=list)
    arriving: list[float] = field(default_factory=list)
    in_place: bool = False


class Taps:
    """Hooks on a model for one step.

    Attributes:
        places: of functions, by name, in the order of their first calls.
        forwards: how often the model, or a part of it that is called by itself, ran with gradients.
        finite_input: whether all numbers that went in were finite.
        evaluating: names of layers that were in evaluation, though the step goes back through them.
        alone: names of batch normalisations that saw a single sample.
        ran: names of the modules that ran.
        ungraded: names of modules that ran without gradients, within a part of the model that ran with them.
        output_size: the largest |x| of what the model returned; NaN where something was not finite.
        half: whether some module computed in float16.
        input: how large the input of the first layer is: see `scale_of_input`; None before it ran.
        sample, batch: some of that input: see `sample_of_input`, of so many.
        dropped: by name, the rate of dropout that a function was called with.
    """

    def __init__(
        self, names: Mapping[int, str], chosen: Callable[[str], bool], known: Mapping[int, str], guard: Guard
    ) -> None:
        """Prepare.

        Args:
            names: of the modules of a model, by their ids.
            chosen: whether the place of a name is wanted.
            known: by the id of each module that is an activation function, what it is called.
            guard: wraps what is called within the training: nothing that fails there may end it.
        """
        self._names = names
        self._chosen, self._known = chosen, known
        self._stack: list[nn.Module] = []
        self._inside: nn.Module | None = None
        self._mode: _Mode | None = None
        self._begun: Any = None
        self._axis = -1
        self._handles: list[Any] = []
        self._ended = False
        self._guard = guard
        self.places: dict[str, Place] = {}
        self.forwards = 0
        self.finite_input = True
        self.evaluating: dict[str, str] = {}
        self.alone: set[str] = set()
        self.ran: set[str] = set()
        self.ungraded: set[str] = set()
        self.output_size = 0.0
        self.half = False
        self.input: Mapping[str, Any] | None = None
        self.sample: np.ndarray | None = None
        self.batch = 0
        self.dropped: dict[str, float] = {}

    def attach(self) -> None:
        """Look from now on: hooks of PyTorch's for all modules, so that the model itself is not touched."""
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]

    def remove(self) -> None:
        """Look no longer. Within the model's forward pass the mode is left where it was entered, at its end."""
        self._ended = True
        if self._mode is None:
            self._detach()

    def _detach(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self._ended or id(module) not in self._names:
            return
        if not torch.is_grad_enabled():
            if self._stack:
                self.ungraded.add(self._names[id(module)])
            return
        self._stack.append(module)
        if self._mode is None:
            self._guard(self._begun_forward)(inputs)
            self._mode = _Mode(self)
            self._mode.__enter__()
        self._guard(self._begun_module)(module, inputs)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not self._stack or self._stack[-1] is not module:
            return
        self._stack.pop()
        if self._inside is module:
            self._guard(self._done)(self._begun, output, inputs[0])
            self._inside = None
        self.half = self.half or is_half(output)
        if self._mode is not None and not self._stack:
            self._guard(self._ended_forward)(output)
            self._mode.__exit__(None, None, None)
            self._mode = None
            if self._ended:
                self._detach()

    def _begun_forward(self, inputs: tuple[Any, ...]) -> None:
        if not _is_going_back():
            self.forwards += 1
            self.finite_input = self.finite_input and all(map(_is_finite, inputs))

    def _ended_forward(self, output: Any) -> None:
        if not _is_going_back():
            self.output_size = float(np.maximum(size_of_output(output), self.output_size))

    def _begun_module(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        name = self._names[id(module)]
        self.ran.add(name)
        if self.input is None and takes_input(module):
            fits = bool(inputs) and isinstance(inputs[0], torch.Tensor)
            self.input = scale_of_input(name, module, inputs[0]) if fits else {}
            self.sample = sample_of_input(inputs[0]) if fits else None
            self.batch = len(inputs[0]) if fits and inputs[0].dim() else 0
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if not module.training:
                self.evaluating[name] = type(module).__name__
            elif inputs and isinstance(inputs[0], torch.Tensor) and len(inputs[0]) == 1:
                self.alone.add(name)
        if isinstance(module, nn.modules.dropout._DropoutNd) and not module.training and module.p > 0:
            self.evaluating[name] = type(module).__name__
        if self._inside is None and id(module) in self._known and inputs and isinstance(inputs[0], torch.Tensor):
            self._inside = module
            in_place = bool(getattr(module, "inplace", False))
            # Not the module itself: its hooks are of the training.
            self._begun = self._look_at(name, self._known[id(module)], module.forward, inputs[0], in_place=in_place)

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Carry out a function of PyTorch's that the model calls, looking at it where it is an activation function."""
        if function in CHANNELS_SECOND:
            self._axis = 1
        elif function in CHANNELS_LAST:
            self._axis = -1
        inputs = args[0] if args else kwargs.get("input")
        if function in DROPPING:
            self._guard(self._dropping)(args, kwargs)
        unwanted = self._ended or self._inside is not None or function not in FUNCTIONS
        if unwanted or not torch.is_grad_enabled() or not isinstance(inputs, torch.Tensor):
            return function(*args, **kwargs)
        begin = self._guard(self._begin_call)(function, args, kwargs, inputs)
        output = function(*args, **kwargs)
        if begin is not None:
            self._guard(self._done)(begin, output, inputs)
        return output

    def _dropping(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Of dropout that is called as a function: `F.dropout(input, p, training)`, by name or by place."""
        rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        if kwargs.get("training", args[2] if len(args) > 2 else True):
            self.dropped[self._names[id(self._stack[-1])] if self._stack else ""] = float(rate)

    def _begin_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], inputs: torch.Tensor
    ) -> Any:
        within = self._names[id(self._stack[-1])] if self._stack else ""
        called = FUNCTIONS[function]
        # A module that is an activation function is the place itself, as nn.ReLU is.
        itself = bool(self._stack) and isinstance(self._stack[-1], ACTIVATIONS)
        name = within if itself and within else f"{within}: {called}" if within else called
        again, in_place = as_if_apart(function, args, kwargs)
        return self._look_at(name, called, again, inputs, in_place=in_place)

    def _look_at(
        self, name: str, function: str, again: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, *,
        in_place: bool,
    ) -> Any:  # fmt: skip
        """What is read before a call; None where this is not wanted, or was seen on the way forward already."""
        if not self._chosen(name) or not inputs.is_floating_point():
            return None
        name, place = self._place(name, function)
        if place is None:
            return None
        with torch.no_grad(), torch.autocast(inputs.device.type, enabled=False):
            values = some_rows(inputs)
            slope = slope_of(again, values, drawing=function not in CALLED).abs()
            part = {
                "z": some_rows(inputs, MOST_MEASURED).clone() if in_place else some_rows(inputs, MOST_MEASURED),
                "samples": len(values),
                "flat": slope <= FLAT * (supremum(function) or float(slope.max())),
                "axis": self._axis if values.dim() > 2 or self._axis == -1 else 1,
            }
        place.in_place = place.in_place or in_place
        return place, part

    def _place(self, name: str, function: str) -> tuple[str, Place | None]:
        """The place of a name; another one of the same name that computes something else is numbered."""
        number = 2
        own = name
        while own in self.places and self.places[own].function != function:
            own, number = f"{name} {number}", number + 1
        # What is computed again while going back, for want of memory, was seen before.
        if _is_going_back() and own in self.places and self.places[own].calls:
            return own, None
        return own, self.places.setdefault(own, Place(own, function))

    def _done(self, begun: Any, output: Any, inputs: torch.Tensor) -> None:
        """What is read after a call."""
        if begun is None or not isinstance(output, torch.Tensor):
            return
        place, part = begun
        with torch.no_grad():
            part["a"] = some_rows(output, MOST_MEASURED)
        place.parts.append(_reduced(part))
        place.calls += 1
        if output.requires_grad:
            output.register_hook(self._guard(lambda gradient: place.gradients.append(_of_gradient(gradient))))
        if inputs.requires_grad and not place.in_place:
            inputs.register_hook(self._guard(lambda gradient: place.arriving.append(norm(gradient))))


class _Mode(TorchFunctionMode):
    """Hands what the model calls to the taps."""

    def __init__(self, taps: Taps) -> None:
        super().__init__()
        self._taps = taps

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._taps.called(func, args, kwargs or {})


def as_if_apart(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[[torch.Tensor], torch.Tensor], bool]:
    """A call as a function of its first input alone that changes and draws nothing; and whether it worked in place.

    Settings come by name or by place: `nn.ELU` calls `F.elu(input, alpha, inplace)`.
    """
    name = function.__name__
    in_place = name.endswith("_")
    if in_place:
        function = getattr(torch, name[:-1], None) or getattr(nn.functional, name[:-1])
    rest, named = args[1:], {key: value for key, value in kwargs.items() if key not in ("input", "out")}
    parameters = _parameters(function)
    if parameters:
        named |= dict(zip(parameters[1:], rest, strict=False))
        rest = ()
        in_place = in_place or bool(named.pop("inplace", False))
        if "training" in named:
            named["training"] = False
    return lambda values: function(values, *rest, **named), in_place


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's arguments; empty where PyTorch does not tell them."""
    try:
        return tuple(inspect.signature(function).parameters)
    except ValueError:
        return ()


def _is_going_back() -> bool:
    """Whether the backward pass is under way: what runs forward now has run before."""
    return torch._C._current_graph_task_id() != -1


def _is_finite(value: Any) -> bool:
    return not isinstance(value, torch.Tensor) or not value.is_floating_point() or bool(torch.isfinite(value).all())


def _of_gradient(gradient: torch.Tensor) -> tuple[float, np.ndarray]:
    with torch.no_grad():
        return norm(gradient), histogram(gradient, gradient=True)


def _reduced(part: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a call."""
    z, a, flat = part["z"], part["a"], part["flat"]
    with torch.no_grad():
        axis = part["axis"] % flat.dim()
        others = [place for place in range(flat.dim()) if place != axis]
        dead = flat.all(dim=others) if others else flat
        z_std, z_mean = torch.std_mean(z, unbiased=False)
        # Of each unit, over the samples: everything else follows from these.
        spread, middle = torch.var_mean(a, dim=0, unbiased=False)
        within, between = spread.mean(), middle.var(unbiased=False) if middle.numel() > 1 else torch.zeros(())
        numbers = torch.stack([z_mean, z_std, middle.mean(), within, between, flat.float().mean()]).tolist()
    z_mean, z_std, a_mean, within, between, share = numbers
    square = within + between + a_mean**2
    return {
        "samples": part["samples"],
        "z_mean": z_mean,
        "z_std": z_std,
        "a_mean": a_mean,
        "a_std": math.sqrt(within + between),
        "rms": math.sqrt(square),
        "signal": (math.sqrt(within / square) if square else 0.0) if len(a) > 1 else math.nan,
        "flat": share,
        "dead": dead.cpu().numpy(),
        "z_histogram": histogram(z),
        "a_histogram": histogram(a),
    }


def look_of(place: Place, scale: float) -> FunctionLook:
    """All calls of a place together; gradients divided by what the loss was scaled by."""
    parts = place.parts
    samples = np.array([part["samples"] for part in parts], float)
    share = samples / samples.sum()

    def mean(name: str) -> float:
        return float(np.dot(share, [part[name] for part in parts]))

    alike = {part["dead"].shape for part in parts}
    dead = np.all([part["dead"] for part in parts], axis=0) if len(alike) == 1 else parts[-1]["dead"]
    gradient = np.array([size for size, _ in place.gradients])
    complete = len(gradient) == place.calls
    return FunctionLook(
        place.name,
        place.function,
        place.calls,
        int(samples.sum()),
        mean("z_mean"),
        mean("z_std"),
        mean("a_mean"),
        mean("a_std"),
        mean("rms"),
        mean("signal"),
        mean("flat"),
        dead,
        np.sum([part["z_histogram"] for part in parts], axis=0),
        np.sum([part["a_histogram"] for part in parts], axis=0),
        float(np.sqrt((gradient**2).sum())) / scale if complete and len(gradient) else math.nan,
        _arriving(place, scale),
        np.sum([counts for _, counts in place.gradients], axis=0)
        if complete and len(gradient)
        else np.zeros(0, np.int64),
    )


def _arriving(place: Place, scale: float) -> float:
    if place.in_place or len(place.arriving) != place.calls or not place.calls:
        return math.nan
    return float(np.sqrt(np.square(place.arriving).sum())) / scale
