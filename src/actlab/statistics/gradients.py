"""How the gradient passes through a network, from the output to the input: what functions and weights leave of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actlab.recording import Recording
from actlab.statistics.intervals import Floats, median
from actlab.statistics.selection import Reported


@dataclass(frozen=True)
class GradientFlow:
    """What is left of the gradient at one place of a function, L being the loss, z → a = f(z) the function.

    Attributes:
        layer: the place.
        share: ‖∂L/∂a‖ here over that at the last place.
        slope: ‖∂L/∂z‖ / ‖∂L/∂a‖, what the slope of the function leaves of it.
        weights: ‖∂L/∂a‖ at the place before over ‖∂L/∂z‖ here, what the weights, and all else between the two
            places, make of it; NaN at the first place.
        step: slope × weights, from this place to the one before; NaN at the first place.

    All are medians over members.
    """

    layer: str
    share: float
    slope: float
    weights: float
    step: float


def gradient_flow(recording: Recording, entry: Reported, epoch: int) -> tuple[GradientFlow, ...]:
    """The way of the gradient through an activation's networks after an epoch, the place nearest the output first.

    Members that have diverged by then, and ratios of nothing to nothing, are left out. Empty without places of
    functions, or where the gradients were not recorded.
    """
    after, before = (recording.probes.get(f"{which}activation_gradient_norm") for which in ("", "pre_"))
    if after is None or before is None:
        return ()
    columns = [
        c for c, alive in zip(entry.columns, still_training(recording, entry.columns)[epoch], strict=True) if alive
    ]
    after, before = after[epoch, columns].astype(float), before[epoch, columns].astype(float)
    # The places before those at hand; the first has none.
    earlier = np.concatenate([np.full((len(after), 1), np.nan), after[:, :-1]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            "share": after / after[:, -1:],
            "slope": before / after,
            "weights": earlier / before,
            "step": earlier / after,
        }
    found = [
        GradientFlow(layer, **{name: median(values[:, place]) for name, values in ratios.items()})
        for place, layer in enumerate(recording.act_layers)
    ]
    return tuple(reversed(found))


def still_training(recording: Recording, columns: Sequence[int]) -> NDArray[np.bool_]:
    """Whether members at `columns` of the member axis have not diverged yet, (epochs, columns)."""
    ends = [recording.members[column].diverged_epoch for column in columns]
    return np.arange(recording.epochs + 1)[:, None] < np.array([np.inf if end is None else end for end in ends])


def gradient_sizes(
    recording: Recording, entry: Reported, layer: int, shares: Sequence[float] = (0.1, 0.5, 0.9)
) -> Floats:
    """Quantiles of |∂L/∂W| over the weights of a layer, all epochs of training and all members; NaN without counts.

    Args:
        recording: with the histograms of gradients.
        entry: whose.
        layer: place among the weight layers.
        shares: of the quantiles, in [0, 1].
    """
    counts = recording.probes.get("weight_gradient_histogram")
    if counts is None:
        return np.full(len(shares), np.nan)
    columns = list(entry.columns)
    alive = still_training(recording, columns)[1:, :, None]
    total = np.where(alive, counts[1:, columns, layer], 0).sum(axis=(0, 1))
    return quantiles(total, recording.facts["gradient_edges"], shares)


def quantiles(counts: ArrayLike, edges: ArrayLike, shares: Sequence[float]) -> Floats:
    """Quantiles of positive numbers counted in bins, in equal parts of the logarithm within a bin.

    Args:
        counts: (bins,); the first bin is from zero, and what lies in it counts as zero.
        edges: (bins + 1,), ascending from 0.
        shares: in [0, 1].

    Returns:
        (shares,); NaN where nothing was counted.

    >>> quantiles([0, 10, 10], [0, 1, 10, 100], [0.25, 0.5, 1]).round(3).tolist()
    [3.162, 10.0, 100.0]
    >>> quantiles([3, 1, 0], [0, 1, 10, 100], [0.5]).tolist()
    [0.0]
    """
    counts, edges = np.asarray(counts, dtype=float), np.asarray(edges, dtype=float)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    if not below[-1]:
        return np.full(len(shares), np.nan)
    wanted = np.asarray(shares) * below[-1]
    bins = np.clip(np.searchsorted(below, wanted, side="left") - 1, 0, len(counts) - 1)
    part = (wanted - below[bins]) / np.maximum(counts[bins], 1)
    low, high = np.log(np.maximum(edges[bins], np.finfo(float).tiny)), np.log(edges[bins + 1])
    return np.where(bins == 0, 0.0, np.exp(low + part * (high - low)))


def typical_norm(recording: Recording, entry: Reported, layer: int) -> float:
    """‖∂L/∂W‖ of a weight layer, the median over all epochs of training and members; NaN where it is not known."""
    norms = recording.probes.get("weight_gradient_norm")
    return float("nan") if norms is None else median(norms[1:, list(entry.columns), layer])
