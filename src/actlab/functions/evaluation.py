"""Carrying out the rules of an activation function: which library, which precision, what fits; and NumPy itself.

JAX, PyTorch and TensorFlow have a module each, `with_jax`, `with_torch` and `with_tensorflow`, imported only when an
array of theirs arrives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import HALF_TYPES, float_array, is_jax, is_tensorflow, is_torch

if TYPE_CHECKING:
    from actlab.functions.activation import Activation

Settings = Mapping[str, Any]


def evaluate(activation: Activation, which: str, x: Any, axis: int, key: Any, parameters: Settings) -> Any:
    """Compute "value" or "derivative" in the library that `x`, the parameters or the key belong to.

    Args:
        activation: the function.
        which: "value" or "derivative".
        x, axis, key, parameters: as in `Activation.__call__`.
    """
    settings = activation.settings(parameters)
    if key is not None and activation.noise is None:
        raise InvalidFunction(f"{activation.name} draws nothing at random and takes no key.")
    arrays = (x, key, *settings.values())
    if any(map(is_torch, arrays)):
        from actlab.functions.with_torch import evaluate as with_torch

        return with_torch(activation, which, x, axis, key, settings)
    if any(map(is_tensorflow, arrays)):
        from actlab.functions.with_tensorflow import evaluate as with_tensorflow

        return with_tensorflow(activation, which, x, axis, key, settings)
    if any(map(is_jax, arrays)):
        from actlab.functions.with_jax import evaluate as with_jax

        return with_jax(activation, which, x, axis, key, settings)
    return _with_numpy(activation, which, x, axis, key, settings)


def _with_numpy(activation: Activation, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Any:
    array = float_array(x, np, activation.name)
    axis = check_shapes(activation, array.shape, axis, settings)
    work = array.astype(np.float32) if array.dtype.name in HALF_TYPES else array
    settings = {name: np.asarray(v, work.dtype) if np.ndim(v) else v for name, v in settings.items()}
    if activation.noise:
        settings["noise"] = None if key is None else _draw(activation, key, work)
    # Overflow to inf and underflow to 0 are the right answers far out; NumPy would warn of both.
    with np.errstate(all="ignore"):
        if which == "derivative" and activation.derivative_rule is None:
            result = _automatic_derivative(activation, work, axis, settings)
        else:
            result = rule(activation, which)(work, np, axis, settings)
        result = np.asarray(result).astype(array.dtype, copy=result is array)
    return result if isinstance(x, np.ndarray) else result[()]


def _draw(activation: Activation, key: Any, x: np.ndarray) -> np.ndarray:
    if not isinstance(key, np.random.Generator):
        raise InvalidFunction(
            f"{activation.name}: for NumPy arrays the key is a numpy.random.Generator, as numpy.random.default_rng(0); "
            f"it was given {type(key).__name__!r}."
        )
    draws: dict[str, Callable[..., Any]] = {
        "uniform": key.uniform,
        "normal": key.standard_normal,
        "gumbel": key.gumbel,
    }
    return draws[activation.noise or ""](size=x.shape).astype(x.dtype)


def _automatic_derivative(activation: Activation, x: Any, axis: int, settings: Settings) -> Any:
    import jax

    from actlab.functions.with_jax import evaluate as with_jax

    with jax.enable_x64(True):
        return np.asarray(with_jax(activation, "derivative", jax.numpy.asarray(x), axis, None, settings))


def check_shapes(activation: Activation, shape: tuple[int, ...], axis: int, settings: Settings) -> int:
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
    if units == 0 or units % group:
        raise InvalidFunction(
            f"{activation.name} needs a multiple of {group} units along axis {axis}; the input's shape is "
            f"{tuple(shape)}."
        )
    for parameter in activation.parameters:
        _check_weights(activation, parameter, own[parameter.name], units)
    return axis if axis < 0 else axis - len(shape)


def _check_weights(activation: Activation, parameter: Any, value: Any, units: int) -> None:
    wanted = parameter.shape and parameter.shape(units)
    if wanted and tuple(np.shape(value)) != tuple(wanted):
        raise InvalidFunction(
            f"{activation.name}: the weights {parameter.name!r} for {units} units have shape {wanted}; they were given "
            f"with shape {tuple(np.shape(value))}."
        )


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == tuple(target)
    except ValueError:
        return False


def rule(activation: Activation, which: str) -> Callable[[Any, Any, int, Settings], Any]:
    """Give value or derivative of any kind of function one signature: (x, xp, axis, settings)."""
    written = activation.value_rule if which == "value" else activation.derivative_rule
    assert written is not None
    if activation.kind != "grouping":
        return lambda x, xp, axis, settings: written(x, xp, **settings)
    if which == "value":
        return lambda x, xp, axis, settings: written(x, xp, axis, **settings)
    return lambda x, xp, axis, settings: _jacobian(activation, x, xp, axis, settings)


def _jacobian(activation: Activation, x: Any, xp: Any, axis: int, settings: Settings) -> Any:
    """Build the Jacobian, (..., outputs, inputs), from one directional derivative for each input."""
    push = activation.derivative_rule
    assert push is not None
    noise = settings.get("noise")
    x = xp.moveaxis(x, axis, -1)
    units = x.shape[-1]
    shape = (*x.shape[:-1], units, units)
    if noise is not None:
        settings = {**settings, "noise": xp.broadcast_to(xp.moveaxis(noise, axis, -1)[..., None, :], shape)}
    tangents = xp.broadcast_to(xp.eye(units, dtype=x.dtype), shape)
    columns = push(xp.broadcast_to(x[..., None, :], shape), tangents, xp, -1, **settings)
    return xp.swapaxes(columns, -1, -2)
