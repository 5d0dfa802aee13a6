"""What the values of a column are: numbers, yes or no, dates, categories, or texts that are all different."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars as pl

from actlab.tasks.cells import GROUPED, GROUPED_BY_POINTS, MISSING
from actlab.tasks.tables.report import Kind

# Texts of which more than this share are different tell which sample a row is, as names of people do.
DIFFERENT = 0.5
# In fewer rows, most texts may happen to differ.
ROWS = 10
# Of so few different values, each so many times, some may be no number: "0, 1, 2, 3+".
FEW_VALUES = 20
TIMES = 5
_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
# What stands before or behind the numbers of a column, the same for all.
_UNIT = r"[$€£¥%]"
_DAY = r"\d{1,2}"
_CLOCK = (("", ""), (r"[ T]\d{1,2}:\d{2}", " %H:%M"), (r"[ T]\d{1,2}:\d{2}:\d{2}(\.\d+)?", " %H:%M:%S%.f"))
# The forms of dates, each with the pattern of its texts; those with the day or the month first are told apart by a day
# beyond the twelfth.
_DATES = (
    (rf"\d{{4}}-{_DAY}-{_DAY}", "%Y-%m-%d"),
    (rf"\d{{4}}/{_DAY}/{_DAY}", "%Y/%m/%d"),
    (rf"{_DAY}\.{_DAY}\.\d{{4}}", "%d.%m.%Y"),
    (rf"{_DAY}/{_DAY}/\d{{4}}", "%d/%m/%Y"),
    (rf"{_DAY}/{_DAY}/\d{{4}}", "%m/%d/%Y"),
    (rf"{_DAY}-{_DAY}-\d{{4}}", "%d-%m-%Y"),
    (rf"{_DAY}-{_DAY}-\d{{4}}", "%m-%d-%Y"),
    (rf"{_DAY}[ -][A-Za-z]{{3}}[ -]\d{{4}}", "%d-%b-%Y"),
    (rf"{_DAY}[ -][A-Za-z]{{3}}[ -]\d{{2}}", "%d-%b-%y"),
    (rf"[A-Za-z]{{3}} {_DAY}, \d{{4}}", "%b %d, %Y"),
)


@dataclass(frozen=True)
class Parsed:
    """A column's values, by their kind.

    Attributes:
        kind: what they are.
        values: numbers (yes or no as 1 and 0) as floats, dates as datetimes, hours of times as floats, all else as
            texts; null where there is none.
        missing: how many are null.
        distinct: how many different ones there are.
        note: how they were read, where that is not plain.
        strange: of a mixed column, the row of the first text among the numbers.
        doubt: in what two ways dates may be read; they stay texts then.
    """

    kind: Kind
    values: pl.Series
    missing: int
    distinct: int
    note: str = ""
    strange: int = -1
    doubt: str = ""


def cleaned(values: pl.Series) -> pl.Series:
    """Texts without blanks around them, null where they say that a value is missing.

    >>> cleaned(pl.Series([" a ", "?", "NA", "-"])).to_list(), cleaned(pl.Series(["+", "-"])).to_list()
    (['a', None, None, None], ['+', '-'])
    """
    texts = values.str.strip_chars()
    absent = MISSING | {"nan"}
    if (texts == "+").any():
        absent -= {"-"}
    return texts.set(texts.str.to_lowercase().is_in(sorted(absent)).fill_null(False), None)


def parsed(values: pl.Series, sign: str = ".", *, categorical: bool = False) -> Parsed:
    """A column's values by their kind.

    Args:
        values: texts, or of any other type that files have.
        sign: the decimal sign of numbers among the texts.
        categorical: whether they are names of categories, whatever they look like.

    >>> [parsed(pl.Series(texts)).kind for texts in (["1", "?"], ["yes", "no"], ["2020-01-31", ""], ["1", "x"] * 5)]
    ['numbers', 'yes or no', 'dates', 'categories']
    """
    kind = values.dtype
    if kind in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype == pl.String:
        texts = cleaned(values)
        return _categories(texts) if categorical else _of_texts(texts, sign)
    if categorical and (kind.is_numeric() or kind == pl.Boolean):
        return _categories(_as_texts(values))
    if kind == pl.Boolean:
        return _counted("yes or no", values.cast(pl.Float64))
    if kind.is_numeric():
        return _counted("numbers", values.cast(pl.Float64).fill_nan(None))
    if kind == pl.Time:
        return _counted("times", values.cast(pl.Int64).cast(pl.Float64) / 3.6e12)
    if kind in (pl.Date, pl.Datetime):
        return _counted("dates", values.dt.replace_time_zone(None) if kind == pl.Datetime else values.cast(pl.Datetime))
    if kind == pl.Duration:
        return _counted("numbers", values.dt.total_seconds(fractional=True))
    if kind == pl.Null:
        return Parsed("empty", values.cast(pl.String), len(values), 0)
    return Parsed("nested", values, values.null_count(), 0)


def _as_texts(values: pl.Series) -> pl.Series:
    """Numbers as texts, whole ones without a point."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
        whole = values.drop_nulls()
        if (whole == whole.floor()).all() and whole.abs().max() is not None and float(whole.abs().max()) < 2**53:  # pyright: ignore[reportArgumentType]
            values = values.cast(pl.Int64)
    return values.cast(pl.String)


def texts_of(values: pl.Series) -> pl.Series:
    """The values of a target as texts, without blanks around them; null where there is none."""
    if values.dtype == pl.Boolean:
        return values.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    return _as_texts(values) if values.dtype.is_numeric() else values.cast(pl.String).str.strip_chars()


def _counted(kind: Kind, values: pl.Series, note: str = "") -> Parsed:
    missing = values.null_count()
    distinct = values.n_unique() - (missing > 0)
    return Parsed("empty" if missing == len(values) else kind, values, missing, distinct, note)


def _categories(texts: pl.Series) -> Parsed:
    return _counted("categories", texts)


def _of_texts(texts: pl.Series, sign: str) -> Parsed:
    """Texts by their kind."""
    present = len(texts) - texts.null_count()
    if present == 0:
        return Parsed("empty", texts, len(texts), 0)
    numbers, note = _numbers(texts, sign)
    strangers = numbers.null_count() - texts.null_count()
    if strangers == 0:
        return _counted("numbers", numbers.fill_nan(None), note)
    found = _yes_or_no(texts) or _dates(texts) or _times(texts)
    if found is not None:
        return found
    categories = _categories(texts)
    few = categories.distinct <= FEW_VALUES and categories.distinct * TIMES <= present
    if 2 * strangers <= present and not few:
        strange = (numbers.is_null() & texts.is_not_null()).arg_max()
        return replace(categories, kind="mixed", strange=int(strange or 0), note=f"{strangers:,} of {present:,}")
    different = present >= ROWS and categories.distinct > DIFFERENT * present
    return replace(categories, kind="texts") if different else categories


def _numbers(texts: pl.Series, sign: str) -> tuple[pl.Series, str]:
    """The numbers that texts write, null where they write none; and how they were read."""
    numbers = _plain_numbers(texts, sign)
    if numbers.null_count() == texts.null_count():
        return numbers, ""
    texts = texts.str.replace("−", "-", literal=True)  # The minus of typesetters.
    unit = re.search(_UNIT, texts.drop_nulls()[0])
    bare, notes = texts, []
    if unit is not None:
        mark = re.escape(unit[0].strip())
        bare = texts.str.replace(rf"^([+-]?){mark} ?", "$1").str.replace(rf" ?{mark}$", "")
        if (bare.drop_nulls() != texts.drop_nulls()).all():
            notes.append(f"{unit[0].strip()} taken off")
    pattern, group = (GROUPED_BY_POINTS, ".") if sign == "," else (GROUPED, ",")
    grouped = bare.str.contains(pattern).fill_null(False)
    if grouped.any():
        bare = bare.str.replace_all(group, "", literal=True).zip_with(grouped, bare)
        notes.append("digits in groups of three")
    read = _plain_numbers(bare, sign)
    # A unit that some have and others have not may be another unit.
    whole = read.null_count() == texts.null_count() and (unit is None or bool(notes))
    return (read, ", ".join(notes)) if whole or unit is None else (numbers, "")


def _plain_numbers(texts: pl.Series, sign: str) -> pl.Series:
    plain = texts.str.replace(",", ".", literal=True) if sign == "," else texts
    return plain.cast(pl.Float64, strict=False)


def _yes_or_no(texts: pl.Series) -> Parsed | None:
    lower = texts.str.to_lowercase()
    words = {*lower.drop_nulls().unique()}
    for no, yes in _PAIRS:
        if words == {no, yes}:
            return _counted("yes or no", (lower == yes).cast(pl.Float64), f"{yes} is 1")
    return None


def _dates(texts: pl.Series) -> Parsed | None:
    """Texts as dates, where all are of one form; of two that fit, none is taken."""
    present = texts.drop_nulls()
    first = present[0]
    fits: list[tuple[pl.Series, str]] = []
    for pattern, form in _DATES:
        for clock, clock_form in _CLOCK:
            whole = rf"^{pattern}{clock}(Z|[+]00:00)?$"
            if not pl.Series([first]).str.contains(whole)[0] or not present.str.contains(whole).all():
                continue
            plain = texts.str.replace("T", " ", literal=True) if "T" in first and "%b" not in form else texts
            plain = plain.str.replace(r"(Z|[+]00:00)$", "")
            plain = plain.str.replace_all(" ", "-") if form.startswith("%d-%b") and not clock else plain
            dates = plain.str.to_datetime(form + clock_form, strict=False, time_unit="us")
            if dates.null_count() == texts.null_count():
                fits.append((dates, form))
    if not fits:
        return None
    if len(fits) > 1 and not (fits[0][0] == fits[1][0]).all():
        return replace(_categories(texts), kind="dates", doubt="with the day or the month first")
    return _counted("dates", fits[0][0], fits[0][1] if fits[0][1][:2] != "%Y" else "")


def _times(texts: pl.Series) -> Parsed | None:
    """Texts as times of the day, in hours."""
    for pattern, form in ((r"^\d{1,2}:\d{2}$", "%H:%M"), (r"^\d{1,2}:\d{2}:\d{2}$", "%H:%M:%S")):
        if texts.drop_nulls().str.contains(pattern).all():
            times = texts.str.to_time(form, strict=False)
            if times.null_count() == texts.null_count():
                return _counted("times", times.cast(pl.Int64).cast(pl.Float64) / 3.6e12)
    return None
