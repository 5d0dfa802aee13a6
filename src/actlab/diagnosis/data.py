"""Whether the data have a scale that networks can begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.statistics.findings.finding import Finding, finding
from actlab.watching.looks import Look
from actlab.wording import number

# Initial weights are drawn for inputs of about 1. Columns above this size flatten sigmoids, and their weights get a
# hundred times the gradient of others; so does one column that is so many times as large as the middle one.
TOO_LARGE = 100.0
# Inputs that differ by less than this share of what they have in common are one constant to the first layer.
OFFSET = 30.0


def _scale(look: Look, _: Sequence[Look]) -> Finding | None:
    found: Mapping[str, Any] = look.facts.get("input") or {}  # pyright: ignore[reportAssignmentType]
    if not found:
        return None
    largest, middle, most = found["largest_rms"], found["median_rms"], found["largest"]
    evidence = dict(found)
    limits = {"largest_rms": TOO_LARGE, "largest": TOO_LARGE}
    if largest > TOO_LARGE and largest > TOO_LARGE * middle and found["columns"] > 1:
        sentence = (
            f"Column {found['column']} of the input is far larger than the others: the root of its mean square is "
            f"{number(largest)}, that of the middle one {number(middle)}."
        )
        remedy = "Standardise every feature: subtract its mean over the training samples, divide by its deviation."
        limits = {"largest_rms": TOO_LARGE, "largest_rms/median_rms": TOO_LARGE}
    elif found["common"] > OFFSET * found["spread"] and found["common"] > 1:
        sentence = (
            f"The inputs lie far from zero: they spread by {number(found['spread'])} around values of the size "
            f"{number(found['common'])}, which to the first layer are almost one constant."
        )
        remedy = "Subtract from every feature its mean over the training samples, and divide it by its deviation."
        limits = {"common/spread": OFFSET}
    elif most > TOO_LARGE:
        sentence = (
            f"The inputs are far too large: up to {number(most)}, where initial weights are drawn for about 1 (the "
            f"root of their mean square is {number(found['rms'])})."
        )
        remedy = "Divide the inputs by their scale, or standardise every feature."
    else:
        return None
    layer = found["layer"]
    return finding("inputs_off_scale", "warning", sentence, evidence, layer=layer, remedy=remedy, thresholds=limits)


DATA = (_scale,)
