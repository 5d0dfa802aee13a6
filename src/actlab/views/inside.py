"""Charts of the inside of the networks: gradients and activations, layer by layer over training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.recording import Recording
from actlab.statistics.gradients import still_training
from actlab.views.figures import (
    CURVE_POINTS,
    HEAT_COLUMNS,
    Chart,
    Floats,
    epoch_axis,
    line_mode,
    log_ticks,
    quartiles,
    rounded,
    thinned,
)
from actlab.views.palette import HEAT_STEPS, css_layer

# Small shares must be seen beside shares near one: colour follows the square root of the share.
HEAT_POWER = 2
TICKS = (0.3, 1, 3, 10, 30, 100, 300, 1e3, 1e4, 1e5, 1e6)


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
        # A log axis has no zero; a gap says that nothing came through.
        "y": rounded(np.where(values > 0, values, np.nan)),
        "line": {"color": css_layer(number, len(layers)), "width": 2},
        "hovertemplate": f"{layers[number]}, epoch %{{x}}: %{{y:.3~g}}<extra></extra>",
    }


@dataclass(frozen=True)
class _Scale:
    """The vertical axis of heat maps.

    Attributes:
        edges: of the bins, as recorded.
        place: where a value lies on the axis.
        ticks: values that may be written beside it.
    """

    edges: Floats
    place: Callable[[Floats], Floats]
    ticks: Sequence[float]

    @property
    def places(self) -> Floats:
        """Where the edges lie."""
        return self.place(self.edges)


def distributions(recording: Recording, members: Mapping[str, Sequence[int]]) -> tuple[list[Chart], float]:
    """A panel for each activation with a heat map for each layer: share of activations in each bin.

    Returns:
        The charts, and the share at the top of the colour scale that all of them have in common.
    """
    counts = recording.probes.get("activation_histogram")
    if counts is None or not recording.act_layers:
        return [], 0.0
    edges = np.array(recording.facts["histogram_edges"], dtype=float)
    scale = _Scale(edges, lambda values: np.arcsinh(2 * values), (0.0, *TICKS, *(-tick for tick in TICKS)))
    label = "Distribution of the activations of {} in {} over training"
    return _heat_maps(recording, members, counts, recording.act_layers, scale, "distribution", label)


def gradient_sizes(recording: Recording, members: Mapping[str, Sequence[int]]) -> tuple[list[Chart], float]:
    """A panel for each activation with a heat map for each weight layer: share of weights by size of their gradient.

    Returns:
        As `distributions`.
    """
    counts = recording.probes.get("weight_gradient_histogram")
    if counts is None:
        return [], 0.0
    edges = np.array(recording.facts["gradient_edges"], dtype=float)
    # Empty bins between the smallest gradients and the zeros, which lie in the first bin, would take up the axis.
    used = np.flatnonzero(counts.max(axis=(0, 1, 2), initial=0)[1:]) + 1
    first = int(used[0]) if len(used) else 1
    counts = np.concatenate([counts[..., :first].sum(axis=-1, keepdims=True), counts[..., first:]], axis=-1)
    edges = np.concatenate([edges[:1], edges[first:]])
    # The first bin begins at zero, for which a logarithm has no place: it is drawn as wide as the next.
    lowest = edges[1] ** 2 / edges[2]
    ticks = [0.0, *(10.0**power for power in range(-15, 16) if 10.0**power >= edges[1])]
    scale = _Scale(edges, lambda values: np.log10(np.maximum(values, lowest)), ticks)
    label = "Sizes of the gradient of {} with respect to the weights of {} over training"
    return _heat_maps(recording, members, counts, recording.weight_layers, scale, "gradient-sizes", label)


def _heat_maps(
    recording: Recording,
    members: Mapping[str, Sequence[int]],
    counts: npt.NDArray[np.integer[Any]],
    layers: Sequence[str],
    scale: _Scale,
    prefix: str,
    label: str,
) -> tuple[list[Chart], float]:
    epochs = thinned(recording.epochs, HEAT_COLUMNS if len(members) <= 24 else HEAT_COLUMNS // 2)
    shares = {name: _shares(recording, counts, epochs, places) for name, places in members.items()}
    stacked = np.nan_to_num(np.stack(list(shares.values())))
    top = float(stacked.max()) or 1.0
    bins = _occupied(stacked)
    layout = _heat_layout(layers, scale, bins) | {
        "xaxis": epoch_axis(recording.epochs) | {"showgrid": False, "anchor": "y"}
    }
    charts = [
        Chart(
            f"{prefix}-{name}",
            name,
            label.format(name, ", ".join(layers)),
            [_heat(epochs, values[:, i], scale, bins, top, i) for i in range(values.shape[1])],
            layout,
            activation=name,
        )
        for name, values in shares.items()
    ]
    return charts, top


def _shares(
    recording: Recording,
    counts: npt.NDArray[np.integer[Any]],
    epochs: npt.NDArray[np.int64],
    places: Sequence[int],
) -> Floats:
    """Histograms over the seeds that still train, as shares (epochs, layers, bins); NaN where none does."""
    alive = still_training(recording, places)[epochs]
    total = np.where(alive[:, :, None, None], counts[epochs][:, places].astype(float), 0).sum(axis=1)
    counted = total.sum(axis=-1, keepdims=True)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)


def _occupied(shares: Floats) -> slice:
    """Bins from the first to the last in which anything fell in any panel: only empty margins are cut off."""
    used = np.flatnonzero(shares.reshape(-1, shares.shape[-1]).max(axis=0) > 0)
    if not len(used):
        return slice(0, shares.shape[-1])
    return slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2)


def _heat_layout(layers: Sequence[str], scale: _Scale, bins: slice) -> dict[str, Any]:
    """One row of axes for each layer, the input's at the bottom; ticks tell values on the stretched scale."""
    shown = scale.places[bins.start : bins.stop + 1]
    span = [float(shown[0]), float(shown[-1])]
    places = dict(zip(scale.ticks, scale.place(np.array(scale.ticks)).tolist(), strict=True))
    places = {value: place for value, place in places.items() if span[0] <= place <= span[1]}
    values = _sparse(places, (span[1] - span[0]) / 9)
    y_axis = {
        "range": rounded(span),
        "tickvals": rounded([places[value] for value in values]),
        "ticktext": [f"{value:g}".replace("e-0", "e-").replace("-", "−") for value in values],
        "showgrid": False,
    }
    layout: dict[str, Any] = {"height": 70 + 150 * len(layers)}
    gap = 0.2 / len(layers)
    height = (1 - gap * (len(layers) - 1)) / len(layers)
    notes = []
    for i, layer in enumerate(layers):
        low, high = i * (height + gap), i * (height + gap) + height
        layout[_axis("yaxis", i)] = y_axis | {"domain": rounded([low, high])}
        notes.append(_layer_note(layer, high))
    layout["annotations"] = notes
    return layout


def _axis(kind: str, number: int) -> str:
    return kind if number == 0 else f"{kind}{number + 1}"


def _sparse(places: Mapping[float, float], step: float) -> list[float]:
    """Of values with their places on the axis those that keep a distance of `step`, counted from zero outwards."""
    kept: list[float] = []
    for value in sorted(places, key=abs):
        if all(abs(places[value] - places[other]) >= step for other in kept):
            kept.append(value)
    return sorted(kept)


def _layer_note(layer: str, top: float) -> dict[str, Any]:
    return {
        "text": layer,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": round(top, 5),
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": "var(--quiet)"},
    }


def _heat(epochs: Any, shares: Floats, scale: _Scale, bins: slice, top: float, number: int) -> dict[str, Any]:
    """The heat map of one layer; `shares` (epochs, bins)."""
    centres = (scale.places[:-1] + scale.places[1:]) / 2
    return {
        "type": "heatmap",
        "x": rounded(epochs),
        "y": rounded(centres[bins]),
        "z": rounded(shares[:, bins].T, 3),
        "xaxis": "x",
        "yaxis": _axis("y", number),
        "zmin": 0,
        "zmax": float(f"{top:.3g}"),
        "colorscale": [
            [round((step / (HEAT_STEPS - 1)) ** HEAT_POWER, 5), f"var(--heat-{step})"] for step in range(HEAT_STEPS)
        ],
        "showscale": False,
        "meta": {"rows": _ranges(scale.edges, bins)},
        "hovertemplate": "epoch %{x}<br>%{text}<br>%{z:.2~%}<extra></extra>",
    }


def _ranges(edges: Floats, bins: slice) -> list[str]:
    """What each bin holds, in words; the outermost two are open."""
    last = len(edges) - 2
    words = []
    for i in range(*bins.indices(last + 1)):
        low, high = f"{edges[i]:.3g}", f"{edges[i + 1]:.3g}"
        words.append(f"below {high}" if i == 0 else f"{low} or more" if i == last else f"{low} to {high}")
    return [word.replace("-", "−") for word in words]


def heat_ticks(top: float) -> list[tuple[str, float]]:
    """Labels of the shared colour scale and their places on it, from 0 to 1.

    >>> heat_ticks(1.0)[-1]
    ('100 %', 1.0)
    """
    found: list[tuple[str, float]] = []
    for share in (0, 0.001, 0.01, 0.03, 0.1, 0.25, 0.5, 1):
        place = round((share / top) ** (1 / HEAT_POWER), 4)
        if place <= 1 and (not found or place - found[-1][1] > 0.13):
            found.append((f"{100 * share:g} %", place))
    return found
