"""What is known exactly of a Keras model: its loss, what stands before it, what lies between its layers."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import keras
import numpy as np

from actlab.watching.keras_taps import layers_of, name_of
from actlab.watching.losses import Loss, known_loss

# In the words of PyTorch, as the rules have them.
_OPERATIONS = {
    "softmax": "SoftmaxBackward0",
    "log_softmax": "LogSoftmaxBackward0",
    "sigmoid": "SigmoidBackward0",
    "relu": "ReluBackward0",
    "tanh": "TanhBackward0",
}
_WEIGHTED = (
    *("Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
    *("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"),
)
# What a composition of stays linear in the input.
_LINEAR = (
    *("InputLayer", "Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "ZeroPadding1D"),
    *("ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "Add", "Concatenate", "RepeatVector", "Rescaling"),
)


def known_loss_of(model: Any, outputs: tuple[int, ...], y: np.ndarray) -> Loss:
    """The loss that a model with a single output was compiled with, by what it gives."""
    try:
        function: Any = keras.losses.get(model.loss)
    except (ValueError, TypeError):
        return Loss()  # One of several outputs, or a name that is decided by shapes.
    targets = keras.ops.convert_to_tensor(y)

    def evaluate(values: np.ndarray) -> float:
        found: Any = keras.ops.convert_to_numpy(function(targets, keras.ops.convert_to_tensor(values)))
        return float(np.mean(found))

    try:
        return known_loss(evaluate, outputs, y)
    except Exception:  # A loss of a user's own may take nothing but what its model gives.
        return Loss()


def before_loss(model: Any, loss: Loss, last: str, undoes: Set[str]) -> list[str]:
    """Operations from the loss to the last layer, from the loss on; "unknown" where they are not known.

    A function that Keras takes away again before a loss of logits does not stand there.
    """
    if not loss.kind or not (last or _ends_in_a_layer(model)):
        return ["unknown"]
    own = [_OPERATIONS.get(last, last)] if last and not (loss.logits and last in undoes) else []
    if loss.kind != "cross-entropy":
        return own
    if loss.logits:
        return ["LogSoftmaxBackward0", *own]
    return ["LogBackward0", *own] if last == "softmax" else own


def _ends_in_a_layer(model: Any) -> bool:
    """Whether what a model gives comes straight from a layer with weights and without a function."""
    layer = _last(model)
    return layer is not None and _is(layer, _WEIGHTED) and _is_straight(layer)


def _last(model: Any) -> Any:
    """The layer that gives the single output of a functional model; None where that is not known."""
    outputs = getattr(model, "outputs", None)
    if not outputs or len(outputs) != 1:
        return None
    operation = outputs[0]._keras_history.operation
    return _last(operation) if isinstance(operation, keras.Model) else operation


def is_linear(model: Any) -> bool:
    """Whether two layers or more follow each other with nothing but linear operations between them.

    Told of models alone that are made of Keras' own layers and nothing else; what their last layer ends in does not
    count.
    """
    last, weighted = _last(model), 0
    if last is None:
        return False
    for operation in _operations(model):
        weighted += _is(operation, _WEIGHTED)
        straight = operation is last or _is_straight(operation)
        is_function = operation is last and type(operation).__name__ in ("Activation", "Softmax", "ReLU")
        if not (straight and (_is(operation, (*_WEIGHTED, *_LINEAR)) or is_function)):
            return False
    return weighted > 1


def _operations(model: Any) -> list[Any]:
    """All operations of a functional model, those of models in it too."""
    found = []
    for operation in getattr(model, "operations", None) or model.layers:
        found += _operations(operation) if isinstance(operation, keras.Model) else [operation]
    return found


def _is(operation: Any, names: tuple[str, ...]) -> bool:
    kind = type(operation)
    return kind.__module__.startswith("keras.") and kind.__name__ in names


def _is_straight(operation: Any) -> bool:
    activation = getattr(operation, "activation", None)
    return activation is None or name_of(activation) == "linear"


def dropouts(model: Any, names: Mapping[int, str]) -> dict[str, float]:
    """Name of each layer that leaves inputs out → the share of them."""
    kinds = tuple(getattr(keras.layers, name) for name in ("Dropout", "GaussianDropout", "AlphaDropout"))
    return {
        names.get(id(layer), layer.name): float(layer.rate)
        for layer in layers_of(model)
        if isinstance(layer, (*kinds, keras.layers.SpatialDropout1D)) and isinstance(layer.rate, (int, float))
    }
