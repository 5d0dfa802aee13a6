"""Functions with the error function or the normal distribution as a gate, and SMU-1, their neighbour with a root."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import gelu, gelu_derivative
from actlab.functions.numerics import (
    BEYOND,
    Scaled,
    absolute,
    coarse,
    decay,
    erf,
    is_exactly,
    is_single,
    minimum_below_maximum,
    normal_parts,
    through_roots,
    times,
)

# Beyond 1e30 all functions are straight lines; from 9 on, erf is 1 and its slope nothing.
_STRAIGHT, _SATURATED = 1e30, 9.0
_ERF_SLOPE = 2 / math.sqrt(math.pi)


def _exponent(scale: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """scale·x rounded, and what is missing from it, for an exponential that must not lose the product's last bits.

    Both factors are split into leading bits, whose product is exact for the sizes that matter, and a rest.
    """
    bits_of_x, bits_of_scale = (2.0**5, 2.0**11) if is_single(x) else (2.0**16, 2.0**26)
    leading_scale, leading_x = coarse(scale, bits_of_scale, xp), coarse(x, bits_of_x, xp)
    whole = leading_x * leading_scale
    rest = (x - leading_x) * scale + leading_x * (scale - leading_scale)
    rounded = whole + rest
    return rounded, (whole - rounded) + rest


def _exponential(scale: Any, x: Any, highest: float, xp: Any) -> tuple[Scaled, Any]:
    """exp(scale·x), the exponent at most `highest`; and scale·x."""
    product, missing = _exponent(scale, xp.clip(x, -_STRAIGHT, _STRAIGHT), xp)
    inside = (product > -BEYOND) & (product < highest)
    bounded = xp.clip(product, -BEYOND, highest)
    e = decay(bounded, bounded, xp)
    return e.times(1.0 + xp.where(inside, missing, xp.zeros_like(missing))), product


def _erf_slope(u: Any, xp: Any) -> Any:
    """The slope of erf, as 0 from 9 on, for arguments within ±9."""
    return xp.where(absolute(u, xp) < _SATURATED, _ERF_SLOPE * xp.exp(-u * u), xp.zeros_like(u))


def _without_tail(x: Any, product: Any, xp: Any) -> Any:
    """x, or 0 where scale·x is so low that the gate is 0; a product of both is then no inf·0."""
    return xp.where(product < -BEYOND, xp.zeros_like(x), x)


def _finite_without_tail(x: Any, product: Any, xp: Any) -> Any:
    return _without_tail(xp.clip(x, -_STRAIGHT, _STRAIGHT), product, xp)


def _serf(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, 10.0)
    e = decay(near, near, xp)
    return e.of(xp.maximum(x, -BEYOND) * erf(xp.log1p(e.array), xp)).plain(xp)


def _serf_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, 10.0)
    scaled = decay(near, near, xp)
    e, inner = scaled.array, xp.log1p(scaled.array)
    slope = erf(inner, xp) + near * _ERF_SLOPE * xp.exp(-inner * inner) * (e / (1.0 + e))
    return through_roots(scaled.of(slope).plain(xp), near, xp, "serf")


def _erf_act(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    e, product = _exponential(beta, x, 80.0, xp)
    return e.of(_without_tail(x, product, xp) * erf(alpha * e.array, xp)).plain(xp)


def _erf_act_pieces(x: Any, xp: Any, alpha: Any, beta: Any) -> tuple[Scaled, Any, Any]:
    """exp(βx); its product with α, within ±9; and βx."""
    e, product = _exponential(beta, x, 80.0, xp)
    return e, xp.clip(alpha * e.array, -_SATURATED, _SATURATED), product


def _erf_act_derivative(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    e, inner, product = _erf_act_pieces(x, xp, alpha, beta)
    bounded = xp.clip(product, -BEYOND, 80.0)
    slope = e.of(erf(inner, xp) + bounded * inner * _erf_slope(inner, xp)).plain(xp)
    usual = is_exactly(alpha, 0.75) and is_exactly(beta, 0.75)
    return through_roots(slope, xp.clip(x, -BEYOND, BEYOND), xp, "erf_act") if usual else slope


def _erf_act_by_alpha(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    e, inner, product = _erf_act_pieces(x, xp, alpha, beta)
    return e.times(_erf_slope(inner, xp)).times(_finite_without_tail(x, product, xp)).plain(xp)


def _erf_act_by_beta(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    e, inner, product = _erf_act_pieces(x, xp, alpha, beta)
    near = _finite_without_tail(x, product, xp)
    return e.of(near * (near * (inner * _erf_slope(inner, xp)))).plain(xp)


def _pserf_pieces(x: Any, xp: Any, gamma: Any, delta: Any) -> tuple[Any, Scaled, Any, Any]:
    """γ·softplus(δx) within ±9, exp(δx) up to δx = 30, δx, and softplus(δx)."""
    e, product = _exponential(delta, x, 30.0, xp)
    softplus = xp.where(product > 30.0, xp.maximum(product, 30.0), xp.log1p(e.array))
    return xp.clip(gamma * softplus, -_SATURATED, _SATURATED), e, product, softplus


def _pserf(x: Any, xp: Any, gamma: Any, delta: Any) -> Any:
    inner, e, product, _ = _pserf_pieces(x, xp, gamma, delta)
    return e.of(_without_tail(x, product, xp) * erf(inner, xp)).plain(xp)


def _pserf_derivative(x: Any, xp: Any, gamma: Any, delta: Any) -> Any:
    inner, scaled, product, _ = _pserf_pieces(x, xp, gamma, delta)
    bounded, e = xp.clip(product, -BEYOND, _STRAIGHT), scaled.array
    slope = erf(inner, xp) + gamma * bounded * (e / (1.0 + e)) * _erf_slope(inner, xp)
    slope = scaled.of(slope).plain(xp)
    usual = is_exactly(gamma, 1.25) and is_exactly(delta, 0.85)
    return through_roots(slope, xp.clip(x, -BEYOND, BEYOND), xp, "pserf") if usual else slope


def _pserf_by_gamma(x: Any, xp: Any, gamma: Any, delta: Any) -> Any:
    inner, e, product, softplus = _pserf_pieces(x, xp, gamma, delta)
    return e.of(_finite_without_tail(x, product, xp) * (softplus * _erf_slope(inner, xp))).plain(xp)


def _pserf_by_delta(x: Any, xp: Any, gamma: Any, delta: Any) -> Any:
    inner, e, product, _ = _pserf_pieces(x, xp, gamma, delta)
    near = _finite_without_tail(x, product, xp)
    return e.over(1.0 + e).times(gamma).times(_erf_slope(inner, xp)).times(near).times(near).plain(xp)


def _smu(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    # x·(α + (1 − α)·Φ(t)) with t = √2·μ(1 − α)x, which is αx + (1 − α)·gelu(t)/(√2·μ(1 − α)).
    t = _smu_argument(x, xp, alpha, mu)
    _, _, density, tail = normal_parts(t, xp)
    falling = xp.where(t < -40.0, xp.zeros_like(x), x)
    left = times(alpha, x, xp) + (1.0 - alpha) * (falling * density * tail)
    # Near 0 both terms of it may be subnormal where the sum is not.
    left = xp.where(t < -1.0, left, x * (alpha + (1.0 - alpha) * (density * tail)))
    return xp.where(t >= 0, x * (1.0 - (1.0 - alpha) * (density * tail)), left)


def _smu_derivative(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    t = _smu_argument(x, xp, alpha, mu)
    return alpha + (1.0 - alpha) * gelu_derivative(xp.clip(t, -40.0, 40.0), xp)


def _smu_by_mu(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    inner = xp.clip(_smu_argument(x, xp, alpha, mu) * math.sqrt(0.5), -_SATURATED, _SATURATED)
    scaled = (1.0 - alpha) * xp.where(absolute(inner, xp) < _SATURATED, x, xp.zeros_like(x))
    return 0.5 * scaled * scaled * _erf_slope(inner, xp)


def _smu_argument(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    return (math.sqrt(2) * mu * (1.0 - alpha)) * xp.clip(x, -_STRAIGHT, _STRAIGHT)


def _hypotenuse(a: Any, b: Any, xp: Any) -> Any:
    """√(a² + b²) of numbers that are not negative, without overflow, and not 0 where both are."""
    longer, shorter = xp.maximum(xp.maximum(a, b), 1e-37), xp.minimum(a, b)
    ratio = shorter / longer
    return longer * xp.sqrt(1.0 + ratio * ratio)


def _rounding(mu: Any) -> float:
    """What float32 loses of |μ|, a plain number: next to the root the function is that small."""
    return abs(mu) - float(np.float32(abs(mu))) if isinstance(mu, (int, float)) else 0.0


def _smu1(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    # With r² = (1 − α)²x² + μ²: for x ≥ 0 it is x + μ²/(2(r + (1 − α)x)), for x < 0 (μ² − 4αx²)/(2(r + (1 + α)|x|)),
    # whose numerator is a product. A quarter of each length, for sums not to overflow.
    missing = 0.5 * _rounding(mu) if is_single(x) else 0.0
    mu, size, side, root = _smu1_lengths(x, xp, alpha, mu)
    right = xp.where(x >= 0, x, 0.0) + 0.125 * mu * (mu / (root + side))
    slope = math.sqrt(alpha) if isinstance(alpha, (int, float)) else xp.sqrt(alpha)
    factor = 0.5 * (0.5 * mu + slope * size) / (root + 0.25 * (1.0 + alpha) * size)
    left = (0.5 * mu - times(slope, absolute(x, xp), xp)) * factor + missing * factor
    # Near 0 the formula as it stands does not cancel, and no rounding makes it fall.
    near = 0.5 * (1.0 + alpha) * xp.clip(x, -mu, mu) + 2.0 * root
    return xp.where(side < 0.03125 * mu, near, xp.where(x >= 0, right, left))


def _smu1_derivative(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    # ½(1 − (1 − α)|x|/r) = μ²/(2r(r + (1 − α)|x|)), which does not cancel.
    mu, _, side, root = _smu1_lengths(x, xp, alpha, mu)
    rest = (1.0 - alpha) * (0.03125 * (mu / root) * (mu / (root + side)))
    return xp.where(x >= 0, 1.0 - rest, alpha + rest)


def _smu1_by_mu(x: Any, xp: Any, alpha: Any, mu: Any) -> Any:
    _, _, _, root = _smu1_lengths(x, xp, alpha, mu)
    return 0.125 * mu / root


def _smu1_lengths(x: Any, xp: Any, alpha: Any, mu: Any) -> tuple[Any, Any, Any, Any]:
    """|μ|, |x| but finite, and a quarter each of (1 − α)|x| and √((1 − α)²x² + μ²)."""
    # Not added to zeros: exporters take numbers as small as mu is at first for 0, where they are added.
    mu = absolute(xp.where(xp.isnan(x), x, mu), xp)
    size = xp.minimum(absolute(x, xp), float(xp.finfo(x.dtype).max))
    side = 0.25 * (1.0 - alpha) * size
    return mu, size, side, _hypotenuse(side, 0.25 * mu, xp)


def _xgelu(x: Any, xp: Any, alpha: Any) -> Any:
    _, _, density, tail = normal_parts(x, xp)
    range_ = 1.0 + 2.0 * alpha
    left = range_ * gelu.value_rule(xp.minimum(x, 0.0), xp) - times(alpha, x, xp)
    return xp.where(x >= 0, x * (range_ * (1.0 - density * tail) - alpha), left)


def _xgelu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    slope = gelu_derivative(x, xp)
    return slope if is_exactly(alpha, 0.0) else (1.0 + 2.0 * alpha) * slope - alpha


def _xgelu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    _, _, density, tail = normal_parts(x, xp)
    return xp.where(x >= 0, x * (1.0 - 2.0 * density * tail), 2.0 * gelu.value_rule(xp.minimum(x, 0.0), xp) - x)


def _clipped_gelu(x: Any, xp: Any, minimum: Any, maximum: Any) -> Any:
    return xp.clip(gelu.value_rule(x, xp), minimum, maximum)


def _clipped_gelu_derivative(x: Any, xp: Any, minimum: Any, maximum: Any) -> Any:
    value, slope = gelu.value_rule(x, xp), gelu_derivative(x, xp)
    return xp.where((value > maximum) | (value < minimum), xp.zeros_like(slope), slope)


serf = Activation(
    name="serf",
    title="SERF",
    formula=Formula("x*erf(ln(1 + exp(x)))", r"x \, \mathrm{erf}(\ln(1 + e^x))"),
    family="error_function",
    year=2021,
    source="Nag and Bhattacharyya, 2021, arXiv:2108.09598",
    value_rule=_serf,
    derivative_rule=_serf_derivative,
)

erf_act = Activation(
    name="erf_act",
    title="ErfAct",
    formula=Formula("x*erf(alpha*exp(beta*x))", r"x \, \mathrm{erf}(\alpha e^{\beta x})"),
    family="error_function",
    year=2021,
    source="Biswas, Kumar, Banerjee and Pandey, 2021, arXiv:2109.04386",
    value_rule=_erf_act,
    derivative_rule=_erf_act_derivative,
    parameters=(Parameter("alpha", 0.75, trainable=True), Parameter("beta", 0.75, trainable=True)),
    parameter_derivatives={"alpha": _erf_act_by_alpha, "beta": _erf_act_by_beta},
    notes="The parameters may be learnt. The formula is the paper's; that it starts them at 0.75 could not be "
    "confirmed. "
    "Beside the root of its derivative it is accurate to ulps at the default parameters alone.",
)

pserf = Activation(
    name="pserf",
    title="Pserf",
    formula=Formula("x*erf(gamma*ln(1 + exp(delta*x)))", r"x \, \mathrm{erf}(\gamma \ln(1 + e^{\delta x}))"),
    family="error_function",
    year=2021,
    source="Biswas, Kumar, Banerjee and Pandey, 2021, arXiv:2109.04386",
    value_rule=_pserf,
    derivative_rule=_pserf_derivative,
    parameters=(Parameter("gamma", 1.25, trainable=True), Parameter("delta", 0.85, trainable=True)),
    parameter_derivatives={"gamma": _pserf_by_gamma, "delta": _pserf_by_delta},
    notes="The parameters may be learnt. The formula is the paper's; that it starts them at 1.25 and 0.85 could not be "
    "confirmed, and other code starts at 1 and 1.25. Both 1 is SERF. "
    "Beside the root of its derivative it is accurate to ulps at the default parameters alone.",
)

smu = Activation(
    name="smu",
    title="SMU",
    formula=Formula(
        "((1 + alpha)*x + (1 - alpha)*x*erf(mu*(1 - alpha)*x))/2",
        r"\frac{(1 + \alpha) x + (1 - \alpha) x \, \mathrm{erf}(\mu (1 - \alpha) x)}{2}",
    ),
    family="error_function",
    year=2021,
    source="Biswas, Kumar, Banerjee and Pandey, 2021, arXiv:2111.04682",
    value_rule=_smu,
    derivative_rule=_smu_derivative,
    parameters=(Parameter("alpha", 0.25), Parameter("mu", 1e6, trainable=True)),
    parameter_derivatives={"mu": _smu_by_mu},
    notes="A smooth max(x, alpha*x); mu is learnt from 1e6 on, where it is leaky ReLU but for |x| < 1e-5. With "
    "alpha = 0 and mu = sqrt(1/2) it is GELU. Elsewhere alpha = 0.01, mu = 2.5.",
)

smu1 = Activation(
    name="smu1",
    title="SMU-1",
    formula=Formula(
        "((1 + alpha)*x + sqrt((1 - alpha)^2*x^2 + mu^2))/2",
        r"\frac{(1 + \alpha) x + \sqrt{(1 - \alpha)^2 x^2 + \mu^2}}{2}",
    ),
    family="error_function",
    year=2021,
    source="Biswas, Kumar, Banerjee and Pandey, 2021, arXiv:2111.04682",
    value_rule=_smu1,
    derivative_rule=_smu1_derivative,
    parameters=(
        Parameter("alpha", 0.25, low=0.0, high=1.0),
        Parameter("mu", 4.352665993287951e-09, trainable=True),
    ),
    parameter_derivatives={"mu": _smu1_by_mu},
    notes="A smooth max(x, alpha*x), by default leaky ReLU but for |x| < 1e-4; mu is learnt. At 0 it is mu/2.",
)

xgelu = Activation(
    name="xgelu",
    title="xGELU",
    formula=Formula("x*((1 + 2*alpha)*Phi(x) - alpha)", r"x \left((1 + 2\alpha) \, \Phi(x) - \alpha\right)"),
    family="error_function",
    year=2024,
    source="Huang, 2024, arXiv:2405.20768",
    value_rule=_xgelu,
    derivative_rule=_xgelu_derivative,
    parameters=(Parameter("alpha", 0.0, trainable=True),),
    parameter_derivatives={"alpha": _xgelu_by_alpha},
    notes="The range of the gate, (-alpha, 1 + alpha), is learnt, one alpha for each layer; at 0 it is GELU. "
    "Beside the root of its derivative it is accurate to ulps at alpha 0 alone.",
)

clipped_gelu = Activation(
    name="clipped_gelu",
    title="Clipped GELU",
    formula=Formula(
        "gelu(x) clipped to [minimum, maximum]", r"\min(\mathrm{maximum}, \max(\mathrm{minimum}, \mathrm{gelu}(x)))"
    ),
    family="error_function",
    year=2020,
    source="Wu, Judd, Zhang, Isaev and Micikevicius, 2020, arXiv:2004.09602",
    value_rule=_clipped_gelu,
    derivative_rule=_clipped_gelu_derivative,
    aliases=("gelu_10",),
    parameters=(Parameter("minimum", -10.0), Parameter("maximum", 10.0)),
    constraint=minimum_below_maximum,
    notes="Transformers calls it gelu_10; GELU itself never falls below -0.17.",
)

FUNCTIONS = (serf, erf_act, pserf, smu, smu1, xgelu, clipped_gelu)
