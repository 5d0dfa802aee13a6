"""The page of a training that was watched in a real browser, opened from a file with the network off."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from tests.page_in_browser import WITHOUT_CHROMIUM, Visit, chromium, painted
from tests.watched_recording import chain, look_at, record_looks, record_watched

from actlab.views.report.report import report

pytestmark = WITHOUT_CHROMIUM
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;b&gt;{{title}}</script>"
HEAT = "[data-layers='weight_gradient_norm']"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    made = record_watched(tmp_path_factory.mktemp("runs") / "run")
    report(made, made.directory / "report.html")
    return made


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    steps = [*range(6), *range(10, 110, 10)]
    made = record_watched(tmp_path_factory.mktemp("runs") / "many", layers=200, steps=steps, dead=120)
    report(made, made.directory / "report.html")
    return made


@pytest.fixture
def visit(browser, recording):
    opened = []

    def open_page(fragment="", made=None, **settings):
        opened.append(Visit(browser, (made or recording).directory / "report.html", fragment, **settings))
        return opened[-1].page

    yield open_page
    for one in opened:
        one.close()


def readout(page, selector=HEAT):
    return page.locator(f"figure:has({selector}) [data-readout]").text_content()


def test_everything_is_drawn_and_nothing_asked_for(visit):
    page = visit()
    for canvas in page.locator("canvas").all():
        if canvas.is_visible():
            canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(100)
    assert page.locator("[data-layers]").count() == 7
    assert all(painted(page, "[data-losses], [data-layers]"))
    assert page.locator("svg.layers .node").count() == 7


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_width_scrolls_sideways(visit, many, width):
    for made in (None, many):
        page = visit(made=made, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_cell_says_layer_step_and_the_recorded_number(visit, recording):
    page = visit("#layer=blocks.2.linear&step=10")
    value = float(recording.probes["weight_gradient_norm"][6, 0, 2])
    assert readout(page) == f"blocks.2.linear, step 10: {value:.3g}"
    # Those of functions have no such row, and say nothing.
    assert readout(page, "[data-layers='signal']") == ""


def test_the_arrow_keys_walk_from_cell_to_cell(visit, recording):
    page = visit()
    canvas = page.locator(HEAT)
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    assert readout(page).startswith("blocks.0.linear, step 60: ")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft"):
        canvas.press(key)
    value = float(recording.probes["weight_gradient_norm"][-2, 0, 2])
    assert readout(page) == f"blocks.2.linear, step 50: {value:.3g}"
    assert "layer=blocks.2.linear" in page.evaluate("location.hash")
    assert "step=50" in page.evaluate("location.hash")


def test_what_is_infinite_or_zero_is_said(visit):
    assert readout(visit("#layer=blocks.0.linear&step=3"), "[data-layers='update_ratio']").endswith("step 3: infinite")
    assert readout(visit("#layer=blocks.0.linear&step=3")).endswith("step 3: 0")


def test_pointing_and_tapping_tell_the_cell_below(visit):
    page = visit()
    canvas = page.locator("[data-layers='dead_share']")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    # The second of three rows, each 22 pixels high, in the middle.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20 + 33)
    said = readout(page, "[data-layers='dead_share']")
    assert re.fullmatch(r"blocks\.1\.act \(relu\), step \d+: 100 %", said)
    page.mouse.down()
    page.mouse.up()
    assert "layer=blocks.1.act" in page.evaluate("location.hash")
    assert page.locator("svg.layers .node.chosen").get_attribute("data-names") == '["blocks.1.act"]'


def test_a_finding_lights_its_row_and_its_node(visit):
    page = visit()
    assert page.locator("svg.layers .node.lit").get_attribute("data-names") == '["blocks.1.act"]'
    page.locator("[data-light='1'][data-where='model']").click()
    assert "finding=1" in page.evaluate("location.hash")
    assert page.locator("[data-finding='1']").evaluate("e => e.classList.contains('chosen')")
    assert page.locator("svg.layers .node.chosen").get_attribute("data-names") == '["blocks.1.act"]'
    assert page.locator("[data-node-readout]").text_content() == "blocks.1.act: ReLU, no parameters"
    assert readout(page, "[data-layers='dead_share']") == "blocks.1.act (relu), step 0: 100 %"
    # Where the finding begins, in its row, there is a line of the colour of what is wrong.
    page.locator("[data-light='1'][data-where='layers']").click()
    assert page.locator("#layers").evaluate("e => Math.abs(e.getBoundingClientRect().top)") < 120


def test_steps_can_be_to_scale(visit):
    evenly = visit("#layer=blocks.0.linear&step=60")
    picture = "c => c.toDataURL()"
    evenly.locator("[data-losses]").scroll_into_view_if_needed()
    before = evenly.locator("[data-losses]").evaluate(picture)
    evenly.locator("[data-scale-choice][value='scale']").check()
    assert evenly.locator("[data-losses]").evaluate(picture) != before
    assert "steps=scale" in evenly.evaluate("location.hash")


def test_one_measure_alone_and_hundreds_of_layers(visit, many):
    page = visit("#show=weight_gradient_norm", made=many)
    assert page.locator("[data-layers]:visible").count() == 1
    height = page.locator(HEAT).evaluate("c => c.getBoundingClientRect().height")
    assert 600 < height < 1200
    page.locator("[data-measure][value='']").check()
    assert page.locator("[data-layers]:visible").count() == 7
    # The block of the finding is shown of those that are folded.
    lit = page.locator("svg.layers .node.lit")
    assert lit.count() == 1
    assert lit.get_attribute("data-names").startswith('["blocks.120.act"')
    assert page.locator("[data-insides] select").input_value() == "blocks.120.act"


def test_every_figure_can_be_saved(visit, recording):
    page = visit()

    def saved(selector, kind):
        with page.expect_download() as waiting:
            page.locator(f"figure:has({selector}) [data-save='{kind}']").click()
        return waiting.value.path()

    rows = list(csv.DictReader(io.StringIO(saved(HEAT, "csv").read_text(encoding="utf-8"))))
    found = {(row["layer"], int(row["step"])): float(row["gradient norm"]) for row in rows}
    for column, name in enumerate(recording.weight_layers):
        for row, step in enumerate(recording.probes["step"][:, 0]):
            value = recording.probes["weight_gradient_norm"][row, 0, column]
            assert found[name, step] == pytest.approx(value, rel=1e-3)
    losses = list(csv.DictReader(io.StringIO(saved("[data-losses]", "csv").read_text(encoding="utf-8"))))
    assert [float(row["loss"]) for row in losses] == [1.3] * 12
    inside = list(csv.DictReader(io.StringIO(saved("[data-inside='activations']", "csv").read_text(encoding="utf-8"))))
    shares = {}
    for row in inside:
        shares[row["step"]] = shares.get(row["step"], 0) + float(row["share"])
    assert all(share == pytest.approx(1, abs=0.03) for share in shares.values())
    with Image.open(saved(HEAT, "png")) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 3


def test_the_theme_is_the_readers(visit):
    page = visit()
    dark = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(dark)
    page.locator("[data-theme-toggle]").click()
    assert page.evaluate(dark) != light
    assert page.evaluate("location.hash") == "#theme=dark"
    assert visit("#theme=dark").evaluate(dark) == page.evaluate(dark)


def test_names_from_a_model_are_text(visit, tmp_path):
    graph = chain(1)
    graph["nodes"][1]["name"] = HOSTILE
    rng = np.random.default_rng(0)
    made = record_looks(tmp_path / "run", [look_at(step, 1, rng=rng) for step in (0, 1)], graph=graph)
    report(made, made.directory / "report.html")
    page = visit(made=made)
    assert page.locator("img").count() == 0
    assert page.locator("svg.layers .node").nth(1).locator("title").text_content().startswith(HOSTILE)
