"""One pass of a Keras model over a probe batch: forward and back, and the numbers of it, without moving anything.

It runs as in training, under a scope of Keras' that keeps what layers would store, as statistics of batch
normalisation and seeds, away from the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from actlab.watching.keras_backend import backend_of
from actlab.watching.keras_taps import Taps, elementwise_functions, named_layers
from actlab.watching.looks import FunctionLook
from actlab.watching.values import (
    MOST_COUNTED,
    MOST_MEASURED,
    MOST_VALUES,
    MOST_WEIGHTS,
    Call,
    WeightBefore,
    function_look,
    is_matrix,
    sample_stride,
    value_stride,
)


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass gave.

    Attributes:
        loss: with all that layers add to it.
        penalty: what layers and regularisers add.
        functions: as of a look.
        weights: matrices before the step.
        outputs: shape of what the model gives; None where it gives several.
        last: the function that gave the model's output; "" where none did.
        without_gradient: names of trained parameters that nothing leads to from the loss.
        unseen: name → reason.
        ran: names of the layers that ran.
    """

    loss: float
    penalty: float
    functions: tuple[FunctionLook, ...]
    weights: tuple[WeightBefore, ...]
    outputs: tuple[int, ...] | None
    last: str
    without_gradient: tuple[str, ...]
    unseen: Mapping[str, str]
    ran: frozenset[str]


class Pass:
    """A pass, compiled where the backend compiles."""

    def __init__(self, model: keras.Model, chosen: Callable[[str], bool]) -> None:
        self._chosen = chosen
        self._names = named_layers(model)
        self._elementwise = elementwise_functions(model)
        self._model = model
        self.backend = backend_of(keras.backend.backend())
        self._trained = list(model.trainable_variables)
        self._other = list(model.non_trainable_variables)
        self.parameters = parameter_names(model, self._names)
        self._matrix = [is_matrix(self.parameters[id(own)], own.shape) for own in self._trained]
        self._taps: Taps | None = None
        self._last, self._outputs = "", None
        eager = bool(getattr(model, "run_eagerly", False))
        self._run = self.backend.compiled(self._forward, self._reduced, eager=eager)

    def __call__(self, x: Any, y: Any) -> Passed:
        """Look at the model as it is now."""
        tensors: Any = keras.tree.map_structure(keras.ops.convert_to_tensor, (x, y))
        found = self._run([own.value for own in self._trained], [own.value for own in self._other], *tensors)
        taps = self._taps
        assert taps is not None
        numbers: Any = keras.tree.map_structure(_numpy, found)
        calls: dict[tuple[str, str], list[Call]] = {}
        for tapped, own in zip(taps.calls, numbers["calls"], strict=True):
            calls.setdefault((tapped.name, tapped.function), []).append(_call(own, tapped.axis))
        weights = [
            _weight(name, own)
            for name, own in zip(self._matrices(), numbers["weights"], strict=True)
        ]  # fmt: skip
        return Passed(
            float(numbers["loss"]),
            float(numbers["penalty"]),
            tuple(function_look(*key, own) for key, own in calls.items()),
            tuple(weights),
            self._outputs,
            self._last,
            tuple(self._without(numbers["reached"])),
            taps.unseen,
            frozenset(taps.ran),
        )

    def samples(self) -> list[np.ndarray]:
        """Some weights of each matrix, as they are now."""
        return [_numpy(_some_values(own.value, MOST_WEIGHTS)) for own in self.matrices()]

    def matrices(self) -> list[Any]:
        """The variables that are matrices of weights."""
        return [own for own, is_one in zip(self._trained, self._matrix, strict=True) if is_one]

    def _matrices(self) -> list[str]:
        return [matrix_name(self.parameters[id(own)]) for own in self.matrices()]

    def _without(self, reached: list[Any]) -> list[str]:
        """Names of parameters without a gradient: on JAX zeros, of which the graph tells whether they are such."""
        names = [self.parameters[id(own)] for own in self._trained]
        told = self.backend.connected
        if told is not None:
            return [name for name, own, some in zip(names, told, reached, strict=True) if not own and not some]
        return [name for name, some in zip(names, reached, strict=True) if some is None]

    def _forward(self, backend: Any, trained: list[Any], other: list[Any], x: Any, y: Any) -> Any:
        """The model and its loss; the variables have the values that are given."""
        taps = self._taps = Taps(self._names, self._chosen, backend, self._elementwise)
        model = self._model
        pairs = [*zip(self._trained, trained, strict=True), *zip(self._other, other, strict=True)]
        with keras.StatelessScope(state_mapping=pairs, collect_losses=True):
            with taps.attached(model):
                outputs = model(x, training=True)
            total = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=None, training=True)
            added = model.losses
            penalty = sum(added[1:], added[0]) if added else keras.ops.zeros(())
        flat: Any = keras.tree.flatten(outputs)
        self._outputs = tuple(flat[0].shape) if len(flat) == 1 else None
        self._last = taps.made.get(id(flat[0]), "") if len(flat) == 1 else ""
        rest = {"penalty": penalty, "calls": [(own.z, own.a, own.slope) for own in taps.calls]}
        taps.kept.clear()
        return total, rest, [tensor for own in taps.calls for tensor in (own.z, own.a)]

    def _reduced(self, losses: Any, trained: list[Any], by_trained: list[Any], by_tensors: list[Any]) -> Any:
        """What is taken out of the compiled pass: few numbers and samples."""
        total, rest = losses
        calls = []
        for number, (z, a, slope) in enumerate(rest["calls"]):
            by_z, by_a = by_tensors[2 * number : 2 * number + 2]
            calls.append(
                {
                    "z": _some_samples(z, MOST_MEASURED),
                    "a": _some_samples(a, MOST_MEASURED),
                    "slope": _some_samples(slope, MOST_VALUES),
                    "z_norm": _norm(by_z),
                    "a_norm": _norm(by_a),
                    "gradient": _some_values(by_a, MOST_COUNTED),
                }
            )
        weights = [
            {
                "sample": _some_values(own, MOST_WEIGHTS),
                "norm": _norm(own),
                "gradient_norm": _norm(by),
                "zero_share": None if by is None else keras.ops.mean(keras.ops.cast(by == 0, "float32")),
                "gradient": _some_values(by, MOST_COUNTED),
            }
            for own, by, is_one in zip(trained, by_trained, self._matrix, strict=True)
            if is_one
        ]
        reached = [None if by is None else keras.ops.any(by != 0) for by in by_trained]
        return {"loss": total, "penalty": rest["penalty"], "calls": calls, "weights": weights, "reached": reached}


def parameter_names(model: keras.Model, names: Mapping[int, str]) -> dict[int, str]:
    """Id of each variable of a model → "block.dense.kernel"."""
    found: dict[int, str] = {}
    for layer in [model, *model._flatten_layers(include_self=False)]:
        prefix = names.get(id(layer), "")
        own = {id(variable): variable for variable in [*layer._trainable_variables, *layer._non_trainable_variables]}
        for key, variable in own.items():
            found.setdefault(key, f"{prefix}.{variable.name}".lstrip("."))
    for variable in model.variables:
        found.setdefault(id(variable), variable.path.replace("/", "."))
    return found


def matrix_name(parameter: str) -> str:
    """What a matrix of weights is called: by its layer alone.

    >>> matrix_name("block.dense.kernel"), matrix_name("block.attention.query.bias")
    ('block.dense', 'block.attention.query.bias')
    """
    return parameter.removesuffix(".kernel").removesuffix(".embeddings")


def _numpy(value: Any) -> Any:
    return None if value is None else np.asarray(keras.ops.convert_to_numpy(value))


def _float(value: Any) -> Any:
    return keras.ops.cast(value, "float32")


def _some_samples(values: Any, most: int) -> Any:
    return _float(values[:: sample_stride([int(size) for size in values.shape], most)])


def _some_values(values: Any, most: int) -> Any:
    if values is None:
        return None
    shape = [int(size) for size in values.shape]
    flat: Any = keras.ops.reshape(values, (-1,))
    return _float(flat[:: value_stride(shape, most)])


def _norm(values: Any) -> Any:
    return None if values is None else keras.ops.sqrt(keras.ops.sum(keras.ops.square(_float(values))))


def _or_nan(value: Any) -> float:
    return math.nan if value is None else float(value)


def _or_none(values: Any) -> np.ndarray:
    return np.zeros(0) if values is None else values


def _call(own: Mapping[str, Any], axis: int) -> Call:
    gradients = _or_nan(own["a_norm"]), _or_nan(own["z_norm"]), _or_none(own["gradient"])
    return Call(own["z"], own["a"], own["slope"], axis, *gradients)


def _weight(name: str, own: Mapping[str, Any]) -> WeightBefore:
    gradient = _or_nan(own["gradient_norm"]), _or_nan(own["zero_share"]), _or_none(own["gradient"])
    return WeightBefore(name, own["sample"], float(own["norm"]), *gradient)
