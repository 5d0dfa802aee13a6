"""CIFAR-10 as lossless WebP images: a copy that takes two thirds of the space and holds nothing to unpickle.

Six images, `train_0.webp` to `train_4.webp` and `test.webp`, of 3,200 × 3,200 pixels each are 100 × 100 tiles, row by
row in the set's own order. `labels.npz` holds `y_train` and `y_test`, and the flags `exact_train` and `exact_test`:
False for an image whose pixels are a JPEG decode, because no lossless copy of it was to be had.
"""

from __future__ import annotations

import functools
import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.task import Pair

Array = npt.NDArray[np.generic]

LABELS = "labels.npz"
_TRAIN, _TEST = tuple(f"train_{number}.webp" for number in range(5)), "test.webp"
_SIDE = 32
# SHA-256 of the bytes of each array once decoded: images (n, 32, 32, 3), labels (n,), flags (n,).
DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
        "exact_train": "6f1476cbfcd126fe12c115c728e5392c56cbba93a15369925be5ae97ddcccaa7",
        "exact_test": "a797f4c3c8b21d63f36ba7115b033c0980d5a7310ec5faa0664e9f55e408d0a4",
        "x_train": "c7208a336c3e10ef73e02f4a3a08bcf524d925b615d8b8338ccadd61b4231946",
        "x_test": "1249626010949d8f448e0faf792debbc3da0c50ed31bfff3678c99c37fbc7e48",
    }
)


@dataclass(frozen=True, eq=False)
class Copy:
    """The images (n, 32, 32, 3), uint8, and labels (n,) of both splits, and how many images of each are not exact."""

    train: Pair
    test: Pair
    inexact_train: int
    inexact_test: int


@functools.lru_cache(maxsize=1)
def read_sprites(folder: Path) -> Copy:
    """Read the copy that lies in `folder`; once in a process, for decoding takes seconds.

    Raises:
        InvalidData: a file is missing or cannot be read, or what it holds has another SHA-256 than it should.
    """
    arrays = _read_labels(folder / LABELS)
    arrays["x_train"] = np.concatenate([_tiles(folder / name) for name in _TRAIN])
    arrays["x_test"] = _tiles(folder / _TEST)
    for name, expected in DIGESTS.items():
        array = np.ascontiguousarray(arrays[name])
        found = hashlib.sha256(array.data).hexdigest()
        if found != expected:
            raise InvalidData(
                f"{folder}: {name} of the copy as WebP images has the wrong SHA-256 digest, expected {expected}, "
                f"found {found}: get a fresh copy."
            )
        # What is handed out again and again must stay as it is.
        array.flags.writeable = False
        arrays[name] = array
    return Copy(
        (arrays["x_train"], arrays["y_train"]),
        (arrays["x_test"], arrays["y_test"]),
        int(np.count_nonzero(~arrays["exact_train"].astype(bool))),
        int(np.count_nonzero(~arrays["exact_test"].astype(bool))),
    )


def _read_labels(path: Path) -> dict[str, Array]:
    names = [name for name in DIGESTS if not name.startswith("x_")]
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            return {name: np.asarray(archive[name]) for name in names}
    except (OSError, EOFError, KeyError, IndexError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidData(
            f"{path} cannot be read as an .npz file with {', '.join(names)} ({error}): get a fresh copy."
        ) from None


def _tiles(path: Path) -> npt.NDArray[np.uint8]:
    """The images of one sprite, from left to right and from top to bottom: (n, 32, 32, 3)."""
    from PIL import Image

    try:
        with Image.open(path, formats=["WEBP"]) as image:
            sprite = np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidData(f"{path} cannot be read as a WebP image ({reason}): get a fresh copy.") from None
    if sprite.shape[0] % _SIDE or sprite.shape[1] % _SIDE:
        raise InvalidData(f"{path} is no sheet of {_SIDE}×{_SIDE} tiles: it is {sprite.shape[0]}×{sprite.shape[1]}.")
    rows, columns = sprite.shape[0] // _SIDE, sprite.shape[1] // _SIDE
    tiles = sprite.reshape(rows, _SIDE, columns, _SIDE, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(rows * columns, _SIDE, _SIDE, 3)
