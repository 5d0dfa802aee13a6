"""Values and derivatives against mpmath, over the whole range of every type, in NumPy and in compiled JAX."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from mpmath import mp
from tests import accuracy
from tests.references import REFERENCES

from actlab.functions import catalogue
from actlab.functions.numerics.roots import ROOTS

# How far compiled code is off, is to be that of the code that users run.
pytestmark = pytest.mark.usefixtures("optimised")

NAMES = [name for name, activation in catalogue.items() if activation.kind != "grouping"]
SMOOTH = [name for name in NAMES if REFERENCES[name].slope_of is None]
FLOATS = [np.float32, np.float64]
LIBRARIES = ["numpy", "jax"]
FLOOR = {"float32": 1e-5, "float64": 1e-12}
SECOND = {"float32": 2e-4, "float64": 1e-9}
#: What is further than 4 ulp from mpmath today, and how far: "name derivative float32 jax" → ulp, rounded up. Written
#: by `benchmarks/exactness.py --four-ulp`.
BEYOND = json.loads((Path(__file__).parent / "beyond_four_ulp.json").read_text(encoding="utf-8"))
#: x/2 of an x just above the smallest normal number: what is taken from x is subnormal, which XLA takes as 0.
SUBNORMAL = {"acon_c": 2, "soft_exponential": 2}


def test_every_function_of_one_variable_has_a_reference():
    assert set(NAMES) <= set(REFERENCES)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("which", accuracy.WHICH)
@pytest.mark.parametrize("name", NAMES)
def test_near_mpmath(name, which, dtype, library):
    found = accuracy.measure(name, which, dtype, library)
    type_name = dtype.__name__
    ulps, at, relative, relative_at = found.worst
    floor = REFERENCES[name].floor.get(which, {}).get(type_name, FLOOR[type_name])
    assert relative <= floor, f"relative error {relative:.3g} at {relative_at!r}"
    allowed = BEYOND.get(f"{name} {which} {type_name} {library}", 4.0)
    assert ulps <= allowed, f"{ulps:.3g} ulp at {at!r}"


def test_what_is_beyond_four_ulp_is_known_and_not_more():
    known = {f"{n} {w} {d.__name__} {lib}" for n in NAMES for w in accuracy.WHICH for d in FLOATS for lib in LIBRARIES}
    assert set(BEYOND) <= known
    assert all(bound > 4 for bound in BEYOND.values())


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_half_precision_number_is_within_one_ulp(name, half):
    """Against float64, which the test above holds to mpmath."""
    dtype = np.dtype(getattr(ml_dtypes, half, half))
    x = np.arange(65536, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        wide = x.astype(np.float64)
    limits = ml_dtypes.finfo(dtype)
    # JAX takes subnormal inputs as 0.
    fine = ~((np.abs(wide) < float(limits.tiny)) & (wide != 0))
    for which in accuracy.WHICH:
        reference = accuracy.evaluate(name, which, wide, "numpy")
        for library in LIBRARIES:
            computed = accuracy.evaluate(name, which, x, library)
            assert computed.dtype == dtype
            with np.errstate(invalid="ignore"):
                computed = computed[fine].astype(np.float64)
            check_half(name, computed, reference[fine], limits)


def check_half(name, computed, reference, limits):
    assert np.array_equal(np.isnan(computed), np.isnan(reference))
    known = ~np.isnan(reference)
    computed, reference = computed[known], reference[known]
    size, tiny, largest = np.abs(reference), float(limits.tiny), float(limits.max)
    normal = (size >= tiny) & (size <= largest)
    ulp = np.exp2(np.floor(np.log2(size[normal])) - limits.nmant)
    got = np.clip(computed[normal], -2 * largest, 2 * largest)
    rounded_up = np.isinf(computed[normal]) & (size[normal] > largest - ulp / 2)
    assert (np.where(rounded_up, 0, np.abs(got - reference[normal])) / ulp).max(initial=0) <= 1
    assert np.all(np.abs(computed[size < tiny]) <= SUBNORMAL.get(name, 1.01) * tiny)
    assert np.all(np.isinf(computed[size > largest * (1 + float(limits.eps))]))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [name for name in NAMES if REFERENCES[name].monotone])
def test_monotone(name, dtype, library):
    limits = np.finfo(dtype)
    x = np.exp(np.linspace(np.log(float(limits.tiny)), np.log(float(limits.max)) - 1e-4, 2**18)).astype(dtype)
    x = np.concatenate([-x[::-1], [dtype(0)], x])
    value, sign = accuracy.evaluate(name, "value", x, library), REFERENCES[name].monotone
    with np.errstate(invalid="ignore"):  # inf − inf, where a growing function has overflowed
        assert not np.any(sign * np.diff(value) < 0)
    assert not np.any(sign * accuracy.evaluate(name, "derivative", x, library) < 0)


def test_the_facts_agree_on_what_is_monotone():
    for name in NAMES:
        wanted = {1: ("increasing",), -1: ("decreasing",), 0: (None,)}[REFERENCES[name].monotone]
        assert catalogue[name].facts().monotone in wanted, name


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [name for name in ROOTS if not name.endswith(".value")])
def test_derivative_has_the_right_sign_beside_its_roots(name, dtype, library):
    for single, double in ROOTS[name]:
        root = dtype((single if dtype == np.float32 else double).position)
        bits = np.int32 if dtype == np.float32 else np.int64
        x = (root.view(bits) + np.arange(-100, 101).astype(bits)).view(dtype)
        with mp.workdps(60):
            reference = [jet.first for jet in REFERENCES[name].jets(x.tolist())]
        computed = accuracy.evaluate(name, "derivative", x, library)
        assert np.sign(computed).tolist() == [float(mp.sign(value)) for value in reference]
        high, low = np.array([accuracy._split(value) for value in reference]).T
        assert accuracy.errors(x, computed, high, low).relative.max() < (1e-6 if dtype == np.float32 else 1e-14)


KNOWN = [  # where PyTorch or JAX are wrong today
    ("gelu", "value", np.float32, -5.5, -1.0444e-7),
    ("gelu", "value", np.float32, -6.0, -5.9195e-9),
    ("gelu_tanh", "derivative", np.float32, 1e20, 1.0),
    ("gelu_tanh", "derivative", np.float32, -1e20, 0.0),
    ("elu", "derivative", np.float32, -17.0, 4.1399e-8),
    ("sigmoid", "derivative", np.float64, 40.0, 4.248354255291589e-18),
    ("tanh", "derivative", np.float32, 10.0, 8.2446e-9),
    ("squareplus", "value", np.float32, -1e4, 1e-4),
    ("tanh_shrink", "value", np.float32, 1e-4, 3.3333e-13),
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("name", "which", "dtype", "x", "expected"), KNOWN)
def test_known_errors_of_others(name, which, dtype, x, expected, library):
    computed = accuracy.evaluate(name, which, np.array([x], dtype), library)[0]
    assert computed == pytest.approx(expected, rel=1e-4 if dtype == np.float32 else 1e-15)


PLACES = np.array([-6.3, -2.1, -0.7, -0.05, 0.04, 0.3, 0.9, 1.6, 2.3, 7.1])


@pytest.mark.parametrize("name", SMOOTH)
def test_written_derivative_is_that_of_the_value_by_automatic_differentiation(name):
    activation = catalogue[name]
    settings = activation.settings({}) | ({"noise": None} if activation.noise else {})
    with jax.enable_x64(True):
        slopes = jax.vmap(jax.grad(lambda x: activation.value_rule(x, jnp, **settings)))(jnp.asarray(PLACES))
    np.testing.assert_allclose(activation.derivative(PLACES), slopes, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_second_derivative(name, dtype):
    computed, expected = accuracy.second_derivatives(name, dtype)
    bound = REFERENCES[name].floor.get("second", {}).get(dtype.__name__, SECOND[dtype.__name__])
    np.testing.assert_allclose(computed, expected, rtol=bound, atol=bound / 100)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivative_is_finite_wherever_the_exact_one_is(name):
    x = accuracy.inputs(name, np.float32, 512)
    x = x[~np.isnan(x)]
    second = np.asarray(jax.jit(jax.vmap(jax.grad(jax.grad(catalogue[name]))))(jnp.asarray(x)))
    assert not np.any(np.isnan(second))
    places = np.flatnonzero(np.isfinite(x))
    jets = REFERENCES[name].jets(x[places].tolist(), second=True)
    finite = [place for place, jet in zip(places, jets, strict=True) if abs(jet.second) < 3e38]
    assert np.all(np.isfinite(second[finite]))


SOURCES = {  # float32, as the sources of the recipes print them
    "sigmoid": [0.26894143, 0.5, 0.7310586],
    "tanh": [-0.7615942, 0, 0.7615942],
    "relu": [0, 0, 1],
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", SOURCES)
def test_printed_values(name, library):
    computed = accuracy.evaluate(name, "value", np.array([-1, 0, 1], np.float32), library)
    np.testing.assert_array_max_ulp(computed, np.array(SOURCES[name], np.float32), 1)
