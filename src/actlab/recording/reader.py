"""Reading a recording; needs NumPy only."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from actlab.custom import CUSTOM_PARAMETERS, CustomNetwork
from actlab.errors import InvalidRecording, InvalidStudy, NothingRecorded, UnknownName
from actlab.functions import catalogue
from actlab.functions.variants import bare
from actlab.network import Network, Params
from actlab.objectives import (
    PARTS,
    Derived,
    Lead,
    Objective,
    further,
    lead_among,
    objective_named,
    own_objective,
    usual_lead,
)
from actlab.recording import checks
from actlab.recording.format import DATABASE, SCHEMA, SEGMENT_COLUMNS, STUDY, Member, Segment
from actlab.recording.migrations import MIGRATIONS, Stored
from actlab.study import Observed, from_toml
from actlab.wording import quoted

# How long a writer's transaction is waited for, in seconds.
PATIENCE = 60.0
# Bytes of a file that are read at a time until its digest is known.
BLOCK = 1 << 20


class Recording:
    """A recording opened for reading.

    Arrays have epochs on the first axis (0 is the untrained network) and members on the second.

    Attributes:
        directory: where it lies.
        study: the complete study.
        members: all members, in the order of the member axis.
        metrics: each metric on each part, as "test_accuracy" → float64 (epochs + 1, members); NaN where a member has
            diverged.
        functions: activation → card (title, formula, facts, sampled curves).
        facts: everything else that is known about the run: weight_layers, act_layers, classes,
            histogram_edges, throughput, versions, complete …
        baseline: the activation that all others are compared with, chosen by who reads it; None for each with each.
        metric: by which activations are ranked and compared, likewise; that of the study where None.
        declared_metrics: what is known of each metric of its members, see `Metric.to_dict`: those that are recorded at
            every epoch, and behind them those that are derived from `outputs`.
    """

    baseline: str | None = None
    metric: str | None = None

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._loaded: dict[str, dict[str, np.ndarray]] = {}
        database = self._database()
        try:
            self.study = from_toml(self.directory / STUDY, recorded=True)
        except InvalidStudy as error:
            raise InvalidRecording(f"the study of this recording cannot be read: {error}") from None
        # What a killed run left half-written in the database, SQLite takes back when it may write.
        mode = "rw" if database.with_name(f"{DATABASE}-journal").exists() else "ro"
        address = f"{database.resolve().as_uri()}?mode={mode}"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute("BEGIN")  # All that is read is of one moment.
                self._read(connection)
        except InvalidRecording:
            raise
        except sqlite3.Error as error:
            raise InvalidRecording(_complaint(database, error)) from None
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise InvalidRecording(f"{database} is damaged or no actlab database ({error}).") from None

    def _database(self) -> Path:
        """The path of the database, which is there."""
        names = (STUDY, DATABASE)
        try:
            study, database = ((self.directory / name).is_file() for name in names)
        except OSError as error:
            raise InvalidRecording(f"{self.directory} cannot be read ({error.strerror}).") from None
        if not study:
            raise InvalidRecording(f"{self.directory} is no run directory: {STUDY} and {DATABASE} are expected in it.")
        if not database:
            raise NothingRecorded(
                f"{self.directory} has a {STUDY}, but no {DATABASE}: a run has just begun there, or lost it."
            )
        return self.directory / DATABASE

    def _read(self, connection: sqlite3.Connection) -> None:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise NothingRecorded(f"{self.directory} holds a run that has just begun: nothing is recorded yet.")
        facts = {name: json.loads(value) for name, value in connection.execute("SELECT * FROM facts")}
        members = connection.execute("SELECT * FROM members ORDER BY id").fetchall()
        names = [row[1] for row in connection.execute("PRAGMA table_info(segments)")]
        columns = ", ".join(name for name in SEGMENT_COLUMNS if name in names)
        segments = connection.execute(f"SELECT {columns} FROM segments ORDER BY first_epoch, id").fetchall()
        stored = self._migrated(Stored(facts, members, segments))
        self.facts = dict(stored.facts)
        if self.study.network is None or self.study.learning_rates is None:
            raise ValueError(f"its {STUDY} lacks the network or the learning rates: it is not that of a run")
        if isinstance(self.study, Observed):
            # How long a loop of a user's own goes on, nobody knew when it began.
            self.study = self.study.model_copy(update={"epochs": self.facts["epochs"]})
        checks.check_facts(self.facts, self.study)
        if "chosen_rates" in self.facts:
            # A run that takes the place of another is entered with its database; its study.toml follows.
            self.study = self.study.model_copy(update={"chosen_rates": self.facts["chosen_rates"]})
        self.members = tuple(Member(*row) for row in stored.members)
        checks.check_members(self.members, self.study)
        self.functions: dict[str, Any] = {
            name: json.loads(card) for name, card in connection.execute("SELECT * FROM functions")
        }
        checks.check_functions(self.functions, self.study)
        columns = [f"{part}_{metric['name']}" for part in PARTS for metric in self.facts["metrics"]]
        rows = connection.execute(f"SELECT epoch, member, {', '.join(columns)} FROM metrics ORDER BY epoch, member")
        self.metrics = checks.metrics_of(columns, rows.fetchall(), len(self.members), self.study, self.complete)
        self.segments = tuple(_segment(*row) for row in stored.segments)
        checks.check_segments(self.segments, len(self.members), self.epochs, self.study)

    def _migrated(self, stored: Stored) -> Stored:
        """What is stored, in the present schema."""
        while (schema := stored.facts.get("schema")) != SCHEMA:
            if not isinstance(schema, int) or schema not in MIGRATIONS:
                raise InvalidRecording(
                    f"{self.directory} has schema {schema}, and this version of actlab reads up to {SCHEMA}: "
                    f"open it with the version that made it, or record it anew: actlab compare "
                    f"{self.directory / STUDY} --out NEW_DIR."
                )
            stored = MIGRATIONS[schema](stored)
        return stored

    @property
    def epochs(self) -> int:
        """The last epoch there is; −1 for a run that was stopped before its first commit."""
        return len(self.metrics["train_loss"]) - 1

    @property
    def objective(self) -> Objective:
        """What the outputs of its networks mean."""
        if self.facts["objective"] == "own":
            return own_objective(self.facts["metrics"])
        return objective_named(self.facts["objective"], len(self.facts.get("targets", ())))

    @property
    def lead(self) -> Lead:
        """The metric by which activations are ranked and compared; the usual one where the one asked for is lacking."""
        asked = self.metric or self.study.metric
        return self._usual_lead if asked is None or self.lacks(asked) else lead_among(self.declared_metrics, asked)

    @property
    def _usual_lead(self) -> Lead:
        metrics = self.facts["metrics"]
        return lead_among(metrics, usual_lead(metrics, self.facts.get("class_counts", ())))

    @property
    def followed(self) -> Lead:
        """The metric that curves show: the one that leads, or the usual one where that is known at the end alone."""
        return self._usual_lead if self.lead.at_end else self.lead

    def lead_by(self, metric: str | None) -> None:
        """Rank and compare by another metric from now on; by that of the study where None.

        Raises:
            UnknownName: its objective has no such metric.
            InvalidRecording: it has, but the recording lacks what it is derived from.
        """
        if metric is not None and (reason := self.lacks(metric)):
            raise InvalidRecording(f"{self.directory}: {reason}; --metric {self._usual_lead.name} is known.")
        lead_among(self.declared_metrics, metric)
        self.metric = metric

    def lacks(self, metric: str) -> str | None:
        """Why a metric that is derived from `outputs` is not known; None where it is, or is none of these."""
        derived = {own.name: own for own in self.objective.derived}.get(metric)
        if derived is None:
            return None
        if self.outputs is None or self.test_targets is None:
            return (
                f"{derived.title} takes the outputs for the test samples after the last epoch, which are not recorded: "
                "the run was stopped, is of an earlier version, or has too many networks (fewer seeds or activations)"
            )
        if not derived.one_class and len(labels := np.unique(self.test_targets)) < 2:
            return f"{derived.title} is not defined: all test samples are of class {self.facts['classes'][labels[0]]!r}"
        return None

    @cached_property
    def declared_metrics(self) -> list[Mapping[str, Any]]:
        """See the class."""
        derived = [own.to_dict() for own in self.objective.derived if not self.lacks(own.name)]
        return [*self.facts["metrics"], *derived]

    def values(self, name: str) -> np.ndarray:
        """A metric of a part, as "test_accuracy", (epochs, members): its last row is that after the last epoch.

        Of a derived metric that is the only row. NaN where a member has diverged.
        """
        if name in self.metrics:
            return self.metrics[name]
        if name not in self._derived:
            (metric,) = (own for own in self.objective.derived if f"test_{own.name}" == name)
            self._derived[name] = self._derive(metric)
        return self._derived[name][None]

    def _derive(self, metric: Derived) -> np.ndarray:
        outputs, labels = self.outputs, self.test_targets
        assert outputs is not None
        assert labels is not None
        return np.array([metric.value(one, labels) if np.isfinite(one).all() else np.nan for one in outputs], float)

    @cached_property
    def _derived(self) -> dict[str, np.ndarray]:
        """Those that were asked for: each takes some 20 ms a member."""
        return {}

    @property
    def derived(self) -> Mapping[str, np.ndarray]:
        """The metrics that are derived from `outputs`, of those that are known, as "test_roc_auc" → (members,)."""
        names = [f"test_{own.name}" for own in self.objective.derived if self.outputs is not None]
        return {name: self.values(name)[0] for name in names if not self.lacks(name.removeprefix("test_"))}

    @property
    def further_metrics(self) -> list[Mapping[str, Any]]:
        """Those of `declared_metrics` besides the loss and the one that leads."""
        return further(self.declared_metrics, self.lead.name)

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
        """All measures over all epochs, by name: see `actlab.recording.measures` for what each is and its axes."""
        return {name: array for name, array in self._arrays("epochs").items() if not name.startswith("weights/")}

    @cached_property
    def sample(self) -> dict[str, np.ndarray]:
        """`x` (samples, ...) and `y` (samples,): some training samples; empty where these take too much room."""
        return {name: array[0, 0] for name, array in self._arrays("sample").items()}

    @cached_property
    def right(self) -> np.ndarray | None:
        """Whether each test sample is put into its class at the last epoch, (members, test samples) bool.

        False for a member that diverged. None where it was not recorded.
        """
        packed = self._arrays("test").get("right")
        return None if packed is None else np.unpackbits(packed[0], axis=-1, count=self._test_samples).astype(bool)

    @cached_property
    def outputs(self) -> np.ndarray | None:
        """Outputs for each test sample after the last epoch, (members, test samples, outputs) float32.

        NaN for a member that diverged. None where they were not recorded.
        """
        found = self._arrays("test").get("outputs")
        return None if found is None else found[0]

    @cached_property
    def test_targets(self) -> np.ndarray | None:
        """Of each test sample its class, (test samples,) int32, or its numbers, (test samples, targets), standardised.

        None where `outputs` is.
        """
        found = self._arrays("test").get("targets")
        return None if found is None else found[0, 0]

    @property
    def _test_samples(self) -> int:
        return self.facts["samples"]["test"]

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
            InvalidRecording: it is a network of a user's own, or holds a function of a user's own that is not
                registered or imported in this process, or has another source here.
        """
        if isinstance(self.study.network, CustomNetwork):
            raise InvalidRecording(f"{self.directory} does not hold the code of the network {self.study.network}.")
        self._check_source(activation)
        try:
            return cast("Network", self.study.network_for(activation, tuple(self.facts["input_shape"])))
        except UnknownName as error:
            raise InvalidRecording(f"{self.directory} {_unknown_code(error.name, activation)}") from None

    def _check_source(self, activation: str) -> None:
        """Raise InvalidRecording where this process has imported another function under the name."""
        recorded = self.functions[activation].get("source_digest")
        if recorded and activation in catalogue and catalogue[activation].source_digest != recorded:
            raise InvalidRecording(
                f"{self.directory} was made with another source of {bare(activation)!r} than the one that is imported "
                f"here: its networks are not computed again with that. What it was is kept: "
                f"load({str(self.directory)!r}).functions[{activation!r}]['source_code']."
            )

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
        own = [name for name in self._weights[epochs[0]] if name.startswith(f"weights/{activation}/")]
        stacked = {name: np.stack([self._weights[epoch][name] for epoch in epochs]) for name in own}
        return _nested(stacked, activation)

    @staticmethod
    def _check_kept(epochs: Sequence[int], kept: Sequence[int]) -> None:
        for epoch in epochs:
            if epoch not in kept:
                raise InvalidRecording(f"the weights of epoch {epoch} were not kept; there are {list(kept)}.")

    def missing(self) -> list[Path]:
        """Files of segments that are not there."""
        paths = [self.directory / segment.file for segment in self.segments]
        return [path for path in paths if not path.is_file()]

    def _arrays(self, kind: str) -> dict[str, np.ndarray]:
        parts = [self._load(segment) for segment in self.segments if segment.kind == kind]
        if any(part.keys() != parts[0].keys() for part in parts):
            raise InvalidRecording(f"{self.directory} is damaged: its segments do not hold the same arrays.")
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}

    def _load(self, segment: Segment) -> dict[str, np.ndarray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        if segment.file in self._loaded:
            return self._loaded[segment.file]
        path = self.directory / segment.file
        try:
            data = whole_file(path, segment.sha256)
        except OSError as error:
            raise InvalidRecording(f"{path} cannot be read ({error.strerror}); the recording is incomplete.") from None
        try:
            arrays = load(data)
            checks.check_arrays(segment, arrays, self.members, self.facts)
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise InvalidRecording(f"{path} is damaged or no segment of this recording ({error}).") from None
        self._loaded[segment.file] = arrays
        return arrays


def _unknown_code(name: str, activation: str) -> str:
    """Why the networks of an activation cannot be computed where a function is not known, and the ways out."""
    leave = ", or leave it out (--activations, activations=)" if name == bare(activation) else ""
    if ":" not in name:
        return (
            f"does not hold the code of {name!r}, a function of a user's own: register it first and draw from "
            f"Python{leave}."
        )
    return (
        f"names {name!r}, code of a user's own that is not run unasked: name it too (--activations "
        f"{quoted([activation])}), and it is imported from the folder you are in, in Python with "
        f"actlab.functions.import_activation({name!r}){leave}."
    )


def _segment(kind: Any, file: Any, first: Any, last: Any, sha256: Any, members: Any) -> Segment:
    ids = json.loads(members)
    if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
        raise ValueError(f"{file} is not said to be of members")
    return Segment(kind, file, first, last, sha256, tuple(ids))


def whole_file(path: Path, sha256: str) -> bytes:
    """The content of a segment's file, if it is that file and no link, pipe or device in its place.

    Raises:
        InvalidRecording: it is something else, or its content has another digest; no more of it is kept than a block.
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not stat.S_ISREG(path.lstat().st_mode) or path.parent.is_symlink():
        raise InvalidRecording(f"{path} is no file but a link, or something else: it is not read.")
    with open(os.open(path, flags), "rb") as file:
        size, digest = os.fstat(file.fileno()).st_size, hashlib.sha256()
        for _ in range(0, size, BLOCK):
            digest.update(file.read(BLOCK))
        if digest.hexdigest() != sha256:
            raise InvalidRecording(f"{path} is damaged: SHA-256 is {digest.hexdigest()}, expected {sha256}.")
        file.seek(0)
        return file.read(size)


def _complaint(database: Path, error: sqlite3.Error) -> str:
    """What SQLite says, in a sentence: a database that cannot be opened is not a damaged one."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{database} is being written to by another program that does not let go ({error}): try again."
    if not os.access(database, os.R_OK):
        return f"{database} cannot be read ({os.strerror(errno.EACCES)})."
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return f"{database} cannot be read ({error})."
    return f"{database} is damaged or no actlab database ({error})."


def _nested(arrays: Mapping[str, np.ndarray], activation: str) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of one activation, "weights/activation/layer/parameter", by layer and parameter.

    In a network of a user's own, the names of its parameters ("network/mlp/~/linear_0.w") or those of its places
    ("mlp/~/relu/slope") may hold "/" as well; never both, for its places are not called "network/…".
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        _, owner, own = name.split("/", 2)
        layer, _, parameter = own.partition("/") if own.startswith(f"{CUSTOM_PARAMETERS}/") else own.rpartition("/")
        if owner == activation:
            found.setdefault(layer, {})[parameter] = array
    return found


def load(directory: str | Path) -> Recording:
    """Open the recording in a run directory, complete or stopped half-way; needs NumPy only.

    Raises:
        InvalidRecording: no recording there, or a damaged one.
    """
    return Recording(directory)
