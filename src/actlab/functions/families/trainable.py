"""Functions whose shape a network learns: PELU, MPELU, PDELU, APL, soft exponential, ACON-C and xIELU."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import silu_slope
from actlab.functions.numerics import (
    BEYOND,
    Scaled,
    absolute,
    by_pieces,
    decay,
    exponential_minus_one,
    finite,
    is_exactly,
    is_single,
    left_part,
    polynomial,
    scaled_exponential,
    through_roots,
    times,
)

# The authors of PELU keep its parameters above this.
_PELU_LOWEST = 0.1

# (eˣ − 1 − x)/x² for −0.7 ≤ x ≤ 0 and (u·eᵘ − eᵘ + 1)/u² for |u| ≤ ½, Taylor's series, highest power first;
# (ln(1 + w) − w/(1 + w))/w² for |w| ≤ ¼ is Σ (−1)ᵏ (k + 1)/(k + 2) wᵏ.
_SECOND_REST = tuple(1.0 / math.factorial(k) for k in reversed(range(2, 19)))
_GROWTH_SLOPE = tuple(1.0 / (math.factorial(k) * (k + 2)) for k in reversed(range(16)))
_LOGARITHM_SLOPE = tuple((-1.0) ** k * (k + 1) / (k + 2) for k in reversed(range(28)))


def _at_least(parameter: Any, low: float, xp: Any) -> Any:
    """The parameter, or the end of its range where training has carried it beyond."""
    return max(parameter, low) if isinstance(parameter, (int, float)) else xp.maximum(parameter, low)


def _bounded_left(x: Any, xp: Any) -> Any:
    """min(x, 0), with the largest number for −∞."""
    return xp.maximum(left_part(x, xp), -float(xp.finfo(x.dtype).max))


def _pelu(x: Any, xp: Any, a: Any, b: Any) -> Any:
    a, b = _at_least(a, _PELU_LOWEST, xp), _at_least(b, _PELU_LOWEST, xp)
    return xp.where(x > 0, a / b * x, a * exponential_minus_one(left_part(x, xp) / b, xp))


def _pelu_derivative(x: Any, xp: Any, a: Any, b: Any) -> Any:
    a, b = _at_least(a, _PELU_LOWEST, xp), _at_least(b, _PELU_LOWEST, xp)
    return xp.where(x > 0, a / b, scaled_exponential(a / b, left_part(x, xp) / b, xp))


def _pelu_by_a(x: Any, xp: Any, a: Any, b: Any) -> Any:
    b = _at_least(b, _PELU_LOWEST, xp)
    return xp.where(x > 0, x / b, exponential_minus_one(left_part(x, xp) / b, xp))


def _pelu_by_b(x: Any, xp: Any, a: Any, b: Any) -> Any:
    b = _at_least(b, _PELU_LOWEST, xp)
    z = xp.maximum(left_part(x, xp) / b, -BEYOND)
    return -(a / b) * xp.where(x > 0, x / b, z * xp.exp(z))


def _mpelu(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    exponent = times(_at_least(beta, 0.0, xp), left_part(x, xp), xp)
    return xp.where(x > 0, x, alpha * exponential_minus_one(exponent, xp))


def _mpelu_derivative(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    beta = _at_least(beta, 0.0, xp)
    return xp.where(x > 0, 1.0, scaled_exponential(alpha * beta, times(beta, left_part(x, xp), xp), xp))


def _mpelu_by_alpha(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    return exponential_minus_one(times(_at_least(beta, 0.0, xp), left_part(x, xp), xp), xp)


def _mpelu_by_beta(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    left = _bounded_left(x, xp)
    return alpha * (left * xp.exp(_at_least(beta, 0.0, xp) * left))


def _deformation(t: Any) -> tuple[Any, Any]:
    """1 − t and 1/(1 − t); for a number exactly those of the decimal fraction that is written, as 10 for 0.9."""
    if isinstance(t, (int, float)):
        rest = 1 - Decimal(repr(t))
        return float(rest), float(1 / rest)
    return 1.0 - t, 1.0 / (1.0 - t)


def _power(base: Any, exponent: Any, xp: Any) -> Any:
    """base to a power, for base ≥ 0; a whole power of a few by multiplication, which is more accurate."""
    if isinstance(exponent, float) and exponent.is_integer() and 0 < exponent <= 16:
        return base ** int(exponent)
    positive = xp.where(base > 0, base, 1.0)
    return xp.where(base > 0, xp.exp(exponent * xp.log(positive)), xp.where(base == 0, 0.0, base))


def _deformed_exponential(x: Any, xp: Any, t: Any, exponent: Any) -> tuple[Any, Any, Any]:
    """(1 + (1 − t)·x)^exponent for x ≤ 0: its logarithm where the base is above 0.6; itself elsewhere; and where."""
    rest, inverse = _deformation(t)
    left = _bounded_left(x, xp)
    base = (left + inverse) / inverse
    near = base > 0.6
    logarithm = exponent * xp.log1p(rest * xp.where(near, left, 0.0))
    return logarithm, _power(xp.where(base < 0, 0.0, base), exponent, xp), near


def _pdelu(x: Any, xp: Any, alpha: Any, t: Any) -> Any:
    logarithm, power, near = _deformed_exponential(x, xp, t, _deformation(t)[1])
    left = xp.where(near, xp.expm1(logarithm), power - 1.0)
    # Next to 0 it is x, of which (1 − t)·x may be subnormal.
    left = xp.where(x > -1e-20, left_part(x, xp), left)
    return xp.where(x > 0, x, alpha * left)


def _pdelu_derivative(x: Any, xp: Any, alpha: Any, t: Any) -> Any:
    logarithm, power, near = _deformed_exponential(x, xp, t, _deformation(t)[1] - 1.0)
    return xp.where(x > 0, 1.0, alpha * xp.where(near, xp.exp(logarithm), power))


def _pdelu_by_alpha(x: Any, xp: Any, alpha: Any, t: Any) -> Any:
    return _pdelu(left_part(x, xp), xp, 1.0, t)


def _not_one(alpha: Any, t: Any) -> str | None:
    return None if np.all(t != 1) else "t must not be 1, where the function is elu"


def _up_to(hinge: Any, x: Any, xp: Any) -> Any:
    return xp.where(x <= hinge, xp.ones_like(x), 0.0)


def _apl(x: Any, xp: Any, slope_1: Any, hinge_1: Any, slope_2: Any, hinge_2: Any) -> Any:
    below_1, below_2 = _up_to(hinge_1, x, xp), _up_to(hinge_2, x, xp)
    near = xp.clip(x, -1e30, 1e30)
    sums = slope_1 * below_1 * (hinge_1 - near) + slope_2 * below_2 * (hinge_2 - near)
    # Far from the hinges opposite slopes cancel before they are multiplied with x, and not after.
    slope, offset = _apl_slope(x, xp, slope_1, hinge_1, slope_2, hinge_2), below_1 * slope_1 * hinge_1
    line = times(slope, x, xp) + (offset + below_2 * slope_2 * hinge_2)
    return xp.where(absolute(x, xp) > 4.0 * (abs(hinge_1) + abs(hinge_2)), line, xp.where(x > 0, x, 0.0) + sums)


def _apl_slope(x: Any, xp: Any, slope_1: Any, hinge_1: Any, slope_2: Any, hinge_2: Any) -> Any:
    falling = _up_to(hinge_1, x, xp) * slope_1 + _up_to(hinge_2, x, xp) * slope_2
    return by_pieces(x, xp, (0.0,), (0.0, 1.0)) - falling


def _apl_by_slope(number: int) -> Any:
    def by_slope(x: Any, xp: Any, **parameters: Any) -> Any:
        hinge = parameters[f"hinge_{number}"]
        return xp.where(x <= hinge, hinge - x, 0.0)

    return by_slope


def _apl_by_hinge(number: int) -> Any:
    def by_hinge(x: Any, xp: Any, **parameters: Any) -> Any:
        return _up_to(parameters[f"hinge_{number}"], x, xp) * parameters[f"slope_{number}"]

    return by_hinge


def _soft_exponential_parts(x: Any, xp: Any, alpha: Any) -> tuple[Any, Any, Any, Any]:
    """alpha as an array; alpha without 0; alpha·x for the exponential; −alpha(x + alpha) for the logarithm, clipped."""
    alpha = alpha + xp.zeros_like(x)
    some = xp.where(alpha == 0, 1.0, alpha)
    near = finite(x, xp)
    growth = xp.where(alpha > 0, xp.clip(alpha * near, -BEYOND, BEYOND), 0.0)
    inner = xp.where(alpha < 0, -alpha * (near + alpha), 0.0)
    return alpha, some, growth, xp.maximum(inner, float(xp.finfo(x.dtype).eps) - 1.0)


def _soft_exponential(x: Any, xp: Any, alpha: Any) -> Any:
    if is_exactly(alpha, 0.0):
        return x
    alpha, some, growth, inner = _soft_exponential_parts(x, xp, alpha)
    curved = xp.where(alpha > 0, xp.expm1(growth) / some + alpha, -xp.log1p(inner) / some)
    infinite = xp.isinf(x) & (x > 0)
    return xp.where((alpha == 0) | infinite, x, curved)


def _soft_exponential_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    if is_exactly(alpha, 0.0):
        return xp.where(xp.isnan(x), x, 1.0)
    alpha, _, growth, inner = _soft_exponential_parts(x, xp, alpha)
    undefined = inner <= float(xp.finfo(x.dtype).eps) - 1.0
    logarithm = xp.where(undefined | (xp.isinf(x) & (x > 0)), 0.0, 1.0 / (1.0 + inner))
    return xp.where(alpha > 0, xp.exp(growth), xp.where(alpha == 0, xp.ones_like(x), logarithm))


def _soft_exponential_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    alpha, _, growth, inner = _soft_exponential_parts(x, xp, alpha)
    short_growth, short_inner = xp.clip(growth, -0.5, 0.5), xp.clip(inner, -0.25, 0.25)
    # Both are x² times a function of the product of alpha and x, ½ at 0, which cancels next to it.
    series = polynomial(short_growth, _GROWTH_SLOPE)
    long = xp.where(absolute(growth, xp) < 0.5, 1.0, growth)
    closed = (long * xp.exp(long) - xp.expm1(long)) / (long * long)
    right = 1.0 + x * x * xp.where(absolute(growth, xp) < 0.5, series, closed)
    series = polynomial(short_inner, _LOGARITHM_SLOPE)
    long = xp.where(absolute(inner, xp) < 0.25, 1.0, inner)
    closed = (xp.log1p(long) - long / (1.0 + long)) / (long * long)
    left = (x + alpha) * (x + alpha) * xp.where(absolute(inner, xp) < 0.25, series, closed) + 1.0 / (1.0 + inner)
    held = inner <= float(xp.finfo(x.dtype).eps) - 1.0
    left = xp.where(held, xp.log1p(inner) / (alpha * alpha + xp.where(held, 0.0, xp.ones_like(x))), left)
    return xp.where(alpha < 0, left, right)


def _acon_c(x: Any, xp: Any, p1: Any, p2: Any, beta: Any) -> Any:
    # Beside the steeper of the lines p1·x and p2·x, the one the gate chooses, only a decaying term is added.
    z = _acon_argument(x, xp, p1, p2, beta)
    gate = _acon_gate(z, xp)
    line = xp.where(z >= 0, times(p1, x, xp), times(p2, x, xp))
    change = gate.unless(z >= 0, -gate.array, xp).times((p1 - p2) * finite(x, xp))
    return line + change.plain(xp)


def _acon_argument(x: Any, xp: Any, p1: Any, p2: Any, beta: Any) -> Any:
    """z = beta(p1 − p2)x, bounded."""
    return xp.clip(beta * (p1 - p2) * finite(x, xp), -BEYOND, BEYOND)


def _acon_gate(z: Any, xp: Any) -> Scaled:
    """σ(−|z|), too large where z < −80 alone."""
    e = decay(z, -absolute(z, xp), xp)
    return e.over(1.0 + e)


def _acon_c_derivative(x: Any, xp: Any, p1: Any, p2: Any, beta: Any) -> Any:
    # (p1 − p2)·silu'(z) + p2
    z = _acon_argument(x, xp, p1, p2, beta)
    slope = silu_slope(z, decay(z, -absolute(z, xp), xp), xp).plain(xp)
    return (p1 - p2) * through_roots(slope, z, xp, "silu") + p2


def _acon_c_by_beta(x: Any, xp: Any, p1: Any, p2: Any, beta: Any) -> Any:
    gate = _acon_gate(_acon_argument(x, xp, p1, p2, beta), xp)
    wide = gate.times((p1 - p2) * xp.clip(x, -1e15, 1e15)).plain(xp)
    return wide * (p1 - p2) * xp.clip(x, -1e15, 1e15) * (1.0 - gate.plain(xp))


def _xielu(x: Any, xp: Any, alpha_p: Any, alpha_n: Any, beta: Any) -> Any:
    right = xp.where(x > 0, x, 0.0)
    left = left_part(x, xp)
    near, below = xp.maximum(left, -0.7), xp.where(left > -0.7, -1.0, left)
    coefficients = _SECOND_REST[7:] if is_single(x) else _SECOND_REST
    beside = near * (alpha_n * near * polynomial(near, coefficients) + beta)
    far = alpha_n * exponential_minus_one(below, xp) + times(beta - alpha_n, below, xp)
    above = times(times(alpha_p, right, xp) + beta, right, xp)
    value = xp.where(x > 0, above, xp.where(left > -0.7, beside, far))
    return through_roots(value, x, xp, "xielu.value") if _is_xielu(alpha_n, beta) else value


def _xielu_derivative(x: Any, xp: Any, alpha_p: Any, alpha_n: Any, beta: Any) -> Any:
    above = 2.0 * times(alpha_p, xp.where(x > 0, x, 0.0), xp) + beta
    left = left_part(x, xp)
    # Two sums for the left: alpha_n may equal beta, and then the tail is alpha_n·exp(x).
    beside = alpha_n * exponential_minus_one(left, xp) + beta
    slope = xp.where(x > 0, above, xp.where(left > -0.7, beside, alpha_n * xp.exp(left) + (beta - alpha_n)))
    return through_roots(slope, x, xp, "xielu") if _is_xielu(alpha_n, beta) else slope


def _is_xielu(alpha_n: Any, beta: Any) -> bool:
    return is_exactly(alpha_n, 0.8) and is_exactly(beta, 0.5)


def _xielu_by_alpha_p(x: Any, xp: Any, alpha_p: Any, alpha_n: Any, beta: Any) -> Any:
    right = xp.where(x > 0, x, xp.where(x <= 0, 0.0, x))
    return right * right


def _xielu_by_alpha_n(x: Any, xp: Any, alpha_p: Any, alpha_n: Any, beta: Any) -> Any:
    return _xielu(left_part(x, xp), xp, 0.0, 1.0, 0.0)


pelu = Activation(
    name="pelu",
    title="PELU",
    formula=Formula(
        "(a/b)*x for x > 0, else a*(exp(x/b) - 1), a and b learnt",
        r"\begin{cases} \frac{a}{b} x & x > 0 \\ a (e^{x/b} - 1) & x \le 0 \end{cases},\ a, b \text{ learnt}",
    ),
    family="trainable",
    year=2016,
    source="Trottier, Giguère and Chaib-draa, 2016, arXiv:1605.09332",
    value_rule=_pelu,
    derivative_rule=_pelu_derivative,
    aliases=("parametric_elu",),
    parameters=(
        Parameter("a", 1.0, trainable=True, low=_PELU_LOWEST),
        Parameter("b", 1.0, trainable=True, low=_PELU_LOWEST),
    ),
    parameter_derivatives={"a": _pelu_by_a, "b": _pelu_by_b},
    notes="It starts as ELU. As with the authors, a and b below 0.1 count as 0.1.",
)

mpelu = Activation(
    name="mpelu",
    title="MPELU",
    formula=Formula(
        "x for x > 0, else alpha*(exp(beta*x) - 1), alpha and beta learnt",
        r"\begin{cases} x & x > 0 \\ \alpha (e^{\beta x} - 1) & x \le 0 \end{cases},"
        r"\ \alpha, \beta \text{ learnt}",
    ),
    family="trainable",
    year=2016,
    source="Li, Fan, Li, Wu and Ming, 2016, arXiv:1606.00305",
    value_rule=_mpelu,
    derivative_rule=_mpelu_derivative,
    aliases=("multiple_parametric_elu",),
    parameters=(Parameter("alpha", 1.0, trainable=True), Parameter("beta", 1.0, trainable=True, low=0.0)),
    parameter_derivatives={"alpha": _mpelu_by_alpha, "beta": _mpelu_by_beta},
    notes="It starts as ELU. A beta below 0, where training may carry it, counts as 0.",
)

pdelu = Activation(
    name="pdelu",
    title="PDELU",
    formula=Formula(
        "x for x > 0, else alpha*(max(1 + (1 - t)*x, 0)^(1/(1 - t)) - 1), alpha learnt",
        r"\begin{cases} x & x > 0 \\ \alpha (\max(1 + (1 - t) x, 0)^{1/(1 - t)} - 1) & x \le 0 \end{cases},"
        r"\ \alpha \text{ learnt}",
    ),
    family="trainable",
    year=2020,
    source="Cheng, Li, Wu, Ma and Ngan, 2020, doi:10.1016/j.neunet.2020.02.012",
    value_rule=_pdelu,
    derivative_rule=_pdelu_derivative,
    aliases=("parametric_deformable_elu",),
    parameters=(Parameter("alpha", 1.0, trainable=True), Parameter("t", 0.9, low=0.0, high=2.0)),
    parameter_derivatives={"alpha": _pdelu_by_alpha},
    constraint=_not_one,
    notes="t shapes the left side and is not learnt; for t towards 1 it becomes ELU. For t < 1 it is flat below "
    "−1/(1 − t), −10 by default. Next to t = 1 digits are lost, about one for each 0 in |1 − t|.",
)

apl = Activation(
    name="apl",
    title="APL",
    formula=Formula(
        "max(x, 0) + slope_1*max(hinge_1 - x, 0) + slope_2*max(hinge_2 - x, 0), all learnt",
        r"\max(x, 0) + \sum_{s=1}^{2} a_s \max(b_s - x, 0),\ a_s, b_s \text{ learnt}",
    ),
    family="trainable",
    year=2014,
    source="Agostinelli, Hoffman, Sadowski and Baldi, 2014, arXiv:1412.6830",
    value_rule=_apl,
    derivative_rule=_apl_slope,
    aliases=("adaptive_piecewise_linear",),
    parameters=(
        Parameter("slope_1", 0.2, trainable=True),
        Parameter("hinge_1", 0.5, trainable=True),
        Parameter("slope_2", -0.2, trainable=True),
        Parameter("hinge_2", -0.5, trainable=True),
    ),
    parameter_derivatives={
        "slope_1": _apl_by_slope(1),
        "hinge_1": _apl_by_hinge(1),
        "slope_2": _apl_by_slope(2),
        "hinge_2": _apl_by_hinge(2),
    },
    notes="The authors' code draws slopes uniformly from ±0.2 and hinges from a normal of standard deviation 0.5; here "
    "both start at these distances, so that nothing is random. Two hinges (S = 2).",
)

soft_exponential = Activation(
    name="soft_exponential",
    title="Soft exponential",
    formula=Formula(
        "-ln(1 - alpha*(x + alpha))/alpha for alpha < 0, x for alpha = 0, (exp(alpha*x) - 1)/alpha + alpha for "
        "alpha > 0, alpha learnt",
        r"\begin{cases} -\frac{\ln(1 - \alpha (x + \alpha))}{\alpha} & \alpha < 0 \\ x & \alpha = 0 \\"
        r"\frac{e^{\alpha x} - 1}{\alpha} + \alpha & \alpha > 0 \end{cases},\ \alpha \text{ learnt}",
    ),
    family="trainable",
    year=2016,
    source="Godfrey and Gashler, 2016, arXiv:1602.01321",
    value_rule=_soft_exponential,
    derivative_rule=_soft_exponential_derivative,
    parameters=(Parameter("alpha", 0.0, trainable=True),),
    parameter_derivatives={"alpha": _soft_exponential_by_alpha},
    notes="It starts as the identity. For alpha < 0 the logarithm ends at x = (alpha² − 1)/|alpha|: below, its "
    "argument is held at the machine epsilon, and the derivative is 0.",
)

acon_c = Activation(
    name="acon_c",
    title="ACON-C",
    formula=Formula(
        "(p1 - p2)*x*sigmoid(beta*(p1 - p2)*x) + p2*x, all learnt",
        r"(p_1 - p_2) x \, \sigma(\beta (p_1 - p_2) x) + p_2 x,\ p_1, p_2, \beta \text{ learnt}",
    ),
    family="trainable",
    year=2020,
    source="Ma, Zhang, Liu and Sun, Activate or not, 2020, arXiv:2009.04759",
    value_rule=_acon_c,
    derivative_rule=_acon_c_derivative,
    parameters=(
        Parameter("p1", 1.0, trainable=True),
        Parameter("p2", 0.0, trainable=True),
        Parameter("beta", 1.0, trainable=True),
    ),
    parameter_derivatives={"beta": _acon_c_by_beta},
    notes="It starts as SiLU; the authors' code draws p1 and p2 from a unit normal.",
)

xielu = Activation(
    name="xielu",
    title="xIELU",
    formula=Formula(
        "alpha_p*x^2 + beta*x for x > 0, else alpha_n*(exp(x) - 1 - x) + beta*x, alpha_p and alpha_n learnt",
        r"\begin{cases} \alpha_p x^2 + \beta x & x > 0 \\ \alpha_n (e^x - 1 - x) + \beta x & x \le 0 \end{cases},"
        r"\ \alpha_p, \alpha_n \text{ learnt}",
    ),
    family="trainable",
    year=2024,
    source="Huang and Schlag, Deriving activation functions using integration, 2024, arXiv:2411.13010",
    value_rule=_xielu,
    derivative_rule=_xielu_derivative,
    parameters=(
        Parameter("alpha_p", 0.8, trainable=True, low=0.0),
        Parameter("alpha_n", 0.8, trainable=True, low=0.0),
        Parameter("beta", 0.5),
    ),
    parameter_derivatives={"alpha_p": _xielu_by_alpha_p, "alpha_n": _xielu_by_alpha_n},
    notes="The parameters are those of the formula. The authors' code learns them through softplus, alpha_p = "
    "softplus(u) and alpha_n = beta + softplus(v), which keeps alpha_p above 0 and alpha_n above beta. "
    "Beside the roots of value and derivative it is accurate to ulps at the default parameters alone.",
)

FUNCTIONS = (pelu, mpelu, pdelu, apl, soft_exponential, acon_c, xielu)
