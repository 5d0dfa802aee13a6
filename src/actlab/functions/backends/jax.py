"""Activation functions on JAX arrays: compiled, with the written derivative in place of the automatic one."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from actlab.errors import InvalidFunction
from actlab.functions.arrays import float_array
from actlab.functions.backends.call import Call, Settings, check_shapes
from actlab.functions.definition import Definition


def around(function: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """What calls NumPy itself is told what to do."""
    try:
        return step(*arguments)
    except jax.errors.TracerArrayConversionError:
        raise InvalidFunction(
            f"{function} calls NumPy itself and cannot take a JAX array: write it with the namespace `xp` that it is "
            "given."
        ) from None


def array(x: Any, function: str, settings: Settings) -> Any:
    """The input as an array; numbers and lists get JAX's default type."""
    return float_array(x, jnp, function)


def widened(array: Any) -> Any:
    """A half type in float32."""
    return array.astype(jnp.float32) if array.dtype.itemsize == 2 else array


def place(value: Any, like: Any, function: str) -> Any:
    """A parameter in the type of the input."""
    return jnp.asarray(value).astype(like.dtype)


def axis(definition: Definition, array: Any, axis: int, settings: Settings) -> int:
    """The axis counted from the end, the shapes checked; lengths may be symbols."""
    return check_shapes(definition, array.shape, axis, settings)


def draw(definition: Definition, key: Any, like: Any) -> Any:
    """Noise from a random key."""
    draws: dict[Any, Callable[..., Any]] = {
        "uniform": jax.random.uniform,
        "normal": jax.random.normal,
        "gumbel": jax.random.gumbel,
    }
    try:
        return draws[definition.noise](key, like.shape, like.dtype)
    except TypeError:
        raise InvalidFunction(
            f"{definition.name}: for JAX arrays the key is a random key, as jax.random.key(0); it was given "
            f"{type(key).__name__!r}."
        ) from None


def value(call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
    """The value, compiled."""
    return _compiled_value(call)(x, *tensors)


def derivative(call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
    """The derivative, compiled."""
    return _compiled_derivative(call)(x, *tensors)


def narrowed(result: Any, array: Any, given: Any) -> Any:
    """The result in the type of the input."""
    return result.astype(array.dtype)


# Inlined, a rule leaves no call of its own inside a larger compiled program.
_compiled = functools.partial(jax.jit, inline=True)


@functools.lru_cache(maxsize=512)
def _compiled_value(call: Call) -> Callable[..., Any]:
    """Build f(x, *tensors), the constants of the call compiled in."""

    @_compiled
    def value(x: Any, *tensors: Any) -> Any:
        return call.value(x, jnp, call.settings(tensors))

    return _with_written_derivative(value, call) if call.is_written else value


@functools.lru_cache(maxsize=512)
def _compiled_derivative(call: Call) -> Callable[..., Any]:
    """Build f'(x, *tensors)."""

    @_compiled
    def derivative(x: Any, *tensors: Any) -> Any:
        if call.is_written:
            return call.derivative(x, jnp, call.settings(tensors))
        value = _compiled_value(call)
        return jax.jvp(lambda x: value(x, *tensors), (x,), (jnp.ones_like(x),))[1]

    return derivative


def _with_written_derivative(value: Callable[..., Any], call: Call) -> Callable[..., Any]:
    """Give `value(x, *tensors)` the written derivatives; a structural zero tangent costs nothing."""
    function = jax.custom_jvp(value)

    def pushed(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        x, settings = primals[0], call.settings(primals[1:])
        parts = []
        if not isinstance(tangents[0], SymbolicZero):
            parts.append(_push(call, primals, tangents[0], settings))
        for name, tangent in zip(call.names, tangents[1:], strict=True):
            if not isinstance(tangent, SymbolicZero):
                parts.append(_push_parameter(call, x, name, tangent, settings))
        result = function(*primals)
        return result, functools.reduce(operator.add, parts) if parts else jnp.zeros_like(result)

    function.defjvp(pushed, symbolic_zeros=True)
    return function


def _push(call: Call, primals: tuple[Any, ...], tangent: Any, settings: Settings) -> Any:
    if call.elementwise:
        # Read off the rule once for all places of its shape, and for the derivative itself.
        return _compiled_derivative(call)(*primals) * tangent
    return call.push(primals[0], tangent, jnp, settings)


def _push_parameter(call: Call, x: Any, name: str, tangent: Any, settings: Settings) -> Any:
    """The parameter's own derivative where it is written, else automatic differentiation of the value."""
    written = call.by_parameter(name, x, jnp, settings)
    if written is not None:
        return written * tangent
    return jax.jvp(lambda p: call.value(x, jnp, {**settings, name: p}), (settings[name],), (tangent,))[1]
