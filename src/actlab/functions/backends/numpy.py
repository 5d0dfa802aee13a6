"""Activation functions on NumPy arrays, and on numbers and lists of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import float_array
from actlab.functions.backends.call import Call, Settings, check_shapes
from actlab.functions.definition import Definition


def around(function: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """Without warnings: overflow to inf and underflow to 0 are the right answers far out."""
    with np.errstate(all="ignore"):
        return step(*arguments)


def array(x: Any, function: str, settings: Settings) -> np.ndarray:
    """The input as an array; numbers and lists become float64."""
    return float_array(x, np, function)


def widened(array: np.ndarray) -> np.ndarray:
    """A half type in float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def place(value: Any, like: np.ndarray, function: str) -> np.ndarray:
    """A parameter in the type of the input."""
    return np.asarray(value, like.dtype)


def axis(definition: Definition, array: np.ndarray, axis: int, settings: Settings) -> int:
    """The axis counted from the end, the shapes checked."""
    return check_shapes(definition, array.shape, axis, settings)


def draw(definition: Definition, key: Any, like: np.ndarray) -> np.ndarray:
    """Noise from a generator of NumPy."""
    if not isinstance(key, np.random.Generator):
        raise InvalidFunction(
            f"{definition.name}: for NumPy arrays the key is a numpy.random.Generator, as numpy.random.default_rng(0); "
            f"it was given {type(key).__name__!r}."
        )
    draws: dict[Any, Callable[..., Any]] = {
        "uniform": key.uniform,
        "normal": key.standard_normal,
        "gumbel": key.gumbel,
    }
    return draws[definition.noise](size=like.shape).astype(like.dtype)


def value(call: Call, x: np.ndarray, tensors: tuple[np.ndarray, ...]) -> Any:
    """The value."""
    return call.value(x, np, call.settings(tensors))


def derivative(call: Call, x: np.ndarray, tensors: tuple[np.ndarray, ...]) -> Any:
    """The derivative, from JAX where none is written."""
    if call.is_written:
        return call.derivative(x, np, call.settings(tensors))
    import jax

    from actlab.functions.backends import jax as automatic

    with jax.enable_x64(True):
        arrays = [jax.numpy.asarray(array) for array in (x, *tensors)]
        return automatic.around(call.definition.name, automatic.derivative, call, arrays[0], tuple(arrays[1:]))


def narrowed(result: Any, array: np.ndarray, given: Any) -> Any:
    """The result in the type of the input, never the input itself; a number for a number."""
    result = np.asarray(result).astype(array.dtype, copy=result is array)
    return result if isinstance(given, np.ndarray) else result[()]
