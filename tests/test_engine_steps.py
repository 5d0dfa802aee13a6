"""Whole steps of networks with normalisation, residual blocks, penalties and what is drawn, against PyTorch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.populations import LANES, LAYOUTS, PLANES, STACKED, initial, member_of, parameters_by_member, populations_of
from tests.torch_networks import TorchNetwork

from actlab.engine import devices, measures, training
from actlab.engine.forward import PopulationModel
from actlab.layers import (
    Act,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalPool,
    LocalResponseNorm,
    MaxPool,
    Residual,
    Scale,
)
from actlab.study import SGD, Adam, AdamW

devices.prepare()

OPTIMISERS = {
    "momentum": (SGD(momentum=0.8), lambda p, rate: torch.optim.SGD(p, rate, momentum=0.8)),
    "adam": (Adam(beta1=0.8, beta2=0.9, epsilon=0.05), lambda p, rate: torch.optim.Adam(p, rate, (0.8, 0.9), 0.05)),
}


def started(population, layout, optimiser, rng):
    """A state with nothing in it zero or one, and its members' parameters as NumPy arrays (variants, seeds, ...)."""
    params = initial(population, layout, len(population.seeds))
    params = jax.tree.map(lambda leaf: leaf + rng.uniform(0.05, 0.3, size=leaf.shape), params)
    state = {"params": params, "optimiser": training.transformation(optimiser).init(params), "steps": np.int64(0)}
    return state, parameters_by_member(layout, params)


def trained(population, layout, optimiser, state, data, orders):
    rates = jnp.asarray([variant.learning_rate for variant in population.variants])
    step = jax.jit(
        lambda state, order: training.step(
            PopulationModel(population, layout), optimiser, rates, training.chosen(data, order), data.get("keys"), state
        )
    )
    for order in orders:
        state = step(state, order)
    return parameters_by_member(layout, state["params"])


VECTORS = [
    Dense(5, l2=0.3), BatchNorm(0.7), Act(), Residual([Dense(4), BatchNorm(), Act(), Residual([Dense(4)])]),
    Dense(3, l2=0.02),
]  # fmt: skip
IMAGES = [
    Scale(0.5), Conv(4, 3), MaxPool(3, 2, "same"), LocalResponseNorm(1, 1.0, 0.2), BatchNorm(0.7), Act(),
    Residual([Conv(6, 3, stride=2, l2=0.1), BatchNorm(), Act(), Conv(6, 3)]), AvgPool(2, 1), GlobalPool(), Dense(3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "layers", "shape"),
    [(LANES, VECTORS, (4,)), (PLANES, VECTORS, (4,)), (STACKED, VECTORS, (4,)), (STACKED, IMAGES, (6, 7, 2))],
    ids=["lanes", "planes", "stacked", "images"],
)
@pytest.mark.parametrize("optimiser", ["momentum", "adam"])
def test_normalised_blocks_with_penalties_train_as_in_torch(layout, layers, shape, optimiser):
    """Two epochs over 10 samples in batches of 4, the last of each with 2 that are padding; running statistics too."""
    settings, make = OPTIMISERS[optimiser]
    (population,) = populations_of(layers, ["tanh", "prelu"], (0.02, 0.05), seeds=2, shape=shape)
    kind, numbers = training.optimiser_settings(settings)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(10, *shape)), rng.integers(3, size=10).astype(np.int32)
    orders = np.empty((6, 4, 2), np.int32)
    for seed in range(2):
        for epoch in range(2):
            orders[3 * epoch : 3 * epoch + 3, :, seed] = np.append(rng.permutation(10), [-1, -1]).reshape(3, 4)
    with jax.enable_x64(True):
        state, start = started(population, layout, {"name": kind, **numbers}, rng)
        data = {"x_train": jnp.asarray(x), "y_train": jnp.asarray(y)}
        found = trained(population, layout, {"name": kind, **numbers}, state, data, orders)
    for i, variant in enumerate(population.variants):
        for seed in range(2):
            own = TorchNetwork(population.networks[variant.activation], member_of(population, start, i, seed))
            reference = make(own.parameters(), variant.learning_rate)
            for order in orders[:, :, seed]:
                chosen = order[order >= 0]
                reference.zero_grad()
                loss = torch.nn.functional.cross_entropy(own(x[chosen], True), torch.tensor(y[chosen]).long())
                (loss + own.penalty()).backward()
                reference.step()
            ours = member_of(population, found, i, seed)
            expected = {name: own.leaves[name] | own.statistics[name] for name in ours}
            for layer, values in ours.items():
                assert set(values) == set(expected[layer])
                for parameter, value in values.items():
                    theirs = expected[layer][parameter].detach()
                    np.testing.assert_allclose(value, theirs, rtol=1e-8, atol=1e-9, err_msg=f"{layer} {parameter}")
                    # A bias before a normalisation is taken away again with the mean: its gradient is 0.
                    stays = np.any(value == member_of(population, start, i, seed)[layer][parameter])
                    assert parameter == "bias" or not stays


@LAYOUTS
def test_l2_is_torchs_weight_decay_of_the_chosen_weights_alone(layout):
    """PyTorch's `weight_decay` of plain SGD adds weight_decay·w to the gradient, as l2·½·Σw² does."""
    layers = [Dense(3, l2=0.5), Act(), Dense(3), Act("tanh"), Dense(1, l2=2.0)]
    (population,) = populations_of(layers, ["elu"], (0.1,), seeds=2)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.integers(2, size=6).astype(np.int32)
    orders = np.tile(np.arange(6, dtype=np.int32)[:, None], (4, 1, 2))
    with jax.enable_x64(True):
        state, start = started(population, layout, {"name": "sgd"}, rng)
        data = {"x_train": jnp.asarray(x), "y_train": jnp.asarray(y)}
        found = trained(population, layout, {"name": "sgd"}, state, data, orders)
    for seed in range(2):
        own = TorchNetwork(population.network, member_of(population, start, 0, seed))
        decays = {("dense1", "weight"): 0.5, ("dense3", "weight"): 2.0}
        groups = [
            {"params": [leaf], "weight_decay": decays.get((layer, name), 0.0)}
            for layer, leaves in own.leaves.items()
            for name, leaf in leaves.items()
        ]
        reference = torch.optim.SGD(groups, 0.1)
        for _ in orders:
            reference.zero_grad()
            target = torch.tensor(y).double()
            torch.nn.functional.binary_cross_entropy_with_logits(own(x)[:, 0], target).backward()
            reference.step()
        for layer, values in member_of(population, found, 0, seed).items():
            for parameter, value in values.items():
                np.testing.assert_allclose(value, own.leaves[layer][parameter].detach(), rtol=1e-10)


@LAYOUTS
def test_the_penalty_is_summed_member_by_member(layout):
    layers = [Dense(4, l2=0.5), Act(), Residual([Dense(3, l2=0.25)]), Dense(1)]
    (population,) = populations_of(layers, ["tanh", "prelu"], (0.1, 0.2))
    (unpenalised,) = populations_of([Dense(4), Act(), Dense(1)], ["tanh", "prelu"], (0.1, 0.2))
    with jax.enable_x64(True):
        state, start = started(population, layout, {"name": "sgd"}, np.random.default_rng(0))
        found = training.penalty(PopulationModel(population, layout), state["params"])
        nothing = training.penalty(PopulationModel(unpenalised, layout), initial(unpenalised, layout, 3))
    squares = {name: np.sum(start[name]["weight"] ** 2, axis=(2, 3)) for name in ("dense1", "dense2", "join1")}
    assert found.shape == nothing.shape == (4, 3)
    np.testing.assert_allclose(found, squares["dense1"] / 4 + (squares["dense2"] + squares["join1"]) / 8, rtol=1e-12)
    np.testing.assert_array_equal(nothing, 0)


def test_the_penalty_is_observed_apart_from_the_loss_and_its_gradient_and_moves_the_weights():
    x, y = np.random.default_rng(0).normal(size=(5, 2)), np.array([0, 1, 1, 0, 1])
    rates, order = np.array([0.1, 0.2]), np.tile(np.arange(5)[:, None], 3)

    def observed(l2):
        (population,) = populations_of([Dense(4, l2=l2), Act(), Dense(1)], ["tanh"], tuple(rates))

        def loss(params):
            samples = training.chosen({"x_train": x, "y_train": y}, order)
            return training.batch_loss(PopulationModel(population, STACKED), params, samples, None)[0]

        with jax.enable_x64(True):
            state, start = started(population, STACKED, {"name": "sgd"}, np.random.default_rng(1))
            found = measures.measure(
                PopulationModel(population, PLANES), {"name": "sgd"}, rates, {"x": x, "y": y}, state
            )
            gradient = jax.grad(loss)(state["params"])
        norms = (np.linalg.norm(own["dense1"]["weight"], axis=(2, 3)) for own in (start, gradient))
        return jax.tree.map(np.asarray, found), *norms

    plain, size, _ = observed(0.0)
    penalised, _, downhill = observed(3.0)
    assert set(penalised) - set(plain) == {"penalty"}
    for name in set(plain) - {"update_ratio"}:
        np.testing.assert_array_equal(plain[name], penalised[name])
    np.testing.assert_allclose(penalised["penalty"], 1.5 * size**2, rtol=1e-12)
    np.testing.assert_allclose(penalised["update_ratio"][..., 0], rates[:, None] * downhill / size, rtol=1e-10)
    np.testing.assert_array_equal(plain["update_ratio"][..., 1], penalised["update_ratio"][..., 1])
    assert np.all(plain["update_ratio"][..., 0] != penalised["update_ratio"][..., 0])


@LAYOUTS
def test_weight_decay_leaves_running_statistics_alone(layout):
    """AdamW shrinks every parameter; mean and variance are no parameters, whatever they lie beside."""
    (population,) = populations_of([Dense(3), BatchNorm(0.9), Act(), Dense(1)], ["tanh"], (0.5,), seeds=2)
    kind, numbers = training.optimiser_settings(AdamW(weight_decay=0.9))
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(4, 2)), np.array([0, 1, 1, 0], np.int32)
    with jax.enable_x64(True):
        state, start = started(population, layout, {"name": kind, **numbers}, rng)
        data = {"x_train": jnp.asarray(x), "y_train": jnp.asarray(y)}
        order = np.tile(np.arange(4, dtype=np.int32)[:, None], (1, 1, 2))
        found = trained(population, layout, {"name": kind, **numbers}, state, data, order)
    for seed in range(2):
        z = x @ start["dense1"]["weight"][0, seed] + start["dense1"]["bias"][0, seed]
        old, new = ({k: v[0, seed] for k, v in own["batch_norm1"].items()} for own in (start, found))
        np.testing.assert_allclose(new["mean"], 0.9 * old["mean"] + 0.1 * z.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(new["variance"], 0.9 * old["variance"] + 0.1 * z.var(axis=0, ddof=1), rtol=1e-12)


@LAYOUTS
@pytest.mark.parametrize(
    ("layers", "activations"),
    [
        ([Dense(6), Act(), Dense(1)], ["tanh", "rrelu", "prob_act"]),
        ([Dense(6), Act(), Dense(4), Act("rrelu"), Dense(1)], ["tanh", "elu"]),
        ([Dense(6), Act(), Dropout(0.5), Dense(1)], ["tanh", "elu"]),
    ],
    ids=["under study", "fixed", "dropout"],
)
def test_a_step_draws_by_seed_and_step_alike_for_all_variants(layout, layers, activations):
    """Functions that draw do so also where there is no dropout; against `Network.apply` with the keys of the step."""
    (population,) = populations_of(layers, activations, (0.1, 0.2), seeds=2)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(4, 2)), np.array([0, 1, 1, 0], np.int32)
    with jax.enable_x64(True):
        keys = jax.vmap(jax.random.key)(np.array([8, 9], np.uint32))
        state, start = started(population, layout, {"name": "sgd"}, rng)
        data = {"x_train": jnp.asarray(x), "y_train": jnp.asarray(y), "keys": keys}
        order = np.tile(np.arange(4, dtype=np.int32)[:, None], (1, 1, 2))
        assert training.draws_noise(PopulationModel(population, LANES))
        found, later = (
            trained(population, layout, {"name": "sgd"}, state | {"steps": np.int64(steps)}, data, order)
            for steps in (0, 3)
        )
        for i, variant in enumerate(population.variants):
            network = population.networks[variant.activation]
            for seed in range(2):
                own = member_of(population, start, i, seed)
                key = jax.random.fold_in(keys[seed], 0)

                def loss(params, network=network, key=key):
                    logit = network.apply(params, jnp.asarray(x), training=True, key=key)[:, 0]
                    return jnp.mean(jnp.logaddexp(0.0, logit) - y * logit)

                gradient = jax.grad(loss)(own)
                ours = member_of(population, found, i, seed)
                for layer, values in own.items():
                    for parameter, value in values.items():
                        expected = value - variant.learning_rate * gradient[layer][parameter]
                        np.testing.assert_allclose(ours[layer][parameter], expected, rtol=1e-9, atol=1e-11)
    drawing = [
        i for i, variant in enumerate(population.variants) if len(activations) == 2 or variant.activation != "tanh"
    ]
    assert np.all(found["dense1"]["weight"][drawing] != later["dense1"]["weight"][drawing])


def test_nothing_is_drawn_where_nothing_draws():
    (population,) = populations_of([Dense(2), Act(), Dense(1)], ["tanh", "prelu"])
    assert not training.draws_noise(PopulationModel(population, LANES))
