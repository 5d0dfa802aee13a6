"""The measured facts against closed forms and independent integrals."""

import itertools
import json
import math
import time

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from actlab.functions import Facts, catalogue, slope_supremum
from actlab.functions.facts import facts

ELEMENTWISE = [name for name, activation in catalogue.items() if activation.kind == "elementwise"]
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
        expected = None if name in ("gelu", "silu", "mish") else "increasing"
        assert catalogue[name].facts().monotone == expected, name


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_mean_and_gain_against_adaptive_integration(name):
    activation = catalogue[name]
    edges = [-12, -3, -1, 0, 1, 3, 12]

    def expectation(function):
        pieces = itertools.pairwise(edges)
        return sum(quad(lambda z: function(z) * norm.pdf(z), *piece, epsabs=1e-12)[0] for piece in pieces)

    facts = activation.facts()
    assert facts.mean_under_unit_normal == pytest.approx(expectation(activation), abs=1e-10)
    assert facts.gain == pytest.approx(expectation(lambda z: activation(z) ** 2) ** -0.5, rel=1e-9)
    assert facts.zero_centred == (name in ("linear", "tanh", "softsign", "hard_tanh", "selu"))


def test_gains_in_closed_form():
    assert catalogue["relu"].facts().gain == pytest.approx(math.sqrt(2), rel=1e-12)
    assert catalogue["linear"].facts().gain == pytest.approx(1, rel=1e-12)
    assert catalogue["leaky_relu"].facts().gain == pytest.approx(math.sqrt(2 / (1 + 0.01**2)), rel=1e-12)
    # SELU's fixed point: mean 0 and variance 1 stay.
    assert catalogue["selu"].facts().gain == pytest.approx(1, rel=1e-12)
    assert catalogue["selu"].facts().mean_under_unit_normal == pytest.approx(0, abs=1e-12)


def test_kinks_and_jumps():
    kinks = {"hard_sigmoid": (-3, 3), "hard_tanh": (-1, 1)} | dict.fromkeys(
        ("relu", "leaky_relu", "prelu", "selu"), (0,)
    )
    for name in ELEMENTWISE:
        facts = catalogue[name].facts()
        assert facts.kinks == kinks.get(name, ()), name
        assert facts.jumps == ((0,) if name == "step" else ()), name


def test_flat_regions():
    flat = {
        "step": ((-INF, INF),),
        "relu": ((-INF, 0),),
        "hard_tanh": ((-INF, -1), (1, INF)),
        "hard_sigmoid": ((-INF, -3), (3, INF)),
    }
    for name in ELEMENTWISE:
        assert catalogue[name].facts().flat == flat.get(name, ()), name


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
        "linear": ("leaky_relu(negative_slope=1)", "prelu(negative_slope=1)"),
        "relu": ("leaky_relu(negative_slope=0)", "prelu(negative_slope=0)", "elu(alpha=0)"),
        "leaky_relu": ("prelu(negative_slope=0.01)",),
        "prelu": ("leaky_relu(negative_slope=0.25)",),
    }
    for name in catalogue:
        assert catalogue[name].facts().equals == equals.get(name, ()), name


def test_grouping_functions_have_no_facts_of_one_variable():
    for name in ("softmax", "maxout"):
        assert catalogue[name].facts() == Facts(name)
        assert slope_supremum(catalogue[name]) is None


def test_as_json():
    for activation in catalogue.values():
        table = activation.facts().to_dict()
        assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert catalogue["relu"].facts().to_dict()["flat"] == [["-inf", 0.0]]
    assert catalogue["tanh"].facts().to_dict()["critical"]["weight_std"] == 1.0


def test_facts_are_kept():
    first = facts(catalogue["mish"])
    start = time.perf_counter()
    assert facts(catalogue["mish"]) is first
    assert time.perf_counter() - start < 0.01
