"""Layers: shapes and counts against published networks, numbers against PyTorch."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

from actlab.errors import InvalidNetwork, UnknownName
from actlab.functions import catalogue
from actlab.layers import Act, AvgPool, BatchNorm, Conv, Dense, Dropout, Flatten, GlobalPool, MaxPool, Residual
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
    counts = [built.parameter_count for built in build(LENET5, (32, 32, 3)).layers if built.parameter_count]
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
    assert network.layers[0].output_shape == (16,)
    assert network.layers[1].output_shape == (8,)


def test_maxout_keeps_the_units_behind_dropout_and_pooling_too():
    network = build(
        [Conv(8, 3), MaxPool(2), Act(), Flatten(), Dense(16), Dropout(0.5), Act(), Dense(3)], (8, 8, 1), "maxout"
    )
    assert [built.output_shape[-1] for built in network.layers if isinstance(built.layer, Act)] == [8, 16]


def test_crelu_takes_half_the_units_and_makes_them_two_each():
    network = build([Dense(8), Act(), Dense(3)], (5,), "crelu")
    assert [built.output_shape for built in network.layers] == [(4,), (8,), (3,)]
    assert network.apply(network.init(jax.random.key(0)), np.ones((2, 5), np.float32)).shape == (2, 3)
    with pytest.raises(InvalidNetwork, match="5 → dense1: crelu makes 2 units out of one input, and 5 units are no"):
        build([Dense(5), Act(), Dense(3)], (5,), "crelu")


def test_functions_with_weights_of_their_own_are_sent_to_pytorch():
    with pytest.raises(
        InvalidNetwork, match=r"5 → dense1 8 → act1: meta_acon has weights .* actlab.torch.Activation\('meta_acon"
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


RESIDUAL = (Dense(8), Act(), Residual([Dense(8), BatchNorm(), Act(), Residual([Dense(8)])]), Act("tanh"), Dense(3))


def test_residual_blocks_lie_flat_among_the_layers_with_names_and_weights_of_their_place():
    network = build(RESIDUAL, (5,))
    names = "dense1 act1 fork1 dense2 batch_norm1 act2 fork2 dense3 join1 join2 act3 dense4"
    assert [built.name for built in network.layers] == names.split()
    assert network.weight_layers == ("dense1", "dense2", "dense3", "dense4")
    assert network.act_layers == ("act1", "act2", "act3")
    params = network.init(jax.random.key(0))
    assert set(params) == {*network.weight_layers, "batch_norm1"}
    norm = {name: np.asarray(value).tolist() for name, value in params["batch_norm1"].items()}
    assert norm == {"scale": [1.0] * 8, "shift": [0.0] * 8, "mean": [0.0] * 8, "variance": [1.0] * 8}
    assert network.layers[4].parameter_count == 16  # Running statistics are not trained.


def test_an_activation_as_an_argument_in_a_block_is_the_layer_of_its_own():
    block = [Dense(4, activation="tanh"), Residual([Dense(4, activation=Act())])]
    assert expand([Residual(block)]) == (Residual([Dense(4), Act("tanh"), Residual([Dense(4), Act()])]),)


def test_a_projection_that_maxout_needs_leaves_all_other_weights_alone():
    """Behind the block an open Act: its last layer is widened, so that the sum needs a projection; no name moves."""
    layers = [Dense(8), Act("tanh"), Residual([Dense(8), Act("tanh"), Dense(8)]), Act(), Dense(8), Dense(3)]
    plain, wide = (build(layers, (5,), name) for name in ("relu", "maxout"))
    assert [built.name for built in plain.layers] == [built.name for built in wide.layers]
    assert plain.weight_layers == wide.weight_layers
    ours, theirs = (network.init(jax.random.key(0)) for network in (plain, wide))
    assert set(theirs) - set(ours) == {"join1"}
    assert theirs["join1"]["weight"].shape == (8, 16)
    for layer in ("dense1", "dense2", "dense4", "dense5"):
        np.testing.assert_array_equal(ours[layer]["weight"], theirs[layer]["weight"])


def test_matching_parameters_reaches_into_blocks():
    budget = build(RESIDUAL, (32,)).parameter_count
    matched = matching_parameters(RESIDUAL, (32,), catalogue["maxout"], budget)
    count = build(matched, (32,), "maxout").parameter_count
    assert abs(count - budget) / budget < 0.1
    assert matched[2].layers[0].units < 8
    assert matched[2].layers[3].layers[0].units < 8
    assert matched[-1] == Dense(3)


def test_the_last_weights_keep_their_width_also_in_a_block():
    layers = [Dense(8), Act(), Residual([Dense(8), Act(), Dense(8)])]
    matched = matching_parameters(layers, (32,), catalogue["maxout"], 300)
    assert matched[2].layers[2] == Dense(8)
    assert build(matched, (32,), "maxout").output_shape == (8,)


@pytest.mark.parametrize(
    "between", [[], [MaxPool(2)], [BatchNorm()], [Dropout(0.5)], [AvgPool(2), BatchNorm(), Dropout(0.5)]]
)
@pytest.mark.parametrize("name", ["maxout", "prelu"])
def test_maxout_and_prelu_behind_any_layer_keep_their_units(name, between):
    layers = [Conv(4), *between, Act(), Flatten(), Dense(6), Dropout(0.1), Act(), Dense(3)]
    network = build(layers, (8, 8, 2), name)
    acts = [built for built in network.layers if isinstance(built.layer, Act)]
    assert [built.output_shape[-1] for built in acts] == [4, 6]
    slopes = {"negative_slope": (4,)} if name == "prelu" else {}
    assert acts[0].parameter_shapes == slopes
    assert network.output_shape == (3,)


@pytest.mark.parametrize(
    ("layers", "shape", "sentence"),
    [
        ([Dense(3)], (4, 4, 1), "4×4×1 → dense1: Dense takes vectors and got 4×4×1: put Flatten() before it."),
        (
            [*LENET5[:5], Dense(84), Dense(10)],
            (32, 32, 3),
            "32×32×3 → conv1 32×32×6 → act1 32×32×6 → max_pool1 16×16×6 → conv2 16×16×16 → act2 16×16×16 → max_pool2 "
            "8×8×16 → conv3 8×8×120 → act3 8×8×120 → dense1: Dense takes vectors and got 8×8×120: put Flatten() "
            "before it.",
        ),
        ([Conv(3)], (4,), "4 → conv1: Conv takes images (height × width × channels) and got vectors of 4."),
        (
            [Flatten(), GlobalPool()],
            (2, 2, 1),
            "2×2×1 → flatten1 4 → global_pool1: GlobalPool takes images (height × width × channels) and got vectors "
            "of 4.",
        ),
        (
            [AvgPool(5)],
            (4, 6, 1),
            "4×6×1 → avg_pool1: AvgPool: a window of 5×5 does not fit into images of 4×6: take a smaller window, or "
            "padding='same'.",
        ),
        (
            [Dense(3), Act("maxout")],
            (4,),
            "4 → dense1 3 → act1: maxout makes one unit out of 2 inputs and got 3: give the layer before it a multiple "
            "of 2 units.",
        ),
        ([], (4,), "the network has no layers: give at least one Dense(units)."),
    ],
)
def test_layers_that_do_not_fit_are_named_with_all_shapes_before_them(layers, shape, sentence):
    with pytest.raises(InvalidNetwork) as refused:
        build(layers, shape)
    assert str(refused.value) == sentence


def test_misspelt_names_get_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        Act("rellu")
    with pytest.raises(UnknownName, match="did you mean 'he_normal'"):
        Dense(3, init="he_norml")
    with pytest.raises(InvalidNetwork, match="positive number"):
        Dense(3, init="normal(-1)")
