"""A user's own folder of pictures as a task: brought to one size, split by class, numbered by the folders' names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks import decoding
from actlab.tasks.class_folders import ClassFolders, class_folders
from actlab.tasks.decoding import Header, Pixels
from actlab.tasks.labels import refuse_quantity
from actlab.tasks.reading import Reading
from actlab.tasks.split import completed
from actlab.tasks.tables import source
from actlab.tasks.tables.report import Note, Report, tell
from actlab.tasks.task import Pair, Task, build

# Pictures that are all alike are taken as they are up to this size, which networks of seconds still learn from; all
# others are brought to the second one, that of CIFAR-10, unless a size is given.
AS_THEY_ARE = 64
USUAL = 32
_BYTES = 4


def load_folder(root: Path, seed: int, reading: Reading) -> Task:
    """Load a task from a folder of pictures.

    Args:
        root: a folder with a folder of pictures for each class; or with such folders in `train`, and perhaps in
            `validation` and `test`, under the names of `array_names.PARTS`.
        seed: 0 or more; cuts the splits that are missing: both, 20 % each; one, a sixth of the training pictures.
        reading: what is decided: `size`, and `classes="texts"` for a class of a single picture.

    Returns:
        The task, named as the folder, with samples (n, height, width, channels) from 0 to 1 and a `report` of what was
        decided. Where one picture is in colours, all are.

    Warns:
        ActlabWarning: for each decision that a user should know.

    Raises:
        InvalidData: as of `class_folders`; a picture that cannot be decoded; a class of a single picture; more pictures
            than the memory holds.
    """
    found = class_folders(root)
    if reading.classes not in (None, "texts"):
        raise InvalidData(f"{found.name}: its classes are names of folders: say --classes texts, or leave it out.")
    labels = {part: _labels(found, part) for part in found.files}
    _refuse_single_pictures(found, labels, reading)
    files = [file for own in found.files.values() for name in found.classes for file in own.get(name, ())]
    headers = decoding.each(lambda i: decoding.header(files[i], found.shown(files[i])), len(files))
    size, notes = _size(found.name, headers, reading.size)
    x, more = _pixels(found, files, headers, size)
    ends = np.cumsum([len(y) for y in labels.values()])[:-1]
    pairs: dict[str, Pair] = {part: (own, labels[part]) for part, own in zip(labels, np.split(x, ends), strict=True)}
    splits, rule = completed(pairs, seed, found.name, train="the training pictures", source="the folder")
    notes = (*found.notes, *notes, *more, *_told_of_doubles(found.name, [x for x, _ in splits]))
    tell(notes)
    became = f"the square in their middle resized to {size}×{size}" if size else "as they are"
    provenance = f"{found.name}, {len(files):,} pictures, {became}, pixels divided by their largest value; {rule}"
    task = build(found.name, *splits, provenance=provenance, classes=found.classes)
    return replace(task, report=Report(len(files), (), notes))


def _labels(found: ClassFolders, part: str) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(len(found.classes)), [len(found.files[part].get(name, ())) for name in found.classes])


def _refuse_single_pictures(found: ClassFolders, labels: Mapping[str, npt.NDArray[np.intp]], reading: Reading) -> None:
    if reading.classes is None:
        counts = np.bincount(np.concatenate(list(labels.values())), minlength=len(found.classes))
        refuse_quantity(found.name, "the folder", counts, found.classes, numbers=False)


def _size(name: str, headers: Sequence[Header], decided: int | None) -> tuple[int | None, tuple[Note, ...]]:
    """To what size pictures are brought, None for none, and what is told of it."""
    sizes = sorted({own.size for own in headers})
    alike = len(sizes) == 1
    if decided is not None:
        return (None if sizes == [(decided, decided)] else decided), ()
    if alike and max(sizes[0]) <= AS_THEY_ARE:
        return None, ()
    heights, widths = ([own[axis] for own in sizes] for axis in (0, 1))
    if alike:
        seen = f"its pictures are of {heights[0]}×{widths[0]} pixels"
    else:
        tall, wide = (f"{min(lengths)} to {max(lengths)}" for lengths in (heights, widths))
        seen = f"its pictures have {len(sizes):,} sizes, {tall} pixels high and {wide} wide"
    sentence = (
        f"{name}: {seen}: the square in the middle of each is resized to {USUAL}×{USUAL}; --size {2 * USUAL}, or "
        "another number, says otherwise."
    )
    return USUAL, (Note(sentence, "--size"),)


def _pixels(
    found: ClassFolders, files: Sequence[Path], headers: Sequence[Header], size: int | None
) -> tuple[Pixels, list[Note]]:
    """All pictures, (n, height, width, channels), and what is told of them."""
    grey = sum(own.grey for own in headers)
    channels = 1 if grey == len(files) else 3
    height, width = (size, size) if size else headers[0].size
    _refuse_beyond_memory(found.name, len(files), height, width, channels)
    x = np.empty((len(files), height, width, channels), np.float32)

    def decoded(i: int) -> bool:
        shown = found.shown(files[i])
        picture = decoding.decode(files[i], shown, size=size, channels=channels)
        if picture.pixels.shape != x.shape[1:]:  # As of a PNG that says at its end that it is to be turned.
            raise InvalidData(f"{shown} is not of {height}×{width} pixels like the others: say --size {height}.")
        x[i] = picture.pixels
        return picture.transparent

    transparent = sum(decoding.each(decoded, len(files)))
    several = sum(own.several for own in headers)
    told = [
        (channels == 3 and grey, f"{_of(grey, files)} grey among others in colours: all are taken in colours."),
        (transparent, f"{_of(transparent, files)} transparent in places, which are made white."),
        (several, f"{_of(several, files)} of several frames, of which the first is taken."),
    ]
    return x, [Note(f"{found.name}: {sentence}") for count, sentence in told if count]


def _of(count: int, files: Sequence[Path]) -> str:
    return f"{count:,} of {len(files):,} pictures {'is' if count == 1 else 'are'}"


def _refuse_beyond_memory(name: str, count: int, height: int, width: int, channels: int) -> None:
    """As the numbers that pictures become, told before any is decoded."""
    most = math.isqrt(source.memory() // (source.TIMES_THE_ARRAYS * _BYTES * count * channels))
    way_out = f"say --size {most} or less" if most else "take a part of them"
    what = f"its {count:,} pictures of {height}×{width}×{channels} numbers"
    source.refuse_beyond_memory(name, _BYTES * count * height * width * channels, what, way_out)


def _told_of_doubles(name: str, parts: Sequence[npt.NDArray[np.generic]]) -> list[Note]:
    """What is told where pictures of the validation or test part are among those of the training part."""
    train, *others = ([blake2b(np.ascontiguousarray(own).data).digest() for own in part] for part in parts)
    known = set(train)
    validation, test = (sum(own in known for own in part) for part in others)
    if not validation and not test:
        return []
    sentence = (
        f"{name}: {test:,} of {len(parts[2]):,} test pictures and {validation:,} of {len(parts[1]):,} validation "
        "pictures are in the training part as well, pixel for pixel: on these nothing new is tested; take doubled "
        "pictures out."
    )
    return [Note(sentence)]
