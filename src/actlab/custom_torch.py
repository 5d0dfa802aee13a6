"""A user's own network in PyTorch: built with places for the function under study, and what it is made of.

What runs it is handed to its places by `carried`: a `Place` has no function of its own, so one module serves for every
activation, and what it draws initial weights from is the same for all of them.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from actlab.custom import CUSTOM_PARAMETERS, TorchNetwork, TracedNetwork
from actlab.errors import ActlabError, InvalidNetwork
from actlab.functions import Activation, catalogue
from actlab.functions.backends.evaluation import prepared
from actlab.functions.backends.torch import autograd
from actlab.layers import Act, Shape
from actlab.network import BuiltLayer
from actlab.torch import swap

Tensor = torch.Tensor
Tensors = dict[str, Tensor]
Carrier = Callable[["Place", Tensor], Tensor]

_CARRIER: ContextVar[Carrier | None] = ContextVar("carrier", default=None)
_WAY_OUT = "compare functions in it by a training loop of your own, or write it so that torch.func takes it"


class Place(nn.Module):
    """Where an activation goes in a module; what the function there is, `carried` says.

    Attributes:
        name: of the place.
        axis: of the units; None for 1 where inputs have four axes or more, as images do, else −1.
    """

    def __init__(self, name: str, axis: int | None = None) -> None:
        super().__init__()
        self.name, self.axis = name, axis

    def forward(self, x: Tensor) -> Tensor:
        """What the function makes of x."""
        carrier = _CARRIER.get()
        if carrier is None:
            raise InvalidNetwork(f"place {self.name!r} stands for the function of a study, which is not running.")
        return carrier(self, x)

    def extra_repr(self) -> str:
        """The name."""
        return repr(self.name)

    def unit_axis(self, x: Tensor) -> int:
        """The axis of the units of x, (batch, …), counted from the end."""
        axis = self.axis if self.axis is not None else 1 if x.ndim >= 4 else -1
        return axis if axis < 0 else axis - x.ndim


@dataclass
class Run:
    """Carries a function through a module once, and keeps what it meets.

    Attributes:
        function: under study.
        own: its trainable parameters by place, (units,) each; where a place is not among them, their defaults.
        taps: by place, what is added before the function, and to its value.
        noise: noise for an input at a place, of functions that draw in training; None where nothing is drawn.
        value: what computes the function; `activated` where None.
        seen: by place, in the order of the calls, what went in and what came out.
        axes: by place, the axis of the units counted from the end.
    """

    function: Activation
    own: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    taps: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    noise: Callable[[Tensor, str, int], Tensor] | None = None
    value: Callable[..., Tensor] | None = None
    seen: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    axes: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def __call__(self, place: Place, x: Tensor) -> Tensor:
        """The value of the function at a place; called there again, the place is "name/2" and so on."""
        self.calls[place.name] = self.calls.get(place.name, 0) + 1
        name = place.name if self.calls[place.name] == 1 else f"{place.name}/{self.calls[place.name]}"
        axis = self.axes[name] = place.unit_axis(x)
        before, after = self.taps.get(name, (None, None))
        z = x if before is None else x + before
        drawn = None
        if self.noise is not None and self.function.noise is not None:
            drawn = self.noise(z, self.function.noise, len(self.seen))
        a = (self.value or activated)(self.function, z, axis, self.own.get(name, {}), drawn)
        a = a if after is None else a + after
        self.seen[name] = (z, a)
        return a


def activated(
    function: Activation, x: Tensor, axis: int, own: Mapping[str, Tensor], noise: Tensor | None = None
) -> Tensor:
    """f(x) with the parameters of every unit along its axis, counted from the end."""
    placed = {name: value.reshape(-1, *(1,) * (-axis - 1)) for name, value in own.items()}
    settings = {parameter.name: placed.get(parameter.name, parameter.default) for parameter in function.parameters}
    call, tensors = prepared(autograd, function, x, axis, noise, settings)
    return autograd.value(call, x, tensors)


@contextlib.contextmanager
def carried(carrier: Carrier) -> Iterator[None]:
    """What places do while a `with` block runs."""
    token = _CARRIER.set(carrier)
    try:
        yield
    finally:
        _CARRIER.reset(token)


@contextlib.contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """Draw from PyTorch's generators as after `torch.manual_seed(seed)`; they are put back at the end."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class TracedModule(TracedNetwork):
    """A module for samples of one shape and one activation.

    Attributes:
        module: one that was built, whose tensors are replaced when it runs.
        turned: name of each trained array → its axes in the order in which they are recorded: inputs, then units last.
        running: names of the buffers that training changes, as running statistics.
        fixed: names of the tensors that nothing changes: frozen parameters and other buffers.
        axes: by place, the axis of the units, counted from the end.
        replaced, left: of a network without `act`, what was replaced, and what was left and why.
    """

    module: nn.Module
    turned: Mapping[str, tuple[int, ...]]
    running: tuple[str, ...]
    fixed: tuple[str, ...]
    axes: Mapping[str, int]
    replaced: Mapping[str, str]
    left: Mapping[str, str]

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Equal for networks whose members can be trained together."""
        return (*self.leaves.items(), *self.running)

    def initial(self, seed: int) -> Tensors:
        """All tensors of the module as it is built after `torch.manual_seed(seed)`."""
        with drawing_from(seed):
            module = built(self.own)
        names = {*self.leaves, *self.running, *self.fixed}
        return {name: tensor.detach() for name, tensor in _tensors(module).items() if name in names}


def built(own: TorchNetwork) -> nn.Module:
    """A module as the user's code builds it, with a `Place` where it calls `act`.

    Raises:
        InvalidNetwork: it fails, or makes no module; two places have one name.
    """
    places: list[Place] = []

    def act(name: str | None = None, *, axis: int | None = None) -> Place:
        place = Place(f"act{len(places) + 1}" if name is None else str(name), axis)
        if place.name in [other.name for other in places]:
            raise InvalidNetwork(
                f"network {own.name}: act is called twice under the name {place.name!r}: give every place a name of "
                "its own."
            )
        if place.name.partition("/")[0] == CUSTOM_PARAMETERS:
            raise InvalidNetwork(
                f"network {own.name}: act is called under the name {place.name!r}, where the network's own parameters "
                "are kept: give that place another."
            )
        places.append(place)
        return place

    try:
        module = own.factory(act) if own.takes_act else own.factory()
    except InvalidNetwork:
        raise
    except Exception as error:
        raise InvalidNetwork(f"network {own.name} cannot be built ({_reason(error)}).") from error
    if not isinstance(module, nn.Module):
        raise InvalidNetwork(
            f"network {own.name} is no torch.nn.Module, but {type(module).__name__}: a class or function that builds "
            "one is expected."
        )
    return module


def builds(function: Callable[..., Any]) -> bool:
    """Whether a function builds a module: it is called once.

    Raises:
        InvalidNetwork: it takes `act`, so that it seems to be meant so, and fails.
    """
    own = TorchNetwork(getattr(function, "__qualname__", "network"), function)
    try:
        with drawing_from(0):
            built(own)
    except InvalidNetwork:
        named = "act" in inspect.signature(function).parameters if callable(function) else False
        if named:
            raise
        return False
    return True


def trace(own: TorchNetwork, input_shape: Shape, activation: Activation | str, *, tokens: bool = False) -> TracedModule:
    """Find out what a module is made of, by running it on two samples: its parameters, its places, the shapes there.

    Args:
        own: the network.
        input_shape: of one sample, pictures channels last; the module gets them channels first.
        activation: the one under study.
        tokens: whether samples are ids of tokens, which the module gets as int64.

    Raises:
        InvalidNetwork: it cannot be built, fails on such samples, or has no place for a function.
    """
    function = catalogue[activation] if isinstance(activation, str) else activation
    with drawing_from(0):
        module = built(own)
        replaced, left = ({}, {}) if own.takes_act else _swapped(own, module)
        x = module_input(torch.rand(2, *input_shape, dtype=torch.get_default_dtype()), tokens=tokens)
        run, logits = _tried(own, module, function, x, training=False)
        changed = _changed_by_training(own, module, function, x)
    if not run.seen:
        raise InvalidNetwork(
            f"network {own.name}: no module that act(name) gave is called in forward: nothing in it would differ "
            "between the activations."
        )
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shapes = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InvalidNetwork(
            f"network {own.name}: it must return logits (batch, outputs) and returns {shapes} for a batch of 2."
        )
    trained = {name: tensor for name, tensor in module.named_parameters() if tensor.requires_grad}
    turned = {name: _axes(module, name, tensor) for name, tensor in trained.items()}
    leaves = {name: tuple(tensor.shape[axis] for axis in turned[name]) for name, tensor in trained.items()}
    fixed = tuple(name for name in _tensors(module) if name not in trained and name not in changed)
    layers = tuple(_layer(own, function, name, *pair, run.axes[name]) for name, pair in run.seen.items())
    of_sample = tuple(logits.shape[1:])
    return TracedModule(
        own, function, layers, leaves, of_sample, module, turned, changed, fixed, dict(run.axes), replaced, left
    )


def module_input(x: Tensor, *, tokens: bool = False) -> Tensor:
    """Samples (…, *sample shape) as a module takes them: pictures channels first, ids of tokens as int64."""
    if tokens:
        return x.long()
    return x.movedim(-1, -3).contiguous() if x.ndim == 4 else x


def _swapped(own: TorchNetwork, module: nn.Module) -> tuple[dict[str, str], dict[str, str]]:
    """Put places where a module has activations; what was there, and what was left."""
    try:
        swapped = swap(module, lambda: Place("?"))
    except ActlabError as error:
        raise InvalidNetwork(
            f"network {own.name} takes no act, and its own activations cannot be replaced: {error}"
        ) from error
    for name, (_, place) in swapped.changes.items():
        if isinstance(place, Place) and place.name == "?":
            place.name = f"_{name}" if name.partition("/")[0] == CUSTOM_PARAMETERS else name
    return {name: str(old) for name, (old, _) in swapped.changes.items()}, dict(swapped.left)


def _tried(own: TorchNetwork, module: nn.Module, function: Activation, x: Tensor, *, training: bool) -> tuple[Run, Any]:
    run = Run(function)
    try:
        with torch.no_grad(), carried(run):
            return run, module.train(training)(x)
    except InvalidNetwork:
        raise
    except Exception as error:
        mode = " while it is trained" if training else ""
        raise InvalidNetwork(
            f"network {own.name} with {function.name} fails{mode} on samples of shape {tuple(x.shape[1:])} "
            f"({_reason(error)})."
        ) from error


def _changed_by_training(own: TorchNetwork, module: nn.Module, function: Activation, x: Tensor) -> tuple[str, ...]:
    """Names of the buffers that a step of training changes in place."""
    # Kernels write running statistics without telling, hence the copies.
    before = {name: (buffer, buffer.clone(), buffer._version) for name, buffer in module.named_buffers()}
    _tried(own, module, function, x, training=True)
    after = dict(module.named_buffers())
    for name, (buffer, _, _) in before.items():
        if after.get(name) is not buffer:
            raise InvalidNetwork(
                f"network {own.name}: forward puts a new tensor in the place of its buffer {name!r}, which is lost "
                f"where all members are trained at once: change it in place (self.{name}.copy_(…)), or {_WAY_OUT}."
            )
    return tuple(
        name
        for name, (buffer, copy, version) in before.items()
        if buffer._version != version or not torch.equal(buffer, copy)
    )


def _tensors(module: nn.Module) -> Tensors:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _axes(module: nn.Module, name: str, tensor: Tensor) -> tuple[int, ...]:
    """The axes of a parameter in the order (…, inputs, units), in which recordings hold weights."""
    parent, _, own = name.rpartition(".")
    owner = module.get_submodule(parent)
    order = tuple(range(tensor.ndim))
    transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    if tensor.ndim < 2 or not own.endswith("weight"):
        return order
    if isinstance(owner, transposed):
        return (*order[2:], 0, 1)
    if isinstance(owner, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)):
        return (*order[2:], 1, 0)
    return order


def _layer(own: TorchNetwork, function: Activation, name: str, z: Tensor, a: Tensor, axis: int) -> BuiltLayer:
    if weights := [parameter.name for parameter in function.parameters if parameter.shape]:
        raise InvalidNetwork(
            f"network {own.name}, {name}: {function.name} has weights of its own ({', '.join(weights)}), which a "
            "population does not train: compare it by a training loop of your own."
        )
    shapes = {parameter.name: (z.shape[axis],) for parameter in function.parameters if parameter.trainable}
    return BuiltLayer(name, Act(), tuple(z.shape[1:]), tuple(a.shape[1:]), shapes, {})


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def untakeable(own: TorchNetwork, function: str, doing: str, error: BaseException) -> InvalidNetwork:
    """What is said of a module that runs by itself, and not for all members at once."""
    return InvalidNetwork(
        f"network {own.name} with {function} cannot be {doing} for all members at once ({_reason(error)}): {_WAY_OUT}."
    )
