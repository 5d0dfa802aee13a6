"""actlab.tasks.task: what is checked, and what a task promises."""

import dataclasses
import hashlib

import numpy as np
import pytest

from actlab.errors import InvalidData
from actlab.tasks.split import held_out
from actlab.tasks.task import Task, build, check_pair, digest, validated_on_test


def points(count, features=3):
    return np.random.default_rng(count).normal(size=(count, features))


def labels(count, classes=2):
    return np.arange(count) % classes


def made(train=None, validation=None, test=None, **options):
    options.setdefault("provenance", "made up")
    pairs = [pair or (points(n), labels(n)) for pair, n in ((train, 8), (validation, 4), (test, 5))]
    return build("mine", *pairs, **options)


def refused(**options):
    with pytest.raises(InvalidData) as caught:
        made(**options)
    message = str(caught.value)
    assert message.startswith("mine: ")
    assert message.endswith((".", ")."))
    assert "\n" not in message
    return message


def test_a_task_holds_float32_and_int32_and_its_shapes():
    task = made()
    for part, count in (("train", 8), ("validation", 4), ("test", 5)):
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        assert (x.dtype, x.shape) == (np.float32, (count, 3))
        assert (y.dtype, y.shape) == (np.int32, (count,))
    assert (task.input_shape, task.class_count, task.classes) == ((3,), 2, ("0", "1"))
    assert (task.name, task.provenance) == ("mine", "made up")


def test_a_task_is_frozen_and_its_repr_is_short():
    task = made()
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"
    assert len(repr(task)) < 300


def test_labels_become_indices_in_sorted_order_and_keep_their_names():
    train = (points(4), np.array([40, -7, 40, 5], dtype=np.int16))
    task = made(train=train, validation=(points(2), [5, -7]), test=(points(1), [40]))
    assert task.classes == ("-7", "5", "40")
    assert task.y_train.tolist() == [2, 0, 2, 1]
    assert task.y_validation.tolist() == [1, 0]
    assert task.y_test.tolist() == [2]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_labels(dtype):
    task = made(train=(points(4), np.array([0, 1, 1, 0], dtype=dtype)))
    assert task.y_train.tolist() == [0, 1, 1, 0]
    assert task.classes == ("0", "1")


def test_names_can_be_given_for_the_labels():
    assert made(classes=("cat", "dog")).classes == ("cat", "dog")
    assert "do not index 1 class names" in refused(classes=("cat",))


def test_images_keep_height_width_channels():
    images = np.ones((2, 5, 4, 3), dtype=np.uint8)
    task = made(train=(images, [0, 1]), validation=(images, [0, 1]), test=(images, [1, 1]))
    assert task.input_shape == (5, 4, 3)


def test_the_digest_is_the_sha256_of_names_types_shapes_and_bytes():
    task = made()
    expected = hashlib.sha256()
    for part in ("train", "validation", "test"):
        for letter, kind in (("x", "<f4"), ("y", "<i4")):
            array = getattr(task, f"{letter}_{part}")
            expected.update(f"{letter}_{part} {kind} {array.shape}\n".encode() + array.tobytes())
    assert task.digest == expected.hexdigest()


def test_the_digest_sees_every_change_and_no_memory_layout():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    plain = digest({"a": array})
    assert digest({"a": np.asfortranarray(array)}) == plain
    assert digest({"a": array.astype(">f4")}) == plain
    assert digest({"a": array.reshape(3, 2)}) != plain
    assert digest({"a": array.astype(np.float64)}) != plain
    assert digest({"a": array + np.float32(1e-6)}) != plain
    assert made().digest == made().digest
    assert made(train=(points(8) + 1, labels(8))).digest != made().digest


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_are_counted_and_placed(value):
    x = points(8)
    x[2, 1] = x[5, 0] = x[5, 2] = value
    message = refused(train=(x, labels(8)))
    assert "3 of the 24 values of x_train" in message
    assert "first at [2, 1]" in message


def test_not_finite_values_are_found_in_every_split():
    x = np.ones((4, 2, 2, 1))
    x[3, 1, 0, 0] = np.nan
    images = (np.ones((4, 2, 2, 1)), labels(4))
    message = refused(train=images, validation=images, test=(x, labels(4)))
    assert "1 of the 16 values of x_test" in message
    assert "[3, 1, 0, 0]" in message


def test_lengths_that_differ():
    message = refused(train=(points(8), labels(7)))
    assert "x_train holds 8 samples and y_train 7 labels" in message


def test_one_class_only():
    message = refused(train=(points(8), np.full(8, 3)))
    assert "y_train holds one class only (3)" in message


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ([0, 0.5, 1, 1], "0.5 at [1]"),
        ([0, 1, np.nan, 1], "nan at [2]"),
        ([0, 1, 1, np.inf], "inf at [3]"),
        ([0, 1, 1, 1e300], "1e+300 at [3]"),
        (["a", "b", "a", "b"], "y_train holds texts; give every class a number, as numpy.unique"),
        ([None, 1, 0, 1], "object"),
        ([0, 1j, 1, 0], "complex128"),
    ],
)
def test_labels_that_are_not_integers(wrong, shown):
    message = refused(train=(points(4), np.array(wrong)))
    assert "labels are not integers" in message
    assert shown in message


@pytest.mark.parametrize("largest", [2**63, 2**64 - 1])
def test_unsigned_labels_beyond_int64_are_not_made_negative(largest):
    message = refused(train=(points(4), np.array([0, 1, largest, 1], dtype=np.uint64)))
    assert f"y_train holds the label {largest} at [2], beyond the largest of int64, 2**63 - 1: give" in message
    kept = made(train=(points(4), np.array([0, 1, 2**63 - 1, 1], dtype=np.uint64)))
    assert kept.classes == ("0", "1", str(2**63 - 1))


@pytest.mark.parametrize(("dtype", "bits"), [(np.float16, 11), (np.float32, 24), (np.float64, 53), (np.longdouble, 53)])
def test_labels_are_refused_where_their_type_merges_neighbours(dtype, bits):
    message = refused(train=(points(4), np.array([0, 1, 2.0**bits, 1], dtype=dtype)))
    assert f"labels are not integers that {np.dtype(dtype)} tells apart, below 2**{bits}: y_train holds" in message
    if dtype != np.longdouble:
        assert dtype(2.0**bits) == dtype(2.0**bits + 1)
    assert made(train=(points(4), np.array([0, 1, 2.0**bits - 1, 1], dtype=dtype))).classes[2] == str(2**bits - 1)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0,)])
def test_empty_samples(shape):
    message = refused(validation=(np.empty(shape), labels(4)))
    assert f"x_validation is empty (shape {shape})" in message


def test_empty_labels():
    assert "y_test is empty" in refused(test=(points(4), np.empty(0, dtype=int)))


def test_samples_without_an_axis_of_their_own():
    message = refused(train=(np.ones(8), labels(8)))
    assert "x_train has 1 dimensions" in message
    assert "(samples, features)" in message


@pytest.mark.parametrize("shape", [(3, 5), (4, 3, 2, 2), (2,) * 6])
def test_samples_of_any_shape(shape):
    task = made(**{part: (np.ones((8, *shape)), labels(8)) for part in ("train", "validation", "test")})
    assert task.input_shape == shape


def test_ids_of_tokens_stay_whole_numbers():
    ids = np.array([[0, 7], [2**31 - 1, -(2**31)]])
    for x in (ids, ids.astype(float)):
        kept, _ = check_pair("mine", "train", x, [0, 1], tokens=True)
        assert kept.dtype == np.int32
        np.testing.assert_array_equal(kept, ids)
    for wrong, place in ((0.5, "[1, 0]"), (2.0**31, "[1, 0]"), (np.nan, "[1, 0]")):
        x = ids.astype(float)
        x[1, 0] = wrong
        with pytest.raises(InvalidData, match="which is no id of a token: give whole numbers below") as caught:
            check_pair("mine", "train", x, [0, 1], tokens=True)
        assert f"mine: x_train holds {wrong} at {place}" in str(caught.value)


def test_ids_of_tokens_stay_so_when_parts_are_cut_anew():
    ids = np.arange(24).reshape(12, 2)
    pair = ids, np.arange(12) % 2
    task = build("mine", pair, pair, pair, provenance="made up", tokens=True)
    assert task.holds_tokens
    for other in (validated_on_test(task), held_out(task, seed=0)):
        assert other.x_train.dtype == other.x_validation.dtype == other.x_test.dtype == np.int32
    assert task.digest != build("mine", pair, pair, pair, provenance="made up").digest


def test_one_hot_labels_are_named_as_such():
    message = refused(train=(points(4), np.eye(4)))
    assert "y_train has 2 dimensions" in message
    assert "argmax" in message


@pytest.mark.parametrize("x", [np.full((4, 3), "a"), np.full((4, 3), None), np.full((4, 3), 1j)])
def test_samples_that_are_no_real_numbers(x):
    assert f"x_train holds {x.dtype} values" in refused(train=(x, labels(4)))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_labels_that_training_lacks(part):
    message = refused(**{part: (points(5), [0, 1, 7, 9, 9])})
    assert f"y_{part} holds labels that y_train lacks (7, 9)" in message


@pytest.mark.parametrize("part", ["validation", "test"])
def test_samples_of_another_shape(part):
    message = refused(**{part: (points(4, features=2), labels(4))})
    assert f"x_{part} has shape (2,), one of x_train (3,)" in message


def test_check_pair_leaves_the_labels_their_values():
    x, y = check_pair("mine", "train", np.eye(2), np.array([9.0, -3.0]))
    assert x.dtype == np.float32
    assert y.tolist() == [9, -3]


def test_a_task_compares_by_identity():
    # Comparing by value would compare arrays, which has no truth value; the digest is there for that.
    task = made()
    assert task == task
    assert task != made()
    assert isinstance(hash(task), int)
    assert isinstance(task, Task)
