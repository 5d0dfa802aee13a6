"""What a recording consists of: tables, metrics, members, segments."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 2
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
