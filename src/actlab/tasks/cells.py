"""What a cell of a table says: a number, nothing, or a text."""

from __future__ import annotations

import math

# What tables write where a value is missing: counted with NaN.
MISSING = frozenset({"", "na", "n/a", "null", "none", "?", "-"})


def number(text: str) -> float | None:
    """The number that `text` writes, NaN for a missing one, else None. Digit groups (1_000) are no numbers here.

    >>> number("1e3"), number(" NA "), number("tall"), number("1_000")
    (1000.0, nan, None, None)
    """
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return math.nan if text.strip().lower() in MISSING else None


def missing(text: str) -> bool:
    """Whether a text says that a value is missing.

    >>> missing("NaN"), missing("?"), missing("0")
    (True, True, False)
    """
    found = number(text)
    return found is not None and math.isnan(found)
