"""Every error a user can meet, in one tree.

`ActlabError` is the root: catch it and you catch all of them. Each message is one clear sentence that names
the input, what was expected and the way out; the command line prints it alone and exits with code 2. What ends
nothing but should be known is an `ActlabWarning`.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any


class ActlabError(Exception):
    """Root of the tree."""


class UnknownName(ActlabError, KeyError):
    """A name that is not in a list of known names: an activation, task, recipe, layer or column."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """`kind` says what was looked up ("activation"), `known` are the names there are."""
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        # What it was made from, so that a copy from another process is made alike.
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        lowered = {option.lower(): option for option in self.known}
        near = difflib.get_close_matches(self.name.lower(), lowered, n=1, cutoff=0.5)
        known = f"known: {', '.join(self.known) or 'none'}."
        return f"unknown {self.kind} {self.name!r}: {f'did you mean {lowered[near[0]]!r}?' if near else known}"


class InvalidStudy(ActlabError, ValueError):
    """A study that cannot be run: a wrong key, type, range or combination.

    Attributes:
        location: keys and places in lists that lead to the wrong setting; empty where it is no single one.
    """

    def __init__(self, message: str, location: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.location = location


class InvalidNetwork(ActlabError, ValueError):
    """Layers that do not fit each other, or do not fit the data."""


class InvalidFunction(ActlabError, ValueError):
    """A wrong argument of an activation function, or a function that cannot be registered."""


class InvalidInput(InvalidFunction, TypeError):
    """An input of an activation function that is no array of real floating-point numbers."""


def tell(sentence: str, stacklevel: int = 2) -> None:
    """Say something within a training of a user's own, as a warning; where warnings are errors, on stderr instead."""
    try:
        warnings.warn(sentence, ActlabWarning, stacklevel=stacklevel + 1)
    except ActlabWarning:
        print(f"actlab: {sentence}", file=sys.stderr)


class InvalidModel(ActlabError, ValueError):
    """A model of a user's own that cannot be watched or compared: nothing to train in it, or watched already."""


class MissingExtra(ActlabError, ImportError):
    """A framework that is not installed; the message is the command that installs it."""


class InvalidData(ActlabError, ValueError):
    """Data that cannot be used: wrong shape, missing keys, NaN, labels that are not classes."""


class DownloadFailed(ActlabError, OSError):
    """A data file that could be had from no mirror, or that came with another digest."""


class InvalidRecording(ActlabError, ValueError):
    """A directory that is no recording, a damaged one, or one that may not be written to: it holds something else."""


class NothingRecorded(InvalidRecording):
    """A run that has just begun: there is nothing to read yet."""


class RecordingFailed(ActlabError, OSError):
    """The recording could not be written (a full disk); the message says what is kept."""


class ActlabWarning(UserWarning):
    """Something that a user should know while the work goes on; the command line shows it as a sentence."""


# What pydantic's types of errors expect, in the words of a study file.
_EXPECTED = {
    "bool": "true or false",
    "dataclass": "a table",
    "dict": "a table",
    "finite": "a finite number",
    "float": "a number",
    "greater_than": "more than {gt:.10g}",
    "greater_than_equal": "{ge:.10g} or more",
    "int": "a whole number",
    "less_than": "less than {lt:.10g}",
    "less_than_equal": "{le:.10g} or less",
    "literal": "{expected}",
    "model": "a table",
    "string": "text",
    "string_too_short": "some text",
    "too_short": "a list with at least {min_length:g} entry",
    "tuple": "a list",
    "union_tag_invalid": "{expected_tags}",
}


def complaint(problem: Mapping[str, Any]) -> str:
    """One entry of pydantic's `ValidationError.errors()` as a sentence: key, what was expected, what came.

    >>> complaint({"loc": ("seeds", 1), "type": "greater_than_equal", "ctx": {"ge": 0}, "input": -2})
    'seeds, entry 2: 0 or more is expected, got -2.'
    >>> complaint({"loc": ("epochs",), "type": "int_parsing", "input": "many"})
    "epochs: a whole number is expected, got 'many'."
    """
    kind, context = problem["type"], problem.get("ctx", {})
    location = [f"entry {part + 1}" if isinstance(part, int) else str(part) for part in problem["loc"]]
    if location and isinstance(problem["loc"][0], int):
        location[0] = f"argument {problem['loc'][0] + 1}"
    if kind in ("missing", "missing_argument", "union_tag_not_found"):
        missing = context["discriminator"].strip("'") if "discriminator" in context else location.pop()
        return f"{', '.join([*location, missing])} is missing."
    place = f"{', '.join(location)}: " if location else ""
    expected = _EXPECTED.get(kind) or _EXPECTED.get(kind.partition("_")[0])
    if expected:
        return f"{place}{expected.format(**context)} is expected, got {shortened(problem['input'])}."
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    sentence = f"{place}{reason[:1].lower()}{reason[1:]}"
    if sentence.endswith("?"):
        return sentence
    return f"{sentence}." if kind == "value_error" else f"{sentence}, got {shortened(problem['input'])}."


def shortened(value: Any) -> str:
    """A value as a message shows it: in one line of at most 60 characters.

    >>> shortened("many"), len(shortened("many" * 100)), shortened(16**5000)[:9]
    ("'many'", 60, '0x1000000')
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits, but as hexadecimal.
        text = hex(value) if isinstance(value, int) else f"a {type(value).__name__} with numbers of too many digits"
    return cut(text)


def cut(text: str) -> str:
    """The beginning of a text, 60 characters at most.

    >>> cut("short"), len(cut("long" * 100))
    ('short', 60)
    """
    return text if len(text) <= 60 else f"{text[:59]}…"
