"""Keras trainings looked at, on each backend: numbers against NumPy by hand, and nothing of the training moved.

Each backend runs in a process of its own (`keras_watching`), all at the same time; the tests here read what they found.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actlab.recording.measures import gradient_edges, histogram_edges

ROOT = Path(__file__).parent.parent
BACKENDS = ["jax", "torch", "tensorflow"]
HAS_KERAS = importlib.util.find_spec("keras") is not None
RATE = 0.5


@pytest.fixture(scope="module")
def processes():
    started = {}
    for backend in BACKENDS:
        if HAS_KERAS and importlib.util.find_spec(backend) is not None:
            quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
            # The compiled code need not be fast, its compilation should be.
            quiet["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
            started[backend] = subprocess.Popen(
                [sys.executable, "-m", "tests.keras_watching"],
                cwd=ROOT,
                env={**os.environ, **quiet, "KERAS_BACKEND": backend},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def finished(processes):
    """Backend → its results, waited for when they are first asked for."""
    known = {}

    def results(backend):
        if backend not in processes:
            pytest.skip(f"{backend if HAS_KERAS else 'Keras'} is not installed")
        if backend not in known:
            printed, complaints = processes[backend].communicate(timeout=600)
            assert processes[backend].returncode == 0, complaints[-3000:]
            known[backend] = json.loads(printed.splitlines()[-1])
        return known[backend]

    return results


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def seen(backend, finished):
    return finished(backend)


def data():
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    return x.astype(float), (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype(int)


def by_hand(weights):
    """Loss, z, a and all gradients of a network of tanh and softmax, in float64."""
    first, first_bias, last, last_bias = [np.array(own, float) for own in weights]
    x, y = data()
    z = x @ first + first_bias
    a = np.tanh(z)
    logits = a @ last + last_bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(64), y]).mean()
    by_logits = (shares - np.eye(4)[y]) / 64
    by_a = by_logits @ last.T
    by_z = by_a * (1 - a**2)
    return loss, z, a, by_a, by_z, x.T @ by_z, a.T @ by_logits


@pytest.mark.parametrize("kind", ["argument", "layer", "subclassed", "nested"])
def test_measures_are_those_computed_by_hand(seen, kind):
    look = seen["measures"][kind]
    loss, z, a, by_a, by_z, by_first, by_last = by_hand(look["weights"])
    assert look["loss"] == pytest.approx(loss, rel=1e-5)
    (place,) = look["functions"]
    assert (place["function"], place["calls"], place["samples"]) == ("tanh", 1, 64)
    for name, values, gradient in (("pre_activation", z, by_z), ("activation", a, by_a)):
        assert place[f"{name}_mean"] == pytest.approx(values.mean(), rel=1e-4, abs=1e-6)
        assert place[f"{name}_std"] == pytest.approx(values.std(), rel=1e-5)
        counts, _ = np.histogram(values, np.r_[-np.inf, histogram_edges()[1:-1], np.inf])
        assert np.abs(counts - place[name[0] if name[0] == "a" else "z"]).sum() <= 2  # Rounding at an edge.
        # What Keras' loss on JAX and PyTorch adds to probabilities, or cuts off them, is below this.
        assert place[f"{name}_gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    sizes, _ = np.histogram(np.abs(by_a), np.r_[gradient_edges()[:-1], np.inf])
    assert np.abs(sizes - place["gradient"]).sum() <= 4
    rms = math.sqrt((a**2).mean())
    assert place["rms"] == pytest.approx(rms, rel=1e-5)
    assert place["signal"] == pytest.approx(math.sqrt(a.var(axis=0).mean()) / rms, rel=1e-5)
    for own, before, gradient in zip(look["weights_seen"], (0, 2), (by_first, by_last), strict=True):
        size = np.linalg.norm(look["weights"][before])
        assert own["norm"] == pytest.approx(size, rel=1e-5)
        assert own["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        assert own["update_ratio"] == pytest.approx(RATE * np.linalg.norm(gradient) / size, rel=1e-4)
        moved = np.array(look["after"][before]) - np.array(look["weights"][before])
        assert own["update_ratio"] == pytest.approx(np.linalg.norm(moved) / size, rel=1e-4)


def test_the_best_constant_answer_is_that_of_the_probe(seen):
    _, y = data()
    shares = np.bincount(y) / len(y)
    right = [-(shares * np.log(shares)).sum(), shares.max(), 64]
    assert seen["measures"]["argument"]["constant"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("argument", ["dense: tanh"]),
        ("layer", ["activation"]),
        ("subclassed", ["tanh"]),
        ("nested", ["inner.deep: tanh"]),
    ],
)
def test_places_are_named_by_their_layers(seen, kind, names):
    assert [own["name"] for own in seen["measures"][kind]["functions"]] == names
    unseen = seen["measures"][kind]["unseen"]
    assert unseen == ({"the model": OWN_CODE} if kind == "subclassed" else {})


OWN_CODE = "its call is the user's own: functions in it that are not Keras' are not seen"


def test_functions_of_every_kind_are_seen_or_named(seen):
    look = seen["places"]
    assert {own["name"]: own["function"] for own in look["functions"]} == {
        "relu": "relu",
        "prelu": "prelu",
        "c: mish": "mish",
        "ours": "elu",
        "e: <lambda>": "<lambda>",
        "g.leaky": "leaky_relu",
    }
    assert list(look["unseen"]) == ["f: <lambda>"]
    assert "no function of each number by itself" in look["unseen"]["f: <lambda>"]
    assert look["facts"]["dropout"] == {"drop": 0.25}
    assert look["chosen"] == []
    assert all(own["pre_activation_gradient_norm"] > 0 for own in look["functions"])


def test_what_is_hidden_cut_off_or_idle_is_named(seen):
    look = seen["hidden"]
    assert look["unseen"] == {
        "rnn": "its function between steps is inside a loop of the backend's",
        "idle": "it did not run in this step",
        "the model": OWN_CODE,
    }
    assert [own["name"] for own in look["functions"]] == ["relu", "gelu_tanh"]
    assert look["facts"]["without_gradient"] == ["cut.kernel", "cut.bias", "idle.kernel", "idle.bias"]
    assert look["codes"] == ["detached", "unused_layers"]


def test_dead_units_are_by_the_slope(seen):
    assert seen["dead"] == [True, True, False, False, False, False]


FOUND = {
    "healthy": None,
    "healthy_logits": None,
    "healthy_regression": None,
    "softmax_twice": "softmax_twice",
    "no_logarithm": "no_log_probabilities",
    "rectified": "function_before_loss",
    "no_probability": "no_log_probabilities",
    "sigmoid_twice": "softmax_twice",
    "no_function": "no_function",
    "zero": "units_alike",
    "alike": "units_alike",
    "dropout": "dropout_too_high",
    "dead": "dead_units",
    "saturated": "saturated",
    "clipped": "clipped",
    "missing": "input_not_finite",
}
LAYERS = {
    "zero": "first",
    "rectified": "last: relu",
    "alike": "first",
    "dropout": "drop",
    "dead": "first: relu",
    "saturated": "first: tanh",
}


@pytest.mark.parametrize("case", FOUND)
def test_faults_are_found_and_healthy_models_left_in_peace(seen, backend, case):
    assert set(seen["findings"]) == set(FOUND)
    found = seen["findings"][case]
    # On TensorFlow Keras takes the function away before a loss of logits: nothing is applied twice there.
    undone = backend == "tensorflow" and case in ("softmax_twice", "sigmoid_twice")
    if FOUND[case] is None or undone:
        assert found == []
    else:
        assert found[0][0] == FOUND[case]
        assert found[0][1] == LAYERS.get(case)


KINDS = {
    "sparse": ("cross-entropy", ["LogBackward0", "SoftmaxBackward0"]),
    "sparse_logits": ("cross-entropy", ["LogSoftmaxBackward0"]),
    "sum": ("cross-entropy", ["LogBackward0", "SoftmaxBackward0"]),
    "one_hot": ("cross-entropy", ["LogBackward0", "SoftmaxBackward0"]),
    "binary": ("probabilities", ["SigmoidBackward0"]),
    "binary_logits": ("binary", []),
    "squared": ("squared", []),
    "squared_flat": ("squared", []),
    "absolute": ("absolute", []),
    "own": ("squared", []),
    "smoothed": ("", ["unknown"]),
    "huber": ("", ["unknown"]),
}


def mean_loss(case, outputs):
    """By hand, without what the layers add."""
    x, y = data()
    outputs = np.array(outputs)
    if case == "sparse_logits":
        outputs = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    if KINDS[case][0] == "cross-entropy":
        return -np.log(outputs[np.arange(64), y]).mean()
    if case == "binary_logits":
        outputs = 1 / (1 + np.exp(-outputs))
    half, column = (y[:, None] % 2), 2 * x[:, :1]
    if KINDS[case][0] in ("probabilities", "binary"):
        return -(half * np.log(outputs) + (1 - half) * np.log(1 - outputs)).mean()
    apart = column - outputs
    return (apart**2).mean() if KINDS[case][0] == "squared" else np.abs(apart).mean()


@pytest.mark.parametrize("case", KINDS)
def test_losses_are_known_by_what_they_give(seen, case):
    look = seen["losses"][case]
    assert (look["kind"], look["before"]) == KINDS[case]
    if look["kind"]:
        assert look["loss"] == pytest.approx(mean_loss(case, look["outputs"]), rel=1e-4)


def test_best_constant_answers(seen):
    x, y = data()
    column, half = 2 * x[:, 0], (y % 2).mean()
    right = {
        "squared": column.var(),
        "absolute": np.abs(column - np.median(column)).mean(),
        "binary": -(half * np.log(half) + (1 - half) * np.log(1 - half)),
    }
    for case, value in right.items():
        assert seen["losses"][case]["constant"] == pytest.approx(value, rel=1e-5)
    assert math.isnan(seen["losses"]["huber"]["constant"])


def test_a_watched_training_ends_with_the_same_bytes(seen):
    """Weights, statistics of batch normalisation, seeds, optimiser and history; and NumPy's own random numbers."""
    found = seen["same_bytes"]
    assert found["plain"] == [True, True, True]
    assert found["plain_looks"] == [list(range(18)), {}]
    assert all(0 < own < 1 for own in found["plain_ratios"])
    assert found["nothing_left"]
    assert found.get("gradients_kept", True)


def test_several_steps_in_one_call(seen, backend):
    if backend == "torch":
        pytest.skip("Keras makes one step in each call on PyTorch")
    found = seen["same_bytes"]
    assert found["several"] == [True, True, True]
    steps, unseen = found["several_looks"]
    assert steps == [0, 3, 6, 9, 12, 15]
    assert unseen == {"updates": "a call of the training's makes several steps: what one of them changes is not seen"}
    assert all(math.isnan(own) for own in found["several_ratios"])


def test_steps_are_counted_over_trainings_until_the_watch_ends(seen):
    found = seen["course"]
    assert found["is_callback"]
    assert found["steps"] == [0, 1, 2, 3, 4, 5, 7, 10, 14, 20, 21]
    assert found["ended"]


def test_nothing_that_fails_ends_a_training(seen):
    stopped, told, epochs = seen["course"]["failed"]
    assert stopped == "KeyError: 'of the judge'"
    assert told == [
        "watching ended at step 1 (KeyError: 'of the judge'); the training goes on, and what was seen before is kept."
    ]
    assert epochs == 2
    other, looks = seen["course"]["other"]
    assert (other.split(":")[0], looks) == ("InvalidModel", 0)


def test_a_loss_that_is_not_a_number_at_the_first_step(seen):
    assert seen["course"]["not_finite"] == ["input_not_finite"]


def test_models_of_several_inputs_and_outputs(seen):
    kind, loss, names = seen["course"]["several"]
    assert (kind, names) == ("", ["both: relu"])
    assert math.isfinite(loss)


def test_eagerly_the_same_is_seen(seen):
    eager, lazy = seen["course"]["eager"]
    assert eager == pytest.approx(lazy, rel=1e-5)
    assert eager[1] < eager[0]


REFUSED = {
    "not_compiled": "call compile(optimizer, loss) before watch",
    "no_probe": "a callback of Keras never gets the batch, so a probe batch is needed: give some samples",
    "no_pair": "a pair (x, y) is expected, not ndarray",
    "lengths": "as many samples of x as of y are expected, one at least, not shapes [(64, 3), (5,)]",
    "width": "x has shape (64, 2), which does not fit: the model takes (None, 3).",
    "targets": "y has shape (64, 7), and what the model gives for x has (64, 4)",
    "every": "every=0: a whole number of steps of 1 or more is expected",
    "loss": "a Keras model has that which it was compiled with",
    "layer": "a keras.Model is expected, not the layer Dense",
    "twice": "call remove() of that watch first",
    "no_parameters": "no parameters that train",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said(seen, case):
    assert set(seen["refused"]) == set(REFUSED) | {"no_functions"}
    assert REFUSED[case] in seen["refused"][case]


def test_a_model_without_functions_may_be_watched(seen):
    assert seen["refused"]["no_functions"] == [0, []]
