"""A deep linear network is one matrix: multiplied out, and held against the network itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.errors import InvalidNetwork, InvalidRecording
from actlab.network import Network, Params
from actlab.objectives import objective_for
from actlab.recording import Recording
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported

# A chain of matrices may hold these layers; at evaluation dropout does nothing.
CHAIN = {"dense", "flatten", "dropout", "act"}


@dataclass(frozen=True)
class Collapse:
    """How far the predictions of networks are from those of one matrix each.

    Attributes:
        layers: how many matrices were multiplied.
        shape: of their product, (inputs, outputs).
        epoch: after which.
        members, samples: over how many.
        probability: the largest difference in the probability of a class; NaN where a logit is not finite.
        logit: the largest difference of logits, relative to the largest logit of the network.
    """

    layers: int
    shape: tuple[int, int]
    epoch: int
    members: int
    samples: int
    probability: float
    logit: float


def collapse(recording: Recording, entry: Reported) -> Collapse | None:
    """Multiply the matrices of each member into one and compare what both predict for the recorded samples.

    None where the network is no chain of two or more dense layers with nothing but linear functions between them,
    and where the weights of a trained network or the samples were not kept.
    """
    epoch = max(recording.weight_epochs, default=0)
    members = [m for m in entry.members if m.diverged_epoch is None]
    try:
        network = recording.network(entry.activation)
    except (InvalidRecording, InvalidNetwork):  # A user's own function or network, which is not at hand here.
        return None
    if epoch < 1 or not recording.sample or not members or not _is_linear_chain(network):
        return None
    x = recording.sample["x"]
    rows = x.reshape(len(x), -1).astype(float)
    apart = []
    matrix = np.empty((0, 0))
    for member in members:
        params = recording.weights(member, epoch)
        matrix, bias = product(network, params)
        layered, single = np.asarray(network.apply(params, x), dtype=float), rows @ matrix + bias
        # Infinite logits would still give probabilities of 0 and 1, and differences without a meaning.
        known = np.isfinite(layered).all()
        likely = objective_for(layered.shape[1], recording.study.loss).probability
        probability = np.abs(likely(layered, np, 1) - likely(single, np, 1)).max() if known else np.nan
        apart.append((probability, np.abs(layered - single).max() / np.abs(layered).max()))
    probability, logit = np.max(apart, axis=0).tolist()
    shape = (matrix.shape[0], matrix.shape[1])
    return Collapse(len(network.weight_layers), shape, epoch, len(members), len(x), probability, logit)


def _is_linear_chain(network: Any) -> bool:
    if not isinstance(network, Network):
        return False
    layers = [built.layer for built in network.layers]
    functions = {layer.activation(network.activation).name for layer in layers if layer.layer == "act"}
    return {layer.layer for layer in layers} <= CHAIN and functions == {"linear"} and len(network.weight_layers) > 1


def product(network: Network, params: Params) -> tuple[Floats, Floats]:
    """The matrix (inputs, outputs) and bias (outputs,) of a chain of dense layers: x·W₁·W₂ … + ((b₁·W₂ + b₂) …).

    From the output on, where matrices are narrow.

    >>> from actlab.layers import Act, Dense
    >>> from actlab.network import build
    >>> two = {"weight": np.eye(2), "bias": np.ones(2)}, {"weight": np.array([[1.0], [3.0]])}
    >>> network = build([Dense(2), Act(), Dense(1, bias=False)], (2,), "linear")
    >>> matrix, bias = product(network, {"dense1": two[0], "dense2": two[1]})
    >>> matrix.tolist(), bias.tolist()
    ([[1.0], [3.0]], [4.0])
    """
    first, *others = reversed([params[name] for name in network.weight_layers])
    matrix = np.asarray(first["weight"], dtype=float)
    bias = np.asarray(first.get("bias", np.zeros(matrix.shape[1])), dtype=float)
    for layer in others:
        if "bias" in layer:
            bias = bias + np.asarray(layer["bias"], dtype=float) @ matrix
        matrix = np.asarray(layer["weight"], dtype=float) @ matrix
    return matrix, bias
