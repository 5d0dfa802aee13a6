"""Style-up by name, and a user's own functions."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab
from actlab.errors import InvalidFunction, UnknownName
from actlab.functions import Formula, Parameter, catalogue, register, slope_supremum, unregister

EXPECTED = {
    "step",
    "linear",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "hard_tanh",
    "softmax",
    "maxout",
}


@pytest.fixture
def own():
    """Register functions that are gone after the test."""
    before = set(catalogue)
    yield register
    for name in set(catalogue) - before:
        unregister(name)


def test_it_is_a_mapping_of_names():
    assert set(catalogue) >= EXPECTED
    assert len(catalogue) == len(list(catalogue)) == len(dict(catalogue))
    assert all(activation.name == name for name, activation in catalogue.items())
    assert "swish" not in list(catalogue)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("swish", "silu"),
        ("identity", "linear"),
        ("heaviside", "step"),
        ("logistic", "sigmoid"),
        ("hardtanh", "hard_tanh"),
        ("HardSigmoid", "hard_sigmoid"),
        ("LeakyReLU", "leaky_relu"),
        ("leaky-relu", "leaky_relu"),
        ("GELU", "gelu"),
        ("hard tanh", "hard_tanh"),
    ],
)
def test_aliases_case_and_dashes(alias, name):
    assert catalogue[alias] is catalogue[name]
    assert alias in catalogue


def test_a_miss_names_the_nearest():
    with pytest.raises(UnknownName, match="unknown activation 'gelo': did you mean 'gelu'"):
        catalogue["gelo"]
    with pytest.raises(UnknownName, match="did you mean 'swish'"):
        catalogue["swich"]
    assert "gelo" not in catalogue
    assert catalogue.get("gelo") is None
    with pytest.raises(UnknownName):
        catalogue[3]


def test_own_function_in_one_line(own):
    mine = own("mine", lambda x, xp: x * xp.tanh(xp.exp(xp.minimum(x, 20.0))), source="me")
    assert catalogue["mine"] is mine
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(mine(x), x * np.tanh(np.exp(x)))
    expected = np.tanh(np.exp(x)) + x * np.exp(x) / np.cosh(np.exp(x)) ** 2
    slope = mine.derivative(x)
    assert isinstance(slope, np.ndarray)
    assert slope.dtype == np.float64
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    assert mine.derivative(x.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(jax.vmap(jax.grad(mine))(jnp.asarray(x, jnp.float32)), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(mine.derivative)(jnp.asarray(x, jnp.float32)), expected, rtol=1e-5)


def test_own_function_has_facts(own):
    mine = own("mine", lambda x, xp: xp.tanh(2 * x) / 2, source="me", formula="tanh(2x)/2")
    assert slope_supremum(mine) == pytest.approx(1, rel=1e-9)
    assert mine.facts().monotone == "increasing"
    assert mine.facts().range == (-0.5, 0.5)
    own(
        "doubled",
        lambda x, xp, scale: xp.tanh(scale * x) / scale,
        parameters=[Parameter("scale", 1.5, low=0.1)],
    )
    assert "doubled(x, scale=2)" in mine.facts().equals
    assert "sigmoid(4*x) - 0.5" in mine.facts().equals


def test_own_derivative_is_used(own):
    calls = []

    def derivative(x, xp):
        calls.append(xp)
        return 2 * x

    mine = own("mine", lambda x, xp: x * x, derivative=derivative, source="me")
    calls.clear()
    assert mine.derivative(3.0) == 6
    assert float(jax.grad(mine)(3.0)) == 6
    assert calls == [np, jnp]


def test_a_derivative_of_another_function_is_refused_with_the_first_input(own):
    with pytest.raises(InvalidFunction, match=r"at x = -20.3 it returns -7, automatic differentiation -40.6"):
        own("mine", lambda x, xp: x * x, derivative=lambda x, xp: 0 * x - 7)
    with pytest.raises(InvalidFunction, match=r"at x = 1.37 it returns 0.685, automatic differentiation 1"):
        own("mine", lambda x, xp: xp.maximum(x, 0), derivative=lambda x, xp: xp.where(x > 1.2, x / 2, x > 0))
    assert "mine" not in catalogue


def test_a_derivative_may_choose_its_side_at_a_kink(own):
    mine = own("mine", lambda x, xp: xp.maximum(x, 0), derivative=lambda x, xp: xp.where(x >= 0, x**0, 0 * x))
    assert mine.derivative(0.0) == 1


def test_own_trainable_parameter(own):
    mine = own(
        "mine",
        lambda x, xp, scale: scale * xp.sin(x),
        parameters=[Parameter("scale", 2.0, trainable=True)],
        aliases=["my sine"],
        formula=Formula("scale*sin(x)", r"s \sin x"),
    )
    assert catalogue["My-Sine"] is mine
    assert mine(1.0, scale=3.0) == pytest.approx(3 * np.sin(1))
    assert float(jax.grad(lambda s: mine(1.0, scale=s))(2.0)) == pytest.approx(np.sin(1))
    assert mine.formula.latex == r"s \sin x"


@pytest.mark.parametrize("name", ["relu", "ReLU", "swish", "leaky-relu"])
def test_taken_names_are_refused(own, name):
    with pytest.raises(InvalidFunction, match=r"is taken by '\w+': choose another\.$"):
        own(name, lambda x, xp: x)


def test_a_name_of_ones_own_can_be_freed_as_the_sentence_says(own):
    own("mine", lambda x, xp: +x, aliases=["of me"])
    with pytest.raises(
        InvalidFunction, match=r"choose another, or take that out first: (actlab\.unregister\('mine'\))"
    ) as said:
        own("Of-Me", lambda x, xp: -x)
    exec(re.search(r"actlab\.\w+\([^)]*\)", str(said.value))[0], {"actlab": actlab})
    assert own("Of-Me", lambda x, xp: -x)(1.0) == -1


def test_taken_aliases_are_refused_and_nothing_is_added(own):
    with pytest.raises(InvalidFunction, match="'gelu' is taken"):
        own("mine", lambda x, xp: x, aliases=["gelu"])
    assert "mine" not in catalogue


@pytest.mark.parametrize("name", ["", "1st", "a/b", "__", "mine ", " mine", "-", 3])
def test_names_that_are_no_names(own, name):
    with pytest.raises(InvalidFunction, match="is no name"):
        own(name, lambda x, xp: x)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x, xp: x.sum(), "must return an array of real numbers; it returned float64"),
        (lambda x, xp: x[0], r"must keep the shape: \(3, 3\) became \(3,\)"),
        (lambda x, xp: x * np.ones(3), "must keep the type: float32 became float64"),
        (lambda x, xp: x + 1j, "it returned an array of complex128"),
        (lambda x, xp: None, "it returned NoneType"),
        (lambda x, xp: x > 0, "it returned an array of bool"),
        (lambda x, xp: x.missing, "failed on a small array: AttributeError"),
        (lambda x: x, r"failed on a small array: TypeError.*It is called as value\(x, xp\)"),
        ("tanh", "is no function: it is 'str'"),
    ],
)
def test_functions_that_do_not_work_are_refused(own, value, message):
    with pytest.raises(InvalidFunction, match=message):
        own("mine", value)
    assert "mine" not in catalogue


def test_a_derivative_that_does_not_work_is_refused(own):
    with pytest.raises(InvalidFunction, match="the derivative of 'mine' must keep the shape"):
        own("mine", lambda x, xp: x, derivative=lambda x, xp: x[:1])


def test_a_function_that_calls_numpy_itself_says_so_in_jax(own):
    with pytest.raises(InvalidFunction, match=r"'mine' calls NumPy itself .* write it with the namespace `xp`"):
        own("mine", lambda x, xp: np.tanh(x))
    never_tried = replace(catalogue["tanh"], value_rule=lambda x, xp: np.tanh(x))
    with pytest.raises(InvalidFunction, match="write it with the namespace `xp`"):
        jax.jit(never_tried)(jnp.ones(3))


def test_unregister(own):
    own("mine", lambda x, xp: +x)
    unregister("Mine")
    assert "mine" not in catalogue
    own("mine", lambda x, xp: +x)
    with pytest.raises(InvalidFunction, match="'silu' came with the catalogue"):
        unregister("swish")
    with pytest.raises(UnknownName):
        unregister("nothing")
