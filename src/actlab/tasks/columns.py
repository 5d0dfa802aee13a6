"""Columns that say which sample a row is, instead of what it is like."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.reading import Reading, option
from actlab.tasks.reading import columns as named

Columns = npt.NDArray[np.floating]

# Row numbers from which some rows were taken out still fill most of their range.
FILLED = 0.9
# In fewer rows, whole numbers may happen to.
ROWS = 5
# The words of names like "customer_id", "PassengerId", "Sr. No.", "account number", and whole names like "sample".
_LAST = {
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "identifier",
    "idx",
    "no",
    "nr",
    "num",
    "number",
    "key",
    "code",
    "pk",
    "sn",
}
_WHOLE = {"#", "index", "row", "rows", "seq", "sequence", "serial", "record", "sample", "obs", "observation", "case"}
_WHOLE |= {
    "subject",
    "patient",
    "person",
    "customer",
    "client",
    "user",
    "participant",
    "instance",
    "ticket",
    "rownames",
}
_WHOLE |= {"rowindex", "sampleindex"}
_JOINED = re.compile(
    r"(row|case|obj|object|specobj|order|user|customer|cust|client|passenger|patient|pat|subject|subj|sample|person|record"
    r"|student|employee|emp|product|item|member|account|session|image|file|movie|track|transaction|house|loan)ids?"
)


def left_out(name: str, columns: Sequence[str], reading: Reading) -> list[str]:
    """The columns that are to be left out, each of which there is.

    Raises:
        UnknownName: a column that is to be kept or left out and is none of `columns`.
        InvalidData: one that is to be both.
    """
    keep, drop = (named(texts, columns) for texts in (reading.keep, reading.drop))
    if both := [column for column in drop if column in keep]:
        raise InvalidData(f"{name}: column {both[0]!r} is to be kept and to be left out: say one of the two.")
    return list(drop)


def told_of_columns(reading: Reading) -> str:
    """What was left out, in words for the provenance.

    >>> told_of_columns(Reading(drop=("Id", "name")))
    ", without 'Id', 'name'"
    """
    return f", without {', '.join(map(repr, reading.drop))}" if reading.drop else ""


def counting(parts: Sequence[Columns]) -> list[int]:
    """The columns that count the rows: whole numbers, no two alike, that fill their range, in any order.

    Args:
        parts: finite values, (rows, columns), one below the other.

    >>> import numpy as np
    >>> counting([np.array([[3, 0.5, 1], [4, 0.5, 1], [6, 0.5, 2], [2, 0.5, 2], [5, 0.5, 1]])])
    [0]
    """
    rows = sum(len(part) for part in parts)
    low = np.min([part.min(axis=0) for part in parts], axis=0).astype(np.float64)
    span = np.max([part.max(axis=0) for part in parts], axis=0) - low + 1
    candidates = np.flatnonzero((span >= rows) & (span * FILLED <= rows)) if rows >= ROWS else []
    return [int(index) for index in candidates if _all_different(np.concatenate([part[:, index] for part in parts]))]


def _all_different(values: Columns) -> bool:
    return bool((values == np.floor(values)).all()) and len(np.unique(values)) == len(values)


def named_like_an_id(name: str) -> bool:
    """Whether a column's name is one that numbers of samples are given.

    >>> [name for name in ("PassengerId", "customer id", "Sr. No.", "userid", "acid", "number of rooms") if \
named_like_an_id(name)]
    ['PassengerId', 'customer id', 'Sr. No.', 'userid']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("ID", "Id"))
    words = re.findall(r"[^\W\d_]+|#", spaced.lower())
    if not words:
        return False
    joined = "".join(words)
    one_word = joined in _WHOLE or _JOINED.fullmatch(joined) is not None
    return one_word or "id" in words or "unnamed" in words or words[-1] in _LAST


def refuse_names_of_samples(name: str, counted: Sequence[str], numbered: Sequence[str], keep: Sequence[str]) -> None:
    """Raise InvalidData at columns by which a network could tell samples apart, unless they are to be kept.

    Args:
        name: of the file; the message begins with it.
        counted: columns that count the rows.
        numbered: columns of other whole numbers, named like an id.
        keep: those to be trained on all the same.
    """
    seen = dict.fromkeys(numbered, "is named like an id and tells most rows apart")
    seen |= dict.fromkeys(counted, "counts the rows")
    doubtful = [column for column in seen if column not in keep][:4]
    if doubtful:
        what = ", ".join(f"column {column!r} {seen[column]}" for column in doubtful)
        drop, kept = (" ".join(option(way, column) for column in doubtful) for way in ("drop", "keep"))
        raise InvalidData(
            f"{name}: {what}: that says which sample a row is, not what it is like; leave it out with {drop}, or train "
            f"on it with {kept}."
        )
