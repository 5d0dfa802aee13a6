"""Intervals, paired comparisons and waiting times against tables, enumeration and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from actlab.statistics.comparisons import (
    EXACT_PAIRS,
    compare,
    holm,
    paired_differences,
    rank_biserial,
    signed_rank_p,
    signed_ranks,
)
from actlab.statistics.intervals import T95, estimate, finite, mean, mean_interval, median
from actlab.statistics.time_to_target import first_epoch, learned_epoch, time_to_target

NAN, INF = math.nan, math.inf

# Darwin's fifteen pairs of cross- and self-fertilised maize, in eighths of an inch (Fisher 1935, ch. III).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def p_of(differences):
    return signed_rank_p(signed_ranks(differences))


def enumerated_p(ranks):
    """Two-sided p by trying all signs: the definition, 2^n terms."""
    sizes = np.abs(ranks)
    observed = abs(np.sum(ranks))
    sums = [abs(np.dot(signs, sizes)) for signs in itertools.product((-1, 1), repeat=len(sizes))]
    return np.mean(np.array(sums) >= observed - 1e-9)


def ranks_with_negative_sum(pairs, wanted):
    """Ranks 1 … pairs, of which some that add up to `wanted` are negative."""
    ranks = np.arange(1.0, pairs + 1)
    for rank in range(pairs, 0, -1):
        if rank <= wanted:
            ranks[rank - 1] *= -1
            wanted -= rank
    assert wanted == 0
    return ranks


class TestIntervals:
    def test_masks_what_is_not_finite_and_counts_the_rest(self):
        found = estimate([1.0, NAN, 3.0, INF, 8.0])
        assert (found.mean, found.median, found.count) == (4.0, 3.0, 3)
        assert len(found.values) == 5
        assert found.ci95 == mean_interval([1.0, 3.0, 8.0])

    def test_of_nothing(self):
        found = estimate([NAN, NAN])
        assert math.isnan(found.mean)
        assert math.isnan(found.median)
        assert found.ci95 is None
        assert found.count == 0
        assert finite([]).size == 0
        assert math.isnan(mean([]))
        assert math.isnan(median([]))

    def test_one_value_has_no_interval(self):
        assert mean_interval([0.5]) is None
        assert mean_interval([0.5, NAN]) is None

    @pytest.mark.parametrize("values", [[0.3] * 7, [0.1 + 0.2, 0.3, 0.3], [0.0, 0.0], [-2.0, -2.0]])
    def test_equal_values_without_a_step_give_a_point(self, values):
        low, high = mean_interval(values)
        assert low == high == values[0]

    @pytest.mark.parametrize("size", [2, 3, 10, 31])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_is_that_of_scipy(self, size, level):
        values = np.random.default_rng(size).exponential(size=size) ** 2
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert mean_interval(values, level) == pytest.approx((expected.low, expected.high), rel=1e-12)

    def test_the_quantiles_at_hand_are_those_of_scipy_to_the_last_bit(self):
        assert list(T95) == [float(stats.t.ppf(0.975, freedom)) for freedom in range(1, len(T95) + 1)]

    def test_the_order_of_the_values_does_not_matter(self):
        values = np.random.default_rng(1).normal(size=12)
        for seed in range(5):
            shuffled = np.random.default_rng(seed).permutation(values)
            assert mean_interval(shuffled) == pytest.approx(mean_interval(values), rel=1e-14)

    @pytest.mark.parametrize(("shift", "scale"), [(0, 1), (100, 1), (-3, 1e-4), (0, 1e30)])
    def test_moves_with_its_values(self, shift, scale):
        values = np.random.default_rng(3).exponential(size=9)
        low, high = mean_interval(values)
        assert mean_interval(shift + scale * values) == pytest.approx((shift + scale * low, shift + scale * high))

    def test_is_never_surer_than_the_test_set_is_fine(self):
        """Three seeds with 342 of 360 right: a uniform rounding error of one sample has a deviation of 1/√12."""
        low, high = mean_interval([0.95, 0.95, 0.95], step=1 / 360)
        half = stats.t.ppf(0.975, 2) / 360 / math.sqrt(12) / math.sqrt(3)
        assert (low, high) == pytest.approx((0.95 - half, 0.95 + half))

    def test_a_step_below_the_deviation_changes_nothing(self):
        values = [0.91, 0.93, 0.94]
        assert mean_interval(values, step=0.01) == mean_interval(values)

    def test_a_share_lies_between_none_and_all(self):
        assert estimate([1.0, 1.0, 0.99], step=0.01).ci95[1] == 1
        assert estimate([0.0, 0.0, 0.01], step=0.01).ci95[0] == 0
        assert mean_interval([1.0, 1.0, 0.99], step=0.01)[1] > 1

    @pytest.mark.parametrize("size", [3, 5, 10, 60])
    def test_covers_the_mean_of_normal_samples(self, size):
        samples = np.random.default_rng(7).normal(5.0, 2.0, size=(2000, size))
        intervals = np.array([mean_interval(sample) for sample in samples])
        covered = np.mean((intervals[:, 0] <= 5.0) & (intervals[:, 1] >= 5.0))
        # Four standard errors.
        assert abs(covered - 0.95) < 0.02

    @pytest.mark.parametrize("size", [5, 10, 20])
    def test_covers_the_mean_of_accuracies_over_few_samples(self, size):
        """As of a test set of 360: steps of 1/360, a deviation of 0.7 steps, the centre anywhere between two."""
        generator = np.random.default_rng(9)
        centres = generator.uniform(340, 341, size=(2000, 1))
        samples = np.rint(centres + 0.7 * generator.normal(size=(2000, size))) / 360
        # What rounding leaves of the mean: summed over all counts that occur.
        counts = np.arange(330, 351)
        shares = np.diff(stats.norm.cdf((np.append(counts, 351) - 0.5 - centres) / 0.7), axis=1)
        means = (shares * counts).sum(axis=1) / 360
        intervals = np.array([mean_interval(sample, step=1 / 360) for sample in samples])
        covered = np.mean((intervals[:, 0] <= means) & (intervals[:, 1] >= means))
        assert covered > 0.92


class TestSignedRanks:
    def test_ties_share_the_mean_rank_and_zeros_are_left_out(self):
        assert signed_ranks([0, 5, -2, 2, 9, -9, 9]).tolist() == [3, -1.5, 1.5, 5, -5, 5]

    def test_none(self):
        assert signed_ranks([]).size == 0
        assert signed_ranks([0.0, 0.0]).size == 0

    def test_equal_steps_of_accuracy_are_ties_in_spite_of_rounding(self):
        generator = np.random.default_rng(5)
        a, b = generator.integers(300, 361, size=(2, 40))
        as_metrics = [np.float32(count) / np.float32(360) for count in (a, b)]
        differences, resolution = paired_differences(*as_metrics)
        assert np.unique(np.abs(differences)).size > np.unique(np.abs(a - b)).size
        np.testing.assert_array_equal(signed_ranks(differences, resolution), signed_ranks(a - b))

    def test_darwins_maize(self):
        ranks = signed_ranks(DARWIN)
        assert (ranks[ranks > 0].sum(), -ranks[ranks < 0].sum()) == (96, 24)
        assert signed_rank_p(ranks) == pytest.approx(0.041259765625, abs=1e-15)
        assert rank_biserial(ranks) == pytest.approx((96 - 24) / 120)

    @pytest.mark.parametrize(
        ("pairs", "critical"),
        [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52), (25, 89)],
    )
    def test_published_critical_values(self, pairs, critical):
        """Two-sided 5 % column of the usual table (Wilcoxon & Wilcox 1964)."""
        assert signed_rank_p(ranks_with_negative_sum(pairs, critical)) <= 0.05
        assert signed_rank_p(ranks_with_negative_sum(pairs, critical + 1)) > 0.05

    @pytest.mark.parametrize("pairs", [1, 2, 5, 11])
    def test_all_signs_tried(self, pairs):
        generator = np.random.default_rng(pairs)
        for _ in range(10):
            ranks = signed_ranks(generator.integers(-4, 5, size=pairs))
            assert signed_rank_p(ranks) == pytest.approx(enumerated_p(ranks) if ranks.size else 1, abs=1e-12)

    @pytest.mark.parametrize("pairs", [3, 17, 50, EXACT_PAIRS])
    def test_agrees_with_scipy_without_ties(self, pairs):
        differences = np.random.default_rng(pairs).normal(0.2, 1, size=pairs)
        assert p_of(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=1e-9)

    def test_agrees_with_scipy_with_ties(self):
        differences = np.array([3, 1, 1, -1, 2, 2, 0, -4, 5, 5, 1])
        assert p_of(differences) == pytest.approx(stats.wilcoxon(differences).pvalue, rel=1e-12)

    def test_many_pairs_use_the_normal_approximation(self):
        differences = np.random.default_rng(0).normal(0.1, 1, size=EXACT_PAIRS + 1)
        assert p_of(differences) == pytest.approx(stats.wilcoxon(differences, method="asymptotic").pvalue)
        assert p_of(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=0.01)

    def test_no_difference_at_all(self):
        assert p_of([0.0, 0.0, 0.0]) == 1
        assert rank_biserial([]) == 0

    def test_sign_does_not_matter_to_p_and_turns_the_effect(self):
        ranks = signed_ranks(DARWIN)
        assert signed_rank_p(-ranks) == signed_rank_p(ranks)
        assert rank_biserial(-ranks) == -rank_biserial(ranks)


class TestHolm:
    def test_by_hand(self):
        # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last, 0.04, is raised to the one before it.
        np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])

    def test_never_above_one(self):
        assert holm([0.9, 0.8]).tolist() == [1, 1]

    def test_tests_that_could_not_be_made_do_not_count(self):
        np.testing.assert_array_equal(holm([0.01, NAN, 0.03]), [0.02, NAN, 0.03])
        assert holm([]).size == 0

    def test_order_does_not_matter(self):
        p = np.random.default_rng(0).random(20) ** 3
        shuffled = np.random.default_rng(1).permutation(20)
        np.testing.assert_array_equal(holm(p[shuffled]), holm(p)[shuffled])


class TestCompare:
    A = np.array([0.91, 0.93, 0.90, 0.95, 0.94, 0.92, 0.96])
    B = np.array([0.90, 0.91, 0.90, 0.92, 0.93, 0.90, 0.95])

    def test_is_that_of_the_differences(self):
        found = compare(self.A, self.B)
        assert found.difference == pytest.approx(0.1 / 7)
        assert found.ci95 == mean_interval(self.A - self.B)
        assert found.pairs == 7
        assert found.p == pytest.approx(2 / 2**6)  # six differences, all positive; the zero says nothing
        assert found.effect_size == 1

    def test_pairs_with_one_side_missing_do_not_count(self):
        a, b = self.A.copy(), self.B.copy()
        a[0], b[1], b[2], a[2] = NAN, INF, NAN, NAN
        assert compare(a, b) == compare(self.A[3:], self.B[3:])
        assert compare(a, b).pairs == 4

    def test_no_pair_left(self):
        found = compare([1.0, NAN], [NAN, 1.0])
        assert math.isnan(found.difference)
        assert math.isnan(found.p)
        assert (found.ci95, found.pairs) == (None, 0)

    def test_one_pair_proves_nothing(self):
        found = compare([1.0], [0.5])
        assert (found.difference, found.ci95, found.p, found.pairs) == (0.5, None, 1.0, 1)

    def test_pairing_counts(self):
        """Another order of the seeds on one side leaves both means as they are, and everything paired not."""
        shuffled = self.B[[6, 5, 4, 3, 2, 1, 0]]
        paired, torn = compare(self.A, self.B), compare(self.A, shuffled)
        assert torn.difference == pytest.approx(paired.difference)
        assert torn.p > 2 * paired.p
        assert torn.ci95[1] - torn.ci95[0] > 2 * (paired.ci95[1] - paired.ci95[0])
        assert torn.effect_size < paired.effect_size

    def test_shuffling_both_sides_alike_changes_nothing(self):
        order = [3, 1, 0, 2, 6, 5, 4]
        found, expected = compare(self.A[order], self.B[order]), compare(self.A, self.B)
        assert (found.p, found.effect_size) == (expected.p, expected.effect_size)
        assert found.ci95 == pytest.approx(expected.ci95, rel=1e-12)

    def test_swapping_the_sides_turns_the_sign(self):
        forth, back = compare(self.A, self.B), compare(self.B, self.A)
        assert (back.difference, back.p, back.effect_size) == (-forth.difference, forth.p, -forth.effect_size)

    def test_two_roundings_bound_the_interval_of_a_difference(self):
        found = compare([0.95] * 5, [0.94] * 5, step=0.01)
        assert found.ci95 == pytest.approx(mean_interval([0.01] * 5, step=math.sqrt(2) * 0.01))

    def test_lengths_that_differ(self):
        with pytest.raises(ValueError, match="one length"):
            compare([1.0, 2.0], [1.0])

    def test_false_alarms_are_as_rare_as_promised(self):
        differences = np.random.default_rng(11).normal(size=(2000, 9))
        p = np.array([p_of(row) for row in differences])
        assert 0.03 < np.mean(p < 0.05) < 0.06


class TestWaiting:
    def test_first_epoch(self):
        curves = np.array([[0.0, 0.9, 0.1], [0.7, 0.2, 0.2], [0.6, 0.9, NAN], [0.9, 0.9, NAN]])
        assert first_epoch(curves, 0.7).tolist() == [1, 0, INF]

    def test_a_start_at_the_level_counts_only_if_it_is_kept(self):
        curves = np.array([[1.0, 1.0, 0.2, 1.0], [1.0, 0.5, 0.9, 0.1], [1.0, 1.0, 1.0, 0.2]])
        assert learned_epoch(curves, 1.0).tolist() == [0, 2, 2, INF]
        assert learned_epoch(np.empty((0, 2)), 0.5).tolist() == [INF, INF]

    def test_rounding_does_not_delay(self):
        assert first_epoch(np.float32([[0.5], [1 - 1e-7]]), 1.0).tolist() == [1]
        assert first_epoch([[0.5], [1 - 1e-4]], 1.0).tolist() == [INF]

    def test_of_no_epochs_and_of_no_members(self):
        assert first_epoch(np.empty((0, 2)), 0.5).tolist() == [INF, INF]
        assert first_epoch(np.empty((4, 0)), 0.5).tolist() == []
        assert time_to_target([]).median == INF
        assert math.isnan(time_to_target([]).reached)

    @pytest.mark.parametrize(
        ("epochs", "median_epoch", "reached"),
        [
            ([4, 2, 9], 4, 1),
            ([4, 2], 3, 1),
            ([4, INF, 2], 4, 2 / 3),
            ([4, INF, INF, 2], INF, 0.5),
            ([INF, INF], INF, 0),
        ],
    )
    def test_who_never_gets_there_is_later_than_any_other(self, epochs, median_epoch, reached):
        found = time_to_target(epochs)
        assert (found.median, found.reached) == (median_epoch, reached)
