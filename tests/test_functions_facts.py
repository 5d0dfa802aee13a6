"""The measured facts against closed forms and independent integrals."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.integrate import quad
from scipy.stats import norm
from tests.references import REFERENCES

from actlab.functions import Facts, catalogue, slope_supremum
from actlab.functions.measured.facts import ACCURACY, facts, known, measure

ELEMENTWISE = [name for name, activation in catalogue.items() if activation.kind != "grouping"]
INF = math.inf


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("step", 0, 1),
        ("linear", -INF, INF),
        ("sigmoid", 0, 1),
        ("tanh", -1, 1),
        ("softsign", -1, 1),
        ("hard_tanh", -1, 1),
        ("relu", 0, INF),
        ("leaky_relu", -INF, INF),
        ("elu", -1, INF),
        ("selu", -1.7580993408473769, INF),
        ("softplus", 0, INF),
        ("gelu", -0.16997120747990369, INF),
        ("silu", -0.27846454276107380, INF),
        ("mish", -0.30884341301725043, INF),
    ],
)
def test_range(name, low, high):
    assert catalogue[name].facts().range == pytest.approx((low, high), abs=1e-11)


@pytest.mark.parametrize(
    ("name", "supremum"),
    [
        ("step", 0),
        ("linear", 1),
        ("sigmoid", 1 / 4),
        ("tanh", 1),
        ("softsign", 1),
        ("hard_sigmoid", 1 / 6),
        ("relu", 1),
        ("selu", 1.7580993408473769),
        # f'(√2) = Φ(√2) + √2·φ(√2)
        ("gelu", norm.cdf(math.sqrt(2)) + math.sqrt(2) * norm.pdf(math.sqrt(2))),
        ("silu", 1.0998393201288668),
        ("mish", 1.0884981612517282),
    ],
)
def test_slope_supremum(name, supremum):
    assert slope_supremum(catalogue[name]) == pytest.approx(supremum, rel=1e-11)
    facts = catalogue[name].facts()
    assert facts.slope_supremum == slope_supremum(catalogue[name])
    assert facts.lipschitz == (INF if name == "step" else facts.slope_supremum)


def test_monotone():
    for name in ELEMENTWISE:
        expected = {1: "increasing", -1: "decreasing", 0: None}[REFERENCES[name].monotone]
        assert catalogue[name].facts().monotone == expected, name


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != "siren"])
def test_mean_and_gain_against_adaptive_integration(name):
    activation = catalogue[name]
    edges = sorted({-12, -3, -1, 0, 1, 3, 12, *REFERENCES[name].kinks})

    def expectation(function):
        pieces = itertools.pairwise(edges)
        return sum(quad(lambda z: function(z) * norm.pdf(z), *piece, epsabs=1e-12)[0] for piece in pieces)

    facts = activation.facts()
    mean = expectation(activation)
    assert facts.mean_under_unit_normal == pytest.approx(mean, abs=1e-10)
    assert facts.gain == pytest.approx(expectation(lambda z: activation(z) ** 2) ** -0.5, rel=1e-9)
    assert facts.zero_centred == (abs(mean) < 1e-6)


def test_siren_has_half_the_power_of_a_sine():
    # E sin(30 z) = 0, E sin²(30 z) = (1 − e^(−1800))/2: no quadrature is needed.
    assert catalogue["siren"].facts().gain == pytest.approx(math.sqrt(2), rel=1e-9)
    assert catalogue["siren"].facts().mean_under_unit_normal == pytest.approx(0, abs=1e-10)


def test_gains_in_closed_form():
    assert catalogue["relu"].facts().gain == pytest.approx(math.sqrt(2), rel=1e-12)
    assert catalogue["linear"].facts().gain == pytest.approx(1, rel=1e-12)
    assert catalogue["leaky_relu"].facts().gain == pytest.approx(math.sqrt(2 / (1 + 0.01**2)), rel=1e-12)
    # SELU's fixed point: mean 0 and variance 1 stay.
    assert catalogue["selu"].facts().gain == pytest.approx(1, rel=1e-12)
    assert catalogue["selu"].facts().mean_under_unit_normal == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_kinks_and_jumps_are_those_of_the_formula(name):
    facts = catalogue[name].facts()
    wanted = {"kinks": [], "jumps": []}
    for place in REFERENCES[name].kinks:
        with mp.workdps(60):
            sides = [place - mpf(10) ** -20, place + mpf(10) ** -20]
        left, right = map(REFERENCES[name].jet, sides)
        if abs(left.value - right.value) > 1e-15:
            wanted["jumps"].append(place)
        elif abs(left.first - right.first) > 1e-4:
            wanted["kinks"].append(place)
    assert facts.kinks == pytest.approx(wanted["kinks"], abs=2e-9)
    assert facts.jumps == pytest.approx(wanted["jumps"], abs=2e-9)
    assert facts.smooth == (not wanted["kinks"] and not wanted["jumps"])


FLAT = {
    "step": ((-INF, INF),),
    "relu": ((-INF, 0),),
    "relu6": ((-INF, 0), (6, INF)),
    "hard_tanh": ((-INF, -1), (1, INF)),
    "hard_sigmoid": ((-INF, -3), (3, INF)),
    "hard_swish": ((-INF, -3),),
    "hard_shrink": ((-0.5, 0.5),),
    "soft_shrink": ((-0.5, 0.5),),
    "threshold": ((-INF, 1),),
    "smelu": ((-INF, -1),),
    "gelu": (),
    "elu": (),
    "tanh": (),
    "softplus": (),
    "leaky_relu": (),
    "sine": (),
}


@pytest.mark.parametrize("name", FLAT)
def test_flat_regions(name):
    assert catalogue[name].facts().flat == FLAT[name]


def test_saturation():
    # sigmoid: e/(1 + e)² = 1/4000; tanh is 2·sigmoid(2x) − 1; softsign: (1 + x)² = 1000; elu: eˣ = 1/1000
    sigmoid = math.log(1999 + math.sqrt(1999**2 - 1))
    expected = {
        "sigmoid": (-sigmoid, sigmoid),
        "tanh": (-sigmoid / 2, sigmoid / 2),
        "softsign": (1 - math.sqrt(1000), math.sqrt(1000) - 1),
        "elu": (-math.log(1000), None),
        "relu": (0, None),
        "hard_tanh": (-1, 1),
        "linear": (None, None),
        "leaky_relu": (None, None),
        "step": (None, None),
    }
    for name, sides in expected.items():
        assert catalogue[name].facts().saturation == pytest.approx(sides, abs=2e-9), name


@pytest.mark.parametrize(
    ("name", "weight_std"),
    [
        ("tanh", 1),
        ("relu", math.sqrt(2)),
        ("linear", 1),
        ("elu", 1),
        ("gelu", 2),
        ("silu", 2),
        ("mish", 5 / 3),
    ],
)
def test_critical_initialisation_in_closed_form(name, weight_std):
    critical = catalogue[name].facts().critical
    assert critical.weight_std == pytest.approx(weight_std, rel=1e-9)
    assert (critical.bias_std, critical.variance) == (0, 0)


@pytest.mark.parametrize("name", ["sigmoid", "hard_sigmoid"])
def test_critical_initialisation_solves_its_equations(name):
    activation = catalogue[name]
    critical = activation.facts().critical
    std = math.sqrt(critical.variance)
    edges = np.array([-10, -6, -3, 0, 3, 6, 10])

    def expectation(function):
        knots = np.unique(np.clip(np.concatenate([edges, edges * std]) / std, -10, 10))
        pieces = itertools.pairwise(knots)
        return sum(quad(lambda z: function(std * z) ** 2 * norm.pdf(z), *piece, epsabs=1e-13)[0] for piece in pieces)

    assert critical.weight_std**2 * expectation(activation.derivative) == pytest.approx(1, rel=1e-6)
    variance = critical.weight_std**2 * expectation(activation) + critical.bias_std**2
    assert variance == pytest.approx(critical.variance, rel=1e-6)


def test_no_critical_initialisation():
    assert catalogue["step"].facts().critical is None
    assert catalogue["softplus"].facts().critical is None


def test_functions_that_are_the_same():
    equals = {
        "linear": "leaky_relu(x, negative_slope=1)",
        "relu": "elu(x, alpha=0)",
        "leaky_relu": "prelu(x, negative_slope=0.01)",
        "tanh": "2*sigmoid(2*x) - 1",
    }
    for name, relation in equals.items():
        assert relation in catalogue[name].facts().equals


def test_grouping_functions_have_no_facts_of_one_variable():
    for name in ("softmax", "maxout"):
        assert catalogue[name].facts() == Facts(name)
        assert slope_supremum(catalogue[name]) is None


# Functions that are numbers only in places: value, derivative, range.
IN_PLACES = {
    "arcsin": (lambda x, xp: xp.arcsin(x), lambda x, xp: 1 / xp.sqrt(1 - x * x), (-math.pi / 2, math.pi / 2)),
    "circle": (lambda x, xp: xp.sqrt(4e-6 - x * x), lambda x, xp: -x / xp.sqrt(4e-6 - x * x), (0.0, 2e-3)),
    "log": (lambda x, xp: xp.log(x), lambda x, xp: 1 / xp.where(x >= 0, x, xp.nan), (-math.inf, math.inf)),
    "far": (lambda x, xp: xp.log(x - 5000), lambda x, xp: 1 / xp.where(x > 5000, x - 5000, xp.nan), None),
    "point": (lambda x, xp: xp.sqrt(-abs(x)), lambda x, xp: -xp.sign(x) / xp.sqrt(-abs(x)), (0.0, 0.0)),
    "nowhere": (lambda x, xp: x * xp.nan, lambda x, xp: x * xp.nan, (math.nan, math.nan)),
    "overflows": (lambda x, xp: xp.exp(xp.exp(x * x)), lambda x, xp: xp.exp(xp.exp(x * x)) * x, (math.e, math.inf)),
}


@pytest.mark.parametrize("name", IN_PLACES)
def test_a_function_that_is_no_number_in_places_is_measured_and_drawn(name):
    value, derivative, limits = IN_PLACES[name]
    one = replace(catalogue["tanh"], name=name, value_rule=value, derivative_rule=derivative, aliases=())
    measured = one.facts()
    assert measured.equals == ()
    assert measured.range is not None
    np.testing.assert_allclose(measured.range, measured.range if limits is None else limits, rtol=1e-6, atol=1e-8)
    json.dumps(measured.to_dict(), allow_nan=False)
    assert "<svg" in one._repr_html_()


def test_every_fact_says_how_exactly_it_is_known():
    measured = {"zero_centred", "monotone", "lipschitz", "name"}  # yes or no, or as exact as another one
    assert set(ACCURACY) == set(vars(catalogue["tanh"].facts())) - measured


def test_as_json():
    for activation in catalogue.values():
        table = activation.facts().to_dict()
        assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert catalogue["relu"].facts().to_dict()["flat"] == [["-inf", 0.0]]
    assert catalogue["tanh"].facts().to_dict()["critical"]["weight_std"] == 1.0


@pytest.mark.parametrize("name", list(catalogue))
def test_what_is_kept_is_what_is_measured_now(name):
    kept, found = known()[name], measure(catalogue[name])
    for fact in vars(found).keys() - {"critical"}:
        ours, now = getattr(kept, fact), getattr(found, fact)
        numbers = [np.array([np.nan if x is None else x for x in np.ravel(value)], float) for value in (ours, now)
                   if fact in ACCURACY and fact != "equals" and value is not None]  # fmt: skip
        if numbers:
            np.testing.assert_allclose(*numbers, rtol=ACCURACY[fact], atol=ACCURACY[fact], err_msg=fact)
        else:
            assert ours == now, fact
    if found.critical is None:
        assert kept.critical is None
    else:
        np.testing.assert_allclose(*(list(vars(one.critical).values()) for one in (kept, found)), atol=1e-6, rtol=1e-6)


def test_a_function_of_ones_own_with_a_kept_name_is_measured():
    double = replace(catalogue["sigmoid"], value_rule=lambda x, xp: 2 / (1 + xp.exp(-x)))
    assert double.facts().range == (0, 2)


def test_facts_are_kept():
    assert facts(catalogue["mish"]) is facts(catalogue["mish"])
