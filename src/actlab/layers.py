"""Layers: frozen descriptions, each with the shapes it makes and what it computes.

`Act()` marks the place where the activation under study goes; `Act("relu")` is a fixed one. A layer computes with
the array namespace of its input, so that the same network runs in JAX while it is trained and in NumPy when
somebody looks at a recording later.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import field
from typing import Annotated, Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, PositiveInt, ValidationError
from pydantic.dataclasses import dataclass as validated

from actlab import initialisers
from actlab.errors import InvalidNetwork, complaint
from actlab.functions import Activation, catalogue
from actlab.functions.arrays import namespace

Array = Any
Shape = tuple[int, ...]
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
        """Shape of one sample after the function: maxout leaves one unit for every `pieces`, crelu makes two of one."""
        function = self.activation(studied)
        group = function.inputs_per_unit()
        if shape[-1] % group:
            raise InvalidNetwork(
                f"{function.name} makes one unit out of {group} inputs and got {shape[-1]}: "
                f"give the layer before it a multiple of {group} units."
            )
        if weights := [p.name for p in function.parameters if p.shape]:
            raise InvalidNetwork(
                f"{function.name} has weights of its own ({', '.join(weights)}), which a population does not train: "
                f"use actlab.torch.Activation({function.name!r}, units={shape[-1]}) in a network of PyTorch."
            )
        return (*shape[:-1], int(shape[-1] / group))


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
