"""A user's own data: .npz arrays and .csv tables, and every way in which they can be wrong."""

import contextlib
import csv
import shlex
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData, UnknownName
from actlab.tasks import Reading


def points(count, features=3):
    return np.random.default_rng(count).normal(size=(count, features))


def labels(count, classes=2):
    return np.arange(count) % classes


@pytest.fixture
def npz(tmp_path):
    def save(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return str(path)

    return save


@pytest.fixture
def table(tmp_path):
    def save(text):
        path = tmp_path / "mine.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return save


def told(path, **options):
    """A task and the sentences that were told while it was loaded."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        task = tasks.load(path, **options)
    assert all(issubclass(warning.category, ActlabWarning) for warning in caught)
    return task, [str(warning.message) for warning in caught]


def refused(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ActlabWarning)
        with pytest.raises(InvalidData) as caught:
            tasks.load(path, **options)
    message = str(caught.value)
    assert "mine." in message
    assert "\n" not in message
    return message


# Names


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "data.pickle",
            "data.pickle ends in .pickle, and actlab reads tables (.csv, .tsv, .txt, .data, .xlsx, .ods, .parquet",
        ),
        ("folder/Data.XLS", "folder/Data.XLS ends in .xls, and actlab reads"),
        ("folder/data", "folder/data has no ending, and actlab reads"),
        (
            "nowhere.csv",
            "nowhere.csv is no file: give the path of a table, of arrays (.npz, .npy, .mat) or of a folder",
        ),
        ("nowhere.csv.gz", "nowhere.csv.gz is no file: give the path"),
        (f"{'long' * 100}.csv", f"{'long' * 14}lon… cannot be read (File name too long)."),
    ],
)
@pytest.mark.parametrize("target", [None, "kind"])
def test_names_that_are_no_file_of_data(name, sentence, target):
    with pytest.raises(InvalidData) as caught:
        tasks.load(name, target=target)
    assert str(caught.value).startswith(sentence)


# Arrays


def test_given_splits_are_kept(npz):
    given = {"x_train": points(6), "y_train": labels(6), "x_validation": points(4), "y_validation": labels(4)}
    given |= {"x_test": points(5), "y_test": labels(5)}
    task = tasks.load(npz(**given))
    for key, array in given.items():
        np.testing.assert_array_equal(getattr(task, key), array.astype(getattr(task, key).dtype))
    assert task.name == "mine.npz"
    assert task.provenance == "mine.npz; all splits as in the file"


def test_validation_and_test_are_cut_where_both_are_missing(npz):
    path = npz(x_train=points(100), y_train=labels(100, 4))
    task = tasks.load(path, seed=5)
    assert [len(task.y_train), len(task.y_validation), len(task.y_test)] == [60, 20, 20]
    assert np.bincount(task.y_test).tolist() == [5, 5, 5, 5]
    assert "seed 5" in task.provenance
    assert tasks.load(path, seed=5).digest == task.digest != tasks.load(path, seed=6).digest


@pytest.mark.parametrize(("given", "cut"), [("test", "validation"), ("validation", "test")])
def test_one_missing_split_is_a_sixth_of_train(npz, given, cut):
    arrays = {"x_train": points(60), "y_train": labels(60), f"x_{given}": points(7), f"y_{given}": labels(7)}
    task = tasks.load(npz(**arrays))
    assert len(task.y_train) == 50
    assert len(getattr(task, f"y_{cut}")) == 10
    np.testing.assert_array_equal(getattr(task, f"x_{given}"), points(7).astype(np.float32))
    assert f"{cut} a sixth of x_train" in task.provenance


def test_byte_images_are_scaled_and_get_a_channel_axis(npz):
    images = np.random.default_rng(0).integers(0, 256, (20, 5, 4), dtype=np.uint8)
    images[0, 0, :2] = 0, 255
    path = npz(x_train=images, y_train=labels(20), x_test=images[:3], y_test=labels(3))
    task = tasks.load(path)
    assert task.input_shape == (5, 4, 1)
    np.testing.assert_allclose(task.x_test[..., 0], images[:3] / 255, rtol=1e-6)
    assert (task.x_test.min(), task.x_test.max()) == (0, 1)
    assert "uint8 pixels divided by 255" in task.provenance


def pixels(shape, largest=255, dtype=float):
    values = np.random.default_rng(0).uniform(0, largest, shape)
    values.flat[:2] = 0, largest
    return values.astype(dtype)


AS_THEY_ARE = {
    "scaled": pixels((20, 5, 4, 3), 1),
    "standardised": pixels((20, 5, 4, 3)) - 127,
    "of 0 to 16, as scikit-learn's digits": pixels((20, 8, 8), 16),
    "decimals beyond 255": pixels((20, 5, 4), 320),
    "counts": pixels((20, 3), 255, np.uint8),
    "decimals": pixels((20, 64), 255),
    "many counts": pixels((20, 64), 300, np.int64),
    "bright features, but few": pixels((20, 63), 255, np.uint8),
}


@pytest.mark.parametrize("x", AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_other_arrays_are_as_they_are(npz, x):
    kept, sentences = told(npz(x_train=x, y_train=labels(20), x_test=x, y_test=labels(20)))
    np.testing.assert_array_equal(kept.x_test.reshape(x.shape), x.astype(np.float32))
    assert "divided" not in "".join([kept.provenance, *sentences])


MAYBE_PIXELS = {
    "decimals to 255": (pixels((20, 5, 4, 3)), 255, "pixels"),
    "decimals of one channel": (pixels((20, 8, 8), 254.5, np.float32), 255, "pixels"),
    "whole numbers of another type": (pixels((20, 8, 8), 255, np.int64), 255, "pixels"),
    "uint16 to 255": (pixels((20, 8, 8), 255, np.uint16), 255, "pixels"),
    "uint16 of a camera": (pixels((20, 8, 8), 4000, np.uint16), 4095, "pixels"),
    "uint16": (pixels((20, 8, 8), 65535, np.uint16), 65535, "pixels"),
    "whole numbers to 65535": (pixels((20, 8, 8), 65535).round(), 65535, "pixels"),
    "uint8 laid flat": (pixels((20, 784), 255, np.uint8), 255, "pixels of pictures laid flat"),
    "as openml gives MNIST": (pixels((20, 784)).round(), 255, "pixels of pictures laid flat"),
    "uint16 laid flat": (pixels((20, 784), 65535, np.uint16), 65535, "pixels of pictures laid flat"),
}


@pytest.mark.parametrize(("x", "largest", "what"), MAYBE_PIXELS.values(), ids=MAYBE_PIXELS)
def test_what_looks_like_pixels_is_scaled_and_told(npz, x, largest, what):
    path = npz(x_train=x, y_train=labels(20), x_test=x, y_test=labels(20))
    task, sentences = told(path)
    assert sentences == [
        f"mine.npz: x_train holds {x.dtype} values from 0 to {x.max():g}, taken for {what} and divided by {largest}; "
        "--scale none takes them as they are."
    ]
    assert task.report is not None
    assert [note.sentence for note in task.report.notes] == sentences
    assert told(path, reading=Reading(scale=largest))[0].digest == task.digest
    assert told(path, reading=Reading(scale="none"))[1] == []
    scaled, kept = (tasks.load(path, reading=Reading(scale=scale)) for scale in (largest, "none"))
    np.testing.assert_allclose(scaled.x_test.reshape(x.shape), x / largest, rtol=1e-6)
    np.testing.assert_array_equal(kept.x_test.reshape(x.shape), x.astype(np.float32))
    assert scaled.provenance.startswith(f"mine.npz, values divided by {largest}; ")
    assert "divided" not in kept.provenance


def test_bytes_are_scaled_as_is_decided(npz):
    x = pixels((20, 5, 4), 255, np.uint8)
    path = npz(x_train=x, y_train=labels(20), x_test=x, y_test=labels(20))
    kept = tasks.load(path, reading=Reading(scale="none"))
    np.testing.assert_array_equal(kept.x_test[..., 0], x)
    assert tasks.load(path, reading=Reading(scale=255.0)).digest == tasks.load(path).digest


@pytest.mark.parametrize("shape", [(20, 3, 32, 32), (20, 1, 28, 28), (20, 3, 32, 48), (20, 4, 9, 9)])
def test_one_or_three_channels_before_the_pixels_are_told_and_moved(npz, shape):
    x = pixels(shape, 1)
    path = npz(x_train=x, y_train=labels(20), x_test=x, y_test=labels(20))
    task, sentences = told(path)
    assert sentences == [
        f"mine.npz: x_train has the shape {shape}: channels come first, pictures are {shape[2]}×{shape[3]}; --layout "
        "channels-last says otherwise."
    ]
    np.testing.assert_array_equal(task.x_test, np.transpose(x, (0, 2, 3, 1)).astype(np.float32))
    last, nothing = told(path, reading=Reading(layout="channels-last"))
    np.testing.assert_array_equal(last.x_test, x.astype(np.float32))
    assert nothing == []


@pytest.mark.parametrize("shape", [(20, 3, 4, 4), (20, 13, 8, 8), (20, 3, 3, 3)])
def test_channels_that_may_come_first_are_asked_for(npz, shape):
    x = pixels(shape, 1)
    path = npz(x_train=x, y_train=labels(20), x_test=x, y_test=labels(20))
    _, channels, height, width = shape
    assert refused(path) == (
        f"mine.npz: x_train has the shape {shape}: say --layout channels-first if these are pictures of "
        f"{height}×{width} with {channels} channel{'s' * (channels > 1)}, or --layout channels-last if they are of "
        f"{channels}×{height} with {width}."
    )
    first, last = (tasks.load(path, reading=Reading(layout=f"channels-{end}")) for end in ("first", "last"))
    np.testing.assert_array_equal(first.x_test, np.transpose(x, (0, 2, 3, 1)).astype(np.float32))
    np.testing.assert_array_equal(last.x_test, x.astype(np.float32))
    assert first.provenance.startswith("mine.npz, channels first; ")
    assert "channels" not in last.provenance


@pytest.mark.parametrize(
    "shape", [(20, 32, 32, 3), (20, 28, 28, 1), (20, 7, 7, 64), (20, 5, 4, 3), (20, 8, 9, 4), (20, 1, 1, 1)]
)
def test_channels_that_come_last_are_not_asked_for(npz, shape):
    x = pixels(shape, 1)
    assert tasks.load(npz(x_train=x, y_train=labels(20))).input_shape == shape[1:]


def test_a_layout_is_for_what_has_channels(npz):
    for x in (points(20), pixels((20, 8, 8), 1)):
        sentence = refused(npz(x_train=x, y_train=labels(20)), reading=Reading(layout="channels-first"))
        assert f"x_train has the shape {x.shape}, without channels: leave --layout out" in sentence


def test_bytes_with_their_channels_first(npz):
    x = pixels((20, 3, 8, 8), 255, np.uint8)
    task = tasks.load(npz(x_train=x, y_train=labels(20)), reading=Reading(layout="channels-first"))
    assert task.input_shape == (8, 8, 3)
    assert task.provenance.startswith("mine.npz, channels first, uint8 pixels divided by 255; ")


def test_keys_that_are_no_arrays_of_a_task_are_left_alone(npz):
    task = tasks.load(npz(x_train=points(20), y_train=labels(20), exact_train=np.ones(20), note=np.array("hello")))
    assert task.class_count == 2


def test_a_misspelt_key(npz):
    with pytest.raises(UnknownName, match="'x_validatoin': did you mean 'x_validation'"):
        tasks.load(npz(x_train=points(9), y_train=labels(9), x_validatoin=points(2)))


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        (["x_train"], "y_train"),
        (["y_train"], "x_train"),
        (["x_train", "y_train", "x_test"], "y_test"),
        (["x_train", "y_train", "y_validation"], "x_validation"),
        (["other"], "x_train, y_train"),
    ],
)
def test_missing_keys(npz, keys, missing):
    arrays = {key: points(9) if key.startswith("x") else labels(9) for key in keys}
    assert f"mine.npz lacks {missing} (it holds {', '.join(keys)}): " in refused(npz(**arrays))


@pytest.mark.parametrize(
    ("keys", "held"),
    [
        (["first", "second"], "first, second"),
        (["raw_images", "weights", "mean_image"], "raw_images, weights, mean_image"),
        ([f"arr_{i}" for i in range(100)], "arr_0, arr_1, arr_2, arr_3, arr_4, arr_5, arr_6, arr_7, … 100 in all"),
        ([], "nothing"),
    ],
)
def test_a_file_without_known_keys_lists_those_it_has(npz, keys, held):
    sentence = refused(npz(**dict.fromkeys(keys, np.zeros(3))))
    assert f"mine.npz lacks x_train, y_train (it holds {held}" in sentence
    assert sentence.endswith("): write it again with numpy.savez, samples as x_train and labels as y_train.")


def test_bad_arrays_are_refused_before_anything_is_cut(npz):
    x, y = points(20), labels(20)
    assert "x_train holds 20 samples and y_train 19 labels" in refused(npz(x_train=x, y_train=y[:19]))
    assert "one class only" in refused(npz(x_train=x, y_train=np.zeros(20, dtype=int)))
    assert "labels are not integers" in refused(npz(x_train=x, y_train=y + 0.5))
    assert "x_train is empty" in refused(npz(x_train=x[:0], y_train=y[:0]))
    assert "x_train has 1 dimensions" in refused(npz(x_train=x[:, 0], y_train=y))
    assert "y_test holds labels that y_train lacks (3)" in refused(
        npz(x_train=x, y_train=y, x_test=x[:2], y_test=np.array([0, 3]))
    )
    assert "x_test has shape (2,)" in refused(npz(x_train=x, y_train=y, x_test=x[:, :2], y_test=y))
    x[7, 2] = np.nan
    assert "1 of the 60 values of x_train are NaN or infinite in float32, the first at [7, 2]" in refused(
        npz(x_train=x, y_train=y)
    )
    assert "too few" in refused(npz(x_train=points(3), y_train=np.array([0, 1, 2])))


def test_splits_of_different_kinds(npz):
    images = np.zeros((8, 3, 3), dtype=np.uint8)
    message = refused(npz(x_train=images, y_train=labels(8), x_test=images / 255, y_test=labels(8)))
    assert "x_test holds float64 values" in message
    assert "x_train holds uint8" in message


def test_pickled_objects_are_never_loaded(npz):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    path = npz(x_train=np.array([Trap(), Trap()], dtype=object), y_train=labels(2))
    assert "cannot be read as a .npz file of plain arrays" in refused(path)


@pytest.mark.parametrize("kept", [0, 10, 300, 0.5, 0.99])
def test_a_file_cut_short(npz, tmp_path, kept):
    path = npz(x_train=points(50), y_train=labels(50))
    content = (tmp_path / "mine.npz").read_bytes()
    (tmp_path / "mine.npz").write_bytes(content[: kept if kept > 1 else int(kept * len(content))])
    assert "write it again with numpy.savez" in refused(path)


def test_an_altered_file(npz, tmp_path):
    path = npz(x_train=points(50), y_train=labels(50))
    content = bytearray((tmp_path / "mine.npz").read_bytes())
    content[700] ^= 1
    (tmp_path / "mine.npz").write_bytes(content)
    assert "CRC" in refused(path)


def test_files_that_are_no_npz(tmp_path):
    path = tmp_path / "mine.npz"
    for content in (b"\x93NUMPY", b"hello, world", b"\x80\x04."):
        path.write_bytes(content)
        assert "cannot be read as a .npz file" in refused(str(path))
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert "holds a single array" in refused(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", "text")
        archive.writestr("y_train", "text")
    refused(str(path))


def test_a_text_is_not_called_python_objects(tmp_path):
    path = tmp_path / "mine.npz"
    path.write_text("hello, world", encoding="utf-8")
    assert "(it begins with b'hello, w', which no such file does)" in refused(str(path))
    path.write_bytes(b"")
    assert "(it is empty)" in refused(str(path))


def npy(shape="(10, 3)", descr="'<f8'", order="False", data=bytes(240)):
    """An .npy file with any header, as numpy.lib.format writes it."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "header",
    [
        {"shape": f"({2**70},)"},
        {"shape": "(True, True)"},
        {"shape": "(False, 3)"},
        {"shape": "(10, -3)"},
        {"shape": f"({2**62}, 2)"},
        {"shape": f"({'9' * 5000},)"},
        {"descr": "()"},
        {"descr": "{'a': 3}"},
        {"order": "None"},
    ],
    ids=lambda header: str(header)[:30],
)
def test_a_header_that_numpy_cannot_make_an_array_of(tmp_path, header):
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", npy(**header))
        archive.writestr("y_train.npy", npy("(10,)", "'<i8'", data=bytes(80)))
    assert "cannot be read as a .npz file of plain arrays" in refused(str(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_byte_may_be_another(tmp_path, method):
    path, rng = tmp_path / "mine.npz", np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x_train.npy", npy(data=points(10).tobytes()))
        archive.writestr("y_train.npy", npy("(10,)", "'<i8'", data=labels(10).tobytes()))
    content = path.read_bytes()
    for place in rng.integers(len(content), size=300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(InvalidData, UnknownName):
            assert tasks.load(str(path)).class_count == 2


# Tables


def rows(count=40, classes=("no", "yes")):
    x = points(count, 2) * [3, 100] + [5, -20]
    lines = [f"{a:.6f},{b:.6f},{classes[i % len(classes)]}" for i, (a, b) in enumerate(x)]
    return "width,height,kind\n" + "\n".join(lines) + "\n"


def test_features_are_standardised_by_the_training_split(table):
    task = tasks.load(table(rows(50)), target="kind", seed=2)
    assert [len(task.y_train), len(task.y_validation), len(task.y_test)] == [30, 10, 10]
    assert task.classes == ("no", "yes")
    np.testing.assert_allclose(task.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(task.x_train.std(axis=0), 1, atol=1e-6)
    assert "target column 'kind', 2 columns of numbers; features standardised" in task.provenance
    assert "seed 2" in task.provenance


def test_standardising_agrees_with_scikit_learn(table, tmp_path):
    task = tasks.load(table(rows(50)), target="kind")
    with (tmp_path / "mine.csv").open() as stream:
        raw = np.array([[float(row["width"]), float(row["height"])] for row in csv.DictReader(stream)])
    # Which rows are in which split follows from the first column, whose values are all different.
    everything = np.concatenate([task.x_train, task.x_validation, task.x_test])
    order = np.argsort(np.argsort(everything[:, 0]))
    sources = raw[np.argsort(raw[:, 0])][order]
    scaler = StandardScaler().fit(sources[: len(task.x_train)])
    np.testing.assert_allclose(everything, scaler.transform(sources), atol=1e-5)


def test_constant_columns_are_left_out_or_zero(table):
    lines = "\n".join(f"0.1,{i},{i % 2}" for i in range(40))
    path = table(f"same,number,kind\n{lines}")
    task, sentences = told(path, target="kind", reading=Reading(keep=("number",)))
    assert sentences == ["mine.csv: column 'same' holds one value only and is left out; --keep same trains on it."]
    assert task.input_shape == (1,)
    task = tasks.load(path, target="kind", reading=Reading(keep=("number", "same")))
    for x in (task.x_train, task.x_validation, task.x_test):
        assert (x[:, 0] == 0).all()
        assert np.ptp(x[:, 1]) > 1


def test_huge_and_tiny_columns_are_standardised_too(table):
    lines = "\n".join(f"{i}e300,{i}e-300,{i % 2}" for i in range(40))
    task = tasks.load(table(f"huge,tiny,kind\n{lines}"), target="kind")
    np.testing.assert_allclose(task.x_train.std(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("0", "1"), ("0", "1")),
        (("10", "9", "-2"), ("-2", "9", "10")),
        (("1.0", "2.0"), ("1", "2")),
        ((" b ", "a"), ("a", "b")),
        (("3", "x"), ("3", "x")),
        (("1e3", "7"), ("7", "1000")),
    ],
)
def test_integers_and_names_are_classes(table, values, classes):
    task = tasks.load(table(rows(60, values)), target="kind")
    assert task.classes == classes
    assert np.bincount(task.y_train).sum() == 36


def test_spreadsheet_habits_are_understood(table):
    text = "\ufeff" + rows().replace("\n", "\r\n").replace("width", '"width, cm"') + "\r\n\r\n"
    task = tasks.load(table(text), target=" kind".strip())
    assert task.input_shape == (2,)


# The first row


NUMBERS = points(40, 2).round(3)
MEASURED = [f"{a},{b}" for a, b in NUMBERS]
COLOURS = ["red", "green", "blue"]


def bare(*columns):
    return "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True)) + "\n"


WITHOUT_A_HEADER = {
    "measurements and a class name last": (bare(MEASURED, COLOURS * 13 + ["red"]), "3", 2),
    "a number first": (bare([1, 2, 3, 1] * 10, MEASURED), "1", 2),
    "the class name first": (bare(COLOURS * 13 + ["red"], MEASURED), "1", 2),
    "numbers alone": (bare(MEASURED, [0, 1] * 20), "3", 2),
    "a missing value in the first row": (bare(["?", *MEASURED[1:]], [0, 1] * 20).replace("?", "NA,1", 1), "3", 2),
    "names of people, too": (bare([f"person {i}" for i in range(40)], MEASURED, ["no", "yes"] * 20), "4", 3),
    "whole numbers that count": (bare([2, 3, 5, 7] * 10, [3, 5, 2, 7] * 10, [4, 2, 3, 1, 2] * 8), "3", 2),
}


@pytest.mark.parametrize(("text", "target", "features"), WITHOUT_A_HEADER.values(), ids=WITHOUT_A_HEADER)
def test_a_first_row_that_fits_as_data_is_data(table, text, target, features):
    width = features + 1
    task, sentences = told(table(text), target=target)
    assert sentences[0].startswith("mine.csv: the first row (")
    assert f"taken for data, the columns are named 1 to {width}: --header yes if it names them." in sentences[0]
    plain, others = told(table(text), target=target, reading=Reading(header="no"))
    assert (plain.digest, others) == (task.digest, sentences[1:])
    assert len(task.y_train) + len(task.y_validation) + len(task.y_test) == 40
    assert task.provenance.startswith(f"mine.csv, no header row, target column '{target}', ")
    if "person" in text:
        assert "column '1' holds texts that are nearly all different and is left out" in sentences[1]
        features -= 1
    assert task.input_shape == (features + ("NA" in text),)


def test_a_first_row_that_is_taken_for_a_header_is_lost_from_the_samples(table):
    text, _, _ = WITHOUT_A_HEADER["measurements and a class name last"]
    task = tasks.load(table(text), target="red", reading=Reading(header="yes"))
    assert len(task.y_train) + len(task.y_validation) + len(task.y_test) == 39
    assert "header row" not in task.provenance


def test_numbers_among_names_are_no_header(table):
    # As scikit-learn's own iris.csv: how many rows and columns, then the names of the classes.
    lines = "\n".join(f"{a},{b},{b},{i % 3}" for i, (a, b) in enumerate(NUMBERS))
    sentence = refused(table(f"40,3,setosa,virginica\n{lines}\n"), target="virginica")
    assert "the first row (40, 3, setosa, virginica) holds numbers among names: take it out if it is" in sentence
    # A class of one sample comes first.
    text = f"0.5,1.5,rare\n{bare(MEASURED, ['no', 'yes'] * 20)}"
    assert "holds 1 class of a single sample (rare)" in refused(table(text), target="3")


def test_names_of_columns_are_not_asked_for(table):
    body = bare(MEASURED, [0, 1] * 20)
    for header in ("a,b,kind", "a,Na,kind", "NA,b,kind", "0,1,kind", "inf ,nan,kind"):
        task, sentences = told(table(f"{header}\n{body}"), target="kind", reading=Reading(header=None))
        assert len(sentences) == (header == "0,1,kind")
        assert task.input_shape == (2,)
    # Numbers by which pandas names columns, and years.
    wide = bare(MEASURED, MEASURED, [0, 1] * 20)
    task, sentences = told(table(f"0,1,2,3,4\n{wide}"), target="4")
    assert task.input_shape == (4,)
    assert sentences == ["mine.csv: the first row (0, 1, 2, 3, 4) is taken for names of columns: --header no if not."]
    assert told(table(f"2017,2018,2019,2020,kind\n{wide}"), target="kind")[0].input_shape == (4,)
    named = bare(MEASURED, MEASURED, ["no", "yes"] * 20)
    assert told(table(f"0,1,2,3,kind\n{named}"), target="kind")[0].input_shape == (4,)
    for steps in ("2000,2005,2010,2015", "1100.5,1100.6,1100.7,1100.8"):
        assert told(table(f"{steps},kind\n{named}"), target="kind")[0].input_shape == (4,)
    assert "numbers among names" in refused(table(f"2000,2004,2010,2015,kind\n{wide}"), target="kind")
    assert "fits the rows below it and is taken for data" in told(table(f"1,2,3,4,1\n{wide}"), target="5")[1][0]
    # A second file behind the first, header and all.
    assert "line 42: column 'a' holds 'a' among numbers (1 of 81 values are none)" in refused(
        table(f"a,b,kind\n{body}a,b,kind\n{body}"), target="kind", reading=Reading(classes="texts")
    )


def test_texts_that_come_again_are_no_names(table):
    text = bare(["red", "blue", "red", "blue", "blue"] * 8, ["no", "yes"] * 20)
    task, sentences = told(table(text), target="2")
    assert "the first row (red, no) fits the rows below it and is taken for data" in sentences[0]
    assert told(table(f"colour,kind\n{text}"), target="kind")[0].digest == task.digest


# The target


def targeted(values, count=60):
    """A table whose target holds `values`, each as often as there is room, in turn."""
    values = [str(value) for value in values]
    return bare(["a", *points(count, 1)[:, 0]], ["kind", *(values[i % len(values)] for i in range(count))])


def classes(path, decided=None, **options):
    return tasks.load(path, target="kind", reading=Reading(classes=decided), **options).classes


NUMBERS_OF_OLD = [9007199254740992, 9007199254740993, 9007199254740994]


def test_whole_numbers_beyond_the_exact_ones_of_floats_stay_apart(table):
    path = table(targeted(NUMBERS_OF_OLD))
    assert classes(path) == tuple(map(str, NUMBERS_OF_OLD))
    assert len(set(map(float, NUMBERS_OF_OLD))) == 2
    path = table(targeted([123456789012345678 + i for i in range(5)] + [10**40, 10**40 + 1]))
    assert len(classes(path)) == 7
    assert classes(table(targeted(["1" * 5000, "2" * 5000]))) == ("1" * 5000, "2" * 5000)


@pytest.mark.parametrize(
    ("values", "numbers", "texts"),
    [
        (("007", "7", "8"), ("7", "8"), ("007", "7", "8")),
        (("1.0", "1", "2"), ("1", "2"), ("1", "1.0", "2")),
        (("+1", "1", "-1"), ("-1", "1"), ("+1", "-1", "1")),
        (("1e3", "1000", "7"), ("7", "1000"), ("1000", "1e3", "7")),
    ],
)
def test_texts_that_differ_and_are_one_number_are_asked_for(table, values, numbers, texts):
    path = table(targeted(values))
    sentence = refused(path, target="kind")
    assert values[0] in sentence
    assert values[1] in sentence
    assert "which differ and are one number: say --classes texts to keep them apart, or --classes numbers" in sentence
    assert classes(path, "numbers") == numbers
    assert classes(path, "texts") == texts


def test_codes_keep_their_leading_zeros(table):
    assert classes(table(targeted(["007", "008", "010"]))) == ("007", "008", "010")


@pytest.mark.parametrize("absent", ["NA", "nan", "n/a", "NULL", "None", "?", "-"])
@pytest.mark.parametrize("others", [("yes", "no"), ("1", "0")])
def test_what_says_that_nothing_is_known_is_no_class(table, absent, others):
    path = table(targeted([*others, absent]))
    task, sentences = told(path, target="kind")
    assert sentences == [
        "mine.csv: 20 of 60 rows say nothing in the target 'kind', the first in line 4, and are left out; "
        "--classes texts makes every text a class."
    ]
    assert set(task.classes) == {*others}
    assert len(task.y_train) + len(task.y_validation) + len(task.y_test) == 40
    assert set(classes(path, "texts")) == {*others, absent}


def test_plus_and_minus_are_classes(table):
    assert classes(table(targeted(["+", "-"]))) == ("+", "-")


def test_numbers_that_are_to_be_classes_are_numbers(table):
    task, sentences = told(table(targeted(["1", "2", "?"])), target="kind", reading=Reading(classes="numbers"))
    assert task.classes == ("1", "2")
    assert "20 of 60 rows say nothing in the target 'kind', the first in line 4, and are left out" in sentences[0]
    assert "holds tall in line 3" in refused(
        table(targeted(["1", "tall"])), target="kind", reading=Reading(classes="numbers")
    )
    path = table(targeted(["0.5", "1", "1.50"]))
    sentence = refused(path, target="kind")
    assert "labels are not integers: column 'kind' holds 0.5 in line 2. If it is a quantity" in sentence
    assert classes(path, "numbers") == ("0.5", "1", "1.50")


def learnt_as_numbers(path, **target):
    with pytest.warns(ActlabWarning, match=r"learnt as (a quantity|such) \(regression\)"):
        return tasks.load(path, **target).targets is not None


def test_a_quantity_is_not_learnt_as_classes(table, npz):
    for data, target in ((load_diabetes(scaled=False).target, "214"), (load_diabetes(scaled=False).data[:, 0], "58")):
        values = data.astype(int)
        path = table(targeted(values, len(values)))
        assert learnt_as_numbers(path, target="kind")
        assert len(classes(path, "numbers")) == len(classes(path, "texts")) == int(target)
        for y in (values, values.astype(float)):
            path = npz(x_train=points(len(values)), y_train=y)
            assert learnt_as_numbers(path)
            assert tasks.load(path, reading=Reading(classes="numbers")).class_count == int(target)
    assert learnt_as_numbers(npz(x_train=points(100), y_train=labels(100, 11)))
    assert tasks.load(npz(x_train=points(110), y_train=labels(110, 11))).class_count == 11


# How many samples of each class published sets have: digits, letters, covertype (a tenth), wine quality (red, white),
# yeast, glass, faces of forty people, leaves of a hundred plants.
PUBLISHED = {
    "digits": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    "letters": [750] * 26,
    "covertype": [21184, 28330, 3575, 275, 949, 1737, 2051],
    "red wine": [10, 53, 681, 638, 199, 18],
    "white wine": [20, 163, 1457, 2198, 880, 175, 5],
    "yeast": [463, 429, 244, 163, 51, 44, 35, 30, 20, 5],
    "glass": [70, 76, 17, 13, 9, 29],
    "faces": [10] * 40,
    "leaves": [16] * 100,
    "two of each": [2] * 10,
}


@pytest.mark.parametrize("counts", PUBLISHED.values(), ids=PUBLISHED)
def test_classes_by_number_are_not_asked_for(table, npz, counts):
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)) + 3, counts))
    with warnings.catch_warnings():
        # Of more than ten it is told that they may be a quantity.
        warnings.filterwarnings("ignore", message=".*are taken for classes", category=ActlabWarning)
        assert len(classes(table(targeted(values, len(values))))) == len(counts)
    assert tasks.load(npz(x_train=points(len(values), 2), y_train=values)).class_count == len(counts)


def test_single_samples_are_asked_for(table):
    names = [*(["no", "yes"] * 20), "maybe"]
    path = table(targeted(names, len(names)))
    sentence = refused(path, target="kind")
    assert "column 'kind' holds 1 class of a single sample (maybe), which can be learnt or tested, but not" in sentence
    assert classes(path, "texts") == ("maybe", "no", "yes")
    names = [f"person {i}" for i in range(40)]
    assert "holds 40 classes of a single sample (person 0, person 1, person 10, …)" in refused(
        table(targeted(names, 40)), target="kind"
    )
    assert learnt_as_numbers(table(targeted(range(100, 220, 3), 40)), target="kind")
    numbers = [*([0, 1] * 20), 7]
    assert "column 'kind' holds 3 numbers, of which 1 comes only once (7): if it is a quantity" in refused(
        table(targeted(numbers, 41)), target="kind"
    )


def test_what_was_decided_of_the_classes_is_told(table, npz):
    task = tasks.load(table(targeted(["007", "7"])), target="kind", reading=Reading(classes="texts"))
    assert task.provenance.startswith("mine.csv, classes by texts, target column 'kind', ")
    path = npz(x_train=points(20), y_train=labels(20))
    assert "labels are numbers: say --classes numbers, or leave it out" in refused(
        path, reading=Reading(classes="texts")
    )


# Columns that say which sample a row is


def identified(name, values, at=0):
    """A table with a column beside the measurements, and its samples in the order of their classes."""
    count = len(values)
    columns = [["a", *points(count, 1)[:, 0]], ["kind", *np.sort(np.arange(count) % 3)]]
    columns.insert(at, [f'"{name}"', *values])
    return bare(*columns)


SHUFFLED = np.random.default_rng(0).permutation(60)
FAR_APART = np.random.default_rng(0).choice(10**7, 60, replace=False)
NAMES_OF_SAMPLES = {
    "counted from 1": ("Id", range(1, 61)),
    "counted under any name": ("width", range(60)),
    "counted from anywhere": ("year", range(1960, 2020)),
    "counted down": ("z", range(60, 0, -1)),
    "counted, then shuffled": ("z", SHUFFLED),
    "counted, then some taken out": ("z", [i for i in range(66) if i % 11]),
    "counted as decimals": ("z", [f"{i}.0" for i in range(60)]),
    "pandas' index, read and written again": ("Unnamed: 0", FAR_APART),
    "id": ("id", FAR_APART),
    "customer_id": ("customer_id", FAR_APART),
    "PassengerId": ("PassengerId", FAR_APART),
    "customer id, most of them once": ("customer id", [*FAR_APART[:40], *FAR_APART[:20]]),
    "Sr. No.": ("Sr. No.", FAR_APART),
    "userid": ("userid", FAR_APART),
    "Sample code number": ("Sample code number", FAR_APART),
    "eighteen digits": ("objid", [10**17 + int(i) for i in SHUFFLED]),
}


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize(("name", "values"), NAMES_OF_SAMPLES.values(), ids=NAMES_OF_SAMPLES)
def test_columns_that_tell_samples_apart_are_left_out(table, name, values, at):
    path = table(identified(name, list(values), at))
    task, sentences = told(path, target="kind")
    assert len(sentences) == 1
    assert sentences[0].startswith(f"mine.csv: column {name!r} ")
    assert sentences[0].endswith(f" is left out; --keep {shlex.quote(name)} trains on it.")
    kept = tasks.load(path, target="kind", reading=Reading(keep=(name,)))
    without = tasks.load(path, target="kind", reading=Reading(drop=(name,)))
    assert (kept.input_shape, without.input_shape) == ((2,), (1,))
    assert f"without {name} (" in without.provenance
    assert f"without {name} (" in task.provenance
    assert "without" not in kept.provenance
    plain = tasks.load(table(bare(["a", *points(60, 1)[:, 0]], ["kind", *np.sort(np.arange(60) % 3)])), target="kind")
    assert task.digest == without.digest == plain.digest


def test_several_such_columns_are_named_at_once(table):
    text = bare(["Id", *range(60)], ["a", *points(60, 1)[:, 0]], ["user id", *FAR_APART], ["kind", *["x", "y"] * 30])
    sentences = told(table(text), target="kind")[1]
    assert sentences == [
        "mine.csv: column 'Id' counts the rows and is left out; --keep Id trains on it.",
        "mine.csv: column 'user id' is named like an id, tells most rows apart and is left out; --keep 'user id' "
        "trains on it.",
    ]
    assert told(table(text), target="kind", reading=Reading(keep=("Id",)))[1] == sentences[1:]
    assert tasks.load(table(text), target="kind", reading=Reading(keep=("Id",), drop=("user id",))).input_shape == (2,)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("amount", FAR_APART),
        ("id", points(60, 1)[:, 0]),
        ("store_id", [i % 5 for i in range(60)]),
        ("acid", FAR_APART),
        ("number of rooms", FAR_APART),
        ("even", range(0, 120, 2)),
        ("rank", [*range(59), 58]),
    ],
)
def test_other_columns_are_not_asked_for(table, name, values):
    assert tasks.load(table(identified(name, list(values))), target="kind").input_shape == (2,)


def test_columns_that_are_kept_or_left_out_must_be_there(table):
    path = table(identified("Id", list(range(60))))
    for reading in (Reading(keep=("id",)), Reading(drop=("id",))):
        with pytest.raises(UnknownName, match="unknown column 'id': did you mean 'Id'"):
            tasks.load(path, target="kind", reading=reading)
    assert "column 'Id' is to be kept and to be left out" in refused(
        path, target="kind", reading=Reading(keep=("Id",), drop=("Id",))
    )
    assert "column 'kind' is the target and cannot be left out" in refused(
        path, target="kind", reading=Reading(drop=("kind",))
    )
    assert "no column beside the target" in refused(path, target="kind", reading=Reading(drop=("Id", "a")))


def test_columns_of_texts_can_be_left_out(table):
    text = bare(["person", *(["x", "y", "z"] * 20)], ["a", *points(60, 1)[:, 0]], ["kind", *[0, 1] * 30])
    task, sentences = told(table(text), target="kind")
    assert task.input_shape == (4,)
    assert sentences == [
        "mine.csv: 'person' is taken for names of categories, an input each (one-hot); --drop person leaves a column "
        "out."
    ]
    assert tasks.load(table(text), target="kind", reading=Reading(drop=("person",))).input_shape == (1,)


def test_columns_of_arrays_that_count_the_samples_are_asked_for(npz):
    x, y = np.column_stack([points(60), np.arange(60)]), np.sort(labels(60))
    path = npz(x_train=x, y_train=y)
    sentence = refused(path)
    assert sentence.startswith("mine.npz: column '4' counts the rows: that says")
    assert sentence.endswith("leave it out with --drop 4, or train on it with --keep 4.")
    assert tasks.load(path, reading=Reading(keep=("4",))).input_shape == (4,)
    without = tasks.load(path, reading=Reading(drop=("4",)))
    assert without.digest == tasks.load(npz(x_train=x[:, :3], y_train=y)).digest
    assert without.provenance.startswith("mine.npz, without '4'; split")
    order = np.random.default_rng(0).permutation(60)
    split = npz(x_train=x[order[:40]], y_train=y[order[:40]], x_test=x[order[40:]], y_test=y[order[40:]])
    assert "column '4' counts the rows" in refused(split)
    pictures = npz(x_train=np.zeros((20, 4, 4), np.uint8), y_train=labels(20))
    assert "its samples are pictures, which have no columns to keep or drop" in refused(
        pictures, reading=Reading(drop=("1",))
    )


SCIKIT_LEARN = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}


@pytest.mark.parametrize("load", SCIKIT_LEARN.values(), ids=SCIKIT_LEARN)
def test_real_tables_are_the_same_with_and_without_a_header_and_an_id(table, npz, load):
    data = load()
    names = [*(name.replace(",", "") for name in data.feature_names), "target"]
    columns = [*data.data.T.tolist(), data.target_names[data.target].tolist()]
    plain, constant = told(table(",".join(names) + "\n" + bare(*columns)), target="target")
    assert len(constant) == (load is load_digits)
    assert plain.class_count == len(data.target_names)
    path = table(bare(*columns))
    task, sentences = told(path, target=str(len(names)))
    assert "fits the rows below it and is taken for data" in sentences[0]
    assert task.digest == plain.digest
    ids = range(1, len(data.target) + 1)
    path = table(",".join(["Id", *names]) + "\n" + bare(ids, *columns))
    task, sentences = told(path, target="target")
    assert "column 'Id' counts the rows and is left out" in sentences[0]
    assert task.digest == plain.digest
    assert tasks.load(npz(x_train=data.data, y_train=data.target)).class_count == plain.class_count


def test_tables_as_scikit_learn_ships_them_are_refused():
    for name in ("iris", "wine_data", "breast_cancer"):
        with pytest.raises(InvalidData, match=r"numbers among names|values and all rows below it \d+: take it"):
            tasks.load(str(Path(sklearn.datasets.__file__).parent / "data" / f"{name}.csv"), target="virginica")


def test_decisions_are_checked_when_they_are_made():
    for wrong in ({"header": True}, {"classes": "text"}, {"layout": "last"}, {"keep": "Id"}, {"drop": "Id"}):
        with pytest.raises(InvalidData, match=rf"^{next(iter(wrong))} is "):
            Reading(**wrong)


def test_decisions_where_there_is_nothing_to_decide(npz):
    for name in ("digits", npz(x_train=points(20), y_train=labels(20))):
        with pytest.raises(InvalidData, match=r"^header 'no' was given for '.*', which is no table written as text or"):
            tasks.load(name, reading=Reading(header="no"))


def test_a_missing_target_lists_the_columns(table):
    assert "no target was given" in refused(table(rows()))
    assert "most likely it is 'kind' (2 classes): say so, as in actlab compare --task " in refused(table(rows()))
    assert "--target kind, or name another one of width, height, kind." in refused(table(rows()))


def test_wide_tables(table):
    width = 3000
    rows = np.column_stack([points(30, width).round(2), np.arange(30) % 2])
    header = ",".join([*(f"c{i}" for i in range(width)), "kind"])
    path = table("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    assert tasks.load(path, target="kind", reading=Reading(classes="numbers")).input_shape == (width,)
    assert "or name another one of c0, c1, c2, " in refused(path)
    assert refused(path).endswith(", c19, … 3,001 in all.")


def test_a_misspelt_column(table):
    with pytest.raises(UnknownName, match="unknown column 'knd': did you mean 'kind'"):
        tasks.load(table(rows()), target="knd")


def test_a_column_that_is_not_numeric(table):
    text = rows().splitlines()
    text[4] = "12,tall,no"
    message = refused(table("\n".join(text)), target="kind")
    assert "line 5: column 'height' holds 'tall' among numbers (1 of 40 values are none): mend it, say" in message
    assert message.endswith(
        "--categorical height to take all values for names of categories, or leave the column out with --drop height."
    )


@pytest.mark.parametrize("value", ["1_000", "1,5", "0x10"])
def test_values_that_only_look_like_numbers(table, value):
    text = rows().splitlines()
    text[2] = f'12,"{value}",no'
    assert f"line 3: column 'height' holds {value!r}" in refused(table("\n".join(text)), target="kind")


def test_values_that_are_not_finite_are_counted_and_placed(table):
    text = rows().splitlines()
    text[3], text[9] = "1,-inf,no", "1,inf,no"
    message = refused(table("\n".join(text)), target="kind")
    assert "mine.csv, line 4: column 'height' holds an infinite number, one of 2" in message


def test_decimal_labels(table):
    message = refused(table(rows(40, ("0", "0.5", "1"))), target="kind")
    assert "labels are not integers: column 'kind' holds 0.5 in line 3" in message
    sentence = refused(table(rows(40, ("0", "nan"))), target="kind")
    assert "column 'kind' holds one class only (0)" in sentence


def test_rows_without_a_label_are_left_out(table):
    task, sentences = told(table(rows(40, ("0", "", "1", "1"))), target="kind")
    assert sentences == [
        "mine.csv: 10 of 40 rows say nothing in the target 'kind', the first in line 3, and are left out."
    ]
    assert len(task.y_train) + len(task.y_validation) + len(task.y_test) == 30
    assert "column 'kind' is empty" in refused(table(rows(40, ("", "?"))), target="kind")


def test_one_class_only(table):
    assert "column 'kind' holds one class only (no)" in refused(table(rows(40, ("no",))), target="kind")


def test_ragged_rows(table):
    text = rows().splitlines()
    text[6] = "1,2"
    assert "line 7: 2 values where the header names 3 columns" in refused(table("\n".join(text)), target="kind")


@pytest.mark.parametrize(("text", "held"), [("", "nothing"), ("\n\n", "nothing"), ("a,b,kind\n", "only a header")])
def test_an_empty_file(table, text, held):
    assert f"mine.csv is empty: it holds {held}" in refused(table(text), target="kind")


def test_a_target_alone(table):
    assert "no column beside the target" in refused(table("kind\n0\n1\n"), target="kind")


def test_too_few_rows(table):
    assert "mine.csv: 2 samples in 2 classes are too few" in refused(table("a,kind\n1,0\n2,1\n"), target="kind")


# Validation on the test data


@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "validation", "test")])
def test_own_arrays_validated_on_their_test_data(npz, parts):
    sizes = {"train": 40, "validation": 12, "test": 9}
    arrays = {}
    for part in parts:
        arrays |= {f"x_{part}": points(sizes[part]), f"y_{part}": labels(sizes[part])}
    held_out, task = tasks.load(npz(**arrays), seed=3), tasks.load(npz(**arrays), seed=3, validation="test")
    assert len(task.x_train) == len(held_out.x_train) + len(held_out.x_validation)
    np.testing.assert_array_equal(task.x_test, held_out.x_test)
    np.testing.assert_array_equal(task.x_validation, held_out.x_test)
    assert "validation is the test data" in task.provenance


def test_a_table_validated_on_its_test_data(table):
    text = "\n".join(["a,b,kind", *(f"{2 * i},{i * i % 7},{'xyz'[i % 3]}" for i in range(30))])
    held_out, task = (tasks.load(table(text), target="kind", validation=v) for v in ("held-out", "test"))
    assert (len(task.y_train), len(task.y_validation), len(task.y_test)) == (24, 6, 6)
    np.testing.assert_array_equal(task.x_validation, held_out.x_test)
    assert task.classes == ("x", "y", "z")
