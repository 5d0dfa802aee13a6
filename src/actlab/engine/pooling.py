"""Maximum pooling by windows that tile the images, in a form that XLA computes fast on a CPU.

Values are those of `MaxPool`. Its backward pass, left to autodiff, scatters every pixel of a window into an image of
zeros and adds the images up; here each image is put together once, from slices that lie together in memory. For LeNet's
first layers, function and pooling together, that takes a fifth of the time.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from actlab.layers import MaxPool

Array = jax.Array


def tiles(layer: MaxPool, x: Array) -> bool:
    """Whether the layer's windows cover images x (..., height, width, channels) without overlap or remainder."""
    return layer.stride in (None, layer.size) and not any(length % layer.size for length in x.shape[-3:-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def tile_maximum(x: Array, size: int) -> Array:
    """Largest value of every tile of size × size pixels; the gradient goes to the first of equals.

    Args:
        x: images, (samples, height, width, channels), height and width multiples of `size`.
        size: of a tile.

    >>> tile_maximum(jnp.arange(8.0).reshape(1, 2, 4, 1), 2).ravel().tolist()
    [5.0, 7.0]
    >>> jax.grad(lambda x: tile_maximum(x, 2).sum())(jnp.ones((1, 2, 2, 1))).ravel().tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    return functools.reduce(jnp.maximum, _pixels(x, size))


def _pixels(x: Array, size: int) -> list[Array]:
    """For every place in a tile, row by row, that pixel of every tile: (samples, height/size, width/size, channels)."""
    samples, height, width, channels = x.shape
    rows = x.reshape(samples, height // size, size, width // size, size * channels)
    by_row = [rows[:, :, i] for i in range(size)]
    return [row[..., j * channels : (j + 1) * channels] for row in by_row for j in range(size)]


def _forward(x: Array, size: int) -> tuple[Array, tuple[Array, Array]]:
    y: Array = functools.reduce(jnp.maximum, _pixels(x, size))
    return y, (x, y)


def _backward(size: int, kept: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    x, y = kept
    taken = jnp.zeros(y.shape, bool)
    parts = []
    for pixel in _pixels(x, size):
        here = (pixel == y) & ~taken
        taken |= here
        parts.append(jnp.where(here, gradient, 0.0))
    samples, height, width, channels = x.shape
    rows = [jnp.concatenate(parts[i : i + size], axis=-1) for i in range(0, size * size, size)]
    flat = [row.reshape(samples, height // size, 1, width * channels) for row in rows]
    return (jnp.concatenate(flat, axis=2).reshape(x.shape),)


tile_maximum.defvjp(_forward, _backward)
