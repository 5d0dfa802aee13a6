"""Writing a recording: the segment first, then its row."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import RecordingFailed
from actlab.files import write_synced
from actlab.recording.directory import abandon, clear, refuse_others
from actlab.recording.format import METRICS, SCHEMA, TABLES, Member
from actlab.study import Study


class Writer:
    """Writes a recording, epoch range by epoch range; what has been committed stays whatever happens next."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._database = sqlite3.connect(directory / "study.db", check_same_thread=False, isolation_level=None)

    @classmethod
    def create(
        cls,
        directory: str | Path,
        study: Study,
        members: Iterable[Member],
        functions: Mapping[str, Any],
        **facts: Any,
    ) -> Writer:
        """Start a recording in a directory that is new, empty, or holds an earlier one of the same study.

        Args:
            directory: where; made if it does not exist.
            study: the complete study.
            members: all members, in the order of the arrays' member axis.
            functions: what the views show about each activation, JSON-safe, by name.
            facts: JSON-safe facts about the run (layers, histogram edges, versions …).

        Raises:
            InvalidRecording: the directory holds something else; it is left untouched.
            RecordingFailed: it cannot be written.
        """
        directory = Path(directory)
        refuse_others(directory, study)
        made = [path for path in (directory, *directory.parents) if not path.exists()]
        writer = None
        try:
            clear(directory)
            (directory / "segments").mkdir(parents=True, exist_ok=True)
            write_synced(directory / "study.toml", study.to_toml().encode())
            writer = cls(directory)
            started = {"schema": SCHEMA, "epochs": study.epochs, "complete": False, **facts}
            writer._start(started, members, functions)
        except (OSError, sqlite3.Error) as error:
            if writer is not None:
                writer.close()
            abandon(directory, made)
            raise RecordingFailed(f"{directory}: the recording cannot be started ({_reason(error)}).") from None
        return writer

    def _start(self, facts: Mapping[str, Any], members: Iterable[Member], functions: Mapping[str, Any]) -> None:
        self._database.executescript("BEGIN;" + TABLES)
        for name, value in facts.items():
            self._set(name, value)
        cards = [(name, json.dumps(card)) for name, card in functions.items()]
        self._database.executemany("INSERT INTO functions VALUES (?, ?)", cards)
        rows = [tuple(asdict(member).values()) for member in members]
        self._database.executemany("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def commit(
        self,
        first_epoch: int,
        metrics: Mapping[str, np.ndarray],
        arrays: Mapping[str, np.ndarray],
        diverged: Mapping[int, tuple[int, str]],
        kind: str = "epochs",
    ) -> None:
        """Add a range of epochs: the segment file first, then one transaction with its row and the metrics.

        Args:
            first_epoch: epoch of row 0 of every array.
            metrics: by name of METRICS, (epochs, members).
            arrays: the dense arrays of the segment, (epochs, members, ...); weights are named
                "weights/ACTIVATION/LAYER/PARAMETER" and hold the members of that activation alone.
            diverged: member id → (epoch, reason), for members that diverged in this range.
            kind: "epochs", "weights" where these come alone, "first-seed" for the weights of the first seed's
                members only, or "sample".
        """
        epochs = len(next(iter({**metrics, **arrays}.values())))
        last = first_epoch + epochs - 1
        file = f"segments/{kind}-{first_epoch:06d}.safetensors"
        try:
            digest = _write_segment(self.directory / file, arrays)
            self._database.execute("BEGIN IMMEDIATE")
            segment = (kind, file, first_epoch, last, digest)
            self._database.execute(
                "INSERT INTO segments (kind, file, first_epoch, last_epoch, sha256) VALUES (?, ?, ?, ?, ?)",
                segment,
            )
            if metrics:
                self._insert_metrics(first_epoch, np.stack([metrics[name] for name in METRICS], axis=-1))
            for member, (epoch, reason) in diverged.items():
                update = "UPDATE members SET diverged_epoch = ?, diverged_reason = ? WHERE id = ?"
                self._database.execute(update, (epoch, reason, member))
            self._database.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            (self.directory / file).unlink(missing_ok=True)
            before = f"up to epoch {first_epoch - 1} everything" if first_epoch else "nothing"
            raise RecordingFailed(
                f"{self.directory}: epochs {first_epoch} to {last} cannot be written ({_reason(error)}); "
                f"{before} is kept."
            ) from None

    def finish(self, **facts: Any) -> None:
        """Mark the recording as complete and add facts known only now (throughput)."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for name, value in {**facts, "complete": True}.items():
                self._set(name, value)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise RecordingFailed(
                f"{self.directory}: the end cannot be recorded ({_reason(error)}); all epochs are kept."
            ) from None

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def _insert_metrics(self, first_epoch: int, values: np.ndarray) -> None:
        # SQLite has no NaN: it stores NULL, which reads back as NaN.
        epochs, members, _ = values.shape
        rows = zip(
            np.tile(np.arange(members), epochs).tolist(),
            np.repeat(np.arange(first_epoch, first_epoch + epochs), members).tolist(),
            *values.reshape(-1, len(METRICS)).T.tolist(),
            strict=True,
        )
        places = ", ".join("?" * (2 + len(METRICS)))
        self._database.executemany(f"INSERT INTO metrics VALUES ({places})", rows)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _write_segment(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_synced(path, data)
    return hashlib.sha256(data).hexdigest()
