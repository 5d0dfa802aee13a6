"""Layers that keep activations in a range: batch normalisation and local response normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeInt

from actlab.functions.arrays import namespace
from actlab.layers.description import Array, NotNegative, Positive, Shape, description


@description
class BatchNorm:
    """Batch normalisation: y = scale·(x − mean)/√(variance + ε) + shift, for every unit, or channel of images.

    While training, mean and variance (that with 1/n) are those of the batch, over all its samples and positions;
    they move the running ones, with which every other pass computes:
    running ← momentum·running + (1 − momentum)·batch, the batch's variance taken with 1/(n − 1), as in PyTorch (whose
    momentum is 1 − ours). Scale and shift are trained, from 1 and 0; mean and variance run, from 0 and 1.

    Source: Ioffe & Szegedy 2015 (arXiv 1502.03167).

    Args:
        momentum: share of the running statistics that a step leaves, in [0, 1).
        epsilon: ε, more than 0.

    >>> import numpy as np
    >>> one = {"scale": np.array([3.0]), "shift": np.ones(1), "mean": np.array([2.0]), "variance": np.array([0.25])}
    >>> BatchNorm(epsilon=1e-12).apply(one, np.array([[2.0], [3.0]])).ravel().round(6).tolist()
    [1.0, 7.0]
    """

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    epsilon: Positive = 1e-5
    layer: Literal["batch_norm"] = field(default="batch_norm", kw_only=True, repr=False)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of the trained arrays."""
        return {"scale": shape[-1:], "shift": shape[-1:]}

    def statistic_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of the running statistics."""
        return {"mean": shape[-1:], "variance": shape[-1:]}

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, ..., units) -> the same shape, with the running statistics.

        `params` are scale, shift, mean and variance, (units,) or whatever broadcasts against x.
        """
        return self._normalised(params, x, params["mean"], params["variance"])

    def train(
        self, params: Mapping[str, Array], x: Array, axes: tuple[int, ...], weights: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """The layer with the batch's statistics, and the running ones moved by these.

        Args:
            params: as for `apply`.
            x: activations.
            axes: of x, those of samples and positions.
            weights: 1 for samples that count and 0 for padding, with an axis for each of x; None where all count.

        Returns:
            y, and {"mean", "variance"}, which have length 1 on `axes`.
        """
        xp = namespace(x)
        count = math.prod(x.shape[axis] for axis in axes)
        if weights is not None:
            positions = count // math.prod(weights.shape[axis] for axis in axes)
            count = positions * xp.sum(weights, axis=axes, keepdims=True)

        def mean_of(values: Array) -> Array:
            counted = values if weights is None else xp.where(weights > 0, values, 0.0)
            return xp.sum(counted, axis=axes, keepdims=True) / count

        mean = mean_of(x)
        variance = mean_of(xp.square(x - mean))
        # A batch of one number has no variance of its own: 0, not 0/0.
        unbiased = variance * (count / xp.maximum(count - 1, 1))
        moved = {
            name: self.momentum * params[name] + (1 - self.momentum) * value
            for name, value in (("mean", mean), ("variance", unbiased))
        }
        return self._normalised(params, x, mean, variance), moved

    def _normalised(self, params: Mapping[str, Array], x: Array, mean: Array, variance: Array) -> Array:
        factor = params["scale"] / namespace(x).sqrt(variance + self.epsilon)
        return (x - mean) * factor + params["shift"]


@description
class LocalResponseNorm:
    """Local response normalisation: y_c = x_c / (bias + α·Σ_{|j − c| ≤ depth_radius} x_j²)^β over channels c, j.

    TensorFlow's convention (`tf.nn.local_response_normalization`); PyTorch divides its α by the number of channels
    in the window, 2·depth_radius + 1.

    Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks",
    section 3.3. The defaults are those of TensorFlow's CIFAR-10 tutorial.

    Args:
        depth_radius: channels on either side that count.
        bias: more than 0, so that there is something to divide by where all x are 0.
        alpha: 0 or more.
        beta: 0 or more.

    >>> import numpy as np
    >>> LocalResponseNorm(depth_radius=1, alpha=1.0, beta=0.5).apply({}, np.array([[2.0, 2.0, 4.0]])).tolist()
    [[0.6666666666666666, 0.4, 0.8728715609439696]]
    """

    depth_radius: NonNegativeInt = 4
    bias: Positive = 1.0
    alpha: NotNegative = 0.001 / 9
    beta: NotNegative = 0.75
    layer: Literal["local_response_norm"] = field(default="local_response_norm", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, ..., channels) -> the same shape."""
        places = np.arange(x.shape[-1])
        near = np.abs(places[:, None] - places) <= self.depth_radius
        # One product with a band of ones: no window is moved over the channels, in either direction of the gradient.
        xp = namespace(x)
        sums = xp.square(x) @ near.astype(x.dtype)
        # The base is `bias` at least, so neither the logarithm nor its gradient can fail. XLA has no vectorised power.
        return x * xp.exp(-self.beta * xp.log(self.bias + self.alpha * sums))
