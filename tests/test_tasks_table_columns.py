"""What becomes of the columns of a table, beside computations of their own."""

import datetime
import json

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.tables import columns, everything, refused, told, written

from actlab.errors import InvalidData
from actlab.tasks import Reading
from actlab.tasks.tables.encoding import MOST_CATEGORIES

COUNT = 100
RNG = np.random.default_rng(3)
# All different and decimal: it says in which row of the file a row of the task stands.
KEY = RNG.permutation(COUNT) + 0.5
KIND = ["no", "yes", "no"] * 33 + ["yes"]


@pytest.fixture
def load(tmp_path):
    """Load a table of the key, one further column and the classes; returns the task, the sentences and the order."""

    def load(values, **decided):
        path = tmp_path / "mine.csv"
        path.write_text(written(zip(KEY, values, KIND, strict=True), ("key", "value", "kind")), encoding="utf-8")
        task, sentences = told(path, target="kind", reading=Reading(**decided))
        # Standardising keeps the order of the keys.
        order = np.argsort(KEY)[np.argsort(np.argsort(everything(task)[:, 0]))]
        return task, sentences, order

    return load


def test_missing_numbers_are_the_mean_of_the_training_part(load):
    words = ["NA", "?", "", "-", "nan", "N/A", "null"]
    values = [str(v) if i % 9 else words[i // 9 % 7] for i, v in enumerate(RNG.normal(2, 3, COUNT))]
    task, sentences, order = load(values)
    assert sentences == [
        "mine.csv: 12 values are missing in 'value': numbers become the mean of the training part, with an input that "
        "says so; --drop value leaves a column out."
    ]
    column = columns(task)["value"]
    assert (column.kind, column.missing, column.distinct, column.role) == ("numbers", 12, 88, "feature")
    assert column.features == ("value", "value is missing")
    raw = np.array([float(v) if v[-1:].isdigit() else np.nan for v in values])[order][:, None]
    train = len(task.x_train)
    filled = SimpleImputer().fit(raw[:train]).transform(raw)
    expected = StandardScaler().fit(filled[:train]).transform(filled)
    np.testing.assert_allclose(everything(task)[:, 1], expected[:, 0], atol=1e-6)
    np.testing.assert_array_equal(everything(task)[:, 2], np.isnan(raw[:, 0]))


def test_what_is_estimated_is_estimated_on_the_training_part_alone(load, tmp_path):
    values = RNG.normal(size=COUNT).round(3)
    task, _, order = load(values)
    held = order[len(task.x_train) :]
    changed = values.copy()
    changed[held] = changed[held] * 1e3 + 50
    other, _, _ = load(changed)
    np.testing.assert_array_equal(task.x_train, other.x_train)
    assert not np.allclose(task.x_test, other.x_test)


def test_categories_are_one_hot(load):
    values = [["red", "green", "blue", "NA"][i % 4] for i in RNG.permutation(COUNT)]
    task, sentences, order = load(values)
    assert columns(task)["value"].features == ("value = blue", "value = green", "value = missing", "value = red")
    assert "'value' is taken for names of categories, an input each (one-hot); --drop value leaves" in sentences[-1]
    names = np.array(["missing" if value == "NA" else value for value in values])[order]
    expected = names[:, None] == np.unique(names)
    np.testing.assert_array_equal(everything(task)[:, 1:], expected)


def test_categories_agree_with_scikit_learn_where_there_are_too_many(load):
    values = np.array([f"town {min(i, j)}" for i, j in RNG.integers(0, 40, (COUNT, 2))])
    task, _, order = load(values)
    encoder = OneHotEncoder(max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False)
    encoder.fit(values[order][: len(task.x_train), None])
    np.testing.assert_array_equal(everything(task)[:, 1:], encoder.transform(values[order][:, None]))
    assert task.report.features[-1] == "value = other"
    assert f"{MOST_CATEGORIES} inputs of 0 and 1" in columns(task)["value"].became


def test_a_category_that_training_lacks_is_none_of_the_others(load):
    values = np.array(["a", "b"])[RNG.integers(0, 2, COUNT)]
    task, _, order = load(values)
    values[order[-1]] = "c"
    task, _, order = load(values)
    np.testing.assert_array_equal(everything(task)[list(values[order]).index("c"), 1:], 0)


@pytest.mark.parametrize(
    "words", [("False", "True"), ("no", "yes"), ("N", "Y"), ("f", "t"), ("off", "on"), ("FALSE", "TRUE"), ("No", "Yes")]
)
def test_yes_and_no_are_one_and_zero(load, words):
    numbers = RNG.integers(0, 2, COUNT)
    task, sentences, order = load([words[n] for n in numbers])
    assert sentences == []
    np.testing.assert_array_equal(everything(task)[:, 1], numbers[order])
    assert columns(task)["value"].kind == "yes or no"


DATES = {
    "ISO": "%Y-%m-%d",
    "ISO with slashes": "%Y/%m/%d",
    "German": "%d.%m.%Y",
    "British": "%d/%m/%Y",
    "American": "%m/%d/%Y",
    "with dashes": "%d-%m-%Y",
    "with a name": "%d-%b-%Y",
    "with a name and a short year": "%d-%b-%y",
    "with a name first": '"%b %d, %Y"',
    "with a time": "%Y-%m-%d %H:%M:%S",
    "with a time in ISO": "%Y-%m-%dT%H:%M",
    "in UTC": "%Y-%m-%dT%H:%M:%SZ",
}


@pytest.mark.parametrize("form", DATES.values(), ids=DATES)
def test_dates_are_what_a_person_expects(load, form):
    dates = [datetime.datetime(2019, 11, 3) + datetime.timedelta(hours=int(h)) for h in RNG.integers(0, 24 * 90, COUNT)]
    clock = "%H" in form
    dates = dates if clock else [datetime.datetime.combine(date.date(), datetime.time()) for date in dates]
    task, _, order = load([date.strftime(form) for date in dates])
    names = ["year", "month", "day of week", "days", *(["hour"] if clock else [])]
    assert columns(task)["value"].features == tuple(f"value: {name}" for name in names)
    ordered = [dates[i] for i in order]
    first = min(ordered[: len(task.x_train)])
    expected = np.array(
        [[d.year, d.month, d.isoweekday(), (d - first).total_seconds() / 86_400, d.hour][: len(names)] for d in ordered]
    )
    expected = StandardScaler().fit(expected[: len(task.x_train)]).transform(expected)
    np.testing.assert_allclose(everything(task)[:, 1:], expected, atol=1e-5)
    assert "since 20" in columns(task)["value"].became


def test_dates_of_which_day_or_month_may_come_first_are_left_out(load):
    values = [f"{1 + i % 12:02d}/{1 + i * i % 12:02d}/2020" for i in range(COUNT)]
    task, sentences, _ = load(values)
    assert sentences == [
        "mine.csv: column 'value' holds dates that may be read with the day or the month first and is left out; write "
        "them as 2020-01-31."
    ]
    assert task.input_shape == (1,)


def test_times_of_the_day_are_hours(load):
    minutes = RNG.integers(0, 1440, COUNT)
    task, _, order = load([f"{m // 60:02d}:{m % 60:02d}" for m in minutes])
    raw = (minutes / 60)[order][:, None]
    expected = StandardScaler().fit(raw[: len(task.x_train)]).transform(raw)
    np.testing.assert_allclose(everything(task)[:, 1], expected[:, 0], atol=1e-5)


def test_texts_that_are_nearly_all_different_are_left_out(load):
    for values in ([f"person {i}" for i in range(COUNT)], [f"text {i % 70}" for i in range(COUNT)]):
        task, sentences, _ = load(values)
        assert task.input_shape == (1,)
        assert sentences == [
            "mine.csv: column 'value' holds texts that are nearly all different and is left out; --keep value trains "
            "on it."
        ]
        assert columns(task)["value"].why == "holds texts that are nearly all different"
        kept, sentences, _ = load(values, keep=("value",))
        assert kept.input_shape == (1 + MOST_CATEGORIES,)
        assert "'value' is taken for names of categories" in sentences[0]


def test_numbers_that_name_categories(load):
    values = RNG.integers(1, 4, COUNT)
    task, _, order = load(values, categorical=("value",))
    assert columns(task)["value"].features == ("value = 1", "value = 2", "value = 3")
    np.testing.assert_array_equal(everything(task)[:, 1:], values[order][:, None] == [1, 2, 3])
    assert load(values)[0].input_shape == (2,)
    # Whatever else they would be.
    assert load(range(COUNT), categorical=("value",))[0].input_shape == (1 + MOST_CATEGORIES,)


def test_a_few_values_of_which_some_are_numbers_are_categories(load):
    task, sentences, _ = load([["0", "1", "2", "3+"][i] for i in RNG.integers(0, 4, COUNT)])
    assert columns(task)["value"].features == ("value = 0", "value = 1", "value = 2", "value = 3+")
    assert "'value' is taken for names of categories" in sentences[0]


@pytest.mark.parametrize("form", ["${:,.2f}", "{:.2f} €", "{:.2f}%", "£ {:.2f}", "{:,.2f}"])
def test_units_and_groups_are_taken_off_numbers(load, form):
    values = RNG.uniform(-3000, 3000, COUNT).round(2)
    cells = [f'"{form.format(abs(v))}"' if v >= 0 else f'"-{form.format(-v)}"' for v in values]
    task, sentences, order = load([cell.replace("-", "−") for cell in cells])
    assert sentences == []
    raw = values[order][:, None]
    expected = StandardScaler().fit(raw[: len(task.x_train)]).transform(raw)
    np.testing.assert_allclose(everything(task)[:, 1], expected[:, 0], atol=1e-5)
    assert "taken off" in columns(task)["value"].became or "groups of three" in columns(task)["value"].became


def test_units_that_differ_are_no_numbers(load):
    values = [f"{'$€'[i % 2]}{i}.5" for i in range(COUNT)]
    assert load(values)[0].input_shape == (1,)  # Texts that are all different.
    assert "holds '$0.5' among numbers" in refused_cells(load, ["$0.5" if i == 3 else f"{i}.5" for i in range(COUNT)])


def refused_cells(load, values):
    with pytest.raises(InvalidData) as caught:
        load(values)
    return str(caught.value)


def test_plus_and_minus_are_no_missing_values(load):
    task, _, _ = load(["+-"[i] for i in RNG.integers(0, 2, COUNT)])
    assert columns(task)["value"].features == ("value = +", "value = -")


def test_columns_of_one_value(load):
    task, sentences, _ = load(["7"] * COUNT)
    assert sentences == ["mine.csv: column 'value' holds one value only and is left out; --keep value trains on it."]
    # One value or none is something to learn from.
    task, _, _ = load(["7" if i % 3 else "" for i in RNG.permutation(COUNT)])
    assert columns(task)["value"].features == ("value is missing",)
    task, sentences, _ = load([""] * COUNT)
    assert sentences == ["mine.csv: column 'value' holds nothing and is left out."]
    assert columns(task)["value"].kind == "empty"


def test_a_column_that_is_constant_in_the_training_part(load):
    task, _, order = load(np.zeros(COUNT))
    values = np.zeros(COUNT)
    values[order[-1]] = 1
    task, _, _ = load(values)
    column = columns(task)["value"]
    assert (column.role, column.why) == ("left out", "holds one value only in the training part")
    assert "without value (constant)" in task.provenance


def test_the_report_tells_of_every_column(load):
    task, _, _ = load([["a", "b", "NA"][i] for i in RNG.integers(0, 3, COUNT)])
    assert [column.name for column in task.report.columns] == ["key", "value", "kind"]
    assert [column.role for column in task.report.columns] == ["feature", "feature", "target"]
    assert task.report.rows == COUNT
    assert len(task.report.features) == task.input_shape[0]
    assert "1 column of numbers and 1 column of categories, " in task.provenance
    assert "missing values filled in; features standardised" in task.provenance
    assert "\n" not in task.provenance


def test_a_thousand_columns_of_texts(tmp_path):
    rows = [[*(f"{'words ' * 5}{i} {j}" for j in range(1000)), "xy"[i % 2]] for i in range(30)]
    path = tmp_path / "mine.csv"
    path.write_text(written(rows, [*(f"c{j}" for j in range(1000)), "kind"]), encoding="utf-8")
    sentence = refused(path, target="kind")
    assert (
        "mine.csv has no column beside the target 'kind' to train on ('c0' holds texts that are nearly all" in sentence
    )
    assert sentence.endswith("add columns, or keep one with --keep COLUMN.")


def test_columns_by_name_or_number_and_several_at_once(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [(*row, "xy"[i % 2]) for i, row in enumerate(RNG.normal(size=(40, 4)).round(3))]
    path.write_text(written(rows, ["a", "b", '"c, d"', "e", "kind"]), encoding="utf-8")
    plain = told(path, target="kind", reading=Reading(drop=("a", "c, d")))[0]
    for drop in (("1,3",), ("1", "3"), ("a,3",), ("c, d", "a")):
        assert told(path, target="5", reading=Reading(drop=drop))[0].digest == plain.digest


def test_the_report_is_data(load):
    import dataclasses

    task, _, _ = load(RNG.normal(size=COUNT).round(3))
    assert json.loads(json.dumps(dataclasses.asdict(task.report)))["columns"][0]["name"] == "key"
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.report.columns[0].name = "x"
