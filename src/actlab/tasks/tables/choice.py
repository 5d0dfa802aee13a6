"""Which columns a network is trained on, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from actlab.errors import InvalidData, cut
from actlab.tasks.columns import FILLED, ROWS, named_like_an_id
from actlab.tasks.reading import Reading, column, columns, option
from actlab.tasks.tables.frame import Frame
from actlab.tasks.tables.kinds import Parsed
from actlab.tasks.tables.report import Kind, Note
from actlab.wording import listed


@dataclass(frozen=True)
class Decided:
    """A user's decisions, by the names of a table's columns."""

    targets: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    categorical: tuple[str, ...]
    group: str | None
    time: str | None


def decided(frame: Frame, target: str | None, reading: Reading) -> Decided:
    """The columns that a user names, each of which there is.

    Raises:
        UnknownName: a column that there is not.
        InvalidData: one that is to be two things at once.
    """
    known = list(frame.columns)
    targets = () if target is None else columns([target], known)
    one = {
        what: None if text is None else column(text, known)
        for what, text in (("group", reading.group), ("time", reading.time))
    }
    keep, drop, categorical = (columns(texts, known) for texts in (reading.keep, reading.drop, reading.categorical))
    name = frame.name
    if both := [text for text in drop if text in keep]:
        raise InvalidData(f"{name}: column {both[0]!r} is to be kept and to be left out: say one of the two.")
    if both := [text for text in targets if text in drop]:
        raise InvalidData(f"{name}: column {both[0]!r} is the target and cannot be left out.")
    for what in ("group", "time"):
        if one[what] in targets:
            raise InvalidData(f"{name}: column {one[what]!r} is the target and cannot be --{what} too.")
    if reading.group and reading.time:
        raise InvalidData(f"{name}: --group and --time cut the parts in two ways: say one of the two.")
    if reading.test and (reading.group or reading.time):
        way = "group" if reading.group else "time"
        raise InvalidData(f"{name}: --test gives the test part and --{way} would cut one: say one of the two.")
    return Decided(targets, keep, drop, categorical, one["group"], one["time"])


@dataclass(frozen=True)
class Choice:
    """What is trained on.

    Attributes:
        out: why each of the others, the target apart, is left out.
        kinds: those whose kind is another than their values say, as "ids".
        notes: what a user should know.
    """

    out: Mapping[str, str]
    kinds: Mapping[str, Kind]
    notes: tuple[Note, ...]


def chosen(frame: Frame, parsed: Mapping[str, Parsed], decided: Decided) -> tuple[dict[str, Parsed], Choice]:
    """The columns that say what a sample is like, not which one it is; and what became of the others.

    Raises:
        InvalidData: texts among numbers, infinite numbers, no column left.
    """
    used: dict[str, Parsed] = {}
    out: dict[str, str] = {}
    kinds: dict[str, Kind] = {}
    for name, (kind, why) in left_out(frame, parsed, decided).items():
        values = parsed[name]
        kinds[name] = "categories" if not why and kind in ("texts", "mixed") else kind
        if why:
            out[name] = why
            continue
        _refuse_strange(frame, name, values)
        used[name] = replace(values, kind="categories") if values.kind in ("texts", "mixed") else values
    if not used:
        reasons = "; ".join(f"{name!r} {why}" for name, why in [*out.items()][:4])
        without = f" ({cut(reasons)})" if reasons else ""
        raise InvalidData(
            f"{frame.name} has no column beside the target {shown(decided.targets)} to train on{without}: add columns, "
            "or keep one with --keep COLUMN."
        )
    return used, Choice(out, kinds, tuple(_notes(frame.name, out)))


def left_out(frame: Frame, parsed: Mapping[str, Parsed], decided: Decided) -> dict[str, tuple[Kind, str]]:
    """What every column but the target is, and why it is left out; no reason where it is not."""
    others = {name: values for name, values in parsed.items() if name not in decided.targets}
    return {name: _left_out(frame, name, values, decided) for name, values in others.items()}


# Reasons that are worth a sentence, with the noun that it is about.
_COUNTS, _NAMED, _ROW_NAMES = "counts the rows", "is named like an id, tells most rows apart", "names the rows"
_DIFFERENT = "holds texts that are nearly all different"
_ONE, _NOTHING, _NESTED = "holds one value only", "holds nothing", "holds lists or objects"
_GROUP, _TIME, _DROPPED = "says which group a row is of", "says when a row was taken", "is dropped"
_TOLD = (_COUNTS, _ROW_NAMES, _NAMED, _DIFFERENT, _ONE, _NOTHING, _NESTED, _GROUP, _TIME)


def _left_out(frame: Frame, name: str, values: Parsed, decided: Decided) -> tuple[Kind, str]:
    """What a column is, and why it is left out; no reason where it is not."""
    kind = values.kind
    if name in decided.drop:
        return kind, _DROPPED
    if kind == "nested":
        return kind, _NESTED
    if kind == "empty":
        return kind, _NOTHING
    if name in decided.keep:
        return kind, ""
    if name == decided.group:
        return kind, _GROUP
    if name == decided.time:
        return kind, _TIME
    if values.doubt:
        return kind, f"holds dates that may be read {values.doubt}"
    if name in frame.row_names and values.distinct == len(frame):
        return "row numbers", _ROW_NAMES
    if name not in decided.categorical and kind in ("numbers", "texts", "mixed"):
        whole = _whole_numbers(values)
        if whole is not None and values.missing == 0 and counts_rows(whole):
            return "row numbers", _COUNTS
        like_an_id = named_like_an_id(name) and (whole is not None or kind == "texts")
        # As they stand in the file: beyond sixteen digits, floats no longer tell them apart.
        if like_an_id and 2 * frame.columns[name].n_unique() > len(frame) >= ROWS:
            return "ids", _NAMED
    if kind == "texts":
        return kind, _DIFFERENT
    if values.distinct == 1 and values.missing == 0:
        return "constant", _ONE
    return kind, ""


def _whole_numbers(values: Parsed) -> pl.Series | None:
    """Numbers that are all whole; None where they are none."""
    if values.kind != "numbers":
        return None
    present = values.values.drop_nulls()
    # Of 20,000 columns, NumPy is done before Polars has begun.
    array = present.to_numpy()
    return present if bool((array == np.floor(array)).all()) else None


def counts_rows(whole: pl.Series) -> bool:
    """Whether whole numbers count the rows: no two alike, and they fill their range, in any order.

    >>> counts_rows(pl.Series([3.0, 4, 6, 2, 5])), counts_rows(pl.Series([3.0, 4, 40, 2, 5]))
    (True, False)
    """
    rows = len(whole)
    if rows < ROWS:
        return False
    span = float(whole.max()) - float(whole.min()) + 1  # pyright: ignore[reportArgumentType]
    return rows <= span and span * FILLED <= rows and whole.n_unique() == rows


def _refuse_strange(frame: Frame, name: str, values: Parsed) -> None:
    """Raise InvalidData at a text among numbers, and at numbers that are infinite."""
    if values.kind == "mixed":
        text = frame.columns[name][values.strange]
        raise InvalidData(
            f"{frame.at(values.strange)}: column {name!r} holds {cut(repr(text))} among numbers ({values.note} values "
            f"are none): mend it, say {option('categorical', name)} to take all values for names of categories, or "
            f"leave the column out with {option('drop', name)}."
        )
    if values.kind == "numbers" and (infinite := np.isinf(values.values.to_numpy())).any():
        first = int(infinite.argmax())
        raise InvalidData(
            f"{frame.at(first)}: column {name!r} holds an infinite number, one of {int(infinite.sum()):,}: mend it, or "
            f"leave the column out with {option('drop', name)}."
        )


def _notes(place: str, out: Mapping[str, str]) -> Iterable[Note]:
    """A sentence for each reason, with the columns that it is about."""
    reasons = [*_TOLD, *dict.fromkeys(why for why in out.values() if why not in (*_TOLD, _DROPPED))]
    for reason in reasons:
        names = [name for name, why in out.items() if why == reason]
        if not names:
            continue
        what, verb, does = ("columns", "are", _plural(reason)) if len(names) > 1 else ("column", "is", reason)
        way_out = f"; {kept(names)}" if reason not in (_NOTHING, _NESTED) else ""
        if reason.startswith("holds dates"):
            way_out = "; write them as 2020-01-31"
        yield Note(f"{place}: {what} {shown(names)} {does} and {verb} left out{way_out}.", "--keep")


def _plural(reason: str) -> str:
    first, _, rest = reason.partition(" ")
    verbs = {"is": "are", "counts": "count", "names": "name", "holds": "hold", "says": "say"}
    return f"{verbs[first]} {rest}".replace("are named like an id, tells", "are named like ids, tell")


def shown(names: Sequence[str]) -> str:
    """Columns as a sentence names them, the first four of many."""
    some = [repr(name) for name in names[:4]]
    return listed([*some, f"{len(names) - 4:,} more"] if len(names) > 4 else some)


def kept(names: Sequence[str]) -> str:
    """How columns that are left out are trained on all the same."""
    if len(names) > 4:
        return "--keep COLUMN trains on one"
    return f"{' '.join(option('keep', name) for name in names)} {'train on them' if len(names) > 1 else 'trains on it'}"
