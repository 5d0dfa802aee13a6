"""The data that networks are trained on: toy sets, digits, MNIST, Fashion-MNIST, CIFAR-10, a user's own.

`load` turns a name, or the path of a file or folder, into a `Task`. Every task has a train, a validation and a test
split, cut by a seed where the source has none. Importing this package imports NumPy alone: scikit-learn,
pooch and tqdm are imported by the tasks that need them.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from actlab.errors import ActlabWarning, InvalidData, UnknownName, cut
from actlab.tasks.array_files import npy_files
from actlab.tasks.class_folders import PICTURES, holds_pictures
from actlab.tasks.extrapolation import told_of_targets
from actlab.tasks.reading import ARRAYS, FOLDER, TABLES, Reading, refuse_undue
from actlab.tasks.tables.report import Report
from actlab.tasks.tables.source import PACKED, suffix_of
from actlab.tasks.task import Task, Validation, validated_on_test

__all__ = ["Outline", "Reading", "Task", "load", "names", "outline"]

_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "parabolas": "toy",
        "moons": "toy",
        "circles": "toy",
        "spirals": "toy",
        "sine": "quantities",
        "friedman": "quantities",
        "diabetes": "quantities",
        "tic-tac-toe": "boards",
        "digits": "digits",
        "mnist": "images",
        "fashion-mnist": "images",
        "cifar10": "images",
    }
)


@dataclass(frozen=True)
class Outline:
    """What is known of a built-in task before its data are loaded.

    Attributes:
        samples: how many there are, in all splits together.
        shape: of one sample: (features,) or (height, width, channels).
    """

    samples: int
    shape: tuple[int, ...]


_OUTLINES: Mapping[str, Outline] = MappingProxyType(
    {
        "parabolas": Outline(3_000, (2,)),
        "moons": Outline(2_000, (2,)),
        "circles": Outline(2_000, (2,)),
        "spirals": Outline(2_000, (2,)),
        "sine": Outline(1_500, (1,)),
        "friedman": Outline(2_000, (10,)),
        "diabetes": Outline(442, (10,)),
        "tic-tac-toe": Outline(958, (27,)),
        "digits": Outline(1_797, (8, 8, 1)),
        "mnist": Outline(70_000, (28, 28, 1)),
        "fashion-mnist": Outline(70_000, (28, 28, 1)),
        "cifar10": Outline(60_000, (32, 32, 3)),
    }
)


def names() -> tuple[str, ...]:
    """Return the names of the built-in tasks, the small ones first.

    >>> names()[:5]
    ('parabolas', 'moons', 'circles', 'spirals', 'sine')
    """
    return tuple(_MODULES)


def outline(name: str) -> Outline:
    """Return the size of a built-in task without loading it. Raises UnknownName if there is no such task.

    >>> outline("mnist")
    Outline(samples=70000, shape=(28, 28, 1))
    """
    if name not in _OUTLINES:
        raise UnknownName("task", name, names())
    return _OUTLINES[name]


def load(
    name: str,
    *,
    target: str | None = None,
    reading: Reading | None = None,
    seed: int = 0,
    validation: Validation = "held-out",
) -> Task:
    """Load a built-in task, or a user's own data: a table, arrays, or a folder of pictures.

    Args:
        name: a name of `names()`; a path that ends in one of `actlab.tasks.reading.TABLES`, perhaps packed (`.gz`,
            `.zip`), or in one of `actlab.tasks.reading.ARRAYS`; or that of a folder, of pictures or `.npy` files.
        target: the column of a table that is to be learnt, by name or number, or several of numbers joined by commas;
            for nothing else.
        reading: how the file is to be read where it leaves a doubt.
        seed: 0 or more; decides every split the source has not, and the points of the toy tasks.
        validation: "held-out" for validation data apart from the test data. "test" for training on all that is no
            test data and validating on the test data, as many published experiments did: nothing may be chosen on
            it.

    Returns:
        The task. The same arguments give the same bytes, and so the same digest.

    Raises:
        UnknownName: no such task, or no such column.
        InvalidData: a file or folder that does not exist or cannot be used; a doubt that `reading` does not decide; a
            target or a decision where none is due; another word for `validation`.
        DownloadFailed: a data file could not be had, or has the wrong digest.

    >>> task = load("parabolas")
    >>> task.x_train.shape, task.classes
    ((2000, 2), ('negative', 'positive'))
    """
    if seed < 0:
        raise InvalidData(f"the seed of a task's split is a whole number of 0 or more, not {seed}.")
    if validation not in get_args(Validation):
        raise InvalidData(f"validation is 'held-out' or 'test', not {validation!r}.")
    kind = kind_of(name)
    if name not in _MODULES and not kind:
        raise _no_task(name, suffix_of(name))
    if target is not None and (name in _MODULES or kind in (FOLDER, *ARRAYS)):
        raise InvalidData(f"target {target!r} was given for {name!r}, which is no table: leave it out.")
    reading = reading or Reading()
    refuse_undue(name, kind, reading)
    if name in _MODULES:
        if holds_pictures(Path(name)):
            sentence = f"{name} is the task of that name that comes with actlab; ./{name} is the folder."
            warnings.warn(sentence, ActlabWarning, stacklevel=2)
        make = getattr(importlib.import_module(f"actlab.tasks.{_MODULES[name]}"), name.replace("-", "_"))
        if _MODULES[name] == "images":
            # These do not cut what would only be joined again: half a gigabyte of pixels.
            return make(seed, validation)
        task = make(seed)
    else:
        task = _load_own(name, kind, target, seed, reading)
    task = task if validation == "held-out" else validated_on_test(task)
    return task if name in _MODULES else told_of_targets(task)


def kind_of(name: str) -> str:
    """What kind of a user's own data a name is of: the ending of a file, or `FOLDER`; empty if it is none that is read.

    >>> kind_of("a.csv.gz"), kind_of("a.NPY"), kind_of("digits")
    ('.csv', '.npy', '')
    """
    if name in _MODULES:
        return ""
    path = Path(name)
    try:
        if path.is_dir():
            return ".npy" if npy_files(path) else FOLDER
    except OSError as error:
        raise InvalidData(f"{cut(name)} cannot be read ({error.strerror}).") from None
    suffix = suffix_of(name)
    return suffix if suffix in (*ARRAYS, *TABLES, *PACKED) else ""


def _no_task(name: str, suffix: str) -> InvalidData | UnknownName:
    """What is wrong with a name that is neither of a task nor of a file that is read."""
    if not suffix and len(Path(name).parts) < 2:
        return UnknownName("task", name, names())
    ending = f"ends in {suffix}" if suffix else "has no ending"
    if suffix in PICTURES:
        return InvalidData(
            f"{name} is a single picture: give the folder that holds a folder of pictures for each class."
        )
    return InvalidData(
        f"{name} {ending}, and actlab reads tables ({', '.join(TABLES)}, packed as {' or '.join(PACKED)} too), arrays "
        f"({', '.join(ARRAYS)}: x_train and y_train) and folders of pictures: write the data again as one of these."
    )


def describe(name: str, reading: Reading) -> Report | None:
    """What a table holds before its target is known, and which columns could be that; None for any other task.

    Raises:
        UnknownName, InvalidData: as `load`, of what a file shows without a target.
    """
    kind = kind_of(name)
    if not kind or kind in (FOLDER, *ARRAYS, ".libsvm", ".svm"):
        return None
    refuse_undue(name, kind, reading)
    from actlab.tasks.table import describe

    return describe(file_of(name), reading)


def file_of(name: str) -> Path:
    """The path of a user's file. Raises InvalidData if there is none."""
    path = Path(name)
    try:
        there = path.is_file()
    except OSError as error:  # A name longer than a file system takes, a folder that may not be entered.
        raise InvalidData(f"{cut(str(path))} cannot be read ({error.strerror}).") from None
    if not there:
        raise InvalidData(
            f"{path} is no file: give the path of a table, of arrays ({', '.join(ARRAYS)}) or of a folder of pictures, "
            f"or one of {', '.join(names())}."
        )
    return path


def _load_own(name: str, kind: str, target: str | None, seed: int, reading: Reading) -> Task:
    """Load a user's file or folder."""
    if kind == FOLDER:
        from actlab.tasks.folders import load_folder

        return load_folder(Path(name), seed, reading)
    path = Path(name) if Path(name).is_dir() else file_of(name)
    if kind not in ARRAYS:
        from actlab.tasks.table import load_table

        return load_table(path, target, seed, reading)
    from actlab.tasks.arrays import load_arrays

    return load_arrays(path, kind, seed, reading)
