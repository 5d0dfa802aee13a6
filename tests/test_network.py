"""Layers: shapes and counts against published networks, numbers against PyTorch."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

from actlab.errors import InvalidNetwork, UnknownName
from actlab.functions import catalogue
from actlab.layers import Act, Conv, Dense, Dropout, Flatten, MaxPool
from actlab.network import build, expand, matching_parameters

LENET5 = [
    Conv(6, 5, activation=Act()),
    MaxPool(2),
    Conv(16, 5, activation=Act()),
    MaxPool(2),
    Conv(120, 5, activation=Act()),
    Flatten(),
    Dense(84, activation=Act()),
    Dense(10),
]


@pytest.mark.parametrize(
    ("layers", "shape", "published"),
    [
        ([Dense(512), Act(), Dense(10)], (784,), 407_050),
        ([Flatten(), *[Dense(512), Act()] * 6, Dense(10)], (28, 28, 1), 1_720_330),
        (LENET5, (32, 32, 3), 697_046),
    ],
)
def test_parameter_counts_are_the_published_ones(layers, shape, published):
    assert build(layers, shape).parameter_count == published


def test_lenet5_counts_layer_by_layer():
    counts = [site.parameter_count for site in build(LENET5, (32, 32, 3)).sites if site.parameter_count]
    assert counts == [456, 2_416, 48_120, 645_204, 850]


def test_an_activation_may_be_an_argument_or_a_layer_of_its_own():
    assert expand([Dense(64, activation="tanh")]) == expand([Dense(64), Act("tanh")])
    one = build([Dense(64, activation="tanh"), Dense(2)], (5,))
    two = build([Dense(64), Act("tanh"), Dense(2)], (5,))
    key = jax.random.key(3)
    x = np.ones((4, 5), np.float32)
    np.testing.assert_array_equal(one.apply(one.init(key), x), two.apply(two.init(key), x))


def _torch_image(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


@pytest.mark.parametrize("array", [np.asarray, jax.numpy.asarray], ids=["numpy", "jax"])
@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 7), (5, 1, 8), (3, 2, 9), (2, 2, 6)])
def test_valid_convolution_equals_torch(array, kernel, stride, size):
    rng = np.random.default_rng(kernel + size)
    x = rng.normal(size=(2, size, size + 1, 3)).astype(np.float32)
    weight = rng.normal(size=(kernel, kernel, 3, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    layer = Conv(4, kernel, padding="valid", stride=stride)
    ours = layer.apply({"weight": array(weight), "bias": array(bias)}, array(x))
    theirs = torch.nn.functional.conv2d(
        _torch_image(x), torch.from_numpy(weight.transpose(3, 2, 0, 1).copy()), torch.from_numpy(bias), stride
    )
    assert ours.shape[1:] == layer.output_shape(x.shape[1:])
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), -1, 1), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_same_convolution_equals_torch(kernel):
    rng = np.random.default_rng(kernel)
    x = rng.normal(size=(2, 6, 7, 3)).astype(np.float32)
    weight = rng.normal(size=(kernel, kernel, 3, 4)).astype(np.float32)
    ours = Conv(4, kernel, bias=False).apply({"weight": weight}, x)
    theirs = torch.nn.functional.conv2d(
        _torch_image(x), torch.from_numpy(weight.transpose(3, 2, 0, 1).copy()), padding="same"
    )
    np.testing.assert_allclose(np.moveaxis(ours, -1, 1), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), (3, 1)])
def test_max_pool_equals_torch_overlapping_too(size, stride):
    x = np.random.default_rng(size).normal(size=(2, 8, 9, 3)).astype(np.float32)
    ours = MaxPool(size, stride).apply({}, x)
    theirs = torch.nn.functional.max_pool2d(_torch_image(x), size, stride)
    np.testing.assert_array_equal(np.moveaxis(ours, -1, 1), theirs)


def test_numpy_and_jax_give_the_same_network():
    network = build(LENET5, (16, 16, 3), "gelu")
    params = jax.tree.map(np.asarray, network.init(jax.random.key(0)))
    x = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(
        network.apply(params, x), network.apply(params, jax.numpy.asarray(x)), rtol=1e-4, atol=1e-5
    )


def test_dropout_drops_its_share_while_training_only():
    network = build([Dropout(0.25)], (20_000,))
    x = np.ones((1, 20_000), np.float32)
    np.testing.assert_array_equal(network.apply({}, x), x)
    dropped = np.asarray(network.apply({}, jax.numpy.asarray(x), training=True, key=jax.random.key(0)))
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(dropped.mean() - 1) < 0.02


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 300),
        ("he_normal", 2 / 300),
        ("lecun_normal", 1 / 300),
        ("normal(0.05)", 0.05**2),
    ],
)
def test_initialisers_draw_the_stated_variance(name, variance):
    network = build([Dense(200, init=name)], (300,))
    params = network.init(jax.random.key(1))
    weight = np.asarray(params["dense1"]["weight"])
    # 60,000 draws: the sample variance is known to within about 1 %.
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean()) < 4 * np.sqrt(variance / weight.size)
    assert not np.any(params["dense1"]["bias"])
    if "uniform" in name:
        assert np.abs(weight).max() <= np.sqrt(3 * variance) * 1.000001


def test_prelu_has_a_slope_per_unit_or_per_layer():
    per_unit = build([Dense(7), Act(), Dense(1)], (3,), "prelu")
    shared = build([Dense(7), Act(per_unit=False), Dense(1)], (3,), "prelu")
    assert per_unit.init(jax.random.key(0))["act1"]["negative_slope"].shape == (7,)
    assert shared.init(jax.random.key(0))["act1"]["negative_slope"].shape == (1,)
    assert per_unit.parameter_count - shared.parameter_count == 6


def test_maxout_widens_the_layer_before_it():
    network = build([Dense(8), Act(), Dense(3)], (5,), "maxout")
    assert network.sites[0].output_shape == (16,)
    assert network.sites[1].output_shape == (8,)


def test_maxout_keeps_the_units_behind_dropout_and_pooling_too():
    network = build(
        [Conv(8, 3), MaxPool(2), Act(), Flatten(), Dense(16), Dropout(0.5), Act(), Dense(3)], (8, 8, 1), "maxout"
    )
    assert [site.output_shape[-1] for site in network.sites if isinstance(site.layer, Act)] == [8, 16]


def test_crelu_takes_half_the_units_and_makes_them_two_each():
    network = build([Dense(8), Act(), Dense(3)], (5,), "crelu")
    assert [site.output_shape for site in network.sites] == [(4,), (8,), (3,)]
    assert network.apply(network.init(jax.random.key(0)), np.ones((2, 5), np.float32)).shape == (2, 3)
    with pytest.raises(InvalidNetwork, match="layer dense1: crelu makes 2 units out of one input, and 5 units are no"):
        build([Dense(5), Act(), Dense(3)], (5,), "crelu")


def test_functions_with_weights_of_their_own_are_sent_to_pytorch():
    with pytest.raises(
        InvalidNetwork, match=r"layer act1: meta_acon has weights .* actlab.torch.Activation\('meta_acon"
    ):
        build([Dense(8), Act(), Dense(3)], (5,), "meta_acon")


def test_a_stochastic_function_draws_while_training_only():
    network = build([Act()], (1000,), "rrelu")
    x = -np.ones((2, 1000), np.float32)
    still = network.apply({}, x)
    np.testing.assert_allclose(still, -11 / 48, rtol=1e-6)
    drawn = network.apply({}, jax.numpy.asarray(x), training=True, key=jax.random.key(0))
    assert -1 / 3 <= drawn.min() < drawn.max() <= -1 / 8
    assert len(np.unique(drawn)) > 1900


def test_matching_parameters_keeps_the_budget():
    layers = (Dense(64), Act(), Dense(64), Act(), Dense(10))
    budget = build(layers, (32,)).parameter_count
    matched = matching_parameters(layers, (32,), catalogue["maxout"], budget)
    count = build(matched, (32,), "maxout").parameter_count
    assert abs(count - budget) / budget < 0.02
    assert matched[-1] == Dense(10)


@pytest.mark.parametrize(
    ("layers", "shape", "sentence"),
    [
        ([], (4,), "no layers"),
        ([Dense(3)], (4, 4, 1), r"layer dense1: Dense takes vectors .* put Flatten\(\) before it"),
        ([Conv(3)], (4,), r"layer conv1: Conv takes images"),
        ([MaxPool(5)], (4, 4, 1), "does not fit into images of 4×4"),
        ([Dense(3), Act("maxout")], (4,), "multiple of 2"),
    ],
)
def test_layers_that_do_not_fit_are_named(layers, shape, sentence):
    with pytest.raises(InvalidNetwork, match=sentence):
        build(layers, shape)


def test_misspelt_names_get_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        Act("rellu")
    with pytest.raises(UnknownName, match="did you mean 'he_normal'"):
        Dense(3, init="he_norml")
    with pytest.raises(InvalidNetwork, match="positive number"):
        Dense(3, init="normal(-1)")
