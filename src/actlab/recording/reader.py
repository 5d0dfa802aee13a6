"""Reading a recording; needs NumPy only."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from actlab.errors import InvalidRecording, InvalidStudy
from actlab.network import Network, Params
from actlab.own_network import OwnNetwork
from actlab.recording.format import METRICS, SCHEMA, Member, Segment
from actlab.study import from_toml


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
