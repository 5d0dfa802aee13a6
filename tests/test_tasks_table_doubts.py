"""What could go wrong without a word: told, decided the safe way, or refused before anything is trained."""

import json
import shlex

import numpy as np
import pytest
from tests.tables import columns, everything, refused, told, workbook, written

from actlab import tasks
from actlab.errors import InvalidData, UnknownName
from actlab.study import Study
from actlab.tasks import Reading
from actlab.tasks.reading import TABLES

RNG = np.random.default_rng(5)
COUNT = 80
X = RNG.normal(size=(COUNT, 2)).round(4)
KIND = np.array(["a", "b", "c", "a"] * 20)


@pytest.fixture
def save(tmp_path):
    def save(header="x,y,kind", *values, name="mine.csv"):
        rows = zip(*(values or (X[:, 0], X[:, 1], KIND)), strict=True)
        path = tmp_path / name
        path.write_text(written(rows, header.split(",")), encoding="utf-8")
        return path

    return save


# The target


def test_no_target_is_named(save):
    path = save("species,x,grade,y,n", KIND, X[:, 0], RNG.integers(0, 2, COUNT), X[:, 1], RNG.integers(0, 4, COUNT))
    sentence = refused(path)
    assert sentence == (
        "mine.csv: no target was given: most likely it is 'species' (3 classes), then 'y' (a quantity), then 'n' "
        f"(4 classes): say so, as in actlab compare --task {shlex.quote(str(path))} --target species, or name another "
        "one of species, x, grade, y, n."
    )
    other = save("x,y", X[:, 0], X[:, 1], name="other.csv")
    assert "no target was given: most likely it is 'y' (a quantity): say so" in refused(other)
    texts = save("x,y", [f"text {i}" for i in range(COUNT)], [f"word {i}" for i in range(COUNT)], name="texts.csv")
    assert "no target was given: name the column to be learnt (--target COLUMN), one of x, y." in refused(texts)
    assert told(path, target="1")[0].digest == told(path, target="species")[0].digest
    assert "did you mean 'species'" in refused(path, UnknownName, target="spezies")
    refused(path, UnknownName, target="6")


def test_classes_that_differ_in_case_or_blanks(save):
    values = ["setosa", "SETOSA", "virginica", "Virginica  x", "virginica x"] * 16
    path = save("x,kind", X[:, 0], values)
    task, sentences = told(path, target="kind")
    assert task.class_count == 5
    assert sentences == [
        "mine.csv: the classes 'SETOSA' and 'setosa' of 'kind' differ in case or blanks only and are kept apart, "
        "which makes 5 classes: "
        "--classes fold makes such classes one, --classes texts says that they are several."
    ]
    assert told(path, target="kind", reading=Reading(classes="texts"))[1] == []
    task, sentences = told(path, target="kind", reading=Reading(classes="fold"))
    assert (task.class_count, sentences) == (3, [])
    assert task.provenance.startswith("mine.csv, classes by fold, target column 'kind'")


def test_a_class_of_a_single_sample(save):
    sentence = refused(save("x,kind", X[:, 0], ["once", *KIND[1:]]), target="kind")
    assert (
        "holds 1 class of a single sample (once), which can be learnt or tested, but not both: take them out"
        in sentence
    )


def test_a_quantity_is_no_class(save):
    for values in (X[:, 1], RNG.integers(0, 5000, COUNT)):
        task, sentences = told(save("x,kind", X[:, 0], values), target="kind")
        assert (task.classes, task.targets.names) == ((), ("kind",))
        assert any("is learnt as a quantity (regression); --objective classes makes" in each for each in sentences)


# Columns that give the target away


def test_a_column_equal_to_the_target(save):
    numbers = np.unique(KIND, return_inverse=True)[1] * 10
    for name, values in {"code": numbers, "label": np.char.upper(KIND), "copy": KIND}.items():
        path = save(f"x,{name},kind", X[:, 0], values, KIND)
        assert refused(path, target="kind") == (
            f"mine.csv: column {name!r} tells the target 'kind' without exception: that is the answer, not what it is "
            f"learnt from; leave it out with --drop {name}, or train on it with --keep {name}."
        )
        told(path, target="kind", reading=Reading(keep=(name,)))
        assert told(path, target="kind", reading=Reading(drop=(name,)))[0].input_shape == (1,)


def test_a_finer_column_that_tells_the_target(save):
    finer = [f"{kind}{i % 2}" for i, kind in enumerate(KIND)]
    assert "column 'finer' tells the target 'kind' without exception" in refused(
        save("x,finer,kind", X[:, 0], finer, KIND), target="kind"
    )
    # Numbers may be measured so well: told, and trained on.
    numbers = np.unique(KIND, return_inverse=True)[1] * 10 + RNG.integers(0, 3, COUNT)
    task, sentences = told(save("x,level,kind", X[:, 0], numbers, KIND), target="kind")
    assert sentences == [
        "mine.csv: column 'level' alone tells the target 'kind' in all rows: --drop level leaves it out, if it was "
        "made from that."
    ]
    assert task.input_shape == (2,)


def test_several_columns_that_tell_the_target(save):
    path = save("p,q,x,kind", KIND, np.char.upper(KIND), X[:, 0], KIND)
    assert "columns 'p' and 'q' tell the target 'kind' without exception" in refused(path, target="kind")


def test_columns_that_tell_no_more_than_chance_are_not_refused(save):
    for values in (RNG.integers(0, 3, COUNT), RNG.permutation(KIND), np.array(["p", "q"])[RNG.integers(0, 2, COUNT)]):
        told(save("x,value,kind", X[:, 0], values, KIND), target="kind")


# Rows


def test_rows_in_two_parts(save):
    path = save("x,y,kind", np.repeat(X[:40, 0], 2), np.repeat(X[:40, 1], 2), np.repeat(KIND[:40], 2))
    task, sentences = told(path, target="kind")
    rows = [
        {(*x, y) for x, y in zip(getattr(task, f"x_{part}").tolist(), getattr(task, f"y_{part}").tolist(), strict=True)}
        for part in ("train", "validation", "test")
    ]
    doubled = [
        sum((*x, y) in rows[0] for x, y in zip(xs.tolist(), ys.tolist(), strict=True))
        for xs, ys in ((task.x_validation, task.y_validation), (task.x_test, task.y_test))
    ]
    assert sentences == [
        f"mine.csv: {doubled[1]} of 16 test rows and {doubled[0]} of 16 validation rows stand in the training part as "
        "well, value for value: on these nothing new is tested; take doubled rows out, or keep rows that belong "
        "together in one part with --group COLUMN."
    ]
    assert all(doubled)


# Parts


def part_of(task, values):
    """Which part each row of a file is in, by a column of numbers that are all different, the first input."""
    sizes = len(task.x_train), len(task.x_validation), len(task.x_test)
    ranks = np.argsort(np.argsort(everything(task)[:, 0]))
    found = np.empty(len(values), int)
    found[np.argsort(values)[ranks]] = np.repeat([0, 1, 2], sizes)
    return found


@pytest.mark.parametrize("form", ["{}", "group {}", "{}.5"])
def test_all_rows_of_a_group_are_in_one_part(save, form):
    groups = RNG.integers(0, 16, COUNT)
    path = save("x,who,kind", X[:, 0], [form.format(g) for g in groups], KIND)
    task, sentences = told(path, target="kind", reading=Reading(group="who"))
    parts = part_of(task, X[:, 0])
    assert all(len({*parts[groups == group]}) == 1 for group in {*groups})
    assert "column 'who' says which group a row is of and is left out; --keep who trains on it" in sentences[0]
    assert f"split by {len({*groups})} groups of 'who', about 60/20/20, seed 0" in task.provenance
    assert np.bincount(parts)[0] > 30
    again = told(path, target="kind", reading=Reading(group="who"), seed=0)[0]
    assert task.digest == again.digest != told(path, target="kind", reading=Reading(group="who"), seed=1)[0].digest


def test_groups_that_cannot_be_cut(save):
    path = save("x,who,kind", X[:, 0], ["p", "q"] * 40, KIND)
    assert "column 'who' has 2 groups: three are needed" in refused(path, target="kind", reading=Reading(group="who"))
    path = save("x,who,kind", X[:, 0], KIND, KIND)
    sentence = refused(path, target="kind", reading=Reading(group="who"))
    assert "part holds the class " in sentence
    assert "which the training part lacks: its rows are all in groups of that part" in sentence
    assert "column 'kind' is the target and cannot be --group too" in refused(
        path, target="kind", reading=Reading(group="kind")
    )


@pytest.mark.parametrize("form", ["{:.0f}", "{:.1f}", "2020-03-{:02.0f}", "{:02.0f}:30"])
def test_later_rows_are_tested_on(save, form):
    times = RNG.integers(1, 24, COUNT)
    path = save("x,when,kind", X[:, 0], [form.format(t) for t in times], KIND)
    task, sentences = told(path, target="kind", reading=Reading(time="when"))
    parts = part_of(task, X[:, 0])
    assert times[parts == 0].max() < times[parts == 1].min()
    assert times[parts == 1].max() < times[parts == 2].min()
    assert 0.5 < (parts == 0).mean() < 0.7
    assert "column 'when' says when a row was taken and is left out; --keep when trains on it" in sentences[0]
    assert "split by time 'when': the first 60 %, the next 20 %, the last 20 %" in task.provenance
    assert told(path, target="kind", reading=Reading(time="when", keep=("when",)))[0].input_shape > (1,)


def test_times_that_are_none(save):
    for values, said in (
        (KIND[::-1], "column 'when' holds no times: give numbers, or dates such as 2020-01-31"),
        (["1", ""] * 40, "says nothing in 40 rows: give each row its time"),
        ([1, 2] * 40, "too few different times to cut three parts by"),
        (range(COUNT), "which the training part lacks: it comes late only"),
    ):
        kinds = np.sort(KIND) if said.endswith("only") else KIND
        path = save("x,when,kind", X[:, 0], values, kinds)
        assert said in refused(path, target="kind", reading=Reading(time="when"))


def test_a_test_file(save):
    first = save("x,y,kind", X[:60, 0], X[:60, 1], KIND[:60])
    second = save("kind,y,x", KIND[60:], X[60:, 1], X[60:, 0], name="later.csv")
    task, sentences = told(first, target="kind", reading=Reading(test=str(second)))
    assert sentences == []
    assert (len(task.x_train), len(task.x_validation), len(task.x_test)) == (50, 10, 20)
    parts = part_of(task, X[:, 0])
    assert (parts[60:] == 2).all()
    assert task.provenance.endswith("validation a sixth of mine.csv, stratified by class, seed 0; test later.csv")
    raw = X[60:][np.argsort(X[60:, 0])][np.argsort(np.argsort(task.x_test[:, 0]))]
    train = X[:60][parts[:60] == 0]
    np.testing.assert_allclose(task.x_test, (raw - train.mean(0)) / train.std(0), atol=1e-5)
    assert all("later.csv" not in column.why for column in columns(task).values())


def test_a_test_file_of_another_ending(save):
    first = save("x,y,kind", X[:60, 0], X[:60, 1], KIND[:60])
    second = save("x,y,kind", X[60:, 0], X[60:, 1], KIND[60:], name="mine.test")
    assert len(told(first, target="kind", reading=Reading(test=str(second)))[0].x_test) == 20


def test_test_files_that_do_not_fit(save, tmp_path):
    first = save("x,y,kind", X[:60, 0], X[:60, 1], KIND[:60])
    later = str(tmp_path / "later.csv")

    def sentence(**more):
        return refused(first, target="kind", reading=Reading(test=later, **more))

    assert "later.csv is no file: give the path of a table with the columns of mine.csv" in sentence()
    save("x,kind", X[60:, 0], KIND[60:], name="later.csv")
    assert "later.csv has no column 'y', which mine.csv has" in sentence()
    save("x,y,z,kind", X[60:, 0], X[60:, 1], X[60:, 1], KIND[60:], name="later.csv")
    assert "mine.csv has no column 'z', which later.csv has" in sentence()
    save("x,y,kind", X[60:, 0], X[60:, 1], ["d"] * 20, name="later.csv")
    assert "the test part holds the class 'd', which the training part lacks" in sentence()
    save("x,y,kind", X[60:, 0], ["tall", *X[61:, 1]], KIND[60:], name="later.csv")
    assert "later.csv, line 2: column 'y' holds 'tall' among numbers" in sentence()
    assert "--test gives the test part and --group would cut one" in sentence(group="x")


# Ragged rows, and what is no such thing


def test_rows_of_another_length(save, tmp_path):
    lines = save().read_text().splitlines()
    for row, said in (("1,2", "line 11: 2 values where the header names 3"), ("1,2,a,4", "line 11: 4 values where")):
        (tmp_path / "mine.csv").write_text("\n".join([*lines[:10], row, *lines[11:]]))
        assert said in refused(tmp_path / "mine.csv", target="kind")
    (tmp_path / "mine.csv").write_text("\n".join([*lines[:10], lines[10] + ",,", *lines[11:]]))
    assert len(everything(told(tmp_path / "mine.csv", target="kind")[0])) == COUNT


# Decisions


def test_decisions_that_contradict_each_other(save):
    path = save()
    for reading, said in (
        (Reading(keep=("x",), drop=("x",)), "column 'x' is to be kept and to be left out: say one of the two"),
        (Reading(group="x", time="y"), "--group and --time cut the parts in two ways: say one of the two"),
        (Reading(drop=("kind",)), "column 'kind' is the target and cannot be left out"),
    ):
        assert said in refused(path, target="kind", reading=reading)
    for reading in (Reading(group="who"), Reading(time="who"), Reading(categorical=("who",)), Reading(keep=("who",))):
        refused(path, UnknownName, target="kind", reading=reading)


def test_decisions_are_settings_of_a_study(tmp_path):
    decided = {
        "categorical": ("a",),
        "group": "b",
        "test": "t.csv",
        "separator": ";",
        "decimal": ",",
        "encoding": "latin-1",
    }
    study = Study(task="a.csv", target="3", classes="fold", **decided)
    assert study.reading == Reading(classes="fold", **decided)
    (tmp_path / "s.toml").write_text(study.to_toml())
    from actlab.study import from_toml

    assert from_toml(tmp_path / "s.toml") == study
    assert Study(task="a.csv").identity != Study(task="a.csv", time="c").identity


def test_what_each_kind_of_file_takes():
    for suffix in TABLES:
        with pytest.raises(InvalidData, match=r"is no file of arrays \(\.npz, \.npy, \.mat\)"):
            tasks.load(f"a{suffix}", reading=Reading(scale="none"))
    for name, reading, said in (
        (
            "a.parquet",
            Reading(separator=";"),
            "separator ';' was given for 'a.parquet', which is no table written as text",
        ),
        ("a.csv", Reading(sheet="1"), r"sheet '1' was given for 'a.csv', which is no workbook \(.xlsx or .ods\)"),
        ("digits", Reading(group="x"), "group 'x' was given for 'digits', which is no table"),
        ("a.npz", Reading(time="x"), "time 'x' was given for 'a.npz', which is no table"),
    ):
        with pytest.raises(InvalidData, match=said):
            tasks.load(name, reading=reading)


# Numbers that say nothing is known, rows that belong together, targets that lie beyond.


@pytest.mark.parametrize("sentinel", [-999, 9999])
def test_a_number_far_from_all_others_that_devices_write_is_told_and_may_be_missing(save, sentinel):
    ages = RNG.integers(18, 90, COUNT)
    ages[::20] = sentinel
    path = save("age,x,kind", ages, X[:, 0], KIND)
    _, sentences = told(path, target="kind")
    (sentence,) = sentences
    assert sentence.startswith(f"mine.csv: column 'age' holds {sentinel} 4 times, far from its other numbers (")
    assert sentence.endswith(f"--missing {sentinel} says that nothing is known there.")
    reading = Reading(missing=(str(sentinel),))
    emptied = save("age,x,kind", ["" if age == sentinel else age for age in ages], X[:, 0], KIND, name="empty.csv")
    ours, sentences = told(path, target="kind", reading=reading)
    theirs, _ = told(emptied, target="kind")
    assert not any("far from" in own for own in sentences)
    np.testing.assert_array_equal(ours.x_train, theirs.x_train)
    assert ours.digest == theirs.digest


def test_a_word_for_missing_is_taken_as_such_in_columns_of_texts_and_numbers(save):
    words = np.where(np.arange(COUNT) % 10 == 0, "k. A.", X[:, 0].astype(str))
    path = save("x,y,kind", words, X[:, 1], KIND)
    assert "holds 'k. A.' among numbers" in refused(path, target="kind")
    task, _ = told(path, target="kind", reading=Reading(missing=("k. a.",)))
    assert "8 missing values filled in" in task.provenance


def test_small_whole_numbers_are_no_sentinels(save):
    for values in (RNG.integers(-1, 4, COUNT), RNG.integers(0, 101, COUNT), np.where(X[:, 0] > 0, 99.0, 98.0)):
        _, sentences = told(save("a,x,kind", values, X[:, 0], KIND), target="kind")
        assert not any("far from" in own for own in sentences)


def test_times_and_owners_are_told_of_where_parts_are_cut_at_random(save):
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(COUNT)]
    path = save("day,x,kind", days, X[:, 0], KIND)
    assert "--time day tests on the latest" in told(path, target="kind")[1][0]
    assert not any("--time" in own for own in told(path, target="kind", reading=Reading(time="day"))[1])
    path = save("subject,x,kind", [f"s{i // 8}" for i in range(COUNT)], X[:, 0], KIND)
    sentences = told(path, target="kind")[1]
    assert any("'subject' has 10 values for 80 rows" in own and "--group subject" in own for own in sentences)
    assert not any("--group" in own for own in told(path, target="kind", reading=Reading(group="subject"))[1])


@pytest.mark.parametrize("validation", ["held-out", "test"])
def test_targets_beyond_what_is_trained_on_are_told(save, validation):
    when = np.arange(COUNT)
    path = save("t,x,y", when, X[:, 0], when + X[:, 1])
    sentences = told(path, target="y", reading=Reading(time="t"), validation=validation)[1]
    found = [own for own in sentences if "test targets of 'y' lie outside of what is trained on" in own]
    assert len(found) == 1
    # Where validation data are the test data, all before them is trained on.
    last = float(found[0].partition("(")[2].split()[2].rstrip(";"))
    assert last == pytest.approx(63 if validation == "test" else 47, abs=4)


def test_dates_that_may_be_read_in_two_ways_are_no_times(save):
    path = save("d,x,kind", [f"0{1 + i % 9}/0{1 + i % 8}/2022" for i in range(COUNT)], X[:, 0], KIND)
    assert "write them as 2020-01-31" in refused(path, target="kind", reading=Reading(time="d"))


def test_lists_are_labels(tmp_path):
    path = tmp_path / "films.jsonl"
    rows = [
        {"f": float(x), "g": float(y), "genres": [["drama"], ["drama", "comedy"], []][i % 3]}
        for i, (x, y) in enumerate(X)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "column 'genres' holds lists: --objective labels learns what they hold" in refused(path, target="genres")
    task, sentences = told(path, target="genres", reading=Reading(objective="labels"))
    assert task.labels == ("comedy", "drama")
    assert any("rows without a text in 'genres' have no label" in own for own in sentences)


def test_codes_and_units_are_told(save):
    codes = [["01067", "04109", "50667"][i % 3] for i in range(COUNT)]
    weights = [f"{100 + x:.3f} kg" for x in X[:, 0]]
    path = save("zip,weight,x,kind", codes, weights, X[:, 1], KIND)
    sentences = told(path, target="kind")[1]
    assert any(
        "'zip' holds whole numbers with leading zeros" in own and "--categorical zip" in own for own in sentences
    )
    assert any("'weight' are numbers with a unit" in own for own in sentences)
    assert not any("zip" in own for own in told(path, target="kind", reading=Reading(drop=("zip",)))[1])


def test_a_class_that_only_a_test_file_has_is_refused_by_that_files_name(save):
    path = save("x,y,kind", X[:, 0], X[:, 1], KIND)
    test = save("x,y,kind", X[:10, 0], X[:10, 1], [*KIND[:9], "s"], name="te.csv")
    sentence = refused(path, target="kind", reading=Reading(test=str(test)))
    assert sentence.startswith("te.csv: the test part holds the class 's', which the training part lacks")


def test_labels_in_texts_are_suggested_as_such(save):
    tags = [["red|round", "red", "round", "red|ripe|round", "ripe"][i % 5] for i in range(COUNT)]
    path = save("x,y,tags", X[:, 0], X[:, 1], tags)
    sentence = refused(path)
    assert "'tags' (3 labels, several of a row)" in sentence
    assert "--target tags --objective labels, or name" in sentence or "'y' (" in sentence.partition("then")[0]


def test_grades_are_told_to_be_classes(save):
    grades = [3 + i % 6 for i in range(COUNT)]
    (sentence,) = told(save("x,y,quality", X[:, 0], X[:, 1], grades), target="quality")[1]
    assert "the 6 numbers of 'quality' are taken for classes: --objective regression" in sentence
    assert not told(save("x,y,digit", X[:, 0], X[:, 1], grades), target="digit")[1]


def test_a_title_above_the_table_of_a_workbook_is_left_out(tmp_path):
    rows = [["Lab report 2023", "", ""], ["x", "y", "kind"], *[[*map(float, X[i]), KIND[i]] for i in range(COUNT)]]
    (tmp_path / "lab.xlsx").write_bytes(workbook({"Data": rows}))
    (tmp_path / "plain.xlsx").write_bytes(workbook({"Data": rows[1:]}))
    task, sentences = told(tmp_path / "lab.xlsx", target="kind")
    assert "what stands above the table, as 'Lab report 2023', is left out" in sentences[0]
    assert task.digest == told(tmp_path / "plain.xlsx", target="kind")[0].digest


def test_what_is_missing_is_found_however_the_number_is_written(save):
    """The sentence says --missing -999 of cells that hold -999.0, too."""
    ages = [("-999.0" if i % 20 == 0 else f"{20 + i % 50}.5") for i in range(COUNT)]
    path = save("age,x,kind", ages, X[:, 0], KIND)
    assert any("--missing -999 says" in own for own in told(path, target="kind")[1])
    task, sentences = told(path, target="kind", reading=Reading(missing=("-999",)))
    assert "4 missing values filled in" in task.provenance
    assert not any("no cell holds" in own for own in sentences)
    _, sentences = told(path, target="kind", reading=Reading(missing=("-99",)))
    assert "mine.csv: no cell holds what --missing says, '-99'." in sentences
