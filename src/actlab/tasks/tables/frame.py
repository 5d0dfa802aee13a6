"""A table as columns, with where each row stands and what was seen while it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from actlab.errors import InvalidData
from actlab.tasks.reading import option
from actlab.tasks.tables.report import Note

ROW_NAMES = "row names"


@dataclass(frozen=True)
class Frame:
    """A table that was read, of one file or of two below each other.

    Attributes:
        name: of the file; messages begin with it.
        columns: by name, in order; texts as they stand, or values of the types that the file gives.
        lines: where each row stands in its file.
        unit: what `lines` count: "line" or "row".
        sign: the decimal sign of numbers among the texts.
        notes: what was decided while it was read.
        row_names: columns that number or name the rows by the form of the file.
        second: the name of the second file, and the row that it begins with.
    """

    name: str
    columns: Mapping[str, pl.Series]
    lines: Sequence[int]
    unit: str = "line"
    sign: str = "."
    notes: tuple[Note, ...] = ()
    row_names: tuple[str, ...] = ()
    second: tuple[str, int] = field(default=("", 0))

    def __len__(self) -> int:
        return len(self.lines)

    def at(self, row: int) -> str:
        """Where a row stands, as messages begin."""
        name, start = self.second
        return f"{name if name and row >= start else self.name}, {self.unit} {self.lines[row]}"


def named(names: Iterable[str], name: str) -> tuple[list[str], list[Note], list[str]]:
    """The names of columns, each once; what was renamed; and columns without a name at the left, which name the rows.

    >>> named(["a", "b", "a"], "t.csv")[0], named(["", "b"], "t.csv")[0]
    (['a', 'b', 'a (2)'], ['row names', 'b'])
    """
    given = [text.strip() for text in names]
    found: dict[str, None] = {}  # In order, and quick to look into: there may be 100,000.
    taken = {*given}
    renamed: list[str] = []
    nameless: list[str] = []
    for index, text in enumerate(given):
        base = text or (ROW_NAMES if index == 0 else f"column {index + 1}")
        unique, count = base, 1
        while unique in found or (unique != base and unique in taken):
            count += 1
            unique = f"{base} ({count})"
        found[unique] = None
        if unique != base:
            renamed.append(unique)
        if not text:
            nameless.append(unique)
    notes = []
    if renamed:
        first = renamed[0].rpartition(" (")[0]
        shown = ", ".join(map(repr, renamed[:4])) + (", …" if len(renamed) > 4 else "")
        notes.append(
            Note(
                f"{name}: several columns are named {first!r}: all but the first are now {shown}; "
                f"{option('drop', renamed[0])} leaves one out.",
                "--drop",
            )
        )
    return list(found), notes, [column for column in nameless if column.startswith(ROW_NAMES)]


def joined(first: Frame, second: Frame) -> Frame:
    """Two tables of the same columns, the second below the first.

    Raises:
        InvalidData: a column that one of them lacks.
    """
    lacking = [column for column in first.columns if column not in second.columns]
    more = [column for column in second.columns if column not in first.columns]
    if lacking or more:
        place, column = (second.name, lacking[0]) if lacking else (first.name, more[0])
        raise InvalidData(f"{place} has no column {column!r}, which {(first if lacking else second).name} has: give "
                          "both files the same columns.")  # fmt: skip
    columns = {}
    for column, values in first.columns.items():
        others = second.columns[column]
        if values.dtype != others.dtype:
            numbers = values.dtype.is_numeric() and others.dtype.is_numeric()
            kind = pl.Float64 if numbers else pl.String
            values, others = values.cast(kind), others.cast(kind)
        columns[column] = pl.concat([values, others])
    return replace(
        first,
        columns=columns,
        lines=[*first.lines, *second.lines],
        notes=(
            *first.notes,
            *(note for note in second.notes if note.sentence not in {n.sentence for n in first.notes}),
        ),
        second=(second.name, len(first)),
    )
