"""Names with parameters, as `leaky_relu(negative_slope=0.2)`: taken apart, and written in the one way they have."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from actlab.errors import InvalidFunction, shortened

_WITH_PARAMETERS = re.compile(r"([^()]*)\(([^()]*)\)\s*")
_PARAMETER = re.compile(r"\s*(\w+)\s*=\s*([^\s=]+)\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# No count has more digits; Python reads whole numbers of any length, and refuses to write the longest.
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_COMMA = re.compile(r",(?![^(]*\))")
_AS_IN = "as in leaky_relu(negative_slope=0.2)"


def split_names(text: str) -> list[str]:
    """The names of a list with commas between them; a comma within parentheses parts none.

    >>> split_names("relu, rrelu(lower=0.1, upper=0.2),elu(alpha=0.5)")
    ['relu', 'rrelu(lower=0.1, upper=0.2)', 'elu(alpha=0.5)']
    """
    return [name.strip() for name in _COMMA.split(text) if name.strip()]


def bare(text: str) -> str:
    """A name without its parameters.

    >>> bare("leaky_relu(negative_slope=0.2)"), bare("relu")
    ('leaky_relu', 'relu')
    """
    return text.partition("(")[0].strip()


def parsed(text: str) -> tuple[str, dict[str, float]]:
    """A name and the numbers that are given for parameters, none where there are no parentheses.

    Raises:
        InvalidFunction: it is not written as `name(parameter=number, …)`.

    >>> parsed("elu(alpha=.5)"), parsed("maxout( pieces = 4 )"), parsed("relu")
    (('elu', {'alpha': 0.5}), ('maxout', {'pieces': 4}), ('relu', {}))
    """
    if not {"(", ")"} & set(text):
        return text, {}
    found = _WITH_PARAMETERS.fullmatch(text)
    if found is None or not found[1].strip():
        raise InvalidFunction(f"{shortened(text)}: one name and one pair of parentheses are expected, {_AS_IN}.")
    given: dict[str, float] = {}
    for part in found[2].split(",") if found[2].strip() else ():
        pair = _PARAMETER.fullmatch(part)
        if pair is None:
            raise InvalidFunction(f"{shortened(text)}: parameter=number is expected, {_AS_IN}, got {part.strip()!r}.")
        if pair[1] in given:
            raise InvalidFunction(f"{shortened(text)}: parameter {pair[1]!r} is given twice.")
        given[pair[1]] = _number(pair[2], pair[1], text)
    return found[1].strip(), given


def _number(written: str, parameter: str, text: str) -> float:
    if _WHOLE.fullmatch(written):
        return int(written)
    value = float(written) if _NUMBER.fullmatch(written) else math.nan
    if not math.isfinite(value):
        raise InvalidFunction(
            f"{shortened(text)}: parameter {parameter!r} must be a finite number; it was given {shortened(written)}."
        )
    return value


def written(name: str, values: Mapping[str, float]) -> str:
    """The name with these values, numbers in the fewest digits that read back the same.

    >>> written("leaky_relu", {"negative_slope": 0.20}), written("elu", {"alpha": 2.0}), written("relu", {})
    ('leaky_relu(negative_slope=0.2)', 'elu(alpha=2)', 'relu')
    """
    # + 0 makes 0.0 of −0.0.
    given = ",".join(f"{parameter}={repr(value + 0).removesuffix('.0')}" for parameter, value in values.items())
    return f"{name}({given})" if given else name
