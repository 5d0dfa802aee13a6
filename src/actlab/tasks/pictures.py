"""Figures among a user's arrays: where their channels are, and what their pixels are divided by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.reading import Layout, Reading
from actlab.tasks.tables.report import Note

Array = npt.NDArray[np.generic]

# A set of pictures of 8 bits without one pixel in the brighter half is hardly one.
BRIGHT = 127
# As many channels a picture has, where it may be told: grey, colours, colours and their opacity.
CHANNELS = (1, 3, 4)
# What is neither turned nor scaled unless that is said.
AS_STORED: tuple[Layout | None, ...] = ("sequences", "tokens")
# The largest pixels of cameras and files of 8, 10, 12, 14 and 16 bits.
LARGEST = (255, 1023, 4095, 16383, 65535)
# Arrays (n, features) of whole numbers may be counts; from 8×8 features on they may be pictures laid flat.
FLAT = 64


def prepared(name: str, parts: Mapping[str, Array], reading: Reading) -> tuple[dict[str, Array], str, list[Note]]:
    """Samples with pictures as (n, height, width, channels), their pixels scaled; what was done, in words; notes of it.

    What is decided to be sequences or tokens is left as it is, unless a divisor is decided as well.

    Args:
        name: of the file; messages begin with it.
        parts: samples by key, `x_train` first.
        reading: what is decided of them.

    Raises:
        InvalidData: parts that are not stored alike, pictures whose channels may come first or last where nothing is
            decided; a layout for what has none; a divisor for tokens.
    """
    train = parts["x_train"]
    for key, x in parts.items():
        if _is_uint8_image(x) != _is_uint8_image(train):
            raise InvalidData(
                f"{name}: {key} holds {x.dtype} values of shape {x.shape} where x_train holds {train.dtype} of shape "
                f"{train.shape}: store all samples alike."
            )
    layout, notes = _layout(name, train, reading)
    divisor, more = _divisor(name, train, reading)
    if layout is None and train.ndim == 3 and divisor is None:
        more = _told_of_shape(name, train)
    told = _TOLD.get(layout, "")
    if divisor is not None:
        told += f", {'uint8 pixels' if _is_uint8_image(train) else 'values'} divided by {divisor:g}"
    return {key: _prepared(x, layout, divisor) for key, x in parts.items()}, told, notes + more


_TOLD: Mapping[Layout | None, str] = {
    "channels-first": ", channels first",
    "sequences": ", sequences",
    "tokens": ", ids of tokens",
}


def _prepared(x: Array, layout: Layout | None, divisor: float | None) -> Array:
    if x.ndim == 3 and layout not in AS_STORED:
        x = x[..., None]
    elif x.ndim == 4 and layout == "channels-first":
        x = np.moveaxis(x, 1, -1)
    return x if divisor is None or x.dtype.kind not in "fiub" else x.astype(np.float32) / np.float32(divisor)


def _is_uint8_image(x: Array) -> bool:
    """Whether `x` holds images of bytes: (n, height, width), (n, height, width, channels), or several a sample."""
    return x.dtype == np.uint8 and x.ndim > 2


def _layout(name: str, x: Array, reading: Reading) -> tuple[Layout | None, list[Note]]:
    """What samples are, or where their channels, and what is told of it; raises InvalidData where these may be first or
    last.
    """
    if reading.layout in AS_STORED:
        return reading.layout, []
    if reading.layout in ("channels-first", "channels-last"):
        # Pictures of one channel have none to move, and may be said to be pictures.
        if x.ndim != 4 and not (x.ndim == 3 and reading.layout == "channels-last"):
            raise InvalidData(f"{name}: x_train has the shape {x.shape}, without channels: leave --layout out.")
        return reading.layout, []
    if x.ndim == 4:
        _, first, second, last = x.shape
        if first in CHANNELS and last not in CHANNELS and first < second:
            told = f"{name}: x_train has the shape {x.shape}: channels come first, pictures are {second}×{last}"
            return "channels-first", [Note(f"{told}; --layout channels-last says otherwise.", "--layout")]
        # As channels last, pictures that are wider than high with more channels than rows, or as wide as they have
        # channels: there are hardly any. As channels first, these are pictures with few channels, and square ones.
        # Of three equal lengths any may be the channels.
        unusual = (first < second and first < last) or (first != second == last and last > 4)
        if unusual or 1 < first == second == last:
            raise InvalidData(
                f"{name}: x_train has the shape {x.shape}: say --layout channels-first if these are pictures of "
                f"{second}×{last} with {first} channel{'s' * (first != 1)}, or --layout channels-last if they are of "
                f"{first}×{second} with {last}."
            )
    return None, []


def _told_of_shape(name: str, x: Array) -> list[Note]:
    """What is told of samples (n, a, b) that may be sequences as well as pictures."""
    _, height, width = x.shape
    real = x.dtype.kind in "fiu" and x.size > 0
    if not real or _is_uint8_image(x) or height == width or (x.min() >= 0 and x.max() <= 1):  # type: ignore[attr-defined]
        return []
    told = f"{name}: x_train has the shape {x.shape}, taken for pictures of {height}×{width} with one channel"
    otherwise = f"--layout sequences takes samples of {height}×{width}, for a network of your own"
    return [Note(f"{told}; {otherwise}.", "--layout")]


def _divisor(name: str, x: Array, reading: Reading) -> tuple[float | None, list[Note]]:
    """What the samples are divided by, and what is told of it where they look like pixels."""
    if reading.layout == "tokens" and reading.scale not in (None, "none"):
        raise InvalidData(f"{name}: ids of tokens are not divided: leave --scale out.")
    if reading.scale is not None:
        return None if reading.scale == "none" else reading.scale, []
    if reading.layout in AS_STORED:
        return None, []
    if _is_uint8_image(x):
        return 255.0, []
    if x.size == 0 or x.dtype.kind not in "fiu" or x.ndim < 2:
        return None, []  # Nothing, or refused for what it is.
    least, most = float(x.min()), float(x.max())  # type: ignore[attr-defined]
    if not (least >= 0 and BRIGHT < most <= LARGEST[-1]) or (x.ndim == 2 and x.shape[1] < FLAT):
        return None, []
    small = most <= LARGEST[0]
    # Decimals beyond 255 measure something else; flat arrays of other whole numbers beyond 255 may be counts.
    likely = small or _whole(x) if x.ndim > 2 else (small or x.dtype == np.uint16) and _whole(x)
    if not likely:
        return None, []
    largest = next(bound for bound in LARGEST if most <= bound)
    what = "pixels" if x.ndim > 2 else "pixels of pictures laid flat"
    told = (
        f"{name}: x_train holds {x.dtype} values from {least:g} to {most:g}, taken for {what} and divided by {largest}"
    )
    return float(largest), [Note(f"{told}; --scale none takes them as they are.", "--scale")]


def _whole(x: Array) -> bool:
    return x.dtype.kind in "iu" or bool(np.all(x == np.floor(x)))  # type: ignore[arg-type]
