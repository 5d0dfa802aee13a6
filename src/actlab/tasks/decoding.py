"""Files of pictures decoded by Pillow: turned upright, on white, grey or in colours, cut and resized."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from actlab.errors import InvalidData

# What is decoded, whatever a file is called. Others of Pillow's start other programs (EPS), or are no pictures.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# As torchvision resizes; Pillow's filters cover all pixels that become one, which is the antialiasing.
FILTER = Image.Resampling.BILINEAR
_TURNED = (5, 6, 7, 8)
_SIXTEEN_BITS = 65535
_THREADS = 8

T = TypeVar("T")
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded.

    Attributes:
        size: height and width, as it is looked at.
        grey: whether it has shades of grey alone.
        several: whether there are further frames, which are left out.
    """

    size: tuple[int, int]
    grey: bool
    several: bool


@dataclass(frozen=True)
class Decoded:
    """A picture as numbers.

    Attributes:
        pixels: (height, width, channels), from 0 to 1.
        transparent: whether white shines through.
    """

    pixels: Pixels
    transparent: bool


def header(path: Path, shown: str) -> Header:
    """Read what stands at the beginning of a picture. Raises InvalidData as `decode`."""
    with _opened(path, shown) as picture:
        width, height = picture.size
        # Pillow turns the sizes of TIFF itself. That of a PNG may stand at its end: it would be decoded for it.
        known = picture.format == "PNG" and "exif" not in picture.info
        if picture.format != "TIFF" and not known and picture.getexif().get(ExifTags.Base.Orientation) in _TURNED:
            width, height = height, width
        several = picture.format != "MPO" and bool(getattr(picture, "is_animated", False))
        return Header((height, width), _is_grey(picture), several)


def decode(path: Path, shown: str, *, size: int | None, channels: int) -> Decoded:
    """Decode the first frame of a picture.

    Args:
        path: the file.
        shown: what messages call it.
        size: height and width of the result, for which the square in the middle is cut out and resized; None for the
            picture as it is.
        channels: 1 for grey, 3 for colours.

    Raises:
        InvalidData: a file that is no picture, is damaged, has more pixels than Pillow takes for safe, or numbers of 32
            bits.
    """
    with _opened(path, shown) as picture:
        upright = ImageOps.exif_transpose(picture)
        upright.format = picture.format
        plain, largest, transparent = _plain(upright, shown)
        if size is not None and plain.size != (size, size):
            side = min(plain.size)
            left, top = (plain.width - side) // 2, (plain.height - side) // 2
            # Cut first: a filter would reach over the edge of a `box`.
            plain = plain.crop((left, top, left + side, top + side)).resize((size, size), FILTER)
        pixels = np.asarray(plain, dtype=np.float32) / np.float32(largest)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Decoded(np.repeat(pixels, channels, axis=2) if pixels.shape[2] < channels else pixels, transparent)


def each(function: Callable[[int], T], count: int) -> list[T]:
    """`function` of every number below `count`, in threads; raises what the first of them in order raises.

    >>> each(lambda i: i * i, 4)
    [0, 1, 4, 9]
    """
    Image.init()  # Before there are threads, which would each do it.
    with warnings.catch_warnings(), ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        # Pillow tells of odd metadata, and of pictures half as large as those that it refuses.
        warnings.simplefilter("ignore")
        futures = [pool.submit(function, i) for i in range(count)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _opened(path: Path, shown: str) -> Iterator[Image.Image]:
    """A picture; whatever is wrong with it, then and within the block, is a sentence with its name."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except InvalidData:
        raise
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise InvalidData(
            f"{shown} has more than {most:,} pixels, which are not unpacked: make it smaller, or take it out."
        ) from None
    except Image.UnidentifiedImageError:
        raise InvalidData(
            f"{shown} cannot be decoded (it is no picture of {', '.join(FORMATS)}): take it out, or get a fresh copy."
        ) from None
    except Exception as error:  # There is no list of what Pillow raises at a damaged picture.
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise InvalidData(f"{shown} cannot be decoded ({reason}): take it out, or get a fresh copy.") from None


def _is_grey(picture: Image.Image) -> bool:
    return picture.mode in ("1", "L", "LA", "La", "I", "F") or picture.mode.startswith("I;16")


def _plain(picture: Image.Image, shown: str) -> tuple[Image.Image, int, bool]:
    """A picture in grey ("L", or "F" of 16 bits) or colours ("RGB"), its largest value, and whether white shines
    through.
    """
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM"):
        return Image.fromarray(np.asarray(picture).astype(np.float32)), _SIXTEEN_BITS, False
    if picture.mode in ("I", "F"):
        raise InvalidData(
            f"{shown} holds numbers of 32 bits, of which none is known to be white: save it with 8 or 16 bits a "
            "channel."
        )
    grey = _is_grey(picture)
    if not picture.has_transparency_data:
        return picture.convert("L" if grey else "RGB"), 255, False
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    seen = Image.alpha_composite(white, layer).convert("L" if grey else "RGB")
    return seen, 255, layer.getchannel("A").getextrema() != (255, 255)
