"""Which finding is the cause of which, and that it is told first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actlab.statistics.findings.finding import Finding
from actlab.statistics.findings.gradient import VANISHED
from actlab.statistics.findings.rate import EARLY
from actlab.statistics.findings.units import NEARLY_ALL

# What may be a cause, and in words what follows from it.
WORDS = {
    "inputs_off_scale": "the scale of the inputs",
    "units_alike": "units that start alike",
    "start_too_large": "initial weights that are too large",
    "narrow_layer": "the narrow layer",
    "rate_too_high": "a learning rate that is too high",
    "rate_too_low": "a learning rate that is too low",
    "dead_units": "units that are dead",
    "vanishing_gradient": "the gradient that vanishes",
    "labels_unlearnable": "labels that the inputs do not tell",
}
LEARNING = {"learns_nothing", "only_regulariser", "comes_apart"}
_INSIDE = LEARNING | {"dead_units", "vanishing_gradient"}
# What each may have for a consequence. All else that is found beside it is a cause of its own.
FOLLOWS: Mapping[str, set[str]] = {
    "inputs_off_scale": _INSIDE | {"start_too_large", "rate_too_high"},
    "units_alike": _INSIDE,
    "start_too_large": _INSIDE | {"rate_too_high"},
    "narrow_layer": LEARNING,
    "rate_too_high": _INSIDE,
    "rate_too_low": LEARNING,
    "dead_units": _INSIDE,
    "vanishing_gradient": _INSIDE,
    "labels_unlearnable": LEARNING,
}
# Where another cause is found, these say nothing more: weights do not move for that cause, and what labels tell is seen
# only by networks that can learn. Nor is a rate blamed for units that die where no gradient came from the start, nor
# some dead units for what has another cause.
ALONE = {"rate_too_low", "labels_unlearnable"}
_GRADIENT = ("vanishing_gradient", "dead_units")
# The spread of the last activations, untrained, from which on a signal reaches the output.
SIGNAL = 0.01


def causes_first(found: Sequence[Finding], inputs: Finding | None = None) -> list[Finding]:
    """The findings of one activation, the cause first; each other one names it, in `cause` and in its sentence.

    Args:
        found: in any order.
        inputs: what is wrong with the inputs of all, told before; the cause of all that is wrong here.

    >>> made = [{"code": code, "severity": "warning", "sentence": "…"} for code in ("learns_nothing", "narrow_layer")]
    >>> [(own["code"], own.get("cause"), own["sentence"]) for own in causes_first(made)]
    [('narrow_layer', None, '…'), ('learns_nothing', 'narrow_layer', '… This follows from the narrow layer.')]
    """
    ordered = sorted(found, key=_line)
    warnings = [finding for finding in ([inputs] if inputs else []) + ordered if finding["severity"] == "warning"]
    if not warnings:
        return ordered
    root, line = warnings[0]["code"], _line(warnings[0])
    told = []
    for finding in ordered:
        code, after = finding["code"], _line(finding) > line
        follows = after and finding["severity"] == "warning" and code in FOLLOWS.get(root, ())
        some_dead = code == "dead_units" and not follows and _some(finding)
        if after and (code in ALONE or some_dead or (code == "rate_too_high" and root in _GRADIENT)):
            continue
        if follows:
            sentence = f"{finding['sentence']} This follows from {WORDS[root]}."
            finding = finding | {"cause": root, "sentence": sentence, "help": None}
        told.append(finding)
    return told


def _line(finding: Finding) -> int:
    """The place of a finding among causes: what is there before a step is taken does not come from the steps.

    Two of one line are causes side by side. Some dead units do not make a gradient vanish, nor do they keep all others
    from learning: only where nearly all of a layer are dead are they a cause before these. Weights that stay where they
    are while a signal reaches the output want larger steps; without one, that is why.
    """
    evidence = finding.get("evidence", {})
    match finding["code"]:
        case "inputs_off_scale":
            return 0
        case "units_alike":
            return 1
        case "start_too_large":
            return 2
        case "narrow_layer":
            return 3
        case "rate_too_high":
            strong = "diverged" in evidence or evidence.get("update_ratio", {}).get("first", 0) > EARLY
            return 4 if strong else 8
        case "dead_units" if not _some(finding):
            return 5 if evidence["from_the_start"] else 9
        case "rate_too_low" if evidence["signal"] > SIGNAL:
            return 6
        case "vanishing_gradient":
            return 7 if evidence["share"]["0"] < VANISHED else 10
        case "dead_units":
            return 11
        case "rate_too_low":
            return 12
        case "labels_unlearnable":
            return 13
        case _:
            return 14


def _some(finding: Finding) -> bool:
    """Whether of dead units there are some, and not nearly all of a layer."""
    return finding["evidence"]["dead"]["last"] <= NEARLY_ALL
