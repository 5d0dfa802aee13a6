"""A network computed again in NumPy: outputs of its functions, predicted classes, the loss of each sample."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from actlab.layers import WEIGHTED
from actlab.network import Network, Params
from actlab.objectives import objective_for


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


class Judged(NamedTuple):
    """What outputs say of samples, (samples,) each.

    Attributes:
        loss: in float64.
        right: whether each is put into its class.
        probability: of class 1 with one output, of the true class with several.
    """

    loss: np.ndarray
    right: np.ndarray
    probability: np.ndarray


def judged(outputs: np.ndarray, labels: np.ndarray) -> Judged:
    """What the objective of classes makes of outputs (samples, outputs).

    >>> judged(np.array([[0.0], [2.0]]), np.array([0, 1])).loss.round(4).tolist()
    [0.6931, 0.1269]
    """
    objective, exact = objective_for(outputs.shape[1]), outputs.astype(float)
    assert objective.decided is not None
    assert objective.likelihood is not None
    # A diverged member has outputs that are no numbers; its points are not drawn.
    with np.errstate(all="ignore"):
        loss, likelihood = (rule(exact, labels, np, 1) for rule in (objective.loss, objective.likelihood))
        return Judged(loss, objective.decided(outputs, labels, np, 1), likelihood)


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
