"""Pydantic's complaints about a study in the words of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from actlab.errors import InvalidStudy, UnknownName, complaint

Location = tuple[int | str, ...]


def invalid_study(
    error: ValidationError, settings: Mapping[str, Any], keys: Callable[[Location, Any], list[str]]
) -> InvalidStudy:
    """What pydantic complains of first, in one sentence, with the place of the setting.

    Args:
        error: pydantic's.
        settings: what was given.
        keys: the keys that the table at a location of the settings may have.
    """
    problems = error.errors()
    # An unknown key is often the misspelt one that another complaint misses.
    unknown = [p for p in problems if p["type"] in ("extra_forbidden", "unexpected_keyword_argument")]
    problem: dict[str, Any] = dict((unknown or problems)[0])
    location, wrong = _followed(problem["loc"], settings), problem["loc"][-1:]
    if problem["type"] == "missing":
        return InvalidStudy(complaint(problem | {"loc": (*location, *wrong)}), location)
    if not unknown:
        return InvalidStudy(complaint(problem | {"loc": location}), location)
    sentence = str(UnknownName("key", str(wrong[0]), keys(location[:-1], settings)))
    where = complaint({"loc": location[:-1], "type": "value_error", "msg": sentence})
    return InvalidStudy(where.removesuffix(".") if sentence.endswith("?") else where, location)


def _followed(location: Location, settings: Any) -> Location:
    """The part of pydantic's location that leads through the settings: without its names of alternatives."""
    path: list[int | str] = []
    for part in location:
        try:
            settings = settings[part]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(part)
    return tuple(path)
