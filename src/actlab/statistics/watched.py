"""What the summary of a training that was watched says: its findings, for nothing is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actlab.recording import Recording
from actlab.wording import counted

ONE = (
    "This is a single training that was watched: nothing is compared, losses are those of batches, and validation and "
    "test data were not seen."
)


def of_watched(recording: Recording) -> Mapping[str, Any]:
    """Those parts of a summary that are different of a training that was watched: findings, notes and headline."""
    # The rules of what is watched are told by those of what is compared: they are asked for once these are there.
    from actlab.diagnosis.judgement import findings_of
    from actlab.diagnosis.told import headline
    from actlab.watching.recorded import looks_of

    looks = looks_of(recording)
    found = findings_of(looks)
    stopped = [] if recording.complete else [f"It was stopped, or goes on: {counted(len(looks), 'look')} are recorded."]
    helps = [own for own in found if own["severity"] == "warning" and own["cause"] is None and own["help"]]
    return {
        "best_set": [],
        "not_compared": [],
        "findings": found,
        "notes": [ONE, *stopped],
        "next_steps": [{"sentence": own["help"], "command": ""} for own in helps],
        "headline": headline(looks, found),
    }
