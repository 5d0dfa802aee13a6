"""Where the samples lie in the layers of large networks: projected on two axes, at some epochs of the first seed.

Computed in NumPy from the recorded weights; the axes of a layer are the same through all epochs, so that what moves is
the samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidRecording
from actlab.layers import WEIGHTED
from actlab.network import Network, Params
from actlab.recording import Member, Recording
from actlab.statistics import entries
from actlab.views.embedding import packed
from actlab.views.figures import limits

# Samples shown, fewer where networks are so large that computing them would take more operations than this.
SAMPLES = 256
FEWEST = 64
OPERATIONS = 1e11
# Rows from which the axes of a layer are found.
ROWS = 256
STEPS = 65_535


def frames(recording: Recording, names: Sequence[str]) -> dict[str, Any]:
    """Samples and, for each activation, where they lie at each epoch with the first seed's weights.

    Args:
        recording: with samples and the first seed's weights of two epochs or more.
        names: the activations, in the order in which they are shown.
    """
    epochs = recording.first_seed_epochs
    networks = _networks(recording, names)
    each = sum(map(operations, networks.values())) * len(epochs)
    count = max(FEWEST, min(SAMPLES, int(OPERATIONS / max(each, 1))))
    x, y = (recording.sample[name][:count] for name in ("x", "y"))
    seed = recording.study.seeds[0]
    first = {e.activation: m for e in entries(recording) for m in e.members if m.seed == seed}
    return {
        "y": y.tolist(),
        "epochs": list(epochs),
        "networks": [_frames(recording, first[name], network, x, y, epochs) for name, network in networks.items()],
    }


def _networks(recording: Recording, names: Sequence[str]) -> dict[str, Network]:
    """The networks that can be computed here: those of functions that this process knows."""
    found = {}
    for name in names:
        try:
            found[name] = recording.network(name)
        except InvalidRecording:
            continue
    return {name: network for name, network in found.items() if network.act_layers}


def operations(network: Network) -> int:
    """Multiplications and additions that one sample takes.

    >>> from actlab.layers import Dense
    >>> from actlab.network import build
    >>> operations(build([Dense(3)], (2,)))
    12
    """
    weighted = [site for site in network.sites if isinstance(site.layer, WEIGHTED)]
    return sum(2 * math.prod(site.output_shape[:-1]) * math.prod(site.parameter_shapes["weight"]) for site in weighted)


def _frames(
    recording: Recording, member: Member, network: Network, x: np.ndarray, y: np.ndarray, epochs: Sequence[int]
) -> dict[str, Any]:
    passes = [hidden(network, recording.weights(member, epoch), x) for epoch in epochs]
    losses = np.stack([cross_entropy(logits, y) for _, logits in passes])
    right = np.stack([predicted(logits) == y for _, logits in passes])
    spaces = []
    for layer in network.act_layers:
        values = np.stack([caught[layer].reshape(len(x), -1) for caught, _ in passes])
        points = project(values)
        box = [limits(points[..., k]) for k in (0, 1)]
        spaces.append(
            {"name": layer, "units": values.shape[-1], "box": box, "points": packed(_steps(points, box), "<u2")}
        )
    return {
        "name": member.activation,
        "outputs": network.output_shape[-1],
        "spaces": spaces,
        "losses": packed(losses),
        "right": packed(right, "u1"),
    }


def hidden(network: Network, params: Params, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs of every `Act` layer by name, (samples, ...), and of the network, (samples, outputs), in NumPy."""
    functions = {
        site.name: site.layer.activation(network.activation)
        for site in network.sites
        if site.name in network.act_layers
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


def project(values: np.ndarray) -> np.ndarray:
    """Two coordinates of each sample at each epoch, (epochs, samples, 2), from (epochs, samples, units).

    Two units are their own coordinates; of more, the axes are the principal ones of the last epoch: those of all
    epochs together would show how the whole cloud moves, and little of the classes.
    """
    if values.shape[-1] == 2:
        return values
    finite = [epoch for epoch in range(len(values)) if np.isfinite(values[epoch]).all()]
    mean, *axes = principal_axes(values[finite[-1] if finite else -1])
    # Of a network that diverged, some values are no numbers, and stay so.
    with np.errstate(all="ignore"):
        return (values - mean.astype(values.dtype)) @ np.stack(axes, axis=1).astype(values.dtype)


def principal_axes(values: np.ndarray) -> np.ndarray:
    """Mean and the two directions of largest variance, (3, units), of values (samples, units).

    Found from 256 rows at most, evenly chosen; rows that are not finite are left out. Each axis points to where its
    largest entry is positive, so that equal data give equal pictures.

    >>> found = principal_axes(np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.1], [2.0, -0.1]]))
    >>> (found.round(2) + 0.0).tolist()
    [[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    kept = values[np.isfinite(values).all(axis=1)]
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(ROWS, len(kept))).astype(int))].astype(float)
    if len(kept) < 2:
        return np.zeros((3, values.shape[1]))
    mean = kept.mean(axis=0)
    apart = kept - mean
    # Of few rows and many units the products of rows have the same axes, and are a smaller matrix.
    sizes, left = np.linalg.eigh(apart @ apart.T)
    axes = [_direction(apart.T @ left[:, -k], sizes[-k]) for k in (1, 2)]
    return np.stack([mean, *axes])


def _direction(axis: np.ndarray, size: float) -> np.ndarray:
    length = float(np.linalg.norm(axis))
    if size <= 0 or length == 0:
        return np.zeros_like(axis)
    return axis / length * (1 if axis[np.abs(axis).argmax()] > 0 else -1)


def _steps(points: np.ndarray, box: Sequence[Sequence[float]]) -> np.ndarray:
    """Coordinates in steps of a 65,535th of the box; what is not finite lies in a corner."""
    low, high = (np.array([ends[i] for ends in box]) for i in (0, 1))
    share = np.nan_to_num((points - low) / (high - low), nan=0.0, posinf=0.0, neginf=0.0)
    return np.round(STEPS * np.clip(share, 0, 1)).astype(np.uint16)
