"""Fifty steps of the published convolutional networks, loss by loss, against PyTorch as an independent trainer.

Same initial weights, same batches, PyTorch's own layers, gradients and optimisers. Batches of 8 and images of 16×16
keep it to seconds; layers, optimiser and learning rate are those of the recipes.

LeNet-5 with ReLU on pixels from 0 to 255 is chaotic in float32: within fifty steps PyTorch's own float32 leaves
PyTorch's own float64 by 17 % of the loss (images of 32×32), and ours leaves both by as much. Its fifty steps are
compared in float64, where both agree to 13 digits, and in float32 the first ten.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.torch_networks import TorchNetwork

from actlab.engine import devices, training
from actlab.engine.forward import PopulationModel
from actlab.engine.layouts import MembersFirst
from actlab.plan.batches import orders
from actlab.plan.population import populations
from actlab.recipes import recipe

devices.prepare()
BATCH, SIZE, STEPS = 8, 16, 50
# What grows chaotically from one rounding is to be compared as users train it.
pytestmark = pytest.mark.usefixtures("optimised")

TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def our_losses(population, optimiser, start, data, batches):
    """Cross-entropy and penalty before every step."""
    layout = MembersFirst()
    rates = jnp.asarray([variant.learning_rate for variant in population.variants], data["x_train"].dtype)

    def one(state, order):
        samples = training.chosen(data, order)
        loss, _ = training.batch_loss(PopulationModel(population, layout), state["params"], samples, None)
        return training.step(PopulationModel(population, layout), optimiser, rates, samples, None, state), loss

    params = jax.tree.map(jnp.asarray, start)
    state = {"params": params, "optimiser": training.transformation(optimiser).init(params), "steps": np.int32(0)}
    with jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(lambda state: jax.lax.scan(one, state, batches)[1])(state))


def torch_losses(network, optimiser, rate, start, data, batches):
    own = TorchNetwork(network, {name: {k: v[0, 0] for k, v in of.items()} for name, of in start.items()})
    match optimiser:
        case {"name": "adam", "beta1": beta1, "beta2": beta2, "epsilon": epsilon}:
            trainer = torch.optim.Adam(own.parameters(), rate, (beta1, beta2), epsilon)
        case {"name": "sgd"}:
            trainer = torch.optim.SGD(own.parameters(), rate)
    losses = []
    for order in batches[:, :, 0]:
        trainer.zero_grad()
        target = torch.tensor(data["y_train"][order]).long()
        loss = torch.nn.functional.cross_entropy(own(data["x_train"][order]), target) + own.penalty()
        loss.backward()
        trainer.step()
        losses.append(loss.item())
    return np.array(losses)


@pytest.mark.parametrize(
    ("name", "activation", "dtype", "steps"),
    [
        ("cifar10-lenet5", "relu", "float64", STEPS),
        ("cifar10-lenet5", "relu", "float32", 10),
        ("cifar10-lenet5", "sigmoid", "float32", STEPS),
        ("cifar10-cnn", "relu", "float64", STEPS),
        ("cifar10-cnn", "relu", "float32", STEPS),
        ("cifar10-cnn", "elu", "float32", STEPS),
        ("cifar10-cnn", "sigmoid", "float32", STEPS),
    ],
)
def test_the_recipes_follow_torch_step_by_step(name, activation, dtype, steps):
    study = recipe(name).study.model_copy(update={"activations": (activation,), "seeds": (0,), "batch": BATCH})
    (population,) = populations(study, (SIZE, SIZE, 3))
    kind, numbers = training.optimiser_settings(study.optimiser)
    optimiser = {"name": kind, **numbers}
    rng = np.random.default_rng(0)
    data = {
        "x_train": (rng.integers(256, size=(10 * BATCH, SIZE, SIZE, 3)) / 255).astype(dtype),
        "y_train": rng.integers(10, size=10 * BATCH).astype(np.int32),
    }
    batches = np.concatenate(list(orders(study, 10 * BATCH, (0,), range(1, 6))))[:steps]
    drawn = training.initial_parameters(PopulationModel(population, MembersFirst()), jax.random.key(0)[None])
    start = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), drawn)
    with jax.enable_x64(dtype == "float64"):
        ours = our_losses(population, optimiser, start, jax.tree.map(jnp.asarray, data), batches)
    theirs = torch_losses(population.network, optimiser, population.variants[0].learning_rate, start, data, batches)
    assert ours.dtype == dtype
    assert len(theirs) == steps
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE[dtype])
