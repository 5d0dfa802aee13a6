"""What is wrong with the networks of a recording, by the rules as they are today."""

from __future__ import annotations

from collections.abc import Collection

from actlab.diagnosis.judgement import Finding, findings_of
from actlab.recording import Recording
from actlab.statistics import summarise
from actlab.study import Observed
from actlab.watching.recorded import looks_of


def findings_in(recording: Recording, mute: Collection[str] = ()) -> list[Finding]:
    """All findings of a recording, a cause before what follows from it.

    Of a training that was watched they are made from its looks; of a study from its members.

    Args:
        recording: complete or not.
        mute: codes of findings that are not wanted.
    """
    watched = isinstance(recording.study, Observed) and recording.study.watched
    found = findings_of(looks_of(recording)) if watched else summarise(recording)["findings"]
    return [own for own in found if own["code"] not in mute]
