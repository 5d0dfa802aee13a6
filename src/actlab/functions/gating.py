"""Functions that multiply x by a gate between 0 and 1: GELU, SiLU, Mish."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation, Formula
from actlab.functions.arrays import (
    DENSITY_AT_ZERO,
    absolute,
    decay,
    is_single,
    normal_density,
    normal_tail,
    undecay,
)
from actlab.functions.roots import through_roots

# Beyond ±1000 every exponential here is 0 or negligible; clipping there leaves no inf·0.
_BEYOND = 1000.0


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
    return through_roots(xp.where(x >= 0, 1.0 - left, left), near, xp, "gelu")


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
    return through_roots(undecay(above / (below * below), far, xp), near, xp, "silu")


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
    return through_roots(undecay(above / (below * below), far, xp), near, xp, "mish")


def _mish_denominator(e: Any, right: Any, xp: Any) -> Any:
    """e² + 2e + 2 for x < 0; the same over e² for x ≥ 0, where e stands for e⁻ˣ."""
    return xp.where(right, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))


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
    notes="The exact form, with erf; JAX's default is the approximation with tanh.",
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
)

FUNCTIONS = (gelu, silu, mish)
