"""Every finding has its page, and the pages say what the rules do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs import findings_pages as pages

from actlab.statistics.findings.codes import CODES, page_of

ROOT = Path(__file__).parent.parent
# A picture is looked at on a page, which is to be light.
MOST_BYTES = 35_000


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_page_and_a_light_picture(code):
    """Texts as the script makes them now: thresholds that moved in a rule move in its page."""
    written = (ROOT / page_of(code)).read_text(encoding="utf-8")
    assert written == pages.page(code, pages.texts()[code])
    assert not re.search(r"\{[a-z]+\.", written)
    picture = (ROOT / page_of(code)).with_suffix(".svg")
    assert 0 < picture.stat().st_size < MOST_BYTES


def test_the_index_names_every_code_and_there_are_no_other_pages():
    assert (pages.FOLDER / "README.md").read_text(encoding="utf-8") == pages.index()
    assert {path.stem for path in pages.FOLDER.glob("*.md")} == {*CODES, "README"}
    assert pages.texts().keys() == CODES.keys()


def test_every_code_that_is_found_of_watched_trainings_has_a_training_that_has_it():
    from docs.findings_runs import RUNS

    assert RUNS.keys() == {code for code, kind in CODES.items() if kind.watched}
