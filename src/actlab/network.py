"""Networks: a list of frozen layer descriptions becomes `init(key)` and a pure `apply(params, x, act)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from actlab import initialisers
from actlab.errors import InvalidNetwork
from actlab.functions import Activation, catalogue
from actlab.layers import WEIGHTED, Act, Array, Dense, Dropout, Shape

Params = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Site:
    """A layer in its place.

    Attributes:
        name: in the network, as "dense1" or "act2": its kind and how many of it there have been.
        layer: its description, widened where the function after it needs more inputs.
        input_shape, output_shape: of one sample.
        parameter_shapes: of its trained arrays, by name; empty where it has none.
    """

    name: str
    layer: Any
    input_shape: Shape
    output_shape: Shape
    parameter_shapes: Mapping[str, Shape]

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers of this layer."""
        return sum(math.prod(shape) for shape in self.parameter_shapes.values())


@dataclass(frozen=True)
class Network:
    """Layers that fit each other, for samples of one shape and one activation under study."""

    sites: tuple[Site, ...]
    activation: Activation

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers, those of trainable activation functions among them."""
        return sum(site.parameter_count for site in self.sites)

    @property
    def weight_layers(self) -> tuple[str, ...]:
        """Names of the layers that have a weight matrix, from input to output."""
        return tuple(site.name for site in self.sites if isinstance(site.layer, WEIGHTED))

    @property
    def act_layers(self) -> tuple[str, ...]:
        """Names of the places of activation functions, from input to output."""
        return tuple(site.name for site in self.sites if isinstance(site.layer, Act))

    def init(self, key: Array) -> dict[str, dict[str, Array]]:
        """Initial parameters of one network: `{layer: {"weight": …, "bias": …}}`.

        Weights as the layer's initialiser draws them, biases zero, trainable parameters of functions at their default.
        A layer's weights depend on the key and its place alone, not on the activation under study.

        Args:
            key: a JAX random key.
        """
        import jax

        params: dict[str, dict[str, Array]] = {}
        for number, site in enumerate(self.sites):
            layer, shapes = site.layer, site.parameter_shapes
            if isinstance(layer, Act):
                parameters = layer.activation(self.activation).parameters
                start = {p.name: float(p.default) for p in parameters if p.default is not None}
                values = {name: jax.numpy.full(shape, start[name]) for name, shape in shapes.items()}
            else:
                values = {name: jax.numpy.zeros(shape) for name, shape in shapes.items()}
                if isinstance(layer, WEIGHTED):
                    values["weight"] = initialisers.draw(layer.init, jax.random.fold_in(key, number), shapes["weight"])
            if values:
                params[site.name] = values
        return params

    def apply(
        self,
        params: Params,
        x: Array,
        act: Callable[..., Array] | None = None,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> Array:
        """Outputs (batch, outputs) before the last non-linearity (logits) of one network.

        Args:
            params: what `init` returns.
            x: (batch, *sample shape), NumPy or JAX.
            act: `act(pre_activation, name=layer_name)`, called at every `Act`; the functions themselves where None.
            training: whether dropout drops and stochastic functions draw.
            key: a JAX random key, needed for that and for nothing else.

        >>> import numpy as np
        >>> network = build([Dense(2), Act(), Dense(1)], (2,), "relu")
        >>> first = {"weight": np.eye(2), "bias": np.array([0.0, -1.0])}
        >>> params = {"dense1": first, "dense2": {"weight": np.ones((2, 1)), "bias": np.zeros(1)}}
        >>> network.apply(params, np.array([[3.0, 0.5], [-3.0, 1.5]])).tolist()
        [[3.0], [0.5]]
        """
        for number, site in enumerate(self.sites):
            layer = site.layer
            if isinstance(layer, Act):
                function = layer.activation(self.activation)
                own = {"key": _layer_key(key, number)} if training and function.noise else {}
                x = act(x, name=site.name) if act else function(x, **own, **params.get(site.name, {}))
            elif isinstance(layer, Dropout):
                x = layer.apply({}, x, key=_layer_key(key, number) if training else None)
            else:
                x = layer.apply(params.get(site.name, {}), x)
        return x


def _layer_key(key: Array, number: int) -> Array:
    import jax

    return jax.random.fold_in(key, number)


def expand(layers: Sequence[Any]) -> tuple[Any, ...]:
    """Layers with every `activation=` argument written as an `Act` of its own.

    >>> expand([Dense(3, activation="tanh")]) == (Dense(3), Act("tanh"))
    True
    """
    expanded: list[Any] = []
    for layer in layers:
        activation = getattr(layer, "activation", None)
        if isinstance(layer, WEIGHTED) and activation is not None:
            act = activation if isinstance(activation, Act) else Act(activation)
            expanded += [replace(layer, activation=None), act]
        else:
            expanded.append(layer)
    return tuple(expanded)


def build(layers: Sequence[Any], input_shape: Shape, activation: Activation | str = "relu") -> Network:
    """Put layers together for samples of `input_shape`, with `activation` at every open `Act()`.

    A layer before an open `Act()` states the number of units after the function: for maxout, which takes the
    largest of `pieces` inputs, it is widened by that factor.

    >>> network = build([Dense(512), Act(), Dense(10)], (784,))
    >>> network.parameter_count, network.weight_layers, network.act_layers
    (407050, ('dense1', 'dense2'), ('act1',))

    Raises:
        InvalidNetwork: no layers, or a layer that does not fit what comes before it.
        UnknownName: no such activation.
    """
    studied = catalogue[activation] if isinstance(activation, str) else activation
    if not layers:
        raise InvalidNetwork("the network has no layers: give at least one Dense(units).")
    sites: list[Site] = []
    shape = tuple(input_shape)
    counts: dict[str, int] = {}
    expanded = expand(layers)
    for place, layer in enumerate(expanded):
        # Pooling and dropout between a layer and its function leave the number of units as it is.
        following = next((v for v in expanded[place + 1 :] if isinstance(v, (Act, *WEIGHTED))), None)
        counts[layer.layer] = counts.get(layer.layer, 0) + 1
        name = f"{layer.layer}{counts[layer.layer]}"
        try:
            if isinstance(layer, WEIGHTED) and isinstance(following, Act) and following.function is None:
                layer = _widened(layer, _whole(layer, studied))
            output = layer.output_shape(shape, studied) if isinstance(layer, Act) else layer.output_shape(shape)
        except InvalidNetwork as error:
            raise InvalidNetwork(f"layer {name}: {error}") from None
        sites.append(Site(name, layer, shape, output, _parameter_shapes(layer, shape, studied)))
        shape = output
    return Network(tuple(sites), studied)


def _parameter_shapes(layer: Any, shape: Shape, studied: Activation) -> dict[str, Shape]:
    if isinstance(layer, Act):
        trainable = (p for p in layer.activation(studied).parameters if p.trainable)
        return {p.name: (shape[-1],) if layer.per_unit else (1,) for p in trainable}
    return layer.parameter_shapes(shape) if isinstance(layer, WEIGHTED) else {}


def _whole(layer: Any, studied: Activation) -> float:
    """Inputs for a unit of the function, once it is known that they make a whole number."""
    factor, units = studied.inputs_per_unit(), getattr(layer, "units", 0) or layer.filters
    if units * factor % 1:
        raise InvalidNetwork(
            f"{studied.name} makes {1 / factor:g} units out of one input, and {units} units are no multiple of that."
        )
    return factor


def _widened(layer: Any, factor: float) -> Any:
    units = "units" if isinstance(layer, Dense) else "filters"
    return replace(layer, **{units: max(1, round(getattr(layer, units) * factor))})


def matching_parameters(
    layers: Sequence[Any], input_shape: Shape, activation: Activation, budget: int
) -> tuple[Any, ...]:
    """Layers whose hidden widths are scaled so that the network has as near to `budget` parameters as widths allow.

    Widths count units after the function. The last weight layer, whose width is the number of outputs, stays.

    Args:
        layers: the network as written for functions that keep the width.
        input_shape: shape of one sample.
        activation: the function that changes it.
        budget: number of parameters to come near to; widths go up to twice those of `layers`.

    >>> matching_parameters([Dense(12), Act(), Dense(1)], (2,), catalogue["maxout"], budget=49)[0]
    Dense(units=7, activation=None, init='glorot_uniform', bias=True)
    """
    expanded = expand(layers)
    weighted = [i for i, layer in enumerate(expanded) if isinstance(layer, WEIGHTED)]

    def scaled(factor: float) -> tuple[Any, ...]:
        return tuple(_widened(v, factor) if i in weighted[:-1] else v for i, v in enumerate(expanded))

    def distance(factor: float) -> int:
        return abs(build(scaled(factor), input_shape, activation).parameter_count - budget)

    widest = max((getattr(expanded[i], "units", 0) or expanded[i].filters for i in weighted[:-1]), default=1)
    return scaled(min((k / (4 * widest) for k in range(1, 8 * widest + 1)), key=distance))
