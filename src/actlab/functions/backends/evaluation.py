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
    """What a module does to carry out calls in one library."""

    def around(self, function: str, step: Callable[..., Any], *arguments: Any) -> Any:
        """Return step(*arguments), in the state that the library has to be in, its own errors said in our words."""
        ...

    def array(self, x: Any, function: str, settings: Settings) -> Any:
        """The input as an array of floating-point numbers; anything else raises `InvalidInput`."""
        ...

    def widened(self, array: Any) -> Any:
        """A half type in float32, others as they are."""
        ...

    def place(self, value: Any, like: Any, function: str) -> Any:
        """A parameter as an array of the type that `like` is computed in, and where it is."""
        ...

    def axis(self, definition: Definition, array: Any, axis: int, settings: Settings) -> int:
        """The axis counted from the end, the shapes checked as far as they are known."""
        ...

    def draw(self, definition: Definition, key: Any, like: Any) -> Any:
        """Noise in the shape of `like`."""
        ...

    def value(self, call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
        """The value, which carries the written derivatives where the library differentiates."""
        ...

    def derivative(self, call: Call, x: Any, tensors: tuple[Any, ...]) -> Any:
        """The derivative, automatic where none is written."""
        ...

    def narrowed(self, result: Any, array: Any, given: Any) -> Any:
        """The result in the type of `array`, and for NumPy a number for a number that was `given`."""
        ...


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
