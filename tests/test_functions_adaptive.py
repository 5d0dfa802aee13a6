"""Functions with coefficients from the input or from weights of their own, against plain formulas and PyTorch."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

from actlab.errors import InvalidFunction
from actlab.functions import catalogue
from actlab.functions.families.adaptive import FUNCTIONS

# How far compiled code is off, is to be that of the code that users run.
pytestmark = pytest.mark.usefixtures("optimised")

UNITS = 6
TYPES = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 3e-6, "float64": 1e-13}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def sample(*shape, seed=0, scale=1.5):
    return np.random.default_rng(seed).normal(size=shape) * scale


def weights(name, units, dtype=np.float64):
    shapes = {p.name: p.shape(units) for p in catalogue[name].parameters if p.shape}
    return {key: sample(*shape, seed=3, scale=0.5).astype(dtype) for key, shape in shapes.items()}


# Plain formulas: samples first, units last, whatever lies between.
def abs_relu(x):
    return jax.nn.relu(x - x.mean(-1, keepdims=True))


def brelu(x):
    odd = np.arange(x.shape[-1]) % 2 == 1
    return jnp.where(odd, -jax.nn.relu(-x), jax.nn.relu(x))


def poly_norm(x, weight_1=1 / 3, weight_2=1 / 3, weight_3=1 / 3, bias=0.0, epsilon=1e-6):
    def norm(u):
        return u / jnp.sqrt((u**2).mean(-1, keepdims=True) + epsilon)

    return weight_1 * norm(x) + weight_2 * norm(x**2) + weight_3 * norm(x**3) + bias


def arelu(x, alpha=0.9, beta=2.0):
    return jnp.where(x > 0, (1 + jax.nn.sigmoid(beta)) * x, jnp.clip(alpha, 0.01, 0.99) * x)


def pool(x):
    return x.mean(tuple(range(1, x.ndim - 1)), keepdims=True) if x.ndim > 2 else x


def meta_acon(x, squeeze, excite, p1=1.0, p2=0.0):
    beta = jax.nn.sigmoid(pool(x) @ squeeze @ excite)
    return (p1 - p2) * x * jax.nn.sigmoid(beta * (p1 - p2) * x) + p2 * x


def dynamic_relu(x, squeeze, squeeze_bias, excite, excite_bias):
    hidden = jax.nn.relu(pool(x) @ squeeze + squeeze_bias)
    t = 2 * jax.nn.sigmoid(jnp.einsum("...h,hku->k...u", hidden, excite) + _between(excite_bias, x)) - 1
    return jnp.maximum((1 + t[0]) * x + t[2] / 2, t[1] * x + t[3] / 2)


def _between(bias, x):
    return bias.reshape(4, *(1,) * (x.ndim - 1), -1)


def funnel_relu(x, window):
    kernel = window[:, :, None, :]
    condition = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=x.shape[-1]
    )
    return jnp.maximum(x, condition)


PLAIN = {f.__name__: f for f in (abs_relu, brelu, poly_norm, arelu, meta_acon, dynamic_relu, funnel_relu)}
NAMES = list(PLAIN)
FLAT = [name for name in NAMES if name != "funnel_relu"]
GROUPING = [name for name in FLAT if name != "arelu"]


def shape_of(name):
    return (2, 4, 5, UNITS) if name == "funnel_relu" else (3, UNITS)


def test_every_function_is_tested():
    assert set(NAMES) == {activation.name for activation in FUNCTIONS}


@pytest.mark.parametrize("shape", [(3, UNITS), (3, 5, UNITS), (2, 4, 5, UNITS)])
@pytest.mark.parametrize("name", NAMES)
def test_values(name, shape):
    if name == "funnel_relu" and len(shape) < 4:
        shape = (1, 7, 2, 5)
    x, given = sample(*shape), weights(name, shape[-1])
    expected = np.asarray(jax.jit(PLAIN[name])(x, **given))
    np.testing.assert_allclose(catalogue[name](x, **given), expected, rtol=1e-12, atol=1e-14)
    compiled = jax.jit(catalogue[name])(jnp.asarray(x), **given)
    np.testing.assert_allclose(compiled, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["abs_relu", "brelu", "poly_norm"])
def test_values_along_every_axis(name, axis):
    x = sample(3, 4, 5)
    expected = np.moveaxis(PLAIN[name](np.moveaxis(x, axis, -1)), -1, axis)
    np.testing.assert_allclose(catalogue[name](x, axis=axis), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(catalogue[name](jnp.asarray(x), axis=axis), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["meta_acon", "dynamic_relu", "funnel_relu"])
def test_axes_after_the_units_are_let_be(name):
    x, given = sample(2, 4, 5, UNITS, 3), weights(name, UNITS)
    expected = np.stack([PLAIN[name](x[..., k], **given) for k in range(3)], axis=-1)
    np.testing.assert_allclose(catalogue[name](x, axis=-2, **given), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["meta_acon", "dynamic_relu"])
def test_hidden_units(name):
    x, given = sample(3, 64), weights(name, 64)
    assert given["squeeze"].shape == (64, 4 if name == "meta_acon" else 8)
    np.testing.assert_allclose(catalogue[name](x, **given), PLAIN[name](x, **given), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_in_every_type(name, dtype):
    kind = getattr(ml_dtypes, dtype, dtype)
    x, given = sample(*shape_of(name)).astype(kind), weights(name, UNITS, np.float32)
    wide = {key: value.astype(np.float64) for key, value in given.items()}
    expected = np.asarray(PLAIN[name](x.astype(np.float64), **wide))
    for array in (x, jnp.asarray(x)):
        result = catalogue[name](array, **given)
        assert result.dtype == kind
        found = np.asarray(result, np.float64)
        np.testing.assert_allclose(found, expected, rtol=TYPES[dtype], atol=TYPES[dtype] / 4)


@pytest.mark.parametrize("name", GROUPING)
def test_jacobians(name):
    x, given = sample(3, UNITS), weights(name, UNITS)
    activation, plain = catalogue[name], PLAIN[name]

    def jacobian(f):
        return jax.jit(jax.vmap(jax.jacfwd(lambda row: f(row[None], **given)[0])))(jnp.asarray(x))

    expected = jacobian(plain)
    np.testing.assert_allclose(jacobian(activation), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(activation.derivative(x, **given), expected, rtol=1e-10, atol=1e-12)
    compiled = jax.jit(lambda x: activation.derivative(x, **given))(jnp.asarray(x))
    np.testing.assert_allclose(compiled, expected, rtol=1e-10, atol=1e-12)
    # A population behind the units, as the engine has it.
    behind = activation.derivative(np.stack([x, -x], axis=-1), axis=1, **given)
    np.testing.assert_allclose(behind[:, 0], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_width_is_known_without_weights(name):
    assert catalogue[name].inputs_per_unit() == 1


@pytest.mark.parametrize("name", ["poly_norm"])
def test_jacobian_with_a_parameter_for_each_sample(name):
    x, by_sample = sample(4, UNITS), sample(4, 1, seed=5)
    found = catalogue[name].derivative(x, weight_2=by_sample)
    for k in range(4):
        expected = catalogue[name].derivative(x[k], weight_2=float(by_sample[k, 0]))
        np.testing.assert_allclose(found[k], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_directional_and_second_derivatives(name):
    x, tangent, step = sample(*shape_of(name)), sample(*shape_of(name), seed=1), 1e-6
    f, given = catalogue[name], weights(name, UNITS)

    def pushed(f):
        return jax.jit(lambda x: jax.jvp(lambda x: f(x, **given), (x,), (jnp.asarray(tangent),))[1])

    numeric = (f(x + step * tangent, **given) - f(x - step * tangent, **given)) / (2 * step)
    np.testing.assert_allclose(pushed(f)(x), numeric, atol=1e-7)
    np.testing.assert_allclose(pushed(f)(x), pushed(PLAIN[name])(x), rtol=1e-10, atol=1e-12)
    twice = [
        jax.jit(jax.jacrev(lambda x, g=g: jnp.sum(g(x) ** 2)))(jnp.asarray(x)) for g in (pushed(f), pushed(PLAIN[name]))
    ]
    np.testing.assert_allclose(twice[0], twice[1], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["poly_norm", "arelu", "meta_acon", "dynamic_relu", "funnel_relu"])
def test_gradients_of_the_parameters(name):
    x, given = jnp.asarray(sample(*shape_of(name))), weights(name, UNITS)
    trainable = {p.name: p.default for p in catalogue[name].parameters if p.trainable}
    given = {key: jnp.asarray(given.get(key, default)) for key, default in trainable.items()}

    def gradients(f):
        return jax.jit(jax.grad(lambda given: jnp.sum(f(x, **given) ** 2)))(given)

    found, expected = gradients(catalogue[name]), gradients(PLAIN[name])
    for key in given:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-10, atol=1e-12, err_msg=key)


def test_parameters_for_each_unit():
    x, by_unit = sample(3, UNITS), sample(UNITS, seed=2)
    for name, key in (("poly_norm", "weight_3"), ("arelu", "alpha"), ("arelu", "beta")):
        np.testing.assert_allclose(
            catalogue[name](x, **{key: by_unit}), PLAIN[name](x, **{key: by_unit}), rtol=1e-12, atol=1e-15
        )
    given = weights("meta_acon", UNITS)
    np.testing.assert_allclose(
        catalogue["meta_acon"](x, p2=by_unit, **given), meta_acon(x, p2=by_unit, **given), rtol=1e-12, atol=1e-15
    )


def test_poly_norm_of_huge_and_tiny_units():
    for scale in (1e30, 1e-3, 1e-30):
        x = (sample(3, UNITS) * scale).astype(np.float32)
        exact = np.asarray(poly_norm(x.astype(np.float64)))
        for array in (x, jnp.asarray(x)):
            np.testing.assert_allclose(catalogue["poly_norm"](array), exact, rtol=1e-5, atol=1e-6 * abs(exact).max())
    assert np.isfinite(catalogue["poly_norm"].derivative(np.zeros(3))).all()
    huge = jnp.array([1e30, -2e30, 3e25], jnp.float32)
    assert np.isfinite(jax.jit(jax.hessian(catalogue["poly_norm"]))(huge)).all()


def test_funnel_relu_is_pytorchs_depthwise_convolution():
    x, window = sample(2, 5, 4, 3), sample(3, 3, 3, seed=1)
    channels_first = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    kernel = torch.from_numpy(np.moveaxis(window, -1, 0)[:, None].copy())
    condition = torch.nn.functional.conv2d(channels_first, kernel, padding=1, groups=3).numpy()
    expected = np.maximum(x, np.moveaxis(condition, 1, -1))
    np.testing.assert_allclose(catalogue["funnel_relu"](x, window=window), expected, rtol=1e-12, atol=1e-14)


def test_special_weights():
    x = sample(3, UNITS)
    zeros = {key: np.zeros_like(value) for key, value in weights("dynamic_relu", UNITS).items()}
    np.testing.assert_allclose(catalogue["dynamic_relu"](x, **zeros), np.maximum(x, 0), rtol=1e-15)
    zeros = {key: np.zeros_like(value) for key, value in weights("meta_acon", UNITS).items()}
    np.testing.assert_allclose(catalogue["meta_acon"](x, **zeros), x / (1 + np.exp(-x / 2)), rtol=1e-13)
    image = sample(1, 4, 4, 2)
    relu = catalogue["funnel_relu"](image, window=np.zeros((3, 3, 2)))
    np.testing.assert_array_equal(relu, np.maximum(image, 0))


def test_at_kinks():
    assert np.diagonal(catalogue["brelu"].derivative([0.0, 0.0])).tolist() == [0, 1]
    assert catalogue["abs_relu"].derivative([1.0, 1.0]).tolist() == [[0, 0], [0, 0]]
    assert catalogue["arelu"].derivative(0.0) == 0.9
    identity = np.zeros((3, 3, 1))
    identity[1, 1] = 1
    slope = catalogue["funnel_relu"].derivative(sample(1, 2, 2, 1), window=identity)
    assert (slope == 1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_from_nan_alone(name, dtype):
    ends = np.array([-np.inf, -1e30, -2.0, 0.0, 1e30, np.inf])
    x = np.stack([np.roll(ends, k) for k in range(4)] + [np.full(6, np.inf), np.full(6, -np.inf)]).astype(dtype)
    given = weights(name, UNITS, dtype)
    if name == "funnel_relu":
        x, given = np.broadcast_to(x[:, None, None], (6, 2, 2, UNITS)).copy(), {"window": given["window"] / 10}
    for array in (x, jnp.asarray(x)):
        assert not np.isnan(catalogue[name](array, **given)).any()
        assert not np.isnan(catalogue[name].derivative(array, **given)).any()
    x = sample(*x.shape).astype(dtype)
    x[0, ..., 0] = np.nan
    for array in (x, jnp.asarray(x)):
        for result in (catalogue[name](array, **given), catalogue[name].derivative(array, **given)):
            assert np.isnan(np.asarray(result)[0]).any()
            assert np.isfinite(np.asarray(result)[1:]).all()


@pytest.mark.parametrize(
    ("name", "x", "given", "message"),
    [
        ("funnel_relu", np.ones((2, 6)), {"window": np.ones((3, 3, 6))}, r"takes images, channels last.* \(2, 6\)"),
        ("funnel_relu", np.ones((2, 4, 4, 6)), {}, "'window' is an array of weights and must be given"),
        (
            "funnel_relu",
            np.ones((2, 4, 4, 6)),
            {"window": np.ones((6, 3, 3))},
            r"'window' for 6 units have shape \(3, 3, 6\); they were given with shape \(6, 3, 3\)",
        ),
        ("meta_acon", np.ones((2, 6)), {}, "'squeeze' is an array of weights and must be given"),
        (
            "meta_acon",
            np.ones((2, 6)),
            {"squeeze": np.ones((6, 2)), "excite": np.ones((1, 6))},
            r"'squeeze' for 6 units have shape \(6, 1\)",
        ),
        ("dynamic_relu", np.ones((2, 6)), {"squeeze": 1.0}, "must be given"),
        ("poly_norm", np.ones((2, 6)), {"epsilon": 0}, "'epsilon' must be a number in"),
        ("poly_norm", np.ones((2, 6)), {"weight_1": np.ones(5)}, "does not broadcast"),
        ("brelu", np.ones((2, 6)), {"axis": 2}, "has no axis 2"),
        ("abs_relu", np.ones((2, 0)), {}, "abs_relu needs units along axis -1"),
        ("abs_relu", np.ones((2, 6)), {"key": np.random.default_rng(0)}, "draws nothing at random"),
    ],
)
def test_bad_input(name, x, given, message):
    with pytest.raises(InvalidFunction, match=message):
        catalogue[name](x, **given)
