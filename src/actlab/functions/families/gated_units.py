"""Gated linear units: one half of the units, through a function, multiplies the other half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.gating import gelu, silu, silu_derivative
from actlab.functions.families.rectifying import relu
from actlab.functions.families.squashing import sigmoid
from actlab.functions.numerics import along, finite

_SHAZEER = "Shazeer, 2020, arXiv:2002.05202"
_FIRST_HALF = "The first half of the units gates: set gate_half=2 where the second does."


def _halves(x: Any, axis: int, gate_half: int) -> tuple[Any, Any]:
    """Split the units into the gate and the linear half."""
    half = x.shape[axis] // 2
    first, second = along(x, axis, slice(0, half)), along(x, axis, slice(half, None))
    return (first, second) if gate_half == 1 else (second, first)


def _interleaved_halves(x: Any, axis: int, interleaved: int) -> tuple[Any, Any]:
    """Split the units into gate and linear part: those of even and of odd index, or the halves in this order."""
    if interleaved:
        return along(x, axis, slice(0, None, 2)), along(x, axis, slice(1, None, 2))
    return _halves(x, axis, 1)


def _product(a: Any, b: Any, xp: Any) -> Any:
    """a·b, which is 0 where one of them is 0, even if the other is infinite; differentiable like a·b elsewhere."""
    return xp.where(b == 0, finite(a, xp), a) * xp.where(a == 0, finite(b, xp), b)


def _value(function: Activation) -> Callable[..., Any]:
    def value(x: Any, xp: Any, axis: int, gate_half: int) -> Any:
        gate, linear = _halves(x, axis, gate_half)
        return _product(function.value_rule(gate, xp), linear, xp)

    return value


def _derivative(function: Activation) -> Callable[..., Any]:
    written = function.derivative_rule
    assert written is not None

    def derivative(x: Any, tangent: Any, xp: Any, axis: int, gate_half: int) -> Any:
        gate, linear = _halves(finite(x, xp), axis, gate_half)
        by_gate, by_linear = _halves(tangent, axis, gate_half)
        # Finite factors, so that a tangent of 0 gives 0.
        slope = finite(written(gate, xp) * linear, xp)
        return slope * by_gate + finite(function.value_rule(gate, xp), xp) * by_linear

    return derivative


def _bilinear(x: Any, xp: Any, axis: int) -> Any:
    return _product(*_halves(x, axis, 1), xp)


def _bilinear_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    first, second = _halves(finite(x, xp), axis, 1)
    by_first, by_second = _halves(tangent, axis, 1)
    return second * by_first + first * by_second


def _clamped_parts(x: Any, xp: Any, axis: int, alpha: Any, limit: Any, interleaved: int) -> tuple[Any, Any, Any, Any]:
    """Gate and linear part as they are, then the gate clamped, times alpha, and the linear part clamped, plus 1."""
    gate, linear = _interleaved_halves(x, axis, interleaved)
    return gate, linear, alpha * xp.where(gate > limit, limit, gate), xp.clip(linear, -limit, limit) + 1.0


def _clamped_swiglu(x: Any, xp: Any, axis: int, alpha: Any, limit: Any, interleaved: int) -> Any:
    _, _, scaled, raised = _clamped_parts(x, xp, axis, alpha, limit, interleaved)
    return silu.value_rule(scaled, xp) / alpha * raised


def _clamped_swiglu_push(x: Any, tangent: Any, xp: Any, axis: int, alpha: Any, limit: Any, interleaved: int) -> Any:
    gate, linear, scaled, raised = _clamped_parts(x, xp, axis, alpha, limit, interleaved)
    by_gate, by_linear = _interleaved_halves(tangent, axis, interleaved)
    slope = xp.where(gate > limit, 0.0, silu_derivative(scaled, xp) * raised)
    outside = (linear > limit) | (linear <= -limit)
    return slope * by_gate + xp.where(outside, 0.0, silu.value_rule(scaled, xp) / alpha) * by_linear


def _two(**_: Any) -> int:
    return 2


def _positive_numbers(alpha: Any, limit: Any, **_: Any) -> str | None:
    if np.ndim(alpha) or np.ndim(limit):
        return "alpha and limit must be single numbers"
    return None if 0 < alpha < np.inf and 0 < limit < np.inf else "alpha and limit must be above 0 and finite"


def _gated(
    name: str, title: str, function: Activation, formula: Formula, *, gate_half: int, year: int, source: str, notes: str
) -> Activation:
    return Activation(
        name=name,
        title=title,
        formula=formula,
        family="gated_units",
        year=year,
        source=source,
        value_rule=_value(function),
        derivative_rule=_derivative(function),
        parameters=(Parameter("gate_half", gate_half, low=1, high=2, integer=True),),
        kind="grouping",
        inputs_per_unit_rule=_two,
        notes=f"The width halves. {notes}",
    )


glu = _gated(
    "glu",
    "GLU",
    sigmoid,
    Formula("a*sigmoid(b), b the half that gates", r"a \, \sigma(b)"),
    gate_half=2,
    year=2016,
    source="Dauphin, Fan, Auli and Grangier, 2016, arXiv:1612.08083",
    notes="The second half of the units gates, as in PyTorch and JAX: set gate_half=1 where the first does.",
)

bilinear = Activation(
    name="bilinear",
    title="Bilinear unit",
    formula=Formula("a*b, the two halves of the units", r"a \, b"),
    family="gated_units",
    year=2007,
    source=f"Mnih and Hinton, 2007, doi:10.1145/1273496.1273577; as a gated unit {_SHAZEER}",
    value_rule=_bilinear,
    derivative_rule=_bilinear_push,
    kind="grouping",
    inputs_per_unit_rule=_two,
    notes="The width halves.",
)

reglu = _gated(
    "reglu",
    "ReGLU",
    relu,
    Formula("relu(a)*b, a the half that gates", r"\max(a, 0) \, b"),
    gate_half=1,
    year=2020,
    source=_SHAZEER,
    notes=_FIRST_HALF,
)

geglu = _gated(
    "geglu",
    "GEGLU",
    gelu,
    Formula("gelu(a)*b, a the half that gates", r"\mathrm{GELU}(a) \, b"),
    gate_half=1,
    year=2020,
    source=_SHAZEER,
    notes=f"{_FIRST_HALF} GELU is the exact one, with erf.",
)

swiglu = _gated(
    "swiglu",
    "SwiGLU",
    silu,
    Formula("silu(a)*b, a the half that gates", r"a \, \sigma(a) \, b"),
    gate_half=1,
    year=2020,
    source=_SHAZEER,
    notes=_FIRST_HALF,
)

clamped_swiglu = Activation(
    name="clamped_swiglu",
    title="Clamped SwiGLU",
    formula=Formula(
        "g*sigmoid(alpha*g)*(u + 1), g = min(gate, limit), u = linear part clipped to [-limit, limit]",
        r"g \, \sigma(\alpha g) \, (u + 1),\ g = \min(a, c),\ u = \min(c, \max(-c, b))",
    ),
    family="gated_units",
    year=2025,
    source="OpenAI, gpt-oss-120b and gpt-oss-20b model card, 2025, arXiv:2508.10925, and the published model's code",
    value_rule=_clamped_swiglu,
    derivative_rule=_clamped_swiglu_push,
    parameters=(
        Parameter("alpha", 1.702, low=0.0),
        Parameter("limit", 7.0, low=0.0),
        Parameter("interleaved", 1, low=0, high=1, integer=True),
    ),
    kind="grouping",
    constraint=_positive_numbers,
    inputs_per_unit_rule=_two,
    notes="The width halves. Units of even index gate, those of odd index are linear, as in the published model; with "
    "interleaved=0 the first half gates and the second is linear.",
)

FUNCTIONS = (glu, bilinear, reglu, geglu, swiglu, clamped_swiglu)
