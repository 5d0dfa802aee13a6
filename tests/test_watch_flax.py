"""Flax NNX trainings looked at: numbers against NumPy by hand, functions found by what they compute."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import actlab
from actlab.errors import ActlabWarning, InvalidModel
from actlab.recording.measures import histogram_edges

nnx = pytest.importorskip("flax.nnx")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

from actlab.watching.flax_watch import FlaxWatch  # noqa: E402

CROSS_ENTROPY = optax.softmax_cross_entropy_with_integer_labels


class Network(nnx.Module):
    """Two layers with a function between and one behind them."""

    def __init__(self, function=jnp.tanh, last=lambda x: x, width=6, **settings):
        rngs = nnx.Rngs(0)
        self.first = nnx.Linear(3, width, rngs=rngs, **settings)
        self.last = nnx.Linear(width, 4, rngs=rngs)
        self.function, self.behind = function, last

    def __call__(self, x):
        return self.behind(self.last(self.function(self.first(x))))


def data(samples=64):
    x = np.random.default_rng(0).normal(size=(samples, 3)).astype("float32")
    return x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype("int32")


def step_of(loss=CROSS_ENTROPY):
    @nnx.jit
    def step(model, optimiser, x, y):
        gradient = nnx.grad(lambda own: jnp.mean(loss(own(x), y)))(model)
        optimiser.update(model, gradient)

    return step


def trained(model, steps=1, loss=CROSS_ENTROPY, rate=0.5, xy=None, probe=None, optimiser=None):
    x, y = xy or data()
    optimiser = nnx.Optimizer(model, optimiser or optax.sgd(rate), wrt=nnx.Param)
    step = step_of(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ActlabWarning)
        with actlab.watch(model, probe=probe or (x, y), loss=loss) as seen:
            for _ in range(steps):
                step(model, optimiser, x, y)
                seen.step()
    assert seen.stopped is None
    return seen


def test_measures_are_those_computed_by_hand():
    model = Network()
    x, y = data()
    kernels = [np.array(own.kernel[...], float) for own in (model.first, model.last)]
    z = x @ kernels[0]
    a = np.tanh(z)
    logits = a @ kernels[1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    by_logits = (shares - np.eye(4)[y]) / 64
    by_a = by_logits @ kernels[1].T
    by_z = by_a * (1 - a**2)
    gradients = [x.T @ by_z, a.T @ by_logits]
    (look,) = trained(model).looks
    (place,) = look.functions
    assert (look.step, place.name, place.function, place.samples) == (0, "first: tanh", "tanh", 64)
    assert look.loss == pytest.approx(-np.log(shares[np.arange(64), y]).mean(), rel=1e-5)
    for name, values, gradient in (("pre_activation", z, by_z), ("activation", a, by_a)):
        assert getattr(place, f"{name}_mean") == pytest.approx(values.mean(), rel=1e-4, abs=1e-6)
        assert getattr(place, f"{name}_std") == pytest.approx(values.std(), rel=1e-5)
        assert getattr(place, f"{name}_gradient_norm") == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        counts, _ = np.histogram(values, np.r_[-np.inf, histogram_edges()[1:-1], np.inf])
        assert np.abs(counts - getattr(place, f"{name}_histogram")).sum() <= 2  # Rounding at an edge.
    assert [own.name for own in look.weights] == ["first", "last"]
    for own, kernel, gradient in zip(look.weights, kernels, gradients, strict=True):
        size = np.linalg.norm(kernel)
        assert own.norm == pytest.approx(size, rel=1e-5)
        assert own.gradient_norm == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        assert own.update_ratio == pytest.approx(0.5 * np.linalg.norm(gradient) / size, rel=1e-4)
    counts = np.bincount(y) / 64
    assert look.constant.loss == pytest.approx(-(counts * np.log(counts)).sum())


FUNCTIONS = {
    "relu": nnx.relu,
    "relu of an operation": lambda x: jnp.maximum(x, 0),
    "gelu_tanh": nnx.gelu,
    "gelu": lambda x: nnx.gelu(x, approximate=False),
    "silu": nnx.silu,
    "silu by hand": lambda x: x * jax.nn.sigmoid(x),
    "elu": nnx.elu,
    "selu": nnx.selu,
    "leaky_relu": nnx.leaky_relu,
    "hard_tanh": nnx.hard_tanh,
    "hard_sigmoid": nnx.hard_sigmoid,
    "relu6": nnx.relu6,
    "softplus": nnx.softplus,
    "tanh_shrink": lambda x: x - jnp.tanh(x),
    "mish": actlab.catalogue["mish"],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_named_by_what_they_compute(name):
    model = Network(FUNCTIONS[name])
    seen = FlaxWatch(model, data(16), CROSS_ENTROPY)
    with pytest.warns(ActlabWarning, match="did not move"):
        seen.step()
    (place,) = seen.looks[0].functions
    assert place.function == name.split(" ")[0]
    assert place.name == f"first: {place.function}"


class Deep(nnx.Module):
    """Normalisation, dropout, shortcuts, a layer called twice, attention, a loop; and a function of its own."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.first, self.norm = nnx.Linear(3, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(8, 8, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.layer_norm, self.drop = nnx.LayerNorm(8, rngs=rngs), nnx.Dropout(0.4, rngs=rngs)
        self.rnn = nnx.RNN(nnx.SimpleCell(8, 8, rngs=rngs))
        self.last = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        x = self.drop(nnx.relu(self.norm(self.first(x))))
        for block in self.blocks:
            x = x + nnx.gelu(block(block(x)))
        x = self.layer_norm(self.attention(x[:, None]))
        return self.last(self.rnn(x)[:, 0])


@pytest.fixture(scope="module")
def deep():
    return trained(Deep())


def test_only_activation_functions_are_places(deep):
    """No power or exponential of normalisation and softmax is one, and no mask of dropout."""
    assert [own.name for own in deep.looks[0].functions] == ["norm: relu", "blocks.0: gelu_tanh", "blocks.1: gelu_tanh"]
    assert list(deep.looks[0].unseen) == ["rnn"]
    assert deep.looks[0].facts["dropout"] == {"drop": 0.4}
    assert deep.findings == []


def test_a_watched_training_ends_with_the_same_bytes():
    def end(watched):
        model = Deep()
        optimiser = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)
        x, y = data()
        seen = actlab.watch(model, probe=(x[:16], y[:16]), loss=CROSS_ENTROPY, every=1) if watched else None
        step = step_of()
        for _ in range(3):
            step(model, optimiser, x, y)
            if seen is not None:
                seen.step()
        assert seen is None or len(seen.looks) == 3
        return jax.tree.leaves(nnx.to_pure_dict(nnx.state((model, optimiser))))

    one, other = end(watched=False), end(watched=True)
    assert len(one) > 30
    for mine, its in zip(one, other, strict=True):
        raw = [
            jax.random.key_data(own) if jnp.issubdtype(own.dtype, jax.dtypes.prng_key) else own for own in (mine, its)
        ]
        assert np.asarray(raw[0]).tobytes() == np.asarray(raw[1]).tobytes()


def squared(outputs, y):
    return (outputs - jax.nn.one_hot(y, 4)) ** 2


FAULTS = {
    "healthy": (lambda: Network(nnx.relu, width=16), {"steps": 60}, None),
    "softmax_twice": (lambda: Network(nnx.relu, nnx.softmax), {}, "softmax_twice"),
    "function_before_loss": (lambda: Network(nnx.relu, nnx.relu), {}, "function_before_loss"),
    "no_function": (lambda: Network(lambda x: 0.5 * x), {}, "no_function"),
    "zero": (lambda: Network(nnx.relu, kernel_init=nnx.initializers.zeros), {}, "units_alike"),
    "alike": (lambda: Network(nnx.relu, kernel_init=nnx.initializers.ones), {}, "units_alike"),
    "dead": (lambda: Network(nnx.relu, bias_init=nnx.initializers.constant(-50.0)), {"steps": 60}, "dead_units"),
    "saturated": (
        lambda: Network(jnp.tanh, kernel_init=nnx.initializers.normal(200.0)),
        {"steps": 60, "rate": 1e-4},
        "saturated",
    ),
    "detached": (lambda: Network(lambda x: nnx.relu(jax.lax.stop_gradient(x))), {}, "detached"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_found_and_a_healthy_module_left_in_peace(case):
    build, settings, code = FAULTS[case]
    found = trained(build(), **settings).findings
    assert [own["code"] for own in found][:1] == ([] if code is None else [code])
    if case == "detached":
        assert found[0]["evidence"]["parameters"] == ["first.bias", "first.kernel"]
    if case == "dead":
        assert found[0]["layer"] == "first: relu"


def test_a_loss_that_is_not_a_number_at_the_first_step():
    x, y = data()
    found = trained(Network(), probe=(x * np.float32(np.nan), y)).findings
    assert [own["code"] for own in found] == ["input_not_finite"]


def look_of(loss, targets):
    """One at the untrained network."""
    model = Network()
    seen = FlaxWatch(model, (data()[0], targets), loss)
    with pytest.warns(ActlabWarning, match="did not move"):
        seen.step()
    return seen.looks[0]


def test_losses_are_known_by_what_they_give():
    _, y = data()
    cases = {
        "cross-entropy": (lambda outputs, y: CROSS_ENTROPY(outputs, y).mean(), y),
        "squared": (squared, y),
        "": (lambda outputs, y: optax.l2_loss(outputs, jax.nn.one_hot(y, 4)), y),
    }
    for kind, (loss, targets) in cases.items():
        known = look_of(loss, targets).facts["loss_kind"]
        # Of targets that are made within the loss nothing is known.
        assert known == ("" if kind != "cross-entropy" else kind)
    ones = np.eye(4, dtype="float32")[y]
    for kind, loss in {
        "cross-entropy": optax.softmax_cross_entropy,
        "binary": optax.sigmoid_binary_cross_entropy,
        "squared": optax.squared_error,
    }.items():
        look = look_of(loss, ones)
        assert look.facts["loss_kind"] == kind
        assert math.isfinite(look.constant.loss)


def test_steps_copies_and_the_end():
    x, y = data()
    model = Network()
    seen = actlab.watch(model, probe=(x, y), loss=CROSS_ENTROPY, every=7)
    with pytest.warns(ActlabWarning, match=r"did not move in step 0: .* give the one of now to step\(model\)"):
        seen.step()
    copy = nnx.clone(model)
    optimiser = nnx.Optimizer(copy, optax.sgd(0.1), wrt=nnx.Param)
    step = step_of()
    for _ in range(14):
        step(copy, optimiser, x, y)
        seen.step(copy)
    assert [own.step for own in seen.looks] == [0, 1, 2, 3, 4, 5, 7, 10, 14]
    assert all(own.update_ratio > 0 for look in seen.looks[2:] for own in look.weights)
    seen.remove()
    seen.remove()
    seen.step()
    assert len(seen.looks) == 9
    with actlab.watch(model, probe=(x, y), loss=CROSS_ENTROPY) as failing, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        failing.on_look = lambda _: 1 / 0
        failing.step()
        failing.step()
    assert failing.stopped == "ZeroDivisionError: division by zero"
    assert ["watching ended at step 1" in str(own.message) for own in told] == [False, True]


def test_what_is_wrong_is_said():
    x, y = data()
    model = Network()
    for match, settings in {
        "a probe batch is needed: give some samples": {"loss": CROSS_ENTROPY},
        r"loss: a function of \(outputs, y\) is expected": {"probe": (x, y)},
        r"does not take the probe, of shapes \[\(64, 2\), \(64,\)\]": {"probe": (x[:, :2], y), "loss": CROSS_ENTROPY},
        "every=0: a whole number": {"probe": (x, y), "loss": CROSS_ENTROPY, "every": 0},
        r"probe: a pair \(x, y\) is expected, not ndarray": {"probe": x, "loss": CROSS_ENTROPY},
    }.items():
        with pytest.raises(InvalidModel, match=match):
            actlab.watch(model, **settings)
    with actlab.watch(model, probe=(x, y), loss=CROSS_ENTROPY), pytest.raises(InvalidModel, match="being watched"):
        actlab.watch(model, probe=(x, y), loss=CROSS_ENTROPY)

    class Empty(nnx.Module):
        def __call__(self, x):
            return x

    with pytest.raises(InvalidModel, match="no parameters that train"):
        actlab.watch(Empty(), probe=(x, y), loss=CROSS_ENTROPY)
    linen = pytest.importorskip("flax.linen")
    with pytest.raises(InvalidModel, match="not the Flax Linen module Dense: take its twin"):
        actlab.watch(linen.Dense(3), probe=(x, y), loss=CROSS_ENTROPY)
