"""The references themselves: their chain rule against mpmath's numerical differentiation."""

import pytest
from mpmath import mp, mpf
from tests import references
from tests.references import REFERENCES, jets


@pytest.mark.parametrize("name", [name for name, one in REFERENCES.items() if one.slope_of is None])
def test_derivatives_of_a_formula_are_those_of_mpmath(name):
    reference = REFERENCES[name]
    with mp.workdps(40):
        for x in (mpf("-6.31"), mpf("-0.73"), mpf("0.41"), mpf("2.29")):
            jet = reference.jet(x, second=True)
            first = mp.diff(lambda x: reference.jet(x).value, x, h=mpf("1e-12"))
            second = mp.diff(lambda x: reference.jet(x).value, x, 2, h=mpf("1e-8"))
            assert abs(jet.first - first) < 1e-15 * (1 + abs(first))
            assert abs(jet.second - second) < 1e-10 * (1 + abs(second))


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (jets.exp, mp.exp),
        (jets.expm1, mp.expm1),
        (jets.log1p, mp.log1p),
        (jets.tanh, mp.tanh),
        (jets.erf, mp.erf),
        (jets.erfc, mp.erfc),
        (jets.normal, mp.ncdf),
        (jets.logistic, lambda x: 1 / (1 + mp.exp(-x))),
        (jets.softplus, lambda x: mp.log(1 + mp.exp(x))),
        (jets.sqrt, mp.sqrt),
        (jets.sin, mp.sin),
        (jets.cos, mp.cos),
        (jets.arctan, mp.atan),
        (jets.arcsinh, mp.asinh),
        (jets.log, mp.log),
        (lambda x: 1 / x, lambda x: 1 / x),
        (lambda x: x**3 / (2 - x), lambda x: x**3 / (2 - x)),
    ],
)
def test_pieces_of_formulas(function, exact):
    with mp.workdps(40):
        x = mpf("0.37")
        jet = function(jets.variable(x, second=True))
        assert abs(jet.value - exact(x)) < mpf(10) ** -35
        assert abs(jet.first - mp.diff(exact, x)) < mpf(10) ** -25
        assert abs(jet.second - mp.diff(exact, x, 2)) < mpf(10) ** -20


def test_limits_far_out():
    assert REFERENCES["sigmoid"].limits == {float("-inf"): (0.0, 0.0), float("inf"): (1.0, 0.0)}
    assert references.as_float(mpf(2) ** 2000) == float("inf")
    assert references.as_float(-(mpf(2) ** -2000)) == 0
