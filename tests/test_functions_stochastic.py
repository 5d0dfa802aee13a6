"""Functions that draw noise: from keys, by the right distribution, alike in value and derivative; and not at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from actlab.errors import InvalidFunction
from actlab.functions import catalogue

NAMES = [name for name, activation in catalogue.items() if activation.kind == "stochastic"]
LIBRARIES = ["numpy", "jax"]
X = np.linspace(-3, 3, 601, dtype=np.float32)
SETTINGS = {"prob_act": {"scale": 0.5}}


def key(library, seed):
    return np.random.default_rng(seed) if library == "numpy" else jax.random.key(seed)


def array(library, x):
    return x if library == "numpy" else jnp.asarray(x)


def settings(name):
    return SETTINGS.get(name, {})


def drawn(name, library, seed, x=X, **given):
    return np.asarray(catalogue[name](array(library, x), key=key(library, seed), **(given or settings(name))))


def test_these_are_the_stochastic_functions():
    assert set(NAMES) >= {"rrelu", "prob_act"}
    assert all(catalogue[name].noise for name in NAMES)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_the_key_alone_decides(name, library):
    first = drawn(name, library, 1)
    assert np.array_equal(first, drawn(name, library, 1))
    assert not np.array_equal(first, drawn(name, library, 2))
    assert first.dtype == np.float32
    assert first.shape == X.shape


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_without_a_key_nothing_is_random(name, library):
    x = array(library, X)
    assert np.array_equal(catalogue[name](x, **settings(name)), catalogue[name](x, **settings(name)))


@pytest.mark.parametrize("library", LIBRARIES)
def test_outside_training_rrelu_takes_the_mean_slope_and_prob_act_is_relu(library):
    x = array(library, X)
    mean = np.where(X > 0, X, np.float32((0.1 + 0.5) / 2) * X)
    np.testing.assert_allclose(catalogue["rrelu"](x, lower=0.1, upper=0.5), mean, rtol=3e-7)
    np.testing.assert_allclose(catalogue["rrelu"].derivative(x, lower=0.1, upper=0.5), np.where(X > 0, 1, 0.3), 1e-6)
    assert np.array_equal(catalogue["prob_act"](x, scale=2.0), np.maximum(X, 0))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("lower", "upper"), [(1 / 8, 1 / 3), (-0.5, 2.0)])
def test_slopes_of_rrelu_are_uniform(library, lower, upper):
    x = np.full(20_000, -2.0, np.float32)
    slopes = drawn("rrelu", library, 3, x, lower=lower, upper=upper) / -2.0
    assert slopes.min() >= np.float32(lower)
    assert slopes.max() <= np.float32(upper)
    assert stats.kstest(slopes, stats.uniform(lower, upper - lower).cdf).pvalue > 0.01


@pytest.mark.parametrize("library", LIBRARIES)
def test_rrelu_leaves_what_is_above_zero(library):
    value = drawn("rrelu", library, 4)
    assert np.array_equal(value[X > 0], X[X > 0])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("place", [-1.0, 1.5])
def test_noise_of_prob_act_is_normal(library, place):
    x = np.full(20_000, place, np.float32)
    noise = drawn("prob_act", library, 5, x, scale=0.7) - max(place, 0.0)
    assert stats.kstest(noise, stats.norm(0, 0.7).cdf).pvalue > 0.01


def test_prob_act_starts_without_noise_and_learns_its_scale():
    x, seed = jnp.asarray(X), jax.random.key(6)
    assert np.array_equal(catalogue["prob_act"](x, key=seed), np.maximum(X, 0))
    slope = jax.jacobian(lambda scale: catalogue["prob_act"](x, key=seed, scale=scale))(0.0)
    assert stats.kstest(np.asarray(slope), stats.norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_is_that_of_the_value_drawn_with_the_same_key(name, library):
    x = X[X != 0]
    value = drawn(name, library, 7, x)
    further = drawn(name, library, 7, x * np.float32(1.5))
    slope = np.asarray(catalogue[name].derivative(array(library, x), key=key(library, 7), **settings(name)))
    np.testing.assert_allclose((further - value) / (0.5 * x), slope, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_jax_differentiates_to_the_written_derivative(name):
    x, seed = jnp.asarray(X), jax.random.key(8)
    pushed = jax.jvp(lambda x: catalogue[name](x, key=seed, **settings(name)), (x,), (jnp.ones_like(x),))[1]
    np.testing.assert_allclose(pushed, catalogue[name].derivative(x, key=seed, **settings(name)), rtol=1e-6)


@pytest.mark.parametrize("parameter", ["lower", "upper"])
def test_derivative_by_the_bounds_of_rrelu(parameter):
    rrelu, seed, given = catalogue["rrelu"], jax.random.key(9), {"lower": 0.1, "upper": 0.4}
    with jax.enable_x64(True):
        x = jnp.asarray(X, jnp.float64)
        noise = jax.random.uniform(seed, x.shape, x.dtype)
        for drawn_noise, seed_given in ((noise, seed), (None, None)):
            slope = jax.jacobian(lambda p, k=seed_given: rrelu(x, key=k, **{**given, parameter: p}))(given[parameter])
            written = rrelu.parameter_derivatives[parameter](x, jnp, noise=drawn_noise, **given)
            by_hand = (
                rrelu(x, key=seed_given, **{**given, parameter: given[parameter] + 0.25})
                - rrelu(x, key=seed_given, **given)
            ) / 0.25
            np.testing.assert_allclose(slope, written, rtol=1e-12)
            np.testing.assert_allclose(slope, by_hand, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_not_a_number_and_infinity(name, library):
    x = array(library, np.array([np.nan, -np.inf, np.inf], np.float32))
    for given in (None, key(library, 10)):
        value = np.asarray(catalogue[name](x, key=given, **settings(name)))
        assert np.isnan(value).tolist() == [True, False, False]
        assert value[2] == np.inf
    assert float(catalogue["rrelu"](x, lower=0.0, upper=0.0)[1]) == 0.0
    assert float(catalogue["rrelu"](x)[1]) == -np.inf


@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_the_wrong_kind_is_refused(name):
    for wrong in (0, "seed", np.random.RandomState(0)):
        with pytest.raises(InvalidFunction, match=r"the key is a numpy\.random\.Generator, as"):
            catalogue[name](X, key=wrong)
    for wrong in (0, "seed", np.random.default_rng(0)):
        with pytest.raises(InvalidFunction, match=r"the key is a random key, as jax\.random\.key\(0\)"):
            catalogue[name](jnp.asarray(X), key=wrong)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_function_without_noise_takes_no_key(library):
    with pytest.raises(InvalidFunction, match="relu draws nothing at random and takes no key"):
        catalogue["relu"](array(library, X), key=key(library, 0))


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(InvalidFunction, match="lower must be at most upper"):
        catalogue["rrelu"](X, lower=0.5, upper=0.25)


def test_half_precision_is_kept():
    for name in NAMES:
        assert catalogue[name](X.astype(np.float16), key=key("numpy", 0), **settings(name)).dtype == np.float16
