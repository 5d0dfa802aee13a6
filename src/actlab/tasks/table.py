"""A user's own table as a task: read, told column by column, split, encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData
from actlab.tasks.reading import SHEETS, TEXTS, Reading, option
from actlab.tasks.tables import parts as cut
from actlab.tasks.tables.choice import Choice, Decided, chosen, decided, left_out, shown
from actlab.tasks.tables.doubts import told_of_order, told_of_sentinels, told_of_texts, without_missing
from actlab.tasks.tables.encoding import Encoded, encode
from actlab.tasks.tables.formats import LABEL, read_arff, read_columns, read_sheet, read_svmlight
from actlab.tasks.tables.frame import Frame, joined
from actlab.tasks.tables.kinds import Parsed, parsed
from actlab.tasks.tables.leaks import refuse_leaks, rows_in_two_parts
from actlab.tasks.tables.report import Column, Kind, Note, Report, summary, tell
from actlab.tasks.tables.rows import read_text
from actlab.tasks.tables.source import open_source, suffix_of
from actlab.tasks.tables.target import Labels, candidates, learnt_of, no_target
from actlab.tasks.task import Task, build, build_labels, build_numbers
from actlab.wording import counted


def load_table(path: Path, target: str | None, seed: int, reading: Reading) -> Task:
    """Load a task from a table of any kind of file in `actlab.tasks.reading.TABLES`, packed or not.

    Args:
        path: the file.
        target: the column to be learnt, by name or number, or several of numbers; a libsvm file has its own.
        seed: 0 or more; cuts the splits, 60/20/20 and stratified by class, of numbers at random, where nothing else is
            decided.
        reading: what is decided of the file.

    Returns:
        The task, named as the file, with a `report` of what was made of every column. Numbers are standardised by the
        mean and standard deviation of the training split, categories are one-hot.

    Warns:
        ActlabWarning: for each decision that a user should know.

    Raises:
        UnknownName: no such column or sheet.
        InvalidData: no target, a file that cannot be read, ragged rows, a target that holds no classes, a column that
            tells the target, data that `build` refuses; a doubt that `reading` does not decide.
    """
    ready = _prepared(path, target, seed, reading)
    arrays, became = encode(path.name, ready.used, ready.parts, ready.decided.keep)
    told = tuple(_column(name, facts, ready, became) for name, facts in ready.facts.items())
    targets = ready.decided.targets
    what = f"target {'columns' if len(targets) > 1 else 'column'} {shown(targets)}"
    provenance = (
        f"{path.name}{_decisions(reading, ready.notes)}, {what}, {summary(told)}; features standardised by mean and "
        f"standard deviation of the training split; {ready.rule}"
    )
    parts = [(array, ready.labels[rows]) for array, rows in zip(arrays, ready.parts, strict=True)]
    if ready.names:
        task = build_labels(path.name, *parts, names=ready.names, provenance=provenance)
    elif ready.classes:
        task = build(path.name, *parts, classes=ready.classes, provenance=provenance)
    else:
        task = build_numbers(path.name, *parts, names=targets, provenance=provenance)
    return replace(task, report=Report(len(ready.labels), told, ready.notes))


@dataclass(frozen=True)
class _Prepared:
    """A table whose rows and columns are chosen. `used` is emptied while it is encoded: a large table is held once."""

    used: dict[str, Parsed]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    parts: cut.Parts
    rule: str
    decided: Decided
    choice: Choice
    facts: Mapping[str, tuple[Kind, int, int]]
    notes: tuple[Note, ...]


def _prepared(path: Path, target: str | None, seed: int, reading: Reading) -> _Prepared:
    """Everything about a table but its inputs."""
    frame = _frame(path, reading, target)
    tell(frame.notes)
    found = decided(frame, _target(frame, path, target), reading)
    if not found.targets:
        raise no_target(path.name, _parsed(frame, found), str(path))
    classes = learnt_of(frame, found.targets, reading)
    tell(classes.notes)
    frame = _rows(frame, classes)
    values = _parsed(frame, found)
    used, choice = chosen(frame, values, found)
    tell(choice.notes)
    notes = refuse_leaks(frame.name, used, classes.values, found.targets, found.keep)
    parts, rule = _parts(frame, classes, found, values, seed)
    notes += [*rows_in_two_parts(frame.name, used, classes.values, parts), *_told_of_missing(frame.name, used)]
    notes += [*told_of_sentinels(frame.name, used), *told_of_texts(frame, used, choice.out)]
    notes += told_of_order(frame.name, used, found, reading)
    tell(notes)
    facts: dict[str, tuple[Kind, int, int]] = {
        name: (choice.kinds.get(name, column.kind), column.missing, column.distinct) for name, column in values.items()
    }
    every = (*frame.notes, *classes.notes, *choice.notes, *notes)
    return _Prepared(used, classes.values, classes.classes, classes.labels, parts, rule, found, choice, facts, every)


def describe(path: Path, reading: Reading) -> Report:
    """What a table holds, before it is known what is to be learnt: its columns and which of them could be the target.

    Raises:
        UnknownName, InvalidData: as `load_table`, of what a file shows without a target.
    """
    frame = _frame(path, reading, None)
    found = decided(frame, None, reading)
    values = _parsed(frame, found)
    likely = candidates(values)
    reasons = left_out(frame, values, found)
    columns = tuple(
        Column(name, kind, "left out" if why else "feature", values[name].missing, values[name].distinct, "", why)
        for name, (kind, why) in reasons.items()
    )
    return Report(len(frame), columns, frame.notes, likely)


def _frame(path: Path, reading: Reading, target: str | None) -> Frame:
    """The table of a file, or of two below each other."""
    frame = without_missing(_read(path, reading, target), reading.missing)
    if reading.test is None:
        return frame
    second = Path(reading.test)
    if not second.is_file():
        raise InvalidData(f"{reading.test} is no file: give the path of a table with the columns of {path.name}.")
    other = _read(second, reading, target, suffix_of(path.name))
    return joined(frame, without_missing(other, reading.missing))


def _read(path: Path, reading: Reading, target: str | None, otherwise: str = "") -> Frame:
    source = open_source(path, otherwise)
    if source.suffix in TEXTS:
        return read_text(source, reading, [*reading.categorical, *([target] if target else [])])
    if source.suffix in SHEETS:
        return read_sheet(source, reading)
    if source.suffix == ".arff":
        return read_arff(source)
    if source.suffix in (".libsvm", ".svm"):
        return read_svmlight(source)
    return read_columns(source)


def _target(frame: Frame, path: Path, target: str | None) -> str | None:
    """The target that is given, or that of a libsvm file, which has but one."""
    libsvm = target is None and {".libsvm", ".svm"} & {*path.suffixes}
    return LABEL if libsvm and LABEL in frame.columns else target


def _parsed(frame: Frame, found: Decided) -> dict[str, Parsed]:
    return {
        name: parsed(values, frame.sign, categorical=name in found.categorical)
        for name, values in frame.columns.items()
    }


def _rows(frame: Frame, classes: Labels) -> Frame:
    """The rows that have a target."""
    if len(classes.rows) == len(frame):
        return frame
    rows = pl.Series(classes.rows)
    name, start = frame.second
    return replace(
        frame,
        columns={column: values.gather(rows) for column, values in frame.columns.items()},
        lines=[frame.lines[int(row)] for row in classes.rows],
        second=(name, int((classes.rows < start).sum())),
    )


def _parts(
    frame: Frame, classes: Labels, found: Decided, values: Mapping[str, Parsed], seed: int
) -> tuple[cut.Parts, str]:
    """The rows of each part, and the rule in words."""
    second, start = frame.second
    way_out = "leave its rows out, or give more of them"
    if second:
        parts, rule = cut.by_second_file(frame.name, classes.values, start, seed, second)
    elif found.group is not None:
        parts, rule = cut.by_group(frame.name, classes.values, frame.columns[found.group], found.group, seed)
        way_out = f"its rows are all in groups of that part; {way_out}"
    elif found.time is not None:
        times = values[found.time]
        if times.doubt:
            raise InvalidData(
                f"{frame.name}: column {found.time!r} holds dates that may be read {times.doubt}: write them as "
                "2020-01-31."
            )
        if times.kind not in ("numbers", "dates", "times"):
            raise InvalidData(
                f"{frame.name}: column {found.time!r} holds no times: give numbers, or dates such as 2020-01-31."
            )
        parts, rule = cut.by_time(frame.name, times.values, found.time)
        way_out = f"it comes late only; {way_out}"
    else:
        return cut.by_class(frame.name, classes.values, seed)
    if classes.classes:
        cut.refuse_unseen_classes(second or frame.name, classes.values, classes.classes, parts, way_out)
    return parts, rule


def _told_of_missing(name: str, used: Mapping[str, Parsed]) -> list[Note]:
    """What is told of values that are missing, and of texts that become inputs."""
    notes = []
    holes = [column for column, values in used.items() if values.missing]
    if holes:
        count = sum(used[column].missing for column in holes)
        kinds = {used[column].kind == "categories" for column in holes}
        ways = ["numbers become the mean of the training part, with an input that says so"] if False in kinds else []
        ways += ["texts become a category of their own"] if True in kinds else []
        notes.append(
            Note(
                f"{name}: {counted(count, 'value')} {'is' if count == 1 else 'are'} missing in {shown(holes)}: "
                f"{' and '.join(ways)}; {option('drop', holes[0])} leaves a column out.",
                "--drop",
            )
        )
    texts = [column for column, values in used.items() if values.kind == "categories"]
    if texts:
        notes.append(
            Note(
                f"{name}: {shown(texts)} {'are' if len(texts) > 1 else 'is'} taken for names of categories, an input "
                f"each (one-hot); {option('drop', texts[0])} leaves a column out.",
                "--drop",
            )
        )
    return notes


def _column(name: str, facts: tuple[Kind, int, int], ready: _Prepared, became: Mapping[str, Encoded]) -> Column:
    """What was made of one column."""
    kind, missing, distinct = facts
    if name in ready.decided.targets:
        became_target = f"the target: {len(ready.classes)} classes" if ready.classes else "the target: a quantity"
        if ready.names:
            became_target = f"the target: {len(ready.names)} labels" if len(ready.decided.targets) == 1 else "a label"
        return Column(name, kind, "target", missing, distinct, became_target)
    if name in ready.choice.out:
        return Column(name, kind, "left out", missing, distinct, "left out", ready.choice.out[name])
    found = became[name]
    if not found.features:
        why = "holds one value only in the training part"
        return Column(name, "constant", "left out", missing, distinct, "left out", why)
    return Column(name, kind, "feature", missing, distinct, found.became, features=found.features)


def _decisions(reading: Reading, notes: Iterable[Note]) -> str:
    """What was decided of the file, in words for the provenance."""
    no_header = reading.header == "no" or any(note.option == "--header" and "1 to" in note.sentence for note in notes)
    header = ", no header row" if no_header else ""
    classes = f", classes by {reading.classes}" if reading.classes else ""
    return header + classes
