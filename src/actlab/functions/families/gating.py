"""Functions that multiply x by a gate between 0 and 1: GELU, SiLU and its scalings, Mish, Logish, GoLU."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import (
    DENSITY_AT_ZERO,
    absolute,
    decay,
    exponential_minus_one,
    falling,
    gompertz,
    is_exactly,
    is_single,
    normal_density,
    normal_near,
    normal_tail,
    tanh,
    through_roots,
    undecay,
)

# Beyond ±1000 every exponential here is 0 or negligible; clipping there leaves no inf·0.
_BEYOND = 1000.0

# Where Φ is better as ½ and an odd series than by its tail.
_GELU_NEAR = 0.7
# The factor of the logistic approximation of GELU.
_QUICK = 1.702


def _gelu_reach(x: Any) -> float:
    """Where exp(−x²/2)·x² has underflowed to 0, and where `normal_density` and `normal_tail` end."""
    return 15.0 if is_single(x) else 40.0


def _gelu(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_gelu_reach(x), _gelu_reach(x))
    size = absolute(near, xp)
    density, tail = normal_density(size, xp), normal_tail(size, xp)
    # In this order no factor is subnormal where x·Φ(x) is a normal number.
    far = xp.where(x >= 0, x * (1.0 - density * tail), near * density * tail)
    return xp.where(size < _GELU_NEAR, x * (0.5 + normal_near(near, xp)), far)


def _gelu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_gelu_reach(x), _gelu_reach(x))
    size = absolute(near, xp)
    density = normal_density(size, xp)
    left = (normal_tail(size, xp) - DENSITY_AT_ZERO * size) * density
    far = xp.where(x >= 0, 1.0 - left, left)
    close = 0.5 + (normal_near(near, xp) + near * (DENSITY_AT_ZERO * density))
    return through_roots(xp.where(size < _GELU_NEAR, close, far), near, xp, "gelu")


def exponential_of_size(near: Any, xp: Any) -> tuple[Any, Any]:
    """exp(−|near|) and a mask, as from `decay`.

    NumPy's float32 exponential is 2.5 ulp off; near 0, where it matters most, a polynomial is better.

    >>> import numpy as np
    >>> exponential_of_size(np.array([0.0, -2.0, 2.0]), np)[0].round(6)
    array([1.      , 0.135335, 0.135335])
    """
    size = absolute(near, xp)
    e, far = decay(near, -size, xp)
    if is_single(near):
        e = xp.where(size < 0.7, 1.0 + exponential_minus_one(-size, xp), e)
    return e, far


def _silu(x: Any, xp: Any, scale: Any = 1.0) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    return _gated(x, near, *exponential_of_size(near, xp), xp, scale)


def _gated(x: Any, near: Any, e: Any, far: Any, xp: Any, scale: Any = 1.0) -> Any:
    """scale·x·σ(near), e = exp(−|near|); without inf·0."""
    gate = xp.where(near >= 0, scale, scale * e) / (1.0 + e)
    return undecay(xp.where(gate == 0, 0.0, x) * gate, far, xp)


def silu_derivative(x: Any, xp: Any, scale: Any = 1.0) -> Any:
    """scale·σ(x)(1 + x(1 − σ(x))).

    >>> import numpy as np
    >>> silu_derivative(np.array([0.0, 2.0]), np).round(6)
    array([0.5     , 1.090784])
    """
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    # Before `undecay`, or a scale above 1 would make subnormal numbers normal, which XLA flushes to 0.
    slope = scale * through_roots(_silu_slope(near, e, xp), near, xp, "silu")
    return undecay(slope, far, xp)


def _silu_slope(near: Any, e: Any, xp: Any) -> Any:
    # e(1 + x + e)/(1 + e)², e = eˣ; for x > 0 written in 1/e. 1 + x is exact near the root, x = −1.28.
    above = xp.where(near >= 0, 1.0 + e * (1.0 + near), e * (1.0 + near + e))
    below = 1.0 + e
    return above / (below * below)


def _quick_gelu(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = falling(_QUICK, absolute(near, xp), xp)
    return _gated(x, near, e, far & (near < 0), xp)


def _quick_gelu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = falling(_QUICK, absolute(near, xp), xp)
    return through_roots(undecay(_silu_slope(_QUICK * near, e, xp), far & (near < 0), xp), near, xp, "quick_gelu")


def _times(x: Any, beta: Any, xp: Any) -> Any:
    """β·x, clipped; 0 also for infinite x where β is 0."""
    largest = float(xp.finfo(x.dtype).max)
    return xp.clip(xp.clip(x, -largest, largest) * beta, -_BEYOND, _BEYOND)


def _trainable_swish(x: Any, xp: Any, beta: Any) -> Any:
    if is_exactly(beta, 1.0):
        return _silu(x, xp)
    near = _times(x, beta, xp)
    return _gated(x, near, *exponential_of_size(near, xp), xp)


def _trainable_swish_derivative(x: Any, xp: Any, beta: Any) -> Any:
    return silu_derivative(x if is_exactly(beta, 1.0) else _times(x, beta, xp), xp)


def _trainable_swish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    e, far = exponential_of_size(_times(x, beta, xp), xp)
    slope = undecay(e / ((1.0 + e) * (1.0 + e)), far, xp)
    x = xp.where(slope == 0, 0.0, x)
    return x * (x * slope)


def _e_swish(x: Any, xp: Any, beta: Any) -> Any:
    return _silu(x, xp, beta)


def _e_swish_derivative(x: Any, xp: Any, beta: Any) -> Any:
    return silu_derivative(x, xp, beta)


def _e_swish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    return _silu(x, xp)


def _xsilu(x: Any, xp: Any, alpha: Any) -> Any:
    if is_exactly(alpha, 0.0):
        return _silu(x, xp)
    near = xp.clip(x, -_BEYOND, _BEYOND)
    gate = xp.where(x >= 0, 1.0 + alpha, -alpha)
    outside = xp.where(gate == 0, 0.0, x) * gate
    inside = (1.0 + 2.0 * alpha) * _silu(near, xp) - alpha * near
    return xp.where(absolute(x, xp) > _BEYOND, outside, inside)


def _xsilu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    slope = silu_derivative(x, xp)
    return slope if is_exactly(alpha, 0.0) else (1.0 + 2.0 * alpha) * slope - alpha


def _xsilu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    return x * tanh(0.5 * x, xp)


def _mish(x: Any, xp: Any) -> Any:
    # tanh(ln(1 + eˣ)) = e(e + 2)/(e² + 2e + 2), e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    right = near >= 0
    gate = xp.where(right, 1.0 + 2.0 * e, e * (e + 2.0)) / _mish_denominator(e, right, xp)
    return undecay(xp.maximum(x, -_BEYOND) * gate, far, xp)


def _mish_derivative(x: Any, xp: Any) -> Any:
    # e(4(1 + x) + (6 + 4x)e + 4e² + e³)/(e² + 2e + 2)², e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    right, shifted = near >= 0, 4.0 * (1.0 + near)
    above = xp.where(
        right,
        1.0 + e * (4.0 + e * (shifted + 2.0 + e * shifted)),
        e * (shifted + e * (shifted + 2.0 + e * (4.0 + e))),
    )
    below = _mish_denominator(e, right, xp)
    return through_roots(undecay(above / (below * below), far, xp), near, xp, "mish")


def _mish_denominator(e: Any, right: Any, xp: Any) -> Any:
    """e² + 2e + 2 for x < 0; the same over e² for x ≥ 0, where e stands for e⁻ˣ."""
    return xp.where(right, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))


def _logish(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    gate = xp.log1p(xp.where(near >= 0, 1.0, e) / (1.0 + e))
    return undecay(xp.maximum(x, -_BEYOND) * gate, far, xp)


def _logish_derivative(x: Any, xp: Any) -> Any:
    # ln(1 + σ) + xσ(1 − σ)/(1 + σ); σ/(1 + σ) = e/(1 + 2e), e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    right = near >= 0
    gate = xp.log1p(xp.where(right, 1.0, e) / (1.0 + e))
    slope = e / ((1.0 + e) * xp.where(right, 2.0 + e, 1.0 + 2.0 * e))
    return through_roots(undecay(gate + near * slope, far, xp), near, xp, "logish")


def _golu(x: Any, xp: Any) -> Any:
    gate, far, _ = gompertz(x, xp)
    return undecay(xp.where(gate == 0, 0.0, x) * gate, far, xp)


def _golu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    gate, far, e = gompertz(near, xp)
    return through_roots(undecay(gate * (1.0 + near * e), far, xp), near, xp, "golu")


gelu = Activation(
    name="gelu",
    title="GELU",
    formula=Formula("x*Phi(x), Phi the normal distribution function", r"x \, \Phi(x)"),
    family="gating",
    year=2016,
    source="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    value_rule=_gelu,
    derivative_rule=_gelu_derivative,
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
    value_rule=_e_swish,
    derivative_rule=_e_swish_derivative,
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
    notes="The gate runs from -alpha to 1 + alpha; at its start, alpha 0, it is silu.",
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
