"""Columns as the inputs of a network. What is estimated for that is estimated on the training part alone."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from actlab.errors import InvalidData
from actlab.tasks.split import Indices
from actlab.tasks.tables.kinds import Parsed
from actlab.tasks.tables.source import memory
from actlab.tasks.task import Samples
from actlab.wording import size

Values = npt.NDArray[np.float64]
# More categories than these share the input "other", the rarest of them.
MOST_CATEGORIES = 20
# Columns that are put into the array together, and rows: they fill a line of the cache, and fit into it.
AT_ONCE = 16
ROWS_AT_ONCE = 4096
MISSING = "missing"
OTHER = "other"


@dataclass(frozen=True)
class Encoded:
    """What a column became.

    Attributes:
        features: the names of its inputs.
        inputs: their values, float32, one (rows,) each.
        became: it in words.
    """

    features: tuple[str, ...]
    inputs: tuple[Samples, ...]
    became: str


def encode(
    name: str, used: MutableMapping[str, Parsed], parts: Sequence[Indices], keep: Sequence[str]
) -> tuple[list[Samples], dict[str, Encoded]]:
    """The inputs of every part, and what each column became.

    A column is taken out of `used` as soon as it is encoded: a large table is never held three times.

    Args:
        name: of the file.
        used: the columns to train on, in order.
        parts: the rows of each part, those of the training part first.
        keep: columns whose inputs stay even if they are constant in the training part.

    Returns:
        float32, (rows of the part, inputs), for each part; and by column what it became, its inputs left out.

    Raises:
        InvalidData: more inputs than the memory holds, or none that is not constant in the training part.
    """
    train = parts[0]
    width = sum(_most_inputs(column) for column in used.values())
    _refuse_more_than_memory(name, sum(map(len, parts)), width)
    arrays = [np.empty((len(part), width), np.float32) for part in parts]
    became: dict[str, Encoded] = {}
    waiting: list[Samples] = []
    filled = 0
    for column in list(used):
        found = _varying(_encoded(column, used.pop(column), train), train, column in keep)
        became[column] = Encoded(found.features, (), found.became)
        waiting += found.inputs
        if len(waiting) >= AT_ONCE or not used:
            _put(arrays, parts, waiting, filled)
            filled += len(waiting)
            waiting = []
    if not filled:
        raise InvalidData(f"{name}: no column differs between the rows of the training part: add columns.")
    return [array if filled == width else array[:, :filled].copy() for array in arrays], became


def _most_inputs(values: Parsed) -> int:
    """How many inputs a column becomes at most."""
    absent = int(values.missing > 0)
    if values.kind == "categories":
        return min(values.distinct + absent, MOST_CATEGORIES)
    return (5 if values.kind == "dates" else 1) + absent


def _refuse_more_than_memory(name: str, rows: int, width: int) -> None:
    # The arrays, and what is checked, copied and trained of them.
    if (needed := 8 * rows * width) > memory():
        raise InvalidData(
            f"{name} becomes up to {width:,} inputs of {rows:,} rows, {size(needed)}, more than the {size(memory())} "
            "of memory here: leave columns of many categories out with --drop COLUMN."
        )


def _put(arrays: Sequence[Samples], parts: Sequence[Indices], inputs: Sequence[Samples], start: int) -> None:
    """Put inputs side by side into the rows of each part, from the column `start` on.

    Some columns and some rows at a time: the numbers of a whole column lie far apart in the array.
    """
    for array, part in zip(arrays, parts, strict=True):
        for first in range(0, len(part), ROWS_AT_ONCE):
            rows = part[first : first + ROWS_AT_ONCE]
            for index, values in enumerate(inputs, start):
                array[first : first + len(rows), index] = values[rows]


def _varying(found: Encoded, train: Indices, kept: bool) -> Encoded:
    """What a column became, without inputs that are constant in the training part."""
    if kept:
        return found
    varies = [bool(np.ptp(values[train]) > 0) for values in found.inputs]
    if all(varies):
        return found
    features = tuple(feature for feature, good in zip(found.features, varies, strict=True) if good)
    inputs = tuple(values for values, good in zip(found.inputs, varies, strict=True) if good)
    return Encoded(features, inputs, found.became if features else "left out: constant in the training part")


def _encoded(column: str, values: Parsed, train: Indices) -> Encoded:
    if values.kind == "categories":
        return _one_hot(column, values, train)
    if values.kind == "dates":
        return _dates(column, values, train)
    array = values.values.to_numpy(writable=False)
    filled, absent = _filled(array, train)
    if values.kind == "yes or no":
        inputs: dict[str, Samples] = {column: filled.astype(np.float32)}
        words = f"0 and 1{f', {values.note}' if values.note else ''}"
    else:
        inputs = {column: standardised(filled, train)}
        how = f" ({values.note})" if values.note else ""
        words = f"1 number{' of hours' if values.kind == 'times' else ''}{how}, standardised"
    return _with_missing(column, inputs, absent, words)


def _with_missing(
    column: str, inputs: Mapping[str, Samples], absent: npt.NDArray[np.bool_] | None, words: str
) -> Encoded:
    """Inputs with one more that says where a value is missing."""
    if absent is None:
        return Encoded(tuple(inputs), tuple(inputs.values()), words)
    features = (*inputs, f"{column} is missing")
    return Encoded(
        features,
        (*inputs.values(), absent.astype(np.float32)),
        f"{words}; the mean where missing, and 1 input that says so",
    )


def _filled(array: Values, train: Indices) -> tuple[Values, npt.NDArray[np.bool_] | None]:
    """Values with the mean of the training part where they are NaN, and where that is; None where it is nowhere.

    By scikit-learn's SimpleImputer; a column without any value in the training part is 0.
    """
    absent = np.isnan(array)
    if not absent.any():
        return array, None
    from sklearn.impute import SimpleImputer

    imputer = SimpleImputer(strategy="mean", keep_empty_features=True).fit(array[train, None])
    return np.asarray(imputer.transform(array[:, None]))[:, 0], absent


def standardised(values: Values, train: Indices) -> Samples:
    """Values less the mean of the training part, divided by its standard deviation; 0 where that is constant.

    >>> standardised(np.array([1.0, 3.0, 5.0]), np.array([0, 1])).tolist()
    [-1.0, 1.0, 3.0]
    """
    known = values[train]
    if known.max() == known.min():
        return np.zeros(len(values), np.float32)
    # Dividing by the largest magnitude first keeps the squares of huge values finite; it cancels out.
    largest = np.abs(known).max()
    scaled = known / largest
    # Added one after the other, as NumPy adds the rows of an array: the same bytes as ever.
    mean = _mean(scaled)
    deviation = np.sqrt(_mean((scaled - mean) ** 2))
    return ((values / largest - mean) / deviation).astype(np.float32)


def _mean(values: Values) -> np.float64:
    return np.cumsum(values)[-1] / len(values)


def _one_hot(column: str, values: Parsed, train: Indices) -> Encoded:
    """An input for each category of the training part, by scikit-learn's OneHotEncoder.

    The rarest of more than `MOST_CATEGORIES` share one input, and so do those that the training part lacks; without
    such an input these are 0 everywhere. A missing value is a category of its own.
    """
    from sklearn.preprocessing import OneHotEncoder

    texts = values.values
    present = {*texts.unique().drop_nulls()}
    absent = next(name for name in (MISSING, f"({MISSING})", f"(({MISSING}))") if name not in present)
    cells = texts.fill_null(absent).to_numpy().astype(object)[:, None]
    encoder = OneHotEncoder(
        max_categories=MOST_CATEGORIES,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,  # pyright: ignore[reportArgumentType]
    ).fit(cells[train])
    found = np.asarray(encoder.transform(cells))
    rare = encoder.infrequent_categories_[0]
    rest = set() if rare is None else {*rare}
    names = [str(name) for name in encoder.categories_[0] if name not in rest] + ([OTHER] if rest else [])
    shown = ", ".join(names[:4]) + (f", … {len(names)} in all" if len(names) > 4 else "")
    others = f", the {len(rest)} rarest as {OTHER}" if rest else ""
    inputs = tuple(np.ascontiguousarray(found[:, index]) for index in range(found.shape[1]))
    noun = "input" if len(names) == 1 else "inputs"
    return Encoded(
        tuple(f"{column} = {name}" for name in names), inputs, f"{len(names)} {noun} of 0 and 1: {shown}{others}"
    )


def _dates(column: str, values: Parsed, train: Indices) -> Encoded:
    """Year, month, day of the week (1 is Monday), days since the first date of the training part; the hour if given."""
    dates = values.values
    first = dates.gather(train).min()
    days = (dates - first).dt.total_seconds() / 86_400 if first is not None else dates.cast(pl.Float64)
    found = {
        "year": dates.dt.year(),
        "month": dates.dt.month(),
        "day of week": dates.dt.weekday(),
        "days": days,
    }
    if bool((dates.dt.time().cast(pl.Int64) != 0).any()):
        found["hour"] = dates.dt.hour()
    absent = None
    inputs: dict[str, Samples] = {}
    for what, series in found.items():
        array = series.cast(pl.Float64).to_numpy()
        filled, absent = _filled(array, train)
        inputs[f"{column}: {what}"] = standardised(filled, train)
    since = f" since {first:%Y-%m-%d}" if first is not None else ""  # pyright: ignore[reportInvalidStringFormat]
    words = ", ".join(found).replace("days", f"days{since}", 1) if "days" in found else ""
    return _with_missing(column, inputs, absent, words)
