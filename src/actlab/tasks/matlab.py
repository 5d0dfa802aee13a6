"""Arrays of a `.mat` file, as MATLAB and Octave save them up to version 7."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.array_files import Stored
from actlab.tasks.array_names import place_of, places
from actlab.tasks.tables.report import Note
from actlab.tasks.tables.source import refuse_beyond_memory

# What MATLAB's other classes are called, and how plain arrays are made of them.
_OTHERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cell": ("a cell array", "cell2mat({0}) makes one of numbers, char({0}) one of texts"),
        "struct": ("a struct", "save its fields as variables of their own"),
        "sparse": ("a sparse matrix", "full({0}) makes one of it"),
        "object": ("an object", "double({0}) makes one of categories"),
        "opaque": ("an object", "double({0}) makes one of categories, char({0}) one of strings"),
        "function": ("a function", "save its values"),
    }
)
# As MATLAB counts in its own memory: whatever the numbers are, they are read as 8 bytes each.
_BYTES = 8
_SAVE_AGAIN = "save it again in MATLAB or Octave with save('FILE.mat', 'x_train', 'y_train', '-v7')"


def read_mat(path: Path) -> Stored:
    """The arrays of a `.mat` file that are named like samples and labels.

    Raises:
        InvalidData: a file of version 7.3, which is HDF5, or written as text, or damaged; structs, cells and objects;
            arrays beyond the memory.
        UnknownName: as of `array_names.places`.
    """
    import scipy.io

    _refuse_other_formats(path)
    try:
        # What SciPy makes of doubtful variables is looked at below.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kinds = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(stream)}
            found, told = _places(path.name, {name: kind for name, (_, kind) in kinds.items()})
            numbers = sum(math.prod(kinds[key][0]) for key in found.values())
            refuse_beyond_memory(path.name, _BYTES * numbers, "its arrays", "take a part of the samples")
            stream.seek(0)
            # Without mat_dtype, whole numbers that MATLAB holds as doubles come as the bytes of the file, like pixels.
            arrays = scipy.io.loadmat(stream, variable_names=[*found.values()], mat_dtype=True)
        return Stored(path.name, {wanted: _plain(arrays[key]) for wanted, key in found.items()}, "", told, ask=True)
    except (InvalidData, UnknownName):
        raise
    except Exception as error:  # There is no list of what SciPy raises at a damaged file.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidData(f"{path} cannot be read as a .mat file ({reason}): {_SAVE_AGAIN}.") from None


def _refuse_other_formats(path: Path) -> None:
    with path.open("rb") as stream:
        beginning = stream.read(64)
    if not beginning:
        raise InvalidData(f"{path} is empty: {_SAVE_AGAIN}.")
    if beginning.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise InvalidData(f"{path} is of MATLAB's version 7.3 (HDF5), which is not read: {_SAVE_AGAIN}.")
    if beginning.startswith(b"# Created by Octave"):
        raise InvalidData(f"{path} is written as text, which is not read: {_SAVE_AGAIN}.")
    if _is_cut(path):
        raise InvalidData(f"{path} ends before its last array does: get a fresh copy.")


def _is_cut(path: Path) -> bool:
    """Whether a file of version 5 to 7 ends within a variable; SciPy would take it for one with fewer of them."""
    end = path.stat().st_size
    with path.open("rb") as stream:
        order = {b"IM": "<", b"MI": ">"}.get(stream.read(128)[126:])
        place = 128
        while order and place < end:
            stream.seek(place)
            tag = stream.read(8)
            if len(tag) < 8:
                return True
            place += 8 + struct.unpack(f"{order}II", tag)[1]
    return place > end if order else False


def _places(name: str, kinds: Mapping[str, str]) -> tuple[dict[str, str], tuple[Note, ...]]:
    """By "x_train" and its like, the variables that are taken; those of other classes are refused."""
    others = [key for key, kind in kinds.items() if kind in _OTHERS]
    try:
        found, told = places(name, [key for key in kinds if key not in others], _SAVE_AGAIN)
        return found, tuple(told)
    except InvalidData:
        # What is missing may be there as something else: named so, or in the one thing that a file holds.
        meant = [key for key in others if place_of(key) is not None or len(kinds) == 1]
        if not meant:
            raise
        what, way_out = _OTHERS[kinds[meant[0]]]
        raise InvalidData(
            f"{name}: {meant[0]} is {what}, where a plain array is expected: {way_out.format(meant[0])}."
        ) from None


def _plain(array: object) -> npt.NDArray[np.generic]:
    """An array as it is; texts without the blanks that fill up the rows of characters."""
    if not isinstance(array, np.ndarray):
        raise TypeError(" ".join(str(array).split()))
    return np.char.rstrip(array) if array.dtype.kind == "U" else array
