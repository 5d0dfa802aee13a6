"""Arrays in .mat files and in .npy files side by side, and which axis of them counts the samples."""

from __future__ import annotations

import contextlib
import warnings
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from tests.tables import refused, told

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData, UnknownName
from actlab.tasks import Reading
from actlab.tasks.tables import source

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.arange(60) % 3


@pytest.fixture
def mat(tmp_path):
    def save(name="mine.mat", **arrays):
        scipy.io.savemat(tmp_path / name, arrays, do_compression=True)
        return tmp_path / name

    return save


@pytest.fixture
def npy(tmp_path):
    def save(**arrays):
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return folder

    return save


def everything(task):
    """Samples and labels of all parts, put in order."""
    x = np.concatenate([task.x_train, task.x_validation, task.x_test]).reshape(-1, np.prod(task.input_shape))
    y = np.concatenate([task.y_train, task.y_validation, task.y_test])
    order = np.lexsort(x.T[::-1])
    return x[order], y[order]


def same(task, x, y):
    """Whether a task holds these samples and classes, in any order."""
    flat = np.reshape(x, (len(x), -1)).astype(np.float32)
    order = np.lexsort(flat.T[::-1])
    found = everything(task)
    np.testing.assert_allclose(found[0], flat[order], rtol=1e-6)
    np.testing.assert_array_equal(found[1], np.asarray(y)[order])


# .mat


@pytest.mark.parametrize("version", ["4", "5"])
def test_samples_in_rows(tmp_path, version):
    """As in the exercises of Stanford's course on machine learning."""
    scipy.io.savemat(tmp_path / "mine.mat", {"X": X, "y": (Y + 1.0)[:, None]}, format=version)
    task, sentences = told(tmp_path / "mine.mat")
    same(task, X, Y)
    assert task.classes == ("1", "2", "3")
    assert sentences == ["mine.mat: X for x_train, y for y_train are taken."]
    assert task.provenance == "mine.mat; split 60/20/20 stratified by class, seed 0"


def test_pictures_whose_samples_come_last(mat):
    """As in the street view house numbers."""
    x = RNG.integers(0, 256, (8, 8, 3, 40), dtype=np.uint8)
    y = np.arange(40) % 10 + 1
    task, sentences = told(mat(X=x, y=y[:, None].astype(np.uint8)))
    assert task.input_shape == (8, 8, 3)
    same(task, np.stack([x[..., i] for i in range(40)]) / 255, y - 1)
    assert sentences[1] == (
        "mine.mat: x_train has the shape (8, 8, 3, 40) and there are 40 labels: samples come last; --layout "
        "samples-first says otherwise."
    )
    assert task.provenance.startswith("mine.mat, samples last, uint8 pixels divided by 255; ")


def test_rows_of_labels_and_columns_of_samples(mat):
    """As for MATLAB's toolbox of neural networks: a column a sample, targets one-hot."""
    task, _ = told(mat(x=X.T, labels=Y[None]))
    same(task, X, Y)
    task, sentences = told(mat(x=X.T, targets=np.eye(3)[Y].T))
    same(task, X, Y)
    assert "labels of shape (60, 3) are one-hot" in sentences[-1]
    # What could be one-hot either way is so by rows.
    told(mat(x=X[:3], y=np.eye(3), x_test=X[:3], y_test=np.eye(3), x_val=X[:3], y_val=np.eye(3)))


def test_parts_are_turned_alike(mat):
    # The test part alone would fit either way.
    path = mat(x_train=X.T, y_train=Y, x_test=X[:4].T, y_test=np.arange(4) % 3)
    task, _ = told(path)
    np.testing.assert_array_equal(task.x_test, X[:4].astype(np.float32))


def test_a_second_file_is_the_test_part(mat, npy, tmp_path):
    """As the street view house numbers come."""
    x = RNG.integers(0, 256, (8, 8, 3, 40), dtype=np.uint8)
    y = np.arange(40) % 4 + 1
    train, test = mat("train.mat", X=x, y=y[:, None]), mat("test.mat", X=x[..., :12], y=y[:12, None])
    task, sentences = told(train, reading=Reading(test=str(test)))
    np.testing.assert_allclose(task.x_test, np.moveaxis(x, -1, 0)[:12] / 255, rtol=1e-6)
    assert task.y_test.tolist() == (y[:12] - 1).tolist()
    assert [len(own) for own in (task.y_train, task.y_validation)] == [33, 7]
    assert [sentence.partition(":")[0] for sentence in sentences] == ["train.mat"] * 2 + ["test.mat"] * 2
    assert task.provenance.startswith("train.mat, samples last, test test.mat, samples last, uint8 pixels divided")
    folder = npy(X=np.moveaxis(x, -1, 0), y=y)
    assert told(folder, reading=Reading(test=str(test)))[0].digest == task.digest
    for wrong in ("nowhere.mat", tmp_path / "a.csv"):
        assert "is no file of arrays (.npz, .npy, .mat): give one like" in refused(
            train, reading=Reading(test=str(wrong))
        )
    np.savez(tmp_path / "both.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    sentence = refused(tmp_path / "both.npz", reading=Reading(test=str(test)))
    assert sentence == "both.npz has a test part of its own: leave --test out."


def test_as_many_features_as_samples_are_asked_about(mat):
    x = RNG.normal(size=(60, 60))
    path = mat(X=x, y=Y)
    assert refused(path) == (
        "mine.mat: x_train has the shape (60, 60) and there are 60 labels: say --layout samples-first if its first "
        "axis counts the samples, or --layout samples-last if its last one does."
    )
    same(told(path, reading=Reading(layout="samples-first"))[0], x, Y)
    same(told(path, reading=Reading(layout="samples-last"))[0], x.T, Y)


def test_elsewhere_the_first_axis_counts(npy, tmp_path):
    x = RNG.normal(size=(60, 60))
    np.savez(tmp_path / "mine.npz", x=x, y=Y)
    for path in (tmp_path / "mine.npz", npy(x=x, y=Y)):
        task, sentences = told(path)
        same(task, x, Y)
        assert len(sentences) == 1
    np.savez(tmp_path / "mine.npz", x_train=X.T, y_train=Y)
    task, sentences = told(tmp_path / "mine.npz")
    same(task, X, Y)
    assert "samples come last" in sentences[0]


def test_whole_numbers_that_matlab_holds_as_doubles_are_no_pixels(mat, tmp_path):
    """They are packed as bytes, and SciPy gives these unless it is told not to."""
    x = RNG.integers(0, 256, (60, 4, 5))
    path = mat(X=x.astype(float), y=Y)
    # As MATLAB itself writes them: the class says double, the numbers are stored in bytes.
    content = scipy.io.loadmat(path, mat_dtype=True)
    assert content["X"].dtype == np.float64
    packed(tmp_path / "packed.mat", x, Y)
    assert scipy.io.loadmat(tmp_path / "packed.mat")["X"].dtype == np.uint8
    task, sentences = told(tmp_path / "packed.mat", reading=Reading(scale="none", layout="channels-last"))
    same(task, x, Y)
    _, sentences = told(tmp_path / "packed.mat")
    assert "x_train holds float64 values from 0 to 255, taken for pixels" in sentences[-1]


def packed(path, x, y):
    """A .mat file of version 5 whose doubles are stored as bytes (format description of MATLAB, "data compression")."""

    def element(kind, data):
        return np.array([kind, len(data)], "<u4").tobytes() + data + bytes(-len(data) % 8)

    def matrix(name, array):
        flat = np.asarray(array, np.uint8)
        header = element(6, np.array([6, 0], "<u4").tobytes())  # Class 6 is double.
        shape = element(5, np.array(flat.shape, "<i4").tobytes())
        body = header + shape + element(1, name) + element(2, flat.tobytes(order="F"))
        return element(14, body)

    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(head + matrix(b"X", x) + matrix(b"y", np.asarray(y)[:, None]))


def test_rows_of_characters_are_classes(mat):
    names = np.array(["cat", "horse", "ox"])
    task, _ = told(mat(X=X, y=names[Y]))
    assert task.classes == ("cat", "horse", "ox")
    same(task, X, Y)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"X": X, "y": np.array([["a"], ["b"]] * 30, dtype=object)},
            "mine.mat: y is a cell array, where a plain array is expected: cell2mat(y) makes one of numbers, char(y) "
            "one of texts.",
        ),
        (
            {"parts": {"x_train": X, "y_train": Y}},
            "mine.mat: parts is a struct, where a plain array is expected: save its fields as variables of their own.",
        ),
        (
            {"data": {"images": X}, "y": Y},
            "mine.mat: data is a struct, where a plain array is expected: save its fields as variables of their own.",
        ),
        (
            {"X": scipy.sparse.csc_array(np.round(X)), "y": Y},
            "mine.mat: X is a sparse matrix, where a plain array is expected: full(X) makes one of it.",
        ),
    ],
)
def test_what_is_no_plain_array_is_refused_by_its_name(mat, arrays, said):
    assert refused(mat(**arrays)) == said


def test_structs_beside_the_arrays_are_left_alone(mat):
    same(told(mat(X=X, y=Y, meta={"author": "me"}, data={"x": 1}))[0], X, Y)


def test_a_file_without_known_names(mat):
    sentence = refused(mat(first=X, second=Y))
    assert sentence.startswith("mine.mat lacks x_train, y_train (it holds first, second): save it again in MATLAB")
    assert "mine.mat holds both X and features, and both may be x_train" in refused(mat(X=X, features=X, y=Y))
    assert "did you mean 'x_test'" in refused(mat(x_train=X, y_train=Y, x_tets=X), UnknownName)


@pytest.mark.parametrize("beginning", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", b"\x89HDF\r\n\x1a\n"])
def test_version_7_3_is_refused_with_how_to_save_again(tmp_path, beginning):
    (tmp_path / "mine.mat").write_bytes(beginning.ljust(600, b"\0"))
    sentence = refused(tmp_path / "mine.mat")
    assert "mine.mat is of MATLAB's version 7.3 (HDF5), which is not read: save it again" in sentence
    assert "'-v7')" in sentence


def test_other_files_called_mat(tmp_path):
    path = tmp_path / "mine.mat"
    for content, said in (
        (b"", "mine.mat is empty: save it again"),
        (b"# Created by Octave 9.2\n# name: X\n", "mine.mat is written as text, which is not read: save it again"),
        (b"hello, world " * 20, "mine.mat cannot be read as a .mat file ("),
        (b"\x80\x04." * 100, "mine.mat cannot be read as a .mat file ("),
    ):
        path.write_bytes(content)
        assert said in refused(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_file_cut_short(mat, share):
    path = mat(X=X, y=Y)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "mine.mat ends before its last array does: get a fresh copy." in refused(path)


def test_any_byte_may_be_another(mat):
    path = mat(X=X, y=Y)
    content = path.read_bytes()
    for place in RNG.integers(128, len(content), size=40):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(RNG.integers(8))
        path.write_bytes(damaged)
        with warnings.catch_warnings(), contextlib.suppress(InvalidData, UnknownName):
            warnings.simplefilter("ignore", ActlabWarning)
            assert tasks.load(str(path)).class_count > 1


def test_arrays_beyond_the_memory_are_refused_before_they_are_read(mat, npy, tmp_path, monkeypatch):
    large = np.zeros((60, 1000))
    np.savez_compressed(tmp_path / "mine.npz", x=large, y=Y)
    paths = mat(X=large, y=Y), npy(x=large, y=Y), tmp_path / "mine.npz"
    monkeypatch.setattr(source, "memory", lambda: 10**6)
    for path in paths:
        assert refused(path).startswith(
            f"{path.name}: its arrays take 469 KiB, and reading them some 3 times that, more than the 977 KiB of "
            "memory here: take a part of the samples"
        )


def test_bytes_that_become_numbers_beyond_the_memory(npy, monkeypatch):
    folder = npy(x=np.zeros((60, 50, 50), np.uint8), y=Y)
    monkeypatch.setattr(source, "memory", lambda: 10**6)
    assert "mine: its samples, as numbers of 4 bytes, take 586 KiB" in refused(folder)


# .npy


NAMES = {
    "x and y": ("x", "y"),
    "as scikit-learn": ("X", "y"),
    "features and labels": ("features", "labels"),
    "data and targets": ("data", "targets"),
    "images and labels": ("images", "labels"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_pair_of_files(npy, names):
    folder = npy(**dict(zip(names, (X, Y), strict=True)))
    digests = set()
    for path in (folder, folder / f"{names[0]}.npy", folder / f"{names[1]}.npy"):
        task, sentences = told(path)
        same(task, X, Y)
        digests.add(task.digest)
        assert len(sentences) == 1
        assert sentences[0].startswith(f"{path.name}: ")
        assert f"{names[0]}.npy for x_train" in sentences[0]
        assert f"{names[1]}.npy for y_train" in sentences[0]
        assert f"{names[0]}.npy" in task.provenance
    assert len(digests) == 1


@pytest.mark.parametrize("pattern", ["{}_{}", "{1}_{0}"])
def test_files_of_parts(npy, pattern):
    arrays = {
        pattern.format(letter, part): array[rows]
        for letter, array in (("X", X), ("y", Y))
        for part, rows in (("train", slice(0, 40)), ("val", slice(40, 50)), ("test", slice(50, 60)))
    }
    folder = npy(**arrays)
    for path in (folder, folder / f"{pattern.format('X', 'train')}.npy"):
        task, _ = told(path)
        np.testing.assert_array_equal(task.x_train, X[:40].astype(np.float32))
        np.testing.assert_array_equal(task.x_validation, X[40:50].astype(np.float32))
        np.testing.assert_array_equal(task.y_test, Y[50:])
        assert task.provenance.endswith("; all splits as in the file")


def test_of_a_file_its_own_labels_are_taken(npy):
    folder = npy(x=X, y=Y, features=X[:, :2], labels=Y[::-1])
    same(told(folder / "x.npy")[0], X, Y)
    assert refused(folder / "features.npy") == (
        "features.npy: labels.npy and y.npy may be its labels: leave one of them in that folder."
    )
    assert "mine holds both" in refused(folder)


def test_files_without_their_like(npy):
    folder = npy(x=X)
    assert refused(folder / "x.npy") == ("x.npy: beside it lies no file of labels, as y.npy: put both into one folder.")
    assert "mine lacks y_train (it holds x): add what is missing." in refused(folder)
    folder = npy(mnist=X)
    assert "mnist.npy is named like neither samples nor labels: name the files x.npy and y.npy" in refused(
        folder / "mnist.npy"
    )


def test_files_that_are_no_npy(npy):
    folder = npy(x=X, y=Y)
    for content, said in (
        (b"", "x.npy cannot be read as a .npy file of a plain array (it is empty): write it again with numpy.save."),
        (b"hello, world", "(it begins with b'hello, w', which no such file does)"),
        (b"\x80\x04.", "(it holds Python objects, which are never unpickled)"),
        (b"\x93NUMPY", "x.npy cannot be read as a .npy file"),
    ):
        (folder / "x.npy").write_bytes(content)
        assert said in refused(folder)
    with zipfile.ZipFile(folder / "x.npy", "w") as archive:
        archive.writestr("a", "b")
    assert "x.npy holds several arrays: give it the ending .npz." in refused(folder)


def test_pickled_objects_are_never_loaded(npy):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    folder = npy(y=Y)
    np.save(folder / "x.npy", np.array([Trap()] * 60, dtype=object), allow_pickle=True)
    assert "(it holds Python objects, which are never unpickled)" in refused(folder)


def test_hidden_files_and_others_are_left_alone(npy):
    folder = npy(x=X, y=Y)
    (folder / "._x.npy").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    same(told(folder)[0], X, Y)
