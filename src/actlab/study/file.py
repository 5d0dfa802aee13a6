"""Study files: TOML, refused with the line of what is wrong."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from actlab.errors import InvalidStudy, UnknownName
from actlab.functions.variants import bare, split_names
from actlab.layers import names_as_recorded
from actlab.study.observed import Observed
from actlab.study.settings import OWN_FUNCTIONS, Location, Study


def from_toml(path: str | Path, *, recorded: bool = False) -> Study:
    """Read a study file.

    Args:
        path: the file.
        recorded: whether it lies in a run directory: its functions are then taken by name, for they may be a
            user's own that this process does not know.

    Raises:
        InvalidStudy: no such file, no TOML, a wrong key, type or range, a misspelt activation, layer or
            optimiser; the message names key and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # Some editors begin a file with a mark of its encoding.
        settings = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidStudy(f"{path}: cannot be read as a study ({unreadable(error)}).") from None
    try:
        return _study(path, text, settings, recorded)
    except RecursionError as error:
        raise InvalidStudy(f"{path}: cannot be read as a study ({unreadable(error)}).") from None


def unreadable(error: Exception) -> str:
    """Why a text could not be read as TOML, in words that are no advice to programmers.

    >>> unreadable(RecursionError("maximum recursion depth exceeded"))
    'lists or tables lie too deep within each other'
    """
    if isinstance(error, RecursionError):
        return "lists or tables lie too deep within each other"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it holds a whole number of more than 4,300 digits" if "digits" in str(error) else str(error)


def _study(path: Path, text: str, settings: dict[str, Any], recorded: bool) -> Study:
    """The study of what a file says, or InvalidStudy with the line of what is wrong."""
    token = names_as_recorded.set(recorded)
    if "loop" in settings and not recorded:
        raise InvalidStudy(
            f"{path} is of a training in a loop of a user's own, {settings['loop']!r}, which no command runs: call "
            "actlab.torch.compare or actlab.keras.compare again, in Python."
        )
    try:
        # Only a recording's: no command trains in a loop of a user's own that a file names.
        return (Observed if recorded and "loop" in settings else Study)(**settings)
    except InvalidStudy as error:
        location, sentence = error.location, str(error)
    except UnknownName as error:
        location, sentence = _place_of(error, settings), _unknown(error, text, path)
    finally:
        names_as_recorded.reset(token)
    lines = TomlLines(text).lines
    known = [lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines]
    raise InvalidStudy(f"{path}, line {known[0] if known else 1}: {sentence}", location)


def _unknown(error: UnknownName, text: str, path: Path) -> str:
    """What is unknown; of a function that was somebody's own when the file was written, why."""
    told = next((line for line in text.splitlines() if line.startswith(OWN_FUNCTIONS)), "")
    if error.kind != "activation" or repr(error.name) not in told.removeprefix(OWN_FUNCTIONS).split(", "):
        return str(error)
    return (
        f"{error.name!r} is a function of a user's own, of which a study file holds the name and not the code: "
        "register it first (actlab.register), then run the file from Python: "
        f'from actlab.study import from_toml; actlab.run(from_toml({str(path)!r}), "NEW_DIR").'
    )


# Where in a study file the names of each kind stand: first and last key.
_NAMED = {
    "activation": {("activations", "activations"), ("network", "function"), ("network", "activation")},
    "layer": {("network", "layer")},
    "initialiser": {("network", "init")},
    "optimiser": {("optimiser", "optimiser"), ("optimiser", "name")},
}


def _place_of(error: UnknownName, settings: Mapping[str, Any]) -> Location:
    for location, value in _leaves(settings):
        keys = [part for part in location if isinstance(part, str)]
        words = [bare(word) for word in split_names(value)] if isinstance(value, str) else []
        if (keys[0], keys[-1]) in _NAMED[error.kind] and error.name in words:
            return location
    return ()


def _leaves(value: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*location, key))
    else:
        yield location, value


class TomlLines:
    """Finds the line of every table, key and list entry of a TOML text that is known to be valid.

    >>> TomlLines('a = 1\\nb = [\\n  {c = 2},\\n]').lines
    {('a',): 1, ('b',): 2, ('b', 0): 3, ('b', 0, 'c'): 3}
    """

    TOKEN = re.compile(
        r"""#[^\n]*|"{3}[\s\S]*?"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'"""
        r"""|[^\s#"'\[\]{},=.]+|[\[\]{},=.\n]"""
    )

    def __init__(self, text: str) -> None:
        self.lines: dict[Location, int] = {}
        self._entries: dict[Location, int] = {}
        self._left: list[tuple[str, int]] = []
        line = 1
        for token in self.TOKEN.findall(text):
            if not token.startswith("#"):
                self._left.append((token, line))
            line += token.count("\n")
        self._left.reverse()
        table: Location = ()
        while self._left:
            if self._left[-1][0] == "\n":
                self._left.pop()
            elif self._left[-1][0] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Location:
        _, line = self._left.pop()
        repeated = self._left[-1][0] == "["
        if repeated:
            self._left.pop()
        table: Location = ()
        for part in self._key("]"):
            table = (*self._newest(table), part)
        if repeated:
            self._left.pop()
            self.lines.setdefault(table, line)
            self._entries[table] = self._entries.get(table, -1) + 1
            table = self._newest(table)
        self.lines[table] = line
        return table

    def _newest(self, table: Location) -> Location:
        return (*table, self._entries[table]) if table in self._entries else table

    def _key(self, end: str) -> Location:
        parts = itertools.takewhile(lambda token: token != end, iter(lambda: self._left.pop()[0], None))
        return tuple(part.strip("\"'") for part in parts if part != ".")

    def _pair(self, table: Location) -> None:
        line = self._left[-1][1]
        path = (*table, *self._key("="))
        self.lines[path] = line
        self._value(path)

    def _value(self, path: Location) -> None:
        opening, line = self._left.pop()
        self.lines.setdefault(path, line)
        if opening == "[":
            for index in itertools.count():
                if self._at_end("]"):
                    return
                self._value((*path, index))
        elif opening == "{":
            while not self._at_end("}"):
                self._pair(path)
        else:
            while self._left and self._left[-1][0] not in (",", "]", "}", "\n"):
                self._left.pop()  # The rest of a number or a date.

    def _at_end(self, closing: str) -> bool:
        while self._left[-1][0] in (",", "\n"):
            self._left.pop()
        return self._left[-1][0] == closing and bool(self._left.pop())
