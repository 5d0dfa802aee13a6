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
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
SECTIONS = {"agreement", "known", "training", "layer_and_argument", "layers", "every_layer"}
TENSORFLOW = {"compiled", "jacobians", "second", "parameters", "types", "own", "noise"}
# Rounding errors, each of the result's size or of what one in the input makes; two polynomials' quotient makes more.
ROUNDINGS = {"pau": 12.0}
needs_keras = pytest.mark.skipif(not HAS_KERAS, reason="Keras is not installed")
every_function = pytest.mark.parametrize("name", list(catalogue))
grouping = pytest.mark.parametrize("name", [name for name, f in catalogue.items() if f.kind == "grouping"])
stochastic = pytest.mark.parametrize("name", [name for name, f in catalogue.items() if f.noise])


def start(backend, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    # The compiled code need not be fast, its compilation should be.
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    # Keras itself makes arrays of its variables in a way that NumPy warns of.
    strict = ["-W", "error", "-W", "ignore:__array__:DeprecationWarning"]
    command = [sys.executable, *strict, "-m", "tests.keras_backends", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    """What a process printed; None and its complaints if it failed."""
    printed, complaints = process.communicate(timeout=600)
    return (json.loads(printed.splitlines()[-1]) if process.returncode == 0 else None), complaints[-3000:]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="module")
def processes(directory):
    started = {
        backend: start(backend, "check", directory)
        for backend in BACKENDS
        if HAS_KERAS and importlib.util.find_spec(backend) is not None
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def found(processes):
    """Backend → its results, waited for when they are first asked for."""
    finished = {}

    def results(backend):
        if backend not in processes:
            pytest.skip(f"{backend if HAS_KERAS else 'Keras'} is not installed")
        if backend not in finished:
            finished[backend] = finish(processes[backend])
        printed, complaints = finished[backend]
        assert printed is not None, complaints
        return printed

    return results


@pytest.fixture(params=BACKENDS)
def results(request, found):
    return found(request.param)


@pytest.fixture
def door(found):
    return found("tensorflow")


def roundings(name):
    return ROUNDINGS.get(name, 4.0)


def test_nothing_is_found_that_no_test_reads(processes, found):
    """The first to read what the three processes find waits for them: every function, in Keras on three libraries."""
    for backend in processes:
        own = {f"door_{name}" for name in TENSORFLOW} | {"agreement_double"} if backend == "tensorflow" else set()
        own |= {"exported"} if backend == "jax" and HAS_TENSORFLOW else set()
        assert set(found(backend)) == SECTIONS | own | {"seconds"}
        assert set(found(backend)["seconds"]) == SECTIONS | own | {"all"}
        for section in ("agreement", "every_layer"):
            assert set(found(backend)[section]) == set(catalogue)


@every_function
def test_function_agrees_with_numpy(results, name):
    row = results["agreement"][name]
    assert {"value", "gradient"} <= set(row) <= {"value", "gradient", "derivative"}
    for which, apart in row.items():
        assert apart <= roundings(name), which


def test_known_cases_are_right(results):
    assert len(results["known"]) == 49
    for case, got, right in results["known"]:
        np.testing.assert_allclose(got, right, rtol=1e-6, err_msg=case)


def test_fit_decreases_the_loss(results):
    history = results["training"]["history"]
    assert len(history) == 8
    assert history[-1] < 0.6 * history[0]


def test_trainable_parameters_learn(results):
    training = results["training"]
    assert training["slope_shapes"] == [[16], []]
    np.testing.assert_allclose(training["slopes_start"], [[0.25], [0.1]], rtol=1e-6)
    assert min(training["slopes_moved"]) > 1e-4


def test_widths_in_a_model(results):
    assert results["training"]["widths"] == [16, 16, 16, 16, 16, 8, 8, 8, 1]


def test_a_saved_model_predicts_the_same(results):
    assert len(results["training"]["predictions"]) == 16
    assert results["training"]["loaded"] == results["training"]["predictions"]


@needs_keras
def test_another_process_predicts_the_same_from_what_each_backend_saved(processes, found, directory):
    saved = {backend: found(backend)["training"]["predictions"] for backend in processes}
    loaded, complaints = finish(start("jax", "load", *(directory / f"{backend}.keras" for backend in saved)))
    assert loaded is not None, complaints
    assert set(loaded) == set(saved) >= {"jax"}
    for backend, predictions in loaded.items():
        np.testing.assert_allclose(predictions, saved[backend], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not HAS_TENSORFLOW, reason="TensorFlow, which serves what Keras exports, is not installed")
def test_a_model_on_jax_is_exported_with_parameters_for_each_unit(found):
    """As a SavedModel, whose batch size is a symbol; `tests/test_exports.py` does the same in JAX for all functions."""
    rows = found("jax")["exported"]
    assert set(rows) >= {"prelu", "snake"}
    assert max(rows.values()) < 1e-5


@pytest.mark.parametrize("name", ["gelu", "leaky_relu", "softmax"])
def test_argument_and_layer_are_the_same_network(results, name):
    assert set(results["layer_and_argument"]) == {"gelu", "leaky_relu", "softmax"}
    assert results["layer_and_argument"][name] <= 1e-6


@every_function
def test_function_is_a_layer(results, name):
    row = results["every_layer"][name]
    noise = {"noise"} if catalogue[name].noise else set()
    assert row == dict.fromkeys({"shape", "again", "finite", "weights"} | noise, True)


def test_parameters_lie_along_the_axis(results):
    shape, apart = results["layers"]["by_channel"]
    assert shape == [3]
    assert apart < 1e-6
    assert results["layers"]["by_channel_set"] < 1e-6


def test_mixed_precision(results):
    assert results["layers"]["mixed"] == ["float16", "float32", -1.5]
    assert results["layers"]["mixed_dense"] == "bfloat16"


def test_a_layer_is_made_again_from_its_config(results):
    own = {"function": "elu", "axis": 1, "per_unit": True, "seed": None, "alpha": 0.5}
    assert results["layers"]["config"] == {"name": "mine", "trainable": True, "dtype": "mixed_float16", **own}


def test_shapes_of_functions_that_change_the_width(results):
    assert results["layers"]["maxout"] == [[None, 2, 3], [2, 2, 3]]
    assert results["layers"]["symbolic"] == [[None, 6], [None, 2, 3]]


def test_functions_by_any_of_their_names_are_equal(results):
    assert results["layers"]["equal"] is True


REFUSED = {
    "unknown": "unknown activation 'gelly': did you mean 'gelu'?",
    "unknown_layer": "unknown activation 'gelly': did you mean 'gelu'?",
    "parameter": "elu has no parameter 'alfa'; did you mean 'alpha'?",
    "range": "elu: parameter 'alpha' must be a number in [0, inf]; it was given -1.0.",
    "array": "elu: 'alpha' is a number in Keras; it was given [1.0, 2.0].",
    "width": "put the layer actlab.keras.Activation('maxout') after it.",
    "bare": "take the layer actlab.keras.Activation('funnel_relu'), which learns them.",
    "units": "maxout needs a multiple of 4 units along axis 1; the input's shape is (2, 7, 3).",
    "unknown_units": "(None, None, 3) must say how many there are along axis 1; or take per_unit=False.",
    "axis": "prelu: the input's shape (2, 3) has no axis 4.",
    "axis_of_softmax": "softmax: the input's shape (2, 3) has no axis 4.",
    "axis_of_maxout": "maxout: the input's shape (2, 3) has no axis 4.",
    "axis_is_a_word": "softmax: axis must be an integer; it was given 'last'.",
    "axis_of_an_argument": "softmax: axis must be an integer; it was given True.",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said(results, case):
    refused = results["layers"]["refused"]
    assert set(refused) == set(REFUSED)
    assert REFUSED[case] in refused[case]
    assert not refused[case].startswith("NOT ")


def test_an_elementwise_layer_takes_a_number(results):
    assert results["layers"]["number"] == 2.0


@every_function
@pytest.mark.parametrize("way", ["graph", "xla"])
def test_tensorflow_in_compiled_functions(door, name, way):
    assert set(door["door_compiled"]) == {"graph", "xla"}
    row = door["door_compiled"][way][name]
    assert set(row) == {"value", "gradient"}
    assert max(row.values()) <= roundings(name)


@grouping
def test_tensorflow_jacobians_of_unknown_batch_size(door, name):
    assert door["door_jacobians"][name] <= 1e-13


@every_function
def test_tensorflow_in_double_precision(door, name):
    row = door["agreement_double"][name]
    assert set(row) == {"value", "gradient", "derivative"}
    assert max(row.values()) <= roundings(name)


@every_function
def test_tensorflow_second_derivatives(door, name):
    assert door["door_second"][name] <= 1e-6


@every_function
def test_tensorflow_gradients_by_parameters(door, name):
    names = {p.name for p in catalogue[name].parameters if p.trainable and not p.integer}
    rows = {key: apart for key, apart in door["door_parameters"].items() if key.startswith(f"{name}.")}
    assert {key.split(".")[1] for key in rows} >= names
    for key, apart in rows.items():
        # At 0, its default, the differences themselves are of two formulas.
        assert apart <= (1e-4 if key.startswith("soft_exponential.alpha.") else 1e-6), key


def test_tensorflow_gradients_by_parameters_are_those_of_numbers_and_of_units(door):
    assert {"prelu.negative_slope.0", "prelu.negative_slope.4", "elu.alpha.0"} <= set(door["door_parameters"])
    assert {key.split(".")[0] for key in door["door_parameters"]} <= set(catalogue)


def test_tensorflow_types(door):
    types = door["door_types"]
    assert set(types) == set(TYPES) | {
        *("types", "variable", "array_with_tensor", "list_with_tensor", "scalar", "middle_axis"),
        *("two_unknown_lengths", "unknown_rank"),
    }
    assert types["types"] == {name: [name, name] for name in ("float16", "bfloat16", "float32", "float64")}
    assert types["variable"] == [0.0, 2.0]
    assert types["array_with_tensor"] == [-0.5, 2.0]
    assert types["list_with_tensor"] == "float32"
    assert abs(types["scalar"] - 0.8413447460685429) < 1e-6


def test_tensorflow_shapes(door):
    types = door["door_types"]
    assert types["middle_axis"] < 1e-15
    assert types["two_unknown_lengths"] == [True, True]
    assert types["unknown_rank"] < 1e-15


TYPES = {
    "integers": "it was given an array of int32: convert it, tf.cast(x, 'float32').",
    "unsigned": "it was given an array of uint8: convert it, tf.cast(x, 'float32').",
    "bool": "it was given an array of bool: convert it, tf.cast(x, 'float32').",
    "complex": "it was given an array of complex128: convert it, tf.math.real(x) and tf.math.imag(x) apart.",
    "ragged": "all real; it was given 'RaggedTensor'.",
    "jax_parameter": "prelu: input and parameters belong to different libraries: 'ArrayImpl'.",
    "jax_input": "prelu: input and parameters belong to different libraries: 'ArrayImpl'.",
    "shape": "parameter 'negative_slope' of shape (2,) does not broadcast against the input's shape (2, 3).",
    "axis": "softmax: the input's shape (2, 3) has no axis 2.",
    "units": "maxout needs a multiple of 2 units along axis -1; the input's shape is (2, 3).",
    "unknown_rank_units": "softmax: the number of the tensor's axes must be known.",
    "unknown_units": "softmax: the number of units along axis -1 must be known, and is not.",
}


@pytest.mark.parametrize("case", TYPES)
def test_tensorflow_says_what_it_does_not_take(door, case):
    assert door["door_types"][case].endswith(TYPES[case])
    assert not door["door_types"][case].startswith("NOT ")


def test_tensorflow_takes_a_function_of_ones_own(door):
    own = door["door_own"]
    assert set(own) == {"value", "derivative", "gradient", "lacking"}
    assert max(own["value"], own["derivative"], own["gradient"]) < 1e-12
    assert own["lacking"].startswith("tests_lacking cannot take a TensorFlow tensor: the namespace for TensorFlow has")
    assert "no 'fft'" in own["lacking"]


@stochastic
def test_tensorflow_noise(door, name):
    row = door["door_noise"][name]
    assert set(row) == {"same", "different", "finite", "key", "gradient"}
    assert row["same"] is row["different"] is row["finite"] is True
    assert row["gradient"] < 1e-6
    assert row["key"].startswith(f"{name}: for TensorFlow tensors the key is a tensorflow.random.Generator, as ")
    assert row["key"].endswith("from_seed(0); it was given 'int'.")


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
