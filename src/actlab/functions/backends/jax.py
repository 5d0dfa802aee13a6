"""Activation functions on JAX arrays: compiled, with the written derivative in place of the automatic one."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import HALF_TYPES, float_array, is_jax
from actlab.functions.backends.call import Settings, check_shapes, rule
from actlab.functions.definition import Definition


def evaluate(activation: Definition, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Any:
    """Compute "value" or "derivative" of `x`, a JAX array or something that becomes one; see `evaluation.evaluate`."""
    import jax
    import jax.numpy as jnp

    array = float_array(x, jnp, activation.name)
    axis = check_shapes(activation, array.shape, axis, settings)
    work = array.astype(jnp.float32) if array.dtype.name in HALF_TYPES else array
    if activation.noise:
        settings = {**settings, "noise": None if key is None else _draw(activation, key, work)}
    arrays = {name: value for name, value in settings.items() if is_jax(value) or np.ndim(value)}
    traced = {name: jnp.asarray(value).astype(work.dtype) for name, value in arrays.items()}
    static = tuple((name, value) for name, value in settings.items() if name not in traced)
    function = _jax_function(activation, which, axis, static, tuple(traced))
    try:
        return function(work, *traced.values()).astype(array.dtype)
    except jax.errors.TracerArrayConversionError:
        raise InvalidFunction(
            f"{activation.name} calls NumPy itself and cannot take a JAX array: write it with the namespace "
            "`xp` that it is given."
        ) from None


def _draw(activation: Definition, key: Any, x: Any) -> Any:
    import jax

    draws: dict[str, Callable[..., Any]] = {
        "uniform": jax.random.uniform,
        "normal": jax.random.normal,
        "gumbel": jax.random.gumbel,
    }
    try:
        return draws[activation.noise or ""](key, x.shape, x.dtype)
    except TypeError:
        raise InvalidFunction(
            f"{activation.name}: for JAX arrays the key is a random key, as jax.random.key(0); it was given "
            f"{type(key).__name__!r}."
        ) from None


@functools.lru_cache(maxsize=512)
def _jax_function(
    activation: Definition, which: str, axis: int, static: tuple[tuple[str, Any], ...], names: tuple[str, ...]
) -> Callable[..., Any]:
    """Build f(x, *parameters) for JAX: `static` parameters are constants, those in `names` are arguments."""
    import jax

    def value(x: Any, *dynamic: Any) -> Any:
        settings = {**dict(static), **dict(zip(names, dynamic, strict=True))}
        return rule(activation, which)(x, jax.numpy, axis, settings)

    def slope(x: Any, *dynamic: Any) -> Any:
        push = jax.jvp(lambda x: value_function(x, *dynamic), (x,), (jax.numpy.ones_like(x),))
        return push[1]

    if activation.derivative_rule is None:
        if which == "derivative":
            value_function = _jax_function(activation, "value", axis, static, names)
            return jax.jit(slope, inline=True)
        return jax.jit(value, inline=True)
    # Inlined, the rule leaves no call of its own inside a larger compiled program.
    compiled = jax.jit(value, inline=True)
    if which == "derivative":
        return compiled
    return _with_written_derivative(compiled, activation, axis, static, names)


def _with_written_derivative(
    value: Callable[..., Any],
    activation: Definition,
    axis: int,
    static: tuple[tuple[str, Any], ...],
    names: tuple[str, ...],
) -> Callable[..., Any]:
    """Give `value(x, *parameters)` the written derivative in JAX; a structural zero tangent costs nothing."""
    import jax
    import jax.numpy as jnp
    from jax.custom_derivatives import SymbolicZero

    function = jax.custom_jvp(value)

    def pushed(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        x, dynamic = primals[0], dict(zip(names, primals[1:], strict=True))
        settings = {**dict(static), **dynamic}
        parts = []
        if not isinstance(tangents[0], SymbolicZero):
            parts.append(_push_input(activation, x, tangents[0], axis, settings))
        for name, tangent in zip(names, tangents[1:], strict=True):
            if not isinstance(tangent, SymbolicZero):
                parts.append(_push_parameter(activation, x, name, tangent, axis, settings))
        result = function(*primals)
        return result, functools.reduce(operator.add, parts) if parts else jnp.zeros_like(result)

    function.defjvp(pushed, symbolic_zeros=True)
    return function


def _push_input(activation: Definition, x: Any, tangent: Any, axis: int, settings: Settings) -> Any:
    import jax.numpy as jnp

    assert activation.derivative_rule is not None
    if activation.kind == "grouping":
        return activation.derivative_rule(x, tangent, jnp, axis, **settings)
    return activation.derivative_rule(x, jnp, **settings) * tangent


def _push_parameter(activation: Definition, x: Any, name: str, tangent: Any, axis: int, settings: Settings) -> Any:
    """The parameter's own derivative where it is written, else automatic differentiation of the value."""
    import jax
    import jax.numpy as jnp

    if name in activation.parameter_derivatives:
        return activation.parameter_derivatives[name](x, jnp, **settings) * tangent
    value = rule(activation, "value")
    return jax.jvp(lambda p: value(x, jnp, axis, {**settings, name: p}), (settings[name],), (tangent,))[1]
