"""Forward-mode differentiation over mpmath: a number with its first two derivatives.

The references of the tests are formulas over these numbers, written as in the literature: mpmath gives the values,
the chain rule both derivatives, and nothing of actlab takes part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

# Beyond ±20,000 an exponential is 0 or overflows in every floating-point type; mpmath would take very long over
# exp(1e308), and exp(exp(1e308)) would not end.
_CAP = mpf(20_000)


class Jet:
    """value, first and second derivative with respect to one variable; `second` is None where nobody asks for it."""

    __slots__ = ("first", "second", "value")

    def __init__(self, value: Any, first: Any = 0, second: Any = 0) -> None:
        self.value, self.first, self.second = mpf(value), mpf(first), None if second is None else mpf(second)

    def through(self, value: Any, slope: Any, bend: Callable[[], Any]) -> Jet:
        """f(self) by the chain rule, from f, f' and (when it is needed) f''."""
        second = None if self.second is None else bend() * self.first**2 + slope * self.second
        return Jet(value, slope * self.first, second)

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.first, None if self.second is None else -self.second)

    def __add__(self, other: Any) -> Jet:
        other = _jet(other)
        return Jet(
            self.value + other.value, self.first + other.first, _both(self, other, lambda: self.second + other.second)
        )

    def __sub__(self, other: Any) -> Jet:
        return self + (-_jet(other))

    def __rsub__(self, other: Any) -> Jet:
        return _jet(other) - self

    def __mul__(self, other: Any) -> Jet:
        other = _jet(other)
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            _both(
                self,
                other,
                lambda: self.second * other.value + 2 * self.first * other.first + self.value * other.second,
            ),
        )

    def __truediv__(self, other: Any) -> Jet:
        return self * _jet(other).inverse()

    def __rtruediv__(self, other: Any) -> Jet:
        return _jet(other) * self.inverse()

    def inverse(self) -> Jet:
        """1/x."""
        value = 1 / self.value
        return self.through(value, -(value**2), lambda: 2 * value**3)

    def __pow__(self, power: int | float) -> Jet:
        if power == 2:
            return self * self
        x, p = self.value, mpf(power)
        return self.through(
            x**p, p * x ** (p - 1) if p else 0, lambda: p * (p - 1) * x ** (p - 2) if p * (p - 1) else 0
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
    return x.value if isinstance(x, Jet) else mpf(x)


def _jet(x: Any) -> Jet:
    return x if isinstance(x, Jet) else Jet(x)


def _both(a: Jet, b: Jet, second: Callable[[], Any]) -> Any:
    return None if a.second is None or b.second is None else second()


def variable(x: Any, *, second: bool = False) -> Jet:
    """The variable itself at x: value x, first derivative 1."""
    return Jet(x, 1, 0 if second else None)


def constant(x: Any) -> Jet:
    """A piece of a formula on which it does not change."""
    return Jet(x)


def exp(x: Jet) -> Jet:
    """eˣ; constant from ±20,000 on."""
    value = mp.exp(min(max(x.value, -_CAP), _CAP))
    return x.through(value, value, lambda: value)


def expm1(x: Jet) -> Jet:
    """eˣ − 1."""
    capped = min(max(x.value, -_CAP), _CAP)
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


def logistic(x: Jet) -> Jet:
    """1/(1 + e⁻ˣ)."""
    e = mp.exp(-min(abs(x.value), _CAP))
    right, left = 1 / (1 + e), e / (1 + e)
    value, rest = (right, left) if x.value >= 0 else (left, right)
    slope = value * rest
    return x.through(value, slope, lambda: slope * (rest - value))


def softplus(x: Jet) -> Jet:
    """ln(1 + eˣ)."""
    value = max(x.value, mpf(0)) + mp.log1p(mp.exp(-min(abs(x.value), _CAP)))
    gate = logistic(x if x.second is not None else Jet(x.value, 1, 0))
    plain = logistic(Jet(x.value, 1, 0))
    return x.through(value, gate.value, lambda: plain.first)


def tanh(x: Jet) -> Jet:
    """tanh x."""
    capped = min(max(x.value, -_CAP), _CAP)
    value, slope = mp.tanh(capped), mp.sech(capped) ** 2
    return x.through(value, slope, lambda: -2 * value * slope)


def erf(x: Jet) -> Jet:
    """The error function."""
    capped = min(max(x.value, -_CAP / 100), _CAP / 100)
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-(capped**2))
    return x.through(mp.erf(capped), slope, lambda: -2 * capped * slope)


def erfc(x: Jet) -> Jet:
    """1 − erf(x), without loss in the right tail."""
    capped = min(max(x.value, -_CAP / 100), _CAP / 100)
    slope = -2 / mp.sqrt(mp.pi) * mp.exp(-(capped**2))
    return x.through(mp.erfc(capped), slope, lambda: -2 * capped * slope)


def normal(x: Jet) -> Jet:
    """Distribution function of the unit normal."""
    return erfc(-x / mp.sqrt(2)) / 2


def sin(x: Jet) -> Jet:
    """sin x."""
    value, slope = mp.sin(x.value), mp.cos(x.value)
    return x.through(value, slope, lambda: -value)


def cos(x: Jet) -> Jet:
    """cos x."""
    value, slope = mp.cos(x.value), -mp.sin(x.value)
    return x.through(value, slope, lambda: -value)


def arctan(x: Jet) -> Jet:
    """arctan x."""
    slope = 1 / (1 + x.value**2)
    return x.through(mp.atan(x.value), slope, lambda: -2 * x.value * slope**2)


def arcsinh(x: Jet) -> Jet:
    """arsinh x."""
    slope = 1 / mp.sqrt(1 + x.value**2)
    return x.through(mp.asinh(x.value), slope, lambda: -x.value * slope**3)


def absolute(x: Jet) -> Jet:
    """|x|; at 0 the slope of the left piece, −1."""
    return x if x > 0 else -x


def relu(x: Jet) -> Jet:
    """max(x, 0)."""
    return x if x > 0 else constant(0)


def clip(x: Jet, low: Any, high: Any) -> Jet:
    """min(max(x, low), high); at an end the slope of the left piece."""
    if x > high:
        return constant(high)
    return x if x > low else constant(low)
