"""The target of a table: its classes, the rows without one, and which column it could be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData, cut
from actlab.tasks.cells import number
from actlab.tasks.labels import FEW_SAMPLES, MANY_VALUES, Target, classes_of, refuse_quantity
from actlab.tasks.reading import Reading, option
from actlab.tasks.tables.frame import Frame
from actlab.tasks.tables.kinds import Parsed, cleaned, texts_of
from actlab.tasks.tables.report import Note

# How targets are called in the tables that come with books and packages.
_NAMES = {
    "target", "class", "label", "labels", "y", "species", "outcome", "survived", "diagnosis", "churn", "category",
    "result", "response", "default", "income", "variety", "type", "kind", "quality", "status", "exited",
}  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """The classes of the rows that have one.

    Attributes:
        rows: which rows these are, as indices.
        values: the class of each as an index, (rows,).
        classes: their names.
        notes: what a user should know.
    """

    rows: npt.NDArray[np.intp]
    values: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[Note, ...]


def labels(frame: Frame, target: str, reading: Reading) -> Labels:
    """The classes of a table. Rows whose target says that nothing is known are left out, unless every text is a class.

    Raises:
        InvalidData: no row with a target, one class only, numbers that are not whole or a quantity, a class of one row.
    """
    column = frame.columns[target]
    if column.dtype in (pl.List, pl.Struct, pl.Array, pl.Binary, pl.Object):
        raise InvalidData(f"{frame.name}: column {target!r} holds {column.dtype} values: give each row one class.")
    texts = texts_of(column)
    known = (texts != "").fill_null(False) if reading.classes == "texts" else cleaned(texts).is_not_null()
    rows = np.flatnonzero(known.to_numpy())
    if len(rows) == 0:
        raise InvalidData(f"{frame.name}: column {target!r} is empty: name the column of classes with --target COLUMN.")
    notes = []
    if absent := len(texts) - len(rows):
        first = int(np.flatnonzero(~known.to_numpy())[0])
        way_out = "" if texts[first] in ("", None) else "; --classes texts makes every text a class"
        notes.append(
            Note(
                f"{frame.name}: {absent:,} of {len(texts):,} rows say nothing in the target {target!r}, the first in "
                f"{frame.unit} {frame.lines[first]}, and are left out{way_out}.",
                "--classes",
            )
        )
    # One object for each class, not for each row.
    pool: dict[str, str] = {}
    present = [pool.setdefault(text, text) for text in texts.gather(rows)]
    folded, more = _folded(frame.name, target, present, reading)
    lines = frame.lines if len(rows) == len(frame) else [frame.lines[int(row)] for row in rows]
    decided = None if reading.classes == "fold" else reading.classes
    values, classes = classes_of(Target(frame.name, target, folded, lines), decided)
    if len(classes) < 2:
        raise InvalidData(
            f"{frame.name}: column {target!r} holds one class only ({', '.join(classes)}): give two or more."
        )
    if decided is None:
        numbers = all(number(name) is not None for name in classes)
        refuse_quantity(frame.name, f"column {target!r}", np.bincount(values), classes, numbers=numbers)
    return Labels(rows, values, classes, (*notes, *more))


def _folded(name: str, target: str, texts: Sequence[str], reading: Reading) -> tuple[Sequence[str], list[Note]]:
    """The texts, those that differ in case or blanks alone as one where that is decided; else a note of them."""
    counts = Counter(texts)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for text in counts:
        alike[" ".join(text.casefold().split())].append(text)
    several = [sorted(group) for group in alike.values() if len(group) > 1]
    if reading.classes == "fold":
        commonest = {text: max(group, key=lambda t: (counts[t], t)) for group in several for text in group}
        return [commonest.get(text, text) for text in texts], []
    if not several or reading.classes == "texts":
        return texts, []
    shown = " and ".join(repr(cut(text)) for text in several[0])
    return texts, [
        Note(
            f"{name}: the classes {shown} of {target!r} differ in case or blanks only and are kept apart: "
            "--classes fold makes such classes one, --classes texts says that they are several.",
            "--classes",
        )
    ]


def candidates(columns: Mapping[str, Parsed]) -> tuple[str, ...]:
    """The columns that could hold classes, most likely first.

    Those with two to ten values come before those with more; among these, names that targets are given, then the last
    column, then the others from the right.
    """
    found = []
    for place, (name, column) in enumerate(columns.items()):
        rows = len(column.values) - column.missing
        if not 2 <= column.distinct <= max(2, rows // 2) or column.kind not in ("numbers", "yes or no", "categories"):
            continue
        quantity = column.distinct > MANY_VALUES and rows < FEW_SAMPLES * column.distinct
        if column.kind == "numbers" and (quantity or not _whole(column.values)):
            continue
        words = {*name.lower().replace("_", " ").replace("-", " ").split()}
        named = bool(words & _NAMES)
        last = place == len(columns) - 1
        few = column.distinct <= MANY_VALUES
        found.append(((not few, not named, not last, column.kind == "numbers", -place), name))
    return tuple(name for _, name in sorted(found))


def _whole(values: pl.Series) -> bool:
    present = values.drop_nulls()
    return bool((present == present.floor()).all())


def no_target(name: str, columns: Mapping[str, Parsed], path: str) -> InvalidData:
    """That a target is to be named: which columns it could be, and what to type."""
    likely = candidates(columns)[:3]
    shown = [*columns][:20] + ([f"… {len(columns):,} in all"] if len(columns) > 20 else [])
    if not likely:
        return InvalidData(
            f"{name}: no target was given: name the column of classes (--target COLUMN), one of {', '.join(shown)}."
        )
    listed = ", then ".join(f"{column!r} ({columns[column].distinct} classes)" for column in likely)
    return InvalidData(
        f"{name}: no target was given: most likely it is {listed}: say so, as in actlab compare "
        f"{option('task', path)} {option('target', likely[0])}, or name another one of {', '.join(shown)}."
    )
