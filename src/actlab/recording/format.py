"""What a recording consists of: files, tables, metrics, members, segments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actlab.objectives import CLASSES

SCHEMA = 4
STUDY, DATABASE, SEGMENTS = "study.toml", "study.db", "segments"
# What is made from a recording, and made again where it is missing.
SUMMARY, REPORT = "summary.json", "report.html"
# A segment's name, as a database may hold it: nothing that leads out of the directory.
SEGMENT = re.compile(rf"{SEGMENTS}/[\w-]+\.safetensors", re.ASCII)
# Those that a writer gives: kind, first epoch, and a mark where an earlier recording of the study has the name.
WRITTEN = re.compile(r"(?:epochs|weights|first-seed|sample|test)-\d{6,}(?P<mark>-\d+)?\.safetensors", re.ASCII)
# How the reason begins of a member whose training raised something.
RAISED = re.compile(r"\w+(?::|$)")
#: Names of the metrics of classes, from "train_loss" to "test_accuracy".
METRICS = CLASSES.columns

# Of a segment, as they are read.
SEGMENT_COLUMNS = ("kind", "file", "first_epoch", "last_epoch", "sha256", "members")


def tables(columns: Sequence[str]) -> tuple[str, ...]:
    """The statements that make the tables of a recording whose metrics have these names."""
    return (
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE members (id INTEGER PRIMARY KEY, activation TEXT NOT NULL, learning_rate REAL NOT NULL,
        seed INTEGER NOT NULL, init TEXT NOT NULL, diverged_epoch INTEGER, diverged_reason TEXT)""",
        f"""CREATE TABLE metrics (member INTEGER NOT NULL REFERENCES members, epoch INTEGER NOT NULL,
        {", ".join(f"{name} REAL" for name in columns)}, PRIMARY KEY (epoch, member)) WITHOUT ROWID""",
        "CREATE TABLE functions (name TEXT PRIMARY KEY, card TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE segments (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL UNIQUE,
        first_epoch INTEGER NOT NULL, last_epoch INTEGER NOT NULL, sha256 TEXT NOT NULL, members TEXT NOT NULL)""",
    )


@dataclass(frozen=True)
class Member:
    """One network of a study: a variant (activation, learning rate, kind of initial weights) with a seed."""

    id: int
    activation: str
    learning_rate: float
    seed: int
    init: str = "stated"
    diverged_epoch: int | None = None
    diverged_reason: str | None = None

    @property
    def raised(self) -> bool:
        """Whether its training, in a loop of a user's own, ended with an error: "ValueError: …".

        >>> Member(0, "relu", 0.1, 0, "stated", 2, "the training loss became infinite").raised
        False
        """
        return self.diverged_reason is not None and RAISED.match(self.diverged_reason) is not None


@dataclass(frozen=True)
class Segment:
    """A file of dense arrays for the epochs `first_epoch` to `last_epoch`, both included, of some members' ids.

    Its arrays, by `kind`, are (epochs, members, …) and float32 where nothing else is said:

    - "epochs": the measures (`actlab.recording.measures`) and, of small networks, weights, as
      "weights/ACTIVATION/LAYER/PARAMETER" with the members of that activation alone.
    - "weights", "first-seed": weights alone, of the first seed's members in the latter.
    - "sample": `x` and `y` of some training samples, (1, 1, samples, …).
    - "test": after the last epoch, of the test samples in the task's order: `right` (1, members, ⌈samples / 8⌉) uint8,
      one bit for each that is put into its class; and, where they are not too many numbers, `outputs` (1, members,
      samples, outputs), NaN of members that diverged, with `targets` (1, 1, samples) int32, classes, or (1, 1, samples,
      targets), standardised numbers. Those of earlier versions hold `right` alone.
    """

    kind: str
    file: str
    first_epoch: int
    last_epoch: int
    sha256: str
    members: tuple[int, ...]
