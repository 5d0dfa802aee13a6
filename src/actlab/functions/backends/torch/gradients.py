"""Gradients carried back through a function of PyTorch tensors, and the types it is computed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from actlab.functions.backends.call import Call, Settings

Tensor = torch.Tensor
HALF_TYPES = (torch.float16, torch.bfloat16)


def work_type(x: Tensor) -> torch.dtype:
    """The type x is computed in."""
    return torch.float32 if x.dtype in HALF_TYPES else x.dtype


def vjp(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, ...]]]:
    """The value of a function at x, and what carries a gradient of it back to x."""
    result, pull, *_ = torch.func.vjp(function, x)
    return result, pull


def transposed(push: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> Tensor:
    """A gradient carried back through tangent → push(tangent), which is linear."""
    return vjp(push, torch.zeros_like(x))[1](gradient)[0]


def pull_parameter(
    call: Call, name: str, gradient: Tensor, x: Tensor, tensor: Tensor, xp: Any, settings: Settings
) -> Tensor:
    """The gradient with respect to a parameter: its written derivative, or automatic differentiation of the value."""
    written = call.by_parameter(name, x, xp, settings)
    if written is not None:
        return _summed(gradient * written, tensor.shape)
    return vjp(of_parameter(call, name, x, xp, settings), tensor)[1](gradient)[0]


def of_parameter(call: Call, name: str, x: Tensor, xp: Any, settings: Settings) -> Callable[[Tensor], Tensor]:
    """The value as a function of one parameter."""
    # The sum gives a value that does not depend on the parameter the shape of one that does.
    return lambda parameter: call.value(x, xp, {**settings, name: parameter}) + 0.0 * parameter.sum()


def _summed(x: Tensor, shape: torch.Size) -> Tensor:
    """Sum over the axes along which a parameter of this shape was broadcast."""
    lead = x.ndim - len(shape)
    axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1)]
    return torch.sum(x, dim=axes, keepdim=True).reshape(shape) if axes else x.reshape(shape)
