"""Activation functions on TensorFlow tensors and variables, with the written derivative in place of the automatic one.

`Namespace` gives TensorFlow's operations NumPy's names, which is all that the rules of a function are written over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions.arrays import HALF_TYPES, check_type, float_array, is_jax, is_tensorflow, type_name
from actlab.functions.backends.call import Settings, check_shapes, rule
from actlab.functions.definition import Definition

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


def evaluate(activation: Definition, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Any:
    """Compute "value" or "derivative" of `x`, a tensor, a variable or something that becomes a tensor.

    It works eagerly and inside `tf.function`, where lengths may be unknown; see `evaluation.evaluate`.
    """
    import tensorflow as tf

    try:
        # AutoGraph would rewrite the rules, which have no branches on tensors.
        return tf.autograph.experimental.do_not_convert(_evaluate)(activation, which, x, axis, key, settings)
    except AttributeError as error:
        if "namespace for TensorFlow" not in str(error):
            raise
        raise InvalidFunction(f"{activation.name} cannot take a TensorFlow tensor: {error}") from None


def _evaluate(activation: Definition, which: str, x: Any, axis: int, key: Any, settings: Settings) -> Any:
    import tensorflow as tf

    for value in (x, *settings.values()):
        if is_jax(value):
            raise InvalidInput(
                f"{activation.name}: input and parameters belong to different libraries: {type(value).__name__!r}."
            )
    tensor = _float_tensor(x, activation.name)
    axis = _checked_axis(activation, tensor, axis, settings)
    work = tf.cast(tensor, tf.float32) if type_name(tensor) in HALF_TYPES else tensor
    noise = {"noise": None if key is None else _draw(activation, key, work)} if activation.noise else {}
    traced = {
        name: tf.cast(tf.convert_to_tensor(value), work.dtype)
        for name, value in settings.items()
        if is_tensorflow(value) or np.ndim(value)
    }
    static = {name: value for name, value in settings.items() if name not in traced} | noise
    if which == "value" and activation.derivative_rule is not None:
        result = _with_written_derivative(activation, work, axis, static, traced)
    elif which == "derivative" and activation.derivative_rule is None:
        result = _automatic_derivative(activation, work, axis, {**static, **traced})
    else:
        result = rule(activation, which)(work, Namespace(work), axis, {**static, **traced})
    return tf.cast(result, tensor.dtype)


def _float_tensor(x: Any, function: str) -> Any:
    import tensorflow as tf

    if is_tensorflow(x):
        check_type(x, function)
        return tf.convert_to_tensor(x)
    array = float_array(x, np, function)
    return tf.constant(array if isinstance(x, (np.ndarray, np.generic)) else array.astype(np.float32))


def _checked_axis(activation: Definition, x: Any, axis: int, settings: Settings) -> int:
    """`check_shapes` where lengths may be unknown: they count as what the parameters have in their place."""
    if x.shape.rank is None:
        if activation.kind == "grouping":
            raise InvalidFunction(f"{activation.name}: the number of the tensor's axes must be known.")
        return -1
    stand_ins = {name: _stand_in(value) for name, value in settings.items()}
    shapes = [np.shape(value) for value in stand_ins.values()]
    lengths = tuple(x.shape)
    if None in lengths:
        units = axis % len(lengths) if activation.kind == "grouping" and isinstance(axis, int) else None
        if units is not None and lengths[units] is None:
            raise InvalidFunction(
                f"{activation.name}: the number of units along axis {axis} must be known, and is not."
            )
        lengths = tuple(
            max((shape[i] for shape in shapes if -i <= len(shape)), default=1) if length is None else length
            for i, length in enumerate(lengths, -len(lengths))
        )
    return check_shapes(activation, lengths, axis, stand_ins)


def _stand_in(value: Any) -> Any:
    """A number as it is; for an array one of the same shape, of no size and any values; unknown lengths as 1."""
    if not is_tensorflow(value):
        return value
    shape = tuple(1 if length is None else length for length in value.shape)
    return np.broadcast_to(np.float32(0), shape) if shape else 0.0


def _draw(activation: Definition, key: Any, x: Any) -> Any:
    import tensorflow as tf

    if not isinstance(key, tf.random.Generator):
        raise InvalidFunction(
            f"{activation.name}: for TensorFlow tensors the key is a tensorflow.random.Generator, as "
            f"tensorflow.random.Generator.from_seed(0); it was given {type(key).__name__!r}."
        )
    if activation.noise == "normal":
        return key.normal(tf.shape(x), dtype=x.dtype)
    uniform = key.uniform(tf.shape(x), dtype=x.dtype)
    if activation.noise == "uniform":
        return uniform
    # A draw of exactly 0 would be −inf.
    smallest = float(np.finfo(x.dtype.as_numpy_dtype).tiny)
    return -tf.math.log(-tf.math.log(tf.maximum(uniform, smallest)))


def _automatic_derivative(activation: Definition, x: Any, axis: int, settings: Settings) -> Any:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        result = rule(activation, "value")(x, Namespace(x), axis, settings)
    return tape.gradient(result, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _with_written_derivative(activation: Definition, x: Any, axis: int, static: Settings, traced: Settings) -> Any:
    """Compute f(x); the gradients with respect to `x` and the `traced` parameters are the written ones."""
    import tensorflow as tf

    @tf.custom_gradient
    def function(x: Any, *dynamic: Any) -> tuple[Any, Callable[..., Any]]:
        settings = {**static, **dict(zip(traced, dynamic, strict=True))}

        def pull(upstream: Any) -> tuple[Any, ...]:
            return (
                _pull_input(activation, x, upstream, axis, settings),
                *(_pull_parameter(activation, x, name, upstream, axis, settings) for name in traced),
            )

        return rule(activation, "value")(x, Namespace(x), axis, settings), pull

    return function(x, *traced.values())


def _pull_input(activation: Definition, x: Any, upstream: Any, axis: int, settings: Settings) -> Any:
    """upstream·J: for a grouping function by transposing tangent → J·tangent, which is linear."""
    import tensorflow as tf

    assert activation.derivative_rule is not None
    xp = Namespace(x)
    if activation.kind != "grouping":
        return activation.derivative_rule(x, xp, **settings) * upstream
    tangent = tf.zeros_like(x)
    with tf.GradientTape() as tape:
        tape.watch(tangent)
        pushed = activation.derivative_rule(x, tangent, xp, axis, **settings)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(pushed, tangent, output_gradients=upstream, unconnected_gradients=zero)


def _pull_parameter(activation: Definition, x: Any, name: str, upstream: Any, axis: int, settings: Settings) -> Any:
    """The parameter's own derivative where it is written, else automatic differentiation of the value."""
    import tensorflow as tf

    parameter, xp = settings[name], Namespace(x)
    if name in activation.parameter_derivatives and activation.kind != "grouping":
        full = activation.parameter_derivatives[name](x, xp, **settings) * upstream
        _, axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(full), s1=tf.shape(parameter))
        return tf.reshape(tf.reduce_sum(full, axes), tf.shape(parameter))
    with tf.GradientTape() as tape:
        tape.watch(parameter)
        result = rule(activation, "value")(x, xp, axis, settings)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(result, parameter, output_gradients=upstream, unconnected_gradients=zero)


class Namespace:
    """NumPy's names for TensorFlow's operations, for a function of the tensor `like`.

    Python numbers become the dtype of `like`, so that no result changes it. A length that is unknown, None in a shape
    that is asked for, is taken from `like`: the first None is its first unknown length, and so on.
    """

    pi, e, inf, nan = np.pi, np.e, np.inf, np.nan

    def __init__(self, like: Any) -> None:
        import tensorflow as tf

        self._tf: Any = tf
        self._like = like

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = None if name.startswith("_") else getattr(self._tf.math, _RENAMED.get(name, name), None)
        if operation is None:
            raise AttributeError(
                f"the namespace for TensorFlow has no {name!r}: write the function with others of NumPy's names."
            )
        return lambda *values: operation(*map(self.asarray, values))

    def asarray(self, value: Any) -> Any:
        """A tensor as it is; numbers and arrays of them in the dtype of `like`."""
        if self._tf.is_tensor(value):
            return value
        is_mask = np.asarray(value).dtype.kind == "b"
        return self._tf.convert_to_tensor(value, self._tf.bool if is_mask else self._like.dtype)

    def where(self, mask: Any, yes: Any, no: Any) -> Any:
        """Elements of `yes` where `mask` is true, of `no` elsewhere."""
        return self._tf.where(self.asarray(mask), self.asarray(yes), self.asarray(no))

    def maximum(self, x: Any, other: Any) -> Any:
        """The larger one; of equal ones the number passes no gradient: the slope is that of the piece on the left."""
        x, other = (x, other) if self._tf.is_tensor(x) else (other, x)
        bounded = self.where(x <= other, other, x)
        return self.where(other == other, bounded, other) if self._tf.is_tensor(other) else bounded

    def minimum(self, x: Any, other: Any) -> Any:
        """The smaller one; of equal ones a tensor passes the gradient, the first one of two."""
        x, other = (x, other) if self._tf.is_tensor(x) else (other, x)
        bounded = self.where(x > other, other, x)
        return self.where(other == other, bounded, other) if self._tf.is_tensor(other) else bounded

    def clip(self, x: Any, low: Any, high: Any) -> Any:
        """`x` between `low` and `high`; None is no bound."""
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def full_like(self, x: Any, value: Any) -> Any:
        """`value` in the shape and dtype of `x`."""
        return self._tf.broadcast_to(self._tf.cast(self.asarray(value), x.dtype), self._tf.shape(x))

    def zeros_like(self, x: Any) -> Any:
        """Zeros in the shape and dtype of `x`."""
        return self._tf.zeros_like(x)

    def ones_like(self, x: Any) -> Any:
        """Ones in the shape and dtype of `x`."""
        return self._tf.ones_like(x)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum over an axis, several or all."""
        return self._tf.reduce_sum(x, axis, keepdims)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Mean over an axis, several or all."""
        return self._tf.reduce_mean(x, axis, keepdims)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Largest element over an axis, several or all."""
        return self._tf.reduce_max(x, axis, keepdims)

    def min(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Smallest element over an axis, several or all."""
        return self._tf.reduce_min(x, axis, keepdims)

    def cumsum(self, x: Any, axis: int) -> Any:
        """Running sum along an axis."""
        return self._tf.cumsum(x, axis)

    def sort(self, x: Any, axis: int = -1) -> Any:
        """Sorted along an axis, NaN last."""
        tf = self._tf
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
        return x if order == list(range(rank)) else self._tf.transpose(x, order)

    def swapaxes(self, x: Any, first: int, second: int) -> Any:
        """Two axes in each other's place."""
        order = list(range(x.shape.rank))
        order[first], order[second] = order[second], order[first]
        return self._tf.transpose(x, order)

    def reshape(self, x: Any, shape: Any) -> Any:
        """The same elements in another shape."""
        return self._tf.reshape(x, self._known(shape))

    def broadcast_to(self, x: Any, shape: Any) -> Any:
        """`x` repeated to a shape."""
        return self._tf.broadcast_to(self.asarray(x), self._known(shape))

    def concatenate(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        """Arrays one after another along an axis."""
        return self._tf.concat(list(arrays), axis)

    def stack(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        """Arrays along an axis of their own."""
        return self._tf.stack(list(arrays), axis)

    def eye(self, count: int, dtype: Any = None) -> Any:
        """The identity matrix."""
        return self._tf.eye(count, dtype=dtype or self._like.dtype)

    def finfo(self, dtype: Any) -> Any:
        """Limits of a floating-point type."""
        return np.finfo(self._tf.as_dtype(dtype).as_numpy_dtype)

    def _known(self, shape: Any) -> Any:
        """A shape with its unknown lengths filled in from `like`."""
        shape = [shape] if isinstance(shape, int) else list(shape)
        if None not in shape:
            return shape
        lengths = self._tf.shape(self._like)
        unknown = iter([i for i, length in enumerate(self._like.shape) if length is None])
        return [lengths[next(unknown)] if length is None else length for length in shape]
