"""What is wrong by measure: said of networks alone that learn no more than the best constant answer.

Each rule has a threshold that healthy networks keep well away from. They stand in the order of causes: what comes first
explains what comes later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from actlab.diagnosis.course import RISES, Course, loss_at
from actlab.diagnosis.exact import GROWS, LARGE_STEP, START, clipped, early_steps, growth_of
from actlab.functions import catalogue
from actlab.functions.measured.facts import slope_supremum
from actlab.recording.measures import histogram_edges
from actlab.statistics.findings.finding import Finding, finding, share
from actlab.watching.looks import FunctionLook, Look
from actlab.wording import number

# An untrained network whose loss is so many times that of one that knows nothing is far surer of itself than it can be.
SURE_OF_ITSELF = 10.0
# What is so many times above the constant answer has something wrong, though it falls.
FAR = 3.0
# In the median over matrices and looks a step that changes them by this share: healthy ones are below 0.04.
USUAL = 0.1
# Share of units that are dead, at two looks: a batch may leave a unit alone by chance.
DEAD, LOOKS = 0.9, 2
# Where the slope is below this share of its largest a function counts as saturated, and where more than half of the
# (sample, unit) pairs are, the place does.
BAND, SATURATED = 0.02, 0.5
# Samples look alike behind a function where their spread is below this share of their size, untrained; and since, while
# it is below that one.
ALIKE, STILL_ALIKE = 1e-3, 1e-2
# The gradient of the first matrix over that of the last, at every look from the fifth step on.
VANISHED, SETTLED = 1e-4, 5
# Share of a gradient that is exactly zero, of matrices in the median; and how much of it dead units do not explain.
LOST, UNEXPLAINED = 0.5, 0.2
# ‖W‖ over what it was at the first look, in the median over matrices, with a decay in the optimiser.
DECAYED = 0.1
# Share of the most frequent class.
MAJORITY = 0.9
# Of a loss that still falls: share of the answers that name one class, over so many looks, from this step on.
ALONE, NAMED_ALONE, LONG = 0.99, 3, 100
# ‖ΔW‖/‖W‖ in the median over matrices and looks; away from both ends of a schedule, where the rate is this share of its
# highest at least.
UNMOVED, WITHIN = 1e-4, 0.5
# Functions whose slope falls to zero on both sides, or to one that stays: in between, nothing is saturated.
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign", "relu6", "log_sigmoid")
SUITED = ("SigmoidBackward0", "TanhBackward0", "SoftmaxBackward0")


def soft(looks: Sequence[Look], went: Course) -> Iterator[Finding]:
    """Findings by cause, where a network learns no more than a constant answer, the deeper cause first."""
    if not went.stuck:
        return
    # What comes from far above falls all the same.
    rules = RULES if went.poor else FAR_OFF if went.share > FAR else ON_ITS_WAY
    for rule in rules:
        if found := rule(looks, went):
            yield found


def untrained(look: Look) -> Iterator[Finding]:
    """What an untrained network shows already, where whether it learns is not known yet.

    A large first step is for the record: many a network gets over it.
    """
    nothing = Course(math.nan, math.nan, math.nan, early=True, falling=False)
    for rule in (_start, _underflow, _dead, _saturated, _vanishing):
        # Units that are dead are dead at once: the same look twice.
        if found := rule([look, look], nothing):
            yield found
    if found := _rate([look], nothing):
        yield found | {"severity": "info"}


def _start(looks: Sequence[Look], went: Course) -> Finding | None:
    first = looks[0]
    if first.step:
        return None
    grown = growth_of(first)
    evidence, limits = {"growth": grown, "begun": math.nan}, {"growth": GROWS, "begun": SURE_OF_ITSELF}
    if grown > GROWS:
        before, after = first.functions[0].name, first.functions[-1].name
        sentence = (
            f"Untrained, the signal grows {number(grown)} times from {before} to {after}: the weights begin too large."
        )
        return made("start_too_large", sentence, evidence, before, first.step, START, limits)
    # Where a function is saturated from the start, that says more.
    saturated = any(saturated_share(own) > SATURATED for own in first.functions)
    classes = looks[-1].constant.classes
    sure = loss_at(first) / math.log(classes) if classes > 1 else math.nan
    evidence["begun"] = sure
    if sure > SURE_OF_ITSELF and not saturated:
        sentence = (
            f"Untrained, the network has {number(sure)} times the loss of one that knows nothing: the weights begin "
            "too large."
        )
        return made("start_too_large", sentence, evidence, None, first.step, START, limits)
    return None


def _decay(looks: Sequence[Look], _: Course) -> Finding | None:
    decay: Any = looks[-1].facts.get("weight_decay", 0.0)
    begun = {own.name: own.norm for own in looks[0].weights if own.norm > 0}
    left = [own.norm / begun[own.name] for own in looks[-1].weights if own.name in begun]
    if not decay or not left or not np.median(left) < DECAYED:
        return None
    kept = float(np.median(left))
    sentence = f"Weight decay of {number(decay)} takes the weights away: {share(kept)} of their size is left (median)."
    remedy = "Take a hundredth of the decay."
    evidence = {"left": kept, "weight_decay": decay}
    return made("decay_too_strong", sentence, evidence, None, looks[-1].step, remedy, {"left": DECAYED})


def _rate(looks: Sequence[Look], went: Course) -> Finding | None:
    worst = max((own for look in looks for own in early_steps(look)), default=None)
    remedy = "Take a tenth of the learning rate, or a hundredth."
    limits = {"update_ratio": LARGE_STEP, "highest": RISES, "usual": USUAL}
    usual = middle_step(looks)
    evidence = {"update_ratio": worst[0] if worst else math.nan, "highest": went.highest, "usual": usual}
    if worst is not None and worst[0] > LARGE_STEP:
        ratio, name, step = worst
        changes = f"step {step} changes the weights of {name} by {share(ratio)} of their size"
        sentence = f"The learning rate is too high: {changes}."
        return made("rate_too_high", sentence, evidence, name, step, remedy, limits)
    if went.highest > RISES:
        sentence = f"The learning rate is too high: the loss rises to {number(went.highest)} times what it began at."
        return made("rate_too_high", sentence, evidence, None, looks[-1].step, remedy, limits)
    if usual > USUAL:
        sentence = f"The learning rate is too high: a step changes weights by {share(usual)} of their size (median)."
        return made("rate_too_high", sentence, evidence, None, looks[-1].step, remedy, limits)
    return None


def _dead(looks: Sequence[Look], _: Course) -> Finding | None:
    # Most networks have no such place at their last look.
    now = {own.name for own in looks[-1].functions if own.dead_share >= DEAD}
    every: dict[str, list[tuple[int, FunctionLook]]] = {name: [] for name in now}
    for look in looks:
        for own in look.functions:
            if own.name in now:
                every[own.name].append((look.step, own))
    for place in looks[-1].functions:
        if place.name not in now:
            continue
        seen = every[place.name]
        dead = [(step, own.dead_share) for step, own in seen if own.dead_share >= DEAD]
        if len(dead) < LOOKS:
            continue
        step, part = dead[0]
        born = step == seen[0][0] == 0
        how = "are dead from the start" if born else f"are dead from step {step} on"
        sentence = (
            f"{share(part)} of the units at {place.name} {how}: their slope is zero for all of {place.samples:,} "
            "samples, and nothing goes back through them."
        )
        remedy = (
            "Look at the biases and initial weights before it, or take a function that is nowhere flat."
            if born
            else "Take a tenth of the learning rate, or a function that is nowhere flat."
        )
        evidence = {"dead": part, "from_the_start": born, "samples": place.samples}
        return made("dead_units", sentence, evidence, place.name, step, remedy, {"dead": DEAD})
    return None


def _unsuited(looks: Sequence[Look], _: Course) -> Finding | None:
    """Of a function at the end that is saturated, with a squared loss behind it."""
    last = looks[-1]
    before: Any = last.facts.get("before_loss") or [""]
    if not last.functions or before[0] not in SUITED or last.facts.get("loss_kind") not in ("squared", "absolute"):
        return None
    place = last.functions[-1]
    flat = saturated_share(place)
    if not flat > SATURATED:
        return None
    sentence = (
        f"The model ends in a {place.function} that is saturated for {share(flat)} of its outputs, and the loss is a "
        "squared one: where it is most wrong, it learns least."
    )
    remedy = "Leave the function out and take a loss with logits: binary_cross_entropy_with_logits, or cross_entropy."
    evidence, limits = {"saturated": flat}, {"saturated": SATURATED, "slope": BAND}
    return made("loss_does_not_suit", sentence, evidence, place.name, _since(looks, place), remedy, limits)


def _saturated(looks: Sequence[Look], _: Course) -> Finding | None:
    for place in looks[-1].functions:
        flat = saturated_share(place)
        if not flat > SATURATED:
            continue
        sentence = f"{share(flat)} of what {place.name} does is flat: {place.function} is saturated there."
        remedy = "Bring the inputs and initial weights to unit scale, or take a loss that suits it at the output."
        evidence, limits = {"saturated": flat}, {"saturated": SATURATED, "slope": BAND}
        return made("saturated", sentence, evidence, place.name, _since(looks, place), remedy, limits)
    return None


def _since(looks: Sequence[Look], place: FunctionLook) -> int:
    """The first step at which a place was saturated."""
    seen = [(look.step, saturated_share(own)) for look in looks for own in look.functions if own.name == place.name]
    return next(step for step, flat in seen if flat > SATURATED)


def saturated_share(place: FunctionLook) -> float:
    """Share of values of a function that saturates where its slope is below BAND of the largest; NaN of others."""
    inside = _steep(place.function)
    if inside is None or not place.pre_activation_histogram.sum():
        return math.nan
    return 1 - float(place.pre_activation_histogram[inside].sum() / place.pre_activation_histogram.sum())


@cache
def _steep(function: str) -> np.ndarray | None:
    """Of the bins of pre-activations, those where a saturating function has a slope."""
    if function not in SATURATING or function not in catalogue:
        return None
    edges = histogram_edges()
    middle = (edges[1:] + edges[:-1]) / 2
    steepest = slope_supremum(catalogue[function])
    return None if steepest is None else np.abs(catalogue[function].derivative(middle)) > BAND * steepest


def _vanishing(looks: Sequence[Look], _: Course) -> Finding | None:
    first = [own for look in looks[:2] for own in look.functions if own.signal < ALIKE and own.samples > 1]
    now = min((own.signal for own in looks[-1].functions if own.samples > 1), default=math.nan)
    if first and now < STILL_ALIKE:
        place = min(first, key=lambda own: own.signal)
        sentence = (
            f"Untrained, all samples look alike behind {place.name}: they differ by {share(place.signal)} of its size, "
            "and little can go back."
        )
        remedy = "Take initial weights that suit the function, another function, normalisation or shortcuts."
        evidence, limits = {"signal": place.signal, "now": now}, {"signal": ALIKE, "now": STILL_ALIKE}
        return made("vanishing_signal", sentence, evidence, place.name, looks[0].step, remedy, limits)
    ratios = [_gradient_ratio(look) for look in looks if look.step >= SETTLED]
    known = [ratio for ratio in ratios if math.isfinite(ratio)]
    if len(known) >= LOOKS and max(known) < VANISHED:
        ratio = float(np.median(known))
        sentence = f"The gradient of the first weights is {number(ratio)} times that of the last, at every look."
        remedy = "Take another function, initial weights that suit it, normalisation or shortcuts."
        name = looks[-1].weights[0].name
        evidence, limits = {"ratio": ratio}, {"ratio": VANISHED}
        return made("vanishing_gradient", sentence, evidence, name, looks[-1].step, remedy, limits)
    return None


def _gradient_ratio(look: Look) -> float:
    """Root mean squares would need sizes; norms of the first and last matrix differ far less than what is asked."""
    if len(look.weights) < 2 or not look.weights[-1].gradient_norm > 0:
        return math.nan
    return look.weights[0].gradient_norm / look.weights[-1].gradient_norm


def _underflow(looks: Sequence[Look], _: Course) -> Finding | None:
    last = looks[-1]
    zeros = [own.zero_share for own in last.weights if math.isfinite(own.zero_share)]
    dead = [own.dead_share for own in last.functions if math.isfinite(own.dead_share)]
    if not last.facts.get("half") or not zeros:
        return None
    # A weight between two units has no gradient where one of them is dead.
    lost, explained = float(np.median(zeros)), 1 - (1 - float(np.mean(dead or [0.0]))) ** 2
    if lost < LOST or lost - explained < UNEXPLAINED:
        return None
    sentence = (
        f"{share(lost)} of the gradient is exactly zero (median over matrices) while units are alive: it is lost in "
        "half precision."
    )
    remedy = "Scale the loss with torch.amp.GradScaler, or take bfloat16."
    evidence = {"zero": lost, "unexplained": lost - explained, "scale": last.gradient_scale}
    limits = {"zero": LOST, "unexplained": UNEXPLAINED}
    return made("underflow", sentence, evidence, None, last.step, remedy, limits)


def _clipped(looks: Sequence[Look], _: Course) -> Finding | None:
    """Of an optimiser that divides the gradient by its own size, to which clipping hardly matters."""
    return clipped(looks)


def _frozen(looks: Sequence[Look], _: Course) -> Finding | None:
    frozen: Any = looks[-1].facts.get("frozen") or []
    if not frozen:
        return None
    shown = ", ".join(repr(name) for name in frozen[:3]) + (", …" if len(frozen) > 3 else "")
    sentence = f"The network learns nothing, and some of it is frozen (requires_grad=False): {shown}."
    remedy = "Let these layers train, if they are not meant to stay as they are."
    return made("frozen_layers", sentence, {"layers": frozen}, frozen[0], looks[-1].step, remedy, {})


def _classes(looks: Sequence[Look], went: Course) -> Finding | None:
    majority = looks[-1].constant.majority
    if not majority > MAJORITY:
        return None
    answers: list[Any] = [look.facts.get("answers") for look in looks[-NAMED_ALONE:]]
    counts = [np.array(own["named"], float) for own in answers if own and "named" in own]
    named = float(np.max(np.sum(counts, axis=0)) / np.sum(counts)) if counts else math.nan
    # What still falls may only be on its way to naming that class.
    alone = len(looks) > 2 * NAMED_ALONE and looks[-1].step >= LONG and named > ALONE and not went.answers
    if not (went.poor or alone):
        return None
    answered = f", and {share(named)} of the answers" if math.isfinite(named) else ""
    sentence = f"One class has {share(majority)} of the samples{answered}: the others are not learnt."
    remedy = "Weigh the classes in the loss, or draw them equally often; and look at balanced accuracy."
    evidence, limits = {"majority": majority, "answered": named}, {"majority": MAJORITY, "answered": ALONE}
    return made("class_imbalance", sentence, evidence, None, looks[-1].step, remedy, limits)


def _slow(looks: Sequence[Look], _: Course) -> Finding | None:
    ratio = middle_step(looks)
    if not 0 < ratio < UNMOVED:
        return None
    sentence = f"The learning rate is too low: a step changes weights by {share(ratio)} of their size (median)."
    remedy = "Take ten times the learning rate, or a hundred times."
    evidence, limits = {"update_ratio": ratio}, {"update_ratio": UNMOVED}
    return made("rate_too_low", sentence, evidence, None, looks[-1].step, remedy, limits)


def middle_step(looks: Sequence[Look]) -> float:
    """‖ΔW‖/‖W‖ in the median over matrices and looks, away from both ends of a schedule."""
    rates: list[Any] = [look.facts.get("learning_rate", math.nan) for look in looks]
    highest = np.nanmax(rates) if np.isfinite(rates).any() else math.nan
    within = [look for look, rate in zip(looks, rates, strict=True) if not rate < WITHIN * highest]
    ratios = [own.update_ratio for look in within for own in look.weights if math.isfinite(own.update_ratio)]
    return float(np.median(ratios)) if ratios else math.nan


def made(
    code: str, sentence: str, evidence: dict[str, Any], layer: str | None, step: int, remedy: str,
    limits: dict[str, float],
) -> Finding:  # fmt: skip
    """A warning: see `finding`."""
    return finding(code, "warning", sentence, evidence, layer=layer, remedy=remedy, step=step, thresholds=limits)


SoftRule = Callable[[Sequence[Look], Course], Finding | None]
RULES: tuple[SoftRule, ...] = (
    _start, _decay, _rate, _underflow, _clipped, _unsuited, _dead, _saturated, _vanishing, _classes, _slow, _frozen,
)  # fmt: skip
# Of what still falls: from far above, and else, where it crawls.
FAR_OFF: tuple[SoftRule, ...] = (_start, _decay, _rate, _unsuited, _saturated, _classes, _slow)
ON_ITS_WAY: tuple[SoftRule, ...] = (_classes, _slow)
