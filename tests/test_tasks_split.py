"""actlab.tasks.split: sizes, stratification, seeds."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from actlab.errors import InvalidData
from actlab.tasks.split import hold_out, split


def numbered(counts):
    """Samples that are their own row number, labels in a mixed order."""
    y = np.random.default_rng(5).permutation(np.repeat(np.arange(len(counts)), counts))
    return np.arange(len(y))[:, None], y


@pytest.mark.parametrize("counts", [[10, 10], [1, 5, 94], [3, 3, 3], [997, 1003, 41, 7], [2, 2, 2, 2, 2]])
def test_every_sample_lands_in_exactly_one_split_with_its_label(counts):
    x, y = numbered(counts)
    parts = split(x, y, seed=3)
    assert sorted(np.concatenate([part[0][:, 0] for part in parts])) == list(range(len(y)))
    for part_x, part_y in parts:
        np.testing.assert_array_equal(part_y, y[part_x[:, 0]])


@pytest.mark.parametrize("counts", [[10, 10], [50, 150, 800], [997, 1003, 41, 7], [178, 182, 177, 183]])
def test_sizes_are_60_20_20_and_each_class_has_its_share(counts):
    x, y = numbered(counts)
    train, validation, test = split(x, y, seed=1)
    assert len(validation[1]) == len(test[1]) == round(len(y) / 5)
    for part, share in ((train, 0.6), (validation, 0.2), (test, 0.2)):
        found = np.bincount(part[1], minlength=len(counts))
        # Training takes what both others leave: up to one sample each.
        assert np.abs(found - share * np.array(counts)).max() < (2 if share == 0.6 else 1)


def test_the_shares_are_those_of_an_independent_stratified_split():
    x, y = numbered([300, 100, 600])
    _, reference = train_test_split(y, test_size=200, stratify=y, random_state=0)
    _, _, test = split(x, y, seed=0)
    np.testing.assert_array_equal(np.bincount(test[1]), np.bincount(reference))


def test_every_class_keeps_a_sample_in_training():
    x, y = numbered([1, 1, 2, 30])
    train, _, _ = split(x, y, seed=0)
    assert set(train[1]) == {0, 1, 2, 3}


def test_the_seed_decides_alone():
    x, y = numbered([40, 60])
    first, again, other = split(x, y, seed=7), split(x, y, seed=7), split(x, y, seed=8)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    assert set(first[2][0][:, 0]) != set(other[2][0][:, 0])


def test_splits_are_shuffled():
    x, y = np.arange(1000)[:, None], np.repeat([0, 1], 500)
    for part_x, part_y in split(x, y, seed=0):
        assert 0.3 < part_y[: len(part_y) // 2].mean() < 0.7
        assert (np.diff(part_x[:, 0]) < 0).any()


def test_hold_out_takes_a_sixth_or_the_size_asked_for():
    x, y = numbered([240, 360])
    rest, held_out = hold_out(x, y, seed=0)
    assert (len(rest[1]), len(held_out[1])) == (500, 100)
    assert np.bincount(held_out[1]).tolist() == [40, 60]
    rest, held_out = hold_out(x, y, seed=0, size=5)
    assert np.bincount(held_out[1]).tolist() == [2, 3]
    assert sorted(np.concatenate([rest[0], held_out[0]])[:, 0]) == list(range(600))


def test_text_labels_can_be_split():
    y = np.array(["cat", "dog"] * 10)
    train, _, test = split(np.arange(20)[:, None], y, seed=0)
    assert sorted(test[1]) == ["cat", "cat", "dog", "dog"]
    assert len(train[1]) == 12


@pytest.mark.parametrize("counts", [[1, 1], [1] * 50, [1, 1, 2]])
def test_too_few_samples_to_split(counts):
    x, y = numbered(counts)
    with pytest.raises(InvalidData, match=f"mine: {len(y)} samples in {len(counts)} classes are too few"):
        split(x, y, seed=0, name="mine")


def test_too_few_samples_to_hold_out():
    with pytest.raises(InvalidData, match="too few"):
        hold_out(np.zeros((2, 1)), np.array([0, 1]), seed=0)
