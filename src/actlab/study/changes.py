"""A study with some settings in the place of its own, as the command line gives them."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actlab.errors import InvalidStudy, UnknownName, cut, shortened
from actlab.study.file import unreadable
from actlab.study.settings import Location, Study
from actlab.tasks.reading import Reading

_READING = [field.name for field in dataclasses.fields(Reading)]
_DATA = {"provenance": None, "digest": None}
# What was found out of a study's settings, or belongs to them, and no longer holds once one of them is another.
_RESET: Mapping[str, Mapping[str, Any]] = {
    "task": {"target": None, **dict.fromkeys(_READING), **_DATA},
    **dict.fromkeys(("target", "task_seed", "validation", *_READING), _DATA),
    "seeds": {"tuning_seeds": [], "most_seeds": None, "within": None},
    "most_seeds": {"tuning_seeds": []},
    "within": {"tuning_seeds": []},
    "learning_rates": {"tuning_seeds": []},
}


@dataclass(frozen=True)
class _Assignment:
    """One KEY=VALUE: its text, the keys that lead to a setting, and what to put there."""

    text: str
    keys: Location
    value: Any


def changed(study: Study, settings: Mapping[str, Any], assignments: Sequence[str] = ()) -> Study:
    """The study with other settings, and without what depended on the former ones.

    With another optimiser and no learning rate, the rate becomes that optimiser's usual one. With several learning
    rates in the place of a single one, that stays the rate that all activations are also compared at.

    Args:
        study: what is changed.
        settings: by name, as `Study` takes them.
        assignments: "KEY=VALUE", in order, after `settings`: a setting, or one inside of it by keys and, in a list,
            numbers from 0, with a dot between; the value as TOML, or as text where it is none.

    Raises:
        InvalidStudy, UnknownName: no such key, or a value that it does not take; the sentence names the assignment.

    >>> study = changed(Study(network=[{"layer": "dense", "units": 3}]), {"epochs": 5}, ["network.0.units=4"])
    >>> study.epochs, study.network[0].units
    (5, 4)
    """
    parsed = [_parsed(text) for text in assignments]
    given = {*settings, *(assignment.keys[0] for assignment in parsed)}
    if not given:
        return study
    table = {**study.model_dump(mode="json"), **settings}
    for assignment in parsed:
        _assign(table, assignment)
    resets: dict[str, Any] = {"chosen_rates": None}
    for name in given:
        resets |= _RESET.get(name, {})
    if _optimiser_name(table["optimiser"]) != study.optimiser.name:
        resets |= {"learning_rates": None, "stated_rate": None, "tuning_seeds": []}
    elif "learning_rates" in given:
        resets["stated_rate"] = _stated_rate(study, table["learning_rates"])
    table |= {name: value for name, value in resets.items() if name not in given}
    try:
        return Study(**table)
    except InvalidStudy as error:
        raise _named(error, parsed) from None
    except RecursionError as error:
        texts = ", ".join(assignment.text for assignment in parsed)
        raise InvalidStudy(f"{texts}: {unreadable(error)}.") from None


def _optimiser_name(optimiser: Any) -> Any:
    return optimiser.get("name") if isinstance(optimiser, dict) else optimiser


def _stated_rate(study: Study, rates: Any) -> float | None:
    """The rate of the former study, where several take the place of that one."""
    if rates != "auto" and not (isinstance(rates, Sequence) and len(rates) > 1):
        return None
    former = study.learning_rates or ()
    return former[0] if len(former) == 1 else study.stated_rate


def _parsed(text: str) -> _Assignment:
    """KEY=VALUE, taken apart.

    >>> _parsed("network.1.units=256").keys, _parsed("match=parameters").value
    (('network', 1, 'units'), 'parameters')
    """
    key, equals, written = text.partition("=")
    if not equals or not key.strip():
        raise InvalidStudy(f"{shortened(text)}: KEY=VALUE is expected, as in epochs=5 or network.1.units=256.")
    # No list has an entry with a number of ten digits.
    keys = tuple(int(part) if part.isdecimal() and len(part) < 10 else part for part in key.strip().split("."))
    shown = cut(" ".join(text.split()))
    if keys == ("optimiser", "name"):
        keys = ("optimiser",)  # Another optimiser has other settings: those of the former one go with it.
    try:
        table = tomllib.loads(f"value = {written}")
    except tomllib.TOMLDecodeError:
        table = {}
    except (ValueError, RecursionError) as error:
        raise InvalidStudy(f"{shown}: {unreadable(error)}.") from None
    return _Assignment(shown, keys, table["value"] if set(table) == {"value"} else written.strip())


def _assign(table: dict[str, Any], assignment: _Assignment) -> None:
    """Put a value in its place. Whether the last key and the value are right is left to `Study`."""
    if isinstance(table["optimiser"], str):
        table["optimiser"] = {"name": table["optimiser"]}
    *way, last = assignment.keys
    place: Any = table
    for depth, key in enumerate(way):
        if isinstance(place, dict) and key not in place:
            raise UnknownName("key", str(key), map(str, place))
        _refuse_strange_entry(place, assignment, depth)
        place = place[key]
    _refuse_strange_entry(place, assignment, len(way))
    place[last] = assignment.value


def _refuse_strange_entry(place: Any, assignment: _Assignment, depth: int) -> None:
    """Raise InvalidStudy unless the key at `depth` can be one of `place`."""
    key, before = assignment.keys[depth], ".".join(map(str, assignment.keys[:depth]))
    if isinstance(place, dict):
        return
    if not isinstance(place, list):
        what = "not set" if place is None else shortened(place)
        raise InvalidStudy(
            f"{assignment.text}: {before} is {what} and has no {cut(str(key))}: set {before} as a whole."
        )
    if not isinstance(key, int) or key >= len(place):
        entries = f"the entries 0 to {len(place) - 1}" if place else "no entries"
        raise InvalidStudy(f"{assignment.text}: {before} has {entries}, and so no {cut(str(key))}.")


def _named(error: InvalidStudy, assignments: Sequence[_Assignment]) -> InvalidStudy:
    """The error of a setting that was assigned with the assignment in the place of its location."""
    for assignment in reversed(assignments):
        if error.location[: len(assignment.keys)] == assignment.keys:
            return InvalidStudy(f"{assignment.text}: {_without_place(str(error), error.location)}", error.location)
    return error


def _without_place(sentence: str, location: Location) -> str:
    """A sentence of `errors.complaint` without the place that it begins with.

    >>> _without_place("network, entry 2, units: more than 0 is expected, got 0.", ("network", 1, "units"))
    'more than 0 is expected, got 0.'
    """
    words = [f"entry {part + 1}" if isinstance(part, int) else part for part in location]
    for length in range(len(words), 0, -1):
        place = f"{', '.join(words[:length])}: "
        if sentence.startswith(place):
            return sentence.removeprefix(place)
    return sentence
