"""The two functions at the ends of the scale: the step, which decides, and the line, which does nothing."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation, Formula


def _step(x: Any, xp: Any) -> Any:
    return xp.where(x >= 0, 1.0, xp.where(x < 0, 0.0, x))


def _step_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x == x, 0.0, x)


def _linear(x: Any, xp: Any) -> Any:
    return +x


def _linear_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x == x, 1.0, x)


step = Activation(
    name="step",
    title="Step",
    formula=Formula("1 for x ≥ 0, else 0", r"\mathbb{1}[x \ge 0]"),
    family="elementary",
    year=1943,
    source="McCulloch and Pitts, 1943, doi:10.1007/BF02478259",
    value_rule=_step,
    derivative_rule=_step_derivative,
    aliases=("heaviside", "binary_step"),
    notes="Its derivative is 0 everywhere, so nothing before it learns by gradient descent.",
)

linear = Activation(
    name="linear",
    title="Linear",
    formula=Formula("x", "x"),
    family="elementary",
    year=1960,
    source="Widrow and Hoff, Adaptive switching circuits, IRE WESCON, 1960",
    value_rule=_linear,
    derivative_rule=_linear_derivative,
    aliases=("identity",),
)

FUNCTIONS = (step, linear)
