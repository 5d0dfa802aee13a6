"""Gated linear units against PyTorch and plain formulas."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

from actlab.errors import InvalidFunction
from actlab.functions import catalogue
from actlab.functions.families.gated_units import FUNCTIONS

# How far compiled code is off, is to be that of the code that users run.
pytestmark = pytest.mark.usefixtures("optimised")

NAMES = [activation.name for activation in FUNCTIONS]
TYPES = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2e-6, "float64": 1e-14}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def halves(x):
    return x[: len(x) // 2], x[len(x) // 2 :]


def clamped(x, alpha=1.702, limit=7.0, interleaved=True):
    gate, linear = (x[::2], x[1::2]) if interleaved else halves(x)
    gate = jnp.where(gate > limit, limit, gate)
    linear = jnp.where(linear > limit, limit, jnp.where(linear < -limit, -limit, linear))
    return gate / (1 + jnp.exp(-alpha * gate)) * (linear + 1)


def gated(function, gate_half):
    def plain(x):
        first, second = halves(x)
        return function(first) * second if gate_half == 1 else first * function(second)

    return plain


def gelu(x):
    return x * (1 + jax.scipy.special.erf(x / np.sqrt(2))) / 2


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


def silu(x):
    return x * sigmoid(x)


def relu(x):
    return jnp.where(x > 0, x, 0)


FUNCTION = {"glu": sigmoid, "reglu": relu, "geglu": gelu, "swiglu": silu}
PLAIN = {
    "glu": gated(sigmoid, 2),
    "bilinear": gated(lambda x: x, 1),
    "reglu": gated(relu, 1),
    "geglu": gated(gelu, 1),
    "swiglu": gated(silu, 1),
    "clamped_swiglu": clamped,
}


def sample(*shape, seed=0, scale=2.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def by_group(plain, x, axis):
    moved = np.moveaxis(x, axis, -1)
    rows = jax.jit(jax.vmap(plain))(moved.reshape(-1, moved.shape[-1]))
    return np.moveaxis(np.reshape(rows, (*moved.shape[:-1], -1)), -1, axis)


def each(f, x):
    """Compile `f` and apply it to each row."""
    return jax.jit(jax.vmap(f))(jnp.asarray(x))


def test_every_function_is_tested():
    assert set(PLAIN) == set(NAMES)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("name", NAMES)
def test_values_along_every_axis(name, axis):
    x = sample(4, 6, 10)
    expected = by_group(PLAIN[name], x, axis)
    np.testing.assert_allclose(catalogue[name](x, axis=axis), expected, rtol=1e-12, atol=1e-14)
    compiled = jax.jit(lambda x: catalogue[name](x, axis=axis))(jnp.asarray(x))
    np.testing.assert_allclose(compiled, expected, rtol=1e-12, atol=1e-14)
    assert catalogue[name].inputs_per_unit() == 2


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_glu_is_that_of_pytorch_and_jax(axis):
    x = sample(4, 6, 2)
    expected = torch.nn.functional.glu(torch.from_numpy(x), dim=axis).numpy()
    np.testing.assert_allclose(catalogue["glu"](x, axis=axis), expected, rtol=1e-13)
    np.testing.assert_allclose(catalogue["glu"](x, axis=axis), jax.nn.glu(x, axis=axis), rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTION)
def test_either_half_may_gate(name):
    x = sample(3, 8)
    for gate_half in (1, 2):
        expected = by_group(gated(FUNCTION[name], gate_half), x, -1)
        np.testing.assert_allclose(catalogue[name](x, gate_half=gate_half), expected, rtol=1e-12, atol=1e-15)
        jacobian = each(jax.jacfwd(gated(FUNCTION[name], gate_half)), x)
        np.testing.assert_allclose(catalogue[name].derivative(x, gate_half=gate_half), jacobian, atol=1e-13)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_in_every_type(name, dtype):
    x = sample(5, 6).astype(getattr(ml_dtypes, dtype, dtype))
    expected = by_group(PLAIN[name], x.astype(np.float64), -1)
    for array in (x, jnp.asarray(x)):
        result = catalogue[name](array)
        assert result.dtype == x.dtype
        np.testing.assert_allclose(np.asarray(result, np.float64), expected, rtol=TYPES[dtype], atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_jacobians_and_second_derivatives(name):
    x = sample(3, 6)
    x[0] *= 5
    activation, plain = catalogue[name], PLAIN[name]
    expected = each(jax.jacfwd(plain), x)
    np.testing.assert_allclose(activation.derivative(x), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(jax.jit(activation.derivative)(jnp.asarray(x)), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(activation.derivative(x.T, axis=0), expected, rtol=1e-11, atol=1e-13)
    for automatic in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(each(automatic(activation), x), expected, rtol=1e-11, atol=1e-13)
    found, expected = each(jax.hessian(activation), x), each(jax.hessian(plain), x)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_directional_derivatives_against_differences(name, axis):
    x, tangent, step = sample(4, 6, 10), sample(4, 6, 10, seed=1), 1e-6
    f = catalogue[name]
    pushed = jax.jit(lambda x, t: jax.jvp(lambda x: f(x, axis=axis), (x,), (t,))[1])(x, tangent)
    numeric = (f(x + step * tangent, axis=axis) - f(x - step * tangent, axis=axis)) / (2 * step)
    np.testing.assert_allclose(pushed, numeric, atol=1e-7)


@pytest.mark.parametrize(("alpha", "limit", "interleaved"), [(1.0, 2.0, 0), (0.5, 1e6, 1), (3.0, 0.5, 1)])
def test_clamped_swiglu_with_other_parameters(alpha, limit, interleaved):
    x = sample(4, 6)
    given = {"alpha": alpha, "limit": limit, "interleaved": interleaved}
    expected = by_group(lambda x: clamped(x, **given), x, -1)
    np.testing.assert_allclose(catalogue["clamped_swiglu"](x, **given), expected, rtol=1e-12, atol=1e-15)
    jacobian = each(jax.jacfwd(lambda x: clamped(x, **given)), x)
    np.testing.assert_allclose(catalogue["clamped_swiglu"].derivative(x, **given), jacobian, atol=1e-12)
    by_alpha = jax.grad(lambda a: catalogue["clamped_swiglu"](jnp.asarray(x[0]), alpha=a)[0])(1.7)
    expected = jax.grad(lambda a: clamped(jnp.asarray(x[0]), alpha=a)[0])(1.7)
    assert float(by_alpha) == pytest.approx(float(expected), rel=1e-9)


def test_kinks_belong_to_the_left():
    jacobian = catalogue["clamped_swiglu"].derivative([7.0, 7.0])
    slope = jax.grad(lambda g: g * sigmoid(1.702 * g))(7.0) * 8
    np.testing.assert_allclose(jacobian, [[slope, 7 * sigmoid(1.702 * 7)]], rtol=1e-12)
    assert catalogue["clamped_swiglu"].derivative([1.0, -7.0])[0, 1] == 0
    assert catalogue["reglu"].derivative([0.0, 3.0]).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_from_nan_alone(name, dtype):
    ends = [-np.inf, -1e30, -1.0, 0.0, 2.0, 1e30, np.inf]
    x = np.array([[a, b] for a in ends for b in ends], dtype)
    for array in (x, jnp.asarray(x)):
        assert not np.isnan(catalogue[name](array)).any()
        assert not np.isnan(catalogue[name].derivative(array)).any()
    broken = np.array([[np.nan, 1.0], [1.0, np.nan]], dtype)
    for array in (broken, jnp.asarray(broken)):
        assert np.isnan(catalogue[name](array)).all()
        assert np.isnan(catalogue[name].derivative(array)).any(axis=(1, 2)).all()


def test_infinite_units_reach_their_limits():
    assert catalogue["glu"]([np.inf, 0.0]) == np.inf
    assert catalogue["glu"]([np.inf, -np.inf]) == 0
    assert catalogue["swiglu"]([np.inf, -2.0]) == -np.inf
    assert catalogue["swiglu"]([-np.inf, np.inf]) == 0
    assert catalogue["bilinear"]([0.0, np.inf]) == 0
    assert catalogue["clamped_swiglu"]([-np.inf, 3.0]) == 0
    assert catalogue["clamped_swiglu"]([np.inf, np.inf]) == pytest.approx(56, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_odd_numbers_of_units_are_refused(name):
    message = rf"{name} needs a multiple of 2 units along axis 1; the input's shape is \(2, 5, 4\)"
    for x in (np.ones((2, 5, 4)), jnp.ones((2, 5, 4))):
        with pytest.raises(InvalidFunction, match=message):
            catalogue[name](x, axis=1)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("glu", {"gate_half": 3}, r"'gate_half' must be an integer in \[1, 2\]; it was given 3"),
        ("swiglu", {"gate_half": 1.0}, "must be an integer"),
        ("bilinear", {"gate_half": 1}, "bilinear has no parameter 'gate_half'"),
        ("clamped_swiglu", {"alpha": 0.0}, "alpha and limit must be above 0 and finite"),
        ("clamped_swiglu", {"limit": np.inf}, "alpha and limit must be above 0 and finite"),
        ("clamped_swiglu", {"limit": np.ones(4)}, "alpha and limit must be single numbers"),
        ("clamped_swiglu", {"interleaved": 2}, r"'interleaved' must be an integer in \[0, 1\]"),
        ("geglu", {"key": 1}, "draws nothing at random"),
    ],
)
def test_bad_parameters(name, given, message):
    with pytest.raises(InvalidFunction, match=message):
        catalogue[name](np.ones(4), **given)
