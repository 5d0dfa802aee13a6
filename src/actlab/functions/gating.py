"""Functions that multiply x by a gate between 0 and 1: GELU, SiLU, Mish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.functions.activation import Activation, Formula
from actlab.functions.arrays import (
    DENSITY_AT_ZERO,
    absolute,
    decay,
    is_single,
    normal_density,
    normal_tail,
    polynomial,
    undecay,
)

# Beyond ±1000 every exponential here is 0 or negligible; clipping there leaves no inf·0.
_BEYOND = 1000.0


@dataclass(frozen=True)
class Root:
    """A simple root of a derivative, and the derivative as a polynomial in x − root, highest power first.

    The root is rounded to the type, and the last coefficient is the derivative there. Interpolated in 60
    digits; relative error 3e−9 for |x − root| < 1/16, for float32, and 6e−20 for |x − root| < 1/64, for
    float64.
    """

    position: float
    single: tuple[float, ...]
    double: tuple[float, ...]


def _through_root(general: Any, x: Any, xp: Any, root: Root) -> Any:
    """Replace `general` next to the root, where it is a difference of near-equal terms.

    `x` is clipped: an overflow in the polynomial would make a NaN of second derivatives.
    """
    if is_single(x):
        position, reach, coefficients = float(np.float32(root.position)), 1 / 16, root.single
    else:
        position, reach, coefficients = root.position, 1 / 64, root.double
    distance = x - position
    return xp.where(absolute(distance, xp) < reach, polynomial(distance, coefficients), general)


_GELU_ROOT = Root(
    -0.7517915246935645,
    (
        -0.014718822787677867,
        -0.11391249784247474,
        -0.018199782689376887,
        0.388284889230278,
        0.43149398293584407,
        -5.227312104575155e-09,
    ),
    (
        -0.0022399116142395787,
        0.004538861204237372,
        0.019421679996162396,
        -0.01477152209167314,
        -0.11400823329723869,
        -0.01819967639867387,
        0.388284982990552,
        0.4314939923140469,
        -6.453751729367753e-18,
    ),
)
_SILU_ROOT = Root(
    -1.2784645427610737,
    (
        -0.006602450797628469,
        -0.015222024352074835,
        0.018874810535306166,
        0.14664879563690814,
        0.21781170191320348,
        -2.8270396683554365e-09,
    ),
    (
        0.00018566700662107138,
        0.0007985017125057857,
        0.0001266274217996197,
        -0.006606589135248641,
        -0.015222655223189118,
        0.018874814223782153,
        0.1466487969969469,
        0.21781170571980013,
        2.3843834755243115e-17,
    ),
)
_MISH_ROOT = Root(
    -1.1924312145154952,
    (
        -0.015820972986704405,
        -0.020288371150634383,
        0.04190783097901676,
        0.20473128077545946,
        0.2669479152908147,
        8.12572793365832e-10,
    ),
    (
        0.0009899562049381788,
        0.0010925308155236562,
        -0.0033606849825633706,
        -0.015821126581034673,
        -0.020271822716678375,
        0.04190782104361082,
        0.20473126408010586,
        0.26694791404953455,
        1.2942924190978498e-17,
    ),
)


def _gelu_reach(x: Any) -> float:
    """Where exp(−x²/2)·x² has underflowed to 0, and where `normal_density` and `normal_tail` end."""
    return 15.0 if is_single(x) else 40.0


def _gelu(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_gelu_reach(x), _gelu_reach(x))
    size = absolute(near, xp)
    density, tail = normal_density(size, xp), normal_tail(size, xp)
    # In this order no factor is subnormal where x·Φ(x) is a normal number.
    return xp.where(x >= 0, x * (1.0 - density * tail), near * density * tail)


def _gelu_derivative(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_gelu_reach(x), _gelu_reach(x))
    size = absolute(near, xp)
    left = (normal_tail(size, xp) - DENSITY_AT_ZERO * size) * normal_density(size, xp)
    return _through_root(xp.where(x >= 0, 1.0 - left, left), near, xp, _GELU_ROOT)


def _silu(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -_BEYOND, _BEYOND)
    exponential, far = decay(near, -absolute(near, xp), xp)
    gate = xp.where(near >= 0, 1.0, exponential) / (1.0 + exponential)
    return undecay(xp.maximum(x, -_BEYOND) * gate, far, xp)


def _silu_derivative(x: Any, xp: Any) -> Any:
    # e(1 + x + e)/(1 + e)², e = eˣ; for x > 0 written in 1/e. 1 + x is exact near the root, x = −1.28.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = decay(near, -absolute(near, xp), xp)
    above = xp.where(near >= 0, 1.0 + e * (1.0 + near), e * (1.0 + near + e))
    below = 1.0 + e
    return _through_root(undecay(above / (below * below), far, xp), near, xp, _SILU_ROOT)


def _mish(x: Any, xp: Any) -> Any:
    # tanh(ln(1 + eˣ)) = e(e + 2)/(e² + 2e + 2), e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = decay(near, -absolute(near, xp), xp)
    right = near >= 0
    gate = xp.where(right, 1.0 + 2.0 * e, e * (e + 2.0)) / _mish_denominator(e, right, xp)
    return undecay(xp.maximum(x, -_BEYOND) * gate, far, xp)


def _mish_derivative(x: Any, xp: Any) -> Any:
    # e(4(1 + x) + (6 + 4x)e + 4e² + e³)/(e² + 2e + 2)², e = eˣ; for x > 0 written in 1/e.
    near = xp.clip(x, -_BEYOND, _BEYOND)
    e, far = decay(near, -absolute(near, xp), xp)
    right, shifted = near >= 0, 4.0 * (1.0 + near)
    above = xp.where(
        right,
        1.0 + e * (4.0 + e * (shifted + 2.0 + e * shifted)),
        e * (shifted + e * (shifted + 2.0 + e * (4.0 + e))),
    )
    below = _mish_denominator(e, right, xp)
    return _through_root(undecay(above / (below * below), far, xp), near, xp, _MISH_ROOT)


def _mish_denominator(e: Any, right: Any, xp: Any) -> Any:
    """e² + 2e + 2 for x < 0; the same over e² for x ≥ 0, where e stands for e⁻ˣ."""
    return xp.where(right, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))


_NEAR_ROOT = (
    "Within 0.4 of the root of its derivative, x = {root}, the derivative is within {single} ulp in float32 "
    "and {double} ulp in float64, its sign always right."
)

gelu = Activation(
    name="gelu",
    title="GELU",
    formula=Formula("x*Phi(x), Phi the normal distribution function", r"x \, \Phi(x)"),
    family="gating",
    year=2016,
    source="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    value_rule=_gelu,
    derivative_rule=_gelu_derivative,
    aliases=("gaussian_error_linear",),
    notes="The exact form, with erf; JAX's default is the approximation with tanh. "
    + _NEAR_ROOT.format(root=-0.7518, single=20, double=60),
)

silu = Activation(
    name="silu",
    title="SiLU (Swish)",
    formula=Formula("x*sigmoid(x)", r"x \, \sigma(x)"),
    family="gating",
    year=2017,
    source="Elfwing, Uchibe and Doya, 2017, arXiv:1702.03118; as swish Ramachandran, 2017, arXiv:1710.05941",
    value_rule=_silu,
    derivative_rule=_silu_derivative,
    aliases=("swish", "sigmoid_linear"),
    notes=_NEAR_ROOT.format(root=-1.2785, single=7, double=14),
)

mish = Activation(
    name="mish",
    title="Mish",
    formula=Formula("x*tanh(ln(1 + exp(x)))", r"x \tanh(\ln(1 + e^x))"),
    family="gating",
    year=2019,
    source="Misra, 2019, arXiv:1908.08681",
    value_rule=_mish,
    derivative_rule=_mish_derivative,
    notes=_NEAR_ROOT.format(root=-1.1924, single=7, double=10),
)
