"""Every layer's values and gradients against PyTorch, or XLA's own windows; what wrong arguments say."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.torch_networks import TorchNetwork, channels_first, channels_last

from actlab import engine
from actlab.engine import devices
from actlab.errors import InvalidNetwork, InvalidStudy
from actlab.layers import (
    Act,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    LocalResponseNorm,
    MaxPool,
    Residual,
    Scale,
)
from actlab.network import build
from actlab.study import Study, from_toml
from actlab.study.settings import LAYERS
from actlab.tasks.task import build as build_task

devices.prepare()
WINDOWS = [(2, 2), (3, 2), (3, 1), (2, 3)]


def drawn(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def value_and_gradient(apply, x, pull):
    """apply(x) and the gradient of Σ pull·apply(x), in float64."""
    with jax.enable_x64(True):
        y, backward = jax.vjp(jax.jit(apply), jnp.asarray(x))
        return np.asarray(y), np.asarray(backward(jnp.asarray(pull))[0])


def torch_value_and_gradient(apply, x, pull):
    leaf = channels_first(x).requires_grad_()
    y = apply(leaf)
    assert leaf.grad is None
    (y * channels_first(pull)).sum().backward()
    return channels_last(y), channels_last(leaf.grad)


def assert_alike(ours, theirs):
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), WINDOWS)
@pytest.mark.parametrize(
    ("layer", "reference"),
    [(MaxPool, torch.nn.functional.max_pool2d), (AvgPool, torch.nn.functional.avg_pool2d)],
)
def test_pools_inside_the_image_equal_torch(layer, reference, size, stride):
    x = drawn(2, 7, 6, 3)
    pool = layer(size, stride)
    pull = drawn(2, *pool.output_shape(x.shape[1:]))
    ours = value_and_gradient(functools.partial(pool.apply, {}), x, pull)
    assert_alike(ours, torch_value_and_gradient(lambda leaf: reference(leaf, size, stride), x, pull))
    np.testing.assert_allclose(pool.apply({}, x), ours[0], rtol=1e-14)


def window_reduction(kind, size, stride):
    """XLA's window reduction with TensorFlow's "SAME" padding; the mean is over pixels of the image."""
    own = {"window_dimensions": (1, size, size, 1), "window_strides": (1, stride, stride, 1), "padding": "SAME"}

    def total(x):
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, **own)

    if kind == "max":
        return lambda x: jax.lax.reduce_window(x, -math.inf, jax.lax.max, **own)
    return lambda x: total(x) / total(jnp.ones_like(x))


@pytest.mark.parametrize(("size", "stride", "shape"), [*((*window, (7, 6)) for window in WINDOWS), (5, 2, (1, 2))])
@pytest.mark.parametrize(("layer", "kind"), [(MaxPool, "max"), (AvgPool, "average")])
def test_pools_over_the_edge_equal_xla(layer, kind, size, stride, shape):
    x = drawn(2, *shape, 3)
    pool = layer(size, stride, "same")
    pull = drawn(2, *pool.output_shape(x.shape[1:]))
    ours = value_and_gradient(functools.partial(pool.apply, {}), x, pull)
    assert_alike(ours, value_and_gradient(window_reduction(kind, size, stride), x, pull))
    np.testing.assert_allclose(pool.apply({}, x), ours[0], rtol=1e-14)


def test_the_tutorials_pools_halve_its_images():
    """TensorFlow's CIFAR-10 tutorial: 24×24 crops, 3×3 windows with stride 2, twice: 6·6·64 inputs of its dense."""
    layers = [Conv(64, 5), MaxPool(3, 2, "same"), Conv(64, 5), MaxPool(3, 2, "same"), Flatten()]
    assert build(layers, (24, 24, 3)).output_shape == (2304,)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (2, 2), (1, 2), (5, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_convolution_equals_xla_in_values_and_gradients(padding, kernel, stride):
    layer = Conv(4, kernel, padding, stride, bias=False)
    x, weight = drawn(2, 7, 6, 3), drawn(kernel, kernel, 3, 4)
    pull = drawn(2, *layer.output_shape(x.shape[1:]))

    def reference(x, weight):
        own = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, weight, (stride, stride), padding.upper(), dimension_numbers=own)

    for_x = [lambda x: layer.apply({"weight": weight}, x), lambda x: reference(x, weight)]
    for_weight = [lambda w: layer.apply({"weight": w}, x), lambda w: reference(x, w)]
    assert_alike(*(value_and_gradient(apply, x, pull) for apply in for_x))
    assert_alike(*(value_and_gradient(apply, weight, pull) for apply in for_weight))


@pytest.mark.parametrize("kind", ["average", "max"])
def test_global_pools_equal_torch(kind):
    x, pull = drawn(3, 5, 4, 6), drawn(3, 6)
    layer = GlobalPool(kind)
    reduce = {"average": torch.mean, "max": torch.amax}[kind]
    ours = value_and_gradient(functools.partial(layer.apply, {}), x, pull)
    assert layer.output_shape((5, 4, 6)) == (6,)
    assert_alike(ours, torch_value_and_gradient(lambda leaf: reduce(leaf, dim=(2, 3)), x, pull))
    np.testing.assert_allclose(layer.apply({}, x), ours[0], rtol=1e-14)


def test_scale_multiplies():
    layer = Scale(-2.5)
    ours = value_and_gradient(functools.partial(layer.apply, {}), drawn(3, 4), drawn(3, 4))
    assert_alike(ours, (-2.5 * drawn(3, 4), -2.5 * drawn(3, 4)))
    assert layer.apply({}, np.ones(2, np.float32)).dtype == np.float32
    assert layer.output_shape((4, 4, 3)) == (4, 4, 3)


@pytest.mark.parametrize("layer", [
    LocalResponseNorm(),
    LocalResponseNorm(2, 2.0, 1e-4, 0.75),
    LocalResponseNorm(1, 0.5, 3.0, 0.5),
    LocalResponseNorm(9, 1.0, 1.0, 2.0),
    LocalResponseNorm(0, 1.0, 2.0, 0.75),
    LocalResponseNorm(3, 1.0, 0.0, 0.75),
])  # fmt: skip
def test_local_response_normalisation_equals_torch(layer):
    """PyTorch divides its α by the number of channels in the window, TensorFlow, as we do, does not."""
    x = np.array([0.0, 1e-3, 1.0, 1e4])[:, None, None] * drawn(2, 4, 3, 7)
    pull = drawn(*x.shape)
    window = 2 * layer.depth_radius + 1

    def reference(leaf):
        return torch.nn.functional.local_response_norm(leaf, window, layer.alpha * window, layer.beta, layer.bias)

    ours = value_and_gradient(functools.partial(layer.apply, {}), x, pull)
    assert_alike(ours, torch_value_and_gradient(reference, x, pull))
    np.testing.assert_allclose(layer.apply({}, x), ours[0], rtol=1e-13)


def normalising_params(units):
    rng = np.random.default_rng(units)
    return {
        "scale": rng.normal(size=units), "shift": rng.normal(size=units),
        "mean": rng.normal(size=units), "variance": rng.uniform(0.2, 2, size=units),
    }  # fmt: skip


def torch_norm(layer, params, training):
    module = torch.nn.BatchNorm1d(len(params["mean"]), layer.epsilon, 1 - layer.momentum, dtype=torch.float64)
    with torch.no_grad():
        for name, tensor in (
            ("scale", module.weight), ("shift", module.bias),
            ("mean", module.running_mean), ("variance", module.running_var),
        ):  # fmt: skip
            tensor.copy_(torch.tensor(params[name]))
    return module.train(training)


@pytest.mark.parametrize("shape", [(6, 3), (4, 5, 2, 3)])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layer", [BatchNorm(), BatchNorm(momentum=0.3, epsilon=0.1)])
def test_batch_normalisation_equals_torch(layer, training, shape):
    x, pull, params = drawn(*shape), drawn(*shape[::-1]).T, normalising_params(shape[-1])
    module = torch_norm(layer, params, training)
    axes = tuple(range(x.ndim - 1))

    def apply(x, scale, shift):
        own = params | {"scale": scale, "shift": shift}
        return layer.train(own, x, axes) if training else (layer.apply(own, x), {})

    with jax.enable_x64(True):
        y, backward, moved = jax.vjp(apply, jnp.asarray(x), params["scale"], params["shift"], has_aux=True)
        gradients = backward(jnp.asarray(pull))
    theirs = torch_value_and_gradient(
        lambda leaf: module(leaf.flatten(2) if leaf.ndim > 3 else leaf).view_as(leaf), x, pull
    )
    assert_alike((np.asarray(y), np.asarray(gradients[0])), theirs)
    assert_alike(gradients[1:], (module.weight.grad, module.bias.grad))
    if training:
        assert_alike((moved["mean"].ravel(), moved["variance"].ravel()), (module.running_mean, module.running_var))
        assert moved["mean"].shape == (*[1] * (x.ndim - 1), shape[-1])
        in_numpy, moved_in_numpy = layer.train(params, x, axes)
        assert_alike((in_numpy, *moved_in_numpy.values()), (np.asarray(y), *map(np.asarray, moved.values())))


@pytest.mark.parametrize("shape", [(6, 3), (6, 5, 2, 3)])
def test_padding_of_a_batch_counts_for_nothing(shape):
    """Four of six samples count; what stands in the place of the others, even infinity, changes nothing."""
    layer, params, real = BatchNorm(), normalising_params(shape[-1]), [0, 2, 3, 5]
    x = drawn(*shape)
    weights = np.zeros((6, *[1] * (len(shape) - 1)))
    weights[real] = 1
    axes = tuple(range(len(shape) - 1))
    expected, moved = layer.train(params, x[real], axes)
    for filling in (1.0, 1e6, math.inf):
        x[[1, 4]] = filling
        with np.errstate(invalid="ignore"):
            found, found_moved = layer.train(params, x, axes, weights)
        assert_alike((found[real], *found_moved.values()), (expected, *moved.values()))


def test_a_batch_of_one_sample_has_no_variance():
    """PyTorch refuses it; the last batch of an epoch may hold one sample all the same."""
    params = normalising_params(2)
    y, moved = BatchNorm(momentum=0.75).train(params, np.array([[3.0, -1.0]]), (0,))
    np.testing.assert_array_equal(y[0], params["shift"])
    np.testing.assert_allclose(moved["mean"][0], 0.75 * params["mean"] + 0.25 * np.array([3.0, -1.0]))
    np.testing.assert_allclose(moved["variance"][0], 0.75 * params["variance"])


BLOCKS = {
    "identity": ([Conv(3), Act(), Conv(3)], (5, 6, 3)),
    "more channels": ([Conv(4), BatchNorm(), Act("tanh"), Conv(4, bias=False)], (5, 6, 3)),
    "half the size": ([Conv(4, stride=2), Act(), Conv(4)], (7, 8, 3)),
    "pooled": ([MaxPool(3, 2, "same"), Act()], (7, 6, 3)),
    "vectors": ([Dense(4), Act(), Dense(4)], (4,)),
    "wider vectors": ([Dense(4), Act(), Dense(5)], (4,)),
    "blocks in blocks": ([Conv(4), Residual([Conv(4), Act(), Residual([Conv(6, stride=3)])]), Act()], (7, 8, 3)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_residual_blocks_equal_torch_in_values_and_gradients(name):
    layers, shape = BLOCKS[name]
    network = build([Residual(layers), Act("tanh"), Flatten(), Dense(2)], shape, "elu")
    rng = np.random.default_rng(1)
    start = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: rng.uniform(0.1, 1, size=leaf.shape), start)
    x, pull = rng.normal(size=(3, *shape)), rng.normal(size=(3, 2))
    with jax.enable_x64(True):
        ours, backward = jax.vjp(network.apply, params, jnp.asarray(x))
        gradient, _ = backward(jnp.asarray(pull))
    theirs = TorchNetwork(network, params)
    logits = theirs(x)
    (logits * torch.tensor(pull)).sum().backward()
    np.testing.assert_allclose(ours, logits.detach(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(network.apply(params, x), logits.detach(), rtol=1e-9, atol=1e-11)
    for layer, own in theirs.leaves.items():
        for parameter, leaf in own.items():
            np.testing.assert_allclose(gradient[layer][parameter], leaf.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("block", "shape", "weight"),
    [
        ([Conv(3)], (6, 6, 3), None),
        ([Dense(4)], (4,), None),
        ([Dense(5, init="he_normal")], (4,), (4, 5)),
        ([Conv(8, 5, stride=2), Conv(8, stride=2)], (7, 9, 3), (1, 1, 3, 8)),
        ([Conv(3, 2, "valid", 2)], (6, 6, 3), (1, 1, 3, 3)),
    ],
)
def test_a_projection_is_learnt_only_where_the_shapes_differ(block, shape, weight):
    network = build([Residual(block)], shape)
    join = network.layers[-1]
    assert (join.name, network.layers[0].name) == ("join1", "fork1")
    assert join.parameter_shapes == ({"weight": weight} if weight else {})
    assert join.name not in network.weight_layers


def test_a_projection_is_drawn_and_penalised_as_the_last_weights_of_its_block():
    last = Conv(8, 3, stride=2, init="normal(0.3)", l2=0.25)
    network = build([Residual([Conv(8, init="he_normal"), Act(), last, Act("tanh")])], (8, 8, 64))
    projection = network.layers[-1].layer.projection
    assert projection == Conv(8, 1, stride=2, init="normal(0.3)", bias=False, l2=0.25)
    weight = np.asarray(network.init(jax.random.key(0))["join1"]["weight"])
    assert weight.std() == pytest.approx(0.3, rel=0.1)
    assert network.penalised


@pytest.mark.parametrize(
    ("block", "shape", "sentence"),
    [
        (
            [Conv(3, padding="valid")],
            (8, 8, 3),
            "8×8×3 → fork1 8×8×3 → conv1 6×6×3 → join1: the residual block makes 6×6×3 out of 8×8×3, which no 1×1 "
            "convolution does: give the layers in it padding='same', and put what makes vectors of images behind the "
            "block.",
        ),
        ([Flatten()], (2, 2, 3), "the residual block makes 12 out of 2×2×3, which no"),
        ([Residual([Conv(3, 8, "valid")])], (6, 6, 1), "fork1 6×6×1 → fork2 6×6×1 → conv1: Conv: a window of 8×8 does"),
    ],
)
def test_blocks_that_no_projection_helps_are_refused(block, shape, sentence):
    with pytest.raises(InvalidNetwork) as refused:
        build([Residual(block)], shape)
    assert sentence in str(refused.value)


ALL_LAYERS = [
    Scale(2), Conv(4, 5, activation="tanh", l2=0.5), MaxPool(3, 2, "same"), LocalResponseNorm(), BatchNorm(0.5),
    Residual([Conv(4), BatchNorm(), Act(), Residual([Conv(6, stride=2)])]), AvgPool(2, 1), Act(),
    GlobalPool("max"), Flatten(), Dropout(0.25), Dense(3, l2=0.004, init="he_normal"),
]  # fmt: skip


def test_every_layer_is_in_the_study_file_and_comes_back(tmp_path):
    study = Study(network=ALL_LAYERS)
    (tmp_path / "study.toml").write_text(study.to_toml())
    assert from_toml(tmp_path / "study.toml") == study
    kinds = {layer.layer for layer in (*ALL_LAYERS, *ALL_LAYERS[5].layers)}
    assert kinds == set(LAYERS)


def test_every_layer_is_the_same_in_numpy_and_jax():
    network = build(ALL_LAYERS, (16, 16, 3), "gelu")
    params = jax.tree.map(np.asarray, network.init(jax.random.key(0)))
    x = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    in_numpy = network.apply(params, x)
    np.testing.assert_allclose(in_numpy, network.apply(params, jnp.asarray(x)), rtol=1e-4, atol=1e-5)
    assert in_numpy.dtype == np.float32
    assert np.ptp(in_numpy) > 0.01


@pytest.mark.parametrize(
    ("layer", "arguments", "sentence"),
    [
        (Conv, {"filters": 0}, "Conv: filters: more than 0 is expected, got 0."),
        (Conv, {"filters": 2, "padding": "full"}, "Conv: padding: 'same' or 'valid' is expected, got 'full'."),
        (Dense, {"units": 2.5}, "Dense: units: a whole number is expected, got 2.5."),
        (Dense, {"units": 2, "l2": -1}, "Dense: l2: 0 or more is expected, got -1."),
        (Dense, {"units": 2, "l2": math.inf}, "Dense: l2: a finite number is expected, got inf."),
        (Dense, {}, "Dense: units is missing."),
        (MaxPool, {"stride": 0}, "MaxPool: stride: more than 0 is expected, got 0."),
        (AvgPool, {"padding": 1}, "AvgPool: padding: 'same' or 'valid' is expected, got 1."),
        (GlobalPool, {"kind": "mean"}, "GlobalPool: kind: 'average' or 'max' is expected, got 'mean'."),
        (Scale, {"factor": math.nan}, "Scale: factor: a finite number is expected, got nan."),
        (Dropout, {"rate": 1.0}, "Dropout: rate: less than 1 is expected, got 1.0."),
        (BatchNorm, {"momentum": 1}, "BatchNorm: momentum: less than 1 is expected, got 1."),
        (BatchNorm, {"epsilon": 0}, "BatchNorm: epsilon: more than 0 is expected, got 0."),
        (LocalResponseNorm, {"bias": 0}, "LocalResponseNorm: bias: more than 0 is expected, got 0."),
        (LocalResponseNorm, {"alpha": -1}, "LocalResponseNorm: alpha: 0 or more is expected, got -1."),
        (LocalResponseNorm, {"depth_radius": -1}, "LocalResponseNorm: depth_radius: 0 or more is expected, got -1."),
        (Residual, {"layers": []}, "Residual: layers: a list with at least 1 entry is expected, got []."),
        (Residual, {"layers": Dense(2)}, "Residual: layers: a list is expected, got Dense(units=2"),
        (Residual, {"layers": [3]}, "Residual: layers, entry 1: a table is expected, got 3."),
        (Residual, {}, "Residual: layers is missing."),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_sentence(layer, arguments, sentence):
    with pytest.raises(InvalidNetwork) as refused:
        layer(**arguments)
    assert str(refused.value).startswith(sentence)


def test_a_misspelt_layer_in_a_block_of_a_study_file_gets_the_nearest(tmp_path):
    text = Study(network=[Residual([Act(), Dense(2)])]).to_toml()
    for wrong, sentence in (
        (text.replace('layer = "act"', 'layer = "atc"'), "unknown layer 'atc': did you mean 'act'?"),
        (text.replace("per_unit", "per_units"), "entry 1: unknown key 'per_units': did you mean 'per_unit'?"),
        (text.replace("glorot_uniform", "glorot"), "unknown initialiser 'glorot': did you mean 'glorot_"),
    ):
        (tmp_path / "study.toml").write_text(wrong)
        with pytest.raises(InvalidStudy) as refused:
            from_toml(tmp_path / "study.toml")
        assert sentence in str(refused.value)


def test_what_is_recorded_of_such_a_network_runs_in_numpy(tmp_path):
    """Two populations, one of them with a projection; weights and running statistics of every epoch."""
    layers = [
        Conv(4, stride=2), BatchNorm(), Act(), Residual([Conv(4, l2=0.02), BatchNorm(), Dropout(0.2)]), Act(),
        GlobalPool(), Dense(3, l2=0.01),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=(n, 6, 6, 1)).astype(np.float32), np.arange(n) % 3) for n in (70, 30, 40)]
    task = build_task("made up", *parts, provenance="a random number generator")
    study = Study(
        task="made up", network=layers, activations=["relu", "prelu", "maxout", "rrelu"], seeds=2, epochs=3, batch=16
    )
    recording = engine.train(study, tmp_path / "run", task=task)
    penalty = recording.probes["penalty"]
    assert penalty.shape == (4, len(recording.members))
    for member in recording.members:
        network = recording.network(member.activation)
        for epoch in range(4):
            params = recording.weights(member, epoch)
            assert ("join1" in params) == (member.activation == "maxout")
            running = params["batch_norm1"]
            assert (epoch == 0) == (not running["mean"].any() and (running["variance"] == 1).all())
            right = network.apply(params, task.x_test).argmax(axis=1) == task.y_test
            assert right.mean() == pytest.approx(recording.metrics["test_accuracy"][epoch, member.id], abs=1e-6)
            squares = {name: np.sum(np.square(own["weight"])) for name, own in params.items() if "weight" in own}
            expected = 0.01 * squares["conv2"] + 0.005 * squares["dense1"] + 0.01 * squares.get("join1", 0)
            assert penalty[epoch, member.id] == pytest.approx(expected, rel=1e-5)
