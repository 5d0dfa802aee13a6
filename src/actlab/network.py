"""Networks: a list of frozen layer descriptions becomes `init(key)` and a pure `apply(params, x, act)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from actlab import initialisers
from actlab.errors import InvalidNetwork
from actlab.functions import Activation, catalogue
from actlab.layers import (
    WEIGHTED,
    Act,
    Array,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Fork,
    Join,
    Residual,
    Shape,
    projection,
    written,
)

Params = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class BuiltLayer:
    """A layer in its place.

    Attributes:
        name: in the network, as "dense1" or "act2": its kind and how many of it there have been.
        layer: its description, widened where the function after it needs more inputs.
        input_shape, output_shape: of one sample.
        parameter_shapes: of its trained arrays, by name; empty where it has none.
        statistic_shapes: of its running statistics, by name, which lie among a network's parameters but are not
            trained; empty for all but batch normalisation.
    """

    name: str
    layer: Any
    input_shape: Shape
    output_shape: Shape
    parameter_shapes: Mapping[str, Shape]
    statistic_shapes: Mapping[str, Shape]

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers of this layer."""
        return sum(math.prod(shape) for shape in self.parameter_shapes.values())

    @property
    def weighted_layer(self) -> Dense | Conv | None:
        """What is done with its weight matrix: the layer itself, or the projection of a residual block; or None."""
        if isinstance(self.layer, Join):
            return self.layer.projection
        return self.layer if isinstance(self.layer, WEIGHTED) else None


@dataclass(frozen=True)
class Network:
    """Layers that fit each other, for samples of one shape and one activation under study."""

    layers: tuple[BuiltLayer, ...]
    activation: Activation

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers, those of trainable activation functions among them."""
        return sum(built.parameter_count for built in self.layers)

    @property
    def output_shape(self) -> Shape:
        """Shape of the outputs of one sample."""
        return self.layers[-1].output_shape

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Equal for networks whose members can be trained together: they differ in their functions alone."""
        return tuple(tuple(built.parameter_shapes.items()) for built in self.layers if not isinstance(built.layer, Act))

    @property
    def weight_layers(self) -> tuple[str, ...]:
        """Names of the Dense and Conv layers, from input to output.

        Projections of residual blocks are not among them: whether there are any depends on the activation.
        """
        return tuple(built.name for built in self.layers if isinstance(built.layer, WEIGHTED))

    @property
    def act_layers(self) -> tuple[str, ...]:
        """Names of the places of activation functions, from input to output."""
        return tuple(built.name for built in self.layers if isinstance(built.layer, Act))

    @property
    def penalised(self) -> bool:
        """Whether training adds an L2 term to the loss."""
        return any(built.weighted_layer is not None and built.weighted_layer.l2 > 0 for built in self.layers)

    def init(self, key: Array) -> dict[str, dict[str, Array]]:
        """Initial parameters of one network: `{layer: {"weight": …, "bias": …}}`.

        Weights as the layer's initialiser draws them, biases zero, trainable parameters of functions at their default;
        of batch normalisation scale and variance one, shift and mean zero.
        A layer's weights depend on the key and its place alone, not on the activation under study.

        Args:
            key: a JAX random key.
        """
        import jax

        params: dict[str, dict[str, Array]] = {}
        for number, built in enumerate(self.layers):
            layer = built.layer
            start = {"scale": 1.0, "variance": 1.0}
            if isinstance(layer, Act):
                parameters = layer.activation(self.activation).parameters
                start = {p.name: float(p.default) for p in parameters if p.default is not None}
            shapes = {**built.parameter_shapes, **built.statistic_shapes}
            values = {name: jax.numpy.full(shape, start.get(name, 0.0)) for name, shape in shapes.items()}
            if built.weighted_layer:
                own = jax.random.fold_in(key, number)
                values["weight"] = initialisers.draw(built.weighted_layer.init, own, shapes["weight"])
            if values:
                params[built.name] = values
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
            training: whether dropout drops, stochastic functions draw and batch normalisation takes the statistics
                of the batch.
            key: a JAX random key, needed for what is drawn and for nothing else.

        >>> import numpy as np
        >>> network = build([Dense(2), Act(), Dense(1)], (2,), "relu")
        >>> first = {"weight": np.eye(2), "bias": np.array([0.0, -1.0])}
        >>> params = {"dense1": first, "dense2": {"weight": np.ones((2, 1)), "bias": np.zeros(1)}}
        >>> network.apply(params, np.array([[3.0, 0.5], [-3.0, 1.5]])).tolist()
        [[3.0], [0.5]]
        """
        kept: list[Array] = []
        for number, built in enumerate(self.layers):
            layer, own = built.layer, params.get(built.name, {})
            if isinstance(layer, Act):
                function = layer.activation(self.activation)
                noise = {"key": _layer_key(key, number)} if training and function.noise else {}
                x = act(x, name=built.name) if act else function(x, **noise, **own)
            elif isinstance(layer, Dropout):
                x = layer.apply({}, x, key=_layer_key(key, number) if training else None)
            elif isinstance(layer, BatchNorm) and training:
                x, _ = layer.train(own, x, tuple(range(x.ndim - 1)))
            elif isinstance(layer, Fork):
                kept.append(x)
            elif isinstance(layer, Join):
                x = layer.apply(own, x, kept.pop())
            else:
                x = layer.apply(own, x)
        return x


def _layer_key(key: Array, number: int) -> Array:
    import jax

    return jax.random.fold_in(key, number)


def expand(layers: Sequence[Any]) -> tuple[Any, ...]:
    """Layers with every `activation=` argument written as an `Act` of its own, those in residual blocks too.

    >>> expand([Dense(3, activation="tanh")]) == (Dense(3), Act("tanh"))
    True
    """
    expanded: list[Any] = []
    for layer in layers:
        activation = getattr(layer, "activation", None)
        if isinstance(layer, WEIGHTED) and activation is not None:
            act = activation if isinstance(activation, Act) else Act(activation)
            expanded += [replace(layer, activation=None), act]
        elif isinstance(layer, Residual):
            expanded.append(Residual(expand(layer.layers)))
        else:
            expanded.append(layer)
    return tuple(expanded)


def flat(layers: Sequence[Any]) -> Iterator[Any]:
    """Layers one after the other, those of residual blocks between their Fork and Join.

    >>> [layer.layer for layer in flat([Dense(3), Residual([Act(), Dense(3)])])]
    ['dense', 'fork', 'act', 'dense', 'join']
    """
    for layer in layers:
        yield from (Fork(), *flat(layer.layers), Join()) if isinstance(layer, Residual) else (layer,)


def build(layers: Sequence[Any], input_shape: Shape, activation: Activation | str = "relu") -> Network:
    """Put layers together for samples of `input_shape`, with `activation` at every open `Act()`.

    A layer before an open `Act()` states the number of units after the function: for maxout, which takes the
    largest of `pieces` inputs, it is widened by that factor.

    >>> network = build([Dense(512), Act(), Dense(10)], (784,))
    >>> network.parameter_count, network.weight_layers, network.act_layers
    (407050, ('dense1', 'dense2'), ('act1',))

    Raises:
        InvalidNetwork: no layers, or a layer that does not fit what comes before it; the message says what the layers
            before it make of a sample.
        UnknownName: no such activation.
    """
    studied = catalogue[activation] if isinstance(activation, str) else activation
    if not layers:
        raise InvalidNetwork("the network has no layers: give at least one Dense(units).")
    so_far: list[BuiltLayer] = []
    counts: dict[str, int] = {}
    forks: list[int] = []
    in_order = tuple(flat(expand(layers)))
    shape = tuple(input_shape)
    for place, layer in enumerate(in_order):
        counts[layer.layer] = counts.get(layer.layer, 0) + 1
        name = f"{layer.layer}{counts[layer.layer]}"
        # Pooling and dropout between a layer and its function leave the number of units as it is.
        following = next((v for v in in_order[place + 1 :] if isinstance(v, (Act, *WEIGHTED))), None)
        try:
            if isinstance(layer, WEIGHTED) and isinstance(following, Act) and following.function is None:
                layer = _widened(layer, _whole(layer, studied))
            elif isinstance(layer, Fork):
                forks.append(place)
            elif isinstance(layer, Join):
                layer = _join(so_far[forks.pop() :])
            so_far.append(_built(name, layer, shape, studied))
        except InvalidNetwork as error:
            shapes = [written(input_shape), *(f"{built.name} {written(built.output_shape)}" for built in so_far)]
            raise InvalidNetwork(f"{' → '.join(shapes)} → {name}: {error}") from None
        shape = so_far[-1].output_shape
    return Network(tuple(so_far), studied)


def _join(block: Sequence[BuiltLayer]) -> Join:
    start = block[0].input_shape
    return Join(start, projection([built.layer for built in block], start, block[-1].output_shape))


def _built(name: str, layer: Any, shape: Shape, studied: Activation) -> BuiltLayer:
    if isinstance(layer, Act):
        trainable = (p for p in layer.activation(studied).parameters if p.trainable)
        own = {p.name: (shape[-1],) if layer.per_unit else (1,) for p in trainable}
        return BuiltLayer(name, layer, shape, layer.output_shape(shape, studied), own, {})
    output = layer.output_shape(shape)
    trained = layer.parameter_shapes(shape) if isinstance(layer, (BatchNorm, Join, *WEIGHTED)) else {}
    running = layer.statistic_shapes(shape) if isinstance(layer, BatchNorm) else {}
    return BuiltLayer(name, layer, shape, output, trained, running)


def _whole(layer: Any, studied: Activation) -> float:
    """Inputs for a unit of the function, once it is known that they make a whole number."""
    factor, units = studied.inputs_per_unit(), _units(layer)
    if units * factor % 1:
        raise InvalidNetwork(
            f"{studied.name} makes {1 / factor:g} units out of one input, and {units} units are no multiple of that."
        )
    return factor


def _units(layer: Dense | Conv) -> int:
    return layer.units if isinstance(layer, Dense) else layer.filters


def _widened(layer: Any, factor: float) -> Any:
    name = "units" if isinstance(layer, Dense) else "filters"
    return replace(layer, **{name: max(1, round(_units(layer) * factor))})


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
    Dense(units=7, activation=None, init='glorot_uniform', bias=True, l2=0.0)
    """
    expanded = expand(layers)
    weighted = [layer for layer in flat(expanded) if isinstance(layer, WEIGHTED)]

    def distance(factor: float) -> int:
        return abs(build(_scaled(expanded, factor), input_shape, activation).parameter_count - budget)

    widest = max((_units(layer) for layer in weighted[:-1]), default=1)
    return _scaled(expanded, min((k / (4 * widest) for k in range(1, 8 * widest + 1)), key=distance))


def _scaled(layers: Sequence[Any], factor: float, outputs: bool = True) -> tuple[Any, ...]:
    """Layers with other widths, in residual blocks too; where the `outputs` are among them, the last one keeps its."""
    found: list[Any] = []
    for layer in reversed(layers):
        weighted = any(isinstance(own, WEIGHTED) for own in flat((layer,)))
        if isinstance(layer, Residual):
            layer = Residual(_scaled(layer.layers, factor, outputs))
        elif weighted and not outputs:
            layer = _widened(layer, factor)
        outputs = outputs and not weighted
        found.append(layer)
    return tuple(reversed(found))
