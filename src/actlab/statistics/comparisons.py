"""Whether two activations differ: everything is paired, value i of one and of the other share their seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import RESOLUTION, Floats, Interval, mean_interval

# Up to here the exact distribution takes milliseconds; beyond, the normal one is as good.
EXACT_PAIRS = 300


@dataclass(frozen=True)
class Comparison:
    """Mean `difference` (a − b), its interval, test and effect size over `pairs` pairs finite on both sides.

    `difference` and `p` are NaN without pairs, `ci95` is None with fewer than two.
    """

    difference: float
    ci95: Interval | None
    p: float
    effect_size: float
    pairs: int


def compare(a: ArrayLike, b: ArrayLike, step: float = 0.0) -> Comparison:
    """Compare two activations over the same seeds.

    Args:
        a, b: (seeds,), value i of both from the same seed. A pair counts only if both are finite.
        step: the smallest difference that two values of one of them can have; see `mean_interval`.

    >>> c = compare([0.95, 0.96, 0.97], [0.94, 0.94, float("nan")])
    >>> round(c.difference, 6), c.pairs, c.p, c.effect_size
    (0.015, 2, 0.5, 1.0)
    """
    differences, resolution = paired_differences(a, b)
    ranks = signed_ranks(differences, resolution)
    pairs = differences.size
    return Comparison(
        difference=float(differences.mean()) if pairs else math.nan,
        # Two roundings: their variances add up.
        ci95=mean_interval(differences, step=math.sqrt(2) * step),
        p=signed_rank_p(ranks) if pairs else math.nan,
        effect_size=rank_biserial(ranks) if pairs else math.nan,
        pairs=pairs,
    )


def paired_differences(a: ArrayLike, b: ArrayLike) -> tuple[Floats, float]:
    """Differences a − b of the pairs finite on both sides, and the size below which a difference is none.

    Raises:
        ValueError: a and b are not of one length.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"pairs need two lists of one length, got shapes {left.shape} and {right.shape}.")
    both = np.isfinite(left) & np.isfinite(right)
    largest = max(np.abs(left[both]).max(initial=0), np.abs(right[both]).max(initial=0))
    return left[both] - right[both], RESOLUTION * float(largest)


def signed_ranks(differences: ArrayLike, resolution: float = 0.0) -> Floats:
    """Ranks of |differences|, from 1, with the signs of the differences; ties share their mean rank.

    Zeros are left out, as in Wilcoxon's own test.

    Args:
        differences: (n,), finite.
        resolution: what is no larger is zero, and what is no further apart is tied. Accuracies need it:
            0.95 − 0.94 and 0.94 − 0.93 are the same step, and rounding must not decide which ranks higher.

    Returns:
        (n − zeros,).

    >>> signed_ranks([0.3, -0.1, 0.0, 0.1, 0.1]).tolist()
    [4.0, -2.0, 2.0, 2.0]
    """
    kept = np.asarray(differences, dtype=float)
    kept = kept[np.abs(kept) > resolution]
    order = np.argsort(np.abs(kept), kind="stable")
    steps = np.diff(np.abs(kept)[order], prepend=-np.inf) > resolution
    group = np.cumsum(steps) - 1
    shared = np.bincount(group, weights=np.arange(1, kept.size + 1)) / np.bincount(group) if kept.size else kept
    ranks = np.empty(kept.size)
    ranks[order] = shared[group]
    return np.copysign(ranks, kept)


def signed_rank_p(ranks: ArrayLike) -> float:
    """Two-sided p of the Wilcoxon signed-rank test, from `signed_ranks`; 1 if every difference is zero.

    Exact, ties included, for up to 300 pairs: every rank is positive or negative with equal probability,
    and the distribution of their sum is built up rank by rank. Normal approximation beyond.

    Source: Wilcoxon 1945, Individual comparisons by ranking methods, doi 10.2307/3001968.

    >>> signed_rank_p(signed_ranks([1, 2, 3, 4, 5]))
    0.0625
    """
    ranks = np.asarray(ranks, dtype=float)
    if ranks.size > EXACT_PAIRS:
        from scipy.stats import wilcoxon

        return float(np.asarray(wilcoxon(ranks, method="asymptotic"))[1])
    # Shared ranks are whole or half numbers: doubled, all are whole.
    doubled = np.rint(2 * ranks).astype(int)
    smaller = min(doubled[doubled > 0].sum(), -doubled[doubled < 0].sum())
    return min(1.0, 2 * float(_rank_sums(tuple(sorted(np.abs(doubled).tolist())))[: smaller + 1].sum()))


@lru_cache
def _rank_sums(ranks: tuple[int, ...]) -> Floats:
    """The probability of each sum of the positive ones among ranks with random signs, from 0 to that of all."""
    probability = np.zeros(sum(ranks) + 1)
    probability[0] = 1
    for rank in ranks:
        probability[rank:] += probability[:-rank].copy()
        probability /= 2
    return probability


def rank_biserial(ranks: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation: share of the rank sum in favour of a, less that of b.

    In [−1, 1]: 1 if a is larger in every pair, 0 if neither is favoured or every difference is zero.

    Source: Kerby 2014, The simple difference formula, doi 10.2466/11.IT.3.1.

    >>> rank_biserial(signed_ranks([3, 2, -1]))
    0.6666666666666666
    """
    ranks = np.asarray(ranks, dtype=float)
    return float(ranks.sum() / np.abs(ranks).sum()) if ranks.size else 0.0


def holm(p: ArrayLike) -> Floats:
    """Holm's correction of p-values (m,): rejecting all below 0.05 errs anywhere with probability ≤ 0.05.

    NaN, a test that could not be made, stays NaN and does not count.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6, 65–70.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    factors = np.arange(order.size, 0, -1)
    corrected = np.full(p.shape, np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return corrected
