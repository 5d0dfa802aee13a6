"""What a cell of a table says: a number, nothing, or a text."""

from __future__ import annotations

import math
import re

# What tables write where a value is missing: counted with NaN.
MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "null", "none", "missing", "?", "-"})
# Digits in groups of three, as spreadsheets show them.
GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
GROUPED_BY_POINTS = r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"


def number(text: str, decimal: str = ".") -> float | None:
    """The number that `text` writes, NaN for a missing one, else None. Digit groups (1_000) are no numbers here.

    >>> number("1e3"), number(" NA "), number("tall"), number("1_000"), number("1,5", decimal=",")
    (1000.0, nan, None, None, 1.5)
    """
    try:
        return None if "_" in text else float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return math.nan if text.strip().lower() in MISSING else None


def grouped(text: str, decimal: str = ".") -> bool:
    """Whether a text is a number in groups of three digits.

    >>> grouped("1,234.5"), grouped("12,34"), grouped("1.234,5", ",")
    (True, False, True)
    """
    return re.match(GROUPED_BY_POINTS if decimal == "," else GROUPED, text.strip()) is not None


def numeric(text: str, decimal: str = ".") -> bool:
    """Whether a text is a number, in groups or not; one that says that it is missing is none.

    >>> numeric("1,234"), numeric("NA"), numeric("7")
    (True, False, True)
    """
    value = number(text, decimal)
    return grouped(text, decimal) if value is None else not math.isnan(value)


def missing(text: str) -> bool:
    """Whether a text says that a value is missing.

    >>> missing("NaN"), missing("?"), missing("0")
    (True, True, False)
    """
    found = number(text)
    return found is not None and math.isnan(found)
