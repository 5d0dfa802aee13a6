"""Means with intervals: estimates over members; members without a finite value are masked and counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

# Metrics are means of float32 numbers: a relative difference below this is none.
RESOLUTION = 4 * float(np.finfo(np.float32).eps)
# Student's t at 0.975 for 1 to 30 degrees of freedom, scipy's numbers to the last bit: importing scipy takes longer
# than a whole summary.
T95 = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146,
    2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274, 2.200985160091639,
    2.1788128296672284, 2.1603686564627913, 2.144786687917804, 2.131449545559776, 2.1199052992212546,
    2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864, 2.0796138447276795,
    2.0738730679040254, 2.0686576104190486, 2.0638985616280245, 2.0595385527532972, 2.0555294386428735,
    2.0518305164802846, 2.0484071417952454, 2.045229642132703, 2.0422724563012378,
)  # fmt: skip


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
    every = np.asarray(values, dtype=float).ravel()
    return every[np.isfinite(every)]


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


def mean_interval(values: ArrayLike, level: float = 0.95, step: float = 0.0) -> Interval | None:
    """Student's t interval of the mean: mean ± t·s/√n, s the standard deviation of the values.

    s is never taken smaller than step/√12, what rounding to multiples of `step` alone leaves: three seeds with the same
    number of right answers do not make a certainty. Values that are not finite are masked. The order of the values
    does not matter.

    Source: Student 1908, The probable error of a mean, doi 10.2307/2331554.

    Args:
        values: (n,).
        level: probability that the interval should cover the mean, in (0, 1).
        step: the smallest difference that two values can have, in their unit: 1/N for a share of N samples; 0 where
            there is none.

    Returns:
        (low, high); None with fewer than two finite values. Where all values are equal and there is no step, both ends
        are that value.

    >>> low, high = mean_interval([0.91, 0.93, 0.94, 0.90, 0.95])
    >>> round(low, 4), round(high, 4)
    (0.9003, 0.9517)
    >>> low, high = mean_interval([0.9, 0.9, 0.9], step=0.01)
    >>> round(high - low, 4)
    0.0143
    """
    kept = finite(values)
    if kept.size < 2:
        return None
    # Values that differ by rounding alone are equal.
    same = np.ptp(kept) <= RESOLUTION * np.abs(kept).max()
    deviation = max(0.0 if same else float(kept.std(ddof=1)), step / math.sqrt(12))
    if not deviation:
        return float(kept[0]), float(kept[0])
    centre, half = float(kept.mean()), t_quantile(kept.size - 1, level) * deviation / math.sqrt(kept.size)
    return centre - half, centre + half


def prediction_interval(values: ArrayLike, level: float = 0.95, step: float = 0.0) -> Interval | None:
    """Student's interval of one more value: mean ± t·s·√(1 + 1/n), arguments as of `mean_interval`.

    >>> low, high = prediction_interval([0.91, 0.93, 0.94, 0.90, 0.95])
    >>> round(low, 3), round(high, 3)
    (0.863, 0.989)
    """
    kept = finite(values)
    interval = mean_interval(kept, level, step)
    if interval is None:
        return None
    centre, half = float(kept.mean()), (interval[1] - interval[0]) / 2 * math.sqrt(kept.size + 1)
    return centre - half, centre + half


@cache
def t_quantile(freedom: int, level: float) -> float:
    """The t that bounds the middle `level` of Student's distribution."""
    if level == 0.95 and freedom <= len(T95):
        return T95[freedom - 1]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def estimate(values: Sequence[float] | Floats, step: float = 0.0) -> Estimate:
    """Mean, median and 95 % interval of the mean of values (n,), the ones that are not finite masked.

    Args:
        values: (n,).
        step: of `mean_interval`; values that have one are shares, and their interval ends at 0 and 1.

    >>> e = estimate([0.5, float("nan"), 0.5])
    >>> e.mean, e.ci95, e.count, len(e.values)
    (0.5, (0.5, 0.5), 2, 3)
    """
    kept = finite(values)
    interval = mean_interval(kept, step=step)
    if interval and step:
        interval = max(0.0, interval[0]), min(1.0, interval[1])
    return Estimate(mean(kept), median(kept), interval, kept.size, tuple(float(value) for value in values))


def share_interval(successes: int, count: int, level: float = 0.95) -> Interval:
    """Clopper and Pearson's exact interval of a share: it covers with at least `level`, whatever the share is.

    The ends are the shares at which so many successes, or more, and so many, or fewer, have a chance of (1 − level)/2.

    Source: Clopper & Pearson 1934, The use of confidence or fiducial limits, doi 10.1093/biomet/26.4.404.

    >>> [round(end, 3) for end in share_interval(10, 10)], [round(end, 3) for end in share_interval(3, 10)]
    ([0.692, 1.0], [0.067, 0.652])
    """
    tail = (1 - level) / 2
    if successes in (0, count):
        # All or none have closed forms, without the import.
        bound = tail ** (1 / count)
        return (0.0, 1 - bound) if not successes else (bound, 1.0)
    from scipy.special import betaincinv

    low = betaincinv(successes, count - successes + 1, tail)
    return float(low), float(betaincinv(successes + 1, count - successes, 1 - tail))


def binomial_tail(successes: int, count: int, share: float) -> float:
    """The chance of so many successes or more in `count` trials, each with probability `share`.

    >>> binomial_tail(532, 1000, 0.5) < 0.025 < binomial_tail(531, 1000, 0.5)
    True
    >>> binomial_tail(40, 40, 1.0), binomial_tail(1, 40, 0.0), binomial_tail(0, 40, 0.0)
    (1.0, 0.0, 1.0)
    """
    if successes <= 0 or share >= 1:
        return 1.0
    if share <= 0:
        return 0.0
    k = np.arange(successes, count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logarithms = factorials[count] - factorials[k] - factorials[count - k]
    return min(1.0, float(np.exp(logarithms + k * math.log(share) + (count - k) * math.log1p(-share)).sum()))


def median_interval(values: ArrayLike, level: float = 0.95) -> Interval | None:
    """Interval of the median between order statistics, distribution-free: [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎].

    k is the largest with P(Binomial(n, ½) < k) ≤ (1 − level)/2. Infinite values, for what never happens, are later
    than any other and are not left out. None where no k is left: with fewer than six values at 95 %.

    Source: Thompson 1936, On confidence ranges for the median, doi 10.1214/aoms/1177732502.

    >>> median_interval([3, 1, 2, 4, 5, float("inf")]), median_interval(range(10))
    ((1.0, inf), (1.0, 8.0))
    """
    ordered = np.sort(np.asarray(values, dtype=float).ravel())
    n, below, k = ordered.size, 0.0, 0
    while below + math.comb(n, k) / 2**n <= (1 - level) / 2:
        below += math.comb(n, k) / 2**n
        k += 1
    return (float(ordered[k - 1]), float(ordered[n - k])) if k else None


def unseen_share(samples: int) -> float:
    """The largest share of the data that can be missed by `samples` of them in 5 of 100 cases.

    Source: Hanley & Lippman-Hand 1983, If nothing goes wrong, is everything all right?,
    doi 10.1001/jama.1983.03330370053031.

    >>> round(unseen_share(128), 3)
    0.023
    """
    return 1 - 0.05 ** (1 / samples)
