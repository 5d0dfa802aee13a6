"""The interface of an activation function: arguments, types, parameters, and what JAX makes of it."""

import dataclasses
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from actlab.errors import InvalidFunction
from actlab.functions import Parameter, catalogue

# Few roundings apart is what users' programs are to be.
pytestmark = pytest.mark.usefixtures("optimised")

ELEMENTWISE = [name for name, activation in catalogue.items() if activation.kind != "grouping"]
TYPES = ["float16", "bfloat16", "float32", "float64"]


@pytest.fixture(autouse=True)
def strict_types():
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", catalogue)
def test_kind_type_and_shape_are_kept(name, dtype):
    x = np.linspace(-2, 2, 24).reshape(2, 3, 4).astype(getattr(ml_dtypes, dtype, dtype))
    units = 4 // catalogue[name].inputs_per_unit()
    weights = {p.name: np.full(p.shape(4), 0.1, np.float32) for p in catalogue[name].parameters if p.shape}
    with jax.enable_x64(dtype == "float64"):
        for array, kind in ((x, np.ndarray), (jnp.asarray(x), jax.Array)):
            value, slope = catalogue[name](array, **weights), catalogue[name].derivative(array, **weights)
            assert isinstance(value, kind)
            assert isinstance(slope, kind)
            assert value.dtype == slope.dtype == array.dtype
            assert value.shape == (2, 3, units)
            assert slope.shape == (x.shape if name in ELEMENTWISE else (2, 3, units, 4))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_scalars_lists_empty_and_zero_dimensional(name):
    activation = catalogue[name]
    assert type(activation(1)) is np.float64
    assert activation(1) == activation([1.0])[0] == activation(np.array(1.0))
    assert activation(np.float32(0.5)).dtype == np.float32
    assert isinstance(activation(np.array(1.0)), np.ndarray)
    assert activation([]).shape == activation.derivative([]).shape == (0,)
    assert activation(np.ones((0, 3))).shape == (0, 3)


def test_the_input_is_neither_changed_nor_handed_back():
    x = np.array([-1.0, 2.0])
    for name in ELEMENTWISE:
        result = catalogue[name](x)
        assert not np.shares_memory(result, x), name
    assert x.tolist() == [-1, 2]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_odd_strides_and_large_arrays_give_the_same(name):
    x = np.random.default_rng(0).normal(size=(67, 9)).astype(np.float32) * 4
    whole = catalogue[name](x)
    np.testing.assert_allclose(catalogue[name](x[::2, 1::3]), whole[::2, 1::3], rtol=3e-7)
    # What is smaller than the smallest normal number is 0 for XLA.
    tiny = float(np.finfo(np.float32).tiny)
    np.testing.assert_allclose(jax.jit(catalogue[name])(x.T), whole.T, rtol=1e-6, atol=tiny)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_jax_uses_the_written_derivative(name):
    x = jnp.asarray(np.concatenate([np.linspace(-9, 9, 73), [-40.0, 40.0]]), jnp.float32)
    activation = catalogue[name]
    slope = activation.derivative(x)
    # pau's numerator and denominator cancel: compiled in another order, they differ by a few rounding errors more.
    tiny, rounding = float(np.finfo(np.float32).tiny), 2e-6 if name == "pau" else 1e-6
    np.testing.assert_allclose(jax.vmap(jax.grad(activation))(x), slope, rtol=rounding, atol=tiny)
    value, pushed = jax.jit(lambda x: jax.jvp(activation, (x,), (2 * jnp.ones_like(x),)))(x)
    np.testing.assert_allclose(value, activation(x), rtol=rounding, atol=tiny)
    np.testing.assert_allclose(pushed, 2 * slope, rtol=rounding, atol=2 * tiny)


def test_gradients_in_half_precision_come_through_float32():
    x = jnp.linspace(-3, 3, 13, dtype=jnp.bfloat16)
    slope = jax.vmap(jax.grad(catalogue["gelu"]))(x)
    assert slope.dtype == jnp.bfloat16
    np.testing.assert_allclose(slope, catalogue["gelu"].derivative(x), rtol=2**-7)


def test_no_test_for_nan_is_compiled():
    program = jax.jit(jax.grad(lambda x: catalogue["relu"](x).sum())).lower(jnp.ones((4, 8))).as_text()
    assert "is_finite" not in program
    assert program.count("compare") <= 2


@pytest.mark.parametrize("slope", [0.1, np.full(3, 0.1), np.full((4, 1), 0.1)], ids=["shared", "unit", "column"])
def test_trainable_parameter_gets_its_gradient(slope):
    prelu = catalogue["prelu"]
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    slope = np.asarray(slope, np.float32)

    def loss(x, slope):
        return (prelu(x, negative_slope=slope) ** 2).sum()

    by_input, by_slope = jax.jit(jax.grad(loss, argnums=(0, 1)))(jnp.asarray(x), jnp.asarray(slope))
    value = np.where(x > 0, x, slope * x)
    np.testing.assert_allclose(by_input, 2 * value * np.where(x > 0, 1, slope), rtol=1e-6)
    full = 2 * value * np.minimum(x, 0)
    expected = full.sum() if slope.ndim == 0 else full.sum(axis=0 if slope.ndim == 1 else 1).reshape(slope.shape)
    assert by_slope.shape == slope.shape
    np.testing.assert_allclose(by_slope, expected, rtol=1e-5)
    np.testing.assert_allclose(prelu(x, negative_slope=slope), value, rtol=1e-6)


def test_mixed_second_derivative_of_a_parameter():
    mixed = jax.grad(lambda a: jax.grad(lambda x: catalogue["prelu"](x, negative_slope=a))(-2.0))(0.3)
    assert float(mixed) == 1
    mixed = jax.grad(lambda x: jax.grad(lambda a: catalogue["elu"](x, alpha=a))(0.5))(-2.0)
    assert float(mixed) == pytest.approx(np.exp(-2), rel=1e-6)


def test_population_of_slopes_in_the_last_axes():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(5, 3, 2, 4)), jnp.float32)
    slope = jnp.asarray(np.random.default_rng(3).uniform(size=(3, 2, 4)), jnp.float32)
    got = jax.jit(lambda x, a: catalogue["prelu"](x, axis=1, negative_slope=a))(x, slope)
    np.testing.assert_allclose(got, np.where(x > 0, x, slope[None] * x), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("elu", "alpha", 0.7),
        ("leaky_relu", "negative_slope", 0.3),
        ("hard_sigmoid", "offset", 0.4),
        ("hard_tanh", "maximum", 0.5),
    ],
)
def test_other_parameters_can_be_traced_too(name, parameter, value):
    x = jnp.linspace(-2, 2, 9)
    activation = catalogue[name]

    def total(p):
        return activation(x, **{parameter: p}).sum()

    numeric = (total(value + 1e-2) - total(value - 1e-2)) / 2e-2
    assert float(jax.jit(jax.grad(total))(value)) == pytest.approx(float(numeric), rel=1e-3)


def test_parameters_in_numpy():
    assert catalogue["leaky_relu"](-1.0, negative_slope=0.2) == -0.2
    assert catalogue["leaky_relu"](-np.inf, negative_slope=0) == 0
    assert catalogue["elu"](-50.0, alpha=2) == -2
    assert catalogue["hard_sigmoid"](1.0, slope=0.2) == pytest.approx(0.7, rel=1e-15)
    np.testing.assert_array_equal(catalogue["hard_tanh"]([-9.0, 9.0], minimum=-2, maximum=3), [-2, 3])
    assert catalogue["hard_tanh"].derivative(2.5, maximum=3) == 1


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gelu", {"alpha": 1}, "gelu has no parameter 'alpha'; it has: none"),
        ("elu", {"aplha": 1}, r"elu has no parameter 'aplha'; did you mean 'alpha'\?"),
        ("elu", {"alpha": -1}, r"elu: parameter 'alpha' must be a number in \[0, inf\]; it was given -1"),
        ("elu", {"alpha": np.nan}, "must be a number"),
        ("elu", {"alpha": "1"}, "must be a number"),
        ("elu", {"alpha": True}, "must be a number"),
        ("elu", {"alpha": None}, "must be a number"),
        ("elu", {"alpha": [[1.0], [1.0, 2.0]]}, "must be a number"),
        ("hard_sigmoid", {"slope": 0}, "slope must be above 0"),
        ("hard_tanh", {"minimum": 2}, "minimum must be below maximum"),
        ("maxout", {"pieces": 2.0}, r"parameter 'pieces' must be an integer in \[1, inf\]"),
        ("maxout", {"pieces": 0}, "must be an integer"),
        (
            "prelu",
            {"negative_slope": np.ones(5)},
            r"shape \(5,\) does not broadcast against the input's shape \(2, 4\)",
        ),
        ("prelu", {"negative_slope": np.ones((3, 2, 4))}, "does not broadcast"),
    ],
)
def test_wrong_parameters(name, parameters, message):
    for x in (np.ones((2, 4)), jnp.ones((2, 4))):
        with pytest.raises(InvalidFunction, match=message):
            catalogue[name](x, **parameters)


def test_a_count_cannot_be_an_array_of_jax():
    with pytest.raises(InvalidFunction, match="must be an integer"):
        catalogue["maxout"](jnp.ones(4), pieces=jnp.array([2, 2]))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax_along_an_axis(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)) * 10
    expected = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(catalogue["softmax"](x, axis=axis), expected, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(lambda x: catalogue["softmax"](x, axis=axis))(x), expected, rtol=1e-5)


def test_softmax_jacobian_and_hessian():
    softmax = catalogue["softmax"]
    x = jnp.array([0.3, -1.0, 0.3, 2.0])
    np.testing.assert_allclose(softmax.derivative(x), jax.jacobian(jax.nn.softmax)(x), atol=1e-6)
    np.testing.assert_allclose(jax.jacobian(softmax)(x), softmax.derivative(np.asarray(x)), atol=1e-6)
    np.testing.assert_allclose(jax.hessian(softmax)(x), jax.hessian(jax.nn.softmax)(x), atol=1e-6)
    stacked = np.stack([np.asarray(x), np.asarray(x) * 2], axis=1)
    jacobian = softmax.derivative(stacked, axis=0)
    assert jacobian.shape == (2, 4, 4)
    np.testing.assert_allclose(jacobian[1], softmax.derivative(stacked[:, 1]), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_extremes(dtype):
    rows = [
        [np.inf, 1, -np.inf],
        [np.inf, np.inf, 0],
        [-np.inf, -np.inf, -np.inf],
        [1e30, -1e30, 0],
        [1, np.nan, 2],
    ]
    expected = [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3, [1, 0, 0], [np.nan] * 3]
    x = np.array(rows, dtype)
    np.testing.assert_allclose(catalogue["softmax"](x), np.array(expected), rtol=1e-6)
    np.testing.assert_allclose(catalogue["softmax"](jnp.asarray(x, jnp.float32)), np.array(expected), rtol=1e-6)


def test_softmax_keeps_small_shares():
    x = np.array([0.0, -80.0, -20.0], np.float32)
    exact = np.exp(x.astype(float)) / np.exp(x.astype(float)).sum()
    np.testing.assert_allclose(catalogue["softmax"](x), exact, rtol=1e-5)


@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_maxout_takes_consecutive_units(pieces, axis):
    maxout = catalogue["maxout"]
    x = np.random.default_rng(0).normal(size=(6, 12, 6))
    moved = np.moveaxis(x, axis, -1)
    expected = np.moveaxis(moved.reshape(*moved.shape[:-1], -1, pieces).max(-1), -1, axis)
    np.testing.assert_array_equal(maxout(x, axis=axis, pieces=pieces), expected)
    got = jax.jit(lambda x: maxout(x, axis=axis, pieces=pieces))(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert maxout.inputs_per_unit(pieces=pieces) == pieces


def test_maxout_gradient_goes_to_the_first_of_the_largest():
    maxout = catalogue["maxout"]
    gradient = jax.grad(lambda x: (maxout(x, pieces=3) * jnp.array([1.0, 10.0])).sum())
    assert gradient(jnp.array([1.0, 5.0, 5.0, -2.0, -3.0, -4.0])).tolist() == [0, 1, 0, 10, 0, 0]
    jacobian = maxout.derivative([1.0, 5.0, 5.0, 0.0], pieces=2)
    assert jacobian.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert np.isnan(maxout([np.nan, 1.0, 2.0, np.nan])).all()


@pytest.mark.parametrize(
    ("x", "axis", "message"),
    [
        (np.ones(5), -1, "needs a multiple of 2 units along axis -1"),
        (np.ones((4, 0)), -1, "needs a multiple of 2"),
        (np.ones(4), 1, r"shape \(4,\) has no axis 1"),
        (1.0, -1, "has no axis -1"),
        (np.ones(4), 0.5, "axis must be an integer"),
    ],
)
def test_wrong_groups(x, axis, message):
    with pytest.raises(InvalidFunction, match=message):
        catalogue["maxout"](x, axis=axis)


def test_objects_are_frozen():
    relu = catalogue["relu"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        relu.name = "other"
    with pytest.raises(TypeError):
        catalogue["elu"].parameter_derivatives["alpha"] = None
    assert repr(relu) == "<activation relu: max(x, 0)>"
    assert Parameter("a", 1.0) == Parameter("a", 1.0)


@pytest.mark.parametrize("name", catalogue)
def test_every_function_says_where_it_comes_from(name):
    activation = catalogue[name]
    assert activation.formula.plain
    assert activation.formula.latex
    assert 1900 < activation.year < 2100
    assert len(activation.source) > 10
    assert activation.title
    assert find_spec(f"actlab.functions.families.{activation.family}")
