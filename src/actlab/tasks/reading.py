"""How a user's file is to be read, where its content alone leaves a doubt."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from actlab.errors import InvalidData

Header = Literal["yes", "no"]
Classes = Literal["texts", "numbers"]
Layout = Literal["channels-first", "channels-last"]


@dataclass(frozen=True)
class Reading:
    """What a user has decided of a file. What is left open is asked for where it matters, never guessed.

    Attributes:
        header: "yes" if the first row of a `.csv` file names the columns; "no" if it is data, and the columns are named
            by their numbers, from "1" on.
        classes: "texts" if every text of the target is a class as it stands; "numbers" if every number is, however many
            there are and however each is written.
        keep: columns to train on although they count the rows or are named like an id; a `.npz` file's by number.
        drop: columns to leave out.
        layout: of the pictures (n, channels, height, width) or (n, height, width, channels) of a `.npz` file.
        scale: what its samples are divided by; "none" for taking them as they are.

    Raises:
        InvalidData: another word, or one text where a tuple of columns is due.
    """

    header: Header | None = None
    classes: Classes | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    layout: Layout | None = None
    scale: float | Literal["none"] | None = None

    def __post_init__(self) -> None:
        for name, words in (("header", Header), ("classes", Classes), ("layout", Layout)):
            if getattr(self, name) not in (None, *get_args(words)):
                allowed = " or ".join(map(repr, get_args(words)))
                raise InvalidData(f"{name} is {allowed}, not {getattr(self, name)!r}.")
        for name in ("keep", "drop"):
            if isinstance(getattr(self, name), str):
                raise InvalidData(f"{name} is a tuple of columns, not {getattr(self, name)!r}.")


# Which settings each kind of file takes.
_TAKEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        ".csv": frozenset({"header", "classes", "keep", "drop"}),
        ".npz": frozenset({"classes", "keep", "drop", "layout", "scale"}),
    }
)


def refuse_undue(name: str, suffix: str, reading: Reading) -> None:
    """Raise InvalidData if something is decided that cannot be asked of a task of that name.

    >>> refuse_undue("digits", "", Reading(header="no"))
    Traceback (most recent call last):
    actlab.errors.InvalidData: header 'no' was given for 'digits', which is no .csv file: leave it out.
    """
    for field in dataclasses.fields(reading):
        value = getattr(reading, field.name)
        if value in (None, ()) or field.name in _TAKEN.get(suffix, ()):
            continue
        kinds = " or ".join(kind for kind, taken in _TAKEN.items() if field.name in taken)
        shown = ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
        raise InvalidData(f"{field.name} {shown} was given for {name!r}, which is no {kinds} file: leave it out.")


def option(name: str, value: str) -> str:
    """A setting as it is typed on the command line, safe for a shell.

    >>> option("drop", "customer id")
    "--drop 'customer id'"
    """
    return f"--{name} {shlex.quote(value)}"
