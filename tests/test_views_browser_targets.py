"""The page in a real browser where numbers or several labels are learnt, small networks and large ones."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from tests.page_in_browser import WITHOUT_CHROMIUM, Visit, chromium, painted
from tests.test_objectives_labels import NAMES, made_up

import actlab
from actlab.layers import Act, Dense
from actlab.replay.forward import hidden
from actlab.study import Study
from actlab.tasks.task import build_labels, build_numbers

pytestmark = WITHOUT_CHROMIUM
SMALL = (Dense(6), Act())
# The weights of these are kept at some epochs of the first seed alone, and the page draws what was computed before.
LARGE = (Dense(100), Act(), Dense(100), Act())


def plane(build, **named):
    """Two inputs, and two numbers or labels that they give."""
    rng = np.random.default_rng(1)
    parts = []
    for count in (60, 20, 20):
        x = rng.normal(size=(count, 2))
        y = np.stack([x[:, 0] * x[:, 1], x.sum(axis=1)], axis=1)
        parts.append((x, (y > 0).astype(int) if build is build_labels else 3 + 2 * y))
    return build("plane", *parts, provenance="made up", **named)


CASES = {
    "labels": (made_up(), (*SMALL, Dense(3))),
    "labels of the plane": (plane(build_labels, names=NAMES[:2]), (*SMALL, Dense(2))),
    "labels, large": (made_up(), (*LARGE, Dense(3))),
    "numbers of the plane": (plane(build_numbers), (*SMALL, Dense(2))),
    "numbers, large": (plane(build_numbers), (*LARGE, Dense(2))),
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=CASES)
def shown(request, tmp_path_factory):
    """A trained study, with its page."""
    task, network = CASES[request.param]
    study = Study(task=task.name, network=network, activations=["tanh", "relu"], seeds=2, epochs=6, batch=16)
    return actlab.run(study, tmp_path_factory.mktemp("run") / "run", task=task, progress=lambda _: None)


@pytest.fixture
def page(browser, shown):
    opened = Visit(browser, shown.directory / "report.html", "#at=player")
    yield opened.page
    opened.close()


def table_of(page, name):
    row = page.locator(f'[data-row][data-activation="{name}"]')
    with page.expect_download() as waiting:
        row.locator('[data-save="csv"]').click()
    return list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))


def outputs_of(shown, name, count):
    """What the first seed's network says of the first samples, and their targets."""
    member = next(member for member in shown.members if (member.activation, member.seed) == (name, 0))
    x, y = (shown.sample[part][:count] for part in ("x", "y"))
    return hidden(shown.network(name), shown.weights(member, shown.epochs), x)[1].astype(float), y.astype(float)


def choose(page, name, value):
    chooser = page.locator(f"select[data-{name}]")
    if chooser.count():
        chooser.select_option(value)


def test_every_figure_is_drawn(page):
    for canvas in page.locator("#player canvas").all():
        canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert all(painted(page, "#player canvas"))


def test_the_page_says_what_numpy_says(page, shown):
    """Of each label, or of the numbers in their own unit."""
    choose(page, "seed", "0")
    names = shown.facts["targets"]
    labels = shown.study.loss == "labels"
    for name in ("tanh", "relu"):
        for place, target in enumerate(names):
            choose(page, "label", target)
            rows = table_of(page, name)
            outputs, y = outputs_of(shown, name, len(rows))
            said = page.locator(f'[data-row][data-activation="{name}"] [data-readout]')
            said.scroll_into_view_if_needed()
            page.wait_for_timeout(200)
            if labels:
                likely = 1 / (1 + np.exp(-outputs[:, place]))
                entropy = -np.log(np.where(y[:, place] > 0, likely, 1 - likely))
                right = (outputs[:, place] > 0) == (y[:, place] > 0)
                np.testing.assert_allclose([float(row["probability"]) for row in rows], likely, rtol=1e-4, atol=1e-6)
                np.testing.assert_allclose([float(row["loss"]) for row in rows], entropy, rtol=1e-4, atol=1e-5)
                assert [row[target] for row in rows] == [f"with{'' if has else 'out'} the label" for has in y[:, place]]
                assert said.text_content().startswith(f"{100 * right.mean():.1f} % right")
            else:
                mean, scale = (shown.facts[f"target_{what}"][place] for what in ("means", "scales"))
                own = [float(row[f"{target}, predicted"]) for row in rows]
                np.testing.assert_allclose(own, mean + scale * outputs[:, place], rtol=1e-4, atol=1e-4)
                np.testing.assert_allclose([float(row[target]) for row in rows], mean + scale * y[:, place], rtol=1e-5)
                error = np.sqrt(((outputs - y) ** 2).mean())
                assert said.text_content().startswith(f"RMSE {float(f'{error:.3g}'):g}")


def test_the_label_stands_in_the_address(page, shown):
    if shown.study.loss != "labels":
        assert not page.locator("select[data-label]").count()
        return
    choose(page, "label", "round")
    page.wait_for_timeout(100)
    assert "label=round" in page.evaluate("location.hash")
