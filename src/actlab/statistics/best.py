"""Which activations may be the best: all but those that are told from a better one, whatever was looked at first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from actlab.statistics.intervals import Floats
from actlab.statistics.sign_flips import floor_of, in_order, reaches, sign_flips, statistics, without_rounding


def chances_of_best(values: ArrayLike, step: float = 0.0, looks: int = 1) -> Floats:
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
        looks: at how many numbers of seeds one looks at most: p is corrected for them, after Bonferroni.

    Returns:
        p, (activations,), in [0, 1]; 1 where there is nothing to compare with.

    >>> worse, better = [0.90, 0.91, 0.90, 0.92, 0.90], [0.95, 0.94, 0.96, 0.95, 0.94]
    >>> chances_of_best([worse, better]).tolist()
    [0.03125, 1.0]
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or values.shape[1] < 2:
        return np.ones(len(values))
    values = in_order(values)
    signs, largest = sign_flips(values.shape[1]), float(np.abs(values).max())
    found = []
    for i, own in enumerate(values):
        differences = without_rounding(np.delete(values, i, 0) - own, largest)
        best = statistics(differences, signs, floor_of(step)).max(axis=1)
        found.append(float(np.mean(reaches(best, best[0]))))
    return np.minimum(1, looks * np.array(found))
