"""The data that networks are trained on: toy sets, digits, MNIST, Fashion-MNIST, CIFAR-10, a user's own.

`load` turns a name, or the path of a file, into a `Task`. Every task has a train, a validation and a test
split, cut by a seed where the source has none. Importing this package imports NumPy alone: scikit-learn,
pooch and tqdm are imported by the tasks that need them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.task import Task

__all__ = ["Task", "load", "names"]

_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "parabolas": "toy",
        "moons": "toy",
        "circles": "toy",
        "spirals": "toy",
        "digits": "digits",
        "mnist": "images",
        "fashion-mnist": "images",
        "cifar10": "images",
    }
)


def names() -> tuple[str, ...]:
    """Return the names of the built-in tasks, the small ones first.

    >>> names()[:5]
    ('parabolas', 'moons', 'circles', 'spirals', 'digits')
    """
    return tuple(_MODULES)


def load(name: str, *, target: str | None = None, seed: int = 0) -> Task:
    """Load a built-in task, or the data of a `.npz` or `.csv` file.

    Args:
        name: a name of `names()`, or a path that ends in `.npz` or `.csv`.
        target: the column of a `.csv` file that holds the classes; for nothing else.
        seed: 0 or more; decides every split the source has not, and the points of the toy tasks.

    Returns:
        The task. The same arguments give the same bytes, and so the same digest.

    Raises:
        UnknownName: no such task, or no such column.
        InvalidData: a file that does not exist or cannot be used; a target where none is due.
        DownloadFailed: a data file could not be had, or has the wrong digest.

    >>> task = load("parabolas")
    >>> task.x_train.shape, task.classes
    ((2000, 2), ('negative', 'positive'))
    """
    if seed < 0:
        raise InvalidData(f"the seed of a task's split is a whole number of 0 or more, not {seed}.")
    suffix = Path(name).suffix.lower()
    if target is not None and suffix != ".csv":
        raise InvalidData(f"target {target!r} was given for {name!r}, which is no .csv file: leave it out.")
    if name in _MODULES:
        module = importlib.import_module(f"actlab.tasks.{_MODULES[name]}")
        return getattr(module, name.replace("-", "_"))(seed)
    if suffix in (".npz", ".csv"):
        return _load_file(Path(name), target, seed)
    if suffix or len(Path(name).parts) > 1:
        raise InvalidData(f"{name} is no file of data: a task's file ends in .npz or .csv.")
    raise UnknownName("task", name, names())


def _load_file(path: Path, target: str | None, seed: int) -> Task:
    """Load `path`, which ends in .npz or .csv."""
    if not path.is_file():
        raise InvalidData(f"{path} is no file: give the path of a .npz or .csv file, or one of {', '.join(names())}.")
    if path.suffix.lower() == ".csv":
        from actlab.tasks.table import load_table

        return load_table(path, target, seed)
    from actlab.tasks.arrays import load_arrays

    return load_arrays(path, seed)
