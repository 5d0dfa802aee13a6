"""Activation functions on TensorFlow tensors and variables, with the written derivative in place of the automatic one.

`Namespace` gives TensorFlow's operations NumPy's names, which is all that the rules of a function are written over.
Everything works eagerly and inside `tf.function`, where lengths may be unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import HALF_TYPES, check_type, float_array, is_jax, is_tensorflow, type_name
from actlab.functions.backends.bounds import Bounds
from actlab.functions.backends.call import Call, MissingOperation, Settings, check_shapes, foreign
from actlab.functions.definition import Definition


class _TensorFlow:
    """The library itself, which who has a tensor has imported."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules.get("tensorflow"), name)


tf: Any = _TensorFlow()
# NumPy's name → TensorFlow's, in tf.math; a name that is not here is the same in both.
_RENAMED = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "isinf": "is_inf",
    "isfinite": "is_finite",
    "isnan": "is_nan",
    "power": "pow",
}
# Those that take an array or several, an axis and keepdims in the same places, but no number.
_OF_TENSORS = {
    "sum": "reduce_sum",
    "mean": "reduce_mean",
    "max": "reduce_max",
    "min": "reduce_min",
    "cumsum": "cumsum",
    "concatenate": "concat",
    "stack": "stack",
    "zeros_like": "zeros_like",
    "ones_like": "ones_like",
}


def around(function: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """Without AutoGraph, which would rewrite the rules: they have no branches on tensors."""
    try:
        return tf.autograph.experimental.do_not_convert(step)(*arguments)
    except MissingOperation as error:
        raise InvalidFunction(f"{function} cannot take a TensorFlow tensor: {error}") from None


def array(x: Any, function: str, settings: Settings) -> Any:
    """The input as a tensor; numbers and lists become float32."""
    if is_jax(x):
        raise foreign(function, x)
    if is_tensorflow(x):
        check_type(x, function)
        return tf.convert_to_tensor(x)
    array = float_array(x, np, function)
    return tf.constant(array if isinstance(x, (np.ndarray, np.generic)) else array.astype(np.float32))


def widened(array: Any) -> Any:
    """A half type in float32."""
    return tf.cast(array, tf.float32) if type_name(array) in HALF_TYPES else array


def place(value: Any, like: Any, function: str) -> Any:
    """A parameter in the type of the input."""
    if is_jax(value):
        raise foreign(function, value)
    return tf.cast(tf.convert_to_tensor(value), like.dtype)


def axis(definition: Definition, array: Any, axis: int, settings: Settings) -> int:
    """The axis counted from the end; lengths that are unknown count as what the parameters have in their place."""
    if array.shape.rank is None:
        if definition.kind == "grouping":
            raise InvalidFunction(f"{definition.name}: the number of the tensor's axes must be known.")
        return -1
    stand_ins = {name: _stand_in(value) for name, value in settings.items()}
    shapes = [np.shape(value) for value in stand_ins.values()]
    lengths = tuple(array.shape)
    if None in lengths:
        units = axis % len(lengths) if definition.kind == "grouping" and isinstance(axis, int) else None
        if units is not None and lengths[units] is None:
            raise InvalidFunction(
                f"{definition.name}: the number of units along axis {axis} must be known, and is not."
            )
        lengths = tuple(
            max((shape[i] for shape in shapes if -i <= len(shape)), default=1) if length is None else length
            for i, length in enumerate(lengths, -len(lengths))
        )
    return check_shapes(definition, lengths, axis, stand_ins)


def _stand_in(value: Any) -> Any:
    """A number as it is; for an array one of the same shape, of no size and any values; unknown lengths as 1."""
    if not is_tensorflow(value):
        return value
    shape = tuple(1 if length is None else length for length in value.shape)
    return np.broadcast_to(np.float32(0), shape) if shape else 0.0


def draw(definition: Definition, key: Any, like: Any) -> Any:
    """Noise from a generator of TensorFlow."""
    if not isinstance(key, tf.random.Generator):
        raise InvalidFunction(
            f"{definition.name}: for TensorFlow tensors the key is a tensorflow.random.Generator, as "
            f"tensorflow.random.Generator.from_seed(0); it was given {type(key).__name__!r}."
        )
    if definition.noise == "normal":
        return key.normal(tf.shape(like), dtype=like.dtype)
    uniform = key.uniform(tf.shape(like), dtype=like.dtype)
    if definition.noise == "uniform":
        return uniform
    # A draw of exactly 0 would be −inf.
    smallest = float(np.finfo(like.dtype.as_numpy_dtype).tiny)
    return -tf.math.log(-tf.math.log(tf.maximum(uniform, smallest)))


def value(call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
    """The value; its gradients with respect to the input and the parameters are the written ones."""
    if not call.is_written:
        return _value(call, x, tensors)

    @tf.custom_gradient
    def function(x: Any, *tensors: Any) -> tuple[Any, Callable[..., Any]]:
        def pull(upstream: Any) -> tuple[Any, ...]:
            settings = call.settings(tensors)
            pulled = (
                None if name == "noise" else _pull_parameter(call, x, name, upstream, settings) for name in call.names
            )
            return call.pull(x, upstream, Namespace(x), settings, _transposed), *pulled

        return _value(call, x, tensors), pull

    return function(x, *tensors)


def derivative(call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
    """The derivative, automatic where none is written."""
    if call.is_written:
        return call.derivative(x, Namespace(x), call.settings(tensors))
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = _value(call, x, tensors)
    return tape.gradient(result, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def narrowed(result: Any, array: Any, given: Any) -> Any:
    """The result in the type of the input."""
    return tf.cast(result, array.dtype)


def _value(call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
    return call.value(x, Namespace(x), call.settings(tensors))


def _transposed(push: Callable[[Any], Any], x: Any, upstream: Any) -> Any:
    tangent = tf.zeros_like(x)
    with tf.GradientTape() as tape:
        tape.watch(tangent)
        pushed = push(tangent)
    return tape.gradient(pushed, tangent, output_gradients=upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _pull_parameter(call: Call, x: Any, name: str, upstream: Any, settings: Settings) -> Any:
    """The parameter's own derivative where it is written, else automatic differentiation of the value."""
    parameter, xp = settings[name], Namespace(x)
    written = call.by_parameter(name, x, xp, settings)
    if written is not None:
        full = written * upstream
        _, axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(full), s1=tf.shape(parameter))
        return tf.reshape(tf.reduce_sum(full, axes), tf.shape(parameter))
    with tf.GradientTape() as tape:
        tape.watch(parameter)
        result = call.value(x, xp, settings)
    return tape.gradient(
        result, parameter, output_gradients=upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


class Namespace(Bounds):
    """NumPy's names for TensorFlow's operations, for a function of the tensor `like`.

    Python numbers become the dtype of `like`, so that no result changes it. A length that is unknown, None in a shape
    that is asked for, is taken from `like`: the first None is its first unknown length, and so on.
    """

    pi, e, inf, nan = np.pi, np.e, np.inf, np.nan

    def __init__(self, like: Any) -> None:
        self._like = like

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _OF_TENSORS:
            return getattr(tf, _OF_TENSORS[name])
        operation = None if name.startswith("_") else getattr(tf.math, _RENAMED.get(name, name), None)
        if operation is None:
            raise MissingOperation(
                f"the namespace for TensorFlow has no {name!r}: write the function with others of NumPy's names."
            )
        return lambda *values: operation(*map(self.asarray, values))

    def is_tensor(self, x: Any) -> bool:
        """Say whether `x` is a tensor of TensorFlow."""
        return tf.is_tensor(x)

    def asarray(self, value: Any) -> Any:
        """A tensor as it is; numbers and arrays of them in the dtype of `like`."""
        if tf.is_tensor(value):
            return value
        is_mask = np.asarray(value).dtype.kind == "b"
        return tf.convert_to_tensor(value, tf.bool if is_mask else self._like.dtype)

    def where(self, condition: Any, chosen: Any, other: Any) -> Any:
        """`chosen` where the condition holds, `other` elsewhere."""
        return tf.where(self.asarray(condition), self.asarray(chosen), self.asarray(other))

    def full_like(self, x: Any, value: Any) -> Any:
        """`value` in the shape and dtype of `x`."""
        return tf.broadcast_to(tf.cast(self.asarray(value), x.dtype), tf.shape(x))

    def sort(self, x: Any, axis: int = -1) -> Any:
        """Sorted along an axis, NaN last."""
        x = self.moveaxis(x, axis, -1)
        missing = tf.math.is_nan(x)
        # TensorFlow leaves the others in disorder where one is NaN.
        ordered = tf.sort(tf.where(missing, tf.cast(np.inf, x.dtype), x))
        count = tf.reduce_sum(tf.cast(missing, tf.int32), -1, keepdims=True)
        places = tf.range(tf.shape(x)[-1])
        return self.moveaxis(tf.where(places < tf.shape(x)[-1] - count, ordered, tf.cast(np.nan, x.dtype)), -1, axis)

    def moveaxis(self, x: Any, source: int, destination: int) -> Any:
        """One axis put in another place."""
        rank = x.shape.rank
        order = [axis for axis in range(rank) if axis != source % rank]
        order.insert(destination % rank, source % rank)
        return x if order == list(range(rank)) else tf.transpose(x, order)

    def swapaxes(self, x: Any, first: int, second: int) -> Any:
        """Two axes in each other's place."""
        order = list(range(x.shape.rank))
        order[first], order[second] = order[second], order[first]
        return tf.transpose(x, order)

    def reshape(self, x: Any, shape: Any) -> Any:
        """The same elements in another shape."""
        return tf.reshape(x, self._known(shape))

    def broadcast_to(self, x: Any, shape: Any) -> Any:
        """`x` repeated to a shape."""
        return tf.broadcast_to(self.asarray(x), self._known(shape))

    def eye(self, count: int, dtype: Any = None) -> Any:
        """The identity matrix."""
        return tf.eye(count, dtype=dtype or self._like.dtype)

    def finfo(self, dtype: Any) -> Any:
        """Limits of a floating-point type."""
        return np.finfo(tf.as_dtype(dtype).as_numpy_dtype)

    def _known(self, shape: Any) -> Any:
        """A shape with its unknown lengths filled in from `like`."""
        shape = [shape] if isinstance(shape, int) else list(shape)
        if None not in shape:
            return shape
        lengths = tf.shape(self._like)
        unknown = iter([i for i, length in enumerate(self._like.shape) if length is None])
        return [lengths[next(unknown)] if length is None else length for length in shape]
