"""The page in a real browser, opened from a file with the network off: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from tests.page_in_browser import WITHOUT_CHROMIUM, Visit, chromium, painted
from tests.views_recording import record_all

from actlab.layers import Act, Dense
from actlab.replay.feature_space import feature_space
from actlab.statistics import summarise
from actlab.views.report.report import page as report_page
from actlab.views.report.report import report

pytestmark = WITHOUT_CHROMIUM
# What tells an element from others.
DESCRIBED = "e => [...e.attributes].map(a => a.name + '=' + a.value).join(' ')"
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;b&gt;{{title}}</script>"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    made = record_all(tmp_path_factory.mktemp("runs") / "run", classes=(HOSTILE, "right"), name="<i>study</i>")
    report(made, made.directory / "report.html")
    return made


@pytest.fixture
def visit(browser, recording):
    opened = []

    def open_page(fragment="", file=None, **settings):
        opened.append(Visit(browser, file or recording.directory / "report.html", fragment, **settings))
        return opened[-1].page

    yield open_page
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def untouched(browser, recording):
    """The page as it opens, for tests that change nothing in it: it takes seconds to open."""
    opened = Visit(browser, recording.directory / "report.html")
    yield opened.page
    opened.close()


def state(page):
    page.wait_for_timeout(50)
    return page.evaluate("location.hash")


def test_everything_is_drawn_and_nothing_asked_for(visit):
    page = visit()
    assert page.locator("[data-chart] svg.main-svg").count() >= page.locator("[data-chart]").count() > 5
    for name in ("player", "distributions", "functions"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        for canvas in page.locator(f"#{name} canvas").all():
            canvas.scroll_into_view_if_needed()
    assert all(painted(page, "#player canvas"))
    assert all(painted(page, "#distributions canvas"))
    assert all(painted(page, "#functions canvas"))


def test_on_paper_everything_is_drawn(visit):
    """Also what has never been in the window."""
    page = visit()
    canvases = "#distributions canvas, #functions canvas"
    # As wide as a canvas is before anybody draws on it.
    assert set(page.eval_on_selector_all(canvases, "canvases => canvases.map(canvas => canvas.width)")) == {300}
    page.pdf()
    assert all(painted(page, f"#player canvas, {canvases}"))


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_width_scrolls_sideways(visit, width):
    page = visit(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    too_high = "p => p.querySelector('svg')?.getBoundingClientRect().height > p.clientHeight + 1"
    assert page.eval_on_selector_all("[data-chart]", f"plots => plots.filter({too_high}).length") == 0


def test_the_page_computes_the_networks_of_python(visit, recording):
    """Accuracy, loss and the coordinates of every sample at epochs and seeds, through the page's own table of data."""
    page = visit("#epoch=5&seed=2")
    for name in ("sigmoid", "tanh", "relu"):
        row = page.locator(f'[data-row][data-activation="{name}"]')
        with page.expect_download() as waiting:
            row.locator('[data-save="csv"]').click()
        rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
        snapshot = feature_space(recording, name, seed=2).at(5)
        points = np.array([[float(r["feature 1"]), float(r["feature 2"])] for r in rows])
        np.testing.assert_allclose(points, snapshot.points, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose([float(r["loss"]) for r in rows], snapshot.loss, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose([float(r["probability"]) for r in rows], snapshot.probability, rtol=1e-5, atol=1e-5)
        assert [r["class"] for r in rows] == [HOSTILE if label == 0 else "right" for label in recording.sample["y"]]
        row.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        said = row.locator("[data-readout]").text_content()
        assert said.startswith(f"{100 * snapshot.right.mean():.1f} % right")


def test_the_table_is_seen_before_anything_is_scrolled(visit):
    page = visit()
    top = page.evaluate("document.querySelector('#results table').getBoundingClientRect().top")
    assert top < 900
    after = "document.querySelector('#player').compareDocumentPosition(document.querySelector('#results'))"
    assert page.evaluate(f"Boolean({after} & Node.DOCUMENT_POSITION_PRECEDING)")


def test_the_numbers_are_those_of_the_summary(untouched, recording):
    page, summary = untouched, summarise(recording)
    assert page.locator("h1").text_content() == summary["headline"]
    rows = page.locator("#results table tbody tr")
    for i, entry in enumerate(summary["activations"]):
        cells = rows.nth(i).locator("th, td").all_text_contents()
        best = entry["name"] in summary["best_set"]
        assert cells[0] == entry["name"] + ("may be the best" if best else "")
        assert f"{100 * entry['test_accuracy']['mean']:.2f} %" in cells[1]
        assert f"{entry['test_loss']['mean']:#.3g}" == cells[2]
    for note in summary["notes"]:
        assert note in page.locator("#notes").text_content()


def test_it_plays_and_pauses_and_steps(visit):
    page = visit("#epoch=2")
    page.locator("[data-speed]").select_option("5")
    page.locator('[data-go="play"]').click()
    page.wait_for_selector("[data-go='play']:has-text('Pause')")
    page.wait_for_selector("[data-go='play']:has-text('Play')")
    assert state(page) == ""
    for move, epoch in (("start", 0), ("forward", 1), ("forward", 2), ("back", 1), ("end", 8)):
        page.locator(f'[data-go="{move}"]').click()
        assert page.locator("[data-epoch-now]").text_content() == f"epoch {epoch} of 8"
    page.locator("[data-epoch]").fill("4")
    assert state(page) == "#epoch=4"


def test_the_keyboard_alone_can_do_everything(visit):
    page = visit("#epoch=4")
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"({DESCRIBED})(document.activeElement)"))
    interactive = page.eval_on_selector_all(
        "button:not([disabled]), select, input, summary, a[href], [tabindex='0']",
        f"all => all.filter(e => e.checkVisibility() && e.type !== 'radio').map({DESCRIBED})",
    )
    assert set(interactive) <= reached
    page.locator('[data-go="forward"]').focus()
    page.keyboard.press("ArrowRight")
    assert state(page) == "#epoch=5"
    page.keyboard.press("Home")
    assert state(page) == "#epoch=0"
    page.locator("[data-theme-toggle]").focus()
    page.keyboard.press("Enter")
    assert "theme=" in state(page)
    page.locator("#distributions [data-quantity]").first.focus()
    page.keyboard.press("ArrowDown")
    assert "show=" in state(page)


def test_the_address_is_the_saved_state(visit):
    fragment = "#at=curves&theme=dark&hide=relu&epoch=3&seed=4&one=2&show=activations"
    page = visit(fragment)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert page.locator("[data-epoch]").input_value() == "3"
    assert page.locator("[data-seed]").input_value() == "4"
    assert page.locator('[data-quantity][value="activations"]').is_checked()
    assert page.locator('[data-row][data-activation="relu"]').is_hidden()
    assert page.evaluate("document.querySelector('#curves').getBoundingClientRect().top") < 200
    page.locator('[data-toggle="relu"]').click()
    assert state(page) == fragment.replace("&hide=relu", "")
    assert page.locator('[data-row][data-activation="relu"]').is_visible()


def contrast(first, second):
    def luminance(colour):
        parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_background(visit, theme):
    """WCAG 2.2, AA: 4.5 to 1."""
    page = visit(f"#theme={theme}")
    script = """() => [...document.querySelectorAll("body *")]
        .filter(e => e.offsetParent && !e.closest("svg, .chip[aria-pressed='false'], button[disabled]") &&
            [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
        .map(e => {
            const behind = (own) => getComputedStyle(own).backgroundColor;
            let ground = e;
            while (ground.parentElement && behind(ground) === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
            const shown = behind(ground) === "rgba(0, 0, 0, 0)" ? behind(document.body) : behind(ground);
            return [getComputedStyle(e).color, shown, e.outerHTML.slice(0, 80)];
        })"""
    seen = page.evaluate(script)
    assert len(seen) > 100
    for colour, background, what in seen:
        assert contrast(colour, background) >= 4.5, f"{what}: {colour} on {background}"


def test_text_from_data_is_text(untouched):
    assert untouched.locator("img").count() == 0
    assert HOSTILE in untouched.locator(".legend").first.text_content()
    assert untouched.locator("header").text_content().count("<i>study</i>") >= 1


def test_tables_sort(visit):
    page = visit()
    heading = page.locator("#results thead th").nth(3).locator("button")
    column = "rows => rows.map(row => Number(row.cells[3].textContent))"
    heading.click()
    ascending = page.eval_on_selector_all("#results tbody tr", column)
    assert ascending == sorted(ascending)
    heading.click()
    assert page.eval_on_selector_all("#results tbody tr", column) == sorted(ascending, reverse=True)
    assert page.locator("#results thead th").nth(3).get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize(
    "where", ["#curves figure", "#player [data-row]", "#distributions figure", "#functions figure"]
)
def test_every_figure_can_be_saved(untouched, where):
    figure = untouched.locator(where).first
    figure.scroll_into_view_if_needed()
    untouched.wait_for_timeout(200)
    with untouched.expect_download() as waiting:
        figure.locator('[data-save="png"]').click()
    with Image.open(waiting.value.path()) as image:
        assert image.width > 200
        assert len(image.convert("RGB").getcolors(2**24)) > 3
    with untouched.expect_download() as waiting:
        figure.locator('[data-save="csv"]').click()
    rows = list(csv.reader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert len(rows) > 8
    assert len({len(row) for row in rows}) == 1


def test_milestones_are_flags_to_jump_to(visit, tmp_path):
    from actlab.study import Milestone

    made = record_all(tmp_path / "run", milestones=(Milestone(name="half right", accuracy=0.5),), seeds=2)
    page = visit("#at=player&epoch=7", file=report(made, tmp_path / "report.html"))
    flag = page.locator("[data-row] .flag").first
    epoch = int(re.search(r"epoch (\d+)", flag.text_content())[1])
    flag.click()
    assert page.locator("[data-epoch-now]").text_content() == f"epoch {epoch} of 8"


def test_a_diverged_network_says_when(visit, tmp_path):
    ended = {("tanh", 0.05, 0): (5, "the training loss became infinite")}
    made = record_all(tmp_path / "run", seeds=1, diverged=ended)
    page = visit("#epoch=4", file=report(made, tmp_path / "report.html"))
    readout = page.locator('[data-row][data-activation="tanh"] [data-readout]')
    readout.scroll_into_view_if_needed()
    # The page writes both when it next draws, which takes a busy machine a while.
    page.locator("[data-epoch-now]").filter(has_text="epoch 4 of 8").first.wait_for()
    readout.filter(has_text="% right").wait_for()
    page.locator('[data-go="forward"]').click()
    page.locator("[data-epoch-now]").filter(has_text="epoch 5 of 8").first.wait_for()
    readout.scroll_into_view_if_needed()  # The click may have moved it out of sight, where nothing is drawn.
    readout.filter(has_text="diverged").wait_for()
    said = readout.text_content().split("; ")
    assert said[0] == "diverged at epoch 5: the training loss became infinite"
    assert said[1:] == ["60 of 60 samples beyond the axes, at their edge"]


def axes_of(page):
    """What the figures of each row span, by activation; all rows are looked at."""
    for row in page.locator("[data-row]").all():
        if row.is_visible():
            row.scroll_into_view_if_needed()
            page.wait_for_timeout(150)
    script = "rows => rows.filter(r => !r.hidden).map(r => [r.dataset.activation, JSON.parse(r.dataset.spans)])"
    return dict(page.eval_on_selector_all("[data-row]", script))


def test_rows_share_their_axes_at_every_epoch(visit, recording):
    page = visit("#at=player&epoch=0&seed=2")
    first = axes_of(page)
    assert len({json.dumps(axes) for axes in first.values()}) == 1
    page.locator("[data-epoch]").fill("6")
    assert axes_of(page) == first
    shared = first["tanh"]
    spaces = [feature_space(recording, name, seed=2) for name in ("sigmoid", "tanh", "relu")]
    ends = np.stack([space.box for space in spaces])
    expected = np.stack([ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)], axis=1)
    np.testing.assert_allclose(shared["box"], expected, rtol=1e-4)
    losses = recording.metrics["train_loss"]
    assert shared["loss"] == pytest.approx([losses.min(), losses.max()], rel=1e-5)
    assert shared["lowest"] == pytest.approx(recording.metrics["validation_accuracy"].min())


def test_axes_are_those_of_the_rows_that_are_shown_or_of_each_its_own(visit, recording):
    page = visit("#at=player&seed=2")
    before = axes_of(page)["sigmoid"]
    page.locator('[data-toggle="relu"]').click()
    fewer = axes_of(page)
    assert set(fewer) == {"sigmoid", "tanh"}
    assert fewer["sigmoid"] == fewer["tanh"] != before
    page.locator("[data-axes]").select_option("own")
    own = axes_of(page)
    for name in ("sigmoid", "tanh"):
        np.testing.assert_allclose(own[name]["box"], feature_space(recording, name, seed=2).box, rtol=1e-4)
    assert "axes=own" in state(page)


def test_what_diverged_does_not_stretch_the_axes_of_the_others(visit, tmp_path):
    ended = {("tanh", 0.05, 0): (5, "the training loss became infinite")}
    made = record_all(tmp_path / "run", seeds=1, diverged=ended, activations=("tanh", "sigmoid"))
    page = visit("#at=player&epoch=2", file=report(made, tmp_path / "report.html"))
    found = axes_of(page)
    assert found["tanh"] == found["sigmoid"]
    np.testing.assert_allclose(found["tanh"]["box"], feature_space(made, "sigmoid").box, rtol=1e-4)
    # Tanh goes below zero, which sigmoid's axes hardly reach.
    points, box = feature_space(made, "tanh").at(2).points, np.array(found["tanh"]["box"])
    outside = ((points < box[:, 0]) | (points > box[:, 1])).any(axis=1).sum()
    assert outside > 10
    said = page.locator('[data-row][data-activation="tanh"] [data-readout]').text_content()
    assert said.endswith(f"; {outside} of 60 samples beyond the axes, at their edge")


@pytest.mark.parametrize(
    "settings",
    [
        {"activations": ("tanh",), "seeds": 1, "epochs": 1},
        {"network": (Dense(8), Act(), Dense(3), Act(), Dense(1)), "seeds": 2},
        {"activations": ("maxout", "prelu", "gelu"), "seeds": 2},
        {"last_epoch": 3, "complete": False},
    ],
    ids=["one of everything", "wide layers", "functions that train or mix", "cut short"],
)
def test_other_recordings_are_shown_too(visit, tmp_path, settings):
    made = record_all(tmp_path / "run", **settings)
    page = visit("#at=player", file=report(made, tmp_path / "report.html"))
    page.locator("#player [data-row] canvas").last.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert all(painted(page, "#player [data-row]:first-of-type canvas"))


def test_the_page_without_weights_has_its_controls_in_the_layers(visit, tmp_path):
    from tests.synthetic_recording import record

    counts = np.ones((9, 30, 1, 4), np.int32)
    facts = {"histogram_edges": [-2.0, -1.0, 0.0, 1.0, 2.0]}
    made = record(tmp_path / "run", arrays={"activation_histogram": counts}, facts=facts)
    page = visit(file=report(made, tmp_path / "report.html"))
    page.locator('#distributions [data-go="start"]').click()
    assert page.locator("[data-epoch-now]").text_content() == "epoch 0 of 8"


def test_the_state_and_the_data_are_json(recording):
    content = re.search(
        r'<script type="application/json" id="content">(.*?)</script>', report_page(recording), re.DOTALL
    )[1]
    assert json.loads(content)["usual"]["epoch"] == 8
