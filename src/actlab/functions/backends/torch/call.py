"""A call of an activation function on PyTorch tensors: its rules, and the gradients of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from actlab.functions.backends.call import Settings
from actlab.functions.definition import Definition

Tensor = torch.Tensor
HALF_TYPES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Call:
    """A function with what is fixed in one call of it.

    Attributes:
        activation: the function.
        axis: of the units, counted from the end.
        constants: the parameters that are plain numbers.
        names: of the tensors that come with the input: parameters, and "noise" last.
    """

    activation: Definition
    axis: int
    constants: dict[str, Any]
    names: tuple[str, ...]

    def settings(self, tensors: tuple[Tensor, ...]) -> dict[str, Any]:
        """All parameters by name, and the noise where the function takes one."""
        noise = {} if self.activation.noise is None else {"noise": None}
        return {**self.constants, **noise, **dict(zip(self.names, tensors, strict=True))}

    def value(self, x: Tensor, xp: Any, settings: Settings) -> Tensor:
        """The value rule."""
        if self.activation.kind == "grouping":
            return self.activation.value_rule(x, xp, self.axis, **settings)
        return self.activation.value_rule(x, xp, **settings)

    def push(self, x: Tensor, tangent: Tensor, xp: Any, settings: Settings) -> Tensor:
        """The directional derivative of a grouping function."""
        assert self.activation.derivative_rule is not None
        return self.activation.derivative_rule(x, tangent, xp, self.axis, **settings)

    def slope(self, x: Tensor, xp: Any, settings: Settings) -> Tensor:
        """The derivative of an elementwise function, automatic where none is written."""
        if self.activation.derivative_rule is not None:
            return self.activation.derivative_rule(x, xp, **settings)
        result, pull = vjp(lambda x: self.value(x, xp, settings), x)
        return pull(torch.ones_like(result))[0]


def widened(x: Tensor) -> Tensor:
    """The input in the type it is computed in."""
    return x.float() if x.dtype in HALF_TYPES else x


def pull_parameter(
    call: Call, name: str, gradient: Tensor, x: Tensor, tensor: Tensor, xp: Any, settings: Settings
) -> Tensor:
    """The gradient with respect to a parameter: its written derivative, or automatic differentiation of the value."""
    written = call.activation.parameter_derivatives.get(name)
    if written is not None and call.activation.kind != "grouping":
        return _summed(gradient * written(x, xp, **settings), tensor.shape)
    _, pull = vjp(by_parameter(call, name, x, xp, settings), tensor)
    return pull(gradient)[0]


def by_parameter(call: Call, name: str, x: Tensor, xp: Any, settings: Settings) -> Callable[[Tensor], Tensor]:
    """The value as a function of one parameter."""
    # The sum gives a value that does not depend on the parameter the shape of one that does.
    return lambda parameter: call.value(x, xp, {**settings, name: parameter}) + 0.0 * parameter.sum()


def vjp(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, ...]]]:
    """The value of a function at x, and what carries a gradient of it back to x."""
    result, pull, *_ = torch.func.vjp(function, x)
    return result, pull


def _summed(x: Tensor, shape: torch.Size) -> Tensor:
    """Sum over the axes along which a parameter of this shape was broadcast."""
    lead = x.ndim - len(shape)
    axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1)]
    return torch.sum(x, dim=axes, keepdim=True).reshape(shape) if axes else x.reshape(shape)
