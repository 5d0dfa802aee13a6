"""Maximum pooling of a population: values and gradients are PyTorch's, of equal pixels too."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from actlab.engine.layouts import Stacked
from actlab.engine.pooling import tile_maximum, tiles
from actlab.layers import MaxPool


@pytest.mark.parametrize(("image", "size"), [((4, 6, 3), 2), ((9, 6, 1), 3), ((4, 4, 5), 4), ((2, 3, 2), 1)])
@pytest.mark.parametrize("values", ["all different", "many equal"])
def test_values_and_gradients_are_those_of_pytorch(image, size, values):
    rng = np.random.default_rng(0)
    shape = (5, *image)
    x = rng.normal(size=shape) if values == "all different" else rng.integers(0, 2, shape)
    theirs = torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float32, requires_grad=True)
    pooled = torch.nn.functional.max_pool2d(theirs, size)
    gradient = rng.normal(size=pooled.shape).astype(np.float32)
    pooled.backward(torch.tensor(gradient))
    y, back = jax.vjp(lambda x: tile_maximum(x, size), jnp.asarray(x, jnp.float32))
    np.testing.assert_array_equal(y, pooled.detach().numpy().transpose(0, 2, 3, 1))
    (found,) = back(jnp.asarray(gradient.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(found, theirs.grad.numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("layer", "image", "expected"),
    [
        (MaxPool(2), (4, 6, 1), True),
        (MaxPool(2, 2, "same"), (4, 6, 1), True),
        (MaxPool(2), (5, 6, 1), False),
        (MaxPool(3, 2, "same"), (6, 6, 1), False),
        (MaxPool(2, 1), (4, 4, 1), False),
    ],
)
def test_windows_that_overlap_or_leave_a_rest_are_left_to_the_layer(layer, image, expected):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 4, *image)), jnp.float32)
    assert tiles(layer, x) == expected
    by_layer = layer.apply({}, x.reshape(-1, *image))
    found = Stacked().transform(layer, x)
    assert found.shape == (2, 3, 4, *layer.output_shape(image))
    np.testing.assert_array_equal(found.reshape(by_layer.shape), by_layer)


def test_nan_in_a_tile_makes_its_maximum_nan():
    x = jnp.asarray([[1.0, jnp.nan], [0.0, 2.0]]).reshape(1, 2, 2, 1)
    assert np.isnan(tile_maximum(x, 2)).all()
