"""Numbers as targets in files that people have: what is learnt as a quantity, what as classes, and what is asked."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData, UnknownName
from actlab.tasks import Reading
from actlab.tasks.task import SPLITS, build_numbers

ROWS = 120


def written(tmp_path, **columns):
    """A table of a feature and some columns, and its path."""
    path = tmp_path / "mine.csv"
    rng = np.random.default_rng(0)
    pl.DataFrame({"size": rng.normal(size=ROWS), "room": rng.choice(["a", "b"], ROWS), **columns}).write_csv(path)
    return str(path)


def loaded(path, target, **decided):
    """The task of a table, and all that is told of it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        task = tasks.load(path, target=target, reading=Reading(**decided))
    return task, " ".join(str(one.message) for one in told)


def numbers_of(task):
    return np.sort(np.concatenate([task.numbers(part)[:, 0] for part in SPLITS]))


QUANTITIES = {
    "decimals": lambda rng: rng.normal(scale=50, size=ROWS).round(2),
    "whole, many": lambda rng: rng.permutation(np.arange(ROWS) + 25),
    "whole, few of each": lambda rng: rng.integers(0, 40, ROWS),
    "large": lambda rng: rng.normal(2e9, 5e8, ROWS).round(),
    "percent": lambda rng: [f"{x:.1f}%" for x in rng.uniform(0, 100, ROWS)],
    "money": lambda rng: [f"${x:,.2f}" for x in rng.uniform(1000, 9000, ROWS)],
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_numbers_of_many_values_are_a_quantity_and_it_is_told(tmp_path, name):
    values = QUANTITIES[name](np.random.default_rng(1))
    task, told = loaded(written(tmp_path, price=values), "price")
    assert (task.classes, task.targets.names) == ((), ("price",))
    plain = [float(str(value).strip("%$").replace(",", "")) for value in values]
    np.testing.assert_allclose(numbers_of(task), np.sort(plain), rtol=1e-5, atol=1e-5 * np.std(plain))
    distinct = len(set(plain))
    assert f"the target 'price' holds {distinct} different numbers and is learnt as a quantity (regression)" in told
    assert "--objective classes makes each number a class" in told
    assert len(task.y_train) == 72
    assert task.y_train.mean() == pytest.approx(0, abs=1e-6)
    assert task.y_train.std() == pytest.approx(1, abs=1e-6)
    assert "at random" in task.provenance


CLASSES = {
    "two": lambda rng: rng.integers(0, 2, ROWS),
    "ten": lambda rng: np.arange(ROWS) % 10,
    "twelve, ten of each": lambda rng: np.arange(ROWS) % 12,
    "texts": lambda rng: rng.choice(["x", "y", "z"], ROWS),
}


@pytest.mark.parametrize("name", CLASSES)
def test_few_numbers_and_texts_are_classes(tmp_path, name):
    task, told = loaded(written(tmp_path, kind=CLASSES[name](np.random.default_rng(1))), "kind")
    assert task.targets is None
    assert task.class_count >= 2
    assert "learnt as a quantity (regression)" not in told
    many = "the 12 numbers of 'kind' are taken for classes: --objective regression learns them as a quantity"
    assert (many in told) == (name == "twelve, ten of each")


def test_either_can_be_said(tmp_path):
    path = written(tmp_path, quality=np.arange(ROWS) % 6 + 3)
    assert loaded(path, "quality")[0].classes == ("3", "4", "5", "6", "7", "8")
    task, told = loaded(path, "quality", objective="regression")
    assert task.targets.means == (pytest.approx(5.5, abs=0.5),)
    assert "regression" not in told  # It was said.
    many = written(tmp_path, age=np.repeat(np.arange(40), 3))
    assert loaded(many, "age", objective="classes")[0].class_count == 40
    with pytest.raises(InvalidData, match="objective 'regression' learns numbers; classes 'numbers' makes classes"):
        Reading(objective="regression", classes="numbers")
    with pytest.raises(InvalidData, match="objective is 'classes', 'regression' or 'labels', not 'ranks'"):
        Reading(objective="ranks")
    with pytest.raises(InvalidData, match="objective 'regression' was given for 'digits', which is no table"):
        tasks.load("digits", reading=Reading(objective="regression"))


@pytest.mark.parametrize("values", [[0.5, 1.5] * 60, [1, 2] * 59 + [1, 3]])
def test_few_numbers_that_may_be_both_are_asked_about(tmp_path, values):
    path = written(tmp_path, grade=values)
    with pytest.raises(InvalidData, match="say --objective regression"):
        loaded(path, "grade")
    assert loaded(path, "grade", objective="regression")[0].targets is not None


def test_several_targets(tmp_path):
    rng = np.random.default_rng(3)
    path = written(tmp_path, heat=rng.normal(20, 3, ROWS), **{"load, kW": rng.normal(500, 90, ROWS)})
    task, told = loaded(path, "heat,4")
    assert task.targets.names == ("heat", "load, kW")
    assert task.y_test.shape == (24, 2)
    assert "the targets 'heat' and 'load, kW' are learnt as quantities (regression)." in told
    assert {column.name for column in task.report.columns if column.role == "target"} == {"heat", "load, kW"}
    with pytest.raises(InvalidData, match=r"column 'room' holds categories, as '[ab]' in line 2, and numbers are"):
        loaded(path, "heat,room")
    with pytest.raises(UnknownName, match="unknown column 'cold'"):
        loaded(path, "heat,cold")
    with pytest.raises(InvalidData, match="several targets are learnt as numbers"):
        loaded(path, "heat,4", objective="classes")


@pytest.mark.parametrize("unit", ["{} km", "{}k", "{} "])
def test_a_quantity_that_is_written_with_words_is_no_class(tmp_path, unit):
    values = [unit.format(round(15.1 + row * 0.37, 2)) for row in range(ROWS)]
    values[5] = "unknown so far"
    with pytest.raises(InvalidData, match="if it is a quantity, write its numbers alone, in one unit"):
        loaded(written(tmp_path, way=values), "way")


def test_rows_without_a_number_are_left_out_and_told(tmp_path):
    values = [None if row % 10 == 3 else row * 1.5 for row in range(ROWS)]
    task, told = loaded(written(tmp_path, price=values), "price")
    assert sum(len(task.numbers(part)) for part in SPLITS) == 108
    assert "12 of 120 rows say nothing in the target 'price', the first in line 5, and are left out" in told


def test_an_infinite_number_is_refused_with_its_line(tmp_path):
    values = [*(row * 1.5 for row in range(ROWS - 1)), float("inf")]
    with pytest.raises(InvalidData, match="line 121: an infinite number in 'price'"):
        loaded(written(tmp_path, price=values), "price")


def test_a_column_that_is_the_target_in_another_unit_is_refused(tmp_path):
    price = np.random.default_rng(4).uniform(1, 9, ROWS)
    path = written(tmp_path, price=price, cents=100 * price + 3)
    with pytest.raises(InvalidData, match=r"column 'cents' tells the target 'price' without exception.*--drop cents"):
        loaded(path, "price")
    holes = written(tmp_path, price=price, cents=[None, *(100 * price[1:] + 3)])
    with pytest.raises(InvalidData, match="column 'cents' tells the target 'price' without exception"):
        loaded(holes, "price")
    for made in (np.log(price), price.round(3)):
        assert (
            "column 'made' alone nearly tells the target"
            in loaded(written(tmp_path, price=price, made=made), "price")[1]
        )
    noisy = price + np.random.default_rng(9).normal(0, 0.1, ROWS)
    assert "tells the target" not in loaded(written(tmp_path, price=price, near=noisy), "price")[1]
    path = written(tmp_path, price=price, cents=100 * price + 3)
    assert loaded(path, "price", drop=("cents",))[0].targets.names == ("price",)
    assert loaded(path, "price", keep=("cents",))[0].input_shape == (4,)


def test_groups_times_and_second_files_go_with_numbers(tmp_path):
    rng = np.random.default_rng(5)
    path = written(tmp_path, price=rng.normal(size=ROWS), who=np.arange(ROWS) // 4, day=np.arange(ROWS)[::-1])
    task, _ = loaded(path, "price", group="who")
    assert "split by 30 groups of 'who'" in task.provenance
    task, _ = loaded(path, "price", time="day")
    assert len(task.y_test) == 24
    second = tmp_path / "second.csv"
    second.write_text((tmp_path / "mine.csv").read_text())
    task, told = loaded(path, "price", test=str(second))
    assert len(task.y_test) == ROWS
    assert "stand in the training part as well, value for value" in told


def test_the_target_is_suggested(tmp_path):
    rng = np.random.default_rng(6)
    path = written(tmp_path, price=rng.normal(size=ROWS))
    with pytest.raises(InvalidData, match=r"most likely it is 'price' \(a quantity\), then 'room' \(2 classes\)"):
        tasks.load(path)


# Arrays.


def saved(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


def test_arrays_of_decimals_are_quantities(tmp_path):
    x, y = load_diabetes(return_X_y=True)
    task, told = loaded(saved(tmp_path, X=x, y=y + 0.5), None)
    assert (task.classes, task.targets.names) == ((), ("y",))
    np.testing.assert_allclose(numbers_of(task), np.sort(y + 0.5), rtol=1e-5)
    assert "y_train holds 214 different numbers, a quantity, which are learnt as such (regression)" in told
    assert "split 60/20/20 at random" in task.provenance


def test_arrays_of_several_quantities(tmp_path):
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    task, told = loaded(saved(tmp_path, x_train=x, y_train=y, x_test=x, y_test=y), None)
    assert task.targets.names == ("y1", "y2")
    assert "2 quantities a sample" in told
    whole = saved(tmp_path, x_train=x, y_train=rng.integers(0, 9, 50))
    assert loaded(whole, None)[0].targets is None
    assert loaded(whole, None, objective="regression")[0].targets.names == ("y",)
    with pytest.raises(InvalidData, match=r"row 0 is not one 1 among zeros.*--objective regression"):
        loaded(saved(tmp_path, x_train=x, y_train=np.ones((50, 2))), None)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    x, y = np.ones((30, 2)) * np.arange(30)[:, None] ** 1.5, np.linspace(0, 1, 30)
    with pytest.raises(InvalidData, match="holds 30 samples and y_train 29 targets"):
        loaded(saved(tmp_path, x_train=x, y_train=y[:29]), None)
    with pytest.raises(InvalidData, match="1 of the 30 values of y_train are NaN or infinite, the first in row 4"):
        loaded(
            saved(tmp_path, x_train=x, y_train=np.where(np.arange(30) == 4, np.nan, y)), None, objective="regression"
        )
    with pytest.raises(InvalidData, match="the target 'y' is 2 in all training samples"):
        loaded(saved(tmp_path, x_train=x, y_train=np.full(30, 2.0)), None, objective="regression")
    with pytest.raises(InvalidData, match="different numbers of targets"):
        build_numbers("m", (x, y), (x, y), (x, np.stack([y, y], axis=1)), provenance="")


# Built in.


@pytest.mark.parametrize(("name", "samples"), [("sine", 1500), ("friedman", 2000), ("diabetes", 442)])
def test_tasks_of_numbers(name, samples):
    task = tasks.load(name, seed=3)
    assert sum(len(getattr(task, f"y_{part}")) for part in SPLITS) == samples == tasks.outline(name).samples
    assert task.input_shape == tasks.outline(name).shape
    assert tasks.load(name, seed=3).digest == task.digest != tasks.load(name, seed=4).digest
    with warnings.catch_warnings():
        warnings.simplefilter("error", ActlabWarning)
        tasks.load(name, validation="test")


def test_diabetes_is_that_of_scikit_learn():
    x, y = load_diabetes(return_X_y=True)
    task = tasks.load("diabetes")
    np.testing.assert_allclose(numbers_of(task), np.sort(y), rtol=1e-5)
    np.testing.assert_allclose(
        np.sort(np.concatenate([task.x_train, task.x_validation, task.x_test])[:, 2]),
        np.sort(x[:, 2]) * 442**0.5,
        rtol=1e-5,
    )


def test_the_noise_of_friedman_and_sine_is_what_is_said():
    task = tasks.load("friedman")
    x, y = (
        np.concatenate([part(task, name) for name in SPLITS])
        for part in (lambda t, n: getattr(t, f"x_{n}"), lambda t, n: t.numbers(n))
    )
    x = x.astype(float)
    signal = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    assert np.std(y[:, 0] - signal) == pytest.approx(1, abs=0.05)
    task = tasks.load("sine")
    assert np.std(task.numbers("train")[:, 0] - np.sin(12 * task.x_train[:, 0].astype(float))) == pytest.approx(
        0.1, abs=0.01
    )
