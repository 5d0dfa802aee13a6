"""Radial functions: bells and bowls around 0, as radial basis networks have used them since 1988."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import Scaled, above_zero, absolute, coefficients, decay, finite, is_single, polynomial


def _bell(x: Any, xp: Any, rate: float) -> tuple[Scaled, Any]:
    """exp(−rate·x²), and x clipped to where it has not underflowed; rate 1 or ½.

    |x| is split into h, whose square is exact, and a rest that is small enough for a short polynomial: rounding x²
    would cost the tail x² ulp.
    """
    reach, step, terms = (15.0, 256.0, 6) if is_single(x) else (40.0, 2.0**20, 5)
    near = xp.clip(x, -reach, reach)
    size = absolute(near, xp)
    h = xp.floor(size * step) / step
    rest = -rate * (size - h) * (size + h)
    series = polynomial(rest, tuple(1.0 / math.factorial(k) for k in reversed(range(terms))))
    exponent = -rate * h * h
    return decay(exponent, exponent, xp).times(series), near


def _gaussian(x: Any, xp: Any) -> Any:
    bell, _ = _bell(x, xp, 1.0)
    return bell.plain(xp)


def _gaussian_derivative(x: Any, xp: Any) -> Any:
    bell, near = _bell(x, xp, 1.0)
    return bell.times(-2.0 * near).plain(xp)


def _mexican_hat(x: Any, xp: Any) -> Any:
    bell, near = _bell(x, xp, 0.5)
    return bell.times((1.0 - near) * (1.0 + near)).plain(xp)


def _mexican_hat_derivative(x: Any, xp: Any) -> Any:
    # x(x² − 3), where x² − 3 = (x − r)(x + r) + (r² − 3): beside the root nothing is lost. The table has r = √3
    # rounded to the type, and r² − 3.
    bell, near = _bell(x, xp, 0.5)
    size = absolute(near, xp)
    root, rest = coefficients("root_of_three", x)
    difference = polynomial((size - root) * (size + root), (1.0, rest))
    return bell.times(difference * near).plain(xp)


def _scaled(x: Any, xp: Any, width: Any) -> tuple[Any, Any, Any]:
    """m = max(|x|, width), x/m, and (x/m)² + (width/m)², of which none overflows; x finite."""
    size = absolute(x, xp)
    big = size > width
    larger = xp.where(big, size, width)
    # Beyond the width x/m is the sign of x; a quotient would give it a slope of rounding errors.
    sign = xp.where(x >= 0, 1.0, xp.where(x < 0, -1.0, x))
    ratio = xp.where(big, width, size) / larger
    return larger, xp.where(big, sign, x / larger), 1.0 + ratio * ratio


def _multiquadratic(x: Any, xp: Any, width: Any) -> Any:
    larger, _, square = _scaled(finite(x, xp), xp, width)
    return xp.where(xp.isinf(x), absolute(x, xp), larger * xp.sqrt(square))


def _multiquadratic_derivative(x: Any, xp: Any, width: Any) -> Any:
    _, quotient, square = _scaled(finite(x, xp), xp, width)
    return quotient / xp.sqrt(square)


def _multiquadratic_by_width(x: Any, xp: Any, width: Any) -> Any:
    larger, _, square = _scaled(finite(x, xp), xp, width)
    return width / larger / xp.sqrt(square)


def _inverse_multiquadratic(x: Any, xp: Any, width: Any) -> Any:
    larger, _, square = _scaled(finite(x, xp), xp, width)
    return xp.where(xp.isinf(x), 0.0, 1.0 / larger / xp.sqrt(square))


def _inverse_multiquadratic_derivative(x: Any, xp: Any, width: Any) -> Any:
    larger, quotient, square = _scaled(finite(x, xp), xp, width)
    return -(quotient / (square * xp.sqrt(square)) / larger) / larger


def _inverse_multiquadratic_by_width(x: Any, xp: Any, width: Any) -> Any:
    larger, _, square = _scaled(finite(x, xp), xp, width)
    return -(width / larger / (square * xp.sqrt(square)) / larger) / larger


gaussian = Activation(
    name="gaussian",
    title="Gaussian",
    formula=Formula("exp(-x^2)", r"e^{-x^2}"),
    family="radial",
    year=1988,
    source="Broomhead and Lowe, Multivariable functional interpolation and adaptive networks, Complex Systems 2, 1988",
    value_rule=_gaussian,
    derivative_rule=_gaussian_derivative,
    aliases=("radial_basis",),
    notes="Of height 1 and without the ½ of the normal density, exp(-x^2/2).",
)

multiquadratic = Activation(
    name="multiquadratic",
    title="Multiquadratic",
    formula=Formula("sqrt(x^2 + width^2)", r"\sqrt{x^2 + a^2}"),
    family="radial",
    year=1971,
    source="Hardy, 1971, doi:10.1029/JB076i008p01905",
    value_rule=_multiquadratic,
    derivative_rule=_multiquadratic_derivative,
    aliases=("multiquadric",),
    parameters=(Parameter("width", 1.0, low=0.0),),
    parameter_derivatives={"width": _multiquadratic_by_width},
    constraint=above_zero("width"),
    notes="Others write sqrt(1 + (e*x)^2), with the shape parameter e = 1/width: width times less.",
)

inverse_multiquadratic = Activation(
    name="inverse_multiquadratic",
    title="Inverse multiquadratic",
    formula=Formula("1/sqrt(x^2 + width^2)", r"\frac{1}{\sqrt{x^2 + a^2}}"),
    family="radial",
    year=1986,
    source="Micchelli, 1986, doi:10.1007/BF01893414",
    value_rule=_inverse_multiquadratic,
    derivative_rule=_inverse_multiquadratic_derivative,
    aliases=("inverse_multiquadric",),
    parameters=(Parameter("width", 1.0, low=0.0),),
    parameter_derivatives={"width": _inverse_multiquadratic_by_width},
    constraint=above_zero("width"),
    notes="Others write 1/sqrt(1 + (e*x)^2), with the shape parameter e = 1/width: width times as large.",
)

mexican_hat = Activation(
    name="mexican_hat",
    title="Mexican hat",
    formula=Formula("(1 - x^2)*exp(-x^2/2)", r"(1 - x^2) \, e^{-x^2/2}"),
    family="radial",
    year=1953,
    source="Ricker, 1953, doi:10.1190/1.1437843; in networks Zhang and Benveniste, 1992, doi:10.1109/72.165591",
    value_rule=_mexican_hat,
    derivative_rule=_mexican_hat_derivative,
    aliases=("ricker",),
    notes="Normalised to height 1 at 0; as a wavelet of unit energy it is 2/(sqrt(3)*pi^(1/4)) = 0.867 times that. "
    "The Mexican hats of the Mexican ReLU are piecewise linear functions.",
)

FUNCTIONS = (gaussian, multiquadratic, inverse_multiquadratic, mexican_hat)
