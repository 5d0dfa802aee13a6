"""The rectifiers: x on the right, little or nothing on the left."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation, Formula, Parameter
from actlab.functions.arrays import decay, exponential_minus_one, is_single, undecay
from actlab.functions.squashing import logistic

# Klambauer and others solved for mean 0 and variance 1 to be a fixed point; to the last digit of float64.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805
_SELU_LEFT = 1.7580993408473766


def _left(x: Any, xp: Any) -> Any:
    """min(x, 0), whose derivative at 0 is that of the left piece and not half of it."""
    return xp.where(x > 0, 0.0, x)


def _relu(x: Any, xp: Any) -> Any:
    return xp.maximum(x, 0.0)


def _relu_derivative(x: Any, xp: Any) -> Any:
    # NaN alone reaches the last branch, so that it is handed on at no cost of its own.
    return xp.where(x > 0, 1.0, xp.where(x <= 0, 0.0, x))


def _leaky_relu(x: Any, xp: Any, negative_slope: Any) -> Any:
    if isinstance(negative_slope, float) and negative_slope == 0:
        return _relu(x, xp)  # 0·(−inf) would be NaN
    return xp.where(x > 0, x, negative_slope * x)


def _leaky_relu_derivative(x: Any, xp: Any, negative_slope: Any) -> Any:
    return xp.where(x > 0, 1.0, xp.where(x <= 0, negative_slope, x))


def _leaky_relu_by_slope(x: Any, xp: Any, negative_slope: Any) -> Any:
    return _left(x, xp)


def _elu(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, x, alpha * exponential_minus_one(_left(x, xp), xp))


def _elu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    return xp.where(x > 0, 1.0, _scaled_exponential(alpha, _left(x, xp), xp))


def _elu_by_alpha(x: Any, xp: Any, alpha: Any) -> Any:
    return exponential_minus_one(_left(x, xp), xp)


def _scaled_exponential(scale: Any, x: Any, xp: Any) -> Any:
    """scale·exp(x) for x ≤ 0; a scale above 1 makes subnormal numbers normal, which XLA flushes to 0."""
    exponential, far = decay(x, x, xp)
    return undecay(scale * exponential, far, xp)


def _selu(x: Any, xp: Any) -> Any:
    return xp.where(x > 0, _SELU_SCALE * x, _SELU_LEFT * exponential_minus_one(_left(x, xp), xp))


def _selu_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x > 0, _SELU_SCALE, _scaled_exponential(_SELU_LEFT, _left(x, xp), xp))


def _softplus(x: Any, xp: Any) -> Any:
    # max(x, 0) + ln(1 + exp(−|x|)) would go up and down by an ulp near 0. Beyond the bound, ln(1 + eˣ) is x.
    bound = 17.0 if is_single(x) else 37.0
    return xp.where(x > bound, x, xp.log1p(xp.exp(xp.minimum(x, bound))))


relu = Activation(
    name="relu",
    title="ReLU",
    formula=Formula("max(x, 0)", r"\max(x, 0)"),
    family="rectifying",
    year=1969,
    source="Fukushima, 1969, doi:10.1109/TSSC.1969.300225; in deep networks Nair and Hinton, ICML 2010",
    value_rule=_relu,
    derivative_rule=_relu_derivative,
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
    derivative_rule=_leaky_relu_derivative,
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
    derivative_rule=_leaky_relu_derivative,
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
    formula=Formula("ln(1 + exp(x))", r"\ln(1 + e^x)"),
    family="rectifying",
    year=2000,
    source="Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating second-order knowledge, NIPS 2000",
    value_rule=_softplus,
    derivative_rule=logistic,
    aliases=("smooth_relu",),
)

FUNCTIONS = (relu, leaky_relu, prelu, elu, selu, softplus)
