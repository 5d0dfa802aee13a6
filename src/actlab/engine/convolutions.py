"""Convolutions of a whole population, in a form that XLA computes fast on the device at hand.

On an accelerator, `grouped`: XLA's own, the members as groups. On a CPU, for stride 1, `convolve`: inside a compiled
loop XLA's own takes a path many times slower there.

Images are (variants or 1, seeds, batch, height, width, channels), weights (variants, seeds, k, k, channels, filters); a
variant axis of length 1 means that all variants see the same images. Values and gradients are those of `Conv`; what
differs is how. For a CPU:

- XLA calls its fast kernel inside a loop only for convolutions that are written as NHWC × HWIO → NHWC. The gradient
  with respect to the images is spelt out as one of these; left to autodiff it takes a path many times slower.
- The gradient with respect to the weights is one of these, too: the channels are its images, the samples its channels,
  and the gradient of the output its filters. Some samples at a time stay in the cache; variants that share their images
  share the work on these.
- Of images with few channels, 2 × 2 pixels are taken as one of four times the channels: longer vectors to compute with.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array
Padding = tuple[int, int]

# Samples of which the gradient of the weights is taken at a time: of 16 to 128, 16 were fastest for the layers of
# LeNet-5 and of the recipes mnist-cnn and cifar10-cnn.
BLOCK_SAMPLES = 16
# Up to so many channels, blocks of pixels pay although they add arithmetic, if that is at most so many times as much.
FEW_CHANNELS, MOST_ARITHMETIC = 6, 1.5


def grouped(x: Array, weight: Array, padding: str, stride: int) -> Array:
    """Cross-correlation of every member's images with its weights, (variants, seeds, batch, height', width', filters).

    Args:
        x: images, (variants or 1, seeds or 1, batch, height, width, channels): 1 for the same ones for all.
        weight: (variants, seeds, k, k, channels, filters).
        padding: "same" or "valid".
        stride: step between windows.
    """

    def member(x: Array, weight: Array) -> Array:
        order = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, weight, (stride, stride), padding.upper(), dimension_numbers=order)

    x_axes = [None if size == 1 else 0 for size in x.shape[:2]]
    shared = [0 if axis is None else slice(None) for axis in x_axes]
    by_arm = jax.vmap(jax.vmap(member, in_axes=(x_axes[1], 0)), in_axes=(x_axes[0], 0))
    return by_arm(x[tuple(shared)], weight)


def convolve(x: Array, weight: Array, padding: str) -> Array:
    """Cross-correlation of every member's images with its weights, (variants, seeds, batch, height', width', filters).

    Args:
        x: images, (variants or 1, seeds or 1, batch, height, width, channels): 1 for the same ones for all.
        weight: of odd height and width where the padding is "same".
        padding: "same" or "valid".
    """
    kernel = weight.shape[2]
    # Samples are in single precision where parameters are in double.
    x = x.astype(weight.dtype)
    x = jnp.broadcast_to(x, (x.shape[0], weight.shape[1], *x.shape[2:]))
    if padding == "valid":
        return _convolve(x, weight, (0, 0))
    if _in_blocks(x, kernel):
        side = (kernel - 1) // 2
        around = (-(-side // 2), (1 + side) // 2)
        return pixels(_convolve(blocks(x), block_weight(weight), around))
    return _convolve(x, weight, ((kernel - 1) // 2, kernel // 2))


def _in_blocks(x: Array, kernel: int) -> bool:
    *_, height, width, channels = x.shape
    fits = height % 2 == 0 and width % 2 == 0 and kernel % 2 == 1 and channels <= FEW_CHANNELS
    return fits and (2 * _block_kernel(kernel)) ** 2 <= MOST_ARITHMETIC * kernel**2


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, weight: Array, padding: Padding) -> Array:
    return _each_member(lambda x, weight: _native(x, weight, padding), x, weight)


def _forward(x: Array, weight: Array, padding: Padding) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x, weight, padding), (x, weight)


def _backward(padding: Padding, kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, weight = kept
    kernel = weight.shape[2]
    back = (kernel - 1 - padding[0], kernel - 1 - padding[1])

    def through(weight: Array, gradient: Array) -> Array:
        return _native(gradient, weight[::-1, ::-1].transpose(0, 1, 3, 2), back)

    to_images = _each_member(through, weight, gradient)
    if x.shape[0] < weight.shape[0]:
        to_images = jnp.sum(to_images, axis=0, keepdims=True)
    return to_images, _weight_gradient(x, gradient, kernel, padding)


_convolve.defvjp(_forward, _backward)


def _native(x: Array, weight: Array, padding: Padding) -> Array:
    order = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, weight, (1, 1), (padding, padding), dimension_numbers=order)


def _each_member(function: Callable[[Array, Array], Array], first: Array, second: Array) -> Array:
    """function(first, second) for one member after the other; `first` may be shared by all variants."""
    variants, seeds = second.shape[:2]
    if variants * seeds == 1:
        return function(first[0, 0], second[0, 0])[None, None]
    if first.shape[0] < variants:
        return jax.lax.map(lambda own: jax.lax.map(lambda pair: function(*pair), (first[0], own)), second)
    pairs = tuple(array.reshape(variants * seeds, *array.shape[2:]) for array in (first, second))
    found = jax.lax.map(lambda pair: function(*pair), pairs)
    return found.reshape(variants, seeds, *found.shape[1:])


def _weight_gradient(x: Array, gradient: Array, kernel: int, padding: Padding) -> Array:
    """∂L/∂W of every member, (variants, seeds, k, k, channels, filters)."""
    variants, seeds, batch, *image, filters = gradient.shape
    shared, channels = x.shape[0], x.shape[-1]
    size = _block_size(batch)
    own_x = x.reshape(shared * seeds, -1, size, *x.shape[3:])
    # Arms of one seed that share their images form a group, whose filters are taken together.
    by_group = gradient.reshape(shared, variants // shared, seeds, -1, size, *image, filters)

    def group(place: Array) -> Array:
        def add_block(total: Array, block: Array) -> tuple[Array, None]:
            seed = place % seeds
            own = jax.lax.dynamic_slice_in_dim(by_group, place // seeds, 1, axis=0)[0]
            own = jax.lax.dynamic_slice_in_dim(own, seed, 1, axis=1)[:, 0]
            own = jax.lax.dynamic_slice_in_dim(own, block, 1, axis=1)[:, 0]
            as_filters = own.transpose(2, 3, 1, 0, 4).reshape(*image, size, -1)
            return total + _native(own_x[place, block].transpose(3, 1, 2, 0), as_filters, padding), None

        zero = jnp.zeros((channels, kernel, kernel, variants // shared * filters), gradient.dtype)
        return jax.lax.scan(add_block, zero, jnp.arange(batch // size))[0]

    found = jax.lax.map(group, jnp.arange(shared * seeds))
    found = found.reshape(shared, seeds, channels, kernel, kernel, -1, filters).transpose(0, 5, 1, 3, 4, 2, 6)
    return found.reshape(variants, seeds, kernel, kernel, channels, filters)


def _block_size(batch: int) -> int:
    """The divisor of the batch that is nearest to BLOCK_SAMPLES, by ratio.

    >>> _block_size(128), _block_size(100), _block_size(97)
    (16, 20, 97)
    """
    divisors = (size for size in range(1, batch + 1) if batch % size == 0)
    return min(divisors, key=lambda size: abs(math.log(size / BLOCK_SAMPLES)))


def blocks(x: Array) -> Array:
    """(…, height, width, C) -> (…, height/2, width/2, 4C): 2 × 2 pixels as one.

    >>> blocks(jnp.arange(4).reshape(2, 2, 1)).tolist()
    [[[0, 1, 2, 3]]]
    """
    *outer, height, width, channels = x.shape
    x = x.reshape(*outer, height // 2, 2, width // 2, 2, channels)
    return jnp.swapaxes(x, -4, -3).reshape(*outer, height // 2, width // 2, 4 * channels)


def pixels(x: Array) -> Array:
    """The reverse of `blocks`.

    >>> pixels(blocks(jnp.arange(4).reshape(2, 2, 1))).ravel().tolist()
    [0, 1, 2, 3]
    """
    *outer, height, width, channels = x.shape
    x = x.reshape(*outer, height, width, 2, 2, channels // 4)
    return jnp.swapaxes(x, -4, -3).reshape(*outer, 2 * height, 2 * width, channels // 4)


def _block_kernel(kernel: int) -> int:
    """Height of a window over blocks that covers a "same" window of odd height over the pixels of any block."""
    side = (kernel - 1) // 2
    return -(-side // 2) + (1 + side) // 2 + 1


def block_weight(weight: Array) -> Array:
    """(…, k, k, C, F), k odd -> (…, n, n, 4C, 4F): the same convolution, with "same" padding, over blocks."""
    *outer, kernel, _, channels, filters = weight.shape
    side = (kernel - 1) // 2
    count = _block_kernel(kernel)
    start = 2 * -(-side // 2) - side
    by_pixel = []
    for row in range(2):
        for column in range(2):
            around = [(start + own, 2 * count - kernel - start - own) for own in (row, column)]
            moved = jnp.pad(weight, [(0, 0)] * len(outer) + [*around, (0, 0), (0, 0)])
            moved = moved.reshape(*outer, count, 2, count, 2, channels, filters)
            by_pixel.append(jnp.swapaxes(moved, -5, -4).reshape(*outer, count, count, 4 * channels, filters))
    return jnp.concatenate(by_pixel, axis=-1)
