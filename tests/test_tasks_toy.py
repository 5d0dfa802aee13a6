"""The built-in tasks that are made on the spot, and the package's own door."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from actlab import tasks
from actlab.errors import InvalidData, UnknownName

TOYS = ("parabolas", "moons", "circles", "spirals")
MADE = (*TOYS, "tic-tac-toe", "digits")
NUMBERS = ("sine", "friedman", "diabetes")


def test_the_names_are_those_of_the_design():
    assert tasks.names() == (*TOYS, *NUMBERS, "tic-tac-toe", "digits", "mnist", "fashion-mnist", "cifar10")


@pytest.mark.parametrize("name", MADE)
def test_the_same_seed_gives_the_same_task_and_another_seed_another(name):
    first, again, other = tasks.load(name), tasks.load(name, seed=0), tasks.load(name, seed=1)
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert first.name == name
    assert "seed 0" in first.provenance
    assert "seed 1" in other.provenance
    assert "\n" not in first.provenance
    assert len(first.classes) == first.class_count == len(np.unique(first.y_train))


@pytest.mark.parametrize("name", ["moons", "circles"])
def test_any_seed_of_numpy_will_do(name):
    assert tasks.load(name, seed=2**40).digest != tasks.load(name, seed=2**40 + 1).digest


@pytest.mark.parametrize("name", MADE)
def test_the_outline_is_that_of_the_data(name):
    task, known = tasks.load(name), tasks.outline(name)
    assert known.shape == task.input_shape
    assert known.samples == len(task.y_train) + len(task.y_validation) + len(task.y_test)


def test_every_task_has_an_outline_and_no_other_name_has():
    assert {tasks.outline(name).shape for name in tasks.names()} == {
        *((2,), (1,), (10,), (27,)),
        *((8, 8, 1), (28, 28, 1), (32, 32, 3)),
    }
    with pytest.raises(UnknownName, match="unknown task 'digit': did you mean 'digits'"):
        tasks.outline("digit")


@pytest.mark.parametrize("name", MADE)
def test_all_but_the_test_data_train_where_these_validate(name):
    held_out, task = tasks.load(name, seed=2), tasks.load(name, seed=2, validation="test")
    assert tasks.load(name, seed=2, validation="held-out").digest == held_out.digest
    rows = lambda x, y: sorted((*sample.ravel().tolist(), label) for sample, label in zip(x, y, strict=True))  # noqa: E731
    train = rows(held_out.x_train, held_out.y_train) + rows(held_out.x_validation, held_out.y_validation)
    assert rows(task.x_train, task.y_train) == sorted(train)
    for part in (task.x_validation, task.y_validation), (task.x_test, task.y_test):
        np.testing.assert_array_equal(part[0], held_out.x_test)
        np.testing.assert_array_equal(part[1], held_out.y_test)
    assert task.classes == held_out.classes
    assert task.digest != held_out.digest
    assert task.provenance.startswith(held_out.provenance)
    assert task.provenance.endswith(
        "; then training and validation data joined for training: validation is the test data, as in many published "
        "experiments: nothing may be chosen on it"
    )


def test_validation_data_of_a_third_kind():
    with pytest.raises(InvalidData, match="validation is 'held-out' or 'test', not 'train'"):
        tasks.load("moons", validation="train")  # type: ignore[arg-type]


def test_parabolas_are_the_published_curves():
    task = tasks.load("parabolas")
    x1 = np.linspace(-1, 1, 1000, dtype=np.float64)
    for label, shift in ((0, 0.0), (1, 0.5)):
        curve = task.x_train[task.y_train == label]
        np.testing.assert_allclose(curve, np.stack([x1, x1 * x1 - shift], axis=1), atol=1e-7)
    assert task.x_train.shape == (2000, 2)
    assert task.classes == ("negative", "positive")


def test_parabolas_are_tested_on_further_points_of_the_same_curves():
    task = tasks.load("parabolas", seed=4)
    for part in ("validation", "test"):
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        assert np.bincount(y).tolist() == [250, 250]
        assert np.abs(x[:, 0]).max() <= 1
        np.testing.assert_allclose(x[:, 1], x[:, 0] ** 2 - 0.5 * y, atol=1e-6)
        # Four standard errors of a median of 250 uniform points (both classes stand over the same x₁).
        allowed = 4 * np.sqrt(0.25 / 250) / 0.5
        assert np.quantile(x[:, 0], [0.25, 0.5, 0.75]) == pytest.approx([-0.5, 0, 0.5], abs=allowed)
    assert not np.isin(task.x_test[:, 0], task.x_validation[:250, 0]).any()
    np.testing.assert_array_equal(task.x_train, tasks.load("parabolas", seed=9).x_train)


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_points_are_2000_in_equal_classes_split_60_20_20(name):
    task = tasks.load(name)
    for part, count in (("train", 600), ("validation", 200), ("test", 200)):
        assert np.bincount(getattr(task, f"y_{part}")).tolist() == [count, count]
    assert task.input_shape == (2,)


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_neighbours_tell_the_classes_apart_and_a_line_does_not(name):
    task = tasks.load(name)
    near = KNeighborsClassifier(15).fit(task.x_train, task.y_train).score(task.x_test, task.y_test)
    design = np.c_[task.x_train, np.ones(len(task.x_train))]
    line = np.linalg.lstsq(design, 2 * task.y_train - 1, rcond=None)[0]
    straight = ((np.c_[task.x_test, np.ones(len(task.x_test))] @ line > 0) == task.y_test).mean()
    assert near > 0.95
    assert straight < 0.93


def test_spirals_lie_on_their_arms():
    task = tasks.load("spirals")
    radius = np.linalg.norm(task.x_train, axis=1)
    angle = np.arctan2(task.x_train[:, 1], task.x_train[:, 0]) - np.pi * (3.5 * radius + task.y_train)
    distance = radius * np.abs(np.angle(np.exp(1j * angle)))
    # Noise of 0.03 shifts the radius too, and with it the angle that the formula expects: 11 times as far.
    assert np.median(distance) < 0.2
    assert radius.max() < 1.2
    assert set(task.classes) == {"first", "second"}


def test_circles_and_moons_name_their_classes_rightly():
    circles, moons = tasks.load("circles"), tasks.load("moons")
    radius = np.linalg.norm(circles.x_train, axis=1)
    assert radius[circles.y_train == circles.classes.index("inner")].mean() < 0.7
    heights = [moons.x_train[moons.y_train == moons.classes.index(name), 1].mean() for name in ("upper", "lower")]
    assert heights[0] > heights[1]


def test_digits_are_those_of_scikit_learn():
    task = tasks.load("digits")
    reference = load_digits()
    assert task.input_shape == (8, 8, 1)
    assert (len(task.x_train), len(task.x_validation), len(task.x_test)) == (1079, 359, 359)
    found = np.concatenate([task.x_train, task.x_validation, task.x_test])[..., 0] * 16
    labels = np.concatenate([task.y_train, task.y_validation, task.y_test])
    rows = lambda images, targets: sorted((*image.ravel(), target) for image, target in zip(images, targets))  # noqa: B905, E731
    assert rows(found, labels) == rows(reference["images"], reference["target"])
    assert (task.x_train.min(), task.x_train.max()) == (0, 1)
    assert task.classes == tuple("0123456789")


def test_a_misspelt_task_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownName, match="unknown task 'digit': did you mean 'digits'"):
        tasks.load("digit")
    with pytest.raises(UnknownName, match="did you mean 'fashion-mnist'"):
        tasks.load("fashion_mnist")
    with pytest.raises(UnknownName, match="known: cifar10, circles"):
        tasks.load("zzz")


@pytest.mark.parametrize("name", ["data.doc", "folder/digits", "folder/data.h5", "data.pt"])
def test_a_file_of_another_kind(name):
    with pytest.raises(InvalidData, match=r"and actlab reads tables \(\.csv, .*, arrays \(\.npz, .* and folders"):
        tasks.load(name)


@pytest.mark.parametrize("name", ["missing.npz", "missing.csv", "missing.parquet", "no/such/folder.NPZ", "x.npy"])
def test_a_file_that_does_not_exist(name):
    with pytest.raises(InvalidData, match=f"{name} is no file: give the path"):
        tasks.load(name)


@pytest.mark.parametrize("name", ["digits", "mine.npz"])
def test_a_target_is_for_tables_alone(name):
    with pytest.raises(InvalidData, match=f"target 'kind' was given for '{name}', which is no table: leave it out"):
        tasks.load(name, target="kind")


def test_a_negative_seed():
    with pytest.raises(InvalidData, match="0 or more, not -1"):
        tasks.load("moons", seed=-1)


def test_importing_the_package_imports_numpy_alone():
    heavy = ("jax", "sklearn", "scipy", "pooch", "tqdm", "requests", "torch", "matplotlib", "pandas")
    code = f"import actlab.tasks, sys; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_task_imports_jax():
    code = "import sys, actlab.tasks as t; t.load('parabolas'); t.load('digits'); print('jax' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_digits_are_read_bit_for_bit_without_importing_scikit_learn():
    from actlab.tasks.digits import _packaged

    pixels, labels = _packaged()
    reference = load_digits()
    for found, wanted in ((pixels, reference["data"]), (labels, reference["target"])):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actlab.tasks.digits.find_spec", lambda _: None)  # As if the file lay elsewhere.
        for found, wanted in zip(_packaged(), (pixels, labels), strict=True):
            np.testing.assert_array_equal(found, wanted)
    script = "import sys, actlab.tasks; actlab.tasks.load('digits'); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
