"""Gated linear units on large CPU tensors: a kernel for the gate and a product, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from actlab.functions.backends.call import Call
from actlab.functions.backends.torch.blocks import apply_kernel, block_size, is_plain
from actlab.functions.backends.torch.gradients import transposed, work_type
from actlab.functions.backends.torch.kernels import KERNELS, Kernel
from actlab.functions.backends.torch.namespace import QuickNamespace, TorchNamespace

Tensor = torch.Tensor

_LINEAR = {
    "value": Kernel(lambda x, out: out.copy_(x), single=False),
    "derivative": Kernel(lambda x, gradient, out: out.copy_(gradient), single=False),
}
#: The function of the gate.
_GATES = {"glu": "sigmoid", "swiglu": "silu", "geglu": "gelu", "reglu": "relu", "bilinear": ""}


def _kernel(call: Call, which: str, x: Tensor) -> Kernel | None:
    gate = _GATES.get(call.definition.name)
    if gate is None or not call.definition.value_rule.__module__.startswith("actlab."):
        return None
    found = KERNELS.get((gate, which)) if gate else _LINEAR[which]
    return None if found is None or (found.single and x.dtype == torch.float64) else found


def takes_gate(call: Call, *tensors: Tensor) -> bool:
    """Say whether the call is that of a gated unit on plain tensors, with a kernel for its gate."""
    if call.elementwise or not is_plain(*tensors):
        return False
    return all(_kernel(call, which, tensors[0]) is not None for which in ("value", "derivative"))


def gated(call: Call, x: Tensor) -> Tensor:
    """Compute the value."""
    native = _kernel(call, "value", x)
    assert native is not None
    gate, linear = _halves(call, x)
    out = torch.empty_like(gate, memory_format=torch.contiguous_format)
    for first, second, into in _blocks(gate, linear, out):
        through = _run(native, first, None)
        result = torch.mul(through, second, out=into if into.dtype == through.dtype else None)
        # inf·0 is 0 here; where nothing is infinite nothing is NaN but what comes from NaN.
        if not math.isfinite(float(result.sum())):
            result = call.value(_joined(call, first, second), QuickNamespace(x.device), call.settings(()))
        if result is not into:
            into.copy_(result)
    return out


def pull_gated(call: Call, gradient: Tensor, x: Tensor) -> Tensor:
    """Carry the gradient of the output back to the input."""
    value, derivative = _kernel(call, "value", x), _kernel(call, "derivative", x)
    assert value is not None
    assert derivative is not None
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    gate, linear = _halves(call, x)
    by_gate, by_linear = _halves(call, out)
    for first, second, upstream, into, beside in _blocks(gate, linear, gradient, by_gate, by_linear):
        through = _run(value, first, None).mul_(upstream)
        slope = _run(derivative, first, torch.mul(second, upstream).to(through.dtype))
        # The sums find NaN, and infinities that meet 0 here or would have been taken as finite.
        if not math.isfinite(float(through.sum()) + float(slope.sum())):
            slope, through = _by_rule(call, first, second, upstream)
        into.copy_(slope)
        beside.copy_(through)
    return out


def _by_rule(call: Call, first: Tensor, second: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    x = _joined(call, first, second)
    return _halves(call, call.pull(x, gradient.to(x.dtype), TorchNamespace(x.device), call.settings(()), transposed))


def _run(native: Kernel, x: Tensor, gradient: Tensor | None) -> Tensor:
    work = x.to(work_type(x))
    out = torch.empty_like(work, memory_format=torch.contiguous_format)
    apply_kernel(native, work, gradient, out)
    return out


def _halves(call: Call, x: Tensor) -> tuple[Tensor, Tensor]:
    """The half that gates, and the other."""
    half = x.shape[call.axis] // 2
    halves = x.narrow(call.axis, 0, half), x.narrow(call.axis, half, half)
    return halves if _first_half_gates(call) else (halves[1], halves[0])


def _joined(call: Call, gate: Tensor, linear: Tensor) -> Tensor:
    halves = (gate, linear) if _first_half_gates(call) else (linear, gate)
    return torch.cat(halves, call.axis).to(work_type(gate))


def _first_half_gates(call: Call) -> bool:
    return dict(call.constants).get("gate_half", 1) == 1


def _blocks(*tensors: Tensor) -> Iterator[tuple[Any, ...]]:
    """Yield parts of tensors of one shape."""
    rows, size = tensors[0].shape[0], tensors[0].numel()
    step = max(1, block_size() * rows // max(1, size))
    for start in range(0, rows, step):
        yield tuple(tensor[start : start + step] for tensor in tensors)
