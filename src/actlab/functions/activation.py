"""What an activation function is: its value and derivative, its parameters, its formula and its source.

`Activation` is a frozen object that is called like a function. Its two rules are written over an array
namespace; this module checks the arguments, chooses the working precision, and hands JAX the written
derivative.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import FLOAT_TYPES, HALF_TYPES, float_array, is_jax

if TYPE_CHECKING:
    from actlab.functions.facts import Facts

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation function.

    Attributes:
        name: as it is written in a call.
        default: the value it has when it is not given.
        trainable: whether a network learns it; it may then be any array that broadcasts against the input.
        low, high: the valid range, both ends included.
        integer: whether it is a count. A count changes shapes, so it can be neither trained nor traced.
    """

    name: str
    default: float
    trainable: bool = False
    low: float = -math.inf
    high: float = math.inf
    integer: bool = False

    def checked(self, value: Any, function: str) -> Any:
        """Return `value` as a number, or as it is if it is an array; `function` is named in the error.

        The range is checked where the value is known without waiting for a device: numbers and NumPy arrays.
        """
        if value is self.default:
            return value
        if is_jax(value) and not self.integer and value.dtype.name in FLOAT_TYPES:
            return value
        try:
            number = np.asarray(value)
        except (TypeError, ValueError):
            raise self._error(value, function) from None
        allowed = "iu" if self.integer else "iuf"
        if number.dtype.kind not in allowed and (self.integer or number.dtype.name not in FLOAT_TYPES):
            raise self._error(value, function)
        if (self.integer and number.ndim) or not np.all((number >= self.low) & (number <= self.high)):
            raise self._error(value, function)
        if number.ndim:
            return number
        return int(number) if self.integer else float(number)

    def _error(self, value: Any, function: str) -> InvalidFunction:
        kind = "an integer" if self.integer else "a number"
        return InvalidFunction(
            f"{function}: parameter {self.name!r} must be {kind} in [{self.low:g}, {self.high:g}]; "
            f"it was given {value!r}."
        )


@dataclass(frozen=True)
class Formula:
    """A formula as plain text, for a terminal, and in LaTeX."""

    plain: str
    latex: str = ""


def _one(**_: Any) -> int:
    return 1


@dataclass(frozen=True, eq=False, repr=False)
class Activation:
    """An activation function: call it for the value; `derivative` and `facts` are what their names say.

    Attributes:
        name: name in the catalogue; `aliases` are other names of the same function, `title` is for headings.
        formula: plain and LaTeX.
        family: squashing, rectifying, gating, grouping, elementary, or a user's own word.
        year, source: when and where it was published (authors, arXiv or DOI).
        value_rule: `value(x, xp, **parameters)`, over an array namespace `xp` (NumPy's names).
        derivative_rule: `derivative(x, xp, **parameters)`; None leaves it to JAX's automatic differentiation.
        parameters: in the order of the formula.
        kind: "elementwise"; "grouping", which mixes the units along an axis; or "stochastic". The rules of a grouping
            function take that axis too: `value(x, xp, axis, **parameters)`; its `derivative(x, tangent, xp, axis,
            **parameters)` is the directional derivative J·tangent.
        parameter_derivatives: name → `derivative(x, xp, **parameters)` with respect to that parameter.
        constraint: returns a sentence if the parameters do not go together, else None.
        inputs_per_unit_rule: how many inputs make one output, from the parameters.
        notes: where it falls short of the accuracy of the others, or what its convention is.

    >>> from actlab.functions import catalogue
    >>> float(catalogue["leaky_relu"](-1.0, negative_slope=0.2))
    -0.2
    """

    name: str
    title: str
    formula: Formula
    family: str
    year: int | None
    source: str
    value_rule: Callable[..., Any]
    derivative_rule: Callable[..., Any] | None
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    kind: Literal["elementwise", "grouping", "stochastic"] = "elementwise"
    parameter_derivatives: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    constraint: Callable[..., str | None] | None = None
    inputs_per_unit_rule: Callable[..., int] = _one
    notes: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameter_derivatives", MappingProxyType(dict(self.parameter_derivatives)))

    def __repr__(self) -> str:
        return f"<activation {self.name}: {self.formula.plain}>"

    def __call__(self, x: Any, /, *, axis: int = -1, **parameters: Any) -> Any:
        """Return f(x).

        Args:
            x: NumPy or JAX array of any shape, or a number or list of numbers, taken as float64. float16 and
                bfloat16 are computed in float32.
            axis: the axis of the units; elementwise functions do not look at it.
            **parameters: numbers, or arrays that broadcast against `x`.

        Returns:
            an array of the same kind and dtype as `x` and of its shape, but for functions that change the
            width (see `inputs_per_unit`).

        Raises:
            InvalidFunction: an unknown parameter, one outside its range, or an input that is no real array.

        >>> from actlab.functions import catalogue
        >>> catalogue["relu"]([-1.0, 2.0])
        array([0., 2.])
        """
        return _evaluate(self, "value", x, axis, parameters)

    def derivative(self, x: Any, /, *, axis: int = -1, **parameters: Any) -> Any:
        """Return f'(x), like `x` in kind, dtype and shape; at a kink that of the piece on the left.

        A grouping function returns its Jacobian over the units: the shape of `x` without `axis`, then (outputs,
        inputs). A function registered without a derivative gets it from JAX, in the precision of `x`.

        >>> from actlab.functions import catalogue
        >>> catalogue["relu"].derivative([-1.0, 0.0, 2.0])
        array([0., 0., 1.])
        """
        return _evaluate(self, "derivative", x, axis, parameters)

    def inputs_per_unit(self, **parameters: Any) -> int:
        """Say how many inputs make one output: 1, but for functions that change the width.

        >>> from actlab.functions import catalogue
        >>> catalogue["maxout"].inputs_per_unit(pieces=4), catalogue["relu"].inputs_per_unit()
        (4, 1)
        """
        return self.inputs_per_unit_rule(**self.settings(parameters))

    def facts(self) -> Facts:
        """Return what is measured about the function at its default parameters; see `actlab.functions.facts`.

        >>> from actlab.functions import catalogue
        >>> catalogue["tanh"].facts().range
        (-1.0, 1.0)
        """
        from actlab.functions.facts import facts

        return facts(self)

    def settings(self, given: Settings) -> dict[str, Any]:
        """Return the value of every parameter, the defaults filled in and all of them checked.

        Raises:
            InvalidFunction: an unknown parameter, or one outside its range.
        """
        unknown = sorted(set(given) - {parameter.name for parameter in self.parameters})
        if unknown:
            known = ", ".join(parameter.name for parameter in self.parameters) or "none"
            raise InvalidFunction(f"{self.name} has no parameter {unknown[0]!r}; it has: {known}.")
        settings = {p.name: p.checked(given.get(p.name, p.default), self.name) for p in self.parameters}
        if self.constraint and not any(is_jax(value) for value in settings.values()):
            problem = self.constraint(**settings)
            if problem:
                raise InvalidFunction(f"{self.name}: {problem}.")
        return settings


def _evaluate(activation: Activation, which: str, x: Any, axis: int, parameters: Settings) -> Any:
    settings = activation.settings(parameters)
    if is_jax(x) or any(is_jax(value) for value in settings.values()):
        return _evaluate_jax(activation, which, x, axis, settings)
    return _evaluate_numpy(activation, which, x, axis, settings)


def _evaluate_numpy(activation: Activation, which: str, x: Any, axis: int, settings: Settings) -> Any:
    array = float_array(x, np, activation.name)
    axis = _check_shapes(activation, array.shape, axis, settings)
    work = array.astype(np.float32) if array.dtype.name in HALF_TYPES else array
    settings = {name: np.asarray(v, work.dtype) if np.ndim(v) else v for name, v in settings.items()}
    # Overflow to inf and underflow to 0 are the right answers far out; NumPy would warn of both.
    with np.errstate(all="ignore"):
        if which == "derivative" and activation.derivative_rule is None:
            result = _automatic_derivative(activation, work, axis, settings)
        else:
            result = _rule(activation, which)(work, np, axis, settings)
        result = np.asarray(result).astype(array.dtype, copy=result is array)
    return result if isinstance(x, np.ndarray) else result[()]


def _evaluate_jax(activation: Activation, which: str, x: Any, axis: int, settings: Settings) -> Any:
    import jax
    import jax.numpy as jnp

    array = float_array(x, jnp, activation.name)
    axis = _check_shapes(activation, array.shape, axis, settings)
    work = array.astype(jnp.float32) if array.dtype.name in HALF_TYPES else array
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


def _check_shapes(activation: Activation, shape: tuple[int, ...], axis: int, settings: Settings) -> int:
    """Return the axis counted from the end, once the shapes of input and parameters are known to fit."""
    for name, value in settings.items():
        if np.ndim(value) and not _broadcasts(np.shape(value), shape):
            raise InvalidFunction(
                f"{activation.name}: parameter {name!r} of shape {np.shape(value)} does not broadcast "
                f"against the input's shape {shape}."
            )
    if activation.kind != "grouping":
        return -1
    try:
        axis = operator.index(axis)
    except TypeError:
        raise InvalidFunction(f"{activation.name}: axis must be an integer; it was given {axis!r}.") from None
    if not -len(shape) <= axis < len(shape):
        raise InvalidFunction(f"{activation.name}: the input's shape {shape} has no axis {axis}.")
    group = activation.inputs_per_unit_rule(**settings)
    if shape[axis] == 0 or shape[axis] % group:
        raise InvalidFunction(
            f"{activation.name} needs a multiple of {group} units along axis {axis}; the input's shape is {shape}."
        )
    return axis if axis < 0 else axis - len(shape)


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def _rule(activation: Activation, which: str) -> Callable[[Any, Any, int, Settings], Any]:
    """Give value or derivative of any kind of function one signature: (x, xp, axis, settings)."""
    rule = activation.value_rule if which == "value" else activation.derivative_rule
    assert rule is not None
    if activation.kind != "grouping":
        return lambda x, xp, axis, settings: rule(x, xp, **settings)
    if which == "value":
        return lambda x, xp, axis, settings: rule(x, xp, axis, **settings)
    return lambda x, xp, axis, settings: _jacobian(rule, x, xp, axis, settings)


def _jacobian(push: Callable[..., Any], x: Any, xp: Any, axis: int, settings: Settings) -> Any:
    """Build the Jacobian, (..., outputs, inputs), from one directional derivative for each input."""
    x = xp.moveaxis(x, axis, -1)
    units = x.shape[-1]
    shape = (*x.shape[:-1], units, units)
    tangents = xp.broadcast_to(xp.eye(units, dtype=x.dtype), shape)
    columns = push(xp.broadcast_to(x[..., None, :], shape), tangents, xp, -1, **settings)
    return xp.swapaxes(columns, -1, -2)


def _automatic_derivative(activation: Activation, x: Any, axis: int, settings: Settings) -> Any:
    import jax

    with jax.enable_x64(True):
        return np.asarray(_evaluate_jax(activation, "derivative", jax.numpy.asarray(x), axis, settings))


@functools.lru_cache(maxsize=512)
def _jax_function(
    activation: Activation, which: str, axis: int, static: tuple[tuple[str, Any], ...], names: tuple[str, ...]
) -> Callable[..., Any]:
    """Build f(x, *parameters) for JAX: `static` parameters are constants, those in `names` are arguments."""
    import jax

    def value(x: Any, *dynamic: Any) -> Any:
        settings = {**dict(static), **dict(zip(names, dynamic, strict=True))}
        return _rule(activation, which)(x, jax.numpy, axis, settings)

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
    activation: Activation,
    axis: int,
    static: tuple[tuple[str, Any], ...],
    names: tuple[str, ...],
) -> Callable[..., Any]:
    """Give `value(x, *parameters)` the written derivative in JAX; a structural zero tangent costs nothing."""
    import jax
    import jax.numpy as jnp
    from jax.custom_derivatives import SymbolicZero

    function = jax.custom_jvp(value)

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
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

    function.defjvp(rule, symbolic_zeros=True)
    return function


def _push_input(activation: Activation, x: Any, tangent: Any, axis: int, settings: Settings) -> Any:
    import jax.numpy as jnp

    assert activation.derivative_rule is not None
    if activation.kind == "grouping":
        return activation.derivative_rule(x, tangent, jnp, axis, **settings)
    return activation.derivative_rule(x, jnp, **settings) * tangent


def _push_parameter(activation: Activation, x: Any, name: str, tangent: Any, axis: int, settings: Settings) -> Any:
    """The parameter's own derivative where it is written, else automatic differentiation of the value."""
    import jax
    import jax.numpy as jnp

    if name in activation.parameter_derivatives:
        return activation.parameter_derivatives[name](x, jnp, **settings) * tangent
    value = _rule(activation, "value")
    return jax.jvp(lambda p: value(x, jnp, axis, {**settings, name: p}), (settings[name],), (tangent,))[1]
