"""All findings of a training that is watched, a cause before what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.diagnosis.course import course_of
from actlab.diagnosis.elsewhere import elsewhere, worded
from actlab.diagnosis.exact import exact
from actlab.diagnosis.soft import nothing_learnt, soft
from actlab.statistics.findings.finding import Finding
from actlab.watching.looks import Look


def findings_of(looks: Sequence[Look]) -> list[Finding]:
    """What is wrong, by all that was seen so far: what is certain first, then what is told by measure.

    Of several findings the first is the cause, and the others follow from it. Where nothing is found of a network that
    learns no more than a constant answer, that alone is said. None of a network that learns.

    Args:
        looks: in the order of their steps.
    """
    if not looks:
        return []
    went = course_of(looks)
    found = [worded(own, looks) for own in (*exact(looks), *elsewhere(looks), *soft(looks, went))]
    if went.poor and not any(own["severity"] == "warning" for own in found):
        found.append(nothing_learnt(looks, went))
    warnings = [own for own in found if own["severity"] == "warning"]
    return [
        own | ({"cause": warnings[0]["code"]} if own["severity"] == "warning" and own is not warnings[0] else {})
        for own in found
    ]
