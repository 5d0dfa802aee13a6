"""One step of a PyTorch training looked at: hooks that are there for this step alone, and leave nothing behind.

Functions are seen where Python calls them, as modules, functions or methods: a mode of PyTorch's is entered when the
model begins and left when it ends. What goes in is read before the call, because functions that work in place overwrite
it; gradients come by hooks of the tensors. Weights are read as the optimiser gets them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
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
from actlab.watching.torch_flat import flat_places, is_flat
from actlab.watching.torch_functions import CHANNELS_LAST, CHANNELS_SECOND, FUNCTIONS
from actlab.watching.torch_values import (
    FLAT,
    MOST_COUNTED,
    Array,
    Counts,
    array_of,
    histograms,
    measured,
    numbers,
    size_of,
    slope_of,
    some_rows,
    some_values,
    stride_of,
    supremum,
)  # fmt: skip

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
    gradients: list[tuple[torch.Tensor, Array]] = field(default_factory=list)
    arriving: list[torch.Tensor] = field(default_factory=list)
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
        self._guarded_forward, self._guarded_module = guard(self._begun_forward), guard(self._begun_module)
        self._guarded_call, self._guarded_done = guard(self._begin_call), guard(self._done)
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
            self._guarded_forward(inputs)
            if self._ended:  # It failed, and the hooks are gone that would leave the mode.
                self._stack.clear()
                return
            self._mode = _Mode(self)
            self._mode.__enter__()
        self._guarded_module(module, inputs)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not self._stack or self._stack[-1] is not module:
            return
        self._stack.pop()
        if self._inside is module:
            self._guarded_done(self._begun, output, inputs[0])
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
        begin = self._guarded_call(function, args, kwargs, inputs)
        output = function(*args, **kwargs)
        if begin is not None:
            self._guarded_done(begin, output, inputs)
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
        return self._look_at(name, called, again, inputs, in_place=in_place, key=_key(function, args, kwargs))

    def _look_at(
        self, name: str, function: str, again: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, *,
        in_place: bool, key: Hashable | None = None,
    ) -> Any:  # fmt: skip
        """What is read before a call; None where this is not wanted, or was seen on the way forward already."""
        if not self._chosen(name) or not inputs.is_floating_point():
            return None
        name, place = self._place(name, function)
        if place is None:
            return None
        rows = some_rows(inputs)
        values = array_of(rows)
        places = flat_places(key, function, again) if key is not None else None
        if places is not None:
            flat = is_flat(values, places)
        else:
            with torch.autocast(inputs.device.type, enabled=False):
                slope = slope_of(again, rows, drawing=function not in CALLED).abs()
            flat = (slope <= FLAT * (supremum(function) or float(slope.max()))).cpu().numpy()
        place.in_place = place.in_place or in_place
        return place, {
            "samples": len(values),
            "flat": np.count_nonzero(flat) / max(flat.size, 1),
            "dead": _along(flat, self._axis if values.ndim > 2 or self._axis == -1 else 1),
            "z": measured(values),
        }

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
        part["a"] = measured(array_of(some_rows(output)))
        place.parts.append(part)
        place.calls += 1
        if output.requires_grad:
            output.register_hook(self._guard(lambda own: place.gradients.append((size_of(own), some_values(own)))))
        if inputs.requires_grad and not place.in_place:
            inputs.register_hook(self._guard(lambda own: place.arriving.append(size_of(own))))


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
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return True
    # The sum tells where it is finite, and is quick; it may overflow where no number does.
    own = value.detach()
    return math.isfinite(own.sum().item()) or bool(torch.isfinite(own).all())


def _key(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable | None:
    """Of a function with its settings; None where those are no plain numbers, as slopes that are learnt."""
    rest, named = args[1:], tuple(item for item in kwargs.items() if item[0] != "input")
    plain = all(isinstance(own, _PLAIN) for own in rest) and all(isinstance(own, _PLAIN) for _, own in named)
    return (function, rest, named) if plain else None


_PLAIN = (int, float, str, type(None))


def _along(flat: np.ndarray, axis: int) -> np.ndarray:
    """Whether all is flat, for each unit; the units are on an axis."""
    if flat.ndim == 1:
        return flat
    axis %= flat.ndim
    if axis and axis < flat.ndim - 1:
        # Within a sample first, which is one piece of memory.
        flat = np.logical_and.reduce(flat.reshape(*flat.shape[: axis + 1], -1), axis=-1)
    return np.logical_and.reduce(flat.reshape(-1, flat.shape[-1]), axis=0)


def _some(values: Array) -> Array:
    flat = values.reshape(-1)
    return flat[:: stride_of(flat.size, MOST_COUNTED)]


def _measure(parts: list[dict[str, Any]]) -> None:
    """Moments of all calls, those of the same shape at once."""
    alike: dict[Any, list[dict[str, Any]]] = {}
    for part in parts:
        alike.setdefault((part["z"].shape, part["a"].shape), []).append(part)
    for group in alike.values():
        z_mean, within, between = _moments([part["z"] for part in group])
        a_mean, *spread = _moments([part["a"] for part in group])
        several = len(group[0]["a"]) > 1
        z_std = np.sqrt(within + between)
        names = ("z_mean", "z_std", "a_mean", "within", "between")
        for part, *numbers_of in zip(group, *map(np.ndarray.tolist, (z_mean, z_std, a_mean, *spread)), strict=True):
            part |= zip(names, numbers_of, strict=True)
            variance = part["within"] + part["between"]
            square = variance + part["a_mean"] ** 2
            part["a_std"], part["rms"] = math.sqrt(variance), math.sqrt(square)
            part["signal"] = (math.sqrt(part["within"] / square) if square else 0.0) if several else math.nan


def _moments(values: list[Array]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance over samples in the mean of units, and variance of the units' means, of each array."""
    own = np.stack(values)
    middle = np.add.reduce(own, axis=1) / np.float32(max(own.shape[1], 1))
    own -= middle[:, None]
    own *= own
    mean = middle.mean(axis=1, dtype=np.float64)
    between = np.square(middle - mean[:, None]).mean(axis=1)
    return mean, own.reshape(len(own), -1).mean(axis=1), between


def looks_of(places: Iterable[Place], scale: float) -> tuple[FunctionLook, ...]:
    """All calls of each place together; gradients divided by what the loss was scaled by."""
    own = [place for place in places if place.calls]
    parts = [part for place in own for part in place.parts]
    with np.errstate(all="ignore"):
        _measure(parts)
    counted = iter(histograms([_some(part[name]) for name in ("z", "a") for part in parts]))
    for name in ("z", "a"):
        for part in parts:
            part[f"{name}_histogram"] = next(counted)
    counts = iter(histograms([some for place in own for _, some in place.gradients], gradient=True))
    sizes = iter(numbers([size for place in own for size, _ in place.gradients]))
    return tuple(
        _look_of(place, scale, [next(sizes) for _ in place.gradients], [next(counts) for _ in place.gradients])
        for place in own
    )


def _look_of(place: Place, scale: float, sizes: list[float], counts: list[Counts]) -> FunctionLook:
    parts = place.parts
    samples = sum(part["samples"] for part in parts)

    def mean(name: str) -> float:
        return parts[0][name] if len(parts) == 1 else sum(part["samples"] * part[name] for part in parts) / samples

    alike = len({part["dead"].shape for part in parts}) == 1
    dead = np.all([part["dead"] for part in parts], axis=0) if alike and len(parts) > 1 else parts[-1]["dead"]
    complete = 0 < len(sizes) == place.calls
    arrived = not place.in_place and len(place.arriving) == place.calls
    return FunctionLook(
        place.name,
        place.function,
        place.calls,
        samples,
        mean("z_mean"),
        mean("z_std"),
        mean("a_mean"),
        mean("a_std"),
        mean("rms"),
        mean("signal"),
        mean("flat"),
        dead,
        _together([part["z_histogram"] for part in parts]),
        _together([part["a_histogram"] for part in parts]),
        math.hypot(*sizes) / scale if complete else math.nan,
        math.hypot(*numbers(place.arriving)) / scale if arrived else math.nan,
        _together(counts) if complete else np.zeros(0, np.int64),
    )


def _together(counts: list[Counts]) -> Counts:
    # A copy: that of all places is not to be kept for one.
    return counts[0].copy() if len(counts) == 1 else np.sum(counts, axis=0)
