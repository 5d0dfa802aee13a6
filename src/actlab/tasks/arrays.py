"""A user's own arrays: a `.npz` file, as numpy.savez writes it. Nothing in it is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.array_names import places, plain
from actlab.tasks.columns import counting, left_out, refuse_names_of_samples, told_of_columns
from actlab.tasks.labels import refuse_quantity
from actlab.tasks.pictures import prepared
from actlab.tasks.reading import Reading
from actlab.tasks.split import hold_out, split
from actlab.tasks.tables.report import Note, Report, tell
from actlab.tasks.task import SPLITS, Pair, Samples, Task, build, check_pair

Arrays = Mapping[str, npt.NDArray[np.generic]]


def load_arrays(path: Path, seed: int, reading: Reading) -> Task:
    """Load a task from a `.npz` file.

    Args:
        path: a file with the keys `x_train` and `y_train`, and optionally `x_validation`, `y_validation`,
            `x_test`, `y_test`, or under other names that people use: see `array_names.places`. Samples: (n,
            features), (n, height, width) or (n, height, width, channels); pixels are divided by their largest value,
            channels that come first are moved, and both are told. Labels as of `array_names.plain`.
        seed: 0 or more; cuts the splits that are missing: both, 20 % each; one, a sixth of train.
        reading: what is decided of the file.

    Returns:
        The task, named as the file, with a `report` of what was decided.

    Raises:
        InvalidData: a damaged file, missing keys, arrays that `build` refuses; a doubt that `reading` does not decide.
        UnknownName: a key beginning with x_ or y_ that is none of the six.
    """
    arrays, notes = _read(path)
    present = [part for part in SPLITS if f"x_{part}" in arrays]
    samples, told, decided = prepared(path.name, {f"x_{part}": arrays[f"x_{part}"] for part in present}, reading)
    labels, classes, written = plain(path.name, {part: arrays[f"y_{part}"] for part in present})
    pairs = {part: check_pair(path.name, part, samples[f"x_{part}"], labels[part]) for part in present}
    notes = (*notes, *decided, *written)
    tell(notes)
    pairs = _without_columns(path.name, pairs, reading)
    if classes is None:
        _refuse_quantity(path.name, {part: y for part, (_, y) in pairs.items()}, reading)
    splits, rule = _complete(pairs, seed, path.name)
    provenance = f"{path.name}{told}{told_of_columns(reading)}; {rule}"
    task = build(path.name, *splits, provenance=provenance, classes=classes)
    return replace(task, report=Report(sum(len(y) for _, y in pairs.values()), (), notes))


def _read(path: Path) -> tuple[Arrays, list[Note]]:
    """The arrays of the file that are samples or labels, as "x_train" and its like, and what is told of their names."""
    try:
        with path.open("rb") as stream:
            _refuse_other_formats(path, stream)
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InvalidData(f"{path} holds a single array: write it with numpy.savez, keys x_train, y_train.")
            found, told = places(path.name, archive.files)
            return {wanted: np.asarray(archive[key]) for wanted, key in found.items()}, told
    except (InvalidData, UnknownName):
        raise
    except Exception as error:  # There is no list of what NumPy raises at a header or an archive that is damaged.
        reason = " ".join(str(error).split()) or type(error).__name__
        if "allow_pickle" in reason:
            reason = "it holds Python objects, which are never unpickled"
        raise _unreadable(path, reason) from None


# How a zip archive, an empty one, a single array and a pickle begin. NumPy takes all else for a pickle, too.
_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY", b"\x80")


def _refuse_other_formats(path: Path, stream: BinaryIO) -> None:
    """Refuse what is no archive by what it begins with, before NumPy calls it Python objects."""
    beginning = stream.read(8)
    stream.seek(0)
    if not beginning:
        raise _unreadable(path, "it is empty")
    if not beginning.startswith(_BEGINNINGS):
        raise _unreadable(path, f"it begins with {beginning!r}, which no such file does")


def _unreadable(path: Path, reason: str) -> InvalidData:
    return InvalidData(
        f"{path} cannot be read as a .npz file of plain arrays ({reason}): write it again with numpy.savez."
    )


def _without_columns(name: str, pairs: Mapping[str, Pair], reading: Reading) -> Mapping[str, Pair]:
    """The samples without the columns that are left out; columns that count the rows are refused."""
    samples = [x for x, _ in pairs.values()]
    if any(x.ndim != 2 for x in samples):
        if reading.keep or reading.drop:
            raise InvalidData(f"{name}: its samples are pictures, which have no columns to keep or drop: leave it out.")
        return pairs
    if len({x.shape[1] for x in samples}) > 1:
        return pairs  # Refused for that.
    names = [str(index + 1) for index in range(samples[0].shape[1])]
    without = left_out(name, names, reading)
    counted = [names[index] for index in counting(cast("list[Samples]", samples))]
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


def _complete(pairs: Mapping[str, Pair], seed: int, name: str) -> tuple[list[Pair], str]:
    """Cut the missing splits from train; return all three, and the rule in words."""
    train = pairs["train"]
    cut = f"stratified by class, seed {seed}"
    if len(pairs) == len(SPLITS):
        return [pairs[part] for part in SPLITS], "all splits as in the file"
    if "test" in pairs:
        rest, validation = hold_out(*train, seed, name=name)
        return [rest, validation, pairs["test"]], f"validation a sixth of x_train, {cut}"
    if "validation" in pairs:
        rest, test = hold_out(*train, seed, name=name)
        return [rest, pairs["validation"], test], f"test a sixth of x_train, {cut}"
    return list(split(*train, seed, name=name)), f"split 60/20/20 {cut}"
