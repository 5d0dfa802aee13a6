"""The rectifiers: x on the right, little or nothing on the left."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import (
    above_zero,
    coefficients,
    exponential_minus_one,
    is_exactly,
    is_single,
    left_part,
    logistic,
    polynomial,
    scaled_exponential,
    sine_and_cosine,
    straight,
    through_roots,
    times,
)

# The scale λ, and λ·α with α = 1.6732632423543772, for which mean 0 and variance 1 are a fixed point; to the last digit
# of float64.
_SELU_SCALE, _SELU_LEFT = 1.0507009873554805, 1.7580993408473766

# Their defaults, where the value passes through zero at a place that is known.
_STAR_SCALE, _STAR_BIAS, _FLEXIBLE_BIAS = 0.8944, -0.4472, -0.398


def _relu(x: Any, xp: Any) -> Any:
    return xp.maximum(x, 0.0)


def _leaky_relu(x: Any, xp: Any, negative_slope: Any) -> Any:
    if isinstance(negative_slope, float) and negative_slope == 0:
        return _relu(x, xp)  # 0·(−inf) would be NaN
    return xp.where(x > 0, x, negative_slope * x)


def _leaky_relu_by_slope(x: Any, xp: Any, negative_slope: Any) -> Any:
    return left_part(x, xp)


def _elu(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, x, alpha * exponential_minus_one(left_part(x, xp), xp))


def _elu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, 1.0, scaled_exponential(alpha, left_part(x, xp), xp))


def _elu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    return exponential_minus_one(left_part(x, xp), xp)


def _selu(x: Any, xp: Any) -> Any:
    return xp.where(x > 0, _SELU_SCALE * x, _SELU_LEFT * exponential_minus_one(left_part(x, xp), xp))


def _selu_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x > 0, _SELU_SCALE, scaled_exponential(_SELU_LEFT, left_part(x, xp), xp))


def _celu(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, x, alpha * exponential_minus_one(left_part(x, xp) / alpha, xp))


def _celu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, 1.0, xp.exp(left_part(x, xp) / alpha))


def _softplus(x: Any, xp: Any, beta: Any) -> Any:
    # max(x, 0) + ln(1 + exp(−|x|)) would go up and down by an ulp near 0. Beyond the bound, ln(1 + eᶻ) is z.
    bound = 17.0 if is_single(x) else 37.0
    z = beta * x
    return xp.where(z > bound, x, xp.log1p(xp.exp(xp.minimum(z, bound))) / beta)


def _softplus_derivative(x: Any, xp: Any, beta: Any) -> Any:
    return logistic(beta * x, xp)


def _relu_squared(x: Any, xp: Any, **_: Any) -> Any:
    right = _relu(x, xp)
    return right * right


def _relu_squared_derivative(x: Any, xp: Any) -> Any:
    return 2.0 * xp.where(x > 0, x, xp.where(x <= 0, 0.0, x))


def _star_relu(x: Any, xp: Any, scale: Any, bias: Any) -> Any:
    # In this order the square cannot overflow where the value does not.
    right = _relu(x, xp)
    value = times(times(scale, right, xp), right, xp) + bias
    if is_exactly(scale, _STAR_SCALE) and is_exactly(bias, _STAR_BIAS):
        return through_roots(value, x, xp, "star_relu.value")
    return value


def _star_relu_derivative(x: Any, xp: Any, scale: Any, bias: Any) -> Any:
    return times(2.0 * scale, _relu(x, xp), xp)


def _flexible_relu(x: Any, xp: Any, bias: Any) -> Any:
    value = _relu(x, xp) + bias
    return through_roots(value, x, xp, "frelu.value") if is_exactly(bias, _FLEXIBLE_BIAS) else value


def _by_bias(x: Any, xp: Any, **_: Any) -> Any:
    return xp.ones_like(x)


def _nlrelu(x: Any, xp: Any, beta: Any) -> Any:
    right = _relu(x, xp)
    if is_exactly(beta, 1.0):
        return xp.log1p(right)
    # Far out βx could overflow, which its logarithm does not; 2⁻⁶⁴ keeps it small.
    far = xp.log(xp.maximum(right, 1.0) * 2.0**-64 * beta) + 64.0 * math.log(2.0)
    return xp.where(right > 1e20, far, xp.log1p(beta * xp.minimum(right, 1e20)))


def _nlrelu_derivative(x: Any, xp: Any, beta: Any) -> Any:
    slope = beta / (1.0 + beta * xp.where(x > 0, x, 0.0))
    return xp.where(x > 0, slope, xp.where(x <= 0, 0.0, x))


def _flatten_t_swish(x: Any, xp: Any, threshold: Any) -> Any:
    right = _relu(x, xp)
    value = right / (1.0 + xp.exp(-right)) + threshold
    return through_roots(value, x, xp, "flatten_t_swish.value") if is_exactly(threshold, -0.2) else value


def _flatten_t_swish_derivative(x: Any, xp: Any, threshold: Any) -> Any:
    # That of x·σ(x), in e⁻ˣ; clipped where e⁻ˣ is 0 already, against inf·0.
    right = xp.where(x > 0, xp.minimum(x, 1000.0), 0.0)
    e = xp.exp(-right)
    slope = (1.0 + e * (1.0 + right)) / ((1.0 + e) * (1.0 + e))
    return xp.where(x > 0, slope, xp.where(x <= 0, 0.0, x))


def _shifted_wave(x: Any, xp: Any) -> tuple[Any, Any]:
    """sin and cos of min(x, 0) − π/4, the rounding of the difference made good; both 0 at −∞.

    sin x − cos x itself would cancel at every one of its zeros.
    """
    near = xp.where(xp.isinf(x) | (x > 0), 0.0, x)
    eighth, missing = coefficients("eighth_turn", x)  # π/4 rounded to the type, and what is missing from it
    angle = near - eighth
    taken = angle - near
    rest = polynomial((near - (angle - taken)) - (eighth + taken), (1.0, -missing))
    sine, cosine = sine_and_cosine(angle, rest, xp)
    infinite = xp.isinf(x)
    return xp.where(infinite, 0.0, sine), xp.where(infinite, 0.0, cosine)


def _sine_relu(x: Any, xp: Any, epsilon: Any) -> Any:
    return xp.where(x > 0, x, math.sqrt(2.0) * epsilon * _shifted_wave(x, xp)[0])


def _sine_relu_derivative(x: Any, xp: Any, epsilon: Any) -> Any:
    return xp.where(x > 0, 1.0, math.sqrt(2.0) * epsilon * _shifted_wave(x, xp)[1])


relu = Activation(
    name="relu",
    title="ReLU",
    formula=Formula("max(x, 0)", r"\max(x, 0)"),
    family="rectifying",
    year=1969,
    source="Fukushima, 1969, doi:10.1109/TSSC.1969.300225; in deep networks Nair and Hinton, ICML 2010",
    value_rule=_relu,
    derivative_rule=straight((0.0,), (0.0, 1.0)),
    aliases=("rectifier", "rectified_linear"),
)

leaky_relu = Activation(
    name="leaky_relu",
    title="Leaky ReLU",
    formula=Formula(
        "x for x > 0, else negative_slope*x",
        r"\begin{cases} x & x > 0 \\ \mathrm{negative\_slope} \cdot x & x \le 0 \end{cases}",
    ),
    family="rectifying",
    year=2013,
    source="Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013",
    value_rule=_leaky_relu,
    derivative_rule=straight((0.0,), ("negative_slope", 1.0)),
    aliases=("lrelu",),
    parameters=(Parameter("negative_slope", 0.01),),
    parameter_derivatives={"negative_slope": _leaky_relu_by_slope},
    notes="PyTorch and JAX take slope 0.01 too, TensorFlow 0.2, Keras 0.2 to 0.3.",
)

prelu = Activation(
    name="prelu",
    title="PReLU",
    formula=Formula(
        "x for x > 0, else negative_slope*x, the slope learnt",
        r"\begin{cases} x & x > 0 \\ a x & x \le 0 \end{cases},\ a \text{ learnt}",
    ),
    family="rectifying",
    year=2015,
    source="He, Zhang, Ren and Sun, 2015, arXiv:1502.01852",
    value_rule=_leaky_relu,
    derivative_rule=straight((0.0,), ("negative_slope", 1.0)),
    aliases=("parametric_relu",),
    parameters=(Parameter("negative_slope", 0.25, trainable=True),),
    parameter_derivatives={"negative_slope": _leaky_relu_by_slope},
    notes="The slope may be one number for all units or an array with one for each.",
)

elu = Activation(
    name="elu",
    title="ELU",
    formula=Formula(
        "x for x > 0, else alpha*(exp(x) - 1)",
        r"\begin{cases} x & x > 0 \\ \alpha (e^x - 1) & x \le 0 \end{cases}",
    ),
    family="rectifying",
    year=2015,
    source="Clevert, Unterthiner and Hochreiter, 2015, arXiv:1511.07289",
    value_rule=_elu,
    derivative_rule=_elu_derivative,
    aliases=("exponential_linear",),
    parameters=(Parameter("alpha", 1.0, low=0.0),),
    parameter_derivatives={"alpha": _elu_by_alpha},
)

selu = Activation(
    name="selu",
    title="SELU",
    formula=Formula(
        "1.0507*x for x > 0, else 1.7581*(exp(x) - 1)",
        r"\lambda \begin{cases} x & x > 0 \\ \alpha (e^x - 1) & x \le 0 \end{cases},"
        r"\ \lambda = 1.0507,\ \alpha = 1.6733",
    ),
    family="rectifying",
    year=2017,
    source="Klambauer, Unterthiner, Mayr and Hochreiter, 2017, arXiv:1706.02515",
    value_rule=_selu,
    derivative_rule=_selu_derivative,
    aliases=("scaled_elu",),
)

softplus = Activation(
    name="softplus",
    title="Softplus",
    formula=Formula("ln(1 + exp(beta*x))/beta", r"\frac{1}{\beta} \ln(1 + e^{\beta x})"),
    family="rectifying",
    year=2000,
    source="Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating second-order knowledge, NIPS 2000",
    value_rule=_softplus,
    derivative_rule=_softplus_derivative,
    aliases=("smooth_relu",),
    parameters=(Parameter("beta", 1.0, low=0.0),),
    constraint=above_zero("beta"),
)

celu = Activation(
    name="celu",
    title="CELU",
    formula=Formula(
        "x for x > 0, else alpha*(exp(x/alpha) - 1)",
        r"\begin{cases} x & x > 0 \\ \alpha (e^{x/\alpha} - 1) & x \le 0 \end{cases}",
    ),
    family="rectifying",
    year=2017,
    source="Barron, Continuously differentiable exponential linear units, 2017, arXiv:1704.07483",
    value_rule=_celu,
    derivative_rule=_celu_derivative,
    aliases=("continuously_differentiable_elu",),
    parameters=(Parameter("alpha", 1.0, low=0.0),),
    constraint=above_zero("alpha"),
    notes="At alpha 1 it is ELU.",
)

relu_squared = Activation(
    name="relu_squared",
    title="Squared ReLU",
    formula=Formula("max(x, 0)^2", r"\max(x, 0)^2"),
    family="rectifying",
    year=2021,
    source="So, Mańke, Liu, Dai, Shazeer and Le, Primer, 2021, arXiv:2109.08668",
    value_rule=_relu_squared,
    derivative_rule=_relu_squared_derivative,
    aliases=("squared_relu", "relu2"),
)

star_relu = Activation(
    name="star_relu",
    title="StarReLU",
    formula=Formula("scale*max(x, 0)^2 + bias, both learnt", r"s \, \max(x, 0)^2 + b,\ s, b \text{ learnt}"),
    family="rectifying",
    year=2022,
    source="Yu and others, MetaFormer baselines for vision, 2022, arXiv:2210.13452",
    value_rule=_star_relu,
    derivative_rule=_star_relu_derivative,
    parameters=(Parameter("scale", _STAR_SCALE, trainable=True), Parameter("bias", _STAR_BIAS, trainable=True)),
    parameter_derivatives={"scale": _relu_squared, "bias": _by_bias},
    notes="The defaults give a unit normal mean 0 and variance 1; the authors' code starts learning at 1 and 0. "
    "Beside its root it is accurate to ulps at the default parameters alone.",
)

frelu = Activation(
    name="frelu",
    title="FReLU (flexible)",
    formula=Formula("max(x, 0) + bias, the bias learnt", r"\max(x, 0) + b,\ b \text{ learnt}"),
    family="rectifying",
    year=2017,
    source="Qiu, Xu and Cai, FReLU: flexible rectified linear units, 2017, arXiv:1706.08098",
    value_rule=_flexible_relu,
    derivative_rule=straight((0.0,), (0.0, 1.0)),
    aliases=("flexible_relu",),
    parameters=(Parameter("bias", _FLEXIBLE_BIAS, trainable=True),),
    parameter_derivatives={"bias": _by_bias},
    notes="It starts at −0.398 = −1/√(2π), which gives a unit normal mean 0; the authors' Torch code starts at −1. "
    "The funnel ReLU (arXiv:2007.11824) is called FReLU too and is another function. "
    "Beside its root it is accurate to ulps in float32 at the default bias alone.",
)

nlrelu = Activation(
    name="nlrelu",
    title="NLReLU",
    formula=Formula("ln(1 + beta*max(x, 0))", r"\ln(1 + \beta \max(x, 0))"),
    family="rectifying",
    year=2019,
    source="Liu, Zhang, Gao, Qu and Ji, Natural-logarithm-rectified activation function, 2019, arXiv:1908.03682",
    value_rule=_nlrelu,
    derivative_rule=_nlrelu_derivative,
    aliases=("natural_logarithm_relu",),
    parameters=(Parameter("beta", 1.0, low=0.0),),
    constraint=above_zero("beta"),
)

flatten_t_swish = Activation(
    name="flatten_t_swish",
    title="Flatten-T Swish",
    formula=Formula("max(x, 0)*sigmoid(x) + threshold", r"\max(x, 0) \, \sigma(x) + T"),
    family="rectifying",
    year=2018,
    source="Chieng, Wahid, Ong and Perla, 2018, arXiv:1812.06247",
    value_rule=_flatten_t_swish,
    derivative_rule=_flatten_t_swish_derivative,
    aliases=("fts",),
    parameters=(Parameter("threshold", -0.2),),
    notes="Beside its root it is accurate to ulps at the default threshold alone.",
)

sine_relu = Activation(
    name="sine_relu",
    title="SineReLU",
    formula=Formula(
        "x for x > 0, else epsilon*(sin(x) - cos(x))",
        r"\begin{cases} x & x > 0 \\ \epsilon (\sin x - \cos x) & x \le 0 \end{cases}",
    ),
    family="rectifying",
    year=2018,
    source="Rodrigues, SineReLU, an alternative to the ReLU activation function, 2018; as in the echoAI package",
    value_rule=_sine_relu,
    derivative_rule=_sine_relu_derivative,
    parameters=(Parameter("epsilon", 0.0025),),
    notes="Formula as in echoAI, there with epsilon 0.01; other code has 0.0025 or 0.025. It jumps from −epsilon to "
    "0 at 0. At −∞, where it has no limit, value and derivative are taken as 0. "
    "Beyond |x| = 10⁶ it is as accurate as the library's sine and cosine beside their zeros: to 1e−11 in float64.",
)

FUNCTIONS = (
    relu,
    leaky_relu,
    prelu,
    elu,
    selu,
    softplus,
    celu,
    relu_squared,
    star_relu,
    frelu,
    nlrelu,
    flatten_t_swish,
    sine_relu,
)
