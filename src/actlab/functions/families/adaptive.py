"""Functions whose coefficients come from the input itself, or from a few weights of their own."""

from __future__ import annotations

import math
from typing import Any

from actlab.errors import InvalidFunction
from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import BEYOND, along, at_even_places, by_pieces, finite, logistic, tanh, unless_nan

# Dynamic ReLU: the coefficients a₁, a₂, b₁, b₂ at the start, and how far from there they may go.
_START, _REACH = (1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.5, 0.5)


def _mean(x: Any, xp: Any, axis: int) -> Any:
    """The mean along an axis, without overflow."""
    return xp.sum(x / x.shape[axis], axis=axis, keepdims=True)


def _abs_relu(x: Any, xp: Any, axis: int) -> Any:
    x = finite(x, xp)
    return xp.maximum(x - _mean(x, xp, axis), 0.0)


def _abs_relu_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    x = finite(x, xp)
    above = x - _mean(x, xp, axis)
    return xp.where(above <= 0, 0.0, unless_nan(above, xp)) * (tangent - _mean(tangent, xp, axis))


def _brelu(x: Any, xp: Any, axis: int) -> Any:
    return xp.where(at_even_places(x, xp, axis), xp.maximum(x, 0.0), xp.minimum(x, 0.0))


def _brelu_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    # The piece on the left of 0 is the flat one in the first case, the other one in the second.
    even = at_even_places(x, xp, axis)
    flat = (even & (x <= 0)) | (~even & (x > 0))
    return xp.where(flat, 0.0, unless_nan(x, xp)) * tangent


def _root_scale(x: Any, xp: Any, axis: int) -> Any:
    """1/√s, s the largest of 1 and all |x|. Times it, twice, x has powers that do not overflow.

    XLA divides by the largest numbers through an inverse that it takes as 0; that of their root is a normal number.
    """
    return 1.0 / xp.sqrt(xp.maximum(xp.max(xp.abs(x), axis=axis, keepdims=True), 1.0))


def _poly_norm(x: Any, xp: Any, axis: int, weight_1: Any, weight_2: Any, weight_3: Any, bias: Any, epsilon: Any) -> Any:
    x = finite(x, xp)
    root = _root_scale(x, xp, axis)
    unit, shrink = x * root * root, (root * root) * (root * root)
    power, result = unit, bias
    for weight in (weight_1, weight_2, weight_3):
        epsilon = epsilon * shrink
        result = result + weight * power / xp.sqrt(_mean(power * power, xp, axis) + epsilon)
        power = power * unit
    return result


def _poly_norm_push(
    x: Any, tangent: Any, xp: Any, axis: int, weight_1: Any, weight_2: Any, weight_3: Any, bias: Any, epsilon: Any
) -> Any:
    x = finite(x, xp)
    root = _root_scale(x, xp, axis)
    unit, pushed, shrink = x * root * root, tangent * root * root, (root * root) * (root * root)
    power, pushed_power, result = unit, pushed, 0.0
    for weight in (weight_1, weight_2, weight_3):
        epsilon = epsilon * shrink
        square = _mean(power * power, xp, axis) + epsilon
        along_power = _mean(power * pushed_power, xp, axis) / square
        result = result + weight * (pushed_power - power * along_power) / xp.sqrt(square)
        power, pushed_power = power * unit, pushed_power * unit + power * pushed
    return result


def _arelu_slopes(alpha: Any, beta: Any, xp: Any) -> tuple[Any, Any]:
    """Slopes on the left and on the right; of plain numbers they stay plain numbers."""
    left = min(max(alpha, 0.01), 0.99) if isinstance(alpha, float) else xp.clip(alpha, 0.01, 0.99)
    if isinstance(beta, float):
        return left, 1.0 + 0.5 * (1.0 + math.tanh(0.5 * beta))
    return left, 1.0 + logistic(beta, xp)


def _arelu(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    left, right = _arelu_slopes(alpha, beta, xp)
    return xp.where(x > 0, right * x, left * x)


def _arelu_derivative(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    left, right = _arelu_slopes(alpha, beta, xp)
    return by_pieces(x, xp, (0.0,), (left, right))


def _pooled(x: Any, xp: Any, axis: int) -> Any:
    """The mean over the axes between the first, the samples, and that of the units; they stay, with length 1."""
    spatial = tuple(range(1, len(x.shape) + axis))
    return xp.mean(x, axis=spatial, keepdims=True) if spatial else x


def _bounded(x: Any, tangent: Any, xp: Any) -> tuple[Any, Any]:
    """Input and tangent of a small network of units, clipped so far out that nothing in it overflows."""
    bound = math.sqrt(float(xp.finfo(x.dtype).max))
    near = xp.clip(x, -bound, bound)
    return near, None if tangent is None else xp.where(near == x, tangent, 0.0)


def _mixed(x: Any, weights: Any, xp: Any, axis: int) -> Any:
    """Multiply the units by a matrix (inputs, outputs)."""
    units = xp.moveaxis(x, axis, -1)
    return xp.moveaxis(xp.sum(units[..., None] * weights, axis=-2), -1, axis)


def _per_unit(weights: Any, axis: int) -> Any:
    """Turn weights, one for each unit, so that they stand along the axis of the units."""
    return weights[(Ellipsis, *(None,) * (-axis - 1))]


def _switch(x: Any, xp: Any, axis: int, squeeze: Any, excite: Any) -> Any:
    """The logit of meta-ACON's β; linear in the input, so that it serves the tangent as well."""
    return _mixed(_mixed(_pooled(x, xp, axis), squeeze, xp, axis), excite, xp, axis)


def _meta_acon(x: Any, xp: Any, axis: int, p1: Any, p2: Any, squeeze: Any, excite: Any) -> Any:
    x = finite(x, xp)
    beta = logistic(_switch(_bounded(x, None, xp)[0], xp, axis, squeeze, excite), xp)
    part = finite((p1 - p2) * x, xp)
    return part * logistic(xp.clip(beta * part, -BEYOND, BEYOND), xp) + p2 * x


def _meta_acon_push(x: Any, tangent: Any, xp: Any, axis: int, p1: Any, p2: Any, squeeze: Any, excite: Any) -> Any:
    x = finite(x, xp)
    near, near_tangent = _bounded(x, tangent, xp)
    logit = _switch(near, xp, axis, squeeze, excite)
    part = finite((p1 - p2) * x, xp)
    v = xp.clip(logistic(logit, xp) * part, -BEYOND, BEYOND)
    gate = logistic(v, xp)
    bend = v * gate * logistic(-v, xp)
    by_logit = part * bend * logistic(-logit, xp)
    pushed_logit = _switch(near_tangent, xp, axis, squeeze, excite)
    return ((gate + bend) * (p1 - p2) + p2) * tangent + by_logit * pushed_logit


def _coefficients(
    x: Any, tangent: Any, xp: Any, axis: int, squeeze: Any, squeeze_bias: Any, excite: Any, excite_bias: Any
) -> tuple[list[Any], list[Any]]:
    """Dynamic ReLU's a₁, a₂, b₁, b₂ and, where there is a tangent, their directional derivatives."""
    near, near_tangent = _bounded(x, tangent, xp)
    hidden = _mixed(_pooled(near, xp, axis), squeeze, xp, axis) + _per_unit(squeeze_bias, axis)
    values, pushed = [], []
    for k, (start, reach) in enumerate(zip(_START, _REACH, strict=True)):
        theta = _mixed(xp.maximum(hidden, 0.0), excite[:, k, :], xp, axis) + _per_unit(excite_bias[k, :], axis)
        values.append(start + reach * tanh(0.5 * theta, xp))
        if tangent is not None:
            moved = _mixed(_pooled(near_tangent, xp, axis), squeeze, xp, axis)
            moved = _mixed(xp.where(hidden > 0, moved, 0.0), excite[:, k, :], xp, axis)
            pushed.append(2.0 * reach * logistic(theta, xp) * logistic(-theta, xp) * moved)
    return values, pushed


def _dynamic_relu(x: Any, xp: Any, axis: int, **weights: Any) -> Any:
    x = finite(x, xp)
    (a1, a2, b1, b2), _ = _coefficients(x, None, xp, axis, **weights)
    return xp.maximum(a1 * x + b1, a2 * x + b2)


def _dynamic_relu_push(x: Any, tangent: Any, xp: Any, axis: int, **weights: Any) -> Any:
    x = finite(x, xp)
    (a1, a2, b1, b2), (pushed_a1, pushed_a2, pushed_b1, pushed_b2) = _coefficients(x, tangent, xp, axis, **weights)
    second = a2 * x + b2 > a1 * x + b1
    slope = xp.where(second, a2, a1)
    return slope * tangent + x * xp.where(second, pushed_a2, pushed_a1) + xp.where(second, pushed_b2, pushed_b1)


def _funnel(x: Any, xp: Any, axis: int, window: Any) -> Any:
    """Nine shifted products; rows and columns are the two axes before that of the units, zeros around them."""
    if len(x.shape) + axis < 2:
        raise InvalidFunction(
            f"funnel_relu takes images, channels last: its units need two axes, rows and columns, before their own; "
            f"the input's shape is {tuple(x.shape)}."
        )
    for image_axis in (axis - 1, axis - 2):
        zeros = xp.zeros_like(along(x, image_axis, slice(0, 1)))
        x = xp.concatenate([zeros, x, zeros], axis=image_axis)
    shifts = (slice(0, -2), slice(1, -1), slice(2, None))
    result = 0.0
    for row, row_part in enumerate(shifts):
        for column, column_part in enumerate(shifts):
            shifted = along(along(x, axis - 2, row_part), axis - 1, column_part)
            result = result + _per_unit(window[row, column, :], axis) * shifted
    return result


def _funnel_relu(x: Any, xp: Any, axis: int, window: Any) -> Any:
    return xp.maximum(x, _funnel(finite(x, xp), xp, axis, window))


def _funnel_relu_push(x: Any, tangent: Any, xp: Any, axis: int, window: Any) -> Any:
    condition = _funnel(finite(x, xp), xp, axis, window)
    pushed = xp.where(condition > x, _funnel(tangent, xp, axis, window), tangent)
    return pushed * unless_nan(xp.maximum(x, condition), xp)


_TOGETHER = "The derivative over the units is the one for a unit that moves at all positions of an image together."

abs_relu = Activation(
    name="abs_relu",
    title="Average biased ReLU",
    formula=Formula("max(x - m, 0), m the mean of the units", r"\max(x_i - \bar{x}, 0)"),
    family="adaptive",
    year=2018,
    source="Dubey and Chakraborty, 2018, arXiv:1804.02051",
    value_rule=_abs_relu,
    derivative_rule=_abs_relu_push,
    aliases=("abrelu", "average_biased_relu"),
    kind="grouping",
    notes="The mean is that of the units along the axis; the authors take it over the whole input volume of a sample, "
    "which for a layer without rows and columns is the same. Infinite units count as the largest finite number.",
)

brelu = Activation(
    name="brelu",
    title="Bipolar ReLU",
    formula=Formula(
        "max(x_i, 0) for even i, min(x_i, 0) for odd i",
        r"\begin{cases} \max(x_i, 0) & i \text{ even} \\ \min(x_i, 0) & i \text{ odd} \end{cases}",
    ),
    family="adaptive",
    year=2017,
    source="Eidnes and Nøkland, 2017, arXiv:1709.04054",
    value_rule=_brelu,
    derivative_rule=_brelu_push,
    aliases=("bipolar_relu",),
    kind="grouping",
    notes="The paper's form f(x), −f(−x) in turn, with f the ReLU. Units are counted from 0. At 0 "
    "the derivative is that of the piece on the left: 0 for even units, 1 for odd ones. The bounded "
    "ReLU, min(max(x, 0), c), is called BReLU too.",
)

poly_norm = Activation(
    name="poly_norm",
    title="PolyNorm",
    formula=Formula(
        "sum of weight_i*x^i/rms(x^i) for i = 1, 2, 3, plus bias",
        r"\sum_{i=1}^{3} w_i \frac{x^i}{\sqrt{\mathrm{mean}(x^{2i}) + \epsilon}} + b",
    ),
    family="adaptive",
    year=2024,
    source="Zhuo and others, 2024, arXiv:2411.03884",
    value_rule=_poly_norm,
    derivative_rule=_poly_norm_push,
    parameters=(
        *(Parameter(f"weight_{i}", 1 / 3, trainable=True) for i in (1, 2, 3)),
        Parameter("bias", 0.0, trainable=True),
        Parameter("epsilon", 1e-6, low=1e-30, high=1.0),
    ),
    kind="grouping",
    notes="weight_i belongs to the power i; the authors' code stores them from the third power down. Accurate to a few "
    "ulp of the largest of the terms, which may cancel. Infinite units count as the largest finite number.",
)

arelu = Activation(
    name="arelu",
    title="Attention-based ReLU",
    formula=Formula(
        "(1 + sigmoid(beta))*x for x > 0, else alpha*x with alpha clipped to [0.01, 0.99]",
        r"\begin{cases} (1 + \sigma(\beta)) x & x > 0 \\ \min(0.99, \max(0.01, \alpha)) \, x & x \le 0 \end{cases}",
    ),
    family="adaptive",
    year=2020,
    source="Chen, Li and Xu, 2020, arXiv:2006.13858",
    value_rule=_arelu,
    derivative_rule=_arelu_derivative,
    parameters=(Parameter("alpha", 0.9, trainable=True), Parameter("beta", 2.0, trainable=True)),
    notes="As in the authors' code, which clips alpha in the same way and starts at 0.9 and 2 too.",
)

meta_acon = Activation(
    name="meta_acon",
    title="Meta-ACON",
    formula=Formula(
        "(p1 - p2)*x*sigmoid(beta*(p1 - p2)*x) + p2*x, beta = sigmoid of two linear layers of the mean of x",
        r"(p_1 - p_2) x \, \sigma(\beta (p_1 - p_2) x) + p_2 x,\ \beta = \sigma(W_1 W_2 \bar{x})",
    ),
    family="adaptive",
    year=2020,
    source="Ma, Zhang, Liu and Sun, 2020, arXiv:2009.04759",
    value_rule=_meta_acon,
    derivative_rule=_meta_acon_push,
    parameters=(
        Parameter("p1", 1.0, trainable=True),
        Parameter("p2", 0.0, trainable=True),
        Parameter("squeeze", None, trainable=True, shape=lambda units: (units, max(1, units // 16))),
        Parameter("excite", None, trainable=True, shape=lambda units: (max(1, units // 16), units)),
    ),
    kind="grouping",
    notes="beta is for each sample and unit; the mean is over the axes between the first, the samples, and that of the "
    "units, so that without rows and columns it is x itself. A sixteenth of the units in between, no biases and no "
    "batch normalisation, as in the paper; the authors' later code has both. They start p1 and p2 from a unit normal; "
    f"1 and 0 are Swish with a slope of the input's choice. {_TOGETHER}",
)

dynamic_relu = Activation(
    name="dynamic_relu",
    title="Dynamic ReLU",
    formula=Formula(
        "max(a1*x + b1, a2*x + b2), the coefficients from two linear layers of the mean of x",
        r"\max(a_1(\bar{x}) x + b_1(\bar{x}), a_2(\bar{x}) x + b_2(\bar{x}))",
    ),
    family="adaptive",
    year=2020,
    source="Chen, Dai, Liu, Chen, Yuan and Liu, 2020, arXiv:2003.10027",
    value_rule=_dynamic_relu,
    derivative_rule=_dynamic_relu_push,
    aliases=("dy_relu",),
    parameters=(
        Parameter("squeeze", None, trainable=True, shape=lambda units: (units, max(1, units // 8))),
        Parameter("squeeze_bias", None, trainable=True, shape=lambda units: (max(1, units // 8),)),
        Parameter("excite", None, trainable=True, shape=lambda units: (max(1, units // 8), 4, units)),
        Parameter("excite_bias", None, trainable=True, shape=lambda units: (4, units)),
    ),
    kind="grouping",
    notes="The variant B: coefficients for each sample and unit, the same at all positions; the mean is over the axes "
    "between the first, the samples, and that of the units. An eighth of the units in between, with ReLU; then "
    "a1 = 1 + t, a2 = t, b1 = t/2, b2 = t/2, each t = 2*sigmoid - 1 of its own row of `excite`, in this order. Weights "
    f"of 0 make it ReLU. {_TOGETHER}",
)

funnel_relu = Activation(
    name="funnel_relu",
    title="Funnel ReLU",
    formula=Formula(
        "max(x, T(x)), T a 3*3 window over rows and columns for each unit",
        r"\max(x, T(x)),\ T(x)_{ij} = \sum_{kl} w_{kl} x_{i+k, j+l}",
    ),
    family="adaptive",
    year=2020,
    source="Ma, Zhang and Sun, 2020, arXiv:2007.11824",
    value_rule=_funnel_relu,
    derivative_rule=_funnel_relu_push,
    parameters=(Parameter("window", None, trainable=True, shape=lambda units: (3, 3, units)),),
    kind="grouping",
    notes="For images with channels last: rows and columns are the two axes before that of the units, with zeros "
    "around them. Without the batch normalisation that the authors put after the window. Where both are equal, x "
    "passes the gradient. Flexible ReLU, max(x, 0) + b, is called FReLU too. Near the largest number the nine "
    f"products may overflow. {_TOGETHER}",
)

FUNCTIONS = (abs_relu, brelu, poly_norm, arelu, meta_acon, dynamic_relu, funnel_relu)
