"""One training step, piece by piece: losses and gradients against PyTorch, updates against its optimisers."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.populations import LANES, LAYOUTS, STACKED, by_member, initial, into, parameters_by_member, populations_of

from actlab.engine import devices, training
from actlab.engine.forward import PopulationModel
from actlab.engine.training import learning_rate_tree
from actlab.errors import InvalidStudy
from actlab.layers import Act, Dense
from actlab.objectives import BINARY, Metric, objective_for
from actlab.study import SGD, Adam, AdamW, RMSProp

devices.prepare()

(ANY,) = populations_of([Dense(1)], ("tanh",))
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}
EXTREMES = [-1e4, -100.0, -20.0, -1.5, -1e-3, 0.0, 1e-3, 1.5, 20.0, 100.0, 1e4]


def objective_of(layout, logits):
    return objective_for(logits.shape[layout.unit_axis])


def decided(layout, logits, y):
    return objective_of(layout, logits).decided(logits, y, jnp, layout.unit_axis % logits.ndim)


def losses_and_gradient(layout, logits, y):
    """Of (variants, seeds, samples, outputs) logits and (seeds, samples) classes, computed in the layout."""

    def total(placed):
        losses = objective_of(layout, placed).loss(placed, into(layout, y[None]), jnp, layout.unit_axis % placed.ndim)
        return jnp.sum(losses), losses

    with jax.enable_x64(logits.dtype == np.float64):
        gradient, losses = jax.jit(jax.grad(total, has_aux=True))(into(layout, logits))
        assert losses.dtype == logits.dtype
        return by_member(layout, losses), by_member(layout, gradient)


def torch_losses_and_gradient(logits, y):
    leaf = torch.tensor(logits, requires_grad=True)
    classes = torch.tensor(np.broadcast_to(y, logits.shape[:-1]).copy()).long()
    if logits.shape[-1] == 1:
        function = torch.nn.functional.binary_cross_entropy_with_logits
        losses = function(leaf[..., 0], classes.to(leaf.dtype), reduction="none")
    else:
        function = torch.nn.functional.cross_entropy
        losses = function(leaf.flatten(0, -2), classes.flatten(), reduction="none").reshape(classes.shape)
    losses.sum().backward()
    assert leaf.grad is not None
    return losses.detach().numpy(), leaf.grad.numpy()


@LAYOUTS
@DTYPES
def test_binary_losses_and_gradients_equal_torch_at_any_logit(layout, dtype):
    logits = np.array([EXTREMES * 2, np.negative(EXTREMES * 2)], dtype).reshape(2, 1, -1, 1)
    y = np.repeat([[0, 1]], len(EXTREMES), axis=1).astype(np.int32)
    losses, gradient = losses_and_gradient(layout, logits, y)
    expected_losses, expected_gradient = torch_losses_and_gradient(logits, y)
    np.testing.assert_allclose(losses, expected_losses, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    np.testing.assert_allclose(gradient, expected_gradient, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("label", [0, 1])
def test_losses_of_confident_right_answers_keep_their_digits(label):
    logits = np.array([3, 8, 14, 20, 40, 80], np.float32).reshape(1, 1, -1, 1) * (2 * label - 1)
    y = np.full((1, 6), label, np.int32)
    expected = torch.nn.functional.softplus(-torch.tensor([3, 8, 14, 20, 40, 80], dtype=torch.float64))
    found = losses_and_gradient(LANES, logits, y)[0]
    np.testing.assert_allclose(found.ravel(), expected.numpy(), rtol=2e-6)


@LAYOUTS
@DTYPES
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_softmax_losses_and_gradients_equal_torch_at_any_logit(layout, dtype, classes):
    rng = np.random.default_rng(classes)
    logits = rng.choice(EXTREMES, size=(2, 3, 50, classes)) + rng.normal(size=(2, 3, 50, classes))
    logits = logits.astype(dtype)
    y = rng.integers(classes, size=(3, 50)).astype(np.int32)
    losses, gradient = losses_and_gradient(layout, logits, y)
    expected_losses, expected_gradient = torch_losses_and_gradient(logits, y)
    assert losses.max() > 1e4
    np.testing.assert_allclose(losses, expected_losses, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    np.testing.assert_allclose(gradient, expected_gradient, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@LAYOUTS
def test_of_equal_logits_the_first_class_is_taken(layout):
    logits = np.array([[1, 1, 0], [0, 2, 2], [3, 3, 3], [-1, -2, -1], [-0.0, 0.0, -1]], np.float32)[None, None]
    for label in range(3):
        y = jnp.asarray(into(layout, np.full((1, 1, 5), label, np.int32)))
        right = decided(layout, jnp.asarray(into(layout, logits)), y)
        np.testing.assert_array_equal(by_member(layout, right)[0, 0], np.array([0, 1, 0, 0, 0]) == label)


@LAYOUTS
def test_a_single_logit_of_zero_is_class_0(layout):
    logits = np.array([0.0, -0.0, 1e-40, -1e-40, 5, -5], np.float32).reshape(1, 1, -1, 1)
    for label, right in ((0, [1, 1, 0, 1, 0, 1]), (1, [0, 0, 1, 0, 1, 0])):
        y = jnp.asarray(into(layout, np.full((1, 1, 6), label, np.int32)))
        found = by_member(layout, decided(layout, jnp.asarray(into(layout, logits)), y))[0, 0]
        # A subnormal logit may be flushed to zero by the processor.
        kept = [0, 1, 3, 4, 5]
        np.testing.assert_array_equal(found[kept], np.array(right, bool)[kept])


@LAYOUTS
def test_padding_has_no_part_in_the_mean(layout):
    rng = np.random.default_rng(5)
    losses = rng.exponential(size=(2, 3, 7)).astype(np.float32)
    real = np.array([[1, 1, 1, 1, 1, 0, 0]] * 3, np.float32)

    def total(placed):
        return PopulationModel(ANY, layout).mean_loss(placed, jnp.asarray(real.T))

    found, share = jax.value_and_grad(total)(jnp.asarray(into(layout, losses)))
    assert float(found) == pytest.approx(losses[..., :5].mean(axis=-1).sum(), rel=1e-6)
    np.testing.assert_allclose(by_member(layout, share), np.broadcast_to(real / 5, losses.shape), rtol=1e-6)
    whole = PopulationModel(ANY, layout).mean_loss(jnp.asarray(into(layout, losses)), None)
    assert float(whole) == pytest.approx(losses.mean(axis=-1).sum(), rel=1e-6)


@LAYOUTS
@pytest.mark.parametrize("last", [3, 5])
def test_a_padded_batch_trains_as_a_loop_over_its_real_samples(layout, last):
    """Seven samples in batches of 4: the second batch holds 3 and one that is padding."""
    (population,) = populations_of([Dense(3), Act(), Dense(1)], ["tanh", "elu"])
    rng = np.random.default_rng(last)
    x, y = rng.normal(size=(7, 2)).astype(np.float32), rng.integers(2, size=7).astype(np.int32)
    order = np.stack([[last, 1, 6, -1], [0, last, 2, -1], [6, 5, 4, -1]], axis=1).astype(np.int32)
    params = initial(population, layout, 3)
    samples = training.chosen({"x_train": x, "y_train": y}, order, np.float32)
    gradient = jax.jit(
        jax.grad(lambda p: training.batch_loss(PopulationModel(population, layout), p, samples, None)[0])
    )
    found, start = parameters_by_member(layout, gradient(params)), parameters_by_member(layout, params)
    functions = {"tanh": torch.tanh, "elu": torch.nn.functional.elu}
    for variant, name in enumerate(functions):
        for seed in range(3):
            own = {
                k: torch.tensor(start[layer][k2][variant, seed], requires_grad=True)
                for layer in ("dense1", "dense2")
                for k, k2 in ((layer + "w", "weight"), (layer + "b", "bias"))
            }
            chosen = order[:3, seed]
            hidden = functions[name](torch.tensor(x[chosen]) @ own["dense1w"] + own["dense1b"])
            logit = (hidden @ own["dense2w"] + own["dense2b"])[:, 0]
            target = torch.tensor(y[chosen]).float()
            torch.nn.functional.binary_cross_entropy_with_logits(logit, target).backward()
            for layer in ("dense1", "dense2"):
                for short, parameter in (("w", "weight"), ("b", "bias")):
                    expected = own[layer + short].grad
                    assert expected is not None
                    np.testing.assert_allclose(found[layer][parameter][variant, seed], expected, rtol=1e-4, atol=1e-6)


def rmsprop_by_hand(parameters, gradient_of, rate, decay, epsilon, steps):
    """The formula of `study.RMSProp`: ε stands under the root, where PyTorch has it beside."""
    mean = [np.zeros_like(p) for p in parameters]
    for _ in range(steps):
        gradients = gradient_of(parameters)
        mean = [decay * m + (1 - decay) * g**2 for m, g in zip(mean, gradients, strict=True)]
        parameters = [p - rate * g / np.sqrt(m + epsilon) for p, g, m in zip(parameters, gradients, mean, strict=True)]
    return parameters


OPTIMISERS = {
    "sgd": (SGD(), lambda p, rate: torch.optim.SGD(p, rate)),
    "momentum": (SGD(momentum=0.8), lambda p, rate: torch.optim.SGD(p, rate, momentum=0.8)),
    "adam": (Adam(beta1=0.8, beta2=0.9, epsilon=0.05), lambda p, rate: torch.optim.Adam(p, rate, (0.8, 0.9), 0.05)),
    "adam without momentum": (Adam(beta1=0.0), lambda p, rate: torch.optim.Adam(p, rate, (0.0, 0.999))),
    "adamw": (
        AdamW(beta1=0.85, beta2=0.95, epsilon=0.01, weight_decay=0.3),
        lambda p, rate: torch.optim.AdamW(p, rate, (0.85, 0.95), 0.01, weight_decay=0.3),
    ),
    "rmsprop": (RMSProp(decay=0.7, epsilon=0.02), None),
}


@LAYOUTS
@pytest.mark.parametrize("name", OPTIMISERS)
def test_five_steps_down_a_quadratic_equal_the_reference(layout, name, monkeypatch):
    """Two learning rates as two variants of one call; Σ c/2·(w − 1)², another c for every weight."""
    settings, make = OPTIMISERS[name]
    rates = (0.03, 0.4)
    (population,) = populations_of([Dense(2), Act(), Dense(1)], ["prelu"], rates, seeds=2)

    def steepness(shape):
        return np.linspace(0.2, 1.5, int(np.prod(shape))).reshape(shape)

    def quadratic(model, params, samples, keys):
        leaves = [layout.members_first(leaf) for leaf in jax.tree.leaves(params)]
        return sum(jnp.sum(steepness(leaf.shape[2:]) * (leaf - 1) ** 2 / 2) for leaf in leaves), {}

    monkeypatch.setattr(training, "batch_loss", quadratic)
    kind, numbers = training.optimiser_settings(settings)
    optimiser = {"name": kind, **numbers}
    with jax.enable_x64(True):
        params = initial(population, layout, 2)
        start = jax.tree.leaves(parameters_by_member(layout, params))
        begin = jax.jit(training.transformation(optimiser).init)
        state = {"params": params, "optimiser": begin(params), "steps": np.int64(0)}
        step = jax.jit(lambda s, r: training.step(PopulationModel(population, layout), optimiser, r, None, None, s))
        for _ in range(5):
            state = step(state, np.array(rates))
        found = jax.tree.leaves(parameters_by_member(layout, state["params"]))
    assert found[0].dtype == np.float64
    for variant, rate in enumerate(rates):
        for seed in range(2):
            own = [leaf[variant, seed].copy() for leaf in start]
            curves = [steepness(leaf.shape) for leaf in own]
            if make is None:
                expected = rmsprop_by_hand(
                    own, lambda ps, cs=curves: [c * (p - 1) for p, c in zip(ps, cs, strict=True)], rate, 0.7, 0.02, 5
                )
            else:
                leaves = [torch.tensor(leaf, requires_grad=True) for leaf in own]
                reference = make(leaves, rate)
                for _ in range(5):
                    reference.zero_grad()
                    for leaf, curve in zip(leaves, curves, strict=True):
                        leaf.grad = torch.tensor(curve) * (leaf.detach() - 1)
                    reference.step()
                expected = [leaf.detach().numpy() for leaf in leaves]
            for ours, theirs, first in zip(found, expected, own, strict=True):
                np.testing.assert_allclose(ours[variant, seed], theirs, rtol=1e-12, atol=1e-13)
                assert not np.any(theirs == first)


def test_only_momentum_of_zero_is_left_out_of_the_settings():
    assert training.optimiser_settings(SGD()) == ("sgd", {})
    assert training.optimiser_settings(SGD(momentum=0.5)) == ("sgd", {"momentum": 0.5})
    adam = {"beta1": 0.0, "beta2": 0.999, "epsilon": 1e-8}
    assert training.optimiser_settings(Adam(beta1=0.0)) == ("adam", adam)
    assert training.optimiser_settings(AdamW(weight_decay=0.0))[1]["weight_decay"] == 0.0


LAYERS = [Dense(4), Act(), Dense(3), Act("prelu", per_unit=False), Dense(1)]


@LAYOUTS
def test_every_parameter_gets_the_learning_rates_of_its_own_variants(layout):
    (population,) = populations_of(LAYERS, ["tanh", "prelu"], (0.1, 0.2))
    params = initial(population, layout, 3)
    rates = jnp.array([1.0, 2.0, 3.0, 4.0])
    tree = learning_rate_tree(PopulationModel(population, layout), params, rates)
    assert jax.tree.structure(tree) == jax.tree.structure(params)
    broadcast_seeds = parameters_by_member(layout, jax.tree.map(lambda p, r: np.broadcast_to(r, p.shape), params, tree))
    for layer in ("dense1", "dense2", "dense3"):
        for parameter in ("weight", "bias"):
            found = np.asarray(broadcast_seeds[layer][parameter])
            np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))
            assert found[:, 0].reshape(4, -1)[:, 0].tolist() == [1, 2, 3, 4]
    # At the open place prelu has the last two variants, at the fixed one all four.
    np.testing.assert_array_equal(broadcast_seeds["act1"]["prelu"]["negative_slope"][:, 0, 0], [3, 4])
    np.testing.assert_array_equal(broadcast_seeds["act2"]["prelu"]["negative_slope"][:, 2, 0], [1, 2, 3, 4])


@LAYOUTS
def test_variants_start_equal_and_seeds_differ(layout):
    (population,) = populations_of(LAYERS, ["tanh", "prelu"], (0.1, 0.2))
    params = initial(population, layout, 4)
    found = parameters_by_member(layout, params)
    drawn = [jax.jit(population.network.init)(jax.random.key(seed)) for seed in range(4)]
    for layer in population.network.weight_layers:
        for variant in range(4):
            for seed in range(4):
                np.testing.assert_array_equal(found[layer]["weight"][variant, seed], drawn[seed][layer]["weight"])
        assert len({found[layer]["weight"][0, seed].tobytes() for seed in range(4)}) == 4
        assert not np.any(found[layer]["bias"])
    slopes = {built: found[built]["prelu"]["negative_slope"] for built in ("act1", "act2")}
    assert slopes["act1"].shape == (2, 4, 4)
    assert slopes["act2"].shape == (4, 4, 1)
    assert all(np.all(array == 0.25) for array in slopes.values())


def test_layers_of_one_shape_start_equal_in_all_populations():
    narrow, wide = populations_of([Dense(4), Act(), Dense(3), Act("tanh"), Dense(1)], ["relu", "maxout"])
    ours, theirs = (initial(population, STACKED, 3) for population in (narrow, wide))
    assert ours["dense1"]["weight"].shape == (1, 3, 2, 4)
    assert theirs["dense1"]["weight"].shape == (1, 3, 2, 8)
    for layer in ("dense2", "dense3"):
        np.testing.assert_array_equal(ours[layer]["weight"], theirs[layer]["weight"])


def test_a_metric_that_does_not_score_each_sample_is_refused_with_both_shapes(monkeypatch):
    score = Metric("mine", "mine", lambda outputs, targets, xp, axis: outputs, "lower", "")
    monkeypatch.setattr(PopulationModel, "objective", replace(BINARY, metrics=(*BINARY.metrics, score)))
    outputs, y = jnp.zeros((2, 3, 5, 1)), jnp.zeros((2, 3, 5), int)
    with pytest.raises(InvalidStudy, match=r"'mine' must score each sample: .* \(2, 3, 5\) .* it gives \(2, 3, 5, 1\)"):
        PopulationModel(ANY, STACKED).scores(outputs, y)
