"""What a comparison says of new data: the test set is a sample, too, and another one would say something else.

Right or wrong is known by seed and item. Means over both have three parts of noise: of the seeds, of the items, and of
what a seed makes of an item.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actlab.statistics.intervals import Floats, Interval, share_interval, t_quantile
from actlab.statistics.sign_flips import ALPHA

DRAWS = 1000
# The sum of more numbers with random signs than these is normal, and drawn as such: no table of all signs is made.
MANY = 20_000
SEED = 20_240_602


@dataclass(frozen=True)
class Crossed:
    """The mean of a table (seeds, items) and its noise, as of the crossed random effects model.

    Attributes:
        mean: over the whole table.
        error: standard error of the mean over new seeds and new items together.
        freedom: degrees of freedom of the error, by Satterthwaite's rule.
        items: how many there are.
    """

    mean: float
    error: float
    freedom: float
    items: int

    def factor(self, level: float = 0.95) -> float:
        """Student's t at a level of its degrees of freedom."""
        return t_quantile(min(max(1, int(min(self.freedom, 1e6))), 10**6), level)

    def interval(self, widened: float = 1.0, level: float = 0.95) -> Interval:
        """mean ± t · error, the error widened by a factor."""
        half = widened * self.factor(level) * self.error
        return self.mean - half, self.mean + half

    def share_interval(self) -> Interval:
        """The interval of a mean that is a share: Wilson's, corrected for continuity, of so many samples.

        A share near 1 has more room below than above, which mean ± t · error does not know.

        Sources: Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, method 4;
        effective sample sizes as of Korn & Graubard 1998, Survey Methodology 24, 193–201.
        """
        share, t = self.mean, self.factor()
        if not self.error:
            # All right or all wrong: of as many samples as there are items.
            return share_interval(round(share * self.items), self.items)
        n = share * (1 - share) / self.error**2
        middle, width = 2 * n * share + t**2, 2 * (n + t**2)
        below = t**2 - 2 - 1 / n + 4 * share * (n * (1 - share) + 1)
        above = t**2 + 2 - 1 / n + 4 * share * (n * (1 - share) - 1)
        low = (middle - 1 - t * math.sqrt(max(0.0, below))) / width
        high = (middle + 1 + t * math.sqrt(max(0.0, above))) / width
        return max(0.0, min(low, share)), min(1.0, max(high, share))


def crossed(table: NDArray[np.bool_] | Floats) -> Crossed:
    """Mean and standard error of a table whose seeds and items are both a sample.

    y = μ + seed + item + rest; the variance of the mean, σ²_seed/S + σ²_item/I + σ²_rest/(S·I), is estimated by the
    mean squares of the two-way analysis of variance, (MS_seeds + MS_items − MS_rest)/(S·I), and never less than the
    largest of the three alone.

    Source: Searle, Casella & McCulloch 1992, Variance Components, chapter 4; Satterthwaite 1946, doi 10.2307/3002019.

    Args:
        table: (seeds, items), at least two of each.

    >>> found = crossed(np.array([[1.0, 0, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1]]))
    >>> round(found.mean, 4), round(found.error, 4)
    (0.6667, 0.2357)
    """
    values = np.asarray(table, dtype=float)
    return _crossed(values.mean(axis=1), values.mean(axis=0), float((values**2).sum()))


def _crossed(by_seed: Floats, by_item: Floats, squares_sum: float) -> Crossed:
    """The same from the means of each seed and of each item, and the sum of the squares of all numbers."""
    seeds, items, centre = len(by_seed), len(by_item), float(by_seed.mean())
    of_seeds = items * float(((by_seed - centre) ** 2).sum())
    of_items = seeds * float(((by_item - centre) ** 2).sum())
    rest = max(0.0, squares_sum - seeds * items * centre**2 - of_seeds - of_items)
    freedoms = (seeds - 1, items - 1, (seeds - 1) * (items - 1))
    squares = [total / freedom for total, freedom in zip((of_seeds, of_items, rest), freedoms, strict=True)]
    joint = max(squares[0] + squares[1] - squares[2], *squares)
    spread = sum(square**2 / freedom for square, freedom in zip(squares, freedoms, strict=True))
    return Crossed(centre, math.sqrt(joint / (seeds * items)), joint**2 / spread if spread else math.inf, items)


def new_data_intervals(
    right: NDArray[np.bool_], pairs: Sequence[tuple[int, int]], looks: int = 1
) -> list[tuple[Crossed, Interval]]:
    """Differences in accuracy between activations on new data, with intervals that hold all together.

    Half an item is added that only one of the two has right, and half one that only the other has: where few items tell
    the two apart, the error is known badly. The factor of the errors is the 95 % point of the largest |t| when
    deviations of whole seeds and of whole items from their means are multiplied by random signs, the same for all
    activations; that widens Student's factor of each.

    Args:
        right: (activations, seeds, items), rows share their seeds and their items.
        pairs: places of the two activations.
        looks: at how many numbers of seeds one looks at most: the intervals are corrected for them, after Bonferroni.

    Returns:
        for each pair the mean of a − b with its error, and its interval.

    Sources: Owen & Eckles 2012, Bootstrapping data arrays of arbitrary order, doi 10.1214/12-AOAS547; Agresti & Min
    2005, doi 10.1002/sim.1781.
    """
    _, seeds, items = right.shape
    # Means by activation: their differences are those of the pairs. A difference is ±1 where one alone is right.
    by_seed, by_item = right.mean(axis=2), right.mean(axis=1)
    found = [
        _never_sure(
            _crossed(by_seed[a] - by_seed[b], by_item[a] - by_item[b], int(np.count_nonzero(right[a] != right[b]))),
            items,
        )
        for a, b in pairs
    ]
    generator, moved = np.random.default_rng(SEED), np.zeros((DRAWS, len(right)), np.float32)
    for means, count in ((by_seed, seeds), (by_item, items)):
        moved += _by_signs(generator, (means - means.mean(axis=1, keepdims=True)) / count)
    largest = np.zeros(DRAWS)
    for a, b in pairs:
        difference = moved[:, a] - moved[:, b]
        spread = float(np.sqrt(np.mean(difference**2)))
        if spread:
            largest = np.maximum(largest, np.abs(difference) / spread)
    level = 1 - ALPHA / looks
    together = float(np.quantile(largest, level)) if len(found) > 1 else 0.0
    widened = max(1.0, together / t_quantile(10**6, level))
    return [(one, one.interval(widened, level)) for one in found]


def _by_signs(generator: np.random.Generator, deviations: Floats) -> NDArray[np.float32]:
    """Sums of deviations (activations, count) that random signs multiply, (DRAWS, activations)."""
    activations, count = deviations.shape
    if count > MANY:
        covariance = deviations @ deviations.T
        drawn = generator.multivariate_normal(np.zeros(activations), covariance, DRAWS, method="svd")
        return drawn.astype(np.float32)
    signs = generator.integers(0, 2, (DRAWS, count), dtype=np.int8).astype(np.float32) * 2 - 1
    return signs @ deviations.T.astype(np.float32)


def _never_sure(difference: Crossed, items: int) -> Crossed:
    error = math.hypot(difference.error, 1 / (items + 2))
    return Crossed(difference.mean, error, difference.freedom, items)
