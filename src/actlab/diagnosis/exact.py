"""What is certainly wrong, whatever the network learns: each rule reads the facts of a step.

What lies between a model and its loss is in `outputs`, what the data are in `data`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actlab.statistics.findings.finding import Finding, finding
from actlab.watching.looks import Look
from actlab.wording import counted, listed, number

# A gradient that is clipped to less than this share of itself is hardly followed.
CLIPPED = 0.01
ADAPTIVE = ("Adam", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Lion", "Rprop", "Adafactor", "Muon")
# Another optimiser may hold what one does not, and step every so manieth time.
OTHERS = 5
# With more left out than this, hardly anything gets through.
DROPPED = 0.8
# In float32 the smallest number is 1e-45, and full precision ends at 1e-38: what is below this reaches zero.
NEXT_TO_ZERO = 1e-30
# Outputs beyond this are on their way to overflow: a loss that is not finite comes of them.
ENORMOUS = 1e6
# A loss that rises to so many times its first, or weights to so many times theirs, before all is NaN: steps too large.
RISEN = 10.0
# A step that changes a matrix by more than this share of its size, in the first five, forgets more than it learns.
LARGE_STEP, FIRST = 0.4, 5
# From the first function to the last at the first step.
GROWS = 100.0
START = "Take initial weights that suit the function (as nn.init.kaiming_normal_), or normalise between layers."
# After so many steps what began alike and differs at all has begun to differ.
STILL = 3
# Layers may see one sample in the last batch of an epoch; in more than this share of looks it is the rule.
MOSTLY = 0.5


def _named(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:3]]
    return listed([*shown, f"{len(names) - 3} more"] if len(names) > 3 else shown)


def _input(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("finite_targets", True):
        sentence = f"The targets of step {look.step} hold numbers that are NaN or infinite."
        remedy = "Look for missing values in the targets: a loss of them is none."
        return finding("input_not_finite", "warning", sentence, {}, remedy=remedy)
    if look.facts.get("finite_input", True):
        return None
    sentence = f"The input of step {look.step} holds numbers that are NaN or infinite."
    remedy = "Look for missing values in the data: everything that is computed from them is lost."
    return finding("input_not_finite", "warning", sentence, {}, remedy=remedy)


def not_finite(look: Look, looks: Sequence[Look]) -> Finding | None:
    """A loss that is not finite: by what the outputs were, and by what came before, whose fault it is."""
    bad = [one for one in looks if one.facts.get("loss_seen") and not math.isfinite(one.loss)]
    # What came of it later is no news; and what was not finite to begin with, makes the loss so.
    if not bad or bad[0] is not look or not all(map(_is_given, looks)):
        return None
    is_now = f"The loss of step {look.step} is {number(look.loss) if math.isinf(look.loss) else 'not a number'}"
    if not look.weights:
        is_now = f"At the end, after {look.step} steps, the weights are no numbers"
    evidence: dict[str, object] = {"loss": look.loss, "output": look.facts.get("output_size")}
    size = float(look.facts.get("output_size", 0.0))  # pyright: ignore[reportArgumentType]
    if size < ENORMOUS:
        sentence = f"{is_now}, of outputs that are {number(size)} at most."
        remedy = (
            "Look for a logarithm, a root or a division of zero in the loss: take the one of PyTorch's that is given "
            "logits, or add a small number."
        )
        return finding("loss_not_finite", "warning", sentence, evidence, remedy=remedy)
    growth = growth_of(looks[0])
    if growth > GROWS:
        sentence = f"{is_now}: untrained, the signal grows {number(growth)} times from the first function to the last."
        remedy = START
        evidence |= {"growth": growth}
        limits = {"growth": GROWS}
        return finding("start_too_large", "warning", sentence, evidence, remedy=remedy, thresholds=limits)
    before = [own for own in looks if own.step < look.step and math.isfinite(own.loss)]
    rise = max((own.loss for own in before), default=math.nan) / before[0].loss if before and before[0].loss > 0 else 0
    step = max((own for one in before for own in early_steps(one)), default=(0.0, "", 0))
    evidence |= {"risen": rise, "update_ratio": step[0]}
    logarithms = _strings(look, "singular") or _strings(looks[0], "singular")
    if not before:
        sentence = f"{is_now}: the untrained model's outputs are not finite, though its input is."
        remedy = "Look for a logarithm, a root or a division of zero in the model, and at the initial weights."
        return finding("loss_not_finite", "warning", sentence, evidence, remedy=remedy)
    if rise < RISEN and step[0] < LARGE_STEP:
        sentence = f"{is_now}, at once: at step {before[-1].step} all was finite, and no step was large."
        code, remedy = (
            "loss_not_finite",
            (
                "Look for a logarithm, a root or a division of zero in the loss: take PyTorch's that is given "
                "logits, or add a small number; and for missing values in the data."
            ),
        )
        if not logarithms:
            sentence += " Nothing in the loss makes NaN of numbers: it comes with the data of a step between."
            code, remedy = "input_not_finite", "Look for missing values in the inputs and targets."
        return finding(code, "warning", sentence, evidence, remedy=remedy)
    sentence = f"{is_now}: the learning rate is too high, and all was finite at step {before[-1].step}."
    remedy = "Take a tenth of the learning rate, or a hundredth."
    limits = {"risen": RISEN, "update_ratio": LARGE_STEP}
    return finding("rate_too_high", "warning", sentence, evidence, remedy=remedy, thresholds=limits)


def _logarithm(look: Look, _: Sequence[Look]) -> Finding | None:
    """A logarithm next to the loss of what has all but reached zero."""
    least = float(look.facts.get("least_logged", math.inf))  # pyright: ignore[reportArgumentType]
    if not 0 <= least < NEXT_TO_ZERO:
        return None
    sentence = f"The loss of step {look.step} takes a logarithm of {number(least)}: at zero it is infinite."
    remedy = "Take the loss of PyTorch's that is given logits, or add a small number under the logarithm."
    limits = {"logarithm_of": NEXT_TO_ZERO}
    return finding("loss_not_finite", "warning", sentence, {"logarithm_of": least}, remedy=remedy, thresholds=limits)


def _is_given(look: Look) -> bool:
    return bool(look.facts.get("finite_input", True) and look.facts.get("finite_targets", True))


def growth_of(look: Look) -> float:
    """How often larger the signal is behind the last function than behind the first, before the first step."""
    if look.step or len(look.functions) < 2 or not look.functions[0].rms > 0:
        return math.nan
    grown = look.functions[-1].rms / look.functions[0].rms
    # What overflows on the way has grown beyond all numbers.
    return grown if math.isfinite(grown) or not math.isfinite(look.functions[0].rms) else math.inf


def early_steps(look: Look) -> list[tuple[float, str, int]]:
    """‖ΔW‖/‖W‖ of matrices that did not begin at zero, in the first five steps, with name and step."""
    if look.step >= FIRST:
        return []
    return [
        (own.update_ratio, own.name, look.step)
        for own in look.weights
        if own.norm > 0 and math.isfinite(own.update_ratio)
    ]


def _left_over(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("left_over_gradient"):
        return None
    sentence = f"At step {look.step} the gradients of the step before were still there, and the new ones came on top."
    return finding("missing_zero_grad", "warning", sentence, {}, remedy="Call optimizer.zero_grad() before backward().")


def _detached(look: Look, _: Sequence[Look]) -> Finding | None:
    ungraded = set(_strings(look, "ungraded"))
    without = [
        name
        for name in _strings(look, "without_gradient")
        if name.rpartition(".")[0] not in look.unseen or name.rpartition(".")[0] in ungraded
    ]
    if not without:
        return None
    sentence = f"{counted(len(without), 'parameter')} that the optimiser holds got no gradient: {_named(without)}."
    remedy = "Look for detach(), .data, numpy() or no_grad() between these layers and the loss."
    # The graph is cut behind the last of them.
    layer = _layer(without[-1:])
    return finding("detached", "warning", sentence, {"parameters": without}, layer=layer, remedy=remedy)


def _idle(look: Look, _: Sequence[Look]) -> Finding | None:
    ungraded = set(_strings(look, "ungraded"))
    idle = [
        name
        for name in _strings(look, "without_gradient")
        if name.rpartition(".")[0] in look.unseen and name.rpartition(".")[0] not in ungraded
    ]
    if not idle:
        return None
    sentence = f"{counted(len(idle), 'parameter')} of layers that did not run: {_named(idle)}."
    return finding("unused_layers", "info", sentence, {"parameters": idle}, layer=_layer(idle))


def not_held(look: Look, looks: Sequence[Look]) -> Finding | None:
    """That parameters could train, and no optimiser holds them."""
    missing = _strings(look, "not_in_optimiser")
    if not missing or look.step < OTHERS:
        return None
    sentence = f"{counted(len(missing), 'parameter')} that could train, no optimiser holds: {_named(missing)}."
    remedy = "Give the optimiser model.parameters(), or set requires_grad=False where they are to stay."
    return finding(
        "not_in_optimiser", "warning", sentence, {"parameters": missing}, layer=_layer(missing), remedy=remedy
    )


def _rate_of_zero(look: Look, looks: Sequence[Look]) -> Finding | None:
    still = set(_strings(look, "rate_of_zero"))
    # A rate may begin at zero, or be zero in turns.
    if look.step < 1 or any(not still & set(_strings(own, "rate_of_zero")) for own in looks[-3:]) or len(looks) < 3:
        return None
    names = sorted(still)
    sentence = f"The optimiser moves {counted(len(names), 'parameter')} at a rate of zero: {_named(names)}."
    remedy = "Give that group of parameters a learning rate, or set requires_grad=False where they are to stay."
    return finding("rate_of_zero", "warning", sentence, {"parameters": names}, layer=_layer(names), remedy=remedy)


def _evaluating(look: Look, _: Sequence[Look]) -> Finding | None:
    found = look.facts.get("evaluating") or {}
    # Single layers are frozen on purpose, in a model that trains otherwise.
    if not found or look.facts.get("training", False):
        return None
    names = list(found)  # pyright: ignore[reportArgumentType]
    sentence = f"{counted(len(names), 'layer')} worked as in evaluation while the model was trained: {_named(names)}."
    remedy = "Call model.train() before each epoch: evaluation with model.eval() leaves it behind."
    return finding("evaluating", "warning", sentence, {"layers": found}, layer=names[0], remedy=remedy)


def _single(look: Look, looks: Sequence[Look]) -> Finding | None:
    names = _strings(look, "single_sample_normalised")
    share = float(np.mean([bool(_strings(own, "single_sample_normalised")) for own in looks]))
    if not names or not share > MOSTLY:
        return None
    sentence = f"Batch normalisation saw a single sample at step {look.step}: {_named(names)}."
    remedy = "Take larger batches, add gradients of several up, or normalise by layer or group."
    evidence = {"layers": names, "share": share}
    limits = {"share": MOSTLY}
    return finding("single_sample", "warning", sentence, evidence, layer=names[0], remedy=remedy, thresholds=limits)


def _start(look: Look, looks: Sequence[Look]) -> Finding | None:
    """Units that begin alike: layers of equal units at once, what may be something else when it is so after some steps.

    Zeros that begin to differ are a custom, as at the end of a residual block.
    """
    begun = looks[0]
    zero, alike = _strings(begun, "zero_weights"), _strings(begun, "alike_layers") if look is begun else []
    moving = any(float(one.facts.get("learning_rate", 0.0)) > 0 for one in looks)  # pyright: ignore[reportArgumentType]
    still = set(_strings(look, "still_alike")) if look.step >= STILL and moving else set[str]()
    if len(looks) == 1 and not moving:
        # No step is made, as before training: what gets no gradient, and nothing that is zero does.
        without = {own.name for own in look.weights if own.gradient_norm == 0}
        still = set(zero) if set(zero) <= without else set()
    zero = [name for name in zero if name in still]
    alike = alike or [name for name in _strings(begun, "alike_weights") if name in still]
    if not (zero or alike):
        return None
    if zero:
        sentence = f"All weights of {counted(len(zero), 'layer')} begin at zero and stay alike: {_named(zero)}."
    else:
        sentence = f"All units of {_named(alike)} begin with the same weights: they stay alike."
    remedy = "Draw the weights at random, as the layers do by themselves."
    evidence = {"zero": zero, "alike": alike}
    return finding("units_alike", "warning", sentence, evidence, layer=(zero or alike)[0], remedy=remedy)


def _no_function(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("linear"):
        return None
    sentence = "Between the layers stands no function that is not linear: together they are one linear layer."
    remedy = "Put an activation function between the layers."
    # What is narrower within than at both ends says more than one layer: as many dimensions as a data set has.
    narrow = look.facts.get("bottleneck", False)
    severity = "info" if narrow else "warning"
    return finding("no_function", severity, sentence, {"bottleneck": narrow}, remedy=None if narrow else remedy)


def _dropout(look: Look, _: Sequence[Look]) -> Finding | None:
    rates: Any = look.facts.get("dropout") or {}
    high = {name: rate for name, rate in rates.items() if rate > DROPPED}
    if not high:
        return None
    worst = max(high, key=high.__getitem__)
    sentence = f"Dropout at {worst} leaves out {100 * high[worst]:g} % of what comes in."
    remedy = "Take a rate of at most 0.5."
    limits = {"rates": DROPPED}
    return finding(
        "dropout_too_high", "warning", sentence, {"rates": high}, layer=worst, remedy=remedy, thresholds=limits
    )


def _clipped(look: Look, looks: Sequence[Look]) -> Finding | None:
    # To an optimiser that divides the gradient by its own size it hardly matters.
    return None if str(look.facts.get("optimiser", "")).startswith(ADAPTIVE) else clipped(looks)


def clipped(looks: Sequence[Look]) -> Finding | None:
    """Whether hardly anything is left of the gradient, in the median over looks."""
    every: list[Any] = [one.facts.get("clipped", math.nan) for one in looks]
    shares = [float(own) for own in every if math.isfinite(own)]
    if len(shares) < 3 or not np.median(shares) < CLIPPED:
        return None
    share = float(np.median(shares))
    sentence = f"The gradient is clipped to {100 * share:.2g} % of itself (median over {len(shares)} steps looked at)."
    remedy = "Allow a norm as large as the gradient usually has; clip for the rare steps that are far above."
    limits = {"share": CLIPPED}
    return finding(
        "clipped", "warning", sentence, {"share": share}, remedy=remedy, step=looks[-1].step, thresholds=limits
    )


def _strings(look: Look, name: str) -> list[str]:
    found: Any = look.facts.get(name) or []
    return list(found)


def _layer(parameters: Sequence[str]) -> str:
    return parameters[0].rpartition(".")[0] or parameters[0]


Rule = Callable[[Look, Sequence[Look]], Finding | None]
#: In the order in which they spoil a training; each gets a look, and those up to it.
EXACT: tuple[Rule, ...] = (
    _input, _left_over, _detached, not_held, _rate_of_zero, _evaluating, _single, _start, _no_function, _dropout,
    _clipped, not_finite, _logarithm, _idle,
)  # fmt: skip
