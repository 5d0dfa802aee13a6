"""What is certainly wrong, whatever the network learns: each rule reads the facts of a step, and needs no threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from actlab.statistics.findings.finding import Finding, finding
from actlab.watching.looks import Look
from actlab.wording import counted, listed, number

# A gradient that is clipped to less than this share of itself is hardly followed.
CLIPPED = 0.01
# With more left out than this, hardly anything gets through.
DROPPED = 0.8
_RECTIFIED = ("ReluBackward0", "ThresholdBackward0", "ClampMinBackward0")


def exact(looks: Sequence[Look]) -> Iterator[Finding]:
    """Findings of what is certain, in the order in which they spoil a training."""
    for rule in _RULES:
        for look in looks:
            if found := rule(look, looks):
                yield found | {"step": look.step}
                break


def _named(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:3]]
    return listed([*shown, f"{len(names) - 3} more"] if len(names) > 3 else shown)


def _input(look: Look, _: Sequence[Look]) -> Finding | None:
    if look.facts.get("finite_input", True):
        return None
    sentence = f"The input of step {look.step} holds numbers that are NaN or infinite."
    remedy = "Look for missing values in the data: everything that is computed from them is lost."
    return finding("input_not_finite", "warning", sentence, {}, remedy=remedy)


def _loss(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("loss_seen") or math.isfinite(look.loss):
        return None
    sentence = f"The loss of step {look.step} is {number(look.loss) if math.isinf(look.loss) else 'not a number'}."
    remedy = "Look for a logarithm or a division of zero in the loss; else take a tenth of the learning rate."
    return finding("loss_not_finite", "warning", sentence, {"loss": look.loss}, remedy=remedy)


def _left_over(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("left_over_gradient"):
        return None
    sentence = f"At step {look.step} the gradients of the step before were still there, and the new ones came on top."
    return finding("missing_zero_grad", "warning", sentence, {}, remedy="Call optimizer.zero_grad() before backward().")


def _detached(look: Look, _: Sequence[Look]) -> Finding | None:
    without = [name for name in _strings(look, "without_gradient") if name.rpartition(".")[0] not in look.unseen]
    if not without:
        return None
    sentence = f"{counted(len(without), 'parameter')} that the optimiser holds got no gradient: {_named(without)}."
    remedy = "Look for detach(), .data, numpy() or no_grad() between these layers and the loss."
    return finding("detached", "warning", sentence, {"parameters": without}, layer=_layer(without), remedy=remedy)


def _idle(look: Look, _: Sequence[Look]) -> Finding | None:
    idle = [name for name in _strings(look, "without_gradient") if name.rpartition(".")[0] in look.unseen]
    if not idle:
        return None
    sentence = f"{counted(len(idle), 'parameter')} of layers that did not run: {_named(idle)}."
    return finding("unused_layers", "info", sentence, {"parameters": idle}, layer=_layer(idle))


def _not_held(look: Look, looks: Sequence[Look]) -> Finding | None:
    # Another optimiser may hold them, which steps later.
    last = looks[-1]
    missing = _strings(last, "not_in_optimiser")
    if look is not last or not missing or last.step < 1:
        return None
    sentence = f"{counted(len(missing), 'parameter')} that could train, no optimiser holds: {_named(missing)}."
    remedy = "Give the optimiser model.parameters(), or set requires_grad=False where they are to stay."
    return finding(
        "not_in_optimiser", "warning", sentence, {"parameters": missing}, layer=_layer(missing), remedy=remedy
    )


def _twice(look: Look, _: Sequence[Look]) -> Finding | None:
    before, kind = _strings(look, "before_loss"), look.facts.get("loss_kind")
    if kind == "cross-entropy" and before[:1] == ["LogSoftmaxBackward0"] and "SoftmaxBackward0" in before[1:2]:
        what, remedy = "softmax", "Take the softmax out of the model: cross_entropy applies one by itself."
    elif kind == "binary" and before[:1] == ["SigmoidBackward0"]:
        what, remedy = "sigmoid", "Take the sigmoid out of the model: the loss with logits applies one by itself."
    else:
        return None
    sentence = f"The model ends in a {what}, and the loss applies another one: what is learnt hardly moves it."
    return finding("softmax_twice", "warning", sentence, {"before_loss": before}, remedy=remedy)


def _rectified(look: Look, _: Sequence[Look]) -> Finding | None:
    before, kind = _strings(look, "before_loss"), look.facts.get("loss_kind")
    after = before[1:] if before[:1] == ["LogSoftmaxBackward0"] else before
    if kind not in ("cross-entropy", "binary") or not after or after[0] not in _RECTIFIED:
        return None
    sentence = "The model's outputs go through a ReLU before the loss: no class can be said to be unlikely."
    remedy = "End the model with its last layer, without a function behind it."
    return finding("function_before_loss", "warning", sentence, {"before_loss": before}, remedy=remedy)


def _no_logarithm(look: Look, _: Sequence[Look]) -> Finding | None:
    before = _strings(look, "before_loss")
    # Whatever stands between may be a logarithm written another way.
    if look.facts.get("loss_kind") != "cross-entropy" or before:
        return None
    sentence = "The loss takes logarithms of probabilities, and the model gives it something else."
    remedy = "Take cross_entropy instead of nll_loss, or end the model with log_softmax."
    return finding("no_log_probabilities", "warning", sentence, {"before_loss": before}, remedy=remedy)


def _evaluating(look: Look, _: Sequence[Look]) -> Finding | None:
    found = look.facts.get("evaluating") or {}
    # Single layers are frozen on purpose, in a model that trains otherwise.
    if not found or look.facts.get("training", False):
        return None
    names = list(found)  # pyright: ignore[reportArgumentType]
    sentence = f"{counted(len(names), 'layer')} worked as in evaluation while the model was trained: {_named(names)}."
    remedy = "Call model.train() before each epoch: evaluation with model.eval() leaves it behind."
    return finding("evaluating", "warning", sentence, {"layers": found}, layer=names[0], remedy=remedy)


def _single(look: Look, _: Sequence[Look]) -> Finding | None:
    names = _strings(look, "single_sample_normalised")
    if not names:
        return None
    sentence = f"Batch normalisation saw a single sample at step {look.step}: {_named(names)}."
    remedy = "Take larger batches, leave the last one out (drop_last=True), or normalise by layer or group."
    return finding("single_sample", "warning", sentence, {"layers": names}, layer=names[0], remedy=remedy)


def _start(look: Look, _: Sequence[Look]) -> Finding | None:
    # Zeros that get a gradient are a custom, as at the end of a residual block.
    stuck = {own.name for own in look.weights if own.gradient_norm == 0}
    zero = [name for name in _strings(look, "zero_weights") if name in stuck]
    alike = _strings(look, "alike_weights")
    if zero:
        sentence, names = f"All weights of {counted(len(zero), 'layer')} begin at zero and stay: {_named(zero)}.", zero
    elif alike:
        sentence, names = f"All units of {_named(alike)} begin with the same weights: they stay alike.", alike
    else:
        return None
    remedy = "Draw the weights at random, as the layers do by themselves."
    evidence = {"zero": zero, "alike": alike}
    return finding("units_alike", "warning", sentence, evidence, layer=names[0], remedy=remedy)


def _no_function(look: Look, _: Sequence[Look]) -> Finding | None:
    if not look.facts.get("linear"):
        return None
    sentence = "Between the layers stands no function that is not linear: together they are one linear layer."
    remedy = "Put an activation function between the layers."
    return finding("no_function", "warning", sentence, {}, remedy=remedy)


def _dropout(look: Look, _: Sequence[Look]) -> Finding | None:
    rates: Any = look.facts.get("dropout") or {}
    high = {name: rate for name, rate in rates.items() if rate > DROPPED}
    if not high:
        return None
    worst = max(high, key=high.__getitem__)
    sentence = f"Dropout at {worst} leaves out {100 * high[worst]:g} % of what comes in."
    remedy = "Take a rate of at most 0.5."
    return finding("dropout_too_high", "warning", sentence, {"rates": high}, layer=worst, remedy=remedy)


def _clipped(look: Look, looks: Sequence[Look]) -> Finding | None:
    if look is not looks[-1]:
        return None
    every: list[Any] = [one.facts.get("clipped", math.nan) for one in looks]
    shares = [float(own) for own in every if math.isfinite(own)]
    if len(shares) < 3 or not np.median(shares) < CLIPPED:
        return None
    share = float(np.median(shares))
    sentence = f"The gradient is clipped to {100 * share:.2g} % of itself (median over {len(shares)} steps looked at)."
    remedy = "Allow a norm as large as the gradient usually has; clip for the rare steps that are far above."
    return finding("clipped", "warning", sentence, {"share": share}, remedy=remedy)


def _strings(look: Look, name: str) -> list[str]:
    found: Any = look.facts.get(name) or []
    return list(found)


def _layer(parameters: Sequence[str]) -> str:
    return parameters[0].rpartition(".")[0] or parameters[0]


_RULES: tuple[Callable[[Look, Sequence[Look]], Finding | None], ...] = (
    _input, _loss, _left_over, _detached, _not_held, _twice, _rectified, _no_logarithm, _evaluating, _single, _start,
    _no_function, _dropout, _clipped, _idle,
)  # fmt: skip
