"""The classes that a target holds, and whether it holds classes at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, cut
from actlab.tasks.cells import missing, number
from actlab.tasks.reading import Classes

# More values than ten, with fewer than ten samples each, are taken for a quantity: published sets of ten classes and
# fewer come in any size, those of twenty to a hundred (letters, faces, leaves) with ten samples or more of each.
MANY_VALUES = 10
FEW_SAMPLES = 10
# Of fewer, no test set can be cut that holds a class, whatever they are: that is said there.
FEW_TO_SPLIT = 5


def are_a_quantity(values: npt.NDArray[np.generic]) -> bool:
    """Whether numbers (n,) are more likely a quantity than the names of classes.

    They are more than ten different ones, and not all of them whole, or fewer than ten stand for each, or one stands
    alone.

    >>> [are_a_quantity(np.array(y)) for y in (range(11), [0, 1] * 9, [0.5, 1.5] * 9, [*range(11)] * 10)]
    [True, False, False, False]
    """
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= MANY_VALUES or len(values) < FEW_TO_SPLIT:
        return False
    fractions = found.dtype.kind == "f" and bool((np.floor(found) != found).any())
    return fractions or bool((counts == 1).any()) or len(values) < FEW_SAMPLES * len(found)


@dataclass(frozen=True)
class Target:
    """A column of a table that is to hold classes.

    Attributes:
        place: how messages begin: the file.
        name: of the column.
        texts: its values, without surrounding spaces.
        lines: of the file that these stand in.
    """

    place: str
    name: str
    texts: Sequence[str]
    lines: Sequence[int]

    def at(self, text: str) -> str:
        """Where a text stands first, in words."""
        return f"{cut(text)} in line {self.lines[self.texts.index(text)]}"


def classes_of(target: Target, decided: Classes | None) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The classes of a target as indices (n,), and their names: numbers in their order, or texts in theirs.

    Args:
        target: the column.
        decided: "texts" if every text is a class as it stands, "numbers" if every number is. None where whole numbers
            that are each written in one way, or else texts, are to be the classes, and all else is asked for.

    Raises:
        InvalidData: an empty value; values that say that nothing is known, numbers that are not whole or written in two
            ways, where nothing is decided; no numbers where numbers are to be the classes.
    """
    if "" in target.texts:
        line = target.lines[target.texts.index("")]
        raise InvalidData(f"{target.place}, line {line}: column {target.name!r} is empty: give each row its class.")
    distinct = sorted(set(target.texts))
    if decided is None:
        _refuse_missing(target, distinct)
    numbers = None if decided == "texts" else _numbers(target, distinct, decided)
    if numbers is None:
        keys: Mapping[str, int] = {text: place for place, text in enumerate(distinct)}
        return np.array([keys[text] for text in target.texts]), tuple(distinct)
    if decided is None:
        _refuse_fractions(target, numbers)
        _refuse_two_ways(target, numbers)
    # Of several texts for one number, the shortest names it.
    names = {numbers[text]: _written(text, numbers[text]) for text in sorted(distinct, key=len, reverse=True)}
    ranks = {value: place for place, value in enumerate(sorted(names))}
    return np.array([ranks[numbers[text]] for text in target.texts]), tuple(names[value] for value in ranks)


def _numbers(target: Target, distinct: Sequence[str], decided: Classes | None) -> dict[str, Decimal] | None:
    """The exact number of every text; None where one is no number, unless numbers are to be the classes."""
    exact = {text: _exact(text) for text in distinct}
    for text, value in exact.items():
        if value is not None and (value.is_finite() or decided is None):
            continue
        if decided is None:
            return None
        raise InvalidData(
            f"{target.place}: column {target.name!r} holds {target.at(text)}, which is no number: "
            "take such rows out, or say --classes texts to make every text a class."
        )
    return {text: value for text, value in exact.items() if value is not None}


def _exact(text: str) -> Decimal | None:
    """The number that a text writes, with all its digits; None where it writes none."""
    try:
        return None if number(text) is None or missing(text) else Decimal(text)
    except InvalidOperation:  # An exponent of twenty digits.
        return None


def _refuse_missing(target: Target, distinct: Sequence[str]) -> None:
    """Refuse texts by which tables say that a value is missing. A minus is none beside a plus."""
    absent = [text for text in distinct if missing(text) and not (text == "-" and "+" in distinct)]
    if absent:
        count = sum(target.texts.count(text) for text in absent)
        raise InvalidData(
            f"{target.place}: column {target.name!r} holds {target.at(absent[0])}, which says that nothing is known "
            f"({count:,} of {len(target.texts):,} rows): take these rows out, or say --classes texts to make every "
            "text a class."
        )


def _refuse_fractions(target: Target, numbers: Mapping[str, Decimal]) -> None:
    strange = {text for text, value in numbers.items() if not value.is_finite() or value != value.to_integral_value()}
    if strange:
        first = next(text for text in target.texts if text in strange)
        raise InvalidData(
            f"{target.place}: labels are not integers: column {target.name!r} holds {target.at(first)}. If it is a "
            "quantity, say --objective regression; otherwise give class indices or class names, or say --classes "
            "numbers to make every number a class."
        )


def _refuse_two_ways(target: Target, numbers: Mapping[str, Decimal]) -> None:
    """Refuse texts that differ and write one number, as 007 and 7."""
    first: dict[Decimal, str] = {}
    for text, value in numbers.items():
        other = first.setdefault(value, text)
        if other != text:
            raise InvalidData(
                f"{target.place}: column {target.name!r} holds {target.at(other)} and {target.at(text)}, which differ "
                "and are one number: say --classes texts to keep them apart, or --classes numbers to make them one."
            )


def _written(text: str, value: Decimal) -> str:
    """The name of the class of a number: without a point where it is whole, but with the leading zeros of a code."""
    plain = text.isdecimal() or value != value.to_integral_value() or value.adjusted() > 300
    return text if plain else str(int(value))


def refuse_quantity(
    place: str, what: str, counts: npt.NDArray[np.integer], classes: Sequence[str], *, numbers: bool
) -> None:
    """Raise InvalidData where what is to be classes has single samples, or is more likely a quantity.

    Args:
        place: how the message begins: the file.
        what: the target, in words.
        counts: samples of each class, (classes,).
        classes: their names.
        numbers: whether these are numbers.

    >>> import numpy as np
    >>> refuse_quantity("a.csv", "column 'age'", np.array([2, 1, 5]), ["30", "31", "40"], numbers=True)
    Traceback (most recent call last):
    actlab.errors.InvalidData: a.csv: column 'age' holds 3 numbers, of which 1 comes only once (31): if it is a \
quantity, say --objective regression; if the numbers are classes, --classes numbers, or take the single samples out.
    """
    if counts.sum() < FEW_TO_SPLIT:
        return
    single = [str(name) for name, count in zip(classes, counts, strict=True) if count == 1]
    if numbers and not single and len(counts) > MANY_VALUES and counts.sum() < FEW_SAMPLES * len(counts):
        raise InvalidData(
            f"{place}: {what} holds {len(counts):,} different numbers in {counts.sum():,} samples: if it is a "
            "quantity, say --objective regression; if the numbers are classes, --classes numbers."
        )
    if not single:
        return
    listed = ", ".join([*single[:3], "…"] if len(single) > 3 else single)
    if not numbers:
        raise InvalidData(
            f"{place}: {what} holds {len(single):,} {'class' if len(single) == 1 else 'classes'} of a single sample "
            f"({cut(listed)}), which can be learnt or tested, but not both: take them out, or say --classes texts to "
            "train all the same."
        )
    raise InvalidData(
        f"{place}: {what} holds {len(counts):,} numbers, of which {len(single):,} "
        f"{'comes' if len(single) == 1 else 'come'} only once ({cut(listed)}): if it is a quantity, say "
        "--objective regression; if the numbers are classes, --classes numbers, or take the single samples out."
    )
