"""Whether a network that is watched learns more than the best answer that does not look at its input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.watching.looks import Look

# What ends above this share of the constant answer's loss has learnt next to nothing: healthy trainings are well below.
POOR = 0.8
# Before so many steps nothing is said: warm-ups are short, and first steps noisy.
FIRST_STEPS = 30
# What is so many times above the constant answer is not on its way, though it falls.
FAR = 3.0
# Losses at so many looks are taken together, by their median: a batch is a small sample.
TOGETHER = 3


@dataclass(frozen=True)
class Course:
    """How a training went so far.

    Attributes:
        share: the loss at the last looks over that of the best constant answer; NaN where that is not known.
        begun: the loss at the first look, likewise.
        highest: the highest loss over the first one.
        early: whether it is too early to say anything.
        falling: whether the loss still falls clearly.
    """

    share: float
    begun: float
    highest: float
    early: bool
    falling: bool

    @property
    def poor(self) -> bool:
        """Whether it learns no more than the best constant answer has, and does not look like learning soon."""
        return not self.early and self.share > POOR and not (self.falling and self.share < FAR)


def course_of(looks: Sequence[Look]) -> Course:
    """The course of the looks so far, at least one."""
    known = [look for look in looks if math.isfinite(look.loss)]
    if not known:
        return Course(math.nan, math.nan, math.nan, looks[-1].step < FIRST_STEPS, False)
    losses = np.array([look.loss for look in known])
    constant = known[-1].constant.loss
    last = float(np.median(losses[-TOGETHER:]))
    before = float(np.median(losses[-2 * TOGETHER : -TOGETHER])) if len(losses) >= 2 * TOGETHER else math.inf
    # By a tenth between the last looks and those before: what falls so is on its way.
    falling = math.isfinite(before) and last < 0.9 * before
    first = float(losses[0])
    highest = float(losses.max()) / first if first > 0 else math.nan
    share = last / constant if constant > 0 else math.nan
    begun = first / constant if constant > 0 else math.nan
    return Course(share, begun, highest, looks[-1].step < FIRST_STEPS, falling)
