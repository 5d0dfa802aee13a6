"""Writing a recording: the segment first, then its row; nothing is acknowledged before it is on the disk."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import ActlabWarning, InvalidRecording, RecordingFailed
from actlab.files import sync_directory, write_synced
from actlab.objectives import CLASSES, Objective
from actlab.recording.checks import check_arrays
from actlab.recording.directory import Claim
from actlab.recording.format import SCHEMA, SEGMENTS, STUDY, Member, Segment, tables
from actlab.recording.reader import Recording
from actlab.study import Study

# How long another program may read the database while a commit waits, and how often it is tried again; in seconds.
PATIENCE = 600.0
BETWEEN_ATTEMPTS = 0.1
# How long a reader may take without a word.
SILENCE = 2.0


class Writer:
    """Writes a recording, epoch range by epoch range; what has been committed stays whatever happens next."""

    def __init__(self, claim: Claim, study: Study, objective: Objective) -> None:
        """Open the database in a claimed directory: `create` starts a recording in it."""
        self.directory = claim.directory
        self._claim = claim
        self._owns_claim = False
        self._study = study
        self._columns = objective.columns
        self._members: tuple[Member, ...] = ()
        self._facts: Mapping[str, Any] = {}
        self._files: list[str] = []
        self._hurried = threading.Event()
        # It waits for other programs in `_transaction`, where Ctrl-C is heard.
        self._database = sqlite3.connect(claim.database, timeout=0, check_same_thread=False, isolation_level=None)
        # The directory is synced after the journal has gone, too: a commit does not come undone when the power goes.
        self._database.execute("PRAGMA synchronous = EXTRA")

    @classmethod
    def create(
        cls,
        directory: str | Path | Claim,
        study: Study,
        members: Iterable[Member],
        functions: Mapping[str, Any],
        objective: Objective = CLASSES,
        **facts: Any,
    ) -> Writer:
        """Start a recording in a directory that is new, empty, or claimed for a recording to take another's place.

        Args:
            directory: where; made if it does not exist.
            study: the complete study.
            members: all members, in the order of the arrays' member axis.
            functions: what the views show about each activation, JSON-safe, by name.
            objective: what the outputs mean: it declares the metrics.
            facts: JSON-safe facts about the run (layers, histogram edges, versions …).

        Raises:
            InvalidRecording: the directory holds a recording or something else, or another process writes there; it is
                left untouched.
            RecordingFailed: it cannot be written.
        """
        claim = directory if isinstance(directory, Claim) else Claim(directory, study)
        if claim.finished is not None:
            claim.close()
            raise InvalidRecording(f"{claim.directory} holds a complete recording of this study.")
        writer = None
        try:
            claim.begin()
            if not claim.replaces:
                write_synced(claim.directory / STUDY, study.to_toml().encode())
            writer = cls(claim, study, objective)
            writer._owns_claim = claim is not directory
            started = {"schema": SCHEMA, "epochs": study.epochs, "complete": False, "chosen_rates": study.chosen_rates}
            started |= {"objective": objective.name, "metrics": [metric.to_dict() for metric in objective.metrics]}
            writer._start(started | facts, list(members), functions)
            sync_directory(claim.directory)
        except (OSError, sqlite3.Error) as error:
            if writer is not None:
                writer._database.close()
            claim.abandon()
            raise RecordingFailed(f"{claim.directory}: the recording cannot be started ({_reason(error)}).") from None
        return writer

    def _start(self, facts: Mapping[str, Any], members: Sequence[Member], functions: Mapping[str, Any]) -> None:
        self._members, self._facts = tuple(members), facts
        with self._transaction("the start"):
            for table in tables(self._columns):
                self._database.execute(table)
            for name, value in facts.items():
                self._set(name, value)
            cards = [(name, json.dumps(card)) for name, card in functions.items()]
            self._database.executemany("INSERT INTO functions VALUES (?, ?)", cards)
            rows = [tuple(asdict(member).values()) for member in members]
            self._database.executemany("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def commit(
        self,
        first_epoch: int,
        metrics: Mapping[str, np.ndarray],
        arrays: Mapping[str, np.ndarray],
        diverged: Mapping[int, tuple[int, str]],
        kind: str = "epochs",
        members: Sequence[int] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a range of epochs: the segment file first, then one transaction with its row and the metrics.

        A program that reads the database meanwhile is waited for, ten minutes at most.

        Args:
            first_epoch: epoch of row 0 of every array.
            metrics: by name of each column of the objective, (epochs, members).
            arrays: the dense arrays of the segment, (epochs, members, ...); weights are named
                "weights/ACTIVATION/LAYER/PARAMETER" and hold the members of that activation alone.
            diverged: member id → (epoch, reason), for members that diverged in this range.
            kind: "epochs", "weights" where these come alone, "first-seed" for the weights of the first seed's
                members only, "sample", or "test" for what is made of the test samples; see `Segment`.
            members: ids of those that the arrays are of; all where None.
            facts: what is known of the run by now, besides.

        Raises:
            RecordingFailed: an array is not of the shape that its measure declares, or it cannot be written; nothing of
                it is entered, and the message says what is kept.
        """
        epochs = len(next(iter({**metrics, **arrays}.values())))
        last = first_epoch + epochs - 1
        name = f"{kind}-{first_epoch:06d}{self._claim.mark}.safetensors"
        path = self.directory / SEGMENTS / name
        what = f"epochs {first_epoch} to {last}" if kind == "epochs" else f"the {kind} of epoch {first_epoch}"
        whose = tuple(member.id for member in self._members) if members is None else tuple(members)
        segment = Segment(kind, f"{SEGMENTS}/{name}", first_epoch, last, "", whose)
        try:
            check_arrays(segment, arrays, self._members, self._facts)
        except ValueError as error:
            raise RecordingFailed(f"{self.directory}: {what} cannot be recorded ({error}); {self._kept()}") from None
        try:
            digest = _write_segment(path, arrays)
            with self._transaction(what):
                self._enter(replace(segment, sha256=digest), metrics, diverged, facts or {})
        except (OSError, sqlite3.Error) as error:
            self._discard(path)
            raise RecordingFailed(
                f"{self.directory}: {what} cannot be written ({_reason(error)}); {self._kept()}"
            ) from None
        self._files.append(name)

    def _enter(
        self,
        segment: Segment,
        metrics: Mapping[str, np.ndarray],
        diverged: Mapping[int, tuple[int, str]],
        facts: Mapping[str, Any],
    ) -> None:
        """The rows of a segment and of what comes with it, within a transaction."""
        named = (segment.kind, segment.file, segment.first_epoch, segment.last_epoch, segment.sha256)
        self._database.execute(
            "INSERT INTO segments (kind, file, first_epoch, last_epoch, sha256, members) VALUES (?, ?, ?, ?, ?, ?)",
            (*named, json.dumps(segment.members)),
        )
        if metrics:
            self._insert_metrics(segment.first_epoch, np.stack([metrics[name] for name in self._columns], axis=-1))
        for member, (epoch, reason) in diverged.items():
            update = "UPDATE members SET diverged_epoch = ?, diverged_reason = ? WHERE id = ?"
            self._database.execute(update, (epoch, reason, member))
        for name, value in facts.items():
            self._set(name, value)

    def finish(self, **facts: Any) -> None:
        """Mark the recording as complete, with facts known only now (throughput); it takes an earlier one's place.

        Raises:
            RecordingFailed: it cannot be written; the message says what is kept.
        """
        try:
            with self._transaction("the end"):
                for name, value in {**facts, "complete": True}.items():
                    self._set(name, value)
            if self._claim.replaces:
                self._database.close()
                self._claim.exchange(self._study, self._files)
        except (OSError, sqlite3.Error) as error:
            raise RecordingFailed(
                f"{self.directory}: the end cannot be recorded ({_reason(error)}); {self._kept()}"
            ) from None

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Whatever is raised within ends the waiting for other programs: the run is being stopped."""
        try:
            yield
        except BaseException:
            self._hurried.set()
            raise

    def close(self) -> None:
        """Close the database, and let go of the directory unless it was claimed by who made this writer."""
        self._database.close()
        if self._owns_claim:
            self._claim.close()

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        """One transaction, which nobody reads in the middle of; begun when no one else reads."""
        self._begin(what)
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
            raise

    def _begin(self, what: str) -> None:
        start, told = time.monotonic(), False
        while True:
            try:
                # Exclusive from the start: a commit later on never has to wait.
                self._database.execute("BEGIN EXCLUSIVE")
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - start
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or waited > PATIENCE or self._hurried.wait(BETWEEN_ATTEMPTS):
                    raise
                if waited > SILENCE and not told:
                    told = True
                    warnings.warn(
                        f"{self._claim.database} is being read by another program: {what} cannot be written until it "
                        f"lets go, and the run waits for {PATIENCE / 60:.0f} minutes at most.",
                        ActlabWarning,
                        stacklevel=2,
                    )

    def _discard(self, path: Path) -> None:
        """Remove a segment, unless the database names it: a commit may have failed when it was done."""
        query = "SELECT count(*) FROM segments WHERE file = ?"
        with suppress(OSError, sqlite3.Error):
            if not self._database.execute(query, (f"{SEGMENTS}/{path.name}",)).fetchone()[0]:
                path.unlink(missing_ok=True)

    def _kept(self) -> str:
        """What is kept when something could not be written: looked up, not believed."""
        try:
            found = Recording(self.directory)
        except InvalidRecording as error:
            return f"what was kept there cannot be read any more: {error}"
        if missing := found.missing():
            return f"what was kept there is no longer whole: {missing[0]} is missing."
        if self._claim.replaces:
            return "the recording that was there is kept."
        if found.complete:
            return "the recording is complete and loads."
        if found.epochs < 0:
            return "nothing is kept."
        return f"up to epoch {found.epochs} everything is kept."

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def _insert_metrics(self, first_epoch: int, values: np.ndarray) -> None:
        # SQLite has no NaN: it stores NULL, which reads back as NaN.
        epochs, members, _ = values.shape
        rows = zip(
            np.tile(np.arange(members), epochs).tolist(),
            np.repeat(np.arange(first_epoch, first_epoch + epochs), members).tolist(),
            *values.reshape(-1, len(self._columns)).T.tolist(),
            strict=True,
        )
        places = ", ".join("?" * (2 + len(self._columns)))
        self._database.executemany(f"INSERT INTO metrics VALUES ({places})", rows)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _write_segment(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_synced(path, data)
    return hashlib.sha256(data).hexdigest()
