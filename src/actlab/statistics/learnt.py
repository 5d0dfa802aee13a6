"""What trainable parameters of activation functions have become, from the recorded weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.custom import CustomNetwork
from actlab.errors import InvalidRecording
from actlab.layers import Act
from actlab.network import expand, flat
from actlab.recording import Recording
from actlab.statistics.selection import Reported


def learnt(recording: Recording, entry: Reported) -> list[dict[str, Any]] | None:
    """The trainable parameters of an activation at each of its places, after the last epoch.

    Args:
        recording: complete or not.
        entry: an activation of a condition; members that diverged are left out.

    Returns:
        a row for each place and parameter: `layer`; `parameter`; `start`, its value in the untrained networks; `mean`
        over units and seeds; `low` and `high`, the least and largest of the seeds' means; `smallest` and `largest` of
        all units of all seeds. NaN where every member diverged. Empty for a function that learns nothing; None where
        the weights of the first or the last epoch were not kept, or cannot be read.
    """
    parameters = recording.functions[entry.activation].get("parameters")
    # Recordings of earlier versions do not say what is trainable.
    if parameters is not None and not any(parameter["trainable"] for parameter in parameters.values()):
        return []
    ends = [0, recording.epochs]
    try:
        weights = recording.weight_arrays(entry.activation, ends)
    except InvalidRecording:
        return None
    own = [member for member in recording.members if member.activation == entry.activation]
    alive = {member.id for member in entry.members if member.diverged_epoch is None}
    rows = [row for row, member in enumerate(own) if member.id in alive]
    return [
        _row(layer, parameter, values[0], values[1, rows])
        for layer in _open_places(recording)
        for parameter, values in weights.get(layer, {}).items()
    ]


def _open_places(recording: Recording) -> list[str]:
    """The places of the activation under study: not those of fixed functions."""
    network = recording.study.network
    if network is None or isinstance(network, CustomNetwork):
        return list(recording.act_layers)
    acts = [layer for layer in flat(expand(network)) if isinstance(layer, Act)]
    return [name for name, act in zip(recording.act_layers, acts, strict=True) if act.function is None]


def _row(layer: str, parameter: str, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """One row of `learnt`, of values (members, units) before and after training."""
    values = after.reshape(len(after), -1).astype(float) if len(after) else np.full((1, 1), np.nan)
    means = values.mean(axis=1)
    return {
        "layer": layer,
        "parameter": parameter,
        "start": float(before.mean(dtype=float)),
        "mean": float(means.mean()),
        "low": float(means.min()),
        "high": float(means.max()),
        "smallest": float(values.min()),
        "largest": float(values.max()),
    }
