"""What is certainly wrong between the last layer of a model and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actlab.statistics.findings.finding import Finding, finding
from actlab.watching.looks import Look
from actlab.wording import number

_RECTIFIED = ("ReluBackward0", "ThresholdBackward0", "ClampMinBackward0")
# By PyTorch's operation: what it is called, and between which numbers it stays.
RANGES = {"SigmoidBackward0": ("sigmoid", 0.0, 1.0), "TanhBackward0": ("tanh", -1.0, 1.0)} | {
    name: ("ReLU", 0.0, float("inf")) for name in _RECTIFIED
}
# Targets may lie beyond by rounding, or by this share of the range that they have.
BEYOND = 0.05


def _twice(look: Look, _: Sequence[Look]) -> Finding | None:
    before, kind = _before(look), look.facts.get("loss_kind")
    squashed = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}
    if kind == "cross-entropy" and before[:1] == ["LogSoftmaxBackward0"] and before[1:2] and before[1] in squashed:
        what = squashed[before[1]]
        one = "one" if what == "softmax" else "a softmax"
        remedy = f"Take the {what} out of the model: cross_entropy applies {one} by itself."
    elif kind == "binary" and before[:1] and before[0] in squashed:
        what = squashed[before[0]]
        one = "one" if what == "sigmoid" else "a sigmoid"
        remedy = f"Take the {what} out of the model: the loss with logits applies {one} by itself."
    else:
        return None
    sentence = f"The model ends in a {what}, and the loss applies another one: what is learnt hardly moves it."
    if kind == "cross-entropy" and what == "sigmoid":
        sentence = "The model ends in a sigmoid, and the loss applies a softmax: what is learnt hardly moves it."
    return finding("softmax_twice", "warning", sentence, {"before_loss": before}, remedy=remedy)


def _rectified(look: Look, _: Sequence[Look]) -> Finding | None:
    before, kind = _before(look), look.facts.get("loss_kind")
    after = before[1:] if before[:1] == ["LogSoftmaxBackward0"] else before
    if kind not in ("cross-entropy", "binary") or not after or after[0] not in _RECTIFIED:
        return None
    sentence = "The model's outputs go through a ReLU before the loss: no class can be said to be unlikely."
    remedy = "End the model with its last layer, without a function behind it."
    last = look.functions[-1] if look.functions else None
    layer = last.name if last is not None and last.function == "relu" else None
    return finding("function_before_loss", "warning", sentence, {"before_loss": before}, layer=layer, remedy=remedy)


def _no_logarithm(look: Look, _: Sequence[Look]) -> Finding | None:
    before = _before(look)
    # Whatever else stands between may be a logarithm written another way.
    if look.facts.get("loss_kind") != "cross-entropy" or before[:1] not in ([], ["SoftmaxBackward0"]):
        return None
    sentence = "The loss takes logarithms of probabilities, and the model gives it something else."
    remedy = "Take cross_entropy instead of nll_loss, or end the model with log_softmax."
    if before:
        sentence = "The loss takes logarithms of probabilities, and the model gives it the probabilities themselves."
    return finding("no_log_probabilities", "warning", sentence, {"before_loss": before}, remedy=remedy)


def _out_of_reach(look: Look, _: Sequence[Look]) -> Finding | None:
    """Targets of a squared or absolute loss that the last function does not reach."""
    before, targets = _before(look), look.facts.get("target_range")
    if look.facts.get("loss_kind") not in ("squared", "absolute") or not before or before[0] not in RANGES:
        return None
    if not targets:
        return None
    low, high = targets  # pyright: ignore[reportGeneralTypeIssues]
    name, least, most = RANGES[before[0]]
    slack = BEYOND * (high - low)
    if low >= least - slack and high <= most + slack:
        return None
    reach = f"at least {number(least)}" if most == float("inf") else f"between {number(least)} and {number(most)}"
    sentence = (
        f"The model ends in a {name}, which is {reach}, and targets lie from {number(low)} to {number(high)}: it "
        "cannot get there."
    )
    remedy = "End the model with its last layer, or bring the targets to where the function gets."
    evidence = {"lowest": low, "highest": high}
    limits = {"lowest": least, "highest": most}
    return finding("targets_out_of_reach", "warning", sentence, evidence, remedy=remedy, thresholds=limits)


def _before(look: Look) -> list[str]:
    found: Any = look.facts.get("before_loss") or []
    return list(found)


OUTPUTS = (_twice, _rectified, _no_logarithm, _out_of_reach)
