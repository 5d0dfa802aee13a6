"""Whether the first row of a table names its columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from actlab.errors import InvalidData, cut
from actlab.tasks.cells import missing, number, numeric
from actlab.tasks.reading import Header

# As many rows show what a column holds.
ROWS_LOOKED_AT = 1000
# Of a table of very many columns, fewer rows.
CELLS_LOOKED_AT = 200_000
FEWEST_ROWS = 20


def first_row(name: str, first: Sequence[str], body: Sequence[Sequence[str]], decimal: str = ".") -> Header:
    """Whether the first row of a table names the columns ("yes") or is data ("no").

    It names them where a cell is a text above numbers, or none of its texts comes again below it, and no cell is a
    number. Numbers are names if they count the columns from 0, as pandas writes them, four or more, or two or more
    beside a text; or if they rise by equal steps, as years and wavelengths do, four or more beside a text. It is data
    where every cell fits the rows below.

    Args:
        name: of the file; the message begins with it.
        first: the first row.
        body: the rows below it, each as long.
        decimal: the decimal sign.

    Raises:
        InvalidData: numbers and names beside each other, which are neither.

    >>> first_row("a.csv", ["width", "kind"], [["1.5", "x"], ["2", "y"]])
    'yes'
    >>> first_row("a.csv", ["1.5", "x"], [["2", "y"], ["2.5", "x"]])
    'no'
    """
    body = body[: max(FEWEST_ROWS, min(ROWS_LOOKED_AT, CELLS_LOOKED_AT // len(first)))]
    columns = list(zip(*body, strict=True)) if body else [()] * len(first)
    kinds = [
        _kind(cell.strip(), [text.strip() for text in column], decimal)
        for cell, column in zip(first, columns, strict=True)
    ]
    numbers = [number(cell, decimal) or 0.0 for cell, kind in zip(first, kinds, strict=True) if kind == "number"]
    texts = "name" in kinds or "text" in kinds
    if numbers and "repeated" not in kinds and _count(numbers, beside_texts=texts):
        return "yes"
    if not numbers and ("name" in kinds or "repeated" not in kinds):
        return "yes"
    if "name" not in kinds:
        return "no"
    raise InvalidData(
        f"{name}: the first row ({cut(', '.join(cell.strip() for cell in first))}) holds numbers among names: take it "
        f"out if it is neither, or say --header no if it is data (its columns are then named 1 to {len(first)}), or "
        "--header yes if it names the columns."
    )


def _kind(cell: str, column: Sequence[str], decimal: str) -> str:
    """What a cell of the first row is, beside its column: missing, number, name, repeated or another text."""
    if missing(cell):
        return "missing"
    value = number(cell, decimal)
    # "Inf" may name a column.
    if numeric(cell, decimal) and (value is None or math.isfinite(value)):
        return "number"
    present = [text for text in column if not missing(text)]
    numbers = sum(numeric(text, decimal) for text in present)
    # A text or two among numbers, as the header of a second file behind the first, makes no column of texts.
    if present and 2 * numbers >= len(present):
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
