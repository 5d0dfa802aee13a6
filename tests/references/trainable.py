"""References: functions whose shape a network learns, at the parameters where it starts."""

from mpmath import mpf
from tests.references.jets import Jet, constant, exp, expm1, kept, logistic, relu
from tests.references.reference import Reference

HALF = mpf(1) / 2
NUMERATOR = ("0.03355815890668059", "0.5049940948281444", "1.6534163637528791")
NUMERATOR += ("2.0099850112036783", "0.9318900490866645", "0.1524224383838956")
DENOMINATOR = ("0", "-5.748546580824416e-05", "3.9802477853818083", "-4.2529808614931225e-05", "0.3018338162009311")


def _polynomial(x: Jet, coefficients: tuple[str, ...]) -> Jet:
    total = constant(0)
    for coefficient in reversed(coefficients):
        total = total * x + kept(mpf, coefficient)
    return total


def _pau(x: Jet) -> Jet:
    below = _polynomial(x, DENOMINATOR)
    # |Q| with the slope of its left piece: Q falls through 0 at 0 and rises through it at the other kink.
    size = below if below > 0 or (x <= 0 and below >= 0) else -below
    return _polynomial(x, NUMERATOR) / (1 + size)


def _apl(x: Jet) -> Jet:
    fifth = kept(mpf, "0.2")
    first = HALF - x if x <= HALF else constant(0)
    second = -HALF - x if x <= -HALF else constant(0)
    return relu(x) + fifth * first - fifth * second


def _pdelu(x: Jet) -> Jet:
    if x > 0:
        return x
    base = 1 + x / 10
    return (base**10 if base > 0 else constant(0)) - 1


def _xielu(x: Jet) -> Jet:
    if x > 0:
        return kept(mpf, "0.8") * x**2 + HALF * x
    return kept(mpf, "0.8") * (exp(x) - 1 - x) + HALF * x


REFERENCES = {
    "pelu": Reference(lambda x: x if x > 0 else expm1(x), monotone=1),
    "mpelu": Reference(lambda x: x if x > 0 else expm1(x), monotone=1),
    "pdelu": Reference(_pdelu, kinks=(-10,), monotone=1, digits=700),
    "apl": Reference(_apl, kinks=(-0.5, 0, 0.5), digits=700, at_infinity={-float("inf"): (0.2, 0.0)}),
    "soft_exponential": Reference(lambda x: x, monotone=1),
    "acon_c": Reference(lambda x: x * logistic(x)),
    "xielu": Reference(_xielu, digits=700),
    "poly_relu": Reference(lambda x: (relu(x) + relu(x) ** 2 + relu(x) ** 3) / 3, kinks=(0,), monotone=1),
    "pau": Reference(_pau, kinks=(0,)),
}
