"""Who may write into a run directory, and what becomes of what lies there."""

from __future__ import annotations

import errno
import itertools
import os
import re
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from actlab.errors import ActlabError, InvalidRecording, InvalidStudy, NothingRecorded, RecordingFailed
from actlab.files import TEMPORARY, sync_directory, write_synced
from actlab.recording import lock
from actlab.recording.format import DATABASE, REPORT, SEGMENTS, STUDY, SUMMARY, WRITTEN
from actlab.recording.reader import Recording
from actlab.study import Study, from_toml
from actlab.wording import listed

# The database of a recording that is to take the place of another one, until it is complete.
RESTARTED = ".restart.db"
JOURNAL = "-journal"
# What a run leaves that is killed at its very start, or while it chooses learning rates or adds seeds; and the members
# of a comparison in a loop of a user's own, which it is made of.
BEGINNING = re.compile(
    rf"{SEGMENTS}|(?:tuning|seeds)(?:/\d+-[0-9a-f]{{8}})?|members(?:/comparison\.json|/[\w.-]+-[0-9a-f]{{8}}\.npz)?"
)
# A report may be being written by who holds no lock: what was left of one is removed when it is as old as this.
SECONDS_OF_A_REPORT = 3600


class Claim:
    """A run directory to which this process alone writes, for one study, until it is closed.

    What an earlier run has left half-written is removed. A recording that lies there stays as it is until the new
    one is complete; then one renaming, that of the database, puts it in its place.

    Attributes:
        directory: where; made if it does not exist, and removed again when nothing has come to lie in it.
        finished: the complete recording of the study that lies there, where none is to take its place.
        database: the file to write the new recording's database to.
        mark: what the names of the new recording's segments end with.
    """

    def __init__(self, directory: str | Path, study: Study, *, restart: bool = False) -> None:
        """Claim a directory that is new, empty, or holds a recording of the same study.

        Args:
            directory: where.
            study: the complete study.
            restart: whether a new recording is to take the place of one that lies there.

        Raises:
            InvalidRecording: it holds something else, a part of a recording without `restart`, or another process
                writes there; it is left untouched.
            RecordingFailed: nothing can be written there.
        """
        self.directory = Path(directory)
        self.finished: Recording | None = None
        self.database = self.directory / DATABASE
        self.mark = ""
        self._earlier: frozenset[str] = frozenset()
        self._lock: lock.Lock | None = None
        try:
            refuse_others(self.directory, study)
            self._lock = lock.Lock(self.directory)
            refuse_others(self.directory, study)
            self._look(study, restart)
        except (InvalidRecording, OSError) as error:
            self.close()
            # A complete recording can be shown wherever it lies: on a disk that is full or may not be written to, too.
            self.finished = None if restart else _finished(self.directory, study)
            if self.finished is None and isinstance(error, ActlabError):
                raise
            if self.finished is None:
                raise RecordingFailed(f"{self.directory}: {_cannot_be_started(error)}.") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def replaces(self) -> bool:
        """Whether a recording lies there that stays until the new one is complete."""
        return self.database.name == RESTARTED

    def begin(self) -> None:
        """Make room: where no recording is to be kept, what a run left that had recorded no epoch goes. OSError."""
        folder = self.directory / SEGMENTS
        if folder.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a link")
        folder.mkdir(exist_ok=True)
        if not self.replaces:
            self._sweep()
            for name in (f"{DATABASE}{JOURNAL}", DATABASE, SUMMARY, REPORT):
                (self.directory / name).unlink(missing_ok=True)
        sync_directory(self.directory)

    def exchange(self, study: Study, segments: Iterable[str]) -> None:
        """Put the new recording, whose database is complete and closed, in the place of the earlier one.

        Args:
            study: the new recording's study, with what was chosen while it ran.
            segments: the names of its files in `segments`.

        Raises:
            OSError: it cannot be done; one of them lies there whole.
        """
        _take_back(self.directory / DATABASE)
        for name in (SUMMARY, REPORT):  # They tell of the earlier one, and are made anew.
            (self.directory / name).unlink(missing_ok=True)
        os.replace(self.database, self.directory / DATABASE)
        self.database, self._earlier = self.directory / DATABASE, frozenset(segments)
        sync_directory(self.directory)
        text = study.to_toml().encode()
        if (self.directory / STUDY).read_bytes() != text:
            write_synced(self.directory / STUDY, text)
        self._sweep()

    def abandon(self) -> None:
        """Leave nothing of a recording that could not be started."""
        if not self.replaces:
            self._sweep()
            for name in (f"{DATABASE}{JOURNAL}", DATABASE, STUDY):
                with suppress(OSError):
                    (self.directory / name).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the directory; of a recording that was to replace another and is not complete, nothing is left."""
        if self._lock is None:
            return
        if self.replaces:
            self._sweep()
        with suppress(OSError):
            (self.directory / SEGMENTS).rmdir()  # Only where it is empty.
        self._lock.release()
        self._lock = None

    def _look(self, study: Study, restart: bool) -> None:
        """Find out what lies there: a recording to show, one to keep until a new one is complete, or neither."""
        if not (self.directory / STUDY).is_file():
            return
        try:
            found = Recording(self.directory)
        except NothingRecorded:
            present = self._segments()
            what = f"segments of this study, but no {DATABASE}" if present else ""
        except InvalidRecording as error:
            present = self._segments()
            what = f"a recording of this study that cannot be read ({str(error).rstrip('.')})"
        else:
            present = {Path(segment.file).name for segment in found.segments}
            what = f"{found.epochs} of {study.epochs} epochs of this study" if found.epochs >= 0 else ""
            if found.complete and not restart:
                self.finished = found
        # Without an epoch there is nothing to keep.
        self._earlier = frozenset(present if what else ())
        if what:
            self._sweep()
        if self.finished is None and what:
            if not restart:
                raise InvalidRecording(f"{self.directory} holds {what}: {_ways_on()}")
            self.database = self.directory / RESTARTED
            taken = {match["mark"] or "" for match in map(WRITTEN.fullmatch, self._earlier) if match}
            self.mark = next(mark for mark in _marks() if mark not in taken)

    def _segments(self) -> set[str]:
        return {path.name for path in self._in_segments() if WRITTEN.fullmatch(path.name)}

    def _in_segments(self) -> list[Path]:
        folder = self.directory / SEGMENTS
        return [] if folder.is_symlink() else list(folder.glob("*"))

    def _sweep(self) -> None:
        """Remove what writers have left half-written, and segments that are not the earlier recording's."""
        folder = self.directory / SEGMENTS
        litter = [self.directory / f"{RESTARTED}{JOURNAL}", self.directory / RESTARTED]
        litter += [folder / name for name in self._segments() - self._earlier]
        litter += [path for path in self._in_segments() if TEMPORARY.fullmatch(path.name)]
        litter += [path for path in self.directory.glob("*") if TEMPORARY.fullmatch(path.name) and _is_left(path)]
        for path in litter:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def refuse_others(directory: Path, study: Study) -> None:
    """Refuse a directory that is neither new, nor empty, nor that of an earlier recording of `study`.

    Raises:
        InvalidRecording: the directory holds another study or other files; it is untouched.
    """
    if not directory.exists() or (directory.is_dir() and all(map(_is_of_a_beginning, _contents(directory)))):
        return
    advice = "it is left as it is; choose another directory with --out."
    if not (directory / STUDY).is_file():
        raise InvalidRecording(f"{directory} exists and holds no recording: {advice}")
    try:
        found = from_toml(directory / STUDY, recorded=True)
    except InvalidStudy:
        found = None
    if found is None or found.identity != study.identity:
        what = _other_source(found, study) if found else "another study"
        raise InvalidRecording(f"{directory} holds {what}: {advice}")


def _other_source(found: Study, study: Study) -> str:
    """What a directory of another study holds: this one, with functions from another source, or really another."""
    then, now = found.source_digests or {}, study.source_digests or {}
    changed = [repr(name) for name in now if name in then and then[name] != now[name]]
    same = found.model_copy(update={"source_digests": study.source_digests}).identity == study.identity
    return f"this study with another source of {listed(changed)}" if changed and same else "another study"


def is_unfinished(directory: Path) -> bool:
    """Whether a recording lies there that is not complete, or cannot be read."""
    try:
        return not Recording(directory).complete
    except InvalidRecording:
        return (directory / STUDY).exists()


def discard(directory: Path) -> None:
    """Remove a recording, and its directory where nothing else lies there; nothing of what is no part of it."""
    for path in (directory / SEGMENTS).glob("*"):
        if WRITTEN.fullmatch(path.name):
            path.unlink(missing_ok=True)
    for name in (DATABASE, f"{DATABASE}{JOURNAL}", SUMMARY, REPORT, STUDY, lock.NAME):
        with suppress(OSError):
            (directory / name).unlink(missing_ok=True)
    for folder in (directory / SEGMENTS, directory):
        with suppress(OSError):
            folder.rmdir()  # Only where it is empty.


def _finished(directory: Path, study: Study) -> Recording | None:
    try:
        found = Recording(directory)
    except InvalidRecording:
        return None
    return found if found.complete and found.study.identity == study.identity else None


def _contents(directory: Path) -> list[Path]:
    """What lies in a directory and in the folders of a beginning, by paths from there; an empty lock left out."""
    found = (
        path
        for pattern in ("*", f"{SEGMENTS}/*", "tuning/*", "seeds/*", "members/*")
        for path in directory.glob(pattern)
    )
    unlocked = (path for path in found if path != directory / lock.NAME or not path.is_file() or path.stat().st_size)
    return [path.relative_to(directory) for path in unlocked]


def _is_of_a_beginning(path: Path) -> bool:
    temporary = TEMPORARY.fullmatch(path.name) and path.parts[0] not in ("tuning", "seeds")
    return bool(temporary or BEGINNING.fullmatch(path.as_posix()))


def _is_left(path: Path) -> bool:
    """Whether a temporary file has no one left who writes it."""
    if not {".html", ".json"} & set(path.suffixes):
        return True
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime > SECONDS_OF_A_REPORT
    return False


def _take_back(database: Path) -> None:
    """Have SQLite take back what a killed run left half-written: its journal must not meet another database."""
    journal = database.with_name(database.name + JOURNAL)
    if journal.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
        journal.unlink(missing_ok=True)


def _marks() -> Iterable[str]:
    return itertools.chain([""], (f"-{number}" for number in itertools.count(2)))


def _ways_on() -> str:
    return (
        "--restart (in Python restart=True) trains it anew and removes that once the new recording is complete; or "
        "choose another directory with --out."
    )


def _cannot_be_started(error: Any) -> str:
    return f"the recording cannot be started ({getattr(error, 'strerror', None) or error})"
