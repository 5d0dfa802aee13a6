"""How sure a mean is: estimates over members, with those that have no finite value masked and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

# Every interval draws its resamples from a generator made anew: the same values give the same interval, in
# whatever order intervals are asked for.
SEED = 20_240_601
RESAMPLES = 9999

# Metrics are means of float32 numbers: what is closer than this, relative to their size, is the same number.
RESOLUTION = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Estimate:
    """A quantity over members: `mean`, `median` and `ci95` are over the `count` finite ones among `values`.

    `mean` and `median` are NaN if no value is finite; `ci95` is None with fewer than two.
    """

    mean: float
    median: float
    ci95: Interval | None
    count: int
    values: tuple[float, ...]


def finite(values: ArrayLike) -> Floats:
    """The finite ones among values (n,), in their order.

    >>> finite([1.0, float("nan"), 3.0]).tolist()
    [1.0, 3.0]
    """
    flat = np.asarray(values, dtype=float).ravel()
    return flat[np.isfinite(flat)]


def mean(values: ArrayLike) -> float:
    """Mean of the finite values (any shape); NaN if there is none.

    >>> mean([3.0, 1.0, float("nan")])
    2.0
    """
    kept = finite(values)
    return float(kept.mean()) if kept.size else float("nan")


def median(values: ArrayLike) -> float:
    """Median of the finite values (any shape); NaN if there is none.

    >>> median([3.0, 1.0, float("nan"), 2.0])
    2.0
    """
    kept = finite(values)
    return float(np.median(kept)) if kept.size else float("nan")


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval | None:
    """BCa bootstrap interval of the mean: bias-corrected and accelerated, so it may lie askew about the mean.

    Values that are not finite are masked. The resamples come from a fixed seed: the same values, in the same
    order, give the same interval. With few values it covers less often than it says (about 85 % of the time
    for five normal ones, 90 % for ten).

    Source: Efron 1987, Better bootstrap confidence intervals, doi 10.1080/01621459.1987.10478410.

    Args:
        values: (n,).
        level: probability that the interval should cover the mean, in (0, 1).

    Returns:
        (low, high); (v, v) where all values are v; None with fewer than two finite values.

    >>> mean_interval([0.9, 0.9, 0.9])
    (0.9, 0.9)
    >>> low, high = mean_interval([0.91, 0.93, 0.94, 0.90, 0.95])
    >>> 0.90 < low < 0.926 < high < 0.95
    True
    """
    kept = finite(values)
    if kept.size < 2:
        return None
    if np.ptp(kept) <= RESOLUTION * np.abs(kept).max():
        return float(kept[0]), float(kept[0])
    from scipy.stats import bootstrap

    interval = bootstrap(
        (kept,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="BCa",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def estimate(values: Sequence[float] | Floats) -> Estimate:
    """Mean, median and 95 % interval of the mean of values (n,), the ones that are not finite masked.

    >>> e = estimate([0.5, float("nan"), 0.5])
    >>> e.mean, e.ci95, e.count, len(e.values)
    (0.5, (0.5, 0.5), 2, 3)
    """
    kept = finite(values)
    return Estimate(mean(kept), median(kept), mean_interval(kept), kept.size, tuple(float(value) for value in values))
