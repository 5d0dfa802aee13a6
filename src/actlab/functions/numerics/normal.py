"""The unit normal: density, tail and error function, accurate to the end of the tail."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.numerics.pieces import absolute, is_single, polynomial

# 2⁴³·e⁻³⁰·Φ(−t)·exp(t²/2)·(t + 3) as a polynomial in (t − 1.5)/(t + 3), highest power first, interpolated in
# 50 digits at Chebyshev nodes: for float32 up to t = 15 (relative error 1.2e−9), for float64 up to t = 40
# (3.2e−17). The argument is that of Shepherd and Laframboise, 1981, doi:10.1090/S0025-5718-1981-0595058-X,
# but centred on t = 1.5: centred on 3, rounding would cost 5 ulp near t = 0. The power of two, which loses nothing,
# keeps every coefficient above `_DROPPED`.
_TAIL_SINGLE = (
    0.0008110956946866539,
    -0.000566194303545257,
    -0.003019212867370255,
    -0.0005873616250058399,
    0.011125749744903093,
    0.010978743619587483,
    -0.05019575354775791,
    -0.05210435477522299,
    0.3921521628697892,
    -0.7424247996602908,
    0.7622061354476355,
)
_TAIL_DOUBLE = (
    -2.9572061562663628e-06,
    1.092850554327939e-05,
    -7.585101894632772e-06,
    -1.1468370086049304e-05,
    7.260077309018223e-06,
    4.295465999895074e-06,
    1.0018960344821965e-05,
    2.009025158543714e-05,
    -8.164712787178917e-06,
    -7.391726014202708e-05,
    -0.00010238279171734085,
    5.318917226328331e-05,
    0.00042097531440478294,
    0.0004910612638658781,
    -0.000743286232962321,
    -0.002825401265532292,
    -0.000572189717643271,
    0.011083022065113588,
    0.010981145632629937,
    -0.05019182749008767,
    -0.05210471100311802,
    0.39215203286781364,
    -0.742424790719138,
    0.7622061361709905,
)
_TAIL_SCALE = 2.0**-43
_DENSITY_SHIFT = 30.0
# erf(x)/x as a polynomial in x² for |x| ≤ 7/8; relative errors 2.2e−10 and 5.1e−21.
_ERF_SINGLE = (
    8.674353312085986e-05,
    -0.0008211182734408228,
    0.005206782237302845,
    -0.0268616100082738,
    0.11283733671917695,
    -0.3761263612468304,
    1.1283791668773964,
)
_ERF_DOUBLE = (
    6.614572262600827e-11,
    -1.1706804633115635e-09,
    1.4734279940172703e-08,
    -1.6359895222635417e-07,
    1.6461784600644023e-06,
    -1.4925637767487396e-05,
    0.00012055332652079168,
    -0.0008548327017657817,
    0.005223977625376794,
    -0.026866170645126856,
    0.11283791670955111,
    -0.37612638903183754,
    1.1283791670955126,
)


def normal_density(t: Any, xp: Any) -> Any:
    """e³⁰·exp(−t²/2) for 0 ≤ t ≤ 15 in float32, 0 ≤ t ≤ 40 in float64; accurate to about 2 ulp.

    t is split into h, whose square is exact and so is 30 − h²/2, and a rest that is small enough for a short
    polynomial: rounding t² would cost the tail t²/2 ulp. The factor e³⁰ keeps the exponential normal while
        what
    it is multiplied with makes a normal number; `normal_tail` and `DENSITY_AT_ZERO` carry e⁻³⁰.
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

    >>> t = np.array([0.0, 1.0])
    >>> normal_tail(t, np) * normal_density(t, np)
    array([0.5       , 0.15865525])
    """
    inverse = 1.0 / (t + 3.0)
    scaled = polynomial((t - 1.5) * inverse, _TAIL_SINGLE if is_single(t) else _TAIL_DOUBLE)
    return scaled * inverse * _TAIL_SCALE


def normal_near(x: Any, xp: Any) -> Any:
    """Φ(x) − ½ for |x| ≤ 1.2, 0 at 0 and without loss beside it; further out that of ±1.2.

    >>> normal_near(np.array([-1e-20, 1.0]), np)
    array([-3.98942280e-21,  3.41344746e-01])
    """
    near = xp.clip(x, -1.2, 1.2)
    square = 0.5 * near * near
    return near * (polynomial(square, _ERF_SINGLE if is_single(x) else _ERF_DOUBLE) * (0.5 / math.sqrt(2.0)))


def erf(x: Any, xp: Any) -> Any:
    """The error function.

    >>> erf(np.array([-9.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.52049988])
    """
    size = absolute(xp.clip(x, -9.0, 9.0), xp)
    scaled = math.sqrt(2) * size
    far = 1.0 - 2.0 * normal_density(scaled, xp) * normal_tail(scaled, xp)
    near_x = xp.clip(x, -0.875, 0.875)
    near = near_x * polynomial(near_x * near_x, _ERF_SINGLE if is_single(x) else _ERF_DOUBLE)
    return xp.where(size < 0.875, near, xp.where(x >= 0, far, -far))
