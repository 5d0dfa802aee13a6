"""Layers that learn nothing: another shape, another unit of measurement, some units left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from actlab.layers.description import Array, Finite, Shape, description


@description
class Flatten:
    """Images (batch, height, width, channels) to vectors (batch, height·width·channels); vectors stay as they are."""

    layer: Literal["flatten"] = field(default="flatten", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return (math.prod(shape),)

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, ...) -> (batch, features)."""
        return x.reshape(x.shape[0], -1)


@description
class Scale:
    """Multiplies all numbers by a factor: y = factor·x, as 255 for pixels that come as 0 to 1.

    Args:
        factor: any finite number.

    >>> import numpy as np
    >>> Scale(255).apply({}, np.array([[0.0, 0.2, 1.0]])).tolist()
    [[0.0, 51.0, 255.0]]
    """

    factor: Finite
    layer: Literal["scale"] = field(default="scale", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, ...) -> the same shape."""
        return x * self.factor


@description
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
