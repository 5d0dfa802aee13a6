"""Columns that give the target away, and rows that stand in two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData
from actlab.tasks.reading import option
from actlab.tasks.split import Indices
from actlab.tasks.tables.choice import shown
from actlab.tasks.tables.kinds import Parsed
from actlab.tasks.tables.parts import Labels
from actlab.tasks.tables.report import Note

# In fewer rows, a column may tell the target by chance; and so it may with fewer rows of each of its values.
ROWS = 10
ROWS_A_VALUE = 5


def refuse_leaks(
    name: str, used: Mapping[str, Parsed], labels: Labels, targets: Sequence[str], keep: Sequence[str]
) -> list[Note]:
    """Raise InvalidData at columns that tell the target by themselves; return what is told of those that may.

    Refused is a column that has as many values as there are classes, each with rows of one class only, or a column of
    categories whose every value does. Numbers of more values may be measured that well: these are told. Of numbers as
    targets, a column is refused that is one of them, but for a factor and a shift.

    Args:
        name: of the file.
        used: the columns to train on.
        labels: the class of each row, (rows,), or numbers, (rows, targets).
        targets: the columns that they are of.
        keep: columns to be trained on all the same.
    """
    if len(labels) < ROWS:
        return []
    if labels.dtype.kind == "f":
        told = {column: _alike(values, labels) for column, values in used.items() if column not in keep}
        _refuse_equal(name, [column for column, alike in told.items() if alike == "equal"], targets)
        return _told(name, [column for column, alike in told.items() if alike == "ordered"], targets, "nearly tell")
    classes = len(np.unique(labels))
    equal: list[str] = []
    telling: list[str] = []
    for column, values in used.items():
        if column in keep or not classes <= values.distinct * (1 if values.missing == 0 else 2):
            continue
        if not _tells(values, labels):  # pyright: ignore[reportArgumentType]
            continue
        if values.kind == "categories" or values.distinct == classes:
            equal.append(column)
        else:
            telling.append(column)
    _refuse_equal(name, equal, targets)
    return _told(name, telling, targets, "tell")


def _told(name: str, telling: Sequence[str], targets: Sequence[str], what: str) -> list[Note]:
    """What is told of columns that say alone what the target is."""
    if not telling:
        return []
    many = len(telling) > 1
    tells = what if many else f"{what}s"
    return [
        Note(
            f"{name}: {'columns' if many else 'column'} {shown(telling)} {'each' if many else 'alone'} {tells} the "
            f"target {shown(targets)} in all rows: {option('drop', telling[0])} leaves it out, if it was made from "
            "that.",
            "--drop",
        )
    ]


def _refuse_equal(name: str, equal: Sequence[str], targets: Sequence[str]) -> None:
    if not equal:
        return
    what = f"columns {shown(equal)} tell" if len(equal) > 1 else f"column {equal[0]!r} tells"
    drop, kept = (" ".join(option(way, column) for column in equal[:4]) for way in ("drop", "keep"))
    raise InvalidData(
        f"{name}: {what} the target {shown(targets)} without exception: that is the answer, not what it is learnt "
        f"from; leave it out with {drop}, or train on it with {kept}."
    )


# Of ranks or values that go so nearly together, the one was made from the other: measured twice, they do not.
TOGETHER = 0.9999


def _alike(values: Parsed, numbers: Labels) -> Literal["equal", "ordered", ""]:
    """Whether a column of numbers is a target but for a factor and a shift, or orders the rows as one does."""
    if values.kind != "numbers" or values.distinct < ROWS:
        return ""
    known = values.values.is_not_null().to_numpy()
    own, others = values.values.to_numpy()[known].astype(float), numbers[known]
    if len(own) < ROWS:
        return ""
    for target in others.T:
        if _together(own, target) >= 1 - 1e-12:
            return "equal"
        if max(_together(own, target), _together(_ranks(own), _ranks(target))) >= TOGETHER:
            return "ordered"
    return ""


def _together(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """The size of the correlation of two columns; 0 where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return abs(float(a @ b)) / size if size > 0 else 0.0


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The ranks of values, of equal ones the mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[place]


def _tells(values: Parsed, labels: npt.NDArray[np.int64]) -> bool:
    """Whether each value has rows of one class only, and enough rows that this is no chance."""
    if values.kind == "texts" or values.distinct * ROWS_A_VALUE > len(labels):
        return False
    table = pl.DataFrame({"value": values.values, "label": labels})
    return table.n_unique() == table["value"].n_unique()


def rows_in_two_parts(name: str, used: Mapping[str, Parsed], labels: Labels, parts: Sequence[Indices]) -> list[Note]:
    """What is told where rows of the validation or test part stand in the training part, too, value for value."""
    hashes = pl.Series(labels if labels.ndim == 1 else labels[:, 0]).hash()
    for values in used.values():
        # Column by column: all of them as one table would be a copy. The number is odd, and unsigned ones wrap around.
        hashes = hashes * 0x9E3779B97F4A7C15 + values.values.hash()
    train = hashes.gather(parts[0])
    counts = [int(hashes.gather(part).is_in(train.implode()).sum()) for part in parts[1:]]
    if not any(counts):
        return []
    return [
        Note(
            f"{name}: {counts[1]:,} of {len(parts[2]):,} test rows and {counts[0]:,} of {len(parts[1]):,} validation "
            "rows stand in the training part as well, value for value: on these nothing new is tested; take doubled "
            "rows out, or keep rows that belong together in one part with --group COLUMN.",
            "--group",
        )
    ]
