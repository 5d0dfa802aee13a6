"""What is wrong with the networks of a recording, by the rules as they are today."""

from __future__ import annotations

from collections.abc import Collection

from actlab.diagnosis.judgement import Verdict, judge_of
from actlab.recording import Recording
from actlab.statistics import summarise
from actlab.statistics.findings.codes import checked
from actlab.statistics.findings.finding import Finding
from actlab.study import Observed
from actlab.watching.recorded import looks_of


def verdict_in(recording: Recording, mute: Collection[str] = ()) -> Verdict:
    """All that is said of a recording, its findings a cause before what follows from it.

    Of a training that was watched it is made from its looks; of a study from its members.

    Args:
        recording: complete or not.
        mute: codes of findings that are not wanted.

    Raises:
        UnknownName: a code to mute that there is not.
    """
    muted = checked(mute)
    if isinstance(recording.study, Observed) and recording.study.watched:
        return judge_of(looks_of(recording)).verdict(muted)
    found = tuple(own for own in summarise(recording)["findings"] if own["code"] not in muted)
    wrong = [own for own in found if own["severity"] == "warning"]
    if wrong:
        return Verdict("faulty", wrong[0]["sentence"], found)
    if recording.study.own_loop:
        return _of_own_loop(recording, found)
    return Verdict("healthy", "Nothing wrong was found.", found)


def _of_own_loop(recording: Recording, found: tuple[Finding, ...]) -> Verdict:
    """What can be said of networks that trained in a loop of a user's own where nothing wrong was found."""
    told = recording.facts.get("judged") or {}
    states = {own.get("state") for members in told.values() for own in members.values()} - {None}
    if not states:
        return Verdict("unknown", "Nothing was looked at inside these networks.", found)
    if "healthy" in states:
        return Verdict("healthy", "Nothing wrong was found in more than half of the networks of a function.", found)
    if "too_early" in states:
        return Verdict("too_early", "It is too early to say whether the networks learn.", found)
    return Verdict("unknown", "It cannot be told whether the networks learn.", found)
