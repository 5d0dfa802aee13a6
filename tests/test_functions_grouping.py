"""Functions of groups of units against PyTorch and plain formulas: values, Jacobians, second derivatives, edges."""

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import pytest
import torch

from actlab.errors import InvalidFunction
from actlab.functions import catalogue
from actlab.functions.families.grouping import FUNCTIONS

# How far compiled code is off, is to be that of the code that users run.
pytestmark = pytest.mark.usefixtures("optimised")

NAMES = [activation.name for activation in FUNCTIONS]
TYPES = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 1e-6, "float64": 1e-14}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def sparsemax(x):
    """By trying every size of the support."""
    ordered = jnp.sort(x)[::-1]
    size = jnp.arange(1, x.shape[0] + 1)
    mean = (jnp.cumsum(ordered) - 1) / size.astype(x.dtype)
    return jnp.maximum(x - mean[jnp.sum(ordered > mean) - 1], 0)


def pairs(x):
    x = x.reshape(-1, 2)
    return jnp.stack([x.max(1), x.min(1)], axis=1).reshape(-1)


def winners(x):
    count = max(int(x.shape[0] * 0.2), 1)
    return jnp.where(x >= jnp.sort(x)[-count], x, 0)


# Of one group, along the only axis, at the default parameters.
PLAIN = {
    "softmax": lambda x: jnp.exp(x) / jnp.exp(x).sum(),
    "log_softmax": lambda x: x - jnp.log(jnp.exp(x).sum()),
    "softmin": lambda x: jnp.exp(-x) / jnp.exp(-x).sum(),
    "hardmax": lambda x: jax.nn.one_hot(x.argmax(), x.shape[0], dtype=x.dtype),
    "sparsemax": sparsemax,
    "gumbel_softmax": lambda x: jnp.exp(x) / jnp.exp(x).sum(),
    "maxout": lambda x: x.reshape(-1, 2).max(1),
    "crelu": lambda x: jnp.concatenate([jnp.where(x > 0, x, 0), jnp.where(x < 0, -x, 0)]),
    "maxmin": pairs,
    "kwta": winners,
}
TORCH = {
    "softmax": torch.nn.functional.softmax,
    "log_softmax": torch.nn.functional.log_softmax,
    "softmin": torch.nn.functional.softmin,
}


def sample(*shape, seed=0, scale=1.5):
    return np.random.default_rng(seed).normal(size=shape) * scale


def by_group(name, x, axis):
    moved = np.moveaxis(x, axis, -1)
    rows = jax.jit(jax.vmap(PLAIN[name]))(moved.reshape(-1, moved.shape[-1]))
    return np.moveaxis(np.reshape(rows, (*moved.shape[:-1], -1)), -1, axis)


def each(f, x):
    """Compile `f` and apply it to each row."""
    return jax.jit(jax.vmap(f))(jnp.asarray(x))


def test_every_function_is_tested():
    assert set(PLAIN) == set(NAMES)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", NAMES)
def test_values_along_every_axis(name, axis):
    x = sample(4, 6, 10)
    expected = by_group(name, x, axis)
    np.testing.assert_allclose(catalogue[name](x, axis=axis), expected, rtol=1e-12, atol=1e-15)
    compiled = jax.jit(lambda x: catalogue[name](x, axis=axis))(jnp.asarray(x))
    np.testing.assert_allclose(compiled, expected, rtol=1e-12, atol=1e-15)
    assert expected.shape[axis] == x.shape[axis] // catalogue[name].inputs_per_unit()


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", TORCH)
def test_values_are_those_of_pytorch(name, axis):
    x = sample(3, 4, 5, scale=10)
    expected = TORCH[name](torch.from_numpy(x), dim=axis).numpy()
    # PyTorch's log-softmax has lost the digits of values near 0.
    np.testing.assert_allclose(catalogue[name](x, axis=axis), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_in_every_type(name, dtype):
    x = sample(5, 6).astype(getattr(ml_dtypes, dtype, dtype))
    expected = by_group(name, x.astype(np.float64), -1)
    for array in (x, jnp.asarray(x)):
        result = catalogue[name](array)
        assert result.dtype == x.dtype
        np.testing.assert_allclose(np.asarray(result, np.float64), expected, rtol=TYPES[dtype], atol=TYPES[dtype] / 8)


@pytest.mark.parametrize("name", NAMES)
def test_jacobians(name):
    x = sample(3, 6)
    activation, plain = catalogue[name], PLAIN[name]
    expected = each(jax.jacfwd(plain), x)
    np.testing.assert_allclose(activation.derivative(x), expected, atol=1e-13)
    np.testing.assert_allclose(jax.jit(activation.derivative)(jnp.asarray(x)), expected, atol=1e-13)
    np.testing.assert_allclose(activation.derivative(x.T, axis=0), expected, atol=1e-13)
    for automatic in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(each(automatic(activation), x), expected, atol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "hardmax"])
def test_directional_derivatives_against_differences(name, axis):
    x, tangent, step = sample(4, 6, 10), sample(4, 6, 10, seed=1), 1e-6
    f = catalogue[name]
    pushed = jax.jit(lambda x, t: jax.jvp(lambda x: f(x, axis=axis), (x,), (t,))[1])(x, tangent)
    numeric = (f(x + step * tangent, axis=axis) - f(x - step * tangent, axis=axis)) / (2 * step)
    np.testing.assert_allclose(pushed, numeric, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives(name):
    x = sample(3, 6)
    found, expected = each(jax.hessian(catalogue[name]), x), each(jax.hessian(PLAIN[name]), x)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "gumbel_softmax"])
def test_derivatives_where_units_are_equal(name):
    x = [[0.5, 0.5, -1.0, 0.5]]
    for differentiate in (jax.jacfwd, jax.hessian):
        found, expected = each(differentiate(catalogue[name]), x), each(differentiate(PLAIN[name]), x)
        np.testing.assert_allclose(found, expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_rests_are_not_lost(dtype):
    with mpmath.workdps(60):
        x = [mpmath.mpf(v) for v in (40, 0, -3)]
        shares = [mpmath.exp(v) / sum(map(mpmath.exp, x)) for v in x]
        logarithm = float(mpmath.log(shares[0]))
        slopes = [float(s * (1 - s)) for s in shares]
        rest = float(shares[1] + shares[2])
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for array in (np.array([40, 0, -3], dtype), jnp.array([40, 0, -3], dtype)):
        assert float(catalogue["log_softmax"](array)[0]) == pytest.approx(logarithm, rel=tolerance, abs=0)
        diagonal = np.diagonal(np.asarray(catalogue["softmax"].derivative(array)))
        np.testing.assert_allclose(diagonal, slopes, rtol=tolerance)
        assert float(catalogue["log_softmax"].derivative(array)[0, 0]) == pytest.approx(rest, rel=tolerance, abs=0)


EXTREMES = [
    ("log_softmax", [np.inf, 1, -np.inf], [0, -np.inf, -np.inf]),
    ("log_softmax", [np.inf, np.inf, 0], [-np.log(2), -np.log(2), -np.inf]),
    ("log_softmax", [-np.inf, -np.inf], [-np.log(2), -np.log(2)]),
    ("log_softmax", [1e30, -1e30], [0, -2e30]),
    ("softmin", [np.inf, 1, -np.inf], [0, 0, 1]),
    ("softmin", [1e30, -1e30, 0], [0, 1, 0]),
    ("hardmax", [np.inf, 1, np.inf], [1, 0, 0]),
    ("hardmax", [-np.inf, -np.inf], [1, 0]),
    ("sparsemax", [np.inf, 1, np.inf], [0.5, 0, 0.5]),
    ("sparsemax", [-np.inf, -np.inf], [0.5, 0.5]),
    ("sparsemax", [1e30, -1e30, 0], [1, 0, 0]),
    ("sparsemax", [-1e30, -1e30, -3e30], [0.5, 0.5, 0]),
    ("gumbel_softmax", [np.inf, 1, -np.inf], [1, 0, 0]),
    ("maxout", [np.inf, -np.inf], [np.inf]),
    ("crelu", [np.inf, -np.inf], [np.inf, 0, 0, np.inf]),
    ("maxmin", [-np.inf, np.inf], [np.inf, -np.inf]),
    ("kwta", [np.inf, -np.inf, 1e30], [np.inf, 0, 0]),
    ("kwta", [-np.inf, -np.inf], [-np.inf, -np.inf]),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "x", "expected"), EXTREMES)
def test_infinities_and_huge_numbers(name, x, expected, dtype):
    x = np.array(x, dtype)
    for array in (x, jnp.asarray(x)):
        np.testing.assert_allclose(catalogue[name](array), expected, rtol=1e-6)
        assert not np.isnan(catalogue[name].derivative(array)).any()


@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_from_nan_alone_and_goes_no_further_than_its_group(name):
    x = sample(2, 4)
    x[0, 1] = np.nan
    for array in (x, jnp.asarray(x)):
        value, slope = np.asarray(catalogue[name](array)), np.asarray(catalogue[name].derivative(array))
        assert np.isnan(value[0]).any()
        assert np.isnan(slope[0]).any()
        assert np.isfinite(value[1]).all()
        assert np.isfinite(slope[1]).all()


def test_ties():
    assert catalogue["hardmax"]([1.0, 3.0, 3.0]).tolist() == [0, 1, 0]
    assert catalogue["kwta"]([1.0, 3.0, 3.0, 0.0], share=0.25).tolist() == [0, 3, 3, 0]
    assert catalogue["sparsemax"]([3.0, 3.0]).tolist() == [0.5, 0.5]
    assert catalogue["maxmin"].derivative([2.0, 2.0]).tolist() == [[1, 0], [0, 1]]
    # At 0 the derivative is that of the piece on the left.
    assert catalogue["crelu"].derivative([0.0]).tolist() == [[0], [-1]]


@pytest.mark.parametrize(("share", "kept"), [(0, 1), (0.2, 2), (0.29, 2), (0.3, 3), (0.7, 7), (1, 10)])
def test_share_of_winners(share, kept):
    x = sample(10)
    expected = np.where(np.argsort(np.argsort(x)) >= 10 - kept, x, 0)
    np.testing.assert_array_equal(catalogue["kwta"](x, share=share), expected)
    np.testing.assert_array_equal(catalogue["kwta"](jnp.asarray(x), share=share), expected)
    assert (catalogue["kwta"](sample(100), share=0.29) != 0).sum() == 29


@pytest.mark.parametrize("temperature", [0.1, 2.0, 1e-30, 1e30])
def test_gumbel_softmax_with_temperature_and_noise(temperature):
    f, x = catalogue["gumbel_softmax"], sample(3, 5)
    noise = np.random.default_rng(7).gumbel(size=x.shape)
    found = f(x, key=np.random.default_rng(7), temperature=temperature)
    z = (x + noise) / temperature
    z = np.exp(z - z.max(-1, keepdims=True))
    np.testing.assert_allclose(found, z / z.sum(-1, keepdims=True), rtol=1e-10)
    without = torch.softmax(torch.from_numpy(x) / temperature, -1).numpy()
    np.testing.assert_allclose(f(x, temperature=temperature), without, rtol=1e-10)


def test_gumbel_softmax_draws_from_softmax():
    x = np.log(np.array([0.2, 0.3, 0.5]))
    drawn = catalogue["gumbel_softmax"](np.tile(x, (4000, 1)), key=np.random.default_rng(0), temperature=0.01)
    np.testing.assert_allclose(drawn.round().mean(0), [0.2, 0.3, 0.5], atol=0.03)


def test_gumbel_softmax_in_jax():
    f, x, key = catalogue["gumbel_softmax"], jnp.asarray(sample(2, 4)), jax.random.key(3)
    noise = jax.random.gumbel(key, x.shape, x.dtype)
    np.testing.assert_allclose(f(x, key=key), jax.nn.softmax(x + noise), rtol=1e-12)
    expected = jax.vmap(jax.jacfwd(jax.nn.softmax))(x + noise)
    np.testing.assert_allclose(f.derivative(x, key=key), expected, atol=1e-14)
    steep = x.at[0, 0].set(-jnp.inf)
    for row in (x, steep):
        by_temperature = jax.grad(lambda t, row=row: f(row, temperature=t)[0, 1])(2.0)
        step = (f(row, temperature=2 + 1e-6) - f(row, temperature=2 - 1e-6))[0, 1] / 2e-6
        assert float(by_temperature) == pytest.approx(float(step), abs=1e-8)


@pytest.mark.parametrize(
    ("name", "x", "given", "message"),
    [
        ("maxmin", np.ones(5), {}, "maxmin sorts pairs and needs an even number of units; it was given 5"),
        (
            "maxout",
            np.ones((2, 5)),
            {},
            r"maxout needs a multiple of 2 units along axis -1; the input's shape is \(2, 5",
        ),
        ("maxout", np.ones(6), {"pieces": 4}, "maxout needs a multiple of 4 units"),
        ("kwta", np.ones(5), {"share": 1.5}, r"'share' must be a number in \[0, 1\]"),
        ("gumbel_softmax", np.ones(5), {"temperature": 0}, "'temperature' must be a number in"),
        ("gumbel_softmax", np.ones(5), {"key": 3}, "for NumPy arrays the key is a numpy.random.Generator"),
        ("gumbel_softmax", jnp.ones(5), {"key": np.random.default_rng(0)}, "for JAX arrays the key is a random key"),
        ("softmax", np.ones(5), {"key": np.random.default_rng(0)}, "draws nothing at random"),
        ("sparsemax", np.ones((5, 0)), {}, "sparsemax needs units along axis -1"),
        ("crelu", np.ones(3), {"axis": 1}, "has no axis 1"),
    ],
)
def test_bad_input(name, x, given, message):
    with pytest.raises(InvalidFunction, match=message):
        catalogue[name](x, **given)
