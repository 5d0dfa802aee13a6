"""Where PyTorch's own kernels are as exact as the written rules and faster: these, for plain tensors on a CPU.

Each was measured with `tests.accuracy` over the whole range, infinities included, and stays within 4 ulp. The wide
ones are exact enough only in float64, where they cost less than the written rule does in float32: they serve inputs
of float32 and of the half types, and round once. PyTorch's other kernels (gelu, silu, mish and softsign in float32,
most derivatives) are wrong in the tails or at infinities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn import functional

_aten = torch.ops.aten
# Far beyond what float32 can tell from the limit, and far from where float64 overflows.
_BEYOND = 300.0


class Kernel(NamedTuple):
    """`function(x)` at default parameters, and whether it is given float64 and is for the smaller types alone."""

    function: Callable[..., Any]
    wide: bool = False


def _nothing_but_nan(x: Any) -> Any:
    return x.clamp(-1.0, 1.0).mul_(0.0)


def _above(x: Any, bound: float) -> Any:
    """1 above the bound, else 0: comparisons written as numbers are many times quicker than `where` with masks."""
    return torch.gt(x, bound, out=torch.empty_like(x))


def _relu_derivative(x: Any) -> Any:
    return _nothing_but_nan(x).add_(_above(x, 0.0))


def _leaky_relu_derivative(x: Any) -> Any:
    return _above(x, 0.0).clamp_(min=0.01).add_(_nothing_but_nan(x))


def _hard_tanh_derivative(x: Any) -> Any:
    return (_above(x, -1.0) - _above(x, 1.0)).add_(_nothing_but_nan(x))


def _selu_derivative(x: Any) -> Any:
    left, scale = 1.7580993408473766, 1.0507009873554805
    # On the right left − (left − scale): rounded once more than the constant itself.
    return x.clamp(max=0.0).exp_().mul_(left).sub_(_above(x, 0.0).mul_(left - scale))


def _softplus(x: Any) -> Any:
    return functional.softplus(x, 1.0, 40.0)


def _elu_derivative(x: Any) -> Any:
    return x.clamp(max=0.0).exp_()


def _sigmoid_derivative(x: Any) -> Any:
    # Of −|x|, where 1 − s loses nothing.
    share = torch.sigmoid(x.abs().neg_())
    return _aten.sigmoid_backward(torch.ones_like(x), share)


def _tanh_derivative(x: Any) -> Any:
    return _sigmoid_derivative(2.0 * x).mul_(4.0)


def _silu(x: Any) -> Any:
    return functional.silu(x.clamp(min=-_BEYOND))


def _silu_derivative(x: Any) -> Any:
    return _aten.silu_backward(torch.ones_like(x), x.clamp(-_BEYOND, _BEYOND))


def _mish(x: Any) -> Any:
    # tanh(ln(1 + eˣ)) = n/(n + 2), n = eˣ(eˣ + 2)
    exponential = x.clamp(max=_BEYOND).exp_()
    above = (exponential + 2.0).mul_(exponential)
    return x.clamp(min=-_BEYOND).mul_(above).div_(above + 2.0)


def _mish_derivative(x: Any) -> Any:
    # With e = eˣ, n = e(e + 2), d = n + 2: n/d + 4x·e(e + 1)/d²
    x = x.clamp(-_BEYOND, _BEYOND)
    # From 40 on the derivative is 1, and e⁴ does not overflow.
    exponential = x.clamp(max=40.0).exp_()
    above = (exponential + 2.0).mul_(exponential)
    inverse = (above + 2.0).reciprocal_()
    slope = (exponential + 1.0).mul_(exponential).mul_(inverse).mul_(4.0).mul_(x)
    return slope.add_(above).mul_(inverse)


def _twice_normal(x: Any) -> Any:
    """2Φ(x). From −5.5 on, where that is 4e−8, 1 + erf in float64 loses nothing that float32 has, at half the cost."""
    scaled = x * math.sqrt(0.5)
    if x.numel() and x.amin() > -5.5:
        return torch.erf(scaled).add_(1.0)
    return torch.erfc(scaled.neg_())


def _gelu(x: Any) -> Any:
    x = x.clamp(min=-40.0)
    return _twice_normal(x).mul_(x).mul_(0.5)


def _gelu_derivative(x: Any) -> Any:
    x = x.clamp(-40.0, 40.0)
    density = (x * x).mul_(-0.5).exp_().mul_(x).mul_(1.0 / math.sqrt(2.0 * math.pi))
    return _twice_normal(x).mul_(0.5).add_(density)


#: (name, "value" or "derivative") → kernel.
KERNELS = {
    ("sigmoid", "value"): Kernel(torch.sigmoid),
    ("sigmoid", "derivative"): Kernel(_sigmoid_derivative, wide=True),
    ("tanh", "value"): Kernel(torch.tanh),
    ("tanh", "derivative"): Kernel(_tanh_derivative, wide=True),
    ("softplus", "value"): Kernel(_softplus),
    ("softplus", "derivative"): Kernel(torch.sigmoid),
    ("elu", "value"): Kernel(functional.elu),
    ("elu", "derivative"): Kernel(_elu_derivative),
    ("selu", "value"): Kernel(functional.selu),
    ("selu", "derivative"): Kernel(_selu_derivative),
    ("relu", "derivative"): Kernel(_relu_derivative),
    ("leaky_relu", "value"): Kernel(functional.leaky_relu),
    ("leaky_relu", "derivative"): Kernel(_leaky_relu_derivative),
    ("hard_tanh", "derivative"): Kernel(_hard_tanh_derivative),
    ("gelu", "value"): Kernel(_gelu, wide=True),
    ("gelu", "derivative"): Kernel(_gelu_derivative, wide=True),
    ("silu", "value"): Kernel(_silu, wide=True),
    ("silu", "derivative"): Kernel(_silu_derivative, wide=True),
    ("mish", "value"): Kernel(_mish, wide=True),
    ("mish", "derivative"): Kernel(_mish_derivative, wide=True),
}


def kernel(activation: Any, which: str, single: bool, constants: Mapping[str, Any]) -> Kernel | None:
    """Return PyTorch's kernel for a function of the catalogue, if there is one for these parameters.

    Args:
        activation: the function; one registered by a user under such a name is another.
        which: "value" or "derivative".
        single: whether the rule would be computed in float32.
        constants: the parameters that are plain numbers.
    """
    found = KERNELS.get((activation.name, which))
    if found is None or (found.wide and not single) or not activation.value_rule.__module__.startswith("actlab."):
        return None
    at_default = all(constants.get(parameter.name) == parameter.default for parameter in activation.parameters)
    return found if at_default else None
