"""Files of arrays under the names that people use, and labels as they write them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData
from actlab.tasks.array_names import place_of


@pytest.fixture
def loaded(tmp_path):
    """A task of arrays, and the sentences that were told."""

    def load(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            task = tasks.load(str(path))
        assert all(issubclass(warning.category, ActlabWarning) for warning in caught)
        return task, [str(warning.message) for warning in caught]

    return load


X = np.random.default_rng(0).normal(size=(30, 4))
Y = np.arange(30) % 3
NAMES = {
    "Keras": ("x_train", "y_train", "x_test", "y_test"),
    "scikit-learn": ("X_train", "y_train", "X_test", "y_test"),
    "medmnist": ("train_images", "train_labels", "test_images", "test_labels"),
    "data and target": ("train_data", "train_target", "test_data", "test_target"),
    "part first": ("train_x", "train_y", "test_x", "test_y"),
    "camels": ("trainImages", "trainLabels", "testImages", "testLabels"),
    "features": ("features_train", "labels_train", "features_test", "labels_test"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_parts_are_found_under_their_names(loaded, names):
    plain, _ = loaded(x_train=X, y_train=Y, x_test=X[:6], y_test=Y[:6])
    task, sentences = loaded(**dict(zip(names, (X, Y, X[:6], Y[:6]), strict=True)))
    assert task.digest == plain.digest
    others = [f"{key} for {wanted}" for key, wanted in zip(names, NAMES["Keras"], strict=True) if key != wanted]
    assert len(sentences) == bool(others)
    assert all(other in sentences[0] for other in others)


@pytest.mark.parametrize("part", ["val", "valid", "validation", "dev"])
def test_validation_data_have_several_names(loaded, part):
    own = {f"x_{part}": X[:6], f"y_{part}": Y[:6]}
    task, _ = loaded(x_train=X, y_train=Y, x_test=X[6:12], y_test=Y[6:12], **own)
    np.testing.assert_array_equal(task.x_validation, X[:6].astype(np.float32))


@pytest.mark.parametrize("names", [("X", "y"), ("x", "y"), ("images", "labels"), ("data", "target")])
def test_arrays_without_a_part_are_cut(loaded, names):
    plain, _ = loaded(x_train=X, y_train=Y)
    task, sentences = loaded(**dict(zip(names, (X, Y), strict=True)))
    assert task.digest == plain.digest
    assert sentences == [f"mine.npz: {names[0]} for x_train, {names[1]} for y_train are taken."]


def test_beside_training_data_those_without_a_part_are_left_alone(loaded):
    task, sentences = loaded(x_train=X, y_train=Y, data=np.zeros((3, 4)), labels=np.zeros(3))
    assert len(task.x_train) == 18
    assert sentences == []


def test_two_keys_for_the_same_are_refused(loaded):
    with pytest.raises(InvalidData, match="holds both x_val and x_valid, and both may be x_validation"):
        loaded(x_train=X, y_train=Y, x_val=X[:3], x_valid=X[:3], y_val=Y[:3])


def test_other_words_name_nothing():
    for key in ("note", "train", "x_train_raw", "labels_of_images", "arr_0", "train_images_28", ""):
        assert place_of(key) is None, key


LABELS = {
    "a column": Y[:, None],
    "truth values": Y > 0,
    "one-hot": LabelBinarizer().fit_transform(Y),
    "one-hot, as decimals": LabelBinarizer().fit_transform(Y).astype(np.float32),
    "minus one and one": np.where(Y > 0, 1, -1),
    "from one": Y + 1,
    "texts": np.array(["setosa", "versicolor", "virginica"])[Y],
    "bytes": np.array([b"setosa", b"versicolor", b"virginica"])[Y],
    "texts in a column": np.array(["b", "a", "c"])[Y][:, None],
}


@pytest.mark.parametrize("written", LABELS.values(), ids=LABELS)
def test_labels_are_taken_as_they_are_written(loaded, written):
    task, sentences = loaded(x_train=X, y_train=written, x_test=X[:9], y_test=written[:9])
    flat = written.reshape(len(written), -1)
    values = [tuple(row) for row in flat.tolist()]
    # Which samples share their class is what it was.
    found = task.y_test
    same = np.array([[a == b for b in values[:9]] for a in values[:9]])
    np.testing.assert_array_equal(found[:, None] == found[None], same)
    if written.dtype.kind in "US":
        assert task.classes == tuple(sorted({str(v.decode() if isinstance(v, bytes) else v) for (v,) in values}))
        assert [task.classes[i].encode() if written.dtype.kind == "S" else task.classes[i] for i in found] == [
            v for (v,) in values[:9]
        ]
    assert bool(sentences) == (flat.shape[1] > 1)


def test_rows_of_several_ones_are_refused(loaded):
    several = np.zeros((30, 3), int)
    several[:, 0], several[4, 2] = 1, 1
    with pytest.raises(InvalidData, match=r"y_train has the shape \(30, 3\), and its row 4 is not one 1 among zeros"):
        loaded(x_train=X, y_train=several)
    with pytest.raises(InvalidData, match="--objective regression learns the numbers of each column as quantities"):
        loaded(x_train=X, y_train=several)


def test_parts_that_write_their_labels_differently_are_refused(loaded):
    texts = np.array(["a", "b", "c"])[Y]
    with pytest.raises(InvalidData, match="its parts write their labels in different ways"):
        loaded(x_train=X, y_train=texts, x_test=X[:3], y_test=Y[:3])
    hot = LabelBinarizer().fit_transform(Y)
    with pytest.raises(InvalidData, match="different lengths"):
        loaded(x_train=X, y_train=hot, x_test=X[:3], y_test=np.eye(2, dtype=int)[[0, 1, 0]])


def test_a_class_of_the_test_part_alone_is_refused(loaded):
    texts = np.array(["a", "b"])[Y % 2]
    with pytest.raises(InvalidData, match="labels that y_train lacks"):
        loaded(x_train=X, y_train=texts, x_test=X[:2], y_test=np.array(["a", "d"]))
