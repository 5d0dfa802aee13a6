"""Many differences at once: which of them are told from none, and intervals that hold all together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import Floats, Interval, mean, t_quantile
from actlab.statistics.sign_flips import ALPHA, in_order, reaches, sign_flips, statistics, without_rounding

# With fewer seeds even the most extreme of all flips, two in 2ⁿ, is not rare enough.
FEWEST_SEEDS = 6
# Numbers that are held at a time: flips × differences.
BLOCK = 2**22


@dataclass(frozen=True)
class Difference:
    """One of a family of mean differences.

    Attributes:
        difference: the mean over the seeds it has; NaN without any.
        ci95: simultaneous: all intervals of the family hold their differences in 95 of 100 studies. None with fewer
            than two seeds.
        p: of the step-down test, corrected for the whole family; NaN with fewer than two seeds.
        seeds: how many it has.
    """

    difference: float
    ci95: Interval | None
    p: float
    seeds: int

    @property
    def is_told(self) -> bool:
        """Whether it is told from none; its interval then lies on one side of zero, and else holds zero."""
        return self.p <= ALPHA


def differences_at_once(
    differences: ArrayLike, floor: float = 0.0, largest: float = 0.0, looks: int = 1
) -> tuple[Difference, ...]:
    """Test a family of mean differences and give them intervals, from one statistic: the largest |t| of all of them.

    Test: step-down max-T. If no difference were any, a seed's whole vector of differences would be as likely as its
    negative; p is the share of all ways to flip the signs of whole seeds at which the largest |t| is as large, among
    the differences that are not told yet. The chance that any true zero is told apart is at most 5 %, whatever the
    others are.

    Interval: difference ± c·s/√n, c the 95 % point of the largest |t| when the signs of the deviations from the means
    are flipped, and never below that of Student's t for one difference; with fewer than six seeds, for which the test
    can tell nothing, Student's with Bonferroni's correction. Where the test tells more than the interval, which
    stepping down lets it, the interval ends at zero; where it tells less, the interval is drawn out to zero.

    Sources: Westfall & Young 1993, Resampling-Based Multiple Testing, 2.6; Romano & Wolf 2005, doi
    10.1198/016214504000000539; intervals that end at zero as of Strassburger & Bretz 2008, doi 10.1002/sim.3338.

    Args:
        differences: (family, seeds), columns share their seed; NaN where a difference lacks one.
        floor: the smallest standard deviation that a difference can have; see `sign_flips.floor_of`.
        largest: of the numbers that were subtracted; differences that their rounding makes count as none.
        looks: at how many numbers of seeds one looks at them at most. p is corrected for all of them, and so are the
            intervals, after Bonferroni: what is said at any of the looks errs in 5 of 100 studies together.

    >>> told, open_one = differences_at_once([[3, 2, 3, 4, 3, 2], [1, -2, 3, -1, 0, 1]])
    >>> told.p, told.is_told, open_one.is_told
    (0.03125, True, False)
    >>> told.ci95[0] >= 0, open_one.ci95[0] < 0 < open_one.ci95[1]
    (True, True)
    """
    table = without_rounding(np.atleast_2d(np.asarray(differences, dtype=float)), largest)
    if not table.size:
        return ()
    counts = np.isfinite(table).sum(axis=1)
    means = [mean(row) for row in table]
    tested = np.flatnonzero(counts > 1)
    p, widths = np.full(len(table), np.nan), np.full(len(table), np.nan)
    if tested.size:
        own = in_order(table[tested])
        own = own[:, np.isfinite(own).any(axis=0)]
        p[tested], critical = _tested(own, floor, looks)
        deviations = np.maximum(np.nanstd(own, axis=1, ddof=1), floor)
        widths[tested] = critical * deviations / np.sqrt(counts[tested])
    return tuple(
        Difference(
            centre, None if count < 2 else _interval(centre, float(width), float(value)), float(value), int(count)
        )
        for centre, width, value, count in zip(means, widths, p, counts, strict=True)
    )


def _interval(centre: float, width: float, p: float) -> Interval:
    low, high = centre - width, centre + width
    if p <= ALPHA:
        return (max(low, 0.0), high) if centre > 0 else (low, min(high, 0.0))
    return min(low, 0.0), max(high, 0.0)


def _tested(differences: Floats, floor: float, looks: int) -> tuple[Floats, Floats]:
    """Corrected p of each row, and the factor of its standard error that makes the intervals hold together."""
    family, seeds = differences.shape
    signs = sign_flips(seeds)
    observed = np.abs(statistics(differences, signs[:1], floor)[0])
    # From the smallest on: what is told first is left out of what the next one is compared with.
    order = np.argsort(observed, kind="stable")
    centred = differences - np.nanmean(differences, axis=1, keepdims=True)
    exceeded, largest = np.zeros(family), []
    for part in np.array_split(signs, math.ceil(signs.size * family / seeds / BLOCK)):
        flipped = np.abs(statistics(differences[order], part, floor))
        exceeded += reaches(np.maximum.accumulate(flipped, axis=1), observed[order]).sum(axis=0)
        largest.append(np.abs(statistics(centred, part, floor)).max(axis=1))
    p = np.empty(family)
    p[order] = np.minimum(1, looks * np.maximum.accumulate((exceeded / len(signs))[::-1])[::-1])
    alpha = ALPHA / looks
    counts = np.isfinite(differences).sum(axis=1)
    alone = np.array([t_quantile(count - 1, 1 - alpha) for count in counts])
    if seeds < FEWEST_SEEDS:
        return p, np.array([t_quantile(count - 1, 1 - alpha / family) for count in counts])
    return p, np.maximum(alone, np.quantile(np.concatenate(largest), 1 - alpha, method="higher"))
