"""Charts of the inside of the networks: the gradient's way through the layers, over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.recording import Recording
from actlab.views.palette import css_layer
from actlab.views.report.charts import (
    CURVE_POINTS,
    Chart,
    Floats,
    epoch_axis,
    line_mode,
    log_ticks,
    quartiles,
    rounded,
    thinned,
)


def gradients(recording: Recording, members: Mapping[str, Sequence[int]]) -> list[Chart]:
    """A panel for each activation: the gradient norm of every weight layer, on one log axis for all."""
    norms = recording.probes.get("weight_gradient_norm")
    if norms is None:
        return []
    epochs = thinned(recording.epochs, min(CURVE_POINTS, max(40, 900 // len(members))))
    medians = {name: _medians(norms[epochs][:, places]) for name, places in members.items()}
    span = _decades(np.concatenate([values.ravel() for values in medians.values()]))
    layout = {"height": 230, "xaxis": epoch_axis(recording.epochs), "yaxis": {"type": "log", **span}}
    layers = recording.weight_layers
    return [
        Chart(
            f"gradient-{name}",
            name,
            f"Norm of the gradient by weight layer for {name}, from {layers[0]} to {layers[-1]}",
            [_layer_line(epochs, values[i], i, layers) for i in range(len(layers))],
            layout,
            activation=name,
        )
        for name, values in medians.items()
    ]


def _medians(norms: Floats) -> Floats:
    """(epochs, members, layers) to medians over the members, (layers, epochs)."""
    return np.stack([quartiles(norms[:, :, i])[1] for i in range(norms.shape[2])])


def _decades(values: Floats) -> dict[str, Any]:
    """Range and ticks of a log axis, at most sixteen decades: what is smaller still counts as zero."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return {}
    low, high = float(np.log10(positive.min())), float(np.log10(positive.max()))
    low = max(low, high - 16)
    room = max(0.05 * (high - low), 0.15)
    return {"range": rounded([low - room, high + room]), **log_ticks(low - room, high + room)}


def _layer_line(epochs: Any, values: Floats, number: int, layers: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": line_mode(values),
        "name": layers[number],
        "x": rounded(epochs),
        # A log axis has no zero: a gap shows that nothing came through.
        "y": rounded(np.where(values > 0, values, np.nan)),
        "line": {"color": css_layer(number, len(layers)), "width": 2},
        "hovertemplate": f"{layers[number]}, epoch %{{x}}: %{{y:.3~g}}<extra></extra>",
    }
