"""Kinds of arrays: whose an array is, what its elements are, and the namespace that its rules are written over.

A function of the catalogue is written once, over a namespace `xp` that has NumPy's names: `numpy` or `jax.numpy`
itself, or a small adapter that gives the operations of PyTorch or TensorFlow these names. No framework is imported
here: an array of JAX can only exist once its owner has imported JAX, so it is enough to look into `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from actlab.errors import InvalidInput

#: Types whose values are computed in float32 and rounded once at the end.
HALF_TYPES = ("float16", "bfloat16")
FLOAT_TYPES = (*HALF_TYPES, "float32", "float64")
_EXPECTED = "{} takes an array of float16, bfloat16, float32 or float64, a number or a list of numbers, all real"


def is_jax(x: Any) -> bool:
    """Say whether `x` is an array of JAX; its tracers count as arrays.

    >>> is_jax(1.0)
    False
    """
    return _is_a(x, "jax", "Array")


def is_torch(x: Any) -> bool:
    """Say whether `x` is a tensor of PyTorch."""
    return _is_a(x, "torch", "Tensor")


def is_tensorflow(x: Any) -> bool:
    """Say whether `x` is a tensor or variable of TensorFlow."""
    return _is_a(x, "tensorflow", "Tensor") or _is_a(x, "tensorflow", "Variable")


def is_framework(x: Any) -> bool:
    """Say whether `x` belongs to JAX, PyTorch or TensorFlow: its values may be unknown yet, or on a device."""
    return is_jax(x) or is_torch(x) or is_tensorflow(x)


def _is_a(x: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(x, kind)


def type_name(x: Any) -> str:
    """Name of the type of an array's elements, the same in all libraries.

    >>> type_name(np.zeros(2, "float32"))
    'float32'
    """
    # Asked for once: NumPy puts the name together anew each time.
    return getattr(x.dtype, "name", None) or str(x.dtype).removeprefix("torch.")


def namespace(*arrays: Any) -> Any:
    """Give the namespace that `arrays` belong to: `jax.numpy` if one of them is JAX's, else `numpy`.

    >>> namespace([1.0, 2.0]).__name__
    'numpy'
    """
    return sys.modules["jax.numpy"] if any(is_jax(x) for x in arrays) else np


def float_array(x: Any, xp: Any, function: str) -> Any:
    """Take an input of a function as an array of float16, bfloat16, float32 or float64, in NumPy or JAX.

    Numbers and lists of them become NumPy's float64, or JAX's default float. `function` is named in the error.

    Raises:
        InvalidInput: `x` is not an array of floating-point numbers, a real number or a list of real numbers.
    """
    if not is_jax(x):
        if isinstance(x, bool) or not isinstance(x, (np.ndarray, np.generic, int, float, list, tuple)):
            raise InvalidInput(f"{_EXPECTED.format(function)}; it was given {type(x).__name__!r}.")
        was_array = isinstance(x, (np.ndarray, np.generic))
        try:
            x = np.asarray(x)
        except (ValueError, TypeError):
            raise InvalidInput(f"{_EXPECTED.format(function)}; the list it was given makes no array.") from None
        if x.dtype.kind in "iu" and not was_array:
            return xp.asarray(x, dtype=np.float64 if xp is np else xp.result_type(float))
    check_type(x, function)
    return xp.asarray(x)


def check_type(x: Any, function: str) -> None:
    """Raise InvalidInput unless the elements of an array are floating-point numbers that functions are exact for."""
    name = type_name(x)
    if name not in FLOAT_TYPES:
        way = "x.real and x.imag apart" if name.startswith("complex") else "x.astype('float32')"
        way = way.replace("astype('float32')", "float()") if is_torch(x) else way
        if is_tensorflow(x):
            is_complex = name.startswith("complex")
            way = "tf.math.real(x) and tf.math.imag(x) apart" if is_complex else "tf.cast(x, 'float32')"
        raise InvalidInput(f"{_EXPECTED.format(function)}; it was given an array of {name}: convert it, {way}.")
