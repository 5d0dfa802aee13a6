"""Forward-mode differentiation over mpmath: a number with its first two derivatives.

The references of the tests are formulas over these numbers, written as in the literature: mpmath gives the values,
the chain rule both derivatives, and nothing of actlab takes part.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

# Beyond ±20,000 an exponential is 0 or overflows in every floating-point type; mpmath would take very long over
# exp(1e308), and exp(exp(1e308)) would not end.
_CAP, _FLOOR = mpf(20_000), mpf(-20_000)
_ZERO, _ONE = mpf(0), mpf(1)


class Jet:
    """value, first and second derivative with respect to one variable; `second` is None where nobody asks for it.

    All three are numbers of mpmath already: references are computed at a million points, and to convert each number
    anew took as long as the arithmetic. `variable` and `constant` make jets of other numbers.
    """

    __slots__ = ("first", "second", "value")

    def __init__(self, value: mpf, first: mpf, second: mpf | None) -> None:
        self.value, self.first, self.second = value, first, second

    def through(self, value: mpf, slope: mpf, bend: Callable[[], mpf]) -> Jet:
        """f(self) by the chain rule, from f, f' and (when it is needed) f''."""
        first = self.first
        if self.second is None:
            return Jet(value, slope * first, None)
        return Jet(value, slope * first, bend() * (first * first) + slope * self.second)

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.first, None if self.second is None else -self.second)

    def __add__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + mpf(other), self.first, self.second)
        second = None if self.second is None or other.second is None else self.second + other.second
        return Jet(self.value + other.value, self.first + other.first, second)

    def __sub__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value - mpf(other), self.first, self.second)
        second = None if self.second is None or other.second is None else self.second - other.second
        return Jet(self.value - other.value, self.first - other.first, second)

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return self._times(mpf(other))
        value, first = self.value, self.first
        second = None
        if self.second is not None and other.second is not None:
            second = self.second * other.value + 2 * first * other.first + value * other.second
        return Jet(value * other.value, first * other.value + value * other.first, second)

    def _times(self, number: mpf) -> Jet:
        return Jet(self.value * number, self.first * number, None if self.second is None else self.second * number)

    def __truediv__(self, other: Any) -> Jet:
        return self * other.inverse() if isinstance(other, Jet) else self._times(1 / mpf(other))

    def __rtruediv__(self, other: Any) -> Jet:
        return self.inverse() * other

    def inverse(self) -> Jet:
        """1/x."""
        value = 1 / self.value
        return self.through(value, -(value * value), lambda: 2 * value**3)

    def __pow__(self, power: int | float) -> Jet:
        if power == 2:
            return self * self
        x, p = self.value, mpf(power)
        return self.through(
            x**p, p * x ** (p - 1) if p else _ZERO, lambda: p * (p - 1) * x ** (p - 2) if p * (p - 1) else _ZERO
        )

    __radd__, __rmul__ = __add__, __mul__

    # Branches of a formula look at the value alone.
    def __lt__(self, other: Any) -> bool:
        return self.value < _value(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= _value(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > _value(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= _value(other)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Jet) else x


def variable(x: Any, *, second: bool = False) -> Jet:
    """The variable itself at x: value x, first derivative 1."""
    return Jet(mpf(x), _ONE, _ZERO if second else None)


def constant(x: Any) -> Jet:
    """A piece of a formula on which it does not change."""
    return Jet(mpf(x), _ZERO, _ZERO)


def kept(function: Callable[..., mpf], *arguments: Any) -> mpf:
    """function(*arguments), a number that formulas take at every point, computed once at each precision."""
    return _kept(mp.prec, function, *arguments)


@functools.cache
def _kept(precision: int, function: Callable[..., mpf], *arguments: Any) -> mpf:
    assert precision == mp.prec
    return function(*arguments)


def _capped(x: mpf) -> mpf:
    return min(max(x, _FLOOR), _CAP)


def exp(x: Jet) -> Jet:
    """eˣ; constant from ±20,000 on."""
    value = mp.exp(_capped(x.value))
    return x.through(value, value, lambda: value)


def expm1(x: Jet) -> Jet:
    """eˣ − 1."""
    capped = _capped(x.value)
    slope = mp.exp(capped)
    return x.through(mp.expm1(capped), slope, lambda: slope)


def log(x: Jet) -> Jet:
    """ln x."""
    slope = 1 / x.value
    return x.through(mp.log(x.value), slope, lambda: -(slope**2))


def log1p(x: Jet) -> Jet:
    """ln(1 + x)."""
    slope = 1 / (1 + x.value)
    return x.through(mp.log1p(x.value), slope, lambda: -(slope**2))


def sqrt(x: Jet) -> Jet:
    """√x."""
    value = mp.sqrt(x.value)
    return x.through(value, 1 / (2 * value), lambda: -1 / (4 * value**3))


def _gates(x: mpf) -> tuple[mpf, mpf, mpf]:
    """1/(1 + e⁻ˣ), 1/(1 + eˣ), and the smaller of eˣ and e⁻ˣ."""
    smaller = mp.exp(-min(abs(x), _CAP))
    both = 1 + smaller
    right, left = 1 / both, smaller / both
    return (right, left, smaller) if x >= 0 else (left, right, smaller)


def logistic(x: Jet) -> Jet:
    """1/(1 + e⁻ˣ)."""
    value, rest, _ = _gates(x.value)
    slope = value * rest
    return x.through(value, slope, lambda: slope * (rest - value))


def softplus(x: Jet) -> Jet:
    """ln(1 + eˣ)."""
    gate, rest, smaller = _gates(x.value)
    value = mp.log1p(smaller)
    return x.through(x.value + value if x.value > 0 else value, gate, lambda: gate * rest)


def tanh(x: Jet) -> Jet:
    """tanh x."""
    capped = _capped(x.value)
    value, slope = mp.tanh(capped), mp.sech(capped) ** 2
    return x.through(value, slope, lambda: -2 * value * slope)


def _bell(x: mpf) -> mpf:
    """2/√π·exp(−x²), the slope of the error function."""
    return kept(_slope_of_erf_at_0) * mp.exp(-(x * x))


def _slope_of_erf_at_0() -> mpf:
    return 2 / mp.sqrt(mp.pi)


def erf(x: Jet) -> Jet:
    """The error function."""
    capped = min(max(x.value, _FLOOR / 100), _CAP / 100)
    slope = _bell(capped)
    return x.through(mp.erf(capped), slope, lambda: -2 * capped * slope)


def erfc(x: Jet) -> Jet:
    """1 − erf(x), without loss in the right tail."""
    capped = min(max(x.value, _FLOOR / 100), _CAP / 100)
    slope = -_bell(capped)
    return x.through(mp.erfc(capped), slope, lambda: -2 * capped * slope)


def normal(x: Jet) -> Jet:
    """Distribution function of the unit normal."""
    return erfc(-x / kept(mp.sqrt, 2)) / 2


def sin(x: Jet) -> Jet:
    """sin x."""
    value, slope = mp.cos_sin(x.value)[::-1]
    return x.through(value, slope, lambda: -value)


def cos(x: Jet) -> Jet:
    """cos x."""
    value, sine = mp.cos_sin(x.value)
    return x.through(value, -sine, lambda: -value)


def arctan(x: Jet) -> Jet:
    """arctan x."""
    slope = 1 / (1 + x.value * x.value)
    return x.through(mp.atan(x.value), slope, lambda: -2 * x.value * slope**2)


def arcsinh(x: Jet) -> Jet:
    """arsinh x."""
    slope = 1 / mp.sqrt(1 + x.value * x.value)
    return x.through(mp.asinh(x.value), slope, lambda: -x.value * slope**3)


def absolute(x: Jet) -> Jet:
    """|x|; at 0 the slope of the left piece, −1."""
    return x if x.value > 0 else -x


def relu(x: Jet) -> Jet:
    """max(x, 0)."""
    return x if x.value > 0 else constant(0)


def clip(x: Jet, low: Any, high: Any) -> Jet:
    """min(max(x, low), high); at an end the slope of the left piece."""
    if x.value > high:
        return constant(high)
    return x if x.value > low else constant(low)
