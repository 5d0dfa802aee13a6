"""Whether the initial weights let a network begin: units that start alike, weights that are too large."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from actlab.custom import CUSTOM_PARAMETERS, CustomNetwork
from actlab.recording import Recording
from actlab.statistics.findings.course import Course, loss_of, reads_weights
from actlab.statistics.findings.finding import Finding, finding
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported
from actlab.wording import counted, number

# Initialisers draw weights of 0.001 to 1; those that differ by less than this are as good as equal: what two layers of
# them pass on is below the rounding of float32.
SAME = 1e-6
# An untrained network gives about equal chances to all classes, at most 1.7 times their loss among the healthy networks
# of `benchmarks/faults.py` (softplus from He's weights); from N(0, 2²), sigmoid has 6 times it and relu thousands.
TOO_LARGE = 3.0
# Numbers are standardised: an untrained network that answers with a standard deviation of three has ten times the
# squared error of one that always says their mean.
TOO_LARGE_NUMBERS = 10.0


def units_alike(recording: Recording, entry: Reported, went: Course | None) -> Finding | None:
    """Whether the units of a layer start alike and stay so: equal weights into all of them, and out of all of them.

    Exact: units with equal weights on both sides get equal gradients, and remain one unit forever. Found where that is
    so with more than half of the members; nothing where the untrained weights were not kept. Of networks that have
    learnt what they were shown, it is not asked.
    """
    if (went is not None and not went.hindered) or not reads_weights(recording) or 0 not in recording.weight_epochs:
        return None
    matrices = untrained_weights(recording, entry)
    alike = [name for (name, before), (_, after) in pairwise(matrices) if units_equal(before, after).mean() > 0.5]
    if not alike:
        return None
    zero = [name for name, weights in matrices if np.abs(weights).max() <= SAME]
    if zero:
        what = f"the weights of {counted(len(zero), 'layer')} ({', '.join(zero)}) start at zero"
    else:
        what = f"all weights into the units of {', '.join(alike)} start equal, and so do those out of them"
    sentence = f"{entry.activation}: {what}: the units there get the same gradient, and remain one unit each layer."
    remedy = "Draw the initial weights at random, as glorot_uniform or he_normal do."
    evidence = {"layers": alike, "zero": zero, "members": len(entry.members)}
    return finding(
        "units_alike", "warning", sentence, evidence, activation=entry.activation, layer=alike[0], remedy=remedy
    )


def untrained_weights(recording: Recording, entry: Reported) -> list[tuple[str, Floats]]:
    """The untrained weight arrays of an activation, from input to output, by name: (members, ..., inputs, units)."""
    arrays = recording.weight_arrays(entry.activation, [0])
    every = [member for member in recording.members if member.activation == entry.activation]
    own = [place for place, member in enumerate(every) if member in entry.members]
    if isinstance(recording.study.network, CustomNetwork):
        held = arrays.get(CUSTOM_PARAMETERS, {})
        return [(name, held[name][0][own]) for name in recording.weight_layers if name in held]
    found = ((name, arrays.get(name, {}).get("weight")) for name in recording.weight_layers)
    return [(name, weights[0][own]) for name, weights in found if weights is not None]


def units_equal(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Whether all units between two weight arrays are one, for each member.

    Args:
        before: (members, ..., inputs, units).
        after: (members, ..., units or a multiple of them, outputs): behind a flattened image every unit, then a
            channel, has a row for each of its places.

    Returns:
        (members,), False for a single unit and where the arrays do not fit each other.

    >>> ones, drawn = np.ones((1, 2, 3)), np.arange(6.0).reshape(1, 3, 2)
    >>> units_equal(ones, np.ones((1, 3, 2))).tolist(), units_equal(ones, drawn).tolist()
    ([True], [False])
    """
    units = before.shape[-1]
    if units < 2 or after.shape[-2] % units:
        return np.zeros(len(before), bool)
    into = np.moveaxis(before, -1, 1).reshape(len(before), units, -1)
    out = np.moveaxis(after.reshape(len(after), -1, units, after.shape[-1]), 2, 1).reshape(len(after), units, -1)
    return np.logical_and(*(np.ptp(both, axis=1).max(axis=1) <= SAME for both in (into, out)))


def start_too_large(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether the untrained network is far surer of itself than one that knows nothing, and has not got over it."""
    if recording.objective.predicts:
        knows_nothing, bound = went.constant, TOO_LARGE_NUMBERS
    elif recording.objective.baseline is None:
        knows_nothing, bound = math.log(2), TOO_LARGE
    else:
        classes = len(recording.facts["classes"])
        knows_nothing, bound = recording.objective.baseline(np.full(classes, 1 / classes)), TOO_LARGE
    loss, _ = loss_of(recording)
    first, end = went.constant * went.train_loss[0], went.constant * went.train_loss[-1]
    if not (first > bound * knows_nothing and went.hindered):
        return None
    sentence = (
        f"{entry.activation}: the initial weights are too large: the untrained network has a {loss} of "
        f"{number(first)}, {number(first / knows_nothing)} times that of one that knows nothing, and ends at "
        f"{number(end)}."
    )
    remedy = "Start from weights that keep the scale, as glorot_uniform, he_normal or --init critical do."
    evidence = {"cross_entropy": {"first": first, "last": end, "knows_nothing": knows_nothing}}
    return finding("start_too_large", "warning", sentence, evidence, activation=entry.activation, remedy=remedy)
