"""The report's tables of conditions, and of the learning rates that were tried."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.synthetic_recording import CHOSEN, TRIED, record, record_conditions, study

from actlab.statistics import summarise
from actlab.views import palette
from actlab.views.report import conditions
from actlab.wording import number


def text(markup):
    return unescape(re.sub(r"<[^>]+>", "", markup))


def rows_of(table):
    """By the name of a row, its cells as they stand between the tags."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    return {text(name.split("<small>")[0]): re.findall(r"<td>(.*?)</td>", cells) for name, cells in rows}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    finals = {"stated": 0.8, "gain": 0.95}
    metrics = {"test_accuracy": lambda m: finals[m.init] + 0.002 * m.seed + m.learning_rate / 100}
    return summarise(record_conditions(tmp_path_factory.mktemp("contests") / "run", metrics))


@pytest.fixture(scope="module")
def page(summary):
    return conditions.results(summary, palette.styles_of(summary["study"]["activations"]))


def test_a_single_condition_has_no_headings(tmp_path):
    summary = summarise(record(tmp_path / "run", study(seeds=3)))
    found = conditions.results(summary, palette.styles_of(summary["study"]["activations"]))
    assert found.count("<table>") == 1
    assert "<h3>" not in found
    assert "learning rate" not in text(found)


def test_every_condition_has_its_title_its_headline_and_its_table(summary, page):
    parts = re.split(r"<h3>", page)[1:]
    titles = [summary["contest"]["title"], *(condition["title"] for condition in summary["contests"])]
    assert [text(part.split("</h3>")[0]).lower() for part in parts] == titles
    assert all(text(part)[0].isupper() for part in parts)
    for part, condition in zip(parts, (summary, *summary["contests"]), strict=True):
        own = rows_of(part.split("</table>")[0])
        assert list(own) == [row["name"] for row in condition["activations"]]
        for row in condition["activations"]:
            assert f"{100 * row['test_accuracy']['mean']:.2f} %" in own[row["name"]][0]
            assert number(row["learning_rate"]) in own[row["name"]]
    # The main headline is the page's title.
    assert summary["headline"] not in text(page)
    for condition in summary["contests"]:
        assert condition["headline"] in text(page)


def test_all_tables_have_one_scale_of_accuracies(page):
    assert set(re.findall(r"<i>(\d+) %</i><i>(\d+) %</i>", page)) == {("80", "97")}


def test_the_rates_tried_are_shown_with_their_losses_and_the_chosen_one_is_bold(page):
    details = page.split("<details>")[1]
    heads = re.findall(r'<th scope="col">([\d.]+)</th>', details)
    every = sorted({rate for rates in TRIED.values() for rate in rates})
    assert [float(head) for head in heads] == every
    rows = rows_of(details)
    assert list(rows) == [
        name if init == "stated" else f"{name}, {init}" for name in TRIED for init in ("stated", "gain")
    ]
    for title, cells in rows.items():
        name, _, init = title.partition(", ")
        init = init or "stated"
        for rate, cell in zip(every, cells, strict=True):
            if rate not in TRIED[name]:
                assert cell == ""
                continue
            shown = text(cell)
            if (name, init) == ("relu", "gain"):
                assert shown == "3 of 3 diverged"
            else:
                assert float(shown) == pytest.approx(abs(rate - CHOSEN[init][name]), rel=1e-2, abs=1e-12)
            assert cell.startswith("<b>") == (rate == CHOSEN[init][name])


def test_tables_wider_than_the_page_scroll_by_keyboard(page):
    assert page.count("<table>") == 4
    labels = re.findall(r"<div class='wide' tabindex='0' role='region' aria-label='(.*?)'><table>", page)
    assert len(set(labels)) == 4
