"""The catalogue in Keras 3, on any of its backends: a layer, and what `activation=` of another layer takes.

Both are saved by their names: `keras.saving.load_model` needs `import actlab.keras` before it, and a function of
one's own must have been registered again.

>>> import keras
>>> import actlab.keras
>>> model = keras.Sequential([
...     keras.Input((4,)),
...     keras.layers.Dense(8, activation=actlab.keras.get("mish")),
...     keras.layers.Dense(8),
...     actlab.keras.Activation("prelu"),
... ])
>>> model.output_shape
(None, 8)
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction, MissingExtra
from actlab.functions import Activation as CatalogueActivation
from actlab.functions import Parameter, catalogue

try:
    import keras
except ImportError as error:
    if importlib.util.find_spec("keras") is None:
        raise MissingExtra('Keras is not installed: pip install "actlab[keras]"') from None
    raise MissingExtra(
        f"Keras could not be imported ({error}): install the backend that KERAS_BACKEND or ~/.keras/keras.json names, "
        "or set the environment variable KERAS_BACKEND to one that is installed; jax comes with actlab."
    ) from error

__all__ = ["Activation", "compare", "get"]  # noqa: F822  # pyright: ignore[reportUnsupportedDunderAll]

# What lies in the laboratory, far to the right of the doors, and is found here when it is first asked for.
_HOMES = {"compare": "actlab.laboratory.own_loop.in_keras"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'actlab.keras' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="actlab")
class Activation(keras.layers.Layer):
    """An activation function of the catalogue as a layer.

    Trainable parameters are weights of the layer: one for every unit along `axis`, or one for the layer. They start
    from the catalogue's values, or from those given here; weights without a starting value (a window, a small matrix)
    are drawn uniformly from ±1/√(number of weights of one unit). Stochastic functions draw in training and are
    deterministic otherwise. In mixed precision the weights stay in float32, and half types are computed in float32.

    Args:
        function: name or alias in the catalogue.
        axis: the axis of the units.
        per_unit: whether a trainable parameter has one weight per unit, where the function keeps the width.
        seed: of what a stochastic function draws, and of the weights that are drawn.
        name, dtype, trainable: as for every layer of Keras.
        **parameters: numbers.

    Raises:
        UnknownName: there is no such function.
        InvalidFunction: an unknown parameter, one outside its range, or units that do not fit the function.

    >>> layer = Activation("leaky_relu", negative_slope=0.25)
    >>> keras.ops.convert_to_numpy(layer(np.array([[-1.0, 2.0]], "float32")))
    array([[-0.25,  2.  ]], dtype=float32)
    """

    def __init__(
        self,
        function: str,
        *,
        axis: int = -1,
        per_unit: bool = True,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **parameters: float,
    ) -> None:
        activation = catalogue[function]
        parameters = _checked(activation, axis, parameters)
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.function = activation.name
        self.axis = axis
        self.per_unit = per_unit
        self.seed = seed
        self.supports_masking = True
        self._activation = activation
        # In a tuple, as Keras would wrap a dictionary.
        self._given = tuple(parameters.items())
        self._learnt: tuple[str, ...] = ()
        if activation.noise:
            self._seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        """Make the weights for an input of this shape."""
        learnt: list[str] = []
        given: dict[str, Any] = dict(self._given)
        for parameter in self._activation.parameters:
            start = given.get(parameter.name, parameter.default)
            if parameter.shape is not None and start is None:
                shape, initial = parameter.start(self._units(input_shape), self._uniform)
            elif parameter.trainable:
                shape = (self._units(input_shape),) if self._one_per_unit() else ()
                initial = keras.initializers.Constant(start)
            else:
                continue
            weight = self.add_weight(shape=shape, initializer=initial, autocast=False, name=parameter.name)
            setattr(self, f"_{parameter.name}_weight", weight)
            learnt.append(parameter.name)
        group = self._activation.inputs_per_unit(**self._settings())
        units = None if group == 1 else self._length(input_shape)
        if units is not None and units % group:
            raise InvalidFunction(
                f"{self.function} needs a multiple of {group} units along axis {self.axis}; the input's shape is "
                f"{tuple(input_shape)}."
            )
        self._learnt = tuple(learnt)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Give f(inputs); in training with noise, if the function is a stochastic one."""
        parameters = dict(self._given) | {name: self._weight(name, len(inputs.shape)) for name in self._learnt}
        activation = self._activation
        if activation.noise and training:
            activation = _with_given_noise(activation)
            parameters["noise"] = self._draw(inputs)
        return activation(inputs, axis=self.axis, **parameters)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input, but for functions that change the width."""
        group = self._activation.inputs_per_unit(**self._settings())
        units = None if group == 1 else self._length(input_shape)
        if units is None:
            return tuple(input_shape)
        shape = list(input_shape)
        shape[self.axis] = int(units / group)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from, by `from_config`."""
        own = {"function": self.function, "axis": self.axis, "per_unit": self.per_unit, "seed": self.seed}
        return {**super().get_config(), **own, **dict(self._given)}

    def _length(self, input_shape: Shape) -> int | None:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise InvalidFunction(f"{self.function}: the input's shape {tuple(input_shape)} has no axis {self.axis}.")
        return input_shape[self.axis]

    def _units(self, input_shape: Shape) -> int:
        units = self._length(input_shape)
        if units is None:
            raise InvalidFunction(
                f"{self.function} has weights for each unit: the input's shape {tuple(input_shape)} must say how many "
                f"there are along axis {self.axis}; or take per_unit=False."
            )
        return units

    def _one_per_unit(self) -> bool:
        return self.per_unit and self._activation.inputs_per_unit(**self._settings()) == 1

    def _settings(self) -> dict[str, Any]:
        """Parameters that say how wide the output is: the given ones, and stand-ins for weights without a start."""
        return self._activation.stand_ins() | dict(self._given)

    def _uniform(self, shape: Shape, root: float) -> tuple[Shape, Any]:
        return shape, keras.initializers.RandomUniform(-1 / root, 1 / root, seed=self.seed)

    def _weight(self, name: str, rank: int) -> Any:
        """A weight as an array of the backend, one per unit put along the axis of the units."""
        weight = getattr(self, f"_{name}_weight").value
        parameter = next(p for p in self._activation.parameters if p.name == name)
        after = -1 - self.axis if self.axis < 0 else rank - 1 - self.axis
        if parameter.shape is not None or not len(weight.shape) or not after:
            return weight
        return keras.ops.reshape(weight, (-1, *(1,) * after))

    def _draw(self, inputs: Any) -> Any:
        shape, dtype = keras.ops.shape(inputs), keras.backend.standardize_dtype(inputs.dtype)
        dtype = "float64" if dtype == "float64" else "float32"
        if self._activation.noise == "normal":
            return keras.random.normal(shape, dtype=dtype, seed=self._seed_generator)
        # A draw of exactly 0 would make a Gumbel variable of −inf.
        least = float(np.finfo(dtype).tiny) if self._activation.noise == "gumbel" else 0.0
        uniform: Any = keras.random.uniform(shape, least, 1.0, dtype=dtype, seed=self._seed_generator)
        return uniform if self._activation.noise == "uniform" else -_log(-_log(uniform))


@keras.saving.register_keras_serializable(package="actlab")
class Function:
    """What `get` returns: an activation function that Keras can call, save and load; equal ones compare equal."""

    def __init__(self, function: str, *, axis: int = -1, **parameters: float) -> None:
        self._activation = catalogue[function]
        self._given = _checked(self._activation, axis, parameters)
        self.axis = axis
        self.__name__ = self._activation.name
        bare = [parameter.name for parameter in self._activation.parameters if parameter.default is None]
        if any(name not in self._given for name in bare):
            raise InvalidFunction(
                f"{self.__name__} has weights without a starting value ({', '.join(bare)}): take the layer "
                f"actlab.keras.Activation({self.__name__!r}), which learns them."
            )
        if self._activation.inputs_per_unit(**self._given) != 1:
            raise InvalidFunction(
                f"{self.__name__} changes the number of units, which no layer of Keras expects of its activation: put "
                f"the layer actlab.keras.Activation({self.__name__!r}) after it."
            )

    def __call__(self, inputs: Any) -> Any:
        """Give f(inputs)."""
        if keras.backend.is_keras_tensor(inputs):
            return keras.layers.Activation(self)(inputs)
        return self._activation(inputs, axis=self.axis, **self._given)

    def get_config(self) -> dict[str, Any]:
        """What the function is made again from, by `from_config`."""
        return {"function": self.__name__, "axis": self.axis, **self._given}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Function:
        """Make the function again."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash(tuple(self.get_config().items()))

    def __repr__(self) -> str:
        return f"<actlab.keras {self.get_config()}>"


def get(function: str, *, axis: int = -1, **parameters: float) -> Function:
    """Return an activation function of the catalogue for `activation=` of any Keras layer.

    Parameters are numbers that stay as they are: trainable ones too keep their starting values, and stochastic
    functions do not draw. To learn parameters or to draw, put the layer `Activation` after the other layer; all
    else is the same network in both forms.

    Args:
        function: name or alias in the catalogue.
        axis: the axis of the units.
        **parameters: numbers.

    Raises:
        UnknownName: there is no such function.
        InvalidFunction: an unknown parameter, one outside its range, or a function that changes the number of units.

    >>> keras.layers.Dense(8, activation=get("leaky_relu", negative_slope=0.2)).activation.get_config()
    {'function': 'leaky_relu', 'axis': -1, 'negative_slope': 0.2}
    """
    return Function(function, axis=axis, **parameters)


def _checked(activation: CatalogueActivation, axis: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters as numbers, once they and the axis are known to be valid."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise InvalidFunction(f"{activation.name}: axis must be an integer; it was given {axis!r}.")
    for name, value in given.items():
        if np.ndim(value):
            raise InvalidFunction(f"{activation.name}: {name!r} is a number in Keras; it was given {value!r}.")
    settings = activation.settings({**activation.stand_ins(), **given})
    return {name: settings[name] for name in given}


def _log(x: Any) -> Any:
    return keras.ops.log(x)


@functools.lru_cache(maxsize=512)
def _with_given_noise(activation: CatalogueActivation) -> CatalogueActivation:
    """The same function with its noise as a parameter, so that Keras can be the one that draws."""
    noise = Parameter("noise", 0.0)
    no_slope = {"noise": lambda x, xp, **_: xp.zeros_like(x)}
    return dataclasses.replace(
        activation,
        noise=None,
        parameters=(*activation.parameters, noise),
        parameter_derivatives={**activation.parameter_derivatives, **no_slope},
    )
