"""Rows of texts as a frame: which of them names the columns, and which column names the rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np
import polars as pl

from actlab.errors import InvalidData, UnknownName, cut
from actlab.tasks.cells import missing, number
from actlab.tasks.columns import named_like_an_id
from actlab.tasks.header import ROWS_LOOKED_AT, first_row
from actlab.tasks.reading import Reading, columns
from actlab.tasks.tables.frame import ROW_NAMES, Frame, named
from actlab.tasks.tables.report import Note
from actlab.tasks.tables.source import Source
from actlab.tasks.tables.text import Dialect, beginning, cells_of, dialect

# As many rows of Python's texts are held at a time; a column of Polars takes a fifth of their memory.
ROWS_AT_A_TIME = 20_000
# From so many bytes on, a plain table of numbers is read by Polars at once, which is some twenty times as fast.
FAST_FROM = 2**22
_EMPTY = ["", "NA", "na", "NaN", "nan", "NAN", "N/A", "n/a", "NULL", "null", "None", "none", "?", "-"]

Row = tuple[list[str], int]


def read_text(source: Source, reading: Reading, texts: Collection[str]) -> Frame:
    """A table that is written as text.

    Args:
        source: the file.
        reading: what is decided of it.
        texts: columns, by name or number, of which every text is wanted as it stands.

    Raises:
        InvalidData: no text, rows of different lengths, a first row that may be data, nothing but a header.
    """
    found = dialect(source, reading)
    if source.length >= FAST_FROM and (frame := _fast(source, found, reading, texts)) is not None:
        return _told(frame, found, source.suffix)
    with source.open() as stream:
        text = io.TextIOWrapper(stream, found.encoding, newline="")
        try:
            frame = shaped(source.name, _rows(text, found.separator), reading, found.decimal)
        except (csv.Error, UnicodeError) as error:
            raise InvalidData(
                f"{source.name} cannot be read as a table ({error}): it may be cut short; write it again."
            ) from None
    return _told(frame, found, source.suffix)


def _told(frame: Frame, found: Dialect, suffix: str) -> Frame:
    told = found.told(suffix)
    note = Note(f"{frame.name} {told}; these options say otherwise.", "--separator") if told else None
    return replace(frame, notes=(note, *frame.notes)) if note else frame


def _rows(text: Iterable[str], separator: str) -> Iterator[Row]:
    """Each row with something in it, and the line that it ends on."""
    counted = 0

    def lines() -> Iterator[str]:
        nonlocal counted
        for line in text:
            counted += 1
            yield line

    for row in cells_of(lines(), separator):
        if any(row):
            yield row, counted


def shaped(name: str, rows: Iterable[Row], reading: Reading, decimal: str, unit: str = "line") -> Frame:
    """Rows of texts as columns, named by the first row or by number."""
    rows = iter(rows)
    top = list(islice(rows, ROWS_LOOKED_AT + 1))
    top, comments = _without_comments(top)
    if len(top) < (1 if reading.header == "no" else 2):
        held = "only a header row" if top else "nothing"
        raise InvalidData(f"{name} is empty: it holds {held}; give a header row and one row for each sample.")
    first, body = top[0][0], top[1:]
    names, header, notes, row_names = _header(name, first, [row for row, _ in body], reading, decimal)
    notes = comments_told(name, comments) + notes
    samples = chain(body if header == "yes" else top, rows)
    what = "header names" if header == "yes" and len(first) == len(names) else "first row has"
    columns, lines = _columns(name, samples, len(names), what, unit)
    if not lines:
        raise InvalidData(f"{name} is empty: it holds only a header row; give one row for each sample.")
    series = {column: values.rename(column) for column, values in zip(names, columns, strict=True)}
    return Frame(name, series, lines, unit, decimal, tuple(notes), tuple(row_names))


def _without_comments(top: Sequence[Row]) -> tuple[list[Row], int]:
    """The rows without those at the top that begin with #; the last of these may name the columns, as NumPy writes."""
    if top and top[0][0][0] == "sep=" and not any(top[0][0][1:]):
        top = top[1:]
    count = next((i for i, (row, _) in enumerate(top) if not row[0].lstrip().startswith("#")), len(top))
    if count == 0 or count == len(top):
        return list(top), 0
    last, line = top[count - 1]
    cells = [last[0].lstrip("# "), *last[1:]] if last[0].strip("# ") else last[1:]
    numbers = [number(cell) for cell in cells]
    if len(cells) == len(top[count][0]) and None in numbers:
        return [(cells, line), *top[count:]], count - 1
    return list(top[count:]), count


def comments_told(name: str, comments: int) -> list[Note]:
    """That lines at the top are passed over."""
    if not comments:
        return []
    what = "the first line, which begins" if comments == 1 else f"the first {comments} lines, which begin"
    return [Note(f"{name}: {what} with #, {'is' if comments == 1 else 'are'} passed over.")]


def _header(
    name: str, first: Sequence[str], body: Sequence[Sequence[str]], reading: Reading, decimal: str
) -> tuple[list[str], str, list[Note], list[str]]:
    """The names of the columns; whether the first row gives them; what is told; columns that name the rows."""
    width = Counter(map(len, body)).most_common(1)[0][0] if body else len(first)
    if reading.header != "no" and width == len(first) + 1 and _without_a_name(first, body):
        names, notes, _ = named([ROW_NAMES, *first], name)
        return names, "yes", notes, [ROW_NAMES]
    if abs(width - len(first)) > 1 and all(len(row) == width for row in body):
        shown = cut(", ".join(cell.strip() for cell in first))
        raise InvalidData(
            f"{name}: the first row ({shown}) has {len(first)} values and all rows below it {width}: take it out if it "
            "is neither a header nor data, or give it a name for each column."
        )
    header = reading.header
    notes = []
    if header is None:
        fitting = [row for row in body if len(row) == len(first)]
        header = first_row(name, first, fitting, decimal) if fitting or not body else "yes"
        shown = cut(", ".join(cell.strip() for cell in first))
        if header == "no":
            notes.append(
                Note(
                    f"{name}: the first row ({shown}) fits the rows below it and is taken for data, the columns are "
                    f"named 1 to {len(first)}: --header yes if it names them.",
                    "--header",
                )
            )
        elif any(number(cell) is not None and not missing(cell) for cell in first) and "inf" not in shown.lower():
            notes.append(
                Note(f"{name}: the first row ({shown}) is taken for names of columns: --header no if not.", "--header")
            )
    if header == "no":
        return [str(index + 1) for index in range(len(first))], "no", notes, []
    names, renamed, row_names = named(first, name)
    return names, "yes", notes + renamed, row_names


def _without_a_name(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether names of rows, all different, stand before columns with names, as R writes them.

    Rows may also be longer than the first one for a separator at their end.
    """
    before = [row[0] for row in body]
    behind = any(row[-1].strip() for row in body if len(row) > len(first))
    return behind and len({*before}) == len(before) and not any(number(cell) is not None for cell in first)


def _columns(name: str, rows: Iterable[Row], width: int, what: str, unit: str) -> tuple[list[pl.Series], list[int]]:
    """Rows of one length as columns of texts, and where each row stands. Raises InvalidData at another length."""
    parts: list[list[pl.Series]] = [[] for _ in range(width)]
    lines: list[int] = []
    rows = iter(rows)
    while block := list(islice(rows, ROWS_AT_A_TIME)):
        for row, line in block:
            if len(row) != width:
                # Spreadsheets and trailing separators leave empty cells behind the last one.
                if len(row) > width and not any(row[width:]):
                    continue
                last = next(rows, None) is None and line == block[-1][1]
                raise InvalidData(
                    f"{name}, {unit} {line}: {len(row)} values where the {what} {width} columns"
                    f"{' (it is the last one: the file may be cut short)' if last else ''}: give each row a value for "
                    "each column."
                )
        lines += [line for _, line in block]
        for index, column in enumerate(zip(*(row[:width] for row, _ in block), strict=True)):
            parts[index].append(pl.Series(column, dtype=pl.String))
    return [pl.concat(part) if part else pl.Series([], dtype=pl.String) for part in parts], lines


def _fast(source: Source, found: Dialect, reading: Reading, texts: Collection[str]) -> Frame | None:
    """A large plain table, read by Polars at once; None where anything in it asks for a closer look.

    Polars fills short rows with nulls without a word. So the separators are counted: where no row has too many, which
    it refuses, and all rows together have the right number, none has too few.
    """
    plain = found.separator != " " and found.separator.isascii() and found.encoding.startswith("utf-8")
    if source.unpacked is not None or not plain or reading.test or source.beginning(3) == codecs.BOM_UTF8:
        return None
    top = list(cells_of(beginning(source, "utf-8"), found.separator))
    if len(top) < 2 or not all(any(row) and len(row) == len(top[0]) for row in top) or top[0][0].startswith("#"):
        return None
    names, header, notes, row_names = _header(source.name, top[0], top[1:], reading, found.decimal)
    exact = _exact(texts, names)
    schema = {
        column: pl.Float64 if numeric and column not in exact and not named_like_an_id(column) else pl.String
        for column, numeric in zip(names, _numeric(top[1:], found.decimal), strict=True)
    }
    skipped = int(header == "yes")
    counts = _counted(source, found.separator)
    frame = counts and _by_polars(source, found, schema, skipped)
    if not counts or frame is None:
        return None
    rows = frame.height + skipped
    if counts != ((len(names) - 1) * rows, rows):
        return None
    # A minus beside a plus is a value, and in a target of texts everything is.
    doubtful = [column for column in names if frame[column].null_count() and frame[column].dtype == pl.String]
    if any((column in exact and reading.classes == "texts") or (frame[column] == "+").any() for column in doubtful):
        return None
    lines = range(1 + skipped, rows + 1)
    return Frame(source.name, dict(frame.to_dict()), lines, "line", found.decimal, tuple(notes), tuple(row_names))


def _by_polars(source: Source, found: Dialect, schema: Mapping[str, Any], skipped: int) -> pl.DataFrame | None:
    """A table as Polars reads it; None where a column does not parse."""
    # Looking for words for missing values in every cell takes a third of the time: only where there are some.
    for absent in (None, _EMPTY):
        try:
            return pl.read_csv(
                source.path,
                has_header=False,
                skip_rows=skipped,
                schema=schema,
                separator=found.separator,
                decimal_comma=found.decimal == ",",
                null_values=absent,
                quote_char=None,
            )
        except (pl.exceptions.PolarsError, ValueError):
            continue
    return None


def _exact(texts: Collection[str], names: Sequence[str]) -> set[str]:
    """The columns of which every text is wanted as it stands; which there are not, is said later."""
    try:
        return {*columns(texts, names)}
    except UnknownName:
        return set()


def _numeric(body: Sequence[Sequence[str]], decimal: str) -> list[bool]:
    """Whether all cells of a column are numbers, by column."""
    return [all(number(cell, decimal) is not None for cell in column) for column in zip(*body, strict=True)]


def _counted(source: Source, separator: str) -> tuple[int, int] | None:
    """How many separators and ends of lines there are; None where a quotation mark makes some of them no such thing."""
    separators = ends = 0
    last = b"\n"
    for block in source.blocks():
        if b'"' in block or (b"\r" in block and block.count(b"\r\n") + block.endswith(b"\r") < block.count(b"\r")):
            return None
        # One comparison of many bytes: bytes.count stops at each of them.
        array = np.frombuffer(block, np.uint8)
        separators += int(np.count_nonzero(array == ord(separator)))
        ends += int(np.count_nonzero(array == ord("\n")))
        last = block[-1:]
    return separators, ends + (last != b"\n")
