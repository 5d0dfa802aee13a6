"""Samples in the layers of large networks: projected on two axes, at some epochs of the first seed.

Computed in NumPy from the recorded weights; the axes of a layer are the same through all epochs, so that what moves is
the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidRecording
from actlab.network import Network
from actlab.recording import Member, Recording
from actlab.replay.forward import hidden, judged, operations
from actlab.replay.projection import limits, project
from actlab.statistics import Reported
from actlab.views.report.page_data import packed

# Samples shown, fewer where networks are so large that computing them would take more operations than this.
SAMPLES = 256
FEWEST = 64
OPERATIONS = 1e11
STEPS = 65_535


def frames(recording: Recording, entries: Mapping[str, Reported]) -> dict[str, Any]:
    """Samples and, for each activation, where they lie at each epoch with the first seed's weights.

    Args:
        recording: with samples and the first seed's weights of two epochs or more.
        entries: by activation, in the order in which they are shown.
    """
    epochs = recording.first_seed_epochs
    networks = _networks(recording, entries)
    each = sum(map(operations, networks.values())) * len(epochs)
    count = max(FEWEST, min(SAMPLES, int(OPERATIONS / max(each, 1))))
    x, y = (recording.sample[name][:count] for name in ("x", "y"))
    seed = recording.study.seeds[0]
    first = {e.activation: m for e in entries.values() for m in e.members if m.seed == seed}
    return {
        "samples": len(y),
        "epochs": list(epochs),
        "networks": [_frames(recording, first[name], network, x, y, epochs) for name, network in networks.items()],
    }


def _networks(recording: Recording, names: Iterable[str]) -> dict[str, Network]:
    """The networks that this process can compute: it knows their functions."""
    found = {}
    for name in names:
        try:
            found[name] = recording.network(name)
        except InvalidRecording:
            continue
    return {name: network for name, network in found.items() if network.act_layers}


def _frames(
    recording: Recording, member: Member, network: Network, x: np.ndarray, y: np.ndarray, epochs: Sequence[int]
) -> dict[str, Any]:
    passes = [hidden(network, recording.weights(member, epoch), x) for epoch in epochs]
    outputs = np.stack([logits for _, logits in passes])
    said: dict[str, Any] = {}
    if recording.objective.decides:
        found = [judged(logits, y) for logits in outputs]
        losses, right = np.stack([one.loss for one in found]), np.stack([one.right for one in found])
    else:
        with np.errstate(all="ignore"):  # of members that have diverged
            losses = recording.objective.loss(outputs.astype(float), y, np, 2)
        right, said = np.ones(losses.shape, bool), {"predictions": packed(outputs)}
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
        **said,
    }


def _steps(points: np.ndarray, box: Sequence[Sequence[float]]) -> np.ndarray:
    """Coordinates in steps of a 65,535th of the box; what is not finite lies in a corner."""
    low, high = (np.array([ends[i] for ends in box]) for i in (0, 1))
    share = np.nan_to_num((points - low) / (high - low), nan=0.0, posinf=0.0, neginf=0.0)
    return np.round(STEPS * np.clip(share, 0, 1)).astype(np.uint16)
