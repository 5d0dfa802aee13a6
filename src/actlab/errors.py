"""Every error a user can meet, in one tree.

`ActlabError` is the root: catch it and you catch all of them. Each message is one clear sentence that names the
input, what was expected and the way out; the command line prints it alone and exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class ActlabError(Exception):
    """Root of the tree."""


class UnknownName(ActlabError, KeyError):
    """A name that is not in a list of known names: an activation, task, recipe, layer or column."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """`kind` says what was looked up ("activation"), `known` are the names there are."""
        known = sorted(known)
        lowered = {option.lower(): option for option in known}
        near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
        hint = f"did you mean {lowered[near[0]]!r}?" if near else f"known: {', '.join(known) or 'none'}."
        super().__init__(f"unknown {kind} {name!r}: {hint}")

    def __str__(self) -> str:
        # KeyError would print the message in quotes.
        return str(self.args[0])


class InvalidStudy(ActlabError, ValueError):
    """A study that cannot be run: a wrong key, type, range or combination."""


class InvalidNetwork(ActlabError, ValueError):
    """Layers that do not fit each other, or do not fit the data."""


class InvalidFunction(ActlabError, ValueError):
    """A wrong argument of an activation function, or a function that cannot be registered."""


class InvalidData(ActlabError, ValueError):
    """Data that cannot be used: wrong shape, missing keys, NaN, labels that are not classes."""


class DownloadFailed(ActlabError, OSError):
    """A data file that could be had from no mirror, or that came with another digest."""


class InvalidRecording(ActlabError, ValueError):
    """A directory that is no recording, a damaged one, or one that holds another study."""


class RecordingFailed(ActlabError, OSError):
    """The recording could not be written (a full disk); what was committed before is kept."""


def complaint(problem: Mapping[str, Any]) -> str:
    """One entry of pydantic's `ValidationError.errors()` as a sentence: the key, what was expected, what came.

    >>> complaint({"loc": ("epochs",), "type": "greater_than_equal", "input": 0,
    ...            "msg": "Input should be greater than or equal to 1"})
    "epochs: input should be greater than or equal to 1, got '0'."
    """
    place = ".".join(str(part) for part in problem["loc"])
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    sentence = f"{reason[:1].lower()}{reason[1:]}"
    if problem["type"] != "value_error":
        sentence += f", got {str(problem['input'])[:60]!r}"
    return f"{place}: {sentence}." if place else f"{sentence}."
