"""Columns of numbers as targets, and whether numbers are a quantity or the names of classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData, cut
from actlab.tasks.labels import are_a_quantity
from actlab.tasks.reading import Reading
from actlab.tasks.tables.frame import Frame
from actlab.tasks.tables.kinds import Parsed, cleaned, parsed
from actlab.tasks.tables.report import Note
from actlab.wording import counted, listed


def are_quantities(frame: Frame, targets: Sequence[str], reading: Reading) -> bool:
    """Whether the targets of a table are learnt as numbers: as is decided, or as they look.

    Undecided, several targets are, and one that is a quantity by `is_quantity`.
    """
    if reading.objective is not None:
        return reading.objective == "regression"
    if reading.classes is not None:
        return False
    return len(targets) > 1 or is_quantity(parsed(frame.columns[targets[0]], frame.sign))


def is_quantity(column: Parsed) -> bool:
    """Whether a column holds numbers that are more likely a quantity than the names of classes."""
    return column.kind == "numbers" and are_a_quantity(column.values.drop_nulls().to_numpy())


def quantities(
    frame: Frame, targets: Sequence[str], reading: Reading
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], list[Note]]:
    """The numbers of the targets: the rows that have all of them, (rows,), these numbers, (rows, targets), and notes.

    Raises:
        InvalidData: a column that holds no numbers, infinite ones, or one value only; no row with a target.
    """
    columns = [_numbers(frame, target, len(targets) > 1) for target in targets]
    known = np.all([column.is_not_null().to_numpy() for column in columns], axis=0)
    rows = np.flatnonzero(known)
    named = listed([repr(target) for target in targets])
    if len(rows) == 0:
        raise InvalidData(f"{frame.name}: no row has a number in {named}: name another column with --target COLUMN.")
    values = np.stack([column.to_numpy()[rows].astype(float) for column in columns], axis=1)
    if (infinite := np.isinf(values).any(axis=1)).any():
        first = int(rows[infinite.argmax()])
        raise InvalidData(f"{frame.at(first)}: an infinite number in {named}: mend it, or take the row out.")
    what = "target" if len(targets) == 1 else "targets"
    notes = []
    if absent := len(known) - len(rows):
        first = int(np.flatnonzero(~known)[0])
        notes.append(
            Note(
                f"{frame.name}: {absent:,} of {len(known):,} rows say nothing in the {what} {named}, the first in "
                f"{frame.unit} {frame.lines[first]}, and are left out."
            )
        )
    if reading.objective is None:
        distinct = f"holds {len(np.unique(values)):,} different numbers and is learnt as a quantity"
        learnt = distinct if len(targets) == 1 else "are learnt as quantities"
        way_out = "; --objective classes makes each number a class" if len(targets) == 1 else ""
        if len(targets) > 1 and ((values == 0) | (values == 1)).all():
            way_out = "; --objective labels takes each column for a label that a row has or has not"
        sentence = f"{frame.name}: the {what} {named} {learnt} (regression){way_out}."
        notes.append(Note(sentence, "--objective" if way_out else ""))
    return rows, values, notes


# What stands between the labels of a text.
SEPARATORS = ("|", ";", ",")


def several_labels(
    frame: Frame, targets: Sequence[str], reading: Reading
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], tuple[str, ...], list[Note]]:
    """Which labels each row has: the rows, (rows,), 1 and 0, (rows, labels), the labels' names, and notes.

    Several columns are a label each, of 0 and 1 or yes and no. One column of texts holds the labels of a row, one or
    several with |, ; or a comma between them; a row without a text has none.

    Raises:
        InvalidData: columns of other numbers; a single column of numbers; one label only.
    """
    if len(targets) > 1:
        rows, values, notes = quantities(frame, targets, reading)
        if not ((values == 0) | (values == 1)).all():
            raise InvalidData(
                f"{frame.name}: {listed([repr(target) for target in targets])} hold other numbers than 0 and 1: labels "
                "are 1 where a row has them and 0 where not."
            )
        return rows, values, tuple(targets), notes
    found, separator, rows, notes = _sets_of_labels(frame, targets[0])
    names = tuple(sorted(set().union(*found)))
    if len(names) < 2:
        raise InvalidData(
            f"{frame.name}: column {targets[0]!r} holds {len(names)} labels, and two or more are to be learnt: write "
            f"those of a row with {separator} between them, or name several columns of 0 and 1."
        )
    values = np.array([[label in own for label in names] for own in found], dtype=float)
    how = f", {separator!r} between those of a row" if separator else ""
    notes = [Note(f"{frame.name}: the values of {targets[0]!r} are taken for {len(names)} labels{how}."), *notes]
    if empty := sum(not own for own in found):
        have = "has" if empty == 1 else "have"
        without = f"{frame.name}: {counted(empty, 'row')} without a text in {targets[0]!r} {have} no label."
        notes.append(Note(without))
    lower = Counter(name.casefold() for name in names)
    if alike := [repr(name) for name in names if lower[name.casefold()] > 1]:
        apart = (
            f"{frame.name}: the labels {' and '.join(alike[:2])} differ in case only and are kept apart: write them "
        )
        notes.append(Note(f"{apart}alike."))
    return rows, values, names, notes


def _sets_of_labels(frame: Frame, target: str) -> tuple[list[set[str]], str, npt.NDArray[np.intp], list[Note]]:
    """The labels of each row whose labels are known, what stands between them, these rows, and a note of the others."""
    column = frame.columns[target]
    if column.dtype in (pl.List, pl.Array):
        lists = column.to_list()
        rows = np.array([row for row, own in enumerate(lists) if own is not None], np.intp)
        return [{str(own).strip() for own in lists[row] if own is not None} for row in rows], "", rows, []
    stripped = column.cast(pl.String).fill_null("").str.strip_chars()
    # An empty cell has no label; one that says NA does not say which.
    known = ((stripped == "") | cleaned(stripped).is_not_null()).to_numpy()
    rows = np.flatnonzero(known)
    texts = [stripped[int(row)] for row in rows]
    separator = next((sign for sign in SEPARATORS if any(sign in text for text in texts)), SEPARATORS[0])
    notes = []
    if absent := len(known) - len(rows):
        of = f"{absent:,} of {len(known):,} rows"
        notes.append(Note(f"{frame.name}: {of} say that their labels in {target!r} are not known, and are left out."))
    return [{part.strip() for part in text.split(separator)} - {""} for text in texts], separator, rows, notes


def _numbers(frame: Frame, target: str, several: bool) -> pl.Series:
    column = parsed(frame.columns[target], frame.sign)
    if column.kind not in ("numbers", "yes or no"):
        at = max(column.strange, 0)
        shown = cut(repr(frame.columns[target][at]))
        kind = "texts among numbers" if column.kind == "mixed" else column.kind
        way_out = "name columns of numbers alone" if several else "name another column, or say --objective classes"
        raise InvalidData(
            f"{frame.name}: column {target!r} holds {kind}, as {shown} in {frame.unit} {frame.lines[at]}, and numbers "
            f"are to be learnt: {way_out}."
        )
    return column.values
