"""The page in a real browser: every chart draws, nothing complains, the buttons do what they say."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess

import pytest
from tests.views_recording import record_all

from actlab.views.report import html

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to open the page in")

# Runs in the page once all is drawn, and tells the console what it saw.
VISIT = """
<script type="module">
const root = document.documentElement;
const drawn = async () => { while (!root.dataset.drawn) await new Promise((go) => setTimeout(go, 20)); };
const line = () => getComputedStyle(document.querySelector('[data-chart="train-loss"] .lines path')).stroke;
const shown = (name) => document.querySelectorAll(`[data-activation="${name}"]:not([hidden])`).length;
const seen = {};
await drawn();
seen.charts = document.querySelectorAll("[data-chart]").length;
seen.drawn = document.querySelectorAll("[data-chart] svg.main-svg:first-of-type").length;
seen.width = document.documentElement.scrollWidth;
seen.window = innerWidth;
seen.paper = getComputedStyle(document.body).backgroundColor;
seen.line = line();
document.querySelector("[data-theme-toggle]").click();
await drawn();
seen.paperToggled = getComputedStyle(document.body).backgroundColor;
seen.lineToggled = line();
seen.panels = shown("tanh");
document.querySelector('[data-toggle="tanh"]').click();
await drawn();
seen.panelsHidden = shown("tanh");
seen.address = location.search;
const overflows = (plot) => plot.querySelector("svg")?.getBoundingClientRect().height > plot.clientHeight + 1;
seen.overflows = [...document.querySelectorAll("[data-chart]")].filter(overflows).length;
seen.rows = document.querySelectorAll('[data-chart="differences"] .ytick').length;
const slider = document.querySelector("[data-frame]");
slider.value = 0;
slider.dispatchEvent(new Event("input"));
await drawn();
seen.epoch = document.querySelector("[data-epoch]").textContent;
seen.requests = performance.getEntriesByType("resource").length;
console.log(`SEEN ${btoa(JSON.stringify(seen))}`);
</script>
"""


def visit(page, folder, width, query=""):
    """Open a page in a frame of some width; return what it saw, and what else the console said."""
    file = folder / "page.html"
    file.write_text(page.replace("</body>", VISIT + "</body>"), encoding="utf-8")
    # A window cannot be as narrow as a telephone; a frame can.
    frame = f'<iframe src="page.html{query}" style="width:{width}px;height:3000px;border:0"></iframe>'
    outer = folder / "outer.html"
    outer.write_text(f"<!doctype html><body style='margin:0'>{frame}</body>", encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--enable-logging=stderr", "--virtual-time-budget=60000", "--window-size=1400,3000"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--screenshot={folder / 'page.png'}"]
    command = [CHROMIUM, *flags, f"file://{outer}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = re.findall(r'CONSOLE.*?\] "(.*)", source', done.stderr)
    seen = [text.removeprefix("SEEN ") for text in said if text.startswith("SEEN ")]
    assert seen, f"the page did not finish: {said or done.stderr[-2000:]}"
    return json.loads(base64.b64decode(seen[0])), [text for text in said if not text.startswith("SEEN ")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    recording = record_all(tmp_path_factory.mktemp("runs") / "run", classes=("<b>left</b>", "right"))
    return html(recording)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_works(page, tmp_path, width):
    seen, complaints = visit(page, tmp_path, width, "?theme=light")
    assert not complaints
    assert seen["drawn"] == seen["charts"] > 10
    assert seen["window"] == width
    assert seen["width"] <= width, "the page is wider than its window"
    assert (seen["paper"], seen["paperToggled"]) == ("rgb(252, 251, 248)", "rgb(21, 23, 26)")
    assert seen["line"] != seen["lineToggled"]
    assert seen["panels"] > 0
    assert seen["panelsHidden"] == 0
    assert seen["overflows"] == 0
    assert seen["rows"] == 1
    assert "hide=tanh" in seen["address"]
    assert "theme=dark" in seen["address"]
    assert seen["epoch"] == "epoch 0"
    assert seen["requests"] == 0


def test_the_address_is_the_saved_state(page, tmp_path):
    seen, complaints = visit(page, tmp_path, 800, "?theme=dark&hide=relu")
    assert not complaints
    assert seen["paper"] == "rgb(21, 23, 26)"
    assert "hide=relu%2Ctanh" in seen["address"]
