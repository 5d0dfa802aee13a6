"""The names in other libraries are names there, and mean the same function."""

import importlib

import numpy as np
import pytest

from actlab.functions import catalogue
from actlab.functions.measured.other_names import ELSEWHERE, LIBRARIES, elsewhere

X = np.linspace(-4.1, 4.3, 84).reshape(7, 12).astype(np.float32)
MODULES = {"PyTorch": "torch", "Keras": "keras", "JAX": "jax", "TensorFlow": "tensorflow"}
ENTRIES = [(name, library) for name in ELSEWHERE for library in MODULES if library in ELSEWHERE[name]]


def called(text, library):
    """The expression's value at X as a NumPy array."""
    module = pytest.importorskip(MODULES[library], reason=f"{library} is not installed")
    names = {module.__name__: module, "tf": module}
    if library == "JAX":
        importlib.import_module("jax.nn")
    x = {"PyTorch": lambda: module.from_numpy(X), "JAX": lambda: module.numpy.asarray(X)}.get(library, lambda: X)()
    result = eval(text, names | {"x": x})  # names of our own table
    if callable(result):
        result = result(x)
    return np.asarray(result.detach() if hasattr(result, "detach") else result)


@pytest.mark.parametrize(("name", "library"), ENTRIES)
def test_it_is_the_same_function_there(name, library):
    function = catalogue[name]
    assert elsewhere(name)[library] == ELSEWHERE[name][library]
    np.testing.assert_allclose(called(ELSEWHERE[name][library], library), function(X), rtol=1e-5, atol=2e-6)


def test_every_name_is_of_a_function_and_a_library():
    assert set(ELSEWHERE) <= set(catalogue)
    assert all(set(names) <= set(LIBRARIES) for names in ELSEWHERE.values())


def test_operators_of_onnx_are_there():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    operators = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert {names["ONNX"].partition("(")[0] for names in ELSEWHERE.values() if "ONNX" in names} <= operators


def test_names_of_transformers_are_there():
    activations = pytest.importorskip("transformers.activations", reason="transformers is not installed")
    assert {names["Transformers"] for names in ELSEWHERE.values() if "Transformers" in names} <= set(activations.ACT2FN)


def test_names_of_timm_are_there():
    layers = pytest.importorskip("timm.layers", reason="timm is not installed")
    for names in ELSEWHERE.values():
        if "timm" in names:
            assert layers.create_act_layer(names["timm"]) is not None
