"""Polynomials and quotients of polynomials whose coefficients a network learns: PolyReLU and PAU."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import absolute, finite, is_exactly, polynomial, through_roots, times

# Leaky ReLU on [−3, 3] as fitted by the authors of PAU: a0 to a5, and b1 to b4.
_NUMERATOR = (
    0.03355815890668059,
    0.5049940948281444,
    1.6534163637528791,
    2.0099850112036783,
    0.9318900490866645,
    0.1524224383838956,
)
_DENOMINATOR = (-5.748546580824416e-05, 3.9802477853818083, -4.2529808614931225e-05, 0.3018338162009311)
# Middle of −1 ≤ x ≤ −¼, where the terms of the numerator cancel.
_MIDDLE = -0.625


def _poly_relu(x: Any, xp: Any, a0: Any, a1: Any, a2: Any, a3: Any) -> Any:
    right = xp.maximum(x, 0.0)
    return times(times(times(a3, right, xp) + a2, right, xp) + a1, right, xp) + a0


def _poly_relu_derivative(x: Any, xp: Any, a0: Any, a1: Any, a2: Any, a3: Any) -> Any:
    right = xp.where(x > 0, x, 0.0)
    slope = times(times(3.0 * a3, right, xp) + 2.0 * a2, right, xp) + a1
    return xp.where(x > 0, slope, xp.where(x <= 0, 0.0, x))


def _power_of_relu(power: int) -> Any:
    def by_coefficient(x: Any, xp: Any, **_: Any) -> Any:
        return xp.maximum(x, 0.0) ** power if power else xp.ones_like(x)

    return by_coefficient


def _inside(x: Any, xp: Any) -> tuple[Any, Any, Any]:
    """Where |x| ≤ 1; x there, else 0; and 1/x elsewhere, in which no power overflows."""
    inside = absolute(x, xp) <= 1.0
    return inside, xp.where(inside, x, 0.0), 1.0 / xp.where(inside, 1.0, x)


def _above_zero(denominator: Any, x: Any, xp: Any) -> Any:
    return xp.maximum(denominator, float(xp.finfo(x.dtype).tiny))


def _pau(x: Any, xp: Any, **parameters: Any) -> Any:
    a, b = _coefficients(parameters)
    inside, near, inverse = _inside(x, xp)
    inner = _numerator(near, a[::-1], xp) / (1.0 + absolute(near * polynomial(near, b[::-1]), xp))
    below = _above_zero(inverse**4 + absolute(polynomial(inverse, b), xp), x, xp)
    outer = finite(x, xp) * (_numerator(inverse, a, xp) / below)
    outer = xp.where(xp.isinf(x) & (outer != 0), xp.sign(outer) * absolute(x, xp), outer)
    value = xp.where(inside, inner, xp.where(xp.isnan(x), x, outer))
    return through_roots(value, x, xp, "pau.value") if _is_start(parameters) else value


def _pau_derivative(x: Any, xp: Any, **parameters: Any) -> Any:
    a, b = _coefficients(parameters)
    inside, near, inverse = _inside(x, xp)
    q, q_slope = polynomial(near, b[::-1]), polynomial(near, _slopes((0.0, *b))[::-1])
    side = _side(xp.sign(near) * xp.sign(q), q_slope, xp)
    below = 1.0 + side * (near * q)
    above = _numerator(near, a[::-1], xp) / below
    inner = (_numerator(near, _slopes(a)[::-1], xp) - above * (side * q_slope)) / below
    # The same divided through by powers of x.
    q, q_slope = polynomial(inverse, b), polynomial(inverse, _slopes((0.0, *b)))
    side = _side(xp.sign(q), q_slope * inverse, xp)
    below = _above_zero(inverse**4 + side * q, x, xp)
    outer = (_numerator(inverse, _slopes(a), xp) - _numerator(inverse, a, xp) / below * (side * q_slope)) / below
    slope = xp.where(inside, inner, xp.where(xp.isnan(x), x, outer))
    return through_roots(slope, x, xp, "pau") if _is_start(parameters) else slope


def _side(sign: Any, slope: Any, xp: Any) -> Any:
    """The sign of Q, and at a zero of it the sign that it has on the left."""
    return xp.where(sign == 0, -xp.sign(slope), sign)


def _numerator(x: Any, coefficients: tuple[Any, ...], xp: Any) -> Any:
    """A polynomial for |x| ≤ 1, highest power first; where its terms cancel, by its expansion in the middle there.

    That needs coefficients that are plain numbers; the numerator of something like ReLU is small for x < 0.
    """
    value = polynomial(x, coefficients)
    if not all(isinstance(coefficient, (int, float)) for coefficient in coefficients):
        return value
    return xp.where(x < -0.25, polynomial(x - _MIDDLE, _expansion(coefficients)), value)


@functools.lru_cache(maxsize=64)
def _expansion(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """Coefficients of a polynomial around the middle, highest power first, from exact arithmetic."""
    rest, found = [Fraction(coefficient) for coefficient in coefficients], []
    while rest:
        for k in range(1, len(rest)):
            rest[k] += rest[k - 1] * Fraction(_MIDDLE)
        found.append(float(rest.pop()))
    return tuple(reversed(found))


def _coefficients(parameters: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(parameters[f"a{k}"] for k in range(6)), tuple(parameters[f"b{k}"] for k in range(1, 5))


def _slopes(coefficients: tuple[Any, ...]) -> tuple[Any, ...]:
    """Coefficients of the derivative of a polynomial, lowest power first as those that are given."""
    return tuple(k * coefficient for k, coefficient in enumerate(coefficients) if k)


def _is_start(parameters: dict[str, Any]) -> bool:
    a, b = _coefficients(parameters)
    return all(map(is_exactly, (*a, *b), (*_NUMERATOR, *_DENOMINATOR)))


poly_relu = Activation(
    name="poly_relu",
    title="PolyReLU",
    formula=Formula(
        "a0 + a1*r + a2*r^2 + a3*r^3, r = max(x, 0), all learnt",
        r"\sum_{i=0}^{3} a_i \max(x, 0)^i,\ a_i \text{ learnt}",
    ),
    family="rational",
    year=2024,
    source="Zhuo, Wang, Zeng, Li, Zhou and Ma, Polynomial composition activations, 2024, arXiv:2411.03884",
    value_rule=_poly_relu,
    derivative_rule=_poly_relu_derivative,
    parameters=(
        Parameter("a0", 0.0, trainable=True),
        Parameter("a1", 1 / 3, trainable=True),
        Parameter("a2", 1 / 3, trainable=True),
        Parameter("a3", 1 / 3, trainable=True),
    ),
    parameter_derivatives={f"a{k}": _power_of_relu(k) for k in range(4)},
)

pau = Activation(
    name="pau",
    title="PAU (rational)",
    formula=Formula(
        "(a0 + a1*x + ... + a5*x^5)/(1 + |b1*x + ... + b4*x^4|), all learnt",
        r"\frac{\sum_{j=0}^{5} a_j x^j}{1 + |\sum_{k=1}^{4} b_k x^k|},\ a_j, b_k \text{ learnt}",
    ),
    family="rational",
    year=2019,
    source="Molina, Schramowski and Kersting, Padé activation units, 2019, arXiv:1907.06732",
    value_rule=_pau,
    derivative_rule=_pau_derivative,
    aliases=("rational", "pade_activation_unit"),
    parameters=(
        *(Parameter(f"a{k}", start, trainable=True) for k, start in enumerate(_NUMERATOR)),
        *(Parameter(f"b{k}", start, trainable=True) for k, start in enumerate(_DENOMINATOR, 1)),
    ),
    notes="The safe form, one |·| around the whole sum: version B of the authors' package rational_activations, whose "
    "coefficients for leaky ReLU on [−3, 3] it starts at. (Their version A, to which the paper's table fits, has |·| "
    "around every term.) Where the sum changes its sign there is a kink, at the start at 0 and 1.4e−5, both hardly "
    "visible; in a few floating-point numbers next to such a place the derivative may be that of the other side. "
    "Beside the roots of value and derivative it is accurate to ulps at the default parameters alone.",
)

FUNCTIONS = (poly_relu, pau)
