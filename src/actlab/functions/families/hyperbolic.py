"""Functions with a hyperbolic tangent: x times a tanh of something, x − tanh(x); and gates like it, xATLU's arctan."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import gelu, gelu_derivative, mish_denominator, mish_gate, mish_slope
from actlab.functions.numerics import (
    BEYOND,
    DENSITY_AT_ZERO,
    Scaled,
    absolute,
    coefficients,
    decay,
    exponential_of_size,
    is_exactly,
    is_single,
    normal_parts,
    polynomial,
    tanh,
    through_roots,
    times,
)

# Beyond 1e30 all functions are straight lines.
_STRAIGHT = 1e30

# The coefficients "tanh_shrink": (x − tanh x)/x³ as a polynomial in x² for |x| ≤ 1 (relative errors 5.3e−9, 1.5e−17);
# "arctan": (arctan r − r/(1 + r²))/(πr³) as one in r² for 0 ≤ r ≤ 1 (2.2e−9, 8.3e−18); both interpolated in 60 digits
# at Chebyshev nodes. "arctan_gate": (1 − arctan(r)/r)/(πr²), from the integral of the latter's polynomial, because both
# belong to one function.

# The logistic form of gelu_tanh: x·σ(ax + bx³), a = 2√(2/π), b = 0.044715a; and what the two floats lack of a and b.
_LINEAR, _CUBIC = 1.5957691216057308, 0.07135481627260025
_LINEAR_REST, _CUBIC_REST = -9.96930880911092e-17, -6.175149918155315e-19


def _tanh_slope(u: Any, xp: Any) -> Any:
    """1/cosh²(u) for u ≥ 0, without the cancellation of 1 − tanh²(u)."""
    e = xp.exp(-2.0 * u)
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def _tanh_exp(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, 5.0)
    e = decay(near, near, xp)
    return e.of(xp.maximum(x, -BEYOND) * tanh(e.array, xp)).plain(xp)


def _tanh_exp_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, 5.0)
    scaled = decay(near, near, xp)
    e = scaled.array
    slope = scaled.of(tanh(e, xp) + near * e * _tanh_slope(e, xp))
    return through_roots(slope.plain(xp), near, xp, "tanh_exp")


def _lisht(x: Any, xp: Any) -> Any:
    return x * tanh(x, xp)


def _lisht_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -BEYOND, BEYOND)
    return tanh(near, xp) + near * _tanh_slope(absolute(near, xp), xp)


def _tanh_shrink(x: Any, xp: Any) -> Any:
    # Beyond 1, x − tanh(x) is written with (x − 1) + e⁻²ˣ(x + 1), whose terms are exact and of one sign.
    near = xp.clip(x, -1.0, 1.0)
    square = near * near
    series = near * (square * polynomial(square, coefficients("tanh_shrink", x)))
    size = absolute(x, xp)
    bounded = xp.clip(size, 1.0, BEYOND)
    e = xp.exp(-2.0 * bounded)
    beyond = ((size - 1.0) + e * (bounded + 1.0)) / (1.0 + e)
    return xp.where(size <= 1.0, series, xp.where(x >= 0, beyond, -beyond))


def _tanh_shrink_derivative(x: Any, xp: Any) -> Any:
    gate = tanh(xp.clip(x, -BEYOND, BEYOND), xp)
    return gate * gate


def _smish_pieces(x: Any, xp: Any) -> tuple[Any, Scaled, Any, Any, Any]:
    """x, e = e⁻|ˣ|, the mask of x ≥ 0; above and below of tanh(ln(1 + σ(x))), but for a factor e.

    In e = eˣ it is e(2 + 3e)/(2 + 6e + 5e²); for x ≥ 0 both are written in 1/e.
    """
    near = xp.clip(x, -BEYOND, BEYOND)
    scaled = exponential_of_size(near, xp)
    e, right = scaled.array, near >= 0
    above = xp.where(right, 3.0 + 2.0 * e, 2.0 + 3.0 * e)
    below = xp.where(right, 5.0 + e * (6.0 + 2.0 * e), 2.0 + e * (6.0 + 5.0 * e))
    return near, scaled, right, above, below


def _smish(x: Any, xp: Any) -> Any:
    _, e, right, above, below = _smish_pieces(x, xp)
    return e.unless(right, 1.0, xp).times(above).over(below).times(xp.maximum(x, -BEYOND)).plain(xp)


def _smish_derivative(x: Any, xp: Any) -> Any:
    # e(4(1 + x) + (18 + 12x)e + (28 + 8x)e² + 15e³)/(2 + 6e + 5e²)², e = eˣ; for x ≥ 0 written in 1/e. Gathered by
    # powers of e: gate and slope apart would be two near-equal terms, each rounded more often.
    near, scaled, right, _, below = _smish_pieces(x, xp)
    e, shifted = scaled.array, 4.0 * (1.0 + near)
    first, second = 3.0 * shifted + 6.0, 2.0 * shifted + 20.0
    above = xp.where(
        right,
        15.0 + e * (second + e * (first + e * shifted)),
        e * (shifted + e * (first + e * (second + 15.0 * e))),
    )
    return through_roots(scaled.of(above / (below * below)).plain(xp), near, xp, "smish")


# From here to the left tanh(gelu(x)) is gelu(x) to the last digit.
_PHISH_LEFT = -7.0


def _phish(x: Any, xp: Any) -> Any:
    near, _, density, tail = normal_parts(x, xp)
    inner = xp.where(near >= 0, near * (1.0 - density * tail), near * density * tail)
    # In this order no factor is subnormal where x²·Φ(x) is a normal number.
    return xp.where(near > _PHISH_LEFT, x * tanh(inner, xp), near * near * density * tail)


def _phish_derivative(x: Any, xp: Any) -> Any:
    near, size, density, tail = normal_parts(x, xp)
    middle = xp.maximum(near, _PHISH_LEFT)
    inner, slope = gelu.value_rule(middle, xp), gelu_derivative(middle, xp)
    general = tanh(inner, xp) + middle * slope * _tanh_slope(absolute(inner, xp), xp)
    left = size * density * (DENSITY_AT_ZERO * size - 2.0 * tail)
    # Near 0 it is x; gelu(x) there would be subnormal.
    general = xp.where(size < 1e-17, near, xp.where(near > _PHISH_LEFT, general, left))
    return through_roots(general, near, xp, "phish")


def _beta_mish_pieces(x: Any, xp: Any, beta: Any) -> tuple[Any, Scaled, Any, Any]:
    """x where β·softplus(x) is below 50, else 0: tanh(50) is 1; eˣ; softplus(x); and that product."""
    near = xp.clip(x, -BEYOND, _STRAIGHT)
    bounded = xp.minimum(near, 30.0)
    e = decay(bounded, bounded, xp)
    softplus = xp.where(near > 30.0, near + xp.exp(-xp.maximum(near, 30.0)), xp.log1p(e.array))
    inside = beta * softplus < 50.0
    inner = xp.where(inside, beta * softplus, xp.full_like(x, 50.0))
    return xp.where(inside, near, xp.zeros_like(near)), e, softplus, inner


def _beta_mish(x: Any, xp: Any, beta: Any) -> Any:
    _, e, _, inner = _beta_mish_pieces(x, xp, beta)
    return e.of(xp.maximum(x, -BEYOND) * tanh(inner, xp)).plain(xp)


def _beta_mish_derivative(x: Any, xp: Any, beta: Any) -> Any:
    near, scaled, _, inner = _beta_mish_pieces(x, xp, beta)
    e = scaled.array
    slope = tanh(inner, xp) + near * beta * (e / (1.0 + e)) * _tanh_slope(inner, xp)
    slope = scaled.of(slope).plain(xp)
    return through_roots(slope, near, xp, "beta_mish") if is_exactly(beta, 1.5) else slope


def _beta_mish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    near, e, softplus, inner = _beta_mish_pieces(x, xp, beta)
    return e.of(near * softplus * _tanh_slope(inner, xp)).plain(xp)


def _mila_pieces(x: Any, xp: Any, beta: Any) -> tuple[Any, Any, Scaled]:
    """x, the mask of x ≥ 0, and exp(x + β), there its inverse; with these it is Mish.

    Adding β to x would cost the left tail as many ulp as x is large, so its exponential is a factor.
    """
    factor = math.exp(beta) if isinstance(beta, (int, float)) else xp.exp(beta)
    near = xp.clip(x, -BEYOND, BEYOND)
    e, right = exponential_of_size(near, xp), near >= 0
    return near, right, e.times(factor).unless(right, e.array / factor, xp)


def _mila(x: Any, xp: Any, beta: Any) -> Any:
    _, right, e = _mila_pieces(x, xp, beta)
    return mish_gate(right, e, xp).times(xp.maximum(x, -BEYOND)).plain(xp)


def _mila_derivative(x: Any, xp: Any, beta: Any) -> Any:
    near, right, e = _mila_pieces(x, xp, beta)
    slope = mish_slope(near, right, e, xp).plain(xp)
    return through_roots(slope, near, xp, "mila") if is_exactly(beta, -0.25) else slope


def _mila_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    # x·4e(1 + e)/(e² + 2e + 2)², in 1/e for x ≥ 0.
    near, right, e = _mila_pieces(x, xp, beta)
    below = mish_denominator(right, e.array, xp)
    twice = e.unless(right, e.array * e.array, xp)
    return twice.times(near * 4.0).times(1.0 + e).over(below * below).plain(xp)


def _gelu_tanh_pieces(x: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """x up to ±15 or ±40; exp(−(a|x| + b|x|³)), e³⁰ times as large where x < −5; the same without; that mask.

    |x| is split into h, a multiple of ¼ or 1/64, and a rest; a and b into leading bits and a rest. All products of
    the leading parts are exact, so is their sum, and the rests make a small exponent: rounding the whole exponent,
    which goes to 88 or 745, would cost the tail as many ulp. What rounding it loses is put back by a factor.
    """
    reach, step, bits = (15.0, 4.0, 2.0**9) if is_single(x) else (40.0, 64.0, 2.0**20)
    linear, cubic = math.floor(_LINEAR * bits) / bits, math.floor(_CUBIC * bits) / bits
    near = xp.clip(x, -reach, reach)
    size = absolute(near, xp)
    h = xp.floor(size * step + 0.5) / step
    whole = linear * h + cubic * (h * h * h)
    rest = (_LINEAR - linear + _LINEAR_REST) * h + (_CUBIC - cubic + _CUBIC_REST) * (h * h * h)
    rest = rest + (size - h) * (_LINEAR + _CUBIC * (size * size + size * h + h * h))
    far = near < -5.0
    whole = xp.where(far, whole - 30.0, whole)
    exponent = whole + rest
    e = xp.exp(-exponent) * (1.0 - ((whole - exponent) + rest))
    return near, e, xp.where(far, e * math.exp(-30.0), e), far


def _gelu_tanh(x: Any, xp: Any) -> Any:
    near, e, plain, far = _gelu_tanh_pieces(x, xp)
    left = near * e / (1.0 + plain)
    return xp.where(x >= 0, x / (1.0 + plain), xp.where(far, left * math.exp(-30.0), left))


def _gelu_tanh_derivative(x: Any, xp: Any) -> Any:
    near, e, plain, far = _gelu_tanh_pieces(x, xp)
    bend, below = near * (_LINEAR + 3.0 * _CUBIC * near * near), 1.0 + plain
    right = (below + bend * plain) / (below * below)
    left = e * (below + bend) / (below * below)
    left = xp.where(far, left * math.exp(-30.0), left)
    return through_roots(xp.where(near >= 0, right, left), near, xp, "gelu_tanh")


def _atlu_left(x: Any, xp: Any) -> Any:
    """x·(arctan(x) + π/2)/π for x ≤ −1: −arctan(r)/(πr), r = 1/|x|, as −1/π and what grows from there."""
    inverse = 1.0 / xp.maximum(-x, 1.0)
    square = inverse * inverse
    return square * polynomial(square, coefficients("arctan_gate", x)) - 1 / math.pi


def _atlu_gate(x: Any, xp: Any) -> Any:
    """(arctan(x) + π/2)/π, good for x > −1."""
    return (xp.arctan(xp.maximum(x, -1.0)) + math.pi / 2) * (1 / math.pi)


def _xatlu(x: Any, xp: Any, alpha: Any) -> Any:
    range_ = 1.0 + 2.0 * alpha
    left = range_ * _atlu_left(x, xp) - times(alpha, x, xp)
    return xp.where(x <= -1.0, left, x * (range_ * _atlu_gate(x, xp) - alpha))


def _xatlu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    # For x ≤ −1, arctan(r) − r/(1 + r²) with r = 1/|x|, of which the first two terms cancel.
    inverse = 1.0 / xp.maximum(-x, 1.0)
    square = inverse * inverse
    left = square * (inverse * polynomial(square, coefficients("arctan", x)))
    near = xp.clip(x, -1.0, _STRAIGHT**0.5)
    right = _atlu_gate(x, xp) + near / (math.pi * (1.0 + near * near))
    slope = xp.where(x <= -1.0, left, right)
    return slope if is_exactly(alpha, 0.0) else (1.0 + 2.0 * alpha) * slope - alpha


def _xatlu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x <= -1.0, 2.0 * _atlu_left(x, xp) - x, x * (2.0 * _atlu_gate(x, xp) - 1.0))


tanh_exp = Activation(
    name="tanh_exp",
    title="TanhExp (TeLU)",
    formula=Formula("x*tanh(exp(x))", r"x \tanh(e^x)"),
    family="hyperbolic",
    year=2020,
    source="Liu and Di, 2020, arXiv:2003.09855; as TeLU Fernandez and Mali, 2024, arXiv:2402.02790",
    value_rule=_tanh_exp,
    derivative_rule=_tanh_exp_derivative,
    aliases=("telu",),
    notes="TeLU is elsewhere the name of x*tanh(elu(alpha*x)), another function.",
)

lisht = Activation(
    name="lisht",
    title="LiSHT",
    formula=Formula("x*tanh(x)", r"x \tanh(x)"),
    family="hyperbolic",
    year=2019,
    source="Roy, Manna, Dubey and Chaudhuri, 2019, arXiv:1901.05894",
    value_rule=_lisht,
    derivative_rule=_lisht_derivative,
)

tanh_shrink = Activation(
    name="tanh_shrink",
    title="Tanh shrink",
    formula=Formula("x - tanh(x)", r"x - \tanh(x)"),
    family="hyperbolic",
    year=2011,
    source="Collobert, Kavukcuoglu and Farabet, Torch7, 2011 (nn.TanhShrink); torch.nn.Tanhshrink",
    value_rule=_tanh_shrink,
    derivative_rule=_tanh_shrink_derivative,
)

smish = Activation(
    name="smish",
    title="Smish",
    formula=Formula("x*tanh(ln(1 + sigmoid(x)))", r"x \tanh(\ln(1 + \sigma(x)))"),
    family="hyperbolic",
    year=2022,
    source="Wang, Ren and Wang, 2022, doi:10.3390/electronics11040540",
    value_rule=_smish,
    derivative_rule=_smish_derivative,
    notes="Its slope on the right is 3/5, not 1. The paper also writes alpha*x*tanh(ln(1 + sigmoid(beta*x))).",
)

phish = Activation(
    name="phish",
    title="Phish",
    formula=Formula("x*tanh(gelu(x))", r"x \tanh(\mathrm{gelu}(x))"),
    family="hyperbolic",
    year=2022,
    source="Naveen, 2022, doi:10.36227/techrxiv.17283824",
    value_rule=_phish,
    derivative_rule=_phish_derivative,
)

beta_mish = Activation(
    name="beta_mish",
    title="Beta Mish",
    formula=Formula("x*tanh(ln((1 + exp(x))^beta))", r"x \tanh(\ln((1 + e^x)^\beta))"),
    family="hyperbolic",
    year=2019,
    source="Misra, the echoAI package (digantamisra98/Echo), 2019",
    value_rule=_beta_mish,
    derivative_rule=_beta_mish_derivative,
    parameters=(Parameter("beta", 1.5, low=0.0),),
    parameter_derivatives={"beta": _beta_mish_by_beta},
    notes="Formula and 1.5 as in echoAI. beta = 1 is Mish. "
    "Beside the root of its derivative it is accurate to ulps at the default beta alone.",
)

mila = Activation(
    name="mila",
    title="Mila",
    formula=Formula("x*tanh(ln(1 + exp(x + beta)))", r"x \tanh(\ln(1 + e^{x + \beta}))"),
    family="hyperbolic",
    year=2019,
    source="Misra, Mila (digantamisra98/Mila, and in the echoAI package), 2019",
    value_rule=_mila,
    derivative_rule=_mila_derivative,
    parameters=(Parameter("beta", -0.25, low=-20.0, high=10.0),),
    parameter_derivatives={"beta": _mila_by_beta},
    notes="Formula and -0.25 as in echoAI; other code takes -1 or 1. beta = 0 is Mish. "
    "Beside the root of its derivative it is accurate to ulps at the default beta alone.",
)

gelu_tanh = Activation(
    name="gelu_tanh",
    title="GELU, tanh approximation",
    formula=Formula(
        "x/2*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3)))",
        r"\frac{x}{2} \left(1 + \tanh\left(\sqrt{2/\pi} \, (x + 0.044715 \, x^3)\right)\right)",
    ),
    family="hyperbolic",
    year=2016,
    source="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    value_rule=_gelu_tanh,
    derivative_rule=_gelu_tanh_derivative,
    aliases=("gelu_new", "gelu_pytorch_tanh"),
    notes="JAX calls it gelu, by default; it differs from the exact one by up to 4.73e-4, at |x| = 2.70.",
)

xatlu = Activation(
    name="xatlu",
    title="xATLU",
    formula=Formula(
        "x*((1 + 2*alpha)*(arctan(x) + pi/2)/pi - alpha)",
        r"x \left((1 + 2\alpha) \, \frac{\arctan(x) + \pi/2}{\pi} - \alpha\right)",
    ),
    family="hyperbolic",
    year=2024,
    source="Huang, 2024, arXiv:2405.20768",
    value_rule=_xatlu,
    derivative_rule=_xatlu_derivative,
    parameters=(Parameter("alpha", 0.0, trainable=True),),
    parameter_derivatives={"alpha": _xatlu_by_alpha},
    notes="The range of the gate, (-alpha, 1 + alpha), is learnt, one alpha for each layer.",
)

FUNCTIONS = (tanh_exp, lisht, tanh_shrink, smish, phish, beta_mish, mila, gelu_tanh, xatlu)
