"""A network computed again in NumPy: outputs of its functions, predicted classes, the loss of each sample."""

from __future__ import annotations

import math

import numpy as np

from actlab.layers import WEIGHTED
from actlab.network import Network, Params


def hidden(network: Network, params: Params, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs of every `Act` layer by name, (samples, ...), and of the network, (samples, outputs), in NumPy."""
    functions = {
        built.name: built.layer.activation(network.activation)
        for built in network.layers
        if built.name in network.act_layers
    }
    caught: dict[str, np.ndarray] = {}

    def act(pre_activation: np.ndarray, *, name: str) -> np.ndarray:
        caught[name] = functions[name](pre_activation, **params.get(name, {}))
        return caught[name]

    # A diverged member has weights that overflow here; its points are not drawn.
    with np.errstate(all="ignore"):
        logits = network.apply(params, x, act)
    return caught, logits


def predicted(logits: np.ndarray) -> np.ndarray:
    """Predicted class, (samples,): the sign of a single output, else the largest one.

    >>> predicted(np.array([[-1.0], [2.0]])).tolist()
    [0, 1]
    """
    return (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(axis=1)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """−ln of the probability of each sample's class, (samples,); with one output that is the logit of class 1.

    >>> cross_entropy(np.array([[0.0], [0.0]]), np.array([0, 1])).round(4).tolist()
    [0.6931, 0.6931]
    """
    logits = logits.astype(float)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    with np.errstate(all="ignore"):
        return np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]


def operations(network: Network) -> int:
    """Multiplications and additions that one sample takes.

    >>> from actlab.layers import Dense
    >>> from actlab.network import build
    >>> operations(build([Dense(3)], (2,)))
    12
    """
    weighted = [built for built in network.layers if isinstance(built.layer, WEIGHTED)]
    return sum(
        2 * math.prod(built.output_shape[:-1]) * math.prod(built.parameter_shapes["weight"]) for built in weighted
    )
