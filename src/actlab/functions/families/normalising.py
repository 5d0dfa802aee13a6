"""Functions that stand in for a normalisation layer: a squashing one with learnt scales and shifts."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.squashing import scaled_tanh, tanh_derivative
from actlab.functions.numerics import absolute, decay, erf, is_single, polynomial, tanh

# Further out, a bell is 0 already; taking it times this instead of infinity leaves no 0·inf.
_FINITE = 1e30


def _dyt(x: Any, xp: Any, gamma: Any, alpha: Any, beta: Any) -> Any:
    return scaled_tanh(x, xp, gamma, alpha) + beta


def _dyt_derivative(x: Any, xp: Any, gamma: Any, alpha: Any, beta: Any) -> Any:
    exponent = -2.0 * absolute(alpha * x, xp)
    e = decay(exponent, exponent, xp)
    total = 1.0 + e
    return e.times(4.0 * gamma * alpha).over(total * total).plain(xp)


def _dyt_by_gamma(x: Any, xp: Any, gamma: Any, alpha: Any, beta: Any) -> Any:
    return tanh(alpha * x, xp)


def _dyt_by_alpha(x: Any, xp: Any, gamma: Any, alpha: Any, beta: Any) -> Any:
    return gamma * xp.clip(x, -_FINITE, _FINITE) * tanh_derivative(alpha * x, xp)


def _by_shift(x: Any, xp: Any, gamma: Any, alpha: Any, beta: Any, **shift: Any) -> Any:
    return xp.ones_like(x)


def _derf(x: Any, xp: Any, gamma: Any, alpha: Any, shift: Any, beta: Any) -> Any:
    # Next to 0 alpha·x alone may be subnormal.
    tiny = (absolute(x, xp) < 1e-20) & (shift == 0.0)
    line = (2.0 / math.sqrt(math.pi) * gamma * alpha) * x
    return xp.where(tiny, line, gamma * erf(alpha * x + shift, xp)) + beta


def _derf_derivative(x: Any, xp: Any, gamma: Any, alpha: Any, shift: Any, beta: Any) -> Any:
    return gamma * alpha * (2.0 / math.sqrt(math.pi) * math.exp(-30.0)) * _bell(alpha * x + shift, xp)


def _derf_by_gamma(x: Any, xp: Any, gamma: Any, alpha: Any, shift: Any, beta: Any) -> Any:
    return erf(alpha * x + shift, xp)


def _derf_by_shift(x: Any, xp: Any, gamma: Any, alpha: Any, shift: Any, beta: Any) -> Any:
    return gamma * (2.0 / math.sqrt(math.pi) * math.exp(-30.0)) * _bell(alpha * x + shift, xp)


def _derf_by_alpha(x: Any, xp: Any, gamma: Any, alpha: Any, shift: Any, beta: Any) -> Any:
    return xp.clip(x, -_FINITE, _FINITE) * _derf_by_shift(x, xp, gamma, alpha, shift, beta)


def _bell(x: Any, xp: Any) -> Any:
    """e³⁰·exp(−x²), |x| split into a part whose square is exact and a small rest, as in `normal_density`."""
    reach, step, terms = (11.0, 256.0, 6) if is_single(x) else (28.0, 2.0**20, 5)
    size = xp.minimum(absolute(x, xp), reach)
    h = xp.floor(size * step) / step
    rest = -(size - h) * (size + h)
    return xp.exp(30.0 - h * h) * polynomial(rest, tuple(1.0 / math.factorial(k) for k in reversed(range(terms))))


dyt = Activation(
    name="dyt",
    title="DyT",
    formula=Formula("gamma*tanh(alpha*x) + beta, all learnt", r"\gamma \tanh(\alpha x) + \beta"),
    family="normalising",
    year=2025,
    source="Zhu, Chen, He, LeCun and Liu, 2025, arXiv:2503.10622",
    value_rule=_dyt,
    derivative_rule=_dyt_derivative,
    aliases=("dynamic_tanh",),
    parameters=(
        Parameter("gamma", 1.0, trainable=True),
        Parameter("alpha", 0.5, trainable=True),
        Parameter("beta", 0.0, trainable=True),
    ),
    parameter_derivatives={"gamma": _dyt_by_gamma, "alpha": _dyt_by_alpha, "beta": _by_shift},
    notes="In the paper alpha is one number for the layer, gamma and beta have one for each unit.",
)

derf = Activation(
    name="derf",
    title="Derf",
    formula=Formula("gamma*erf(alpha*x + shift) + beta, all learnt", r"\gamma \, \mathrm{erf}(\alpha x + s) + \beta"),
    family="normalising",
    year=2025,
    source="Chen, Lu, Zhu, Sun and Liu, 2025, arXiv:2512.10938",
    value_rule=_derf,
    derivative_rule=_derf_derivative,
    aliases=("dynamic_erf",),
    parameters=(
        Parameter("gamma", 1.0, trainable=True),
        Parameter("alpha", 0.5, trainable=True),
        Parameter("shift", 0.0, trainable=True),
        Parameter("beta", 0.0, trainable=True),
    ),
    parameter_derivatives={
        "gamma": _derf_by_gamma,
        "alpha": _derf_by_alpha,
        "shift": _derf_by_shift,
        "beta": _by_shift,
    },
    notes="In the paper alpha and shift are one number for the layer, gamma and beta have one for each unit.",
)

FUNCTIONS = (dyt, derf)
