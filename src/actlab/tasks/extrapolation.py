"""Targets that lie beyond what is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from actlab.tasks.tables.report import Note, tell
from actlab.tasks.task import Task
from actlab.wording import number

# Test targets beyond the training part's range are told from this share of them on, if chance does not explain it.
BEYOND = 0.05


def told_of_targets(task: Task) -> Task:
    """The task, with what is to be told of its targets among the notes of its report, and told."""
    if task.targets is None or task.report is None:
        return task
    named = task.targets.names if task.report.columns else ()
    notes = told_beyond(task.name, named, task.numbers("train"), task.numbers("test"))
    tell(notes)
    return replace(task, report=replace(task.report, notes=(*task.report.notes, *notes)))


def told_beyond(
    name: str, targets: Sequence[str], train: npt.NDArray[np.generic], test: npt.NDArray[np.generic]
) -> list[Note]:
    """What is told where many test targets lie outside of the range of those that are trained on.

    Of m test targets 2 m / (n + 1) do so by chance, where n are trained on: told is of three times that and three more.

    Args:
        name: of the file.
        targets: the names of the targets, empty for those of arrays.
        train, test: (n,) or (n, targets).

    >>> [note.sentence[:43] for note in told_beyond("a.csv", ["y"], np.arange(60), np.arange(50, 70))]
    ["a.csv: 10 of 20 test targets of 'y' lie out"]
    >>> told_beyond("a.csv", ["y"], np.arange(60), np.arange(42, 62))
    []
    """
    notes = []
    for place, (own, other) in enumerate(zip(_columns(train), _columns(test), strict=True)):
        low, high = own.min(), own.max()
        count = int(((other < low) | (other > high)).sum())
        if count < BEYOND * len(other) or count < 3 * (1 + 2 * len(other) / (len(own) + 1)):
            continue
        column = f" of {targets[place]!r}" if targets else ""
        spans = [f"{number(values.min(), '.4g')} to {number(values.max(), '.4g')}" for values in (own, other)]
        notes.append(
            Note(
                f"{name}: {count:,} of {len(other):,} test targets{column} lie outside of what is trained on "
                f"({spans[0]}; test: {spans[1]}): networks "
                "seldom foresee such values; a difference or a ratio, as to the value before, may serve better."
            )
        )
    return notes


def _columns(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """(targets, n)."""
    return np.asarray(values, float).reshape(len(values), -1).T
