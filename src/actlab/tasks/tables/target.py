"""The target of a table: its classes, the rows without one, and which column it could be."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData, cut
from actlab.tasks.cells import number
from actlab.tasks.labels import FEW_TO_SPLIT, MANY_VALUES, Target, classes_of, refuse_quantity
from actlab.tasks.reading import Reading, option
from actlab.tasks.tables.frame import Frame
from actlab.tasks.tables.kinds import Parsed, cleaned, parsed, texts_of
from actlab.tasks.tables.quantities import SEPARATORS, are_quantities, is_quantity, quantities, several_labels
from actlab.tasks.tables.report import Note
from actlab.wording import listed

# A text stands for so few rows on average where texts are no classes.
FEW = 2
# How targets are called in the tables that come with books and packages.
_NAMES = {
    "target", "class", "label", "labels", "y", "species", "outcome", "survived", "diagnosis", "churn", "category",
    "result", "response", "default", "income", "variety", "type", "kind", "quality", "status", "exited",
}  # fmt: skip
# And how quantities are, which other columns may be as well.
_QUANTITIES = {
    "target", "y", "price", "value", "medv", "charges", "cost", "mpg", "strength", "rings", "salary", "sales", "cnt",
    "outcome", "response", "tip", "progression", "consumption", "demand", "yield",
}  # fmt: skip


# And how grades are called, whole numbers in an order.
_GRADES = {"quality", "rating", "score", "grade", "stars", "level", "rank", "severity", "satisfaction", "age"}
FEWEST_GRADES = 5


@dataclass(frozen=True)
class Labels:
    """What is to be learnt of the rows that have a target.

    Attributes:
        rows: which rows these are, as indices.
        values: the class of each as an index, (rows,); or numbers, (rows, targets), 1 and 0 of labels.
        classes: their names; none of numbers and labels.
        labels: the names of the labels where a row has several.
        notes: what a user should know.
    """

    rows: npt.NDArray[np.intp]
    values: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    classes: tuple[str, ...]
    notes: tuple[Note, ...]
    labels: tuple[str, ...] = ()


def learnt_of(frame: Frame, targets: Sequence[str], reading: Reading) -> Labels:
    """What is to be learnt: the classes of the target, or the numbers of one or several.

    Raises:
        InvalidData: as `labels` and `quantities`.
    """
    if reading.objective == "labels":
        rows, values, names, notes = several_labels(frame, targets, reading)
        return Labels(rows, values, (), tuple(notes), names)
    if are_quantities(frame, targets, reading):
        rows, values, notes = quantities(frame, targets, reading)
        return Labels(rows, values, (), tuple(notes))
    if len(targets) > 1:
        raise InvalidData(f"{frame.name}: several targets are learnt as numbers: name one alone to learn its classes.")
    numeric = parsed(frame.columns[targets[0]], frame.sign).kind == "numbers"
    if reading.objective == "classes" and reading.classes is None:
        reading = replace(reading, classes="numbers" if numeric else None)
    return labels(frame, targets[0], reading)


def labels(frame: Frame, target: str, reading: Reading) -> Labels:
    """The classes of a table. Rows whose target says that nothing is known are left out, unless every text is a class.

    Raises:
        InvalidData: no row with a target, one class only, numbers that are not whole or a quantity, a class of one row.
    """
    column = frame.columns[target]
    if column.dtype in (pl.List, pl.Struct, pl.Array, pl.Binary, pl.Object):
        what = "lists" if column.dtype in (pl.List, pl.Array) else "objects"
        way_out = "--objective labels learns what they hold as labels" if what == "lists" else "give each row one class"
        raise InvalidData(f"{frame.name}: column {target!r} holds {what}: {way_out}.")
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
    more += _joined(frame.name, target, present, reading)
    lines = frame.lines if len(rows) == len(frame) else [frame.lines[int(row)] for row in rows]
    decided = None if reading.classes == "fold" else reading.classes
    values, classes = classes_of(Target(frame.name, target, folded, lines), decided)
    if len(classes) < 2:
        raise InvalidData(
            f"{frame.name}: column {target!r} holds one class only ({', '.join(classes)}): give two or more."
        )
    if decided is None and reading.objective is None:
        more += _many_numbers(frame.name, target, classes)
    if decided is None:
        _refuse_units(frame, target, present)
        numbers = all(number(name) is not None for name in classes)
        # Of a second file a single sample is tested on: what is not trained on is refused where the parts are cut.
        second, start = frame.second
        first = values[rows < start] if second else values
        present_there = np.unique(first)
        named = [classes[int(place)] for place in present_there]
        counts = np.bincount(first)[present_there]
        refuse_quantity(frame.name, f"column {target!r}", counts, named, numbers=numbers)
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
    shown = listed([repr(cut(text)) for text in several[0]])
    return texts, [
        Note(
            f"{name}: the classes {shown} of {target!r} differ in case or blanks only and are kept apart, which makes "
            f"{len(counts)} classes: "
            "--classes fold makes such classes one, --classes texts says that they are several.",
            "--classes",
        )
    ]


def _many_numbers(name: str, target: str, classes: Sequence[str]) -> list[Note]:
    """A note where so many numbers are classes that they may be a quantity."""
    graded = len(classes) >= FEWEST_GRADES and {*target.lower().replace("_", " ").split()} & _GRADES
    if not (len(classes) > MANY_VALUES or graded) or any(number(text) is None for text in classes):
        return []
    return [
        Note(
            f"{name}: the {len(classes)} numbers of {target!r} are taken for classes: --objective regression learns "
            "them as a quantity.",
            "--objective",
        )
    ]


def _refuse_units(frame: Frame, target: str, texts: Sequence[str]) -> None:
    """Raise InvalidData where a target of nearly as many texts as rows begins with numbers: a quantity, written out."""
    begins = [re.match(r"[^\w]{0,3}\d", text) is not None for text in texts]
    if len(set(texts)) * FEW < len(texts) or len(texts) < FEW_TO_SPLIT or sum(begins) * 2 <= len(texts):
        return
    odd = next((i for i, text in enumerate(texts) if number(text) is None), None)
    if odd is not None:
        raise InvalidData(
            f"{frame.name}: column {target!r} holds {cut(repr(texts[odd]))} among {len(set(texts)):,} different texts "
            "that begin with numbers: if it is a quantity, write its numbers alone, in one unit, and leave the cells "
            "empty where it is not known; if these are classes, say --classes texts."
        )


def _joined(name: str, target: str, texts: Sequence[str], reading: Reading) -> list[Note]:
    """A note where classes look like several labels joined: their parts come again in others."""
    distinct = set(texts)
    sign, count = _labels_within(distinct)
    if not count or reading.objective == "classes" or reading.classes is not None:
        return []
    example = next(text for text in sorted(distinct) if sign in text)
    return [
        Note(
            f"{name}: classes of {target!r} such as {cut(repr(example))} are taken as they stand: --objective labels "
            f"learns the {count} labels between which {sign!r} stands.",
            "--objective",
        )
    ]


def _labels_within(distinct: Collection[str]) -> tuple[str, int]:
    """What stands between the labels of texts, and how many labels there are; 0 where they are classes as they stand.

    Between labels a comma stands in some texts, and others hold one label alone: "Bonn, Rhine" is a place.

    >>> _labels_within(["a|b", "a", "b"]), _labels_within(["x, y", "x, z", "w, y", "w, z", "x, w"])
    (('|', 2), (',', 0))
    """
    sign = next((sign for sign in SEPARATORS if any(sign in text for text in distinct)), "")
    if not sign or (sign == "," and all(sign in text for text in distinct)):
        return sign, 0
    parts = {part.strip() for text in distinct for part in text.split(sign)}
    return sign, len(parts) if len(parts) < len(distinct) else 0


def candidates(columns: Mapping[str, Parsed]) -> tuple[str, ...]:
    """The columns that could be the target, most likely first.

    Of classes, those with two to ten values come before those with more; among these, names that targets are given,
    then the last column, then the others from the right. A quantity that is named like one comes before classes that
    are not; any other one only where it stands last, or nothing else could be it.
    """
    found, others = [], []
    for place, (name, column) in enumerate(columns.items()):
        words = {*name.lower().replace("_", " ").replace("-", " ").split()}
        last = place == len(columns) - 1
        if is_quantity(column):
            named = bool(words & _QUANTITIES)
            (found if named or last else others).append(((not named, not named, not last, True, -place), name))
        elif _could_be_classes(column):
            few, named = column.distinct <= MANY_VALUES, bool(words & _NAMES)
            found.append(((not few, not named, not last, column.kind == "numbers", -place), name))
    return tuple(name for _, name in sorted(found or others))


def _could_be_classes(column: Parsed) -> bool:
    rows = len(column.values) - column.missing
    if not 2 <= column.distinct <= max(2, rows // 2):
        return False
    if column.kind == "numbers":
        present = column.values.drop_nulls()
        return bool((present == present.floor()).all())
    return column.kind in ("yes or no", "categories")


def no_target(name: str, columns: Mapping[str, Parsed], path: str) -> InvalidData:
    """That a target is to be named: which columns it could be, and what to type."""
    likely = candidates(columns)[:3]
    shown = [*columns][:20] + ([f"… {len(columns):,} in all"] if len(columns) > 20 else [])
    if not likely:
        return InvalidData(
            f"{name}: no target was given: name the column to be learnt (--target COLUMN), one of {', '.join(shown)}."
        )
    listed = ", then ".join(f"{column!r} ({_aim(columns[column])})" for column in likely)
    labels = " --objective labels" if _labels_of(columns[likely[0]]) else ""
    return InvalidData(
        f"{name}: no target was given: most likely it is {listed}: say so, as in actlab compare "
        f"{option('task', path)} {option('target', likely[0])}{labels}, or name another one of {', '.join(shown)}."
    )


def _aim(column: Parsed) -> str:
    if labels := _labels_of(column):
        return f"{labels} labels, several of a row"
    return "a quantity" if is_quantity(column) else f"{column.distinct} classes"


def _labels_of(column: Parsed) -> int:
    """How many labels the texts of a column hold; 0 where they are classes."""
    if column.kind != "categories":
        return 0
    return _labels_within(set(column.values.drop_nulls().unique().cast(pl.String)))[1]
