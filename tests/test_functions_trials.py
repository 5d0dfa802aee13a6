"""What `register` refuses: functions that would fail later, or quietly compute something else."""

import subprocess
import sys

import numpy as np
import pytest

from actlab.errors import InvalidFunction
from actlab.functions import Parameter, catalogue, register, unregister

ROOT_AT_ZERO = {"value": lambda x, xp: xp.sqrt(abs(x)), "derivative": lambda x, xp: xp.sign(x) / xp.sqrt(abs(x)) / 2}


@pytest.fixture
def own():
    """Register functions that are gone after the test, as is what a refusal must not leave behind."""
    before = set(catalogue)
    yield register
    for name in set(catalogue) - before:
        unregister(name)


def doubles(x, xp):
    x *= 2
    return x


def cuts(x, xp):
    x[x < 0] = 0
    return x


def cuts_a_copy(x, xp):
    x = x.copy()
    x[x < 0] = 0
    return x


def leaves(x, xp):
    raise SystemExit


def stays_in_numpy(x, xp):
    return x if xp is np else xp.no_such_operation(x)


REFUSED = {
    "branches": (lambda x, xp: x if x.sum() > 0 else -x, r"branches on values.*xp\.where"),
    "branches on each": (lambda x, xp: x if x > 0 else -x, r"truth value.*Write xp\.where"),
    "asks for a number": (lambda x, xp: x * float(x.max()), "makes a Python number of them"),
    "mean": (lambda x, xp: x - x.mean(), r"mixes its inputs: at x = -20\.3 it is -20\.60111 among others and 0 alone"),
    "sorts": (lambda x, xp: xp.sort(x), "mixes its inputs"),
    "sorts downwards": (lambda x, xp: xp.sort(x, axis=0), "mixes its inputs"),
    "largest": (lambda x, xp: xp.where(x == x.max(), x, 0.0), "mixes its inputs"),
    "random": (lambda x, xp: x * np.random.rand(), r"another one at every call: at x = -20\.3 first -"),  # noqa: NPY002
    "doubles in place": (doubles, r"changes its input: what was x = -20\.3 is -40\.6 afterwards"),
    "cuts in place": (cuts, r"changes its input.*xp\.where"),
    "cuts a copy in place": (cuts_a_copy, r"immutable.*Write xp\.where"),
    "exits": (leaves, r"failed on a small array: SystemExit\. It is called as value\(x, xp\)"),
    "not in JAX": (stays_in_numpy, "AttributeError.*no_such_operation"),
    "nowhere a number": (lambda x, xp: x * xp.nan, r"finite at none of .* and is nan at x = 0"),
    "nowhere finite": (lambda x, xp: 0 * x + xp.inf, r"finite at none of .* and is inf at x = 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_rule_that_fails_later_is_refused_now(own, case):
    value, words = REFUSED[case]
    with pytest.raises(InvalidFunction, match=words):
        own("mine", value)
    assert "mine" not in catalogue


@pytest.mark.parametrize(
    ("derivative", "words"),
    [
        (doubles, "the derivative of 'mine' changes its input"),
        (lambda x, xp: 2 * x.max() + 0 * x, "the derivative of 'mine' mixes its inputs"),
        (lambda x, xp: 2 * x if x.sum() else x, "the derivative of 'mine' branches on values"),
        (lambda x, xp: x * np.float32("nan"), r"is not a number at x = 0 in float32, where the value is 0: correct it"),
        (lambda x, xp: xp.where(abs(x) > 1e20, xp.nan, 2 * x), r"not a number at x = 1e\+2\d in float32"),
        (lambda x, xp: xp.where(x == -5, xp.nan, 2 * x), r"not a number at x = -5 in float32, where the value is 25"),
        (lambda x, xp: 2 * x + (xp.nan if x.dtype == "float64" else 0), r"not a number at x = 0 in float64"),
    ],
)
def test_a_written_derivative_is_tried_like_the_value(own, derivative, words):
    with pytest.raises(InvalidFunction, match=words):
        own("mine", lambda x, xp: x * x, derivative=derivative)
    assert "mine" not in catalogue


def test_a_derivative_that_divides_by_zero_where_the_value_does_not(own):
    with pytest.raises(InvalidFunction, match=r"the derivative of 'mine' is not a number at x = 0 in float32"):
        own("mine", **ROOT_AT_ZERO)


# Each right in the limit, and a number wherever they are written so that nothing overflows on the way.
OVERFLOWING = {
    "sech": (lambda x, xp: 1 / xp.cosh(x), 100, lambda x, xp: 1 / xp.cosh(xp.clip(x, -80.0, 80.0))),
    "silu": (lambda x, xp: x / (1 + xp.exp(-x)), -100, lambda x, xp: x / (1 + xp.exp(xp.minimum(-x, 80.0)))),
    "softplus": (lambda x, xp: xp.log(1 + xp.exp(x)), 100, lambda x, xp: xp.logaddexp(x, 0.0)),
    "tanh_exp": (lambda x, xp: x * xp.tanh(xp.exp(x)), 100, lambda x, xp: x * xp.tanh(xp.exp(xp.minimum(x, 20.0)))),
}


@pytest.mark.parametrize("name", OVERFLOWING)
def test_an_automatic_derivative_that_is_no_number_where_the_value_is_one(own, name):
    naive, at, careful = OVERFLOWING[name]
    with pytest.raises(InvalidFunction, match=rf"the automatic derivative of 'mine' is not a number at x = {at} in"):
        own("mine", naive)
    mine = own("mine", careful)
    assert np.isfinite(mine.derivative(np.float32([-1e6, -1000, -100, 0, 100, 1000, 1e6]))).all()


def test_a_branch_that_is_not_taken_and_spoils_the_slope_backwards(own):
    """Forwards the slope at −2 is 0; backwards, as networks train, it is 0 times that of √x, which is no number."""
    with pytest.raises(
        InvalidFunction, match=r"the automatic derivative of 'mine' is not a number at x = -?[\d.e+]+ in"
    ):
        own("mine", lambda x, xp: xp.where(x > 0, xp.sqrt(x), 0 * x))
    mine = own("mine", lambda x, xp: xp.where(x > 0, xp.sqrt(xp.maximum(x, 1e-6)), 0 * x))
    assert mine.derivative(np.float32([-2.0, 2.0])).tolist() == pytest.approx([0, 0.5 / np.sqrt(2)])


def test_a_derivative_by_hand_is_the_way_out_that_the_sentence_names(own):
    def slope(x, xp):
        return -xp.tanh(x) / xp.cosh(xp.clip(x, -80.0, 80.0))

    mine = own("mine", lambda x, xp: 1 / xp.cosh(x), derivative=slope)
    assert abs(mine.derivative(1000.0)) < 1e-30


@pytest.mark.parametrize(
    "value",
    [
        lambda x, xp: x**3 / (1 + x**2),
        lambda x, xp: x / xp.sqrt(1 + x * x),
        lambda x, xp: xp.exp(-x * x),
        lambda x, xp: xp.cbrt(x),
        lambda x, xp: xp.maximum(x, 0),
        lambda x, xp: 0 * x + 1,
        lambda x, xp: catalogue["mish"].value_rule(-1.5 * x, xp),
    ],
)
def test_what_is_right_is_taken(own, value):
    assert own("mine", value) is catalogue["mine"]


def test_a_slope_without_bounds_is_compared_where_it_is_finite(own):
    with pytest.warns(UserWarning, match="not a number at x = -1"):
        assert own("mine", lambda x, xp: xp.log(x), derivative=lambda x, xp: 1 / x).derivative(0.5) == 2
    with pytest.warns(UserWarning, match="not a number at x = -1"):
        own("half", lambda x, xp: xp.log(x), derivative=lambda x, xp: xp.where(x >= 0, 1 / x, xp.nan))
    with pytest.raises(InvalidFunction, match=r"at x = 1\.37 it returns 1\.459854, automatic .* 0\.729927"):
        own("other", lambda x, xp: xp.log(x), derivative=lambda x, xp: 2 / x)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (lambda x, xp, scale: 3 * xp.sin(x), "with respect to 'scale' is not that of its value: at x = -20.3"),
        (lambda x, xp, scale: xp.nan * x, "with respect to 'scale' is not a number at x = 0"),
        (lambda x, xp, scale: xp.sin(x).sum(), "with respect to 'scale' must return an array"),
    ],
)
def test_derivatives_with_respect_to_parameters_are_tried_too(own, written, words):
    learnt = [Parameter("scale", 2.0, trainable=True)]
    with pytest.raises(InvalidFunction, match=words):
        own("mine", lambda x, xp, scale: scale * xp.sin(x), parameters=learnt, parameter_derivatives={"scale": written})
    own(
        "mine",
        lambda x, xp, scale: scale * xp.sin(x),
        parameters=learnt,
        parameter_derivatives={"scale": lambda x, xp, scale: xp.sin(x)},
    )


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (lambda x, xp: xp.log(x), "-1"),
        (lambda x, xp: xp.sin(x) / x, "0"),
        (lambda x, xp: xp.exp(x) / (1 + xp.exp(x)), "100"),
    ],
)
def test_a_function_that_is_no_number_somewhere_is_registered_with_a_warning(own, value, at):
    with pytest.warns(UserWarning, match=rf"'mine' is registered, but is not a number at x = {at}: .* diverges"):
        own("mine", value)
    assert "mine" in catalogue


def test_a_registration_does_not_end_the_process():
    script = "import actlab\ndef leaves(x, xp):\n    raise SystemExit(0)\nactlab.register('mine', leaves)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "InvalidFunction: the value of 'mine' failed on a small array: SystemExit: 0." in done.stderr
