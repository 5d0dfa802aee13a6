"""Exponentials that neither overflow nor lose digits, and what is made of them: tanh, expm1, Gompertz' curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from actlab.functions.numerics.coefficients import coefficients
from actlab.functions.numerics.pieces import absolute, is_single, polynomial, product

#: Beyond ±1000 every exponential of the catalogue is 0 or negligible; clipping there leaves no inf·0.
BEYOND = 1000.0
# Below −80, exp(x) is taken as exp(x + 32)·exp(−32): the first factor stays a normal number (XLA flushes the
# others to zero) in products like x·exp(x) that are normal still; both −80 + 32 and the sum 1 + exp(−48) are
# exact.
_FAR, _SHIFT, _UNSHIFT = -80.0, 32.0, math.exp(-32.0)
# The coefficients "tanh": (tanh(x)/x − 1)/x² as a polynomial in x² for |x| ≤ 5/8 (relative error of tanh 1.7e−8,
# 4.1e−17), and "exponential_minus_one": (eˣ − 1 − x)/x² as one in x for −0.7 ≤ x ≤ 0 (of eˣ − 1: 9.4e−10, 1.1e−18);
# interpolated in 50 digits at Chebyshev nodes.


@dataclass(frozen=True, slots=True)
class Scaled:
    """What decays to subnormal numbers: an array, e³² times too large where the mask `far` is set.

    Times or over an array it remains one, and `plain` takes the factor out of the product, as the last step, so that
    only the result can be subnormal. Added to a number it is a plain array: beside 1 it is negligible far out, with the
    factor or without. (These are methods, for torch.compile takes an operator beside a tensor for one of PyTorch's.)

    >>> import numpy as np
    >>> x = np.array([-90.0], dtype="float32")
    >>> bool(decay(x, x, np).times(100.0).plain(np)[0] > 8.19e-38)
    True
    """

    array: Any
    far: Any

    def __radd__(self, number: float) -> Any:
        return number + self.array

    def times(self, factor: Any) -> Scaled:
        """The product with a plain array or number."""
        return Scaled(factor * self.array, self.far)

    def over(self, divisor: Any) -> Scaled:
        """The quotient by a plain array or number."""
        return Scaled(self.array / divisor, self.far)

    def of(self, array: Any) -> Scaled:
        """An array that is too large by the same factor in the same places."""
        return Scaled(array, self.far)

    def unless(self, mask: Any, other: Any, xp: Any) -> Scaled:
        """`other`, a plain array or number, in place of this one where `mask` is set, which is nowhere far out."""
        return Scaled(xp.where(mask, other, self.array), self.far)

    def only(self, mask: Any) -> Scaled:
        """The same, but where the mask is not set it counts as plain."""
        return Scaled(self.array, self.far & mask)

    def plain(self, xp: Any) -> Any:
        """The array without the factor."""
        return xp.where(self.far, self.array * _UNSHIFT, self.array)


def decay(x: Any, exponent: Any, xp: Any) -> Scaled:
    """exp(exponent), but e³² times as large where x < −80.

    The exponent is at most 0, and is x itself where x < 0. Value and derivative of a function call this alike, so that
    a compiler computes one exponential for both.
    """
    far = x < _FAR
    return Scaled(xp.exp(xp.where(far, x + _SHIFT, exponent)), far)


def exponential_of_size(near: Any, xp: Any) -> Scaled:
    """exp(−|near|), e³² times as large where near < −80.

    NumPy's float32 exponential is 2.5 ulp off; near 0, where it matters most, a polynomial is better.

    >>> import numpy as np
    >>> exponential_of_size(np.array([0.0, -2.0, 2.0]), np).plain(np).round(6)
    array([1.      , 0.135335, 0.135335])
    """
    size = absolute(near, xp)
    e = decay(near, -size, xp)
    return e.unless(size < 0.7, 1.0 + exponential_minus_one(-size, xp), xp) if is_single(near) else e


def scaled_exponential(scale: Any, x: Any, xp: Any) -> Any:
    """scale·exp(x) for x ≤ 0; a scale above 1 makes subnormal numbers normal, which XLA flushes to 0.

    >>> import numpy as np
    >>> scaled_exponential(2.0, np.array([-np.inf, 0.0]), np)
    array([0., 2.])
    """
    return decay(x, x, xp).times(scale).plain(xp)


def logistic(x: Any, xp: Any) -> Any:
    """1/(1 + exp(−x)), the exponential taken of −|x| so that it neither overflows nor loses the left tail.

    >>> import numpy as np
    >>> logistic(np.array([0.0, -40.0]), np)
    array([5.00000000e-01, 4.24835426e-18])
    """
    exponential = xp.exp(-absolute(x, xp))
    return xp.where(x >= 0, 1.0, exponential) / (1.0 + exponential)


def tanh(x: Any, xp: Any) -> Any:
    """tanh(x) from an exponential, or a polynomial near 0; XLA's own is 7 ulp off and not monotone near ±1.

    >>> import numpy as np
    >>> tanh(np.array([-40.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.46211716])
    """
    size = absolute(x, xp)
    exponential = decay(-2.0 * size, -2.0 * size, xp).array
    far = 1.0 - 2.0 * exponential / (1.0 + exponential)
    square = x * x
    near = x + x * square * polynomial(square, coefficients("tanh", x))
    return xp.where(size < 0.625, near, xp.where(x >= 0, far, -far))


def exponential_minus_one(x: Any, xp: Any) -> Any:
    """exp(x) − 1 for x ≤ 0, without loss near 0; more accurate and cheaper than XLA's own.

    >>> import numpy as np
    >>> exponential_minus_one(np.array([-np.inf, -1e-20, 0.0]), np)
    array([-1.e+00, -1.e-20,  0.e+00])
    """
    near = xp.maximum(x, -0.7)
    series = near + near * near * polynomial(near, coefficients("exponential_minus_one", x))
    return xp.where(x > -0.7, series, decay(x, x, xp).array - 1.0)


def gompertz(x: Any, xp: Any) -> tuple[Scaled, Any]:
    """exp(−exp(−x)), e³² times as large where it is below e⁻⁸⁰; and exp(−x).

    exp(−x) is taken at 0 beyond where the result has underflowed. An error of 1 ulp in E = exp(−x) would be one of
    E ulp here. So E is built from exp(−x/n) by squaring pairs of numbers, the first of half the digits, whose square
    is exact.

    >>> import numpy as np
    >>> gompertz(np.array([-1e300, 0.0, 30.0]), np)[0].plain(np).round(6)
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
    return Scaled(xp.where(x <= -reach, 0.0, result), far), high + low


def falling(factor: Any, x: Any, xp: Any) -> Scaled:
    """exp(−factor·x) for both ≥ 0, to an ulp or two; e³² times as large where it is below e⁻⁸⁰.

    >>> import numpy as np
    >>> falling(2.0, np.array([0.0, 1.0]), np).plain(np)
    array([1.        , 0.13533528])
    """
    first, second = product(factor, x, xp)
    decaying = decay(-first, -first, xp)
    # Of two exponentials XLA would make one, of the rounded sum. Times 2⁴⁰ the correction is no subnormal number, which
    # TensorFlow takes as 0.
    exponential = decaying.array * 2.0**40
    return decaying.of((exponential + exponential * exponential_minus_one(-second, xp)) * 2.0**-40)
