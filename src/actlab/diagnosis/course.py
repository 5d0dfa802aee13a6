"""Whether a network that is watched learns more than the best answer that does not look at its input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.watching.looks import Look

# What ends above this share of the constant answer's loss has learnt next to nothing: healthy trainings are well below.
POOR = 0.8
# Before so many steps, and so many after the rate has stopped to rise, nothing is said: first steps are noisy.
FIRST_STEPS = 30
# A rate that grows by more than this from its first step on is warmed up.
WARMED = 1.5
# Losses at so many looks are taken together, by their median: a batch is a small sample.
TOGETHER = 3
# What would be below POOR after so many times the steps so far, were it to fall on as it does, is on its way.
HORIZON = 3.0
# Standard errors by which a loss has to fall before it is said to.
SURE = 2.0
# A loss that rises to so many times its first is not on its way to anything when it comes down again.
RISES = 10.0
# So many standard errors above chance, and so much of the way from chance to all right, and answers follow the input.
ANSWERS, MORE_THAN_CHANCE = 4.0, 0.1


@dataclass(frozen=True)
class Course:
    """How a training went so far.

    Attributes:
        share: the loss at the last looks over that of the best constant answer; NaN where that is not known.
        begun: the loss at the first look, likewise.
        highest: the highest loss over the first one.
        early: whether it is too early to say anything.
        falling: whether the loss falls so that it will be below POOR.
        answers: whether what is answered follows the input, though the loss may be high; None where it is not known.
        why: why the best constant answer is not known; empty where it is.
    """

    share: float
    begun: float
    highest: float
    early: bool
    falling: bool
    answers: bool | None = None
    why: str = ""

    @property
    def poor(self) -> bool:
        """Whether it learns no more than the best constant answer has, and does not look like learning soon."""
        return self.stuck and (not self.falling or (self.highest > RISES and self.share > 1))

    @property
    def stuck(self) -> bool:
        """Whether it learns no more than the best constant answer has, on its way or not."""
        return not self.early and self.share > POOR


def course_of(looks: Sequence[Look], highest: float = math.nan) -> Course:
    """The course of the looks so far, at least one.

    Args:
        looks: in the order of their steps; of long trainings the first and last ones.
        highest: the highest loss of all looks, where some are not among these.
    """
    known = [(look.step, loss_at(look)) for look in looks if math.isfinite(loss_at(look))]
    early = _early(looks)
    why = _unknown(looks)
    if not known:
        return Course(math.nan, math.nan, math.nan, early, False, None, why or "no loss was seen")
    steps, losses = (np.array(own, float) for own in zip(*known, strict=True))
    constant = _constant(looks)
    last, first = float(np.median(losses[-TOGETHER:])), float(losses[0])
    highest = float(np.nanmax([highest, losses.max()]))
    if why or not constant > 0:
        why = why or "its best constant answer is not known"
        return Course(math.nan, math.nan, highest / first if first > 0 else math.nan, early, False, None, why)
    return Course(
        last / constant,
        first / constant,
        highest / first if first > 0 else math.nan,
        early,
        _falls(steps, losses, POOR * constant),
        _answers(looks),
    )


def loss_at(look: Look) -> float:
    """The loss of a step that a constant answer has its part in: without penalties, where these are known apart."""
    alone: Any = look.facts.get("loss_alone", math.nan)
    return float(alone) if math.isfinite(alone) and math.isfinite(look.loss) else look.loss


def _early(looks: Sequence[Look]) -> bool:
    """Whether fewer steps than FIRST_STEPS lie behind the start, or the end of a warm-up."""
    rates = [(look.step, float(look.facts.get("learning_rate", math.nan))) for look in looks]  # pyright: ignore[reportArgumentType]
    rates = [(step, rate) for step, rate in rates if math.isfinite(rate)]
    begun = 0
    if rates and (highest := max(rate for _, rate in rates)) > WARMED * rates[0][1]:
        begun = next(step for step, rate in rates if rate >= 0.99 * highest)
    return looks[-1].step < begun + FIRST_STEPS


def _unknown(looks: Sequence[Look]) -> str:
    if any(look.facts.get("shared_loss") for look in looks):
        return "its loss is one of several that go back through it in turns"
    if any(not look.facts.get("loss_kind", "known") for look in looks[-1:]):
        return "its loss is one of your own, whose best constant answer is not known"
    return ""


def _constant(looks: Sequence[Look]) -> float:
    """What the best constant answer has; of few samples of classes an entropy comes out too small, by about so much.

    Source: Miller 1955, Note on the bias of information estimates.
    """
    own = looks[-1].constant
    if not (own.classes and own.samples):
        return own.loss
    return min(own.loss + (own.classes - 1) / (2 * own.samples), max(own.loss, math.log(own.classes)))


def _falls(steps: np.ndarray, losses: np.ndarray, bound: float) -> bool:
    """Whether losses that fall on as they do are below a bound after HORIZON times the steps so far."""
    if len(losses) < 2 * TOGETHER:
        return False
    now, before = losses[-TOGETHER:], losses[-2 * TOGETHER : -TOGETHER]
    passed = float(np.mean(steps[-TOGETHER:]) - np.mean(steps[-2 * TOGETHER : -TOGETHER]))
    fell = float(np.median(before) - np.median(now))
    error = math.sqrt((now.var(ddof=1) + before.var(ddof=1)) / TOGETHER)
    if fell <= 0 or (fell < SURE * error and fell < 0.1 * float(np.median(before))):
        return False
    return float(np.median(now)) - fell / passed * HORIZON * float(steps[-1]) < bound


def _answers(looks: Sequence[Look]) -> bool | None:
    """Whether answers of the last looks follow the input: by the mean over classes of what is right of each, or by
    the correlation of numbers.
    """
    last: list[Any] = [look.facts.get("answers") for look in looks[-2 * TOGETHER :]]
    counts = [own for own in last if own and "right" in own]
    related = [own["correlation"] for own in last if own and "correlation" in own]
    if related:
        samples = sum(own["count"] for own in last if own and "correlation" in own)
        together = float(np.mean(related))
        return together > 0 and together**2 > MORE_THAN_CHANCE**2 and together * math.sqrt(samples) > ANSWERS
    if not counts or len({len(own["right"]) for own in counts}) > 1:
        return None
    samples, right = (np.sum([own[name] for own in counts], axis=0) for name in ("samples", "right"))
    seen = samples > 0
    classes = int(seen.sum())
    if classes < 2:
        return None
    of_each = right[seen] / samples[seen]
    balanced, chance = float(of_each.mean()), 1 / classes
    error = math.sqrt(float((chance * (1 - chance) / samples[seen]).sum())) / classes
    return balanced > chance + MORE_THAN_CHANCE * (1 - chance) and balanced - chance > ANSWERS * error
