"""Carrying out a call of a function: the steps that all libraries share, and which library takes it.

A library is a module that offers what `Backend` says, and a line in `_BACKENDS`. It is imported when the first array
of its own arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import is_jax, is_tensorflow, is_torch
from actlab.functions.backends import numpy
from actlab.functions.backends.call import Call, Settings
from actlab.functions.definition import Definition


class Backend(Protocol):
    """What a module offers to carry out calls in one library.

    Attributes:
        around: `around(function, step)` does step() in the state that the library has to be in.
        array: the input as an array of floating-point numbers; `InvalidInput` where it is none.
        widened: a half type in float32, others as they are.
        place: a parameter as an array like the input, in the type that it is computed in.
        axis: that of the units, counted from the end, the shapes checked as far as they are known.
        draw: noise in the shape of the input, from a key.
        value: that of a call for an input and its tensors, carrying the written derivatives.
        derivative: the same, automatic where none is written.
        narrowed: a result in the type of the array, and as a number where one was given.
    """

    around: Callable[..., Any]
    array: Callable[[Any, str, Settings], Any]
    widened: Callable[[Any], Any]
    place: Callable[[Any, Any, str], Any]
    axis: Callable[[Definition, Any, int, Settings], int]
    draw: Callable[[Definition, Any, Any], Any]
    value: Callable[[Call, Any, tuple[Any, ...]], Any]
    derivative: Callable[[Call, Any, tuple[Any, ...]], Any]
    narrowed: Callable[[Any, Any, Any], Any]


def evaluate(definition: Definition, which: str, x: Any, axis: int, key: Any, parameters: Settings) -> Any:
    """Compute "value" or "derivative" in the library that `x`, the parameters or the key belong to.

    Args:
        definition: the function.
        which: "value" or "derivative".
        x, axis, key, parameters: as in `Activation.__call__`.
    """
    settings = definition.settings(parameters)
    if key is not None and definition.noise is None:
        raise InvalidFunction(f"{definition.name} draws nothing at random and takes no key.")
    arrays = (x, key, *settings.values())
    backend: Backend = numpy
    for owns, load in _BACKENDS:
        if any(map(owns, arrays)):
            backend = load()
            break

    def steps() -> Any:
        array = backend.array(x, definition.name, settings)
        work = backend.widened(array)
        noise = None if key is None else backend.draw(definition, key, work)
        call, tensors = prepared(backend, definition, work, axis, noise, settings)
        compute = backend.value if which == "value" else backend.derivative
        return backend.narrowed(compute(call, work, tensors), array, x)

    return backend.around(definition.name, steps)


def prepared(
    backend: Backend, definition: Definition, x: Any, axis: int, noise: Any, settings: Settings
) -> tuple[Call, tuple[Any, ...]]:
    """Make the call for an input, and the tensors that come with it: parameters that are arrays, and the noise."""
    axis = backend.axis(definition, x, axis, settings)
    constants, tensors = {}, {}
    for name, value in settings.items():
        if isinstance(value, (int, float, np.generic)):
            constants[name] = value
        else:
            tensors[name] = backend.place(value, x, definition.name)
    if definition.noise is not None:
        (constants if noise is None else tensors)["noise"] = noise
    return Call(definition, axis, tuple(constants.items()), tuple(tensors)), tuple(tensors.values())


def _torch() -> Backend:
    import actlab.functions.backends.torch.autograd as backend

    return backend


def _tensorflow() -> Backend:
    import actlab.functions.backends.tensorflow as backend

    return backend


def _jax() -> Backend:
    import actlab.functions.backends.jax as backend

    return backend


#: Whose arrays, and the module; NumPy takes what is nobody's.
_BACKENDS: tuple[tuple[Callable[[Any], bool], Callable[[], Backend]], ...] = (
    (is_torch, _torch),
    (is_tensorflow, _tensorflow),
    (is_jax, _jax),
)
