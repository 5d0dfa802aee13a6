"""Files of arrays read: `.npz` as numpy.savez writes it, `.npy` side by side, `.mat`. Nothing in them is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData, UnknownName
from actlab.tasks.array_names import place_of, places
from actlab.tasks.tables.report import Note
from actlab.tasks.tables.source import refuse_beyond_memory
from actlab.wording import listed


@dataclass(frozen=True)
class Stored:
    """A user's arrays as they were stored.

    Attributes:
        name: of file or folder, as messages name it.
        arrays: by "x_train" and its like.
        where: what the provenance says of them after the name.
        notes: what is told.
        ask: whether samples are as likely counted by the last axis as by the first, where both have their length.
    """

    name: str
    arrays: Mapping[str, npt.NDArray[np.generic]]
    where: str
    notes: tuple[Note, ...]
    ask: bool = False


# How a zip archive, an empty one, a single array and a pickle begin. NumPy takes all else for a pickle, too.
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_ARRAY, _PICKLE = b"\x93NUMPY", b"\x80"


def read_npz(path: Path) -> Stored:
    """The arrays of a `.npz` file. Raises InvalidData and UnknownName, as of `array_names.places`."""
    try:
        with path.open("rb") as stream:
            _refuse_other_formats(path, stream)
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InvalidData(f"{path} holds a single array: write it with numpy.savez, keys x_train, y_train.")
            found, told = places(path.name, archive.files)
            assert archive.zip is not None
            lengths = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.zip.infolist()}
            _refuse_beyond_memory(path.name, sum(lengths[key.removesuffix(".npy")] for key in found.values()))
            arrays = {wanted: np.asarray(archive[key]) for wanted, key in found.items()}
            return Stored(path.name, arrays, "", tuple(told))
    except (InvalidData, UnknownName):
        raise
    except Exception as error:  # There is no list of what NumPy raises at a header or an archive that is damaged.
        raise _unreadable(path, _reason(error)) from None


def _refuse_other_formats(path: Path, stream: BinaryIO) -> None:
    """Refuse what is no archive by what it begins with, before NumPy calls it Python objects."""
    beginning = stream.read(8)
    stream.seek(0)
    if not beginning:
        raise _unreadable(path, "it is empty")
    if not beginning.startswith((*_ZIPS, _ARRAY, _PICKLE)):
        raise _unreadable(path, f"it begins with {beginning!r}, which no such file does")


def _reason(error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return "it holds Python objects, which are never unpickled" if "allow_pickle" in reason else reason


def _unreadable(path: Path, reason: str) -> InvalidData:
    return InvalidData(
        f"{path} cannot be read as a .npz file of plain arrays ({reason}): write it again with numpy.savez."
    )


def _refuse_beyond_memory(name: str, length: int) -> None:
    refuse_beyond_memory(name, length, "its arrays", "take a part of the samples")


_HOW_TO_NAME = "name the files x.npy and y.npy, or x_train.npy, y_train.npy, x_test.npy, y_test.npy, in one folder"


def read_npy(path: Path) -> Stored:
    """The arrays of a folder of `.npy` files, or of those that belong to one of them.

    To a file that is named as that of a part, as `X_train.npy`, belong all such files beside it; to another, as
    `x.npy`, its labels.

    Raises:
        InvalidData: a file that is named like neither samples nor labels, has none of the others beside it or several
            that may be the same, or is damaged or too large.
        UnknownName: as of `array_names.places`.
    """
    name = (path if path.is_file() else path.resolve()).name
    files = belonging(path)
    found, _ = places(name, list(files), _HOW_TO_NAME)
    _refuse_beyond_memory(name, sum(files[key].stat().st_size for key in found.values()))
    arrays = {wanted: _array(files[key]) for wanted, key in found.items()}
    taken = [f"{files[key].name} for {wanted}" for wanted, key in found.items()]
    where = f", files {', '.join(files[key].name for key in found.values())}"
    return Stored(name, arrays, where, (Note(f"{name}: {', '.join(taken)} are taken."),))


def belonging(path: Path) -> dict[str, Path]:
    """By its name without the ending, each file of arrays that belongs to a file, or lies in a folder."""
    folder = path if path.is_dir() else path.parent
    files = {file.stem: file for file in npy_files(folder)}
    if path.is_dir():
        return files
    if (place := place_of(path.stem)) is None:
        raise InvalidData(f"{path.name} is named like neither samples nor labels: {_HOW_TO_NAME}.")
    letter, part = place
    known = {stem: own for stem in files if (own := place_of(stem)) is not None}
    if part:
        return {stem: files[stem] for stem, (_, of_part) in known.items() if of_part}
    other, what = ("y", "labels") if letter == "x" else ("x", "samples")
    beside = [stem for stem, own in known.items() if own == (other, "")]
    if path.stem.lower() == letter:
        beside = [stem for stem in beside if stem.lower() == other] or beside
    if not beside:
        raise InvalidData(f"{path.name}: beside it lies no file of {what}, as {other}.npy: put both into one folder.")
    if len(beside) > 1:
        several = listed(f"{stem}.npy" for stem in beside)
        raise InvalidData(f"{path.name}: {several} may be its {what}: leave one of them in that folder.")
    return {path.stem: path, beside[0]: files[beside[0]]}


def npy_files(folder: Path) -> list[Path]:
    """The `.npy` files of a folder, in the order of their names, without those that are hidden."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() == ".npy" and not file.name.startswith(".") and file.is_file()
    )


def _array(path: Path) -> npt.NDArray[np.generic]:
    """The one array of a file."""
    try:
        with path.open("rb") as stream:
            beginning = stream.read(8)
            stream.seek(0)
            if beginning.startswith(_ZIPS):
                raise InvalidData(f"{path} holds several arrays: give it the ending .npz.")
            if not beginning.startswith((_ARRAY, _PICKLE)):
                found = f"begins with {beginning!r}, which no such file does" if beginning else "is empty"
                raise ValueError(f"it {found}")
            return np.asarray(np.load(stream, allow_pickle=False))
    except InvalidData:
        raise
    except Exception as error:  # As of `read_npz`.
        raise InvalidData(
            f"{path} cannot be read as a .npy file of a plain array ({_reason(error)}): write it again with numpy.save."
        ) from None
