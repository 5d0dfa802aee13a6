"""Numbers as targets from the command line: from a table to a report, its pictures and its files for a paper."""

from __future__ import annotations

import base64
import csv
import json
import re
import warnings

import numpy as np
import polars as pl
import pytest
from tests.command_line import command_line

from actlab.recipes import RECIPES
from actlab.recording.reader import load


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run a command line in an empty directory; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    run = command_line(monkeypatch, capsys)

    def warned(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            return run(*arguments)

    return warned


@pytest.fixture
def houses(tmp_path):
    rng = np.random.default_rng(0)
    size, rooms = rng.uniform(30, 200, 150), rng.integers(1, 7, 150)
    price = 3000 * size + 20_000 * rooms + rng.normal(0, 20_000, 150)
    pl.DataFrame({"size": size, "rooms": rooms, "price": price.round()}).write_csv(tmp_path / "houses.csv")
    return "houses.csv"


def test_a_person_with_a_table_gets_to_a_comparison_in_two_commands(command, houses, tmp_path):
    code, _, said = command("compare", "--task", houses)
    assert code == 2
    assert "most likely it is 'price' (a quantity)" in said
    assert "actlab compare --task houses.csv --target price" in said
    few = ["--activations", "tanh,relu", "--seeds", "6", "--epochs", "20"]
    code, out, said = command("compare", "--task", houses, "--target", "price", *few, "--out", "run")
    assert code == 0
    assert "learnt as a quantity (regression); --objective classes makes each number a class" in said
    assert "RMSE" in out
    assert "always 4" in out  # some 450,000
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "the fit of price" in page
    assert "accuracy" not in json.dumps(json.loads((tmp_path / "run" / "summary.json").read_text())["headline"])


def test_a_network_too_large_for_the_page_is_shown_at_the_recorded_epochs(command, houses, tmp_path):
    settings = ["--activations", "tanh", "--seeds", "1", "--epochs", "10"]
    assert command("compare", "--task", houses, "--target", "price", *settings, "--out", "run")[0] == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    player = json.loads(re.search(r'<script[^>]*id="content"[^>]*>(.*?)</script>', page, re.S)[1])["player"]
    network = player["networks"][0]
    assert "weights" not in network
    numbers = [np.frombuffer(base64.b64decode(text), "<f4") for text in (network["predictions"], network["losses"])]
    predictions, losses = (values.reshape(len(player["epochs"]), -1) for values in numbers)
    targets = np.frombuffer(base64.b64decode(player["numbers"]["targets"]), "<f4")
    np.testing.assert_allclose(losses, (predictions - targets) ** 2, rtol=1e-4, atol=1e-6)
    # So few samples are all shown: their mean is what training recorded.
    recorded = load(tmp_path / "run").values("train_loss")[:, 0]
    np.testing.assert_allclose(losses.mean(axis=1), recorded[player["epochs"]], rtol=1e-4)


def test_everything_that_is_made_of_a_recording_can_be_made_of_one_of_numbers(command, tmp_path):
    settings = ["--activations", "tanh,relu", "--seeds", "6", "--epochs", "4"]
    assert command("compare", "sine", *settings, "--loss", "huber", "--baseline", "relu", "--out", "run")[0] == 0
    assert command("report", "run", "--metric", "r2")[0] == 0
    for name in ("curves", "gradients", "differences", "ranks", "power"):
        code, _, said = command("figure", "run", name, "--out", f"{name}.png")
        assert (code, said) == (0, ""), name
    for name in ("feature-space", "losses"):
        code, _, said = command("figure", "run", name, "--out", "drawn.png")
        assert code == 2, name
        assert "its targets are numbers, and these figures are drawn of classes" in said
    assert command("export", "run", "--csv", "tables", "--latex", "table.tex", "--methods", "how.md")[0] == 0
    with open(tmp_path / "tables" / "results.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {"test_rmse_mean", "test_mae_mean", "test_r2_mean"} <= rows[0].keys()
    assert "Training minimised Huber's error" in (tmp_path / "how.md").read_text(encoding="utf-8")
    assert "'y' to be predicted" in (tmp_path / "how.md").read_text(encoding="utf-8")
    assert "RMSE" in (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert command("power", "run")[0] == 0
    assert command("compare", "run/study.toml", "--out", "run")[0] == 0


def test_several_labels(command, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 2))
    tags = ["|".join(name for name, has in (("up", a > 0), ("right", b > 0)) if has) for a, b in x]
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "tags": tags}).write_csv(tmp_path / "tags.csv")
    arguments = ["--task", "tags.csv", "--target", "tags", "--objective", "labels"]
    code, out, said = command("task", "tags.csv", *arguments[2:])
    assert (code, "2 labels, any of a sample" in out) == (0, True)
    few = ["--activations", "tanh,relu", "--seeds", "6", "--epochs", "5", "--out", "run"]
    code, out, said = command("compare", *arguments, *few)
    assert (code, said.count("\n")) == (0, 2)
    assert "without a text in 'tags' have no label" in said
    assert "the values of 'tags' are taken for 2 labels, '|' between those of a row" in said
    assert "micro F1" in out
    assert command("report", "run", "--metric", "subset_accuracy")[0] == 0
    assert command("export", "run", "--csv", "tables", "--methods", "how.md")[0] == 0
    assert "any of 2 labels" in (tmp_path / "how.md").read_text(encoding="utf-8")
    assert command("compare", "run/study.toml", "--out", "run")[0] == 0


def test_a_task_of_numbers_is_shown(command, houses):
    code, out, _ = command("task", houses, "--target", "price")
    assert code == 0
    assert "1 number to predict" in out
    assert all(word in out for word in ("mean", "median", "SD", "training", "validation"))
    assert command("task", "diabetes")[0] == 0


def test_rates_are_chosen_and_seeds_added_for_numbers(command):
    arguments = ["--activations", "tanh,relu", "--epochs", "2", "--seeds", "3", "--learning-rates", "0.001,0.01"]
    code, out, said = command("compare", "--task", "sine", *arguments, "--out", "rates")
    assert (code, said) == (0, "")
    assert "RMSE" in out
    arguments = ["--activations", "tanh,linear", "--epochs", "2", "--seeds", "auto", "--most-seeds", "8"]
    code, out, said = command("compare", "--task", "sine", *arguments, "--out", "auto")
    assert (code, said) == (0, "")
    assert "Seeds were added by test RMSE" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["compare", "digits", "--loss", "huber"],
            "loss 'huber' is of numbers as targets, and task 'digits' has classes",
        ),
        (["compare", "sine", "--loss", "cubic"], "loss"),
        (["compare", "sine", "--class-weights", "balanced"], "class_weights are of classes"),
        (["compare", "digits", "--class-weights", "heavy"], "none, balanced, or numbers for classes"),
        (["compare", "digits", "--class-weights", "ten=2"], "unknown class 'ten'"),
        (["compare", "sine", "--metric", "accuracy"], "unknown metric 'accuracy'"),
        (["compare", "--task", "sine", "--objective", "classes"], "objective 'classes' was given for 'sine'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(command, tmp_path, arguments, sentence):
    code, out, said = command(*arguments, "--out", "none")
    assert (code, out) == (2, "")
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["sine", "diabetes", "friedman"])
def test_recipes_of_numbers_say_what_they_train_on(name):
    assert RECIPES[name].study.task == name
    assert RECIPES[name].source.endswith(".")
