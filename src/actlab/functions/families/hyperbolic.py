"""Functions with a hyperbolic tangent: x times a tanh of something, x − tanh(x); and gates like it, xATLU's arctan."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import exponential_of_size, gelu
from actlab.functions.numerics import (
    DENSITY_AT_ZERO,
    absolute,
    decay,
    is_exactly,
    is_single,
    normal_density,
    normal_tail,
    polynomial,
    tanh,
    through_roots,
    times,
    undecay,
)

# Beyond ±1000 every exponential here is 0 or negligible; beyond 1e30 all functions are straight lines. Clipping there
# leaves no inf·0.
_BEYOND, _STRAIGHT = 1000.0, 1e30

# (x − tanh x)/x³ as a polynomial in x² for |x| ≤ 1 (relative errors 5.3e−9, 1.5e−17), and (arctan r − r/(1 + r²))/(πr³)
# as one in r² for 0 ≤ r ≤ 1 (2.2e−9, 8.3e−18); interpolated in 60 digits at Chebyshev nodes.
_SHRINK_SINGLE = (
    -0.00014279318799621565,
    0.0009235008463481761,
    -0.003206803386846565,
    0.008697847592814879,
    -0.02182954884305937,
    0.05396341475443884,
    -0.133333106555451,
    0.3333333315672231,
)
_SHRINK_DOUBLE = (
    -2.5155023659382105e-08,
    2.6330772232959337e-07,
    -1.3791814499083342e-06,
    4.987760317520347e-06,
    -1.4606131676715378e-05,
    3.8389607893147334e-05,
    -9.646277743313181e-05,
    0.00023895705228738225,
    -0.0005899792946300052,
    0.0014558246920964941,
    -0.003592126679366341,
    0.008863235404578283,
    -0.02186948852912909,
    0.05396825396804637,
    -0.1333333333333309,
    0.3333333333333333,
)
_ARCTAN_SINGLE = (
    -0.003286218437477938,
    0.022981135420256555,
    -0.07457647478015907,
    0.15206540168562183,
    -0.22545292258442184,
    0.27046907541186227,
    -0.287201904946108,
    0.28829227764037213,
    -0.28283563128273737,
    0.2728315232933367,
    -0.25464779510418944,
    0.21220659039528011,
)
_ARCTAN_DOUBLE = (
    5.365130654289322e-05,
    -0.0006705411479914831,
    0.003985597285821342,
    -0.01504523348453289,
    0.04070779656000643,
    -0.08467878148726808,
    0.14232290601501152,
    -0.2014236447922065,
    0.24942711566734133,
    -0.2804637589542116,
    0.29631137982112493,
    -0.30239876512584934,
    0.3036691845101739,
    -0.30299117182040053,
    0.3015313437756381,
    -0.2995827096309943,
    0.2970889519585453,
    -0.293824492702596,
    0.2893726230437437,
    -0.2829421210320629,
    0.272837045300106,
    -0.25464790894703093,
    0.21220659078919377,
)

# The integral of the latter's polynomial gives (1 − arctan(r)/r)/(πr²), because both belong to one function.
_GATE_SINGLE, _GATE_DOUBLE = (
    tuple(c / (2.0 * (len(table) - i)) for i, c in enumerate(table)) for table in (_ARCTAN_SINGLE, _ARCTAN_DOUBLE)
)

# The logistic form of gelu_tanh: x·σ(ax + bx³), a = 2√(2/π), b = 0.044715a; and what the two floats lack of a and b.
_LINEAR, _CUBIC = 1.5957691216057308, 0.07135481627260025
_LINEAR_REST, _CUBIC_REST = -9.96930880911092e-17, -6.175149918155315e-19


def _tanh_slope(u: Any, xp: Any) -> Any:
    """1/cosh²(u) for u ≥ 0, without the cancellation of 1 − tanh²(u)."""
    e = xp.exp(-2.0 * u)
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def _tanh_exp(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, 5.0)
    e, far = decay(near, near, xp)
    return undecay(xp.maximum(x, -_BEYOND) * tanh(e, xp), far, xp)


def _tanh_exp_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, 5.0)
    e, far = decay(near, near, xp)
    general = undecay(tanh(e, xp) + near * e * _tanh_slope(e, xp), far, xp)
    return through_roots(general, near, xp, "tanh_exp")


def _lisht(x: Any, xp: Any) -> Any:
    return x * tanh(x, xp)


def _lisht_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    return tanh(near, xp) + near * _tanh_slope(absolute(near, xp), xp)


def _tanh_shrink(x: Any, xp: Any) -> Any:
    # Beyond 1, x − tanh(x) is written with (x − 1) + e⁻²ˣ(x + 1), whose terms are exact and of one sign.
    near = xp.clip(x, -1.0, 1.0)
    square = near * near
    series = near * (square * polynomial(square, _SHRINK_SINGLE if is_single(x) else _SHRINK_DOUBLE))
    size = absolute(x, xp)
    bounded = xp.clip(size, 1.0, _BEYOND)
    e = xp.exp(-2.0 * bounded)
    beyond = ((size - 1.0) + e * (bounded + 1.0)) / (1.0 + e)
    return xp.where(size <= 1.0, series, xp.where(x >= 0, beyond, -beyond))


def _tanh_shrink_derivative(x: Any, xp: Any) -> Any:
    gate = tanh(xp.clip(x, -_BEYOND, _BEYOND), xp)
    return gate * gate


def _smish_pieces(x: Any, xp: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """x, e = e⁻|ˣ|, the masks of `decay` and of x ≥ 0; above and below of tanh(ln(1 + σ(x))), but for a factor e.

    In e = eˣ it is e(2 + 3e)/(2 + 6e + 5e²); for x ≥ 0 both are written in 1/e.
    """
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    right = near >= 0
    above = xp.where(right, 3.0 + 2.0 * e, 2.0 + 3.0 * e)
    below = xp.where(right, 5.0 + e * (6.0 + 2.0 * e), 2.0 + e * (6.0 + 5.0 * e))
    return near, e, far, right, above, below


def _smish(x: Any, xp: Any) -> Any:
    _, e, far, right, above, below = _smish_pieces(x, xp)
    return undecay(xp.maximum(x, -_BEYOND) * (xp.where(right, 1.0, e) * above / below), far, xp)


def _smish_derivative(x: Any, xp: Any) -> Any:
    # e(4(1 + x) + (18 + 12x)e + (28 + 8x)e² + 15e³)/(2 + 6e + 5e²)², e = eˣ; for x ≥ 0 written in 1/e. Gathered by
    # powers of e: gate and slope apart would be two near-equal terms, each rounded more often.
    near, e, far, right, _, below = _smish_pieces(x, xp)
    shifted = 4.0 * (1.0 + near)
    first, second = 3.0 * shifted + 6.0, 2.0 * shifted + 20.0
    general = xp.where(
        right,
        15.0 + e * (second + e * (first + e * shifted)),
        e * (shifted + e * (first + e * (second + 15.0 * e))),
    )
    return through_roots(undecay(general / (below * below), far, xp), near, xp, "smish")


# From here to the left tanh(gelu(x)) is gelu(x) to the last digit.
_PHISH_LEFT = -7.0


def _phish_pieces(x: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """x and |x| where the normal distribution counts, its density and tail."""
    near = xp.clip(x, -15.0, 15.0) if is_single(x) else xp.clip(x, -40.0, 40.0)
    size = absolute(near, xp)
    return near, size, normal_density(size, xp), normal_tail(size, xp)


def _phish(x: Any, xp: Any) -> Any:
    near, _, density, tail = _phish_pieces(x, xp)
    inner = xp.where(near >= 0, near * (1.0 - density * tail), near * density * tail)
    # In this order no factor is subnormal where x²·Φ(x) is a normal number.
    return xp.where(near > _PHISH_LEFT, x * tanh(inner, xp), near * near * density * tail)


def _phish_derivative(x: Any, xp: Any) -> Any:
    near, size, density, tail = _phish_pieces(x, xp)
    middle = xp.maximum(near, _PHISH_LEFT)
    inner, slope = gelu.value_rule(middle, xp), _gelu_slope(middle, xp)
    general = tanh(inner, xp) + middle * slope * _tanh_slope(absolute(inner, xp), xp)
    left = size * density * (DENSITY_AT_ZERO * size - 2.0 * tail)
    # Near 0 it is x; gelu(x) there would be subnormal.
    general = xp.where(size < 1e-17, near, xp.where(near > _PHISH_LEFT, general, left))
    return through_roots(general, near, xp, "phish")


def _gelu_slope(x: Any, xp: Any) -> Any:
    assert gelu.derivative_rule is not None
    return gelu.derivative_rule(x, xp)


def _beta_mish_pieces(x: Any, xp: Any, beta: Any) -> tuple[Any, Any, Any, Any, Any]:
    """x where β·softplus(x) is below 50, else 0: tanh(50) is 1; eˣ; the mask of `decay`; softplus(x); that product."""
    near = xp.clip(x, -_BEYOND, _STRAIGHT)
    bounded = xp.minimum(near, 30.0)
    e, far = decay(bounded, bounded, xp)
    softplus = xp.where(near > 30.0, near + xp.exp(-xp.maximum(near, 30.0)), xp.log1p(e))
    inside = beta * softplus < 50.0
    inner = xp.where(inside, beta * softplus, xp.full_like(x, 50.0))
    return xp.where(inside, near, xp.zeros_like(near)), e, far, softplus, inner


def _beta_mish(x: Any, xp: Any, beta: Any) -> Any:
    _, _, far, _, inner = _beta_mish_pieces(x, xp, beta)
    return undecay(xp.maximum(x, -_BEYOND) * tanh(inner, xp), far, xp)


def _beta_mish_derivative(x: Any, xp: Any, beta: Any) -> Any:
    near, e, far, _, inner = _beta_mish_pieces(x, xp, beta)
    general = tanh(inner, xp) + near * beta * (e / (1.0 + e)) * _tanh_slope(inner, xp)
    general = undecay(general, far, xp)
    return through_roots(general, near, xp, "beta_mish") if is_exactly(beta, 1.5) else general


def _beta_mish_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    near, _, far, softplus, inner = _beta_mish_pieces(x, xp, beta)
    return undecay(near * softplus * _tanh_slope(inner, xp), far, xp)


def _mila_pieces(x: Any, xp: Any, beta: Any) -> tuple[Any, Any, Any, Any, Any]:
    """x, exp(x + β), or its inverse for x ≥ 0, the masks of `decay` and of x ≥ 0, and the gate's denominator.

    With e = exp(x + β) the denominator is e² + 2e + 2; for x ≥ 0 the same over e². Adding β to x would cost the
    left tail as many ulp as x is large, so its exponential is a factor.
    """
    factor = math.exp(beta) if isinstance(beta, (int, float)) else xp.exp(beta)
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = exponential_of_size(near, xp)
    right = near >= 0
    e = xp.where(right, e / factor, e * factor)
    return near, e, far, right, xp.where(right, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))


def _mila(x: Any, xp: Any, beta: Any) -> Any:
    _, e, far, right, below = _mila_pieces(x, xp, beta)
    gate = xp.where(right, 1.0 + 2.0 * e, e * (e + 2.0)) / below
    return undecay(xp.maximum(x, -_BEYOND) * gate, far, xp)


def _mila_derivative(x: Any, xp: Any, beta: Any) -> Any:
    # As for mish: e(4(1 + x) + (6 + 4x)e + 4e² + e³)/(e² + 2e + 2)², in 1/e for x ≥ 0.
    near, e, far, right, below = _mila_pieces(x, xp, beta)
    shifted = 4.0 * (1.0 + near)
    above = xp.where(
        right,
        1.0 + e * (4.0 + e * (shifted + 2.0 + e * shifted)),
        e * (shifted + e * (shifted + 2.0 + e * (4.0 + e))),
    )
    general = undecay(above / (below * below), far, xp)
    return through_roots(general, near, xp, "mila") if is_exactly(beta, -0.25) else general


def _mila_by_beta(x: Any, xp: Any, beta: Any) -> Any:
    # x·4e(1 + e)/(e² + 2e + 2)², in 1/e for x ≥ 0.
    near, e, far, right, below = _mila_pieces(x, xp, beta)
    return undecay(near * 4.0 * xp.where(right, e * e, e) * (1.0 + e) / (below * below), far, xp)


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
    return square * polynomial(square, _GATE_SINGLE if is_single(x) else _GATE_DOUBLE) - 1 / math.pi


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
    left = square * (inverse * polynomial(square, _ARCTAN_SINGLE if is_single(x) else _ARCTAN_DOUBLE))
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
    notes="Formula and 1.5 as in echoAI. beta = 1 is Mish.",
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
    notes="Formula and -0.25 as in echoAI; other code takes -1 or 1. beta = 0 is Mish.",
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
