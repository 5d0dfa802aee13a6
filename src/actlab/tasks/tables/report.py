"""What was made of a table, as data: every column, the classes, the parts, and what a user should know."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from actlab.errors import ActlabWarning
from actlab.wording import counted, listed

Kind = Literal[
    "numbers", "yes or no", "categories", "dates", "times", "texts", "row numbers", "ids", "constant", "empty", "mixed",
    "nested",
]  # fmt: skip
Role = Literal["feature", "target", "left out"]


@dataclass(frozen=True)
class Column:
    """What was made of one column of a table.

    Attributes:
        name: as the table, or its own place, names it.
        kind: what its values are.
        role: whether it is trained on, is the target, or left out.
        missing: how many rows have no value.
        distinct: how many different values there are, missing ones apart.
        became: in words, what the network sees of it.
        why: the reason, where it is left out or not what it seems; else empty.
        features: the names of the inputs that it became.
    """

    name: str
    kind: Kind
    role: Role
    missing: int
    distinct: int
    became: str
    why: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """Something that was decided and that a user should know.

    Attributes:
        sentence: what was seen, what was done, and the option that changes it.
        option: that option, as "--keep"; empty where there is none.
    """

    sentence: str
    option: str = ""


@dataclass(frozen=True)
class Report:
    """What was made of a table.

    Attributes:
        rows: that are in one of the parts.
        columns: in the order of the file.
        notes: what a user should know.
        candidates: the columns that could be the target, most likely first; for a table without one.
    """

    rows: int
    columns: tuple[Column, ...]
    notes: tuple[Note, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs of a network, in order."""
        return tuple(feature for column in self.columns for feature in column.features)


def tell(notes: Iterable[Note]) -> None:
    """Say what was decided before anything is trained, as warnings."""
    for note in notes:
        warnings.warn(note.sentence, ActlabWarning, stacklevel=6)


def summary(columns: Sequence[Column]) -> str:
    """One line for the provenance: how many columns of each kind became what, and which are left out.

    >>> summary([Column("a", "numbers", "feature", 2, 9, ""), Column("b", "ids", "left out", 0, 9, "")])
    '1 column of numbers, 2 missing values filled in; without b (ids)'
    """
    used = [column for column in columns if column.role == "feature"]
    kinds = dict.fromkeys(column.kind for column in used)
    parts = [f"{counted(sum(c.kind == kind for c in used), 'column')} of {kind}" for kind in kinds]
    missing = sum(column.missing for column in used)
    filled = f", {counted(missing, 'missing value')} filled in" if missing else ""
    out = [f"{column.name} ({column.kind})" for column in columns if column.role == "left out"]
    shown = [*out[:6], f"{len(out) - 6} more"] if len(out) > 7 else out
    return f"{listed(parts)}{filled}{f'; without {listed(shown)}' if out else ''}"
