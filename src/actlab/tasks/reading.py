"""How a user's file is to be read, where its content alone leaves a doubt."""

from __future__ import annotations

import codecs
import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from actlab.errors import InvalidData, UnknownName

Header = Literal["yes", "no"]
Classes = Literal["texts", "numbers", "fold"]
Aim = Literal["classes", "regression", "labels"]
Layout = Literal["channels-first", "channels-last", "samples-first", "samples-last", "sequences", "tokens"]
Decimal = Literal[".", ","]

# What stands between the cells of a row, by the words that are easier to type than the characters.
SEPARATORS: Mapping[str, str] = MappingProxyType(
    {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "colon": ":", "blanks": " "}
)


@dataclass(frozen=True)
class Reading:
    """What a user has decided of a file. What is left open is decided the safe way and told, or asked for.

    Attributes:
        objective: "classes" if the target names classes, "regression" if its numbers are to be learnt as such,
            "labels" if a sample may have several labels: columns of 0 and 1, or texts such as "red|round".
        header: "yes" if the first row of a table names the columns; "no" if it is data, and the columns are named by
            their numbers, from "1" on.
        classes: "texts" if every text of the target is a class as it stands; "numbers" if every number is, however many
            there are and however each is written; "fold" if texts that differ in case or blanks are one class.
        keep: columns to train on although they would be left out; those of arrays by number.
        drop: columns to leave out.
        layout: of arrays. "channels-first" or "channels-last" of pictures (n, channels, height, width) or (n, height,
            width, channels); "samples-first" or "samples-last" where the axis of the samples is in doubt; "sequences"
            for samples of any shape, which get no axis of channels and are no pixels, and "tokens" for ids that stay
            whole numbers, both for a network of one's own.
        scale: what the samples of arrays are divided by; "none" for taking them as they are.
        size: to how many pixels the pictures of a folder are brought, in height and width.
        categorical: columns of a table whose values, numbers too, are names of categories.
        group: a column of a table; rows that are alike in it come into the same part.
        time: a column of a table; it is trained on earlier rows and tested on later ones.
        test: the path of a second table of the same columns, or of further arrays, which is the test part.
        separator: what stands between the cells of a text: the character, or its name in `SEPARATORS`.
        decimal: the decimal sign of its numbers, "." or ",".
        encoding: of its bytes, as "utf-8" or "latin-1".
        sheet: of a workbook, the name or number of the sheet to read.
        missing: what cells of a table hold that say that nothing is known, besides those that are known to, as "-999".

    Raises:
        InvalidData: another word, or one text where a tuple of columns is due.
    """

    objective: Aim | None = None
    header: Header | None = None
    classes: Classes | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    layout: Layout | None = None
    scale: float | Literal["none"] | None = None
    size: int | None = None
    categorical: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    test: str | None = None
    separator: str | None = None
    decimal: Decimal | None = None
    encoding: str | None = None
    sheet: str | None = None
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in (None, *get_args(words)):
                *others, final = map(repr, get_args(words))
                raise InvalidData(f"{name} is {', '.join(others)} or {final}, not {getattr(self, name)!r}.")
        if self.objective in ("regression", "labels") and self.classes is not None:
            learns = "numbers" if self.objective == "regression" else "labels"
            raise InvalidData(
                f"objective {self.objective!r} learns {learns}; classes {self.classes!r} makes classes of them."
            )
        for name in ("keep", "drop", "categorical", "missing"):
            if isinstance(getattr(self, name), str):
                raise InvalidData(f"{name} is a tuple of columns, not {getattr(self, name)!r}.")
        if self.size is not None and self.size < 1:
            raise InvalidData(f"size is a number of pixels, 1 or more, not {self.size!r}.")
        if self.separator is not None:
            separator_of(self.separator)
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise InvalidData(f"encoding is one that Python knows, as utf-8 or latin-1, not {self.encoding!r}.")


_WORDS: Mapping[str, Any] = MappingProxyType(
    {"objective": Aim, "header": Header, "classes": Classes, "layout": Layout, "decimal": Decimal}
)


def separator_of(text: str) -> str:
    r"""The character that a separator's name or itself stands for. Raises InvalidData at anything else.

    >>> separator_of("tab"), separator_of(r"\t"), separator_of(";")
    ('\t', '\t', ';')
    """
    found = SEPARATORS.get(text.lower(), text.replace("\\t", "\t"))
    if len(found) != 1 or found.isalnum() or found in "\"'\r\n.":
        raise InvalidData(f"separator is one character, or one of {', '.join(SEPARATORS)}, not {text!r}.")
    return found


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
        return bool("".encode(name) or True)
    except (LookupError, TypeError, ValueError):  # No such name, or one that turns bytes into bytes.
        return False


# How the tables are called that are written as text, and all others.
TEXTS = (".csv", ".tsv", ".txt", ".data")
SHEETS = (".xlsx", ".ods")
TABLES = (*TEXTS, *SHEETS, ".parquet", ".feather", ".arrow", ".arff", ".libsvm", ".svm", ".json", ".jsonl", ".ndjson")
# How files of arrays are called, and what a folder of pictures is called here, which has no ending.
ARRAYS = (".npz", ".npy", ".mat")
FOLDER = "folder"
_OF_TABLES = {"objective", "classes", "keep", "drop", "categorical", "group", "time", "test", "missing"}
# Which settings each kind of data takes.
_TAKEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {suffix: frozenset(_OF_TABLES) for suffix in TABLES}
    | {suffix: frozenset({*_OF_TABLES, "header", "decimal", "sheet"}) for suffix in SHEETS}
    | {suffix: frozenset({*_OF_TABLES, "header", "decimal", "separator", "encoding"}) for suffix in TEXTS}
    | {suffix: frozenset({"objective", "classes", "keep", "drop", "test", "layout", "scale"}) for suffix in ARRAYS}
    | {FOLDER: frozenset({"classes", "size"})}
)
_KINDS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("separator", "encoding"), "table written as text")
    | dict.fromkeys(("header", "decimal"), "table written as text or sheet")
    | dict.fromkeys(("categorical", "group", "time", "missing"), "table")
    | dict.fromkeys(("objective", "keep", "drop", "test"), "table or file of arrays")
    | dict.fromkeys(("layout", "scale"), f"file of arrays ({', '.join(ARRAYS)})")
    | {"classes": "data of your own", "size": "folder of pictures", "sheet": "workbook (.xlsx or .ods)"}
)


def refuse_undue(name: str, kind: str, reading: Reading) -> None:
    """Raise InvalidData if something is decided that cannot be asked of a task of that name.

    Args:
        name: of the task.
        kind: its file's ending, or `FOLDER`; empty for a task that is built in.
        reading: what is decided.

    >>> refuse_undue("digits", "", Reading(header="no"))
    Traceback (most recent call last):
    actlab.errors.InvalidData: header 'no' was given for 'digits', which is no table written as text or sheet: leave \
it out.
    """
    for field in dataclasses.fields(reading):
        value = getattr(reading, field.name)
        if value in (None, ()) or field.name in _TAKEN.get(kind, ()):
            continue
        shown = ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
        raise InvalidData(
            f"{field.name} {shown} was given for {name!r}, which is no {_KINDS[field.name]}: leave it out."
        )


def column(text: str, columns: Iterable[str]) -> str:
    """The column that a user means by its name, or by its number from 1. Raises UnknownName if there is none.

    >>> column("kind", ["a", "kind"]), column("1", ["a", "kind"]), column("1", ["2", "1"])
    ('kind', 'a', '1')
    """
    names = list(columns)
    if text in names:
        return text
    if text.isdecimal() and len(text) < 10 and 0 < int(text) <= len(names):
        return names[int(text) - 1]
    raise UnknownName("column", text, names)


def columns(texts: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The columns of a list, each by name or number, several joined by commas too. Raises UnknownName.

    >>> columns(["a,2", "c, d"], ["a", "b", "c, d"])
    ('a', 'b', 'c, d')
    """
    names = list(known)
    found: dict[str, None] = {}
    for text in texts:
        parts = [text] if text in names or "," not in text else [part.strip() for part in text.split(",")]
        found |= dict.fromkeys(column(part, names) for part in parts)
    return tuple(found)


def option(name: str, value: str) -> str:
    """A setting as it is typed on the command line, safe for a shell.

    >>> option("drop", "customer id")
    "--drop 'customer id'"
    """
    return f"--{name} {shlex.quote(value)}"
