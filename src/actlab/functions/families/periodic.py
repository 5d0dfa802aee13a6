"""Functions that oscillate: sine, cosine, SIREN, Snake, GCU and sinc."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import (
    above_zero,
    absolute,
    coefficients,
    is_exactly,
    is_single,
    polynomial,
    sine_and_cosine,
    through_roots,
)

# (sinc)'(x)/x as a polynomial in x², highest power first: Taylor's, Σ (−1)ᵏ 2k x²ᵏ⁻²/(2k + 1)!.
_SINC_SLOPE = tuple((-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in reversed(range(1, 13)))
_NEAR = 1.5
# (d − ½ sin 2d)/d³ as a polynomial in d², likewise: Σ (−1)ᵏ⁺¹ 4ᵏ d²ᵏ⁻²/(2k + 1)!.
_RISE = tuple((-1) ** (k + 1) * 4**k / math.factorial(2 * k + 1) for k in reversed(range(1, 11)))


def _finite(x: Any, xp: Any) -> tuple[Any, Any]:
    """x with 0 in place of ±inf, where neither library defines sine and cosine, and the mask of these places."""
    infinite = xp.isinf(x)
    return xp.where(infinite, xp.zeros_like(x), x), infinite


def _sine(x: Any, xp: Any) -> Any:
    finite, _ = _finite(x, xp)
    return xp.sin(finite)


def _cosine(x: Any, xp: Any) -> Any:
    finite, infinite = _finite(x, xp)
    return xp.where(infinite, 0.0, xp.cos(finite))


def _cosine_derivative(x: Any, xp: Any) -> Any:
    return -_sine(x, xp)


def _halves(x: Any, xp: Any) -> tuple[Any, Any]:
    """The upper half of the digits of x and the rest: products of such halves are exact.

    Only powers of two multiply, so that a compiler may contract products and sums without changing anything; and x
    is scaled down in between, so that nothing overflows.
    """
    scaled = x * 2.0**-30
    shifted = scaled * (2.0**12 if is_single(x) else 2.0**27)
    upper = ((shifted + scaled) - shifted) * 2.0**30
    return upper, x - upper


def _product(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """factor·x and what rounding took from it, |x| at most 2⁻⁷ of the largest number.

    The rest is what makes sin(factor·x) accurate: the product alone is off by |factor·x|/2 ulp of 1.
    """
    if is_exactly(factor, 1.0):
        return x, xp.zeros_like(x)
    factor = factor * xp.ones_like(x)
    largest = float(xp.finfo(x.dtype).max)
    product = xp.clip(factor * x, -largest, largest)
    (a, a_rest), (b, b_rest) = _halves(factor, xp), _halves(x, xp)
    rest = ((a * b - product) + a * b_rest + a_rest * b) + a_rest * b_rest
    # Of a small angle the rest is negligible, and its parts may be subnormal.
    return product, xp.where(absolute(x, xp) > 1e-9, rest, xp.zeros_like(x))


def _of_multiple(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """sin and cos of factor·x; both 0 at ±inf."""
    finite, infinite = _finite(x, xp)
    if is_exactly(factor, 1.0):
        sine, cosine = xp.sin(finite), xp.cos(finite)
    else:
        # Where factor·x may overflow, of a 64th of it, doubled six times.
        huge = absolute(finite, xp) > float(xp.finfo(x.dtype).max) / 128
        sine, cosine = sine_and_cosine(*_product(factor, xp.where(huge, finite / 64, finite), xp), xp)
        doubled = sine, cosine
        for _ in range(6):
            doubled = 2.0 * doubled[0] * doubled[1], 1.0 - 2.0 * doubled[0] * doubled[0]
        sine, cosine = xp.where(huge, doubled[0], sine), xp.where(huge, doubled[1], cosine)
    return xp.where(infinite, 0.0, sine), xp.where(infinite, 0.0, cosine)


def _siren(x: Any, xp: Any, omega: Any) -> Any:
    return _of_multiple(omega, x, xp)[0]


def _siren_derivative(x: Any, xp: Any, omega: Any) -> Any:
    return omega * _of_multiple(omega, x, xp)[1]


def _siren_by_omega(x: Any, xp: Any, omega: Any) -> Any:
    return _finite(x, xp)[0] * _of_multiple(omega, x, xp)[1]


def _snake(x: Any, xp: Any, alpha: Any) -> Any:
    sine, _ = _of_multiple(alpha, x, xp)
    usual = x + sine * (sine / alpha)
    # Beside αx = −π/4 the sum of two opposite slopes would go up and down by an ulp: with d = αx + π/4 it is there
    # (½ − π/4 + d − ½ sin 2d)/α.
    distance = alpha * x + math.pi / 4
    near = absolute(distance, xp) < 0.5
    distance = xp.where(near, distance, xp.zeros_like(x))
    square = distance * distance
    rise = distance * square * polynomial(square, _RISE[5:] if is_single(x) else _RISE)
    return xp.where(near, (0.5 - math.pi / 4 + rise) / alpha, usual)


def _snake_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    # 1 + sin(2αx) = 2 sin²(αx + π/4), where the sum keeps what rounding takes from it: nothing cancels at the roots.
    finite, infinite = _finite(x, xp)
    high, low = coefficients("eighth_turn", x)  # π/4 rounded to the type, and what is missing from it
    angle, rest = _product(alpha, finite, xp)
    total = angle + high
    second = total - angle
    rest = polynomial(rest + ((angle - (total - second)) + (high - second)), (1.0, low))
    sine, _ = sine_and_cosine(total, rest, xp)
    return xp.where(infinite, 1.0, 2.0 * sine * sine)


def _snake_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    sine, cosine = _of_multiple(alpha, x, xp)
    return (sine / alpha) * (2.0 * _finite(x, xp)[0] * cosine - sine / alpha)


def _gcu(x: Any, xp: Any) -> Any:
    finite, _ = _finite(x, xp)
    return finite * xp.cos(finite)


def _gcu_derivative(x: Any, xp: Any) -> Any:
    finite, infinite = _finite(x, xp)
    # At the further roots the slope is so large that rounding does not change the sign.
    slope = through_roots(xp.cos(finite) - finite * xp.sin(finite), finite, xp, "gcu")
    return xp.where(infinite, 0.0, slope)


def _sinc(x: Any, xp: Any) -> Any:
    finite, infinite = _finite(x, xp)
    zero = finite == 0
    quotient = xp.sin(finite) / xp.where(zero, 1.0, finite)
    return xp.where(infinite, 0.0, xp.where(zero, 1.0, quotient))


def _sinc_derivative(x: Any, xp: Any) -> Any:
    finite, infinite = _finite(x, xp)
    near = absolute(finite, xp) < _NEAR
    small = xp.where(near, finite, xp.zeros_like(x))
    large = xp.where(near, xp.full_like(x, _NEAR), finite)
    slope = small * polynomial(small * small, _SINC_SLOPE[5:] if is_single(x) else _SINC_SLOPE)
    # (x cos x − sin x)/x² without x², which overflows
    far = (xp.cos(large) - xp.sin(large) / large) / large
    return xp.where(infinite, 0.0, xp.where(near, slope, far))


_AT_INFINITY = "It has no limit: at ±inf value and derivative are set to 0."

sine = Activation(
    name="sine",
    title="Sine",
    formula=Formula("sin(x)", r"\sin(x)"),
    family="periodic",
    year=1999,
    source="Sopena, Romero and Alquézar, 1999, doi:10.1049/cp:19991129",
    value_rule=_sine,
    derivative_rule=_cosine,
    aliases=("sin",),
    notes=_AT_INFINITY,
)

cosine = Activation(
    name="cosine",
    title="Cosine",
    formula=Formula("cos(x)", r"\cos(x)"),
    family="periodic",
    year=1988,
    source="Gallant and White, 1988, doi:10.1109/ICNN.1988.23903, there squashed to one half wave",
    value_rule=_cosine,
    derivative_rule=_cosine_derivative,
    aliases=("cos",),
    notes=_AT_INFINITY,
)

siren = Activation(
    name="siren",
    title="SIREN",
    formula=Formula("sin(omega*x)", r"\sin(\omega x)"),
    family="periodic",
    year=2020,
    source="Sitzmann, Martel, Bergman, Lindell and Wetzstein, 2020, arXiv:2006.09661",
    value_rule=_siren,
    derivative_rule=_siren_derivative,
    parameters=(Parameter("omega", 30.0),),
    parameter_derivatives={"omega": _siren_by_omega},
    notes=_AT_INFINITY
    + " The product omega*x is not rounded, so it is as accurate as sine where |omega*x| < 2^20; beyond, the absolute "
    "error is 2e-7 in float32 and 4e-16 in float64 (100 times that in the last seven binades), and beside a root the "
    "relative error up to 1e-3 and 1e-12.",
)

snake = Activation(
    name="snake",
    title="Snake",
    formula=Formula("x + sin(alpha*x)^2/alpha", r"x + \frac{1}{\alpha} \sin^2(\alpha x)"),
    family="periodic",
    year=2020,
    source="Ziyin, Hartwig and Ueda, 2020, arXiv:2006.08195",
    value_rule=_snake,
    derivative_rule=_snake_derivative,
    parameters=(Parameter("alpha", 1.0, trainable=True, low=0.0),),
    parameter_derivatives={"alpha": _snake_by_alpha},
    constraint=above_zero("alpha"),
    notes="Its derivative has no limit: at ±inf it is set to 1, its mean. Where "
    "|alpha*x| > 2^20 its absolute error is 4e-7 in float32, which beside a root is a relative error of up to 5e-4.",
)

gcu = Activation(
    name="gcu",
    title="Growing cosine unit",
    formula=Formula("x*cos(x)", r"x \cos(x)"),
    family="periodic",
    year=2021,
    source="Noel, Arunkumar, Trivedi and Dutta, 2021, arXiv:2108.12943",
    value_rule=_gcu,
    derivative_rule=_gcu_derivative,
    aliases=("growing_cosine",),
    notes=_AT_INFINITY + " Beside the roots of its derivative this is accurate to 2e-6 in float32, its sign is right.",
)

sinc = Activation(
    name="sinc",
    title="Sinc",
    formula=Formula("sin(x)/x", r"\frac{\sin(x)}{x}"),
    family="periodic",
    year=2008,
    source="Efe, Novel neuronal activation functions for feedforward neural networks, Neural Processing Letters, 2008; "
    "for coordinates Saratchandran and others, 2024, arXiv:2402.05427",
    value_rule=_sinc,
    derivative_rule=_sinc_derivative,
    notes="Formula as commonly implemented, not normalised; NumPy's sinc is sin(pi*x)/(pi*x), and which one Efe takes "
    "could not be confirmed. Beside the roots of its derivative this is accurate to 2e-6 in float32, its sign is "
    "right.",
)

FUNCTIONS = (sine, cosine, siren, snake, gcu, sinc)
