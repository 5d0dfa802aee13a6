"""Tables in files of other kinds than plain text, each read by the library that knows it.

Polars reads Parquet, Arrow, JSON and, with fastexcel, workbooks, all without further packages, where pandas asks for
one for each of them; it takes all cores, and says of a column that does not parse instead of making objects of it.
Nothing is unpickled.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from actlab.errors import InvalidData, UnknownName, cut
from actlab.tasks.reading import Reading
from actlab.tasks.tables.frame import Frame, named
from actlab.tasks.tables.report import Note
from actlab.tasks.tables.rows import shaped
from actlab.tasks.tables.source import Source, memory, refuse_large_archive
from actlab.wording import size

LABEL = "label"
# Beside the values themselves, as many bytes are taken for each while the arrays are made.
BYTES_A_VALUE = 16


def read_columns(source: Source) -> Frame:
    """A table of a Parquet, Arrow or JSON file, whose columns have types.

    Raises:
        InvalidData: a damaged file, another kind than its name says, more than the memory holds, no rows.
    """
    try:
        table = _typed(source)
    except InvalidData:
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError, TypeError) as error:
        raise unreadable(source, error) from None
    return _framed(source.name, {column: table[column] for column in table.columns}, table.height)


def unreadable(source: Source, error: Exception) -> InvalidData:
    """That a file cannot be read, with what its reader says in one line."""
    reason = cut(" ".join(str(error).split()) or type(error).__name__)
    return InvalidData(
        f"{source.name} cannot be read as a {source.suffix} file ({reason}): it may be cut short, or be another kind "
        "of file than its name says; write it again."
    )


def _framed(name: str, columns: Mapping[str, pl.Series], rows: int) -> Frame:
    if not rows or not columns:
        raise InvalidData(f"{name} is empty: it holds no rows; give one for each sample.")
    names, notes, _ = named(columns, name)
    series = {column: values.rename(column) for column, values in zip(names, columns.values(), strict=True)}
    return Frame(name, series, range(1, rows + 1), "row", notes=tuple(notes))


def _typed(source: Source) -> pl.DataFrame:
    where: Any = source.path if source.unpacked is None else io.BytesIO(source.unpacked)
    if source.suffix == ".parquet":
        lazy = pl.scan_parquet(where)
        rows = int(lazy.select(pl.len()).collect().item())
        refuse_more_than_memory(source.name, rows, len(lazy.collect_schema()))
        return lazy.collect()
    if source.suffix in (".feather", ".arrow"):
        stream = source.beginning(6) != b"ARROW1"
        return pl.read_ipc_stream(where) if stream else pl.read_ipc(where)
    beginning = source.beginning(10_000).lstrip()
    if beginning.startswith(b"["):
        return pl.read_json(io.BytesIO(source.content()), infer_schema_length=None)
    if not beginning.startswith(b"{"):
        raise ValueError("it is neither a list of objects nor an object in each line")
    try:
        return _of_columns(json.loads(source.content()))
    except json.JSONDecodeError:  # An object in each line.
        return pl.read_ndjson(where, infer_schema_length=None)


def _of_columns(table: Any) -> pl.DataFrame:
    """One JSON object as a table: by column its values in a list, or by row, as pandas writes them."""
    columns = list(table.values())
    if columns and all(isinstance(values, dict) and values.keys() == columns[0].keys() for values in columns):
        return pl.DataFrame({name: list(values.values()) for name, values in table.items()})
    if columns and all(isinstance(values, list) for values in columns):
        return pl.DataFrame(table)
    if columns and not any(isinstance(values, dict) for values in columns):
        return pl.DataFrame([table])
    raise ValueError("its objects are no columns of one length")


def refuse_more_than_memory(name: str, rows: int, columns: int) -> None:
    """Raise InvalidData at a table whose values take more than the memory."""
    needed = rows * columns * BYTES_A_VALUE
    if needed > memory():
        raise InvalidData(
            f"{name} holds {rows:,} rows of {columns:,} columns, which take some {size(needed)}, more than the "
            f"{size(memory())} of memory here: take a part of them."
        )


def read_sheet(source: Source, reading: Reading) -> Frame:
    """One sheet of a workbook, as texts: its first row may name the columns, as in a text.

    Raises:
        InvalidData: no workbook, one with a password, an empty sheet. UnknownName: no such sheet.
    """
    import fastexcel

    refuse_large_archive(source)
    try:
        # A path tells an .ods file by its ending.
        workbook = fastexcel.read_excel(source.path if source.unpacked is None else source.unpacked)
        names = workbook.sheet_names
        chosen = _sheet(names, reading.sheet)
        sheet = workbook.load_sheet(chosen, header_row=None, dtypes="string").to_polars()
    except (UnknownName, InvalidData):
        raise
    except Exception as error:  # fastexcel's errors share no class with any other.
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise InvalidData(f"{source.name} is protected by a password: save it without one.") from None
        raise unreadable(source, error) from None
    refuse_more_than_memory(source.name, sheet.height, sheet.width)
    rows = [([cell or "" for cell in row], line) for line, row in enumerate(sheet.iter_rows(), 1) if any(row)]
    titles = _titles([cells for cells, _ in rows])
    frame = shaped(source.name, rows[titles:], reading, reading.decimal or ".", "row")
    notes = []
    if len(names) > 1 and reading.sheet is None:
        shown = cut(", ".join(names[1:]))
        read = f"{source.name}: sheet {chosen!r} is read, the first of {len(names)}: --sheet for {shown}."
        notes.append(Note(read, "--sheet"))
    if titles:
        told = (
            f"{source.name}: what stands above the table, as {cut(repr(next(filter(None, rows[0][0]))))}, is left out."
        )
        notes.append(Note(told))
    return replace(frame, notes=(*notes, *frame.notes))


def _titles(rows: Sequence[Sequence[str]]) -> int:
    """How many rows above a table hold a title or a remark: a single cell each, where the next row fills nearly all.

    >>> _titles([["Report", "", ""], ["a", "b", "c"], ["1", "2", "3"]]), _titles([["a", "b"], ["1", ""]])
    (1, 0)
    """
    filled = [sum(map(bool, row)) for row in rows]
    count = next((place for place, own in enumerate(filled) if own != 1), 0)
    return count if count and filled[count] > 2 and filled[count] >= len(rows[count]) - 1 else 0


def _sheet(names: list[str], wanted: str | None) -> str:
    """The sheet that is meant by its name, or by its number from 1."""
    if wanted is None or wanted in names:
        return wanted or names[0]
    if wanted.isdecimal() and 0 < int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise UnknownName("sheet", wanted, names)


def read_arff(source: Source) -> Frame:
    """A table of an ARFF file, by SciPy, whose names of categories are bytes of ASCII.

    Raises:
        InvalidData: no ARFF file, or one with attributes of free text, or sparse.
    """
    from scipy.io import arff

    content = source.content()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        # SciPy keeps the names of categories as ASCII; what is none goes through it by its number.
        data, meta = arff.loadarff(io.StringIO(text.encode("ascii", "xmlcharrefreplace").decode("ascii")))
    except Exception as error:  # There is no list of what SciPy raises at a line that it does not expect.
        if isinstance(error, NotImplementedError):
            raise InvalidData(
                f"{source.name} holds {' '.join(str(error).split())}: write the table again as .csv."
            ) from None
        raise unreadable(source, error) from None
    columns = {}
    for column, kind in zip(meta.names(), meta.types(), strict=True):
        columns[_plain(column)] = _of_arff(data[column], kind)
    return _framed(source.name, columns, len(data))


def _of_arff(values: np.ndarray, kind: str) -> pl.Series:
    if kind == "nominal":
        return pl.Series([_plain(value.decode("ascii")) for value in values], dtype=pl.String)
    if kind == "date":
        return pl.Series(values.astype("datetime64[us]"))
    return pl.Series(values.astype(np.float64))


def _plain(text: str) -> str:
    """A text with its characters beyond ASCII.

    >>> _plain("M&#252;nchen"), _plain("a&amp;b")
    ('München', 'a&amp;b')
    """
    return re.sub(r"&#\d+;", lambda match: html.unescape(match[0]), text)


def read_svmlight(source: Source) -> Frame:
    """A table of a libsvm file, by scikit-learn: the column `label`, and the others by number.

    Raises:
        InvalidData: no such file, several labels in a row, more numbers than the memory holds.
    """
    from sklearn.datasets import load_svmlight_file

    try:
        x, y = load_svmlight_file(io.BytesIO(source.content()))
    except (ValueError, OverflowError) as error:
        raise unreadable(source, error) from None
    refuse_more_than_memory(source.name, *x.shape)
    names = [str(index + 1) for index in range(x.shape[1])]
    dense = x.toarray()
    columns = {LABEL: pl.Series(LABEL, np.asarray(y, np.float64))}
    columns |= {column: pl.Series(column, np.ascontiguousarray(dense[:, i])) for i, column in enumerate(names)}
    return _framed(source.name, columns, x.shape[0])
