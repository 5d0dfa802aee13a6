"""Which activations may be the best: all but those that are told from a better one, whatever was looked at first."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import RESOLUTION, Floats

# An activation is left out if chance alone does this well against it in fewer than one of twenty cases.
ALPHA = 0.05
# Up to so many seeds all 2ⁿ sign flips are tried; with more seeds, as many random ones, always the same.
EXACT_SEEDS = 12
SEED = 20_240_601
# With fewer seeds even the most extreme of all flips, one in 2ⁿ, is not rare enough.
FEWEST_SEEDS = 5


def chances_of_best(values: ArrayLike, step: float = 0.0) -> Floats:
    """For each activation, p of the hypothesis that none of the others has a higher mean.

    Multiple comparisons with the best. For activation i, T = max over j of the paired t statistic of x_j − x_i; under
    the hypothesis the vector of differences of a seed is as likely as its negative, so that p is the share of all ways
    to flip the signs of whole seeds that give T or more. Those with p > 0.05 may be the best: the best one is among
    them in 95 of 100 studies, however many activations there are. Several that are equally good are not all at once.

    Source: Hsu 1996, Multiple Comparisons, chapter 4; the maximum over sign flips as in Westfall & Young 1993,
    Resampling-Based Multiple Testing.

    Args:
        values: (activations, seeds), finite; larger is better, columns share their seed.
        step: the smallest difference that two values of an activation can have, 1/N for a share of N samples.

    Returns:
        p, (activations,), in [0, 1]; 1 where there is nothing to compare with.

    >>> worse, better = [0.90, 0.91, 0.90, 0.92, 0.90], [0.95, 0.94, 0.96, 0.95, 0.94]
    >>> chances_of_best([worse, better]).tolist()
    [0.03125, 1.0]
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or values.shape[1] < 2:
        return np.ones(len(values))
    # Sorted: with random flips the result would depend on the order of the seeds.
    values = values[:, np.lexsort(values)]
    signs = _signs(values.shape[1])
    floor = math.sqrt(2) * step / math.sqrt(12)
    resolution = RESOLUTION * float(np.abs(values).max())
    return np.array([_chance(np.delete(values, i, 0) - own, signs, floor, resolution) for i, own in enumerate(values)])


def _signs(seeds: int) -> Floats:
    """Ways to flip the signs of seeds, (ways, seeds): no flip at all first."""
    if seeds <= EXACT_SEEDS:
        bits = np.arange(2**seeds)[:, None] >> np.arange(seeds) & 1
        return 1.0 - 2.0 * bits
    drawn = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(2**EXACT_SEEDS, seeds))
    drawn[0] = 1.0
    return drawn


def _chance(differences: Floats, signs: Floats, floor: float, resolution: float) -> float:
    """Share of sign flips at which the largest t of differences (others, seeds) is as large as without any."""
    differences = np.where(np.abs(differences) <= resolution, 0.0, differences)
    seeds = differences.shape[1]
    means = signs @ differences.T / seeds
    squares = (differences**2).sum(axis=1)
    variances = np.maximum(squares - seeds * means**2, 0.0) / (seeds - 1)
    errors = np.sqrt(np.maximum(variances, floor**2) / seeds)
    # Equal differences without a step have no error: the statistic is infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = np.where(means == 0, 0.0, means / errors).max(axis=1)
    return float(np.mean(statistics >= statistics[0] * (1 - 1e-9 * np.sign(statistics[0])) - 1e-12))
