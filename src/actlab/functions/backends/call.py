"""What all libraries share in carrying out a function: checked shapes, and one signature for rules of every kind."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.definition import Definition

Settings = Mapping[str, Any]


def check_shapes(activation: Definition, shape: tuple[int, ...], axis: int, settings: Settings) -> int:
    """Return the axis counted from the end, once the shapes of input and parameters are known to fit.

    Raises:
        InvalidFunction: a parameter that does not broadcast, an axis that is not there, or units that do not divide.
    """
    for parameter in activation.parameters:
        value = settings[parameter.name]
        if parameter.shape is None and np.ndim(value) and not _broadcasts(np.shape(value), shape):
            raise InvalidFunction(
                f"{activation.name}: parameter {parameter.name!r} of shape {tuple(np.shape(value))} does not broadcast "
                f"against the input's shape {tuple(shape)}."
            )
    if activation.kind != "grouping":
        return -1
    try:
        axis = operator.index(axis)
    except TypeError:
        raise InvalidFunction(f"{activation.name}: axis must be an integer; it was given {axis!r}.") from None
    if not -len(shape) <= axis < len(shape):
        raise InvalidFunction(f"{activation.name}: the input's shape {tuple(shape)} has no axis {axis}.")
    own = {parameter.name: settings[parameter.name] for parameter in activation.parameters}
    group, units = activation.inputs_per_unit_rule(**own), shape[axis]
    if units == 0 and group <= 1:
        raise InvalidFunction(f"{activation.name} needs units along axis {axis}; the input's shape is {tuple(shape)}.")
    if units == 0 or units % group:
        raise InvalidFunction(
            f"{activation.name} needs a multiple of {group} units along axis {axis}; the input's shape is "
            f"{tuple(shape)}."
        )
    for parameter in activation.parameters:
        _check_weights(activation, parameter, own[parameter.name], units)
    return axis if axis < 0 else axis - len(shape)


def _check_weights(activation: Definition, parameter: Any, value: Any, units: int) -> None:
    wanted = parameter.shape and parameter.shape(units)
    if wanted and tuple(np.shape(value)) != tuple(wanted):
        raise InvalidFunction(
            f"{activation.name}: the weights {parameter.name!r} for {units} units have shape {wanted}; they were given "
            f"with shape {tuple(np.shape(value))}."
        )


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    # NumPy's own function takes numbers alone, and a length may be a symbol of JAX: one that is known to be the same
    # fits, and 1 does.
    return len(shape) <= len(target) and all(
        length in (1, wanted) for length, wanted in zip(reversed(shape), reversed(target), strict=False)
    )


def rule(activation: Definition, which: str) -> Callable[[Any, Any, int, Settings], Any]:
    """Give value or derivative of any kind of function one signature: (x, xp, axis, settings)."""
    written = activation.value_rule if which == "value" else activation.derivative_rule
    assert written is not None
    if activation.kind != "grouping":
        return lambda x, xp, axis, settings: written(x, xp, **settings)
    if which == "value":
        return lambda x, xp, axis, settings: written(x, xp, axis, **settings)
    return lambda x, xp, axis, settings: _jacobian(activation, x, xp, axis, settings)


def _jacobian(activation: Definition, x: Any, xp: Any, axis: int, settings: Settings) -> Any:
    """Build the Jacobian, (..., outputs, inputs), from one directional derivative for each input."""
    push = activation.derivative_rule
    assert push is not None
    if any(np.ndim(value) for name, value in settings.items() if name != "noise"):
        return _jacobian_by_unit(activation, x, xp, axis, settings)
    noise = settings.get("noise")
    x = xp.moveaxis(x, axis, -1)
    units = x.shape[-1]
    shape = (*x.shape[:-1], units, units)
    if noise is not None:
        settings = {**settings, "noise": xp.broadcast_to(xp.moveaxis(noise, axis, -1)[..., None, :], shape)}
    tangents = xp.broadcast_to(xp.eye(units, dtype=x.dtype), shape)
    columns = push(xp.broadcast_to(x[..., None, :], shape), tangents, xp, -1, **settings)
    return xp.swapaxes(columns, -1, -2)


def _jacobian_by_unit(activation: Definition, x: Any, xp: Any, axis: int, settings: Settings) -> Any:
    """The same, one input after the other: another axis in `x` would not fit the parameters that are arrays."""
    push = activation.derivative_rule
    assert push is not None
    units = x.shape[axis]
    unit_vectors = xp.eye(units, dtype=x.dtype)
    columns = []
    for k in range(units):
        tangent = xp.broadcast_to(unit_vectors[(k, slice(None), *(None,) * (-axis - 1))], x.shape)
        columns.append(xp.moveaxis(push(x, tangent, xp, axis, **settings), axis, -1))
    return xp.stack(columns, axis=-1)
