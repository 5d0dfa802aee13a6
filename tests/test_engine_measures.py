"""Every probe against NumPy: gradients against finite differences in float64, the rest against direct counting."""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np
import pytest
from tests.engine_support import population_of
from tests.populations import STACKED

from actlab import engine, tasks
from actlab.engine import histograms, measures
from actlab.engine.forward import PopulationModel
from actlab.engine.histograms import histogram
from actlab.engine.layouts import LAYOUTS
from actlab.engine.training import initial_parameters, learning_rate_tree, transformation
from actlab.functions import catalogue
from actlab.layers import Act, Conv, Dense, Flatten, MaxPool
from actlab.plan import evaluation
from actlab.plan.evaluation import prepare
from actlab.plan.layout import choose
from actlab.recipes import recipe
from actlab.recording.measures import BINS
from actlab.study import Study, complete

STEP = 1e-6
NETWORKS = {
    "two units": ("parabolas", [Dense(2), Act(), Dense(1)], ["sigmoid", "tanh", "gelu"]),
    "fixed and trainable": ("parabolas", [Dense(3), Act(), Dense(3), Act("silu"), Dense(1)], ["prelu", "mish"]),
    "softmax output": ("digits", [Flatten(), Dense(3), Act(), Dense(10)], ["elu", "softplus"]),
    "convolution": ("digits", [Conv(2, 3, stride=2), Act(), MaxPool(2), Flatten(), Dense(10)], ["tanh", "silu"]),
    "maxout": ("parabolas", [Dense(2), Act(), Dense(1)], ["maxout"]),
}


def mean_loss(logits, y):
    """Cross-entropy in plain NumPy."""
    if logits.shape[1] == 1:
        return np.mean(np.logaddexp(0, logits[:, 0]) - logits[:, 0] * y)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])


class Observed:
    """What the probes say of one small population in float64, and the members' parameters."""

    def __init__(self, name, layers, activations):
        task = tasks.load(name)
        study = Study(task=name, network=layers, activations=activations, seeds=2, probe_samples=6, optimiser="adam")
        study = complete(study, task)
        population = population_of(study, task)
        data = prepare(study, task)
        self.population, self.activations, self.names = population, activations, population.network.act_layers
        self.x, self.y = data.probe["x"].astype(np.float64), data.probe["y"]
        # Blank corners of the digits would tie in the pooling windows, where no derivative is.
        self.x = self.x + 0.01 * np.random.default_rng(0).normal(size=self.x.shape)
        with jax.enable_x64(True):
            keys = jax.vmap(jax.random.key)(jax.numpy.arange(2, dtype=np.uint32))
            layout = LAYOUTS[choose(population.network).observing]
            params = initial_parameters(PopulationModel(population, layout), keys)
            params = jax.tree.map(lambda p: p + 0.05 * jax.random.normal(jax.random.key(p.size), p.shape), params)
            optimiser = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
            state = {"params": params, "optimiser": transformation(optimiser).init(params)}
            rates = np.full(len(population.variants), 0.01)
            probe = {"x": self.x, "y": self.y}
            model = PopulationModel(population, layout)
            self.found = jax.tree.map(np.asarray, measures.measure(model, optimiser, rates, probe, state))
        self.params = jax.tree.map(np.array, params)

    def member(self, variant, seed):
        """Parameters of one member, as `Network.apply` takes them."""
        name = self.activations[variant]
        own = {}
        for layer, values in self.params.items():
            functions = {k: v for k, v in values.items() if isinstance(v, dict)}
            if functions:
                own[layer] = {k: v[0, seed] for k, v in functions.get(name, {}).items()}
            else:
                own[layer] = {k: v[variant, seed] for k, v in values.items()}
        return own

    def loss(self, variant, params, shift=None, before=None):
        """Mean loss of one member; `shift` and `before` are (name of an act, array added to its output or input)."""
        network = self.population.networks[self.activations[variant]]

        def act(z, name):
            built = next(built for built in network.layers if built.name == name)
            z = z + before[1] if before and before[0] == name else z
            value = built.layer.activation(network.activation)(z, **params.get(name, {}))
            return value + shift[1] if shift and shift[0] == name else value

        return mean_loss(network.apply(params, self.x, act), self.y)

    def seen(self, variant, params):
        """Pre-activations and activations by place, in NumPy."""
        network = self.population.networks[self.activations[variant]]
        found = {}

        def act(z, name):
            built = next(built for built in network.layers if built.name == name)
            found[name] = (z, built.layer.activation(network.activation)(z, **params.get(name, {})))
            return found[name][1]

        network.apply(params, self.x, act)
        return found


@pytest.fixture(scope="module", params=NETWORKS)
def observed(request):
    return Observed(*NETWORKS[request.param])


def members(observed):
    return [(variant, seed) for variant in range(len(observed.activations)) for seed in range(2)]


def slopes_of(loss, array):
    """Derivative of `loss()` with respect to every number of `array`, by central differences."""
    slopes = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        centre = array[index]
        array[index] = centre + STEP
        above = loss()
        array[index] = centre - STEP
        below = loss()
        array[index] = centre
        slopes[index] = (above - below) / (2 * STEP)
    return slopes


def test_weight_gradients_equal_finite_differences(observed):
    edges = measures.gradient_edges()
    # What is smaller than this, differences do not tell from zero.
    large = np.searchsorted(edges, 1e-7)
    for variant, seed in members(observed):
        for i, layer in enumerate(observed.population.network.weight_layers):
            params = observed.member(variant, seed)
            slopes = slopes_of(functools.partial(observed.loss, variant, params), params[layer]["weight"])
            reported = observed.found["weight_gradient_norm"][variant, seed, i]
            assert reported == pytest.approx(np.linalg.norm(slopes), rel=1e-6)
            counts = observed.found["weight_gradient_histogram"][variant, seed, i]
            np.testing.assert_array_equal(counts[large:], np.histogram(np.abs(slopes), edges)[0][large:])
            assert counts.sum() == slopes.size


def test_gradients_on_both_sides_of_a_function_equal_finite_differences(observed):
    for variant, seed in members(observed)[:3]:
        params = observed.member(variant, seed)
        for i, (name, (before, after)) in enumerate(observed.seen(variant, params).items()):
            shift, push = (name, np.zeros(after.shape)), (name, np.zeros(before.shape))
            slopes = slopes_of(functools.partial(observed.loss, variant, params, shift), shift[1])
            reported = observed.found["activation_gradient_norm"][variant, seed, i]
            assert reported == pytest.approx(np.linalg.norm(slopes), rel=1e-6)
            counts = observed.found["activation_gradient_histogram"][variant, seed, i]
            assert counts.sum() == slopes.size
            edges = measures.gradient_edges()
            # What is smaller than this, differences do not tell from zero.
            large = np.searchsorted(edges, 1e-7)
            np.testing.assert_array_equal(counts[large:], np.histogram(np.abs(slopes), edges)[0][large:])
            slopes = slopes_of(functools.partial(observed.loss, variant, params, before=push), push[1])
            reported = observed.found["pre_activation_gradient_norm"][variant, seed, i]
            assert reported == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_update_ratio_is_adams_first_step(observed):
    """Adam's first update is learning_rate · g / (|g| + ε), whatever the size of the gradient."""
    for variant, seed in members(observed):
        for i, layer in enumerate(observed.population.network.weight_layers):
            weight = observed.member(variant, seed)[layer]["weight"]
            largest = 0.01 * np.sqrt(weight.size) / np.linalg.norm(weight)
            ratio = observed.found["update_ratio"][variant, seed, i]
            # Weights behind a unit that never fires have no gradient, hence no update.
            assert 0 < ratio <= largest * (1 + 1e-9)
    if observed.activations[0] in {"sigmoid", "elu"}:
        assert ratio == pytest.approx(largest, rel=1e-4)


def test_moments_histograms_and_flatness_equal_direct_counts(observed):
    edges = measures.histogram_edges()
    for variant, seed in members(observed):
        params = observed.member(variant, seed)
        for i, (name, pair) in enumerate(observed.seen(variant, params).items()):
            for which, array in zip(("pre_activation", "activation"), pair, strict=True):
                assert observed.found[f"{which}_mean"][variant, seed, i] == pytest.approx(array.mean(), rel=1e-9)
                assert observed.found[f"{which}_std"][variant, seed, i] == pytest.approx(array.std(), rel=1e-9)
                counts = np.histogram(np.clip(array, edges[0], edges[-1]), edges)[0]
                np.testing.assert_array_equal(observed.found[f"{which}_histogram"][variant, seed, i], counts)
            built = next(s for s in observed.population.network.layers if s.name == name)
            function = built.layer.activation(catalogue[observed.activations[variant]])
            share, dead = observed.found["flat_share"][variant, seed, i], observed.found["dead_share"][variant, seed, i]
            if function.kind == "grouping":
                assert np.isnan([share, dead]).all()
                continue
            slopes = np.abs(function.derivative(pair[0], **params.get(name, {})))
            flat = slopes <= 1e-3 * function.facts().slope_supremum
            assert share == pytest.approx(flat.mean())
            assert dead == pytest.approx(flat.reshape(-1, flat.shape[-1]).all(axis=0).mean())


def test_dead_units_are_found():
    """ReLU units with a bias of −100 are dead; on the digits nothing else is."""
    task = tasks.load("digits")
    study = complete(Study(network=[Flatten(), Dense(8), Act(), Dense(10)], activations=["relu"], seeds=1), task)
    population = population_of(study, task)
    keys = jax.vmap(jax.random.key)(jax.numpy.arange(1, dtype=np.uint32))
    params = initial_parameters(PopulationModel(population, STACKED), keys)
    params["dense1"]["bias"] = params["dense1"]["bias"].at[..., :3].set(-100.0).at[..., 3:].set(3.0)
    z = task.x_train[:64].reshape(64, -1) @ np.asarray(params["dense1"]["weight"][0, 0]) + np.asarray(
        params["dense1"]["bias"][0, 0]
    )
    share, dead = measures.flatness(
        PopulationModel(population, STACKED), params, "act1", jax.numpy.asarray(z)[None, None]
    )
    assert float(dead[0, 0]) == 3 / 8
    assert float(share[0, 0]) == pytest.approx(np.mean(z <= 0))


def test_extreme_values_are_counted_and_nan_is_not():
    values = np.array([np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, np.nan, 5e4], np.float32)
    counts = np.asarray(histogram(jax.numpy.asarray(values).reshape(1, 1, 8), measures.histogram_edges()))[0, 0]
    assert counts.sum() == 7
    assert counts[0] == 2
    assert counts[-1] == 3
    assert counts[BINS // 2] == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edges", [measures.histogram_edges(), measures.gradient_edges(), np.array([-3.0, -1.0, 2.0,
9.0])],
                         ids=["values", "gradients", "few"])  # fmt: skip
def test_a_bin_holds_its_lower_edge_and_what_is_next_to_an_edge_is_counted_where_it_lies(edges, dtype):
    inner = edges[1:-1].astype(dtype)
    rng = np.random.default_rng(0)
    values = [inner, -inner, np.nextafter(inner, dtype(np.inf)), np.nextafter(inner, dtype(-np.inf))]
    values += [rng.normal(size=300), 10 ** rng.uniform(-14, 6, 300), -(10 ** rng.uniform(-14, 6, 300))]
    values = np.concatenate(values).astype(dtype)
    # Numbers below the normal range count as zero, as everywhere in a compiled program.
    values = values[(values == 0) | (np.abs(values) >= np.finfo(dtype).tiny)]
    with jax.enable_x64(dtype == np.float64):
        counts = np.asarray(histogram(jax.numpy.asarray(values).reshape(1, 1, -1), edges))[0, 0]
    bins = np.searchsorted(inner, values, side="right")
    np.testing.assert_array_equal(counts, np.bincount(bins, minlength=len(edges) - 1))


def test_bins_too_narrow_to_tell_apart_are_refused():
    with pytest.raises(ValueError, match="closer than a quarter octave"):
        histogram(jax.numpy.ones((1, 1, 3)), np.array([0.0, 1.1, 1.2, 2.0]))


@pytest.mark.parametrize("last", ["units", "samples"])
def test_thinning_looks_at_all_units(last):
    """A step that divided the number of units would look at the same few units of every sample."""
    units, samples = 128, 400
    array = np.broadcast_to(np.arange(units) - units / 2 + 0.5, (1, 1, samples, units)).astype(np.float32)
    array = array if last == "units" else np.ascontiguousarray(np.swapaxes(array, -1, -2))
    counts = np.asarray(histogram(jax.numpy.asarray(array), measures.histogram_edges()))[0, 0]
    whole = np.histogram(array, measures.histogram_edges())[0]
    assert counts.sum() <= 1.2 * histograms.VALUES_COUNTED
    np.testing.assert_allclose(counts / counts.sum(), whole / whole.sum(), atol=0.002)


def test_metrics_equal_numpy_on_slices_that_do_not_divide_the_data(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", 2000)
    task = tasks.load("parabolas")
    task = dataclasses.replace(task, x_test=task.x_test[:313], y_test=task.y_test[:313])
    study = Study(
        **(recipe("parabolas").study.model_dump() | {"epochs": 2, "seeds": 3, "activations": ["tanh", "relu"]})
    )
    recording = engine.train(study, tmp_path / "run", task=task)
    for member in recording.members:
        network, weights = recording.network(member.activation), recording.weights(member, 2)
        for part in ("train", "validation", "test"):
            x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
            logits = network.apply(weights, x)
            assert recording.metrics[f"{part}_loss"][2, member.id] == pytest.approx(mean_loss(logits, y), rel=1e-5)
            assert recording.metrics[f"{part}_accuracy"][2, member.id] == np.mean((logits[:, 0] > 0) == y)
        by_class = [np.mean((network.apply(weights, task.x_train[task.y_train == k])[:, 0] > 0) == k) for k in (0, 1)]
        np.testing.assert_allclose(recording.probes["class_accuracy"][2, member.id], by_class, rtol=1e-6)


def test_learning_rates_reach_the_members_they_belong_to():
    task = tasks.load("parabolas")
    study = Study(network=[Dense(2), Act(), Dense(1)], activations=["prelu", "tanh"], task="parabolas",
                  learning_rates=[0.1, 0.2], seeds=1)  # fmt: skip
    population = population_of(complete(study, task), task)
    keys = jax.vmap(jax.random.key)(jax.numpy.arange(4, dtype=np.uint32))
    params = initial_parameters(PopulationModel(population, STACKED), keys)
    tree = learning_rate_tree(PopulationModel(population, STACKED), params, jax.numpy.array([0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(tree["dense1"]["weight"].ravel(), [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(tree["act1"]["prelu"]["negative_slope"].ravel(), [0.1, 0.2])


def test_a_broken_test_sample_does_not_pass_for_a_diverged_member(tmp_path):
    task = tasks.load("parabolas")
    x_test = task.x_test.copy()
    x_test[0] = 3e38
    settings = recipe("parabolas").study.model_dump() | {"epochs": 1, "seeds": 2, "activations": ["relu"]}
    recording = engine.train(Study(**settings), tmp_path / "run", task=dataclasses.replace(task, x_test=x_test))
    assert all(member.diverged_epoch is None for member in recording.members)
    assert np.isfinite(recording.metrics["train_loss"]).all()
    assert not np.isfinite(recording.metrics["test_loss"]).all()


def test_a_slope_without_bound_is_flat_only_where_it_is_zero():
    from actlab.functions import register, unregister

    register("square_of_x", lambda x, xp: x * x)
    try:
        task = tasks.load("parabolas")
        study = Study(task="parabolas", network=[Dense(2), Act(), Dense(1)], activations=["square_of_x"], seeds=1)
        population = population_of(complete(study, task), task)
        z = jax.numpy.array([[0.0, 1.0], [0.0, -2.0]])[None, None]
        share, dead = measures.flatness(PopulationModel(population, STACKED), {}, "act1", z)
    finally:
        unregister("square_of_x")
    assert float(share[0, 0]) == 0.5
    assert float(dead[0, 0]) == 0.5
