"""What the house knows of a user's own network: how it is built, and, for samples of one shape, what it is made of."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actlab.functions import Activation
from actlab.layers import Array, Shape
from actlab.network import BuiltLayer

Tree = Any
#: Under which name the parameters of a network stand, beside the places of activation functions with theirs.
CUSTOM_PARAMETERS = "network"


@dataclass(frozen=True)
class CustomNetwork:
    """A network that is a user's code, known by its name.

    Attributes:
        name: "module:attribute", where it can be imported from.
    """

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class JaxNetwork(CustomNetwork):
    """The two functions of a network in JAX.

    Attributes:
        init: init(key) -> params, any tree of arrays.
        apply: apply(params, x, act, *, training, key) -> logits (batch, outputs), with x (batch, *sample shape), whole
            numbers where the samples are ids of tokens.
    """

    init: Callable[[Array], Tree]
    apply: Callable[..., Array]


@dataclass(frozen=True)
class TorchNetwork(CustomNetwork):
    """What builds a network in PyTorch.

    Attributes:
        factory: a class or function: `Net(act)`, which puts the module `act("fc1")` where an activation goes, or
            `Net()`, whose activation modules are replaced. It returns a torch.nn.Module: module(x) -> logits
            (batch, outputs).
    """

    factory: Callable[..., Any]

    @property
    def takes_act(self) -> bool:
        """Whether it is called with `act`: where that is a parameter's name, or one has no default."""
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        own = [parameter for parameter in _parameters(self.factory) if parameter.kind in kinds]
        return any(parameter.name == "act" or parameter.default is parameter.empty for parameter in own)


@dataclass(frozen=True)
class TracedNetwork:
    """A user's network for samples of one shape and one activation: what `actlab.network.Network` is for layers.

    Attributes:
        own: the network, of JAX or PyTorch.
        activation: the one under study.
        layers: the places where it calls `act`, in that order.
        leaves: name of each array of its parameters → shape, as "conv1.kernel".
        output_shape: of one sample.
    """

    own: Any
    activation: Activation
    layers: tuple[BuiltLayer, ...]
    leaves: Mapping[str, Shape]
    output_shape: Shape

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers, those of trainable activation functions among them."""
        return sum(math.prod(shape) for shape in self.leaves.values()) + sum(s.parameter_count for s in self.layers)

    @property
    def weight_layers(self) -> tuple[str, ...]:
        """Names of the arrays with two axes or more: weights, not biases or scales."""
        return tuple(name for name, shape in self.leaves.items() if len(shape) > 1)

    @property
    def act_layers(self) -> tuple[str, ...]:
        """Names of the places of activation functions, in the order in which they are called."""
        return tuple(built.name for built in self.layers)

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Equal for networks whose members can be trained together."""
        return tuple(self.leaves.items())

    @property
    def penalised(self) -> bool:
        """Whether a layer adds an L2 term to the loss: a user's network has none that is known."""
        return False

    def init(self, key: Array) -> dict[str, Tree]:
        """`{"network": what the user's init gives, place: {parameter: array}}`; the latter of trainable functions."""
        import jax

        start = {p.name: float(p.default) for p in self.activation.parameters if p.default is not None}
        acts = {
            built.name: {name: jax.numpy.full(shape, start[name]) for name, shape in built.parameter_shapes.items()}
            for built in self.layers
            if built.parameter_shapes
        }
        return {CUSTOM_PARAMETERS: self.own.init(key), **acts}


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # as of some that are written in C
        return []
