"""Functions that squash the line into an interval: sigmoid, tanh, softsign and their piecewise forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.functions.activation import Activation, Formula, Parameter
from actlab.functions.arrays import absolute, decay, undecay
from actlab.functions.arrays import tanh as _tanh


def logistic(x: Any, xp: Any) -> Any:
    """1/(1 + exp(−x)), the exponential taken of −|x| so that it neither overflows nor loses the left tail.

    >>> import numpy as np
    >>> logistic(np.array([0.0, -40.0]), np)
    array([5.00000000e-01, 4.24835426e-18])
    """
    exponential = xp.exp(-absolute(x, xp))
    return xp.where(x >= 0, 1.0, exponential) / (1.0 + exponential)


def _sigmoid_derivative(x: Any, xp: Any) -> Any:
    # s(1 − s) would be 0 from x = 37 on, where 1 − s is.
    exponential = xp.exp(-absolute(x, xp))
    total = 1.0 + exponential
    return exponential / (total * total)


def _tanh_derivative(x: Any, xp: Any) -> Any:
    exponent = -2.0 * absolute(x, xp)
    exponential, far = decay(exponent, exponent, xp)
    total = 1.0 + exponential
    return undecay(4.0 * exponential / (total * total), far, xp)


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
    return _ramp(x, xp, -offset / slope, (1.0 - offset) / slope, slope)


def _hard_tanh(x: Any, xp: Any, minimum: Any, maximum: Any) -> Any:
    return xp.clip(x, minimum, maximum)


def _hard_tanh_derivative(x: Any, xp: Any, minimum: Any, maximum: Any) -> Any:
    return _ramp(x, xp, minimum, maximum, 1.0)


def _ramp(x: Any, xp: Any, low: Any, high: Any, slope: Any) -> Any:
    """`slope` on low < x ≤ high, else 0; the last branch is reached by NaN alone."""
    return xp.where(x > high, 0.0, xp.where(x > low, slope, xp.where(x <= low, 0.0, x)))


def _positive_slope(slope: Any, offset: Any) -> str | None:
    return None if np.all(slope > 0) else "slope must be above 0"


def _ordered(minimum: Any, maximum: Any) -> str | None:
    return None if np.all(minimum < maximum) else "minimum must be below maximum"


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
    year=1998,
    source="LeCun, Bottou, Orr and Müller, 1998, doi:10.1007/3-540-49430-8_2",
    value_rule=_tanh,
    derivative_rule=_tanh_derivative,
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
    constraint=_positive_slope,
    notes="ONNX takes slope 0.2.",
)

hard_tanh = Activation(
    name="hard_tanh",
    title="Hard tanh",
    formula=Formula("x clipped to [minimum, maximum]", r"\min(\mathrm{maximum}, \max(\mathrm{minimum}, x))"),
    family="squashing",
    year=2004,
    source="Collobert, Large scale machine learning, thesis, Université Paris VI, 2004",
    value_rule=_hard_tanh,
    derivative_rule=_hard_tanh_derivative,
    parameters=(Parameter("minimum", -1.0), Parameter("maximum", 1.0)),
    constraint=_ordered,
)

FUNCTIONS = (sigmoid, tanh, softsign, hard_sigmoid, hard_tanh)
