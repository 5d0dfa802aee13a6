"""What a run leaves behind, and the only thing that everything after training reads.

A run directory holds `study.toml`, `study.db` (SQLite: members, metrics, functions, segments, facts about the
run) and `segments/*.safetensors` with the dense arrays. A segment is written to a temporary name, synced, renamed
and only then entered in `study.db`, together with the metrics of its epochs, in one transaction: whatever moment
a run is stopped at, what the database names exists and is whole. NumPy only: no JAX here.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from actlab.errors import InvalidRecording, InvalidStudy, RecordingFailed
from actlab.files import write_synced
from actlab.network import Network, Params
from actlab.own_network import OwnNetwork
from actlab.study import Study, from_toml

SCHEMA = 2
# What a run leaves that is killed at its very start, or while it chooses learning rates.
BEGINNING = re.compile(r"study\.toml\.tmp|segments|tuning(/\d-[0-9a-f]{8})?")
METRICS = tuple(f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy"))
TABLES = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE members (id INTEGER PRIMARY KEY, activation TEXT NOT NULL, learning_rate REAL NOT NULL,
    seed INTEGER NOT NULL, init TEXT NOT NULL, diverged_epoch INTEGER, diverged_reason TEXT);
CREATE TABLE metrics (member INTEGER NOT NULL REFERENCES members, epoch INTEGER NOT NULL,
    {", ".join(f"{name} REAL" for name in METRICS)}, PRIMARY KEY (epoch, member)) WITHOUT ROWID;
CREATE TABLE functions (name TEXT PRIMARY KEY, card TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL UNIQUE,
    first_epoch INTEGER NOT NULL, last_epoch INTEGER NOT NULL, sha256 TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Member:
    """One network of a study: an arm (activation, learning rate, kind of initial weights) with a seed."""

    id: int
    activation: str
    learning_rate: float
    seed: int
    init: str = "stated"
    diverged_epoch: int | None = None
    diverged_reason: str | None = None


@dataclass(frozen=True)
class Segment:
    """A file of dense arrays for the epochs `first_epoch` to `last_epoch`, both included."""

    kind: str
    file: str
    first_epoch: int
    last_epoch: int
    sha256: str


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
            _clear(directory)
            (directory / "segments").mkdir(parents=True, exist_ok=True)
            write_synced(directory / "study.toml", study.to_toml().encode())
            writer = cls(directory)
            started = {"schema": SCHEMA, "epochs": study.epochs, "complete": False, **facts}
            writer._start(started, members, functions)
        except (OSError, sqlite3.Error) as error:
            if writer is not None:
                writer.close()
            _abandon(directory, made)
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


def refuse_others(directory: Path, study: Study) -> None:
    """Refuse a directory that is neither new, nor empty, nor that of an earlier recording of `study`.

    Raises:
        InvalidRecording: the directory holds another study or other files; it is untouched.
    """
    if not directory.exists() or (directory.is_dir() and all(map(BEGINNING.fullmatch, _contents(directory)))):
        return
    advice = "it is left as it is; choose another directory with --out."
    if not (directory / "study.toml").is_file():
        raise InvalidRecording(f"{directory} exists and holds no recording: {advice}")
    try:
        identity = from_toml(directory / "study.toml", recorded=True).identity
    except InvalidStudy:
        identity = ""
    if identity != study.identity:
        raise InvalidRecording(f"{directory} holds another study: {advice}")


def _contents(directory: Path) -> list[str]:
    """Names in a directory, those within `segments` and `tuning` among them."""
    found = (path for pattern in ("*", "segments/*", "tuning/*") for path in directory.glob(pattern))
    return [path.relative_to(directory).as_posix() for path in found]


def _clear(directory: Path) -> None:
    """Remove an earlier recording of the same study: the same bytes will come again."""
    for name in ("study.db", "study.db-journal", "summary.json", "report.html"):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / "segments", ignore_errors=True)


def _abandon(directory: Path, made: Iterable[Path]) -> None:
    """Leave nothing of a recording that could not be started, nor of the directories made for it."""
    with suppress(OSError):
        _clear(directory)
        (directory / "study.toml").unlink(missing_ok=True)
        for path in made:
            path.rmdir()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _write_segment(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_synced(path, data)
    return hashlib.sha256(data).hexdigest()


class Recording:
    """A recording opened for reading.

    Arrays have epochs on the first axis (0 is the untrained network) and members on the second.

    Attributes:
        directory: where it lies.
        study: the complete study.
        members: all members, in the order of the member axis.
        metrics: name of METRICS → float64 (epochs + 1, members); NaN where a member has diverged.
        functions: activation → card (title, formula, facts, sampled curves).
        facts: everything else that is known about the run: weight_layers, act_layers, classes,
            histogram_edges, throughput, versions, complete …
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._loaded: dict[str, dict[str, np.ndarray]] = {}
        database = self.directory / "study.db"
        if not database.is_file() or not (self.directory / "study.toml").is_file():
            raise InvalidRecording(f"{self.directory} is no run directory: study.toml and study.db are expected in it.")
        try:
            self.study = from_toml(self.directory / "study.toml", recorded=True)
        except InvalidStudy as error:
            raise InvalidRecording(f"the study of this recording cannot be read: {error}") from None
        # What a killed run left half-written in the database, SQLite takes back when it may write.
        mode = "rw" if database.with_name("study.db-journal").exists() else "ro"
        try:
            with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode={mode}", uri=True)) as connection:
                self._read(connection)
        except InvalidRecording:
            raise
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise InvalidRecording(f"{database} is damaged or no actlab database ({error}).") from None

    def _read(self, connection: sqlite3.Connection) -> None:
        self.facts: dict[str, Any] = {k: json.loads(v) for k, v in connection.execute("SELECT * FROM facts")}
        if self.facts.get("schema") != SCHEMA:
            raise InvalidRecording(
                f"{self.directory} has schema {self.facts.get('schema')}, this version of actlab reads {SCHEMA}: "
                f"open it with the version that made it, or record it anew: actlab compare "
                f"{self.directory / 'study.toml'} --out NEW_DIR."
            )
        rows = connection.execute("SELECT * FROM members ORDER BY id")
        self.members = tuple(Member(*row) for row in rows)
        self.functions: dict[str, Any] = {
            name: json.loads(card) for name, card in connection.execute("SELECT * FROM functions")
        }
        query = "SELECT kind, file, first_epoch, last_epoch, sha256 FROM segments ORDER BY first_epoch"
        self.segments = tuple(Segment(*row) for row in connection.execute(query))
        query = f"SELECT {', '.join(METRICS)} FROM metrics ORDER BY epoch, member"
        values = np.array(connection.execute(query).fetchall(), dtype=float)
        shaped = values.reshape(-1, len(self.members), len(METRICS))
        self.metrics = {name: shaped[..., i] for i, name in enumerate(METRICS)}

    @property
    def epochs(self) -> int:
        """The last epoch there is; −1 for a run that was stopped before its first commit."""
        return len(self.metrics["train_loss"]) - 1

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.facts["complete"])

    @property
    def weight_layers(self) -> tuple[str, ...]:
        """Names of the layers with weights, from input to output."""
        return tuple(self.facts["weight_layers"])

    @property
    def act_layers(self) -> tuple[str, ...]:
        """Names of the places of activation functions, from input to output."""
        return tuple(self.facts["act_layers"])

    @cached_property
    def probes(self) -> dict[str, np.ndarray]:
        """All probes over all epochs, by name: see `actlab.engine.probes` for what each is and its shape."""
        return {name: array for name, array in self._arrays("epochs").items() if not name.startswith("weights/")}

    @cached_property
    def sample(self) -> dict[str, np.ndarray]:
        """`x` (samples, ...) and `y` (samples,): some training samples; empty where these take too much room."""
        return {name: array[0, 0] for name, array in self._arrays("sample").items()}

    @cached_property
    def _weights(self) -> dict[int, dict[str, np.ndarray]]:
        return self._weights_in("epochs", "weights")

    @cached_property
    def _first_weights(self) -> dict[int, dict[str, np.ndarray]]:
        """Those of the first seed alone."""
        return self._weights_in("first-seed")

    def _weights_in(self, *kinds: str) -> dict[int, dict[str, np.ndarray]]:
        by_epoch: dict[int, dict[str, np.ndarray]] = {}
        for segment in self.segments:
            if segment.kind not in kinds:
                continue
            weights = {n: a for n, a in self._load(segment).items() if n.startswith("weights/")}
            for row, epoch in enumerate(range(segment.first_epoch, segment.last_epoch + 1) if weights else ()):
                by_epoch[epoch] = {name: array[row] for name, array in weights.items()}
        return by_epoch

    @property
    def weight_epochs(self) -> tuple[int, ...]:
        """Epochs at which the weights of all members were kept."""
        return tuple(sorted(self._weights))

    @property
    def first_seed_epochs(self) -> tuple[int, ...]:
        """Epochs at which those of the first seed's members were kept: these and some between them."""
        return tuple(sorted({*self._weights, *self._first_weights}))

    def network(self, activation: str) -> Network:
        """The network of one activation.

        Raises:
            InvalidRecording: it is a network of a user's own, whose code a recording does not hold.
            UnknownName: it holds a function of a user's own, which is not registered in this process.
        """
        if isinstance(self.study.network, OwnNetwork):
            raise InvalidRecording(f"{self.directory} does not hold the code of the network {self.study.network}.")
        return cast("Network", self.study.network_for(activation, tuple(self.facts["input_shape"])))

    def weights(self, member: Member, epoch: int) -> Params:
        """Parameters of one member after an epoch, as `Network.apply` takes them.

        Raises:
            InvalidRecording: the weights of that epoch were not kept.
        """
        self._check_kept([epoch], self.first_seed_epochs)
        first = self.study.seeds[0] if epoch not in self._weights else None
        own = [m.id for m in self.members if m.activation == member.activation and first in (None, m.seed)]
        if member.id not in own:
            raise InvalidRecording(
                f"of epoch {epoch} only the weights of seed {first} were kept; all are at {list(self.weight_epochs)}."
            )
        row = own.index(member.id)
        kept = self._weights if first is None else self._first_weights
        arrays = _nested(kept[epoch], member.activation)
        return {layer: {name: array[row] for name, array in given.items()} for layer, given in arrays.items()}

    def weight_arrays(self, activation: str, epochs: Sequence[int]) -> dict[str, dict[str, np.ndarray]]:
        """Parameters of all members of an activation after some epochs: layer → parameter → (epochs, members, ...).

        Members are those with this activation, in the order of `members`.

        Raises:
            InvalidRecording: the weights of an epoch were not kept.
        """
        self._check_kept(epochs, self.weight_epochs)
        stacked = {
            name: np.stack([self._weights[epoch][name] for epoch in epochs]) for name in self._weights[epochs[0]]
        }
        return _nested(stacked, activation)

    @staticmethod
    def _check_kept(epochs: Sequence[int], kept: Sequence[int]) -> None:
        for epoch in epochs:
            if epoch not in kept:
                raise InvalidRecording(f"the weights of epoch {epoch} were not kept; there are {list(kept)}.")

    def _arrays(self, kind: str) -> dict[str, np.ndarray]:
        parts = [self._load(segment) for segment in self.segments if segment.kind == kind]
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}

    def _load(self, segment: Segment) -> dict[str, np.ndarray]:
        from safetensors.numpy import load

        if segment.file in self._loaded:
            return self._loaded[segment.file]
        path = self.directory / segment.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InvalidRecording(f"{path} cannot be read ({error.strerror}); the recording is incomplete.") from None
        if (found := hashlib.sha256(data).hexdigest()) != segment.sha256:
            raise InvalidRecording(f"{path} is damaged: SHA-256 is {found}, expected {segment.sha256}.")
        self._loaded[segment.file] = load(data)
        return self._loaded[segment.file]


def _nested(arrays: Mapping[str, np.ndarray], activation: str) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of one activation, "weights/activation/layer/parameter", by layer and parameter."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        _, owner, layer, parameter = name.split("/")
        if owner == activation:
            found.setdefault(layer, {})[parameter] = array
    return found


def load(directory: str | Path) -> Recording:
    """Open the recording in a run directory, complete or stopped half-way; needs NumPy only.

    Raises:
        InvalidRecording: no recording there, or a damaged one.
    """
    return Recording(directory)
