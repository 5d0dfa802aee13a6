"""A call of a function, the same in every library: what is fixed in it, its rules under one signature, its shapes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions.definition import Definition

Settings = Mapping[str, Any]


# Not frozen: making a frozen one takes as long as a rule of a few numbers.
@dataclass(unsafe_hash=True)
class Call:
    """A function with what is fixed in one call of it; here alone the kind of a function decides how its rules look.

    Attributes:
        definition: the function.
        axis: of the units, counted from the end.
        constants: names and values of the parameters that are plain numbers, and of the noise where none is drawn.
        names: of the tensors that come with the input: parameters, and "noise" last.

    >>> from actlab.functions import catalogue
    >>> call = Call(catalogue["prelu"], -1, (), ("negative_slope",))
    >>> x = np.array([-1.0, 2.0])
    >>> call.value(x, np, call.settings([0.1])), call.slope(x, np, call.settings([0.1]))
    (array([-0.1,  2. ]), array([0.1, 1. ]))
    """

    definition: Definition
    axis: int
    constants: tuple[tuple[str, Any], ...]
    names: tuple[str, ...]

    @property
    def elementwise(self) -> bool:
        """Whether every output belongs to one input."""
        return self.definition.kind != "grouping"

    @property
    def is_written(self) -> bool:
        """Whether the derivative is written, and not left to automatic differentiation."""
        return self.definition.derivative_rule is not None

    def settings(self, tensors: Any) -> dict[str, Any]:
        """All parameters by name, and the noise where the function takes one."""
        return {**dict(self.constants), **dict(zip(self.names, tensors, strict=True))}

    def value(self, x: Any, xp: Any, settings: Settings) -> Any:
        """The value."""
        if self.elementwise:
            return self.definition.value_rule(x, xp, **settings)
        return self.definition.value_rule(x, xp, self.axis, **settings)

    def slope(self, x: Any, xp: Any, settings: Settings) -> Any:
        """The written derivative of an elementwise function."""
        assert self.definition.derivative_rule is not None
        return self.definition.derivative_rule(x, xp, **settings)

    def push(self, x: Any, tangent: Any, xp: Any, settings: Settings) -> Any:
        """The directional derivative J·tangent."""
        if self.elementwise:
            return self.slope(x, xp, settings) * tangent
        assert self.definition.derivative_rule is not None
        return self.definition.derivative_rule(x, tangent, xp, self.axis, **settings)

    def pull(self, x: Any, gradient: Any, xp: Any, settings: Settings, transposed: Callable[..., Any]) -> Any:
        """The gradient carried back, gradient·J.

        `transposed(push, x, gradient)` is used for a grouping function, whose push is linear in the tangent.
        """
        if self.elementwise:
            return self.slope(x, xp, settings) * gradient
        return transposed(lambda tangent: self.push(x, tangent, xp, settings), x, gradient)

    def derivative(self, x: Any, xp: Any, settings: Settings) -> Any:
        """The derivative of an elementwise function; the Jacobian, (..., outputs, inputs), of a grouping one."""
        if self.elementwise:
            return self.slope(x, xp, settings)
        if any(np.ndim(value) for name, value in settings.items() if name != "noise"):
            return self._jacobian_by_unit(x, xp, settings)
        noise = settings.get("noise")
        x = xp.moveaxis(x, self.axis, -1)
        units = x.shape[-1]
        shape = (*x.shape[:-1], units, units)
        if noise is not None:
            noise = xp.broadcast_to(xp.moveaxis(noise, self.axis, -1)[..., None, :], shape)
            settings = {**settings, "noise": noise}
        tangents = xp.broadcast_to(xp.eye(units, dtype=x.dtype), shape)
        last = Call(self.definition, -1, self.constants, self.names)
        columns = last.push(xp.broadcast_to(x[..., None, :], shape), tangents, xp, settings)
        return xp.swapaxes(columns, -1, -2)

    def _jacobian_by_unit(self, x: Any, xp: Any, settings: Settings) -> Any:
        """The same, one input after the other: another axis in `x` would not fit the parameters that are arrays."""
        units = x.shape[self.axis]
        unit_vectors = xp.eye(units, dtype=x.dtype)
        columns = []
        for k in range(units):
            tangent = xp.broadcast_to(unit_vectors[(k, slice(None), *(None,) * (-self.axis - 1))], x.shape)
            columns.append(xp.moveaxis(self.push(x, tangent, xp, settings), self.axis, -1))
        return xp.stack(columns, axis=-1)

    def by_parameter(self, name: str, x: Any, xp: Any, settings: Settings) -> Any:
        """The written derivative with respect to a parameter, elementwise; None where none is written."""
        written = self.definition.parameter_derivatives.get(name) if self.elementwise else None
        return None if written is None else written(x, xp, **settings)


def foreign(function: str, value: Any) -> InvalidInput:
    """The error for a value of another library than the rest."""
    return InvalidInput(f"{function}: input and parameters belong to different libraries: {type(value).__name__!r}.")


class MissingOperation(AttributeError):
    """A rule asks a namespace for an operation that it does not have."""


def check_shapes(definition: Definition, shape: tuple[int, ...], axis: int, settings: Settings) -> int:
    """Return the axis counted from the end, once the shapes of input and parameters are known to fit.

    Raises:
        InvalidFunction: a parameter that does not broadcast, an axis that is not there, or units that do not divide.
    """
    for parameter in definition.parameters:
        value = settings[parameter.name]
        if parameter.shape is None and np.ndim(value) and not _broadcasts(np.shape(value), shape):
            raise InvalidFunction(
                f"{definition.name}: parameter {parameter.name!r} of shape {tuple(np.shape(value))} does not broadcast "
                f"against the input's shape {tuple(shape)}."
            )
    if definition.kind != "grouping":
        return -1
    try:
        axis = operator.index(axis)
    except TypeError:
        raise InvalidFunction(f"{definition.name}: axis must be an integer; it was given {axis!r}.") from None
    if not -len(shape) <= axis < len(shape):
        raise InvalidFunction(f"{definition.name}: the input's shape {tuple(shape)} has no axis {axis}.")
    own = {parameter.name: settings[parameter.name] for parameter in definition.parameters}
    group, units = definition.inputs_per_unit_rule(**own), shape[axis]
    if units == 0 and group <= 1:
        raise InvalidFunction(f"{definition.name} needs units along axis {axis}; the input's shape is {tuple(shape)}.")
    if units == 0 or units % group:
        raise InvalidFunction(
            f"{definition.name} needs a multiple of {group} units along axis {axis}; the input's shape is "
            f"{tuple(shape)}."
        )
    for parameter in definition.parameters:
        _check_weights(definition, parameter, own[parameter.name], units)
    return axis if axis < 0 else axis - len(shape)


def _check_weights(definition: Definition, parameter: Any, value: Any, units: int) -> None:
    wanted = parameter.shape and parameter.shape(units)
    if wanted and tuple(np.shape(value)) != tuple(wanted):
        raise InvalidFunction(
            f"{definition.name}: the weights {parameter.name!r} for {units} units have shape {wanted}; they were given "
            f"with shape {tuple(np.shape(value))}."
        )


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    # NumPy's own function takes numbers alone, and a length may be a symbol of JAX: one that is known to be the same
    # fits, and 1 does.
    return len(shape) <= len(target) and all(
        length in (1, wanted) for length, wanted in zip(reversed(shape), reversed(target), strict=False)
    )
