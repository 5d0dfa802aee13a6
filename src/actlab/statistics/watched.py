"""What the summary of a training that was watched says: its findings, for nothing is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actlab.recording import Recording
from actlab.wording import counted

if TYPE_CHECKING:
    from actlab.diagnosis import Verdict

ONE = (
    "This is a single training that was watched: nothing is compared, losses are those of batches, and validation and "
    "test data were not seen."
)


def of_watched(recording: Recording) -> Mapping[str, Any]:
    """Those parts of a summary that are different of a training that was watched: findings, notes and headline."""
    # The rules for what is watched share their words with those for studies, and are asked for once these are there.
    from actlab.diagnosis.judgement import judge_of
    from actlab.watching.recorded import looks_of

    verdict = judge_of(looks_of(recording)).verdict()
    looks = counted(recording.epochs + 1, "look")
    stopped = [] if recording.complete else [f"It was stopped, or goes on: {looks} are recorded."]
    causes = [own for own in verdict.findings if own["severity"] == "warning" and own["cause"] is None and own["help"]]
    return {
        "best_set": [],
        "not_compared": [],
        "findings": list(verdict.findings),
        "notes": [ONE, *stopped],
        "next_steps": [{"sentence": own["help"], "command": ""} for own in causes],
        "headline": headline(verdict),
    }


def headline(verdict: Verdict) -> str:
    """What is said first: the verdict, and of a training that learns that nothing wrong is found."""
    return f"Nothing wrong is found. {verdict.sentence}" if verdict.state == "healthy" else verdict.sentence
