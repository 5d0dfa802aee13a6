"""Layers with a weight matrix: fully connected and convolutional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from pydantic import PositiveInt

from actlab.errors import InvalidNetwork
from actlab.functions.arrays import namespace
from actlab.layers.activation import Act
from actlab.layers.description import Array, Initialiser, NotNegative, Shape, description, written
from actlab.layers.windows import Padding, positions, windows


@description
class Dense:
    """Fully connected layer: y = x·W + b, x (batch, inputs), W (inputs, units), b (units,).

    Args:
        units: number of outputs.
        activation: `Dense(64, activation="tanh")` is the same network as `Dense(64), Act("tanh")`.
        init: initialiser of W; b starts at zero.
        bias: whether there is b at all.
        l2: adds l2·½·ΣW² to what training minimises; the recorded losses leave it out.
    """

    units: PositiveInt
    activation: Act | str | None = None
    init: Initialiser = "glorot_uniform"
    bias: bool = True
    l2: NotNegative = 0.0
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
            raise InvalidNetwork(f"Dense takes vectors and got {written(shape)}: put Flatten() before it.")
        return (self.units,)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, inputs) -> (batch, units)."""
        y = x @ params["weight"]
        return y + params["bias"] if self.bias else y


@description
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
        activation, init, bias, l2: as for Dense.

    >>> Conv(6, kernel=5).output_shape((28, 28, 1)), Conv(6, 5, padding="valid", stride=2).output_shape((28, 28, 1))
    ((28, 28, 6), (12, 12, 6))
    """

    filters: PositiveInt
    kernel: PositiveInt = 3
    padding: Padding = "same"
    stride: PositiveInt = 1
    activation: Act | str | None = None
    init: Initialiser = "glorot_uniform"
    bias: bool = True
    l2: NotNegative = 0.0
    layer: Literal["conv"] = field(default="conv", kw_only=True, repr=False)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of weight and bias for samples of `shape`."""
        weight = {"weight": (self.kernel, self.kernel, shape[-1], self.filters)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images that hold the window."""
        return (*positions("Conv", shape, self.kernel, self.stride, self.padding), self.filters)

    def patches(self, x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', kernel·kernel·channels), row by row of a patch.

        >>> import numpy as np
        >>> Conv(1, kernel=2, padding="valid").patches(np.arange(6).reshape(1, 2, 3, 1)).tolist()
        [[[[0, 1, 3, 4], [1, 2, 4, 5]]]]
        """
        return namespace(x).concatenate(windows(x, self.kernel, self.stride, self.padding, 0.0), axis=-1)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', filters)."""
        y = self.patches(x) @ params["weight"].reshape(-1, self.filters)
        return y + params["bias"] if self.bias else y


WEIGHTED = (Dense, Conv)
