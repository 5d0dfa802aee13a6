"""Convolutions of a population: values and gradients are PyTorch's, whatever the way they are computed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from actlab.engine import convolutions
from actlab.engine.convolutions import block_weight, blocks, convolve, grouped, pixels
from actlab.layers import Conv


def of_torch(x, weight, gradient, padding):
    """Values, ∂L/∂x and ∂L/∂W of one member in float64."""
    x = torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(weight.transpose(3, 2, 0, 1), dtype=torch.float64, requires_grad=True)
    kernel = weight.shape[-1]
    if padding == "same":
        # As in TensorFlow, one row and column more below and to the right for an even window.
        before, after = (kernel - 1) // 2, kernel // 2
        padded = torch.nn.functional.pad(x, (before, after, before, after))
    else:
        padded = x
    y = torch.nn.functional.conv2d(padded, weight)
    y.backward(torch.tensor(gradient.transpose(0, 3, 1, 2), dtype=torch.float64))
    arrays = (y.detach(), x.grad, weight.grad)
    return [
        array.numpy().transpose(order)
        for array, order in zip(arrays, ([0, 2, 3, 1],) * 2 + ([2, 3, 1, 0],), strict=True)
    ]


def for_accelerators(x, weight, padding):
    return grouped(x, weight, padding, 1)


@pytest.mark.parametrize(
    ("function", "samples"),
    [(convolve, 16), (convolve, 2), (for_accelerators, 16)],
    ids=["whole batch", "blocks of the batch", "for accelerators"],
)
@pytest.mark.parametrize(
    ("variants", "shared", "seeds", "image", "filters", "kernel", "padding"),
    [
        (1, 1, 1, (8, 8, 3), 6, 5, "same"),
        (3, 1, 2, (8, 6, 3), 4, 5, "same"),
        (2, 2, 2, (8, 6, 6), 4, 5, "same"),
        (2, 2, 1, (7, 6, 4), 4, 3, "same"),
        (2, 1, 2, (9, 8, 2), 3, 4, "valid"),
        (2, 2, 2, (6, 6, 8), 4, 2, "same"),
        (1, 1, 3, (6, 6, 1), 2, 1, "same"),
    ],
)
def test_values_and_gradients_are_those_of_pytorch(
    variants, shared, seeds, image, filters, kernel, padding, function, samples, monkeypatch
):
    monkeypatch.setattr(convolutions, "BLOCK_SAMPLES", samples)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(shared, seeds, 4, *image)).astype(np.float32)
    weight = rng.normal(size=(variants, seeds, kernel, kernel, image[-1], filters)).astype(np.float32)
    y, back = jax.vjp(lambda x, w: function(x, w, padding), jnp.asarray(x), jnp.asarray(weight))
    gradient = rng.normal(size=y.shape).astype(np.float32)
    to_x, to_weight = back(jnp.asarray(gradient))
    summed = np.zeros(x.shape)
    for variant in range(variants):
        for seed in range(seeds):
            own = x[variant % shared, seed], weight[variant, seed], gradient[variant, seed]
            value, on_x, on_weight = of_torch(*own, padding)
            np.testing.assert_allclose(y[variant, seed], value, rtol=0, atol=2e-6 * np.abs(value).max())
            np.testing.assert_allclose(to_weight[variant, seed], on_weight, rtol=0, atol=2e-6 * np.abs(on_weight).max())
            summed[variant % shared, seed] += on_x
    np.testing.assert_allclose(to_x, summed, rtol=0, atol=2e-6 * np.abs(summed).max())


@pytest.mark.parametrize(("kernel", "padding", "stride"), [(5, "same", 2), (4, "same", 3), (3, "valid", 2)])
def test_strides_of_the_form_for_accelerators_are_those_of_the_layer(kernel, padding, stride):
    """The layer itself is compared with PyTorch in test_layers.py."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1, 2, 4, 9, 8, 3)).astype(np.float32)
    weight = rng.normal(size=(2, 2, kernel, kernel, 3, 5)).astype(np.float32)
    found = grouped(jnp.asarray(x), jnp.asarray(weight), padding, stride)
    layer = Conv(5, kernel, padding=padding, stride=stride, bias=False)
    for variant, seed in np.ndindex(2, 2):
        expected = layer.apply({"weight": weight[variant, seed]}, x[0, seed])
        np.testing.assert_allclose(found[variant, seed], expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("function", [convolve, for_accelerators])
@pytest.mark.parametrize(("kernel", "padding"), [(5, "same"), (3, "same"), (3, "valid")])
def test_images_may_be_the_same_for_all_seeds_as_those_that_are_only_looked_at(kernel, padding, function):
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.normal(size=(1, 1, 4, 6, 8, 3)), jnp.float32)
    weight = jnp.asarray(rng.normal(size=(2, 3, kernel, kernel, 3, 4)), jnp.float32)
    found, back = jax.vjp(lambda x, w: function(x, w, padding), x, weight)
    repeated = jnp.broadcast_to(x, (1, 3, *x.shape[2:]))
    expected, each = jax.vjp(lambda x, w: function(x, w, padding), repeated, weight)
    # Accelerators' own convolutions may add up in another order where the images are not shared.
    tolerance = 0.0 if function is convolve else 2e-6 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    gradient = jnp.asarray(rng.normal(size=found.shape), jnp.float32)
    for own, of_each in zip(back(gradient), each(gradient), strict=True):
        summed = of_each.sum(axis=1, keepdims=True) if own.shape[1] == 1 else of_each
        np.testing.assert_allclose(own, summed, rtol=0, atol=2e-6 * np.abs(summed).max())


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_blocks_of_pixels_are_the_same_convolution(kernel):
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(2, 6, 8, 3)), jnp.float32)
    weight = jnp.asarray(rng.normal(size=(kernel, kernel, 3, 2)), jnp.float32)
    np.testing.assert_array_equal(pixels(blocks(x)), x)
    side = (kernel - 1) // 2
    around = (-(-side // 2), (1 + side) // 2)
    found = pixels(convolutions._native(blocks(x), block_weight(weight), around))
    expected = of_torch(np.asarray(x), np.asarray(weight), np.zeros(found.shape, np.float32), "same")[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
