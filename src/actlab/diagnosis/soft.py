"""What is wrong by measure: said of networks alone that learn no more than the best constant answer.

Each rule has a threshold that healthy networks keep well away from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from actlab.diagnosis.course import Course
from actlab.statistics.findings.finding import Finding, finding, share
from actlab.watching.looks import Look
from actlab.wording import number

# The signal's size from the first function to the last at the first step.
GROWS = 100.0
# A step that changes a matrix by more than this share of its size, in the first five, forgets more than it learns.
LARGE_STEP, FIRST = 0.4, 5
RISES = 10.0
# Share of units that are dead, at two looks: a batch may leave a unit alone by chance.
DEAD, LOOKS = 0.9, 2
# Share of (sample, unit) pairs that are flat, of functions that saturate.
SATURATED = 0.5
# Samples look alike behind a function where their spread is below this share of their size.
ALIKE = 1e-3
# The gradient of the first matrix over that of the last, at every look from the fifth step on.
VANISHED, SETTLED = 1e-4, 5
# ‖ΔW‖/‖W‖ in the median over matrices and looks.
UNMOVED = 1e-4
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign", "relu6", "log_sigmoid")


def soft(looks: Sequence[Look], went: Course) -> Iterator[Finding]:
    """Findings by cause, where a network learns no more than a constant answer, the deeper cause first."""
    if not went.poor:
        return
    for rule in _RULES:
        if found := rule(looks, went):
            yield found


def _start(looks: Sequence[Look], _: Course) -> Finding | None:
    first = looks[0]
    if first.step or len(first.functions) < 2:
        return None
    before, after = first.functions[0], first.functions[-1]
    if not (before.rms > 0 and after.rms / before.rms > GROWS):
        return None
    grown = after.rms / before.rms
    sentence = (
        f"Untrained, the signal grows {number(grown)} times from {before.name} to {after.name}: the weights begin too "
        "large."
    )
    remedy = "Take initial weights that suit the function (as nn.init.kaiming_normal_), or normalise between layers."
    return _made("start_too_large", sentence, {"growth": grown}, before.name, first.step, remedy)


def _rate(looks: Sequence[Look], went: Course) -> Finding | None:
    early = [look for look in looks if look.step < FIRST]
    steps = [(own.update_ratio, own.name, look.step) for look in early for own in look.weights if own.norm > 0]
    worst = max((own for own in steps if math.isfinite(own[0])), default=None)
    remedy = "Take a tenth of the learning rate, or a hundredth."
    if worst is not None and worst[0] > LARGE_STEP:
        ratio, name, step = worst
        changes = f"step {step} changes the weights of {name} by {share(ratio)} of their size"
        sentence = f"The learning rate is too high: {changes}."
        return _made("rate_too_high", sentence, {"update_ratio": ratio}, name, step, remedy)
    if went.highest > RISES:
        sentence = f"The learning rate is too high: the loss rises to {number(went.highest)} times what it began at."
        return _made("rate_too_high", sentence, {"highest": went.highest}, None, looks[-1].step, remedy)
    return None


def _dead(looks: Sequence[Look], _: Course) -> Finding | None:
    for place in looks[-1].functions:
        seen = [(look.step, own) for look in looks for own in look.functions if own.name == place.name]
        dead = [(step, own.dead_share) for step, own in seen if own.dead_share >= DEAD]
        if len(dead) < LOOKS or place.dead_share < DEAD:
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
        return _made("dead_units", sentence, {"dead": part, "from_the_start": born}, place.name, step, remedy)
    return None


def _saturated(looks: Sequence[Look], _: Course) -> Finding | None:
    for place in looks[-1].functions:
        if place.function not in SATURATING or place.flat <= SATURATED:
            continue
        seen = [(look.step, own.flat) for look in looks for own in look.functions if own.name == place.name]
        step = next(step for step, flat in seen if flat > SATURATED)
        sentence = f"{share(place.flat)} of what {place.name} does is flat: {place.function} is saturated there."
        remedy = "Bring the inputs and initial weights to unit scale, or take a loss that suits it at the output."
        return _made("saturated", sentence, {"flat": place.flat}, place.name, step, remedy)
    return None


def _vanishing(looks: Sequence[Look], _: Course) -> Finding | None:
    first = [own for look in looks[:2] for own in look.functions if own.signal < ALIKE and own.samples > 1]
    if first:
        place = min(first, key=lambda own: own.signal)
        sentence = (
            f"Untrained, all samples look alike behind {place.name}: they differ by {share(place.signal)} of its size, "
            "and little can go back."
        )
        remedy = "Take initial weights that suit the function, another function, normalisation or shortcuts."
        return _made("vanishing_signal", sentence, {"signal": place.signal}, place.name, looks[0].step, remedy)
    ratios = [_gradient_ratio(look) for look in looks if look.step >= SETTLED]
    known = [ratio for ratio in ratios if math.isfinite(ratio)]
    if len(known) >= LOOKS and max(known) < VANISHED:
        ratio = float(np.median(known))
        sentence = f"The gradient of the first weights is {number(ratio)} times that of the last, at every look."
        remedy = "Take another function, initial weights that suit it, normalisation or shortcuts."
        name = looks[-1].weights[0].name
        return _made("vanishing_gradient", sentence, {"ratio": ratio}, name, looks[-1].step, remedy)
    return None


def _gradient_ratio(look: Look) -> float:
    """Root mean squares would need sizes; norms of the first and last matrix differ far less than what is asked."""
    if len(look.weights) < 2 or not look.weights[-1].gradient_norm > 0:
        return math.nan
    return look.weights[0].gradient_norm / look.weights[-1].gradient_norm


def _slow(looks: Sequence[Look], _: Course) -> Finding | None:
    ratios = [own.update_ratio for look in looks for own in look.weights if math.isfinite(own.update_ratio)]
    if not ratios or not 0 < np.median(ratios) < UNMOVED:
        return None
    ratio = float(np.median(ratios))
    sentence = f"The learning rate is too low: a step changes weights by {share(ratio)} of their size (median)."
    remedy = "Take ten times the learning rate, or a hundred times."
    return _made("rate_too_low", sentence, {"update_ratio": ratio}, None, looks[-1].step, remedy)


def nothing_learnt(looks: Sequence[Look], went: Course) -> Finding:
    """Said where nothing else is found of a network that learns nothing."""
    sentence = (
        f"The network learns no more than always giving the same answer: its loss is {number(went.share)} times the "
        "best constant answer's, while signals and gradients pass."
    )
    remedy = "Look at the labels and inputs, whether they belong together; and whether it learns one batch by heart."
    return _made("learns_nothing", sentence, {"share": went.share}, None, looks[-1].step, remedy)


def _made(code: str, sentence: str, evidence: dict[str, object], layer: str | None, step: int, remedy: str) -> Finding:
    return finding(code, "warning", sentence, evidence, layer=layer, remedy=remedy) | {"step": step}


_RULES: tuple[Callable[[Sequence[Look], Course], Finding | None], ...] = (
    _start, _rate, _dead, _saturated, _vanishing, _slow,
)  # fmt: skip
