"""What holds for new data: the analysis of variance against sums written out, coverage over made-up data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from actlab.statistics.intervals import mean_interval
from actlab.statistics.new_data import crossed, new_data_intervals


def test_the_error_is_that_of_the_two_way_analysis_of_variance():
    values = np.random.default_rng(0).normal(size=(4, 7)) + np.arange(4)[:, None] + np.arange(7) / 2
    found = crossed(values)
    grand = values.mean()
    seeds = sum(7 * (row.mean() - grand) ** 2 for row in values) / 3
    items = sum(4 * (column.mean() - grand) ** 2 for column in values.T) / 6
    rest = sum((values[i, j] - values[i].mean() - values[:, j].mean() + grand) ** 2 for i in range(4) for j in range(7))
    rest /= 18
    joint = seeds + items - rest
    assert found.mean == pytest.approx(grand)
    assert found.error**2 == pytest.approx(joint / 28)
    assert found.freedom == pytest.approx(joint**2 / (seeds**2 / 3 + items**2 / 6 + rest**2 / 18))


def test_the_part_of_the_items_is_that_of_one_network_where_seeds_agree():
    """Ten seeds that are right about the same items are one network: a share of the items, with Wilson's interval."""
    right = np.tile(np.random.default_rng(1).random(400) < 0.9, (10, 1))
    found = crossed(right)
    share = right[0].mean()
    # Of n items less one degree of freedom, and Student's t in the place of the normal distribution's quantile.
    assert found.error == pytest.approx(np.sqrt(share * (1 - share) / 399))
    exact = stats.binomtest(int(right[0].sum()), 400).proportion_ci(method="wilsoncc")
    assert found.share_interval() == pytest.approx((exact.low, exact.high), abs=3e-4)


def made_up(rng, seeds, items, lead=0.0):
    """Items of a difficulty that all networks share, functions with a taste, seeds that differ a little."""
    margin = rng.normal(1.5, 1, items)
    return np.stack([
        margin + own + rng.normal(0, 0.4, items) + rng.normal(0, 0.1, (seeds, 1)) + rng.normal(0, 0.4, (seeds, items))
        for own in (0.0, lead)
    ]) > 0  # fmt: skip


@pytest.mark.parametrize(("seeds", "items"), [(5, 200), (10, 359)])
def test_the_joint_interval_covers_what_fresh_seeds_and_items_give(seeds, items):
    rng = np.random.default_rng(seeds)
    # All parts are normal: of margin, taste, seed and the rest.
    truth = stats.norm.cdf(np.array([1.5, 1.8]) / np.sqrt(1 + 0.4**2 + 0.1**2 + 0.4**2))
    alone = apart = too_narrow = 0
    for _ in range(300):
        right = made_up(rng, seeds, items, 0.3)
        low, high = crossed(right[0]).share_interval()
        alone += low <= truth[0] <= high
        ((_, (low, high)),) = new_data_intervals(right, [(1, 0)])
        apart += low <= truth[1] - truth[0] <= high
        low, high = mean_interval(right[0].mean(axis=1))
        too_narrow += low <= truth[0] <= high
    for held in (alone, apart):
        assert stats.binomtest(held, 300, 0.95, alternative="less").pvalue > 0.001
    # Which the interval over seeds does not.
    assert too_narrow / 300 < 0.8


def test_intervals_of_many_pairs_are_wider_and_hold_what_each_alone_holds():
    rng = np.random.default_rng(3)
    right = rng.random((5, 8, 300)) < np.linspace(0.85, 0.95, 5)[:, None, None]
    pairs = [(a, b) for a in range(5) for b in range(a)]
    together = new_data_intervals(right, pairs)
    for pair, (one, (low, high)) in zip(pairs, together, strict=True):
        whole = crossed(right[pair[0]].astype(float) - right[pair[1]])
        assert one.mean == pytest.approx(whole.mean)
        assert one.error == pytest.approx(np.hypot(whole.error, 1 / 302))
        assert one.freedom == pytest.approx(whole.freedom)
        ((_, alone),) = new_data_intervals(right[list(pair)], [(0, 1)])
        assert low < alone[0] < alone[1] < high
    assert new_data_intervals(right, pairs) == together


def test_functions_that_agree_on_every_item_still_have_an_interval():
    right = np.tile(np.random.default_rng(4).random((6, 50)) < 0.9, (2, 1, 1)).reshape(2, 6, 50)
    ((one, (low, high)),) = new_data_intervals(right, [(0, 1)])
    assert one.mean == 0
    assert low < -1 / 50 < 1 / 50 < high


@pytest.mark.parametrize(("right", "ends"), [(True, "lower"), (False, "upper")])
def test_all_right_or_all_wrong_is_no_certainty(right, ends):
    found = crossed(np.full((8, 60), right)).share_interval()
    exact = stats.binomtest(60 if right else 0, 60).proportion_ci(method="exact")
    assert found == pytest.approx((exact.low, exact.high))
    assert found[0 if ends == "lower" else 1] not in (0, 1)


@pytest.mark.parametrize(("share", "items"), [(0.998, 500), (0.99, 100)])
def test_shares_close_to_one_are_covered(share, items):
    """Seeds that agree on every item: what is known is what one network's items say."""
    rng = np.random.default_rng(items)
    held = 0
    for _ in range(500):
        low, high = crossed(np.tile(rng.random(items) < share, (8, 1))).share_interval()
        held += low <= share <= high
    assert held / 500 >= 0.93


def test_of_many_samples_the_sum_of_signed_deviations_is_drawn_as_normal(monkeypatch):
    """The same intervals, but for the luck of a thousand draws of which the 95 % point is taken."""
    rng = np.random.default_rng(3)
    hard = rng.normal(size=30_000)
    right = np.stack([rng.normal(size=(5, 30_000)) + ability > hard for ability in (1.0, 1.05, 1.2)])
    pairs = [(0, 1), (0, 2), (1, 2)]
    normal = new_data_intervals(right, pairs)
    monkeypatch.setattr("actlab.statistics.new_data.MANY", 10**6)
    signs = new_data_intervals(right, pairs)
    for (one, (low, high)), (other, (least, most)) in zip(normal, signs, strict=True):
        assert one == other
        assert high - low == pytest.approx(most - least, rel=0.08)
        assert high + low == pytest.approx(most + least, rel=1e-9)
