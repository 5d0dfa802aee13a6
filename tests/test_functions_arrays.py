"""The namespace over array libraries, what may enter a function, and the shared numerical pieces."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp, mpf

from actlab.errors import InvalidInput
from actlab.functions import namespace
from actlab.functions.arrays import float_array, is_jax
from actlab.functions.numerics import (
    DENSITY_AT_ZERO,
    absolute,
    exponential_minus_one,
    normal_density,
    normal_tail,
    polynomial,
)

# How far compiled code is off, is to be that of the code that users run.
pytestmark = pytest.mark.usefixtures("optimised")


def test_namespace_follows_the_array():
    assert namespace(np.ones(2)) is np
    assert namespace(1.0, [2.0]) is np
    assert namespace(jnp.ones(2)) is jnp
    assert namespace(np.ones(2), jnp.ones(2)) is jnp


def test_tracers_are_arrays_of_jax():
    seen = []
    jax.jit(lambda x: seen.append((is_jax(x), namespace(x))) or x)(jnp.ones(2))
    assert seen == [(True, jnp)]


def test_importing_the_functions_imports_nothing_heavy():
    program = (
        "import sys, numpy, time; start = time.perf_counter(); import actlab.functions as f;"
        "f.catalogue['gelu']([1.0]); f.catalogue['gelu'].derivative([1.0]);"
        "print([m for m in ('jax', 'scipy', 'matplotlib', 'torch') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (1, np.float64),
        (2.5, np.float64),
        ([1, 2], np.float64),
        (np.ones(2, np.float16), np.float16),
        (np.float32(1), np.float32),
    ],
)
def test_numpy_inputs_and_their_types(given, dtype):
    array = float_array(given, np, "f")
    assert isinstance(array, np.ndarray)
    assert array.dtype == dtype


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        None,
        True,
        1j,
        {"a": 1},
        [1, "a"],
        [[1], [1, 2]],
        np.array([True]),
        np.array([1j]),
        np.array([None]),
        np.int32(3),
        np.ones(2, np.uint8),
        np.array(["a"]),
        np.ones(2, np.longdouble),
    ],
)
def test_other_inputs_are_refused_with_the_functions_name(wrong):
    with pytest.raises(InvalidInput, match="gelu takes an array of float16, bfloat16, float32 or float64"):
        float_array(wrong, np, "gelu")


def test_a_wrong_type_is_a_type_error_that_says_what_to_convert_to():
    with pytest.raises(TypeError, match=r"given an array of int64: convert it, x.astype\('float32'\)"):
        float_array(np.arange(3), np, "gelu")
    with pytest.raises(TypeError, match=r"given an array of complex128: convert it, x.real and x.imag apart"):
        float_array(np.ones(3, complex), np, "gelu")


def test_arrays_of_jax_that_are_not_real_are_refused():
    for wrong in (jnp.array([True]), jnp.array([1j]), jnp.arange(3)):
        with pytest.raises(InvalidInput, match="it was given"):
            float_array(wrong, jnp, "gelu")


def test_polynomial_takes_the_highest_power_first():
    x = np.array([0.0, 1.0, -2.0])
    np.testing.assert_array_equal(polynomial(x, (2.0, -1.0, 0.5)), 2 * x**2 - x + 0.5)


def test_absolute_has_slope_one_at_zero():
    slopes = jax.vmap(jax.grad(lambda x: absolute(x, jnp)))(jnp.array([-2.0, 0.0, 2.0]))
    assert slopes.tolist() == [-1, 1, 1]


@pytest.mark.parametrize(("dtype", "reach"), [(np.float32, 15), (np.float64, 38)])
def test_normal_tail_and_density_to_the_end_of_their_reach(dtype, reach):
    t = np.linspace(0, reach, 997).astype(dtype)
    ulp = float(np.finfo(dtype).eps)
    with mp.workdps(40):
        density = [mp.exp(30 - mpf(float(v)) ** 2 / 2) for v in t]
        tail = [mp.erfc(mpf(float(v)) / mp.sqrt(2)) / 2 * mp.exp(mpf(float(v)) ** 2 / 2 - 30) for v in t]
        for computed, exact in ((normal_density(t, np), density), (normal_tail(t, np), tail)):
            assert computed.dtype == dtype
            worst = max(abs(mpf(float(y)) / z - 1) for y, z in zip(computed, exact, strict=True))
            assert worst < 4 * ulp
        assert abs(mpf(DENSITY_AT_ZERO) / (mp.npdf(0) * mp.exp(-30)) - 1) < 4e-16


def test_exponential_minus_one_has_the_left_slope_at_zero():
    slope = jax.grad(lambda x: exponential_minus_one(x, jnp))
    assert float(slope(0.0)) == 1
    assert float(slope(-1e30)) == 0
