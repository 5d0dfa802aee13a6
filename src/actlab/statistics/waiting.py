"""How long training takes to reach a point, when some members never do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import RESOLUTION, Floats


@dataclass(frozen=True)
class Waiting:
    """`median` epoch, infinite if half of the members or more never get there, and the share that does."""

    median: float
    reached: float


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
    # A mean in float32 may fall short of a level it has reached by a rounding error.
    there = np.asarray(curves, dtype=float) >= level - RESOLUTION * abs(level)
    return np.where(there.any(axis=0), there.argmax(axis=0) if len(there) else 0, np.inf)


def waiting(epochs: ArrayLike) -> Waiting:
    """Median of first epochs (members,), where never is later than any other, and the share of finite ones.

    Of no members the median is infinite and the share NaN.

    >>> waiting([3, 5, float("inf")])
    Waiting(median=5.0, reached=0.6666666666666666)
    >>> waiting([3, float("inf")]).median
    inf
    """
    epochs = np.asarray(epochs, dtype=float)
    if not epochs.size:
        return Waiting(np.inf, np.nan)
    return Waiting(float(np.median(epochs)), float(np.isfinite(epochs).mean()))
