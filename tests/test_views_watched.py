"""A training that was watched in figures, event files, summary and commands: by its steps, and nothing compared."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tests.test_views_tensorboard import events_of
from tests.watched_recording import record_watched
from typer.testing import CliRunner

from actlab.cli.application import app
from actlab.errors import ActlabError
from actlab.recording import load as read
from actlab.statistics import summarise
from actlab.views import paper
from actlab.views.figures.recording import Figures, load
from actlab.views.tensorboard import export


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return record_watched(tmp_path_factory.mktemp("runs") / "run").directory


def test_event_files_have_the_steps_of_the_training(directory, tmp_path):
    recording = read(directory)
    export(recording, tmp_path / "events")
    events = events_of(tmp_path / "events" / "as built" / "seed-0")
    steps = recording.probes["step"][:, 0].tolist()
    losses = events.Scalars("loss/train")
    assert [event.step for event in losses] == steps
    np.testing.assert_allclose([event.value for event in losses], recording.metrics["train_loss"][:, 0], rtol=1e-6)
    ratios = events.Scalars("update_ratio/blocks.0.linear")
    # What is infinite is left out.
    assert [event.step for event in ratios] == [step for step in steps if step != 3]
    assert [event.step for event in events.Histograms("activation/blocks.0.act")] == steps


def test_curves_are_drawn_over_the_steps(directory):
    figure = load(directory).curves()
    left, right = figure.axes[:2]
    line = next(own for own in left.get_lines() if own.get_label() == "batch")
    assert line.get_xdata().tolist() == [0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60]
    assert left.get_xlabel() == "step"
    assert [label.get_text() for label in right.get_yticklabels()] == [f"blocks.{k}.linear" for k in range(3)]
    plt.close("all")


@pytest.mark.parametrize("kind", ["milestones", "differences", "ranks", "power", "confusion"])
def test_what_needs_a_comparison_says_so(directory, kind):
    figures = Figures(load(directory), ("as built",))
    with pytest.raises(ActlabError, match="is a single training that was watched"):
        figures.history(kind)


def test_what_needs_weights_or_a_comparison_says_so(directory, tmp_path):
    with pytest.raises(ActlabError, match="no samples and no weights are kept"):
        load(directory).feature_space()
    recording = read(directory)
    for write in (paper.write_tables, paper.write_table, paper.write_methods):
        with pytest.raises(ActlabError, match="there is no comparison to write of"):
            write(recording, tmp_path / "out.md")
    assert not (tmp_path / "out.md").exists()


def test_the_summary_says_what_is_wrong_and_claims_nothing_else(directory):
    summary = summarise(read(directory))
    assert summary["headline"].startswith("100 % of the units at blocks.1.act are dead from the start")
    assert "diverged" not in summary["headline"]
    assert summary["not_compared"] == []
    assert summary["findings"][0]["code"] == "dead_units"
    assert "validation and test data were not seen" in summary["notes"][0]
    assert summary["next_steps"][0]["sentence"] == summary["findings"][0]["help"]
    json.dumps(summary, allow_nan=False)


def test_a_recording_that_goes_on_says_so(tmp_path):
    recording = record_watched(tmp_path / "run", complete=False)
    assert summarise(recording)["notes"][1].startswith("It was stopped, or goes on: 12 looks are recorded.")
    assert repr(load(tmp_path / "run")).endswith("a training that was watched, 12 looks so far>")


def test_in_a_notebook_it_is_its_headline(directory):
    shown = load(directory)._repr_html_()
    assert "are dead from the start" in shown
    assert "<table" not in shown
    assert "a training that was watched, 12 looks, complete" in shown


def test_the_command_line_reports_it(directory, tmp_path):
    runner = CliRunner()
    assert runner.invoke(app, ["report", str(directory)]).exit_code == 0
    text = (directory / "report.html").read_text(encoding="utf-8")
    assert "a training that was watched" in text
    assert json.loads((directory / "summary.json").read_text(encoding="utf-8"))["headline"] in text
    out = tmp_path / "curves.png"
    assert runner.invoke(app, ["figure", str(directory), "gradients", "--out", str(out)]).exit_code == 0
    assert out.stat().st_size > 1000
