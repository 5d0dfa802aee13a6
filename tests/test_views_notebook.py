"""A recording in a notebook: what it shows of itself, of what kind it may be, and that hostile text stays text."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from tests.synthetic_recording import record, study

import actlab
from actlab.statistics import summarise
from actlab.views.figures import recording as drawing

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
PLAIN = {"div", "p", "b", "br", "code", "table", "thead", "tbody", "tr", "th", "td"}
VOID = {"br", "img", "meta", "link"}


class Fragment(HTMLParser):
    """HTML that must be well formed: its elements, its text, the cells of its table."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.rows, self._open = [], "", [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self._open[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += data


def shown(made):
    recording = actlab.load(made.directory)
    return recording, Fragment(recording._repr_html_())


def test_headline_table_and_report(tmp_path):
    made = record(tmp_path / "run", metrics={"test_accuracy": lambda m: 0.9 + 0.001 * m.seed})
    actlab.report(made, tmp_path / "run" / "report.html")
    recording, seen = shown(made)
    summary = summarise(recording)
    assert seen.text.startswith(summary["headline"])
    head, *rows = seen.rows
    assert head[:5] == ["activation", "test accuracy", "95 % interval", "test loss", "diverged"]
    for row, entry in zip(rows, summary["activations"], strict=True):
        low, high = entry["test_accuracy"]["ci95"]
        accuracy = f"{100 * entry['test_accuracy']['mean']:.2f} %"
        assert row[:3] == [entry["name"], accuracy, f"{100 * low:.2f} to {100 * high:.2f}"]
    assert f"Report: {tmp_path / 'run' / 'report.html'}" in seen.text


def test_without_a_report_it_says_how_to_write_it(tmp_path):
    _, seen = shown(record(tmp_path / "run"))
    assert f"actlab.report(recording, '{tmp_path / 'run' / 'report.html'}') writes it." in seen.text


def test_what_may_be_the_best_is_said_in_words(tmp_path, monkeypatch):
    made = record(tmp_path / "run")
    monkeypatch.setattr(drawing, "summarise", lambda *given: summarise(*given) | {"best_set": ["tanh"]})
    _, seen = shown(made)
    assert [row[0] for row in seen.rows if row[-1] == "may be the best"] == ["tanh"]


def test_it_asks_for_nothing_and_sets_no_colours(tmp_path):
    """Nothing is loaded or run, and text has the notebook's own colour on its own background, light or dark."""
    _, seen = shown(record(tmp_path / "run"))
    assert {tag for tag, _ in seen.elements} <= PLAIN
    styles = [given.get("style", "") for _, given in seen.elements]
    assert not [style for style in styles if "color:" in style or "background" in style or "url(" in style]
    assert {name for _, given in seen.elements for name in given} <= {"style"}


def test_hostile_names_stay_text(tmp_path):
    made = record(tmp_path / EVIL.replace("/", "_"), study(name=EVIL))
    recording, seen = shown(made)
    assert not [tag for tag, _ in seen.elements if tag in ("script", "img")]
    assert EVIL in seen.text
    assert EVIL in repr(recording)


def test_of_many_activations_the_best_are_shown(tmp_path):
    names = tuple(actlab.catalogue)[:20]
    _, seen = shown(record(tmp_path / "run", study(activations=names, seeds=2)))
    assert len(seen.rows) == 1 + 12
    assert "and 8 more" in seen.text


LOST = {(name, 0.05, seed): (3, "the loss became NaN") for name in ("sigmoid", "tanh", "relu") for seed in range(10)}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"last_epoch": 4, "complete": False}, "stopped after epoch 4 of 8"),
        ({"last_epoch": 0, "complete": False}, "stopped after epoch 0 of 8"),
        ({"last_epoch": -1, "complete": False}, "stopped before the first of 8 epochs"),
        ({"diverged": {("tanh", 0.05, 3): (5, "NaN")}}, "1 of 10"),
        ({"diverged": LOST}, "10 of 10"),
    ],
    ids=["stopped half-way", "untrained only", "nothing", "one diverged", "all diverged"],
)
def test_any_recording_shows_itself(tmp_path, settings, said):
    recording, seen = shown(record(tmp_path / "run", **settings))
    assert said in seen.text
    assert summarise(recording)["headline"] in seen.text


def test_a_damaged_recording_says_so_in_a_sentence(tmp_path):
    made = record(tmp_path / "run")
    recording = actlab.load(made.directory)
    shutil.rmtree(made.directory / "segments")
    seen = Fragment(recording._repr_html_())
    assert "cannot be read" in seen.text
    assert "30 networks" in seen.text


def test_the_line_tells_what_it_is(tmp_path):
    recording = actlab.load(record(tmp_path / "run").directory)
    assert repr(recording) == (
        f"<Recording 'made-up' in {tmp_path / 'run'}: 30 networks (3 activations, 10 seeds), 8 epochs, complete>"
    )
    single = record(tmp_path / "one", study(activations="tanh", seeds=1, epochs=1))
    assert repr(actlab.load(single.directory)).endswith("1 network (1 activation, 1 seed), 1 epoch, complete>")
    stopped = record(tmp_path / "stopped", last_epoch=3, complete=False)
    assert repr(actlab.load(stopped.directory)).endswith("stopped after epoch 3 of 8>")


def test_numbers_that_are_not_there_are_dashes(tmp_path):
    _, seen = shown(record(tmp_path / "run", metrics={"test_accuracy": np.nan, "test_loss": np.nan}))
    assert {tuple(row[1:4]) for row in seen.rows[1:]} == {("–", "–", "–")}
