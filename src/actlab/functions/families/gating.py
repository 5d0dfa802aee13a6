"""Functions that multiply x by a gate between 0 and 1: GELU, SiLU and its scalings, Mish, Logish, GoLU."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import (
    BEYOND,
    DENSITY_AT_ZERO,
    Scaled,
    absolute,
    exponential_of_size,
    falling,
    finite,
    gompertz,
    is_exactly,
    normal_near,
    normal_parts,
    tanh,
    through_roots,
)

# Where Φ is better as ½ and an odd series than by its tail.
_GELU_NEAR = 0.7
# The factor of the logistic approximation of GELU.
_QUICK = 1.702


def _gelu(x: Any, xp: Any) -> Any:
    near, size, density, tail = normal_parts(x, xp)
    # In this order no factor is subnormal where x·Φ(x) is a normal number.
    far = xp.where(x >= 0, x * (1.0 - density * tail), near * density * tail)
    return xp.where(size < _GELU_NEAR, x * (0.5 + normal_near(near, xp)), far)


def gelu_derivative(x: Any, xp: Any) -> Any:
    """Φ(x) + x·φ(x), φ the density of the unit normal.

    >>> import numpy as np
    >>> gelu_derivative(np.array([0.0, 2.0]), np).round(6)
    array([0.5     , 1.085232])
    """
    near, size, density, tail = normal_parts(x, xp)
    left = (tail - DENSITY_AT_ZERO * size) * density
    far = xp.where(x >= 0, 1.0 - left, left)
    close = 0.5 + (normal_near(near, xp) + near * (DENSITY_AT_ZERO * density))
    return through_roots(xp.where(size < _GELU_NEAR, close, far), near, xp, "gelu")


def _silu(x: Any, xp: Any, beta: Any = 1.0) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    return _gated(x, near, exponential_of_size(near, xp), xp, beta)


def _gated(x: Any, near: Any, e: Scaled, xp: Any, beta: Any = 1.0) -> Any:
    """beta·x·σ(near), e = exp(−|near|); without inf·0."""
    gate = e.times(beta).unless(near >= 0, beta, xp).over(1.0 + e)
    return gate.times(xp.where(gate.array == 0, 0.0, x)).plain(xp)


def silu_derivative(x: Any, xp: Any, beta: Any = 1.0) -> Any:
    """beta·σ(x)(1 + x(1 − σ(x))).

    >>> import numpy as np
    >>> silu_derivative(np.array([0.0, 2.0]), np).round(6)
    array([0.5     , 1.090784])
    """
    near = xp.clip(x, -BEYOND, BEYOND)
    slope = silu_slope(near, exponential_of_size(near, xp), xp)
    # `plain` comes last, or a beta above 1 would make subnormal numbers normal, which XLA flushes to 0.
    return slope.of(beta * through_roots(slope.array, near, xp, "silu")).plain(xp)


def silu_slope(near: Any, e: Scaled, xp: Any) -> Scaled:
    """σ(x)(1 + x(1 − σ(x))) by its plain formula, which cancels next to the root; e = exp(−|x|).

    It is e(1 + x + e)/(1 + e)² in e = eˣ; for x > 0 written in 1/e. 1 + x is exact near the root, x = −1.28.
    """
    small, shifted, below = e.array, 1.0 + near, 1.0 + e
    above = xp.where(near >= 0, 1.0 + small * shifted, small * (shifted + small))
    return e.of(above / (below * below))


def _quick_gelu(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    return _gated(x, near, falling(_QUICK, absolute(near, xp), xp).only(near < 0), xp)


def _quick_gelu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    e = falling(_QUICK, absolute(near, xp), xp).only(near < 0)
    return through_roots(silu_slope(_QUICK * near, e, xp).plain(xp), near, xp, "quick_gelu")


def _times(x: Any, beta: Any, xp: Any) -> Any:
    """β·x, clipped; 0 also for infinite x where β is 0."""
    return xp.clip(finite(x, xp) * beta, -BEYOND, BEYOND)


def _trainable_swish(x: Any, xp: Any, beta: Any) -> Any:
    if is_exactly(beta, 1.0):
        return _silu(x, xp)
    near = _times(x, beta, xp)
    return _gated(x, near, exponential_of_size(near, xp), xp)


def _trainable_swish_derivative(x: Any, xp: Any, beta: Any) -> Any:
    return silu_derivative(x if is_exactly(beta, 1.0) else _times(x, beta, xp), xp)


def _trainable_swish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    e = exponential_of_size(_times(x, beta, xp), xp)
    slope = e.over((1.0 + e) * (1.0 + e)).plain(xp)
    x = xp.where(slope == 0, 0.0, x)
    return x * (x * slope)


def _e_swish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    return _silu(x, xp)


def _xsilu(x: Any, xp: Any, alpha: Any) -> Any:
    if is_exactly(alpha, 0.0):
        return _silu(x, xp)
    near = xp.clip(x, -BEYOND, BEYOND)
    gate = xp.where(x >= 0, 1.0 + alpha, -alpha)
    outside = xp.where(gate == 0, 0.0, x) * gate
    inside = (1.0 + 2.0 * alpha) * _silu(near, xp) - alpha * near
    return xp.where(absolute(x, xp) > BEYOND, outside, inside)


def _xsilu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    slope = silu_derivative(x, xp)
    return slope if is_exactly(alpha, 0.0) else (1.0 + 2.0 * alpha) * slope - alpha


def _xsilu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    return x * tanh(0.5 * x, xp)


def _mish(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    return mish_gate(near >= 0, exponential_of_size(near, xp), xp).times(xp.maximum(x, -BEYOND)).plain(xp)


def _mish_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    slope = mish_slope(near, near >= 0, exponential_of_size(near, xp), xp)
    return through_roots(slope.plain(xp), near, xp, "mish")


def mish_gate(right: Any, e: Scaled, xp: Any) -> Scaled:
    """tanh(ln(1 + eˣ)) = e(e + 2)/(e² + 2e + 2), e = eˣ; on the right written in 1/e, for which e then stands."""
    return e.times(2.0 + e).unless(right, 1.0 + 2.0 * e.array, xp).over(mish_denominator(right, e.array, xp))


def mish_slope(near: Any, right: Any, e: Scaled, xp: Any) -> Scaled:
    """Mish's derivative, e(4(1 + x) + (6 + 4x)e + 4e² + e³)/(e² + 2e + 2)², likewise."""
    small, shifted = e.array, 4.0 * (1.0 + near)
    above = xp.where(
        right,
        1.0 + small * (4.0 + small * (shifted + 2.0 + small * shifted)),
        small * (shifted + small * (shifted + 2.0 + small * (4.0 + small))),
    )
    below = mish_denominator(right, small, xp)
    return e.of(above / (below * below))


def mish_denominator(right: Any, e: Any, xp: Any) -> Any:
    """e² + 2e + 2; on the right the same over e², where e stands for 1/e."""
    return xp.where(right, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))


def _logish(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    e = exponential_of_size(near, xp)
    gate = xp.log1p(xp.where(near >= 0, 1.0, e.array) / (1.0 + e))
    return e.of(xp.maximum(x, -BEYOND) * gate).plain(xp)


def _logish_derivative(x: Any, xp: Any) -> Any:
    # ln(1 + σ) + xσ(1 − σ)/(1 + σ); σ/(1 + σ) = e/(1 + 2e), e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -BEYOND, BEYOND)
    scaled = exponential_of_size(near, xp)
    e, right = scaled.array, near >= 0
    gate = xp.log1p(xp.where(right, 1.0, e) / (1.0 + e))
    slope = e / ((1.0 + e) * xp.where(right, 2.0 + e, 1.0 + 2.0 * e))
    return through_roots(scaled.of(gate + near * slope).plain(xp), near, xp, "logish")


def _golu(x: Any, xp: Any) -> Any:
    gate, _ = gompertz(x, xp)
    return gate.times(xp.where(gate.array == 0, 0.0, x)).plain(xp)


def _golu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    gate, e = gompertz(near, xp)
    return through_roots(gate.times(1.0 + near * e).plain(xp), near, xp, "golu")


gelu = Activation(
    name="gelu",
    title="GELU",
    formula=Formula("x*Phi(x), Phi the normal distribution function", r"x \, \Phi(x)"),
    family="gating",
    year=2016,
    source="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    value_rule=_gelu,
    derivative_rule=gelu_derivative,
    aliases=("gaussian_error_linear",),
    notes="The exact form, with erf; JAX's default is the approximation with tanh.",
)

quick_gelu = Activation(
    name="quick_gelu",
    title="Quick GELU",
    formula=Formula("x*sigmoid(1.702*x)", r"x \, \sigma(1.702 x)"),
    family="gating",
    year=2016,
    source="Hendrycks and Gimpel, 2016, arXiv:1606.08415; in CLIP Radford and others, 2021, arXiv:2103.00020",
    value_rule=_quick_gelu,
    derivative_rule=_quick_gelu_derivative,
    aliases=("gelu_sigmoid",),
    notes="The approximation of GELU by the logistic function.",
)

silu = Activation(
    name="silu",
    title="SiLU (Swish)",
    formula=Formula("x*sigmoid(x)", r"x \, \sigma(x)"),
    family="gating",
    year=2017,
    source="Elfwing, Uchibe and Doya, 2017, arXiv:1702.03118; as swish Ramachandran, 2017, arXiv:1710.05941",
    value_rule=_silu,
    derivative_rule=silu_derivative,
    aliases=("swish", "sigmoid_linear"),
)

trainable_swish = Activation(
    name="trainable_swish",
    title="Swish (trainable β)",
    formula=Formula("x*sigmoid(beta*x), beta learnt", r"x \, \sigma(\beta x),\ \beta \ \mathrm{learnt}"),
    family="gating",
    year=2017,
    source="Ramachandran, Zoph and Le, 2017, arXiv:1710.05941",
    value_rule=_trainable_swish,
    derivative_rule=_trainable_swish_derivative,
    parameters=(Parameter("beta", 1.0, trainable=True),),
    parameter_derivatives={"beta": _trainable_swish_by_beta},
    notes="With beta 1 it is silu, 1.702 quick_gelu, 0 half of the identity.",
)

e_swish = Activation(
    name="e_swish",
    title="E-swish",
    formula=Formula("beta*x*sigmoid(x)", r"\beta x \, \sigma(x)"),
    family="gating",
    year=2018,
    source="Alcaide, 2018, arXiv:1801.07145",
    value_rule=_silu,
    derivative_rule=silu_derivative,
    parameters=(Parameter("beta", 1.375),),
    parameter_derivatives={"beta": _e_swish_by_beta},
    notes="The paper tries beta from 1 to 2 and does best with 1.125 to 1.375. Exponential swish, "
    "exp(-x)*sigmoid(x), and x*sigmoid(beta*x) + (exp(x) - 1)*x, which some code calls eswish, are other functions.",
)

xsilu = Activation(
    name="xsilu",
    title="xSiLU",
    formula=Formula(
        "x*((1 + 2*alpha)*sigmoid(x) - alpha), alpha learnt",
        r"x \, ((1 + 2 \alpha) \, \sigma(x) - \alpha),\ \alpha \ \mathrm{learnt}",
    ),
    family="gating",
    year=2024,
    source="Huang, 2024, arXiv:2405.20768",
    value_rule=_xsilu,
    derivative_rule=_xsilu_derivative,
    parameters=(Parameter("alpha", 0.0, trainable=True),),
    parameter_derivatives={"alpha": _xsilu_by_alpha},
    notes="The gate runs from -alpha to 1 + alpha; at its start, alpha 0, it is silu. "
    "Beside the root of its derivative it is accurate to ulps at alpha 0 alone.",
)

mish = Activation(
    name="mish",
    title="Mish",
    formula=Formula("x*tanh(ln(1 + exp(x)))", r"x \tanh(\ln(1 + e^x))"),
    family="gating",
    year=2019,
    source="Misra, 2019, arXiv:1908.08681",
    value_rule=_mish,
    derivative_rule=_mish_derivative,
)

logish = Activation(
    name="logish",
    title="Logish",
    formula=Formula("x*ln(1 + sigmoid(x))", r"x \ln(1 + \sigma(x))"),
    family="gating",
    year=2021,
    source="Zhu, Zeng, Liu and Zhang, 2021, doi:10.1016/j.neucom.2021.06.067",
    value_rule=_logish,
    derivative_rule=_logish_derivative,
)

golu = Activation(
    name="golu",
    title="GoLU",
    formula=Formula("x*exp(-exp(-x))", r"x \, \exp(-e^{-x})"),
    family="gating",
    year=2025,
    source="Das, Safari, Adriaensen and Hutter, Gompertz linear units, 2025, arXiv:2502.03654",
    value_rule=_golu,
    derivative_rule=_golu_derivative,
    aliases=("gompertz_linear",),
)

FUNCTIONS = (gelu, quick_gelu, silu, trainable_swish, e_swish, xsilu, mish, logish, golu)
