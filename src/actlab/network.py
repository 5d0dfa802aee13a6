"""Networks: a list of frozen layer descriptions becomes `init(key)` and a pure `apply(params, x, act)`.

`Act()` marks the place where the activation under study goes; `Act("relu")` is a fixed one. A layer computes with
the array namespace of its input, so that the same network runs in JAX while it is trained and in NumPy when
somebody looks at a recording later.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, PositiveInt, ValidationError
from pydantic.dataclasses import dataclass as validated

from actlab import initialisers
from actlab.errors import InvalidNetwork, complaint
from actlab.functions import Activation, catalogue
from actlab.functions.arrays import namespace

Array = Any
Shape = tuple[int, ...]
Params = Mapping[str, Mapping[str, Array]]
T = TypeVar("T")
# Set while the study of a recording is read: its functions may be a user's own, unknown to this process.
names_as_recorded: ContextVar[bool] = ContextVar("names_as_recorded", default=False)
Initialiser = Annotated[str, AfterValidator(initialisers.check)]


@dataclass_transform(frozen_default=True)
def _description(layer: type[T]) -> type[T]:
    """A frozen, validated dataclass whose wrong arguments are an InvalidNetwork."""
    described = validated(frozen=True, config=ConfigDict(extra="forbid"))(layer)
    init = described.__init__

    @functools.wraps(init)
    def checked(self: Any, *arguments: Any, **settings: Any) -> None:
        try:
            init(self, *arguments, **settings)
        except ValidationError as error:
            raise InvalidNetwork(f"{layer.__name__}: {complaint(error.errors()[0])}") from None

    described.__init__ = checked  # type: ignore[method-assign]
    return cast("type[T]", described)


@_description
class Act:
    """The place of an activation function.

    Args:
        function: name of a fixed function; None for the one under study.
        per_unit: whether trainable parameters of the function (prelu's slope) are one per unit or one per layer.
    """

    function: str | None = None
    per_unit: bool = True
    layer: Literal["act"] = field(default="act", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.function is not None and not names_as_recorded.get():
            catalogue[self.function]

    def activation(self, studied: Activation) -> Activation:
        """The function at this place, where `studied` is the one under study."""
        return studied if self.function is None else catalogue[self.function]

    def output_shape(self, shape: Shape, studied: Activation) -> Shape:
        """Shape of one sample after the function: maxout leaves one unit for every `pieces`."""
        group = self.activation(studied).inputs_per_unit()
        if shape[-1] % group:
            raise InvalidNetwork(
                f"{self.activation(studied).name} makes one unit out of {group} inputs and got {shape[-1]}: "
                f"give the layer before it a multiple of {group} units."
            )
        return (*shape[:-1], shape[-1] // group)


@_description
class Dense:
    """Fully connected layer: y = x·W + b, x (batch, inputs), W (inputs, units), b (units,).

    Args:
        units: number of outputs.
        activation: `Dense(64, activation="tanh")` is the same network as `Dense(64), Act("tanh")`.
        init: initialiser of W; b starts at zero.
        bias: whether there is b at all.
    """

    units: PositiveInt
    activation: Act | str | None = None
    init: Initialiser = "glorot_uniform"
    bias: bool = True
    layer: Literal["dense"] = field(default="dense", kw_only=True, repr=False)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of weight and bias for samples of `shape`.

        >>> Dense(3).parameter_shapes((5,))
        {'weight': (5, 3), 'bias': (3,)}
        """
        weight = {"weight": (shape[0], self.units)}
        return weight | ({"bias": (self.units,)} if self.bias else {})

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but vectors."""
        if len(shape) != 1:
            raise InvalidNetwork(f"Dense takes vectors and got samples of shape {shape}: put Flatten() before it.")
        return (self.units,)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, inputs) -> (batch, units)."""
        y = x @ params["weight"]
        return y + params["bias"] if self.bias else y


@_description
class Conv:
    """Convolution over images (batch, height, width, channels); W (kernel, kernel, channels, filters), b (filters,).

    y[i, j] = b + Σ_{k, l} x[stride·i + k, stride·j + l] · W[k, l], cross-correlation as in all frameworks.

    Written as one matrix product over patches: inside a compiled loop on a CPU, XLA's own convolution takes a path
    some 20 times slower.

    Args:
        filters: number of output channels.
        kernel: height and width of the window.
        padding: "same" (zeros around, output height = ceil(height / stride)) or "valid" (none).
        stride: step between windows.
        activation, init, bias: as for Dense.

    >>> Conv(6, kernel=5).output_shape((28, 28, 1)), Conv(6, 5, padding="valid", stride=2).output_shape((28, 28, 1))
    ((28, 28, 6), (12, 12, 6))
    """

    filters: PositiveInt
    kernel: PositiveInt = 3
    padding: Literal["same", "valid"] = "same"
    stride: PositiveInt = 1
    activation: Act | str | None = None
    init: Initialiser = "glorot_uniform"
    bias: bool = True
    layer: Literal["conv"] = field(default="conv", kw_only=True, repr=False)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of weight and bias for samples of `shape`."""
        weight = {"weight": (self.kernel, self.kernel, shape[-1], self.filters)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images that hold the window."""
        height, width = _window_positions("Conv", shape, self.kernel, self.stride, self.padding)
        return (height, width, self.filters)

    def patches(self, x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', kernel·kernel·channels), row by row of a patch.

        >>> import numpy as np
        >>> Conv(1, kernel=2, padding="valid").patches(np.arange(6).reshape(1, 2, 3, 1)).tolist()
        [[[[0, 1, 3, 4], [1, 2, 4, 5]]]]
        """
        xp = namespace(x)
        height, width, _ = self.output_shape(x.shape[1:])
        if self.padding == "same":
            x = xp.pad(x, ((0, 0), *(_same_padding(n, self.kernel, self.stride) for n in x.shape[1:3]), (0, 0)))
        return xp.concatenate(_windows(x, self.kernel, self.stride, height, width), axis=-1)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', filters)."""
        y = self.patches(x) @ params["weight"].reshape(-1, self.filters)
        return y + params["bias"] if self.bias else y


@_description
class MaxPool:
    """Largest value of each window of images (batch, height, width, channels); no padding.

    Args:
        size: height and width of the window.
        stride: step between windows; `size` where None, smaller for overlapping windows.

    >>> import numpy as np
    >>> MaxPool(2).apply({}, np.arange(8).reshape(1, 2, 4, 1)).ravel().tolist()
    [5, 7]
    """

    size: PositiveInt = 2
    stride: PositiveInt | None = None
    layer: Literal["max_pool"] = field(default="max_pool", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images that hold the window."""
        height, width = _window_positions("MaxPool", shape, self.size, self.stride or self.size, "valid")
        return (height, width, shape[-1])

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', channels)."""
        height, width, _ = self.output_shape(x.shape[1:])
        # Strided slices: their backward pass is some 5 times faster on a CPU than that of a window reduction.
        first, *others = _windows(x, self.size, self.stride or self.size, height, width)
        for window in others:
            first = namespace(x).maximum(first, window)
        return first


@_description
class Flatten:
    """Images (batch, height, width, channels) to vectors (batch, height·width·channels); vectors stay as they are."""

    layer: Literal["flatten"] = field(default="flatten", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return (math.prod(shape),)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, ...) -> (batch, features)."""
        return x.reshape(x.shape[0], -1)


@_description
class Dropout:
    """Sets a share of the units to zero while training and scales the others by 1/(1 − rate); else does nothing.

    Source: Srivastava et al. 2014 (JMLR 15).

    Args:
        rate: share of units set to zero, in [0, 1).
    """

    rate: Annotated[float, Field(ge=0, lt=1)] = 0.5
    layer: Literal["dropout"] = field(default="dropout", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape

    def apply(self, params: Mapping[str, Array], x: Array, *, key: Array | None = None) -> Array:
        """(batch, ...) -> the same shape; nothing is dropped without a JAX random `key`."""
        return x if key is None else x * self.mask(key, x.shape, x.dtype)

    def mask(self, key: Array, shape: Shape, dtype: Any) -> Array:
        """Zeros and 1/(1 − rate), drawn in JAX."""
        import jax

        kept = jax.random.bernoulli(key, 1 - self.rate, shape)
        return kept.astype(dtype) / (1 - self.rate)


Layer = Annotated[Dense | Act | Conv | MaxPool | Flatten | Dropout, Discriminator("layer")]
WEIGHTED = (Dense, Conv)


def _window_positions(name: str, shape: Shape, kernel: int, stride: int, padding: str) -> Shape:
    if len(shape) != 3:
        raise InvalidNetwork(f"{name} takes images (height, width, channels) and got samples of shape {shape}.")
    if padding == "same":
        return tuple(math.ceil(n / stride) for n in shape[:2])
    if min(shape[:2]) < kernel:
        raise InvalidNetwork(
            f"{name}: a window of {kernel}×{kernel} does not fit into images of {shape[0]}×{shape[1]}."
        )
    return tuple((n - kernel) // stride + 1 for n in shape[:2])


def _same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


def _windows(x: Array, size: int, stride: int, height: int, width: int) -> list[Array]:
    """For every offset in the window, that pixel of every window: size² arrays (batch, height, width, channels)."""
    rows, columns = stride * (height - 1) + 1, stride * (width - 1) + 1
    offsets = [(i, j) for i in range(size) for j in range(size)]
    return [x[:, i : i + rows : stride, j : j + columns : stride] for i, j in offsets]


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
                start = {p.name: float(p.default) for p in layer.activation(self.activation).parameters}
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
            training: whether dropout drops.
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
                x = act(x, name=site.name) if act else function(x, **params.get(site.name, {}))
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
        if isinstance(layer, WEIGHTED) and isinstance(following, Act) and following.function is None:
            layer = _widened(layer, studied.inputs_per_unit())
        try:
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
