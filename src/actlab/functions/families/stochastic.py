"""Functions that draw noise while a network trains: a leaky ReLU of random slope, and a ReLU with added noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import both, by_pieces, left_part, straight


def _rrelu_slope(noise: Any, lower: Any, upper: Any) -> Any:
    return (lower + upper) / 2 if noise is None else lower + (upper - lower) * noise


def _rrelu(x: Any, xp: Any, noise: Any, lower: Any, upper: Any) -> Any:
    slope = _rrelu_slope(noise, lower, upper) + xp.zeros_like(x)
    # A slope of 0 times −inf would be NaN.
    left = xp.where(both(xp.isinf(x), slope == 0), 0.0, x)
    return xp.where(x > 0, x, slope * left)


def _rrelu_derivative(x: Any, xp: Any, noise: Any, lower: Any, upper: Any) -> Any:
    return by_pieces(x, xp, (0.0,), (_rrelu_slope(noise, lower, upper), 1.0))


def _rrelu_by_lower(x: Any, xp: Any, noise: Any, lower: Any, upper: Any) -> Any:
    return left_part(x, xp) * (0.5 if noise is None else 1.0 - noise)


def _rrelu_by_upper(x: Any, xp: Any, noise: Any, lower: Any, upper: Any) -> Any:
    return left_part(x, xp) * (0.5 if noise is None else noise)


def _prob_act(x: Any, xp: Any, noise: Any, scale: Any) -> Any:
    mean = xp.maximum(x, 0.0)
    return mean if noise is None else mean + scale * noise


def _prob_act_by_scale(x: Any, xp: Any, noise: Any, scale: Any) -> Any:
    return xp.zeros_like(x) if noise is None else noise


def _ordered(lower: Any, upper: Any) -> str | None:
    return None if np.all(lower <= upper) else "lower must be at most upper"


rrelu = Activation(
    name="rrelu",
    title="RReLU",
    formula=Formula(
        "x for x > 0, else a*x, a uniform on [lower, upper]",
        r"\begin{cases} x & x > 0 \\ a x & x \le 0 \end{cases},\ a \sim U(\mathrm{lower}, \mathrm{upper})",
    ),
    family="stochastic",
    year=2015,
    source="Xu, Wang, Chen and Li, 2015, arXiv:1505.00853",
    value_rule=_rrelu,
    derivative_rule=_rrelu_derivative,
    aliases=("randomized_leaky_relu",),
    parameters=(Parameter("lower", 1 / 8), Parameter("upper", 1 / 3)),
    kind="stochastic",
    noise="uniform",
    parameter_derivatives={"lower": _rrelu_by_lower, "upper": _rrelu_by_upper},
    constraint=_ordered,
    notes="Without a key, as outside training, the slope is the mean one, (lower + upper)/2. PyTorch takes the "
    "bounds 1/8 and 1/3 too; the paper divides x by a number between 3 and 8.",
)

prob_act = Activation(
    name="prob_act",
    title="ProbAct",
    formula=Formula(
        "max(x, 0) + scale*e, e normal", r"\max(x, 0) + \mathrm{scale} \cdot \varepsilon,\ \varepsilon \sim N(0, 1)"
    ),
    family="stochastic",
    year=2019,
    source="Shridhar, Lee, Hayashi, Mehta, Iwana and others, 2019, arXiv:1905.10761",
    value_rule=_prob_act,
    derivative_rule=straight((0.0,), (0.0, 1.0)),
    parameters=(Parameter("scale", 0.0, trainable=True),),
    kind="stochastic",
    noise="normal",
    parameter_derivatives={"scale": _prob_act_by_scale},
    notes="Without a key, as outside training, it is ReLU. The scale starts from 0 as in the authors' code, and grows "
    "as it is learnt; they also hold it fixed, at 0.05 to 0.3. They draw noise outside training too.",
)

FUNCTIONS = (rrelu, prob_act)
