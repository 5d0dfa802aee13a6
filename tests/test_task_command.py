"""`actlab task`: data as they are seen before anything is trained."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.io
from tests.command_line import command_line
from tests.tables import written

RNG = np.random.default_rng(1)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run a command line in an empty directory; returns exit code, stdout with its blanks joined, and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    run = command_line(monkeypatch, capsys)

    def joined(*arguments):
        code, out, err = run(*arguments)
        return code, " ".join(out.split()), err

    return joined


@pytest.fixture
def table(tmp_path):
    rows = [
        (i + 1, f"person {i}", round(float(x), 3), ["red", "blue", "NA"][i % 3], ["no", "yes"][i * i % 5 % 2])
        for i, x in enumerate(RNG.normal(size=60))
    ]
    (tmp_path / "mine.csv").write_text(written(rows, ("Id", "Name", "x", "colour", "kind")))


@pytest.mark.usefixtures("table")
def test_a_table_is_shown_with_what_becomes_of_it(command):
    code, out, err = command("task", "mine.csv", "--target", "kind")
    assert (code, err) == (0, "")
    assert out.startswith("mine.csv: 60 samples of 4 inputs, 2 classes")
    for said in (
        "Id row numbers 60 – left out: counts the rows",
        "Name texts 60 – left out: holds texts that are nearly all different",
        "x numbers 60 – 1 number, standardised",
        "colour categories 2 20 3 inputs of 0 and 1: blue, missing, red",
        "kind yes or no 2 – the target: 2 classes",
        "class training validation test share",
        "• mine.csv: column 'Id' counts the rows and is left out; --keep Id trains on it.",
    ):
        assert said in out
    code, out, err = command(
        "task", "mine.csv", "--target", "5", "--keep", "Id", "--drop", "Name,colour", "--seed", "3"
    )
    assert "mine.csv: 60 samples of 2 inputs, 2 classes" in out
    assert "What was decided" not in out
    assert "stratified by class, seed 3" in out


@pytest.mark.usefixtures("table")
def test_without_a_target_it_shows_which_it_could_be(command):
    code, out, err = command("task", "mine.csv")
    assert (code, err) == (0, "")
    assert out.startswith("mine.csv: 60 rows of 5 columns")
    assert "Id row numbers 60 – left out: counts the rows" in out
    assert "most likely: --target kind, or --target colour." in out


def test_tasks_that_come_with_it(command, tmp_path):
    code, out, err = command("task", "digits")
    assert (code, err) == (0, "")
    assert out.startswith("digits: 1,797 samples of 8×8×1, 10 classes")
    np.savez(tmp_path / "own.npz", x_train=RNG.normal(size=(40, 3)), y_train=np.arange(40) % 2)
    assert "own.npz: 40 samples of 3 inputs, 2 classes" in command("task", "own.npz")[1]


def test_arrays_of_other_kinds(command, tmp_path):
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "x.npy", RNG.integers(0, 9, (40, 7)))
    np.save(tmp_path / "mine" / "y.npy", np.arange(40) % 2)
    for name in ("mine", "mine/x.npy"):
        code, out, err = command("task", name, "--layout", "tokens")
        assert (code, err) == (0, "")
        assert "40 samples of 7 tokens, 2 classes" in out
        assert "x.npy for x_train, y.npy for y_train are taken." in out
    scipy.io.savemat(tmp_path / "mine.mat", {"X": RNG.normal(size=(3, 40)), "y": np.arange(40) % 2})
    assert "mine.mat: 40 samples of 3 inputs, 2 classes" in command("task", "mine.mat")[1]


def test_what_cannot_be_shown(command):
    for arguments, said in (
        (["digit"], "unknown task 'digit': did you mean 'digits'?"),
        (["nowhere.csv"], "nowhere.csv is no file: give the path of a table, of arrays"),
        (["digits", "--target", "a"], "target 'a' was given for 'digits', which is no table: leave it out."),
        (["digits", "--decimal", "x"], "decimal: '.' or ',' is expected, got 'x'."),
    ):
        code, out, err = command("task", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith(f"actlab: {said}")


def test_many_columns_and_classes_are_cut(command, tmp_path):
    header = [*(f"c{i}" for i in range(100)), "kind"]
    rows = [[*row, f"class {i % 40}"] for i, row in enumerate(RNG.normal(size=(400, 100)).round(2))]
    (tmp_path / "wide.csv").write_text(written(rows, header))
    out = command("task", "wide.csv", "--target", "kind")[1]
    assert "… 41 more" in out
    assert "… 10 more" in out


@pytest.mark.usefixtures("table")
def test_what_is_told_comes_as_sentences_before_training(tmp_path):
    line = ["-m", "actlab", "compare", "--task", "mine.csv", "--target", "kind", "--summary"]
    done = subprocess.run([sys.executable, *line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.startswith(
        "actlab: mine.csv: column 'Id' counts the rows and is left out; --keep Id trains on it.\n"
    )
    assert all(sentence.startswith("actlab: mine.csv: ") for sentence in done.stderr.splitlines())
