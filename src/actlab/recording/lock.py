"""A lock on a run directory, held by a process until it lets go or dies."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from actlab.errors import ActlabWarning, InvalidRecording
from actlab.files import make_directory

NAME = "lock"
# How often the directory may go away, with the run that made it, between making it and opening the lock in it.
ATTEMPTS = 100

if sys.platform == "win32":
    import msvcrt

    def _seize(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _seize(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """The lock on a directory, which is made where it is missing.

    Raises:
        InvalidRecording: another process, or another run of this one, holds it.
        OSError: nothing can be written there; nothing is left.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
        self._descriptor: int | None = None
        try:
            while self._descriptor is None:
                self._descriptor = self._attempt()
        except BaseException:
            self._remove_directories()
            raise

    def release(self) -> None:
        """Let go: the file goes, and with it the directories that were made for it, where they are empty."""
        if self._descriptor is None:
            return
        # Removed while it is held: who has opened it meanwhile finds that it is no longer the one of this name.
        with suppress(OSError):
            if sys.platform != "win32":
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None
        with suppress(OSError):
            if sys.platform == "win32":
                self._path.unlink()  # Windows removes no open file; one that is open elsewhere stays, which is no harm.
        self._remove_directories()

    def _attempt(self) -> int | None:
        """The file's descriptor, locked; None where the file was removed by the run that ended meanwhile."""
        descriptor = self._open()
        try:
            self._lock(descriptor)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.lstat(self._path)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        for attempt in range(ATTEMPTS):
            make_directory(self._path.parent)
            try:
                return os.open(self._path, flags, 0o666)
            except FileNotFoundError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _lock(self, descriptor: int) -> None:
        try:
            _seize(descriptor)
        except (BlockingIOError, PermissionError):
            raise InvalidRecording(
                f"{self._path.parent} is being written to by another run: wait until that has ended, or choose another "
                "directory with --out."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
                raise
            warnings.warn(
                f"{self._path.parent} lies on a file system without locks ({error.strerror}): see to it yourself that "
                "no other run writes there.",
                ActlabWarning,
                stacklevel=2,
            )

    def _remove_directories(self) -> None:
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()
