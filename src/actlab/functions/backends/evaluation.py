"""Carrying out the rules of an activation function: which library; and NumPy itself.

JAX, PyTorch and TensorFlow have a module each, `with_jax`, `with_torch` and `with_tensorflow`, imported only when an
array of theirs arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import HALF_TYPES, float_array, is_jax, is_tensorflow, is_torch
from actlab.functions.backends.call import Settings, check_shapes, rule
from actlab.functions.definition import Definition


def evaluate(activation: Definition, which: str, x: Any, axis: int, key: Any, parameters: Settings) -> Any:
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
        from actlab.functions.backends.torch.autograd import evaluate as with_torch

        return with_torch(activation, which, x, axis, key, settings)
    if any(map(is_tensorflow, arrays)):
        from actlab.functions.backends.tensorflow import evaluate as with_tensorflow

        return with_tensorflow(activation, which, x, axis, key, settings)
    if any(map(is_jax, arrays)):
        from actlab.functions.backends.jax import evaluate as with_jax

        return with_jax(activation, which, x, axis, key, settings)
    return _with_numpy(activation, which, x, axis, key, settings)


def _with_numpy(activation: Definition, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Any:
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


def _draw(activation: Definition, key: Any, x: np.ndarray) -> np.ndarray:
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


def _automatic_derivative(activation: Definition, x: Any, axis: int, settings: Settings) -> Any:
    import jax

    from actlab.functions.backends.jax import evaluate as with_jax

    with jax.enable_x64(True):
        return np.asarray(with_jax(activation, "derivative", jax.numpy.asarray(x), axis, None, settings))
