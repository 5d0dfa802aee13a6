"""Numbers for the page: arrays as text, and networks as the page's script computes them again."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.layers import Act, Dense, Dropout, Flatten, Scale
from actlab.network import Network
from actlab.objectives import StatedLoss, objective_for


def packed(values: npt.ArrayLike, dtype: str = "<f4") -> str:
    """An array, row by row, as base64 of little-endian numbers; the page knows its type and shape.

    >>> packed([1.0, -2.0])
    'AACAPwAAAMA='
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")


def computable(network: Network) -> bool:
    """Whether the page can compute a network: it does fully connected layers, functions, scaling and dropout."""
    return all(isinstance(built.layer, (Dense, Act, Flatten, Scale, Dropout)) for built in network.layers)


def layers(network: Network) -> list[dict[str, Any]]:
    """The layers of a computable network in the order of `parameters`.

    Each has a kind, "dense", "act" or "scale", its name and its numbers of inputs and units; a function says which it
    is, and how many numbers each of its trainable parameters has.
    """
    found: list[dict[str, Any]] = []
    for built in network.layers:
        layer = built.layer
        shape = {
            "name": built.name,
            "inputs": int(np.prod(built.input_shape)),
            "units": int(np.prod(built.output_shape)),
        }
        if isinstance(layer, Dense):
            found.append({"kind": "dense", **shape, "bias": layer.bias})
        elif isinstance(layer, Scale):
            found.append({"kind": "scale", **shape, "factor": layer.factor})
        elif isinstance(layer, Act):
            function = layer.activation(network.activation)
            own = [int(np.prod(built.parameter_shapes[p.name])) for p in function.parameters if p.trainable]
            key = function_key(function.name, shape["inputs"], function.kind == "grouping")
            found.append(
                {"kind": "act", **shape, "function": key, "parameters": own, "grouping": function.kind == "grouping"}
            )
    return found


def function_key(name: str, units: int, grouping: bool) -> str:
    """The name under which the page has a function: one that mixes units is written for their number.

    >>> function_key("maxout", 4, True), function_key("relu", 4, False)
    ('maxout:4', 'relu')
    """
    return f"{name}:{units}" if grouping else name


def functions(networks: Sequence[Network]) -> dict[str, str]:
    """The functions of some networks in JavaScript, by `function_key`.

    Raises:
        InvalidFunction: one of them cannot be written in JavaScript.
    """
    from actlab.functions.backends.javascript import javascript

    found: dict[str, str] = {}
    for network in networks:
        for built in network.layers:
            if isinstance(built.layer, Act):
                function = built.layer.activation(network.activation)
                key = function_key(function.name, built.input_shape[-1], function.kind == "grouping")
                if key not in found:
                    found[key] = javascript(function, built.input_shape[-1])
    return found


def objectives(outputs: Iterable[int], loss: StatedLoss | None = None) -> dict[str, str]:
    """What networks of so many outputs say of a sample, in JavaScript: loss, whether it is right, likelihood.

    Of those that predict numbers, with the given loss, this alone.

    >>> objectives([1])["1"].splitlines()[0]
    '(x, p0) => {'
    """
    from actlab.functions.backends.javascript import written
    from actlab.functions.backends.tracing import trace_rule

    def judged(xp: Any, outputs: Any, target: Any) -> Any:
        objective = objective_for(outputs.shape[0])
        assert objective.decided is not None
        assert objective.likelihood is not None
        rules = (objective.loss, objective.decided, objective.likelihood)
        return xp.stack([rule(outputs, target, xp, 0) for rule in rules])

    def missed(xp: Any, outputs: Any, targets: Any) -> Any:
        return xp.stack([objective_for(outputs.shape[0], loss).loss(outputs, targets, xp, 0)])

    if loss is not None:
        return {str(count): written(trace_rule(missed, {"x": count, "y": count})) for count in outputs}
    return {str(count): written(trace_rule(judged, {"x": count, "y": None})) for count in outputs}


def parameters(network: Network, weights: Mapping[str, Mapping[str, np.ndarray]], leading: int) -> np.ndarray:
    """All numbers of a network side by side, (..., numbers): layer by layer, weights row by row, then biases.

    Args:
        network: a computable one.
        weights: {layer: {parameter: (..., *shape)}}.
        leading: how many axes come before those of the parameters.
    """
    parts = []
    for built in network.layers:
        own = weights.get(built.name, {})
        if isinstance(built.layer, Dense):
            names = ["weight", *(["bias"] if built.layer.bias else [])]
        elif isinstance(built.layer, Act):
            names = [p.name for p in built.layer.activation(network.activation).parameters if p.trainable]
        else:
            names = []
        parts += [own[name].reshape(*own[name].shape[:leading], -1) for name in names]
    return np.concatenate(parts, axis=-1)
