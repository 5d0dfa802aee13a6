"""Steps that can be trained: forward a spike or none, backward the slope of something smooth (a surrogate)."""

from __future__ import annotations

import math
from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families.elementary import step
from actlab.functions.numerics import above_zero, absolute


def _spike(x: Any, xp: Any, **_: Any) -> Any:
    return step.value_rule(x, xp)


def _fast_sigmoid(x: Any, xp: Any, slope: Any) -> Any:
    # (1 + slope·|x|)⁻², far out divided through by |x|, so that nothing overflows
    size = absolute(x, xp)
    near = size <= 2.0**20
    inner = 1.0 + slope * xp.where(near, size, 0.0)
    inverse = 1.0 / xp.where(near, 1.0, size)
    outer = inverse / (inverse + slope)
    return xp.where(near, 1.0 / (inner * inner), outer * outer)


def _arctan(x: Any, xp: Any, alpha: Any) -> Any:
    # (α/2)/(1 + (παx/2)²); far out written in 1/x, whose square does not overflow
    scaled = (math.pi / 2 * alpha) * x
    size = absolute(scaled, xp)
    near = size <= 1.0
    small = xp.where(near, size, 1.0 / xp.where(near, 1.0, size))
    square = small * small
    return (alpha / 2) * xp.where(near, 1.0, square) / (1.0 + square)


def _triangular(x: Any, xp: Any, height: Any) -> Any:
    return height * xp.maximum(1.0 - absolute(x, xp), 0.0)


_FORWARD = "The derivative is that of {}, not of the step: it is what makes the step learn."

spike_fast_sigmoid = Activation(
    name="spike_fast_sigmoid",
    title="Spike, fast sigmoid",
    formula=Formula(
        "1 for x ≥ 0, else 0; as if sloped 1/(1 + slope*|x|)^2",
        r"\mathbb{1}[x \geq 0],\ f'(x) := \frac{1}{(1 + \mathrm{slope} \cdot |x|)^2}",
    ),
    family="spiking",
    year=2018,
    source="Zenke and Ganguli, 2018, arXiv:1705.11146; Neftci, Mostafa and Zenke, 2019, arXiv:1901.09948",
    value_rule=_spike,
    derivative_rule=_fast_sigmoid,
    parameters=(Parameter("slope", 25.0, low=0.0),),
    constraint=above_zero("slope"),
    notes=_FORWARD.format("x/(1 + slope*|x|)")
    + " slope is 25 as in snnTorch; Zenke and Ganguli call it beta, and take "
    "1 per millivolt.",
)

spike_arctan = Activation(
    name="spike_arctan",
    title="Spike, arctan",
    formula=Formula(
        "1 for x ≥ 0, else 0; as if sloped (alpha/2)/(1 + (pi*alpha*x/2)^2)",
        r"\mathbb{1}[x \geq 0],\ f'(x) := \frac{\alpha / 2}{1 + (\pi \alpha x / 2)^2}",
    ),
    family="spiking",
    year=2021,
    source="Fang, Yu, Chen, Masquelier, Huang and Tian, 2021, arXiv:2007.05785",
    value_rule=_spike,
    derivative_rule=_arctan,
    parameters=(Parameter("alpha", 2.0, low=0.0),),
    notes=_FORWARD.format("arctan(pi*alpha*x/2)/pi + 1/2") + " alpha is 2 as in SpikingJelly and snnTorch.",
)

spike_triangular = Activation(
    name="spike_triangular",
    title="Spike, triangular",
    formula=Formula(
        "1 for x ≥ 0, else 0; as if sloped height*max(0, 1 - |x|)",
        r"\mathbb{1}[x \geq 0],\ f'(x) := \mathrm{height} \cdot \max(0, 1 - |x|)",
    ),
    family="spiking",
    year=2016,
    source="Esser and others, 2016, arXiv:1603.08270; Bellec, Salaj, Subramoney, Legenstein and Maass, 2018, "
    "arXiv:1803.09574",
    value_rule=_spike,
    derivative_rule=_triangular,
    parameters=(Parameter("height", 1.0, low=0.0),),
    notes=_FORWARD.format("a smoothed step made of two parabolas") + " height is 1 in Esser's networks, 0.3 in "
    "Bellec's. What snnTorch calls triangular is another function, of slope 1 below and -1 above.",
)

FUNCTIONS = (spike_fast_sigmoid, spike_arctan, spike_triangular)
