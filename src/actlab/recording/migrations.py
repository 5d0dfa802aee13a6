"""Recordings of earlier versions, brought to the present schema as they are read; their files stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

# What schema 2 held of every member and epoch, as it is said since.
_METRICS = (
    {"name": "loss", "title": "cross-entropy", "better": "lower", "unit": "nats", "scale": 1.0},
    {"name": "accuracy", "title": "accuracy", "better": "higher", "unit": "%", "scale": 100.0},
)


@dataclass(frozen=True)
class Stored:
    """What a database holds, row by row.

    Attributes:
        facts: by name.
        members: rows of the table of members, by id.
        segments: rows (kind, file, first epoch, last epoch, SHA-256, ids of members as JSON).
    """

    facts: Mapping[str, Any]
    members: list[tuple[Any, ...]]
    segments: list[tuple[Any, ...]]


def segments_say_whose(stored: Stored) -> Stored:
    """2 → 3: a segment names its members, of which "first-seed" was all that was known; metrics are declared."""
    seeds = [row[3] for row in stored.members]
    everyone = json.dumps(list(range(len(seeds))))
    of_first = json.dumps([number for number, seed in enumerate(seeds) if seed == seeds[0]])
    segments = [(*row, of_first if row[0] == "first-seed" else everyone) for row in stored.segments]
    # One output or several, the metrics and the baseline are the same.
    declared = {"objective": "classes", "metrics": list(_METRICS), "schema": 3}
    return replace(stored, facts={**stored.facts, **declared}, segments=segments)


def test_samples_may_be_there(stored: Stored) -> Stored:
    """3 → 4: which test samples are right may be recorded one by one; here they are not."""
    return replace(stored, facts={**stored.facts, "schema": 4})


#: From which schema → to the next one.
MIGRATIONS: Mapping[int, Callable[[Stored], Stored]] = MappingProxyType(
    {2: segments_say_whose, 3: test_samples_may_be_there}
)
