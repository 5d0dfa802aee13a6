"""Functions that squash the line into an interval: sigmoid, tanh, softsign and their relatives; log-sigmoid."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import (
    DENSITY_AT_ZERO,
    Scaled,
    above_zero,
    absolute,
    by_pieces,
    coarse,
    decay,
    exponential_minus_one,
    falling,
    is_single,
    logistic,
    minimum_below_maximum,
    normal_density,
    normal_tail,
    straight,
)
from actlab.functions.numerics import tanh as _tanh


def _sigmoid_derivative(x: Any, xp: Any) -> Any:
    # s(1 − s) would be 0 from x = 37 on, where 1 − s is.
    exponential = xp.exp(-absolute(x, xp))
    total = 1.0 + exponential
    return exponential / (total * total)


def tanh_derivative(x: Any, xp: Any) -> Any:
    """1 − tanh(x)², without cancellation.

    >>> import numpy as np
    >>> tanh_derivative(np.array([0.0, 20.0]), np)
    array([1.0000000e+00, 1.6993417e-17])
    """
    exponent = -2.0 * absolute(x, xp)
    e = decay(exponent, exponent, xp)
    total = 1.0 + e
    return e.times(4.0).over(total * total).plain(xp)


def _softsign(x: Any, xp: Any) -> Any:
    # x/(1 + |x|) divided through by max(|x|, 1), which leaves no inf/inf.
    size = absolute(x, xp)
    return xp.clip(x, -1.0, 1.0) / (xp.minimum(size, 1.0) + 1.0 / xp.maximum(size, 1.0))


def _softsign_derivative(x: Any, xp: Any) -> Any:
    inverse = 1.0 / (1.0 + absolute(x, xp))
    return inverse * inverse


def _hard_sigmoid(x: Any, xp: Any, slope: Any, offset: Any) -> Any:
    # slope·x + offset would lose everything to cancellation near its root.
    return xp.clip(slope * (x + offset / slope), 0.0, 1.0)


def _hard_sigmoid_derivative(x: Any, xp: Any, slope: Any, offset: Any) -> Any:
    return by_pieces(x, xp, (-offset / slope, (1.0 - offset) / slope), (0.0, slope, 0.0))


def _hard_tanh(x: Any, xp: Any, minimum: Any, maximum: Any) -> Any:
    return xp.clip(x, minimum, maximum)


def scaled_tanh(x: Any, xp: Any, scale: Any, slope: Any) -> Any:
    """scale·tanh(slope·x); next to 0 as (scale·slope)·x, since slope·x alone may be subnormal.

    >>> import numpy as np
    >>> scaled_tanh(np.array([0.0, 50.0]), np, 2.0, 1.0)
    array([0., 2.])
    """
    return xp.where(absolute(x, xp) < 1e-20, (scale * slope) * x, scale * _tanh(slope * x, xp))


def _stanh_derivative(x: Any, xp: Any, scale: Any, slope: Any) -> Any:
    e = falling(2.0 * slope, absolute(x, xp), xp)
    total = 1.0 + e
    return e.times(4.0 * scale * slope).over(total * total).plain(xp)


def _weighted_tanh(x: Any, xp: Any, weight: Any) -> Any:
    return _tanh(weight * x, xp)


def _weighted_tanh_derivative(x: Any, xp: Any, weight: Any) -> Any:
    return _stanh_derivative(x, xp, 1.0, weight)


def _elliott(x: Any, xp: Any) -> Any:
    tail = 0.5 / (1.0 + absolute(x, xp))
    return xp.where(x >= 0, 1.0 - tail, tail)


def _elliott_derivative(x: Any, xp: Any) -> Any:
    inverse = 1.0 / (1.0 + absolute(x, xp))
    return 0.5 * (inverse * inverse)


def _folded(x: Any, xp: Any) -> tuple[Any, Any]:
    """min(|x|, 1) and 1/max(|x|, 1): 1 + x² is the sum of their squares over the square of the second."""
    size = absolute(x, xp)
    return xp.minimum(size, 1.0), 1.0 / xp.maximum(size, 1.0)


def _isru(x: Any, xp: Any, alpha: Any) -> Any:
    root = alpha**0.5
    size, inverse = _folded(root * x, xp)
    return xp.clip(root * x, -1.0, 1.0) / (root * xp.sqrt(size * size + inverse * inverse))


def _isru_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    # Beyond its reach x³, 1/f', would overflow.
    reach = 6e12 if is_single(x) else 5e102
    root = alpha**0.5
    near = xp.clip(root * x, -reach, reach)
    square = 1.0 + near * near
    return xp.where(absolute(root * x, xp) > reach, 0.0, 1.0 / (square * xp.sqrt(square)))


def _arctan(x: Any, xp: Any) -> Any:
    return xp.arctan(x)


def _arctan_derivative(x: Any, xp: Any) -> Any:
    size, inverse = _folded(x, xp)
    return inverse * inverse / (size * size + inverse * inverse)


def _log_sigmoid(x: Any, xp: Any) -> Any:
    # As softplus, mirrored: below the bound ln(1 + e⁻ˣ) is −x.
    bound = -17.0 if is_single(x) else -37.0
    return xp.where(x < bound, x, -xp.log1p(xp.exp(-xp.maximum(x, bound))))


def _log_sigmoid_derivative(x: Any, xp: Any) -> Any:
    return logistic(-x, xp)


def _soft_clipping_parts(x: Any, xp: Any, alpha: Any) -> tuple[Any, Scaled, Any]:
    """x or 1 − x, whichever is ≤ ½ (that is exact, and turns f into 1 − f); e^(−α|x|) of it; and 1 + e^(α(x−1)).

    No exponent is positive.
    """
    left = xp.where(x <= 0.5, x, 1.0 - x)
    exponent = -alpha * absolute(left, xp)
    return left, decay(exponent, exponent, xp), 1.0 + xp.exp(alpha * (left - 1.0))


def _soft_clipping(x: Any, xp: Any, alpha: Any) -> Any:
    # ln(1 + eᵘ) − ln(1 + eᵛ) as ln(1 + (eᵘ − eᵛ)/(1 + eᵛ)), for 0 < x ≤ ½ with e^(αx) taken out.
    left, e, below = _soft_clipping_parts(x, xp, alpha)
    inside = xp.maximum(left, 0.0)
    difference = -exponential_minus_one(-alpha * (1.0 - 2.0 * inside), xp)
    low = inside + e.of(xp.log1p(e.array * difference / below) / alpha).plain(xp)
    # Nothing but increasing steps where inputs are dense: the sum above would go up and down by an ulp.
    whole = -exponential_minus_one(xp.zeros_like(x) - alpha, xp)
    growing = whole / (xp.exp(xp.clip(-alpha * left, -20.0, 20.0)) + (1.0 - whole))
    low = xp.where(absolute(alpha * left, xp) < 20.0, xp.log1p(growing) / alpha, low)
    return xp.where(x <= 0.5, low, 1.0 - low)


def _soft_clipping_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    left, e, below = _soft_clipping_parts(x, xp, alpha)
    difference = -exponential_minus_one(xp.zeros_like(x) - alpha, xp)
    above = e.of(xp.where(left <= 0, e.array, 1.0) * difference)
    return above.over((1.0 + e) * below).only(left <= 0).plain(xp)


def _deviation(x: Any, xp: Any, mean: Any, standard_deviation: Any) -> tuple[Any, Any, Any]:
    """|x − mean|/standard_deviation, what rounding has added to it, and where x ≥ mean.

    Rounding it would cost the tail t² ulp, so mean and x are taken apart as in `product`.
    """
    step, reach = (256.0, 14.5) if is_single(x) else (2.0**20, 39.5)
    near = xp.clip(x, mean - reach * standard_deviation, mean + reach * standard_deviation)
    high, high_mean = coarse(near, step, xp), coarse(mean, step, xp)
    factor = 1.0 / standard_deviation
    high_factor = coarse(factor, step, xp)
    first = (high - high_mean) * high_factor
    second = (high - high_mean) * (factor - high_factor) + ((near - high) - (mean - high_mean)) * factor
    total = first + second
    right = total >= 0
    missing = second - (total - first)
    return absolute(total, xp), xp.where(right, -missing, missing), right


def _laplace(x: Any, xp: Any, mean: Any, standard_deviation: Any) -> Any:
    # Next to 0, where inputs are dense, a parabola from the value at 0: by itself it would go up and down by an ulp.
    beside = absolute(x, xp) < (1e-4 if is_single(x) else 1e-12)
    at, rest = xp.where(beside, 0.0, x), xp.where(beside, x, 0.0) / standard_deviation
    t, added, right = _deviation(at, xp, mean, standard_deviation)
    density = normal_density(t, xp)
    tail = (normal_tail(t, xp) + added * DENSITY_AT_ZERO) * density
    bend = xp.where(right, -0.5 * t, 0.5 * t)
    return xp.where(right, 1.0 - tail, tail) + DENSITY_AT_ZERO * density * rest * (1.0 + bend * rest)


def _laplace_derivative(x: Any, xp: Any, mean: Any, standard_deviation: Any) -> Any:
    t, added, _ = _deviation(x, xp, mean, standard_deviation)
    return (1.0 + t * added) * (DENSITY_AT_ZERO / standard_deviation) * normal_density(t, xp)


sigmoid = Activation(
    name="sigmoid",
    title="Sigmoid",
    formula=Formula("1/(1 + exp(-x))", r"\frac{1}{1 + e^{-x}}"),
    family="squashing",
    year=1986,
    source="Rumelhart, Hinton and Williams, 1986, doi:10.1038/323533a0",
    value_rule=logistic,
    derivative_rule=_sigmoid_derivative,
    aliases=("logistic",),
)

tanh = Activation(
    name="tanh",
    title="Tanh",
    formula=Formula("tanh(x)", r"\tanh(x)"),
    family="squashing",
    year=1992,
    source="Kalman and Kwasny, Why tanh, 1992, doi:10.1109/IJCNN.1992.227257; LeCun, Bottou, Orr and Müller, 1998, "
    "doi:10.1007/3-540-49430-8_2",
    value_rule=_tanh,
    derivative_rule=tanh_derivative,
    aliases=("hyperbolic_tangent",),
)

softsign = Activation(
    name="softsign",
    title="Softsign",
    formula=Formula("x/(1 + |x|)", r"\frac{x}{1 + |x|}"),
    family="squashing",
    year=2009,
    source="Bergstra, Desjardins, Lamblin and Bengio, Technical report 1337, Université de Montréal, 2009",
    value_rule=_softsign,
    derivative_rule=_softsign_derivative,
)

hard_sigmoid = Activation(
    name="hard_sigmoid",
    title="Hard sigmoid",
    formula=Formula(
        "slope*x + offset, clipped to [0, 1]", r"\min(1, \max(0, \mathrm{slope} \cdot x + \mathrm{offset}))"
    ),
    family="squashing",
    year=2019,
    source="Howard and others, 2019, arXiv:1905.02244; with other slopes Courbariaux, 2015, arXiv:1511.00363",
    value_rule=_hard_sigmoid,
    derivative_rule=_hard_sigmoid_derivative,
    parameters=(Parameter("slope", 1 / 6, low=0.0), Parameter("offset", 0.5)),
    constraint=above_zero("slope"),
    notes="PyTorch's and JAX's. ONNX, and Keras before version 3, take slope 0.2 and offset 0.5: "
    "hard_sigmoid(x, slope=0.2).",
)

hard_tanh = Activation(
    name="hard_tanh",
    title="Hard tanh",
    formula=Formula("x clipped to [minimum, maximum]", r"\min(\mathrm{maximum}, \max(\mathrm{minimum}, x))"),
    family="squashing",
    year=2004,
    source="Collobert, Large scale machine learning, thesis, Université Paris VI, 2004",
    value_rule=_hard_tanh,
    derivative_rule=straight(("minimum", "maximum"), (0.0, 1.0, 0.0)),
    parameters=(Parameter("minimum", -1.0), Parameter("maximum", 1.0)),
    constraint=minimum_below_maximum,
)

stanh = Activation(
    name="stanh",
    title="Scaled tanh",
    formula=Formula("scale*tanh(slope*x)", r"\mathrm{scale} \cdot \tanh(\mathrm{slope} \cdot x)"),
    family="squashing",
    year=1989,
    source="LeCun, Generalization and network design strategies, 1989; LeCun, Bottou, Orr and Müller, 1998, "
    "doi:10.1007/3-540-49430-8_2",
    value_rule=scaled_tanh,
    derivative_rule=_stanh_derivative,
    aliases=("scaled_tanh", "lecun_tanh"),
    parameters=(Parameter("scale", 1.7159), Parameter("slope", 2 / 3, low=0.0)),
    notes="So scaled, f(1) is 1 and f(-1) is -1. PaddlePaddle's stanh takes slope 0.67.",
)

elliott = Activation(
    name="elliott",
    title="Elliott",
    formula=Formula("x/(2*(1 + |x|)) + 1/2", r"\frac{x}{2 (1 + |x|)} + \frac{1}{2}"),
    family="squashing",
    year=1993,
    source="Elliott, A better activation function for artificial neural networks, report TR 93-8, Maryland, 1993",
    value_rule=_elliott,
    derivative_rule=_elliott_derivative,
    aliases=("elliott_sigmoid",),
    notes="Between -1 and 1 instead of 0 and 1 it is softsign.",
)

isru = Activation(
    name="isru",
    title="ISRU",
    formula=Formula("x/sqrt(1 + alpha*x^2)", r"\frac{x}{\sqrt{1 + \alpha x^2}}"),
    family="squashing",
    year=2017,
    source="Carlile, Delamarter, Kinney, Marti and Whitney, 2017, arXiv:1710.09967",
    value_rule=_isru,
    derivative_rule=_isru_derivative,
    aliases=("inverse_square_root", "inverse_square_root_unit"),
    parameters=(Parameter("alpha", 1.0, low=0.0),),
    constraint=above_zero("alpha"),
)

arctan = Activation(
    name="arctan",
    title="Arctan",
    formula=Formula("arctan(x)", r"\arctan(x)"),
    family="squashing",
    year=2002,
    source="Kamruzzaman and Aziz, A note on activation function in multilayer feedforward learning, IJCNN 2002",
    value_rule=_arctan,
    derivative_rule=_arctan_derivative,
    aliases=("atan",),
)

log_sigmoid = Activation(
    name="log_sigmoid",
    title="Log-sigmoid",
    formula=Formula("ln(1/(1 + exp(-x)))", r"\ln \frac{1}{1 + e^{-x}}"),
    family="squashing",
    year=2011,
    source="Collobert, Kavukcuoglu and Farabet, Torch7, 2011 (nn.LogSigmoid); torch.nn.LogSigmoid",
    value_rule=_log_sigmoid,
    derivative_rule=_log_sigmoid_derivative,
    notes="Formula as commonly implemented. It is -softplus(-x).",
)

soft_clipping = Activation(
    name="soft_clipping",
    title="Soft clipping",
    formula=Formula(
        "ln((1 + exp(alpha*x))/(1 + exp(alpha*(x - 1))))/alpha",
        r"\frac{1}{\alpha} \ln \frac{1 + e^{\alpha x}}{1 + e^{\alpha (x - 1)}}",
    ),
    family="squashing",
    year=2018,
    source="Klimek and Perelstein, 2018, arXiv:1810.11509",
    value_rule=_soft_clipping,
    derivative_rule=_soft_clipping_derivative,
    parameters=(Parameter("alpha", 0.5, low=0.0),),
    constraint=above_zero("alpha"),
    notes="The larger alpha, the nearer to x clipped to [0, 1]. 0.5 is the echoAI package's default.",
)

weighted_tanh = Activation(
    name="weighted_tanh",
    title="Weighted tanh",
    formula=Formula("tanh(weight*x)", r"\tanh(\mathrm{weight} \cdot x)"),
    family="squashing",
    year=2019,
    source="Misra, echoAI (package), 2019",
    value_rule=_weighted_tanh,
    derivative_rule=_weighted_tanh_derivative,
    parameters=(Parameter("weight", 1.7145, low=0.0),),
    notes="Formula as in echoAI. With weight 1, which echoAI's layers start from, it is tanh; 1.7145 is that of the "
    "comparisons in the repository of Mish, by the same author.",
)

laplace = Activation(
    name="laplace",
    title="Laplace",
    formula=Formula(
        "(1 + erf((x - mean)/(standard_deviation*sqrt(2))))/2",
        r"\frac{1}{2} \left(1 + \mathrm{erf} \left( \frac{x - \mu}{\sigma \sqrt{2}} \right) \right)",
    ),
    family="squashing",
    year=2022,
    source="Ma and others, 2022, arXiv:2209.10655",
    value_rule=_laplace,
    derivative_rule=_laplace_derivative,
    parameters=(
        Parameter("mean", math.sqrt(1 / 2)),
        Parameter("standard_deviation", math.sqrt(1 / (4 * math.pi)), low=0.0),
    ),
    constraint=above_zero("standard_deviation"),
    notes="The defaults make it touch the square of ReLU at its point of steepest ascent, where both are 1/2.",
)

FUNCTIONS = (
    sigmoid,
    tanh,
    softsign,
    hard_sigmoid,
    hard_tanh,
    stanh,
    elliott,
    isru,
    arctan,
    log_sigmoid,
    soft_clipping,
    weighted_tanh,
    laplace,
)
