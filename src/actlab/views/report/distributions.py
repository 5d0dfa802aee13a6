"""The page's heat maps: distributions of activations and gradients in each layer, epoch by epoch.

One quantity is on one scale for all activations. Shares are embedded as bytes of their square roots, so that small ones
are seen beside large ones; what is there at all is at least 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.recording import Recording
from actlab.recording.measures import MEASURES, Measure
from actlab.statistics.gradients import still_training
from actlab.statistics.trained import sentence_of
from actlab.views.report.charts import Floats, thinned
from actlab.views.report.page_data import packed
from actlab.wording import number

COLUMNS = 100
# With more activations, each gets fewer epochs: the page does not grow with their number.
MANY = 24
TICKS = (0.3, 1, 3, 10, 30, 100, 300, 1e3, 1e4, 1e5, 1e6)


def distributions(
    recording: Recording, members: Mapping[str, Sequence[int]], chosen: Mapping[str, Sequence[int]] | None = None
) -> list[dict[str, Any]]:
    """Every histogram: its layers, scale and, for each activation, shares (layers, epochs, bins) as bytes.

    Args:
        recording: with at least epoch 0.
        members: by activation, places on the member axis; seeds that still train are taken together.
        chosen: by the fact that names them, as "act_layers", the layers that are wanted; all where None.
    """
    shown = [measure for measure in MEASURES.values() if measure.edges and measure.name in recording.probes]
    return [_content(recording, members, measure, (chosen or {}).get(measure.axis or "")) for measure in shown]


def _content(
    recording: Recording, members: Mapping[str, Sequence[int]], measure: Measure, chosen: Sequence[int] | None
) -> dict[str, Any]:
    # Values have a sign; sizes have none, and lie on a logarithmic scale.
    signed = measure.edges == "histogram_edges"
    counts, layers = recording.probes[measure.name], list(recording.facts[measure.axis or ""])
    if chosen is not None:
        counts, layers = counts[:, :, list(chosen)], [layers[place] for place in chosen]
    edges = np.array(recording.facts[measure.edges], dtype=float)
    epochs = thinned(recording.epochs, COLUMNS if len(members) <= MANY else COLUMNS // 3)
    shares = {name: _shares(recording, counts, epochs, places) for name, places in members.items()}
    first, last = _occupied(np.nan_to_num(np.stack(list(shares.values()))), signed)
    if not signed:
        # Empty bins between the smallest gradients and the zeros, which lie in the first bin, would take up the axis.
        shares = {name: _closed_up(values, first) for name, values in shares.items()}
        edges = np.concatenate([edges[:1], edges[first:]])
        first, last = 0, last - first + 1
    kept = slice(first, last)
    top = float(np.nan_to_num(np.stack(list(shares.values()))).max()) or 1.0
    return {
        "name": measure.title.replace(" ", "-"),
        "title": measure.title,
        "sentence": sentence_of(measure, recording.study),
        "layers": layers,
        "epochs": epochs.tolist(),
        "edges": [float(f"{edge:.6g}") for edge in edges[first : last + 1]],
        "ticks": _signed_ticks(edges[first : last + 1]) if signed else _size_ticks(edges[: last + 1]),
        "words": _ranges(edges, first, last),
        "top": float(f"{top:.6g}"),
        "panels": {
            name: packed(_bytes(np.moveaxis(values, 0, 1)[..., kept], top), "u1") for name, values in shares.items()
        },
    }


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


def _occupied(shares: Floats, signed: bool) -> tuple[int, int]:
    """First and last bin that any panel has counts in; signed quantities get one more bin on either side."""
    used = np.flatnonzero(shares.reshape(-1, shares.shape[-1]).max(axis=0) > 0)
    if not signed:
        used = used[used > 0]
    if not len(used):
        return (0 if signed else 1), shares.shape[-1]
    room = 1 if signed else 0
    return max(int(used[0]) - room, 0), min(int(used[-1]) + 1 + room, shares.shape[-1])


def _closed_up(shares: Floats, first: int) -> Floats:
    """All bins before `first` as one."""
    return np.concatenate([shares[..., :first].sum(axis=-1, keepdims=True), shares[..., first:]], axis=-1)


def _bytes(shares: Floats, top: float) -> npt.NDArray[np.uint8]:
    """Square roots of shares in 255 steps of that of `top`; 0 only where there is nothing.

    >>> _bytes(np.array([0.0, 1e-9, 0.25, 1.0]), 1.0).tolist()
    [0, 1, 128, 255]
    """
    present = np.nan_to_num(shares)
    steps = np.round(255 * np.sqrt(present / top))
    return np.where(present > 0, np.clip(steps, 1, 255), 0).astype(np.uint8)


def _signed_ticks(edges: Floats) -> list[list[Any]]:
    """Values with their places on the axis, 0 to 1: bins of equal width, equal steps of asinh(2x)."""
    places = np.arcsinh(2 * edges)
    low, high = float(places[0]), float(places[-1])
    values = (0.0, *TICKS, *(-tick for tick in TICKS))
    within = {v: (float(np.arcsinh(2 * v)) - low) / (high - low) for v in values}
    return _sparse({value: place for value, place in within.items() if 0 <= place <= 1})


def _size_ticks(edges: Floats) -> list[list[Any]]:
    """The same for sizes: the first bin holds the zeros, all others are equal steps of the logarithm."""
    bins = len(edges) - 1
    low, high = np.log10(edges[1]), np.log10(edges[-1])
    powers = range(int(np.ceil(low - 1e-9)), int(np.floor(high + 1e-9)) + 1)
    places = {10.0**power: (1 + (power - low) / max(high - low, 1e-9) * (bins - 1)) / bins for power in powers}
    return [[0.5 / bins, "0"], *_sparse({v: p for v, p in places.items() if p > 1.5 / bins + 0.08})]


def _sparse(places: Mapping[float, float], step: float = 1 / 7) -> list[list[Any]]:
    """The values that keep a distance from each other, chosen from zero outwards, with their places and texts."""
    kept: list[float] = []
    for value in sorted(places, key=abs):
        if all(abs(places[value] - places[other]) >= step for other in kept):
            kept.append(value)
    return [[round(places[v], 5), _written(v)] for v in sorted(kept)]


def _written(value: float) -> str:
    """A value beside an axis.

    >>> _written(-30), _written(1e-06)
    ('−30', '1e−6')
    """
    return number(value, "g").replace("e−0", "e−")


def _ranges(edges: Floats, first: int, last: int) -> list[str]:
    """Each bin's range in words; the outermost two are open."""
    words = []
    for i in range(first, last):
        low, high = number(edges[i]), number(edges[i + 1])
        lowest = i == 0
        words.append(f"below {high}" if lowest else f"{low} or more" if i == len(edges) - 2 else f"{low} to {high}")
    return words
