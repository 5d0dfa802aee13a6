"""What lies in a folder of pictures: a folder for each class, perhaps in a folder for each part of the data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actlab.errors import InvalidData, cut
from actlab.tasks.array_names import PARTS
from actlab.tasks.tables.report import Note
from actlab.wording import listed

PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_HOW = "give a folder that holds a folder of pictures for each class, or such folders in train and test"


@dataclass(frozen=True)
class ClassFolders:
    """Pictures by part and class.

    Attributes:
        name: of the folder, as messages name it.
        root: where it lies.
        classes: the names of the class folders that are trained on: texts in their order, numbers in theirs.
        files: by part, "train" first, and by class, the pictures in the order of their names.
        folders: by part, the folder that holds its class folders.
        notes: what is told.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    files: Mapping[str, Mapping[str, Sequence[Path]]]
    folders: Mapping[str, Path]
    notes: tuple[Note, ...]

    def shown(self, path: Path) -> str:
        """A path below the folder as messages name it."""
        return f"{self.name}/{path.relative_to(self.root).as_posix()}"


def class_folders(root: Path) -> ClassFolders:
    """Find the pictures of a folder. What is hidden, no picture or in no class folder is left out and told.

    Raises:
        InvalidData: a folder that cannot be read, without class folders or with one alone; pictures a level deeper
            than in class folders; no training part, or a class that it lacks.
    """
    name = root.resolve().name or str(root)
    try:
        parts, passed_over = _parts(name, root)
        found = {part: _by_class(name, root, folder, passed_over) for part, folder in parts.items()}
    except OSError as error:
        raise InvalidData(f"{cut(error.filename or str(root))} cannot be read ({error.strerror}).") from None
    classes = _in_order(found["train"])
    result = ClassFolders(name, root, classes, found, parts, ())
    _refuse_few_classes(result)
    for part in found:
        if strange := [own for own in found[part] if own not in classes]:
            where = result.shown(parts["train"])
            raise InvalidData(
                f"{result.shown(parts[part] / strange[0])} is a class that {where} lacks (it holds "
                f"{_few(classes)}): name it as one of these, add pictures of it to {where}, or take it out."
            )
    notes = (*_told_of_others(name, root, passed_over), *_told_of_alike(name, classes))
    return ClassFolders(name, root, classes, found, parts, notes)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def is_picture(path: Path) -> bool:
    """Whether a file is named as a picture, and not hidden."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def holds_pictures(folder: Path) -> bool:
    """Whether there is a picture in a folder, however deep."""
    return any(is_picture(Path(place) / file) for place, _, files in os.walk(folder) for file in files)


def _parts(name: str, root: Path) -> tuple[dict[str, Path], list[Path]]:
    """The folder of each part, the training part first, and what lies beside them; the whole is all training data."""
    known = {word: part for part, words in PARTS.items() for word in words}
    inside = _folders(root)
    named = [(known[folder.name.lower()], folder) for folder in inside if folder.name.lower() in known]
    found: dict[str, Path] = {}
    for part, folder in named:
        if not _folders(folder):
            continue
        if part in found:
            both = f"{found[part].name} and {folder.name}"
            raise InvalidData(f"{name} holds the folders {both}, and both may be the {part} part: leave one out.")
        found[part] = folder
    if not found:
        if named and len(named) == len(inside):
            # As classes, these would be told apart by which part a picture is of.
            raise InvalidData(
                f"{name} holds {listed(folder.name for folder in inside)}, named as parts, and in them no folders of "
                "classes: put each picture into a folder named as its class, within its part."
            )
        return {"train": root}, []
    if "train" not in found:
        only = listed(folder.name for folder in found.values())
        raise InvalidData(f"{name} holds {only} and no folder train with folders of classes in it: add it.")
    return {part: found[part] for part in PARTS if part in found}, [
        path for path in root.iterdir() if path not in found.values()
    ]


def _by_class(name: str, root: Path, folder: Path, passed_over: list[Path]) -> dict[str, list[Path]]:
    """The pictures of each class folder that holds some; all else goes to `passed_over`."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__MACOSX")) or not path.is_dir():
            passed_over.append(path)
            continue
        inside = sorted(path.iterdir())
        pictures = [own for own in inside if is_picture(own)]
        if not path.name.isprintable():  # Bytes that are no text in the system's encoding as well.
            raise InvalidData(f"{name}: the folder {path.name!a} has no name that can be written: rename it.")
        if pictures:
            found[path.name] = pictures
            passed_over += [own for own in inside if not is_picture(own)]
        elif deeper := [own for own in _folders(path) if holds_pictures(own)]:
            shown = f"{name}/{path.relative_to(root).as_posix()}"
            raise InvalidData(
                f"{shown} holds no pictures but folders of them ({_few([own.name for own in deeper])}): give that "
                "folder if these are the classes, or put all pictures of a class into its own folder."
            )
        else:
            passed_over.append(path)
    return found


def _in_order(names: Mapping[str, object]) -> tuple[str, ...]:
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _refuse_few_classes(found: ClassFolders) -> None:
    if len(found.classes) > 1:
        return
    folder = found.folders["train"]
    shown = found.name if folder == found.root else found.shown(folder)
    if found.classes:
        raise InvalidData(
            f"{shown} holds pictures of one class only ({found.classes[0]}): give a folder for each of two classes or "
            "more."
        )
    if any(is_picture(path) for path in folder.iterdir()):
        raise InvalidData(
            f"{shown} holds pictures, and no folders of them that say their classes: put each picture into a folder "
            "named as its class."
        )
    raise InvalidData(f"{shown} holds no folders of pictures ({', '.join(PICTURES)}): {_HOW}.")


def _told_of_others(name: str, root: Path, passed_over: Sequence[Path]) -> list[Note]:
    if not passed_over:
        return []
    what = "1 file or folder is" if len(passed_over) == 1 else f"{len(passed_over):,} files and folders are"
    shown = _few([f"{path.relative_to(root).as_posix()}{'/' * path.is_dir()}" for path in sorted(passed_over)])
    return [Note(f"{name}: {what} left out ({shown}): hidden, no pictures, empty, or in no folder of a class.")]


def _told_of_alike(name: str, classes: Sequence[str]) -> list[Note]:
    folded: dict[str, list[str]] = {}
    for own in classes:
        folded.setdefault(" ".join(own.split()).casefold(), []).append(own)
    return [
        Note(
            f"{name}: the classes {listed(map(repr, alike))} differ in case or blanks only and are kept apart: put "
            "their pictures into one folder if they are one."
        )
        for alike in folded.values()
        if len(alike) > 1
    ]


def _few(names: Sequence[str]) -> str:
    """The first of many names.

    >>> _few(["a", "b"]), _few([str(i) for i in range(9)])
    ('a, b', '0, 1, 2, 3, 4, … 9 in all')
    """
    return ", ".join([*names[:5], f"… {len(names)} in all"] if len(names) > 6 else names)
