"""Files that appear whole or not at all, and stay when the power goes."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Names that `replacing` writes to, and those that earlier versions wrote to in a run directory.
TEMPORARY = re.compile(
    r"\.actlab-[0-9a-f]{12}\.tmp(\.\w+)?|(study\.toml|summary\.json|\.report\.html|.+\.safetensors)\.tmp"
)


def temporary_beside(path: Path) -> Path:
    """A name in the folder of `path` that no other process takes, with the same suffix."""
    return path.parent / f".actlab-{secrets.token_hex(6)}.tmp{path.suffix}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; what was written takes the place of `path` when the block ends.

    The file is synced before it gets its name, and the directory after: when the block has been left, neither a kill
    nor a loss of power takes the file away. If anything is raised, an earlier file stays and the temporary one goes.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file, as `replacing` does. Raises OSError."""
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(data)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Give a directory to fill with files, which becomes `path` when the block ends; those above it are made.

    `path` is new or an empty directory: it is there with all its files, or as it was before.

    Raises:
        OSError: the directory cannot be written.
    """
    make_directory(path.parent)
    temporary = temporary_beside(path)
    try:
        temporary.mkdir()
        yield temporary
        sync_directory(temporary)
        # POSIX would replace an empty directory; Windows does not.
        if path.exists():
            path.rmdir()
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_directory(path: Path) -> None:
    """Make a directory and those above it that are missing, and sync their entries. Raises OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_directory(folder.parent)


def sync_directory(path: Path) -> None:
    """Make sure that the names in a directory are on the disk. Raises OSError."""
    if os.name == "nt":
        return  # Windows cannot open a directory; NTFS journals its names by itself.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems over a network have nothing to sync in a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
