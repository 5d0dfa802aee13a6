"""The signs of whole seeds flipped: what chance makes of differences that share their seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import RESOLUTION, Floats

#: What is said of a study is wrong in at most this share of studies.
ALPHA = 0.05
# Up to so many seeds all 2ⁿ sign flips are tried; with more seeds, as many random ones, always the same.
EXACT_SEEDS = 12
SEED = 20_240_601


def sign_flips(seeds: int) -> Floats:
    """Ways to flip the signs of seeds, (ways, seeds) of ±1: no flip at all first.

    >>> sign_flips(2).tolist()
    [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]
    """
    if seeds <= EXACT_SEEDS:
        bits = np.arange(2**seeds)[:, None] >> np.arange(seeds) & 1
        return 1.0 - 2.0 * bits
    drawn = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(2**EXACT_SEEDS, seeds))
    drawn[0] = 1.0
    return drawn


def in_order(values: Floats) -> Floats:
    """The columns of values (rows, seeds) in an order of their own: random flips must not depend on that of the seeds.

    >>> in_order(np.array([[2.0, 1.0], [4.0, 3.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return values[:, np.lexsort(values)]


def without_rounding(differences: Floats, largest: float) -> Floats:
    """Differences in which those that rounding makes, of numbers up to `largest`, are zero."""
    return np.where(np.abs(differences) <= RESOLUTION * largest, 0.0, differences)


def floor_of(step: float) -> float:
    """The smallest standard deviation of a difference of two values that are rounded to multiples of a step.

    step/√12 of each, which add up in the squares.

    >>> round(floor_of(0.1), 4)
    0.0408
    """
    return math.sqrt(2) * step / math.sqrt(12)


def statistics(differences: Floats, signs: Floats, floor: float) -> Floats:
    """t of the mean of each row under each flip, (ways, rows).

    Args:
        differences: (rows, seeds), NaN where a row lacks a seed.
        signs: (ways, seeds).
        floor: standard deviations below it count as it.

    Returns:
        mean/(s/√n) over the seeds a row has; 0 where the mean is none, infinite where the mean is not none and
        everything else is.

    >>> statistics(np.array([[1.0, 3.0]]), np.ones((1, 2)), 0.0).round(3).tolist()
    [[2.0]]
    """
    known = np.isfinite(differences)
    held = np.where(known, differences, 0.0)
    counts = known.sum(axis=1)
    means = signs @ held.T / counts
    variances = np.maximum((held**2).sum(axis=1) - counts * means**2, 0.0) / (counts - 1)
    errors = np.sqrt(np.maximum(variances, floor**2) / counts)
    # Equal differences without a step have no error.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(means == 0, 0.0, means / errors)


def reaches(found: ArrayLike, wanted: ArrayLike) -> np.ndarray:
    """Whether statistics are as large as others, but for rounding."""
    wanted = np.asarray(wanted, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.asarray(found) >= wanted - 1e-9 * np.abs(np.where(np.isfinite(wanted), wanted, 0.0)) - 1e-12
