"""Exponentials that neither overflow nor lose digits, and what is made of them: tanh, expm1, Gompertz' curve."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.numerics.pieces import absolute, is_single, polynomial, product

# Below −80, exp(x) is taken as exp(x + 32)·exp(−32): the first factor stays a normal number (XLA flushes the
# others to zero) in products like x·exp(x) that are normal still; both −80 + 32 and the sum 1 + exp(−48) are
# exact.
_FAR, _SHIFT, _UNSHIFT = -80.0, 32.0, math.exp(-32.0)
# (tanh(x)/x − 1)/x² as a polynomial in x² for |x| ≤ 5/8 (relative error of tanh 1.7e−8, 4.1e−17), and (eˣ − 1
# − x)/x² as one in x for −0.7 ≤ x ≤ 0 (of eˣ − 1: 9.4e−10, 1.1e−18); interpolated as above.
_TANH_SINGLE = (
    -0.006096714165908197,
    0.020997178999074752,
    -0.05385090957851358,
    0.13332769736976327,
    -0.33333328944134255,
)
_TANH_DOUBLE = (
    -1.724487449484433e-05,
    7.959955735264808e-05,
    -0.00023077616269519857,
    0.0005874372860094381,
    -0.001455309297534642,
    0.0035920589774734554,
    -0.008863229830925709,
    0.021869488260559115,
    -0.05396825396139557,
    0.13333333333326658,
    -0.3333333333333332,
)
_EXPM1_SINGLE = (
    0.00015318509273815314,
    0.0013549320324953542,
    0.008321282588749777,
    0.04166471275924074,
    0.16666655009858,
    0.49999999886795043,
)
_EXPM1_DOUBLE = (
    1.5562991015725103e-09,
    2.4213936178477727e-08,
    2.748060254827596e-07,
    2.755291193085996e-06,
    2.480142376828825e-05,
    0.00019841265932179708,
    0.0013888888830518855,
    0.008333333332824176,
    0.04166666666664386,
    0.16666666666666627,
    0.5,
)


def decay(x: Any, exponent: Any, xp: Any) -> tuple[Any, Any]:
    """exp(exponent), but e³² times as large where x < −80, and the mask of these places.

    The exponent is at most 0, and is x itself where x < 0. `undecay` takes the factor back out of a
    product; in a sum with 1 the term is negligible there either way. Value and derivative of a function call
    this alike, so that a compiler computes one exponential for both.
    """
    far = x < _FAR
    return xp.exp(xp.where(far, x + _SHIFT, exponent)), far


def undecay(product: Any, far: Any, xp: Any) -> Any:
    """Take `decay`'s factor out of a product, as the last step, so that only the result can be subnormal.

    >>> x = np.array([-90.0], dtype="float32")
    >>> exponential, far = decay(x, x, np)
    >>> bool(undecay(100 * exponential, far, np)[0] > 8.19e-38)
    True
    """
    return xp.where(far, product * _UNSHIFT, product)


def tanh(x: Any, xp: Any) -> Any:
    """tanh(x) from an exponential, or a polynomial near 0; XLA's own is 7 ulp off and not monotone near ±1.

    >>> tanh(np.array([-40.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.46211716])
    """
    size = absolute(x, xp)
    exponential, _ = decay(-2.0 * size, -2.0 * size, xp)
    far = 1.0 - 2.0 * exponential / (1.0 + exponential)
    square = x * x
    near = x + x * square * polynomial(square, _TANH_SINGLE if is_single(x) else _TANH_DOUBLE)
    return xp.where(size < 0.625, near, xp.where(x >= 0, far, -far))


def exponential_minus_one(x: Any, xp: Any) -> Any:
    """exp(x) − 1 for x ≤ 0, without loss near 0; more accurate and cheaper than XLA's own.

    >>> exponential_minus_one(np.array([-np.inf, -1e-20, 0.0]), np)
    array([-1.e+00, -1.e-20,  0.e+00])
    """
    near = xp.maximum(x, -0.7)
    series = near + near * near * polynomial(near, _EXPM1_SINGLE if is_single(x) else _EXPM1_DOUBLE)
    return xp.where(x > -0.7, series, decay(x, x, xp)[0] - 1.0)


def gompertz(x: Any, xp: Any) -> tuple[Any, Any, Any]:
    """exp(−exp(−x)), but e³² times as large where it is below e⁻⁸⁰; the mask of these places; and exp(−x).

    exp(−x) is taken at 0 beyond where the result has underflowed. An error of 1 ulp in E = exp(−x) would be one of
    E ulp here. So E is built from exp(−x/n) by squaring pairs of numbers, the first of half the digits, whose square
    is exact.

    >>> gompertz(np.array([-1e300, 0.0, 30.0]), np)[0].round(6)
    array([0.      , 0.367879, 1.      ])
    """
    reach, step, coarser = (4.75, 2.0**11, (1, 1, 2, 4)) if is_single(x) else (6.75, 2.0**25, (1, 1, 1, 1, 1, 2, 2, 4))
    v = xp.where(x >= 0, 0.0, -xp.maximum(x, -reach)) / 2.0 ** (len(coarser) + 1)
    h = xp.floor(v * 2.0 * step) / (2.0 * step)
    tail = v * v * v * polynomial(v, [1.0 / math.factorial(k) for k in range(9, 2, -1)])
    high = xp.floor((1.0 + v + 0.5 * v * v + tail) * step) / step
    low = (((1.0 - high) + v) + 0.5 * h * h) + (0.5 * (v + h) * (v - h) + tail)
    for ratio in coarser:  # the larger the number, the more coarsely it is split, for its square to be exact
        square, low = high * high, (2.0 * high + low) * low
        step = step / ratio
        high = xp.floor((square + low) * step) / step
        low = (square - high) + low
    high, low = high * high, (2.0 * high + low) * low
    high = xp.where(x >= 0, xp.exp(-xp.maximum(x, 0.0)), high)
    low = xp.where(x >= 0, 0.0, low)
    far = high > -_FAR
    correction = polynomial(-low, [1.0 / math.factorial(k) for k in range(5, -1, -1)])
    result = xp.exp(xp.where(far, _SHIFT - high, -high)) * correction
    return xp.where(x <= -reach, 0.0, result), far, high + low


def falling(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """exp(−factor·x) for both ≥ 0, to an ulp or two, with the factor and the mask of `decay`.

    >>> falling(2.0, np.array([0.0, 1.0]), np)
    (array([1.        , 0.13533528]), array([False, False]))
    """
    first, second = product(factor, x, xp)
    exponential, far = decay(-first, -first, xp)
    # Of two exponentials XLA would make one, of the rounded sum. Times 2⁴⁰ the correction is no subnormal number, which
    # TensorFlow takes as 0.
    exponential = exponential * 2.0**40
    return (exponential + exponential * exponential_minus_one(-second, xp)) * 2.0**-40, far
