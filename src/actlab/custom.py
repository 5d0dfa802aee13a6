"""A user's own network: any pair `init(key) -> params` and `apply(params, x, act, *, training, key)` in JAX, or a
`torch.nn.Module`.

In JAX the network calls `act(x, name="conv1")` where an activation goes, in PyTorch it puts the module `act("conv1")`
there; which function that is, and what is recorded there, the laboratory decides. A study names the network by where it
is defined, as `"my_networks:residual"`, so that a study file can say it too. Which engine trains it follows from what
it is.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from actlab.errors import InvalidNetwork, shortened
from actlab.functions import Activation, catalogue
from actlab.imports import imported
from actlab.layers import Act, Array, Shape
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


def custom_network(value: Any) -> CustomNetwork:
    """The network that a user gives: in JAX or PyTorch, or the "module:attribute" of it.

    Args:
        value: an object with `init` and `apply`, a pair of these functions; or a class or function that builds a
            torch.nn.Module.

    Raises:
        InvalidNetwork: there is no such module or attribute, or it is neither.

    >>> custom_network("json:decoder")
    Traceback (most recent call last):
    actlab.errors.InvalidNetwork: 'json:decoder' is no network: an object with init(key) and apply(params, x, act, *, \
training, key), a pair of these two functions, or a class or function Net(act) that builds a torch.nn.Module is \
expected.
    """
    if isinstance(value, CustomNetwork):
        return value
    found = _imported(value) if isinstance(value, str) else value
    said = value if isinstance(value, str) else None
    if isinstance(found, (tuple, list)) and len(found) == 2:
        init, apply = found
    elif _is_torch(found):
        init = apply = None
    else:
        init, apply = getattr(found, "init", None), getattr(found, "apply", None)
    if callable(init) and callable(apply):
        return JaxNetwork(said or _name(found, apply), init, apply)
    built_already = _is_torch(found) and not isinstance(found, type)
    if not callable(found) or built_already or not (_is_torch(found) or _builds(found)):
        raise InvalidNetwork(_no_network(found, value))
    return TorchNetwork(said or _name(found, found), found)


def is_custom(value: Any) -> bool:
    """Whether a setting is meant as a network of a user's own, not as layers."""
    if isinstance(value, str):
        return ":" in value
    pair = isinstance(value, (list, tuple)) and len(value) == 2 and all(callable(part) for part in value)
    return pair or (hasattr(value, "init") and hasattr(value, "apply")) or callable(value)


def _no_network(found: Any, value: Any) -> str:
    name = shortened(value) if isinstance(value, str) else shortened(found)
    if _is_torch(found):
        return (
            f"{name} is a module that is built already, and every seed has initial weights of its own: give the class "
            "or the function that builds it."
        )
    return (
        f"{name} is no network: an object with init(key) and apply(params, x, act, *, training, key), a pair of these "
        "two functions, or a class or function Net(act) that builds a torch.nn.Module is expected."
    )


def _is_torch(value: Any) -> bool:
    """Whether it is a torch.nn.Module or a class of these; PyTorch is not imported to find out."""
    module = getattr(sys.modules.get("torch"), "nn", None)
    if module is None:
        return False
    return isinstance(value, module.Module) or (isinstance(value, type) and issubclass(value, module.Module))


def _builds(function: Any) -> bool:
    """Whether a function makes a torch.nn.Module: it is called once to see."""
    try:
        from actlab.custom_torch import builds
    except ImportError:
        return False
    return builds(function)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # as of some that are written in C
        return []


def as_recorded(name: str) -> CustomNetwork:
    """The network that a recording names: it need not be importable where somebody looks at the recording."""

    def absent(*_: Any, **__: Any) -> Any:
        raise InvalidNetwork(f"the network {name!r} is code of a user's own, which a recording does not hold.")

    return JaxNetwork(name, absent, absent)


def _imported(name: str) -> Any:
    try:
        return imported(name)
    except ImportError as error:
        raise InvalidNetwork(
            f"network {shortened(name)} cannot be imported ({error}): give 'module:attribute' of a module that "
            "lies here or is installed."
        ) from error


def _name(network: Any, apply: Callable[..., Any]) -> str:
    """Where a network is defined, as well as that can be told."""
    for candidate in (network, type(network), apply):
        name = getattr(candidate, "__qualname__", None)
        if name and candidate not in (tuple, list):
            return f"{candidate.__module__}:{name}"
    return f"{type(network).__module__}:{type(network).__qualname__}"


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


def trace(
    own: CustomNetwork, input_shape: Shape, activation: Activation | str, *, tokens: bool = False
) -> TracedNetwork:
    """Find out what a network is made of, without computing: its parameters, its places, the shapes there.

    Args:
        own: the network.
        input_shape: of one sample.
        activation: the one under study.
        tokens: whether samples are ids of tokens, int32.

    Raises:
        InvalidNetwork: `init` or `apply` fails on such samples, `act` is never called, or twice under one name.
    """
    if isinstance(own, TorchNetwork):
        from actlab import custom_torch

        return custom_torch.trace(own, input_shape, activation, tokens=tokens)
    assert isinstance(own, JaxNetwork)
    import jax

    function = catalogue[activation] if isinstance(activation, str) else activation
    layers: list[BuiltLayer] = []

    def act(x: Array, name: str | None = None) -> Array:
        place = name or f"act{len(layers) + 1}"
        if known := next((built for built in layers if built.name == place), None):
            raise InvalidNetwork(
                f"network {own.name}: act is called twice under the name {place!r}, with samples of shapes "
                f"{known.input_shape} and {x.shape[1:]}: give every place a name of its own."
            )
        if place.partition("/")[0] == CUSTOM_PARAMETERS:
            raise InvalidNetwork(
                f"network {own.name}: act is called under the name {place!r}, where the network's own parameters are "
                "kept: give that place another."
            )
        layer = Act()
        try:
            output = layer.output_shape(x.shape[1:], function)
        except InvalidNetwork as error:
            raise InvalidNetwork(f"network {own.name}, {place}: {error}") from None
        own_shapes = {p.name: (x.shape[-1],) for p in function.parameters if p.trainable}
        layers.append(BuiltLayer(place, layer, x.shape[1:], output, own_shapes, {}))
        return jax.numpy.zeros((*x.shape[:-1], output[-1]), x.dtype)

    key = jax.eval_shape(lambda: jax.random.key(0))
    x = jax.ShapeDtypeStruct((2, *input_shape), jax.numpy.int32 if tokens else jax.numpy.result_type(float))
    params = _evaluated(own, "init", own.init, key)
    logits = _evaluated(own, "apply", partial(own.apply, act=act, training=False, key=None), params, x)
    if not layers:
        raise InvalidNetwork(
            f"network {own.name}: apply never calls act(x, name=…): nothing in it would differ between the activations."
        )
    if getattr(logits, "ndim", 0) != 2:
        shapes = jax.tree.map(lambda leaf: leaf.shape, logits)
        raise InvalidNetwork(
            f"network {own.name}: apply must return logits (batch, outputs) and returns {shapes} for a batch of 2."
        )
    _refuse_one_name_for_two(own, params)
    return TracedNetwork(own, function, tuple(layers), leaf_shapes(params), logits.shape[1:])


def _refuse_one_name_for_two(own: CustomNetwork, params: Tree) -> None:
    paths = _paths(params)
    twice = sorted(name for name in set(paths) if paths.count(name) > 1)
    if twice:
        raise InvalidNetwork(
            f"network {own.name}: init gives two arrays of the name {twice[0]!r}, for a '.' in a key reads like a step "
            "into the tree: give one of them another key."
        )


def _evaluated(own: CustomNetwork, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Shapes of what a user's function returns. Whatever it raises is the user's to see, with the shapes given."""
    import jax

    try:
        return jax.eval_shape(function, *arguments)
    except InvalidNetwork:
        raise
    except Exception as error:
        given = f" on samples of shape {arguments[-1].shape[1:]}" if name == "apply" else ""
        reason = " ".join(str(error).split())[:300]
        raise InvalidNetwork(f"network {own.name}: {name} fails{given} ({type(error).__name__}: {reason}).") from error


def leaf_shapes(params: Tree) -> dict[str, Shape]:
    """Shape of every array of a tree, by its path: `{"conv1.kernel": (3, 3, 1, 8), …}`.

    >>> import numpy as np
    >>> leaf_shapes({"first": {"w": np.zeros((2, 3))}, "second": [np.zeros(3)]})
    {'first.w': (2, 3), 'second.0': (3,)}
    """
    return {name: leaf.shape for name, leaf in named_leaves(params).items()}


def named_leaves(params: Tree) -> dict[str, Array]:
    """The arrays of a tree by their paths, as `leaf_shapes` names them."""
    import jax

    return dict(zip(_paths(params), jax.tree.leaves(params), strict=True))


def map_leaves(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """A function of every array of a tree."""
    import jax

    return jax.tree.map(function, tree)


def _paths(params: Tree) -> list[str]:
    import jax

    return [
        ".".join(str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part)))) for part in path)
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
