"""The door into Keras, on each of its backends, and the one into TensorFlow.

Each backend runs in a process of its own (`keras_backends`), all at the same time; the tests here read what they found.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actlab.functions import catalogue

BACKENDS = ["jax", "torch", "tensorflow"]
ROOT = Path(__file__).parent.parent
HAS_KERAS = importlib.util.find_spec("keras") is not None
# Rounding errors, each of the result's size or of what one in the input makes; the worst found are 8.
ROUNDINGS = 16.0
needs_keras = pytest.mark.skipif(not HAS_KERAS, reason="Keras is not installed")


def start(backend, *arguments):
    # The compiled code need not be fast, its compilation should be.
    quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"}
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment |= quick if backend == "jax" else {}
    # Keras itself makes arrays of its variables in a way that NumPy warns of.
    strict = ["-W", "error", "-W", "ignore:__array__:DeprecationWarning"]
    command = [sys.executable, *strict, "-m", "tests.keras_backends", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    printed, complaints = process.communicate(timeout=600)
    assert process.returncode == 0, complaints[-3000:]
    return json.loads(printed.splitlines()[-1])


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="session")
def processes(directory):
    started = {
        backend: start(backend, "check", directory)
        for backend in BACKENDS
        if HAS_KERAS and importlib.util.find_spec(backend) is not None
    }
    yield started
    for process in started.values():
        process.kill()


@pytest.fixture(scope="session")
def finished(processes):
    """Backend → its results, made when they are first asked for."""
    return {}


@pytest.fixture(params=BACKENDS)
def results(request, processes, finished):
    backend = request.param
    if backend not in processes:
        pytest.skip(f"{'Keras' if not HAS_KERAS else backend} is not installed")
    if backend not in finished:
        finished[backend] = finish(processes[backend])
    return finished[backend]


@pytest.fixture
def door(processes, finished):
    if "tensorflow" not in processes:
        pytest.skip("Keras or TensorFlow is not installed")
    if "tensorflow" not in finished:
        finished["tensorflow"] = finish(processes["tensorflow"])
    return finished["tensorflow"]


def over(table, limit):
    """Entries that are not below a limit; a word in place of a number is one, too."""
    flat = {(name, *path): value for name, row in table.items() for path, value in flattened(row)}
    assert flat
    return {key: value for key, value in flat.items() if not (isinstance(value, (int, float)) and value <= limit)}


def flattened(row):
    return [((key,), value) for key, value in row.items()] if isinstance(row, dict) else [((), row)]


def test_every_function_agrees_with_numpy(results):
    assert set(results["agreement"]) == set(catalogue)
    assert over(results["agreement"], ROUNDINGS) == {}


def test_known_cases_are_right(results):
    assert len(results["known"]) > 20
    for case, got, right in results["known"]:
        np.testing.assert_allclose(got, right, rtol=2e-5, err_msg=case)


def test_fit_decreases_the_loss_and_learns_the_slopes(results):
    training = results["training"]
    assert training["history"][-1] < 0.6 * training["history"][0]
    assert training["slope_shapes"] == [[16], []]
    np.testing.assert_allclose(training["slopes_start"], [[0.25], [0.1]], rtol=1e-6)
    assert min(training["slopes_moved"]) > 1e-4
    assert training["widths"] == [16, 16, 16, 16, 16, 8, 8, 8, 1]


def test_a_saved_model_predicts_the_same(results):
    assert results["training"]["loaded"] == results["training"]["predictions"]


@needs_keras
def test_a_fresh_process_loads_what_each_backend_saved(processes, finished, directory):
    for backend, process in processes.items():
        if backend not in finished:
            finished[backend] = finish(process)
    loaded = finish(start("jax", "load", *(directory / f"{backend}.keras" for backend in finished)))
    assert set(loaded) == set(finished) >= {"jax"}
    for backend, predictions in loaded.items():
        np.testing.assert_allclose(predictions, finished[backend]["training"]["predictions"], rtol=1e-4, atol=1e-5)


def test_argument_and_layer_are_the_same_network(results):
    assert set(results["layer_and_argument"]) == {"gelu", "leaky_relu", "softmax"}
    assert over(results["layer_and_argument"], 1e-6) == {}


def test_every_function_is_a_layer(results):
    rows = results["every_layer"]
    assert set(rows) == set(catalogue)
    assert {name: row for name, row in rows.items() if not all(row.values())} == {}
    assert {name for name, row in rows.items() if "noise" in row} == {n for n, f in catalogue.items() if f.noise}


def test_axis_precision_and_shapes(results):
    found = results["layers"]
    assert found["by_channel"][0] == [3]
    assert max(found["by_channel"][1], found["by_channel_set"]) < 1e-6
    assert found["mixed"] == ["float16", "float32", -1.5]
    assert found["mixed_dense"] == "bfloat16"
    own = {"function": "elu", "axis": 1, "per_unit": True, "seed": None, "alpha": 0.5}
    assert found["config"] == {"name": "mine", "trainable": True, "dtype": "mixed_float16", **own}
    assert found["maxout"] == [[None, 2, 3], [2, 2, 3]]
    assert found["symbolic"] == [[None, 6], [None, 2, 3]]
    assert found["equal"] is True


def test_what_is_wrong_is_said(results):
    refused = results["layers"]["refused"]
    wanted = {
        "unknown": "did you mean 'gelu'",
        "unknown_layer": "did you mean 'gelu'",
        "parameter": "did you mean 'alpha'",
        "range": "must be a number in [0, inf]",
        "array": "is a number in Keras",
        "width": "put the layer actlab.keras.Activation('maxout') after it",
        "bare": "take the layer actlab.keras.Activation('funnel_relu')",
        "units": "needs a multiple of 4 units along axis 1",
        "unknown_units": "must say how many there are along axis 1",
        "axis": "has no axis 4",
    }
    assert set(refused) == set(wanted)
    for case, words in wanted.items():
        assert words in refused[case], (case, refused[case])


def test_tensorflow_in_graphs_and_compiled(door):
    assert set(door["door_compiled"]) == set(catalogue)
    assert over(door["door_compiled"], 2e-4) == {}
    assert sum("xla" in row for row in door["door_compiled"].values()) > 5


def test_tensorflow_in_double_precision(door):
    assert over(door["agreement_double"], ROUNDINGS) == {}


def test_tensorflow_second_derivatives(door):
    assert set(door["door_second"]) == set(catalogue)
    assert over(door["door_second"], 1e-5) == {}


def test_tensorflow_gradients_by_parameters(door):
    assert {"prelu.negative_slope.0", "prelu.negative_slope.4", "elu.alpha.0"} <= set(door["door_parameters"])
    # soft_exponential is a difference quotient near alpha = 0, which differences see as curved.
    assert over(door["door_parameters"], 1e-4) == {}


def test_tensorflow_types(door):
    types = door["door_types"]
    assert types["types"] == {name: [name, name] for name in ("float16", "bfloat16", "float32", "float64")}
    assert types["variable"] == [0.0, 2.0]
    assert types["array_with_tensor"] == [-0.5, 2.0]
    assert types["list_with_tensor"] == "float32"
    assert abs(types["scalar"] - 0.8413447460685429) < 1e-6
    assert types["middle_axis"] < 1e-15
    assert types["two_unknown_lengths"] == [True, True]
    assert "array of int32" in types["integers"]
    assert "does not broadcast" in types["shape"]
    assert "has no axis 2" in types["axis"]
    assert "needs a multiple of 2 units" in types["units"]


def test_tensorflow_takes_a_function_of_ones_own(door):
    own = door["door_own"]
    assert max(own["value"], own["derivative"], own["gradient"]) < 1e-12
    assert "has no 'fft'" in own["lacking"]


def test_tensorflow_noise(door):
    rows = door["door_noise"]
    assert set(rows) == {name for name, activation in catalogue.items() if activation.noise}
    for name, row in rows.items():
        assert all(row.values()), name
        assert "tensorflow.random.Generator" in row["key"]


def missing(module, backend):
    program = f"import sys; sys.modules[{module!r}] = None; import actlab.keras"
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode != 0
    return run.stderr.splitlines()[-1]


def test_without_keras_the_command_is_said():
    assert missing("keras", "jax").endswith('MissingExtra: Keras is not installed: pip install "actlab[keras]"')


@needs_keras
def test_without_the_backend_another_is_named():
    complaint = missing("tensorflow", "tensorflow")
    assert "MissingExtra: Keras could not be imported" in complaint
    assert "KERAS_BACKEND" in complaint
