"""References: the step and the line, powers, the exponential, logarithms and a root."""

from tests.references.jets import absolute, arcsinh, constant, exp, log1p, sqrt
from tests.references.reference import Reference


def odd(x, right):
    """The odd function that is `right` for x > 0."""
    return right(x) if x > 0 else -right(-x)


INFINITY = float("inf")
# Logarithms grow too slowly for a formula at a large number to show it.
ODD = {-INFINITY: (-INFINITY, 0.0), INFINITY: (INFINITY, 0.0)}
EVEN = {-INFINITY: (INFINITY, 0.0), INFINITY: (INFINITY, 0.0)}

REFERENCES = {
    "step": Reference(lambda x: constant(x >= 0), kinks=(0,), monotone=1),
    "linear": Reference(lambda x: x, monotone=1),
    "exponential": Reference(exp, monotone=1),
    "quadratic": Reference(lambda x: x * x),
    "cube": Reference(lambda x: x * x * x, monotone=1),
    "absolute_value": Reference(absolute, kinks=(0,)),
    "arcsinh": Reference(arcsinh, monotone=1, at_infinity=ODD),
    "softroot": Reference(lambda x: odd(x, lambda y: sqrt(1 + y) - 1), monotone=1, digits=350),
    "seagull": Reference(lambda x: log1p(x * x), at_infinity=EVEN),
    "symmetric_log": Reference(lambda x: odd(x, log1p), monotone=1, at_infinity=ODD),
}
