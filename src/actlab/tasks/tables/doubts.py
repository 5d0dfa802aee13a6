"""What in a table may not be what it seems: numbers that stand for nothing known, rows that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from actlab.tasks.cells import number
from actlab.tasks.reading import Reading, option
from actlab.tasks.tables.choice import Decided
from actlab.tasks.tables.frame import Frame
from actlab.tasks.tables.kinds import Parsed
from actlab.tasks.tables.report import Note
from actlab.wording import counted, listed
from actlab.wording import number as written

# What devices and questionnaires write where nothing is known.
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
# What is named so may say who a row is of, where it comes again and again.
OWNERS = {
    "subject", "patient", "person", "user", "customer", "client", "participant", "group", "session", "family", "site",
    "household", "animal", "driver", "speaker", "writer", "student", "school", "hospital", "machine", "station",
}  # fmt: skip
FEWEST_OWNERS, ROWS_OF_ONE = 5, 2


def without_missing(frame: Frame, missing: Sequence[str]) -> Frame:
    """The table with nothing in the cells that hold one of these texts, or the number that it writes."""
    if not missing:
        return frame
    texts = sorted({text.strip().lower() for text in missing})
    values = [value for value in map(number, missing) if value is not None]
    columns, found = {}, False
    for name, own in frame.columns.items():
        if own.dtype == pl.String:
            lower = own.str.strip_chars().str.to_lowercase()
            plain = lower.str.replace(",", ".", literal=True) if frame.sign == "," else lower
            gone = lower.is_in(texts) | plain.cast(pl.Float64, strict=False).is_in(values).fill_null(False)
        elif own.dtype.is_numeric():
            gone = own.cast(pl.Float64).is_in(values)
        else:
            gone = pl.Series([False] * len(own))
        gone = gone.fill_null(False)
        found = found or bool(gone.any())
        columns[name] = own.set(gone, None)
    without = Note(f"{frame.name}: no cell holds what --missing says, {listed([repr(text) for text in missing])}.")
    return replace(frame, columns=columns, notes=frame.notes if found else (*frame.notes, without))


def told_of_sentinels(name: str, used: Mapping[str, Parsed]) -> Iterator[Note]:
    """Notes of numbers that stand far from all others of a column, and are among those that devices write."""
    for column, values in used.items():
        if values.kind != "numbers":
            continue
        numbers = values.values.drop_nulls().to_numpy()
        for sentinel in SENTINELS:
            count = int((numbers == sentinel).sum())
            others = numbers[numbers != sentinel]
            if not count or len(others) < 2:
                continue
            low, high = float(others.min()), float(others.max())
            away = max(low - sentinel, sentinel - high)
            # As far from all others as these lie apart: of few different numbers it may be one more.
            if away <= max(high - low, 1.0) or len(np.unique(others)) < FEWEST_OWNERS:
                continue
            times = "once" if count == 1 else f"{count:,} times"
            yield Note(
                f"{name}: column {column!r} holds {sentinel:g} {times}, far from its other numbers ({written(low)} to "
                f"{written(high)}), which is taken as it stands: "
                f"{option('missing', f'{sentinel:g}')} says that nothing is known there.",
                "--missing",
            )


def told_of_texts(frame: Frame, used: Mapping[str, Parsed], out: Mapping[str, str]) -> Iterator[Note]:
    """Notes of numbers with leading zeros, which codes have, and of numbers with a unit, left out as texts."""
    for column, values in used.items():
        texts = frame.columns[column]
        if values.kind == "numbers" and texts.dtype == pl.String and texts.str.contains(r"^\s*0\d{2,}\s*$").any():
            yield Note(
                f"{frame.name}: column {column!r} holds whole numbers with leading zeros, as codes have them, and they "
                f"are taken for quantities: {option('categorical', column)} takes them for names.",
                "--categorical",
            )
    for column in out:
        texts = frame.columns[column]
        if texts.dtype != pl.String or not out[column].startswith("holds texts"):
            continue
        known = texts.drop_nulls()
        if len(known) and known.str.contains(r"^\s*[-+]?\d+([.,]\d+)?\s*[^\d\s.,:/-]+\s*$").all():
            yield Note(
                f"{frame.name}: the texts of {column!r} are numbers with a unit, as {known[0]!r}: with the numbers "
                "alone it can be trained on.",
            )


def told_of_order(name: str, used: Mapping[str, Parsed], found: Decided, reading: Reading) -> Iterator[Note]:
    """Notes where rows have a time or belong together, and parts are cut without regard to that."""
    if found.time or found.group or reading.test:
        return
    times = [column for column, values in used.items() if values.kind == "dates"]
    if times:
        yield Note(
            f"{name}: {times[0]!r} says when a row is of, and the parts are cut at random: if later rows are to be "
            f"foreseen, {option('time', times[0])} tests on the latest.",
            "--time",
        )
    for column, values in used.items():
        words = {*column.lower().replace("_", " ").replace("-", " ").split()}
        rows = len(values.values) - values.missing
        several = values.distinct >= FEWEST_OWNERS and ROWS_OF_ONE * values.distinct <= rows
        if words & OWNERS and several and values.kind in ("categories", "numbers"):
            yield Note(
                f"{name}: {column!r} has {counted(values.distinct, 'value')} for {rows:,} rows, and those of "
                f"one are in all parts: if new ones are to be foreseen, {option('group', column)} keeps each together.",
                "--group",
            )
