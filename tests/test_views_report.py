"""The report as a file: self-contained, faithful to the recording, safe with hostile text, reproducible."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from tests.synthetic_recording import record, record_conditions
from tests.views_recording import record_all

from actlab.errors import ActlabError
from actlab.statistics import reported, summarise, verdict
from actlab.study import Milestone
from actlab.views import palette
from actlab.views.report import conditions, html, outcome, player_html
from actlab.views.report import report as module
from actlab.views.report.charts import quartiles, rounded, thinned
from actlab.views.report.report import page as report_page
from actlab.views.report.report import report
from actlab.views.report.scripts import asset
from actlab.wording import number

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts by id, and all visible text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.text, self._open = [], {}, "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = dict(attrs).get("id", f"{tag}{len(self.scripts)}")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data
        else:
            self.text += data + " "

    @property
    def content(self):
        return json.loads(self.scripts["content"])

    def with_attribute(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record_all(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def page(recording):
    return Page(report_page(recording))


@pytest.fixture
def bare(monkeypatch):
    """Leave Plotly's five megabytes out, for tests of everything else."""
    monkeypatch.setattr(module, "plotly", lambda: "")


def ranked_of(page):
    """The activations as the page lists them, best first."""
    return [SimpleNamespace(activation=name) for name in page.with_attribute("data-toggle")]


def test_one_file_written_whole(recording, tmp_path):
    out = tmp_path / "report.html"
    out.write_text("an old one")
    assert report(recording, out) == out
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert not re.search(r"\{\{\w+\}\}", text)


def test_a_failed_write_leaves_the_old_report(recording, tmp_path, bare):
    with pytest.raises(ActlabError, match="cannot be written"):
        report(recording, tmp_path / "missing" / "report.html")
    assert not list(tmp_path.iterdir())


def test_nothing_is_fetched(page):
    assert not page.with_attribute("src")
    assert all(reference.startswith("#") for reference in page.with_attribute("href"))
    policies = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in policies[0]
    assert "http" not in policies[0]
    own = {name: text for name, text in page.scripts.items() if "plotly.js v" not in text}
    assert not re.search(r"https?:|@import|url\(", " ".join(own.values()))


def test_anchors_lead_somewhere(page):
    ids = page.with_attribute("id")
    assert len(ids) == len(set(ids))
    assert {reference[1:] for reference in page.with_attribute("href")} <= set(ids)


def test_every_chart_has_a_frame_and_every_frame_a_chart(page):
    assert sorted(page.with_attribute("data-chart")) == sorted(page.content["charts"])
    for name in ("validation-accuracy", "gradient-tanh", "flat-share", "dead-share"):
        assert name in page.content["charts"]
    for kind in ("heat", "card"):
        assert page.with_attribute(f"data-{kind}") == [row.activation for row in ranked_of(page)]


def test_curves_are_the_medians_of_the_recording(recording, page):
    data = page.content["charts"]["validation-loss"]["data"]
    lines = {trace["name"]: trace for trace in data if "name" in trace}
    for entry in reported(recording):
        wanted = np.median(recording.metrics["validation_loss"][:, list(entry.columns)], axis=1)
        np.testing.assert_allclose(lines[entry.activation]["y"], wanted, rtol=1e-4)
        assert lines[entry.activation]["x"] == list(range(recording.epochs + 1))
    accuracy = page.content["charts"]["train-accuracy"]["data"]
    assert max(y for trace in accuracy for y in trace["y"]) == pytest.approx(90)


def test_gradients_are_the_medians_of_the_recording(recording, page):
    entry = reported(recording)[1]
    norms = recording.probes["weight_gradient_norm"][:, list(entry.columns)]
    data = page.content["charts"][f"gradient-{entry.activation}"]["data"]
    assert [trace["name"] for trace in data] == list(recording.weight_layers)
    for layer, trace in enumerate(data):
        np.testing.assert_allclose(trace["y"], np.median(norms[..., layer], axis=1), rtol=1e-4)


def test_old_recordings_without_sizes_of_gradients_have_no_such_section(tmp_path, bare):
    page = Page(report_page(record(tmp_path / "run")))
    assert "gradient-sizes" not in page.with_attribute("id")


def test_the_penalty_has_a_curve_of_its_own(tmp_path, bare):
    penalty = np.tile(np.linspace(0.5, 0.1, 9)[:, None], (1, 30)).astype(np.float32)
    charts_of = Page(report_page(record(tmp_path / "run", arrays={"penalty": penalty}))).content["charts"]
    line = next(t for t in charts_of["penalty"]["data"] if t.get("name") == "relu")
    np.testing.assert_allclose(line["y"], penalty[:, 0], rtol=1e-4)
    assert charts_of["penalty"]["layout"]["yaxis"]["title"]["text"] == "L2 penalty"
    assert charts_of["train-loss"]["layout"]["yaxis"]["title"]["text"] == "cross-entropy"


def test_no_penalty_no_curve(page):
    assert "penalty" not in page.content["charts"]


def test_findings_are_those_of_the_summary(recording, page):
    found = summarise(recording)["findings"]
    assert found
    for finding in found:
        assert finding["sentence"] in page.text
    assert "findings" in page.with_attribute("id")


def test_a_step_without_a_setting_has_no_command():
    from actlab.views.report.html import steps

    rows = [{"sentence": "Look.", "command": ""}, {"sentence": "More.", "command": "actlab compare --seeds 9"}]
    assert steps(rows) == (
        "<ul class='notes steps'><li>Look.</li><li>More.<code>actlab compare --seeds 9</code></li></ul>"
    )


def test_the_way_of_the_gradient_is_a_table(tmp_path, bare):
    from actlab.layers import Act, Dense
    from actlab.statistics.gradients import gradient_flow

    made = record_all(
        tmp_path / "run", network=(Dense(3), Act(), Dense(3), Act(), Dense(1)), activations=("tanh", "relu")
    )
    table = re.search(r"aria-label='gradient layer by layer'>(.*?)</table>", report_page(made), re.DOTALL)[1]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in table.split("<tr>")[3:]]
    by_name = {entry.activation: entry for entry in reported(made)}
    ranked = [row["name"] for row in summarise(made)["activations"]]
    wanted = []
    for name in ranked:
        for steps in zip(*(gradient_flow(made, by_name[name], epoch) for epoch in (0, 8)), strict=True):
            factors = [value for s in steps for value in (s.share, s.slope, s.weights)]
            wanted.append([steps[0].layer, *(number(v, ".2g") for v in factors)])
    assert rows == wanted


def test_one_place_has_no_way(page):
    assert "Layer by layer: what slopes" not in page.text


def test_what_the_source_says_stands_beside_what_was_measured(tmp_path, bare):
    from actlab.recipes import recipe

    chosen = recipe("parabolas")
    made = record(tmp_path / "run", chosen.study.model_copy(update={"seeds": (0, 1, 2)}))
    summary = summarise(made)
    text = report_page(made)
    page = Page(text)
    assert "source" in page.with_attribute("id")
    for said in (chosen.source, *chosen.statements, verdict(summary["published"])):
        assert said in page.text
    table = re.search(r"<table class='published'>(.*?)</table>", text, re.DOTALL)[1]
    rows = [re.sub(r"<[^>]*>", "|", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]]
    assert len(rows) == len(summary["published"]) == 6
    for row, value in zip(rows, summary["published"], strict=True):
        assert value["activation"] in row
        assert f"|{value['published']:g}|" in row
        assert unescape(row).rstrip("|").endswith(value["verdict"])


def test_a_study_of_no_recipe_has_no_source(page):
    assert "source" not in page.with_attribute("id")


def test_cards_are_those_of_the_recording(recording, page):
    card = page.content["cards"]["relu"]
    for curve in ("x", "value", "derivative"):
        np.testing.assert_allclose(card[curve], recording.functions["relu"][curve], rtol=1e-4)


def test_single_seeds_are_those_of_the_recording(recording, page):
    chart = page.content["charts"]["validation-loss"]
    entry = next(e for e in reported(recording) if e.activation == "tanh")
    values = np.frombuffer(base64.b64decode(chart["seeds"]["tanh"]), "<f4").reshape(len(entry.columns), -1)
    np.testing.assert_array_equal(values, np.float32(recording.metrics["validation_loss"][:, list(entry.columns)].T))


def test_flat_and_dead_units_are_medians_of_the_recording(recording, page):
    line = next(t for t in page.content["charts"]["flat-share"]["data"] if t.get("name") == "relu")
    assert set(line["y"]) == {25}
    assert page.content["charts"]["dead-share"]["layout"]["yaxis"]["rangemode"] == "tozero"


def test_next_steps_are_those_of_the_summary(recording, page):
    steps = summarise(recording)["next_steps"]
    assert steps
    for step in steps:
        assert step["sentence"] in page.text
        assert step["command"] in page.text


def test_plotly_is_embedded_whole(page):
    from plotly.offline import get_plotlyjs

    assert gzip.decompress(base64.b64decode(page.scripts["plotly"])).decode() == get_plotlyjs()


def test_differences_are_those_of_the_summary(recording, page):
    summary = summarise(recording)
    best = summary["activations"][0]["name"]
    rows = [outcome.oriented(c, best) for c in summary["comparisons"] if best in (c["a"], c["b"])]
    wanted = {row["b"]: row for row in rows if row["metric"] == "test_accuracy"}
    drawn = page.content["charts"]["differences"]["data"]
    assert {trace["name"] for trace in drawn} == set(wanted)
    for trace in drawn:
        row = wanted[trace["name"]]
        interval = row["ci95_simultaneous"] if trace["error_x"]["thickness"] > 1 else row["ci95_new_data"]
        assert trace["x"][0] == pytest.approx(-100 * row["difference"], rel=1e-3)
        ends = trace["x"][0] - trace["error_x"]["arrayminus"][0], trace["x"][0] + trace["error_x"]["array"][0]
        np.testing.assert_allclose(ends, [-100 * interval[1], -100 * interval[0]], rtol=1e-3)


def test_the_table_is_ranked_and_says_what_the_summary_says(recording, page):
    summary = summarise(recording)
    table = html.table(summary, palette.styles_of(recording.study.activations))
    names = re.findall(r'<th scope="row">.*?</span>(\w+)<', table)
    means = [float(mean) for mean in re.findall(r"<b>([\d.]+) %</b>", table)]
    assert names == [row["name"] for row in summary["activations"]]
    assert means == sorted(means, reverse=True)
    assert summary["headline"] in page.text
    for row in summary["activations"]:
        assert f"{100 * row['test_accuracy']['mean']:.2f} %" in page.text
    for note in summary["notes"]:
        assert note in page.text
    assert recording.study.to_toml().strip() in page.text


def test_the_result_comes_first_and_the_player_after_it(page):
    sections = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert sections[:3] == ["results", "notes", "player"]
    assert page.with_attribute("href")[1] == "#results"


def marked_rows(text):
    return [re.sub("<[^>]*>", "", row) for row in re.findall(r'<th scope="row">(.*?)</th>', text) if "<small>" in row]


def test_what_may_be_the_best_is_marked_in_words(recording):
    styles = palette.styles_of(recording.study.activations)
    summary = summarise(recording) | {"best_set": ["tanh", "relu"]}
    text = conditions.results(summary, styles)
    assert re.sub("<[^>]*>", "", text).startswith("May be the best: tanh, relu.")
    assert sorted(marked_rows(text)) == ["relumay be the best", "tanhmay be the best"]
    assert "any of the 3." in conditions.results(summary | {"best_set": list(styles)}, styles)


@pytest.mark.parametrize("given", [{}, {"best_set": None}, {"best_set": []}])
def test_a_summary_that_does_not_say_what_may_be_the_best_marks_nothing(recording, given):
    summary = {name: value for name, value in summarise(recording).items() if name != "best_set"}
    text = conditions.results(summary | given, palette.styles_of(recording.study.activations))
    assert "may be the best" not in text.lower()


def test_each_condition_marks_its_own_best(tmp_path):
    summary = summarise(record_conditions(tmp_path / "run")) | {"best_set": ["sigmoid"]}
    first, *others = ({"best_set": ["relu"]}, *({"best_set": None} for _ in summary["contests"][1:]))
    summary["contests"] = [held | own for held, own in zip(summary["contests"], (first, *others), strict=True)]
    text = conditions.results(summary, palette.styles_of(("sigmoid", "tanh", "relu")))
    assert marked_rows(text) == ["sigmoidmay be the best", "relumay be the best"]


def test_same_recording_same_bytes(recording, bare):
    assert report_page(recording) == report_page(recording)


def test_hostile_text_stays_text(tmp_path, bare):
    milestones = (Milestone(name=EVIL),)
    classes = (EVIL, "%{x}<b>")
    made = record_all(tmp_path / "run", classes=classes, name=EVIL, milestones=milestones, provenance=EVIL)
    text = report_page(made)
    page = Page(text)
    assert "alert(1)" not in "".join(t for name, t in page.scripts.items() if name != "content")
    assert not [tag for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert text.count("<script") == 2
    assert page.content["player"]["classes"] == list(classes)
    assert EVIL in page.text


def test_one_seed_one_activation(tmp_path, bare):
    page = Page(report_page(record_all(tmp_path / "run", activations=("relu",), seeds=(3,))))
    data = page.content["charts"]["train-loss"]["data"]
    assert [trace.get("fill") for trace in data] == [None]
    assert "differences" not in page.content["charts"]


def test_diverged_members_leave_curves(tmp_path, bare):
    lost = {("tanh", 0.05, seed): (3, "the loss became NaN") for seed in range(9)}
    lost |= {("relu", 0.05, seed): (0, "the loss became NaN") for seed in range(10)}
    made = record_all(tmp_path / "run", diverged=lost)
    page = Page(report_page(made))
    lines = {t["name"]: t["y"] for t in page.content["charts"]["train-loss"]["data"] if "name" in t}
    assert all(math.isfinite(y) for y in lines["tanh"])
    assert lines["relu"] == [None] * (made.epochs + 1)
    assert "9 of 10" in page.text
    assert "the loss became NaN" in page.text


def test_grouping_functions_have_a_card_and_no_curve(tmp_path, bare):
    page = Page(report_page(record_all(tmp_path / "run", activations=("relu", "maxout"))))
    assert page.with_attribute("data-card") == ["relu"]
    assert "have no curve" in page.text
    assert {network["name"] for network in page.content["player"]["networks"]} == {"relu", "maxout"}


def test_stopped_half_way(tmp_path, bare):
    page = Page(report_page(record_all(tmp_path / "run", last_epoch=4, complete=False)))
    assert "stopped after epoch 4" in page.text
    assert max(page.content["charts"]["train-loss"]["data"][0]["x"]) == 4


def test_only_the_untrained_network(tmp_path, bare):
    page = Page(report_page(record_all(tmp_path / "run", last_epoch=0, complete=False)))
    modes = {t["mode"] for t in page.content["charts"]["train-loss"]["data"] if "name" in t}
    assert modes == {"lines+markers"}


def test_a_small_network_is_computed_after_one_epoch_too(tmp_path, bare):
    page = Page(report_page(record_all(tmp_path / "run", epochs=1, seeds=1, activations=("tanh",))))
    player = page.content["player"]
    assert player["epochs"] == [0, 1]
    assert player["box"] is not None
    assert "weights" in player["networks"][0]


def test_a_training_plays_for_some_seconds_however_many_epochs_it_has():
    def begins_with(last):
        usual = {
            "epoch": last,
            "seeds": [0],
            "seed": 0,
            "layers": ["act1"],
            "layer": "act1",
            "labels": [],
            "label": None,
        }
        found = player_html.controls(usual, 1)
        return int(re.search(r"<option value='(\d+)' selected>\d+ epochs?/s", found)[1])

    assert [begins_with(last) for last in (1, 5, 12, 40, 150, 5000)] == [1, 1, 2, 5, 20, 60]


def test_the_legend_names_a_decision_where_one_is_drawn():
    assert "decision" in html.class_legend(["a", "b"], [0, 1], True)
    assert "decision" not in html.class_legend(["a", "b"], [0, 1], False)


def test_nothing_recorded(tmp_path, bare):
    made = record_all(tmp_path / "run", last_epoch=-1, complete=False)
    page = Page(report_page(made))
    assert "Nothing was recorded." in page.text
    assert "stopped before the first" in page.text
    assert "results" not in page.with_attribute("id")
    assert not page.content["charts"]
    assert set(page.with_attribute("data-card")) == {"sigmoid", "tanh", "relu"}


def test_many_activations_begin_with_the_best_eight(tmp_path, bare):
    from actlab.functions import catalogue

    names = tuple(catalogue)[:16]
    page = Page(report_page(record_all(tmp_path / "run", activations=names, seeds=(0, 1), epochs=3)))
    chips = {a["data-toggle"]: a["aria-pressed"] for _, a in page.elements if "data-toggle" in a}
    assert len(chips) == 16
    assert [name for name, pressed in chips.items() if pressed == "false"] == page.content["usual"]["hidden"]
    assert len(page.content["usual"]["hidden"]) == 8
    assert "The best 8 of 16" in page.text


def test_several_learning_rates_report_the_chosen_one(tmp_path, bare):
    made = record_all(tmp_path / "run", learning_rates=(0.01, 0.1), seeds=(0, 1), tuning_seeds=(5, 6))
    page = Page(report_page(made))
    assert "learning rate" in page.text
    line = next(t for t in page.content["charts"]["validation-accuracy"]["data"] if t.get("name") == "relu")
    columns = list(next(e for e in reported(made) if e.activation == "relu").columns)
    wanted = 100 * np.median(made.metrics["validation_accuracy"][:, columns], axis=1)
    np.testing.assert_allclose(line["y"], wanted, rtol=1e-4)


def test_page_and_print_agree_on_colours():
    css = asset("report.css")
    for prefix, colours in (("series", palette.SERIES), ("class", palette.CLASSES)):
        for slot, colour in enumerate(colours):
            assert f"--{prefix}-{slot}: light-dark({colour}," in css
    for prefix, steps in (("heat", palette.HEAT_STEPS), ("layer", palette.LAYER_STEPS)):
        assert f"--{prefix}-{steps - 1}:" in css
        assert f"--{prefix}-{steps}:" not in css


def test_no_colour_of_a_figure_is_unknown_to_the_page(page):
    used = set(re.findall(r"var\((--[\w-]+)\)", page.scripts["content"]))
    css = asset("report.css")
    assert used
    assert used <= set(re.findall(r"(--[\w-]+):", css))


def test_looks_differ_beyond_twelve():
    names = [f"f{i}" for i in range(30)]
    assert len(set(palette.styles_of(names).values())) == 30


@pytest.mark.parametrize(("epochs", "most"), [(0, 150), (1, 150), (149, 150), (1000, 150), (7, 3)])
def test_thinned_keeps_both_ends(epochs, most):
    kept = thinned(epochs, most)
    assert kept[0] == 0
    assert kept[-1] == epochs
    assert len(kept) == min(most, epochs + 1)


def test_rounded_numbers_are_json():
    values = [math.pi * 1e-30, -math.inf, math.nan, 0.0, 123456.7, 1e300]
    assert rounded(values) == [3.1416e-30, None, None, 0, 123460, 1e300]
    assert json.dumps(rounded(np.array([[1, 2]], np.float32))) == "[[1, 2]]"


def test_quartiles_leave_out_what_is_not_finite():
    found = quartiles(np.array([[1, 2, 3, np.inf], [np.nan] * 4], np.float32))
    np.testing.assert_array_equal(found[:, 0], [1.5, 2, 2.5])
    assert np.isnan(found[:, 1]).all()


def test_all_members_at_one_hundred_per_cent_are_drawn(tmp_path):
    recording = record(tmp_path / "run", metrics={"test_accuracy": 1.0})
    assert "100.00" in report_page(recording)


def test_a_directory_is_no_report(tmp_path):
    with pytest.raises(ActlabError, match="is a directory: name the file to write"):
        report(record(tmp_path / "run"), tmp_path)
