"""Whether the inputs have a scale that networks can begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from actlab.custom import CustomNetwork
from actlab.layers import WEIGHTED, BatchNorm, Scale
from actlab.network import flat
from actlab.recording import Recording
from actlab.statistics.findings.finding import Finding, finding
from actlab.tasks.scale import scale_of
from actlab.wording import number

# Initialisers keep the scale of what comes in: at 100 times that of standardised inputs sigmoids are flat and losses
# begin at a hundred times the usual one; at a hundredth the first layer's gradient is a hundredth. What is used as it
# is lies between: pixels of 0 to 1 have 0.3 to 0.5, of 0 to 16 have 7.
TOO_LARGE, TOO_SMALL = 100.0, 0.01
# Inputs that differ by less than this share of what they have in common are one constant to the first layer.
OFFSET = 30.0


def inputs_off_scale(recording: Recording) -> Finding | None:
    """Whether the inputs are hundreds of times larger or smaller than what initial weights are drawn for.

    Of the training samples, as the first layer with weights gets them. Nothing where a batch normalisation comes before
    that layer or right after it, or where a recording neither says how large they are nor holds some of them.
    """
    factor, known = _factor(recording), recording.facts.get("inputs")
    if factor is None or not (known or recording.sample):
        return None
    found = {name: factor * value for name, value in (known or scale_of(recording.sample["x"])).items()}
    common = math.sqrt(max(found["rms"] ** 2 - found["spread"] ** 2, 0.0))
    far = common > OFFSET * found["spread"] and common > 1
    if far:
        sentence = (
            f"The inputs lie far from zero: they spread by {number(found['spread'])} around values of the size "
            f"{number(common)} (from {number(found['minimum'])} to {number(found['maximum'])}), which to the first "
            "layer are almost one constant."
        )
        remedy = "Subtract from every feature its mean over the training samples, and divide it by its deviation."
    elif found["column_rms"] > TOO_LARGE or 0 < found["rms"] < TOO_SMALL:
        large = found["column_rms"] > TOO_LARGE
        size, what = (found["column_rms"], "large") if large else (found["rms"], "small")
        which = "the root of a feature's mean square is up to" if large else "the root of their mean square is"
        sentence = (
            f"The inputs are far too {what}: {which} {number(size)} (from {number(found['minimum'])} to "
            f"{number(found['maximum'])}), where initial weights are drawn for about 1."
        )
        remedy = "Divide the inputs by their scale, or standardise every feature."
    else:
        return None
    return finding("inputs_off_scale", "warning", sentence, found | {"far_from_zero": far}, remedy=remedy)


def _factor(recording: Recording) -> float | None:
    """What the first layer with weights gets the inputs multiplied with; None where it or they are normalised, or name
    tokens.
    """
    if recording.study.layout == "tokens":
        return None
    if recording.study.network is None or isinstance(recording.study.network, CustomNetwork):
        return 1.0
    layers = list(flat(recording.study.network))
    first = next((place for place, layer in enumerate(layers) if isinstance(layer, WEIGHTED)), None)
    if first is None:
        return 1.0
    beside: Sequence[Any] = layers[: first + 2]
    if any(isinstance(layer, BatchNorm) for layer in beside):
        return None
    return math.prod(layer.factor for layer in layers[:first] if isinstance(layer, Scale))


def suggested_divisor(evidence: Mapping[str, Any]) -> float:
    """By what to divide inputs for a root mean square near one: a number of two digits.

    >>> suggested_divisor({"column_rms": 1976.9, "rms": 1500.0})
    2000.0
    """
    size = evidence["column_rms"] if evidence["column_rms"] > TOO_LARGE else evidence["rms"]
    return float(f"{size:.2g}")
