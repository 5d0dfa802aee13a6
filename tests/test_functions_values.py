"""Values and derivatives against mpmath, over the whole range of every type, in NumPy and in compiled JAX."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.special import ndtr

from actlab.functions import catalogue

SAMPLES = 4096
NAMES = [name for name, activation in catalogue.items() if activation.kind == "elementwise"]
MONOTONE = [name for name in NAMES if name not in ("gelu", "silu", "mish")]
FLOATS = [np.float32, np.float64]
LIBRARIES = ["numpy", "jax"]
# Roots of the derivatives, where a difference of near-equal terms keeps fewer digits.
ROOTS = {"gelu": -0.7517915246935645, "silu": -1.2784645427610737, "mish": -1.1924312145154952}
LAMBDA, LAMBDA_ALPHA = mpf("1.0507009873554804934193"), mpf("1.7580993408473768599402175")


def logistic(x):
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def normal(x):
    return mpf(x > 0) if abs(x) > 1000 else mp.erfc(-x / mp.sqrt(2)) / 2


def gate(x):
    """tanh(ln(1 + eˣ)) and its derivative over x."""
    e = mp.exp(-abs(x))
    below = e * e + 2 * e + 2 if x < 0 else 1 + 2 * e + 2 * e * e
    value = (e * (e + 2) if x < 0 else 1 + 2 * e) / below
    return value, 4 * e * (1 + e) * (1 if x < 0 else e) / below**2


# name → (value, derivative); at a kink the derivative of the left piece
EXACT = {
    "step": (lambda x: mpf(x >= 0), lambda x: mpf(0)),
    "linear": (lambda x: x, lambda x: mpf(1)),
    "sigmoid": (logistic, lambda x: logistic(x) * logistic(-x)),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "hard_sigmoid": (
        lambda x: min(mpf(1), max(mpf(0), (x + 3) / 6)),
        lambda x: mpf(1) / 6 if -3 < x <= 3 else mpf(0),
    ),
    "hard_tanh": (lambda x: min(mpf(1), max(mpf(-1), x)), lambda x: mpf(-1 < x <= 1)),
    "relu": (lambda x: max(x, mpf(0)), lambda x: mpf(x > 0)),
    "leaky_relu": (lambda x: x if x > 0 else x / 100, lambda x: mpf(1) if x > 0 else mpf(1) / 100),
    "prelu": (lambda x: x if x > 0 else x / 4, lambda x: mpf(1) if x > 0 else mpf(1) / 4),
    "elu": (lambda x: x if x > 0 else mp.expm1(x), lambda x: mpf(1) if x > 0 else mp.exp(x)),
    "selu": (
        lambda x: LAMBDA * x if x > 0 else LAMBDA_ALPHA * mp.expm1(x),
        lambda x: LAMBDA if x > 0 else LAMBDA_ALPHA * mp.exp(x),
    ),
    "softplus": (lambda x: max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x))), logistic),
    "gelu": (lambda x: x * normal(x), lambda x: normal(x) + x * mp.npdf(x)),
    "silu": (lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x))),
    "mish": (lambda x: x * gate(x)[0], lambda x: gate(x)[0] + x * gate(x)[1]),
}


@functools.cache
def inputs(dtype):
    """Log-spaced numbers of both signs, half of them over the whole range, half where things happen."""
    limits = np.finfo(dtype)
    whole = np.exp(np.linspace(np.log(float(limits.tiny)), np.log(float(limits.max)) - 1e-4, SAMPLES // 4))
    busy = np.exp(np.linspace(np.log(1e-7), np.log(130 if dtype == np.float32 else 800), SAMPLES // 4))
    x = np.concatenate([whole, busy]).astype(dtype)
    kinks = np.array([0, 1, 3, 0.625, 0.7, 80], dtype)
    beside = [np.nextafter(kinks, dtype(side)) for side in (-np.inf, np.inf)]
    x = np.concatenate([x, -x, kinks, -kinks, *beside, *(-y for y in beside)])
    return x[(x == 0) | (np.abs(x) >= limits.tiny)]


@functools.cache
def exact(name, which, dtype):
    with mp.workdps(32):
        return [EXACT[name][which](mpf(float(x))) for x in inputs(dtype)]


def evaluate(name, which, x, library):
    function = catalogue[name] if which == 0 else catalogue[name].derivative
    if library == "numpy":
        return function(x)
    with jax.enable_x64(x.dtype == np.float64):
        return np.asarray(jax.jit(function)(jnp.asarray(x)))


def errors(computed, reference, dtype):
    """Errors in ulp and relative errors where the exact result is a normal number; others must be tiny."""
    limits = np.finfo(dtype)
    tiny, largest = mpf(float(limits.tiny)), mpf(float(limits.max))
    ulps, relative = [], []
    for y, exact_y in zip(computed, reference, strict=True):
        size = abs(exact_y)
        if tiny <= size <= largest:
            difference = abs(mpf(float(y)) - exact_y)
            ulps.append(float(difference / mpf(2) ** (mp.frexp(size)[1] - 1 - limits.nmant)))
            relative.append(float(difference / size))
        else:
            outside = abs(float(y)) <= 2 * float(limits.tiny) if size < tiny else np.isinf(y)
            ulps.append(0.0 if outside else np.inf)
            relative.append(ulps[-1])
    return np.array(ulps), np.array(relative)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("which", [0, 1], ids=["value", "derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_within_ulps_of_mpmath(name, which, dtype, library):
    x = inputs(dtype)
    computed = evaluate(name, which, x, library)
    assert computed.dtype == dtype
    ulps, relative = errors(computed, exact(name, which, dtype), dtype)
    assert relative.max() < (3e-6 if dtype == np.float32 else 2e-14)
    near_root = np.abs(x - ROOTS[name]) < 0.4 if which and name in ROOTS else np.zeros(len(x), bool)
    # A few values in ten thousand of GELU are up to 5.2 ulp off.
    assert ulps[~near_root].max() <= (5.5 if name == "gelu" else 4)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ROOTS)
def test_derivative_has_the_right_sign_beside_its_root(name, dtype, library):
    root = dtype(ROOTS[name])
    bits = np.int32 if dtype == np.float32 else np.int64
    x = (root.view(bits) + np.arange(-300, 301).astype(bits)).view(dtype)
    with mp.workdps(40):
        reference = [EXACT[name][1](mpf(float(value))) for value in x]
    computed = evaluate(name, 1, x, library)
    assert np.sign(computed).tolist() == [float(mp.sign(value)) for value in reference]
    assert errors(computed, reference, dtype)[1].max() < (1e-6 if dtype == np.float32 else 1e-14)


def wide_references():
    """The functions in 80-bit arithmetic, as anyone would write them: good enough for 16-bit numbers."""
    exp, where, one = np.exp, np.where, np.longdouble(1)

    def density(x):
        return exp(-x * x / 2) / np.sqrt(2 * np.longdouble(np.pi))

    def smooth(x):
        return np.logaddexp(0 * one, x)

    return {
        "step": (lambda x: where(x >= 0, one, 0), lambda x: 0 * x),
        "linear": (lambda x: x, lambda x: x**0),
        "sigmoid": (lambda x: 1 / (1 + exp(-x)), lambda x: 1 / ((1 + exp(-x)) * (1 + exp(x)))),
        "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
        "hard_sigmoid": (
            lambda x: np.clip((x + 3) / 6, 0, 1),
            lambda x: where((x > -3) & (x <= 3), one / 6, 0),
        ),
        "hard_tanh": (lambda x: np.clip(x, -1, 1), lambda x: where((x > -1) & (x <= 1), one, 0)),
        "relu": (lambda x: where(x > 0, x, 0), lambda x: where(x > 0, one, 0)),
        "leaky_relu": (lambda x: where(x > 0, x, x / 100), lambda x: where(x > 0, one, one / 100)),
        "prelu": (lambda x: where(x > 0, x, x / 4), lambda x: where(x > 0, one, one / 4)),
        "elu": (lambda x: where(x > 0, x, np.expm1(x)), lambda x: where(x > 0, one, exp(x))),
        "selu": (
            lambda x: where(x > 0, float(LAMBDA) * x, float(LAMBDA_ALPHA) * np.expm1(x)),
            lambda x: where(x > 0, float(LAMBDA) * one, float(LAMBDA_ALPHA) * exp(x)),
        ),
        "softplus": (smooth, lambda x: 1 / (1 + exp(-x))),
        "gelu": (lambda x: x * ndtr(x.astype(float)), lambda x: ndtr(x.astype(float)) + x * density(x)),
        "silu": (lambda x: x / (1 + exp(-x)), lambda x: (1 + x / (1 + exp(x))) / (1 + exp(-x))),
        "mish": (
            lambda x: x * np.tanh(smooth(x)),
            lambda x: np.tanh(smooth(x)) + x / (1 + exp(-x)) / np.cosh(smooth(x)) ** 2,
        ),
    }


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_half_precision_number_is_within_one_ulp(name, half, library):
    dtype = np.dtype(getattr(ml_dtypes, half, half))
    x = np.arange(65536, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        wide = x.astype(np.longdouble)
    limits = ml_dtypes.finfo(dtype)
    for which in (0, 1):
        computed = evaluate(name, which, x, library)
        assert computed.dtype == dtype
        assert np.array_equal(np.isnan(computed.astype(np.float32)), np.isnan(wide))
        # JAX takes subnormal inputs as 0.
        finite = np.isfinite(wide) & ((np.abs(wide) >= limits.tiny) | (wide == 0))
        with np.errstate(all="ignore"):
            reference = wide_references()[name][which](wide[finite])
        size = np.abs(reference)
        normal = (size > float(limits.tiny)) & (size <= float(limits.max))
        ulp = np.exp2(np.floor(np.log2(size[normal])) - limits.nmant)
        got = computed[finite].astype(np.longdouble)
        assert (np.abs(got[normal] - reference[normal]) / ulp).max(initial=0) <= 1
        assert np.all(np.abs(got[size <= float(limits.tiny)]) <= 1.01 * float(limits.tiny))


LIMITS = {  # f(−∞), f(∞), f'(−∞), f'(∞), f(0), f'(0)
    "step": (0, 1, 0, 0, 1, 0),
    "linear": (-np.inf, np.inf, 1, 1, 0, 1),
    "sigmoid": (0, 1, 0, 0, 0.5, 0.25),
    "tanh": (-1, 1, 0, 0, 0, 1),
    "softsign": (-1, 1, 0, 0, 0, 1),
    "hard_sigmoid": (0, 1, 0, 0, 0.5, 1 / 6),
    "hard_tanh": (-1, 1, 0, 0, 0, 1),
    "relu": (0, np.inf, 0, 1, 0, 0),
    "leaky_relu": (-np.inf, np.inf, 0.01, 1, 0, 0.01),
    "prelu": (-np.inf, np.inf, 0.25, 1, 0, 0.25),
    "elu": (-1, np.inf, 0, 1, 0, 1),
    "selu": (-1.7580993408473769, np.inf, 0, 1.0507009873554805, 0, 1.7580993408473769),
    "softplus": (0, np.inf, 0, 1, np.log(2), 0.5),
    "gelu": (0, np.inf, 0, 1, 0, 0.5),
    "silu": (0, np.inf, 0, 1, 0, 0.5),
    "mish": (0, np.inf, 0, 1, 0, 0.6),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_infinities_zeros_and_nan(name, dtype, library):
    below, above, below_slope, above_slope, at_zero, zero_slope = LIMITS[name]
    # An odd length, longer than a vector register: scalar and vector loops must agree.
    x = np.tile(np.array([-np.inf, np.inf, 0.0, -0.0, np.nan], dtype), 13)
    value, slope = evaluate(name, 0, x, library), evaluate(name, 1, x, library)
    tolerance = 2 * np.finfo(dtype).eps
    expected = np.tile(np.array([below, above, at_zero, at_zero, np.nan]), 13)
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=0)
    expected = np.tile(np.array([below_slope, above_slope, zero_slope, zero_slope, np.nan]), 13)
    np.testing.assert_allclose(slope, expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize(
    ("name", "kink", "left", "right"),
    [
        ("relu", 0.0, 0.0, 1.0),
        ("leaky_relu", 0.0, 0.01, 1.0),
        ("prelu", 0.0, 0.25, 1.0),
        ("selu", 0.0, 1.7580993408473769, 1.0507009873554805),
        ("hard_tanh", -1.0, 0.0, 1.0),
        ("hard_tanh", 1.0, 1.0, 0.0),
        ("hard_sigmoid", -3.0, 0.0, 1 / 6),
        ("hard_sigmoid", 3.0, 1 / 6, 0.0),
    ],
)
@pytest.mark.parametrize("library", LIBRARIES)
def test_derivative_at_a_kink_is_that_of_the_left_piece(name, kink, left, right, library):
    x = np.array([np.nextafter(kink, -9), kink, np.nextafter(kink, 9) if kink else 1e-300])
    np.testing.assert_allclose(evaluate(name, 1, x, library), [left, left, right], rtol=1e-15)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", MONOTONE)
def test_monotone(name, dtype, library):
    limits = np.finfo(dtype)
    x = np.exp(np.linspace(np.log(float(limits.tiny)), np.log(float(limits.max)) - 1e-4, 2**18)).astype(dtype)
    x = np.concatenate([-x[::-1], [dtype(0)], x]) / dtype(2)  # so that SELU stays finite
    assert np.all(np.diff(evaluate(name, 0, x, library)) >= 0)
    assert np.all(evaluate(name, 1, x, library) >= 0)


KNOWN = [  # where PyTorch or JAX are wrong today
    ("gelu", 0, np.float32, -5.5, -1.0444e-7),
    ("gelu", 0, np.float32, -6.0, -5.9195e-9),
    ("elu", 1, np.float32, -17.0, 4.1399e-8),
    ("sigmoid", 1, np.float64, 40.0, 4.248354255291589e-18),
    ("tanh", 1, np.float32, 10.0, 8.2446e-9),
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("name", "which", "dtype", "x", "expected"), KNOWN)
def test_known_errors_of_others(name, which, dtype, x, expected, library):
    computed = evaluate(name, which, np.array([x], dtype), library)[0]
    assert computed == pytest.approx(expected, rel=1e-4 if dtype == np.float32 else 1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_written_derivative_is_the_derivative(name):
    points = [-6.3, -2.1, -0.7, -0.05, 0.04, 0.9, 2.3, 7.1]
    with mp.workdps(40):
        expected = [float(mpmath.diff(EXACT[name][0], mpf(x))) for x in points]
    np.testing.assert_allclose(catalogue[name].derivative(points), expected, rtol=1e-13)


SECOND_AT_ZERO = {
    "sigmoid": 0.0,
    "tanh": 0.0,
    "softplus": 0.25,
    "gelu": 0.7978845608028654,
    "silu": 0.5,
    "mish": 0.64,
}


@pytest.mark.parametrize("name", NAMES)
def test_second_derivative(name):
    points = np.array([-6.3, -2.1, -1.2, -0.75, -0.3, 0.04, 0.9, 2.3, 7.1])
    with mp.workdps(40):
        expected = [float(mpmath.diff(EXACT[name][1], mpf(x))) for x in points]
    with jax.enable_x64(True):
        second = jax.vmap(jax.grad(jax.grad(catalogue[name])))
        np.testing.assert_allclose(second(jnp.asarray(points)), expected, rtol=1e-9, atol=1e-12)
        if name in SECOND_AT_ZERO:
            zero = second(jnp.zeros(1))[0]
            assert float(zero) == pytest.approx(SECOND_AT_ZERO[name], rel=1e-12, abs=1e-15)
    single = jax.jit(second)(jnp.asarray(points, jnp.float32))
    np.testing.assert_allclose(single, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivative_is_finite_everywhere(name):
    x = jnp.asarray(np.concatenate([inputs(np.float32), [-np.inf, np.inf]]))
    assert bool(jnp.all(jnp.isfinite(jax.jit(jax.vmap(jax.grad(jax.grad(catalogue[name]))))(x))))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("step", "linear", "prelu", "hard_sigmoid")])
def test_agrees_with_pytorch(name):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).uniform(-5, 5, 501).astype(np.float32)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    there = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "hard_tanh": torch.nn.functional.hardtanh}
    value = there.get(name, getattr(torch.nn.functional, name, None))(tensor)
    value.sum().backward()
    np.testing.assert_allclose(catalogue[name](x), value.detach().numpy(), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(catalogue[name].derivative(x), tensor.grad.numpy(), rtol=1e-5, atol=1e-7)
