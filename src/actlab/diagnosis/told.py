"""What is said first of a training that is watched."""

from __future__ import annotations

import math
from collections.abc import Sequence

from actlab.diagnosis.course import course_of
from actlab.statistics.findings.finding import Finding
from actlab.watching.looks import Look
from actlab.wording import counted, number


def headline(looks: Sequence[Look], found: Sequence[Finding]) -> str:
    """The first cause in a sentence; or that it is too early to say, or that nothing is wrong.

    Args:
        looks: in the order of their steps.
        found: what `findings_of` says of them.

    >>> headline([], [])
    'Nothing was seen of this training: it was stopped before its first step was made.'
    """
    if not looks:
        return "Nothing was seen of this training: it was stopped before its first step was made."
    causes = [own for own in found if own["severity"] == "warning" and own["cause"] is None]
    if causes:
        return str(causes[0]["sentence"])
    went = course_of(looks)
    steps = counted(looks[-1].step + 1, "step")
    if went.early:
        return f"It is too early to say: nothing wrong is found in {steps}, but most faults show later."
    seen = f"Nothing wrong is found in {counted(len(looks), 'look')} at {steps}"
    known = [look.loss for look in looks if math.isfinite(look.loss)]
    if not known:
        return f"{seen}; the loss was not seen, so that it is not known whether the network learns."
    text = f"{seen}: the loss went from {number(known[0])} to {number(known[-1])}"
    constant = looks[-1].constant.loss
    return f"{text}, where the best constant answer has {number(constant)}." if math.isfinite(constant) else f"{text}."
