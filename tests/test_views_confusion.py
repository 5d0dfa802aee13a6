"""Which classes are mixed up, as the page, the figure and the tables show it."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix
from tests.command_line import command_line
from tests.synthetic_recording import record, study
from tests.test_objectives_labels import made_up

import actlab
from actlab.errors import InvalidRecording
from actlab.layers import Act, Dense
from actlab.statistics.confusion import most_frequent
from actlab.study import Study
from actlab.views.figures.recording import Figures
from actlab.views.report.report import page

CLASSES = ["four", "<nine>", "two"]
LABELS = np.repeat([0, 1, 2], [10, 5, 5])


def recorded(directory, decided, classes=CLASSES, labels=LABELS, **settings):
    """A recording whose members decide as told: `decided` (members, samples)."""
    asked = study(activations=["relu", "tanh"], seeds=2, network=(Dense(2), Act(), Dense(len(classes))), **settings)
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    facts = {"classes": classes, "class_counts": counts, "test_class_counts": counts}
    arrays = {"class_accuracy": np.full((asked.epochs + 1, 4, len(classes)), 0.5, np.float32)}
    outputs = 2.0 * np.eye(len(classes))[np.asarray(decided)]
    return record(directory, asked, facts=facts, arrays=arrays, tested=(outputs, labels))


@pytest.fixture
def recording(tmp_path):
    """relu takes two of ten fours for nines with seed 0 and one with seed 1; tanh has all right."""
    decided = np.tile(LABELS, (4, 1))
    decided[0, :2] = decided[1, 0] = 1
    return recorded(tmp_path / "run", decided)


def section(text):
    return re.search(r"<section id='confusion'>.*?</section>", text, re.DOTALL)[0]


def test_the_page_shows_shares_of_the_true_class(recording):
    shown = section(page(recording))
    assert "The 20 test samples after the last epoch, the mean over the seeds that trained" in shown
    figures = dict(re.findall(r"<figure data-activation='(\w+)'>(.*?)</figure>", shown, re.DOTALL))
    rows = re.findall(r"<tr><th scope='row' title='(.*?)'>.*?</th>(.*?)</tr>", figures["relu"])
    assert [title for title, _ in rows] == [
        "four: 10 test samples", "&lt;nine&gt;: 5 test samples", "two: 5 test samples"
    ]  # fmt: skip
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for _, row in rows]
    assert cells == [["85.0", "15.0", ""], ["", "100", ""], ["", "", "100"]]
    assert "four taken for &lt;nine&gt;: 15.0 % of the test samples of four" in figures["relu"]
    assert "No test sample is put into another class than its own." in figures["tanh"]


def test_the_summary_holds_mean_counts(recording):
    (row,) = (row for row in actlab.summarise(recording)["activations"] if row["name"] == "relu")
    wanted = [confusion_matrix(LABELS, outputs.argmax(axis=1)) for outputs in recording.outputs[:2]]
    assert row["confusion"] == np.mean(wanted, axis=0).tolist()


def test_of_many_classes_the_most_frequent_confusions_are_listed(tmp_path):
    labels = np.repeat(np.arange(21), 4)
    decided = np.tile(labels, (4, 1))
    decided[:2, 8] = 7  # One of four samples of class 2, with both seeds of relu.
    recording = recorded(tmp_path / "run", decided, [f"kind {i}" for i in range(21)], labels)
    shown = section(page(recording))
    assert "<table" not in shown
    assert "<li>kind 2 taken for kind 7: 25.0 % of the test samples of kind 2</li>" in shown
    assert {row["confusion"] for row in actlab.summarise(recording)["activations"]} == {None}
    with pytest.raises(InvalidRecording, match="has 21 classes, and a matrix of at most 20"):
        Figures(recording, ("relu",)).history("confusion")


def test_confusions_are_in_the_order_of_their_shares():
    matrix = np.array([[90.0, 6, 4], [3, 7, 0], [0, 0, 0]])
    found = most_frequent(matrix, 2)
    assert [(one.true, one.predicted) for one in found] == [(1, 0), (0, 1)]
    assert [one.share for one in found] == pytest.approx([0.3, 0.06])


def test_the_figure_has_a_matrix_for_each_activation(recording):
    figure = Figures(recording, ("relu", "tanh")).history("confusion")
    panels = [panel for panel in figure.axes if panel.images]
    assert [panel.get_title() for panel in panels] == ["relu", "tanh"]
    assert [text.get_text() for text in panels[0].texts] == ["85.0", "15.0", "100", "100"]
    colours = panels[0].images[0].get_array()
    assert colours.shape == (3, 3, 3)
    assert np.all(colours[1, 0] == 1)
    assert colours[0, 1, 0] > colours[0, 1, 2]
    assert colours[0, 0, 2] > colours[0, 0, 0]


def test_without_outputs_nothing_is_shown_and_the_figure_says_why(tmp_path):
    recording = record(tmp_path / "run", study(seeds=2))
    assert "id='confusion'" not in page(recording)
    with pytest.raises(InvalidRecording, match="does not hold the outputs for the test samples"):
        Figures(recording, ("relu",)).history("confusion")


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = command_line(monkeypatch, capsys)

    def succeeding(*arguments):
        code, out, _ = run(*arguments)
        assert code == 0
        return " ".join(out.split())

    return succeeding


def test_a_metric_of_all_predictions_leads_from_end_to_end(command, tmp_path):
    small = ["--activations", "relu,tanh", "--seeds", "6", "--epochs", "3"]
    out = command("compare", "parabolas", *small, "--metric", "roc_auc", "--out", "run")
    recording = actlab.load("run")
    assert recording.study.metric == "roc_auc"
    assert "test ROC AUC 0." in out
    assert "ROC AUC is known after the last epoch alone: curves show accuracy" in out
    assert "to target gradient" not in out
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Validation Accuracy".lower() in text.lower()
    assert "validation ROC AUC" not in text
    command("report", "run", "--metric", "average_precision")
    assert "average precision" in re.search(r"<h1[^>]*>(.*?)</h1>", (tmp_path / "run" / "report.html").read_text())[1]
    for kind in ("ranks", "differences", "curves", "confusion"):
        command("figure", "run", kind, "--metric", "macro_f1", "--out", f"{kind}.png")
        assert (tmp_path / f"{kind}.png").read_bytes().startswith(b"\x89PNG")
    command("export", "run", "--metric", "roc_auc", "--csv", "tables", "--latex", "t.tex", "--methods", "m.md")
    with (tmp_path / "tables" / "members.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["test_roc_auc"]) for row in rows] == recording.values("test_roc_auc")[-1].tolist()
    with (tmp_path / "tables" / "results.csv").open(newline="") as file:
        results = next(csv.reader(file))
    assert {"test_roc_auc_mean", "test_macro_f1_ci95_low", "test_average_precision_count"} <= set(results)
    assert "confusion" not in results
    readme = (tmp_path / "tables" / "README.txt").read_text(encoding="utf-8")
    assert re.search(r"test_roc_auc +ROC AUC on the test data\.", readme)
    assert "ROC AUC" in (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert "compared by their ROC AUC" in (tmp_path / "m.md").read_text(encoding="utf-8")


def test_of_several_labels_the_report_and_the_summary_tell_which_are_found(tmp_path):
    task = replace(made_up(), labels=("<red>", "round", "ripe"))
    asked = Study(task=task.name, activations=["relu", "tanh"], seeds=2, epochs=4, batch=16)
    recording = actlab.run(asked, tmp_path / "run", task=task, progress=lambda _: None)
    (row,) = (row for row in recording.summary["activations"] if row["name"] == "relu")
    y = recording.test_targets > 0
    wanted = np.mean([multilabel_confusion_matrix(y, own > 0) for own in recording.outputs[:2]], axis=0)
    np.testing.assert_allclose(row["label_confusion"], wanted, rtol=1e-12)
    assert row["confusion"] is None
    shown = section(page(recording))
    assert "Which labels are found" in shown
    (figure,) = re.findall(r"<figure data-activation='relu'>(.*?)</figure>", shown, re.DOTALL)
    (_, wrong), (missed, found) = wanted[0]
    shares = found / (found + missed), found / (found + wrong), 2 * found / (2 * found + missed + wrong)
    assert re.findall(r"<td>(.*?)</td>", figure)[:4] == [str(y[:, 0].sum()), *(f"{100 * own:.1f} %" for own in shares)]
    assert "&lt;red&gt;" in figure
    with pytest.raises(InvalidRecording, match="of several labels: its report tells"):
        Figures(recording, ("relu",)).history("confusion")
