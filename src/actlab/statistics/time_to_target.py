"""How long training takes to reach a point, when some members never do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actlab.objectives import lead_among
from actlab.recording import Recording
from actlab.statistics.intervals import RESOLUTION, Floats, Interval, median_interval, share_interval
from actlab.statistics.selection import Reported
from actlab.study import Milestone


@dataclass(frozen=True)
class TimeToTarget:
    """When members get there.

    Attributes:
        median: epoch, infinite if half of the members or more never get there.
        reached: the share that does.
        ci95: interval of the median, never being later than any epoch; None with fewer than six members.
        reached_ci95: interval of the share; None without members.
    """

    median: float
    reached: float
    ci95: Interval | None = None
    reached_ci95: Interval | None = None


def first_epoch(curves: ArrayLike, level: float) -> Floats:
    """For each member the first epoch at which its curve is at `level` or above; infinite if it never is.

    Args:
        curves: (epochs, members), row 0 the untrained network; NaN, after divergence, is never above.
        level: what to wait for.

    Returns:
        (members,).

    >>> first_epoch([[0.1, 0.2], [0.9, 0.3], [0.8, 0.4]], level=0.8).tolist()
    [1.0, inf]
    """
    return _first(_there(curves, level))


def learned_epoch(curves: ArrayLike, level: float) -> Floats:
    """Like `first_epoch`, but a start at the level counts only if it is never lost.

    An untrained network that calls every sample negative has all negatives right before it has learnt anything.

    >>> learned_epoch([[1.0, 0.2], [0.5, 0.9], [1.0, 0.9]], level=0.8).tolist()
    [2.0, 1.0]
    """
    there = _there(curves, level)
    missed = np.logical_or.accumulate(~there, axis=0)
    return np.where(there.all(axis=0), 0.0, _first(there & missed)) if len(there) else _first(there)


def milestone_epochs(recording: Recording, entry: Reported, milestone: Milestone) -> Floats:
    """For each member of an entry the first epoch at a milestone; infinite if it never gets there, (members,)."""
    columns = list(entry.columns)
    if milestone.metric is not None and milestone.value is not None:
        lead = lead_among(recording.facts["metrics"], milestone.metric)
        curves = lead.gain(recording.metrics[f"train_{milestone.metric}"][:, columns])
        return learned_epoch(curves, float(lead.gain(milestone.value)))
    if milestone.label is None:
        curves = recording.metrics["train_accuracy"][:, columns]
    elif "class_accuracy" in recording.probes:
        curves = recording.probes["class_accuracy"][:, columns, milestone.label]
    else:
        curves = np.empty((0, len(columns)))
    return learned_epoch(curves, milestone.accuracy)


def _there(curves: ArrayLike, level: float) -> np.ndarray:
    # A mean in float32 may fall short of a level it has reached by a rounding error.
    return np.asarray(curves, dtype=float) >= level - RESOLUTION * abs(level)


def _first(there: np.ndarray) -> Floats:
    return np.where(there.any(axis=0), there.argmax(axis=0) if len(there) else 0, np.inf)


def time_to_target(epochs: ArrayLike) -> TimeToTarget:
    """Median of first epochs (members,), where never is later than any other, and the share of finite ones.

    Of no members the median is infinite and the share NaN.

    >>> found = time_to_target([3, 5, float("inf")])
    >>> found.median, round(found.reached, 3), [round(end, 3) for end in found.reached_ci95]
    (5.0, 0.667, [0.094, 0.992])
    >>> time_to_target([3, float("inf")]).median
    inf
    """
    epochs = np.asarray(epochs, dtype=float)
    if not epochs.size:
        return TimeToTarget(np.inf, np.nan)
    there = int(np.isfinite(epochs).sum())
    return TimeToTarget(
        float(np.median(epochs)),
        there / epochs.size,
        median_interval(epochs),
        share_interval(there, epochs.size),
    )
