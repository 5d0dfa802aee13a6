"""A user's own arrays as a task: files of `.npz`, `.npy` and `.mat`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.array_files import Stored, read_npy, read_npz
from actlab.tasks.array_names import plain
from actlab.tasks.axes import samples_first
from actlab.tasks.columns import Columns, counting, left_out, refuse_names_of_samples, told_of_columns
from actlab.tasks.labels import are_a_quantity, refuse_quantity
from actlab.tasks.pictures import prepared
from actlab.tasks.reading import Reading
from actlab.tasks.split import completed
from actlab.tasks.tables.report import Note, Report, tell
from actlab.tasks.tables.source import refuse_beyond_memory, suffix_of
from actlab.tasks.task import SPLITS, Pair, Task, build, build_labels, build_numbers, check_pair, numbers_pair

Arrays = Mapping[str, npt.NDArray[np.generic]]


def load_arrays(path: Path, kind: str, seed: int, reading: Reading) -> Task:
    """Load a task from files of arrays.

    Args:
        path: a file, or a folder of `.npy` files, with the arrays `x_train` and `y_train`, and optionally
            `x_validation`, `y_validation`, `x_test`, `y_test`, or under other names that people use: see
            `array_names.places`. Samples: (n, features), (n, height, width), (n, height, width, channels) or, for a
            network of one's own, (n, …); the axis of the samples may be the last one, and that of the channels their
            first, pixels are divided by their largest value, and all of that is told. Labels as of `array_names.plain`.
        kind: the ending of `reading.ARRAYS` that says how it is read.
        seed: 0 or more; cuts the splits that are missing: both, 20 % each; one, a sixth of train.
        reading: what is decided of the file.

    Returns:
        The task, named as the file, with a `report` of what was decided.

    Raises:
        InvalidData: a damaged file, missing keys, arrays that `build` refuses; a doubt that `reading` does not decide.
        UnknownName: a key beginning with x_ or y_ that is none of the six.
    """
    name, arrays, where, found = _stored(path, kind, reading)
    tokens = reading.layout == "tokens"
    present = [part for part in SPLITS if f"x_{part}" in arrays]
    count = sum(arrays[f"x_{part}"].size for part in present)
    refuse_beyond_memory(name, BYTES * count, "its samples, as numbers of 4 bytes,", "take a part of them")
    samples, told, decided = prepared(name, {f"x_{part}": arrays[f"x_{part}"] for part in present}, reading)
    targets = {part: arrays[f"y_{part}"] for part in present}
    numbers = numbers_told(name, targets, reading)
    classes, written = None, numbers
    if numbers:
        pairs = {p: numbers_pair(name, p, samples[f"x_{p}"], y, tokens=tokens) for p, y in targets.items()}
    else:
        labels, classes, written = plain(name, targets)
        pairs = {p: check_pair(name, p, samples[f"x_{p}"], y, tokens=tokens) for p, y in labels.items()}
    notes = (*found, *decided, *written)
    tell(notes)
    pairs = _without_columns(name, pairs, reading)
    if classes is None and not numbers:
        _refuse_quantity(name, {part: y for part, (_, y) in pairs.items()}, reading)
    splits, rule = completed(pairs, seed, name, train="x_train", source="the file")
    provenance = f"{name}{where}{told}{told_of_columns(reading)}; {rule}"
    if numbers:
        made = build_labels if reading.objective == "labels" else build_numbers
        task = made(name, *splits, provenance=provenance, tokens=tokens)
    else:
        task = build(name, *splits, provenance=provenance, classes=classes, tokens=tokens)
    return replace(task, report=Report(sum(len(y) for _, y in pairs.values()), (), notes))


def numbers_told(name: str, targets: Arrays, reading: Reading) -> list[Note]:
    """What is told where targets are learnt as numbers; nothing where they are classes.

    Undecided, they are learnt so where they are more likely a quantity (`labels.are_a_quantity`), or stand in several
    columns and are not all whole.
    """
    if reading.objective == "labels":
        return [Note(f"{name}: each column of its targets is a label that a sample has or has not.", "--objective")]
    if reading.objective == "regression":
        return [Note(f"{name}: its targets are learnt as quantities (regression).", "--objective")]
    y = targets["train"]
    decided = reading.objective == "classes" or reading.classes is not None
    if decided or y.dtype.kind not in "fiu" or not 1 <= y.ndim <= 2:
        return []
    # What is no number is refused with its place, by either way.
    y = y[np.isfinite(y).reshape(len(y), -1).all(axis=1)] if y.dtype.kind == "f" else y
    if not len(y):
        return []
    several = y.ndim == 2 and y.shape[1] > 1
    if (np.floor(y) == y).all() if several else not are_a_quantity(y.ravel()):
        return []
    what = f"{y.shape[1]} quantities a sample" if several else f"{len(np.unique(y)):,} different numbers, a quantity"
    return [Note(f"{name}: y_train holds {what}, which are learnt as such (regression).", "--objective")]


def _stored(path: Path, kind: str, reading: Reading) -> tuple[str, dict[str, npt.NDArray[np.generic]], str, list[Note]]:
    """The name of a file, its arrays with those of the test part's own, where they are from, and notes of it."""
    stored = _READERS[kind](path)
    arrays, turned, notes = samples_first(stored.name, stored.arrays, reading.layout, ask=stored.ask)
    found = stored.name, arrays, f"{stored.where}{turned}", [*stored.notes, *notes]
    if reading.test is None:
        return found
    second = Path(reading.test)
    kind = ".npy" if second.is_dir() else suffix_of(second.name)
    if kind not in _READERS or not second.exists():
        raise InvalidData(f"{second} is no file of arrays ({', '.join(_READERS)}): give one like {stored.name}.")
    if "x_test" in arrays:
        raise InvalidData(f"{stored.name} has a test part of its own: leave --test out.")
    name, others, where, notes = _stored(second, kind, replace(reading, test=None))
    arrays |= {"x_test": others["x_train"], "y_test": others["y_train"]}
    return stored.name, arrays, f"{found[2]}, test {name}{where}", [*found[3], *notes]


def _mat(path: Path) -> Stored:
    from actlab.tasks.matlab import read_mat  # SciPy's part for these takes a while to import.

    return read_mat(path)


_READERS: Mapping[str, Callable[[Path], Stored]] = {".npz": read_npz, ".npy": read_npy, ".mat": _mat}
# Of a number as networks get it.
BYTES = 4


def _without_columns(name: str, pairs: Mapping[str, Pair], reading: Reading) -> Mapping[str, Pair]:
    """The samples without the columns that are left out; columns that count the rows are refused."""
    samples = [x for x, _ in pairs.values()]
    sequences = reading.layout in ("sequences", "tokens")
    if sequences or any(x.ndim != 2 for x in samples):
        if reading.keep or reading.drop:
            what = "sequences" if sequences else "pictures"
            raise InvalidData(f"{name}: its samples are {what}, which have no columns to keep or drop: leave it out.")
        return pairs
    if len({x.shape[1] for x in samples}) > 1:
        return pairs  # Refused for that.
    names = [str(index + 1) for index in range(samples[0].shape[1])]
    without = left_out(name, names, reading)
    counted = [names[index] for index in counting(cast("list[Columns]", samples))]
    refuse_names_of_samples(name, [column for column in counted if column not in without], [], reading.keep)
    left = [index for index, column in enumerate(names) if column not in without]
    return {part: (x[:, left], y) for part, (x, y) in pairs.items()} if without else pairs


def _refuse_quantity(name: str, labels: Mapping[str, npt.NDArray[np.generic]], reading: Reading) -> None:
    """Refuse labels that are more likely a quantity, unless they are decided to be classes."""
    if reading.classes == "texts":
        raise InvalidData(f"{name}: its labels are numbers: say --classes numbers, or leave it out.")
    values = np.unique(labels["train"])
    if reading.classes is None and len(values) > 1:
        # What training lacks is refused for that.
        everywhere = [y[np.isin(y, values)] for y in labels.values()]
        counts = np.bincount(np.searchsorted(values, np.concatenate(everywhere)))
        refuse_quantity(name, "y_train", counts, [str(value) for value in values], numbers=True)
