"""A metric that leads: ranking, comparisons, sentences, tables and pictures follow it, whichever way is better."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.synthetic_recording import record, study

from actlab.cli import main
from actlab.errors import UnknownName
from actlab.objectives import ACCURACY, Lead, lead_among, lead_in
from actlab.recording import load
from actlab.statistics import summarise
from actlab.statistics.power import power
from actlab.statistics.selection import reported
from actlab.statistics.summary import ranking
from actlab.views.palette import styles_of
from actlab.views.report.html import pairs, table
from actlab.views.report.outcome import differences, levels

LOSS = {"tanh": 0.2, "relu": 0.5, "elu": 0.3}
RIGHT = {"tanh": 0.7, "relu": 0.9, "elu": 0.8}


@pytest.fixture
def recording(tmp_path):
    """Of three activations the one with the lowest loss has the lowest accuracy, seed by seed."""
    noise = np.random.default_rng(2).normal(0, 0.01, 10)
    return record(
        tmp_path / "run",
        study(activations=list(LOSS), seeds=10),
        metrics={
            **{f"{part}_loss": lambda m: LOSS[m.activation] + noise[m.seed] for part in ("validation", "test")},
            **{
                f"{part}_accuracy": lambda m: RIGHT[m.activation] + noise[m.seed] / 3 for part in ("validation", "test")
            },
        },
    )


def by_loss(recording):
    own = load(recording.directory)
    own.lead_by("loss")
    return own


def test_accuracy_leads_unless_another_is_asked_for(recording):
    assert recording.lead == ACCURACY
    assert by_loss(recording).lead == Lead("loss", "cross-entropy", "lower", "nats")
    with pytest.raises(UnknownName, match="unknown metric 'acuracy': did you mean 'accuracy'"):
        recording.lead_by("acuracy")
    assert recording.lead == ACCURACY


def test_the_order_the_best_and_the_pairs_turn_with_it(recording):
    accuracy, loss = summarise(recording), summarise(by_loss(recording))
    assert [row["name"] for row in accuracy["activations"]] == ["relu", "elu", "tanh"]
    assert [row["name"] for row in loss["activations"]] == ["tanh", "elu", "relu"]
    assert (accuracy["best_set"], loss["best_set"]) == (["relu"], ["tanh"])
    assert set(loss["not_best"]) == {"elu", "relu"}
    assert accuracy["headline"].startswith("relu is best: test accuracy ")
    assert loss["headline"].startswith("tanh is best: test cross-entropy 0.2")
    assert "0.1 nats ahead of elu" in loss["headline"]
    # Both are compared whichever leads, and what is said of a pair by itself is the same.
    assert [row["metric"] for row in accuracy["comparisons"]] == ["test_accuracy"] * 3 + ["test_loss"] * 3
    assert [row["metric"] for row in loss["comparisons"]] == ["test_loss"] * 3
    own = {frozenset((row["a"], row["b"])): row for row in accuracy["comparisons"] if row["metric"] == "test_loss"}
    for row in loss["comparisons"]:
        other = own[frozenset((row["a"], row["b"]))]
        assert abs(row["difference"]) == pytest.approx(abs(other["difference"]))
        assert row["p_max_t"] == other["p_max_t"]


def test_the_target_is_of_what_leads(recording):
    accuracy, loss = summarise(recording), summarise(by_loss(recording))
    means = {name: np.mean(recording.metrics["validation_accuracy"][-1, place * 10 : place * 10 + 10])
             for place, name in enumerate(LOSS)}  # fmt: skip
    assert accuracy["activations"][0]["epochs_to_target"]["target"] == pytest.approx(0.95 * max(means.values()))
    losses = [recording.metrics["validation_loss"][-1, place * 10 : place * 10 + 10].mean() for place in range(3)]
    assert loss["activations"][0]["epochs_to_target"]["target"] == pytest.approx(min(losses) / 0.95)
    first = loss["activations"][0]["epochs_to_target"]
    assert first["reached"] == np.mean(recording.metrics["validation_loss"][-1, :10] <= min(losses) / 0.95)
    assert loss["activations"][-1]["epochs_to_target"]["reached"] == 0.0
    assert any("validation cross-entropy of at most 0.2" in note for note in loss["notes"])


def test_tables_and_charts_are_of_what_leads(recording):
    summary = summarise(by_loss(recording))
    styles = styles_of(list(LOSS))
    shown = table(summary, styles)
    assert "test cross-entropy" in shown
    assert "test accuracy %" in shown  # one of the columns beside
    assert ">test loss<" not in shown
    assert "test loss" in pairs(summary)
    chart = differences(summary, styles)
    assert chart.layout["xaxis"]["title"]["text"] == "difference to tanh, nats"
    # Others minus the best one: a larger loss lies to the right.
    assert all(trace["x"][0] > 0 for trace in chart.data)
    assert levels(summary) == {}


def test_more_seeds_are_counted_in_what_leads(recording):
    own = by_loss(recording)
    found = power(own, ranking(own, reported(own)), (6, 10))
    assert found.activations[0] == "tanh"
    assert found.left_out[-1, 1:].tolist() == [1.0, 1.0]


def test_the_study_names_it_and_the_command_line_turns_it(recording, tmp_path, monkeypatch, capsys):
    asked = study(activations=list(LOSS), seeds=10, metric="loss")
    assert asked.conditions == study(activations=list(LOSS), seeds=10).conditions
    assert record(tmp_path / "asked", asked).lead.name == "loss"

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["actlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    code, said = command("report", recording.directory, "--metric", "loss")
    assert (code, said.err) == (0, "")
    assert "tanh is best" in (recording.directory / "report.html").read_text(encoding="utf-8")
    code, said = command("report", recording.directory, "--metric", "rmse")
    assert code == 2
    assert "unknown metric 'rmse'" in said.err
    picture = tmp_path / "ranks.svg"
    assert command("figure", recording.directory, "ranks", "--metric", "loss", "--out", picture)[0] == 0
    assert "test cross-entropy, nats" in picture.read_text(encoding="utf-8")
    code, said = command("compare", "digits", "--metric", "rmse", "--out", tmp_path / "none")
    assert (code, (tmp_path / "none").exists()) == (2, False)
    known = "accuracy, average_precision, balanced_accuracy, brier, loss, macro_f1, roc_auc"
    assert f"unknown metric 'rmse': known: {known}." in said.err


def test_a_summary_of_an_earlier_version_is_led_by_accuracy():
    assert lead_in({}) == ACCURACY
    assert lead_among([ACCURACY.__dict__]) == ACCURACY
