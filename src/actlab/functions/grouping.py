"""Functions of a whole group of units at once: softmax and maxout.

Their rules take the axis of the units, and their derivative is written as a directional one, J·tangent.
"""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation, Formula, Parameter


def _softmax(x: Any, xp: Any, axis: int) -> Any:
    # Infinities become the largest finite number, so that their differences are not NaN.
    largest = float(xp.finfo(x.dtype).max)
    x = xp.clip(x, -largest, largest)
    exponential = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return exponential / xp.sum(exponential, axis=axis, keepdims=True)


def _softmax_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    share = _softmax(x, xp, axis)
    return share * (tangent - xp.sum(share * tangent, axis=axis, keepdims=True))


def _split(x: Any, xp: Any, axis: int, pieces: int) -> Any:
    """Move consecutive units into an axis of their own, the first: (pieces, …, outputs, …)."""
    outputs = x.shape[axis] // pieces
    place = x.ndim + axis
    return xp.moveaxis(x.reshape(*x.shape[:place], outputs, pieces, *x.shape[place + 1 :]), place + 1, 0)


def _maxout(x: Any, xp: Any, axis: int, pieces: int) -> Any:
    return xp.max(_split(x, xp, axis, pieces), axis=0)


def _maxout_push(x: Any, tangent: Any, xp: Any, axis: int, pieces: int) -> Any:
    values, tangents = _split(x, xp, axis, pieces), _split(tangent, xp, axis, pieces)
    best, result = values[0], tangents[0]
    for k in range(1, pieces):
        result = xp.where(values[k] > best, tangents[k], result)
        best = xp.maximum(best, values[k])
    return result


def _pieces(pieces: int) -> int:
    return pieces


softmax = Activation(
    name="softmax",
    title="Softmax",
    formula=Formula("exp(x_i)/sum_j exp(x_j)", r"\frac{e^{x_i}}{\sum_j e^{x_j}}"),
    family="grouping",
    year=1990,
    source="Bridle, 1990, doi:10.1007/978-3-642-76153-9_28",
    value_rule=_softmax,
    derivative_rule=_softmax_push,
    kind="grouping",
    notes="A share exp(-d) is relatively accurate to about d ulp, from rounding d. Equal largest units share "
    "alike, infinite ones too.",
)

maxout = Activation(
    name="maxout",
    title="Maxout",
    formula=Formula("max of each run of `pieces` consecutive units", r"\max_{j} x_{i k + j},\ 0 \le j < k"),
    family="grouping",
    year=2013,
    source="Goodfellow, Warde-Farley, Mirza, Courville and Bengio, 2013, arXiv:1302.4389",
    value_rule=_maxout,
    derivative_rule=_maxout_push,
    parameters=(Parameter("pieces", 2, low=1, integer=True),),
    kind="grouping",
    inputs_per_unit_rule=_pieces,
    notes="The width shrinks by `pieces`. Of equal units the first passes the gradient.",
)

FUNCTIONS = (softmax, maxout)
