"""A task in the terminal, before anything is trained: columns, classes, parts, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from actlab.tasks import Task
from actlab.tasks.reading import option
from actlab.tasks.tables.report import Column, Note, Report
from actlab.tasks.task import Targets
from actlab.views.terminal.comparison import plain_table
from actlab.wording import DASH, counted

# More columns or classes than a terminal shows at once.
MOST_COLUMNS = 60
MOST_CLASSES = 30


def task_card(task: Task) -> RenderableType:
    """A task whose target is known: what its columns became, its classes or numbers, its parts."""
    sizes = [len(task.y_train), len(task.y_validation), len(task.y_test)]
    aim = f"{task.class_count} classes"
    if task.targets is not None:
        aim = f"{counted(len(task.targets), 'number')} to predict"
    if task.labels:
        aim = f"{counted(len(task.labels), 'label')}, any of a sample"
    head = f"{task.name}: {counted(sum(sizes), 'sample')} of {_shape(task)}, {aim}"
    parts: list[RenderableType] = [Text(head, style="bold"), Text(task.provenance, style="dim")]
    if task.report is not None and task.report.columns:
        parts += [Text(), _columns(task.report.columns)]
    parts += [Text(), _classes(task) if task.targets is None else _quantities(task, task.targets)]
    return Group(*parts, *(_notes(task.report.notes) if task.report else ()))


def columns_card(name: str, report: Report) -> RenderableType:
    """A table whose target is not known: its columns, and which of them it could be."""
    head = f"{name}: {counted(report.rows, 'row')} of {counted(len(report.columns), 'column')}"
    likely = report.candidates[:3]
    hint = "Say which column is to be learnt: --target COLUMN."
    if likely:
        options = ", or ".join(option("target", column) for column in likely)
        hint = f"Say which column is to be learnt; most likely: {options}."
    return Group(Text(head, style="bold"), Text(), _columns(report.columns), *_notes(report.notes), Text(), Text(hint))


def _shape(task: Task) -> str:
    shape = "×".join(map(str, task.input_shape))
    noun = "token" if task.holds_tokens else "input"
    return f"{shape} {noun if shape == '1' else f'{noun}s'}" if len(task.input_shape) == 1 else shape


def _columns(columns: tuple[Column, ...]) -> Table:
    """What every column holds and becomes."""
    table = plain_table()
    table.add_column("column", style="bold", overflow="fold")
    table.add_column("holds", no_wrap=True)
    table.add_column("different", justify="right")
    table.add_column("missing", justify="right")
    table.add_column("becomes", overflow="fold")
    for column in columns[:MOST_COLUMNS]:
        why = f"left out: {column.why}" if column.role == "left out" else column.became
        missing = f"{column.missing:,}" if column.missing else DASH
        style = "dim" if column.role == "left out" else ""
        table.add_row(Text(column.name), column.kind, f"{column.distinct:,}", missing, Text(why), style=style)
    if len(columns) > MOST_COLUMNS:
        table.add_row(Text(f"… {len(columns) - MOST_COLUMNS:,} more"), "", "", "", "")
    return table


def _classes(task: Task) -> Table:
    """The samples of each class in each part."""
    parts = (task.y_train, task.y_validation, task.y_test)
    names = task.labels or task.classes
    counts = [y.sum(axis=0) if task.labels else np.bincount(y, minlength=task.class_count) for y in parts]
    table = plain_table()
    table.add_column("label" if task.labels else "class", style="bold", overflow="fold")
    for part in ("training", "validation", "test"):
        table.add_column(part, justify="right")
    table.add_column("share", justify="right")
    total = sum(map(len, parts))
    for index, name in enumerate(names[:MOST_CLASSES]):
        own = [int(count[index]) for count in counts]
        table.add_row(Text(name), *(f"{count:,}" for count in own), f"{100 * sum(own) / total:.1f} %")
    if len(names) > MOST_CLASSES:
        table.add_row(Text(f"… {len(names) - MOST_CLASSES:,} more"), "", "", "", "")
    table.add_row("all samples" if task.labels else "all", *(f"{len(y):,}" for y in parts), "", style="dim")
    return table


def _quantities(task: Task, targets: Targets) -> Table:
    """The targets in their own units: how they lie in each part."""
    table = plain_table()
    table.add_column("target", style="bold", overflow="fold")
    table.add_column("part", no_wrap=True)
    for column in ("samples", "mean", "SD", "least", "median", "largest"):
        table.add_column(column, justify="right", no_wrap=True)
    for place, name in enumerate(targets.names):
        for part in ("train", "validation", "test"):
            # To what float32 holds of standardised numbers.
            values = task.numbers(part)[:, place]
            values = np.where(np.abs(values) < 1e-6 * targets.scales[place], 0.0, values)
            found = (values.mean(), values.std(), values.min(), np.median(values), values.max())
            title = Text(name) if part == "train" else Text()
            table.add_row(title, part.replace("train", "training"), f"{len(values):,}", *map(_digits, found))
    return table


def _digits(value: float) -> str:
    """Four digits of a number, without an exponent as long as it is readable so."""
    rounded = float(f"{value:.4g}")
    return f"{rounded:,.10g}" if rounded == 0 or 1e-3 <= abs(rounded) < 1e7 else f"{value:.4g}"


def _notes(notes: Iterable[Note]) -> list[RenderableType]:
    """What was decided, a sentence each."""
    found = [Text(f"• {note.sentence}") for note in notes]
    return [Text(), Text("What was decided", style="bold"), *found] if found else []
