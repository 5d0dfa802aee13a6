"""The page of a training that was watched, as text: what it says, what is embedded, and how large it is."""

from __future__ import annotations

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
from tests.javascript import run
from tests.watched_recording import chain, look_at, record_looks, record_watched

from actlab.diagnosis.told import headline
from actlab.statistics import summarise
from actlab.views.report import layer_heat
from actlab.views.report.observed import page
from actlab.views.report.report import report
from actlab.watching.recorded import looks_of

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    return record_watched(tmp_path_factory.mktemp("runs") / "run")


def content(text):
    """What is embedded in a page."""
    return json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])


def words(text):
    """A page's text, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text.partition("<main")[2].partition("</main>")[0])).split())


def values_of(own):
    """The numbers of a measure as the page gets them, decoded once more: (rows, columns)."""
    codes = np.frombuffer(base64.b64decode(own["cells"]), "<u2").reshape(len(own["rows"]), own["columns"]).astype(float)
    scaled = own["low"] + (codes - 2) / 65532 * (own["high"] - own["low"])
    found = 10**scaled if own["log"] else scaled
    return np.select([codes == 0, codes == 1, codes == 65535], [np.nan, 0.0, np.inf], found)


def test_what_is_embedded_is_what_was_recorded(dead):
    found = content(page(dead))
    assert found["steps"] == dead.probes["step"][:, 0].tolist()
    assert [own["name"] for own in found["measures"]] == list(layer_heat.SHOWN)
    for own in found["measures"]:
        names = dead.weight_layers if own["along"] == "weights" else dead.act_layers
        assert own["rows"] == list(names)
        recorded = dead.probes[own["name"]][:, 0].T
        np.testing.assert_allclose(values_of(own), recorded, rtol=3e-4, atol=2e-5)
    assert found["losses"]["loss"] == [1.3] * 12
    assert found["losses"]["constant"] == [1.2] * 12


def test_findings_are_pinned_where_they_begin(dead):
    found = content(page(dead))["findings"]
    first = found[0]
    assert (first["number"], first["severity"], first["step"], first["column"]) == (1, "warning", 0, 0)
    assert first["rows"] == {"weights": [], "functions": [1]}
    assert first["layers"] == ["blocks.1.act"]


def test_it_says_the_cause_first_and_what_follows(dead):
    text = page(dead)
    said = words(text)
    (summary,) = (summarise(dead),)
    assert summary["headline"] in unescape(re.search(r"<h1>(.*?)</h1>", text)[1])
    assert "100 % of the units at blocks.1.act are dead from the start" in said
    assert "Follows from finding 1." in said
    assert "What to try." in said
    assert "dead_units" in said
    assert "rnn: its function between steps is inside PyTorch's own code." in said
    assert "1,234" in said


def test_a_later_finding_has_the_column_of_its_step(tmp_path):
    rng = np.random.default_rng(0)
    steps = [0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50]
    looks = [look_at(step, 3, dead=1 if step >= 20 else None, loss=1.3, rng=rng) for step in steps]
    found = content(page(record_looks(tmp_path / "run", looks)))["findings"]
    (own,) = (finding for finding in found if finding["rows"]["functions"] == [1])
    assert (own["step"], own["column"]) == (20, 7)


def test_what_is_well_is_said_to_be(tmp_path):
    well = record_watched(tmp_path / "well", dead=None)
    text = page(well)
    assert "Nothing wrong is found in 12 looks at 61 steps: the loss went from 1.3 to 0.408" in text
    assert "id='findings'" not in text
    early = record_watched(tmp_path / "early", dead=None, steps=(0, 1, 2))
    assert "It is too early to say" in page(early)


def test_the_headline_knows_no_loss_and_no_look():
    assert headline([], []).startswith("Nothing was seen")
    look = look_at(100, 2, loss=float("nan"), rng=np.random.default_rng(0))
    assert "not known whether the network learns" in headline([look], [])


def test_a_recording_that_goes_on_and_one_without_a_graph_are_shown(tmp_path):
    rng = np.random.default_rng(0)
    looks = [look_at(step, 2, rng=rng, loss=float("nan") if step else 1.0) for step in (0, 1)]
    going = record_looks(tmp_path / "run", looks, complete=False)
    text = page(going)
    assert "and then it was stopped, or goes on" in text
    assert "id='model'" not in text
    assert content(text)["losses"]["loss"] == [1.0, None]


def test_the_same_recording_gives_the_same_bytes_and_report_writes_them(dead, tmp_path):
    assert page(dead) == page(dead)
    assert report(dead, tmp_path / "page.html").read_text(encoding="utf-8") == page(dead)


def test_names_from_a_model_are_text(tmp_path):
    graph = chain(2)
    graph["nodes"][1]["name"] = HOSTILE
    rng = np.random.default_rng(0)
    recording = record_looks(tmp_path / "run", [look_at(0, 2, rng=rng)], graph=graph, name=f"m:N{HOSTILE}")
    assert HOSTILE not in page(recording)


def test_hundreds_of_layers_stay_below_five_megabytes(tmp_path):
    large = record_watched(tmp_path / "run", layers=300, steps=[*range(6), *range(10, 350, 10)], dead=150)
    text = page(large)
    assert len(text.encode()) < 5e6
    found = content(text)
    assert len(found["measures"][0]["rows"]) == 300
    # Of many, the layers of findings are among those whose distributions are embedded.
    assert all(len(own["layers"]) <= layer_heat.INSIDE for own in found["insides"])
    assert "blocks.150.act" in found["insides"][0]["layers"]
    assert "of 600 layers and functions are embedded" in text


def test_more_looks_than_there_is_room_for_are_thinned_but_for_those_of_findings(dead, monkeypatch):
    monkeypatch.setattr(layer_heat, "CELLS", 60)
    monkeypatch.setattr(layer_heat, "FEWEST_COLUMNS", 4)
    columns = layer_heat.columns_of(dead, [20])
    steps = layer_heat.steps_of(dead)[columns].tolist()
    assert steps[0] == 0
    assert steps[-1] == 60
    assert 20 in steps
    assert len(steps) == 5
    assert "4 of 12 looks are shown" in page(dead) or "5 of 12 looks are shown" in page(dead)


def test_what_hardly_differs_does_not_look_as_if_it_did():
    values = np.array([[1.0, 1.01, 1.02]])
    assert np.diff(layer_heat._colours(values, True, 0.0, float(np.log10(1.02)))).item() == pytest.approx(1.0)


def test_looks_come_back_as_they_were(dead):
    rng = np.random.default_rng(7)
    first = look_at(0, 3, dead=1, loss=1.3, rng=rng)
    again = looks_of(dead)[0]
    assert [own.name for own in again.functions] == [own.name for own in first.functions]
    for one, other in zip(first.functions, again.functions, strict=True):
        assert other.dead.tolist() == one.dead.tolist()
        assert other.rms == pytest.approx(one.rms)
        assert other.pre_activation_histogram.tolist() == one.pre_activation_histogram.tolist()
    assert [own.update_ratio for own in again.weights] == pytest.approx([own.update_ratio for own in first.weights])


STEPS = """
import { columnAt, columns, decoded, labelled, rowNames, shade } from "./steps.js";
const edges = columns(given.steps, given.kind);
found = {
  edges: [...edges],
  at: given.places.map((place) => columnAt(edges, place)),
  labelled: labelled(edges, 300, 40),
  decoded: given.codes.map((code) => decoded(code, given.scale)),
  shades: given.codes.map((code) => shade(code, given.scale)),
  tight: rowNames(given.names, 2),
  roomy: rowNames(given.names, 20),
};
"""


def test_the_pages_columns_and_numbers_are_those_of_python(tmp_path):
    values = np.array([1e-5, 3e-3, 0.0, 2.0])
    codes, low, high = layer_heat.coded(values, log=True)
    steps = [0, 1, 2, 10, 50, 100]
    names = [f"stage{k // 8}.block{k}.conv" for k in range(24)]
    given = {
        "steps": steps,
        "kind": "scale",
        "places": [0, 0.004, 0.012, 0.4, 0.99],
        "codes": [int(code) for code in codes],
        "scale": {"log": True, "low": low, "high": high, "from": low, "to": high},
        "names": names,
    }
    found = run(tmp_path, STEPS, given)
    # The last column is as wide as the one before.
    np.testing.assert_allclose(found["edges"], np.array([*steps, 150]) / 150)
    assert found["at"] == [0, 0, 1, 4, 5]
    np.testing.assert_allclose(found["decoded"], values, rtol=3e-4)
    assert found["shades"][2] == 0
    assert found["shades"][0] == 0
    assert found["shades"][3] == 255
    assert found["labelled"][0] == 0
    assert found["labelled"][-1] == 5
    # Where names have no room, those of the modules stand at their first rows.
    assert found["tight"] == [{"row": row, "text": f"stage{row // 8}"} for row in (0, 8, 16)]
    assert [own["text"] for own in found["roomy"]] == names
    evenly = run(tmp_path, STEPS, given | {"kind": "looks"})
    np.testing.assert_allclose(evenly["edges"], np.arange(7) / 6)
