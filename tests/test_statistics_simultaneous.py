"""Many differences at once: against all sign flips tried one by one with SciPy's t, and over many made-up studies."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from actlab.statistics.intervals import mean_interval, median_interval, share_interval
from actlab.statistics.simultaneous import differences_at_once


def pairs_of(values):
    return np.array([a - b for a, b in itertools.combinations(values, 2)])


def p_by_hand(differences):
    """Step-down max-T by its definition: one hypothesis after the other, one flip after the other."""
    size = np.abs(stats.ttest_1samp(differences, 0, axis=1).statistic)
    order = sorted(range(len(differences)), key=lambda i: -size[i])
    flips = list(itertools.product([1, -1], repeat=differences.shape[1]))
    found, before = {}, 0.0
    for place, i in enumerate(order):
        left = order[place:]
        largest = [np.abs(stats.ttest_1samp(differences[left] * flip, 0, axis=1).statistic).max() for flip in flips]
        before = max(before, float(np.mean(np.array(largest) >= size[i] - 1e-9)))
        found[i] = before
    return [found[i] for i in range(len(differences))]


@pytest.mark.parametrize(("functions", "seeds"), [(2, 6), (3, 7), (4, 8)])
def test_p_is_that_of_all_flips_tried_one_by_one(functions, seeds):
    rng = np.random.default_rng(functions)
    values = rng.normal(size=(functions, seeds)) + np.linspace(0, 2, functions)[:, None]
    differences = pairs_of(values)
    np.testing.assert_allclose([one.p for one in differences_at_once(differences)], p_by_hand(differences))


def test_one_difference_has_students_interval_or_a_wider_one():
    rng = np.random.default_rng(0)
    for seeds in (2, 5, 6, 10, 30):
        values = rng.normal(size=seeds)
        (one,) = differences_at_once(values[None])
        low, high = stats.t.interval(0.95, seeds - 1, values.mean(), stats.sem(values))
        assert one.ci95[0] <= low + 1e-12
        assert one.ci95[1] >= high - 1e-12


def test_fewer_than_six_seeds_tell_nothing_and_have_bonferronis_intervals():
    values = np.array([[5.0, 5.1, 4.9, 5.05, 4.95], [1.0, 1.1, 0.9, 1.05, 0.95]])
    for row, one in zip(values, differences_at_once(values), strict=True):
        low, high = stats.t.interval(1 - 0.05 / 2, 4, row.mean(), stats.sem(row))
        assert not one.is_told
        # What is not told apart has an interval that holds zero.
        assert one.ci95 == pytest.approx((min(low, 0), high))


def test_test_and_interval_never_contradict_each_other():
    rng = np.random.default_rng(1)
    told = open_ones = 0
    for _ in range(60):
        values = rng.normal(size=(5, 8)) + rng.uniform(0, 4, size=(5, 1))
        for one in differences_at_once(pairs_of(values)):
            low, high = one.ci95
            assert low <= one.difference <= high
            assert (low >= 0 or high <= 0) if one.is_told else low <= 0 <= high
            told += one.is_told
            open_ones += not one.is_told
    assert min(told, open_ones) > 50


@pytest.mark.parametrize("seeds", [10, 20])
def test_the_order_of_the_seeds_does_not_matter(seeds):
    rng = np.random.default_rng(seeds)
    differences = pairs_of(rng.normal(size=(4, seeds)) + np.arange(4)[:, None] / 3)
    shuffled = differences[:, rng.permutation(seeds)]
    for ours, theirs in zip(differences_at_once(differences), differences_at_once(shuffled), strict=True):
        assert ours.p == theirs.p
        assert ours.ci95 == pytest.approx(theirs.ci95, rel=1e-12)


def test_a_seed_that_a_difference_lacks_is_left_out_of_it_alone():
    rng = np.random.default_rng(2)
    whole = rng.normal(size=(2, 9)) + 1
    holed = whole.copy()
    holed[0, 3] = math.nan
    first, second = differences_at_once(holed)
    assert (first.seeds, second.seeds) == (8, 9)
    assert first.difference == pytest.approx(np.delete(whole[0], 3).mean())
    (alone,) = differences_at_once(np.delete(whole[:1], 3, axis=1))
    assert first.p >= alone.p


def test_equal_ones_lone_seeds_and_nothing_at_all():
    none, unknown = differences_at_once([[0.0] * 8, [math.nan] * 8], floor=0.01)
    assert none.p == 1
    assert none.ci95[0] < 0 < none.ci95[1]
    assert (math.isnan(unknown.difference), unknown.ci95, unknown.seeds) == (True, None, 0)
    assert not unknown.is_told
    (one,) = differences_at_once([[0.3]])
    assert (one.difference, one.ci95, one.seeds, one.is_told) == (0.3, None, 1, False)
    assert differences_at_once(np.empty((0, 5))) == ()
    # The same accuracies but for rounding are no difference; a constant one without a step is infinitely clear.
    (same,) = differences_at_once([[1e-9] * 8], largest=0.9)
    assert (same.p, same.ci95) == (1, (0, 0))
    (constant,) = differences_at_once([[0.25] * 8])
    assert (constant.p, constant.ci95) == (2 / 2**8, (0.25, 0.25))


@pytest.mark.parametrize(("functions", "seeds"), [(2, 8), (5, 8)])
def test_equal_functions_are_seldom_told_apart(functions, seeds):
    """The chance is at most 5 %; 600 studies tell 5 from 8 % with near certainty."""
    rng = np.random.default_rng(3)
    studies = (differences_at_once(pairs_of(rng.normal(size=(functions, seeds)))) for _ in range(600))
    wrong = sum(any(one.is_told for one in found) for found in studies)
    assert stats.binomtest(wrong, 600, 0.05, alternative="greater").pvalue > 0.001
    assert wrong > 0


def test_intervals_hold_all_together():
    rng = np.random.default_rng(4)
    means, spreads = np.array([0.0, 0, 1, 3]), np.array([0.5, 1, 1, 2])
    truth = pairs_of(means[:, None])[:, 0]
    held = 0
    for _ in range(400):
        values = means[:, None] + spreads[:, None] * rng.normal(size=(4, 8))
        found = differences_at_once(pairs_of(values))
        held += all(one.ci95[0] <= true <= one.ci95[1] for one, true in zip(found, truth, strict=True))
    assert stats.binomtest(held, 400, 0.95, alternative="less").pvalue > 0.001


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (5, 5), (3, 10), (1, 1), (99, 100)])
def test_shares_have_scipys_exact_interval(successes, count):
    exact = stats.binomtest(successes, count).proportion_ci(method="exact")
    assert share_interval(successes, count) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("count", [6, 9, 10, 20, 33])
def test_medians_have_scipys_interval(count):
    values = np.random.default_rng(count).normal(size=count)
    exact = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert median_interval(values) == (exact.low, exact.high)


def test_medians_of_few_values_and_of_never():
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert median_interval([3, 1, 2, math.inf, math.inf, math.inf]) == (1, math.inf)


def test_students_interval_covers_with_ten_seeds_of_two_modes():
    """Three in ten seeds ten points lower: what a bootstrap of ten covers in nine of ten studies."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2000):
        low, high = mean_interval(0.95 - 0.1 * (rng.random(10) < 0.3) + 0.005 * rng.normal(size=10))
        held += low <= 0.92 <= high
    assert held / 2000 >= 0.935
