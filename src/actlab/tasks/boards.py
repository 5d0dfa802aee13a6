"""A table of categories: every board on which a game of tic-tac-toe can end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from actlab.tasks.split import Indices
from actlab.tasks.tables.encoding import encode
from actlab.tasks.tables.kinds import parsed
from actlab.tasks.tables.parts import by_class
from actlab.tasks.tables.report import Column, Report
from actlab.tasks.task import Task, build

_SQUARES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "middle", "right"))
_HOLDS = np.array(["blank", "o", "x"])
_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def tic_tac_toe(seed: int) -> Task:
    """All 958 boards on which a game of tic-tac-toe that x began can end: has x won? Nine squares of three categories.

    No square tells it alone; a weighted sum of all of them, as a network without functions is, has nearly all right.
    Counts as in Aha 1991, Tic-Tac-Toe Endgame, UCI, doi:10.24432/C5688J: 626 won, 332 drawn or lost.

    >>> task = tic_tac_toe(0)
    >>> task.classes, task.x_train.shape
    (('not won', 'won'), (574, 27))
    """
    boards, won = endings()
    labels = won.astype(np.int64)
    columns = {name: pl.Series(name, _HOLDS[own]) for name, own in zip(_SQUARES, boards.T, strict=True)}
    used = {name: parsed(values, categorical=True) for name, values in columns.items()}
    parts, rule = by_class("tic-tac-toe", labels, seed)
    distinct = {name: values.distinct for name, values in used.items()}
    arrays, became = encode("tic-tac-toe", used, parts, ())
    provenance = f"every board on which tic-tac-toe can end (Aha, UCI 1991), computed; squares one-hot; {rule}"
    task = build("tic-tac-toe", *_pairs(arrays, labels, parts), classes=("not won", "won"), provenance=provenance)
    told = [
        Column(name, "categories", "feature", 0, count, became[name].became, features=became[name].features)
        for name, count in distinct.items()
    ]
    told.append(Column("x", "categories", "target", 0, 2, "the target: 2 classes"))
    return replace(task, report=Report(len(labels), tuple(told), ()))


def _pairs(
    arrays: list[np.ndarray], labels: np.ndarray, parts: tuple[Indices, Indices, Indices]
) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(array, labels[rows]) for array, rows in zip(arrays, parts, strict=True)]


def endings() -> tuple[np.ndarray, np.ndarray]:
    """The boards on which a game can end, (boards, 9) of 0 blank, 1 o, 2 x; and on which of them x has won.

    x begins: it has as many squares as o, or one more. Who has a row of three has made the last move.

    >>> boards, won = endings()
    >>> len(boards), int(won.sum())
    (958, 626)
    """
    boards = np.indices((3,) * 9).reshape(9, -1).T
    noughts, crosses = ((boards == own).sum(axis=1) for own in (1, 2))
    rows = boards[:, np.array(_LINES)]
    lost, won = ((rows == own).all(axis=2).any(axis=1) for own in (1, 2))
    by_crosses = won & ~lost & (crosses == noughts + 1)
    by_noughts = lost & ~won & (crosses == noughts)
    drawn = ~won & ~lost & (crosses == 5) & (noughts == 4)
    ended = by_crosses | by_noughts | drawn
    return boards[ended], by_crosses[ended]
