"""Where PyTorch's own kernels, or a few of its operations, serve instead of the written rules: on a CPU, plain tensors.

PyTorch's kernels are exact for some functions, and for others everywhere but in some regions. Each entry here was
measured against mpmath over the whole range, infinities included: within the table's `limit` of relative error outside
of the regions it names; there `exact`, in float64, gives the few elements that lie in them. What stands in the way of
PyTorch's kernels, in float32:

- gelu: wrong by more than 4 ulp from x = −1.4 down and 0 from −6 down; erfc is right, but that −x/√2 is rounded costs
  x²·6e−8, 1e−6 at −4, where the region begins.
- silu, mish: NaN at −inf, and too small below −87, where the exponential is no normal number.
- their derivatives beside the root, where rounding 1 leaves little of a difference, and NaN at infinities.
- sigmoid', tanh': s(1 − s) and 1 − t² are 0 in the saturated tails; with −|x| for x nothing is lost.
- gelu_tanh: 1 + tanh is rounded to 0 on the left; the logistic function of twice the argument is not.
- the kinks of relu6 and hard_tanh: the interval lacks its right end, which the next number gives back.
- relu, leaky_relu and the hard functions take NaN for a number in their derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

_aten = torch.ops.aten
_INF = math.inf
_DENSITY_AT_ZERO = 1.0 / math.sqrt(2.0 * math.pi)
_STEEP, _BEND = 2.0 * math.sqrt(2.0 / math.pi), 0.044715
# Up to here PyTorch's softplus is ln(1 + eˣ), beyond it x: 20, its default, is too early for float64.
_STRAIGHT = 40.0


class Kernel(NamedTuple):
    """A function at its default parameters.

    Attributes:
        run: `run(x, out)` writes the value; `run(x, gradient, out)` the derivative times the gradient.
        limit: largest relative error in float32; in float64 the entries are within 4 ulp.
        exact: `exact(x)` is the value or the derivative, from float64.
        left, right: where the regions at both ends begin.
        root, width: of the derivative, and how far the region reaches to either side.
        loses_nan: whether NaN has to be put back.
        single: whether it serves float32 and the half types alone.
        whole: whether it is one pass over the data, which no block makes faster.
    """

    run: Callable[..., Any]
    limit: float = 4.8e-7
    exact: Callable[[Any], Any] | None = None
    left: float = -_INF
    right: float = _INF
    root: float = 0.0
    width: float = 0.0
    loses_nan: bool = False
    single: bool = True
    whole: bool = False


def _next(bound: float, x: Any) -> float:
    """The number after `bound` in the type of x: intervals of the kernels lack their right end."""
    one = np.float32 if x.dtype == torch.float32 else np.float64
    return float(np.nextafter(one(bound), one(_INF)))


def _sigmoid_pull(x: Any, gradient: Any, out: Any) -> Any:
    share = torch.abs(x).neg_().sigmoid_()
    return _aten.sigmoid_backward.grad_input(gradient, share, grad_input=out)


def _tanh_pull(x: Any, gradient: Any, out: Any) -> Any:
    share = torch.abs(x).mul_(-2.0).sigmoid_()
    return _aten.sigmoid_backward.grad_input(gradient, share, grad_input=out).mul_(4.0)


def _tanh_slope(x: Any) -> Any:
    share = torch.sigmoid(-2.0 * x.abs())
    return 4.0 * share * (1.0 - share)


def _elu_pull(scale: float, left: float) -> Callable[..., Any]:
    return lambda x, g, out: _aten.elu_backward.grad_input(g, left, scale, 1.0, False, x, grad_input=out)


def _softplus_pull(x: Any, gradient: Any, out: Any) -> Any:
    return _aten.softplus_backward.grad_input(gradient, x, 1.0, _STRAIGHT, grad_input=out)


def _log_sigmoid_pull(x: Any, gradient: Any, out: Any) -> Any:
    # σ(−x): the derivative of softplus with beta −1.
    return _aten.softplus_backward.grad_input(gradient, x, -1.0, _STRAIGHT, grad_input=out)


def _inside_pull(low: float, high: float) -> Callable[..., Any]:
    """The gradient where low < x ≤ high, else 0."""
    return lambda x, g, out: _aten.hardtanh_backward.grad_input(g, x, low, _next(high, x), grad_input=out)


def _hard_sigmoid_pull(x: Any, gradient: Any, out: Any) -> Any:
    return _inside_pull(-3.0, 3.0)(x, gradient, out).div_(6.0)


def _hard_swish_slope(x: Any) -> Any:
    # In this form nothing is lost beside the root.
    slope = _inside_pull(-3.0, 3.0)(x, (x + 1.5).div_(3.0), torch.empty_like(x))
    return slope.add_(torch.gt(x, 3.0, out=torch.empty_like(x)))


def _hard_swish(x: Any) -> Any:
    return (x + 3.0).clamp_(0.0, 6.0).div_(6.0).mul_(x.clamp(min=-3.0))


def _gelu(x: Any, out: Any) -> Any:
    return torch.mul((x * -math.sqrt(0.5)).erfc_().mul_(0.5), x, out=out)


def _gelu_exact(x: Any) -> Any:
    x = x.clamp(min=-40.0)
    return torch.erfc(x * -math.sqrt(0.5)).mul_(0.5).mul_(x)


def _gelu_slope(x: Any) -> Any:
    # φ by the kernel of elu, whose exponential is quicker than that of `exp`, and multiplied already.
    density = _aten.elu_backward(x * _DENSITY_AT_ZERO, 1.0, 1.0, 1.0, False, (x * x).mul_(-0.5))
    return (x * -math.sqrt(0.5)).erfc_().mul_(0.5).add_(density)


def _gelu_slope_exact(x: Any) -> Any:
    x = x.clamp(-40.0, 40.0)
    density = (x * x).mul_(-0.5).exp_().mul_(x).mul_(_DENSITY_AT_ZERO)
    return torch.erfc(x * -math.sqrt(0.5)).mul_(0.5).add_(density)


def _gelu_tanh_share(x: Any) -> Any:
    return (x * x).mul_(_STEEP * _BEND).add_(_STEEP).mul_(x).sigmoid_()


def _gelu_tanh_slope(x: Any) -> Any:
    square = x * x
    inner = (square * (_STEEP * _BEND)).add_(_STEEP).mul_(x)
    steep = square.mul_(3.0 * _STEEP * _BEND).add_(_STEEP).mul_(x)
    share = torch.sigmoid(inner)
    return steep.mul_(inner.neg_().sigmoid_()).add_(1.0).mul_(share)


def _silu(x: Any) -> Any:
    return _aten.silu(x.clamp(min=-300.0))


def _silu_slope(x: Any) -> Any:
    x = x.clamp(-300.0, 300.0)
    return _aten.silu_backward(torch.ones_like(x), x)


def _mish_share(x: Any) -> Any:
    # tanh(ln(1 + eˣ)) = n/(n + 2), n = eˣ(eˣ + 2); beyond 20 it is 1.
    exponential = x.clamp(max=20.0).exp_()
    above = (exponential + 2.0).mul_(exponential)
    return above.div_(above + 2.0)


def _mish_slope(x: Any) -> Any:
    # With e = eˣ, n = e(e + 2), d = n + 2: n/d + 4x·e(e + 1)/d²
    x = x.clamp(-300.0, 20.0)
    exponential = torch.exp(x)
    above = (exponential + 2.0).mul_(exponential)
    inverse = (above + 2.0).reciprocal_()
    slope = (exponential + 1.0).mul_(exponential).mul_(inverse).mul_(4.0).mul_(x)
    return slope.add_(above).mul_(inverse)


def _times(slope: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, gradient, out: torch.mul(slope(x), gradient, out=out)


def _same(**given: Any) -> Callable[..., Kernel]:
    """A kernel that is exact in both types."""
    return lambda run, **more: Kernel(run, single=False, **{**given, **more})


_whole, _marked = _same(whole=True), _same(loses_nan=True)
_SELU_SCALE, _SELU_LEFT = 1.0507009873554805, 1.6732632423543772

#: (name, "value" or "derivative") → kernel.
KERNELS = {
    ("relu", "value"): _whole(lambda x, out: torch.clamp(x, min=0.0, out=out)),
    ("relu", "derivative"): _marked(
        lambda x, g, out: _aten.threshold_backward.grad_input(g, x, 0.0, grad_input=out),
    ),
    ("relu6", "value"): _whole(lambda x, out: torch.clamp(x, 0.0, 6.0, out=out)),
    ("relu6", "derivative"): _marked(_inside_pull(0.0, 6.0)),
    ("leaky_relu", "value"): _whole(lambda x, out: _aten.leaky_relu.out(x, 0.01, out=out)),
    ("leaky_relu", "derivative"): _marked(
        lambda x, g, out: _aten.leaky_relu_backward.grad_input(g, x, 0.01, False, grad_input=out),
    ),
    ("hard_tanh", "value"): _whole(lambda x, out: torch.clamp(x, -1.0, 1.0, out=out)),
    ("hard_tanh", "derivative"): _marked(_inside_pull(-1.0, 1.0)),
    ("hard_swish", "value"): Kernel(
        lambda x, out: _aten.hardswish.out(x, out=out), exact=_hard_swish, left=-1e30, right=1e30
    ),
    ("hard_swish", "derivative"): _marked(_times(_hard_swish_slope)),
    ("elu", "value"): _whole(lambda x, out: _aten.elu.out(x, out=out)),
    ("elu", "derivative"): _marked(_elu_pull(1.0, 1.0)),
    ("selu", "value"): _whole(lambda x, out: _aten.elu.out(x, _SELU_LEFT, _SELU_SCALE, out=out)),
    ("selu", "derivative"): _marked(_elu_pull(_SELU_SCALE, _SELU_LEFT)),
    ("celu", "value"): _whole(lambda x, out: _aten.elu.out(x, out=out)),
    ("celu", "derivative"): _marked(_elu_pull(1.0, 1.0)),
    ("softplus", "value"): _whole(lambda x, out: _aten.softplus.out(x, 1.0, _STRAIGHT, out=out)),
    ("softplus", "derivative"): _whole(_softplus_pull),
    ("log_sigmoid", "value"): _whole(lambda x, out: _aten.log_sigmoid.out(x, out=out)),
    ("log_sigmoid", "derivative"): _whole(_log_sigmoid_pull),
    ("sigmoid", "value"): _whole(lambda x, out: torch.sigmoid(x, out=out)),
    ("sigmoid", "derivative"): _same()(_sigmoid_pull),
    ("tanh", "value"): _whole(lambda x, out: torch.tanh(x, out=out)),
    ("tanh", "derivative"): Kernel(_tanh_pull, exact=_tanh_slope, left=-43.0, right=43.0),
    ("gelu", "value"): Kernel(_gelu, 1e-6, _gelu_exact, left=-4.0),
    ("gelu", "derivative"): Kernel(
        _times(_gelu_slope), 4e-6, _gelu_slope_exact, left=-4.0, right=20.0, root=-0.75179, width=0.009
    ),
    ("gelu_tanh", "value"): Kernel(
        lambda x, out: torch.mul(_gelu_tanh_share(x), x, out=out),
        1.1e-6,
        lambda x: _gelu_tanh_share(x.clamp(min=-40.0)).mul_(x.clamp(min=-40.0)),
        left=-4.0,
        right=1e12,
    ),
    ("gelu_tanh", "derivative"): Kernel(
        _times(_gelu_tanh_slope),
        3e-6,
        lambda x: _gelu_tanh_slope(x.clamp(-40.0, 40.0)),
        left=-4.0,
        right=20.0,
        root=-0.75246,
        width=0.012,
    ),
    ("silu", "value"): Kernel(lambda x, out: _aten.silu.out(x, out=out), exact=_silu, left=-87.0),
    ("silu", "derivative"): Kernel(
        lambda x, g, out: _aten.silu_backward.grad_input(g, x, grad_input=out),
        1e-6,
        _silu_slope,
        left=-87.0,
        right=87.0,
        root=-1.27846,
        width=0.05,
    ),
    ("mish", "value"): Kernel(
        lambda x, out: torch.mul(_mish_share(x), x, out=out),
        exact=lambda x: _mish_share(x).mul_(x.clamp(min=-300.0)),
        left=-87.0,
    ),
    ("mish", "derivative"): Kernel(_times(_mish_slope), 1.2e-6, _mish_slope, left=-87.0, root=-1.19243, width=0.1),
}


def kernel(activation: Any, which: str, single: bool, constants: Mapping[str, Any]) -> Kernel | None:
    """Return the kernel for a function of the catalogue, if there is one for these parameters.

    Args:
        activation: the function; one registered by a user under such a name is another.
        which: "value" or "derivative".
        single: whether the rule would be computed in float32.
        constants: the parameters that are plain numbers.
    """
    found = KERNELS.get((activation.name, which))
    if found is None or (found.single and not single) or not activation.value_rule.__module__.startswith("actlab."):
        return None
    at_default = all(constants.get(parameter.name) == parameter.default for parameter in activation.parameters)
    return found if at_default else None


def run(found: Kernel, x: Any, gradient: Any, out: Any) -> Any:
    """Write the value (gradient None), or the derivative times the gradient, of a block into `out`.

    Returns:
        numbers of one sign where the elements have to be mended, 0 elsewhere; None where nothing has to be.

    >>> x, out = torch.tensor([-11.0, 2.0]), torch.empty(2)
    >>> marks = run(KERNELS["gelu", "value"], x, None, out)
    >>> marks.tolist(), out[1]
    ([1.0, 0.0], tensor(1.9545))
    >>> mend(KERNELS["gelu", "value"], x, None, out, marks.nonzero().squeeze(1))
    >>> out
    tensor([-2.1017e-27,  1.9545e+00])
    """
    if gradient is None:
        found.run(x, out)
    else:
        found.run(x, gradient, out)
    # A sum is the quickest look at a block that is in the cache; inf lets it look again.
    if found.loses_nan and not math.isfinite(float(x.sum())):
        out.copy_(torch.where(torch.isnan(x), x, out))
    return None if found.exact is None or not x.numel() else marked(found, x)


def marked(found: Kernel, x: Any) -> Any:
    """The marks that `run` returns."""
    marks = None
    # Comparisons written as numbers are many times quicker than masks.
    if found.left > -_INF and not bool(x.amin() > found.left):
        marks = torch.le(x, found.left, out=torch.empty_like(x))
    if found.right < _INF and not bool(x.amax() < found.right):
        high = torch.ge(x, found.right, out=torch.empty_like(x))
        marks = high if marks is None else marks.add_(high)
    if found.width:
        # x within the region, where it is below 0, and 0 outside of it, in one pass.
        near = _aten.hardtanh_backward(x, x, found.root - found.width, found.root + found.width)
        marks = near if marks is None else marks.sub_(near)
    return marks


def mend(found: Kernel, x: Any, gradient: Any, out: Any, indices: Any) -> None:
    """Write the exact results at these indices of the flattened block."""
    if not len(indices):
        return
    assert found.exact is not None
    fixed = found.exact(x.reshape(-1).index_select(0, indices).double())
    if gradient is not None:
        fixed = fixed * (gradient if gradient.ndim == 0 else gradient.reshape(-1).index_select(0, indices))
    flat = out.reshape(-1)
    flat.index_copy_(0, indices, fixed.to(out.dtype))
    if flat.data_ptr() != out.data_ptr():  # what does not lie in a row was copied
        out.copy_(flat.view(out.shape))
