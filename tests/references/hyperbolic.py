"""References: functions with a hyperbolic tangent, and xATLU."""

from mpmath import mp, mpf
from tests.references.jets import Jet, arctan, exp, kept, log1p, logistic, normal, softplus, tanh
from tests.references.reference import Reference


def _slope_inside() -> mpf:
    return 2 * mp.sqrt(2 / mp.pi)


def _gelu_tanh(x: Jet) -> Jet:
    # (1 + tanh(u))/2 is the logistic of 2u, which does not cancel.
    return x * logistic(kept(_slope_inside) * (x + kept(mpf, "0.044715") * x * x * x))


def _xatlu(x: Jet) -> Jet:
    return x * (arctan(x) + mp.pi / 2) / mp.pi


REFERENCES = {
    "tanh_exp": Reference(lambda x: x * tanh(exp(x))),
    "lisht": Reference(lambda x: x * tanh(x)),
    "tanh_shrink": Reference(lambda x: x - tanh(x), monotone=1, digits=330),
    "smish": Reference(lambda x: x * tanh(log1p(logistic(x)))),
    "phish": Reference(lambda x: x * tanh(x * normal(x))),
    "beta_mish": Reference(lambda x: x * tanh(softplus(x) * mpf(3) / 2)),
    "mila": Reference(lambda x: x * tanh(softplus(x - mpf(1) / 4))),
    "gelu_tanh": Reference(_gelu_tanh),
    "xatlu": Reference(_xatlu, monotone=1, digits=700, at_infinity={-float("inf"): (float(-1 / mp.pi), 0.0)}),
}
