"""Under which names files of arrays hold samples and labels, and the ways in which labels are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.tables.report import Note
from actlab.tasks.task import SPLITS

Array = npt.NDArray[np.generic]

KEYS = tuple(f"{letter}_{part}" for part in SPLITS for letter in "xy")
# The words that such names consist of.
_LETTERS = {
    "x": ("x", "image", "images", "data", "input", "inputs", "feature", "features", "sample", "samples"),
    "y": ("y", "label", "labels", "target", "targets"),
}
PARTS = {
    "train": ("train", "training", "tr"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing", "te"),
}


def place_of(key: str) -> tuple[str, str] | None:
    """What a key holds: "x" or "y", and of which part, "" for that of all; None for neither.

    >>> place_of("x_val"), place_of("trainImages"), place_of("Y"), place_of("note"), place_of("x_trian")
    (('x', 'validation'), ('x', 'train'), ('y', ''), None, None)
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", key)]
    letters = [letter for word in words for letter, known in _LETTERS.items() if word in known]
    parts = [part for word in words for part, known in PARTS.items() if word in known]
    if len(letters) != 1 or len(parts) > 1 or len(words) != 1 + len(parts) or re.search(r"\d", key):
        return None
    return letters[0], parts[0] if parts else ""


_WRITE_AGAIN = "write it again with numpy.savez, samples as x_train and labels as y_train"


def places(name: str, keys: Sequence[str], otherwise: str = _WRITE_AGAIN) -> tuple[dict[str, str], list[Note]]:
    """By "x_train" and its like, the keys under which a file holds them, and what of that is to be told.

    Keys without a part, as `X` and `y`, are those of the training part where there are no others of it. Other keys are
    left alone, unless they begin with x_ or y_.

    Args:
        name: of the file.
        keys: all that it holds.
        otherwise: the way out where none of them is known.

    Raises:
        UnknownName: a key that begins with x_ or y_ and names no part.
        InvalidData: two keys for the same; none for samples or labels of a part.
    """
    found: dict[str, str] = {}
    whole: dict[str, str] = {}
    for key in keys:
        place = place_of(key)
        if place is None:
            if key.startswith(("x_", "y_")):
                raise UnknownName(f"key in {name}", key, KEYS)
            continue
        letter, part = place
        own, wanted = (found, f"{letter}_{part}") if part else (whole, f"{letter}_train")
        if wanted in own and key != wanted:
            raise InvalidData(f"{name} holds both {own[wanted]} and {key}, and both may be {wanted}: leave one out.")
        own[wanted] = key
    if not {"x_train", "y_train"} & found.keys():
        found = whole | found
    _refuse_missing(name, keys, found, otherwise)
    others = [f"{key} for {wanted}" for wanted, key in found.items() if key != wanted]
    told = [Note(f"{name}: {', '.join(others)} {'are' if len(others) > 1 else 'is'} taken.")] if others else []
    return found, told


def _refuse_missing(name: str, keys: Sequence[str], found: Mapping[str, str], otherwise: str) -> None:
    """Refuse samples without their labels, and labels without their samples; training samples there must be."""
    needed = {"x_train", "y_train"} | {f"{letter}_{wanted[2:]}" for wanted in found for letter in "xy"}
    if not (missing := sorted(needed.difference(found))):
        return
    shown = [*keys[:8], f"… {len(keys)} in all"] if len(keys) > 8 else keys
    way_out = "add what is missing" if found else otherwise
    raise InvalidData(f"{name} lacks {', '.join(missing)} (it holds {', '.join(shown) or 'nothing'}): {way_out}.")


def plain(name: str, labels: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...] | None, list[Note]]:
    """Labels as one whole number a sample, the names of the classes where they are texts, and what is to be told.

    Columns (n, 1) become (n,), rows of one 1 among zeros the place of that, texts and bytes the places of their
    names in order, truth values 0 and 1.

    Args:
        name: of the file.
        labels: by part, "train" first.

    Raises:
        InvalidData: rows of several ones; the parts write their labels in different ways.
    """
    flat = {part: y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for part, y in labels.items()}
    if len({(y.ndim, y.dtype.kind in "US") for y in flat.values()}) > 1:
        raise InvalidData(f"{name}: its parts write their labels in different ways: write all as y_train does.")
    train = flat["train"]
    if train.ndim == 2 and train.dtype.kind in "iufb" and train.size:
        return _places_of_ones(name, flat)
    if train.dtype.kind in "US" and train.ndim == 1:
        return _named(flat)
    return {part: y.astype(np.int64) if y.dtype.kind == "b" else y for part, y in flat.items()}, None, []


def _places_of_ones(name: str, labels: Mapping[str, Array]) -> tuple[dict[str, Array], None, list[Note]]:
    if len({y.shape[1] for y in labels.values()}) > 1:
        raise InvalidData(f"{name}: the rows of its labels are of different lengths: write all as y_train does.")
    for part, y in labels.items():
        right = are_ones(y)
        if not right.all():
            place = int(np.argmin(right))
            raise InvalidData(
                f"{name}: y_{part} has the shape {y.shape}, and its row {place} is not one 1 among zeros: give one "
                "class index a sample; --objective labels learns several labels of a sample, --objective regression "
                "learns the numbers of each column as quantities."
            )
    told = Note(f"{name}: labels of shape {labels['train'].shape} are one-hot: the class of a row is where its 1 is.")
    return {part: np.argmax(y, axis=1) for part, y in labels.items()}, None, [told]


def are_ones(rows: Array) -> npt.NDArray[np.bool_]:
    """Whether each row of numbers (n, classes) is one 1 among zeros, (n,).

    >>> are_ones(np.array([[0, 1], [1, 1], [0, 2]])).tolist()
    [True, False, False]
    """
    values = np.asarray(rows, dtype=float)
    return ((values == 0) | (values == 1)).all(axis=1) & (values.sum(axis=1) == 1)


def _named(labels: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...], list[Note]]:
    texts = {part: _text(y) for part, y in labels.items()}
    names, places = np.unique(np.concatenate(list(texts.values())), return_inverse=True)
    ends = np.cumsum([len(y) for y in texts.values()])[:-1]
    return dict(zip(texts, np.split(places, ends), strict=True)), tuple(map(str, names)), []


def _text(y: Array) -> npt.NDArray[np.str_]:
    return np.char.decode(y.astype(np.bytes_), "utf-8") if y.dtype.kind == "S" else y.astype(np.str_)
