"""The binary formats of the image sets, IDX and CIFAR-10 records, parsed with NumPy; nothing is unpickled."""

from __future__ import annotations

import gzip
import math
import tarfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.task import Pair

Bytes = npt.NDArray[np.uint8]

_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_RECORD = 1 + 3 * 32 * 32


def read_idx(path: Path) -> Bytes:
    """Read a gzip-compressed IDX file of unsigned bytes.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
    big-endian 32-bit integer, the values in C order. Source: LeCun, Cortes, Burges, the MNIST database, 1998.

    Returns:
        uint8, of the shape that the file states.

    Raises:
        InvalidData: no gzip or IDX file of unsigned bytes; more or fewer values than it states.
    """
    try:
        with gzip.open(path) as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidData(f"{path} cannot be read as a gzip file ({error}): get a fresh copy.") from None
    dimensions = content[3] if len(content) >= 4 else 0
    header = 4 + 4 * dimensions
    if content[:3] != b"\0\0\x08" or dimensions == 0 or len(content) < header:
        raise InvalidData(f"{path} is no IDX file of unsigned bytes (it begins {content[:4].hex()!r}).")
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4))
    if len(content) - header != math.prod(shape):
        raise InvalidData(
            f"{path} states the shape {shape}, {math.prod(shape):,} values, "
            f"and holds {len(content) - header:,}: get a fresh copy."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def read_cifar10(path: Path) -> tuple[Pair, Pair]:
    """Read the training and test images of the CIFAR-10 binary archive.

    A record is one label byte, then 1,024 red, 1,024 green and 1,024 blue pixels, row by row.
    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

    Returns:
        Train and test, each images, uint8, (n, 32, 32, 3), and labels, uint8, (n,), 0 to 9.

    Raises:
        InvalidData: no gzip-compressed tar archive, a batch missing or cut, a label above 9.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            train = [_read_batch(archive, f"data_batch_{number}.bin", path) for number in range(1, 6)]
            test = _read_batch(archive, "test_batch.bin", path)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InvalidData(f"{path} cannot be read as a .tar.gz archive ({error}): get a fresh copy.") from None
    return _images_and_labels(np.concatenate(train)), _images_and_labels(test)


def _read_batch(archive: tarfile.TarFile, batch: str, path: Path) -> Bytes:
    """Read one file of the archive: records, uint8, (n, 3073)."""
    try:
        member = archive.extractfile(f"{_CIFAR_FOLDER}/{batch}")
    except KeyError:
        member = None
    if member is None:
        raise InvalidData(f"{path} holds no {_CIFAR_FOLDER}/{batch}: get the binary version of CIFAR-10.")
    content = member.read()
    if len(content) == 0 or len(content) % _CIFAR_RECORD:
        raise InvalidData(
            f"{path}: {batch} holds {len(content):,} bytes, no multiple of the {_CIFAR_RECORD:,} of a "
            "record: get a fresh copy."
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _CIFAR_RECORD)
    if records[:, 0].max() > 9:
        raise InvalidData(f"{path}: {batch} holds the label {records[:, 0].max()}, expected 0 to 9.")
    return records


def _images_and_labels(records: Bytes) -> Pair:
    """Records (n, 3073) as images (n, 32, 32, 3) and labels (n,)."""
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
