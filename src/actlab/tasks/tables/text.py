"""A table that is written as text: its encoding, its separator and its decimal sign, found from its beginning."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from actlab.errors import InvalidData
from actlab.tasks.cells import GROUPED, GROUPED_BY_POINTS, missing, numeric
from actlab.tasks.reading import Reading, separator_of
from actlab.tasks.tables.source import Source
from actlab.wording import listed

# So much of a text is looked at, in characters and in rows.
CHARACTERS = 200_000
MOST_CHARACTERS = 2**26
ROWS = 200
FEWEST_ROWS = 20
CELLS = 20_000
# A separator is one that most rows agree on; a few may be cut, or hold a text with it.
AGREEING = 0.9
_CANDIDATES = ("\t", ",", ";", "|", " ")
_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", " ": "blanks"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        encoding: as Python names it.
        separator: between cells; a blank stands for any number of blanks and tabs.
        decimal: the sign before the fraction.
    """

    encoding: str
    separator: str
    decimal: str

    def told(self, suffix: str) -> str:
        """What is other than such a file's ending says, in words; empty where nothing is.

        >>> Dialect("cp1252", ";", ",").told(".csv")
        'is separated by semicolons (--separator), has decimal commas (--decimal) and is encoded as cp1252 (--encoding)'
        """
        usual = {".csv": (",",), ".tsv": ("\\t", "\t")}.get(suffix, _CANDIDATES)
        name = _NAMES.get(self.separator, repr(self.separator))
        parts = [f"is separated by {name} (--separator)"] if self.separator not in usual else []
        parts += ["has decimal commas (--decimal)"] if self.decimal == "," else []
        parts += [f"is encoded as {self.encoding} (--encoding)"] if not self.encoding.startswith("utf-8") else []
        return listed(parts)


def dialect(source: Source, reading: Reading) -> Dialect:
    """How a table is written, as decided or found.

    Raises:
        InvalidData: no text; bytes that the decided encoding has not; numbers that may have a decimal comma or groups
            of three digits.
    """
    encoding = _encoding(source, reading.encoding)
    lines = [line for line in beginning(source, encoding) if line.strip()][:ROWS]
    named = re.fullmatch("sep=(.)", lines[0].strip("\ufeff")) if lines else None
    if named:  # A line by which spreadsheets tell each other.
        lines = lines[1:]
    decided = reading.separator or (named[1] if named else None)
    separator = separator_of(decided) if decided else _separator(lines, source.suffix)
    decimal = reading.decimal or _decimal(source.name, _body(lines, separator), separator)
    return Dialect(encoding, separator, decimal)


def beginning(source: Source, encoding: str) -> list[str]:
    """The first lines of a text, without one that is cut."""
    characters = CHARACTERS
    while True:
        found = source.beginning(4 * characters).decode(encoding, errors="ignore")
        lines = found[:characters].splitlines()
        if source.length <= 4 * characters and len(found) <= characters:
            return lines
        # Of very long rows, too, some are looked at.
        if len(lines) > FEWEST_ROWS or characters > MOST_CHARACTERS:
            return lines[:-1]
        characters *= 8


def _encoding(source: Source, decided: str | None) -> str:
    """The encoding: by its mark, as UTF-8 where all bytes are, as UTF-16 by its zeros, else that of western Windows."""
    name, content = source.name, source.beginning(1000)
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    candidates = [decided] if decided else [marked] if marked else ["utf-8"]
    if not decided and not marked:
        if b"\0" in content:
            odd, even = content[1::2].count(0), content[::2].count(0)
            most, least = max(odd, even), min(odd, even)
            latin = most > len(content) / 4 and most > 10 * least
            candidates = ["utf-16-le" if odd > even else "utf-16-be"] if latin else []
        else:
            candidates += ["cp1252", "latin-1"]
    for encoding in candidates:
        if _decodes(source, encoding):
            return encoding
    if not candidates or (not decided and any(b"\0" in block for block in source.blocks())):
        raise InvalidData(f"{name} is no text: it holds bytes of zero; write the table again, as text in UTF-8.")
    raise InvalidData(
        f"{name} cannot be read as {candidates[-1]}: say --encoding with that of the program that wrote it, "
        "as utf-8 or latin-1."
    )


def _decodes(source: Source, encoding: str) -> bool:
    """Whether all bytes are of an encoding; block by block, for the text would take several times the bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    try:
        for block in source.blocks():
            if b"\0" in block and not wide:
                return False
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _separator(lines: Sequence[str], suffix: str) -> str:
    """The character by which most rows fall into equally many cells, and most cells are numbers."""
    found: dict[str, tuple[float, bool, int]] = {}
    for candidate in _CANDIDATES:
        first, body = _body(lines[:1], candidate), _body(lines, candidate)
        width, count = Counter(map(len, body)).most_common(1)[0] if body else (1, 0)
        if width < 2 or count < AGREEING * len(body):
            continue
        cells = [cell.strip() for row in body for cell in row][:CELLS]
        signs = ".," if candidate != "," else "."
        readable = sum(any(numeric(cell, sign) for sign in signs) or missing(cell) for cell in cells)
        found[candidate] = round(readable / len(cells), 2), len(first[0]) == width if first else False, width
    by_ending = {".tsv": "\t", ".csv": ","}.get(suffix, "")
    if not found:
        return by_ending or ","
    words = found.pop(" ", None)
    # Words of a text are separated by blanks, too: only numbers show that these are cells.
    if words and (not found or words[0] > max(0.5, *(share for share, _, _ in found.values()))):
        return " "
    return max(found, key=lambda mark: (*found[mark][:2], mark == by_ending, found[mark][2]))


def _body(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The rows below the first, which may be longer or shorter; of a single row, that one."""
    try:
        rows = [row for row in cells_of(lines, separator) if any(row)]
    except csv.Error:
        return []
    return rows[1:] or rows


def cells_of(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    r"""The cells of each row. Raises csv.Error at a quotation mark that is never closed.

    >>> list(cells_of(['"a, b"; 1', "c;2"], ";")), list(cells_of(["  1.5   2 "], " "))
    ([['a, b', '1'], ['c', '2']], [['1.5', '2']])
    """
    if separator == " ":
        lines = (line.replace("\t", " ").strip() for line in lines)
    return csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)


def _decimal(name: str, rows: Sequence[Sequence[str]], separator: str) -> str:
    """The decimal sign that the numbers of a table show. Raises InvalidData where they may be read in both ways."""
    commas = points = 0
    doubtful = ""
    for cell in islice((cell.strip() for row in rows for cell in row if "," in cell or "." in cell), CELLS):
        grouped, by_points = re.match(GROUPED, cell), re.match(GROUPED_BY_POINTS, cell)
        if grouped and "." not in cell:
            doubtful = doubtful or cell
        elif by_points and "," in cell and cell.count(".") > 0:
            commas += 1
        elif grouped or re.fullmatch(r"[+-]?\d*\.\d*(?:[eE][+-]?\d+)?", cell):
            points += 1
        elif re.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", cell):
            commas += 1
    if commas and not points:
        return ","
    if doubtful and not points and separator != ",":
        raise InvalidData(
            f"{name}: {doubtful} is a thousand and more, or has a decimal comma: say --decimal . or --decimal , "
            "(separated by commas, both are quoted)."
        )
    return "."
