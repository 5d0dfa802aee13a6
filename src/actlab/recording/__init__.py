"""What a run leaves behind, and the only thing that everything after training reads.

A run directory holds `study.toml`, `study.db` (SQLite: members, metrics, functions, segments, facts about the
run) and `segments/*.safetensors` with the dense arrays. A segment is written to a temporary name, synced, renamed
and only then entered in `study.db`, together with the metrics of its epochs, in one transaction: whatever moment
a run is stopped at, what the database names exists and is whole. NumPy only: no JAX here.
"""

from __future__ import annotations

from actlab.recording.directory import Claim, discard, is_unfinished, refuse_others
from actlab.recording.format import METRICS, SCHEMA, Member, Segment
from actlab.recording.reader import Recording, load
from actlab.recording.writer import Writer

__all__ = [
    "METRICS",
    "SCHEMA",
    "Claim",
    "Member",
    "Recording",
    "Segment",
    "Writer",
    "discard",
    "is_unfinished",
    "load",
    "refuse_others",
]
