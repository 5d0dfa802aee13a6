"""Functions in which a gate multiplies something else than x, or more than it: ELiSH, SRS, TanhSoft, EIS, dSiLU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import silu_derivative
from actlab.functions.numerics import (
    BEYOND,
    Scaled,
    absolute,
    both,
    decay,
    either,
    exponential_minus_one,
    exponential_of_size,
    falling,
    finite,
    is_exactly,
    tanh,
    through_roots,
)


def _dsilu_derivative(x: Any, xp: Any) -> Any:
    # e((2 − |x|) + e(2 + |x|))/(1 + e)³, e = exp(−|x|); the first bracket is exact near the root.
    size = xp.minimum(absolute(x, xp), BEYOND)
    e = decay(-size, -size, xp)
    below = 1.0 + e
    slope = e.over(below * below).times(((2.0 - size) + e.array * (2.0 + size)) / below)
    return through_roots(slope.plain(xp), xp.clip(x, -BEYOND, BEYOND), xp, "dsilu")


def _elish(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    e, right = exponential_of_size(near, xp), near > 0
    left = e.times(exponential_minus_one(xp.where(right, 0.0, near), xp))
    return left.unless(right, xp.maximum(x, -BEYOND), xp).over(1.0 + e).plain(xp)


def _elish_derivative(x: Any, xp: Any) -> Any:
    # For x > 0 that of SiLU; for x ≤ 0 e(e² + 2e − 1)/(1 + e)², e = eˣ, in the bracket by way of eˣ − 1.
    near = xp.clip(x, -BEYOND, BEYOND)
    e = exponential_of_size(near, xp)
    less = exponential_minus_one(xp.where(near > 0, 0.0, near), xp)
    left = xp.where(near > -0.7, (2.0 + 4.0 * less) + less * less, e.array * (2.0 + e) - 1.0)
    above = e.times(left).unless(near > 0, 1.0 + e.array * (1.0 + near), xp)
    below = 1.0 + e
    return through_roots(above.over(below * below).plain(xp), near, xp, "elish")


def _hard_elish(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -1.0, 1.0)
    left = exponential_minus_one(xp.where(near > 0, 0.0, near), xp)
    return 0.5 * (1.0 + near) * xp.where(x > 0, x, left)


def _hard_elish_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -1.0, 1.0)
    # ½(eˣ(2 + x) − 1) for −1 < x ≤ 0, with eˣ − 1 for eˣ.
    left = exponential_minus_one(xp.where(near > 0, 0.0, near), xp)
    left = through_roots(0.5 * (left * (2.0 + near) + (1.0 + near)), near, xp, "hard_elish")
    inside = xp.where(x > 0, 0.5 + near, left)
    # NaN alone reaches the last branch.
    return xp.where(x > 1.0, 1.0, xp.where(x > -1.0, inside, xp.where(x <= -1.0, 0.0, x)))


def _srs_parts(x: Any, xp: Any, alpha: Any, beta: Any) -> tuple[Any, Scaled, Any, Any]:
    """x clipped, exp(−|x|/β), where x ≥ 0, and the denominator; for x < 0 times exp(x/β)."""
    near = xp.maximum(xp.minimum(x, BEYOND * beta), -BEYOND * beta)
    e = falling(1.0 / beta, absolute(near, xp), xp)
    right = near >= 0
    return near, e, right, xp.where(right, near / alpha + e.array, 1.0 + near / alpha * e.array)


def _srs(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    near, e, right, below = _srs_parts(x, xp, alpha, beta)
    return e.times(near).unless(right, near, xp).over(below).only(~right).plain(xp)


def _srs_derivative(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    # β + x is exact near the root, x = −β.
    near, e, _, below = _srs_parts(x, xp, alpha, beta)
    return e.times((beta + near) / beta).over(below * below).plain(xp)


def _srs_by_alpha(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    ratio = _srs(x, xp, alpha, beta) / alpha
    return ratio * ratio


def _srs_by_beta(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    near, e, _, below = _srs_parts(x, xp, alpha, beta)
    ratio = near / beta
    return e.times(-ratio * ratio).over(below * below).plain(xp)


def _positive_denominator(alpha: Any, beta: Any) -> str | None:
    if not (np.all(alpha > 0) and np.all(beta > 0)):
        return "alpha and beta must be above 0"
    return None if np.all(beta < math.e * alpha) else "beta must be below e*alpha, or the denominator has a root"


def _tanh_soft_argument(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any) -> tuple[Any, Any]:
    """αx + βe^(γx) for clipped x, and its derivative."""
    if is_exactly(beta, 0.0):
        return alpha * x, alpha
    # Where the exponential is cut off, tanh is ±1.
    growth = beta * xp.exp(xp.minimum(gamma * x, 80.0))
    return xp.clip(alpha * x + growth, -BEYOND, BEYOND), alpha + gamma * growth


def _log_sum(x: Any, xp: Any, delta: Any) -> tuple[Scaled, Any]:
    """ln(δ + eˣ) for clipped x; and its derivative, too large in the same places."""
    if is_exactly(delta, 0.0):
        return Scaled(x, x < -math.inf), xp.ones_like(x)
    if isinstance(delta, (int, float)):
        floor = math.log(delta)
    else:
        floor = xp.log(xp.maximum(delta, float(xp.finfo(x.dtype).tiny)))
    near = x - floor
    scaled, right = decay(near, -absolute(near, xp), xp), near >= 0
    if not is_exactly(delta, 1.0):
        # The sum tends to ln δ, not to 0, so nothing in it may stay magnified.
        scaled = Scaled(scaled.plain(xp), x < -math.inf)
    e = scaled.array
    return scaled.of(xp.where(right, x, floor) + xp.log1p(e)), xp.where(right, 1.0, e) / (1.0 + e)


def _tanh_soft(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    gate = tanh(_tanh_soft_argument(near, xp, alpha, beta, gamma)[0], xp)
    logarithm, _ = _log_sum(near, xp, delta)
    beyond = x > BEYOND if not is_exactly(delta, 0.0) else absolute(x, xp) > BEYOND
    return logarithm.unless(beyond, x, xp).unless(gate == 0, 0.0, xp).times(gate).plain(xp)


def _tanh_soft_derivative(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    argument, rate = _tanh_soft_argument(near, xp, alpha, beta, gamma)
    e = xp.exp(-2.0 * absolute(argument, xp))
    bell = 4.0 * e / ((1.0 + e) * (1.0 + e))
    logarithm, slope = _log_sum(near, xp, delta)
    general = logarithm.of(bell * rate * logarithm.array + tanh(argument, xp) * slope).plain(xp)
    default = is_exactly(alpha, 0.87) and is_exactly(beta, 0.0) and is_exactly(delta, 1.0)
    return through_roots(general, near, xp, "tanh_soft") if default else general


def _tanh_soft_by_delta(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any) -> Any:
    # The exponential is cut off where it would overflow or, with delta 0, its inverse would.
    near = xp.clip(x, -BEYOND, BEYOND)
    gate = tanh(_tanh_soft_argument(near, xp, alpha, beta, gamma)[0], xp)
    return gate / (delta + xp.exp(xp.clip(near, -80.0, 80.0)))


def _eis_parts(x: Any, xp: Any, beta: Any, gamma: Any, delta: Any, theta: Any) -> tuple[Any, ...]:
    """What value and derivative share; m = max(|x|, 1) is divided out of both sides so that x² does not overflow.

    Returns x made finite; θx; exp(−|θx|); where that stands as it is, and not both sides are multiplied by it; m;
    √(β + γx²)/m; and the denominator.
    """
    near = finite(x, xp)
    exponent = xp.clip(theta * near, -2.0 * BEYOND, 2.0 * BEYOND)
    e = xp.exp(-absolute(exponent, xp))
    plain = either(exponent >= 0, delta == 0)
    m = xp.ones_like(x) if is_exactly(gamma, 0.0) else xp.maximum(absolute(near, xp), 1.0)
    if is_exactly(beta, 0.0):
        root = gamma**0.5 * absolute(near / m, xp)
    else:
        square = beta / m / m + gamma * (near / m) * (near / m)
        root = xp.sqrt(xp.maximum(square, float(xp.finfo(x.dtype).tiny)))
    below = xp.where(plain, root + delta * e / m, m * e * root + delta)
    return near, exponent, e, plain, m, root, below


def _softplus_power(x: Any, xp: Any, alpha: Any) -> tuple[Any, Any]:
    """sp(x)^α, sp(x) = ln(1 + eˣ), and x·sp'(x)/sp(x)."""
    e = xp.exp(-absolute(x, xp))
    softplus = xp.maximum(x, 0.0) + xp.log1p(e)
    # Below −40, sp(x) is eˣ, and sp'(x)/sp(x) is 1.
    cut = xp.maximum(x, -40.0)
    e, right = xp.exp(-absolute(cut, xp)), cut >= 0
    cut_softplus = xp.where(right, cut, 0.0) + xp.log1p(e)
    share = xp.where(right, cut, e) / (1.0 + e) / cut_softplus * xp.where(right, 1.0, xp.maximum(x, -1e30))
    if is_exactly(alpha, 1.0):
        return softplus, share
    return xp.exp(alpha * xp.where(x < -40.0, x, xp.log(cut_softplus))), share


def _eis(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any, theta: Any) -> Any:
    near, _, e, plain, m, _, below = _eis_parts(x, xp, beta, gamma, delta, theta)
    power = _softplus_power(near, xp, alpha)[0]
    finite = xp.where(plain, near / m, near * e) / below * power
    return xp.where(both(x > near, either(alpha > 0, gamma == 0)), x, finite)


def _eis_derivative(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any, theta: Any) -> Any:
    # f/x·(1 + α·x·sp'/sp − x·(denominator)'/denominator)
    near, exponent, e, plain, m, root, below = _eis_parts(x, xp, beta, gamma, delta, theta)
    power, share = _softplus_power(near, xp, alpha)
    rise = root if is_exactly(beta, 0.0) else gamma * (near / m) * (near / m) / root
    change = xp.where(plain, rise - delta * exponent * e / m, m * e * rise - delta * exponent)
    bracket = (1.0 - change / below) + alpha * share
    # In this order no factor is subnormal where the result is a normal number.
    general = xp.where(plain, power / m, e) / below * bracket * xp.where(plain, 1.0, power)
    given = (alpha, beta, gamma, delta, theta)
    default = all(is_exactly(*pair) for pair in zip(given, _EIS_DEFAULTS, strict=True))
    return through_roots(general, xp.clip(near, -BEYOND, BEYOND), xp, "eis") if default else general


def _eis_by_delta(x: Any, xp: Any, alpha: Any, beta: Any, gamma: Any, delta: Any, theta: Any) -> Any:
    _, exponent, _, plain, m, _, below = _eis_parts(x, xp, beta, gamma, delta, theta)
    # Cut off where it would overflow, which happens with delta 0 alone.
    share = xp.where(plain, xp.exp(xp.minimum(-exponent, 80.0)) / m, 1.0) / below
    return -share * _eis(x, xp, alpha, beta, gamma, delta, theta)


_EIS_DEFAULTS = (1.0, 0.0, 1.0, 1.16, 1.0)


def _positive_eis(alpha: Any, beta: Any, gamma: Any, delta: Any, theta: Any) -> str | None:
    return None if np.all(beta + gamma > 0) else "beta or gamma must be above 0"


dsilu = Activation(
    name="dsilu",
    title="dSiLU",
    formula=Formula("sigmoid(x)*(1 + x*(1 - sigmoid(x)))", r"\sigma(x) \, (1 + x \, (1 - \sigma(x)))"),
    family="modulating",
    year=2017,
    source="Elfwing, Uchibe and Doya, 2017, arXiv:1702.03118",
    value_rule=silu_derivative,
    derivative_rule=_dsilu_derivative,
    notes="The derivative of silu.",
)

elish = Activation(
    name="elish",
    title="ELiSH",
    formula=Formula(
        "x*sigmoid(x) for x > 0, else (exp(x) - 1)*sigmoid(x)",
        r"\sigma(x) \begin{cases} x & x > 0 \\ e^x - 1 & x \le 0 \end{cases}",
    ),
    family="modulating",
    year=2018,
    source="Basirat and Roth, 2018, arXiv:1808.00783",
    value_rule=_elish,
    derivative_rule=_elish_derivative,
    aliases=("exponential_linear_sigmoid_squashing",),
)

hard_elish = Activation(
    name="hard_elish",
    title="HardELiSH",
    formula=Formula(
        "(x + 1)/2 clipped to [0, 1], times x for x > 0, else times exp(x) - 1",
        r"\max(0, \min(1, \frac{x + 1}{2})) \begin{cases} x & x > 0 \\ e^x - 1 & x \le 0 \end{cases}",
    ),
    family="modulating",
    year=2018,
    source="Basirat and Roth, 2018, arXiv:1808.00783",
    value_rule=_hard_elish,
    derivative_rule=_hard_elish_derivative,
)

srs = Activation(
    name="srs",
    title="Soft-root-sign",
    formula=Formula(
        "x/(x/alpha + exp(-x/beta)), alpha and beta learnt",
        r"\frac{x}{x / \alpha + e^{-x / \beta}},\ \alpha, \beta \ \mathrm{learnt}",
    ),
    family="modulating",
    year=2020,
    source="Zhou, Li, Huo and Kung, 2020, arXiv:2003.00547",
    value_rule=_srs,
    derivative_rule=_srs_derivative,
    aliases=("soft_root_sign",),
    parameters=(Parameter("alpha", 5.0, trainable=True, low=0.0), Parameter("beta", 3.0, trainable=True, low=0.0)),
    parameter_derivatives={"alpha": _srs_by_alpha, "beta": _srs_by_beta},
    constraint=_positive_denominator,
    notes="It tends to alpha on the right and to 0 on the left. The starting values 5 and 3 could not be confirmed; a "
    "survey (arXiv:2402.09092) reports 2 and 3.",
)

tanh_soft = Activation(
    name="tanh_soft",
    title="TanhSoft",
    formula=Formula(
        "tanh(alpha*x + beta*exp(gamma*x))*ln(delta + exp(x))",
        r"\tanh(\alpha x + \beta e^{\gamma x}) \, \ln(\delta + e^x)",
    ),
    family="modulating",
    year=2020,
    source="Biswas, Kumar, Banerjee and Pandey, 2020, arXiv:2009.03863",
    value_rule=_tanh_soft,
    derivative_rule=_tanh_soft_derivative,
    parameters=(
        Parameter("alpha", 0.87),
        Parameter("beta", 0.0),
        Parameter("gamma", 1.0),
        Parameter("delta", 1.0, low=0.0),
    ),
    parameter_derivatives={"delta": _tanh_soft_by_delta},
    notes="A family: as it stands, tanh(0.87*x)*softplus(x). The other member in the paper's summary is "
    "x*tanh(0.6*exp(x)): alpha 0, beta 0.6, gamma 1, delta 0; with beta 1 instead it is tanh_exp. "
    "Beside the root of its derivative it is accurate to ulps at the default parameters alone.",
)

eis = Activation(
    name="eis",
    title="EIS",
    formula=Formula(
        "x*ln(1 + exp(x))^alpha/(sqrt(beta + gamma*x^2) + delta*exp(-theta*x))",
        r"\frac{x \, (\ln(1 + e^x))^\alpha}{\sqrt{\beta + \gamma x^2} + \delta e^{-\theta x}}",
    ),
    family="modulating",
    year=2020,
    source="Biswas, Kumar, Banerjee and Pandey, 2020, arXiv:2009.13501",
    value_rule=_eis,
    derivative_rule=_eis_derivative,
    parameters=(
        Parameter("alpha", 1.0, low=0.0),
        Parameter("beta", 0.0, low=0.0),
        Parameter("gamma", 1.0, low=0.0),
        Parameter("delta", 1.16, low=0.0),
        Parameter("theta", 1.0, low=0.0),
    ),
    parameter_derivatives={"delta": _eis_by_delta},
    constraint=_positive_eis,
    notes="A family: as it stands, EIS-1, x*softplus(x)/(|x| + 1.16*exp(-x)); the paper writes x for |x| here, against "
    "its own general formula. EIS-2 is x*softplus(x)/sqrt(1 + x^2): beta 1, delta 0. EIS-3 is "
    "x/(1 + delta*exp(-theta*x)): alpha 0, beta 1, gamma 0. "
    "Beside the root of its derivative it is accurate to ulps at the default parameters alone.",
)

FUNCTIONS = (dsilu, elish, hard_elish, srs, tanh_soft, eis)
