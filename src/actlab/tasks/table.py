"""A user's own table: a `.csv` file with numeric columns and one column that names the class."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.cells import number
from actlab.tasks.columns import (
    ROWS,
    counting,
    left_out,
    named_like_an_id,
    refuse_names_of_samples,
    told_of_columns,
)
from actlab.tasks.header import refuse_doubtful_header
from actlab.tasks.labels import Target, classes_of, refuse_quantity
from actlab.tasks.reading import Reading, option
from actlab.tasks.split import split
from actlab.tasks.task import Pair, Task, build

Columns = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Table:
    """A table as text: its rows, and the line of the file that each row ends on."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each column stands: looking through the header for each of 100,000 takes a minute."""
        return {name: index for index, name in enumerate(self.header)}

    def column(self, name: str) -> list[str]:
        """The values of one column, without surrounding spaces."""
        index = self.places[name]
        return [row[index].strip() for row in self.rows]


def load_table(path: Path, target: str | None, seed: int, reading: Reading) -> Task:
    """Load a task from a `.csv` file.

    Args:
        path: comma-separated, UTF-8; every column but the target holds numbers.
        target: the column of classes: integers, or names.
        seed: 0 or more; cuts the splits, 60/20/20 and stratified by class.
        reading: what is decided of the file.

    Returns:
        The task, named as the file. Features are standardised by the mean and standard deviation of the
        training split; those constant there are 0.

    Raises:
        UnknownName: no such column.
        InvalidData: no target, an empty file, ragged rows, values that are no finite numbers, labels that are
            not integers or names, data that `build` refuses; a doubt that `reading` does not decide.
    """
    table = _read(path, reading)
    if target is None:
        shown = [*table.header[:20], f"… {len(table.header):,} in all"] if len(table.header) > 20 else table.header
        columns = ", ".join(shown)
        raise InvalidData(
            f"{path.name}: no target was given: name the column of classes (--target COLUMN), one of {columns}."
        )
    if target not in table.header:
        raise UnknownName("column", target, table.header)
    features = _features(table, target, reading)
    labels, classes = classes_of(Target(path.name, target, table.column(target), table.lines), reading.classes)
    samples = _numbers(table, features)
    _refuse_names_of_samples(table, features, samples, reading)
    if len(classes) < 2:
        raise InvalidData(
            f"{path.name}: column {target!r} holds one class only ({', '.join(classes)}): give two or more."
        )
    if reading.classes is None:
        numbers = all(number(name) is not None for name in classes)
        refuse_quantity(path.name, f"column {target!r}", np.bincount(labels), classes, numbers=numbers)
    return build(
        path.name,
        *_standardise(split(samples, labels, seed, name=path.name)),
        classes=classes,
        provenance=f"{path.name}{_told(reading)}, target column {target!r}, features standardised by mean and standard "
        f"deviation of the training split; split 60/20/20 stratified by class, seed {seed}",
    )


def _features(table: _Table, target: str, reading: Reading) -> list[str]:
    """The names of the columns to train on."""
    without = {target, *left_out(table.name, table.header, reading)}
    if target in reading.drop:
        raise InvalidData(f"{table.name}: column {target!r} is the target and cannot be left out.")
    features = [name for name in table.header if name not in without]
    if not features:
        raise InvalidData(f"{table.name} has no column beside the target {target!r}: add numeric columns.")
    return features


def _refuse_names_of_samples(table: _Table, names: Sequence[str], samples: Columns, reading: Reading) -> None:
    """Refuse columns that count the rows, or are named like an id and hold whole numbers that tell most rows apart."""
    counted = [names[index] for index in counting([samples])]
    numbered = [
        name
        for index, name in enumerate(names)
        if named_like_an_id(name)
        and (samples[:, index] == np.floor(samples[:, index])).all()
        and 2 * len(set(table.column(name))) > len(samples) >= ROWS
    ]
    refuse_names_of_samples(table.name, counted, numbered, reading.keep)


def _told(reading: Reading) -> str:
    """What was decided, in words for the provenance."""
    header = ", no header row" if reading.header == "no" else ""
    classes = f", classes by {reading.classes}" if reading.classes else ""
    return header + classes + told_of_columns(reading)


def _read(path: Path, reading: Reading) -> _Table:
    """Read the file as text, or raise InvalidData."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            numbered = [(tuple(row), reader.line_num) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{path} cannot be read as comma-separated UTF-8 text ({error}): write it again.") from None
    if len(numbered) < 2:
        held = "only a header row" if numbered else "nothing"
        raise InvalidData(f"{path.name} is empty: it holds {held}; give a header row and one row for each sample.")
    first = numbered[0][0]
    if len(first) == 1 and (other := next((mark for mark in ";\t|" if mark in first[0]), None)):
        raise InvalidData(f"{path.name} is separated by {other!r}: write it again, separated by commas.")
    for row, line in numbered[1:]:
        if len(row) != len(first):
            first_row = "first row has" if reading.header == "no" else "header names"
            raise InvalidData(
                f"{path.name}, line {line}: {len(row)} values where the {first_row} {len(first)} columns: "
                "give each row a value for each column."
            )
    header = _header(path.name, [row for row, _ in numbered], reading)
    rows, lines = zip(*numbered[reading.header != "no" :], strict=True)
    return _Table(path.name, header, rows, lines)


def _header(name: str, rows: Sequence[Sequence[str]], reading: Reading) -> tuple[str, ...]:
    """The names of the columns."""
    first = rows[0]
    if reading.header == "no":
        return tuple(str(index + 1) for index in range(len(first)))
    if reading.header is None:
        refuse_doubtful_header(name, first, rows[1:])
    header = tuple(column.strip() for column in first)
    _check_header(name, header)
    return header


def _check_header(name: str, header: Sequence[str]) -> None:
    """Refuse a column without a name (often a row number, which gives the order away), and doubled names."""
    seen: set[str] = set()
    for index, column in enumerate(header):
        if not column:
            raise InvalidData(f"{name}: column {index + 1} has no name: name it, or remove it if it counts the rows.")
        if column in seen:
            raise InvalidData(f"{name}: two columns are named {column!r}: give each a name of its own.")
        seen.add(column)


def _numbers(table: _Table, names: Sequence[str]) -> Columns:
    """The named columns as finite numbers, (rows, columns), or raise InvalidData."""
    columns = np.empty((len(table.rows), len(names)))
    for index, name in enumerate(names):
        texts = table.column(name)
        values = [number(text) for text in texts]
        if None in values:
            row = values.index(None)
            raise InvalidData(
                f"{table.name}, line {table.lines[row]}: column {name!r} holds {texts[row]!r}, no number: "
                f"give numbers only, or leave the column out with {option('drop', name)}."
            )
        columns[:, index] = values
    wrong = ~np.isfinite(columns)
    if wrong.any():
        row, index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise InvalidData(
            f"{table.name}: {int(wrong.sum()):,} of the {wrong.size:,} values are missing, NaN or infinite, "
            f"the first in line {table.lines[int(row)]}, column {names[int(index)]!r}: "
            "remove or replace them."
        )
    return columns


def _standardise(splits: Sequence[Pair]) -> list[Pair]:
    """Subtract the training mean and divide by the training standard deviation; constant columns become 0."""
    train = splits[0][0].astype(np.float64)
    # Dividing by the largest magnitude first keeps the squares of huge values finite; it cancels out.
    largest = np.abs(train).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    constant = train.max(axis=0) == train.min(axis=0)
    mean = (train / unit).mean(axis=0)
    deviation = np.where(constant, math.inf, (train / unit).std(axis=0))
    return [((x.astype(np.float64) / unit - mean) / deviation, y) for x, y in splits]
