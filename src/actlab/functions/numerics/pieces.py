"""Small exact pieces: polynomials, |x|, products and masks that every library takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from actlab.functions.arrays import type_name

# PyTorch's ONNX exporter takes an added number of at most 1e−8 for 0, and drops it. Times 2⁵⁰ those here are larger,
# and so are float64's largest rounding errors finite.
_DROPPED, _LIFT = 1.1e-8, 2.0**50


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Evaluate a polynomial by Horner's rule, highest power first.

    Where a coefficient is so small that exporters would drop it, all are taken times a power of two, and the result
    divided by it, which loses nothing.

    >>> polynomial(2.0, (1.0, 0.0, 3.0)), polynomial(2.0, (1.0, 1e-9))
    (7.0, 2.000000001)
    """
    lifted = any(isinstance(c, float) and 0.0 < abs(c) < _DROPPED for c in coefficients[1:])
    if lifted:
        coefficients = [coefficient * _LIFT for coefficient in coefficients]
    result = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        result = result * x + coefficient
    return result * (1.0 / _LIFT) if lifted else result


def absolute(x: Any, xp: Any) -> Any:
    """|x| whose derivative at 0 is 1, that of the branch x ≥ 0.

    The functions here are even or odd pieces put together at 0; with the library's own |x|, whose derivative
    there is 0, automatic second derivatives would see neither piece.

    >>> import numpy as np
    >>> absolute(np.array([-2.0, 3.0]), np)
    array([2., 3.])
    """
    return xp.where(x >= 0, x, -x)


def left_part(x: Any, xp: Any) -> Any:
    """min(x, 0), whose derivative at 0 is that of the left piece and not half of it.

    >>> import numpy as np
    >>> left_part(np.array([-2.0, 0.0, 3.0]), np)
    array([-2.,  0.,  0.])
    """
    return xp.where(x > 0, 0.0, x)


def finite(x: Any, xp: Any) -> Any:
    """Infinities become the largest finite number, so that their differences and products with 0 are not NaN.

    >>> import numpy as np
    >>> bool(np.isfinite(finite(np.array([-np.inf, np.inf]), np)).all())
    True
    """
    largest = float(xp.finfo(x.dtype).max)
    return xp.clip(x, -largest, largest)


def sine_and_cosine(angle: Any, rest: Any, xp: Any) -> tuple[Any, Any]:
    """sin and cos of angle + rest, the rest what rounding took from the angle.

    >>> import numpy as np
    >>> [float(each.round(6)) for each in sine_and_cosine(np.ones(()), np.zeros(()), np)]
    [0.841471, 0.540302]
    """
    sine, cosine = xp.sin(angle), xp.cos(angle)
    small_sine, small_cosine = xp.sin(rest), xp.cos(rest)
    return sine * small_cosine + cosine * small_sine, cosine * small_cosine - sine * small_sine


def unless_nan(x: Any, xp: Any) -> Any:
    """1, but NaN where `x` is: as a factor it hands NaN on.

    >>> import numpy as np
    >>> unless_nan(np.array([np.inf, np.nan]), np)
    array([ 1., nan])
    """
    return xp.where(x == x, xp.ones_like(x), x)


def by_pieces(x: Any, xp: Any, points: Sequence[Any], slopes: Sequence[Any]) -> Any:
    """The derivative of straight pieces that meet at `points`: there, the one of the piece on the left.

    The slopes are one more than the points; NaN alone reaches the innermost branch, so that it is handed on at no cost
    of its own.

    >>> import numpy as np
    >>> by_pieces(np.array([0.0, 1.0, 2.0, np.nan]), np, (0.0, 1.0), (0.0, 0.5, 0.0))
    array([0. , 0.5, 0. , nan])
    """
    slope = xp.where(x <= points[0], slopes[0], x)
    for point, right in zip(points, slopes[1:], strict=True):
        slope = xp.where(x > point, right, slope)
    return slope


def straight(points: Sequence[Any], slopes: Sequence[Any]) -> Callable[..., Any]:
    """The derivative rule of straight pieces, see `by_pieces`; points and slopes are numbers, or names of parameters.

    >>> import numpy as np
    >>> straight((0.0,), ("negative_slope", 1.0))(np.array([-2.0, 3.0]), np, negative_slope=0.1)
    array([0.1, 1. ])
    """

    def derivative(x: Any, xp: Any, **parameters: Any) -> Any:
        known = [[parameters.get(given, given) for given in each] for each in (points, slopes)]
        return by_pieces(x, xp, *known)

    return derivative


def times(parameter: Any, x: Any, xp: Any) -> Any:
    """parameter·x, but 0 where the parameter is 0: at x = ±inf the product itself would be NaN.

    >>> import numpy as np
    >>> times(0.0, np.array([-np.inf, 2.0]), np), times(0.5, np.array([-np.inf, 2.0]), np)
    (array([0., 0.]), array([-inf,   1.]))
    """
    return parameter * xp.where(both(xp.isinf(x), parameter == 0), 0.0, x)


def both(mask: Any, condition: Any) -> Any:
    """mask & condition, of which either may be a plain truth value, as no saved trace of PyTorch may hold one.

    >>> import numpy as np
    >>> both(np.array([True, False]), True)
    array([ True, False])
    """
    mask, condition = (condition, mask) if isinstance(mask, bool) else (mask, condition)
    if isinstance(condition, bool) and not isinstance(mask, bool):
        return mask if condition else mask & ~mask
    return mask & condition


def either(mask: Any, condition: Any) -> Any:
    """mask | condition, likewise.

    >>> import numpy as np
    >>> either(np.array([True, False]), True)
    array([ True,  True])
    """
    mask, condition = (condition, mask) if isinstance(mask, bool) else (mask, condition)
    if isinstance(condition, bool) and not isinstance(mask, bool):
        return mask | ~mask if condition else mask
    return mask | condition


def is_single(x: Any) -> bool:
    """Say whether `x` is float32, so that the shorter of two polynomials is enough."""
    return type_name(x) == "float32"


def is_exactly(parameter: Any, number: float) -> bool:
    """Say whether a parameter is a plain number with this value, known before anything is computed.

    >>> import numpy as np
    >>> is_exactly(1.0, 1), is_exactly(np.ones(3), 1)
    (True, False)
    """
    return isinstance(parameter, (int, float)) and parameter == number


def coarse(number: Any, step: float, xp: Any) -> Any:
    """The multiple of 1/step at or below a plain number or array, so that products of two such are exact.

    >>> import numpy as np
    >>> coarse(2.7, 4.0, np), coarse(np.array([2.7]), 4.0, np)
    (2.5, array([2.5]))
    """
    return math.floor(number * step) / step if isinstance(number, (int, float)) else xp.floor(number * step) / step


def product(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """factor·x for both ≥ 0 as a sum of two parts ≥ 0, of which the first is exact as far as that is possible.

    `falling` makes an exponential of it, where rounding factor·x would cost as many ulp as the product is large. A
    plain number is taken in full, and as the fraction it was meant to be: 2/3, or 1.7145.

    >>> import numpy as np
    >>> first, second = product(1.1, np.array([3.3], dtype="float32"), np)
    >>> round(float(first[0]) + float(second[0]) - 1.1 * float(np.float32(3.3)), 9)
    0.0
    """
    step = 256.0 if is_single(x) else 2.0**20
    x = xp.minimum(x, 1e30)
    above, high = coarse(factor, step, xp), coarse(x, step, xp)
    below = factor - above
    if isinstance(factor, float) and float(Fraction(factor).limit_denominator(10_000)) == factor:
        below = float(Fraction(factor).limit_denominator(10_000) - Fraction(above))
    return above * high, above * (x - high) + below * x
