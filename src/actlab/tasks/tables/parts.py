"""Which rows of a table are trained on, validated on and tested on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData
from actlab.tasks.split import Indices, hold_out, split

Parts = tuple[Indices, Indices, Indices]
# Indices of classes, (rows,), or numbers, (rows, targets).
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]
# Folds of a fifth: one is tested on, one validated on.
FOLDS = 5


def by_class(name: str, labels: Labels, seed: int) -> tuple[Parts, str]:
    """Parts of 60, 20 and 20 %, each class with its share, numbers at random; and the rule in words."""
    rows = np.arange(len(labels))
    (train, _), (validation, _), (test, _) = split(rows, labels, seed, name=name)
    return (_indices(train), _indices(validation), _indices(test)), f"split 60/20/20 {_how(labels)}, seed {seed}"


def _how(labels: Labels) -> str:
    return "at random" if labels.dtype.kind == "f" else "stratified by class"


def by_second_file(name: str, labels: Labels, start: int, seed: int, second: str) -> tuple[Parts, str]:
    """The rows of a second file as test part; a sixth of the others as validation part."""
    if start >= len(labels) or start == 0:
        raise InvalidData(f"{second if start else name} has no row with a target: give each row one.")
    rows = np.arange(start)
    (train, _), (validation, _) = hold_out(rows, labels[:start], seed, name=name)
    parts = _indices(train), _indices(validation), np.arange(start, len(labels))
    return parts, f"validation a sixth of {name}, {_how(labels)}, seed {seed}; test {second}"


def by_group(name: str, labels: Labels, groups: pl.Series, column: str, seed: int) -> tuple[Parts, str]:
    """Parts of about 60, 20 and 20 %, all rows of a group in one of them, by scikit-learn's StratifiedGroupKFold.

    Raises:
        InvalidData: fewer than three groups, or a class whose rows are all in the groups of one part.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names, ids = np.unique(groups.cast(pl.String).fill_null("").to_numpy().astype(str), return_inverse=True)
    count = len(names)
    if count < 3:
        raise InvalidData(f"{name}: column {column!r} has {count} groups: three are needed, one for each part.")
    folds = min(FOLDS, count)
    random = int(np.random.default_rng(seed).integers(2**32))
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=random)
    strata = np.zeros(len(labels), np.int64) if labels.dtype.kind == "f" else labels
    held = [test for _, test in _quietly(cut, strata, ids)]
    rng = np.random.default_rng(seed)
    rest = np.concatenate(held[2:])
    parts = rng.permutation(rest), rng.permutation(held[1]), rng.permutation(held[0])
    return parts, f"split by {count:,} groups of {column!r}, about 60/20/20, seed {seed}"


def _quietly(cut: object, labels: Labels, groups: npt.NDArray[np.generic]) -> list[tuple[Indices, Indices]]:
    """The folds, without scikit-learn's warning that a class has few groups: what that does is looked at here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(cut.split(np.zeros(len(labels)), labels, groups))  # pyright: ignore[reportAttributeAccessIssue]


def by_time(name: str, times: pl.Series, column: str) -> tuple[Parts, str]:
    """The earliest 60 % of rows, the 20 % after them and the latest 20 %; rows of one time stay together.

    Raises:
        InvalidData: rows without a time, or too few different ones.
    """
    if times.null_count():
        raise InvalidData(
            f"{name}: column {column!r} says nothing in {times.null_count():,} rows: give each row its time, or leave "
            "--time out."
        )
    values = times.rank("dense").to_numpy()
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    # The first place at or after each share where the time changes.
    changes = np.flatnonzero(np.diff(ranked)) + 1
    ends = [changes[np.argmin(np.abs(changes - share * len(order)))] if len(changes) else 0 for share in (0.6, 0.8)]
    if len(changes) < 2 or ends[0] == ends[1]:
        raise InvalidData(f"{name}: column {column!r} has too few different times to cut three parts by.")
    train, validation, test = np.split(order, ends)
    return (train, validation, test), f"split by time {column!r}: the first 60 %, the next 20 %, the last 20 %"


def refuse_unseen_classes(name: str, labels: Labels, classes: Sequence[str], parts: Parts, way_out: str) -> None:
    """Raise InvalidData at a class that is tested or validated on and not trained on."""
    trained = np.unique(labels[parts[0]])
    for part, rows in zip(("validation", "test"), parts[1:], strict=True):
        if len(strange := np.setdiff1d(labels[rows], trained)):
            raise InvalidData(
                f"{name}: the {part} part holds the class {classes[int(strange[0])]!r}, which the training part lacks: "
                f"{way_out}."
            )


def _indices(rows: npt.NDArray[np.generic]) -> Indices:
    return np.asarray(rows, dtype=np.intp)
