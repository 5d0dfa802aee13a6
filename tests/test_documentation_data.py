"""The page on kinds of files says what the program does today."""

import importlib
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "data.md"


def test_what_comes_of_each_kind_of_file_is_as_the_page_says():
    assert importlib.import_module("docs.data").page() == PAGE.read_text(encoding="utf-8")
