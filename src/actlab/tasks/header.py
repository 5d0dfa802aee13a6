"""Whether the first row of a table names its columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from actlab.errors import InvalidData, cut
from actlab.tasks.cells import missing, number

# As many rows show what a column holds.
ROWS_LOOKED_AT = 1000


def refuse_doubtful_header(name: str, first: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    """Raise InvalidData where the first row of a table may be data.

    It names the columns where a cell is a text above numbers, or none of its texts comes again below it, and no cell is
    a number. Numbers are names if they count the columns from 0, as pandas writes them, four or more, or two or more
    beside a text; or if they rise by equal steps, as years and wavelengths do, four or more beside a text.

    Args:
        name: of the file; the message begins with it.
        first: the first row.
        body: the rows below it, each as long.
    """
    kinds = _kinds(first, body[:ROWS_LOOKED_AT])
    numbers = [float(cell) for cell, kind in zip(first, kinds, strict=True) if kind == "number"]
    texts = "name" in kinds or "text" in kinds
    if numbers and "repeated" not in kinds and _count(numbers, beside_texts=texts):
        return
    if not numbers and ("name" in kinds or "repeated" not in kinds):
        return
    shown = cut(", ".join(cell.strip() for cell in first))
    seen = "holds numbers among names" if numbers and texts else "looks like the rows below it"
    neither = "take it out if it is neither, or " if numbers and texts else ""
    raise InvalidData(
        f"{name}: the first row ({shown}) {seen}: {neither}say --header no if it is data (its columns are then named 1 "
        f"to {len(first)}), or --header yes if it names the columns."
    )


def _kinds(first: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """What each cell of the first row is, beside its column."""
    return [_kind(cell.strip(), [row[index].strip() for row in body]) for index, cell in enumerate(first)]


def _kind(cell: str, column: Sequence[str]) -> str:
    if missing(cell):
        return "missing"
    value = number(cell)
    if value is not None and math.isfinite(value):  # "Inf" may name a column.
        return "number"
    present = [text for text in column if not missing(text)]
    numeric = sum(number(text) is not None for text in present)
    # A text or two among numbers, as the header of a second file behind the first, makes no column of texts.
    if present and 2 * numeric >= len(present):
        return "name"
    return "repeated" if cell in column else "text"


def _count(values: Sequence[float], *, beside_texts: bool) -> bool:
    """Whether numbers rise by equal steps, and are enough and near enough to a count of the columns."""
    step = values[1] - values[0] if len(values) > 1 else 0.0
    if step <= 0 or not all(math.isclose(after - before, step, rel_tol=1e-6) for before, after in pairwise(values)):
        return False
    if values[0] == 0 and step == 1:
        return len(values) >= (2 if beside_texts else 4)
    return beside_texts and len(values) >= 4
