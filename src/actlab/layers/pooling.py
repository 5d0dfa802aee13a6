"""Pooling: the largest or the mean value of windows, or of whole images."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import field
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from actlab.functions.arrays import namespace
from actlab.layers.description import Array, Shape, description
from actlab.layers.windows import Padding, along_columns, along_rows, positions, require_images, windows


@description
class MaxPool:
    """Largest value of each window of images (batch, height, width, channels).

    Args:
        size: height and width of the window.
        stride: step between windows; `size` where None, smaller for overlapping windows.
        padding: "valid" (windows inside the image only) or "same" (output height = ceil(height / stride); what a
            window covers outside the image does not count).

    >>> import numpy as np
    >>> MaxPool(2).apply({}, np.arange(8).reshape(1, 2, 4, 1)).ravel().tolist()
    [5, 7]
    >>> MaxPool(3, stride=2, padding="same").output_shape((32, 32, 64))
    (16, 16, 64)
    """

    size: PositiveInt = 2
    stride: PositiveInt | None = None
    padding: Padding = "valid"
    layer: Literal["max_pool"] = field(default="max_pool", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images that hold the window."""
        return (*positions("MaxPool", shape, self.size, self.stride or self.size, self.padding), shape[-1])

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', channels)."""
        # First of rows, then of columns: of 3 × 3 pixels that is a maximum of three twice instead of one of nine; on a
        # CPU the backward pass of the overlapping windows of cifar10-cnn took a third of the time.
        window = (self.size, self.stride or self.size, self.padding, -math.inf)
        largest = functools.partial(functools.reduce, namespace(x).maximum)
        return largest(along_columns(largest(along_rows(x, *window)), *window))


@description
class AvgPool:
    """Mean of each window of images (batch, height, width, channels), over its pixels inside the image.

    Args:
        size, stride, padding: as for MaxPool.

    >>> import numpy as np
    >>> AvgPool(2, padding="same").apply({}, np.arange(6.0).reshape(1, 2, 3, 1)).ravel().tolist()
    [2.0, 3.5]
    """

    size: PositiveInt = 2
    stride: PositiveInt | None = None
    padding: Padding = "valid"
    layer: Literal["avg_pool"] = field(default="avg_pool", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images that hold the window."""
        return (*positions("AvgPool", shape, self.size, self.stride or self.size, self.padding), shape[-1])

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, height', width', channels)."""
        inside = self._sums(np.ones((1, *x.shape[1:3], 1), x.dtype))
        return self._sums(x) / inside

    def _sums(self, x: Array) -> Array:
        return functools.reduce(
            lambda total, pixels: total + pixels,
            windows(x, self.size, self.stride or self.size, self.padding, 0.0),
        )


@description
class GlobalPool:
    """Mean or largest value of each channel over the whole image: images to vectors of one number per channel.

    Source: Lin, Chen & Yan 2014, "Network in network" (arXiv 1312.4400), for the mean.

    Args:
        kind: "average" or "max".

    >>> import numpy as np
    >>> GlobalPool().apply({}, np.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[3.0, 4.0]]
    """

    kind: Literal["average", "max"] = "average"
    layer: Literal["global_pool"] = field(default="global_pool", kw_only=True, repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises InvalidNetwork for anything but images."""
        require_images("GlobalPool", shape)
        return shape[-1:]

    def apply(self, params: Mapping[str, Array], x: Array) -> Array:
        """(batch, height, width, channels) -> (batch, channels)."""
        return x.mean(axis=(1, 2)) if self.kind == "average" else x.max(axis=(1, 2))
