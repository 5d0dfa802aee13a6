"""Every layout against `Network.apply`, member by member, in float64; and the turns of axes against NumPy."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.populations import (
    LANES,
    LAYOUTS,
    PLANES,
    STACKED,
    by_member,
    into,
    member_of,
    parameters_by_member,
    parameters_into,
)

from actlab.engine import devices
from actlab.engine.forward import Batch, PopulationModel, forward, forward_training, function_arguments
from actlab.engine.training import initial_parameters
from actlab.functions import catalogue
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
from actlab.plan.layout import choose
from actlab.plan.population import populations
from actlab.study import Study

devices.prepare()

SEEDS, BATCH = 2, 5


def population_of(layers, activations, shape, rates=(0.1,)):
    study = Study(network=layers, activations=activations, learning_rates=rates, seeds=SEEDS)
    (population,) = populations(study, shape)
    return population


def random_parameters(population, rng):
    """Parameters (variants, seeds, ...) of all members in NumPy, nothing of them equal or zero, variances positive."""
    seeds = len(population.seeds)
    keys = jax.eval_shape(lambda n: jax.vmap(jax.random.key)(n), jnp.zeros(seeds, jnp.uint32))
    shapes = jax.eval_shape(functools.partial(initial_parameters, PopulationModel(population, STACKED)), keys)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)
    for own in params.values():
        own |= {"variance": np.abs(own["variance"]) + 0.3} if "variance" in own else {}
    return params


def direction_among(population, rng):
    """Where to go from some parameters: anywhere, but for the running statistics, which have no gradient to train."""
    direction = random_parameters(population, rng)
    for own in direction.values():
        own |= {name: np.zeros_like(own[name]) for name in ("mean", "variance") if name in own}
    return direction


def logits_and_gradient(layout, population, params, x, pull, batch=None):
    """Logits (variants, seeds, batch, outputs) and the gradient of Σ pull·logits, computed in the layout.

    `x` (batch, seeds, ...), `pull` the shape of the logits, `batch` for a training pass.
    """

    def total(placed, x, pull):
        own = (PopulationModel(population, layout), placed, layout.place_samples(x))
        logits, _ = forward(*own) if batch is None else forward_training(*own, batch)
        return jnp.sum(logits * pull), logits

    gradient, logits = jax.jit(jax.grad(total, has_aux=True))(parameters_into(layout, params), x, into(layout, pull))
    return by_member(layout, logits), parameters_by_member(layout, gradient)


def numpy_logits(population, params, x):
    """(variants, seeds, batch, outputs), every member on its own in NumPy."""
    return np.array(
        [
            [
                population.networks[variant.activation].apply(member_of(population, params, i, seed), x[:, seed])
                for seed in range(len(population.seeds))
            ]
            for i, variant in enumerate(population.variants)
        ]
    )


def random_layers(rng):
    """Two to four hidden layers, the last of them open, the others of any kind."""
    fixed = ["silu", "softmax", "tanh", "elu"]
    layers: list = [Dropout(0.3)] if rng.random() < 0.3 else []
    for _ in range(rng.integers(1, 4)):
        places = [Act("maxout"), Act("prelu", per_unit=False), Act(), Dropout(0.2), Act(str(rng.choice(fixed)))]
        layers += [Dense(2 * int(rng.integers(1, 3)), bias=bool(rng.random() < 0.7)), places[rng.integers(5)]]
    layers += [Dense(3), Act(per_unit=bool(rng.random() < 0.5)), Dense(int(rng.integers(1, 4)))]
    return layers


CASES = {
    "open only": ([Dense(4), Act(), Dense(3), Act(), Dense(2)], (3,)),
    "all kinds": (
        [Dense(4), Act("maxout"), Dense(4), Act(), Dropout(0.3), Dense(3), Act("prelu", per_unit=False), Dense(1)],
        (2,),
    ),
    "first an act": ([Act("silu"), Dropout(0.3), Dense(4), Act(per_unit=False), Dense(1)], (3,)),
    "open act on the data": ([Act(), Dense(3), Act("softmax"), Dense(2)], (3,)),
    "flattened image": ([Flatten(), Dense(3), Act(), Dense(2)], (2, 2, 1)),
    "normalised": ([Scale(-3), BatchNorm(), Dense(4), BatchNorm(), Act(), Dropout(0.3), Dense(2)], (3,)),
    "blocks": (
        [Residual([Dense(4), BatchNorm(), Act()]), Residual([Dense(4), Act(), Residual([Dense(3)])]), Act(), Dense(2)],
        (3,),
    ),
    "a block of functions on the data": ([Residual([Act("elu"), Dropout(0.2)]), Dense(3), Act(), Dense(1)], (3,)),
    **{f"random {case}": (random_layers(np.random.default_rng(case)), (3,)) for case in range(4)},
}


@pytest.mark.parametrize("case", CASES)
def test_the_layouts_equal_the_network_member_by_member(case):
    layers, shape = CASES[case]
    rng = np.random.default_rng(len(case))
    # Straight on the data a trainable function cannot stand yet: see below.
    trainable = "elu" if case == "open act on the data" else "prelu"
    population = population_of(layers, ["tanh", trainable, "softmax"], shape, (0.1, 0.2))
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, *shape))
        expected = numpy_logits(population, params, x)
        pull = rng.normal(size=expected.shape)
        found = [logits_and_gradient(layout, population, params, x, pull) for layout in (LANES, STACKED, PLANES)]
    gradient = found[0][1]
    for logits, own in found:
        assert logits.dtype == np.float64
        np.testing.assert_allclose(logits, expected, rtol=1e-11, atol=1e-12)
        assert jax.tree.structure(own) == jax.tree.structure(gradient)
        for ours, theirs in zip(jax.tree.leaves(own), jax.tree.leaves(gradient), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-11)
    # One direction through all parameters, by a central difference of the NumPy networks.
    direction = direction_among(population, rng)
    ends = [
        np.sum(pull * numpy_logits(population, jax.tree.map(lambda p, d, h=h: p + h * d, params, direction), x))
        for h in (1e-6, -1e-6)
    ]
    slope = sum(np.sum(g * d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_maxout_under_study_in_every_layout():
    population = population_of([Dense(3), Act(), Dense(2)], ["maxout"], (2,), (0.1, 0.2))
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, 2))
        expected = numpy_logits(population, params, x)
        pull = np.ones_like(expected)
        found = [logits_and_gradient(layout, population, params, x, pull) for layout in (LANES, STACKED, PLANES)]
    for logits, _ in found:
        np.testing.assert_allclose(logits, expected, rtol=1e-11)


@LAYOUTS
def test_trainable_function_on_the_data(layout):
    population = population_of([Act(), Dense(1)], ["prelu"], (2,), (0.1, 0.2))
    params = random_parameters(population, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(BATCH, SEEDS, 2))
    expected = numpy_logits(population, params, x)
    found, _ = logits_and_gradient(layout, population, params, x, np.ones_like(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


IMAGES = {
    "convolutions and pools": [
        Conv(3, 3, stride=2), Act(), MaxPool(2, 1), Conv(2, 2, padding="valid", bias=False), Act("prelu"),
        Dropout(0.5), Flatten(), Dense(4), Act(), Dense(3),
    ],
    "normalised and pooled": [
        Scale(2), BatchNorm(), Conv(3, 3), AvgPool(3, 2, "same"), Act(), LocalResponseNorm(1, 1.0, 0.5),
        Conv(3, 3), BatchNorm(), MaxPool(3, 2, "same"), Act(per_unit=False), GlobalPool("max"), Dense(3),
    ],
    "blocks": [
        Conv(3), Act(), Residual([Conv(4, stride=2), BatchNorm(), Act(), Residual([Conv(4)])]), Act(), GlobalPool(),
        Dense(3),
    ],
}  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("name", IMAGES)
def test_layers_of_images_equal_the_network_member_by_member(name, device, monkeypatch):
    """On an accelerator convolutions are computed in another form, which a CPU can compute, too."""
    monkeypatch.setattr(jax, "default_backend", lambda: device)
    population = population_of(IMAGES[name], ["tanh", "prelu"], (9, 7, 2), (0.1, 0.2))
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, 9, 7, 2))
        expected = numpy_logits(population, params, x)
        logits, gradient = logits_and_gradient(STACKED, population, params, x, np.ones_like(expected))
    np.testing.assert_allclose(logits, expected, rtol=1e-10, atol=1e-10)
    assert gradient["conv1"]["weight"].shape == (4, SEEDS, 3, 3, 2, 3)
    direction = direction_among(population, rng)
    ends = [
        np.sum(numpy_logits(population, jax.tree.map(lambda p, d, h=h: p + h * d, params, direction), x))
        for h in (1e-7, -1e-7)
    ]
    slope = sum(np.sum(g * d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-5)


@pytest.mark.parametrize("behind", [[], [MaxPool(2)], [AvgPool(3, 2, "same"), BatchNorm(), Dropout(0.5)]])
@pytest.mark.parametrize("activation", ["maxout", "prelu"])
def test_maxout_and_prelu_under_study_behind_convolutions(activation, behind):
    layers = [Conv(4), *behind, Act(), Conv(4), Act("prelu"), Flatten(), Dense(6), Dropout(0.1), Act(), Dense(2)]
    population = population_of(layers, [activation], (5, 6, 2), (0.1, 0.2))
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, 5, 6, 2))
        expected = numpy_logits(population, params, x)
        logits, gradient = logits_and_gradient(STACKED, population, params, x, np.ones_like(expected))
    np.testing.assert_allclose(logits, expected, rtol=1e-10, atol=1e-10)
    direction = direction_among(population, rng)
    ends = [
        np.sum(numpy_logits(population, jax.tree.map(lambda p, d, h=h: p + h * d, params, direction), x))
        for h in (1e-7, -1e-7)
    ]
    slope = sum(np.sum(g * d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-5)


NORMALISED = [BatchNorm(0.5), Dense(4), BatchNorm(), Act(), Residual([Dense(3), BatchNorm(0.8)]), Act("elu"), Dense(2)]
IMAGE_NORMALISED = [Conv(3), BatchNorm(0.5), Act(), Residual([Conv(4, stride=2), BatchNorm()]), Flatten(), Dense(2)]


@pytest.mark.parametrize("weights", [None, [[1, 0, 1, 1, 1], [1, 1, 0, 1, 0]]], ids=["whole", "padded"])
@pytest.mark.parametrize(
    ("layout", "layers", "shape"),
    [
        (LANES, NORMALISED, (3,)),
        (PLANES, NORMALISED, (3,)),
        (STACKED, NORMALISED, (3,)),
        (STACKED, IMAGE_NORMALISED, (4, 5, 2)),
    ],
    ids=["lanes", "planes", "stacked", "images"],
)
def test_batches_are_normalised_member_by_member_without_their_padding(layout, layers, shape, weights):
    """Each member against `Network.apply` on its real samples, and its running statistics against their formula."""
    population = population_of(layers, ["tanh", "prelu"], shape, (0.1, 0.2))
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, *shape))
        batch = Batch(weights=None if weights is None else jnp.asarray(np.array(weights, float).T))
        logits, statistics = jax.jit(
            lambda p, x: forward_training(PopulationModel(population, layout), p, layout.place_samples(x), batch)
        )(parameters_into(layout, params), x)
    logits, statistics = by_member(layout, logits), parameters_by_member(layout, statistics)
    assert set(statistics) == {name for name in params if name.startswith("batch_norm")}
    for i, variant in enumerate(population.variants):
        network = population.networks[variant.activation]
        for seed in range(SEEDS):
            own = member_of(population, params, i, seed)
            real = np.flatnonzero(np.ones(BATCH) if weights is None else weights[seed])
            expected = network.apply(own, x[real, seed], training=True)
            np.testing.assert_allclose(logits[i, seed][real], expected, rtol=1e-9, atol=1e-9)
            found = {name: {k: v[i, seed] for k, v in of.items()} for name, of in statistics.items()}
            for name, moved in running_statistics(network, own, x[real, seed]).items():
                for statistic, value in moved.items():
                    np.testing.assert_allclose(found[name][statistic], value, rtol=1e-9, atol=1e-9)


def running_statistics(network, params, x):
    """Of one member after one batch: every batch normalisation over the network cut off before it."""
    found = {}
    for place, built in enumerate(network.layers):
        if isinstance(built.layer, BatchNorm):
            # What a block kept is not asked for before its end, so that the network may end anywhere.
            seen = dataclasses.replace(network, layers=network.layers[:place]).apply(params, x, training=True)
            seen = seen.reshape(-1, seen.shape[-1])
            fresh = {"mean": seen.mean(axis=0), "variance": seen.var(axis=0, ddof=1)}
            momentum, old = built.layer.momentum, params[built.name]
            found[built.name] = {k: momentum * old[k] + (1 - momentum) * fresh[k] for k in fresh}
    return found


@LAYOUTS
def test_stochastic_functions_draw_by_seed_alike_in_every_variant_and_not_when_observed(layout):
    layers = [Dense(4), Act(), Dense(6), Act("gumbel_softmax"), Dense(2)]
    population = population_of(layers, ["rrelu", "prob_act", "tanh"], (3,), (0.1, 0.2))
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        params = random_parameters(population, rng)
        x = rng.normal(size=(BATCH, SEEDS, 3))
        keys = jax.vmap(jax.random.key)(np.arange(SEEDS, dtype=np.uint32))
        pull = np.ones((len(population.variants), SEEDS, BATCH, 2))
        drawn, _ = logits_and_gradient(layout, population, params, x, pull, Batch(keys))
        still, _ = logits_and_gradient(layout, population, params, x, pull)
        expected = [
            [
                population.networks[variant.activation].apply(
                    member_of(population, params, i, seed),
                    jnp.asarray(x[:, seed]),
                    training=True,
                    key=keys[seed],
                )
                for seed in range(SEEDS)
            ]
            for i, variant in enumerate(population.variants)
        ]
    np.testing.assert_allclose(drawn, np.array(expected), rtol=1e-10)
    np.testing.assert_allclose(still, numpy_logits(population, params, x), rtol=1e-10)
    assert np.abs(drawn - still).min() > 0


@LAYOUTS
def test_dropout_draws_by_seed_and_place_as_the_network_does(layout):
    layers = [Dropout(0.4), Dense(4), Act(), Dropout(0.5), Dense(2)]
    population = population_of(layers, ["tanh", "elu"], (3,))
    rng = np.random.default_rng(4)
    params = jax.tree.map(lambda leaf: leaf.astype(np.float32), random_parameters(population, rng))
    x = rng.normal(size=(BATCH, SEEDS, 3)).astype(np.float32)
    seeds = np.array([11, 12], np.uint32)
    keys = jax.vmap(jax.random.key)(seeds)
    pull = np.ones((2, SEEDS, BATCH, 2), np.float32)
    found, _ = logits_and_gradient(layout, population, params, x, pull, Batch(keys))
    for variant, name in enumerate(("tanh", "elu")):
        for seed in range(SEEDS):
            apply = jax.jit(functools.partial(population.networks[name].apply, training=True))
            expected = apply(member_of(population, params, variant, seed), x[:, seed], key=keys[seed])
            np.testing.assert_allclose(found[variant, seed], expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(found, numpy_logits(population, params, x), rtol=1e-2)


@LAYOUTS
def test_taps_are_added_to_the_activations(layout):
    population = population_of([Dense(3), Act(), Dense(2)], ["tanh", "relu"], (2,))
    rng = np.random.default_rng(5)
    params = jax.tree.map(lambda leaf: leaf.astype(np.float32), random_parameters(population, rng))
    x = rng.normal(size=(BATCH, SEEDS, 2)).astype(np.float32)
    tap = rng.normal(size=(2, SEEDS, BATCH, 3)).astype(np.float32)
    plain, tapped = (
        forward(
            PopulationModel(population, layout),
            parameters_into(layout, params),
            layout.place_samples(jnp.asarray(x)),
            taps=taps,
        )
        for taps in (None, {"act1": into(layout, tap)})
    )
    difference = by_member(layout, tapped[1]["act1"][1]) - by_member(layout, plain[1]["act1"][1])
    np.testing.assert_allclose(difference, tap, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tapped[1]["act1"][0], plain[1]["act1"][0])
    pushed = np.einsum("asbi,asio->asbo", tap, params["dense2"]["weight"])
    np.testing.assert_allclose(by_member(layout, tapped[0]) - by_member(layout, plain[0]), pushed, rtol=1e-3, atol=1e-4)


@LAYOUTS
def test_what_is_seen_are_inputs_and_outputs_of_every_act(layout):
    population = population_of([Dense(3), Act(), Dense(4), Act("maxout"), Dense(1)], ["tanh", "relu"], (2,))
    rng = np.random.default_rng(6)
    params = jax.tree.map(lambda leaf: leaf.astype(np.float32), random_parameters(population, rng))
    x = rng.normal(size=(BATCH, SEEDS, 2)).astype(np.float32)
    _, seen = forward(
        PopulationModel(population, layout), parameters_into(layout, params), layout.place_samples(jnp.asarray(x))
    )
    for variant, name in enumerate(("tanh", "relu")):
        for seed in range(SEEDS):
            own = member_of(population, params, variant, seed)
            before = x[:, seed] @ own["dense1"]["weight"] + own["dense1"]["bias"]
            after = np.tanh(before) if name == "tanh" else np.maximum(before, 0)
            wide = after @ own["dense2"]["weight"] + own["dense2"]["bias"]
            expected = {"act1": (before, after), "act2": (wide, wide.reshape(BATCH, 2, 2).max(axis=-1))}
            for place, pair in expected.items():
                for found, wanted in zip(seen[place], pair, strict=True):
                    np.testing.assert_allclose(by_member(layout, found)[variant, seed], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 2, 3, 4)])
@LAYOUTS
def test_a_value_per_seed_is_spread_over_the_variants_and_found_again(layout, shape):
    per_seed = np.random.default_rng(len(shape)).normal(size=(5, *shape)).astype(np.float32)
    broadcast_seeds = layout.broadcast_seeds(jnp.asarray(per_seed), 3)
    assert broadcast_seeds.shape[layout.variant_axis] == 3
    assert broadcast_seeds.shape[layout.seed_axis] == 5
    first = np.asarray(layout.members_first(broadcast_seeds))
    assert first.shape == (3, 5, *shape)
    for variant in range(3):
        np.testing.assert_array_equal(first[variant], per_seed)


@LAYOUTS
def test_some_variants_are_cut_out_of_parameters_and_activations(layout):
    members = np.random.default_rng(8).normal(size=(4, 2, 3, 5))
    for array in (members, members[..., 0]):
        cut = layout.slice_variants(jnp.asarray(into(layout, array)), 1, 3)
        np.testing.assert_array_equal(by_member(layout, cut), array[1:3].astype(np.float32))


@pytest.mark.parametrize("shape", [(), (3,), (4, 5, 2)])
@LAYOUTS
def test_samples_get_a_variant_axis_of_one(layout, shape):
    x = np.random.default_rng(0).normal(size=(7, 2, *shape)).astype(np.float32)
    placed = layout.place_samples(jnp.asarray(x))
    first = by_member(layout, placed)
    assert first.shape == (1, 2, 7, *shape)
    np.testing.assert_array_equal(first[0], np.swapaxes(x, 0, 1))
    assert placed.shape[layout.sample_axis] == 7
    if shape:
        assert placed.shape[layout.unit_axis] == shape[-1]


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 2, 3, 4)])
@LAYOUTS
def test_a_value_per_variant_reaches_all_numbers_of_the_variant(layout, shape):
    values = np.array([2.0, 3.0, 5.0], np.float32)
    members = np.random.default_rng(1).normal(size=(3, 2, *shape)).astype(np.float32)
    parameter = parameters_into(layout, members)
    product = np.asarray(layout.broadcast_rates(jnp.asarray(values), parameter.ndim) * parameter)
    found = parameters_by_member(layout, product)
    np.testing.assert_array_equal(found, np.stack([2 * members[0], 3 * members[1], 5 * members[2]]))


def test_a_slope_per_unit_lies_along_the_channels_of_an_image():
    slopes = np.array([[[0.5, 2.0]], [[3.0, 4.0]]], np.float32)  # (variants 2, seeds 1, channels 2)
    x = jnp.full((2, 1, 3, 4, 5, 2), -1.0)
    arguments = function_arguments(STACKED, catalogue["prelu"], {"prelu": {"negative_slope": jnp.asarray(slopes)}}, x)
    found = np.asarray(catalogue["prelu"](x, **arguments))
    np.testing.assert_array_equal(found, np.broadcast_to(-slopes[:, :, None, None, None], x.shape))
    x = jnp.moveaxis(x, 2, -1)
    arguments = function_arguments(PLANES, catalogue["prelu"], {"prelu": {"negative_slope": jnp.asarray(slopes)}}, x)
    found = np.asarray(catalogue["prelu"](x, **arguments))
    np.testing.assert_array_equal(found, np.broadcast_to(-slopes[:, :, None, None, :, None], x.shape))


def test_functions_that_mix_units_are_told_where_these_are():
    for layout, axis in ((LANES, -3), (STACKED, -1), (PLANES, -2)):
        assert function_arguments(layout, catalogue["softmax"], {}, jnp.zeros((1, 1, 1, 1))) == {"axis": axis}
        assert function_arguments(layout, catalogue["tanh"], {}, jnp.zeros((1, 1, 1, 1))) == {}


@pytest.mark.parametrize(
    ("layers", "shape", "name"),
    [
        ([Dense(16), Act(), Dense(100)], (16,), "lanes"),
        ([Dense(16), Act(), Dense(2)], (17,), "stacked"),
        ([Dense(17), Act(), Dense(2)], (2,), "stacked"),
        ([Flatten(), Dropout(0.5), Dense(2), Act()], (4, 4, 1), "lanes"),
        ([Flatten(), Dense(2), Act()], (4, 4, 2), "stacked"),
        ([Conv(2, 1), Act(), Flatten(), Dense(2)], (2, 2, 1), "stacked"),
        ([MaxPool(2), Flatten(), Act(), Dense(2)], (4, 4, 1), "stacked"),
        ([Scale(2), Dense(4), BatchNorm(), Act(), Residual([Dense(4)]), Residual([Dense(3)]), Act()], (2,), "lanes"),
        ([Dense(8), Act(), LocalResponseNorm(), Dense(2)], (2,), "stacked"),
        ([GlobalPool(), Dense(8), Act(), Dense(2)], (2, 2, 1), "stacked"),
        ([Residual([Flatten(), Dense(2)]), Act()], (17,), "stacked"),
    ],
)
def test_lanes_are_for_small_fully_connected_networks(layers, shape, name):
    assert choose(build(layers, shape)).training == name


def test_the_units_that_count_are_those_a_layer_takes_in():
    """Maxout with twice as many units before it hands on 16: the layer after it takes no more."""
    assert choose(build([Dense(16), Act(), Dense(2)], (2,), "maxout")).training == "lanes"
