"""The unit normal: density, tail and error function, accurate to the end of the tail."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.numerics.coefficients import coefficients
from actlab.functions.numerics.pieces import absolute, is_single, polynomial

# The coefficients "normal_tail": 2⁴³·e⁻³⁰·Φ(−t)·exp(t²/2)·(t + 3) as a polynomial in (t − 1.5)/(t + 3), interpolated in
# 50 digits at Chebyshev nodes: for float32 up to t = 15 (relative error 1.2e−9), for float64 up to t = 40 (3.2e−17).
# The argument is that of Shepherd and Laframboise, 1981, doi:10.1090/S0025-5718-1981-0595058-X, but centred on t = 1.5:
# centred on 3, rounding would cost 5 ulp near t = 0. The power of two, which loses nothing, keeps every coefficient
# above `pieces._DROPPED`.
_TAIL_SCALE = 2.0**-43
_DENSITY_SHIFT = 30.0
# The coefficients "erf": erf(x)/x as a polynomial in x² for |x| ≤ 7/8, interpolated likewise; relative errors 2.2e−10
# and 5.1e−21.


def normal_density(t: Any, xp: Any) -> Any:
    """e³⁰·exp(−t²/2) for 0 ≤ t ≤ 15 in float32, 0 ≤ t ≤ 40 in float64; accurate to about 2 ulp.

    t is split into h, whose square is exact and so is 30 − h²/2, and a rest that is small enough for a short
    polynomial: rounding t² would cost the tail t²/2 ulp. The factor e³⁰ keeps the exponential a normal number where its
    products are normal; `normal_tail` and `DENSITY_AT_ZERO` carry e⁻³⁰.
    """
    step, terms = (256.0, 5) if is_single(t) else (2.0**20, 4)
    h = xp.floor(t * step) / step
    rest = -0.5 * (t - h) * (t + h)
    series = polynomial(rest, tuple(1.0 / math.factorial(k) for k in reversed(range(terms))))
    return xp.exp(_DENSITY_SHIFT - 0.5 * h * h) * series


#: Density of the unit normal at 0, 1/√(2π), times e⁻³⁰.
DENSITY_AT_ZERO = math.exp(-_DENSITY_SHIFT) / math.sqrt(2 * math.pi)


def normal_tail(t: Any, xp: Any) -> Any:
    """Φ(−t)·exp(t²/2)·e⁻³⁰, Φ the distribution function of the unit normal; t as in `normal_density`.

    Times `normal_density` it is Φ(−t) without underflow in between.

    >>> import numpy as np
    >>> t = np.array([0.0, 1.0])
    >>> normal_tail(t, np) * normal_density(t, np)
    array([0.5       , 0.15865525])
    """
    inverse = 1.0 / (t + 3.0)
    scaled = polynomial((t - 1.5) * inverse, coefficients("normal_tail", t))
    return scaled * inverse * _TAIL_SCALE


def normal_parts(x: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """x, up to where density and tail end; its size; and these two at it, `normal_density` and `normal_tail`.

    >>> import numpy as np
    >>> normal_parts(np.array([-np.inf, 1.0]), np)[0]
    array([-40.,   1.])
    """
    reach = 15.0 if is_single(x) else 40.0
    near = xp.clip(x, -reach, reach)
    size = absolute(near, xp)
    return near, size, normal_density(size, xp), normal_tail(size, xp)


def normal_near(x: Any, xp: Any) -> Any:
    """Φ(x) − ½ for |x| ≤ 1.2, 0 at 0 and without loss beside it; further out that of ±1.2.

    >>> import numpy as np
    >>> normal_near(np.array([-1e-20, 1.0]), np)
    array([-3.98942280e-21,  3.41344746e-01])
    """
    near = xp.clip(x, -1.2, 1.2)
    square = 0.5 * near * near
    return near * (polynomial(square, coefficients("erf", x)) * (0.5 / math.sqrt(2.0)))


def erf(x: Any, xp: Any) -> Any:
    """The error function.

    >>> import numpy as np
    >>> erf(np.array([-9.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.52049988])
    """
    size = absolute(xp.clip(x, -9.0, 9.0), xp)
    scaled = math.sqrt(2) * size
    far = 1.0 - 2.0 * normal_density(scaled, xp) * normal_tail(scaled, xp)
    near_x = xp.clip(x, -0.875, 0.875)
    near = near_x * polynomial(near_x * near_x, coefficients("erf", x))
    return xp.where(size < 0.875, near, xp.where(x >= 0, far, -far))
