"""A training that is watched, recorded: an ordinary recording, whose rows are the steps that were looked at."""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import InvalidRecording
from actlab.objectives import known_metric, own_objective
from actlab.recording import Claim, Member, Writer
from actlab.recording.measures import EDGES
from actlab.study import AS_BUILT, Observed
from actlab.watching.looks import Look
from actlab.watching.recorded import arrays_of, brief, told_of

# Written at the latest when so many looks wait; or after so many seconds, or this share of the time that has passed: a
# training of days leaves some hundred files.
MOST_WAITING, SECONDS, SHARE = 64, 5.0, 0.02
# After so many rows every second look is recorded, after as many more every fourth, and so on.
ROWS = 512
# A loss alone is known of every loop.
_LOSS = known_metric("loss")
_FRAMEWORKS = {"PyTorch": ("torch",), "Keras": ("keras",), "Flax": ("flax", "jax")}


class Recorder:
    """Writes the looks at one training into a directory.

    Attributes:
        directory: where.
    """

    def __init__(self, directory: str | Path, study: Observed, facts: dict[str, Any]) -> None:
        """Claim the directory; the recording begins with the first look.

        Args:
            directory: new or empty.
            study: of the training.
            facts: what is known of the model, JSON-safe: "parameters", "graph".

        Raises:
            InvalidRecording: a recording or something else lies there. RecordingFailed: nothing can be written there.
        """
        self.directory = Path(directory)
        self._study, self._facts = study, facts
        try:
            self._claim = Claim(directory, study)
        except InvalidRecording as error:
            raise InvalidRecording(f"{str(error).split(':')[0]}: name a new directory for this training.") from None
        if self._claim.finished is not None:
            self._claim.close()
            raise InvalidRecording(f"{directory} holds a recording: name a new directory for this training.")
        self._writer: Writer | None = None
        self._places: list[str] = []
        self._layers: list[str] = []
        self._waiting: list[Look] = []
        self._told: list[dict[str, Any]] = []
        self._seen = self._rows = 0
        self._begun = self._written = time.monotonic()
        self._times: list[tuple[int, float]] = []

    def know(self, **facts: Any) -> None:
        """Enter what is known of the model besides, before the first look: JSON-safe."""
        self._facts = {**self._facts, **{name: value for name, value in facts.items() if value is not None}}

    def add(self, look: Look) -> None:
        """Record a look, now or with those that follow."""
        self._seen += 1
        if (self._seen - 1) % (2 ** (self._rows // ROWS)):
            return
        if self._writer is None:
            self._begin(look)
        self._waiting.append(look)
        self._rows += 1
        now = time.monotonic()
        due = max(SECONDS, SHARE * (now - self._begun))
        if len(self._waiting) >= MOST_WAITING or now - self._written > due or self._rows == 1:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._writer is None or not self._waiting:
            return
        first = self._rows - len(self._waiting)
        losses = np.array([[look.loss] for look in self._waiting])
        unknown = np.full_like(losses, np.nan)
        metrics = {"train_loss": losses, "validation_loss": unknown, "test_loss": unknown}
        self._told += map(told_of, self._waiting)
        self._times.append((self._rows - 1, time.time()))
        facts = {"looks": brief(self._told), "epochs": self._rows - 1, "recorded": self._times}
        arrays = arrays_of(self._waiting, self._places, self._layers)
        self._waiting = []
        self._writer.commit(first, metrics, arrays, {}, facts=facts)
        self._written = time.monotonic()

    def finish(self, **facts: Any) -> None:
        """Write the rest, with facts known only now, and close; again, it does nothing."""
        try:
            if self._writer is not None:
                self.flush()
                self._writer.finish(**facts)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the directory; what was written stays."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._claim.close()

    def _begin(self, look: Look) -> None:
        self._places = [own.name for own in look.functions]
        self._layers = [own.name for own in look.weights]
        assert _LOSS is not None
        facts = {
            "weight_layers": self._layers,
            "act_layers": self._places,
            "place_functions": {own.name: own.function for own in look.functions},
            "classes": [],
            "input_shape": [1],
            "samples": {"train": max(look.constant.samples, 1), "validation": 0, "test": 0},
            **{name: edges().tolist() for name, edges in EDGES.items()},
            "started": time.time(),
            "versions": versions(self._study.framework),
            **self._facts,
        }
        members = [Member(0, AS_BUILT, 1.0, self._study.seeds[0])]
        self._writer = Writer.create(
            self._claim, self._study, members, {AS_BUILT: {"title": AS_BUILT}}, own_objective([_LOSS]), **facts
        )


def versions(framework: str) -> dict[str, str]:
    """Versions of what a training was made with."""
    found = {}
    for name in ("actlab", "numpy", *_FRAMEWORKS[framework]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
